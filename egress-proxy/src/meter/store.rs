//! The SQL of the meter. A transaction is the only way to it.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ToSql, params, params_from_iter};
use wardkeep_proto::time::Timestamp;

use super::journal::{Entry, Left};
use super::open::{Open, Pending, RunKey, RunSum, Sum};
use super::schema::STEPS;
use super::{BucketKey, MeterError};

mod reading;

use reading::count;

/// SQLite 3.51.3 mended the reset of a write-ahead log (docs/decisions/0001).
const OLDEST_SQLITE: i32 = 3_051_003;
/// Highest schema this build knows.
const SCHEMA: i64 = STEPS.len() as i64;
/// For another process to let go of the file; there is none but a daemon that is just ending.
const BUSY: Duration = Duration::from_secs(1);

/// Highest total of one bucket or run; the hub takes no higher one, and a sum of many stays in range.
const MOST: i64 = (1 << 50) - 1;
/// Sessions and runs are forgotten when nothing came for so long: 90 days, in milliseconds.
const RUN_LIFE_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// Sessions and runs that are kept; an agent may name a new run with each request.
const RUNS_KEPT: i64 = 50_000;

/// The totals of buckets and runs, in the order in which they are written.
const TOTALS: [&str; 11] = [
    "requests",
    "estimated_requests",
    "guessed_price_requests",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "cost_micros",
    "cost_rest",
];

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
        // Otherwise a kept statement with a bound LIMIT is prepared anew each time, for a plan that is the same.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let mut store = Self(connection);
        let found: i64 = store.0.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let steps = usize::try_from(found).ok().and_then(|found| STEPS.get(found..));
        let steps = steps.ok_or(MeterError::NewerSchema { found, known: SCHEMA })?;
        if !steps.is_empty() {
            store.write(|within| {
                steps.iter().try_for_each(|step| within.0.execute_batch(step))?;
                within.0.pragma_update(None, "user_version", SCHEMA)
            })?;
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

    /// The number of the journal up to which the tables know it.
    pub(super) fn folded(&self) -> Result<u64, MeterError> {
        let folded: i64 = self.0.query_row("SELECT folded FROM journal", [], |row| row.get(0))?;
        Ok(folded.unsigned_abs())
    }

    /// Takes up what the last process left: counts what it settled, and closes what it left open as estimates
    /// ([`Open::left_behind`]).
    pub(super) fn take_up(&mut self, left: Option<Left>, now: Timestamp) -> Result<(), MeterError> {
        let mut pending = Pending::default();
        self.write(|within| within.left_open(&mut pending))?;
        let number = match left {
            Some(left) => {
                left.entries.into_iter().for_each(|entry| pending.take(entry));
                left.number
            }
            None => self.folded()?,
        };
        let open: Vec<Entry<'_>> = pending.open.iter().map(|(row, open)| open.left_behind(*row, now)).collect();
        let closed = open.len();
        open.into_iter().for_each(|entry| pending.take(entry));
        self.fold(&mut pending, number)?;
        self.write(|within| within.forget_runs(now))?;
        if closed > 0 {
            tracing::warn!(
                requests = closed,
                "closed requests that were under way when the daemon last ended, as estimates"
            );
        }
        Ok(())
    }

    /// Writes what the tables do not know, and that they know the journal up to `number` now.
    pub(super) fn fold(&mut self, pending: &mut Pending, number: u64) -> Result<(), MeterError> {
        self.write(|within| within.fold(pending, number))?;
        pending.folded();
        Ok(())
    }
}

/// Inside one transaction.
pub(super) struct Within<'a>(pub(super) &'a rusqlite::Transaction<'a>);

