//! What serde cannot see: adapters that contradict themselves, lead elsewhere, or take a name that is taken.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use url::{Host, Url};

use super::{Adapter, Auth, Body, Kind, Param, Place, Tool};
use crate::action::{Action, Call, refs_in};
use crate::class::Class;
use crate::facts::http::Target;

/// Adapters of one bundle.
const ADAPTERS: usize = 50;
/// Tools of one adapter, arguments of one tool.
const ENTRIES: usize = 60;
/// Longest name of a tool, its adapter's id included: what model providers take.
const NAME_BYTES: usize = 64;
/// Bytes of an answer; a run keeps no more.
const REPLY_BYTES: u32 = 256 * 1024;
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// Headers that the client or the description of the body sets, or that carry credentials.
const OURS: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// An adapter is none. The text says which and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("adapter {at}: {why}")]
pub struct InvalidAdapter {
    at: String,
    why: String,
}

/// Checks every adapter of a bundle.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(adapters: &[Adapter]) -> Result<(), InvalidAdapter> {
    let refuse = |at: String, why: String| InvalidAdapter { at: at.chars().take(120).collect(), why };
    if adapters.len() > ADAPTERS {
        return Err(refuse("list".to_owned(), format!("a policy has at most {ADAPTERS} of them")));
    }
    let mut ids = BTreeSet::new();
    for adapter in adapters {
        head(adapter).map_err(|why| refuse(adapter.id.clone(), why))?;
        if !ids.insert(&adapter.id) {
            return Err(refuse(adapter.id.clone(), "it stands there twice".to_owned()));
        }
        let mut names = BTreeSet::new();
        for tool in &adapter.tools {
            let whole = adapter.name_of(tool);
            check_tool(&whole, tool).map_err(|why| refuse(whole.clone(), why))?;
            if !names.insert(&tool.name) {
                return Err(refuse(whole, "it stands there twice".to_owned()));
            }
        }
    }
    Ok(())
}

type Checked = Result<(), String>;

fn demand(holds: bool, why: &str) -> Checked {
    if holds { Ok(()) } else { Err(why.to_owned()) }
}

fn head(adapter: &Adapter) -> Checked {
    let id = adapter.id.as_bytes();
    demand(
        (2..=24).contains(&id.len())
            && id[0].is_ascii_lowercase()
            && id.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
        "an id is 2 to 24 lower-case letters and digits",
    )?;
    demand(adapter.id != "wardkeep", "this id is the server's own")?;
    demand(is_plain(&adapter.title, 60), "title is 1 to 60 characters on one line")?;
    demand(adapter.source.starts_with("https://"), "source is the address of the API's description")?;
    base(&adapter.base_url)?;
    auth(&adapter.auth)?;
    adapter.headers.iter().try_for_each(|(name, value)| {
        header(name)?;
        demand(
            is_header_value(value),
            "the value of a header is visible ASCII on one line, without SECRET_REF; see auth",
        )
    })?;
    demand((1..=ENTRIES).contains(&adapter.tools.len()), "it has 1 to 60 tools")
}

fn base(text: &str) -> Checked {
    let url = Url::parse(text).map_err(|_| "base_url is https://host, a port and path if needed".to_owned())?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err("base_url names no host".to_owned()),
    };
    demand(
        url.scheme() == "https" || (url.scheme() == "http" && loopback),
        "base_url is https; http for this machine only",
    )?;
    demand(url.query().is_none() && url.fragment().is_none(), "base_url has no query and no fragment")?;
    demand(url.username().is_empty() && url.password().is_none(), "base_url has no credentials; see auth")?;
    demand(
        url.as_str().trim_end_matches('/') == text.trim_end_matches('/') && !url.path().contains(['%', '\\']),
        "base_url is written as it is sent: lower case, no default port, no escapes",
    )?;
    demand(
        !Target::parse(text).is_ok_and(|target| target.is_metadata()),
        "metadata services, which hand out credentials, stay closed",
    )
}

