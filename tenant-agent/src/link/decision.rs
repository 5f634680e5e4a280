//! A decision from the hub: whose it is, of what, and whether the hub's key really signed it.

use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Serialize;
use wardkeep_passkey::Assertion;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::grant::GrantTerms;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::v1;

/// What precedes the canonical JSON in the signed text.
const DOMAIN: &[u8] = b"wardkeep/decision/v1\0";
/// Longest note and name that are taken, bytes.
const TEXT_BYTES: usize = 2000;

/// A decision whose signature was verified; only [`verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Which approval.
    pub digest: Digest,
    /// Yes or no.
    pub verdict: Verdict,
    /// Who, as shown to people.
    pub decided_by: String,
    /// When, by the hub's clock.
    pub decided_at: Timestamp,
    /// What the person added.
    pub note: String,
    /// What a passkey signed; verified by the gate, which knows the pinned keys.
    pub passkey: Option<Assertion>,
    /// What is granted with it; the gate judges it by the document.
    pub grant: Option<GrantTerms>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It may run.
    Approved,
    /// It must not run.
    Denied,
}

/// Why a decision is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDecision {
    /// The digest is not 32 bytes: nothing to answer to.
    #[error("the decision names no approval")]
    Digest,
    /// Neither approved nor denied.
    #[error("the decision is neither approved nor denied")]
    Verdict,
    /// A text is too long.
    #[error("the decision's texts are too long")]
    TooLong,
    /// The signature is not the hub's over exactly these fields for this tenant.
    #[error("the decision is not signed by the hub's decision key")]
    Signature,
}

/// The signed fields, in the order that canonical JSON demands anyway.
#[derive(Serialize)]
struct Signed<'a> {
    decided_at_ms: i64,
    decided_by: &'a str,
    digest: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<GrantTerms>,
    note: &'a str,
    tenant: TenantId,
    verdict: Verdict,
}

/// Checks the message against the keys that may sign decisions: those of the root's list, or the one of enrolment.
///
/// # Errors
/// All of [`InvalidDecision`].
pub fn verify(message: v1::ApprovalDecision, tenant: TenantId, keys: &[[u8; 32]]) -> Result<Verified, InvalidDecision> {
    let v1::ApprovalDecision { digest, verdict, decided_by, decided_at_ms, note, signature, passkey, grant } = message;
    let digest = Digest::try_from(digest.as_slice()).map_err(|_| InvalidDecision::Digest)?;
    let verdict = match v1::Verdict::try_from(verdict) {
        Ok(v1::Verdict::Approved) => Verdict::Approved,
        Ok(v1::Verdict::Denied) => Verdict::Denied,
        Ok(v1::Verdict::Unspecified) | Err(_) => return Err(InvalidDecision::Verdict),
    };
    if decided_by.len() > TEXT_BYTES || note.len() > TEXT_BYTES {
        return Err(InvalidDecision::TooLong);
    }
    let grant = grant.map(|v1::GrantTerms { scope, hours, uses }| GrantTerms { hours, scope, uses });
    let fields = Signed { decided_at_ms, decided_by: &decided_by, digest, grant, note: &note, tenant, verdict };
    let text = signed_text(&fields).ok_or(InvalidDecision::Signature)?;
    let signed = |key: &[u8; 32]| UnparsedPublicKey::new(&ED25519, key).verify(&text, &signature).is_ok();
    if !keys.iter().any(signed) {
        return Err(InvalidDecision::Signature);
    }
    Ok(Verified {
        digest,
        verdict,
        decided_by,
        decided_at: Timestamp(decided_at_ms),
        note,
        passkey: passkey.map(assertion),
        grant,
    })
}

/// As the gate reads it; what it says is for the gate to judge.
pub(crate) fn assertion(message: v1::PasskeyAssertion) -> Assertion {
    let v1::PasskeyAssertion { credential_id, authenticator_data, client_data_json, signature } = message;
    Assertion { credential_id, authenticator_data, client_data_json, signature }
}

fn signed_text(fields: &Signed<'_>) -> Option<Vec<u8>> {
    let mut text = DOMAIN.to_vec();
    text.extend(serde_json_canonicalizer::to_vec(fields).ok()?);
    Some(text)
}

