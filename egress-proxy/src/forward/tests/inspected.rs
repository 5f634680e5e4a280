//! Hosts that are read: what is refused, what passes, and how messages are framed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wardkeep_policy::{EgressMode, EgressRule};

use super::harness::{Host, PASSWORD, Reply, TOKEN, World, rule, tls};
use crate::forward::{EgressOutcome, ForwardTimeouts};

fn inspect(host: &Host) -> EgressRule {
    rule(&host.name, host.port, EgressMode::Inspect)
}

async fn world() -> (World, Host) {
    let world = World::new(Vec::new()).await;
    let host = world.host("open.example").await;
    world.rules(vec![inspect(&host)]);
    (world, host)
}

#[tokio::test]
async fn requests_that_two_readers_could_read_differently_go_nowhere() {
    let (world, host) = world().await;
    let at = host.at();
    for (raw, want) in [
        (
            format!(
                "POST / HTTP/1.1\r\nHost: {at}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            (400, "malformed"),
        ),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: {at}\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"
            ),
            (400, "malformed"),
        ),
        (
            format!("POST / HTTP/1.1\r\nHost: {at}\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"),
            (400, "malformed"),
        ),
        (format!("POST / HTTP/1.1\r\nHost: {at}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), (400, "malformed")),
        (format!("GET / HTTP/1.1\r\nHost: {at}\r\nHost: {at}\r\n\r\n"), (400, "malformed")),
        (format!("GET / HTTP/1.1\r\nHost: {at}\r\nX: a\r\n b\r\n\r\n"), (400, "malformed")),
        (format!("GET / HTTP/1.1\r\nHost : {at}\r\n\r\n"), (400, "malformed")),
        (format!("GET / HTTP/1.1\r\nHost: {at}\r\nX: a\nY: b\r\n\r\n"), (400, "malformed")),
        ("GET / HTTP/1.1\r\nHost: other.example\r\n\r\n".to_owned(), (400, "malformed")),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), (400, "malformed")),
        (format!("GET http://{at}/ HTTP/1.1\r\nHost: {at}\r\n\r\n"), (400, "malformed")),
        (format!("GET https://other.example/ HTTP/1.1\r\nHost: {at}\r\n\r\n"), (400, "malformed")),
        (format!("CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n"), (400, "malformed")),
        (
            format!("POST / HTTP/1.1\r\nHost: {at}\r\nTransfer-Encoding: chunked\r\n\r\n4\nabcd\r\n0\r\n\r\n"),
            (400, "malformed"),
        ),
        (format!("POST / HTTP/1.1\r\nHost: {at}\r\nExpect: tea\r\nContent-Length: 1\r\n\r\na"), (400, "malformed")),
        (
            format!("POST / HTTP/1.1\r\nHost: {at}\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\na"),
            (415, "encoded"),
        ),
        (format!("GET / HTTP/1.1\r\nHost: {at}\r\nX: {}\r\n\r\n", "x".repeat(70_000)), (431, "head-too-large")),
    ] {
        let mut tool = world.inspected(&host).await;
        tool.write_all(raw.as_bytes()).await.unwrap();
        assert_eq!(Reply::read(&mut tool).await.refusal(), want, "{raw:.90?}");
    }
    // A body that ends early was never a request.
    let mut tool = world.inspected(&host).await;
    tool.write_all(format!("POST / HTTP/1.1\r\nHost: {at}\r\nContent-Length: 9\r\n\r\nabcd").as_bytes()).await.unwrap();
    tool.shutdown().await.unwrap();
    assert_eq!(Reply::read(&mut tool).await.refusal(), (400, "malformed"));
    assert_eq!(host.connections.load(Ordering::SeqCst), 0);
    assert!(world.records().iter().all(|record| matches!(record.outcome, EgressOutcome::Refused(_))));
}

