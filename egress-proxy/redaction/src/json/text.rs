//! The text of a JSON string: escapes undone, and the way back to its bytes.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

use crate::views::block::{BLOCK, Block};

/// The longest escape: two halves of a character, in bytes.
const PAIR: usize = 12;

/// One bit for each byte that a string cannot hold as it is.
#[inline(always)]
fn special(block: &[u8; BLOCK]) -> u64 {
    let block = Block::of(block);
    (block.within(0, 0x1f) | block.are(b'"') | block.are(b'\\')).bits()
}

/// A quote, a backslash, a control character.
fn is_special(byte: u8) -> bool {
    matches!(byte, 0..0x20 | b'"' | b'\\')
}

/// Bytes before the first one that a string cannot hold as it is.
pub(super) fn ordinary(raw: &[u8]) -> usize {
    let (blocks, rest) = raw.as_chunks();
    for (n, block) in blocks.iter().enumerate() {
        let found = special(block);
        if found != 0 {
            return n * BLOCK + found.trailing_zeros() as usize;
        }
    }
    raw.len() - rest.len() + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

/// Appends the text of the rest of a string, `at` its first escape, to `out`, which is as it is before that. The place of the
/// quote behind it, or of what is no string.
pub(super) fn undo(document: &[u8], mut at: usize, out: &mut Vec<u8>) -> Result<usize, usize> {
    loop {
        let Some(block) = document.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) else {
            let rest = document.get(at..).unwrap_or_default();
            let plain = ordinary(rest);
            out.extend_from_slice(&rest[..plain]);
            at += plain;
            if let Some(end) = undo_one(document, &mut at, out)? {
                return Ok(end);
            }
            continue;
        };
        let (first, mut found) = (at, special(block));
        while found != 0 {
            let special = first + found.trailing_zeros() as usize;
            copy(document, at..special, out);
            at = special;
            if let Some(end) = undo_one(document, &mut at, out)? {
                return Ok(end);
            }
            // What belongs to the escape is none.
            found &= u64::MAX.checked_shl((at - first) as u32).unwrap_or(0);
        }
        if at < first + BLOCK {
            copy(document, at..first + BLOCK, out);
            at = first + BLOCK;
        }
    }
}

/// Appends a range of at most a block: copied with what follows it, which goes again.
#[inline(always)]
fn copy(document: &[u8], range: Range<usize>, out: &mut Vec<u8>) {
    match document.get(range.start..).and_then(<[u8]>::first_chunk::<BLOCK>) {
        Some(block) => {
            let end = out.len() + range.len();
            out.extend_from_slice(block);
            out.truncate(end);
        }
        None => out.extend_from_slice(&document[range]),
    }
}

/// Appends what the escape at `at` stands for and steps behind it; the place of the quote that stands there instead.
#[inline(always)]
fn undo_one(document: &[u8], at: &mut usize, out: &mut Vec<u8>) -> Result<Option<usize>, usize> {
    match document.get(*at) {
        Some(b'"') => return Ok(Some(*at)),
        Some(b'\\') => {}
        _ => return Err(*at),
    }
    let simple = document.get(*at + 1).map_or(0, |kind| SIMPLE[usize::from(*kind)]);
    if simple != 0 {
        out.push(simple);
        *at += 2;
    } else {
        let rest = &document[*at..];
        escape_len(rest).ok_or(*at)?;
        let (used, text) = unit(rest);
        out.extend_from_slice(text.as_bytes());
        *at += used;
    }
    Ok(None)
}

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
        for special in (0..0x20).chain([b'"', b'\\']) {
            for before in 0..40 {
                let mut raw: Vec<u8> = (0..before).map(|n| [b'!', b' ', 0x7f, 0xe2, b'[', b']', b'#'][n % 7]).collect();
                assert_eq!(ordinary(&raw), before);
                raw.push(special);
                assert_eq!(ordinary(&raw), before);
                raw.extend([special, b'a', 0xff, 0, b'"', b'a', b'b', b'c', b'd']);
                assert_eq!(ordinary(&raw), before, "{special}");
            }
        }
    }
}
