//! Searching letters and digits alone: those of the text, those around the seams of its layers, and the bytes of dumps and
//! lists.

use std::ops::Range;

use super::Stretch;
use super::pass::{Pass, Views, open, put};
use super::verify::{self, Outcome};
use crate::hits::What;
use crate::index::{BARE_STEP, BARE_WINDOW, CHECKED, Index};
use crate::views::dump::Shown;
use crate::views::letters::BREAK;
use crate::views::seams::{Next, back, next};

/// The views that hold the digits of bytes.
#[derive(Clone, Copy)]
pub(super) enum Bytes {
    Dump,
    List,
}

/// Bytes between two seams, from which on the letters around each cost less than all letters.
const SPARSE: usize = 48;

// A window that a needle across a seam has begins behind it or so many letters before.
const _: () = assert!(BARE_STEP == BARE_WINDOW - 1);

impl Views {
    fn digits(&self, bytes: Bytes) -> &[u8] {
        match bytes {
            Bytes::Dump => self.dump.digits(),
            Bytes::List => self.listed.digits(),
        }
    }

    /// Where columns of text show the bytes of some digits, too.
    fn shown(&self, bytes: Bytes, digits: Range<usize>) -> impl Iterator<Item = Shown> + Clone {
        matches!(bytes, Bytes::Dump).then(|| self.dump.shown(digits)).into_iter().flatten()
    }

    /// Where in the view that it was read from a digit stands.
    pub(super) fn place(&self, bytes: Bytes, at: usize) -> usize {
        match bytes {
            Bytes::Dump => self.dump.place(at),
            Bytes::List => self.listed.place(at),
        }
    }
}

impl Pass {
    /// Needles among the letters of the view at `level`.
    pub(super) fn letters(&mut self, index: &Index, stretch: Stretch<'_>, level: usize, live: &mut usize) {
        let mut letters = std::mem::take(&mut self.views.letters);
        let view = self.views.layers.view(stretch.text, level);
        letters.read(view);
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        index.bare.probe(letters.bytes(), &mut places);
        for at in places.iter().map(|at| *at as usize).filter(|at| letters.bytes()[*at] != BREAK) {
            let place = |pass: &Self| letters.place(pass.views.layers.view(stretch.text, level), at);
            if self.views.layers.count() == level {
                for found in index.bare.needles(&letters.bytes()[at..], true) {
                    self.spaced(index, stretch, (level, place(self)), found, live);
                }
            } else if index.bare.needles(&letters.bytes()[at..], false).next().is_some() {
                self.window(index, stretch, (level, place(self)), live);
            }
        }
        (self.places, self.views.letters) = (places, letters);
    }

    /// Needles across the places where the view at `level` differs from the one below. All others were met there.
    pub(super) fn seams(&mut self, index: &Index, stretch: Stretch<'_>, level: usize, live: &mut usize) {
        let view = self.views.layers.view(stretch.text, level);
        if self.views.layers.layer(level).marks().len() > view.len() / SPARSE {
            self.letters(index, stretch, level, live);
            return;
        }
        let mut seams = std::mem::take(&mut self.views.seams);
        seams.read(view, self.views.layers.layer(level));
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        index.bare.probe(seams.bytes(), &mut places);
        for at in places.iter().map(|at| *at as usize) {
            self.window(index, stretch, (level, seams.place(at)), live);
        }
        (self.places, self.views.seams) = (places, seams);
    }

    /// Needles with the window at a place of a view, where views above may go on with other letters.
    fn window(&mut self, index: &Index, stretch: Stretch<'_>, (level, place): (usize, usize), live: &mut usize) {
        let layers = &self.views.layers;
        let (letters, count, end) = ahead(layers.view(stretch.text, level), place);
        if count >= BARE_WINDOW {
            let checked = layers.is_copied(level, place..end);
            for found in index.bare.needles(&letters[..count], checked) {
                self.spaced(index, stretch, (level, place), found, live);
            }
        }
    }

