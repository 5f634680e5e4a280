//! The provider's answer on its way to the agent, as it comes: byte for byte, or told in the caller's API; watched for its usage
//! before that.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use wardkeep_proto::waypoint::{Waypoint, Waypoints};

use crate::api::Api;
use crate::client::Inflow;
use crate::frames::{Frames, Garbled};
use crate::meter::{Admitted, Filing};
use crate::refusal;
use crate::translate::{End, Stream};
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
    pub(crate) upstream: Inflow,
    /// What came of it already.
    pub(crate) first: Option<Bytes>,
    pub(crate) api: Api,
    /// The provider's events come in frames of another kind.
    pub(crate) frames: Option<Frames>,
    pub(crate) observer: Observer,
    pub(crate) way: Way,
    pub(crate) admitted: Admitted,
    pub(crate) idle: Duration,
    pub(crate) waypoints: Arc<dyn Waypoints>,
}

/// What becomes of the provider's bytes.
pub(crate) enum Way {
    Untouched,
    /// Without the one event that the agent did not ask for.
    Withheld(Withhold),
    /// In the caller's API.
    Translated(Box<Stream>),
}

/// An answer under way.
pub(crate) struct Relay {
    upstream: Inflow,
    first: Option<Bytes>,
    api: Api,
    frames: Option<Frames>,
    way: Way,
    /// Taken when the account is settled.
    account: Option<(Observer, Admitted)>,
    /// Until the account is on disk the agent has not seen the end: what it was told the end of is counted exactly.
    filing: Option<(Filing, Last)>,
    waypoints: Arc<dyn Waypoints>,
    /// Its length was told with the head: nothing can be added.
    is_measured: bool,
    idle: Duration,
    /// When the last piece came; asked for once the next one is not there.
    last: Option<Instant>,
    /// Set once something has to be waited for.
    alarm: Option<Pin<Box<Sleep>>>,
    /// What came before the head went out.
    begun: Option<Frame<Bytes>>,
    state: State,
}