fn auth(auth: &Auth) -> Checked {
    match auth {
        Auth::None => Ok(()),
        Auth::Header { name, before, .. } => {
            demand(
                name.eq_ignore_ascii_case("authorization") || header(name).is_ok(),
                "auth needs the name of a header",
            )?;
            demand(before.is_empty() || is_header_value(before), "auth: `before` is visible ASCII, as in \"Bearer \"")
        }
        Auth::Basic { user, .. } => {
            let whole = super::Reference::try_from(user.clone()).is_ok();
            let plain = is_header_value(user) && !user.contains(':') && refs_in(user).next().is_none();
            demand(whole || plain, "auth: user is a plain name without colon, or SECRET_REF(name)")
        }
        Auth::Query { name, .. } => demand(is_word(name), "auth: the name in the query is letters, digits, _ and -"),
    }
}

fn header(name: &str) -> Checked {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    demand(!name.is_empty() && name.len() <= 64 && name.bytes().all(token), "a header has a name")?;
    demand(
        !OURS.contains(&name.to_ascii_lowercase().as_str()),
        "this header is set by auth, by body, or by the client itself",
    )
}

fn is_header_value(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 512
        && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        && !text.contains("SECRET_REF(")
}

fn is_plain(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}

fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn is_name(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn check_tool(whole: &str, tool: &Tool) -> Checked {
    demand(
        is_name(&tool.name) && whole.len() <= NAME_BYTES,
        "a tool's name is lower-case letters, digits and _, 64 with the id",
    )?;
    demand(!is_taken(whole), "the gate has a tool of this name itself")?;
    demand(is_plain(&tool.title, 60), "title is 1 to 60 characters on one line")?;
    demand(is_plain(&tool.description, 600), "description is 1 to 600 characters on one line")?;
    demand(METHODS.contains(&tool.method.as_str()), "method is GET, HEAD, POST, PUT, PATCH or DELETE")?;
    let reads = matches!(tool.method.as_str(), "GET" | "HEAD");
    demand(
        tool.class != Class::Green || (reads && !tool.external),
        "only a GET or HEAD that nobody receives can be green",
    )?;
    demand(!reads || tool.body.is_none(), "a GET or HEAD has no body")?;
    demand(tool.recipients.is_empty() || tool.external, "a tool with recipients is external")?;
    demand(tool.params.len() <= ENTRIES && tool.fixed.len() <= ENTRIES, "it has at most 60 arguments")?;
    let mut names = BTreeSet::new();
    for param in &tool.params {
        check_param(tool, param).map_err(|why| format!("argument {}: {why}", param.name))?;
        demand(names.insert(&param.name), "an argument stands there twice")?;
    }
    for name in &tool.recipients {
        let param = tool.params.iter().find(|param| param.name == *name);
        demand(
            param.is_some_and(|p| matches!(p.kind, Kind::String | Kind::List)),
            "recipients are arguments of type string or list",
        )?;
    }
    path(tool)?;
    body(tool)?;
    demand(
        tool.reply.max_bytes.is_none_or(|most| (1..=REPLY_BYTES).contains(&most)),
        "reply: max_bytes is 1 to 262144",
    )?;
    let way = |way: &String| way.split('.').all(|part| !part.is_empty());
    demand(tool.reply.keep.iter().all(way), "reply: keep names fields, as in data.id")
}

/// A name that means something else to the gate, or to a runtime that asks it.
fn is_taken(name: &str) -> bool {
    if name == crate::containers::TOOL {
        return true;
    }
    let (Ok(agent), Ok(session)) = ("check".parse(), "check".parse()) else { return true };
    !matches!(Action::parse(agent, session, name, &json!({}), None), Ok(Action { call: Call::Other { .. }, .. }))
}

fn check_param(tool: &Tool, param: &Param) -> Checked {
    demand(is_name(&param.name) && param.name.len() <= 48, "its name is lower-case letters, digits and _")?;
    demand(is_plain(&param.description, 400), "its description is 1 to 400 characters on one line")?;
    demand(param.to.iter().all(|part| is_plain(part, 64)), "`as` is its name in the service")?;
    let is_text = matches!(param.kind, Kind::String | Kind::Text | Kind::List | Kind::Path);
    let is_number = matches!(param.kind, Kind::Integer | Kind::Number);
    demand(
        is_text || (param.one_of.is_empty() && param.format.is_none() && param.max_length.is_none()),
        "one_of, format and max_length are for texts",
    )?;
    demand(is_number || param.min.is_none(), "min is for numbers")?;
    demand(is_number || param.kind == Kind::List || param.max.is_none(), "max is for numbers and lists")?;
    demand(
        param.kind != Kind::List || param.max.is_none_or(|most| (1..=1000).contains(&most)),
        "max of a list is 1 to 1000",
    )?;
    demand(param.max_length.is_none_or(|most| (1..=200_000).contains(&most)), "max_length is 1 to 200000")?;
    demand(
        param.each.is_none() || (param.kind == Kind::List && tool.body == Some(Body::Json)),
        "each is for lists in a JSON body",
    )?;
    match param.place {
        Place::Path => {
            let fits = matches!(param.kind, Kind::String | Kind::Integer | Kind::Path);
            demand(
                fits && param.required && param.to.is_empty(),
                "in the path it is a required string, integer or path",
            )
        }
        Place::Query => demand(
            !matches!(param.kind, Kind::Text | Kind::Path),
            "in the query it is one line, a number, a truth value or a list",
        ),
        Place::Body => {
            demand(param.kind != Kind::Path && tool.body.is_some(), "it goes into a body that the tool does not have")
        }
    }
}

fn path(tool: &Tool) -> Checked {
    let segments: Vec<&str> = tool.path.split('/').collect();
    demand(segments.first() == Some(&"") && segments.len() > 1, "path begins with /")?;
    let mut named = BTreeSet::new();
    for (at, segment) in segments.iter().enumerate().skip(1) {
        if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            let known = tool.params.iter().any(|param| param.name == name && param.place == Place::Path);
            demand(known && named.insert(name), "each {name} of the path is one argument with in = \"path\", once")?;
            continue;
        }
        let plain = segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~!$'()*+,;=:@".contains(&b));
        let ends = segment.is_empty() && at + 1 == segments.len();
        demand(
            ends || (plain && !matches!(*segment, "" | "." | "..")),
            "a segment of the path is plain text or a whole {name}",
        )?;
    }
    let all =
        tool.params.iter().filter(|param| param.place == Place::Path).all(|param| named.contains(param.name.as_str()));
    demand(all, "an argument with in = \"path\" has no {name} in it")
}

