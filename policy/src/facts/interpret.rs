//! Interpreters: where their code comes from decides what is known about it.

use super::natures::{Nature, unversioned};
use super::paths::last_part;
use super::shell::{Around, Stdin, Walker};
use super::words::{Surroundings as _, Word};
use super::{Code, Note};

pub(super) const SHELLS: &[&str] = &[
    "sh",
    "bash",
    "dash",
    "zsh",
    "ksh",
    "mksh",
    "ash",
    "rbash",
    "fish",
    "csh",
    "tcsh",
    "rksh",
    "rzsh",
    "lksh",
    "pdksh",
    "oksh",
    "loksh",
    "yash",
    "posh",
    "sash",
    "elvish",
    "nu",
    "xonsh",
    "osh",
    "ysh",
    "hush",
    "bash-static",
    "zsh-static",
    "mksh-static",
    "ksh93",
    "rc",
    "es",
    "ion",
    "murex",
    "fizsh",
    "bsh",
    "psh",
    "scsh",
    "nsh",
];

/// An interpreter of another language.
pub(super) struct Interpreter {
    pub(super) names: &'static [&'static str],
    pub(super) language: &'static str,
    /// Short options whose value is code; they may end a cluster.
    code: &'static str,
    /// Long options whose value is code.
    long_code: &'static [&'static str],
    /// Short options that say where else the code is (`-m`, `-f`), or that nothing runs.
    elsewhere: &'static [&'static str],
    /// Which operand is code, counted from 0.
    operand: Option<usize>,
}

/// Long options of languages that are rarer: with code, and with none.
const OTHER_CODE: &[&str] = &["-Command", "-command", "-eval", "--eval", "--evaluate", "--execute", "--command", "-e"];
const OTHER_ELSEWHERE: &[&str] = &["-v", "-V", "--version", "--help", "-h", "-version"];

impl Interpreter {
    /// Whether the word is a letter of a database client's with its value behind it: `-hSERVER`, `-uBOB`.
    fn takes_value(&self, cluster: &str) -> bool {
        // `-S` and `-U` are flags of one of them.
        let letters = match self.names.first() {
            Some(&"psql") => "hpPUd",
            Some(&"mysql") => "hupPDS",
            _ => "",
        };
        cluster.len() > 1 && cluster.starts_with(|letter| letters.contains(letter))
    }
}

