//! The hook API: HTTP/1 with JSON, for any runtime that can ask before it acts; and MCP, for those that cannot.

mod apart;
mod lease;
mod mcp;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use wardkeep_proto::ids::{AgentName, CallId, PermitId, SessionId};
use wardkeep_proto::secret::AgentTokens;

use crate::answer::Answer;
use crate::gate::{
    AfterToolCall, Executed, Gate, GateError, LlmOutput, ModelCall, Outgoing, OutgoingAnswer, Printed, Proposal,
    RedactRequest, SessionEnd, SessionStart, SessionStarted, Subagents,
};

pub use apart::serve_hooks;
pub use lease::Caller;

/// Largest body, bytes.
const BODY_BYTES: usize = 2 * 1024 * 1024;
/// The one question that an agent waits for with each of its calls.
const BEFORE_TOOL_CALL: &str = "/v1/hooks/before-tool-call";

/// The routes of the hook API. Every one needs `Authorization: Bearer` with an agent's local token.
pub fn hook_router(gate: Arc<Gate>, tokens: Arc<dyn AgentTokens>) -> Router {
    Router::new()
        .route("/v1/hooks/session-start", post(session_start))
        .route("/v1/hooks/lease", post(lease::hold))
        .route(BEFORE_TOOL_CALL, post(before_tool_call))
        .route("/v1/hooks/after-tool-call", post(after_tool_call))
        .route("/v1/hooks/message-sending", post(message_sending))
        .route("/v1/hooks/llm-output", post(llm_output))
        .route("/v1/hooks/session-end", post(session_end))
        .route("/v1/hooks/model-call", post(model_call))
        .route("/v1/hooks/redact", post(redact))
        .route("/v1/hooks/subagents", post(subagents))
        .route("/v1/calls/{session}/{call}", get(call_status))
        .route("/v1/exec", post(exec))
        .route("/v1/exec/output", post(exec_output))
        .route("/mcp", post(mcp::post))
        .fallback(|| async { Failure::new(StatusCode::NOT_FOUND, "not-found", "no such route") })
        .method_not_allowed_fallback(|| async {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this route takes another method")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(Hooks { gate, tokens, under_way: mcp::UnderWay::default() })
}

#[derive(Clone)]
struct Hooks {
    gate: Arc<Gate>,
    tokens: Arc<dyn AgentTokens>,
    under_way: mcp::UnderWay,
}

async fn session_start(
    State(hooks): State<Hooks>,
    Agent(agent): Agent,
    Body(start): Body<SessionStart>,
) -> Result<Json<SessionStarted>, Failure> {
    Ok(Json(hooks.gate.session_start(&agent, start).await?))
}

async fn before_tool_call(
    State(hooks): State<Hooks>,
    Agent(agent): Agent,
    Body(proposal): Body<Proposal>,
) -> Result<Json<Answer>, Failure> {
    Ok(Json(hooks.gate.before_tool_call_here(&agent, proposal).await?))
}

async fn message_sending(
    State(hooks): State<Hooks>,
    Agent(agent): Agent,
    Body(message): Body<Outgoing>,
) -> Result<Json<OutgoingAnswer>, Failure> {
    Ok(Json(hooks.gate.message_sending(&agent, message).await?))
}

async fn after_tool_call(
    State(hooks): State<Hooks>,
    Agent(agent): Agent,
    Body(after): Body<AfterToolCall>,
) -> Result<Json<serde_json::Value>, Failure> {
    let output = hooks.gate.after_tool_call(&agent, after).await?;
    Ok(Json(json!({"output": output})))
}

async fn llm_output(
    State(hooks): State<Hooks>,
    Agent(agent): Agent,
    Body(output): Body<LlmOutput>,
) -> Result<Json<serde_json::Value>, Failure> {
    let text = hooks.gate.llm_output(&agent, output).await?;
    Ok(Json(json!({"text": text})))
}

async fn session_end(
    State(hooks): State<Hooks>,
    Agent(agent): Agent,
    Body(end): Body<SessionEnd>,
) -> Result<Json<serde_json::Value>, Failure> {
    hooks.gate.session_end(&agent, end).await?;
    Ok(Json(json!({})))
}

async fn model_call(
    State(hooks): State<Hooks>,
    Agent(agent): Agent,
    Body(call): Body<ModelCall>,
) -> Result<Json<serde_json::Value>, Failure> {
    hooks.gate.model_call(&agent, call).await?;
    Ok(Json(json!({})))
}

async fn subagents(
    State(hooks): State<Hooks>,
    Agent(agent): Agent,
    Body(said): Body<Subagents>,
) -> Result<Json<serde_json::Value>, Failure> {
    hooks.gate.subagents(&agent, said).await?;
    Ok(Json(json!({})))
}

async fn redact(
    State(hooks): State<Hooks>,
    Agent(agent): Agent,
    Body(draft): Body<RedactRequest>,
) -> Result<Json<serde_json::Value>, Failure> {
    Ok(Json(json!({"value": hooks.gate.redact(&agent, &draft)?})))
}

#[derive(Deserialize)]
struct Wait {
    #[serde(default)]
    wait_ms: u64,
}

async fn call_status(
    State(hooks): State<Hooks>,
    Agent(agent): Agent,
    path: Result<Path<(SessionId, CallId)>, axum::extract::rejection::PathRejection>,
    wait: Result<Query<Wait>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Answer>, Failure> {
    let Path((session, call)) =
        path.map_err(|_| Failure::bad("session and call must be 1 to 128 visible ASCII characters"))?;
    let Query(wait) = wait.map_err(|_| Failure::bad("wait_ms must be a whole number of milliseconds"))?;
    Ok(Json(hooks.gate.call_status(&agent, &session, &call, Duration::from_millis(wait.wait_ms)).await?))
}

#[derive(Deserialize)]
struct Exec {
    permit: String,
}

async fn exec(
    State(hooks): State<Hooks>,
    Agent(agent): Agent,
    Body(exec): Body<Exec>,
) -> Result<Json<Executed>, Failure> {
    let permit: PermitId = exec.permit.parse().map_err(|_| Failure::bad("permit must be the UUID of a permit"))?;
    Ok(Json(hooks.gate.execute(&agent, permit).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    permit: String,
    /// How much of it is known already, bytes.
    #[serde(default)]
    from: usize,
}

async fn exec_output(
    State(hooks): State<Hooks>,
    Agent(agent): Agent,
    Body(look): Body<Look>,
) -> Result<Json<Printed>, Failure> {
    let permit: PermitId = look.permit.parse().map_err(|_| Failure::bad("permit must be the UUID of a permit"))?;
    Ok(Json(hooks.gate.printed(&agent, permit, look.from).await?))
}

/// Who calls, by its token; the one way in.
struct Agent(AgentName);

impl FromRequestParts<Hooks> for Agent {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, hooks: &Hooks) -> Result<Self, Failure> {
        let refused = || {
            Failure::new(StatusCode::UNAUTHORIZED, "unauthorized", "send Authorization: Bearer with the agent's token")
        };
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(refused()) };
        let token = value.to_str().ok().and_then(|text| text.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        token.and_then(|token| hooks.tokens.agent_of(token)).map(Self).ok_or_else(refused)
    }
}

/// A JSON body; errors do not repeat it.
struct Body<T>(T);

impl<T: DeserializeOwned> FromRequest<Hooks> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, hooks: &Hooks) -> Result<Self, Failure> {
        let bytes = bytes::Bytes::from_request(request, hooks).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is larger than 2 MiB")
            } else {
                Failure::bad("the body could not be read")
            }
        })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            // The place only: serde's own words may quote what stood there.
            Failure::bad(format!(
                "the body is not what this route takes (line {}, column {})",
                error.line(),
                error.column()
            ))
        })
    }
}

/// An error as the API shows it.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }
}

impl From<GateError> for Failure {
    fn from(error: GateError) -> Self {
        let (status, code) = match &error {
            GateError::Invalid(_) => (StatusCode::BAD_REQUEST, "bad-request"),
            GateError::UnknownCall => (StatusCode::NOT_FOUND, "unknown-call"),
            GateError::UnknownPermit => (StatusCode::NOT_FOUND, "unknown-permit"),
            GateError::Conflict(_) => (StatusCode::CONFLICT, "call-conflict"),
            GateError::NotRunnable(_) => (StatusCode::CONFLICT, "not-runnable"),
            GateError::Lease(_) => (StatusCode::CONFLICT, "lease"),
            GateError::Closed(closed) => (StatusCode::SERVICE_UNAVAILABLE, closed.as_str()),
            GateError::Store(inner) => {
                tracing::error!(error = %inner, source = ?std::error::Error::source(inner), "a hook call failed");
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
            GateError::InForceOnly(_) | GateError::Worker => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": {"code": self.code, "message": self.message}}))).into_response()
    }
}

#[cfg(test)]
mod tests;
