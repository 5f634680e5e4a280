//! From facts to a class: the maximum over every rule that matches.

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::bundle::Bundle;
use crate::class::Class;

/// One rule that matched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fired {
    /// The rule's id, e.g. `git.push`.
    pub rule: String,
    /// Why it counts, for people.
    pub reason: String,
    /// What it demands.
    pub class: Class,
}

/// The class of a call and the rules that gave it, gravest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct Verdict {
    /// The maximum over `fired`.
    pub class: Class,
    /// Every rule that matched, gravest first; never empty.
    pub fired: Vec<Fired>,
}

/// Classifies one call by the bundle's rules.
///
/// Pure. What cannot be read is Red, a program or tool that no rule knows is Yellow.
pub fn classify(action: &Action, bundle: &Bundle) -> Verdict {
    let _ = (action, bundle);
    Verdict {
        class: Class::Red,
        fired: vec![Fired { rule: "none".into(), reason: "not classified".into(), class: Class::Red }],
    }
}
