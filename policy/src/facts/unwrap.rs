//! Programs that start other programs: what they start is looked at as if it stood alone.

use super::interpret::file_name;
use super::natures::{Nature, is_shell};
use super::paths::{Access, PathUse};
use super::printed::printed;
use super::shell::{Around, Stdin, Walker};
use super::words::{OPAQUE, Surroundings as _, Word};
use super::wrappers::Wrapper;
use super::{Command, Note, Starts, caps};

/// Names of programs that are everyday words of others' sub-commands.
const WORDS: &[&str] =
    &[".", ":", "[", "test", "exec", "set", "read", "type", "help", "wait", "times", "source", "history", "install"];

/// First words of programs that are orders of their own although a program bears the name.
#[rustfmt::skip]
const OWN_WORDS: &[(&[&str], &[&str])] = &[
    (
        &["docker", "podman", "nerdctl"],
        &[
            "builder", "compose", "config", "container", "context", "df", "diff", "events", "history", "image", "images", "info", "init",
            "inspect", "kill", "login", "logout", "logs", "ls", "network", "node", "plugin", "port", "ps", "pull", "push", "restart", "rm",
            "rmi", "search", "secret", "service", "stack", "start", "stats", "stop", "swarm", "system", "tag", "top", "update", "version",
            "volume", "wait",
        ],
    ),
    (&["npm", "pnpm", "yarn"], &["config", "init", "install", "link", "list", "ls", "run", "search", "start", "stop", "test", "view", "why"]),
    (
        &["ip"],
        &[
            "a", "addr", "address", "get", "l", "link", "list", "ls", "maddr", "n", "neigh", "netns", "r", "route", "rule", "show", "tunnel",
            "vrf",
        ],
    ),
    (&["kubectl", "oc"], &["config", "get", "logs", "top", "version", "wait"]),
    (&["conda", "mamba"], &["config", "env", "info", "list", "search"]),
    (&["gem"], &["env", "info", "list", "search", "which"]),
];

/// Programs whose command finds other folders than this machine's.
const AWAY: &[&str] = &[
    "ssh",
    "autossh",
    "dbclient",
    "rsh",
    "remsh",
    "rexec",
    "slogin",
    "plink",
    "docker",
    "podman",
    "nerdctl",
    "kubectl",
    "oc",
    "lxc",
    "multipass",
    "vagrant",
    "machinectl",
    "docker-compose",
    "heroku",
    "fly",
    "flyctl",
];

/// Wrappers that change who runs the command; rules see them as programs too.
const PRIVILEGED: &[&str] = &["sudo", "doas", "pkexec"];

