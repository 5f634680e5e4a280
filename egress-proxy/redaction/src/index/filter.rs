//! Sets of hashed windows that are asked at every few bytes of a text.
//!
//! The hash is keyed, so that nobody can write a text that always seems to hold a needle.

mod sieve;
#[cfg(target_arch = "x86_64")]
mod wide;

use super::window;
use sieve::{SIEVE, Sieve, sift};

/// Keys of the hash: odd multipliers, of which the high bits of a product are fair for every pair of windows.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    factor: u64,
    second: u64,
}

impl Keys {
    /// From 16 random bytes.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let [factor, second] = std::array::from_fn(|n| window::<8>(bytes.get(n * 8..).unwrap_or(&[])));
        Self { factor: factor | 1, second: second | 1 }
    }

    /// The hash of the first `LEN` of the eight bytes in `window`: the others are shifted out of the product.
    #[inline(always)]
    pub(super) fn hash<const LEN: usize>(self, window: u64) -> u64 {
        window.wrapping_mul(self.factor << (64 - 8 * LEN))
    }

    /// A hash whose bits are independent of those that a filter has used.
    pub(super) fn spread(self, hash: u64) -> u64 {
        (hash ^ (hash >> 32)).wrapping_mul(self.second)
    }

    /// The hash of the first `len` bytes of a text that has so many, different for each length.
    fn prefix(self, text: &[u8], len: usize) -> u64 {
        (window::<8>(text) << (64 - 8 * len)).wrapping_add(len as u64).wrapping_mul(self.second)
    }
}

/// A set of windows with few false members: one or two bits in one word for each. One is faster as long as the set stays in
/// the cache.
pub(super) struct Filter<const BITS: usize> {
    cells: Cells,
    /// Asked first while members are few: four instructions instead of fourteen, and few places are left to ask.
    sieve: Option<Sieve>,
    /// Windows of small letters alone are in the first words, as many as this mask reaches: most of what is asked for is
    /// such a window, few members are, and so few words stay in the nearest cache.
    letters: usize,
}

/// The sizes are fixed so that a look-up needs no check of bounds and no variable shift.
enum Cells {
    Words8(Box<[u64; 1 << 8]>),
    Words10(Box<[u64; 1 << 10]>),
    Words12(Box<[u64; 1 << 12]>),
    Words14(Box<[u64; 1 << 14]>),
    Words15(Box<[u64; 1 << 15]>),
    Words16(Box<[u64; 1 << 16]>),
    Words18(Box<[u64; 1 << 18]>),
    Words20(Box<[u64; 1 << 20]>),
}

/// Calls a generic function with the words of a filter.
macro_rules! with_words {
    ($filter:expr, $words:ident => $call:expr) => {
        match $filter {
            Cells::Words8($words) => $call,
            Cells::Words10($words) => $call,
            Cells::Words12($words) => $call,
            Cells::Words14($words) => $call,
            Cells::Words15($words) => $call,
            Cells::Words16($words) => $call,
            Cells::Words18($words) => $call,
            Cells::Words20($words) => $call,
        }
    };
}

/// Most members of a sieve: one in 32 places passes.
const SIEVED: usize = SIEVE / 32;

/// The bit that small letters have and digits have not.
const LETTER: u64 = 0x4040_4040_4040_4040;

impl<const BITS: usize> Filter<BITS> {
    /// Most members for each word: of 60 other windows one gets through, or fewer.
    const MEMBERS: usize = if BITS == 1 { 1 } else { 4 };

    /// Room for `count` members that are asked for at every few bytes.
    pub(super) fn sieved(count: usize) -> Self {
        Self { sieve: (1..=SIEVED).contains(&count).then(Sieve::new), ..Self::new(count, 0) }
    }

    /// Room for `count` members, of which `letters` are small letters alone.
    pub(super) fn new(count: usize, letters: usize) -> Self {
        let cells = match count.div_ceil(Self::MEMBERS) {
            0..=0x100 => Cells::Words8(zeroed()),
            0x101..=0x400 => Cells::Words10(zeroed()),
            0x401..=0x1000 => Cells::Words12(zeroed()),
            0x1001..=0x4000 => Cells::Words14(zeroed()),
            0x4001..=0x8000 => Cells::Words15(zeroed()),
            0x8001..=0x1_0000 => Cells::Words16(zeroed()),
            0x1_0001..=0x4_0000 => Cells::Words18(zeroed()),
            _ => Cells::Words20(zeroed()),
        };
        let most = with_words!(&cells, words => words.len());
        Self { cells, sieve: None, letters: (letters * 2 / Self::MEMBERS).next_power_of_two().clamp(64, most) - 1 }
    }

