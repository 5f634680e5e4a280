use serde_json::json;

use super::*;

const KEY: &str = "sk-simulator-key-000";

fn script(conversation: &Conversation) -> Answer {
    match conversation.turn() {
        0 => Answer {
            text: "Grüße, I look.".to_owned(),
            calls: vec![("ls".to_owned(), json!({"path": "."}))],
            ..Answer::default()
        },
        _ => Answer {
            text: format!("done: {}", conversation.last_results()[0].text),
            reasoning_tokens: 7,
            ..Answer::default()
        },
    }
}

struct Asked {
    status: u16,
    text: Result<String, reqwest::Error>,
}

async fn ask(simulator: &LlmSimulator, path: &str, key: &str, body: &Value) -> Asked {
    let request = super::super::http_client().post(format!("{}{path}", simulator.base_url())).json(body);
    let request = if path == "/v1/messages" { request.header("x-api-key", key) } else { request.bearer_auth(key) };
    let response = request.send().await.unwrap();
    Asked { status: response.status().as_u16(), text: response.text().await }
}

fn anthropic(messages: Value, streams: bool) -> Value {
    json!({"model": "m", "max_tokens": 9, "system": "You help.", "stream": streams, "messages": messages})
}

#[tokio::test]
async fn errors_have_the_true_formats() {
    let simulator = LlmSimulator::start(KEY, script).await.unwrap();
    let hello = anthropic(json!([{"role": "user", "content": "Hi"}]), false);
    let wrong = ask(&simulator, "/v1/messages", "wrong", &hello).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.text.unwrap().contains("authentication_error"));
    assert_eq!(ask(&simulator, "/v1/messages", KEY, &json!({"model": "m"})).await.status, 400);
    for status in [429, 503, 529] {
        simulator.fail_next(Fault::Status(status));
        assert_eq!(ask(&simulator, "/v1/messages", KEY, &hello).await.status, status);
    }
    let wrong = ask(&simulator, "/v1/chat/completions", "wrong", &hello).await;
    assert!(wrong.text.unwrap().contains("invalid_api_key"));
    let seen = simulator.requests();
    assert_eq!(seen.iter().map(|r| r.status).collect::<Vec<_>>(), [401, 400, 429, 503, 529, 401]);
    assert_eq!(seen[0].body, hello.to_string().into_bytes());
    assert!(simulator.billed().is_empty());
}

#[tokio::test]
async fn an_anthropic_conversation_goes_on_the_same_plain_and_streamed() {
    let simulator = LlmSimulator::start(KEY, script).await.unwrap();
    let first = json!([{"role": "user", "content": "Hi"}]);
    let plain = ask(&simulator, "/v1/messages", KEY, &anthropic(first.clone(), false)).await.text.unwrap();
    let plain: Value = serde_json::from_str(&plain).unwrap();
    let id = plain["content"][1]["id"].as_str().unwrap();
    let streamed = ask(&simulator, "/v1/messages", KEY, &anthropic(first.clone(), true)).await.text.unwrap();
    assert!(streamed.contains(id) && streamed.contains("event: ping") && streamed.ends_with("\"message_stop\"}\n\n"));
    assert_eq!(simulator.billed()[0], simulator.billed()[1]);
    assert!(simulator.billed()[0].cache_write > 0);

    let later = json!([first[0], {"role": "assistant", "content": plain["content"]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "a.txt", "is_error": false}]}]);
    let last = ask(&simulator, "/v1/messages", KEY, &anthropic(later, false)).await.text.unwrap();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(last["content"][0]["text"], "done: a.txt");
    assert_eq!(last["stop_reason"], "end_turn");
    assert!(simulator.billed()[2].cache_read > 0);
}

#[tokio::test]
async fn openai_streams_name_usage_only_when_asked() {
    let simulator = LlmSimulator::start(KEY, script).await.unwrap();
    let mut body = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "Hi"}]});
    let without = ask(&simulator, "/v1/chat/completions", KEY, &body).await.text.unwrap();
    assert!(!without.contains("usage") && without.ends_with("data: [DONE]\n\n"));
    body["stream_options"] = json!({"include_usage": true});
    let with = ask(&simulator, "/v1/chat/completions", KEY, &body).await.text.unwrap();
    assert!(with.contains("\"prompt_tokens\""));
}

#[tokio::test]
async fn faults_come_true_once() {
    let simulator = LlmSimulator::start(KEY, script).await.unwrap();
    let hello = anthropic(json!([{"role": "user", "content": "Hi"}]), true);
    simulator.fail_next(Fault::Drop(3));
    assert!(ask(&simulator, "/v1/messages", KEY, &hello).await.text.is_err());
    simulator.fail_next(Fault::Malformed(0));
    let malformed = ask(&simulator, "/v1/messages", KEY, &hello).await.text.unwrap();
    assert!(!malformed.contains("\"usage\":{\"input_tokens\""));
    simulator.fail_next(Fault::Stall(2));
    let stalled = ask(&simulator, "/v1/messages", KEY, &hello);
    assert!(tokio::time::timeout(Duration::from_millis(200), stalled).await.is_err());
    assert!(ask(&simulator, "/v1/messages", KEY, &hello).await.text.unwrap().contains("message_stop"));
}
