//! Several models behind one name: who is asked, who is asked next, what is paid, and what the caller is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use wardkeep_policy::bundle::llm::{Breaker, GateMemory, Waits};
use wardkeep_policy::{Dialect, Price, Provider};
use wardkeep_proto::time::Timestamp;

use super::harness::{KEY, KEY_2, NOON, Reply, Request, Step, World, chunk, document, nobody, stream_head, streamed};
use super::relaying::read_until;
use crate::translate::tests::recorded;
use crate::usage::tests::ANTHROPIC;

const PLAIN: &str = r#"{"model":"r","max_tokens":40,"messages":[{"role":"user","content":"Hi"}]}"#;
const STREAMED: &str = r#"{"model":"r","max_tokens":40,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
const DONE: &str =
    r#"{"id":"m","type":"message","role":"assistant","content":[],"usage":{"input_tokens":5,"output_tokens":2}}"#;

/// Two providers at one address, told apart by their paths, and the route `r` over a model of each.
async fn world(route: Value) -> World {
    let world = World::new().await;
    let address = world.provider.address;
    world.change(|bundle| {
        let key = || Some("llm_key".parse().unwrap());
        let provider =
            |name: &str| Provider::new(name, Dialect::Anthropic, &format!("http://{address}/{name}"), key());
        bundle.llm.providers.extend([provider("a"), provider("b")]);
        for (model, provider) in [("sonnet-a", "a"), ("sonnet-b", "b")] {
            let mut one = bundle.llm.models[0].clone();
            (one.name, one.provider) = (model.to_owned(), provider.to_owned());
            bundle.llm.models.push(one);
        }
        bundle.agents[0].models.push("r".to_owned());
        let mut whole = json!({"name": "r", "targets": [{"model": "sonnet-a"}, {"model": "sonnet-b"}], "retry": {"base_ms": 1, "rounds": 1}});
        for (name, value) in route.as_object().unwrap() {
            whole[name] = value.clone();
        }
        bundle.llm.routes.push(serde_json::from_value(whole).unwrap());
        let mut sound = bundle.llm.clone();
        // One of the others is wrong on purpose.
        sound.providers.retain(|provider| provider.name != "far");
        sound.models.retain(|model| model.provider != "far");
        sound.check().unwrap();
    });
    world
}

impl World {
    fn provider_named(&self, name: &str, change: impl FnOnce(&mut Provider)) {
        self.change(|bundle| change(bundle.llm.providers.iter_mut().find(|one| one.name == name).unwrap()));
    }

    /// Gives a provider so many milliseconds until its answer begins, and between two pieces of it.
    fn hurry(&self, name: &str, first_byte: u32, idle: u32) {
        let waits = Waits { connect_ms: Some(2_000), first_byte_ms: Some(first_byte), idle_ms: Some(idle) };
        self.provider_named(name, |provider| provider.waits = waits);
    }

    fn fails(&self, status: &str, headers: &str) {
        let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        self.provider.answer(vec![Step::Send(document(status, headers, error))]);
    }

    /// The providers that were asked, in order, by their paths.
    fn asked(&self) -> String {
        let first = |line: &str| line.trim_start_matches("POST /").split('/').next().unwrap_or_default().to_owned();
        self.provider.seen().iter().map(|seen| first(&seen.line)).collect::<Vec<_>>().join(" ")
    }

    /// Requests, estimated ones and output tokens, by model.
    async fn paid(&self) -> BTreeMap<String, (u64, u64, u64)> {
        self.meter.flush().await.unwrap();
        let totals = self.meter.totals(Timestamp(0)).await.unwrap();
        let one = |amounts: crate::Amounts| (amounts.requests, amounts.estimated_requests, amounts.output_tokens);
        totals.into_iter().map(|total| (total.model, one(total.amounts))).collect()
    }
}

fn told(reply: &Reply) -> (u16, &str, &str, &str) {
    let of = |name: &str| reply.headers.get(name).map_or("", String::as_str);
    (reply.status, of("x-wardkeep-provider"), of("x-wardkeep-model"), of("x-wardkeep-attempts"))
}

