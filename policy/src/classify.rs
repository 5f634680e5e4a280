//! From facts to a class: the maximum over every rule that matches.

mod beneath;
mod command;
mod container;
mod elsewhere;
mod fetched;
mod filled;
mod hidden;
mod hosts;
mod inline;
mod made;
mod named;
mod orders;
mod seen;
mod statements;
mod stores;
mod uses;

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wardkeep_proto::ids::{AgentName, SessionId};

use inline::Effect;
pub use seen::Seen;

use crate::action::{Action, Call, Place as SecretPlace};
use crate::adapters::{self, Adapter, AdapterRequest};
use crate::bundle::{Bundle, HostKind};
use crate::class::Class;
use crate::facts::http::{self, Target, overrides};
use crate::facts::paths::{Access, Place, resolve};
use crate::facts::tool::Tool;
use crate::facts::{Code, Context, Facts, Word, described, from_argv, from_shell, transfer};
use crate::rules::{HttpCall, Rule, RuleSet, Subject};

/// One rule that matched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fired {
    /// The rule's id, e.g. `git.push`.
    pub rule: String,
    /// Why it counts, for people.
    pub reason: String,
    /// What it demands.
    pub class: Class,
}

/// The class of a call and the rules that gave it, gravest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct Verdict {
    /// The maximum over `fired`.
    pub class: Class,
    /// Every rule that matched, gravest first, each once; never empty.
    pub fired: Vec<Fired>,
}

/// Classifies one call by the bundle's rules.
///
/// Pure. What cannot be read is Red, a program or tool that no rule knows is Yellow.
pub fn classify(action: &Action, bundle: &Bundle) -> Verdict {
    let workspace = bundle.workspace(&action.agent);
    let hosts = |host: &str| bundle.host_kind(host);
    Judge { adapters: &bundle.adapters, ..Judge::new(&bundle.rules, &hosts, workspace) }.action(action)
}

/// As [`classify`], with everything that was seen in the call, in the order in which it was looked at.
pub fn explain(action: &Action, bundle: &Bundle) -> (Verdict, Vec<Seen>) {
    let workspace = bundle.workspace(&action.agent);
    let seen = RefCell::new(Vec::new());
    let hosts = |host: &str| bundle.host_kind(host);
    let judge = Judge { seen: Some(&seen), adapters: &bundle.adapters, ..Judge::new(&bundle.rules, &hosts, workspace) };
    let verdict = judge.action(action);
    (verdict, seen.into_inner())
}

/// Classifies the example of a rule: shell text, or `http: METHOD URL BODY`, `tool: NAME JSON`, `message:`, `read:`, `write:`,
/// `delete:`.
///
/// In examples `known.example` is a known host and `own.example` one of the tenant's own.
pub(crate) fn judge_example(example: &str, rules: &RuleSet) -> Option<Verdict> {
    let (kind, rest) = example.split_once(": ").unwrap_or(("", example));
    let text = rest.to_owned();
    let (tool, call) = match kind {
        "http" => {
            let (method, url) = rest.split_once(' ')?;
            let (url, body) = url.split_once(' ').map_or((url, None), |(url, body)| (url, Some(body.to_owned())));
            let (method, url) = (method.to_owned(), url.to_owned());
            ("http", Call::Http { method, url, headers: Vec::new(), body })
        }
        "tool" => {
            let (name, args) = rest.split_once(' ').unwrap_or((rest, "{}"));
            (name, Call::Other { args: serde_json::from_str(args).ok()? })
        }
        "message" => {
            ("message", Call::Message { channel: "email".into(), to: vec![text], subject: None, body: String::new() })
        }
        "read" => ("read_file", Call::FileRead { path: text }),
        "write" => ("write_file", Call::FileWrite { path: text, content: String::new() }),
        "delete" => ("delete_file", Call::FileDelete { path: text }),
        _ => ("shell", Call::Shell { command: example.to_owned(), env: BTreeMap::new() }),
    };
    let hosts = |host: &str| match host {
        "known.example" => Some(HostKind::Known),
        "own.example" => Some(HostKind::Own),
        _ => None,
    };
    let (agent, session) = ("example".parse::<AgentName>().ok()?, "example".parse::<SessionId>().ok()?);
    let action = Action { agent, session, tool: tool.to_owned(), call, cwd: None };
    Some(Judge::new(rules, &hosts, "/srv/workspace").action(&action))
}

struct Judge<'a> {
    rules: &'a RuleSet,
    hosts: &'a dyn Fn(&str) -> Option<HostKind>,
    workspace: &'a str,
    adapters: &'a [Adapter],
    fired: Vec<Fired>,
    /// The gravest class since somebody began to look.
    peak: Option<Class>,
    /// Whether a piece of another text is judged.
    nested: bool,
    /// The folder of the one command that there is, where there is but one.
    alone: Option<String>,
    /// Where to write what is seen, if anybody wants to know.
    seen: Option<&'a RefCell<Vec<Seen>>>,
}

