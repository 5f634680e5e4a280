//! Rows of calls and their one way forward.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::json;
use wardkeep_policy::{Class, Factor, Fired};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{AgentName, PermitId, SessionId};
use wardkeep_proto::time::Timestamp;

use super::{StoreError, Tx, activity, digest_of_row};
use crate::audit;
use crate::call::{CallKey, CallState};

/// One call as it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallRow {
    pub(crate) id: i64,
    pub(crate) key: CallKey,
    pub(crate) tool: String,
    /// Canonical JSON, exactly what runs; `None` when it was refused at once.
    pub(crate) action: Option<Vec<u8>>,
    /// Over the call as it came.
    pub(crate) action_digest: Digest,
    pub(crate) class: Option<Class>,
    pub(crate) factor: Option<Factor>,
    pub(crate) fired: Vec<Fired>,
    pub(crate) title: String,
    pub(crate) approval: Option<Digest>,
    pub(crate) state: CallState,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

const COLUMNS: &str = "id, agent, session, call, tool, action, action_digest, class, factor, rules, title, approval, data, \
                       created_at, updated_at";

/// The id of a call without the signs that ids have. `OpenClaw` hands results in under ids of letters and digits alone.
pub(crate) const PLAIN_ID: &str =
    "replace(replace(replace(replace(replace(call, '_', ''), '-', ''), '|', ''), ':', ''), '.', '')";

/// Calls that the daemon's own MCP server carries out for a runtime. An older build does without it.
pub(super) const OWN: &str = "CREATE TABLE IF NOT EXISTS own_calls (
    call_id       INTEGER PRIMARY KEY REFERENCES calls (id)
) STRICT";

/// Calls whose runtime was told to come back and has not heard what became of them. An older build does without it.
pub(super) const UNHEARD: &str = "CREATE TABLE IF NOT EXISTS unheard_calls (
    call_id       INTEGER PRIMARY KEY REFERENCES calls (id)
) STRICT";

/// Notes whether its runtime still has to hear of this call.
pub(crate) fn mark_unheard(tx: &Tx<'_>, id: i64, unheard: bool) -> Result<(), StoreError> {
    let sql = match unheard {
        true => "INSERT OR IGNORE INTO unheard_calls (call_id) VALUES (?1)",
        false => "DELETE FROM unheard_calls WHERE call_id = ?1",
    };
    tx.prepare_cached(sql)?.execute([id])?;
    Ok(())
}

/// Whether it has.
pub(crate) fn is_unheard(conn: &Connection, id: i64) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("SELECT 1 FROM unheard_calls WHERE call_id = ?1")?.exists([id])?)
}

/// Notes that the daemon's own server is to carry this call out.
pub(crate) fn mark_own(tx: &Tx<'_>, id: i64) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT OR IGNORE INTO own_calls (call_id) VALUES (?1)")?.execute([id])?;
    Ok(())
}

/// Whether it is.
pub(crate) fn is_own(conn: &Connection, id: i64) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("SELECT 1 FROM own_calls WHERE call_id = ?1")?.exists([id])?)
}

/// Stores a new call with its audit and activity rows; gives its id.
pub(crate) fn insert(tx: &Tx<'_>, row: &CallRow) -> Result<i64, StoreError> {
    tx.prepare_cached(
        "INSERT INTO calls (agent, session, call, tool, action, action_digest, class, factor, rules, title, permit, approval,
             state, data, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        row.key.agent.as_str(),
        row.key.session.as_str(),
        row.key.call.as_str(),
        row.tool,
        row.action,
        row.action_digest.0,
        row.class.map(Class::as_str),
        row.factor.map(factor_name),
        serde_json::to_string(&row.fired)?,
        row.title,
        row.state.permit().map(|p| p.to_string()),
        row.approval.map(|d| d.0),
        row.state.name(),
        serde_json::to_string(&row.state)?,
        row.created.0,
        row.updated.0,
    ])?;
    let id = tx.last_insert_rowid();
    tell(tx, row)?;
    Ok(id)
}

/// Takes a call one step on, if the state it is in leads there; writes its audit and activity rows.
pub(crate) fn advance(tx: &Tx<'_>, row: CallRow, next: CallState, at: Timestamp) -> Result<CallRow, StoreError> {
    if !row.state.leads_to(&next) {
        return Err(StoreError::Transition { from: row.state.name(), to: next.name() });
    }
    let changed = tx
        .prepare_cached(
            "UPDATE calls SET permit = ?1, state = ?2, data = ?3, updated_at = ?4 WHERE id = ?5 AND state = ?6",
        )?
        .execute(params![
            next.permit().or(row.state.permit()).map(|p| p.to_string()),
            next.name(),
            serde_json::to_string(&next)?,
            at.0,
            row.id,
            row.state.name(),
        ])?;
    if changed != 1 {
        return Err(StoreError::corrupt("calls"));
    }
    let row = CallRow { state: next, updated: at, ..row };
    tell(tx, &row)?;
    Ok(row)
}

