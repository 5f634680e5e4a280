//! The letters around the places where a layer differs from the one below: all others are met there.

use std::ops::Range;

use super::letters::{BREAK, GAP, KEPT};
use crate::unescape::Layer;

/// Letters around each seam of a layer, in one case: `BEFORE` before it, `BEHIND` behind it. Seams that are near each other
/// share a part; each part begins at a place that `BEFORE` divides. The buffers are kept from one text to the next.
#[derive(Default)]
pub(crate) struct Seams<const BEFORE: usize, const BEHIND: usize> {
    letters: Vec<u8>,
    places: Vec<u32>,
    /// Behind the last letter, or where its part begins.
    last: usize,
}

impl<const BEFORE: usize, const BEHIND: usize> Seams<BEFORE, BEHIND> {
    /// Reads a view, which is that of a layer as far as it goes.
    pub(crate) fn read(&mut self, view: &[u8], layer: &Layer) {
        self.letters.clear();
        self.places.clear();
        let marks = layer.marks();
        // Read up to here; a letter that comes next goes on from the last one.
        let (mut done, mut joined) = (0, false);
        for (n, mark) in marks.iter().enumerate() {
            let (first, mut behind) = (mark.at, mark.at);
            if first > view.len() {
                break;
            }
            if !mark.is_copy() {
                behind = marks.get(n + 1).map_or(view.len(), |next| next.at);
            } else if n.checked_sub(1).is_none_or(|n| !marks[n].is_copy()) {
                // Nothing was left out before it.
                continue;
            }
            let (from, joins) = if done > first { (done, joined) } else { before(view, done..first, BEFORE) };
            if !(joins && joined) {
                self.part(from);
            }
            (done, joined) = self.read_on(view, from, behind);
        }
    }

    fn part(&mut self, at: usize) {
        let len = self.letters.len().next_multiple_of(BEFORE);
        self.letters.resize(len, BREAK);
        self.places.resize(len, 0);
        self.last = at;
    }

    /// Reads from `at` on up to `BEHIND` letters behind `behind`. How far that was, and whether no gap ended it.
    fn read_on(&mut self, view: &[u8], mut at: usize, behind: usize) -> (usize, bool) {
        let known = self.places.iter().rev().take(BEHIND).take_while(|place| **place as usize >= behind).count();
        let mut left = BEHIND - known;
        while let Some(byte) = view.get(at) {
            let letter = KEPT[usize::from(*byte)];
            if letter != 0 {
                if at >= behind {
                    if left == 0 {
                        break;
                    }
                    left -= 1;
                }
                self.letters.push(letter);
                self.places.push(at as u32);
                self.last = at + 1;
            } else if at - self.last >= GAP {
                return (at, false);
            }
            at += 1;
        }
        (at, true)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.letters
    }

    /// Where in the view the letter `at` stands.
    pub(crate) fn place(&self, at: usize) -> usize {
        self.places[at] as usize
    }
}

/// Where the last `most` letters in a range of the view begin, as far as no gap lies between them and its end; and whether
/// that is all of the range.
fn before(view: &[u8], range: Range<usize>, most: usize) -> (usize, bool) {
    let (mut from, mut count) = (range.end, 0);
    for at in range.clone().rev() {
        if KEPT[usize::from(view[at])] != 0 {
            (from, count) = (at, count + 1);
            if count == most {
                return (from, false);
            }
        } else if from - at > GAP {
            return (from, false);
        }
    }
    (range.start, true)
}

/// What comes behind a letter.
pub(crate) enum Next {
    /// The next letter, and its place.
    Letter(u8, usize),
    /// Too wide a gap.
    Gap,
    /// Nothing more.
    End,
}

/// The first letter of `view` from `at` on.
pub(crate) fn next(view: &[u8], at: usize) -> Next {
    let rest = view.get(at..).unwrap_or(&[]);
    match rest.iter().take(GAP + 1).position(|b| KEPT[usize::from(*b)] != 0) {
        Some(skip) => Next::Letter(KEPT[usize::from(rest[skip])], at + skip),
        None if rest.len() > GAP => Next::Gap,
        None => Next::End,
    }
}

/// The place of the letter that stands `count` letters before the one at `at`, if no gap lies between the two.
pub(crate) fn back(view: &[u8], at: usize, count: usize) -> Option<usize> {
    let mut from = at;
    for _ in 0..count {
        let near = &view[from.saturating_sub(GAP + 1)..from];
        from = from - near.len() + near.iter().rposition(|b| KEPT[usize::from(*b)] != 0)?;
    }
    Some(from)
}

/// The last letters of a text in order, as far as no gap lies between them or behind them.
pub(crate) struct Last {
    pub(crate) letters: Vec<u8>,
    pub(crate) places: Vec<usize>,
    /// All that was looked at: bytes at the end of the text, and no more than those.
    pub(crate) looked: usize,
}

