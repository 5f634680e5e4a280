//! The end of a budget as an answer of the model: HTTP 200 and a message of the assistant that says what happened.
//!
//! An error would be worse: on 402 agents give up the provider, on 429 and 5xx they ask again and again. A message is shown
//! to whoever watches, ends the turn, and costs nothing.

use serde_json::{Value, json};
use wardkeep_proto::time::Timestamp;

use crate::api::{Api, Verb};

/// As what the answer is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Anthropic Messages.
    Messages,
    /// `OpenAI` Chat Completions; the flag: a stream ends with its usage, because the caller asked for that.
    Chat {
        /// See above.
        with_usage: bool,
    },
    /// `OpenAI` Responses.
    Responses,
    /// Gemini `generateContent`; the flag: a stream of events, not a list in pieces.
    Gemini {
        /// See above.
        events: bool,
    },
}

impl Form {
    /// The form of an answer of `api`; `None` where no message of an assistant is expected.
    pub(crate) const fn of(api: Api, with_usage: bool, events: bool) -> Option<Self> {
        match api {
            Api::Messages => Some(Self::Messages),
            Api::Chat => Some(Self::Chat { with_usage }),
            Api::Responses => Some(Self::Responses),
            Api::Gemini(Verb::Generate | Verb::Stream) => Some(Self::Gemini { events }),
            Api::MessagesCount
            | Api::AnthropicFiles
            | Api::Embeddings
            | Api::OpenAiFiles
            | Api::Gemini(Verb::Count | Verb::Embed | Verb::EmbedBatch) => None,
        }
    }
}

/// What the answer says.
pub(crate) struct Words<'a> {
    /// The message.
    pub(crate) text: &'a str,
    /// The model as the agent asked for it.
    pub(crate) model: &'a str,
    /// Our id of the request.
    pub(crate) id: &'a str,
    /// Now.
    pub(crate) at: Timestamp,
}

/// The media type and the bytes of the answer.
pub(crate) fn answer(form: Form, streams: bool, words: &Words<'_>) -> (&'static str, Vec<u8>) {
    let body = match (form, streams) {
        (Form::Messages, false) => messages(words).to_string(),
        (Form::Messages, true) => messages_stream(words),
        (Form::Chat { .. }, false) => chat(words).to_string(),
        (Form::Chat { with_usage }, true) => chat_stream(words, with_usage),
        (Form::Responses, false) => response(words, "completed").to_string(),
        (Form::Responses, true) => responses_stream(words),
        (Form::Gemini { .. }, false) => gemini(words).to_string(),
        (Form::Gemini { events: true }, true) => format!("data: {}\r\n\r\n", gemini(words)),
        (Form::Gemini { events: false }, true) => json!([gemini(words)]).to_string(),
    };
    let is_document = !streams || form == Form::Gemini { events: false };
    (if is_document { "application/json" } else { "text/event-stream; charset=utf-8" }, body.into_bytes())
}

fn messages(words: &Words<'_>) -> Value {
    json!({
        "id": format!("msg_{}", words.id),
        "type": "message",
        "role": "assistant",
        "model": words.model,
        "content": [{"type": "text", "text": words.text}],
        "stop_reason": "end_turn",
        "stop_sequence": null,
        "usage": messages_usage(),
    })
}

