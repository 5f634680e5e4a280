//! The routes as an agent sees them.

use axum::body::Body as Bytes;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use wardkeep_policy::Level;

use super::*;
use crate::gate::tests::{SECRET, World, office};

struct Tokens;

impl AgentTokens for Tokens {
    fn agent_of(&self, token: &str) -> Option<AgentName> {
        (token == "the-token-of-office").then(office)
    }
}

struct Api {
    _world: World,
    router: Router,
}

impl Api {
    fn new(level: Level) -> Self {
        let world = World::new(level);
        let router = hook_router(world.gate(), Arc::new(Tokens));
        Self { _world: world, router }
    }

    async fn send(&self, request: axum::http::Request<Bytes>) -> (StatusCode, String) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn post(&self, path: &str, body: impl Into<Bytes>) -> (StatusCode, Value) {
        let request = axum::http::Request::post(path).header("authorization", "Bearer the-token-of-office");
        let (status, text) = self.send(request.body(body.into()).unwrap()).await;
        (status, serde_json::from_str(&text).unwrap())
    }
}

const ROUTES: &[(&str, &str)] = &[
    ("POST", "/v1/hooks/session-start"),
    ("POST", "/v1/hooks/before-tool-call"),
    ("POST", "/v1/hooks/after-tool-call"),
    ("POST", "/v1/hooks/message-sending"),
    ("POST", "/v1/hooks/llm-output"),
    ("POST", "/v1/hooks/session-end"),
    ("POST", "/v1/hooks/lease"),
    ("POST", "/v1/hooks/model-call"),
    ("POST", "/v1/hooks/redact"),
    ("POST", "/v1/hooks/subagents"),
    ("GET", "/v1/calls/s1/c1"),
    ("POST", "/v1/exec"),
    ("POST", "/v1/exec/output"),
    ("POST", "/mcp"),
];

#[tokio::test]
async fn no_route_answers_without_the_token_of_an_agent() {
    let api = Api::new(Level::Supervised);
    for (method, path) in ROUTES {
        for headers in [
            &[][..],
            &["Bearer wrong"],
            &["Bearer "],
            &["Basic the-token-of-office"],
            &["the-token-of-office"],
            &["Bearer the-token-of-office", "Bearer the-token-of-office"],
        ] {
            let mut request = axum::http::Request::builder().method(*method).uri(*path).header("host", "localhost");
            for value in headers {
                request = request.header("authorization", *value);
            }
            let (status, text) = api.send(request.body(Bytes::from("{}")).unwrap()).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path} {headers:?}: {text}");
        }
    }
}

