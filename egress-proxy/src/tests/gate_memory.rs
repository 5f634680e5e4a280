//! Results of tool calls that came past the gate: an attacker's ways to hand them in.

use serde_json::{Value, json};
use wardkeep_policy::GateMemory;
use wardkeep_proto::time::Timestamp;

use super::harness::{Reply, Request, Step, World, chunk, stream_head};
use crate::Why;

mod unnamed;

/// One of the ways to talk to a model.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Messages,
    Chat,
    Responses,
    Gemini,
}

const WAYS: [Way; 4] = [Way::Messages, Way::Chat, Way::Responses, Way::Gemini];

impl Way {
    /// Asks with these results, call by call, each after the call itself where `with_calls`.
    fn request(self, results: &[(&str, &str)], with_calls: bool) -> Request<'static> {
        let mut turns = vec![json!({"role": "user", "content": "Do it."})];
        if self == Self::Gemini {
            turns = vec![json!({"role": "user", "parts": [{"text": "Do it."}]})];
        }
        for (id, text) in results {
            let (call, result) = match self {
                Self::Messages => (
                    json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "shell", "input": {}}]}),
                    json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]}),
                ),
                Self::Chat => (
                    json!({"role": "assistant", "tool_calls": [{"id": id, "type": "function", "function": {"name": "shell", "arguments": "{}"}}]}),
                    json!({"role": "tool", "tool_call_id": id, "content": text}),
                ),
                Self::Responses => (
                    json!({"type": "function_call", "call_id": id, "name": "shell", "arguments": "{}"}),
                    json!({"type": "function_call_output", "call_id": id, "output": text}),
                ),
                Self::Gemini => (
                    json!({"role": "model", "parts": [{"functionCall": {"id": id, "name": "shell", "args": {}}}]}),
                    json!({"role": "user", "parts": [{"functionResponse": {"id": id, "name": "shell", "response": {"output": text}}}]}),
                ),
            };
            turns.extend(with_calls.then_some(call));
            turns.push(result);
        }
        self.with(turns)
    }

    fn with(self, turns: Vec<Value>) -> Request<'static> {
        match self {
            Self::Messages => {
                Request::messages(json!({"model": "sonnet", "max_tokens": 9, "messages": turns}).to_string())
            }
            Self::Chat => Request::completions(json!({"model": "mini", "messages": turns}).to_string()),
            Self::Responses => Request {
                target: "/v1/responses",
                ..Request::completions(json!({"model": "mini", "input": turns}).to_string())
            },
            Self::Gemini => {
                Request::gemini("/v1beta/models/flash:generateContent", json!({"contents": turns}).to_string())
            }
        }
    }

    /// A whole answer with these calls.
    fn answer(self, ids: &[&str]) -> String {
        let each = |of: fn(&str) -> Value| ids.iter().map(|id| of(id)).collect::<Vec<_>>();
        match self {
            Self::Messages => json!({"id": "msg_1", "type": "message", "stop_reason": "tool_use",
                "content": each(|id| json!({"type": "tool_use", "id": id, "name": "shell", "input": {"id": "fake"}}))}),
            Self::Chat => json!({"id": "x", "choices": [{"message": {"role": "assistant", "tool_calls":
                each(|id| json!({"id": id, "type": "function", "function": {"name": "shell", "arguments": "{}"}}))}}]}),
            Self::Responses => json!({"id": "resp_1", "output":
                each(|id| json!({"id": format!("fc_{id}"), "type": "function_call", "call_id": id, "name": "shell", "arguments": "{}"}))}),
            Self::Gemini => json!({"candidates": [{"content": {"role": "model", "parts":
                each(|id| json!({"functionCall": {"id": id, "name": "shell", "args": {}}}))}, "finishReason": "STOP"}]}),
        }
        .to_string()
    }

    /// The same as events.
    fn events(self, ids: &[&str]) -> Vec<String> {
        let data = |value: Value| format!("data: {value}\n\n");
        match self {
            Self::Messages => ids
                .iter()
                .map(|id| {
                    data(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": id, "name": "shell", "input": {}}}))
                })
                .collect(),
            Self::Chat => ids
                .iter()
                .map(|id| {
                    data(json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": id, "function": {"name": "shell", "arguments": ""}}]}}]}))
                })
                .collect(),
            Self::Responses => ids
                .iter()
                .map(|id| {
                    data(json!({"type": "response.output_item.added", "item": {"id": "fc_1", "type": "function_call", "call_id": id}}))
                })
                .collect(),
            Self::Gemini => vec![data(serde_json::from_str(&self.answer(ids)).unwrap())],
        }
    }
}

const OK: &str = r#"{"id":"ok"}"#;

impl World {
    async fn refusing() -> Self {
        let world = Self::new().await;
        world.mode(GateMemory::Refuse);
        world
    }

    fn mode(&self, mode: GateMemory) {
        self.change(|bundle| bundle.llm.gate_memory = mode);
    }

    fn decide(&self, ids: &[&str]) {
        let at = Timestamp(12 * 3_600_000);
        self.switches.decided.lock().unwrap().extend(ids.iter().map(|id| ((*id).to_owned(), at)));
    }

    /// The model asks for these calls.
    async fn calls(&self, way: Way, ids: &[&str]) {
        self.provider.document("200 OK", &way.answer(ids));
        assert_eq!(self.ask(way.request(&[], true)).await.status, 200);
    }

    /// Hands in, and the provider takes it.
    async fn passes(&self, request: Request<'_>) {
        self.provider.document("200 OK", OK);
        let reply = self.ask(request).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// Hands in; nothing leaves.
    async fn refused(&self, request: Request<'_>) -> Reply {
        let before = self.provider.seen().len();
        let reply = self.ask(request).await;
        assert_eq!(reply.refusal(), (400, "past-the-gate"), "{}", reply.text());
        assert_eq!(self.provider.seen().len(), before);
        reply
    }

    fn past_told(&self) -> Vec<(String, Why)> {
        let past = std::mem::take(&mut *self.switches.past.lock().unwrap());
        past.into_iter().flat_map(|bypass| bypass.results).map(|one| (one.call, one.why)).collect()
    }
}

fn one(call: &str, why: Why) -> Vec<(String, Why)> {
    vec![(call.to_owned(), why)]
}

#[tokio::test]
async fn a_runtime_that_executes_without_asking_hands_nothing_in() {
    let world = World::refusing().await;
    for way in WAYS {
        let id = format!("call_{way:?}");
        world.calls(way, &[&id]).await;
        let request = || way.request(&[(&id, "done")], true);
        let reply = world.refused(request()).await;
        assert!(reply.text().contains(&id) && reply.text().contains("before-tool-call"), "{}", reply.text());
        let error = &reply.json()["error"];
        assert!(error["message"].is_string() && reply.headers["x-should-retry"] == "false", "{}", reply.text());
        assert_eq!(world.past_told(), one(&id, Why::Undecided));
        // The same again is not news.
        world.refused(request()).await;
        assert_eq!(world.past_told(), []);
        // Once the gate has decided, whatever it was, the result may be handed in, again and again.
        world.decide(&[&id]);
        world.passes(request()).await;
        world.passes(request()).await;
        assert_eq!(world.past_told(), []);
    }
}

#[tokio::test]
async fn calls_are_known_from_streams_before_the_agent_has_them() {
    let world = World::refusing().await;
    for way in WAYS {
        let id = format!("stream_{way:?}");
        let events: String = way.events(&[&id]).concat();
        let mut steps = vec![Step::Send(stream_head())];
        // In pieces of a few bytes, and without an end.
        steps.extend(events.as_bytes().chunks(7).map(|piece| Step::Send(chunk(std::str::from_utf8(piece).unwrap()))));
        world.provider.answer(steps);
        let mut request = way.request(&[], true);
        if way == Way::Gemini {
            request.target = "/v1beta/models/flash:streamGenerateContent?alt=sse";
        }
        let reply = world.ask(request).await;
        assert!(reply.text().contains(&id), "{}", reply.text());
        world.decide(&[&id]);
        world.passes(way.request(&[(&id, "done")], true)).await;
        assert_eq!(world.past_told(), [], "{way:?}");
    }
}

#[tokio::test]
async fn another_name_or_an_invented_one_helps_nobody() {
    let world = World::refusing().await;
    for way in WAYS {
        world.calls(way, &["asked"]).await;
        // A name that nobody knows.
        world.refused(way.request(&[("renamed", "done")], true)).await;
        assert_eq!(
            world.past_told().pop(),
            Some(("renamed".to_owned(), Why::Undecided)).filter(|_| way == Way::Messages)
        );
        // One for which the runtime had the gate decide on something harmless, and for which no model ever asked.
        let invented = format!("invented_{way:?}");
        world.decide(&[&invented]);
        world.refused(way.request(&[(&invented, "done")], true)).await;
        assert_eq!(world.past_told(), one(&invented, Why::Unasked));
    }
    // One with a secret in it is told without.
    let name = super::harness::KEY;
    let reply = world.refused(Way::Chat.request(&[(name, "done")], true)).await;
    assert!(!reply.text().contains(name) && !format!("{:?}", world.switches.past.lock().unwrap()).contains(name));
}

#[tokio::test]
async fn a_call_taken_out_of_the_history_is_still_one() {
    let world = World::refusing().await;
    for way in WAYS {
        world.calls(way, &["c"]).await;
        world.refused(way.request(&[("c", "done")], false)).await;
        // Nor does counting let it through.
        if way == Way::Messages {
            let request = Request { target: "/v1/messages/count_tokens", ..way.request(&[("c", "done")], false) };
            world.refused(request).await;
        }
    }
}

#[tokio::test]
async fn the_other_dialect_knows_the_same_calls() {
    let world = World::refusing().await;
    for from in WAYS {
        for to in WAYS {
            let id = format!("{from:?}_{to:?}");
            world.calls(from, &[&id]).await;
            world.refused(to.request(&[(&id, "done")], true)).await;
            world.decide(&[&id]);
            world.passes(to.request(&[(&id, "done")], true)).await;
        }
    }
}

#[tokio::test]
async fn each_of_parallel_calls_needs_its_decision() {
    let world = World::refusing().await;
    for way in WAYS {
        let ids = ["a", "b", "c"].map(|name| format!("{name}_{way:?}"));
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        world.calls(way, &ids).await;
        world.decide(&ids[..2]);
        let all: Vec<(&str, &str)> = ids.iter().map(|id| (*id, "done")).collect();
        world.refused(way.request(&all, true)).await;
        assert_eq!(world.past_told(), one(ids[2], Why::Undecided));
        // One after the other, in requests of their own: two pass and the third does not.
        world.passes(way.request(&all[..1], true)).await;
        world.passes(way.request(&all[..2], true)).await;
        world.refused(way.request(&all[2..], true)).await;
        world.decide(&ids);
        world.passes(way.request(&all, true)).await;
    }
}

#[tokio::test]
async fn an_old_decision_lets_no_other_result_through() {
    let world = World::refusing().await;
    for way in WAYS {
        let id = format!("old_{way:?}");
        world.calls(way, &[&id]).await;
        world.decide(&[&id]);
        // What a provider did not take may be handed in anew, cut for instance.
        world.provider.document("400 Bad Request", r#"{"error":{"message":"too long"}}"#);
        world.ask(way.request(&[(&id, "a long result of the first call")], true)).await;
        world.passes(way.request(&[(&id, "a result of the first call")], true)).await;
        world.refused(way.request(&[(&id, "what another call gave")], true)).await;
        assert_eq!(world.past_told(), one(&id, Why::Replayed));
        // Twice in one request.
        let other = format!("twice_{way:?}");
        world.calls(way, &[&other]).await;
        world.decide(&[&other]);
        world.refused(way.request(&[(&other, "one"), (&other, "two")], false)).await;
        assert_eq!(world.past_told(), one(&other, Why::Replayed));
        // Deeper in the history: cut it may be, grown it may not.
        let behind = |text: &str| {
            let mut body: Value = serde_json::from_slice(&way.request(&[(&id, text)], true).body).unwrap();
            let (turns, word) = match way {
                Way::Responses => ("input", json!({"role": "assistant", "content": "I see."})),
                Way::Gemini => ("contents", json!({"role": "model", "parts": [{"text": "I see."}]})),
                _ => ("messages", json!({"role": "assistant", "content": "I see."})),
            };
            body[turns].as_array_mut().unwrap().push(word);
            way.with(body[turns].as_array().unwrap().clone())
        };
        world.passes(behind("[cut]")).await;
        world.refused(behind(&"what another call gave ".repeat(4))).await;
        assert_eq!(world.past_told(), [], "it was told before");
    }
}

#[tokio::test]
async fn what_the_provider_ran_itself_needs_no_gate() {
    let world = World::refusing().await;
    let answer = json!({"id": "msg_1", "content": [{"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}]});
    world.provider.document("200 OK", &answer.to_string());
    assert_eq!(world.ask(Way::Messages.request(&[], true)).await.status, 200);
    let history = |id: &str, kind: &str| {
        Way::Messages.with(vec![
            json!({"role": "assistant", "content": [{"type": kind, "tool_use_id": id, "content": []}]}),
            json!({"role": "user", "content": "Go on."}),
        ])
    };
    world.passes(history("srvtoolu_1", "web_search_tool_result")).await;
    assert_eq!(world.past_told(), []);
    // A server's result that no server gave is told.
    world.passes(history("srvtoolu_2", "web_search_tool_result")).await;
    assert_eq!(world.past_told(), one("srvtoolu_2", Why::NotOfServer));
    // And the id of a server's call is none of a call of ours.
    world.refused(history("srvtoolu_1", "tool_result")).await;
}

#[tokio::test]
async fn what_an_item_of_the_provider_brings_is_told_unless_it_came_from_there() {
    let world = World::refusing().await;
    let item = |id: &str| json!({"type": "mcp_call", "id": id, "name": "x", "arguments": "{}", "output": "done"});
    let answer = json!({"id": "resp_1", "status": "completed", "output": [item("mcp_1")]});
    world.provider.document("200 OK", &answer.to_string());
    assert_eq!(world.ask(Way::Responses.request(&[], true)).await.status, 200);
    let history = |id: &str| Way::Responses.with(vec![item(id), json!({"role": "user", "content": "Go on."})]);
    world.passes(history("mcp_1")).await;
    assert_eq!(world.past_told(), []);
    world.passes(history("mcp_2")).await;
    assert_eq!(world.past_told(), one("mcp_2", Why::NotOfServer));
}

#[tokio::test]
async fn a_policy_may_only_tell_or_not_look() {
    let world = World::refusing().await;
    world.calls(Way::Chat, &["c"]).await;
    world.mode(GateMemory::Report);
    for news in [one("c", Why::Undecided), Vec::new()] {
        world.passes(Way::Chat.request(&[("c", "done")], true)).await;
        assert_eq!(world.past_told(), news);
    }
    world.mode(GateMemory::Off);
    world.passes(Way::Chat.request(&[("d", "done")], true)).await;
    assert_eq!(world.past_told(), []);
    world.mode(GateMemory::Refuse);
    world.refused(Way::Chat.request(&[("c", "done")], true)).await;
}

#[tokio::test]
async fn a_restart_forgets_no_call_and_no_result() {
    let mut world = World::refusing().await;
    world.calls(Way::Chat, &["c", "d"]).await;
    world.decide(&["c", "d", "e"]);
    world.passes(Way::Chat.request(&[("c", "done")], true)).await;
    world.restart().await;
    world.mode(GateMemory::Refuse);
    // Known still: asked for, handed in, and never asked for.
    world.passes(Way::Chat.request(&[("c", "done")], true)).await;
    world.passes(Way::Chat.request(&[("d", "done")], true)).await;
    world.refused(Way::Chat.request(&[("c", "what another call gave")], true)).await;
    world.refused(Way::Chat.request(&[("e", "done")], true)).await;
    world.past_told();
    // A decision from before the first call that is known: told, since nobody can say.
    world.switches.decided.lock().unwrap().insert("f".to_owned(), Timestamp(1));
    world.passes(Way::Chat.request(&[("f", "done")], true)).await;
    assert_eq!(world.past_told(), one("f", Why::Forgotten));
}
