//! Short texts without secrets: names of tools and sessions, reasons, titles. Most of them were looked at a moment ago.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::Gate;

/// Longer texts are looked at each time.
const SHORT_BYTES: usize = 256;
/// What is remembered is forgotten at so many; ids of calls, which never come again, are among them.
const MOST: usize = 1_024;

/// Texts in which one engine found nothing. None of them holds a value of the vault that this engine knows.
#[derive(Default)]
pub(super) struct Clean(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Which engine it was.
    generation: u64,
    texts: HashSet<Box<str>>,
}

impl Clean {
    fn has(&self, generation: u64, text: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.generation == generation && known.texts.contains(text)
    }

    fn put(&self, generation: u64, text: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.generation != generation || known.texts.len() >= MOST {
            *known = Known { generation, texts: HashSet::new() };
        }
        known.texts.insert(text.into());
    }
}

impl Gate {
    /// The text without secrets.
    pub(super) fn clean(&self, text: &str) -> String {
        let engine = self.parts.redaction.load();
        if text.len() > SHORT_BYTES {
            return engine.redact(text).text.into_owned();
        }
        if self.clean.has(engine.generation(), text) {
            return text.to_owned();
        }
        let redacted = engine.redact(text);
        if redacted.findings.is_empty() && redacted.text == text {
            self.clean.put(engine.generation(), text);
        }
        redacted.text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use wardkeep_policy::Level;

    use super::*;
    use crate::gate::tests::{SECRET, World};

    #[test]
    fn what_an_engine_found_nothing_in_is_searched_again_by_the_next_one() {
        let world = World::new(Level::Supervised);
        let gate = world.gate();
        world.unlearn();
        for _ in 0..2 {
            assert_eq!(gate.clean(SECRET), SECRET);
        }
        gate.parts.secrets.catch_up();
        for _ in 0..2 {
            assert_eq!(gate.clean(SECRET), "SECRET_REF(token)");
        }
    }

    #[test]
    fn it_keeps_no_more_than_it_may_and_nothing_of_another_engine() {
        let clean = Clean::default();
        clean.put(1, "a");
        assert!(clean.has(1, "a") && !clean.has(2, "a") && !clean.has(1, "b"));
        for number in 0..3 * MOST {
            clean.put(1, &number.to_string());
            assert!(clean.0.lock().unwrap().texts.len() <= MOST);
        }
        clean.put(2, "c");
        assert!(!clean.has(1, "a") && !clean.has(2, "a") && clean.has(2, "c"));
        assert_eq!(clean.0.lock().unwrap().texts.len(), 1);
    }
}
