//! Codes that write bytes as signs of a few bits each.

use std::ops::Range;

use fearless_simd::SimdMask as _;

use super::LEAST_SIGNS;
use crate::views::block::{BLOCK, Block, Simd};

/// Not a sign of a code.
const NONE: u8 = 0xff;

/// A code whose signs stand for `BITS` bits each.
pub(super) struct Code<const BITS: usize> {
    values: [u8; 256],
}

pub(super) static BASE64: Code<6> = {
    let mut values = [NONE; 256];
    let mut n = 0;
    while n < 26 {
        values[b'A' as usize + n] = n as u8;
        values[b'a' as usize + n] = 26 + n as u8;
        if n < 10 {
            values[b'0' as usize + n] = 52 + n as u8;
        }
        n += 1;
    }
    // Both alphabets: nobody mixes them, and whoever does hides nothing.
    values[b'+' as usize] = 62;
    values[b'-' as usize] = 62;
    values[b'/' as usize] = 63;
    values[b'_' as usize] = 63;
    Code { values }
};

pub(super) static BASE32: Code<5> = {
    let mut values = [NONE; 256];
    let mut n = 0;
    while n < 26 {
        values[b'A' as usize + n] = n as u8;
        if n < 6 {
            values[b'2' as usize + n] = 26 + n as u8;
        }
        n += 1;
    }
    Code { values }
};

pub(super) static HEX: Code<4> = {
    let mut values = [NONE; 256];
    let mut n = 0;
    while n < 16 {
        values[b"0123456789abcdef"[n] as usize] = n as u8;
        values[b"0123456789ABCDEF"[n] as usize] = n as u8;
        n += 1;
    }
    Code { values }
};

impl<const BITS: usize> Code<BITS> {
    /// Bits of a run between two at which a byte can begin.
    pub(super) const STEP: usize = match BITS {
        4 => 4,
        5 => 1,
        _ => 2,
    };

    pub(super) fn has(&self, byte: u8) -> bool {
        self.values[usize::from(byte)] != NONE
    }

    /// The next signs in a row that are this code's and enough, from `at` on; any at the end of an `open` run.
    pub(super) fn next(&self, signs: &[u8], mut at: usize, open: bool) -> Option<Range<usize>> {
        // From the end of what would be enough: mostly the first sign that is looked at says no.
        while let Some(window) = signs.get(at..at + LEAST_SIGNS) {
            match window.iter().rposition(|b| !self.has(*b)) {
                Some(other) => at += other + 1,
                None => {
                    let end = signs[at..].iter().position(|b| !self.has(*b)).map_or(signs.len(), |len| at + len);
                    return Some(at..end);
                }
            }
        }
        let tail = if open { signs[at..].iter().rev().take_while(|b| self.has(**b)).count() } else { 0 };
        (tail > 0).then(|| signs.len() - tail..signs.len())
    }

    /// What makes the lowest bits of capitals, small letters and digits what they stand for.
    const ADDED: [usize; 3] = match BITS {
        4 => [9, 9, 0],
        5 => [31, 31, 8],
        _ => [63, 25, 36],
    };

    /// What up to [`BLOCK`] signs of this code stand for: the highest bits of all, then the others.
    #[inline(always)]
    pub(super) fn planes<S: Simd>(&self, simd: S, signs: &[u8]) -> [u64; BITS] {
        let mut block = [0; BLOCK];
        block[..signs.len()].copy_from_slice(signs);
        let mut rest = Block::of(simd, &block);
        let mut bit = || {
            rest = rest.doubled();
            rest.highest().to_bitmask()
        };
        let [b6, b5, b4, b3, b2, b1, b0] = std::array::from_fn(|_| bit());
        let (capital, small, digit) = (b6 & !b5, b6 & b5, !b6 & b4);
        let mut planes = [0; BITS];
        let mut carry = 0;
        for (n, low) in [b0, b1, b2, b3, b4, 0].into_iter().take(BITS).enumerate() {
            let is = |kind: usize, signs: u64| if Self::ADDED[kind] >> n & 1 == 1 { signs } else { 0 };
            let added = is(0, capital) | is(1, small) | is(2, digit);
            planes[BITS - 1 - n] = low ^ added ^ carry;
            carry = low & added | carry & (low ^ added);
        }
        if BITS == 6 {
            // Minus and plus, slash and underscore.
            let underscore = capital & b4 & b3 & b2 & b1 & b0;
            let other = underscore | !(b6 | b4);
            planes.iter_mut().for_each(|plane| *plane |= other);
            planes[BITS - 1] &= !other | underscore | b2 & b1;
        }
        planes
    }

    /// What a sign of this code stands for.
    pub(super) fn value(&self, sign: u8) -> u8 {
        self.values[usize::from(sign)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::block::{Level, dispatch};

    fn compare<const BITS: usize>(code: &Code<BITS>) {
        let signs: Vec<u8> = (0..=u8::MAX).filter(|sign| code.has(*sign)).collect();
        for len in 0..=signs.len().min(BLOCK) {
            for signs in signs.windows(len.max(1)).map(|signs| &signs[..len]) {
                let planes = dispatch!(Level::new(), simd => code.planes(simd, signs));
                for (n, sign) in signs.iter().enumerate() {
                    let value = planes.iter().fold(0, |value, plane| value << 1 | (plane >> n & 1) as u8);
                    assert_eq!(value, code.value(*sign), "{}", char::from(*sign));
                }
            }
        }
    }

    #[test]
    fn planes_are_the_bits_of_values() {
        compare(&BASE64);
        compare(&BASE32);
        compare(&HEX);
    }
}
