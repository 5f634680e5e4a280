//! A set of hashed windows: one bit answers "surely not" for almost every place of a text.

use super::{Head, SAMPLE};

/// Entries of the table, each with one bit for each signature: 32 KiB.
const ENTRIES: usize = 1 << 13;
/// Places that are gathered before they are looked at.
pub(super) const BLOCK: usize = 256;
/// Folds letters to lower case. What it does to other bytes it does to both sides.
const FOLD: u64 = 0x2020_2020_2020_2020;
/// Factors to choose from; odd, with well-spread bits.
const FACTORS: [u32; 8] =
    [0x9e37_79b1, 0x85eb_ca6b, 0xc2b2_ae35, 0xcc9e_2d51, 0x1b87_3593, 0x27d4_eb2f, 0x1656_67b1, 0xd35a_2d97];

/// Four bytes of a text in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place(u32);

impl Place {
    #[inline(always)]
    pub(super) fn new(four: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(four) | FOLD as u32)
    }

    /// Of the first three bytes: the factor shifts the fourth out.
    #[inline(always)]
    fn hash(self, factor: u32) -> usize {
        (self.0.wrapping_mul(factor << 8) >> 19) as usize
    }

    /// What the table tells apart, but for chance.
    pub(super) fn look(self) -> Look {
        Look(self.0 & 0x00ff_ffff, self.signature())
    }

    /// Of the fourth byte: all letters differ.
    #[inline(always)]
    fn signature(self) -> u32 {
        self.0 >> 24 & 31
    }
}

/// Three bytes in lower case and the signature of a fourth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Look(u32, u32);

/// Where a keyword is looked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Window {
    /// The first three bytes.
    bytes: u32,
    /// Signatures that the fourth byte may have.
    signatures: u32,
    /// Bytes before the window in the keyword.
    pub(super) offset: u8,
    pub(super) keyword: u32,
}

impl Window {
    pub(super) fn new(window: &[u8], offset: u8, keyword: u32) -> Self {
        let at = |n| window.get(n).copied().unwrap_or_default();
        let Look(bytes, signature) = Place::new([at(0), at(1), at(2), at(3)]).look();
        // Any byte may follow a keyword that ends within the window.
        Self { bytes, signatures: if window.len() > 3 { 1 << signature } else { u32::MAX }, offset, keyword }
    }

    fn list(&self, factor: u32) -> usize {
        Place(self.bytes).hash(factor) % ENTRIES
    }
}

/// What a text must be like around the windows of a list: a place where it is not is no keyword's.
struct List {
    /// One of these, each of the eight bytes that begin [`BEFORE`] a window.
    looks: [Head; 2],
    /// Its first window, and how many there are.
    first: u32,
    count: u32,
}

impl List {
    /// `head`: the beginning of a keyword. Two windows have a look each; more have what is common to all.
    fn new(first: usize, windows: &[Window], head: impl Fn(u32) -> Head) -> Self {
        let own = |window: &Window| head(window.keyword).moved(BEFORE, window.offset);
        let looks = match windows {
            [one, other] => [own(one), own(other)],
            all => [all.iter().map(own).reduce(Head::common).unwrap_or(Head::NOTHING); 2],
        };
        let count = |n| u32::try_from(n).unwrap_or(u32::MAX);
        Self { looks, first: count(first), count: count(windows.len()) }
    }

    /// Whether a keyword can stand around the window.
    #[inline(always)]
    fn may(&self, eight: u64) -> bool {
        self.looks[0].is(eight) | self.looks[1].is(eight)
    }
}

/// Places that are sifted at once.
pub(super) const SIFTED: usize = 64;
/// Bytes before the window that are looked at for what several keywords have in common.
const BEFORE: u8 = 2;

/// The set.
pub(super) struct Filter {
    factor: u32,
    table: Box<[u32; ENTRIES]>,
    /// For each entry the number of its list.
    numbers: Box<[u16; ENTRIES]>,
    lists: Vec<List>,
    /// By list, each with the beginning of its keyword.
    windows: Vec<(Window, Head)>,
}

