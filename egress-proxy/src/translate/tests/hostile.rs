//! Whatever is sent, there is an answer or a named refusal: no panic, no broken JSON.

use super::super::End;
use super::recorded;
use super::streams::through;
use super::*;

const OPENAI: &str = r#"{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aa=="}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":[1]}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":{"type":"function","function":{"name":"f"}},"stop":["x"],"temperature":0.5,"stream":true}"#;
const ANTHROPIC: &str = r#"{"model":"m","max_tokens":5,"system":[{"type":"text","text":"S"}],"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aa=="}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":""},{"type":"tool_use","id":"c","name":"f","input":{"a":[1]}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"r"}]}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"f"},"thinking":{"type":"enabled","budget_tokens":1024}}"#;
const OPENAI_ANSWER: &str = r#"{"id":"i","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":3}}}"#;
const ANTHROPIC_ANSWER: &str = r#"{"id":"i","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"x"},{"type":"tool_use","id":"c","name":"f","input":{"a":1}}],"stop_reason":"tool_use","usage":{"input_tokens":9,"output_tokens":4}}"#;

type Translate = fn(&str) -> Result<String, Untranslatable>;

/// The recorded streams.
fn streams() -> [(Dialect, String); 2] {
    [(Dialect::Anthropic, recorded::ANTHROPIC.concat()), (Dialect::OpenAi, recorded::OPENAI.concat())]
}

