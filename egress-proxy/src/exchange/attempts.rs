//! One request's attempts: which target is asked, what its failure means, and who is asked next.
//!
//! Nothing is attempted again once a byte of an answer was passed on, nor what fails everywhere (the caller's own 4xx).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use wardkeep_policy::bundle::llm::{Retry, Route};
use wardkeep_policy::{Bundle, Model, Provider};
use wardkeep_proto::ids::{AgentName, SecretName};
use wardkeep_proto::time::Timestamp;
use wardkeep_redaction::Engine;

use super::answer::is_kind;
use super::{Asked, Parcel, wants};
use crate::api::Api;
use crate::auth::Credentials;
use crate::body::Outgoing;
use crate::budget::ask::Ask;
use crate::client::{Inflow, Upstream};
use crate::gate_memory::{CallResult, Key, Watch};
use crate::headers;
use crate::memo::Turn;
use crate::prepare::{Ready, Recipe};
use crate::refusal::Refusal;
use crate::request::Head;
use crate::routing::order::{self, Request};
use crate::routing::plan::{Next, Plan, Try};
use crate::routing::{Heard, Standing, seconds_until};
use crate::signs::Signs;
use crate::usage::estimate_tokens;

/// Which provider answered, which model of the bundle, and after how many attempts.
const PROVIDER: HeaderName = HeaderName::from_static("x-wardkeep-provider");
const MODEL: HeaderName = HeaderName::from_static("x-wardkeep-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-wardkeep-attempts");

/// One request as it is to be answered, by whichever of its targets.
pub(super) struct Errand<'a> {
    pub(super) agent: &'a AgentName,
    pub(super) bundle: &'a Bundle,
    pub(super) asked: &'a str,
    pub(super) streams: bool,
    pub(super) ask: Ask,
    pub(super) bytes: Bytes,
    /// What may stand in them.
    pub(super) signs: Signs,
    /// With so many of them the session's body before began.
    pub(super) shared: usize,
    pub(super) targets: Vec<(&'a Model, &'a Provider)>,
    pub(super) route: Option<&'a Route>,
}

/// What became of an attempt.
pub(super) enum Outcome {
    /// What the caller gets, whoever else could be asked.
    Final(Result<Response<Outgoing>, Refusal>),
    /// What the caller gets if nobody else does better.
    Failed {
        told: Result<Response<Outgoing>, Refusal>,
        heard: Heard,
        /// The same provider may do better with another one.
        another_key: bool,
    },
    /// The request cannot go to this target.
    Unfit(Refusal),
}

impl Outcome {
    /// What the caller gets where there is one attempt.
    pub(super) fn told(self) -> Result<Response<Outgoing>, Refusal> {
        match self {
            Self::Final(told) | Self::Failed { told, .. } => told,
            Self::Unfit(refusal) => Err(refusal),
        }
    }
}

/// An attempt that is out.
#[derive(Clone, Copy)]
pub(super) struct Sending<'a> {
    pub(super) provider: &'a Provider,
    pub(super) key: Option<&'a SecretName>,
    pub(super) model: &'a str,
    pub(super) attempt: u32,
}

