//! One text that comes in pieces, each in an event of its own.

use std::collections::VecDeque;
use std::ops::Range;

use zeroize::Zeroize as _;

use crate::cursor::BEHIND;
use crate::engine::{Engine, Scan};
use crate::hits::{self, Hit, What};
use crate::json::{Token, text};

/// Events for which a new text is waited for.
const PATIENCE: usize = 8;
/// At least two pieces that are the same as the one before, together of so many bytes, are no text.
const SAME: usize = 8;

/// Where a piece comes from: all that is known of the input from offset `base` on, and the document in it.
pub(super) struct Source<'a> {
    pub(super) text: &'a [u8],
    pub(super) base: usize,
    pub(super) line: Range<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn document(&self) -> &'a [u8] {
        self.bytes(self.line.clone()).unwrap_or_default()
    }

    fn bytes(&self, range: Range<usize>) -> Option<&'a [u8]> {
        self.text.get(range.start.checked_sub(self.base)?..range.end.checked_sub(self.base)?)
    }
}

/// A piece of the text.
#[derive(Clone)]
struct Piece {
    /// In the text.
    start: usize,
    end: usize,
    /// In the input, escapes as they are.
    raw: Range<usize>,
    /// Its event in the input.
    line: usize,
}

/// One text. Offsets count from its own start.
pub(super) struct Channel {
    /// The narrower readings of all its pieces, as long as they are the same.
    pub(super) only: [Option<u64>; 2],
    scan: Scan,
    /// The text from offset `base` on.
    text: Vec<u8>,
    base: usize,
    pieces: VecDeque<Piece>,
    /// Found, and open to what comes.
    hits: Vec<Hit>,
    /// Nothing before it changes any more.
    settled: usize,
    last: Option<Hit>,
    fed: usize,
    /// Events between the last two pieces.
    gap: usize,
    /// Pieces in a row that are the same as the one before, and their length: what stands in each event is no text.
    same: (usize, usize),
}

impl Channel {
    pub(super) fn new(engine: &Engine, only: [u64; 2]) -> Self {
        Self {
            only: only.map(Some),
            scan: Scan::new(engine),
            text: Vec::new(),
            base: 0,
            pieces: VecDeque::new(),
            hits: Vec::new(),
            settled: 0,
            last: None,
            fed: 0,
            gap: 0,
            same: (0, 0),
        }
    }

    /// A channel with the same text so far, as far as it is kept.
    pub(super) fn copy(&self, engine: &Engine) -> Self {
        let from = self.base;
        let pieces =
            self.pieces.iter().map(|piece| Piece { start: piece.start - from, end: piece.end - from, ..piece.clone() });
        let mut copy = Self::new(engine, [0; 2]);
        copy.pieces = pieces.collect();
        copy.text = self.text.clone();
        (copy.fed, copy.gap, copy.same) = (self.fed, self.gap, self.same);
        copy.scan.push(engine, &copy.text, 0, false, &mut copy.hits);
        copy
    }

    /// The number of the last event with a piece of it.
    pub(super) fn fed(&self) -> usize {
        self.fed
    }

    /// The first event from `floor` on that waits for the text to go on. After event number `now` it waits a little longer
    /// than it did before, and `most` events at most.
    pub(super) fn open(&self, now: usize, most: usize, floor: usize) -> Option<usize> {
        let patience = (self.gap * 2).clamp(PATIENCE, most);
        let mut waiting = self.pieces.iter().filter(|piece| piece.end > self.settled && piece.line >= floor);
        let first = waiting.next()?.line;
        // What stands before the pieces that are the same is text, and may be a value.
        let repeats = self.same.0 >= 2 && self.same.0 * self.same.1 >= SAME && waiting.nth(self.same.0).is_none();
        (!repeats && now - self.fed <= patience).then_some(first)
    }

    /// Takes the next piece, in event number `fed`. Events before `floor` have gone out.
    pub(super) fn feed(
        &mut self,
        engine: &Engine,
        source: &Source<'_>,
        token: Token,
        fed: usize,
        floor: usize,
        found: &mut Vec<Hit>,
    ) {
        let start = self.base + self.text.len();
        let before = self.text.len();
        text::decode_into(token.raw(source.document()), &mut self.text);
        let fresh = self.text.len() - before;
        let again = self.same.1 == fresh && self.text[..before].ends_with(&self.text[before..]);
        self.same = (if again { self.same.0 + 1 } else { 0 }, fresh);
        let line = source.line.start;
        self.pieces.push_back(Piece { start, end: start + fresh, raw: line + token.start..line + token.end, line });
        self.gap = if self.fed > 0 { fed - self.fed } else { 0 };
        self.fed = fed;
        self.scan.push(engine, &self.text, self.base, false, &mut self.hits);
        let live = self.scan.live(engine);
        self.settle(engine, source, live, floor, found);
    }

    /// The text has ended.
    pub(super) fn finish(&mut self, engine: &Engine, source: &Source<'_>, floor: usize, found: &mut Vec<Hit>) {
        self.scan.push(engine, &self.text, self.base, true, &mut self.hits);
        self.settle(engine, source, self.base + self.text.len(), floor, found);
    }

    /// Gives out the hits before `live` that no later one can join.
    fn settle(&mut self, engine: &Engine, source: &Source<'_>, live: usize, floor: usize, found: &mut Vec<Hit>) {
        let mut merged = self.hits.clone();
        hits::merge(&mut merged);
        let open = merged.iter().find(|hit| hit.end > live).map_or(live, |hit| hit.start.min(live));
        self.hits.retain(|hit| hit.end > open);
        for hit in merged.into_iter().filter(|hit| hit.end <= open) {
            self.give(engine, source, hit, floor, found);
        }
        self.settled = self.settled.max(open);
        while self.pieces.front().is_some_and(|piece| piece.end <= self.settled) {
            self.pieces.pop_front();
        }
        // Pieces are kept whole: the way back to the input begins at their first byte.
        let needed = self.pieces.front().map_or(self.settled, |piece| piece.start);
        let needed = needed.min(self.settled.saturating_sub(BEHIND)).min(self.scan.keep());
        let keep = needed.saturating_sub(self.base);
        if keep > BEHIND {
            self.text.drain(..keep);
            self.base += keep;
        }
    }

    /// Takes a hit back to the input: the first piece has what it is, the others the rest of it.
    fn give(&mut self, engine: &Engine, source: &Source<'_>, hit: Hit, floor: usize, found: &mut Vec<Hit>) {
        let what = match hit.what {
            What::Rule(rule) => {
                let tag = engine.tag(&self.text[hit.start - self.base..hit.end - self.base]);
                What::Tagged(rule, tag)
            }
            other => other,
        };
        // A long value is found in parts that follow each other.
        let goes_on =
            self.last.is_some_and(|last| last.end == hit.start && last.what == what && matches!(what, What::Vault(_)));
        self.last = Some(Hit { what, ..hit });
        let mut first = !goes_on;
        for piece in
            self.pieces.iter().filter(|piece| piece.start < hit.end && piece.end > hit.start && piece.line >= floor)
        {
            let Some(raw) = source.bytes(piece.raw.clone()) else { continue };
            let mut places = text::Places::new(raw);
            let start = piece.raw.start + places.of(hit.start.saturating_sub(piece.start));
            let end = piece.raw.start + places.of(hit.end.min(piece.end) - piece.start);
            found.push(Hit { start, end, what: if first { what } else { What::Rest } });
            first = false;
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}
