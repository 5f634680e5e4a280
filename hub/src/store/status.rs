//! What tenants say about themselves. Every write carries the epoch of its stream; a fenced stream writes nothing.

use serde::{Deserialize, Serialize};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use super::value::{Row, args};
use super::{Store, StoreError};

/// What a tenant last said about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Any message counts.
    pub last_seen: Timestamp,
    /// Its stream was open then.
    pub connected: bool,
    /// The stream that said it.
    pub epoch: u64,
    /// Version of the daemon.
    pub agent_version: String,
    /// Name of the machine.
    pub hostname: String,
    /// Start of the daemon, by the tenant's clock.
    pub started: Timestamp,
    /// Policy version that runs there.
    pub generation: u64,
    /// Newest version it refused and why.
    pub refused: Option<Refused>,
    /// Names of closed states in force.
    pub closed: Vec<String>,
    /// Its agents.
    pub agents: Vec<AgentState>,
    /// Rows of its audit log.
    pub audit_length: u64,
    /// Head of its audit log.
    pub audit_head: Option<Digest>,
    /// Approvals open there, by its own count.
    pub open_approvals: u64,
    /// Memory of the daemon, bytes.
    pub memory_bytes: u64,
    /// Tenant clock minus hub clock, milliseconds.
    pub clock_skew_ms: i64,
    /// Fingerprints of the passkeys that may approve what is critical there; `None` from daemons that know none.
    pub passkeys: Option<Vec<Digest>>,
    /// Version of the list of keys it goes by; `None` from daemons that do not tell.
    pub keys_version: Option<u64>,
    /// What people gave with approvals and has not ended; `None` from daemons that know no such grants.
    pub grants: Option<Vec<GivenGrant>>,
}

/// A policy version that a tenant would not apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The version.
    pub generation: u64,
    /// In the tenant's words.
    pub reason: String,
}

/// One agent as its tenant reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentState {
    /// Its name.
    pub agent: String,
    /// Hook lease alive until, UTC milliseconds; 0 for none.
    pub lease_until_ms: i64,
    /// What runs it, e.g. `openclaw 2026.7.1`.
    pub runtime: String,
    /// Paused or stopped, by a person or by too many denials.
    pub paused: bool,
    /// `free`, `paused` or `stopped`; empty from daemons that know no stop.
    #[serde(default)]
    pub standing: String,
    /// Who holds it there; empty when it is free.
    #[serde(default)]
    pub held_by: String,
    /// Why.
    #[serde(default)]
    pub held_why: String,
    /// A person on the server holds it: only a person there lets it go.
    #[serde(default)]
    pub held_here: bool,
}

impl Status {
    /// From the columns in the order of `select_tenant!`; `None` when the left join found nothing.
    pub(super) fn of(row: &mut Row) -> Result<Option<Self>, StoreError> {
        let Some(last_seen) = row.next::<Option<Timestamp>>()? else { return Ok(None) };
        let (connected, epoch) = (row.next()?, row.next()?);
        let (agent_version, hostname, started, generation) = (row.next()?, row.next()?, row.next()?, row.next()?);
        let refused = match (row.next::<Option<u64>>()?, row.next::<Option<String>>()?) {
            (Some(generation), Some(reason)) => Some(Refused { generation, reason }),
            _ => None,
        };
        let closed = serde_json::from_str(&row.next::<String>()?).map_err(|_| row.wrong())?;
        let agents = serde_json::from_str(&row.next::<String>()?).map_err(|_| row.wrong())?;
        Ok(Some(Self {
            last_seen,
            connected,
            epoch,
            agent_version,
            hostname,
            started,
            generation,
            refused,
            closed,
            agents,
            audit_length: row.next()?,
            audit_head: row.next()?,
            open_approvals: row.next()?,
            memory_bytes: row.next()?,
            clock_skew_ms: row.next()?,
            passkeys: pinned(row)?,
            keys_version: row.next()?,
            grants: grants(row)?,
        }))
    }
}

/// What a person gave with an approval, in the tenant's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenGrant {
    /// Names it.
    pub id: Digest,
    /// Whose it is.
    pub agent: String,
    /// For which tool.
    pub tool: String,
    /// To whom.
    pub recipients: Vec<String>,
    /// To which hosts.
    pub hosts: Vec<String>,
    /// Exactly which words.
    pub command: Vec<String>,
    /// Until when.
    pub until: Timestamp,
    /// Uses.
    pub used: u32,
    /// Uses that are left.
    pub left: u32,
    /// Who gave it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// With which approval.
    pub approval: Digest,
    /// Whether it lets something pass now.
    pub live: bool,
    /// Whether a person took it back.
    pub revoked: bool,
}

