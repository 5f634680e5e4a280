//! The adapter to a database: one writer thread, a few readers, one function for transactions.
//!
//! SQL is written once for SQLite and PostgreSQL; what differs between them is in this file. Jobs that wait together
//! are committed together: each runs in its own savepoint, one `fsync` serves them all, and nobody hears of success
//! before the commit.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::value::{Row, Value};

/// Numbered schema steps; never edited once released.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_initial.sql"),
    include_str!("../../migrations/0002_usage_by_price.sql"),
    include_str!("../../migrations/0003_passkeys.sql"),
    include_str!("../../migrations/0004_keys.sql"),
    include_str!("../../migrations/0005_drafts.sql"),
    include_str!("../../migrations/0006_grants.sql"),
    include_str!("../../migrations/0007_transports.sql"),
];
/// First SQLite with the fix of the WAL-reset corruption.
const OLDEST_SQLITE: i32 = 3_051_003;
/// How long a statement waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(10);
/// Jobs that may wait before callers do.
const QUEUE: usize = 1024;
/// Jobs that share one commit at most.
const BATCH: usize = 128;
/// Threads that read.
const READERS: usize = 2;
/// Longest statement has this many parameters.
const NAMES: [&str; 24] = [
    "$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$16", "$17",
    "$18", "$19", "$20", "$21", "$22", "$23", "$24",
];

/// One open transaction (or one consistent reader).
#[derive(Debug)]
pub(crate) struct Tx<'c>(&'c Connection);

impl Tx<'_> {
    /// Changes rows; says how many.
    pub(crate) fn execute(&self, sql: &'static str, args: &[Value]) -> Result<u64, StoreError> {
        let fail = |source| StoreError::statement(sql, source);
        let mut statement = self.0.prepare_cached(sql).map_err(fail)?;
        bind(sql, &mut statement, args)?;
        Ok(u64::try_from(statement.raw_execute().map_err(fail)?).unwrap_or(u64::MAX))
    }

    /// Reads rows.
    pub(crate) fn query(&self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>, StoreError> {
        let fail = |source| StoreError::statement(sql, source);
        let mut statement = self.0.prepare_cached(sql).map_err(fail)?;
        bind(sql, &mut statement, args)?;
        let width = statement.column_count();
        let mut rows = statement.raw_query();
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(fail)? {
            let mut columns = Vec::with_capacity(width);
            for at in 0..width {
                columns.push(match row.get_ref(at).map_err(fail)? {
                    rusqlite::types::ValueRef::Null => Value::Null,
                    rusqlite::types::ValueRef::Integer(int) => Value::Int(int),
                    // What is no text is a fault of its row, not of the rows beside it.
                    rusqlite::types::ValueRef::Text(text) => {
                        String::from_utf8(text.to_vec()).map_or_else(|odd| Value::Blob(odd.into_bytes()), Value::Text)
                    }
                    rusqlite::types::ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
                    rusqlite::types::ValueRef::Real(_) => return Err(StoreError::Row { query: sql }),
                });
            }
            out.push(Row::new(sql, columns));
        }
        Ok(out)
    }

    /// Reads at most one row.
    pub(crate) fn first(&self, sql: &'static str, args: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, args)?.into_iter().next())
    }
}

fn bind(sql: &'static str, statement: &mut rusqlite::CachedStatement<'_>, args: &[Value]) -> Result<(), StoreError> {
    let fail = |source| StoreError::statement(sql, source);
    for (name, value) in NAMES.iter().zip(args) {
        // SQLite numbers `$1` by first appearance, PostgreSQL by the digit: binding by name makes both the same.
        let Some(at) = statement.parameter_index(name).map_err(fail)? else { continue };
        match value {
            Value::Null => statement.raw_bind_parameter(at, rusqlite::types::Null),
            Value::Int(int) => statement.raw_bind_parameter(at, int),
            Value::Text(text) => statement.raw_bind_parameter(at, text),
            Value::Blob(bytes) => statement.raw_bind_parameter(at, bytes),
        }
        .map_err(fail)?;
    }
    Ok(())
}

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Job = Box<dyn FnOnce(&Tx<'_>) -> (bool, Answer) + Send>;

/// A database that is open; cheap to clone. Its threads end when the last handle is gone.
#[derive(Clone)]
pub struct Db {
    writer: mpsc::Sender<Job>,
    readers: mpsc::Sender<Job>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Db(..)")
    }
}

