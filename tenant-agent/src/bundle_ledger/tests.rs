use ring::signature::{Ed25519KeyPair, KeyPair as _};
use wardkeep_policy::LlmConfig;
use wardkeep_policy::signed::{Key, sign};

use super::*;
use crate::testing::{Authority, NOW};

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("32 bytes")
}

fn public(key: &Ed25519KeyPair) -> [u8; 32] {
    key.public_key().as_ref().try_into().expect("32 bytes")
}

const ROOT: u8 = 1;
const ONLINE: u8 = 2;

pub(crate) struct Tenant {
    _dir: tempfile::TempDir,
    pub(crate) bundle_dir: PathBuf,
    identity_dir: IdentityDir,
    identity: Identity,
}

impl Tenant {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let (identity_path, bundle_dir) = (dir.path().join("identity"), dir.path().join("bundle"));
        std::fs::create_dir(&identity_path).expect("made");
        std::fs::create_dir(&bundle_dir).expect("made");
        let ca = Authority::new("hub");
        let identity = Identity {
            tenant: "01890000-0000-7000-8000-000000000001".parse().expect("a UUID"),
            name: "acme".into(),
            hub: "https://localhost:1".parse().expect("valid"),
            ca: ca.certificate(),
            root_key: public(&key(ROOT)),
            decision_key: [0; 32],
            client: ca.client("acme"),
        };
        let identity_dir = IdentityDir::new(identity_path);
        identity_dir.write("keys.dsse", &key_list(1, &[ONLINE])).expect("written");
        Self { _dir: dir, bundle_dir, identity_dir, identity }
    }

    pub(crate) fn open(&self) -> BundleLedger {
        BundleLedger::open(self.bundle_dir.clone(), self.identity_dir.clone(), &self.identity).expect("opens")
    }

    pub(crate) fn identity(&self) -> (IdentityDir, &Identity) {
        (self.identity_dir.clone(), &self.identity)
    }

    fn bundle(&self, version: u64) -> Bundle {
        Bundle { version, ..Bundle::default_for(self.identity.tenant, Vec::new(), LlmConfig::default(), NOW) }
    }

    pub(crate) fn envelope_by(&self, version: u64, seed: u8) -> Vec<u8> {
        sign(&self.bundle(version).to_json().expect("json"), &key(seed))
    }

    pub(crate) fn envelope(&self, version: u64) -> Vec<u8> {
        sign(&self.bundle(version).to_json().expect("json"), &key(ONLINE))
    }
}

pub(crate) fn key_list(version: u64, seeds: &[u8]) -> Vec<u8> {
    let keys = seeds.iter().map(|seed| Key::new(&public(&key(*seed)))).collect();
    KeyList { version, keys, decision: Vec::new() }.sign(&key(ROOT))
}

fn closed(in_force: &InForce) -> Option<Closed> {
    match in_force {
        InForce::Strict { closed, .. } => Some(*closed),
        InForce::Stored { .. } => None,
    }
}

#[test]
fn what_may_not_count_is_refused_and_the_present_one_stays() {
    let tenant = Tenant::new();
    let mut ledger = tenant.open();
    let first = ledger.accept(5, &tenant.envelope(3), NOW).expect("accepted");
    let later = NOW.plus(std::time::Duration::from_secs(91 * 24 * 3600));
    let other = {
        let mut bundle = tenant.bundle(4);
        bundle.tenant = "01890000-0000-7000-8000-000000000002".parse().expect("a UUID");
        sign(&bundle.to_json().expect("json"), &key(ONLINE))
    };
    let changed = {
        let bundle = Bundle { minimum_agent: "0.0.1".into(), ..tenant.bundle(3) };
        sign(&bundle.to_json().expect("json"), &key(ONLINE))
    };
    let foreign = sign(&tenant.bundle(4).to_json().expect("json"), &key(9));
    for (what, generation, envelope, keys, now) in [
        ("rollback", 6, tenant.envelope(2), Vec::new(), NOW),
        ("older generation", 4, tenant.envelope(4), Vec::new(), NOW),
        ("same version, other content", 6, changed, Vec::new(), NOW),
        ("another tenant", 6, other, Vec::new(), NOW),
        ("a key that is not listed", 6, foreign.clone(), Vec::new(), NOW),
        (
            "a key list that the root did not sign",
            6,
            foreign,
            { KeyList { version: 2, keys: vec![Key::new(&public(&key(9)))], decision: Vec::new() }.sign(&key(9)) },
            NOW,
        ),
        ("an older key list", 6, tenant.envelope(4), key_list(0, &[ONLINE]), NOW),
        ("expired", 6, tenant.envelope(4), Vec::new(), later),
        ("empty", 6, Vec::new(), Vec::new(), NOW),
    ] {
        let rekeyed = if keys.is_empty() { Ok(false) } else { ledger.accept_keys(&keys) };
        let taken = rekeyed.and_then(|_| ledger.accept(generation, &envelope, now));
        assert!(taken.is_err(), "{what}");
        assert_eq!(ledger.seen(), Some(first.seen), "{what}");
        assert_eq!(
            tenant.open().in_force(NOW),
            InForce::Stored { bundle: Box::new(first.bundle.clone()), seen: first.seen }
        );
    }
    let again = ledger.accept(5, &tenant.envelope(3), NOW).expect("the same again is fine");
    assert_eq!(again.seen, first.seen);
    assert_eq!(ledger.accept(6, &tenant.envelope(4), NOW).expect("accepted").seen.version, 4);
}

