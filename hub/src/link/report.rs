//! `Report`: bulk totals, cumulative, so that a repeat changes nothing.

use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Serialize;
use tonic::{Request, Response, Status};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::v1;
use wardkeep_proto::waypoint::Waypoint;

use super::LinkParts;
use super::enrolment::{tenant, unavailable};
use super::wire::{self, InvalidMessage};
use crate::events::Change;
use crate::store::audit::Checkpoint;

/// What the signature of a checkpoint covers begins with this and a zero byte.
const DOMAIN: &[u8] = b"wardkeep/checkpoint/v1\0";

/// The service.
pub(super) struct Reports(LinkParts);

impl Reports {
    pub(super) const fn new(parts: LinkParts) -> Self {
        Self(parts)
    }
}

#[tonic::async_trait]
impl v1::report_server::Report for Reports {
    async fn usage(&self, request: Request<v1::UsageReport>) -> Result<Response<v1::UsageReceipt>, Status> {
        let tenant = tenant(&self.0, "wardkeep.v1.Report/Usage", &request).await?;
        let buckets = wire::buckets(request.into_inner()).map_err(invalid)?;
        let LinkParts { store, clock, events, waypoints, .. } = &self.0;
        let stored = store.put_usage(tenant, buckets, clock.now()).await.map_err(|error| unavailable(&error))?;
        waypoints.pass(Waypoint::HubUsageStored);
        events.tell(tenant, Change::Usage);
        Ok(Response::new(wire::accepted(stored)))
    }

    async fn audit_checkpoint(
        &self,
        request: Request<v1::AuditCheckpointReport>,
    ) -> Result<Response<v1::AuditCheckpointReceipt>, Status> {
        let tenant = tenant(&self.0, "wardkeep.v1.Report/AuditCheckpoint", &request).await?;
        let wire::WireCheckpoint { length, head, at, signature, audit_key } =
            wire::checkpoint(request.into_inner()).map_err(invalid)?;
        let text = signed_text(tenant, length, head, at);
        if UnparsedPublicKey::new(&ED25519, &audit_key).verify(&text, &signature).is_err() {
            return Err(Status::invalid_argument("the signature does not fit the checkpoint"));
        }
        let LinkParts { store, clock, events, .. } = &self.0;
        let pinned =
            store.audit_key(tenant, audit_key.clone(), clock.now()).await.map_err(|error| unavailable(&error))?;
        if pinned != audit_key {
            tracing::warn!(%tenant, "an audit checkpoint is signed by another key than before");
            return Err(Status::failed_precondition("this is not the audit key known for this tenant; enrol again"));
        }
        let key = Digest::plain(&audit_key);
        let checkpoint = Checkpoint { length, head, at, key, signature, consistent: true };
        let outcome =
            store.put_checkpoint(tenant, checkpoint, clock.now()).await.map_err(|error| unavailable(&error))?;
        if !outcome.consistent {
            tracing::warn!(%tenant, length, "the audit log of a tenant was rewritten");
            events.tell(tenant, Change::Tenant);
        }
        Ok(Response::new(v1::AuditCheckpointReceipt { length: outcome.length, consistent: outcome.consistent }))
    }
}

fn invalid(error: InvalidMessage) -> Status {
    Status::invalid_argument(error.to_string())
}

/// What a checkpoint's signature covers: the domain, a zero byte, and RFC 8785 canonical JSON.
pub(super) fn signed_text(tenant: TenantId, length: u64, head: Digest, at: Timestamp) -> Vec<u8> {
    #[derive(Serialize)]
    struct Text {
        at_ms: Timestamp,
        head: Digest,
        length: u64,
        tenant: TenantId,
    }
    let mut out = DOMAIN.to_vec();
    // Two strings and two integers always serialise.
    out.extend(serde_json_canonicalizer::to_vec(&Text { at_ms: at, head, length, tenant }).unwrap_or_default());
    out
}
