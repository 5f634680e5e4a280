//! The ways through the forward proxy of the running daemon: what a tool sends, and what hosts tell it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use wardkeep_tests::story::capture::Channel;

use super::went;
use crate::p01_no_secret_leaves::forward::{elsewhere, proxy, rule};
use crate::p01_no_secret_leaves::siege::{HARMLESS, Siege, heard};
use crate::p01_no_secret_leaves::wire::{Raw, as_name, as_value, escaped, gzip};

/// A request of a tool. In its head `{host}` is the place to which nothing is bound, `{key}` the agent's token.
struct Request {
    name: &'static str,
    raw: Raw,
    /// Whether a harmless text gets through there.
    passes: bool,
}

fn ask(method: &str, target: &str, headers: &str, body: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    let head = format!(
        "{method} http://{{host}}{target} HTTP/1.1\r\nhost: {{host}}\r\nproxy-authorization: Bearer {{key}}\r\n\
         connection: close\r\n{headers}\r\n"
    );
    (head, body.into())
}

fn get(target: &str, headers: &str) -> (String, Vec<u8>) {
    ask("GET", target, headers, "")
}

fn post(kind: &str, body: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    let body = body.into();
    ask("POST", "/v1/note", &format!("content-type: {kind}\r\ncontent-length: {}\r\n", body.len()), body)
}

fn part(name: &str, text: &str) -> (String, Vec<u8>) {
    let part = format!(
        "--limit\r\ncontent-disposition: form-data; name=\"f\"; filename=\"{name}\"\r\ncontent-type: text/plain\r\n\r\n{text}\r\n--limit--\r\n"
    );
    post("multipart/form-data; boundary=limit", part)
}

