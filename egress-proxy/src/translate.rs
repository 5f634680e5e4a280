//! One API spoken to a caller, another one to the provider: `OpenAI` Chat Completions and Anthropic Messages.
//!
//! Pure: JSON in, JSON out. Each API has readers and writers for what both can say (`model`); a reader refuses what the
//! other one cannot say, by the name of its field, and docs/architecture.md has the table. Texts, numbers, schemas and
//! arguments stay the bytes that they were, and the same conversation gives the same bytes in each turn, so that the
//! provider's cache finds its beginning again.

mod anthropic;
mod failure;
mod fault;
mod json;
mod model;
mod openai;
mod pieces;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod writer;

use bytes::Bytes;
use wardkeep_policy::Dialect;

pub(crate) use fault::Untranslatable;
pub(crate) use stream::{End, Stream};

/// Tokens of output that Anthropic is asked for when the caller named no number: the least of what its models of 2025 and
/// later give.
pub(crate) const DEFAULT_MAX_TOKENS: u64 = 32_000;

/// What a provider wants of a request that comes from the other API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wants {
    pub(crate) limit: Limit,
    /// `max_tokens` where the caller named no number and the provider is Anthropic.
    pub(crate) most: u64,
    /// A stream must be asked for its usage, where the provider is like `OpenAI`.
    pub(crate) ask_for_usage: bool,
}

impl Default for Wants {
    fn default() -> Self {
        Self { limit: Limit::default(), most: DEFAULT_MAX_TOKENS, ask_for_usage: true }
    }
}

/// What a provider that is like `OpenAI` calls the bound of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Limit {
    /// `OpenAI` itself, whose newer models refuse the other name.
    #[default]
    MaxCompletionTokens,
    /// Providers that only know the older name.
    MaxTokens,
}

/// What an answer must say and its provider may not have said.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    /// The request's id, where the provider gave none; also the `request_id` of an error.
    pub(crate) id: String,
    /// The model, where the provider named none.
    pub(crate) model: String,
    /// Unix seconds; Anthropic does not tell them.
    pub(crate) created: u64,
    /// The caller asked for `stream_options.include_usage`.
    pub(crate) usage: bool,
}

/// The request of a `caller`, as its `provider` must get it. To be called after redaction.
///
/// # Errors
///
/// What the provider's API cannot say.
pub(crate) fn request(caller: Dialect, provider: Dialect, body: &Bytes, wants: Wants) -> Result<Bytes, Untranslatable> {
    match (caller, provider) {
        (Dialect::OpenAi, Dialect::Anthropic) => {
            Ok(anthropic::write::write(&openai::request::read(json::document(body)?)?, wants.most).into())
        }
        (Dialect::Anthropic, Dialect::OpenAi) => {
            Ok(openai::write::write(&anthropic::request::read(json::document(body)?)?, wants).into())
        }
        (caller, provider) if caller == provider => Ok(body.clone()),
        _ => Err(Untranslatable::Pair),
    }
}

/// The whole answer of a `provider`, as the `caller` expects it.
///
/// # Errors
///
/// The answer is none of the provider's API, or has what the caller's cannot say.
pub(crate) fn answer(provider: Dialect, caller: Dialect, body: &Bytes, stamp: &Stamp) -> Result<Bytes, Untranslatable> {
    match (provider, caller) {
        (Dialect::Anthropic, Dialect::OpenAi) => {
            Ok(openai::answer::write(&anthropic::answer::read(json::document(body)?)?, stamp).into())
        }
        (Dialect::OpenAi, Dialect::Anthropic) => {
            Ok(anthropic::answer::write(&openai::answer::read(json::document(body)?)?, stamp).into())
        }
        (provider, caller) if provider == caller => Ok(body.clone()),
        _ => Err(Untranslatable::Pair),
    }
}

/// The error of a `provider`, status and document, as the `caller` expects it. Whatever was answered, this gives a document.
pub(crate) fn error(provider: Dialect, caller: Dialect, status: u16, body: &Bytes, stamp: &Stamp) -> (u16, Bytes) {
    if provider == caller {
        return (status, body.clone());
    }
    let read = json::document(body).ok().and_then(|document| match provider {
        Dialect::Anthropic => anthropic::failure::read(document, status),
        _ => openai::failure::read(document, status),
    });
    let text = format!("The provider answered with status {status}.");
    let failure = read
        .unwrap_or(failure::Failure { kind: failure::Kind::of_status(status), message: failure::Message::Ours(&text) });
    match caller {
        Dialect::Anthropic => {
            (failure.kind.status(status, true), anthropic::failure::document(&failure, &stamp.id).into())
        }
        _ => (failure.kind.status(status, false), openai::failure::document(&failure).into()),
    }
}