impl Filter {
    /// `head`: the beginning of a keyword.
    pub(super) fn new(mut windows: Vec<Window>, head: impl Fn(u32) -> Head) -> Self {
        windows.sort_unstable_by_key(|window| (window.keyword, window.offset, window.bytes));
        windows.dedup_by(|later, earlier| {
            let same = (later.keyword, later.offset, later.bytes) == (earlier.keyword, earlier.offset, earlier.bytes);
            earlier.signatures |= if same { later.signatures } else { 0 };
            same
        });
        // Some runs of text are so common that none may meet a keyword's bit by chance.
        let hits = |set: &Self| {
            SAMPLE.windows(4).filter_map(<[u8]>::first_chunk).filter(|four| set.has(Place::new(**four))).count()
        };
        let sets = FACTORS.iter().map(|&factor| Self::with(factor, &windows));
        let mut set = sets.min_by_key(hits).unwrap_or_else(|| Self::with(1, &[]));
        windows.sort_by_key(|window| window.list(set.factor));
        set.lists.push(List::new(0, &[], &head));
        let mut first = 0;
        for list in windows.chunk_by(|one, other| one.list(set.factor) == other.list(set.factor)) {
            // There are fewer than entries.
            set.numbers[list[0].list(set.factor)] = set.lists.len() as u16;
            set.lists.push(List::new(first, list, &head));
            first += list.len();
        }
        set.windows = windows.into_iter().map(|window| (window, head(window.keyword))).collect();
        set
    }

    fn with(factor: u32, windows: &[Window]) -> Self {
        let mut table = Box::new([0; ENTRIES]);
        for window in windows {
            table[window.list(factor)] |= window.signatures;
        }
        Self { factor, table, numbers: Box::new([0; ENTRIES]), lists: Vec::new(), windows: Vec::new() }
    }

    /// Whether a window may begin here.
    #[inline(always)]
    pub(super) fn has(&self, place: Place) -> bool {
        self.table[place.hash(self.factor) % ENTRIES] & 1 << place.signature() != 0
    }

    #[inline(always)]
    fn list(&self, place: Place) -> &List {
        &self.lists[usize::from(self.numbers[place.hash(self.factor) % ENTRIES])]
    }

    /// One bit for each of `places`, counted from `from`, around which a keyword can stand, from the lowest on. Without a
    /// branch, and without a store: one that is made here delays what is read for the next place.
    #[inline]
    pub(super) fn sift(&self, text: &[u8], from: usize, places: &[u8]) -> u64 {
        places.iter().take(SIFTED).enumerate().fold(0, |kept, (n, place)| {
            let at = from + usize::from(*place);
            let around = text.get(at.wrapping_sub(BEFORE.into())..).and_then(<[u8]>::first_chunk);
            // Near the ends of the text too little is known.
            let may = around.is_none_or(|around| {
                let eight = u64::from_le_bytes(*around);
                self.list(Place((eight >> (8 * BEFORE)) as u32 | FOLD as u32)).may(eight)
            });
            kept | u64::from(may) << n
        })
    }

    /// Puts the places of `text` at which a window may begin in `places`; says how many. Without a branch, because none could
    /// be predicted.
    #[inline(never)]
    pub(super) fn gather(&self, text: &[u8], places: &mut [u8; BLOCK]) -> usize {
        let mut count = 0_usize;
        let mut n = 0_usize;
        let mut gather = |place: Place, n: usize| {
            places[count % BLOCK] = n as u8;
            count += usize::from(self.has(place));
        };
        // Eight bytes are read at once for four places.
        while n < BLOCK
            && let Some(eight) = text.get(n..).and_then(<[u8]>::first_chunk)
        {
            let eight = u64::from_le_bytes(*eight) | FOLD;
            gather(Place(eight as u32), n);
            gather(Place((eight >> 8) as u32), n + 1);
            gather(Place((eight >> 16) as u32), n + 2);
            gather(Place((eight >> 24) as u32), n + 3);
            n += 4;
        }
        while n < BLOCK
            && let Some(four) = text.get(n..).and_then(<[u8]>::first_chunk)
        {
            gather(Place::new(*four), n);
            n += 1;
        }
        count
    }

    /// The windows that begin at `at`, as far as `text` goes, and where their keywords do.
    #[inline]
    pub(super) fn windows(&self, text: &[u8], at: usize, place: Place) -> impl Iterator<Item = (usize, &Window)> {
        let list = self.list(place);
        let Look(bytes, signature) = place.look();
        let windows = &self.windows[list.first as usize..][..list.count as usize];
        windows.iter().filter_map(move |(window, head)| {
            let start = at.wrapping_sub(usize::from(window.offset));
            // One branch for all that may be otherwise: none could be predicted.
            let same = (window.bytes == bytes) & (window.signatures >> signature & 1 != 0);
            let stands = text.get(start..).is_some_and(|keyword| head.stands(keyword));
            (same & stands).then_some((start, window))
        })
    }
}
