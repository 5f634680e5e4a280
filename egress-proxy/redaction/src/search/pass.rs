//! One pass of the searches over the views of a stretch of text.

use std::ops::Range;

use super::bare::Bytes;
use super::verify::{self, Outcome};
use super::{CONTEXT, SPAN, Stretch};
use crate::hits::{Hit, What};
use crate::index::{BARE_STEP, BARE_WINDOW, Beginning, EXACT_STEP, EXACT_WINDOW, Exact, Index};
use crate::views::Layers;
use crate::views::dump::Dump;
use crate::views::letters::Letters;
use crate::views::prefixed::Prefixed;
use crate::views::seams::Seams;

#[derive(Default)]
pub(super) struct Views {
    pub(super) layers: Layers,
    pub(super) letters: Letters,
    pub(super) dump: Dump,
    pub(super) listed: Prefixed,
    pub(super) seams: Seams<{ BARE_WINDOW - 1 }, { BARE_WINDOW + BARE_STEP - 2 }>,
}

impl Views {
    fn read(&mut self, stretch: Stretch<'_>) {
        let Stretch { text, ended, .. } = stretch;
        self.layers.undo(text, ended);
    }

    /// Whether the layer has no dumps, as those of the text, which were read, show: none, and no line that differs.
    fn no_dump_above(&self, stretch: Stretch<'_>) -> bool {
        let view = self.layers.view(stretch.text, 1);
        let marks = self.layers.layer(1).marks().iter().map(|mark| mark.at).take_while(|at| *at < view.len());
        !self.dump.has_lines() && !marks.chain([view.len()]).any(|at| Dump::may_begin_near(view, at, stretch.first))
    }
}

/// A hit, and where the needle begins that it is a part of.
pub(super) struct Origin {
    pub(super) at: usize,
    pub(super) hit: Hit,
}

/// One pass in progress. Its buffers stay from one stretch to the next.
#[derive(Default)]
pub(super) struct Pass {
    pub(super) views: Views,
    /// Places where a filter let a window through.
    pub(super) places: Vec<u32>,
    pub(super) found: Vec<Origin>,
    /// First bytes of lines that may be those of a dump, of the last [`KNOWN`] bytes.
    lines: Vec<usize>,
}

/// Bytes at the end of a stretch of which it is known where dumps may be.
const KNOWN: usize = 1024;

impl Pass {
    /// Everything that the views of the stretch hold, in [`Pass::found`]. What begins at the place which is returned or
    /// later is not decided.
    pub(super) fn search(&mut self, index: &Index, stretch: Stretch<'_>) -> usize {
        let Stretch { text, ended, .. } = stretch;
        self.found.clear();
        self.lines.clear();
        self.views.read(stretch);
        let mut live = text.len();
        self.exact(index, stretch, &mut live);
        // In each view: what looks like an escape may be the beginning of hex or base64, as in `\x70617373` of a database.
        // The text's own letters come last, to ask for their end.
        for level in (1..=self.views.layers.count()).rev() {
            self.seams(index, stretch, level, &mut live);
        }
        self.letters(index, stretch, 0, &mut live);
        for level in 0..=self.views.layers.count() {
            self.views.listed.read(self.views.layers.view(text, level), ended);
            self.bytes(index, stretch, level, Bytes::List, &mut live);
            // A dump's column of text may look like an escape, which undone breaks its lines.
            let last = level == self.views.layers.count() && !(level == 1 && self.views.no_dump_above(stretch));
            if level == 0 || last {
                let Views { layers, dump, .. } = &mut self.views;
                dump.read(layers.view(text, level), stretch.first, ended, |at| layers.start(level, at));
                let lines = dump.lines().rev().map(|line| layers.start(level, line));
                self.lines.extend(lines.take_while(|line| line + KNOWN >= text.len()));
                self.bytes(index, stretch, level, Bytes::Dump, &mut live);
            }
        }
        if !ended {
            live = live.min(self.views.open_end(index, text));
            self.views.open_letters(index, text, |start| open(stretch, start, &mut live));
        }
        live
    }

    /// Whether the line of a dump may reach from before `at` to behind it, in a stretch of `len` bytes.
    pub(super) fn may_be_dump(&self, at: usize, len: usize) -> bool {
        let known = at + KNOWN >= len + CONTEXT;
        !known || self.lines.iter().any(|line| (*line..line + CONTEXT).contains(&at))
    }

    /// Needles in text as it is and with escapes undone.
    fn exact(&mut self, index: &Index, stretch: Stretch<'_>, live: &mut usize) {
        let text = stretch.text;
        let mut places = std::mem::take(&mut self.places);
        // What begins before was met before.
        for exact in index.exact_in(text) {
            places.clear();
            let view = self.views.layers.view(text, 0).get(stretch.from..).unwrap_or(&[]);
            exact.grams.probe(view, &mut places);
            for &place in &places {
                self.exact_at((index, exact), stretch, 0, stretch.from + place as usize, live);
            }
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
                    let seen = |exact: &Exact| exact.grams.test(&view[place..]);
                    if place + EXACT_WINDOW <= view.len() && (seen(&index.exact) || seen(&index.wide)) {
                        places.push(place as u32);
                    }
                }
            }
            for &place in &places {
                for exact in [&index.exact, &index.wide] {
                    self.exact_at((index, exact), stretch, level, place as usize, live);
                }
            }
        }
        self.places = places;
    }

    /// Needles with the window at `place` of a view, and with its copy in the views above.
    fn exact_at(
        &mut self,
        (index, exact): (&Index, &Exact),
        stretch: Stretch<'_>,
        level: usize,
        mut place: usize,
        live: &mut usize,
    ) {
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
            for (needle, offset) in exact.needles(&view[place..]) {
                let Some(at) = place.checked_sub(offset) else { continue };
                let (needle, source) = index.known(needle);
                match verify::exact(source, &needle, view, at, stretch.ended) {
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

    /// Values that are secrets only beside a keyword.
    pub(super) fn beside(&mut self, index: &Index, stretch: Stretch<'_>, live: &mut usize) {
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
pub(super) fn open(stretch: Stretch<'_>, start: usize, live: &mut usize) {
    if stretch.text.len() - start <= SPAN {
        *live = (*live).min(start);
    }
}

/// A hit, unless it is longer than any can be.
pub(super) fn put(found: &mut Vec<Origin>, at: usize, range: Range<usize>, what: What) {
    if range.end - at <= SPAN {
        found.push(Origin { at, hit: Hit { start: range.start, end: range.end, what } });
    }
}
