//! The body of a provider's answer, read from its connection by whoever passes it on.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use super::line::Line;
use super::pool::Home;
use crate::forward::wire::{BrokenBody, CHUNK_LINE, Framing, TRAILER_BYTES, TRAILERS, chunk_size};

/// The answer broke off, or its framing is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider's answer broke off")]
pub(crate) struct Broken;

impl From<BrokenBody> for Broken {
    fn from(_: BrokenBody) -> Self {
        Self
    }
}

/// A body on its way in. Its connection serves others once all of it was read, and is closed if it is dropped before.
pub(crate) struct Inflow {
    /// Until the body ends, and where it may go then.
    line: Option<(Box<Line>, Option<Home>)>,
    rest: Rest,
    is_sized: bool,
}

/// What is still to come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Bytes(u64),
    /// The line before a chunk.
    ChunkLine,
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    /// Lines behind the last chunk; so many so far.
    Trailers(u32),
    ToEnd,
    Nothing,
    /// What follows is no framing.
    Broken,
}

impl Inflow {
    pub(super) fn new(line: Box<Line>, framing: Framing, home: Option<Home>) -> Self {
        let rest = match framing {
            Framing::Empty | Framing::Length(0) => Rest::Nothing,
            Framing::Length(length) => Rest::Bytes(length),
            Framing::Chunked => Rest::ChunkLine,
            Framing::ToEnd => Rest::ToEnd,
        };
        let is_sized = matches!(framing, Framing::Empty | Framing::Length(_));
        let mut this = Self { line: Some((line, home)), rest, is_sized };
        this.part();
        this
    }

    /// Parts with the connection once nothing more is to come on it.
    fn part(&mut self) {
        if self.rest == Rest::Nothing
            && let Some((line, Some(home))) = self.line.take()
        {
            home.take(line);
        }
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Broken>> {
        loop {
            let Some((line, _)) = &mut self.line else { return Poll::Ready(Ok(None)) };
            let may_read_on = line.fill(cx);
            let piece = self.rest.take(&mut line.ahead);
            let ended = line.ended();
            if self.rest == Rest::ToEnd && ended == Some(true) && line.ahead.is_empty() {
                self.rest = Rest::Nothing;
            }
            self.part();
            match (piece, ended) {
                (Some(piece), _) => return Poll::Ready(Ok(Some(piece))),
                _ if self.rest == Rest::Nothing => return Poll::Ready(Ok(None)),
                _ if self.rest == Rest::Broken => return Poll::Ready(Err(Broken)),
                (None, Some(_)) => return Poll::Ready(Err(Broken)),
                (None, None) if !may_read_on => return Poll::Pending,
                (None, None) => {}
            }
        }
    }
}

impl Body for Inflow {
    type Data = Bytes;
    type Error = Broken;

    /// All that has arrived, in one piece: each one costs whoever passes it on a turn and a write.
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let piece = std::task::ready!(this.advance(cx));
        if piece.is_err() {
            this.line = None;
        }
        Poll::Ready(piece.transpose().map(|piece| piece.map(Frame::data)))
    }

    /// Known beforehand only where the length was announced.
    fn is_end_stream(&self) -> bool {
        self.is_sized && self.rest == Rest::Nothing
    }

