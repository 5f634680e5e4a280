//! What is no conversation: counting, vectors, files.
//!
//! Sources: Anthropic API reference, "Count tokens", "Files"; `OpenAI` API reference, "Embeddings", "Files"; Google AI for
//! Developers, "Counting tokens", "Embeddings".

use axum::http::{HeaderMap, Uri};
use serde_json::{Value, json};
use wardkeep_proto::digest::Digest;

use super::anthropic::Messages;
use super::gemini::{Gemini, model_and_verb};
use super::openai::{CREATED, Completions};
use super::{Speech, Usage};

/// One answer, and what it costs.
pub(super) type Done = (Value, Option<Usage>);

fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

fn billed(input: u64) -> Option<Usage> {
    Some(Usage { input, ..Usage::default() })
}

/// `POST /v1/messages/count_tokens`.
pub(super) fn count(raw: &Value) -> Option<Done> {
    raw["model"].as_str()?;
    raw["messages"].as_array()?;
    let all = ["system", "messages", "tools"].iter().map(|name| raw[*name].to_string());
    Some((json!({"input_tokens": all.map(|text| tokens(&text)).sum::<u64>()}), None))
}

/// `POST /v1/embeddings`.
pub(super) fn embeddings(raw: &Value) -> Option<Done> {
    let inputs: Vec<String> = match &raw["input"] {
        Value::String(text) => vec![text.clone()],
        // Texts, or tokens of one text.
        Value::Array(all) if all.iter().all(Value::is_string) => {
            all.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
        }
        Value::Array(all) if all.iter().all(Value::is_u64) => vec![raw["input"].to_string()],
        Value::Array(all) => all.iter().map(Value::to_string).collect(),
        _ => return None,
    };
    let size = raw["dimensions"].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(8).min(4096);
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let numbers = vector(text, size);
            let embedding = if raw["encoding_format"] == "base64" {
                let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                json!(data_encoding::BASE64.encode(&bytes))
            } else {
                json!(numbers)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let prompt: u64 = inputs.iter().map(|text| tokens(text)).sum();
    let usage = json!({"prompt_tokens": prompt, "total_tokens": prompt});
    Some((json!({"object": "list", "data": data, "model": raw["model"].as_str()?, "usage": usage}), billed(prompt)))
}

/// `countTokens`, `embedContent` and `batchEmbedContents`.
pub(super) fn gemini(raw: &Value, uri: &Uri) -> Option<Done> {
    match model_and_verb(uri).1 {
        "countTokens" => {
            let contents =
                if raw["contents"].is_null() { &raw["generateContentRequest"]["contents"] } else { &raw["contents"] };
            contents.as_array()?;
            let total = tokens(&contents.to_string());
            Some((
                json!({"totalTokens": total, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}]}),
                None,
            ))
        }
        "embedContent" => {
            let text = raw["content"]["parts"].as_array().map(|_| raw["content"]["parts"].to_string())?;
            Some((
                json!({"embedding": {"values": vector(&text, 8)}, "usageMetadata": {"promptTokenCount": tokens(&text)}}),
                billed(tokens(&text)),
            ))
        }
        "batchEmbedContents" => {
            let texts: Vec<String> =
                raw["requests"].as_array()?.iter().map(|one| one["content"]["parts"].to_string()).collect();
            let all: Vec<Value> = texts.iter().map(|text| json!({"values": vector(text, 8)})).collect();
            let prompt = texts.iter().map(|text| tokens(text)).sum();
            Some((json!({"embeddings": all, "usageMetadata": {"promptTokenCount": prompt}}), billed(prompt)))
        }
        _ => None,
    }
}

/// `POST /v1/files`, in the dialect of who asks.
pub(super) fn file(headers: &HeaderMap, body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body);
    let after = |mark: &str| {
        text.split_once(mark).and_then(|(_, rest)| rest.split_once('"')).map(|(value, _)| value.to_owned())
    };
    let name = after("filename=\"").unwrap_or_else(|| "upload".to_owned());
    let id = &Digest::of("simulator/file", body).to_string()[..24];
    if headers.contains_key("anthropic-version") {
        return json!({"id": format!("file_{id}"), "type": "file", "filename": name, "mime_type": "text/plain",
                      "size_bytes": body.len(), "created_at": "2025-11-20T00:00:00Z", "downloadable": false});
    }
    json!({"id": format!("file-{id}"), "object": "file", "bytes": body.len(), "created_at": CREATED, "filename": name,
           "purpose": "user_data", "status": "processed"})
}

/// Numbers that are a function of the text.
fn vector(text: &str, size: usize) -> Vec<f32> {
    let digest = Digest::of("simulator/vector", text.as_bytes()).to_string();
    digest.bytes().cycle().take(size).map(|byte| f32::from(byte) / 128.0 - 0.5).collect()
}

/// Key, errors, their status and heads in the words of one API.
pub(super) struct Words {
    pub(super) key: fn(&HeaderMap) -> Option<&str>,
    pub(super) error: fn(u16, &str) -> Value,
    pub(super) status: fn(u16) -> u16,
    pub(super) head: fn(usize) -> Vec<(&'static str, String)>,
}

impl Words {
    const fn of<S: Speech>() -> Self {
        Self { key: S::key, error: S::error, status: S::status, head: S::head }
    }
}

/// Whose API this is.
pub(super) fn speech(uri: &Uri, headers: &HeaderMap) -> Words {
    if uri.path().starts_with("/v1beta/") {
        return Words::of::<Gemini>();
    }
    if uri.path().starts_with("/v1/messages") || headers.contains_key("anthropic-version") {
        return Words::of::<Messages>();
    }
    Words::of::<Completions>()
}
