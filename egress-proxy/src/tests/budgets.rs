//! The end of a budget as an agent meets it.

use std::sync::Arc;
use std::time::Duration;

use wardkeep_policy::{DatedPrice, Limit, Price, Window};
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::waypoint::Waypoint;

use super::harness::{Reply, Request, Step, World, document, streamed};
use crate::budget::{Amount, Cap, Reason};
use crate::meter::{Admission, By, NotAdmitted, Run};
use crate::usage::tests::{ANTHROPIC, OPENAI};

const PLAIN: &str = r#"{"model":"sonnet","max_tokens":40,"messages":[{"role":"user","content":"Hi"}]}"#;
const STREAMED: &str =
    r#"{"model":"sonnet","max_tokens":40,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
const CHAT: &str = r#"{"model":"mini","max_completion_tokens":40,"messages":[{"role":"user","content":"Hi"}]}"#;
const CHAT_STREAMED: &str = r#"{"model":"mini","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
const TOOL: &str = r#"{"model":"sonnet","messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}]}"#;

impl World {
    pub(super) fn budgets(&self, budgets: &str) {
        let budgets = serde_json::from_str(budgets).unwrap();
        self.change(|bundle| bundle.budgets = budgets);
    }

    /// What the windows of today hold and have used, whatever the budgets.
    pub(super) async fn account(&self) -> (Amount, Amount) {
        let limit = Limit { window: Window::Day, tokens: Some(0), micros: None };
        let admission = Admission {
            agent: "office".parse().unwrap(),
            provider: "claude".to_owned(),
            model: "sonnet".to_owned(),
            estimated_input: 1,
            max_output: 0,
            tariff: wardkeep_policy::Tariff::default(),
            run: Run::default(),
            caps: vec![Cap { scope: None, limit, enforce: true }],
        };
        match self.meter.admit(admission).await {
            Err(NotAdmitted::Over(over)) => (over.used, over.held),
            _ => panic!("a budget of nothing"),
        }
    }

    fn told(&self) -> Vec<(String, bool)> {
        let stops = self.switches.stops.lock().unwrap();
        stops.iter().map(|stop| (stop.reason.name().to_owned(), stop.enforced)).collect()
    }
}

/// Tokens that are held for [`PLAIN`]: a quarter of what leaves, and its `max_tokens`.
fn need() -> u64 {
    (PLAIN.len() as u64 + "-20260101".len() as u64).div_ceil(4) + 40
}

fn answer(input: u64, output: u64) -> Vec<Step> {
    let body = format!(r#"{{"usage":{{"input_tokens":{input},"output_tokens":{output}}}}}"#);
    vec![Step::Send(document("200 OK", "connection: close\r\n", &body))]
}

fn is_stop(reply: &Reply) -> bool {
    reply.refusal() == (200, "budget")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixty_four_calls_at_once_ten_reach_a_provider() {
    let world = Arc::new(World::new().await);
    let most = 10 * need();
    world.budgets(&format!(r#"[{{"agent":"office","limits":[{{"window":"hour","tokens":{most}}}]}}]"#));
    for _ in 0..64 {
        // Each uses exactly what was held for it.
        world.provider.answer(answer(need() - 40, 40));
    }
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.ask(Request::messages(PLAIN)).await })
        })
        .collect();
    let mut stopped = 0;
    for call in calls {
        let reply = call.await.unwrap();
        assert_eq!(reply.status, 200);
        stopped += u32::from(is_stop(&reply));
    }
    assert_eq!((world.provider.seen().len(), stopped), (10, 54));
    let (used, held) = world.account().await;
    assert_eq!((used.tokens, held), (u128::from(most), Amount::default()));
    assert_eq!(world.told(), [("hour".to_owned(), true)], "fifty-four stops are told once");
}

