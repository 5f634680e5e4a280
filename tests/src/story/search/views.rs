//! How bytes can be read: every decoding that a receiver might try, and every decoding of what that gives.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD};
use serde_json::Value;

/// Shorter runs of an encoding's letters hold nothing that could be told from chance.
const RUN: usize = 11;

/// Shows the bytes as they are, then every reading of them, outermost decoding first in the label. What was decoded is decoded
/// again, `depth` times in all.
pub(super) fn each(bytes: &[u8], depth: usize, show: &mut dyn FnMut(&[&'static str], &[u8])) {
    let mut readings = Readings { how: Vec::new(), depth, seen: HashSet::new(), show };
    readings.descend(bytes);
}

struct Readings<'a> {
    how: Vec<&'static str>,
    depth: usize,
    /// Decodings that do not touch each other lead to the same text in either order.
    seen: HashSet<u64>,
    show: &'a mut dyn FnMut(&[&'static str], &[u8]),
}

impl Readings<'_> {
    fn descend(&mut self, bytes: &[u8]) {
        let mut hash = DefaultHasher::new();
        bytes.hash(&mut hash);
        if !self.seen.insert(hash.finish()) {
            return;
        }
        (self.show)(&self.how, bytes);
        if self.how.len() == self.depth {
            return;
        }
        self.read("UTF-16", utf16(bytes));
        // Of a database or an image only what can be read is decoded: every sign stands somewhere in noise.
        let readable = readable(bytes).join(&b"\x01"[..]);
        for (label, decode) in DECODERS {
            self.read(label, decode(&readable));
        }
    }

    fn read(&mut self, label: &'static str, views: Vec<Vec<u8>>) {
        for view in views {
            self.how.push(label);
            self.descend(&view);
            self.how.pop();
        }
    }
}

type Decoder = fn(&[u8]) -> Vec<Vec<u8>>;

const DECODERS: &[(&str, Decoder)] = &[
    ("backslash escapes", backslash),
    ("percent", percent),
    ("entities", entities),
    ("quoted-printable", quoted_printable),
    ("base64", base64),
    ("base32", base32),
    ("hex", hex),
    ("numbers", numbers),
    ("joined strings", joined_strings),
];

/// The text with each place where `at` reads something replaced by what it reads; nothing when it never does. What lies far
/// from any such place is the same as before and left out.
fn replaced(bytes: &[u8], sign: u8, at: impl Fn(&[u8]) -> Option<(usize, Vec<u8>)>) -> Vec<Vec<u8>> {
    /// Twice the longest value in its longest form.
    const NEAR: usize = 8192;
    let mut view = Vec::new();
    // Up to where `bytes` was taken over, and the place of the last change.
    let (mut from, mut last) = (0, None::<usize>);
    for found in memchr::memchr_iter(sign, bytes) {
        if found < from {
            continue;
        }
        let Some((used, with)) = at(&bytes[found..]) else { continue };
        if let Some(last) = last.filter(|last| found - last > 2 * NEAR) {
            view.extend_from_slice(&bytes[from..last + NEAR]);
            view.push(1);
            from = found - NEAR;
        } else if last.is_none() {
            from = found.saturating_sub(NEAR);
        }
        view.extend_from_slice(&bytes[from..found]);
        view.extend_from_slice(&with);
        from = found + used;
        last = Some(from);
    }
    let Some(last) = last else { return Vec::new() };
    view.extend_from_slice(&bytes[from..(last + NEAR).min(bytes.len())]);
    vec![view]
}

fn hex_pair(text: &[u8]) -> Option<u8> {
    let digit = |b: u8| (b as char).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(*text.first()?)? * 16 + digit(*text.get(1)?)?)
}

