//! What the widest instructions of a processor do with a block of bytes: its windows as numbers side by side, and bytes put
//! behind each other. They need AVX-512 as servers have it since 2021; whoever asks has another way for the others.
//!
//! A table is read at many places at once by an instruction that the compiler knows, in a loop over more of them than it
//! would write out one after the other.

use fearless_simd::{Avx512, prelude::*, u8x64, u32x16, u64x8};

use crate::views::block::BLOCK;

/// Which bytes of a block its windows of `width` bytes hold, of which one begins at `first` and each `step` bytes further on.
pub(crate) const fn windows(first: usize, step: usize, width: usize) -> [u8; BLOCK] {
    let mut order = [0; BLOCK];
    let mut at = 0;
    while at < BLOCK {
        order[at] = (first + at / width * step + at % width) as u8;
        assert!(order[at] < BLOCK as u8, "no window reaches behind the block");
        at += 1;
    }
    order
}

/// The first of some numbers, and each `step` further on.
pub(crate) const fn numbers(first: usize, step: usize) -> [u8; BLOCK] {
    let mut numbers = [0; BLOCK];
    let mut at = 0;
    while at < BLOCK {
        numbers[at] = (first + at * step) as u8;
        at += 1;
    }
    numbers
}

/// Windows of four bytes.
#[inline(always)]
pub(crate) fn fours(simd: Avx512, block: &[u8; BLOCK], windows: &[u8; BLOCK]) -> u32x16<Avx512> {
    in_order(simd, (*block).simd_into(simd), (*windows).simd_into(simd)).bitcast()
}

/// Windows of eight bytes.
#[inline(always)]
pub(crate) fn eights(simd: Avx512, block: &[u8; BLOCK], windows: &[u8; BLOCK]) -> u64x8<Avx512> {
    in_order(simd, (*block).simd_into(simd), (*windows).simd_into(simd)).bitcast()
}

/// For each of some numbers the bit of a table that it stands for: `at` tells the word and the bit in it.
#[inline(always)]
pub(crate) fn look_up<const WORDS: usize, const N: usize>(
    table: &[u32; WORDS],
    numbers: &[u32; N],
    at: impl Fn(u32) -> (usize, u32),
) -> [u32; N] {
    let mut bits = [0; N];
    for (bit, number) in bits.iter_mut().zip(numbers) {
        let (word, shift) = at(*number);
        *bit = table[word % WORDS] >> shift & 1;
    }
    bits
}

/// One bit for each of up to 64 numbers that is 1.
#[inline(always)]
pub(crate) fn ones<const N: usize>(simd: Avx512, numbers: &[u32; N]) -> u64 {
    let parts = numbers.as_chunks::<16>().0.iter().enumerate();
    parts.fold(0, |ones, (part, numbers)| {
        let numbers: u32x16<_> = (*numbers).simd_into(simd);
        ones | numbers.simd_eq(1).to_bitmask() << (16 * part)
    })
}

/// Those of some bytes that a mask has, one behind the other; how many they are only the mask tells.
#[inline(always)]
pub(crate) fn kept(simd: Avx512, bytes: &[u8; BLOCK], mask: u64) -> [u8; BLOCK] {
    compress(simd, (*bytes).simd_into(simd), mask).into()
}

fearless_simd::kernel!(
    #[inline]
    fn in_order(avx512: Avx512, bytes: u8x64<Avx512>, order: u8x64<Avx512>) -> u8x64<Avx512> {
        std::arch::x86_64::_mm512_permutexvar_epi8(order.into(), bytes.into()).simd_into(avx512)
    }
);

fearless_simd::kernel!(
    #[inline]
    fn compress(avx512: Avx512, bytes: u8x64<Avx512>, mask: u64) -> u8x64<Avx512> {
        std::arch::x86_64::_mm512_maskz_compress_epi8(mask, bytes.into()).simd_into(avx512)
    }
);
