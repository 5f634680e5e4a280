//! The same questions asked of eight or sixteen places at once, which takes a table that can be read at as many.

use fearless_simd::{Avx512, Level, prelude::*, u64x8};

use super::sieve::SIEVE_WORDS;
use super::{Keys, LETTER};
use crate::views::block::{BLOCK, places, widest};
use crate::wide::{eights, fours, look_up, ones, windows};

/// Adds places that a sieve lets through and of which `seen` holds; how far that came.
#[inline(always)]
pub(super) fn sift<const WINDOW: usize, const STEP: usize>(
    keys: Keys,
    sieve: &[u32; SIEVE_WORDS],
    seen: impl Fn(u64) -> u64,
    bytes: &[u8],
    found: &mut Vec<u32>,
) -> usize {
    match widest() {
        Level::Avx512(simd) if WINDOW == 4 && bytes.len() >= 48 * STEP + BLOCK => simd.vectorize(
            #[inline(always)]
            || sift_fours::<WINDOW, STEP>(simd, keys, sieve, seen, bytes, found),
        ),
        _ => 0,
    }
}

#[inline(always)]
fn sift_fours<const WINDOW: usize, const STEP: usize>(
    simd: Avx512,
    keys: Keys,
    sieve: &[u32; SIEVE_WORDS],
    seen: impl Fn(u64) -> u64,
    bytes: &[u8],
    found: &mut Vec<u32>,
) -> usize {
    // The upper half of a hash of four bytes.
    let factor = keys.factor as u32;
    // Others are not asked for here.
    let order = const { windows(0, if WINDOW == 4 { STEP } else { 1 }, 4) };
    let mut at = 0;
    while let Some(text) = bytes.get(at..).and_then(|rest| rest.get(..48 * STEP + BLOCK)) {
        let mut hashes = [0; 64];
        for (part, hashes) in hashes.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let block = text[part * 16 * STEP..].first_chunk().unwrap_or(&[0; BLOCK]);
            *hashes = (fours(simd, block, &order) * factor).into();
        }
        let [words, bits] = [32 - SIEVE_WORDS.trailing_zeros(), 27 - SIEVE_WORDS.trailing_zeros()];
        let passed = look_up(sieve, &hashes, |hash| ((hash >> words) as usize, hash >> bits & 31));
        let passed = ones(simd, &passed);
        for place in places(passed).map(|n| n * STEP) {
            if let Some(eight) = text[place..].first_chunk()
                && seen(u64::from_le_bytes(*eight)) & 1 == 1
            {
                found.push((at + place) as u32);
            }
        }
        at += 64 * STEP;
    }
    at
}

/// Adds places of which a window may be one of `words`, those of small letters in the first of them; how far that came.
#[inline(always)]
pub(super) fn probe<const BITS: usize, const WINDOW: usize, const STEP: usize, const N: usize>(
    keys: Keys,
    words: &[u64; N],
    letters: usize,
    bytes: &[u8],
    found: &mut Vec<u32>,
) -> usize {
    match widest() {
        Level::Avx512(simd) if bytes.len() >= 56 * STEP + BLOCK => simd.vectorize(
            #[inline(always)]
            || probe_eights::<BITS, WINDOW, STEP, N>(simd, keys, words, letters, bytes, found),
        ),
        _ => 0,
    }
}

#[inline(always)]
fn probe_eights<const BITS: usize, const WINDOW: usize, const STEP: usize, const N: usize>(
    simd: Avx512,
    keys: Keys,
    words: &[u64; N],
    letters: usize,
    bytes: &[u8],
    found: &mut Vec<u32>,
) -> usize {
    let order = const { windows(0, STEP, 8) };
    let (factor, letter) = (keys.factor << (64 - 8 * WINDOW), LETTER >> (64 - 8 * WINDOW));
    let mut at = 0;
    while let Some(text) = bytes.get(at..).and_then(|rest| rest.get(..56 * STEP + BLOCK)) {
        let (mut hashes, mut entries) = ([0; 64], [0; 64]);
        for part in 0..8 {
            let block = text[part * 8 * STEP..].first_chunk().unwrap_or(&[0; BLOCK]);
            let eights = eights(simd, block, &order);
            let hash = eights * factor;
            let [some, all]: [u64x8<_>; 2] = [letters as u64, u64::MAX].map(|mask| mask.simd_into(simd));
            let mask = (eights & letter).simd_eq(letter).select(some, all);
            hash.store_slice(&mut hashes[8 * part..][..8]);
            (hash >> (64 - N.trailing_zeros()) & mask).store_slice(&mut entries[8 * part..][..8]);
        }
        let mut passed = [0; 64];
        for (passed, (hash, entry)) in passed.iter_mut().zip(hashes.into_iter().zip(entries)) {
            let word = words[entry as usize & (N - 1)];
            let second = if BITS == 1 { 1 } else { word >> (hash >> 32 & 63) };
            *passed = (word >> (hash >> 38 & 63) & second & 1) as u32;
        }
        let passed = ones(simd, &passed);
        found.extend(places(passed).map(|n| (at + n * STEP) as u32));
        at += 64 * STEP;
    }
    at
}
