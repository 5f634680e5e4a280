//! Which forms of a value are looked for, and in which view of the text.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::forms::{Code, Form, Packed, is_quoted};
use crate::normal;
use crate::rarity::rarity;
use crate::searchable::MIN_BYTES;
use crate::unescape;

/// Longer values are looked for in parts, which become one again in the output: a part of a key is a secret, too, and a
/// stream holds back no more than one part.
pub(crate) const LONGEST: usize = 512;
/// A form of fewer letters and digits could be ordinary text.
pub(crate) const BARE_MIN: usize = 10;
/// A value of digits alone is a number until it is this long.
const NUMBER_MIN: usize = 16;
/// Shortest form that is looked for as it is.
pub(crate) const EXACT_MIN: usize = 5;
/// A line of a key file is looked for by itself from this length.
const LINE_MIN: usize = 16;
/// Layers of escapes in a value that are looked for undone.
const UNDONE: usize = 3;

/// Bytes to look for: a value, or what some program makes of it.
pub(crate) struct Source {
    pub(crate) bytes: Zeroizing<Box<[u8]>>,
    pub(crate) owner: u32,
    /// Whether these are the value's own bytes, which can be found in two halves.
    pub(crate) whole: bool,
}

/// Some characters of a form of a source.
#[derive(Clone, Copy)]
pub(crate) struct Needle {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) form: Form,
}

/// The same as it is kept: eight bytes, of which each value has some fifty.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
    source: u32,
    /// Which of its parts.
    part: u16,
    form: Packed,
}

impl Kept {
    pub(crate) fn source(self, sources: &[Source]) -> &Source {
        &sources[self.source as usize]
    }

    /// What it stands for; `source` is its own.
    pub(crate) fn needle(self, source: &Source) -> Needle {
        let (form, bytes) = (self.form.form(), &source.bytes);
        let cut = |n| cut(bytes, n);
        let range = form.range(bytes.len(), cut(usize::from(self.part))..cut(usize::from(self.part) + 1));
        let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Needle { from: index(range.start), to: index(range.end), form }
    }
}

impl Needle {
    /// Whether its value can be found in two halves.
    pub(crate) fn halves(&self, source: &Source) -> bool {
        let len = source.bytes.len();
        source.whole && self.form == Form::PLAIN && (self.to - self.from) as usize == len && len >= 2 * HALF
    }
}

/// Least bytes of a half of a value.
pub(crate) const HALF: usize = 5;

/// Least bytes of the first half of a value of `len` bytes: enough that a common beginning such as `https://` keeps no
/// stream waiting.
pub(crate) fn first_half(len: usize) -> usize {
    HALF.max(len * 2 / 5)
}

/// All needles of all values.
#[derive(Default)]
pub(crate) struct Needles {
    pub(crate) sources: Vec<Source>,
    /// For text as it is, and with escapes undone.
    pub(crate) exact: Vec<Kept>,
    /// For text without anything but letters and digits.
    pub(crate) bare: Vec<Kept>,
    /// Parts of all values.
    pub(crate) parts: usize,
    /// Bytes of the longest value, in its longest spelling.
    pub(crate) longest: usize,
}

impl Needles {
    /// Adds all forms of one value.
    pub(crate) fn add(&mut self, value: &str, owner: u32) {
        self.spelling(value, owner);
        for other in normal::others(value) {
            self.spelling(&other, owner);
        }
    }

    /// Adds all forms of a value as it is spelled.
    fn spelling(&mut self, value: &str, owner: u32) {
        self.longest = self.longest.max(value.len());
        let plain = self.value(value.as_bytes(), owner, true);
        self.codes(&plain);
        self.depth_two(&plain);
        let mut text = Zeroizing::new(value.as_bytes().to_vec());
        for _ in 0..UNDONE {
            let next = Zeroizing::new(unescape::once(&text));
            if next == text || next.len() < MIN_BYTES {
                break;
            }
            self.value(&next, owner, true);
            text = next;
        }
        if value.trim_end().contains('\n') {
            for line in value.lines().map(str::trim).filter(|line| is_key_line(line)) {
                let line = self.source(line.as_bytes(), owner, false);
                self.exact(&line, Form::PLAIN);
            }
        }
        self.utf16(value, owner);
        if !value.is_ascii() {
            self.apart(value, owner);
        }
        for written in escaped(value) {
            let written = self.source(&written, owner, false);
            self.base64(&written, Code::Plain);
        }
        if value.bytes().any(is_quoted) {
            self.bare(&plain, Form::of(Code::Quoted));
        }
    }

    fn source(&mut self, bytes: &[u8], owner: u32, whole: bool) -> Parts {
        let number = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        self.sources.push(Source { bytes: Zeroizing::new(bytes.into()), owner, whole });
        let parts =
            Parts { source: number, bytes: bytes.len(), cuts: (0..=count(bytes)).map(|n| cut(bytes, n)).collect() };
        self.parts += count(bytes);
        parts
    }

