//! Answers that end properly before they are whole: nothing that the agent gets may look like their end.

use tokio::io::AsyncReadExt as _;

use super::harness::{Reply, Request, Step, World, chunk, stream_head, streamed};
use crate::usage::tests::{ANTHROPIC, GEMINI, OPENAI, RESPONSES};

const STREAMED: &str = r#"{"model":"sonnet","stream":true,"max_tokens":9,"messages":[]}"#;
const GOOGLE: &str = "/v1beta/models/flash:streamGenerateContent";

impl World {
    /// What comes before the connection ends; nothing where it is cut before the head was written.
    async fn rest(&self, request: Request<'_>) -> Option<Reply> {
        let mut raw = Vec::new();
        let _ = self.connect(&request).await.read_to_end(&mut raw).await;
        (!raw.is_empty()).then(|| Reply::parse(&raw))
    }
}

fn chat(with_usage: bool) -> Request<'static> {
    let options = if with_usage { r#","stream_options":{"include_usage":true}"# } else { "" };
    Request::completions(format!(r#"{{"model":"mini","stream":true,"messages":[]{options}}}"#))
}

fn google(target: &'static str) -> Request<'static> {
    Request::gemini(target, r#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#)
}

/// Each dialect's stream, how many of its events are the least that is whole, and its error.
fn streams() -> [(Request<'static>, &'static [&'static str], usize, &'static str); 5] {
    let responses =
        Request { target: "/v1/responses", ..Request::completions(r#"{"model":"mini","stream":true,"input":"Hi"}"#) };
    [
        (
            Request::messages(STREAMED),
            ANTHROPIC,
            ANTHROPIC.len(),
            "event: error\ndata: {\"type\":\"error\",\"error\":{",
        ),
        // Not every provider sends `[DONE]`, or the usage that was asked for.
        (chat(true), OPENAI, 5, "data: {\"error\":{\"message\":\"Wardkeep: "),
        (chat(false), OPENAI, 5, "data: {\"error\":{\"message\":\"Wardkeep: "),
        (responses, RESPONSES, RESPONSES.len(), "event: error\ndata: {\"type\":\"error\",\"code\":\"broken\""),
        (
            google("/v1beta/models/flash:streamGenerateContent?alt=sse"),
            GEMINI,
            GEMINI.len(),
            "data: {\"error\":{\"code\":502",
        ),
    ]
}

#[tokio::test]
async fn a_stream_that_ends_before_its_end_says_so_and_does_not_look_complete() {
    let world = World::new().await;
    for (request, events, least, error) in streams() {
        for length in 1..=events.len() {
            for is_chunked in [true, false] {
                let sent = events[..length].concat();
                // The end comes with the last piece, alone, or with the connection's.
                let steps = if is_chunked {
                    let together = [chunk(&sent), chunk("")].concat();
                    if length % 2 == 0 {
                        vec![Step::Send(stream_head()), Step::Send(together)]
                    } else {
                        streamed(&events[..length], [Step::Send(chunk(""))])
                    }
                } else {
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
                    vec![Step::Send(format!("{head}{sent}").into_bytes())]
                };
                world.provider.answer(steps);
                let reply = world.ask(request.clone()).await;
                let (text, whole) = (reply.text(), length >= least);
                assert_eq!((reply.status, reply.complete), (200, whole), "{length} {is_chunked} {text}");
                assert_eq!(text.contains(error), !whole, "{length} {text}");
                assert!(whole || text.ends_with("\n\n"), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn a_last_event_without_its_blank_line_is_an_end() {
    let world = World::new().await;
    for (request, events, least, _) in streams() {
        let sent = events[..least].concat();
        world.provider.answer(streamed(&[sent.trim_end()], [Step::Send(chunk(""))]));
        let reply = world.ask(request).await;
        assert!(reply.complete && !reply.text().contains("Wardkeep"), "{}", reply.text());
    }
}

#[tokio::test]
async fn what_cannot_be_read_may_have_been_the_end() {
    let world = World::new().await;
    let long = format!("data: {{\"type\":\"message_stop\",\"x\":\"{}\"}}\n\n", "x".repeat(1 << 20));
    for last in [
        &long,
        "data: {\"type\":7}\n\n",
        "data: over\n\n",
        "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
    ] {
        world.provider.answer(streamed(&[ANTHROPIC[0], last], [Step::Send(chunk(""))]));
        let reply = world.ask(Request::messages(STREAMED)).await;
        assert!(reply.complete && !reply.text().contains("Wardkeep"));
    }
}

#[tokio::test]
async fn a_stream_of_a_length_that_was_told_is_broken_off() {
    let world = World::new().await;
    let sent = ANTHROPIC[..4].concat();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n", sent.len());
    world.provider.answer(vec![Step::Send(format!("{head}{sent}").into_bytes())]);
    let reply = world.rest(Request::messages(STREAMED)).await;
    assert!(reply.is_none_or(|reply| !reply.complete && reply.body.len() < sent.len()));
}

#[tokio::test]
async fn a_document_that_is_cut_is_no_answer() {
    let world = World::new().await;
    let body =
        r#"{"id":"m","content":[{"type":"text","text":"a [b] {c}"}],"usage":{"input_tokens":1,"output_tokens":2}}"#;
    let plain = || Request::messages(r#"{"model":"sonnet","max_tokens":9,"messages":[]}"#);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    for end in [1, 40, body.len() - 1] {
        let cut = &body[..end];
        for answer in [
            format!("{head}\r\n{cut}"),
            format!("{head}content-length: {end}\r\n\r\n{cut}"),
            format!("{head}transfer-encoding: chunked\r\n\r\n{end:x}\r\n{cut}\r\n0\r\n\r\n"),
        ] {
            world.provider.answer(vec![Step::Send(answer.into_bytes())]);
            let reply = world.rest(plain()).await;
            assert!(reply.is_none_or(|reply| reply.status >= 400 || !reply.complete), "{end}");
        }
    }
    for whole in [body, "not JSON at all", "{\"a\":1} and more", ""] {
        world.provider.answer(vec![Step::Send(format!("{head}\r\n{whole}").into_bytes())]);
        let reply = world.ask(plain()).await;
        assert_eq!((reply.status, reply.text().as_str(), reply.complete), (200, whole, true));
    }
}

#[tokio::test]
async fn a_list_that_is_not_closed_is_broken_off() {
    let world = World::new().await;
    let elements: Vec<&str> = GEMINI.iter().map(|event| event.trim_start_matches("data: ").trim_end()).collect();
    for (list, whole) in [(format!("[{}", elements.join(",")), false), (format!("[{}]", elements.join(",")), true)] {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        world.provider.answer(vec![Step::Send(head.into()), Step::Send(chunk(&list)), Step::Send(chunk(""))]);
        let reply = world.rest(google(GOOGLE)).await;
        let said = reply.map(|reply| (reply.text(), reply.complete));
        assert!(said == Some((list.clone(), whole)) || (said.is_none() && !whole), "{said:?}");
    }
}
