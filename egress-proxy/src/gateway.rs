//! The gateway's parts and its standing state.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use wardkeep_policy::{Bundle, Posture};
use wardkeep_proto::chance::Chance;
use wardkeep_proto::ids::{AgentName, SessionId};
use wardkeep_proto::secret::{AgentTokens, SecretSource};
use wardkeep_proto::time::Clock;
use wardkeep_proto::waypoint::Waypoints;

use crate::budget::Reports;
use crate::budget::desk::Desk;
use crate::client::{Addresses, Client, Roots, RootsError};
use crate::gate_memory::{Decisions, Memory};
use crate::headers::Clean;
use crate::leash::Leash;
use crate::memo::Memo;
use crate::meter::Meter;
use crate::outline::Outlines;
use crate::prefix::Prefixes;
use crate::request::server_tools::Judged;
use crate::routing::{ProviderState, Routing};

/// Bytes of request bodies that may wait in memory at the same time, in KiB.
const WAITING_KIB: usize = 256 * 1024;
/// Large bodies that may be scanned at the same time; more would starve the relay of its cores.
const SCANS: usize = 2;

/// Who knows whether an agent's hook is alive.
pub trait LeaseBook: Send + Sync + 'static {
    /// Whether `agent` holds a live hook lease now. Without one it gets no model.
    fn alive(&self, agent: &AgentName) -> bool;

    /// What ties a request of `agent` to it: taken before lease and posture are looked at, so that a stop in between cuts it.
    fn leash(&self, agent: &AgentName) -> Leash {
        let _ = agent;
        Leash::free()
    }

    /// The session that holds it.
    fn session(&self, agent: &AgentName) -> Option<SessionId> {
        let _ = agent;
        None
    }
}

/// Who knows the closed states that hold now.
pub trait PostureSource: Send + Sync + 'static {
    /// The posture of the machine as it counts for `agent`.
    fn posture(&self, agent: &AgentName) -> Posture;
}

impl<F: Fn(&AgentName) -> Posture + Send + Sync + 'static> PostureSource for F {
    fn posture(&self, agent: &AgentName) -> Posture {
        self(agent)
    }
}

/// How long the gateway waits. There is no limit on a whole answer.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the head of a request to arrive, once it has begun.
    pub head: Duration,
    /// For a whole request to arrive.
    pub request: Duration,
    /// For the TCP connection to a provider.
    pub connect: Duration,
    /// For the head of an answer that is not streamed: the provider thinks first and writes then.
    pub first_byte: Duration,
    /// Between two pieces of a request's body or of a streamed answer, and for the head of a streamed answer.
    pub idle: Duration,
    /// For a request on a connection on which nothing is asked; then it is closed.
    pub unused: Duration,
    /// Between two looks whether a connection rests, which then gives its buffers back.
    pub rest: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            // Agents are on the same machine.
            head: Duration::from_secs(30),
            request: Duration::from_secs(300),
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(600),
            // Providers ping about every 15 s, but models that think have been silent for two minutes.
            idle: Duration::from_secs(180),
            // One that rests costs little, and clients find a closed one out by a failed request.
            unused: Duration::from_secs(600),
            rest: Duration::from_millis(50),
        }
    }
}

/// What the gateway is made of.
pub struct Parts {
    /// Where provider keys come from.
    pub secrets: Arc<dyn SecretSource>,
    /// Who asks.
    pub tokens: Arc<dyn AgentTokens>,
    /// Whether their hook is alive.
    pub leases: Arc<dyn LeaseBook>,
    /// What the gate decided on.
    pub decisions: Arc<dyn Decisions>,
    /// What must not leave.
    pub redaction: wardkeep_redaction::Shared,
    /// Agents, models, providers and prices; a new generation counts from the next request on.
    pub bundle: watch::Receiver<Arc<Bundle>>,
    /// Where usage goes.
    pub meter: Meter,
    /// Told of budgets that ended.
    pub reports: Arc<dyn Reports>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Chance: which target of a route, and how long before another attempt.
    pub chance: Arc<dyn Chance>,
    /// Told of each point on the way.
    pub waypoints: Arc<dyn Waypoints>,
    /// The closed states.
    pub posture: Arc<dyn PostureSource>,
    /// Whom to trust as a provider's certificate authority.
    pub roots: Roots,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Connections of agents at the same time; those that rest go first.
    pub connections: usize,
}

/// The gateway; hand it to [`crate::serve`].
pub struct Gateway {
    pub(crate) parts: Parts,
    pub(crate) client: Client,
    pub(crate) addresses: Addresses,
    pub(crate) waiting: Arc<Semaphore>,
    pub(crate) scans: Semaphore,
    pub(crate) desk: Desk,
    pub(crate) routing: Routing,
    pub(crate) memo: Arc<Memo>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) prefixes: Prefixes,
    pub(crate) outlines: Outlines,
    pub(crate) judged: Arc<Judged>,
    pub(crate) clean: Clean,
    requests: AtomicU64,
}

impl Gateway {
    /// Puts the parts together.
    ///
    /// # Errors
    /// The certificate authorities cannot be read.
    pub fn new(parts: Parts) -> Result<Arc<Self>, RootsError> {
        let client = Client::new(&parts.roots, &parts.timeouts)?;
        Ok(Arc::new(Self {
            parts,
            client,
            waiting: Arc::new(Semaphore::new(WAITING_KIB)),
            scans: Semaphore::new(SCANS),
            desk: Desk::default(),
            routing: Routing::default(),
            memo: Arc::default(),
            memory: Arc::default(),
            prefixes: Prefixes::default(),
            outlines: Outlines::default(),
            judged: Arc::default(),
            addresses: Addresses::default(),
            clean: Clean::default(),
            requests: AtomicU64::new(0),
        }))
    }

    /// The providers that failed or whose keys are left alone, by name.
    #[must_use]
    pub fn providers(&self) -> Vec<ProviderState> {
        self.routing.states(self.parts.clock.now())
    }

    /// A name for one request, for the caller and the records: time and a count, no secret.
    pub(crate) fn request_id(&self) -> String {
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut id = String::with_capacity(32);
        id.push_str("wk-");
        push_hex(&mut id, self.parts.clock.now().millis().cast_unsigned());
        id.push('-');
        push_hex(&mut id, count);
        id
    }
}

/// As `{:x}` writes it, in a tenth of the time.
fn push_hex(to: &mut String, number: u64) {
    let digits = (64 - number.leading_zeros()).div_ceil(4).max(1);
    for at in (0..digits).rev() {
        let digit = (number >> (4 * at)) & 15;
        to.push(char::from(b"0123456789abcdef"[digit as usize]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_hexadecimal() {
        for number in [0, 1, 9, 15, 16, 255, 256, 0x1234_5678_9abc_def0, u64::MAX] {
            let mut text = String::new();
            push_hex(&mut text, number);
            assert_eq!(text, format!("{number:x}"));
        }
    }
}
