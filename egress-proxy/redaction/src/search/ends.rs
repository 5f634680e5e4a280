//! What the end of a text may be the beginning of, when more may follow.

use super::SPAN;
use super::bare::Bytes;
use super::pass::Views;
use crate::index::Index;
use crate::views::seams::last;

impl Views {
    /// The first byte of `text` that may begin a needle too short to be met yet, or an escape that is cut off.
    pub(super) fn open_end(&self, index: &Index, text: &[u8]) -> usize {
        let top = self.layers.count();
        let cut = self.layers.start(top, self.layers.top(text).len());
        // An end that is as the one below begins what that begins.
        let same = |level: usize| level > 0 && self.layers.same_end(text, level) >= index.exact_reach();
        let begun = (0..=top).filter(|level| !same(*level)).filter_map(|level| {
            let place = index.exact_open(self.layers.view(text, level))?;
            Some(self.layers.start(level, place)).filter(|start| text.len() - start <= SPAN)
        });
        begun.fold(cut, usize::min)
    }

    /// The same among letters alone.
    pub(super) fn open_letters(&self, index: &Index, text: &[u8], mut open: impl FnMut(usize)) {
        // The letters of the text are at hand.
        let view = self.layers.view(text, 0);
        let (run, more) = self.letters.run(index.bare.reach());
        let first = self.letters.bytes().len() - run.len();
        if let Some(place) = index.bare.open(run) {
            open(self.letters.place(view, first + place));
        }
        let mut looked = if more { view.len() - self.letters.place(view, first - 1) } else { usize::MAX };
        for level in 1..=self.layers.count() {
            if self.layers.same_end(text, level) >= looked {
                continue;
            }
            let last = last(self.layers.view(text, level), index.bare.reach());
            looked = last.looked;
            if let Some(place) = index.bare.open(&last.letters) {
                open(self.layers.start(level, last.places[place]));
            }
        }
    }

    /// The same among the bytes of dumps or lists, in the view at `level`.
    pub(super) fn open_bytes(&self, index: &Index, level: usize, bytes: Bytes) -> Option<usize> {
        let (open, digits) = match bytes {
            Bytes::Dump => (self.dump.is_open(), self.dump.digits()),
            Bytes::List => (self.listed.is_open(), self.listed.digits()),
        };
        let place = open.then(|| index.bare.open(digits)).flatten()?;
        Some(self.layers.start(level, self.place(bytes, place)))
    }
}
