//! The list of online keys, which only the offline root signs.

use ring::signature::Ed25519KeyPair;
use serde::{Deserialize, Serialize};

use super::{KEYS_TYPE, MAX_KEYS, Refused, key_id, open, seal, unreadable};

/// The online keys that may sign, itself signed by the offline root key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyList {
    /// Grows by each change; a lower one is refused.
    pub version: u64,
    /// Those that may sign bundles. A hub signs with the first of them that it holds.
    pub keys: Vec<Key>,
    /// Those that may sign decisions; with none it is the one that was pinned at enrolment. Daemons of before this member
    /// refuse a list that has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decision: Vec<Key>,
}

/// One online key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// [`key_id`] of `public`.
    pub id: String,
    /// 32 bytes in standard base64.
    pub public: String,
}

impl Key {
    /// The entry for a public key.
    #[must_use]
    pub fn new(public: &[u8; 32]) -> Self {
        Self { id: key_id(public), public: data_encoding::BASE64.encode(public) }
    }

    /// The public key, if it is one.
    #[must_use]
    pub fn bytes(&self) -> Option<[u8; 32]> {
        data_encoding::BASE64.decode(self.public.as_bytes()).ok()?.try_into().ok()
    }
}

impl KeyList {
    /// Opens a key list's envelope with the root key pinned at enrolment.
    ///
    /// `seen`: the newest list ever accepted, none before the first.
    ///
    /// # Errors
    /// [`Refused`]; the caller keeps the list it has.
    pub fn verify(envelope: &[u8], root_public: &[u8; 32], seen: Option<&Self>) -> Result<Self, Refused> {
        let payload = open(KEYS_TYPE, envelope, &[(key_id(root_public), *root_public)])?;
        let list: Self = serde_json::from_slice(&payload).map_err(unreadable)?;
        let newest = seen.map_or(0, |seen| seen.version);
        if list.version < newest || list.version == 0 {
            return Err(Refused::Rollback { seen: newest, got: list.version });
        }
        if seen.is_some_and(|seen| seen.version == list.version && *seen != list) {
            return Err(Refused::SameVersion(newest));
        }
        list.check()?;
        Ok(list)
    }

    /// Whether it can be used at all.
    ///
    /// # Errors
    /// [`Refused::Unreadable`]: no key for bundles, too many, an id that is not its key's, or a key for both.
    pub fn check(&self) -> Result<(), Refused> {
        let sound = |key: &Key| key.bytes().is_some_and(|public| key_id(&public) == key.id);
        let all = || self.keys.iter().chain(&self.decision);
        let twice = all().enumerate().any(|(at, key)| all().take(at).any(|other| other.id == key.id));
        if self.keys.is_empty() || all().count() > MAX_KEYS || twice || !all().all(sound) {
            let why = "the list of keys is empty, too long, names a key wrongly or twice";
            return Err(Refused::Unreadable(why.to_owned()));
        }
        Ok(())
    }

    /// The keys of which one must have signed a decision; `pinned` is the one of enrolment.
    #[must_use]
    pub fn decision_keys(&self, pinned: &[u8; 32]) -> Vec<[u8; 32]> {
        if self.decision.is_empty() { vec![*pinned] } else { self.decision.iter().filter_map(Key::bytes).collect() }
    }

    /// Signs the list with the offline root key.
    #[must_use]
    pub fn sign(&self, root: &Ed25519KeyPair) -> Vec<u8> {
        let payload = serde_json_canonicalizer::to_vec(self).expect("a key list is plain JSON");
        seal(KEYS_TYPE, &payload, root)
    }
}