#[tokio::test]
async fn methods_and_paths_are_held_to_the_list() {
    let world = World::new(Vec::new()).await;
    let host = world.host("open.example").await;
    let read = EgressRule { methods: vec!["GET".to_owned()], paths: vec!["/v1/*".to_owned()], ..inspect(&host) };
    world.rules(vec![read]);
    for (line, want) in [
        ("POST /v1/a", (403, "unlisted-method")),
        ("GET /v2/a", (403, "unlisted-path")),
        ("GET /v1/a/b", (403, "unlisted-path")),
        ("GET /v1/../v2", (403, "ambiguous-path")),
        ("GET /v1/%2e%2e", (403, "ambiguous-path")),
        ("OPTIONS /v1/a", (403, "unlisted-method")),
    ] {
        let mut tool = world.inspected(&host).await;
        tool.write_all(format!("{line}?a=b HTTP/1.1\r\nHost: {}\r\n\r\n", host.at()).as_bytes()).await.unwrap();
        assert_eq!(Reply::read(&mut tool).await.refusal(), want, "{line}");
    }
    for (header, want) in [
        ("X-HTTP-Method-Override: DELETE", (403, "unlisted-method")),
        ("X-Original-URL: /v2/a", (403, "unlisted-path")),
        ("X_Original_URL: /v2/a", (403, "unlisted-path")),
    ] {
        let mut tool = world.inspected(&host).await;
        let raw = format!("GET /v1/a HTTP/1.1\r\nHost: {}\r\n{header}\r\n\r\n", host.at());
        tool.write_all(raw.as_bytes()).await.unwrap();
        assert_eq!(Reply::read(&mut tool).await.refusal(), want, "{header}");
    }
    assert!(host.seen().is_empty());
    let records = world.records();
    assert_eq!((&*records[0].request, &records[0].outcome), ("POST /v1/a", &EgressOutcome::Refused("unlisted-method")));

    let mut tool = world.inspected(&host).await;
    tool.write_all(format!("GET /v1/a?b=c HTTP/1.1\r\nHost: {}\r\n\r\n", host.at()).as_bytes()).await.unwrap();
    assert_eq!(Reply::one(&mut tool).await.text(), "hello");
    assert_eq!(world.records().last().unwrap().request, "GET /v1/a", "no query on record");
    // The next request on the same connection is judged by the policy of its own moment.
    world.rules(Vec::new());
    tool.write_all(format!("GET /v1/a HTTP/1.1\r\nHost: {}\r\n\r\n", host.at()).as_bytes()).await.unwrap();
    assert_eq!(Reply::read(&mut tool).await.refusal(), (403, "unlisted-host"));
}

/// A form for `/v1/a`, in one piece or in chunks.
fn form(host: &Host, kind: &str, body: &str, chunk: Option<usize>) -> String {
    let head = format!("POST /v1/a HTTP/1.1\r\nHost: {}\r\n{kind}", host.at());
    let Some(size) = chunk else { return format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()) };
    let chunks = body.as_bytes().chunks(size).map(|chunk| std::str::from_utf8(chunk).unwrap());
    let chunks: String = chunks.map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).collect();
    format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
}

