//! Rows about agents: leases, denials, questions.

use rusqlite::{Connection, params};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::{StoreError, Tx};
use crate::gate::Lease;

/// Writes an agent's lease over.
pub(crate) fn put_lease(tx: &Tx<'_>, lease: &Lease) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO leases (agent, session, runtime, until) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (agent) DO UPDATE SET session = ?2, runtime = ?3, until = ?4",
    )?
    .execute(params![lease.agent.as_str(), lease.session.as_str(), lease.runtime, lease.until.0])?;
    Ok(())
}

/// Every lease, also those that have run out.
pub(crate) fn leases(conn: &Connection) -> Result<Vec<Lease>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT agent, session, runtime, until FROM leases ORDER BY agent")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get::<_, i64>(3)?))
    })?;
    rows.map(|row| {
        let (agent, session, runtime, until) = row?;
        Ok(Lease {
            agent: agent.parse().map_err(|_| StoreError::corrupt("leases"))?,
            session: session.parse().map_err(|_| StoreError::corrupt("leases"))?,
            runtime,
            until: Timestamp(until),
        })
    })
    .collect()
}

/// Notes that a person denied something to `agent`; gives how often that happened after `since`.
pub(crate) fn count_denial(tx: &Tx<'_>, agent: &AgentName, at: Timestamp, since: Timestamp) -> Result<u32, StoreError> {
    tx.prepare_cached("DELETE FROM denials WHERE agent = ?1 AND at <= ?2")?
        .execute(params![agent.as_str(), since.0])?;
    tx.prepare_cached("INSERT INTO denials (agent, at) VALUES (?1, ?2)")?.execute(params![agent.as_str(), at.0])?;
    Ok(tx
        .prepare_cached("SELECT count(*) FROM denials WHERE agent = ?1")?
        .query_row([agent.as_str()], |row| row.get(0))?)
}

/// An older build does without it.
pub(super) const QUESTIONS: &str = "CREATE TABLE IF NOT EXISTS questions (
    id            INTEGER PRIMARY KEY,
    agent         TEXT NOT NULL,
    at            INTEGER NOT NULL,
    refused       INTEGER NOT NULL    -- 1: nobody was asked, there were too many
) STRICT";

/// What people were asked about one agent of late.
pub(crate) struct Questions {
    /// Waiting now.
    pub(crate) waiting: u32,
    /// Asked since.
    pub(crate) asked: u32,
    /// Not asked since, because there were too many.
    pub(crate) refused: u32,
}

/// Counts them; those of before `since` are forgotten.
pub(crate) fn questions(tx: &Tx<'_>, agent: &AgentName, since: Timestamp) -> Result<Questions, StoreError> {
    tx.prepare_cached("DELETE FROM questions WHERE agent = ?1 AND at <= ?2")?
        .execute(params![agent.as_str(), since.0])?;
    let count = |sql: &str| -> Result<u32, StoreError> {
        Ok(tx.prepare_cached(sql)?.query_row([agent.as_str()], |row| row.get(0))?)
    };
    Ok(Questions {
        waiting: count("SELECT count(*) FROM calls WHERE state = 'pending' AND agent = ?1")?,
        asked: count("SELECT count(*) FROM questions WHERE agent = ?1 AND refused = 0")?,
        refused: count("SELECT count(*) FROM questions WHERE agent = ?1 AND refused = 1")?,
    })
}

/// Notes one more.
pub(crate) fn question(tx: &Tx<'_>, agent: &AgentName, at: Timestamp, refused: bool) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO questions (agent, at, refused) VALUES (?1, ?2, ?3)")?.execute(params![
        agent.as_str(),
        at.0,
        refused
    ])?;
    Ok(())
}
