//! Windows of the needles in a filter and a table: where in a text could a needle stand?
//!
//! A needle puts the windows at a few neighbouring places of it in; a text is asked at every so-manieth place, so one of
//! them meets. The places are near its beginning, but behind what many needles have in common: `https://`, the header of
//! a key.

use super::filter::{Filter, Heads, Keys, is_letters};
use super::window;

/// Letters that tell needles with equal windows apart before they are compared.
pub(crate) const CHECKED: usize = 6;
/// The same of text as it is. Values in halves from 20 bytes on have so many in the first.
const CHECKED_EXACT: usize = 3;
/// More needles than this at one window are a crowd.
const CROWD: u8 = 12;
/// Furthest place of a window in its needle.
const FURTHEST: usize = 96;
/// Bytes of a needle that are looked at to place its windows.
pub(super) const BEGIN: usize = FURTHEST + 16;
/// The places fit in these bits.
const PLACE_BITS: u32 = 7;

/// Places up to which windows with digits are sought, which are rarer in a text.
const DIGITS: usize = 20;
/// Letters of each needle that are computed once for all steps of the build, where that is enough.
const NEAR: usize = DIGITS + 16;

/// Windows of `WINDOW` bytes, asked for at every `STEP`-th byte; less than `LEAST` bytes may always be the beginning of a
/// needle. `BARE`: all bytes are digits and small letters, and needles are whole.
pub(crate) struct Grams<const WINDOW: usize, const STEP: usize, const LEAST: usize, const BARE: bool, const BITS: usize>
{
    keys: Keys,
    filter: Filter<BITS>,
    /// By bucket: where its entries begin.
    starts: Vec<u32>,
    shift: u32,
    entries: Vec<Entry>,
    near: Heads<LEAST>,
    far: Heads<LEAST>,
}

/// Six bytes, of which each value has some 250.
#[derive(Clone, Copy, Default)]
struct Entry {
    /// Some bits of the window's hash.
    tag: u8,
    /// A hash of the letters behind the window; 0 for none.
    check: u8,
    /// Needle, and the window's place in it.
    needle: [u16; 2],
}

impl Entry {
    fn new(hash: u64, check: u8, needle: usize, place: usize) -> Self {
        let needle = (needle as u32) << PLACE_BITS | place as u32;
        Self { tag: tag(hash), check, needle: [needle as u16, (needle >> 16) as u16] }
    }

    #[inline]
    fn needle(self) -> (u32, usize) {
        let needle = u32::from(self.needle[1]) << 16 | u32::from(self.needle[0]);
        (needle >> PLACE_BITS, (needle & ((1 << PLACE_BITS) - 1)) as usize)
    }
}

/// Bits of a hash that choose no bucket.
#[inline]
fn tag(hash: u64) -> u8 {
    (hash >> 24) as u8
}

/// All needles while their index is built.
struct Begins<F> {
    near: Vec<Near>,
    most: usize,
    begin: F,
}

/// The letters of a needle that are computed once, how many they are, and within how many its windows must lie.
struct Near([u8; NEAR], u8, u8);

impl<F: Fn(usize, usize) -> Begin> Begins<F> {
    /// Of `count` needles, `most` letters of each at once.
    fn new(count: usize, most: usize, begin: F) -> Self {
        let near = |number| {
            let Begin { letters, len, within } = begin(number, most);
            Near(std::array::from_fn(|at| letters[at]), len as u8, within.min(usize::from(u8::MAX)) as u8)
        };
        Self { near: (0..count).map(near).collect(), most, begin }
    }

    /// Calls `then` with at least `most` letters of a needle that has so many.
    fn with<T>(&self, number: usize, most: usize, then: impl FnOnce(Known<'_>) -> T) -> T {
        let Near(letters, len, within) = &self.near[number];
        if most > self.most && usize::from(*len) == self.most {
            return then((self.begin)(number, most).known());
        }
        then(Known { letters, len: usize::from(*len), within: usize::from(*within) })
    }
}

/// The first letters of a needle.
pub(super) struct Begin {
    pub(super) letters: [u8; BEGIN],
    pub(super) len: usize,
    /// Windows must lie in so many of them.
    pub(super) within: usize,
}

impl Begin {
    fn known(&self) -> Known<'_> {
        Known { letters: &self.letters, len: self.len, within: self.within }
    }
}

