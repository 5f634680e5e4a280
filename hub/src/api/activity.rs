//! What agents did, one line a call.

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use wardkeep_proto::time::Timestamp;

use super::error::{ErrorBody, Refusal};
use super::tenants::{id, invalid};
use crate::auth::Session;
use crate::store::Store;
use crate::store::activity::{Before, TenantActivity};

/// One line.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ActivityView {
    tenant: String,
    tenant_name: String,
    number: u64,
    at_ms: i64,
    agent: String,
    session: String,
    call: String,
    tool: String,
    class: String,
    outcome: String,
    summary: String,
    /// The approval, when there is one.
    digest: Option<String>,
}

impl From<TenantActivity> for ActivityView {
    fn from(of: TenantActivity) -> Self {
        Self {
            tenant: of.tenant.to_string(),
            tenant_name: of.tenant_name,
            number: of.row.number,
            at_ms: of.row.at.millis(),
            agent: of.row.agent,
            session: of.row.session,
            call: of.row.call,
            tool: of.row.tool,
            class: of.row.class,
            outcome: of.row.outcome,
            summary: of.row.summary,
            digest: of.row.digest.map(|digest| digest.to_string()),
        }
    }
}

/// Lines, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ActivityList {
    activity: Vec<ActivityView>,
    /// Pass as `before` to go on; absent at the end.
    next: Option<String>,
}

/// Which lines.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct ActivityQuery {
    /// Id of one tenant.
    tenant: Option<String>,
    /// `next` of the answer before.
    before: Option<String>,
    /// Rows, 1 to 500.
    limit: Option<u32>,
}

/// What agents did, newest first.
#[utoipa::path(get, path = "/api/v1/activity", params(ActivityQuery), responses((status = 200, body = ActivityList), (status = 400, body = ErrorBody)))]
pub(super) async fn list(
    session: Session,
    State(store): State<Store>,
    Query(query): Query<ActivityQuery>,
) -> Result<Json<ActivityList>, Refusal> {
    let tenant = query.tenant.as_deref().map(id).transpose()?;
    let before = query.before.as_deref().map(place).transpose()?;
    let limit = super::limit(query.limit);
    let rows = store.activity(&session.caller(), tenant, before, limit).await?;
    let last = rows.last().filter(|_| rows.len() == limit as usize);
    let next = last.map(|last| format!("{}-{}", last.row.at.millis(), last.row.number));
    Ok(Json(ActivityList { activity: rows.into_iter().map(ActivityView::from).collect(), next }))
}

fn place(text: &str) -> Result<Before, Refusal> {
    let wrong = || invalid("before must be `next` of an answer");
    let (at, number) = text.split_once('-').ok_or_else(wrong)?;
    Ok(Before { at: Timestamp(at.parse().map_err(|_| wrong())?), number: number.parse().map_err(|_| wrong())? })
}
