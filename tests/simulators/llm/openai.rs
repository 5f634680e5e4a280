//! `OpenAI` Chat Completions.
//!
//! Source: `OpenAI` API reference, "Chat Completions", "Streaming", "Error codes".

use axum::http::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::{Answer, Conversation, Message, Speech, ToolResult, Usage, cut, text_of};

/// Seconds since 1970: the moment at which every answer was made.
pub(super) const CREATED: u64 = 1_763_600_000;

pub(super) struct Completions;

impl Speech for Completions {
    fn key(headers: &HeaderMap) -> Option<&str> {
        headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")
    }

    fn parse(raw: Value, _: &Uri) -> Option<Conversation> {
        let all = raw["messages"].as_array()?.iter().map(message).collect::<Option<Vec<_>>>()?;
        let (system, messages): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|message| message.role == "system" || message.role == "developer");
        let tools = raw["tools"].as_array().into_iter().flatten();
        Some(Conversation {
            model: raw["model"].as_str()?.to_owned(),
            system: system.iter().map(|message| message.text.as_str()).collect::<Vec<_>>().join("\n"),
            messages,
            tools: tools.filter_map(|tool| tool["function"]["name"].as_str().map(str::to_owned)).collect(),
            raw,
        })
    }

    fn error(status: u16, message: &str) -> Value {
        let (kind, code) = match status {
            401 => ("invalid_request_error", json!("invalid_api_key")),
            404 => ("invalid_request_error", json!("model_not_found")),
            429 => ("requests", json!("rate_limit_exceeded")),
            500.. => ("server_error", Value::Null),
            _ => ("invalid_request_error", Value::Null),
        };
        json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
    }

    fn head(number: usize) -> Vec<(&'static str, String)> {
        vec![
            ("x-request-id", format!("req_simulated_{number}")),
            ("openai-organization", "simulated".to_owned()),
            ("openai-processing-ms", "7".to_owned()),
            ("openai-version", "2020-10-01".to_owned()),
            ("x-ratelimit-limit-requests", "1000".to_owned()),
            ("x-ratelimit-remaining-requests", "999".to_owned()),
            ("x-ratelimit-reset-requests", "6ms".to_owned()),
        ]
    }

    fn document(conversation: &Conversation, answer: &Answer, usage: &Usage) -> Value {
        let mut said = json!({"role": "assistant", "content": answer.text, "refusal": null});
        if !answer.calls.is_empty() {
            said["tool_calls"] = answer
                .calls
                .iter()
                .enumerate()
                .map(|(index, (name, args))| {
                    json!({"id": conversation.call_id("call_", index), "type": "function",
                           "function": {"name": name, "arguments": args.to_string()}})
                })
                .collect();
        }
        let choice = json!({"index": 0, "message": said, "logprobs": null, "finish_reason": finish_reason(answer)});
        let mut document = head(conversation, "chat.completion");
        document["choices"] = json!([choice]);
        document["usage"] = numbers(usage);
        document
    }

    fn events(conversation: &Conversation, answer: &Answer, usage: &Usage) -> Vec<String> {
        let asked = conversation.raw["stream_options"]["include_usage"] == Value::Bool(true);
        let mut events = Vec::new();
        let mut push = |delta: Value, finish: Value| {
            let mut chunk = head(conversation, "chat.completion.chunk");
            chunk["choices"] = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
            if asked {
                chunk["usage"] = Value::Null;
            }
            events.push(format!("data: {chunk}\n\n"));
        };
        push(json!({"role": "assistant", "content": ""}), Value::Null);
        for piece in cut(&answer.text) {
            push(json!({"content": piece}), Value::Null);
        }
        for (index, (name, args)) in answer.calls.iter().enumerate() {
            let function = json!({"name": name, "arguments": ""});
            let id = conversation.call_id("call_", index);
            let start = json!({"index": index, "id": id, "type": "function", "function": function});
            push(json!({"tool_calls": [start]}), Value::Null);
            for piece in cut(&args.to_string()) {
                push(json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}), Value::Null);
            }
        }
        push(json!({}), json!(finish_reason(answer)));
        if asked {
            let mut chunk = head(conversation, "chat.completion.chunk");
            chunk["choices"] = json!([]);
            chunk["usage"] = numbers(usage);
            events.push(format!("data: {chunk}\n\n"));
        }
        events.push("data: [DONE]\n\n".to_owned());
        events
    }
}

fn message(raw: &Value) -> Option<Message> {
    let role = raw["role"].as_str()?;
    let text = text_of(&raw["content"]);
    let results = if role == "tool" {
        let call = raw["tool_call_id"].as_str().unwrap_or_default().to_owned();
        vec![ToolResult { call, text: text.clone(), is_error: false }]
    } else {
        Vec::new()
    };
    let calls = raw["tool_calls"].as_array().into_iter().flatten();
    Some(Message {
        role: role.to_owned(),
        text,
        calls: calls.filter_map(|call| call["function"]["name"].as_str().map(str::to_owned)).collect(),
        results,
        bytes: raw.to_string().len() as u64,
    })
}

fn head(conversation: &Conversation, object: &str) -> Value {
    json!({"id": conversation.call_id("chatcmpl-", 99), "object": object, "created": CREATED,
           "model": conversation.model, "system_fingerprint": "fp_simulated"})
}

fn numbers(usage: &Usage) -> Value {
    let prompt = usage.input + usage.cache_read + usage.cache_write;
    json!({
        "prompt_tokens": prompt, "completion_tokens": usage.output, "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    })
}

fn finish_reason(answer: &Answer) -> &'static str {
    if answer.calls.is_empty() { "stop" } else { "tool_calls" }
}
