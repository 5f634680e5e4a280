//! Paths among the words of a command that no table describes: options, keys and operands that lie where nothing is written by chance.

use super::Judge;
use super::made::{Doing, converts, doing};
use crate::class::Class;
use crate::facts::args::Parsed;
use crate::facts::paths::{Access, last_part, resolve};
use crate::facts::{Command, EACH, Facts, Nature, Starts, Word};
use crate::rules::{Operands, Syntax};

/// Groups of paths in which a word counts as written where the program may write.
const GUARDED: &[&str] = &["system", "startup", "security", "device"];
/// Where programs, their parts and what they say of themselves lie: a word there is run, loaded or read.
const PARTS: &[&str] = &["/usr/", "/bin/", "/sbin/", "/lib", "/proc/", "/sys/", "/var/log/", "/var/lib/"];
/// Options behind which a file is read, whatever the program.
const READING: &[&str] = &[
    "-c",
    "-C",
    "-f",
    "-i",
    "-I",
    "-L",
    "-K",
    "-S",
    "-F",
    "-b",
    "-e",
    "-v",
    "-in",
    "-inkey",
    "-CAfile",
    "-CApath",
    "--config",
    "--conf",
    "--config-file",
    "--configuration",
    "--file",
    "--input",
    "--include",
    "--from",
    "--source",
    "--cacert",
    "--cert",
    "--key",
    "--defaults-file",
    "--defaults-extra-file",
    "--kubeconfig",
    "--env-file",
    "--directory",
    "--prefix",
    "--root",
    "--sysroot",
    "--exclude",
    "--exclude-from",
    "--files-from",
    "--reference",
    "--volume",
    "--mount",
    "--bind",
    "--ro-bind",
    "--identity",
    "--ca-file",
    "--template",
    "--header",
    "--unit",
    "--grep",
    "--path",
    "--message",
    "--data",
    "--args",
];
/// Programs whose `-f` names what is made or what is read, by the letters before it.
const PACKERS: &[&str] = &["tar", "bsdtar", "gtar", "ar", "cpio", "pax"];
/// Programs that only say or list the names that they are given.
pub(super) const NAMES_ONLY: &[&str] = &[
    "echo", "printf", "ls", "stat", "test", "[", "[[", "basename", "dirname", "realpath", "readlink", "which", "du",
    "df", "find", "fd", "fdfind", "locate", "exa", "eza", "lsd", "tree", "export", "read", "cd", "pushd", "type",
    "whatis", "mkdir", "rmdir", "true", "false", ":", "alias", "unset", "local", "declare", "set", "kill", "pkill",
    "pgrep", "expr", "seq",
];

/// Programs that hand others the names that they find or are fed.
const LISTING: &[&str] = &["bfs", "find", "gfind", "fd", "fdfind", "xargs", "parallel"];

/// Orders to git that do not show what stands in the files that they name.
const GIT_NAMES: &[&str] = &[
    "status",
    "add",
    "rm",
    "check-ignore",
    "ls-files",
    "commit",
    "ls-tree",
    "config",
    "clone",
    "mv",
    "clean",
    "checkout",
];

