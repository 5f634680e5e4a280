//! What a text may hold beside plain words, in one pass that the compiler turns into vector instructions: clean text is
//! spared all closer looks.

/// Bytes that are looked at together.
const CHUNK: usize = 64;
/// Bytes before and after that the signs of a chunk depend on.
const BEFORE: usize = 1;
const AFTER: usize = 6;
const ALL: usize = BEFORE + CHUNK + AFTER;

/// The signs in a text. The buffers are kept from one text to the next.
#[derive(Default)]
pub(crate) struct Signs {
    /// An escape may begin somewhere.
    pub(crate) escapes: bool,
    /// `0x` stands somewhere.
    pub(crate) prefixes: bool,
    /// First bytes of the lines that may begin with the address of a hex dump, in order, beside the first and the last line.
    pub(crate) addresses: Vec<u32>,
}

impl Signs {
    pub(crate) fn read(&mut self, text: &[u8]) {
        *self = Self { addresses: std::mem::take(&mut self.addresses), ..Self::default() };
        self.addresses.clear();
        for at in (0..text.len()).step_by(CHUNK) {
            let mut padded;
            let around = match at.checked_sub(BEFORE).and_then(|from| text[from..].first_chunk::<ALL>()) {
                Some(around) => around,
                None => {
                    padded = [0; ALL];
                    let from = at.saturating_sub(BEFORE);
                    let to = text.len().min(at + CHUNK + AFTER);
                    padded[BEFORE - (at - from)..][..to - from].copy_from_slice(&text[from..to]);
                    &padded
                }
            };
            let (escapes, prefixes, addresses) = chunk(around);
            self.escapes |= escapes;
            self.prefixes |= prefixes;
            if addresses {
                self.find(text, at);
            }
        }
    }

    /// Notes the lines of addresses that begin within a chunk or shortly before.
    #[cold]
    fn find(&mut self, text: &[u8], at: usize) {
        let end = text.len().min(at + CHUNK);
        for blank in (at..end).filter(|&at| is_blank(text[at])) {
            let address = &text[blank + 1..];
            if !address.first_chunk::<4>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                continue;
            }
            let indent = text[..=blank].iter().rev().take_while(|&&b| b == b' ' || b == b'\t').count();
            let line = blank + 1 - indent;
            if line > 0 && text[line - 1] == b'\n' {
                self.addresses.push(line as u32);
            }
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

/// Escapes, prefixes, addresses behind at least two blanks or a line end.
#[inline(always)]
fn chunk(around: &[u8; ALL]) -> (bool, bool, bool) {
    let mut hex = [0_u8; ALL];
    let mut blank = [0_u8; ALL];
    for n in 0..ALL {
        let byte = around[n];
        hex[n] = u8::from((byte | 0x20).wrapping_sub(b'a') < 6) | u8::from(byte.wrapping_sub(b'0') < 10);
        blank[n] = u8::from(byte == b' ') | u8::from(byte == b'\t') | u8::from(byte == b'\n');
    }
    let (mut escapes, mut prefixes, mut addresses) = (0, 0, 0);
    for n in BEFORE..BEFORE + CHUNK {
        let byte = around[n];
        escapes |= u8::from(byte == b'\\') | u8::from(byte == b'%') | u8::from(byte == b'&') | u8::from(byte == 0x1b);
        escapes |= byte & 0x80;
        prefixes |= u8::from(byte == b'0') & u8::from(around[n + 1] | 0x20 == b'x');
        let line = blank[n] & (blank[n - 1] | u8::from(byte == b'\n'));
        let behind = hex[n + 5] | blank[n + 5] | u8::from(around[n + 5] == b':');
        addresses |= line & hex[n + 1] & hex[n + 2] & hex[n + 3] & hex[n + 4] & behind;
    }
    (escapes != 0, prefixes != 0, addresses != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_seen_wherever_they_stand() {
        let read = |text: &str| {
            let mut signs = Signs::default();
            signs.read(text.as_bytes());
            (signs.escapes, signs.prefixes, signs.addresses)
        };
        for before in 0..140 {
            let text = |sign: &str| format!("{}{sign}", "w".repeat(before));
            for (sign, seen) in [
                ("\\", (true, false, 0)),
                ("% ", (true, false, 0)),
                ("&", (true, false, 0)),
                ("\u{1b}", (true, false, 0)),
                ("\u{e4}.", (true, false, 0)),
                ("0x", (false, true, 0)),
                ("0X61", (false, true, 0)),
                ("0 x", (false, false, 0)),
                ("\n00000000: 61", (false, false, 1)),
                ("\n    7ffe: 61", (false, false, 5)),
                ("\n\t0010  61", (false, false, 2)),
                ("\nadd : 61", (false, false, 0)),
                (" 0010: 61", (false, false, 0)),
                ("plain", (false, false, 0)),
            ] {
                let (escapes, prefixes, addresses) = read(&text(sign));
                assert_eq!((escapes, prefixes), (seen.0, seen.1), "{sign:?} {before}");
                let line = if seen.2 > 0 { vec![before as u32 + 1] } else { vec![] };
                assert_eq!(addresses, line, "{sign:?} {before}");
            }
        }
        assert_eq!(read(""), (false, false, vec![]));
    }
}
