//! The provider's side: a script of bytes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};

use super::head;

/// One step of a scripted provider.
pub(crate) enum Step {
    Send(Vec<u8>),
    /// The same so many times.
    Many(Vec<u8>, usize),
    /// Goes on once the test says so.
    Wait(oneshot::Receiver<()>),
    /// Says nothing more and keeps the connection until the other side leaves.
    Silence,
    /// Resets the connection.
    Reset,
}

/// What the provider received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) raw: Vec<u8>,
}

/// A provider that is a script of bytes: it answers the n-th request with the n-th script and closes.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    scripts: mpsc::UnboundedSender<Vec<Step>>,
    seen: Arc<Mutex<Vec<Received>>>,
    /// Counts connections that the other side has left.
    pub(crate) left: watch::Receiver<u32>,
    connections: Arc<AtomicU32>,
}

impl Upstream {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (scripts, mut queue) = mpsc::unbounded_channel::<Vec<Step>>();
        let (leave, left) = watch::channel(0);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let connections = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let Some(received) = receive(&mut stream).await else { continue };
                record.lock().unwrap().push(received);
                let Some(script) = queue.recv().await else { return };
                let leave = leave.clone();
                tokio::spawn(async move {
                    play(stream, script).await;
                    leave.send_modify(|count| *count += 1);
                });
            }
        });
        Self { address, scripts, seen, left, connections }
    }

    pub(crate) fn answer(&self, steps: Vec<Step>) {
        self.scripts.send(steps).unwrap();
    }

    /// Answers the next request with this document.
    pub(crate) fn document(&self, status: &str, body: &str) {
        self.answer(vec![Step::Send(document(status, "", body))]);
    }

    /// Nobody so much as connected.
    pub(crate) fn heard_nothing(&self) -> bool {
        self.connections.load(Ordering::SeqCst) == 0
    }

    pub(crate) fn seen(&self) -> Vec<Received> {
        self.seen.lock().unwrap().clone()
    }
}

async fn play(mut stream: TcpStream, script: Vec<Step>) {
    for step in script {
        match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::Many(bytes, times) => {
                for _ in 0..times {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            }
            Step::Wait(go) => go.await.unwrap(),
            Step::Silence => {
                let _ = stream.read(&mut [0]).await;
                return;
            }
            Step::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
        }
    }
}

async fn receive(stream: &mut TcpStream) -> Option<Received> {
    let mut raw = Vec::new();
    loop {
        if let Some(end) = memchr::memmem::find(&raw, b"\r\n\r\n") {
            let (line, headers) = head(&raw[..end]);
            let length: usize = headers.get("content-length").map_or(0, |value| value.parse().unwrap());
            if raw.len() >= end + 4 + length {
                return Some(Received { line, headers, body: raw[end + 4..].to_vec(), raw });
            }
        }
        if stream.read_buf(&mut raw).await.ok()? == 0 {
            return None;
        }
    }
}

/// A whole answer.
pub(crate) fn document(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nrequest-id: req_7\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The head of a stream.
pub(crate) fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()
}

/// One chunk of a stream; an empty one is its end.
pub(crate) fn chunk(bytes: &str) -> Vec<u8> {
    format!("{:x}\r\n{bytes}\r\n", bytes.len()).into_bytes()
}

/// A stream of these events, and what comes behind them.
pub(crate) fn streamed(events: &[&str], then: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let events = events.iter().map(|event| Step::Send(chunk(event)));
    [Step::Send(stream_head())].into_iter().chain(events).chain(then).collect()
}

/// A whole stream; behind each event it goes on once the test says so.
pub(crate) fn gated(events: &[&str]) -> (Vec<Step>, Vec<oneshot::Sender<()>>) {
    let (gates, waits): (Vec<_>, Vec<_>) = events.iter().map(|_| oneshot::channel()).unzip();
    let steps = events.iter().zip(waits).flat_map(|(event, wait)| [Step::Send(chunk(event)), Step::Wait(wait)]);
    (streamed(&[], steps.chain([Step::Send(chunk(""))])), gates)
}
