//! One request's way: route → who asks → may they → body → redaction → key → meter → provider → relay.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use wardkeep_policy::bundle::llm::{Choice, Waits};
use wardkeep_policy::{Bundle, Closed, Dialect, Model, Provider};
use wardkeep_proto::ids::{AgentName, SecretName};
use wardkeep_proto::waypoint::Waypoint;
use wardkeep_redaction::Engine;

use crate::api::{self, Api, Call, Route};
use crate::auth::Credentials;
use crate::body::{self, Outgoing, Received};
use crate::budget::ask::Ask;
use crate::budget::desk::{Order, Verdict};
use crate::budget::{Stop, stop};
use crate::client::{Inflow, Upstream};
use crate::gate_memory::{self, CallResult, Key, Sources, Watch};
use crate::gateway::Gateway;
use crate::headers;
use crate::leash::Tether;
use crate::meter::{Admitted, Run};
use crate::models;
use crate::outline::Outline;
use crate::prefix;
use crate::prepare::{self, Ready, Recipe};
use crate::references;
use crate::refusal::Refusal;
use crate::request::Head;
use crate::routing::Heard;
use crate::sheaf::Sheaf;
use crate::strict::Numbered;
use crate::trace::Trace;
use crate::translate::{DEFAULT_MAX_TOKENS, Limit, Stamp, Wants};
use crate::within::{Late, within};

mod answer;
mod attempts;
mod between;
mod upload;

use answer::{Sent, nothing_used};
use attempts::{Errand, Outcome, Sending};
use between::Between;

/// Bodies with more than this to be searched are scanned on another thread: a scan must not hold up the streams of others.
const SCAN_HERE: usize = 64 * 1024;

