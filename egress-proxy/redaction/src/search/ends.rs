//! What the end of a text may be the beginning of, when more may follow.

use super::{SPAN, VaultScan};
use crate::index::{BARE_HEAD, BARE_STEP, BARE_WINDOW, EXACT_HEAD, EXACT_STEP, EXACT_WINDOW, Index, Table, window};

impl VaultScan {
    /// The first byte of `text` that may begin a needle too short to be seen yet, or an escape that is cut off.
    pub(super) fn open_end(&self, index: &Index, text: &[u8]) -> usize {
        let level = self.layers.count();
        let mut open = self.layers.start(level, self.layers.top(text).len());
        let mut at = |start: usize| {
            if text.len() - start <= SPAN {
                open = open.min(start);
            }
        };
        for level in 0..=level {
            let view = self.layers.view(text, level);
            if let Some(place) = open_tail::<EXACT_HEAD, EXACT_WINDOW, EXACT_STEP>(&index.exact, view) {
                at(self.layers.start(level, place));
            }
        }
        if self.dump.is_open()
            && let Some(place) = open_tail::<BARE_HEAD, BARE_WINDOW, BARE_STEP>(&index.bare, self.dump.digits())
        {
            at(self.layers.start(level, self.dump.place(place)));
        }
        open
    }

    /// As [`VaultScan::open_end`], among the letters of a view, which were read.
    pub(super) fn open_letters(&self, index: &Index, text: &[u8], level: usize) -> usize {
        let view = self.layers.view(text, level);
        let letters = self.letters.bytes();
        let tail = &letters[letters.len() - self.letters.tail(BARE_WINDOW + BARE_STEP - 2)..];
        let place = open_tail::<BARE_HEAD, BARE_WINDOW, BARE_STEP>(&index.bare, tail);
        let start = place.map(|place| self.letters.place(view, letters.len() - tail.len() + place));
        let start = start.map_or(text.len(), |place| self.layers.start(level, place));
        if text.len() - start <= SPAN { start } else { text.len() }
    }
}

/// The first place near the end from which on all bytes may begin a needle. A needle that begins earlier has been met.
fn open_tail<const HEAD: usize, const WINDOW: usize, const STEP: usize>(table: &Table, bytes: &[u8]) -> Option<usize> {
    if table.grams.is_empty() {
        return None;
    }
    let least = bytes.len().saturating_sub(WINDOW + STEP - 2);
    (least..bytes.len()).find(|&place| match bytes.len() - place {
        rest if rest < HEAD => true,
        rest if rest < WINDOW => table.heads.test(window::<HEAD>(&bytes[place..])) == 1,
        _ => table.grams.test(window::<WINDOW>(&bytes[place..])) == 1,
    })
}
