//! Which headers pass, in either direction.
//!
//! Towards a provider go those that clients are known to send; a name is text as well, which an agent could choose, and
//! which has lost its case before it can be scanned. Towards the agent all pass but those of one connection only.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::Uri;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use wardkeep_policy::{Dialect, Framing, Provider};
use wardkeep_redaction::Engine;

use crate::api;
use crate::refusal::Refusal;
use crate::request::json_text;

mod clean;

pub(crate) use clean::Clean;

/// Headers for which there is room at once; clients that send more send larger bodies, too.
const FEW: usize = 6;
/// Names of one connection only; RFC 9110 7.6.1.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a provider is told of the caller's head.
///
/// Sources: API references of Anthropic and `OpenAI`, "Versions", "Beta headers", "Debugging requests"; their client
/// libraries (`x-stainless-*`, `x-goog-api-client`, `x-server-timeout`); `OpenRouter`, "App attribution"; W3C "Trace Context"; RFC 9110.
const FORWARDED: [&str; 32] = [
    "accept",
    "accept-language",
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "anthropic-version",
    "http-referer",
    "idempotency-key",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-app",
    "x-client-request-id",
    "x-goog-api-client",
    "x-request-id",
    "x-server-timeout",
    "x-stainless-arch",
    "x-stainless-async",
    "x-stainless-helper",
    "x-stainless-helper-method",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-package-version",
    "x-stainless-poll-helper",
    "x-stainless-read-timeout",
    "x-stainless-retry-count",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
    "x-stainless-timeout",
    "x-title",
];

/// Query parameters by which a caller would name itself to Google's API. They are the caller's to us, and never go on.
const CREDENTIALS: [&str; 3] = ["key", "access_token", "oauth_token"];

/// The local token in a request, wherever one of the dialects has it.
pub(crate) fn tokens<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> impl Iterator<Item = Cow<'a, str>> {
    let of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(Cow::Borrowed);
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| Cow::Borrowed(token.trim()))
    });
    let in_query =
        uri.query().into_iter().flat_map(|query| query.split('&')).find_map(|pair| pair.strip_prefix("key="));
    let in_query = in_query.and_then(api::decoded).map(Cow::Owned);
    [of("x-api-key"), bearer, of("x-goog-api-key"), in_query].into_iter().flatten()
}

/// Whether an answer to the query is one that can be read here. Google's system parameters leave members out of it, the usage
/// among them, give it another form, or name another caller; the two that its own clients send are harmless.
///
/// Source: Google Cloud APIs, "System parameters".
pub(crate) fn is_plain(query: Option<&str>, dialect: Dialect) -> bool {
    let is_known = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (api::decoded(name), api::decoded(value)) else { return false };
        match name.as_str() {
            "alt" | "$alt" => matches!(value.as_str(), "sse" | "json" | "json;enum-encoding=int"),
            "prettyPrint" | "$prettyPrint" => true,
            name => name.is_empty() || CREDENTIALS.contains(&name),
        }
    };
    dialect != Dialect::Gemini || query.into_iter().flat_map(|query| query.split('&')).all(is_known)
}

/// The query that goes on: the caller's as it stands, without what names the caller, and what the provider always wants.
pub(crate) fn query(asked: Option<&str>, fixed: &BTreeMap<String, String>) -> Option<String> {
    let ours = |pair: &str| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        // A name that cannot be decoded could be read as any.
        api::decoded(name).is_none_or(|name| CREDENTIALS.contains(&name.as_str()) || fixed.contains_key(&name))
    };
    let kept = asked.into_iter().flat_map(|query| query.split('&')).filter(|pair| !ours(pair)).map(str::to_owned);
    let all: Vec<String> = kept.chain(fixed.iter().map(|(name, value)| format!("{name}={value}"))).collect();
    (!all.is_empty()).then(|| all.join("&"))
}

