//! What is read of the usage file.

use rusqlite::{Row, params};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::super::{Amounts, Bucket, BucketKey, By, Line, Total};
use super::{TOTALS, Within};
use crate::budget::Amount;
use crate::price::Cost;

impl Within<'_> {
    /// What `scope` used in the hours from `start` to before `end`.
    pub(in crate::meter) fn used(
        &self,
        scope: Option<&AgentName>,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Amount, rusqlite::Error> {
        self.0
            .prepare_cached(
                "SELECT coalesce(sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens), 0), \
                     coalesce(sum(cost_micros), 0), coalesce(sum(cost_rest), 0) \
                 FROM buckets WHERE hour_ms >= ?1 AND hour_ms < ?2 AND (?3 IS NULL OR agent = ?3)",
            )?
            .query_row(params![start.millis(), end.millis(), scope.map(AgentName::as_str)], |row| {
                Ok(Amount { tokens: u128::from(count(row, 0)?), cost: Cost::join(count(row, 1)?, count(row, 2)?) })
            })
    }

    pub(in crate::meter) fn to_report(&self, limit: u32) -> Result<Vec<Bucket>, rusqlite::Error> {
        self.0
            .prepare_cached(&format!(
                "SELECT agent, provider, model, hour_ms, revision, {} FROM buckets \
                 WHERE revision > acked ORDER BY hour_ms, agent, provider, model LIMIT ?1",
                TOTALS.join(", ")
            ))?
            .query_map([limit], |row| {
                let key = BucketKey {
                    agent: agent(row, 0)?,
                    provider: row.get(1)?,
                    model: row.get(2)?,
                    hour: Timestamp(row.get(3)?),
                };
                Ok(Bucket { key, revision: count(row, 4)?, amounts: amounts(row, 5)? })
            })?
            .collect()
    }

    pub(in crate::meter) fn totals(&self, since: Timestamp) -> Result<Vec<Total>, rusqlite::Error> {
        self.0
            .prepare_cached(&format!(
                "SELECT agent, provider, model, {} FROM buckets WHERE hour_ms >= ?1 \
                 GROUP BY agent, provider, model ORDER BY agent, provider, model",
                sums()
            ))?
            .query_map([since.millis()], |row| {
                Ok(Total {
                    agent: agent(row, 0)?,
                    provider: row.get(1)?,
                    model: row.get(2)?,
                    amounts: amounts(row, 3)?,
                })
            })?
            .collect()
    }

    /// Lines for people: buckets of the hours from `since` on by name, sessions and runs by their last request, newest first.
    pub(in crate::meter) fn lines(&self, by: By, since: Timestamp, limit: u32) -> Result<Vec<Line>, rusqlite::Error> {
        let (names, table, time, group, order) = match by {
            By::Agent => ("NULL, NULL, NULL, NULL, NULL, NULL, NULL", "buckets", "hour_ms", "agent", "agent"),
            By::Model => (
                "provider, model, NULL, NULL, NULL, NULL, NULL",
                "buckets",
                "hour_ms",
                "agent, provider, model",
                "agent, provider, model",
            ),
            By::Session => (
                "NULL, NULL, session, NULL, NULL, min(first_ms), max(last_ms)",
                "runs",
                "last_ms",
                "agent, session",
                "max(last_ms) DESC, agent, session",
            ),
            By::Run => (
                "NULL, NULL, session, run, span, first_ms, last_ms",
                "runs",
                "last_ms",
                "agent, session, run",
                "last_ms DESC, agent, session, run",
            ),
        };
        self.0
            .prepare_cached(&format!(
                "SELECT agent, {names}, {} FROM {table} WHERE {time} >= ?1 GROUP BY {group} ORDER BY {order} LIMIT ?2",
                sums()
            ))?
            .query_map(params![since.millis(), limit], |row| {
                Ok(Line {
                    agent: agent(row, 0)?,
                    provider: row.get(1)?,
                    model: row.get(2)?,
                    session: row.get(3)?,
                    run: row.get(4)?,
                    span: row.get(5)?,
                    first: row.get::<_, Option<i64>>(6)?.map(Timestamp),
                    last: row.get::<_, Option<i64>>(7)?.map(Timestamp),
                    amounts: amounts(row, 8)?,
                })
            })?
            .collect()
    }
}

fn sums() -> String {
    TOTALS.map(|total| format!("sum({total})")).join(", ")
}

pub(super) fn agent(row: &Row<'_>, column: usize) -> Result<AgentName, rusqlite::Error> {
    let agent: String = row.get(column)?;
    agent.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// [`TOTALS`], from column `at` on.
fn amounts(row: &Row<'_>, at: usize) -> Result<Amounts, rusqlite::Error> {
    Ok(Amounts {
        requests: count(row, at)?,
        estimated_requests: count(row, at + 1)?,
        guessed_price_requests: count(row, at + 2)?,
        input_tokens: count(row, at + 3)?,
        output_tokens: count(row, at + 4)?,
        cache_read_tokens: count(row, at + 5)?,
        cache_write_tokens: count(row, at + 6)?,
        cache_write_1h_tokens: count(row, at + 7)?,
        reasoning_tokens: count(row, at + 8)?,
        cost_micros: Cost::join(count(row, at + 9)?, count(row, at + 10)?).micros_up(),
    })
}

pub(super) fn count(row: &Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    row.get::<_, i64>(column).map(|n| u64::try_from(n).unwrap_or(0))
}
