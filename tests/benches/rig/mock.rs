//! The model's provider: Chat Completions, plain and streamed, one thread, as little work as possible.
//!
//! Every streamed piece of text begins with the time at which it was sent. A body with `pace_us=N` gets its pieces that far
//! apart. `GET /last` gives the last body that came, `GET /count` how many came.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::bodies::MODEL;
use crate::wire;

/// Pieces of text in a stream.
pub const DELTAS: u64 = 50;
/// Bytes at either end of a body in which its wishes stand.
const EDGE: usize = 4096;

#[derive(Default)]
struct Seen {
    last: RefCell<Vec<u8>>,
    count: Cell<u64>,
}

/// What a tenant's policy says of it.
pub fn policy(provider: SocketAddr) -> String {
    format!(
        r#"
[[providers]]
name = "provider"
dialect = "openai"
base_url = "http://{provider}/v1"
key = "llm_key"

[[models]]
name = "{MODEL}"
provider = "provider"
upstream_model = "mock-2026-11-01"
price = {{ input = 3000000, output = 15000000, cache_read = 300000, cache_write = 3750000 }}
"#
    )
}

/// Serves until the process is ended.
pub async fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let seen = Rc::new(Seen::default());
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let seen = Rc::clone(&seen);
        tokio::task::spawn_local(async move {
            // Whoever leaves, leaves.
            drop(connection(stream, &seen).await);
        });
    }
}

async fn connection(mut stream: TcpStream, seen: &Seen) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let reply = plain();
    let mut raw = Vec::with_capacity(64 * 1024);
    loop {
        raw.clear();
        let (end, length) = loop {
            if let Some(end) = wire::head_end(&raw) {
                let length = wire::header(&raw[..end], "content-length").map_or(0, wire::number);
                break (end, usize::try_from(length)?);
            }
            anyhow::ensure!(stream.read_buf(&mut raw).await? > 0);
        };
        raw.reserve(length);
        while raw.len() < end + length {
            anyhow::ensure!(stream.read_buf(&mut raw).await? > 0);
        }
        let (head, body) = raw.split_at(end);
        if head.starts_with(b"GET /last") {
            let last = seen.last.borrow().clone();
            stream.write_all(&whole("application/octet-stream", &last)).await?;
            continue;
        }
        if head.starts_with(b"GET /") {
            stream.write_all(&whole("text/plain", seen.count.get().to_string().as_bytes())).await?;
            continue;
        }
        seen.count.set(seen.count.get() + 1);
        seen.last.borrow_mut().clear();
        seen.last.borrow_mut().extend_from_slice(body);
        let wants = |what: &[u8]| wish(body, what).is_some();
        if !wants(b"\"stream\":true") && !wants(b"\"stream\": true") {
            stream.write_all(&reply).await?;
            continue;
        }
        let usage = wants(b"\"include_usage\":true") || wants(b"\"include_usage\": true");
        let pace = wish(body, b"pace_us=").map_or(0, wire::number);
        streamed(&mut stream, usage, Duration::from_micros(pace)).await?;
    }
}

/// What follows `what` at the beginning or the end of a body.
fn wish<'a>(body: &'a [u8], what: &[u8]) -> Option<&'a [u8]> {
    let edges = [&body[..body.len().min(EDGE)], &body[body.len().saturating_sub(EDGE)..]];
    edges.into_iter().find_map(|edge| memmem::find(edge, what).map(|at| &edge[at + what.len()..]))
}

fn whole(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn plain() -> Vec<u8> {
    let text = "lorem ipsum ".repeat(85);
    let body = format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"mock","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],{USAGE}}}"#
    );
    whole("application/json", body.as_bytes())
}

const USAGE: &str = r#""usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":8}}"#;
const FRONT: &str =
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":["#;

async fn streamed(stream: &mut TcpStream, usage: bool, pace: Duration) -> anyhow::Result<()> {
    let mut out = String::with_capacity(16 * 1024);
    out.push_str("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    let first = r#"{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
    chunk(&mut out, &format!("{FRONT}{first}\n\n"))?;
    for _ in 0..DELTAS {
        if !pace.is_zero() {
            stream.write_all(out.as_bytes()).await?;
            out.clear();
            tokio::time::sleep(pace).await;
        }
        let now = wire::now();
        let delta = format!(r#"{{"index":0,"delta":{{"content":"t={now} some text "}},"finish_reason":null}}]}}"#);
        chunk(&mut out, &format!("{FRONT}{delta}\n\n"))?;
    }
    chunk(&mut out, &format!("{FRONT}{}\n\n", r#"{"index":0,"delta":{},"finish_reason":"stop"}]}"#))?;
    if usage {
        chunk(&mut out, &format!("{FRONT}],{USAGE}}}\n\n"))?;
    }
    chunk(&mut out, "data: [DONE]\n\n")?;
    out.push_str("0\r\n\r\n");
    stream.write_all(out.as_bytes()).await?;
    Ok(())
}

fn chunk(out: &mut String, event: &str) -> std::fmt::Result {
    write!(out, "{:x}\r\n{event}\r\n", event.len())
}