/// The last `most` letters of `view`.
pub(crate) fn last(view: &[u8], most: usize) -> Last {
    let (mut letters, mut places) = (Vec::with_capacity(most), Vec::with_capacity(most));
    let (mut at, mut looked) = (view.len(), usize::MAX);
    for (place, byte) in view.iter().enumerate().rev() {
        let letter = KEPT[usize::from(*byte)];
        if letters.len() == most || (letter == 0 && at - place > GAP) {
            looked = view.len() - place;
            break;
        }
        if letter != 0 {
            letters.push(letter);
            places.push(place);
            at = place;
        }
    }
    letters.reverse();
    places.reverse();
    Last { letters, places, looked }
}

#[cfg(test)]
mod tests {
    use super::super::letters::Letters;
    use super::*;

    /// Places of the letters in `text` that go on from each other.
    fn rows(text: &[u8]) -> Vec<Vec<usize>> {
        let mut rows = vec![Vec::new()];
        let mut at = 0;
        loop {
            match next(text, at) {
                Next::Letter(letter, place) => {
                    assert_eq!(letter, text[place].to_ascii_lowercase());
                    rows.last_mut().unwrap().push(place);
                    at = place + 1;
                }
                Next::Gap => {
                    rows.push(Vec::new());
                    at += 1;
                }
                Next::End => return rows.into_iter().filter(|row| !row.is_empty()).collect(),
            }
        }
    }

    /// Escapes, words and gaps of all kinds, in any order.
    fn texts() -> impl Iterator<Item = String> {
        let parts = ["a", "b7", "word", "a-longer-one", "%41", "\\n", "\\\"", "\\x2d", "\u{200b}", "&lt;", " ", "--"];
        let mut n = 0x9e37_79b9_7f4a_7c15_u64;
        let mut chance = move |below: usize| {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (n >> 33) as usize % below
        };
        (0..3000).map(move |_| {
            let count = chance(20);
            let part = |_| if chance(9) == 0 { " ".repeat(60 + chance(10)) } else { parts[chance(12)].to_owned() };
            (0..count).map(part).collect()
        })
    }

    #[test]
    fn letters_go_on_from_each_other_as_all_of_them_do() {
        for text in texts() {
            let mut letters = Letters::default();
            letters.read(text.as_bytes());
            let all = letters.bytes().split(|b| *b == BREAK).filter(|row| !row.is_empty()).map(<[u8]>::len);
            let rows = rows(text.as_bytes());
            assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), all.collect::<Vec<_>>(), "{text:?}");
            for row in &rows {
                let count = row.len() - 1;
                assert_eq!(back(text.as_bytes(), row[count], count), Some(row[0]));
                assert_eq!(back(text.as_bytes(), row[count], count + 1), None);
            }
            let open = matches!(next(text.as_bytes(), rows.last().map_or(0, |row| row[row.len() - 1] + 1)), Next::End);
            let row = rows.last().filter(|_| open).cloned().unwrap_or_default();
            let Last { letters, places, .. } = last(text.as_bytes(), 7);
            assert_eq!(places, row[row.len().saturating_sub(7)..], "{text:?}");
            assert!(letters.iter().zip(&places).all(|(l, place)| *l == text.as_bytes()[*place].to_ascii_lowercase()));
        }
    }

    #[test]
    fn ten_letters_across_a_seam_hold_a_window_near_their_beginning() {
        let mut count = 0;
        for text in texts() {
            let mut layer = Layer::default();
            if !layer.undo(text.as_bytes(), true).changed {
                continue;
            }
            let view = layer.bytes();
            let mut seams = Seams::<5, 9>::default();
            seams.read(view, &layer);
            let windows: Vec<usize> = (0..seams.bytes().len()).step_by(5).map(|at| seams.place(at)).collect();
            for ten in rows(view).iter().flat_map(|row| row.windows(10)) {
                let below: Vec<usize> = (ten[0]..=ten[9]).map(|at| layer.start(at)).collect();
                let copied = (ten[0]..=ten[9]).all(|at| layer.end(at) == layer.start(at) + 1);
                if copied && below.windows(2).all(|two| two[0] + 1 == two[1]) {
                    continue;
                }
                count += 1;
                let letters: Vec<u8> = ten.iter().map(|place| view[*place].to_ascii_lowercase()).collect();
                let met = windows.iter().enumerate().any(|(n, place)| {
                    let first = ten[..5].iter().position(|p| p == place);
                    first.is_some_and(|first| seams.bytes()[n * 5..].starts_with(&letters[first..first + 6]))
                });
                assert!(met, "{text:?} {ten:?}");
            }
        }
        assert!(count > 1000);
    }
}
