//! One layer of unescaping over a whole piece of text.
//!
//! Undone: JSON, C, shell and Python backslashes, percent escapes, HTML entities. Dropped: zero-width and other invisible
//! characters, terminal colours, escaped line ends. Full-width forms, tag characters and look-alikes become ASCII.

mod decode;
mod unicode;

use std::ops::Range;

pub(crate) use decode::MAX_PENDING;
use decode::{SPECIAL, Step, decode, specials};

use crate::views::block::{BLOCK, Block, Simd, blocks, dispatch, places, widest};

/// The text below with one layer of escapes undone, and the way back to it.
///
/// What an escape stands for depends on the bytes from its beginning on only, so a layer that begins between two items sees
/// the same as one that began earlier.
#[derive(Default)]
pub(crate) struct Layer {
    bytes: Vec<u8>,
    marks: Vec<Mark>,
}

/// Where bytes came from, up to the next mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The first byte in this layer.
    pub(crate) at: usize,
    /// The byte below it came from.
    below: usize,
    /// Bytes below that one escape takes; 0 when the bytes were copied one by one.
    width: usize,
}

impl Mark {
    pub(crate) fn is_copy(self) -> bool {
        self.width == 0
    }
}

/// What a layer made of the text below.
pub(crate) struct Undone {
    /// Whether anything was undone; if not, the layer is empty and stands for the text below.
    pub(crate) changed: bool,
    /// Bytes below that were read; the rest may be the beginning of an escape.
    pub(crate) read: usize,
}

impl Layer {
    /// Undoes the escapes of `below`. Unless it has `ended`, an escape that is cut off is left unread.
    pub(crate) fn undo(&mut self, below: &[u8], ended: bool) -> Undone {
        self.undo_at(Suspects::of_text(below), below, ended)
    }

    /// Undoes the escapes of a layer: those that undoing the ones below has made.
    pub(crate) fn undo_again(&mut self, below: &Self, ended: bool) -> Undone {
        self.undo_at(Suspects::of_layer(below), &below.bytes, ended)
    }

    fn undo_at(&mut self, mut suspects: Suspects<'_>, below: &[u8], ended: bool) -> Undone {
        self.bytes.clear();
        self.marks.clear();
        let (mut at, mut copied) = (0, 0);
        while let Some(suspect) = suspects.next(below, at) {
            at = suspect;
            let seen = &below[at..below.len().min(at + MAX_PENDING)];
            let mut text = [0; 4];
            let step = match decode(seen) {
                Step::More if ended => decode::last(seen),
                step => step,
            };
            let (used, stands_for): (usize, &[u8]) = match step {
                Step::More if !ended && seen.len() < MAX_PENDING => {
                    return self.finish(below, copied, at);
                }
                Step::More | Step::Literal => {
                    at += 1;
                    continue;
                }
                Step::Char(used, c) => (used, c.encode_utf8(&mut text).as_bytes()),
                Step::Byte(used, byte) => {
                    text[0] = byte;
                    (used, &text[..1])
                }
                Step::Dropped(used) => (used, &[]),
            };
            self.copy(below, copied, at);
            if !stands_for.is_empty() {
                self.marks.push(Mark { at: self.bytes.len(), below: at, width: used });
                self.bytes.extend_from_slice(stands_for);
            }
            at += used;
            copied = at;
        }
        self.finish(below, copied, below.len())
    }

    fn finish(&mut self, below: &[u8], copied: usize, read: usize) -> Undone {
        let changed = copied > 0;
        if changed {
            self.copy(below, copied, read);
        }
        Undone { changed, read }
    }

