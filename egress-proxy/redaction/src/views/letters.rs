//! A view of letters and digits alone, in one case: what is left of a value however it is wrapped, spaced or quoted.

use fearless_simd::{Level, Simd as _};

use super::block::widest;
#[cfg(target_arch = "x86_64")]
use super::block::{BLOCK, Block};
#[cfg(target_arch = "x86_64")]
use crate::wide;

/// Bytes that may stand between two letters of one match.
pub(crate) const GAP: usize = 64;
/// Stands where more than [`GAP`] bytes lie between two letters; equals no letter.
pub(crate) const BREAK: u8 = 0;
/// Bytes of the text between two marks. Below half of [`GAP`], so that each longer gap holds a whole stretch.
const STRETCH: usize = 32;

/// What the view makes of each byte: a small letter or a digit as it is, or nothing.
pub(crate) const KEPT: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if (byte as u8).is_ascii_alphanumeric() {
            table[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// The same of two bytes: what is kept of them, and above it how many that are.
static PAIRS: [u32; 1 << 16] = {
    let mut table = [0; 1 << 16];
    let mut pair = 0;
    while pair < 1 << 16 {
        let [first, second] = (pair as u16).to_le_bytes();
        let (first, second) = (KEPT[first as usize], KEPT[second as usize]);
        let kept = if first == 0 { [second, 0] } else { [first, second] };
        let count = (first != 0) as u32 + (second != 0) as u32;
        table[pair] = u16::from_le_bytes(kept) as u32 | count << 16;
        pair += 1;
    }
    table
};

/// Puts what is kept of a stretch into `out`; how many that are. Two bytes at once, since each step waits for the one before.
#[inline(always)]
fn keep(stretch: &[u8; STRETCH], out: &mut [u8; STRETCH + 1]) -> usize {
    let mut count = 0;
    for pair in stretch.as_chunks::<2>().0 {
        let kept = PAIRS[usize::from(u16::from_le_bytes(*pair))];
        let at = count & (STRETCH - 1);
        out[at..at + 2].copy_from_slice(&(kept as u16).to_le_bytes());
        count += (kept >> 16) as usize;
    }
    count
}

/// The letters of a text. The buffers are kept from one text to the next.
#[derive(Default)]
pub(crate) struct Letters {
    bytes: Vec<u8>,
    len: usize,
    /// For each stretch of the text, how many letters come before it.
    marks: Vec<u32>,
}

impl Letters {
    /// Reads a text.
    pub(crate) fn read(&mut self, text: &[u8]) {
        // Room for a break in each stretch.
        let most = text.len() + text.len() / STRETCH + 2 * STRETCH;
        if self.bytes.len() < most {
            self.bytes.resize(most, 0);
        }
        self.marks.clear();
        self.len = 0;
        let first = match widest() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(simd) if text.len() >= BLOCK => simd.vectorize(
                #[inline(always)]
                || self.read_blocks(simd, text),
            ),
            _ => 0,
        };
        let (whole, rest) = text[first..].as_chunks();
        // What follows the rest is no letter.
        let mut last = [0; STRETCH];
        last[..rest.len()].copy_from_slice(rest);
        let stretches = whole.iter().chain((!rest.is_empty()).then_some(&last));
        for (number, stretch) in stretches.enumerate() {
            self.stretch(text, first + number * STRETCH, stretch);
        }
    }

    /// Reads the stretch of a text that begins at `from`.
    #[inline]
    fn stretch(&mut self, text: &[u8], from: usize, stretch: &[u8; STRETCH]) {
        self.marks.push(self.len as u32);
        let Some(out) = self.bytes[self.len..].first_chunk_mut() else { return };
        let mut count = keep(stretch, out);
        if count == 0 && self.len > 0 && is_broken(text, from) {
            out[0] = BREAK;
            count = 1;
        }
        self.len += count;
    }

    /// Reads the text as far as whole blocks of it go, with the instruction that puts the bytes of a mask behind each other.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn read_blocks(&mut self, simd: fearless_simd::Avx512, text: &[u8]) -> usize {
        const _: () = assert!(BLOCK == 2 * STRETCH);
        let blocks = text.as_chunks().0;
        for (number, bytes) in blocks.iter().enumerate() {
            let block = Block::of(simd, bytes);
            let letters = block.alphanumeric();
            let [first, second] = [letters as u32, (letters >> STRETCH) as u32].map(u32::count_ones);
            match self.bytes[self.len..].first_chunk_mut() {
                Some(out) if first > 0 && second > 0 => *out = wide::kept(simd, &block.lower().bytes(), letters),
                _ => {
                    for (n, stretch) in bytes.as_chunks().0.iter().enumerate() {
                        self.stretch(text, number * BLOCK + n * STRETCH, stretch);
                    }
                    continue;
                }
            }
            self.marks.extend([self.len as u32, self.len as u32 + first]);
            self.len += (first + second) as usize;
        }
        blocks.len() * BLOCK
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The last `most` letters behind the last break, and whether there are more.
    pub(crate) fn run(&self, most: usize) -> (&[u8], bool) {
        let bytes = self.bytes();
        let last = &bytes[bytes.len().saturating_sub(most)..];
        match memchr::memrchr(BREAK, last) {
            Some(at) => (&last[at + 1..], false),
            None => (last, bytes.len() > most && bytes[bytes.len() - most - 1] != BREAK),
        }
    }

    /// Where in `text`, which was read, the letter `at` stands.
    pub(crate) fn place(&self, text: &[u8], at: usize) -> usize {
        let stretch = self.marks.partition_point(|&mark| mark as usize <= at) - 1;
        let before = at - self.marks[stretch] as usize;
        let from = stretch * STRETCH;
        let place =
            text[from..].iter().take(STRETCH).enumerate().filter(|(_, b)| b.is_ascii_alphanumeric()).nth(before);
        from + place.map_or(0, |(place, _)| place)
    }
}

/// Whether the stretch from `from` on, which has no letters, lies in a gap that no match bridges.
#[cold]
fn is_broken(text: &[u8], from: usize) -> bool {
    let other = |b: &&u8| !b.is_ascii_alphanumeric();
    let before = text[..from].iter().rev().take(GAP + 1).take_while(other).count();
    let after = text[from..].iter().take(GAP + 1).take_while(other).count();
    before + after > GAP
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Letters {
        let mut letters = Letters::default();
        letters.read(text);
        let mut by_stretch = Letters { bytes: vec![0; 2 * text.len() + 2 * STRETCH], ..Letters::default() };
        for (n, stretch) in text.chunks(STRETCH).enumerate() {
            let mut padded = [0; STRETCH];
            padded[..stretch.len()].copy_from_slice(stretch);
            by_stretch.stretch(text, n * STRETCH, &padded);
        }
        assert_eq!((letters.bytes(), &letters.marks), (by_stretch.bytes(), &by_stretch.marks));
        letters
    }

    #[test]
    fn letters_stay_and_know_their_place() {
        let text = "Ab-c \u{e9} D9/+e\n".repeat(30);
        let letters = read(text.as_bytes());
        assert_eq!(letters.bytes(), b"abcd9e".repeat(30));
        for at in 0..letters.bytes().len() {
            let place = letters.place(text.as_bytes(), at);
            assert_eq!(text.as_bytes()[place].to_ascii_lowercase(), letters.bytes()[at]);
            assert_eq!(text.as_bytes()[..place].iter().filter(|b| b.is_ascii_alphanumeric()).count(), at);
        }
    }

    #[test]
    fn a_gap_breaks_wherever_it_lies() {
        for from in 1..70 {
            for gap in [1, 31, 32, 63, 64, 65, 66, 100, 130] {
                let text = [&b"a".repeat(from)[..], &b"-".repeat(gap), b"b"].concat();
                let letters = read(&text);
                let breaks = letters.bytes().iter().filter(|&&b| b == BREAK).count();
                assert_eq!(breaks > 0, gap > 64, "{from} {gap}");
                assert_eq!(letters.place(&text, letters.bytes().len() - 1), text.len() - 1);
            }
        }
    }
}
