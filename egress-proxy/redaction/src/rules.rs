//! Rules for secrets of known formats: a net under the vault's values, which must be precise before it is wide.

mod assignment;
mod builtin;
pub(crate) mod check;
mod judge;
mod load;
mod matcher;
pub(crate) mod pack;
mod pattern;
pub(crate) mod signs;
mod structures;

use std::collections::HashSet;
use std::sync::Arc;

use crate::byteset::ByteSet;
use crate::cursor::{Cursor, Decision};
use pack::{Additions, PackError, Profile};
use pattern::Pattern;

/// The rules an engine applies beside the vault's values. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RuleSet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rules: Vec<Arc<Active>>,
    allowed: Vec<Allowed>,
}

/// A rule that is code.
struct Rule {
    /// Its id, and what stands in the placeholder.
    kind: &'static str,
    /// Any of these, in any case, makes the rule look.
    anchors: &'static [&'static str],
    matcher: Matcher,
}

/// One rule in use.
#[derive(Debug)]
pub(crate) struct Active {
    id: Box<str>,
    /// What stands in the placeholder.
    pub(crate) kind: Box<str>,
    source: Box<str>,
    profile: Profile,
    /// Any of these, in any case, makes the rule look. Each is a line: one by one thousands of them take four times the room.
    anchors: Box<str>,
    pub(crate) matcher: Matcher,
}

impl Active {
    /// What makes the rule look, in any case.
    pub(crate) fn anchors(&self) -> impl Iterator<Item = &str> {
        self.anchors.lines()
    }
}

/// How a rule decides.
#[derive(Debug)]
pub(crate) enum Matcher {
    /// An expression from a pack.
    Pack(matcher::PackMatcher),
    /// `eyJ….eyJ….…`
    Jwt,
    /// `-----BEGIN … PRIVATE KEY-----` to its end.
    Pem,
    /// The password in `scheme://user:password@host`.
    UserInfo,
    /// The values of a Cookie or Set-Cookie header.
    Cookie,
    /// The credential of an Authorization header.
    Authorization,
    /// `password = value` in its many spellings.
    Assignment(assignment::Keyword),
}

impl Matcher {
    /// Whether only this spelling of a keyword can lead to a find. May say no where it is so.
    pub(crate) fn reads_only(&self, keyword: &[u8]) -> bool {
        match self {
            Self::Pack(matcher) => matcher.reads_only(keyword),
            _ => false,
        }
    }

    /// Whether a keyword that goes on as `text` does can lead to a find.
    pub(crate) fn may_begin(&self, text: &[u8]) -> bool {
        match self {
            Self::Pack(matcher) => matcher.may_begin(text),
            Self::Assignment(_) => assignment::may_begin(text),
            _ => true,
        }
    }

    /// The most bytes between the beginning of an anchor that is so long and the run of signs that every find holds
    /// ([`signs`]); `None` if one may hold none.
    pub(crate) fn before_run(&self, anchor: usize) -> Option<usize> {
        match self {
            Self::Pack(matcher) => matcher.before_run(anchor),
            _ => None,
        }
    }

    /// Whether a find may begin before its anchor.
    pub(crate) fn reaches_back(&self) -> bool {
        matches!(self, Self::Pack(matcher) if matcher.reaches_back())
    }

    /// Whether it finds only what begins a word with its anchor.
    pub(crate) fn begins_word(&self) -> bool {
        matches!(self, Self::Pack(matcher) if matcher.begins_word())
    }

    /// The bytes that can follow an anchor for a find.
    pub(crate) fn after(&self, anchor: &[u8]) -> ByteSet {
        match self {
            Self::Pack(matcher) => matcher.after(anchor),
            Self::UserInfo => structures::IN_USER_INFO,
            Self::Assignment(_) => assignment::after(anchor),
            Self::Jwt | Self::Pem | Self::Cookie | Self::Authorization => ByteSet::ALL,
        }
    }

    /// The bytes that can follow `text`, which begins with an anchor or is one, for a find. Some that cannot may be among them;
    /// needs no automaton.
    pub(crate) fn follows(&self, text: &[u8]) -> ByteSet {
        match self {
            Self::Pack(matcher) => matcher.follows(text),
            Self::UserInfo => structures::IN_USER_INFO,
            Self::Assignment(_) => assignment::follows(text),
            Self::Jwt | Self::Pem | Self::Cookie | Self::Authorization => ByteSet::ALL,
        }
    }

