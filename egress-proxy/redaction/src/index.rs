//! The vault's values, ready to search. Immutable.
//!
//! No needle is written out: the table of [`grams`] says which needles may begin at a place, and their forms are computed
//! character by character while they are compared with the text.

mod beside;
mod filter;
mod grams;
mod needles;

pub(crate) use beside::{Beginning, Beside, keywords};
pub(crate) use filter::Keys;
pub(crate) use grams::CHECKED;
use grams::{BEGIN, Begin, Grams};
use needles::{BARE_MIN, EXACT_MIN};
pub(crate) use needles::{HALF, LONGEST, Needle, Needles, Source, first_half};

/// Bytes of a window of text as it is.
pub(crate) const EXACT_WINDOW: usize = 4;
/// A text is asked at every so-manieth byte.
pub(crate) const EXACT_STEP: usize = EXACT_MIN - EXACT_WINDOW + 1;
/// Letters and digits of a window of bare text.
pub(crate) const BARE_WINDOW: usize = 6;
/// A bare text is asked at every so-manieth letter.
pub(crate) const BARE_STEP: usize = BARE_MIN - BARE_WINDOW + 1;

/// All values in all their forms.
pub(crate) struct Index {
    needles: Needles,
    /// A shorter end than three bytes may always be the beginning of a needle, and of four letters.
    pub(crate) exact: Grams<EXACT_WINDOW, EXACT_STEP, 3, false, 2>,
    pub(crate) bare: Grams<BARE_WINDOW, BARE_STEP, 4, true, 2>,
    pub(crate) beside: Beside,
    /// No shorter text holds a value: no view of a text is longer than the text.
    shortest: usize,
}

impl Index {
    pub(crate) fn new(needles: Needles, beside: Beside, keys: Keys) -> Self {
        let exact = Grams::new(keys, needles.exact.len(), |n, most| {
            let needle = &needles.exact[n];
            let source = &needles.sources[needle.source as usize];
            // A value in two halves must be met in the first.
            let within = if needle.halves(source) { first_half(source.bytes.len()) } else { usize::MAX };
            beginning(chars(source, needle), most, within)
        });
        let bare = Grams::new(keys, needles.bare.len(), |n, most| {
            let needle = &needles.bare[n];
            let all = chars(&needles.sources[needle.source as usize], needle);
            beginning(all.filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_lowercase()), most, usize::MAX)
        });
        let parts = needles.exact.iter().map(|needle| (needle.to - needle.from) as usize);
        let shortest = parts.chain([BARE_MIN]).chain(beside.shortest()).min().unwrap_or(0);
        Self { needles, exact, bare, beside, shortest }
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.beside.is_empty()
    }

    /// Whether a whole text of `len` bytes can hold something.
    pub(crate) fn fits(&self, len: usize) -> bool {
        len >= self.shortest && !self.is_empty()
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

fn beginning(letters: impl Iterator<Item = u8>, most: usize, within: usize) -> Begin {
    let mut begin = Begin { letters: [0; BEGIN], len: 0, within };
    for (to, from) in begin.letters[..most.min(BEGIN)].iter_mut().zip(letters) {
        *to = from;
        begin.len += 1;
    }
    begin
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
