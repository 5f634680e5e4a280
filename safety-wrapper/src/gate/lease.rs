//! Leases: the proof that an agent's hook is alive.
//!
//! One kind runs out unless hook calls renew it, for runtimes whose hook is a command that comes and goes. The other is
//! bound to the connection that took it and ends in the moment in which that ends: with the process, however it ends.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;
use wardkeep_policy::Closed;
use wardkeep_proto::ids::{AgentName, SessionId};
use wardkeep_proto::time::Timestamp;

use super::{Gate, GateError, Lease, LeaseTimes, SessionEnd, SessionStart, SessionStarted};
use crate::audit;
use crate::store::people;

/// How long a lease holds that is not bound; three missed renewals.
const LEASE: Duration = Duration::from_secs(120);
/// How soon a runtime should renew.
const RENEW_AFTER: Duration = Duration::from_secs(40);
/// Longest name of a runtime, bytes.
const RUNTIME_BYTES: usize = 128;
/// Leases of one agent that are bound at the same time: its gateway, and commands of its operator beside it.
const BOUND_MAX: usize = 32;

/// Why a lease that runs out is not given.
const IS_BOUND: &str =
    "this agent's lease is bound to the connection of its runtime; give a second runtime an agent of its own";
/// Why there is nothing to say to a session.
const NOT_BOUND: &str = "this session's lease is over; take another with /v1/hooks/lease";
/// Why no more are given.
const TOO_MANY: &str = "this agent has too many open leases; end one of its runtimes";

/// `POST /v1/hooks/lease`. The lease lives as long as the answer is read.
#[derive(Clone, Debug, Deserialize)]
pub struct BoundStart {
    /// As the runtime calls it.
    pub session: SessionId,
    /// What runs the agent; 1 to 128 bytes.
    pub runtime: String,
}

/// Every lease of every agent.
#[derive(Default)]
pub(super) struct Leases {
    /// The last one of each agent that is not bound, or not any more.
    timed: BTreeMap<AgentName, Lease>,
    /// Those of open connections, oldest first.
    bound: Vec<Bound>,
    /// How many were bound since the start.
    count: u64,
}

struct Bound {
    number: u64,
    lease: Lease,
    /// Dropped with it, which ends the connection.
    _over: oneshot::Sender<()>,
}

impl Leases {
    pub(super) fn of(timed: Vec<Lease>) -> Self {
        Self { timed: timed.into_iter().map(|lease| (lease.agent.clone(), lease)).collect(), ..Self::default() }
    }

    fn bound_of(&self, agent: &AgentName) -> impl DoubleEndedIterator<Item = &Bound> {
        self.bound.iter().filter(move |bound| bound.lease.agent == *agent)
    }

    /// The one that proves now that the hook of `agent` is alive.
    fn live(&self, agent: &AgentName, now: Timestamp) -> Option<&Lease> {
        let bound = self.bound_of(agent).next_back().map(|bound| &bound.lease);
        bound.or_else(|| self.timed.get(agent).filter(|lease| lease.until > now))
    }

    /// Ends a bound one.
    fn end(&mut self, which: impl Fn(&Bound) -> bool, now: Timestamp) -> Option<Lease> {
        let at = self.bound.iter().position(which)?;
        let lease = Lease { until: now, ..self.bound.remove(at).lease };
        self.timed.insert(lease.agent.clone(), lease.clone());
        Some(lease)
    }
}

/// A lease that ends when this is dropped.
pub struct BoundLease {
    gate: Arc<Gate>,
    number: u64,
    over: oneshot::Receiver<()>,
}

impl BoundLease {
    /// Waits until it ended in another way.
    pub async fn over(&mut self) {
        let _ = (&mut self.over).await;
    }
}

impl Drop for BoundLease {
    fn drop(&mut self) {
        let now = self.gate.now();
        let Some(lease) = write(&self.gate).end(|bound| bound.number == self.number, now) else { return };
        let gate = Arc::clone(&self.gate);
        let record = async move {
            if let Err(error) = gate.record_end(lease, "its connection ended").await {
                tracing::warn!(%error, "the end of a lease is not recorded; it is over all the same");
            }
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(record);
        }
    }
}

