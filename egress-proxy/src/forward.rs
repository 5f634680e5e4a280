//! The forward proxy: the one way from an agent's tools to everything that is no model.
//!
//! * CONNECT and absolute-form requests, from callers that show an agent's local token.
//! * What the bundle's `egress` section does not list is refused. Names are resolved here, judged after that, and connected to
//!   at exactly the address that was judged.
//! * A *tunnel* passes TLS untouched once its name was compared. An *inspected* host is read: requests lose secrets, bound ones
//!   are put in, and what comes back of them is masked.

mod absolute;
mod address;
mod answer;
mod authority;
mod bound;
mod caller;
mod clean;
mod connection;
mod crowd;
mod depth;
mod destination;
mod door;
mod exchange;
mod form;
mod hello;
mod inspect;
mod outgoing;
pub(crate) mod pulse;
mod reach;
mod record;
mod records;
mod refs;
mod refused;
mod resolve;
mod tunnel;
mod upload;
mod upstream;
mod values;
mod websocket;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use wardkeep_policy::Bundle;
use wardkeep_proto::chance::Chance;
use wardkeep_proto::secret::{AgentTokens, SecretSource};
use wardkeep_proto::time::Clock;

use crate::client::{Roots, RootsError};
use crate::gateway::{LeaseBook, PostureSource};
use crate::server;

use authority::Authority;
use crowd::Crowd;
use values::Values;

pub use record::{EgressLedger, EgressOutcome, EgressRecord, NotRecorded, Recording};
pub use resolve::{Lookup, Resolver, SystemResolver};

/// How long the proxy waits. There is no limit on a whole exchange.
#[derive(Clone, Copy, Debug)]
pub struct ForwardTimeouts {
    /// For an answer of the resolver, for a TCP connection to one address, and for a TLS handshake.
    pub connect: Duration,
    /// For a head, or a first TLS message, to arrive whole.
    pub head: Duration,
    /// Without a byte in any direction.
    pub idle: Duration,
}

impl Default for ForwardTimeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), head: Duration::from_secs(30), idle: Duration::from_secs(300) }
    }
}

/// What the forward proxy is made of.
pub struct ForwardParts {
    /// Where bound secrets come from.
    pub secrets: Arc<dyn SecretSource>,
    /// Who asks.
    pub tokens: Arc<dyn AgentTokens>,
    /// Whether their hook is alive.
    pub leases: Arc<dyn LeaseBook>,
    /// The closed states.
    pub posture: Arc<dyn PostureSource>,
    /// What must not leave.
    pub redaction: wardkeep_redaction::Shared,
    /// What may be reached; a new generation counts from the next request on, and cuts tunnels that it no longer opens.
    pub bundle: watch::Receiver<Arc<Bundle>>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Serial numbers of certificates.
    pub chance: Arc<dyn Chance>,
    /// The audit log.
    pub ledger: Arc<dyn EgressLedger>,
    /// From names to addresses.
    pub resolver: Arc<dyn Resolver>,
    /// Whom to trust as the certificate authority of inspected hosts.
    pub roots: Roots,
    /// How long to wait.
    pub timeouts: ForwardTimeouts,
}

/// The forward proxy cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The certificate authorities of hosts.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// Its own certificate authority.
    #[error("the forward proxy cannot make its own certificate authority: {0}")]
    Authority(String),
}

/// The forward proxy; hand it to [`serve_forward`].
pub struct Forward {
    pub(crate) parts: ForwardParts,
    pub(crate) authority: Authority,
    pub(crate) tls: TlsConnector,
    pub(crate) values: Values,
    pub(crate) crowd: Crowd,
}

impl Forward {
    /// Puts the parts together, with a certificate authority made for this start.
    ///
    /// # Errors
    /// Both of [`ForwardError`].
    pub fn new(parts: ForwardParts) -> Result<Arc<Self>, ForwardError> {
        let authority = Authority::new(Arc::clone(&parts.clock), Arc::clone(&parts.chance))
            .map_err(|error| ForwardError::Authority(error.to_string()))?;
        let tls = upstream::connector(&parts.roots)?;
        Ok(Arc::new(Self { parts, authority, tls, values: Values::default(), crowd: Crowd::default() }))
    }

    /// The certificate, PEM, that clients of inspected hosts must trust. Its key never leaves memory.
    #[must_use]
    pub fn authority_pem(&self) -> String {
        self.authority.pem()
    }
}

/// Serves agents' tools until `stop`; tunnels are cut then, exchanges under way may end within ten seconds.
pub async fn serve_forward(listener: TcpListener, forward: Arc<Forward>, stop: CancellationToken) {
    let serve = move |stream, stop| connection::serve(stream, Arc::clone(&forward), stop);
    server::each_connection(listener, stop, serve).await;
}
