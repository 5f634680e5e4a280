//! What is refused, how it is said, and that the provider never hears of it.

use std::sync::atomic::Ordering;

use wardkeep_policy::{Closed, Posture};

use super::harness::{Request, World, nobody};

const TURN: &str = r#"{"model":"sonnet","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;

/// Nothing reached the provider and nothing was counted.
async fn untouched(world: &World) {
    assert!(world.provider.seen().is_empty());
    assert!(world.nothing_was_metered().await);
}

#[tokio::test]
async fn a_request_without_a_right_to_a_model() {
    let world = World::new().await;
    let turn = |body: &str| Request::messages(body);
    for (name, request, want) in [
        ("no token", Request { headers: vec![], ..turn(TURN) }, (401, "unknown-token")),
        ("wrong token", turn(TURN).with("x-api-key", "wka_wrong"), (401, "unknown-token")),
        ("the provider's key", turn(TURN).with("x-api-key", super::harness::KEY), (401, "unknown-token")),
        ("wrong scheme", Request::completions(TURN).with("authorization", "Basic wka"), (401, "unknown-token")),
        ("unknown agent", turn(TURN).with("x-api-key", "wka_token_of_a_stranger"), (400, "unknown-agent")),
        ("unlisted", turn(r#"{"model":"secret","messages":[]}"#), (400, "unlisted-model")),
        ("listed but not there", turn(r#"{"model":"unknown","messages":[]}"#), (400, "unlisted-model")),
        ("the upstream name", turn(r#"{"model":"sonnet-20260101","messages":[]}"#), (400, "unlisted-model")),
        ("untranslatable", turn(r#"{"model":"mini","messages":[]}"#), (400, "untranslatable")),
        ("other dialect", Request { target: "/v1/responses", ..Request::completions(TURN) }, (400, "other-dialect")),
        (
            "other dialect, to be counted",
            Request { target: "/v1/messages/count_tokens", ..turn(r#"{"model":"mini","messages":[]}"#) },
            (400, "other-dialect"),
        ),
        ("a model of Gemini", turn(&TURN.replace("sonnet", "flash")), (400, "other-dialect")),
        ("plain http to a far host", turn(r#"{"model":"distant","messages":[]}"#), (400, "bad-provider")),
        ("two models", turn(r#"{"model":"sonnet","model":"secret"}"#), (400, "invalid-body")),
        ("no JSON", turn("model=sonnet"), (400, "invalid-body")),
        ("compressed", turn(TURN).with("content-encoding", "gzip"), (400, "encoded")),
        ("too large", turn(TURN).with("content-length", "33554433"), (413, "too-large")),
        ("a path that is not there", Request { target: "/v1/batches", ..turn(TURN) }, (404, "no-route")),
        ("a path above", Request { target: "/v1/../v1/messages", ..turn(TURN) }, (404, "no-route")),
        ("wrong method", Request { method: "GET", ..turn("") }, (405, "method")),
    ] {
        let mut request = request;
        if want.1 == "too-large" {
            // The announcement is enough; the agent ends its side so that nobody waits for the rest.
            request.headers.push(("connection", "close".to_owned()));
        }
        let reply = ask_bounded(&world, request).await;
        assert_eq!(reply.refusal(), want, "{name}: {}", reply.text());
        assert!(!reply.text().contains("secret\""), "{name}: the refusal quotes the request");
    }
    untouched(&world).await;
}

/// Ends the agent's side after the request, so that an announced body which never comes is not waited for.
async fn ask_bounded(world: &World, request: Request<'_>) -> super::harness::Reply {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut agent = world.connect(&request).await;
    agent.shutdown().await.unwrap();
    let mut raw = Vec::new();
    let _ = agent.read_to_end(&mut raw).await;
    super::harness::Reply::parse(&raw)
}

#[tokio::test]
async fn an_agent_without_a_live_hook_gets_no_model() {
    let world = World::new().await;
    world.switches.lease.store(false, Ordering::SeqCst);
    let reply = world.ask(Request::messages(TURN)).await;
    assert_eq!(reply.refusal(), (400, "no-lease"));
    let document = reply.json();
    assert_eq!(document["type"], "error");
    assert_eq!(document["error"]["type"], "invalid_request_error");
    assert_eq!(document["request_id"], reply.headers["request-id"]);
    assert_eq!(reply.headers["x-should-retry"], "false");
    let reply = world.ask(Request::completions(r#"{"model":"mini","messages":[]}"#)).await;
    assert_eq!(reply.refusal(), (400, "no-lease"));
    assert_eq!(reply.json()["error"]["code"], "no-lease");
    untouched(&world).await;
}

#[tokio::test]
async fn each_closed_state_but_a_missing_hub_closes_the_gateway() {
    let world = World::new().await;
    for closed in Closed::ALL.iter().copied().filter(|closed| *closed != Closed::HubAway) {
        *world.switches.posture.lock().unwrap() = Posture::open().with(Closed::HubAway).with(closed);
        let reply = world.ask(Request::messages(TURN)).await;
        assert_eq!(reply.refusal(), (400, closed.as_str()));
        assert!(reply.text().contains(closed.what_to_do()));
    }
    untouched(&world).await;
}

#[tokio::test]
async fn without_the_providers_key_nothing_is_sent() {
    let world = World::new().await;
    world.switches.bound.store(false, Ordering::SeqCst);
    let reply = world.ask(Request::messages(TURN)).await;
    assert_eq!(reply.refusal(), (400, "no-key"));
    assert!(reply.text().contains("vault bind llm_key"));
    world.switches.locked.store(true, Ordering::SeqCst);
    assert_eq!(world.ask(Request::messages(TURN)).await.refusal(), (400, "vault-locked"));
    untouched(&world).await;
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_sent() {
    let world = World::new().await;
    world.meter.close();
    assert_eq!(world.ask(Request::messages(TURN)).await.refusal(), (400, "meter"));
    assert!(world.provider.seen().is_empty());
}

#[tokio::test]
async fn a_new_bundle_counts_from_the_next_request_on() {
    let world = World::new().await;
    world.bundle.send_modify(|bundle| *bundle = std::sync::Arc::new(wardkeep_policy::Bundle::strict()));
    assert_eq!(world.ask(Request::messages(TURN)).await.refusal(), (400, "unknown-agent"));
    untouched(&world).await;
}

#[tokio::test]
async fn an_unreachable_provider_costs_nothing() {
    let world = World::new().await;
    let (_held, nowhere) = nobody();
    world.move_provider(format!("http://{nowhere}"));
    let reply = world.ask(Request::messages(TURN)).await;
    assert_eq!(reply.refusal(), (502, "unreachable"));
    assert_eq!(reply.json()["error"]["type"], "api_error");
    assert!(!reply.headers.contains_key("x-should-retry"), "an agent may try again");
    untouched(&world).await;
}

#[tokio::test]
async fn health_and_models_need_what_they_need() {
    let world = World::new().await;
    assert_eq!(world.ask(Request::get("/healthz")).await.text(), r#"{"status":"ok"}"#);
    assert_eq!(world.ask(Request::get("/v1/models")).await.refusal(), (401, "unknown-token"));
    let token = super::harness::TOKEN;
    let openai = world.ask(Request::get("/v1/models").with("authorization", &format!("Bearer {token}"))).await.json();
    assert_eq!(openai["object"], "list");
    assert_eq!(
        openai["data"].as_array().unwrap().iter().map(|m| &m["id"]).collect::<Vec<_>>(),
        ["sonnet", "mini", "distant"]
    );
    let anthropic =
        world.ask(Request::get("/v1/models").with("x-api-key", token).with("anthropic-version", "2023-06-01")).await;
    assert_eq!(anthropic.json()["first_id"], "sonnet");
    assert_eq!(anthropic.json()["data"].as_array().unwrap().len(), 3, "unlisted models are not shown");
}