impl Walker<'_> {
    /// Looks at one command with decoded words; what it prints.
    pub(super) fn run(&mut self, mut words: Vec<Word>, stdin: &Stdin, around: &Around) -> Stdin {
        // A word that is empty and unquoted vanishes; a program cannot be named by one that is quoted either.
        while words.first().is_some_and(|word| word.text.is_empty()) {
            words.remove(0);
        }
        let Some(first) = words.first() else {
            if around.more {
                self.note(Note::DynamicProgram);
            }
            return Stdin::Nothing;
        };
        let Some(name) = first.known().map(file_name) else {
            self.note(Note::DynamicProgram);
            self.unnamed(words);
            return Stdin::Stream;
        };
        if around.wrappers.len() > caps::MAX_DEPTH {
            self.note(Note::OverCap);
            return Stdin::Stream;
        }
        if name.starts_with('-') {
            // `time -o FILE …`: some shells take `time` for their own word, others start it.
            self.own_paths("time", &words);
        }
        let args = &words[1..];
        let nature = Nature::of(name);
        if let Some(wrapper) = nature.wrapper {
            return self.wrapped(wrapper, args, stdin, around);
        }
        if self.interpreted(name, nature, args, stdin, around) {
            return Stdin::Stream;
        }
        if name.len() > 1 && name.starts_with(['!', ':']) {
            self.note(Note::Escape);
        }
        let away = usize::from(AWAY.contains(&name));
        let known = (self.context.knows)(name);
        self.away += away;
        self.carried(name, known, args, stdin, around);
        self.away -= away;
        self.stores(name, known, args, stdin);
        self.describes(name, args, stdin);
        self.fed_job(name, args, stdin);
        self.console(name, args, stdin);
        self.transfers(name, args, stdin);
        self.variables_from_files(name, args);
        self.writes(name, args, stdin);
        let printed = printed(name, args, stdin, around.more);
        self.moves(name, args);
        self.names(name, args, around.more);
        let mut script = super::scripts::effects(name, args);
        if script.contains(&super::scripts::WRITES) {
            for path in super::scripts::written(name, args) {
                let (path, cwd) = (Word::literal(path), self.cwd.clone());
                self.facts.redirects.push(PathUse { access: Access::Write, path, cwd });
            }
        }
        script.extend(first.text.contains('/').then_some(super::scripts::PATH));
        script.extend(around.bare.then_some(super::scripts::BARE));
        if name == "alias" && self.aliases(args) {
            script.push(super::scripts::ALIASED);
        }
        // `watch` and its like hand their words to a shell of their own.
        if matches!(name, "rm" | "unlink")
            && !around.wrappers.is_empty()
            && !script.contains(&super::scripts::WIDE)
            && super::scripts::wide_again(args)
        {
            script.push(super::scripts::WIDE);
        }
        let folder = first.text.len() - name.len();
        let mut program = words.remove(0).text;
        program.drain(..folder);
        self.push(Command {
            program,
            args: words,
            wrappers: around.wrappers.clone(),
            cwd: self.cwd.clone(),
            more: around.more,
            script,
        });
        printed
    }

    pub(super) fn push(&mut self, mut command: Command) {
        command.script.extend((self.away > 0).then_some(super::scripts::AWAY));
        if self.facts.commands.len() >= caps::MAX_COMMANDS {
            self.note(Note::OverCap);
        } else {
            self.facts.commands.push(command);
        }
    }

    /// A command whose program cannot be told: there is nothing to judge in it, but its words may name files.
    fn unnamed(&mut self, args: Vec<Word>) {
        if self.facts.unnamed.len() >= caps::MAX_COMMANDS {
            self.note(Note::OverCap);
            return;
        }
        let (cwd, script) = (self.cwd.clone(), Vec::new());
        self.facts.unnamed.push(Command {
            program: String::new(),
            args,
            wrappers: Vec::new(),
            cwd,
            more: false,
            script,
        });
    }

    pub(super) fn plain(&mut self, program: &str, args: &[Word], around: &Around) {
        self.push(Command {
            program: program.to_owned(),
            args: args.to_vec(),
            wrappers: around.wrappers.clone(),
            cwd: self.cwd.clone(),
            more: around.more,
            script: Vec::new(),
        });
    }

    fn wrapped(&mut self, wrapper: &Wrapper, args: &[Word], stdin: &Stdin, around: &Around) -> Stdin {
        let name = wrapper.name;
        let asks = |options: &[&str]| args.first().and_then(Word::known).is_some_and(|a| options.contains(&a));
        if asks(&["--help", "--version"])
            || (name == "command" && asks(&["-v", "-V"]))
            || (name == "sudo" && asks(&["-l", "-ll", "-v", "-K", "-k", "--list", "--validate"]) && args.len() == 1)
            || (args.is_empty() && !around.more && matches!(name, "env" | "exec" | "time" | "nice" | "busybox"))
        {
            self.plain(name, args, around);
            return Stdin::Stream;
        }
        let Some(found) = find_command(wrapper, args) else {
            self.note(Note::UnclearWrapper);
            self.plain(name, args, around);
            self.known_suffix(name, args, stdin, around);
            return Stdin::Stream;
        };
        if PRIVILEGED.contains(&name) || matches!(name, "parallel") {
            self.plain(name, &[], around);
        }
        if name == "env" && found.command.is_empty() && !around.more {
            self.plain("env", &[], around);
            return Stdin::Stream;
        }
        for (name, value) in found.assigned {
            self.valued(&name, &value);
            self.facts.assigned.insert(name);
        }
        let mut inner = around.within(name);
        let own = &args[..args.len() - found.command.len()];
        inner.bare |= matches!(name, "env" | "command" | "exec") && own.iter().any(|word| clears(&word.text));
        let folder = self.own_paths(name, own);
        let mut command = found.command.to_vec();
        if matches!(name, "xargs" | "parallel") {
            if command.is_empty() && name == "xargs" {
                self.plain("xargs", &[], around);
                return Stdin::Stream;
            }
            if let Some(end) = command.iter().position(|word| word.text.starts_with(":::")) {
                command.truncate(end);
            }
            if let (None, Stdin::Known(text), "xargs") = (&found.replace, stdin, name)
                && !text.text.contains(['\'', '"', '\\'])
                && found.splits
                && command.first().is_some_and(|word| !is_shell(file_name(&word.text)))
            {
                command.extend(text.text.split_whitespace().map(Word::literal));
                return self.run(command, &Stdin::Nothing, &inner);
            }
            if name == "parallel" && command.first().is_some_and(|word| word.text.contains(char::is_whitespace)) {
                // A shell reads it.
                let line = command.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
                self.code(&format!("{line} {OPAQUE}"));
                return Stdin::Stream;
            }
            match found.replace {
                Some(mark) => {
                    command.iter_mut().for_each(|word| word.text = word.text.replace(&mark, &OPAQUE.to_string()));
                }
                None => inner.more = true,
            }
        }
        // The folder is the command's alone.
        let Some(folder) = folder else { return self.run(command, stdin, &inner) };
        let outer = self.cwd.clone();
        self.cwd = folder.known().and_then(|to| outer.as_deref().map(|from| super::paths::join(from, to)));
        let printed = self.run(command, stdin, &inner);
        self.cwd = outer;
        printed
    }

    /// Files that a wrapper's own options name; the folder in which its command starts.
    fn own_paths(&mut self, name: &str, own: &[Word]) -> Option<Word> {
        let mut folder = None;
        for (at, word) in own.iter().enumerate() {
            let text = word.text.as_str();
            let (option, value) = match text.split_once('=') {
                Some((option, value)) if option.starts_with("--") => (option, Word::literal(value)),
                _ if text.starts_with("--") || text.len() <= 2 => (text, own.get(at + 1).cloned().unwrap_or_default()),
                // `-o` may end a cluster, or begin one with its value.
                _ => match text.char_indices().skip(1).find(|(_, c)| "oaCD".contains(*c)) {
                    Some((at_option, c)) if text.starts_with('-') => {
                        let rest = &text[at_option + 1..];
                        let value = if rest.is_empty() {
                            own.get(at + 1).cloned().unwrap_or_default()
                        } else {
                            Word::literal(rest)
                        };
                        (
                            match c {
                                'o' => "-o",
                                'a' => "-a",
                                'C' => "-C",
                                _ => "-D",
                            },
                            value,
                        )
                    }
                    _ => continue,
                },
            };
            let access = if OWN_WRITES.iter().any(|(program, options)| *program == name && options.contains(&option)) {
                Access::Write
            } else if matches!(name, "xargs" | "parallel") && OWN_READS.contains(&option) {
                Access::Read
            } else {
                if matches!((name, option), ("env", "-C" | "--chdir") | ("sudo", "-D" | "--chdir")) {
                    folder = Some(value);
                }
                continue;
            };
            self.facts.redirects.push(PathUse { access, path: value, cwd: self.cwd.clone() });
        }
        folder
    }

    /// `jq --rawfile NAME FILE`: the second word behind the option is read.
    fn variables_from_files(&mut self, name: &str, args: &[Word]) {
        if !matches!(name, "jq" | "gojq") {
            return;
        }
        for at in (0..args.len()).filter(|at| matches!(args[*at].text.as_str(), "--slurpfile" | "--rawfile")) {
            if let Some(path) = args.get(at + 2).cloned() {
                self.facts.redirects.push(PathUse { access: Access::Read, path, cwd: self.cwd.clone() });
            }
        }
    }

    /// Commands in the arguments of programs that are no plain wrappers.
    fn carried(&mut self, name: &str, known: bool, args: &[Word], stdin: &Stdin, around: &Around) {
        match name {
            "bfs" | "find" | "gfind" | "fd" | "fdfind" => self.found(name, args, around),
            "eval" => self.joined(args),
            "git" => self.git(args, around),
            "rsync" => {
                let programs = super::scripts::settings::rsync_programs(args);
                let codes: Vec<Word> =
                    programs.iter().filter(|(there, _)| !there).map(|(_, code)| Word::literal(*code)).collect();
                codes.iter().for_each(|code| self.text(code));
            }
            "trap" => {
                if let Some(code) = args.iter().find(|a| !matches!(a.text.as_str(), "--" | "-p" | "-l")) {
                    self.text(code);
                }
            }
            "watch" | "script" | "flock" | "entr" => self.known_suffix(name, args, stdin, around),
            "ssh" | "autossh" | "dropbear" | "dbclient" | "rsh" | "remsh" | "rexec" | "slogin" | "plink" => {
                let command: Vec<Word> = after_host(args).to_vec();
                if !command.is_empty() {
                    self.joined(&command);
                } else if stdin != &Stdin::Nothing {
                    // Then it is a shell that reads.
                    self.shell("sh", &[], stdin, around);
                }
            }
            _ if name.ends_with("mix") => {
                self.evaluated(name, args);
                self.handed(name, args, stdin, around);
            }
            "su" | "runuser" => {
                let code = args.iter().position(|a| matches!(a.text.as_str(), "-c" | "--command" | "-lc"));
                match code.and_then(|at| args.get(at + 1)) {
                    Some(code) => self.text(code),
                    None if stdin == &Stdin::Nothing => self.note(Note::BareShell),
                    None => self.note(Note::PipedCode),
                }
            }
            "docker" | "podman" | "nerdctl" => {
                match super::image::before_command(args) {
                    Some(before) => self.known_suffix_but(&[], name, &args[before..], stdin, around),
                    None => self.known_suffix(name, args, stdin, around),
                }
                self.reads_shell(args, stdin);
            }
            "kubectl" | "nsenter" | "chroot" | "unshare" | "systemd-run" | "strace" | "ltrace" | "gdb" | "lxc"
            | "machinectl" | "proot" | "bwrap" | "firejail" | "ip" | "vagrant" | "multipass" => {
                self.known_suffix(name, args, stdin, around);
                self.reads_shell(args, stdin);
            }
            _ if !known => {
                if !self.facts.functions.contains(name) || (self.context.starts)(name) == Starts::Anywhere {
                    self.known_suffix(name, args, stdin, around);
                    self.reads_shell(args, stdin);
                }
            }
            _ => self.handed(name, args, stdin, around),
        }
    }

    /// A program that nobody knows may start another one: the first argument that names a known one is taken for it.
    pub(super) fn known_suffix(&mut self, name: &str, args: &[Word], stdin: &Stdin, around: &Around) {
        let own = OWN_WORDS.iter().find(|(names, _)| names.contains(&name)).map_or(&[][..], |(_, words)| words);
        let is_own = |word: &&Word| own.contains(&word.text.as_str());
        let orders = args.iter().take_while(|word| word.text.starts_with('-') || is_own(word)).count();
        // Options before the first order may bring command lines.
        let from = if args.iter().take(orders).any(|word| is_own(&word)) { orders } else { 0 };
        self.known_suffix_but(&[], name, &args[from..], stdin, around);
    }

    /// As [`Self::known_suffix`], where those names are no programs.
    pub(super) fn known_suffix_but(
        &mut self,
        words: &[&str],
        name: &str,
        args: &[Word],
        stdin: &Stdin,
        around: &Around,
    ) {
        let inner = around.within(name);
        let program = |text: &str| {
            let head = text.split_whitespace().next().unwrap_or_default();
            let starts = (self.context.knows)(file_name(head)) || is_shell(file_name(head));
            starts && !head.starts_with('-') && !WORDS.contains(&head) && !words.contains(&head)
        };
        let known: Vec<(usize, &str)> = args.iter().enumerate().filter_map(|(at, a)| Some((at, a.known()?))).collect();
        // Command lines in one word, also behind `--option=` or the letter of an option.
        let lines: Vec<String> = known
            .iter()
            .filter(|(_, text)| text.contains(char::is_whitespace))
            .filter_map(|(_, text)| {
                let attached =
                    if text.starts_with("--") { text.split_once('=').map(|(_, v)| v) } else { text.get(2..) };
                let line = if text.starts_with('-') { attached? } else { text };
                program(line).then(|| line.to_owned())
            })
            .collect();
        // `foo test`: a bare last word only happens to be a program's name.
        let first = known.iter().find(|(at, text)| {
            !text.contains(char::is_whitespace) && program(text) && (args.len() > at + 1 || is_shell(file_name(text)))
        });
        let first = first.map(|(at, _)| *at);
        lines.iter().for_each(|line| {
            self.code(line);
        });
        if let Some(at) = first {
            self.run(args[at..].to_vec(), stdin, &inner);
        }
    }

    /// What `git` starts for its own work.
    fn git(&mut self, args: &[Word], around: &Around) {
        let at = |words: &[&str]| {
            let fits = |pair: &&[Word]| pair.iter().zip(words).all(|(word, text)| word.text == *text);
            args.windows(words.len()).position(|pair| fits(&pair)).map(|at| at + words.len())
        };
        if let Some(at) = at(&["bisect", "run"]) {
            self.run(args[at..].to_vec(), &Stdin::Nothing, &around.within("git"));
        }
        let submodule = args.iter().position(|word| word.text == "submodule");
        let order =
            submodule.and_then(|at| Some((at, args[at + 1..].iter().position(|word| !word.text.starts_with('-'))?)));
        let each = order.map(|(at, behind)| at + 1 + behind).filter(|at| args[*at].text == "foreach");
        if let Some(at) = each.map(|at| at + 1) {
            let rest: Vec<Word> = args[at..].iter().skip_while(|a| a.text.starts_with('-')).cloned().collect();
            self.joined(&rest);
        }
        if args.iter().any(|a| a.text == "rebase") {
            let pairs = args.windows(2).filter(|pair| matches!(pair[0].text.as_str(), "-x" | "--exec"));
            let codes: Vec<Word> = pairs.map(|pair| pair[1].clone()).collect();
            codes.iter().for_each(|code| self.text(code));
        }
    }

    /// The lines of a file that `make` would hand to a shell.
    pub(super) fn recipes(&mut self, text: &str) {
        for line in text.lines() {
            let recipe = line
                .strip_prefix('\t')
                .or_else(|| line.strip_prefix("  "))
                .or_else(|| line.split_once(';').map(|(_, recipe)| recipe));
            if let Some(recipe) = recipe {
                self.code(recipe.trim_start_matches(['@', '-', '+', ' ']));
            }
        }
    }

    fn found(&mut self, name: &str, args: &[Word], around: &Around) {
        let root = args.iter().find(|a| !a.text.starts_with('-')).map_or(".", |a| a.text.as_str()).to_owned();
        let mut rest = args;
        while let Some((at, attached)) =
            rest.iter().enumerate().find_map(|(at, word)| Some((at, starts_each(name, &word.text)?)))
        {
            let first = Some(attached).filter(|text| !text.is_empty()).map(|text| rest[at].with(text));
            let command: Vec<Word> = first.into_iter().chain(rest[at + 1..].iter().cloned()).collect();
            let end = command.iter().position(|a| matches!(a.text.as_str(), ";" | "+")).unwrap_or(command.len());
            let filled = command[..end].iter().map(|word| {
                if word.text == "{}" {
                    // A path below the start: never an option.
                    Word::literal(format!("{}/{OPAQUE}", root.trim_end_matches('/')))
                } else {
                    word.with(word.text.replace("{}", &OPAQUE.to_string()))
                }
            });
            let filled = filled.collect();
            self.run(filled, &Stdin::Nothing, &around.within(name));
            rest = &rest[(at + 1 + end - usize::from(!attached.is_empty())).min(rest.len())..];
        }
    }

    /// Words that a shell will join and read again.
    fn joined(&mut self, args: &[Word]) {
        let text = args.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        self.text(&Word::literal(text));
    }

    /// One word that a shell will read as code.
    pub(super) fn text(&mut self, code: &Word) {
        if code.has_opaque() {
            self.note(Note::DynamicCode);
        }
        self.code(&code.text);
    }

    fn moves(&mut self, name: &str, args: &[Word]) {
        if !matches!(name, "cd" | "pushd" | "popd") {
            return;
        }
        let to = args.iter().find(|a| !a.text.starts_with('-') || a.text == "-");
        self.cwd = match to {
            None if name == "cd" => Some("~".to_owned()),
            Some(word) if word.text != "-" => {
                word.known().and_then(|to| self.cwd.as_deref().map(|from| super::paths::join(from, to)))
            }
            _ => None,
        };
    }
}

