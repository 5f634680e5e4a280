//! What the arguments of a tool that Wardkeep does not know say about it: shell text, code, SQL, paths, addresses, and every value
//! by its name.

mod lines;
mod manifest;
mod texts;

use serde_json::Value;

use lines::Knows;
use texts::Language;

use super::paths::Access;
use super::sql;

/// Everything an unknown tool's name and arguments say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tool {
    /// The words of its name and of an argument such as `action`, lower case.
    pub words: Vec<String>,
    /// `name=value`, names in snake case, both lower case.
    pub arguments: Vec<String>,
    /// Text that a shell will read.
    pub shell: Vec<String>,
    /// A program with its arguments.
    pub argv: Vec<Vec<String>>,
    /// Language and code.
    pub code: Vec<(&'static str, String)>,
    /// Paths and what is done with them.
    pub paths: Vec<(Access, String)>,
    /// Method and address.
    pub requests: Vec<(String, String)>,
    /// The language that a field names.
    language: Option<Language>,
}

/// Bytes of a value that rules see.
const MAX_VALUE: usize = 4_096;
/// Names of arguments by what they hold.
const SHELL: &[&str] = &[
    "command",
    "commands",
    "cmd",
    "cmds",
    "shell",
    "bash",
    "command_line",
    "commandline",
    "cmdline",
    "cmd_line",
    "shell_command",
    "bash_command",
    "shell_script",
    "bash_script",
    "entrypoint",
    "exec",
    "run",
    "exec_command",
];
const SCRIPT: &[&str] = &[
    "script",
    "code",
    "source_code",
    "program",
    "expression",
    "javascript",
    "js",
    "python",
    "fn",
    "function",
    "snippet",
    "code_block",
    "python_code",
    "py",
    "cell",
    "cells",
    "cell_source",
    "new_source",
    "source_text",
];
const SQL: &[&str] = &[
    "sql",
    "query",
    "statement",
    "statements",
    "queries",
    "stmt",
    "stmts",
    "sql_query",
    "raw_sql",
    "sql_text",
    "sql_statement",
];
const URL: &[&str] = &[
    "url",
    "uri",
    "href",
    "link",
    "endpoint",
    "address",
    "target_url",
    "base_url",
    "webhook",
    "webhook_url",
    "callback_url",
];
const PATHS: &[&str] = &[
    "path",
    "paths",
    "file",
    "files",
    "file_path",
    "filepath",
    "filename",
    "file_name",
    "directory",
    "dir",
    "folder",
    "root",
    "absolute_path",
    "relative_path",
    "notebook_path",
    "target_file",
    "output_path",
    "output",
    "out",
    "save_path",
    "attachments",
    "attachment",
    "media",
    "media_path",
    "image_path",
    "log_path",
];
const FROM: &[&str] = &["source", "src", "from_path", "old_path", "source_path", "input", "input_path"];
const TO: &[&str] = &["destination", "dest", "dst", "to_path", "new_path", "destination_path", "target", "target_path"];
const ACTION: &[&str] = &["action", "operation", "op", "method", "verb", "subcommand", "kind", "mode", "act"];
/// Words of names by what the tool does to a path.
const DELETES: &[&str] = &["delete", "remove", "rm", "unlink", "erase", "trash", "rmdir"];
const MOVES: &[&str] = &["move", "rename", "mv"];
const WRITES: &[&str] = &[
    "write", "edit", "create", "append", "patch", "apply", "replace", "save", "insert", "update", "put", "set", "copy",
    "cp", "mkdir", "touch", "multi", "export", "download", "generate", "convert", "render", "extract", "unzip",
    "chmod", "notebook", "modify", "str",
];
impl Tool {
    /// Reads a call; `knows` says which programs there are.
    #[must_use]
    pub fn read(name: &str, args: &Value, knows: &dyn Fn(&str) -> bool) -> Self {
        let mut tool = Self { words: words(name), ..Self::default() };
        for key in ACTION {
            if let Some(Value::String(text)) = args.get(key) {
                tool.words.extend(words(text));
            }
        }
        tool.argv.extend(super::container::argv(&tool.words, args));
        tool.language = texts::language_named("", args);
        let own = tool.program(knows);
        tool.walk("", args, own.as_deref(), knows);
        tool.patches(args);
        tool
    }

    fn has(&self, list: &[&str]) -> bool {
        self.words.iter().any(|word| list.contains(&word.as_str()))
    }

