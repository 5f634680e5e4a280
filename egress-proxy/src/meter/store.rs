//! The SQL of the meter. A transaction is the only way to it.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params, params_from_iter};
use wardkeep_policy::Price;
use wardkeep_proto::time::Timestamp;

use super::schema::STEPS;
use super::{Admission, BucketKey, MeterError, Run, Settlement};
use crate::price::Cost;
use crate::trace::Trace;
use crate::usage::Usage;

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

    /// Closes what a crash left open: the input as estimated, no output, marked.
    pub(super) fn close_left_open(&mut self, now: Timestamp) -> Result<(), MeterError> {
        let closed = self.write(|within| {
            let mut rows =
                within.0.prepare("SELECT id, estimated_input, price_input FROM open_requests ORDER BY id")?;
            let rows: Vec<(i64, u64, u64)> = rows
                .query_map([], |row| Ok((row.get(0)?, count(row, 1)?, count(row, 2)?)))?
                .collect::<Result<_, _>>()?;
            for (id, input, price) in &rows {
                let usage = Usage { input: *input, ..Usage::default() };
                let cost = Cost::of(&Price { input: *price, ..Price::default() }, &usage);
                within.settle(*id, &Settlement { usage, estimated: true }, cost, now)?;
            }
            within.forget_runs(now)?;
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
pub(super) struct Within<'a>(pub(super) &'a rusqlite::Transaction<'a>);

impl Within<'_> {
    /// The highest number of an open request; 0 where there is none.
    pub(super) fn highest_row(&self) -> Result<i64, rusqlite::Error> {
        self.0.query_row("SELECT coalesce(max(id), 0) FROM open_requests", [], |row| row.get(0))
    }

    pub(super) fn admit(&self, row: i64, admission: &Admission, now: Timestamp) -> Result<(), rusqlite::Error> {
        let Run { session, trace } = &admission.run;
        let need = admission.need();
        self.0
            .prepare_cached(
                "INSERT INTO open_requests (id, agent, provider, model, admitted_ms, estimated_input, price_input, \
                     guessed_price, session, run, span, held_tokens, held_micros) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                row,
                admission.agent.as_str(),
                admission.provider,
                admission.model,
                now.millis(),
                integer(admission.estimated_input),
                integer(admission.tariff.price.input),
                admission.tariff.guessed,
                session.as_ref().map_or("", |session| session.as_str()),
                trace.as_ref().map_or("", Trace::id),
                trace.as_ref().map_or("", Trace::span),
                i64::try_from(need.tokens).unwrap_or(i64::MAX),
                integer(need.cost.micros_up()),
            ])?;
        Ok(())
    }

    /// Folds an open request into its bucket and its run; a request that is not open (any more) changes nothing.
    pub(super) fn settle(
        &self,
        row: i64,
        settlement: &Settlement,
        cost: Cost,
        now: Timestamp,
    ) -> Result<(), rusqlite::Error> {
        let closed = self
            .0
            .prepare_cached(
                "DELETE FROM open_requests WHERE id = ?1 \
                 RETURNING agent, provider, model, admitted_ms, session, run, span, guessed_price",
            )?
            .query_row([row], Closed::of)
            .optional()?;
        let Some(closed) = closed else { return Ok(()) };
        let totals = totals(settlement, cost, closed.guessed_price);
        let hour = closed.admitted.hour().millis();
        let key: [&dyn ToSql; 4] = [&closed.agent, &closed.provider, &closed.model, &hour];
        self.0
            .prepare_cached(FOLD_BUCKET.get_or_init(|| fold("buckets", "agent, provider, model, hour_ms", BUCKET)))?
            .execute(params_from_iter(key.into_iter().chain(totals.iter().map(|total| total as &dyn ToSql))))?;
        let now = now.millis();
        let key: [&dyn ToSql; 5] = [&closed.agent, &closed.session, &closed.run, &closed.span, &now];
        self.0
            .prepare_cached(FOLD_RUN.get_or_init(|| fold("runs", "agent, session, run", RUN)))?
            .execute(params_from_iter(key.into_iter().chain(totals.iter().map(|total| total as &dyn ToSql))))?;
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
}

/// An open request as it was.
struct Closed {
    agent: String,
    provider: String,
    model: String,
    admitted: Timestamp,
    session: String,
    run: String,
    span: String,
    guessed_price: bool,
}

impl Closed {
    fn of(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            agent: row.get(0)?,
            provider: row.get(1)?,
            model: row.get(2)?,
            admitted: Timestamp(row.get(3)?),
            session: row.get(4)?,
            run: row.get(5)?,
            span: row.get(6)?,
            guessed_price: row.get(7)?,
        })
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
    values: "?1, ?2, ?3, ?4, 1",
    parameters: 4,
    changes: "revision = revision + 1",
};
const RUN: Front = Front {
    columns: "agent, session, run, span, first_ms, last_ms",
    values: "?1, ?2, ?3, ?4, ?5, ?5",
    parameters: 5,
    changes: "span=?4, last_ms=max(last_ms,?5)",
};

static FOLD_BUCKET: OnceLock<String> = OnceLock::new();
static FOLD_RUN: OnceLock<String> = OnceLock::new();

/// The statement that adds a request to its row. Totals stop at [`MOST`]; what is left over of the cost is carried. Kept
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

/// [`TOTALS`] of one request.
fn totals(settlement: &Settlement, cost: Cost, guessed_price: bool) -> [i64; TOTALS.len()] {
    let Settlement { usage, estimated } = settlement;
    let (micros, rest) = cost.split();
    [
        1,
        u64::from(*estimated),
        u64::from(guessed_price),
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
