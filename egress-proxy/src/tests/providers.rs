//! Providers that want to be asked in ways of their own.

use wardkeep_policy::bundle::llm::{ProviderDraft, SigV4};
use wardkeep_policy::{Auth, Dialect, LlmConfig, Provider};

use super::harness::{AWS_ID, AWS_SECRET, KEY, Request, Step, TOKEN, World, document};
use crate::frames::tests as frames;
use crate::usage::tests::{ANTHROPIC, anthropic_accounts};

/// A world whose providers of `dialect` are of this kind, at the address of the script.
async fn world(dialect: Dialect, kind: &str, more: &str) -> World {
    let world = World::new().await;
    let address = world.provider.address;
    let lines = format!("name = \"x\"\nkind = \"{kind}\"\nbase_url = \"http://{address}\"\n{more}");
    let made = toml::from_str::<ProviderDraft>(&lines).expect("TOML").resolve().expect("a provider");
    assert_eq!(made.dialect, dialect);
    world.change(|bundle| {
        for provider in bundle.llm.providers.iter_mut().filter(|provider| provider.dialect == dialect) {
            *provider = Provider { name: provider.name.clone(), ..made.clone() };
        }
        // One of the others is wrong on purpose.
        LlmConfig { providers: vec![made], models: Vec::new(), ..LlmConfig::default() }.check().expect("sound");
    });
    world
}

const CHAT: &str = r#"{"model":"mini","stream":true,"messages":[]}"#;
const TURN: &str = r#"{"model":"sonnet","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
const DONE: &str = r#"{"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;

