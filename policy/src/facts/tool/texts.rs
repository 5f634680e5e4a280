//! What a text is by what the tool does, by the language that another field names, or by how it begins.

use serde_json::Value;

use super::{Tool, lines::Knows, words};
use crate::facts::interpret::file_name;
use crate::facts::natures::is_shell;
use crate::facts::sql;

/// What reads a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// A shell.
    Shell,
    /// Another, by the name that rules have for it.
    Code(&'static str),
}

/// Fields that name a language.
const NAMED: &[&str] = &[
    "language",
    "lang",
    "interpreter",
    "runtime",
    "kernel",
    "kernel_name",
    "dialect",
    "syntax",
    "code_language",
    "script_type",
    "script_language",
    "executor",
    "code_type",
    "language_id",
];
const SHELLS: &[&str] =
    &["sh", "bash", "shell", "zsh", "fish", "dash", "ksh", "posix", "shellscript", "bash_script", "terminal"];
const LANGUAGES: &[(&str, &[&str])] = &[
    ("python", &["python", "py", "ipython", "jupyter", "pypy"]),
    ("javascript", &["javascript", "js", "node", "nodejs", "typescript", "ts", "deno", "bun", "jsx", "tsx"]),
    ("perl", &["perl"]),
    ("ruby", &["ruby", "rb", "irb"]),
    ("php", &["php"]),
    ("sql", &["sql", "postgresql", "postgres", "mysql", "sqlite", "plpgsql", "tsql", "plsql", "mariadb", "duckdb"]),
    (
        "other",
        &[
            "powershell",
            "pwsh",
            "cmd",
            "batch",
            "bat",
            "lua",
            "julia",
            "golang",
            "rust",
            "java",
            "kotlin",
            "scala",
            "groovy",
            "cpp",
            "elixir",
            "applescript",
        ],
    ),
];
/// Words of tools that run what they are given.
const RUNNERS: &[&str] = &[
    "run",
    "exec",
    "execute",
    "executor",
    "eval",
    "evaluate",
    "shell",
    "bash",
    "sh",
    "terminal",
    "console",
    "command",
    "commands",
    "cmd",
    "spawn",
    "process",
    "code",
    "interpreter",
    "notebook",
    "jupyter",
    "cell",
    "repl",
    "sandbox",
    "script",
    "launch",
    "invoke",
    "ssh",
    "powershell",
    "kernel",
    "subprocess",
    "system",
    "cli",
];
/// Words of tools that ask a database.
const DATABASES: &[&str] = &[
    "sql",
    "query",
    "db",
    "database",
    "postgres",
    "postgresql",
    "psql",
    "pg",
    "mysql",
    "mariadb",
    "sqlite",
    "snowflake",
    "bigquery",
    "bq",
    "duckdb",
    "redshift",
    "clickhouse",
    "mssql",
    "sqlserver",
    "oracle",
    "supabase",
    "athena",
    "trino",
    "presto",
    "d1",
    "cockroach",
    "cockroachdb",
    "timescale",
    "databricks",
    "warehouse",
    "neon",
    "planetscale",
    "turso",
    "cassandra",
    "spark",
    "hive",
    "dbt",
    "motherduck",
    "tidb",
    "vertica",
    "teradata",
];
/// Fields that people read.
const PROSE: &[&str] = &[
    "description",
    "reason",
    "explanation",
    "title",
    "justification",
    "note",
    "notes",
    "comment",
    "summary",
    "purpose",
    "label",
    "task",
    "thought",
    "prompt",
    "instruction",
    "instructions",
    "goal",
    "question",
    "intent",
    "rationale",
];
/// Fields that hold what a runner runs even where it is one word.
const WHOLE: &[&str] =
    &["line", "lines", "input", "text", "content", "body", "value", "payload", "source", "data", "stdin"];

/// The language that some field names.
pub(super) fn language_named(name: &str, value: &Value) -> Option<Language> {
    match value {
        Value::Object(map) => map.iter().find_map(|(key, value)| language_named(&words(key).join("_"), value)),
        Value::Array(items) => items.iter().find_map(|item| language_named(name, item)),
        Value::String(text) if NAMED.contains(&name) => language(text),
        _ => None,
    }
}

/// The language of that name, with its version or without.
fn language(name: &str) -> Option<Language> {
    let name = name.trim().to_ascii_lowercase();
    let name = name
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ' ' | '-'));
    if SHELLS.contains(&name) {
        return Some(Language::Shell);
    }
    LANGUAGES.iter().find(|(_, names)| names.contains(&name)).map(|(language, _)| Language::Code(language))
}

impl Tool {
    /// A text in a field that says nothing about it.
    pub(super) fn loose(&mut self, name: &str, text: &str, knows: Knows<'_>) {
        if PROSE.contains(&name) || NAMED.contains(&name) {
            return;
        }
        let (runs, several) = (self.has(RUNNERS), text.contains(char::is_whitespace));
        if runs && (several || WHOLE.contains(&name)) && starts_known(text, knows) {
            self.shell.push(text.to_owned());
        }
        if self.has(DATABASES) && (several || text.contains("/*")) && sql::is_sql(text) {
            self.code.push(("sql", text.to_owned()));
        }
        if let Some(language) = self.language
            && (language != Language::Shell || !self.shell.iter().any(|line| line == text))
            && (WHOLE.contains(&name) || runs && (several || text.contains('(')))
        {
            self.in_language(language, text);
        } else if runs
            && self.language.is_none()
            && WHOLE.contains(&name)
            && self.has(&["code", "python", "notebook", "jupyter", "cell"])
        {
            self.code.push(("python", text.to_owned()));
        }
    }

    pub(super) fn in_language(&mut self, language: Language, text: &str) {
        match language {
            Language::Shell => self.shell.push(text.to_owned()),
            Language::Code(language) => self.code.push((language, text.to_owned())),
        }
    }

    /// Lines that a notebook hands to a shell.
    pub(super) fn magics(&mut self, text: &str) {
        if !text.contains(['!', '%']) || !self.has(RUNNERS) && !self.has(&["python", "ipython"]) {
            return;
        }
        let lines = || text.lines().map(str::trim_start);
        for line in lines() {
            // `files = !ls` as well.
            let behind = line.split_once('=').map_or(line, |(_, value)| value.trim_start());
            for line in [line, behind].iter().take(if line == behind { 1 } else { 2 }) {
                let order = ["!!", "!", "%sx ", "%system ", "%cd "].iter().find_map(|mark| line.strip_prefix(mark));
                if let Some(order) = order.filter(|order| !order.starts_with('=')) {
                    self.shell.push(order.to_owned());
                }
            }
        }
        if let Some(head) = text.trim_start().strip_prefix("%%") {
            let (magic, rest) = head.split_once('\n').unwrap_or((head, ""));
            let magic = magic.split_whitespace().next().unwrap_or_default();
            if is_shell(magic) || matches!(magic, "script" | "system" | "sx" | "!") {
                self.shell.push(rest.to_owned());
            } else if matches!(magic, "sql" | "bigquery") {
                self.code.push(("sql", rest.to_owned()));
            }
        }
    }
}

/// Whether some command of the text begins with a known program.
fn starts_known(text: &str, knows: Knows<'_>) -> bool {
    text.split(['\n', ';', '&', '|', '(', '`', '{']).any(|piece| {
        let mut words = piece.split_whitespace().skip_while(|word| word.contains('=') && !word.starts_with(['=', '-']));
        words.next().is_some_and(|word| {
            let name = file_name(word.trim_matches(['"', '\'', '\\']));
            knows(name) || is_shell(name)
        })
    })
}
