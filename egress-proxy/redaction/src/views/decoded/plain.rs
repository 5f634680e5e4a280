//! Where in decoded bytes text may stand.

use super::{LEAST_BYTES, SAMPLE};

/// Equals no byte of a text.
const NO_TEXT: u8 = 1;
/// Windows that are asked at once whether they may lie in a text.
const ASKED: usize = 32;
/// Bytes that are no text where none of those may: windows around every sample in them were asked.
pub(super) const QUIET: usize = ASKED - SAMPLE;

/// The bytes of a run, read from one of its bits on.
#[derive(Default)]
pub(super) struct Stream {
    /// Before and behind them stands [`NO_TEXT`].
    bytes: Vec<u8>,
    /// For each byte whether it and the next can be neighbours in a text.
    flags: Vec<u8>,
    count: usize,
}

impl Stream {
    /// Reads `count` bytes from bit `bit` of `run` on, which has one more.
    pub(super) fn read(&mut self, run: &[u8], bit: usize, count: usize) {
        let len = (SAMPLE + count + QUIET + ASKED).next_multiple_of(ASKED);
        self.bytes.clear();
        self.bytes.resize(len + 1, NO_TEXT);
        self.count = count;
        let shifted = &mut self.bytes[SAMPLE..SAMPLE + count];
        for ((byte, first), second) in shifted.iter_mut().zip(run).zip(&run[1..]) {
            *byte = first << bit | (second >> 1) >> (7 - bit);
        }
        self.flags.resize(len.max(self.flags.len()), 0);
        let chunks = self.bytes.as_chunks::<ASKED>().0.iter().zip(self.bytes[1..].as_chunks::<ASKED>().0);
        for (flags, (first, second)) in self.flags.as_chunks_mut::<ASKED>().0.iter_mut().zip(chunks) {
            for at in 0..ASKED {
                flags[at] = u8::from(may_be_neighbours(first[at], second[at]));
            }
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[SAMPLE..SAMPLE + self.count]
    }

    /// Whether no text of [`LEAST_BYTES`] holds one of the samples at `at` and up to [`QUIET`] bytes further.
    pub(super) fn is_quiet(&self, at: usize) -> bool {
        // The windows begin a sample earlier.
        let Some(flags) = self.flags[at..].first_chunk::<{ ASKED + LEAST_BYTES }>() else { return false };
        let mut any = 0;
        for n in 0..ASKED {
            let four = |n: usize| flags[n] & flags[n + 1] & flags[n + 2] & flags[n + 3];
            any |= four(n) & four(n + 3);
        }
        any == 0
    }
}

/// Whether two bytes may be neighbours in a text, of which the first is one. Does not know all that cannot.
#[inline(always)]
fn may_be_neighbours(first: u8, second: u8) -> bool {
    let (head, tail) = (first >= 0xc0, first & 0xc0 == 0x80);
    let shown = (first.wrapping_sub(b' ') < 0x5f) | (first.wrapping_sub(b'\t') < 5) | (first == 0) | (first == 0x1b);
    let ascii = shown & (second & 0xc0 != 0x80);
    ascii | (head & (second & 0xc0 == 0x80)) | tail
}

/// Bytes of a text: ASCII that prints, and what characters beyond it are made of.
static TEXT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8, b' '..=b'~' | b'\t' | b'\n' | b'\r' | 0 | 0x1b | 0x80..=0xbf | 0xc2..=0xf4);
        byte += 1;
    }
    table
};

/// Whether some bytes may be within a text.
#[inline(always)]
pub(super) fn is_sample(byte: impl Fn(usize) -> u8) -> bool {
    // Most are refused by this.
    let [first, second, third, fourth] = [byte(0), byte(1), byte(2), byte(3)];
    let continues = |a: u8, b: u8| (b & 0xc0 == 0x80) == (a >= 0xc2) || a & b & 0xc0 == 0x80 || a & 0xc0 == 0x80;
    let may_be = TEXT[usize::from(first)]
        & TEXT[usize::from(second)]
        & TEXT[usize::from(third)]
        & TEXT[usize::from(fourth)]
        & continues(first, second)
        & continues(second, third)
        & continues(third, fourth);
    if !may_be {
        return false;
    }
    // What is left of a character that begins before.
    let mut at = (0..SAMPLE - 1).take_while(|&n| byte(n) & 0xc0 == 0x80).count();
    while at < SAMPLE {
        match character(|n| (at + n < SAMPLE).then(|| byte(at + n))) {
            Character::Text(len) => at += len,
            Character::Cut => return true,
            Character::Other => return false,
        }
    }
    true
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
pub(super) fn character(byte: impl Fn(usize) -> Option<u8>) -> Character {
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