#[test]
fn a_rolled_back_disk_is_noticed() {
    let tenant = Tenant::new();
    let mut ledger = tenant.open();
    assert_eq!(closed(&ledger.in_force(NOW)), Some(Closed::NoBundle));
    let _ = ledger.accept(1, &tenant.envelope(1), NOW).expect("accepted");
    let old = std::fs::read(tenant.bundle_dir.join("current.dsse")).expect("reads");
    let _ = ledger.accept(2, &tenant.envelope(2), NOW).expect("accepted");

    std::fs::write(tenant.bundle_dir.join("current.dsse"), old).expect("written");
    assert_eq!(closed(&tenant.open().in_force(NOW)), Some(Closed::BundleRefused));
    std::fs::remove_file(tenant.bundle_dir.join("current.dsse")).expect("removed");
    assert_eq!(closed(&tenant.open().in_force(NOW)), Some(Closed::BundleRefused));
    let _ = tenant.open().accept(2, &tenant.envelope(2), NOW).expect("the hub's copy mends it");
    assert_eq!(closed(&tenant.open().in_force(NOW)), None);

    std::fs::write(tenant.bundle_dir.join("seen.json"), "{").expect("written");
    let opened = BundleLedger::open(tenant.bundle_dir.clone(), tenant.identity_dir.clone(), &tenant.identity);
    assert!(matches!(opened, Err(LedgerError::Damaged(_))));
}

#[test]
fn a_crash_between_envelope_and_mark_goes_on_with_the_newer_one() {
    let tenant = Tenant::new();
    let mut ledger = tenant.open();
    let _ = ledger.accept(1, &tenant.envelope(1), NOW).expect("accepted");
    let mark = std::fs::read(tenant.bundle_dir.join("seen.json")).expect("reads");
    let _ = ledger.accept(2, &tenant.envelope(2), NOW).expect("accepted");
    std::fs::write(tenant.bundle_dir.join("seen.json"), mark).expect("written");

    let mut ledger = tenant.open();
    let InForce::Stored { seen, .. } = ledger.take_up(NOW) else { panic!("refused") };
    assert_eq!(seen.version, 2);
    assert!(tenant.open().accept(3, &tenant.envelope(1), NOW).is_err(), "the mark caught up");
}

/// The files as a crash leaves them: the mark announces `coming`, and the envelope is `version`, if any.
fn crashed(tenant: &Tenant, seen: Option<Seen>, coming: u64, version: Option<u64>) {
    let Stored { seen: coming, .. } = {
        let scratch = Tenant::new();
        scratch.open().accept(7, &tenant.envelope(coming), NOW).expect("accepted")
    };
    let mark = serde_json::to_vec(&Mark::Coming(Coming { seen, coming })).expect("json");
    std::fs::write(tenant.bundle_dir.join("seen.json"), mark).expect("written");
    let path = tenant.bundle_dir.join("current.dsse");
    match version {
        Some(version) => std::fs::write(path, tenant.envelope(version)).expect("written"),
        None => crate::state::remove(&path).expect("removed"),
    }
}

