//! What one escape stands for: what programs do to text that they quote, and what people do to hide it.

use fearless_simd::SimdMask as _;

use super::unicode;
use crate::views::block::{Block, Simd};

/// Longest sequence that is looked at as one, in bytes.
pub(crate) const MAX_PENDING: usize = 24;

/// Bytes that may begin something to undo. All others pass a layer as they are.
pub(crate) const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let starts = [
        b'\\', b'%', b'&', 0x1b, 0xc2, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd4, 0xd8, 0xe1, 0xe2, 0xe3, 0xef,
        0xf0, 0xf3,
    ];
    let mut at = 0;
    while at < starts.len() {
        table[starts[at] as usize] = true;
        at += 1;
    }
    table
};

/// The bytes of a block among which are all [`SPECIAL`] ones, and few others.
#[inline(always)]
pub(super) fn specials<S: Simd>(block: Block<S>) -> u64 {
    let ascii = (block.are(b'\\') | block.are(b'%')) | (block.are(b'&') | block.are(0x1b));
    (ascii | block.within(0xc2, 0xf3)).to_bitmask()
}

pub(super) enum Step {
    /// The sequence may go on.
    More,
    /// It does not begin anything; its first byte stands for itself.
    Literal,
    /// The first `.0` bytes stand for these.
    Char(usize, char),
    Byte(usize, u8),
    Dropped(usize),
}

/// What the beginning of `seen` stands for; `seen[0]` is [`SPECIAL`].
pub(super) fn decode(seen: &[u8]) -> Step {
    match seen[0] {
        b'\\' => backslash(seen),
        b'%' => match hex(&seen[1..], 2) {
            Digits::More => Step::More,
            Digits::Value(value) => u8::try_from(value).map_or(Step::Literal, |b| Step::Byte(3, b)),
            Digits::Other => Step::Literal,
        },
        b'&' => entity(seen),
        0x1b => colour(seen),
        _ => unicode::decode(seen),
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
        b'0'..=b'7' => octal(seen),
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

/// Three digits, or fewer where no more follow: shells write the shortest.
fn octal(seen: &[u8]) -> Step {
    let ahead = &seen[1..seen.len().min(4)];
    let digits = ahead.iter().take_while(|b| (b'0'..=b'7').contains(b)).count();
    if digits == ahead.len() && digits < 3 {
        return Step::More;
    }
    let value = ahead[..digits].iter().fold(0, |value: u32, b| value * 8 + u32::from(b - b'0'));
    u8::try_from(value).map_or(Step::Literal, |byte| Step::Byte(1 + digits, byte))
}

/// What an escape stands for that ends with the text.
pub(super) fn last(seen: &[u8]) -> Step {
    match seen {
        [b'\\', digits @ ..] if !digits.is_empty() && digits.iter().all(|b| (b'0'..=b'7').contains(b)) => {
            octal(&[seen, b"."].concat())
        }
        _ => Step::Literal,
    }
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
    // In code most are operators.
    if seen.get(1).is_some_and(|b| !b"alnqg#".contains(b)) {
        return Step::Literal;
    }
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
            // No other punctuation ends a sequence that programs write, and a backslash begins an escape of its own.
            Some(at) if matches!(seen[2 + at], b'@' | b'~' | b'A'..=b'Z' | b'a'..=b'z') => Step::Dropped(3 + at),
            // One that is cut short by what shows as nothing itself must not take the letter behind that for its end.
            Some(at) if seen[2 + at] == 0x1b || seen[2 + at] >= 0x80 => Step::Dropped(2 + at),
            Some(_) => Step::Literal,
        },
        // The set of characters, as `tput sgr0` chooses it.
        Some(b'(' | b')') => match seen.get(2) {
            None => Step::More,
            Some(b'0' | b'A' | b'B') => Step::Dropped(3),
            Some(_) => Step::Literal,
        },
        Some(_) => Step::Literal,
    }
}
