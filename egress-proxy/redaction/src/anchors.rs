//! Finding the keywords of all rules in one pass.
//!
//! Every keyword is looked for by the rarest four bytes in it, in any case. At each place of the text they are hashed and one
//! bit is looked up; in ordinary text few bits are set, and the pass costs a few instructions a byte whatever the number of
//! keywords. The places with a bit are gathered without a branch, since none could be predicted; then the keywords of their
//! windows are compared.
//!
//! Most rules find only what holds a long run of letters and digits. Where the text has none near, their keywords are not
//! looked for at all, which leaves so few that hardly any bit is set.

mod filter;
mod looker;
mod runs;
mod zones;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::byteset::ByteSet;
use crate::cursor::Cursor;
use crate::rarity::rarity;
use crate::rules::RuleSet;
use crate::rules::signs::MIXED_RUN;
use filter::{BEHIND, BLOCK, CHUNK, Filter, Folded, Look, PLACES, Place, Places, SIFTED, Window};
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
    keywords: Vec<Keyword>,
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

    /// What it can be the beginning of, a byte longer.
    fn longer(&self, set: &RuleSet) -> Vec<Vec<u8>> {
        let mut next = ByteSet::NONE;
        for rule in self.lookers.rules() {
            next = next.and(set.rules()[usize::from(rule)].matcher.follows(&self.text));
        }
        (0..=u8::MAX).filter(|byte| next.has(*byte)).map(|byte| [&*self.text, &[byte]].concat()).collect()
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
            .flat_map(|(n, rule)| {
                rule.anchors.iter().map(move |text| (text.to_ascii_lowercase().into_bytes(), &**text, n))
            })
            .collect();
        pairs.sort();
        pairs.dedup();
        let same = pairs.chunk_by(|(one, ..), (other, ..)| one == other);
        let keywords: Vec<Keyword> = same.map(|same| Keyword::new(same, set)).collect();
        let common = Common::new();
        let (mut windows, mut always) = (Vec::new(), Vec::new());
        // Short keywords have no choice.
        let mut short_first: Vec<(u32, &Keyword)> = (0..).zip(&keywords).collect();
        short_first.sort_by_key(|(_, keyword)| keyword.text.len());
        let (mut taken, mut pairs): (HashMap<[u8; 3], u32>, HashMap<[u8; 3], u32>) = Default::default();
        let first = |window: &[u8]| window.first_chunk().copied().unwrap_or_default();
        for (n, keyword) in short_first {
            match common.rarest(&keyword.text, |window| taken.get(&first(window)).copied().unwrap_or_default()) {
                Some((offset, window)) => {
                    *taken.entry(first(window)).or_default() += 1;
                    windows.push(Window::new(window, offset, n));
                    if !keyword.needs_run(offset, set) {
                        let offset =
                            common.rarest_pair(&keyword.text, |bytes| pairs.get(bytes).copied().unwrap_or_default());
                        for offset in [offset, offset + 1] {
                            let window = &keyword.text[usize::from(offset)..];
                            *pairs.entry(first(window)).or_default() += 1;
                            always.push(Window::new(&window[..window.len().min(WINDOW)], offset, n));
                        }
                    }
                }
                None => {
                    let short = short(keyword, set);
                    for window in &short {
                        taken.entry(first(&window.to_ascii_lowercase())).or_insert(1);
                        windows.push(Window::new(window, 0, n));
                    }
                    if !keyword.needs_run(0, set) {
                        always.extend(short.iter().map(|window| Window::new(window, 0, n)));
                        let next = if keyword.text.len() < WINDOW - 1 { short } else { keyword.longer(set) };
                        always.extend(next.iter().map(|text| Window::new(&text[1..], 1, n)));
                    }
                }
            }
        }
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
        let rest = self.search_whole(text, from, ended, &mut found);
        let mut places = Places::<CHUNK>::new();
        for first in (rest..text.len()).step_by(CHUNK) {
            for n in (0..CHUNK.min(text.len() - first)).step_by(BLOCK) {
                self.all.gather_last(&text[first + n..], n, &mut places);
            }
            self.look_at(&self.all, text, first, places.take(), &mut found);
        }
        // Three bytes are a keyword, behind which a text may end.
        if let Some(at) = text.len().checked_sub(WINDOW - 1).filter(|at| ended && *at >= from) {
            self.look(&self.all, text, at, &mut found);
        }
    }

    /// The same as far as whole blocks go; answers where the rest begins.
    #[inline(always)]
    fn search_whole(&self, text: &[u8], from: usize, ended: bool, found: &mut impl FnMut(usize, u32)) -> usize {
        let mut first = from;
        if text.len() - from < CHUNK + BEHIND {
            return first;
        }
        let mut zones = Zones::new(text, from, ended);
        let (mut folded, mut near, mut far) = (Folded::new(), Places::<PLACES>::new(), Places::<PLACES>::new());
        while text.len() - first >= CHUNK + BEHIND {
            let mut done = 0;
            while done < PLACES
                && let Some(ahead) = text[first + done..].first_chunk()
            {
                folded.read(ahead);
                for n in (0..CHUNK).step_by(BLOCK) {
                    if zones.next() {
                        self.all.gather(folded.block(n), done + n, &mut near);
                    } else {
                        self.always.gather_odd(folded.block(n), done + n, &mut far);
                    }
                }
                done += CHUNK;
            }
            self.look_at(&self.all, text, first, near.take(), found);
            self.look_at(&self.always, text, first, far.take(), found);
            first += done;
        }
        first
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

/// What is common in ordinary text.
struct Common {
    looks: HashSet<Look>,
    /// How often three bytes stand in it.
    counts: HashMap<[u8; 3], u32>,
}

impl Common {
    fn new() -> Self {
        let mut counts = HashMap::new();
        for three in SAMPLE.to_ascii_lowercase().windows(3).filter_map(<[u8]>::first_chunk) {
            *counts.entry(*three).or_default() += 1;
        }
        Self { looks: SAMPLE.windows(WINDOW).map(|window| place(window).look()).collect(), counts }
    }

    /// Where three bytes begin in a keyword of four or more that are rare, as are those a byte later. Others may have taken
    /// them.
    fn rarest_pair(&self, text: &[u8], taken: impl Fn(&[u8; 3]) -> u32) -> u8 {
        let rare = |three: &[u8; 3]| {
            let often = self.counts.get(three).copied().unwrap_or_default();
            rarity(three).saturating_sub(OFTEN * often.min(8) + TAKEN * taken(three))
        };
        let each: Vec<u32> = text.windows(3).filter_map(<[u8]>::first_chunk).map(rare).collect();
        let pairs = (0..=u8::MAX).zip(each.windows(2));
        pairs.max_by_key(|(offset, pair)| (pair.iter().sum::<u32>(), Reverse(*offset))).map_or(0, |(offset, _)| offset)
    }

    /// The rarest window of a keyword with its place, one that others have not taken if there are several; `None` when it is
    /// too short for one.
    fn rarest<'a>(&self, text: &'a [u8], taken: impl Fn(&[u8]) -> u32) -> Option<(u8, &'a [u8])> {
        let windows = (0_u8..=u8::MAX).zip(text.windows(WINDOW));
        windows.max_by_key(|(offset, window)| {
            let rare = rarity(window).saturating_sub(TAKEN * taken(window));
            (!self.looks.contains(&place(window).look()), rare, Reverse(*offset))
        })
    }
}

