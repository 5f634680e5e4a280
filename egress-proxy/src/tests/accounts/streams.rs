//! Recorded streams of every API, with what their providers bill for them.
//!
//! Form and fields as the vendors document them: Anthropic, "Streaming messages", "Prompt caching", "Extended thinking",
//! "Web search tool", "Compaction"; OpenAI, "Chat Completions: streaming", "Responses: streaming events"; Google, "Generating
//! content: streamGenerateContent", "Thinking", "Context caching"; DeepSeek, Mistral, OpenRouter and xAI, their API references;
//! AWS, "InvokeModelWithResponseStream".

use wardkeep_policy::Dialect;

use crate::Usage;

/// How the provider writes the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Events,
    /// Gemini without `alt=sse`.
    List,
    /// In the frames of AWS.
    Aws,
    /// For a caller of another API.
    Translated(Dialect),
}

/// One event.
pub(super) struct Event {
    pub(super) data: String,
    /// Bytes of text, thoughts and arguments in it.
    pub(super) text: u64,
    /// What the provider has told once it is there.
    pub(super) told: Option<Usage>,
    /// The bill is complete.
    pub(super) last: bool,
}

pub(super) struct Recorded {
    pub(super) name: &'static str,
    pub(super) wire: Wire,
    pub(super) path: &'static str,
    pub(super) request: &'static str,
    pub(super) events: Vec<Event>,
    /// Tokens of all kinds, as the provider adds them up.
    pub(super) total: u64,
    /// The provider never told all of it.
    pub(super) unfinished: bool,
}

impl Event {
    /// As a server-sent event.
    pub(super) fn sse(&self) -> String {
        let data = &self.data;
        if data.starts_with(':') {
            return format!("{data}\n\n");
        }
        let kind = data.strip_prefix("{\"type\":\"").and_then(|rest| rest.split('"').next());
        match kind {
            Some(kind) => format!("event: {kind}\ndata: {data}\n\n"),
            None if data.contains("responseId") => format!("data: {data}\r\n\r\n"),
            None => format!("data: {data}\n\n"),
        }
    }
}

impl Recorded {
    fn new(name: &'static str, path: &'static str, request: &'static str, total: u64) -> Self {
        Self { name, wire: Wire::Events, path, request, events: Vec::new(), total, unfinished: false }
    }

    /// An event that tells no numbers.
    fn says(mut self, text: u64, data: &str) -> Self {
        self.events.push(Event { data: data.to_owned(), text, told: None, last: false });
        self
    }

    /// An event with numbers that may still change.
    fn tells(mut self, text: u64, told: Usage, data: &str) -> Self {
        self.events.push(Event { data: data.to_owned(), text, told: Some(told), last: false });
        self
    }

    /// The event after which nothing is to be added.
    fn bills(mut self, text: u64, told: Usage, data: &str) -> Self {
        self.events.push(Event { data: data.to_owned(), text, told: Some(told), last: true });
        self
    }

    fn unfinished(self) -> Self {
        Self { unfinished: true, ..self }
    }

    fn over(self, name: &'static str, wire: Wire) -> Self {
        Self { name, wire, ..self }
    }

    fn asked_by(self, path: &'static str, request: &'static str) -> Self {
        Self { path, request, ..self }
    }

    /// Whose API the caller speaks.
    pub(super) fn caller(&self) -> Dialect {
        match self.path {
            "/v1/messages" => Dialect::Anthropic,
            path if path.starts_with("/v1beta") => Dialect::Gemini,
            _ => Dialect::OpenAi,
        }
    }

    /// As the caller named it.
    pub(super) fn model(&self) -> &'static str {
        if self.request.contains("sonnet") { "sonnet" } else { "mini" }
    }
}

/// Input, output, read from and written to the cache.
fn of(input: u64, output: u64, cache_read: u64, cache_write: u64) -> Usage {
    Usage { input, output, cache_read, cache_write, ..Usage::default() }
}