impl Db {
    /// Opens (or makes) the SQLite file at `path` and brings its schema up to date.
    ///
    /// # Errors
    /// An SQLite older than 3.51.3, a schema newer than this program, an unreadable or corrupt file.
    pub fn open_sqlite(path: &Path) -> Result<Self, StoreError> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(StoreError::OldSqlite { found: rusqlite::version().to_owned() });
        }
        let mut connection = connect(path)?;
        migrate(&mut connection, path)?;
        let (writer, jobs) = mpsc::channel(QUEUE);
        spawn("hub-db-write", path, move || write_loop(&connection, jobs))?;
        let (readers, jobs) = mpsc::channel(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..READERS {
            let connection = connect(path)?;
            connection.pragma_update(None, "query_only", true).map_err(|source| StoreError::open(path, source))?;
            let jobs = Arc::clone(&jobs);
            spawn("hub-db-read", path, move || read_loop(&connection, &jobs))?;
        }
        Ok(Self { writer, readers })
    }

    /// Runs `body` in one transaction that begins as a writer. An error rolls back all of it; success means it is on disk.
    pub(crate) async fn run_tx<T, F>(&self, name: &'static str, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        ask(&self.writer, name, body).await
    }

    /// Runs `body` on a connection that cannot write.
    pub(crate) async fn read<T, F>(&self, name: &'static str, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        ask(&self.readers, name, body).await
    }
}

async fn ask<T, F>(to: &mpsc::Sender<Job>, name: &'static str, body: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
{
    let (answer, answered) = oneshot::channel();
    let asked = Instant::now();
    let job: Job = Box::new(move |tx| {
        let outcome = body(tx);
        let keep = outcome.is_ok();
        let tell = move |committed: Result<(), StoreError>| {
            // Nobody may be waiting any more; the work is done all the same.
            let _ = answer.send(outcome.and_then(|value| committed.map(|()| value)));
        };
        (keep, Box::new(tell))
    });
    to.send(job).await.map_err(|_| StoreError::Stopped)?;
    let outcome = answered.await.map_err(|_| StoreError::Stopped)?;
    tracing::trace!(tx = name, micros = asked.elapsed().as_micros(), ok = outcome.is_ok(), "store");
    outcome
}

fn spawn(name: &str, path: &Path, body: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    spawned.map(drop).map_err(|source| StoreError::Thread { path: path.to_owned(), source })
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let fail = |source| StoreError::open(path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    connection.busy_timeout(BUSY).map_err(fail)?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(fail)?;
    // Otherwise a kept statement with a bound LIMIT is prepared anew each time, for a plan that is the same.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(fail)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let fail = |source| StoreError::open(path, source);
    connection.execute_batch("BEGIN IMMEDIATE").map_err(fail)?;
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
    let (found, known) = (found as usize, MIGRATIONS.len());
    if found > known {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known });
    }
    for text in MIGRATIONS.iter().skip(found) {
        connection.execute_batch(&sqlite_text(text)).map_err(fail)?;
    }
    connection.pragma_update(None, "user_version", u32::try_from(known).unwrap_or(u32::MAX)).map_err(fail)?;
    connection.execute_batch("COMMIT").map_err(fail)
}

/// The two words in which SQLite's strict tables differ from the common text.
fn sqlite_text(common: &str) -> String {
    common.replace(" BIGINT", " INTEGER").replace("\n);", "\n) STRICT;")
}

fn write_loop(connection: &Connection, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            let Ok(next) = jobs.try_recv() else { break };
            batch.push(next);
        }
        commit(connection, batch);
    }
}

/// One transaction for a batch; each job's failure undoes that job only.
fn commit(connection: &Connection, batch: Vec<Job>) {
    if let Err(source) = connection.execute_batch("BEGIN IMMEDIATE") {
        let why = StoreError::statement("BEGIN IMMEDIATE", source);
        return refuse(batch, &why);
    }
    let tx = Tx(connection);
    let mut answers = Vec::with_capacity(batch.len());
    for job in batch {
        // A full disk rolls everything back by itself; a savepoint would then begin (and commit) on its own.
        if connection.is_autocommit() || connection.execute_batch("SAVEPOINT job").is_err() {
            break;
        }
        let (keep, answer) = job(&tx);
        answers.push(answer);
        if connection.execute_batch(if keep { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" }).is_err() {
            break;
        }
    }
    // Without a transaction COMMIT fails, and everybody hears of it.
    let outcome = connection.execute_batch("COMMIT").map_err(|source| StoreError::statement("COMMIT", source));
    if outcome.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    for answer in answers {
        answer(outcome.as_ref().map(|_| ()).map_err(StoreError::again));
    }
}

fn refuse(batch: Vec<Job>, why: &StoreError) {
    tracing::error!(error = %why, "no transaction can begin");
    // Dropping a job drops its answer: callers see `Stopped`, which is what it is for them.
    drop(batch);
}

fn read_loop(connection: &Connection, jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = match jobs.lock() {
            Ok(mut jobs) => jobs.blocking_recv(),
            Err(_) => None,
        };
        let Some(job) = job else { return };
        if let Err(source) = connection.execute_batch("BEGIN") {
            tracing::error!(error = %source, "no read can begin");
            continue;
        }
        let (_, answer) = job(&Tx(connection));
        let _ = connection.execute_batch("COMMIT");
        answer(Ok(()));
    }
}

/// Where the file of a hub is.
pub fn file_in(data_dir: &Path) -> PathBuf {
    data_dir.join("hub.db")
}
