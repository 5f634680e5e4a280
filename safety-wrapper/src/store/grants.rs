//! Rows of grants: each use, and those that were taken back on this server.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Transaction, params};
use wardkeep_policy::Grant;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::{StoreError, digest_of_row};

/// An older build does without them.
pub(super) const TABLES: &str = "CREATE TABLE IF NOT EXISTS grant_uses (
    grant_id      BLOB NOT NULL,
    call_id       INTEGER NOT NULL REFERENCES calls (id),
    agent         TEXT NOT NULL,
    at            INTEGER NOT NULL,
    PRIMARY KEY (grant_id, call_id)
) STRICT;
CREATE INDEX IF NOT EXISTS grant_uses_of_agent ON grant_uses (agent);
CREATE TABLE IF NOT EXISTS grants_revoked (
    grant_id      BLOB PRIMARY KEY,
    agent         TEXT NOT NULL,
    at            INTEGER NOT NULL,
    by            TEXT NOT NULL       -- who, for people
) STRICT";

/// What became of an agent's grants on this server.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    used: HashMap<Digest, u32>,
    revoked: HashSet<Digest>,
}

impl Ledger {
    /// Reads what stands there for `agent`; a use by the call `but` does not count.
    pub(crate) fn of(conn: &Connection, agent: &AgentName, but: Option<i64>) -> Result<Self, StoreError> {
        let mut uses = conn.prepare_cached(
            "SELECT grant_id, count(*) FROM grant_uses WHERE agent = ?1 AND call_id IS NOT ?2 GROUP BY grant_id",
        )?;
        let used = uses.query_map(params![agent.as_str(), but], |row| Ok((digest_of_row(row, 0)?, row.get(1)?)))?;
        let mut revoked = conn.prepare_cached("SELECT grant_id FROM grants_revoked WHERE agent = ?1")?;
        let revoked = revoked.query_map([agent.as_str()], |row| digest_of_row(row, 0))?;
        Ok(Self { used: used.collect::<Result<_, _>>()?, revoked: revoked.collect::<Result<_, _>>()? })
    }

    /// How often the grant was used.
    pub(crate) fn used(&self, id: Digest) -> u32 {
        self.used.get(&id).copied().unwrap_or(0)
    }

    /// Whether it was taken back here.
    pub(crate) fn is_revoked(&self, id: Digest) -> bool {
        self.revoked.contains(&id)
    }

    /// Whether it may be used once more.
    pub(crate) fn is_live(&self, agent: &AgentName, grant: &Grant) -> bool {
        let id = grant.id(agent);
        !self.is_revoked(id) && grant.uses.is_none_or(|most| self.used(id) < most)
    }
}

/// Counts a use by that call, if there is one left; how many are left then, `None` without a count.
pub(crate) fn take(
    tx: &Transaction<'_>,
    agent: &AgentName,
    grant: &Grant,
    call: i64,
    at: Timestamp,
) -> Result<Option<Option<u32>>, StoreError> {
    let ledger = Ledger::of(tx, agent, None)?;
    if !ledger.is_live(agent, grant) {
        return Ok(None);
    }
    let id = grant.id(agent);
    tx.prepare_cached("INSERT INTO grant_uses (grant_id, call_id, agent, at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id.0, call, agent.as_str(), at.0])?;
    Ok(Some(grant.uses.map(|most| most - ledger.used(id) - 1)))
}

/// Takes a grant back; `false` if it was already.
pub(crate) fn revoke(
    tx: &Transaction<'_>,
    agent: &AgentName,
    id: Digest,
    by: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let changed = tx
        .prepare_cached("INSERT OR IGNORE INTO grants_revoked (grant_id, agent, at, by) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id.0, agent.as_str(), at.0, by])?;
    Ok(changed == 1)
}