#[tokio::test]
async fn the_next_target_answers_when_the_first_fails() {
    for (status, name) in [
        ("429 Too Many Requests", "limited"),
        ("500 X", "broken"),
        ("502 X", "gateway"),
        ("503 X", "busy"),
        ("529 Overloaded", "overloaded"),
        ("408 X", "slow"),
        ("401 X", "wrong key"),
        ("403 X", "forbidden"),
        ("402 X", "not paid"),
        ("404 X", "no such model"),
        ("307 Moved", "redirect"),
    ] {
        let world = world(json!({})).await;
        world.fails(status, "location: http://evil.example/\r\n");
        world.provider.document("200 OK", DONE);
        let reply = world.ask(Request::messages(PLAIN)).await;
        assert_eq!(told(&reply), (200, "b", "sonnet-b", "2"), "{name}: {}", reply.text());
        assert_eq!((world.asked().as_str(), reply.text().as_str()), ("a b", DONE), "{name}");
        // Each attempt is on record; one that failed cost nothing.
        let paid = world.paid().await;
        assert_eq!((paid["sonnet-a"], paid["sonnet-b"]), ((1, 0, 0), (1, 0, 2)), "{name}");
    }
}

#[tokio::test]
async fn what_the_caller_did_wrong_is_not_asked_elsewhere() {
    for status in ["400 Bad Request", "413 X", "422 X", "409 X"] {
        let world = world(json!({"retry": {"rounds": 3}})).await;
        world.fails(status, "");
        let reply = world.ask(Request::messages(PLAIN)).await;
        assert_eq!((told(&reply).1, world.asked().as_str()), ("a", "a"), "{status}");
        assert!(reply.status < 500 && reply.text().contains("Overloaded"));
    }
}

#[tokio::test]
async fn who_cannot_be_reached_or_says_nothing_is_passed_over() {
    let silence = || vec![Step::Silence];
    let head_only = || vec![Step::Send(stream_head()), Step::Silence];
    let error =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n";
    let no_length = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n".to_vec();
    for (name, body, script, first) in [
        ("no head", PLAIN, silence(), (1, 1)),
        ("no head of a stream", STREAMED, silence(), (1, 1)),
        ("reset", PLAIN, vec![Step::Reset], (1, 1)),
        ("a stream that stalls before its first byte", STREAMED, head_only(), (1, 1)),
        ("a document that stalls before its first byte", PLAIN, vec![Step::Send(no_length), Step::Silence], (1, 1)),
        ("a stream that breaks before its first byte", STREAMED, vec![Step::Send(stream_head()), Step::Reset], (1, 1)),
        ("a stream without anything", STREAMED, vec![Step::Send(stream_head()), Step::Send(chunk(""))], (1, 1)),
        ("a stream of one error", STREAMED, streamed(&[error], [Step::Send(chunk(""))]), (1, 0)),
    ] {
        let world = world(json!({})).await;
        // Only who says nothing is hurried: the others answer in time on any machine.
        if matches!(script.last(), Some(Step::Silence)) {
            world.hurry("a", 300, 300);
        }
        world.provider.answer(script);
        world.provider.document("200 OK", DONE);
        let reply = world.ask(Request::messages(body)).await;
        assert_eq!(
            (told(&reply), world.asked().as_str()),
            ((200, "b", "sonnet-b", "2"), "a b"),
            "{name}: {}",
            reply.text()
        );
        let paid = world.paid().await;
        // Where the provider may have worked, the input is charged; where it told an error, nothing.
        assert_eq!((paid["sonnet-a"].0, paid["sonnet-a"].1), first, "{name}");
        assert_eq!(paid["sonnet-b"], (1, 0, 2), "{name}");
    }
    let world = world(json!({})).await;
    let (_held, nowhere) = nobody();
    world.provider_named("a", |provider| provider.base_url = format!("http://{nowhere}/a"));
    world.provider.document("200 OK", DONE);
    assert_eq!(told(&world.ask(Request::messages(PLAIN)).await), (200, "b", "sonnet-b", "2"));
    assert!(!world.paid().await.contains_key("sonnet-a"), "what never left counts as nothing");
}

#[tokio::test]
async fn nothing_is_asked_again_once_a_byte_was_passed_on() {
    for (name, last) in [("stall", Step::Silence), ("break", Step::Reset)] {
        let world = world(json!({"retry": {"rounds": 5}})).await;
        world.hurry("a", 30_000, 300);
        let (go, wait) = tokio::sync::oneshot::channel();
        world.provider.answer(streamed(&ANTHROPIC[..3], [Step::Wait(wait), last]));
        let mut agent = world.connect(&Request::messages(STREAMED)).await;
        read_until(&mut agent, ANTHROPIC[..3].concat().len()).await;
        go.send(()).unwrap();
        let mut rest = Vec::new();
        let _ = agent.read_to_end(&mut rest).await;
        let rest = String::from_utf8_lossy(&rest).into_owned();
        assert!(
            rest.contains("event: error\ndata: {\"type\":\"error\"") && !rest.ends_with("0\r\n\r\n"),
            "{name}: {rest}"
        );
        assert_eq!(world.asked(), "a", "{name}");
    }
}

