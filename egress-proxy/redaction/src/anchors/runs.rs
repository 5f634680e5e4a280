//! Where a text has runs of signs, which most rules need ([`crate::rules::signs`]): asked of 64 bytes at once.

use crate::rules::signs::{MIXED_RUN, RUN};
use crate::views::block::{BLOCK, Block, Simd};
use fearless_simd::SimdMask as _;

/// One bit for each byte of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Signs {
    letters: u64,
    digits: u64,
    /// `_-+/`
    others: u64,
}

/// Where 1, 2, 4, … of a kind end in a row, in the block before.
#[derive(Default)]
pub(super) struct Runs {
    signs: [u64; 5],
    mixed: [u64; 4],
    digits: [u64; 4],
}

const _: () = assert!(RUN == 16 + 4 && MIXED_RUN == 8 + 2);

impl Runs {
    /// Whether a run has its last sign in the next block, or goes on there after that.
    #[inline(always)]
    pub(super) fn add<S: Simd>(&mut self, simd: S, block: &[u8; BLOCK]) -> bool {
        let Signs { letters, digits, others } = signs(Block::of(simd, block));
        let rows = grow(letters | digits | others, &mut self.signs, [1, 2, 4, 8, 4], |rows, moved| rows & moved);
        let mixed = grow(letters | digits, &mut self.mixed, [1, 2, 4, 2], |rows, moved| rows & moved);
        let digits = grow(digits, &mut self.digits, [1, 2, 4, 2], |rows, moved| rows | moved);
        rows | mixed & digits != 0
    }
}

/// `rows` with itself moved by each of `steps`, one after the other; `before` is what it was in the block before each.
#[inline(always)]
fn grow<const N: usize>(mut rows: u64, before: &mut [u64; N], steps: [u32; N], with: impl Fn(u64, u64) -> u64) -> u64 {
    for (before, step) in before.iter_mut().zip(steps) {
        let grown = with(rows, rows << step | *before >> (64 - step));
        *before = rows;
        rows = grown;
    }
    rows
}

#[inline(always)]
fn signs<S: Simd>(block: Block<S>) -> Signs {
    let others = block.are(b'/') | block.are(b'+') | block.are(b'-') | block.are(b'_');
    Signs {
        letters: block.lower().within(b'a', b'z').to_bitmask(),
        digits: block.within(b'0', b'9').to_bitmask(),
        others: others.to_bitmask(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::signs::is_sign;
    use crate::views::block::{dispatch, levels};

    fn by_byte(block: &[u8; BLOCK]) -> Signs {
        let mask = |is: fn(u8) -> bool| block.iter().rev().fold(0, |mask, byte| mask << 1 | u64::from(is(*byte)));
        let letters = mask(|byte| byte.is_ascii_alphabetic());
        let digits = mask(|byte| byte.is_ascii_digit());
        Signs { letters, digits, others: mask(is_sign) & !letters & !digits }
    }

    fn add(runs: &mut Runs, block: &[u8; BLOCK]) -> bool {
        dispatch!(levels()[0], simd => runs.add(simd, block))
    }

    #[test]
    fn all_bytes_are_told_apart_at_all_places() {
        for around in [b'a', b'-', b'~', b'5', 0xff] {
            for byte in 0..=u8::MAX {
                let mut block = [around; BLOCK];
                block[usize::from(byte) % BLOCK] = byte;
                for level in levels() {
                    let signs = dispatch!(level, simd => signs(Block::of(simd, &block)));
                    assert_eq!(signs, by_byte(&block), "{byte} {level:?}");
                }
            }
        }
    }

    #[test]
    fn runs_are_found_where_they_have_their_last_sign() {
        let words = [("abcdefghij-lmnopqrst", RUN), ("ABCDEFGHIJ_LMNOPQRSTU/+", RUN), ("abcdefgh9j", MIXED_RUN)];
        for (run, least) in words {
            for at in 0..2 * BLOCK {
                let text = format!("{}{run} abcdefghij 0123456 abc{}", " ".repeat(at), " ".repeat(4 * BLOCK));
                let mut runs = Runs::default();
                let found: Vec<bool> =
                    text.as_bytes().as_chunks().0.iter().map(|block| add(&mut runs, block)).collect();
                for (n, found) in found.iter().enumerate() {
                    let ends = (at + least - 1..at + run.len()).any(|end| end / BLOCK == n);
                    assert_eq!(*found, ends, "{run} at {at}, block {n}");
                }
            }
            // One sign less is none.
            let mut block = [b' '; BLOCK];
            block[..least - 1].copy_from_slice(&run.as_bytes()[..least - 1]);
            assert!(!add(&mut Runs::default(), &block), "{run}");
        }
    }
}