/// JSON, C, Python and `$'…'`: `\n`, `\xHH`, `\uHHHH` with surrogates, `\u{…}`, `\ooo`. A backslash before a sign is
/// folded away with all the others.
fn backslash(bytes: &[u8]) -> Vec<Vec<u8>> {
    replaced(bytes, b'\\', |rest| {
        let next = *rest.get(1)?;
        let simple = match next {
            b'n' => Some(b'\n'),
            b't' => Some(b'\t'),
            b'r' => Some(b'\r'),
            b'b' => Some(8),
            b'f' => Some(12),
            b'\\' => Some(b'\\'),
            _ => None,
        };
        if let Some(byte) = simple {
            return Some((2, vec![byte]));
        }
        match next {
            b'x' => Some((4, vec![hex_pair(rest.get(2..4)?)?])),
            b'u' => unicode_escape(rest),
            b'0'..=b'7' => {
                let digits: Vec<u8> =
                    rest[1..].iter().copied().take(3).take_while(|b| (b'0'..=b'7').contains(b)).collect();
                let value = digits.iter().fold(0_u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
                Some((1 + digits.len(), vec![u8::try_from(value & 0xFF).unwrap_or(0)]))
            }
            _ => None,
        }
    })
}

fn unicode_escape(rest: &[u8]) -> Option<(usize, Vec<u8>)> {
    let unit = |text: &[u8]| Some(u16::from_be_bytes([hex_pair(text)?, hex_pair(text.get(2..)?)?]));
    let utf8 = |c: char| c.to_string().into_bytes();
    if rest.get(2) == Some(&b'{') {
        let end = rest.iter().take(12).position(|b| *b == b'}')?;
        let code = u32::from_str_radix(std::str::from_utf8(&rest[3..end]).ok()?, 16).ok()?;
        return Some((end + 1, utf8(char::from_u32(code)?)));
    }
    let first = unit(rest.get(2..6)?)?;
    if let Some(c) = char::from_u32(u32::from(first)) {
        return Some((6, utf8(c)));
    }
    let second = rest.get(6..8).filter(|next| next == b"\\u").and_then(|_| unit(rest.get(8..12)?))?;
    let c = char::decode_utf16([first, second]).next()?.ok()?;
    Some((12, utf8(c)))
}

fn percent(bytes: &[u8]) -> Vec<Vec<u8>> {
    replaced(bytes, b'%', |rest| Some((3, vec![hex_pair(rest.get(1..3)?)?])))
}

fn entities(bytes: &[u8]) -> Vec<Vec<u8>> {
    replaced(bytes, b'&', |rest| {
        let end = rest.iter().take(12).position(|b| *b == b';')?;
        let name = std::str::from_utf8(&rest[1..end]).ok()?;
        let c = match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            "plus" => '+',
            "sol" => '/',
            "num" => '#',
            _ => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
        };
        Some((end + 1, c.to_string().into_bytes()))
    })
}

/// RFC 2045, section 6.7.
fn quoted_printable(bytes: &[u8]) -> Vec<Vec<u8>> {
    replaced(bytes, b'=', |rest| match rest.get(1)? {
        b'\n' => Some((2, Vec::new())),
        b'\r' if rest.get(2) == Some(&b'\n') => Some((3, Vec::new())),
        _ => Some((3, vec![hex_pair(rest.get(1..3)?)?])),
    })
}

/// Both byte orders at both alignments, of every stretch with a zero byte in about every second place.
fn utf16(bytes: &[u8]) -> Vec<Vec<u8>> {
    let read = |bytes: &[u8], order: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| order([pair[0], pair[1]]));
        String::from_utf16_lossy(&units.collect::<Vec<_>>()).into_bytes()
    };
    let mut views = vec![Vec::new(); 4];
    for stretch in with_zeros(bytes) {
        for (number, view) in views.iter_mut().enumerate() {
            let from = &stretch[number / 2..];
            let order = if number % 2 == 0 { u16::from_le_bytes } else { u16::from_be_bytes };
            view.push(read(from, order));
        }
    }
    views.into_iter().flat_map(joined).collect()
}

fn with_zeros(bytes: &[u8]) -> Vec<&[u8]> {
    /// Letters in a row that are not ASCII have no zero byte.
    const APART: usize = 12;
    let zeros: Vec<usize> = memchr::memchr_iter(0, bytes).collect();
    zeros
        .chunk_by(|a, b| b - a <= APART)
        .filter(|group| group.len() >= 4)
        .map(|group| &bytes[group[0].saturating_sub(APART)..(group[group.len() - 1] + APART).min(bytes.len())])
        .filter(|stretch| stretch.iter().filter(|b| **b != 0).count() * 2 >= stretch.len())
        .collect()
}

/// Runs of letters of an encoding, white space, quotes and escaped line ends inside skipped.
fn runs(bytes: &[u8], is_letter: fn(u8) -> bool, least: usize) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut run = Vec::new();
    // A break in white space may be a line wrap or the end of a word: each word counts alone and with its neighbours, but
    // single words of prose are never joined.
    let mut word = 0;
    let mut i = 0;
    while i <= bytes.len() {
        let byte = bytes.get(i).copied();
        match byte {
            Some(b) if is_letter(b) => {
                run.push(b);
                word += 1;
            }
            Some(b) if (b.is_ascii_whitespace() || b == 0) && (word == 0 || word >= RUN) => word = 0,
            _ => {
                if run.len() >= least {
                    found.push(std::mem::take(&mut run));
                }
                run.clear();
                word = 0;
            }
        }
        i += 1;
    }
    found
}

