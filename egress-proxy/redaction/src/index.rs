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
pub(crate) use needles::{HALF, Kept, LONGEST, Needle, Needles, Source, first_half};

use crate::forms::Form;

/// Bytes of a window of text as it is.
pub(crate) const EXACT_WINDOW: usize = 4;
/// A text is asked at every so-manieth byte.
pub(crate) const EXACT_STEP: usize = EXACT_MIN - EXACT_WINDOW + 1;
/// Letters and digits of a window of bare text.
pub(crate) const BARE_WINDOW: usize = 6;
/// A bare text is asked at every so-manieth letter.
pub(crate) const BARE_STEP: usize = BARE_MIN - BARE_WINDOW + 1;

/// Needles of text as it is.
pub(crate) struct Exact {
    needles: Vec<Kept>,
    /// A shorter end than three bytes may always be the beginning of a needle.
    pub(crate) grams: Grams<EXACT_WINDOW, EXACT_STEP, 3, false, 2>,
}

impl Exact {
    fn new(needles: Vec<Kept>, sources: &[Source], keys: Keys) -> Self {
        let grams = Grams::new(keys, needles.len(), |n, most| {
            let source = needles[n].source(sources);
            let needle = needles[n].needle(source);
            // A value in two halves must be met in the first.
            let within = if needle.halves(source) { first_half(source.bytes.len()) } else { usize::MAX };
            beginning(source, &needle, most, within, Some)
        });
        Self { needles, grams }
    }

    /// Needles that may have the window that `text` begins with, and its place in each.
    pub(crate) fn needles(&self, text: &[u8]) -> impl Iterator<Item = (Kept, usize)> {
        self.grams.needles(text, true).map(|(needle, place)| (self.needles[needle as usize], place))
    }
}

/// All values in all their forms.
pub(crate) struct Index {
    sources: Vec<Source>,
    needles: Vec<Kept>,
    /// Without those of [`Index::wide`].
    pub(crate) exact: Exact,
    /// Needles of wide characters, of which any three bytes hold a zero: most texts hold none.
    pub(crate) wide: Exact,
    /// A shorter end than four letters may always be the beginning of a needle.
    pub(crate) bare: Grams<BARE_WINDOW, BARE_STEP, 4, true, 2>,
    pub(crate) beside: Beside,
    /// No shorter text holds a value: no view of a text is longer than the text.
    shortest: usize,
}

impl Index {
    pub(crate) fn new(mut needles: Needles, beside: Beside, keys: Keys) -> Self {
        // Kept as long as the engine: without room to grow.
        needles.sources.shrink_to_fit();
        needles.bare.shrink_to_fit();
        let sources = needles.sources;
        let known = |kept: &Kept| {
            let source = kept.source(&sources);
            (kept.needle(source), source)
        };
        let parts = needles.exact.iter().map(|kept| known(kept).0).map(|needle| (needle.to - needle.from) as usize);
        let shortest = parts.chain([BARE_MIN]).chain(beside.shortest()).min().unwrap_or(0);
        let (wide, exact) = needles.exact.iter().partition(|kept| {
            let (needle, source) = known(kept);
            is_wide(source, &needle)
        });
        let [exact, wide] = [exact, wide].map(|needles| Exact::new(needles, &sources, keys));
        let bare = Grams::new(keys, needles.bare.len(), |n, most| {
            let (needle, source) = known(&needles.bare[n]);
            let letter = |byte: u8| byte.is_ascii_alphanumeric().then(|| byte.to_ascii_lowercase());
            beginning(source, &needle, most, usize::MAX, letter)
        });
        Self { sources, exact, wide, needles: needles.bare, bare, beside, shortest }
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.exact.grams.is_empty() && self.wide.grams.is_empty() && self.beside.is_empty()
    }

    /// Whether a whole text of `len` bytes can hold something.
    pub(crate) fn fits(&self, len: usize) -> bool {
        len >= self.shortest && !self.is_empty()
    }

    /// Needles of text as it is, of which some may be in `text`.
    pub(crate) fn exact_in(&self, text: &[u8]) -> impl Iterator<Item = &Exact> {
        // A short end is open for all of them: wide ones are asked for where no others are.
        let wide = !self.wide.grams.is_empty() && (self.exact.grams.is_empty() || memchr::memchr(0, text).is_some());
        [&self.exact].into_iter().chain(wide.then_some(&self.wide))
    }

    /// Bytes at the end of a text in which a needle can begin that was not met.
    pub(crate) fn exact_reach(&self) -> usize {
        self.exact.grams.reach().max(self.wide.grams.reach())
    }

    /// The first place of a text from which on its end may be the beginning of such a needle.
    pub(crate) fn exact_open(&self, text: &[u8]) -> Option<usize> {
        let near = &text[text.len().saturating_sub(self.exact_reach())..];
        self.exact_in(near).filter_map(|exact| exact.grams.open(text)).min()
    }

    /// A needle and what it is made of.
    pub(crate) fn known(&self, kept: Kept) -> (Needle, &Source) {
        let source = kept.source(&self.sources);
        (kept.needle(source), source)
    }

    pub(crate) fn bare(&self, needle: u32) -> (Needle, &Source) {
        self.known(self.needles[needle as usize])
    }
}

/// Whether a zero is among any three bytes, as many as the shortest end that is not always open.
fn is_wide(source: &Source, needle: &Needle) -> bool {
    needle.form == Form::PLAIN && source.bytes.windows(3).all(|three| three.contains(&0))
}

/// The first `most` characters of a needle that `kept` makes something of.
fn beginning(source: &Source, needle: &Needle, most: usize, within: usize, kept: impl Fn(u8) -> Option<u8>) -> Begin {
    let mut begin = Begin { letters: [0; BEGIN], len: 0, within };
    let most = most.min(BEGIN);
    needle.form.each(&source.bytes, needle.from as usize..needle.to as usize, |byte| {
        if let Some(byte) = kept(byte) {
            begin.letters[begin.len] = byte;
            begin.len += 1;
        }
        begin.len < most
    });
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