    pub(super) fn insert(&mut self, hash: u64) {
        if let Some(sieve) = &mut self.sieve {
            sieve.insert(hash);
        }
        with_words!(&mut self.cells, words => insert::<BITS, _>(words, usize::MAX, hash));
    }

    /// Whether a hash may be a member.
    #[inline(always)]
    pub(super) fn test(&self, hash: u64) -> bool {
        with_words!(&self.cells, words => look_up::<BITS, _>(words, usize::MAX, hash) & 1 == 1)
    }

    /// Inserts a window of `WINDOW` letters and digits.
    pub(super) fn insert_window<const WINDOW: usize>(&mut self, keys: Keys, window: u64) {
        let mask = self.mask::<WINDOW>(window);
        with_words!(&mut self.cells, words => insert::<BITS, _>(words, mask, keys.hash::<WINDOW>(window)));
    }

    #[inline(always)]
    fn mask<const WINDOW: usize>(&self, window: u64) -> usize {
        if is_letters::<WINDOW>(window) { self.letters } else { usize::MAX }
    }

    /// Adds the places of `bytes` where a window of `WINDOW` bytes may be a member, of every `STEP`-th place. `SPLIT`: the
    /// members were inserted as windows.
    pub(super) fn probe<const WINDOW: usize, const STEP: usize, const SPLIT: bool>(
        &self,
        keys: Keys,
        bytes: &[u8],
        places: &mut Vec<u32>,
    ) {
        with_words!(&self.cells, words => {
            let seen = |window: u64| {
                let mask = if SPLIT { self.mask::<WINDOW>(window) } else { usize::MAX };
                look_up::<BITS, _>(words, mask, keys.hash::<WINDOW>(window))
            };
            let sifted = match &self.sieve {
                Some(Sieve::Bytes(sieve)) => {
                    let passes = |window| sieve[place::<SIEVE>(keys.hash::<WINDOW>(window))];
                    sift::<STEP>(passes, &seen, bytes, 0, places)
                }
                #[cfg(target_arch = "x86_64")]
                Some(Sieve::Bits(sieve)) => {
                    let most = wide::sift::<WINDOW, STEP>(keys, sieve, &seen, bytes, places);
                    let place = |window| place::<SIEVE>(keys.hash::<WINDOW>(window));
                    let passes = |window| (sieve[place(window) / 32] >> (place(window) % 32)) as u8 & 1;
                    sift::<STEP>(passes, &seen, bytes, most, places)
                }
                #[cfg(target_arch = "x86_64")]
                None if SPLIT => wide::probe::<BITS, WINDOW, STEP, _>(keys, words, self.letters, bytes, places),
                None => 0,
            };
            probe::<WINDOW, STEP>(seen, bytes, sifted, places);
        });
    }
}

/// Whether the first `WINDOW` bytes, which are letters and digits, are letters.
#[inline(always)]
pub(super) fn is_letters<const WINDOW: usize>(window: u64) -> bool {
    !window & (LETTER >> (64 - 8 * WINDOW)) == 0
}

fn zeroed<T: Clone + From<u8>, const N: usize>() -> Box<[T; N]> {
    // Straight to the heap: an array of this size is too large for a stack.
    vec![T::from(0); N].into_boxed_slice().try_into().unwrap_or_else(|_| unreachable!("made with this length"))
}

fn insert<const BITS: usize, const N: usize>(words: &mut [u64; N], mask: usize, hash: u64) {
    let second = if BITS == 1 { first(hash) } else { second(hash) };
    words[place::<N>(hash) & mask] |= 1 << first(hash) | 1 << second;
}

/// Odd for a member.
#[inline(always)]
fn look_up<const BITS: usize, const N: usize>(words: &[u64; N], mask: usize, hash: u64) -> u64 {
    let word = words[place::<N>(hash) & mask];
    let has = |bit: u64| word & (1 << bit) != 0;
    u64::from(has(first(hash)) & (BITS == 1 || has(second(hash))))
}

#[inline(always)]
fn place<const N: usize>(hash: u64) -> usize {
    (hash >> (64 - N.trailing_zeros())) as usize & (N - 1)
}

#[inline(always)]
fn first(hash: u64) -> u64 {
    (hash >> 38) & 63
}

#[inline(always)]
fn second(hash: u64) -> u64 {
    (hash >> 32) & 63
}

