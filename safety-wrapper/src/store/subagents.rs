//! Rows of sub-agents: which sessions of an agent were started by which, as its runtime says, and the starts that are under way.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use wardkeep_policy::agents::subagents::{TOO_DEEP, is_subagent, starts};
use wardkeep_policy::{Action, AgentPolicy};
use wardkeep_proto::ids::{AgentName, SessionId};
use wardkeep_proto::time::Timestamp;

use super::{StoreError, Tx};

/// An older build does without it.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS subagents (
    agent         TEXT NOT NULL,
    session       TEXT NOT NULL,
    parent        TEXT NOT NULL,      -- the session that started it
    since         INTEGER NOT NULL,
    PRIMARY KEY (agent, session)
) STRICT";

/// One sub-agent that its runtime says is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subagent {
    /// Its session.
    pub session: SessionId,
    /// The session that started it.
    pub parent: SessionId,
}

/// An agent's sub-agents as they stand here.
#[derive(Debug, Default)]
pub(crate) struct Kin {
    parents: HashMap<SessionId, SessionId>,
    /// Starts that were allowed and have no result yet: each becomes a sub-agent at any moment.
    starting: usize,
}

impl Kin {
    /// Reads what stands there for who calls; the call `but` itself is none that is under way.
    pub(crate) fn of(conn: &Connection, action: &Action, but: Option<i64>, now: Timestamp) -> Result<Self, StoreError> {
        let agent = &action.agent;
        let mut find = conn.prepare_cached("SELECT session, parent FROM subagents WHERE agent = ?1")?;
        let rows = find.query_map([agent.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let mut kin = Self::default();
        for row in rows {
            let (session, parent) = row?;
            let bad = StoreError::corrupt("subagents");
            let (Ok(session), Ok(parent)) = (session.parse(), parent.parse()) else { return Err(bad) };
            kin.parents.insert(session, parent);
        }
        if starts(&action.tool) {
            kin.starting = starting(conn, agent, but, now)?;
        }
        Ok(kin)
    }

    /// Whether this session belongs to a sub-agent, whatever its name is.
    pub(crate) fn is_below(&self, session: &SessionId) -> bool {
        is_subagent(session) || self.parents.contains_key(session)
    }

    /// Why a call may not be: a start too deep, or one too many.
    pub(crate) fn refuse(&self, action: &Action, agent: &AgentPolicy) -> Option<String> {
        if !starts(&action.tool) {
            return None;
        }
        if self.depth(&action.session).is_none_or(|depth| depth >= agent.subagents.depth) {
            return Some(TOO_DEEP.to_owned());
        }
        let there = self.parents.len() + self.starting;
        (there >= usize::from(agent.subagents.count)).then(|| {
            format!(
                "{} has {there} sub-agents, as many as `subagents` of the policy lets it have; wait until one has ended",
                agent.name
            )
        })
    }

    /// Generations above this session; `None` where that is not known for sure.
    fn depth(&self, session: &SessionId) -> Option<u8> {
        let mut at = session;
        for depth in 0..=u8::MAX {
            match self.parents.get(at) {
                Some(parent) => at = parent,
                None => return (!is_subagent(at)).then_some(depth),
            }
        }
        None
    }
}

/// Starts of `agent` that may still become a sub-agent. One whose result never came counts as long as its permit would.
fn starting(conn: &Connection, agent: &AgentName, but: Option<i64>, now: Timestamp) -> Result<usize, StoreError> {
    let since = now.0 - i64::try_from(wardkeep_proto::limits::USE_BY.as_millis()).unwrap_or(i64::MAX);
    let mut find = conn.prepare_cached(
        "SELECT tool FROM calls WHERE state IN ('permitted', 'claimed') AND agent = ?1 AND updated_at > ?2 AND id IS NOT ?3",
    )?;
    let tools = find.query_map(params![agent.as_str(), since, but], |row| row.get::<_, String>(0))?;
    Ok(tools.collect::<Result<Vec<_>, _>>()?.iter().filter(|tool| starts(tool)).count())
}

/// Puts `all` in the place of what stood there; gives whether that is another list.
pub(crate) fn replace(tx: &Tx<'_>, agent: &AgentName, all: &[Subagent], at: Timestamp) -> Result<bool, StoreError> {
    let mut find = tx.prepare_cached("SELECT session, parent FROM subagents WHERE agent = ?1")?;
    let rows = find.query_map([agent.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut before = rows.collect::<Result<Vec<_>, _>>()?;
    let mut after: Vec<_> = all.iter().map(|one| (one.session.to_string(), one.parent.to_string())).collect();
    before.sort();
    after.sort();
    if before == after {
        return Ok(false);
    }
    tx.prepare_cached("DELETE FROM subagents WHERE agent = ?1")?.execute([agent.as_str()])?;
    let mut insert =
        tx.prepare_cached("INSERT OR REPLACE INTO subagents (agent, session, parent, since) VALUES (?1, ?2, ?3, ?4)")?;
    for (session, parent) in &after {
        insert.execute(params![agent.as_str(), session, parent, at.0])?;
    }
    Ok(true)
}
