//! Requests on their way to hyper: what two readers could frame differently never gets there.
//!
//! hyper repairs what must be refused here (a length beside chunks, bare line ends), and what it refuses itself it answers
//! with an empty body. So every head is read strictly first. One that is none is replaced by a head that hyper can read, and
//! the gateway answers that in the words of the caller's dialect: in its turn, and as the last one on its connection.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use wardkeep_policy::Dialect;

use crate::forward::wire::InvalidHead;

mod chunks;
mod head;

use chunks::Chunks;
use head::Next;

/// Bytes of a request's head.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// What hyper reads instead of a head that is none.
pub(crate) const INSTEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: wardkeep\r\nconnection: close\r\n\r\n";

/// Why a request cannot be read. The texts hold no byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the request is not plain HTTP/1.1: {}; send it through a client library", .0.why())]
    Head(InvalidHead),
    #[error("the request has more than {} headers; send fewer", head::FIELDS)]
    Many,
    #[error("where the request ends is unclear: {0}; send one content-length, or chunked alone")]
    Unclear(&'static str),
    #[error("the request must name its host once; send one host header")]
    Host,
    #[error(
        "this address is the LLM gateway and no proxy; ask for a path such as /v1/messages, and take it out of HTTP_PROXY"
    )]
    NoPath,
    #[error("the head of the request did not arrive in time; send it at once")]
    Slow,
    #[error(
        "all connections of the LLM gateway are in use; close some that are not needed, or raise `connections` in section \
         [llm] of agent.toml"
    )]
    Crowded,
    #[error("the body's chunks are none (RFC 9112 7.1); send it with a content-length")]
    Chunk,
}

/// What is known of the requests of one connection.
#[derive(Default)]
pub(crate) struct Witness {
    served: AtomicU64,
    /// Of them, those whose answer has ended.
    answered: AtomicU64,
    /// The beginning of a request has arrived, or its body has not ended.
    within: AtomicBool,
    /// What was written has not left yet.
    unsent: AtomicBool,
    /// Something was answered that had not arrived yet.
    unread: AtomicBool,
    /// The first request that could not be read, counted from 0; nothing was read after it.
    fault: OnceLock<(u64, Fault, Option<Dialect>)>,
}

/// One request that hyper has read.
#[derive(Clone)]
pub(crate) struct Numbered {
    witness: Arc<Witness>,
    number: u64,
}

impl Witness {
    /// The next request in order.
    pub(crate) fn next(self: &Arc<Self>) -> Numbered {
        Numbered { witness: Arc::clone(self), number: self.served.fetch_add(1, Ordering::Relaxed) }
    }

    /// How many requests were answered, if nothing is under way: not a byte of a request, and none of an answer.
    pub(crate) fn at_rest(&self) -> Option<u64> {
        let (served, answered) = (self.served.load(Ordering::Relaxed), self.answered.load(Ordering::Relaxed));
        let moves = self.within.load(Ordering::Relaxed) || self.unsent.load(Ordering::Relaxed);
        (served == answered && !moves).then_some(served)
    }

    /// Whether there may be more to read than anybody wants.
    pub(crate) fn left_unread(&self) -> bool {
        self.fault.get().is_some() || self.unread.load(Ordering::Relaxed)
    }
}

impl Numbered {
    /// Counts the request as answered when dropped.
    pub(crate) fn under_way(&self) -> UnderWay {
        UnderWay(Arc::clone(&self.witness))
    }

    /// The rest of this request is not waited for.
    pub(crate) fn leave_rest(&self) {
        self.witness.unread.store(true, Ordering::Relaxed);
    }

    /// Why this request is none; with what its caller seems to speak where its head is none.
    pub(crate) fn fault(&self) -> Option<(Fault, Option<Dialect>)> {
        let (number, fault, dialect) = *self.witness.fault.get()?;
        (number == self.number).then_some((fault, dialect))
    }
}

