//! The provider's answer on its way to the agent: byte for byte, as it comes, watched for its usage.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use wardkeep_policy::Dialect;
use wardkeep_proto::waypoint::{Waypoint, Waypoints};

use crate::meter::Admitted;
use crate::refusal;
use crate::usage::Observer;
use crate::withhold::Withhold;

/// The stream broke; the connection to the agent is cut so that no ending is mistaken for the end.
#[derive(Debug)]
pub(crate) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the provider's answer broke off")
    }
}

impl std::error::Error for Cut {}

/// What a relay needs to know.
pub(crate) struct Answer {
    pub(crate) upstream: Incoming,
    pub(crate) dialect: Dialect,
    pub(crate) observer: Observer,
    pub(crate) withhold: Option<Withhold>,
    pub(crate) admitted: Admitted,
    pub(crate) idle: Duration,
    pub(crate) waypoints: Arc<dyn Waypoints>,
}

/// An answer under way.
pub(crate) struct Relay {
    upstream: Incoming,
    dialect: Dialect,
    withhold: Option<Withhold>,
    /// Taken when the account is settled.
    account: Option<(Observer, Admitted)>,
    waypoints: Arc<dyn Waypoints>,
    idle: Duration,
    last: Instant,
    alarm: Pin<Box<Sleep>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Flowing,
    /// The last words are with the connection; they must be flushed before it is cut.
    Flushing,
    Cutting,
    Ended,
}

impl Relay {
    pub(crate) fn new(answer: Answer) -> Self {
        let Answer { upstream, dialect, observer, withhold, admitted, idle, waypoints } = answer;
        let last = Instant::now();
        Self {
            upstream,
            dialect,
            withhold,
            account: Some((observer, admitted)),
            waypoints,
            idle,
            last,
            alarm: Box::pin(tokio::time::sleep_until(last + idle)),
            state: State::Flowing,
        }
    }

    /// Hands the account in, once.
    fn settle(&mut self) {
        if let Some((mut observer, admitted)) = self.account.take() {
            let settlement = observer.settle(admitted.estimated_input());
            admitted.settle(settlement);
        }
    }

    fn flow(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            let frame = match Pin::new(&mut self.upstream).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(_))) => return Poll::Ready(self.broke()),
                Poll::Ready(None) => return Poll::Ready(self.ended()),
                Poll::Pending => {
                    ready!(self.alarm.as_mut().poll(cx));
                    // The alarm is set once per `idle`, not once per frame.
                    let until = self.last + self.idle;
                    if until <= Instant::now() {
                        tracing::warn!("a provider's stream was silent for too long and is cut");
                        return Poll::Ready(self.broke());
                    }
                    self.alarm.as_mut().reset(until);
                    continue;
                }
            };
            self.last = Instant::now();
            // Trailers end here: no dialect has any.
            let Ok(data) = frame.into_data() else { continue };
            if let Some((observer, _)) = &mut self.account {
                observer.feed(&data);
            }
            let data = match &mut self.withhold {
                Some(withhold) => withhold.push(&data),
                None => data,
            };
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }

    fn ended(&mut self) -> Option<Result<Frame<Bytes>, Cut>> {
        let rest = self.withhold.as_mut().map(Withhold::finish).unwrap_or_default();
        if !rest.is_empty() {
            return Some(Ok(Frame::data(rest)));
        }
        self.state = State::Ended;
        self.waypoints.pass(Waypoint::LlmRelayed);
        self.settle();
        None
    }

    fn broke(&mut self) -> Option<Result<Frame<Bytes>, Cut>> {
        let may_add = self.account.as_ref().is_some_and(|(observer, _)| observer.may_add_event());
        self.settle();
        if may_add {
            self.state = State::Flushing;
            return Some(Ok(Frame::data(Bytes::from(refusal::broken_stream(self.dialect)))));
        }
        self.state = State::Ended;
        Some(Err(Cut))
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        match this.state {
            State::Flowing => this.flow(cx),
            State::Flushing => {
                // One turn for the connection to write the last event, then the cut.
                this.state = State::Cutting;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            State::Cutting => {
                this.state = State::Ended;
                Poll::Ready(Some(Err(Cut)))
            }
            State::Ended => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.withhold {
            Some(_) => SizeHint::default(),
            None => self.upstream.size_hint(),
        }
    }
}

/// The agent left, or the connection had all announced bytes and did not ask for the end. Either way what was seen counts;
/// it is one message to the meter's thread.
impl Drop for Relay {
    fn drop(&mut self) {
        if self.account.is_some() && self.upstream.is_end_stream() {
            self.waypoints.pass(Waypoint::LlmRelayed);
        }
        self.settle();
    }
}
