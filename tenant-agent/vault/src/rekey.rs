//! The vault with another key. It is written anew beside itself and exchanged by one rename, so that whatever happens on the
//! way, the file at its path is whole and opens with a key that is on disk or in its owner's head: before the rename with
//! the old one, from then on with the new one, which waits beside the old one's place until the vault has changed over.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, TransactionBehavior};
use rustix::fs::{FlockOperation, Gid, Uid};
use wardkeep_proto::chance::Chance;
use wardkeep_proto::secret::SecretValue;
use wardkeep_proto::time::Clock;

use crate::error::{OpenError, VaultError};
use crate::journal::{self, ChangeKind, Note};
use crate::key::passphrase::{self, Recipe};
use crate::key::{self, Key, KeyError, KeySource, Staged, staged, sync_folder};
use crate::schema::TABLES;
use crate::seal;
use crate::store::{self, FileId};
use crate::vault::Vault;

/// What the vault opens with from now on.
#[derive(Clone, Copy, Debug)]
pub enum NewKey<'a> {
    /// A new key in this file; one that is there is replaced only when it is the vault's present key.
    File(&'a Path),
    /// The key in this credential, made by whoever keeps it.
    Credential(&'a Path),
    /// A key made from this passphrase, written nowhere.
    Passphrase(&'a SecretValue),
}

/// What became of the old key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rekeyed {
    /// Its file is gone.
    pub removed: Option<PathBuf>,
    /// Its file could not be removed; it opens nothing but older copies of the vault.
    pub left: Option<PathBuf>,
}

/// Why the vault has its old key still.
#[derive(Debug, thiserror::Error)]
pub enum RekeyError {
    /// The vault or a key.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Copying.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<KeyError> for RekeyError {
    fn from(error: KeyError) -> Self {
        Self::Open(error.into())
    }
}

/// Where a crash is tried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The new key waits beside the old one.
    Staged,
    /// The vault is written with it.
    Copied,
    /// And is the vault.
    Exchanged,
    /// The new key is in its place.
    Settled,
}

/// Gives the vault at `path`, which opens with `old`, another key.
///
/// # Errors
/// All of [`RekeyError`]; the vault then opens as before.
pub fn rekey(
    path: &Path,
    old: &KeySource,
    new: NewKey<'_>,
    clock: Arc<dyn Clock>,
    chance: &dyn Chance,
) -> Result<Rekeyed, RekeyError> {
    rekey_by_steps(path, old, new, (clock, chance), &|_| ())
}

pub(crate) fn rekey_by_steps(
    path: &Path,
    old: &KeySource,
    new: NewKey<'_>,
    (clock, chance): (Arc<dyn Clock>, &dyn Chance),
    at: &dyn Fn(Step),
) -> Result<Rekeyed, RekeyError> {
    let vault = Vault::open(path, old, clock)?;
    let _alone = Alone::take(path).ok_or_else(|| OpenError::Busy(path.to_owned()))?;
    if !vault.is_current() {
        return Err(VaultError::Replaced.into());
    }
    let (key, staged) = stage(path, old, new, chance)?;
    let undo = |error: RekeyError| {
        // The vault opens with the old key: what was prepared is of no use.
        let _ = staged.as_ref().map(|staged| key::discard(staged.place()));
        let _ = discard_copy(path);
        error
    };
    if key == *vault.key() {
        return Err(undo(OpenError::SameKey(path.to_owned()).into()));
    }
    at(Step::Staged);
    write_anew(path, &vault, &key, at).map_err(undo)?;
    at(Step::Exchanged);
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    if let Some(staged) = staged {
        staged.settle().map_err(io)?;
    }
    at(Step::Settled);
    let mut done = Rekeyed { removed: None, left: None };
    if let (KeySource::File(file), false) = (old, matches!(new, NewKey::File(to) if old.path() == Some(to))) {
        match key::remove(file) {
            Ok(()) => done.removed = Some(file.clone()),
            Err(_) => done.left = Some(file.clone()),
        }
    }
    if !matches!(new, NewKey::Passphrase(_)) {
        key::remove(&passphrase::recipe_path(path)).map_err(io)?;
    }
    Ok(done)
}

/// The new key, and what of it waits on disk.
fn stage(
    path: &Path,
    old: &KeySource,
    new: NewKey<'_>,
    chance: &dyn Chance,
) -> Result<(Key, Option<Staged>), KeyError> {
    match new {
        NewKey::File(to) => {
            if old.path() != Some(to) && to.symlink_metadata().is_ok() {
                return Err(KeyError::Exists(to.to_owned()));
            }
            let key = Key::random(chance);
            let staged = Staged::key(to, &key)?;
            Ok((key, Some(staged)))
        }
        NewKey::Credential(from) => Ok((key::read_credential(from)?, None)),
        NewKey::Passphrase(text) => {
            passphrase::check(text)?;
            let place = passphrase::recipe_path(path);
            let recipe = Recipe::new(chance);
            let damaged = || KeyError::Recipe(place.clone());
            let key = recipe.key(text).ok_or_else(damaged)?;
            let staged = Staged::write(&place, recipe.text().ok_or_else(damaged)?.as_bytes())?;
            // The daemon reads the recipe's existence, whoever makes it.
            give_to_owner_of(path, &key::staged(&place)).map_err(KeyError::io(&place))?;
            Ok((key, Some(staged)))
        }
    }
}

