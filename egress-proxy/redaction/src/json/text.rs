//! The text of a JSON string: escapes undone, and the way back to its bytes.

use std::borrow::Cow;

use fearless_simd::SimdMask as _;
use memchr::memchr;

use crate::views::block::{BLOCK, Block, Simd, dispatch, widest};

/// The longest escape: two halves of a character, in bytes.
const PAIR: usize = 12;

/// The bytes of a document that a string cannot hold as they are: quotes, backslashes, control characters.
pub(super) struct Specials<'a> {
    document: &'a [u8],
    /// The first block that was asked last,
    first: usize,
    /// and for each from there on one bit for each byte.
    blocks: [u64; ASKED],
}

/// Blocks that are asked at once.
const ASKED: usize = 64;
/// No block has this number, nor is it near to one.
const NOWHERE: usize = usize::MAX / 2;

impl<'a> Specials<'a> {
    pub(super) fn of(document: &'a [u8]) -> Self {
        Self { document, first: NOWHERE, blocks: [0; ASKED] }
    }

    /// The first one at `at` or behind it; the end of the document if there is none.
    #[inline(always)]
    pub(super) fn next(&mut self, at: usize) -> usize {
        let (mut block, mut behind) = (at / BLOCK, u64::MAX << (at % BLOCK));
        loop {
            let Some(specials) = self.blocks.get(block.wrapping_sub(self.first)) else {
                if block * BLOCK >= self.document.len() {
                    return self.document.len();
                }
                self.ask(block);
                continue;
            };
            let found = specials & behind;
            if found != 0 {
                return block * BLOCK + found.trailing_zeros() as usize;
            }
            (block, behind) = (block + 1, u64::MAX);
        }
    }

    #[inline(never)]
    fn ask(&mut self, first: usize) {
        let ahead = &self.document[first * BLOCK..];
        self.first = first;
        self.blocks = [0; ASKED];
        dispatch!(widest(), simd => specials(simd, ahead, &mut self.blocks));
    }
}

#[inline(always)]
fn specials<S: Simd>(simd: S, text: &[u8], found: &mut [u64; ASKED]) {
    let (blocks, rest) = text.as_chunks();
    let mut last = [b' '; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    for (found, block) in found.iter_mut().zip(blocks.iter().chain([&last])) {
        let block = Block::of(simd, block);
        *found = (block.within(0, 0x1f) | block.are(b'"') | block.are(b'\\')).to_bitmask();
    }
}

/// Appends the text of the rest of a string, `at` its first escape, to `out`, which is as it is before that. The place of the
/// quote behind it, or of what is no string.
pub(super) fn undo(specials: &mut Specials<'_>, mut at: usize, out: &mut Vec<u8>) -> Result<usize, usize> {
    let document = specials.document;
    // What is appended one after the other waits for the length of `out`, so that comes last.
    let (mut buffer, mut to) = ([0; UNDONE], 0);
    let end = loop {
        match document.get(at) {
            Some(b'"') => break Ok(at),
            Some(b'\\') => {}
            _ => break Err(at),
        }
        let special = document.get(at + 1).map_or(0, |kind| SIMPLE[usize::from(*kind)]);
        if special == 0 || to + 1 + BLOCK > UNDONE {
            out.extend_from_slice(&buffer[..to]);
            to = 0;
        }
        if special != 0 {
            buffer[to] = special;
            (at, to) = (at + 2, to + 1);
        } else {
            let rest = &document[at..];
            if escape_len(rest).is_none() {
                break Err(at);
            }
            let (used, text) = unit(rest);
            out.extend_from_slice(text.as_bytes());
            at += used;
        }
        let plain = at..specials.next(at);
        at = plain.end;
        // Mostly short: copied with what follows it then, which goes again.
        let block = document.get(plain.start..).and_then(<[u8]>::first_chunk::<BLOCK>);
        match (block, buffer.get_mut(to..).and_then(<[u8]>::first_chunk_mut::<BLOCK>)) {
            (Some(block), Some(room)) if plain.len() <= BLOCK => {
                *room = *block;
                to += plain.len();
            }
            _ => {
                out.extend_from_slice(&buffer[..to]);
                to = 0;
                out.extend_from_slice(&document[plain]);
            }
        }
    };
    out.extend_from_slice(&buffer[..to]);
    end
}

/// Bytes of a text with escapes that are appended at once.
const UNDONE: usize = 1024;

/// Length of the escape that `raw` begins with; `None` if it is not one.
pub(super) fn escape_len(raw: &[u8]) -> Option<usize> {
    match raw.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => raw.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

/// The text; borrowed when nothing is escaped.
pub(crate) fn decode(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\\', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    decode_into(raw, &mut out);
    Cow::Owned(out)
}

/// What a backslash and one more byte stand for; 0 for what takes more.
const SIMPLE: [u8; 256] = {
    let mut table = [0; 256];
    let pairs = *b"\"\"\\\\//b\x08f\x0cn\nr\rt\t";
    let mut at = 0;
    while at < pairs.len() {
        table[pairs[at] as usize] = pairs[at + 1];
        at += 2;
    }
    table
};

/// Appends the text of `raw`, whose escapes are valid. In text with escapes one is mostly near, where copying a few bytes with
/// what follows them costs less than a call.
pub(crate) fn decode_into(raw: &[u8], out: &mut Vec<u8>) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let (mut at, mut to) = (0, out.len());
    // No text is longer than it is written.
    out.resize(to + raw.len() + 8, 0);
    while let Some(word) = raw.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        if let Some(copy) = out.get_mut(to..).and_then(<[u8]>::first_chunk_mut::<8>) {
            *copy = *word;
        }
        let other = u64::from_le_bytes(*word) ^ (EACH * b'\\' as u64);
        let found = other.wrapping_sub(EACH) & !other & (EACH << 7);
        if found == 0 {
            (at, to) = (at + 8, to + 8);
            continue;
        }
        let plain = found.trailing_zeros() as usize / 8;
        (at, to) = escape(raw, at + plain, out, to + plain);
    }
    while at < raw.len() {
        (at, to) = escape(raw, at, out, to);
    }
    out.truncate(to);
}