impl Within<'_> {
    /// What was open when the tables were last written.
    fn left_open(&self, pending: &mut Pending) -> Result<(), rusqlite::Error> {
        let mut rows = self.0.prepare(
            "SELECT id, agent, provider, model, admitted_ms, estimated_input, price_input, guessed_price, session, run, \
                 span, held_tokens, held_micros FROM open_requests ORDER BY id",
        )?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let open = Open {
                agent: reading::agent(row, 1)?,
                provider: row.get(2)?,
                model: row.get(3)?,
                admitted: Timestamp(row.get(4)?),
                estimated_input: count(row, 5)?,
                price_input: count(row, 6)?,
                guessed_price: row.get(7)?,
                session: row.get(8)?,
                run: row.get(9)?,
                span: row.get(10)?,
                max_output: count(row, 11)?,
                price_output: count(row, 12)?,
            };
            pending.in_table.push(row.get(0)?);
            pending.open.insert(row.get(0)?, open);
        }
        Ok(())
    }

    fn fold(&self, pending: &Pending, number: u64) -> Result<(), rusqlite::Error> {
        for (BucketKey { agent, provider, model, hour }, sum) in &pending.buckets {
            let (agent, hour, totals) = (agent.as_str(), hour.millis(), totals(sum));
            let key: [&dyn ToSql; 4] = [&agent, provider, model, &hour];
            self.0
                .prepare_cached(FOLD_BUCKET.get_or_init(|| fold("buckets", "agent, provider, model, hour_ms", BUCKET)))?
                .execute(params_from_iter(key.into_iter().chain(totals.iter().map(|total| total as &dyn ToSql))))?;
        }
        for (RunKey { agent, session, run }, RunSum { sum, span, first, last }) in &pending.runs {
            let (agent, first, last, totals) = (agent.as_str(), first.millis(), last.millis(), totals(sum));
            let key: [&dyn ToSql; 6] = [&agent, session, run, span, &first, &last];
            self.0
                .prepare_cached(FOLD_RUN.get_or_init(|| fold("runs", "agent, session, run", RUN)))?
                .execute(params_from_iter(key.into_iter().chain(totals.iter().map(|total| total as &dyn ToSql))))?;
        }
        for (agent, calls, at) in &pending.calls {
            self.remember(agent, calls, *at)?;
        }
        self.put_open(pending)?;
        self.0.prepare_cached("UPDATE journal SET folded = ?1")?.execute([integer(number)])?;
        Ok(())
    }

    /// Makes the table of open requests what is open.
    fn put_open(&self, pending: &Pending) -> Result<(), rusqlite::Error> {
        let mut delete = self.0.prepare_cached("DELETE FROM open_requests WHERE id = ?1")?;
        for row in pending.in_table.iter().filter(|row| !pending.open.contains_key(row)) {
            delete.execute([row])?;
        }
        let mut insert = self.0.prepare_cached(
            "INSERT OR IGNORE INTO open_requests (id, agent, provider, model, admitted_ms, estimated_input, price_input, \
                 guessed_price, session, run, span, held_tokens, held_micros) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?;
        for (row, open) in &pending.open {
            insert.execute(params![
                row,
                open.agent.as_str(),
                open.provider,
                open.model,
                open.admitted.millis(),
                integer(open.estimated_input),
                integer(open.price_input),
                open.guessed_price,
                open.session,
                open.run,
                open.span,
                integer(open.max_output),
                integer(open.price_output),
            ])?;
        }
        Ok(())
    }

    /// Forgets the sessions and runs that are too old or too many.
    pub(super) fn forget_runs(&self, now: Timestamp) -> Result<(), rusqlite::Error> {
        let long_ago = now.millis().saturating_sub(RUN_LIFE_MS);
        self.0.prepare_cached("DELETE FROM runs WHERE first_ms < ?1 AND last_ms < ?1")?.execute([long_ago])?;
        let kept: i64 = self.0.prepare_cached("SELECT count(*) FROM runs")?.query_row([], |row| row.get(0))?;
        if kept > RUNS_KEPT {
            self.0
                .prepare_cached(
                    "DELETE FROM runs WHERE (agent, session, run) IN \
                         (SELECT agent, session, run FROM runs ORDER BY first_ms LIMIT ?1)",
                )?
                .execute([kept - RUNS_KEPT])?;
        }
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
}

/// What stands before the totals of a row: columns, values, and what a second request changes.
struct Front {
    columns: &'static str,
    values: &'static str,
    parameters: usize,
    changes: &'static str,
}

const BUCKET: Front = Front {
    columns: "agent, provider, model, hour_ms, revision",
    // With each request, the first of the totals.
    values: "?1, ?2, ?3, ?4, ?5",
    parameters: 4,
    changes: "revision = revision + ?5",
};
const RUN: Front = Front {
    columns: "agent, session, run, span, first_ms, last_ms",
    values: "?1, ?2, ?3, ?4, ?5, ?6",
    parameters: 6,
    changes: "span=?4, last_ms=max(last_ms,?6)",
};

static FOLD_BUCKET: OnceLock<String> = OnceLock::new();
static FOLD_RUN: OnceLock<String> = OnceLock::new();

/// The statement that adds requests to their row. Totals stop at [`MOST`]; what is left over of the cost is carried. Kept
/// short: it is looked up by its text.
fn fold(table: &str, key: &str, front: Front) -> String {
    let Front { columns, values, parameters, changes } = front;
    let places: Vec<String> = (1..=TOTALS.len()).map(|at| format!("?{}", parameters + at)).collect();
    let added: Vec<String> = TOTALS
        .iter()
        .zip(&places)
        .map(|(total, new)| match *total {
            // `cost_rest` is the last one: its value before the change counts on the right side.
            "cost_micros" => {
                format!("cost_micros=min(cost_micros+{new}+(cost_rest+?{})/1000000,{MOST})", parameters + TOTALS.len())
            }
            "cost_rest" => format!("cost_rest=(cost_rest+{new})%1000000"),
            total => format!("{total}=min({total}+{new},{MOST})"),
        })
        .collect();
    format!(
        "INSERT INTO {table} ({columns},{}) VALUES ({values},{}) ON CONFLICT ({key}) DO UPDATE SET {changes},{}",
        TOTALS.join(","),
        places.join(","),
        added.join(",")
    )
}

/// [`TOTALS`] of settled requests.
fn totals(sum: &Sum) -> [i64; TOTALS.len()] {
    let Sum { requests, estimated, guessed, usage, cost } = sum;
    let (micros, rest) = cost.split();
    [
        *requests,
        *estimated,
        *guessed,
        usage.input,
        usage.output,
        usage.cache_read,
        usage.cache_write,
        usage.cache_write_1h,
        usage.reasoning,
        micros,
        rest,
    ]
    .map(|total| integer(total).min(MOST))
}

fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
