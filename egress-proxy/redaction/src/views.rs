//! The views of a text that are searched: as it is, with one, two and three layers of escapes undone, its letters and
//! digits alone, and what hex dumps and lists of bytes in it show.
//!
//! A view exists only where it differs: text without escapes is its own top layer.

pub(crate) mod block;
pub(crate) mod decoded;
pub(crate) mod dump;
pub(crate) mod letters;
pub(crate) mod margins;
pub(crate) mod prefixed;
pub(crate) mod seams;

use std::ops::Range;

use crate::unescape::Layer;

/// Layers of unescaping: JSON in JSON in a shell word.
pub(crate) const LAYERS: usize = 3;

/// The text and what is left of it after each layer of escapes.
#[derive(Default)]
pub(crate) struct Layers {
    layers: [Layer; LAYERS],
    /// Layers that differ from the one below.
    count: usize,
    /// Bytes of the topmost view that are certain.
    certain: usize,
}

impl Layers {
    /// Undoes the escapes of `text`.
    pub(crate) fn undo(&mut self, text: &[u8], ended: bool) {
        self.count = 0;
        self.certain = text.len();
        while self.count < LAYERS {
            let (done, rest) = self.layers.split_at_mut(self.count);
            let undone = match done.last() {
                Some(below) => rest[0].undo_again(below, ended),
                None => rest[0].undo(text, ended),
            };
            self.certain = undone.read;
            if !undone.changed {
                break;
            }
            self.count += 1;
            self.certain = rest[0].bytes().len();
        }
    }

    /// Layers that differ from the text.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Layer `level`, 1 for the first.
    pub(crate) fn layer(&self, level: usize) -> &Layer {
        &self.layers[level - 1]
    }

    /// The view after `level` layers; 0 is the text itself.
    pub(crate) fn view<'a>(&'a self, text: &'a [u8], level: usize) -> &'a [u8] {
        let view = if level == 0 { text } else { self.layers[level - 1].bytes() };
        // Above the topmost layer nothing was undone, but an escape may have begun.
        if level == self.count { &view[..self.certain] } else { view }
    }

    pub(crate) fn top<'a>(&'a self, text: &'a [u8]) -> &'a [u8] {
        self.view(text, self.count)
    }

    /// Where byte `at` of a view begins in the text.
    pub(crate) fn start(&self, level: usize, at: usize) -> usize {
        (0..level).rev().fold(at, |at, layer| self.layers[layer].start(at))
    }

    /// The range of the text that bytes of a view come from.
    pub(crate) fn range(&self, level: usize, bytes: Range<usize>) -> Range<usize> {
        let end = (0..level).rev().fold(bytes.end, |end, layer| self.layers[layer].end(end - 1));
        self.start(level, bytes.start)..end
    }

    /// Where a view above the text differs from that, in order.
    pub(crate) fn marks(&self, level: usize, places: &mut Vec<usize>) {
        places.clear();
        for below in 1..=level {
            let marks = self.layer(below).marks().iter();
            // A place that is no copy lies in an escape, which has a mark of its own.
            let above = |at: usize| (below + 1..=level).try_fold(at, |at, above| self.layer(above).copy_of(at));
            places.extend(marks.filter_map(|mark| above(mark.at)));
        }
        places.sort_unstable();
    }

    /// Whether a range of a view is in all views above as it is.
    pub(crate) fn is_copied(&self, level: usize, range: Range<usize>) -> bool {
        let (mut first, last) = (range.start, range.len().saturating_sub(1));
        self.layers[level..self.count].iter().all(|layer| {
            let copies = layer.copy_of(first).zip(layer.copy_of(first + last));
            first = copies.map_or(0, |(first, _)| first);
            copies.is_some_and(|(first, copy)| copy == first + last)
        })
    }

    /// Bytes at the end of a view above the text that are those at the end of the view below.
    pub(crate) fn same_end(&self, text: &[u8], level: usize) -> usize {
        let end = self.view(text, level).len();
        let Some(last) = self.layer(level).marks().last().filter(|last| last.is_copy() && last.at < end) else {
            return 0;
        };
        let below = self.view(text, level - 1).len();
        if self.layer(level).end(end - 1) == below { end - last.at } else { 0 }
    }

    /// The last place at or before `at` that is no inner part of an escape in any layer.
    pub(crate) fn boundary(&self, mut at: usize) -> usize {
        'again: loop {
            let mut above = at;
            for (level, layer) in self.layers[..self.count].iter().enumerate() {
                let (first, below) = layer.between(above);
                if below < above {
                    at = self.start(level, below);
                    continue 'again;
                }
                above = first;
            }
            return at;
        }
    }
}
