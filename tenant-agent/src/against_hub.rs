//! What the hub holds of this server's audit log, asked with the server's own certificate and without the daemon.

use std::time::Duration;

use wardkeep_proto::digest::Digest;
use wardkeep_proto::limits::MESSAGE_BYTES;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::v1::report_client::ReportClient;
use wardkeep_proto::v1::{AuditCheckpointsRequest, StoredCheckpoint};
use wardkeep_safety::audit::{AuditKey, Checkpoint, KeyError};

use crate::channel::{ConnectError, connect};
use crate::hub_address::HubAddress;
use crate::identity::{Identity, IdentityDir, IdentityError};
use crate::state::StateDir;
use crate::tls::{HubTrust, TlsError, client_config};

/// How long the hub may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Why the log was not compared.
#[derive(Debug, thiserror::Error)]
pub enum NotCompared {
    /// There is no identity.
    #[error("this server is not enrolled")]
    NotEnrolled,
    /// A file cannot be read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Our own TLS set-up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The hub was not reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The hub is older than this daemon, or says no.
    #[error("the hub did not tell its checkpoints: {0}; an older hub cannot")]
    Refused(String),
    /// The key of checkpoints cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Not what the hub was asked for.
    #[error("the hub's answer cannot be read")]
    Unreadable,
}

/// What the hub holds.
#[derive(Debug)]
pub struct Held {
    /// Every one that it told; their signatures are not checked yet.
    pub checkpoints: Vec<Checkpoint>,
    /// The key that must have signed them.
    pub key: Vec<u8>,
    /// The greatest length among them.
    pub newest: u64,
}

/// Asks the hub.
///
/// # Errors
/// All of [`NotCompared`].
pub async fn signed_at_hub(state: &StateDir, hub: Option<&HubAddress>) -> Result<Held, NotCompared> {
    let identity = IdentityDir::new(state.identity()).load()?.ok_or(NotCompared::NotEnrolled)?;
    let key = AuditKey::existing(&state.gate().join("audit.key"))?.public().to_vec();
    let tls = client_config(&HubTrust::Authority(identity.ca.clone()), Some(&identity.client))?;
    let channel = connect(hub.unwrap_or(&identity.hub), tls).await?;
    let mut client = ReportClient::new(channel).max_decoding_message_size(MESSAGE_BYTES);
    let mut message = tonic::Request::new(AuditCheckpointsRequest {});
    message.set_timeout(TIMEOUT);
    let refused = |status: tonic::Status| NotCompared::Refused(format!("{} ({:?})", status.message(), status.code()));
    let told = client.audit_checkpoints(message).await.map_err(refused)?.into_inner().checkpoints;
    let read = |one| checkpoint(&identity, &key, one).ok_or(NotCompared::Unreadable);
    let checkpoints = told.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let newest = checkpoints.iter().map(|one| one.length).max().unwrap_or(0);
    Ok(Held { checkpoints, key, newest })
}

fn checkpoint(identity: &Identity, key: &[u8], stored: StoredCheckpoint) -> Option<Checkpoint> {
    let StoredCheckpoint { length, head, at_ms, signature } = stored;
    Some(Checkpoint {
        tenant: identity.tenant,
        length,
        head: Digest(head.try_into().ok()?),
        at: Timestamp(at_ms),
        signature,
        key: key.to_vec(),
    })
}