#[tokio::test]
async fn errors_have_one_form_and_repeat_nothing() {
    let api = Api::new(Level::Supervised);
    let no_permit = r#"{"permit":"01890a5d-ac96-774b-bcce-b302099a8057"}"#;
    let no_call = r#"{"session":"s","call":"c","output":"x"}"#;
    for (path, body, want, code) in [
        ("/v1/exec", "not json secret-text", 400, "bad-request"),
        ("/v1/exec", r#"{"permit":"secret-text"}"#, 400, "bad-request"),
        ("/v1/exec", no_permit, 404, "unknown-permit"),
        ("/v1/hooks/after-tool-call", no_call, 404, "unknown-call"),
        ("/v1/hooks/before-tool-call", r#"{"session":"secret-text ","call":"c","tool":"t"}"#, 400, "bad-request"),
        ("/v1/hooks/session-start", r#"{"session":"s","runtime":""}"#, 400, "bad-request"),
        ("/v1/hooks/nothing", "{}", 404, "not-found"),
        ("/v1/calls/s1/c1", "{}", 405, "method-not-allowed"),
    ] {
        let (status, body) = api.post(path, body).await;
        assert_eq!((status.as_u16(), body["error"]["code"].as_str()), (want, Some(code)), "{path}: {body}");
        assert!(!body.to_string().contains("secret-text"), "{body}");
    }
    let (status, body) = api.post("/v1/exec", " ".repeat(BODY_BYTES + 1)).await;
    assert_eq!((status.as_u16(), body["error"]["code"].as_str()), (413, Some("too-large")));
}

#[tokio::test]
async fn a_call_goes_from_proposal_to_result() {
    let api = Api::new(Level::Supervised);
    let start = r#"{"session":"s1","runtime":"test/1"}"#;
    let (_, started) = api.post("/v1/hooks/session-start", start).await;
    assert_eq!((&started["agent"], &started["level"]), (&"office".into(), &"supervised".into()));
    assert!(started["lease"]["until_ms"].is_i64() && started["lease"]["renew_after_ms"].is_u64(), "{started}");
    let proposal = r#"{"session":"s1","call":"c1","tool":"list_files","args":{"path":"."}}"#;
    let (status, allowed) = api.post("/v1/hooks/before-tool-call", proposal).await;
    assert_eq!((status.as_u16(), &allowed["decision"], &allowed["class"]), (200, &"allow".into(), &"green".into()));
    let (_, done) = api.post("/v1/exec", json!({"permit": allowed["permit"]}).to_string()).await;
    assert_eq!((&done["call"], &done["result"]["status"]), (&"c1".into(), &"ok".into()), "{done}");
    let ask =
        axum::http::Request::get("/v1/calls/s1/c1?wait_ms=10").header("authorization", "bearer the-token-of-office");
    let (_, text) = api.send(ask.body(Bytes::empty()).unwrap()).await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["decision"], "done");
    let other = r#"{"session":"s1","call":"c1","tool":"list_files","args":{"path":"other"}}"#;
    let (status, conflict) = api.post("/v1/hooks/before-tool-call", other).await;
    assert_eq!((status.as_u16(), &conflict["error"]["code"]), (409, &"call-conflict".into()));
}

#[tokio::test]
async fn the_answers_of_every_hook_are_clean() {
    let api = Api::new(Level::Supervised);
    let raw = json!({"session": "s1", "call": "c1", "tool": "shell", "args": {"command": format!("echo {SECRET}")}});
    let message = json!({"session": "s1", "call": "c2", "channel": "email", "to": ["a@example.com"], "text": SECRET});
    let output = json!({"session": "s1", "text": SECRET, "tool_calls": [{"id": "c", "name": "t"}]});
    let stored = json!({"session": "s1", "value": {"role": "user", "content": [{"type": "text", "text": SECRET}]}});
    for (path, body) in [
        ("/v1/hooks/before-tool-call", raw),
        ("/v1/hooks/message-sending", message),
        ("/v1/hooks/llm-output", output),
        ("/v1/hooks/redact", stored),
    ] {
        let (status, body) = api.post(path, body.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(!body.to_string().contains(SECRET), "{path}: {body}");
        assert!(body.to_string().contains("SECRET_REF(token)"), "{path}: {body}");
    }
}

#[tokio::test]
async fn a_lease_is_held_by_whoever_reads_its_answer() {
    let api = Api::new(Level::Supervised);
    let request = axum::http::Request::post("/v1/hooks/lease").header("authorization", "Bearer the-token-of-office");
    let body = r#"{"session": "s1", "runtime": "test/1"}"#;
    let answer = api.router.clone().oneshot(request.body(Bytes::from(body)).unwrap()).await.unwrap();
    let mut answer = answer.into_body();
    let line = answer.frame().await.unwrap().unwrap().into_data().unwrap();
    let line: Value = serde_json::from_slice(line.strip_suffix(b"\n").unwrap()).unwrap();
    assert_eq!((line["agent"].as_str(), line["level"].as_str()), (Some("office"), Some("supervised")));
    let asks = r#"{"session": "s1", "runtime": "test/1", "bound": true}"#;
    let (status, _) = api.post("/v1/hooks/session-start", asks).await;
    assert_eq!(status, StatusCode::OK);
    drop(answer);
    let (status, told) = api.post("/v1/hooks/session-start", asks).await;
    assert_eq!((status, told["error"]["code"].as_str()), (StatusCode::CONFLICT, Some("lease")));
}
