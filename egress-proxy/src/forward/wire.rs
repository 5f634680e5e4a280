//! HTTP/1.1 on a connection, read strictly: a message that two readers could frame differently is none.
//!
//! Own code, because the usual parsers repair what must be refused here (a length beside chunks, folded lines, bare line
//! ends) and hide that they did. Sources: RFC 9110, RFC 9112.

mod body;
mod head;

use std::io;
use std::sync::{Arc, LazyLock};

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memmem::Finder;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};

use super::pulse::Pulse;

pub(crate) use body::{
    Body, BrokenBody, CHUNK_LINE, Framing, TRAILER_BYTES, TRAILERS, Told, chunk_size, write_chunk, write_last_chunk,
};
pub(crate) use head::{AnswerHead, Field, Fields, InvalidHead, RequestHead, RequestLine, each_field, is_token};

/// Bytes of the head of a message.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// Bytes that are read at once; what a connection holds in each direction is a small multiple of it.
const PIECE: usize = 32 * 1024;

/// Where the first empty line is, which ends a head.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    // Made once: making it costs more than a short head.
    static END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));
    END.find(bytes)
}

/// Both directions of a byte stream.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Any connection.
pub(crate) type Stream = Box<dyn Io>;

/// The receiving end, with what has arrived and is not used yet.
pub(crate) struct Reader {
    io: ReadHalf<Stream>,
    buffer: BytesMut,
    pulse: Arc<Pulse>,
}

/// The sending end.
pub(crate) struct Writer {
    io: WriteHalf<Stream>,
    pulse: Arc<Pulse>,
}

/// Takes a connection apart.
pub(crate) fn split(stream: Stream, pulse: &Arc<Pulse>) -> (Reader, Writer) {
    let (reading, writing) = tokio::io::split(stream);
    let reader = Reader { io: reading, buffer: BytesMut::new(), pulse: Arc::clone(pulse) };
    (reader, Writer { io: writing, pulse: Arc::clone(pulse) })
}

/// Puts the two ends of one connection together again; what was read ahead is read first.
pub(crate) fn join(reader: Reader, writer: Writer) -> Stream {
    Box::new(Rewound { ahead: reader.buffer.freeze(), io: reader.io.unsplit(writer.io) })
}

impl Reader {
    /// Receives more; 0 is the end.
    pub(crate) async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(PIECE);
        let read = self.io.read_buf(&mut self.buffer).await?;
        self.pulse.beat();
        Ok(read)
    }

    /// What has arrived and is not used.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.buffer
    }

    /// Uses `count` bytes of it.
    pub(crate) fn take(&mut self, count: usize) -> Bytes {
        self.buffer.split_to(count).freeze()
    }

    /// The next bytes, whatever they are; `None` at the end.
    pub(crate) async fn piece(&mut self, most: usize) -> io::Result<Option<Bytes>> {
        if self.buffer.is_empty() && self.fill().await? == 0 {
            return Ok(None);
        }
        let count = self.buffer.len().min(most).min(2 * PIECE);
        Ok(Some(self.take(count)))
    }

    /// The head of the next message with the empty line; `None` when the other side left before it began one.
    pub(crate) async fn head(&mut self) -> Result<Option<Bytes>, InvalidHead> {
        let mut seen = 0;
        loop {
            // Some clients end a body with a line end more than they announced; RFC 9112 2.2.
            while self.buffer.starts_with(b"\r\n") {
                self.buffer.advance(2);
            }
            if let Some(end) = head_end(&self.buffer[seen..]) {
                let length = seen + end + 4;
                return if length > HEAD_BYTES { Err(InvalidHead::TooLarge) } else { Ok(Some(self.take(length))) };
            }
            // Nobody who has sent this goes on to the empty line: it is told at once.
            head::begun(&self.buffer, seen)?;
            if self.buffer.len() > HEAD_BYTES {
                return Err(InvalidHead::TooLarge);
            }
            seen = self.buffer.len().saturating_sub(3);
            match self.fill().await {
                Ok(0) if self.buffer.is_empty() => return Ok(None),
                Ok(0) | Err(_) => return Err(InvalidHead::Cut),
                Ok(_) => {}
            }
        }
    }

    /// A line of at most `most` bytes, without its end.
    async fn line(&mut self, most: usize) -> Result<Bytes, BrokenBody> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n") {
                if end > most {
                    return Err(BrokenBody::Chunk);
                }
                let line = self.take(end);
                self.buffer.advance(2);
                return Ok(line);
            }
            if self.buffer.len() > most + 1 || self.buffer.contains(&b'\n') {
                return Err(BrokenBody::Chunk);
            }
            if self.fill().await.map_err(|_| BrokenBody::Cut)? == 0 {
                return Err(BrokenBody::Cut);
            }
        }
    }

    /// Returns when the other side has left. What it sends until then is kept, within bounds.
    pub(crate) async fn left(&mut self) {
        while self.buffer.len() < PIECE {
            if !matches!(self.fill().await, Ok(1..)) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

impl Writer {
    /// Sends all of it, at once.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await?;
        self.io.flush().await?;
        self.pulse.beat();
        Ok(())
    }

    /// Says that nothing more comes.
    pub(crate) async fn end(&mut self) {
        // Whoever has left already does not mind.
        let _ = self.io.shutdown().await;
    }
}

/// A stream of which a piece was read already.
struct Rewound {
    ahead: Bytes,
    io: Stream,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return std::pin::Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let count = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead.split_to(count));
        std::task::Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
