use super::super::{End, Stream};
use super::recorded::{ANTHROPIC, OPENAI, anthropic_wanted, openai_wanted};
use super::*;

/// The other one of the two.
fn other(dialect: Dialect) -> Dialect {
    if dialect == Dialect::OpenAi { Dialect::Anthropic } else { Dialect::OpenAi }
}

pub(super) fn through(provider: Dialect, pieces: &[&[u8]]) -> (String, End) {
    let mut stream = Stream::new(provider, other(provider), stamp()).unwrap();
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&stream.push(piece));
    }
    out.extend_from_slice(&stream.finish());
    assert!(stream.push(b"data: {}\n\n").is_empty() && stream.finish().is_empty(), "nothing after the end");
    (String::from_utf8(out).unwrap(), stream.end().cloned().unwrap())
}

fn after(provider: Dialect, events: &[&str]) -> (String, End) {
    through(provider, &[events.concat().as_bytes()])
}

fn cases() -> [(Dialect, &'static [&'static str], String); 2] {
    [(Dialect::Anthropic, ANTHROPIC, openai_wanted()), (Dialect::OpenAi, OPENAI, anthropic_wanted())]
}

#[test]
fn recorded_streams() {
    for (provider, events, want) in cases() {
        assert_eq!(after(provider, events), (want, End::Whole));
    }
}

#[test]
fn a_client_that_asked_for_no_usage_gets_none() {
    let mut stream = Stream::new(Dialect::Anthropic, Dialect::OpenAi, Stamp { usage: false, ..stamp() }).unwrap();
    let out = stream.push(ANTHROPIC.concat().as_bytes());
    assert!(!String::from_utf8_lossy(&out).contains("usage"));
    assert_eq!(stream.end(), Some(&End::Whole));
}

