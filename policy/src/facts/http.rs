//! Facts about one HTTP request.

pub(crate) mod overrides;

use std::borrow::Cow;

use url::Url;

use super::args::{Parsed, is_option};
use super::words::{OPAQUE, Word};
use crate::metadata;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `http` or `https`.
    pub scheme: String,
    /// Lower case, IDNA form, no port, no trailing dot.
    pub host: String,
    /// The port, given or implied.
    pub port: u16,
    /// The path, percent-encoded, without query.
    pub path: String,
    /// The same with the query behind it.
    pub path_and_query: String,
    /// Whether the URL carries a user name or password.
    pub has_credentials: bool,
}

/// The text is not an absolute http or https URL with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address must be an absolute http or https URL")]
pub struct InvalidTarget;

impl Target {
    /// Reads a URL as the executor's HTTP client does (WHATWG).
    ///
    /// # Errors
    /// [`InvalidTarget`]: not absolute, another scheme, or no host.
    pub fn parse(text: &str) -> Result<Self, InvalidTarget> {
        let url = Url::parse(text).map_err(|_| InvalidTarget)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidTarget);
        }
        let host = url.host_str().ok_or(InvalidTarget)?;
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.is_empty() {
            return Err(InvalidTarget);
        }
        Ok(Self {
            scheme: url.scheme().to_owned(),
            host: host.to_ascii_lowercase(),
            port: url.port_or_known_default().ok_or(InvalidTarget)?,
            path: url.path().to_owned(),
            path_and_query: url
                .query()
                .map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path())),
            has_credentials: !url.username().is_empty() || url.password().is_some(),
        })
    }
}

impl Target {
    /// Whether it is a cloud's metadata service, which hands out the machine's credentials.
    #[must_use]
    pub fn is_metadata(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare.parse().map_or_else(|_| metadata::is_name(bare), metadata::is_address)
    }
}

/// A request that a program on the command line makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProgramRequest {
    /// Upper case.
    pub(crate) method: String,
    /// As written, with `http://` added where there is no scheme.
    pub(crate) url: String,
    /// Files that are sent.
    pub(crate) reads: Vec<String>,
    /// What is sent, as far as it stands in the arguments.
    pub(crate) body: String,
    /// Names and values, as far as they stand there.
    pub(crate) headers: Vec<(String, String)>,
    /// Files that take their names from the address, or that a format names.
    pub(crate) saves: Vec<String>,
}

/// Where a program saves what it fetches that names files after the address: the last part of that, in the folder `beneath`.
fn saved(url: &str, beneath: Option<&Word>) -> Option<String> {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest).split(['?', '#']).next()?;
    let name = decoded(path.rsplit_once('/')?.1);
    let name = (!name.is_empty()).then_some(name)?;
    Some(beneath.map_or_else(|| name.clone(), |folder| format!("{}/{name}", folder.text)))
}

/// `%output{FILE}` and `%output{>>FILE}` in what curl writes at the end.
fn outputs(format: &str) -> impl Iterator<Item = String> {
    format.split("%output{").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.trim_start_matches('>').to_owned()))
}

/// The requests that `curl`, `wget` and their relatives make; empty for any other program.
pub(crate) fn of_program(name: &str, parsed: &Parsed<'_>) -> Vec<ProgramRequest> {
    match name {
        "curl" => curl(parsed),
        "wget" | "wget2" | "aria2c" | "axel" => wget(parsed),
        "http" | "https" | "xh" | "xhs" => httpie(parsed),
        // It takes the options of the one and the operands of the other.
        "curlie" => curl(parsed).into_iter().chain(httpie(parsed)).collect(),
        _ => Vec::new(),
    }
}

