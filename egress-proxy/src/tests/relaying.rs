//! What passes: byte for byte, as it comes, and counted exactly.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wardkeep_policy::bundle::llm::Waits;
use wardkeep_proto::waypoint::Waypoint;

use super::harness::{PATIENT, Reply, Request, Step, World, chunk, document, gated, streamed};
use crate::usage::tests::{ANTHROPIC, OPENAI, anthropic_accounts, openai_accounts};
use crate::{Amounts, Timeouts, Usage};

const STREAMED: &str = r#"{"model":"sonnet","stream":true,"max_tokens":9,"messages":[]}"#;
const STREAMED_OPENAI: &str = r#"{"model":"mini","stream":true,"messages":[]}"#;

pub(super) fn tokens(amounts: &Amounts) -> Usage {
    Usage {
        input: amounts.input_tokens,
        output: amounts.output_tokens,
        cache_read: amounts.cache_read_tokens,
        cache_write: amounts.cache_write_tokens,
        cache_write_1h: amounts.cache_write_1h_tokens,
        reasoning: amounts.reasoning_tokens,
    }
}

/// Reads until the answer's body holds `want` bytes or more.
pub(super) async fn read_until(agent: &mut TcpStream, want: usize) -> Vec<u8> {
    let mut raw = Vec::new();
    loop {
        if memchr::memmem::find(&raw, b"\r\n\r\n").is_some() && Reply::parse(&raw).body.len() >= want {
            return Reply::parse(&raw).body;
        }
        assert_ne!(agent.read_buf(&mut raw).await.unwrap(), 0, "{}", String::from_utf8_lossy(&raw));
    }
}

impl World {
    /// Whoever has the end of an answer can kill the daemon: the exact account is on disk by then.
    fn is_filed(&self) {
        let passed = self.switches.passed.lock().unwrap().clone();
        assert_eq!(passed, [Waypoint::LlmAdmitted, Waypoint::LlmRelayed, Waypoint::UsageRecorded]);
    }
}

#[tokio::test]
async fn a_plain_turn_passes_untouched_but_for_the_model() {
    let mut world = World::new().await;
    let body = "{ \"unknown\": [1.50e+2, \"\\u00e9\"],\n \"model\":\"sonnet\", \"messages\":[] }";
    let answer = r#"{"id":"msg_1","content":[{"type":"text","text":"Ja \u00e9"}],"usage":{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":4,"output_tokens":7}}"#;
    world.provider.answer(vec![Step::Send(document("200 OK", "x-limit: 7\r\n", answer))]);
    let reply = world.ask(Request::messages(body)).await;
    assert_eq!((reply.status, reply.text().as_str(), reply.complete), (200, answer, true));
    assert_eq!((reply.headers["x-limit"].as_str(), reply.headers["request-id"].as_str()), ("7", "req_7"));
    world.is_filed();
    let seen = world.provider.seen().pop().unwrap();
    assert_eq!(String::from_utf8_lossy(&seen.body), body.replace("\"sonnet\"", "\"sonnet-20260101\""));
    let amounts = world.amounts(1).await;
    let want = Amounts {
        requests: 1,
        estimated_requests: 0,
        guessed_price_requests: 0,
        input_tokens: 10,
        output_tokens: 7,
        cache_read_tokens: 100,
        cache_write_tokens: 4,
        cache_write_1h_tokens: 0,
        reasoning_tokens: 0,
        cost_micros: 30 + 105 + 30 + 15,
    };
    assert_eq!(amounts, want);
    let due = world.meter.buckets_to_report(9).await.unwrap();
    assert_eq!((due[0].key.provider.as_str(), due[0].key.model.as_str()), ("claude", "sonnet"));
}

#[tokio::test]
async fn a_stream_passes_byte_for_byte() {
    let mut world = World::new().await;
    world.provider.answer(streamed(ANTHROPIC, [Step::Send(chunk(""))]));
    let reply = world.ask(Request::messages(STREAMED)).await;
    world.is_filed();
    assert_eq!((reply.status, reply.complete), (200, true));
    assert_eq!(reply.text(), ANTHROPIC.concat());
    assert_eq!(reply.headers["content-type"], "text/event-stream; charset=utf-8");
    let amounts = world.amounts(1).await;
    assert_eq!((tokens(&amounts), amounts.estimated_requests), (anthropic_accounts()[9].0, 0));
}

