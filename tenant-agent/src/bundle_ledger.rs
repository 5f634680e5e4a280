//! The ledger of policy bundles on disk: what is in force, and the highest version ever seen.
//!
//! A bundle is verified, then stored, then activated. Stored means: the mark `seen.json` says which bundle is coming, the
//! envelope is replaced, the mark says that it came. So no envelope is ever without a mark, and one that is found without
//! is not trusted; a crash leaves the old envelope or exactly the one that was announced.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wardkeep_policy::signed::{Accepted, Expect, KeyList, Refused, verify};
use wardkeep_policy::{Bundle, Closed};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use crate::identity::{Identity, IdentityDir, IdentityError};
use crate::state::{read, write_private};

/// The version that bundles must not ask more than.
pub const AGENT_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The files of `bundle/` and the keys that may sign.
#[derive(Debug)]
pub struct BundleLedger {
    dir: PathBuf,
    identity: IdentityDir,
    tenant: TenantId,
    root_key: [u8; 32],
    keys: KeyList,
    seen: Option<Seen>,
    coming: Option<Seen>,
}

/// What `seen.json` holds.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Mark {
    /// Both files are written.
    Settled(Seen),
    /// The envelope is the one of `seen` or already the one of `coming`.
    Coming(Coming),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Coming {
    seen: Option<Seen>,
    coming: Seen,
}

/// The newest bundle ever accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Number of the desired configuration that brought it.
    pub generation: u64,
    /// Version of the bundle.
    pub version: u64,
    /// Digest of its signed bytes.
    pub digest: Digest,
}

/// What counts after a start.
#[derive(Clone, Debug, PartialEq)]
pub enum InForce {
    /// A stored bundle that verifies.
    Stored {
        /// The bundle.
        bundle: Box<Bundle>,
        /// Its place in the ledger.
        seen: Seen,
    },
    /// The strict built-in bundle, for this reason.
    Strict {
        /// The closed state.
        closed: Closed,
        /// Why, for people.
        why: String,
    },
}

/// A bundle that is on disk and may be activated.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Stored {
    /// The bundle.
    pub bundle: Bundle,
    /// Its place in the ledger.
    pub seen: Seen,
}

/// Why a desired configuration is not taken; the present one stays.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The policy crate refused it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The list of keys that came with it, or by itself, was refused.
    #[error("the list of keys is not taken")]
    Keys(#[source] Refused),
    /// It belongs to an older generation than the one in force.
    #[error("generation {got} is older than generation {seen}, which was accepted before")]
    OldGeneration {
        /// In force.
        seen: u64,
        /// Came in.
        got: u64,
    },
    /// The disk.
    #[error("cannot store the bundle in {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The identity directory.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The mark against rollback is unreadable, so no bundle can be trusted.
    #[error("{0} is damaged: nobody knows which bundle was the newest; `wardkeep-agent doctor` says what to do")]
    Damaged(PathBuf),
}

impl BundleLedger {
    /// Reads the mark and the key list.
    ///
    /// # Errors
    /// All of [`LedgerError`] but `OldGeneration`.
    pub fn open(dir: PathBuf, identity_dir: IdentityDir, identity: &Identity) -> Result<Self, LedgerError> {
        let envelope = identity_dir.read("keys.dsse")?.ok_or(Refused::Unsigned)?;
        let keys = KeyList::verify(&envelope, &identity.root_key, None).map_err(LedgerError::Keys)?;
        let mark = dir.join("seen.json");
        let (seen, coming) = match read(&mark).map_err(|source| LedgerError::File { path: mark.clone(), source })? {
            None => (None, None),
            Some(bytes) => match serde_json::from_slice(&bytes).map_err(|_| LedgerError::Damaged(mark))? {
                Mark::Settled(seen) => (Some(seen), None),
                Mark::Coming(Coming { seen, coming }) => (seen, Some(coming)),
            },
        };
        let (tenant, root_key) = (identity.tenant, identity.root_key);
        Ok(Self { dir, identity: identity_dir, tenant, root_key, keys, seen, coming })
    }

