//! Questions about 64 bytes at once; an answer has one bit for each byte.
//!
//! They are asked with the widest instructions that the processor has, which is looked up once for each stretch of text:
//! `dispatch!(widest(), simd => …)` around a loop, all of whose body must be inlined into it.

pub(crate) use fearless_simd::{Level, Simd, dispatch};
use fearless_simd::{mask8x64, prelude::*, u8x64};

/// What the processor can.
#[inline(always)]
pub(crate) fn widest() -> Level {
    Level::new()
}

/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;

/// The blocks of a text, each with its first byte. What follows the end of the last, of which a text of whole blocks has an
/// empty one, is `filler`.
#[inline(always)]
pub(crate) fn blocks<S: Simd>(simd: S, text: &[u8], filler: u8) -> impl Iterator<Item = (usize, Block<S>)> {
    let (whole, rest) = text.as_chunks::<BLOCK>();
    let mut last = [filler; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    let end = whole.len();
    let whole = whole.iter().enumerate().map(move |(n, block)| (n * BLOCK, Block::of(simd, block)));
    whole.chain(std::iter::once_with(move || (end * BLOCK, Block::of(simd, &last))))
}

/// The places of a mask's bits.
#[inline(always)]
pub(crate) fn places(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (mask != 0).then(|| mask.trailing_zeros() as usize)?;
        mask &= mask - 1;
        Some(place)
    })
}

#[derive(Clone, Copy)]
pub(crate) struct Block<S: Simd>(u8x64<S>);

/// Of which bytes of a block something holds.
pub(crate) type Flags<S> = mask8x64<S>;

impl<S: Simd> Block<S> {
    #[inline(always)]
    pub(crate) fn of(simd: S, bytes: &[u8; BLOCK]) -> Self {
        Self((*bytes).simd_into(simd))
    }

    /// As a text in small letters, if it is one of ASCII.
    #[inline(always)]
    pub(crate) fn lower(self) -> Self {
        Self(self.0 | 0x20)
    }

    /// The bytes that are `byte`.
    #[inline(always)]
    pub(crate) fn are(self, byte: u8) -> Flags<S> {
        self.0.simd_eq(byte)
    }

    /// The bytes from `first` to `last`.
    #[inline(always)]
    pub(crate) fn within(self, first: u8, last: u8) -> Flags<S> {
        (self.0 - first).simd_le(last - first)
    }

    /// The letters, digits and what else is a sign of base64, of both alphabets.
    #[inline(always)]
    pub(crate) fn signs(self) -> u64 {
        let marks = self.are(b'+') | self.are(b'-') | self.are(b'_');
        let signs = self.lower().within(b'a', b'z') | self.within(b'/', b'9') | marks;
        signs.to_bitmask()
    }

    /// Letters and digits.
    #[inline(always)]
    pub(crate) fn alphanumeric(self) -> u64 {
        (self.lower().within(b'a', b'z') | self.within(b'0', b'9')).to_bitmask()
    }

    #[inline(always)]
    pub(crate) fn bytes(self) -> [u8; BLOCK] {
        self.0.into()
    }

    /// The bytes with their highest bit.
    #[inline(always)]
    pub(crate) fn highest(self) -> Flags<S> {
        self.0.simd_ge(0x80)
    }

    /// Each byte without its highest bit, the others being one higher.
    #[inline(always)]
    pub(crate) fn doubled(self) -> Self {
        Self(self.0 + self.0)
    }
}

/// What this processor can, and less.
#[cfg(test)]
pub(crate) fn levels() -> Vec<Level> {
    let best = widest();
    let mut levels = vec![best];
    #[cfg(target_arch = "x86_64")]
    levels.extend([best.as_sse2().map(Simd::level), best.as_avx2().map(Simd::level)].into_iter().flatten());
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that a processor can be asked, by its instructions and byte by byte.
    fn compare<S: Simd>(simd: S, bytes: &[u8; BLOCK]) {
        let block = Block::of(simd, bytes);
        let by_byte =
            |is: &dyn Fn(u8) -> bool| bytes.iter().zip(0..).fold(0, |all, (byte, n)| all | u64::from(is(*byte)) << n);
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"+-/_".contains(&byte);
        assert_eq!(block.signs(), by_byte(&is_sign));
        assert_eq!(block.highest().to_bitmask(), by_byte(&|byte| byte > 0x7f));
        assert_eq!(block.doubled().highest().to_bitmask(), by_byte(&|byte| byte & 0x40 != 0));
        for byte in 0..=u8::MAX {
            assert_eq!(block.are(byte).to_bitmask(), by_byte(&|b| b == byte), "{byte}");
            let either = (block.lower().are(byte) | block.are(b'5')).to_bitmask();
            assert_eq!(either, by_byte(&|b| b | 0x20 == byte || b == b'5'), "{byte}");
            for last in [byte, byte.saturating_add(1), byte.saturating_add(30), 0xff] {
                let within = block.within(byte, last).to_bitmask();
                assert_eq!(within, by_byte(&|b| (byte..=last).contains(&b)), "{byte} {last}");
            }
        }
    }

    #[test]
    fn every_processor_gives_the_same_answers() {
        let texts = (0..4).map(|n| std::array::from_fn::<u8, BLOCK, _>(|at| (n * 64 + at) as u8));
        for bytes in texts.chain([[b'x'; BLOCK], std::array::from_fn(|at| (at * 7 % 251) as u8)]) {
            for level in levels() {
                dispatch!(level, simd => compare(simd, &bytes));
            }
        }
    }

    #[test]
    fn all_of_a_text_lies_in_blocks() {
        for len in [0, 1, 63, 64, 65, 128, 150] {
            let text = vec![b'a'; len];
            dispatch!(widest(), simd => {
                let letters = |at, block: Block<_>| places(block.are(b'a').to_bitmask()).map(move |n| at + n);
                let all: Vec<usize> = blocks(simd, &text, 0).flat_map(|(at, block)| letters(at, block)).collect();
                assert_eq!(all, (0..len).collect::<Vec<_>>());
                let filled = blocks(simd, &text, b'b').map(|(_, block)| block.are(b'b').to_bitmask().count_ones());
                assert_eq!(filled.sum::<u32>() as usize, 64 - len % 64);
            });
        }
    }
}