    fn copy(&mut self, below: &[u8], from: usize, to: usize) {
        if from < to {
            self.marks.push(Mark { at: self.bytes.len(), below: from, width: 0 });
            self.bytes.extend_from_slice(&below[from..to]);
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// In order; neighbours never touch below without an escape between them or in one of them.
    pub(crate) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The place below where byte `at` of this layer begins; for its end, the end below.
    pub(crate) fn start(&self, at: usize) -> usize {
        match self.marks.partition_point(|mark| mark.at <= at).checked_sub(1).map(|n| self.marks[n]) {
            Some(mark) if mark.is_copy() => mark.below + (at - mark.at),
            Some(mark) if at < self.bytes.len() => mark.below,
            Some(mark) => mark.below + mark.width,
            None => 0,
        }
    }

    /// The place below where byte `at` of this layer ends.
    pub(crate) fn end(&self, at: usize) -> usize {
        match self.marks.partition_point(|mark| mark.at <= at).checked_sub(1).map(|n| self.marks[n]) {
            Some(mark) if mark.is_copy() => mark.below + (at - mark.at) + 1,
            Some(mark) => mark.below + mark.width,
            None => 0,
        }
    }

    /// Where the byte at `below` is in this layer, if it was copied.
    pub(crate) fn copy_of(&self, below: usize) -> Option<usize> {
        let n = self.marks.partition_point(|mark| mark.below <= below).checked_sub(1)?;
        let at = self.marks[n].at + (below - self.marks[n].below);
        let end = self.marks.get(n + 1).map_or(self.bytes.len(), |next| next.at);
        (self.marks[n].is_copy() && at < end).then_some(at)
    }

    /// The first byte of this layer that came from `below` or later, and the last place at or before `below` that is no
    /// inner part of an escape.
    pub(crate) fn between(&self, below: usize) -> (usize, usize) {
        let n = self.marks.partition_point(|mark| mark.below < below);
        let Some(before) = n.checked_sub(1).map(|n| self.marks[n]) else { return (0, 0) };
        let next = self.marks.get(n).map_or(self.bytes.len(), |mark| mark.at);
        if !before.is_copy() {
            let end = before.below + before.width;
            return if below < end { (before.at, before.below) } else { (next, end) };
        }
        let end = before.below + (next - before.at);
        if below < end { (before.at + (below - before.below), below) } else { (next, end) }
    }
}

/// Places where an escape may begin, in order.
struct Suspects<'a> {
    /// They lie in this range,
    range: Range<usize>,
    /// or around the marks behind it.
    marks: &'a [Mark],
    /// The block that was asked last, and its specials.
    block: Range<usize>,
    specials: u64,
}

impl<'a> Suspects<'a> {
    fn of_text(text: &[u8]) -> Self {
        Self { range: 0..text.len(), marks: &[], block: 0..0, specials: 0 }
    }

    /// What was copied with all bytes that it can depend on was no escape below and is none here.
    fn of_layer(layer: &'a Layer) -> Self {
        Self { range: 0..0, marks: &layer.marks, block: 0..0, specials: 0 }
    }

    /// The next one at `at` or later.
    #[inline]
    fn next(&mut self, text: &[u8], at: usize) -> Option<usize> {
        loop {
            if let Some(special) = self.special(text, at.max(self.range.start)) {
                return Some(special);
            }
            let (mark, behind) = self.marks.split_first()?;
            // At its end the text may go on, as it may have below.
            let end = behind.first().map_or(text.len(), |next| next.at);
            let reach = end.saturating_sub(MAX_PENDING - 1);
            let first = if mark.is_copy() { reach.max(mark.at) } else { mark.at };
            (self.range, self.marks) = (first..end, behind);
        }
    }

    /// The first special byte of the range from `from` on.
    #[inline]
    fn special(&mut self, text: &[u8], mut from: usize) -> Option<usize> {
        while from < self.range.end {
            if !self.block.contains(&from) {
                let end = self.range.end;
                let (first, specials) = dispatch!(widest(), simd => next_specials(simd, text, from, end));
                (self.block, self.specials) = (first..first + BLOCK, specials);
                from = first;
            }
            let left = self.specials & u64::MAX << (from - self.block.start);
            if left == 0 {
                from = self.block.end;
                continue;
            }
            from = self.block.start + left.trailing_zeros() as usize;
            if from < self.range.end && SPECIAL[usize::from(text[from])] {
                return Some(from);
            }
            from += 1;
        }
        None
    }
}

/// The first block with specials from `at` on that begins before `end`, or the last such block, and its specials.
#[inline(always)]
fn next_specials<S: Simd>(simd: S, text: &[u8], mut at: usize, end: usize) -> (usize, u64) {
    loop {
        let found = match text[at..].first_chunk() {
            Some(block) => specials(Block::of(simd, block)),
            None => {
                let mut last = [0; BLOCK];
                last[..text.len() - at].copy_from_slice(&text[at..]);
                specials(Block::of(simd, &last))
            }
        };
        if found != 0 || at + BLOCK >= end {
            return (at, found);
        }
        at += BLOCK;
    }
}

/// Whether an escape may begin with this byte.
pub(crate) fn is_special(byte: u8) -> bool {
    SPECIAL[usize::from(byte)]
}

/// Whether something in a text is undone, or would be if the right bytes followed.
pub(crate) fn has_escape(text: &[u8]) -> bool {
    let is_literal = |at: usize| matches!(decode(&text[at..text.len().min(at + MAX_PENDING)]), Step::Literal);
    let is_escape = |at: usize| SPECIAL[usize::from(text[at])] && !is_literal(at);
    dispatch!(widest(), simd => {
        blocks(simd, text, 0).any(|(first, block)| places(specials(block)).any(|at| is_escape(first + at)))
    })
}

/// `text` with one layer undone.
pub(crate) fn once(text: &[u8]) -> Vec<u8> {
    let mut layer = Layer::default();
    if layer.undo(text, true).changed { std::mem::take(&mut layer.bytes) } else { text.to_vec() }
}

#[cfg(test)]
mod tests;
