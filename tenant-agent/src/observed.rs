//! What this server looks like from outside: the status that goes to the hub and to the CLI.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use wardkeep_egress::ProviderState;
use wardkeep_policy::Closed;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{AgentName, BootId, TenantId};
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::whom::Whom;
use wardkeep_safety::{Gate, GateError, GivenBy, Hold, KnownGrant, PostureBook, Standing, Walls, WallsBook};

use crate::bundle_book::{BundleBook, BundleFacts};
use crate::hub_address::HubAddress;
use crate::link::LinkState;
use crate::memory;
use crate::secrets::{VaultBook, VaultFacts};
use crate::servers::Listening;
use crate::spool::{Spool, Waiting};

/// What the hub is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Of this build.
    pub agent_version: String,
    /// Of this server.
    pub hostname: String,
    /// When the daemon started.
    pub started_at: Timestamp,
    /// In force.
    pub generation: u64,
    /// Names of the closed states.
    pub closed: Vec<String>,
    /// Agents with a lease, and paused ones.
    pub agents: Vec<AgentStatus>,
    /// Rows of the audit log.
    pub audit_length: u64,
    /// Hash of its last row.
    pub audit_head: Digest,
    /// Calls that wait for a person.
    pub open_approvals: u32,
    /// Resident.
    pub memory_bytes: u64,
    /// This clock minus the hub's.
    pub clock_skew_ms: i64,
    /// Fingerprints of the passkeys that may approve what is critical.
    #[serde(default)]
    pub passkeys: Vec<Digest>,
    /// Version of the list of keys in force; 0 where it cannot be read.
    #[serde(default)]
    pub keys_version: u64,
    /// What people gave with approvals and has not ended.
    #[serde(default)]
    pub grants: Vec<GivenStatus>,
}

/// What a person gave with an approval, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenStatus {
    /// Names it.
    pub id: Digest,
    /// Whose it is.
    pub agent: AgentName,
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

impl GivenStatus {
    /// `None` for what the policy grants.
    fn of(known: KnownGrant) -> Option<Self> {
        let KnownGrant { id, agent, grant, used, left, revoked, live, given } = known;
        let GivenBy { approval, by, at_ms } = given?;
        Some(Self {
            id,
            agent,
            tool: grant.tool,
            recipients: grant.recipients,
            hosts: grant.hosts,
            command: grant.commands.into_iter().next().unwrap_or_default(),
            until: grant.expires.unwrap_or(at_ms),
            used,
            left: left.unwrap_or_default(),
            by,
            at: at_ms,
            approval,
            live,
            revoked,
        })
    }
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Which.
    pub agent: AgentName,
    /// Its hook is alive until then.
    pub lease_until: Option<Timestamp>,
    /// What runs it.
    pub runtime: String,
    /// Paused or stopped.
    pub paused: bool,
    /// How far it is let.
    #[serde(default = "free")]
    pub standing: Standing,
    /// What holds it there, the gravest first.
    #[serde(default)]
    pub held: Vec<Hold>,
}

const fn free() -> Standing {
    Standing::Free
}

/// What the CLI is told on top.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// This server's id.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// Where its hub is.
    pub hub: HubAddress,
    /// The link.
    pub link: LinkState,
    /// The policy.
    pub bundle: BundleFacts,
    /// Closed states with what to do.
    pub closed: Vec<ClosedReport>,
    /// What waits for the hub.
    pub waiting: Waiting,
    /// Where the daemon listens.
    pub listening: Listening,
    /// The vault.
    #[serde(default)]
    pub vault: VaultFacts,
    /// No page of the daemon can reach a swap file.
    #[serde(default)]
    pub memory_locked: bool,
    /// LLM providers that failed lately, and keys of theirs that are left alone.
    #[serde(default)]
    pub providers: Vec<ProviderState>,
    /// What holds the commands of calls.
    #[serde(default)]
    pub runs: RunsReport,
    /// What the hub is told too.
    pub status: Status,
}

/// What holds the commands of calls, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsReport {
    /// `unit`, `process`, `broken`, or `untested` for a moment after the start.
    pub held_by: String,
    /// For people.
    pub words: String,
}

impl RunsReport {
    fn of(walls: &Walls) -> Self {
        let (held_by, words) = match walls {
            Walls::Untested => ("untested", "the sandbox is being tested".to_owned()),
            Walls::Unit => ("unit", "each has a unit and a user of its own".to_owned()),
            Walls::Process => ("process", "NO unit of their own: they have the daemon's user; see doctor".to_owned()),
            Walls::Broken(why) => ("broken", format!("the sandbox does NOT hold: {why}")),
        };
        Self { held_by: held_by.to_owned(), words }
    }
}

/// One closed state, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedReport {
    /// E.g. `vault-locked`.
    pub name: String,
    /// What is wrong.
    pub why: String,
    /// What to do about it.
    pub what_to_do: String,
}

