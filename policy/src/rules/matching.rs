//! Whether one rule holds for one fact.

use std::borrow::Cow;

use super::sieve::{Shown, Sieve};
use super::{Rule, Texts, order};
use crate::facts::args::Parsed;
use crate::facts::paths::{Access, Place, Resolved};
use crate::facts::tool::Tool;
use crate::facts::{Code, Command};

/// One HTTP request as rules see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpCall<'a> {
    /// Upper case.
    pub(crate) method: String,
    /// `own`, `known`, `unlisted`, `metadata`.
    pub(crate) host: &'static str,
    /// Its name.
    pub(crate) server: &'a str,
    /// Path and query, percent-decoded.
    pub(crate) path: &'a str,
    /// What is sent.
    pub(crate) body: &'a str,
}

/// One fact, commands apart.
pub(crate) enum Subject<'a> {
    /// A path, where it lies, its lists, and whether all of a folder is meant.
    Path { access: Access, resolved: &'a Resolved, lists: &'a std::collections::BTreeSet<&'a str>, written: &'a str },
    /// A variable that is set, and its value as far as that is known.
    Env { name: &'a str, value: &'a str },
    /// Inline code.
    Code(&'a Code),
    /// A request.
    Http(&'a HttpCall<'a>),
    /// An unknown tool's name and arguments.
    Tool(&'a Tool),
    /// A message.
    Message,
}

impl Rule {
    /// Whether the rule fires for that fact.
    pub(crate) fn holds(&self, subject: &Subject<'_>) -> bool {
        match subject {
            Subject::Path { access, resolved, lists, written } => {
                self.access.contains(access)
                    && (self.path.is_empty()
                        || self.path.iter().any(|name| lists.contains(name) || computed(name, resolved, written)))
            }
            Subject::Env { name, value } => named(&self.env, name) && self.contains_in([*value]),
            Subject::Code(code) => {
                self.code.iter().any(|language| language == code.language) && self.contains_in([&*code.text])
            }
            Subject::Http(call) => {
                self.method.iter().any(|m| m == "*" || *m == call.method)
                    && (self.host.is_empty() || self.host.iter().any(|h| h == call.host))
                    && (self.server.is_empty() || self.server.iter().any(|name| fits(name, call.server)))
                    && self.contains_in([call.path])
                    && (self.body.is_empty() || contains(&self.body, call.body))
            }
            Subject::Tool(tool) => {
                self.tool.iter().any(|word| word == "*" || tool.words.iter().any(|own| own == word))
                    && !self.without_tool.iter().any(|word| tool.words.iter().any(|own| own == word))
                    && (self.argument.is_empty() || self.argument.iter().any(|pattern| has_argument(pattern, tool)))
            }
            Subject::Message => self.message,
        }
    }

    /// Whether the rule fires for that command, which its sieve lets pass; what the sieve keeps back is not looked at.
    pub(super) fn holds_for(&self, command: &Command, parsed: &Parsed<'_>, sieve: &Sieve, shown: &Shown) -> bool {
        let has = |option: &str| match option.contains('*') {
            true => parsed.options.iter().any(|(name, _)| fits_option(option, name)),
            false => parsed.has(option) || command.script.contains(&option),
        };
        let an_operand = |pattern: &str| parsed.operands.iter().any(|operand| fits(pattern, &operand.text));
        let [sub, operand, without_operand, option, without] = sieve.sift(self);
        (sub.is_empty() || sub.any(shown.operands, |sub| order::is_given(sub, self.class, parsed)))
            && (option.is_empty() || option.any(shown.options, has))
            && !without.any(shown.options, has)
            && (operand.is_empty() || operand.any(shown.operands, an_operand))
            && !without_operand.any(shown.operands, an_operand)
            && self.min_operands.is_none_or(|least| parsed.operands.len() >= least)
            && self.max_operands.is_none_or(|most| parsed.operands.len() <= most)
            && (self.contains.is_empty()
                || sieve.contains(shown) && self.contains_in(command.args.iter().map(|word| word.text.as_str())))
    }

    fn contains_in<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> bool {
        self.contains.is_empty() || texts.into_iter().any(|text| contains(&self.contains, text))
    }
}

/// Whether `text` holds one of the parts, without regard to case and to the kind and number of blanks.
fn contains(parts: &Texts, text: &str) -> bool {
    let text = lower(text);
    let found = |text: &str| parts.iter().any(|part| text.contains(&*lower(part)));
    found(&text)
        || (text.contains(['\n', '\t', '\r']) || text.contains("  "))
            && found(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// In lower case; what is written so already is not copied.
pub(super) fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) { text.to_ascii_lowercase().into() } else { text.into() }
}

/// `name`, or `name=value`, `*` at either end of both.
fn has_argument(pattern: &str, tool: &Tool) -> bool {
    let (name, value) = pattern.split_once('=').unwrap_or((pattern, "*"));
    tool.arguments
        .iter()
        .any(|argument| argument.split_once('=').is_some_and(|(given, is)| fits(name, given) && fits(value, is)))
}

/// Whether one of the patterns fits, and none behind `!`.
fn named(patterns: &Texts, name: &str) -> bool {
    let excepted = |pattern: &str| pattern.strip_prefix('!').is_some_and(|rest| fits(rest, name));
    patterns.iter().any(|pattern| fits(pattern, name)) && !patterns.iter().any(excepted)
}

fn computed(name: &str, resolved: &Resolved, written: &str) -> bool {
    match name {
        "workspace" => resolved.place == Place::Workspace,
        "outside" => resolved.place == Place::Outside,
        "unknown" => resolved.place == Place::Unknown,
        "folder" => written.ends_with('/'),
        "everything" => {
            matches!(resolved.text.as_str(), "/" | "/*" | "~" | "~/*" | "" | "*" | "..") || is_top(&resolved.text)
        }
        _ => false,
    }
}

/// `/etc`, `/usr/*`: a folder right below the root.
fn is_top(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|rest| !rest.trim_end_matches("/*").contains('/'))
}

