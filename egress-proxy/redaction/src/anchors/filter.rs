//! A set of hashed windows: one bit answers "surely not" for almost every place of a text.

#[cfg(target_arch = "x86_64")]
use fearless_simd::Level;

use super::{Head, SAMPLE};
use crate::views::block::Simd;
#[cfg(target_arch = "x86_64")]
use crate::wide;

/// Bytes of a text whose places are gathered at once.
pub(super) const BLOCK: usize = 64;
/// Places that are gathered before they are looked at.
pub(super) const PLACES: usize = 4 * BLOCK;
/// Words of 32 bits each, one for each hash of three bytes: 16 KiB.
const BITS: usize = 1 << 12;
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
    fn hash<const ENTRIES: usize>(self, factor: u32) -> usize {
        self.0.wrapping_mul(factor << 8) as usize >> (32 - ENTRIES.trailing_zeros()) & (ENTRIES - 1)
    }

    /// One of [`BITS`], by word and number in it.
    #[inline(always)]
    fn bit(self, factor: u32) -> (usize, u32) {
        let hash = self.0.wrapping_mul(factor << 8);
        ((hash >> (32 - BITS.trailing_zeros())) as usize & (BITS - 1), hash >> (27 - BITS.trailing_zeros()) & 31)
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

    fn entry<const ENTRIES: usize>(&self, factor: u32) -> usize {
        Place(self.bytes).hash::<ENTRIES>(factor)
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

/// Bytes behind a block that its windows reach.
pub(super) const BEHIND: usize = 4;

/// A block of a text and what its windows reach behind it.
pub(super) type Text = [u8; BLOCK + BEHIND];

#[inline(always)]
fn folded(text: &Text) -> Text {
    let mut folded = [0; BLOCK + BEHIND];
    for (folded, byte) in folded.iter_mut().zip(text) {
        *folded = byte | FOLD as u8;
    }
    folded
}

/// Places of a text, counted from some byte of it.
pub(super) struct Places<const MOST: usize> {
    places: [u16; MOST],
    count: usize,
}

impl<const MOST: usize> Places<MOST> {
    pub(super) fn new() -> Self {
        Self { places: [0; MOST], count: 0 }
    }

    /// Adds one if it is `wanted`.
    #[inline(always)]
    fn add(&mut self, place: usize, wanted: bool) {
        self.places[self.count % MOST] = place as u16;
        self.count += usize::from(wanted);
    }

    /// Adds those of the places `first + numbers` that a mask has.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn add_all(&mut self, simd: fearless_simd::Avx512, first: usize, numbers: &[u8; BLOCK], wanted: u64) {
        // There is room for all of a block as long as there is one for all places of it.
        if let Some(room) = self.places.get_mut(self.count..).and_then(<[u16]>::first_chunk_mut::<BLOCK>) {
            let kept = wide::kept(simd, numbers, wanted);
            for (place, number) in room.iter_mut().zip(kept) {
                *place = first as u16 + u16::from(number);
            }
            self.count += wanted.count_ones() as usize;
        }
    }

    /// Forgets those from `end` on.
    pub(super) fn cut(&mut self, end: usize) {
        self.count = self.places[..self.count.min(MOST)].partition_point(|place| usize::from(*place) < end);
    }

    /// All, which are then forgotten.
    pub(super) fn take(&mut self) -> &[u16] {
        &self.places[..std::mem::take(&mut self.count).min(MOST)]
    }
}

/// Places that are sifted at once.
pub(super) const SIFTED: usize = 64;
/// Bytes before the window that are looked at for what several keywords have in common.
const BEFORE: u8 = 2;

/// The set, with a table of so many entries, each with one bit for each signature.
pub(super) struct Filter<const ENTRIES: usize> {
    factor: u32,
    table: Box<[u32; ENTRIES]>,
    /// The same of three bytes alone.
    bits: Box<[u32; BITS]>,
    /// For each entry the number of its list.
    numbers: Box<[u16; ENTRIES]>,
    lists: Vec<List>,
    /// By list, each with the beginning of its keyword.
    windows: Vec<(Window, Head)>,
}

impl<const ENTRIES: usize> Filter<ENTRIES> {
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
        windows.sort_by_key(|window| window.entry::<ENTRIES>(set.factor));
        set.lists.push(List::new(0, &[], &head));
        let mut first = 0;
        let entry = |window: &Window| window.entry::<ENTRIES>(set.factor);
        for list in windows.chunk_by(|one, other| entry(one) == entry(other)) {
            // There are fewer than entries.
            set.numbers[list[0].entry::<ENTRIES>(set.factor)] = set.lists.len() as u16;
            set.lists.push(List::new(first, list, &head));
            first += list.len();
        }
        set.lists.shrink_to_fit();
        set.windows = windows.into_iter().map(|window| (window, head(window.keyword))).collect();
        set
    }

    fn with(factor: u32, windows: &[Window]) -> Self {
        let mut table = Box::new([0; ENTRIES]);
        for window in windows {
            table[window.entry::<ENTRIES>(factor)] |= window.signatures;
        }
        let mut bits = Box::new([0; BITS]);
        for window in windows {
            let (entry, bit) = Place(window.bytes).bit(factor);
            bits[entry] |= 1 << bit;
        }
        Self { factor, table, bits, numbers: Box::new([0; ENTRIES]), lists: Vec::new(), windows: Vec::new() }
    }

    /// Whether a window may begin here.
    #[inline(always)]
    pub(super) fn has(&self, place: Place) -> bool {
        self.table[place.hash::<ENTRIES>(self.factor)] & 1 << place.signature() != 0
    }

    #[inline(always)]
    fn list(&self, place: Place) -> &List {
        &self.lists[usize::from(self.numbers[place.hash::<ENTRIES>(self.factor)])]
    }

    /// One bit for each of `places`, counted from `from`, around which a keyword can stand, from the lowest on. Without a
    /// branch, and without a store: one that is made here delays what is read for the next place.
    #[inline]
    pub(super) fn sift(&self, text: &[u8], from: usize, places: &[u16]) -> u64 {
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

    /// Adds the places of a block, counted from `first`, at which a window may begin. Without a branch, because none could be
    /// predicted.
    #[inline(always)]
    pub(super) fn gather<S: Simd, const MOST: usize>(
        &self,
        simd: S,
        text: &Text,
        first: usize,
        places: &mut Places<MOST>,
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Level::Avx512(simd) = simd.level() {
            return places.add_all(simd, first, &EACH, self.has_of(simd, text));
        }
        let text = folded(text);
        for n in 0..BLOCK {
            let four = text[n..].first_chunk().copied().unwrap_or_default();
            places.add(first + n, self.has(Place(u32::from_le_bytes(four))));
        }
    }

    /// The same for every second place, from the second on, whatever the fourth byte.
    #[inline(always)]
    pub(super) fn gather_odd<S: Simd, const MOST: usize>(
        &self,
        simd: S,
        text: &Text,
        first: usize,
        places: &mut Places<MOST>,
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Level::Avx512(simd) = simd.level() {
            return places.add_all(simd, first, &ODD, self.has_bit_of(simd, text));
        }
        let text = folded(text);
        for n in (1..BLOCK).step_by(2) {
            let four = text[n..].first_chunk().copied().unwrap_or_default();
            let (entry, bit) = Place(u32::from_le_bytes(four)).bit(self.factor);
            places.add(first + n, self.bits[entry] & 1 << bit != 0);
        }
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

/// The places of a block; every second one.
#[cfg(target_arch = "x86_64")]
static EACH: [u8; BLOCK] = wide::numbers(0, 1);
#[cfg(target_arch = "x86_64")]
static ODD: [u8; BLOCK] = wide::numbers(1, 2);

/// The same with a table that is read at sixteen places at once.
#[cfg(target_arch = "x86_64")]
impl<const ENTRIES: usize> Filter<ENTRIES> {
    /// One bit for each place of a block.
    #[inline(always)]
    fn has_of(&self, simd: fearless_simd::Avx512, text: &Text) -> u64 {
        // The last windows are those of what ends where the text does.
        static WINDOWS: [[u8; BLOCK]; 4] = [
            wide::windows(0, 1, 4),
            wide::windows(16, 1, 4),
            wide::windows(32, 1, 4),
            wide::windows(48 - BEHIND, 1, 4),
        ];
        let mut fours = [0; BLOCK];
        for (part, fours) in fours.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let [begin, end] = ends(text);
            let folded = wide::fours(simd, if part < 3 { begin } else { end }, &WINDOWS[part]) | FOLD as u32;
            *fours = folded.into();
        }
        let factor = self.factor;
        let at = |four: u32| (Place(four).hash::<ENTRIES>(factor), Place(four).signature());
        wide::ones(simd, &wide::look_up(&self.table, &fours, at))
    }

    /// One bit for every second place.
    #[inline(always)]
    fn has_bit_of(&self, simd: fearless_simd::Avx512, text: &Text) -> u64 {
        static WINDOWS: [[u8; BLOCK]; 2] = [wide::windows(1, 2, 4), wide::windows(33 - BEHIND, 2, 4)];
        let mut fours = [0; BLOCK / 2];
        for (part, fours) in fours.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            *fours = (wide::fours(simd, ends(text)[part], &WINDOWS[part]) | FOLD as u32).into();
        }
        let factor = self.factor;
        wide::ones(simd, &wide::look_up(&self.bits, &fours, |four| Place(four).bit(factor)))
    }
}

/// The first and the last of a block's bytes with what is behind it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn ends(text: &Text) -> [&[u8; BLOCK]; 2] {
    const NONE: &[u8; BLOCK] = &[0; BLOCK];
    [text.first_chunk().unwrap_or(NONE), text.last_chunk().unwrap_or(NONE)]
}
