//! A file for later turns: judged part by part, sent to the provider of the agent's first model that takes files.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::header::{self, HeaderValue};
use hyper::body::Incoming;
use wardkeep_policy::{Bundle, Provider};
use wardkeep_proto::ids::AgentName;

use super::{Asked, Parcel, who};
use crate::api::Api;
use crate::auth::Credentials;
use crate::body::{self, Outgoing, Received};
use crate::budget::ask::Ask;
use crate::refusal::Refusal;
use crate::routing::{Standing, seconds_until};
use crate::{headers, multipart};

/// What stands in place of a model in the records.
const FILES: &str = "files";

impl Asked<'_> {
    pub(super) async fn upload(&self, incoming: &mut Incoming) -> Result<Response<Outgoing>, Refusal> {
        let parts = &self.gateway.parts;
        let agent = who(self.gateway, self.head)?;
        self.tie(&agent);
        self.admissible(&agent)?;
        if headers::is_encoded(&self.head.headers) {
            return Err(Refusal::Encoded);
        }
        let boundary = multipart::boundary(&self.head.headers)?;
        let Received { bytes, room: _room } = body::receive(incoming, &parts.timeouts, &self.gateway.waiting).await?;
        let bundle = Arc::clone(&parts.bundle.borrow());
        let provider = place(&bundle, &agent, self.call.api)?;
        let endpoint = self.call.api.endpoint(false);
        let upstream = self.gateway.addresses.of(provider, endpoint, FILES, self.head.uri.query())?;
        let now = parts.clock.now();
        let key = match self.gateway.routing.standing(provider, false, now) {
            Standing::Ready(key) | Standing::Cooling(key, _) => key,
            Standing::Resting(until) => return Err(Refusal::Resting(seconds_until(until, now))),
        };
        let credentials = Credentials::resolve(&*parts.secrets, provider, key.as_ref(), &upstream)?;
        credentials.catch_up(&*parts.secrets);
        let engine = parts.redaction.load();
        let mut sent = self.head_towards_provider(&engine)?;
        headers::adapt(&mut sent, provider);
        if !engine.redact(&boundary).findings.is_empty() {
            return Err(Refusal::SecretInHead);
        }
        let kind = HeaderValue::try_from(format!("multipart/form-data; boundary=\"{boundary}\""));
        sent.insert(header::CONTENT_TYPE, kind.map_err(|_| Refusal::SecretInHead)?);
        let unscanned = provider.unscanned.clone();
        let Ok(turn) = self.gateway.scans.acquire().await else { return Err(Refusal::Busy) };
        let scanning = Arc::clone(&engine);
        let body = tokio::task::spawn_blocking(move || {
            multipart::redact(&bytes, &boundary, &scanning, &unscanned).map(|scanned| match scanned {
                Cow::Borrowed(_) => bytes.clone(),
                Cow::Owned(changed) => Bytes::from(changed),
            })
        });
        let body = body.await.map_err(|_| Refusal::Busy)??;
        // What follows waits for others, and holds up none who would scan.
        drop(turn);
        let parcel = Parcel {
            agent: &agent,
            provider,
            key: key.as_ref(),
            model: FILES,
            priced: None,
            ask: Ask::default(),
            bundle: &bundle,
            upstream,
            credentials,
            headers: sent,
            body: body.into(),
            api: self.call.api,
            streams: false,
            added_usage: false,
            with_usage: false,
            between: None,
            watch: None,
            attempt: 1,
            may_go_on: false,
        };
        self.send(parcel, &engine).await.told()
    }
}

/// Where the files of `agent` go: they are of use to the models of one provider only.
fn place<'b>(bundle: &'b Bundle, agent: &AgentName, api: Api) -> Result<&'b Provider, Refusal> {
    let policy = bundle.agents.iter().find(|policy| &policy.name == agent);
    let policy = policy.ok_or_else(|| Refusal::UnknownAgent(agent.clone()))?;
    let models = policy.models.iter().flat_map(|name| bundle.llm.answering(name));
    let mut providers = models.filter_map(|model| bundle.llm.provider(&model.provider));
    providers.find(|provider| provider.path(api.endpoint(false)).is_some()).ok_or(Refusal::NotServed)
}
