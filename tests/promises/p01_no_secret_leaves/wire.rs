//! Attacks beside the body: heads, framing and encodings of requests to the model, and providers that show what they got.

use std::io::Write as _;

use serde_json::json;
use wardkeep_tests::simulators::llm::{Answer, Fault};
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::capture::Channel;
use wardkeep_tests::story::stage::MODEL;

use super::model::user;
use super::siege::{HARMLESS, Siege};

/// A head of a request, given as the target's query and as headers.
pub(super) struct Head {
    pub(super) name: &'static str,
    pub(super) query: fn(&str) -> String,
    pub(super) headers: fn(&str) -> Headers,
    /// Whether a harmless text gets through there.
    pub(super) passes: bool,
}

pub(super) type Headers = Vec<(String, Vec<u8>)>;

fn none(_: &str) -> String {
    String::new()
}

fn no_headers(_: &str) -> Headers {
    Vec::new()
}

fn header(name: &str, value: &str) -> Headers {
    vec![(name.to_owned(), value.as_bytes().to_vec())]
}

/// What may stand in a URL, everything else escaped.
pub(super) fn escaped(value: &str) -> String {
    value
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// What may stand in the name of a header.
pub(super) fn as_name(value: &str) -> String {
    value.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.!#$&'*+^`|~".contains(*c)).collect()
}

/// What may stand in the value of a header.
pub(super) fn as_value(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).collect()
}

pub(super) const HEADS: &[Head] = &[
    Head { name: "query", query: |v| format!("?beta={}", escaped(v)), headers: no_headers, passes: true },
    Head { name: "name in the query", query: |v| format!("?{}=true", escaped(v)), headers: no_headers, passes: true },
    Head { name: "beta flag", query: none, headers: |v| header("anthropic-beta", &as_value(v)), passes: true },
    Head { name: "user agent", query: none, headers: |v| header("user-agent", &as_value(v)), passes: true },
    Head {
        name: "header of the client library",
        query: none,
        headers: |v| header("x-stainless-lang", &as_value(v)),
        passes: true,
    },
    Head {
        name: "cookie",
        query: none,
        headers: |v| header("cookie", &format!("session={}", as_value(v))),
        passes: false,
    },
    Head { name: "second key", query: none, headers: |v| header("api-key", &as_value(v)), passes: false },
    Head {
        name: "key for another proxy",
        query: none,
        headers: |v| header("proxy-authorization", &as_value(v)),
        passes: false,
    },
    Head {
        name: "name of a header",
        query: none,
        headers: |v| header(&format!("x-{}", as_name(v)), "1"),
        passes: false,
    },
    Head {
        name: "base64 in a header",
        query: none,
        headers: |v| header("x-note", &data_encoding::BASE64.encode(v.as_bytes())),
        passes: false,
    },
    Head {
        name: "two headers of one name",
        query: none,
        headers: |v| [header("x-note", "a"), header("x-note", &as_value(v))].concat(),
        passes: false,
    },
    Head {
        name: "address from which it came",
        query: none,
        headers: |v| header("referer", &format!("https://x.example/{}", escaped(v))),
        passes: false,
    },
    Head { name: "forwarded for", query: none, headers: |v| header("x-forwarded-for", &as_value(v)), passes: false },
    Head { name: "idempotency key", query: none, headers: |v| header("idempotency-key", &as_value(v)), passes: false },
    Head { name: "expectation", query: none, headers: |v| header("expect", &as_value(v)), passes: false },
];

#[tokio::test(flavor = "multi_thread")]
async fn no_head_of_a_request_carries_a_value() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let secrets = siege.secrets();
    for head in HEADS {
        let harmless = [("harmless", HARMLESS.to_owned())];
        for (name, value) in harmless.iter().chain(&secrets) {
            let target = format!("/v1/messages{}", (head.query)(value));
            let body = user(json!("hello")).to_string().into_bytes();
            siege.hooks.ask_llm(&target, &(head.headers)(value), body).await.expect("the gateway answers");
            let news = siege.listen(&format!("{}, {name}", head.name));
            let through = super::siege::heard(&news, HARMLESS).contains(&Channel::Provider);
            assert!(through || !head.passes || *name != "harmless", "{}: nothing got through", head.name);
        }
    }
    siege.lift().await;
}

