//! What must not reach a host, what may, and what must not come back.

use tokio::io::AsyncWriteExt as _;
use wardkeep_policy::EgressMode;

use super::harness::{Host, KEY, PASSWORD, Reply, TOKEN, World, rule};
use crate::forward::EgressOutcome;

/// A rule would find it; no vault holds it.
const GITHUB: &str = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";

async fn world(name: &str) -> (World, Host) {
    let world = World::new(Vec::new()).await;
    let host = world.host(name).await;
    world.rules(vec![rule(name, host.port, EgressMode::Inspect)]);
    (world, host)
}

async fn ask(world: &World, host: &Host, raw: &str) -> Reply {
    let mut tool = world.inspected(host).await;
    let raw = raw.replace("HOST", &host.at());
    tool.write_all(raw.as_bytes()).await.unwrap();
    Reply::one(&mut tool).await
}

fn post(kind: &str, body: &str) -> String {
    format!("POST /p HTTP/1.1\r\nHost: HOST\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn url(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

#[tokio::test]
async fn no_form_of_a_secret_reaches_a_host() {
    let (world, host) = world("open.example").await;
    let base64 = data_encoding::BASE64.encode(KEY.as_bytes());
    let needles =
        [KEY.to_owned(), PASSWORD.to_owned(), base64.clone(), url(KEY), json(KEY), GITHUB.to_owned(), TOKEN.to_owned()];
    let padding = "lorem ipsum dolor ".repeat(20_000);
    for (what, raw) in [
        ("path", format!("GET /a/{PASSWORD} HTTP/1.1\r\nHost: HOST\r\n\r\n")),
        ("query", format!("GET /a?k={} HTTP/1.1\r\nHost: HOST\r\n\r\n", url(KEY))),
        ("header", format!("GET / HTTP/1.1\r\nHost: HOST\r\nX-Key: {KEY}\r\n\r\n")),
        (
            "basic",
            format!(
                "GET / HTTP/1.1\r\nHost: HOST\r\nAuthorization: Basic {}\r\n\r\n",
                data_encoding::BASE64.encode(format!("u:{PASSWORD}").as_bytes())
            ),
        ),
        ("cookie", format!("GET / HTTP/1.1\r\nHost: HOST\r\nCookie: s={PASSWORD}\r\n\r\n")),
        ("a token of a known format", format!("GET /?t={GITHUB} HTTP/1.1\r\nHost: HOST\r\nX-T: {GITHUB}\r\n\r\n")),
        ("the local token", format!("GET / HTTP/1.1\r\nHost: HOST\r\nProxy-Authorization: Bearer {TOKEN}\r\n\r\n")),
        ("JSON", post("application/json", &format!(r#"{{"a":"{}"}}"#, json(KEY)))),
        ("JSON key", post("application/json", &format!(r#"{{"{PASSWORD}":1}}"#))),
        ("base64", post("text/plain", &format!("x {base64} y"))),
        ("form", post("application/x-www-form-urlencoded", &format!("a={}", url(KEY)))),
        ("no kind", post("", &format!("--x\r\n\r\n{PASSWORD}\r\n--x"))),
    ] {
        let reply = ask(&world, &host, &raw).await;
        assert_eq!(reply.status, 200, "{what}: {} {}", reply.headers, reply.text());
        let seen = host.seen().pop().unwrap();
        assert!(needles.iter().all(|needle| !seen.contains(needle.as_str())), "{what}: {seen}");
        let masked = seen.contains("SECRET_REF(") || seen.contains("REDACTED");
        assert!(masked || what == "the local token", "{what}: {seen}");
    }
    // In the stream of a long body, too, and cut anywhere.
    let mut tool = world.inspected(&host).await;
    let mut raw = format!("POST / HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n", host.at());
    let body = format!("{padding}{PASSWORD}{padding}{GITHUB} {padding}");
    for chunk in body.as_bytes().chunks(9973) {
        raw.push_str(&format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)));
    }
    tool.write_all(format!("{raw}0\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(Reply::one(&mut tool).await.status, 200);
    let seen: String = host.seen().pop().unwrap();
    assert!(seen.contains("SECRET_REF(password)") && needles.iter().all(|needle| !seen.contains(needle.as_str())));
    let records = format!("{:?}", world.records());
    assert!(needles.iter().all(|needle| !records.contains(needle.as_str())), "{records}");
}

#[tokio::test]
async fn a_name_that_holds_a_secret_refuses_the_request() {
    let (world, host) = world("open.example").await;
    for raw in [
        format!("GET / HTTP/1.1\r\nHost: HOST\r\nX-{PASSWORD}: 1\r\n\r\n"),
        format!("{PASSWORD} / HTTP/1.1\r\nHost: HOST\r\n\r\n"),
        format!("{GITHUB} / HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ] {
        let reply = ask(&world, &host, &raw).await;
        assert_eq!(reply.refusal(), (400, "secret-in-name"), "{raw}");
    }
    assert!(host.seen().is_empty());
    let records = format!("{:?}", world.records());
    assert!(!records.contains(PASSWORD) && !records.contains(GITHUB), "{records}");
}

#[tokio::test]
async fn a_secret_goes_to_no_host_that_it_is_not_bound_to() {
    let (world, host) = world("open.example").await;
    let basic = data_encoding::BASE64.encode(b"u:SECRET_REF(api_key)");
    for (raw, code) in [
        ("GET /SECRET_REF(api_key) HTTP/1.1\r\nHost: HOST\r\n\r\n".to_owned(), "secret-not-bound"),
        ("GET /?k=SECRET_REF%28api_key%29 HTTP/1.1\r\nHost: HOST\r\n\r\n".to_owned(), "secret-not-bound"),
        ("GET / HTTP/1.1\r\nHost: HOST\r\nX-Key: SECRET_REF-api_key-END\r\n\r\n".to_owned(), "secret-not-bound"),
        (format!("GET / HTTP/1.1\r\nHost: HOST\r\nAuthorization: Basic {basic}\r\n\r\n"), "secret-not-bound"),
        (post("application/json", r#"{"a":"SECRET_REF(api_key)"}"#), "secret-not-bound"),
        (post("text/plain", "SECRET_REF(password)"), "secret-not-bound"),
        (post("text/plain", "SECRET_REF(nothing)"), "secret-not-given"),
    ] {
        let reply = ask(&world, &host, &raw).await;
        assert_eq!(reply.refusal(), (403, code), "{raw}");
        assert!(!reply.text().contains(KEY));
        let command = format!(" host:{}`", host.at());
        assert_eq!(reply.text().contains(&command), code == "secret-not-bound", "{}", reply.text());
    }
    assert!(host.seen().is_empty(), "{:?}", host.seen());
    // Deep in a long body nothing was asked yet when the beginning left; the request never becomes whole.
    let mut tool = world.inspected(&host).await;
    let padding = "x ".repeat(200_000);
    let raw = format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{padding}\r\n15\r\nSECRET_REF(api_key) .\r\n0\r\n\r\n",
        host.at(),
        padding.len()
    );
    tool.write_all(raw.as_bytes()).await.unwrap();
    assert_eq!(Reply::one(&mut tool).await.refusal(), (403, "secret-not-bound"));
    assert!(host.seen().iter().all(|seen| seen.starts_with("CUT ")));
}

#[tokio::test]
async fn a_locked_vault_and_plain_http_give_nothing() {
    let (world, host) = world("bound.example").await;
    world.switches.locked.store(true, std::sync::atomic::Ordering::SeqCst);
    let raw = post("text/plain", "SECRET_REF(api_key)");
    assert_eq!(ask(&world, &host, &raw).await.refusal(), (403, "vault-locked"));
    world.switches.locked.store(false, std::sync::atomic::Ordering::SeqCst);
    let raw = "GET / HTTP/1.1\r\nHost: HOST\r\nX: SECRET_REF(two_lines)\r\n\r\n";
    assert_eq!(ask(&world, &host, raw).await.refusal(), (403, "unfit-value"), "a header cannot be split");
    assert!(host.seen().is_empty());

    let plain = world.plain_host("bound.example").await;
    world.rules(vec![wardkeep_policy::EgressRule {
        private: false,
        ..rule("bound.example", plain.port, EgressMode::Inspect)
    }]);
    let raw = format!(
        "GET http://{0}/ HTTP/1.1\r\nHost: {0}\r\nProxy-Authorization: Bearer {TOKEN}\r\nX: SECRET_REF(api_key)\r\n\r\n",
        plain.at()
    );
    assert_eq!(world.ask(&raw).await.refusal(), (403, "secret-in-clear"));
    assert!(plain.seen().is_empty());
}

#[tokio::test]
async fn a_bound_secret_stands_where_it_was_named() {
    let (world, host) = world("bound.example").await;
    let basic = data_encoding::BASE64.encode(b"user:SECRET_REF(api_key)");
    let sent = data_encoding::BASE64.encode(format!("user:{KEY}").as_bytes());
    let xml = "kZ8&quot;w/q+Never&lt;Leaves&gt;&amp;9%4=x";
    let form = url(KEY);
    for (raw, want) in [
        (
            "GET /bot/SECRET_REF-api_key-END/x HTTP/1.1\r\nHost: HOST\r\n\r\n".to_owned(),
            format!("GET /bot/{form}/x HTTP/1.1\r\n"),
        ),
        (
            "GET /?k=SECRET_REF%28api_key%29&a=b HTTP/1.1\r\nHost: HOST\r\n\r\n".to_owned(),
            format!("GET /?k={form}&a=b HTTP/1.1\r\n"),
        ),
        (
            "GET / HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer SECRET_REF(api_key)\r\n\r\n".to_owned(),
            format!("Authorization: Bearer {KEY}\r\n"),
        ),
        (
            "GET / HTTP/1.1\r\nHost: HOST\r\nX-Api-Key: SECRET_REF-api_key-END\r\n\r\n".to_owned(),
            format!("X-Api-Key: {KEY}\r\n"),
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: HOST\r\nAuthorization: Basic {basic}\r\n\r\n"),
            format!("Authorization: Basic {sent}\r\n"),
        ),
        (
            post("application/json; charset=utf-8", r#"{"password":"SECRET_REF(api_key)","n":1.0}"#),
            format!("{{\"password\":\"{}\",\"n\":1.0}}", json(KEY)),
        ),
        (
            post("application/x-www-form-urlencoded", "grant=x&secret=SECRET_REF%28api_key%29"),
            format!("grant=x&secret={form}"),
        ),
        (post("text/xml", "<a>SECRET_REF(api_key)</a>"), format!("<a>{xml}</a>")),
        (post("text/plain", "it is SECRET_REF(api_key)!"), format!("it is {KEY}!")),
    ] {
        let reply = ask(&world, &host, &raw).await;
        assert_eq!(reply.status, 200, "{raw}: {}", reply.text());
        let seen = host.seen().pop().unwrap();
        assert!(seen.contains(&want), "{seen}\nwanted {want}");
        let record = world.records().pop().unwrap();
        assert_eq!(record.outcome, EgressOutcome::Inspected(vec!["api_key".to_owned()]));
        assert!(!format!("{record:?}").contains(KEY));
    }
    // A value that the tool brought itself is masked all the same: only what was named is given.
    let raw = post("text/plain", &format!("{PASSWORD} and SECRET_REF(api_key)"));
    assert_eq!(ask(&world, &host, &raw).await.status, 200);
    assert!(host.seen().pop().unwrap().ends_with(&format!("SECRET_REF(password) and {KEY}")));
}

#[tokio::test]
async fn an_upload_whose_length_is_told_does_not_change_it() {
    let (world, host) = world("bound.example").await;
    let padding = "x ".repeat(200_000);
    // At the beginning the length can still be told rightly.
    let reply = ask(&world, &host, &post("text/plain", &format!("SECRET_REF(api_key) {padding}"))).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let seen = host.seen().pop().unwrap();
    assert!(
        seen.contains(&format!("content-length: {}\r\n", KEY.len() + 1 + padding.len())) && seen.ends_with(&padding)
    );
    // Far behind it is too late.
    let reply = ask(&world, &host, &post("text/plain", &format!("{padding}SECRET_REF(api_key)"))).await;
    assert_eq!(reply.refusal(), (403, "length-told"));
    let reply = ask(&world, &host, &post("text/plain", &format!("{padding}{PASSWORD} "))).await;
    assert_eq!(reply.refusal(), (403, "length-told"));
    assert!(host.seen().iter().all(|seen| !seen.contains(PASSWORD)));
}

#[tokio::test]
async fn what_a_host_echoes_comes_back_masked() {
    let (world, host) = world("bound.example").await;
    let long = "y ".repeat(100_000);
    for (answer, want) in [
        (
            format!("HTTP/1.1 200 OK\r\nx-echo: {KEY}\r\ncontent-length: {}\r\n\r\nit is {KEY}.", KEY.len() + 7),
            "it is SECRET_REF(api_key).".to_owned(),
        ),
        (
            format!("HTTP/1.1 400 {KEY}\r\nconnection: close\r\n\r\n{long}{KEY}{long}"),
            format!("{long}SECRET_REF(api_key){long}"),
        ),
        (
            format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{{\"k\":\"{}\"}}", json(KEY)),
            "{\"k\":\"SECRET_REF(api_key)\"}".to_owned(),
        ),
        (
            format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{} {PASSWORD}",
                data_encoding::BASE64.encode(KEY.as_bytes())
            ),
            "SECRET_REF(api_key) SECRET_REF(password)".to_owned(),
        ),
        // What only a rule would find is the host's own to say.
        (format!("HTTP/1.1 200 OK\r\nset-cookie: s={GITHUB}\r\nconnection: close\r\n\r\n{GITHUB}"), GITHUB.to_owned()),
    ] {
        host.answer(&answer);
        let reply = ask(&world, &host, "GET / HTTP/1.1\r\nHost: HOST\r\nX-Api-Key: SECRET_REF(api_key)\r\n\r\n").await;
        assert_eq!(reply.text(), want);
        assert!(!reply.headers.contains(KEY) && !reply.headers.contains(PASSWORD), "{}", reply.headers);
    }
    // Cut anywhere.
    let chunks: String = KEY.chars().map(|letter| format!("1\r\n{letter}\r\n")).collect();
    host.answer(&format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"));
    let reply = ask(&world, &host, "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n").await;
    assert_eq!(reply.text(), "SECRET_REF(api_key)");
}

#[tokio::test]
async fn a_value_does_not_come_back_in_parts() {
    let (world, host) = world("bound.example").await;
    // What servers take for `Range` besides, in any spelling; the host hears of none.
    let mut tool = world.inspected(&host).await;
    for name in
        ["Range", "Request-Range", "x-ms-range", "X_Goog_Range", "Http-Range", "if-range", "X-ByteRange", "A-IM"]
    {
        let raw =
            format!("GET / HTTP/1.1\r\nHost: {}\r\nX-V: SECRET_REF(api_key)\r\n{name}: bytes=0-7\r\n\r\n", host.at());
        tool.write_all(raw.as_bytes()).await.unwrap();
        assert_eq!(Reply::one(&mut tool).await.text(), "hello", "{name}");
        assert!(!host.seen().last().unwrap().contains("0-7"), "{name}");
    }
    // A part that comes in any case, asked for in a way that nobody thought of.
    let (status, part) = ("HTTP/1.1 206 Partial Content", &KEY[..8]);
    for head in [
        format!("{status}\r\nContent-Range: bytes 0-7/27"),
        format!("{status}\r\ncontent_range:Bytes=0-7/27"),
        status.to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Range: bytes 0-7/27".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Type: Multipart/ByteRanges; boundary=x".to_owned(),
        "HTTP/1.1 226 IM Used\r\nIM: range".to_owned(),
    ] {
        host.answer(&format!("{head}\r\nContent-Length: 8\r\n\r\n{part}"));
        let reply =
            ask(&world, &host, "GET /?range=0-7 HTTP/1.1\r\nHost: HOST\r\nX-V: SECRET_REF(api_key)\r\n\r\n").await;
        assert_eq!(reply.refusal(), (502, "bad-answer"), "{head}");
        assert!(!reply.text().contains(part));
    }
    // Rows are no bytes, a refusal is no part, and what a write says of its own part is the host's to know.
    for answer in [
        "HTTP/1.1 206 Partial Content\r\nContent-Range: 0-24/319\r\nContent-Length: 2\r\n\r\n[]",
        "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */27\r\nContent-Length: 0\r\n\r\n",
    ] {
        host.answer(answer);
        assert!(answer.contains(&ask(&world, &host, "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n").await.status.to_string()));
    }
    let written = ["Content-Range: bytes 0-1/4", "x-ms-source-range: bytes=0-1", "X-Orange: 0-1"];
    let raw = format!("PUT / HTTP/1.1\r\nHost: HOST\r\n{}\r\nContent-Length: 2\r\n\r\nab", written.join("\r\n"));
    assert_eq!(ask(&world, &host, &raw).await.status, 200);
    assert!(written.iter().all(|line| host.seen().last().unwrap().contains(line)));
}