impl Gate {
    /// Takes or renews a lease that runs out.
    ///
    /// # Errors
    /// A bad runtime name, a lease that is bound, or when it cannot be recorded.
    pub async fn session_start(&self, agent: &AgentName, start: SessionStart) -> Result<SessionStarted, GateError> {
        let now = self.now();
        let mut lease = self.lease_of(agent, start.session, &start.runtime, start.parent_session.as_ref())?;
        if start.bound {
            return if self.holds_bound_lease(agent, &lease.session) {
                self.started(lease)
            } else {
                Err(GateError::Lease(NOT_BOUND))
            };
        }
        if read(self).bound_of(agent).next().is_some() {
            return Err(GateError::Lease(IS_BOUND));
        }
        lease.until = now.plus(LEASE);
        let before = read(self).timed.get(agent).cloned();
        // A renewal is no event; another session, another runtime or a lease that had run out is.
        let news = before.is_none_or(|b| b.session != lease.session || b.runtime != lease.runtime || b.until <= now);
        let kept = lease.clone();
        let parent = start.parent_session;
        self.write(move |tx| {
            people::put_lease(tx, &kept)?;
            if news {
                let fields =
                    json!({"agent": kept.agent, "session": kept.session, "parent": parent, "runtime": kept.runtime});
                audit::append(tx, now, "session-started", None, &fields)?;
            }
            Ok(())
        })
        .await?;
        write(self).timed.insert(agent.clone(), lease.clone());
        self.started(lease)
    }

    /// Takes a lease that lives as long as what is given back. `process`: whose it is, where the system says so.
    ///
    /// One that runs out ends with it: whoever holds a lease by a connection has no other.
    ///
    /// # Errors
    /// A bad runtime name, too many of them, or when it cannot be recorded.
    pub async fn bind_lease(
        self: &Arc<Self>,
        agent: &AgentName,
        start: BoundStart,
        process: Option<u32>,
    ) -> Result<(SessionStarted, BoundLease), GateError> {
        let now = self.now();
        let lease = self.lease_of(agent, start.session, &start.runtime, None)?;
        if read(self).bound_of(agent).count() >= BOUND_MAX {
            return Err(GateError::Lease(TOO_MANY));
        }
        // On disk it is over: what is bound does not outlive the daemon.
        let kept = Lease { until: now, ..lease.clone() };
        self.write(move |tx| {
            people::put_lease(tx, &kept)?;
            let fields = json!({
                "agent": kept.agent, "session": kept.session, "runtime": kept.runtime, "bound": true, "process": process,
            });
            audit::append(tx, now, "session-started", None, &fields)
        })
        .await?;
        let (sender, over) = oneshot::channel();
        let mut leases = write(self);
        leases.count += 1;
        let number = leases.count;
        leases.timed.remove(agent);
        leases.bound.push(Bound { number, lease: lease.clone(), _over: sender });
        drop(leases);
        let bound = BoundLease { gate: Arc::clone(self), number, over };
        Ok((self.started(lease)?, bound))
    }

    /// Gives the lease of an agent's hook back, so that nothing of its runtime goes on without the hook. A session that does
    /// not hold the lease changes nothing.
    ///
    /// # Errors
    /// When it cannot be recorded; it is over all the same until the next start of the daemon.
    pub async fn session_end(&self, agent: &AgentName, end: SessionEnd) -> Result<(), GateError> {
        let now = self.now();
        let ended = {
            let mut leases = write(self);
            let bound = leases.end(|bound| bound.lease.agent == *agent && bound.lease.session == end.session, now);
            let timed = leases.timed.get_mut(agent).filter(|l| l.session == end.session && l.until > now);
            bound.or_else(|| {
                timed.map(|lease| {
                    lease.until = now;
                    lease.clone()
                })
            })
        };
        match ended {
            Some(lease) => self.record_end(lease, "it was given back").await,
            None => Ok(()),
        }
    }

