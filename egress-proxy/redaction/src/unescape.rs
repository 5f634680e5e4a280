//! One layer of unescaping, byte by byte: what programs do to text that they quote, and what people do to hide it.
//!
//! Undone: JSON, C, shell and Python backslashes, percent escapes, HTML entities. Dropped: zero-width and other invisible
//! characters, terminal colours, escaped line ends. Full-width and tag characters become ASCII.

/// One byte with the range of input it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) byte: u8,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Longest sequence that is looked at as one, in bytes.
const MAX_PENDING: usize = 24;

/// Bytes that may begin something to undo. All others pass a layer as they are.
pub(crate) const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let starts = [b'\\', b'%', b'&', 0x1b, 0xe2, 0xef, 0xc2, 0xcd, 0xe1, 0xf3];
    let mut at = 0;
    while at < starts.len() {
        table[starts[at] as usize] = true;
        at += 1;
    }
    table
};

/// A layer at work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layer {
    pending: Vec<Item>,
}

enum Step {
    /// The sequence may go on.
    More,
    /// It does not begin anything; its first byte stands for itself.
    Literal,
    /// The first `.0` bytes stand for these.
    Char(usize, char),
    Byte(usize, u8),
    Dropped(usize),
}

impl Layer {
    /// Where the sequence under way began.
    pub(crate) fn pending_start(&self) -> Option<usize> {
        self.pending.first().map(|item| item.start)
    }

    /// Takes one byte, gives out what is certain.
    pub(crate) fn push(&mut self, item: Item, out: &mut Vec<Item>) {
        if self.pending.is_empty() && !SPECIAL[usize::from(item.byte)] {
            out.push(item);
            return;
        }
        self.pending.push(item);
        self.settle(false, out);
    }

    /// The input has ended: an unfinished sequence stands for itself.
    pub(crate) fn finish(&mut self, out: &mut Vec<Item>) {
        self.settle(true, out);
    }

    fn settle(&mut self, ended: bool, out: &mut Vec<Item>) {
        let mut done = 0;
        while done < self.pending.len() {
            let rest = &self.pending[done..];
            let mut bytes = [0; MAX_PENDING];
            let len = rest.len().min(MAX_PENDING);
            bytes.iter_mut().zip(rest).for_each(|(b, item)| *b = item.byte);
            let step = if SPECIAL[usize::from(bytes[0])] { decode(&bytes[..len]) } else { Step::Literal };
            let mut emit = |used: usize, text: &[u8]| {
                let (start, end) = (rest[0].start, rest[used - 1].end);
                out.extend(text.iter().map(|&byte| Item { byte, start, end }));
                used
            };
            done += match step {
                Step::More if !ended && len < MAX_PENDING => break,
                Step::More | Step::Literal => emit(1, &[bytes[0]]),
                Step::Char(used, c) => emit(used, c.encode_utf8(&mut [0; 4]).as_bytes()),
                Step::Byte(used, b) => emit(used, &[b]),
                Step::Dropped(used) => used,
            };
        }
        self.pending.drain(..done);
    }
}

/// `text` with one layer undone.
pub(crate) fn once(text: &[u8]) -> Vec<u8> {
    let mut layer = Layer::default();
    let mut out = Vec::with_capacity(text.len());
    for (at, &byte) in text.iter().enumerate() {
        layer.push(Item { byte, start: at, end: at + 1 }, &mut out);
    }
    layer.finish(&mut out);
    out.iter().map(|item| item.byte).collect()
}

fn decode(seen: &[u8]) -> Step {
    match seen[0] {
        b'\\' => backslash(seen),
        b'%' => match hex(&seen[1..], 2) {
            Digits::More => Step::More,
            Digits::Value(value) => u8::try_from(value).map_or(Step::Literal, |b| Step::Byte(3, b)),
            Digits::Other => Step::Literal,
        },
        b'&' => entity(seen),
        0x1b => colour(seen),
        _ => invisible(seen),
    }
}

enum Digits {
    More,
    Value(u32),
    Other,
}

