//! Passkeys of made-up people, and critical calls before them.

use wardkeep_passkey::{Passkey, PublicKey};

use super::{HOSTILE, HOUR, ago, bakery, bare_tenant, status, waiting};
use crate::pages::passkeys::Keyring;
use crate::store::approvals::Approval;
use crate::store::passkeys::OwnPasskey;
use crate::store::status::Status;
use crate::store::tenants::Tenant;

fn passkey(number: u8, name: &str) -> OwnPasskey {
    let key = PublicKey::EdDsa([number; 32]).to_cose();
    let passkey = Passkey::new(vec![number; 16], &key, "https://hub.example.com").expect("a key");
    let user = "0198f000-0000-7000-8000-0000000000ad".parse().expect("an id");
    OwnPasskey {
        fingerprint: passkey.fingerprint(),
        passkey,
        user,
        name: name.into(),
        synced: number.is_multiple_of(2),
        created: ago(i64::from(number) * 24 * HOUR),
        removed: None,
        transports: "hybrid internal".into(),
    }
}

/// No key, two keys, and an address on which none works.
pub(in crate::pages::samples) fn keyrings() -> Vec<(&'static str, Keyring)> {
    let rp_id = Some("hub.example.com".to_owned());
    let keys = vec![passkey(6, "iPhone"), passkey(3, HOSTILE)];
    vec![
        ("empty", Keyring { keys: vec![], rp_id: rp_id.clone() }),
        ("two", Keyring { keys, rp_id }),
        ("no-site", Keyring::default()),
    ]
}

/// Servers that trust the first key, none, and one that knows no passkeys.
pub(in crate::pages::samples) fn trusting() -> Vec<Tenant> {
    let with = |passkeys| Some(Status { passkeys, ..status("host") });
    vec![
        Tenant { status: with(Some(vec![passkey(6, "").fingerprint])), ..bakery() },
        Tenant { status: with(Some(vec![])), ..bare_tenant(2, "law-office-hartmann", "Kanzlei Hartmann & Partner") },
        Tenant { status: with(None), ..bare_tenant(4, "studio-marx", "Studio Marx") },
    ]
}

/// A critical call before people who can and cannot approve it.
pub(in crate::pages::samples) fn critical() -> Vec<(&'static str, Approval, Keyring)> {
    let asked = waiting().pop().expect("the critical one");
    let on = |pinned| Approval { pinned, ..asked.clone() };
    let mut rings = keyrings().into_iter().map(|(_, ring)| ring);
    let (none, two) = (rings.next().expect("one"), rings.next().expect("two"));
    vec![
        ("no-site", on(Some(vec![])), Keyring::default()),
        ("old-daemon", on(None), two.clone()),
        ("no-key", on(Some(vec![])), none),
        ("not-trusted", on(Some(vec![])), two.clone()),
        ("ready", on(Some(vec![passkey(6, "").fingerprint])), two),
    ]
}
