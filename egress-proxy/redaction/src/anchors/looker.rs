//! The rules that a keyword makes look, and what spares them from looking: the bytes beside it.
//!
//! What is known of a rule here is made when the keyword is first found, since it takes the automaton that the rule decides
//! with. A rule is spared only where it would find nothing, whatever follows.

use std::sync::OnceLock;

use crate::byteset::ByteSet;
use crate::cursor::Cursor;
use crate::rules::RuleSet;

/// The rules of one keyword.
pub(super) struct Lookers {
    each: Box<[Looker]>,
    /// What all values near the keyword have in common.
    near: OnceLock<Box<Near>>,
}

struct Looker {
    rule: u16,
    /// It looks only where a word begins.
    word: bool,
    /// What it finds may begin before its keyword.
    back: bool,
    after: OnceLock<Box<After>>,
}

/// What must stand after the keyword.
enum After {
    /// One of these at once.
    Byte(ByteSet),
    /// A value near it.
    Near,
}

/// Values near a keyword.
struct Near {
    /// They are made of these,
    alphabet: ByteSet,
    /// are so long at least,
    least: usize,
    /// and begin so far from it at most.
    within: usize,
}

impl Lookers {
    pub(super) fn new(rules: &[u16], set: &RuleSet) -> Self {
        let looker = |&rule: &u16| {
            let matcher = &set.rules()[usize::from(rule)].matcher;
            Looker { rule, word: matcher.begins_word(), back: matcher.reaches_back(), after: OnceLock::new() }
        };
        Self { each: rules.iter().map(looker).collect(), near: OnceLock::new() }
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = u16> {
        self.each.iter().map(|looker| looker.rule)
    }

    /// Tells of each rule that may find something because of `keyword` at the cursor, and whether that may begin before it.
    #[inline]
    pub(super) fn asked(&self, set: &RuleSet, keyword: &[u8], cursor: Cursor<'_>, mut ask: impl FnMut(u16, bool)) {
        let (mut word, mut near) = (None, None);
        for looker in &self.each {
            if looker.word && !*word.get_or_insert_with(|| cursor.at_word_start()) {
                continue;
            }
            // Nothing is spared before all of the keyword was seen, and the byte after it.
            let may = cursor.ahead().get(keyword.len()).is_none_or(|next| match looker.after(set, keyword) {
                After::Byte(set) => set.has(*next),
                After::Near => *near.get_or_insert_with(|| self.near(set).may_follow(cursor, keyword.len())),
            });
            if may {
                ask(looker.rule, looker.back);
            }
        }
    }

    fn near(&self, set: &RuleSet) -> &Near {
        self.near.get_or_init(|| {
            let all = self.each.iter().filter_map(|looker| set.rules()[usize::from(looker.rule)].matcher.near_by());
            let none = Near { alphabet: ByteSet::NONE, least: usize::MAX, within: 0 };
            Box::new(all.fold(none, |near, (alphabet, least, within)| Near {
                alphabet: near.alphabet.and(alphabet),
                least: near.least.min(least),
                within: near.within.max(within),
            }))
        })
    }
}

impl Looker {
    #[inline]
    fn after(&self, set: &RuleSet, keyword: &[u8]) -> &After {
        self.after.get_or_init(|| {
            let matcher = &set.rules()[usize::from(self.rule)].matcher;
            Box::new(if matcher.near_by().is_some() { After::Near } else { After::Byte(matcher.after(keyword)) })
        })
    }
}

impl Near {
    /// Whether a value can stand after a keyword at the cursor that is so long.
    fn may_follow(&self, cursor: Cursor<'_>, keyword: usize) -> bool {
        let ahead = &cursor.ahead()[keyword..];
        let mut from = 0;
        while from <= self.within {
            let Some(value) = ahead.get(from..).and_then(|rest| rest.get(..self.least)) else {
                // What is too short now may become long enough.
                return !cursor.has_ended();
            };
            match value.iter().rposition(|byte| !self.alphabet.has(*byte)) {
                Some(last) => from += last + 1,
                None => return true,
            }
        }
        false
    }
}