fn body(tool: &Tool) -> Checked {
    let params = tool.params.iter().filter(|param| param.place == Place::Body);
    for fixed in &tool.fixed {
        demand(!fixed.to.is_empty() && fixed.to.iter().all(|part| is_plain(part, 64)), "a fixed value needs `as`")?;
        demand(
            matches!(fixed.value, Value::String(_) | Value::Number(_) | Value::Bool(_)),
            "a fixed value is a text, a number or a truth value",
        )?;
        demand(
            !fixed.value.as_str().is_some_and(|text| text.contains("SECRET_REF(")),
            "a fixed value holds no SECRET_REF; see auth",
        )?;
        demand(
            fixed.place != Place::Path && (fixed.place != Place::Body || tool.body.is_some()),
            "a fixed value is in the query, or in a body that the tool has",
        )?;
    }
    let fixed = || tool.fixed.iter().filter(|fixed| fixed.place == Place::Body);
    match &tool.body {
        None | Some(Body::Form) => Ok(()),
        Some(Body::Text { media_type }) => {
            demand(is_header_value(media_type) && media_type.contains('/'), "media_type is one such as text/plain")?;
            let one: Vec<&Param> = params.collect();
            let text = matches!(one.as_slice(), [one] if one.required && matches!(one.kind, Kind::Text | Kind::String));
            demand(text && fixed().next().is_none(), "a body of text is one required argument and nothing else")
        }
        Some(Body::Json) => {
            let ways: Vec<&[String]> = params.map(Param::way).chain(fixed().map(|fixed| fixed.to.as_slice())).collect();
            let meet = |a: &[String], b: &[String]| a.starts_with(b) || b.starts_with(a);
            let apart = ways.iter().enumerate().all(|(at, a)| !ways[at + 1..].iter().any(|b| meet(a, b)));
            demand(apart, "two arguments lead to the same place of the body")
        }
    }
}
