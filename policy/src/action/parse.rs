//! From a tool's name and arguments to an [`Action`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use wardkeep_proto::ids::{AgentName, SessionId};

use super::{Action, Call};
use crate::facts::is_name;

/// Bytes of one action in canonical form.
pub const MAX_ACTION_BYTES: usize = 1024 * 1024;
/// Entries of an argument list.
const MAX_ARGV: usize = 1_000;
/// Environment variables, headers, recipients.
const MAX_ENTRIES: usize = 200;
/// Nesting of an unknown tool's arguments.
const MAX_DEPTH: usize = 32;
/// Largest whole number that RFC 8785 (IEEE doubles) keeps apart from its neighbours: 2^53 - 1.
const MAX_WHOLE: u64 = (1 << 53) - 1;
/// The same bound for a number that was read as a double.
const TOO_LARGE: f64 = 9_007_199_254_740_992.0;

/// The arguments are not those of the tool. The text says what the agent should send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAction {
    /// The tool's name is not 1..=128 visible ASCII characters.
    #[error("the tool's name must be 1 to 128 visible ASCII characters")]
    ToolName,
    /// The arguments are not an object.
    #[error("the arguments of {tool} must be a JSON object")]
    NotAnObject {
        /// Which tool.
        tool: String,
    },
    /// An argument is absent.
    #[error("{tool} needs the argument {name}")]
    Missing {
        /// Which tool.
        tool: String,
        /// Which argument.
        name: &'static str,
    },
    /// An argument has another type or form.
    #[error("the argument {name} must be {form}")]
    Form {
        /// Which argument.
        name: &'static str,
        /// What it should be.
        form: &'static str,
    },
    /// Too long, too many or too deep.
    #[error("{what} is over the limit of {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// A zero byte, which no program or path can hold.
    #[error("the argument {name} holds a zero byte")]
    ZeroByte {
        /// Which argument.
        name: &'static str,
    },
    /// An adapter's tool was given something that it does not take.
    #[error("{tool} takes no other arguments than these: {known}")]
    Unlisted {
        /// Which tool.
        tool: String,
        /// What it takes.
        known: String,
    },
    /// An argument of an adapter's tool has another type or form.
    #[error("the argument {name} must be {form}")]
    Argument {
        /// Which argument.
        name: String,
        /// What it should be.
        form: String,
    },
    /// A number that canonical JSON cannot keep apart from its neighbours.
    #[error("a whole number beyond 2^53 must be sent as text")]
    Number,
}

impl Action {
    /// Reads a tool call.
    ///
    /// A known tool name gives its own kind of call; any other becomes [`Call::Other`] with the arguments as they came.
    /// Arguments that a known tool does not have (`description`, `timeout`) are dropped: what is judged is what will run.
    ///
    /// # Errors
    /// [`InvalidAction`], for the agent to read.
    pub fn parse(
        agent: AgentName,
        session: SessionId,
        tool: &str,
        args: &Value,
        cwd: Option<&str>,
    ) -> Result<Self, InvalidAction> {
        if !(1..=128).contains(&tool.len()) || !tool.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(InvalidAction::ToolName);
        }
        let args = Args { tool, map: args.as_object() };
        let call = args.call()?;
        let cwd = match args.optional("cwd", &["workdir", "working_directory"])? {
            // An unknown tool keeps its arguments whole: its `cwd` is its own.
            Some(own) if !matches!(call, Call::Other { .. }) => Some(own),
            _ => cwd.map(|text| clean("cwd", text)).transpose()?,
        };
        Self { agent, session, tool: tool.to_owned(), call, cwd }.within_limits()
    }

    /// Itself, unless it is too long.
    pub(crate) fn within_limits(self) -> Result<Self, InvalidAction> {
        if self.canonical().len() > MAX_ACTION_BYTES {
            return Err(InvalidAction::TooLarge { what: "the call", limit: MAX_ACTION_BYTES });
        }
        Ok(self)
    }
}

