//! Reading a text in every way that undoes a form: the slow, obviously correct counterpart of the index.

use std::ops::Range;

/// Layers of escapes that are undone.
const LAYERS: usize = 3;

/// Where values stand as they are, however they overlap.
pub(crate) fn plain(text: &[u8], vault: &[(&str, String)]) -> Vec<Range<usize>> {
    let places = |value: &[u8]| -> Vec<usize> { (0..text.len()).filter(|&at| text[at..].starts_with(value)).collect() };
    vault.iter().flat_map(|(_, value)| places(value.as_bytes()).into_iter().map(|at| at..at + value.len())).collect()
}

/// A value that can still be read, and how.
pub(crate) fn survivor<'a>(text: &[u8], vault: &'a [(&str, String)]) -> Option<(&'a str, String)> {
    let mut views = vec![("as it is".to_owned(), text.to_vec())];
    for layer in 1..=LAYERS {
        let next = undone(&views[views.len() - 1].1);
        views.push((format!("with {layer} layers undone"), next));
    }
    for n in 0..views.len() {
        let (name, view) = views[n].clone();
        for offset in 0..2 {
            views.push((format!("{name}, hex at {offset}"), unhexed(&view, offset)));
        }
        for offset in 0..4 {
            views.push((format!("{name}, base64 at {offset}"), unbase64(&view, offset)));
        }
    }
    for n in 0..views.len() {
        let (name, view) = views[n].clone();
        for offset in 0..2 {
            views.push((format!("{name}, utf-16 at {offset}"), narrow(&view, offset)));
        }
    }
    let holds = |view: &[u8], value: &str| view.windows(value.len()).any(|window| window == value.as_bytes());
    views.into_iter().find_map(|(view_name, view)| {
        let (name, _) = vault.iter().find(|(_, value)| holds(&view, value))?;
        Some((*name, view_name))
    })
}

/// One layer of escapes undone.
pub(crate) fn undone(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        match escape(rest) {
            Some((plain, used)) => {
                out.extend(plain);
                rest = &rest[used..];
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    out
}

/// What an escape stands for, and its length.
fn escape(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let digits = |from: usize, to: usize| {
        let digits = std::str::from_utf8(text.get(from..to)?).ok()?;
        if digits.bytes().all(|b| b.is_ascii_hexdigit()) { u32::from_str_radix(digits, 16).ok() } else { None }
    };
    let utf8 = |code: u32| char::from_u32(code).map(|c| c.to_string().into_bytes());
    match *text {
        [b'\\', b'n', ..] => Some((b"\n".to_vec(), 2)),
        [b'\\', b'r', ..] => Some((b"\r".to_vec(), 2)),
        [b'\\', b't', ..] => Some((b"\t".to_vec(), 2)),
        [b'\\', b'\n', ..] => Some((Vec::new(), 2)),
        [b'\\', b'x', ..] => Some((vec![u8::try_from(digits(2, 4)?).ok()?], 4)),
        [b'\\', b'u', ..] => {
            let first = digits(2, 6)?;
            if let (0xd800..0xdc00, [b'\\', b'u', ..]) = (first, text.get(6..)?)
                && let Some(second @ 0xdc00..0xe000) = digits(8, 12)
            {
                return Some((utf8(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?, 12));
            }
            Some((utf8(first)?, 6))
        }
        [b'\\', c, ..] if c.is_ascii_punctuation() || c == b' ' => Some((vec![c], 2)),
        [b'%', ..] => Some((vec![u8::try_from(digits(1, 3)?).ok()?], 3)),
        [b'&', b'#', b'x' | b'X', ..] => {
            let end = text.iter().take(10).position(|b| *b == b';')?;
            Some((utf8(digits(3, end)?)?, end + 1))
        }
        [b'&', b'#', ..] => {
            let end = text.iter().take(10).position(|b| *b == b';')?;
            Some((utf8(std::str::from_utf8(&text[2..end]).ok()?.parse().ok()?)?, end + 1))
        }
        [b'&', ..] => {
            let names = [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\"")];
            let (name, plain) = names.iter().find(|(name, _)| text.starts_with(name.as_bytes()))?;
            Some((plain.as_bytes().to_vec(), name.len()))
        }
        [0x1b, b'[', ..] => {
            let end = text.iter().take(12).position(u8::is_ascii_alphabetic)?;
            Some((Vec::new(), end + 1))
        }
        [0xe2, 0x80, 0x8b, ..] => Some((Vec::new(), 3)),
        _ => None,
    }
}

/// Every run of hex digits decoded, whatever stands between the pairs of one.
fn unhexed(text: &[u8], offset: usize) -> Vec<u8> {
    let mut flat = Vec::new();
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = match rest {
            [b'\\', b'x', after @ ..] | [b'0', b'x', after @ ..] => after,
            [b' ' | b'\n' | b',' | b':' | b'-' | b'%', after @ ..] => after,
            _ => {
                flat.push(*first);
                tail
            }
        };
    }
    let mut out = Vec::new();
    for run in flat.split(|b| !b.is_ascii_hexdigit()).filter(|run| run.len() > 8) {
        let digit = |b: u8| char::from(b).to_digit(16).map_or(0, |d| d as u8);
        out.extend(run[offset..].chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])));
        out.push(0);
    }
    out
}

/// Every run of base64 decoded, line ends left out.
fn unbase64(text: &[u8], offset: usize) -> Vec<u8> {
    let bits = |b: u8| match b {
        b'A'..=b'Z' => Some(b - b'A'),
        b'a'..=b'z' => Some(b - b'a' + 26),
        b'0'..=b'9' => Some(b - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let flat: Vec<u8> = text.iter().copied().filter(|b| *b != b'\n').collect();
    let mut out = Vec::new();
    for run in flat.split(|b| bits(*b).is_none()).filter(|run| run.len() > 8) {
        for group in run[offset..].chunks(4) {
            let all = group.iter().fold(0_u32, |all, b| all << 6 | u32::from(bits(*b).unwrap_or(0)));
            let all = all << (6 * (4 - group.len()));
            out.extend((1..group.len()).map(|n| (all >> (24 - 8 * n)) as u8));
        }
        out.push(0);
    }
    out
}

/// The letters of a text in UTF-16.
fn narrow(text: &[u8], offset: usize) -> Vec<u8> {
    let units = text[offset.min(text.len())..].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect::<String>().into_bytes()
}
