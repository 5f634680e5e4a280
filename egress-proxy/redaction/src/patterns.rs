//! Searching for secrets of known formats: one pass for all anchors, then a decision by the anchor's rule.

use crate::automaton::{Automaton, ROOT, State};
use crate::cursor::Cursor;
use crate::hits::{Hit, What};
use crate::rules::RuleSet;

/// The anchors of all rules, ready to search. Immutable.
pub(crate) struct Anchors {
    machine: Automaton,
    /// Rules by anchor.
    rules: Vec<Vec<u16>>,
    set: RuleSet,
}

impl Anchors {
    pub(crate) fn new(set: &RuleSet) -> Self {
        let mut texts: Vec<Vec<u8>> = Vec::new();
        let mut rules: Vec<Vec<u16>> = Vec::new();
        for (number, anchor) in (0..).zip(set.rules()).flat_map(|(n, rule)| rule.anchors.iter().map(move |a| (n, a))) {
            let text = anchor.to_ascii_lowercase().into_bytes();
            match texts.iter().position(|t| *t == text) {
                Some(at) => rules[at].push(number),
                None => {
                    texts.push(text);
                    rules.push(vec![number]);
                }
            }
        }
        let needles = (0..).zip(texts).map(|(n, text)| (text, n)).collect();
        Self { machine: Automaton::new(needles, true), rules, set: set.clone() }
    }

    pub(crate) fn kind(&self, rule: u16) -> &str {
        &self.set.rules()[usize::from(rule)].kind
    }
}

/// An anchor that waits for its decision.
struct Candidate {
    rule: u16,
    start: usize,
    end: usize,
    /// Not before so many bytes: looking again after each byte would take quadratic time.
    retry: usize,
}

/// One search in progress. Offsets count from the start of the text.
pub(crate) struct PatternScan {
    state: State,
    at: usize,
    waiting: Vec<Candidate>,
}

impl PatternScan {
    pub(crate) fn new() -> Self {
        Self { state: ROOT, at: 0, waiting: Vec::new() }
    }

    /// Forgets everything; the next byte has offset 0.
    pub(crate) fn reset(&mut self) {
        self.state = ROOT;
        self.at = 0;
        self.waiting.clear();
    }

    /// Searches on: `text` is all that is known from offset `base` on, with what earlier calls have seen.
    pub(crate) fn push(&mut self, anchors: &Anchors, text: &[u8], base: usize, ended: bool, hits: &mut Vec<Hit>) {
        let known = base + text.len();
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain_mut(|candidate| {
            if known < candidate.retry && !ended {
                return true;
            }
            !decide(anchors, candidate, text, base, ended, hits)
        });
        let mut state = self.state;
        for (n, &byte) in text[self.at - base..].iter().enumerate() {
            state = anchors.machine.next(state, byte);
            if anchors.machine.hit(state).is_none() {
                continue;
            }
            let end = self.at + n + 1;
            for (len, anchor) in anchors.machine.hits(state) {
                for &rule in &anchors.rules[anchor as usize] {
                    let mut candidate = Candidate { rule, start: end - len, end, retry: 0 };
                    if !decide(anchors, &mut candidate, text, base, ended, hits) {
                        waiting.push(candidate);
                    }
                }
            }
        }
        self.state = state;
        self.at = known;
        self.waiting = waiting;
    }

    /// The first byte that can still be part of a match to come.
    pub(crate) fn live(&self, anchors: &Anchors) -> usize {
        let begun = self.at - anchors.machine.depth(self.state);
        self.waiting.iter().map(|candidate| candidate.start).fold(begun, usize::min)
    }
}

/// Whether the candidate is decided.
fn decide(
    anchors: &Anchors,
    candidate: &mut Candidate,
    text: &[u8],
    base: usize,
    ended: bool,
    hits: &mut Vec<Hit>,
) -> bool {
    let rule = &anchors.set.rules()[usize::from(candidate.rule)];
    let cursor = Cursor::new(text, candidate.start - base, ended);
    match rule.matcher.decide(cursor, candidate.end - candidate.start) {
        Ok(found) => {
            let found = found.filter(|range| !anchors.set.allows(rule, &text[range.clone()]));
            hits.extend(found.map(|range| Hit {
                start: base + range.start,
                end: base + range.end,
                what: What::Rule(candidate.rule),
            }));
            true
        }
        Err(_) => {
            let known = base + text.len();
            candidate.retry = known + 1 + (known - candidate.end) / 16;
            false
        }
    }
}
