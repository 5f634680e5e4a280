//! Searching for vault values: a pure function of a stretch of text, whole texts and streams being such stretches in a row.

mod ends;
mod verify;

use std::ops::Range;

use crate::hits::{Hit, What};
use crate::index::{Beginning, EXACT_STEP, EXACT_WINDOW, Index};
use crate::views::Layers;
use crate::views::dump::{Dump, LINE};
use crate::views::letters::Letters;
use crate::views::prefixed::Prefixed;
use verify::Outcome;

/// Bytes of the text that are looked at at once, so that all views stay in the cache.
const BLOCK: usize = 32 * 1024;
/// Bytes before the place where a search goes on that it looks at again: the line of a hex dump, a keyword.
pub(crate) const CONTEXT: usize = LINE + 16;
/// Longest range of the text that one part of a value takes in any form. Bounds what a stream holds back.
const SPAN: usize = 64 * 1024;

/// One search in progress. Knows nothing of earlier texts; only its buffers stay.
#[derive(Default)]
pub(crate) struct VaultScan {
    views: Views,
    /// Places where a filter let a window through.
    places: Vec<u32>,
    found: Vec<Origin>,
}

/// The views that hold letters and digits alone.
#[derive(Clone, Copy)]
enum Bare {
    Letters,
    Dump,
    List,
}

#[derive(Default)]
struct Views {
    layers: Layers,
    letters: Letters,
    dump: Dump,
    listed: Prefixed,
}

impl Views {
    fn read(&mut self, stretch: Stretch<'_>) {
        let Stretch { text, ended, first, .. } = stretch;
        self.layers.undo(text, ended);
        let (top, level) = (self.layers.top(text), self.layers.count());
        self.dump.read(top, first, ended, |at| self.layers.start(level, at));
    }

    fn bare(&self, bare: Bare) -> &[u8] {
        match bare {
            Bare::Letters => self.letters.bytes(),
            Bare::Dump => self.dump.digits(),
            Bare::List => self.listed.digits(),
        }
    }

    /// Where in the view that it was read from a letter stands.
    fn place(&self, bare: Bare, view: &[u8], at: usize) -> usize {
        match bare {
            Bare::Letters => self.letters.place(view, at),
            Bare::Dump => self.dump.place(at),
            Bare::List => self.listed.place(at),
        }
    }
}

