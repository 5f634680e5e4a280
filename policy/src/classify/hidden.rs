//! What hides in quotes and in code of other languages, as far as it plainly says something Critical Red.

use std::collections::BTreeMap;

use super::Judge;
use crate::class::Class;
use crate::facts::{Facts, from_shell};

/// Programs whose operands decide whether they are critical.
const GRAVE: &[&str] = &["dd", "tee", "cp", "mv", "rm", "sed", "echo", "cat", "ln", "chmod", "chown"];

/// How many pieces of hidden code are looked at.
const MAX_HIDDEN: usize = 24;

impl Judge<'_> {
    /// What hides in code and quotes is Red whatever it says; where it plainly says something graver, that counts.
    pub(super) fn hidden(&mut self, facts: &Facts) {
        let class = self.fired.iter().map(|fired| fired.class).max();
        if class != Some(Class::Red) || self.nested {
            return;
        }
        let lines = facts
            .commands
            .iter()
            .map(|command| command.args.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" "));
        let mut left = MAX_HIDDEN;
        let texts: Vec<String> = lines.chain(facts.code.iter().map(|code| code.text.clone())).collect();
        for piece in
            texts.iter().flat_map(|text| text.split(['"', '\'', '`', '!', '|', ';', '(', ')', '{', '}', '\n', '&']))
        {
            let words: Vec<&str> = piece.split_whitespace().collect();
            for at in 0..words.len().saturating_sub(1) {
                let name = words[at].rsplit(['=', '/']).next().unwrap_or_default();
                if left == 0 || !GRAVE.contains(&name) && !self.rules.is_grave(name) {
                    continue;
                }
                left -= 1;
                let line = std::iter::once(name).chain(words[at + 1..].iter().copied()).collect::<Vec<_>>().join(" ");
                let mut inner = Judge { nested: true, ..Judge::new(self.rules, self.hosts, self.workspace) };
                inner.program(&BTreeMap::new(), |context| from_shell(&line, "", context));
                self.fired.extend(inner.fired.into_iter().filter(|fired| fired.class == Class::CriticalRed));
            }
        }
    }
}