/// Head and body of one raw request; `{token}` in the head becomes the agent's token.
pub(super) type Raw = fn(&str) -> (String, Vec<u8>);

fn post(more: &str, body: Vec<u8>) -> (String, Vec<u8>) {
    (format!("POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {{token}}\r\nconnection: close\r\n{more}\r\n"), body)
}

fn sized(more: &str, body: Vec<u8>) -> (String, Vec<u8>) {
    post(&format!("{more}content-length: {}\r\n", body.len()), body)
}

fn prompt(value: &str) -> Vec<u8> {
    user(json!(value)).to_string().into_bytes()
}

/// A zlib stream that stores its content: a compression that changes no byte of it.
fn stored(content: &[u8], raw: bool) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("short");
    let mut out = if raw { Vec::new() } else { vec![0x78, 0x01] };
    out.push(1);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(content);
    if !raw {
        let (a, b) = content.iter().fold((1_u32, 0_u32), |(a, b), byte| {
            let a = (a + u32::from(*byte)) % 65_521;
            (a, (a + b) % 65_521)
        });
        out.extend_from_slice(&(b << 16 | a).to_be_bytes());
    }
    out
}

/// A gzip member around [`stored`]; its checksum is left out, which a careless reader does not mind.
pub(super) fn gzip(content: &[u8]) -> Vec<u8> {
    [&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3][..], &stored(content, true), &[0; 8]].concat()
}

fn utf16(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text).into_owned();
    [vec![0xFF, 0xFE], text.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat()
}