/// Whether an option of `find` or `fd` starts a program for what is found; what of its name stands in the same word.
fn starts_each<'t>(name: &str, option: &'t str) -> Option<&'t str> {
    if matches!(option, "-exec" | "-execdir" | "-ok" | "-okdir") {
        return Some("");
    }
    let behind = ["--exec-batch", "--exec"].iter().find_map(|long| option.strip_prefix(long));
    let attached = match behind {
        Some("") => "",
        Some(behind) => behind.strip_prefix('=')?,
        None => option.strip_prefix('-').filter(|letters| !letters.starts_with('-')).and_then(|letters| {
            // Letters without a value may stand before.
            letters
                .trim_start_matches(['H', 'I', 'u', 's', 'i', 'g', 'F', 'a', 'l', 'L', 'p', '0', '1', 'q'])
                .strip_prefix(['x', 'X'])
        })?,
    };
    name.starts_with("fd").then_some(attached)
}

/// Options of wrappers that name a file to read, and those that name a file to write.
const OWN_READS: &[&str] = &["-a", "--arg-file"];
const OWN_WRITES: &[(&str, &[&str])] = &[("time", &["-o", "--output"]), ("parallel", &["--joblog", "--results"])];

/// Whether an option of `env`, `command` or `exec` takes variables away, or has programs looked for elsewhere.
fn clears(word: &str) -> bool {
    word.starts_with('-') && word != "--" && !matches!(word, "--null" | "--debug" | "-0" | "-v")
}

