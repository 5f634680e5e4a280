//! `Enrolment`: a token becomes a certificate, a certificate becomes the next one.

use tonic::{Request, Response, Status};
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::v1;

use super::LinkParts;
use super::server::Peer;
use crate::access::{Access, RPC};
use crate::ca::CaError;
use crate::enrol::{self, EnrolError};
use crate::events::Change;
use crate::keys::KeysError;
use crate::store::StoreError;

/// Bytes of a certificate request.
const CSR_BYTES: usize = 8 * 1024;
/// Bytes of a token's secret, a version, a host name.
const LINE_BYTES: usize = 256;

/// The service.
pub(super) struct Enrol(LinkParts);

impl Enrol {
    pub(super) const fn new(parts: LinkParts) -> Self {
        Self(parts)
    }
}

#[tonic::async_trait]
impl v1::enrolment_server::Enrolment for Enrol {
    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolResponse>, Status> {
        admit(&self.0, "wardkeep.v1.Enrolment/Enrol", &request).await?;
        let v1::EnrolRequest { token, csr_der, agent_version, hostname } = request.into_inner();
        let lines = [&token, &agent_version, &hostname];
        if lines.iter().any(|line| line.len() > LINE_BYTES) || csr_der.len() > CSR_BYTES {
            return Err(Status::invalid_argument("a part of the enrolment request is too long"));
        }
        let LinkParts { store, clock, chance, events, keys, .. } = &self.0;
        let enrolled =
            enrol::enrol(store, &keys.ca, &token, &csr_der, clock.now(), chance.as_ref()).await.map_err(refusal)?;
        tracing::info!(tenant = %enrolled.tenant, name = enrolled.name, version = ?agent_version, host = ?hostname, "enrolled");
        events.tell(enrolled.tenant, Change::Tenant);
        let ca_pem = keys.ca.pem();
        let listed = keys.ring.listed().await.map_err(|error| unsigned(&error))?;
        let decision = keys.ring.decision().await.map_err(|error| unsigned(&error))?;
        Ok(Response::new(v1::EnrolResponse {
            tenant_id: enrolled.tenant.to_string(),
            tenant_name: enrolled.name,
            certificate_chain_pem: format!("{}{ca_pem}", enrolled.certificate_pem),
            ca_pem,
            decision_key: decision.public(),
            key_list: listed.envelope,
            root_key: listed.root.to_vec(),
        }))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        let tenant = tenant(&self.0, "wardkeep.v1.Enrolment/Renew", &request).await?;
        let v1::RenewRequest { csr_der } = request.into_inner();
        if csr_der.len() > CSR_BYTES {
            return Err(Status::invalid_argument("the certificate request is too long"));
        }
        let LinkParts { store, clock, chance, keys, .. } = &self.0;
        let pem =
            enrol::renew(store, &keys.ca, tenant, &csr_der, clock.now(), chance.as_ref()).await.map_err(refusal)?;
        let ca_pem = keys.ca.pem();
        Ok(Response::new(v1::RenewResponse { certificate_chain_pem: format!("{pem}{ca_pem}"), ca_pem }))
    }
}

fn refusal(error: EnrolError) -> Status {
    match error {
        EnrolError::Token => Status::permission_denied(error.to_string()),
        EnrolError::Ca(CaError::Request) => Status::invalid_argument(error.to_string()),
        EnrolError::Ca(error) => {
            tracing::error!(error = %crate::api::error::chain(&error), "no certificate was made");
            Status::internal("the hub could not make a certificate")
        }
        EnrolError::Store(error) => unavailable(&error),
    }
}

/// Our fault, and worth another try.
pub(super) fn unavailable(error: &StoreError) -> Status {
    tracing::error!(error = %crate::api::error::chain(error), "the link could not store");
    Status::unavailable("the hub cannot store at the moment; try again")
}

/// Our fault: a person must look at the keys.
pub(super) fn unsigned(error: &KeysError) -> Status {
    tracing::error!(error = %crate::api::error::chain(error), "the hub's keys could not be used");
    Status::unavailable("the hub cannot use its keys at the moment; try again")
}

/// The tenant that may call `rpc` on this connection; `None` where none is needed.
pub(super) async fn admit<T>(
    parts: &LinkParts,
    rpc: &'static str,
    request: &Request<T>,
) -> Result<Option<TenantId>, Status> {
    let access = RPC.iter().find(|(name, _)| *name == rpc).map(|(_, access)| *access);
    match access {
        Some(Access::TokenHolder) => Ok(None),
        Some(Access::Tenant) => {
            let peer = request.extensions().get::<Peer>().and_then(|peer| peer.name.clone());
            let Some(name) = peer else {
                return Err(Status::unauthenticated("show a tenant's certificate; enrol first"));
            };
            let in_force = parts.store.certificate_in_force(name.tenant, &name.serial, parts.clock.now()).await;
            if in_force.map_err(|error| unavailable(&error))? {
                Ok(Some(name.tenant))
            } else {
                Err(Status::unauthenticated("this certificate is not in force (any more); enrol again"))
            }
        }
        // What is not in the table is for nobody.
        _ => Err(Status::permission_denied("nobody may call this")),
    }
}

/// As [`admit`], where a tenant is needed.
pub(super) async fn tenant<T>(parts: &LinkParts, rpc: &'static str, request: &Request<T>) -> Result<TenantId, Status> {
    admit(parts, rpc, request).await?.ok_or_else(|| Status::permission_denied("nobody may call this"))
}
