//! Bad input from the provider's side.

use super::{CALLERS, Caller, Line};
use crate::tests::harness::{PATIENT, Step, World, chunk, stream_head};

const UNRELAYABLE: (u16, &str) = (502, "unrelayable");
const BROKEN: (u16, &str) = (502, "broken");

fn fine(usage: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{usage}", usage.len())
}

const USAGE: &str = r#"{"usage":{"input_tokens":1,"output_tokens":1,"prompt_tokens":1,"completion_tokens":1},"usageMetadata":{"promptTokenCount":1}}"#;

/// The next turn is answered: nothing of the one before hangs on.
async fn still_serves(world: &World, caller: &Caller, name: &str) {
    world.provider.answer(vec![Step::Send(fine(USAGE).into_bytes())]);
    let mut line = Line::open(world).await;
    line.send(&caller.good()).await;
    let reply = line.reply().await.unwrap_or_else(|| panic!("{name}: no answer afterwards"));
    assert_eq!((reply.status, reply.text().as_str()), (200, USAGE), "{name}");
}

/// Answers that are none, or that nobody may follow.
fn heads() -> Vec<(&'static str, Vec<u8>, (u16, &'static str))> {
    let raw = |text: String| text.into_bytes();
    let fine = fine(USAGE);
    vec![
        ("no HTTP", raw("SSH-2.0-OpenSSH_9\r\n".to_owned()), BROKEN),
        ("TLS", b"\x15\x03\x01\0\x02\x02\x16".to_vec(), BROKEN),
        ("HTTP/0.9", raw(format!("{USAGE}\n")), BROKEN),
        ("HTTP/3", raw(fine.replace("HTTP/1.1", "HTTP/3.0")), BROKEN),
        ("no status", raw(fine.replace("200 OK", "OK")), BROKEN),
        ("a status of four digits", raw(fine.replace("200 OK", "2000 OK")), BROKEN),
        ("status 099", raw(fine.replace("200 OK", "099 OK")), BROKEN),
        ("two lengths", raw(fine.replace("content-length", "content-length: 5\r\ncontent-length")), BROKEN),
        ("a negative length", raw(fine.replace("content-length: ", "content-length: -")), BROKEN),
        ("an endless length", raw(fine.replace("content-length: ", "content-length: 99999999999999999999")), BROKEN),
        ("NUL in a header", raw(fine.replace("content-type", "x-a: \0\r\ncontent-type")), BROKEN),
        ("a space before the colon", raw(fine.replace("content-length:", "content-length :")), BROKEN),
        ("an endless header", raw(format!("HTTP/1.1 200 OK\r\nx-a: {}", "x".repeat(2_000_000))), BROKEN),
        ("very many headers", raw(format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-a: b\r\n".repeat(5000))), BROKEN),
        ("half a head", raw("HTTP/1.1 200 OK\r\ncontent-".to_owned()), BROKEN),
        (
            "a document without its first byte",
            raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n".to_owned()),
            BROKEN,
        ),
        (
            "chunks that are none",
            raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
                .to_owned()),
            BROKEN,
        ),
        (
            "another protocol",
            raw(fine.replace("200 OK", "101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade")),
            UNRELAYABLE,
        ),
        ("301", raw(fine.replace("200 OK", "301 Moved\r\nlocation: http://evil.example/")), UNRELAYABLE),
        ("302 to itself", raw(fine.replace("200 OK", "302 Found\r\nlocation: /v1/messages")), UNRELAYABLE),
        (
            "308 to metadata",
            raw(fine.replace("200 OK", "308 Moved\r\nlocation: http://169.254.169.254/latest")),
            UNRELAYABLE,
        ),
        ("304", raw("HTTP/1.1 304 Not Modified\r\n\r\n".to_owned()), UNRELAYABLE),
    ]
}

#[tokio::test]
async fn answers_that_are_none_are_refused_in_the_callers_words() {
    for caller in &CALLERS {
        let world = World::new().await;
        for (name, raw, want) in heads() {
            world.provider.answer(vec![Step::Send(raw)]);
            let mut line = Line::open(&world).await;
            line.send(&caller.good()).await;
            let reply = line.reply().await.unwrap_or_else(|| panic!("{name}: no answer"));
            caller.reads(&reply, want, name);
            assert!(!reply.headers.contains_key("location"), "{name}");
            // The caller's connection has no part in it.
            line.send(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n").await;
            assert_eq!(line.reply().await.map(|reply| reply.status), Some(200), "{name}");
        }
        still_serves(&world, caller, "afterwards").await;
    }
}

#[tokio::test]
async fn a_flood_of_interim_answers_ends() {
    let caller = &CALLERS[0];
    let world = World::with(PATIENT).await;
    // A few are allowed.
    let few =
        [&b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"[..], fine(USAGE).as_bytes()]
            .concat();
    world.provider.answer(vec![Step::Send(few)]);
    let mut line = Line::open(&world).await;
    line.send(&caller.good()).await;
    assert_eq!(line.reply().await.map(|reply| reply.text()), Some(USAGE.to_owned()));
    world.provider.answer(vec![Step::Send(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(20_000)), Step::Silence]);
    let mut line = Line::open(&world).await;
    line.send(&caller.good()).await;
    caller.reads(&line.reply().await.expect("an answer"), (502, "broken"), "a flood");
    still_serves(&world, caller, "a flood").await;
}

/// Bodies that are not what their head said.
#[tokio::test]
async fn an_answer_that_lies_about_its_end_does_not_look_whole() {
    for caller in &CALLERS {
        let world = World::new().await;
        let long = fine(USAGE).replace("content-length: ", "content-length: 9");
        let chunked = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        for (name, raw) in [
            ("shorter than announced", long.clone().into_bytes()),
            ("no last chunk", [chunked.as_bytes(), &chunk(USAGE)].concat()),
            ("a chunk too long", [chunked.as_bytes(), b"ffff\r\n", USAGE.as_bytes()].concat()),
            ("no chunk", [chunked.as_bytes(), &chunk(USAGE), b"zz\r\n"].concat()),
            ("a negative chunk", [chunked.as_bytes(), &chunk(USAGE), b"-1\r\n\r\n"].concat()),
            ("an endless chunk size", [chunked.as_bytes(), &chunk(USAGE), b"fffffffffffffffff\r\n"].concat()),
        ] {
            world.provider.answer(vec![Step::Send(raw)]);
            let mut line = Line::open(&world).await;
            line.send(&caller.good()).await;
            let mut all = Vec::new();
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut line.stream, &mut all).await;
            if !all.is_empty() {
                let reply = crate::tests::harness::Reply::parse(&all);
                assert!(!reply.complete, "{name}: {}", String::from_utf8_lossy(&all));
            }
            still_serves(&world, caller, name).await;
        }
        // More than announced: the rest is nobody's.
        world
            .provider
            .answer(vec![Step::Send([fine(USAGE).as_bytes(), b"HTTP/1.1 200 OK\r\n\r\nnot asked for"].concat())]);
        let mut line = Line::open(&world).await;
        line.send(&caller.good()).await;
        assert_eq!(line.reply().await.map(|reply| reply.text()), Some(USAGE.to_owned()));
        still_serves(&world, caller, "longer than announced").await;
    }
}

/// Streams that no client can use pass as they are and are counted as estimates; nothing is held back or kept. Those that are
/// known to have no end get none.
#[tokio::test]
async fn malformed_streams_pass_and_are_charged() {
    let request = |caller: &Caller| match caller.path {
        "/v1beta/models/flash:generateContent" => {
            String::from_utf8(caller.good()).unwrap().replace(":generateContent", ":streamGenerateContent").into_bytes()
        }
        _ => caller.sized(caller.body.replacen('{', "{\"stream\":true,", 1)),
    };
    for caller in &CALLERS {
        let mut world = World::new().await;
        for (count, (may_be_whole, name, stream)) in [
            (Some(false), "no event", "hello\n\n".to_owned()),
            (Some(true), "no JSON", "event: message_start\ndata: {{{\n\n".to_owned()),
            (Some(true), "JSON of another shape", "data: [1,2]\n\ndata: \"x\"\n\ndata: null\n\n".to_owned()),
            (None, "numbers that are none", "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":-5,\"output_tokens\":1e400}},\"usage\":{\"prompt_tokens\":1.5},\"usageMetadata\":{\"promptTokenCount\":\"7\"}}\n\n".to_owned()),
            (Some(true), "NUL and bytes", "data: \0\u{1}\u{feff}\n\0\n\n".to_owned()),
            (Some(false), "only comments", ": ping\n\n".repeat(500)),
            (Some(false), "only empty lines", "\n\r\n\r".repeat(500)),
            (Some(false), "fields nobody knows", "retry: 1\nid: \0\nfoo: bar\n\n".repeat(50)),
            (Some(false), "an event without end", "data: {\"type\":\"content_block_delta\"".to_owned()),
            (Some(true), "deep JSON", format!("data: {}\n\n", "[".repeat(50_000))),
            (Some(true), "a giant event", format!("data: {{\"a\":\"{}\"}}\n\n", "x".repeat(3_000_000))),
            (Some(true), "a giant name of a field", format!("{}: x\n\n", "data".repeat(600_000))),
        ]
        .into_iter()
        .enumerate()
        {
            world.provider.answer(vec![Step::Send(stream_head()), Step::Send(chunk(&stream)), Step::Send(chunk(""))]);
            let mut line = Line::open(&world).await;
            line.send(&request(caller)).await;
            let reply = line.reply_or_half().await;
            assert_eq!(reply.status, 200, "{name}");
            assert_eq!(reply.complete, may_be_whole.unwrap_or(reply.complete), "{name} at {}", caller.path);
            let told = reply.body.strip_prefix(stream.as_bytes());
            let told = told.unwrap_or_else(|| panic!("{name} at {}: {:.200}", caller.path, reply.text()));
            assert!(told.is_empty() || (!reply.complete && told.windows(8).any(|word| word == b"Wardkeep")), "{name}");
            let amounts = world.amounts(count as u64 + 1).await;
            assert_eq!(amounts.requests, count as u64 + 1, "{name} is one record");
            assert_eq!(amounts.estimated_requests, amounts.requests, "{name} at {}", caller.path);
        }
    }
}

#[tokio::test]
async fn an_answer_of_another_kind_is_relayed_as_it_is_and_charged() {
    let caller = &CALLERS[0];
    let mut world = World::new().await;
    for (count, (name, head, body)) in [
        ("compressed", "content-type: application/json\r\ncontent-encoding: gzip\r\n", &b"\x1f\x8b\x08\0\0\0"[..]),
        ("HTML", "content-type: text/html\r\n", b"<html>a portal of the network</html>"),
        ("no kind", "", b"{\"a\":1}"),
        ("a picture", "content-type: image/png\r\n", b"\x89PNG"),
        (
            "two kinds",
            "content-type: text/event-stream\r\ncontent-type: application/json\r\n",
            b"data: {\"type\":\"message_stop\"}\n\n",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let head = format!("HTTP/1.1 200 OK\r\n{head}content-length: {}\r\n\r\n", body.len());
        world.provider.answer(vec![Step::Send([head.as_bytes(), body].concat())]);
        let mut line = Line::open(&world).await;
        line.send(&caller.good()).await;
        let reply = line.reply().await.expect("an answer");
        assert_eq!((reply.status, &reply.body[..]), (200, body), "{name}");
        let amounts = world.amounts(count as u64 + 1).await;
        assert_eq!((amounts.requests, amounts.estimated_requests), (count as u64 + 1, count as u64 + 1), "{name}");
    }
}

#[tokio::test]
async fn trailers_of_the_provider_end_here() {
    let caller = &CALLERS[0];
    let world = World::new().await;
    let body = [&chunk(USAGE)[..], b"0\r\nset-cookie: a=b\r\nx-secret: y\r\n\r\n"].concat();
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntrailer: x-secret\r\ntransfer-encoding: chunked\r\n\r\n";
    world.provider.answer(vec![Step::Send([head.as_bytes(), &body].concat())]);
    let mut line = Line::open(&world).await;
    line.send(&[&caller.good()[..], b""].concat()).await;
    let reply = line.reply().await.expect("an answer");
    assert_eq!((reply.text().as_str(), reply.complete), (USAGE, true));
    assert!(!reply.headers.contains_key("trailer"));
}

/// A line that never ends costs the machine nothing but the relay of it.
#[tokio::test]
async fn a_line_without_end_is_relayed_in_bounded_room() {
    const PIECES: usize = 1500;
    for caller in &CALLERS[..2] {
        let world = World::new().await;
        let piece = chunk(&"x".repeat(64 * 1024));
        let begin = [stream_head(), chunk("data: ")].concat();
        world.provider.answer(vec![Step::Send(begin), Step::Many(piece, PIECES), Step::Send(chunk(""))]);
        let mut line = Line::open(&world).await;
        line.send(&caller.sized(caller.body.replacen('{', "{\"stream\":true,", 1))).await;
        let before = resident();
        let mut scratch = vec![0; 256 * 1024];
        let (mut read, mut most) = (0, 0);
        while read < PIECES * 64 * 1024 {
            let count = tokio::io::AsyncReadExt::read(&mut line.stream, &mut scratch).await.unwrap();
            assert_ne!(count, 0, "after {read} bytes");
            read += count;
            most = most.max(resident());
        }
        let grown = most.saturating_sub(before);
        assert!(grown < 40 * 1024 * 1024, "{grown} bytes for a line of {read}");
    }
}

/// Bytes of memory that this process holds.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
