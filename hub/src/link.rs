//! The port for daemons: one mutual-TLS gRPC server for enrolment, the link and reports.
//!
//! A stream is a hurry-up. What a tenant must hear is in rows: at each attach, each nudge and each sweep the stream looks
//! at the rows and sends what the tenant has not confirmed.

mod attach;
mod enrolment;
mod registry;
mod report;
mod server;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use wardkeep_proto::waypoint::Waypoints;

pub use registry::Links;
pub use server::{LinkError, Listening, serve};

use crate::app::{SharedChance, SharedClock};
use crate::events::Events;
use crate::keys::Keys;
use crate::store::Store;

/// What the services of the link are made of.
#[derive(Clone)]
pub struct LinkParts {
    /// The rows.
    pub store: Store,
    /// Time.
    pub clock: SharedClock,
    /// Chance.
    pub chance: SharedChance,
    /// Changes for pages.
    pub events: Events,
    /// The open streams.
    pub links: Links,
    /// The hub's keys.
    pub keys: Keys,
    /// Where a crash may be tried.
    pub waypoints: Arc<dyn Waypoints>,
}

impl std::fmt::Debug for LinkParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkParts(..)")
    }
}