    /// The bytes themselves, and their letters in the orders that people hide them in.
    fn value(&mut self, bytes: &[u8], owner: u32, whole: bool) -> Parts {
        let parts = self.source(bytes, owner, whole);
        self.exact(&parts, Form::PLAIN);
        let letters = bytes.iter().filter(|b| b.is_ascii_alphabetic()).count();
        let digits = bytes.iter().filter(|b| b.is_ascii_digit()).count();
        if letters > 0 || digits >= NUMBER_MIN {
            self.bare(&parts, Form::PLAIN);
        }
        if letters > 0 {
            self.bare(&parts, Form::of(Code::Reversed));
            self.bare(&parts, Form::of(Code::Rot13));
        }
        parts
    }

    fn codes(&mut self, parts: &Parts) {
        for code in [Code::LowerHex, Code::Octal, Code::Decimal] {
            self.bare(parts, Form::of(code));
        }
        for before in 0..5 {
            self.bare(parts, Form::of(Code::Base32(before)));
        }
        self.base64(parts, Code::Plain);
    }

    fn depth_two(&mut self, parts: &Parts) {
        for inner in [Code::LowerHex, Code::UpperHex, Code::Base64(0), Code::Base64(1), Code::Base64(2), Code::Reversed]
        {
            self.base64(parts, inner);
        }
        for inner in [Code::LowerHex, Code::Base64(0), Code::Base64(1), Code::Base64(2)] {
            self.bare(parts, Form { outer: Code::LowerHex, inner });
        }
        for before in 0..3 {
            self.bare(parts, Form { outer: Code::Reversed, inner: Code::Base64(before) });
            self.bare(parts, Form { outer: Code::Rot13, inner: Code::Base64(before) });
        }
        self.bare(parts, Form { outer: Code::Reversed, inner: Code::LowerHex });
    }

    /// A zero between all characters, as wide ones read as UTF-8 have it. Where they are ASCII their letters alone tell them.
    fn apart(&mut self, value: &str, owner: u32) {
        let mut apart = Zeroizing::new(String::with_capacity(2 * value.len()));
        apart.extend(value.chars().flat_map(|sign| [sign, '\0']));
        let apart = apart.trim_end_matches('\0').as_bytes();
        self.longest = self.longest.max(apart.len());
        // Where the zeros are escapes, letters that look like ASCII ones become these together with them.
        let undone = Zeroizing::new(unescape::once(apart));
        let other = (*undone != apart).then_some(undone.as_slice());
        for apart in [apart].into_iter().chain(other) {
            let apart = self.source(apart, owner, false);
            self.exact(&apart, Form::PLAIN);
        }
    }

    /// Wide characters, as PowerShell and Windows write them.
    fn utf16(&mut self, value: &str, owner: u32) {
        let little = Zeroizing::new(value.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
        let big = Zeroizing::new(value.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>());
        for wide in [little, big] {
            let wide = self.source(&wide, owner, false);
            self.exact(&wide, Form::PLAIN);
            self.bare(&wide, Form::of(Code::LowerHex));
            self.base64(&wide, Code::Plain);
        }
    }

    /// Base64 after any number of other bytes. Where too few letters are left without `+` and `/`, as it is.
    fn base64(&mut self, parts: &Parts, inner: Code) {
        for before in 0..3 {
            let form = Form { outer: Code::Base64(before), inner };
            if !self.bare(parts, form) {
                self.exact(parts, form);
                self.exact(parts, Form { outer: Code::Base64Url(before), inner });
            }
        }
    }

    fn exact(&mut self, parts: &Parts, form: Form) {
        let long = parts.ranges(form).filter(|(_, part)| part.len() >= EXACT_MIN);
        self.exact.extend(long.map(|(number, _)| parts.kept(form, number)));
    }

    /// Whether all parts have enough letters and digits.
    fn bare(&mut self, parts: &Parts, form: Form) -> bool {
        let before = self.bare.len();
        for (number, part) in parts.ranges(form) {
            let value = &self.sources[parts.source as usize].bytes;
            let letters = part.filter(|&at| form.at(value, at).is_ascii_alphanumeric());
            if letters.take(BARE_MIN).count() < BARE_MIN {
                self.bare.truncate(before);
                return false;
            }
            self.bare.push(parts.kept(form, number));
        }
        true
    }
}

/// Where a source is cut.
struct Parts {
    source: u32,
    bytes: usize,
    cuts: Vec<usize>,
}

impl Parts {
    fn ranges(&self, form: Form) -> impl Iterator<Item = (u16, Range<usize>)> {
        (0..).zip(self.cuts.windows(2).map(move |cut| form.range(self.bytes, cut[0]..cut[1])))
    }

