//! Command lines that several fields spell together: a program here, its arguments there; or the program is the tool.

use serde_json::{Map, Value};

use super::{FROM, PATHS, SHELL, TO, Tool, words};
use crate::facts::interpret::file_name;
use crate::facts::natures::is_shell;

/// Fields that hold what stands behind a program's name.
const ARGS: &[&str] = &[
    "args",
    "argv",
    "arguments",
    "arg",
    "params",
    "parameters",
    "flags",
    "flag",
    "options",
    "opts",
    "switches",
    "cmd_args",
    "command_args",
    "argument_list",
    "args_list",
    "extra_args",
    "additional_args",
    "cli_args",
    "argument",
    "operands",
    "positional",
    "subcommand",
    "sub_command",
    "subcommands",
    "tail",
    "rest",
];
/// Fields that hold a program, beside those that hold command lines; any other may where it names a known one.
const PROGRAMS: &[&str] =
    &["program", "executable", "exe", "binary", "bin", "file", "executable_path", "program_path", "cli"];
/// Fields that hold what a program works on, beside paths.
const OPERANDS: &[&str] = &["target", "targets", "resource", "resources", "resource_type"];
/// Words of a tool's name that say nothing about the program.
const GENERIC: &[&str] = &[
    "mcp", "tool", "tools", "run", "exec", "execute", "cli", "command", "cmd", "call", "invoke", "server", "local",
    "my", "the", "shell", "raw", "client",
];
/// What nearly every runtime calls its own tools for files, and what nobody means by it who has such a tool: an editor with a way into a
/// shell, a message to another terminal, a word of the shell.
const VERBS: &[&str] = &["read", "write", "edit"];
/// Names under which a program goes as well.
const ALIASES: &[(&str, &str)] = &[
    ("redis", "redis-cli"),
    ("valkey", "valkey-cli"),
    ("kubernetes", "kubectl"),
    ("k8s", "kubectl"),
    ("kube", "kubectl"),
    ("opentofu", "tofu"),
    ("awscli", "aws"),
    ("azure", "az"),
    ("gcp", "gcloud"),
    ("github", "gh"),
    ("postgres", "psql"),
    ("postgresql", "psql"),
    ("sqlite", "sqlite3"),
    ("mongodb", "mongosh"),
    ("ripgrep", "rg"),
    ("etcd", "etcdctl"),
];

/// What is known of the programs that there are.
pub(super) type Knows<'a> = &'a dyn Fn(&str) -> bool;

impl Tool {
    /// The program that the tool's name is, with the words behind it: `git_push` is `git push`.
    pub(super) fn program(&self, knows: Knows<'_>) -> Option<Vec<String>> {
        let mut rest = self.words.iter().filter(|word| !GENERIC.contains(&word.as_str())).peekable();
        let first = rest.next()?;
        let program = ALIASES.iter().find(|(name, _)| name == first).map_or(first.as_str(), |(_, program)| program);
        if VERBS.contains(&program) || !knows(program) {
            return None;
        }
        // `kubectl_kubectl`: a server that is called as its tool.
        let behind = rest.skip_while(|word| *word == first).cloned();
        Some(std::iter::once(program.to_owned()).chain(behind).collect())
    }

    /// Joins the fields of one object.
    pub(super) fn join(&mut self, map: &Map<String, Value>, own: Option<&[String]>, knows: Knows<'_>) {
        let fields: Vec<(String, &Value)> = map.iter().map(|(key, value)| (words(key).join("_"), value)).collect();
        let of = |names: &[&str]| {
            let named = fields.iter().filter(|(name, _)| names.contains(&name.as_str()));
            named.flat_map(|(_, value)| texts(value)).collect::<Vec<String>>()
        };
        let (args, lines) = (of(ARGS), of(SHELL));
        if let Some(own) = own {
            self.join_own(&fields, own, &lines, &args, [of(PATHS), of(FROM), of(TO), of(OPERANDS)].concat());
        }
        let mut joined = false;
        for (name, value) in &fields {
            let (head, program_field) = (texts(value), PROGRAMS.contains(&name.as_str()));
            let Some(first) = head.first().filter(|_| !ARGS.contains(&name.as_str())) else { continue };
            let program = file_name(first.split_whitespace().next().unwrap_or_default());
            let known = || knows(program) || is_shell(program);
            let sure = program_field || SHELL.contains(&name.as_str());
            if args.is_empty() && !(program_field && known()) || !args.is_empty() && !sure && !known() {
                continue;
            }
            joined = true;
            match (head.as_slice(), value) {
                ([line], Value::String(_)) => self.line(&[], line, &args),
                _ => self.line(&head, "", &args),
            }
        }
        let lists = fields.iter().filter(|(name, value)| value.is_array() && SHELL.contains(&name.as_str()));
        lists.for_each(|(_, value)| self.spread(&texts(value)));
        // By its name the first of `argv` is a program, and what the tool is called may be one by chance.
        let full = |name: &str| name == "argv" || own.is_none() && ARGS.contains(&name);
        let alone = fields.iter().filter(|(name, _)| !joined && full(name));
        alone.for_each(|(_, value)| self.alone(value, knows));
    }

