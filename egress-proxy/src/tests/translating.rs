//! A caller of one API and a model of another: what is said, what is refused, and what is paid.

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use wardkeep_policy::Dialect;
use wardkeep_policy::bundle::llm::ProviderDraft;
use wardkeep_proto::waypoint::Waypoint;

use super::harness::{KEY, PASSWORD, Request, Step, TOKEN, World, chunk, document, gated, streamed};
use super::relaying::read_until;
use crate::Amounts;
use crate::api::Account;
use crate::meter::Settlement;
use crate::translate::tests::recorded::{ANTHROPIC, OPENAI};
use crate::usage::{Observer, Shape};

/// Each pair: an `OpenAI` client of an Anthropic model, and the reverse.
const PAIRS: [(Dialect, &[&str]); 2] = [(Dialect::Anthropic, ANTHROPIC), (Dialect::OpenAi, OPENAI)];

const CLAUDE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"I look."},{"type":"tool_use","id":"toolu_1","name":"ls","input":{"path": "/srv"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":4,"output_tokens":7}}"#;
const GPT: &str = r#"{"id":"c-1","object":"chat.completion","created":1,"model":"gpt-x","choices":[{"index":0,"message":{"role":"assistant","content":"I look.","tool_calls":[{"id":"call_1","type":"function","function":{"name":"ls","arguments":"{\"path\": \"/srv\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":114,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":100}}}"#;

/// A short turn of a client whose model's provider speaks `provider`.
fn turn(provider: Dialect, streams: bool) -> Request<'static> {
    let stream = if streams { r#""stream":true,"# } else { "" };
    let said = r#""messages":[{"role":"user","content":"Hi"}]"#;
    match provider {
        Dialect::Anthropic => {
            let usage = if streams { r#""stream_options":{"include_usage":true},"# } else { "" };
            Request::completions(format!(r#"{{"model":"sonnet",{stream}{usage}{said}}}"#))
        }
        _ => Request::messages(format!(r#"{{"model":"mini","max_tokens":9,{stream}{said}}}"#)),
    }
}

fn answer(provider: Dialect) -> &'static str {
    if provider == Dialect::Anthropic { CLAUDE } else { GPT }
}

fn sent(world: &World) -> Value {
    serde_json::from_slice(&world.provider.seen().pop().expect("a request").body).expect("JSON")
}

/// What the meter must say of these events of the provider's own API.
fn account(provider: Dialect, events: &[&str], estimated_input: u64) -> Settlement {
    let account = if provider == Dialect::Anthropic { Account::Messages } else { Account::Chat };
    let mut observer = Observer::new(account, Shape::Events);
    events.iter().for_each(|event| observer.feed(&event.as_bytes().to_vec().into()));
    observer.settle(estimated_input)
}

fn assert_paid(amounts: &Amounts, want: &Settlement, name: &str) {
    let usage = want.usage;
    assert_eq!(
        (amounts.input_tokens, amounts.output_tokens, amounts.cache_read_tokens, amounts.cache_write_tokens),
        (usage.input, usage.output, usage.cache_read, usage.cache_write),
        "{name}"
    );
    assert_eq!((amounts.requests, amounts.estimated_requests), (1, u64::from(want.estimated)), "{name}");
}

#[tokio::test]
async fn an_openai_client_has_tools_and_images_of_an_anthropic_model() {
    let mut world = World::new().await;
    let answer = document("200 OK", "anthropic-organization-id: o\r\n", CLAUDE);
    world.provider.answer(vec![Step::Send(answer)]);
    let body = json!({
        "model": "sonnet",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_9", "type": "function", "function": {"name": "ls", "arguments": "{\"path\": \"/\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_9", "content": "srv"},
        ],
        "tools": [{"type": "function", "function": {"name": "ls", "parameters": {"type": "object"}}}],
    });
    let request = Request::completions(body.to_string()).with("openai-beta", "x=1");
    let reply = world.ask(Request { target: "/v1/chat/completions?trace=1", ..request }).await;
    let seen = world.provider.seen().pop().unwrap();
    assert_eq!(seen.line, "POST /v1/messages HTTP/1.1");
    assert_eq!((seen.headers["x-api-key"].as_str(), seen.headers["anthropic-version"].as_str()), (KEY, "2023-06-01"));
    assert!(!seen.headers.contains_key("openai-beta") && !seen.headers.contains_key("authorization"));
    assert!(!String::from_utf8_lossy(&seen.raw).contains(TOKEN));
    let want = json!({
        "model": "sonnet-20260101",
        "max_tokens": 32000,
        "system": "Be brief.",
        "tools": [{"name": "ls", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "Look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            ]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "call_9", "name": "ls", "input": {"path": "/"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_9", "content": "srv"}]},
        ],
    });
    assert_eq!(sent(&world), want);

    assert_eq!((reply.status, reply.headers["content-type"].as_str()), (200, "application/json"));
    assert_eq!((reply.headers["x-request-id"].as_str(), reply.complete), ("req_7", true));
    let told = reply.json();
    assert_eq!(
        (&told["object"], &told["choices"][0]["message"]["content"]),
        (&"chat.completion".into(), &"I look.".into())
    );
    let call = &told["choices"][0]["message"]["tool_calls"][0];
    assert_eq!((&call["id"], &call["function"]["arguments"]), (&"toolu_1".into(), &r#"{"path": "/srv"}"#.into()));
    assert_eq!((&told["usage"]["prompt_tokens"], &told["usage"]["completion_tokens"]), (&114.into(), &7.into()));
    // What is paid is what the provider itself said.
    let amounts = world.amounts(1).await;
    assert_eq!((amounts.input_tokens, amounts.cache_read_tokens, amounts.cache_write_tokens), (10, 100, 4));
    assert_eq!((amounts.output_tokens, amounts.cost_micros), (7, 30 + 105 + 30 + 15));
    let passed = world.switches.passed.lock().unwrap().clone();
    assert_eq!(
        passed,
        [Waypoint::LlmAdmitted, Waypoint::LlmRelayed, Waypoint::UsageRecorded],
        "paid before it is told"
    );
}

#[tokio::test]
async fn an_anthropic_client_has_tools_of_an_openai_model() {
    let mut world = World::new().await;
    world.provider.document("200 OK", GPT);
    let body = json!({
        "model": "mini",
        "max_tokens": 64,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "ls", "description": "lists", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "Look"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_9", "name": "ls", "input": {"path": "/"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_9", "content": "srv"}]},
        ],
    });
    let request = Request::messages(body.to_string()).with("anthropic-beta", "tools-2026");
    let reply = world.ask(Request { target: "/v1/messages?beta=true", ..request }).await;
    let seen = world.provider.seen().pop().unwrap();
    assert_eq!(
        (seen.line.as_str(), seen.headers["authorization"].as_str()),
        ("POST /v1/chat/completions HTTP/1.1", &*format!("Bearer {KEY}"))
    );
    assert!(!seen.headers.keys().any(|name| name.starts_with("anthropic")));
    let sent = sent(&world);
    assert_eq!((&sent["model"], &sent["max_completion_tokens"]), (&"mini-20260101".into(), &64.into()));
    assert_eq!(sent["messages"][2]["tool_calls"][0]["function"]["arguments"], r#"{"path":"/"}"#);
    assert_eq!(
        (&sent["messages"][3]["role"], &sent["messages"][3]["tool_call_id"]),
        (&"tool".into(), &"toolu_9".into())
    );
    let told = reply.json();
    assert_eq!((reply.status, &told["type"], &told["stop_reason"]), (200, &"message".into(), &"tool_use".into()));
    assert_eq!(
        told["content"][1],
        json!({"type": "tool_use", "id": "call_1", "name": "ls", "input": {"path": "/srv"}})
    );
    assert_eq!((&told["usage"]["input_tokens"], &told["usage"]["cache_read_input_tokens"]), (&14.into(), &100.into()));
    assert_eq!(reply.headers["request-id"], "req_7");
    let amounts = world.amounts(1).await;
    assert_eq!((amounts.input_tokens, amounts.cache_read_tokens, amounts.output_tokens), (14, 100, 7));
}

#[tokio::test]
async fn streams_are_told_as_they_come_and_paid_before_they_end() {
    for (provider, events) in PAIRS {
        let mut world = World::new().await;
        let (steps, gates) = gated(events);
        world.provider.answer(steps);
        let mut agent = world.connect(&turn(provider, true)).await;
        let mut stream = crate::translate::Stream::new(provider, caller(provider), stamp()).unwrap();
        let mut want = String::new();
        let mut raw = Vec::new();
        for (event, open) in events.iter().zip(gates) {
            want.push_str(&String::from_utf8_lossy(&stream.push(event.as_bytes())));
            while memchr::memmem::find(&raw, b"\r\n\r\n").is_none()
                || super::harness::Reply::parse(&raw).body.len() < want.len()
            {
                assert_ne!(agent.read_buf(&mut raw).await.unwrap(), 0, "{want}");
            }
            open.send(()).unwrap();
        }
        agent.read_to_end(&mut raw).await.unwrap();
        let reply = super::harness::Reply::parse(&raw);
        let passed = world.switches.passed.lock().unwrap().clone();
        assert_eq!(passed, [Waypoint::LlmAdmitted, Waypoint::LlmRelayed, Waypoint::UsageRecorded]);
        assert_eq!((reply.status, reply.complete, reply.text()), (200, true, want));
        assert_eq!(reply.headers["content-type"], "text/event-stream; charset=utf-8");
        assert_paid(&world.amounts(1).await, &account(provider, events, 0), "whole");
        assert_eq!(sent(&world)["stream"], true);
    }
}

fn caller(provider: Dialect) -> Dialect {
    if provider == Dialect::OpenAi { Dialect::Anthropic } else { Dialect::OpenAi }
}

#[tokio::test]
async fn usage_is_shown_only_to_who_asked() {
    let world = World::new().await;
    for (options, shown) in [
        ("", false),
        (r#""stream_options":{"include_usage":false},"#, false),
        (r#""stream_options":{"include_usage":true},"#, true),
    ] {
        world.provider.answer(streamed(ANTHROPIC, [Step::Send(chunk(""))]));
        let body =
            format!(r#"{{"model":"sonnet","stream":true,{options}"messages":[{{"role":"user","content":"Hi"}}]}}"#);
        let reply = world.ask(Request::completions(body)).await;
        assert_eq!(reply.text().contains("\"prompt_tokens\":1133"), shown, "{options}");
        assert!(reply.complete && reply.text().ends_with("data: [DONE]\n\n"));
    }
}

#[tokio::test]
async fn an_agent_that_leaves_a_translated_stream_is_charged_for_what_the_provider_sent() {
    for (provider, events) in PAIRS {
        for count in 1..=events.len() {
            let mut stream = crate::translate::Stream::new(provider, caller(provider), stamp()).unwrap();
            let told: usize = events[..count].iter().map(|event| stream.push(event.as_bytes()).len()).sum();
            let before: usize = {
                let mut stream = crate::translate::Stream::new(provider, caller(provider), stamp()).unwrap();
                events[..count - 1].iter().map(|event| stream.push(event.as_bytes()).len()).sum()
            };
            // What is not told cannot be waited for.
            if told == before {
                continue;
            }
            let mut world = World::new().await;
            world.provider.answer(streamed(&events[..count], [Step::Silence]));
            let mut agent = world.connect(&turn(provider, true)).await;
            read_until(&mut agent, told).await;
            drop(agent);
            let estimate = (world.provider.seen()[0].body.len() as u64).div_ceil(4);
            let want = account(provider, &events[..count], estimate);
            assert_paid(&world.amounts(1).await, &want, &format!("{provider:?}, {count} events"));
            world.provider.left.wait_for(|left| *left == 1).await.unwrap();
        }
    }
}

/// What the recorded answers do not say of themselves; noon of the first day is when all tests are.
fn stamp() -> crate::translate::Stamp {
    crate::translate::Stamp { id: "unused".to_owned(), model: "unused".to_owned(), created: 12 * 3600, usage: true }
}

#[tokio::test]
async fn a_translated_stream_that_breaks_says_so_and_does_not_look_complete() {
    for (provider, events) in PAIRS {
        let half = &events[3][..events[3].len() / 2];
        for (name, taken, more, last) in [
            ("reset", 3, "", Some(Step::Reset)),
            ("reset within an event", 3, half, Some(Step::Reset)),
            ("ended early", 3, "", None),
        ] {
            let mut world = World::new().await;
            let (go, wait) = tokio::sync::oneshot::channel();
            let mut steps = streamed(&events[..taken], []);
            if !more.is_empty() {
                steps.push(Step::Send(chunk(more)));
            }
            steps.push(Step::Wait(wait));
            steps.push(last.unwrap_or_else(|| Step::Send(chunk(""))));
            world.provider.answer(steps);
            let mut agent = world.connect(&turn(provider, true)).await;
            read_until(&mut agent, 1).await;
            go.send(()).unwrap();
            let mut rest = Vec::new();
            let _ = agent.read_to_end(&mut rest).await;
            let rest = String::from_utf8_lossy(&rest).into_owned();
            let error = match caller(provider) {
                Dialect::Anthropic => "event: error\ndata: {\"type\":\"error\",\"error\":{",
                _ => "data: {\"error\":{\"message\":",
            };
            assert!(rest.contains(error), "{name}: {rest}");
            assert!(!rest.ends_with("0\r\n\r\n"), "{name}: no ending may be taken for the end");
            assert_eq!(world.amounts(1).await.estimated_requests, 1, "{name}");
        }
        // After the last event nothing can be added, and nothing is missing.
        let mut world = World::new().await;
        let (go, wait) = tokio::sync::oneshot::channel();
        world.provider.answer(streamed(events, [Step::Wait(wait), Step::Reset]));
        let mut stream = crate::translate::Stream::new(provider, caller(provider), stamp()).unwrap();
        let told = stream.push(events.concat().as_bytes());
        let mut agent = world.connect(&turn(provider, true)).await;
        read_until(&mut agent, told.len()).await;
        go.send(()).unwrap();
        let mut rest = Vec::new();
        agent.read_to_end(&mut rest).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&rest), "0\r\n\r\n");
        assert_paid(&world.amounts(1).await, &account(provider, events, 0), "reset after the end");
    }
}

#[tokio::test]
async fn errors_are_told_in_the_callers_words_without_secrets() {
    let mut world = World::new().await;
    let anthropic =
        |kind: &str, text: &str| json!({"type": "error", "error": {"type": kind, "message": text}}).to_string();
    let openai = |code: &str, text: &str| {
        json!({"error": {"message": text, "type": "x", "param": null, "code": code}}).to_string()
    };
    let key = format!("wrong key {KEY}");
    let cases = [
        (Dialect::Anthropic, 529, anthropic("overloaded_error", "Overloaded"), 503, "server_is_overloaded"),
        (Dialect::Anthropic, 429, anthropic("rate_limit_error", "slow down"), 429, "rate_limit_exceeded"),
        (
            Dialect::Anthropic,
            400,
            anthropic("invalid_request_error", "prompt is too long: 9"),
            400,
            "context_length_exceeded",
        ),
        (Dialect::Anthropic, 401, anthropic("authentication_error", &key), 401, "invalid_api_key"),
        (Dialect::Anthropic, 502, "<html>bad gateway</html>".to_owned(), 502, "server_error"),
        (Dialect::OpenAi, 503, openai("server_is_overloaded", "busy"), 529, "overloaded_error"),
        (Dialect::OpenAi, 429, openai("rate_limit_exceeded", "slow down"), 429, "rate_limit_error"),
        (Dialect::OpenAi, 400, openai("context_length_exceeded", "too long"), 400, "prompt is too long"),
        (Dialect::OpenAi, 401, openai("invalid_api_key", &key), 401, "authentication_error"),
        (Dialect::OpenAi, 500, "oops".to_owned(), 500, "api_error"),
    ];
    for (count, (provider, status, body, want, says)) in cases.iter().enumerate() {
        world.provider.answer(vec![Step::Send(document(&format!("{status} X"), "retry-after: 3\r\n", body))]);
        let reply = world.ask(turn(*provider, true)).await;
        assert_eq!((reply.status, reply.headers["retry-after"].as_str()), (*want, "3"), "{body}");
        assert!(reply.text().contains(says) && !reply.text().contains(KEY), "{}", reply.text());
        assert_eq!(reply.json()["type"] == "error", caller(*provider) == Dialect::Anthropic, "{}", reply.text());
        world.meter.flush().await.unwrap();
        let totals = world.meter.totals(wardkeep_proto::time::Timestamp(0)).await.unwrap();
        let all: u64 = totals.iter().map(|total| total.amounts.requests).sum();
        assert_eq!((all, totals.iter().map(|total| total.amounts.output_tokens).sum::<u64>()), (count as u64 + 1, 0));
    }
    world.provider.left.wait_for(|left| *left == 10).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_told_is_refused_with_its_reason() {
    let world = World::new().await;
    let n = r#"{"model":"sonnet","n":2,"messages":[{"role":"user","content":"Hi"}]}"#;
    let k = r#"{"model":"mini","max_tokens":9,"top_k":2,"messages":[{"role":"user","content":"Hi"}]}"#;
    for (request, says) in [(Request::completions(n), "`n`"), (Request::messages(k), "`top_k`")] {
        let anthropic = request.target == "/v1/messages";
        let reply = world.ask(request).await;
        assert_eq!(reply.refusal(), (400, "untranslatable"));
        assert_eq!((reply.json()["type"] == "error", reply.headers["x-should-retry"].as_str()), (anthropic, "false"));
        assert!(reply.text().contains(says), "{}", reply.text());
    }
    assert!(world.provider.seen().is_empty() && world.nothing_was_metered().await);
}

#[tokio::test]
async fn an_answer_that_cannot_be_told_is_paid_and_not_asked_for_again() {
    for (provider, body) in [
        (Dialect::Anthropic, CLAUDE.replace("\"type\":\"text\"", "\"type\":\"hologram\"")),
        (Dialect::Anthropic, CLAUDE[..CLAUDE.len() - 9].to_owned()),
        (Dialect::OpenAi, GPT.replace("\"finish_reason\":\"tool_calls\"", "\"finish_reason\":\"bored\"")),
    ] {
        let mut world = World::new().await;
        world.provider.document("200 OK", &body);
        let reply = world.ask(turn(provider, false)).await;
        assert_eq!(reply.refusal(), (502, "untold"), "{}", reply.text());
        assert_eq!(reply.headers["x-should-retry"], "false");
        assert!(reply.text().contains("the provider's answer cannot be told in your API"), "{}", reply.text());
        let amounts = world.amounts(1).await;
        if body.ends_with('}') && serde_json::from_str::<Value>(&body).is_ok() {
            assert_eq!((amounts.output_tokens, amounts.estimated_requests), (7, 0));
        } else {
            assert_eq!((amounts.output_tokens, amounts.estimated_requests), ((body.len() as u64).div_ceil(4), 1));
        }
    }
    // In a stream it is told where it stands, and the rest is not waited for.
    let mut world = World::new().await;
    let odd = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"hologram\"}}\n\n";
    world.provider.answer(streamed(&[ANTHROPIC[0], odd], [Step::Silence]));
    let reply = world.ask(turn(Dialect::Anthropic, true)).await;
    assert!(reply.text().contains("cannot be told in your API") && !reply.complete, "{}", reply.text());
    assert_eq!(world.amounts(1).await.estimated_requests, 1);
    world.provider.left.wait_for(|left| *left == 1).await.unwrap();
}

#[tokio::test]
async fn who_leaves_before_a_whole_answer_is_there_pays_for_what_came() {
    let mut world = World::new().await;
    let (go, wait) = tokio::sync::oneshot::channel();
    let (half, _) = CLAUDE.split_at(300);
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{half}", CLAUDE.len());
    world.provider.answer(vec![Step::Send(head.into_bytes()), Step::Wait(wait), Step::Reset]);
    let asking = world.ask(turn(Dialect::Anthropic, false));
    go.send(()).unwrap();
    assert_eq!(asking.await.refusal(), (502, "broken"));
    let amounts = world.amounts(1).await;
    assert_eq!((amounts.estimated_requests, amounts.output_tokens), (1, 300_u64.div_ceil(4)));
}

#[tokio::test]
async fn no_secret_is_in_any_field_that_is_told() {
    let quoted = serde_json::to_string(PASSWORD).unwrap();
    let text = &quoted[1..quoted.len() - 1];
    let twice = serde_json::to_string(&format!("{{\"p\":\"{text}\"}}")).unwrap();
    let base64 = data_encoding::BASE64.encode(PASSWORD.as_bytes());
    let fields = [
        (
            Dialect::Anthropic,
            format!(
                r#"{{"model":"sonnet","messages":[{{"role":"system","content":"{text}"}},{{"role":"user","content":"Hi"}}]}}"#
            ),
        ),
        (
            Dialect::Anthropic,
            format!(
                r#"{{"model":"sonnet","messages":[{{"role":"user","content":[{{"type":"text","text":"{text}"}},{{"type":"text","text":"{base64}"}}]}}]}}"#
            ),
        ),
        (
            Dialect::Anthropic,
            format!(
                r#"{{"model":"sonnet","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"https://a.example/{text}"}}}}]}}]}}"#
            ),
        ),
        (
            Dialect::Anthropic,
            format!(
                r#"{{"model":"sonnet","messages":[{{"role":"user","content":"Hi"}},{{"role":"assistant","tool_calls":[{{"id":"c","type":"function","function":{{"name":"ls","arguments":{twice}}}}}]}},{{"role":"tool","tool_call_id":"c","content":"{text}"}}]}}"#
            ),
        ),
        (
            Dialect::Anthropic,
            format!(
                r#"{{"model":"sonnet","user":"{text}","stop":["{text}"],"tools":[{{"type":"function","function":{{"name":"ls","description":"{text}","parameters":{{"type":"object","properties":{{"{text}":{{}}}}}}}}}}],"messages":[{{"role":"user","content":"Hi"}}]}}"#
            ),
        ),
        (
            Dialect::OpenAi,
            format!(
                r#"{{"model":"mini","max_tokens":9,"system":"{text}","messages":[{{"role":"user","content":[{{"type":"text","text":"{base64}"}}]}}]}}"#
            ),
        ),
        (
            Dialect::OpenAi,
            format!(
                r#"{{"model":"mini","max_tokens":9,"metadata":{{"user_id":"{text}"}},"stop_sequences":["{text}"],"tools":[{{"name":"ls","description":"{text}","input_schema":{{"type":"object","title":"{text}"}}}}],"messages":[{{"role":"user","content":"Hi"}}]}}"#
            ),
        ),
        (
            Dialect::OpenAi,
            format!(
                r#"{{"model":"mini","max_tokens":9,"messages":[{{"role":"user","content":"Hi"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"t","name":"ls","input":{{"p":"{text}"}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t","content":"{text}"}}]}}]}}"#
            ),
        ),
    ];
    let world = World::new().await;
    for (provider, body) in &fields {
        world.provider.document("200 OK", answer(*provider));
        let request =
            if *provider == Dialect::Anthropic { Request::completions(body) } else { Request::messages(body) };
        let reply = world.ask(request).await;
        assert_eq!(reply.status, 200, "{body}: {}", reply.text());
        let seen = world.provider.seen().pop().unwrap();
        let raw = String::from_utf8_lossy(&seen.raw).into_owned();
        assert!(raw.contains("SECRET_REF("), "{body}: {raw}");
        for needle in [PASSWORD, text, &base64, twice.trim_matches('"')] {
            assert!(!raw.contains(needle), "{body}: {raw}");
        }
        sent(&world);
    }
    // A reasoning that somebody signed is not rewritten: the turn is refused.
    let signed = format!(
        r#"{{"model":"mini","max_tokens":9,"messages":[{{"role":"assistant","content":[{{"type":"thinking","thinking":"{text}","signature":"c2ln"}}]}}]}}"#
    );
    assert_eq!(world.ask(Request::messages(signed)).await.refusal(), (400, "secret-in-signed-block"));
}

#[tokio::test]
async fn providers_like_openai_get_the_words_they_know() {
    let world = World::new().await;
    let made = |kind: &str| {
        let lines = format!(
            "name = \"gpt\"\nkind = \"{kind}\"\nbase_url = \"http://{}\"\nkey = \"llm_key\"",
            world.provider.address
        );
        toml::from_str::<ProviderDraft>(&lines).unwrap().resolve().unwrap()
    };
    for (kind, limit, asked) in
        [("mistral", "max_tokens", false), ("deepseek", "max_tokens", true), ("groq", "max_completion_tokens", true)]
    {
        world.change(|bundle| bundle.llm.providers[1] = made(kind));
        world.provider.answer(streamed(OPENAI, [Step::Send(chunk(""))]));
        assert_eq!(world.ask(turn(Dialect::OpenAi, true)).await.status, 200);
        let sent = sent(&world);
        assert_eq!((&sent[limit], sent.get("stream_options").is_some()), (&9.into(), asked), "{kind}");
    }
}

#[tokio::test]
async fn a_model_of_bedrock_streams_to_an_openai_client() {
    use crate::frames::tests as frames;
    let world = World::new().await;
    let lines = format!(
        "name = \"claude\"\nkind = \"bedrock\"\nbase_url = \"http://{}\"\nauth = {{ sigv4 = {{ region = \"eu-central-1\", access_key_id = \"aws_id\", secret_access_key = \"aws_secret\" }} }}",
        world.provider.address
    );
    let made = toml::from_str::<ProviderDraft>(&lines).unwrap().resolve().unwrap();
    world.change(|bundle| bundle.llm.providers[0] = made);
    let body: Vec<u8> =
        ANTHROPIC.iter().flat_map(|event| frames::chunk(event.split_once("data: ").unwrap().1.trim_end())).collect();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\nconnection: close\r\n\r\n";
    world.provider.answer(vec![Step::Send([head.as_bytes(), &body].concat())]);
    let reply = world.ask(turn(Dialect::Anthropic, true)).await;
    assert!(reply.complete && reply.text().ends_with("data: [DONE]\n\n"), "{}", reply.text());
    let sent = sent(&world);
    assert_eq!(
        (sent.get("model"), sent.get("stream"), &sent["anthropic_version"]),
        (None, None, &"bedrock-2023-05-31".into())
    );
}

#[tokio::test]
async fn a_budget_ends_in_the_callers_words_and_holds_what_is_asked_in_its_stead() {
    let world = World::new().await;
    let budgets =
        |most: u64| serde_json::from_str(&format!(r#"[{{"limits":[{{"window":"day","tokens":{most}}}]}}]"#)).unwrap();
    world.change(|bundle| bundle.budgets = budgets(31_000));
    let reply = world.ask(turn(Dialect::Anthropic, true)).await;
    assert_eq!(reply.refusal(), (200, "budget"));
    assert!(
        reply.text().contains("chat.completion.chunk") && reply.text().contains("\"choices\":[],"),
        "{}",
        reply.text()
    );
    world.provider.document("200 OK", GPT);
    let reply = world.ask(turn(Dialect::OpenAi, false)).await;
    assert_eq!(reply.refusal(), (200, ""), "nine tokens fit");
}

#[tokio::test]
async fn models_that_can_be_asked_for_are_listed() {
    let world = World::new().await;
    let bearer = format!("Bearer {TOKEN}");
    let list = world.ask(Request::get("/v1/models").with("authorization", &bearer)).await.json();
    let names: Vec<&str> = list["data"].as_array().unwrap().iter().filter_map(|model| model["id"].as_str()).collect();
    assert_eq!(names, ["sonnet", "mini", "distant"]);
    let google = world.ask(Request::get("/v1beta/models").with("x-goog-api-key", TOKEN)).await.json();
    assert_eq!(google["models"].as_array().unwrap().len(), 1);
}
