//! Codes that write bytes as signs of a few bits each.

use std::ops::Range;

use super::LEAST_SIGNS;

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

    /// What a sign of this code stands for.
    pub(super) fn value(&self, sign: u8) -> u8 {
        self.values[usize::from(sign)]
    }
}
