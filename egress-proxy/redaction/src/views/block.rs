//! Questions about 64 bytes at once; an answer has one bit for each byte.

/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;

#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
pub(crate) use wide::Block;

#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
pub(crate) use each::Block;

/// The blocks of a text, each with its first byte. What follows the end of the last, of which a text of whole blocks has an
/// empty one, is `filler`.
#[inline(always)]
pub(crate) fn blocks(text: &[u8], filler: u8) -> impl Iterator<Item = (usize, Block)> {
    let (whole, rest) = text.as_chunks::<BLOCK>();
    let mut last = [filler; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    let end = whole.len();
    let whole = whole.iter().enumerate().map(|(n, block)| (n * BLOCK, Block::of(block)));
    whole.chain(std::iter::once_with(move || (end * BLOCK, Block::of(&last))))
}

/// The places of a mask's bits.
pub(crate) fn places(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (mask != 0).then(|| mask.trailing_zeros() as usize)?;
        mask &= mask - 1;
        Some(place)
    })
}

/// With the instructions that every x86-64 processor has.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod wide {
    use std::ops::BitOr;

    use safe_arch::{
        add_i8_m128i, bitor_m128i, cmp_eq_mask_i8_m128i, load_unaligned_m128i, m128i, min_u8_m128i, move_mask_i8_m128i,
        set_splat_i8_m128i, sub_i8_m128i,
    };

    use super::BLOCK;

    #[derive(Clone, Copy)]
    pub(crate) struct Block([m128i; 4]);

    impl Block {
        #[inline(always)]
        pub(crate) fn of(bytes: &[u8; BLOCK]) -> Self {
            let quarters = bytes.as_chunks().0;
            Self(std::array::from_fn(|n| load_unaligned_m128i(&quarters[n])))
        }

        /// As a text in small letters, if it is one of ASCII.
        #[inline(always)]
        pub(crate) fn lower(self) -> Self {
            Self(self.0.map(|quarter| bitor_m128i(quarter, set_splat_i8_m128i(0x20))))
        }

        /// The bytes that are `byte`.
        #[inline(always)]
        pub(crate) fn are(self, byte: u8) -> Flags {
            Flags(self.0.map(|quarter| cmp_eq_mask_i8_m128i(quarter, set_splat_i8_m128i(byte as i8))))
        }

        /// The bytes from `first` to `last`.
        #[inline(always)]
        pub(crate) fn within(self, first: u8, last: u8) -> Flags {
            let (first, most) = (set_splat_i8_m128i(first as i8), set_splat_i8_m128i((last - first) as i8));
            Flags(self.0.map(|quarter| {
                let above = sub_i8_m128i(quarter, first);
                cmp_eq_mask_i8_m128i(min_u8_m128i(above, most), above)
            }))
        }

        /// The letters, digits and what else is a sign of base64, of both alphabets. All questions of a quarter in a row:
        /// more of them do not fit the registers.
        #[inline(always)]
        pub(crate) fn signs(self) -> u64 {
            let quarter = |n: usize| {
                let quarter = self.0[n];
                let is = |byte: u8| cmp_eq_mask_i8_m128i(quarter, set_splat_i8_m128i(byte as i8));
                let up_to = |above, most| cmp_eq_mask_i8_m128i(min_u8_m128i(above, set_splat_i8_m128i(most)), above);
                let lower = bitor_m128i(quarter, set_splat_i8_m128i(0x20));
                let letters = up_to(sub_i8_m128i(lower, set_splat_i8_m128i(b'a' as i8)), 25);
                let digits = up_to(sub_i8_m128i(quarter, set_splat_i8_m128i(b'/' as i8)), 10);
                let marks = bitor_m128i(bitor_m128i(is(b'+'), is(b'-')), is(b'_'));
                let all = bitor_m128i(bitor_m128i(letters, digits), marks);
                u64::from(move_mask_i8_m128i(all) as u16) << (n * 16)
            };
            (quarter(0) | quarter(1)) | (quarter(2) | quarter(3))
        }

        /// The bytes with their highest bit.
        #[inline(always)]
        pub(crate) fn highest(self) -> Flags {
            Flags(self.0)
        }

        /// Each byte without its highest bit, the others being one higher.
        #[inline(always)]
        pub(crate) fn doubled(self) -> Self {
            Self(self.0.map(|quarter| add_i8_m128i(quarter, quarter)))
        }
    }

    /// Of which bytes of a block something holds.
    #[derive(Clone, Copy)]
    pub(crate) struct Flags([m128i; 4]);

    impl Flags {
        #[inline(always)]
        pub(crate) fn bits(self) -> u64 {
            let bits = |n: usize| u64::from(move_mask_i8_m128i(self.0[n]) as u16) << (n * 16);
            (bits(0) | bits(1)) | (bits(2) | bits(3))
        }
    }

    impl BitOr for Flags {
        type Output = Self;

        #[inline(always)]
        fn bitor(self, other: Self) -> Self {
            Self(std::array::from_fn(|n| bitor_m128i(self.0[n], other.0[n])))
        }
    }
}

