//! Short texts that are read in and never change: the shipped rules consist of 18,000 of them.

use std::fmt;

use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Some texts in one piece of memory, each behind its length: one by one they would take 50 bytes of the heap for the nine
/// that such a text has.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts(Box<str>);

/// [`Texts`] that are lent.
#[derive(Clone, Copy, Default)]
pub struct Lent<'a>(&'a str);

/// Each of some texts in its order.
#[derive(Clone)]
pub struct Each<'a> {
    all: Lent<'a>,
    at: usize,
}

/// Bits of a length that one sign in front of a text holds.
const BITS: u32 = 6;
/// Says that another such sign follows.
const MORE: u8 = 1 << BITS;

impl Texts {
    /// Lends them.
    #[must_use]
    pub const fn lent(&self) -> Lent<'_> {
        Lent(&self.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each in its order.
    #[must_use]
    pub const fn iter(&self) -> Each<'_> {
        self.lent().iter()
    }

    /// Whether one of them is `text`.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.iter().any(|own| own == text)
    }
}

impl<'a> Lent<'a> {
    /// Each in its order.
    #[must_use]
    pub const fn iter(self) -> Each<'a> {
        Each { all: self, at: 0 }
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The end of their places.
    pub(super) const fn end(self) -> usize {
        self.0.len()
    }

    /// Where each stands, for whoever looks at a few only.
    pub(super) fn places(self) -> impl Iterator<Item = usize> + Clone + 'a {
        let next = move |at: &usize| self.read(*at).map(|(_, end)| end);
        std::iter::successors(Some(0), next).take_while(move |at| *at < self.end())
    }

    /// The one at a place.
    #[inline]
    pub(super) fn at(self, place: usize) -> Option<&'a str> {
        self.read(place).map(|(from, to)| &self.0[from..to])
    }

    /// Whether a sign is in one of them; sometimes says so without reason.
    pub(super) fn may_hold(self, sign: char) -> bool {
        self.0.contains(sign)
    }

    /// From where to where the text at a place goes; the next one stands behind it.
    #[inline]
    fn read(self, place: usize) -> Option<(usize, usize)> {
        let sign = *self.0.as_bytes().get(place)?;
        if sign & MORE != 0 {
            return self.read_long(place);
        }
        Some((place + 1, place + 1 + usize::from(sign)))
    }

    #[cold]
    fn read_long(self, place: usize) -> Option<(usize, usize)> {
        let (mut at, mut length, mut bits) = (place, 0, 0);
        loop {
            let sign = *self.0.as_bytes().get(at)?;
            at += 1;
            length |= usize::from(sign & (MORE - 1)) << bits;
            if sign & MORE == 0 {
                return Some((at, at + length));
            }
            bits += BITS;
        }
    }
}

impl<'a> Iterator for Each<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (from, to) = self.all.read(self.at)?;
        self.at = to;
        Some(&self.all.0[from..to])
    }
}

/// Puts a text behind those that are there. Signs of a length are ASCII, so that all of it stays text.
fn push(all: &mut String, text: &str) {
    let mut length = text.len();
    while length >= usize::from(MORE) {
        all.push(char::from(low_bits(length) | MORE));
        length >>= BITS;
    }
    all.push(char::from(low_bits(length)));
    all.push_str(text);
}

fn low_bits(length: usize) -> u8 {
    length.to_le_bytes()[0] & (MORE - 1)
}

impl<S: AsRef<str>> FromIterator<S> for Texts {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        let mut all = String::new();
        texts.into_iter().for_each(|text| push(&mut all, text.as_ref()));
        Self(all.into())
    }
}

impl<S: AsRef<str>, const N: usize> From<[S; N]> for Texts {
    fn from(texts: [S; N]) -> Self {
        texts.into_iter().collect()
    }
}

impl<'a> IntoIterator for &'a Texts {
    type Item = &'a str;
    type IntoIter = Each<'a>;

    fn into_iter(self) -> Each<'a> {
        self.iter()
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl fmt::Debug for Lent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(List)
    }
}

struct List;

impl<'de> Visitor<'de> for List {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
        let mut all = String::new();
        while list.next_element_seed(Pushed(&mut all))?.is_some() {}
        Ok(Texts(all.into()))
    }
}

/// Where the next text goes, without being one by itself before.
struct Pushed<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Pushed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Pushed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        push(self.0, text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were_put_in() {
        let long = ["é".repeat(31), "x".repeat(63), "y".repeat(64), "z".repeat(4_095), "ü".repeat(300_000)];
        let short = ["", "a", "", "\0", "-v", "\u{fffc}", "@", "?x"].map(str::to_owned);
        let all: Vec<String> = short.into_iter().chain(long).chain([String::new()]).collect();
        for count in 0..=all.len() {
            let texts: Texts = all[..count].iter().collect();
            assert!(texts.iter().eq(&all[..count]), "{count}");
            assert_eq!(texts.is_empty(), count == 0);
            let lent = texts.lent();
            assert!(lent.places().filter_map(|place| lent.at(place)).eq(&all[..count]), "{count}");
            assert_eq!(lent.at(lent.end()), None);
            let json = serde_json::to_string(&all[..count]).unwrap();
            assert_eq!(serde_json::to_string(&texts).unwrap(), json);
            assert_eq!(serde_json::from_str::<Texts>(&json).unwrap(), texts);
            assert!(!texts.contains("zz"));
            assert_eq!(lent.may_hold('\u{fffc}'), count > 5);
            assert!(all[..count].iter().all(|text| texts.contains(text)));
        }
        assert_ne!(Texts::from(["a", "b"]), Texts::from(["ab"]));
        assert_ne!(Texts::from([""]), Texts::default());
    }

    #[test]
    fn what_is_no_list_of_texts_is_refused() {
        for bad in ["\"a\"", "[1]", "[\"a\", null]", "{}", "[[\"a\"]]"] {
            assert!(serde_json::from_str::<Texts>(bad).is_err(), "{bad}");
            assert!(serde_json::from_str::<Vec<String>>(bad).is_err(), "{bad}");
        }
    }
}
