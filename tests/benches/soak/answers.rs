//! What the provider says, and what of it counts: each event with the account that is known once it was read.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::ways::{Api, END};

/// Tokens as the records tell them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write: u64,
    pub(crate) reasoning: u64,
}

impl Tokens {
    pub(crate) fn add(&mut self, more: Self) {
        self.input += more.input;
        self.output += more.output;
        self.cache_read += more.cache_read;
        self.cache_write += more.cache_write;
        self.reasoning += more.reasoning;
    }
}

/// One answer, told piece by piece.
pub(crate) struct Telling {
    api: Api,
    number: u64,
    /// What it says in the end.
    whole: Tokens,
    /// Of the request, where the provider said nothing better.
    guess: u64,
    /// Bytes of text so far.
    text: u64,
    /// What the provider said so far.
    said: Option<Tokens>,
    /// The call of a tool at the end.
    calls: bool,
}

impl Telling {
    /// The answer to call `number`, whose body had so many bytes.
    pub(crate) fn new(api: Api, number: u64, bytes: usize) -> Self {
        let mut chance = Chance::new(number ^ 0x5eed);
        let mut some = |most: usize| chance.below(most) as u64;
        let whole = Tokens {
            input: 50 + some(5_000),
            output: 60 + some(3_000),
            cache_read: some(9_000),
            cache_write: if api == Api::Messages { some(2_000) } else { 0 },
            reasoning: if api == Api::Messages { 0 } else { some(50) },
        };
        let calls = some(4) == 0;
        Self { api, number, whole, guess: (bytes as u64).div_ceil(4), text: 0, said: None, calls }
    }

    pub(crate) fn whole(&self) -> Tokens {
        self.whole
    }

    /// What is to be on record if nothing more is read.
    pub(crate) fn so_far(&self) -> Tokens {
        let mut tokens = self.said.unwrap_or(Tokens { input: self.guess, ..Tokens::default() });
        tokens.output = tokens.output.max(self.text.div_ceil(4));
        tokens
    }

    /// All input, which an OpenAI and a Gemini provider count together.
    fn prompt(&self) -> u64 {
        self.whole.input + self.whole.cache_read
    }

    fn usage(&self) -> Value {
        let Tokens { input, output, cache_read, cache_write, reasoning } = self.whole;
        match self.api {
            Api::Messages => json!({"input_tokens": input, "cache_read_input_tokens": cache_read,
                "cache_creation_input_tokens": cache_write, "output_tokens": output}),
            Api::Chat => json!({"prompt_tokens": self.prompt(), "completion_tokens": output,
                "total_tokens": self.prompt() + output, "prompt_tokens_details": {"cached_tokens": cache_read},
                "completion_tokens_details": {"reasoning_tokens": reasoning}}),
            Api::Responses => json!({"input_tokens": self.prompt(), "output_tokens": output,
                "total_tokens": self.prompt() + output, "input_tokens_details": {"cached_tokens": cache_read},
                "output_tokens_details": {"reasoning_tokens": reasoning}}),
            Api::Gemini => json!({"promptTokenCount": self.prompt(), "cachedContentTokenCount": cache_read,
                "candidatesTokenCount": output - reasoning, "thoughtsTokenCount": reasoning,
                "totalTokenCount": self.prompt() + output}),
        }
    }

