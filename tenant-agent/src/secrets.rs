//! The vault as the gates see it: opened when its key is there, closed with a name when not, and never ahead of redaction.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use wardkeep_policy::Closed;
use wardkeep_proto::chance::{Chance, bytes};
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::{Destination, NotGiven, SecretSource, SecretValue};
use wardkeep_proto::time::Clock;
use wardkeep_redaction::{BuildError, Engine, RuleSet, Secret, Shared};
use wardkeep_safety::PostureBook;
use wardkeep_vault::{KeySource, OpenError, Vault, VaultError};
use zeroize::Zeroizing;

use crate::channel::chain;
use crate::state::{read, write_private};

/// Where the vault is and what it feeds.
pub struct VaultBook {
    path: PathBuf,
    key: KeySource,
    clock: Arc<dyn Clock>,
    vault: ArcSwapOption<Vault>,
    redaction: Shared,
    tag_key: Zeroizing<[u8; 32]>,
    posture: PostureBook,
    /// The vault generation that `redaction` covers; held while the index is rebuilt.
    covered: Mutex<Covered>,
}

#[derive(Default)]
struct Covered {
    generation: Option<u64>,
    locked_because: Option<String>,
}

/// The key of the redaction tags cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TagKeyError {
    /// The disk.
    #[error("cannot access {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Not 32 bytes.
    #[error("{0} is damaged; remove it, and placeholders of unnamed secrets will change once")]
    Damaged(PathBuf),
}

/// The key by which redaction tags are made; made on first use.
///
/// # Errors
/// Both of [`TagKeyError`].
pub fn tag_key(path: PathBuf, chance: &dyn Chance) -> Result<Zeroizing<[u8; 32]>, TagKeyError> {
    let file = |source| TagKeyError::File { path: path.clone(), source };
    if let Some(stored) = read(&path).map_err(file)? {
        let stored = Zeroizing::new(stored);
        return <[u8; 32]>::try_from(stored.as_slice()).map(Zeroizing::new).map_err(|_| TagKeyError::Damaged(path));
    }
    let key = Zeroizing::new(bytes::<32>(chance));
    write_private(&path, key.as_slice()).map_err(file)?;
    Ok(key)
}

/// An engine that knows the shipped patterns and no value.
///
/// # Errors
/// What the redaction crate says.
pub fn patterns_only(tag_key: &[u8; 32]) -> Result<Engine, BuildError> {
    Engine::build(std::iter::empty::<Secret<'_>>(), &RuleSet::builtin(), *tag_key)
}

/// What the book is made of.
pub struct VaultParts {
    /// The vault's file.
    pub path: PathBuf,
    /// Where its key comes from.
    pub key: KeySource,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The index to keep current.
    pub redaction: Shared,
    /// The key of the index's tags.
    pub tag_key: Zeroizing<[u8; 32]>,
    /// Where "vault-locked" is set and taken back.
    pub posture: PostureBook,
}

impl VaultBook {
    /// A book whose vault is not opened yet; call [`Self::refresh`].
    #[must_use]
    pub fn new(parts: VaultParts) -> Self {
        let VaultParts { path, key, clock, redaction, tag_key, posture } = parts;
        let (vault, covered) = (ArcSwapOption::empty(), Mutex::default());
        Self { path, key, clock, vault, redaction, tag_key, posture, covered }
    }

    /// Opens the vault if it is closed, and brings the redaction index up to its generation. Blocks; cheap when nothing
    /// changed. Called each second and by a nudge.
    pub fn refresh(&self) {
        let mut covered = self.covered.lock().unwrap_or_else(PoisonError::into_inner);
        match self.try_refresh(&mut covered) {
            Ok(()) => {
                if covered.locked_because.take().is_some() {
                    tracing::info!("the vault is open");
                }
                self.posture.reopen(Closed::VaultLocked);
                self.posture.reopen(Closed::VaultUnread);
            }
            Err(error) => {
                let why = chain(&*error);
                self.posture.close(Closed::VaultLocked);
                if covered.generation.is_none() {
                    self.posture.close(Closed::VaultUnread);
                }
                // Also when only the index could not be built: a value that redaction does not know is not given.
                self.vault.store(None);
                if covered.locked_because.as_ref() != Some(&why) {
                    tracing::error!(why, "the vault is locked");
                    covered.locked_because = Some(why);
                }
            }
        }
    }

    /// Why the vault is locked; `None` while it is open.
    #[must_use]
    pub fn locked_because(&self) -> Option<String> {
        self.covered.lock().unwrap_or_else(PoisonError::into_inner).locked_because.clone()
    }

    fn try_refresh(&self, covered: &mut Covered) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let vault = match self.vault.load_full() {
            // A file that was moved away must not be served from memory for ever.
            Some(_) if !self.path.exists() => {
                self.vault.store(None);
                return Err(Box::new(OpenError::NotFound(self.path.clone())));
            }
            Some(vault) => vault,
            None => Arc::new(Vault::open(&self.path, &self.key, self.clock.clone())?),
        };
        let generation = vault.generation()?;
        if covered.generation != Some(generation) {
            let values = vault.every_value()?;
            let secrets = values.iter().map(|(name, value)| Secret::new(name.as_str(), value.expose()));
            self.redaction.replace(Engine::build(secrets, &RuleSet::builtin(), *self.tag_key)?);
            covered.generation = Some(generation);
            tracing::info!(secrets = values.len(), "the redaction index covers the vault");
        }
        // Only now may a value be given: redaction knows it.
        self.vault.store(Some(vault));
        Ok(())
    }

    fn current(&self) -> Result<Arc<Vault>, NotGiven> {
        let vault = self.vault.load_full().ok_or(NotGiven::Locked)?;
        let generation = vault.generation().map_err(|_: VaultError| NotGiven::Unreadable)?;
        // A secret set a moment ago by the CLI must be in the index before its value is given to anybody.
        if self.covered.lock().unwrap_or_else(PoisonError::into_inner).generation != Some(generation) {
            self.refresh();
            return self.vault.load_full().ok_or(NotGiven::Locked);
        }
        Ok(vault)
    }
}

impl SecretSource for VaultBook {
    fn resolve(&self, name: &SecretName, to: Destination<'_>) -> Result<SecretValue, NotGiven> {
        self.current()?.resolve(name, to)
    }

    fn every_value(&self) -> Result<Vec<(SecretName, SecretValue)>, NotGiven> {
        self.current()?.every_value()
    }
}

#[cfg(test)]
mod tests;
