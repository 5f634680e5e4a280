//! JSON under `/api/v1`, for programs: the same rows as the pages, the same guards.
//!
//! Lists come newest first (tenants by name) with `next`: pass it as `before` (`after` for tenants) to go on.

pub mod activity;
pub mod approvals;
pub mod error;
pub mod passkeys;
pub mod session;
pub mod tenants;
#[cfg(test)]
mod tests;
pub mod usage;

use axum::Json;
use serde::Serialize;
use utoipa::OpenApi;

use crate::access::{Access, Routes};

/// Rows of one answer when nothing else is asked for.
const LIMIT: u32 = 50;
/// Rows of one answer at most.
const MOST: u32 = 500;

/// The document served at `/api/v1/openapi.json`.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Wardkeep hub", description = "Tenants, approvals, activity and usage of one hub.", version = "1"),
    paths(
        healthz,
        session::me,
        tenants::list,
        tenants::one,
        tenants::policy,
        tenants::commands,
        tenants::command,
        approvals::list,
        approvals::one,
        approvals::decide,
        passkeys::list,
        passkeys::challenge,
        passkeys::register,
        passkeys::remove,
        passkeys::introduce,
        activity::list,
        usage::totals
    )
)]
pub struct Document;

/// Adds the routes of the API.
pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .get("/healthz", Access::Anyone, healthz)
        .get("/api/v1/healthz", Access::Anyone, healthz)
        .get("/api/v1/openapi.json", Access::Anyone, openapi)
        .get("/api/v1/session", Access::Person, session::me)
        .get("/api/v1/tenants", Access::Person, tenants::list)
        .get("/api/v1/tenants/{tenant}", Access::Person, tenants::one)
        .get("/api/v1/tenants/{tenant}/policy", Access::Person, tenants::policy)
        .get("/api/v1/tenants/{tenant}/commands", Access::Person, tenants::commands)
        .post("/api/v1/tenants/{tenant}/commands", Access::Person, tenants::command)
        .get("/api/v1/approvals", Access::Person, approvals::list)
        .get("/api/v1/approvals/{digest}", Access::Person, approvals::one)
        .post("/api/v1/approvals/{digest}/decision", Access::Person, approvals::decide)
        .get("/api/v1/passkeys", Access::Person, passkeys::list)
        .post("/api/v1/passkeys", Access::Person, passkeys::register)
        .post("/api/v1/passkeys/challenge", Access::Person, passkeys::challenge)
        .post("/api/v1/passkeys/{fingerprint}/removal", Access::Person, passkeys::remove)
        .post("/api/v1/passkeys/{fingerprint}/introduction", Access::Person, passkeys::introduce)
        .get("/api/v1/activity", Access::Person, activity::list)
        .get("/api/v1/usage", Access::Person, usage::totals)
}

/// That the hub answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// Always `ok`.
    status: &'static str,
    /// Version of the hub.
    version: &'static str,
}

/// Whether the hub answers; says nothing else.
#[utoipa::path(get, path = "/api/v1/healthz", responses((status = 200, body = Health)))]
async fn healthz() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(Document::openapi())
}

/// How many rows to give: what was asked for, within bounds.
fn limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(LIMIT).clamp(1, MOST)
}
