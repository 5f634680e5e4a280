//! From what a pack says to rules that work: everything is judged before anything is used.

use std::collections::HashSet;

use super::pack::{Additions, Allow, PackError, PackRule, Problem, Profile};
use super::pattern::Pattern;
use super::{Active, Allowed, Matcher, RuleSet, matcher::PackMatcher};
use crate::anchors::Anchors;
use crate::cursor::{BEFORE, in_before};
use crate::hits::Hit;
use crate::patterns::PatternScan;

/// More rules than this in one bundle are a mistake.
const MOST_RULES: usize = 2000;
/// Bytes of a keyword.
const KEYWORD: std::ops::RangeInclusive<usize> = 2..=64;

/// The rules of a bundle, each verified with its examples.
pub(super) fn rules(additions: &Additions) -> Result<Vec<Active>, PackError> {
    if additions.rules.len() > MOST_RULES {
        return Err(PackError::TooMany(MOST_RULES));
    }
    let mut ids = HashSet::new();
    additions
        .rules
        .iter()
        .map(|rule| {
            let problem = |problem| PackError::Rule { id: rule.id.clone(), problem };
            if !ids.insert(&rule.id) {
                return Err(problem(Problem::Twice));
            }
            verify(rule).map_err(problem)?;
            Ok(Active::from(rule))
        })
        .collect()
}

/// The allow-list of a bundle.
pub(super) fn allowed(entries: &[Allow]) -> Result<Vec<Allowed>, PackError> {
    (1..)
        .zip(entries)
        .map(|(entry, allow)| allow_entry(allow).map_err(|problem| PackError::Allow { entry, problem }))
        .collect()
}

fn allow_entry(allow: &Allow) -> Result<Allowed, Problem> {
    if allow.reason.trim().is_empty() {
        return Err(Problem::Reason);
    }
    let pattern = allow.regex.as_deref().map(Pattern::new);
    if let Some(pattern) = &pattern {
        pattern.verify().map_err(|reason| Problem::Pattern { which: "regex", reason })?;
    }
    if allow.value.is_some() == pattern.is_some() {
        return Err(Problem::OneOf("`value` and `regex`; to leave a rule out, name it in `disable`"));
    }
    Ok(Allowed { rule: allow.rule.clone(), value: allow.value.clone(), pattern })
}

/// Whether `rule` is well-formed and does what its examples say.
pub(super) fn verify(rule: &PackRule) -> Result<(), Problem> {
    form(rule)?;
    let active = Active::from(rule);
    if let Matcher::Pack(matcher) = &active.matcher {
        for (which, pattern, begins) in matcher.patterns() {
            pattern.verify().map_err(|reason| Problem::Pattern { which, reason })?;
            if which == "before" && !pattern.stays_within(BEFORE, in_before) {
                return Err(Problem::Pattern {
                    which,
                    reason: format!("at most {BEFORE} letters, digits and `_-.~+/`"),
                });
            }
            let stray = rule.keywords.iter().find(|keyword| begins && !pattern.can_begin_with(keyword.as_bytes()));
            if let Some(keyword) = stray {
                return Err(Problem::Beginning(keyword.clone(), which));
            }
        }
    }
    examples(rule, active)
}

fn form(rule: &PackRule) -> Result<(), Problem> {
    if !is_name(&rule.id) || !rule.kind.as_deref().is_none_or(is_name) {
        return Err(Problem::Name);
    }
    if rule.source.trim().is_empty() {
        return Err(Problem::Source);
    }
    if rule.token.is_some() == rule.near.is_some() {
        return Err(Problem::OneOf("`token` and `near`"));
    }
    if rule.near.is_some() && (rule.lead.is_some() || rule.before.is_some()) {
        return Err(Problem::Belongs("lead` and `before", "token"));
    }
    if rule.lead.is_some() && rule.before.is_some() {
        return Err(Problem::OneOf("`lead` and `before`, or neither"));
    }
    if rule.near.is_none() && (!rule.also.is_empty() || rule.within.is_some()) {
        return Err(Problem::Belongs("also` and `within", "near"));
    }
    if rule.within.is_some_and(|within| !(1..=200).contains(&within)) {
        return Err(Problem::Bounds("within", 1, 200));
    }
    if rule.entropy.is_some_and(|entropy| !(0.0..=8.0).contains(&entropy)) {
        return Err(Problem::Bounds("entropy", 0, 8));
    }
    if rule.keywords.is_empty() {
        return Err(Problem::NoKeyword);
    }
    let least = if rule.token.is_some() { 2 } else { 3 };
    let odd = |word: &&String| {
        word.len() < least || !KEYWORD.contains(&word.len()) || !word.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
    };
    if let Some(keyword) = rule.keywords.iter().find(odd) {
        return Err(Problem::Keyword(keyword.clone()));
    }
    if rule.also.iter().any(|word| !KEYWORD.contains(&word.len())) {
        return Err(Problem::Bounds("also", 2, 64));
    }
    if rule.matches.is_empty() { Err(Problem::NoExample) } else { Ok(()) }
}

fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text
            .split('-')
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

fn examples(rule: &PackRule, active: Active) -> Result<(), Problem> {
    let alone = Anchors::new(&RuleSet::of(vec![active.into()], Vec::new()));
    let finds = |text: &str| {
        let mut found: Vec<Hit> = Vec::new();
        PatternScan::new().push(&alone, text.as_bytes(), 0, true, &mut found);
        !found.is_empty()
    };
    for (n, text) in (1..).zip(&rule.matches) {
        if !finds(text) {
            return Err(Problem::Misses(n));
        }
    }
    for (n, text) in (1..).zip(&rule.ignores) {
        if finds(text) {
            return Err(Problem::Hits(n));
        }
    }
    Ok(())
}

impl From<&PackRule> for Active {
    fn from(rule: &PackRule) -> Self {
        Self {
            id: rule.id.as_str().into(),
            kind: rule.kind.as_deref().unwrap_or(&rule.id).into(),
            source: rule.source.as_str().into(),
            profile: rule.profile,
            anchors: rule.keywords.join("\n").into(),
            matcher: Matcher::Pack(PackMatcher::new(rule)),
        }
    }
}

/// Whether a rule of this profile applies when `profiles` are switched on.
pub(super) fn is_on(profile: Profile, profiles: &[Profile]) -> bool {
    profile == Profile::Secrets || profiles.contains(&profile)
}

#[cfg(test)]
mod tests;
