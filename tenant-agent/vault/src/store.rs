//! The file: how it is made, opened and checked. All knowledge of SQLCipher is here.
//!
//! One file holds all: the journal is a rollback journal, there only while somebody writes, so that the file can be
//! exchanged by one rename, copied alone, and loses nothing when a file beside it goes.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ring::hmac;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use rustix::fs::{FlockOperation, Mode, OFlags, RenameFlags};
use zeroize::Zeroizing;

use crate::error::{OpenError, VaultError};
use crate::key::{Key, sync_folder};
use crate::schema::{self, SCHEMA};
use crate::seal;

/// "WKV1": a file that decrypts but is not a vault is refused.
const APPLICATION: i64 = 0x574b_5631;
/// Older SQLite can damage a WAL file when a checkpoint meets a writer.
const SQLITE_MIN: i32 = 3_051_003;
/// Bytes at the start of the file: SQLCipher's salt, here derived from the key.
const SALT: usize = 16;
/// How long a reader or writer waits for another one.
const PATIENCE: Duration = Duration::from_secs(5);
/// What SQLite puts beside a file.
const BESIDE: [&str; 3] = ["-journal", "-wal", "-shm"];

/// Which file a path named when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(crate) fn of(path: &Path) -> std::io::Result<Self> {
        let meta = path.symlink_metadata()?;
        Ok(Self { device: meta.dev(), inode: meta.ino() })
    }

    pub(crate) fn is(self, (device, inode): (u64, u64)) -> bool {
        (self.device, self.inode) == (device, inode)
    }
}

/// An open vault file.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) file: FileId,
    /// The key that fitted.
    pub(crate) key: Arc<Key>,
}

/// Makes a vault at `path` in one step: it is there whole, or not at all. `ready` puts beside it what opening it needs, at
/// the last moment before.
pub(crate) fn create(path: &Path, key: &Key, ready: impl FnOnce() -> Result<(), OpenError>) -> Result<(), OpenError> {
    let io = |source: std::io::Error| OpenError::Io { path: path.to_owned(), source };
    if path.symlink_metadata().is_ok() {
        return Err(OpenError::Exists(path.to_owned()));
    }
    // SQLite would take an old log for part of the new file; the other two are a vault's last traces.
    let traces = [rekeyed(path), crate::key::passphrase::recipe_path(path)];
    let mut left = BESIDE.iter().map(|suffix| beside(path, suffix)).chain(traces);
    if let Some(left) = left.find(|left| left.symlink_metadata().is_ok()) {
        return Err(OpenError::Leftover(left));
    }
    let new = beside(path, ".new");
    let file = begin(&new, key)?;
    file.sync_all().map_err(io)?;
    ready()?;
    let here = rustix::fs::CWD;
    match rustix::fs::renameat_with(here, &new, here, path, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => return Err(OpenError::Exists(path.to_owned())),
        Err(e) => return Err(io(e.into())),
    }
    sync_folder(path).map_err(io)
}

/// Makes an empty vault file, not yet at its place; what a crashed maker left there is overwritten.
pub(crate) fn begin(new: &Path, key: &Key) -> Result<File, OpenError> {
    let io = |source: std::io::Error| OpenError::Io { path: new.to_owned(), source };
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(new, flags, Mode::from_raw_mode(0o600)).map_err(|e| io(e.into()))?;
    let file = File::from(file);
    // One maker at a time.
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| OpenError::Busy(new.to_owned()))?;
    file.set_len(0).map_err(io)?;
    // The mode above holds for a new file only; SQLite gives its log the mode of the main file.
    rustix::fs::fchmod(&file, Mode::from_raw_mode(0o600)).map_err(|e| io(e.into()))?;
    for suffix in BESIDE {
        crate::key::remove(&beside(new, suffix)).map_err(io)?;
    }
    fill(new, key).map_err(OpenError::Sql)?;
    Ok(file)
}

fn fill(path: &Path, key: &Key) -> rusqlite::Result<()> {
    let mut connection = connect(path)?;
    // With the salt: what makes the file decides its first bytes.
    let salt = data_encoding::HEXLOWER.encode(&salt(key));
    give_key(&connection, key, &salt)?;
    connection.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    schema::advance(&transaction, 0)?;
    transaction.commit()?;
    connection.close().map_err(|(_, e)| e)
}

/// Opens the vault at `path` with the first of `keys` that fits, and reads all of it once, so that damage shows here and not
/// later. An older schema is brought up to date.
pub(crate) fn open(path: &Path, keys: &[Arc<Key>]) -> Result<Opened, OpenError> {
    if rusqlite::version_number() < SQLITE_MIN {
        return Err(OpenError::OldSqlite);
    }
    let (mut connection, key) = fitting(path, keys)?;
    // Before the checks: an exchange from here on shows at the next change.
    let file = FileId::of(path).map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let damaged = |e| damage(path, e);
    let pragma = |db: &Connection, name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(damaged);
    if pragma(&connection, "application_id")? != APPLICATION {
        return Err(OpenError::Tampered(path.to_owned()));
    }
    match pragma(&connection, "user_version")? {
        newer if newer > SCHEMA => return Err(OpenError::NewerSchema { found: newer, known: SCHEMA }),
        1..=SCHEMA => {}
        _ => return Err(OpenError::Tampered(path.to_owned())),
    }
    // Vaults of schema 1 were in WAL mode.
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0)).map_err(damaged)?;
    if mode != "delete" {
        return Err(OpenError::Busy(path.to_owned()));
    }
    connection
        .execute_batch(
            "PRAGMA synchronous = EXTRA; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;",
        )
        .map_err(damaged)?;
    // Reads every page through the pager, so that every page's MAC is checked.
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(damaged)?;
    if verdict != "ok" {
        return Err(OpenError::Tampered(path.to_owned()));
    }
    advance(&mut connection).map_err(damaged)?;
    if !seal::holds(&connection).map_err(damaged)? {
        return Err(OpenError::Tampered(path.to_owned()));
    }
    Ok(Opened { connection, file, key })
}