/// Bits of rarity that a window loses with each keyword that is looked for by its first three bytes.
const TAKEN: u32 = 2;
/// Bits of rarity that three bytes lose with each time that they stand in ordinary text.
const OFTEN: u32 = 2;

/// The windows that a short keyword can begin. Two bytes stand everywhere, so there the rule must say how they go on, in any
/// spelling that it reads.
fn short(keyword: &Keyword, set: &RuleSet) -> Vec<Vec<u8>> {
    if keyword.text.len() == WINDOW - 1 {
        return vec![keyword.text.to_vec()];
    }
    let longer = |text: Vec<u8>| (0..=u8::MAX).map(move |byte| [text.as_slice(), &[byte]].concat());
    let mut windows = Vec::new();
    for rule in keyword.lookers.rules() {
        let matcher = &set.rules()[usize::from(rule)].matcher;
        let mut beginnings = spellings(&keyword.text);
        while beginnings.first().is_some_and(|beginning| beginning.len() < WINDOW) {
            beginnings = beginnings.into_iter().flat_map(longer).filter(|text| matcher.may_begin(text)).collect();
        }
        windows.append(&mut beginnings);
    }
    windows
}

/// `text` with each of its letters in both cases.
fn spellings(text: &[u8]) -> Vec<Vec<u8>> {
    text.iter().fold(vec![Vec::new()], |spellings, &byte| {
        let mut cases = vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
        cases.dedup();
        let with =
            |spelling: Vec<u8>| cases.iter().map(|&byte| [spelling.as_slice(), &[byte]].concat()).collect::<Vec<_>>();
        spellings.into_iter().flat_map(with).collect()
    })
}

