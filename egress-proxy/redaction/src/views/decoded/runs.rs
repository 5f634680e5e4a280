//! Runs of signs in a text.

use super::LEAST_SIGNS;
use super::code::BASE64;
use crate::views::block::{Block, blocks, places};

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
    let signs = line.iter().rev().take_while(|byte| is_sign(**byte)).count();
    // More may stand before.
    if signs == line.len() { LEAST_SIGNS } else { signs }
}

/// Signs that a text begins with, or its next line does.
pub(crate) fn run_behind(text: &[u8]) -> usize {
    signs(text.trim_ascii_start())
}

/// The next line of a run that is long enough to be one, from `at` on.
pub(super) fn next_run(view: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut from = at;
    loop {
        let end = from + enough(&view[from..])?;
        let left = view[from..end].iter().rev().take_while(|b| is_sign(**b)).count();
        let right = signs(&view[end..]);
        // No code writes a text in small letters alone, as people write words and names.
        if is_mixed(&view[end - left..end + right]) {
            return Some((end - left, end + right));
        }
        from = end + right;
    }
}

/// The first place behind so many signs as are enough.
fn enough(text: &[u8]) -> Option<usize> {
    let mut runs = Runs::default();
    blocks(text, b' ').find_map(|(at, block)| Some(at + places(runs.add(block)).next()? + 1))
}

fn is_mixed(signs: &[u8]) -> bool {
    signs.iter().fold(false, |any, b| any | b.is_ascii_uppercase() | b.is_ascii_digit())
}

/// Signs of `text` at its beginning.
pub(crate) fn signs(text: &[u8]) -> usize {
    text.iter().take_while(|b| is_sign(**b)).count()
}

/// Where signs end of which 1, 2, 4 and 8 stand in a row, in the 64 bytes before those that come next.
#[derive(Default)]
struct Runs([u64; 4]);

const _: () = assert!(LEAST_SIGNS == 16);

impl Runs {
    /// The places in the next 64 bytes at which [`LEAST_SIGNS`] signs end.
    #[inline(always)]
    fn add(&mut self, block: Block) -> u64 {
        let mut rows = all_signs(block);
        for (step, before) in self.0.iter_mut().enumerate() {
            let len = 1 << step;
            let longer = rows & (rows << len | *before >> (64 - len));
            *before = rows;
            rows = longer;
        }
        rows
    }
}

/// As [`is_sign`] of each byte of a block.
#[inline(always)]
fn all_signs(block: Block) -> u64 {
    let letters = block.lower().within(b'a', b'z');
    (letters | block.within(b'/', b'9') | block.are(b'+') | block.are(b'-') | block.are(b'_')).bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_the_bits_of_signs() {
        for byte in 0..=u8::MAX {
            for around in [b'a', b'-', b'~', 0xff] {
                let mut block = [around; 64];
                block[usize::from(byte) % 64] = byte;
                let expected = (0..64).fold(0, |mask, n| mask | u64::from(is_sign(block[n])) << n);
                assert_eq!(all_signs(Block::of(&block)), expected, "{byte}");
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
