//! One connection to a provider, HTTP/1.1: a request goes out, the head of its answer comes in.
//!
//! Own code on the wire that the forward proxy reads strictly, too: the connection is read by the task that passes the answer
//! on, which costs no other task a turn for each piece, and all that waits is given on at once.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

use crate::forward::wire::{Framing, HEAD_BYTES, InvalidHead, Told, each_field, head_end};
use crate::sheaf::Sheaf;

/// Bytes that are read at once.
const READ: usize = 16 * 1024;
/// Pieces of a request that are written at once.
const PIECES: usize = 8;
/// Headers of an answer.
const FIELDS: usize = 128;
/// Bytes of a request's head beside its path, its host, its fields and its length: the method, HTTP/1.1, a port, names.
const WORDS: usize = 64;
/// Answers that may come before the answer itself (RFC 9110 15.2); who sends more never comes to it.
const BEFORE: usize = 16;

/// The byte stream below.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TokioIo<TokioIo<TcpStream>>>>),
}

/// A connection.
pub(super) struct Line {
    io: Stream,
    /// What arrived and is not used.
    pub(super) ahead: BytesMut,
    /// What is still to be sent of a request.
    head: Zeroizing<Vec<u8>>,
    sent: usize,
    body: Sheaf,
    is_sent: bool,
    /// It cannot be written any more.
    deaf: bool,
    /// It cannot be read any more; whether it was closed in order.
    ended: Option<bool>,
}

/// The head of an answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    pub(super) keeps_alive: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Nothing of the request has left.
    #[error("the connection was closed before the request was sent")]
    Unsent,
    #[error("the connection ended before the answer began")]
    Ended,
    #[error("its head cannot be read: {0}")]
    Head(#[from] InvalidHead),
    #[error("its framing is unclear: {0}")]
    Unclear(&'static str),
    #[error("more than {BEFORE} others come before it")]
    Before,
}

/// The head of a request with a body of `length` bytes, as it goes out.
pub(super) fn head(request: &Request<Sheaf>) -> Zeroizing<Vec<u8>> {
    let (uri, headers, length) = (request.uri(), request.headers(), request.body().len().to_string());
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let fields: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let host = uri.host().unwrap_or_default();
    // Room for all of it, so that nothing is left behind where it was before; and for little more, since all of it is wiped.
    let mut head = Zeroizing::new(Vec::with_capacity(path.len() + fields + host.len() + length.len() + WORDS));
    for piece in [request.method().as_str(), " ", path, " HTTP/1.1\r\n"] {
        head.extend_from_slice(piece.as_bytes());
    }
    if !headers.contains_key(header::HOST) {
        for piece in ["host: ", host] {
            head.extend_from_slice(piece.as_bytes());
        }
        if let Some(port) = unusual_port(uri) {
            head.push(b':');
            head.extend_from_slice(port.as_bytes());
        }
        head.extend_from_slice(b"\r\n");
    }
    for (name, value) in headers {
        // Where the body ends is said here alone.
        if name != header::CONTENT_LENGTH && name != header::TRANSFER_ENCODING {
            for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                head.extend_from_slice(piece);
            }
        }
    }
    for piece in ["content-length: ", &length, "\r\n\r\n"] {
        head.extend_from_slice(piece.as_bytes());
    }
    head
}

/// The port, where the scheme does not say it.
fn unusual_port(uri: &Uri) -> Option<String> {
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    uri.port_u16().filter(|port| *port != usual).map(|port| port.to_string())
}

impl Line {
    pub(super) fn new(io: Stream) -> Self {
        Self {
            io,
            ahead: BytesMut::new(),
            head: Zeroizing::default(),
            sent: 0,
            body: Sheaf::default(),
            is_sent: true,
            deaf: false,
            ended: None,
        }
    }

    /// Sends a request and waits for the head of its answer, both at the same time: a provider may refuse what it has not read.
    pub(super) async fn ask(&mut self, head: Zeroizing<Vec<u8>>, body: Sheaf) -> Result<Answer, NoAnswer> {
        (self.head, self.sent, self.body, self.is_sent) = (head, 0, body, false);
        let (mut seen, mut before) = (0, 0);
        std::future::poll_fn(|cx| {
            self.go_on(cx);
            if self.deaf && self.sent == 0 {
                return Poll::Ready(Err(NoAnswer::Unsent));
            }
            loop {
                while let Some(length) = self.next_head(&mut seen)? {
                    let head = self.ahead.split_to(length).freeze();
                    seen = 0;
                    if let Some(answer) = parse(&head)? {
                        return Poll::Ready(Ok(answer));
                    }
                    before += 1;
                    if before > BEFORE {
                        return Poll::Ready(Err(NoAnswer::Before));
                    }
                }
                match ready!(self.poll_read(cx)) {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return Poll::Ready(Err(NoAnswer::Ended)),
                }
            }
        })
        .await
    }

