use super::*;

const OPENAI: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1790000000,"model":"gpt-x","choices":[{"index":0,"message":{"role":"assistant","content":"I look \u00e9.","refusal":null,"annotations":[],"tool_calls":[{"id":"call_1","type":"function","function":{"name":"ls","arguments":"{\"p\": \"/\", \"n\":1.50}"}},{"id":"call_2","type":"function","function":{"name":"now","arguments":""},"extra":1}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":130,"completion_tokens":40,"total_tokens":170,"prompt_tokens_details":{"cached_tokens":100,"cache_write_tokens":10,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":30}},"service_tier":"default","system_fingerprint":"fp"}"#;

const ANTHROPIC: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"thinking","thinking":"hm \u00e9","signature":"sig"},{"type":"redacted_thinking","data":"x"},{"type":"text","text":"I ","citations":null},{"type":"text","text":"look."},{"type":"tool_use","id":"toolu_1","name":"ls","input":{"p": "/", "n":1.50},"caller":{"type":"direct"}}],"stop_reason":"tool_use","stop_sequence":null,"stop_details":null,"usage":{"input_tokens":20,"cache_creation_input_tokens":10,"cache_read_input_tokens":100,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":0},"output_tokens":40,"output_tokens_details":{"thinking_tokens":30},"service_tier":"standard"}}"#;

#[test]
fn an_openai_answer_for_an_anthropic_client() {
    assert_eq!(
        answered(Dialect::OpenAi, Dialect::Anthropic, OPENAI).unwrap(),
        r#"{"id":"chatcmpl-1","type":"message","role":"assistant","model":"gpt-x","content":[{"type":"text","text":"I look \u00e9."},{"type":"tool_use","id":"call_1","name":"ls","input":{"p": "/", "n":1.50}},{"type":"tool_use","id":"call_2","name":"now","input":{}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":20,"cache_creation_input_tokens":10,"cache_read_input_tokens":100,"output_tokens":40,"output_tokens_details":{"thinking_tokens":30}}}"#
    );
}

#[test]
fn an_anthropic_answer_for_an_openai_client() {
    assert_eq!(
        answered(Dialect::Anthropic, Dialect::OpenAi, ANTHROPIC).unwrap(),
        r#"{"id":"msg_1","object":"chat.completion","created":1795000000,"model":"claude-x","choices":[{"index":0,"message":{"role":"assistant","content":"I look.","refusal":null,"reasoning_content":"hm \u00e9","tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"ls","arguments":"{\"p\": \"/\", \"n\":1.50}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":130,"completion_tokens":40,"total_tokens":170,"prompt_tokens_details":{"cached_tokens":100,"cache_write_tokens":10},"completion_tokens_details":{"reasoning_tokens":30}}}"#
    );
}

fn openai(message: &str, finish: &str) -> String {
    format!(r#"{{"choices":[{{"index":0,"message":{{"role":"assistant",{message}}},"finish_reason":"{finish}"}}]}}"#)
}

fn anthropic(content: &str, stop: &str) -> String {
    format!(r#"{{"type":"message","role":"assistant","content":[{content}],"stop_reason":"{stop}"}}"#)
}

#[test]
fn why_an_answer_ended() {
    const CALL: &str =
        r#""content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]"#;
    for (message, finish, want) in [
        (r#""content":"x""#, "stop", Some("end_turn")),
        (r#""content":"x""#, "length", Some("max_tokens")),
        (r#""content":"x""#, "content_filter", Some("refusal")),
        (r#""content":null,"refusal":"no""#, "stop", Some("refusal")),
        (CALL, "tool_calls", Some("tool_use")),
        // With a named tool, calls end with `stop`.
        (CALL, "stop", Some("tool_use")),
        (CALL, "length", Some("max_tokens")),
        (r#""content":"x""#, "tool_calls", Some("end_turn")),
        (r#""content":"x""#, "function_call", None),
        (r#""content":"x""#, "insufficient_system_resource", None),
    ] {
        let got = answered(Dialect::OpenAi, Dialect::Anthropic, &openai(message, finish));
        let got = got.map(|got| serde_json::from_str::<Value>(&got).unwrap()["stop_reason"].clone());
        match want {
            Some(want) => assert_eq!(got.unwrap(), want, "{finish}"),
            None => assert_eq!(got.unwrap_err().code(), "unknown-field", "{finish}"),
        }
    }
    for (stop, want) in [
        ("end_turn", Some("stop")),
        ("stop_sequence", Some("stop")),
        ("max_tokens", Some("length")),
        ("model_context_window_exceeded", Some("length")),
        ("tool_use", Some("tool_calls")),
        ("refusal", Some("content_filter")),
        ("pause_turn", None),
        ("new_reason", None),
    ] {
        let got = answered(Dialect::Anthropic, Dialect::OpenAi, &anthropic(r#"{"type":"text","text":"x"}"#, stop));
        let got = got.map(|got| serde_json::from_str::<Value>(&got).unwrap()["choices"][0]["finish_reason"].clone());
        match want {
            Some(want) => assert_eq!(got.unwrap(), want, "{stop}"),
            None => assert_eq!(got.unwrap_err().code(), "unknown-field", "{stop}"),
        }
    }
}

#[test]
fn what_a_provider_left_out_comes_from_the_stamp() {
    assert_eq!(
        answered(Dialect::OpenAi, Dialect::Anthropic, &openai(r#""content":"","reasoning":"hm""#, "stop")).unwrap(),
        r#"{"id":"wk-1","type":"message","role":"assistant","model":"asked","content":[{"type":"thinking","thinking":"hm","signature":"reasoning"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}"#
    );
    assert_eq!(
        answered(Dialect::Anthropic, Dialect::OpenAi, &anthropic("", "end_turn")).unwrap(),
        r#"{"id":"wk-1","object":"chat.completion","created":1795000000,"model":"asked","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0}}}"#
    );
}

#[test]
fn tokens_are_the_same_in_every_spelling() {
    let body = |prompt: &str, cached: &str| {
        format!(
            r#"{{"choices":[{{"message":{{"content":"x"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":{prompt},"completion_tokens":4,"prompt_tokens_details":{{"cached_tokens":{cached}}}}}}}"#
        )
    };
    let told = |body: &str| answered(Dialect::OpenAi, Dialect::Anthropic, body);
    for odd in ["12.5", "-12.0", "1e300", r#""twelve""#, r#""-1""#] {
        assert_eq!(told(&body(odd, "3")).unwrap_err().code(), "malformed", "{odd}");
    }
    let want = told(&body("12", "3")).unwrap();
    for (prompt, cached) in [("12.0", "3.0"), (r#""12""#, r#""3""#), ("1.2e1", "3")] {
        assert_eq!(told(&body(prompt, cached)).unwrap(), want, "{prompt}");
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    for (provider, body, code) in [
        (Dialect::OpenAi, r#"{"choices":[]}"#, "missing"),
        (Dialect::OpenAi, r#"{"error":{"message":"x"}}"#, "missing"),
        (Dialect::OpenAi, r#"{"choices":[{"message":{},"finish_reason":"stop"},{}]}"#, "no-counterpart"),
        (Dialect::OpenAi, r#"{"choices":[{"message":{"content":"x"}}]}"#, "missing"),
        (Dialect::OpenAi, r#"{"choices":[{"message":{"audio":{"id":"a"}},"finish_reason":"stop"}]}"#, "no-counterpart"),
        (
            Dialect::OpenAi,
            r#"{"choices":[{"message":{"tool_calls":[{"type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}]}"#,
            "missing",
        ),
        // Cut by the bound of its output.
        (
            Dialect::OpenAi,
            r#"{"choices":[{"message":{"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a"}}]},"finish_reason":"length"}]}"#,
            "malformed",
        ),
        (
            Dialect::OpenAi,
            r#"{"choices":[{"message":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":-1}}"#,
            "malformed",
        ),
        (Dialect::Anthropic, r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#, "malformed"),
        (Dialect::Anthropic, r#"{"content":[]}"#, "missing"),
        (Dialect::Anthropic, r#"{"type":"message","content":[{"type":"server_tool_use"}]}"#, "no-counterpart"),
        (Dialect::Anthropic, r#"{"type":"message","content":[{"type":"tool_use","id":"t","input":{}}]}"#, "missing"),
        (Dialect::Anthropic, r#"{"type":"message","content":[],"stop_reason":null}"#, "missing"),
    ] {
        let caller = if provider == Dialect::OpenAi { Dialect::Anthropic } else { Dialect::OpenAi };
        assert_eq!(answered(provider, caller, body).expect_err(body).code(), code, "{body}");
    }
}

#[test]
fn nothing_happens_between_equal_apis() {
    for (dialect, body) in [(Dialect::OpenAi, "{ not even JSON"), (Dialect::Anthropic, ANTHROPIC)] {
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        assert_eq!(super::super::request(dialect, dialect, &bytes, Wants::default()).unwrap(), bytes);
        assert_eq!(super::super::answer(dialect, dialect, &bytes, &stamp()).unwrap(), bytes);
        assert_eq!(super::super::error(dialect, dialect, 418, &bytes, &stamp()), (418, bytes));
    }
}