/// Who can say how things are.
pub struct Observer {
    /// The gate.
    pub gate: Arc<Gate>,
    /// The closed states.
    pub posture: PostureBook,
    /// The policy.
    pub bundles: Arc<BundleBook>,
    /// The vault.
    pub vault: Arc<VaultBook>,
    /// The spool.
    pub spool: Arc<Spool>,
    /// The link.
    pub link: watch::Receiver<LinkState>,
    /// This start of the daemon.
    pub boot: BootId,
    /// When that was.
    pub started_at: Timestamp,
    /// This server's id, name and hub.
    pub tenant: (TenantId, String, HubAddress),
    /// Where the daemon listens.
    pub listening: Listening,
    /// How LLM providers stand.
    pub providers: Arc<dyn Fn() -> Vec<ProviderState> + Send + Sync>,
    /// What holds runs.
    pub walls: WallsBook,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Observer {
    /// This start of the daemon.
    #[must_use]
    pub const fn boot_id(&self) -> BootId {
        self.boot
    }

    /// What the hub is told.
    ///
    /// # Errors
    /// The gate's records cannot be read.
    pub async fn status(&self) -> Result<Status, GateError> {
        let records = self.gate.records().await?;
        let clock_skew_ms = self.link.borrow().clock_skew_ms;
        Ok(Status {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: hostname(),
            started_at: self.started_at,
            generation: self.bundles.facts().generation,
            closed: self.posture.read().iter().map(|closed| closed.as_str().to_owned()).collect(),
            agents: self.agents(),
            audit_length: records.audit.length,
            audit_head: records.audit.hash,
            open_approvals: records.open_approvals,
            memory_bytes: memory_bytes(),
            clock_skew_ms,
            passkeys: records.passkeys.clone(),
            keys_version: self.bundles.keys().map_or(0, |list| list.version),
            grants: records.grants.iter().cloned().filter_map(GivenStatus::of).collect(),
        })
    }

    /// Everything, for the CLI.
    ///
    /// # Errors
    /// The gate's records cannot be read.
    pub async fn report(&self) -> Result<StatusReport, GateError> {
        let (tenant, name, hub) = self.tenant.clone();
        let facts = self.bundles.facts();
        // Copied first: a borrowed value must not be held while the records are read.
        let link = self.link.borrow().clone();
        let closed = self.posture.read().iter().map(|closed| self.explain(closed, &facts)).collect();
        Ok(StatusReport {
            tenant,
            name,
            hub,
            link,
            bundle: facts,
            closed,
            waiting: self.spool.waiting().await?,
            listening: self.listening.clone(),
            vault: self.vault.facts(),
            memory_locked: memory::is_locked(),
            providers: (self.providers)(),
            runs: RunsReport::of(&self.walls.read()),
            status: self.status().await?,
        })
    }

    fn explain(&self, closed: Closed, facts: &BundleFacts) -> ClosedReport {
        let exact = match closed {
            Closed::VaultLocked | Closed::VaultUnread => self.vault.locked_because(),
            Closed::BundleRefused | Closed::BundleExpired => facts.why_strict.clone(),
            Closed::HubAway => self.link.borrow().last_error.clone(),
            Closed::Paused | Closed::Stopped => {
                let all = self.gate.holds().into_iter().filter(|hold| hold.whom == Whom::All);
                all.max_by_key(|hold| hold.standing).map(|hold| hold.to_string())
            }
            Closed::SandboxBroken => match self.walls.read() {
                Walls::Broken(why) => Some(why),
                _ => None,
            },
            Closed::NoBundle | Closed::DiskFull => None,
        };
        ClosedReport {
            name: closed.as_str().to_owned(),
            why: exact.unwrap_or_else(|| closed.why().to_owned()),
            what_to_do: closed.what_to_do().to_owned(),
        }
    }

    fn agents(&self) -> Vec<AgentStatus> {
        let (leases, holds, now) = (self.gate.leases(), self.gate.holds(), self.clock.now());
        let mut agents: Vec<AgentStatus> = leases
            .into_iter()
            .map(|lease| AgentStatus {
                lease_until: (lease.until > now).then_some(lease.until),
                runtime: lease.runtime,
                ..held(lease.agent, &holds)
            })
            .collect();
        for hold in &holds {
            if let Whom::Agent(agent) = &hold.whom
                && !agents.iter().any(|known| known.agent == *agent)
            {
                agents.push(held(agent.clone(), &holds));
            }
        }
        agents.sort_by(|a, b| a.agent.cmp(&b.agent));
        agents
    }
}

/// An agent without a lease, as `holds` leave it.
fn held(agent: AgentName, holds: &[Hold]) -> AgentStatus {
    let mut held: Vec<Hold> = holds.iter().filter(|hold| hold.whom.covers(&agent)).cloned().collect();
    held.sort_by_key(|hold| std::cmp::Reverse(hold.standing));
    let standing = held.first().map_or(Standing::Free, |hold| hold.standing);
    AgentStatus { agent, lease_until: None, runtime: String::new(), paused: standing != Standing::Free, standing, held }
}

/// This server's name.
#[must_use]
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Resident memory of this process; 0 where the system does not tell.
fn memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
