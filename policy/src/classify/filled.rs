//! Folders that are filled: with all that lies in another one, or with a file of the same name.

use super::Judge;
use crate::facts::args::Parsed;
use crate::facts::paths::{Access, join, last_part, resolve};
use crate::facts::{Command, Word};
use crate::rules::{Operands, Syntax};

/// Programs that take a folder as it is only where they are told to, with the options that say so.
const RECURSIVE: &[&str] = &["-r", "-R", "-a", "-d", "--recursive", "--archive", "--dirs"];

impl Judge<'_> {
    /// `cp -r x .github`, `cp tasks.json .vscode`: what others start lies beneath the folder that is named, and may be what is put there.
    pub(super) fn fills(&mut self, command: &Command, syntax: &Syntax, parsed: &Parsed<'_>) {
        if !matches!(syntax.operands, Operands::Copy | Operands::Move) {
            return;
        }
        let named = ["-t", "--target-directory"].iter().find_map(|option| parsed.value(option));
        let operands = parsed.operands.get(syntax.skip..).unwrap_or_default();
        let (target, sources) = match (named, operands.split_last()) {
            (Some(target), _) => (target, operands),
            (None, Some((target, sources))) => (*target, sources),
            (None, None) => return,
        };
        let whole = syntax.operands == Operands::Move
            || matches!(last_part(&command.program), "ln" | "link")
            || RECURSIVE.iter().any(|option| parsed.has(option));
        let names: Vec<&str> = sources.iter().map(|source| last_part(source.text.trim_end_matches('/'))).collect();
        self.filled(command, target, &names, whole);
    }

    /// A folder is filled with files of these names, or with whatever lies in folders of them.
    pub(super) fn filled(&mut self, command: &Command, folder: &Word, names: &[&str], whole: bool) {
        let cwd = command.cwd.as_deref();
        let resolved = resolve(&folder.text, cwd, self.workspace).text;
        let Some(beneath) = self.rules.started_beneath(&resolved) else { return };
        if whole {
            self.path(Access::Write, &Word::literal(join(&folder.text, &beneath)), cwd);
        }
        for name in names {
            self.path(Access::Write, &Word::literal(join(&folder.text, name)), cwd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::judged::{at_least, at_most};
    use crate::class::Class::{Red as R, Yellow as Y, YellowExternal as E};

    #[test]
    fn a_folder_beneath_which_others_start_something_is_not_filled_unasked() {
        at_least(
            R,
            &[
                "cp -r x .github",
                "cp -a x .github/",
                "cp -rt .github x",
                "cp --recursive x ./sub/.github",
                "cp -r x .git",
                "cp tasks.json .vscode",
                "cp a/settings.json b/tasks.json .vscode/",
                "cp -r x .vscode",
                "mv x .github",
                "mv workflows .github/",
                "git mv x .github",
                "ln -s ../x .github",
                "ln -s ../x .git",
                "rsync -a x/ .github/",
                "scp -r host.example:x .github",
                "unzip a.zip -d .github",
                "tar xf a.tar -C .github",
                "cd sub && cp -r ../x .github",
            ],
        );
        at_most(
            Y,
            &[
                "cp dependabot.yml .github/",
                "cp CODEOWNERS .github",
                "cp words.txt .vscode/",
                "mkdir -p .github",
                "mkdir .vscode",
                "cp -r .github /tmp/x",
                "cp -r .github/. x",
                "cp -r template/. .",
                "cp -r x src",
                "mv .github old",
                "rsync -a x/ site/",
                "unzip a.zip -d site",
                "tar xf a.tar -C site",
            ],
        );
        at_most(E, &["scp -r host.example:x site"]);
    }
}