    /// The newest bundle ever accepted.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        self.seen
    }

    /// What counts now, and the mark brought up to it. For the daemon alone: whoever only looks asks [`Self::in_force`].
    #[must_use]
    pub fn take_up(&mut self, now: Timestamp) -> InForce {
        let in_force = self.in_force(now);
        if let InForce::Stored { seen, .. } = &in_force
            && self.seen != Some(*seen)
            && let Err(error) = self.settle(*seen)
        {
            tracing::warn!(%error, "the mark of the newest bundle could not be written");
        }
        in_force
    }

    /// What counts now, from disk alone; changes nothing.
    #[must_use]
    pub fn in_force(&self, now: Timestamp) -> InForce {
        let strict = |closed, why: String| InForce::Strict { closed, why };
        let path = self.dir.join("current.dsse");
        let envelope = match read(&path) {
            Ok(Some(envelope)) => envelope,
            Ok(None) if self.seen.is_none() => return strict(Closed::NoBundle, Closed::NoBundle.why().to_owned()),
            Ok(None) => return strict(Closed::BundleRefused, format!("{} is missing", path.display())),
            Err(error) => return strict(Closed::BundleRefused, format!("{} cannot be read: {error}", path.display())),
        };
        match self.verify(&envelope, now) {
            Ok(Accepted { bundle, digest }) => {
                let mut marked = [self.seen, self.coming].into_iter().flatten();
                let known = marked.find(|seen| seen.version == bundle.version && seen.digest == digest);
                let seen = match (known, self.seen) {
                    (Some(known), _) => known,
                    // Newer than the mark, and signed: not a rollback. The generation is not in the signed bytes.
                    (None, Some(Seen { generation, .. })) => Seen { generation, version: bundle.version, digest },
                    (None, None) => return strict(Closed::BundleRefused, self.unmarked()),
                };
                InForce::Stored { bundle: Box::new(bundle), seen }
            }
            Err(Refused::Expired(at)) => strict(Closed::BundleExpired, format!("the bundle expired at {at}")),
            Err(refused) => strict(Closed::BundleRefused, refused.to_string()),
        }
    }

    /// Verifies what the hub desires and puts it on disk. The same one again is accepted and changes nothing.
    ///
    /// # Errors
    /// All of [`LedgerError`]; what was in force stays.
    pub fn accept(&mut self, generation: u64, bundle: &[u8], now: Timestamp) -> Result<Stored, LedgerError> {
        if let Some(seen) = self.seen
            && generation < seen.generation
        {
            return Err(LedgerError::OldGeneration { seen: seen.generation, got: generation });
        }
        let Accepted { bundle: parsed, digest } = self.verify(bundle, now)?;
        let seen = Seen { generation, version: parsed.version, digest };
        let path = self.dir.join("current.dsse");
        if self.seen != Some(seen) || self.coming.is_some() || !path.exists() {
            self.mark(&Mark::Coming(Coming { seen: self.seen, coming: seen }))?;
            self.coming = Some(seen);
            write_private(&path, bundle).map_err(|source| LedgerError::File { path, source })?;
            self.settle(seen)?;
        }
        Ok(Stored { bundle: parsed, seen })
    }

    /// The list of keys in force.
    #[must_use]
    pub const fn keys(&self) -> &KeyList {
        &self.keys
    }

    /// Takes a newer list of keys, on disk before it counts; says whether it is another one than before. What is in force may
    /// not verify by it any more.
    ///
    /// # Errors
    /// [`LedgerError::Keys`], or the disk; the list that was stays.
    pub fn accept_keys(&mut self, envelope: &[u8]) -> Result<bool, LedgerError> {
        let keys = KeyList::verify(envelope, &self.root_key, Some(&self.keys)).map_err(LedgerError::Keys)?;
        if keys == self.keys {
            return Ok(false);
        }
        self.identity.write("keys.dsse", envelope)?;
        self.keys = keys;
        Ok(true)
    }

    fn verify(&self, envelope: &[u8], now: Timestamp) -> Result<Accepted, Refused> {
        let seen = self.seen.map(|seen| (seen.version, seen.digest));
        verify(envelope, &self.keys, &Expect { tenant: self.tenant, seen, now, agent_version: AGENT_VERSION })
    }

    fn settle(&mut self, seen: Seen) -> Result<(), LedgerError> {
        self.mark(&Mark::Settled(seen))?;
        (self.seen, self.coming) = (Some(seen), None);
        Ok(())
    }

    fn mark(&self, mark: &Mark) -> Result<(), LedgerError> {
        let path = self.dir.join("seen.json");
        let bytes = serde_json::to_vec(mark).map_err(io::Error::other);
        bytes.and_then(|bytes| write_private(&path, &bytes)).map_err(|source| LedgerError::File { path, source })
    }

    fn unmarked(&self) -> String {
        let (mark, envelope) = (self.dir.join("seen.json"), self.dir.join("current.dsse"));
        let (mark, envelope) = (mark.display(), envelope.display());
        format!("{mark} does not vouch for {envelope}: nobody knows whether that is the newest bundle")
    }
}

#[cfg(test)]
pub(crate) mod tests;