#[test]
fn a_bundle_without_its_mark_does_not_count() {
    let tenant = Tenant::new();
    let mut ledger = tenant.open();
    let _ = ledger.accept(1, &tenant.envelope(1), NOW).expect("accepted");
    let old = std::fs::read(tenant.bundle_dir.join("current.dsse")).expect("reads");
    let _ = ledger.accept(2, &tenant.envelope(2), NOW).expect("accepted");

    std::fs::remove_file(tenant.bundle_dir.join("seen.json")).expect("removed");
    assert_eq!(closed(&tenant.open().take_up(NOW)), Some(Closed::BundleRefused), "also the newest one");
    std::fs::write(tenant.bundle_dir.join("current.dsse"), old).expect("written");
    for _ in 0..2 {
        assert_eq!(closed(&tenant.open().take_up(NOW)), Some(Closed::BundleRefused), "and looking does not mark it");
    }
    assert!(!tenant.bundle_dir.join("seen.json").exists());
    // A crash while the hub's copy is stored does not vouch for what lay there.
    crashed(&tenant, None, 2, Some(1));
    assert_eq!(closed(&tenant.open().take_up(NOW)), Some(Closed::BundleRefused));
    let _ = tenant.open().accept(2, &tenant.envelope(2), NOW).expect("the hub's copy mends it");
    assert_eq!(closed(&tenant.open().take_up(NOW)), None);
}

#[test]
fn a_crash_at_any_write_leaves_the_old_bundle_or_the_announced_one() {
    let tenant = Tenant::new();
    let first = tenant.open().accept(5, &tenant.envelope(2), NOW).expect("accepted").seen;
    for (seen, coming, envelope, want) in [
        (Some(first), 3, Some(1), Err(Closed::BundleRefused)),
        (Some(first), 3, None, Err(Closed::BundleRefused)),
        (None, 3, Some(2), Err(Closed::BundleRefused)),
        (None, 3, Some(4), Err(Closed::BundleRefused)),
        (None, 3, None, Err(Closed::NoBundle)),
        (None, 3, Some(3), Ok((7, 3))),
        (Some(first), 3, Some(2), Ok((5, 2))),
        (Some(first), 3, Some(3), Ok((7, 3))),
    ] {
        crashed(&tenant, seen, coming, envelope);
        let mut ledger = tenant.open();
        let got = match ledger.take_up(NOW) {
            InForce::Strict { closed, .. } => Err(closed),
            InForce::Stored { seen, .. } => Ok((seen.generation, seen.version)),
        };
        assert_eq!(got, want, "{seen:?} {coming} {envelope:?}");
        assert_eq!(ledger.seen().map(|seen| seen.version), want.ok().map(|(_, v)| v).or(seen.map(|s| s.version)));
        // Either way the hub's next word is taken, and is then settled.
        let _ = ledger.accept(8, &tenant.envelope(3), NOW).expect("accepted");
        assert_eq!(closed(&tenant.open().in_force(NOW)), None);
        assert!(tenant.open().coming.is_none());
    }
}

#[test]
fn no_write_of_an_envelope_comes_before_its_mark() {
    let tenant = Tenant::new();
    // An envelope that cannot be replaced: a directory that is not empty is in its place.
    std::fs::create_dir_all(tenant.bundle_dir.join("current.dsse/x")).expect("made");
    assert!(matches!(tenant.open().accept(1, &tenant.envelope(1), NOW), Err(LedgerError::File { .. })));
    assert_eq!(tenant.open().coming.map(|coming| coming.version), Some(1), "the mark is there already");
    assert_eq!(tenant.open().seen(), None);
    // And a mark that cannot be written keeps the envelope from being touched.
    let tenant = Tenant::new();
    std::fs::create_dir_all(tenant.bundle_dir.join("seen.json/x")).expect("made");
    let mut ledger = Tenant::new().open();
    ledger.dir = tenant.bundle_dir.clone();
    assert!(ledger.accept(1, &tenant.envelope(1), NOW).is_err());
    assert!(!tenant.bundle_dir.join("current.dsse").exists());
}

#[test]
fn an_expired_bundle_gives_way_to_the_strict_one() {
    let tenant = Tenant::new();
    let _ = tenant.open().accept(1, &tenant.envelope(1), NOW).expect("accepted");
    let later = NOW.plus(std::time::Duration::from_secs(91 * 24 * 3600));
    assert_eq!(closed(&tenant.open().in_force(later)), Some(Closed::BundleExpired));
}

#[test]
fn a_newer_key_list_lets_a_new_key_sign() {
    let tenant = Tenant::new();
    let mut ledger = tenant.open();
    let envelope = sign(&tenant.bundle(1).to_json().expect("json"), &key(3));
    assert!(ledger.accept(1, &envelope, NOW).is_err());
    assert!(ledger.accept_keys(&key_list(2, &[3])).expect("accepted"), "another one");
    assert!(!ledger.accept_keys(&key_list(2, &[3])).expect("accepted"), "the same again");
    let _ = ledger.accept(1, &envelope, NOW).expect("accepted");
    assert_eq!(closed(&tenant.open().in_force(NOW)), None, "the list is on disk");
    assert!(tenant.open().accept(2, &tenant.envelope(2), NOW).is_err(), "the old key is out");
}

