//! The forms a value takes that no view of the text undoes, computed character by character: no form is ever stored.
//!
//! A form is a code over the value, or a code over a code: base64 of hex. Each code knows its length and any of its
//! characters, and leaves out those that neighbours of the value would change: the first and last of base64.

use std::ops::Range;

/// One way of writing bytes as characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Plain,
    Reversed,
    Rot13,
    LowerHex,
    UpperHex,
    /// Three digits.
    Octal,
    /// One to three digits; blanks in place of the others.
    Decimal,
    /// RFC 2045 quoted-printable without its line ends.
    Quoted,
    /// RFC 4648, after so many bytes of something else.
    Base32(u8),
    /// RFC 4648, after so many bytes of something else.
    Base64(u8),
    /// The alphabet for URLs and file names.
    Base64Url(u8),
}

/// A code over a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) outer: Code,
    pub(crate) inner: Code,
}

/// A form in two bytes.
#[derive(Clone, Copy)]
pub(crate) struct Packed {
    outer: u8,
    inner: u8,
}

impl Packed {
    pub(crate) fn new(form: Form) -> Self {
        let number = |code| Code::ALL.iter().position(|one| *one == code).map_or(0, |at| at as u8);
        Self { outer: number(form.outer), inner: number(form.inner) }
    }

    #[inline]
    pub(crate) fn form(self) -> Form {
        let code = |number| Code::ALL[usize::from(number)];
        Form { outer: code(self.outer), inner: code(self.inner) }
    }
}

impl Form {
    pub(crate) const PLAIN: Self = Self { outer: Code::Plain, inner: Code::Plain };

    pub(crate) const fn of(outer: Code) -> Self {
        Self { outer, inner: Code::Plain }
    }

    /// Characters of a value of `bytes` bytes.
    pub(crate) fn len(self, bytes: usize) -> usize {
        self.outer.len(self.inner.len(bytes))
    }

    /// The character `at`.
    #[inline]
    pub(crate) fn at(self, value: &[u8], at: usize) -> u8 {
        if self.inner == Code::Plain {
            return self.outer.at(value.len(), |n| value[n], at);
        }
        let inner = self.inner;
        self.outer.at(inner.len(value.len()), |n| inner.at(value.len(), |n| value[n], n), at)
    }

    /// Gives the characters of a range, one after the other, until `put` wants no more. Faster than one by one: what the form
    /// is was asked before.
    pub(crate) fn each(self, value: &[u8], range: Range<usize>, put: impl FnMut(u8) -> bool) {
        let (bytes, plain) = (value.len(), |n: usize| value[n]);
        match self.inner {
            Code::Plain => self.outer.each(bytes, plain, range, put),
            inner => self.outer.each(inner.len(bytes), |n| inner.at(bytes, plain, n), range, put),
        }
    }

    /// The characters of a part of the value of `bytes` bytes. Parts that meet give ranges that meet.
    pub(crate) fn range(self, bytes: usize, part: Range<usize>) -> Range<usize> {
        self.outer.range(self.inner.len(bytes), self.inner.range(bytes, part))
    }
}

impl Code {
    /// Every one.
    const ALL: [Self; 19] = [
        Self::Plain,
        Self::Reversed,
        Self::Rot13,
        Self::LowerHex,
        Self::UpperHex,
        Self::Octal,
        Self::Decimal,
        Self::Quoted,
        Self::Base32(0),
        Self::Base32(1),
        Self::Base32(2),
        Self::Base32(3),
        Self::Base32(4),
        Self::Base64(0),
        Self::Base64(1),
        Self::Base64(2),
        Self::Base64Url(0),
        Self::Base64Url(1),
        Self::Base64Url(2),
    ];

    fn len(self, bytes: usize) -> usize {
        match self {
            Self::Plain | Self::Reversed | Self::Rot13 => bytes,
            Self::LowerHex | Self::UpperHex | Self::Quoted => bytes * 2,
            Self::Octal | Self::Decimal => bytes * 3,
            Self::Base32(before) => stable(bytes, before, 5).len(),
            Self::Base64(before) | Self::Base64Url(before) => stable(bytes, before, 6).len(),
        }
    }

