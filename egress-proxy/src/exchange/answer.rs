//! The way back of one answer: what kind it is → who watches, tells and counts it → relay; errors whole.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{self, HeaderMap, HeaderValue};
use wardkeep_policy::Framing;
use wardkeep_redaction::Engine;

use super::between::{self, Between, Coming};
use super::{Asked, Patience};
use crate::api::{Api, Verb};
use crate::body::{self, Outgoing};
use crate::client::Inflow;
use crate::frames::Frames;
use crate::gate_memory::Watch;
use crate::headers;
use crate::meter::{Admitted, Settlement};
use crate::refusal::{self, Refusal};
use crate::relay::{Answer, Cut, Relay, Way};
use crate::usage::{Observer, Shape, Usage};
use crate::withhold::Withhold;

const EVENTS: &str = "text/event-stream; charset=utf-8";
/// Between two pieces of an error document.
const ERROR_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an error document that are relayed.
const ERROR_BYTES: usize = 256 * 1024;

/// What has to be known of a request when its answer comes.
pub(super) struct Sent<'a> {
    pub(super) admitted: Admitted,
    pub(super) engine: &'a Engine,
    /// What the provider was asked for.
    pub(super) api: Api,
    pub(super) added_usage: bool,
    pub(super) framing: Framing,
    pub(super) between: Option<Between>,
    pub(super) watch: Option<Watch>,
    pub(super) patience: Patience,
    /// What came of the body already.
    pub(super) first: Option<Bytes>,
}

impl Asked<'_> {
    /// Passes the answer on, in the API of the caller.
    pub(super) async fn relay(
        &self,
        response: Response<Inflow>,
        sent: Sent<'_>,
    ) -> Result<Response<Outgoing>, Refusal> {
        let Sent { admitted, engine, api, added_usage, framing, between, watch, patience, first } = sent;
        let parts = &self.gateway.parts;
        let (head, upstream) = response.into_parts();
        if head.status.is_client_error() || head.status.is_server_error() {
            // Others may be waiting to be asked: no error takes long.
            let idle = patience.idle.min(ERROR_PATIENCE);
            return self.relay_error(head, upstream, admitted, engine, between, idle).await;
        }
        if !head.status.is_success() {
            // A redirect would lead the agent, or its key, elsewhere.
            nothing_used(admitted).await;
            return Err(Refusal::Unrelayable(head.status.as_u16()));
        }
        let encoded = headers::is_encoded(&head.headers);
        let framed =
            framing == Framing::AwsEventStream && is_kind(&head.headers, b"application/vnd.amazon.eventstream");
        let is_stream = framed || is_kind(&head.headers, b"text/event-stream");
        let shape = match (encoded, is_stream) {
            (true, _) => Shape::Opaque,
            (false, true) => Shape::Events,
            (false, false) if api == Api::Gemini(Verb::Stream) => Shape::List,
            (false, false) => Shape::Document,
        };
        let mut sent = headers::towards_agent(head.headers, engine, &self.gateway.clean);
        let observer = Observer::new(api.account(), shape).watched_by(watch);
        let streamed = matches!(shape, Shape::Events | Shape::List);
        let idle = if streamed { patience.idle } else { patience.first_byte };
        let waypoints = Arc::clone(&parts.waypoints);
        let way = match between {
            Some(between) if shape != Shape::Events => {
                between.head(&mut sent, "application/json");
                let document = between.whole(Coming { upstream, first, observer, admitted, idle, waypoints }).await?;
                return Ok(between::told(head.status, sent, document));
            }
            Some(between) => {
                between.head(&mut sent, EVENTS);
                Way::Translated(Box::new(between.stream()?))
            }
            None if added_usage && shape == Shape::Events => Way::Withheld(Withhold::default()),
            None => Way::Untouched,
        };
        if framed || !matches!(way, Way::Untouched) {
            sent.remove(header::CONTENT_LENGTH);
        }
        if framed {
            sent.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENTS));
        }
        let mut relay = Box::new(Relay::new(Answer {
            upstream,
            first,
            api: self.call.api,
            frames: framed.then(Frames::default),
            observer,
            way,
            admitted,
            idle,
            waypoints,
        }));
        if !streamed {
            relay.begin().await.map_err(|Cut| Refusal::Broken)?;
        }
        let mut answer = Response::new(Outgoing::Relayed(relay));
        *answer.status_mut() = head.status;
        *answer.headers_mut() = sent;
        Ok(answer)
    }

    /// Errors are small and may quote what was sent, the provider's key included: scanned whole, relayed with their status.
    async fn relay_error(
        &self,
        head: http::response::Parts,
        upstream: Inflow,
        admitted: Admitted,
        engine: &Engine,
        between: Option<Between>,
        idle: Duration,
    ) -> Result<Response<Outgoing>, Refusal> {
        nothing_used(admitted).await;
        let status = head.status;
        let unrelayable = || Refusal::Unrelayable(status.as_u16());
        if headers::is_encoded(&head.headers) {
            return Err(unrelayable());
        }
        let document = body::collect(upstream, ERROR_BYTES, idle).await.ok_or_else(unrelayable)?;
        let scanned = match engine.redact_json(&document) {
            Ok(scanned) => scanned,
            Err(_) => engine.redact_bytes(&document),
        };
        tracing::info!(request = self.id, status = status.as_u16(), "the provider answered with an error");
        let mut sent = headers::towards_agent(head.headers, engine, &self.gateway.clean);
        sent.remove(header::CONTENT_LENGTH);
        if let Some(between) = between {
            between.head(&mut sent, "application/json");
            let (status, document) = between.error(status, &Bytes::from(scanned.bytes.into_owned()));
            return Ok(between::told(status, sent, document));
        }
        let document = match refusal::translated(self.call.api.dialect(), status, &scanned.bytes, self.id) {
            Some(translated) => {
                sent.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Bytes::from(translated)
            }
            None => match scanned.bytes {
                Cow::Borrowed(_) => document.clone(),
                Cow::Owned(changed) => Bytes::from(changed),
            },
        };
        Ok(between::told(status, sent, document))
    }
}

/// A request that the provider refused: it counts, its tokens do not.
pub(super) async fn nothing_used(admitted: Admitted) {
    admitted.file(Settlement { usage: Usage::default(), estimated: false }).await;
}

pub(super) fn is_kind(headers: &HeaderMap, kind: &[u8]) -> bool {
    let value = headers.get(header::CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    value.get(..kind.len()).is_some_and(|value| value.eq_ignore_ascii_case(kind))
}
