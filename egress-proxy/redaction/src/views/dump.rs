//! What hex dumps in a text show: the digits of `hexdump -C`, `xxd` and `od` without addresses and text columns.

use std::ops::Range;

use fearless_simd::SimdMask as _;

use super::block::{Simd, blocks, dispatch, places, widest};
use crate::unescape::is_special;

/// A dump's bytes stand within so many bytes of the text from the beginning of their line.
pub(crate) const LINE: usize = 112;
/// And its column of text so many.
pub(crate) const WIDE: usize = 192;
/// Stands where a line is no dump; equals no digit.
const BREAK: u8 = 0;
/// Blanks before an address.
const INDENT: usize = 16;
const ADDRESS: std::ops::RangeInclusive<usize> = 4..=16;
/// Bytes that one escape stands for, and one more.
const NEAR: usize = 5;
/// `hexdump -C` leaves a wider gap in the middle.
const MIDDLE: usize = 8;

/// The digits of the dumps in a text, in one case. The buffers are kept from one text to the next.
#[derive(Default)]
pub(crate) struct Dump {
    digits: Vec<u8>,
    places: Vec<u32>,
    /// First bytes of lines that may begin with an address, in order.
    lines: Vec<u32>,
    /// Those of them that are lines of a dump.
    rows: Vec<Row>,
    /// The last dump may go on.
    open: bool,
}

/// A line of a dump.
struct Row {
    /// Its first digit among all.
    digit: usize,
    /// `None`: it takes more text to say.
    column: Option<Column>,
}

/// What a line shows as text behind its digits.
#[derive(Clone)]
struct Column {
    place: Range<usize>,
    /// It has one character for each byte.
    even: bool,
}

/// What columns of text show of some digits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It takes more text to say.
    Open,
    /// Where in the view; may be nowhere.
    At(Range<usize>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Other,
    Dump,
    /// It takes more text to say.
    Open,
}

