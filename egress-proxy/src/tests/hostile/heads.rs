//! Heads, and where bodies end.

use super::{After, CALLERS, Caller, Line, refused, untouched};
use crate::tests::harness::{TOKEN, World};

const MALFORMED: (u16, &str) = (400, "malformed");
const LARGE: (u16, &str) = (431, "large-head");

/// Every way to have two readers disagree on where a request ends.
fn smuggled(caller: &Caller) -> Vec<(&'static str, Vec<u8>)> {
    let length = caller.body.len();
    let behind = format!("0\r\n\r\n{}", String::from_utf8(caller.good()).unwrap());
    let chunk = format!("{length:x}\r\n{}\r\n0\r\n\r\n", caller.body);
    let told = |headers: &str| caller.raw(headers, &behind);
    let chunked = |body: String| caller.raw("transfer-encoding: chunked\r\n", body);
    let old = |headers: &str| {
        let raw = String::from_utf8(caller.raw(headers, &chunk)).unwrap();
        raw.replace("HTTP/1.1", "HTTP/1.0").into_bytes()
    };
    vec![
        ("CL.TE", told(&format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", behind.len()))),
        ("TE.CL", told("transfer-encoding: chunked\r\ncontent-length: 4\r\n")),
        (
            "TE.CL, right length",
            caller.raw(&format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", chunk.len()), &chunk),
        ),
        ("TE.TE", told("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n")),
        ("TE twice", caller.raw("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", &chunk)),
        ("TE of another kind", told("transfer-encoding: xchunked\r\n")),
        ("TE gzip", told("transfer-encoding: gzip, chunked\r\n")),
        ("TE behind chunked", told("transfer-encoding: chunked, identity\r\n")),
        ("TE with a parameter", told("transfer-encoding: chunked;q=1\r\n")),
        ("TE quoted", told("transfer-encoding: \"chunked\"\r\n")),
        ("TE in HTTP/1.0", old("transfer-encoding: chunked\r\nconnection: keep-alive\r\n")),
        ("CL differs", told(&format!("content-length: {length}\r\ncontent-length: 5\r\n"))),
        ("CL twice", caller.raw(&format!("content-length: {length}\r\ncontent-length: {length}\r\n"), caller.body)),
        ("CL as a list", caller.raw(&format!("content-length: {length}, {length}\r\n"), caller.body)),
        ("CL negative", told("content-length: -1\r\n")),
        ("CL with a plus", caller.raw(&format!("content-length: +{length}\r\n"), caller.body)),
        ("CL in hex", told("content-length: 0x10\r\n")),
        ("CL with a fraction", told("content-length: 10.0\r\n")),
        ("CL with a space", told("content-length: 1 0\r\n")),
        ("CL empty", told("content-length:\r\n")),
        ("CL beyond 64 bits", told("content-length: 18446744073709551617\r\n")),
        ("CL at 64 bits", told("content-length: 18446744073709551615\r\n")),
        ("CL beyond everything", told(&format!("content-length: {}\r\n", "9".repeat(400)))),
        ("a space before the colon", told(&format!("content-length : {length}\r\n"))),
        ("a tab before the colon", told("transfer-encoding\t: chunked\r\n")),
        ("a folded line", told("x-fold: a\r\n content-length: 5\r\n")),
        ("a folded TE", told("transfer-encoding:\r\n\tchunked\r\n")),
        ("a header without a colon", told("content-length\r\n")),
        ("a header without a name", told(": 5\r\n")),
        ("a bare LF", told(&format!("x-a: b\ncontent-length: {length}\r\n"))),
        ("a bare CR", told("x-a: b\rtransfer-encoding: chunked\r\n")),
        ("only LF", String::from_utf8(caller.good()).unwrap().replace("\r\n", "\n").into_bytes()),
        ("NUL in a value", told("x-a: b\0c\r\n")),
        ("NUL in a name", told("x-\0a: b\r\n")),
        ("a vertical tab", told("transfer-encoding: \x0bchunked\r\n")),
        ("chunk size in 0x", chunked(format!("0x{chunk}"))),
        ("chunk size negative", chunked(format!("-{chunk}"))),
        ("chunk size with a plus", chunked(format!("+{chunk}"))),
        ("chunk size behind a space", chunked(format!(" {chunk}"))),
        ("chunk size with an underscore", chunked(format!("{length:x}_0\r\n"))),
        ("chunk size beyond 64 bits", chunked(format!("1000000000000000{chunk}"))),
        ("chunk size empty", chunked(format!(";{chunk}"))),
        ("chunk size too small", chunked(format!("1\r\n{}\r\n0\r\n\r\n", caller.body))),
        (
            "chunk size too large",
            chunked(format!("{:x}\r\n{}\r\n0\r\n\r\n{}", length + 1, caller.body, "x".repeat(64))),
        ),
        ("chunk line with LF", chunked(chunk.replacen("\r\n", "\n", 1))),
        ("chunk line with CR", chunked(chunk.replacen("\r\n", "\rx\r\n", 1))),
        ("LF in an extension", chunked(chunk.replacen("\r\n", ";a\nb\r\n", 1))),
        ("CR in an extension", chunked(chunk.replacen("\r\n", ";a\r0\r\n", 1))),
        ("an endless extension", chunked(format!("{length:x};{}", "x".repeat(5000)))),
        ("no line end behind a chunk", chunked(format!("{length:x}\r\n{}XX0\r\n\r\n", caller.body))),
        ("LF behind a chunk", chunked(format!("{length:x}\r\n{}\n0\r\n\r\n", caller.body))),
        ("LF behind the last chunk", chunked(format!("{length:x}\r\n{}\r\n0\n\n", caller.body))),
        ("too many trailers", chunked(format!("{length:x}\r\n{}\r\n0\r\n{}\r\n", caller.body, "a: b\r\n".repeat(200)))),
        ("an endless trailer", chunked(format!("{length:x}\r\n{}\r\n0\r\na: {}", caller.body, "x".repeat(20_000)))),
    ]
}

/// What is no request of HTTP/1.1 to this gateway.
fn unreadable(caller: &Caller) -> Vec<(&'static str, Vec<u8>, (u16, &'static str))> {
    let good = String::from_utf8(caller.good()).unwrap();
    let path = caller.path;
    let changed = |from: &str, to: &str| good.replacen(from, to, 1).into_bytes();
    let target = |target: &str| changed(&format!("POST {path} "), &format!("POST {target} "));
    let headers = |headers: String| changed("\r\n\r\n", &format!("\r\n{headers}\r\n"));
    vec![
        ("HTTP/0.9", changed(" HTTP/1.1\r\n", "\r\n"), MALFORMED),
        ("HTTP/2.0", changed("HTTP/1.1", "HTTP/2.0"), MALFORMED),
        ("HTTP/1.2", changed("HTTP/1.1", "HTTP/1.2"), MALFORMED),
        ("http in small letters", changed("HTTP/1.1", "http/1.1"), MALFORMED),
        ("two spaces", changed("POST ", "POST  "), MALFORMED),
        ("a tab", changed("POST ", "POST\t"), MALFORMED),
        ("a space behind the version", changed("HTTP/1.1", "HTTP/1.1 "), MALFORMED),
        ("no method", changed("POST ", " "), MALFORMED),
        ("a method that is none", changed("POST ", "PO(ST "), MALFORMED),
        ("no host", changed("host: gateway\r\n", ""), MALFORMED),
        ("two hosts", changed("host: gateway\r\n", "host: gateway\r\nHost: evil.example\r\n"), MALFORMED),
        ("two hosts in HTTP/1.0", changed("1.1\r\nhost: gateway\r\n", "1.0\r\nhost: a\r\nHost: b\r\n"), MALFORMED),
        ("a whole address", target(&format!("http://gateway{path}")), MALFORMED),
        ("a whole address of another", target(&format!("http://evil.example{path}")), MALFORMED),
        ("a whole address with a user", target(&format!("https://u:p@gateway:1{path}")), MALFORMED),
        ("a host as in CONNECT", target("evil.example:443"), MALFORMED),
        ("a fragment", target(&format!("{path}#x")), MALFORMED),
        ("a backslash", target(&path.replacen("/v1", "\\v1", 1)), MALFORMED),
        ("a path beyond ASCII", target(&format!("{path}\u{fc}")), MALFORMED),
        ("a quote", target(&format!("{path}?a=\"")), MALFORMED),
        ("an endless path", target(&format!("{path}?{}", "x".repeat(70_000))), LARGE),
        ("an endless header", headers(format!("x-a: {}\r\n", "x".repeat(70_000))), LARGE),
        ("an endless name", headers(format!("{}: a\r\n", "x".repeat(70_000))), LARGE),
        ("many headers", headers("x-a: b\r\n".repeat(200)), LARGE),
        ("very many headers", headers("x-a: b\r\n".repeat(20_000)), LARGE),
        ("five empty lines first", [b"\r\n\r\n\r\n\r\n\r\n", good.as_bytes()].concat(), MALFORMED),
        ("an empty line of LF first", [b"\n", good.as_bytes()].concat(), MALFORMED),
    ]
}

#[tokio::test]
async fn a_request_that_two_readers_could_end_in_two_places() {
    for caller in &CALLERS {
        let world = World::new().await;
        for (name, raw) in smuggled(caller) {
            refused(&world, caller, name, &raw, MALFORMED, After::Closed).await;
        }
        untouched(&world).await;
    }
}

#[tokio::test]
async fn a_head_that_is_none() {
    for caller in &CALLERS {
        let world = World::new().await;
        for (name, raw, want) in unreadable(caller) {
            // What says nothing of a path is answered in the usual words.
            let path = raw.windows(caller.path.len()).any(|window| window == caller.path.as_bytes());
            let known = path || String::from_utf8_lossy(&raw).contains("x-goog-api-key");
            let caller = if known { caller } else { &CALLERS[1] };
            refused(&world, caller, name, &raw, want, After::Closed).await;
        }
        untouched(&world).await;
    }
}

#[tokio::test]
async fn what_is_no_http_is_told_so_at_once() {
    let world = World::new().await;
    for (name, raw) in [
        ("TLS", &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..]),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
        ("a proxy's greeting", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("SOCKS", b"\x05\x01\x00"),
        ("NUL", b"\0"),
    ] {
        refused(&world, &CALLERS[1], name, raw, MALFORMED, After::Closed).await;
    }
    untouched(&world).await;
}

#[tokio::test]
async fn the_same_faults_byte_by_byte() {
    let caller = &CALLERS[0];
    let world = World::new().await;
    for (name, raw) in smuggled(caller).into_iter().filter(|(_, raw)| raw.len() < 2000) {
        let mut line = Line::open(&world).await;
        line.stream.set_nodelay(true).unwrap();
        for byte in raw {
            if !line.send(&[byte]).await {
                break;
            }
        }
        let reply = line.reply().await.unwrap_or_else(|| panic!("{name}: no answer"));
        caller.reads(&reply, MALFORMED, name);
        assert!(line.reply().await.is_none(), "{name}");
    }
    untouched(&world).await;
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_their_order() {
    let caller = &CALLERS[0];
    let world = World::new().await;
    let good = caller.good();
    let stranger = String::from_utf8(good.clone()).unwrap().replace(TOKEN, "wka_nobody").into_bytes();
    let chunked = caller.raw("transfer-encoding: chunked\r\n", "4\r\nabcd\r\n0\r\nx: y\r\n\r\n");
    let broken = caller.raw("content-length: 1\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n");
    let fine = r#"{"usage":{"input_tokens":1,"output_tokens":1}}"#;
    for (name, row, want, forwarded) in [
        ("a refused one first", [&stranger[..], &good, &stranger], &[401, 200, 401][..], 1),
        ("a refused body first", [&chunked[..], &good, &good], &[400, 200, 200], 2),
        ("a malformed one between", [&good[..], &broken, &good], &[200, 400], 1),
        ("a malformed one first", [&broken[..], &good, &good], &[400], 0),
        ("more than was announced", [&good[..], b"surplus\r\n\r\n", &good], &[200, 400], 1),
    ] {
        let before = world.provider.seen().len();
        (0..forwarded).for_each(|_| world.provider.document("200 OK", fine));
        let mut line = Line::open(&world).await;
        line.send(&row.concat()).await;
        let mut seen = Vec::new();
        while seen.len() < want.len() {
            seen.push(line.reply().await.unwrap_or_else(|| panic!("{name}: {seen:?} and an end")).status);
        }
        assert_eq!(seen, want, "{name}");
        if want.len() < row.len() {
            assert!(line.reply().await.is_none(), "{name}: nothing is read behind what could not be");
        }
        assert_eq!(world.provider.seen().len() - before, forwarded, "{name}");
    }
}

#[tokio::test]
async fn what_is_unusual_but_clear_passes_once() {
    let caller = &CALLERS[0];
    let world = World::new().await;
    let length = caller.body.len();
    let chunk = format!("{length:X};ext=\"v;\"\r\n{}\r\n0\r\nx-trailer: y\r\ncontent-length: 7\r\n\r\n", caller.body);
    let old = String::from_utf8(caller.good()).unwrap().replace("HTTP/1.1", "HTTP/1.0");
    for (name, raw, after) in [
        ("chunks", caller.raw("transfer-encoding: Chunked\r\n", &chunk), After::Usable),
        ("an empty line first", [b"\r\n", &caller.good()[..]].concat(), After::Usable),
        ("a line end behind", [&caller.good()[..], b"\r\n"].concat(), After::Usable),
        ("HTTP/1.0", old.clone().into_bytes(), After::Closed),
        ("HTTP/1.0 kept", old.replace("\r\n\r\n", "\r\nconnection: keep-alive\r\n\r\n").into_bytes(), After::Usable),
        ("an upgrade to HTTP/2", caller.raw(&format!("content-length: {length}\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"), caller.body), After::Usable),
        ("padded", caller.raw(&format!("content-length: \t {length} \t\r\n"), caller.body), After::Usable),
        ("zeros", caller.raw(&format!("content-length: 000{length}\r\n"), caller.body), After::Usable),
        ("an expectation nobody knows", caller.raw(&format!("content-length: {length}\r\nexpect: miracles\r\n"), caller.body), After::Usable),
        ("bytes in a header", [&caller.raw(&format!("content-length: {length}\r\nuser-agent: \u{fc}"), "")[..caller.raw(&format!("content-length: {length}\r\nuser-agent: \u{fc}"), "").len() - 2], b"\xff\xfe\r\n\r\n", caller.body.as_bytes()].concat(), After::Usable),
    ] {
        let before = world.provider.seen().len();
        world.provider.document("200 OK", r#"{"usage":{"input_tokens":1,"output_tokens":1}}"#);
        let mut line = Line::open(&world).await;
        line.send(&raw).await;
        let reply = line.reply().await.unwrap_or_else(|| panic!("{name}: no answer"));
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        if after == After::Usable {
            line.send(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n").await;
            assert_eq!(line.reply().await.map(|reply| reply.status), Some(200), "{name}");
        } else {
            assert!(line.reply().await.is_none(), "{name}");
        }
        let seen = world.provider.seen();
        assert_eq!(seen.len() - before, 1, "{name}");
        let seen = seen.last().unwrap();
        assert_eq!(seen.headers["content-length"], seen.body.len().to_string(), "{name}");
        for hidden in ["transfer-encoding", "upgrade", "http2-settings", "expect", "x-trailer", "connection"] {
            assert!(!seen.headers.contains_key(hidden), "{name}: {hidden} went on");
        }
    }
}

#[tokio::test]
async fn an_expectant_caller_is_told_to_go_on_or_not_to() {
    let caller = &CALLERS[0];
    let world = World::new().await;
    let waiting = caller.raw(&format!("content-length: {}\r\nexpect: 100-continue\r\n", caller.body.len()), "");
    let mut line = Line::open(&world).await;
    world.provider.document("200 OK", r#"{"usage":{"input_tokens":1,"output_tokens":1}}"#);
    line.send(&waiting).await;
    assert_eq!(line.reply().await.map(|reply| reply.status), Some(100));
    line.send(caller.body.as_bytes()).await;
    assert_eq!(line.reply().await.map(|reply| reply.status), Some(200));
    assert_eq!(world.provider.seen().len(), 1);
}

#[tokio::test]
async fn addresses_and_methods_that_are_none() {
    let world = World::new().await;
    for (method, target, want) in [
        ("POST", "/v1//messages", (404, "no-route")),
        ("POST", "//v1/messages", (404, "no-route")),
        ("POST", "//evil.example/v1/messages", (404, "no-route")),
        ("POST", "/v1/messages/", (404, "no-route")),
        ("POST", "/v1/messages;a=b", (404, "no-route")),
        ("POST", "/v1/./messages", (404, "no-route")),
        ("POST", "/v1/x/../messages", (404, "no-route")),
        ("POST", "/v1/%6dessages", (404, "no-route")),
        ("POST", "/v1%2fmessages", (404, "no-route")),
        ("POST", "/%2e%2e/v1/messages", (404, "no-route")),
        ("POST", "/V1/Messages", (404, "no-route")),
        ("POST", "/v1/messages%00", (404, "no-route")),
        ("POST", "/v1/messages%3Fbeta=true", (404, "no-route")),
        ("POST", "/v1/messages&beta=true", (404, "no-route")),
        ("POST", "/http://api.anthropic.com/v1/messages", (404, "no-route")),
        ("POST", "/", (404, "no-route")),
        ("OPTIONS", "*", (404, "no-route")),
        ("GET", "/v1/messages", (405, "method")),
        ("PUT", "/v1/messages", (405, "method")),
        ("TRACE", "/v1/messages", (405, "method")),
        ("HEAD", "/v1/messages", (405, "method")),
        ("post", "/v1/messages", (405, "method")),
        ("PRI", "/v1/messages", (405, "method")),
        ("POST", "/v1beta/models/flash:generateContent:generateContent", (400, "unlisted-model")),
        ("POST", "/v1beta/models/flash%2F..%2Fpro:generateContent", (400, "unlisted-model")),
        ("POST", "/v1beta/models/..%2Fflash:generateContent", (400, "unlisted-model")),
        ("POST", "/v1beta/models/%66lash%00:generateContent", (400, "unlisted-model")),
        ("POST", "/v1beta/models/%ff:generateContent", (404, "no-route")),
        ("POST", "/v1beta/models/flash%:generateContent", (404, "no-route")),
        ("POST", "/v1beta/models/flash:Generatecontent", (405, "method")),
        ("POST", "/v1beta/models/:generateContent", (400, "unlisted-model")),
    ] {
        let body = if method == "HEAD" { "" } else { CALLERS[3].body };
        let raw = format!(
            "{method} {target} HTTP/1.1\r\nhost: gateway\r\nx-goog-api-key: {TOKEN}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut line = Line::open(&world).await;
        line.send(raw.as_bytes()).await;
        if method == "HEAD" {
            let mut all = String::new();
            tokio::io::AsyncReadExt::read_to_string(&mut line.stream, &mut all).await.unwrap();
            assert!(all.starts_with("HTTP/1.1 405"), "{all}");
            continue;
        }
        let reply = line.reply().await.unwrap_or_else(|| panic!("{method} {target}: no answer"));
        assert_eq!(reply.refusal(), want, "{method} {target}: {}", reply.text());
        assert!(reply.json()["error"]["message"].as_str().is_some_and(|text| text.starts_with("Wardkeep: ")));
        assert!(!reply.text().contains("evil"), "the refusal quotes the request");
    }
    untouched(&world).await;
}
