//! A set of hashed windows: one bit answers "surely not" for almost every place of a text.

use std::marker::PhantomData;

/// Lists by the last bits of the hash.
const LISTS: u16 = 4096;
/// Factors to choose from; odd, with well-spread bits.
const FACTORS: [u32; 8] =
    [0x9e37_79b1, 0x85eb_ca6b, 0xc2b2_ae35, 0xcc9e_2d51, 0x1b87_3593, 0x27d4_eb2f, 0x1656_67b1, 0xd35a_2d97];
/// What ordinary text is like: some runs are so common that none may meet a keyword's bit by chance.
const SAMPLE: &[u8] = include_bytes!("sample.txt");

/// What a filter looks at in the eight bytes of a place.
pub(super) trait View {
    /// The bytes that must be equal.
    fn bytes(eight: u64) -> u32;
    /// Its hash, of as many bits as the filter has.
    fn hash(eight: u64, factor: u32) -> u32;
}

/// Four bytes in lower case, and of the fifth three bits, which have no case.
pub(super) struct Folded;

impl View for Folded {
    #[inline(always)]
    fn bytes(eight: u64) -> u32 {
        // What it does to other bytes it does to both sides.
        eight as u32 | 0x2020_2020
    }

    #[inline(always)]
    fn hash(eight: u64, factor: u32) -> u32 {
        Self::bytes(eight).wrapping_mul(factor) >> 17 << 3 | (eight >> 32) as u32 & 7
    }
}

/// Three bytes as they are.
pub(super) struct Spelled;

impl View for Spelled {
    #[inline(always)]
    fn bytes(eight: u64) -> u32 {
        eight as u32 & 0x00ff_ffff
    }

    #[inline(always)]
    fn hash(eight: u64, factor: u32) -> u32 {
        Self::bytes(eight).wrapping_mul(factor) >> 16
    }
}

/// Bytes of a keyword.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Window {
    /// The window and zeros.
    pub(super) eight: u64,
    /// Bytes before the window in the keyword.
    pub(super) offset: u16,
    pub(super) keyword: u32,
}

/// A window in its list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    list: u16,
    pub(super) keyword: u32,
    bytes: u32,
    /// Bytes before the window in the keyword.
    pub(super) offset: u16,
}

/// The set, with `WORDS` times 64 bits.
pub(super) struct Filter<V, const WORDS: usize> {
    factor: u32,
    bits: Box<[u64; WORDS]>,
    /// Where each list begins, and where the last ends.
    first: Box<[u32]>,
    /// By list.
    windows: Vec<Entry>,
    view: PhantomData<V>,
}

impl<V: View, const WORDS: usize> Filter<V, WORDS> {
    pub(super) fn new(windows: &[Window]) -> Self {
        let sets = FACTORS.iter().map(|&factor| Self::with(factor, windows));
        let best = sets.min_by_key(|set| SAMPLE.windows(8).filter(|eight| set.has(read(eight))).count());
        let mut set = best.unwrap_or_else(|| Self::with(1, &[]));
        // The bits tell apart what shares a list, and so know the fifth byte; in the lists each window stands once.
        set.windows = windows
            .iter()
            .map(|&Window { eight, offset, keyword }| Entry {
                list: list(V::hash(eight, set.factor)),
                keyword,
                bytes: V::bytes(eight),
                offset,
            })
            .collect();
        set.windows.sort_unstable();
        set.windows.dedup();
        let end = |n| u32::try_from(set.windows.partition_point(|entry| entry.list < n)).unwrap_or(u32::MAX);
        set.first = (0..=LISTS).map(end).collect();
        set
    }

    fn with(factor: u32, windows: &[Window]) -> Self {
        let mut bits = Box::new([0; WORDS]);
        for window in windows {
            let hash = V::hash(window.eight, factor);
            bits[word::<WORDS>(hash)] |= 1 << (hash & 63);
        }
        Self { factor, bits, first: Box::default(), windows: Vec::new(), view: PhantomData }
    }

    /// Whether a window may begin at a place with these bytes.
    #[inline(always)]
    pub(super) fn has(&self, eight: u64) -> bool {
        let hash = V::hash(eight, self.factor);
        self.bits[word::<WORDS>(hash)] >> (hash & 63) & 1 != 0
    }

    /// The windows that may.
    pub(super) fn windows(&self, eight: u64) -> impl Iterator<Item = &Entry> {
        let (list, wanted) = (usize::from(list(V::hash(eight, self.factor))), V::bytes(eight));
        let same = self.first[list] as usize..self.first[list + 1] as usize;
        self.windows[same].iter().filter(move |entry| entry.bytes == wanted)
    }
}

const fn word<const WORDS: usize>(hash: u32) -> usize {
    (hash >> 6) as usize % WORDS
}

/// Without the bits of the fifth byte.
const fn list(hash: u32) -> u16 {
    (hash >> 3) as u16 % LISTS
}

/// The first eight bytes, with zeros behind the end.
#[inline(always)]
pub(super) fn read(text: &[u8]) -> u64 {
    text.first_chunk().map_or_else(|| read_end(text), |eight| u64::from_le_bytes(*eight))
}

#[cold]
fn read_end(text: &[u8]) -> u64 {
    text.iter().take(8).rev().fold(0, |eight, &byte| eight << 8 | u64::from(byte))
}
