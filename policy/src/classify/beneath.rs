//! Programs that read all that lies beneath a folder: as grave as to read the gravest of it, where it is known what that is.

use super::Judge;
use crate::class::Class;
use crate::facts::args::Parsed;
use crate::facts::paths::{Access, Place, resolve};
use crate::facts::{Command, Word};
use crate::rules::Syntax;

/// Options with which only names and numbers are printed.
const NAMES_ALONE: &[&str] = &[
    "-l",
    "-L",
    "-c",
    "-q",
    "--files-with-matches",
    "--files-without-match",
    "--count",
    "--quiet",
    "--silent",
    "--files",
];
/// Signs of patterns that stand for something else.
const SIGNS: &[char] = &['.', '*', '^', '$', '+', '?', '(', ')', '{', '}', '\u{fffc}'];

impl Judge<'_> {
    /// Judges a command that reads what lies beneath its operands, if it is one.
    pub(super) fn beneath(&mut self, command: &Command, syntax: &Syntax, parsed: &Parsed<'_>) {
        let given = |option: &str| match option.split_once('=') {
            _ if option == "*" => true,
            Some((name, value)) => parsed.values(name).any(|word| word.text == value),
            None => parsed.has(option),
        };
        if !syntax.recursive.iter().any(given) {
            return;
        }
        let skip = if syntax.no_skip.iter().any(|option| parsed.has(option)) { 0 } else { syntax.skip };
        let folders = parsed.operands.get(skip..).unwrap_or_default();
        let here = Word::literal(".");
        let cwd = command.cwd.as_deref();
        let folders = if folders.is_empty() && !parsed.opaque {
            self.path(Access::Read, &here, cwd);
            &[&here]
        } else {
            folders
        };
        let mut all = false;
        for folder in folders {
            all |= self.holds_secrets(&folder.text, cwd);
            // In the workspace what is looked for counts: a pattern that fits whatever there is looks for nothing.
            let prints = syntax.skip > 0 && !NAMES_ALONE.iter().any(|option| parsed.has(option));
            let own = resolve(&folder.text, cwd, self.workspace).text;
            if prints && matches!(&*own, "" | "." | "*" | ".*") && fits_everything(syntax, parsed) {
                all = true;
            }
        }
        if all {
            self.built_in("path.read-beneath", "It reads all beneath a folder in which secrets lie", Class::Yellow);
        }
    }

    /// What a pattern may stand for in a folder in which secrets lie, and `git grep` where the folder is such a one.
    pub(super) fn by_pattern(&mut self, command: &Command, parsed: &Parsed<'_>) {
        let cwd = command.cwd.as_deref();
        let wild = |word: &&Word| word.glob && !word.has_opaque();
        let mut found = command.args.iter().filter(wild).any(|word| {
            let from = word.text.find(['*', '?', '[']).unwrap_or_default();
            let slash = word.text[..from].rfind('/').map_or(0, |slash| slash + 1);
            let (folder, rest) = word.text.split_at(slash);
            let part = rest.split('/').next().unwrap_or_default();
            self.rules.may_name_secret(part) && self.holds_secrets(if folder.is_empty() { "." } else { folder }, cwd)
        });
        if command.program == "git" && parsed.operands.first().is_some_and(|order| order.text == "grep") {
            let prints = !NAMES_ALONE.iter().any(|option| parsed.has(option));
            let given = parsed.values("-e").any(|pattern| !asks_for_something(&pattern.text));
            let first = !parsed.has("-e") && parsed.operands.get(1).is_some_and(|p| !asks_for_something(&p.text));
            let turned = ["-v", "--invert-match"].iter().any(|option| parsed.has(option));
            found |= self.holds_secrets(".", cwd) || prints && (given || first || turned);
        }
        if found {
            self.built_in("path.read-beneath", "It reads all beneath a folder in which secrets lie", Class::Yellow);
        }
    }

    /// Whether secrets lie beneath that folder: by the lists, or because the workspace and all beside it does.
    pub(super) fn holds_secrets(&self, folder: &str, cwd: Option<&str>) -> bool {
        let resolved = resolve(folder, cwd, self.workspace);
        let text = resolved.text.trim_end_matches('/');
        let above = self.workspace.strip_prefix(text).is_some_and(|rest| rest.starts_with('/'));
        resolved.place == Place::Outside && (above || self.rules.holds_secrets(&resolved.text))
    }
}

/// Whether a search prints every line: by a pattern without a sign that must be there, or because it prints what does not fit.
fn fits_everything(syntax: &Syntax, parsed: &Parsed<'_>) -> bool {
    let turned = ["-v", "--invert-match"].iter().any(|option| parsed.has(option));
    let mut patterns: Vec<&str> = ["-e", "--regexp"].iter().flat_map(|o| parsed.values(o)).map(|w| &*w.text).collect();
    if !syntax.no_skip.iter().any(|option| parsed.has(option)) {
        patterns.extend(parsed.operands.first().map(|word| &*word.text));
    }
    turned || patterns.iter().any(|pattern| pattern.split('|').any(|part| !asks_for_something(part)))
}

/// Whether a pattern has a sign that must be there.
fn asks_for_something(pattern: &str) -> bool {
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // `\S`, `\w`, `\.`: one sign or another.
            '\\' => {
                rest.next();
            }
            '[' => {
                rest.next_if_eq(&'^');
                let mut first = true;
                while let Some(c) = rest.next_if(|c| first || *c != ']') {
                    first = false;
                    // `[:alpha:]` within ends with a bracket of its own.
                    if c == '[' && rest.peek() == Some(&':') {
                        while rest.next().is_some_and(|c| c != ']') {}
                    }
                }
                rest.next();
            }
            _ if SIGNS.contains(&c) || matches!(rest.peek(), Some('*' | '?')) => {}
            _ => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_without_a_sign_that_must_be_there_asks_for_nothing() {
        for pattern in
            ["", ".", ".*", "^", "$", "^.*$", "[a-z]", "[^]x]*", "\\S", "a*", "x?", "(.)", ".+", "[[:alpha:]]"]
        {
            assert!(!asks_for_something(pattern), "{pattern}");
        }
        for pattern in ["a", "foo", "=>", "a.b", "^use ", "[a-z]x", "fn \\w", "x+", "a*b"] {
            assert!(asks_for_something(pattern), "{pattern}");
        }
    }
}
