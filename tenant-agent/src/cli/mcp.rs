//! `wardkeep-agent mcp`: MCP on standard input and output.
//!
//! A line is one message. Each is handed to the daemon's own MCP server over the hook socket, and what comes back is written as it
//! comes. Nothing is decided here, and nothing is kept but which requests are under way.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use http::Request;
use http::request::Builder;
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wardkeep_proto::chance::bytes;

use super::McpArgs;
use super::context::{CliError, Context};
use super::hook::client;
use crate::channel::chain;
use crate::unix_http::{ClientError, UnixClient};

/// Longest line, bytes; the daemon takes no longer body.
const LINE_BYTES: u64 = 2 * 1024 * 1024;
/// Longest answer, bytes.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Where requests of the versions without a handshake say which one they are.
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
/// The version in which this program itself asks.
const VERSION: &str = "2026-07-28";
/// How long to wait before a lease that ended is taken again: first, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Serves until standard input ends.
///
/// # Errors
/// No token, no daemon, or the token of another agent.
pub async fn run(args: &McpArgs, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let relay = Relay {
        client: client(&args.token, context)?,
        session: format!("mcp-{}", HEXLOWER.encode(&bytes::<16>(&*context.env.chance))),
        wait: args.wait,
    };
    let agent = relay.agent().await?;
    if agent != args.agent.as_str() {
        return Err(CliError::Usage(format!("the token is of agent {agent}, not of {}", args.agent)));
    }
    let lease = args.lease.then(|| tokio::spawn(hold(relay.clone())));
    let served = serve(relay, tokio::io::stdin(), context).await;
    if let Some(lease) = lease {
        lease.abort();
    }
    served.map(|()| ExitCode::SUCCESS)
}

async fn serve(
    relay: Relay,
    input: impl AsyncRead + Send + Unpin + 'static,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let (out, mut outgoing) = mpsc::channel::<Vec<u8>>(64);
    let (lines, mut incoming) = mpsc::channel::<Vec<u8>>(16);
    let reader = tokio::spawn(read_lines(input, lines));
    let mut under_way: HashMap<String, JoinHandle<()>> = HashMap::new();
    loop {
        tokio::select! {
            biased;
            Some(line) = outgoing.recv() => {
                context.out.write_all(&line)?;
                context.out.write_all(b"\n")?;
                context.out.flush()?;
            }
            line = incoming.recv() => {
                let Some(line) = line else { break };
                under_way.retain(|_, task| !task.is_finished());
                let asked = Asked::of(&line);
                if let Some(cancelled) = asked.cancels() {
                    // To hang up is to take the call back.
                    if let Some(task) = under_way.remove(&cancelled) {
                        task.abort();
                    }
                    continue;
                }
                let id = asked.id.to_string();
                under_way.insert(id, tokio::spawn(relay.clone().pass(asked, line, out.clone())));
            }
        }
    }
    // Whoever closed our input reads no answers: what waits is taken back.
    under_way.into_values().for_each(|task| task.abort());
    reader.await.map_err(|_| CliError::Usage("standard input could not be read".to_owned()))?
}

/// Lines until the end; one that is too long is the end, too.
async fn read_lines(input: impl AsyncRead + Unpin, lines: mpsc::Sender<Vec<u8>>) -> Result<(), CliError> {
    let mut input = BufReader::new(input);
    loop {
        let mut line = Vec::new();
        let read = (&mut input).take(LINE_BYTES).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && read as u64 == LINE_BYTES {
            return Err(CliError::Usage("a message is longer than 2 MiB".to_owned()));
        }
        line.truncate(line.trim_ascii_end().len());
        if !line.is_empty() && lines.send(line).await.is_err() {
            return Ok(());
        }
    }
}

/// What the bridge itself must know of a message. What it cannot read is the daemon's to refuse.
#[derive(Default)]
struct Asked {
    id: Value,
    method: String,
    name: Option<String>,
    version: Option<String>,
    cancelled: Option<Value>,
}

impl Asked {
    fn of(line: &[u8]) -> Self {
        let Ok(message) = serde_json::from_slice::<Value>(line) else { return Self::default() };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            id: message["id"].clone(),
            method: text(&message["method"]).unwrap_or_default(),
            name: text(&message["params"]["name"]),
            version: text(&message["params"]["_meta"][VERSION_KEY]),
            cancelled: message["params"].get("requestId").cloned(),
        }
    }

    fn cancels(&self) -> Option<String> {
        let cancelled = self.cancelled.as_ref()?;
        (self.method == "notifications/cancelled").then(|| cancelled.to_string())
    }

    /// The headers in which HTTP says again what the message says.
    fn headers(&self, request: Builder) -> Builder {
        let Some(version) = &self.version else { return request };
        let request = request.header("mcp-protocol-version", spelt(version)).header("mcp-method", spelt(&self.method));
        match &self.name {
            Some(name) => request.header("mcp-name", spelt(name)),
            None => request,
        }
    }

    fn failed(&self, why: &str) -> Vec<u8> {
        json!({"jsonrpc": "2.0", "id": self.id, "error": {"code": -32603, "message": why}}).to_string().into_bytes()
    }
}

/// A text as a header takes it.
fn spelt(text: &str) -> String {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') && text.trim() == text;
    if plain && !text.starts_with("=?base64?") {
        text.to_owned()
    } else {
        format!("=?base64?{}?=", BASE64.encode(text.as_bytes()))
    }
}

/// The way to the daemon.
#[derive(Clone)]
struct Relay {
    client: UnixClient,
    session: String,
    wait: Option<u16>,
}