/// Byte by byte.
#[cfg_attr(all(target_arch = "x86_64", target_feature = "sse2"), cfg(test))]
mod each {
    use std::ops::BitOr;

    use super::BLOCK;

    #[derive(Clone, Copy)]
    pub(crate) struct Block([u8; BLOCK]);

    impl Block {
        pub(crate) fn of(bytes: &[u8; BLOCK]) -> Self {
            Self(*bytes)
        }

        pub(crate) fn lower(self) -> Self {
            Self(self.0.map(|byte| byte | 0x20))
        }

        pub(crate) fn are(self, byte: u8) -> Flags {
            self.within(byte, byte)
        }

        pub(crate) fn within(self, first: u8, last: u8) -> Flags {
            let bits = self.0.iter().zip(0..).map(|(byte, n)| u64::from((first..=last).contains(byte)) << n);
            Flags(bits.fold(0, |all, bit| all | bit))
        }

        pub(crate) fn signs(self) -> u64 {
            let is = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-/_".contains(byte);
            self.0.iter().zip(0..).fold(0, |all, (byte, n)| all | u64::from(is(byte)) << n)
        }

        pub(crate) fn highest(self) -> Flags {
            self.within(0x80, 0xff)
        }

        pub(crate) fn doubled(self) -> Self {
            Self(self.0.map(|byte| byte << 1))
        }
    }

    /// Of which bytes of a block something holds.
    #[derive(Clone, Copy)]
    pub(crate) struct Flags(u64);

    impl Flags {
        pub(crate) fn bits(self) -> u64 {
            self.0
        }
    }

    impl BitOr for Flags {
        type Output = Self;

        fn bitor(self, other: Self) -> Self {
            Self(self.0 | other.0)
        }
    }
}

#[cfg(all(test, target_arch = "x86_64", target_feature = "sse2"))]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_same_answers() {
        let texts = (0..4).map(|n| std::array::from_fn::<u8, BLOCK, _>(|at| (n * 64 + at) as u8));
        for bytes in texts.chain([[b'x'; BLOCK], std::array::from_fn(|at| (at * 7 % 251) as u8)]) {
            let (wide, each) = (Block::of(&bytes), each::Block::of(&bytes));
            assert_eq!(wide.signs(), each.signs());
            assert_eq!(wide.highest().bits(), each.highest().bits());
            assert_eq!(wide.doubled().highest().bits(), each.doubled().highest().bits());
            for byte in 0..=u8::MAX {
                assert_eq!(wide.are(byte).bits(), each.are(byte).bits(), "{byte}");
                let (small, digits) = (wide.lower().are(byte), each.lower().are(byte));
                assert_eq!((small | wide.are(b'5')).bits(), (digits | each.are(b'5')).bits(), "{byte}");
                for last in [byte, byte.saturating_add(1), byte.saturating_add(30), 0xff] {
                    assert_eq!(wide.within(byte, last).bits(), each.within(byte, last).bits(), "{byte} {last}");
                }
            }
        }
    }

    #[test]
    fn all_of_a_text_lies_in_blocks() {
        for len in [0, 1, 63, 64, 65, 128, 150] {
            let text = vec![b'a'; len];
            let all: Vec<usize> =
                blocks(&text, 0).flat_map(|(at, block)| places(block.are(b'a').bits()).map(move |n| at + n)).collect();
            assert_eq!(all, (0..len).collect::<Vec<_>>());
            assert_eq!(
                blocks(&text, b'b').map(|(_, block)| block.are(b'b').bits().count_ones()).sum::<u32>() as usize,
                64 - len % 64
            );
        }
    }
}