/// Writes what stands at `at`, one byte or an escape; returns what comes next, and where.
#[inline(always)]
fn escape(raw: &[u8], at: usize, out: &mut [u8], to: usize) -> (usize, usize) {
    let simple = raw.get(at + 1).map_or(0, |kind| SIMPLE[usize::from(*kind)]);
    if raw[at] == b'\\' && simple != 0 {
        out[to] = simple;
        return (at + 2, to + 1);
    }
    let (used, text) = unit(&raw[at..]);
    let text = text.as_bytes();
    out[to..to + text.len()].copy_from_slice(text);
    (at + used, to + text.len())
}

/// The first place at `at` or after it that is no inner part of an escape.
pub(super) fn boundary(raw: &[u8], at: usize) -> usize {
    // An escape that holds `at` begins with a backslash in the bytes before it, which is the second half of another escape
    // when an odd number of them stands before.
    let from = at.saturating_sub(PAIR);
    let Some(first) = memchr(b'\\', &raw[from..at]) else { return at };
    let before = raw[..from + first].iter().rev().take_while(|b| **b == b'\\').count();
    let mut place = from + first + before % 2;
    while place < at {
        place += unit(&raw[place..]).0;
    }
    place
}

/// Where in `raw` the last `len` bytes of its text begin, or an escape with the first of them.
pub(super) fn last(raw: &[u8], len: usize) -> usize {
    // A byte of the text takes no more than six in an escape.
    let from = boundary(raw, raw.len().saturating_sub(6 * len + PAIR));
    let mut text = Vec::new();
    decode_into(&raw[from..], &mut text);
    // Inside of a character that one escape stands for, its end would come too late.
    from + Places::new(&raw[from..]).of(text.len().saturating_sub(len + 3))
}

/// The way from places in the text back to its bytes. Asked for places in rising order.
pub(crate) struct Places<'a> {
    raw: &'a [u8],
    at: usize,
    decoded: usize,
}

impl<'a> Places<'a> {
    pub(crate) fn new(raw: &'a [u8]) -> Self {
        Self { raw, at: 0, decoded: 0 }
    }

    /// Where the decoded byte `offset` begins. Inside a character that one escape stands for, its end: the escape is
    /// redacted whole.
    pub(crate) fn of(&mut self, offset: usize) -> usize {
        while self.decoded < offset && self.at < self.raw.len() {
            let rest = &self.raw[self.at..];
            let wanted = &rest[..rest.len().min(offset - self.decoded)];
            match memchr(b'\\', wanted).unwrap_or(wanted.len()) {
                0 => {
                    let (used, text) = unit(rest);
                    (self.at, self.decoded) = (self.at + used, self.decoded + text.as_bytes().len());
                }
                plain => (self.at, self.decoded) = (self.at + plain, self.decoded + plain),
            }
        }
        self.at
    }
}

/// One byte, or the character of an escape.
enum Unit {
    Byte([u8; 1]),
    Char([u8; 4], usize),
}

