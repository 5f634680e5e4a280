//! Bodies: where they end, and their bytes.

use std::io;

use bytes::Bytes;

use super::head::{AnswerHead, Fields, RequestHead};
use super::{Reader, Writer};

/// Bytes of the line before a chunk, extensions included.
pub(crate) const CHUNK_LINE: usize = 256;
/// Lines behind the last chunk, and bytes of one.
pub(crate) const TRAILERS: u32 = 64;
pub(crate) const TRAILER_BYTES: usize = 8 * 1024;

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Empty,
    Length(u64),
    Chunked,
    /// With the connection; answers only.
    ToEnd,
}

/// The body ended early or is not framed as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BrokenBody {
    Cut,
    Chunk,
}

impl Framing {
    /// Of a request.
    ///
    /// # Errors
    /// What makes it unclear, in words.
    pub(crate) fn of_request(head: &RequestHead) -> Result<Self, &'static str> {
        match announced(&head.fields)? {
            Some(Self::Chunked) if !head.is_1_1 => Err("HTTP/1.0 knows no transfer-encoding"),
            Some(framing) => Ok(framing),
            None => Ok(Self::Empty),
        }
    }

    /// Of the answer to a request with `method`.
    ///
    /// # Errors
    /// What makes it unclear, in words.
    pub(crate) fn of_answer(head: &AnswerHead, method: &str) -> Result<Self, &'static str> {
        let announced = announced(&head.fields)?;
        if method == "HEAD" || matches!(head.status, 100..200 | 204 | 304) {
            return Ok(Self::Empty);
        }
        Ok(announced.unwrap_or(Self::ToEnd))
    }
}

fn announced(fields: &Fields) -> Result<Option<Framing>, &'static str> {
    let mut told = Told::default();
    for field in &fields.0 {
        told.see(field.name.as_bytes(), &field.value);
    }
    told.framing()
}

/// What the headers of a message say of where it ends.
#[derive(Clone, Copy, Default)]
pub(crate) struct Told<'a> {
    codings: usize,
    lengths: usize,
    coding: &'a [u8],
    length: &'a [u8],
}

impl<'a> Told<'a> {
    pub(crate) fn see(&mut self, name: &[u8], value: &'a [u8]) {
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.codings += 1;
            self.coding = value;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths += 1;
            self.length = value;
        }
    }

    /// Where the body ends, if that is said; what makes it unclear, in words.
    pub(crate) fn framing(&self) -> Result<Option<Framing>, &'static str> {
        match (self.codings, self.lengths) {
            (0, 0) => Ok(None),
            (0, 1) => {
                let digits = (1..=18).contains(&self.length.len()) && self.length.iter().all(u8::is_ascii_digit);
                let length =
                    std::str::from_utf8(self.length).ok().filter(|_| digits).and_then(|text| text.parse().ok());
                length.map(|length| Some(Framing::Length(length))).ok_or("content-length is not one number")
            }
            (1, 0) if self.coding.eq_ignore_ascii_case(b"chunked") => Ok(Some(Framing::Chunked)),
            (1.., 1..) => Err("it has both content-length and transfer-encoding"),
            (0, 2..) => Err("it has content-length twice"),
            _ => Err("its transfer-encoding is not chunked alone"),
        }
    }
}

/// A body under way.
pub(crate) struct Body {
    state: State,
    trailers: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Left(u64),
    /// Before the line of the next chunk.
    BetweenChunks,
    InChunk(u64),
    /// Before the line end that closes a chunk.
    AfterChunk,
    Trailers,
    ToEnd,
    Done,
}

impl Body {
    pub(crate) fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Empty | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Left(length),
            Framing::Chunked => State::BetweenChunks,
            Framing::ToEnd => State::ToEnd,
        };
        Self { state, trailers: 0 }
    }

    /// Whether all of it has been read.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The next bytes of it; `None` at its end. Trailers are dropped. Nothing is lost when it is not waited for.
    pub(crate) async fn piece(&mut self, reader: &mut Reader) -> Result<Option<Bytes>, BrokenBody> {
        loop {
            match self.state {
                State::Done => return Ok(None),
                State::ToEnd => {
                    let piece = reader.piece(usize::MAX).await.map_err(|_| BrokenBody::Cut)?;
                    if piece.is_none() {
                        self.state = State::Done;
                    }
                    return Ok(piece);
                }
                State::Left(left) => {
                    let piece = some(reader, left).await?;
                    let left = left - piece.len() as u64;
                    self.state = if left == 0 { State::Done } else { State::Left(left) };
                    return Ok(Some(piece));
                }
                State::InChunk(left) => {
                    let piece = some(reader, left).await?;
                    let left = left - piece.len() as u64;
                    self.state = if left == 0 { State::AfterChunk } else { State::InChunk(left) };
                    return Ok(Some(piece));
                }
                State::AfterChunk => {
                    if !reader.line(0).await?.is_empty() {
                        return Err(BrokenBody::Chunk);
                    }
                    self.state = State::BetweenChunks;
                }
                State::BetweenChunks => {
                    self.state = match chunk_size(&reader.line(CHUNK_LINE).await?)? {
                        0 => State::Trailers,
                        size => State::InChunk(size),
                    };
                }
                State::Trailers => {
                    self.trailers += 1;
                    if self.trailers > TRAILERS {
                        return Err(BrokenBody::Chunk);
                    }
                    if reader.line(TRAILER_BYTES).await?.is_empty() {
                        self.state = State::Done;
                    }
                }
            }
        }
    }
}

async fn some(reader: &mut Reader, most: u64) -> Result<Bytes, BrokenBody> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    reader.piece(most).await.map_err(|_| BrokenBody::Cut)?.ok_or(BrokenBody::Cut)
}

/// Extensions are passed over; they may hold no bare line end, which another reader could take for one.
pub(crate) fn chunk_size(line: &[u8]) -> Result<u64, BrokenBody> {
    // Nearly every line: digits alone.
    let digit = |sum: u64, byte: &u8| Some(sum * 16 + u64::from(char::from(*byte).to_digit(16)?));
    if (1..=8).contains(&line.len())
        && let Some(size) = line.iter().try_fold(0, digit)
    {
        return Ok(size);
    }
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let clean = line.iter().all(|byte| super::head::is_text(*byte));
    if !clean || digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(BrokenBody::Chunk);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| BrokenBody::Chunk)?;
    u64::from_str_radix(digits, 16).map_err(|_| BrokenBody::Chunk)
}

/// Sends one chunk; nothing for no bytes, which would be the end.
pub(crate) async fn write_chunk(writer: &mut Writer, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut chunk = zeroize::Zeroizing::new(Vec::with_capacity(bytes.len() + 24));
    chunk.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    writer.send(&chunk).await
}

/// Ends a chunked body.
pub(crate) async fn write_last_chunk(writer: &mut Writer) -> io::Result<()> {
    writer.send(b"0\r\n\r\n").await
}
