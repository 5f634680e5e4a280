//! Anthropic Messages.
//!
//! Source: Anthropic API reference, "Messages", "Streaming messages", "Errors".

use axum::http::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::{Answer, Conversation, Message, SIGNATURE, Speech, ToolResult, Usage, cut, text_of};

pub(super) struct Messages;

impl Speech for Messages {
    fn key(headers: &HeaderMap) -> Option<&str> {
        headers.get("x-api-key")?.to_str().ok()
    }

    fn parse(raw: Value, _: &Uri) -> Option<Conversation> {
        raw["max_tokens"].as_u64()?;
        let messages = raw["messages"].as_array()?.iter().map(message).collect::<Option<Vec<_>>>()?;
        let tools = raw["tools"].as_array().into_iter().flatten();
        Some(Conversation {
            model: raw["model"].as_str()?.to_owned(),
            system: text_of(&raw["system"]),
            messages,
            tools: tools.filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect(),
            raw,
        })
    }

    fn error(status: u16, message: &str) -> Value {
        let kind = match status {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            504 => "timeout_error",
            429 => "rate_limit_error",
            529 | 503 => "overloaded_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        };
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_simulated"})
    }

    fn head(number: usize) -> Vec<(&'static str, String)> {
        vec![
            ("request-id", format!("req_simulated_{number}")),
            ("anthropic-organization-id", "00000000-0000-0000-0000-000000000000".to_owned()),
            ("anthropic-ratelimit-requests-limit", "1000".to_owned()),
            ("anthropic-ratelimit-requests-remaining", "999".to_owned()),
            ("anthropic-ratelimit-requests-reset", "2025-11-20T00:00:00Z".to_owned()),
        ]
    }

    fn error_event(status: u16, message: &str) -> String {
        format!("event: error\ndata: {}\n\n", Self::error(status, message))
    }

    fn document(conversation: &Conversation, answer: &Answer, usage: &Usage) -> Value {
        let mut content = Vec::new();
        if !answer.thinking.is_empty() {
            content.push(json!({"type": "thinking", "thinking": answer.thinking, "signature": SIGNATURE}));
        }
        if !answer.text.is_empty() {
            content.push(json!({"type": "text", "text": answer.text}));
        }
        for (index, (name, input)) in answer.calls.iter().enumerate() {
            let id = conversation.call_id("toolu_", index);
            content.push(json!({"type": "tool_use", "id": id, "name": name, "input": input}));
        }
        let mut message = head(conversation, usage, usage.output);
        message["content"] = Value::Array(content);
        message["stop_reason"] = json!(stop_reason(answer));
        message
    }

    fn events(conversation: &Conversation, answer: &Answer, usage: &Usage) -> Vec<String> {
        let mut events = vec![event("message_start", &json!({"message": head(conversation, usage, 1)}))];
        let mut index = 0;
        if !answer.thinking.is_empty() {
            let start = json!({"type": "thinking", "thinking": "", "signature": ""});
            block(&mut events, index, &start, "thinking_delta", "thinking", &answer.thinking);
            let signed = json!({"index": index, "delta": {"type": "signature_delta", "signature": SIGNATURE}});
            events.insert(events.len() - 1, event("content_block_delta", &signed));
            index += 1;
        }
        if !answer.text.is_empty() {
            block(&mut events, index, &json!({"type": "text", "text": ""}), "text_delta", "text", &answer.text);
            index += 1;
        }
        for (number, (name, input)) in answer.calls.iter().enumerate() {
            let id = conversation.call_id("toolu_", number);
            let start = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
            block(&mut events, index, &start, "input_json_delta", "partial_json", &input.to_string());
            index += 1;
        }
        events.insert(2.min(events.len()), event("ping", &json!({})));
        let mut numbers = json!({"output_tokens": usage.output});
        if usage.reasoning > 0 {
            numbers["output_tokens_details"] = json!({"thinking_tokens": usage.reasoning});
        }
        let delta = json!({"stop_reason": stop_reason(answer), "stop_sequence": null});
        events.push(event("message_delta", &json!({"delta": delta, "usage": numbers})));
        events.push(event("message_stop", &json!({})));
        events
    }
}

fn message(raw: &Value) -> Option<Message> {
    let blocks = raw["content"].as_array().map_or(&[][..], Vec::as_slice);
    let of_type = |kind: &'static str| blocks.iter().filter(move |block| block["type"] == kind);
    Some(Message {
        role: raw["role"].as_str()?.to_owned(),
        text: text_of(&raw["content"]),
        calls: of_type("tool_use").filter_map(|block| block["name"].as_str().map(str::to_owned)).collect(),
        results: of_type("tool_result")
            .map(|block| ToolResult {
                call: block["tool_use_id"].as_str().unwrap_or_default().to_owned(),
                text: text_of(&block["content"]),
                is_error: block["is_error"].as_bool().unwrap_or(false),
            })
            .collect(),
        bytes: raw.to_string().len() as u64,
    })
}

/// A message without content; `output` is what is known of the output so far.
fn head(conversation: &Conversation, usage: &Usage, output: u64) -> Value {
    json!({
        "id": conversation.call_id("msg_", 99), "type": "message", "role": "assistant", "model": conversation.model,
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {
            "input_tokens": usage.input, "cache_creation_input_tokens": usage.cache_write,
            "cache_read_input_tokens": usage.cache_read,
            "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0},
            "output_tokens": output, "service_tier": "standard",
        },
    })
}

fn block(events: &mut Vec<String>, index: usize, start: &Value, kind: &str, field: &str, text: &str) {
    events.push(event("content_block_start", &json!({"index": index, "content_block": start})));
    for piece in cut(text) {
        let delta = json!({"type": kind, field: piece});
        events.push(event("content_block_delta", &json!({"index": index, "delta": delta})));
    }
    events.push(event("content_block_stop", &json!({"index": index})));
}

fn event(kind: &str, members: &Value) -> String {
    let mut data = json!({"type": kind});
    for (key, value) in members.as_object().into_iter().flatten() {
        data[key] = value.clone();
    }
    format!("event: {kind}\ndata: {data}\n\n")
}

fn stop_reason(answer: &Answer) -> &'static str {
    if answer.calls.is_empty() { "end_turn" } else { "tool_use" }
}