/// Both alphabets, any alignment: a value inside a longer text begins in the middle of a group.
fn base64(bytes: &[u8]) -> Vec<Vec<u8>> {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"+/-_".contains(&b);
    let mut out = Vec::new();
    for run in runs(bytes, letter, RUN) {
        let run: Vec<u8> = run
            .iter()
            .map(|b| {
                if *b == b'-' {
                    b'+'
                } else if *b == b'_' {
                    b'/'
                } else {
                    *b
                }
            })
            .collect();
        for skip in 0..4 {
            let Some(text) = run.get(skip..) else { continue };
            if let Ok(decoded) = BASE64_NOPAD.decode(&text[..text.len() / 4 * 4]) {
                let mut decoded = decoded;
                decoded.extend(tail(&text[text.len() / 4 * 4..]));
                keep(&mut out, decoded);
            }
        }
    }
    joined(out)
}

/// The bytes of a last, unfinished group.
fn tail(letters: &[u8]) -> Vec<u8> {
    let padded: Vec<u8> = letters.iter().copied().chain(std::iter::repeat(b'A')).take(4).collect();
    let whole = BASE64_NOPAD.decode(&padded).unwrap_or_default();
    let bytes = letters.len() * 6 / 8;
    whole.into_iter().take(bytes).collect()
}

fn base32(bytes: &[u8]) -> Vec<Vec<u8>> {
    let capital = |b: u8| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b);
    let small = |b: u8| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b);
    let mut out = Vec::new();
    for run in runs(bytes, capital, RUN + 2).into_iter().chain(runs(bytes, small, RUN + 2)) {
        let run = run.to_ascii_uppercase();
        for skip in 0..8 {
            let Some(text) = run.get(skip..) else { continue };
            let padded: Vec<u8> =
                text.iter().copied().chain(std::iter::repeat_n(b'A', (8 - text.len() % 8) % 8)).collect();
            if let Ok(decoded) = BASE32_NOPAD.decode(&padded) {
                keep(&mut out, decoded);
            }
        }
    }
    joined(out)
}

/// Digits in any layout: plain, spaced, with colons, `\x`, `0x`, and dumps with an address before and text behind.
fn hex(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut digits = Vec::new();
    for line in bytes.split(|b| *b == b'\n') {
        let line = without_dump_columns(line);
        let mut i = 0;
        while i < line.len() {
            let rest = &line[i..];
            if rest.starts_with(b"0x") || rest.starts_with(b"\\x") || rest.starts_with(b"0X") {
                i += 2;
                continue;
            }
            let length = rest.iter().take_while(|b| b.is_ascii_hexdigit()).count();
            if length == 0 {
                // Anything but a separator ends a run.
                if !b" :,-\t\r\"'%;{}[]().\0".contains(&line[i]) && digits.last() != Some(&b'|') {
                    digits.push(b'|');
                }
                i += 1;
                continue;
            }
            digits.extend_from_slice(&rest[..length]);
            i += length;
        }
    }
    let mut out = Vec::new();
    for run in digits.split(|b| *b == b'|').filter(|run| run.len() >= 2 * CHARS) {
        for skip in 0..2 {
            let pairs: Vec<u8> = run[skip..].chunks_exact(2).filter_map(hex_pair).collect();
            let swapped: Vec<u8> = pairs.chunks_exact(2).flat_map(|two| [two[1], two[0]]).collect();
            keep(&mut out, pairs);
            keep(&mut out, swapped);
        }
    }
    joined(out)
}

/// Fewer decoded bytes than this hold no value.
const CHARS: usize = 8;

