//! How programs and people write a value, one function each; nothing here is shared with the engine.

use std::fmt::Write as _;

/// A way to write a value. The second argument is chance.
pub(crate) type Form = fn(&str, u8) -> String;

/// Every form, by name.
pub(crate) const FORMS: [(&str, Form); 29] = [
    ("plain", |value, _| value.to_owned()),
    ("json", |value, _| json(value)),
    ("json in json", |value, _| json(&json(value))),
    ("json, all escaped", |value, _| value.encode_utf16().fold(String::new(), |s, u| s + &format!("\\u{u:04x}"))),
    ("json, some escaped", |value, chance| {
        let escape = |(n, c): (usize, char)| {
            if chance.rotate_left(n as u32) & 1 == 1 && c.is_ascii() {
                format!("\\u{:04X}", c as u32)
            } else {
                c.into()
            }
        };
        value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").chars().enumerate().map(escape).collect()
    }),
    ("percent", |value, _| percent(value, |b| b.is_ascii_alphanumeric(), false)),
    ("percent, all", |value, chance| percent(value, |_| false, chance & 1 == 1)),
    ("percent, twice", |value, _| {
        let once = percent(value, |b| b.is_ascii_alphanumeric(), false);
        percent(&once, |b| b.is_ascii_alphanumeric(), false)
    }),
    ("backslash x", |value, _| value.bytes().fold(String::new(), |s, b| s + &format!("\\x{b:02x}"))),
    ("html, numbers", |value, _| value.chars().fold(String::new(), |s, c| s + &format!("&#{};", c as u32))),
    ("html, hex", |value, _| value.chars().fold(String::new(), |s, c| s + &format!("&#x{:x};", c as u32))),
    ("html, names", |value, _| {
        value
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&#39;")
    }),
    (
        "hex",
        |value, chance| {
            if chance & 1 == 1 { hex(value.as_bytes(), "").to_uppercase() } else { hex(value.as_bytes(), "") }
        },
    ),
    ("hex, colons", |value, _| hex(value.as_bytes(), ":")),
    ("hex, list", |value, _| format!("0x{}", hex(value.as_bytes(), ", 0x"))),
    ("hex of utf-16", |value, _| hex(&utf16(value), "")),
    ("base64", |value, chance| base64(&framed(value.as_bytes(), chance), *b"+/", usize::MAX)),
    ("base64url", |value, chance| base64(&framed(value.as_bytes(), chance), *b"-_", usize::MAX)),
    ("base64, wrapped", |value, chance| base64(&framed(value.as_bytes(), chance), *b"+/", 16)),
    ("base64 of utf-16", |value, _| base64(&utf16(value), *b"+/", usize::MAX)),
    ("base64 of percent", |value, chance| {
        base64(&framed(percent(value, |_| false, chance & 1 == 1).as_bytes(), chance / 2), *b"+/", usize::MAX)
    }),
    ("base64 of html, wrapped", |value, chance| {
        let html = value.chars().fold(String::new(), |s, c| s + &format!("&#{};", c as u32));
        base64(&framed(html.as_bytes(), chance), *b"-_", 24)
    }),
    ("base64 of json, all escaped", |value, chance| {
        let json = value.encode_utf16().fold(String::new(), |s, u| s + &format!("\\u{u:04x}"));
        base64(&framed(json.as_bytes(), chance), *b"+/", usize::MAX)
    }),
    ("base64 of wide percent", |value, chance| {
        base64(&utf16(&percent(value, |b| b.is_ascii_alphanumeric(), chance & 1 == 1)), *b"+/", usize::MAX)
    }),
    ("base64 of zero width", |value, chance| {
        let text: String = value.chars().flat_map(|c| [c, '\u{200b}']).collect();
        base64(&framed(text.as_bytes(), chance), *b"+/", usize::MAX)
    }),
    ("hex of json in json", |value, _| hex(json(&json(value)).as_bytes(), "")),
    ("base32 of percent", |value, chance| {
        base32(&framed(percent(value, |b| b.is_ascii_alphanumeric(), false).as_bytes(), chance))
    }),
    ("zero width", |value, _| value.chars().flat_map(|c| [c, '\u{200b}']).collect()),
    ("coloured", |value, chance| {
        let half = value.char_indices().map(|(at, _)| at).nth(1 + usize::from(chance % 8)).unwrap_or(0);
        format!("{}\x1b[m\x1b[K{}", &value[..half], &value[half..])
    }),
];

fn framed(bytes: &[u8], chance: u8) -> Vec<u8> {
    let (before, after) = (usize::from(chance % 4), usize::from(chance / 4 % 4));
    [&b"abc"[..before], bytes, &b"xyz"[..after]].concat()
}

pub(crate) fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent(text: &str, plain: fn(u8) -> bool, lower: bool) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        let written = match (plain(b), lower) {
            (true, _) => write!(out, "{}", char::from(b)),
            (false, true) => write!(out, "%{b:02x}"),
            (false, false) => write!(out, "%{b:02X}"),
        };
        written.expect("a string takes everything");
        out
    })
}

fn hex(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(between)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

pub(crate) fn base64(bytes: &[u8], last: [u8; 2], width: usize) -> String {
    let letter = |n: u32| match n {
        0..26 => b'A' + n as u8,
        26..52 => b'a' + (n - 26) as u8,
        52..62 => b'0' + (n - 52) as u8,
        _ => last[n as usize - 62],
    };
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let all = group.iter().fold(0, |all, b| all << 8 | u32::from(*b)) << (8 * (3 - group.len()));
        for n in 0..4 {
            if !out.is_empty() && out.len() % (width.saturating_add(1)) == width {
                out.push('\n');
            }
            out.push(if n <= group.len() { char::from(letter(all >> (18 - 6 * n) & 63)) } else { '=' });
        }
    }
    out
}

fn base32(bytes: &[u8]) -> String {
    let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect::<Vec<_>>();
    let letter = |five: &[u8]| {
        let n = five.iter().fold(0, |n, bit| n << 1 | bit) << (5 - five.len());
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(n)])
    };
    bits.chunks(5).map(letter).collect()
}
