//! One request's way: route → who asks → may they → body → redaction → key → meter → provider → relay.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use wardkeep_policy::{Bundle, Closed, Dialect, Model, Provider};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::secret::Destination;
use wardkeep_proto::waypoint::Waypoint;
use wardkeep_redaction::Engine;

use crate::body::{self, Outgoing, Received};
use crate::client::Upstream;
use crate::gateway::Gateway;
use crate::headers;
use crate::meter::{Admission, Admitted, Settlement};
use crate::models;
use crate::refusal::Refusal;
use crate::relay::{Answer, Relay};
use crate::request::{self, Head};
use crate::usage::{Observer, Usage, estimate_tokens};
use crate::withhold::Withhold;

/// Bodies beyond this are scanned on another thread: a scan must not hold up the streams of others.
const SCAN_HERE: usize = 64 * 1024;
/// Bytes of an error document that are relayed.
const ERROR_BYTES: usize = 256 * 1024;
/// Blocks that a provider has signed; a hit inside refuses the turn.
const SEALED: &[&str] = &["thinking", "redacted_thinking", "reasoning.encrypted"];

/// What an address asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Turn(Dialect),
    Models(Dialect),
    Health,
}

/// Answers one request; every refusal is an answer.
pub(crate) async fn answer(gateway: Arc<Gateway>, request: Request<Incoming>) -> Response<Outgoing> {
    let id = gateway.request_id();
    let (head, mut body) = request.into_parts();
    let dialect = dialect_of(head.uri.path(), &head.headers);
    let result = match route(&head.method, head.uri.path(), dialect) {
        Ok(Route::Health) => Ok(json(StatusCode::OK, br#"{"status":"ok"}"#.to_vec())),
        Ok(Route::Models(dialect)) => list_models(&gateway, &head.headers, dialect),
        Ok(Route::Turn(dialect)) => {
            let asked = Asked { gateway: &gateway, dialect, head: &head, id: &id };
            Box::pin(asked.turn(&mut body)).await
        }
        Err(refusal) => Err(refusal),
    };
    let mut response = match result {
        Ok(response) => response,
        Err(refusal) => {
            body::drain(&mut body).await;
            refuse(&refusal, dialect, &id)
        }
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-wardkeep-request", value);
    }
    response
}

fn route(method: &Method, path: &str, dialect: Dialect) -> Result<Route, Refusal> {
    let (route, expected, name) = match path {
        "/v1/messages" | "/v1/chat/completions" => (Route::Turn(dialect), Method::POST, "POST"),
        "/v1/models" => (Route::Models(dialect), Method::GET, "GET"),
        "/healthz" => (Route::Health, Method::GET, "GET"),
        _ => return Err(Refusal::NoRoute),
    };
    if *method == expected { Ok(route) } else { Err(Refusal::Method(name)) }
}

/// The dialect in which the caller expects to be answered, also where the path says nothing.
fn dialect_of(path: &str, headers: &HeaderMap) -> Dialect {
    match path {
        "/v1/messages" => Dialect::Anthropic,
        "/v1/chat/completions" => Dialect::OpenAi,
        _ if path.starts_with("/v1/messages/") || headers.contains_key("anthropic-version") => Dialect::Anthropic,
        _ => Dialect::OpenAi,
    }
}

fn list_models(gateway: &Gateway, headers: &HeaderMap, dialect: Dialect) -> Result<Response<Outgoing>, Refusal> {
    let agent = who(gateway, headers)?;
    let bundle = Arc::clone(&gateway.parts.bundle.borrow());
    Ok(json(StatusCode::OK, models::document(&bundle, &agent, dialect)))
}

fn who(gateway: &Gateway, headers: &HeaderMap) -> Result<AgentName, Refusal> {
    headers::tokens(headers).find_map(|token| gateway.parts.tokens.agent_of(token)).ok_or(Refusal::UnknownToken)
}

fn json(status: StatusCode, document: Vec<u8>) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::whole(document));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn refuse(refusal: &Refusal, dialect: Dialect, id: &str) -> Response<Outgoing> {
    tracing::info!(request = id, code = refusal.code(), "an LLM request was refused");
    let mut response = json(refusal.status(), refusal.document(dialect, id));
    let headers = response.headers_mut();
    headers.insert("x-wardkeep-refusal", HeaderValue::from_static(refusal.code()));
    if !refusal.may_pass_later() {
        // Both official clients obey this.
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    if dialect == Dialect::Anthropic
        && let Ok(value) = HeaderValue::from_str(id)
    {
        headers.insert("request-id", value);
    }
    response
}

/// One turn as it came in.
struct Asked<'a> {
    gateway: &'a Arc<Gateway>,
    dialect: Dialect,
    head: &'a http::request::Parts,
    id: &'a str,
}

/// One turn as it may go out.
struct Ready {
    body: Bytes,
    streams: bool,
    /// The usage chunk was our wish, not the agent's.
    added_usage: bool,
}

impl Asked<'_> {
    async fn turn(&self, incoming: &mut Incoming) -> Result<Response<Outgoing>, Refusal> {
        let parts = &self.gateway.parts;
        let agent = who(self.gateway, &self.head.headers)?;
        self.admissible(&agent)?;
        if headers::is_encoded(&self.head.headers) {
            return Err(Refusal::Encoded);
        }
        let Received { bytes, room } = body::receive(incoming, parts.timeouts.idle, &self.gateway.waiting).await?;
        let received = bytes.len();
        let parsed = Head::parse(&bytes)?;
        // One bundle and one engine judge the whole turn.
        let bundle = Arc::clone(&parts.bundle.borrow());
        let (model, provider) = self.model(&bundle, &agent, &parsed.model)?;
        let upstream = self.upstream(provider)?;
        let key = provider.key.as_ref().ok_or(Refusal::BadProvider)?;
        let key = parts.secrets.resolve(key, Destination::Host { host: &upstream.host, port: upstream.port })?;
        // After the key, so that this one is masked, too, in what comes back.
        parts.secrets.catch_up();
        let engine = parts.redaction.load();
        let ready = self.redact(bytes, parsed, model.upstream_model.clone(), &engine).await?;
        let mut sent = self.head_towards_provider(&engine)?;
        headers::inject_key(&mut sent, self.dialect, &key)?;
        drop(key);
        let admission = Admission {
            agent: agent.clone(),
            provider: provider.name.clone(),
            model: model.name.clone(),
            estimated_input: estimate_tokens(ready.body.len() as u64),
            price: model.price,
        };
        tracing::debug!(request = self.id, %agent, model = %model.name, bytes = received, "an LLM request is admitted");
        let admitted = parts.meter.admit(admission).await?;
        parts.waypoints.pass(Waypoint::LlmAdmitted);
        let (streams, added_usage) = (ready.streams, ready.added_usage);
        let mut outgoing = Request::new(Full::new(ready.body));
        *outgoing.method_mut() = Method::POST;
        *outgoing.uri_mut() = upstream.uri;
        *outgoing.headers_mut() = sent;
        let (response, admitted) = self.dispatch(outgoing, streams, admitted).await?;
        drop(room);
        self.relay(response, admitted, added_usage, &engine).await
    }

    /// Lease and posture. Checked before the body is read: most refusals are cheap.
    fn admissible(&self, agent: &AgentName) -> Result<(), Refusal> {
        let parts = &self.gateway.parts;
        if !parts.leases.alive(agent) {
            return Err(Refusal::NoLease(agent.clone()));
        }
        // A turn sends the tenant's data to a third party: more than a Green read. Only a missing hub does not matter.
        match parts.posture.posture(agent).iter().find(|closed| *closed != Closed::HubAway) {
            Some(closed) => Err(Refusal::Closed(closed)),
            None => Ok(()),
        }
    }

    fn model<'b>(
        &self,
        bundle: &'b Bundle,
        agent: &AgentName,
        asked: &str,
    ) -> Result<(&'b Model, &'b Provider), Refusal> {
        let policy = bundle
            .agents
            .iter()
            .find(|policy| &policy.name == agent)
            .ok_or_else(|| Refusal::UnknownAgent(agent.clone()))?;
        let listed = policy.models.iter().any(|name| name == asked);
        let model = bundle.llm.model(asked).filter(|_| listed).ok_or_else(|| Refusal::UnlistedModel {
            agent: agent.clone(),
            allowed: if policy.models.is_empty() { "none".to_owned() } else { policy.models.join(", ") },
        })?;
        let provider = bundle.llm.provider(&model.provider).ok_or(Refusal::BadProvider)?;
        match (provider.dialect, self.dialect) {
            (Dialect::Anthropic, Dialect::OpenAi) => Err(Refusal::OtherDialect("/v1/messages")),
            (Dialect::OpenAi, Dialect::Anthropic) => Err(Refusal::OtherDialect("/v1/chat/completions")),
            (out, asked) if out != asked => Err(Refusal::OtherDialect("the address of its own dialect")),
            _ => Ok((model, provider)),
        }
    }

    async fn redact(&self, bytes: Bytes, head: Head, model: String, engine: &Arc<Engine>) -> Result<Ready, Refusal> {
        let dialect = self.dialect;
        if bytes.len() <= SCAN_HERE {
            return prepare(&bytes, head, &model, engine, dialect);
        }
        let Ok(_turn) = self.gateway.scans.acquire().await else { return Err(Refusal::Busy) };
        let engine = Arc::clone(engine);
        tokio::task::spawn_blocking(move || prepare(&bytes, head, &model, &engine, dialect))
            .await
            .unwrap_or(Err(Refusal::Busy))
    }

    fn upstream(&self, provider: &Provider) -> Result<Upstream, Refusal> {
        let endpoint = match self.dialect {
            Dialect::Anthropic => "/v1/messages",
            Dialect::OpenAi => "/v1/chat/completions",
            Dialect::Gemini => return Err(Refusal::NoRoute),
        };
        Upstream::parse(&provider.base_url, endpoint, self.head.uri.query()).map_err(|_| Refusal::BadProvider)
    }

    /// The caller's headers that go with the request; its query goes as it is, or the request does not.
    fn head_towards_provider(&self, engine: &Engine) -> Result<HeaderMap, Refusal> {
        if self.head.uri.query().is_some_and(|query| !engine.redact(query).findings.is_empty()) {
            return Err(Refusal::SecretInHead);
        }
        headers::towards_provider(&self.head.headers, engine)
    }

    /// Sends the request and waits for the head of the answer. A request that never left counts as nothing.
    async fn dispatch(
        &self,
        request: Request<Full<Bytes>>,
        streams: bool,
        admitted: Admitted,
    ) -> Result<(Response<Incoming>, Admitted), Refusal> {
        let timeouts = &self.gateway.parts.timeouts;
        let patience = if streams { timeouts.idle } else { timeouts.first_byte };
        match tokio::time::timeout(patience, self.gateway.client.0.request(request)).await {
            Ok(Ok(response)) => Ok((response, admitted)),
            Ok(Err(error)) if error.is_connect() => {
                tracing::warn!(request = self.id, %error, "the provider cannot be reached");
                admitted.void();
                Err(Refusal::Unreachable)
            }
            // From here on the provider may have worked: the estimate stands.
            Ok(Err(error)) => {
                tracing::warn!(request = self.id, %error, "the provider broke off before it answered");
                drop(admitted);
                Err(Refusal::Broken)
            }
            Err(_) => {
                drop(admitted);
                Err(Refusal::Silent)
            }
        }
    }

    async fn relay(
        &self,
        response: Response<Incoming>,
        admitted: Admitted,
        added_usage: bool,
        engine: &Engine,
    ) -> Result<Response<Outgoing>, Refusal> {
        let parts = &self.gateway.parts;
        let (head, upstream) = response.into_parts();
        if head.status.is_client_error() || head.status.is_server_error() {
            return self.relay_error(head, upstream, admitted, engine).await;
        }
        if !head.status.is_success() {
            // A redirect would lead the agent, or its key, elsewhere.
            nothing_used(admitted).await;
            return Err(Refusal::Unrelayable(head.status.as_u16()));
        }
        let is_stream = is_event_stream(&head.headers);
        let observer = match (headers::is_encoded(&head.headers), is_stream) {
            (true, _) => Observer::opaque(self.dialect),
            (false, true) => Observer::events(self.dialect),
            (false, false) => Observer::plain(self.dialect),
        };
        let withhold = (added_usage && is_stream && !headers::is_encoded(&head.headers)).then(Withhold::default);
        let mut sent = headers::towards_agent(&head.headers, engine);
        if withhold.is_some() {
            sent.remove(header::CONTENT_LENGTH);
        }
        let relay = Relay::new(Answer {
            upstream,
            dialect: self.dialect,
            observer,
            withhold,
            admitted,
            idle: if is_stream { parts.timeouts.idle } else { parts.timeouts.first_byte },
            waypoints: Arc::clone(&parts.waypoints),
        });
        let mut answer = Response::new(Outgoing::Relayed(Box::new(relay)));
        *answer.status_mut() = head.status;
        *answer.headers_mut() = sent;
        Ok(answer)
    }

    /// Errors are small and may quote what was sent, the provider's key included: scanned whole, relayed with their status.
    async fn relay_error(
        &self,
        head: http::response::Parts,
        upstream: Incoming,
        admitted: Admitted,
        engine: &Engine,
    ) -> Result<Response<Outgoing>, Refusal> {
        nothing_used(admitted).await;
        let status = head.status;
        let unrelayable = || Refusal::Unrelayable(status.as_u16());
        if headers::is_encoded(&head.headers) {
            return Err(unrelayable());
        }
        let idle = self.gateway.parts.timeouts.idle;
        let document = body::collect(upstream, ERROR_BYTES, idle).await.ok_or_else(unrelayable)?;
        let scanned = match engine.redact_json(&document) {
            Ok(scanned) => scanned,
            Err(_) => engine.redact_bytes(&document),
        };
        let document = match scanned.bytes {
            Cow::Borrowed(_) => document.clone(),
            Cow::Owned(changed) => Bytes::from(changed),
        };
        tracing::info!(request = self.id, status = status.as_u16(), "the provider answered with an error");
        let mut sent = headers::towards_agent(&head.headers, engine);
        sent.remove(header::CONTENT_LENGTH);
        let mut answer = Response::new(Outgoing::whole(document));
        *answer.status_mut() = status;
        *answer.headers_mut() = sent;
        Ok(answer)
    }
}

