//! How a rule of a pack decides about its keyword.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::check::{self, Check};
use super::pack::{PackRule, Side};
use super::pattern::Pattern;
use crate::byteset::ByteSet;
use crate::cursor::{Cursor, Decision, More};

/// Bytes between keyword and value when the rule does not say.
const WITHIN: u16 = 40;
/// Least entropy of a value near a keyword when the rule does not say, in bits per character.
const NEAR_ENTROPY: f64 = 2.5;
/// Bytes that all tries for one keyword may read together, so that a text made for it costs no more.
const EFFORT: usize = 1024;

/// A rule's way to match with its conditions.
#[derive(Debug)]
pub(crate) struct PackMatcher {
    way: Way,
    left: Side,
    right: Side,
    entropy: f64,
    mixed: bool,
    check: Option<Check>,
    /// What stands before the run of signs in its last expressions, once it is known.
    run: OnceLock<Option<usize>>,
}

#[derive(Debug)]
enum Way {
    /// The secret begins at the keyword, after the lead that does, or before it.
    Token { lead: Option<Pattern>, before: Option<Pattern>, token: Pattern },
    /// The secret is a word after the keyword.
    Near { value: Pattern, also: Box<[Box<[u8]>]>, within: usize },
}

impl PackMatcher {
    pub(super) fn new(rule: &PackRule) -> Self {
        let near = rule.near.is_some();
        let pattern = |text: &Option<String>| Pattern::new(text.as_deref().unwrap_or_default());
        let way = if near {
            Way::Near {
                value: pattern(&rule.near),
                also: rule.also.iter().map(|word| word.to_ascii_lowercase().into_bytes().into()).collect(),
                within: rule.within.unwrap_or(WITHIN).into(),
            }
        } else {
            Way::Token {
                lead: rule.lead.as_deref().map(Pattern::new),
                before: rule.before.as_deref().map(Pattern::new),
                token: pattern(&rule.token),
            }
        };
        Self {
            way,
            left: rule.left.unwrap_or(if near { Side::Any } else { Side::Word }),
            right: rule.right.unwrap_or(Side::Word),
            entropy: rule.entropy.unwrap_or(if near { NEAR_ENTROPY } else { 0.0 }),
            mixed: rule.mixed.unwrap_or(near),
            check: rule.check,
            run: OnceLock::new(),
        }
    }

    /// Shares its expressions with others that have the same.
    pub(super) fn share(&mut self, known: &mut HashMap<Box<str>, Pattern>) {
        match &mut self.way {
            Way::Token { lead, before, token } => {
                lead.iter_mut().chain(before).chain([token]).for_each(|pattern| pattern.share(known));
            }
            Way::Near { value, .. } => value.share(known),
        }
    }

    /// Its expressions with their names, and whether they begin at the keyword.
    pub(super) fn patterns(&self) -> Vec<(&'static str, &Pattern, bool)> {
        match &self.way {
            Way::Token { lead: Some(lead), token, .. } => vec![("lead", lead, true), ("token", token, false)],
            Way::Token { before: Some(before), token, .. } => vec![("before", before, false), ("token", token, true)],
            Way::Token { token, .. } => vec![("token", token, true)],
            Way::Near { value, .. } => vec![("near", value, false)],
        }
    }

    /// Whether a find may begin before its keyword.
    pub(super) fn reaches_back(&self) -> bool {
        matches!(self.way, Way::Token { before: Some(_), .. })
    }

    /// Whether only this spelling of a keyword can lead to a find. May say no where it is so.
    pub(super) fn reads_only(&self, keyword: &[u8]) -> bool {
        match &self.way {
            Way::Token { lead: Some(first), .. } | Way::Token { lead: None, token: first, .. } => {
                first.begins_only_with(keyword)
            }
            Way::Near { .. } => false,
        }
    }

