//! Finding the keywords of all rules in one pass.
//!
//! Every keyword is looked for by the rarest four bytes in it. At each place of the text four bytes are hashed and one bit
//! looked up; in ordinary text almost no bit is set, and the pass costs a few instructions a byte whatever the number of
//! keywords. Where the bit is set the keywords of that window are compared.

use crate::rarity::commonness;
use crate::rules::RuleSet;

/// Bytes of a window.
const WINDOW: usize = 4;
/// Words of the filter: one bit for each value of the hash.
const WORDS: usize = (1 << 16) / 64;
/// Folds letters to lower case. What it does to other bytes it does to both sides.
const FOLD: u32 = 0x2020_2020;

/// The keywords of a set of rules, ready to search. Immutable.
pub(crate) struct Anchors {
    filter: Box<[u64; WORDS]>,
    /// Bits set in the filter before each of its words.
    rank: Box<[u16; WORDS]>,
    /// Where the windows of the n-th set bit begin, and where the last end.
    first: Vec<u32>,
    windows: Vec<Window>,
    keywords: Vec<Keyword>,
    beginnings: Beginnings,
    set: RuleSet,
}

/// Four folded bytes of a keyword.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Window {
    hash: u16,
    bytes: u32,
    /// Before the window in the keyword.
    offset: u16,
    keyword: u32,
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
        let mut windows: Vec<Window> = Vec::new();
        for (n, keyword) in (0..).zip(&keywords) {
            let window = |bytes: u32, offset| Window { hash: hash(bytes), bytes, offset, keyword: n };
            if let Some((offset, bytes)) = rarest(&keyword.text) {
                windows.push(window(bytes, offset));
            } else {
                windows.extend(continued(&keyword.text, &keyword.rules, set).into_iter().map(|bytes| window(bytes, 0)));
            }
        }
        windows.sort_unstable();
        windows.dedup();
        let beginnings = Beginnings::new(&keywords);
        let mut anchors = Self {
            filter: Box::new([0; WORDS]),
            rank: Box::new([0; WORDS]),
            first: Vec::new(),
            windows,
            keywords,
            beginnings,
            set: set.clone(),
        };
        anchors.tabulate();
        anchors
    }

    fn tabulate(&mut self) {
        let mut last = None;
        for (n, window) in (0..).zip(&self.windows) {
            if last.replace(window.hash) != Some(window.hash) {
                self.filter[usize::from(window.hash >> 6)] |= 1 << (window.hash & 63);
                self.first.push(n);
            }
        }
        self.first.push(u32::try_from(self.windows.len()).unwrap_or(u32::MAX));
        let mut before = 0_u16;
        for (rank, word) in self.rank.iter_mut().zip(self.filter.iter()) {
            *rank = before;
            before = before.saturating_add(u16::try_from(word.count_ones()).unwrap_or(0));
        }
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
    /// the end of `text`.
    pub(crate) fn search(&self, text: &[u8], from: usize, mut found: impl FnMut(usize, u32)) {
        let Some(rest) = text.get(from..) else { return };
        for (n, four) in rest.windows(WINDOW).enumerate() {
            let bytes = u32::from_le_bytes([four[0], four[1], four[2], four[3]]) | FOLD;
            let hash = hash(bytes);
            if self.filter[usize::from(hash >> 6)] >> (hash & 63) & 1 != 0 {
                self.look(text, from + n, bytes, hash, &mut found);
            }
        }
    }

    #[cold]
    fn look(&self, text: &[u8], at: usize, bytes: u32, hash: u16, found: &mut impl FnMut(usize, u32)) {
        let word = usize::from(hash >> 6);
        let before = self.filter[word] & ((1 << (hash & 63)) - 1);
        let bit = usize::from(self.rank[word]) + before.count_ones() as usize;
        for window in &self.windows[self.first[bit] as usize..self.first[bit + 1] as usize] {
            if window.bytes == bytes
                && let Some(start) = at.checked_sub(usize::from(window.offset))
                && self.stands(window.keyword, &text[start..])
            {
                found(start, window.keyword);
            }
        }
    }

    /// Where in `text` the first keyword begins that may go on behind its end and was not told of yet.
    pub(crate) fn begun(&self, text: &[u8]) -> usize {
        self.beginnings.first(text, &self.keywords)
    }
}

/// The top bits of a product by a constant with well-spread bits.
#[inline(always)]
fn hash(bytes: u32) -> u16 {
    (bytes.wrapping_mul(0x9e37_79b1) >> 16) as u16
}

fn folded(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|four| u32::from_le_bytes(*four) | FOLD)
}

/// The rarest window of a keyword with its place; `None` when it is too short for one.
fn rarest(text: &[u8]) -> Option<(u16, u32)> {
    let windows = (0_u16..).zip(text.windows(WINDOW));
    let (offset, window) = windows.min_by_key(|(_, window)| commonness(window))?;
    Some((offset, folded(window)?))
}

/// The windows that a short keyword can begin. So few bytes stand everywhere, so the rules must say how they go on.
fn continued(text: &[u8], rules: &[u16], set: &RuleSet) -> Vec<u32> {
    let longer = |text: &Vec<u8>| (0..=u8::MAX).map(|byte| [text.as_slice(), &[byte]].concat()).collect::<Vec<_>>();
    let mut windows: Vec<u32> = Vec::new();
    for rule in rules {
        let matcher = &set.rules()[usize::from(*rule)].matcher;
        let mut beginnings = spellings(text);
        while beginnings.first().is_some_and(|beginning| beginning.len() < WINDOW) {
            beginnings = beginnings.iter().flat_map(longer).collect();
            beginnings.retain(|beginning| matcher.may_begin(beginning));
        }
        windows.extend(beginnings.iter().filter_map(|beginning| folded(beginning)));
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

/// How keywords begin: which last bytes of a piece of text must wait for the next.
struct Beginnings {
    /// By the folded first byte.
    one: [bool; 256],
    /// One bit for the hash of the folded first two bytes.
    two: Box<[u64; WORDS]>,
    /// Bytes up to the end of a window, at most.
    longest: usize,
}

impl Beginnings {
    fn new(keywords: &[Keyword]) -> Self {
        let mut one = [false; 256];
        let mut two = Box::new([0; WORDS]);
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
        let earliest = text.len().saturating_sub(self.longest.max(WINDOW) - 1);
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
                    longer || (tail.len() < WINDOW && keywords[..next].iter().rev().any(|k| tail.starts_with(&k.text)))
                }
            }
            [] => false,
        }
    }
}

#[cfg(test)]
mod tests;
