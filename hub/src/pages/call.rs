//! One call as the person sees it who decides: in words first, exactly second.

use askama::Template;
use askama::filters::HtmlSafe;
use wardkeep_policy::action::Sees;
use wardkeep_policy::adapters::AdapterRequest;
use wardkeep_policy::{Action, Call, Class};

use super::exact::Exact;
use super::words::plural;

/// A call in words and as it would be sent.
#[derive(Clone, Debug)]
pub struct CallView {
    /// One sentence without a full stop, in our words alone: nothing of it was written by the agent but a host in ASCII.
    pub title: String,
    /// The two or three particulars that people look at first.
    pub gist: Vec<(&'static str, Exact)>,
    /// A JSON body laid out field by field, so that its text can be read; empty for other bodies.
    pub fields: Vec<(Exact, Exact)>,
    /// Every character that would be sent.
    pub exact: ExactCall,
}

/// Every character that would be sent, in labelled parts.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "components/call.html")]
pub struct ExactCall {
    parts: Vec<Part>,
    /// A long part stands closed in a list, open on its own page.
    pub(super) unfold: bool,
}

/// The template escapes its parts.
impl HtmlSafe for ExactCall {}

#[derive(Clone, Debug)]
struct Part {
    label: &'static str,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Text(Exact),
    Pairs(Vec<(Exact, Exact)>),
    List(Vec<Exact>),
}

impl ExactCall {
    /// Whether some characters are shown by their number.
    fn has_odd(&self) -> bool {
        self.parts.iter().any(|part| match &part.form {
            Form::Text(text) => text.has_odd(),
            Form::Pairs(pairs) => pairs.iter().any(|(name, value)| name.has_odd() || value.has_odd()),
            Form::List(list) => list.iter().any(Exact::has_odd),
        })
    }

    fn line(mut self, label: &'static str, text: &str) -> Self {
        self.parts.push(Part { label, form: Form::Text(Exact::address(text)) });
        self
    }

    fn body(mut self, label: &'static str, text: &str) -> Self {
        self.parts.push(Part { label, form: Form::Text(Exact::prose(text)) });
        self
    }

    fn name(mut self, label: &'static str, text: &str) -> Self {
        self.parts.push(Part { label, form: Form::Text(Exact::name(text)) });
        self
    }

    fn pairs<'a>(mut self, label: &'static str, pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let pairs: Vec<_> =
            pairs.into_iter().map(|(name, value)| (Exact::address(name), Exact::prose(value))).collect();
        if !pairs.is_empty() {
            self.parts.push(Part { label, form: Form::Pairs(pairs) });
        }
        self
    }
}

impl CallView {
    /// The one line of a call that tells it from others in a list.
    #[must_use]
    pub fn glance(action: &Action) -> Exact {
        let text = match &action.call {
            Call::Http { method, url, .. } => format!("{method} {url}"),
            Call::Message { to, .. } => to.join(", "),
            Call::Shell { command, .. } => command.lines().next().unwrap_or_default().to_owned(),
            Call::Exec { argv, .. } => argv.join(" "),
            Call::FileRead { path }
            | Call::FileList { path }
            | Call::FileWrite { path, .. }
            | Call::FileDelete { path } => path.clone(),
            Call::Adapter { title, .. } => title.clone(),
            Call::Container { image, argv, .. } => format!("{image}: {}", argv.join(" ")),
            Call::Other { .. } => action.tool.clone(),
        };
        Exact::name(&text.chars().take(120).collect::<String>())
    }