#[tokio::test]
async fn a_first_piece_that_was_waited_for_is_passed_on_untouched() {
    for (body, script, want) in [
        (STREAMED, streamed(ANTHROPIC, [Step::Send(chunk(""))]), ANTHROPIC.concat()),
        (PLAIN, vec![Step::Send(document("200 OK", "", DONE))], DONE.to_owned()),
        (PLAIN, vec![Step::Send(document("200 OK", "", ""))], String::new()),
    ] {
        let world = world(json!({})).await;
        world.provider.answer(script);
        let reply = world.ask(Request::messages(body)).await;
        assert_eq!((reply.status, reply.complete, reply.text()), (200, true, want));
        assert_eq!(told(&reply).3, "1");
    }
}

#[tokio::test]
async fn a_target_is_asked_again_after_a_wait_and_the_last_error_is_told() {
    let world = world(json!({"retry": {"rounds": 2, "base_ms": 1, "most_ms": 2000}})).await;
    world.fails("500 X", "");
    world.fails("503 X", "retry-after: 1\r\n");
    world.fails("529 X", "");
    world.fails("503 X", "retry-after: 3\r\n");
    let reply = world.ask(Request::messages(PLAIN)).await;
    assert_eq!((told(&reply), world.asked().as_str()), ((503, "b", "sonnet-b", "4"), "a b a b"), "{}", reply.text());
    assert_eq!(reply.headers["retry-after"], "3");
    // One that wants more than is waited is not asked again.
    let world = self::world(json!({"retry": {"rounds": 2, "base_ms": 1, "most_ms": 2000}})).await;
    world.fails("503 X", "retry-after: 60\r\n");
    world.fails("500 X", "");
    world.provider.document("200 OK", DONE);
    assert_eq!(told(&world.ask(Request::messages(PLAIN)).await), (200, "b", "sonnet-b", "3"));
    assert_eq!(world.asked(), "a b b");
    // A model by itself is asked once, as ever.
    world.change(|bundle| bundle.agents[0].models.push("sonnet-a".to_owned()));
    world.fails("500 X", "");
    let reply = world.ask(Request::messages(PLAIN.replace("\"r\"", "\"sonnet-a\""))).await;
    assert_eq!(told(&reply), (500, "a", "sonnet-a", "1"));
}

#[tokio::test]
async fn an_alias_is_a_route_of_one() {
    let world = world(json!({"targets": [{"model": "sonnet-b"}]})).await;
    world.provider.document("200 OK", DONE);
    assert_eq!(told(&world.ask(Request::messages(PLAIN)).await), (200, "b", "sonnet-b", "1"));
    let sent: Value = serde_json::from_slice(&world.provider.seen()[0].body).unwrap();
    assert_eq!(sent["model"], "sonnet-20260101");
    // The target itself is not offered by its own name.
    let reply = world.ask(Request::messages(PLAIN.replace("\"r\"", "\"sonnet-b\""))).await;
    assert_eq!(reply.refusal(), (400, "unlisted-model"));
    world.change(|bundle| bundle.agents[0].models.retain(|name| name != "r"));
    assert_eq!(world.ask(Request::messages(PLAIN)).await.refusal(), (400, "unlisted-model"));
}

#[tokio::test]
async fn the_order_is_by_weight_or_by_price() {
    // The lowest draw is of the first; with the weights the other way round, too.
    let world =
        world(json!({"order": "weighted", "targets": [{"model": "sonnet-b", "weight": 9}, {"model": "sonnet-a"}]}))
            .await;
    world.provider.document("200 OK", DONE);
    assert_eq!(told(&world.ask(Request::messages(PLAIN)).await).1, "b");
    let world = self::world(json!({"order": "cheapest"})).await;
    let price = |input, output| Some(Price { input, output, ..Price::default() });
    world.change(|bundle| {
        for model in &mut bundle.llm.models {
            match model.name.as_str() {
                "sonnet-a" => model.price = price(1, 100),
                "sonnet-b" => model.price = price(50, 1),
                _ => {}
            }
        }
    });
    for (tokens, want) in [(40, "b"), (1, "a")] {
        world.provider.document("200 OK", DONE);
        let body = PLAIN.replace("40", &tokens.to_string());
        assert_eq!(told(&world.ask(Request::messages(body)).await).1, want, "{tokens} tokens of output");
    }
}

