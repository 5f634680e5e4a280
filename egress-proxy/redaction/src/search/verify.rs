//! Comparing a needle with a text, character by character.

use std::ops::Range;

use crate::forms::Form;
use crate::index::{HALF, Needle, Source, first_half};
use crate::views::seams::{Next, next};

/// Bytes that may stand between the two halves of a value.
const BETWEEN: usize = 64;

/// Whether a needle stands at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Not,
    /// It takes more text to say.
    Open,
    Found(Found),
}

/// Where it stands, in bytes of the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) range: Range<usize>,
    /// The next part of the value follows.
    pub(super) joins: bool,
    /// The other half, apart from the first.
    pub(super) rest: Option<Range<usize>>,
}

/// In a view that has `ended` or may go on.
pub(super) fn exact(source: &Source, needle: &Needle, view: &[u8], at: usize, ended: bool) -> Outcome {
    let value = &source.bytes[..];
    let (from, to) = (needle.from as usize, needle.to as usize);
    let have = &view[at..];
    let same = if needle.form == Form::PLAIN {
        value[from..to].iter().zip(have).take_while(|(a, b)| a == b).count()
    } else {
        (from..to).zip(have).take_while(|&(n, b)| needle.form.at(value, n) == *b).count()
    };
    if same == have.len() && same < to - from {
        return open_unless(ended);
    }
    if same < to - from {
        let divisible = needle.halves(source) && same >= HALF;
        return if divisible { halves(value, view, at, same, ended) } else { Outcome::Not };
    }
    let mut joins = false;
    if to < needle.form.len(value.len()) {
        match have.get(same) {
            Some(&next) => joins = next == needle.form.at(value, to),
            None if ended => {}
            None => return Outcome::Open,
        }
    }
    Outcome::Found(Found { range: at..at + same, joins, rest: None })
}

/// Among letters and digits in one case.
pub(super) fn bare(source: &Source, needle: &Needle, letters: &[u8], at: usize, ended: bool) -> Outcome {
    let value = &source.bytes[..];
    let form = needle.form;
    let mut place = at;
    for n in needle.from as usize..needle.to as usize {
        let letter = form.at(value, n).to_ascii_lowercase();
        if letter.is_ascii_alphanumeric() {
            match letters.get(place) {
                Some(&have) if have == letter => place += 1,
                Some(_) => return Outcome::Not,
                None => return open_unless(ended),
            }
        }
    }
    let mut following = (needle.to as usize..form.len(value.len())).map(|n| form.at(value, n).to_ascii_lowercase());
    let joins = match (following.find(u8::is_ascii_alphanumeric), letters.get(place)) {
        (Some(_), None) if !ended => return Outcome::Open,
        (Some(next), Some(&have)) => next == have,
        _ => false,
    };
    Outcome::Found(Found { range: at..place, joins, rest: None })
}

/// Among the letters and digits of a view, in one case, whatever stands between them. The range of one that joins ends where
/// the next part begins.
pub(super) fn spaced(source: &Source, needle: &Needle, view: &[u8], at: usize, ended: bool) -> Outcome {
    let value = &source.bytes[..];
    let form = needle.form;
    let letter = |n: usize| Some(form.at(value, n).to_ascii_lowercase()).filter(u8::is_ascii_alphanumeric);
    let mut end = at;
    for wanted in (needle.from as usize..needle.to as usize).filter_map(letter) {
        match next(view, end) {
            Next::Letter(have, place) if have == wanted => end = place + 1,
            Next::Letter(..) | Next::Gap => return Outcome::Not,
            Next::End => return open_unless(ended),
        }
    }
    let following = (needle.to as usize..form.len(value.len())).find_map(letter);
    match (following, next(view, end)) {
        (Some(_), Next::End) if !ended => Outcome::Open,
        (Some(wanted), Next::Letter(have, place)) if have == wanted => {
            Outcome::Found(Found { range: at..place, joins: true, rest: None })
        }
        _ => Outcome::Found(Found { range: at..end, joins: false, rest: None }),
    }
}

