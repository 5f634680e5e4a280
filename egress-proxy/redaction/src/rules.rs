//! Rules for secrets of known formats: a net under the vault's values, which must be precise before it is wide.

mod assignment;
mod judge;
mod shapes;
mod structures;

use std::sync::Arc;

use crate::cursor::{Cursor, Decision};
use shapes::Shape;

/// The rules an engine applies beside the vault's values. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RuleSet(Arc<[Rule]>);

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// What stands in the placeholder.
    pub(crate) kind: &'static str,
    /// Any of these, in any case, makes the rule look.
    pub(crate) anchors: &'static [&'static str],
    pub(crate) matcher: Matcher,
}

/// How a rule decides.
#[derive(Debug)]
pub(crate) enum Matcher {
    /// A fixed beginning, then characters of one set.
    Shape(Shape),
    /// `eyJ….eyJ….…`
    Jwt,
    /// `-----BEGIN … PRIVATE KEY-----` to its end.
    Pem,
    /// The password in `scheme://user:password@host`.
    UserInfo,
    /// The credential of an Authorization header.
    Authorization,
    /// `password = value` in its many spellings.
    Assignment(assignment::Keyword),
}

impl Matcher {
    /// Decides about the anchor at `cursor`, `anchor` bytes long.
    pub(crate) fn decide(&self, cursor: Cursor<'_>, anchor: usize) -> Decision {
        match self {
            Self::Shape(shape) => shape.decide(cursor),
            Self::Jwt => structures::jwt(cursor),
            Self::Pem => structures::pem(cursor),
            Self::UserInfo => structures::user_info(cursor, anchor),
            Self::Authorization => structures::authorization(cursor, anchor),
            Self::Assignment(keyword) => assignment::decide(cursor, anchor, *keyword),
        }
    }
}

impl RuleSet {
    /// The rules we ship.
    #[must_use]
    pub fn builtin() -> Self {
        let structures = [
            Rule { kind: "jwt", anchors: &["eyJ"], matcher: Matcher::Jwt },
            Rule { kind: "private-key", anchors: &["-----BEGIN "], matcher: Matcher::Pem },
            Rule { kind: "url-password", anchors: &["://"], matcher: Matcher::UserInfo },
            Rule { kind: "authorization", anchors: &["authorization", "bearer "], matcher: Matcher::Authorization },
        ];
        Self(shapes::rules().chain(structures).chain(assignment::rules()).collect())
    }

    /// No rules: vault values only.
    #[must_use]
    pub fn none() -> Self {
        Self(Arc::new([]))
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.0
    }
}

#[cfg(test)]
mod tests;