#[tokio::test]
async fn azure_in_both_of_its_ways() {
    for (kind, more, line) in [
        ("azure", "key = \"llm_key\"", "POST /openai/v1/chat/completions?trace=1 HTTP/1.1"),
        (
            "azure-deployments",
            "key = \"llm_key\"\nquery = { api-version = \"2024-10-21\" }",
            "POST /openai/deployments/mini-20260101/chat/completions?trace=1&api-version=2024-10-21 HTTP/1.1",
        ),
    ] {
        let world = world(Dialect::OpenAi, kind, more).await;
        world.provider.document("200 OK", DONE);
        let target = "/v1/chat/completions?trace=1";
        assert_eq!(world.ask(Request { target, ..Request::completions(CHAT) }).await.status, 200);
        let seen = world.provider.seen().pop().unwrap();
        assert_eq!((seen.line.as_str(), seen.headers["api-key"].as_str()), (line, KEY));
        assert!(!seen.headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn compatible_providers_differ_in_little() {
    let world = world(Dialect::OpenAi, "mistral", "key = \"llm_key\"").await;
    world.provider.document("200 OK", DONE);
    assert_eq!(world.ask(Request::completions(CHAT)).await.status, 200);
    let seen = world.provider.seen().pop().unwrap();
    assert!(!String::from_utf8_lossy(&seen.body).contains("stream_options"), "it refuses what it does not know");

    let world = self::world(
        Dialect::OpenAi,
        "openrouter",
        "key = \"llm_key\"\nheaders = { http-referer = \"https://shop.example\" }",
    )
    .await;
    world.provider.document("200 OK", DONE);
    let request = Request::completions(CHAT).with("http-referer", "https://mine.example");
    assert_eq!(world.ask(request).await.status, 200);
    assert_eq!(world.provider.seen().pop().unwrap().headers["http-referer"], "https://shop.example");
    let around = r#"{"model":"mini","models":["openai/gpt-9"],"messages":[]}"#;
    let reply = world.ask(Request::completions(around)).await;
    assert_eq!(reply.refusal(), (400, "invalid-body"));
    assert!(reply.text().contains("`models`"), "{}", reply.text());

    let world = self::world(Dialect::OpenAi, "ollama", "").await;
    world.provider.document("200 OK", DONE);
    assert_eq!(world.ask(Request::completions(CHAT)).await.status, 200);
    let seen = world.provider.seen().pop().unwrap();
    assert_eq!(seen.line, "POST /v1/chat/completions HTTP/1.1");
    assert!(!seen.headers.contains_key("authorization"), "a provider of this machine gets no key");
}

const SIGNED: &str =
    "auth = { sigv4 = { region = \"eu-central-1\", access_key_id = \"aws_id\", secret_access_key = \"aws_secret\" } }";

#[tokio::test]
async fn bedrock_is_signed_and_its_frames_become_events() {
    let mut world = world(Dialect::Anthropic, "bedrock", SIGNED).await;
    let events: Vec<&str> = ANTHROPIC.iter().map(|event| event.split_once("data: ").unwrap().1.trim_end()).collect();
    let body: Vec<u8> = events.iter().flat_map(|event| frames::chunk(event)).collect();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\nconnection: close\r\nx-amzn-requestid: r1\r\n\r\n";
    world.provider.answer(
        std::iter::once(Step::Send(head.as_bytes().to_vec()))
            .chain(body.chunks(11).map(|piece| Step::Send(piece.to_vec())))
            .collect(),
    );
    let request =
        Request::messages(TURN).with("anthropic-beta", "tools-2026, \"thinking\"").with("accept", "application/json");
    let reply = world.ask(request).await;
    assert_eq!((reply.status, reply.complete), (200, true));
    assert_eq!(reply.headers["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(reply.text(), ANTHROPIC.concat(), "as the provider itself would have streamed it");
    let amounts = world.amounts(1).await;
    let (usage, _) = anthropic_accounts()[ANTHROPIC.len()];
    assert_eq!(
        (amounts.input_tokens, amounts.output_tokens, amounts.estimated_requests),
        (usage.input, usage.output, 0)
    );

    let seen = world.provider.seen().pop().unwrap();
    assert_eq!(seen.line, "POST /model/sonnet-20260101/invoke-with-response-stream HTTP/1.1");
    let want = r#"{"max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["tools-2026","\"thinking\""]}"#;
    assert_eq!(String::from_utf8_lossy(&seen.body), want);
    let signature = &seen.headers["authorization"];
    assert!(
        signature
            .starts_with(&format!("AWS4-HMAC-SHA256 Credential={AWS_ID}/19700101/eu-central-1/bedrock/aws4_request, ")),
        "{signature}"
    );
    assert_eq!(
        (seen.headers["x-amz-date"].as_str(), seen.headers["host"].as_str()),
        ("19700101T120000Z", world.provider.address.to_string().as_str())
    );
    let raw = String::from_utf8_lossy(&seen.raw).into_owned();
    for absent in ["x-api-key", "anthropic-beta:", "accept:", AWS_SECRET, TOKEN] {
        assert!(!raw.contains(absent), "{absent}: {raw}");
    }
}

#[tokio::test]
async fn a_stream_of_frames_that_breaks_says_so_in_the_callers_words() {
    let garbled = [
        frames::chunk(r#"{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}"#),
        vec![0xff; 64],
    ]
    .concat();
    let half = frames::chunk(r#"{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}"#);
    let half = [half.clone(), half[..30].to_vec()].concat();
    for (name, body) in [("garbled", garbled), ("cut", half)] {
        let mut world = world(Dialect::Anthropic, "bedrock", SIGNED).await;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\nconnection: close\r\n\r\n";
        world.provider.answer(vec![Step::Send([head.as_bytes(), &body].concat())]);
        let reply = world.ask(Request::messages(TURN)).await;
        assert!(
            reply.text().contains("event: error\ndata: {\"type\":\"error\"") && !reply.complete,
            "{name}: {}",
            reply.text()
        );
        assert_eq!(world.amounts(1).await.estimated_requests, 1, "{name}");
    }
}

#[tokio::test]
async fn errors_of_another_shape_are_told_in_the_callers_words() {
    let world = world(Dialect::Anthropic, "bedrock", SIGNED).await;
    let error = format!(r#"{{"message":"The security token {AWS_SECRET} is invalid"}}"#);
    world.provider.answer(vec![Step::Send(document("403 Forbidden", "", &error))]);
    let reply = world.ask(Request::messages(TURN)).await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.json()["error"]["type"], "permission_error");
    assert_eq!(
        reply.json()["error"]["message"],
        "the provider answered: The security token SECRET_REF(aws_secret) is invalid"
    );
    let world = self::world(Dialect::Anthropic, "bedrock", &SIGNED.replace("aws_secret\"", "aws_other\"")).await;
    assert_eq!(world.ask(Request::messages(TURN)).await.refusal(), (400, "no-key"));
    assert!(world.provider.seen().is_empty());
}

#[tokio::test]
async fn counting_is_refused_where_it_is_not_served() {
    let world = world(Dialect::Anthropic, "bedrock", SIGNED).await;
    let count =
        Request { target: "/v1/messages/count_tokens", ..Request::messages(r#"{"model":"sonnet","messages":[]}"#) };
    assert_eq!(world.ask(count).await.refusal(), (400, "not-served"));
    let plain = r#"{"model":"sonnet","max_tokens":9,"messages":[]}"#;
    world.provider.document("200 OK", r#"{"content":[],"usage":{"input_tokens":1,"output_tokens":1}}"#);
    assert_eq!(world.ask(Request::messages(plain)).await.status, 200);
    assert_eq!(world.provider.seen().pop().unwrap().line, "POST /model/sonnet-20260101/invoke HTTP/1.1");
    let provider = world.bundle.borrow().llm.providers[0].clone();
    let Some(Auth::Sigv4(SigV4 { service, .. })) = provider.auth else { panic!("{:?}", provider.auth) };
    assert_eq!(service, "bedrock");
}
