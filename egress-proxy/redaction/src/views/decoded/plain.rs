//! Where in the bytes that a run stands for text may stand, asked of many signs at once.
//!
//! Each mask has one bit for a sign of a block. A byte is known by the sign that it begins in and by its first bit there, and
//! each of its bits is one bit of that sign or of one further on, so all bytes of a block that begin with the same bit of a
//! sign are read together, whatever stands before them.

use std::array::from_fn;
use std::ops::Range;

use super::LEAST_BYTES;
use super::code::Code;
use crate::views::block::{BLOCK, Simd, dispatch, widest};

const _: () = assert!(LEAST_BYTES == 8);

/// The signs that a text may begin in, by the first bit of its first byte. Not all of them begin one; of every text of
/// [`LEAST_BYTES`] it has the first byte.
pub(super) type Begins<const BITS: usize> = [u64; BITS];

impl<const BITS: usize> Code<BITS> {
    /// Signs of a block that are asked: each text that begins in one, and the characters it begins with, end in the block.
    const ASKED: usize = BLOCK - (BITS - 1 + 8 * (LEAST_BYTES + 3)).div_ceil(BITS);

    /// Where text may begin in a run, by blocks, each with its first sign.
    pub(super) fn begins(&self, run: &[u8]) -> impl Iterator<Item = (usize, Begins<BITS>)> {
        let last = run.len().saturating_sub(BLOCK).next_multiple_of(Self::ASKED);
        (0..=last).step_by(Self::ASKED).map(move |first| {
            let signs = &run[first..run.len().min(first + BLOCK)];
            let asked = if first == last { u64::MAX } else { ones(Self::ASKED) };
            (first, dispatch!(widest(), simd => self.texts(simd, signs)).map(|begins| begins & asked))
        })
    }

    #[inline(always)]
    fn texts<S: Simd>(&self, simd: S, signs: &[u8]) -> Begins<BITS> {
        let planes = self.planes(simd, signs);
        let bytes: [Bytes; BITS] = from_fn(|first| match first % Self::STEP {
            0 => Bytes::new(
                |n| ahead(&planes, first + n),
                ones((signs.len() + 1).saturating_sub((first + 8).div_ceil(BITS))),
            ),
            _ => Bytes::default(),
        });
        let (lead2, lead3, lead4) = (bytes.map(|b| b.lead), bytes.map(|b| b.lead3), bytes.map(|b| b.lead4));
        let trail = bytes.map(|b| b.trail);
        // Well-formed as far as one byte tells: a character's first has the others behind it, those are behind such a one.
        let shown: [u64; BITS] = from_fn(|at| {
            let next = |n: usize| ahead(&trail, at + 8 * n);
            let lead = lead2[at] & next(1) & (!lead3[at] | next(2)) & (!lead4[at] | next(3));
            let led = behind(&lead2, at, 1) | behind(&lead3, at, 2) | behind(&lead4, at, 3);
            bytes[at].ascii | lead | trail[at] & led
        });
        let longer = |texts: [u64; BITS], by: usize| from_fn(|at| texts[at] & ahead(&texts, at + 8 * by));
        longer(longer(longer(shown, 1), 2), 4)
    }
}

/// What stands at a bit of each sign, or so many bits further on.
#[inline(always)]
fn ahead<const BITS: usize>(of: &[u64; BITS], bit: usize) -> u64 {
    of[bit % BITS] >> (bit / BITS)
}

/// What stands so many bytes before a bit of each sign.
#[inline(always)]
fn behind<const BITS: usize>(of: &[u64; BITS], bit: usize, bytes: usize) -> u64 {
    let signs = (8 * bytes).saturating_sub(bit).div_ceil(BITS);
    of[signs * BITS + bit - 8 * bytes] << signs
}

fn ones(count: usize) -> u64 {
    if count < BLOCK { !(u64::MAX << count) } else { u64::MAX }
}

/// What the bytes are that begin with the same bit of their signs.
#[derive(Clone, Copy, Default)]
struct Bytes {
    /// ASCII of a text.
    ascii: u64,
    /// The first of a character of several bytes, of three or four, of four,
    lead: u64,
    lead3: u64,
    lead4: u64,
    /// and the others.
    trail: u64,
}

impl Bytes {
    /// Of bytes of which bit `n`, from the highest, is `bit(n)`.
    #[inline(always)]
    fn new(bit: impl Fn(usize) -> u64, all: u64) -> Self {
        let [b7, b6, b5, b4, b3, b2, b1, b0] = from_fn(bit);
        let zero = !(b4 | b3 | b2 | b1 | b0);
        // Tab and line feed, carriage return, escape.
        let blank = b3 & !b4 & ((!b2 & (b1 ^ b0)) | (b2 & !b1 & b0));
        let control = zero | blank | (b4 & b3 & !b2 & b1 & b0);
        let lead = b7 & b6 & all;
        Self {
            ascii: !b7 & (b6 | b5 | control) & all,
            lead,
            lead3: lead & b5,
            lead4: lead & b5 & b4,
            trail: b7 & !b6 & all,
        }
    }
}

/// The bytes of a run from one of its bits on.
pub(super) struct Reader<'a, const BITS: usize> {
    pub(super) code: &'static Code<BITS>,
    pub(super) run: &'a [u8],
    pub(super) bit: usize,
}