struct Found<'w> {
    command: &'w [Word],
    assigned: Vec<(String, String)>,
    /// What `-I` replaces.
    replace: Option<String>,
    /// Whether `xargs` splits its input at blanks and hands over all of it.
    splits: bool,
}

/// What stands behind a wrapper's own words.
pub(super) fn command_behind<'w>(wrapper: &Wrapper, args: &'w [Word]) -> Option<&'w [Word]> {
    find_command(wrapper, args).map(|found| found.command)
}

/// The command behind a wrapper's own words; `None` if it cannot be told.
fn find_command<'w>(wrapper: &Wrapper, args: &'w [Word]) -> Option<Found<'w>> {
    let mut found = Found {
        command: &[],
        assigned: Vec::new(),
        replace: None,
        splits: args.first().is_some_and(|first| !first.text.starts_with('-')),
    };
    let (mut at, mut skip) = (0, wrapper.skip);
    let mut options = true;
    while let Some(word) = args.get(at) {
        let text = word.text.as_str();
        if options && text == "--" {
            options = false;
            at += 1;
        } else if options && text.starts_with("--") {
            let (name, value) = text[2..].split_once('=').map_or((&text[2..], None), |(n, v)| (n, Some(v)));
            if wrapper.long_values.contains(&name) {
                at += if value.is_some() { 1 } else { 2 };
            } else if wrapper.long_flags.contains(&name) {
                if name == "replace" {
                    found.replace = Some(value.unwrap_or("{}").to_owned());
                }
                at += 1;
            } else {
                return None;
            }
        } else if options && text.len() > 1 && text.starts_with('-') {
            at += short_options(wrapper, &text[1..], args.get(at + 1), &mut found.replace)?;
        } else if word.may_be_option() && (options || skip == 0) {
            // A word that is not known might be an option or the command.
            return None;
        } else if matches!(wrapper.name, "env" | "sudo" | "doas") && is_assignment(text) {
            found.assigned.extend(text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
            options = false;
            at += 1;
        } else if skip > 0 {
            skip -= 1;
            at += 1;
        } else {
            break;
        }
    }
    // What may be several words, or none, may begin the command already, or have the next word taken for its own.
    if args.iter().take(at).any(Word::may_be_several) {
        return None;
    }
    found.command = args.get(at..).unwrap_or_default();
    if wrapper.name == "parallel" && found.replace.is_none() && found.command.iter().any(|w| w.text.contains("{}")) {
        found.replace = Some("{}".to_owned());
    }
    Some(found)
}

