//! Finding the keywords of all rules in one pass.
//!
//! Every keyword is looked for by the rarest five bytes in it, in any case; a short one by three bytes as they are spelled.
//! At each place of the text both windows are hashed and one bit looked up for each; in ordinary text almost no bit is set,
//! and the pass costs a few instructions a byte whatever the number of keywords. Where a bit is set the keywords of that
//! window are compared.

mod filter;

use crate::cursor::Cursor;
use crate::rarity::rarity;
use crate::rules::RuleSet;
use filter::{Filter, Folded, Spelled, Window};

/// Bytes of a window in any case; a keyword of one byte less does for one.
const WIDE: usize = 5;
/// Bytes of a window as it is spelled.
const NARROW: usize = 3;
/// Bits of a text's place for the filter of wide windows: 32 KiB of filter.
type Wide = Filter<Folded, 4096>;
/// As above, for narrow windows: 8 KiB.
type Narrow = Filter<Spelled, 1024>;

/// The keywords of a set of rules, ready to search. Immutable.
pub(crate) struct Anchors {
    wide: Wide,
    narrow: Narrow,
    keywords: Vec<Keyword>,
    beginnings: Beginnings,
    /// Whether a rule finds what begins before its keyword.
    reaches_back: bool,
    set: RuleSet,
}

struct Keyword {
    /// In lower case.
    text: Box<[u8]>,
    rules: Vec<u16>,
}

impl Anchors {
    pub(crate) fn new(set: &RuleSet) -> Self {
        let mut pairs: Vec<(Box<[u8]>, u16)> = (0..)
            .zip(set.rules())
            .flat_map(|(n, rule)| {
                rule.anchors.iter().map(move |text| (text.to_ascii_lowercase().into_bytes().into(), n))
            })
            .collect();
        pairs.sort();
        pairs.dedup();
        let mut keywords: Vec<Keyword> = Vec::new();
        for (text, rule) in pairs {
            match keywords.last_mut().filter(|last| last.text == text) {
                Some(last) => last.rules.push(rule),
                None => keywords.push(Keyword { text, rules: vec![rule] }),
            }
        }
        let (mut wide, mut narrow) = (Vec::new(), Vec::new());
        for (keyword, Keyword { text, rules }) in (0..).zip(&keywords) {
            if let Some((offset, window)) = rarest(text) {
                let eight = filter::read(window);
                // Any byte may follow a keyword that is too short.
                let fifths = if window.len() < WIDE { 0..8 } else { 0..1 };
                wide.extend(fifths.map(|fifth| Window { eight: eight | fifth << 32, offset, keyword }));
            } else {
                let windows = spelled(text, rules, set).into_iter();
                narrow.extend(windows.map(|text| Window { eight: filter::read(&text), offset: 0, keyword }));
            }
        }
        let beginnings = Beginnings::new(&keywords);
        let reaches_back = set.rules().iter().any(|rule| rule.matcher.reaches_back());
        let set = set.clone();
        Self { wide: Filter::new(&wide), narrow: Filter::new(&narrow), keywords, beginnings, reaches_back, set }
    }

    pub(crate) fn rules(&self) -> &RuleSet {
        &self.set
    }

    pub(crate) fn kind(&self, rule: u16) -> &str {
        &self.set.rules()[usize::from(rule)].kind
    }

    /// Length of a keyword and the rules that it makes look.
    pub(crate) fn keyword(&self, keyword: u32) -> (usize, &[u16]) {
        let Keyword { text, rules } = &self.keywords[keyword as usize];
        (text.len(), rules)
    }

    /// Whether the keyword stands at the beginning of `text`, as far as that goes.
    pub(crate) fn stands(&self, keyword: u32, text: &[u8]) -> bool {
        let wanted = &self.keywords[keyword as usize].text;
        let len = wanted.len().min(text.len());
        text[..len].eq_ignore_ascii_case(&wanted[..len])
    }

    /// Tells of every keyword whose window begins at `from` or later, with the place where it begins. Its end may lie behind
    /// the end of `text`. The last four bytes begin no window as long as more may follow.
    pub(crate) fn search(&self, text: &[u8], from: usize, ended: bool, mut found: impl FnMut(usize, u32)) {
        let whole = text.len().saturating_sub(7).max(from);
        for (n, eight) in text.get(from..).unwrap_or_default().windows(8).enumerate() {
            self.test(text, from + n, filter::read(eight), &mut found);
        }
        let least = if ended { NARROW } else { WIDE };
        for at in whole..text.len().saturating_sub(least - 1) {
            self.test(text, at, filter::read(&text[at..]), &mut found);
        }
    }