#[tokio::test]
async fn a_provider_that_fails_is_left_alone_and_one_request_decides() {
    let world = world(json!({})).await;
    let later = |seconds: i64| world.switches.now.store(NOON + seconds * 1000, Ordering::SeqCst);
    for _ in 0..5 {
        world.fails("500 X", "");
        world.provider.document("200 OK", DONE);
        world.ask(Request::messages(PLAIN)).await;
    }
    let before = world.provider.seen().len();
    for _ in 0..3 {
        world.provider.document("200 OK", DONE);
        assert_eq!(told(&world.ask(Request::messages(PLAIN)).await), (200, "b", "sonnet-b", "1"), "a rests");
    }
    assert_eq!(world.provider.seen().len(), before + 3);
    // Half a minute later one request asks, and it still fails.
    later(30);
    world.fails("500 X", "");
    world.provider.document("200 OK", DONE);
    assert_eq!(told(&world.ask(Request::messages(PLAIN)).await), (200, "b", "sonnet-b", "2"));
    world.provider.document("200 OK", DONE);
    assert_eq!(told(&world.ask(Request::messages(PLAIN)).await).3, "1");
    // And then it does not.
    later(60);
    for _ in 0..2 {
        world.provider.document("200 OK", DONE);
        assert_eq!(told(&world.ask(Request::messages(PLAIN)).await), (200, "a", "sonnet-a", "1"));
    }
}

#[tokio::test]
async fn where_all_rest_the_caller_is_told_for_how_long() {
    let world = world(json!({})).await;
    let breaker = Some(Breaker { failures: 1, rest_s: 20, ..Breaker::default() });
    for name in ["a", "b"] {
        world.provider_named(name, |provider| provider.breaker = breaker);
    }
    world.fails("500 X", "");
    world.fails("500 X", "");
    assert_eq!(world.ask(Request::messages(PLAIN)).await.status, 500);
    world.switches.now.fetch_add(5_000, Ordering::SeqCst);
    let reply = world.ask(Request::messages(PLAIN)).await;
    assert_eq!((reply.refusal(), reply.headers["retry-after"].as_str()), ((503, "resting"), "15"));
    assert!(reply.json()["error"]["message"].as_str().unwrap().contains("15 seconds"));
    assert_eq!(world.provider.seen().len(), 2);
    // A model by itself has a breaker where the policy writes one.
    world.change(|bundle| bundle.agents[0].models.push("sonnet-a".to_owned()));
    let alone = Request::messages(PLAIN.replace("\"r\"", "\"sonnet-a\""));
    assert_eq!(world.ask(alone.clone()).await.refusal(), (503, "resting"));
    world.provider_named("a", |provider| provider.breaker = None);
    world.provider.document("200 OK", DONE);
    assert_eq!(world.ask(alone).await.status, 200);
}

#[tokio::test]
async fn a_key_that_is_not_taken_is_left_alone() {
    let world = world(json!({})).await;
    world.provider_named("a", |provider| provider.keys = vec!["llm_key_2".parse().unwrap()]);
    world.change(|bundle| bundle.agents[0].models.push("sonnet-a".to_owned()));
    let alone = Request::messages(PLAIN.replace("\"r\"", "\"sonnet-a\""));
    let keys = || world.provider.seen().iter().map(|seen| seen.headers["x-api-key"].clone()).collect::<Vec<_>>();
    let later = |seconds: i64| world.switches.now.store(NOON + seconds * 1000, Ordering::SeqCst);
    // Also a model by itself has the other key at once, without a wait.
    world.fails("429 X", "retry-after: 40\r\n");
    world.provider.document("200 OK", DONE);
    assert_eq!(told(&world.ask(alone.clone()).await), (200, "a", "sonnet-a", "2"));
    assert_eq!(keys(), [KEY, KEY_2]);
    world.provider.document("200 OK", DONE);
    world.ask(alone.clone()).await;
    assert_eq!(keys()[2..], [KEY_2], "for as long as it was asked for");
    later(40);
    world.fails("401 X", "");
    world.fails("403 X", "");
    assert_eq!(world.ask(alone.clone()).await.status, 403, "the last word is the provider's");
    assert_eq!(keys()[3..], [KEY, KEY_2]);
    // Where others are left nobody asks with a key that was just refused; where nobody is, somebody does.
    world.provider.document("200 OK", DONE);
    assert_eq!(told(&world.ask(Request::messages(PLAIN)).await), (200, "b", "sonnet-b", "1"));
    world.provider.document("200 OK", DONE);
    assert_eq!(told(&world.ask(alone.clone()).await), (200, "a", "sonnet-a", "1"));
    let paid = world.paid().await;
    assert_eq!((paid["sonnet-a"], paid["sonnet-b"]), ((6, 0, 6), (1, 0, 2)));
}

