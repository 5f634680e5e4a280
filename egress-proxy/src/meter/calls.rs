//! Calls of tools that models asked for: so that a result is known for one after a restart, too.

use rusqlite::{OptionalExtension as _, Row, params};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::store::Within;
use crate::gate_memory::{Gave, Kept, Key, Recalled, Tool};

/// Calls are forgotten after so long: 90 days, in milliseconds.
const LIFE_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// Calls that are kept.
const KEPT: i64 = 200_000;

/// Calls of one tool without ids that a request's results are compared with.
const OF_A_TOOL: i64 = 4096;

/// What was handed in for a call, from its row's first columns.
fn gave(row: &Row<'_>) -> Result<Option<Gave>, rusqlite::Error> {
    let (print, bytes): (Option<[u8; 16]>, Option<i64>) = (row.get(0)?, row.get(1)?);
    Ok(print.zip(bytes).map(|(print, bytes)| Gave { print, bytes: bytes.unsigned_abs() }))
}

impl Within<'_> {
    pub(super) fn remember(&self, agent: &AgentName, calls: &[Kept], now: Timestamp) -> Result<(), rusqlite::Error> {
        let mut insert = self.0.prepare_cached(
            "INSERT INTO asked_calls (agent, call, asked_ms, result, result_bytes) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (agent, call) DO UPDATE SET \
                 result = coalesce(excluded.result, result), result_bytes = coalesce(excluded.result_bytes, result_bytes)",
        )?;
        for Kept { key, gave } in calls {
            let bytes = gave.map(|gave| i64::try_from(gave.bytes).unwrap_or(i64::MAX));
            insert.execute(params![agent.as_str(), key, now.millis(), gave.map(|gave| gave.print), bytes])?;
        }
        Ok(())
    }

    pub(super) fn recall(&self, agent: &AgentName, calls: &[Key]) -> Result<Recalled, rusqlite::Error> {
        let mut find =
            self.0.prepare_cached("SELECT result, result_bytes FROM asked_calls WHERE agent = ?1 AND call = ?2")?;
        let mut kept = Vec::new();
        for key in calls {
            let found = find.query_row(params![agent.as_str(), key], gave);
            kept.extend(found.optional()?.map(|gave| Kept { key: *key, gave }));
        }
        Ok(Recalled { kept, since: self.since(agent)? })
    }

    /// The newest calls of one tool that have no id.
    pub(super) fn recall_tool(&self, agent: &AgentName, tool: Tool) -> Result<Recalled, rusqlite::Error> {
        let [from, to] = [0, u8::MAX].map(|rest| [tool, [rest; 8]].concat());
        let mut find = self.0.prepare_cached(
            "SELECT result, result_bytes, call FROM asked_calls WHERE agent = ?1 AND call BETWEEN ?2 AND ?3 \
             ORDER BY asked_ms DESC LIMIT ?4",
        )?;
        let rows = find.query_map(params![agent.as_str(), from, to, OF_A_TOOL], |row| {
            Ok(Kept { key: row.get(2)?, gave: gave(row)? })
        })?;
        Ok(Recalled { kept: rows.collect::<Result<_, _>>()?, since: self.since(agent)? })
    }

    /// Since when calls of the agent are known.
    fn since(&self, agent: &AgentName) -> Result<Option<Timestamp>, rusqlite::Error> {
        let since: Option<i64> = self
            .0
            .prepare_cached("SELECT min(asked_ms) FROM asked_calls WHERE agent = ?1")?
            .query_row([agent.as_str()], |row| row.get(0))?;
        Ok(since.map(Timestamp))
    }

    /// Forgets the calls that are too old or too many.
    pub(super) fn forget_calls(&self, now: Timestamp) -> Result<(), rusqlite::Error> {
        let long_ago = now.millis().saturating_sub(LIFE_MS);
        self.0.prepare_cached("DELETE FROM asked_calls WHERE asked_ms < ?1")?.execute([long_ago])?;
        let kept: i64 = self.0.prepare_cached("SELECT count(*) FROM asked_calls")?.query_row([], |row| row.get(0))?;
        if kept > KEPT {
            self.0
                .prepare_cached(
                    "DELETE FROM asked_calls WHERE (agent, call) IN \
                         (SELECT agent, call FROM asked_calls ORDER BY asked_ms LIMIT ?1)",
                )?
                .execute([kept - KEPT])?;
        }
        Ok(())
    }
}