    #[inline(always)]
    fn at(self, bytes: usize, value: impl Fn(usize) -> u8, at: usize) -> u8 {
        const LOWER: &[u8; 16] = b"0123456789abcdef";
        const UPPER: &[u8; 16] = b"0123456789ABCDEF";
        let digit = |table: &[u8; 16], byte: u8, low: bool| table[usize::from(if low { byte & 15 } else { byte >> 4 })];
        match self {
            Self::Plain => value(at),
            Self::Reversed => value(bytes - 1 - at),
            Self::Rot13 => match value(at) {
                b @ (b'a'..=b'm' | b'A'..=b'M') => b + 13,
                b @ (b'n'..=b'z' | b'N'..=b'Z') => b - 13,
                b => b,
            },
            Self::LowerHex => digit(LOWER, value(at / 2), at % 2 == 1),
            Self::UpperHex => digit(UPPER, value(at / 2), at % 2 == 1),
            Self::Octal => b'0' + ((value(at / 3) >> (6 - 3 * (at % 3))) & 7),
            Self::Decimal => match (value(at / 3), at % 3) {
                (..100, 0) | (..10, 1) => b' ',
                (byte, 0) => b'0' + byte / 100,
                (byte, 1) => b'0' + byte / 10 % 10,
                (byte, _) => b'0' + byte % 10,
            },
            Self::Quoted => match value(at / 2) {
                byte if !is_quoted(byte) => [byte, b' '][at % 2],
                byte => digit(UPPER, byte, at % 2 == 1),
            },
            Self::Base32(before) => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[bits(bytes, value, before, 5, at)],
            Self::Base64(before) | Self::Base64Url(before) => match bits(bytes, value, before, 6, at) {
                62 if self == Self::Base64(before) => b'+',
                63 if self == Self::Base64(before) => b'/',
                n => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[n],
            },
        }
    }

    fn each(self, bytes: usize, value: impl Fn(usize) -> u8, range: Range<usize>, mut put: impl FnMut(u8) -> bool) {
        /// Calls [`Code::at`] where the code is known, so that nothing else of it is left.
        macro_rules! of {
            ($code:expr) => {
                range.map(|at| $code.at(bytes, &value, at)).all(&mut put)
            };
        }
        let _all = match self {
            Self::Plain => of!(Self::Plain),
            Self::Reversed => of!(Self::Reversed),
            Self::Rot13 => of!(Self::Rot13),
            Self::LowerHex => of!(Self::LowerHex),
            Self::UpperHex => of!(Self::UpperHex),
            Self::Octal => of!(Self::Octal),
            Self::Decimal => of!(Self::Decimal),
            Self::Quoted => of!(Self::Quoted),
            Self::Base32(before) => of!(Self::Base32(before)),
            Self::Base64(before) => of!(Self::Base64(before)),
            Self::Base64Url(before) => of!(Self::Base64Url(before)),
        };
    }

    fn range(self, bytes: usize, part: Range<usize>) -> Range<usize> {
        let by = |n: usize| part.start * n..part.end * n;
        match self {
            Self::Plain | Self::Rot13 => part,
            Self::Reversed => bytes - part.end..bytes - part.start,
            Self::LowerHex | Self::UpperHex | Self::Quoted => by(2),
            Self::Octal | Self::Decimal => by(3),
            Self::Base32(before) => stable_part(bytes, before, 5, part),
            Self::Base64(before) | Self::Base64Url(before) => stable_part(bytes, before, 6, part),
        }
    }
}

/// Whether quoted-printable writes a byte as two digits.
pub(crate) fn is_quoted(byte: u8) -> bool {
    byte == b'=' || byte >= 0x7f || (byte < b' ' && !matches!(byte, b'\n' | b'\r' | b'\t'))
}

/// Characters of `width` bits that depend on the value alone.
fn stable(bytes: usize, before: u8, width: usize) -> Range<usize> {
    let before = usize::from(before);
    let first = (before * 8).div_ceil(width);
    first..((before + bytes) * 8 / width).max(first)
}

fn stable_part(bytes: usize, before: u8, width: usize, part: Range<usize>) -> Range<usize> {
    let all = stable(bytes, before, width);
    let place = |at: usize| match at {
        0 => 0,
        at if at == bytes => all.len(),
        at => ((usize::from(before) + at) * 8 / width).clamp(all.start, all.end) - all.start,
    };
    place(part.start)..place(part.end)
}

