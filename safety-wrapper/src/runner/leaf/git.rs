//! What git is told before it looks at a repository that somebody else wrote.
//!
//! The safety does not rest on this list: a leaf has no second process. It spares a repository with its own settings the
//! errors that trying to start one would give.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

/// Settings that make git start something while it reads, each with what keeps it from that.
const SETTINGS: &[(&str, &str)] = &[
    // Whose it is decides nothing where nothing of it is run; in a unit it is other users' by its nature.
    ("safe.directory", "*"),
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.attributesFile", "/dev/null"),
    ("core.pager", "cat"),
    ("core.editor", "false"),
    ("core.askPass", ""),
    ("core.sshCommand", "false"),
    ("core.alternateRefsCommand", "false"),
    ("credential.helper", ""),
    ("log.showSignature", "false"),
    ("diff.ignoreSubmodules", "dirty"),
    ("status.submoduleSummary", "false"),
    ("submodule.recurse", "false"),
    ("protocol.allow", "never"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
];
/// Variables that decide the same, and the ones that would lead to settings outside of the repository.
const VARIABLES: &[(&str, &str)] = &[
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
];
/// Sub-commands that show differences by themselves.
const DIFFERENCES: &[&str] = &["diff", "log", "show", "whatchanged", "diff-tree", "diff-index", "diff-files"];
const PLAIN: &[&str] = &["--no-ext-diff", "--no-textconv"];
/// Options of git itself that take the next word.
const VALUES: &[&str] = &["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--config-env", "--super-prefix"];
/// More filters than that are left to fail.
const FILTERS: usize = 64;

/// Fills the command with the arguments and settings of one look.
///
/// # Errors
/// Why it is none, in words for the agent.
pub(super) fn prepare(command: &mut Command, args: &[OsString]) -> Result<(), String> {
    let at = sub_command(args);
    // A viewer takes git's own place, so that the bar to new processes would not hold it.
    let asks_for_help = args[at..].first().is_some_and(|sub| sub == "help") && args.len() > at + 1;
    if asks_for_help || args.len() > 1 && args.iter().any(|word| word == "--help") {
        return Err("git shows its manual in a program that the repository may name; use `git COMMAND -h`".to_owned());
    }
    let (before, rest) = args.split_at(at);
    let mut settings: Vec<(String, &str)> = SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    settings.extend(filters(before).into_iter().flat_map(|filter| {
        let empty = ["clean", "smudge", "process"].map(|what| (format!("filter.{filter}.{what}"), ""));
        empty.into_iter().chain([(format!("filter.{filter}.required"), "false")])
    }));
    for (at, (name, value)) in settings.iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{at}"), name);
        command.env(format!("GIT_CONFIG_VALUE_{at}"), value);
    }
    command.env("GIT_CONFIG_COUNT", settings.len().to_string()).envs(VARIABLES.iter().copied());
    for name in ["GIT_EXTERNAL_DIFF", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_PROXY_COMMAND", "GIT_EXEC_PATH"]
    {
        command.env_remove(name);
    }
    command.args(before);
    let words = |texts: &[&str]| texts.iter().map(OsString::from).collect::<Vec<_>>();
    match rest.split_first() {
        // git starts itself for this one, with just these words; without a stash it says nothing.
        Some((sub, more)) if sub == "stash" && more.first().is_some_and(|word| word == "list") => {
            if ask(before, &["rev-parse", "--verify", "--quiet", "refs/stash"]).is_empty() {
                command.args(words(&["for-each-ref", "refs/stash"]));
            } else {
                command.args(words(&["log", "--format=%gd: %gs", "-g", "--first-parent"])).args(words(PLAIN));
                command.args(&more[1..]).args(words(&["refs/stash", "--"]));
            }
        }
        Some((sub, more)) => {
            command.arg(sub);
            if sub.to_str().is_some_and(|sub| DIFFERENCES.contains(&sub)) {
                command.args(words(PLAIN));
            }
            if sub == "status" || sub == "diff" {
                // Whatever the repository says of its own: git starts itself for their files.
                command.arg("--ignore-submodules=dirty");
            } else if sub == "blame" || sub == "annotate" {
                command.args(words(&["--no-textconv"]));
            }
            command.args(more);
        }
        None => {}
    }
    Ok(())
}

/// Where the sub-command stands.
fn sub_command(args: &[OsString]) -> usize {
    let mut at = 0;
    while let Some(word) = args.get(at).filter(|word| word.as_bytes().starts_with(b"-")) {
        at += if word.to_str().is_some_and(|word| VALUES.contains(&word)) { 2 } else { 1 };
    }
    at.min(args.len())
}

/// The filters that the repository's settings name. Reading settings starts nothing.
fn filters(before: &[OsString]) -> BTreeSet<String> {
    let wanted = r"^filter\..*\.(clean|smudge|process|required)$";
    let said = ask(before, &["config", "--name-only", "-z", "--get-regexp", wanted]);
    let names = said.split(|byte| *byte == 0).filter_map(|name| OsStr::from_bytes(name).to_str());
    let filters = names.filter_map(|name| Some(name.strip_prefix("filter.")?.rsplit_once('.')?.0.to_owned()));
    filters.take(FILTERS * 4).collect::<BTreeSet<_>>().into_iter().take(FILTERS).collect()
}

/// What git says to one of its questions that no setting can make it start anything for.
fn ask(before: &[OsString], question: &[&str]) -> Vec<u8> {
    let Some(file) = super::program::in_system("git") else { return Vec::new() };
    let asked = Command::new(file)
        .args(before)
        .args(question)
        .envs(VARIABLES.iter().copied())
        .envs([("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*")])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    asked.map(|asked| asked.stdout).unwrap_or_default()
}
