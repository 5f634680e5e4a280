//! `POST /mcp`: the gate as an MCP server, over streamable HTTP.
//!
//! Two eras of the protocol are spoken: 2026-07-28, in which each request says all that is to be known of it, and those before it,
//! which begin with a handshake. Nothing of a client is kept between its requests; who asks is its token, each time.
//!
//! Source: modelcontextprotocol.io, specification 2026-07-28 and 2025-11-25, "Transports", "Versioning", "Tools".

mod call;
mod local;
mod message;
mod server;
mod tools;
mod under_way;

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use wardkeep_proto::ids::{AgentName, SessionId};

use super::{Agent, Hooks};
use call::Ask;
use local::Local;
use message::{
    BAD_PARAMS, HEADER_MISMATCH, Message, NO_METHOD, NO_REQUEST, NO_SUCH_VERSION, NOT_JSON, Refusal, Request,
};
pub(super) use under_way::UnderWay;

/// The version without a handshake.
const MODERN: &str = "2026-07-28";
/// Those with one, newest first.
const LEGACY: &[&str] = &["2025-11-25", "2025-06-18", "2025-03-26"];
/// Between two signs of life on a stream.
const ALIVE: Duration = Duration::from_secs(15);
/// How long a call waits for a person where the client did not say that it wants to hear of it meanwhile.
const WAIT: Duration = Duration::from_secs(45);
/// And where it did.
const WAIT_TOLD: Duration = Duration::from_secs(300);

/// Which rules a request is read by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Era {
    Modern,
    Legacy,
}

/// Answers one message.
pub(super) async fn post(
    State(hooks): State<Hooks>,
    _: Local,
    Agent(agent): Agent,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let plain = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if plain.split(';').next().unwrap_or_default().trim() != "application/json" {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, None, &Refusal::new(NO_REQUEST, "send application/json"));
    }
    let request = match message::read(&body) {
        Ok(Message::Request(request)) => request,
        Ok(Message::Notification { method, params }) => {
            if method == "notifications/cancelled"
                && let (Some(session), Some(id)) = (session_in(&headers), params.get("requestId"))
            {
                hooks.under_way.cancel(&agent, &session, id);
            }
            return StatusCode::ACCEPTED.into_response();
        }
        Ok(Message::Answer) => return StatusCode::ACCEPTED.into_response(),
        Err(refusal) => {
            let status = if refusal.code == NOT_JSON || refusal.code == NO_REQUEST {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::OK
            };
            return refused(status, None, &refusal);
        }
    };
    let era = match era_of(&request, &headers) {
        Ok(era) => era,
        Err(refusal) => return refused(StatusCode::BAD_REQUEST, Some(&request.id), &refusal),
    };
    match (era, request.method.as_str()) {
        (_, "tools/call") => called(&hooks, agent, era, request, &headers),
        (Era::Legacy, "initialize") => initialized(&hooks, &request),
        (Era::Legacy, "ping") => result(&request.id, json!({})),
        (Era::Modern, "server/discover") => result(&request.id, server::discovered(&agent)),
        (_, "tools/list") => result(&request.id, server::listed(&hooks.gate.bundle(), &agent, era)),
        (era, _) => {
            let status = if era == Era::Modern { StatusCode::NOT_FOUND } else { StatusCode::OK };
            refused(status, Some(&request.id), &Refusal::new(NO_METHOD, "this server has tools and nothing else"))
        }
    }
}

/// By which rules the request wants to be read; what headers and message say twice must be the same.
fn era_of(request: &Request, headers: &HeaderMap) -> Result<Era, Refusal> {
    let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("\u{FFFD}"));
    let header = said("mcp-protocol-version");
    let no_such = |version: &str| {
        let supported: Vec<&str> = std::iter::once(MODERN).chain(LEGACY.iter().copied()).collect();
        let requested: String = version.chars().filter(|c| !c.is_control()).take(40).collect();
        let data = Some(json!({"supported": supported, "requested": requested}));
        Refusal { data, ..Refusal::new(NO_SUCH_VERSION, "Unsupported protocol version") }
    };
    let Some(version) = request.version() else {
        return match header {
            Some(MODERN) => Err(Refusal::new(BAD_PARAMS, "this version says itself in params._meta, too")),
            Some(version) if request.method != "initialize" && !LEGACY.contains(&version) => Err(no_such(version)),
            _ => Ok(Era::Legacy),
        };
    };
    let differs = |what: &str| {
        Refusal::new(HEADER_MISMATCH, format!("the header {what} is missing, or is not what the message says"))
    };
    if header != Some(version) {
        return Err(differs("MCP-Protocol-Version"));
    }
    if version != MODERN {
        return Err(no_such(version));
    }
    if said("mcp-method") != Some(request.method.as_str()) {
        return Err(differs("Mcp-Method"));
    }
    if request.method == "tools/call" {
        let named = said("mcp-name").and_then(local::plain);
        if named.as_deref() != request.params.get("name").and_then(Value::as_str) {
            return Err(differs("Mcp-Name"));
        }
    }
    Ok(Era::Modern)
}