/// One bit for each pair of bytes.
const PAIRS: usize = (1 << 16) / 64;

/// How keywords begin: which last bytes of a piece of text must wait for the next.
struct Beginnings {
    /// By the folded first byte.
    one: [bool; 256],
    /// One bit for the folded first two bytes; for the hash of three, or of two that are a whole keyword; of four; of eight.
    two: Bits,
    three: Bits,
    four: Bits,
    eight: Bits,
    /// Bytes up to the end of a window, at most.
    longest: usize,
}

/// A set of hashes.
struct Bits(Box<[u64; PAIRS]>);

impl Bits {
    fn insert(&mut self, bit: u16) {
        self.0[usize::from(bit >> 6)] |= 1 << (bit & 63);
    }

    fn has(&self, bit: u16) -> bool {
        self.0[usize::from(bit >> 6)] >> (bit & 63) & 1 != 0
    }
}

impl Beginnings {
    fn new(keywords: &[Keyword]) -> Self {
        let bits = || Bits(Box::new([0; PAIRS]));
        let (mut one, mut two, mut three, mut four, mut eight) = ([false; 256], bits(), bits(), bits(), bits());
        for keyword in keywords {
            if let [first, second, ..] = *keyword.text {
                one[usize::from(first)] = true;
                two.insert(u16::from_le_bytes([first, second]));
            }
            match *keyword.text {
                [first, second] => three.insert(hash([first, second, 0, 0])),
                [first, second, third, ..] => three.insert(hash([first, second, third, 0])),
                _ => {}
            }
            if let Some(first) = keyword.text.first_chunk() {
                four.insert(hash(*first));
            }
            if let Some(first) = keyword.text.first_chunk() {
                eight.insert(hash_eight(*first));
            }
        }
        let longest = keywords.iter().map(|keyword| keyword.text.len()).max().unwrap_or(0);
        Self { one, two, three, four, eight, longest }
    }

    fn first(&self, text: &[u8], keywords: &[Keyword]) -> usize {
        let earliest = text.len().saturating_sub(self.longest.max(WINDOW) - 1);
        let end = text[earliest..].to_ascii_lowercase();
        let begun = (0..end.len()).find(|&at| self.can_begin(&end[at..], keywords));
        begun.map_or(text.len(), |at| earliest + at)
    }

    /// Whether a keyword begins with `tail`, which is in small letters; or is shorter, but found by a window that reaches
    /// behind its end. Sometimes says so without reason of three bytes, never of more.
    fn can_begin(&self, tail: &[u8], keywords: &[Keyword]) -> bool {
        match *tail {
            [] => false,
            [a] => self.one[usize::from(a)],
            [a, b] => self.two.has(u16::from_le_bytes([a, b])),
            // What can begin no keyword does not begin one with a byte more.
            [a, b, c] => {
                self.two.has(u16::from_le_bytes([a, b]))
                    && (self.three.has(hash([a, b, c, 0])) || self.three.has(hash([a, b, 0, 0])))
            }
            [a, b, c, d, ..] => {
                let eight = tail.first_chunk().is_none_or(|first| self.eight.has(hash_eight(*first)));
                self.four.has(hash([a, b, c, d])) && eight && {
                    let next = keywords.partition_point(|keyword| *keyword.text < *tail);
                    keywords.get(next).is_some_and(|keyword| keyword.text.starts_with(tail))
                }
            }
        }
    }
}

fn hash(first: [u8; 4]) -> u16 {
    (u32::from_le_bytes(first).wrapping_mul(0x9e37_79b1) >> 16) as u16
}

fn hash_eight(first: [u8; 8]) -> u16 {
    (u64::from_le_bytes(first).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16
}

#[cfg(test)]
mod tests;
