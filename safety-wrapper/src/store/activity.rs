//! Rows for the live view of calls, numbered for ever.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::Timestamp;

use super::calls::CallRow;
use super::{StoreError, Tx};

/// Longest [`ActivityRow::summary`], bytes; `proto/wardkeep/v1/wardkeep.proto`.
pub(crate) const SUMMARY_BYTES: usize = 512;

/// One step of one call, for people; redacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityRow {
    /// Grows by each row, never given twice.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Which agent.
    pub agent: String,
    /// In which session.
    pub session: String,
    /// Which call.
    pub call: String,
    /// The tool as the agent names it.
    pub tool: String,
    /// `green`, `yellow`, `yellow_external`, `red`, `critical_red`; empty when it was not found out.
    pub class: String,
    /// `allowed`, `pending`, `approved`, `denied`, `done`, `failed`, `expired`, `interrupted`, `refused`;
    /// `notice` for what is about no call.
    pub outcome: String,
    /// One line, at most 512 bytes.
    pub summary: String,
    /// The call's approval.
    pub digest: Option<Digest>,
}

/// Adds one row about `call`.
pub(crate) fn append(tx: &Tx<'_>, at: Timestamp, call: &CallRow, outcome: &str) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO activity (at, agent, session, call, tool, class, outcome, summary, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        at.0,
        call.key.agent.as_str(),
        call.key.session.as_str(),
        call.key.call.as_str(),
        call.tool,
        call.class.map_or("", wardkeep_policy::Class::as_str),
        outcome,
        call.title,
        call.approval.map(|d| d.0),
    ])?;
    Ok(())
}

/// Adds one line that is about no call.
pub(crate) fn notice(tx: &Tx<'_>, at: Timestamp, about: &str, summary: &str) -> Result<(), StoreError> {
    let summary = &summary[..summary.floor_char_boundary(SUMMARY_BYTES)];
    tx.prepare_cached(
        "INSERT INTO activity (at, agent, session, call, tool, class, outcome, summary, digest)
         VALUES (?1, '', '', '', ?2, '', 'notice', ?3, NULL)",
    )?
    .execute(params![at.0, about, summary])?;
    Ok(())
}

/// Rows after `number`, oldest first.
pub(crate) fn after(conn: &Connection, number: u64, limit: u32) -> Result<Vec<ActivityRow>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT number, at, agent, session, call, tool, class, outcome, summary, digest
         FROM activity WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let rows = statement.query_map(params![i64::try_from(number).unwrap_or(i64::MAX), limit], |row| {
        Ok(ActivityRow {
            number: row.get::<_, i64>(0)?.unsigned_abs(),
            at: Timestamp(row.get(1)?),
            agent: row.get(2)?,
            session: row.get(3)?,
            call: row.get(4)?,
            tool: row.get(5)?,
            class: row.get(6)?,
            outcome: row.get(7)?,
            summary: row.get(8)?,
            digest: row.get::<_, Option<[u8; 32]>>(9)?.map(Digest),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The highest number given; 0 when there is none.
pub(crate) fn head(conn: &Connection) -> Result<u64, StoreError> {
    let number: Option<i64> =
        conn.prepare_cached("SELECT max(number) FROM activity")?.query_row([], |row| row.get(0))?;
    Ok(number.unwrap_or(0).unsigned_abs())
}
