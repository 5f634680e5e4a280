//! The link to the hub: one outbound stream, kept up for ever, and the reports beside it.
//!
//! Everything that must arrive is a row on this side until its receipt came; a connection only hurries. So each connection
//! starts from what is unacknowledged, and repeating any of it changes nothing.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use wardkeep_proto::chance::Chance;
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::waypoint::Waypoints;

use crate::bundle_book::BundleBook;
use crate::channel::connect;
use crate::hub_address::HubAddress;
use crate::identity::{Identity, IdentityDir};
use crate::observed::Observer;
use crate::renew::renew_if_due;
use crate::spool::Spool;
use crate::tls::{HubTrust, client_config};

pub mod backoff;
pub mod commands;
pub mod decision;
pub mod journal;
mod reports;
mod session;
mod wire;

pub use commands::Commander;
pub(crate) use commands::told;
pub use session::SessionEnd;

use backoff::Backoff;

/// Between two looks at the certificate's age.
const RENEWAL_CHECK: Duration = Duration::from_secs(3600);

/// What the link is made of.
pub struct LinkParts {
    /// Where the hub is.
    pub hub: HubAddress,
    /// The files of the identity.
    pub identity_dir: IdentityDir,
    /// What is unacknowledged.
    pub spool: Arc<Spool>,
    /// Takes desired configurations.
    pub bundles: Arc<BundleBook>,
    /// Takes commands.
    pub commander: Arc<Commander>,
    /// Knows the status.
    pub observer: Arc<Observer>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
    /// The points of the crash test.
    pub waypoints: Arc<dyn Waypoints>,
    /// How the link is, for everybody.
    pub state: watch::Sender<LinkState>,
    /// Asks for a checkpoint now.
    pub checkpoint_now: Notify,
}

/// How the link is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkState {
    /// The hub welcomed us on the present connection.
    pub online: bool,
    /// Since when `online` is what it is.
    pub since: Option<Timestamp>,
    /// Last moment at which the hub was certainly there; now, while online.
    pub heard_at: Option<Timestamp>,
    /// Why the last connection ended or did not come up.
    pub last_error: Option<String>,
    /// This clock minus the hub's at the last welcome, milliseconds.
    pub clock_skew_ms: i64,
    /// Length of the audit log that the hub has a checkpoint of.
    pub checkpoint_length: u64,
    /// The hub holds a checkpoint that contradicts our log: history was rewritten on one side.
    pub history_conflict: bool,
}

/// Keeps the link up until `stop`.
pub async fn run(parts: Arc<LinkParts>, mut identity: Identity, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    loop {
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = one_connection(&parts, &mut identity, &mut backoff, &stop) => ended,
        };
        let now = parts.clock.now();
        let why = ended.to_string();
        parts.state.send_modify(|state| {
            if state.online {
                (state.online, state.since) = (false, Some(now));
                state.heard_at = Some(now);
            }
            state.last_error = Some(why.clone());
        });
        let wait = match ended {
            SessionEnd::Stopped => return,
            SessionEnd::Backoff { retry_after_ms, .. } => Backoff::asked(retry_after_ms, &*parts.chance),
            SessionEnd::NewCertificate => continue,
            _ => backoff.next(&*parts.chance),
        };
        tracing::info!(why, wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), "not connected to the hub");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// One connection from TLS to its end.
async fn one_connection(
    parts: &Arc<LinkParts>,
    identity: &mut Identity,
    backoff: &mut Backoff,
    stop: &CancellationToken,
) -> SessionEnd {
    let tls = match client_config(&HubTrust::Authority(identity.ca.clone()), Some(&identity.client)) {
        Ok(tls) => tls,
        Err(error) => return SessionEnd::Failed(error.to_string()),
    };
    let channel = match connect(&parts.hub, tls).await {
        Ok(channel) => channel,
        Err(error) => return SessionEnd::Failed(error.to_string()),
    };
    let opened = session::Session::open(parts.clone(), identity, channel.clone()).await;
    let (session, inbound) = match opened {
        Ok(opened) => opened,
        Err(end) => return end,
    };
    backoff.reset();
    let reports = reports::run(parts, channel);
    tokio::select! {
        end = session.run(inbound, stop) => end,
        never = reports => match never {},
        renewed = renewal(parts, identity) => renewed,
    }
}

/// Ends the connection when a renewed certificate is in place; a failure only waits for the next look.
async fn renewal(parts: &LinkParts, identity: &mut Identity) -> SessionEnd {
    loop {
        match renew_if_due(&parts.identity_dir, identity, &parts.hub, parts.clock.now()).await {
            Ok(None) => {}
            Ok(Some(client)) => {
                tracing::info!("the client certificate was renewed");
                identity.client = client;
                return SessionEnd::NewCertificate;
            }
            Err(error) => {
                tracing::warn!(error = crate::channel::chain(&error), "the client certificate was not renewed");
            }
        }
        tokio::time::sleep(RENEWAL_CHECK).await;
    }
}

#[cfg(test)]
mod tests;