/// Copies the vault into a new file with `key`, makes sure that it opens, and puts it in the vault's place.
fn write_anew(path: &Path, vault: &Vault, key: &Key, at: &dyn Fn(Step)) -> Result<(), RekeyError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    let sql = |e: rusqlite::Error| RekeyError::Vault(e.into());
    let new = store::rekeyed(path);
    let file = store::begin(&new, key)?;
    let keys = [Arc::new(key.clone())];
    let mut source = vault.lock();
    // Nobody else writes from here until the exchange is done; whoever waits for that finds another file (`store::write`).
    let from = source.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    {
        let mut target = store::open(&new, &keys)?.connection;
        let to = target.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        to.execute("DELETE FROM meta", []).map_err(sql)?;
        for table in TABLES {
            copy(&from, &to, table).map_err(sql)?;
        }
        // Before anything is added: the copy is what was sealed.
        if !seal::matches(&to).map_err(sql)? {
            return Err(OpenError::Tampered(path.to_owned()).into());
        }
        to.execute("UPDATE meta SET generation = generation + 1", []).map_err(sql)?;
        let note = Note { kind: ChangeKind::Rekeyed, name: None, version: None, note: "" };
        journal::append(&to, vault.now(), vault.by(), &note)?;
        seal::put(&to).map_err(sql)?;
        to.commit().map_err(sql)?;
    }
    // Opened anew, which reads every page: what replaces the vault is known to open.
    let check = store::open(&new, &keys)?.connection;
    check.close().map_err(|(_, e)| sql(e))?;
    give_to_owner_of(path, &new).map_err(io)?;
    file.sync_all().map_err(io)?;
    at(Step::Copied);
    std::fs::rename(&new, path).map_err(io)?;
    sync_folder(path).map_err(io)?;
    Ok(())
}

/// Values go from one database into the other without a copy in between.
fn copy(from: &Connection, to: &Connection, table: &str) -> rusqlite::Result<()> {
    let mut rows = from.prepare(&format!("SELECT * FROM {table}"))?;
    let columns = rows.column_count();
    let places = (1..=columns).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ");
    let mut insert = to.prepare(&format!("INSERT INTO {table} VALUES ({places})"))?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            insert.raw_bind_parameter(column + 1, ToSqlOutput::Borrowed(row.get_ref(column)?))?;
        }
        insert.raw_execute()?;
    }
    Ok(())
}

/// What root writes belongs to whom the vault belongs.
fn give_to_owner_of(path: &Path, new: &Path) -> std::io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = path.metadata()?;
    let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
    Ok(rustix::fs::chown(new, Some(uid), Some(gid))?)
}

fn discard_copy(path: &Path) -> std::io::Result<()> {
    let new = store::rekeyed(path);
    key::remove(&store::beside(&new, "-journal"))?;
    key::remove(&new)
}

/// Clears away what an interrupted rekeying left, now that it is known which key the vault has. What cannot be cleared
/// away does no harm.
pub(crate) fn tidy(path: &Path, file: FileId, source: &KeySource, fitted: &Key) {
    let recipe = passphrase::recipe_path(path);
    let copies = [store::rekeyed(path)];
    let keys: Vec<PathBuf> = match source {
        KeySource::File(place) => vec![staged(place), recipe.clone(), staged(&recipe)],
        KeySource::Credential(_) => vec![recipe.clone(), staged(&recipe)],
        // Which recipe made the key knows who made it: `tidy_recipes`.
        KeySource::Held(_) => Vec::new(),
    };
    if !copies.iter().chain(&keys).any(|left| left.symlink_metadata().is_ok()) {
        return;
    }
    let Some(_alone) = Alone::take(path) else { return };
    if FileId::of(path).ok() != Some(file) {
        return;
    }
    let _ = discard_copy(path);
    if let KeySource::File(place) = source {
        let _ = if KeySource::File(place.clone()).is_staged(fitted) { key::settle(place) } else { key::discard(place) };
    }
    if !matches!(source, KeySource::Held(_)) {
        // The vault opens without a passphrase.
        let _ = key::remove(&recipe).and_then(|()| key::discard(&recipe));
    }
}

/// Keeps the recipe by which the vault's key was made, and no other.
pub(crate) fn tidy_recipes(path: &Path, file: FileId, made_by: &Path) {
    let recipe = passphrase::recipe_path(path);
    if staged(&recipe).symlink_metadata().is_err() {
        return;
    }
    let Some(_alone) = Alone::take(path) else { return };
    if FileId::of(path).ok() == Some(file) {
        let _ = if made_by == recipe { key::discard(&recipe) } else { key::settle(&recipe) };
    }
}

/// Held while a vault is given another key. A lock on its folder leaves no file behind.
struct Alone(#[expect(dead_code, reason = "held, not read")] File);

impl Alone {
    fn take(path: &Path) -> Option<Self> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = File::open(folder).ok()?;
        rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(Self(folder))
    }
}

#[cfg(test)]
mod tests;
