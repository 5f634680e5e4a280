//! What can be asked of the gateway: which address is which API, and what is different about each.

use std::borrow::Cow;

use http::{HeaderMap, Method, Uri};
use wardkeep_policy::{Dialect, Endpoint};

use crate::refusal::Refusal;

/// One API that is passed on to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// Anthropic Messages.
    Messages,
    /// Anthropic: the tokens of a turn, counted by the provider.
    MessagesCount,
    /// Anthropic: a file for later turns.
    AnthropicFiles,
    /// `OpenAI` Chat Completions.
    Chat,
    /// `OpenAI` Responses.
    Responses,
    /// `OpenAI` Embeddings.
    Embeddings,
    /// `OpenAI`: a file for later turns.
    OpenAiFiles,
    /// One of Gemini's methods of a model.
    Gemini(Verb),
}

/// What is done with a Gemini model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Generate,
    Stream,
    Count,
    Embed,
    EmbedBatch,
}

/// How usage is told in the answers of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    Messages,
    Chat,
    Responses,
    Embeddings,
    Gemini,
    /// Costs nothing: only the request counts.
    Free,
}

/// What an address asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Ask(Call),
    /// The models of the caller, or one of them.
    Models(Option<String>),
    Health,
}

/// One request to be passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) api: Api,
    /// The model that stands in the path; in all others it stands in the body.
    pub(crate) model: Option<String>,
}

/// Every address without a model in it.
const ADDRESSES: &[(&str, Api)] = &[
    ("/v1/messages", Api::Messages),
    ("/v1/messages/count_tokens", Api::MessagesCount),
    ("/v1/chat/completions", Api::Chat),
    ("/v1/responses", Api::Responses),
    ("/v1/embeddings", Api::Embeddings),
];

/// What stands behind the colon in Gemini's addresses.
const VERBS: &[(&str, Verb)] = &[
    ("generateContent", Verb::Generate),
    ("streamGenerateContent", Verb::Stream),
    ("countTokens", Verb::Count),
    ("embedContent", Verb::Embed),
    ("batchEmbedContents", Verb::EmbedBatch),
];

impl Api {
    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Messages | Self::MessagesCount | Self::AnthropicFiles => Dialect::Anthropic,
            Self::Chat | Self::Responses | Self::Embeddings | Self::OpenAiFiles => Dialect::OpenAi,
            Self::Gemini(_) => Dialect::Gemini,
        }
    }

    /// What a provider is asked for.
    pub(crate) const fn endpoint(self, streams: bool) -> Endpoint {
        match self {
            Self::Messages if streams => Endpoint::MessagesStream,
            Self::Messages => Endpoint::Messages,
            Self::MessagesCount => Endpoint::MessagesCountTokens,
            Self::AnthropicFiles => Endpoint::AnthropicFiles,
            Self::Chat => Endpoint::ChatCompletions,
            Self::Responses => Endpoint::Responses,
            Self::Embeddings => Endpoint::Embeddings,
            Self::OpenAiFiles => Endpoint::OpenaiFiles,
            Self::Gemini(Verb::Generate) => Endpoint::GenerateContent,
            Self::Gemini(Verb::Stream) => Endpoint::StreamGenerateContent,
            Self::Gemini(Verb::Count) => Endpoint::CountTokens,
            Self::Gemini(Verb::Embed) => Endpoint::EmbedContent,
            Self::Gemini(Verb::EmbedBatch) => Endpoint::BatchEmbedContents,
        }
    }

    /// What a provider that speaks `dialect` is asked for in place of this; `None` where one is not told in the other.
    pub(crate) fn towards(self, dialect: Dialect) -> Option<Self> {
        match (self, dialect) {
            (api, dialect) if api.dialect() == dialect => Some(api),
            (Self::Messages, Dialect::OpenAi) => Some(Self::Chat),
            (Self::Chat, Dialect::Anthropic) => Some(Self::Messages),
            _ => None,
        }
    }

    /// The turn of an API, as callers of `dialect` ask for it plainly.
    pub(crate) const fn turn_of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Anthropic => Self::Messages,
            Dialect::OpenAi => Self::Chat,
            Dialect::Gemini => Self::Gemini(Verb::Generate),
        }
    }

    pub(crate) const fn account(self) -> Account {
        match self {
            Self::Messages => Account::Messages,
            Self::Chat => Account::Chat,
            Self::Responses => Account::Responses,
            Self::Gemini(Verb::Generate | Verb::Stream) => Account::Gemini,
            Self::Embeddings | Self::Gemini(Verb::Embed | Verb::EmbedBatch) => Account::Embeddings,
            Self::MessagesCount | Self::AnthropicFiles | Self::OpenAiFiles | Self::Gemini(Verb::Count) => Account::Free,
        }
    }

    /// Members that name other models than the one that was compared with the policy; `None` where there are none, nor in
    /// tools.
    pub(crate) const fn around(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Messages | Self::MessagesCount => Some(&["fallbacks"]),
            Self::Responses => Some(&[]),
            _ => None,
        }
    }

    /// What a provider has signed; a hit inside refuses the turn. With a colon: any object with such a member.
    pub(crate) const fn sealed(self) -> &'static [&'static str] {
        match self.dialect() {
            Dialect::Anthropic => &["thinking", "redacted_thinking"],
            Dialect::OpenAi => {
                &["thinking", "redacted_thinking", "reasoning.encrypted", "encrypted_content:", "thought_signature:"]
            }
            // As ProtoJSON reads both.
            Dialect::Gemini => &["thoughtSignature:", "thought_signature:"],
        }
    }
}

