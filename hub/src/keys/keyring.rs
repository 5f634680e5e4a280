//! The keys that sign online, as the newest key list says: read when they are used, so that every process of a hub changes
//! over in the moment in which a list is stored.

use std::sync::Arc;

use wardkeep_policy::signed::{Key, KeyList, key_id};
use wardkeep_proto::chance::{self, Chance};
use wardkeep_proto::time::Timestamp;
use zeroize::Zeroizing;

use super::{BundleKey, DecisionKey, KeysError, ed25519, opened, place, public_of};
use crate::seal::Sealer;
use crate::store::Store;
use crate::store::keys::{StoredKey, StoredKeyList};

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Bundles.
    Bundle,
    /// Decisions on approvals.
    Decision,
}

impl Purpose {
    /// The row of the first key; later ones have their id behind it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Decision => "decision",
        }
    }
}

/// The keys in a database; cheap to clone.
#[derive(Clone)]
pub struct KeyRing {
    store: Store,
    sealer: Arc<Sealer>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyRing(..)")
    }
}

/// The newest list, verified, with its envelope.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What it says.
    pub list: KeyList,
    /// As the root signed it.
    pub envelope: Vec<u8>,
    /// Public key of the root.
    pub root: [u8; 32],
}

impl KeyRing {
    /// The keys in `store`, opened with `sealer`.
    #[must_use]
    pub const fn new(store: Store, sealer: Arc<Sealer>) -> Self {
        Self { store, sealer }
    }

    /// The newest list.
    ///
    /// # Errors
    /// [`KeysError::NotInitialised`]; a row that the root did not sign.
    pub async fn listed(&self) -> Result<Listed, KeysError> {
        let StoredKeyList { root_public, envelope, .. } =
            self.store.key_list().await?.ok_or(KeysError::NotInitialised)?;
        let root = root_public.as_slice().try_into().map_err(|_| KeysError::Broken("root"))?;
        let list = KeyList::verify(&envelope, &root, None).map_err(|_| KeysError::Broken("key list"))?;
        Ok(Listed { list, envelope, root })
    }

    /// The key that signs bundles: the first listed one that is held here.
    ///
    /// # Errors
    /// [`KeysError::NotHeld`] and the reasons of opening it.
    pub async fn bundle(&self) -> Result<BundleKey, KeysError> {
        let listed = self.listed().await?.list.keys;
        Ok(BundleKey(ed25519(&self.first(Purpose::Bundle, &listed).await?, "bundle")?))
    }

    /// The key that signs decisions: as for bundles, or the one of `init` while none is listed.
    ///
    /// # Errors
    /// [`KeysError::NotHeld`] and the reasons of opening it.
    pub async fn decision(&self) -> Result<DecisionKey, KeysError> {
        let mut listed = self.listed().await?.list.decision;
        if listed.is_empty() {
            listed.push(self.pinned().await?);
        }
        Ok(DecisionKey(ed25519(&self.first(Purpose::Decision, &listed).await?, "decision")?))
    }

    /// The decision key that tenants pin at enrolment while none is listed.
    ///
    /// # Errors
    /// [`KeysError::NotInitialised`].
    pub async fn pinned(&self) -> Result<Key, KeysError> {
        let first = self.store.key("decision").await?.ok_or(KeysError::NotInitialised)?;
        entry(&first).ok_or(KeysError::Broken("decision"))
    }

    /// Id of the bundle key of `init`.
    ///
    /// # Errors
    /// [`KeysError::NotInitialised`].
    pub async fn first_id(&self) -> Result<String, KeysError> {
        let first = self.store.key("bundle").await?.ok_or(KeysError::NotInitialised)?;
        Ok(key_id(&first.public))
    }

    /// The public halves of all keys that are held here.
    ///
    /// # Errors
    /// The database.
    pub async fn held(&self, purpose: Purpose) -> Result<Vec<Key>, KeysError> {
        Ok(self.store.keys_of(purpose.as_str()).await?.iter().filter_map(entry).collect())
    }

    /// Makes a key that is held here, and counts for nothing until a list names it.
    ///
    /// # Errors
    /// Sealing and storing.
    pub async fn add(&self, purpose: Purpose, now: Timestamp, chance: &dyn Chance) -> Result<Key, KeysError> {
        let seed = Zeroizing::new(chance::bytes::<32>(chance));
        let public = public_of(&ed25519(seed.as_slice(), purpose.as_str())?);
        let name = format!("{}:{}", purpose.as_str(), key_id(&public));
        let sealed = self.sealer.seal(place(&name), seed.as_slice(), chance)?;
        self.store.put_key(StoredKey { name, public: public.to_vec(), sealed }, now).await?;
        Ok(Key::new(&public))
    }

    /// Stores a newer list that the root signed; every process of the hub goes by it from then on.
    ///
    /// # Errors
    /// [`KeysError::List`]: another root, an older list, another one of the same version.
    /// [`KeysError::NotHeld`]: none of its keys is held here, so this hub could sign nothing.
    pub async fn install(&self, envelope: Vec<u8>, now: Timestamp) -> Result<KeyList, KeysError> {
        let Listed { list: seen, root, .. } = self.listed().await?;
        let list = KeyList::verify(&envelope, &root, Some(&seen)).map_err(KeysError::List)?;
        if list == seen {
            return Ok(list);
        }
        self.first(Purpose::Bundle, &list.keys).await?;
        if !list.decision.is_empty() {
            self.first(Purpose::Decision, &list.decision).await?;
        }
        let stored = StoredKeyList { version: list.version, root_public: root.to_vec(), envelope };
        if self.store.put_newer_key_list(stored, now).await? { Ok(list) } else { Err(KeysError::Taken) }
    }

    async fn first(&self, purpose: Purpose, listed: &[Key]) -> Result<Zeroizing<Vec<u8>>, KeysError> {
        let held = self.store.keys_of(purpose.as_str()).await?;
        let find = |key: &Key| held.iter().find(|held| entry(held).as_ref() == Some(key));
        let first = listed.iter().find_map(find).ok_or(KeysError::NotHeld(purpose.as_str()))?;
        opened(&self.sealer, first)
    }
}

fn entry(key: &StoredKey) -> Option<Key> {
    Some(Key::new(&key.public.as_slice().try_into().ok()?))
}
