//! One connection of an agent: awake while something is asked, at rest in between.
//!
//! hyper keeps some 20 KiB for each connection, for the next request. One that rests gives all of that back and waits
//! for its socket alone, so that ten thousand of them cost less than one large request.

use std::convert::Infallible;
use std::future::Future as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::places::Place;
use crate::body::{Outgoing, READ_BYTES};
use crate::exchange;
use crate::gateway::Gateway;
use crate::leash::Tether;
use crate::meter::Present;
use crate::relay::Cut;
use crate::strict::{self, Fault, HEAD_BYTES, Strict, UnderWay};

/// For the head of a request while the last places are being taken.
const HURRY: Duration = Duration::from_secs(3);

/// Looks that are left out while something is under way.
const BUSY: u32 = 20;

/// How a connection comes out of being awake.
enum Outcome {
    /// Nothing is asked for now.
    Rests,
    Over,
}

/// Serves one connection to its end.
pub(super) async fn serve(mut stream: TcpStream, gateway: Arc<Gateway>, mut place: Place, stop: CancellationToken) {
    // Small events must not wait for the acknowledgement of the one before.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    loop {
        if !asked(&stream, &gateway, &mut place, &stop).await {
            return;
        }
        let patience = gateway.parts.timeouts.head;
        let patience = if place.is_scarce() { patience.min(HURRY) } else { patience };
        let requests = |stream| Strict::new(stream, patience);
        // Apart: one that rests must not keep the room for it.
        if let Outcome::Over = Box::pin(awake(&mut stream, requests, &gateway, &stop)).await {
            return;
        }
    }
}

/// Tells one too many so, in the words of its dialect.
pub(super) async fn turn_away(mut stream: TcpStream, gateway: Arc<Gateway>, stop: CancellationToken) {
    let requests = |stream| Strict::refusing(stream, HURRY, Fault::Crowded);
    let _ = tokio::time::timeout(2 * HURRY, awake(&mut stream, requests, &gateway, &stop)).await;
}

/// Waits until there is something to read; `false` if nothing is to be read any more.
async fn asked(stream: &TcpStream, gateway: &Gateway, place: &mut Place, stop: &CancellationToken) -> bool {
    let mut resting = place.rest();
    let comes = tokio::select! {
        biased;
        () = stop.cancelled() => false,
        () = resting.sent_away() => false,
        comes = stream.readable() => comes.is_ok(),
        () = sleep(gateway.parts.timeouts.unused) => false,
    };
    drop(resting);
    comes && !place.is_lost()
}

/// Answers requests for as long as they come.
async fn awake<'a>(
    stream: &'a mut TcpStream,
    requests: impl FnOnce(&'a mut TcpStream) -> Strict<&'a mut TcpStream>,
    gateway: &Arc<Gateway>,
    stop: &CancellationToken,
) -> Outcome {
    let requests = requests(stream);
    let witness = requests.witness();
    let numbers = Arc::clone(&witness);
    let tether = Tether::default();
    let tied = tether.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (gateway, number) = (Arc::clone(gateway), numbers.next());
        let under_way = (number.under_way(), gateway.parts.meter.comes());
        request.extensions_mut().insert(tied.clone());
        let tether = tied.clone();
        async move {
            let response = exchange::answer(gateway, request, number).await;
            Ok::<_, Infallible>(response.map(|body| Answer { body, tether, _under_way: under_way }))
        }
    });
    // No timer: heads are waited for by `Strict`, and requests by `asked`.
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        // A head that is let through always has room.
        .max_buf_size(READ_BYTES.max(HEAD_BYTES + 4096))
        // One piece costs the system less than a head, a chunk's beginning, its bytes and its end apart.
        .writev(false)
        .serve_connection(TokioIo::new(requests), service);
    let step = gateway.parts.timeouts.rest;
    let mut look = pin!(sleep(step));
    let mut stopped = pin!(stop.cancelled());
    let (mut before, mut stopping) = (None, false);
    let ended = std::future::poll_fn(|cx| {
        if !stopping && stopped.as_mut().poll(cx).is_ready() {
            stopping = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
            return Poll::Ready(Some(ended));
        }
        // After the connection, which may just have learnt who asks.
        if tether.poll_cut(cx).is_ready() {
            tracing::info!("a connection was cut because its agent is stopped");
            return Poll::Ready(Some(Ok(())));
        }
        while look.as_mut().poll(cx).is_ready() {
            let now = witness.at_rest();
            if now.is_some() && now == before {
                return Poll::Ready(None);
            }
            before = now;
            // Answers take seconds; what is over is seen soon enough to give way to many that come at once.
            let next = if now.is_some() { step } else { BUSY * step };
            look.as_mut().reset(Instant::now() + next);
        }
        Poll::Pending
    })
    .await;
    // With it goes what was under way; only then is nothing held any more.
    let parts = connection.into_parts();
    tether.loosen();
    match ended {
        // hyper holds whole heads only, and none while nothing is under way.
        None if parts.read_buf.is_empty() => return Outcome::Rests,
        None => tracing::warn!("a connection was closed on a request that was not read"),
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "a connection ended early"),
    }
    if witness.left_unread() {
        let requests = parts.io.into_inner();
        strict::linger(&mut requests.into_inner()).await;
    }
    Outcome::Over
}

/// An answer, which is under way until it is dropped.
struct Answer {
    body: Outgoing,
    tether: Tether,
    _under_way: (UnderWay, Present),
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.tether.loosen();
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