#[cfg(test)]
pub(crate) mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    pub(crate) fn key(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("32 bytes")
    }

    pub(crate) fn public(key: &Ed25519KeyPair) -> [u8; 32] {
        key.public_key().as_ref().try_into().expect("32 bytes")
    }

    /// What a hub sends for this verdict.
    pub(crate) fn signed(
        digest: Digest,
        verdict: Verdict,
        tenant: TenantId,
        key: &Ed25519KeyPair,
    ) -> v1::ApprovalDecision {
        with_grant(digest, verdict, tenant, key, None)
    }

    fn with_grant(
        digest: Digest,
        verdict: Verdict,
        tenant: TenantId,
        key: &Ed25519KeyPair,
        grant: Option<GrantTerms>,
    ) -> v1::ApprovalDecision {
        let by = "ada@example.com";
        let fields = Signed { decided_at_ms: 5, decided_by: by, digest, grant, note: "fine", tenant, verdict };
        let signature = key.sign(&signed_text(&fields).expect("json")).as_ref().to_vec();
        let verdict = match verdict {
            Verdict::Approved => v1::Verdict::Approved,
            Verdict::Denied => v1::Verdict::Denied,
        };
        v1::ApprovalDecision {
            digest: digest.0.to_vec(),
            verdict: verdict.into(),
            decided_by: "ada@example.com".into(),
            decided_at_ms: 5,
            note: "fine".into(),
            signature,
            passkey: None,
            grant: grant.map(|GrantTerms { hours, scope, uses }| v1::GrantTerms { scope, hours, uses }),
        }
    }

    fn tenant(last: char) -> TenantId {
        format!("01890000-0000-7000-8000-00000000000{last}").parse().expect("a UUID")
    }

    #[test]
    fn a_decision_with_any_field_changed_is_refused() {
        let (hub, digest) = (key(1), Digest([9; 32]));
        let good = || signed(digest, Verdict::Denied, tenant('1'), &hub);
        let change = |with: fn(&mut v1::ApprovalDecision)| {
            let mut message = good();
            with(&mut message);
            verify(message, tenant('1'), &[public(&hub)])
        };
        for (what, result, want) in [
            ("verdict", change(|d| d.verdict = v1::Verdict::Approved.into()), InvalidDecision::Signature),
            ("no verdict", change(|d| d.verdict = 0), InvalidDecision::Verdict),
            ("unknown verdict", change(|d| d.verdict = 77), InvalidDecision::Verdict),
            ("digest", change(|d| d.digest = vec![8; 32]), InvalidDecision::Signature),
            ("short digest", change(|d| d.digest.truncate(31)), InvalidDecision::Digest),
            ("person", change(|d| d.decided_by = "eve".into()), InvalidDecision::Signature),
            ("time", change(|d| d.decided_at_ms += 1), InvalidDecision::Signature),
            ("note", change(|d| d.note.push('!')), InvalidDecision::Signature),
            ("long note", change(|d| d.note = "x".repeat(TEXT_BYTES + 1)), InvalidDecision::TooLong),
            ("no signature", change(|d| d.signature.clear()), InvalidDecision::Signature),
            ("cut signature", change(|d| d.signature.truncate(63)), InvalidDecision::Signature),
            ("another tenant", verify(good(), tenant('2'), &[public(&hub)]), InvalidDecision::Signature),
            ("another key", verify(good(), tenant('1'), &[public(&key(2))]), InvalidDecision::Signature),
            ("no key", verify(good(), tenant('1'), &[]), InvalidDecision::Signature),
        ] {
            assert_eq!(result, Err(want), "{what}");
        }
        let keys = [public(&key(2)), public(&hub)];
        assert_eq!(verify(good(), tenant('1'), &keys).map(|d| d.verdict), Ok(Verdict::Denied));
    }

    #[test]
    fn nothing_of_a_grant_can_be_changed_added_or_taken_away() {
        let (hub, digest) = (key(1), Digest([9; 32]));
        let terms = GrantTerms { hours: 2, scope: 0, uses: 5 };
        let message = |with: Option<GrantTerms>| with_grant(digest, Verdict::Approved, tenant('1'), &hub, with);
        let read = |message| verify(message, tenant('1'), &[public(&hub)]).map(|verified| verified.grant);
        assert_eq!(read(message(Some(terms))), Ok(Some(terms)));
        assert_eq!(read(message(None)), Ok(None));
        let wire = |hours, scope, uses| Some(v1::GrantTerms { scope, hours, uses });
        for (what, signed, sent) in [
            ("longer", Some(terms), wire(3, 0, 5)),
            ("oftener", Some(terms), wire(2, 0, 6)),
            ("wider", Some(terms), wire(2, 1, 5)),
            ("taken away", Some(terms), None),
            ("added", None, wire(2, 0, 5)),
            ("of nothing", None, wire(0, 0, 0)),
        ] {
            let forged = v1::ApprovalDecision { grant: sent, ..message(signed) };
            assert_eq!(read(forged), Err(InvalidDecision::Signature), "{what}");
        }
        let fields = Signed {
            decided_at_ms: 7,
            decided_by: "ada",
            digest: Digest([0xab; 32]),
            grant: Some(terms),
            note: "",
            tenant: tenant('1'),
            verdict: Verdict::Approved,
        };
        let text = String::from_utf8(signed_text(&fields).expect("json")).expect("text");
        assert!(text.contains("\",\"grant\":{\"hours\":2,\"scope\":0,\"uses\":5},\"note\":\"\""), "{text}");
    }

    #[test]
    fn the_signed_text_is_the_one_of_the_papers() {
        let fields = Signed {
            decided_at_ms: 7,
            decided_by: "ada",
            digest: Digest([0xab; 32]),
            grant: None,
            note: "",
            tenant: tenant('1'),
            verdict: Verdict::Approved,
        };
        let text = String::from_utf8(signed_text(&fields).expect("json")).expect("text");
        assert_eq!(
            text,
            format!(
                "wardkeep/decision/v1\0{{\"decided_at_ms\":7,\"decided_by\":\"ada\",\"digest\":\"{}\",\"note\":\"\",\
                 \"tenant\":\"01890000-0000-7000-8000-000000000001\",\"verdict\":\"approved\"}}",
                "ab".repeat(32)
            )
        );
    }
}
