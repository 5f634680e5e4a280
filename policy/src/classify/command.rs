//! One command: the rules about its program, its paths, its requests.

use super::Judge;
use super::elsewhere::INSTALLED;
use super::named::NAMES_ONLY;
use super::seen::line_of;
use super::uses::path_uses;
use crate::class::Class;
use crate::facts::args::Parsed;
use crate::facts::paths::{Access, Place, join, last_part, resolve};
use crate::facts::{Command, Nature, Word, http, scripts};
use crate::rules::{Described, Given, Syntax, unknown_option, unsure};

/// A program that is told where a shell lies will start it, whatever the program is.
const SHELL_PATHS: &[&str] = &["/bin/sh", "/bin/bash", "/bin/dash", "/bin/zsh", "/bin/ksh", "/bin/fish", "/bin/csh"];

/// How programs are asked for their version otherwise; none of them looks into its folder for that.
const VERSIONS: &[(&str, &str)] = &[
    ("deno", "-V"),
    ("gcc", "-v"),
    ("java", "-version"),
    ("javac", "-version"),
    ("lua", "-v"),
    ("node", "-v"),
    ("npm", "-v"),
    ("perl", "-v"),
    ("php", "-v"),
    ("pip", "-V"),
    ("pip3", "-V"),
    ("python", "-V"),
    ("python3", "-V"),
    ("ruby", "-v"),
    ("terraform", "-v"),
    ("tmux", "-V"),
];