/// Answers one request; every refusal is an answer.
pub(crate) async fn answer(gateway: Arc<Gateway>, request: Request<Incoming>, number: Numbered) -> Response<Outgoing> {
    let id = gateway.request_id();
    if let Some((fault, guessed)) = number.fault() {
        // Where only the body is none, hyper has read the caller's own head.
        let dialect = guessed.unwrap_or_else(|| api::dialect_of(request.uri(), request.headers()));
        return last(refuse(&Refusal::Malformed(fault), dialect, &id));
    }
    let (head, mut body) = request.into_parts();
    let dialect = api::dialect_of(&head.uri, &head.headers);
    let result = match api::route(&head.method, head.uri.path(), dialect) {
        Ok(Route::Health) => Ok(json(StatusCode::OK, br#"{"status":"ok"}"#.to_vec())),
        Ok(Route::Models(one)) => list_models(&gateway, &head, dialect, one.as_deref()),
        Ok(Route::Ask(call)) => {
            let asked = Asked { gateway: &gateway, call, head: &head, id: &id };
            match asked.call.api {
                Api::AnthropicFiles | Api::OpenAiFiles => Box::pin(asked.upload(&mut body)).await,
                _ => Box::pin(asked.turn(&mut body)).await,
            }
        }
        Err(refusal) => Err(refusal),
    };
    let mut response = match result {
        Ok(response) => response,
        Err(refusal) => match number.fault() {
            // The body was not one, whatever else is wrong.
            Some((fault, _)) => return last(refuse(&Refusal::Malformed(fault), dialect, &id)),
            None if matches!(refusal, Refusal::Stalled | Refusal::Cut) => {
                number.leave_rest();
                return last(refuse(&refusal, dialect, &id));
            }
            None => {
                body::drain(&mut body).await;
                refuse(&refusal, dialect, &id)
            }
        },
    };
    if let Ok(value) = HeaderValue::try_from(id) {
        response.headers_mut().insert("x-wardkeep-request", value);
    }
    response
}

/// The last answer of its connection.
fn last(mut response: Response<Outgoing>) -> Response<Outgoing> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn list_models(
    gateway: &Gateway,
    head: &http::request::Parts,
    dialect: Dialect,
    one: Option<&str>,
) -> Result<Response<Outgoing>, Refusal> {
    let agent = who(gateway, head)?;
    let bundle = Arc::clone(&gateway.parts.bundle.borrow());
    let document = match one {
        None => models::list(&bundle, &agent, dialect),
        Some(name) => models::one(&bundle, &agent, dialect, name).ok_or(Refusal::NoModel)?,
    };
    Ok(json(StatusCode::OK, document))
}

fn who(gateway: &Gateway, head: &http::request::Parts) -> Result<AgentName, Refusal> {
    let mut tokens = headers::tokens(&head.uri, &head.headers);
    tokens.find_map(|token| gateway.parts.tokens.agent_of(&token)).ok_or(Refusal::UnknownToken)
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
    name_request(headers, dialect, id);
    if let Refusal::Resting(seconds) = refusal {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    if !refusal.may_pass_later() {
        // Both official clients obey this.
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    response
}

/// Tells the request's id by our name for it, and by that which official clients of `dialect` show.
fn name_request(headers: &mut HeaderMap, dialect: Dialect, id: &str) {
    let Ok(value) = HeaderValue::from_str(id) else { return };
    let theirs = match dialect {
        Dialect::Anthropic => Some("request-id"),
        Dialect::OpenAi => Some("x-request-id"),
        Dialect::Gemini => None,
    };
    if let Some(theirs) = theirs {
        headers.insert(theirs, value.clone());
    }
    headers.insert("x-wardkeep-request", value);
}

/// One request as it came in.
struct Asked<'a> {
    gateway: &'a Arc<Gateway>,
    call: Call,
    head: &'a http::request::Parts,
    id: &'a str,
}

/// One attempt as it goes out.
struct Parcel<'a> {
    agent: &'a AgentName,
    provider: &'a Provider,
    /// Of its pool.
    key: Option<&'a SecretName>,
    /// In the records.
    model: &'a str,
    /// What is paid for it; `None` is nothing.
    priced: Option<&'a Model>,
    ask: Ask,
    bundle: &'a Bundle,
    upstream: Arc<Upstream>,
    credentials: Credentials,
    headers: HeaderMap,
    body: Sheaf,
    /// What the provider is asked for.
    api: Api,
    streams: bool,
    /// The usage chunk is our wish, not the agent's.
    added_usage: bool,
    /// A streamed answer is to end with its usage.
    with_usage: bool,
    /// The provider speaks another API than the caller.
    between: Option<Between>,
    /// Sees the calls in the answer.
    watch: Option<Watch>,
    /// Of this request, from 1.
    attempt: u32,
    /// Another attempt may follow: this one is not over before its answer has begun.
    may_go_on: bool,
}

/// How long one provider is waited for.
#[derive(Clone, Copy)]
struct Patience {
    /// For a connection, where it is not as usual.
    connect: Option<Duration>,
    /// For the head of the answer, and for its first byte.
    first_byte: Duration,
    /// Between two pieces of it.
    idle: Duration,
}

impl Asked<'_> {
    async fn turn(&self, incoming: &mut Incoming) -> Result<Response<Outgoing>, Refusal> {
        let parts = &self.gateway.parts;
        let agent = who(self.gateway, self.head)?;
        self.tie(&agent);
        self.admissible(&agent)?;
        if headers::is_encoded(&self.head.headers) {
            return Err(Refusal::Encoded);
        }
        // The room is given back when the answer begins.
        let Received { bytes, room: _room } = body::receive(incoming, &parts.timeouts, &self.gateway.waiting).await?;
        let Outline { head: parsed, results, signs, shared } =
            self.gateway.outlines.read(&agent, &parts.redaction.load(), &bytes)?;
        let (asked, streams) = prepare::asked(self.call.api, self.call.model.as_deref(), &parsed)?;
        // One bundle judges the whole turn.
        let bundle = Arc::clone(&parts.bundle.borrow());
        let targets = targets(&bundle, &agent, &asked)?;
        let route = bundle.llm.route(&asked);
        let is_counted = !bundle.budgets.is_empty() || route.is_some_and(|route| route.order == Choice::Cheapest);
        let ask = if is_counted { Ask::read(&bytes, &parsed) } else { Ask::slight(&bytes, &parsed) };
        let refers_to = if signs.references { references::tokens(&bytes) } else { 0 };
        let ask = Ask { refers_to, ..ask.towards(&bytes, &parsed, self.call.api) };
        tracing::debug!(request = self.id, %agent, model = asked, bytes = bytes.len(), "an LLM request may go");
        let (agent, bundle, asked) = (&agent, &*bundle, &*asked);
        let errand = Errand { agent, bundle, asked, streams, ask, bytes, signs, shared, targets, route };
        errand.run(self, parsed, results).await
    }

    /// Shows the credentials, puts the attempt on disk, sends it, and passes the answer on.
    async fn send(&self, parcel: Parcel<'_>, engine: &Engine) -> Outcome {
        let Parcel {
            agent,
            provider,
            key,
            model,
            priced,
            ask,
            bundle,
            upstream,
            credentials,
            mut headers,
            body,
            api,
            streams,
            added_usage,
            with_usage,
            between,
            watch,
            attempt,
            may_go_on,
        } = parcel;
        let parts = &self.gateway.parts;
        if let Err(refusal) = credentials.show("POST", &upstream, &mut headers, &body, &*parts.clock) {
            return Outcome::Unfit(refusal);
        }
        drop(credentials);
        let desk = &self.gateway.desk;
        let order = Order {
            agent,
            provider: &provider.name,
            model,
            priced,
            ask: &ask,
            run: Run { session: parts.leases.session(agent), trace: Trace::of(&self.head.headers) },
            account: api.account(),
            bytes: body.len(),
            kept: desk.kept(agent, model, &ask),
        };
        // A turn is one, however often it is attempted.
        if attempt == 1
            && let Err(why) = desk.brake(parts, bundle, &order)
        {
            return Outcome::Final(self.stopped(why, streams, with_usage));
        }
        let mut admitted = match desk.admit(parts, bundle, &order).await {
            Ok(Verdict::Admitted(admitted)) => admitted,
            Ok(Verdict::Stopped(why)) => return Outcome::Final(self.stopped(why, streams, with_usage)),
            Err(error) => return Outcome::Final(Err(error.into())),
        };
        // It may have waited for its turn.
        if let Err(refusal) = self.admissible(agent) {
            admitted.void();
            return Outcome::Final(Err(refusal));
        }
        parts.waypoints.pass(Waypoint::LlmAdmitted);
        if !streams {
            admitted.leaves_unseen();
        }
        let mut outgoing = Request::new(body);
        *outgoing.method_mut() = Method::POST;
        *outgoing.uri_mut() = upstream.uri.clone();
        *outgoing.headers_mut() = headers;
        let patience = self.patience(provider, streams);
        let sending = Sending { provider, key, model, attempt };
        let (response, admitted) = match self.dispatch(outgoing, patience, admitted).await {
            Ok(answered) => answered,
            Err(refusal) => return sending.failed(self, Err(refusal), Heard::Trouble(None)),
        };
        let sent = Sent {
            admitted,
            engine,
            api,
            added_usage,
            framing: provider.framing,
            between,
            watch,
            patience,
            first: None,
        };
        self.hear(response, sent, sending, may_go_on).await
    }

    /// What the answer's head, and where another attempt may follow its beginning, say of the attempt.
    async fn hear(
        &self,
        mut response: Response<Inflow>,
        mut sent: Sent<'_>,
        sending: Sending<'_>,
        may_go_on: bool,
    ) -> Outcome {
        let mut now = self.gateway.parts.clock.now();
        let heard = Heard::of(response.status(), response.headers(), now);
        if heard != Heard::Answered {
            sending.tell(self, response.status(), sent.engine, response.headers());
            let told = self.relay(response, sent).await.map(|told| sending.signed(told));
            return sending.failed(self, told, heard);
        }
        if may_go_on && response.status().is_success() {
            match attempts::first(&mut response, sent.patience.first_byte).await {
                Ok(first) => (sent.first, now) = (first, self.gateway.parts.clock.now()),
                Err(refusal) => {
                    match refusal {
                        // It told an error before it told anything else.
                        Refusal::Faltered => nothing_used(sent.admitted).await,
                        _ => drop(sent),
                    }
                    return sending.failed(self, Err(refusal), Heard::Trouble(None));
                }
            }
        }
        self.gateway.routing.heard(sending.provider, sending.key, &heard, now);
        Outcome::Final(self.relay(response, sent).await.map(|told| sending.signed(told)))
    }

    fn patience(&self, provider: &Provider, streams: bool) -> Patience {
        let usual = &self.gateway.parts.timeouts;
        let of = |millis: Option<u32>| millis.map(|millis| Duration::from_millis(millis.into()));
        let Waits { connect_ms, first_byte_ms, idle_ms } = provider.waits;
        let idle = of(idle_ms).unwrap_or(usual.idle);
        let first_byte = if streams { idle } else { usual.first_byte };
        Patience { connect: of(connect_ms), first_byte: of(first_byte_ms).unwrap_or(first_byte), idle }
    }

    /// The end of a budget, as a message of the assistant where one is expected.
    fn stopped(&self, why: Box<Stop>, streams: bool, with_usage: bool) -> Result<Response<Outgoing>, Refusal> {
        let events = self.head.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
        let Some(form) = stop::Form::of(self.call.api, with_usage, events) else { return Err(Refusal::Budget(why)) };
        let at = self.gateway.parts.clock.now();
        let words = stop::Words { text: &why.to_string(), model: &why.model, id: self.id, at };
        let (kind, body) = stop::answer(form, streams, &words);
        let mut response = json(StatusCode::OK, body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert("x-wardkeep-refusal", HeaderValue::from_static("budget"));
        name_request(headers, self.call.api.dialect(), self.id);
        Ok(response)
    }

    /// Whether every result of a tool call in the request is of one that the gate decided on.
    async fn remember(
        &self,
        bundle: &Bundle,
        agent: &AgentName,
        (body, results): (&Bytes, Vec<(Key, CallResult)>),
        engine: &Arc<Engine>,
    ) -> Result<Option<Watch>, Refusal> {
        let parts = &self.gateway.parts;
        let mut request = gate_memory::Request {
            agent,
            session: &|| parts.leases.session(agent),
            id: self.id,
            body,
            results,
            mode: bundle.llm.gate_memory,
            engine,
        };
        let sources = Sources { decisions: &*parts.decisions, meter: &parts.meter };
        self.gateway.memory.judge(&mut request, sources).await
    }

    /// Records instructions and tools under the agent's version, where the policy names one.
    async fn note_prefix(
        &self,
        bundle: &Bundle,
        agent: &AgentName,
        (head, body): (&Head, &[u8]),
        engine: &Engine,
    ) -> Result<(), Refusal> {
        let policy = bundle.agents.iter().find(|policy| policy.name == *agent);
        let Some(version) = policy.and_then(|policy| policy.version.as_deref()) else { return Ok(()) };
        let Some(print) = prefix::print(head, body, engine) else { return Ok(()) };
        let parts = &self.gateway.parts;
        Ok(self.gateway.prefixes.note(agent, version, print, &parts.meter, &*parts.reports).await?)
    }

    /// From here on a stop of the agent cuts the connection. One that is stopped already is told so by `admissible`.
    fn tie(&self, agent: &AgentName) {
        let leash = self.gateway.parts.leases.leash(agent);
        if let Some(tether) = self.head.extensions.get::<Tether>().filter(|_| !leash.is_cut()) {
            tether.tie(leash);
        }
    }

    /// Lease and posture. Checked before the body is read: most refusals are cheap.
    fn admissible(&self, agent: &AgentName) -> Result<(), Refusal> {
        let parts = &self.gateway.parts;
        if !parts.leases.alive(agent) {
            return Err(Refusal::NoLease(agent.clone()));
        }
        // A turn sends the tenant's data to a third party: more than a Green read. Only a missing hub does not matter.
        match parts.posture.posture(agent).iter().find(|closed| *closed != Closed::HubAway) {
            Some(closed) => {
                self.gateway.memo.clear();
                Err(Refusal::Closed(closed))
            }
            None => Ok(()),
        }
    }

    /// What `provider` is asked for in the place of what the caller asks for.
    fn towards(&self, provider: &Provider) -> Result<Api, Refusal> {
        self.call.api.towards(provider.dialect).ok_or(Refusal::OtherDialect(match provider.dialect {
            Dialect::Anthropic => "/v1/messages",
            Dialect::OpenAi => "/v1/chat/completions",
            Dialect::Gemini => "/v1beta/models",
        }))
    }

    fn between(&self, provider: &Provider, asked: &str) -> Between {
        let created = self.gateway.parts.clock.now().millis() / 1000;
        let stamp = Stamp {
            id: self.id.to_owned(),
            model: asked.to_owned(),
            created: u64::try_from(created).unwrap_or_default(),
            usage: false,
        };
        Between { provider: provider.dialect, caller: self.call.api.dialect(), stamp }
    }

    async fn redact(
        &self,
        bytes: Bytes,
        head: Head,
        recipe: Recipe<'_>,
        engine: &Arc<Engine>,
    ) -> Result<Ready, Refusal> {
        if recipe.searches(bytes.len(), engine) <= SCAN_HERE {
            return recipe.apply(&bytes, head, engine);
        }
        let Ok(_turn) = self.gateway.scans.acquire().await else { return Err(Refusal::Busy) };
        let (recipe, engine) = (recipe.into_owned(), Arc::clone(engine));
        tokio::task::spawn_blocking(move || recipe.apply(&bytes, head, &engine)).await.unwrap_or(Err(Refusal::Busy))
    }

    /// The caller's headers that go with the request; its query, without what names the caller, goes as it is, or the request
    /// does not.
    fn head_towards_provider(&self, engine: &Engine) -> Result<HeaderMap, Refusal> {
        let query = headers::query(self.head.uri.query(), &BTreeMap::new());
        if query.is_some_and(|query| !engine.redact(&query).findings.is_empty()) {
            return Err(Refusal::SecretInHead);
        }
        if !headers::is_plain(self.head.uri.query(), self.call.api.dialect()) {
            return Err(Refusal::Query);
        }
        headers::towards_provider(&self.head.headers, engine, &self.gateway.clean)
    }

    /// Sends the request and waits for the head of the answer. A request that never left counts as nothing.
    async fn dispatch(
        &self,
        request: Request<Sheaf>,
        patience: Patience,
        admitted: Admitted,
    ) -> Result<(Response<Inflow>, Admitted), Refusal> {
        let pool = self.gateway.client.pool(patience.connect);
        match within(patience.first_byte, pool.request(request)).await {
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
            Err(Late) => {
                drop(admitted);
                Err(Refusal::Silent)
            }
        }
    }
}

/// The models that may answer to `asked`, each with its provider.
fn targets<'b>(bundle: &'b Bundle, agent: &AgentName, asked: &str) -> Result<Vec<(&'b Model, &'b Provider)>, Refusal> {
    let policy = bundle
        .agents
        .iter()
        .find(|policy| &policy.name == agent)
        .ok_or_else(|| Refusal::UnknownAgent(agent.clone()))?;
    let listed = policy.models.iter().find(|name| *name == asked);
    let mut targets = Vec::with_capacity(1);
    for model in listed.into_iter().flat_map(|name| bundle.llm.answering(name)) {
        targets.push((model, bundle.llm.provider(&model.provider).ok_or(Refusal::BadProvider)?));
    }
    if targets.is_empty() {
        let allowed = if policy.models.is_empty() { "none".to_owned() } else { policy.models.join(", ") };
        return Err(Refusal::UnlistedModel { agent: agent.clone(), allowed });
    }
    Ok(targets)
}

/// What `model` wants of a request that comes from the other API.
fn wants(provider: &Provider, model: &Model) -> Wants {
    Wants {
        limit: if provider.body.max_tokens { Limit::MaxTokens } else { Limit::MaxCompletionTokens },
        most: model.max_output.map_or(DEFAULT_MAX_TOKENS, |most| most.min(DEFAULT_MAX_TOKENS)),
        ask_for_usage: !provider.body.usage_unasked,
    }
}
