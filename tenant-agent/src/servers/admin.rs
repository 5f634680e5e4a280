//! The admin socket: what the CLI asks of the running daemon. Only the daemon's user and root are heard (see `peer`), and
//! only with the token (see `token`): a run is the daemon's user, too.

mod grants;
mod passkeys;
mod vault;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;
use wardkeep_egress::{By, Line, Meter, MeterError};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::whom::Whom;
use wardkeep_safety::audit::Row;
use wardkeep_safety::{
    Approval, ApprovalFilter, Gate, GateError, Hold, Holder, Moved, Order, Origin, Ruling, RulingError, Standing,
    Verdict,
};

use super::peer::Peer;
use super::token::{AdminToken, demand};
use crate::observed::Observer;
use crate::secrets::VaultBook;
use crate::tokens::TokenBook;

pub use vault::Attempts;

/// Longest request, bytes.
const BODY_BYTES: usize = 64 * 1024;
/// Approvals in one list.
const LIST: u32 = 200;
/// Audit rows in one answer.
const AUDIT_ROWS: u32 = 1_000;
/// Longest wait for more of them.
const AUDIT_WAIT: Duration = Duration::from_secs(30);
/// Lines of usage in one answer.
const USAGE_LINES: u32 = 10_000;

/// What the handlers use.
#[derive(Clone)]
pub struct AdminState {
    /// The gate.
    pub gate: Arc<Gate>,
    /// The status.
    pub observer: Arc<Observer>,
    /// The vault.
    pub vault: Arc<VaultBook>,
    /// What was used.
    pub meter: Meter,
    /// Wrong keys for the vault.
    pub attempts: Attempts,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Agents' tokens.
    pub tokens: Arc<TokenBook>,
    /// Wakes the keeper: look at the vault now.
    pub nudge: Arc<Notify>,
    /// Asks the link for a checkpoint.
    pub checkpoint: Arc<dyn Fn() + Send + Sync>,
    /// What whoever asks must hold.
    pub token: AdminToken,
}

/// The routes.
pub fn router(state: AdminState) -> Router {
    let token = state.token;
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/approvals", get(list))
        .route("/v1/approvals/{name}", get(show))
        .route("/v1/approvals/{name}/decision", post(decide))
        .route("/v1/grants", get(grants::list))
        .route("/v1/grants/revoke", post(grants::revoke))
        .route("/v1/passkeys", get(passkeys::list))
        .route("/v1/passkeys/pin", post(passkeys::pin))
        .route("/v1/passkeys/remove", post(passkeys::remove))
        .route("/v1/standing", get(holds).post(stand))
        .route("/v1/audit", get(audit))
        .route("/v1/usage", get(usage))
        .route("/v1/vault/unlock", post(vault::unlock))
        .route("/v1/vault/lock", post(vault::lock))
        .route("/v1/reload", post(reload))
        .route("/v1/checkpoint", post(checkpoint))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        // Last, so outermost: it also covers paths that do not exist.
        .layer(middleware::from_fn_with_state(token, demand))
        .with_state(state)
}

