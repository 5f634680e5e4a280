//! The vault as the gates see it: opened when its key is there, closed with a name when not, and never ahead of redaction.

mod tag;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use wardkeep_policy::{Bundle, Closed};
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::{Destination, KnownValue, NotGiven, SecretSource, SecretValue};
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_redaction::{Additions, BuildError, Engine, RuleSet, Secret, Shared, searchable};
use wardkeep_safety::PostureBook;
use wardkeep_vault::{Change, Glance, Key, KeySource, OpenError, REMIND_DAYS, Vault, VaultError};
use zeroize::Zeroizing;

use crate::channel::chain;

pub use tag::{TagKeyError, tag_key};

/// Between two looks at what ends soon.
const REMIND_EVERY: Duration = Duration::from_secs(60);

/// Where the vault is and what it feeds.
pub struct VaultBook {
    path: PathBuf,
    /// As configured.
    key: KeySource,
    /// Given by hand; wins while it is there.
    held: Mutex<Option<Arc<Key>>>,
    clock: Arc<dyn Clock>,
    vault: ArcSwapOption<Vault>,
    redaction: Shared,
    tag_key: Zeroizing<[u8; 32]>,
    posture: PostureBook,
    bundle: watch::Receiver<Arc<Bundle>>,
    /// What redaction cannot look for and so nobody gets.
    unmaskable: ArcSwap<BTreeSet<SecretName>>,
    /// The vault generation that `redaction` covers; held while the index is rebuilt.
    covered: Mutex<Covered>,
}

#[derive(Default)]
struct Covered {
    generation: Option<u64>,
    /// What the bundle adds to the shipped rules, as `redaction` has it.
    additions: Additions,
    locked_because: Option<String>,
    reminded: Option<Timestamp>,
}

/// An engine that knows the shipped patterns and no value.
///
/// # Errors
/// What the redaction crate says.
pub fn patterns_only(tag_key: &[u8; 32]) -> Result<Engine, BuildError> {
    Engine::build(std::iter::empty::<Secret<'_>>(), &RuleSet::builtin(), *tag_key)
}

/// The shipped rules and what the bundle adds. Its rules were tried when it was accepted.
fn rules(additions: &Additions) -> RuleSet {
    RuleSet::builtin_with(additions).unwrap_or_else(|error| {
        tracing::error!(error = chain(&error), "the bundle's redaction rules cannot be used; the shipped ones apply");
        RuleSet::builtin()
    })
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
    /// The policy, for what it adds to the shipped rules.
    pub bundle: watch::Receiver<Arc<Bundle>>,
}

/// What a person should know of the vault; names only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultFacts {
    /// It opens with its owner's passphrase, which is in no file.
    pub by_passphrase: bool,
    /// What ends within 14 days, or has ended.
    pub ending: Vec<Ending>,
    /// What redaction cannot look for and so nobody gets.
    pub unmaskable: Vec<SecretName>,
}

/// A piece of the vault's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The vault's name.
    pub id: String,
    /// The number of its last change.
    pub last: u64,
    /// Changes, oldest first.
    pub rows: Vec<Change>,
}

/// One secret that ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Which.
    pub name: SecretName,
    /// When it is given no more.
    pub at: Timestamp,
}

/// The vault cannot be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this vault opens with a key on this server, so locking it would not hold; `wardkeep-agent vault rekey --to-passphrase` \
     gives the key to its owner, `systemctl stop wardkeep-agent` stops everything"
)]
pub struct NotLockable;

impl VaultBook {
    /// A book whose vault is not opened yet; call [`Self::refresh`].
    #[must_use]
    pub fn new(parts: VaultParts) -> Self {
        let VaultParts { path, key, clock, redaction, tag_key, posture, bundle } = parts;
        let (held, vault, unmaskable, covered) =
            (Mutex::default(), ArcSwapOption::empty(), ArcSwap::default(), Mutex::default());
        Self { path, key, held, clock, vault, redaction, tag_key, posture, bundle, unmaskable, covered }
    }

