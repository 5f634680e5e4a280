//! An answer whose provider speaks another API than the caller.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt as _;
use wardkeep_policy::Dialect;
use wardkeep_proto::waypoint::{Waypoint, Waypoints};

use super::SCAN_HERE;
use crate::body::Outgoing;
use crate::client::Inflow;
use crate::meter::Admitted;
use crate::refusal::Refusal;
use crate::translate::{self, Stamp, Untranslatable};
use crate::usage::Observer;

/// Bytes of a whole answer that are translated; no model says that much.
const ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// Two APIs, and what has to be said in the caller's.
#[derive(Clone, Debug)]
pub(super) struct Between {
    pub(super) provider: Dialect,
    pub(super) caller: Dialect,
    pub(super) stamp: Stamp,
}

/// A whole answer on its way in.
pub(super) struct Coming {
    pub(super) upstream: Inflow,
    /// What came of it already.
    pub(super) first: Option<Bytes>,
    pub(super) observer: Observer,
    pub(super) admitted: Admitted,
    pub(super) idle: Duration,
    pub(super) waypoints: Arc<dyn Waypoints>,
}

/// An account that is handed in whatever becomes of the answer: whoever leaves has used what was seen.
struct Account(Option<(Observer, Admitted)>);

impl Between {
    /// Translates the bytes of a streamed answer.
    pub(super) fn stream(&self) -> Result<translate::Stream, Refusal> {
        translate::Stream::new(self.provider, self.caller, self.stamp.clone()).map_err(Refusal::Untold)
    }

    /// The provider's error, `document` already without secrets.
    pub(super) fn error(&self, status: StatusCode, document: &Bytes) -> (StatusCode, Bytes) {
        let (told, document) = translate::error(self.provider, self.caller, status.as_u16(), document, &self.stamp);
        (StatusCode::from_u16(told).unwrap_or(status), document)
    }

    /// A whole answer. It is paid for before it is told, and also if it cannot be.
    pub(super) async fn whole(self, coming: Coming) -> Result<Bytes, Refusal> {
        let Coming { mut upstream, mut first, observer, admitted, idle, waypoints } = coming;
        let mut account = Account(Some((observer, admitted)));
        let mut bytes = BytesMut::new();
        let received = loop {
            let frame = match first.take().map(Frame::data) {
                Some(first) => first,
                None => match tokio::time::timeout(idle, upstream.frame()).await {
                    Err(_) => break Err(Refusal::Silent),
                    Ok(Some(Err(_))) => break Err(Refusal::Broken),
                    Ok(Some(Ok(frame))) => frame,
                    Ok(None) => break Ok(()),
                },
            };
            let Ok(data) = frame.into_data() else { continue };
            account.see(&data);
            if bytes.len() + data.len() > ANSWER_BYTES {
                break Err(Refusal::Untold(Untranslatable::TooLong));
            }
            bytes.extend_from_slice(&data);
        };
        waypoints.pass(Waypoint::LlmRelayed);
        account.file().await;
        received?;
        let bytes = bytes.freeze();
        if bytes.len() <= SCAN_HERE {
            return self.tell(&bytes);
        }
        tokio::task::spawn_blocking(move || self.tell(&bytes)).await.unwrap_or(Err(Refusal::Busy))
    }

    fn tell(&self, bytes: &Bytes) -> Result<Bytes, Refusal> {
        translate::answer(self.provider, self.caller, bytes, &self.stamp).map_err(Refusal::Untold)
    }

    /// Makes the head of the provider's answer one of the caller's API.
    pub(super) fn head(&self, headers: &mut HeaderMap, kind: &'static str) {
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        // By which official clients name a request.
        let (from, to) = match self.caller {
            Dialect::Anthropic => ("x-request-id", "request-id"),
            _ => ("request-id", "x-request-id"),
        };
        if let Some(id) = headers.get(from).filter(|_| !headers.contains_key(to)).cloned() {
            headers.insert(to, id);
        }
    }
}

/// An answer that is told whole.
pub(super) fn told(status: StatusCode, headers: HeaderMap, document: Bytes) -> Response<Outgoing> {
    let mut answer = Response::new(Outgoing::whole(document));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

impl Account {
    fn see(&mut self, data: &Bytes) {
        if let Some((observer, _)) = &mut self.0 {
            observer.feed(data);
        }
    }

    async fn file(&mut self) {
        if let Some((mut observer, admitted)) = self.0.take() {
            let settlement = observer.settle(admitted.estimated_input());
            admitted.file(settlement).await;
        }
    }
}

/// The agent left. It is one message to the meter's thread.
impl Drop for Account {
    fn drop(&mut self) {
        if let Some((mut observer, admitted)) = self.0.take() {
            let settlement = observer.settle(admitted.estimated_input());
            admitted.settle(settlement);
        }
    }
}