/// A refusal, as the hook API words it too.
#[derive(Debug)]
pub(super) struct Refusal(StatusCode, &'static str, String);

impl Refusal {
    pub(super) fn no_token() -> Self {
        let todo = "the admin token is missing or wrong; run this as root or through `wardkeep`";
        Self(StatusCode::UNAUTHORIZED, "no-token", todo.to_owned())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        (status, Json(json!({ "error": { "code": code, "message": message } }))).into_response()
    }
}

impl From<GateError> for Refusal {
    fn from(error: GateError) -> Self {
        if let GateError::Invalid(why) = &error {
            return Self(StatusCode::BAD_REQUEST, "invalid", why.clone());
        }
        tracing::warn!(error = crate::channel::chain(&error), "an admin request failed");
        Self(StatusCode::SERVICE_UNAVAILABLE, "unavailable", crate::channel::chain(&error))
    }
}

impl From<RulingError> for Refusal {
    fn from(error: RulingError) -> Self {
        let (status, code) = match &error {
            RulingError::Unknown(_) => (StatusCode::NOT_FOUND, "unknown"),
            RulingError::Late(_) => (StatusCode::CONFLICT, "late"),
            RulingError::AlreadyDecided(_) => (StatusCode::CONFLICT, "already-decided"),
            RulingError::NeedsPasskey | RulingError::Passkey(_) => (StatusCode::FORBIDDEN, "needs-passkey"),
            RulingError::Grant(_) => (StatusCode::CONFLICT, "not-granted"),
            RulingError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        Self(status, code, error.to_string())
    }
}

async fn status(State(state): State<AdminState>) -> Result<Response, Refusal> {
    Ok(Json(state.observer.report().await?).into_response())
}

/// An approval as the CLI shows it: the document opened.
#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    #[serde(flatten)]
    approval: Approval,
}

impl Shown {
    fn json(approval: Approval) -> Value {
        let document = serde_json::from_slice(&approval.document).unwrap_or(Value::Null);
        let mut value = json!(Self { name: approval.short(), approval });
        value["document"] = document;
        value
    }
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    all: bool,
}

async fn list(State(state): State<AdminState>, Query(query): Query<ListQuery>) -> Result<Json<Vec<Value>>, Refusal> {
    let filter = if query.all { ApprovalFilter::Newest(LIST) } else { ApprovalFilter::Pending };
    Ok(Json(state.gate.approvals(filter).await?.into_iter().map(Shown::json).collect()))
}

async fn show(State(state): State<AdminState>, Path(name): Path<String>) -> Result<Json<Value>, Refusal> {
    Ok(Json(Shown::json(find(&state.gate, &name).await?)))
}

/// By digest, or by the name for people; a name that fits two is refused rather than guessed.
async fn find(gate: &Gate, name: &str) -> Result<Approval, Refusal> {
    let unknown = || {
        Refusal(StatusCode::NOT_FOUND, "unknown", format!("no approval is named {name:?}; see `approvals list --all`"))
    };
    if let Ok(digest) = name.parse::<Digest>() {
        return gate.approval(digest).await?.ok_or_else(unknown);
    }
    let mut found = gate.approvals(ApprovalFilter::Pending).await?;
    found.retain(|approval| approval.short().eq_ignore_ascii_case(name));
    if found.is_empty() {
        found = gate.approvals(ApprovalFilter::Newest(LIST)).await?;
        found.retain(|approval| approval.short().eq_ignore_ascii_case(name));
    }
    match (found.pop(), found.is_empty()) {
        (Some(approval), true) => Ok(approval),
        (Some(_), false) => {
            Err(Refusal(StatusCode::CONFLICT, "ambiguous", format!("{name} names several; use the whole digest")))
        }
        (None, _) => Err(unknown()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    verdict: Verdict,
    #[serde(default)]
    note: String,
}

async fn decide(
    State(state): State<AdminState>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(name): Path<String>,
    Json(decision): Json<Decision>,
) -> Result<Json<Value>, Refusal> {
    let digest = find(&state.gate, &name).await?.digest;
    let Decision { verdict, note } = decision;
    // The kernel says who it is, not the caller.
    let by = format!("local:uid-{}", peer.uid);
    let ruling = Ruling { verdict, by, at: state.clock.now(), origin: Origin::Local, note, passkey: None, grant: None };
    state.gate.decide_approval(digest, ruling).await?;
    let approval = state.gate.approval(digest).await?;
    Ok(Json(approval.map_or(Value::Null, Shown::json)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stand {
    whom: Whom,
    to: Standing,
    reason: String,
}

/// Pause, stop and resume: what a person on this server says.
async fn stand(
    State(state): State<AdminState>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(stand): Json<Stand>,
) -> Result<Json<Moved>, Refusal> {
    let Stand { whom, to, reason } = stand;
    let order = Order { whom, holder: Holder::Local, by: format!("local:uid-{}", peer.uid), reason };
    let moved = match to {
        Standing::Free => state.gate.resume(order).await?,
        to => state.gate.halt(order, to).await?,
    };
    Ok(Json(moved))
}

async fn holds(State(state): State<AdminState>) -> Json<Vec<Hold>> {
    Json(state.gate.holds())
}

#[derive(Deserialize)]
struct AuditQuery {
    after: u64,
    limit: u32,
    #[serde(default)]
    wait_ms: u64,
}

/// Rows after a number, redacted as of now; waits for the first one.
async fn audit(State(state): State<AdminState>, Query(query): Query<AuditQuery>) -> Result<Json<Vec<Row>>, Refusal> {
    let AuditQuery { after, limit, wait_ms } = query;
    let within = Duration::from_millis(wait_ms).min(AUDIT_WAIT);
    Ok(Json(state.gate.audit_to_show(after, limit.min(AUDIT_ROWS), within).await?))
}

#[derive(Deserialize)]
struct UsageQuery {
    by: By,
    since_ms: i64,
    limit: u32,
}

async fn usage(State(state): State<AdminState>, Query(query): Query<UsageQuery>) -> Result<Json<Vec<Line>>, Refusal> {
    let UsageQuery { by, since_ms, limit } = query;
    let lines = state.meter.lines(by, Timestamp(since_ms), limit.min(USAGE_LINES)).await;
    let unreadable = |error: MeterError| Refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string());
    Ok(Json(lines.map_err(unreadable)?))
}

/// Answers once new tokens count: whoever made one uses it next.
async fn reload(State(state): State<AdminState>) -> Result<StatusCode, Refusal> {
    state.nudge.notify_one();
    let failed = |message| Refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
    match tokio::task::spawn_blocking(move || state.tokens.reload()).await {
        Ok(Ok(())) => Ok(StatusCode::NO_CONTENT),
        Ok(Err(error)) => Err(failed(crate::channel::chain(&error))),
        Err(_) => Err(failed("the tokens were not read; restart wardkeep-agent".to_owned())),
    }
}

async fn checkpoint(State(state): State<AdminState>) -> StatusCode {
    (state.checkpoint)();
    StatusCode::ACCEPTED
}