#[tokio::test]
async fn a_method_that_a_form_names_is_held_to_the_list() {
    const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
    let world = World::new(Vec::new()).await;
    let host = world.host("open.example").await;
    let some = EgressRule { methods: vec!["GET".to_owned(), "POST".to_owned()], ..inspect(&host) };
    world.rules(vec![some]);
    let padding = "a=b&".repeat(100_000);
    let long = |field: &str| format!("{padding}{field}");
    let ask = async |raw: String| {
        let mut tool = world.inspected(&host).await;
        let _ = tool.write_all(raw.as_bytes()).await;
        Reply::one(&mut tool).await
    };
    for kind in [
        FORM,
        "content-type:  Application/X-WWW-Form-Urlencoded;charset=utf-8\r\n",
        "Content-Type: text/plain\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        "",
        "Content-Type: text/plain\r\nConnection: content-type\r\n",
        "Content-Type: text/plain\r\nContent_Type: application/x-www-form-urlencoded\r\n",
        "Content-Type:\r\n",
        "Content-Type: form\r\n",
        "Content-Type: ;application/x-www-form-urlencoded\r\n",
        "Content-Type: \"application/x-www-form-urlencoded\"\r\n",
        "Content-Type: text/plain, application/x-www-form-urlencoded\r\n",
        "Content-Type: text/plain; x=\"application/x-www-form-urlencoded\"\r\n",
    ] {
        for body in [
            "_method=DELETE",
            "a=b&_method=delete&c=d",
            "%5fmeth%6fd=D%45LETE&a",
            "_method[]=PUT&",
            "a=1;_method=DELETE",
        ] {
            for chunk in [None, Some(5)] {
                let reply = ask(form(&host, kind, body, chunk)).await;
                assert_eq!(reply.refusal(), (403, "unlisted-method"), "{kind} {body} {chunk:?}");
            }
        }
    }
    // The name stands at its end, whatever stands before.
    let spaced = format!("{}_method=DELETE", "%20".repeat(1000));
    assert_eq!(ask(form(&host, FORM, &spaced, None)).await.refusal(), (403, "unlisted-method"));
    assert!(host.seen().is_empty());
    // Behind what left already: the host gets no end of it.
    for chunk in [None, Some(10_001)] {
        for field in ["_method=DELETE", "_method=DELETE&a=b"] {
            let reply = ask(form(&host, FORM, &long(field), chunk)).await;
            assert_eq!(reply.refusal(), (403, "unlisted-method"), "{field} {chunk:?}");
        }
    }
    assert!(host.seen().iter().all(|seen| seen.starts_with("CUT ")), "not one is whole");

    let listed = ["a=b", "_method=POST", "_method=get&a=b", "text=_method:DELETE", "method=card", "_methods"];
    let before = host.seen().len();
    for body in listed {
        assert_eq!(ask(form(&host, FORM, body, None)).await.status, 200, "{body}");
        assert_eq!(ask(form(&host, FORM, &long(body), Some(10_001))).await.status, 200, "{body}");
    }
    for kind in ["Content-Type: text/plain\r\n", "Content-Type: multipart/form-data; boundary=\"a,b\"\r\n"] {
        assert_eq!(ask(form(&host, kind, "_method=DELETE", None)).await.status, 200, "{kind}");
    }
    assert!(host.seen().len() > before + 2 * listed.len());
    // Who lists no methods means any.
    world.rules(vec![inspect(&host)]);
    assert_eq!(ask(form(&host, FORM, "_method=DELETE", None)).await.status, 200);
}

#[tokio::test]
async fn a_request_passes_and_the_connection_goes_on() {
    let (world, host) = world().await;
    let mut tool = world.inspected(&host).await;
    assert_eq!(tool.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    for n in 0..3 {
        let request = format!(
            "POST /a?n={n} HTTP/1.1\r\nHost: {}\r\nX-Mixed-Case: Kept\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\n\
             Proxy-Authorization: Bearer {TOKEN}\r\nAccept-Encoding: gzip\r\nRange: bytes=0-3\r\nContent-Length: 2\r\n\r\nhi",
            host.at()
        );
        tool.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(Reply::one(&mut tool).await.text(), "hello");
        let want = format!(
            "POST /a?n={n} HTTP/1.1\r\nhost: {}\r\nX-Mixed-Case: Kept\r\naccept-encoding: identity\r\ncontent-length: 2\r\n\r\nhi",
            host.at()
        );
        assert_eq!(host.seen()[n], want);
    }
    assert_eq!(host.connections.load(Ordering::SeqCst), 1, "one connection for all");
    host.answer("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\nend");
    tool.write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", host.at()).as_bytes()).await.unwrap();
    let last = Reply::one(&mut tool).await;
    assert_eq!((last.text().as_str(), last.header("connection")), ("end", Some("keep-alive")));
    // The host closed; the next request asks for its address anew, and this one leads inside.
    world.name("open.example", &[&["169.254.169.254"]]);
    tool.write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", host.at()).as_bytes()).await.unwrap();
    assert_eq!(Reply::read(&mut tool).await.refusal(), (403, "forbidden-address"));
}

#[tokio::test]
async fn answers_are_framed_anew() {
    let (world, host) = world().await;
    let mut tool = world.inspected(&host).await;
    let long = "x".repeat(100_000);
    for (method, answer, want) in [
        (
            "GET",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n",
            "abcde",
        ),
        (
            "GET",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
            "hi",
        ),
        ("GET", &format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}", long.len()), &long),
        ("GET", "HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n", ""),
        ("GET", "HTTP/1.1 200 OK\r\nalt-svc: h3\r\nconnection: close\r\n\r\nto the end", "to the end"),
    ] {
        host.answer(answer);
        tool.write_all(format!("{method} / HTTP/1.1\r\nHost: {}\r\n\r\n", host.at()).as_bytes()).await.unwrap();
        let reply = Reply::one(&mut tool).await;
        assert_eq!(reply.text(), want, "{}", reply.headers);
        assert_eq!((reply.header("alt-svc"), reply.header("connection")), (None, Some("keep-alive")));
    }
    host.answer("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
    tool.write_all(format!("HEAD / HTTP/1.1\r\nHost: {}\r\n\r\n", host.at()).as_bytes()).await.unwrap();
    assert_eq!(Reply::head(&mut tool).await.header("content-length"), Some("1000"));
    for (answer, code) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "bad-answer"),
        ("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc", "bad-answer"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "bad-answer"),
        ("ICY 200 OK\r\n\r\n", "bad-answer"),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 30\r\n\r\nabc", "broken"),
    ] {
        let mut tool = world.inspected(&host).await;
        host.answer(answer);
        tool.write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", host.at()).as_bytes()).await.unwrap();
        assert_eq!(Reply::read(&mut tool).await.refusal(), (502, code), "{answer}");
    }
}