/// The audit row, and what people see of it.
fn tell(tx: &Tx<'_>, row: &CallRow) -> Result<(), StoreError> {
    chain(tx, row)?;
    match outcome(&row.state) {
        Some(outcome) => activity::append(tx, row.updated, row, outcome),
        None => Ok(()),
    }
}

/// The audit row.
pub(super) fn chain(tx: &Tx<'_>, row: &CallRow) -> Result<(), StoreError> {
    let mut fields = json!({
        "tool": row.tool,
        "action": row.action_digest,
        "class": row.class,
        "rules": row.fired.iter().map(|f| f.rule.as_str()).collect::<Vec<_>>(),
        "title": row.title,
    });
    if let Some(digest) = row.approval {
        fields["approval"] = json!(digest);
    }
    let mut state = serde_json::to_value(&row.state)?;
    if let Some(output) = state.pointer_mut("/result/output") {
        // The digest proves what the agent was told; the text stays in the row of the call.
        *output = json!(Digest::plain(output.as_str().unwrap_or_default().as_bytes()));
    }
    fields["state"] = state;
    audit::append(tx, row.updated, &format!("call-{}", row.state.name()), Some(&row.key), &fields)
}

/// The word of the live view; a step that is none for people has none.
const fn outcome(state: &CallState) -> Option<&'static str> {
    Some(match state {
        CallState::Permitted { .. } => "allowed",
        CallState::Pending { .. } => "pending",
        CallState::Approved { .. } => "approved",
        CallState::Claimed { .. } | CallState::Folded { .. } => return None,
        CallState::Done { .. } => "done",
        CallState::Failed { .. } => "failed",
        CallState::Interrupted { .. } => "interrupted",
        CallState::Denied { ruling: Some(_), .. } => "denied",
        CallState::Denied { ruling: None, .. } | CallState::Superseded { .. } => "refused",
        CallState::Expired { .. } => "expired",
    })
}

/// The call of that key.
pub(crate) fn by_key(conn: &Connection, key: &CallKey) -> Result<Option<CallRow>, StoreError> {
    one(
        conn,
        "agent = ?1 AND session = ?2 AND call = ?3",
        params![key.agent.as_str(), key.session.as_str(), key.call.as_str()],
    )
}

/// The call that counts for that key: the one it was folded into, or itself.
pub(crate) fn counting(conn: &Connection, key: &CallKey) -> Result<Option<CallRow>, StoreError> {
    match by_key(conn, key)? {
        Some(CallRow { state: CallState::Folded { into }, .. }) => by_key(conn, &into),
        row => Ok(row),
    }
}

/// The call that holds that permit.
pub(crate) fn by_permit(conn: &Connection, permit: PermitId) -> Result<Option<CallRow>, StoreError> {
    one(conn, "permit = ?1", params![permit.to_string()])
}

/// The call that asked for that approval.
pub(crate) fn by_approval(conn: &Connection, digest: Digest) -> Result<Option<CallRow>, StoreError> {
    one(conn, "approval = ?1", params![digest.0])
}

/// The same call of the same session in `state`, the newest.
pub(crate) fn alike(
    conn: &Connection,
    agent: &AgentName,
    session: &SessionId,
    action: Digest,
    state: &str,
) -> Result<Option<CallRow>, StoreError> {
    one(
        conn,
        "agent = ?1 AND session = ?2 AND action_digest = ?3 AND state = ?4 ORDER BY id DESC LIMIT 1",
        params![agent.as_str(), session.as_str(), action.0, state],
    )
}

/// The same call of the same session of which its runtime still has to hear, the newest.
pub(crate) fn unheard(
    conn: &Connection,
    agent: &AgentName,
    session: &SessionId,
    action: Digest,
) -> Result<Option<CallRow>, StoreError> {
    one(
        conn,
        "agent = ?1 AND session = ?2 AND action_digest = ?3 AND id IN (SELECT call_id FROM unheard_calls)
         ORDER BY id DESC LIMIT 1",
        params![agent.as_str(), session.as_str(), action.0],
    )
}

pub(super) const DENIED: &str = "agent = ?1 AND session = ?2 AND action_digest = ?3 AND state = 'denied' \
                                 AND data ->> '$.ruling.verdict' = 'denied' ORDER BY id LIMIT 1";