    /// The answer as one document.
    pub(crate) fn document(&self) -> String {
        let text = format!("{} {END}{};", "lorem ipsum ".repeat(20), self.number);
        let usage = self.usage();
        match self.api {
            Api::Messages => json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "usage": usage}),
            Api::Chat => json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
                {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}], "usage": usage}),
            Api::Responses => json!({"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": [
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}], "usage": usage}),
            Api::Gemini => json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]},
                "finishReason": "STOP", "index": 0}], "usageMetadata": usage}),
        }
        .to_string()
    }

    /// The first events.
    pub(crate) fn begin(&mut self) -> String {
        let Tokens { input, cache_read, cache_write, .. } = self.whole;
        match self.api {
            Api::Messages => {
                self.said = Some(Tokens { input, cache_read, cache_write, output: 1, reasoning: 0 });
                let mut usage = self.usage();
                usage["output_tokens"] = 1.into();
                let message =
                    json!({"id": "msg_1", "type": "message", "role": "assistant", "content": [], "usage": usage});
                named("message_start", &json!({"message": message}))
                    + &named("content_block_start", &json!({"index": 0, "content_block": {"type": "text", "text": ""}}))
            }
            Api::Chat => chunk(&json!([{"index": 0, "delta": {"role": "assistant", "content": ""}}])),
            Api::Responses => named("response.created", &json!({"response": {"id": "resp_1", "usage": null}})),
            Api::Gemini => String::new(),
        }
    }

    /// A piece of text.
    pub(crate) fn piece(&mut self, text: &str) -> String {
        self.text += text.len() as u64;
        match self.api {
            Api::Messages => {
                named("content_block_delta", &json!({"index": 0, "delta": {"type": "text_delta", "text": text}}))
            }
            Api::Chat => chunk(&json!([{"index": 0, "delta": {"content": text}}])),
            Api::Responses => {
                named("response.output_text.delta", &json!({"output_index": 0, "content_index": 0, "delta": text}))
            }
            Api::Gemini => {
                let Tokens { input, cache_read, reasoning, .. } = self.whole;
                // Numbers that run.
                let candidates = self.text / 5;
                self.said =
                    Some(Tokens { input, cache_read, cache_write: 0, output: candidates + reasoning, reasoning });
                let mut usage = self.usage();
                usage["candidatesTokenCount"] = candidates.into();
                event(&json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}],
                    "usageMetadata": usage}))
            }
        }
    }

    /// The last events.
    pub(crate) fn end(&mut self) -> String {
        let last = self.piece(&format!("{END}{};", self.number));
        let usage = self.usage();
        let arguments = json!({"path": format!("src/{}.rs", self.number)});
        let id = format!("call_{}", self.number % 50_000);
        let mut out = last;
        match self.api {
            Api::Messages => {
                out += &named("content_block_stop", &json!({"index": 0}));
                if self.calls {
                    let block = json!({"type": "tool_use", "id": id, "name": "read_file", "input": {}});
                    out += &named("content_block_start", &json!({"index": 1, "content_block": block}));
                    let delta = json!({"type": "input_json_delta", "partial_json": arguments.to_string()});
                    out += &named("content_block_delta", &json!({"index": 1, "delta": delta}));
                    out += &named("content_block_stop", &json!({"index": 1}));
                }
                let reason = if self.calls { "tool_use" } else { "end_turn" };
                out += &named("message_delta", &json!({"delta": {"stop_reason": reason}, "usage": usage}));
                out + &named("message_stop", &json!({}))
            }
            Api::Chat => {
                if self.calls {
                    let function = json!({"name": "read_file", "arguments": arguments.to_string()});
                    let call = json!({"index": 0, "id": id, "type": "function", "function": function});
                    out += &chunk(&json!([{"index": 0, "delta": {"tool_calls": [call]}}]));
                }
                out += &chunk(&json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]));
                let last = json!({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage});
                out + &event(&last) + "data: [DONE]\n\n"
            }
            Api::Responses => {
                let mut output = Vec::new();
                if self.calls {
                    let item = json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id,
                        "name": "read_file", "arguments": arguments.to_string()});
                    out += &named("response.output_item.done", &json!({"output_index": 1, "item": item}));
                    output.push(item);
                }
                let response = json!({"id": "resp_1", "status": "completed", "output": output, "usage": usage});
                out + &named("response.completed", &json!({"response": response}))
            }
            Api::Gemini => {
                let parts = if self.calls {
                    json!([{"functionCall": {"name": "read_file", "args": arguments}}])
                } else {
                    json!([{"text": ""}])
                };
                let candidate =
                    json!({"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0});
                out + &event(&json!({"candidates": [candidate], "usageMetadata": usage}))
            }
        }
    }
}

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

fn named(kind: &str, data: &Value) -> String {
    let mut all = json!({"type": kind});
    if let (Some(all), Some(data)) = (all.as_object_mut(), data.as_object()) {
        all.extend(data.clone());
    }
    format!("event: {kind}\ndata: {all}\n\n")
}

fn chunk(choices: &Value) -> String {
    event(&json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}))
}
