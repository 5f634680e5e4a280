//! Tenants, their policy and the commands given to them.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use super::error::{ErrorBody, Refusal};
use crate::app::SharedClock;
use crate::auth::Session;
use crate::orders::{OrderError, Orders};
use crate::store::Store;
use crate::store::commands::{Command, Order};
use crate::store::status::{AgentState, GivenGrant, Status};
use crate::store::tenants::Tenant;

/// One customer's server.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TenantView {
    id: String,
    name: String,
    organisation: String,
    /// `new`, `online` or `offline`.
    standing: &'static str,
    created_ms: i64,
    enrolled_ms: Option<i64>,
    desired_generation: Option<u64>,
    /// Approvals that wait for a person.
    waiting: u64,
    status: Option<StatusView>,
}

/// What a tenant last said about itself.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StatusView {
    last_seen_ms: i64,
    agent_version: String,
    hostname: String,
    started_ms: i64,
    generation: u64,
    refused_generation: Option<u64>,
    refused_reason: Option<String>,
    /// Closed states in force.
    closed: Vec<String>,
    #[schema(value_type = Vec<Object>)]
    agents: Vec<AgentState>,
    audit_length: u64,
    audit_head: Option<String>,
    open_approvals: u64,
    memory_bytes: u64,
    clock_skew_ms: i64,
    /// Fingerprints of the passkeys that it trusts; absent where its daemon knows no passkeys.
    passkeys: Option<Vec<String>>,
    /// What people granted with approvals and has not ended; absent where its daemon knows no such grants.
    #[schema(value_type = Option<Vec<Object>>)]
    grants: Option<Vec<GivenGrant>>,
}

/// Tenants by name.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TenantList {
    tenants: Vec<TenantView>,
    /// Pass as `after` to go on; absent at the end.
    next: Option<String>,
}

impl TenantView {
    fn of(tenant: Tenant, now: Timestamp) -> Self {
        Self {
            standing: tenant.standing(now).as_str(),
            id: tenant.id.to_string(),
            name: tenant.name.to_string(),
            organisation: tenant.organisation_name,
            created_ms: tenant.created.millis(),
            enrolled_ms: tenant.enrolled.map(Timestamp::millis),
            desired_generation: tenant.desired_generation,
            waiting: tenant.waiting,
            status: tenant.status.map(StatusView::from),
        }
    }
}

impl From<Status> for StatusView {
    fn from(status: Status) -> Self {
        let (refused_generation, refused_reason) = status.refused.map(|r| (r.generation, r.reason)).unzip();
        Self {
            last_seen_ms: status.last_seen.millis(),
            agent_version: status.agent_version,
            hostname: status.hostname,
            started_ms: status.started.millis(),
            generation: status.generation,
            refused_generation,
            refused_reason,
            closed: status.closed,
            agents: status.agents,
            audit_length: status.audit_length,
            audit_head: status.audit_head.map(|head| head.to_string()),
            open_approvals: status.open_approvals,
            memory_bytes: status.memory_bytes,
            clock_skew_ms: status.clock_skew_ms,
            passkeys: status.passkeys.map(|pinned| pinned.iter().map(ToString::to_string).collect()),
            grants: status.grants,
        }
    }
}

/// Where to go on.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct TenantQuery {
    /// Name of the last tenant seen.
    after: Option<String>,
    /// Rows, 1 to 500.
    limit: Option<u32>,
}

/// Tenants by name.
#[utoipa::path(get, path = "/api/v1/tenants", params(TenantQuery), responses((status = 200, body = TenantList), (status = 401, body = ErrorBody)))]
pub(super) async fn list(
    session: Session,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    Query(query): Query<TenantQuery>,
) -> Result<Json<TenantList>, Refusal> {
    let after =
        query.after.map(|name| name.parse()).transpose().map_err(|_| invalid("after must be a tenant's name"))?;
    let (limit, now) = (super::limit(query.limit), clock.now());
    let tenants = store.tenants(&session.caller(), after.as_ref(), limit, now).await?;
    let next =
        (tenants.len() == limit as usize).then(|| tenants.last().map(|tenant| tenant.name.to_string())).flatten();
    Ok(Json(TenantList { tenants: tenants.into_iter().map(|tenant| TenantView::of(tenant, now)).collect(), next }))
}

