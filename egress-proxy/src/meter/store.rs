//! The SQL of the meter. A transaction is the only way to it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use wardkeep_policy::Price;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::{Admission, Amounts, Bucket, BucketKey, MeterError, Total};
use crate::price::cost_micros;
use crate::usage::Usage;

/// SQLite 3.51.3 mended the reset of a write-ahead log (docs/decisions/0001).
const OLDEST_SQLITE: i32 = 3_051_003;
/// Highest schema this build knows.
const SCHEMA: i64 = 1;
/// For another process to let go of the file; there is none but a daemon that is just ending.
const BUSY: Duration = Duration::from_secs(1);

const CREATE: &str = "
-- Requests that the provider may have seen and whose usage is not known yet.
CREATE TABLE open_requests (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    agent           TEXT NOT NULL,
    provider        TEXT NOT NULL,
    model           TEXT NOT NULL,
    admitted_ms     INTEGER NOT NULL, -- UTC, milliseconds since 1970
    estimated_input INTEGER NOT NULL, -- tokens
    -- Millionths of a US dollar per million tokens, at the time of asking.
    price_input     INTEGER NOT NULL
) STRICT;
-- Totals of one hour; they only grow.
CREATE TABLE buckets (
    agent              TEXT NOT NULL,
    provider           TEXT NOT NULL,
    model              TEXT NOT NULL,
    hour_ms            INTEGER NOT NULL, -- start of the hour, UTC, milliseconds since 1970
    revision           INTEGER NOT NULL, -- rises with each change
    acked              INTEGER NOT NULL DEFAULT 0, -- highest revision on the hub's disk
    requests           INTEGER NOT NULL,
    estimated_requests INTEGER NOT NULL,
    input_tokens       INTEGER NOT NULL,
    output_tokens      INTEGER NOT NULL,
    cache_read_tokens  INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens   INTEGER NOT NULL,
    cost_micros        INTEGER NOT NULL, -- millionths of a US dollar
    PRIMARY KEY (agent, provider, model, hour_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX buckets_due ON buckets (hour_ms) WHERE revision > acked;
";

const SUMS: &str = "requests, estimated_requests, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, \
                    reasoning_tokens, cost_micros";

/// The one connection.
pub(super) struct Store(Connection);

impl Store {
    /// Opens or makes the file; exclusively, because a second process would close this one's open requests.
    pub(super) fn open(path: &Path) -> Result<Self, MeterError> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(MeterError::OldSqlite(rusqlite::version()));
        }
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let mut store = Self(connection);
        let found: i64 = store.0.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match found {
            0 => store.write(|within| {
                within.0.execute_batch(CREATE)?;
                within.0.pragma_update(None, "user_version", SCHEMA)
            })?,
            SCHEMA => {}
            found => return Err(MeterError::NewerSchema { found, known: SCHEMA }),
        }
        Ok(store)
    }

    /// Runs `work` in one transaction that takes the write lock at once; any error undoes all of it.
    pub(super) fn write<T>(
        &mut self,
        work: impl FnOnce(&Within<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, MeterError> {
        let transaction = self.0.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let value = work(&Within(&transaction))?;
        transaction.commit()?;
        Ok(value)
    }

    /// Runs SQL that makes the file behave badly.
    #[cfg(test)]
    pub(super) fn sabotage(&self, sql: &str) {
        self.0.execute_batch(sql).expect("valid SQL");
    }

    /// Closes what a crash left open: the input as estimated, no output, marked.
    pub(super) fn close_left_open(&mut self) -> Result<(), MeterError> {
        let closed = self.write(|within| {
            let mut rows =
                within.0.prepare("SELECT id, estimated_input, price_input FROM open_requests ORDER BY id")?;
            let rows: Vec<(i64, u64, u64)> = rows
                .query_map([], |row| Ok((row.get(0)?, count(row, 1)?, count(row, 2)?)))?
                .collect::<Result<_, _>>()?;
            for (id, input, price) in &rows {
                let usage = Usage { input: *input, ..Usage::default() };
                let cost = cost_micros(&Price { input: *price, ..Price::default() }, &usage);
                within.settle(*id, &usage, cost, true)?;
            }
            Ok(rows.len())
        })?;
        if closed > 0 {
            tracing::warn!(
                requests = closed,
                "closed requests that were under way when the daemon last ended, as estimates"
            );
        }
        Ok(())
    }
}

/// Inside one transaction.
pub(super) struct Within<'a>(&'a rusqlite::Transaction<'a>);

impl Within<'_> {
    pub(super) fn admit(&self, admission: &Admission, now: Timestamp) -> Result<i64, rusqlite::Error> {
        self.0
            .prepare_cached(
                "INSERT INTO open_requests (agent, provider, model, admitted_ms, estimated_input, price_input) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                admission.agent.as_str(),
                admission.provider,
                admission.model,
                now.millis(),
                integer(admission.estimated_input),
                integer(admission.price.input),
            ])?;
        Ok(self.0.last_insert_rowid())
    }

    /// Folds an open request into its bucket; a request that is not open (any more) changes nothing.
    pub(super) fn settle(
        &self,
        row: i64,
        usage: &Usage,
        cost_micros: u64,
        estimated: bool,
    ) -> Result<(), rusqlite::Error> {
        let key = self
            .0
            .prepare_cached("DELETE FROM open_requests WHERE id = ?1 RETURNING agent, provider, model, admitted_ms")?
            .query_row([row], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                    Timestamp(row.get(3)?),
                ))
            })
            .optional()?;
        let Some((agent, provider, model, admitted)) = key else { return Ok(()) };
        self.0
            .prepare_cached(
                "INSERT INTO buckets (agent, provider, model, hour_ms, revision, requests, estimated_requests, \
                     input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_micros) \
                 VALUES (?1, ?2, ?3, ?4, 1, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
                 ON CONFLICT (agent, provider, model, hour_ms) DO UPDATE SET \
                     revision = revision + 1, \
                     requests = requests + 1, \
                     estimated_requests = estimated_requests + excluded.estimated_requests, \
                     input_tokens = input_tokens + excluded.input_tokens, \
                     output_tokens = output_tokens + excluded.output_tokens, \
                     cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens, \
                     cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens, \
                     reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens, \
                     cost_micros = cost_micros + excluded.cost_micros",
            )?
            .execute(params![
                agent,
                provider,
                model,
                admitted.hour().millis(),
                i64::from(estimated),
                integer(usage.input),
                integer(usage.output),
                integer(usage.cache_read),
                integer(usage.cache_write),
                integer(usage.reasoning),
                integer(cost_micros),
            ])?;
        Ok(())
    }

    pub(super) fn void(&self, row: i64) -> Result<(), rusqlite::Error> {
        self.0.prepare_cached("DELETE FROM open_requests WHERE id = ?1")?.execute([row])?;
        Ok(())
    }

    pub(super) fn acknowledge(&self, key: &BucketKey, revision: u64) -> Result<(), rusqlite::Error> {
        self.0
            .prepare_cached(
                "UPDATE buckets SET acked = max(acked, min(revision, ?5)) \
                 WHERE agent = ?1 AND provider = ?2 AND model = ?3 AND hour_ms = ?4",
            )?
            .execute(params![key.agent.as_str(), key.provider, key.model, key.hour.millis(), integer(revision)])?;
        Ok(())
    }

    pub(super) fn to_report(&self, limit: u32) -> Result<Vec<Bucket>, rusqlite::Error> {
        self.0
            .prepare_cached(&format!(
                "SELECT agent, provider, model, {SUMS}, hour_ms, revision FROM buckets \
                 WHERE revision > acked ORDER BY hour_ms, agent, provider, model LIMIT ?1"
            ))?
            .query_map([limit], |row| {
                let (agent, provider, model) = names(row)?;
                let hour = Timestamp(row.get(11)?);
                let key = BucketKey { agent, provider, model, hour };
                Ok(Bucket { key, revision: count(row, 12)?, amounts: amounts(row)? })
            })?
            .collect()
    }

    pub(super) fn totals(&self, since: Timestamp) -> Result<Vec<Total>, rusqlite::Error> {
        let sums: Vec<String> = SUMS.split(", ").map(|column| format!("sum({column})")).collect();
        self.0
            .prepare_cached(&format!(
                "SELECT agent, provider, model, {} FROM buckets WHERE hour_ms >= ?1 \
                 GROUP BY agent, provider, model ORDER BY agent, provider, model",
                sums.join(", ")
            ))?
            .query_map([since.millis()], |row| {
                let (agent, provider, model) = names(row)?;
                Ok(Total { agent, provider, model, amounts: amounts(row)? })
            })?
            .collect()
    }
}

fn names(row: &Row<'_>) -> Result<(AgentName, String, String), rusqlite::Error> {
    let agent: String = row.get(0)?;
    let agent = agent
        .parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))?;
    Ok((agent, row.get(1)?, row.get(2)?))
}

/// The eight columns of [`SUMS`], from the fourth on.
fn amounts(row: &Row<'_>) -> Result<Amounts, rusqlite::Error> {
    Ok(Amounts {
        requests: count(row, 3)?,
        estimated_requests: count(row, 4)?,
        input_tokens: count(row, 5)?,
        output_tokens: count(row, 6)?,
        cache_read_tokens: count(row, 7)?,
        cache_write_tokens: count(row, 8)?,
        reasoning_tokens: count(row, 9)?,
        cost_micros: count(row, 10)?,
    })
}

fn count(row: &Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    row.get::<_, i64>(column).map(|n| u64::try_from(n).unwrap_or(0))
}

fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