/// Adds places of which `seen` holds, from `at` on.
#[inline(always)]
fn probe<const WINDOW: usize, const STEP: usize>(
    seen: impl Fn(u64) -> u64,
    bytes: &[u8],
    mut at: usize,
    places: &mut Vec<u32>,
) {
    // Four at once: the processor looks them up beside each other, and the loop branches once.
    while let Some(four) = bytes.get(at..at + 3 * STEP + 8) {
        let nth = |n: usize| seen(window::<8>(&four[n * STEP..n * STEP + 8]));
        if ((nth(0) | nth(1)) | (nth(2) | nth(3))) & 1 == 1 {
            places.extend((0..4).filter(|&n| nth(n) & 1 == 1).map(|n| (at + n * STEP) as u32));
        }
        at += 4 * STEP;
    }
    while at + WINDOW <= bytes.len() {
        if seen(window::<8>(&bytes[at..])) & 1 == 1 {
            places.push(at as u32);
        }
        at += STEP;
    }
}

/// Beginnings of needles, of two lengths, for the end of a text that may go on.
pub(crate) struct Heads<const LEAST: usize> {
    keys: Keys,
    filter: Filter<2>,
    /// Bytes of a needle that must follow before it is met otherwise.
    reach: usize,
    longer: usize,
}

/// The longer of the two lengths, of a needle that has so many.
const LONGER: usize = 8;

impl<const LEAST: usize> Heads<LEAST> {
    /// Room for `count` needles of at least `shortest` bytes.
    pub(super) fn new(keys: Keys, count: usize, shortest: usize) -> Self {
        Self { keys, filter: Filter::new(count * 3, 0), reach: 0, longer: LONGER.min(shortest) }
    }

    /// A needle that begins so and is met in its first `reach` bytes.
    pub(super) fn insert(&mut self, begin: &[u8], reach: usize) {
        self.filter.insert(self.keys.prefix(begin, LEAST));
        let longer = self.keys.prefix(begin, self.longer);
        self.filter.insert(longer);
        // Asked for at so many places that one false member in 64 would hold back most texts.
        self.filter.insert(self.keys.spread(longer));
        self.reach = self.reach.max(reach);
    }

    pub(super) fn reach(&self) -> usize {
        self.reach
    }

    /// Whether a needle may begin with the first eight bytes of `text`.
    pub(crate) fn may_begin(&self, text: &[u8]) -> bool {
        let hash = self.keys.prefix(text, self.longer);
        self.filter.test(hash) && self.filter.test(self.keys.spread(hash))
    }

    /// The first place near the end of `text` from which on it may be the beginning of a needle.
    pub(crate) fn open(&self, text: &[u8]) -> Option<usize> {
        let near = &text[text.len().saturating_sub(self.reach.saturating_sub(1))..];
        let place = with_words!(&self.filter.cells, words => self.first(words, near))?;
        Some(text.len() - near.len() + place)
    }

