//! What lists of bytes in source code show: the digits of `0x61, 0x62` without the prefixes.

use fearless_simd::SimdMask as _;

use super::block::{Simd, blocks, dispatch, places, widest};
use super::letters::GAP;

/// Stands where a list ends; equals no digit.
const BREAK: u8 = 0;

/// The digits of the lists in a text, in one case. The buffers are kept from one text to the next.
#[derive(Default)]
pub(crate) struct Prefixed {
    digits: Vec<u8>,
    places: Vec<u32>,
    /// Where the second byte of a prefix stands.
    prefixes: Vec<u32>,
    /// The last list may go on.
    open: bool,
}

impl Prefixed {
    /// Reads a view of a text.
    pub(crate) fn read(&mut self, view: &[u8], ended: bool) {
        self.digits.clear();
        self.places.clear();
        self.prefixes.clear();
        dispatch!(widest(), simd => prefixes(simd, view, &mut self.prefixes));
        let mut last = None;
        let prefixes = std::mem::take(&mut self.prefixes);
        for x in prefixes.iter().map(|x| *x as usize) {
            // What stands before the first and after the last byte of a list is nobody's business.
            let Some(byte @ [high, low]) = view.get(x + 1..x + 3) else { break };
            if x <= last.unwrap_or(0) || !high.is_ascii_hexdigit() || !low.is_ascii_hexdigit() {
                continue;
            }
            if last.is_some_and(|last| !is_between(&view[last..x - 1])) {
                self.end(x);
            }
            self.digits.extend(byte.iter().map(u8::to_ascii_lowercase));
            self.places.extend([x as u32 + 1, x as u32 + 2]);
            last = Some(x + 3);
        }
        self.prefixes = prefixes;
        self.open = !ended && last.is_some_and(|last| is_open(&view[last..]));
        if !self.open && last.is_some() {
            self.end(view.len());
        }
    }

    fn end(&mut self, at: usize) {
        self.digits.push(BREAK);
        self.places.push(at as u32);
    }

    pub(crate) fn digits(&self) -> &[u8] {
        &self.digits
    }

    /// Where in the view a digit stands.
    pub(crate) fn place(&self, at: usize) -> usize {
        self.places[at] as usize
    }

    /// Whether more text may add digits to the last list.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }
}

/// Adds the places of each `x` behind a zero.
#[inline(always)]
fn prefixes<S: Simd>(simd: S, view: &[u8], all: &mut Vec<u32>) {
    // Whether the last block ended with a zero.
    let mut zero = 0;
    for (at, block) in blocks(simd, view, 0) {
        let zeros = block.are(b'0').to_bitmask();
        let prefixes = block.lower().are(b'x').to_bitmask() & (zeros << 1 | zero);
        zero = zeros >> 63;
        all.extend(places(prefixes).map(|place| (at + place) as u32));
    }
}

/// Whether a text can stand between two bytes of one list.
fn is_between(text: &[u8]) -> bool {
    text.len() <= GAP && !text.iter().any(u8::is_ascii_alphanumeric)
}

/// Whether the next byte of a list may begin in a text or after it.
fn is_open(text: &[u8]) -> bool {
    let other = text.iter().take_while(|b| !b.is_ascii_alphanumeric()).count();
    other <= GAP
        && b"0x".iter().zip(&text[other..]).all(|(a, b)| *a == b.to_ascii_lowercase())
        && text.len() <= other + 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_go_and_lists_end() {
        for (text, ended, shown, open) in [
            ("{0x61, 0X4B,\n 0x7a};", true, "614b7a.", false),
            ("{0x61, 0x62", true, "6162.", false),
            ("{0x61, 0x62", false, "6162", true),
            ("{0x61, 0x62, ", false, "6162", true),
            ("{0x61, 0x62, 0", false, "6162", true),
            ("{0x61, 0x62, 7", false, "6162.", false),
            ("0x61 and 0x62 ", true, "61.62.", false),
            ("a0x61, 0x627", true, "6162.", false),
            ("0x60x61 0x62", true, "60.62.", false),
            ("0x6162 x61 0x6 0xzz", true, "61.", false),
        ] {
            let mut list = Prefixed::default();
            list.read(text.as_bytes(), ended);
            let digits = String::from_utf8(list.digits().to_vec()).unwrap().replace('\0', ".");
            assert_eq!((digits.as_str(), list.is_open()), (shown, open), "{text}");
            for (n, digit) in list.digits().iter().enumerate().filter(|(_, b)| **b != BREAK) {
                assert_eq!(text.as_bytes()[list.place(n)].to_ascii_lowercase(), *digit);
            }
        }
        let mut list = Prefixed::default();
        list.read(format!("0x61,{}0x62", " ".repeat(64)).as_bytes(), true);
        assert_eq!(list.digits(), b"61\x0062\0");
    }
}
