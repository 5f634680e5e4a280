//! The needles of one value: every form that no view of the text undoes.
//!
//! Escapes, hex and separators are undone by [`crate::views`], so that they need no needles. Left are encodings that mix
//! neighbouring bytes (base64) or widen them (UTF-16), and what a view would make of the value itself.

use data_encoding::BASE64_NOPAD;
use zeroize::Zeroize as _;

use crate::unescape;

/// Longer needles are cut into pieces; the pieces of one value merge again in the output. Bounds what a stream holds back.
const LONGEST: usize = 512;
/// A base64 core of fewer letters and digits could be a word.
const CORE_MIN: usize = 9;
/// A value reduced to fewer letters and digits could be ordinary text.
const BARE_MIN: usize = 10;
/// A value of digits alone is a number until it is this long.
const NUMBER_MIN: usize = 16;
/// A line of a value with several lines is looked for by itself from this length.
const LINE_MIN: usize = 16;

/// Needles of all values, by the view they are searched in.
#[derive(Default)]
pub(crate) struct Needles {
    /// For bytes as they are, unescaped, or decoded from hex.
    pub(crate) exact: Vec<(Vec<u8>, u32)>,
    /// For text without anything but letters and digits.
    pub(crate) bare: Vec<(Vec<u8>, u32)>,
}

impl Needles {
    /// Adds all forms of one value.
    pub(crate) fn add(&mut self, value: &str, owner: u32) {
        let mut text = value.as_bytes().to_vec();
        for _ in 0..3 {
            self.exact(&text, owner);
            self.bare_value(&text, owner);
            let next = unescape::once(&text);
            if next == text || next.len() < crate::searchable::MIN_BYTES {
                break;
            }
            text.zeroize();
            text = next;
        }
        text.zeroize();
        if value.trim_end().contains('\n') {
            for line in value.lines().map(str::trim).filter(|l| l.len() >= LINE_MIN && !l.starts_with("-----")) {
                self.exact(line.as_bytes(), owner);
            }
        }
        let little: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = value.encode_utf16().flat_map(u16::to_be_bytes).collect();
        self.exact(&little, owner);
        self.exact(&big, owner);
        self.base64(value.as_bytes(), owner);
        // PowerShell's encoded commands.
        self.base64(&little, owner);
        for mut bytes in [little, big] {
            bytes.zeroize();
        }
    }

    fn exact(&mut self, needle: &[u8], owner: u32) {
        self.exact.extend(pieces(needle).map(|piece| (piece.to_vec(), owner)));
    }

    fn bare_value(&mut self, value: &[u8], owner: u32) {
        let mut bare = bare(value);
        let number = bare.iter().all(u8::is_ascii_digit);
        if bare.len() >= if number { NUMBER_MIN } else { BARE_MIN } {
            self.bare.extend(pieces(&bare).map(|piece| (piece.to_vec(), owner)));
        }
        bare.zeroize();
    }

    /// The characters of base64 that depend on the value alone, for each place it can have in a group of three bytes.
    /// Without `+`, `/`, `-` and `_` both alphabets are one.
    fn base64(&mut self, value: &[u8], owner: u32) {
        for before in 0..3 {
            let mut shifted = vec![0; before];
            shifted.extend_from_slice(value);
            let mut text = BASE64_NOPAD.encode(&shifted);
            let stable = (before * 8).div_ceil(6)..(shifted.len() * 8) / 6;
            let core = bare(&text.as_bytes()[stable]);
            if core.len() >= CORE_MIN {
                self.bare.extend(pieces(&core).map(|piece| (piece.to_vec(), owner)));
            }
            shifted.zeroize();
            text.zeroize();
        }
    }
}

/// Whether the bare view keeps a byte.
pub(crate) const fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

fn bare(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|&b| is_bare(b)).collect()
}

fn pieces(needle: &[u8]) -> impl Iterator<Item = &[u8]> {
    let count = if needle.len() <= LONGEST { 1 } else { needle.len().div_ceil(LONGEST / 2) };
    // Nearly equal pieces: a short last one would match ordinary text.
    (0..count).map(move |n| &needle[needle.len() * n / count..needle.len() * (n + 1) / count])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_and_never_short() {
        for len in [1, 512, 513, 700, 5000] {
            let needle: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
            let all: Vec<&[u8]> = pieces(&needle).collect();
            assert_eq!(all.concat(), needle);
            assert!(all.iter().all(|p| p.len() <= LONGEST && (len < 512 || p.len() > 128)), "{len}");
        }
    }

    #[test]
    fn base64_cores_are_in_every_encoding() {
        let mut needles = Needles::default();
        needles.base64(b"hunter2-hunter", 0);
        for (before, after) in [("", ""), ("a", "b"), ("ab", ""), ("abc", "xyz"), ("abcd", "")] {
            let text = BASE64_NOPAD.encode(format!("{before}hunter2-hunter{after}").as_bytes());
            assert!(
                needles.bare.iter().any(|(core, _)| text.contains(std::str::from_utf8(core).unwrap())),
                "{before} {after}"
            );
        }
    }
}
