//! By which windows keywords are looked for: the rarest in ordinary text that they have.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::filter::{Look, Window};
use super::{Keyword, SAMPLE, WINDOW, place};
use crate::byteset::ByteSet;
use crate::rarity::rarity;
use crate::rules::RuleSet;

/// The windows of all keywords; and of those that need no run, by which one can be found at every second place. Of these the
/// windows of all hold the first: whatever is asked at its place and at the next one, the keyword is met at one of both.
pub(super) fn choose(keywords: &[Keyword], set: &RuleSet) -> (Vec<Window>, Vec<Window>) {
    let common = Common::new();
    let (mut windows, mut always) = (Vec::new(), Vec::new());
    // Short keywords have no choice.
    let mut short_first: Vec<(u32, &Keyword)> = (0..).zip(keywords).collect();
    short_first.sort_by_key(|(_, keyword)| keyword.text.len());
    let (mut taken, mut pairs): (HashMap<[u8; 3], u32>, HashMap<[u8; 3], u32>) = Default::default();
    let first = |window: &[u8]| window.first_chunk().copied().unwrap_or_default();
    for (n, keyword) in short_first {
        match common.rarest(&keyword.text, |window| taken.get(&first(window)).copied().unwrap_or_default()) {
            Some((offset, window)) if keyword.needs_run(offset, set) => {
                *taken.entry(first(window)).or_default() += 1;
                windows.push(Window::new(window, offset, n));
            }
            Some(_) => {
                let offset = common.rarest_pair(&keyword.text, |bytes| pairs.get(bytes).copied().unwrap_or_default());
                let pair = [offset, offset + 1].map(|offset| {
                    let window = &keyword.text[usize::from(offset)..];
                    (offset, &window[..window.len().min(WINDOW)])
                });
                for (offset, window) in pair {
                    *pairs.entry(first(window)).or_default() += 1;
                    always.push(Window::new(window, offset, n));
                }
                // The first of both is looked for near a run as well: where that begins or ends, they may lie apart.
                let [(offset, window), _] = pair;
                *taken.entry(first(window)).or_default() += 1;
                windows.push(Window::new(window, offset, n));
            }
            None => {
                let short = short(keyword, set);
                for window in &short {
                    taken.entry(first(&window.to_ascii_lowercase())).or_insert(1);
                    windows.push(Window::new(window, 0, n));
                }
                if !keyword.needs_run(0, set) {
                    always.extend(short.iter().map(|window| Window::new(window, 0, n)));
                    let next = if keyword.text.len() < WINDOW - 1 { short } else { longer(keyword, set) };
                    always.extend(next.iter().map(|text| Window::new(&text[1..], 1, n)));
                }
            }
        }
    }
    (windows, always)
}

/// What is common in ordinary text.
pub(super) struct Common {
    looks: HashSet<Look>,
    /// How often three bytes stand in it.
    counts: HashMap<[u8; 3], u32>,
}

impl Common {
    pub(super) fn new() -> Self {
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
    pub(super) fn rarest<'a>(&self, text: &'a [u8], taken: impl Fn(&[u8]) -> u32) -> Option<(u8, &'a [u8])> {
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

/// What a keyword can be the beginning of, a byte longer.
fn longer(keyword: &Keyword, set: &RuleSet) -> Vec<Vec<u8>> {
    let mut next = ByteSet::NONE;
    for rule in keyword.lookers.rules() {
        next = next.and(set.rules()[usize::from(rule)].matcher.follows(&keyword.text));
    }
    (0..=u8::MAX).filter(|byte| next.has(*byte)).map(|byte| [&*keyword.text, &[byte]].concat()).collect()
}