    /// Where the head ends with which `ahead` begins, if it is all there.
    fn next_head(&self, seen: &mut usize) -> Result<Option<usize>, InvalidHead> {
        let (from, searched) = (seen.saturating_sub(3), seen.saturating_sub(1));
        let end = head_end(&self.ahead[from..]).map(|end| from + end + 4);
        *seen = self.ahead.len();
        if end.unwrap_or(self.ahead.len()) > HEAD_BYTES {
            return Err(InvalidHead::TooLarge);
        }
        // Its end would be waited for in vain.
        if end.is_none() && memchr::memmem::find(&self.ahead[searched..], b"\n\n").is_some() {
            return Err(InvalidHead::LineEnd);
        }
        Ok(end)
    }

    /// Sends on what is not sent yet. What cannot be sent is seen by whoever reads.
    pub(super) fn go_on(&mut self, cx: &mut Context<'_>) {
        if !self.deaf
            && !self.is_sent
            && let Poll::Ready(Err(_)) = self.poll_send(cx)
        {
            self.deaf = true;
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.head.len() || self.body.has_remaining() {
            let head = &self.head[self.sent..];
            let mut pieces = [io::IoSlice::new(head); PIECES];
            let end = 1 + self.body.chunks_vectored(&mut pieces[1..]);
            let pieces = &pieces[usize::from(head.is_empty())..end];
            let count = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, pieces))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_head = count.min(head.len());
            self.sent += of_head;
            self.body.advance(count - of_head);
        }
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.is_sent = true;
        // It held the provider's key.
        self.head = Zeroizing::default();
        // Even an empty rest keeps the whole body in memory, for as long as the connection lives.
        self.body = Sheaf::default();
        Poll::Ready(Ok(()))
    }

    /// Reads what there is, up to a piece of a body; `false` when more will be told of.
    pub(super) fn fill(&mut self, cx: &mut Context<'_>) -> bool {
        self.go_on(cx);
        while self.ended.is_none() && self.ahead.len() < READ {
            match self.poll_read(cx) {
                Poll::Pending => return false,
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(end) => self.ended = Some(end.is_ok()),
            }
        }
        true
    }

    /// Whether it was closed in order, once nothing more can be read.
    pub(super) fn ended(&self) -> Option<bool> {
        self.ended
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.ahead.capacity() - self.ahead.len() < READ / 4 {
            self.ahead.reserve(READ);
        }
        std::pin::pin!(self.io.read_buf(&mut self.ahead)).poll(cx)
    }

    /// Whether another request can go out: the last one is over, and the provider neither left nor speaks unasked.
    pub(super) fn is_idle(&mut self) -> bool {
        let quiet = self.is_sent && !self.deaf && self.ended.is_none() && self.ahead.is_empty();
        if !quiet {
            return false;
        }
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        Pin::new(&mut self.io).poll_read(&mut nobody, &mut byte).is_pending()
    }
}

/// The head of an answer; `None` is one of those that come before it.
fn parse(head: &Bytes) -> Result<Option<Answer>, NoAnswer> {
    // Without the first line and the empty one; with what we say of the answer ourselves.
    let fields = memchr::memchr_iter(b'\n', head).count().min(FIELDS) + 2;
    let (mut headers, mut told, mut closes) = (HeaderMap::with_capacity(fields), Told::default(), false);
    let first = each_field(head, |name, value| {
        told.see(name, value);
        let name = HeaderName::from_bytes(name).map_err(|_| InvalidHead::Name)?;
        if name == header::CONNECTION {
            closes |= value.split(|byte| *byte == b',').any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"));
        }
        let value = HeaderValue::from_maybe_shared(head.slice_ref(value)).map_err(|_| InvalidHead::Value)?;
        if headers.len() == FIELDS {
            return Err(InvalidHead::Many);
        }
        headers.append(name, value);
        Ok(())
    })?;
    let is_1_1 = match first.get(..9) {
        Some(b"HTTP/1.1 ") => true,
        Some(b"HTTP/1.0 ") => false,
        _ => return Err(InvalidHead::FirstLine.into()),
    };
    let code = match first.get(9..).and_then(<[u8]>::split_first_chunk::<3>) {
        Some((code, [] | [b' ', ..])) => code,
        _ => return Err(InvalidHead::FirstLine.into()),
    };
    let status = StatusCode::from_bytes(code).map_err(|_| InvalidHead::FirstLine)?;
    let announced = told.framing().map_err(NoAnswer::Unclear)?;
    // Where no body may be, one that is announced could be read as the next answer.
    let has_more = !matches!(announced, None | Some(Framing::Length(0)));
    let framing = match status.as_u16() {
        101 | 204 | 304 => Framing::Empty,
        100..200 if has_more => return Err(NoAnswer::Unclear("a body is announced where none can be")),
        100..200 => return Ok(None),
        _ => announced.unwrap_or(Framing::ToEnd),
    };
    if framing == Framing::Empty {
        // Nor may the agent wait for it.
        headers.remove(header::CONTENT_LENGTH);
    }
    // After a change of the protocol nobody asked for, it is no HTTP any more.
    let keeps_alive = is_1_1
        && !closes
        && framing != Framing::ToEnd
        && status != StatusCode::SWITCHING_PROTOCOLS
        && !(framing == Framing::Empty && has_more);
    Ok(Some(Answer { status, headers, framing, keeps_alive }))
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write_vectored(cx, bufs),
            Self::Tls(io) => Pin::new(io).poll_write_vectored(cx, bufs),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_flush(cx),
            Self::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
