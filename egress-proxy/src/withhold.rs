//! Keeps back the one event that the agent did not ask for.
//!
//! When `stream_options.include_usage` was our splice, `OpenAI` sends one more chunk, with an empty `choices`. Clients that
//! did not ask for it index `choices[0]` and fall over, so it is dropped. Only an unfinished event is ever held, which no
//! client could use yet.

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;
use serde::Deserialize;

use crate::sse::Parser;

/// Bytes of one unfinished event that are held; a longer one cannot be the usage and is let through.
const HELD_BYTES: usize = 64 * 1024;

#[derive(Default)]
pub(crate) struct Withhold {
    parser: Parser,
    held: BytesMut,
}

impl Withhold {
    /// Takes a piece, gives what may pass.
    pub(crate) fn push(&mut self, piece: &Bytes) -> Bytes {
        let mut out = BytesMut::with_capacity(self.held.len() + piece.len());
        let mut rest: &[u8] = piece;
        while !rest.is_empty() {
            let (used, ended) = self.parser.advance(rest);
            self.held.extend_from_slice(&rest[..used]);
            rest = &rest[used..];
            if ended {
                if !self.parser.data().is_some_and(is_extra) {
                    out.extend_from_slice(&self.held);
                }
                self.held.clear();
            } else if self.held.len() > HELD_BYTES {
                out.extend_from_slice(&self.held);
                self.held.clear();
            }
        }
        out.freeze()
    }

    /// What was held when the stream ended.
    pub(crate) fn finish(&mut self) -> Bytes {
        self.held.split().freeze()
    }
}

fn is_extra(data: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Chunk {
        choices: Vec<serde::de::IgnoredAny>,
        usage: Option<serde::de::IgnoredAny>,
    }
    // Nearly every chunk has a choice: the parse is for those that may not.
    static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"usage\""));
    USAGE.find(data).is_some()
        && serde_json::from_slice::<Chunk>(data).is_ok_and(|chunk| chunk.choices.is_empty() && chunk.usage.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}],\"usage\":null}\r\n\r\n: ping\n\n\
        data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n\
        data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\ndata: cut";

    #[test]
    fn only_the_extra_chunk_is_dropped_however_it_is_cut() {
        let want =
            STREAM.replace("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n", "");
        for cut in 0..=STREAM.len() {
            let mut withhold = Withhold::default();
            let mut out = Vec::new();
            for piece in [&STREAM[..cut], &STREAM[cut..]] {
                out.extend_from_slice(&withhold.push(&Bytes::copy_from_slice(piece.as_bytes())));
            }
            out.extend_from_slice(&withhold.finish());
            assert_eq!(String::from_utf8(out).unwrap(), want, "cut at {cut}");
        }
    }

    #[test]
    fn a_long_event_is_not_held() {
        let mut withhold = Withhold::default();
        let long = Bytes::from(vec![b'x'; HELD_BYTES + 1]);
        assert_eq!(withhold.push(&long).len(), long.len());
    }
}