#[tokio::test]
async fn a_host_is_trusted_by_its_own_certificate_only() {
    let (world, host) = world().await;
    // The name leads to a host that has a certificate for another one.
    world.rules(vec![rule("renamed.example", host.port, EgressMode::Inspect)]);
    world.name("renamed.example", &[&["127.0.0.1"]]);
    let mut renamed = host;
    renamed.name = "renamed.example".to_owned();
    let mut tool = world.inspected(&renamed).await;
    tool.write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", renamed.at()).as_bytes()).await.unwrap();
    assert_eq!(Reply::read(&mut tool).await.refusal(), (502, "untrusted"));
    assert!(renamed.seen().is_empty());
}

#[tokio::test]
async fn the_name_inside_must_be_the_one_that_was_asked_for() {
    let (world, host) = world().await;
    let stream = world.connect(&host.at()).await.unwrap();
    assert!(tls(stream, "other.example", world.forward.authority.certificate()).await.is_err());
    assert_eq!(world.records().last().unwrap().outcome, EgressOutcome::Refused("other-name"));
}

#[tokio::test]
async fn absolute_addresses_are_judged_like_all_others() {
    let world = World::new(Vec::new()).await;
    let (plain, secure) = (world.plain_host("plain.example").await, world.host("secure.example").await);
    let tunnel = world.plain_host("tunnel.example").await;
    world.rules(vec![inspect(&plain), inspect(&secure), rule("tunnel.example", tunnel.port, EgressMode::Tunnel)]);
    let get = |url: &str, host: &str| {
        format!(
            "GET {url} HTTP/1.1\r\nHost: {host}\r\nProxy-Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
        )
    };
    for (url, host, want) in [
        (format!("http://{}/", tunnel.at()), tunnel.at(), (403, "in-clear")),
        (format!("http://{}/", plain.at()), secure.at(), (400, "malformed")),
        (format!("http://{}/", plain.at()), "plain.example".to_owned(), (400, "malformed")),
        (format!("http://user@{}/", plain.at()), plain.at(), (400, "malformed")),
        ("http://closed.example/".to_owned(), "closed.example".to_owned(), (403, "unlisted-host")),
        ("ftp://plain.example/".to_owned(), "plain.example".to_owned(), (400, "not-a-proxy-request")),
        ("/".to_owned(), "plain.example".to_owned(), (400, "not-a-proxy-request")),
    ] {
        assert_eq!(world.ask(&get(&url, &host)).await.refusal(), want, "{url} {host}");
    }
    assert!(plain.seen().is_empty() && tunnel.seen().is_empty());
    for host in [&plain, &secure] {
        let scheme = if host.name == "plain.example" { "http" } else { "https" };
        let reply = world.ask(&get(&format!("{scheme}://{}/a?b", host.at()), &host.at())).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "hello"), "{}", reply.headers);
        let want = format!("GET /a?b HTTP/1.1\r\nhost: {}\r\naccept-encoding: identity\r\n\r\n", host.at());
        assert_eq!(host.seen(), [want]);
    }
    // Plain HTTP inside CONNECT is read, too.
    let mut inside = world.connect(&plain.at()).await.unwrap();
    inside.write_all(format!("GET /x HTTP/1.1\r\nHost: {}\r\n\r\n", plain.at()).as_bytes()).await.unwrap();
    assert_eq!(Reply::one(&mut inside).await.text(), "hello");
}