    #[inline(always)]
    fn first<const N: usize>(&self, words: &[u64; N], near: &[u8]) -> Option<usize> {
        let test = |hash| look_up::<2, N>(words, usize::MAX, hash) & 1 == 1;
        let has = |hash| test(hash) && test(self.keys.spread(hash));
        // Most places have eight bytes behind them, which are asked for without a look at what is left.
        let prefix = |rest: &[u8]| self.keys.prefix(rest, self.longer);
        let mut at = 0;
        // Four at once, as in a text.
        while let Some(four) = near.get(at..at + LONGER + 3) {
            let nth = |n: usize| test(prefix(&four[n..n + LONGER]));
            if (nth(0) | nth(1)) | (nth(2) | nth(3))
                && let Some(place) = four.windows(LONGER).position(|rest| has(prefix(rest)))
            {
                return Some(at + place);
            }
            at += 4;
        }
        if let Some(place) = near[at..].windows(LONGER).position(|rest| has(prefix(rest))) {
            return Some(at + place);
        }
        (near.len().saturating_sub(LONGER - 1)..near.len()).find(|&at| {
            let rest = &near[at..];
            match rest.len() {
                len if len < LEAST => true,
                len if len < self.longer => test(self.keys.prefix(rest, LEAST)),
                _ => has(self.keys.prefix(rest, self.longer)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_lets_members_through_and_few_others() {
        let keys = Keys::new(b"\x8d\x12\xf3\x5b\xc4\x09\xa1\x7e\x33\xd6\x4f\x90\x2b\xe8\x75\xca");
        let window = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for count in [10, 300, 5_000, 50_000, 150_000] {
            let mut filter = Filter::<1>::new(count, 0);
            (0..count as u64).for_each(|n| filter.insert(keys.hash::<6>(window(n))));
            assert!((0..count as u64).all(|n| filter.test(keys.hash::<6>(window(n)))));
            let others = (1_000_000..1_010_000).filter(|&n| filter.test(keys.hash::<6>(window(n)))).count();
            assert!(others < 700, "{count} {others}");
        }
    }

    #[test]
    fn letters_and_windows_with_digits_are_found_alike() {
        let keys = Keys::new(b"\x8d\x12\xf3\x5b\xc4\x09\xa1\x7e\x33\xd6\x4f\x90\x2b\xe8\x75\xca");
        let text = b"a text of letters: only 4th 5th and 6th windows have digits";
        let letters: Vec<u8> = text.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
        let mut filter = Filter::<2>::new(letters.len(), 20);
        (0..letters.len() - 5).for_each(|at| filter.insert_window::<6>(keys, window::<8>(&letters[at..])));
        for from in 0..5 {
            let mut places = Vec::new();
            filter.probe::<6, 5, true>(keys, &letters[from..], &mut places);
            let all: Vec<u32> = (0..(letters.len() - from - 5) as u32).step_by(5).collect();
            assert_eq!(places, all);
        }
        assert!(is_letters::<6>(window::<8>(b"abcdef12")) && !is_letters::<6>(window::<8>(b"abcde1zz")));
        assert!(!is_letters::<6>(window::<8>(b"abcde")));
    }

    #[test]
    fn every_place_is_asked_whatever_the_processor_reads_at_once() {
        let keys = Keys::new(b"\x8d\x12\xf3\x5b\xc4\x09\xa1\x7e\x33\xd6\x4f\x90\x2b\xe8\x75\xca");
        let text: Vec<u8> = (0..3000_u32).map(|n| b"etaoinshrdlu0123"[(n * n / 7 % 16) as usize]).collect();
        let windows = text.windows(8).step_by(41).map(window::<8>);
        for len in (0..200).chain([text.len()]) {
            let text = &text[..len];
            let [mut sieved, mut split] = [Filter::<2>::sieved(80), Filter::<2>::new(80, 40)];
            windows.clone().for_each(|window| sieved.insert(keys.hash::<4>(window)));
            windows.clone().for_each(|window| split.insert_window::<6>(keys, window));
            let (mut fours, mut sixes) = (Vec::new(), Vec::new());
            sieved.probe::<4, 2, false>(keys, text, &mut fours);
            split.probe::<6, 5, true>(keys, text, &mut sixes);
            let ask = |width: usize, step: usize, has: &dyn Fn(u64) -> bool| -> Vec<u32> {
                let places = (0..(text.len() + 1).saturating_sub(width)).step_by(step);
                places.filter(|at| has(window::<8>(&text[*at..]))).map(|at| at as u32).collect()
            };
            assert_eq!(fours, ask(4, 2, &|window| sieved.test(keys.hash::<4>(window))), "{len}");
            let has = |window| {
                let (mask, hash) = (split.mask::<6>(window), keys.hash::<6>(window));
                with_words!(&split.cells, words => look_up::<2, _>(words, mask, hash) & 1 == 1)
            };
            assert_eq!(sixes, ask(6, 5, &has), "{len}");
            assert!(len < 3000 || (fours.len() > 30 && sixes.len() > 15), "{} {}", fours.len(), sixes.len());
        }
    }

    #[test]
    fn only_the_bytes_of_a_window_count() {
        let keys = Keys::new(b"\x8d\x12\xf3\x5b\xc4\x09\xa1\x7e\x33\xd6\x4f\x90\x2b\xe8\x75\xca");
        assert_eq!(keys.hash::<4>(window::<8>(b"abcdefgh")), keys.hash::<4>(window::<8>(b"abcdxxxx")));
        assert_ne!(keys.hash::<4>(window::<8>(b"abcdefgh")), keys.hash::<4>(window::<8>(b"abcxefgh")));
        assert_eq!(keys.hash::<6>(window::<8>(b"abcdefgh")), keys.hash::<6>(window::<8>(b"abcdef")));
    }

    #[test]
    fn the_end_of_a_text_is_open_where_a_needle_may_begin() {
        let keys = Keys::new(b"\x8d\x12\xf3\x5b\xc4\x09\xa1\x7e\x33\xd6\x4f\x90\x2b\xe8\x75\xca");
        let mut heads = Heads::<3>::new(keys, 2, 5);
        heads.insert(b"postgres://", 20);
        heads.insert(b"needle", 5);
        for (text, open) in [
            ("a text about po", Some(13)),
            ("a text about pos", Some(13)),
            ("a text about need", Some(13)),
            ("a text on postgres", Some(10)),
            ("postgres://u:hunter2@h", Some(20)),
            ("a text about posting", Some(18)),
            ("a text about posts pos", Some(19)),
            ("", None),
        ] {
            assert_eq!(heads.open(text.as_bytes()), open, "{text}");
        }
    }
}
