//! Rows of grants: each use, and those that were taken back on this server.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rusqlite::{Connection, params};
use wardkeep_policy::{Grant, Granting};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::{StoreError, Tx, digest_of_row};

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
) STRICT;
-- Given by a person with an approval.
CREATE TABLE IF NOT EXISTS grants_given (
    approval      BLOB PRIMARY KEY,   -- one approval gives one
    agent         TEXT NOT NULL,
    body          TEXT NOT NULL,      -- JSON of what it lets pass, with its count and end
    at            INTEGER NOT NULL,
    until         INTEGER NOT NULL,
    by            TEXT NOT NULL       -- who, for people
) STRICT;
CREATE INDEX IF NOT EXISTS grants_given_to ON grants_given (agent, until);
-- The newest time on record is found without reading the log: of each 64 rows one is in it.
CREATE INDEX IF NOT EXISTS audit_times ON audit (at) WHERE number % 64 = 0";

/// What became of an agent's grants on this server.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    used: HashMap<Digest, u32>,
    revoked: HashSet<Digest>,
    given: Vec<Given>,
    /// The newest time on record; read only where something was given.
    newest: Option<Timestamp>,
}

/// A grant that a person gave with an approval.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// With which.
    pub(crate) approval: Digest,
    /// To whom.
    pub(crate) agent: AgentName,
    /// With its count and end.
    pub(crate) grant: Grant,
    /// When.
    pub(crate) at: Timestamp,
    /// Who, for people.
    pub(crate) by: String,
}

/// A clock that is further behind than this was set back: what was given by it rests until it has caught up.
const BEHIND: Duration = Duration::from_secs(60);
/// Grants of one agent that have not ended, at most.
const MOST_GIVEN: u32 = 64;

impl Given {
    /// As it counts at `now` under these bounds; `None` when it does not.
    fn now(&self, granting: Granting, now: Timestamp, newest: Option<Timestamp>) -> Option<Grant> {
        let hours = Duration::from_secs(u64::from(granting.hours) * 60 * 60);
        let in_time = self.at <= now && now < self.at.plus(hours);
        let clock_is_right = newest.is_none_or(|newest| now.plus(BEHIND) >= newest);
        let wide = self.grant.recipients.iter().any(|to| to.starts_with("*@")) && !granting.domains;
        let uses = self.grant.uses.unwrap_or(0).min(granting.uses);
        (in_time && clock_is_right && !wide && uses > 0).then(|| Grant { uses: Some(uses), ..self.grant.clone() })
    }
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
        let (used, revoked) = (used.collect::<Result<_, _>>()?, revoked.collect::<Result<_, _>>()?);
        let given = given(conn, agent)?;
        let newest = if given.is_empty() { None } else { newest_time(conn)? };
        Ok(Self { used, revoked, given, newest })
    }

    /// What people gave with approvals and counts at `now` under these bounds.
    pub(crate) fn given_now(&self, granting: Granting, now: Timestamp) -> impl Iterator<Item = Grant> {
        self.given.iter().filter_map(move |given| given.now(granting, now, self.newest))
    }

    /// All that was given and has not ended long ago.
    pub(crate) fn given(&self) -> &[Given] {
        &self.given
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

/// The newest that were given to `agent`.
fn given(conn: &Connection, agent: &AgentName) -> Result<Vec<Given>, StoreError> {
    let mut rows = conn.prepare_cached(
        "SELECT approval, body, at, by FROM grants_given WHERE agent = ?1 ORDER BY until DESC LIMIT ?2",
    )?;
    let rows = rows.query_map(params![agent.as_str(), MOST_GIVEN], |row| {
        Ok((digest_of_row(row, 0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?))
    })?;
    rows.map(|row| {
        let (approval, body, at, by) = row?;
        Ok(Given { approval, agent: agent.clone(), grant: serde_json::from_str(&body)?, at: Timestamp(at), by })
    })
    .collect()
}

/// Everybody to whom something was given that has not ended.
pub(crate) fn given_to(conn: &Connection, now: Timestamp) -> Result<Vec<AgentName>, StoreError> {
    let mut rows = conn.prepare_cached("SELECT DISTINCT agent FROM grants_given WHERE until > ?1 ORDER BY agent")?;
    let names = rows.query_map([now.0], |row| row.get::<_, String>(0))?;
    names.map(|name| name?.parse().map_err(|_| StoreError::corrupt("grants_given"))).collect()
}

/// The newest moment that stands in the log, whatever the clock says now.
fn newest_time(conn: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let newest = conn
        .prepare_cached(
            "SELECT max(at) FROM (SELECT max(at) AS at FROM audit WHERE number % 64 = 0 UNION ALL
             SELECT max(at) FROM audit WHERE number > (SELECT max(number) FROM audit) - 64)",
        )?
        .query_row([], |row| row.get::<_, Option<i64>>(0))?;
    Ok(newest.map(Timestamp))
}

/// Records what a person gave with an approval; `false` where the agent has as many as can be looked after.
pub(crate) fn give(tx: &Tx<'_>, new: &Given, now: Timestamp) -> Result<bool, StoreError> {
    let Given { approval, agent, grant, at, by } = new;
    let open: u32 = tx
        .prepare_cached("SELECT count(*) FROM grants_given WHERE agent = ?1 AND until > ?2")?
        .query_row(params![agent.as_str(), now.0], |row| row.get(0))?;
    if open >= MOST_GIVEN {
        return Ok(false);
    }
    let until = grant.expires.unwrap_or(*at);
    tx.prepare_cached(
        "INSERT INTO grants_given (approval, agent, body, at, until, by) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![approval.0, agent.as_str(), serde_json::to_string(grant)?, at.0, until.0, by])?;
    Ok(true)
}

/// Counts a use by that call, if there is one left; how many are left then, `None` without a count.
pub(crate) fn take(
    tx: &Tx<'_>,
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
pub(crate) fn revoke(tx: &Tx<'_>, agent: &AgentName, id: Digest, by: &str, at: Timestamp) -> Result<bool, StoreError> {
    let changed = tx
        .prepare_cached("INSERT OR IGNORE INTO grants_revoked (grant_id, agent, at, by) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id.0, agent.as_str(), at.0, by])?;
    Ok(changed == 1)
}
