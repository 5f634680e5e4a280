//! Texts out of arbitrary bytes: noise, whole values, parts of values, values in disguise, next to each other.

use super::forms::FORMS;
use super::vaults;

/// Bytes that say what to make; zeros when there are none left.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What stands between values: beginnings of escapes, of rules, of hex dumps, and ordinary text.
const NOISE: [&str; 48] = [
    " ",
    "\n",
    "\\",
    "\\\\",
    "\\u00",
    "\\u200b",
    "\\ud83d",
    "%",
    "%2",
    "%25",
    "&",
    "&am",
    "&amp;",
    "&#",
    "\u{200b}",
    "\u{1b}[3",
    "\u{1b}[0m",
    "0",
    "a",
    "00000010  ",
    "|..|\n",
    "password=",
    "\"token\": \"",
    "ghp_",
    "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB",
    "AKIA",
    "eyJhbGciOiJIUzI1NiJ9.",
    "://u:",
    "@host",
    "SECRET_REF(token)",
    "Authorization: Bearer ",
    "-----BEGIN PRIVATE KEY-----\n",
    "\n-----END PRIVATE KEY-----",
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
    "\"",
    "'",
    ",",
    "=",
    "{",
    "}",
    "data: ",
    "data: {\"a\":\"",
    "\"}\n",
    "é",
    "中",
    "the quick brown fox ",
    "[REDACTED:password:1a2b]",
    "\" + \"",
];

/// A text with secrets of one vault in it; some 600 bytes at most.
pub(crate) fn text(bytes: &mut Bytes<'_>, vault: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while !bytes.is_empty() && out.len() < 600 {
        piece(bytes, vault, &mut out);
    }
    out
}

/// One more piece.
pub(crate) fn piece(bytes: &mut Bytes<'_>, vault: usize, out: &mut Vec<u8>) {
    let vault = &vaults()[vault % vaults().len()];
    let kind = bytes.next();
    let value = |n: u8| &vault[usize::from(n) % vault.len()].1;
    match kind % 8 {
        0 | 1 => out.extend(NOISE[usize::from(bytes.next()) % NOISE.len()].as_bytes()),
        2 => out.extend(value(bytes.next()).as_bytes()),
        3 => {
            let value = value(bytes.next()).as_bytes();
            let (a, b) = (usize::from(bytes.next()) % (value.len() + 1), usize::from(bytes.next()) % (value.len() + 1));
            out.extend(&value[a.min(b)..a.max(b)]);
        }
        4..=6 => {
            let (value, form, chance) = (value(bytes.next()), bytes.next(), bytes.next());
            out.extend(FORMS[usize::from(form) % FORMS.len()].1(value, chance).as_bytes());
        }
        _ => {
            let len = usize::from(bytes.next() % 16);
            out.extend(bytes.take(len));
        }
    }
}

/// A text in UTF-8.
pub(crate) fn string(bytes: &mut Bytes<'_>, vault: usize, pieces: u8) -> String {
    let mut out = Vec::new();
    for _ in 0..pieces {
        piece(bytes, vault, &mut out);
    }
    String::from_utf8_lossy(&out).into_owned()
}