/// What the agent gets once the account is on disk.
enum Last {
    /// All that was announced; nothing follows.
    Data(Bytes),
    End,
    /// An event of ours after a stream that broke, and then the cut.
    Words(Bytes),
    Cut,
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
        let Answer { upstream, first, api, frames, observer, way, admitted, idle, waypoints } = answer;
        let is_measured = matches!(way, Way::Untouched) && frames.is_none() && upstream.size_hint().exact().is_some();
        Self {
            is_measured,
            upstream,
            first,
            api,
            frames,
            way,
            account: Some((observer, admitted)),
            filing: None,
            waypoints,
            idle,
            last: None,
            alarm: None,
            begun: None,
            state: State::Flowing,
        }
    }

    /// Waits for the first piece: the head of a document is not written alone. One that breaks before it can still be told.
    pub(crate) async fn begin(&mut self) -> Result<(), Cut> {
        self.begun = std::future::poll_fn(|cx| self.next(cx)).await.transpose()?;
        Ok(())
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.state {
            State::Flowing if self.filing.is_some() => self.wait_for_disk(cx),
            State::Flowing => self.flow(cx),
            State::Flushing => {
                // One turn for the connection to write the last event, then the cut.
                self.state = State::Cutting;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            State::Cutting => {
                self.state = State::Ended;
                Poll::Ready(Some(Err(Cut)))
            }
            State::Ended => Poll::Ready(None),
        }
    }

    /// Hands the account in, once, and then tells the agent the last of it.
    fn file(&mut self, cx: &mut Context<'_>, last: Last) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Some((mut observer, admitted)) = self.account.take() else { return Poll::Ready(self.tell(last)) };
        let settlement = observer.settle(admitted.estimated_input());
        let last = match (last, &self.way) {
            (last @ (Last::Data(_) | Last::End), Way::Untouched | Way::Withheld(_)) if observer.is_cut() => {
                tracing::warn!("a provider's answer ended before its end");
                self.cut_short(last, &observer)
            }
            (last, _) => last,
        };
        self.filing = Some((admitted.filing(settlement), last));
        self.wait_for_disk(cx)
    }

    /// What is told in the place of an end that is none.
    fn cut_short(&self, last: Last, observer: &Observer) -> Last {
        // A document that is not whole is of no use.
        if observer.is_document() {
            return Last::Cut;
        }
        // Behind all that was announced nothing can stand. Without any words, what was passed on is still flushed before the cut.
        if self.is_measured {
            return Last::Words(Bytes::new());
        }
        let mut told = match last {
            Last::Data(data) => Vec::from(data),
            _ => Vec::new(),
        };
        if observer.may_add_event() {
            told.extend(refusal::broken_stream(self.api));
        }
        Last::Words(told.into())
    }

    fn wait_for_disk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some((filed, _)) = &mut self.filing {
            ready!(Pin::new(filed).poll(cx));
        }
        Poll::Ready(self.filing.take().and_then(|(_, last)| self.tell(last)))
    }

    fn tell(&mut self, last: Last) -> Option<Result<Frame<Bytes>, Cut>> {
        self.state = match last {
            Last::Words(_) => State::Flushing,
            _ => State::Ended,
        };
        match last {
            Last::Data(data) | Last::Words(data) => Some(Ok(Frame::data(data))),
            Last::End => None,
            Last::Cut => Some(Err(Cut)),
        }
    }

    fn flow(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            let polled = match self.first.take() {
                Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
                None => Pin::new(&mut self.upstream).poll_frame(cx),
            };
            let frame = match polled {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(_))) => return self.broke(cx),
                Poll::Ready(None) => return self.ended(cx),
                Poll::Pending => {
                    let until = *self.last.get_or_insert_with(Instant::now) + self.idle;
                    let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
                    ready!(alarm.as_mut().poll(cx));
                    // The alarm is set once per `idle`, not once per frame.
                    if until <= Instant::now() {
                        tracing::warn!("a provider's stream was silent for too long and is cut");
                        return self.broke(cx);
                    }
                    alarm.as_mut().reset(until);
                    continue;
                }
            };
            // Trailers end here: no dialect has any.
            let Ok(data) = frame.into_data() else { continue };
            let data = match &mut self.frames {
                Some(frames) => match frames.push(&data) {
                    Ok(events) => events,
                    Err(Garbled) => return self.broke(cx),
                },
                None => data,
            };
            if let Some((observer, _)) = &mut self.account {
                observer.feed(&data);
            }
            let data = match &mut self.way {
                Way::Untouched if self.frames.is_none() && self.upstream.is_end_stream() => {
                    self.waypoints.pass(Waypoint::LlmRelayed);
                    return self.file(cx, Last::Data(data));
                }
                Way::Untouched => data,
                Way::Withheld(withhold) => withhold.push(&data),
                Way::Translated(stream) => {
                    let told = stream.push(&data);
                    if let Some(End::Fault(fault)) = stream.end()
                        && !told.is_empty()
                    {
                        tracing::warn!(fault = fault.code(), "a provider's stream cannot be told in the caller's API");
                        return self.file(cx, Last::Words(told));
                    }
                    told
                }
            };
            self.last = None;
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }

    fn ended(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.frames.as_ref().is_some_and(|frames| !frames.at_boundary()) {
            return self.broke(cx);
        }
        let last = match &mut self.way {
            Way::Untouched => Last::End,
            Way::Withheld(withhold) => match withhold.finish() {
                rest if rest.is_empty() => Last::End,
                rest => return Poll::Ready(Some(Ok(Frame::data(rest)))),
            },
            Way::Translated(stream) => match (stream.finish(), stream.end()) {
                (rest, Some(End::Fault(_))) => Last::Words(rest),
                (rest, _) if rest.is_empty() => Last::End,
                (rest, _) => Last::Data(rest),
            },
        };
        self.waypoints.pass(Waypoint::LlmRelayed);
        self.file(cx, last)
    }

    fn broke(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let may_add = match &self.way {
            // What was told is whole events; after the last one comes nothing.
            Way::Translated(stream) => match stream.end() {
                Some(End::Whole) => return self.file(cx, Last::End),
                end => end.is_none(),
            },
            _ => self.account.as_ref().is_some_and(|(observer, _)| observer.may_add_event()),
        };
        let words = || Last::Words(Bytes::from(refusal::broken_stream(self.api)));
        let last = if may_add { words() } else { Last::Cut };
        self.file(cx, last)
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        match this.begun.take() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => this.next(cx),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.way {
            Way::Untouched if self.frames.is_none() => {
                let begun = self.begun.as_ref().and_then(Frame::data_ref);
                let held = self.first.as_ref().map_or(0, Bytes::len) + begun.map_or(0, Bytes::len);
                let (mut hint, held) = (self.upstream.size_hint(), held as u64);
                if let Some(upper) = hint.upper() {
                    hint.set_upper(upper + held);
                }
                hint.set_lower(hint.lower() + held);
                hint
            }
            _ => SizeHint::default(),
        }
    }
}

/// The agent left: what was seen counts. It is one message to the meter's thread.
impl Drop for Relay {
    fn drop(&mut self) {
        if let Some((mut observer, admitted)) = self.account.take() {
            if self.upstream.is_end_stream() {
                self.waypoints.pass(Waypoint::LlmRelayed);
            }
            let settlement = observer.settle(admitted.estimated_input());
            admitted.settle(settlement);
        }
    }
}
