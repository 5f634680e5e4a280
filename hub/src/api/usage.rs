//! What was used, by tenant, agent and model.

use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use wardkeep_proto::time::Timestamp;

use super::error::{ErrorBody, Refusal};
use super::tenants::id;
use crate::app::SharedClock;
use crate::auth::Session;
use crate::store::Store;
use crate::store::usage::Totals;

/// Looked back when nothing else is asked for.
const SPAN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Totals of one tenant, agent and model.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct UsageView {
    tenant: String,
    tenant_name: String,
    agent: String,
    provider: String,
    model: String,
    /// requests, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_micros
    /// (millionths of a US dollar), estimated_requests, cache_write_1h_tokens (part of cache_write_tokens),
    /// guessed_price_requests (the policy names no price for the model).
    #[schema(value_type = Object)]
    totals: Totals,
    /// The tenant once reported less than before.
    shrunk: bool,
}

/// Totals, costliest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct UsageList {
    from_ms: i64,
    until_ms: i64,
    usage: Vec<UsageView>,
}

/// Which span.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct UsageQuery {
    /// Id of one tenant.
    tenant: Option<String>,
    /// UTC milliseconds, included; 30 days ago when absent.
    from_ms: Option<i64>,
    /// UTC milliseconds, excluded; the end of time when absent.
    until_ms: Option<i64>,
}

/// What was used.
#[utoipa::path(get, path = "/api/v1/usage", params(UsageQuery), responses((status = 200, body = UsageList), (status = 401, body = ErrorBody)))]
pub(super) async fn totals(
    session: Session,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    Query(query): Query<UsageQuery>,
) -> Result<Json<UsageList>, Refusal> {
    let tenant = query.tenant.as_deref().map(id).transpose()?;
    let back = i64::try_from(SPAN.as_millis()).unwrap_or(i64::MAX);
    let from = query.from_ms.map_or_else(|| Timestamp(clock.now().millis().saturating_sub(back)).hour(), Timestamp);
    let until = Timestamp(query.until_ms.unwrap_or(i64::MAX));
    let lines = store.usage(&session.caller(), tenant, from, until).await?;
    let usage = lines.into_iter().map(|line| UsageView {
        tenant: line.tenant.to_string(),
        tenant_name: line.tenant_name,
        agent: line.agent,
        provider: line.provider,
        model: line.model,
        totals: line.totals,
        shrunk: line.shrunk,
    });
    Ok(Json(UsageList { from_ms: from.millis(), until_ms: until.millis(), usage: usage.collect() }))
}