#[tokio::test]
async fn an_openai_stream_is_asked_for_its_usage_and_shows_it_only_to_who_asked() {
    let mut world = World::new().await;
    let asked = r#"{"model":"mini","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
    let without = [&OPENAI[..5], &OPENAI[6..]].concat();
    for (request, body, want) in [(1, STREAMED_OPENAI, without.concat()), (2, asked, OPENAI.concat())] {
        world.provider.answer(streamed(OPENAI, [Step::Send(chunk(""))]));
        let reply = world.ask(Request::completions(body)).await;
        assert_eq!((reply.text(), reply.complete), (want, true));
        let seen = world.provider.seen().pop().unwrap();
        let seen: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(seen["stream_options"]["include_usage"], true);
        let amounts = world.amounts(request).await;
        assert_eq!((amounts.requests, amounts.estimated_requests), (request, 0));
        assert_eq!(amounts.output_tokens, request * 40);
    }
}

#[tokio::test]
async fn an_event_reaches_the_agent_before_the_provider_says_the_next() {
    for (body, events) in [(STREAMED, ANTHROPIC), (STREAMED_OPENAI, OPENAI)] {
        let world = World::new().await;
        let (steps, gates) = gated(events);
        world.provider.answer(steps);
        let request = if body == STREAMED { Request::messages(body) } else { Request::completions(body) };
        let mut agent = world.connect(&request).await;
        let mut raw = Vec::new();
        let mut want = String::new();
        for (event, open) in events.iter().zip(gates) {
            // The chunk that nobody asked for does not come; see `withhold`.
            if !event.contains("\"choices\":[],\"usage\"") {
                want.push_str(event);
            }
            while memchr::memmem::find(&raw, b"\r\n\r\n").is_none() || Reply::parse(&raw).body.len() < want.len() {
                let read = tokio::time::timeout(Duration::from_secs(10), agent.read_buf(&mut raw)).await;
                assert_ne!(read.expect("nothing is held back").unwrap(), 0);
            }
            open.send(()).unwrap();
        }
        assert_eq!(Reply::parse(&raw).text(), want);
    }
}