impl Unit {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Byte(byte) => byte,
            Self::Char(bytes, len) => &bytes[..*len],
        }
    }
}

fn unit(raw: &[u8]) -> (usize, Unit) {
    let [b'\\', kind, ..] = *raw else { return (1, Unit::Byte([raw[0]])) };
    let byte = match kind {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return unicode(raw),
        other => other,
    };
    (2, Unit::Byte([byte]))
}

fn unicode(raw: &[u8]) -> (usize, Unit) {
    let code = |at: usize| {
        let digits = raw.get(at..at + 6).filter(|e| e.starts_with(b"\\u"))?;
        u32::from_str_radix(std::str::from_utf8(&digits[2..]).ok()?, 16).ok()
    };
    let first = code(0).unwrap_or(0xfffd);
    let (used, c) = match (first, code(6)) {
        (0xd800..0xdc00, Some(second @ 0xdc00..0xe000)) => {
            (12, char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)))
        }
        // A lone half is no character; programs read the replacement character.
        _ => (6, char::from_u32(first)),
    };
    let mut bytes = [0; 4];
    let len = c.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut bytes).len();
    (used, Unit::Char(bytes, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_between_two_escapes() {
        for raw in [
            r"\\\\\\\\\\\\\\\\\\\\",
            r"\ud83d\ude00\ud83d\ude00ab\ud83d\ud83d\ude00",
            r"abc\nd\\\nef\\\\\u0041\\u0041",
            "plain text",
        ] {
            let raw = raw.as_bytes();
            for at in 0..=raw.len() {
                let place = boundary(raw, at);
                assert!(place >= at && place - at < PAIR);
                assert_eq!([decode(&raw[..place]), decode(&raw[place..])].concat(), decode(raw).into_owned(), "{at}");
            }
        }
    }

    #[test]
    fn an_escape_is_undone_wherever_it_stands() {
        for before in 0..40 {
            for (escape, text) in
                [("\\\"", "\""), (r"\n", "\n"), (r"\u00e9", "\u{e9}"), (r"\ud83d\ude00", "\u{1f600}"), (r"\\", "\\")]
            {
                let plain = &"[]\u{5db}\u{5dd}abc~ ".repeat(5).chars().take(before).collect::<String>();
                for after in ["", "x", "\u{5db}23456789"] {
                    let raw = format!("{plain}{escape}{escape}{after}");
                    let mut out = b"before".to_vec();
                    decode_into(raw.as_bytes(), &mut out);
                    assert_eq!(String::from_utf8(out).unwrap(), format!("before{plain}{text}{text}{after}"));
                }
            }
        }
    }

    #[test]
    fn the_last_bytes_of_a_text_begin_with_an_escape() {
        for raw in
            [r"\\\\\\\\\\", r"\ud83d\ude00\ud83d\ude00ab\ud83d\ud83d\ude00", r"abc\nd\\\nef\\\\\u0041\\u0041", "plain"]
        {
            let (raw, text) = (raw.as_bytes(), decode(raw.as_bytes()));
            for len in 0..=text.len() {
                let tail = decode(&raw[last(raw, len)..]);
                assert!(text.ends_with(&tail) && (len..len + 7).contains(&tail.len()), "{len}");
            }
        }
    }

    #[test]
    fn ordinary_bytes_end_where_a_string_cannot_go_on() {
        let ordinary = |raw: &[u8], at: usize| Specials::of(raw).next(at) - at;
        for special in (0..0x20).chain([b'"', b'\\']) {
            for before in (0..150).chain([64 * 64 - 1, 64 * 64, 64 * 64 + 1, 64 * 64 * 2]) {
                let mut raw: Vec<u8> = (0..before).map(|n| [b'!', b' ', 0x7f, 0xe2, b'[', b']', b'#'][n % 7]).collect();
                assert_eq!(ordinary(&raw, 0), before);
                raw.push(special);
                assert_eq!(ordinary(&raw, 0), before);
                raw.extend([special, b'a', 0xff, 0, b'"', b'a', b'b', b'c', b'd']);
                assert_eq!(ordinary(&raw, 0), before, "{special}");
                assert_eq!(ordinary(&raw, before / 2), before - before / 2, "{special}");
                let mut specials = Specials::of(&raw);
                let next = [0, before, before + 1, before + 2, before + 6, 0].map(|at| specials.next(at));
                let (end, quote) = (raw.len(), before + 5);
                assert_eq!(next, [before, before, before + 1, before + 4, end, before], "{special} {quote}");
            }
        }
    }
}
