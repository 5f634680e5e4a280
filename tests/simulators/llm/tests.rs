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
    let request = match path {
        _ if path.starts_with("/v1/messages") => request.header("x-api-key", key),
        _ if path.starts_with("/v1beta/") => request.header("x-goog-api-key", key),
        _ => request.bearer_auth(key),
    };
    let response = request.send().await.unwrap();
    Asked { status: response.status().as_u16(), text: response.text().await }
}

fn anthropic(messages: Value, streams: bool) -> Value {
    json!({"model": "m", "max_tokens": 9, "system": "You help.", "stream": streams, "messages": messages})
}

/// Asks until the simulator has heard it, and a while longer: it must not answer.
async fn never_answered<T>(simulator: &LlmSimulator, asking: impl Future<Output = T>) {
    let before = simulator.requests().len();
    let heard = async {
        while simulator.requests().len() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    tokio::select! {
        _ = asking => panic!("it was answered"),
        () = heard => {}
    }
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
    never_answered(&simulator, ask(&simulator, "/v1/messages", KEY, &hello)).await;
    assert!(ask(&simulator, "/v1/messages", KEY, &hello).await.text.unwrap().contains("message_stop"));
}

#[tokio::test]
async fn a_provider_says_when_to_come_again_and_knows_who_left() {
    let simulator = LlmSimulator::start(KEY, script).await.unwrap();
    let hello = anthropic(json!([{"role": "user", "content": "Hi"}]), true);
    let send = || {
        let request = super::super::http_client().post(format!("{}/v1/messages", simulator.base_url()));
        request.header("x-api-key", KEY).json(&hello).send()
    };
    simulator.fail_next(Fault::Later(429, 7));
    let later = send().await.unwrap();
    let head = |name: &str| later.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (later.status().as_u16(), head("retry-after"), head("request-id")),
        (429, "7".into(), "req_simulated_1".into())
    );
    simulator.fail_next(Fault::Overloaded(3));
    let overloaded = send().await.unwrap().text().await.unwrap();
    assert!(
        overloaded.contains("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\""),
        "{overloaded}"
    );
    simulator.fail_next(Fault::Silent);
    never_answered(&simulator, send()).await;
    assert_eq!(simulator.left(), 0);
    simulator.pace(Duration::from_millis(20));
    let mut begun = send().await.unwrap();
    begun.chunk().await.unwrap();
    drop(begun);
    while simulator.left() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    simulator.say_next(Answer::default());
    simulator.calm();
    assert!(send().await.unwrap().text().await.unwrap().contains("Gr\u{fc}\u{df}e"));
}

fn json_of(asked: Asked) -> Value {
    serde_json::from_str(&asked.text.unwrap()).unwrap()
}

/// The data of each event.
fn events_of(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test]
async fn a_conversation_by_responses_goes_on_the_same_plain_and_streamed() {
    let simulator = LlmSimulator::start(KEY, script).await.unwrap();
    let body = |input: Value, streams: bool| json!({"model": "m", "instructions": "You help.", "stream": streams, "input": input});
    let plain = json_of(ask(&simulator, "/v1/responses", KEY, &body(json!("Hi"), false)).await);
    assert_eq!((&plain["object"], &plain["output"][1]["type"]), (&json!("response"), &json!("function_call")));
    let streamed = events_of(&ask(&simulator, "/v1/responses", KEY, &body(json!("Hi"), true)).await.text.unwrap());
    assert_eq!(streamed.last().unwrap()["response"], plain, "the last event holds the whole answer");
    assert!(streamed.iter().enumerate().all(|(index, event)| event["sequence_number"] == index));
    let said = |kind: &str| -> String {
        streamed.iter().filter(|event| event["type"] == kind).filter_map(|event| event["delta"].as_str()).collect()
    };
    assert_eq!(said("response.output_text.delta"), "Gr\u{fc}\u{df}e, I look.");
    assert_eq!(said("response.function_call_arguments.delta"), plain["output"][1]["arguments"].as_str().unwrap());

    let call = &plain["output"][1];
    let result = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "a.txt"});
    let later = json!([{"role": "user", "content": "Hi"}, plain["output"][0], call, result]);
    let last = json_of(ask(&simulator, "/v1/responses", KEY, &body(later, false)).await);
    assert_eq!(last["output"][0]["content"][0]["text"], "done: a.txt");
    assert_eq!(last["usage"]["output_tokens_details"]["reasoning_tokens"], 7);
    let wrong = ask(&simulator, "/v1/responses", "wrong", &body(json!("Hi"), false)).await;
    assert_eq!((wrong.status, json_of(wrong)["error"]["code"].clone()), (401, json!("invalid_api_key")));
}