    /// Ends every lease that is bound: the daemon stops, and does not wait for those who hold one.
    pub fn release_leases(&self) {
        let now = self.now();
        let mut leases = write(self);
        while leases.end(|_| true, now).is_some() {}
    }

    async fn record_end(&self, lease: Lease, why: &'static str) -> Result<(), GateError> {
        let now = self.now();
        let fields = json!({"agent": lease.agent, "session": lease.session, "why": why});
        self.write(move |tx| {
            people::put_lease(tx, &lease)?;
            audit::append(tx, now, "session-ended", None, &fields)
        })
        .await
    }

    /// A lease as it may be stored and told. It counts until now.
    fn lease_of(
        &self,
        agent: &AgentName,
        session: SessionId,
        runtime: &str,
        parent: Option<&SessionId>,
    ) -> Result<Lease, GateError> {
        if runtime.is_empty() || runtime.len() > RUNTIME_BYTES || runtime.chars().any(char::is_control) {
            return Err(GateError::Invalid("runtime must be 1 to 128 bytes without control characters".to_owned()));
        }
        self.parts.secrets.catch_up();
        let parent = parent.map_or("", |parent| parent.as_str());
        self.without_secrets(&[("session", session.as_str()), ("parent_session", parent), ("runtime", runtime)])?;
        let runtime = if self.posture_for(agent).has(Closed::VaultUnread) {
            // The hub is told the runtime, and what cannot be redacted is not told.
            "unread".to_owned()
        } else {
            self.clean(runtime)
        };
        Ok(Lease { agent: agent.clone(), session, runtime, until: self.now() })
    }

    fn started(&self, lease: Lease) -> Result<SessionStarted, GateError> {
        let bundle = self.parts.bundle.borrow().clone();
        Ok(SessionStarted {
            lease: LeaseTimes {
                until_ms: lease.until.max(self.now()),
                renew_after_ms: u64::try_from(RENEW_AFTER.as_millis()).unwrap_or(u64::MAX),
            },
            level: bundle.agent(&lease.agent).map(|a| a.level),
            bundle: self.bundle_name()?,
            closed: self.posture_for(&lease.agent).iter().collect(),
            agent: lease.agent,
        })
    }

    /// Any call of a live hook keeps a lease alive that runs out; one that is over needs a new session-start.
    pub(super) fn renew(&self, agent: &AgentName) {
        let now = self.now();
        if let Some(lease) = write(self).timed.get_mut(agent).filter(|lease| lease.until > now) {
            lease.until = now.plus(LEASE);
        }
    }

    /// Whether `session` holds a lease of `agent` that is bound to a connection.
    pub(super) fn holds_bound_lease(&self, agent: &AgentName, session: &SessionId) -> bool {
        read(self).bound_of(agent).any(|bound| bound.lease.session == *session)
    }

    /// Whether the hook of `agent` is alive: without it its LLM traffic is refused.
    #[must_use]
    pub fn lease_alive(&self, agent: &AgentName) -> bool {
        read(self).live(agent, self.now()).is_some()
    }

    /// The session that holds the live lease of `agent`.
    #[must_use]
    pub fn live_session(&self, agent: &AgentName) -> Option<SessionId> {
        read(self).live(agent, self.now()).map(|lease| lease.session.clone())
    }

    /// The lease of each agent, also those that are over. One that is bound counts as one that was just renewed.
    #[must_use]
    pub fn leases(&self) -> Vec<Lease> {
        let until = self.now().plus(LEASE);
        let leases = read(self);
        let mut all = leases.timed.clone();
        let bound = leases.bound.iter().map(|bound| Lease { until, ..bound.lease.clone() });
        all.extend(bound.map(|lease| (lease.agent.clone(), lease)));
        all.into_values().collect()
    }
}

fn read(gate: &Gate) -> RwLockReadGuard<'_, Leases> {
    gate.leases.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(gate: &Gate) -> RwLockWriteGuard<'_, Leases> {
    gate.leases.write().unwrap_or_else(PoisonError::into_inner)
}
