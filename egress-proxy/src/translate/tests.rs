//! What is said in one API is said in the other, exactly, or refused by name.

use bytes::Bytes;
use serde_json::Value;
use wardkeep_policy::Dialect;

use super::{Stamp, Untranslatable, Wants};

mod answers;
mod errors;
mod fuzzed;
mod hostile;
mod interleaved;
pub(crate) mod recorded;
mod refusals;
mod requests;
mod streams;
mod turns;

fn stamp() -> Stamp {
    Stamp { id: "wk-1".to_owned(), model: "asked".to_owned(), created: 1_795_000_000, usage: true }
}

/// A request of an `OpenAI` client to Anthropic.
fn to_anthropic(body: &str) -> Result<String, Untranslatable> {
    translated(Dialect::OpenAi, Dialect::Anthropic, body)
}

/// A request of an Anthropic client to `OpenAI`.
fn to_openai(body: &str) -> Result<String, Untranslatable> {
    translated(Dialect::Anthropic, Dialect::OpenAi, body)
}

fn translated(caller: Dialect, provider: Dialect, body: &str) -> Result<String, Untranslatable> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let out = super::request(caller, provider, &body, Wants::default())?;
    let out = String::from_utf8(out.to_vec()).unwrap();
    assert!(serde_json::from_str::<Value>(&out).unwrap().is_object(), "{out}");
    Ok(out)
}

fn answered(provider: Dialect, caller: Dialect, body: &str) -> Result<String, Untranslatable> {
    let out = super::answer(provider, caller, &Bytes::copy_from_slice(body.as_bytes()), &stamp())?;
    let out = String::from_utf8(out.to_vec()).unwrap();
    assert!(serde_json::from_str::<Value>(&out).unwrap().is_object(), "{out}");
    Ok(out)
}