/// The bits of the stable character `at`.
#[inline(always)]
fn bits(bytes: usize, value: impl Fn(usize) -> u8, before: u8, width: usize, at: usize) -> usize {
    let before = usize::from(before);
    let bit = ((before * 8).div_ceil(width) + at) * width;
    let first = bit / 8 - before;
    let two = u16::from(value(first)) << 8 | if first + 1 < bytes { u16::from(value(first + 1)) } else { 0 };
    usize::from(two >> (16 - width - bit % 8)) & ((1 << width) - 1)
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

    use super::*;

    const VALUE: &[u8] = b"h\xc3\xbcnter2=\xff>-?\x00";

    fn text(form: Form, value: &[u8]) -> String {
        let chars: String = (0..form.len(value.len())).map(|at| char::from(form.at(value, at))).collect();
        let mut each = String::new();
        form.each(value, 1..form.len(value.len()), |c| {
            each.push(char::from(c));
            true
        });
        assert_eq!(each, chars[1..]);
        chars
    }

    #[test]
    fn whole_forms_are_what_encoders_write() {
        let of = |code| text(Form::of(code), VALUE);
        let each = |f: &dyn Fn(u8) -> String| VALUE.iter().map(|b| f(*b)).collect::<String>();
        assert_eq!(of(Code::LowerHex), HEXLOWER.encode(VALUE));
        assert_eq!(of(Code::UpperHex), HEXUPPER.encode(VALUE));
        assert_eq!(of(Code::Octal), each(&|b| format!("{b:03o}")));
        assert_eq!(of(Code::Decimal), each(&|b| format!("{b:3}")));
        assert_eq!(text(Form::of(Code::Rot13), b"Hello-9"), "Uryyb-9");
        assert_eq!(text(Form::of(Code::Reversed), b"Hello-9"), "9-olleH");
        assert_eq!(of(Code::Quoted).replace(' ', ""), "hC3BCnter23DFF>-?00");
        let twice = Form { outer: Code::Base64(0), inner: Code::LowerHex };
        let hex = BASE64_NOPAD.encode(HEXLOWER.encode(VALUE).as_bytes());
        assert!(hex.starts_with(&text(twice, VALUE)));
    }

    #[test]
    fn every_form_is_known_in_two_bytes() {
        for (outer, inner) in Code::ALL.iter().flat_map(|outer| Code::ALL.iter().map(move |inner| (*outer, *inner))) {
            assert_eq!(Packed::new(Form { outer, inner }).form(), Form { outer, inner });
        }
        let (three, five) = (0..3, 0..5);
        let numbered = three.flat_map(|n| [Code::Base64(n), Code::Base64Url(n)]).chain(five.map(Code::Base32));
        for code in numbered.chain([Code::Quoted, Code::Octal, Code::Decimal, Code::UpperHex, Code::Rot13]) {
            assert_eq!(Packed::new(Form::of(code)).form(), Form::of(code));
        }
    }

    #[test]
    fn stable_characters_are_in_every_encoding() {
        for (before, after) in [("", ""), ("a", "b"), ("ab", ""), ("abc", "xyz"), ("abcd", "\0"), ("abcdefgh", "q")] {
            let framed = [before.as_bytes(), VALUE, after.as_bytes()].concat();
            let holds = |text: &str, code: fn(u8) -> Code, group: usize, len: usize| {
                let form = Form::of(code((before.len() % group) as u8));
                let core = self::text(form, VALUE);
                assert!(core.len() >= len && text.contains(&core), "{form:?} {core} {text}");
            };
            holds(&BASE64_NOPAD.encode(&framed), Code::Base64, 3, 17);
            holds(&BASE64URL_NOPAD.encode(&framed), Code::Base64Url, 3, 17);
            holds(&BASE32_NOPAD.encode(&framed), Code::Base32, 5, 20);
        }
    }

    #[test]
    fn parts_that_meet_have_characters_that_meet() {
        let codes = [Code::Plain, Code::Quoted, Code::Decimal, Code::Base32(3), Code::Base64(2)];
        for (outer, inner) in codes.iter().flat_map(|outer| codes.iter().map(move |inner| (*outer, *inner))) {
            let form = Form { outer, inner };
            let (first, second) = (form.range(40, 0..17), form.range(40, 17..40));
            assert_eq!((first.start, first.end, second.end), (0, second.start, form.len(40)), "{form:?}");
        }
        assert_eq!(Form::of(Code::Reversed).range(40, 0..17), 23..40);
    }
}