    /// Whether a keyword that goes on as `text` does can lead to a find.
    pub(super) fn may_begin(&self, text: &[u8]) -> bool {
        match &self.way {
            Way::Token { lead: Some(first), .. } | Way::Token { lead: None, token: first, .. } => {
                first.can_begin_with(text)
            }
            Way::Near { .. } => true,
        }
    }

    /// Whether it looks only where a word begins.
    pub(super) fn begins_word(&self) -> bool {
        self.left == Side::Word && !self.reaches_back()
    }

    /// The bytes that can follow a keyword for a find.
    pub(super) fn after(&self, keyword: &[u8]) -> ByteSet {
        match &self.way {
            Way::Token { lead: Some(first), .. } | Way::Token { lead: None, token: first, .. } => first.after(keyword),
            Way::Near { .. } => ByteSet::ALL,
        }
    }

    /// The same without an automaton; some bytes that cannot may be among them.
    pub(super) fn follows(&self, text: &[u8]) -> ByteSet {
        match &self.way {
            Way::Token { lead: Some(first), .. } | Way::Token { lead: None, token: first, .. } => first.follows(text),
            Way::Near { .. } => ByteSet::ALL,
        }
    }

    /// For a value near its keyword: what it is made of, its least length, how far from the keyword it begins at most.
    pub(super) fn near_by(&self) -> Option<(ByteSet, usize, usize)> {
        let Way::Near { value, within, .. } = &self.way else { return None };
        value.body().map(|(alphabet, least)| (alphabet, least, *within))
    }

    /// The most bytes between a keyword's beginning and the run of signs that every find holds; `None` if one may hold none.
    pub(super) fn before_run(&self, keyword: usize) -> Option<usize> {
        let before = self.run.get_or_init(|| match &self.way {
            Way::Token { lead: Some(lead), token, .. } => Pattern::before_run(&[lead, token]),
            Way::Token { token, .. } => Pattern::before_run(&[token]),
            Way::Near { value, .. } => Pattern::before_run(&[value]),
        });
        before.map(|before| match &self.way {
            Way::Token { .. } => before,
            Way::Near { within, .. } => keyword + within + before,
        })
    }

    pub(super) fn decide(&self, cursor: Cursor<'_>, anchor: usize) -> Decision {
        if let Way::Token { before: Some(before), token, .. } = &self.way {
            return self.around(cursor, before, token);
        }
        if self.left == Side::Word && !cursor.at_word_start() {
            return Ok(None);
        }
        match &self.way {
            Way::Token { lead, token, .. } => self.token(cursor, anchor, lead.as_ref(), token),
            Way::Near { value, also, within } => self.near(cursor, anchor, value, also, *within),
        }
    }

    fn token(&self, mut cursor: Cursor<'_>, anchor: usize, lead: Option<&Pattern>, token: &Pattern) -> Decision {
        let mut keyword = anchor;
        if let Some(lead) = lead {
            let mut end = None;
            lead.ends(cursor, |at, _| end = Some(at))?;
            let Some(end) = end else { return Ok(None) };
            cursor.at = end;
            keyword = 0;
        }
        let from = cursor.at;
        let (end, _) = self.end(cursor, token)?;
        Ok(end.filter(|&end| self.accepts(cursor.text_between(from, end), keyword)).map(|end| from..end))
    }

    /// The longest secret around the keyword at `cursor`.
    fn around(&self, cursor: Cursor<'_>, before: &Pattern, token: &Pattern) -> Decision {
        let begins = |start: &usize| {
            let mut there = cursor;
            there.at = *start;
            (self.left == Side::Any || there.at_word_start()) && before.is_whole(cursor.text_between(*start, cursor.at))
        };
        let Some(start) = (cursor.word_before()..cursor.at).find(begins) else { return Ok(None) };
        let (end, _) = self.end(cursor, token)?;
        Ok(end.filter(|&end| self.accepts(cursor.text_between(start, end), 0)).map(|end| start..end))
    }

