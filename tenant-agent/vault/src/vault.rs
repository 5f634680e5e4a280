//! The vault as its users see it.

mod calm;
mod glance;
mod rows;
mod upkeep;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, params};
use wardkeep_proto::chance::Chance;
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::{Destination, KnownValue, NotGiven, SecretSource, SecretValue};
use wardkeep_proto::time::{Clock, Timestamp};

use crate::binding::{Binding, Bindings};
use crate::error::{OpenError, VaultError};
use crate::journal::{self, Change, ChangeKind, Note};
use crate::key::passphrase::{self, Recipe};
use crate::key::{self, Key, KeyError, KeySource, Staged};
use crate::store::{self, FileId, Opened};
use crate::terms::{Context, Terms};

use calm::Calm;
pub use glance::Glance;
pub(crate) use rows::{Put, check_value, forget, is_present, parsed, put_value, set_bindings, set_expiry};
use rows::{horizon, known, retire};
use upkeep::Used;

/// How long a rotated or removed value is still redacted.
pub const GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Shortest value that is looked for everywhere, in bytes: masking anything shorter would destroy ordinary text.
pub const MIN_BYTES: usize = 8;
/// Shortest value with a context, in bytes.
pub const MIN_BYTES_BESIDE: usize = 4;
/// Longest value, in bytes; a certificate chain with its key is about 20 KiB.
pub const MAX_BYTES: usize = 64 * 1024;
/// A value of fewer different characters is a ruler, not a secret; masking it would hit drawings and rows of zeros.
pub(crate) const MIN_DIFFERENT: usize = 4;
/// Days before its end at which a person is told of a secret; each once.
pub const REMIND_DAYS: [u32; 3] = [14, 3, 0];

/// One secret without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: SecretName,
    /// Where it may go.
    pub bindings: Bindings,
    /// First set.
    pub created: Timestamp,
    /// Last set or bound.
    pub updated: Timestamp,
    /// Counts from 1 with each new value, also over a removal within the grace period.
    pub version: u64,
    /// Not given from then on.
    pub expires: Option<Timestamp>,
    /// Last given; written once a minute.
    pub used: Option<Timestamp>,
    /// Keywords beside which alone its value is looked for.
    pub context: Option<Context>,
}

/// The open vault. Every call does file work; from async code use `spawn_blocking`.
pub struct Vault {
    connection: Mutex<Connection>,
    path: PathBuf,
    file: FileId,
    key: Arc<Key>,
    clock: Arc<dyn Clock>,
    by: String,
    used: Mutex<Used>,
    calm: Mutex<Calm>,
}

impl Vault {
    /// Makes an empty vault at `path`, which must not exist, and opens it.
    ///
    /// # Errors
    /// [`OpenError::Exists`], [`OpenError::Leftover`], [`OpenError::Busy`], key and file errors.
    pub fn create(path: &Path, key: &KeySource, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let keys = key.read()?;
        if let Some(key) = keys.first() {
            store::create(path, key, || Ok(()))?;
        }
        Self::open(path, key, clock)
    }

    /// Makes an empty vault that opens with `passphrase`, and opens it.
    ///
    /// # Errors
    /// As [`Self::create`], and [`KeyError::Weak`].
    pub fn create_with_passphrase(
        path: &Path,
        passphrase: &SecretValue,
        clock: Arc<dyn Clock>,
        chance: &dyn Chance,
    ) -> Result<Self, OpenError> {
        passphrase::check(passphrase)?;
        let recipe = passphrase::recipe_path(path);
        let (made, text) = (Recipe::new(chance), || KeyError::Recipe(recipe.clone()));
        let key = made.key(passphrase).ok_or_else(text)?;
        let words = made.text().ok_or_else(text)?;
        store::create(path, &key, || Ok(Staged::write(&recipe, words.as_bytes()).map(drop)?))?;
        key::settle(&recipe).map_err(KeyError::io(&recipe))?;
        Self::open(path, &KeySource::Held(Arc::new(key)), clock)
    }