/// A request whose answer has not ended.
pub(crate) struct UnderWay(Arc<Witness>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection that gives strict requests only.
pub(crate) struct Strict<S> {
    io: S,
    state: State,
    /// The beginning of a head.
    held: BytesMut,
    /// Bytes of it that were searched for its end.
    searched: usize,
    /// What was held and may be read now.
    ready: Bytes,
    /// A head that has begun must end.
    patience: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
    heads: u64,
    /// What the first head is answered, whatever it asks.
    refusing: Option<Fault>,
    witness: Arc<Witness>,
}

enum State {
    Head,
    Sized(u64),
    Chunked(Chunks),
    /// Waiting for the end of the connection.
    Over,
    /// A body broke: hyper must not wait for the rest of it.
    Broken,
}

impl<S> Strict<S> {
    pub(crate) fn new(io: S, patience: Duration) -> Self {
        Self {
            io,
            state: State::Head,
            held: BytesMut::new(),
            searched: 0,
            ready: Bytes::new(),
            patience,
            alarm: None,
            heads: 0,
            refusing: None,
            witness: Arc::default(),
        }
    }

    /// Answers the first request with `fault`.
    pub(crate) fn refusing(io: S, patience: Duration, fault: Fault) -> Self {
        Self { refusing: Some(fault), ..Self::new(io, patience) }
    }

    pub(crate) fn into_inner(self) -> S {
        self.io
    }

    fn next(&self, bytes: &[u8], searched: usize) -> Result<Next, Fault> {
        match (head::next(bytes, searched)?, self.refusing) {
            (Next::Whole { .. }, Some(fault)) => Err(fault),
            (next, _) => Ok(next),
        }
    }

    /// What the connection's witness needs to know after each read.
    fn tell_position(&self) {
        let within = !self.held.is_empty() || !self.ready.is_empty() || !matches!(self.state, State::Head);
        self.witness.within.store(within, Ordering::Relaxed);
    }

    pub(crate) fn witness(&self) -> Arc<Witness> {
        Arc::clone(&self.witness)
    }

    /// How many of the next bytes may be read as they are. All others are kept, or are nothing any more.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            if rest.is_empty() {
                return at;
            }
            match &mut self.state {
                State::Head => match self.next(rest, 0) {
                    Ok(Next::Whole { length, body }) => {
                        self.heads += 1;
                        self.state = body.into();
                        at += length;
                    }
                    Ok(Next::Part) => {
                        self.held.extend_from_slice(head::without_line_ends(rest));
                        self.searched = self.held.len();
                        return at;
                    }
                    Err(fault) => {
                        self.refuse(fault, rest);
                        return at;
                    }
                },
                State::Sized(left) => {
                    let taken = usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                    *left -= taken as u64;
                    at += taken;
                    if *left == 0 {
                        self.state = State::Head;
                    }
                }
                State::Chunked(chunks) => {
                    let (taken, done) = chunks.pass(rest);
                    at += taken;
                    match done {
                        Ok(false) => {}
                        Ok(true) => self.state = State::Head,
                        Err(chunks::NoChunk) => {
                            self.tell(self.heads.saturating_sub(1), Fault::Chunk, None);
                            self.state = State::Broken;
                            return at;
                        }
                    }
                }
                State::Over | State::Broken => return at,
            }
        }
    }

    /// Reads on in a head of which a part is held; `bytes` are new.
    fn go_on(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        match self.next(&self.held, self.searched) {
            // A line end too many begins nothing that would have to go on.
            Ok(Next::Part) if head::without_line_ends(&self.held).is_empty() => {
                self.held.clear();
                self.searched = 0;
                self.alarm = None;
            }
            Ok(Next::Part) => self.searched = self.held.len(),
            Ok(Next::Whole { length, body }) => {
                self.heads += 1;
                self.state = body.into();
                self.alarm = None;
                self.searched = 0;
                let mut all = std::mem::take(&mut self.held);
                let more = self.pass(&all[length..]);
                all.truncate(length + more);
                // What `pass` refused behind this head is read after it.
                let instead = std::mem::take(&mut self.ready);
                all.extend_from_slice(&instead);
                self.ready = all.freeze();
            }
            Err(fault) => {
                let held = std::mem::take(&mut self.held);
                self.refuse(fault, &held);
            }
        }
    }

    fn refuse(&mut self, fault: Fault, head: &[u8]) {
        self.tell(self.heads, fault, Some(head::dialect(head)));
        self.alarm = None;
        self.held = BytesMut::new();
        self.state = State::Over;
        self.ready = Bytes::from_static(INSTEAD);
        self.tell_position();
    }

    fn tell(&self, number: u64, fault: Fault, dialect: Option<Dialect>) {
        // Only the first can be told: nothing is read after it.
        let _ = self.witness.fault.set((number, fault, dialect));
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.ready.is_empty() {
                let count = this.ready.len().min(buf.remaining());
                buf.put_slice(&this.ready[..count]);
                this.ready.advance(count);
                this.tell_position();
                return Poll::Ready(Ok(()));
            }
            match this.state {
                // The answer is on its way and closes the connection.
                State::Over => return Poll::Pending,
                State::Broken => return Poll::Ready(Ok(())),
                _ => {}
            }
            if let Some(alarm) = &mut this.alarm
                && alarm.as_mut().poll(cx).is_ready()
            {
                let held = std::mem::take(&mut this.held);
                this.refuse(Fault::Slow, &held);
                continue;
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
            let new = &buf.filled()[before..];
            if new.is_empty() {
                if this.held.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                let held = std::mem::take(&mut this.held);
                this.refuse(Fault::Head(InvalidHead::Cut), &held);
                continue;
            }
            let passed = if this.held.is_empty() {
                this.pass(new)
            } else {
                this.go_on(new);
                0
            };
            buf.set_filled(before + passed);
            this.tell_position();
            if !this.held.is_empty() && this.alarm.is_none() {
                this.alarm = Some(Box::pin(tokio::time::sleep(this.patience)));
            }
            if passed > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.witness.unsent.store(true, Ordering::Relaxed);
        Pin::new(&mut this.io).poll_write(cx, buf)
    }

    // Whoever wrote says by this that it was all.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.io).poll_flush(cx))?;
        this.witness.unsent.store(false, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.witness.unsent.store(true, Ordering::Relaxed);
        Pin::new(&mut this.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// Reads and forgets what a refused caller still sends, within bounds: a connection that is closed on unread bytes is reset,
/// and the caller would see that instead of the refusal.
pub(crate) async fn linger(io: &mut (impl AsyncRead + Unpin)) {
    const BYTES: usize = 64 * 1024 * 1024;
    const PATIENCE: Duration = Duration::from_secs(5);
    let all = async {
        let mut scratch = vec![0; 64 * 1024];
        let mut seen = 0;
        while seen < BYTES {
            match io.read(&mut scratch).await {
                Ok(0) | Err(_) => return,
                Ok(read) => seen += read,
            }
        }
    };
    // Whoever sends more, or slower, may be reset.
    let _ = tokio::time::timeout(PATIENCE, all).await;
}

#[cfg(test)]
mod fuzzed;
#[cfg(test)]
mod tests;
