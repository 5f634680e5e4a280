//! The text of a JSON string: escapes undone, and the way back to its bytes.

use std::borrow::Cow;

/// Length of the escape that `raw` begins with; `None` if it is not one.
pub(super) fn escape_len(raw: &[u8]) -> Option<usize> {
    match raw.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => raw.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

/// The text; borrowed when nothing is escaped.
pub(super) fn decode(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.contains(&b'\\') {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    decode_into(raw, &mut out);
    Cow::Owned(out)
}

/// Appends the text of `raw`, whose escapes are valid.
pub(super) fn decode_into(raw: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < raw.len() {
        let (used, text) = unit(&raw[at..]);
        out.extend_from_slice(text.as_bytes());
        at += used;
    }
}

/// Where the decoded byte `offset` begins in `raw`. Inside a character that one escape stands for, its end: the escape is
/// redacted whole.
pub(super) fn raw_offset(raw: &[u8], offset: usize) -> usize {
    let (mut at, mut decoded) = (0, 0);
    while decoded < offset && at < raw.len() {
        let (used, text) = unit(&raw[at..]);
        at += used;
        decoded += text.as_bytes().len();
    }
    at
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