/// What a tool's name says about its arguments.
fn kind_of(tool: &str) -> Kind {
    match tool {
        "shell" | "bash" | "sh" | "exec" | "run_command" | "execute_command" | "run_shell_command" => Kind::Program,
        "read_file" | "file_read" | "read" => Kind::Read,
        "list_files" | "list_dir" | "list_directory" | "file_list" | "ls" => Kind::List,
        "write_file" | "file_write" | "write" => Kind::Write,
        "delete_file" | "file_delete" | "delete_folder" => Kind::Delete,
        "http" | "http_request" | "fetch" | "web_fetch" => Kind::Http,
        "send_email" | "email" => Kind::Message("email"),
        "send_message" | "message" => Kind::Message("message"),
        _ => Kind::Other,
    }
}

enum Kind {
    Program,
    Read,
    List,
    Write,
    Delete,
    Http,
    Message(&'static str),
    Other,
}

struct Args<'a> {
    tool: &'a str,
    map: Option<&'a Map<String, Value>>,
}

impl Args<'_> {
    fn call(&self) -> Result<Call, InvalidAction> {
        let kind = kind_of(self.tool);
        if !matches!(kind, Kind::Other) && self.map.is_none() {
            return Err(InvalidAction::NotAnObject { tool: self.tool.to_owned() });
        }
        match kind {
            Kind::Program => self.program(),
            Kind::Read => Ok(Call::FileRead { path: self.path()? }),
            Kind::List => Ok(Call::FileList {
                path: self.optional("path", PATHS)?.filter(|path| !path.is_empty()).unwrap_or_else(|| ".".to_owned()),
            }),
            Kind::Write => {
                Ok(Call::FileWrite { path: self.path()?, content: self.text("content", &["contents", "text"])? })
            }
            Kind::Delete => self.delete(),
            Kind::Http => self.http(),
            Kind::Message(channel) => self.message(channel),
            Kind::Other => self.other(),
        }
    }

    fn program(&self) -> Result<Call, InvalidAction> {
        // Run elsewhere or with other rights it is not this server's shell: it keeps its arguments, which are judged.
        let elsewhere = self.get("elevated", &[]) == Some(&Value::Bool(true))
            || self.get("node", &[]).is_some_and(|node| !node.is_null() && node.as_str() != Some(""))
            || self.get("host", &[]).and_then(Value::as_str) == Some("node");
        if elsewhere && self.map.is_some() {
            return self.other();
        }
        let env = self.env()?;
        let (behind, line) = self.behind()?;
        match self.get("argv", &["command", "cmd"]) {
            Some(Value::Array(items)) => {
                if line.is_some() {
                    return Err(InvalidAction::Form { name: "args", form: "a list of texts beside a list" });
                }
                let mut argv = strings("argv", items, MAX_ARGV)?;
                argv.extend(behind);
                if argv.first().is_none_or(String::is_empty) {
                    return Err(InvalidAction::Form { name: "argv", form: "a list with a program first" });
                }
                Ok(Call::Exec { argv, stdin: self.optional_text("stdin", &["input"])?, env })
            }
            _ => {
                let command = self.required("command", &["cmd"])?;
                match line {
                    Some(line) => Ok(Call::Shell { command: format!("{command} {line}"), env }),
                    None if behind.is_empty() => Ok(Call::Shell { command, env }),
                    None if command.contains(|c: char| c.is_whitespace() || "\"'\\$`;|&<>(){}*?[]~#!".contains(c)) => {
                        Err(InvalidAction::Form { name: "command", form: "one program where args holds its arguments" })
                    }
                    None => {
                        let argv = std::iter::once(command).chain(behind).collect();
                        Ok(Call::Exec { argv, stdin: self.optional_text("stdin", &["input"])?, env })
                    }
                }
            }
        }
    }

    /// What stands behind the program in a field of its own: as words, or as a text that a shell reads.
    fn behind(&self) -> Result<(Vec<String>, Option<String>), InvalidAction> {
        match self.get("args", &["arguments"]) {
            None | Some(Value::Null) => Ok((Vec::new(), None)),
            Some(Value::Array(items)) => Ok((strings("args", items, MAX_ARGV)?, None)),
            Some(Value::String(_)) => {
                Ok((Vec::new(), self.optional("args", &["arguments"])?.filter(|l| !l.is_empty())))
            }
            Some(_) => Err(InvalidAction::Form { name: "args", form: "a list of texts" }),
        }
    }

    fn delete(&self) -> Result<Call, InvalidAction> {
        // Other runtimes call a file in some cloud the same; without a path it is not ours.
        if self.get("path", PATHS).is_none() {
            return self.other();
        }
        let mut path = self.path()?;
        // A folder is named by its slash, so that the class depends on the call alone and not on what lies at the path.
        let folder = self.tool == "delete_folder" || self.get("recursive", &[]) == Some(&Value::Bool(true));
        if folder && !path.ends_with('/') {
            path.push('/');
        }
        Ok(Call::FileDelete { path })
    }

    fn http(&self) -> Result<Call, InvalidAction> {
        let method = self.optional("method", &[])?.unwrap_or_else(|| "GET".to_owned());
        // The usual ones in any case. Of others the case stays: what is judged and scanned is what goes out.
        let usual = USUAL_METHODS.iter().find(|usual| method.eq_ignore_ascii_case(usual));
        let method = usual.map_or(method.as_str(), |usual| *usual);
        if !(1..=20).contains(&method.len()) || !method.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(InvalidAction::Form { name: "method", form: "an HTTP method such as GET" });
        }
        let body = match self.get("body", &["data", "json"]) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(value) => {
                check_numbers(value, 0)?;
                Some(value.to_string())
            }
        };
        let url = self.required("url", &["uri"])?;
        // Whoever reads a URL drops these and joins what stood beside them: it would not be what was scanned.
        if url.chars().any(char::is_control) || url.trim() != url {
            return Err(InvalidAction::Form {
                name: "url",
                form: "a URL without line ends, tabs and spaces around it",
            });
        }
        Ok(Call::Http { method: method.to_owned(), url, headers: self.headers()?, body })
    }

    fn headers(&self) -> Result<Vec<(String, String)>, InvalidAction> {
        const BAD: InvalidAction = InvalidAction::Form { name: "headers", form: "an object from names to texts" };
        let map = match self.get("headers", &[]) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(BAD),
        };
        check_count("headers", map.len())?;
        map.iter()
            .map(|(name, value)| {
                let value = value.as_str().ok_or(BAD)?;
                // Names as RFC 9110 tokens; a line break would start another header.
                let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
                if name.is_empty() || !name.bytes().all(token) || value.chars().any(|c| c.is_control() && c != '\t') {
                    return Err(BAD);
                }
                Ok((name.clone(), value.to_owned()))
            })
            .collect()
    }

    fn message(&self, channel: &str) -> Result<Call, InvalidAction> {
        if self.get("action", &[]).and_then(Value::as_str).is_some_and(|action| action != "send") {
            return self.other();
        }
        let mut to = Vec::new();
        for (name, others) in
            [("to", ["recipients", "recipient", "target", "targets"].as_slice()), ("cc", &[]), ("bcc", &[])]
        {
            match self.get(name, others) {
                None | Some(Value::Null) => {}
                Some(Value::String(one)) => to.push(clean("to", one)?),
                Some(Value::Array(items)) => to.extend(strings("to", items, MAX_ENTRIES)?),
                Some(_) => return Err(InvalidAction::Form { name: "to", form: "a text or a list of texts" }),
            }
        }
        check_count("to", to.len())?;
        Ok(Call::Message {
            channel: self.optional("channel", &[])?.unwrap_or_else(|| channel.to_owned()),
            to,
            subject: self.optional("subject", &["title"])?,
            body: self.text("body", &["text", "message", "content"])?,
        })
    }

    fn other(&self) -> Result<Call, InvalidAction> {
        let args = self.map.cloned().map_or(Value::Null, Value::Object);
        if self.map.is_none() {
            return Err(InvalidAction::NotAnObject { tool: self.tool.to_owned() });
        }
        check_numbers(&args, 0)?;
        Ok(Call::Other { args })
    }

    fn env(&self) -> Result<BTreeMap<String, String>, InvalidAction> {
        const BAD: InvalidAction = InvalidAction::Form { name: "env", form: "an object from names to texts" };
        let map = match self.get("env", &[]) {
            None | Some(Value::Null) => return Ok(BTreeMap::new()),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(BAD),
        };
        check_count("env", map.len())?;
        map.iter()
            .map(|(name, value)| {
                let value = value.as_str().filter(|_| is_name(name)).ok_or(BAD)?;
                Ok((name.clone(), clean("env", value)?))
            })
            .collect()
    }

    fn path(&self) -> Result<String, InvalidAction> {
        let path = self.required("path", PATHS)?;
        if path.is_empty() { Err(InvalidAction::Form { name: "path", form: "a path" }) } else { Ok(path) }
    }

    /// The value under `name`, or under the first of `others` that is there.
    fn get(&self, name: &str, others: &[&str]) -> Option<&Value> {
        let map = self.map?;
        std::iter::once(name).chain(others.iter().copied()).find_map(|key| map.get(key))
    }

    /// Text that may hold anything, zero bytes too.
    fn optional_text(&self, name: &'static str, others: &[&str]) -> Result<Option<String>, InvalidAction> {
        match self.get(name, others) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(InvalidAction::Form { name, form: "a text" }),
        }
    }

    fn optional(&self, name: &'static str, others: &[&str]) -> Result<Option<String>, InvalidAction> {
        self.optional_text(name, others)?.map(|text| clean(name, &text)).transpose()
    }

    fn text(&self, name: &'static str, others: &[&str]) -> Result<String, InvalidAction> {
        self.optional_text(name, others)?.ok_or_else(|| self.missing(name))
    }

    fn required(&self, name: &'static str, others: &[&str]) -> Result<String, InvalidAction> {
        self.optional(name, others)?.ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &'static str) -> InvalidAction {
        InvalidAction::Missing { tool: self.tool.to_owned(), name }
    }
}