impl Judge<'_> {
    /// Judges what the words of a command name, as far as its table has not; `class` is what the rules make of it.
    pub(super) fn named(&mut self, command: &Command, nature: Nature, syntax: Option<&Syntax>, class: Option<Class>) {
        let name = last_part(&command.program);
        let lists_only = || NAMES_ONLY.contains(&name) && !command.args.iter().any(|arg| arg.text.starts_with("-exec"));
        let operands_known = syntax.is_some_and(|syntax| syntax.operands != Operands::Text);
        let code = nature.runs_code();
        let starts = !code && (nature.starts_others() || self.rules.starts(name) == Starts::Anywhere)
            || matches!(name, "source" | "." | "git");
        let first = command.args.first().map_or("", |arg| arg.text.as_str());
        let in_place = code && command.args.iter().any(|arg| is_in_place(&arg.text)) || starts && first == "cp";
        let git_names = name == "git" && GIT_NAMES.contains(&first);
        let last = command.args.len().saturating_sub(1);
        let cwd = command.cwd.as_deref();
        let outside = cwd.is_none_or(|cwd| cwd.starts_with(['/', '~', '.']));
        let shows = name == "git" && matches!(first, "blame" | "annotate" | "show" | "cat-file");
        let (mut before, mut inner, mut paths_alone) = ("", false, false);
        for (at, arg) in command.args.iter().enumerate() {
            let text = arg.text.as_str();
            paths_alone |= name == "git" && text == "--";
            let (option, value) = split(text, before);
            before = if text.starts_with('-') && value.is_none() || old_style(name, at, text) { text } else { "" };
            let Some(value) = value.filter(|value| is_path(value)) else { continue };
            let operand = option.is_empty();
            if operand && operands_known {
                continue;
            }
            // From here on another program is spoken of, which is judged by itself.
            inner |= operand && !in_place && (starts && at > 0 || class.is_none() && self.rules.knows(value));
            // Most words are none; within a folder of the system any may be.
            let sure = paths_alone || shows && (text.contains(':') || first.len() > 4);
            if !outside && !sure && !is_telling(value) {
                continue;
            }
            for value in [Some(value), value.split_once(':').map(|(_, behind)| behind)].into_iter().flatten() {
                let resolved = resolve(value, cwd, self.workspace);
                let lists = self.rules.lists_of(&resolved.text);
                // A workspace's own files are looked at by every tool there is.
                // What only reads starts nothing, and most commands only read.
                let known = || arg.glob && self.rules.may_be_started(&resolved.text);
                let started = class != Some(Class::Green) && (lists.contains("started") || known());
                let theirs = started || GUARDED.iter().any(|list| lists.contains(list));
                let changes = theirs && class != Some(Class::Green) && {
                    let doing = if in_place { Doing::Changes } else { doing(command) };
                    let given = operand && (at == last || !converts(name));
                    let flag = !operand && (!READING.contains(&option) || matches!(option, "-f" | "--file"));
                    doing == Doing::Changes && (given || flag) || doing == Doing::Unsaid && operand && class.is_none()
                };
                let started = started && (changes || is_made(option));
                let guarded = (started || GUARDED.iter().any(|list| lists.contains(list))) && !lists.contains("null");
                let may_write = class != Some(Class::Green)
                    && guarded
                    && (!operand || class.is_none() || at == last || changes)
                    && (!inner
                        || changes
                        || first == "compose" && is_made(option)
                        || name == "git" && option.starts_with("--out"))
                    && !(operand && (code || starts) && !in_place)
                    && (changes || !reads(name, option))
                    && !(operand && PARTS.iter().any(|part| resolved.text.starts_with(part)));
                let word = || arg.with(value);
                if may_write && !lists_only() {
                    self.path(Access::Write, &word(), cwd);
                } else if !git_names
                    && (lists.contains("secret") || arg.glob && !arg.has_opaque())
                    && (sure || plain_name(value))
                    && !lists_only()
                {
                    self.path(Access::Read, &word(), cwd);
                }
            }
        }
    }

    /// What deletes or overwrites whatever a list turns out to name.
    pub(super) fn by_list(&mut self, command: &Command, syntax: Option<&Syntax>, parsed: &Parsed<'_>) {
        const EMPTYING: &[&str] = &["tee", "truncate", "sponge"];
        let Some(syntax) = syntax else { return };
        let name = last_part(&command.program);
        let each =
            command.script.contains(&EACH) || command.wrappers.iter().any(|name| LISTING.contains(&name.as_str()));
        let listed = |word: &&Word| word.has_opaque() && (each || word.glob);
        let hit = match syntax.operands {
            Operands::Delete => command.more || parsed.operands.iter().any(listed),
            Operands::Copy | Operands::Move => {
                let target = ["-t", "--target-directory"].iter().any(|option| parsed.has(option));
                !target && (command.more || parsed.operands.last().is_some_and(|word| each && word.has_opaque()))
            }
            Operands::Write if EMPTYING.contains(&name) => command.more || parsed.operands.iter().any(listed),
            _ => false,
        };
        if hit {
            self.built_in("files.by-list", "It deletes or overwrites whatever a list turns out to name", Class::Red);
        }
    }

    /// Names that one command lists for another that reads what stands in them.
    pub(super) fn listed(&mut self, facts: &Facts) {
        let told = |command: &Command| {
            let listed = |name: &String| LISTING.contains(&name.as_str());
            (command.more || command.wrappers.iter().any(listed)) && !NAMES_ONLY.contains(&command.program.as_str())
        };
        if !facts.commands.iter().any(told) {
            return;
        }
        for command in facts.commands.iter().filter(|command| !command.more) {
            for arg in command.args.iter().filter(|arg| plain_name(&arg.text)) {
                let cwd = command.cwd.as_deref();
                let resolved = resolve(&arg.text, cwd, self.workspace);
                if self.rules.lists_of(&resolved.text).contains("secret") {
                    self.path(Access::Read, arg, cwd);
                } else if self.holds_secrets(&arg.text, cwd) {
                    self.built_in(
                        "path.read-beneath",
                        "It reads all beneath a folder in which secrets lie",
                        Class::Yellow,
                    );
                }
            }
        }
    }
}