fn initialized(hooks: &Hooks, request: &Request) -> Response {
    let asked = request.params.get("protocolVersion").and_then(Value::as_str);
    let version = LEGACY.iter().find(|version| asked == Some(version)).unwrap_or(&LEGACY[0]);
    let mut answer = result(&request.id, server::initialized(version));
    // A name for the client's later requests to share. It opens nothing: that is the token's part.
    if let Ok(session) = hooks.gate.fresh_name("mcp").parse() {
        answer.headers_mut().insert("mcp-session-id", session);
    }
    answer
}

/// The name that the client's requests share.
fn session_in(headers: &HeaderMap) -> Option<SessionId> {
    let name = headers.get("mcp-session-id")?.to_str().ok()?;
    let digits = name.strip_prefix("mcp-")?;
    (digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then(|| name.parse().ok())?
}

fn called(hooks: &Hooks, agent: AgentName, era: Era, request: Request, headers: &HeaderMap) -> Response {
    let (tool, arguments) = match Ask::named(&request.params) {
        Ok(named) => named,
        Err(refusal) => return refused(StatusCode::OK, Some(&request.id), &refusal),
    };
    let session = match session_in(headers).map_or_else(|| format!("mcp-day-{}", hooks.gate.day()).parse(), Ok) {
        Ok(session) => session,
        Err(_) => return refused(StatusCode::OK, Some(&request.id), &Refusal::new(NO_REQUEST, "no session")),
    };
    let Some(place) = hooks.under_way.begin(&agent, &session, &request.id) else {
        let refusal = Refusal::new(NO_REQUEST, "too many calls under way, or one of this id; wait for their answers");
        return refused(StatusCode::OK, Some(&request.id), &refusal);
    };
    let token =
        request.meta("progressToken").filter(|token| token.is_string() || token.is_i64() || token.is_u64()).cloned();
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let streams = accepts.contains("text/event-stream");
    let wait = local::wait_in(headers).unwrap_or(if token.is_some() && streams { WAIT_TOLD } else { WAIT });
    let ask = Ask { gate: hooks.gate.clone(), agent, session, tool, arguments, wait };
    let (sender, receiver) = mpsc::channel::<Value>(16);
    let id = request.id;
    let work = async move {
        let mut steps = 0_u32;
        let say = |text: &str| {
            let Some(token) = &token else { return };
            steps += 1;
            // One that nobody reads is not waited for.
            let _ = sender.try_send(server::progress(token, steps, text));
        };
        let answered = place.until_cancelled(ask.answer(say)).await?;
        Some(match answered {
            Ok(done) => json!({"jsonrpc": "2.0", "id": id, "result": server::complete(done, era)}),
            Err(refusal) => refusal.answer(Some(&id)),
        })
    };
    if streams { streamed(work, receiver) } else { single(work) }
}

/// One JSON object at the end. Whoever hangs up before takes the call back.
fn single(work: impl Future<Output = Option<Value>> + Send + 'static) -> Response {
    let body = stream::once(async move {
        let text = work.await.map(|value| value.to_string()).unwrap_or_default();
        Ok::<_, Infallible>(Bytes::from(text))
    });
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response()
}

/// What is told meanwhile, signs of life, and the answer as the last event.
fn streamed(work: impl Future<Output = Option<Value>> + Send + 'static, told: mpsc::Receiver<Value>) -> Response {
    let event = |value: &Value| Bytes::from(format!("event: message\ndata: {value}\n\n"));
    let state = (Box::pin(work), told, false);
    let body = stream::unfold(state, move |(mut work, mut told, over)| async move {
        if over {
            return None;
        }
        let (bytes, over) = tokio::select! {
            biased;
            Some(value) = told.recv() => (event(&value), false),
            done = &mut work => (done.map(|value| event(&value)).unwrap_or_default(), true),
            () = tokio::time::sleep(ALIVE) => (Bytes::from_static(b": still here\n\n"), false),
        };
        Some((Ok::<_, Infallible>(bytes), (work, told, over)))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    let mut answer = (headers, Body::from_stream(body.fuse())).into_response();
    answer.headers_mut().insert("x-accel-buffering", header::HeaderValue::from_static("no"));
    answer
}

fn result(id: &Value, result: Value) -> Response {
    Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response()
}

fn refused(status: StatusCode, id: Option<&Value>, refusal: &Refusal) -> Response {
    (status, Json(refusal.answer(id))).into_response()
}

#[cfg(test)]
mod tests;
