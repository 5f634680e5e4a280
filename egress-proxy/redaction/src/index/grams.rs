//! Windows of the needles in a filter and a table: where in a text could a needle begin?
//!
//! A needle puts the windows at its first few places in; a text is asked at every so-manieth place, so one of them meets.
//! The hash is keyed, so that nobody can write a text that always seems to hold a needle.

use super::window;

/// Places of a window in its needle fit in these bits.
const PLACE_BITS: u32 = 2;

/// Keys of the hash.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    mask: u64,
    factor: u64,
    second: u64,
}

impl Keys {
    /// From 24 random bytes.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let [mask, factor, second] = std::array::from_fn(|n| window::<8>(bytes.get(n * 8..).unwrap_or(&[])));
        Self { mask, factor: factor | 1, second: second | 1 }
    }

    #[inline(always)]
    fn hash(self, window: u64) -> u64 {
        (window ^ self.mask).wrapping_mul(self.factor)
    }

    /// For the table: independent of the bits that the filter has used.
    fn spread(self, hash: u64) -> u64 {
        (hash ^ (hash >> 32)).wrapping_mul(self.second)
    }
}

/// A set of hashes with few false members.
pub(crate) struct Filter {
    keys: Keys,
    words: Vec<u64>,
    shift: u32,
}

impl Filter {
    /// Room for `count` members, of which `spare` bits each are for keeping others out.
    pub(crate) fn new(keys: Keys, count: usize, spare: usize) -> Self {
        let bits = (count * spare).next_power_of_two().max(64);
        Self { keys, words: vec![0; bits / 64], shift: 64 - bits.trailing_zeros() }
    }

    pub(crate) fn insert(&mut self, window: u64) {
        let bit = self.keys.hash(window) >> self.shift;
        self.words[(bit >> 6) as usize] |= 1 << (bit & 63);
    }

    /// 1 for every member and few others.
    #[inline(always)]
    pub(crate) fn test(&self, window: u64) -> u64 {
        let bit = self.keys.hash(window) >> self.shift;
        (self.words[(bit >> 6) as usize] >> (bit & 63)) & 1
    }
}

/// The windows of many needles.
pub(crate) struct Grams {
    filter: Filter,
    /// By bucket: where its entries begin.
    starts: Vec<u32>,
    shift: u32,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    tag: u32,
    /// Needle, and the window's place in it.
    needle: u32,
}

impl Grams {
    /// `each` names all windows again and again in the same order: needle, place of the window in it, window.
    pub(crate) fn new(keys: Keys, mut each: impl FnMut(&mut dyn FnMut(u32, usize, u64))) -> Self {
        let mut count = 0;
        each(&mut |_, _, _| count += 1);
        let mut filter = Filter::new(keys, count, SPARE);
        let buckets = count.next_power_of_two().max(2);
        let shift = 64 - buckets.trailing_zeros();
        let mut starts = vec![0_u32; buckets + 1];
        each(&mut |_, _, window| {
            filter.insert(window);
            starts[(keys.spread(keys.hash(window)) >> shift) as usize] += 1;
        });
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut entries = vec![Entry::default(); count];
        // Filled from behind, after which each start is where its bucket begins.
        each(&mut |needle, place, window| {
            let hash = keys.spread(keys.hash(window));
            let start = &mut starts[(hash >> shift) as usize];
            *start -= 1;
            entries[*start as usize] = Entry { tag: hash as u32, needle: needle << PLACE_BITS | place as u32 };
        });
        Self { filter, starts, shift, entries }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a needle may have this window.
    #[inline(always)]
    pub(crate) fn test(&self, window: u64) -> u64 {
        self.filter.test(window)
    }

    /// Adds the places of `bytes` where a needle may have its window, of every `STEP`-th place.
    pub(crate) fn probe<const WINDOW: usize, const STEP: usize>(&self, bytes: &[u8], places: &mut Vec<u32>) {
        let mut at = 0;
        // Four at once: the processor looks them up beside each other, and the loop branches once.
        while let Some(four) = bytes.get(at..at + 3 * STEP + WINDOW) {
            let seen: [u64; 4] =
                std::array::from_fn(|n| self.test(window::<WINDOW>(&four[n * STEP..n * STEP + WINDOW])));
            if seen[0] | seen[1] | seen[2] | seen[3] != 0 {
                let hits = (0..4).filter(|&n| seen[n] == 1);
                places.extend(hits.map(|n| (at + n * STEP) as u32));
            }
            at += 4 * STEP;
        }
        while let Some(one) = bytes.get(at..at + WINDOW) {
            if self.test(window::<WINDOW>(one)) == 1 {
                places.push(at as u32);
            }
            at += STEP;
        }
    }

    /// Needles that have this window, and its place in each.
    pub(crate) fn needles(&self, window: u64) -> impl Iterator<Item = (u32, usize)> {
        let hash = self.filter.keys.spread(self.filter.keys.hash(window));
        let bucket = (hash >> self.shift) as usize;
        let entries = &self.entries[self.starts[bucket] as usize..self.starts[bucket + 1] as usize];
        entries
            .iter()
            .filter(move |entry| entry.tag == hash as u32)
            .map(|entry| (entry.needle >> PLACE_BITS, (entry.needle & ((1 << PLACE_BITS) - 1)) as usize))
    }
}

/// Bits of the filter for each window: 1 in 32 to 1 in 64 other windows gets through.
const SPARE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_is_found_and_few_others() {
        let keys = Keys::new(&[7; 24]);
        let window = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let grams = Grams::new(keys, |put| {
            (0..5000).for_each(|n: u32| put(n % 2500, (n % 3) as usize, window(u64::from(n % 4000))))
        });
        for n in 0..5000_u32 {
            let window = window(u64::from(n % 4000));
            assert_eq!(grams.test(window), 1);
            assert!(grams.needles(window).any(|(needle, place)| (needle, place) == (n % 2500, (n % 3) as usize)));
        }
        let others = (5000..25_000).map(window).filter(|&w| grams.test(w) == 1 && grams.needles(w).next().is_some());
        assert_eq!(others.count(), 0);
        assert!((5000..25_000).map(window).map(|w| grams.test(w)).sum::<u64>() < 1200);
        let none = Grams::new(keys, |_| ());
        assert!(none.is_empty() && none.test(1) == 0 && none.needles(1).next().is_none());
    }
}