/// Whether a file behind that option is read.
fn reads(program: &str, option: &str) -> bool {
    READING.contains(&option)
        || PACKERS.contains(&program)
            && (option.contains(['x', 't']) || matches!(option, "--extract" | "--list" | "--get"))
}

/// Whether what an option names is surely made, by what the option is called.
fn is_made(option: &str) -> bool {
    const SAYS: &[&str] =
        &["out", "log", "tee", "save", "dump", "dest", "write", "record", "report", "export", "trace"];
    option == "-o"
        || option.starts_with("--") && SAYS.iter().any(|says| option.contains(says))
        || option.contains("out")
}

/// `tar cf`: the letters of options without their dash.
fn old_style(program: &str, at: usize, text: &str) -> bool {
    at == 0 && PACKERS.contains(&program) && text.bytes().all(|b| b.is_ascii_alphabetic())
}

/// Whether an option tells an interpreter to change the files that it reads.
fn is_in_place(option: &str) -> bool {
    let cluster = option.strip_prefix('-').filter(|cluster| !cluster.starts_with('-') && cluster.len() < 8);
    option.starts_with("--in-place") || cluster.is_some_and(|cluster| cluster.contains('i'))
}

/// The option and the word that may be a path: `--x=WORD`, `-oWORD`, `key=WORD`, the word behind an option, or an operand.
fn split<'t>(text: &'t str, before: &'t str) -> (&'t str, Option<&'t str>) {
    if text.starts_with('-') {
        return match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None if text.starts_with("--") => (text, None),
            None => match text.find(['/', '~']).or_else(|| text.get(2..3).and_then(|c| (c == ".").then_some(2))) {
                Some(at) if at >= 2 => (&text[..2], Some(&text[at..])),
                _ => (text, None),
            },
        };
    }
    match text.split_once('=') {
        Some((key, value)) if !key.contains('/') => (key, Some(value)),
        _ => (before, Some(text)),
    }
}

/// Whether a word looks like a path and not like prose, code or an address.
fn is_path(word: &str) -> bool {
    let address = || word.bytes().any(|byte| byte == b':') && word.contains("://");
    !word.is_empty() && word.len() < 1_024 && !word.contains(is_no_path) && !address()
}

/// Whether a path that is a word of a command is never spelt so.
fn is_no_path(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | ';' | '|' | '&' | '<' | '>' | '(' | ')' | '{' | '}') || c.is_whitespace()
}

/// Whether a path is a file's name by more than that it stands where one may.
fn is_telling(path: &str) -> bool {
    path.bytes().any(|byte| matches!(byte, b'/' | b'.' | b'~'))
}

/// A word that is a file's name by more than one telling word in it.
fn plain_name(word: &str) -> bool {
    is_telling(word) && is_path(word)
}