fn chunked(value: &str, extension: &str, trailer: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in prompt(value).chunks(7) {
        write!(out, "{:x}{extension}\r\n", piece.len()).expect("memory");
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
    write!(out, "0\r\n{trailer}\r\n").expect("memory");
    out
}

const CHUNKED: &str = "transfer-encoding: chunked\r\n";

pub(super) const RAWS: &[(&str, Raw)] = &[
    ("gzip, declared", |v| sized("content-encoding: gzip\r\n", gzip(&prompt(v)))),
    ("gzip, not declared", |v| sized("", gzip(&prompt(v)))),
    ("deflate, declared", |v| sized("content-encoding: deflate\r\n", stored(&prompt(v), false))),
    ("identity and then gzip", |v| sized("content-encoding: identity\r\ncontent-encoding: gzip\r\n", gzip(&prompt(v)))),
    ("gzip as a transfer encoding", |v| post("transfer-encoding: gzip, chunked\r\n", gzip(&prompt(v)))),
    ("UTF-16, declared", |v| sized("content-type: application/json; charset=utf-16\r\n", utf16(&prompt(v)))),
    ("UTF-16, not declared", |v| sized("", utf16(&prompt(v)))),
    ("UTF-7, declared", |v| sized("content-type: application/json; charset=utf-7\r\n", prompt(v))),
    ("byte order mark", |v| sized("", [b"\xEF\xBB\xBF".to_vec(), prompt(v)].concat())),
    ("bytes that are no UTF-8", |v| {
        let body =
            format!("{{\"model\":\"{MODEL}\",\"max_tokens\":9,\"messages\":[{{\"role\":\"user\",\"content\":\"?");
        sized("", [body.as_bytes(), &[0xFF, 0xC0], v.as_bytes(), b"\"}]}"].concat())
    }),
    ("half a document", |v| sized("", prompt(v)[..prompt(v).len() - 4].to_vec())),
    ("two documents", |v| sized("", [prompt("x"), prompt(v)].concat())),
    ("a document and a line", |v| sized("", [prompt("x"), b"\n".to_vec(), v.as_bytes().to_vec()].concat())),
    ("comment in the document", |v| {
        sized("", [b"/* ".to_vec(), v.as_bytes().to_vec(), b" */".to_vec(), prompt("x")].concat())
    }),
    ("form", |v| {
        sized(
            "content-type: application/x-www-form-urlencoded\r\n",
            format!("model={MODEL}&k={}", escaped(v)).into_bytes(),
        )
    }),
    ("parts of a form", |v| {
        let part =
            format!("--b\r\ncontent-disposition: form-data; name=\"f\"; filename=\"{v}\"\r\n\r\n{v}\r\n--b--\r\n");
        sized("content-type: multipart/form-data; boundary=b\r\n", part.into_bytes())
    }),
    ("the same key twice", |v| {
        let body = format!(
            "{{\"model\":\"{MODEL}\",\"system\":\"x\",\"system\":{},\"max_tokens\":9,\"messages\":[]}}",
            json!(v)
        );
        sized("", body.into_bytes())
    }),
    ("the model twice", |v| {
        sized(
            "",
            format!("{{\"model\":\"{MODEL}\",\"model\":{},\"max_tokens\":9,\"messages\":[]}}", json!(v)).into_bytes(),
        )
    }),
    ("as the model", |v| sized("", json!({"model": v, "max_tokens": 9, "messages": []}).to_string().into_bytes())),
    ("nested deeper than anybody reads", |v| {
        let (open, close) = ("[".repeat(5000), "]".repeat(5000));
        let body =
            format!("{{\"model\":\"{MODEL}\",\"max_tokens\":9,\"messages\":[],\"x\":{open}{}{close}}}", json!(v));
        sized("", body.into_bytes())
    }),
    ("a number", |v| {
        let digits: String = v.chars().filter(char::is_ascii_digit).collect();
        let number = if digits.len() < 8 || digits.starts_with('0') { "12345678".to_owned() } else { digits };
        sized("", format!("{{\"model\":\"{MODEL}\",\"max_tokens\":9,\"messages\":[],\"x\":[{number}]}}").into_bytes())
    }),
    ("a number with a fraction", |v| {
        let digits: String = v.chars().filter(char::is_ascii_digit).collect();
        sized("", format!("{{\"model\":\"{MODEL}\",\"max_tokens\":9,\"messages\":[],\"x\":0.1{digits}}}").into_bytes())
    }),
    ("chunks of seven bytes", |v| post(CHUNKED, chunked(v, "", ""))),
    ("extension of a chunk", |v| post(CHUNKED, chunked("x", &format!(";k={}", as_name(v)), ""))),
    ("trailer", |v| {
        post(&format!("{CHUNKED}trailer: x-note\r\n"), chunked("x", "", &format!("x-note: {}\r\n", as_value(v))))
    }),
    ("a length and chunks", |v| post(&format!("content-length: 5\r\n{CHUNKED}"), chunked(v, "", ""))),
    ("more than the length says", |v| {
        let body = prompt("x");
        let smuggled = format!("POST /v1/messages?k={} HTTP/1.1\r\nhost: x\r\n\r\n", escaped(v));
        post(&format!("content-length: {}\r\n", body.len()), [body, smuggled.into_bytes()].concat())
    }),
    ("header that belongs to the connection", |v| {
        sized(&format!("connection: x-note\r\nx-note: {}\r\n", as_value(v)), prompt("x"))
    }),
    ("folded header", |v| sized(&format!("x-note: a\r\n {}\r\n", as_value(v)), prompt("x"))),
    ("as the host", |v| {
        let body = prompt("x");
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: {}\r\nx-api-key: {{token}}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            as_name(v),
            body.len()
        );
        (head, body)
    }),
    ("as an absolute target", |v| {
        let body = prompt("x");
        let head = format!(
            "POST http://{}/v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {{token}}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            as_name(v),
            body.len()
        );
        (head, body)
    }),
    ("as the method", |v| {
        (format!("{} /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", as_name(v)), Vec::new())
    }),
    ("as the token", |v| {
        (
            format!("POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close\r\n\r\n", as_value(v)),
            Vec::new(),
        )
    }),
    ("as the path", |v| {
        (format!("GET /v1/{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", escaped(v)), Vec::new())
    }),
    ("as another path of the API", |v| {
        let body = prompt("x");
        let head = format!(
            "POST /v1/messages/{}/cancel HTTP/1.1\r\nhost: x\r\nx-api-key: {{token}}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            escaped(v),
            body.len()
        );
        (head, body)
    }),
    ("behind two dots", |v| {
        (
            format!(
                "POST /v1/messages/../{} HTTP/1.1\r\nhost: x\r\nx-api-key: {{token}}\r\nconnection: close\r\n\r\n",
                escaped(v)
            ),
            Vec::new(),
        )
    }),
    ("a tunnel", |v| {
        (format!("CONNECT {}.example:443 HTTP/1.1\r\nhost: x\r\nx-api-key: {{token}}\r\n\r\n", as_name(v)), Vec::new())
    }),
    ("no HTTP at all", |v| (as_value(v), v.as_bytes().to_vec())),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_framing_carries_a_value() {
    // The log is as loud as it gets: what libraries say of a request is kept by journals, too.
    let mut siege = Siege::lay_loudly(Dialect::Anthropic).await;
    let secrets = siege.secrets();
    for (name, raw) in RAWS {
        for secret in ["shown_token", "signs", "two_lines", "digits", "letters"] {
            let value = secrets.iter().find(|(name, _)| *name == secret).map(|(_, value)| value.clone()).expect("kept");
            let (head, body) = raw(&value);
            siege.hooks.raw_llm(&head, &body).await.expect("a connection");
            siege.listen(&format!("{name}, {secret}"));
        }
    }
    // The way was open: plain requests of the same kind arrive.
    let (head, body) = sized("", prompt(HARMLESS));
    let said = siege.hooks.raw_llm(&head, &body).await.expect("a connection");
    assert!(said.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&said));
    let (head, body) = post(CHUNKED, chunked(HARMLESS, "", ""));
    siege.hooks.raw_llm(&head, &body).await.expect("a connection");
    let news = siege.listen("harmless");
    assert!(super::siege::heard(&news, HARMLESS).contains(&Channel::Provider), "nothing got through");
    siege.lift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit_does_not_leave() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let value = siege.stage.secrets.database.clone();
    let before = siege.stage.llm.requests().len();
    let body = user(json!(format!("{}{value}", " ".repeat(33 * 1024 * 1024)))).to_string();
    let (status, _) = siege.hooks.ask_llm("/v1/messages", &[], body.into_bytes()).await.expect("the gateway answers");
    assert!(status.is_client_error(), "{status}");
    assert_eq!(siege.stage.llm.requests().len(), before, "a part of it left");
    // Just below it: the value stands at the very end of what is scanned.
    let body = user(json!(format!("{}{value}", "x ".repeat(4 * 1024 * 1024)))).to_string();
    let (status, _) = siege.hooks.ask_llm("/v1/messages", &[], body.into_bytes()).await.expect("the gateway answers");
    assert!(status.is_success(), "{status}");
    let sent = siege.stage.llm.requests().pop().expect("it left").body;
    assert!(
        sent.ends_with(b"SECRET_REF(shop_db_password)\"}]}"),
        "{}",
        String::from_utf8_lossy(&sent[sent.len() - 80..])
    );
    siege.listen("long bodies");
    siege.stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_shows_the_key_shows_it_to_nobody() {
    for dialect in [Dialect::Anthropic, Dialect::OpenAi] {
        let mut siege = Siege::lay(dialect).await;
        for status in [301, 302, 307, 308, 400, 401, 403, 404, 413, 429, 500, 502, 503, 529] {
            siege.stage.llm.fail_next(Fault::Echo(status));
            siege.ask(&format!("echo with {status}"), &[], user(json!("hello")).to_string().into_bytes()).await;
        }
        // A connection that breaks, a stream that does, an answer that is no answer.
        for fault in [Fault::Drop(0), Fault::Drop(3), Fault::Malformed(2)] {
            siege.stage.llm.fail_next(fault);
            let mut body = user(json!("hello"));
            body["stream"] = json!(true);
            siege.ask(&format!("{fault:?}"), &[], body.to_string().into_bytes()).await;
        }
        // What the model itself says is heard by the agent: the way is open.
        siege.stage.llm.say_next(Answer { text: HARMLESS.to_owned(), ..Answer::default() });
        let through = siege.ask("harmless", &[], user(json!("hello")).to_string().into_bytes()).await;
        assert!(through.contains(&Channel::Agent), "the agent hears nothing");
        siege.lift().await;
    }
}
