//! What blocks of lines hold whose beginnings are alike, as numbers of lines, times and names of files are: their text
//! without those.
//!
//! Whether two lines are of one block depends on the two alone, so a search may begin with any line that has the one before it.

use std::ops::Range;

use memchr::{memchr, memrchr};

use super::decoded::APART;

/// Bytes that a margin takes at most.
const HEAD: usize = 64;
/// Digits of a number that is an address where a line begins with it.
const ADDRESS: usize = 6;
/// A longer line is in no block.
const LONGEST: usize = 512;
/// A value goes on in the next line behind so short a text,
const SHORT: usize = 48;
/// or behind so many bytes without a blank.
const WORD: usize = 32;

/// The texts of the blocks of a view, apart from each other. The buffers are kept from one text to the next.
#[derive(Default)]
pub(crate) struct Margins {
    bytes: Vec<u8>,
    lines: Vec<Line>,
    /// More text may belong to the last block.
    open: bool,
    /// Where a line begins that does if it is not too long.
    held: Option<usize>,
}

/// A line of a block.
struct Line {
    /// Its first byte among those of all texts.
    at: usize,
    /// Where that stands in the view.
    place: usize,
    /// Where the line before it begins, or it itself if that is in no block.
    before: usize,
}

/// What the beginnings of two lines have in common.
#[derive(Debug, PartialEq, Eq)]
enum Alike {
    Not,
    /// It takes more text to say.
    Open,
    /// Margins of so many bytes.
    Margins(usize, usize),
}

