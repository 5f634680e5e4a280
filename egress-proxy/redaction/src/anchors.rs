//! Finding the keywords of all rules in one pass.
//!
//! Every keyword is looked for by the rarest four bytes in it, in any case. At each place of the text they are hashed and one
//! bit is looked up; in ordinary text few bits are set, and the pass costs a few instructions a byte whatever the number of
//! keywords. The places with a bit are gathered without a branch, since none could be predicted; then the keywords of their
//! windows are compared.
//!
//! Most rules find only what holds a long run of letters and digits. Where the text has none near, their keywords are not
//! looked for at all, which leaves so few that hardly any bit is set.

mod beginnings;
mod filter;
mod looker;
mod runs;
mod windows;
mod zones;

use crate::cursor::Cursor;
use crate::rules::RuleSet;
use crate::rules::signs::MIXED_RUN;
use crate::views::block::{Simd, dispatch, widest};
use beginnings::Beginnings;
use filter::{BEHIND, BLOCK, Filter, PLACES, Place, Places, SIFTED};
use looker::Lookers;
use zones::{BEFORE_RUN, Zones};

/// Bytes of a window.
const WINDOW: usize = 4;
/// What ordinary text is like: its runs are no window if the keyword has another, and share no bit with one.
const SAMPLE: &[u8] = include_bytes!("anchors/sample.txt");

/// The keywords of a set of rules, ready to search. Immutable.
pub(crate) struct Anchors {
    /// All windows, for where a run is near: 32 KiB.
    all: Filter<{ 1 << 13 }>,
    /// Those of keywords that need none, each with the window a byte later: every second place meets one of both.
    always: Filter<{ 1 << 13 }>,
    keywords: Box<[Keyword]>,
    beginnings: Beginnings,
    /// Whether a rule finds what begins before its keyword.
    reaches_back: bool,
    set: RuleSet,
}

struct Keyword {
    head: Head,
    /// In lower case.
    text: Box<[u8]>,
    lookers: Lookers,
}

impl Keyword {
    /// From its lower-case text, its spellings and the rules that it belongs to.
    fn new(same: &[(Vec<u8>, &str, u16)], set: &RuleSet) -> Self {
        let (text, spelling, _) = &same[0];
        // Short ones stand everywhere, but rarely as they are spelled.
        let one = text.len() <= WINDOW
            && same.iter().all(|(_, other, rule)| {
                other == spelling && set.rules()[usize::from(*rule)].matcher.reads_only(spelling.as_bytes())
            });
        let head = if one { Head::new(spelling.as_bytes(), false) } else { Head::new(text, true) };
        let mut rules: Vec<u16> = same.iter().map(|(_, _, rule)| *rule).collect();
        rules.dedup();
        Self { head, text: text.as_slice().into(), lookers: Lookers::new(&rules, set) }
    }

    /// Whether all that its rules find holds a run near a window that begins so many bytes behind its beginning.
    fn needs_run(&self, offset: u8, set: &RuleSet) -> bool {
        usize::from(offset) < MIXED_RUN
            && self.lookers.rules().all(|rule| {
                let before = set.rules()[usize::from(rule)].matcher.before_run(self.text.len());
                before.is_some_and(|before| before <= BEFORE_RUN)
            })
    }

    /// Whether it stands at the beginning of `text`, which begins with its head, as far as that goes.
    #[inline]
    fn stands(&self, text: &[u8]) -> bool {
        self.text.len() <= HEAD || {
            let len = self.text.len().min(text.len());
            text[..len].eq_ignore_ascii_case(&self.text[..len])
        }
    }
}

/// The bit between small letters and capitals.
const CASE: u8 = 0x20;
/// Bytes of a head.
const HEAD: usize = 8;

/// The first eight bytes of a keyword, to compare at once.
#[derive(Clone, Copy)]
struct Head {
    /// The bits that tell.
    mask: u64,
    bytes: u64,
}

impl Head {
    /// What no text is like, but by chance.
    const NOTHING: Self = Self { mask: u64::MAX, bytes: u64::MAX };