    fn walk(&mut self, name: &str, value: &Value, own: Option<&[String]>, knows: Knows<'_>) {
        match value {
            Value::Object(map) => {
                self.join(map, own, knows);
                for (key, value) in map {
                    self.walk(&words(key).join("_"), value, own, knows);
                }
            }
            Value::Array(items) => {
                let texts: Option<Vec<String>> = items.iter().map(|i| i.as_str().map(str::to_owned)).collect();
                match texts {
                    Some(argv) if !argv.is_empty() && (SHELL.contains(&name) || matches!(name, "argv" | "args")) => {
                        self.argument(name, &argv.join(" "));
                        // A list of command lines, and no command line in words.
                        if name == "commands" || argv[0].contains(char::is_whitespace) {
                            self.shell.extend(argv.iter().cloned());
                        }
                        self.argv.push(argv);
                    }
                    _ => items.iter().for_each(|item| self.walk(name, item, own, knows)),
                }
            }
            Value::String(text) => {
                self.argument(name, text);
                self.manifest(text);
                self.text(name, text, knows);
                // Arguments of one tool as the text that another is given.
                if text.trim_start().starts_with(['{', '['])
                    && let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text)
                {
                    self.walk(name, &inner, own, knows);
                }
            }
            Value::Null => {}
            other => self.argument(name, &other.to_string()),
        }
    }

    fn argument(&mut self, name: &str, value: &str) {
        let end = value.char_indices().map(|(at, _)| at).find(|at| *at >= MAX_VALUE).unwrap_or(value.len());
        self.arguments.push(format!("{name}={}", value[..end].to_lowercase()));
    }

    fn text(&mut self, name: &str, text: &str, knows: Knows<'_>) {
        self.magics(text);
        if SQL.contains(&name) && (name != "query" || sql::is_sql(text)) {
            self.code.push(("sql", text.to_owned()));
        } else if SHELL.contains(&name) {
            self.shell.push(text.to_owned());
            self.loose(name, text, &|_| false);
        } else if SCRIPT.contains(&name) {
            self.script(name, text);
        } else if URL.contains(&name) || text.starts_with("http://") || text.starts_with("https://") {
            if text.contains("://") && !text.contains(char::is_whitespace) {
                self.requests.push(("GET".to_owned(), text.to_owned()));
            }
        } else if let Some(access) = self.access(name) {
            self.paths.push((access, text.to_owned()));
            self.loose(name, text, knows);
        } else {
            self.loose(name, text, knows);
        }
    }

    fn script(&mut self, name: &str, text: &str) {
        if let Some(language) = self.language {
            return self.in_language(language, text);
        }
        let says = |language: &str| {
            self.has(&[language]) || self.arguments.iter().any(|a| a.ends_with(&format!("={language}")))
        };
        if name == "python" || says("python") || says("jupyter") || says("py") {
            self.code.push(("python", text.to_owned()));
        } else if matches!(name, "javascript" | "js" | "fn" | "function")
            || says("javascript")
            || says("node")
            || says("browser")
        {
            self.code.push(("javascript", text.to_owned()));
        } else if says("sql") {
            self.code.push(("sql", text.to_owned()));
        } else {
            // Of an unknown language: read as a shell would, and as code.
            self.code.push(("other", text.to_owned()));
            if name == "script" {
                self.shell.push(text.to_owned());
            }
        }
    }

    fn access(&self, name: &str) -> Option<Access> {
        let from = FROM.contains(&name) || name == "from";
        if TO.contains(&name) {
            return Some(Access::Write);
        }
        if !from && !PATHS.contains(&name) {
            return None;
        }
        Some(if self.has(DELETES) || (from && self.has(MOVES)) {
            Access::Delete
        } else if !from && (self.has(WRITES) || self.has(MOVES)) {
            Access::Write
        } else {
            Access::Read
        })
    }

    /// Files that a patch names.
    fn patches(&mut self, args: &Value) {
        for text in ["input", "patch", "diff", "patch_text"].iter().filter_map(|key| args.get(key)?.as_str()) {
            for line in text.lines() {
                for (mark, access) in [
                    ("*** Update File: ", Access::Write),
                    ("*** Add File: ", Access::Write),
                    ("*** Move to: ", Access::Write),
                    ("*** Delete File: ", Access::Delete),
                    ("+++ ", Access::Write),
                    ("rename to ", Access::Write),
                ] {
                    if let Some(path) = line.strip_prefix(mark) {
                        let path = path.split('\t').next().unwrap_or_default();
                        self.paths.push((access, path.strip_prefix("b/").unwrap_or(path).to_owned()));
                    }
                }
            }
        }
    }
}

/// `sendMoney_now` as `send`, `money`, `now`.
#[must_use]
pub fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    let chars: Vec<char> = name.chars().collect();
    for (at, &c) in chars.iter().enumerate() {
        let next_is_lower = chars.get(at + 1).is_some_and(char::is_ascii_lowercase);
        let starts = !c.is_ascii_alphanumeric()
            || !before.is_ascii_alphanumeric()
            || (c.is_ascii_uppercase() && (before.is_ascii_lowercase() || next_is_lower));
        if c.is_ascii_alphanumeric() {
            match words.last_mut() {
                Some(word) if !starts => word.push(c.to_ascii_lowercase()),
                _ => words.push(c.to_ascii_lowercase().to_string()),
            }
        }
        before = c;
    }
    words
}