/// Redaction and splices: what leaves, or why nothing does.
fn prepare(bytes: &Bytes, head: Head, model: &str, engine: &Engine, dialect: Dialect) -> Result<Ready, Refusal> {
    let scanned = engine.redact_json_sealing(bytes, SEALED)?;
    let changed = matches!(scanned.bytes, Cow::Owned(_));
    if changed {
        let names: Vec<&str> = scanned.findings.iter().filter_map(|finding| finding.name.as_deref()).collect();
        tracing::info!(findings = scanned.findings.len(), ?names, "an LLM request was redacted");
    }
    // Places moved with the redaction.
    let head = if changed { Head::parse(&scanned.bytes)? } else { head };
    let ask = match dialect {
        Dialect::OpenAi => request::ask_for_usage(&head, &scanned.bytes),
        Dialect::Anthropic | Dialect::Gemini => None,
    };
    let added_usage = ask.is_some();
    let streams = head.streams;
    let changes = [request::rename(&head, model), ask].into_iter().flatten();
    let body = match request::splice(scanned.bytes, changes) {
        Cow::Borrowed(_) => bytes.clone(),
        Cow::Owned(changed) => Bytes::from(changed),
    };
    Ok(Ready { body, streams, added_usage })
}

/// A request that the provider refused: it counts, its tokens do not.
async fn nothing_used(admitted: Admitted) {
    admitted.file(Settlement { usage: Usage::default(), estimated: false }).await;
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    const KIND: &[u8] = b"text/event-stream";
    let kind = headers.get(header::CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    kind.get(..KIND.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(KIND))
}