/// The same, wherever they are. Zeros follow them.
#[derive(Clone, Copy)]
struct Known<'a> {
    letters: &'a [u8],
    len: usize,
    within: usize,
}

impl Known<'_> {
    /// The letters that must follow each other wherever the needle is met.
    fn together(&self) -> &[u8] {
        &self.letters[..self.len.min(self.within)]
    }
}

impl<const WINDOW: usize, const STEP: usize, const LEAST: usize, const BARE: bool, const BITS: usize>
    Grams<WINDOW, STEP, LEAST, BARE, BITS>
{
    /// Bytes of a needle that hold all its windows.
    const SPAN: usize = WINDOW + STEP - 1;
    /// Letters behind a window that are checked.
    const CHECK: usize = if BARE { CHECKED } else { CHECKED_EXACT };

    /// Over `count` needles, whose beginnings `begin` knows: so many letters of the needle with that number.
    pub(super) fn new(keys: Keys, count: usize, begin: impl Fn(usize, usize) -> Begin) -> Self {
        let windows = count * STEP;
        let buckets = (windows.next_power_of_two() / 8).max(2);
        let mut grams = Self {
            keys,
            filter: Filter::new(0, 0),
            starts: Vec::new(),
            shift: 64 - buckets.trailing_zeros(),
            entries: Vec::new(),
            near: Heads::new(keys, 0, 0),
            far: Heads::new(keys, 0, 0),
        };
        let most = if BARE { DIGITS } else { 0 } + Self::SPAN + Self::CHECK;
        let begins = Begins::new(count, most.min(NEAR), begin);
        let anchors = grams.anchors(count, &begins);
        // Not before what the anchors took is free again.
        (grams.starts, grams.entries) = (vec![0; buckets + 1], vec![Entry::default(); windows]);
        let all = |then: &mut dyn FnMut(usize, usize, Known<'_>)| {
            for (number, anchor) in anchors.iter().map(|anchor| usize::from(*anchor)).enumerate() {
                begins.with(number, anchor + Self::SPAN + Self::CHECK, |begin| {
                    (anchor..anchor + STEP).for_each(|place| then(number, place, begin));
                });
            }
        };
        let mut letters = 0;
        all(&mut |_, place, begin| {
            let window = window::<8>(&begin.letters[place..]);
            letters += usize::from(BARE && is_letters::<WINDOW>(window));
            let bucket = grams.bucket(keys.spread(keys.hash::<WINDOW>(window)));
            grams.starts[bucket] += 1;
        });
        grams.filter = if BARE { Filter::new(windows, letters) } else { Filter::sieved(windows) };
        let mut sum = 0;
        for start in &mut grams.starts {
            sum += *start;
            *start = sum;
        }
        // Filled from behind, after which each start is where its bucket begins.
        all(&mut |number, place, begin| grams.insert(number, place, begin));
        grams.heads(&anchors, &begins);
        grams
    }

    fn insert(&mut self, number: usize, place: usize, begin: Known<'_>) {
        let window = window::<8>(&begin.letters[place..]);
        let hash = self.keys.hash::<WINDOW>(window);
        if BARE {
            self.filter.insert_window::<WINDOW>(self.keys, window);
        } else {
            self.filter.insert(hash);
        }
        let hash = self.keys.spread(hash);
        let behind = begin.together().get(place + WINDOW..).unwrap_or(&[]);
        let entry = Entry::new(hash, check::<BARE>(self.keys, behind), number, place);
        let bucket = self.bucket(hash);
        self.starts[bucket] -= 1;
        self.entries[self.starts[bucket] as usize] = entry;
    }

    /// Where the windows of each needle begin: at its beginning, unless too many others have the same there, or they would
    /// be without digits.
    fn anchors<F: Fn(usize, usize) -> Begin>(&self, count: usize, begins: &Begins<F>) -> Vec<u8> {
        let bits = (count * STEP).next_power_of_two().max(2).trailing_zeros();
        let mut counts = vec![0_u8; 1 << bits];
        let cell = |letters: &[u8]| (self.keys.spread(self.hash(letters)) >> (64 - bits)) as usize;
        let mut anchors = vec![0_u8; count];
        for (number, anchor) in anchors.iter_mut().enumerate() {
            begins.with(number, Self::SPAN, |begin| {
                *anchor = Self::with_digits(begin);
                for place in usize::from(*anchor)..usize::from(*anchor) + STEP {
                    let n = cell(&begin.letters[place..]);
                    counts[n] = counts[n].saturating_add(1);
                }
            });
        }
        let most = |counts: &[u8], begin: Known<'_>, at: usize| {
            (at..at + STEP).map(|place| counts[cell(&begin.letters[place..])]).max().unwrap_or(0)
        };
        let crowd = |n: &usize| {
            let at = usize::from(anchors[*n]);
            begins.with(*n, at + Self::SPAN, |begin| most(&counts, begin, at) > CROWD)
        };
        let crowded: Vec<(usize, Begin)> = (0..count).filter(crowd).map(|n| (n, (begins.begin)(n, BEGIN))).collect();
        let places = |begin: Known<'_>, from: u8| {
            let last = begin.len.min(begin.within).saturating_sub(Self::SPAN).min(FURTHEST);
            (usize::from(from) + STEP..=last).step_by(STEP)
        };
        for (number, begin) in &crowded {
            for place in places(begin.known(), anchors[*number]).flat_map(|at| at..at + STEP) {
                let n = cell(&begin.letters[place..]);
                counts[n] = counts[n].saturating_add(1);
            }
        }
        for (number, begin) in &crowded {
            let (begin, anchor) = (begin.known(), &mut anchors[*number]);
            let mut best = most(&counts, begin, usize::from(*anchor));
            for at in places(begin, *anchor) {
                let here = most(&counts, begin, at);
                if here < best {
                    (best, *anchor) = (here, at as u8);
                }
                if best <= CROWD / 4 {
                    break;
                }
            }
        }
        anchors
    }

    /// The first place from which on all windows have a digit, or the beginning.
    fn with_digits(begin: Known<'_>) -> u8 {
        let last = begin.len.saturating_sub(Self::SPAN).min(DIGITS);
        let digit = |at: &usize| begin.letters[at + STEP - 1..at + WINDOW].iter().any(u8::is_ascii_digit);
        if BARE { (0..=last).find(digit).unwrap_or(0) as u8 } else { 0 }
    }

    fn heads<F: Fn(usize, usize) -> Begin>(&mut self, anchors: &[u8], begins: &Begins<F>) {
        let far = anchors.iter().filter(|&&anchor| anchor > 0).count();
        (self.near, self.far) =
            (Heads::new(self.keys, anchors.len() - far, Self::SPAN), Heads::new(self.keys, far, Self::SPAN));
        for (number, &anchor) in anchors.iter().enumerate() {
            let heads = if anchor > 0 { &mut self.far } else { &mut self.near };
            begins.with(number, Self::SPAN, |begin| {
                heads.insert(&begin.letters[..begin.len], usize::from(anchor) + Self::SPAN);
            });
        }
    }

    fn hash(&self, letters: &[u8]) -> u64 {
        self.keys.hash::<WINDOW>(window::<8>(letters))
    }

    fn bucket(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a needle may have the window that `letters` begin with.
    pub(crate) fn test(&self, letters: &[u8]) -> bool {
        self.filter.test(self.hash(letters))
    }

    /// Adds the places of `letters` where a needle may have a window, of every `STEP`-th place.
    pub(crate) fn probe(&self, letters: &[u8], places: &mut Vec<u32>) {
        self.filter.probe::<WINDOW, STEP, BARE>(self.keys, letters, places);
    }

    /// Needles that may have the window that `letters` begin with, and its place in each. `checked`: the letters behind it
    /// are those of the needle, too.
    pub(crate) fn needles(&self, letters: &[u8], checked: bool) -> impl Iterator<Item = (u32, usize)> {
        let hash = self.keys.spread(self.hash(letters));
        let bucket = self.bucket(hash);
        let check = if checked { check::<BARE>(self.keys, &letters[WINDOW..]) } else { 0 };
        let entries = &self.entries[self.starts[bucket] as usize..self.starts[bucket + 1] as usize];
        entries
            .iter()
            .filter(move |entry| entry.tag == tag(hash))
            .filter(move |entry| entry.check == check || entry.check == 0 || check == 0)
            .map(|entry| entry.needle())
    }

    /// Letters at the end of a text that such a place can be among.
    pub(crate) fn reach(&self) -> usize {
        self.near.reach().max(self.far.reach())
    }

    /// Whether a needle may begin with the first eight letters.
    pub(crate) fn may_begin(&self, letters: &[u8]) -> bool {
        self.near.may_begin(letters) || self.far.may_begin(letters)
    }

    /// The first place of a text that may go on from which on its end may be the beginning of a needle that was not met.
    pub(crate) fn open(&self, letters: &[u8]) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        self.near.open(letters).into_iter().chain(self.far.open(letters)).min()
    }
}

