//! What was seen in a call, for people.

use serde::{Deserialize, Serialize};

use super::Judge;
use crate::facts::{Command, OPAQUE};

/// A command as a person would read it.
pub(super) fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.program.as_str()).chain(command.args.iter().map(|arg| arg.text.as_str()));
    let mut line = words.collect::<Vec<_>>().join(" ");
    if command.more {
        line.push_str(" …");
    }
    if !command.wrappers.is_empty() {
        line.push_str(&format!("  (through {})", command.wrappers.join(", ")));
    }
    line
}

/// Characters of a thing that was seen.
const MAX_SEEN: usize = 160;

/// One thing that was seen in a call, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What kind of thing: `runs`, `reads`, `writes`, `deletes`, `sets`, `code`, `asks`.
    pub what: String,
    /// The thing, shortened.
    pub text: String,
}

impl Judge<'_> {
    pub(super) fn sees(&self, what: &str, text: impl FnOnce() -> String) {
        let Some(seen) = self.seen else { return };
        let text = text().replace(OPAQUE, "…").replace('\n', "\\n");
        let short: String = text.chars().take(MAX_SEEN).collect();
        let text = if short.len() < text.len() { format!("{short}…") } else { short };
        let one = Seen { what: what.to_owned(), text };
        if !seen.borrow().contains(&one) {
            seen.borrow_mut().push(one);
        }
    }
}