    /// Opens the vault at `path` and checks all of it.
    ///
    /// # Errors
    /// Every reason of [`OpenError`]; on none of them is anything written.
    pub fn open(path: &Path, key: &KeySource, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let opened = key.read().map_err(OpenError::from).and_then(|keys| store::open(path, &keys));
        let Opened { connection, file, key: fitted } = opened.map_err(|error| match (error, key) {
            (OpenError::WrongKey(path), KeySource::Held(_)) if passphrase::is_used(&path) => {
                OpenError::WrongPassphrase(path)
            }
            (OpenError::WrongKey(_) | OpenError::Key(KeyError::NotFound(_)), _)
                if passphrase::is_used(path) && path.exists() =>
            {
                OpenError::NeedsPassphrase(path.to_owned())
            }
            // A vault without its key must not send anybody to make another one.
            (OpenError::Key(KeyError::NotFound(key)), _) if path.exists() => {
                OpenError::NoKey { key, recipe: passphrase::recipe_path(path) }
            }
            (error, _) => error,
        })?;
        crate::rekey::tidy(path, file, key, &fitted);
        let by = format!("uid-{}", rustix::process::geteuid().as_raw());
        let (connection, path) = (Mutex::new(connection), path.to_owned());
        let (used, calm) = (Mutex::default(), Mutex::default());
        Ok(Self { connection, path, file, key: fitted, clock, by, used, calm })
    }

