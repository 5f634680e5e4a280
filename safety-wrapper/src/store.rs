//! `gate.db`: one SQLite file, one writer connection, every change one named transaction.

pub(crate) mod activity;
pub(crate) mod approvals;
pub(crate) mod calls;
mod fresh;
pub(crate) mod grants;
pub(crate) mod holds;
pub(crate) mod passkeys;
pub(crate) mod people;
pub(crate) mod subagents;
mod tx;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use wardkeep_proto::digest::Digest;

use calls::CallRow;
use fresh::Fresh;
pub(crate) use tx::Tx;

/// What this build reads and writes. A daemon that knows no stop must not open a file that may hold one.
const SCHEMA: i64 = 2;
/// First SQLite without the write-ahead-log reset fault; design, section 7.
const OLDEST_SQLITE: i32 = 3_051_003;
/// The tables that judging a call reads.
const PAST: [&str; 4] = ["grant_uses", "grants_revoked", "grants_given", "subagents"];
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
    open: Mutex<Open>,
    /// Counts changes of [`PAST`].
    past: Arc<AtomicU64>,
}

struct Open {
    conn: Connection,
    fresh: Fresh,
}

impl Store {
    /// Opens or makes the file.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(StoreError::OldSqlite(rusqlite::version().to_owned()));
        }
        let mut conn = Connection::open(path)?;
        conn.busy_timeout(BUSY)?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "foreign_keys", "ON")?;
        conn.pragma_update(None, "trusted_schema", "OFF")?;
        // Otherwise a kept statement with a bound LIMIT is prepared anew each time, for a plan that is the same.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        conn.set_prepared_statement_cache_capacity(96);
        let past = Arc::new(AtomicU64::new(0));
        let changed = Arc::clone(&past);
        // By SQLite itself, so that nobody can forget it. Nothing in them is deleted as a whole table, which it would not tell.
        conn.update_hook(Some(move |_, _: &str, table: &str, _| {
            if PAST.contains(&table) {
                changed.fetch_add(1, Ordering::SeqCst);
            }
        }))?;
        let store = Self { open: Mutex::new(Open { conn, fresh: Fresh::default() }), past };
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
            tx.execute_batch(fresh::TABLE)?;
            tx.execute_batch(calls::UNHEARD)?;
            approvals::index(tx)?;
            tx.execute_batch("CREATE INDEX IF NOT EXISTS calls_by_id ON calls (agent, call)")?;
            // With the time: what is due is found without reading what is not.
            tx.execute_batch(
                "DROP INDEX IF EXISTS calls_by_state;
                 CREATE INDEX IF NOT EXISTS calls_by_state_since ON calls (state, updated_at)",
            )?;
            // With the state: an agent that repeats a call all day is not to have all of them read each time.
            tx.execute_batch(
                "DROP INDEX IF EXISTS calls_alike;
                 CREATE INDEX IF NOT EXISTS calls_alike_by_state ON calls (agent, session, action_digest, state)",
            )?;
            tx.execute_batch(&format!(
                "CREATE INDEX IF NOT EXISTS calls_by_plain_id ON calls (agent, {})",
                calls::PLAIN_ID
            ))?;
            if fresh::is_left(tx)? { fresh::put_away(tx) } else { Ok(()) }
        })?;
        Ok(store)
    }

    /// One transaction that writes: all of it, or nothing.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let open = &mut *self.hold();
        let tx = Tx::begin(&open.conn)?;
        if !open.fresh.is_empty() {
            fresh::put_away(&tx)?;
        }
        let out = change(&tx)?;
        tx.commit()?;
        open.fresh.clear();
        Ok(out)
    }

    /// Reads one consistent state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let open = &mut *self.hold();
        match open.settle() {
            // What is on record is told on a full disk, too; what waits is so recent that its call has not been answered for long.
            Ok(()) | Err(StoreError::Full) => look(&open.conn),
            Err(error) => Err(error),
        }
    }

    /// As [`Store::read`], of what calls that were let pass a moment ago cannot have changed: grants, sub-agents, holds.
    pub(crate) fn glance<T>(&self, look: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        look(&self.hold().conn)
    }

    /// Grows with each change of what judging a call reads. Within a look it stays as it is.
    pub(crate) fn past_revision(&self) -> u64 {
        self.past.load(Ordering::SeqCst)
    }

    /// Records a call that may run at once, in one short transaction; `false` where it takes the long way, and nothing was written.
    ///
    /// `may`: asked inside the transaction.
    pub(crate) fn pass(
        &self,
        row: &CallRow,
        may: impl FnOnce(&Tx<'_>) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        let open = &mut *self.hold();
        if !open.fresh.takes(row) {
            return Ok(false);
        }
        let tx = Tx::begin(&open.conn)?;
        if !fresh::is_new(&tx, row)? || !may(&tx)? {
            return Ok(false);
        }
        fresh::insert(&tx, row)?;
        tx.commit()?;
        open.fresh.put(&row.key);
        Ok(true)
    }

    // A panic inside a transaction rolls it back when it is dropped: the connection stays usable.
    fn hold(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the file grow to `pages` pages at most: a full disk for tests.
    #[cfg(test)]
    pub(crate) fn limit_pages(&self, pages: u32) {
        let conn = &self.hold().conn;
        conn.pragma_query_value(None, "page_count", |row| row.get::<_, u32>(0))
            .and_then(|now| {
                let limit = if pages == 0 { now } else { pages };
                conn.query_row(&format!("PRAGMA max_page_count = {limit}"), [], |_| Ok(()))
            })
            .expect("a pragma");
    }
}

impl Open {
    /// Puts away what was let pass.
    fn settle(&mut self) -> Result<(), StoreError> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        let tx = Tx::begin(&self.conn)?;
        fresh::put_away(&tx)?;
        tx.commit()?;
        self.fresh.clear();
        Ok(())
    }
}

/// A digest out of a column.
pub(crate) fn digest_of_row(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    row.get::<_, [u8; 32]>(column).map(Digest)
}

#[cfg(test)]
mod tests;