/// Exactly `count` hex digits at the beginning of `seen`.
fn hex(seen: &[u8], count: usize) -> Digits {
    let digits = &seen[..seen.len().min(count)];
    let value = digits.iter().try_fold(0, |value, &b| char::from(b).to_digit(16).map(|d| value * 16 + d));
    match value {
        None => Digits::Other,
        Some(_) if digits.len() < count => Digits::More,
        Some(value) => Digits::Value(value),
    }
}

fn backslash(seen: &[u8]) -> Step {
    let Some(&kind) = seen.get(1) else { return Step::More };
    match kind {
        b'n' => Step::Byte(2, b'\n'),
        b'r' => Step::Byte(2, b'\r'),
        b't' => Step::Byte(2, b'\t'),
        b'b' => Step::Byte(2, 8),
        b'f' => Step::Byte(2, 12),
        b'\n' => Step::Dropped(2),
        b'x' => match hex(&seen[2..], 2) {
            Digits::More => Step::More,
            Digits::Value(value) => u8::try_from(value).map_or(Step::Literal, |b| Step::Byte(4, b)),
            Digits::Other => Step::Literal,
        },
        b'u' if seen.get(2) == Some(&b'{') => braced(seen),
        b'u' => utf16(seen),
        b'U' => match hex(&seen[2..], 8) {
            Digits::More => Step::More,
            Digits::Value(value) => char::from_u32(value).map_or(Step::Literal, |c| Step::Char(10, c)),
            Digits::Other => Step::Literal,
        },
        b'0'..=b'3' => octal(seen),
        punctuation if punctuation.is_ascii_punctuation() || punctuation == b' ' => Step::Byte(2, punctuation),
        _ => Step::Literal,
    }
}

fn braced(seen: &[u8]) -> Step {
    let digits = seen[3..].iter().take(7).take_while(|b| b.is_ascii_hexdigit()).count();
    match (digits, seen.get(3 + digits)) {
        (0..=6, None) => Step::More,
        (1..=6, Some(b'}')) => match hex(&seen[3..], digits) {
            Digits::Value(value) => char::from_u32(value).map_or(Step::Literal, |c| Step::Char(4 + digits, c)),
            _ => Step::Literal,
        },
        _ => Step::Literal,
    }
}

fn utf16(seen: &[u8]) -> Step {
    let first = match hex(&seen[2..], 4) {
        Digits::More => return Step::More,
        Digits::Other => return Step::Literal,
        Digits::Value(value) => value,
    };
    if let Some(c) = char::from_u32(first) {
        return Step::Char(6, c);
    }
    // Half of a pair: a lone one is not text, and programs put the replacement character there.
    let lone = Step::Char(6, char::REPLACEMENT_CHARACTER);
    if first >= 0xdc00 {
        return lone;
    }
    let head = &seen[6..seen.len().min(8)];
    if !b"\\u".starts_with(head) {
        return lone;
    }
    if head.len() < 2 {
        return Step::More;
    }
    match hex(&seen[8..], 4) {
        Digits::More => Step::More,
        Digits::Value(second @ 0xdc00..=0xdfff) => {
            char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).map_or(lone, |c| Step::Char(12, c))
        }
        _ => lone,
    }
}

fn octal(seen: &[u8]) -> Step {
    let digits = &seen[1..seen.len().min(4)];
    if !digits.iter().all(|b| (b'0'..=b'7').contains(b)) {
        return Step::Literal;
    }
    if digits.len() < 3 {
        return Step::More;
    }
    Step::Byte(4, digits.iter().fold(0, |value: u8, b| value.wrapping_mul(8).wrapping_add(b - b'0')))
}

