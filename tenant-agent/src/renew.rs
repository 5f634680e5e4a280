//! Renewal of the client certificate at half of its life, as a candidate that must prove itself before it takes over.
//!
//! `renewal.key` and `renewal.csr` → the hub's answer in `renewal.pem` → one successful call with it → rename over
//! `client.pem`. A crash at any point goes on where it was; until the rename the old certificate stays in use.

use wardkeep_proto::limits::MESSAGE_BYTES;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::v1::enrolment_client::EnrolmentClient;
use wardkeep_proto::v1::report_client::ReportClient;
use wardkeep_proto::v1::{RenewRequest, UsageReport};

use crate::channel::{ConnectError, connect};
use crate::enrol::{EnrolError, client_pem, stored_request};
use crate::hub_address::HubAddress;
use crate::identity::{ClientKey, Identity, IdentityDir, IdentityError};
use crate::tls::{HubTrust, TlsError, client_config};

/// Why the certificate was not renewed; the present one stays in use.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// A file cannot be read or written, or is damaged.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No key or request could be made.
    #[error(transparent)]
    Request(#[from] EnrolError),
    /// Our own TLS set-up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The hub was not reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The hub said no.
    #[error("the hub refused the renewal: {0}")]
    Refused(String),
    /// The answer does not fit the request.
    #[error("the renewed certificate cannot be used: {0}")]
    Unfit(&'static str),
    /// The hub does not accept a certificate, or did not answer.
    #[error("the hub did not accept the certificate: {0}")]
    NotProven(String),
}

/// Renews when due. `Some` is the certificate now in use; `None` when there was nothing to do.
///
/// # Errors
/// All of [`RenewError`].
pub async fn renew_if_due(
    dir: &IdentityDir,
    identity: &Identity,
    hub: &HubAddress,
    now: Timestamp,
) -> Result<Option<ClientKey>, RenewError> {
    let validity = identity.client.validity().map_err(RenewError::Unfit)?;
    if !validity.renewal_due(now) {
        return Ok(None);
    }
    if dir.read("renewal.pem")?.is_none() {
        ask(dir, identity, hub).await?;
    }
    let candidate = match dir.client_key("renewal.pem") {
        Ok(candidate) => candidate,
        Err(error) => {
            forget(dir)?;
            return Err(error.into());
        }
    };
    if let Err(error) = prove(&candidate, identity, hub).await {
        // A lost connection says nothing of the candidate; it is to blame when the present certificate still works.
        if prove(&identity.client, identity, hub).await.is_ok() {
            forget(dir)?;
        }
        return Err(error);
    }
    dir.rename("renewal.pem", "client.pem")?;
    forget(dir)?;
    Ok(Some(candidate))
}

async fn ask(dir: &IdentityDir, identity: &Identity, hub: &HubAddress) -> Result<(), RenewError> {
    let request = stored_request(dir, "renewal.key", "renewal.csr", &identity.name)?;
    let tls = client_config(&HubTrust::Authority(identity.ca.clone()), Some(&identity.client))?;
    let mut client = EnrolmentClient::new(connect(hub, tls).await?).max_decoding_message_size(MESSAGE_BYTES);
    let mut message = tonic::Request::new(RenewRequest { csr_der: request.csr.clone() });
    message.set_timeout(std::time::Duration::from_secs(30));
    let answer = client
        .renew(message)
        .await
        .map_err(|status| RenewError::Refused(format!("{} ({:?})", status.message(), status.code())))?
        .into_inner();
    // The authority is pinned since enrolment: an answer cannot change it.
    let pem = client_pem(&request.key, &answer.certificate_chain_pem).map_err(RenewError::Unfit)?;
    Ok(dir.write("renewal.pem", pem.as_bytes())?)
}

/// An empty usage report: needs the client certificate and changes nothing.
pub(crate) async fn prove(candidate: &ClientKey, identity: &Identity, hub: &HubAddress) -> Result<(), RenewError> {
    let tls = client_config(&HubTrust::Authority(identity.ca.clone()), Some(candidate))?;
    let mut client = ReportClient::new(connect(hub, tls).await?);
    let mut message = tonic::Request::new(UsageReport { buckets: Vec::new() });
    message.set_timeout(std::time::Duration::from_secs(15));
    match client.usage(message).await {
        Ok(_) => Ok(()),
        Err(status) => Err(RenewError::NotProven(format!("{} ({:?})", status.message(), status.code()))),
    }
}

fn forget(dir: &IdentityDir) -> Result<(), IdentityError> {
    dir.remove("renewal.pem")?;
    dir.remove("renewal.csr")?;
    dir.remove("renewal.key")
}

#[cfg(test)]
mod tests;
