//! Who sees the values that a call is given: each program that it starts, and nobody else.

use std::collections::BTreeMap;

use wardkeep_policy::action::{Call, refs_in};
use wardkeep_policy::facts::{self, Context, Facts, Given};
use wardkeep_policy::{Action, RuleSet};
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::Destination;
use zeroize::Zeroizing;

use super::Gate;

/// The programs that would see a value in the environment or on standard input: each must be allowed to.
pub(super) struct Programs<'a> {
    tool: &'a str,
    /// Or why values are given to none.
    names: Result<Vec<String>, String>,
}

impl<'a> Programs<'a> {
    pub(super) fn of(action: &'a Action, rules: &RuleSet) -> Self {
        Self { tool: &action.tool, names: names(action, rules) }
    }

    pub(super) fn resolve(&self, gate: &Gate, name: &SecretName) -> Result<Zeroizing<String>, String> {
        let names = self.names.as_ref().map_err(|why| {
            format!(
                "SECRET_REF({name}) is not given to this command: {why}. Write it plainly: each program by its name, the variable in double quotes \
                 (\"$NAME\") and only among the arguments of a program that the secret is bound to, or in its input; or let the \
                 program read the variable itself"
            )
        })?;
        let mut value = Err("no program is named".to_owned());
        for program in names.iter().filter(|name| name.as_str() != "cd") {
            value = Ok(gate.value(name, Destination::Program { tool: self.tool, program })?);
        }
        value
    }
}

fn names(action: &Action, rules: &RuleSet) -> Result<Vec<String>, String> {
    let knows = |name: &str| rules.knows(name);
    let starts = |name: &str| rules.starts(name);
    let context = |env| Context { knows: &knows, starts: &starts, env };
    let cwd = action.cwd.as_deref().unwrap_or_default();
    let refers = |text: &String| refs_in(text).next().is_some();
    let (env, stdin) = match &action.call {
        Call::Shell { env, .. } | Call::Container { env, .. } => (env, None),
        Call::Exec { env, stdin, .. } => (env, stdin.as_ref()),
        _ => return Err("this tool starts no program".to_owned()),
    };
    if !env.values().chain(stdin).any(refers) {
        // Most calls: there is nothing to give.
        return Ok(Vec::new());
    }
    if let Some(name) = env.keys().find(|name| steers(name)) {
        return Err(format!("the variable {name} steers what programs do"));
    }
    let given = Given::of(env);
    let (facts, seen) = match &action.call {
        Call::Shell { command, .. } => (facts::from_shell(command, cwd, &context(env)), given.in_shell(command)),
        Call::Exec { argv, .. } => {
            (facts::from_argv(argv, stdin.map(String::as_str), cwd, &context(env)), given.in_argv(argv))
        }
        // The image's own command: what is bound to the image by its name.
        Call::Container { image, argv, .. } if argv.is_empty() => return Ok(vec![image.clone()]),
        Call::Container { argv, .. } => (facts::from_argv(argv, None, "", &context(env)), given.in_argv(argv)),
        _ => return Err("this tool starts no program".to_owned()),
    };
    clear(&facts, env)?;
    let mut names = seen.map_err(|astray| astray.to_string())?;
    names.extend(facts.commands.into_iter().map(|command| command.program));
    Ok(names)
}

/// A function could take a program's name, a variable another file under its name; what cannot be read could start anything.
fn clear(facts: &Facts, env: &BTreeMap<String, String>) -> Result<(), String> {
    if let Some(note) = facts.notes.iter().next() {
        return Err(format!("it {}", note.reason()));
    }
    if let Some(name) = facts.functions.iter().next() {
        return Err(format!("{name} is a function there"));
    }
    if let Some(name) = facts.assigned.iter().find(|name| !env.contains_key(*name) || steers(name)) {
        return Err(format!("it sets the variable {name}"));
    }
    if facts.commands.is_empty() { Err("it starts no program".to_owned()) } else { Ok(()) }
}

/// Whether a variable of that name decides which file or code a program of another name runs.
fn steers(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "PATH",
        "ENV",
        "BASH_ENV",
        "IFS",
        "SHELLOPTS",
        "BASHOPTS",
        "PS4",
        "PROMPT_COMMAND",
        "EDITOR",
        "VISUAL",
        "BROWSER",
    ];
    const STARTS: &[&str] = &["LD_", "GIT_", "PYTHON", "PERL", "RUBY", "NODE_", "JAVA_", "LUA_", "BASH_FUNC"];
    const ENDS: &[&str] = &["PAGER", "_OPTIONS", "_COMMAND", "_SSH", "_RSH"];
    NAMES.contains(&name)
        || STARTS.iter().any(|start| name.starts_with(start))
        || ENDS.iter().any(|end| name.ends_with(end))
}