fn chunked(text: &str, extension: &str, trailer: &str) -> (String, Vec<u8>) {
    let chunks = text
        .as_bytes()
        .chunks(7)
        .map(|piece| [format!("{:x}{extension}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
    let body = [chunks.collect::<Vec<_>>().concat(), format!("0\r\n{trailer}\r\n").into_bytes()].concat();
    ask("POST", "/v1/note", "content-type: text/plain\r\ntransfer-encoding: chunked\r\n", body)
}

const REQUESTS: &[Request] = &[
    Request { name: "path", raw: |v| get(&format!("/v1/{}/x", escaped(v)), ""), passes: true },
    Request { name: "query", raw: |v| get(&format!("/v1?q={}", escaped(v)), ""), passes: true },
    Request { name: "name in the query", raw: |v| get(&format!("/v1?{}=1", escaped(v)), ""), passes: true },
    Request { name: "header", raw: |v| get("/v1", &format!("x-note: {}\r\n", as_value(v))), passes: true },
    Request { name: "cookie", raw: |v| get("/v1", &format!("cookie: session={}\r\n", as_value(v))), passes: true },
    Request {
        name: "address from which it came",
        raw: |v| get("/v1", &format!("referer: https://x.example/{}\r\n", escaped(v))),
        passes: true,
    },
    Request {
        name: "basic authentication",
        raw: |v| {
            let basic = data_encoding::BASE64.encode(format!("user:{v}").as_bytes());
            get("/v1", &format!("authorization: Basic {basic}\r\n"))
        },
        // In base64, in which nobody looks for a harmless text.
        passes: false,
    },
    Request { name: "body", raw: |v| post("text/plain", format!("it is {v} .")), passes: true },
    Request { name: "JSON", raw: |v| post("application/json", json!({"a": [v, 1.5]}).to_string()), passes: true },
    Request { name: "key in JSON", raw: |v| post("application/json", json!({v: true}).to_string()), passes: true },
    Request {
        name: "form",
        raw: |v| post("application/x-www-form-urlencoded", format!("a=b&k={}", escaped(v))),
        passes: true,
    },
    Request { name: "part of a form", raw: |v| part("note.txt", v), passes: true },
    Request { name: "name of a file in a form", raw: |v| part(&as_value(v).replace('"', "%22"), "x"), passes: true },
    Request { name: "chunks", raw: |v| chunked(&format!("it is {v} ."), "", ""), passes: true },
    Request {
        name: "extension of a chunk",
        raw: |v| chunked(HARMLESS, &format!(";k=\"{}\"", as_name(v)), ""),
        passes: false,
    },
    Request { name: "trailer", raw: |v| chunked(HARMLESS, "", &format!("x-note: {}\r\n", as_value(v))), passes: false },
    Request {
        name: "more than the length says",
        raw: |v| {
            let (head, body) = post("text/plain", HARMLESS);
            (head, [body, format!("GET http://{v}/ HTTP/1.1\r\nhost: {v}\r\n\r\n").into_bytes()].concat())
        },
        passes: false,
    },
    Request {
        name: "gzip",
        raw: |v| {
            let body = gzip(v.as_bytes());
            ask("POST", "/v1/note", &format!("content-encoding: gzip\r\ncontent-length: {}\r\n", body.len()), body)
        },
        passes: false,
    },
    Request { name: "name of a header", raw: |v| get("/v1", &format!("x-{}: 1\r\n", as_name(v))), passes: false },
    Request { name: "method", raw: |v| ask(&as_name(v), "/v1", "", ""), passes: false },
    Request {
        name: "user in the address",
        raw: |v| {
            let (head, body) = get("/v1", "");
            (head.replacen("{host}", &format!("{}@{{host}}", escaped(v)), 1), body)
        },
        passes: false,
    },
    Request {
        name: "host",
        raw: |v| {
            let (head, body) = get("/v1", "");
            (head.replace("{host}", &format!("{}.example", as_name(v))), body)
        },
        passes: false,
    },
    Request {
        name: "host of a tunnel",
        raw: |v| {
            let host = format!("{}.example:443", as_name(v));
            let head =
                format!("CONNECT {host} HTTP/1.1\r\nhost: {host}\r\nproxy-authorization: Bearer {{key}}\r\n\r\n");
            (head, Vec::new())
        },
        passes: false,
    },
    Request {
        name: "token",
        raw: |v| {
            let (head, body) = get("/v1", "");
            (head.replace("{key}", &as_value(v)), body)
        },
        passes: false,
    },
    // A value in the place of the name; the name itself is tried in a scene.
    Request {
        name: "reference",
        raw: |v| get("/v1", &format!("x-key: SECRET_REF(newsletter_api_key) {}\r\n", as_value(v))),
        passes: false,
    },
];

/// Lets tools reach the service, the place to which nothing is bound, and what `more` lists.
pub(super) async fn open(siege: &Siege, more: &str) {
    let (service, elsewhere) = (siege.stage.tenant.services.newsletter, elsewhere(&siege.stage));
    let policy = format!("{}{}{}{more}", siege.stage.tenant.policy(), rule(service), rule(elsewhere));
    siege.stage.follow(&policy).await.expect("in force");
}

/// Sends one request; answers how much left, or how much the tool was told where nothing may leave.
pub(super) async fn try_one(siege: &mut Siege, name: &str, attack: &str, text: &str, harmless: bool) -> usize {
    let request = REQUESTS.iter().find(|request| request.name == name).expect("a request");
    let (head, body) = (request.raw)(text);
    let head = head.replace("{host}", &elsewhere(&siege.stage).to_string());
    let told = say(siege, &head, &body).await;
    siege.look(attack, "the tool", &told);
    let news = siege.listen(attack);
    let left = went(&news, Channel::Elsewhere);
    if harmless && request.passes {
        assert!(heard(&news, text).contains(&Channel::Elsewhere), "{attack}: nothing got through");
    }
    let refused = memchr::memmem::find(&told, b"x-wardkeep-refusal").is_some();
    assert!(refused != (left > 0), "{attack}: {left} bytes left\n{}", String::from_utf8_lossy(&told));
    if refused { told.len() } else { left }
}

/// Says something to the proxy and reads all that it answers.
async fn say(siege: &Siege, head: &str, body: &[u8]) -> Vec<u8> {
    let head = head.replace("{key}", &siege.stage.tenant.agent_token);
    let mut stream = TcpStream::connect(proxy(&siege.stage)).await.expect("the proxy listens");
    // Whoever refuses may stop listening.
    let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told).await;
    assert!(!told.is_empty(), "no answer to\n{head}");
    told
}

const BOUND: &str = "authorization: Bearer SECRET_REF(newsletter_api_key)\r\n";

/// A tool asks the service with its key; how much went there.
async fn with_key(siege: &mut Siege, id: &str, target: &str) -> usize {
    let service = siege.stage.tenant.services.newsletter.to_string();
    let (head, body) = get(target, BOUND);
    let told = say(siege, &head.replace("{host}", &service), &body).await;
    siege.look(id, "the tool", &told);
    let text = String::from_utf8_lossy(&told).into_owned();
    assert!(text.contains("SECRET_REF(newsletter_api_key)"), "the key was not shown: {text}");
    let news = siege.listen(id);
    assert_eq!(went(&news, Channel::Elsewhere), 0, "{id}: somebody else heard of it");
    went(&news, Channel::Service)
}

pub(super) async fn echo(siege: &mut Siege, id: String) -> usize {
    with_key(siege, &id, "/v1/echo").await
}

pub(super) async fn redirect(siege: &mut Siege, id: String) -> usize {
    let to = elsewhere(&siege.stage);
    with_key(siege, &id, &format!("/v1/moved?to=http://{to}/{id}")).await
}

pub(super) async fn pieces(siege: &mut Siege, id: String) -> usize {
    with_key(siege, &id, "/v1/export?before=7").await + with_key(siege, &id, "/v1/export?before=70000").await
}

/// A host that reads a head on each connection and says the next answer.
struct Host {
    address: SocketAddr,
    /// All that it was told.
    told: Arc<Mutex<Vec<u8>>>,
    listening: JoinHandle<()>,
}

impl Host {
    async fn with(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let told = Arc::new(Mutex::new(Vec::new()));
        let tape = Arc::clone(&told);
        let listening = tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let (mut head, mut answer) = (Vec::new(), Some(answer));
                let mut buffer = vec![0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    tape.lock().expect("alone").extend_from_slice(&buffer[..read]);
                    head.extend_from_slice(&buffer[..read]);
                    if memchr::memmem::find(&head, b"\r\n\r\n").is_some()
                        && let Some(answer) = answer.take()
                    {
                        let _ = stream.write_all(&answer).await;
                        if !answer.starts_with(b"HTTP/1.1 101") {
                            let _ = stream.shutdown().await;
                        }
                    }
                }
            }
        });
        Self { address, told, listening }
    }

    fn told(&self) -> Vec<u8> {
        self.told.lock().expect("alone").clone()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

pub(super) async fn told(siege: &mut Siege, id: String) -> usize {
    let secrets = siege.secrets();
    let answers = secrets.iter().map(|(_, value)| {
        let shown = as_value(value);
        let body = format!("{HARMLESS} {value} {}", data_encoding::BASE64.encode(value.as_bytes()));
        format!(
            "HTTP/1.1 302 {shown}\r\nx-key: {shown}\r\nset-cookie: k={shown}; path=/\r\nlocation: https://x.example/?k={}\r\n\
             transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\nx-last: {shown}\r\n\r\n",
            escaped(value),
            body.len(),
        )
        .into_bytes()
    });
    let host = Host::with(answers.collect()).await;
    open(siege, &rule(host.address)).await;
    let mut said = 0;
    for (name, _) in &secrets {
        let (head, body) = get("/v1", "");
        let answer = say(siege, &head.replace("{host}", &host.address.to_string()), &body).await;
        assert!(memchr::memmem::find(&answer, HARMLESS.as_bytes()).is_some(), "{id}, {name}: nothing came back");
        said += siege.look(&format!("{id}, {name}"), "the tool", &answer);
    }
    said
}

/// A text frame; a tool must mask it, and this mask changes nothing.
fn frame(text: &str, masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(length @ ..126) => frame.push(mask | length),
        _ => {
            frame.push(mask | 126);
            frame.extend_from_slice(&u16::try_from(text.len()).expect("short").to_be_bytes());
        }
    }
    frame.extend_from_slice(if masked { &[0; 4] } else { &[] });
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// The payloads of the frames behind a head, each without its mask, as far as they are whole.
fn payloads(raw: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut frames = memchr::memmem::find(raw, b"\r\n\r\n").map_or(&[][..], |end| &raw[end + 4..]);
    while let [_, second, rest @ ..] = frames {
        let (length, rest) = match (second & 0x7f, rest) {
            (126, [high, low, rest @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            (short @ ..126, rest) => (usize::from(short), rest),
            _ => break,
        };
        let Some((mask, rest)) = rest.split_at_checked(if second & 0x80 != 0 { 4 } else { 0 }) else { break };
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        let mask = if mask.is_empty() { &[0][..] } else { mask };
        all.push(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect());
        frames = rest;
    }
    all
}

pub(super) async fn socket(siege: &mut Siege, id: String) -> usize {
    let said: Vec<String> = siege.secrets().into_iter().map(|(_, value)| format!("{HARMLESS} {value} .")).collect();
    let mut answer = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                       sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        .to_vec();
    said.iter().for_each(|text| answer.extend_from_slice(&frame(text, false)));
    let mut host = Host::with(vec![answer]).await;
    let address = host.address;
    open(siege, &rule(address)).await;
    let mut stream = TcpStream::connect(proxy(&siege.stage)).await.expect("the proxy listens");
    let head = format!(
        "GET http://{address}/socket HTTP/1.1\r\nhost: {address}\r\nproxy-authorization: Bearer {}\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        siege.stage.tenant.agent_token
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut told = Vec::new();
    while payloads(&told).len() < said.len() {
        let read = tokio::time::timeout(std::time::Duration::from_secs(20), stream.read_buf(&mut told)).await;
        assert_ne!(read.expect("in time").unwrap_or(0), 0, "{id}: {}", String::from_utf8_lossy(&told));
    }
    for text in &said {
        stream.write_all(&frame(text, true)).await.expect("sent");
    }
    stream.shutdown().await.expect("ended");
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), &mut host.listening).await;
    ended.expect("it ends").expect("it listened");
    let (sent, told) = (payloads(&host.told()).join(&b'\n'), payloads(&told).join(&b'\n'));
    for (who, text) in [("the host of a WebSocket", &sent), ("the tool at a WebSocket", &told)] {
        let heard = memchr::memmem::find_iter(text, HARMLESS.as_bytes()).count();
        assert_eq!(heard, said.len(), "{id}: {who} heard {}", String::from_utf8_lossy(text));
        siege.look(&id, who, text);
    }
    sent.len() + told.len()
}

pub(super) async fn tunnel(siege: &mut Siege, id: String) -> usize {
    let secrets = siege.secrets();
    let host = Host::with(vec![b"HTTP/1.1 200 OK\r\n\r\n".to_vec(); secrets.len()]).await;
    let address = host.address;
    open(siege, &rule(address).replace("\"inspect\"", "\"tunnel\"").replace("methods", "# methods")).await;
    let mut said = 0;
    for (name, value) in &secrets {
        let (head, _) = get("/v1", "");
        let target = format!("CONNECT {address} HTTP/1.1");
        let head = head.replacen("GET http://{host}/v1 HTTP/1.1", &target, 1).replace("{host}", &address.to_string());
        let told = say(siege, &head, format!("GET /{} HTTP/1.1\r\n\r\n{value}", escaped(value)).as_bytes()).await;
        said += siege.look(&format!("{id}, {name}"), "the tool", &told);
    }
    siege.look(&id, "the host of a tunnel", &host.told());
    said
}
