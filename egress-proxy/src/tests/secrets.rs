//! What must not reach the provider, the agent or an error.

use wardkeep_redaction::{Engine, RuleSet, Secret};

use super::harness::{KEY, PASSWORD, Request, Step, TOKEN, World, document};

const DONE: &str = r#"{"id":"msg_1","content":[],"usage":{"input_tokens":1,"output_tokens":1}}"#;

/// A turn whose message is `text`, already written as a JSON string without its quotes.
fn turn(text: &str) -> String {
    format!(r#"{{"model":"sonnet","max_tokens":9,"messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

fn json_escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

#[tokio::test]
async fn no_form_of_a_secret_reaches_the_provider() {
    let world = World::new().await;
    let base64 = data_encoding::BASE64.encode(PASSWORD.as_bytes());
    let unicode: String = PASSWORD.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let forms = [
        ("plain", turn(&format!("it is {} now", json_escaped(PASSWORD)))),
        ("escaped", turn(&unicode)),
        ("base64", turn(&format!("x {base64} y"))),
        ("in a key", format!(r#"{{"model":"sonnet","metadata":{{"{}":1}}}}"#, json_escaped(PASSWORD))),
        ("nested JSON", turn(&json_escaped(&format!("{{\"p\":\"{}\"}}", json_escaped(PASSWORD))))),
        ("the provider's own key", turn(KEY)),
    ];
    for (name, body) in &forms {
        world.provider.document("200 OK", DONE);
        let reply = world.ask(Request::messages(body)).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        let seen = world.provider.seen().pop().unwrap();
        let text = String::from_utf8_lossy(&seen.body).into_owned();
        assert_ne!(text, *body, "{name}: nothing was redacted");
        assert!(text.contains("SECRET_REF("), "{name}: {text}");
        for needle in [PASSWORD, &json_escaped(PASSWORD), &base64, &unicode, KEY] {
            assert!(!text.contains(needle), "{name}: {text}");
        }
        serde_json::from_str::<serde_json::Value>(&text).expect(name);
    }
}

#[tokio::test]
async fn a_value_is_masked_from_the_moment_it_is_stored() {
    const NEW: &str = "stored-a-moment-ago-7Qx2";
    let world = World::new().await;
    let learn = |world: &World| {
        let secrets = [Secret::new("llm_key", KEY), Secret::new("new", NEW)];
        *world.switches.news.lock().unwrap() = Some(Engine::build(secrets, &RuleSet::builtin(), [7; 32]).unwrap());
    };
    learn(&world);
    world.provider.document("200 OK", DONE);
    let request = Request::messages(turn(&format!("it is {NEW}"))).with("x-title", NEW);
    assert_eq!(world.ask(request).await.status, 200);
    let raw = String::from_utf8_lossy(&world.provider.seen().pop().unwrap().raw).into_owned();
    assert!(!raw.contains(NEW) && raw.matches("SECRET_REF(new)").count() == 2, "{raw}");

    let world = World::new().await;
    learn(&world);
    let target = format!("/v1/messages?note={NEW}");
    let reply = world.ask(Request { target: &target, ..Request::messages(turn("Hi")) }).await;
    assert_eq!(reply.refusal(), (400, "secret-in-head"));
}

#[tokio::test]
async fn only_the_key_is_swapped_in_the_headers() {
    let world = World::new().await;
    world.provider.document("200 OK", DONE);
    let named = format!("x-{KEY}");
    let request = Request::messages(turn("Hi"))
        .with("authorization", "Bearer sk-the-agents-own")
        .with("cookie", "session=1")
        .with("anthropic-beta", "tools-2026")
        .with("x-title", &format!("key {KEY}"))
        .with("x-app", "1")
        .with("connection", "x-app")
        .with(&named, "1")
        .with("content-type", "application/json; charset=utf-7")
        .with("accept-encoding", "gzip, br");
    assert_eq!(world.ask(Request { target: "/v1/messages?beta=true", ..request }).await.status, 200);
    let seen = world.provider.seen().pop().unwrap();
    assert_eq!(seen.line, "POST /v1/messages?beta=true HTTP/1.1");
    assert_eq!(seen.headers["x-api-key"], KEY);
    assert_eq!(seen.headers["anthropic-beta"], "tools-2026");
    assert_eq!(seen.headers["x-title"], "key SECRET_REF(llm_key)");
    assert_eq!(seen.headers["content-type"], "application/json");
    assert_eq!(seen.headers["accept-encoding"], "identity");
    // A name has no capital letters any more when it could be scanned.
    for gone in ["authorization", "cookie", "x-app", &named.to_ascii_lowercase()] {
        assert!(!seen.headers.contains_key(gone), "{gone}");
    }
    let raw = String::from_utf8_lossy(&seen.raw).into_owned();
    assert!(!raw.contains(TOKEN), "the local token is no business of the provider");
    assert_eq!(raw.matches(KEY).count(), 1);

    world.provider.document("200 OK", r#"{"usage":{"prompt_tokens":1,"completion_tokens":1}}"#);
    world.ask(Request::completions(r#"{"model":"mini","messages":[]}"#).with("x-api-key", TOKEN)).await;
    let seen = world.provider.seen().pop().unwrap();
    assert_eq!(seen.line, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(seen.headers["authorization"], format!("Bearer {KEY}"));
    assert!(!seen.headers.contains_key("x-api-key"));
}

/// Wherever it is put but where it belongs.
#[tokio::test]
async fn a_token_of_this_server_is_masked_like_any_secret() {
    let world = World::new().await;
    for request in [
        Request::messages(r#"{"model":"sonnet","max_tokens":9,"messages":[]}"#).with("user-agent", TOKEN),
        Request::messages(r#"{"model":"sonnet","max_tokens":9,"messages":[]}"#)
            .with("x-title", &format!("a {TOKEN} b")),
        Request::messages(format!(
            r#"{{"model":"sonnet","max_tokens":9,"messages":[{{"role":"user","content":"{TOKEN}"}}]}}"#
        )),
    ] {
        world.provider.document("200 OK", r#"{"usage":{"input_tokens":1,"output_tokens":1}}"#);
        assert_eq!(world.ask(request).await.status, 200);
        let raw = String::from_utf8_lossy(&world.provider.seen().pop().unwrap().raw).into_owned();
        assert!(!raw.contains(TOKEN) && raw.contains("[REDACTED:"), "{raw}");
    }
}

#[tokio::test]
async fn what_ordinary_clients_say_of_themselves_passes() {
    let world = World::new().await;
    let said = [
        ("user-agent", "Anthropic/JS 0.71.2"),
        ("x-stainless-runtime-version", "v22.11.0"),
        ("x-stainless-retry-count", "0"),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "fine-grained-tool-streaming-2025-05-14,interleaved-thinking-2025-05-14"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("x-request-id", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("openai-organization", "org-AbCdEfGhIjKlMnOpQrStUvWx"),
    ];
    world.provider.document("200 OK", DONE);
    let request = said.iter().fold(Request::messages(turn("Hi")), |request, (name, value)| request.with(name, value));
    assert_eq!(world.ask(request).await.status, 200);
    let seen = world.provider.seen().pop().unwrap();
    for (name, value) in said {
        assert_eq!(seen.headers[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_secret_in_the_address_or_in_a_signed_block_refuses_the_turn() {
    let world = World::new().await;
    let target = format!("/v1/messages?note={KEY}");
    let reply = world.ask(Request { target: &target, ..Request::messages(turn("Hi")) }).await;
    assert_eq!(reply.refusal(), (400, "secret-in-head"));
    for block in ["thinking", "redacted_thinking"] {
        let body = format!(
            r#"{{"model":"sonnet","messages":[{{"role":"assistant","content":[{{"type":"{block}","thinking":"it is {KEY}","signature":"c2ln"}}]}}]}}"#
        );
        let reply = world.ask(Request::messages(body)).await;
        assert_eq!(reply.refusal(), (400, "secret-in-signed-block"), "{}", reply.text());
        assert!(!reply.text().contains(KEY));
    }
    assert!(world.provider.seen().is_empty());
}

#[tokio::test]
async fn a_provider_that_echoes_its_key_does_not_tell_the_agent() {
    let world = World::new().await;
    let echo = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}"}}}}"#);
    let header = format!("x-key: {KEY}\r\nset-cookie: a=b\r\nx-limit: 7\r\n");
    world.provider.answer(vec![Step::Send(document("401 Unauthorized", &header, &echo))]);
    let reply = world.ask(Request::messages(turn("Hi"))).await;
    assert_eq!(reply.status, 401, "the provider's errors keep their status");
    assert_eq!(reply.text(), echo.replace(KEY, "SECRET_REF(llm_key)"));
    assert_eq!(reply.headers["x-limit"], "7");
    assert!(!reply.headers.values().any(|value| value.contains(KEY)));
    assert!(!reply.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn thirty_turns_keep_what_stood_in_the_turn_before() {
    let world = World::new().await;
    let secret = json_escaped(PASSWORD);
    let said = format!("some words of a session, then {secret}, and {} then. ", "words ".repeat(120));
    let mut messages = Vec::new();
    let mut before: Vec<u8> = Vec::new();
    for turn in 0..30 {
        let (half, rest) = secret.split_at(8);
        messages.push(format!(r#"{{"role":"user","content":[{{"type":"text","text":"{turn} {said}{half}"}}]}}"#));
        messages.push(format!(r#"{{"role":"assistant","content":"{rest} {said}"}}"#));
        let body = format!(r#"{{"model":"sonnet","messages":[{}],"max_tokens":9}}"#, messages.join(","));
        world.provider.document("200 OK", DONE);
        assert_eq!(world.ask(Request::messages(&body)).await.status, 200);
        let sent = world.provider.seen().pop().unwrap().body;
        let text = String::from_utf8_lossy(&sent);
        assert!(!text.contains(&secret) && text.matches("SECRET_REF(db_password)").count() == 3 * (turn + 1), "{text}");
        let shared = before.iter().zip(&sent).take_while(|(a, b)| a == b).count();
        // All but `],"max_tokens":9}`.
        assert_eq!(shared, before.len().saturating_sub(17), "turn {turn}");
        before = sent.to_vec();
    }
}
