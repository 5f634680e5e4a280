//! Names that a text sets to stand for commands. One that no program has, and that the text does not use itself, does what its command
//! would: nothing yet.

use std::ops::Range;

use super::natures::Nature;
use super::scripts;
use super::shell::Walker;
use super::words::Word;

/// Words that a shell reads as its own, and takes for another all the same; sorted.
const RESERVED: &[&str] = &[
    "!", "[[", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "select",
    "then", "time", "until", "while", "{", "}",
];

/// One such name, and which commands are its own.
pub(super) struct Alias {
    name: String,
    own: Range<usize>,
}

impl Walker<'_> {
    /// Reads what each name stands for as a command; whether none of them is the name of a program.
    pub(super) fn aliases(&mut self, args: &[Word]) -> bool {
        let mut plain = !args.is_empty();
        for arg in args {
            let Some((name, value)) = arg.known().and_then(|text| text.split_once('=')) else {
                plain = false;
                continue;
            };
            let first = value.split_whitespace().next();
            let simple =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
            // A wrapper or a word of the shell is none of the commands that are read: that it is used would not be seen.
            let vanishes = RESERVED.binary_search(&name).is_ok() || Nature::of(name).starts_others();
            let other = (self.context.knows)(name) && first != Some(name);
            if !simple || name.starts_with('-') || vanishes || other {
                plain = false;
                continue;
            }
            let from = self.facts.commands.len();
            self.code(value);
            let own = from..self.facts.commands.len();
            self.aliased.push(Alias { name: name.to_owned(), own });
        }
        plain
    }

    /// Once everything is read: a name that is used is another program than it looks like.
    pub(super) fn settle_aliases(&mut self) {
        if self.aliased.is_empty() {
            return;
        }
        let commands = &self.facts.commands;
        let used = self.aliased.iter().any(|alias| {
            commands.iter().enumerate().any(|(at, command)| command.program == alias.name && !alias.own.contains(&at))
        });
        if used {
            let aliases = self.facts.commands.iter_mut().filter(|command| command.program == "alias");
            aliases.for_each(|command| command.script.retain(|effect| *effect != scripts::ALIASED));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(RESERVED.is_sorted_by(|a, b| a < b), "{RESERVED:?}");
    }
}