    fn kept(&self, form: Form, part: u16) -> Kept {
        Kept { source: self.source, part, form: Packed::new(form) }
    }
}

/// Nearly equal parts: a short last one would match ordinary text.
fn count(bytes: &[u8]) -> usize {
    if bytes.len() <= LONGEST { 1 } else { bytes.len().div_ceil(LONGEST / 2) }
}

/// Where part `n` begins: with a letter or digit, so that it begins at the same place in every view.
fn cut(bytes: &[u8], n: usize) -> usize {
    let count = count(bytes);
    let near = bytes.len() * n / count;
    if n == 0 || n == count {
        return near;
    }
    let skip = bytes[near..].iter().take(LONGEST / 8).position(u8::is_ascii_alphanumeric);
    near + skip.unwrap_or(0)
}

/// Whether a line of a longer value says something by itself: one run of a key's characters, neither words nor a number.
fn is_key_line(line: &str) -> bool {
    let key = |b: u8| b.is_ascii_alphanumeric() || b"+/=_.-".contains(&b);
    line.len() >= LINE_MIN
        && !line.starts_with("-----")
        && line.bytes().all(key)
        && line.bytes().any(|b| b.is_ascii_alphabetic())
        && (line.bytes().any(|b| b.is_ascii_digit()) || is_drawn(line))
}

/// Whether letters follow each other as in no language. One of 30 keys of 20 letters and digits happens to have no digit.
fn is_drawn(line: &str) -> bool {
    /// Bits of surprise for each letter: of 200 keys of 20 letters 199 have as many, of 100 names in programs 6.
    const BITS: usize = 5;
    rarity(line.as_bytes()) as usize >= BITS * line.len()
}

/// The value as programs write it into a document that is then encoded as a whole.
fn escaped(value: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let mut json = Zeroizing::new(Vec::new());
    let mut url = Zeroizing::new(Vec::new());
    let mut form = Zeroizing::new(Vec::new());
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => json.extend([b'\\', byte]),
            b'\n' => json.extend(b"\\n"),
            b'\r' => json.extend(b"\\r"),
            b'\t' => json.extend(b"\\t"),
            _ => json.push(byte),
        }
        let hex = |digit: u8| b"0123456789ABCDEF"[usize::from(digit)];
        match byte {
            b'-' | b'_' | b'.' | b'~' => [&mut url, &mut form].map(|text| text.push(byte)),
            _ if byte.is_ascii_alphanumeric() => [&mut url, &mut form].map(|text| text.push(byte)),
            _ => [&mut url, &mut form].map(|text| text.extend([b'%', hex(byte >> 4), hex(byte & 15)])),
        };
        if byte == b' ' {
            let before = form.len() - 3;
            form.truncate(before);
            form.push(b'+');
        }
    }
    if !value.contains(' ') {
        form.clear();
    }
    let differs = |text: &Zeroizing<Vec<u8>>| !text.is_empty() && text.as_slice() != value.as_bytes();
    [json, url, form].into_iter().filter(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_and_never_short() {
        for len in [9, 512, 513, 700, 5000] {
            let value: Vec<u8> = (0..len).map(|n| if n % 7 == 0 { b'-' } else { b'a' }).collect();
            let cuts: Vec<usize> = (0..=count(&value)).map(|n| cut(&value, n)).collect();
            assert_eq!((cuts[0], cuts[cuts.len() - 1]), (0, len));
            assert!(cuts.windows(2).all(|cut| (len.min(128)..=LONGEST).contains(&(cut[1] - cut[0]))), "{len}");
            assert!(cuts.iter().all(|&cut| cut == 0 || cut == len || value[cut] == b'a'));
        }
    }

    #[test]
    fn only_lines_of_keys_stand_alone() {
        assert!(is_key_line("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"));
        assert!(is_key_line("AWS_SECRET_ACCESS_KEY=abc1"));
        // Without a digit, by chance.
        for line in [
            "ApqayYsbvkKlzynJEjLD",
            "GyVZxFPevTyhtVltpPtE",
            "qhzvkxtwjpfbgdrmcl",
            "XKVDJQHWNRTPZGMF",
            "pXw/Rkj+QznDvHsc=",
        ] {
            assert!(is_key_line(line), "{line}");
        }
        for line in [
            "kubernetesServiceAccount",
            "CHALLENGE_RESPONSE_AUTHENTICATION",
            "PermitEmptyPasswords=no",
            "internal.mail.example.com",
            "-----BEGIN PRIVATE KEY-----",
            "\"auth_uri\": \"https://accounts.google.com/o/oauth2/auth\",",
            "short-line-1",
            "an ordinary line with 1 number",
            "1234567890123456",
            "words-and-nothing-else",
        ] {
            assert!(!is_key_line(line), "{line}");
        }
    }

    #[test]
    fn escaped_values_are_what_programs_write() {
        let texts = |value| escaped(value).iter().map(|t| String::from_utf8_lossy(t).into_owned()).collect::<Vec<_>>();
        assert_eq!(texts("plain-1"), [""; 0]);
        assert_eq!(texts("a\"b\n"), ["a\\\"b\\n", "a%22b%0A"]);
        assert_eq!(texts("a b/"), ["a%20b%2F", "a+b%2F"]);
    }
}