pub(super) static INTERPRETERS: &[Interpreter] = &[
    Interpreter {
        names: &["python", "pypy", "ipython"],
        language: "python",
        code: "c",
        long_code: &[],
        elsewhere: &["-m", "-V", "--version", "-h", "--help"],
        operand: None,
    },
    Interpreter {
        names: &["perl"],
        language: "perl",
        code: "eE",
        long_code: &[],
        elsewhere: &["-v", "-V", "--version", "-h"],
        operand: None,
    },
    Interpreter {
        names: &["ruby"],
        language: "ruby",
        code: "e",
        long_code: &[],
        elsewhere: &["-v", "--version", "-h", "--help"],
        operand: None,
    },
    Interpreter {
        names: &["node", "nodejs", "bun", "deno", "tsx", "ts-node"],
        language: "javascript",
        code: "ep",
        long_code: &["--eval", "--print", "eval"],
        elsewhere: &["-v", "--version", "-h", "--help", "--test"],
        operand: None,
    },
    Interpreter {
        names: &["php"],
        language: "php",
        code: "rBRE",
        long_code: &["--run", "--process-begin", "--process-code", "--process-end"],
        elsewhere: &["-v", "--version", "-h", "-i", "-m", "-S"],
        operand: None,
    },
    Interpreter {
        names: &["lua", "luajit"],
        language: "lua",
        code: "eEcxgnr",
        long_code: OTHER_CODE,
        elsewhere: OTHER_ELSEWHERE,
        operand: None,
    },
    Interpreter {
        names: &["Rscript", "R"],
        language: "r",
        code: "eEcxgnr",
        long_code: OTHER_CODE,
        elsewhere: OTHER_ELSEWHERE,
        operand: None,
    },
    Interpreter {
        names: &["tclsh", "wish", "expect"],
        language: "tcl",
        code: "eEcxgnr",
        long_code: OTHER_CODE,
        elsewhere: OTHER_ELSEWHERE,
        operand: None,
    },
    Interpreter {
        names: &[
            "julia",
            "groovy",
            "elixir",
            "osascript",
            "pwsh",
            "powershell",
            "jrunscript",
            "jjs",
            "jshell",
            "clisp",
            "sbcl",
            "ecl",
            "ccl",
            "guile",
            "racket",
            "csi",
            "gosh",
            "chibi-scheme",
            "mit-scheme",
            "ghci",
            "ghc",
            "runghc",
            "erl",
            "escript",
            "iex",
            "swipl",
            "gprolog",
            "octave",
            "scala",
            "kotlin",
            "kotlinc",
            "clojure",
            "clj",
            "bb",
            "nim",
            "crystal",
            "ocaml",
            "utop",
            "gnuplot",
            "gs",
            "maxima",
            "sage",
            "slsh",
            "raku",
            "perl6",
            "irb",
            "pry",
            "bpython",
            "pdb",
            "msfconsole",
            "qjs",
            "gjs",
            "cjs",
            "d8",
            "rhino",
            "coffee",
            "bpftrace",
            "stap",
            "dtrace",
            "newlisp",
            "picolisp",
            "gst",
            "rexx",
            "regina",
            "forth",
            "gforth",
            "vbscript",
            "cscript",
            "byebug",
            "ginsh",
            "genius",
            "gap",
            "gp",
            "jruby",
            "jython",
            "hhvm",
            "fennel",
            "janet",
            "moon",
            "yabasic",
            "m4",
            "octave-cli",
            "pike",
        ],
        language: "other",
        code: "eEcxgnr",
        long_code: OTHER_CODE,
        elsewhere: OTHER_ELSEWHERE,
        operand: None,
    },
    Interpreter {
        names: &["psql", "pgcli"],
        language: "sql",
        code: "c",
        long_code: &["--command"],
        elsewhere: &["-f", "--file", "-l", "--list", "--version", "--help"],
        operand: None,
    },
    Interpreter {
        names: &["mysql", "mariadb", "mycli", "clickhouse-client"],
        language: "sql",
        code: "eq",
        long_code: &["--execute", "--query"],
        elsewhere: &["--version", "--help"],
        operand: None,
    },
    Interpreter {
        names: &["sqlite3", "sqlite", "duckdb", "litecli"],
        language: "sql",
        code: "",
        long_code: &["-cmd", "-c", "-s"],
        elsewhere: &["-version", "--version", "-help"],
        operand: Some(1),
    },
    Interpreter {
        names: &[
            "cqlsh",
            "snowsql",
            "sqlcmd",
            "mssql-cli",
            "trino",
            "presto",
            "usql",
            "hive",
            "beeline",
            "impala-shell",
            "spark-sql",
            "vsql",
            "nzsql",
            "ysqlsh",
            "cockroach",
            "isql",
            "tsql",
            "monetdb",
            "clickhouse",
        ],
        language: "sql",
        code: "ceqQ",
        long_code: &["--execute", "--query", "--command", "--sql"],
        elsewhere: &["--version", "--help", "-h", "-f", "--file", "-i"],
        operand: None,
    },
    Interpreter {
        names: &["mongosh", "mongo"],
        language: "mongo",
        code: "",
        long_code: &["--eval"],
        elsewhere: &["--version", "--help"],
        operand: None,
    },
];

/// The file name of a program in one of the system's folders; the path itself anywhere else.
pub(super) fn file_name(program: &str) -> &str {
    const FOLDERS: &[&str] =
        &["/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/snap/bin"];
    let name = last_part(program);
    let folder = program.strip_suffix(name).and_then(|folder| folder.strip_suffix('/'));
    if !name.is_empty() && folder.is_some_and(|folder| FOLDERS.contains(&folder)) { name } else { program }
}