/// What a request goes on from does not stand in it, and is paid for all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_provider_keeps_is_held_and_counted() {
    const FIRST: &str = r#"{"model":"mini","input":"Hi","max_output_tokens":16}"#;
    const NEXT: &str = r#"{"model":"mini","previous_response_id":"resp_1","input":"Hi","max_output_tokens":16}"#;
    const ANSWER: &str = r#"{"object":"response","output":[],"usage":{"input_tokens":1000,"output_tokens":200}}"#;
    let responses = |body: &'static str| Request { target: "/v1/responses", ..Request::completions(body) };
    let world = Arc::new(World::new().await);
    // Nothing was answered yet: more is held than a budget of a few tokens has.
    world.budgets(r#"[{"agent":"office","limits":[{"window":"hour","tokens":3800}]}]"#);
    assert!(is_stop(&world.ask(responses(NEXT)).await) && world.provider.seen().is_empty());
    for _ in 0..16 {
        world.provider.document("200 OK", ANSWER);
    }
    assert_eq!(world.ask(responses(FIRST)).await.refusal(), (200, ""));
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { is_stop(&world.ask(responses(NEXT)).await) })
        })
        .collect();
    let mut stopped = 0;
    for call in calls {
        stopped += u32::from(call.await.unwrap());
    }
    assert_eq!((world.provider.seen().len(), stopped), (1 + 2, 6));
    assert_eq!(world.account().await.0.tokens, 3600);
}