impl Dump {
    /// Reads a view of a text. `first`: it begins with a line. `start`: where one of its bytes begins in the text.
    pub(crate) fn read(&mut self, view: &[u8], first: bool, ended: bool, start: impl Fn(usize) -> usize) {
        self.digits.clear();
        self.places.clear();
        self.lines.clear();
        self.rows.clear();
        self.open = false;
        dispatch!(widest(), simd => self.candidates(simd, view, first));
        if self.lines.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut self.lines);
        let mut follows = 0;
        for line in lines.iter().map(|&line| line as usize) {
            if line != follows {
                self.end(follows);
            }
            let next = memchr::memchr(b'\n', &view[line..]).map(|at| line + at + 1);
            let end = next.map_or(view.len(), |next| next - 1);
            let kind = self.line(view, line, end, ended || next.is_some(), &start);
            self.open = kind != Line::Other;
            follows = next.unwrap_or(view.len());
            if !self.open {
                self.end(follows);
            }
        }
        if follows < view.len() || !self.open || ended {
            self.end(follows);
            self.open = false;
        }
        self.lines = lines;
    }

    /// Finds lines that may begin with an address: most begin with something else, which is told of all in a block at once.
    #[inline(always)]
    fn candidates<S: Simd>(&mut self, simd: S, view: &[u8], first: bool) {
        // Whether the next block begins with a line, or with more blanks of one.
        let (mut begins, mut goes_on) = (u64::from(first), 0);
        // Behind the end anything may come.
        for (at, block) in blocks(simd, view, b'0') {
            let ends = block.are(b'\n').to_bitmask();
            let blanks = (block.are(b' ') | block.are(b'\t')).to_bitmask();
            let hex = (block.within(b'0', b'9') | block.lower().within(b'a', b'f')).to_bitmask();
            let lines = ends << 1 | begins | goes_on;
            // Blanks that are added to themselves from the beginning of their line on carry into what is behind them.
            let (behind, over) = blanks.overflowing_add(lines & blanks);
            let next = |n: u32| hex >> n | !(u64::MAX >> n);
            let addresses = (lines | behind) & !blanks & hex & next(1) & next(2) & next(3);
            for address in places(addresses) {
                self.candidate(view, at + address);
            }
            (begins, goes_on) = (ends >> 63, u64::from(over));
        }
    }

    /// A line whose blanks end at `at`.
    fn candidate(&mut self, view: &[u8], at: usize) {
        let blanks = view[..at].iter().rev().take(INDENT + 1).take_while(|b| matches!(b, b' ' | b'\t')).count();
        let line = at - blanks;
        if blanks <= INDENT && may_be_address(&view[line..]) {
            self.lines.push(line as u32);
        }
    }

    /// Whether a line was read that may be one of a dump.
    pub(crate) fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    /// First bytes of such lines in the view.
    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.lines.iter().map(|&line| line as usize)
    }

    /// Whether such a line may begin so near before the byte at `at` of a view, or with the next, that it depends on them.
    pub(crate) fn may_begin_near(view: &[u8], at: usize, first: bool) -> bool {
        let from = at.saturating_sub(INDENT + 8 + 1);
        let near = &view[from..view.len().min(at + NEAR)];
        let begins = |line: usize| may_be_address(&view[line..]);
        memchr::memchr_iter(b'\n', near).any(|end| begins(from + end + 1)) || (first && from == 0 && begins(0))
    }

    fn end(&mut self, at: usize) {
        if self.digits.last().is_some_and(|&digit| digit != BREAK) {
            self.digits.push(BREAK);
            self.places.push(at as u32);
        }
    }

    pub(crate) fn digits(&self) -> &[u8] {
        &self.digits
    }

    /// Where in the view a digit stands.
    pub(crate) fn place(&self, at: usize) -> usize {
        self.places[at] as usize
    }

    /// Where the columns of text show the bytes of some digits; every line has its own.
    pub(crate) fn shown(&self, digits: Range<usize>) -> impl Iterator<Item = Shown> + Clone {
        let first = self.rows.partition_point(|row| row.digit <= digits.start).saturating_sub(1);
        let rows = self.rows[first..].iter().take_while(move |row| row.digit < digits.end);
        rows.map(move |Row { digit, column }| {
            let Some(Column { place, even }) = column else { return Shown::Open };
            let byte = |at: usize| place.start + at.saturating_sub(*digit) / 2;
            let all = place.clone();
            Shown::At(if *even { byte(digits.start)..all.end.min(byte(digits.end + 1)) } else { all })
        })
    }

    /// Whether more text may add digits to the last dump.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    fn line(&mut self, view: &[u8], from: usize, end: usize, whole: bool, start: &impl Fn(usize) -> usize) -> Line {
        let line = view[from..end].strip_suffix(b"\r").unwrap_or(&view[from..end]);
        let run = |at: usize, wanted: fn(u8) -> bool| line[at..].iter().take_while(|&&b| wanted(b)).count();
        let open = |at: usize| at == line.len() && !whole;
        let blank = |b: u8| b == b' ' || b == b'\t';
        let mut at = run(0, blank);
        if at > INDENT || open(at) {
            return if at > INDENT { Line::Other } else { Line::Open };
        }
        let address = run(at, |b| b.is_ascii_hexdigit());
        at += address;
        if address <= *ADDRESS.end() && open(at) {
            return Line::Open;
        }
        if !ADDRESS.contains(&address) {
            return Line::Other;
        }
        at += usize::from(line.get(at) == Some(&b':'));
        let gap = run(at, blank);
        at += gap;
        if open(at) {
            return Line::Open;
        }
        if gap == 0 {
            return Line::Other;
        }
        let line_start = start(from);
        let mut bytes = 0;
        let mut wide = false;
        loop {
            let digits = run(at, |b| b.is_ascii_hexdigit());
            if open(at + digits) {
                return Line::Open;
            }
            let alone = line.get(at + digits).is_none_or(|&b| blank(b));
            let near = digits > 0 && start(from + at + digits - 1) - line_start < LINE;
            // Behind the middle stands a byte, or the text of a short line.
            let text = bytes == MIDDLE && wide && digits != 2;
            if digits == 0 || digits % 2 == 1 || digits > 16 || !alone || !near || text {
                break;
            }
            if bytes == 0 {
                self.rows.push(Row { digit: self.digits.len(), column: None });
            }
            self.digits.extend(line[at..at + digits].iter().map(u8::to_ascii_lowercase));
            self.places.extend((from + at..from + at + digits).map(|place| place as u32));
            bytes += digits / 2;
            at += digits;
            let gap = run(at, blank);
            at += gap;
            if open(at) {
                return Line::Open;
            }
            let middle = bytes == MIDDLE && digits == 2;
            wide = gap == 2;
            if at == line.len() || gap > 2 || (gap == 2 && !middle) {
                break;
            }
        }
        if bytes == 0 {
            return Line::Other;
        }
        let near = |at: &usize| start(from + at) - line_start < WIDE;
        let column = (at..line.len()).take_while(near).last().map_or(at, |last| last + 1);
        if let Some(row) = self.rows.last_mut().filter(|_| column < line.len() || whole) {
            row.column = Some(Column::of(&line[at..column], from + at, bytes));
        }
        Line::Dump
    }
}