impl<'a> Judge<'a> {
    fn new(rules: &'a RuleSet, hosts: &'a dyn Fn(&str) -> Option<HostKind>, workspace: &'a str) -> Self {
        Self {
            rules,
            hosts,
            workspace,
            adapters: &[],
            fired: Vec::new(),
            peak: None,
            nested: false,
            alone: None,
            seen: None,
        }
    }

    fn action(mut self, action: &Action) -> Verdict {
        match action.secret_refs() {
            Err(misplaced) => self.built_in("secret.misplaced", &misplaced.to_string(), Class::Red),
            // What the policy itself puts into an adapter's request is no choice of the agent.
            Ok(refs) if refs.iter().any(|found| found.place != SecretPlace::Auth) => {
                self.built_in("secret.used", "It uses a stored secret", Class::Yellow)
            }
            Ok(_) => {}
        }
        let cwd = action.cwd.as_deref().unwrap_or_default();
        match &action.call {
            Call::Shell { command, env } => self.program(env, |context| from_shell(command, cwd, context)),
            Call::Exec { argv, stdin, env } => {
                self.program(env, |context| from_argv(argv, stdin.as_deref(), cwd, context));
            }
            Call::FileRead { path } | Call::FileList { path } => self.file(Access::Read, path, cwd),
            Call::FileWrite { path, .. } => self.file(Access::Write, path, cwd),
            Call::FileDelete { path } => self.file(Access::Delete, path, cwd),
            Call::Http { method, url, headers, body } => {
                self.request(method, url, headers, body.as_deref().unwrap_or_default());
            }
            Call::Container { image, argv, env, workspace, workdir, .. } => {
                self.container((image, argv), env, *workspace, workdir.as_deref());
            }
            Call::Message { .. } => self.others(&Subject::Message),
            Call::Adapter { request, .. } => self.adapter(&action.tool, request),
            Call::Other { args } if asks_for_own_result(&action.tool, args) => {
                self.built_in("call.result", "It asks for the result of an earlier call of this agent", Class::Green);
            }
            Call::Other { args } => {
                let rules = self.rules;
                self.tool(&Tool::read(&action.tool, args, &|name| rules.knows(name)), cwd);
            }
        }
        if self.fired.is_empty() {
            self.built_in("call.unknown", "No rule knows it", Class::Yellow);
        }
        self.verdict()
    }

    fn verdict(mut self) -> Verdict {
        self.fired.sort_by(|a, b| b.class.cmp(&a.class).then_with(|| a.rule.cmp(&b.rule)));
        self.fired.dedup();
        let class = self.fired.first().map_or(Class::Red, |first| first.class);
        Verdict { class, fired: self.fired }
    }

    fn built_in(&mut self, rule: &str, reason: &str, class: Class) {
        self.peak = self.peak.max(Some(class));
        self.fired.push(Fired { rule: rule.to_owned(), reason: reason.to_owned(), class });
    }

    fn fire(&mut self, rule: &Rule) {
        self.peak = self.peak.max(Some(rule.class));
        if self.fired.iter().any(|fired| fired.rule == rule.id) {
            return;
        }
        let reason = ["It ", &rule.reason].concat();
        self.fired.push(Fired { rule: rule.id.clone(), reason, class: rule.class });
    }

    /// The gravest class of what `look` finds, nothing if no rule speaks.
    fn peak_of(&mut self, look: impl FnOnce(&mut Self)) -> Option<Class> {
        let before = self.peak.take();
        look(self);
        let class = self.peak;
        self.peak = before.max(class);
        class
    }

    fn others(&mut self, subject: &Subject<'_>) {
        let rules = self.rules;
        for rule in rules.about(subject) {
            if rule.holds(subject) {
                self.fire(rule);
            }
        }
    }

