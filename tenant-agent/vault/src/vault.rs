//! The vault as its users see it.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::{Destination, NotGiven, SecretSource, SecretValue};
use wardkeep_proto::time::{Clock, Timestamp};

use crate::binding::{Binding, Bindings};
use crate::import::{self, Assignments, ImportReport, Skipped};
use crate::key::{KeyError, KeySource};
use crate::store;

/// How long a rotated or removed value is still redacted.
pub const GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Shortest value, in bytes: masking anything shorter would destroy ordinary text.
const MIN_BYTES: usize = 8;
/// Longest value, in bytes; a certificate chain with its key is about 20 KiB.
const MAX_BYTES: usize = 64 * 1024;
/// A value of fewer different characters is a ruler, not a secret; masking it would hit drawings and rows of zeros.
const MIN_DIFFERENT: usize = 4;

/// Why there is no open vault. There is never an empty one instead.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No file there.
    #[error("there is no vault at {0}; make one with `wardkeep-agent vault init`")]
    NotFound(PathBuf),
    /// A vault is never overwritten.
    #[error("a vault already exists at {0}")]
    Exists(PathBuf),
    /// The main file is gone but its log is there.
    #[error("{0} is left from a vault whose main file is gone; restore that file, or move this one away")]
    Leftover(PathBuf),
    /// Another process is at it.
    #[error("another process is using {0}; try again when it has finished")]
    Busy(PathBuf),
    /// The file was made with another key.
    #[error("the key does not belong to the vault {0}; check [vault] in the configuration, or restore the right key")]
    WrongKey(PathBuf),
    /// The key is right, but the file is damaged or was changed.
    #[error("the vault {0} is damaged or was tampered with; restore it from its backup")]
    Tampered(PathBuf),
    /// Written by a later build.
    #[error("the vault has schema {found}, this build knows {known}; install the newer version again")]
    NewerSchema {
        /// In the file.
        found: i64,
        /// Of this build.
        known: i64,
    },
    /// Built against an SQLite that can damage files.
    #[error("this build carries an SQLite older than 3.51.3, which can damage files; rebuild it")]
    OldSqlite,
    /// No key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The system refused.
    #[error("the vault {path} cannot be read or written", path = .path.display())]
    Io {
        /// The vault.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("the vault's database refused")]
    Sql(#[source] rusqlite::Error),
}

/// Why an open vault did not do what was asked. Never contains a value.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Shorter than 8 bytes.
    #[error(
        "the value of {0} is shorter than {MIN_BYTES} bytes; masking it would destroy ordinary text, choose a longer one"
    )]
    TooShort(SecretName),
    /// Longer than 64 KiB.
    #[error("the value of {0} is longer than {MAX_BYTES} bytes; store the key, not the file it opens")]
    TooLong(SecretName),
    /// Too few different characters.
    #[error(
        "the value of {0} has fewer than {MIN_DIFFERENT} different characters; masking it would destroy ordinary text"
    )]
    TooSimple(SecretName),
    /// A zero byte cannot be put into an environment or a header.
    #[error("the value of {0} contains a zero byte")]
    ZeroByte(SecretName),
    /// No secret of that name.
    #[error("no secret is named {0}; `wardkeep-agent vault list` shows the names")]
    Unknown(SecretName),
    /// The `.env` file could not be read.
    #[error("the file to import cannot be read as UTF-8 text")]
    ImportRead(#[source] std::io::Error),
    /// The `.env` file is too large.
    #[error("the file to import is larger than 1 MiB")]
    ImportTooLarge,
    /// SQLite refused.
    #[error("the vault's database refused")]
    Sql(#[from] rusqlite::Error),
}

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
}

/// The open vault. Every call does file work; from async code use `spawn_blocking`.
pub struct Vault {
    connection: Mutex<Connection>,
    clock: Arc<dyn Clock>,
}

impl Vault {
    /// Makes an empty vault at `path`, which must not exist, and opens it.
    ///
    /// # Errors
    /// [`OpenError::Exists`], [`OpenError::Leftover`], [`OpenError::Busy`], key and file errors.
    pub fn create(path: &Path, key: &KeySource, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        store::create(path, &key.read()?)?;
        Self::open(path, key, clock)
    }

    /// Opens the vault at `path` and checks all of it.
    ///
    /// # Errors
    /// Every reason of [`OpenError`]; on none of them is anything written.
    pub fn open(path: &Path, key: &KeySource, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let connection = store::open(path, &key.read()?)?;
        Ok(Self { connection: Mutex::new(connection), clock })
    }

