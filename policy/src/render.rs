//! A call in plain words, for the person who decides.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::action::{Action, Call, Sees};
use crate::adapters::Auth;
use crate::facts::http::Target;

/// What will happen, for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rendered {
    /// One sentence without a full stop: `Send an email to anna@shop.example`.
    pub title: String,
    /// The particulars, one each; with the title they say the whole call.
    pub lines: Vec<Line>,
}

/// One particular of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What it is: `To`, `Body`.
    pub label: String,
    /// The exact text, not shortened; characters that would show as nothing or reorder others are written as `\u{…}`.
    pub text: String,
}

/// Characters of a title's variable part; the whole stands in a line.
const TITLE_CHARS: usize = 80;

/// Says in plain words what `action` will do.
///
/// Nothing is left out: what is too long for the title stands in a line of its own.
#[must_use]
pub fn render(action: &Action) -> Rendered {
    let mut page = Page::default();
    let title = match &action.call {
        Call::Shell { command, env } => {
            page.line("Command", command);
            page.env(env);
            format!("Run the command {}", short(command))
        }
        Call::Exec { argv, stdin, env } => {
            page.line("Program", argv.first().map_or("", String::as_str));
            argv.iter().skip(1).enumerate().for_each(|(i, arg)| page.line(&format!("Argument {}", i + 1), arg));
            stdin.iter().for_each(|text| page.line("Input", text));
            page.env(env);
            format!("Run the program {}", short(argv.first().map_or("", String::as_str)))
        }
        Call::FileRead { path } => page.path(path, format!("Read the file {}", short(path))),
        Call::FileList { path } => page.path(path, format!("List the folder {}", short(path))),
        Call::FileWrite { path, content } => {
            let title = page.path(path, format!("Write the file {}", short(path)));
            page.line("Content", content);
            title
        }
        Call::FileDelete { path } => {
            let title = match path.strip_suffix('/') {
                Some(folder) => format!("Delete the folder {} and all in it", short(folder)),
                None => format!("Delete the file {}", short(path)),
            };
            page.path(path, title)
        }
        Call::Http { method, url, headers, body } => page.http(method, url, headers, body.as_deref()),
        Call::Message { channel, to, subject, body } => {
            to.iter().for_each(|one| page.line("To", one));
            subject.iter().for_each(|text| page.line("Subject", text));
            page.line("Text", body);
            let whom = match to.as_slice() {
                [] => "nobody in particular".to_owned(),
                [one] => short(one),
                many => format!("{} recipients", many.len()),
            };
            let what =
                if channel == "email" { "an email".to_owned() } else { format!("a message by {}", short(channel)) };
            format!("Send {what} to {whom}")
        }
        Call::Container { image, id, argv, env, workspace, workdir } => {
            page.line("Image", image);
            page.line("Which is", id);
            match argv.split_first() {
                None => page.line("Program", "the image's own command"),
                Some((program, rest)) => {
                    page.line("Program", program);
                    rest.iter().enumerate().for_each(|(i, arg)| page.line(&format!("Argument {}", i + 1), arg));
                }
            }
            let sees = match workspace {
                Sees::Nothing => "nothing",
                Sees::Reads => "the workspace, to read",
                Sees::Changes => "the workspace, to change",
            };
            page.line("Sees", sees);
            workdir.iter().for_each(|path| page.line("In the container's folder", path));
            page.env(env);
            match argv.first() {
                None => format!("Run the image {} in a container", short(image)),
                Some(program) => format!("Run {} in a container of {}", short(program), short(image)),
            }
        }
        Call::Adapter { title, args, request, to: _ } => {
            page.arguments(args);
            page.line("Method", &request.method);
            page.line("Address", &request.url);
            request.headers.iter().for_each(|(name, value)| page.line(&format!("Header {name}"), value));
            page.auth(&request.auth);
            request.body.iter().for_each(|body| page.line("Body", body));
            short(title)
        }
        Call::Other { args } => {
            page.arguments(args);
            format!("Use the tool {}", short(&action.tool))
        }
    };
    if let Some(cwd) = &action.cwd {
        page.line("In the folder", cwd);
    }
    Rendered { title, lines: page.0 }
}

#[derive(Default)]
struct Page(Vec<Line>);

impl Page {
    fn line(&mut self, label: &str, text: &str) {
        self.0.push(Line { label: visible(label), text: visible(text) });
    }

    fn arguments(&mut self, args: &serde_json::Value) {
        match args.as_object() {
            Some(map) => map.iter().for_each(|(name, value)| match value.as_str() {
                Some(text) => self.line(name, text),
                None => self.line(name, &value.to_string()),
            }),
            None => self.line("Arguments", &args.to_string()),
        }
    }

