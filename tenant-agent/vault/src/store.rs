//! The file: how it is made, opened and checked. All knowledge of SQLCipher is here.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ring::hmac;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rustix::fs::{FlockOperation, Mode, OFlags, RenameFlags};
use zeroize::Zeroizing;

use crate::key::{Key, sync_folder};
use crate::vault::OpenError;

/// Layout of the tables; a file with a higher number was written by a newer build.
const SCHEMA: i64 = 1;
/// "WKV1": a file that decrypts but is not a vault is refused.
const APPLICATION: i64 = 0x574b_5631;
/// Older SQLite can damage a WAL file when a checkpoint meets a writer.
const SQLITE_MIN: i32 = 3_051_003;
/// Bytes at the start of the file: SQLCipher's salt, here derived from the key.
const SALT: usize = 16;

const TABLES: &str = "
    CREATE TABLE meta (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        generation INTEGER NOT NULL              -- counts every change of values or bindings
    ) STRICT;
    INSERT INTO meta VALUES (1, 1);
    CREATE TABLE secrets (
        name TEXT PRIMARY KEY,
        created_ms INTEGER NOT NULL,             -- first set
        updated_ms INTEGER NOT NULL,             -- last set or change of bindings
        version INTEGER NOT NULL                 -- the present row of versions
    ) STRICT;
    CREATE TABLE versions (                      -- outlives its secret for the grace period, so no foreign key
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        value TEXT NOT NULL,
        retired_ms INTEGER,                      -- NULL while present
        PRIMARY KEY (name, version)
    ) STRICT;
    CREATE TABLE bindings (
        name TEXT NOT NULL REFERENCES secrets ON DELETE CASCADE,
        binding TEXT NOT NULL,                   -- text form of Binding
        PRIMARY KEY (name, binding)
    ) STRICT;
";

/// Makes a vault at `path` in one step: it is there whole, or not at all.
pub(crate) fn create(path: &Path, key: &Key) -> Result<(), OpenError> {
    let io = |source: std::io::Error| OpenError::Io { path: path.to_owned(), source };
    if path.symlink_metadata().is_ok() {
        return Err(OpenError::Exists(path.to_owned()));
    }
    for suffix in ["-wal", "-shm", "-journal"] {
        let left = beside(path, suffix);
        if left.symlink_metadata().is_ok() {
            // SQLite would take an old log for part of the new file.
            return Err(OpenError::Leftover(left));
        }
    }
    let new = beside(path, ".new");
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(&new, flags, Mode::from_raw_mode(0o600)).map_err(|e| io(e.into()))?;
    let file = File::from(file);
    // One maker at a time; what a crashed one left behind is overwritten.
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| OpenError::Busy(new.clone()))?;
    file.set_len(0).map_err(io)?;
    // The mode above holds for a new file only; SQLite gives its log the mode of the main file.
    rustix::fs::fchmod(&file, Mode::from_raw_mode(0o600)).map_err(|e| io(e.into()))?;
    for suffix in ["-journal", "-wal", "-shm"] {
        match std::fs::remove_file(beside(&new, suffix)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
            _ => {}
        }
    }
    fill(&new, key).map_err(OpenError::Sql)?;
    file.sync_all().map_err(io)?;
    let here = rustix::fs::CWD;
    match rustix::fs::renameat_with(here, &new, here, path, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => return Err(OpenError::Exists(path.to_owned())),
        Err(e) => return Err(io(e.into())),
    }
    sync_folder(path).map_err(io)
}

fn fill(path: &Path, key: &Key) -> rusqlite::Result<()> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    unlock(&connection, key)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;
         BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA}; {TABLES} COMMIT;"
    ))?;
    connection.close().map_err(|(_, e)| e)
}

/// Opens the vault at `path` and reads all of it once, so that damage shows here and not later.
pub(crate) fn open(path: &Path, key: &Key) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < SQLITE_MIN {
        return Err(OpenError::OldSqlite);
    }
    check_head(path, key)?;
    let damaged = |e: rusqlite::Error| match e.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            OpenError::Busy(path.to_owned())
        }
        Some(
            rusqlite::ErrorCode::NotADatabase
            | rusqlite::ErrorCode::DatabaseCorrupt
            | rusqlite::ErrorCode::SystemIoFailure,
        )
        | None => OpenError::Tampered(path.to_owned()),
        Some(_) => OpenError::Sql(e),
    };
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(OpenError::Sql)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(OpenError::Sql)?;
    unlock(&connection, key).map_err(damaged)?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(damaged);
    if pragma("application_id")? != APPLICATION {
        return Err(OpenError::Tampered(path.to_owned()));
    }
    match pragma("user_version")? {
        SCHEMA => {}
        newer if newer > SCHEMA => return Err(OpenError::NewerSchema { found: newer, known: SCHEMA }),
        _ => return Err(OpenError::Tampered(path.to_owned())),
    }
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;")
        .map_err(damaged)?;
    // Reads every page through the pager, so that every page's MAC is checked, those in the WAL included.
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(damaged)?;
    if verdict != "ok" {
        return Err(OpenError::Tampered(path.to_owned()));
    }
    Ok(connection)
}

/// The file's first bytes tell a wrong key from damage: SQLCipher itself answers both alike.
fn check_head(path: &Path, key: &Key) -> Result<(), OpenError> {
    let io = |source: std::io::Error| OpenError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => OpenError::NotFound(path.to_owned()),
        _ => io(e),
    })?;
    let mut head = [0; SALT];
    match file.read_exact(&mut head) {
        Ok(()) => {}
        // SQLite takes an empty file for an empty database; an empty vault is what an attacker wants.
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Err(OpenError::Tampered(path.to_owned())),
        Err(e) => return Err(io(e)),
    }
    if head == salt(key) { Ok(()) } else { Err(OpenError::WrongKey(path.to_owned())) }
}

/// The key is random and belongs to one file, so a salt derived from it is as good as a random one and names the key.
fn salt(key: &Key) -> [u8; SALT] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.bytes()), b"wardkeep/vault-salt/v1");
    let mut out = [0; SALT];
    out.copy_from_slice(&tag.as_ref()[..SALT]);
    out
}

fn unlock(connection: &Connection, key: &Key) -> rusqlite::Result<()> {
    let digits = Zeroizing::new(data_encoding::HEXLOWER.encode(key.bytes()));
    let salt = data_encoding::HEXLOWER.encode(&salt(key));
    // SQLCipher would write its own diagnosis to standard error; ours is the returned error.
    connection.execute_batch("PRAGMA cipher_log_level = NONE; PRAGMA cipher_memory_security = ON;")?;
    let sql = Zeroizing::new(format!("PRAGMA key = \"x'{}{salt}'\";", *digits));
    connection.execute_batch(&sql)
}

/// Runs `work` in one write transaction and counts one change.
pub(crate) fn change<T, E: From<rusqlite::Error>>(
    connection: &mut Connection,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.execute("UPDATE meta SET generation = generation + 1", [])?;
    transaction.commit()?;
    Ok(done)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