fn documents() -> [(Translate, &'static str); 4] {
    [
        (to_anthropic, OPENAI),
        (to_openai, ANTHROPIC),
        (|body| answered(Dialect::OpenAi, Dialect::Anthropic, body), OPENAI_ANSWER),
        (|body| answered(Dialect::Anthropic, Dialect::OpenAi, body), ANTHROPIC_ANSWER),
    ]
}

#[test]
fn a_document_cut_anywhere_is_none() {
    for (translate, document) in documents() {
        assert!(translate(document).is_ok());
        for cut in 0..document.len() {
            assert_eq!(translate(&document[..cut]), Err(Untranslatable::NotJson), "cut at {cut}");
        }
        assert_eq!(translate(&format!("{document} x")), Err(Untranslatable::NotJson));
    }
}

#[test]
fn a_wrong_byte_anywhere() {
    for (translate, document) in documents() {
        for at in 0..document.len() {
            for byte in ["\"", "{", "]", "\\", "0", "é", ",", ""] {
                let bent = format!("{}{byte}{}", &document[..at], &document[at + 1..]);
                // That the output is JSON is asserted within.
                let _ = translate(&bent);
            }
        }
    }
}

/// `document` with each of its values in turn replaced by each of `others`.
fn bend(document: &Value, others: &[Value], show: &mut dyn FnMut(&str)) {
    fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| paths(item, &format!("{path}/{index}"), found));
            }
            Value::Object(members) => {
                members.iter().for_each(|(key, item)| paths(item, &format!("{path}/{key}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    paths(document, "", &mut found);
    for path in found {
        for other in others {
            let mut bent = document.clone();
            *bent.pointer_mut(&path).unwrap() = other.clone();
            show(&bent.to_string());
        }
    }
}

#[test]
fn a_wrong_type_anywhere() {
    let others = [
        Value::Null,
        Value::Bool(true),
        serde_json::json!(-1.5),
        serde_json::json!(u64::MAX),
        serde_json::json!(""),
        serde_json::json!("\u{0}\"\\"),
        serde_json::json!([]),
        serde_json::json!({}),
        serde_json::json!([{"type": "text", "text": "x"}, {"type": "tool_result"}]),
    ];
    for (translate, document) in documents() {
        let document: Value = serde_json::from_str(document).unwrap();
        let mut refused = 0;
        bend(&document, &others, &mut |bent| refused += u32::from(translate(bent).is_err()));
        assert!(refused > 100, "{refused}");
    }
}

#[test]
fn depth_and_breadth_have_bounds() {
    for open in ["[", "{\"a\":"] {
        let close = if open == "[" { "]" } else { "}" };
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let tool = |depth: usize| {
            format!(
                r#"{{"model":"m","messages":[],"tools":[{{"type":"function","function":{{"name":"f","parameters":{{"x":{}}}}}}}]}}"#,
                nested(depth)
            )
        };
        assert!(to_anthropic(&tool(100)).is_ok());
        assert_eq!(to_anthropic(&tool(200)), Err(Untranslatable::TooDeep));
        assert_eq!(to_anthropic(&tool(200_000)), Err(Untranslatable::TooDeep));
        assert_eq!(to_anthropic(&open.repeat(200_000)), Err(Untranslatable::TooDeep));
        // Arguments are a document of their own.
        let arguments = Value::from(format!("{{\"x\":{}}}", nested(200))).to_string();
        let call = format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","tool_calls":[{{"id":"c","type":"function","function":{{"name":"f","arguments":{arguments}}}}}]}},{{"role":"user","content":""}}]}}"#
        );
        assert_eq!(to_anthropic(&call).unwrap_err().code(), "malformed");
    }
    let wide: Vec<String> = (0..100_000).map(|key| format!("\"k{key}\":1")).collect();
    assert_eq!(to_anthropic(&format!("{{{}}}", wide.join(","))), Err(Untranslatable::NotJson));
}

#[test]
fn bytes_that_are_no_text() {
    for body in [&b"{\"model\":\"\xff\"}"[..], b"\xef\xbb\xbf{}", b"", b"\x1f\x8b\x08"] {
        let body = Bytes::copy_from_slice(body);
        let got = super::super::request(Dialect::OpenAi, Dialect::Anthropic, &body, Wants::default());
        assert_eq!(got, Err(Untranslatable::NotJson));
    }
    // Halves of a character stay halves: what cannot be decoded is carried as it was written.
    let half = r#"{"model":"m","messages":[{"role":"user","content":"\ud83d"}]}"#;
    let body = Bytes::from_static(half.as_bytes());
    let got = super::super::request(Dialect::OpenAi, Dialect::Anthropic, &body, Wants::default()).unwrap();
    assert!(String::from_utf8_lossy(&got).contains(r#""content":"\ud83d""#));
}

#[test]
fn a_wrong_byte_anywhere_in_a_stream() {
    for (provider, stream) in streams() {
        for at in
            (0..stream.len()).step_by(3).filter(|at| stream.is_char_boundary(*at) && stream.is_char_boundary(at + 1))
        {
            for byte in ["\"", "}", "\n"] {
                let bent = format!("{}{byte}{}", &stream[..at], &stream[at + 1..]);
                let (out, end) = through(provider, &[bent.as_bytes()]);
                whole_events(&out, &end);
            }
        }
    }
}

/// Only whole events, with one end at the end.
fn whole_events(out: &str, end: &End) {
    assert!(out.ends_with("\n\n"), "{out}");
    let events: Vec<&str> = out.trim_end_matches('\n').split("\n\n").collect();
    for (place, event) in events.iter().enumerate() {
        let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) else {
            assert_eq!(*event, ": ping");
            continue;
        };
        let is_last = place + 1 == events.len();
        if data == "[DONE]" {
            assert!(is_last && *end == End::Whole);
            continue;
        }
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data.get("error").is_some(), is_last && *end != End::Whole, "{out}");
        assert_eq!(data["type"] == "message_stop", is_last && *end == End::Whole && out.starts_with("event"), "{out}");
    }
}

#[test]
fn blocks_are_opened_and_closed_in_order_whatever_comes() {
    for (provider, stream) in streams() {
        if provider == Dialect::Anthropic {
            continue;
        }
        // Events left out, doubled and swapped.
        let events: Vec<&str> = stream.split_inclusive("\n\n").collect();
        for one in 0..events.len() {
            for other in 0..events.len() {
                let mut bent = events.clone();
                bent.swap(one, other);
                bent.insert(one, events[other]);
                in_order(&through(provider, &[bent.concat().as_bytes()]).0);
                bent.remove(other);
                in_order(&through(provider, &[bent.concat().as_bytes()]).0);
            }
        }
    }
}

fn in_order(out: &str) {
    let (mut open, mut next, mut started) = (None, 0, false);
    for data in out.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let data: Value = serde_json::from_str(data).unwrap();
        let index = data["index"].as_u64();
        match data["type"].as_str().unwrap() {
            "message_start" => assert!(!std::mem::replace(&mut started, true)),
            "content_block_start" => {
                assert!(started && open.is_none() && index == Some(next), "{out}");
                open = index;
                next += 1;
            }
            "content_block_delta" => assert_eq!(open, index, "{out}"),
            "content_block_stop" => assert_eq!(open.take(), index, "{out}"),
            "message_delta" | "message_stop" => assert!(started && open.is_none(), "{out}"),
            _ => {}
        }
    }
}
