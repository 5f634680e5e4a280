//! Bodies: what the gateway sends, and how it receives one within bounds.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::client::Inflow;
use crate::gateway::Timeouts;
use crate::refusal::Refusal;
use crate::relay::{Cut, Relay};
use crate::request::BODY_BYTES;
use crate::within::{Late, within};

/// Bytes that are read of a connection at once, while more than that come. One read of 128 KiB holds most requests of a session.
pub(crate) const READ_BYTES: usize = 128 * 1024;

/// The body of an answer.
pub(crate) enum Outgoing {
    /// Our own words.
    Whole(Full<Bytes>),
    /// The provider's, as they come.
    Relayed(Box<Relay>),
}

impl Outgoing {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Full::new(bytes.into()))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Relayed(body) => Pin::new(body.as_mut()).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Relayed(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Relayed(body) => body.size_hint(),
        }
    }
}

/// A request body in memory, with the room it takes.
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    /// Given back when dropped.
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

/// Receives a request's body: at most [`BODY_BYTES`], in time, all bodies together within `room` (KiB).
pub(crate) async fn receive(
    body: &mut Incoming,
    timeouts: &Timeouts,
    room: &Arc<Semaphore>,
) -> Result<Received, Refusal> {
    within(timeouts.request, receive_all(body, timeouts.idle, room)).await.map_err(|Late| Refusal::Stalled)?
}

async fn receive_all(body: &mut Incoming, idle: Duration, room: &Arc<Semaphore>) -> Result<Received, Refusal> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > BODY_BYTES {
        return Err(Refusal::TooLarge);
    }
    let (mut pieces, mut held) = (Pieces::None(announced), None::<OwnedSemaphorePermit>);
    loop {
        let frame = within(idle, body.frame()).await.map_err(|Late| Refusal::Stalled)?;
        let Some(frame) = frame else { break };
        // Trailers say nothing that a model needs.
        let Ok(data) = frame.map_err(|_| Refusal::Cut)?.into_data() else { continue };
        if pieces.len() + data.len() > BODY_BYTES {
            return Err(Refusal::TooLarge);
        }
        pieces = pieces.and(data);
        let needed = pieces.len().div_ceil(1024) - held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let needed = u32::try_from(needed).map_err(|_| Refusal::TooLarge)?;
        let more = Arc::clone(room).try_acquire_many_owned(needed).map_err(|_| Refusal::Busy)?;
        match &mut held {
            Some(held) => held.merge(more),
            None => held = Some(more),
        }
    }
    Ok(Received { bytes: pieces.join(), room: held })
}

/// What arrived of a body.
enum Pieces {
    /// Nothing, of so many bytes.
    None(usize),
    /// All of it in one piece, which is not copied.
    Whole(Bytes),
    Some(BytesMut),
}

impl Pieces {
    fn len(&self) -> usize {
        match self {
            Self::None(_) => 0,
            Self::Whole(bytes) => bytes.len(),
            Self::Some(bytes) => bytes.len(),
        }
    }

    fn and(self, data: Bytes) -> Self {
        let mut bytes = match self {
            // It keeps all that was read at once, for as long as it lives: at most twice its length.
            Self::None(announced) if data.len() == announced && 2 * announced >= READ_BYTES => {
                return Self::Whole(data);
            }
            // Only what has arrived is paid for: an announcement is cheap.
            Self::None(announced) => BytesMut::with_capacity(announced.min(1024 * 1024)),
            Self::Whole(bytes) => BytesMut::from(bytes),
            Self::Some(bytes) => bytes,
        };
        bytes.extend_from_slice(&data);
        Self::Some(bytes)
    }

    fn join(self) -> Bytes {
        match self {
            Self::None(_) => Bytes::new(),
            Self::Whole(bytes) => bytes,
            Self::Some(bytes) => bytes.freeze(),
        }
    }
}

/// Reads and forgets the rest of a refused request, within bounds: a connection that is closed on unread bytes is reset, and
/// the agent would see that instead of the refusal.
pub(crate) async fn drain(body: &mut Incoming) {
    const BYTES: usize = 2 * BODY_BYTES;
    const PATIENCE: Duration = Duration::from_secs(5);
    let all = async {
        let mut seen = 0;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, Bytes::len);
            if seen > BYTES {
                return;
            }
        }
    };
    // Whoever sends more, or slower, may be reset.
    let _ = tokio::time::timeout(PATIENCE, all).await;
}

/// Collects an answer of at most `most` bytes; `None` if it is longer, breaks, or stops for `idle`.
pub(crate) async fn collect(mut body: Inflow, most: usize, idle: Duration) -> Option<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = tokio::time::timeout(idle, body.frame()).await.ok()? {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return None;
        }
        bytes.extend_from_slice(&data);
    }
    Some(bytes.freeze())
}
