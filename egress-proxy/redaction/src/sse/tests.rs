use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Engine, RuleSet, Secret};

const TOKEN: &str = "q9x2mn7pk4rt8wy1cv5b";
const QUOTED: &str = "pa\"ss\\wörd/1 of two";

fn engine() -> &'static Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE.get_or_init(|| {
        let secrets = [("token", TOKEN), ("quoted", QUOTED)].map(|(name, value)| Secret::new(name, value));
        Engine::build(secrets, &RuleSet::builtin(), [7; 32]).unwrap()
    })
}

fn redacted(text: &str) -> String {
    engine().redact(text).text.into_owned()
}

fn line(event: &Value) -> String {
    format!("data: {event}\n\n")
}

/// The way of OpenAI's chat completions.
fn chat(piece: &str) -> Value {
    json!({"id": "chatcmpl-1", "model": "m", "choices": [{"index": 0, "delta": {"content": piece}}]})
}

/// Tool arguments, the way of Anthropic's messages.
fn arguments(block: usize, piece: &str) -> Value {
    json!({"type": "content_block_delta", "index": block, "delta": {"type": "input_json_delta", "partial_json": piece}})
}

fn pieces(text: &str, sizes: &[usize]) -> Vec<String> {
    let mut sizes = sizes.iter().cycle();
    let (mut out, mut rest) = (Vec::new(), text.chars().peekable());
    while rest.peek().is_some() {
        out.push(rest.by_ref().take(*sizes.next().unwrap()).collect());
    }
    out
}

fn stream(events: impl IntoIterator<Item = Value>) -> String {
    let lines: String = events.into_iter().map(|event| line(&event)).collect();
    format!("before it\n{lines}data: [DONE]\n\nafter it\n")
}

/// The strings at `place` of all events, joined, and every event still JSON.
fn joined(text: &str, place: &str) -> String {
    assert!(text.starts_with("before it\n") && text.ends_with("data: [DONE]\n\nafter it\n"), "{text}");
    let events = text.lines().filter_map(|line| line.strip_prefix("data: {"));
    let events = events.map(|rest| serde_json::from_str::<Value>(&format!("{{{rest}")).unwrap());
    events.filter_map(|event| event.pointer(place)?.as_str().map(str::to_owned)).collect()
}

#[test]
fn a_value_cut_over_events_is_one() {
    for sizes in [&[1][..], &[2], &[3, 1, 7], &[5, 2], &[100]] {
        for (value, name) in [(TOKEN, "token"), (QUOTED, "quoted")] {
            let text = stream(pieces(&format!("key {value} ok"), sizes).iter().map(|piece| chat(piece)));
            let out = redacted(&text);
            assert_eq!(joined(&out, "/choices/0/delta/content"), format!("key SECRET_REF({name}) ok"), "{out}");
            assert_eq!(joined(&out, "/model"), joined(&text, "/model"));

            let call = json!({"command": format!("echo {value}")}).to_string();
            let text = stream(pieces(&call, sizes).iter().map(|piece| arguments(1, piece)));
            let out = joined(&redacted(&text), "/delta/partial_json");
            assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["command"], format!("echo SECRET_REF({name})"));
        }
    }
}

#[test]
fn texts_that_come_by_turns_are_told_apart() {
    let by_turns = |make: &dyn Fn(usize, &str) -> Value| {
        let (a, b) = (pieces(&format!("first {TOKEN}"), &[3]), pieces(&format!("second {TOKEN}"), &[3]));
        let events = a.iter().zip(&b).flat_map(|(a, b)| [make(0, a), make(1, b)]).collect::<Vec<_>>();
        let out = redacted(&stream(events));
        joined(&out, "/text") + &joined(&out, "/b/text") + &joined(&out, "/list/0/text")
    };
    let letters = |out: &str| out.matches(|c: char| c.is_ascii_digit()).count();
    for make in [
        &(|n, text: &str| json!({"index": n, "text": text})) as &dyn Fn(usize, &str) -> Value,
        &|n, text| json!({"text": text, "output_index": n}),
        &|n, text| json!({"text": text, "blockIndex": n}),
        &|n, text| json!({"type": (["text", "thinking"][n]), "text": text}),
        &|n, text| json!({"item_id": format!("x{n}"), "text": text}),
        &|n, text| json!({"id": n, "text": text}),
        &|n, text| json!({"b": {"text": text}, "meta": {"id": 1}, "toolCallId": n}),
        &|n, text| json!({"list": [{"text": text, "index": n}], "id": "x"}),
    ] {
        let out = by_turns(make);
        assert_eq!((out.matches("SECRET_REF(token)").count(), letters(&out)), (2, 0), "{out}");
    }
    // An identifier that is new in each event tells nothing apart.
    let events = pieces(TOKEN, &[3]).into_iter().enumerate().map(|(n, text)| json!({"id": n, "text": text}));
    assert_eq!(joined(&redacted(&stream(events)), "/text"), "SECRET_REF(token)");
}