    /// Sets the value of `name`. A new secret gets `bindings`; for an existing one they replace the old, and its old value
    /// stays redacted for [`GRACE`]. Setting the present value again makes no new version.
    ///
    /// # Errors
    /// The value is refused, or SQLite does.
    pub fn set(&self, name: &SecretName, value: &SecretValue, bindings: &Bindings) -> Result<u64, VaultError> {
        check_value(name, value)?;
        let now = self.clock.now();
        store::change(&mut self.lock(), |db| {
            let (version, _) = put(db, name, value, now)?;
            db.execute("DELETE FROM bindings WHERE name = ?1", [name.as_str()])?;
            for binding in bindings.iter() {
                db.execute("INSERT INTO bindings VALUES (?1, ?2)", params![name.as_str(), binding.to_string()])?;
            }
            Ok(version)
        })
    }

    /// Sets a new value of an existing secret and leaves its bindings alone.
    ///
    /// # Errors
    /// [`VaultError::Unknown`], or the value is refused.
    pub fn rotate(&self, name: &SecretName, value: &SecretValue) -> Result<u64, VaultError> {
        check_value(name, value)?;
        let now = self.clock.now();
        store::change(&mut self.lock(), |db| {
            known(db, name)?;
            Ok(put(db, name, value, now)?.0)
        })
    }