/// Fingerprints out of a column; `None` from daemons that know no passkeys.
pub(super) fn pinned(row: &mut Row) -> Result<Option<Vec<Digest>>, StoreError> {
    let text = row.next::<Option<String>>()?;
    text.map(|text| serde_json::from_str(&text).map_err(|_| row.wrong())).transpose()
}

fn grants(row: &mut Row) -> Result<Option<Vec<GivenGrant>>, StoreError> {
    let text = row.next::<Option<String>>()?;
    text.map(|text| serde_json::from_str(&text).map_err(|_| row.wrong())).transpose()
}

/// A write came from a stream that a newer one has replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a newer connection of this tenant has taken over")]
pub struct Fenced;

impl Store {
    /// Takes the next epoch for a new stream of `tenant`; `None` when there is no such tenant.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_epoch(&self, tenant: TenantId) -> Result<Option<u64>, StoreError> {
        self.db
            .run_tx("next_epoch", move |tx| {
                tx.execute("UPDATE tenants SET epoch = epoch + 1 WHERE id = $1", args![tenant])?;
                tx.first("SELECT epoch FROM tenants WHERE id = $1", args![tenant])?
                    .map(|mut row| row.next())
                    .transpose()
            })
            .await
    }

    /// Stores a whole status. `status.epoch` is the stream's; an older stream is fenced off.
    ///
    /// # Errors
    /// [`StoreError`]; inside, [`Fenced`].
    pub async fn put_status(&self, tenant: TenantId, status: Status) -> Result<Result<(), Fenced>, StoreError> {
        let closed = serde_json::to_string(&status.closed).unwrap_or_else(|_| "[]".to_owned());
        let agents = serde_json::to_string(&status.agents).unwrap_or_else(|_| "[]".to_owned());
        let passkeys = status.passkeys.as_ref().map(|pinned| serde_json::to_string(pinned).unwrap_or_default());
        let grants = status.grants.as_ref().map(|given| serde_json::to_string(given).unwrap_or_default());
        self.db
            .run_tx("put_status", move |tx| {
                let (refused_generation, refused_reason) =
                    status.refused.map(|refused| (refused.generation, refused.reason)).unzip();
                let written = tx.execute(
                    "INSERT INTO tenant_status (tenant_id, epoch, last_seen_ms, connected, agent_version, hostname, started_ms, \
                     generation, refused_generation, refused_reason, closed, agents, audit_length, audit_head, open_approvals, \
                     memory_bytes, clock_skew_ms, passkeys, keys_version, grants) \
                     SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20 \
                     FROM tenants WHERE id = $1 AND epoch = $2 \
                     ON CONFLICT (tenant_id) DO UPDATE SET epoch = excluded.epoch, last_seen_ms = excluded.last_seen_ms, \
                     connected = excluded.connected, agent_version = excluded.agent_version, hostname = excluded.hostname, \
                     started_ms = excluded.started_ms, generation = excluded.generation, \
                     refused_generation = excluded.refused_generation, refused_reason = excluded.refused_reason, \
                     closed = excluded.closed, agents = excluded.agents, audit_length = excluded.audit_length, \
                     audit_head = excluded.audit_head, open_approvals = excluded.open_approvals, \
                     memory_bytes = excluded.memory_bytes, clock_skew_ms = excluded.clock_skew_ms, passkeys = excluded.passkeys, \
                     keys_version = excluded.keys_version, grants = excluded.grants",
                    args![
                        tenant,
                        status.epoch,
                        status.last_seen,
                        status.connected,
                        status.agent_version,
                        status.hostname,
                        status.started,
                        status.generation,
                        refused_generation,
                        refused_reason,
                        closed,
                        agents,
                        status.audit_length,
                        status.audit_head,
                        status.open_approvals,
                        status.memory_bytes,
                        status.clock_skew_ms,
                        passkeys,
                        status.keys_version,
                        grants,
                    ],
                )?;
                Ok(if written == 1 { Ok(()) } else { Err(Fenced) })
            })
            .await
    }

    /// Notes when streams were last heard, many in one transaction: `(tenant, epoch, at, still open)`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn seen(&self, heard: Vec<(TenantId, u64, Timestamp, bool)>) -> Result<(), StoreError> {
        self.db
            .run_tx("seen", move |tx| {
                for (tenant, epoch, at, open) in heard {
                    tx.execute(
                        "UPDATE tenant_status SET last_seen_ms = $3, connected = $4 WHERE tenant_id = $1 AND epoch = $2",
                        args![tenant, epoch, at, open],
                    )?;
                }
                Ok(())
            })
            .await
    }
}
