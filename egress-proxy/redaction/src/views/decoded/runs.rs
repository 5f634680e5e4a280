//! Runs of signs in a text.

use std::ops::Range;

use fearless_simd::SimdMask as _;

use super::LEAST_SIGNS;
use super::code::BASE64;
use crate::views::block::{BLOCK, Block, Simd, places};

/// Blanks at the beginning of a line that goes on with a run.
const INDENT: usize = 16;

pub(super) fn is_sign(byte: u8) -> bool {
    BASE64.has(byte)
}

/// Bytes of the end of a line and the blanks that the next one begins with.
pub(super) fn line_end(text: &[u8]) -> Option<usize> {
    let end = match text {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        [b'\r'] => return Some(1),
        _ => return None,
    };
    let blanks = text[end..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    (blanks <= INDENT).then_some(end + blanks)
}

/// Signs that a text ends with, or its last line does, that the first signs of another may go on from.
pub(crate) fn run_before(text: &[u8]) -> usize {
    let line = text.trim_ascii_end();
    let signs = signs_before(line);
    // More may stand before.
    if signs == line.len() { LEAST_SIGNS } else { signs }
}

/// Signs that a text begins with, or its next line does.
pub(crate) fn run_behind(text: &[u8]) -> usize {
    signs(text.trim_ascii_start())
}

/// The stretch of a view around `at`, not before `from`, that all lines of a run which touches that place lie in.
pub(super) fn around(view: &[u8], from: usize, at: usize) -> Range<usize> {
    let is_part = |b: &&u8| is_sign(**b) || matches!(b, b'\n' | b'\r' | b' ' | b'\t');
    let before = view[from..at].iter().rev().take_while(is_part).count();
    let behind = view[at..].iter().take_while(is_part).count();
    at - before..at + behind
}

/// The next line of a run that is long enough to be one, from `at` on, before which no sign stands.
#[inline(always)]
pub(super) fn next_run<S: Simd>(simd: S, view: &[u8], at: usize) -> Option<(usize, usize)> {
    let (mut from, mut at) = (at, at);
    while at < view.len() && from + LEAST_SIGNS <= view.len() {
        let block = match view[at..].first_chunk() {
            Some(block) => Block::of(simd, block),
            None => Block::of(simd, &last(&view[at..])),
        };
        let signs = block.signs();
        let long = if is_long(signs) { eights(signs) } else { 0 };
        for eight in places(long).map(|bit| bit & !7) {
            let row = row(signs, eight);
            if at + eight < from || !is_long(row) {
                continue;
            }
            // It may have begun before the block and go on behind it.
            let before = if row & 1 == 0 { 0 } else { signs_before(&view[from.min(at)..at]) };
            let behind = if row >> (BLOCK - 1) == 0 { 0 } else { self::signs(&view[at + BLOCK..]) };
            let start = at + row.trailing_zeros() as usize - before;
            let end = at + BLOCK - row.leading_zeros() as usize + behind;
            // No code writes a text in small letters alone, as people write words and names.
            let is_mixed = || {
                let mixed = block.within(b'A', b'Z') | block.within(b'0', b'9');
                mixed.to_bitmask() & row != 0 || is_mixed(&view[at - before..at]) || is_mixed(&view[end - behind..end])
            };
            if end - start >= LEAST_SIGNS && is_mixed() {
                return Some((start, end));
            }
            from = end;
        }
        at = from.max(at + BLOCK);
    }
    None
}

/// The end of a text, and blanks.
#[cold]
fn last(text: &[u8]) -> [u8; BLOCK] {
    let mut last = [b' '; BLOCK];
    last[..text.len()].copy_from_slice(text);
    last
}

/// Whether a row of bits is long enough, or may be so beyond the block.
#[inline(always)]
fn is_long(bits: u64) -> bool {
    let pairs = bits & bits >> 1;
    let fours = pairs & pairs >> 2;
    let eights = fours & fours >> 4;
    (eights & eights >> EIGHT) | (eights & (1 | 1 << (BLOCK - EIGHT))) != 0
}

/// The row of bits that holds those from `at` on.
fn row(bits: u64, at: usize) -> u64 {
    let before = (bits << 1 << (BLOCK - 1 - at)).leading_ones() as usize;
    let first = at - before;
    let len = (bits >> first).trailing_ones();
    (bits >> first << first) & (u64::MAX >> (BLOCK as u32 - len) << first)
}

/// The highest of eight bits from a multiple of eight on that are all set. So many signs as are enough hold eight such.
#[inline(always)]
fn eights(signs: u64) -> u64 {
    const LAST: u64 = 0x8080_8080_8080_8080;
    ((signs & !LAST) + (!LAST & LAST >> 7)) & signs & LAST
}

const EIGHT: usize = 8;
const _: () = assert!(LEAST_SIGNS == 2 * EIGHT);

fn is_mixed(signs: &[u8]) -> bool {
    signs.iter().fold(false, |any, b| any | b.is_ascii_uppercase() | b.is_ascii_digit())
}

/// Signs of `text` at its end.
fn signs_before(text: &[u8]) -> usize {
    text.iter().rev().take_while(|b| is_sign(**b)).count()
}

/// Signs of `text` at its beginning.
pub(crate) fn signs(text: &[u8]) -> usize {
    text.iter().take_while(|b| is_sign(**b)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::block::{Level, dispatch};

    fn signs_of(block: &[u8; BLOCK]) -> u64 {
        dispatch!(Level::new(), simd => Block::of(simd, block).signs())
    }

    fn next_run(view: &[u8], at: usize) -> Option<(usize, usize)> {
        dispatch!(Level::new(), simd => super::next_run(simd, view, at))
    }

    #[test]
    fn a_block_knows_its_signs() {
        for byte in 0..=u8::MAX {
            let is = u64::from(is_sign(byte));
            assert_eq!(signs_of(&[byte; BLOCK]), is * u64::MAX, "{byte}");
            let mut block = [b'a'; BLOCK];
            block[usize::from(byte) % BLOCK] = byte;
            assert_eq!(signs_of(&block), !(1 << (byte % 64)) | is << (byte % 64), "{byte}");
        }
    }

    #[test]
    fn a_row_is_long_with_what_may_follow() {
        for from in 0..BLOCK {
            for to in from + EIGHT..=BLOCK {
                let bits = (from..to).fold(0, |bits, n| bits | 1_u64 << n);
                let long = to - from >= LEAST_SIGNS || from == 0 || to == BLOCK;
                assert_eq!(is_long(bits), long, "{from} {to}");
                let others = if from > 1 { 1 } else { 0 };
                assert_eq!(row(bits | others, from), bits);
                assert_eq!(row(bits | others, to - 1), bits);
            }
        }
    }

    #[test]
    fn every_run_that_is_long_enough_is_found() {
        for before in (0..140).chain([190, 191, 192, 193]) {
            for len in 1..40 {
                for other in [" ", "\u{e9}", "*"] {
                    let text = format!("{}{}{}x", other.repeat(before), "aB3/".repeat(10).split_at(len).0, other);
                    let first = other.len() * before;
                    let found = (len >= LEAST_SIGNS).then_some((first, first + len));
                    assert_eq!(next_run(text.as_bytes(), 0), found, "{before} {len}");
                    assert_eq!(next_run(text.as_bytes(), first), found, "{before} {len}");
                }
            }
        }
        assert_eq!(next_run(b"words-that-are-in-small-letters alone", 0), None);
    }
}