impl Column {
    /// The one that begins at `at` behind so many bytes.
    fn of(text: &[u8], at: usize, bytes: usize) -> Self {
        // One of `hexdump -C` stands between bars, of `od` between angles, of `xxd` alone.
        let marks = usize::from(matches!(text, [b'|', .., b'|'] | [b'>', .., b'<']) && text.len() == bytes + 2);
        let place = at + marks..at + text.len() - marks;
        Self { even: place.len() == bytes, place }
    }
}

/// Whether a line can begin with an address; most lines cannot, which eight bytes say without a branch.
#[inline]
pub(crate) fn may_be_address(line: &[u8]) -> bool {
    const BLANKS: u64 = u64::from_le_bytes([b' '; 8]);
    let Some(begin) = line.first_chunk::<{ INDENT + 8 }>() else { return short_may_be_address(line) };
    let eight = |at: usize| begin[at..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
    let blanks = |at: usize| ((eight(at) ^ BLANKS).trailing_zeros() / 8) as usize;
    let (one, two) = (blanks(0), blanks(8));
    let indent = if one < 8 { one } else { 8 + two };
    let hex = |at: usize| HEX[usize::from(begin[at])];
    (hex(indent) & hex(indent + 1) & hex(indent + 2) & hex(indent + 3)) || begin[indent] == b'\t'
}

/// Whether a line can be one of a dump, as far as its address says, whatever its escapes stand for.
pub(crate) fn may_be_dump(line: &[u8]) -> bool {
    may_be_address(line) && {
        let address = &line[line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count()..];
        let behind = &address[address.iter().take_while(|b| b.is_ascii_hexdigit()).count()..];
        let behind = behind.strip_prefix(b":").unwrap_or(behind);
        behind.first().is_none_or(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r') || is_special(*b))
    }
}

const HEX: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_hexdigit();
        byte += 1;
    }
    table
};

