//! `gate.db`: one SQLite file, one writer connection, every change one named transaction.

pub(crate) mod activity;
pub(crate) mod approvals;
pub(crate) mod calls;
pub(crate) mod grants;
pub(crate) mod holds;
pub(crate) mod passkeys;
pub(crate) mod people;
pub(crate) mod subagents;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use wardkeep_proto::digest::Digest;

/// What this build reads and writes. A daemon that knows no stop must not open a file that may hold one.
const SCHEMA: i64 = 2;
/// First SQLite without the write-ahead-log reset fault; design, section 7.
const OLDEST_SQLITE: i32 = 3_051_003;
/// How long another process (the CLI reading) may hold the file.
const BUSY: Duration = Duration::from_secs(10);

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space: nothing of the transaction is there.
    #[error("the disk is full; free space in the state folder")]
    Full,
    /// Written by a newer daemon.
    #[error("{path} has schema {found}, this build knows {SCHEMA}; install the newer daemon again")]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its number.
        found: i64,
    },
    /// This binary was built with an SQLite that can lose writes.
    #[error("SQLite {0} is older than 3.51.3 and can lose writes; this build must not run")]
    OldSqlite(String),
    /// A row does not read as what it should be.
    #[error("a row of {0} in gate.db is damaged; run `wardkeep-agent doctor`")]
    Corrupt(&'static str),
    /// A row is not in the state that the change starts from.
    #[error("the call is {from}, it cannot become {to}")]
    Transition {
        /// Where it is.
        from: &'static str,
        /// Where it was to go.
        to: &'static str,
    },
    /// Everything else that SQLite says.
    #[error("gate.db refused")]
    Sqlite(#[source] rusqlite::Error),
}

impl StoreError {
    pub(crate) const fn corrupt(table: &'static str) -> Self {
        Self::Corrupt(table)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(_: serde_json::Error) -> Self {
        // The text of a JSON error may quote the row.
        Self::Corrupt("JSON")
    }
}

/// The open file.
pub(crate) struct Store {
    conn: Mutex<Connection>,
}

impl Store {
    /// Opens or makes the file.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(StoreError::OldSqlite(rusqlite::version().to_owned()));
        }
        let conn = Connection::open(path)?;
        conn.busy_timeout(BUSY)?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "foreign_keys", "ON")?;
        conn.pragma_update(None, "trusted_schema", "OFF")?;
        // Otherwise a kept statement with a bound LIMIT is prepared anew each time, for a plan that is the same.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        conn.set_prepared_statement_cache_capacity(64);
        let store = Self { conn: Mutex::new(conn) };
        store.write(|tx| {
            let found: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
            match found {
                0 => {
                    tx.execute_batch(include_str!("store/schema.sql"))?;
                    tx.pragma_update(None, "user_version", SCHEMA)?;
                    Ok(())
                }
                1 => {
                    tx.execute_batch(include_str!("store/holds.sql"))?;
                    tx.pragma_update(None, "user_version", SCHEMA)?;
                    Ok(())
                }
                SCHEMA => Ok(()),
                found => Err(StoreError::Newer { path: path.to_owned(), found }),
            }?;
            // An older build does without it.
            tx.execute_batch(passkeys::TABLE)?;
            tx.execute_batch(grants::TABLES)?;
            tx.execute_batch(people::QUESTIONS)?;
            tx.execute_batch(subagents::TABLE)?;
            tx.execute_batch(calls::OWN)?;
            approvals::index(tx)?;
            tx.execute_batch("CREATE INDEX IF NOT EXISTS calls_by_id ON calls (agent, call)")?;
            // With the state: an agent that repeats a call all day is not to have all of them read each time.
            tx.execute_batch(
                "DROP INDEX IF EXISTS calls_alike;
                 CREATE INDEX IF NOT EXISTS calls_alike_by_state ON calls (agent, session, action_digest, state)",
            )?;
            Ok(tx.execute_batch(&format!(
                "CREATE INDEX IF NOT EXISTS calls_by_plain_id ON calls (agent, {})",
                calls::PLAIN_ID
            ))?)
        })?;
        Ok(store)
    }

    /// One transaction that writes: all of it, or nothing.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // A panic inside a transaction rolls it back when it is dropped: the connection stays usable.
        let conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = Transaction::new_unchecked(&conn, TransactionBehavior::Immediate)?;
        let out = change(&tx)?;
        tx.commit()?;
        Ok(out)
    }

    /// Reads one consistent state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        look(&conn)
    }

    /// Lets the file grow to `pages` pages at most: a full disk for tests.
    #[cfg(test)]
    pub(crate) fn limit_pages(&self, pages: u32) {
        let conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        conn.pragma_query_value(None, "page_count", |row| row.get::<_, u32>(0))
            .and_then(|now| {
                let limit = if pages == 0 { now } else { pages };
                conn.query_row(&format!("PRAGMA max_page_count = {limit}"), [], |_| Ok(()))
            })
            .expect("a pragma");
    }
}

/// A digest out of a column.
pub(crate) fn digest_of_row(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    row.get::<_, [u8; 32]>(column).map(Digest)
}

#[cfg(test)]
mod tests;