/// Source: RFC 9110, section 9.3; RFC 5789.
const USUAL_METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
/// Other names of `path`.
const PATHS: &[&str] = &["file_path", "filename", "file"];

fn clean(name: &'static str, text: &str) -> Result<String, InvalidAction> {
    if text.contains('\0') { Err(InvalidAction::ZeroByte { name }) } else { Ok(text.to_owned()) }
}

fn strings(name: &'static str, items: &[Value], limit: usize) -> Result<Vec<String>, InvalidAction> {
    if items.len() > limit {
        return Err(InvalidAction::TooLarge { what: name, limit });
    }
    items
        .iter()
        .map(|item| item.as_str().ok_or(InvalidAction::Form { name, form: "a list of texts" }))
        .map(|text| clean(name, text?))
        .collect()
}

fn check_count(what: &'static str, count: usize) -> Result<(), InvalidAction> {
    if count > MAX_ENTRIES { Err(InvalidAction::TooLarge { what, limit: MAX_ENTRIES }) } else { Ok(()) }
}

fn check_numbers(value: &Value, depth: usize) -> Result<(), InvalidAction> {
    if depth > MAX_DEPTH {
        return Err(InvalidAction::TooLarge { what: "the nesting of the arguments", limit: MAX_DEPTH });
    }
    match value {
        Value::Number(number) => {
            let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            // A whole number with too many digits arrives as a double that has lost some.
            let rounded = number.as_f64().is_none_or(|n| n.abs() >= TOO_LARGE);
            if rounded || whole.is_some_and(|n| n > MAX_WHOLE) { Err(InvalidAction::Number) } else { Ok(()) }
        }
        Value::Array(items) => items.iter().try_for_each(|item| check_numbers(item, depth + 1)),
        Value::Object(map) => map.values().try_for_each(|item| check_numbers(item, depth + 1)),
        _ => Ok(()),
    }
}