    /// As spelled, or in any case.
    fn new(text: &[u8], any_case: bool) -> Self {
        let mut tells = [0; HEAD];
        for (tells, byte) in tells.iter_mut().zip(text) {
            *tells = if any_case && byte.is_ascii_alphabetic() { !CASE } else { u8::MAX };
        }
        let mask = u64::from_le_bytes(tells);
        Self { mask, bytes: eight(text) & mask }
    }

    /// Whether `text` begins with these bytes, as far as it goes.
    #[inline]
    fn stands(&self, text: &[u8]) -> bool {
        let known = if text.len() < 8 { (1 << (8 * text.len())) - 1 } else { u64::MAX };
        (eight(text) ^ self.bytes) & self.mask & known == 0
    }

    #[inline(always)]
    fn is(&self, eight: u64) -> bool {
        (eight ^ self.bytes) & self.mask == 0
    }

    /// The same of the eight bytes that begin `before` ones before byte `at` of the keyword, as far as they are these.
    fn moved(self, before: u8, at: u8) -> Self {
        let moved = |eight: u64| match (before.checked_sub(at), at.saturating_sub(before)) {
            (Some(later), _) => eight << (8 * later),
            (None, earlier) if earlier < 8 => eight >> (8 * earlier),
            (None, _) => 0,
        };
        Self { mask: moved(self.mask), bytes: moved(self.bytes) }
    }

    /// What both say.
    fn common(self, other: Self) -> Self {
        let mask = self.mask & other.mask & !(self.bytes ^ other.bytes);
        Self { mask, bytes: self.bytes & mask }
    }
}

/// The first eight bytes, with zeros behind the end.
#[inline]
fn eight(text: &[u8]) -> u64 {
    let rest = || text.iter().take(8).rev().fold(0, |eight, &byte| eight << 8 | u64::from(byte));
    text.first_chunk().map_or_else(rest, |eight| u64::from_le_bytes(*eight))
}

impl Anchors {
    pub(crate) fn new(set: &RuleSet) -> Self {
        let mut pairs: Vec<(Vec<u8>, &str, u16)> = (0..)
            .zip(set.rules())
            .flat_map(|(n, rule)| rule.anchors().map(move |text| (text.to_ascii_lowercase().into_bytes(), text, n)))
            .collect();
        pairs.sort();
        pairs.dedup();
        let same = pairs.chunk_by(|(one, ..), (other, ..)| one == other);
        let keywords: Box<[Keyword]> = same.map(|same| Keyword::new(same, set)).collect();
        let (windows, always) = windows::choose(&keywords, set);
        let beginnings = Beginnings::new(&keywords);
        let reaches_back = set.rules().iter().any(|rule| rule.matcher.reaches_back());
        let head = |keyword: u32| keywords[keyword as usize].head;
        let always = Filter::new(always, head);
        let all = Filter::new(windows, head);
        Self { all, always, keywords, beginnings, reaches_back, set: set.clone() }
    }

    pub(crate) fn rules(&self) -> &RuleSet {
        &self.set
    }

    pub(crate) fn kind(&self, rule: u16) -> &str {
        &self.set.rules()[usize::from(rule)].kind
    }

    /// Length of a keyword.
    pub(crate) fn len_of(&self, keyword: u32) -> usize {
        self.keywords[keyword as usize].text.len()
    }

    /// Tells of the rules that may find something because of `keyword` at `start`, and whether what they find may begin
    /// before it. All that is known of the text must have been seen of it, and nothing else follows if it has `ended`.
    #[inline]
    pub(crate) fn asked(&self, keyword: u32, text: &[u8], start: usize, ended: bool, ask: impl FnMut(u16, bool)) {
        let Keyword { text: keyword, lookers, .. } = &self.keywords[keyword as usize];
        lookers.asked(&self.set, keyword, Cursor::new(text, start, ended), ask);
    }

