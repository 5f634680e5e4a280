//! The vault's values, ready to search. Immutable.
//!
//! No needle is written out: the table of [`grams`] says which needles may begin at a place, and their forms are computed
//! character by character while they are compared with the text.

mod beside;
mod grams;
mod needles;

pub(crate) use beside::{Beginning, Beside, keywords};
pub(crate) use grams::Keys;
use grams::{Filter, Grams};
use needles::{BARE_MIN, EXACT_MIN};
pub(crate) use needles::{LONGEST, Needle, Needles, Source};

/// Bytes of a window of text as it is.
pub(crate) const EXACT_WINDOW: usize = 4;
/// Letters and digits of a window of bare text.
pub(crate) const BARE_WINDOW: usize = 8;
/// A text is asked at every so-manieth byte.
pub(crate) const EXACT_STEP: usize = EXACT_MIN - EXACT_WINDOW + 1;
/// A bare text is asked at every so-manieth letter.
pub(crate) const BARE_STEP: usize = BARE_MIN - BARE_WINDOW + 1;
/// A shorter end of the text may always be the beginning of a needle.
pub(crate) const EXACT_HEAD: usize = 3;
/// A shorter end of the bare text may always be the beginning of a needle.
pub(crate) const BARE_HEAD: usize = 4;

/// Bits of the filter of beginnings for each needle.
const HEAD_SPARE: usize = 32;

/// All values in all their forms.
pub(crate) struct Index {
    needles: Needles,
    pub(crate) exact: Table,
    pub(crate) bare: Table,
    pub(crate) beside: Beside,
}

/// Where needles of one view can begin.
pub(crate) struct Table {
    pub(crate) grams: Grams,
    /// Their first few bytes, for the end of a text that may go on.
    pub(crate) heads: Filter,
}

impl Index {
    pub(crate) fn new(needles: Needles, beside: Beside, keys: Keys) -> Self {
        let begin = |needle: &Needle| {
            let mut begin = [0; BARE_MIN];
            let all = chars(&needles.sources[needle.source as usize], needle);
            begin.iter_mut().zip(all).for_each(|(to, from)| *to = from);
            begin
        };
        let letters = |needle: &Needle| {
            let mut begin = [0; BARE_MIN];
            let all = chars(&needles.sources[needle.source as usize], needle);
            let letters = all.filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_lowercase());
            begin.iter_mut().zip(letters).for_each(|(to, from)| *to = from);
            begin
        };
        let exact = Table::new::<EXACT_WINDOW, EXACT_HEAD, EXACT_STEP>(keys, &needles.exact, begin);
        let bare = Table::new::<BARE_WINDOW, BARE_HEAD, BARE_STEP>(keys, &needles.bare, letters);
        Self { needles, exact, bare, beside }
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.exact.grams.is_empty() && self.beside.is_empty()
    }

    pub(crate) fn exact(&self, needle: u32) -> (&Needle, &Source) {
        let needle = &self.needles.exact[needle as usize];
        (needle, &self.needles.sources[needle.source as usize])
    }

    pub(crate) fn bare(&self, needle: u32) -> (&Needle, &Source) {
        let needle = &self.needles.bare[needle as usize];
        (needle, &self.needles.sources[needle.source as usize])
    }
}

fn chars(source: &Source, needle: &Needle) -> impl Iterator<Item = u8> {
    let form = needle.form;
    (needle.from as usize..needle.to as usize).map(move |at| form.at(&source.bytes, at))
}

impl Table {
    fn new<const WINDOW: usize, const HEAD: usize, const STEP: usize>(
        keys: Keys,
        needles: &[Needle],
        begin: impl Fn(&Needle) -> [u8; BARE_MIN],
    ) -> Self {
        let numbered = || (0..).zip(needles);
        let grams = Grams::new(keys, |put| {
            for (number, needle) in numbered() {
                let begin = begin(needle);
                (0..STEP).for_each(|place| put(number, place, window::<WINDOW>(&begin[place..])));
            }
        });
        let mut heads = Filter::new(keys, needles.len(), HEAD_SPARE);
        needles.iter().for_each(|needle| heads.insert(window::<HEAD>(&begin(needle))));
        Self { grams, heads }
    }
}

/// The first `N` bytes as a number; 0 where there are fewer.
#[inline(always)]
pub(crate) fn window<const N: usize>(bytes: &[u8]) -> u64 {
    let mut whole = [0; 8];
    match bytes.first_chunk::<N>() {
        Some(first) => whole[..N].copy_from_slice(first),
        None => whole[..bytes.len()].copy_from_slice(bytes),
    }
    u64::from_le_bytes(whole)
}