/// What the provider gets of the caller's headers. A value that holds a secret passes redacted; one that cannot be a header
/// any more refuses the request.
pub(crate) fn towards_provider(from: &HeaderMap, engine: &Engine, clean: &Clean) -> Result<HeaderMap, Refusal> {
    let named = connection_named(from);
    let passes = |name: &HeaderName| {
        let text = name.as_str();
        FORWARDED.binary_search(&text).is_ok() && !named.iter().any(|other| other == text)
    };
    let mut to = HeaderMap::with_capacity(FEW);
    for (name, value) in from.iter().filter(|(name, _)| passes(name)) {
        let value = if clean.holds(engine, value.as_bytes()) {
            value.clone()
        } else {
            let scanned = engine.redact_bytes(value.as_bytes());
            HeaderValue::from_bytes(&scanned.bytes).map_err(|_| Refusal::SecretInHead)?
        };
        to.append(name.clone(), value);
    }
    // A charset of the caller's choosing would let the provider read other characters than were scanned.
    to.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // What is compressed cannot be read for its usage.
    to.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(to)
}

/// Takes out what belongs to the caller's API, for a provider that speaks `dialect`.
pub(crate) fn translate(to: &mut HeaderMap, dialect: Dialect) {
    for name in FORWARDED.iter().filter(|name| name.starts_with("anthropic-") || name.starts_with("openai-")) {
        to.remove(*name);
    }
    if dialect == Dialect::Anthropic {
        to.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    }
}

/// Makes a head what its provider wants: its fixed headers, and without those that stand in the body there. Gives these as
/// members with their JSON.
pub(crate) fn adapt(to: &mut HeaderMap, provider: &Provider) -> Vec<(String, String)> {
    let lists = provider.body.from_headers.iter().filter_map(|(name, member)| {
        let values: Vec<String> = to
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|one| json_text(one.trim()))
            .filter(|one| one != "\"\"")
            .collect();
        to.remove(name);
        (!values.is_empty()).then(|| (member.clone(), format!("[{}]", values.join(","))))
    });
    let lists = lists.collect();
    for (name, value) in &provider.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            to.insert(name, value);
        }
    }
    if provider.framing == Framing::AwsEventStream {
        // It names the form of what is inside the frames, which is always JSON.
        to.remove(header::ACCEPT);
    }
    lists
}

/// What the agent gets of the provider's headers. A value that holds a secret (a provider that echoes its key) is left out.
pub(crate) fn towards_agent(from: HeaderMap, engine: &Engine, clean: &Clean) -> HeaderMap {
    let named = connection_named(&from);
    let passes = |name: &HeaderName, value: &HeaderValue| {
        let text = name.as_str();
        // What we say of an answer nobody else says.
        let ours = HOP_BY_HOP.contains(&text)
            || text == "set-cookie"
            || text.starts_with("x-wardkeep-")
            || named.iter().any(|other| other == text);
        !ours && clean.holds(engine, value.as_bytes())
    };
    if from.iter().all(|(name, value)| passes(name, value)) {
        return from;
    }
    let mut to = HeaderMap::with_capacity(from.len());
    for (name, value) in from.iter().filter(|(name, value)| passes(name, value)) {
        to.append(name.clone(), value.clone());
    }
    to
}

/// Whether a body is in an encoding other than its own.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Headers that `Connection` declares to be of this connection only.
fn connection_named(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forwarded_is_found() {
        assert!(FORWARDED.is_sorted());
    }

    #[test]
    fn nobody_else_speaks_for_the_gateway() {
        let engine = Engine::build([], &wardkeep_redaction::RuleSet::none(), [7; 32]).unwrap();
        let mut from = HeaderMap::new();
        for (name, value) in
            [("x-wardkeep-refusal", "budget"), ("x-a", "b"), ("x-a", "c"), ("connection", "x-b"), ("x-b", "d")]
        {
            from.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let to = towards_agent(from, &engine, &Clean::default());
        let told: Vec<_> = to.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(told, [("x-a", &b"b"[..]), ("x-a", b"c")]);
    }
}