#[test]
fn many_texts_by_turns_are_waited_for() {
    let parts = pieces(&format!("one of many: {TOKEN}"), &[3]);
    let turns = parts.iter().flat_map(|part| (0..20).map(move |n| json!({"index": n, "text": part})));
    let out = joined(&redacted(&stream(turns)), "/text");
    assert_eq!((out.matches("SECRET_REF(token)").count(), out.contains("mn7")), (20, false), "{out}");
}

#[test]
fn a_stream_is_some_events_behind_and_no_more() {
    let mut stream = engine().stream();
    let start =
        json!({"type": "message_start", "message": {"id": "msg_01x", "role": "assistant", "model": "some-model"}});
    stream.push(line(&start).as_bytes());
    for (n, piece) in pieces(&"The quick brown fox jumps over it. ".repeat(9), &[4]).iter().enumerate() {
        let event = line(&chat(piece));
        stream.push(event.as_bytes());
        let most = if n < 8 { 12 } else { 4 };
        assert!(stream.held_back() <= most * event.len(), "{n}: {}", stream.held_back());
    }
}

#[test]
fn rules_see_the_joined_text_and_tags_stay_equal() {
    let plain = redacted("my password=hunter22xyz\n");
    let text = stream(pieces("my password=hunter22xyz\n", &[4]).iter().map(|piece| chat(piece)));
    assert_eq!(joined(&redacted(&text), "/choices/0/delta/content"), plain);
    let token = "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB";
    let text = stream(pieces(&format!("{token} and"), &[6]).iter().map(|piece| chat(piece)));
    let out = joined(&redacted(&text), "/choices/0/delta/content");
    assert!(!out.contains("ghijklmn") && out.contains("[REDACTED:"), "{out}");
}

#[test]
fn what_is_no_event_is_plain_text() {
    // Less than a half each: two halves are found in plain text.
    let (a, b) = TOKEN.split_at(4);
    for apart in [
        format!("data: {{\"a\": \"{a}\"\n\ndata: {{\"a\": \"{b}\"\n\n"),
        format!("xdata: {{\"a\": \"{a}\"}}\n\nxdata: {{\"a\": \"{b}\"}}\n\n"),
        format!("datum: {{\"a\": \"{a}\"}}\n\ndatum: {{\"a\": \"{b}\"}}\n\n"),
        format!("data: {{\"a\": \"{a}\"}}\n\ndata: {{\"b\": \"{b}\"}}\n\n"),
        format!("data: {{\"a\": \"{a}\"}} x\n\ndata: {{\"a\": \"{b}\"}} x\n\n"),
        ": comment\n\ndata: [DONE]\nevent: data\nid: 1\nretry: 10\ndata:\ndata: \ndata".to_owned(),
    ] {
        assert_eq!(redacted(&apart), apart);
    }
    let whole = format!("data: {{\"a\": \"{TOKEN}\"\n\ndata: {TOKEN}\n");
    assert_eq!(redacted(&whole), whole.replace(TOKEN, "SECRET_REF(token)"));
}

