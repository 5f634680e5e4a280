//! Rules as data: what a pack of rules says, in TOML in this repository and in canonical JSON in a bundle.
//!
//! The words of a rule are explained in docs/policy.md, "Redaction rules".

use serde::{Deserialize, Serialize};

use super::check::Check;

/// What a bundle adds to the rules we ship. Empty by default: the shipped rules, profile `secrets`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Additions {
    /// Groups of shipped rules to switch on beside `secrets`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Profile>,
    /// More rules. They always apply, whatever their profile.
    #[serde(alias = "rule", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<PackRule>,
    /// Finds of rules that stay in the text. A vault value is never among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Allow>,
    /// Shipped rules to leave out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disable: Vec<Disable>,
}

impl Additions {
    /// Whether only the shipped rules apply.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads TOML, all of it these additions or one table `redaction` as in a policy; says nothing yet about whether the rules work, which [`crate::RuleSet::builtin_with`] does.
    ///
    /// # Errors
    /// [`PackError::Toml`].
    pub fn from_toml(text: &str) -> Result<Self, PackError> {
        // As in a policy, or by itself.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct OfPolicy {
            redaction: Additions,
        }
        // Reading takes milliseconds: the shipped packs, which name no such table, are read once.
        let table = text.contains("redaction").then(|| text.parse::<toml::Table>().ok()).flatten();
        let read = || match table {
            Some(table) if table.contains_key("redaction") => {
                toml::from_str::<OfPolicy>(text).map(|policy| policy.redaction)
            }
            _ => toml::from_str(text),
        };
        // The message alone: serde's text quotes the line, which may be an example of a secret.
        read().map_err(|e| {
            let at = e.span().map_or(0, |span| span.start);
            let line = 1 + text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count();
            PackError::Toml { line, problem: e.message().to_owned() }
        })
    }
}

/// A group of shipped rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Credentials: always on.
    #[default]
    Secrets,
    /// Cards and bank accounts: on by bundle.
    Personal,
}

/// One rule: a `token` that begins with a keyword, or a value that stands `near` one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackRule {
    /// Kebab-case and unique in its pack.
    pub id: String,
    /// What stands in the placeholder; the id when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Who states the format: the vendor's page, an RFC.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The group it belongs to.
    #[serde(default, skip_serializing_if = "is_secrets")]
    pub profile: Profile,
    /// ASCII, found in any case: 3 bytes or more, 2 for a `token`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// The secret, which begins at the keyword, or right after `lead`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What begins at the keyword and stays, before `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<String>,
    /// What belongs to the secret and stands before the keyword, where its word begins: letters, digits and
    /// `_-.~+/`, 80 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The secret, a whole word after the keyword.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<String>,
    /// With `near`: one of these stands in the keyword's own word or between it and the value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// With `near`: bytes between keyword and value at most; 40 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<u16>,
    /// What may stand before the keyword; `word` for a token and `any` for near when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Side>,
    /// What may stand after the secret; `word` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<Side>,
    /// Least Shannon entropy of the secret after its keyword, in bits per character; 0 for a token and 2.5 for near when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
    /// Whether the secret after its keyword holds a digit and a letter; no for a token and yes for near when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed: Option<bool>,
    /// What its characters must satisfy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// Texts in which this rule alone finds a secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<String>,
    /// Texts in which it finds none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignores: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_secrets(profile: &Profile) -> bool {
    *profile == Profile::Secrets
}

/// A side of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Nothing that belongs to a word.
    Word,
    /// Anything.
    Any,
}

/// What a rule finds and must leave: exactly one of `value` and `regex`, by every rule or by `rule` alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Exactly this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// All of it matches this; the syntax is that of rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// Found by this rule; by any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why, for those who read the policy.
    pub reason: String,
}

/// A shipped rule that is left out. An id that no rule has (any more) changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disable {
    /// The rule.
    pub id: String,
    /// Why, for those who read the policy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Why rules were refused. Never contains an example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// No TOML, or not of this form.
    #[error("line {line} of the rules: {problem}")]
    Toml {
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        problem: String,
    },
    /// One rule.
    #[error("redaction rule {id}: {problem}")]
    Rule {
        /// Which.
        id: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// One entry of the allow-list.
    #[error("redaction allow entry {entry}: {problem}")]
    Allow {
        /// Counted from 1.
        entry: usize,
        /// What is wrong with it.
        problem: Problem,
    },
    /// More than fit.
    #[error("more than {0} redaction rules; remove some")]
    TooMany(usize),
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Of id or kind.
    #[error("id and kind are lower-case words joined by hyphens, 64 characters at most")]
    Name,
    /// Twice in one pack.
    #[error("the id is used twice")]
    Twice,
    /// Nobody states the format.
    #[error("add `source`: the page that states the format")]
    Source,
    /// Nobody says why.
    #[error("add `reason`")]
    Reason,
    /// Nothing to look for.
    #[error("add `keywords`")]
    NoKeyword,
    /// Cannot be looked for.
    #[error("keyword {0:?} must be printable ASCII of 3 to 64 bytes; 2 bytes do for a `token`")]
    Keyword(String),
    /// Would never be found.
    #[error("`{1}` cannot begin with the keyword {0:?}")]
    Beginning(String, &'static str),
    /// Not one way to match.
    #[error("give exactly one of {0}")]
    OneOf(&'static str),
    /// A word for the other way to match.
    #[error("`{0}` belongs to `{1}`")]
    Belongs(&'static str, &'static str),
    /// Out of bounds.
    #[error("`{0}` must be between {1} and {2}")]
    Bounds(&'static str, u16, u16),
    /// The expression is none, or one that cannot be bounded.
    #[error("`{which}`: {reason}")]
    Pattern {
        /// Which expression.
        which: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// No proof that it works.
    #[error("add an example to `matches`")]
    NoExample,
    /// An example of what it finds.
    #[error("it finds nothing in example {0} of `matches`")]
    Misses(usize),
    /// An example of what it leaves.
    #[error("it finds something in example {0} of `ignores`")]
    Hits(usize),
}