#[tokio::test]
async fn a_provider_is_waited_for_as_long_as_its_policy_says() {
    let world = world(json!({})).await;
    world.hurry("a", 200, 300);
    world.provider.answer(vec![Step::Silence]);
    world.provider.document("200 OK", DONE);
    assert_eq!(told(&world.ask(Request::messages(PLAIN)).await), (200, "b", "sonnet-b", "2"));
    world.hurry("a", 30_000, 300);
    world.provider.answer(streamed(&ANTHROPIC[..2], [Step::Silence]));
    let reply = world.ask(Request::messages(STREAMED)).await;
    assert!(reply.text().contains("event: error") && !reply.complete, "{}", reply.text());
}

#[tokio::test]
async fn a_target_of_another_api_answers_in_the_callers() {
    let world = world(json!({"targets": [{"model": "mini"}, {"model": "sonnet-b"}, {"model": "flash"}]})).await;
    world.fails("500 X", "");
    world.provider.answer(streamed(recorded::ANTHROPIC, [Step::Send(chunk(""))]));
    let body = r#"{"model":"r","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
    let reply = world.ask(Request::completions(body)).await;
    assert_eq!(told(&reply), (200, "b", "sonnet-b", "2"));
    assert!(reply.complete && reply.text().ends_with("data: [DONE]\n\n"), "{}", reply.text());
    // What cannot be told to a target goes to the next; nobody asks it.
    world.provider.document("200 OK", DONE);
    let k = r#"{"model":"r","max_tokens":9,"top_k":2,"messages":[{"role":"user","content":"Hi"}]}"#;
    let reply = world.ask(Request::messages(k)).await;
    assert_eq!(told(&reply), (200, "b", "sonnet-b", "1"), "{}", reply.text());
    let both = r#"{"model":"r","n":2,"messages":[{"role":"user","content":"Hi"}]}"#;
    world.fails("500 X", "");
    assert_eq!(world.ask(Request::completions(both)).await.status, 500, "the only one that could be asked");
    let bearer = format!("Bearer {}", super::harness::TOKEN);
    let list = world.ask(Request::get("/v1/models").with("authorization", &bearer)).await;
    assert!(list.text().contains("\"id\":\"r\""), "{}", list.text());
}