impl Errand<'_> {
    /// Asks one target after the other. `results` are those of tools that the request hands in.
    pub(super) async fn run(
        self,
        asked: &Asked<'_>,
        parsed: Head,
        results: Vec<(Key, CallResult)>,
    ) -> Result<Response<Outgoing>, Refusal> {
        let gateway = asked.gateway;
        let (parts, routing) = (&gateway.parts, &gateway.routing);
        let mut now = parts.clock.now();
        let mut plan = self.plan(asked, now);
        let mut sight = Sight { results: Some(results), watch: None, is_only: plan.is_only() };
        let mut parsed = Some(parsed);
        let mut last = None;
        loop {
            let standing = |at: usize| match self.targets.get(at) {
                Some((_, provider)) => routing.standing(provider, self.targets.len() > 1, now),
                None => Standing::Ready(None),
            };
            let may_repeat = || routing.may_repeat(self.asked);
            let Try { target, key, wait } = match plan.next(now, &*parts.chance, standing, may_repeat) {
                Next::Try(next) => next,
                Next::Done(opens) => {
                    let rests = || Refusal::Resting(opens.map_or(1, |at| seconds_until(at, now)));
                    return last.unwrap_or_else(|| Err(rests()));
                }
            };
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
                asked.admissible(self.agent)?;
            }
            let Some((model, provider)) = self.targets.get(target) else { return Err(Refusal::BadProvider) };
            let may_go_on = plan.may_go_on();
            let aim = Aim { model, provider, key: key.as_ref(), attempt: plan.attempts(), may_go_on };
            let head = match parsed.take() {
                Some(head) => head,
                None => Head::parse(&self.bytes)?,
            };
            match self.attempt(asked, head, &mut sight, aim).await {
                Outcome::Final(told) => return told,
                Outcome::Failed { told, heard, another_key } => {
                    now = parts.clock.now();
                    plan.failed(target, &heard, another_key, now);
                    last = Some(told);
                }
                Outcome::Unfit(refusal) => {
                    now = parts.clock.now();
                    plan.unfit(target);
                    last.get_or_insert(Err(refusal));
                }
            }
        }
    }

    fn plan(&self, asked: &Asked<'_>, now: Timestamp) -> Plan {
        let parts = &asked.gateway.parts;
        if let Some(route) = self.route {
            asked.gateway.routing.began(&route.name, &route.retry);
            let output = self.ask.max_output.map(|most| most.saturating_mul(self.ask.answers.max(1)));
            let request = Request {
                input: estimate_tokens(self.bytes.len() as u64),
                output,
                session: parts.leases.session(self.agent),
                now,
            };
            return Plan::new(order::of(&self.bundle.llm, route, &request, &*parts.chance), route.retry, now);
        }
        // A model by itself is asked once, with each key of its provider that is needed.
        let keys = self.targets.first().map_or(1, |(_, provider)| provider.every_key().count().max(1));
        let attempts = u32::try_from(keys).unwrap_or(u32::MAX);
        Plan::new(vec![0], Retry { attempts, rounds: 1, ..Retry::default() }, now)
    }

    /// Makes the request what this target wants, and sends it.
    async fn attempt(&self, asked: &Asked<'_>, parsed: Head, sight: &mut Sight, aim: Aim<'_>) -> Outcome {
        let api = asked.call.api;
        let parts = &asked.gateway.parts;
        let Aim { model, provider, key, attempt, may_go_on } = aim;
        let way = || -> Result<(Api, Arc<Upstream>, Credentials), Refusal> {
            let towards = asked.towards(provider)?;
            // A caller's query is of its own API.
            let query = asked.head.uri.query().filter(|_| towards == api);
            let endpoint = towards.endpoint(self.streams);
            let upstream = asked.gateway.addresses.of(provider, endpoint, &model.upstream_model, query)?;
            let credentials = Credentials::resolve(&*parts.secrets, provider, key, &upstream)?;
            Ok((towards, upstream, credentials))
        };
        let (towards, upstream, credentials) = match way() {
            Ok(way) => way,
            Err(refusal) => return Outcome::Unfit(refusal),
        };
        credentials.catch_up(&*parts.secrets);
        let engine = parts.redaction.load();
        let watch = match sight.watch(self, asked, &parsed, &engine).await {
            Ok(watch) => watch,
            Err(refusal) => return Outcome::Final(Err(refusal)),
        };
        let mut headers = match asked.head_towards_provider(&engine) {
            Ok(headers) => headers,
            Err(refusal) => return Outcome::Final(Err(refusal)),
        };
        let mut between = (towards != api).then(|| asked.between(provider, self.asked));
        if between.is_some() {
            headers::translate(&mut headers, provider.dialect);
        }
        let wants = wants(provider, model);
        let mut ask = self.ask;
        if towards == Api::Messages && between.is_some() {
            // What is asked for in the caller's stead.
            ask.max_output = ask.max_output.or(Some(wants.most));
        }
        let lists = headers::adapt(&mut headers, provider);
        let recipe = Recipe {
            api,
            turn: Turn { memo: Arc::clone(&asked.gateway.memo), agent: self.agent.clone() },
            towards,
            wants,
            asked: Cow::Borrowed(self.asked),
            upstream_model: Cow::Borrowed(&model.upstream_model),
            rules: Cow::Borrowed(&provider.body),
            lists,
            unscanned: Cow::Borrowed(&provider.unscanned),
            server_tools: Cow::Borrowed(&provider.server_tools),
            judged: Arc::clone(&asked.gateway.judged),
            breakpoints: self.bundle.llm.cache_breakpoints && towards == Api::Messages,
            signs: self.signs,
            shared: self.shared,
        };
        let Ready { body, added_usage, with_usage } =
            match asked.redact(self.bytes.clone(), parsed, recipe, &engine).await {
                Ok(ready) => ready,
                // Another target may speak the caller's API, or take the caller's files.
                Err(refusal @ (Refusal::Untranslatable(_) | Refusal::File(_))) => return Outcome::Unfit(refusal),
                Err(refusal) => return Outcome::Final(Err(refusal)),
            };
        if let Some(between) = &mut between {
            between.stamp.usage = with_usage;
        }
        let parcel = Parcel {
            agent: self.agent,
            provider,
            key,
            model: &model.name,
            priced: Some(model),
            ask,
            bundle: self.bundle,
            upstream,
            credentials,
            headers,
            body,
            api: towards,
            streams: self.streams,
            added_usage,
            with_usage,
            between,
            watch,
            attempt,
            may_go_on,
        };
        asked.send(parcel, &engine).await
    }
}

/// What is looked for in a request once, and in the answer of each attempt.
struct Sight {
    results: Option<Vec<(Key, CallResult)>>,
    watch: Option<Watch>,
    /// No other attempt follows, whatever becomes of this one.
    is_only: bool,
}