#[tokio::test]
async fn a_gemini_conversation_goes_on_the_same_plain_streamed_and_listed() {
    let simulator = LlmSimulator::start(KEY, script).await.unwrap();
    let contents = json!([{"role": "user", "parts": [{"text": "Hi"}]}]);
    let body =
        |contents: &Value| json!({"contents": contents, "systemInstruction": {"parts": [{"text": "You help."}]}});
    let path = |verb: &str| format!("/v1beta/models/m:{verb}");
    let plain = json_of(ask(&simulator, &path("generateContent"), KEY, &body(&contents)).await);
    let call = plain["candidates"][0]["content"]["parts"][1]["functionCall"].clone();
    assert_eq!((&call["name"], &plain["candidates"][0]["finishReason"]), (&json!("ls"), &json!("STOP")));
    let streamed = ask(&simulator, &path("streamGenerateContent?alt=sse"), KEY, &body(&contents)).await.text.unwrap();
    let streamed = events_of(&streamed);
    let list = json_of(ask(&simulator, &path("streamGenerateContent"), KEY, &body(&contents)).await);
    assert_eq!(list, Value::Array(streamed.clone()), "a list says the same");
    assert_eq!(streamed.last().unwrap()["usageMetadata"], plain["usageMetadata"]);
    assert_eq!(simulator.billed()[0], simulator.billed()[2]);

    let result = json!({"functionResponse": {"id": call["id"], "name": "ls", "response": {"result": "a.txt"}}});
    let later = json!([contents[0], plain["candidates"][0]["content"], {"role": "user", "parts": [result]}]);
    let last = json_of(ask(&simulator, &path("generateContent"), KEY, &body(&later)).await);
    assert_eq!(last["candidates"][0]["content"]["parts"][0]["text"], "done: a.txt");
    assert_eq!(last["usageMetadata"]["thoughtsTokenCount"], 7);

    let wrong = ask(&simulator, &path("generateContent"), "wrong", &body(&contents)).await;
    assert_eq!(wrong.status, 400, "as Google says it");
    assert_eq!(json_of(wrong)["error"]["details"][0]["reason"], "API_KEY_INVALID");
    simulator.fail_next(Fault::Status(429));
    let busy = ask(&simulator, &path("countTokens"), KEY, &body(&contents)).await;
    assert_eq!((busy.status, json_of(busy)["error"]["status"].clone()), (429, json!("RESOURCE_EXHAUSTED")));
}

#[tokio::test]
async fn what_is_no_conversation_has_its_own_answers() {
    let simulator = LlmSimulator::start(KEY, script).await.unwrap();
    let turn = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    let counted = json_of(ask(&simulator, "/v1/messages/count_tokens", KEY, &turn).await);
    assert!(counted["input_tokens"].as_u64().unwrap() > 0 && simulator.billed().is_empty(), "counting is free");
    let vectors =
        |format: &str| json!({"model": "m", "input": ["abcd", "efgh"], "encoding_format": format, "dimensions": 3});
    let plain = json_of(ask(&simulator, "/v1/embeddings", KEY, &vectors("float")).await);
    assert_eq!(
        (plain["data"][1]["embedding"].as_array().unwrap().len(), &plain["usage"]["prompt_tokens"]),
        (3, &json!(2))
    );
    let coded = json_of(ask(&simulator, "/v1/embeddings", KEY, &vectors("base64")).await);
    assert_eq!(
        data_encoding::BASE64.decode(coded["data"][1]["embedding"].as_str().unwrap().as_bytes()).unwrap().len(),
        12
    );
    let one = json!({"content": {"parts": [{"text": "Hi"}]}});
    let vector = json_of(ask(&simulator, "/v1beta/models/m:embedContent", KEY, &one).await);
    assert_eq!(vector["embedding"]["values"].as_array().unwrap().len(), 8);
    let batch = json!({"requests": [one, one]});
    let batch = json_of(ask(&simulator, "/v1beta/models/m:batchEmbedContents", KEY, &batch).await);
    assert_eq!(batch["embeddings"].as_array().unwrap().len(), 2);
    assert_eq!(simulator.billed().len(), 4);
    for path in ["/v1/messages/count_tokens", "/v1/embeddings", "/v1beta/models/m:embedContent"] {
        assert_eq!(ask(&simulator, path, KEY, &json!({})).await.status, 400, "{path}");
    }
    assert_eq!(json_of(ask(&simulator, "/v1/files", KEY, &json!("x")).await)["object"], "file");
}
