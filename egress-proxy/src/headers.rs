//! Which headers pass, in either direction.
//!
//! Towards a provider go those that clients are known to send; a name is text as well, which an agent could choose, and
//! which has lost its case before it can be scanned. Towards the agent all pass but those of one connection only.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use wardkeep_policy::Dialect;
use wardkeep_proto::secret::SecretValue;
use wardkeep_redaction::Engine;

use crate::refusal::Refusal;

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
/// libraries (`x-stainless-*`); `OpenRouter`, "App attribution"; W3C "Trace Context"; RFC 9110.
const FORWARDED: [&str; 30] = [
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
    "x-request-id",
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

/// The local token in a request, in either dialect's header.
pub(crate) fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let key = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    [key, bearer].into_iter().flatten()
}

/// What the provider gets of the caller's headers. A value that holds a secret passes redacted; one that cannot be a header
/// any more refuses the request.
pub(crate) fn towards_provider(from: &HeaderMap, engine: &Engine) -> Result<HeaderMap, Refusal> {
    let named = connection_named(from);
    let mut to = HeaderMap::with_capacity(from.len() + 3);
    for (name, value) in from {
        let text = name.as_str();
        if !FORWARDED.contains(&text) || named.iter().any(|other| other == text) {
            continue;
        }
        let scanned = engine.redact_bytes(value.as_bytes());
        let value = if scanned.findings.is_empty() {
            value.clone()
        } else {
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

/// Adds the provider's key.
pub(crate) fn inject_key(to: &mut HeaderMap, dialect: Dialect, key: &SecretValue) -> Result<(), Refusal> {
    let (name, mut value) = match dialect {
        Dialect::Anthropic => (HeaderName::from_static("x-api-key"), HeaderValue::from_str(key.expose())),
        Dialect::Gemini => (HeaderName::from_static("x-goog-api-key"), HeaderValue::from_str(key.expose())),
        Dialect::OpenAi => {
            let bearer = zeroize::Zeroizing::new(format!("Bearer {}", key.expose()));
            (header::AUTHORIZATION, HeaderValue::from_str(&bearer))
        }
    };
    if let Ok(value) = &mut value {
        value.set_sensitive(true);
    }
    to.insert(name, value.map_err(|_| Refusal::BadKey)?);
    Ok(())
}

/// What the agent gets of the provider's headers. A value that holds a secret (a provider that echoes its key) is left out.
pub(crate) fn towards_agent(from: &HeaderMap, engine: &Engine) -> HeaderMap {
    let named = connection_named(from);
    let mut to = HeaderMap::with_capacity(from.len() + 1);
    for (name, value) in from {
        let text = name.as_str();
        let ours = HOP_BY_HOP.contains(&text) || text == "set-cookie" || named.iter().any(|other| other == text);
        if !ours && engine.redact_bytes(value.as_bytes()).findings.is_empty() {
            to.append(name.clone(), value.clone());
        }
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