fn entity(seen: &[u8]) -> Step {
    const NAMED: [(&[u8], char); 7] = [
        (b"&amp;", '&'),
        (b"&lt;", '<'),
        (b"&gt;", '>'),
        (b"&quot;", '"'),
        (b"&apos;", '\''),
        (b"&nbsp;", ' '),
        (b"&#39;", '\''),
    ];
    if let Some((name, c)) = NAMED.iter().find(|(name, _)| seen.starts_with(name)) {
        return Step::Char(name.len(), *c);
    }
    if NAMED.iter().any(|(name, _)| name.starts_with(seen)) {
        return Step::More;
    }
    let (radix, from) = match seen {
        [_, b'#', b'x' | b'X', ..] => (16, 3),
        [_, b'#', ..] => (10, 2),
        _ => return Step::Literal,
    };
    let mut value: u32 = 0;
    for (at, &b) in seen.iter().enumerate().skip(from) {
        match char::from(b).to_digit(radix) {
            Some(digit) if at < from + 8 => value = value.saturating_mul(radix).saturating_add(digit),
            None if b == b';' && at > from => {
                return char::from_u32(value).map_or(Step::Literal, |c| Step::Char(at + 1, c));
            }
            _ => return Step::Literal,
        }
    }
    Step::More
}

fn colour(seen: &[u8]) -> Step {
    match seen.get(1) {
        None => Step::More,
        Some(b'[') => match seen[2..].iter().position(|b| !matches!(b, b'0'..=b'?')) {
            None => Step::More,
            Some(at) if matches!(seen[2 + at], b'@'..=b'~') => Step::Dropped(3 + at),
            Some(_) => Step::Literal,
        },
        Some(_) => Step::Literal,
    }
}

fn invisible(seen: &[u8]) -> Step {
    let len = match seen[0] {
        0xc2 | 0xcd => 2,
        0xf3 => 4,
        _ => 3,
    };
    let Some(whole) = seen.get(..len) else {
        return if seen[1..].iter().all(|b| b & 0xc0 == 0x80) { Step::More } else { Step::Literal };
    };
    let Some(c) = std::str::from_utf8(whole).ok().and_then(|text| text.chars().next()) else { return Step::Literal };
    match c {
        '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => {
            Step::Dropped(len)
        }
        '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => Step::Dropped(len),
        '\u{e0100}'..='\u{e01ef}' => Step::Dropped(len),
        // Tag characters repeat ASCII, unseen; full-width forms repeat it, wide.
        '\u{e0020}'..='\u{e007e}' => Step::Byte(len, (u32::from(c) & 0x7f) as u8),
        '\u{e0000}'..='\u{e007f}' => Step::Dropped(len),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).map_or(Step::Literal, |c| Step::Char(len, c)),
        _ => Step::Literal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_escape_stays() {
        for text in [
            "\\",
            "\\q",
            "\\u12",
            "\\u{}",
            "\\u{1234567}",
            "%",
            "%4",
            "%zz",
            "&",
            "&am",
            "&foo;",
            "&#;",
            "&#x;",
            "\\9",
            "\u{1b}[31",
            "é",
            "–",
            "中",
            "100% sure & fine",
        ] {
            assert_eq!(once(text.as_bytes()), text.as_bytes(), "{text}");
        }
        assert_eq!(once(&[0xe2, 0x80]), [0xe2, 0x80]);
        assert_eq!(once(&[0xe2, b'a', 0xff]), [0xe2, b'a', 0xff]);
    }

    #[test]
    fn every_escape_is_undone_once() {
        for (text, plain) in [
            (r#"a\"b\\c\/d\n"#, "a\"b\\c/d\n"),
            (r"\u0041\u00e4\ud83d\ude00\ud83dx\udc00", "Aä😀\u{fffd}x\u{fffd}"),
            (r"\u{41}\x41\101\U0001f600", "AAA😀"),
            ("%41%c3%A4%2541", "Aä%41"),
            ("&amp;&lt;&#65;&#x41;&#X41;&amp;amp;&#39;", "&<AAA&amp;'"),
            ("a\u{200b}b\u{ad}c\u{feff}d\u{e0041}\u{ff21}", "abcdAA"),
            ("\u{1b}[01;31m\u{1b}[Kab\u{1b}[m", "ab"),
            (r"it\'s \$5 \`x\`", "it's $5 `x`"),
        ] {
            assert_eq!(String::from_utf8_lossy(&once(text.as_bytes())), plain, "{text}");
        }
    }
}