/// One tenant.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}", params(("tenant" = String, Path, description = "id")), responses((status = 200, body = TenantView), (status = 404, body = ErrorBody)))]
pub(super) async fn one(
    session: Session,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    Path(tenant): Path<String>,
) -> Result<Json<TenantView>, Refusal> {
    let now = clock.now();
    let found = store.tenant(&session.caller(), id(&tenant)?, now).await?;
    found.map(|tenant| Json(TenantView::of(tenant, now))).ok_or(Refusal::NotFound)
}

/// The newest policy of a tenant.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PolicyView {
    version: u64,
    digest: String,
    issued_ms: i64,
    expires_ms: i64,
    published_by: String,
    /// TOML.
    source: String,
}

/// The newest policy of a tenant.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/policy", params(("tenant" = String, Path, description = "id")), responses((status = 200, body = PolicyView), (status = 404, body = ErrorBody)))]
pub(super) async fn policy(
    session: Session,
    State(store): State<Store>,
    Path(tenant): Path<String>,
) -> Result<Json<PolicyView>, Refusal> {
    let policy = store.policy(&session.caller(), id(&tenant)?).await?.ok_or(Refusal::NotFound)?;
    Ok(Json(PolicyView {
        version: policy.version,
        digest: policy.digest.to_string(),
        issued_ms: policy.issued.millis(),
        expires_ms: policy.expires.millis(),
        published_by: policy.published_by,
        source: policy.source,
    }))
}

/// One command.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CommandView {
    id: String,
    #[schema(value_type = Object)]
    order: Order,
    ordered_by: String,
    created_ms: i64,
    deadline_ms: i64,
    /// `queued`, `received`, `succeeded`, `failed`, `refused` or `expired`.
    state: &'static str,
    state_ms: i64,
    output: String,
}

impl CommandView {
    fn of(command: Command, now: Timestamp) -> Self {
        Self {
            state: command.standing(now).as_str(),
            id: command.id.to_string(),
            order: command.order,
            ordered_by: command.ordered_by,
            created_ms: command.created.millis(),
            deadline_ms: command.deadline.millis(),
            state_ms: command.state_at.millis(),
            output: command.output,
        }
    }
}

/// Commands, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CommandList {
    commands: Vec<CommandView>,
}

/// The newest commands of a tenant.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/commands", params(("tenant" = String, Path, description = "id")), responses((status = 200, body = CommandList), (status = 404, body = ErrorBody)))]
pub(super) async fn commands(
    session: Session,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    Path(tenant): Path<String>,
) -> Result<Json<CommandList>, Refusal> {
    let (caller, tenant, now) = (session.caller(), id(&tenant)?, clock.now());
    if store.tenant(&caller, tenant, now).await?.is_none() {
        return Err(Refusal::NotFound);
    }
    let commands = store.commands(&caller, tenant, super::LIMIT).await?;
    Ok(Json(CommandList { commands: commands.into_iter().map(|command| CommandView::of(command, now)).collect() }))
}

/// Gives a command: `{"kind":"pause_agent","agent","reason"}`, `stop_agent` and `resume_agent` likewise, `{"kind":"run_doctor"}`,
/// `{"kind":"revoke_grant","grant"}`.
/// `agent` is a name, or `*` for all agents of the server; to resume takes a reason.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/commands", params(("tenant" = String, Path, description = "id")), request_body = Object, responses((status = 202, body = CommandView), (status = 404, body = ErrorBody)))]
pub(super) async fn command(
    session: Session,
    State(orders): State<Orders>,
    Path(tenant): Path<String>,
    body: Result<Json<Order>, JsonRejection>,
) -> Result<(StatusCode, Json<CommandView>), Refusal> {
    let Json(order) = body.map_err(|_| invalid("send a command as JSON, e.g. {\"kind\":\"run_doctor\"}"))?;
    if matches!(order, Order::JudgeDraft { .. }) {
        return Err(invalid("drafts are judged by `wardkeep-hub policy test`, or on the page /policy"));
    }
    let command = orders.give(&session.caller(), &session.user().name, id(&tenant)?, order).await?;
    let now = command.created;
    Ok((StatusCode::ACCEPTED, Json(CommandView::of(command, now))))
}

impl From<OrderError> for Refusal {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Unknown => Self::NotFound,
            OrderError::NoReason | OrderError::Reason | OrderError::Calls => Self::Invalid(error.to_string()),
            OrderError::Store(error) => error.into(),
        }
    }
}

/// An id in a path; what is no id names nothing.
pub(super) fn id(text: &str) -> Result<TenantId, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound)
}

pub(super) fn invalid(message: &str) -> Refusal {
    Refusal::Invalid(message.to_owned())
}
