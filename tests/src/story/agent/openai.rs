//! `OpenAI` Chat Completions: request, streamed answer, tool results.
//!
//! Source: `OpenAI` API reference, "Chat" and "Streaming".

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::{SYSTEM, ToolCall, ToolOutcome, Turn, sse_data, tools};

pub(super) fn request(model: &str, conversation: &[Value]) -> Value {
    let tools: Vec<Value> = tools()
        .into_iter()
        .map(|(name, description, properties)| {
            json!({"type": "function", "function": {"name": name, "description": description,
                   "parameters": {"type": "object", "properties": properties}}})
        })
        .collect();
    let mut messages = vec![json!({"role": "system", "content": SYSTEM})];
    messages.extend(conversation.iter().cloned());
    json!({"model": model, "stream": true, "tools": tools, "messages": messages})
}

pub(super) fn results(outcomes: &[ToolOutcome]) -> Vec<Value> {
    outcomes.iter().map(|o| json!({"role": "tool", "tool_call_id": o.id, "content": o.output})).collect()
}

#[derive(Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

/// Puts a streamed answer together.
///
/// # Errors
/// When the stream ended before `[DONE]` or carried an error: the turn is asked for again.
pub(super) fn turn(stream: &str) -> anyhow::Result<Turn> {
    let mut text = String::new();
    let mut calls: Vec<Call> = Vec::new();
    let mut complete = false;
    for data in sse_data(stream) {
        if data == "[DONE]" {
            complete = true;
            break;
        }
        let chunk: Value = serde_json::from_str(data).context("an SSE event is JSON")?;
        if !chunk["error"].is_null() {
            bail!("the provider broke off: {}", chunk["error"]);
        }
        let delta = &chunk["choices"][0]["delta"];
        text.push_str(delta["content"].as_str().unwrap_or_default());
        for piece in delta["tool_calls"].as_array().into_iter().flatten() {
            add(&mut calls, piece);
        }
    }
    if !complete {
        bail!("the stream ended early");
    }
    finish(text, calls)
}

fn add(calls: &mut Vec<Call>, piece: &Value) {
    let index = piece["index"].as_u64().and_then(|i| usize::try_from(i).ok()).unwrap_or(0).min(63);
    if calls.len() <= index {
        calls.resize_with(index + 1, Call::default);
    }
    let call = &mut calls[index];
    call.id.push_str(piece["id"].as_str().unwrap_or_default());
    call.name.push_str(piece["function"]["name"].as_str().unwrap_or_default());
    call.arguments.push_str(piece["function"]["arguments"].as_str().unwrap_or_default());
}

fn finish(text: String, calls: Vec<Call>) -> anyhow::Result<Turn> {
    let raw_calls: Vec<Value> = calls
        .iter()
        .map(|c| json!({"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}))
        .collect();
    let mut raw = json!({"role": "assistant", "content": text});
    if !raw_calls.is_empty() {
        raw["tool_calls"] = Value::Array(raw_calls);
    }
    let calls = calls
        .into_iter()
        .map(|c| {
            let args = serde_json::from_str(&c.arguments).context("tool arguments are JSON")?;
            Ok(ToolCall { id: c.id, name: c.name, args })
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Turn { text, calls, raw })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_stream_is_no_turn() {
        assert!(turn("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n").is_err());
    }

    #[test]
    fn arguments_arrive_in_pieces() {
        let stream = concat!(
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"shell\",\"arguments\":\"{\\\"comm\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"and\\\":\\\"ls\\\"}\"}}]}}]}\n\n",
            "data: [DONE]\n\n",
        );
        let turn = turn(stream).expect("complete");
        assert_eq!(turn.calls[0].args, json!({"command": "ls"}));
        assert_eq!(turn.raw["tool_calls"][0]["id"], "c1");
    }
}