    fn near(
        &self,
        mut cursor: Cursor<'_>,
        anchor: usize,
        value: &Pattern,
        also: &[Box<[u8]>],
        within: usize,
    ) -> Decision {
        let keyword = cursor;
        let name = || keyword.at - keyword.behind().iter().rev().take_while(|b| in_name(**b)).count();
        cursor.at += anchor;
        let last = cursor.at + within;
        let (mut lines, mut effort) = (0, 0);
        while cursor.at <= last && lines < 2 && effort < EFFORT {
            // No match begins before a byte that stands in none.
            let far = value.no_match_for(cursor.ahead());
            let from = cursor.at;
            if far == 0 && cursor.at_word_start() && !cursor.behind().ends_with(b"\\") {
                let (end, read) = self.end(cursor, value)?;
                // Shorter tries may have been skipped, depending on how much was known.
                effort += if read - from < value.least() { 0 } else { read - from };
                if let Some(end) = end
                    && !is_part_of_code(cursor.text_between(from, end), cursor, end)?
                    && self.accepts(cursor.text_between(from, end), 0)
                    && contains(cursor.text_between(name(), from), also)
                {
                    return Ok(Some(from..end));
                }
            }
            if cursor.peek()?.is_none() {
                return Ok(None);
            }
            let skipped = &cursor.ahead()[..far.max(1)];
            lines += skipped.iter().filter(|&&byte| byte == b'\n').count();
            cursor.at += skipped.len();
        }
        Ok(None)
    }

    /// The end of the longest match with nothing of its word behind it, and how far was read. Punctuation at its end is
    /// that of the sentence, unless the match needs it.
    fn end(&self, cursor: Cursor<'_>, pattern: &Pattern) -> Result<(Option<usize>, usize), More> {
        let (mut clean, mut any) = (None, None);
        let hyphen = matches!(self.way, Way::Near { .. });
        let goes_on = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || (hyphen && b == b'-');
        let read = pattern.ends(cursor, |end, next| {
            if self.right == Side::Any || !next.is_some_and(goes_on) {
                any = Some(end);
                if !matches!(cursor.text_between(cursor.at, end), [.., b'.' | b'-' | b'/']) {
                    clean = Some(end);
                }
            }
        })?;
        Ok((clean.or(any), read))
    }

    /// Whether the conditions hold for `secret`, which begins with a keyword so long.
    fn accepts(&self, secret: &[u8], keyword: usize) -> bool {
        let body = secret.get(keyword..).filter(|body| !body.is_empty()).unwrap_or(secret);
        let filler = match self.way {
            Way::Token { .. } => check::is_blank(body),
            Way::Near { .. } => check::is_filler(body),
        };
        !filler
            && (!self.mixed || body.iter().any(u8::is_ascii_digit) && body.iter().any(u8::is_ascii_alphabetic))
            && (self.entropy <= 0.0 || check::entropy(body) >= self.entropy)
            && self.check.is_none_or(|check| check.holds(secret))
    }
}

/// `LoginTest4.java`, `0x9E3779B97F4A7C15`: a name that goes on or a number, near the keyword by chance.
fn is_part_of_code(value: &[u8], mut cursor: Cursor<'_>, end: usize) -> Result<bool, More> {
    if value.len() <= 18 && value.starts_with(b"0x") && value[2..].iter().all(u8::is_ascii_hexdigit) {
        return Ok(true);
    }
    cursor.at = end;
    if cursor.take(|b| b == b'.')?.is_none() {
        return Ok(false);
    }
    let ending = cursor.run(6, |b| b.is_ascii_lowercase())?.len();
    Ok((1..6).contains(&ending) && !cursor.peek()?.is_some_and(|b| b.is_ascii_alphanumeric()))
}

const fn in_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// Whether one of `words`, which are in lower case, stands in `text`; true without words.
fn contains(text: &[u8], words: &[Box<[u8]>]) -> bool {
    words.is_empty()
        || words.iter().any(|word| text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word)))
}