    fn program(&mut self, env: &BTreeMap<String, String>, extract: impl FnOnce(&Context<'_>) -> Facts) {
        let rules = self.rules;
        let knows = |name: &str| rules.knows(name);
        let starts = |name: &str| rules.starts(name);
        let facts = extract(&Context { knows: &knows, starts: &starts, env });
        for note in &facts.notes {
            self.built_in(note.id(), &format!("It {}", note.reason()), note.class());
        }
        for name in env.keys().chain(&facts.assigned) {
            self.sees("sets", || name.clone());
            self.others(&Subject::Env { name, value: "" });
        }
        for (name, value) in env.iter().chain(facts.values.iter().map(|(name, value)| (name, value))) {
            self.others(&Subject::Env { name, value });
            self.database_variable(name, value);
        }
        let alone = matches!(facts.commands.as_slice(), [_]) && facts.planted.is_empty() && facts.unnamed.is_empty();
        self.alone = facts.commands.first().filter(|_| alone).and_then(|command| command.cwd.clone());
        for code in &facts.code {
            self.code(code);
        }
        self.alone = None;
        for redirect in &facts.redirects {
            self.path(redirect.access, &redirect.path, redirect.cwd.as_deref());
        }
        let mut acts = false;
        for (at, command) in facts.commands.iter().enumerate() {
            let own = facts.functions.contains(&command.program);
            if own && !self.rules.knows(&command.program) {
                continue;
            }
            let class = self.peak_of(|judge| judge.command(command));
            let reads = class.is_none_or(|class| class == Class::Green);
            acts |= !reads && !FILE_MAKERS.contains(&command.program.as_str());
            for fed in facts.fed.iter().filter(|fed| fed.command == at && !reads) {
                self.others(&Subject::Code(&Code {
                    language: "fed",
                    text: without_first_line(&fed.content).to_owned(),
                }));
                if transfer::takes(&command.program) {
                    self.transfer(&fed.content);
                }
                if described::takes(&command.program) {
                    self.manifest(&fed.content);
                }
            }
        }
        self.listed(&facts);
        self.hidden(&facts);
        for content in facts.planted.iter().filter_map(|planted| planted.content.as_deref()).filter(|_| acts) {
            self.others(&Subject::Code(&Code { language: "planted", text: without_first_line(content).to_owned() }));
        }
        if facts.commands.is_empty() && self.fired.is_empty() {
            self.built_in("shell.nothing", "It starts no program", Class::Green);
        }
    }

    fn file(&mut self, access: Access, path: &str, cwd: &str) {
        // Some runtimes repair a path after it was judged: both readings count.
        let plain = path.trim().trim_start_matches('@');
        let plain = plain.split_once("</").map_or(plain, |(path, _)| path);
        for path in [path, plain].iter().take(if path == plain { 1 } else { 2 }) {
            self.path(access, &Word::literal(*path), Some(cwd));
        }
    }

    /// A tool that Wardkeep does not know: its name, and whatever its arguments look like.
    fn tool(&mut self, tool: &Tool, cwd: &str) {
        self.others(&Subject::Tool(tool));
        let env = BTreeMap::new();
        for text in &tool.shell {
            self.program(&env, |context| from_shell(text, cwd, context));
        }
        for argv in &tool.argv {
            self.program(&env, |context| from_argv(argv, None, cwd, context));
        }
        for (language, text) in &tool.code {
            self.code(&Code { language, text: text.clone() });
        }
        for (access, path) in &tool.paths {
            self.file(*access, path, cwd);
        }
        for (method, url) in &tool.requests {
            self.request(method, url, &[], "");
        }
    }

    fn code(&mut self, code: &Code) {
        self.sees("code", || format!("{}: {}", code.language, code.text));
        match inline::effect(code.language, &code.text) {
            // What is written may be run by what follows, or lie in another folder.
            Some(Effect::Known(files)) if files.is_empty() || self.alone.is_some() => {
                let cwd = self.alone.clone().unwrap_or_default();
                files.iter().for_each(|file| self.path(Access::Write, &Word::literal(file.as_str()), Some(&cwd)));
                return;
            }
            Some(_) => self.built_in("code.unclear", "It has code that is not known to be harmless", Class::Red),
            None => {}
        }
        if code.language == "sql" {
            return self.sql(&code.text);
        }
        self.others(&Subject::Code(code));
        match code.language {
            "manifest" => self.manifest(&code.text),
            transfer::LANGUAGE => self.transfer(&code.text),
            "mongo" => self.mongo(&code.text),
            "redis" => self.redis(&code.text),
            _ => {}
        }
    }

    fn path(&mut self, access: Access, path: &Word, cwd: Option<&str>) {
        let resolved = resolve(&path.text, cwd, self.workspace);
        let mut lists = self.rules.lists_of(&resolved.text);
        if path.glob && self.rules.may_be_secret(&resolved.text) {
            lists.insert("secret");
        }
        if path.glob && access == Access::Write && self.rules.may_be_started(&resolved.text) {
            lists.insert("started");
        }
        let what = match access {
            Access::Read => "reads",
            Access::Write => "writes",
            Access::Delete => "deletes",
        };
        self.sees(what, || {
            let place = match resolved.place {
                Place::Workspace => "in the workspace",
                Place::Outside => "outside of the workspace",
                Place::Unknown => "known at run time only",
            };
            let lists: String = lists.iter().map(|list| format!(", {list}")).collect();
            let shown = if resolved.text.is_empty() { "." } else { &resolved.text };
            format!("{shown}  ({place}{lists})")
        });
        if lists.contains("null") {
            return;
        }
        self.others(&Subject::Path { access, resolved: &resolved, lists: &lists, written: &path.text });
    }

    /// An adapter's tool: what its description says at least, and what the rules say of its request. That the policy describes it
    /// makes its host a known one, and one of the tenant's own for what it describes as a mere read.
    fn adapter(&mut self, tool: &str, request: &AdapterRequest) {
        let Some((adapter, described)) = adapters::find(self.adapters, tool) else {
            return self.built_in("adapter.gone", "It is a tool that the policy no longer describes", Class::Red);
        };
        let reason = format!("{} describes it so: {}", adapter.title, described.title);
        self.built_in("adapter.described", &reason, described.floor());
        let hosts = self.hosts;
        let kind = match described.class {
            Class::Green => HostKind::Own,
            _ => HostKind::Known,
        };
        let known = move |host: &str| if kind == HostKind::Own { Some(kind) } else { hosts(host).or(Some(kind)) };
        self.request_to(
            &known,
            &request.method,
            &request.url,
            &request.headers,
            request.body.as_deref().unwrap_or_default(),
        );
    }

    fn request(&mut self, method: &str, url: &str, headers: &[(String, String)], body: &str) {
        self.request_to(self.hosts, method, url, headers, body);
    }

    fn request_to(
        &mut self,
        hosts: &dyn Fn(&str) -> Option<HostKind>,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: &str,
    ) {
        let target = Target::parse(url);
        let host = match &target {
            Ok(target) if target.is_metadata() => "metadata",
            Ok(target) => match hosts(&target.host) {
                Some(HostKind::Own) => "own",
                Some(HostKind::Known) => "known",
                None => "unlisted",
            },
            Err(_) => "unlisted",
        };
        let (path, server) = match &target {
            Ok(target) => (http::decoded(&target.path_and_query), target.host.as_str()),
            Err(_) => (url.to_owned(), ""),
        };
        let body = http::unescaped(body);
        if http::is_mutation(&body) {
            self.built_in("http.mutation", "It changes something by a GraphQL mutation", Class::Red);
        }
        // Some servers obey a header or a field more than the method.
        let mut methods = vec![method.to_owned()];
        let fields = overrides::of_text(&path).into_iter().chain(overrides::of_text(&body)).map(str::to_owned);
        for method in headers.iter().flat_map(|(name, value)| overrides::of_header(name, value)).chain(fields) {
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
        for method in methods {
            self.sees("asks", || format!("{method} {url}  ({host})"));
            let call = HttpCall { method, host, server, path: &path, body: &body };
            if self.peak_of(|judge| judge.others(&Subject::Http(&call))).is_none() {
                self.built_in("http.unknown-method", "It uses an HTTP method that no rule knows", Class::Red);
            }
        }
        if target.as_ref().is_ok_and(|target| ENGINES.contains(&target.port)) {
            let class = if matches!(method, "GET" | "HEAD" | "OPTIONS") { Class::YellowExternal } else { Class::Red };
            self.built_in("http.engine", "It speaks to what runs containers or keeps a cluster", class);
        }
        if target.is_ok_and(|target| target.has_credentials) {
            self.built_in("http.credentials-in-url", "It carries a password in its address", Class::Red);
        }
    }
}

/// The daemon's MCP server, asked through a runtime's hook: the name of an approval and nothing else.
fn asks_for_own_result(tool: &str, args: &serde_json::Value) -> bool {
    let name = args.get("approval").and_then(serde_json::Value::as_str).and_then(|name| name.strip_prefix("A-"));
    tool == "wardkeep_result"
        && args.as_object().is_some_and(|map| map.len() == 1)
        && name
            .is_some_and(|hex| hex.len() == 8 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}

/// Ports by custom of Docker, the kubelet and etcd, which do for whoever asks what root may.
const ENGINES: &[u16] = &[2375, 2376, 2379, 4243, 10_250, 10_255];

/// Programs that make a file and do nothing with what stands in it.
const FILE_MAKERS: &[&str] = &["tee", "mkdir", "touch", "chmod", "chown", "rm", "cp", "mv", "ln", "git", "install"];

/// A script's first line may name its shell.
fn without_first_line(text: &str) -> &str {
    if text.starts_with("#!") { text.split_once('\n').map_or("", |(_, rest)| rest) } else { text }
}

#[cfg(test)]
mod bypasses;
#[cfg(test)]
mod consoles;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod databases;
#[cfg(test)]
mod fields;
#[cfg(test)]
mod handed;
#[cfg(test)]
mod judged;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod overridden;
#[cfg(test)]
mod places;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wrappings;
#[cfg(test)]
mod written;