/// The same call of the same session that a person denied.
pub(crate) fn denied_by_person(
    conn: &Connection,
    agent: &AgentName,
    session: &SessionId,
    action: Digest,
) -> Result<Option<CallRow>, StoreError> {
    one(conn, DENIED, params![agent.as_str(), session.as_str(), action.0])
}

/// Whether there is one.
pub(super) fn is_denied_by_person(
    conn: &Connection,
    agent: &AgentName,
    session: &SessionId,
    action: Digest,
) -> Result<bool, StoreError> {
    let found = format!("SELECT 1 FROM calls WHERE {DENIED}");
    Ok(conn.prepare_cached(&found)?.exists(params![agent.as_str(), session.as_str(), action.0])?)
}

/// Every call in `state`, oldest first.
pub(crate) fn in_state(conn: &Connection, state: &str) -> Result<Vec<CallRow>, StoreError> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM calls WHERE state = ?1 ORDER BY id"))?;
    let rows = statement.query_map([state], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

pub(super) const SINCE: &str = "state = ?1 AND updated_at <= ?2 ORDER BY id";

/// Every call that has been in `state` since `before` or longer, oldest first.
pub(crate) fn in_state_since(conn: &Connection, state: &str, before: Timestamp) -> Result<Vec<CallRow>, StoreError> {
    let mut statement = conn.prepare_cached(&sql(SINCE))?;
    let rows = statement.query_map(params![state, before.0], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

pub(super) const AFTER: &str = "state = ?1 AND updated_at > ?2 ORDER BY id";

/// Every call that came into `state` after `since`, oldest first.
pub(crate) fn in_state_after(conn: &Connection, state: &str, since: Timestamp) -> Result<Vec<CallRow>, StoreError> {
    let mut statement = conn.prepare_cached(&sql(AFTER))?;
    let rows = statement.query_map(params![state, since.0], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

pub(super) const APPROVED: &str = "state = 'claimed' AND approval IS NOT NULL ORDER BY id";

/// Every call that a person approved and that is under way, oldest first.
pub(crate) fn claimed_after_approval(conn: &Connection) -> Result<Vec<CallRow>, StoreError> {
    let mut statement = conn.prepare_cached(&sql(APPROVED))?;
    let rows = statement.query_map([], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

/// Calls before `id`, newest first, at most `limit`; those that were folded into another one are left out.
pub(crate) fn before(conn: &Connection, id: i64, limit: u32) -> Result<Vec<CallRow>, StoreError> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM calls WHERE id < ?1 AND state <> 'folded' ORDER BY id DESC LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![id, limit], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

pub(super) fn sql(wanted: &str) -> String {
    format!("SELECT {COLUMNS} FROM calls WHERE {wanted}")
}

fn one(conn: &Connection, wanted: &str, values: impl rusqlite::Params) -> Result<Option<CallRow>, StoreError> {
    conn.prepare_cached(&sql(wanted))?.query_row(values, |row| Ok(read(row))).optional()?.transpose()
}

fn read(row: &Row<'_>) -> Result<CallRow, StoreError> {
    const BAD: StoreError = StoreError::corrupt("calls");
    let class: Option<String> = row.get(7)?;
    let factor: Option<String> = row.get(8)?;
    Ok(CallRow {
        id: row.get(0)?,
        key: CallKey {
            agent: row.get::<_, String>(1)?.parse().map_err(|_| BAD)?,
            session: row.get::<_, String>(2)?.parse().map_err(|_| BAD)?,
            call: row.get::<_, String>(3)?.parse().map_err(|_| BAD)?,
        },
        tool: row.get(4)?,
        action: row.get(5)?,
        action_digest: digest_of_row(row, 6)?,
        class: class.map(|c| c.parse()).transpose().map_err(|_| BAD)?,
        factor: factor.map(|f| factor_named(&f).ok_or(BAD)).transpose()?,
        fired: serde_json::from_str(&row.get::<_, String>(9)?)?,
        title: row.get(10)?,
        approval: row.get::<_, Option<[u8; 32]>>(11)?.map(Digest),
        state: serde_json::from_str(&row.get::<_, String>(12)?)?,
        created: Timestamp(row.get(13)?),
        updated: Timestamp(row.get(14)?),
    })
}

const fn factor_name(factor: Factor) -> &'static str {
    match factor {
        Factor::Person => "person",
        Factor::Passkey => "passkey",
    }
}

fn factor_named(name: &str) -> Option<Factor> {
    match name {
        "person" => Some(Factor::Person),
        "passkey" => Some(Factor::Passkey),
        _ => None,
    }
}