/// Finds out what is asked for; `dialect` is the caller's, see [`dialect_of`].
pub(crate) fn route(method: &Method, path: &str, dialect: Dialect) -> Result<Route, Refusal> {
    let (route, expected, name) = find(path, method, dialect).ok_or(Refusal::NoRoute)?;
    if *method == expected { Ok(route) } else { Err(Refusal::Method(name)) }
}

fn find(path: &str, method: &Method, dialect: Dialect) -> Option<(Route, Method, &'static str)> {
    let ask = |api, model| Some((Route::Ask(Call { api, model }), Method::POST, "POST"));
    if let Some((_, api)) = ADDRESSES.iter().find(|(address, _)| *address == path) {
        return ask(*api, None);
    }
    match path {
        "/v1/files" if dialect == Dialect::Anthropic => return ask(Api::AnthropicFiles, None),
        "/v1/files" => return ask(Api::OpenAiFiles, None),
        "/healthz" => return Some((Route::Health, Method::GET, "GET")),
        "/v1/models" | "/v1beta/models" => return Some((Route::Models(None), Method::GET, "GET")),
        _ => {}
    }
    let named = path.strip_prefix("/v1beta/models/").or_else(|| path.strip_prefix("/v1/models/"))?;
    let behind_colon = named
        .rsplit_once(':')
        .and_then(|(model, verb)| VERBS.iter().find(|(name, _)| *name == verb).map(|(_, verb)| (model, *verb)));
    match behind_colon {
        // A model may be called so; only Gemini's are posted to.
        Some((model, verb)) if *method != Method::GET => ask(Api::Gemini(verb), Some(decoded(model)?)),
        _ if named.is_empty() => None,
        _ => Some((Route::Models(Some(decoded(named)?)), Method::GET, "GET")),
    }
}

/// The dialect in which the caller expects to be answered, also where the path says nothing.
pub(crate) fn dialect_of(uri: &Uri, headers: &HeaderMap) -> Dialect {
    let path = uri.path();
    if let Some((_, api)) = ADDRESSES.iter().find(|(address, _)| *address == path) {
        return api.dialect();
    }
    let verb = |path: &str| path.rsplit_once(':').is_some_and(|(_, verb)| VERBS.iter().any(|(name, _)| *name == verb));
    if path.starts_with("/v1beta/") || verb(path) || headers.contains_key("x-goog-api-key") {
        return Dialect::Gemini;
    }
    if path.starts_with("/v1/messages/") || headers.contains_key("anthropic-version") {
        return Dialect::Anthropic;
    }
    Dialect::OpenAi
}

