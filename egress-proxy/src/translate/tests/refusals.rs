//! Every field that cannot be carried over, and the name by which it is refused.

use super::*;

fn told(fault: &Untranslatable) -> (&'static str, String) {
    let text = fault.to_string();
    let place = text.split('`').nth(1).unwrap_or_default().to_owned();
    (fault.code(), place)
}

const ASK: &str = r#"{"role":"user","content":"Hi"}"#;

#[test]
fn settings_of_an_openai_client() {
    for (member, code, place) in [
        (r#""n":2"#, "no-counterpart", "n"),
        (r#""logprobs":true"#, "no-counterpart", "logprobs"),
        (r#""top_logprobs":3"#, "no-counterpart", "top_logprobs"),
        (r#""logit_bias":{"50256":-100}"#, "no-counterpart", "logit_bias"),
        (r#""presence_penalty":0.1"#, "no-counterpart", "presence_penalty"),
        (r#""frequency_penalty":-2"#, "no-counterpart", "frequency_penalty"),
        (r#""seed":7"#, "no-counterpart", "seed"),
        (r#""store":true"#, "no-counterpart", "store"),
        (r#""verbosity":"low""#, "no-counterpart", "verbosity"),
        (r#""modalities":["text","audio"]"#, "no-counterpart", "modalities"),
        (r#""audio":{"voice":"alloy","format":"mp3"}"#, "no-counterpart", "audio"),
        (r#""functions":[]"#, "no-counterpart", "functions"),
        (r#""function_call":"auto""#, "no-counterpart", "function_call"),
        (r#""web_search_options":{}"#, "no-counterpart", "web_search_options"),
        (r#""moderation":{"model":"m"}"#, "no-counterpart", "moderation"),
        (r#""service_tier":"flex""#, "no-counterpart", "service_tier"),
        (r#""temperature":1.1"#, "no-counterpart", "temperature"),
        (r#""temperature":-0.1"#, "malformed", "temperature"),
        (r#""temperature":"1""#, "malformed", "temperature"),
        (r#""top_p":1.5"#, "no-counterpart", "top_p"),
        (r#""max_tokens":0"#, "malformed", "max_tokens"),
        (r#""max_completion_tokens":0"#, "malformed", "max_completion_tokens"),
        (r#""max_tokens":1.5"#, "malformed", "max_tokens"),
        (r#""max_tokens":5,"max_completion_tokens":6"#, "malformed", "max_tokens"),
        (r#""stop":[1]"#, "malformed", "stop"),
        (r#""stop":7"#, "malformed", "stop"),
        (r#""stream":"yes""#, "malformed", "stream"),
        (r#""reasoning_effort":"some""#, "unknown-field", "reasoning_effort"),
        (r#""response_format":{"type":"json_object"}"#, "no-counterpart", "response_format.type"),
        (
            r#""response_format":{"type":"json_schema","json_schema":{"name":"n"}}"#,
            "missing",
            "response_format.json_schema.schema",
        ),
        (
            r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{},"description":"d"}}"#,
            "no-counterpart",
            "response_format.json_schema.description",
        ),
        (r#""tools":[{"type":"custom","custom":{"name":"c"}}]"#, "no-counterpart", "tools[0].type"),
        (r#""tools":[{"type":"function","function":{"name":"a","x":1}}]"#, "unknown-field", "tools[0].function.x"),
        (
            r#""tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{}}]"#,
            "missing",
            "tools[1].function.name",
        ),
        (r#""tools":{}"#, "malformed", "tools"),
        (r#""tool_choice":"any""#, "unknown-field", "tool_choice"),
        (
            r#""tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}}"#,
            "no-counterpart",
            "tool_choice.type",
        ),
        (r#""top_k":5"#, "unknown-field", "top_k"),
        // A name that may be a value is not repeated.
        (r#""Sk-Secret":5"#, "unknown-field", "(a field)"),
        (r#""model":"n""#, "twice", "model"),
        (r#""messag\u0065s":[]"#, "twice", "messages"),
    ] {
        let body = format!(r#"{{"model":"m","messages":[{ASK}],{member}}}"#);
        let fault = to_anthropic(&body).expect_err(member);
        assert_eq!(told(&fault), (code, place.to_owned()), "{member}");
    }
}

#[test]
fn messages_of_an_openai_client() {
    for (message, code, place) in [
        (r#"{"role":"user"}"#, "missing", "messages[1].content"),
        (r#"{"role":"user","content":7}"#, "malformed", "messages[1].content"),
        (r#"{"role":"user","content":["x"]}"#, "malformed", "messages[1].content"),
        (r#"{"content":"x"}"#, "missing", "messages[1].role"),
        (r#"{"role":"function","name":"f","content":"x"}"#, "no-counterpart", "messages[1].role"),
        (r#"{"role":"wizard","content":"x"}"#, "unknown-field", "messages[1].role"),
        (r#"{"role":"user","content":"x","name":"anna"}"#, "no-counterpart", "messages[1].name"),
        (
            r#"{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"","format":"wav"}}]}"#,
            "no-counterpart",
            "messages[1].content[0].type",
        ),
        (
            r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png,raw"}}]}"#,
            "malformed",
            "messages[1].content[1].image_url.url",
        ),
        (
            r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]}"#,
            "malformed",
            "messages[1].content[0].image_url.url",
        ),
        (
            r#"{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}"#,
            "no-counterpart",
            "messages[1].content[0].file.file_id",
        ),
        (
            r#"{"role":"user","content":[{"type":"file","file":{"file_data":"data:text/plain;base64,QQ=="}}]}"#,
            "no-counterpart",
            "messages[1].content[0].file.file_data",
        ),
        (r#"{"role":"user","content":[{"type":"text"}]}"#, "missing", "messages[1].content[0].text"),
        (
            r#"{"role":"system","content":[{"type":"image_url","image_url":{"url":"https://x"}}]}"#,
            "no-counterpart",
            "messages[1].content[0].type",
        ),
        (
            r#"{"role":"assistant","audio":{"id":"a"},"content":"x"},{"role":"user","content":""}"#,
            "no-counterpart",
            "messages[1].audio",
        ),
        (
            r#"{"role":"assistant","function_call":{"name":"f","arguments":"{}"}}"#,
            "no-counterpart",
            "messages[1].function_call",
        ),
        (
            r#"{"role":"assistant","tool_calls":[{"id":"c","type":"custom","custom":{"name":"f","input":"x"}}]}"#,
            "no-counterpart",
            "messages[1].tool_calls[0].type",
        ),
        (
            r#"{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
            "missing",
            "messages[1].tool_calls[0].id",
        ),
        // What the model left unfinished, and what is no object.
        (
            r#"{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":"}}]}"#,
            "malformed",
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            r#"{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"[]"}}]}"#,
            "malformed",
            "messages[1].tool_calls[0].function.arguments",
        ),
        (
            r#"{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"\ud800"}}]}"#,
            "malformed",
            "messages[1].tool_calls[0].function.arguments",
        ),
        (r#"{"role":"tool","content":"x"}"#, "missing", "messages[1].tool_call_id"),
        (
            r#"{"role":"tool","tool_call_id":"c","content":[{"type":"image_url","image_url":{"url":"https://x"}}]}"#,
            "no-counterpart",
            "messages[1].content[0].type",
        ),
        // Anthropic would go on with this message.
        (r#"{"role":"assistant","content":"The answer is ("}"#, "order", "messages[1]"),
    ] {
        let fault = to_anthropic(&format!(r#"{{"model":"m","messages":[{ASK},{message}]}}"#)).expect_err(message);
        assert_eq!(told(&fault), (code, place.to_owned()), "{message}");
    }
    assert_eq!(told(&to_anthropic(&format!(r#"{{"messages":[{ASK}]}}"#)).unwrap_err()), ("missing", "model".into()));
}

#[test]
fn settings_of_an_anthropic_client() {
    for (member, code, place) in [
        (r#""top_k":5"#, "no-counterpart", "top_k"),
        (r#""container":"c1""#, "no-counterpart", "container"),
        (r#""mcp_servers":[]"#, "no-counterpart", "mcp_servers"),
        (r#""inference_geo":"eu""#, "no-counterpart", "inference_geo"),
        (r#""speed":"fast""#, "no-counterpart", "speed"),
        (r#""service_tier":"batch""#, "unknown-field", "service_tier"),
        (r#""temperature":1.5"#, "no-counterpart", "temperature"),
        (r#""metadata":{"user_id":"u","team":"t"}"#, "unknown-field", "metadata.team"),
        (r#""thinking":{"type":"enabled"}"#, "missing", "thinking.budget_tokens"),
        (r#""thinking":{"type":"between_tools"}"#, "no-counterpart", "thinking.type"),
        (r#""output_config":{"effort":"huge"}"#, "unknown-field", "output_config.effort"),
        (r#""output_config":{"task_budget":{}}"#, "unknown-field", "output_config.task_budget"),
        (r#""output_config":{"format":{"type":"xml"}}"#, "unknown-field", "output_config.format.type"),
        (
            r#""context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]}"#,
            "no-counterpart",
            "context_management.edits[0].type",
        ),
        (r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#, "no-counterpart", "tools[0].type"),
        (r#""tools":[{"name":"a"}]"#, "missing", "tools[0].input_schema"),
        (
            r#""tools":[{"name":"a","input_schema":{},"defer_loading":true}]"#,
            "no-counterpart",
            "tools[0].defer_loading",
        ),
        (
            r#""tools":[{"name":"a","input_schema":{},"input_examples":[{}]}]"#,
            "no-counterpart",
            "tools[0].input_examples",
        ),
        (r#""tool_choice":{"type":"some"}"#, "unknown-field", "tool_choice.type"),
        (r#""system":[{"type":"image"}]"#, "no-counterpart", "system[0].type"),
        (r#""n":1"#, "unknown-field", "n"),
    ] {
        let body = format!(r#"{{"model":"m","max_tokens":9,"messages":[{ASK}],{member}}}"#);
        let fault = to_openai(&body).expect_err(member);
        assert_eq!(told(&fault), (code, place.to_owned()), "{member}");
    }
    for (body, code, place) in [
        (r#"{"model":"m","messages":[]}"#, "missing", "max_tokens"),
        (r#"{"model":"m","messages":[],"max_tokens":0}"#, "no-counterpart", "max_tokens"),
        (r#"{"max_tokens":1,"messages":[]}"#, "missing", "model"),
    ] {
        assert_eq!(told(&to_openai(body).expect_err(body)), (code, place.to_owned()), "{body}");
    }
}

#[test]
fn messages_of_an_anthropic_client() {
    for (message, code, place) in [
        (r#"{"role":"user"}"#, "missing", "messages[1].content"),
        (r#"{"role":"tool","content":"x"}"#, "unknown-field", "messages[1].role"),
        (r#"{"role":"user","content":"x","name":"a"}"#, "unknown-field", "messages[1].name"),
        (
            r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"tool_result","tool_use_id":"t"}]}"#,
            "order",
            "messages[1].content[1]",
        ),
        (r#"{"role":"user","content":[{"type":"tool_result"}]}"#, "missing", "messages[1].content[0].tool_use_id"),
        (
            r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{}}]}]}"#,
            "no-counterpart",
            "messages[1].content[0].content[0].type",
        ),
        (
            r#"{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}"#,
            "no-counterpart",
            "messages[1].content[0].source.type",
        ),
        (
            r#"{"role":"user","content":[{"type":"document","source":{"type":"url","url":"https://x"}}]}"#,
            "no-counterpart",
            "messages[1].content[0].source.type",
        ),
        (
            r#"{"role":"user","content":[{"type":"document","source":{},"citations":{"enabled":true}}]}"#,
            "no-counterpart",
            "messages[1].content[0].citations",
        ),
        (
            r#"{"role":"user","content":[{"type":"search_result","source":"s"}]}"#,
            "no-counterpart",
            "messages[1].content[0].type",
        ),
        (
            r#"{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}}]},{"role":"user","content":"x"}"#,
            "no-counterpart",
            "messages[1].content[0].type",
        ),
        (
            r#"{"role":"assistant","content":[{"type":"text","text":"a","citations":[{"type":"char_location"}]}]},{"role":"user","content":"x"}"#,
            "no-counterpart",
            "messages[1].content[0].citations",
        ),
        (
            r#"{"role":"assistant","content":[{"type":"tool_use","name":"ls","input":{}}]},{"role":"user","content":"x"}"#,
            "missing",
            "messages[1].content[0].id",
        ),
        (
            r#"{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"ls","input":"{}"}]},{"role":"user","content":"x"}"#,
            "malformed",
            "messages[1].content[0].input",
        ),
        (
            r#"{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"ls","input":{},"caller":{"type":"code_execution_20250825","tool_id":"x"}}]},{"role":"user","content":"x"}"#,
            "no-counterpart",
            "messages[1].content[0].caller",
        ),
        // The turn goes on, and its thinking would be lost.
        (
            r#"{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"tool_use","id":"t","name":"ls","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}"#,
            "no-counterpart",
            "messages[1].content[0].signature",
        ),
        (
            r#"{"role":"assistant","content":[{"type":"redacted_thinking","data":"x"},{"type":"tool_use","id":"t","name":"ls","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}"#,
            "no-counterpart",
            "messages[1].content[0].data",
        ),
        (r#"{"role":"assistant","content":"The answer is ("}"#, "order", "messages[1]"),
    ] {
        let body = format!(r#"{{"model":"m","max_tokens":9,"messages":[{ASK},{message}]}}"#);
        let fault = to_openai(&body).expect_err(message);
        assert_eq!(told(&fault), (code, place.to_owned()), "{message}");
    }
}

#[test]
fn a_refusal_says_what_to_do_and_repeats_no_value() {
    let fault = to_anthropic(r#"{"model":"m","messages":[],"seed":987654321}"#).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "`seed` has no counterpart in the API of this model; leave it out, or ask for a model that is offered in your API"
    );
}