const MESSAGES: &str =
    r#"{"model":"sonnet","stream":true,"max_tokens":900,"messages":[{"role":"user","content":"Hi"}]}"#;
const CHAT: &str = r#"{"model":"mini","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]}"#;
const RESPONSES: &str = r#"{"model":"mini","stream":true,"input":"Hi"}"#;
const GEMINI: &str = r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#;

fn message(name: &'static str, total: u64) -> Recorded {
    Recorded::new(name, "/v1/messages", MESSAGES, total)
}

pub(super) fn messages() -> Vec<Recorded> {
    vec![
        message("text", 25 + 15)
            .tells(0, of(25, 1, 0, 0), r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}"#)
            .says(0, r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#)
            .says(0, r#"{"type":"ping"}"#)
            .says(5, r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#)
            .says(0, ": keep-alive")
            // Seven bytes in two letters: an escape and a letter as it is.
            .says(7, "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"\\u20ac\u{1f600}\"}}")
            .says(0, r#"{"type":"content_block_stop","index":0}"#)
            .bills(0, of(25, 15, 0, 0), r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}"#)
            .says(0, r#"{"type":"message_stop"}"#),
        thinking(),
        message("a search of the provider", 10_682 + 600 + 40 + 510)
            .tells(0, of(2679, 3, 0, 0), r#"{"type":"message_start","message":{"id":"msg_3","content":[],"usage":{"input_tokens":2679,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":3}}}"#)
            .says(0, r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}}"#)
            .says(16, r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"query\":\"rain\"}"}}"#)
            .says(0, r#"{"type":"content_block_stop","index":0}"#)
            .says(0, r#"{"type":"content_block_start","index":1,"content_block":{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","title":"a","url":"https://a.example","encrypted_content":"Eo8B","page_age":null}]}}"#)
            .says(0, r#"{"type":"content_block_stop","index":1}"#)
            .says(0, r#"{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://a.example","cited_text":"it rains"}}}"#)
            .says(4, r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Rain"}}"#)
            // What later rounds read and wrote is told at the end only.
            .bills(0, of(10_682, 510, 600, 40), r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":10682,"cache_creation_input_tokens":40,"cache_read_input_tokens":600,"output_tokens":510,"server_tool_use":{"web_search_requests":1}}}"#)
            .says(0, r#"{"type":"message_stop"}"#),
        message("an error on the way", 9 + 10)
            .tells(0, of(9, 1, 0, 0), r#"{"type":"message_start","message":{"id":"msg_4","content":[],"usage":{"input_tokens":9,"output_tokens":1}}}"#)
            .says(40, r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"0123456789012345678901234567890123456789"}}"#)
            .says(0, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#)
            .unfinished(),
        message("a refusal after numbers that run", 50 + 8)
            .tells(0, of(50, 1, 0, 0), r#"{"type":"message_start","message":{"id":"msg_5","content":[],"usage":{"input_tokens":50,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":1}}}"#)
            .tells(0, of(50, 3, 0, 0), r#"{"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":3}}"#)
            .tells(0, of(50, 6, 0, 0), r#"{"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":6}}"#)
            .bills(0, of(50, 8, 0, 0), r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"type":"refusal","category":null}},"usage":{"output_tokens":8}}"#)
            .says(0, r#"{"type":"message_stop"}"#),
        message("a compaction", 23_000 + 180_000 + 1_000 + 3_500)
            .tells(0, of(23_000, 1, 0, 0), r#"{"type":"message_start","message":{"id":"msg_6","content":[],"usage":{"input_tokens":23000,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}"#)
            .says(0, r#"{"type":"content_block_start","index":0,"content_block":{"type":"compaction","content":""}}"#)
            .says(0, r#"{"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"Summary"}}"#)
            .bills(0, of(203_000, 4_500, 0, 0), r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":23000,"output_tokens":1000,"iterations":[{"type":"compaction","input_tokens":180000,"output_tokens":3500},{"type":"message","input_tokens":23000,"output_tokens":1000}]}}"#)
            .says(0, r#"{"type":"message_stop"}"#),
    ]
}

/// Thoughts, signed and hidden ones, a tool, and a cache that was read and written for either time.
fn thinking() -> Recorded {
    let start = Usage { cache_write_1h: 2000, ..of(4, 2, 12_000, 3000) };
    let end = Usage { reasoning: 50, ..Usage { output: 120, ..start } };
    message("thoughts, a tool and the cache", 4 + 120 + 12_000 + 3000)
        .tells(0, start, r#"{"type":"message_start","message":{"id":"msg_2","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":4,"cache_creation_input_tokens":3000,"cache_read_input_tokens":12000,"cache_creation":{"ephemeral_5m_input_tokens":1000,"ephemeral_1h_input_tokens":2000},"output_tokens":2,"service_tier":"standard","inference_geo":"global"}}}"#)
        .says(0, r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#)
        .says(10, r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me see"}}"#)
        .says(0, r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCkYIAxgCIkD0"}}"#)
        .says(0, r#"{"type":"content_block_stop","index":0}"#)
        .says(0, r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"EmwKAhgBEgy3va3pzix"}}"#)
        .says(0, r#"{"type":"content_block_stop","index":1}"#)
        .says(0, r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"ls","input":{}}}"#)
        .says(0, r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}"#)
        .says(9, r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"path\": "}}"#)
        .says(7, r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"\"/srv\"}"}}"#)
        .says(0, r#"{"type":"content_block_stop","index":2}"#)
        .bills(0, end, r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":120,"output_tokens_details":{"thinking_tokens":50}}}"#)
        .says(0, r#"{"type":"message_stop"}"#)
}

fn completion(name: &'static str, total: u64) -> Recorded {
    Recorded::new(name, "/v1/chat/completions", CHAT, total)
}

pub(super) fn chat() -> Vec<Recorded> {
    vec![
        completion("text", 19 + 10)
            .says(0, r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-x","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"ab"}"#)
            .says(5, r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":null,"finish_reason":null}],"usage":null}"#)
            .says(0, ": ping")
            .says(0, r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}"#)
            .bills(0, of(19, 10, 0, 0), r#"{"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}"#)
            .says(0, "[DONE]"),
        tools(),
        completion("a refusal of two answers", 12 + 14)
            .says(3, r#"{"choices":[{"index":0,"delta":{"refusal":"I c"},"finish_reason":null},{"index":1,"delta":{"content":null},"finish_reason":null}]}"#)
            .says(8, r#"{"choices":[{"index":1,"delta":{"content":"Fine, ok"},"finish_reason":null}]}"#)
            .says(0, r#"{"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"},{"index":1,"delta":{},"finish_reason":"stop"}]}"#)
            .bills(0, of(12, 14, 0, 0), r#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":14,"total_tokens":26,"prompt_tokens_details":null,"completion_tokens_details":null}}"#)
            .says(0, "[DONE]"),
        completion("an error on the way", 22 + 2)
            .says(8, r#"{"choices":[{"index":0,"delta":{"content":"12345678"},"finish_reason":null}]}"#)
            .tells(0, of(22, 1, 0, 0), r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":null}],"usage":{"prompt_tokens":22,"completion_tokens":1,"total_tokens":23}}"#)
            .says(0, r#"{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}"#)
            .unfinished(),
        completion("OpenRouter: numbers beside the last choice", 100 + 60)
            .says(0, ": OPENROUTER PROCESSING")
            .says(2, r#"{"id":"gen-1","provider":"X","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"ab","reasoning_details":[]},"finish_reason":null}]}"#)
            .says(4, r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"1234"},"finish_reason":null}]}"#)
            .tells(0, Usage { reasoning: 20, ..of(20, 60, 70, 10) }, r#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":60,"total_tokens":160,"cost":0.01,"prompt_tokens_details":{"cached_tokens":70,"cache_write_tokens":10},"completion_tokens_details":{"reasoning_tokens":20}}}"#)
            .bills(0, Usage { reasoning: 20, ..of(20, 60, 70, 10) }, "[DONE]"),
        completion("DeepSeek: thoughts, and its own names", 10 + 26)
            .says(7, r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":"Let's s"}}]}"#)
            .says(1, r#"{"choices":[{"index":0,"delta":{"content":"4","reasoning_content":null}}]}"#)
            .bills(0, Usage { reasoning: 20, ..of(4, 26, 6, 0) }, r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":26,"total_tokens":36,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":4,"completion_tokens_details":{"reasoning_tokens":20}}}"#)
            .says(0, "[DONE]"),
        completion("Mistral: content in parts", 11 + 9)
            .says(12, r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"123456789012"}]}]},"finish_reason":null}]}"#)
            .says(4, r#"{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"1234"}]},"finish_reason":null}]}"#)
            .tells(0, of(11, 9, 0, 0), r#"{"choices":[{"index":0,"delta":{"content":[]},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":9,"total_tokens":20}}"#)
            .bills(0, of(11, 9, 0, 0), "[DONE]"),
        // Its completion does not hold the thoughts; its total does.
        completion("xAI: thoughts beside the completion", 32 + 9 + 94)
            .says(3, r#"{"choices":[{"index":0,"delta":{"reasoning_content":"Hmm"}}]}"#)
            .says(8, r#"{"choices":[{"index":0,"delta":{"content":"Fourteen"}}]}"#)
            .bills(0, Usage { reasoning: 94, ..of(26, 103, 6, 0) }, r#"{"choices":[],"usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"prompt_tokens_details":{"cached_tokens":6},"completion_tokens_details":{"reasoning_tokens":94}}}"#)
            .says(0, "[DONE]"),
    ]
}

/// Two tools at once, thoughts, and a cache that was read and written.
fn tools() -> Recorded {
    completion("tools and the cache", 130 + 40)
        .says(0, r#"{"id":"c-2","object":"chat.completion.chunk","created":1,"model":"gpt-x","choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}],"usage":null}"#)
        .says(2, r#"{"id":"c-2","object":"chat.completion.chunk","created":1,"model":"gpt-x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"ls","arguments":""}}]},"finish_reason":null}],"usage":null}"#)
        .says(13, r#"{"id":"c-2","object":"chat.completion.chunk","created":1,"model":"gpt-x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"p\": \"/srv\"}"}}]},"finish_reason":null}],"usage":null}"#)
        .says(5, r#"{"id":"c-2","object":"chat.completion.chunk","created":1,"model":"gpt-x","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_2","type":"function","function":{"name":"now","arguments":"{}"}}]},"finish_reason":null}],"usage":null}"#)
        .says(0, r#"{"id":"c-2","object":"chat.completion.chunk","created":1,"model":"gpt-x","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":null}"#)
        .bills(0, Usage { reasoning: 30, ..of(20, 40, 100, 10) }, r#"{"id":"c-2","object":"chat.completion.chunk","created":1,"model":"gpt-x","choices":[],"usage":{"prompt_tokens":130,"completion_tokens":40,"total_tokens":170,"prompt_tokens_details":{"cached_tokens":100,"cache_write_tokens":10},"completion_tokens_details":{"reasoning_tokens":30}}}"#)
        .says(0, "[DONE]")
}

pub(super) fn responses() -> Vec<Recorded> {
    let response = |name, total| Recorded::new(name, "/v1/responses", RESPONSES, total);
    vec![
        response("thoughts, a text and a tool", 75 + 125)
            .says(0, r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","output":[],"usage":null}}"#)
            .says(0, r#"{"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_1","status":"in_progress","usage":null}}"#)
            .says(0, r#"{"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"gAAAA"}}"#)
            .says(8, r#"{"type":"response.reasoning_summary_text.delta","sequence_number":3,"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"Thinking"}"#)
            .says(0, r#"{"type":"response.reasoning_summary_text.done","sequence_number":4,"item_id":"rs_1","output_index":0,"summary_index":0,"text":"Thinking"}"#)
            .says(4, r#"{"type":"response.output_text.delta","sequence_number":5,"item_id":"msg_1","output_index":1,"content_index":0,"delta":"Sure","logprobs":[]}"#)
            .says(0, r#"{"type":"response.output_text.done","sequence_number":6,"item_id":"msg_1","output_index":1,"content_index":0,"text":"Sure"}"#)
            .says(7, r#"{"type":"response.function_call_arguments.delta","sequence_number":7,"item_id":"fc_1","output_index":2,"delta":"{\"a\":1}"}"#)
            .says(0, r#"{"type":"response.function_call_arguments.done","sequence_number":8,"item_id":"fc_1","output_index":2,"arguments":"{\"a\":1}"}"#)
            .says(0, r#"{"type":"response.output_item.done","sequence_number":9,"output_index":2,"item":{"id":"fc_1","type":"function_call","name":"ls","arguments":"{\"a\":1}"}}"#)
            .bills(0, Usage { reasoning: 64, ..of(11, 125, 64, 0) }, r#"{"type":"response.completed","sequence_number":10,"response":{"id":"resp_1","status":"completed","usage":{"input_tokens":75,"input_tokens_details":{"cached_tokens":64},"output_tokens":125,"output_tokens_details":{"reasoning_tokens":64},"total_tokens":200}}}"#),
        response("not complete", 30 + 16)
            .says(0, r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_2","status":"in_progress","usage":null}}"#)
            .says(9, r#"{"type":"response.output_text.delta","sequence_number":1,"item_id":"m","output_index":0,"content_index":0,"delta":"It is not"}"#)
            .bills(0, of(22, 16, 0, 8), r#"{"type":"response.incomplete","sequence_number":2,"response":{"id":"resp_2","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":30,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":8},"output_tokens":16,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":46}}}"#),
        response("failed with a bill", 30 + 2)
            .says(0, r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_3","status":"in_progress","usage":null}}"#)
            .bills(0, of(30, 2, 0, 0), r#"{"type":"response.failed","sequence_number":1,"response":{"id":"resp_3","status":"failed","error":{"code":"server_error","message":"x"},"usage":{"input_tokens":30,"output_tokens":2,"total_tokens":32}}}"#),
        response("failed without a bill", 3)
            .says(9, r#"{"type":"response.output_text.delta","sequence_number":1,"item_id":"m","output_index":0,"content_index":0,"delta":"It is not"}"#)
            .says(0, r#"{"type":"response.failed","sequence_number":2,"response":{"id":"resp_4","status":"failed","error":{"code":"server_error","message":"x"},"usage":null}}"#)
            .unfinished(),
        response("an error on the way", 3)
            .says(9, r#"{"type":"response.refusal.delta","sequence_number":1,"item_id":"m","output_index":0,"content_index":0,"delta":"I may not"}"#)
            .says(0, r#"{"type":"error","sequence_number":2,"code":"server_error","message":"x","param":null}"#)
            .unfinished(),
    ]
}

pub(super) fn gemini() -> Vec<Recorded> {
    let events = |name, total| Recorded::new(name, "/v1beta/models/flash:streamGenerateContent?alt=sse", GEMINI, total);
    vec![
        events("text", 8 + 12)
            .tells(5, of(8, 0, 0, 0), r#"{"candidates":[{"content":{"parts":[{"text":"Hello"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8}]},"modelVersion":"gemini-x","responseId":"r"}"#)
            .bills(6, of(8, 12, 0, 0), r#"{"candidates":[{"content":{"parts":[{"text":" there"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":12,"totalTokenCount":20},"responseId":"r"}"#),
        thoughts(),
        events("a prompt that was blocked", 10)
            .bills(0, of(10, 0, 0, 0), r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":10,"totalTokenCount":10},"responseId":"r"}"#),
        events("numbers behind the end", 9 + 4)
            .says(8, r#"{"candidates":[{"content":{"parts":[{"text":"12345678"}],"role":"model"},"index":0}],"responseId":"r"}"#)
            .says(0, r#"{"candidates":[{"content":{"role":"model"},"finishReason":"MAX_TOKENS","index":0}],"responseId":"r"}"#)
            .bills(0, of(9, 4, 0, 0), r#"{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13},"responseId":"r"}"#),
        events("two answers that end one by one", 9 + 30)
            .tells(4, of(9, 3, 0, 0), r#"{"candidates":[{"content":{"parts":[{"text":"1234"}]},"finishReason":"STOP","index":0},{"content":{"parts":[]},"index":1}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3,"totalTokenCount":12},"responseId":"r"}"#)
            .tells(4, of(9, 9, 0, 0), r#"{"candidates":[{"content":{"parts":[{"text":"1234"}]},"index":1}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":9,"totalTokenCount":18},"responseId":"r"}"#)
            .bills(0, of(9, 30, 0, 0), r#"{"candidates":[{"content":{"parts":[]},"finishReason":"STOP","index":1}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":30,"totalTokenCount":39},"responseId":"r"}"#),
        events("an error on the way", 8 + 10)
            .tells(40, of(8, 0, 0, 0), r#"{"candidates":[{"content":{"parts":[{"text":"0123456789012345678901234567890123456789"}]},"index":0}],"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8},"responseId":"r"}"#)
            .says(0, r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#)
            .unfinished(),
    ]
}

/// Thoughts, code, a call of a function, tools of the provider, and a cache that was read.
fn thoughts() -> Recorded {
    Recorded::new("thoughts, calls and the cache", "/v1beta/models/flash:streamGenerateContent?alt=sse", GEMINI, 177)
        .tells(8, Usage { reasoning: 9, ..of(20, 9, 100, 0) }, r#"{"candidates":[{"content":{"parts":[{"text":"12345678","thought":true}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":120,"cachedContentTokenCount":100,"thoughtsTokenCount":9,"totalTokenCount":129},"responseId":"r"}"#)
        .says(34, r#"{"candidates":[{"content":{"parts":[{"executableCode":{"language":"PYTHON","code":"1+1"}}],"role":"model"},"index":0}],"responseId":"r"}"#)
        .says(0, r#"{"candidates":[{"content":{"parts":[{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"2"}}],"role":"model"},"index":0}],"responseId":"r"}"#)
        .says(33, r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"ls","args":{"path":"/"}},"thoughtSignature":"c2ln"}],"role":"model"},"index":0}],"responseId":"r"}"#)
        .bills(0, Usage { reasoning: 30, ..of(27, 50, 100, 0) }, r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":120,"cachedContentTokenCount":100,"toolUsePromptTokenCount":7,"candidatesTokenCount":20,"thoughtsTokenCount":30,"totalTokenCount":177},"responseId":"r"}"#)
}

/// The same events in frames, in a list, and for callers of another API.
pub(super) fn other_forms() -> Vec<Recorded> {
    vec![
        thinking().over("AWS", Wire::Aws),
        thoughts().over("Gemini as a list", Wire::List).asked_by("/v1beta/models/flash:streamGenerateContent", GEMINI),
        thinking().over("Messages for a caller of Chat Completions", Wire::Translated(Dialect::OpenAi)).asked_by(
            "/v1/chat/completions",
            r#"{"model":"sonnet","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]}"#,
        ),
        tools().over("Chat Completions for a caller of Messages", Wire::Translated(Dialect::Anthropic)).asked_by(
            "/v1/messages",
            r#"{"model":"mini","stream":true,"max_tokens":900,"messages":[{"role":"user","content":"Hi"}]}"#,
        ),
    ]
}
