//! Redaction of bytes that come in pieces.

use std::fmt;

use zeroize::Zeroize as _;

use crate::cursor::BEHIND;
use crate::engine::{Engine, Finding, Scan, Splice};
use crate::hits::{self, Hit};
use crate::sse::Events;

/// Bytes already given out that are kept before the buffer is moved.
const SLACK: usize = 4096;

/// One stream in progress. Bytes come out as soon as nothing that follows can change them.
///
/// The output is the same for every way of cutting the input, and the same as for the whole: the searches see each byte
/// once, and a byte is given out only when no match that could contain it is still open.
pub struct Stream {
    engine: Engine,
    scan: Scan,
    events: Events,
    /// Input from offset `base` on.
    text: Vec<u8>,
    base: usize,
    hits: Vec<Hit>,
    splice: Splice,
}

impl Stream {
    pub(crate) fn new(engine: Engine) -> Self {
        let scan = Scan::new(&engine);
        Self {
            engine,
            scan,
            events: Events::new(),
            text: Vec::new(),
            base: 0,
            hits: Vec::new(),
            splice: Splice::default(),
        }
    }

    /// Takes the next piece; returns what may go out now.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.push_into(piece, &mut out);
        out
    }

    /// As [`Stream::push`], into a buffer of the caller.
    pub fn push_into(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.text.extend_from_slice(piece);
        self.scan.push(&self.engine, &self.text, self.base, false, &mut self.hits);
        self.events.push(&self.engine, &self.text, self.base, false, &mut self.hits);
        let live = self.scan.live(&self.engine).min(self.events.live(self.base + self.text.len()));
        self.give_out(live, out);
        let keep = self.splice.done().saturating_sub(BEHIND).min(self.scan.keep()).saturating_sub(self.base);
        if keep > SLACK {
            self.text.drain(..keep);
            self.base += keep;
        }
    }

    /// The input has ended: returns the rest. An aborted stream must be dropped instead, never finished.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.finish_into(&mut out);
        out
    }

    /// As [`Stream::finish`], into a buffer of the caller, who can still take the last findings. Nothing may be pushed
    /// after it.
    pub fn finish_into(&mut self, out: &mut Vec<u8>) {
        self.scan.push(&self.engine, &self.text, self.base, true, &mut self.hits);
        self.events.push(&self.engine, &self.text, self.base, true, &mut self.hits);
        let end = self.base + self.text.len();
        self.give_out(end, out);
    }

    /// Bytes taken and not yet given out.
    #[must_use]
    pub fn held_back(&self) -> usize {
        self.base + self.text.len() - self.splice.done()
    }

    /// What was replaced since the last call; offsets count from the start of the stream.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.splice.findings)
    }

    /// Gives out what lies before `live` and in no match that reaches beyond it.
    fn give_out(&mut self, live: usize, out: &mut Vec<u8>) {
        if self.hits.is_empty() {
            if live > self.splice.done() {
                self.splice.write(&self.engine, &self.text, self.base, live, Vec::new(), out);
            }
            return;
        }
        let mut merged = self.hits.clone();
        hits::merge(&mut merged);
        let open = merged.iter().find(|hit| hit.end > live).map_or(live, |hit| hit.start.min(live));
        merged.retain(|hit| hit.end <= open);
        // Unmerged, because a later hit must meet the same set as in the whole text.
        self.hits.retain(|hit| hit.end > open);
        self.splice.write(&self.engine, &self.text, self.base, open, merged, out);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(..)")
    }
}
