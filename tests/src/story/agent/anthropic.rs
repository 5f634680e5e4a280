//! Anthropic Messages: request, streamed answer, tool results.
//!
//! Source: Anthropic API reference, "Messages" and "Streaming messages".

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::{SYSTEM, ToolCall, ToolOutcome, Turn, sse_data, tools};

pub(super) fn request(model: &str, conversation: &[Value]) -> Value {
    let tools: Vec<Value> = tools()
        .into_iter()
        .map(|(name, description, properties)| {
            json!({"name": name, "description": description, "input_schema": {"type": "object", "properties": properties}})
        })
        .collect();
    json!({
        "model": model, "max_tokens": 2048, "stream": true, "system": SYSTEM, "tools": tools, "messages": conversation,
    })
}

pub(super) fn results(outcomes: &[ToolOutcome]) -> Value {
    let blocks: Vec<Value> = outcomes
        .iter()
        .map(|o| json!({"type": "tool_result", "tool_use_id": o.id, "content": o.output, "is_error": o.is_error}))
        .collect();
    json!({"role": "user", "content": blocks})
}

/// Puts a streamed answer together.
///
/// # Errors
/// When the stream ended before `message_stop` or carried an `error` event: the turn is asked for again.
pub(super) fn turn(stream: &str) -> anyhow::Result<Turn> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut complete = false;
    for data in sse_data(stream) {
        let event: Value = serde_json::from_str(data).context("an SSE event is JSON")?;
        match event["type"].as_str() {
            Some("content_block_start") => blocks.push(Block::start(&event["content_block"])),
            Some("content_block_delta") => {
                blocks.last_mut().context("a delta has a block")?.add(&event["delta"]);
            }
            Some("message_stop") => complete = true,
            Some("error") => bail!("the provider broke off: {}", event["error"]),
            _ => {}
        }
    }
    if !complete {
        bail!("the stream ended early");
    }
    finish(blocks)
}

fn finish(blocks: Vec<Block>) -> anyhow::Result<Turn> {
    let mut turn = Turn::default();
    let mut content = Vec::new();
    for block in blocks {
        match block {
            Block::Text(text) => {
                content.push(json!({"type": "text", "text": text}));
                turn.text.push_str(&text);
            }
            Block::Tool { id, name, json } => {
                let text = if json.is_empty() { "{}" } else { &json };
                let args: Value = serde_json::from_str(text).context("tool arguments are JSON")?;
                content.push(json!({"type": "tool_use", "id": id, "name": name, "input": args}));
                turn.calls.push(ToolCall { id, name, args });
            }
            Block::Other => {}
        }
    }
    turn.raw = json!({"role": "assistant", "content": content});
    Ok(turn)
}

enum Block {
    Text(String),
    Tool { id: String, name: String, json: String },
    Other,
}

impl Block {
    fn start(block: &Value) -> Self {
        let text = |key: &str| block[key].as_str().unwrap_or_default().to_owned();
        match block["type"].as_str() {
            Some("text") => Self::Text(text("text")),
            Some("tool_use") => Self::Tool { id: text("id"), name: text("name"), json: String::new() },
            _ => Self::Other,
        }
    }

    fn add(&mut self, delta: &Value) {
        match self {
            Self::Text(text) => text.push_str(delta["text"].as_str().unwrap_or_default()),
            Self::Tool { json, .. } => json.push_str(delta["partial_json"].as_str().unwrap_or_default()),
            Self::Other => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_stream_is_no_turn() {
        assert!(turn("data: {\"type\":\"message_start\",\"message\":{}}\n\n").is_err());
        assert!(turn("data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n").is_err());
    }

    #[test]
    fn arguments_arrive_in_pieces() {
        let stream = concat!(
            "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"shell\",\"input\":{}}}\n\n",
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"comm\"}}\n\n",
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"and\\\":\\\"ls\\\"}\"}}\n\n",
            "data: {\"type\":\"message_stop\"}\n\n",
        );
        let turn = turn(stream).expect("complete");
        assert_eq!(turn.calls[0].args, json!({"command": "ls"}));
    }
}