/// A hit, and where the needle begins that it is a part of.
struct Origin {
    at: usize,
    hit: Hit,
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
        if text.len() < 3 * CONTEXT {
            self.whole(index, text, hits);
            return 0;
        }
        let Resume { live, keep } = self.begun(index, text, false, hits);
        let stretch = Stretch { text: &text[keep..], from: live - keep, first: keep == 0, ended: true };
        self.search_at(index, keep, stretch, hits);
        keep
    }

    /// Everything in a text that is decided: all of it, once it has `ended`.
    pub(crate) fn begun(&mut self, index: &Index, text: &[u8], ended: bool, hits: &mut Vec<Hit>) -> Resume {
        let (mut keep, mut live, mut size) = (0, 0, BLOCK);
        if index.is_empty() {
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
        self.found.clear();
        self.views.read(stretch);
        let mut live = text.len();
        self.exact(index, stretch, &mut live);
        // In each view: what looks like an escape may be the beginning of hex or base64, as in `\x70617373` of a database.
        for level in 0..=self.views.layers.count() {
            let view = self.views.layers.view(text, level);
            self.views.letters.read(view);
            self.views.listed.read(view, ended);
            self.bare(index, stretch, level, Bare::Letters, &mut live);
            self.bare(index, stretch, level, Bare::List, &mut live);
        }
        self.bare(index, stretch, self.views.layers.count(), Bare::Dump, &mut live);
        self.beside(index, stretch, &mut live);
        if !ended {
            live = live.min(self.views.open_end(index, text));
        }
        let live = if ended { text.len() } else { live.max(from) };
        let decided = |origin: &&Origin| (from..live).contains(&origin.at);
        hits.extend(self.found.iter().filter(decided).map(|origin| origin.hit));
        Resume { live, keep: self.views.layers.boundary(live.saturating_sub(CONTEXT)) }
    }

    /// Needles in text as it is and with escapes undone.
    fn exact(&mut self, index: &Index, stretch: Stretch<'_>, live: &mut usize) {
        let text = stretch.text;
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        // What begins before was met before.
        let view = self.views.layers.view(text, 0);
        index.exact.probe(view.get(stretch.from..).unwrap_or(&[]), &mut places);
        for &place in &places {
            self.exact_at(index, stretch, 0, stretch.from + place as usize, live);
        }
        // A layer differs only where something was undone; everything else was met below.
        for level in 1..=self.views.layers.count() {
            places.clear();
            let view = self.views.layers.view(text, level);
            let (layer, mut done) = (self.views.layers.layer(level), 0);
            for (n, mark) in layer.marks().iter().enumerate() {
                let undone =
                    if mark.is_copy() { mark.at } else { layer.marks().get(n + 1).map_or(view.len(), |m| m.at) };
                let first =
                    mark.at.saturating_sub(EXACT_WINDOW + EXACT_STEP - 2).max(done).next_multiple_of(EXACT_STEP);
                done = undone + 1;
                for place in (first..done).step_by(EXACT_STEP) {
                    if place + EXACT_WINDOW <= view.len() && index.exact.test(&view[place..]) {
                        places.push(place as u32);
                    }
                }
            }
            for &place in &places {
                self.exact_at(index, stretch, level, place as usize, live);
            }
        }
        self.places = places;
    }

    /// Needles with the window at `place` of a view, and with its copy in the views above.
    fn exact_at(&mut self, index: &Index, stretch: Stretch<'_>, level: usize, mut place: usize, live: &mut usize) {
        for above in level..=self.views.layers.count() {
            if above > level {
                match self.views.layers.layer(above).copy_of(place) {
                    Some(copy) => place = copy,
                    None => break,
                }
            }
            let view = self.views.layers.view(stretch.text, above);
            if place + EXACT_WINDOW > view.len() {
                break;
            }
            for (needle, offset) in index.exact.needles(&view[place..]) {
                let Some(at) = place.checked_sub(offset) else { continue };
                let (needle, source) = index.exact(needle);
                match verify::exact(source, needle, view, at, stretch.ended) {
                    Outcome::Not => {}
                    Outcome::Open => open(stretch, self.views.layers.start(above, at), live),
                    Outcome::Found(found) => {
                        let start = self.views.layers.start(above, at);
                        let mut range = self.views.layers.range(above, found.range.clone());
                        if found.joins {
                            // The next part begins with the next byte: nothing stays between the two.
                            range.end = self.views.layers.start(above, found.range.end);
                        }
                        put(&mut self.found, start, range, What::Vault(source.owner));
                        if let Some(rest) = found.rest {
                            put(&mut self.found, start, self.views.layers.range(above, rest), What::Rest);
                        }
                    }
                }
            }
        }
    }

    /// Needles among letters and digits alone, which were read from the view at `level`.
    fn bare(&mut self, index: &Index, stretch: Stretch<'_>, level: usize, bare: Bare, live: &mut usize) {
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        index.bare.probe(self.views.bare(bare), &mut places);
        for &place in &places {
            self.bare_at(index, stretch, (level, bare), place as usize, live);
        }
        self.places = places;
        if !stretch.ended
            && let Some(start) = self.views.open_letters(index, stretch.text, level, bare)
        {
            open(stretch, start, live);
        }
    }

    /// Needles with the window at `place` of the letters.
    fn bare_at(
        &mut self,
        index: &Index,
        stretch: Stretch<'_>,
        (level, bare): (usize, Bare),
        place: usize,
        live: &mut usize,
    ) {
        let layers = &self.views.layers;
        let view = layers.view(stretch.text, level);
        let letters = self.views.bare(bare);
        let place_of = |at: usize| self.views.place(bare, view, at);
        for (needle, offset) in index.bare.needles(&letters[place..]) {
            let Some(at) = place.checked_sub(offset) else { continue };
            let (needle, source) = index.bare(needle);
            match verify::bare(source, needle, letters, at, stretch.ended) {
                Outcome::Not => {}
                Outcome::Open => open(stretch, layers.start(level, place_of(at)), live),
                Outcome::Found(found) => {
                    let (first, last) = (place_of(found.range.start), place_of(found.range.end - 1));
                    let mut range = layers.range(level, first..last + 1);
                    if found.joins {
                        range.end = layers.start(level, place_of(found.range.end));
                    }
                    put(&mut self.found, range.start, range, What::Vault(source.owner));
                }
            }
        }
    }

    /// Values that are secrets only beside a keyword.
    fn beside(&mut self, index: &Index, stretch: Stretch<'_>, live: &mut usize) {
        if index.beside.is_empty() {
            return;
        }
        for level in 0..=self.views.layers.count().min(1) {
            let view = self.views.layers.view(stretch.text, level);
            for at in 0..view.len() {
                if !index.beside.may_begin(&view[at..]) {
                    continue;
                }
                let start = self.views.layers.start(level, at);
                match index.beside.begins(view, at, &stretch.text[..start], stretch.ended) {
                    Beginning::Nothing => {}
                    Beginning::Open => *live = (*live).min(start),
                    Beginning::Value(len, owner) => {
                        let range = self.views.layers.range(level, at..at + len);
                        put(&mut self.found, start, range, What::Vault(owner));
                    }
                }
            }
        }
    }
}

/// A needle that begins at `start` is not decided, unless it is longer than any can be.
fn open(stretch: Stretch<'_>, start: usize, live: &mut usize) {
    if stretch.text.len() - start <= SPAN {
        *live = (*live).min(start);
    }
}

/// A hit, unless it is longer than any can be.
fn put(found: &mut Vec<Origin>, at: usize, range: Range<usize>, what: What) {
    if range.end - at <= SPAN {
        found.push(Origin { at, hit: Hit { start: range.start, end: range.end, what } });
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
