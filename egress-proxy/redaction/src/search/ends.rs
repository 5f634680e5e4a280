//! What the end of a text may be the beginning of, when more may follow.

use super::SPAN;
use super::pass::{Bare, Views};
use crate::index::Index;

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

    /// The first byte of `text` that may begin a needle too short to be met yet among letters alone, which were read from
    /// the view at `level`.
    pub(super) fn open_letters(&self, index: &Index, text: &[u8], level: usize, bare: Bare) -> Option<usize> {
        let run = match bare {
            Bare::Letters => self.letters.run(),
            Bare::Dump if self.dump.is_open() => self.dump.digits(),
            Bare::List if self.listed.is_open() => self.listed.digits(),
            Bare::Dump | Bare::List => return None,
        };
        let place = self.bare(bare).len() - run.len() + index.bare.open(run)?;
        Some(self.layers.start(level, self.place(bare, self.layers.view(text, level), place)))
    }
}