/// A line of `hexdump -C`, `xxd` or `od` without its address, what stands before it, and its text.
fn without_dump_columns(line: &[u8]) -> &[u8] {
    let mut at = 0;
    let (sign, bytes) = loop {
        let Some(skip) = line[at..].iter().position(u8::is_ascii_hexdigit) else { return line };
        at += skip;
        let digits = line[at..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
        at += digits;
        if (6..=16).contains(&digits) && matches!(line.get(at), Some(b':' | b' ')) {
            break (line[at], &line[at + 1..]);
        }
    };
    // `hexdump -C` has a double gap in the middle of its bytes and a bar before the text, `xxd` only a gap before the text.
    let text = if sign == b' ' { bytes.iter().position(|b| *b == b'|') } else { None };
    let text = text.or_else(|| bytes.windows(2).position(|two| two == b"  "));
    &bytes[..text.unwrap_or(bytes.len())]
}

/// `[107, 84, 113]`, `107 84 113`: bytes as decimal numbers, or as octal ones with a leading zero.
fn numbers(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for radix in [10, 8] {
        let mut run: Vec<u8> = Vec::new();
        let mut i = 0;
        while i <= bytes.len() {
            let rest = &bytes[i..];
            let length = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            let value = std::str::from_utf8(&rest[..length.min(4)]).ok().filter(|_| (1..=4).contains(&length));
            if let Some(byte) = value.and_then(|digits| u8::from_str_radix(digits, radix).ok()) {
                run.push(byte);
                i += length;
                continue;
            }
            // The address of a dump, not a number of it.
            if length >= 6 && (i == 0 || bytes[i - 1] == b'\n') {
                i += length;
                continue;
            }
            if rest.is_empty() || length > 0 || !b" ,;\n\t\r[](){}".contains(&rest[0]) {
                if run.len() >= CHARS {
                    out.push(std::mem::take(&mut run));
                }
                run.clear();
            }
            i += length.max(1);
        }
    }
    joined(out)
}

/// Of JSON documents, server-sent events included, all strings under one key one after the other: what is cut over parts,
/// messages or deltas is whole again.
fn joined_strings(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let parts = bytes.split(|b| *b == b'\n' || *b == 1);
    let documents = parts.map(|line| line.strip_prefix(b"data:").unwrap_or(line).trim_ascii());
    for document in documents.filter(|text| text.first().is_some_and(|b| b"{[".contains(b))) {
        for value in serde_json::Deserializer::from_slice(document).into_iter::<Value>().map_while(Result::ok) {
            collect("", value, &mut by_key);
        }
    }
    // A line end disappears when it is compared, and keeps apart what is a line of its own. Without it an escape is whole
    // again that was cut in its middle.
    let with = |end: &str| {
        let texts = by_key.values().filter(|texts| end.is_empty() || texts.len() > 1).map(|texts| texts.join(end));
        joined(texts.filter(|text| text.len() >= CHARS).map(String::into_bytes).collect())
    };
    [with(""), with("\n")].concat()
}

fn collect(key: &str, value: Value, by_key: &mut BTreeMap<String, Vec<String>>) {
    match value {
        Value::String(text) => by_key.entry(key.to_owned()).or_default().push(text),
        Value::Array(items) => items.into_iter().for_each(|item| collect(key, item, by_key)),
        Value::Object(members) => members.into_iter().for_each(|(key, item)| collect(&key, item, by_key)),
        _ => {}
    }
}

/// Keeps what could be, or hold, a text: what is decoded at the wrong alignment is noise, and so is an image.
fn keep(out: &mut Vec<Vec<u8>>, decoded: Vec<u8>) {
    if with_zeros(&decoded).is_empty() {
        let parts = readable(&decoded);
        if parts.is_empty() {
            out.extend(foreign(&decoded));
        }
        out.extend(parts.into_iter().map(<[u8]>::to_vec));
    } else {
        // UTF-16, which is no UTF-8.
        out.push(decoded);
    }
}

/// The stretches of UTF-8 that are long enough to hold a value.
fn readable(bytes: &[u8]) -> Vec<&[u8]> {
    let is_noise = |c: char| c.is_control() && !c.is_whitespace() && c != '\x01' && c != '\0';
    bytes
        .utf8_chunks()
        .flat_map(|chunk| chunk.valid().split(is_noise))
        .map(str::as_bytes)
        .filter(|part| part.len() >= CHARS)
        .collect()
}

/// UTF-16 of a script that has no zero bytes.
fn foreign(bytes: &[u8]) -> Vec<Vec<u8>> {
    let read = |from: &[u8], order: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = from.chunks_exact(2).map(|pair| order([pair[0], pair[1]])).collect();
        let text = String::from_utf16_lossy(&units);
        let letters = text.chars().filter(|c| c.is_alphanumeric() || c.is_ascii_graphic()).count();
        (letters * 5 >= text.chars().count() * 4 && letters >= CHARS / 2).then(|| text.into_bytes())
    };
    [0, 1]
        .into_iter()
        .filter_map(|skip| bytes.get(skip..))
        .flat_map(|from| [read(from, u16::from_le_bytes), read(from, u16::from_be_bytes)])
        .flatten()
        .collect()
}

/// One view for all parts, apart so that no two of them make a value.
fn joined(parts: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if parts.is_empty() { Vec::new() } else { vec![parts.join(&b"\x01"[..])] }
}