impl Judge<'_> {
    /// Judges one command by every rule about its program, its paths and its requests.
    pub(super) fn command(&mut self, command: &Command) {
        let name = last_part(&command.program);
        self.sees("runs", || line_of(command));
        let rules = self.rules;
        let mut described = rules.described(name);
        let reading = described.as_deref().map(Syntax::reading).unwrap_or_default();
        let mut parsed = Parsed::read(&command.args, reading);
        if let Some(own) = rules.syntax_of_sub(name, &parsed) {
            parsed = Parsed::read(&command.args, own.reading());
            described = Some(own);
        }
        parsed.unsure = unsure(&command.args, &parsed, described);
        let syntax = described.as_deref();
        if let ([only], false) = (command.args.as_slice(), command.more)
            && rules.knows(&command.program)
            && only.known().is_some_and(|word| {
                matches!(word, "--help" | "--version") || VERSIONS.iter().any(|(of, ask)| *of == name && *ask == word)
            })
        {
            return self.built_in("program.help", &format!("It prints what {name} says about itself"), Class::Green);
        }
        if command.more && parsed.operands.is_empty() {
            // Which sub-command it will be is decided by what arrives: the gravest may.
            let gravest = rules
                .about_program(name)
                .filter(|rule| !rule.sub.is_empty() && !rule.program.iter().any(|name| name == "*"))
                .max_by_key(|rule| rule.class);
            if let Some(rule) = gravest {
                self.fire(rule);
            }
        }
        let (mut known, mut settled, mut class) = (false, false, Class::Green);
        let given = Given::new(command, &parsed);
        for rule in rules.holding(name, &given, |rule| !rule.unless_green) {
            known = true;
            settled |= rule.any_arguments;
            class = class.max(rule.class);
            self.fire(rule);
        }
        let hands_out =
            |word: &Word| word.text.contains("/bin/") && SHELL_PATHS.iter().any(|path| word.text.contains(path));
        let reads = known && class == Class::Green && !command.program.contains('/');
        if !reads {
            rules.holding(name, &given, |rule| rule.unless_green).for_each(|rule| self.fire(rule));
        }
        if !reads && command.args.iter().any(hands_out) || is_shell_path(&command.program) {
            self.built_in("program.hands-out-shell", &format!("It lets {name} start a shell"), Class::Red);
        }
        let told = rules.may_be_told(name, command, &parsed);
        if told {
            self.told(name, command);
            class = class.max(Class::Red);
        }
        if command.program.contains('/') {
            self.named_by_path(command);
        } else if !known && !told {
            let what = if self.rules.knows(name) { "these arguments of" } else { "the program" };
            self.built_in("program.unknown", &format!("No rule knows {what} {name}"), Class::Yellow);
        } else if class == Class::Green && parsed.opaque && !settled {
            self.built_in("program.opaque", &format!("Arguments of {name} are only known at run time"), Class::Yellow);
        } else if class == Class::Green
            && !settled
            && let Some(option) = own_unknown(name, command, described, &parsed)
        {
            self.built_in("program.option", &format!("No rule knows the option {option} of {name}"), Class::Yellow);
            class = Class::Yellow;
        }
        if let Some(syntax) = syntax {
            let looks = command.script.contains(&scripts::LISTS);
            path_uses(syntax, &parsed, |access, path| {
                self.path(if looks { Access::Read } else { access }, path, command.cwd.as_deref());
            });
            self.beneath(command, syntax, &parsed);
            self.fills(command, syntax, &parsed);
        }
        self.by_list(command, syntax, &parsed);
        if reads && class == Class::Green && !NAMES_ONLY.contains(&name) {
            self.by_pattern(command, &parsed);
        }
        self.packs(command);
        self.mounts(name, command);
        self.database(name, command);
        self.fetched(name, command);
        let nature = Nature::of(name);
        self.elsewhere(name, nature, command, reads && class == Class::Green);
        let found = known.then_some(if command.program.contains('/') { Class::Yellow } else { class });
        self.named(command, nature, syntax, found);
        if command.script.contains(&scripts::UNPACKS) {
            self.unpacks(command, &parsed);
        }
        for request in http::of_program(name, &parsed) {
            self.request(&request.method, &request.url, &request.headers, &request.body);
            for path in request.saves {
                self.path(Access::Write, &Word::literal(path), command.cwd.as_deref());
            }
            for path in request.reads {
                self.path(Access::Read, &Word::literal(path), command.cwd.as_deref());
            }
        }
    }

    /// Its order cannot be read yet.
    fn told(&mut self, name: &str, command: &Command) {
        let several = command.args.iter().any(Word::may_be_several);
        let or = if several { ", or quote what stands before it" } else { "" };
        let reason = format!("What {name} is told to do is only known at run time; write it out{or}");
        self.built_in("program.told", &reason, Class::Red);
    }

    /// An archive writes beneath the folder it is unpacked in; at the root that is all of the system.
    fn unpacks(&mut self, command: &Command, parsed: &Parsed<'_>) {
        let given = |name: &str| matches!(name, "-C" | "-d") || name.len() > 4 && "--directory".starts_with(name);
        let named = parsed.options.iter().filter(|(name, _)| given(name)).filter_map(|(_, value)| value.as_deref());
        let mut folders: Vec<Word> = named.cloned().collect();
        if folders.is_empty() {
            folders.push(Word::literal("."));
        }
        // Names behind the archive are what is taken out of it; the archive may be named without a dash.
        let letters =
            parsed.operands.first().is_some_and(|word| word.text.bytes().all(|byte| byte.is_ascii_alphabetic()));
        let dashed = ["-x", "--extract", "--get"].iter().any(|option| parsed.has(option));
        let skip = if command.program.ends_with("tar") { if letters && !dashed { 2 } else { 0 } } else { 1 };
        let members = parsed.operands.get(skip..).unwrap_or_default();
        for folder in folders {
            let cwd = command.cwd.as_deref();
            self.path(Access::Write, &folder, cwd);
            self.filled(command, &folder, &[], true);
            for member in members {
                self.path(Access::Write, &Word::literal(join(&folder.text, &member.text)), cwd);
            }
            if resolve(&folder.text, cwd, self.workspace).text == "/" {
                self.path(Access::Write, &Word::literal("/usr"), cwd);
            }
        }
    }

    /// A program that is found by its path and not by its name.
    fn named_by_path(&mut self, command: &Command) {
        let reason = format!("It runs {}, which is not one of the system's programs", command.program);
        self.built_in("program.local", &reason, Class::Yellow);
        let place = resolve(&command.program, command.cwd.as_deref(), self.workspace).place;
        let installed = INSTALLED.iter().any(|folder| command.program.starts_with(folder));
        if place == Place::Outside && !installed {
            let reason = format!(
                "It runs {}, which lies neither in the workspace nor where software is installed",
                command.program
            );
            self.built_in("program.elsewhere", &reason, Class::Red);
        }
    }
}

/// The first option that the program is not known to have. What `find` starts for each file has its own, and is judged by itself.
fn own_unknown(name: &str, command: &Command, described: Option<Described<'_>>, parsed: &Parsed<'_>) -> Option<String> {
    let starts = |word: &Word| matches!(word.text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir");
    if !matches!(name, "bfs" | "find" | "gfind") || !command.args.iter().any(starts) {
        return unknown_option(described, parsed).map(str::to_owned);
    }
    let mut own = Vec::new();
    let mut inner = false;
    for word in &command.args {
        inner = if inner { !matches!(word.text.as_str(), ";" | "+") } else { starts(word) };
        if !inner {
            own.push(word.clone());
        }
    }
    let reading = described.as_deref().map(Syntax::reading).unwrap_or_default();
    unknown_option(described, &Parsed::read(&own, reading)).map(str::to_owned)
}

fn is_shell_path(program: &str) -> bool {
    program.rsplit_once('/').is_some_and(|(_, name)| matches!(name, "sh" | "bash" | "dash" | "zsh" | "ksh" | "fish"))
}