impl Relay {
    /// Whose token it is.
    async fn agent(&self) -> Result<String, CliError> {
        let line = json!({"jsonrpc": "2.0", "id": 0, "method": "server/discover", "params": {"_meta": {VERSION_KEY: VERSION}}});
        let line = line.to_string().into_bytes();
        let answer = self.ask(&Asked::of(&line), line).await?;
        let status = answer.status();
        let body = whole(answer.into_body()).await?;
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        match said["result"]["_meta"]["wardkeep/agent"].as_str() {
            Some(agent) => Ok(agent.to_owned()),
            None => {
                let message = said["error"]["message"].as_str().unwrap_or("the daemon does not speak MCP; update it");
                Err(ClientError::Refused { status, message: message.to_owned() }.into())
            }
        }
    }

    async fn ask(&self, asked: &Asked, line: Vec<u8>) -> Result<http::Response<Incoming>, ClientError> {
        let mut request = Request::post("/mcp")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-session-id", &self.session);
        if let Some(wait) = self.wait {
            request = request.header("wardkeep-wait", wait);
        }
        self.client.open(asked.headers(request), Bytes::from(line)).await
    }

    /// Hands one message over and what comes back out.
    async fn pass(self, asked: Asked, line: Vec<u8>, out: mpsc::Sender<Vec<u8>>) {
        let failed = match self.ask(&asked, line).await {
            Ok(answer) => relayed(&asked, answer, &out).await.err().map(|error| chain(&error)),
            Err(error) => Some(chain(&error)),
        };
        if let Some(why) = failed.filter(|_| !asked.id.is_null()) {
            let _ = out.send(asked.failed(&why)).await;
        }
    }
}

async fn relayed(
    asked: &Asked,
    answer: http::Response<Incoming>,
    out: &mpsc::Sender<Vec<u8>>,
) -> Result<(), ClientError> {
    let kind = answer.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/event-stream") {
        return events(answer.into_body(), out).await;
    }
    let body = whole(answer.into_body()).await?;
    let said: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or_default() };
    let line = if said["jsonrpc"] == "2.0" {
        // An error without an id answers the message that could not be read.
        said.to_string().into_bytes()
    } else if asked.id.is_null() {
        return Ok(());
    } else {
        asked.failed(said["error"]["message"].as_str().unwrap_or("the daemon gave no answer"))
    };
    let _ = out.send(line).await;
    Ok(())
}

/// The `data` of each event is one message.
async fn events(mut body: Incoming, out: &mpsc::Sender<Vec<u8>>) -> Result<(), ClientError> {
    let mut kept: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ClientError::Broken(chain(&error)))?;
        kept.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        while let Some(end) = kept.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = kept.drain(..=end).collect();
            if let Some(data) = line.strip_prefix(b"data: ") {
                let _ = out.send(data.trim_ascii_end().to_vec()).await;
            }
        }
        if kept.len() > ANSWER_BYTES {
            return Err(ClientError::Broken("the answer is too long".to_owned()));
        }
    }
    Ok(())
}

async fn whole(body: Incoming) -> Result<Bytes, ClientError> {
    let read = http_body_util::Limited::new(body, ANSWER_BYTES).collect().await;
    Ok(read.map_err(|error| ClientError::Broken(error.to_string()))?.to_bytes())
}

/// Holds the agent's lease: an answer without an end, asked for again whenever it ends all the same.
async fn hold(relay: Relay) {
    let body = Bytes::from(json!({"session": relay.session, "runtime": "mcp"}).to_string());
    let mut pause = AGAIN.0;
    loop {
        let request = Request::post("/v1/hooks/lease").header("content-type", "application/json");
        if let Ok(answer) = relay.client.open(request, body.clone()).await {
            if answer.status().is_success() {
                pause = AGAIN.0;
            }
            let mut answer = answer.into_body();
            while let Some(Ok(_)) = answer.frame().await {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(AGAIN.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_what_the_message_says() {
        let line = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\u00e4\r\nx: y","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        let asked = Asked::of(line);
        let request = asked.headers(Request::post("/mcp")).body(()).expect("headers");
        let headers = request.headers();
        assert_eq!(headers["mcp-protocol-version"], "2026-07-28");
        assert_eq!(headers["mcp-method"], "tools/call");
        assert_eq!(headers["mcp-name"], format!("=?base64?{}?=", BASE64.encode("\u{e4}\r\nx: y".as_bytes())));
        assert!(asked.cancels().is_none());
        let old = Asked::of(br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        assert!(old.headers(Request::post("/mcp")).body(()).expect("no headers").headers().is_empty());
        assert_eq!(Asked::of(b"{").id, Value::Null);
    }

    #[test]
    fn a_cancellation_names_its_request() {
        let asked = Asked::of(br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"7"}}"#);
        assert_eq!(asked.cancels().as_deref(), Some("\"7\""));
        assert_ne!(Asked::of(br#"{"id":7,"method":"x"}"#).id.to_string(), "\"7\"");
    }

    #[tokio::test]
    async fn lines_are_read_one_by_one_and_not_without_end() {
        let (sender, mut lines) = mpsc::channel(8);
        read_lines(&b"{\"a\":1}\r\n\n{}"[..], sender).await.expect("read");
        assert_eq!(lines.recv().await.as_deref(), Some(&b"{\"a\":1}"[..]));
        assert_eq!(lines.recv().await.as_deref(), Some(&b"{}"[..]));
        assert_eq!(lines.recv().await, None);
        let (sender, _lines) = mpsc::channel(8);
        let long = vec![b'x'; usize::try_from(LINE_BYTES).expect("small") + 1];
        assert!(read_lines(&long[..], sender).await.is_err());
    }
}
