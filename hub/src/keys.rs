//! The hub's keys: certificate authority, decision key, bundle key, and the list signed by the offline root.

use std::sync::Arc;

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use wardkeep_policy::signed::{Key, KeyList, Refused};
use wardkeep_proto::chance::{self, Chance};
use wardkeep_proto::time::Timestamp;
use zeroize::Zeroizing;

mod change;
mod keyring;

pub use change::{NoList, Old, with, without};
pub use keyring::{KeyRing, Listed, Purpose};

use crate::ca::{Ca, CaError};
use crate::seal::{Place, SealError, Sealer};
use crate::store::keys::{StoredKey, StoredKeyList};
use crate::store::{Store, StoreError};

/// Keys cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Nothing was made yet.
    #[error("this hub has no keys; run `wardkeep-hub init` first")]
    NotInitialised,
    /// There are keys, and they are never replaced by a new start.
    #[error("this hub has its keys already; they are never replaced by `init`")]
    Initialised,
    /// A stored key is not what it should be.
    #[error("the stored key {0} cannot be used")]
    Broken(&'static str),
    /// No key that is listed is held here.
    #[error("none of the listed keys that sign {0}s is held by this hub; see `wardkeep-hub keys list`")]
    NotHeld(&'static str),
    /// A list of keys that does not count.
    #[error("the list of keys does not count: {0}")]
    List(#[source] Refused),
    /// Somebody else was faster.
    #[error("another list of keys was installed meanwhile; begin again")]
    Taken,
    /// The seal did not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The authority.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Signs decisions on approvals. Tenants pin its public part at enrolment.
pub struct DecisionKey(Ed25519KeyPair);

impl std::fmt::Debug for DecisionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DecisionKey(..)")
    }
}

impl DecisionKey {
    /// Ed25519 over `text`, 64 bytes.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.0.sign(text).as_ref().to_vec()
    }

    /// 32 bytes.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }
}

/// Signs policy bundles. It is listed in the key list, which only the offline root can sign.
pub struct BundleKey(Ed25519KeyPair);

impl std::fmt::Debug for BundleKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BundleKey(..)")
    }
}

impl BundleKey {
    /// The DSSE envelope over a bundle's JSON bytes.
    #[must_use]
    pub fn seal(&self, bundle_json: &[u8]) -> Vec<u8> {
        wardkeep_policy::signed::sign(bundle_json, &self.0)
    }

    /// As key lists name it.
    #[must_use]
    pub fn listed(&self) -> Key {
        Key::new(&public_of(&self.0))
    }
}

/// The seed of a bundle key that no hub holds.
pub struct BundleSeed(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for BundleSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BundleSeed(..)")
    }
}

impl BundleSeed {
    /// A new key.
    #[must_use]
    pub fn new(chance: &dyn Chance) -> Self {
        Self(Zeroizing::new(chance::bytes::<32>(chance)))
    }

    /// From the text of a key file.
    ///
    /// # Errors
    /// [`KeysError::Broken`]: not 64 hex digits.
    pub fn from_text(text: &str) -> Result<Self, KeysError> {
        Ok(Self(change::seed(text, "bundle")?))
    }

    /// As written to a key file.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        hex_line(&self.0)
    }

    /// The key.
    ///
    /// # Errors
    /// [`KeysError::Broken`].
    pub fn key(&self) -> Result<BundleKey, KeysError> {
        Ok(BundleKey(ed25519(self.0.as_slice(), "bundle")?))
    }
}

/// The keys of a hub, open.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The certificate authority.
    pub ca: Arc<Ca>,
    /// What signs decisions and bundles.
    pub ring: KeyRing,
    /// Ed25519 public key of the offline root.
    pub root: [u8; 32],
}

/// The seed of the offline root key, to be moved off this machine.
pub struct RootSeed(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for RootSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootSeed(..)")
    }
}

impl RootSeed {
    /// A new root key.
    #[must_use]
    pub fn new(chance: &dyn Chance) -> Self {
        Self(Zeroizing::new(chance::bytes::<32>(chance)))
    }

    /// As written to `root.key`: 64 hex digits and a line end.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        hex_line(&self.0)
    }
}

fn hex_line(seed: &[u8; 32]) -> Zeroizing<String> {
    Zeroizing::new(format!("{}\n", data_encoding::HEXLOWER.encode(seed)))
}

impl Keys {
    /// Makes and stores the first keys and signs the first key list with `root`, which is not stored.
    ///
    /// # Errors
    /// [`KeysError::Initialised`] when there are keys; the reasons of sealing and storing.
    pub async fn make(
        store: &Store,
        sealer: &Sealer,
        root: &RootSeed,
        now: Timestamp,
        chance: &dyn Chance,
    ) -> Result<(), KeysError> {
        let mut stored = Vec::new();
        let ca = Ca::make(now, chance)?;
        stored.push(sealed(sealer, "ca", ca.certificate, &ca.key, chance)?);
        let mut bundle_public = [0; 32];
        for name in ["decision", "bundle"] {
            let seed = Zeroizing::new(chance::bytes::<32>(chance));
            let public = public_of(&ed25519(seed.as_slice(), name)?);
            if name == "bundle" {
                bundle_public = public;
            }
            stored.push(sealed(sealer, name, public.to_vec(), seed.as_slice(), chance)?);
        }
        let root = ed25519(root.0.as_slice(), "root")?;
        let envelope = KeyList { version: 1, keys: vec![Key::new(&bundle_public)], decision: Vec::new() }.sign(&root);
        let list = StoredKeyList { version: 1, root_public: public_of(&root).to_vec(), envelope };
        if !store.put_first_keys(stored, list, now).await? {
            return Err(KeysError::Initialised);
        }
        Ok(())
    }

    /// Opens the stored keys.
    ///
    /// # Errors
    /// [`KeysError::NotInitialised`] before `init`; wrong master key or damaged rows.
    pub async fn open(store: &Store, sealer: Sealer) -> Result<Self, KeysError> {
        let stored = store.key("ca").await?.ok_or(KeysError::NotInitialised)?;
        let ca = Ca::open(stored.public.clone(), &opened(&sealer, &stored)?)?;
        let ring = KeyRing::new(store.clone(), Arc::new(sealer));
        let root = ring.listed().await?.root;
        ring.decision().await?;
        Ok(Self { ca: Arc::new(ca), ring, root })
    }
}

const fn place(name: &str) -> Place<'_> {
    Place { table: "keys", row: name, column: "sealed" }
}

fn sealed(
    sealer: &Sealer,
    name: &str,
    public: Vec<u8>,
    private: &[u8],
    chance: &dyn Chance,
) -> Result<StoredKey, KeysError> {
    let sealed = sealer.seal(place(name), private, chance)?;
    Ok(StoredKey { name: name.to_owned(), public, sealed })
}

fn opened(sealer: &Sealer, key: &StoredKey) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    Ok(sealer.open_sealed(place(&key.name), &key.sealed)?)
}

fn ed25519(seed: &[u8], name: &'static str) -> Result<Ed25519KeyPair, KeysError> {
    Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeysError::Broken(name))
}

fn public_of(key: &Ed25519KeyPair) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(key.public_key().as_ref());
    out
}