#[cold]
fn short_may_be_address(line: &[u8]) -> bool {
    let text = &line[line.iter().take(INDENT + 1).take_while(|b| matches!(b, b' ' | b'\t')).count()..];
    match text.first_chunk::<4>() {
        Some(first) => first.iter().all(u8::is_ascii_hexdigit),
        None => text.iter().take_while(|&&b| b != b'\n').all(u8::is_ascii_hexdigit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str, ended: bool) -> (String, bool) {
        let mut dump = Dump::default();
        dump.read(text.as_bytes(), true, ended, |at| at);
        for (n, digit) in dump.digits().iter().enumerate().filter(|(_, b)| **b != BREAK) {
            assert_eq!(text.as_bytes()[dump.place(n)].to_ascii_lowercase(), *digit);
        }
        (String::from_utf8(dump.digits().to_vec()).unwrap().replace('\0', "."), dump.is_open())
    }

    #[test]
    fn addresses_and_text_columns_go() {
        for (text, shown) in [
            (
                "00000000  61 62 63 64 65 66 67 68  69 6a 6b 6c 6d 6e 6f 70  |abcdefghijklmnop|\n00000010  71 72  |qr|\n",
                "6162636465666768696a6b6c6d6e6f707172.",
            ),
            ("00000000: 6162 6364 6566  abcdef\r\n00000006: 6768                 gh\r\n", "6162636465666768."),
            ("    0000: 61 62 63 64\n    0004: 65 66\nlog: 1\n0000: 67 68", "616263646566.6768."),
            ("0000000 61 62 63\n0000003\n", "616263."),
            ("0000000 6261 6463\n", "62616463."),
            ("xx\n00000000: DEAD BEEF  ....\n", "deadbeef."),
            ("00000000: 61 62 6\nx", "6162."),
            ("deadbeef add the feature\n2024 ok\ncafe: \n", ""),
            ("12345678901234567 61 62\n", ""),
        ] {
            assert_eq!(digits(text, true).0, shown, "{text}");
        }
        let far = format!("00000000: {}\n", "61 ".repeat(60));
        assert_eq!(digits(&far, true).0, "61".repeat(34) + ".");
    }

    #[test]
    fn columns_of_text_show_bytes() {
        let shown = |text: &str, digits: Range<usize>, ended: bool| -> Vec<String> {
            let mut dump = Dump::default();
            dump.read(text.as_bytes(), true, ended, |at| at);
            let shown = |shown| match shown {
                Shown::Open => "?".to_owned(),
                Shown::At(place) => text[place].to_owned(),
            };
            dump.shown(digits).map(shown).collect()
        };
        let bars = "00000000  61 62 63 64 65 66 67 68  69 6a |abcdefghij|\n00000010  71 72  |qr|\n";
        assert_eq!(shown(bars, 18..24, true), ["j", "qr"]);
        assert_eq!(shown(bars, 2..4, true), ["b"]);
        let short = "0000: 61 62 63 64 65 66 67 68  abcdefab\n0008: 61 62";
        assert_eq!(shown(short, 14..18, true), ["b", ""]);
        assert_eq!(shown(short, 14..18, false), ["b", "?"]);
        assert_eq!(shown("0000000 61 62  >ab<\n", 0..2, true), ["a"]);
        // An escape was undone in it, or something follows.
        assert_eq!(shown("0000: 61 62 63 64  abc\n", 0..2, true), ["abc"]);
        assert_eq!(shown("0000: 61 62 63 64  abcd", 0..2, false), ["?"]);
        assert_eq!(shown(&format!("0000: 61 62  {}", "x".repeat(200)), 0..2, false)[0].len(), WIDE - 13);
        assert!(shown("log\n", 0..0, true).is_empty());
    }

    #[test]
    fn lines_are_asked_alike_however_much_follows() {
        for indent in ["", " ", "   ", "       ", "        ", "         ", "               ", "                "] {
            for (line, may) in [("0000: 61", true), ("ABcd", true), ("000 ", false), ("0x00", false)] {
                let text = format!("{indent}{line}\n");
                assert_eq!(may_be_address(text.as_bytes()), may, "{text}");
                assert_eq!(may_be_address(format!("{text}{}", "-".repeat(30)).as_bytes()), may, "{text}");
            }
        }
        assert!(may_be_address(format!(" \t0000 61 {}", "-".repeat(30)).as_bytes()));
        assert!(!may_be_address(" ".repeat(40).as_bytes()));
    }

    #[test]
    fn what_may_go_on_is_open() {
        for (text, shown, open) in [
            ("00000000: 61 62", "61", true),
            ("00000000: 61 62\n", "6162", true),
            ("00000000: 61 62\n0000", "6162", true),
            ("00000000: 61 62\n   ", "6162", true),
            ("00000000: 61 62  ab", "6162", true),
            ("00000000: 61 62\nlog", "6162.", false),
            ("log 00000000: 61", "", false),
            ("0000", "", true),
        ] {
            assert_eq!(digits(text, false), (shown.to_owned(), open), "{text}");
        }
    }
}