fn advance(connection: &mut Connection) -> rusqlite::Result<()> {
    let version = |db: &Connection| db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    if version(connection)? == SCHEMA {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked again: another process may have been first.
    let from = version(&transaction)?;
    schema::advance(&transaction, from)?;
    transaction.commit()
}

/// A connection that reads the file, and the key with which it does.
fn fitting(path: &Path, keys: &[Arc<Key>]) -> Result<(Connection, Arc<Key>), OpenError> {
    match path.metadata() {
        Ok(meta) if !meta.is_file() => return Err(OpenError::Tampered(path.to_owned())),
        // SQLite takes an empty file for an empty database; an empty vault is what an attacker wants.
        Ok(meta) if meta.len() <= SALT as u64 => return Err(OpenError::Tampered(path.to_owned())),
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(OpenError::NotFound(path.to_owned())),
        Err(source) => return Err(OpenError::Io { path: path.to_owned(), source }),
    }
    let mut why = OpenError::WrongKey(path.to_owned());
    for key in keys {
        let connection = connect(path).map_err(OpenError::Sql)?;
        // Without the salt: SQLCipher takes the one in the file. Reading it through a file of our own would end SQLite's
        // locks on this file in the whole process when that file is closed (POSIX).
        give_key(&connection, key, "").map_err(|e| damage(path, e))?;
        let read = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0));
        // The salt names the key: SQLCipher itself answers a wrong key and a damaged page alike.
        let named = connection
            .pragma_query_value(None, "cipher_salt", |row| row.get::<_, String>(0))
            .is_ok_and(|found| found.eq_ignore_ascii_case(&data_encoding::HEXLOWER.encode(&salt(key))));
        match read {
            Ok(_) if named => return Ok((connection, key.clone())),
            Ok(_) => return Err(OpenError::Tampered(path.to_owned())),
            Err(e) if named => return Err(damage(path, e)),
            Err(e) => match damage(path, e) {
                OpenError::Tampered(_) => {}
                other => why = other,
            },
        }
    }
    Err(why)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

fn damage(path: &Path, e: rusqlite::Error) -> OpenError {
    match e.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Busy(path.to_owned()),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::SystemIoFailure) | None => {
            OpenError::Tampered(path.to_owned())
        }
        Some(_) => OpenError::Sql(e),
    }
}

/// The key is random and belongs to one file, so a salt derived from it is as good as a random one and names the key.
fn salt(key: &Key) -> [u8; SALT] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.bytes()), b"wardkeep/vault-salt/v1");
    let mut out = [0; SALT];
    out.copy_from_slice(&tag.as_ref()[..SALT]);
    out
}

fn give_key(connection: &Connection, key: &Key, salt: &str) -> rusqlite::Result<()> {
    // SQLCipher would write its own diagnosis to standard error; ours is the returned error.
    connection.execute_batch("PRAGMA cipher_log_level = NONE; PRAGMA cipher_memory_security = ON;")?;
    let mut sql = Zeroizing::new(String::with_capacity(160));
    for part in ["PRAGMA key = \"x'", key.expose_hex().as_str(), salt, "'\";"] {
        sql.push_str(part);
    }
    connection.execute_batch(&sql)
}

/// Runs `work` in one write transaction. For what the seal does not cover; all else goes through the two below.
pub(crate) fn write<T>(
    connection: &mut Connection,
    path: &Path,
    file: FileId,
    work: impl FnOnce(&Connection) -> Result<T, VaultError>,
) -> Result<T, VaultError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Under the lock that an exchange holds until it is done: nobody writes into a file that is no longer the vault.
    if FileId::of(path).ok() != Some(file) {
        return Err(VaultError::Replaced);
    }
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

/// As [`write()`], and seals what `work` left.
pub(crate) fn note<T>(
    connection: &mut Connection,
    path: &Path,
    file: FileId,
    work: impl FnOnce(&Connection) -> Result<T, VaultError>,
) -> Result<T, VaultError> {
    write(connection, path, file, |db| {
        let done = work(db)?;
        seal::put(db)?;
        Ok(done)
    })
}

/// As [`note`], and counts one change of values or bindings.
pub(crate) fn change<T>(
    connection: &mut Connection,
    path: &Path,
    file: FileId,
    work: impl FnOnce(&Connection) -> Result<T, VaultError>,
) -> Result<T, VaultError> {
    note(connection, path, file, |db| {
        let done = work(db)?;
        db.execute("UPDATE meta SET generation = generation + 1", [])?;
        Ok(done)
    })
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Where the vault is written anew with another key.
pub(crate) fn rekeyed(path: &Path) -> PathBuf {
    beside(path, ".rekeyed")
}
