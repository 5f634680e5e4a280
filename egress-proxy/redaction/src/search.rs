//! Searching for vault values: a pure function of a stretch of text, whole texts and streams being such stretches in a row.

pub(crate) mod across;
mod bare;
mod ends;
mod margins;
mod nested;
mod pass;
mod verify;

use crate::hits::Hit;
use crate::index::Index;
use crate::views::LAYERS;
use crate::views::decoded::Decoded;
use crate::views::dump::LINE;
use margins::Beside;
use pass::{Origin, Pass};

/// Bytes of the text that are looked at at once, so that all views stay in the cache.
const BLOCK: usize = 32 * 1024;
/// Bytes before the place where a search goes on that it may have to look at again: the line of a hex dump, a keyword.
const CONTEXT: usize = LINE + 16;
/// Bytes that it always looks at again: the prefix of a byte in a list.
const NEAR: usize = 16;
/// Longest range of the text that one part of a value takes in any form. Bounds what a stream holds back.
const SPAN: usize = 64 * 1024;

/// One search in progress. Knows nothing of earlier texts; only its buffers stay.
#[derive(Default)]
pub(crate) struct VaultScan {
    text: Pass,
    /// What runs of base64 and the like in the text stand for,
    decoded: Decoded,
    /// and the search of that.
    within: Pass,
    /// What blocks of lines hold, in each view of the text.
    margins: [Beside; 1 + LAYERS],
}

/// A stretch of text to search.
#[derive(Clone, Copy)]
pub(crate) struct Stretch<'a> {
    pub(crate) text: &'a [u8],
    /// What begins before was searched for already.
    pub(crate) from: usize,
    /// Nothing stands before.
    pub(crate) first: bool,
    /// Nothing follows.
    pub(crate) ended: bool,
}

/// Where the next stretch goes on, in bytes of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resume {
    /// What begins here or later is not decided.
    pub(crate) live: usize,
    /// The next stretch must begin here: between two escapes, and with enough context.
    pub(crate) keep: usize,
}

impl VaultScan {
    /// Everything in one whole text, neither in order nor disjoint.
    pub(crate) fn whole(&mut self, index: &Index, text: &[u8], hits: &mut Vec<Hit>) {
        self.begun(index, text, true, hits);
    }

    /// As [`VaultScan::whole`], and where the end of the text begins that must be known to search on behind it.
    pub(crate) fn whole_and_tail(&mut self, index: &Index, text: &[u8], hits: &mut Vec<Hit>) -> usize {
        if text.len() < CONTEXT {
            self.whole(index, text, hits);
            return 0;
        }
        let Resume { live, keep } = self.begun(index, text, false, hits);
        if index.fits(text.len() - live) {
            let stretch = Stretch { text: &text[keep..], from: live - keep, first: keep == 0, ended: true };
            self.search_at(index, keep, stretch, hits);
        }
        keep
    }

    /// Everything in a text that is decided: all of it, once it has `ended`.
    pub(crate) fn begun(&mut self, index: &Index, text: &[u8], ended: bool, hits: &mut Vec<Hit>) -> Resume {
        let (mut keep, mut live, mut size) = (0, 0, BLOCK);
        if index.is_empty() || (ended && !index.fits(text.len())) {
            return Resume { live: text.len(), keep: text.len() };
        }
        loop {
            let end = text.len().min(live + size);
            let last = end == text.len();
            let stretch = Stretch { text: &text[keep..end], from: live - keep, first: keep == 0, ended: ended && last };
            let resume = self.search_at(index, keep, stretch, hits);
            if last {
                return resume;
            }
            // A needle that fills the whole block needs a larger one.
            size = if resume.live > live { BLOCK } else { size * 2 };
            (keep, live) = (resume.keep, resume.live);
        }
    }

    /// As [`VaultScan::search`], of a stretch that begins at byte `base` of a text, in bytes of that.
    fn search_at(&mut self, index: &Index, base: usize, stretch: Stretch<'_>, hits: &mut Vec<Hit>) -> Resume {
        let before = hits.len();
        let Resume { live, keep } = self.search(index, stretch, hits);
        hits[before..].iter_mut().for_each(|hit| *hit = hit.shifted(base));
        Resume { live: base + live, keep: base + keep }
    }

    /// Everything that begins in the stretch and is decided by it.
    pub(crate) fn search(&mut self, index: &Index, stretch: Stretch<'_>, hits: &mut Vec<Hit>) -> Resume {
        let Stretch { text, from, ended, .. } = stretch;
        if index.is_empty() {
            return Resume { live: text.len(), keep: text.len() };
        }
        let mut live = self.alone(index, stretch);
        self.text.beside(index, stretch, &mut live);
        self.margins(index, stretch, &mut live);
        let live = if ended { text.len() } else { live.max(from) };
        let decided = |origin: &&Origin| (from..live).contains(&origin.at);
        hits.extend(self.text.found.iter().filter(decided).map(|origin| origin.hit));
        let keep = self.boundary(index, text, live);
        let keep = match self.block_before(index, stretch, live).filter(|at| *at < keep) {
            Some(at) => self.boundary(index, text, at),
            None => keep,
        };
        Resume { live, keep }
    }

    /// Everything that the text and its runs hold, but for values beside a keyword. What begins at the place which is returned
    /// or later is not decided.
    fn alone(&mut self, index: &Index, stretch: Stretch<'_>) -> usize {
        let mut live = self.text.search(index, stretch);
        self.nested(index, stretch, &mut live);
        live
    }
}

/// How far the search of a text that comes in pieces has come. Offsets count from the start of the text.
#[derive(Clone, Copy, Default)]
pub(crate) struct Progress {
    live: usize,
    keep: usize,
    /// Not again before so many bytes are known: looking at a long undecided needle for each byte would take quadratic time.
    retry: usize,
}

impl Progress {
    /// Searches on: `text` is all that is known from offset `base` on, [`Progress::keep`] at the latest.
    pub(crate) fn push(
        &mut self,
        scan: &mut VaultScan,
        index: &Index,
        text: &[u8],
        base: usize,
        ended: bool,
        hits: &mut Vec<Hit>,
    ) {
        let known = base + text.len();
        if known < self.retry && !ended {
            return;
        }
        let keep = self.keep.max(base);
        let stretch = Stretch { text: &text[keep - base..], from: self.live.max(keep) - keep, first: keep == 0, ended };
        Resume { live: self.live, keep: self.keep } = scan.search_at(index, keep, stretch, hits);
        self.retry = known + 1 + (known - self.live) / 16;
    }

    /// What begins here or later is not decided.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// The first byte that the next call must still know.
    pub(crate) fn keep(&self) -> usize {
        self.keep
    }
}
