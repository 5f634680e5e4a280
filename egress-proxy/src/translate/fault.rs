//! Why something was not translated, and where it stands.

use std::fmt;

/// Levels of nesting that are read; the redaction of requests refuses at the same bound.
pub(super) const DEPTH: usize = 128;

/// What cannot be said in the other API, or was not said rightly in its own. The texts hold names of fields and numbers of
/// elements, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Untranslatable {
    /// One of the two is an API that is not translated.
    #[error("these two APIs are not translated into each other; ask for a model that is offered in your API")]
    Pair,
    #[error("it is not one JSON object in UTF-8")]
    NotJson,
    #[error("it is nested deeper than {DEPTH} levels")]
    TooDeep,
    #[error("`{0}` is missing")]
    Missing(Place),
    #[error("`{0}` has the wrong type or an impossible value")]
    Malformed(Place),
    /// Readers differ in which of two equal keys counts.
    #[error("`{0}` stands twice")]
    Twice(Place),
    #[error(
        "`{0}` has no counterpart in the API of this model; leave it out, or ask for a model that is offered in your API"
    )]
    NoCounterpart(Place),
    #[error("`{0}` is not known to this version, so it cannot be carried over; leave it out")]
    Unknown(Place),
    #[error("`{0}` stands where the other API cannot have it")]
    Order(Place),
    #[error("one of its events is too long")]
    TooLong,
    #[error("its calls come by turns, and more of them than can wait for the first one")]
    ByTurns,
    #[error("it broke off before its end")]
    Cut,
}

impl Untranslatable {
    /// The stable name, for records and tests.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::NotJson => "not-json",
            Self::TooDeep => "too-deep",
            Self::Missing(_) => "missing",
            Self::Malformed(_) => "malformed",
            Self::Twice(_) => "twice",
            Self::NoCounterpart(_) => "no-counterpart",
            Self::Unknown(_) => "unknown-field",
            Self::Order(_) => "order",
            Self::TooLong => "too-long",
            Self::ByTurns => "by-turns",
            Self::Cut => "cut",
        }
    }

    /// The same of an answer, where the caller can do nothing about a field.
    pub(crate) fn of_answer(&self) -> String {
        const TOLD: &str = "the provider's answer cannot be told in your API";
        match self {
            Self::Missing(place)
            | Self::Malformed(place)
            | Self::Twice(place)
            | Self::NoCounterpart(place)
            | Self::Unknown(place)
            | Self::Order(place) => format!("{TOLD} ({} at `{place}`)", self.code()),
            Self::Pair | Self::NotJson | Self::TooDeep | Self::TooLong | Self::ByTurns | Self::Cut => {
                format!("{TOLD}: {self}")
            }
        }
    }
}

/// The way to a field, such as `messages[3].content[0].image_url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place(String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place while it is walked to; costs nothing until it is told.
#[derive(Clone, Copy)]
pub(super) struct At<'p> {
    before: Option<&'p At<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

impl<'p> At<'p> {
    pub(super) const ROOT: At<'static> = At { before: None, step: Step::Root };

    pub(super) fn key(&'p self, key: &'p str) -> Self {
        Self { before: Some(self), step: Step::Key(key) }
    }

    pub(super) fn index(&'p self, index: usize) -> Self {
        Self { before: Some(self), step: Step::Index(index) }
    }

    pub(super) fn place(&self) -> Place {
        let mut told = String::new();
        self.tell(&mut told);
        Place(told)
    }

    fn tell(&self, told: &mut String) {
        if let Some(before) = self.before {
            before.tell(told);
        }
        match self.step {
            Step::Root => {}
            Step::Key(key) => {
                if !told.is_empty() {
                    told.push('.');
                }
                told.push_str(if is_name(key) { key } else { "(a field)" });
            }
            Step::Index(index) => told.push_str(&format!("[{index}]")),
        }
    }
}

/// Whether a key can be told: names of fields are short words, anything else may be a value in the wrong place.
fn is_name(key: &str) -> bool {
    (1..=40).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
