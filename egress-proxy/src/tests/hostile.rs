//! Bad input from either side, on raw sockets: what it is answered, that nothing of it goes on, and what the connection is good
//! for afterwards.

mod answers;
mod bodies;
mod heads;
mod slow;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wardkeep_policy::Dialect;

use super::harness::{Reply, TOKEN, World};

/// Who asks, in which words.
pub(super) struct Caller {
    pub(super) dialect: Dialect,
    pub(super) path: &'static str,
    key: &'static str,
    pub(super) body: &'static str,
}

pub(super) const CALLERS: [Caller; 4] = [
    Caller {
        dialect: Dialect::Anthropic,
        path: "/v1/messages",
        key: "x-api-key: ",
        body: r#"{"model":"sonnet","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#,
    },
    Caller {
        dialect: Dialect::OpenAi,
        path: "/v1/chat/completions",
        key: "authorization: Bearer ",
        body: r#"{"model":"mini","messages":[{"role":"user","content":"Hi"}]}"#,
    },
    Caller {
        dialect: Dialect::OpenAi,
        path: "/v1/responses",
        key: "authorization: Bearer ",
        body: r#"{"model":"mini","input":"Hi"}"#,
    },
    Caller {
        dialect: Dialect::Gemini,
        path: "/v1beta/models/flash:generateContent",
        key: "x-goog-api-key: ",
        body: r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#,
    },
];

impl Caller {
    /// A request with these headers beside host and key, and these bytes behind it.
    pub(super) fn raw(&self, headers: &str, behind: impl AsRef<[u8]>) -> Vec<u8> {
        let head = format!("POST {} HTTP/1.1\r\nhost: gateway\r\n{}{TOKEN}\r\n{headers}\r\n", self.path, self.key);
        [head.as_bytes(), behind.as_ref()].concat()
    }

    /// The same with its length.
    pub(super) fn sized(&self, body: impl AsRef<[u8]>) -> Vec<u8> {
        self.raw(&format!("content-length: {}\r\n", body.as_ref().len()), body)
    }

    /// A request that is right.
    pub(super) fn good(&self) -> Vec<u8> {
        self.sized(self.body)
    }

    /// Fails unless the refusal can be read by this caller's client, and tells what to do.
    pub(super) fn reads(&self, reply: &Reply, want: (u16, &str), name: &str) {
        assert_eq!(reply.refusal(), want, "{name} at {}: {}", self.path, reply.text());
        assert!(reply.headers["x-wardkeep-request"].starts_with("wk-"), "{name}");
        assert_eq!(reply.headers["content-type"], "application/json", "{name}");
        let document = reply.json();
        let error = &document["error"];
        let message = error["message"].as_str().unwrap_or_else(|| panic!("{name}: {document}"));
        assert!(message.starts_with("Wardkeep: ") && message.len() > 40, "{name}: {message}");
        assert!(message.contains("; ") || message.contains("must"), "{name}: what to do? {message}");
        let of_dialect = match self.dialect {
            Dialect::Anthropic => {
                document["type"] == "error"
                    && error["type"].is_string()
                    && document["request_id"] == reply.headers["request-id"].as_str()
            }
            Dialect::OpenAi => {
                error["type"].is_string()
                    && error["code"] == want.1
                    && reply.headers["x-request-id"] == reply.headers["x-wardkeep-request"]
            }
            Dialect::Gemini => error["code"] == want.0 && error["status"].is_string(),
        };
        assert!(of_dialect, "{name} at {}: {document}", self.path);
        if want.0 != 408 && want.0 < 500 {
            assert_eq!(reply.headers["x-should-retry"], "false", "{name}: would be sent again");
        }
    }
}

/// A connection of a caller who reads answer after answer.
pub(super) struct Line {
    pub(super) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    pub(super) async fn open(world: &World) -> Self {
        Self { stream: TcpStream::connect(world.gateway).await.unwrap(), buffer: Vec::new() }
    }

    /// Sends as much as is taken: who refuses may stop listening.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// The next answer, whole or broken off.
    pub(super) async fn reply_or_half(&mut self) -> Reply {
        loop {
            let read = tokio::time::timeout(std::time::Duration::from_secs(20), self.stream.read_buf(&mut self.buffer));
            let is_over = matches!(read.await.expect("an answer or an end in time"), Ok(0) | Err(_));
            if is_over || whole(&self.buffer).is_some() {
                return Reply::parse(&std::mem::take(&mut self.buffer));
            }
        }
    }

    /// The next answer; `None` once the connection has ended.
    pub(super) async fn reply(&mut self) -> Option<Reply> {
        loop {
            if let Some((reply, length)) = whole(&self.buffer) {
                self.buffer.drain(..length);
                return Some(reply);
            }
            let read = tokio::time::timeout(std::time::Duration::from_secs(20), self.stream.read_buf(&mut self.buffer));
            match read.await.expect("an answer or an end in time") {
                Ok(0) | Err(_) => {
                    assert!(self.buffer.is_empty(), "half an answer: {}", String::from_utf8_lossy(&self.buffer));
                    return None;
                }
                Ok(_) => {}
            }
        }
    }
}

/// The answer with which `raw` begins, once it is whole, and its length.
fn whole(raw: &[u8]) -> Option<(Reply, usize)> {
    let body = memchr::memmem::find(raw, b"\r\n\r\n")? + 4;
    let interim = raw.starts_with(b"HTTP/1.1 1");
    let head = Reply::parse(&raw[..body]);
    let length = match head.headers.get("content-length") {
        _ if interim => 0,
        Some(length) => length.parse().unwrap(),
        None => memchr::memmem::find(&raw[body..], b"0\r\n\r\n")? + 5,
    };
    let end = body + length;
    (raw.len() >= end).then(|| (Reply::parse(&raw[..end]), end))
}

/// What can still be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Closed,
    Usable,
}

/// Sends `raw` and expects this refusal, and this connection behind it.
pub(super) async fn refused(world: &World, caller: &Caller, name: &str, raw: &[u8], want: (u16, &str), after: After) {
    let mut line = Line::open(world).await;
    line.send(raw).await;
    let reply = line.reply().await.unwrap_or_else(|| panic!("{name} at {}: no answer", caller.path));
    caller.reads(&reply, want, name);
    let again = match after {
        After::Usable => {
            line.send(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n").await;
            line.reply().await.map(|reply| reply.status)
        }
        After::Closed => line.reply().await.map(|reply| reply.status),
    };
    assert_eq!(again, (after == After::Usable).then_some(200), "{name} at {}: the connection afterwards", caller.path);
}

/// Nothing reached a provider, and nothing was counted.
pub(super) async fn untouched(world: &World) {
    assert!(world.provider.heard_nothing());
    assert!(world.nothing_was_metered().await);
}