#[test]
fn every_cut_of_the_bytes_gives_the_same() {
    for (provider, events, want) in cases() {
        for line_end in ["\n", "\r\n", "\r"] {
            let bytes = events.concat().replace('\n', line_end).into_bytes();
            for cut in 0..=bytes.len() {
                // The other line ends are cut everywhere by the parser's own tests.
                if line_end != "\n" && !bytes[..cut].ends_with(b"\r") {
                    continue;
                }
                assert_eq!(through(provider, &[&bytes[..cut], &bytes[cut..]]).0, want, "cut at {cut}");
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(through(provider, &single), (want.clone(), End::Whole));
        }
    }
}

#[test]
fn a_stream_that_ends_early_ends_with_an_error() {
    for (provider, events, want) in cases() {
        // The recorded OpenAI stream is complete, but for its usage, once it told why it ended.
        let complete = if provider == Dialect::OpenAi { 10 } else { events.len() };
        for taken in 0..complete {
            let (out, end) = after(provider, &events[..taken]);
            assert_eq!(end, End::Fault(Untranslatable::Cut), "{taken} events");
            let (body, error) = out.trim_end().rsplit_once("\n\n").unwrap_or(("", out.trim_end()));
            assert!(want.starts_with(body), "{taken} events");
            let data: Value = serde_json::from_str(error.rsplit_once("data: ").unwrap().1).unwrap();
            let kind = if provider == Dialect::OpenAi { "api_error" } else { "server_error" };
            assert_eq!(data["error"]["type"], kind);
            assert_eq!(
                data["error"]["message"],
                "Wardkeep: the provider's answer cannot be told in your API: it broke off before its end"
            );
        }
        for taken in complete..events.len() {
            assert_eq!(after(provider, &events[..taken]).1, End::Whole, "{taken} events");
        }
    }
}

#[test]
fn there_and_back_again() {
    for (provider, events, _) in cases() {
        let (there, _) = after(provider, events);
        let (back, end) = through(other(provider), &[there.as_bytes()]);
        assert_eq!(end, End::Whole);
        let (once_more, _) = through(provider, &[back.as_bytes()]);
        let created = |text: &str| text.replace("\"created\":1,", "\"created\":1795000000,");
        assert_eq!(created(&once_more), there, "what one can say, the other one can");
    }
}

pub(super) fn chunk(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

pub(super) fn calls(calls: &str) -> String {
    chunk(&format!("\"tool_calls\":[{calls}]"), "null")
}

pub(super) fn call(index: &str, id: &str, name: &str, arguments: &str) -> String {
    calls(&format!("{{{index}{id}\"function\":{{{name}\"arguments\":{arguments}}}}}"))
}

/// The calls that an Anthropic client reads out of the stream: id, name, arguments.
pub(super) fn read_calls(stream: &str) -> Vec<(String, String, String)> {
    let mut found: Vec<(String, String, String)> = Vec::new();
    for data in stream.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let data: Value = serde_json::from_str(data).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let block = &data["content_block"];
        if block["type"] == "tool_use" {
            found.push((text(&block["id"]), text(&block["name"]), String::new()));
        }
        if data["delta"]["type"] == "input_json_delta" {
            found.last_mut().unwrap().2.push_str(data["delta"]["partial_json"].as_str().unwrap());
        }
    }
    found
}

#[test]
fn calls_as_other_providers_number_them() {
    const END: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let (a, b) = ("\"id\":\"a\",", "\"id\":\"b\",");
    let name = "\"name\":\"f\",";
    let both = vec![("a".into(), "f".into(), "{\"x\":1}".into()), ("b".into(), "f".into(), "{}".into())];
    for (how, chunks) in [
        // All of them number 0, whole.
        ("zero", vec![call("\"index\":0,", a, name, "\"{\\\"x\\\":1}\""), call("\"index\":0,", b, name, "\"{}\"")]),
        // No numbers.
        ("none", vec![call("", a, name, "\"{\\\"x\\\":\""), call("", "", "", "\"1}\""), call("", b, name, "null")]),
        // The id in every chunk, the numbers from 1.
        (
            "repeated",
            vec![
                call("\"index\":1,", a, name, "\"{\\\"x\\\":\""),
                call("\"index\":1,", a, name, "\"1}\""),
                call("\"index\":2,", b, name, "\"\""),
                call("\"index\":2,", b, "", "\"{\""),
                call("\"index\":2,", "", "", "\"}\""),
            ],
        ),
        // An id for each chunk.
        (
            "made up",
            vec![
                call("\"index\":0,", a, name, "\"\""),
                call("\"index\":0,", "\"id\":\"x\",", "", "\"{\\\"x\\\":1}\""),
                call("\"index\":1,", b, name, "\"\""),
            ],
        ),
        // Both in one chunk.
        (
            "one",
            vec![calls(
                "{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}},{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"f\"}}",
            )],
        ),
        // Empty content beside the calls.
        (
            "content",
            vec![
                call("\"index\":0,", a, name, "\"{\\\"x\\\":\""),
                chunk("\"content\":\"\"", "null"),
                chunk("\"content\":null,\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]", "null"),
                call("\"index\":1,", b, name, "\"{}\""),
            ],
        ),
    ] {
        let (out, end) = after(Dialect::OpenAi, &[&chunks.concat(), END]);
        assert_eq!(end, End::Whole, "{how}");
        assert_eq!(read_calls(&out), both, "{how}");
        assert!(out.contains("\"stop_reason\":\"tool_use\""), "{how}");
    }
}

#[test]
fn chunks_that_cannot_be_carried_on() {
    let start = call("\"index\":0,", "\"id\":\"a\",", "\"name\":\"f\",", "\"{\\\"x\\\":\"");
    let finish = |why: &str| chunk("", &format!("\"{why}\""));
    for (chunks, code) in [
        // Half of the arguments would run.
        (vec![start.clone(), finish("tool_calls"), "data: [DONE]\n\n".into()], "malformed"),
        (vec![start.clone(), finish("stop")], "malformed"),
        (vec![call("\"index\":0,", "\"id\":\"a\",", "\"name\":\"f\",", "\"[1]\""), finish("stop")], "malformed"),
        (vec![call("\"index\":0,", "\"id\":\"a\",", "\"name\":\"f\",", "\"{}{}\""), finish("stop")], "malformed"),
        (vec![call("\"index\":0,", "", "\"name\":\"f\",", "\"{}\"")], "missing"),
        (vec![call("\"index\":0,", "\"id\":\"a\",", "", "\"{}\"")], "missing"),
        (vec![chunk("\"function_call\":{\"name\":\"f\"}", "null")], "no-counterpart"),
        (vec![chunk("\"audio\":{\"id\":\"a\"}", "null")], "no-counterpart"),
        (vec!["data: {\"choices\":[{\"index\":1,\"delta\":{}}]}\n\n".into()], "no-counterpart"),
        (vec![finish("stop"), chunk("\"content\":\"more\"", "null")], "order"),
        (vec![finish("stop"), start.clone()], "order"),
        (vec![finish("eos")], "unknown-field"),
        (vec![chunk("\"content\":\"x\"", "null"), "data: [DONE]\n\n".into()], "missing"),
        (vec!["data: [DONE]\n\n".into()], "missing"),
        (vec!["data: nonsense\n\n".into()], "not-json"),
        (vec!["data: []\n\n".into()], "not-json"),
        (vec!["data: \u{1}\n\n".into()], "not-json"),
        (vec![chunk("\"content\":7", "null")], "malformed"),
        (vec![format!("data: \"{}\"\n\n", "x".repeat(1024 * 1024))], "too-long"),
    ] {
        let text = chunks.concat();
        let (out, end) = after(Dialect::OpenAi, &[&text]);
        let End::Fault(fault) = end else { panic!("{text} {end:?}") };
        assert_eq!(fault.code(), code, "{text}");
        assert!(out.contains("event: error\n") && !out.contains("message_stop"), "{text}");
    }
    let (out, _) = after(Dialect::OpenAi, &[&finish("eos")]);
    let told =
        "Wardkeep: the provider's answer cannot be told in your API (unknown-field at `choices[0].finish_reason`)";
    assert!(out.contains(told), "{out}");
    // The bound of the output may cut a call: the client is told why.
    let (out, end) = after(Dialect::OpenAi, &[&start, &finish("length")]);
    assert_eq!(end, End::Whole);
    assert!(out.contains("\"stop_reason\":\"max_tokens\""));
}

#[test]
fn what_other_providers_leave_out_or_add() {
    // No id, no `[DONE]`, running numbers, a first chunk without choices, a refusal.
    let (out, end) = after(
        Dialect::OpenAi,
        &[
            "data: {\"id\":\"\",\"model\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"refusal\":\"No.\"}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n",
        ],
    );
    assert_eq!(end, End::Whole);
    assert!(out.starts_with("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"wk-1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"asked\""));
    assert!(out.contains("\"text\":\"No.\"") && out.contains("\"stop_reason\":\"refusal\""), "{out}");
    assert!(out.contains("\"usage\":{\"input_tokens\":9,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":4}}"), "{out}");
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

#[test]
fn events_that_cannot_be_carried_on() {
    let start = event(
        r#"{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":1,"output_tokens":1}}}"#,
    );
    let block = |kind: &str| event(&format!(r#"{{"type":"content_block_start","index":0,"content_block":{kind}}}"#));
    let delta = |delta: &str| event(&format!(r#"{{"type":"content_block_delta","index":0,"delta":{delta}}}"#));
    let tool = block(r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#);
    let half = delta(r#"{"type":"input_json_delta","partial_json":"{\"x\":"}"#);
    let stop = event(r#"{"type":"content_block_stop","index":0}"#);
    let why = |why: &str| {
        event(&format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"{why}"}},"usage":{{"output_tokens":2}}}}"#))
    };
    let end = event(r#"{"type":"message_stop"}"#);
    for (events, code) in [
        (vec![block(r#"{"type":"text","text":""}"#)], "order"),
        (vec![start.clone(), start.clone()], "order"),
        (vec![start.clone(), delta(r#"{"type":"text_delta","text":"x"}"#)], "order"),
        (vec![start.clone(), stop.clone()], "order"),
        (vec![start.clone(), tool.clone(), tool.clone()], "order"),
        (vec![start.clone(), tool.clone(), delta(r#"{"type":"text_delta","text":"x"}"#)], "unknown-field"),
        (
            vec![start.clone(), block(r#"{"type":"server_tool_use","id":"s","name":"web_search","input":{}}"#)],
            "no-counterpart",
        ),
        (vec![start.clone(), block(r#"{"type":"tool_use","name":"f","input":{}}"#)], "missing"),
        (vec![start.clone(), block(r#"{"type":"tool_use","id":"t","input":{}}"#)], "missing"),
        (vec![start.clone(), block(r#"{"type":"text"}"#), delta(r#"{"type":"text_delta"}"#)], "missing"),
        (vec![start.clone(), tool.clone(), half.clone(), stop.clone(), why("tool_use"), end.clone()], "malformed"),
        (vec![start.clone(), tool.clone(), half.clone(), why("tool_use"), end.clone()], "order"),
        (vec![start.clone(), why("pause_turn")], "unknown-field"),
        (vec![start.clone(), end.clone()], "missing"),
        (vec![event(r#"{"no":"type"}"#)], "missing"),
        (vec![event("[DONE]")], "not-json"),
    ] {
        let text = events.concat();
        let (out, ended) = after(Dialect::Anthropic, &[&text]);
        let End::Fault(fault) = ended else { panic!("{text} {ended:?}") };
        assert_eq!(fault.code(), code, "{text}");
        assert!(out.contains("{\"error\":{") && !out.contains("[DONE]"), "{text}");
    }
    // The bound of the output may cut a call; input that the start told is not lost.
    let (_, ended) = after(Dialect::Anthropic, &[&start, &tool, &half, &stop, &why("max_tokens"), &end]);
    assert_eq!(ended, End::Whole);
    let told = block(r#"{"type":"tool_use","id":"t","name":"f","input":{"a":"\"b\""}}"#);
    let (out, _) = after(Dialect::Anthropic, &[&start, &told, &stop, &why("tool_use"), &end]);
    assert!(out.contains(r#""arguments":"{\"a\":\"\\\"b\\\"\"}""#), "{out}");
}

#[test]
fn an_error_in_the_middle_is_passed_on() {
    let (out, end) = after(
        Dialect::Anthropic,
        &[
            ANTHROPIC[0],
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded \\u00e9\"}}\n\n",
            ANTHROPIC[1],
        ],
    );
    assert_eq!(end, End::Failed);
    assert!(out.ends_with("data: {\"error\":{\"message\":\"Overloaded \\u00e9\",\"type\":\"server_error\",\"param\":null,\"code\":\"server_is_overloaded\"}}\n\n"), "{out}");
    let (out, end) = after(
        Dialect::OpenAi,
        &[OPENAI[0], "data: {\"error\":{\"message\":\"slow\",\"code\":429}}\n\n", "data: [DONE]\n\n"],
    );
    assert_eq!(end, End::Failed);
    assert!(out.ends_with("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"}}\n\n"), "{out}");
    assert!(Stream::new(Dialect::OpenAi, Dialect::OpenAi, stamp()).is_err());
}