#[tokio::test]
async fn who_leaves_early_is_charged_what_the_provider_kept() {
    const ANSWER: &str = r#"{"object":"response","output":[],"usage":{"input_tokens":1000,"output_tokens":200}}"#;
    const NEXT: &str = r#"{"model":"mini","previous_response_id":"resp_1","input":"Hi","stream":true}"#;
    let responses = |body: &'static str| Request { target: "/v1/responses", ..Request::completions(body) };
    let mut world = World::new().await;
    world.provider.document("200 OK", ANSWER);
    assert_eq!(world.ask(responses(r#"{"model":"mini","input":"Hi"}"#)).await.status, 200);
    world.provider.answer(streamed(
        &["data: {\"type\":\"response.output_text.delta\",\"delta\":\"12345678\"}\n\n"],
        [Step::Silence],
    ));
    let agent = world.connect(&responses(NEXT)).await;
    agent.readable().await.unwrap();
    drop(agent);
    let amounts = world.amounts(2).await;
    let sent = world.provider.seen()[1].body.len() as u64;
    assert_eq!((amounts.input_tokens, amounts.estimated_requests), (1000 + 1200 + sent.div_ceil(4), 1));
}

#[tokio::test]
async fn a_stop_is_an_answer_of_the_model_in_each_dialect() {
    let world = World::new().await;
    world.budgets(r#"[{"limits":[{"window":"day","tokens":5,"micros":1}],"contact":"Ada, ada@example.com"}]"#);
    let chat_with_usage =
        CHAT_STREAMED.replace(r#""stream":true"#, r#""stream":true,"stream_options":{"include_usage":true}"#);
    for request in [
        Request::messages(PLAIN),
        Request::messages(STREAMED),
        Request::completions(CHAT),
        Request::completions(CHAT_STREAMED),
        Request::completions(&chat_with_usage),
    ] {
        let streams = String::from_utf8_lossy(&request.body).contains("stream");
        let anthropic = request.target == "/v1/messages";
        let asks_for_usage = String::from_utf8_lossy(&request.body).contains("include_usage");
        let reply = world.ask(request).await;
        assert!(is_stop(&reply) && reply.complete, "{}", reply.text());
        assert_eq!(reply.headers["content-type"].starts_with("text/event-stream"), streams);
        assert!(reply.headers["x-wardkeep-request"].starts_with("wk-"));
        let theirs = if anthropic { "request-id" } else { "x-request-id" };
        assert_eq!(reply.headers[theirs], reply.headers["x-wardkeep-request"]);
        for words in
            ["all agents of this server together may use 5 tokens in one day", "Whom to ask: Ada, ada@example.com."]
        {
            assert!(reply.text().contains(words), "{words}: {}", reply.text());
        }
        match (anthropic, streams) {
            (true, false) => assert_eq!(reply.json()["content"][0]["type"], "text"),
            (true, true) => assert!(reply.text().ends_with("data: {\"type\":\"message_stop\"}\n\n")),
            (false, false) => assert_eq!(reply.json()["choices"][0]["finish_reason"], "stop"),
            (false, true) => {
                assert!(reply.text().ends_with("data: [DONE]\n\n"));
                assert_eq!(reply.text().contains("\"choices\":[],"), asks_for_usage);
            }
        }
    }
    assert!(world.provider.seen().is_empty() && world.nothing_was_metered().await);
    let stop = world.switches.stops.lock().unwrap()[0].clone();
    assert_eq!((stop.opens, stop.model.as_str(), stop.untold), (Some(Timestamp(24 * 3_600_000)), "sonnet", 0));
    assert_eq!(world.told().len(), 1);
}

#[tokio::test]
async fn the_newer_apis_are_stopped_in_their_own_words() {
    let world = World::new().await;
    world.budgets(r#"[{"limits":[{"window":"day","tokens":0}]}]"#);
    const WORDS: &str = "may use 0 tokens in one day";
    const CONTENTS: &str =
        r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":9}}"#;
    let responses = |body: &'static str| Request { target: "/v1/responses", ..Request::completions(body) };
    let reply = world.ask(responses(r#"{"model":"mini","input":"Hi"}"#)).await;
    assert!(is_stop(&reply));
    assert!(reply.json()["output"][0]["content"][0]["text"].as_str().unwrap().contains(WORDS));
    let reply = world.ask(responses(r#"{"model":"mini","input":"Hi","stream":true}"#)).await;
    assert!(is_stop(&reply) && reply.text().contains("event: response.completed\ndata: "), "{}", reply.text());
    let reply = world.ask(Request::gemini("/v1beta/models/flash:generateContent", CONTENTS)).await;
    assert!(is_stop(&reply));
    assert!(reply.json()["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap().contains(WORDS));
    for (target, events) in [(":streamGenerateContent?alt=sse", true), (":streamGenerateContent", false)] {
        let reply = world.ask(Request::gemini(&format!("/v1beta/models/flash{target}"), CONTENTS)).await;
        assert!(is_stop(&reply) && reply.text().contains(WORDS));
        assert_eq!(reply.text().starts_with("data: "), events, "{target}");
        assert_eq!(reply.headers["content-type"].starts_with("text/event-stream"), events);
    }
    // No message of an assistant is a vector: that is refused.
    let embeddings = r#"{"model":"mini","input":"Hi"}"#;
    let reply = world.ask(Request { target: "/v1/embeddings", ..Request::completions(embeddings) }).await;
    assert_eq!(reply.refusal(), (400, "budget"));
    assert!(reply.json()["error"]["message"].as_str().unwrap().contains(WORDS));
    assert!(world.provider.seen().is_empty() && world.nothing_was_metered().await);
    // What costs nothing is not limited, nor does it count as a turn.
    world.budgets(r#"[{"limits":[{"window":"day","tokens":0}],"brake":{"repeats":2}}]"#);
    for _ in 0..4 {
        world.provider.document("200 OK", r#"{"input_tokens":3}"#);
        let count = Request { target: "/v1/messages/count_tokens", ..Request::messages(PLAIN) };
        assert_eq!(world.ask(count).await.refusal(), (200, ""));
    }
}

#[tokio::test]
async fn what_is_held_is_settled_exactly_wherever_an_agent_leaves() {
    for (events, body) in [(ANTHROPIC, STREAMED), (OPENAI, CHAT_STREAMED)] {
        for count in 1..=events.len() {
            let mut world = World::new().await;
            world.budgets(r#"[{"limits":[{"window":"day","tokens":1000000,"micros":1000000000}]}]"#);
            world.provider.answer(streamed(&events[..count], [Step::Silence]));
            let request = if body == STREAMED { Request::messages(body) } else { Request::completions(body) };
            let agent = world.connect(&request).await;
            // Until the first event is there; what else came before it leaves is the provider's and the meter's matter.
            agent.readable().await.unwrap();
            assert_ne!(world.account().await.1, Amount::default(), "held while it is under way");
            drop(agent);
            let amounts = world.amounts(1).await;
            let (used, held) = world.account().await;
            let tokens =
                amounts.input_tokens + amounts.output_tokens + amounts.cache_read_tokens + amounts.cache_write_tokens;
            assert_eq!((used.tokens, used.cost.micros_up()), (tokens.into(), amounts.cost_micros), "{count} events");
            assert_eq!(held, Amount::default());
        }
    }
}

#[tokio::test]
async fn a_budget_that_only_reports_lets_pass_and_tells() {
    let world = World::new().await;
    world.budgets(
        r#"[{"enforce":false,"limits":[{"window":"month","micros":0}],"requests_per_minute":1,"brake":{"repeats":2}}]"#,
    );
    for _ in 0..3 {
        world.provider.answer(answer(1, 1));
        let reply = world.ask(Request::messages(PLAIN)).await;
        assert_eq!(reply.refusal(), (200, ""));
    }
    let mut told = world.told();
    told.sort();
    let want = ["month", "repeats", "requests-per-minute"].map(|name| (name.to_owned(), false));
    assert_eq!(told, want);
}

#[tokio::test]
async fn an_agent_that_loops_is_stopped_until_a_person_speaks() {
    let world = World::new().await;
    *world.switches.session.lock().unwrap() = "s-1".parse().ok();
    world.budgets(r#"[{"agent":"office","brake":{"turns":2,"minutes":30}}]"#);
    let turn = |body: String, passes: bool| {
        let world = &world;
        async move {
            if passes {
                world.provider.answer(answer(1, 1));
            }
            assert_eq!(is_stop(&world.ask(Request::messages(&body)).await), !passes, "{body}");
        }
    };
    turn(PLAIN.to_owned(), true).await;
    turn(TOOL.to_owned(), true).await;
    turn(TOOL.replace("\"x\"", "\"y\""), true).await;
    turn(TOOL.replace("\"x\"", "\"z\""), false).await;
    turn(PLAIN.to_owned(), false).await;
    turn(PLAIN.replace("Hi", "Go on"), true).await;
    turn(TOOL.to_owned(), true).await;
    let stop = world.switches.stops.lock().unwrap()[0].clone();
    assert_eq!(stop.reason, Reason::Turns { scope: "office".parse().ok(), most: 2, minutes: 30 });
    assert_eq!(stop.session.unwrap().as_str(), "s-1");
}

#[tokio::test]
async fn who_must_wait_for_a_place_waits() {
    let world = Arc::new(World::new().await);
    world.budgets(r#"[{"concurrent":1}]"#);
    let (go, wait) = tokio::sync::oneshot::channel();
    world.provider.answer([Step::Wait(wait)].into_iter().chain(answer(1, 1)).collect());
    world.provider.answer(answer(1, 1));
    let ask = || {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.ask(Request::messages(PLAIN)).await })
    };
    let first = ask();
    while world.provider.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    let mut second = ask();
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut second).await.is_err(), "it waits");
    assert_eq!(world.provider.seen().len(), 1);
    // Whoever loses his hook while he waits is not sent.
    world.switches.lease.store(false, std::sync::atomic::Ordering::SeqCst);
    go.send(()).unwrap();
    assert_eq!(first.await.unwrap().refusal(), (200, ""));
    assert_eq!(second.await.unwrap().refusal(), (400, "no-lease"));
    assert_eq!(world.account().await.1, Amount::default());
    world.switches.lease.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(world.ask(Request::messages(PLAIN)).await.refusal(), (200, ""));
    let passed = world.switches.passed.lock().unwrap().clone();
    assert_eq!(passed.iter().filter(|at| **at == Waypoint::LlmAdmitted).count(), 2);
}

#[tokio::test]
async fn what_others_hold_is_waited_for_and_what_is_used_is_not() {
    let world = Arc::new(World::new().await);
    let most = need() + 5;
    world.budgets(&format!(r#"[{{"limits":[{{"window":"hour","tokens":{most}}}]}}]"#));
    let (go, wait) = tokio::sync::oneshot::channel();
    world.provider.answer([Step::Wait(wait)].into_iter().chain(answer(3, 2)).collect());
    world.provider.answer(answer(need() - 40, 40));
    let ask = || {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.ask(Request::messages(PLAIN)).await })
    };
    let first = ask();
    while world.provider.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    let second = ask();
    go.send(()).unwrap();
    assert_eq!((first.await.unwrap().refusal(), second.await.unwrap().refusal()), ((200, ""), (200, "")));
    assert!(is_stop(&world.ask(Request::messages(PLAIN)).await), "all of it is used: nobody waits for that");
    assert_eq!(world.account().await.0.tokens, u128::from(most));
}

#[tokio::test]
async fn usage_is_kept_by_session_and_run_at_the_price_of_the_day() {
    let mut world = World::new().await;
    *world.switches.session.lock().unwrap() = "s-1".parse().ok();
    let price = |input| Price { input, output: input, ..Price::default() };
    let dated: Vec<DatedPrice> = serde_json::from_str(
        r#"[{"from":"1970-01-01","price":{"input":7000000,"output":7000000}},{"from":"1970-01-02","price":{"input":9,"output":9}}]"#,
    )
    .unwrap();
    world.change(|bundle| {
        bundle.llm.models[0].price = Some(price(1_000_000));
        bundle.llm.models[0].prices = dated;
    });
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    world.provider.answer(answer(10, 1));
    world.ask(Request::messages(PLAIN).with("traceparent", trace)).await;
    let amounts = world.amounts(1).await;
    assert_eq!((amounts.cost_micros, amounts.guessed_price_requests), (77, 0));
    // Without a price of its own a model costs as much as the dearest of its provider, and that is marked.
    world.change(|bundle| {
        bundle.llm.models[0].price = None;
        bundle.llm.models[0].prices.clear();
        bundle.llm.models[3].price = Some(price(2_000_000));
    });
    world.provider.answer(answer(10, 1));
    world.ask(Request::messages(PLAIN).with("traceparent", "00-nonsense")).await;
    let amounts = world.amounts(2).await;
    assert_eq!((amounts.cost_micros, amounts.guessed_price_requests), (77 + 22, 1));
    let lines = world.meter.lines(By::Run, Timestamp(0), 9).await.unwrap();
    let seen: Vec<_> = lines.iter().map(|line| (line.run.as_deref().unwrap(), line.span.as_deref().unwrap())).collect();
    assert_eq!(seen, [("", ""), ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")]);
    assert!(lines.iter().all(|line| line.session.as_deref() == Some("s-1")));
}

#[tokio::test]
async fn the_most_that_may_come_back_is_what_request_and_bundle_say() {
    let world = World::new().await;
    world.change(|bundle| bundle.llm.models[0].max_output = Some(1_000));
    let over = |body: String| {
        let world = &world;
        async move {
            world.budgets(r#"[{"limits":[{"window":"hour","tokens":0}]}]"#);
            world.switches.stops.lock().unwrap().clear();
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(61)).await;
            tokio::time::resume();
            assert!(is_stop(
                &world
                    .ask(if body.contains("mini") { Request::completions(&body) } else { Request::messages(&body) })
                    .await
            ));
            let stop = world.switches.stops.lock().unwrap()[0].clone();
            let Reason::Amount(over) = stop.reason else { panic!("{stop:?}") };
            over.need.tokens
        }
    };
    let input = |sent: &str, renamed: bool| (sent.len() as u128 + if renamed { 9 } else { 0 }).div_ceil(4);
    for (body, output) in [
        (PLAIN.to_owned(), 40),
        (PLAIN.replace("40", "4000000"), 1_000),
        (PLAIN.replace("\"max_tokens\":40,", ""), 1_000),
        (PLAIN.replace("\"max_tokens\":40,", "\"max_tokens\":40,\"max_completion_tokens\":50,"), 50),
    ] {
        assert_eq!(over(body.clone()).await, input(&body, true) + output, "{body}");
    }
    let none = CHAT.replace("\"max_completion_tokens\":40,", "");
    assert_eq!(over(none.clone()).await, input(&none, true) + u128::from(crate::budget::desk::USUAL_OUTPUT));
    let many = CHAT.replace("40", "40,\"n\":3");
    assert_eq!(over(many.clone()).await, input(&many, true) + 120);
}