/// Percent-decoded, once; `None` if that is no text.
pub(crate) fn decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if let (b'%', [high, low, after @ ..]) = (first, after) {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            out.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
            rest = after;
        } else if *first == b'%' {
            return None;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    String::from_utf8(out).ok()
}

/// Percent-encoded for one segment of a path: everything but unreserved characters (RFC 3986 2.3).
pub(crate) fn encoded(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for half in [byte >> 4, byte & 15] {
                out.push(char::from_digit(half.into(), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, path: &str) -> Result<Route, &'static str> {
        let uri: Uri = path.parse().unwrap();
        let dialect = dialect_of(&uri, &HeaderMap::new());
        route(&method.parse().unwrap(), uri.path(), dialect).map_err(|refusal| refusal.code())
    }

    #[test]
    fn every_address_is_one_api() {
        for (path, api, model) in [
            ("/v1/messages", Api::Messages, None),
            ("/v1/messages/count_tokens?beta=true", Api::MessagesCount, None),
            ("/v1/chat/completions", Api::Chat, None),
            ("/v1/responses", Api::Responses, None),
            ("/v1/embeddings", Api::Embeddings, None),
            ("/v1/files", Api::OpenAiFiles, None),
            ("/v1beta/models/pro:generateContent", Api::Gemini(Verb::Generate), Some("pro")),
            ("/v1beta/models/pro:streamGenerateContent?alt=sse", Api::Gemini(Verb::Stream), Some("pro")),
            ("/v1/models/pro:countTokens", Api::Gemini(Verb::Count), Some("pro")),
            ("/v1beta/models/a%2Fb%3Ac:embedContent", Api::Gemini(Verb::Embed), Some("a/b:c")),
            ("/v1beta/models/pro:batchEmbedContents", Api::Gemini(Verb::EmbedBatch), Some("pro")),
        ] {
            let call = Call { api, model: model.map(str::to_owned) };
            assert_eq!(of("POST", path), Ok(Route::Ask(call)), "{path}");
            assert_eq!(api.endpoint(false).dialect(), api.dialect(), "{path}");
        }
        assert_eq!(of("GET", "/v1/models"), Ok(Route::Models(None)));
        assert_eq!(of("GET", "/v1beta/models/pro"), Ok(Route::Models(Some("pro".to_owned()))));
        assert_eq!(of("GET", "/v1/models/ft:gpt:office"), Ok(Route::Models(Some("ft:gpt:office".to_owned()))));
        for (method, path, why) in [
            ("GET", "/v1/messages", "method"),
            ("DELETE", "/v1/models/pro", "method"),
            ("POST", "/v1beta/models/pro:deleteContent", "method"),
            ("POST", "/v1/files/file-1", "no-route"),
            ("POST", "/v1/messages/", "no-route"),
            ("POST", "/v1/messages/batches", "no-route"),
            ("GET", "/v1/models/", "no-route"),
            ("POST", "/v1beta/models/a%zz:generateContent", "no-route"),
            ("POST", "/v1beta/models/a%ff:generateContent", "no-route"),
            ("POST", "/v1beta/files", "no-route"),
        ] {
            assert_eq!(of(method, path), Err(why), "{method} {path}");
        }
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        for (text, want) in [
            ("gpt-5.1_mini~", "gpt-5.1_mini~"),
            ("v1:0", "v1%3A0"),
            ("a/../b c%", "a%2F..%2Fb%20c%25"),
            ("ü", "%C3%BC"),
        ] {
            assert_eq!(encoded(text), want);
            assert_eq!(decoded(want).as_deref(), Some(text));
        }
    }
}