    fn size_hint(&self) -> SizeHint {
        match self.rest {
            Rest::Bytes(left) => SizeHint::with_exact(left),
            Rest::Nothing if self.is_sized => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}

impl Rest {
    /// Takes what there is of the body out of `ahead`; chunks are put together.
    fn take(&mut self, ahead: &mut BytesMut) -> Option<Bytes> {
        let mut pieces = Pieces::default();
        while !ahead.is_empty() {
            match self.step(ahead, &mut pieces) {
                Ok(Some(next)) => *self = next,
                Ok(None) => break,
                Err(Broken) => *self = Self::Broken,
            }
        }
        pieces.join()
    }

    /// What follows; nothing where more has to arrive first.
    fn step(self, ahead: &mut BytesMut, pieces: &mut Pieces) -> Result<Option<Self>, Broken> {
        Ok(Some(match self {
            Self::Nothing | Self::Broken => return Ok(None),
            Self::ToEnd => {
                pieces.some(ahead, u64::MAX);
                self
            }
            Self::Bytes(left) => match pieces.some(ahead, left) {
                0 => Self::Nothing,
                left => Self::Bytes(left),
            },
            Self::Chunk(left) => match pieces.some(ahead, left) {
                0 => Self::ChunkEnd,
                left => Self::Chunk(left),
            },
            Self::ChunkEnd => {
                let Some(end) = line(ahead, 0)? else { return Ok(None) };
                ahead.advance(end + 2);
                Self::ChunkLine
            }
            Self::ChunkLine => {
                let Some(end) = line(ahead, CHUNK_LINE)? else { return Ok(None) };
                let size = chunk_size(&ahead[..end])?;
                ahead.advance(end + 2);
                if size == 0 { Self::Trailers(0) } else { Self::Chunk(size) }
            }
            Self::Trailers(count) => {
                let Some(end) = line(ahead, TRAILER_BYTES)? else { return Ok(None) };
                ahead.advance(end + 2);
                match end {
                    0 => Self::Nothing,
                    _ if count == TRAILERS => return Err(Broken),
                    _ => Self::Trailers(count + 1),
                }
            }
        }))
    }
}

/// Where the line ends with which `ahead` begins, if it is there; at most `most` bytes.
fn line(ahead: &[u8], most: usize) -> Result<Option<usize>, Broken> {
    let Some(end) = memchr::memchr(b'\n', &ahead[..ahead.len().min(most + 2)]) else {
        return if ahead.len() > most + 1 { Err(Broken) } else { Ok(None) };
    };
    match ahead[..end].split_last() {
        Some((b'\r', text)) => Ok(Some(text.len())),
        _ => Err(Broken),
    }
}

/// One piece is not copied.
#[derive(Default)]
struct Pieces {
    first: Option<BytesMut>,
    all: BytesMut,
}

impl Pieces {
    /// Takes at most `left` bytes; gives how many are missing.
    fn some(&mut self, ahead: &mut BytesMut, left: u64) -> u64 {
        let count = usize::try_from(left).map_or(ahead.len(), |left| left.min(ahead.len()));
        match self.first.take() {
            None if self.all.is_empty() => self.first = Some(ahead.split_to(count)),
            first => {
                if let Some(first) = first {
                    // All that is there fits, with what stands between the pieces.
                    self.all.reserve(first.len() + ahead.len());
                    self.all.extend_from_slice(&first);
                }
                self.all.extend_from_slice(&ahead[..count]);
                ahead.advance(count);
            }
        }
        left - count as u64
    }

    fn join(self) -> Option<Bytes> {
        let all = self.first.unwrap_or(self.all);
        (!all.is_empty()).then(|| all.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"5\r\nhello\r\n1;x=y\r\n \r\n5\r\nworld\r\n0\r\nx-trailer: 1\r\n\r\n";

    /// What comes of `raw`, cut where `cuts` says; what follows, and how many bytes are left.
    fn read(mut rest: Rest, raw: &[u8], cuts: &[usize]) -> (String, Rest, usize) {
        let (mut ahead, mut out, mut from) = (BytesMut::new(), Vec::new(), 0);
        for to in cuts.iter().copied().chain([raw.len()]) {
            ahead.extend_from_slice(&raw[from..to]);
            from = to;
            out.extend(rest.take(&mut ahead).unwrap_or_default());
        }
        (String::from_utf8(out).unwrap(), rest, ahead.len())
    }

    #[test]
    fn chunks_are_put_together_however_they_are_cut() {
        let want = ("hello world".to_owned(), Rest::Nothing, 0);
        for first in 0..CHUNKED.len() {
            for second in first..CHUNKED.len() {
                assert_eq!(read(Rest::ChunkLine, CHUNKED, &[first, second]), want, "{first} {second}");
            }
        }
        let mut one = BytesMut::from(CHUNKED);
        assert_eq!(Rest::ChunkLine.take(&mut one).unwrap(), "hello world", "in one piece");
    }

    #[test]
    fn nothing_behind_a_body_is_taken() {
        let more = [CHUNKED, b"HTTP/1.1"].concat();
        assert_eq!(read(Rest::ChunkLine, &more, &[]), ("hello world".to_owned(), Rest::Nothing, 8));
        assert_eq!(read(Rest::Bytes(3), b"abcd", &[]), ("abc".to_owned(), Rest::Nothing, 1));
        assert_eq!(read(Rest::Bytes(5), b"abcd", &[2]), ("abcd".to_owned(), Rest::Bytes(1), 0));
        assert_eq!(read(Rest::ToEnd, b"abcd", &[2]), ("abcd".to_owned(), Rest::ToEnd, 0));
    }

    #[test]
    fn what_is_no_chunk_breaks_the_body() {
        for bad in [
            "x\r\n",
            "\r\n",
            "5\nhello\r\n",
            "5\r\nhello!\r\n",
            "5\r\nhello\n",
            "+5\r\nhello\r\n",
            "5 5\r\n",
            "1000000000000000\r\n",
            "0\r\nx\n\r\n",
        ] {
            let raw = ["1\r\na\r\n", bad].concat();
            let (before, rest, _) = read(Rest::ChunkLine, raw.as_bytes(), &[]);
            assert!(before.starts_with('a') && rest == Rest::Broken, "{bad:?}: {before} {rest:?}");
        }
        let long = format!("5;{}", "x".repeat(CHUNK_LINE));
        assert_eq!(read(Rest::ChunkLine, long.as_bytes(), &[]).1, Rest::Broken);
        let many = format!("0\r\n{}\r\n", "a: b\r\n".repeat(TRAILERS as usize + 1));
        assert_eq!(read(Rest::ChunkLine, many.as_bytes(), &[]).1, Rest::Broken);
    }
}