#[tokio::test]
async fn large_uploads_flow_and_keep_their_framing() {
    let (world, host) = world().await;
    let size = 3 * 1024 * 1024;
    let mut tool = world.inspected(&host).await;
    tool.write_all(
        format!("PUT /f HTTP/1.1\r\nHost: {}\r\nExpect: 100-continue\r\nContent-Length: {size}\r\n\r\n", host.at())
            .as_bytes(),
    )
    .await
    .unwrap();
    assert_eq!(Reply::head(&mut tool).await.status, 100);
    let body: Vec<u8> = (0..size).map(|n| b"abcdefgh \n"[n % 10]).collect();
    tool.write_all(&body).await.unwrap();
    assert_eq!(Reply::one(&mut tool).await.text(), "hello");
    let seen = host.seen().pop().unwrap();
    assert!(seen.contains(&format!("content-length: {size}\r\n")) && !seen.contains("xpect"));
    assert!(seen.as_bytes().ends_with(&body));

    tool.write_all(format!("PUT /g HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n", host.at()).as_bytes())
        .await
        .unwrap();
    for piece in body.chunks(50_000) {
        tool.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await.unwrap();
        tool.write_all(piece).await.unwrap();
        tool.write_all(b"\r\n").await.unwrap();
    }
    tool.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(Reply::one(&mut tool).await.text(), "hello");
    assert!(host.seen().pop().unwrap().contains("transfer-encoding: chunked\r\n"));
}

#[tokio::test]
async fn a_host_that_does_not_read_stops_the_sender() {
    let world =
        World::with(Vec::new(), ForwardTimeouts { idle: Duration::from_secs(3), ..ForwardTimeouts::default() }).await;
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = deaf.local_addr().unwrap().port();
    world.name("deaf.example", &[&["127.0.0.1"]]);
    world.rules(vec![rule("deaf.example", port, EgressMode::Inspect)]);
    let mut tool = TcpStream::connect(world.proxy).await.unwrap();
    let size = 1u64 << 32;
    let head = format!(
        "PUT http://deaf.example:{port}/ HTTP/1.1\r\nHost: deaf.example:{port}\r\nProxy-Authorization: Bearer {TOKEN}\r\nContent-Length: {size}\r\n\r\n"
    );
    tool.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b'x'; 64 * 1024];
    let mut sent = 0;
    while let Ok(Ok(count)) = tokio::time::timeout(Duration::from_millis(1500), tool.write(&piece)).await {
        sent += count;
        assert!(sent < 64 * 1024 * 1024, "somebody keeps it all in memory");
    }
    let (_kept, _) = deaf.accept().await.unwrap();
    // Nothing moves: the exchange ends by itself.
    assert_eq!(Reply::read(&mut tool).await.refusal(), (504, "silent"));
}

