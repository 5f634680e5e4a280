//! Calls that were let pass a moment ago: on disk and in the audit log, answered, and not yet among the calls.
//!
//! A row among the calls has eight indexes and a line of activity: thirteen pages of which each is written. An agent waits for its
//! answer meanwhile. So a call that may run at once is written down here, in a table without any index, together with its row of the
//! audit log; soon after, all that came together are put where they belong. Nobody else sees the difference: whoever reads or
//! writes anything through the store has them put away first.

use std::collections::HashSet;

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
pub(super) fn put_away(tx: &Tx<'_>) -> Result<(), StoreError> {
    // Where an older build has recorded the same call meanwhile, that one counts.
    const STEPS: [&str; 3] = [
        "INSERT OR IGNORE INTO calls (agent, session, call, tool, action, action_digest, class, rules, title, permit, state, data,
             created_at, updated_at)
         SELECT agent, session, call, tool, action, action_digest, class, rules, title, permit, 'permitted', data, at, at
         FROM fresh_calls ORDER BY id",
        "INSERT INTO activity (at, agent, session, call, tool, class, outcome, summary)
         SELECT at, agent, session, call, tool, class, 'allowed', title FROM fresh_calls ORDER BY id",
        "DELETE FROM fresh_calls",
    ];
    for step in STEPS {
        tx.prepare_cached(step)?.execute([])?;
    }
    Ok(())
}

/// Whether something was left by a life that ended before it was put away.
pub(super) fn is_left(conn: &Connection) -> Result<bool, StoreError> {
    Ok(conn.prepare("SELECT 1 FROM fresh_calls")?.exists([])?)
}
