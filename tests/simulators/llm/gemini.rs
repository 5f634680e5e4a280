//! Gemini: `generateContent` and `streamGenerateContent`, as events or as one list.
//!
//! Source: Google AI for Developers, "Generating content", "Token counting", "Troubleshooting".

use axum::http::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::{Answer, Conversation, Message, SIGNATURE, Speech, Streaming, ToolResult, Usage, cut};

pub(super) struct Gemini;

impl Speech for Gemini {
    fn key(headers: &HeaderMap) -> Option<&str> {
        headers.get("x-goog-api-key")?.to_str().ok()
    }

    fn parse(raw: Value, uri: &Uri) -> Option<Conversation> {
        let messages = raw["contents"].as_array()?.iter().map(message).collect::<Option<Vec<_>>>()?;
        let declared = raw["tools"].as_array().into_iter().flatten();
        let declared = declared.flat_map(|tool| tool["functionDeclarations"].as_array().into_iter().flatten());
        let system =
            if raw["systemInstruction"].is_null() { &raw["system_instruction"] } else { &raw["systemInstruction"] };
        Some(Conversation {
            model: model_and_verb(uri).0.to_owned(),
            system: texts(&system["parts"]),
            messages,
            tools: declared.filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect(),
            raw,
        })
    }

    fn streams(_: &Conversation, uri: &Uri) -> Streaming {
        let sse = uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
        match (model_and_verb(uri).1, sse) {
            ("streamGenerateContent", true) => Streaming::Events,
            ("streamGenerateContent", false) => Streaming::List,
            _ => Streaming::No,
        }
    }

    fn error(status: u16, message: &str) -> Value {
        let (code, word) = match status {
            // As Google says it: a bad key is a bad argument.
            401 => (400, "INVALID_ARGUMENT"),
            403 => (403, "PERMISSION_DENIED"),
            404 => (404, "NOT_FOUND"),
            429 => (429, "RESOURCE_EXHAUSTED"),
            503 | 529 => (status, "UNAVAILABLE"),
            500.. => (status, "INTERNAL"),
            _ => (status, "INVALID_ARGUMENT"),
        };
        let mut error = json!({"code": code, "message": message, "status": word});
        if status == 401 {
            error["message"] = json!("API key not valid. Please pass a valid API key.");
            error["details"] = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
                                       "domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"}}]);
        }
        json!({ "error": error })
    }

    fn status(status: u16) -> u16 {
        if status == 401 { 400 } else { status }
    }

    fn document(conversation: &Conversation, answer: &Answer, usage: &Usage) -> Value {
        let text = (!answer.text.is_empty()).then(|| json!({"text": answer.text}));
        let parts: Vec<Value> = text.into_iter().chain(calls(conversation, answer)).collect();
        chunk(conversation, parts, true, usage)
    }

    fn events(conversation: &Conversation, answer: &Answer, usage: &Usage) -> Vec<String> {
        let mut chunks = Vec::new();
        let mut said = 0;
        for piece in cut(&answer.text) {
            said += piece.len() as u64;
            let so_far = Usage { output: said.div_ceil(4).min(usage.output), reasoning: 0, ..*usage };
            chunks.push(chunk(conversation, vec![json!({"text": piece})], false, &so_far));
        }
        for call in calls(conversation, answer) {
            chunks.push(chunk(
                conversation,
                vec![call],
                false,
                &Usage { output: said.div_ceil(4), reasoning: 0, ..*usage },
            ));
        }
        chunks.push(chunk(conversation, vec![json!({"text": ""})], true, usage));
        chunks.into_iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect()
    }
}

/// `…/models/MODEL:VERB`.
pub(super) fn model_and_verb(uri: &Uri) -> (&str, &str) {
    let last = uri.path().rsplit('/').next().unwrap_or_default();
    last.rsplit_once(':').unwrap_or((last, ""))
}

fn calls<'a>(conversation: &'a Conversation, answer: &'a Answer) -> impl Iterator<Item = Value> + 'a {
    answer.calls.iter().enumerate().map(|(index, (name, args))| {
        let mut part = json!({"functionCall": {"id": conversation.call_id("fn_", index), "name": name, "args": args}});
        if index == 0 && !answer.thinking.is_empty() {
            part["thoughtSignature"] = json!(SIGNATURE);
        }
        part
    })
}

fn chunk(conversation: &Conversation, parts: Vec<Value>, last: bool, usage: &Usage) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if last {
        candidate["finishReason"] = json!("STOP");
    }
    json!({"candidates": [candidate], "usageMetadata": numbers(usage), "modelVersion": conversation.model,
           "responseId": conversation.call_id("r-", 99)})
}

fn numbers(usage: &Usage) -> Value {
    let prompt = usage.input + usage.cache_read + usage.cache_write;
    let mut numbers = json!({
        "promptTokenCount": prompt, "candidatesTokenCount": usage.output - usage.reasoning,
        "totalTokenCount": prompt + usage.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    });
    if usage.cache_read > 0 {
        numbers["cachedContentTokenCount"] = json!(usage.cache_read);
    }
    if usage.reasoning > 0 {
        numbers["thoughtsTokenCount"] = json!(usage.reasoning);
    }
    numbers
}

fn texts(parts: &Value) -> String {
    let parts = parts.as_array().map_or(&[][..], Vec::as_slice);
    parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
}

fn message(raw: &Value) -> Option<Message> {
    let parts = raw["parts"].as_array()?;
    let results = parts.iter().filter_map(|part| {
        let result = part.get("functionResponse")?;
        let response = &result["response"];
        let text = ["result", "output"].iter().find_map(|name| response[name].as_str());
        Some(ToolResult {
            call: result["id"].as_str().or(result["name"].as_str()).unwrap_or_default().to_owned(),
            text: text.map_or_else(|| response.to_string(), str::to_owned),
            is_error: response.get("error").is_some(),
        })
    });
    Some(Message {
        role: if raw["role"] == "model" { "assistant" } else { "user" }.to_owned(),
        text: texts(&raw["parts"]),
        calls: parts.iter().filter_map(|part| part["functionCall"]["name"].as_str().map(str::to_owned)).collect(),
        results: results.collect(),
        bytes: raw.to_string().len() as u64,
    })
}
