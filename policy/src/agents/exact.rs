//! Commands that a grant names word by word, and those that it cannot name.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::action::Call;
use crate::facts::{self, Context, Starts, from_argv};
use crate::rules::{Rule, default_rules};

/// Words of one command.
const MAX_WORDS: usize = 64;

/// A command that no grant can name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a grant cannot name `{0}`: name one program and its arguments; never a path, a wrapper, a shell, an interpreter, what starts another program or runs what a file of the workspace says"
)]
pub struct Unfit(String);

/// Whether the command means the same each time: one program by its name, which starts no other that its arguments name and runs no
/// code that they hold or point at.
///
/// # Errors
/// [`Unfit`], for people.
pub fn fit(words: &[String]) -> Result<(), Unfit> {
    let unfit = || Unfit(words.join(" "));
    let program = words.first().filter(|program| !program.is_empty() && !program.contains('/')).ok_or_else(unfit)?;
    let rules = default_rules();
    let (knows, starts) = (|name: &str| rules.knows(name), |name: &str| rules.starts(name));
    let context = Context { knows: &knows, starts: &starts, env: &BTreeMap::new() };
    let facts = from_argv(words, None, "", &context);
    let alone = matches!(facts.commands.as_slice(), [only] if only.wrappers.is_empty() && !only.more && only.program == *program);
    let quiet = facts.notes.is_empty() && facts.code.is_empty() && facts.functions.is_empty();
    let runs_more = starts(program) == Starts::Anywhere
        || facts::Nature::of(program).starts_others()
        || builds(&rules.document().rule, program);
    if words.len() > MAX_WORDS || !alone || !quiet || runs_more { Err(unfit()) } else { Ok(()) }
}

/// Whether the program runs what a file of the workspace says: the agent writes that file.
fn builds(rules: &[Rule], program: &str) -> bool {
    let mut of_workspace = rules.iter().filter(|rule| matches!(rule.id.as_str(), "work.build" | "escape.task-runner"));
    of_workspace.any(|rule| rule.program.iter().any(|name| name == program))
}

/// Reads the commands of a grant and refuses those that it cannot name.
pub(super) fn commands<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<String>>, D::Error> {
    let commands = Vec::<Vec<String>>::deserialize(from)?;
    commands.iter().try_for_each(|words| fit(words)).map_err(serde::de::Error::custom)?;
    Ok(commands)
}

/// The words of a call that is one plain command: no variables, no input, nothing that is known at run time only.
pub(super) fn words(call: &Call) -> Option<Vec<String>> {
    match call {
        Call::Shell { command, env } if env.is_empty() => facts::words_of(command),
        Call::Exec { argv, stdin: None, env } if env.is_empty() => Some(argv.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    /// OpenClaw #23276 ("always allow" kept `/bin/zsh`), GoClaw #1204 (`sh`).
    #[test]
    fn wrappers_shells_and_interpreters_are_never_remembered() {
        for text in [
            "",
            "sh -c ls",
            "bash",
            "bash job.sh",
            "/bin/zsh -lc whoami",
            "/bin/ls",
            "./job.sh",
            "env ls",
            "env A=1 ls",
            "sudo ls",
            "nice ls",
            "nohup ls",
            "timeout 5 ls",
            "xargs ls",
            "busybox ls",
            "command ls",
            "exec ls",
            "eval ls",
            "source a",
            ". a",
            "trap ls EXIT",
            "python3 report.py",
            "python3 -c pass",
            "node a.js",
            "perl -e 1",
            "psql shop",
            "find . -exec ls {} +",
            "ssh host ls",
            "docker exec a ls",
            "watch ls",
            "mywrapper ls -la",
            "git rebase -x ls",
            "xvfb-run ls",
            "tmux",
            // What they run stands in a file of the workspace.
            "npm publish",
            "make deploy",
            "cargo test",
            "rake test",
        ] {
            assert!(fit(&words(text)).is_err(), "{text}");
        }
        for text in ["git push origin main", "ls -la drafts", "mkdir new", "rsync -a site host:site"] {
            assert_eq!(fit(&words(text)), Ok(()), "{text}");
        }
    }
}