impl<const BITS: usize> Reader<'_, BITS> {
    /// Whole bytes.
    pub(super) fn count(&self) -> usize {
        (self.run.len() * BITS).saturating_sub(self.bit) / 8
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        if at >= self.count() {
            return None;
        }
        let bit = self.bit + 8 * at;
        let value = |n: usize| self.run.get(bit / BITS + n).map_or(0, |sign| u32::from(self.code.value(*sign)));
        let three = (value(0) << BITS | value(1)) << BITS | value(2);
        Some((three >> (3 * BITS - 8 - bit % BITS)) as u8)
    }

    pub(super) fn character(&self, at: usize) -> Character {
        character(|n| self.byte(at + n))
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> impl Iterator<Item = u8> {
        range.map_while(|at| self.byte(at))
    }
}

pub(super) enum Character {
    /// Of so many bytes.
    Text(usize),
    /// It takes more bytes.
    Cut,
    Other,
}

/// What a text begins with. A zero is a half of a wide character.
#[inline(always)]
fn character(byte: impl Fn(usize) -> Option<u8>) -> Character {
    let Some(first) = byte(0) else { return Character::Cut };
    let len = match first {
        b' '..=b'~' | b'\t' | b'\n' | b'\r' | 0 | 0x1b => return Character::Text(1),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Character::Other,
    };
    for n in 1..len {
        match byte(n) {
            Some(next) if next & 0xc0 == 0x80 => {}
            Some(_) => return Character::Other,
            None => return Character::Cut,
        }
    }
    Character::Text(len)
}

#[cfg(test)]
mod tests {
    use super::super::code::{BASE32, BASE64, HEX};
    use super::*;
    use crate::views::block::places;

    /// Every place of a run, by the slow way, with whether [`LEAST_BYTES`] of a text begin there.
    fn all<const BITS: usize>(code: &'static Code<BITS>, run: &[u8]) -> Vec<(usize, bool)> {
        let bits = (0..run.len() * BITS).filter(|bit| (bit % BITS).is_multiple_of(Code::<BITS>::STEP));
        let begins = |bit| {
            let (reader, mut at) = (Reader { code, run, bit }, 0);
            while let Character::Text(len) = reader.character(at) {
                at += len;
            }
            at >= LEAST_BYTES
        };
        bits.map(|bit| (bit, begins(bit))).collect()
    }

    fn compare<const BITS: usize>(code: &'static Code<BITS>, run: &[u8]) -> (usize, usize) {
        let mut asked = std::collections::BTreeSet::new();
        for (first, begins) in code.begins(run) {
            for (bit, begins) in begins.into_iter().enumerate() {
                asked.extend(places(begins).map(|n| (first + n) * BITS + bit));
            }
        }
        let all = all(code, run);
        for (bit, begins) in &all {
            assert!(!begins || asked.contains(bit), "{bit} of {}", String::from_utf8_lossy(run));
        }
        assert!(asked.iter().all(|bit| all.iter().any(|(place, _)| place == bit)), "places that are none");
        (asked.len(), all.iter().filter(|(_, begins)| *begins).count())
    }

    fn written(bytes: &[u8]) -> [String; 3] {
        use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, HEXLOWER};
        [BASE64_NOPAD.encode(bytes), BASE32_NOPAD.encode(bytes), HEXLOWER.encode(bytes)]
    }

    fn compare_all([base64, base32, hex]: &[String; 3]) -> (usize, usize) {
        let each =
            [compare(&BASE64, base64.as_bytes()), compare(&BASE32, base32.as_bytes()), compare(&HEX, hex.as_bytes())];
        each.iter().fold((0, 0), |(asked, begin), (a, b)| (asked + a, begin + b))
    }

    #[test]
    fn no_text_is_missed() {
        let texts = [
            "plain text",
            "h\u{fc}n\u{20ac}\u{1f600}er",
            "\t\r\n\u{1b}[0m ab",
            "\u{43f}\u{430}\u{440}\u{43e}",
            "a\0b\0c\0d\0e\0",
        ];
        for text in texts.map(|text| text.repeat(9)) {
            for noise in [&b"\xff\xfe\x80"[..], b"\xe2\x82", b"\xf0\x9f\x98", b"\x01"] {
                for before in 0..40 {
                    for len in [7, 8, 9, 20, 64, 80] {
                        let end = (0..=text.len().min(len)).rev().find(|at| text.is_char_boundary(*at)).unwrap();
                        let around = noise.repeat(before);
                        let bytes =
                            [&around[..before], &text.as_bytes()[..end], &around[..around.len().min(3)]].concat();
                        let (_, begin) = compare_all(&written(&bytes));
                        assert!(begin >= 3 || end < LEAST_BYTES, "{text} {noise:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn most_of_what_is_no_text_is_refused() {
        let mut state = 1_u64;
        let random: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(3000)
        .collect();
        let (asked, begin) = compare_all(&written(&random));
        assert!(asked < 3 * begin + 30 && begin > 10, "{asked} {begin}");
        for path in ["src/views/decoded/Runs", "usr/lib/x86_64-linux-gnu/libc", "0f9619ff-8b86-d011-b42d-00cf4fc964ff"]
        {
            assert_eq!(compare(&BASE64, path.as_bytes()).0, 0, "{path}");
        }
    }
}