fn messages_usage() -> Value {
    json!({"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0})
}

fn messages_stream(words: &Words<'_>) -> String {
    let mut begun = messages(words);
    begun["content"] = json!([]);
    begun["stop_reason"] = Value::Null;
    let delta = json!({"type": "text_delta", "text": words.text});
    [
        json!({"type": "message_start", "message": begun}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": messages_usage()}),
        json!({"type": "message_stop"}),
    ]
    .iter()
    .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default()))
    .collect()
}

fn chat(words: &Words<'_>) -> Value {
    let message = json!({"role": "assistant", "content": words.text, "refusal": null});
    let mut document = chat_head(words, "chat.completion");
    document["choices"] = json!([{"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"}]);
    document["usage"] = chat_usage();
    document
}

fn chat_head(words: &Words<'_>, object: &str) -> Value {
    json!({
        "id": format!("chatcmpl-{}", words.id),
        "object": object,
        "created": words.at.millis() / 1000,
        "model": words.model,
    })
}

fn chat_usage() -> Value {
    json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
}

fn chat_stream(words: &Words<'_>, with_usage: bool) -> String {
    let chunk = |delta: Value, finish: Value| {
        let mut chunk = chat_head(words, "chat.completion.chunk");
        chunk["choices"] = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        if with_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let mut chunks = vec![
        chunk(json!({"role": "assistant", "content": ""}), Value::Null),
        chunk(json!({"content": words.text}), Value::Null),
        chunk(json!({}), json!("stop")),
    ];
    if with_usage {
        let mut last = chat_head(words, "chat.completion.chunk");
        last["choices"] = json!([]);
        last["usage"] = chat_usage();
        chunks.push(last);
    }
    let mut stream: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    stream.push_str("data: [DONE]\n\n");
    stream
}

fn response(words: &Words<'_>, status: &str) -> Value {
    let done = status == "completed";
    json!({
        "id": format!("resp_{}", words.id),
        "object": "response",
        "created_at": words.at.millis() / 1000,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "max_output_tokens": null,
        "metadata": {},
        "model": words.model,
        "output": if done { json!([response_item(words, status)]) } else { json!([]) },
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "store": false,
        "temperature": null,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": null,
        "truncation": "disabled",
        "usage": if done { response_usage() } else { Value::Null },
        "user": null,
    })
}

fn response_item(words: &Words<'_>, status: &str) -> Value {
    let content = if status == "completed" { json!([response_part(words.text)]) } else { json!([]) };
    json!({
        "id": format!("msg_{}", words.id),
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    })
}

fn response_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn response_usage() -> Value {
    json!({
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 0,
    })
}

fn responses_stream(words: &Words<'_>) -> String {
    let item = format!("msg_{}", words.id);
    let text = |kind: &str, name: &str, value: Value| {
        let mut event = json!({"type": kind, "item_id": item, "output_index": 0, "content_index": 0});
        event[name] = value;
        event
    };
    let logged = |mut event: Value| {
        event["logprobs"] = json!([]);
        event
    };
    [
        json!({"type": "response.created", "response": response(words, "in_progress")}),
        json!({"type": "response.in_progress", "response": response(words, "in_progress")}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": response_item(words, "in_progress")}),
        text("response.content_part.added", "part", response_part("")),
        logged(text("response.output_text.delta", "delta", json!(words.text))),
        logged(text("response.output_text.done", "text", json!(words.text))),
        text("response.content_part.done", "part", response_part(words.text)),
        json!({"type": "response.output_item.done", "output_index": 0, "item": response_item(words, "completed")}),
        json!({"type": "response.completed", "response": response(words, "completed")}),
    ]
    .into_iter()
    .enumerate()
    .map(|(number, mut event)| {
        event["sequence_number"] = json!(number);
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
    })
    .collect()
}

fn gemini(words: &Words<'_>) -> Value {
    json!({
        "candidates": [{
            "content": {"role": "model", "parts": [{"text": words.text}]},
            "finishReason": "STOP",
            "index": 0,
        }],
        "usageMetadata": {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0},
        "modelVersion": words.model,
        "responseId": words.id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::{Observer, Shape, Usage};

    const WORDS: Words<'_> = Words { text: "Stop: \"day\"\n\u{e9}", model: "sonnet", id: "wk-1", at: Timestamp(1_500) };

    /// The data of each event.
    fn events(body: &[u8]) -> Vec<String> {
        let text = String::from_utf8(body.to_vec()).unwrap();
        text.split_terminator("\n\n").map(|event| event.split_once("data: ").unwrap().1.to_owned()).collect()
    }

    #[test]
    fn both_forms_say_the_same_words_whole_and_in_pieces() {
        let (kind, body) = answer(Form::Messages, false, &WORDS);
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((kind, &document["content"][0]["text"]), ("application/json", &json!(WORDS.text)));
        let (kind, body) = answer(Form::Messages, true, &WORDS);
        assert!(kind.starts_with("text/event-stream"));
        let text: String = events(&body)
            .iter()
            .filter_map(|event| {
                serde_json::from_str::<Value>(event).unwrap()["delta"]["text"].as_str().map(str::to_owned)
            })
            .collect();
        assert_eq!(text, WORDS.text);

        let (_, body) = answer(Form::Chat { with_usage: false }, false, &WORDS);
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["choices"][0]["message"]["content"], WORDS.text);
        assert_eq!(document["created"], 1);
        for with_usage in [false, true] {
            let (_, body) = answer(Form::Chat { with_usage }, true, &WORDS);
            let mut events = events(&body);
            assert_eq!(events.pop().unwrap(), "[DONE]");
            let chunks: Vec<Value> = events.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
            let text: String =
                chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
            assert_eq!(text, WORDS.text);
            let indexable = chunks.iter().filter(|chunk| chunk["choices"] != json!([])).count();
            assert_eq!((indexable, chunks.len()), (3, 3 + usize::from(with_usage)), "a chunk nobody asked for");
        }
    }

    #[test]
    fn the_newer_apis_say_them_too() {
        let (_, body) = answer(Form::Responses, false, &WORDS);
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["output"][0]["content"][0]["text"], WORDS.text);
        let (_, body) = answer(Form::Responses, true, &WORDS);
        let stream: Vec<Value> = events(&body).iter().map(|event| serde_json::from_str(event).unwrap()).collect();
        let numbers: Vec<_> = stream.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..9).collect::<Vec<_>>());
        assert_eq!((&stream[4]["delta"], &stream[8]["response"]), (&json!(WORDS.text), &document));

        let said = |document: &Value| document["candidates"][0]["content"]["parts"][0]["text"].clone();
        let (_, body) = answer(Form::Gemini { events: false }, false, &WORDS);
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(said(&document), WORDS.text);
        let (kind, body) = answer(Form::Gemini { events: false }, true, &WORDS);
        assert_eq!((kind, serde_json::from_slice::<Value>(&body).unwrap()), ("application/json", json!([document])));
        let (kind, body) = answer(Form::Gemini { events: true }, true, &WORDS);
        let event = String::from_utf8(body).unwrap();
        let event = event.strip_prefix("data: ").unwrap().trim_end();
        assert_eq!(
            (kind.split(';').next(), serde_json::from_str::<Value>(event).unwrap()),
            (Some("text/event-stream"), document)
        );
    }

    #[test]
    fn it_reads_as_a_whole_answer_that_used_nothing() {
        for (api, events) in [
            (Api::Messages, false),
            (Api::Chat, false),
            (Api::Responses, false),
            (Api::Gemini(Verb::Stream), true),
            (Api::Gemini(Verb::Stream), false),
        ] {
            let form = Form::of(api, true, events).unwrap();
            for streams in [false, true] {
                let (kind, body) = answer(form, streams, &WORDS);
                let shape = match (streams, kind) {
                    (_, "text/event-stream; charset=utf-8") => Shape::Events,
                    (true, _) => Shape::List,
                    (false, _) => Shape::Document,
                };
                let mut observer = Observer::new(api.account(), shape);
                observer.feed(&body.into());
                let settlement = observer.settle(9);
                assert_eq!((settlement.usage, settlement.estimated), (Usage::default(), false), "{form:?} {streams}");
            }
        }
        assert_eq!(Form::of(Api::Embeddings, true, true), None);
    }
}
