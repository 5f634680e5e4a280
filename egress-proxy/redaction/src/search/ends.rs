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
        let begun = (0..=top).filter_map(|level| {
            let place = index.exact.open(self.layers.view(text, level))?;
            Some(self.layers.start(level, place)).filter(|start| text.len() - start <= SPAN)
        });
        begun.fold(cut, usize::min)
    }

    /// The first byte of `text` that may begin a needle too short to be met yet among letters alone, in the view at `level`.
    pub(super) fn open_letters(&self, index: &Index, text: &[u8], level: usize) -> Option<usize> {
        let view = self.layers.view(text, level);
        let (letters, places) = last(view, index.bare.reach());
        let place = places[index.bare.open(&letters)?];
        Some(self.layers.start(level, place))
    }

    /// The same among the bytes of dumps or lists in that view.
    pub(super) fn open_bytes(&self, index: &Index, level: usize, bytes: Bytes) -> Option<usize> {
        let (open, digits) = match bytes {
            Bytes::Dump => (self.dump.is_open(), self.dump.digits()),
            Bytes::List => (self.listed.is_open(), self.listed.digits()),
        };
        let place = open.then(|| index.bare.open(digits)).flatten()?;
        Some(self.layers.start(level, self.place(bytes, place)))
    }
}
