//! The next list of keys: pure, and unsigned until the root signs it.

use ring::signature::Ed25519KeyPair;
use wardkeep_policy::signed::{Key, KeyList, Refused};
use zeroize::Zeroizing;

use super::{KeysError, Purpose, RootSeed, ed25519, public_of};

/// Whether keys that are listed already stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// Both count until the old ones are revoked.
    Stay,
    /// What they signed counts no more.
    Go,
}

/// Why there is no such list.
#[derive(Debug, thiserror::Error)]
pub enum NoList {
    /// Nothing of that id is listed.
    #[error("no listed key has the id {0}; see `wardkeep-hub keys list`")]
    Unknown(String),
    /// It is the only one.
    #[error("{0} is the only listed key that signs {1}s; rotate first")]
    Only(String, &'static str),
    /// The result cannot be used.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// `list` with `key` in the first place: the one that signs. `pinned` is the decision key of enrolment.
///
/// # Errors
/// [`NoList::Refused`]: too many keys, or it is listed already.
pub fn with(list: &KeyList, purpose: Purpose, key: Key, pinned: &Key, old: Old) -> Result<KeyList, NoList> {
    let mut next = KeyList { version: list.version + 1, ..list.clone() };
    let keys = match purpose {
        Purpose::Bundle => &mut next.keys,
        Purpose::Decision => {
            if next.decision.is_empty() {
                next.decision.push(pinned.clone());
            }
            &mut next.decision
        }
    };
    if old == Old::Go {
        keys.clear();
    }
    keys.insert(0, key);
    next.check()?;
    Ok(next)
}

/// `list` without the key `id`.
///
/// # Errors
/// [`NoList`]: it is not listed, or the only one of its purpose.
pub fn without(list: &KeyList, id: &str, pinned: &Key) -> Result<KeyList, NoList> {
    let mut next = KeyList { version: list.version + 1, ..list.clone() };
    let only = |purpose: Purpose| NoList::Only(id.to_owned(), purpose.as_str());
    for (old, new, purpose) in
        [(&list.keys, &mut next.keys, Purpose::Bundle), (&list.decision, &mut next.decision, Purpose::Decision)]
    {
        new.retain(|key| key.id != id);
        if new.is_empty() && !old.is_empty() {
            return Err(only(purpose));
        }
    }
    if next.keys.len() + next.decision.len() < list.keys.len() + list.decision.len() {
        return Ok(next);
    }
    if list.decision.is_empty() && pinned.id == id {
        return Err(only(Purpose::Decision));
    }
    Err(NoList::Unknown(id.to_owned()))
}

impl RootSeed {
    /// From the text of `root.key`.
    ///
    /// # Errors
    /// [`KeysError::Broken`]: not 64 hex digits.
    pub fn from_text(text: &str) -> Result<Self, KeysError> {
        Ok(Self(seed(text, "root")?))
    }

    /// 32 bytes.
    ///
    /// # Errors
    /// [`KeysError::Broken`].
    pub fn public(&self) -> Result<[u8; 32], KeysError> {
        Ok(public_of(&self.pair()?))
    }

    /// The envelope over `list`.
    ///
    /// # Errors
    /// [`KeysError::Broken`], and [`KeysError::List`] where no daemon would take it.
    pub fn sign(&self, list: &KeyList) -> Result<Vec<u8>, KeysError> {
        list.check().map_err(KeysError::List)?;
        Ok(list.sign(&self.pair()?))
    }

    fn pair(&self) -> Result<Ed25519KeyPair, KeysError> {
        ed25519(self.0.as_slice(), "root")
    }
}

/// A seed as key files have it: 64 hex digits and a line end.
pub(super) fn seed(text: &str, name: &'static str) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    let bytes = Zeroizing::new(data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).unwrap_or_default());
    Ok(Zeroizing::new(bytes.as_slice().try_into().map_err(|_| KeysError::Broken(name))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> Key {
        Key::new(&[seed; 32])
    }

    #[test]
    fn the_newest_key_stands_first_and_the_last_one_stays() {
        let first = KeyList { version: 1, keys: vec![key(1)], decision: Vec::new() };
        let pinned = key(9);
        assert!(matches!(without(&first, &key(1).id, &pinned), Err(NoList::Only(..))), "the only one for bundles");
        assert!(matches!(without(&first, &pinned.id, &pinned), Err(NoList::Only(..))), "the only one for decisions");
        assert!(matches!(without(&first, "x", &pinned), Err(NoList::Unknown(_))));
        assert!(matches!(with(&first, Purpose::Bundle, key(1), &pinned, Old::Stay), Err(NoList::Refused(_))), "twice");
        assert!(
            matches!(with(&first, Purpose::Decision, key(1), &pinned, Old::Stay), Err(NoList::Refused(_))),
            "for both"
        );
        let both = with(&first, Purpose::Bundle, key(2), &pinned, Old::Stay).expect("a list");
        assert_eq!((both.version, both.keys.clone()), (2, vec![key(2), key(1)]));
        let one = without(&both, &key(1).id, &pinned).expect("a list");
        assert_eq!((one.version, one.keys.clone()), (3, vec![key(2)]));
        let decision = with(&one, Purpose::Decision, key(3), &pinned, Old::Stay).expect("a list");
        assert_eq!(decision.decision, [key(3), pinned.clone()], "the pinned one counts beside it");
        assert_eq!(without(&decision, &pinned.id, &pinned).expect("a list").decision, [key(3)]);
        assert_eq!(with(&one, Purpose::Decision, key(3), &pinned, Old::Go).expect("a list").decision, [key(3)]);
        assert_eq!(with(&first, Purpose::Bundle, key(2), &pinned, Old::Go).expect("a list").keys, [key(2)]);
    }
}