    /// Says what `action` does.
    #[must_use]
    pub fn of(action: &Action) -> Self {
        let (title, gist, exact) = match &action.call {
            Call::Http { method, url, headers, body } => http(method, url, headers, body.as_deref()),
            Call::Message { channel, to, subject, body } => message(channel, to, subject.as_deref(), body),
            Call::Shell { command, env } => {
                let exact = ExactCall::default().body("Command", command).pairs("Environment", env);
                ("Run a command on your server".to_owned(), vec![], exact)
            }
            Call::Exec { argv, stdin, env } => {
                let program = argv.first().map_or("", String::as_str);
                let mut exact = ExactCall::default();
                for (at, argument) in argv.iter().enumerate() {
                    exact = exact.body(if at == 0 { "Program" } else { "Argument" }, argument);
                }
                exact = exact.pairs("Environment", env);
                if let Some(stdin) = stdin {
                    exact = exact.body("Input", stdin);
                }
                ("Run a program on your server".to_owned(), vec![("Program", Exact::name(program))], exact)
            }
            Call::FileRead { path } => file("Read a file on your server", path, None),
            Call::FileList { path } => file("List a folder on your server", path, None),
            Call::FileWrite { path, content } => file("Write a file on your server", path, Some(content)),
            Call::FileDelete { path } if path.ends_with('/') => {
                file("Delete a folder and everything in it", path, None)
            }
            Call::FileDelete { path } => file("Delete a file on your server", path, None),
            Call::Container { image, id, argv, env, workspace, workdir } => {
                let sees = match workspace {
                    Sees::Nothing => "Nothing",
                    Sees::Reads => "The workspace, to read",
                    Sees::Changes => "The workspace, to change",
                };
                let mut exact = ExactCall::default().name("Image", image).name("Which is", id);
                for (at, argument) in argv.iter().enumerate() {
                    exact = exact.body(if at == 0 { "Program" } else { "Argument" }, argument);
                }
                exact = exact.name("It sees", sees).pairs("Environment", env);
                if let Some(workdir) = workdir {
                    exact = exact.name("The container's folder", workdir);
                }
                let program = argv.first().map_or("the image's own", String::as_str);
                let gist = vec![("Program", Exact::name(program)), ("It sees", Exact::name(sees))];
                ("Run a program in a container on your server".to_owned(), gist, exact)
            }
            Call::Adapter { title, args, request, to } => adapter(title, args, request, to.as_deref()),
            Call::Other { args } => {
                let text = serde_json::to_string_pretty(args).unwrap_or_default();
                let exact = ExactCall::default().body("Arguments", &text);
                (
                    "Use a tool that Wardkeep does not know".to_owned(),
                    vec![("Tool", Exact::address(&action.tool))],
                    exact,
                )
            }
        };
        let exact = match &action.cwd {
            Some(cwd) => exact.name("Folder", cwd),
            None => exact,
        };
        let fields = match &action.call {
            Call::Http { body: Some(body), .. } => laid_out(body),
            _ => vec![],
        };
        Self { title, gist, fields, exact }
    }

    /// What is left of a call that this hub cannot read: its words and its raw document.
    #[must_use]
    pub fn unread(title: &str, document: &str) -> Self {
        let title = if title.is_empty() { "A call that this hub cannot read" } else { title };
        Self {
            title: title.to_owned(),
            gist: vec![],
            fields: vec![],
            exact: ExactCall::default().body("Document", document),
        }
    }
}

/// A tool of an outside service: what it is called, what it is given, and the request that comes of it.
fn adapter(title: &str, args: &serde_json::Value, request: &AdapterRequest, to: Option<&[String]>) -> Said {
    let AdapterRequest { method, url, headers, auth, body, reply: _ } = request;
    let mut gist = vec![];
    if let Some(to) = to.filter(|to| !to.is_empty()) {
        gist.push(("To", Exact::name(&to.join(", "))));
    }
    let arguments = serde_json::to_string_pretty(args).unwrap_or_default();
    let credentials = serde_json::to_string(auth).unwrap_or_default();
    let mut exact = ExactCall::default().body("Arguments", &arguments).name("Method", method).name("Address", url);
    exact = exact.pairs("Headers", headers.iter().map(|(name, value)| (name, value))).name("Credentials", &credentials);
    if let Some(body) = body {
        exact = exact.body("Body", body);
    }
    (title.to_owned(), gist, exact)
}

