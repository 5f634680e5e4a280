//! A chunked body: passed by, to know where it ends.

use crate::forward::wire::{CHUNK_LINE, TRAILER_BYTES, TRAILERS, chunk_size};

/// Something that is no chunk; where the body ends is not known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoChunk;

/// Where in a chunked body the reader is.
#[derive(Default)]
pub(super) struct Chunks {
    place: Place,
    /// The line that has begun.
    line: Vec<u8>,
    trailers: u32,
}

#[derive(Clone, Copy, Default)]
enum Place {
    /// In the line before a chunk.
    #[default]
    Size,
    Data(u64),
    /// In the line end behind a chunk.
    End,
    Trailer,
}

impl Chunks {
    /// Takes what comes next: how many bytes of it are good, and whether the body ended with them.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> (usize, Result<bool, NoChunk>) {
        let mut at = 0;
        while let rest = &bytes[at..]
            && !rest.is_empty()
        {
            if let Place::Data(left) = &mut self.place {
                let taken = usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                *left -= taken as u64;
                at += taken;
                if *left == 0 {
                    self.place = Place::End;
                }
                continue;
            }
            let most = match self.place {
                Place::Size => CHUNK_LINE,
                Place::Trailer => TRAILER_BYTES,
                Place::End | Place::Data(_) => 0,
            };
            let end = memchr::memchr(b'\n', rest);
            let piece = end.map_or(rest, |end| &rest[..=end]);
            if self.line.len() + piece.len() > most + 2 {
                return (at, Err(NoChunk));
            }
            self.line.extend_from_slice(piece);
            if end.is_some() {
                match self.end_line() {
                    Ok(false) => {}
                    Ok(true) => return (at + piece.len(), Ok(true)),
                    Err(NoChunk) => return (at, Err(NoChunk)),
                }
            }
            at += piece.len();
        }
        (at, Ok(false))
    }

    /// Whether that was the last line.
    fn end_line(&mut self) -> Result<bool, NoChunk> {
        let line = self.line.strip_suffix(b"\r\n").ok_or(NoChunk)?;
        if line.contains(&b'\r') {
            return Err(NoChunk);
        }
        self.place = match self.place {
            Place::Size => match chunk_size(line).map_err(|_| NoChunk)? {
                0 => Place::Trailer,
                size => Place::Data(size),
            },
            Place::End | Place::Data(_) => Place::Size,
            Place::Trailer if line.is_empty() => return Ok(true),
            Place::Trailer => {
                self.trailers += 1;
                if self.trailers > TRAILERS {
                    return Err(NoChunk);
                }
                Place::Trailer
            }
        };
        self.line.clear();
        Ok(false)
    }
}
