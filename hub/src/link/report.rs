//! `Report`: bulk totals, cumulative, so that a repeat changes nothing.

use tonic::{Request, Response, Status};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::v1;
use wardkeep_proto::waypoint::Waypoint;

use super::LinkParts;
use super::enrolment::{tenant, unavailable};
use super::wire::{self, InvalidMessage};
use crate::audit;
use crate::events::Change;
use crate::store::Caller;
use crate::store::audit::Checkpoint;

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
        let wire::WireCheckpoint { length, head, at, signature, audit_key, known } =
            wire::checkpoint(request.into_inner()).map_err(invalid)?;
        if !audit::is_signed(tenant, (length, head, at), &signature, &audit_key) {
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
        let now = clock.now();
        let checkpoint = Checkpoint { length, head, at, key, signature, received: now, consistent: true };
        let outcome = store.put_checkpoint(tenant, checkpoint, known).await.map_err(|error| unavailable(&error))?;
        if !outcome.consistent {
            tracing::warn!(%tenant, length, "the audit log of a tenant was rewritten");
            events.tell(tenant, Change::Tenant);
        }
        Ok(Response::new(v1::AuditCheckpointReceipt { length: outcome.length, consistent: outcome.consistent }))
    }

    async fn audit_checkpoints(
        &self,
        request: Request<v1::AuditCheckpointsRequest>,
    ) -> Result<Response<v1::AuditCheckpointsList>, Status> {
        let tenant = tenant(&self.0, "wardkeep.v1.Report/AuditCheckpoints", &request).await?;
        let stored = self.0.store.checkpoints(&Caller::Tenant(tenant), tenant, CHECKPOINTS).await;
        // Evidence of a fork carries no signature of its own; the tenant is shown what it signed.
        let signed = stored.map_err(|error| unavailable(&error))?.into_iter().filter(|one| !one.signature.is_empty());
        Ok(Response::new(v1::AuditCheckpointsList { checkpoints: signed.map(wire::stored).collect() }))
    }
}

/// Checkpoints in one answer; each covers all rows before it.
const CHECKPOINTS: u32 = 2000;

fn invalid(error: InvalidMessage) -> Status {
    Status::invalid_argument(error.to_string())
}