impl Sight {
    /// Judges the request at its first attempt; gives what sees the calls in the answer.
    async fn watch(
        &mut self,
        errand: &Errand<'_>,
        asked: &Asked<'_>,
        parsed: &Head,
        engine: &Arc<Engine>,
    ) -> Result<Option<Watch>, Refusal> {
        if let Some(results) = self.results.take() {
            let Errand { agent, bundle, bytes, .. } = errand;
            self.watch = asked.remember(bundle, agent, (bytes, results), engine).await?;
            asked.note_prefix(bundle, agent, (parsed, bytes), engine).await?;
        }
        Ok(if self.is_only { self.watch.take() } else { self.watch.clone() })
    }
}

/// Where one attempt goes.
#[derive(Clone, Copy)]
struct Aim<'a> {
    model: &'a Model,
    provider: &'a Provider,
    key: Option<&'a SecretName>,
    attempt: u32,
    may_go_on: bool,
}

impl Sending<'_> {
    /// Notes that the attempt failed, for who is asked from now on.
    pub(super) fn failed(&self, asked: &Asked<'_>, told: Result<Response<Outgoing>, Refusal>, heard: Heard) -> Outcome {
        let now = asked.gateway.parts.clock.now();
        let another_key = asked.gateway.routing.heard(self.provider, self.key, &heard, now);
        let code = told.as_ref().map_or_else(Refusal::code, |_| "status");
        let Self { provider, model, attempt, .. } = self;
        tracing::info!(request = asked.id, attempt, provider = provider.name, model, code, "an LLM attempt failed");
        Outcome::Failed { told, heard, another_key }
    }

    /// By which name the provider itself knows the attempt.
    pub(super) fn tell(&self, asked: &Asked<'_>, status: StatusCode, engine: &Engine, headers: &HeaderMap) {
        let named = ["request-id", "x-request-id", "x-amzn-requestid"].iter().find_map(|name| headers.get(*name));
        let named = named
            .and_then(|value| value.to_str().ok())
            .filter(|id| id.len() <= 128 && engine.redact(id).findings.is_empty());
        let Self { provider, attempt, .. } = self;
        let status = status.as_u16();
        tracing::info!(
            request = asked.id,
            attempt,
            provider = provider.name,
            status,
            named,
            "a provider did not answer"
        );
    }

    /// Says who answered.
    pub(super) fn signed(&self, mut told: Response<Outgoing>) -> Response<Outgoing> {
        let headers = told.headers_mut();
        for (name, text) in [(PROVIDER, self.provider.name.as_str()), (MODEL, self.model)] {
            // A name that no header can carry is not told.
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        }
        let attempts = match self.attempt {
            1 => HeaderValue::from_static("1"),
            more => HeaderValue::from(more),
        };
        headers.insert(ATTEMPTS, attempts);
        told
    }
}

/// Waits for the first piece of an answer, so that one that never begins can be asked for elsewhere. `None`: it is empty.
pub(super) async fn first(response: &mut Response<Inflow>, patience: Duration) -> Result<Option<Bytes>, Refusal> {
    let streams = is_kind(response.headers(), b"text/event-stream");
    let first = async {
        while let Some(frame) = response.body_mut().frame().await {
            match frame.map_err(|_| Refusal::Broken)?.into_data() {
                Ok(data) if !data.is_empty() => return Ok(Some(data)),
                _ => {}
            }
        }
        // A stream without any event is none.
        if streams { Err(Refusal::Broken) } else { Ok(None) }
    };
    let first = tokio::time::timeout(patience, first).await.map_err(|_| Refusal::Silent)??;
    if streams && first.as_deref().is_some_and(tells_error) { Err(Refusal::Faltered) } else { Ok(first) }
}

/// Whether the first event of a stream is an error. What stands before it are comments, by which a provider keeps its callers
/// waiting.
fn tells_error(first: &[u8]) -> bool {
    let mut lines = first.split(|byte| matches!(byte, b'\n' | b'\r'));
    let Some(line) = lines.find(|line| !line.is_empty() && !line.starts_with(b":")) else { return false };
    let field = |name: &[u8]| line.strip_prefix(name).map(|value| value.strip_prefix(b" ").unwrap_or(value));
    let errors: [&[u8]; 2] = [b"{\"error\"", b"{\"type\":\"error\""];
    field(b"event:").is_some_and(|kind| kind.starts_with(b"error"))
        || field(b"data:").is_some_and(|data| errors.iter().any(|error| data.starts_with(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_comes_first_is_one_however_it_is_written() {
        for (first, want) in [
            ("event: error\ndata: {\"type\":\"error\"}\n\n", true),
            ("event:error\r\n", true),
            ("data:{\"error\":{}}\n\n", true),
            ("data: {\"type\":\"error\"}\n\n", true),
            (": WAITING\n\n: WAITING\r\n\r\ndata: {\"error\":{}}\n\n", true),
            (": WAITING\n\n", false),
            ("event: message_start\ndata: {\"error\":1}\n\n", false),
            ("data: {\"choices\":[]}\n\ndata: {\"error\":{}}\n\n", false),
            ("", false),
        ] {
            assert_eq!(tells_error(first.as_bytes()), want, "{first:?}");
        }
    }
}