/// The first `same` bytes of the value stand at `at`; the rest may stand a little further on. Any of the last bytes before
/// the gap may belong to the gap by chance.
fn halves(value: &[u8], view: &[u8], at: usize, same: usize, ended: bool) -> Outcome {
    let most = same.min(value.len() - HALF);
    for first in (first_half(value.len()).max(same.saturating_sub(2))..=most).rev() {
        let rest = &value[first..];
        for gap in 1..=BETWEEN {
            let there = view.get(at + first + gap..).unwrap_or(&[]);
            if there.starts_with(rest) {
                let start = at + first + gap;
                let rest = Some(start..start + rest.len());
                return Outcome::Found(Found { range: at..at + first, joins: false, rest });
            }
            if !ended && rest.starts_with(there) {
                return Outcome::Open;
            }
        }
    }
    Outcome::Not
}

fn open_unless(ended: bool) -> Outcome {
    if ended { Outcome::Not } else { Outcome::Open }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::forms::Code;

    fn source(value: &str) -> Source {
        Source { bytes: Zeroizing::new(value.as_bytes().into()), owner: 0, whole: true }
    }

    fn needle(form: Form, from: usize, to: usize) -> Needle {
        Needle { from: from as u32, to: to as u32, form }
    }

    fn found(range: Range<usize>, joins: bool, rest: Option<Range<usize>>) -> Outcome {
        Outcome::Found(Found { range, joins, rest })
    }

    #[test]
    fn a_needle_stands_there_or_not_or_it_takes_more() {
        let value = source("abcdefghij");
        let all = needle(Form::PLAIN, 0, 10);
        for (text, ended, outcome) in [
            ("xabcdefghijx", false, found(1..11, false, None)),
            ("xabcdefghij", false, found(1..11, false, None)),
            ("xabcdefghi", false, Outcome::Open),
            ("xabcdefghi", true, Outcome::Not),
            ("xabcde!", false, Outcome::Open),
            ("xabcdefgh!", false, Outcome::Not),
            ("xabcd.....", false, Outcome::Not),
            ("xabcde.....fghij.", false, found(1..6, false, Some(11..16))),
            ("xabcdef...fghij.", false, found(1..6, false, Some(10..15))),
            ("xabcdefg..fghij.", false, found(1..6, false, Some(10..15))),
            ("xabcdefgh.fghij.", true, Outcome::Not),
            ("xabcde.....fghi", false, Outcome::Open),
            ("xabcde.....fghi", true, Outcome::Not),
        ] {
            assert_eq!(exact(&value, &all, text.as_bytes(), 1, ended), outcome, "{text} {ended}");
        }
        let far = |gap: usize| format!("abcde{}fghij", ".".repeat(gap));
        assert_eq!(exact(&value, &all, far(64).as_bytes(), 0, true), found(0..5, false, Some(69..74)));
        assert_eq!(exact(&value, &all, far(65).as_bytes(), 0, false), Outcome::Not);
    }

    #[test]
    fn parts_join_what_follows() {
        let value = source("abcde-fghij");
        let hex = Form::of(Code::LowerHex);
        assert_eq!(exact(&value, &needle(Form::PLAIN, 0, 6), b"abcde-f", 0, false), found(0..6, true, None));
        assert_eq!(exact(&value, &needle(Form::PLAIN, 0, 6), b"abcde-x", 0, false), found(0..6, false, None));
        assert_eq!(exact(&value, &needle(Form::PLAIN, 0, 6), b"abcde-", 0, false), Outcome::Open);
        assert_eq!(bare(&value, &needle(Form::PLAIN, 0, 5), b"abcdefgh", 0, false), found(0..5, true, None));
        assert_eq!(bare(&value, &needle(Form::PLAIN, 0, 5), b"abcde", 0, false), Outcome::Open);
        assert_eq!(bare(&value, &needle(Form::PLAIN, 0, 5), b"abcde", 0, true), found(0..5, false, None));
        assert_eq!(bare(&value, &needle(Form::PLAIN, 0, 5), b"abcd\0e", 0, true), Outcome::Not);
        assert_eq!(bare(&value, &needle(hex, 18, 22), b"x696a", 1, false), found(1..5, false, None));
    }
}