    #[inline(always)]
    fn test(&self, text: &[u8], at: usize, eight: u64, found: &mut impl FnMut(usize, u32)) {
        if self.wide.has(eight) | self.narrow.has(eight) {
            self.look(text, at, eight, found);
        }
    }

    #[cold]
    #[inline(never)]
    fn look(&self, text: &[u8], at: usize, eight: u64, found: &mut impl FnMut(usize, u32)) {
        for window in self.wide.windows(eight).chain(self.narrow.windows(eight)) {
            if let Some(start) = at.checked_sub(usize::from(window.offset))
                && self.stands(window.keyword, &text[start..])
            {
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

/// The rarest wide window of a keyword with its place; `None` when it is too short for one.
fn rarest(text: &[u8]) -> Option<(u16, &[u8])> {
    let windows = (0_u16..).zip(text.windows(WIDE.min(text.len().max(WIDE - 1))));
    windows.max_by_key(|(offset, window)| (rarity(window), std::cmp::Reverse(*offset)))
}

/// The narrow windows that a short keyword can begin, in the spellings that one of its rules reads. Two bytes stand
/// everywhere, so there the rule must also say how they go on.
fn spelled(text: &[u8], rules: &[u16], set: &RuleSet) -> Vec<Vec<u8>> {
    let longer = |text: Vec<u8>| (0..=u8::MAX).map(move |byte| [text.as_slice(), &[byte]].concat());
    let mut windows = Vec::new();
    for rule in rules {
        let matcher = &set.rules()[usize::from(*rule)].matcher;
        let mut beginnings = spellings(text);
        beginnings.retain(|beginning| matcher.may_be_spelled(beginning));
        while beginnings.first().is_some_and(|beginning| beginning.len() < NARROW) {
            beginnings = beginnings.into_iter().flat_map(longer).filter(|text| matcher.may_begin(text)).collect();
        }
        windows.append(&mut beginnings);
    }
    windows.sort_unstable();
    windows.dedup();
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
    /// One bit for the hash of the folded first two bytes.
    two: Box<[u64; PAIRS]>,
    /// Bytes up to the end of a window, at most.
    longest: usize,
}

impl Beginnings {
    fn new(keywords: &[Keyword]) -> Self {
        let mut one = [false; 256];
        let mut two = Box::new([0; PAIRS]);
        for keyword in keywords {
            if let [first, second, ..] = *keyword.text {
                one[usize::from(first)] = true;
                let pair = u16::from_le_bytes([first, second]);
                two[usize::from(pair >> 6)] |= 1 << (pair & 63);
            }
        }
        let longest = keywords.iter().map(|keyword| keyword.text.len()).max().unwrap_or(0);
        Self { one, two, longest }
    }

    fn first(&self, text: &[u8], keywords: &[Keyword]) -> usize {
        let earliest = text.len().saturating_sub(self.longest.max(WIDE) - 1);
        (earliest..text.len()).find(|&at| self.can_begin(&text[at..], keywords)).unwrap_or(text.len())
    }

    fn can_begin(&self, tail: &[u8], keywords: &[Keyword]) -> bool {
        match *tail {
            [first] => self.one[usize::from(first.to_ascii_lowercase())],
            [first, second, ..] => {
                let pair = u16::from_le_bytes([first.to_ascii_lowercase(), second.to_ascii_lowercase()]);
                self.two[usize::from(pair >> 6)] >> (pair & 63) & 1 != 0 && {
                    let tail = tail.to_ascii_lowercase();
                    let next = keywords.partition_point(|keyword| *keyword.text < *tail);
                    let longer = keywords.get(next).is_some_and(|keyword| keyword.text.starts_with(&tail));
                    // A short keyword is found by a window that reaches behind its end.
                    longer || (tail.len() < WIDE && keywords[..next].iter().rev().any(|k| tail.starts_with(&k.text)))
                }
            }
            [] => false,
        }
    }
}

#[cfg(test)]
mod tests;