#[tokio::test]
async fn a_turn_is_counted_once_and_each_attempt_is_within_the_budget() {
    let world = world(json!({})).await;
    world.change(|bundle| {
        bundle.budgets = serde_json::from_str(r#"[{"brake":{"turns":3,"minutes":10,"repeats":9}}]"#).unwrap();
    });
    for turn in 0..3 {
        world.fails("500 X", "");
        world.provider.document("200 OK", DONE);
        let body = format!(r#"{{"model":"r","max_tokens":{},"messages":[]}}"#, 40 + turn);
        assert_eq!(told(&world.ask(Request::messages(body)).await).3, "2", "turn {turn}");
    }
    let reply = world.ask(Request::messages(r#"{"model":"r","max_tokens":9,"messages":[]}"#)).await;
    assert_eq!(reply.refusal(), (200, "budget"), "the fourth");
    assert!(!reply.headers.contains_key("x-wardkeep-provider"), "nobody answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_calls_with_fallbacks_stay_within_the_budget() {
    const CALLS: usize = 64;
    let world = Arc::new(world(json!({"retry": {"rounds": 2, "base_ms": 1, "attempts": 4}})).await);
    // Room for ten answers that use all that was held for them.
    let need = (PLAIN.len() as u64 + "sonnet-20260101".len() as u64 - 1).div_ceil(4) + 40;
    let most = 10 * need;
    world.change(|bundle| {
        let budgets = format!(r#"[{{"agent":"office","limits":[{{"window":"hour","tokens":{most}}}]}}]"#);
        bundle.budgets = serde_json::from_str(&budgets).unwrap();
    });
    let done = format!(r#"{{"usage":{{"input_tokens":{},"output_tokens":40}}}}"#, need - 40);
    for number in 0..4 * CALLS {
        // Every other attempt fails in one of the ways in which attempts fail.
        match number % 6 {
            0 => world.fails("500 X", ""),
            2 => world.fails("529 X", ""),
            4 => world.provider.answer(vec![Step::Reset]),
            _ => world.provider.answer(vec![Step::Send(document("200 OK", "connection: close\r\n", &done))]),
        }
    }
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.ask(Request::messages(PLAIN)).await })
        })
        .collect();
    let (mut answered, mut stopped) = (0, 0);
    for call in calls {
        let reply = call.await.unwrap();
        match reply.refusal() {
            (200, "budget") => stopped += 1,
            (200, "") => answered += 1,
            _ => {}
        }
    }
    world.meter.flush().await.unwrap();
    let totals = world.meter.totals(Timestamp(0)).await.unwrap();
    let used: u64 = totals.iter().map(|total| total.amounts.input_tokens + total.amounts.output_tokens).sum();
    assert!(used <= most, "{used} of {most}");
    assert!((1..=10).contains(&answered) && stopped >= CALLS - 30, "{answered} answered, {stopped} stopped");
    let requests: u64 = totals.iter().map(|total| total.amounts.requests).sum();
    assert_eq!(requests, world.provider.seen().len() as u64, "each attempt is on record");
}

#[tokio::test]
async fn calls_are_known_whichever_attempt_they_come_from() {
    let call = r#"{"id":"m","type":"message","role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"ls","input":{}}],"usage":{"input_tokens":1,"output_tokens":1}}"#;
    let result = |model: &str| {
        Request::messages(format!(
            r#"{{"model":"{model}","max_tokens":9,"messages":[{{"role":"assistant","content":[{{"type":"tool_use","id":"toolu_1","name":"ls","input":{{}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_1","content":"x"}}]}}]}}"#
        ))
    };
    for (name, model) in [("another target", "r"), ("another key", "sonnet-a")] {
        let world = world(json!({})).await;
        world.provider_named("a", |provider| provider.keys = vec!["llm_key_2".parse().unwrap()]);
        world.change(|bundle| {
            bundle.llm.gate_memory = GateMemory::Refuse;
            bundle.agents[0].models.push("sonnet-a".to_owned());
        });
        world.fails(if model == "r" { "500 X" } else { "429 X" }, "");
        world.provider.document("200 OK", call);
        let reply = world.ask(Request::messages(PLAIN.replace("\"r\"", &format!("\"{model}\"")))).await;
        assert_eq!(told(&reply).3, "2", "{name}");
        let before = world.provider.seen().len();
        assert_eq!(world.ask(result(model)).await.refusal(), (400, "past-the-gate"), "{name}");
        let past = std::mem::take(&mut *world.switches.past.lock().unwrap());
        let why: Vec<String> = past.iter().flat_map(|one| &one.results).map(|one| format!("{:?}", one.why)).collect();
        assert_eq!(why, ["Undecided"], "{name}: the call was seen, and nobody asked about it");
        assert_eq!(world.provider.seen().len(), before);
        let at = Timestamp(NOON);
        world.switches.decided.lock().unwrap().insert("toolu_1".to_owned(), at);
        world.provider.document("200 OK", DONE);
        assert_eq!(world.ask(result(model)).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn an_error_that_does_not_end_is_not_waited_for_for_long() {
    let world = world(json!({})).await;
    world.hurry("a", 30_000, 300);
    let half = b"HTTP/1.1 500 X\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{".to_vec();
    world.provider.answer(vec![Step::Send(half), Step::Silence]);
    world.provider.document("200 OK", DONE);
    assert_eq!(told(&world.ask(Request::messages(PLAIN)).await), (200, "b", "sonnet-b", "2"));
}

#[tokio::test]
async fn a_session_keeps_its_target() {
    let world = world(json!({"order": "weighted"})).await;
    let mut ways = std::collections::BTreeSet::new();
    for session in 0..16 {
        *world.switches.session.lock().unwrap() = format!("s{session}").parse().ok();
        let mut way = std::collections::BTreeSet::new();
        for _ in 0..2 {
            world.provider.document("200 OK", DONE);
            way.insert(told(&world.ask(Request::messages(PLAIN)).await).1.to_owned());
        }
        assert_eq!(way.len(), 1, "session {session}");
        ways.extend(way);
    }
    assert_eq!(ways.len(), 2, "and not all have the same");
}
