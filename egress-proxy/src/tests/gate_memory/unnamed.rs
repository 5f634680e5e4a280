//! Results of calls that have no ids: as many as models asked for, each once.

use super::*;

const SHELL: [&str; 4] = ["shell 1", "shell 2", "shell 3", "shell 4"];

/// Gemini's way to hand in without ids, each before a word of the model but the last.
fn google(texts: &[&str]) -> Request<'static> {
    let result = |text: &&str| json!({"role": "user", "parts": [{"functionResponse": {"name": "shell", "response": {"output": text}}}]});
    let call = json!({"role": "model", "parts": [{"functionCall": {"name": "shell", "args": {}}}]});
    let turns = texts.iter().flat_map(|text| [call.clone(), result(text)]);
    Way::Gemini.with(turns.collect())
}

fn function(text: &str) -> Request<'static> {
    let call = json!({"role": "assistant", "content": null, "function_call": {"name": "shell", "arguments": "{}"}});
    Way::Chat.with(vec![call, json!({"role": "function", "name": "shell", "content": text})])
}

/// An answer of Gemini that asks so often, without ids.
fn asks(count: usize) -> String {
    let call = json!({"functionCall": {"name": "shell", "args": {"name": "other"}}});
    json!({"candidates": [{"content": {"role": "model", "parts": vec![call; count]}, "finishReason": "STOP"}]})
        .to_string()
}

impl World {
    async fn google_asks(&self, count: usize) {
        self.provider.document("200 OK", &asks(count));
        assert_eq!(self.ask(Way::Gemini.request(&[], true)).await.status, 200);
    }
}

fn unasked() -> Vec<(String, Why)> {
    one("shell", Why::Unasked)
}

#[tokio::test]
async fn decisions_on_calls_with_ids_let_none_without_through() {
    let world = World::refusing().await;
    world.calls(Way::Messages, &SHELL).await;
    // Newer models of Google's name theirs, too.
    world.calls(Way::Gemini, &["shell 5"]).await;
    world.decide(&SHELL);
    world.decide(&["shell 5"]);
    world.refused(google(&["done"])).await;
    assert_eq!(world.past_told(), unasked());
    world.refused(google(&["done"; 5])).await;
    world.refused(function("done")).await;
    let without_id = json!({"role": "tool", "name": "shell", "content": "done"});
    world.refused(Way::Chat.with(vec![without_id])).await;
    assert_eq!(world.past_told(), [], "the tool was told");
    let reply = world.refused(function("done")).await;
    assert!(reply.text().contains("no model behind this server asked"), "{}", reply.text());
    let nameless = json!({"role": "tool", "content": "done"});
    world.refused(Way::Chat.with(vec![nameless])).await;
    assert_eq!(world.past_told().pop(), Some(("(none)".to_owned(), Why::Nameless)));
}

#[tokio::test]
async fn each_call_without_an_id_has_one_result() {
    let mut world = World::refusing().await;
    world.calls(Way::Messages, &["other"]).await;
    world.google_asks(1).await;
    world.refused(google(&["one"])).await;
    assert_eq!(world.past_told(), one("shell", Why::Undecided));
    world.decide(&SHELL);
    world.passes(google(&["one"])).await;
    // Said again with each turn, it is not new; another one is.
    world.passes(google(&["one"])).await;
    world.refused(google(&["two"])).await;
    assert_eq!(world.past_told(), unasked());
    world.refused(google(&["one", "one"])).await;
    world.google_asks(1).await;
    world.passes(google(&["one", "one"])).await;
    world.refused(google(&["one", "one", "one"])).await;
    world.restart().await;
    world.mode(GateMemory::Refuse);
    world.passes(google(&["one", "one"])).await;
    world.refused(google(&["one", "two"])).await;
    // In the same request twice, and from a stream.
    world.provider.answer(vec![
        Step::Send(stream_head()),
        Step::Send(chunk(&format!("data: {}\n\n", asks(2)))),
        Step::Send(chunk("")),
    ]);
    let mut request = Way::Gemini.request(&[], true);
    request.target = "/v1beta/models/flash:streamGenerateContent?alt=sse";
    assert_eq!(world.ask(request).await.status, 200);
    world.passes(google(&["one", "one", "two", "three"])).await;
    // As many as the gate decided on, whatever was asked for.
    world.google_asks(1).await;
    world.refused(google(&["one", "one", "two", "three", "four"])).await;
}

#[tokio::test]
async fn what_a_provider_did_not_take_was_not_given() {
    let world = World::refusing().await;
    world.google_asks(1).await;
    world.decide(&SHELL);
    world.provider.document("400 Bad Request", r#"{"error":{"message":"too long"}}"#);
    world.ask(google(&["a long result"])).await;
    world.passes(google(&["a result"])).await;
    world.refused(google(&["a long result"])).await;
}

#[tokio::test]
async fn an_old_result_may_be_cut_and_not_grow() {
    let world = World::refusing().await;
    world.google_asks(2).await;
    world.decide(&SHELL);
    world.passes(google(&["a result of many words", "second"])).await;
    world.passes(google(&["[cut]", "second"])).await;
    world.refused(google(&["a result of many more words than it had", "second"])).await;
    world.refused(google(&["[cut]", "third"])).await;
}

#[tokio::test]
async fn calls_of_before_there_were_ids() {
    let world = World::refusing().await;
    world.calls(Way::Messages, &["other"]).await;
    world.decide(&SHELL);
    world.refused(function("done")).await;
    let call = |name: Option<&str>| json!({"function_call": {"name": name, "arguments": "{}"}});
    world.provider.document("200 OK", &json!({"choices": [{"message": call(Some("shell"))}]}).to_string());
    assert_eq!(world.ask(Way::Chat.request(&[], true)).await.status, 200);
    world.passes(function("done")).await;
    world.refused(function("more")).await;
    let events =
        [call(Some("Shell")), call(None)].map(|delta| format!("data: {}\n\n", json!({"choices": [{"delta": delta}]})));
    let steps = vec![
        Step::Send(stream_head()),
        Step::Send(chunk(&events.concat())),
        Step::Send(chunk("data: [DONE]\n\n")),
        Step::Send(chunk("")),
    ];
    world.provider.answer(steps);
    let streamed = json!({"model": "mini", "stream": true, "messages": []}).to_string();
    assert_eq!(world.ask(Request::completions(streamed)).await.status, 200);
    world.passes(function("more")).await;
    world.refused(function("and more")).await;
}

#[tokio::test]
async fn where_nothing_is_known_of_any_call_it_is_told() {
    let world = World::refusing().await;
    world.decide(&SHELL);
    world.passes(google(&["done"])).await;
    assert_eq!(world.past_told(), one("shell", Why::Forgotten));
}
