//! Bad input to the forward proxy, from either side: what it is answered, and that no host hears of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wardkeep_policy::EgressMode;

use super::harness::{HELLO, Host, KEY, Reply, TOKEN, World, rule, tls};
use super::websockets::frames;
use crate::forward::ForwardTimeouts;

const MALFORMED: (u16, &str) = (400, "malformed");

/// A plain host that may be inspected, and one that no rule lists.
async fn world() -> (World, Host, Host) {
    let world = World::new(Vec::new()).await;
    let (host, other) = (world.plain_host("open.example").await, world.plain_host("other.example").await);
    world.rules(vec![rule("open.example", host.port, EgressMode::Inspect)]);
    (world, host, other)
}

fn bearer() -> String {
    format!("Proxy-Authorization: Bearer {TOKEN}\r\n")
}

/// Raw bytes of any kind; all that comes back.
async fn ask(world: &World, raw: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(world.proxy).await.unwrap();
    // Whoever refuses may stop listening.
    let _ = stream.write_all(raw).await;
    Reply::read(&mut stream).await
}

/// What two readers could frame differently, as absolute requests; AT is the listed host, OTHER one that is not.
fn smuggled() -> Vec<(&'static str, String)> {
    let token = bearer();
    let post =
        |headers: &str, body: &str| format!("POST http://AT/ HTTP/1.1\r\nHost: AT\r\n{token}{headers}\r\n{body}");
    let hidden = format!("0\r\n\r\nGET http://OTHER/ HTTP/1.1\r\nHost: OTHER\r\n{token}\r\n");
    let chunked = |body: &str| post("Transfer-Encoding: chunked\r\n", body);
    let mut all = Vec::new();
    for (name, headers) in [
        ("CL.TE", format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", hidden.len())),
        ("TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n".to_owned()),
        ("TE.TE", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n".to_owned()),
        ("TE twice", "Transfer-Encoding: chunked, chunked\r\n".to_owned()),
        ("TE hidden by a tab", "Transfer-Encoding:\tchunked\t, x\r\n".to_owned()),
        ("CL differs", "Content-Length: 5\r\nContent-Length: 6\r\n".to_owned()),
        ("CL negative", "Content-Length: -1\r\n".to_owned()),
        ("CL with a sign", "Content-Length: +5\r\n".to_owned()),
        ("CL endless", format!("Content-Length: {}\r\n", "9".repeat(30))),
        ("CL folded", "Content-Length:\r\n 5\r\n".to_owned()),
        ("a space before the colon", "Transfer-Encoding : chunked\r\n".to_owned()),
        ("a bare LF", "X: a\nTransfer-Encoding: chunked\r\n".to_owned()),
        ("a bare CR", "X: a\rTransfer-Encoding: chunked\r\n".to_owned()),
        ("NUL", "X: a\0b\r\n".to_owned()),
        ("another host", "Host: OTHER\r\n".to_owned()),
    ] {
        all.push((name, post(&headers, &hidden)));
    }
    for (name, body) in [
        ("a chunk size in hex", "0x4\r\nabcd\r\n0\r\n\r\n"),
        ("a negative chunk", "-4\r\nabcd\r\n0\r\n\r\n"),
        ("an endless chunk size", "fffffffffffffffff\r\nabcd\r\n0\r\n\r\n"),
        ("a chunk too small", "3\r\nabcd\r\n0\r\n\r\n"),
        ("LF in an extension", "4;a\nb\r\nabcd\r\n0\r\n\r\n"),
        ("CR in an extension", "4;a\rb\r\nabcd\r\n0\r\n\r\n"),
        ("LF behind a size", "4\nabcd\r\n0\r\n\r\n"),
    ] {
        all.push((name, chunked(body)));
    }
    all.push(("too many trailers", chunked(&format!("0\r\n{}\r\n", "a: b\r\n".repeat(100)))));
    all.push(("an endless extension", chunked(&format!("4;{}", "x".repeat(5000)))));
    all
}

#[tokio::test]
async fn no_request_hides_another() {
    let (world, host, other) = world().await;
    for (name, raw) in smuggled() {
        let raw = raw.replace("AT", &host.at()).replace("OTHER", &other.at());
        let reply = ask(&world, raw.as_bytes()).await;
        assert_eq!(reply.refusal(), MALFORMED, "{name}: {}", reply.text());
        assert!(reply.text().starts_with("Wardkeep: ") && !reply.text().contains("other"), "{name}");
        // Nothing behind it is a request any more.
        assert_eq!(reply.headers.matches("HTTP/1.1").count(), 1, "{name}");
        assert!(!reply.text().contains("HTTP/1.1"), "{name}: {}", reply.text());
    }
    assert!(host.seen().iter().all(|seen| seen.starts_with("CUT ")), "{:?}", host.seen());
    assert_eq!(other.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_tunnel_is_opened_for_what_was_asked_and_nothing_beside_it() {
    let (world, host, other) = world().await;
    let token = bearer();
    for (name, raw, want) in [
        ("another Host", format!("CONNECT AT HTTP/1.1\r\nHost: OTHER\r\n{token}\r\n"), MALFORMED),
        ("two Hosts", format!("CONNECT AT HTTP/1.1\r\nHost: AT\r\nHost: OTHER\r\n{token}\r\n"), MALFORMED),
        ("two targets", format!("CONNECT AT OTHER HTTP/1.1\r\nHost: AT\r\n{token}\r\n"), MALFORMED),
        ("a whole address", format!("CONNECT http://AT/ HTTP/1.1\r\nHost: AT\r\n{token}\r\n"), MALFORMED),
        ("a path", format!("CONNECT AT/OTHER HTTP/1.1\r\nHost: AT\r\n{token}\r\n"), MALFORMED),
        ("a user", format!("CONNECT u@AT HTTP/1.1\r\nHost: AT\r\n{token}\r\n"), MALFORMED),
        ("a list", format!("CONNECT AT,OTHER HTTP/1.1\r\nHost: AT\r\n{token}\r\n"), MALFORMED),
        ("no port", format!("CONNECT open.example HTTP/1.1\r\nHost: open.example\r\n{token}\r\n"), MALFORMED),
        ("bare LF", format!("CONNECT AT HTTP/1.1\nHost: AT\n{token}\n"), MALFORMED),
        ("HTTP/2", format!("CONNECT AT HTTP/2.0\r\nHost: AT\r\n{token}\r\n"), MALFORMED),
        ("in small letters", format!("connect AT HTTP/1.1\r\nHost: AT\r\n{token}\r\n"), (400, "not-a-proxy-request")),
        ("the other host", format!("CONNECT OTHER HTTP/1.1\r\nHost: OTHER\r\n{token}\r\n"), (403, "unlisted-host")),
        ("HTTP/2 at once", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), MALFORMED),
    ] {
        let raw = raw.replace("AT", &host.at()).replace("OTHER", &other.at());
        assert_eq!(ask(&world, raw.as_bytes()).await.refusal(), want, "{name}");
    }
    assert_eq!(host.connections.load(Ordering::SeqCst) + other.connections.load(Ordering::SeqCst), 0);
    assert_eq!(world.switches.questions.load(Ordering::SeqCst), 0, "nothing was looked up");
}

/// Ways to write a host that some resolver, library or browser takes for one of this machine.
const SPELLINGS: &[&str] = &[
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.1",
    "127.0.1",
    "127.0.0.01",
    "127.0.0.1.",
    "127.000.000.001",
    "0",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[0:0:0:0:0:ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[::1%251]",
    "[::]",
    "[v1.fe80]",
    "[127.0.0.1]",
    "::1",
    "[::1",
    "localhost%00.open.example",
    "open.example%2eevil.net",
    "open.example%00",
    "open.example\\.evil.net",
    "open.example#",
    "open..example",
    ".open.example",
    "open.example..",
    "open .example",
    "opеn.example",
    "ｏpen.example",
    "open。example",
    "xn--opn-tlc.example",
    "ⓞpen.example",
    "1２7.0.0.1",
    "open.example;evil.net",
    "open.example&evil.net",
    "user@open.example",
    "open.example@evil.net",
    "a:b@open.example",
    "*",
    "*.example",
    "",
    "-",
    "open.example:443:443",
];

#[tokio::test]
async fn a_host_has_one_spelling() {
    let world = World::new(Vec::new()).await;
    // Whatever a spelling would lead to is listed by its usual name.
    let listed = ["open.example", "127.0.0.1", "::1", "localhost"];
    let host = world.plain_host("open.example").await;
    world.rules(
        listed.iter().flat_map(|name| [443, 80, host.port].map(|port| rule(name, port, EgressMode::Inspect))).collect(),
    );
    let token = bearer();
    for spelling in SPELLINGS {
        let questions = world.switches.questions.load(Ordering::SeqCst);
        for raw in [
            format!("CONNECT {spelling}:{} HTTP/1.1\r\nHost: {spelling}:{}\r\n{token}\r\n", host.port, host.port),
            format!("GET http://{spelling}:{}/ HTTP/1.1\r\nHost: {spelling}:{}\r\n{token}\r\n", host.port, host.port),
        ] {
            let reply = ask(&world, raw.as_bytes()).await;
            let (status, code) = reply.refusal();
            assert!(
                (400..504).contains(&status) && !code.is_empty(),
                "{spelling:?}: {} {}",
                reply.headers,
                reply.text()
            );
            let names =
                ["malformed", "unlisted-host", "forbidden-address", "unresolved", "not-a-proxy-request", "unreachable"];
            assert!(names.contains(&code), "{spelling:?}: {code}");
        }
        assert_eq!(world.switches.questions.load(Ordering::SeqCst), questions, "{spelling:?} was looked up");
    }
    for port in ["0", "65536", "99999999999", "-1", "+80", "080", "0x50", "80 ", "", "http"] {
        let to = format!("open.example:{port}");
        let reply = ask(&world, format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{token}\r\n").as_bytes()).await;
        assert_eq!(reply.refusal(), MALFORMED, "port {port:?}");
    }
    assert_eq!(host.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_wildcard_ends_at_a_dot() {
    let world = World::new(Vec::new()).await;
    let host = world.plain_host("a.open.example").await;
    world.rules(vec![rule("*.open.example", host.port, EgressMode::Inspect)]);
    let get = |name: &str| {
        let at = format!("{name}:{}", host.port);
        format!("GET http://{at}/ HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n{}\r\n", bearer())
    };
    for name in ["open.example", "evilopen.example", "a.open.example.evil.net", "a.open.examples", "aopen.example"] {
        assert_eq!(world.ask(&get(name)).await.refusal(), (403, "unlisted-host"), "{name}");
    }
    assert_eq!(world.switches.questions.load(Ordering::SeqCst), 0);
    for name in ["a.open.example", "A.OPEN.Example", "a.open.example."] {
        assert_eq!(world.ask(&get(name)).await.text(), "hello", "{name}");
    }
}

#[tokio::test]
async fn a_name_that_comes_to_lead_inside_is_judged_again() {
    let world = World::new(Vec::new()).await;
    let host = world.plain_host("open.example").await;
    world.rules(vec![rule("open.example", host.port, EgressMode::Inspect)]);
    world.name("open.example", &[&["127.0.0.1"], &["169.254.169.254"]]);
    let get = format!("GET http://{0}/ HTTP/1.1\r\nHost: {0}\r\n{1}\r\n", host.at(), bearer());
    let mut tool = TcpStream::connect(world.proxy).await.unwrap();
    host.answer("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nfirst");
    tool.write_all(get.as_bytes()).await.unwrap();
    assert_eq!(Reply::one(&mut tool).await.text(), "first");
    tool.write_all(get.as_bytes()).await.unwrap();
    assert_eq!(Reply::one(&mut tool).await.refusal(), (403, "forbidden-address"));
    // Nor does the policy's `private` help it, in a new connection.
    assert_eq!(world.ask(&get).await.refusal(), (403, "forbidden-address"));
    assert_eq!(host.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_inspected_host_is_asked_for_by_its_own_name() {
    let world = World::new(Vec::new()).await;
    let host = world.host("open.example").await;
    world.rules(vec![rule("open.example", host.port, EgressMode::Inspect)]);
    let authority = world.forward.authority.certificate();
    for name in ["other.example", "127.0.0.1", "sub.open.example"] {
        let stream = world.connect(&host.at()).await.unwrap();
        assert!(tls(stream, name, authority).await.is_err(), "{name}");
    }
    for raw in [
        &b"\x16\x03\x01\xff\xff"[..],
        b"\x16\x03\x01\x00\x00",
        b"\x80\x2e\x01\x03\x01",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\0",
    ] {
        let mut stream = world.connect(&host.at()).await.unwrap();
        stream.write_all(raw).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut told = Vec::new();
        let _ = stream.read_to_end(&mut told).await;
        assert!(!told.starts_with(b"HTTP/1.1 200"), "{raw:?}");
    }
    assert_eq!(host.connections.load(Ordering::SeqCst), 0);
}

/// What hosts answer: each ends in a clear refusal or in a connection that is cut, and the next request is answered.
#[tokio::test]
async fn answers_that_are_none() {
    let (world, host, _) = world().await;
    let get = format!("GET http://{0}/ HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n{1}\r\n", host.at(), bearer());
    let hello = String::from_utf8(HELLO.to_vec()).unwrap();
    let with = |headers: &str| hello.replacen("\r\n", &format!("\r\n{headers}\r\n"), 1);
    for (name, answer, want) in [
        ("no HTTP", "SSH-2.0-x\r\n\r\n".to_owned(), (502, "bad-answer")),
        ("HTTP/0.9", "<html>\r\n\r\n".to_owned(), (502, "bad-answer")),
        ("HTTP/2", hello.replace("1.1", "2.0"), (502, "bad-answer")),
        ("two lengths", with("content-length: 5"), (502, "bad-answer")),
        ("a length and chunks", with("transfer-encoding: chunked"), (502, "bad-answer")),
        (
            "gzip over chunks",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned(),
            (502, "bad-answer"),
        ),
        ("a negative length", hello.replace(": 5", ": -5"), (502, "bad-answer")),
        ("compressed", with("content-encoding: gzip"), (502, "bad-answer")),
        ("compressed twice", with("content-encoding: identity, br"), (502, "bad-answer")),
        ("folded", with("x: a\r\n b: c"), (502, "bad-answer")),
        ("bare LF", with("x: a\ny: b"), (502, "bad-answer")),
        ("a space before the colon", with("x : a"), (502, "bad-answer")),
        ("NUL", with("x: \0"), (502, "bad-answer")),
        ("another protocol", "HTTP/1.1 101 x\r\nupgrade: x\r\n\r\n".to_owned(), (502, "bad-answer")),
        ("an endless header", with(&format!("x: {}", "x".repeat(100_000))), (502, "bad-answer")),
        ("very many headers", with(&"x: y\r\n".repeat(500)).replace("\r\n\r\n\r\n", "\r\n\r\n"), (502, "bad-answer")),
        ("a flood of interim answers", "HTTP/1.1 100 Continue\r\n\r\n".repeat(100), (502, "bad-answer")),
        ("half a head", "HTTP/1.1 200 OK\r\nconnection: close".to_owned(), (502, "broken")),
        (
            "less than announced",
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 50\r\n\r\nhello".to_owned(),
            (502, "broken"),
        ),
    ] {
        // The host closes behind it.
        let answer = if answer.contains("connection: close") {
            answer
        } else {
            answer.replacen("\r\n", "\r\nx-note: connection: close\r\n", 1)
        };
        host.answer(&answer);
        assert_eq!(world.ask(&get).await.refusal(), want, "{name}");
        assert_eq!(world.ask(&get).await.text(), "hello", "after {name}");
    }
    for (name, answer) in [
        (
            "chunks without end",
            "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ),
        ("no chunk", "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"),
        ("a long body cut", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 999999\r\n\r\nhello"),
    ] {
        host.answer(answer);
        let reply = world.ask(&get).await;
        assert_eq!(reply.status, 200, "{name}");
        assert!(!reply.body.ends_with(b"0\r\n\r\n"), "{name} looks whole: {}", reply.text());
        assert_eq!(world.ask(&get).await.text(), "hello", "after {name}");
    }
    // What stands behind an answer is nobody's: neither the tool's nor part of the next one.
    host.answer(&format!("{hello}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"));
    let keep = get.replace("Connection: close\r\n", "");
    let mut tool = TcpStream::connect(world.proxy).await.unwrap();
    for _ in 0..2 {
        tool.write_all(keep.as_bytes()).await.unwrap();
        assert_eq!(Reply::one(&mut tool).await.text(), "hello");
    }
}

const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";

/// Opens a WebSocket to a plain host, which answers so; what comes back first.
async fn socket(world: &World, host: &Host, answer: &[u8], more: &str) -> (TcpStream, Reply) {
    host.answer_raw(answer.to_vec());
    let mut tool = TcpStream::connect(world.proxy).await.unwrap();
    let at = host.at();
    let ask = format!(
        "GET http://{at}/ws HTTP/1.1\r\nHost: {at}\r\n{}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n",
        bearer()
    );
    tool.write_all(ask.as_bytes()).await.unwrap();
    let reply = Reply::head(&mut tool).await;
    (tool, reply)
}

#[tokio::test]
async fn frames_that_are_none_end_the_conversation() {
    let (world, host, _) = world().await;
    let long = [&[0x81, 0xFF][..], &u64::MAX.to_be_bytes(), &[0; 4], b"abcd"].concat();
    for (name, bytes) in [
        ("not masked", &b"\x81\x05hello"[..]),
        ("a reserved bit: compressed", b"\xC1\x85\0\0\0\0hello"),
        ("the other reserved bits", b"\xB1\x85\0\0\0\0hello"),
        ("a kind that nobody knows", b"\x83\x85\0\0\0\0hello"),
        ("a control kind that nobody knows", b"\x8B\x85\0\0\0\0hello"),
        ("a continuation of nothing", b"\x80\x85\0\0\0\0hello"),
        ("a second beginning", b"\x01\x81\0\0\0\0a\x01\x81\0\0\0\0b"),
        ("a ping in pieces", b"\x09\x81\0\0\0\0a"),
        ("a ping that is too long", b"\x89\xFE\x00\x7E\0\0\0\0"),
        ("a length beyond 63 bits", &long),
        ("cut in the head", b"\x81"),
        ("cut in the length", b"\x81\xFE\x01"),
        ("cut in the mask", b"\x81\x85\0\0"),
        ("cut in the payload", b"\x81\x85\0\0\0\0he"),
        ("HTTP again", b"GET / HTTP/1.1\r\n\r\n"),
    ] {
        let (mut tool, reply) = socket(&world, &host, SWITCH.as_bytes(), "").await;
        assert_eq!(reply.status, 101, "{name}");
        tool.write_all(bytes).await.unwrap();
        tool.shutdown().await.unwrap();
        let mut told = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), tool.read_to_end(&mut told)).await;
        assert!(ended.is_ok(), "{name}: still open");
        let got = tokio::time::timeout(Duration::from_millis(20), host.cut()).await.unwrap_or_default();
        let whole = memchr::memmem::find(&got, b"hello").is_some();
        assert!(!whole, "{name}: {}", String::from_utf8_lossy(&got));
    }
}

#[tokio::test]
async fn what_a_host_says_in_frames_is_held_to_the_same() {
    let (world, host, _) = world().await;
    for (name, bytes) in [
        ("masked", &b"\x81\x85\0\0\0\0hello"[..]),
        ("compressed", b"\xC1\x05hello"),
        ("a kind that nobody knows", b"\x87\x05hello"),
        ("a continuation of nothing", b"\x80\x05hello"),
        ("a ping that is too long", b"\x89\x7E\x00\x7E"),
        ("a length beyond 63 bits", b"\x81\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFx"),
    ] {
        let answer = [SWITCH.as_bytes(), bytes].concat();
        let (mut tool, reply) = socket(&world, &host, &answer, "").await;
        assert_eq!(reply.status, 101, "{name}");
        let mut told = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), tool.read_to_end(&mut told)).await;
        assert!(ended.is_ok(), "{name}: still open");
        assert!(memchr::memmem::find(&told, b"hello").is_none(), "{name}");
    }
    // An extension that would hide what is said is not begun, whoever wants it.
    for more in ["Sec-WebSocket-Extensions: permessage-deflate\r\n", "Sec-WebSocket-Extensions: x-secret; a=b\r\n"] {
        let forced = SWITCH.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
        let (_, reply) = socket(&world, &host, forced.as_bytes(), more).await;
        assert_eq!(reply.refusal(), (502, "bad-answer"), "{more}");
        assert!(!host.seen().last().unwrap().to_ascii_lowercase().contains("extensions"), "{more}");
    }
}

#[tokio::test]
async fn a_frame_of_any_size_passes_in_pieces_and_its_secret_does_not() {
    let (world, host, _) = world().await;
    let (mut tool, reply) = socket(&world, &host, SWITCH.as_bytes(), "").await;
    assert_eq!(reply.status, 101);
    let size = 24 * 1024 * 1024;
    let head = [&[0x82, 0xFF][..], &(size as u64 + KEY.len() as u64).to_be_bytes(), &[0; 4]].concat();
    tool.write_all(&head).await.unwrap();
    let before = resident();
    let piece = vec![b' '; 64 * 1024];
    for _ in 0..size / piece.len() {
        tool.write_all(&piece).await.unwrap();
    }
    tool.write_all(KEY.as_bytes()).await.unwrap();
    tool.shutdown().await.unwrap();
    let _ = tool.read_to_end(&mut Vec::new()).await;
    let got = tokio::time::timeout(Duration::from_secs(20), host.cut()).await.expect("its connection ends");
    let said = frames(&got).into_iter().map(|(_, payload)| payload).collect::<Vec<_>>().concat();
    assert!(said.len() > size && said.ends_with(b"SECRET_REF(api_key)"), "{} bytes arrived", said.len());
    // The host keeps what it got, twice at most.
    assert!(resident().saturating_sub(before) < 4 * size, "{}", resident() - before);
}

/// Bytes of memory that this process holds.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
async fn those_who_take_their_time_are_given_up() {
    let short = ForwardTimeouts {
        head: Duration::from_millis(200),
        idle: Duration::from_millis(400),
        ..ForwardTimeouts::default()
    };
    let world = World::with(Vec::new(), short).await;
    let host = world.plain_host("open.example").await;
    world.rules(vec![rule("open.example", host.port, EgressMode::Inspect)]);
    let post = format!("POST http://{0}/ HTTP/1.1\r\nHost: {0}\r\n{1}Content-Length: 9\r\n\r\nab", host.at(), bearer());
    for cut in [1, 20, post.len() - 10] {
        let mut tool = TcpStream::connect(world.proxy).await.unwrap();
        tool.write_all(&post.as_bytes()[..cut]).await.unwrap();
        assert_eq!(Reply::read(&mut tool).await.refusal().1, "stalled", "cut at {cut}");
    }
    let mut tool = TcpStream::connect(world.proxy).await.unwrap();
    tool.write_all(post.as_bytes()).await.unwrap();
    let (status, code) = {
        let reply = Reply::read(&mut tool).await;
        (reply.status, reply.refusal().1.to_owned())
    };
    assert!(status >= 400 && !code.is_empty(), "a body that stops: {status} {code}");
    assert!(host.seen().iter().all(|seen| seen.starts_with("CUT ")));
}
