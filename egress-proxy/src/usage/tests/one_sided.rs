//! Answers that say what one side was and not the other: the other is estimated, never nought.

use super::*;

fn document(account: Account, body: &str) -> Settlement {
    let mut observer = Observer::new(account, Shape::Document);
    observer.feed(&Bytes::copy_from_slice(body.as_bytes()));
    observer.settle(ESTIMATED_INPUT)
}

fn estimated(usage: Usage) -> Settlement {
    Settlement { usage, estimated: true }
}

#[test]
fn a_document_without_its_input() {
    for (account, body, usage) in [
        (Account::Messages, r#"{"content":[],"usage":{"output_tokens":5}}"#, of(ESTIMATED_INPUT, 5, 0, 0, 0)),
        (
            Account::Messages,
            r#"{"content":[],"usage":{"input_tokens":null,"cache_read_input_tokens":700,"output_tokens":5}}"#,
            of(77, 5, 700, 0, 0),
        ),
        (Account::Chat, r#"{"choices":[],"usage":{"completion_tokens":4}}"#, of(ESTIMATED_INPUT, 4, 0, 0, 0)),
        (Account::Responses, r#"{"output":[],"usage":{"output_tokens":6}}"#, of(ESTIMATED_INPUT, 6, 0, 0, 0)),
    ] {
        assert_eq!(document(account, body), estimated(usage), "{body}");
    }
    let gemini = r#"{"candidates":[],"usageMetadata":{"candidatesTokenCount":40,"totalTokenCount":40}}"#;
    assert_eq!(document(Account::Gemini, gemini), estimated(of(ESTIMATED_INPUT, 40, 0, 0, 0)));
}

#[test]
fn a_document_without_its_output() {
    let output = |body: &str| estimate_tokens(body.len() as u64);
    for (account, body) in [
        (Account::Messages, r#"{"content":[],"usage":{"input_tokens":400}}"#),
        (Account::Chat, r#"{"choices":[],"usage":{"prompt_tokens":400}}"#),
        (Account::Chat, r#"{"choices":[],"usage":{"prompt_tokens":400,"completion_tokens":null,"total_tokens":400}}"#),
        (Account::Responses, r#"{"output":[],"usage":{"input_tokens":400}}"#),
        (Account::Gemini, r#"{"candidates":[],"usageMetadata":{"promptTokenCount":400}}"#),
        (Account::Gemini, r#"{"candidates":[],"usageMetadata":{"promptTokenCount":400,"totalTokenCount":399}}"#),
    ] {
        assert_eq!(document(account, body), estimated(of(400, output(body), 0, 0, 0)), "{body}");
    }
}

/// Google leaves out what is nought; its total tells it from what was not said.
#[test]
fn nought_that_was_said_is_nought() {
    for (metadata, usage) in [
        (r#"{"promptTokenCount":10,"totalTokenCount":10}"#, of(10, 0, 0, 0, 0)),
        (r#"{"promptTokenCount":10,"thoughtsTokenCount":7,"totalTokenCount":17}"#, of(10, 7, 0, 0, 7)),
        (r#"{"promptTokenCount":10,"toolUsePromptTokenCount":5,"totalTokenCount":15}"#, of(15, 0, 0, 0, 0)),
        (r#"{"promptTokenCount":10,"totalTokenCount":25}"#, of(10, 15, 0, 0, 0)),
    ] {
        let body = format!(r#"{{"candidates":[],"usageMetadata":{metadata}}}"#);
        assert_eq!(document(Account::Gemini, &body), Settlement { usage, estimated: false }, "{metadata}");
    }
    let nothing = r#"{"content":[],"usage":{"input_tokens":0,"output_tokens":0}}"#;
    assert_eq!(document(Account::Messages, nothing), Settlement { usage: Usage::default(), estimated: false });
}

#[test]
fn a_stream_without_its_input() {
    let end = "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\n";
    let long = format!(
        "data: {{\"type\":\"message_start\",\"message\":{{\"usage\":{{\"input_tokens\":3,\"output_tokens\":1}},\"x\":\"{}\"}}}}\n\n",
        "x".repeat(1 << 20)
    );
    for start in ["", "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n", &long] {
        let seen = after(Account::Messages, &[start, end]);
        assert_eq!(seen, estimated(of(ESTIMATED_INPUT, 9, 0, 0, 0)), "{}", &start[..start.len().min(60)]);
    }
    let told = "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":4,\"output_tokens\":9}}\n\n";
    assert_eq!(after(Account::Messages, &[told]), Settlement { usage: of(4, 9, 0, 0, 0), estimated: false });
    let chat = "data: {\"choices\":[],\"usage\":{\"completion_tokens\":9}}\n\n";
    assert_eq!(after(Account::Chat, &[chat, "data: [DONE]\n\n"]), estimated(of(ESTIMATED_INPUT, 9, 0, 0, 0)));
}

#[test]
fn a_stream_without_its_output() {
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"12345678\"}}]}\n\n";
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":400,\"total_tokens\":400}}\n\n";
    let seen = after(Account::Chat, &[text, usage, "data: [DONE]\n\n"]);
    assert_eq!(seen, estimated(of(400, 2, 0, 0, 0)));
    let gemini = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"12345678\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":400}}\n\n";
    assert_eq!(after(Account::Gemini, &[gemini]), estimated(of(400, 2, 0, 0, 0)));
}
