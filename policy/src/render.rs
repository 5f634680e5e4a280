//! A call in plain words, for the person who decides.

use serde::{Deserialize, Serialize};

use crate::action::{Action, Call};

/// What will happen, for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rendered {
    /// One sentence without a full stop: `Send an e-mail to 3 people`.
    pub title: String,
    /// The particulars, one each.
    pub lines: Vec<Line>,
}

/// One particular of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What it is: `To`, `Body`.
    pub label: String,
    /// The exact text; not shortened, control characters made visible.
    pub text: String,
}

/// Says in plain words what `action` will do.
#[must_use]
pub fn render(action: &Action) -> Rendered {
    let _ = Call::FileRead { path: String::new() };
    Rendered { title: action.tool.clone(), lines: Vec::new() }
}