fn curl(parsed: &Parsed<'_>) -> Vec<ProgramRequest> {
    let data = [
        "-d",
        "--data",
        "--data-raw",
        "--data-binary",
        "--data-urlencode",
        "--data-ascii",
        "-F",
        "--form",
        "--form-string",
        "--json",
    ];
    let has = |options: &[&str]| options.iter().any(|option| parsed.has(option));
    let explicit = parsed.value("-X").or_else(|| parsed.value("--request")).map(|word| word.text.to_ascii_uppercase());
    let implied = if has(&["-T", "--upload-file"]) {
        "PUT"
    } else if has(&["-G", "--get"]) {
        "GET"
    } else if has(&data) {
        "POST"
    } else if has(&["-I", "--head"]) {
        "HEAD"
    } else {
        "GET"
    };
    let (mut reads, mut body) = (Vec::new(), String::new());
    let headers = headers(parsed, &["-H", "--header"]);
    for (option, value) in &parsed.options {
        let Some(value) = value else { continue };
        if data.contains(&&**option) || option == "--url-query" {
            body.push_str(&value.text);
            body.push('\n');
            reads.extend(value.text.rsplit_once('@').map(|(_, path)| path.to_owned()));
        } else if matches!(&**option, "-T" | "--upload-file") {
            reads.push(value.text.clone());
        } else if matches!(&**option, "-H" | "--header") {
            reads.extend(value.text.strip_prefix('@').map(str::to_owned));
        }
    }
    let urls = parsed.options.iter().filter(|(o, _)| o == "--url").filter_map(|(_, url)| url.as_deref());
    let mut urls: Vec<&Word> = urls.chain(parsed.operands.iter().copied()).collect();
    let fallback = Word::opaque();
    if urls.is_empty() && !has(&["-V", "--version", "-h", "--help"]) {
        // The address comes from a config file or at run time.
        urls.push(&fallback);
    }
    let method = |url: &Word| match (&explicit, url.text.split_once("://").map(|(scheme, _)| scheme)) {
        (Some(method), _) => method.clone(),
        // Mail and file transfer send when they upload, else they fetch.
        (None, _) => implied.to_owned(),
    };
    let folder = parsed.value("--output-dir");
    let named = has(&["-O", "--remote-name", "--remote-name-all", "-J"]);
    let formats = parsed.values("-w").chain(parsed.values("--write-out"));
    let formats: Vec<String> = formats.flat_map(|word| outputs(&word.text)).collect();
    urls.iter()
        .map(|url| ProgramRequest {
            method: method(url),
            url: absolute(&url.text),
            reads: reads.clone(),
            body: body.clone(),
            headers: headers.clone(),
            saves: formats.iter().cloned().chain(saved(&url.text, folder).filter(|_| named)).collect(),
        })
        .collect()
}

fn wget(parsed: &Parsed<'_>) -> Vec<ProgramRequest> {
    let sends = ["--post-data", "--post-file", "--body-data", "--body-file"];
    let method = match parsed.value("--method") {
        Some(method) => method.text.to_ascii_uppercase(),
        None if sends.iter().any(|option| parsed.has(option)) => "POST".to_owned(),
        None => "GET".to_owned(),
    };
    let files = ["--post-file", "--body-file"];
    let reads: Vec<String> = files.iter().filter_map(|o| parsed.value(o)).map(|word| word.text.clone()).collect();
    let body = parsed
        .value("--post-data")
        .or_else(|| parsed.value("--body-data"))
        .map_or_else(String::new, |w| w.text.clone());
    let headers = headers(parsed, &["--header", "-e", "--execute"]);
    let elsewhere = ["-O", "--output-document", "--spider"].iter().any(|option| parsed.has(option));
    let folder = parsed.value("-P").or_else(|| parsed.value("--directory-prefix"));
    let request = |url: &&Word| ProgramRequest {
        method: method.clone(),
        url: absolute(&url.text),
        reads: reads.clone(),
        body: body.clone(),
        headers: headers.clone(),
        saves: saved(&url.text, folder).filter(|_| !elsewhere).into_iter().collect(),
    };
    parsed.operands.iter().map(request).collect()
}

