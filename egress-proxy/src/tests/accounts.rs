//! What a stream cost, wherever it ends: each recorded stream is cut after each of its events, by the agent that leaves, by a
//! provider that breaks off and by one that ends too early.
//!
//! The streams are data with the numbers of their providers beside them ([`streams`]). What is expected is not computed by the
//! code under test: after `n` events the account holds the last numbers that the provider told by then, or the input estimated
//! from what was sent and the output from the text that came, and is marked so.

mod streams;

use wardkeep_policy::{Dialect, Framing};

use super::harness::{Request, Step, World, chunk, stream_head};
use super::relaying::{read_until, tokens};
use crate::budget::Amount;
use crate::frames::{Frames, tests::chunk as frame};
use crate::translate::{Stamp, Stream};
use crate::{Amounts, Usage};

use streams::{Recorded, Wire};

/// How a stream ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The agent closes its connection.
    Left,
    /// The provider's connection is reset.
    Broken,
    /// The provider says that this was all.
    Early,
}

/// What is to be on the books after the first `count` events, for a request whose body had `sent` bytes.
fn due(stream: &Recorded, count: usize, sent: usize) -> (Usage, bool) {
    let seen = &stream.events[..count];
    let told = seen.iter().rev().find_map(|event| event.told);
    if seen.iter().any(|event| event.last) {
        return (told.expect("the last event tells"), false);
    }
    let text: u64 = seen.iter().map(|event| event.text).sum();
    let guess = Usage { input: (sent as u64).div_ceil(4), ..Usage::default() };
    let mut usage = told.unwrap_or(guess);
    usage.output = usage.output.max(text.div_ceil(4));
    (usage, true)
}

/// The bytes of the first `count` events as the provider sends them, each for itself.
fn pieces(stream: &Recorded, count: usize) -> Vec<Vec<u8>> {
    let events = stream.events[..count].iter().enumerate();
    events
        .map(|(index, event)| match stream.wire {
            Wire::Aws => frame(&event.data),
            Wire::List => format!("{}{}", if index == 0 { "[" } else { ",\r\n" }, event.data).into_bytes(),
            Wire::Events | Wire::Translated(_) => event.sse().into_bytes(),
        })
        .collect()
}

/// Bytes that the agent gets of these pieces.
fn relayed(stream: &Recorded, pieces: &[Vec<u8>]) -> usize {
    match stream.wire {
        Wire::Events | Wire::List => pieces.concat().len(),
        Wire::Aws => {
            let mut frames = Frames::default();
            pieces.iter().map(|piece| frames.push(piece).unwrap().len()).sum()
        }
        Wire::Translated(caller) => {
            let stamp = Stamp { id: String::new(), model: stream.model().to_owned(), created: 43_200, usage: true };
            let provider = if caller == Dialect::OpenAi { Dialect::Anthropic } else { Dialect::OpenAi };
            let mut told = Stream::new(provider, caller, stamp).unwrap();
            pieces.iter().fold(0, |length, piece| length + told.push(piece).len())
        }
    }
}

fn head(stream: &Recorded) -> Vec<u8> {
    match stream.wire {
        Wire::Events | Wire::Translated(_) => stream_head(),
        Wire::Aws => {
            b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_vec()
        }
        Wire::List => {
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()
        }
    }
}

fn in_chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

async fn world(stream: &Recorded) -> World {
    let world = World::new().await;
    world.change(|bundle| {
        if stream.wire == Wire::Aws {
            bundle.llm.providers[0].framing = Framing::AwsEventStream;
        }
    });
    world.budgets(r#"[{"limits":[{"window":"day","tokens":1000000000,"micros":1000000000000}]}]"#);
    world
}

/// Plays the first `count` events and lets the stream end so.
async fn play(world: &mut World, stream: &Recorded, count: usize, end: End) {
    let pieces = pieces(stream, count);
    let (go, wait) = tokio::sync::oneshot::channel();
    let mut steps = vec![Step::Send(head(stream))];
    steps.extend(pieces.iter().map(|piece| Step::Send(in_chunk(piece))));
    match end {
        End::Left => steps.push(Step::Silence),
        End::Broken => steps.extend([Step::Wait(wait), Step::Reset]),
        End::Early => steps.push(Step::Send(chunk(""))),
    }
    world.provider.answer(steps);
    let request = match stream.caller() {
        Dialect::Anthropic => Request::messages(stream.request),
        Dialect::OpenAi => Request { target: stream.path, ..Request::completions(stream.request) },
        Dialect::Gemini => Request::gemini(stream.path, stream.request),
    };
    if end == End::Early {
        world.ask(request).await;
        return;
    }
    let mut agent = world.connect(&request).await;
    read_until(&mut agent, relayed(stream, &pieces)).await;
    if end == End::Left {
        drop(agent);
        return;
    }
    go.send(()).unwrap();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut agent, &mut Vec::new()).await;
}

fn minus(now: Amounts, before: Amounts) -> (Usage, u64, u64) {
    let (new, old) = (tokens(&now), tokens(&before));
    let usage = Usage {
        input: new.input - old.input,
        output: new.output - old.output,
        cache_read: new.cache_read - old.cache_read,
        cache_write: new.cache_write - old.cache_write,
        cache_write_1h: new.cache_write_1h - old.cache_write_1h,
        reasoning: new.reasoning - old.reasoning,
    };
    (usage, now.requests - before.requests, now.estimated_requests - before.estimated_requests)
}

/// Cuts every stream after every event in every way.
async fn all(streams: Vec<Recorded>) {
    for stream in streams {
        let (usage, estimated) = due(&stream, stream.events.len(), 0);
        assert_eq!(usage.tokens(), stream.total, "{}: the provider's own total", stream.name);
        assert_eq!(estimated, stream.unfinished, "{}", stream.name);
        let mut world = world(&stream).await;
        let (mut before, mut settled) = (Amounts::default(), 0);
        for end in [End::Left, End::Broken, End::Early] {
            for count in 0..=stream.events.len() {
                play(&mut world, &stream, count, end).await;
                settled += 1;
                let now = world.amounts(settled).await;
                let sent = world.provider.seen().last().unwrap().body.len();
                let (usage, estimated) = due(&stream, count, sent);
                let at = format!("{}: {end:?} after {count} events", stream.name);
                assert_eq!(minus(now, before), (usage, 1, u64::from(estimated)), "{at}");
                let (used, held) = world.account().await;
                assert_eq!(held, Amount::default(), "{at}: what was held is given back");
                let tokens = now.input_tokens + now.output_tokens + now.cache_read_tokens + now.cache_write_tokens;
                assert_eq!((used.tokens, used.cost.micros_up()), (tokens.into(), now.cost_micros), "{at}");
                before = now;
            }
        }
        assert_eq!(world.provider.seen().len() as u64, settled, "{}: one record a request", stream.name);
    }
}

#[tokio::test]
async fn streams_of_messages_cut_after_every_event() {
    all(streams::messages()).await;
}

#[tokio::test]
async fn streams_of_chat_completions_cut_after_every_event() {
    all(streams::chat()).await;
}

#[tokio::test]
async fn streams_of_responses_cut_after_every_event() {
    all(streams::responses()).await;
}

#[tokio::test]
async fn streams_of_gemini_cut_after_every_event() {
    all(streams::gemini()).await;
}

#[tokio::test]
async fn streams_in_another_form_cut_after_every_event() {
    all(streams::other_forms()).await;
}
