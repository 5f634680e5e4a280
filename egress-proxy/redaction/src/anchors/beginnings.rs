//! How keywords begin: which last bytes of a piece of text must wait for the next.

use super::{Keyword, WINDOW};

/// One bit for each pair of bytes.
const PAIRS: usize = (1 << 16) / 64;

/// How keywords begin: which last bytes of a piece of text must wait for the next.
pub(super) struct Beginnings {
    /// By the folded first byte.
    one: [bool; 256],
    /// One bit for the folded first two bytes; for the hash of three, or of two that are a whole keyword; of four; of eight.
    two: Bits,
    three: Bits,
    four: Bits,
    eight: Bits,
    /// Bytes up to the end of a window, at most.
    longest: usize,
}

/// A set of hashes.
struct Bits(Box<[u64; PAIRS]>);

impl Bits {
    fn insert(&mut self, bit: u16) {
        self.0[usize::from(bit >> 6)] |= 1 << (bit & 63);
    }

    fn has(&self, bit: u16) -> bool {
        self.0[usize::from(bit >> 6)] >> (bit & 63) & 1 != 0
    }
}

impl Beginnings {
    pub(super) fn new(keywords: &[Keyword]) -> Self {
        let bits = || Bits(Box::new([0; PAIRS]));
        let (mut one, mut two, mut three, mut four, mut eight) = ([false; 256], bits(), bits(), bits(), bits());
        for keyword in keywords {
            if let [first, second, ..] = *keyword.text {
                one[usize::from(first)] = true;
                two.insert(u16::from_le_bytes([first, second]));
            }
            match *keyword.text {
                [first, second] => three.insert(hash([first, second, 0, 0])),
                [first, second, third, ..] => three.insert(hash([first, second, third, 0])),
                _ => {}
            }
            if let Some(first) = keyword.text.first_chunk() {
                four.insert(hash(*first));
            }
            if let Some(first) = keyword.text.first_chunk() {
                eight.insert(hash_eight(*first));
            }
        }
        let longest = keywords.iter().map(|keyword| keyword.text.len()).max().unwrap_or(0);
        Self { one, two, three, four, eight, longest }
    }

    pub(super) fn first(&self, text: &[u8], keywords: &[Keyword]) -> usize {
        let earliest = text.len().saturating_sub(self.longest.max(WINDOW) - 1);
        let end = text[earliest..].to_ascii_lowercase();
        let begun = (0..end.len()).find(|&at| self.can_begin(&end[at..], keywords));
        begun.map_or(text.len(), |at| earliest + at)
    }

    /// Whether a keyword begins with `tail`, which is in small letters; or is shorter, but found by a window that reaches
    /// behind its end. Sometimes says so without reason of three bytes, never of more.
    fn can_begin(&self, tail: &[u8], keywords: &[Keyword]) -> bool {
        match *tail {
            [] => false,
            [a] => self.one[usize::from(a)],
            [a, b] => self.two.has(u16::from_le_bytes([a, b])),
            // What can begin no keyword does not begin one with a byte more.
            [a, b, c] => {
                self.two.has(u16::from_le_bytes([a, b]))
                    && (self.three.has(hash([a, b, c, 0])) || self.three.has(hash([a, b, 0, 0])))
            }
            [a, b, c, d, ..] => {
                let eight = tail.first_chunk().is_none_or(|first| self.eight.has(hash_eight(*first)));
                self.four.has(hash([a, b, c, d])) && eight && {
                    let next = keywords.partition_point(|keyword| *keyword.text < *tail);
                    keywords.get(next).is_some_and(|keyword| keyword.text.starts_with(tail))
                }
            }
        }
    }
}

fn hash(first: [u8; 4]) -> u16 {
    (u32::from_le_bytes(first).wrapping_mul(0x9e37_79b1) >> 16) as u16
}

fn hash_eight(first: [u8; 8]) -> u16 {
    (u64::from_le_bytes(first).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16
}