    /// Whether the keyword stands at the beginning of `text`, as far as that goes.
    pub(crate) fn stands(&self, keyword: u32, text: &[u8]) -> bool {
        let keyword = &self.keywords[keyword as usize];
        keyword.head.stands(text) && keyword.stands(text)
    }

    /// Tells of every keyword whose window begins at `from` or later, with the place where it begins. Its end may lie behind
    /// the end of `text`. The last three bytes begin no window as long as more may follow.
    pub(crate) fn search(&self, text: &[u8], from: usize, ended: bool, mut found: impl FnMut(usize, u32)) {
        if self.keywords.is_empty() || text.len() <= from {
            return;
        }
        let level = widest();
        let mut zones = dispatch!(level, simd => Zones::new(simd, text, from, ended));
        let (mut near, mut far) = (Places::new(), Places::new());
        for first in (from..text.len()).step_by(PLACES) {
            let ahead = &text[first..];
            dispatch!(level, simd => self.gather(simd, ahead, &mut zones, &mut near, &mut far));
            self.look_at(&self.all, text, first, near.take(), &mut found);
            self.look_at(&self.always, text, first, far.take(), &mut found);
        }
        // Three bytes are a keyword, behind which a text may end.
        if let Some(at) = text.len().checked_sub(WINDOW - 1).filter(|at| ended && *at >= from) {
            self.look(&self.all, text, at, &mut found);
        }
    }

    /// Gathers the first [`PLACES`] places of a text, near a run and far from any; its blocks are the next of `zones`.
    #[inline(always)]
    fn gather<S: Simd>(
        &self,
        simd: S,
        text: &[u8],
        zones: &mut Zones<'_>,
        near: &mut Places<PLACES>,
        far: &mut Places<PLACES>,
    ) {
        for first in (0..text.len().min(PLACES)).step_by(BLOCK) {
            let rest = &text[first..];
            let mut last = [0; BLOCK + BEHIND];
            let block = rest.first_chunk().unwrap_or_else(|| {
                last[..rest.len()].copy_from_slice(rest);
                &last
            });
            if zones.next(simd) {
                self.all.gather(simd, block, first, near);
            } else {
                self.always.gather_odd(simd, block, first, far);
            }
        }
        // At the end windows are too short. Three bytes are enough far from runs.
        near.cut((text.len() + 1).saturating_sub(WINDOW));
        far.cut((text.len() + 2).saturating_sub(WINDOW));
    }

    /// Tells of the keywords at `places`, counted from `from`.
    #[inline(always)]
    fn look_at<const ENTRIES: usize>(
        &self,
        filter: &Filter<ENTRIES>,
        text: &[u8],
        from: usize,
        places: &[u16],
        found: &mut impl FnMut(usize, u32),
    ) {
        for places in places.chunks(SIFTED) {
            let mut kept = filter.sift(text, from, places);
            while let Some(place) = places.get(kept.trailing_zeros() as usize) {
                kept &= kept - 1;
                self.look(filter, text, from + usize::from(*place), found);
            }
        }
    }

    #[inline]
    fn look<const ENTRIES: usize>(
        &self,
        filter: &Filter<ENTRIES>,
        text: &[u8],
        at: usize,
        found: &mut impl FnMut(usize, u32),
    ) {
        for (start, window) in filter.windows(text, at, place(&text[at..])) {
            if self.keywords[window.keyword as usize].stands(&text[start..]) {
                found(start, window.keyword);
            }
        }
    }

    /// Where in `text` the first secret may begin whose keyword goes on behind its end, or follows, and was not told of yet.
    pub(crate) fn begun(&self, text: &[u8]) -> usize {
        let keyword = self.beginnings.first(text, &self.keywords);
        if self.reaches_back { Cursor::new(text, keyword, false).word_before() } else { keyword }
    }
}

#[inline(always)]
fn place(text: &[u8]) -> Place {
    Place::new(
        text.first_chunk().copied().unwrap_or_else(|| [0, 1, 2, 3].map(|n| text.get(n).copied().unwrap_or_default())),
    )
}

#[cfg(test)]
mod tests;
