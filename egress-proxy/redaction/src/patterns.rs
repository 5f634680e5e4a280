//! Searching for secrets of known formats: one pass for all keywords, then a decision by the rules of each.

use crate::anchors::Anchors;
use crate::cursor::{Cursor, More};
use crate::hits::{Hit, What};
use crate::placeholder;

/// A keyword that waits for its end or for its rule's decision.
struct Candidate {
    keyword: u32,
    rule: u16,
    start: usize,
    /// Where what it finds may begin.
    first: usize,
    end: usize,
    /// All of the keyword was seen.
    seen: bool,
    /// Not before so many bytes are known: looking again after each byte would take quadratic time.
    retry: usize,
}

/// One search in progress. Offsets count from the start of the text.
pub(crate) struct PatternScan {
    /// Windows that begin before were looked at.
    at: usize,
    /// Where a keyword may have begun that no window has shown yet.
    begun: usize,
    waiting: Vec<Candidate>,
}

impl PatternScan {
    pub(crate) fn new() -> Self {
        Self { at: 0, begun: 0, waiting: Vec::new() }
    }

    /// Forgets everything; the next byte has offset 0.
    pub(crate) fn reset(&mut self) {
        self.at = 0;
        self.begun = 0;
        self.waiting.clear();
    }

    /// Searches on: `text` is all that is known from offset `base` on, with what earlier calls have seen.
    pub(crate) fn push(&mut self, anchors: &Anchors, text: &[u8], base: usize, ended: bool, hits: &mut Vec<Hit>) {
        let known = base + text.len();
        let mut judge = |candidate: &mut Candidate| match decide(anchors, candidate, text, base, ended) {
            Some(found) => {
                hits.extend(found);
                true
            }
            None => false,
        };
        self.waiting.retain_mut(|candidate| (known < candidate.retry && !ended) || !judge(candidate));
        let waiting = &mut self.waiting;
        anchors.search(text, self.at.saturating_sub(base), ended, |start, keyword| {
            let at = start;
            let start = base + at;
            let end = start + anchors.len_of(keyword);
            anchors.asked(keyword, text, at, ended, |rule, back| {
                let first = if back { base + Cursor::new(text, at, false).word_before() } else { start };
                let mut candidate = Candidate { keyword, rule, start, first, end, seen: known >= end, retry: end };
                if !judge(&mut candidate) {
                    waiting.push(candidate);
                }
            });
        });
        // The last three bytes begin no whole window.
        self.at = self.at.max(known.saturating_sub(3));
        self.begun = if ended { known } else { base + anchors.begun(text) };
    }

    /// The first byte that can still be part of a match to come.
    pub(crate) fn live(&self, _: &Anchors) -> usize {
        self.waiting.iter().map(|candidate| candidate.first).fold(self.begun, usize::min)
    }
}

/// What the candidate's rule finds; `None` while more must be known.
fn decide(anchors: &Anchors, candidate: &mut Candidate, text: &[u8], base: usize, ended: bool) -> Option<Option<Hit>> {
    let at = candidate.start - base;
    let known = base + text.len();
    if !candidate.seen {
        if !anchors.stands(candidate.keyword, &text[at..]) {
            return Some(None);
        }
        if known < candidate.end {
            return if ended { Some(None) } else { None };
        }
        candidate.seen = true;
    }
    let rule = &anchors.rules().rules()[usize::from(candidate.rule)];
    let Ok(found) = rule.matcher.decide(Cursor::new(text, at, ended), candidate.end - candidate.start) else {
        candidate.retry = known + 1 + (known - candidate.end) / 16;
        return None;
    };
    let found = found.filter(|range| !anchors.rules().allows(rule, &text[range.clone()]));
    if let Some(range) = &found {
        // The words of a placeholder make no rule look either: a text that comes back leaves as it left before.
        let keyword = at..at + candidate.end - candidate.start;
        for part in [range, &keyword] {
            match placeholder::holds(text, part, ended, |kind| anchors.rules().knows(kind)) {
                Ok(false) => {}
                Ok(true) => return Some(None),
                Err(More) => {
                    candidate.retry = known + 1;
                    return None;
                }
            }
        }
    }
    Some(found.map(|range| Hit { start: base + range.start, end: base + range.end, what: What::Rule(candidate.rule) }))
}

#[cfg(test)]
mod tests;
