//! Texts that a reader reads one after the other, searched as one: a value may begin in one and end in the next.

use super::{Token, text};
use crate::engine::{Engine, Scan};
use crate::hits::{self, Hit, What};

/// Texts in a row. Only the ends of long ones are looked at: each text has been searched by itself.
#[derive(Default)]
pub(super) struct Row {
    joined: Vec<u8>,
    /// Where the pieces begin in the document, and where they end in `joined`.
    pieces: Vec<(usize, usize)>,
}

impl Row {
    /// Puts vault values that stand across two texts of the document, or more, into `found`, in bytes of the document.
    /// The first text keeps the placeholder, the others lose their part.
    pub(super) fn search(
        &mut self,
        engine: &Engine,
        scan: &mut Scan,
        document: &[u8],
        tokens: &[Token],
        found: &mut Vec<Hit>,
    ) {
        let Some((last, _)) = tokens.split_last().filter(|(_, before)| !before.is_empty()) else { return };
        let reach = engine.reach();
        for token in tokens {
            let raw = token.raw(document);
            if raw.len() <= 2 * reach {
                self.push(token.start, raw);
                continue;
            }
            if !self.pieces.is_empty() {
                self.push(token.start, &raw[..text::boundary(raw, reach)]);
                self.flush(engine, scan, document, found);
            }
            if token != last {
                let from = text::boundary(raw, raw.len() - reach);
                self.push(token.start + from, &raw[from..]);
            }
        }
        self.flush(engine, scan, document, found);
    }

    fn push(&mut self, start: usize, raw: &[u8]) {
        text::decode_into(raw, &mut self.joined);
        self.pieces.push((start, self.joined.len()));
    }

    fn flush(&mut self, engine: &Engine, scan: &mut Scan, document: &[u8], found: &mut Vec<Hit>) {
        let mut hits = if self.pieces.len() > 1 { scan.vault_values(engine, &self.joined) } else { Vec::new() };
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