/// 0 where there are too few letters.
fn check<const BARE: bool>(keys: Keys, letters: &[u8]) -> u8 {
    let hash = match BARE {
        true => letters.first_chunk::<CHECKED>().map(|letters| keys.hash::<CHECKED>(window::<8>(letters))),
        false => letters.first_chunk::<CHECKED_EXACT>().map(|letters| keys.hash::<CHECKED_EXACT>(window::<8>(letters))),
    };
    hash.map_or(0, |hash| ((hash >> 56) as u8).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(text: &[u8], most: usize) -> Begin {
        let mut begin = Begin { letters: [0; BEGIN], len: text.len().min(most).min(BEGIN), within: usize::MAX };
        begin.letters[..begin.len].copy_from_slice(&text[..begin.len]);
        begin
    }

    fn grams<const BARE: bool>(needles: &[Vec<u8>]) -> Grams<6, 5, 4, BARE, 2> {
        let keys = Keys::new(b"\x8d\x12\xf3\x5b\xc4\x09\xa1\x7e\x33\xd6\x4f\x90\x2b\xe8\x75\xca");
        Grams::new(keys, needles.len(), |n, most| begin(&needles[n], most))
    }

    /// Whether the needle is met in `text` at `at`.
    fn meets<const BARE: bool>(grams: &Grams<6, 5, 4, BARE, 2>, text: &[u8], needle: u32, at: usize) -> bool {
        let mut places = Vec::new();
        grams.probe(text, &mut places);
        places.iter().any(|&place| {
            grams.needles(&text[place as usize..], true).any(|(n, offset)| n == needle && place as usize == at + offset)
        })
    }

    #[test]
    fn every_needle_is_met_wherever_it_stands() {
        let needles: Vec<Vec<u8>> =
            (0..400).map(|n| format!("{:x}", 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n + 1)).into()).collect();
        let (bare, exact) = (grams::<true>(&needles), grams::<false>(&needles));
        for (n, needle) in (0..).zip(&needles) {
            for before in 0..12 {
                for after in ["", "xyz"] {
                    let text = [&b"q".repeat(before)[..], needle, after.as_bytes()].concat();
                    assert!(meets(&bare, &text, n, before), "{n} {before}");
                    assert!(meets(&exact, &text, n, before), "{n} {before}");
                }
            }
        }
        assert!(grams::<true>(&[]).is_empty() && grams::<true>(&[]).open(b"ab").is_none());
    }

    #[test]
    fn a_crowd_is_told_apart_behind_what_it_has_in_common() {
        let needles: Vec<Vec<u8>> =
            (1..501).map(|n| format!("postgresapp{:016x}", 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n)).into()).collect();
        let grams = grams::<false>(&needles);
        for (n, needle) in (0..).zip(&needles) {
            assert!((0..6).all(|before| meets(&grams, &[&b"-".repeat(before)[..], needle].concat(), n, before)));
        }
        let mut places = Vec::new();
        grams.probe(&b"postgres and postgresql ".repeat(20), &mut places);
        assert!(places.len() < 20);
        assert_eq!(grams.open(b"about postgresapp9e37"), Some(6));
        assert_eq!(grams.open(b"about postings ab"), Some(14));
    }
}
