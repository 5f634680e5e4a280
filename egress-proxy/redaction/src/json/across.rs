//! Texts that a reader reads one after the other, searched as one: a value may begin in one and end in the next.

use super::{Token, text};
use crate::engine::{Engine, Scan};
use crate::hits::{self, Hit, What};
use crate::search::across::AHEAD;

/// Bytes of a text in which most of what began before it is decided; with a dump before it, more. A shorter text may lie in
/// the middle of a value.
const LEAD: usize = 96;
const LONG_LEAD: usize = 320;

/// One of the texts, which has been searched by itself.
#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) token: Token,
    /// Where in the document its end begins that must be known to search on behind it.
    pub(super) tail: usize,
}

/// Texts in a row. Only the ends of long ones are looked at again, as far as something is undecided there.
#[derive(Clone, Default)]
pub(super) struct Row {
    pub(super) joined: Vec<u8>,
    /// Where the pieces begin in the document, and where they end in `joined`.
    pieces: Vec<(usize, usize)>,
    /// Texts that were looked at.
    done: usize,
}

impl Row {
    /// Puts vault values that stand across two texts of the document, or more, into `found`, in bytes of the document.
    /// The first text keeps the placeholder, the others lose their part.
    pub(super) fn search(
        &mut self,
        engine: &Engine,
        scan: &mut Scan,
        document: &[u8],
        texts: &[Text],
        found: &mut Vec<Hit>,
    ) {
        self.advance(engine, scan, document, texts, found);
        self.done = 0;
        let Some((last, [_, ..])) = texts.split_last() else { return };
        if self.lead(engine, scan, document, last.token, found) {
            let (hits, _) = scan.vault_values(engine, &self.joined, true);
            self.flush(document, hits, found);
        }
    }

    /// The part of [`Row::search`] that needs no text after these. To be called again with more of them, or not at all.
    pub(super) fn advance(
        &mut self,
        engine: &Engine,
        scan: &mut Scan,
        document: &[u8],
        texts: &[Text],
        found: &mut Vec<Hit>,
    ) {
        let Some((_, before)) = texts.split_last() else { return };
        for &Text { token, tail } in before.get(self.done..).unwrap_or(&[]) {
            let raw = token.raw(document);
            let waits = if raw.len() <= LEAD {
                !self.joined.is_empty() && !self.part(engine, raw)
            } else {
                self.lead(engine, scan, document, token, found)
            };
            if waits && raw.len() <= LEAD {
                self.push(token.start, raw);
            } else if !waits && tail < token.end {
                self.push(tail, &document[tail..token.end]);
            }
        }
        self.done = before.len().max(self.done);
    }

    fn push(&mut self, start: usize, raw: &[u8]) {
        text::decode_into(raw, &mut self.joined);
        self.pieces.push((start, self.joined.len()));
    }

    /// Forgets the end of one text if nothing stands across it and the next. Whether it did.
    fn part(&mut self, engine: &Engine, raw: &[u8]) -> bool {
        let seam = self.joined.len();
        if self.pieces.len() != 1 || seam > LEAD {
            return false;
        }
        let end = if raw.len() <= AHEAD { raw.len() } else { text::boundary(raw, AHEAD) };
        text::decode_into(&raw[..end], &mut self.joined);
        let parted = engine.is_nothing_across(&self.joined, seam);
        self.joined.truncate(if parted { 0 } else { seam });
        if parted {
            self.pieces.clear();
        }
        parted
    }

    /// Adds the beginning of a text, up to where everything is decided that began before it. Whether nothing was, and the
    /// whole text now waits for the next.
    fn lead(&mut self, engine: &Engine, scan: &mut Scan, document: &[u8], token: Token, found: &mut Vec<Hit>) -> bool {
        let (raw, before) = (token.raw(document), self.joined.len());
        if before == 0 || self.part(engine, raw) {
            return false;
        }
        let most = 2 * engine.reach();
        for len in [LEAD, LONG_LEAD, most] {
            let end = if raw.len() <= len { raw.len() } else { text::boundary(raw, len) };
            self.push(token.start, &raw[..end]);
            let (hits, keep) = scan.vault_values(engine, &self.joined, false);
            if keep >= before || (len == most && end < raw.len()) {
                self.flush(document, hits, found);
                return false;
            }
            if end == raw.len() {
                return true;
            }
            self.joined.truncate(before);
            self.pieces.pop();
        }
        false
    }

    fn flush(&mut self, document: &[u8], mut hits: Vec<Hit>, found: &mut Vec<Hit>) {
        hits::merge(&mut hits);
        let mut start = 0;
        for &(raw, end) in &self.pieces {
            let mut places = text::Places::new(&document[raw..]);
            let first = hits.partition_point(|hit| hit.end <= start);
            for hit in hits[first..].iter().take_while(|hit| hit.start < end) {
                let what = if hit.start < start { What::Rest } else { hit.what };
                let (from, to) = (places.of(hit.start.max(start) - start), places.of(hit.end.min(end) - start));
                found.push(Hit { start: raw + from, end: raw + to, what });
            }
            start = end;
        }
        self.joined.clear();
        self.pieces.clear();
    }
}