impl Margins {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.lines.clear();
        self.open = false;
        self.held = None;
    }

    /// Reads a view of a text. `first`: it begins with a line.
    pub(crate) fn read(&mut self, view: &[u8], first: bool, ended: bool) {
        self.clear();
        let mut start = if first { Some(0) } else { memchr(b'\n', view).map(|end| end + 1) };
        // The line before, and its margin if it is in a block.
        let mut last: Option<(usize, Option<usize>)> = None;
        while let Some(from) = start {
            let end = memchr(b'\n', &view[from..]).map(|len| from + len);
            let (line, whole) = (&view[from..end.unwrap_or(view.len())], end.is_some() || ended);
            let mut margin = None;
            if let Some((before, has)) = last
                && line.len() <= LONGEST
                && from - before <= LONGEST
            {
                let text = &view[before..from - 1];
                match alike(text, line, whole) {
                    Alike::Open => {
                        if has.is_none() {
                            self.push(view, before, before..from);
                        }
                        (self.open, self.held) = (true, (!line.is_empty()).then_some(from));
                        return;
                    }
                    Alike::Margins(a, b) if goes_on(&text[has.unwrap_or(a)..]) => {
                        if has.is_none() {
                            self.push(view, before, before + a..from);
                        }
                        if !whole {
                            (self.open, self.held) = (true, Some(from + b));
                            return;
                        }
                        self.push(view, before, from + b..end.map_or(view.len(), |end| end + 1));
                        margin = Some(b);
                    }
                    Alike::Not | Alike::Margins(..) => {}
                }
            }
            if margin.is_none() {
                self.end();
            }
            last = Some((from, margin));
            start = end.map(|end| end + 1);
        }
        self.end();
    }

    fn push(&mut self, view: &[u8], before: usize, text: Range<usize>) {
        self.lines.push(Line { at: self.bytes.len(), place: text.start, before });
        self.bytes.extend_from_slice(&view[text]);
    }

    /// Ends the block.
    fn end(&mut self) {
        if !self.bytes.is_empty() && !self.bytes.ends_with(&APART) {
            self.bytes.extend_from_slice(&APART);
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Where in the view the text begins that is not decided.
    pub(crate) fn held(&self) -> Option<usize> {
        self.held
    }

    /// Where in the view a byte of the texts stands.
    pub(crate) fn place(&self, at: usize) -> usize {
        self.line(|line| line.at <= at).map_or(0, |line| line.place + (at - line.at))
    }

    /// Where in the view some bytes of the texts stand; every line has its own.
    pub(crate) fn places(&self, bytes: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let first = self.lines.partition_point(|line| line.at <= bytes.start).saturating_sub(1);
        let ends = self.lines[first + 1..].iter().map(|next| next.at).chain([self.bytes.len()]);
        let lines = self.lines[first..].iter().zip(ends).take_while(move |(line, _)| line.at < bytes.end);
        lines.filter_map(move |(line, end)| {
            let bytes = bytes.start.max(line.at)..bytes.end.min(end);
            let text = self.bytes[bytes.clone()].trim_ascii_end();
            let from = line.place + (bytes.start - line.at);
            (!text.is_empty()).then_some(from..from + text.len())
        })
    }

    /// Where in the view the line begins before the one that holds a byte of the texts.
    pub(crate) fn before(&self, at: usize) -> usize {
        self.line(|line| line.at <= at).map_or(0, |line| line.before)
    }

    /// The byte of the texts that stands at a place of the view or comes next before it.
    pub(crate) fn at(&self, place: usize) -> Option<usize> {
        let n = self.lines.partition_point(|line| line.place <= place).checked_sub(1)?;
        let end = self.lines.get(n + 1).map_or(self.bytes.len(), |next| next.at);
        Some((self.lines[n].at + (place - self.lines[n].place)).min(end))
    }

    fn line(&self, is_before: impl Fn(&Line) -> bool) -> Option<&Line> {
        self.lines[..self.lines.partition_point(is_before)].last()
    }

    /// Where a view must begin that has the blocks of this one from `at` on. `None`: anywhere.
    pub(crate) fn context(view: &[u8], at: usize, ended: bool) -> Option<usize> {
        let begin = |at: usize| memrchr(b'\n', &view[..at]).map_or(0, |end| end + 1);
        let line = |from: usize| {
            let end = memchr(b'\n', &view[from..]).map(|len| from + len);
            (&view[from..end.unwrap_or(view.len())], end)
        };
        let from = begin(at);
        let (text, end) = line(from);
        if text.len() > LONGEST {
            return None;
        }
        if from > 0 {
            let before = begin(from - 1);
            let alike = alike(&view[before..from - 1], text, end.is_some() || ended);
            if from - before <= LONGEST && alike != Alike::Not {
                return Some(before);
            }
        }
        let may = match end {
            None => has_margin(text) && !ended,
            Some(end) => {
                let (next, last) = line(end + 1);
                alike(text, next, last.is_some() || ended) != Alike::Not
            }
        };
        may.then_some(from)
    }
}

/// Whether the last line of a text may be in a block with the one before it, or with the first line of the next.
pub(crate) fn may_join(text: &[u8], next: &[u8]) -> bool {
    let Some((before, line)) = memrchr(b'\n', text).map(|end| (&text[..end], &text[end + 1..])) else { return false };
    let before = &before[memrchr(b'\n', before).map_or(0, |end| end + 1)..];
    let next = &next[..memchr(b'\n', next).unwrap_or(next.len())];
    let line = if line.is_empty() { next } else { line };
    before.len() <= LONGEST && alike(before, line, false) != Alike::Not
}

/// Whether a value may go on in the next line behind a text.
fn goes_on(text: &[u8]) -> bool {
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    text.len() <= SHORT || !text[text.len() - WORD..].iter().any(u8::is_ascii_whitespace)
}

/// Whether the margin of a line may end in what is known of it.
fn has_margin(line: &[u8]) -> bool {
    line.iter().take(HEAD).any(|b| b.is_ascii_digit() || ends_margin(*b))
}

/// Whether a number is that of a line or of a byte, and the next line has the next: nothing behind it is of the margin.
fn counts_up(line: &[u8], number: Range<usize>, next: &[u8]) -> bool {
    let value = |digits: &[u8]| str::from_utf8(digits).ok()?.parse::<u64>().ok();
    // Minutes and seconds count, too.
    let is_time = matches!(line[..number.start], [.., b'0'..=b'9', b':']);
    let address = number.len() >= ADDRESS && line[..number.start].iter().all(|byte| is_blank(*byte));
    let digits = &line[number];
    let is_next = value(digits).and_then(|n| n.checked_add(1)).is_some_and(|n| value(next) == Some(n));
    digits != next && (address || (is_next && !is_time))
}

/// What a margin ends with wherever it stands; a blank and a dash do behind it or behind a number.
fn ends_margin(byte: u8) -> bool {
    matches!(byte, b'\t' | b':' | b'|' | b'>' | b']')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Compares the beginnings of two lines, of which the second is known to its end if it is `whole`. Numbers and blanks are
/// alike however long they are, all other bytes where they are equal.
fn alike(a: &[u8], b: &[u8], whole: bool) -> Alike {
    let run = |line: &[u8], at: usize, is: fn(u8) -> bool| line[at..].iter().take_while(|byte| is(**byte)).count();
    let (a, known) = (&a[..a.len().min(HEAD)], whole || b.len() >= HEAD);
    let b = &b[..b.len().min(HEAD)];
    let (mut i, mut j) = (run(a, 0, is_blank), run(b, 0, is_blank));
    // What goes on in the next event is known to those who read such.
    if a[i..].starts_with(b"data:") {
        return Alike::Not;
    }
    let (mut margin, mut word, mut number, mut counts) = (None, false, false, false);
    loop {
        if j == b.len() && !known {
            return if margin.is_some() || has_margin(a) { Alike::Open } else { Alike::Not };
        }
        let (Some(&x), Some(&y)) = (a.get(i), b.get(j)) else { break };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let digits = |byte: u8| byte.is_ascii_digit();
            let (from, to) = (i + run(a, i, digits), j + run(b, j, digits));
            counts |= counts_up(a, i..from, &b[j..to]);
            (i, j, word, number) = (from, to, true, true);
        } else if is_blank(x) && is_blank(y) {
            let ends = number || margin.is_some() || x == b'\t';
            i += run(a, i, is_blank);
            j += run(b, j, is_blank);
            if word && ends {
                margin = Some((i, j));
            }
        } else if x == y || (number && matches!((x, y), (b':', b'-') | (b'-', b':'))) {
            let arrow = a[..=i].ends_with("→".as_bytes()) && b[..=j].ends_with("→".as_bytes());
            let dash = x == b'-' && a[..i].last().is_some_and(u8::is_ascii_digit);
            // Two colons stand within a name.
            let path = x == b':' && (a[..i].ends_with(b":") || a[i + 1..].starts_with(b":"));
            (i, j) = (i + 1, j + 1);
            if word && !path && (ends_margin(x) || arrow || dash || x != y) {
                margin = Some((i, j));
            }
            word |= x.is_ascii_alphanumeric();
        } else {
            break;
        }
        let more = |line: &[u8], at: usize| line.get(at).is_none_or(|byte| is_blank(*byte) || ends_margin(*byte));
        if counts && margin == Some((i, j)) && !(more(a, i) && more(b, j)) {
            break;
        }
    }
    if j == b.len() && !known {
        return Alike::Open;
    }
    margin.map_or(Alike::Not, |(a, b)| Alike::Margins(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_alike_up_to_what_ends_a_margin() {
        for (a, b, left) in [
            ("     9\tabc", "    10\tdef", Some(("abc", "def"))),
            ("     9→abc", "    10→abd", Some(("abc", "abd"))),
            ("9:abc", "10:ab", Some(("abc", "ab"))),
            ("9:abc", "10-ab", Some(("abc", "ab"))),
            ("a/b.txt:9:QUJD", "a/b.txt:10:REVG", Some(("QUJD", "REVG"))),
            (" 9 | abc", "10 | ", Some(("abc", ""))),
            ("L1: abc", "L2: d", Some(("abc", "d"))),
            ("web-1  | abc", "web-1  | d", Some(("abc", "d"))),
            ("2026-11-22T10:00:00Z abc", "2026-11-22T10:00:01Z d", Some(("abc", "d"))),
            ("9\t1:2 a", "10\t1:2 b", Some(("1:2 a", "1:2 b"))),
            ("12:59:59 12 a", "13:00:00 12 b", Some(("59:59 12 a", "00:00 12 b"))),
            ("12:58:59 a", "12:59:00 b", Some(("a", "b"))),
            ("0000000 132 161", "0000020 132 151", Some(("132 161", "132 151"))),
            ("let a", "let b", None),
            ("    abc", "    def", None),
            ("abc", "def", None),
            ("1 abc", "x abc", None),
        ] {
            let found = match alike(a.as_bytes(), b.as_bytes(), true) {
                Alike::Margins(i, j) => Some((&a[i..], &b[j..])),
                Alike::Not | Alike::Open => None,
            };
            assert_eq!(found, left, "{a:?} {b:?}");
        }
        assert_eq!(alike(b"1\tabc", b"2", false), Alike::Open);
        assert_eq!(alike(b"abc", b"", false), Alike::Not);
    }

    #[test]
    fn blocks_lose_their_margins() {
        let text = |text: &str, ended| {
            let mut margins = Margins::default();
            margins.read(text.as_bytes(), true, ended);
            let lines =
                String::from_utf8(margins.bytes().to_vec()).unwrap().replace(&String::from_utf8_lossy(&APART)[..], "/");
            (lines, margins.is_open(), margins.held())
        };
        let two = "x\n 1\tab\n 2\tcd\nno\n";
        assert_eq!(text(two, true), ("ab\ncd\n/".to_owned(), false, None));
        assert_eq!(text("1:a\n2:b\nx\n1:c\n2:d", true).0, "a\nb\n/c\nd/");
        assert_eq!(text("1:a\n2:b\n3", false), ("a\nb\n".to_owned(), true, Some(8)));
        assert_eq!(text("1:a\n2:b\n3:c", false), ("a\nb\n".to_owned(), true, Some(10)));
        assert_eq!(text("1:a\n2:b\n", false), ("a\nb\n".to_owned(), true, None));
        assert_eq!(text("1:a\n", false), ("1:a\n".to_owned(), true, None));
        assert_eq!(text("1:a\nwords", false).0, "");
        // Nothing goes on behind a line of words.
        let log = "12:00 the quick brown fox jumps over the lazy dog and so on\n12:01 a slow one does not jump as far over anything else there\n";
        assert_eq!(text(&log.repeat(3), true).0, "");
        let mut margins = Margins::default();
        margins.read(two.as_bytes(), true, true);
        assert_eq!((margins.place(0), margins.place(3), margins.at(5), margins.at(12)), (5, 11, Some(0), Some(4)));
    }
}
