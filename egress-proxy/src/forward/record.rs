//! What the forward proxy tells the audit log.

use std::future::Future;
use std::pin::Pin;

use wardkeep_proto::ids::AgentName;

/// One thing that was asked of the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressRecord {
    /// Who asked; `None` where no token was known.
    pub agent: Option<AgentName>,
    /// Host and port that were asked for; empty where the request could not be read.
    pub destination: String,
    /// Method and path without query, redacted; `CONNECT` alone for tunnels.
    pub request: String,
    /// What became of it.
    pub outcome: EgressOutcome,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EgressOutcome {
    /// It was refused; the stable name of the reason.
    Refused(&'static str),
    /// TLS passes untouched.
    Tunnelled,
    /// It was read and goes out, with the values of these secrets in it.
    Inspected(Vec<String>),
}

/// The record was not written; what it tells of must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRecorded;

/// A record on its way to the disk.
pub type Recording<'a> = Pin<Box<dyn Future<Output = Result<(), NotRecorded>> + Send + 'a>>;

/// Whoever keeps the audit log.
pub trait EgressLedger: Send + Sync + 'static {
    /// Writes one record; done when it is on disk.
    fn record(&self, record: EgressRecord) -> Recording<'_>;
}