    /// Every secret without its value, by name.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn list(&self) -> Result<Vec<Entry>, VaultError> {
        let db = self.lock();
        let mut rows = db.prepare("SELECT name, created_ms, updated_ms, version FROM secrets ORDER BY name")?;
        let rows =
            rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?)))?;
        let mut all = Vec::new();
        for row in rows {
            let (name, created, updated, version) = row?;
            let name: SecretName = parsed(&name)?;
            let bindings = bindings_of(&db, &name)?;
            let version = u64::try_from(version).unwrap_or(0);
            all.push(Entry { name, bindings, created: Timestamp(created), updated: Timestamp(updated), version });
        }
        Ok(all)
    }

    /// Removes a secret. Its value stays redacted for [`GRACE`].
    ///
    /// # Errors
    /// [`VaultError::Unknown`].
    pub fn rm(&self, name: &SecretName) -> Result<(), VaultError> {
        let now = self.clock.now();
        store::change(&mut self.lock(), |db| {
            known(db, name)?;
            retire(db, name, now)?;
            db.execute("DELETE FROM secrets WHERE name = ?1", [name.as_str()])?;
            Ok(())
        })
    }

    /// Allows one more place.
    ///
    /// # Errors
    /// [`VaultError::Unknown`].
    pub fn bind(&self, name: &SecretName, binding: &Binding) -> Result<(), VaultError> {
        self.rebind(name, "INSERT OR IGNORE INTO bindings VALUES (?1, ?2)", binding)
    }

    /// Takes one place away; nothing happens if it was not allowed.
    ///
    /// # Errors
    /// [`VaultError::Unknown`].
    pub fn unbind(&self, name: &SecretName, binding: &Binding) -> Result<(), VaultError> {
        self.rebind(name, "DELETE FROM bindings WHERE name = ?1 AND binding = ?2", binding)
    }

    fn rebind(&self, name: &SecretName, sql: &str, binding: &Binding) -> Result<(), VaultError> {
        let now = self.clock.now();
        store::change(&mut self.lock(), |db| {
            known(db, name)?;
            db.execute(sql, params![name.as_str(), binding.to_string()])?;
            db.execute("UPDATE secrets SET updated_ms = ?2 WHERE name = ?1", params![name.as_str(), now.millis()])?;
            Ok(())
        })
    }

    /// Takes over every assignment of a `.env` file: `API_KEY=…` becomes secret `api_key`, without bindings if it is new.
    /// What is not fit for the vault is left out and reported.
    ///
    /// # Errors
    /// The file cannot be read, or SQLite refused; then nothing was taken over.
    pub fn import_env(&self, reader: impl Read) -> Result<ImportReport, VaultError> {
        let Assignments { found, skipped } = import::read(reader)?;
        let mut report = ImportReport { skipped, ..ImportReport::default() };
        let now = self.clock.now();
        store::change(&mut self.lock(), |db| {
            for (name, value) in &found {
                if let Err(why) = check_value(name, value) {
                    report.skipped.push(Skipped { key: name.to_string(), why: why.to_string() });
                    continue;
                }
                match put(db, name, value, now)? {
                    (_, Put::New) => report.added.push(name.clone()),
                    (_, Put::Rotated) => report.updated.push(name.clone()),
                    (_, Put::Same) => report.unchanged.push(name.clone()),
                }
            }
            Ok(report)
        })
    }

    /// Counts every change, also those of other processes: poll it to know when to read [`SecretSource::every_value`] again.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn generation(&self) -> Result<u64, VaultError> {
        let count: i64 = self.lock().query_row("SELECT generation FROM meta", [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic under the lock rolls its transaction back when the guard's connection is next used.
        self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl SecretSource for Vault {
    fn resolve(&self, name: &SecretName, to: Destination<'_>) -> Result<SecretValue, NotGiven> {
        let db = self.lock();
        let found = db
            .query_row(
                "SELECT v.value FROM secrets s JOIN versions v USING (name, version) WHERE s.name = ?1",
                [name.as_str()],
                |row| row.get(0).map(SecretValue::new),
            )
            .optional()
            .map_err(|_| NotGiven::Unreadable)?;
        let value = found.ok_or_else(|| NotGiven::Unknown(name.clone()))?;
        if !bindings_of(&db, name).map_err(|_| NotGiven::Unreadable)?.allow(to) {
            return Err(NotGiven::NotBound { name: name.clone(), to: to.to_string() });
        }
        Ok(value)
    }

    fn every_value(&self) -> Result<Vec<(SecretName, SecretValue)>, NotGiven> {
        let horizon = horizon(self.clock.now());
        let read = || -> Result<_, VaultError> {
            let db = self.lock();
            let mut rows = db.prepare(
                "SELECT name, value FROM versions WHERE retired_ms IS NULL OR retired_ms > ?1 ORDER BY name, version DESC",
            )?;
            let rows =
                rows.query_map([horizon], |row| Ok((row.get::<_, String>(0)?, row.get(1).map(SecretValue::new)?)))?;
            rows.map(|row| row.map_err(VaultError::from).and_then(|(name, value)| Ok((parsed(&name)?, value))))
                .collect()
        };
        read().map_err(|_| NotGiven::Unreadable)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(..)")
    }
}

enum Put {
    New,
    Rotated,
    Same,
}

/// Writes a value as the present version and lets go of versions whose grace is over.
fn put(db: &Connection, name: &SecretName, value: &SecretValue, now: Timestamp) -> Result<(u64, Put), VaultError> {
    db.execute("DELETE FROM versions WHERE retired_ms <= ?1", [horizon(now)])?;
    let present: Option<(i64, SecretValue)> = db
        .query_row(
            "SELECT version, value FROM versions WHERE name = ?1 AND retired_ms IS NULL",
            [name.as_str()],
            |row| Ok((row.get(0)?, SecretValue::new(row.get(1)?))),
        )
        .optional()?;
    if let Some((version, old)) = &present
        && old == value
    {
        return Ok((u64::try_from(*version).unwrap_or(0), Put::Same));
    }
    retire(db, name, now)?;
    let version: i64 =
        db.query_row("SELECT coalesce(max(version), 0) + 1 FROM versions WHERE name = ?1", [name.as_str()], |row| {
            row.get(0)
        })?;
    db.execute("INSERT INTO versions VALUES (?1, ?2, ?3, NULL)", params![name.as_str(), version, value.expose()])?;
    db.execute(
        "INSERT INTO secrets VALUES (?1, ?2, ?2, ?3) ON CONFLICT (name) DO UPDATE SET updated_ms = ?2, version = ?3",
        params![name.as_str(), now.millis(), version],
    )?;
    Ok((u64::try_from(version).unwrap_or(0), if present.is_some() { Put::Rotated } else { Put::New }))
}

fn retire(db: &Connection, name: &SecretName, now: Timestamp) -> Result<(), VaultError> {
    db.execute(
        "UPDATE versions SET retired_ms = ?2 WHERE name = ?1 AND retired_ms IS NULL",
        params![name.as_str(), now.millis()],
    )?;
    Ok(())
}

fn horizon(now: Timestamp) -> i64 {
    now.millis().saturating_sub(i64::try_from(GRACE.as_millis()).unwrap_or(i64::MAX))
}

fn known(db: &Connection, name: &SecretName) -> Result<(), VaultError> {
    let found: bool =
        db.query_row("SELECT EXISTS (SELECT 1 FROM secrets WHERE name = ?1)", [name.as_str()], |row| row.get(0))?;
    if found { Ok(()) } else { Err(VaultError::Unknown(name.clone())) }
}

fn bindings_of(db: &Connection, name: &SecretName) -> Result<Bindings, VaultError> {
    let mut rows = db.prepare_cached("SELECT binding FROM bindings WHERE name = ?1")?;
    let rows = rows.query_map([name.as_str()], |row| row.get::<_, String>(0))?;
    rows.map(|text| parsed(&text?)).collect()
}

/// Text that this crate wrote itself; the MAC says that nobody else did.
fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(text: &str) -> Result<T, VaultError> {
    text.parse().map_err(|e| {
        VaultError::Sql(rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e)))
    })
}

fn check_value(name: &SecretName, value: &SecretValue) -> Result<(), VaultError> {
    let text = value.expose();
    if text.len() < MIN_BYTES {
        return Err(VaultError::TooShort(name.clone()));
    }
    if text.len() > MAX_BYTES {
        return Err(VaultError::TooLong(name.clone()));
    }
    if text.contains('\0') {
        return Err(VaultError::ZeroByte(name.clone()));
    }
    let mut different = Vec::with_capacity(MIN_DIFFERENT);
    for c in text.chars() {
        if !different.contains(&c) {
            different.push(c);
        }
        if different.len() == MIN_DIFFERENT {
            return Ok(());
        }
    }
    Err(VaultError::TooSimple(name.clone()))
}

#[cfg(test)]
mod tests;