fn httpie(parsed: &Parsed<'_>) -> Vec<ProgramRequest> {
    let mut operands = parsed.operands.iter().map(|word| word.text.as_str());
    let Some(first) = operands.next() else { return Vec::new() };
    let is_method = first.len() >= 3 && first.bytes().all(|b| b.is_ascii_alphabetic()) && first.len() <= 7;
    let (method, url) = match (is_method, operands.next()) {
        (true, Some(url)) => (first.to_ascii_uppercase(), url),
        (_, Some(_)) => ("POST".to_owned(), first),
        (_, None) => ("GET".to_owned(), first),
    };
    // `Name:value` is a header, `name=value` a field; what stands behind the address is looked at as either.
    let items = parsed.operands.iter().map(|word| word.text.as_str());
    let items: Vec<&str> = items.skip_while(|item| *item != url).skip(1).collect();
    let headers = items.iter().filter_map(|item| header(item)).collect();
    let downloads = ["-d", "--download"].iter().any(|option| parsed.has(option));
    let saves = saved(url, None).filter(|_| downloads).into_iter().collect();
    vec![ProgramRequest { method, url: absolute(url), reads: Vec::new(), body: items.join("\n"), headers, saves }]
}

/// The headers behind those options; an order of wget's may be one, too: `header = a: b`.
fn headers(parsed: &Parsed<'_>, options: &[&str]) -> Vec<(String, String)> {
    let given = parsed.options.iter().filter(|(name, _)| options.iter().any(|option| is_option(name, option)));
    let texts = given.filter_map(|(_, value)| value.as_deref());
    // Behind `@` stands a file with more of them.
    let unseen = |text: &str| text.starts_with('@').then(any_header);
    texts.filter_map(|word| unseen(&word.text).or_else(|| header(&word.text))).collect()
}

/// What a header may be that nobody has seen: one that names another method.
fn any_header() -> (String, String) {
    ("X-HTTP-Method-Override".to_owned(), OPAQUE.to_string())
}

fn header(text: &str) -> Option<(String, String)> {
    if text.split([':', '=']).next().is_some_and(|name| name.contains(OPAQUE)) {
        return Some(any_header());
    }
    let (name, value) = text.split_once(':')?;
    let name = name.rsplit('=').next().unwrap_or_default();
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

fn absolute(url: &str) -> String {
    if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}

/// A body, and behind it what it says without the escapes of JSON strings and of forms, where it has any.
pub(crate) fn unescaped(body: &str) -> Cow<'_, str> {
    let (json, form) = (body.contains('\\'), body.contains('%'));
    if !json && !form {
        return body.into();
    }
    let mut out = body.to_owned();
    if json {
        out.push('\n');
        let mut rest = body;
        while let Some((before, behind)) = rest.split_once('\\') {
            out.push_str(before);
            let code =
                behind.strip_prefix('u').and_then(|hex| hex.get(..4)).and_then(|hex| u32::from_str_radix(hex, 16).ok());
            let (c, length) = match (code, behind.chars().next()) {
                (Some(code), _) => (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 5),
                (None, Some('n' | 't' | 'r' | 'f' | 'b')) => (' ', 1),
                (None, Some(c)) => (c, c.len_utf8()),
                (None, None) => break,
            };
            out.push(c);
            rest = &behind[length..];
        }
        out.push_str(rest);
    }
    if form {
        out.push('\n');
        out.push_str(&decoded(body).replace('+', " "));
    }
    out.into()
}

/// Whether a body holds an order of GraphQL's that changes something, whatever the address is called.
pub(crate) fn is_mutation(body: &str) -> bool {
    const WORD: &str = "mutation";
    let of_word = |c: char| c.is_alphanumeric() || c == '_';
    body.match_indices(WORD).any(|(at, _)| {
        let (before, behind) = (&body[..at], &body[at + WORD.len()..]);
        let order = !before.ends_with(of_word) && !behind.starts_with(of_word) && behind.contains('{');
        // In the text of a query, or as the whole body.
        order && (before.trim().is_empty() || before.contains("query"))
    })
}

/// The text with every `%XX` taken out of its coding.
pub(crate) fn decoded(text: &str) -> String {
    let bytes: Vec<u8> = percent_decode(text.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

fn percent_decode(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}