#[tokio::test]
async fn an_agent_that_leaves_after_any_event_is_charged_for_what_came() {
    for events in 0..=ANTHROPIC.len() {
        let mut world = World::new().await;
        let steps = streamed(&ANTHROPIC[..events], [Step::Silence]);
        world.provider.answer(steps);
        let mut agent = world.connect(&Request::messages(STREAMED)).await;
        read_until(&mut agent, ANTHROPIC[..events].concat().len()).await;
        drop(agent);
        let amounts = world.amounts(1).await;
        let (mut usage, estimated) = anthropic_accounts()[events];
        if events == 0 {
            usage.input = (world.provider.seen()[0].body.len() as u64).div_ceil(4);
        }
        assert_eq!((tokens(&amounts), amounts.estimated_requests), (usage, u64::from(estimated)), "{events} events");
        world.provider.left.wait_for(|left| *left == 1).await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_that_leaves_an_openai_stream_is_charged_too() {
    // The sixth event is not relayed to an agent that did not ask, so waiting for it would wait for ever.
    for events in 1..=5 {
        let mut world = World::new().await;
        world.provider.answer(streamed(&OPENAI[..events], [Step::Silence]));
        let mut agent = world.connect(&Request::completions(STREAMED_OPENAI)).await;
        read_until(&mut agent, OPENAI[..events].concat().len()).await;
        drop(agent);
        let amounts = world.amounts(1).await;
        let (mut usage, estimated) = openai_accounts()[events];
        usage.input = (world.provider.seen()[0].body.len() as u64).div_ceil(4);
        assert_eq!((tokens(&amounts), amounts.estimated_requests), (usage, u64::from(estimated)), "{events} events");
    }
}

#[tokio::test]
async fn an_agent_that_leaves_before_the_answer_is_charged_the_input() {
    let mut world = World::new().await;
    world.provider.answer(vec![Step::Silence]);
    let agent = world.connect(&Request::messages(STREAMED)).await;
    while world.provider.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(agent);
    let amounts = world.amounts(1).await;
    assert_eq!((amounts.requests, amounts.estimated_requests), (1, 1));
    assert_eq!(amounts.input_tokens, (world.provider.seen()[0].body.len() as u64).div_ceil(4));
}

#[tokio::test]
async fn a_stream_that_breaks_says_so_and_does_not_look_complete() {
    for (body, events, error) in [
        (STREAMED, ANTHROPIC, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\""),
        (STREAMED_OPENAI, OPENAI, "data: {\"error\":{\"message\":"),
    ] {
        let mut world = World::new().await;
        let (go, wait) = tokio::sync::oneshot::channel();
        let steps = streamed(&events[..4], [Step::Wait(wait), Step::Reset]);
        world.provider.answer(steps);
        let request = if body == STREAMED { Request::messages(body) } else { Request::completions(body) };
        let mut agent = world.connect(&request).await;
        let before = read_until(&mut agent, events[..4].concat().len()).await;
        assert_eq!(String::from_utf8_lossy(&before), events[..4].concat());
        go.send(()).unwrap();
        let mut rest = Vec::new();
        let _ = agent.read_to_end(&mut rest).await;
        let rest = String::from_utf8_lossy(&rest).into_owned();
        assert!(rest.contains(error), "{rest}");
        assert!(!rest.ends_with("0\r\n\r\n"), "no ending may be taken for the end");
        assert_eq!(world.amounts(1).await.estimated_requests, 1);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_within_an_event_is_only_cut() {
    let mut world = World::new().await;
    let half = &ANTHROPIC[3][..40];
    let (go, wait) = tokio::sync::oneshot::channel();
    let steps = streamed(&[ANTHROPIC[0], half], [Step::Wait(wait), Step::Reset]);
    world.provider.answer(steps);
    let mut agent = world.connect(&Request::messages(STREAMED)).await;
    read_until(&mut agent, ANTHROPIC[0].len() + half.len()).await;
    go.send(()).unwrap();
    let mut rest = Vec::new();
    let _ = agent.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    assert_eq!(tokens(&world.amounts(1).await), anthropic_accounts()[1].0);
}

#[tokio::test]
async fn a_silent_provider_is_given_up() {
    let short = Timeouts { idle: Duration::from_millis(200), first_byte: Duration::from_millis(200), ..PATIENT };
    let mut world = World::with(short).await;
    // The beginning is there in time, however busy the machine is.
    let waits = |waits| world.change(|bundle| bundle.llm.providers[0].waits = waits);
    waits(Waits { first_byte_ms: Some(30_000), ..Waits::default() });
    world.provider.answer(streamed(&ANTHROPIC[..2], [Step::Silence]));
    let reply = world.ask(Request::messages(STREAMED)).await;
    assert!(reply.text().contains("event: error") && !reply.complete, "{}", reply.text());
    waits(Waits::default());
    assert_eq!(world.amounts(1).await.estimated_requests, 1);
    for body in [STREAMED, r#"{"model":"sonnet","messages":[]}"#] {
        world.provider.answer(vec![Step::Silence]);
        assert_eq!(world.ask(Request::messages(body)).await.refusal(), (504, "silent"));
    }
    assert_eq!(world.amounts(3).await.estimated_requests, 3);
}

#[tokio::test]
async fn an_answer_that_is_told_whole_may_have_been_under_way() {
    let mut world = World::new().await;
    let waits = Waits { first_byte_ms: Some(1_100), ..Waits::default() };
    world.change(|bundle| bundle.llm.providers[0].waits = waits);
    let mut so_far = 0;
    let (short, long) = (
        r#"{"model":"sonnet","max_tokens":50,"messages":[]}"#,
        r#"{"model":"sonnet","max_tokens":5000,"messages":[]}"#,
    );
    for (count, (body, output)) in [(STREAMED, 0), (short, 50), (long, 100)].into_iter().enumerate() {
        world.provider.answer(vec![Step::Silence]);
        assert_eq!(world.ask(Request::messages(body)).await.refusal(), (504, "silent"));
        let after = world.amounts(count as u64 + 1).await.output_tokens;
        let made = after - so_far;
        so_far = after;
        // A busy machine may wait some seconds longer.
        assert!(made == output || (output == 100 && (100..3_000).contains(&made)), "{body}: {made}");
    }
}

#[tokio::test]
async fn the_providers_errors_pass_and_cost_nothing() {
    let mut world = World::new().await;
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for (count, (line, status)) in [("529 Overloaded", 529), ("429 Too Many", 429), ("400 Bad", 400)].iter().enumerate()
    {
        world.provider.answer(vec![Step::Send(document(line, "retry-after: 3\r\n", error))]);
        let reply = world.ask(Request::messages(STREAMED)).await;
        assert_eq!((reply.status, reply.text().as_str()), (*status, error));
        assert_eq!(reply.headers["retry-after"], "3");
        let amounts = world.amounts(count as u64 + 1).await;
        assert_eq!((amounts.requests, tokens(&amounts)), (count as u64 + 1, Usage::default()));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_not_passed_on() {
    let world = World::new().await;
    let redirect = document("307 Moved", "location: http://evil.example/v1/messages\r\n", "");
    world.provider.answer(vec![Step::Send(redirect)]);
    let reply = world.ask(Request::messages(STREAMED)).await;
    assert_eq!(reply.refusal(), (502, "unrelayable"));
    assert!(!reply.headers.contains_key("location"));
    assert_eq!(world.provider.seen().len(), 1);
}

#[tokio::test]
async fn a_provider_that_closes_without_a_word() {
    let mut world = World::new().await;
    world.provider.answer(vec![Step::Reset]);
    assert_eq!(world.ask(Request::messages(STREAMED)).await.refusal(), (502, "broken"));
    assert_eq!(world.amounts(1).await.estimated_requests, 1, "the provider may have worked");
}

#[tokio::test]
async fn a_large_body_passes_whole_and_may_come_in_chunks() {
    let world = World::new().await;
    let text = "lorem ipsum ".repeat(40_000);
    let body = format!(r#"{{"model":"sonnet","messages":[{{"role":"user","content":"{text}"}}]}}"#);
    world.provider.document("200 OK", r#"{"usage":{"input_tokens":1,"output_tokens":1}}"#);
    assert_eq!(world.ask(Request::messages(&body)).await.status, 200);
    let seen = world.provider.seen().pop().unwrap();
    assert_eq!(seen.body, body.replace("\"sonnet\"", "\"sonnet-20260101\"").into_bytes());

    world.provider.document("200 OK", r#"{"usage":{"input_tokens":1,"output_tokens":1}}"#);
    let mut agent = TcpStream::connect(world.gateway).await.unwrap();
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: g\r\nconnection: close\r\nx-api-key: {}\r\ntransfer-encoding: chunked\r\n\r\n",
        super::harness::TOKEN
    );
    agent.write_all(head.as_bytes()).await.unwrap();
    for piece in STREAMED.as_bytes().chunks(7) {
        agent.write_all(&chunk(std::str::from_utf8(piece).unwrap())).await.unwrap();
    }
    agent.write_all(&chunk("")).await.unwrap();
    let mut raw = Vec::new();
    agent.read_to_end(&mut raw).await.unwrap();
    assert_eq!(Reply::parse(&raw).status, 200);
    let seen = world.provider.seen().pop().unwrap();
    assert_eq!(seen.headers["content-length"], seen.body.len().to_string(), "the provider gets a length");
}

#[tokio::test]
async fn stopping_lets_an_answer_end() {
    let mut world = World::new().await;
    let (go, wait) = tokio::sync::oneshot::channel();
    let mut steps = streamed(&ANTHROPIC[..4], []);
    steps.push(Step::Wait(wait));
    steps.extend(ANTHROPIC[4..].iter().map(|event| Step::Send(chunk(event))));
    steps.push(Step::Send(chunk("")));
    world.provider.answer(steps);
    let mut agent = world.connect(&Request::messages(STREAMED)).await;
    let before = read_until(&mut agent, ANTHROPIC[..4].concat().len()).await;
    world.stop.cancel();
    while TcpStream::connect(world.gateway).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    let mut rest = Vec::new();
    agent.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n") && before.len() < ANTHROPIC.concat().len());
    (&mut world.serving).await.unwrap();
    assert_eq!(world.amounts(1).await.estimated_requests, 0);
}
