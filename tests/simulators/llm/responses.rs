//! `OpenAI` Responses.
//!
//! Source: `OpenAI` API reference, "Responses", "Streaming events".

use axum::http::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::openai::{CREATED, Completions};
use super::{Answer, Conversation, Message, Speech, ToolResult, Usage, cut, text_of};

pub(super) struct Responses;

impl Speech for Responses {
    fn key(headers: &HeaderMap) -> Option<&str> {
        Completions::key(headers)
    }

    fn parse(raw: Value, _: &Uri) -> Option<Conversation> {
        let mut messages: Vec<Message> = Vec::new();
        match &raw["input"] {
            Value::String(text) => messages.push(Message {
                role: "user".to_owned(),
                text: text.clone(),
                bytes: text.len() as u64,
                ..Message::default()
            }),
            Value::Array(items) => {
                for item in items {
                    let item = message(item)?;
                    // One turn of the model is several items: what it says, what it thinks, each call.
                    match messages.last_mut().filter(|last| last.role == "assistant" && item.role == "assistant") {
                        Some(last) => {
                            last.text.push_str(&item.text);
                            last.calls.extend(item.calls);
                            last.bytes += item.bytes;
                        }
                        None => messages.push(item),
                    }
                }
            }
            _ => return None,
        }
        let (system, messages): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| message.role == "system" || message.role == "developer");
        let instructions = raw["instructions"].as_str().unwrap_or_default().to_owned();
        let system = std::iter::once(instructions).chain(system.into_iter().map(|message| message.text));
        let tools = raw["tools"].as_array().into_iter().flatten();
        Some(Conversation {
            model: raw["model"].as_str()?.to_owned(),
            system: system.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n"),
            messages,
            tools: tools.filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect(),
            raw,
        })
    }

    fn error(status: u16, message: &str) -> Value {
        Completions::error(status, message)
    }

    fn head(number: usize) -> Vec<(&'static str, String)> {
        Completions::head(number)
    }

    fn error_event(_: u16, message: &str) -> String {
        let error = json!({"type": "error", "code": "server_is_overloaded", "message": message, "param": null, "sequence_number": 99});
        format!("event: error\ndata: {error}\n\n")
    }

    fn document(conversation: &Conversation, answer: &Answer, usage: &Usage) -> Value {
        let mut response = head(conversation, "completed");
        response["output"] = items(conversation, answer).into();
        response["usage"] = numbers(usage);
        response
    }

    fn events(conversation: &Conversation, answer: &Answer, usage: &Usage) -> Vec<String> {
        let mut events = Events::default();
        let begun = json!({"response": head(conversation, "in_progress")});
        events.push("response.created", begun.clone());
        events.push("response.in_progress", begun);
        for (index, item) in items(conversation, answer).into_iter().enumerate() {
            let mut start = item.clone();
            start["status"] = json!("in_progress");
            if item["type"] == "message" {
                let part = item["content"][0].clone();
                let text = part["text"].as_str().unwrap_or_default().to_owned();
                let at = json!({"item_id": item["id"], "output_index": index, "content_index": 0});
                start["content"] = json!([]);
                events.push("response.output_item.added", json!({"output_index": index, "item": start}));
                let mut empty = part.clone();
                empty["text"] = json!("");
                events.push("response.content_part.added", with(&at, json!({"part": empty})));
                for piece in cut(&text) {
                    events.push("response.output_text.delta", with(&at, json!({"delta": piece, "logprobs": []})));
                }
                events.push("response.output_text.done", with(&at, json!({"text": text, "logprobs": []})));
                events.push("response.content_part.done", with(&at, json!({"part": part})));
            } else {
                let arguments = item["arguments"].as_str().unwrap_or_default().to_owned();
                let at = json!({"item_id": item["id"], "output_index": index});
                start["arguments"] = json!("");
                events.push("response.output_item.added", json!({"output_index": index, "item": start}));
                for piece in cut(&arguments) {
                    events.push("response.function_call_arguments.delta", with(&at, json!({"delta": piece})));
                }
                events.push("response.function_call_arguments.done", with(&at, json!({"arguments": arguments})));
            }
            events.push("response.output_item.done", json!({"output_index": index, "item": item}));
        }
        events.push("response.completed", json!({"response": Self::document(conversation, answer, usage)}));
        events.0
    }
}

#[derive(Default)]
struct Events(Vec<String>);

impl Events {
    fn push(&mut self, kind: &str, members: Value) {
        let data = with(&json!({"type": kind, "sequence_number": self.0.len()}), members);
        self.0.push(format!("event: {kind}\ndata: {data}\n\n"));
    }
}

fn with(first: &Value, more: Value) -> Value {
    let mut all = first.clone();
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
        all.extend(more);
    }
    all
}

fn message(raw: &Value) -> Option<Message> {
    let kind = raw["type"].as_str().unwrap_or("message");
    let bytes = raw.to_string().len() as u64;
    let assistant = || Message { role: "assistant".to_owned(), bytes, ..Message::default() };
    match kind {
        "message" => Some(Message {
            role: raw["role"].as_str()?.to_owned(),
            text: text_of(&raw["content"]),
            bytes,
            ..Message::default()
        }),
        "function_call" => Some(Message { calls: vec![raw["name"].as_str()?.to_owned()], ..assistant() }),
        "function_call_output" => {
            let text = text_of(&raw["output"]);
            let result = ToolResult { call: raw["call_id"].as_str()?.to_owned(), text: text.clone(), is_error: false };
            Some(Message { role: "tool".to_owned(), text, results: vec![result], bytes, ..Message::default() })
        }
        // Thoughts and whatever else a turn is made of.
        _ => Some(assistant()),
    }
}

fn items(conversation: &Conversation, answer: &Answer) -> Vec<Value> {
    let mut items = Vec::new();
    if !answer.text.is_empty() {
        let part = json!({"type": "output_text", "annotations": [], "logprobs": [], "text": answer.text});
        items.push(json!({"id": conversation.call_id("msg_", 98), "type": "message", "status": "completed",
                          "role": "assistant", "content": [part]}));
    }
    for (index, (name, args)) in answer.calls.iter().enumerate() {
        items.push(json!({"id": conversation.call_id("fc_", index), "type": "function_call", "status": "completed",
                          "call_id": conversation.call_id("call_", index), "name": name, "arguments": args.to_string()}));
    }
    items
}

fn head(conversation: &Conversation, status: &str) -> Value {
    let asked = |name: &str, usual: Value| match &conversation.raw[name] {
        Value::Null => usual,
        said => said.clone(),
    };
    json!({
        "id": conversation.call_id("resp_", 99), "object": "response", "created_at": CREATED, "status": status,
        "background": false, "error": null, "incomplete_details": null, "instructions": asked("instructions", Value::Null),
        "max_output_tokens": asked("max_output_tokens", Value::Null), "model": conversation.model, "output": [],
        "parallel_tool_calls": true, "previous_response_id": null, "reasoning": {"effort": null, "summary": null},
        "store": asked("store", json!(true)), "temperature": 1.0, "text": {"format": {"type": "text"}},
        "tool_choice": "auto", "tools": asked("tools", json!([])), "top_p": 1.0, "truncation": "disabled",
        "usage": null, "user": null, "metadata": {},
    })
}

fn numbers(usage: &Usage) -> Value {
    let input = usage.input + usage.cache_read + usage.cache_write;
    json!({
        "input_tokens": input, "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output, "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": input + usage.output,
    })
}