type Said = (String, Vec<(&'static str, Exact)>, ExactCall);

fn http(method: &str, url: &str, headers: &[(String, String)], body: Option<&str>) -> Said {
    let parsed = url::Url::parse(url).ok();
    let host = parsed.as_ref().and_then(url::Url::host_str).unwrap_or("an address that cannot be read");
    // The parser turns letters beyond ASCII into `xn--` form, so a host in the title has no look-alikes.
    let title = match method {
        "GET" | "HEAD" => format!("Read from {host}"),
        "DELETE" => format!("Delete something at {host}"),
        "PUT" | "PATCH" => format!("Change something at {host}"),
        _ => format!("Send data to {host}"),
    };
    let mut gist = Vec::new();
    if parsed.as_ref().is_some_and(|url| url.scheme() != "https") {
        gist.push(("Not encrypted", Exact::address(parsed.as_ref().map_or("", url::Url::scheme))));
    }
    let mut exact = ExactCall::default().line("Request", &format!("{method} {url}"));
    exact = exact.pairs("Headers", headers.iter().map(|(name, value)| (name, value)));
    if let Some(body) = body {
        exact = exact.body("Body", body);
    }
    (title, gist, exact)
}

/// The fields of a JSON object as people read them: line breaks as line breaks. The exact body stands below it.
///
/// Nothing is laid out that would have to be shortened, and nothing in which a name stands twice: two readers of such a
/// body may see different things.
fn laid_out(body: &str) -> Vec<(Exact, Exact)> {
    const FIELDS: usize = 16;
    const BYTES: usize = 2400;
    let Ok(serde_json::Value::Object(object)) = serde_json::from_str(body) else { return vec![] };
    // Read back without the repeated names: shorter text means that one was dropped.
    let names = |text: &str| text.matches("\":").count();
    let same = serde_json::to_string(&object).is_ok_and(|text| names(&text) == names(&body.replace("\" :", "\":")));
    if !same || object.len() > FIELDS || body.len() > BYTES {
        return vec![];
    }
    let value = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Exact::prose(text),
        other => Exact::prose(&other.to_string()),
    };
    object.iter().map(|(name, field)| (Exact::name(name), value(field))).collect()
}

fn message(channel: &str, to: &[String], subject: Option<&str>, body: &str) -> Said {
    let people = plural(to.len() as u64, "recipient", "recipients");
    let title = match channel {
        "email" | "mail" => format!("Send an e-mail to {people}"),
        "sms" => format!("Send a text message to {people}"),
        other => format!("Send a message to {people} over {other}"),
    };
    let all = to.join(", ");
    let mut gist = vec![("To", Exact::address(&all))];
    gist.extend(subject.map(|subject| ("Subject", Exact::prose(subject))));
    let mut exact = ExactCall::default().line("Channel", channel);
    exact
        .parts
        .push(Part { label: "To", form: Form::List(to.iter().map(|address| Exact::address(address)).collect()) });
    if let Some(subject) = subject {
        exact = exact.body("Subject", subject);
    }
    (title, gist, exact.body("Body", body))
}

fn file(title: &str, path: &str, content: Option<&str>) -> Said {
    let mut exact = ExactCall::default().name("Path", path);
    let mut gist = vec![("File", Exact::name(path))];
    if let Some(content) = content {
        gist.push(("Size", Exact::prose(&Exact::prose(content).size())));
        exact = exact.body("New content", content);
    }
    (title.to_owned(), gist, exact)
}

/// What a class means for the person who decides.
#[must_use]
pub fn consequence(class: Class) -> &'static str {
    match class {
        Class::Green => "Only reads. Nothing changes.",
        Class::Yellow => "Changes something on your server. It can be undone.",
        Class::YellowExternal => "Somebody outside your company receives this. It cannot be called back.",
        Class::Red => "Destroys something or costs money. It is hard to undo.",
        Class::CriticalRed => "Cannot be undone: money, access, or everything at once.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(tool: &str, args: serde_json::Value) -> CallView {
        let (agent, session) = ("office".parse().unwrap(), "s-1".parse().unwrap());
        CallView::of(&Action::parse(agent, session, tool, &args, None).unwrap())
    }

    #[test]
    fn every_kind_of_call_is_said_in_words_and_shown_whole() {
        for (tool, args, words, shown) in [
            ("shell", serde_json::json!({"command": "rm -rf ./out"}), "Run a command", "rm -rf ./out"),
            ("write_file", serde_json::json!({"path": "a.md", "content": "Hallo"}), "Write a file", "Hallo"),
            ("delete_file", serde_json::json!({"path": "old.txt"}), "Delete a file", "old.txt"),
            ("read_file", serde_json::json!({"path": "a.md"}), "Read a file", "a.md"),
            (
                "http_request",
                serde_json::json!({"method": "POST", "url": "https://a.example/x", "body": "b=1"}),
                "Send data",
                "b=1",
            ),
            ("frobnicate", serde_json::json!({"deep": {"x": 1}}), "does not know", "deep"),
        ] {
            let view = view(tool, args);
            assert!(view.title.contains(words), "{tool}: {}", view.title);
            assert!(view.exact.render().unwrap().contains(shown), "{tool}");
        }
    }

    #[test]
    fn a_json_body_is_laid_out_only_when_nothing_hides_in_it() {
        let lines =
            |body: &str| laid_out(body).iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        assert_eq!(lines(r#"{"text":"a\nb", "n": 1}"#), ["text=a\nb", "n=1"]);
        for hidden in [r#"{"to":"a","to":"b"}"#, "[1]", "text", "", &format!("{{\"a\":\"{}\"}}", "x".repeat(3000))] {
            assert!(lines(hidden).is_empty(), "{hidden}");
        }
    }

    #[test]
    fn every_recipient_is_shown() {
        let to = ["a@x.example", "b@x.example", "\u{430}@x.example"];
        let view = view("send_email", serde_json::json!({"to": to, "subject": "Hi", "body": "x"}));
        assert_eq!(view.title, "Send an e-mail to 3 recipients");
        let html = view.exact.render().unwrap();
        for part in ["a@x.example", "b@x.example", "U+0430"] {
            assert!(html.contains(part), "{part}");
        }
    }
}