#[test]
fn lines_may_end_and_begin_in_every_legal_way() {
    let (a, b) = TOKEN.split_at(10);
    for (end, space) in [("\n", ""), ("\r\n", " "), ("\r", "\t"), ("\n\n", "  "), ("\r\n\r\n", " ")] {
        let text = format!("data:{space}{{\"a\":\"{a}\"}}{end}event: x{end}data:{space}{{\"a\" : \"{b}!\"}}");
        let wanted = text.replace(a, "SECRET_REF(token)").replace(b, "");
        assert_eq!(redacted(&text), wanted, "{end:?}");
    }
    assert_eq!(redacted(&format!("data: \"{a}\"\ndata: \"{b}\"")), "data: \"SECRET_REF(token)\"\ndata: \"\"");
}

#[test]
fn beyond_the_bounds_what_is_left_still_goes() {
    // The first piece waits for longer than any event may be held back; the others are known when they come.
    let (a, b) = TOKEN.split_at(10);
    let quiet = |n: usize| json!({ "other": n }).to_string();
    let fill: String = (0..100).map(|n| format!("data: {}\n", quiet(n))).collect();
    let text = format!("data: {{\"a\":\"{a}\"}}\n{fill}data: {{\"a\":\"{b}\"}}\n");
    assert_eq!(redacted(&text), text.replace(b, "SECRET_REF(token)"));
    let fill = format!("data: {{\"other\":\"{}\"}}\n", ". ".repeat(super::HELD / 2));
    let text = format!("data: {{\"a\":\"{a}\"}}\n{fill}data: {{\"a\":\"{b}\"}}\n");
    assert_eq!(redacted(&text), text.replace(b, "SECRET_REF(token)"));
    // More texts than are joined: the one that has waited longest is ended.
    let fill: String = (0..super::CHANNELS).map(|n| format!("\"x{n}\":\"y\",")).collect();
    let text = format!("data: {{\"a\":\"{a}\"}}\ndata: {{{fill}\"y\":0}}\ndata: {{\"a\":\"{b}\"}}\n");
    assert_eq!(redacted(&text), text);
    // A line too long to be an event is searched as it is.
    let long = "long ".repeat(super::EVENT / 5);
    let text = format!("data: {{\"a\":\"{a}\",\"b\":\"{long}\",\"c\":\"{TOKEN}\"}}\ndata: {{\"a\":\"{b}\"}}\n");
    assert_eq!(redacted(&text), text.replace(TOKEN, "SECRET_REF(token)"));
}

fn event() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        (0..TOKEN.len(), 0..=TOKEN.len()).prop_map(|(a, b)| TOKEN[a.min(b)..a.max(b)].to_owned()),
        prop::sample::select(vec!["", "key ", "\n", "password=", "hunter22x", "sk-ant-api03-", "é", "\\u0071", "\""])
            .prop_map(str::to_owned),
    ];
    (piece, 0_usize..7).prop_map(|(piece, kind)| match kind {
        0..2 => line(&chat(&piece)),
        2 => format!("event: content_block_delta\r\ndata: {}\r\n\r\n", arguments(1, &piece)),
        3 => line(&arguments(2, &piece)),
        4 => format!("data: {{\"cut\": \"{piece}\n"),
        5 => format!("data: [DONE]\n: {piece}\n"),
        _ => piece,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn cutting_the_input_changes_nothing(
        events in prop::collection::vec(event(), 0..12),
        cut in (0_usize..60, 0_usize..60),
        cuts in prop::collection::vec(1_usize..90, 1..30),
    ) {
        let (a, b) = TOKEN.split_at(TOKEN.len() * cut.0 / 60);
        let split = line(&chat(a)) + &": ping\n".repeat(cut.1) + &line(&chat(b));
        let text = events.concat() + &split + &events.concat();
        let whole = engine().redact(&text);
        prop_assert!(!joined_content(&whole.text).contains(TOKEN));
        let mut stream = engine().stream();
        let (mut out, mut rest, mut sizes) = (Vec::new(), text.as_bytes(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            stream.push_into(piece, &mut out);
            rest = after;
        }
        out.extend(stream.finish());
        prop_assert_eq!(String::from_utf8_lossy(&out), whole.text);
    }
}

fn joined_content(text: &str) -> String {
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    events.filter_map(|event| event.pointer("/choices/0/delta/content")?.as_str().map(str::to_owned)).collect()
}