/// Orders of `deno` and `bun` behind which a script stands.
const JAVASCRIPT_ORDERS: &[&str] = &["run", "test", "bench", "serve", "install", "compile", "check", "cache", "x"];

impl Walker<'_> {
    /// Looks into an interpreter's code; whether nothing is left to say about the command itself.
    pub(super) fn interpreted(
        &mut self,
        name: &str,
        nature: Nature,
        args: &[Word],
        stdin: &Stdin,
        around: &Around,
    ) -> bool {
        if nature.shell {
            self.shell(name, args, stdin, around);
            return true;
        }
        if matches!(name, "source" | ".") {
            self.sourced(args);
            return false;
        }
        let Some(interpreter) = nature.interpreter else { return false };
        self.language(interpreter, args, stdin, around);
        if interpreter.language == "python" {
            self.module(args, stdin, around);
        }
        if name == "bun" {
            self.handed_on(args, stdin, around);
        }
        if matches!(interpreter.language, "python" | "php" | "ruby") {
            self.console_of_script(args, stdin);
        }
        if let (Stdin::Known(text), "tclsh" | "wish" | "expect") = (stdin, name) {
            // A command that Tcl does not know is a program there.
            self.text(text);
        }
        self.plain(if interpreter.names.contains(&name) { name } else { unversioned(name) }, args, around);
        true
    }

    /// `bun x` starts a program, `bun exec` has its own shell read a line.
    fn handed_on(&mut self, args: &[Word], stdin: &Stdin, around: &Around) {
        let Some(at) = args.iter().position(|word| !word.text.starts_with('-')) else { return };
        match args[at].text.as_str() {
            "x" => self.known_suffix("bun", &args[at + 1..], stdin, around),
            "exec" => args[at + 1..].iter().for_each(|line| self.text(line)),
            _ => {}
        }
    }

    pub(super) fn shell(&mut self, name: &str, args: &[Word], stdin: &Stdin, around: &Around) {
        let mut code_follows = false;
        let mut from_stdin = false;
        let mut at = 0;
        while let Some(word) = args.get(at) {
            let text = word.text.as_str();
            if word.may_be_option() {
                self.note(Note::DynamicCode);
                return;
            }
            if matches!(text, "--version" | "--help") || (text == "-n" && !code_follows) {
                return self.plain(name, args, around);
            }
            at += 1;
            if text == "--" || text == "-" {
                break;
            } else if text.starts_with("--") {
                let (option, value) =
                    text.split_once('=').map_or((text, None), |(option, value)| (option, Some(value)));
                if matches!(option, "--rcfile" | "--init-file") {
                    let file = value.map(Word::literal).or_else(|| args.get(at).cloned());
                    at += usize::from(value.is_none());
                    self.script_file(name, file.as_slice(), around);
                } else if name == "fish" && option == "--init-command" {
                    let code = value.map(Word::literal).or_else(|| args.get(at).cloned());
                    at += usize::from(value.is_none());
                    code.iter().for_each(|code| self.text(code));
                }
            } else if let (Some(code), "fish") = (text.strip_prefix("-C"), name) {
                let code = if code.is_empty() { args.get(at).cloned() } else { Some(Word::literal(code)) };
                at += usize::from(text.len() == 2);
                code.iter().for_each(|code| self.text(code));
            } else if let Some(cluster) = text.strip_prefix(['-', '+']).filter(|c| !c.is_empty()) {
                code_follows |= cluster.contains('c');
                from_stdin |= cluster.contains('s');
                at += usize::from(cluster.ends_with(['o', 'O']));
            } else {
                at -= 1;
                break;
            }
        }
        match args.get(at) {
            Some(code) if code_follows => self.text(code),
            None if code_follows || around.more => self.note(Note::DynamicCode),
            Some(_) if !from_stdin => self.script_file(name, &args[at..], around),
            _ => match stdin {
                Stdin::Known(text) => self.text(text),
                Stdin::Stream => self.note(Note::PipedCode),
                Stdin::File => self.plain(name, &[Word::literal("script")], around),
                Stdin::Nothing => self.note(Note::BareShell),
            },
        }
    }

    /// A shell that runs a file, the first of `args`.
    fn script_file(&mut self, name: &str, args: &[Word], around: &Around) {
        if args.first().is_some_and(|file| is_stream(&file.text) || file.has_opaque()) {
            self.note(Note::PipedCode);
        }
        self.plain(name, args, around);
    }

    fn sourced(&mut self, args: &[Word]) {
        if args.first().is_none_or(|file| file.has_opaque() || is_stream(&file.text)) {
            self.note(Note::PipedCode);
        }
    }

    fn language(&mut self, interpreter: &Interpreter, args: &[Word], stdin: &Stdin, around: &Around) {
        let mut operands = Vec::new();
        let mut settled = false;
        let mut at = 0;
        while let Some(word) = args.get(at) {
            let text = word.text.as_str();
            at += 1;
            let (long, value) = text.split_once('=').map_or((text, None), |(long, value)| (long, Some(value)));
            if interpreter.long_code.contains(&long) {
                let code = value.map(Word::literal).or_else(|| args.get(at).cloned());
                at += usize::from(value.is_none());
                settled = true;
                self.inline(interpreter, code.as_ref());
            } else if interpreter.elsewhere.contains(&long) {
                settled = true;
            } else if let Some(cluster) = text.strip_prefix('-').filter(|c| !c.is_empty() && !c.starts_with('-')) {
                if interpreter.takes_value(cluster) {
                    continue;
                }
                if let Some((i, c)) = cluster.char_indices().find(|(_, c)| interpreter.code.contains(*c)) {
                    let rest = &cluster[i + c.len_utf8()..];
                    // `-pe CODE`: letters that take the same code.
                    let rest = if rest.chars().all(|c| interpreter.code.contains(c)) { "" } else { rest };
                    let attached = (!rest.is_empty()).then(|| Word::literal(rest));
                    let code = attached.clone().or_else(|| args.get(at).cloned());
                    at += usize::from(attached.is_none());
                    settled = true;
                    self.inline(interpreter, code.as_ref());
                }
            } else if text != "-" && !text.starts_with("--") {
                operands.push(word.clone());
            }
        }
        let behind = interpreter.operand.and_then(|n| operands.get(n..)).unwrap_or_default();
        if !behind.is_empty() {
            return behind.iter().for_each(|code| self.inline(interpreter, Some(code)));
        }
        let data = matches!(interpreter.language, "sql" | "mongo");
        let script = operands.iter().map(|word| word.text.as_str()).find(|text| !JAVASCRIPT_ORDERS.contains(text));
        if interpreter.language == "javascript" && script.is_some_and(|text| text.starts_with("http")) {
            self.note(Note::DynamicCode);
        }
        if settled || (!operands.is_empty() && !data) {
            if !settled && operands.first().is_some_and(|script| is_stream(&script.text)) {
                self.note(Note::PipedCode);
            }
            return;
        }
        match stdin {
            Stdin::Known(text) => self.inline(interpreter, Some(text)),
            Stdin::Stream => self.note(Note::PipedCode),
            Stdin::Nothing if around.more => self.note(Note::DynamicCode),
            Stdin::Nothing if !data => self.note(Note::BareShell),
            Stdin::File | Stdin::Nothing => {}
        }
    }

    fn inline(&mut self, interpreter: &Interpreter, code: Option<&Word>) {
        match code {
            Some(code) => {
                self.facts.code.push(Code { language: interpreter.language, text: code.text.clone() });
            }
            None => self.note(Note::DynamicCode),
        }
    }
}

/// Whether a script's path is really another command's output.
fn is_stream(path: &str) -> bool {
    path.starts_with("/dev/fd/") || path.starts_with("/proc/self/fd/") || path == "/dev/stdin"
}