#[tokio::test]
async fn a_tool_that_leaves_takes_its_request_along() {
    let world = World::new(Vec::new()).await;
    let quiet = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = quiet.local_addr().unwrap().port();
    world.name("quiet.example", &[&["127.0.0.1"]]);
    world.rules(vec![rule("quiet.example", port, EgressMode::Inspect)]);
    let mut tool = TcpStream::connect(world.proxy).await.unwrap();
    let head = format!(
        "GET http://quiet.example:{port}/ HTTP/1.1\r\nHost: quiet.example:{port}\r\nProxy-Authorization: Bearer {TOKEN}\r\n\r\n"
    );
    tool.write_all(head.as_bytes()).await.unwrap();
    let (mut host, _) = quiet.accept().await.unwrap();
    let mut seen = vec![0; 1024];
    assert!(host.read(&mut seen).await.unwrap() > 0);
    drop(tool);
    assert_eq!(host.read(&mut seen).await.unwrap_or(0), 0, "the host is left, too");
}

#[tokio::test]
async fn a_secret_in_a_host_name_is_not_even_looked_up() {
    let world = World::new(vec![rule("*.open.example", 443, EgressMode::Tunnel)]).await;
    let reply = world.connect(&format!("{PASSWORD}.open.example:443")).await.unwrap_err();
    assert_eq!(reply.refusal(), (400, "secret-in-name"));
    assert_eq!(world.switches.questions.load(Ordering::SeqCst), 0);
    assert!(!format!("{:?}", world.records()).to_lowercase().contains(&PASSWORD.to_lowercase()));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_cut_and_nothing_is_added() {
    let timeouts = ForwardTimeouts { idle: Duration::from_secs(2), ..ForwardTimeouts::default() };
    let world = World::with(Vec::new(), timeouts).await;
    let host = world.host("open.example").await;
    world.rules(vec![inspect(&host)]);
    for answer in [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 70000\r\n\r\nabc",
    ] {
        let mut tool = world.inspected(&host).await;
        host.answer(answer);
        tool.write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", host.at()).as_bytes()).await.unwrap();
        let mut raw = Vec::new();
        assert!(tool.read_to_end(&mut raw).await.is_err(), "TLS does not end as if all were there");
        let text = String::from_utf8(raw).unwrap();
        assert!(
            text.starts_with("HTTP/1.1 200 OK\r\n") && !text.contains("0\r\n\r\n") && !text.contains("504"),
            "{text}"
        );
    }
    assert_eq!(world.records().last().unwrap().outcome, EgressOutcome::Inspected(Vec::new()));
}

#[tokio::test]
async fn what_is_too_deep_does_not_leave_however_long_it_is() {
    let (world, host) = world().await;
    let deep = |count: usize| format!("{}{}", "[".repeat(count), "]".repeat(count));
    let padded = |inner: &str| format!("[\"{}\",{inner}]", "[x ".repeat(60_000));
    let ask = async |body: &str, chunk| {
        let mut tool = world.inspected(&host).await;
        let _ = tool.write_all(form(&host, "Content-Type: application/json\r\n", body, chunk).as_bytes()).await;
        Reply::one(&mut tool).await
    };
    for chunk in [None, Some(10_001)] {
        assert_eq!(ask(&deep(200), chunk).await.refusal(), (400, "unscannable"));
        assert_eq!(ask(&deep(100_000), chunk).await.refusal(), (400, "unscannable"));
        assert_eq!(host.connections.load(Ordering::SeqCst), 0, "nothing left");
    }
    // Behind what left already: the host gets no end of it, and it is on record.
    for chunk in [None, Some(10_001)] {
        assert_eq!(ask(&padded(&deep(128)), chunk).await.refusal(), (400, "unscannable"), "{chunk:?}");
        assert_eq!(world.records().last().unwrap().outcome, EgressOutcome::Refused("unscannable"));
    }
    assert!(host.seen().iter().all(|seen| seen.starts_with("CUT ")), "not one is whole");
    // What is flat enough, and text that only begins as a document does.
    let coloured = "[INFO] \u{1b}[31mred\n".repeat(20_000);
    for body in [padded(&deep(127)), "[[1],[2]]\n".repeat(20_000), coloured] {
        assert_eq!(ask(&body, Some(10_001)).await.status, 200, "{body:.40}");
    }
}