    /// Opens the vault if it is closed, and brings the redaction index up to its generation. Blocks; cheap when nothing
    /// changed. Called each second and by a nudge.
    pub fn refresh(&self) {
        let mut covered = self.covered.lock().unwrap_or_else(PoisonError::into_inner);
        self.take_rules(&mut covered);
        match self.try_refresh(&mut covered) {
            Ok(()) => {
                if covered.locked_because.take().is_some() {
                    tracing::info!("the vault is open");
                }
                self.posture.reopen(Closed::VaultLocked);
                self.posture.reopen(Closed::VaultUnread);
                self.look_after(&mut covered);
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

    /// Takes the owner's key and opens the vault with it. It stays in memory until [`Self::lock`] or the end of the process.
    ///
    /// # Errors
    /// The key does not fit; nothing changes then.
    pub fn unlock(&self, key: Key) -> Result<(), OpenError> {
        let key = Arc::new(key);
        drop(Vault::open(&self.path, &KeySource::Held(key.clone()), self.clock.clone())?);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        self.refresh();
        Ok(())
    }

    /// Forgets the owner's key and closes the vault. The redaction index stays, so that what agents read goes on being
    /// redacted; `forget` gives that up, too, and with it every read.
    ///
    /// # Errors
    /// [`NotLockable`]: it would open again by itself.
    pub fn lock(&self, forget: Forget) -> Result<(), NotLockable> {
        if !Vault::has_passphrase(&self.path) {
            return Err(NotLockable);
        }
        // Under the lock of the index, so that no refresh under way brings either back.
        let mut covered = self.covered.lock().unwrap_or_else(PoisonError::into_inner);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.write_used();
        self.vault.store(None);
        self.posture.close(Closed::VaultLocked);
        if forget == Forget::Index {
            self.posture.close(Closed::VaultUnread);
            covered.generation = None;
            if let Ok(engine) = patterns_only(&self.tag_key) {
                self.redaction.replace(engine.with_rules(&rules(&covered.additions)));
            }
        }
        drop(covered);
        self.refresh();
        Ok(())
    }

    /// What a person should know.
    #[must_use]
    pub fn facts(&self) -> VaultFacts {
        let entries = self.vault.load().as_ref().and_then(|vault| vault.list().ok()).unwrap_or_default();
        let soon = self.clock.now().plus(Duration::from_secs(u64::from(REMIND_DAYS[0]) * 24 * 60 * 60));
        let ending = |name, at: Option<Timestamp>| at.filter(|at| *at <= soon).map(|at| Ending { name, at });
        VaultFacts {
            by_passphrase: Vault::has_passphrase(&self.path),
            ending: entries.into_iter().filter_map(|entry| ending(entry.name, entry.expires)).collect(),
            unmaskable: self.unmaskable.load().iter().cloned().collect(),
        }
    }

    /// The open vault's journal after `told`; `None` while it is closed or cannot be read.
    #[must_use]
    pub fn journal_after(&self, told: u64, most: u32) -> Option<Journal> {
        let vault = self.vault.load_full()?;
        let (id, last) = vault.journal_head().ok()?;
        let rows = if told < last { vault.changes_after(told, most).ok()? } else { Vec::new() };
        Some(Journal { id, last, rows })
    }

    /// Whether the open vault's journal ends with this change of a vault of this name. Blocks for a look at the file at most, while
    /// nobody writes it.
    #[must_use]
    pub fn journal_ends_with(&self, told: &(String, u64)) -> bool {
        self.vault.load_full().and_then(|vault| vault.journal_head().ok()).is_some_and(|head| head == *told)
    }

    /// The moment, by the vault's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Gives the open vault another name in the audit log.
    ///
    /// # Errors
    /// It is closed, or SQLite refused.
    pub fn rename(&self, id: &str) -> Result<(), VaultError> {
        self.vault.load_full().ok_or(VaultError::Replaced)?.rename(id)
    }

    /// Writes when secrets were last used, before the end.
    pub fn write_used(&self) {
        if let Some(vault) = self.vault.load_full()
            && let Err(error) = vault.write_used(true)
        {
            tracing::warn!(error = chain(&error), "when secrets were last used is not written");
        }
    }

    /// Redacts by the bundle's rules, also while the vault is locked: its values stay as covered as they were.
    fn take_rules(&self, covered: &mut Covered) {
        let bundle = self.bundle.borrow().clone();
        // The strict bundle steps in for a policy that ended or cannot be read, and says nothing about redaction. What
        // was redacted yesterday must not leave because of it.
        if bundle.version == 0 || bundle.redaction == covered.additions {
            return;
        }
        self.redaction.replace(self.redaction.load().with_rules(&rules(&bundle.redaction)));
        covered.additions = bundle.redaction.clone();
        tracing::info!(version = bundle.version, "redaction follows the rules of the bundle");
    }

    fn try_refresh(&self, covered: &mut Covered) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let vault = match self.vault.load_full() {
            // A file that was moved away or exchanged must not be served from memory for ever.
            Some(vault) if vault.is_current() => vault,
            _ => {
                self.vault.store(None);
                Arc::new(self.open()?)
            }
        };
        let generation = vault.generation()?;
        if covered.generation != Some(generation) {
            self.index(&vault.every_value()?)?;
            covered.generation = Some(generation);
        }
        // Only now may a value be given: redaction knows it.
        self.vault.store(Some(vault));
        Ok(())
    }

    fn open(&self) -> Result<Vault, OpenError> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(key) = held {
            match Vault::open(&self.path, &KeySource::Held(key), self.clock.clone()) {
                // It was given another key meanwhile, perhaps one on this server.
                Err(OpenError::WrongKey(_) | OpenError::WrongPassphrase(_)) => {}
                opened => return opened,
            }
        }
        Vault::open(&self.path, &self.key, self.clock.clone())
    }

    /// With the rules that redaction has now: those of [`Self::take_rules`].
    fn index(&self, values: &[KnownValue]) -> Result<(), BuildError> {
        let (mut seen, mut unmaskable) = (BTreeSet::new(), BTreeSet::new());
        let mut secrets = Vec::with_capacity(values.len());
        for KnownValue { name, value, beside } in values {
            let present = seen.insert(name);
            match searchable(value.expose()) {
                // One value that no index can hold must not keep all the others from being redacted.
                Err(why) if beside.is_none() => {
                    if present {
                        tracing::warn!(%name, %why, "a secret cannot be masked and so is given to nobody");
                        unmaskable.insert(name.clone());
                    }
                }
                _ => secrets.push(Secret { name: name.as_str(), value: value.expose(), beside: beside.as_deref() }),
            }
        }
        tracing::info!(secrets = secrets.len(), "the redaction index covers the vault");
        self.redaction.replace(self.redaction.load().with_secrets(secrets)?);
        self.unmaskable.store(Arc::new(unmaskable));
        Ok(())
    }

    /// What is written beside: when secrets were used, and what ends soon. Neither keeps the vault from being used.
    fn look_after(&self, covered: &mut Covered) {
        let Some(vault) = self.vault.load_full() else { return };
        if let Err(error) = vault.write_used(false) {
            tracing::warn!(error = chain(&error), "when secrets were last used is not written");
        }
        let now = self.clock.now();
        if covered.reminded.is_some_and(|at| now >= at && now.since(at) < REMIND_EVERY) {
            return;
        }
        covered.reminded = Some(now);
        if let Err(error) = vault.remind() {
            tracing::warn!(error = chain(&error), "reminders of ending secrets are not written");
        }
    }

    /// The vault, covered by the index as it looks at this moment; without the look where it had to be opened or read anew.
    fn current(&self) -> Result<(Arc<Vault>, Option<Glance>), NotGiven> {
        let vault = self.vault.load_full().ok_or(NotGiven::Locked)?;
        let glance = match vault.glance() {
            Ok(glance) => Some(glance),
            Err(VaultError::Replaced) => None,
            Err(_) => return Err(NotGiven::Unreadable),
        };
        let mut covered = self.covered.lock().unwrap_or_else(PoisonError::into_inner);
        self.take_rules(&mut covered);
        // A secret set a moment ago by the CLI must be in the index before its value is given to anybody.
        if glance.is_none() || covered.generation != glance.as_ref().map(Glance::generation) {
            drop(covered);
            self.refresh();
            return Ok((self.vault.load_full().ok_or(NotGiven::Locked)?, None));
        }
        Ok((vault, glance))
    }
}

/// How much a locked daemon forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// The key: nothing is given any more, reads go on and are redacted.
    Key,
    /// The index, too: nothing at all is allowed.
    Index,
}

impl SecretSource for VaultBook {
    fn resolve(&self, name: &SecretName, to: Destination<'_>) -> Result<SecretValue, NotGiven> {
        let (vault, glance) = self.current()?;
        if self.unmaskable.load().contains(name) {
            return Err(NotGiven::Unmaskable(name.clone()));
        }
        if let Some(given) = glance.and_then(|glance| vault.remembered(&glance, name, to)) {
            return given;
        }
        let given = vault.resolve(name, to)?;
        // The file was asked, and may have been written since it was looked at.
        self.current()?;
        Ok(given)
    }

    fn every_value(&self) -> Result<Vec<KnownValue>, NotGiven> {
        self.current()?.0.every_value()
    }

    fn catch_up(&self) {
        // A vault that is locked or unreadable is a state of its own, which others see.
        if self.current().is_err() {
            self.take_rules(&mut self.covered.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

#[cfg(test)]
mod tests;
