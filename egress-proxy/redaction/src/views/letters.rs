//! A view of letters and digits alone, in one case: what is left of a value however it is wrapped, spaced or quoted.

/// Bytes that may stand between two letters of one match.
pub(crate) const GAP: usize = 64;
/// Stands where more than [`GAP`] bytes lie between two letters; equals no letter.
const BREAK: u8 = 0;
/// Bytes of the text between two marks. Below half of [`GAP`], so that each longer gap holds a whole stretch.
const STRETCH: usize = 32;

/// What the view makes of each byte: a small letter or a digit as it is, or nothing.
const KEPT: [u8; 256] = {
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
        let most = text.len() + text.len() / STRETCH + STRETCH;
        if self.bytes.len() < most {
            self.bytes.resize(most, 0);
        }
        self.marks.clear();
        self.len = 0;
        for (number, stretch) in text.chunks(STRETCH).enumerate() {
            self.marks.push(self.len as u32);
            let Some(out) = self.bytes[self.len..].first_chunk_mut::<STRETCH>() else { break };
            let mut count = 0;
            for &byte in stretch {
                let kept = KEPT[usize::from(byte)];
                out[count & (STRETCH - 1)] = kept;
                count += usize::from(kept != 0);
            }
            if count == 0 && self.len > 0 && is_broken(text, number * STRETCH) {
                out[0] = BREAK;
                count = 1;
            }
            self.len += count;
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
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

    /// The letters after the last break.
    pub(crate) fn run(&self) -> &[u8] {
        let bytes = self.bytes();
        &bytes[memchr::memrchr(BREAK, bytes).map_or(0, |at| at + 1)..]
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
                assert_eq!(letters.run().len(), 1 + if gap > 64 { 0 } else { from });
            }
        }
        assert_eq!(read(&[&b"ab"[..], &b" ".repeat(64)].concat()).run(), b"ab");
        assert_eq!(read(&[&b"ab"[..], &b" ".repeat(65)].concat()).run(), b"");
    }
}