    /// A needle with the window at a place of a view, and with its copies in the views above.
    fn spaced(
        &mut self,
        index: &Index,
        stretch: Stretch<'_>,
        (level, mut place): (usize, usize),
        (needle, offset): (u32, usize),
        live: &mut usize,
    ) {
        let (needle, source) = index.bare(needle);
        let layers = &self.views.layers;
        for above in level..=layers.count() {
            if above > level {
                match layers.layer(above).copy_of(place) {
                    Some(copy) => place = copy,
                    None => break,
                }
            }
            let view = layers.view(stretch.text, above);
            if place >= view.len() {
                break;
            }
            let Some(at) = back(view, place, offset) else { continue };
            match verify::spaced(source, &needle, view, at, stretch.ended) {
                Outcome::Not => {}
                Outcome::Open => open(stretch, layers.start(above, at), live),
                Outcome::Found(found) => {
                    let range = if found.joins {
                        layers.start(above, at)..layers.start(above, found.range.end)
                    } else {
                        layers.range(above, found.range)
                    };
                    put(&mut self.found, range.start, range, What::Vault(source.owner));
                }
            }
        }
    }

    /// Needles among the bytes of dumps or lists, which were read from the view at `level`.
    pub(super) fn bytes(&mut self, index: &Index, stretch: Stretch<'_>, level: usize, bytes: Bytes, live: &mut usize) {
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        index.bare.probe(self.views.digits(bytes), &mut places);
        for &place in &places {
            self.bytes_at(index, stretch, level, bytes, place as usize, live);
        }
        self.places = places;
        if !stretch.ended
            && let Some(start) = self.views.open_bytes(index, level, bytes)
        {
            open(stretch, start, live);
        }
    }

    /// Needles with the window at `place` of the digits.
    fn bytes_at(
        &mut self,
        index: &Index,
        stretch: Stretch<'_>,
        level: usize,
        bytes: Bytes,
        place: usize,
        live: &mut usize,
    ) {
        let layers = &self.views.layers;
        let digits = self.views.digits(bytes);
        let place_of = |at: usize| self.views.place(bytes, at);
        for (needle, offset) in index.bare.needles(&digits[place..], true) {
            let Some(at) = place.checked_sub(offset) else { continue };
            let (needle, source) = index.bare(needle);
            match verify::bare(source, &needle, digits, at, stretch.ended) {
                Outcome::Not => {}
                Outcome::Open => open(stretch, layers.start(level, place_of(at)), live),
                Outcome::Found(found) => {
                    let shown = self.views.shown(bytes, found.range.clone());
                    if !stretch.ended && shown.clone().any(|shown| shown == Shown::Open) {
                        open(stretch, layers.start(level, place_of(at)), live);
                        continue;
                    }
                    let (first, last) = (place_of(found.range.start), place_of(found.range.end - 1));
                    let mut range = layers.range(level, first..last + 1);
                    if found.joins {
                        range.end = layers.start(level, place_of(found.range.end));
                    }
                    let at = range.start;
                    put(&mut self.found, at, range, What::Vault(source.owner));
                    for column in shown {
                        if let Shown::At(column) = column
                            && !column.is_empty()
                        {
                            put(&mut self.found, at, layers.range(level, column), What::Rest);
                        }
                    }
                }
            }
        }
    }
}

/// The letters from a place of a view on that tell needles apart, how many they are, and where they end.
fn ahead(view: &[u8], mut at: usize) -> ([u8; BARE_WINDOW + CHECKED], usize, usize) {
    let mut letters = [0; BARE_WINDOW + CHECKED];
    for (n, letter) in letters.iter_mut().enumerate() {
        let Next::Letter(next, place) = next(view, at) else { return (letters, n, at) };
        (*letter, at) = (next, place + 1);
    }
    (letters, BARE_WINDOW + CHECKED, at)
}