    /// The key that `passphrase` makes for the vault at `path`, which it opens to be sure.
    ///
    /// # Errors
    /// [`OpenError::WrongPassphrase`], and what [`Self::open`] says.
    pub fn unlock(path: &Path, passphrase: &SecretValue, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let keys = passphrase::keys(path, passphrase)?;
        let mut why = OpenError::WrongPassphrase(path.to_owned());
        for (recipe, key) in &keys {
            match Self::open(path, &KeySource::Held(key.clone()), clock.clone()) {
                Ok(vault) => {
                    crate::rekey::tidy_recipes(path, vault.file, recipe);
                    return Ok(vault);
                }
                Err(OpenError::WrongPassphrase(_) | OpenError::WrongKey(_)) => {}
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    /// Whether the vault at `path` opens with a passphrase, or did before an interrupted rekeying.
    #[must_use]
    pub fn has_passphrase(path: &Path) -> bool {
        passphrase::is_used(path)
    }

    /// The key that it was opened with.
    #[must_use]
    pub fn key(&self) -> Arc<Key> {
        self.key.clone()
    }

    /// Whether its path still names the file that was opened; rekeying gives the vault a new one.
    #[must_use]
    pub fn is_current(&self) -> bool {
        FileId::of(&self.path).ok() == Some(self.file)
    }

    /// Sets the value of `name`. A new secret gets `terms`; for an existing one they replace the old, and its old value
    /// stays redacted for [`GRACE`]. Setting the present value again makes no new version.
    ///
    /// # Errors
    /// The value is refused, or SQLite does.
    pub fn set(&self, name: &SecretName, value: &SecretValue, terms: &Terms) -> Result<u64, VaultError> {
        check_value(name, value, terms.context.as_ref())?;
        let now = self.clock.now();
        self.change(|db| {
            forget(db, now)?;
            let (version, _) = put_value(db, name, value, terms.context.as_ref(), now)?;
            set_expiry(db, name, terms.expires)?;
            set_bindings(db, name, &terms.bindings)?;
            let to: Vec<String> = terms.bindings.iter().map(ToString::to_string).collect();
            let note = Note { kind: ChangeKind::Set, name: Some(name), version: Some(version), note: &to.join(" ") };
            journal::append(db, now, &self.by, &note)?;
            Ok(version)
        })
    }

    /// Sets a new value of an existing secret and leaves its bindings alone. The end of the old value is not the new one's.
    ///
    /// # Errors
    /// [`VaultError::Unknown`], or the value is refused.
    pub fn rotate(
        &self,
        name: &SecretName,
        value: &SecretValue,
        context: Option<&Context>,
        expires: Option<Timestamp>,
    ) -> Result<u64, VaultError> {
        check_value(name, value, context)?;
        let now = self.clock.now();
        self.change(|db| {
            known(db, name)?;
            forget(db, now)?;
            let (version, _) = put_value(db, name, value, context, now)?;
            set_expiry(db, name, expires)?;
            let note = Note { kind: ChangeKind::Rotated, name: Some(name), version: Some(version), note: "" };
            journal::append(db, now, &self.by, &note)?;
            Ok(version)
        })
    }

    /// Changes the end of a secret.
    ///
    /// # Errors
    /// [`VaultError::Unknown`].
    pub fn expire(&self, name: &SecretName, at: Option<Timestamp>) -> Result<(), VaultError> {
        let now = self.clock.now();
        self.change(|db| {
            known(db, name)?;
            set_expiry(db, name, at)?;
            let text = at.map_or_else(|| "never".to_owned(), |at| at.to_string());
            let note = Note { kind: ChangeKind::Expiry, name: Some(name), version: None, note: &text };
            journal::append(db, now, &self.by, &note)
        })
    }

    /// Every secret without its value, by name.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn list(&self) -> Result<Vec<Entry>, VaultError> {
        rows::entries(&self.lock(), None)
    }

    /// One secret without its value.
    ///
    /// # Errors
    /// [`VaultError::Unknown`], or SQLite refused.
    pub fn show(&self, name: &SecretName) -> Result<Entry, VaultError> {
        rows::entries(&self.lock(), Some(name))?.pop().ok_or_else(|| VaultError::Unknown(name.clone()))
    }

    /// Every present value with what is known of it, by name.
    pub(crate) fn present(&self) -> Result<Vec<(Entry, SecretValue)>, VaultError> {
        let db = self.lock();
        let mut all = Vec::new();
        for entry in rows::entries(&db, None)? {
            if let Some((value, ..)) = rows::present(&db, &entry.name)? {
                all.push((entry, value));
            }
        }
        Ok(all)
    }

    /// What happened to one secret, oldest first; also to one that is gone.
    ///
    /// # Errors
    /// [`VaultError::Unknown`] when nothing ever did.
    pub fn history(&self, name: &SecretName) -> Result<Vec<Change>, VaultError> {
        let db = self.lock();
        let changes = journal::after(&db, 0, u32::MAX, Some(name))?;
        // A secret of a vault of schema 1 has no history yet.
        if changes.is_empty() {
            known(&db, name)?;
        }
        Ok(changes)
    }

    /// Removes a secret. Its value stays redacted for [`GRACE`].
    ///
    /// # Errors
    /// [`VaultError::Unknown`].
    pub fn rm(&self, name: &SecretName) -> Result<(), VaultError> {
        let now = self.clock.now();
        self.change(|db| {
            known(db, name)?;
            retire(db, name, now)?;
            db.execute("DELETE FROM secrets WHERE name = ?1", [name.as_str()])?;
            let note = Note { kind: ChangeKind::Removed, name: Some(name), version: None, note: "" };
            journal::append(db, now, &self.by, &note)
        })
    }

    /// Allows more places.
    ///
    /// # Errors
    /// [`VaultError::Unknown`].
    pub fn bind(&self, name: &SecretName, to: &Bindings) -> Result<(), VaultError> {
        self.rebind(name, ChangeKind::Bound, to, rows::bind)
    }

    /// Takes places away; nothing happens for one that was not allowed.
    ///
    /// # Errors
    /// [`VaultError::Unknown`].
    pub fn unbind(&self, name: &SecretName, from: &Bindings) -> Result<(), VaultError> {
        self.rebind(name, ChangeKind::Unbound, from, rows::unbind)
    }

    fn rebind(
        &self,
        name: &SecretName,
        kind: ChangeKind,
        places: &Bindings,
        each: impl Fn(&Connection, &SecretName, &Binding) -> Result<(), VaultError>,
    ) -> Result<(), VaultError> {
        let now = self.clock.now();
        self.change(|db| {
            known(db, name)?;
            for place in places.iter() {
                each(db, name, place)?;
            }
            db.execute("UPDATE secrets SET updated_ms = ?2 WHERE name = ?1", params![name.as_str(), now.millis()])?;
            let text = places.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            journal::append(db, now, &self.by, &Note { kind, name: Some(name), version: None, note: &text })
        })
    }

    /// Puts several values in one change.
    pub(crate) fn change<T>(&self, work: impl FnOnce(&Connection) -> Result<T, VaultError>) -> Result<T, VaultError> {
        store::change(&mut self.lock(), &self.path, self.file, work)
    }

    fn note<T>(&self, work: impl FnOnce(&Connection) -> Result<T, VaultError>) -> Result<T, VaultError> {
        store::note(&mut self.lock(), &self.path, self.file, work)
    }

    fn write<T>(&self, work: impl FnOnce(&Connection) -> Result<T, VaultError>) -> Result<T, VaultError> {
        store::write(&mut self.lock(), &self.path, self.file, work)
    }

    fn calm(&self) -> MutexGuard<'_, Calm> {
        self.calm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn by(&self) -> &str {
        &self.by
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic under the lock rolls its transaction back when the guard's connection is next used.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretSource for Vault {
    fn resolve(&self, name: &SecretName, to: Destination<'_>) -> Result<SecretValue, NotGiven> {
        let given = self.given(name).map_err(|_| NotGiven::Unreadable)?;
        self.give(name, given.as_ref(), to)
    }

    fn every_value(&self) -> Result<Vec<KnownValue>, NotGiven> {
        let connection = self.lock();
        let values = rows::values(&connection, horizon(self.clock.now())).map_err(|_| NotGiven::Unreadable);
        // The pages they were read from are needed no more: less memory, and less of it secret.
        let _ = connection.execute_batch("PRAGMA shrink_memory");
        values
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(..)")
    }
}

#[cfg(test)]
pub(crate) mod tests;