    fn auth(&mut self, auth: &Auth) {
        match auth {
            Auth::None => {}
            Auth::Header { name, before, value } => self.line(&format!("Header {name}"), &format!("{before}{value}")),
            Auth::Basic { user, password } => self.line("Signs in as", &format!("{user}, {password}")),
            Auth::Query { name, value } => self.line(&format!("Value {name} of the address"), &value.to_string()),
        }
    }

    fn path(&mut self, path: &str, title: String) -> String {
        self.line("Path", path);
        title
    }

    fn env(&mut self, env: &BTreeMap<String, String>) {
        env.iter().for_each(|(name, value)| self.line(&format!("Variable {name}"), value));
    }

    fn http(&mut self, method: &str, url: &str, headers: &[(String, String)], body: Option<&str>) -> String {
        self.line("Address", url);
        headers.iter().for_each(|(name, value)| self.line(&format!("Header {name}"), value));
        body.iter().for_each(|body| self.line("Body", body));
        // The host as it will be reached: a look-alike name shows its xn-- form.
        let host = Target::parse(url).map_or_else(|_| short(url), |target| target.host);
        match (method, body) {
            ("GET" | "HEAD", None) => format!("Fetch from {host}"),
            ("DELETE", _) => format!("Delete something at {host}"),
            (_, Some(_)) => format!("Send a {method} to {host} with this body"),
            (_, None) => format!("Send a {method} to {host}"),
        }
    }
}

/// The text on one line, cut with an ellipsis where it is too long.
fn short(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = visible(&flat);
    match shown.char_indices().nth(TITLE_CHARS) {
        Some((at, _)) => format!("{}…", &shown[..at]),
        None => shown,
    }
}

/// Control and direction characters as escapes, so that nothing hides or turns around; line breaks and tabs stay.
fn visible(text: &str) -> String {
    let hides = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{00ad}'
                | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if hides(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(tool: &str, args: serde_json::Value) -> Rendered {
        let action = Action::parse("a".parse().unwrap(), "s".parse().unwrap(), tool, &args, None).unwrap();
        render(&action)
    }

    #[test]
    fn titles_say_what_will_happen() {
        for (tool, args, title) in [
            ("shell", json!({"command": "ls\n -l"}), "Run the command ls -l"),
            ("exec", json!({"argv": ["psql", "-c", "x"]}), "Run the program psql"),
            ("read_file", json!({"path": "a"}), "Read the file a"),
            ("list_files", json!({}), "List the folder ."),
            ("write_file", json!({"path": "a", "content": "b"}), "Write the file a"),
            ("delete_file", json!({"path": "a"}), "Delete the file a"),
            ("delete_folder", json!({"path": "drafts"}), "Delete the folder drafts and all in it"),
            ("http", json!({"url": "https://x.example/a"}), "Fetch from x.example"),
            (
                "http",
                json!({"method": "post", "url": "https://x.example/a", "body": "b"}),
                "Send a POST to x.example with this body",
            ),
            ("http", json!({"method": "DELETE", "url": "https://x.example/a"}), "Delete something at x.example"),
            ("send_email", json!({"to": "a@x.example", "body": "b"}), "Send an email to a@x.example"),
            (
                "send_email",
                json!({"to": ["a@x.example"], "cc": "b@x.example", "body": "b"}),
                "Send an email to 2 recipients",
            ),
            ("send_message", json!({"channel": "slack", "to": "#all", "text": "b"}), "Send a message by slack to #all"),
            ("frobnicate", json!({"n": 1}), "Use the tool frobnicate"),
        ] {
            assert_eq!(page(tool, args).title, title);
        }
    }

    #[test]
    fn nothing_is_left_out_or_hidden() {
        let long = format!("echo {}; rm -rf x", "a ".repeat(200));
        let shown = page("shell", json!({"command": long, "env": {"K": "SECRET_REF(k)"}, "cwd": "/srv"}));
        assert!(shown.title.ends_with('…'));
        let lines: Vec<(&str, &str)> = shown.lines.iter().map(|l| (l.label.as_str(), l.text.as_str())).collect();
        assert_eq!(lines, [("Command", long.as_str()), ("Variable K", "SECRET_REF(k)"), ("In the folder", "/srv")]);

        let turned = page("send_email", json!({"to": "a@x.example", "body": "ok\u{202e}\u{1b}[2K\u{200b}"}));
        assert_eq!(turned.lines[1].text, "ok\\u{202e}\\u{1b}[2K\\u{200b}");
        let alike = page("http", json!({"url": "https://\u{430}pple.example/"}));
        assert!(alike.title.contains("xn--"), "{}", alike.title);
    }
}
