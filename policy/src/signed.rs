//! The signed form of a bundle and of the list of keys that may sign one: a DSSE envelope, Ed25519 over the exact bytes.
//!
//! That a signature is needed is fixed here: no option, no field of the file and no caller can waive it. Bytes are parsed
//! only after their signature was verified.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use crate::bundle::budgets::{self, InvalidBudget};
use crate::bundle::{Bundle, FORMAT};

mod list;

pub use list::{Key, KeyList};

/// What a bundle's envelope says it holds.
pub const BUNDLE_TYPE: &str = "application/vnd.wardkeep.bundle.v1+json";
/// What a key list's envelope says it holds.
pub const KEYS_TYPE: &str = "application/vnd.wardkeep.keys.v1+json";
/// Bytes of one envelope; below the 4 MiB of a message on the link.
pub const MAX_ENVELOPE_BYTES: usize = 3 * 1024 * 1024;
/// Signatures in one envelope, keys in one list.
const MAX_KEYS: usize = 16;
/// Domain of [`bundle_digest`].
const DIGEST_DOMAIN: &str = "wardkeep/bundle/v1";

/// Why an envelope is not accepted. What was accepted before stays in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Larger than [`MAX_ENVELOPE_BYTES`].
    #[error("the envelope is larger than {MAX_ENVELOPE_BYTES} bytes")]
    TooLarge,
    /// Not a DSSE envelope.
    #[error("this is not a signed envelope; publish the policy again")]
    NotAnEnvelope,
    /// It holds something else than was asked for.
    #[error("the envelope holds another type of document")]
    PayloadType,
    /// It has no signature.
    #[error("the envelope is not signed")]
    Unsigned,
    /// No signature names a listed key.
    #[error("the envelope is signed by a key that is not listed")]
    UnknownKey,
    /// A listed key is named, but the signature is not its own.
    #[error("the signature does not fit the document")]
    BadSignature,
    /// Signed, but this build cannot read it.
    #[error("the signed document cannot be read: {0}")]
    Unreadable(String),
    /// Another bundle format.
    #[error("bundle format {0} is not known here; update the daemon")]
    Format(u32),
    /// Meant for another server.
    #[error("the bundle is for tenant {0}, not for this one")]
    WrongTenant(TenantId),
    /// Older than what was accepted before.
    #[error("version {got} is older than version {seen}, which was accepted before")]
    Rollback {
        /// Highest version accepted before.
        seen: u64,
        /// Version of this document.
        got: u64,
    },
    /// Two documents share one version.
    #[error("version {0} was accepted before with other content")]
    SameVersion(u64),
    /// It names another predecessor than the one accepted before.
    #[error("version {0} does not follow the version accepted before")]
    BrokenChain(u64),
    /// Its time is over, or ends before it begins.
    #[error("the bundle expired at {0}")]
    Expired(Timestamp),
    /// It needs a newer daemon.
    #[error("the bundle needs wardkeep-agent {0} or newer; update the daemon")]
    AgentTooOld(String),
    /// What it adds to redaction does not do what it says.
    #[error(transparent)]
    Redaction(#[from] wardkeep_redaction::PackError),
    /// What it opens to the network contradicts itself.
    #[error(transparent)]
    Egress(#[from] crate::bundle::egress::InvalidEgress),
    /// Its adapters contradict themselves.
    #[error(transparent)]
    Adapters(#[from] crate::adapters::InvalidAdapter),
    /// Its providers and models contradict themselves.
    #[error("the bundle's providers and models cannot be used: {0}")]
    Llm(#[from] crate::bundle::llm::InvalidLlm),
    /// Its budgets or prices contradict themselves.
    #[error(transparent)]
    Budgets(#[from] InvalidBudget),
    /// What it says about sub-agents cannot be.
    #[error(transparent)]
    Subagents(#[from] crate::agents::subagents::InvalidSubagents),
    /// Its images cannot be.
    #[error(transparent)]
    Images(#[from] crate::containers::InvalidImage),
    /// Its limits of runs cannot be.
    #[error(transparent)]
    Runs(#[from] crate::limits::InvalidRuns),
}

/// The name of a public key: the first 32 hex digits of its SHA-256.
#[must_use]
pub fn key_id(public: &[u8]) -> String {
    Digest::plain(public).to_string()[..32].to_owned()
}

/// What is known before an envelope is opened.
#[derive(Clone, Debug)]
pub struct Expect<'a> {
    /// This tenant.
    pub tenant: TenantId,
    /// Version and digest of the newest bundle ever accepted, from durable storage.
    pub seen: Option<(u64, Digest)>,
    /// The moment.
    pub now: Timestamp,
    /// Version of this daemon, e.g. `0.1.0`.
    pub agent_version: &'a str,
}

/// A bundle whose signature, tenant, version and time were checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// The bundle.
    pub bundle: Bundle,
    /// Digest of its signed bytes.
    pub digest: Digest,
}

/// Digest of a bundle's signed bytes: what `previous` names and what is remembered against rollback.
#[must_use]
pub fn bundle_digest(bundle_json: &[u8]) -> Digest {
    Digest::of(DIGEST_DOMAIN, bundle_json)
}

/// Signs a bundle's bytes as they are.
#[must_use]
pub fn sign(bundle_json: &[u8], key: &Ed25519KeyPair) -> Vec<u8> {
    seal(BUNDLE_TYPE, bundle_json, key)
}

/// Opens a bundle's envelope.
///
/// # Errors
/// [`Refused`]; the caller keeps the bundle it has and raises an alarm.
pub fn verify(envelope: &[u8], keys: &KeyList, expect: &Expect<'_>) -> Result<Accepted, Refused> {
    let keys = public_keys(&keys.keys);
    let payload = open(BUNDLE_TYPE, envelope, &keys)?;
    let digest = bundle_digest(&payload);
    let head = head(&payload, expect.tenant)?;
    check_succession(&head, digest, expect.seen)?;
    let bundle = body(&payload, head, expect.now, expect.agent_version)?;
    Ok(Accepted { bundle, digest })
}

/// Reads a draft that nobody signed, as [`verify`] would read it: tenant, times, version of the daemon, every example.
///
/// What it gives may be looked at and never counts.
///
/// # Errors
/// [`Refused`], but for signature and succession.
pub fn examine(draft: &[u8], tenant: TenantId, now: Timestamp, agent_version: &str) -> Result<Bundle, Refused> {
    if draft.len() > MAX_ENVELOPE_BYTES {
        return Err(Refused::TooLarge);
    }
    body(draft, head(draft, tenant)?, now, agent_version)
}

/// Reads a bundle whose envelope was accepted or sealed before, whatever its time: to compare with, not to enforce.
///
/// # Errors
/// [`Refused`]: not signed by one of `keys`, or not to be read by this build.
pub fn reopen(envelope: &[u8], keys: &[Key]) -> Result<Bundle, Refused> {
    serde_json::from_slice(&open(BUNDLE_TYPE, envelope, &public_keys(keys))?).map_err(unreadable)
}

/// Whether one of `keys` signed this envelope over a bundle; what it says is not looked at.
#[must_use]
pub fn signed_by(envelope: &[u8], keys: &[Key]) -> bool {
    open(BUNDLE_TYPE, envelope, &public_keys(keys)).is_ok()
}

fn public_keys(keys: &[Key]) -> Vec<(String, [u8; 32])> {
    keys.iter().filter_map(|key| Some((key.id.clone(), key.bytes()?))).collect()
}

/// The head first: a bundle of another format must be named as such, not fail on its fields.
fn head(payload: &[u8], tenant: TenantId) -> Result<Head, Refused> {
    let head: Head = serde_json::from_slice(payload).map_err(unreadable)?;
    if head.format != FORMAT {
        return Err(Refused::Format(head.format));
    }
    if head.tenant != tenant {
        return Err(Refused::WrongTenant(head.tenant));
    }
    Ok(head)
}

fn body(payload: &[u8], head: Head, now: Timestamp, agent_version: &str) -> Result<Bundle, Refused> {
    if now >= head.expires || head.issued >= head.expires {
        return Err(Refused::Expired(head.expires));
    }
    if !is_at_least(agent_version, &head.minimum_agent) {
        return Err(Refused::AgentTooOld(head.minimum_agent));
    }
    let bundle: Bundle = serde_json::from_slice(payload).map_err(unreadable)?;
    // A rule that misses its own examples would be trusted and find nothing.
    wardkeep_redaction::RuleSet::builtin_with(&bundle.redaction)?;
    crate::agents::subagents::check(&bundle.agents)?;
    crate::bundle::egress::check(&bundle.egress, &bundle.agents)?;
    crate::adapters::check(&bundle.adapters)?;
    bundle.llm.check()?;
    budgets::check(&bundle.budgets, bundle.agents.iter().map(|agent| &agent.name), &bundle.llm)?;
    crate::containers::check(&bundle.images)?;
    crate::limits::check(&bundle.runs, bundle.agents.iter().map(|agent| &agent.name))?;
    Ok(bundle)
}

/// The fields that decide whether the rest is read.
#[derive(Deserialize)]
struct Head {
    format: u32,
    tenant: TenantId,
    version: u64,
    #[serde(default)]
    previous: Option<Digest>,
    issued: Timestamp,
    expires: Timestamp,
    minimum_agent: String,
}

fn check_succession(head: &Head, digest: Digest, seen: Option<(u64, Digest)>) -> Result<(), Refused> {
    // Version 0 is the built-in strict bundle; it never travels.
    let (seen, seen_digest) = match seen {
        Some((version, digest)) => (version, Some(digest)),
        None => (0, None),
    };
    if head.version < seen || head.version == 0 {
        return Err(Refused::Rollback { seen, got: head.version });
    }
    if head.version == seen && seen_digest != Some(digest) {
        return Err(Refused::SameVersion(seen));
    }
    let follows = head.version.checked_sub(1) == Some(seen);
    if follows && seen_digest.is_some() && head.previous.is_some() && head.previous != seen_digest {
        return Err(Refused::BrokenChain(head.version));
    }
    Ok(())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

fn seal(payload_type: &str, payload: &[u8], key: &Ed25519KeyPair) -> Vec<u8> {
    let sig = key.sign(&pre_authentication(payload_type, payload));
    let envelope = Envelope {
        payload_type: payload_type.to_owned(),
        payload: data_encoding::BASE64.encode(payload),
        signatures: vec![Signature {
            keyid: key_id(key.public_key().as_ref()),
            sig: data_encoding::BASE64.encode(sig.as_ref()),
        }],
    };
    serde_json::to_vec(&envelope).expect("an envelope is plain JSON")
}

/// The payload, once one listed key has signed it for this type.
fn open(payload_type: &str, envelope: &[u8], keys: &[(String, [u8; 32])]) -> Result<Vec<u8>, Refused> {
    if envelope.len() > MAX_ENVELOPE_BYTES {
        return Err(Refused::TooLarge);
    }
    let envelope: Envelope = serde_json::from_slice(envelope).map_err(|_| Refused::NotAnEnvelope)?;
    if envelope.payload_type != payload_type {
        return Err(Refused::PayloadType);
    }
    if envelope.signatures.is_empty() {
        return Err(Refused::Unsigned);
    }
    if envelope.signatures.len() > MAX_KEYS {
        return Err(Refused::TooLarge);
    }
    let payload = data_encoding::BASE64.decode(envelope.payload.as_bytes()).map_err(|_| Refused::NotAnEnvelope)?;
    let signed = pre_authentication(payload_type, &payload);
    let mut refusal = Refused::UnknownKey;
    for signature in &envelope.signatures {
        for (_, public) in keys.iter().filter(|(id, _)| *id == signature.keyid) {
            refusal = Refused::BadSignature;
            let Ok(sig) = data_encoding::BASE64.decode(signature.sig.as_bytes()) else { continue };
            if UnparsedPublicKey::new(&ED25519, public).verify(&signed, &sig).is_ok() {
                return Ok(payload);
            }
        }
    }
    Err(refusal)
}

/// DSSE's pre-authentication encoding: the signed bytes name their own type and length.
fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {} {} ", payload_type.len(), payload_type, payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// Whether version `have` is `need` or newer; a version that cannot be read is not.
fn is_at_least(have: &str, need: &str) -> bool {
    let parts = |text: &str| -> Option<[u64; 3]> {
        let core = text.split(['-', '+']).next()?;
        let parts: Vec<u64> = core.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        parts.try_into().ok()
    };
    matches!((parts(have), parts(need)), (Some(have), Some(need)) if have >= need)
}

fn unreadable(error: serde_json::Error) -> Refused {
    Refused::Unreadable(error.to_string())
}

#[cfg(test)]
mod tests;
