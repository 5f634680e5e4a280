//! Calls that were let pass a moment ago: on disk and in the audit log, answered, and not yet among the calls.
//!
//! A row among the calls has eight indexes and a line of activity: thirteen pages of which each is written. An agent waits for its
//! answer meanwhile. So a call that may run at once is written down here, in a table without any index, together with its row of the
//! audit log; soon after, all that came together are put where they belong. Nobody else sees the difference: whoever reads or
//! writes anything through the store has them put away first.

use std::collections::HashSet;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, params};
use wardkeep_policy::Class;

use super::calls::{self, CallRow};
use super::{StoreError, Tx};
use crate::call::{CallKey, CallState};

/// An older build does without it: whoever goes back to one after a crash misses the calls of the last moment until the newer build
/// is there again. Columns as in `calls`.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS fresh_calls (
    id            INTEGER PRIMARY KEY,
    agent         TEXT NOT NULL,
    session       TEXT NOT NULL,
    call          TEXT NOT NULL,
    tool          TEXT NOT NULL,
    action        BLOB NOT NULL,
    action_digest BLOB NOT NULL,
    class         TEXT NOT NULL,
    rules         TEXT NOT NULL,
    title         TEXT NOT NULL,
    permit        TEXT NOT NULL,
    data          TEXT NOT NULL,
    at            INTEGER NOT NULL
) STRICT";

/// More than come together between two times that they are put away; beyond, each takes the long way.
const MOST: usize = 128;

/// What is written down and not put away.
#[derive(Debug, Default)]
pub(super) struct Fresh(HashSet<CallKey>);

impl Fresh {
    /// There is nothing of it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this call may be written down here: it is permitted, and nothing else of it has to be stored.
    pub(super) fn takes(&self, row: &CallRow) -> bool {
        let plain = row.approval.is_none() && row.factor.is_none() && row.action.is_some() && row.class.is_some();
        plain && matches!(row.state, CallState::Permitted { .. }) && self.0.len() < MOST && !self.0.contains(&row.key)
    }

    pub(super) fn put(&mut self, key: &CallKey) {
        self.0.insert(key.clone());
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Whether `row` is another call than all on record, and one that no person denied.
pub(super) fn is_new(tx: &Tx<'_>, row: &CallRow) -> Result<bool, StoreError> {
    let CallKey { agent, session, call } = &row.key;
    let known = tx
        .prepare_cached("SELECT 1 FROM calls WHERE agent = ?1 AND session = ?2 AND call = ?3")?
        .exists(params![agent.as_str(), session.as_str(), call.as_str()])?;
    Ok(!known && !calls::is_denied_by_person(tx, agent, session, row.action_digest)?)
}

/// Writes it down with its row of the audit log.
pub(super) fn insert(tx: &Tx<'_>, row: &CallRow) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO fresh_calls (agent, session, call, tool, action, action_digest, class, rules, title, permit, data, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        row.key.agent.as_str(),
        row.key.session.as_str(),
        row.key.call.as_str(),
        row.tool,
        row.action,
        row.action_digest.0,
        row.class.map(Class::as_str),
        serde_json::to_string(&row.fired)?,
        row.title,
        row.state.permit().map(|p| p.to_string()),
        serde_json::to_string(&row.state)?,
        row.created.0,
    ])?;
    calls::chain(tx, row)
}

/// Puts all of them among the calls, with their lines of activity, in the order in which they came.
///
/// One by one: what SQLite could have to take back within a transaction (many rows in one statement, `ABORT`), it copies before it
/// changes it, and for many rows it looks for each in the tables that refer to calls. Whatever fails here takes back everything.
pub(super) fn put_away(tx: &Tx<'_>) -> Result<(), StoreError> {
    let mut fresh = tx.prepare_cached(
        "SELECT agent, session, call, tool, class, title, at, action, action_digest, rules, permit, data
         FROM fresh_calls ORDER BY id",
    )?;
    // Where an older build has recorded the same call meanwhile, that one counts.
    let mut call = tx.prepare_cached(
        "INSERT OR IGNORE INTO calls (agent, session, call, tool, class, title, created_at, updated_at, action, action_digest, rules,
             permit, data, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11, ?12, 'permitted')",
    )?;
    let mut line = tx.prepare_cached(
        "INSERT OR FAIL INTO activity (agent, session, call, tool, class, summary, at, outcome)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'allowed')",
    )?;
    let mut rows = fresh.query([])?;
    while let Some(row) = rows.next()? {
        for (statement, columns) in [(&mut call, 12), (&mut line, 7)] {
            for column in 0..columns {
                statement.raw_bind_parameter(column + 1, ToSqlOutput::Borrowed(row.get_ref(column)?))?;
            }
            statement.raw_execute()?;
        }
    }
    tx.prepare_cached("DELETE FROM fresh_calls")?.execute([])?;
    Ok(())
}

/// Whether something was left by a life that ended before it was put away.
pub(super) fn is_left(conn: &Connection) -> Result<bool, StoreError> {
    Ok(conn.prepare("SELECT 1 FROM fresh_calls")?.exists([])?)
}