    /// Arguments without a program are a command line of their own where the first of them is one.
    fn alone(&mut self, value: &Value, knows: Knows<'_>) {
        let program = |text: &str| {
            let name = file_name(text.split_whitespace().next().unwrap_or_default());
            knows(name) || is_shell(name)
        };
        match value {
            Value::String(line) if line.contains(char::is_whitespace) && program(line) => self.said(line.clone()),
            Value::Array(_) => {
                let words = texts(value);
                if words.first().is_some_and(|first| program(first)) {
                    self.spread(&words);
                    if !self.argv.contains(&words) {
                        self.argv.push(words);
                    }
                }
            }
            _ => {}
        }
    }

    /// Words of which some are patterns, as a shell that is handed them would read them.
    fn spread(&mut self, words: &[String]) {
        let sign = |b: u8| b"*?[".contains(&b);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:,+=@%]".contains(&b) || sign(b);
        let patterns = words.iter().any(|word| word.bytes().any(sign));
        if patterns && words.iter().all(|word| !word.is_empty() && word.bytes().all(plain)) {
            self.said(words.join(" "));
        }
    }

    /// The tool is the program, its fields are all that stands behind.
    fn join_own(
        &mut self,
        fields: &[(String, &Value)],
        own: &[String],
        lines: &[String],
        args: &[String],
        paths: Vec<String>,
    ) {
        let switches = fields.iter().filter(|(_, value)| value.as_bool() == Some(true)).map(|(name, _)| switch(name));
        let behind: Vec<String> = switches.chain(args.iter().cloned()).chain(paths).collect();
        if lines.is_empty() && args.is_empty() && (behind.is_empty() || own.len() > 1) {
            return;
        }
        let none = [String::new()];
        for line in if lines.is_empty() { &none } else { lines } {
            let again = line.split_whitespace().next() == own.first().map(String::as_str);
            let head = if again { &[] } else { own };
            self.line(head, line, &behind);
            if behind.len() > args.len() {
                self.line(head, line, args);
            }
        }
    }

    /// `head`, then a text that a shell splits, then single words.
    fn line(&mut self, head: &[String], line: &str, behind: &[String]) {
        let splits = |text: &String| text.contains(|c: char| c.is_whitespace() || c == '*');
        if line.contains(char::is_whitespace) || behind.iter().any(splits) {
            // One field may hold several words, or one word with a blank in it, a pattern or a name with a star: both readings count.
            let each: Vec<String> = behind.iter().map(|word| quoted(word)).collect();
            let whole: Vec<String> = head.iter().map(|word| quoted(word)).chain([line.to_owned()]).collect();
            let whole = whole.join(" ");
            if behind.iter().any(splits) {
                self.said(format!("{whole} {}", behind.join(" ")));
            }
            self.said(format!("{whole} {}", each.join(" ")));
        } else {
            let words = head.iter().cloned().chain([line.to_owned()]).filter(|word| !word.is_empty());
            let argv: Vec<String> = words.chain(behind.iter().cloned()).collect();
            if !argv.is_empty() && !self.argv.contains(&argv) {
                self.argv.push(argv);
            }
        }
    }

    fn said(&mut self, line: String) {
        let line = line.trim().to_owned();
        if !line.is_empty() && !self.shell.contains(&line) {
            self.shell.push(line);
        }
    }
}

/// A word as a shell must be given it.
fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:,+=@%".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The words of a value; what an object switches on as options.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(map) => map.iter().flat_map(|(key, value)| option(key, value)).collect(),
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}

fn option(key: &str, value: &Value) -> Vec<String> {
    let name = if key.starts_with('-') { key.to_owned() } else { switch(key) };
    match value {
        Value::Bool(true) => vec![name],
        Value::Bool(false) | Value::Null => Vec::new(),
        other => std::iter::once(name).chain(texts(other)).collect(),
    }
}

/// `force` as `--force`, `f` as `-f`.
fn switch(name: &str) -> String {
    let name = name.replace('_', "-");
    if name.chars().count() == 1 { format!("-{name}") } else { format!("--{name}") }
}