/// What a thief of the hub's keys, or of what the root once signed, could send.
#[test]
fn a_list_of_keys_that_does_not_count_changes_nothing() {
    let tenant = Tenant::new();
    let mut ledger = tenant.open();
    ledger.accept_keys(&key_list(3, &[3, ONLINE])).expect("accepted");
    let _ = ledger.accept(1, &tenant.envelope(1), NOW).expect("accepted");
    let list = |version, seed: u8| KeyList { version, keys: vec![Key::new(&public(&key(seed)))], decision: Vec::new() };
    let stripped = {
        let mut envelope: serde_json::Value = serde_json::from_slice(&key_list(4, &[9])).expect("JSON");
        envelope["signatures"] = serde_json::json!([]);
        serde_json::to_vec(&envelope).expect("JSON")
    };
    let renamed = {
        // The root's name, an online key's signature.
        let mut envelope: serde_json::Value = serde_json::from_slice(&list(4, 9).sign(&key(ONLINE))).expect("JSON");
        envelope["signatures"][0]["keyid"] = serde_json::json!(wardkeep_policy::signed::key_id(&public(&key(ROOT))));
        serde_json::to_vec(&envelope).expect("JSON")
    };
    let kept = std::fs::read(tenant.identity_dir.file("keys.dsse")).expect("there");
    for (what, envelope) in [
        ("signed by an online key", list(4, 9).sign(&key(ONLINE))),
        ("signed by an online key in the root's name", renamed),
        ("without its signature", stripped),
        ("older", key_list(2, &[9])),
        ("of the same version with other content", key_list(3, &[9])),
        ("of another hub's root", list(4, 9).sign(&key(8))),
        ("empty", key_list(4, &[])),
        ("a bundle", tenant.envelope(4)),
        ("nothing", Vec::new()),
    ] {
        assert!(matches!(ledger.accept_keys(&envelope), Err(LedgerError::Keys(_))), "{what}");
        assert_eq!(ledger.keys().version, 3, "{what}");
        assert_eq!(std::fs::read(tenant.identity_dir.file("keys.dsse")).expect("there"), kept, "{what}");
        assert_eq!(closed(&tenant.open().in_force(NOW)), None, "{what}");
    }
}

/// A crash on either side of the one write: the old list, or the new one.
#[test]
fn a_list_of_keys_is_on_disk_before_it_counts() {
    let tenant = Tenant::new();
    let mut ledger = tenant.open();
    let _ = ledger.accept(1, &tenant.envelope(1), NOW).expect("accepted");
    // The write fails: nothing of it counts, now or after a start.
    let path = tenant.identity_dir.file("keys.dsse");
    let kept = std::fs::read(&path).expect("there");
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("made");
    assert!(ledger.accept_keys(&key_list(2, &[3])).is_err());
    assert_eq!((ledger.keys().version, closed(&ledger.in_force(NOW))), (1, None));
    std::fs::remove_dir(&path).expect("removed");
    std::fs::write(&path, &kept).expect("written");
    assert_eq!(closed(&tenant.open().in_force(NOW)), None);
    // Written, and dead before anything else: what the revoked key signed counts no more.
    std::fs::write(&path, key_list(2, &[3])).expect("written");
    let mut again = tenant.open();
    assert_eq!(closed(&again.in_force(NOW)), Some(Closed::BundleRefused));
    assert!(matches!(again.accept_keys(&key_list(1, &[ONLINE])), Err(LedgerError::Keys(_))), "rolled back");
    // The hub's next bundle, by a key that is listed, opens it again; the mark against rollback was kept.
    let signed = |version| sign(&tenant.bundle(version).to_json().expect("json"), &key(3));
    assert!(matches!(again.accept(2, &sign(b"{}", &key(3)), NOW), Err(LedgerError::Refused(_))));
    assert!(again.accept(2, &signed(1), NOW).is_ok() && again.accept(2, &signed(2), NOW).is_ok());
    assert!(again.accept(3, &signed(1), NOW).is_err(), "older than the newest ever seen");
    assert_eq!(closed(&tenant.open().in_force(NOW)), None);
}