    /// For what stands near its anchor: its bytes, its least length, how far from the anchor it begins at most.
    pub(crate) fn near_by(&self) -> Option<(ByteSet, usize, usize)> {
        match self {
            Self::Pack(matcher) => matcher.near_by(),
            _ => None,
        }
    }

    /// Decides about the anchor at `cursor`, `anchor` bytes long.
    pub(crate) fn decide(&self, cursor: Cursor<'_>, anchor: usize) -> Decision {
        match self {
            Self::Pack(matcher) => matcher.decide(cursor, anchor),
            Self::Jwt => structures::jwt(cursor),
            Self::Pem => structures::pem(cursor),
            Self::UserInfo => structures::user_info(cursor, anchor),
            Self::Cookie => structures::cookie(cursor, anchor),
            Self::Authorization => structures::authorization(cursor, anchor),
            Self::Assignment(keyword) => assignment::decide(cursor, anchor, *keyword),
        }
    }
}

/// A find that stays.
#[derive(Debug)]
struct Allowed {
    rule: Option<String>,
    value: Option<String>,
    pattern: Option<Pattern>,
}

/// What is known of a rule in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleInfo<'a> {
    /// Its id.
    pub id: &'a str,
    /// What stands in its placeholders.
    pub kind: &'a str,
    /// Who states the format.
    pub source: &'a str,
    /// The group it belongs to.
    pub profile: Profile,
}

impl RuleSet {
    /// The rules we ship, profile `secrets`.
    #[must_use]
    pub fn builtin() -> Self {
        Self::of(Self::shipped(&Additions::default()), Vec::new())
    }

    /// The rules we ship with what a bundle says about them.
    ///
    /// # Errors
    /// [`PackError`] names the rule or entry that does not do what it says.
    pub fn builtin_with(additions: &Additions) -> Result<Self, PackError> {
        let mut rules = Self::shipped(additions);
        rules.extend(load::rules(additions)?.into_iter().map(Arc::new));
        Ok(Self::of(rules, load::allowed(&additions.allow)?))
    }

    /// No rules: vault values only.
    #[must_use]
    pub fn none() -> Self {
        Self::of(Vec::new(), Vec::new())
    }

    /// The rules in use, in order of their names.
    #[must_use]
    pub fn list(&self) -> Vec<RuleInfo<'_>> {
        let rules = self.0.rules.iter();
        let mut list: Vec<RuleInfo<'_>> = rules
            .map(|rule| RuleInfo { id: &rule.id, kind: &rule.kind, source: &rule.source, profile: rule.profile })
            .collect();
        list.sort_by_key(|rule| rule.id);
        list
    }

    pub(crate) fn rules(&self) -> &[Arc<Active>] {
        &self.0.rules
    }

    /// Whether a rule's placeholders name this kind.
    pub(crate) fn knows(&self, kind: &[u8]) -> bool {
        self.0.rules.iter().any(|rule| rule.kind.as_bytes() == kind)
    }

    /// Whether what `rule` found is to stay.
    pub(crate) fn allows(&self, rule: &Active, found: &[u8]) -> bool {
        self.0.allowed.iter().any(|allowed| {
            allowed.rule.as_deref().is_none_or(|id| *id == *rule.id)
                && allowed.value.as_deref().is_none_or(|value| value.as_bytes() == found)
                && allowed.pattern.as_ref().is_none_or(|pattern| pattern.is_whole(found))
        })
    }

    /// The rules as they are written, for tests of what lies beneath them.
    #[cfg(test)]
    pub(crate) fn unverified(additions: &Additions) -> Self {
        Self::of(additions.rules.iter().map(|rule| Arc::new(Active::from(rule))).collect(), Vec::new())
    }

    fn of(rules: Vec<Arc<Active>>, allowed: Vec<Allowed>) -> Self {
        Self(Arc::new(Inner { rules, allowed }))
    }

    fn shipped(additions: &Additions) -> Vec<Arc<Active>> {
        let disabled: HashSet<&str> = additions.disable.iter().map(|entry| entry.id.as_str()).collect();
        let on = |rule: &&Arc<Active>| load::is_on(rule.profile, &additions.profiles) && !disabled.contains(&*rule.id);
        builtin::rules().iter().filter(on).cloned().collect()
    }
}

/// Whether a value with this name can be a secret because of it.
pub(crate) fn may_name_a_secret(name: &[u8]) -> bool {
    assignment::may_name_a_secret(name)
}

#[cfg(test)]
mod tests;