/// Whether a given option fits a pattern such as `--*-hook*`; one that switches something off never does.
fn fits_option(pattern: &str, given: &str) -> bool {
    const OFF: &[&str] = &["--no-", "--ignore-", "--skip-", "--disable-", "--without-", "--exclude-"];
    let (start, rest) = pattern.split_once('*').unwrap_or((pattern, ""));
    let Some(behind) = given.strip_prefix(start) else { return false };
    let rest_fits = match rest.strip_suffix('*') {
        Some(middle) => behind.contains(middle),
        None => behind.ends_with(rest),
    };
    rest_fits && !OFF.iter().any(|off| given.starts_with(off))
}

/// A text with `*` at its start or end, or once within, for anything, or without `*` and with `?` for one character.
pub(super) enum Pattern<T> {
    Any,
    Holds(T),
    Ends(T),
    Starts(T),
    /// Start and end.
    Both(T, T),
    Marks(T),
    Exactly(T),
}

impl<'p, T: AsRef<str> + From<&'p str>> Pattern<T> {
    /// Reads it once.
    pub(super) fn new(pattern: &'p str) -> Self {
        match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            (Some(""), _) => Self::Any,
            (Some(end), Some(_)) => Self::Holds(end.strip_suffix('*').unwrap_or(end).into()),
            (Some(end), None) => Self::Ends(end.into()),
            (None, Some(start)) => Self::Starts(start.into()),
            (None, None) => match pattern.split_once('*') {
                Some((start, end)) => Self::Both(start.into(), end.into()),
                None if pattern.contains('?') => Self::Marks(pattern.into()),
                None => Self::Exactly(pattern.into()),
            },
        }
    }
}

impl<T: AsRef<str>> Pattern<T> {
    /// Whether `text` is one of those.
    pub(super) fn fits(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Holds(middle) => text.contains(middle.as_ref()),
            Self::Ends(end) => text.ends_with(end.as_ref()),
            Self::Starts(start) => text.starts_with(start.as_ref()),
            Self::Both(start, end) => {
                let (start, end) = (start.as_ref(), end.as_ref());
                text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
            }
            Self::Marks(pattern) => {
                let pattern = pattern.as_ref();
                pattern.len() == text.len() && pattern.bytes().zip(text.bytes()).all(|(p, t)| p == b'?' || p == t)
            }
            Self::Exactly(pattern) => text == pattern.as_ref(),
        }
    }
}

/// Whether `text` is `pattern`, see [`Pattern`].
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    // Most begin with a plain sign, and a text that begins with another is none of them.
    let first = pattern.as_bytes().first();
    if first.is_some_and(|byte| !matches!(byte, b'*' | b'?')) && text.as_bytes().first() != first {
        return false;
    }
    Pattern::<&str>::new(pattern).fits(text)
}