/// How many words a cluster of short options takes.
fn short_options(wrapper: &Wrapper, cluster: &str, next: Option<&Word>, replace: &mut Option<String>) -> Option<usize> {
    for (at, option) in cluster.char_indices() {
        let rest = &cluster[at + option.len_utf8()..];
        if wrapper.values.contains(option) {
            if option == 'I' {
                *replace = Some(if rest.is_empty() { next?.text.clone() } else { rest.to_owned() });
            }
            return Some(if rest.is_empty() { 2 } else { 1 });
        }
        if wrapper.name == "xargs" && matches!(option, 'i' | 'l' | 'e') {
            if option == 'i' {
                *replace = Some(if rest.is_empty() { "{}".to_owned() } else { rest.to_owned() });
            }
            return Some(1);
        }
        if !wrapper.flags.contains(option) {
            return None;
        }
    }
    Some(1)
}

fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// The words behind `ssh`'s options and host.
fn after_host(args: &[Word]) -> &[Word] {
    let mut at = 0;
    while let Some(word) = args.get(at) {
        let Some(cluster) = word.text.strip_prefix('-') else {
            return args.get(at + 1..).unwrap_or_default();
        };
        let value = cluster.char_indices().find(|(_, c)| "BbcDEeFIiJLlmOopQRSWw".contains(*c));
        at += if value.is_some_and(|(i, c)| i + c.len_utf8() == cluster.len()) { 2 } else { 1 };
    }
    &[]
}
