//! What the checkpoints of one tenant say of its audit log, taken together.

use std::fmt;

use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Serialize;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use crate::store::audit::Checkpoint;

/// What the signature of a checkpoint covers begins with this and a zero byte.
const DOMAIN: &[u8] = b"wardkeep/checkpoint/v1\0";

/// What is wrong with a log, as seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A stored checkpoint is not signed by the tenant's key: somebody changed this hub's own rows.
    NotSigned {
        /// At which length.
        length: u64,
    },
    /// Two heads for one length: rows up to there were edited, inserted or exchanged.
    Forked {
        /// At which length.
        length: u64,
    },
    /// A later checkpoint, or the server's status, is shorter: rows were cut off, or an older copy was put in place.
    WentBack {
        /// So many rows were signed for.
        from: u64,
        /// So many are left.
        to: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSigned { length } => {
                write!(f, "the checkpoint at row {length} is not signed by the server: this hub's records were changed")
            }
            Self::Forked { length } => write!(f, "two histories up to row {length}: rows of the log were changed"),
            Self::WentBack { from, to } => {
                write!(
                    f,
                    "{from} rows were signed for and {to} are left: the end was cut off, or an older copy put in its place"
                )
            }
        }
    }
}

/// Everything that contradicts itself in `checkpoints`, all of one key, and `length`, what the server says now.
#[must_use]
pub fn judge(tenant: TenantId, key: &[u8], mut checkpoints: Vec<Checkpoint>, length: Option<u64>) -> Vec<Finding> {
    let mut findings = Vec::new();
    checkpoints.sort_by_key(|one| (one.length, one.at));
    for pair in checkpoints.windows(2) {
        let forked = Finding::Forked { length: pair[1].length };
        if pair[0].length == pair[1].length && pair[0].head != pair[1].head && findings.last() != Some(&forked) {
            findings.push(forked);
        }
    }
    // What only tells of a fork is what the server said, not what it signed.
    checkpoints.retain(|one| !one.signature.is_empty());
    checkpoints.sort_by_key(|one| (one.at, one.length));
    let mut highest = 0;
    for one in &checkpoints {
        if !is_signed(tenant, (one.length, one.head, one.at), &one.signature, key) {
            findings.push(Finding::NotSigned { length: one.length });
        } else if one.length < highest {
            findings.push(Finding::WentBack { from: highest, to: one.length });
        }
        highest = highest.max(one.length);
    }
    if let Some(length) = length.filter(|length| *length < highest) {
        findings.push(Finding::WentBack { from: highest, to: length });
    }
    findings.dedup();
    findings
}

/// Whether `key` signed that head at that length and time.
pub(crate) fn is_signed(
    tenant: TenantId,
    (length, head, at): (u64, Digest, Timestamp),
    signature: &[u8],
    key: &[u8],
) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(&signed_text(tenant, length, head, at), signature).is_ok()
}

/// What a checkpoint's signature covers: the domain, a zero byte, and RFC 8785 canonical JSON.
pub(crate) fn signed_text(tenant: TenantId, length: u64, head: Digest, at: Timestamp) -> Vec<u8> {
    #[derive(Serialize)]
    struct Text {
        at_ms: Timestamp,
        head: Digest,
        length: u64,
        tenant: TenantId,
    }
    let mut out = DOMAIN.to_vec();
    // Two strings and two integers always serialise.
    out.extend(serde_json_canonicalizer::to_vec(&Text { at_ms: at, head, length, tenant }).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    fn tenant() -> TenantId {
        "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("a UUID")
    }

    fn one(length: u64, head: u8, at: i64) -> Checkpoint {
        let key = Ed25519KeyPair::from_seed_unchecked(&[5; 32]).expect("a key");
        let (head, at) = (Digest([head; 32]), Timestamp(at));
        let signature = key.sign(&signed_text(tenant(), length, head, at)).as_ref().to_vec();
        Checkpoint { length, head, at, key: Digest([0; 32]), signature, received: at, consistent: true }
    }

    #[test]
    fn each_contradiction_is_found_and_named() {
        let key = Ed25519KeyPair::from_seed_unchecked(&[5; 32]).expect("a key");
        let evidence = Checkpoint { signature: Vec::new(), ..one(5, 9, 30) };
        let forged = Checkpoint { length: 6, ..one(5, 1, 10) };
        for (checkpoints, length, want) in [
            (vec![], Some(3), vec![]),
            (vec![one(5, 1, 10), one(7, 2, 20)], Some(8), vec![]),
            (vec![one(7, 2, 20), one(5, 1, 10)], None, vec![]),
            (vec![one(5, 1, 10), one(5, 2, 20)], None, vec![Finding::Forked { length: 5 }]),
            (vec![one(5, 1, 10), one(7, 2, 20), evidence], None, vec![Finding::Forked { length: 5 }]),
            (vec![one(7, 1, 10), one(5, 2, 20)], None, vec![Finding::WentBack { from: 7, to: 5 }]),
            (vec![one(7, 1, 10)], Some(4), vec![Finding::WentBack { from: 7, to: 4 }]),
            (vec![forged], None, vec![Finding::NotSigned { length: 6 }]),
        ] {
            let found = judge(tenant(), key.public_key().as_ref(), checkpoints.clone(), length);
            assert_eq!(found, want, "{checkpoints:?} {length:?}");
        }
    }
}
