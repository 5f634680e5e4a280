//! What is asked before a filter while it has few members.

use fearless_simd::Level;

use super::{place, window, zeroed};
use crate::views::block::widest;

/// Hashes that a sieve tells apart.
pub(super) const SIEVE: usize = 1 << 17;
#[cfg(target_arch = "x86_64")]
pub(super) const SIEVE_WORDS: usize = SIEVE / 32;

/// Something for each hash that there is a member of.
pub(super) enum Sieve {
    /// A byte.
    Bytes(Box<[u8; SIEVE]>),
    /// A bit, where one instruction reads sixteen words.
    #[cfg(target_arch = "x86_64")]
    Bits(Box<[u32; SIEVE_WORDS]>),
}

impl Sieve {
    pub(super) fn new() -> Self {
        match widest() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(_) => Self::Bits(zeroed()),
            _ => Self::Bytes(zeroed()),
        }
    }

    pub(super) fn insert(&mut self, hash: u64) {
        let place = place::<SIEVE>(hash);
        match self {
            Self::Bytes(bytes) => bytes[place] = 1,
            #[cfg(target_arch = "x86_64")]
            Self::Bits(words) => words[place / 32] |= 1 << (place % 32),
        }
    }
}

/// Adds places from `at` on of which `passes` and `seen` hold, eight at once; how far that came.
#[inline(always)]
pub(super) fn sift<const STEP: usize>(
    passes: impl Fn(u64) -> u8,
    seen: impl Fn(u64) -> u64,
    bytes: &[u8],
    mut at: usize,
    places: &mut Vec<u32>,
) -> usize {
    while let Some(eight) = bytes.get(at..at + 7 * STEP + 8) {
        let nth = |n: usize| window::<8>(&eight[n * STEP..n * STEP + 8]);
        if (0..8).fold(0, |any, n| any | passes(nth(n))) != 0 {
            places.extend((0..8).filter(|&n| seen(nth(n)) & 1 == 1).map(|n| (at + n * STEP) as u32));
        }
        at += 8 * STEP;
    }
    at
}
