//! The model's provider: answers each call as its model's name says, and keeps the account that must be on record.
//!
//! `GET /stats` gives the account, `GET /` a word.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use aho_corasick::AhoCorasick;
use anyhow::Context as _;
use memchr::memmem;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::answers::{Telling, Tokens};
use crate::chance::Chance;
use crate::ways::{Api, Ending, MARK, Model};
use crate::wire;

/// Between two pieces of a stream that nobody ends.
const PACE: Duration = Duration::from_millis(5);
/// Longest time for one answer.
const LONG: Duration = Duration::from_secs(120);

/// What reached the provider, by model.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) models: BTreeMap<String, Called>,
    /// Calls whose body held a value of the vault.
    pub(crate) leaks: Vec<String>,
    /// Calls that could not be read.
    pub(crate) strange: Vec<String>,
    /// Connections that are open.
    pub(crate) open: usize,
}

/// What became of one model's calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Called {
    pub(crate) calls: u64,
    /// Of them, those whose final numbers were never told.
    pub(crate) estimated: u64,
    /// What was told, or what is to be estimated from all that was told.
    pub(crate) tokens: Tokens,
}

struct State {
    account: RefCell<Account>,
    needles: AhoCorasick,
}

/// Serves until the process is ended; `needles` has a text in each line, as JSON.
pub(crate) async fn serve(address: SocketAddr, needles: &Path) -> anyhow::Result<()> {
    let needles: Vec<String> = serde_json::from_slice(&std::fs::read(needles)?)?;
    let state = Rc::new(State { account: RefCell::default(), needles: AhoCorasick::new(needles)? });
    let listener = TcpListener::bind(address).await?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let state = Rc::clone(&state);
        tokio::task::spawn_local(async move {
            state.account.borrow_mut().open += 1;
            // Whoever leaves, leaves.
            drop(connection(stream, &state).await);
            state.account.borrow_mut().open -= 1;
        });
    }
}

async fn connection(mut stream: TcpStream, state: &State) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut raw = Vec::new();
    loop {
        raw.clear();
        let end = loop {
            if let Some(end) = wire::head_end(&raw) {
                break end;
            }
            anyhow::ensure!(stream.read_buf(&mut raw).await? > 0);
        };
        let length = wire::header(&raw[..end], "content-length").map_or(0, wire::number);
        let length = usize::try_from(length)?;
        raw.reserve(length);
        while raw.len() < end + length {
            anyhow::ensure!(stream.read_buf(&mut raw).await? > 0);
        }
        let (head, body) = raw.split_at(end);
        if head.starts_with(b"GET ") {
            let answer = match head.starts_with(b"GET /stats") {
                true => serde_json::to_vec(&*state.account.borrow())?,
                false => b"served".to_vec(),
            };
            stream.write_all(&whole("200 OK", "application/json", &answer)).await?;
            continue;
        }
        if let Some(found) = state.needles.find(&raw) {
            let around = &raw[found.start().saturating_sub(30)..found.start()];
            state.account.borrow_mut().leaks.push(String::from_utf8_lossy(around).into_owned());
        }
        let Some(call) = Call::read(head, body) else {
            let told = String::from_utf8_lossy(&head[..head.len().min(200)]).into_owned();
            state.account.borrow_mut().strange.push(told);
            anyhow::bail!("what is asked?");
        };
        if !call.answer(&mut stream, length, state).await? {
            return Ok(());
        }
        if raw.capacity() > 1 << 20 {
            raw = Vec::new();
        }
    }
}

/// One call as it was asked.
struct Call {
    model: Model,
    number: u64,
}

impl Call {
    fn read(head: &[u8], body: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(head.split(|&byte| byte == b'\r').next()?).ok()?;
        let name = match line.split_once("/models/") {
            Some((_, rest)) => rest.split(':').next()?,
            None => {
                let at = memmem::find(body, b"\"model\":\"")? + 9;
                let rest = &body[at..];
                std::str::from_utf8(&rest[..memchr::memchr(b'"', rest)?]).ok()?
            }
        };
        let number = memmem::find(body, MARK.as_bytes()).map_or(0, |at| wire::number(&body[at + MARK.len()..]));
        // The daemon's first request is of no kind.
        let model = Model::named(name).or((name == "mock").then_some(Model { api: Api::Chat, ending: Ending::Plain }));
        Some(Self { model: model?, number })
    }

    /// Answers it; `false` ends the connection.
    async fn answer(self, stream: &mut TcpStream, bytes: usize, state: &State) -> anyhow::Result<bool> {
        let mut told =
            Told { name: self.name(), state, called: Called { calls: 1, ..Called::default() }, counts: false };
        let mut telling = Telling::new(self.model.api, self.number, bytes);
        // Until something is said, the input is a guess.
        told.estimate(telling.so_far());
        told.counts = true;
        timeout(LONG, self.tell(stream, &mut telling, &mut told)).await?
    }

    fn name(&self) -> String {
        if self.number == 0 { "mock".to_owned() } else { self.model.name() }
    }

    async fn tell(&self, stream: &mut TcpStream, telling: &mut Telling, told: &mut Told<'_>) -> anyhow::Result<bool> {
        let mut chance = Chance::new(self.number);
        match self.model.ending {
            Ending::Plain | Ending::Part => {
                told.exact(telling.whole());
                stream.write_all(&whole("200 OK", "application/json", telling.document().as_bytes())).await?;
                Ok(true)
            }
            Ending::Early => {
                sleep(Duration::from_millis(chance.below(40) as u64)).await;
                told.exact(telling.whole());
                stream.write_all(&whole("200 OK", "application/json", telling.document().as_bytes())).await?;
                Ok(true)
            }
            Ending::Error => {
                told.exact(Tokens::default());
                let status = *chance.one(&[&"429 Too Many Requests", &"500 Internal Server Error", &"529 Overloaded"]);
                let document = r#"{"type":"error","error":{"type":"overloaded_error","message":"not now","code":500,"status":"X"}}"#;
                stream.write_all(&whole(status, "application/json", document.as_bytes())).await?;
                Ok(true)
            }
            Ending::Tired => {
                let answer = whole("200 OK", "application/json", telling.document().as_bytes());
                stream.write_all(&answer[..answer.len() - 60]).await?;
                until_left(stream).await;
                Ok(false)
            }
            Ending::Stream | Ending::Slow | Ending::Torn | Ending::Half => {
                self.streamed(stream, telling, &mut chance, told).await?;
                Ok(true)
            }
            Ending::Cut | Ending::Stall | Ending::Reset => {
                let goes_on = self.broken(stream, telling, &mut chance, told).await;
                if self.model.ending == Ending::Reset {
                    // Unread or unsent bytes are lost: that is what a reset is.
                    stream.set_zero_linger()?;
                }
                goes_on
            }
            Ending::Leave => self.endless(stream, telling, told).await,
        }
    }

    async fn streamed(
        &self,
        stream: &mut TcpStream,
        telling: &mut Telling,
        chance: &mut Chance,
        told: &mut Told<'_>,
    ) -> anyhow::Result<()> {
        let (pieces, text) = match self.model.ending {
            Ending::Slow => (60, "all work and no play ".repeat(200)),
            _ => (5 + chance.below(60), "some text of the model ".to_owned()),
        };
        let torn = self.model.ending == Ending::Torn;
        let pace = *chance.one(&[&0, &0, &0, &2]);
        let mut out = head();
        chunk(&mut out, &telling.begin());
        for at in 0..pieces {
            let event = telling.piece(&text);
            chunk(&mut out, &event);
            if torn && at % 7 == 3 {
                chunk(&mut out, &tear(&event, chance));
            }
            if pace > 0 || out.len() > 32 << 10 {
                stream.write_all(out.as_bytes()).await?;
                out.clear();
                sleep(Duration::from_millis(pace)).await;
            }
        }
        chunk(&mut out, &telling.end());
        out.push_str("0\r\n\r\n");
        told.exact(telling.whole());
        stream.write_all(out.as_bytes()).await?;
        Ok(())
    }

    /// A stream that breaks off, or none at all.
    async fn broken(
        &self,
        stream: &mut TcpStream,
        telling: &mut Telling,
        chance: &mut Chance,
        told: &mut Told<'_>,
    ) -> anyhow::Result<bool> {
        let pieces = chance.below(12);
        if self.model.ending == Ending::Reset && pieces == 0 {
            return Ok(false);
        }
        let mut out = head();
        chunk(&mut out, &telling.begin());
        for _ in 0..pieces {
            let event = telling.piece("it breaks off ");
            chunk(&mut out, &event);
        }
        told.estimate(telling.so_far());
        if chance.below(2) == 0 {
            // A part of the next event is no event.
            chunk(&mut out, "data: {\"half\": ");
        }
        stream.write_all(out.as_bytes()).await?;
        if self.model.ending == Ending::Stall {
            until_left(stream).await;
        }
        Ok(false)
    }

    /// A stream that goes on for as long as somebody reads it.
    async fn endless(
        &self,
        stream: &mut TcpStream,
        telling: &mut Telling,
        told: &mut Told<'_>,
    ) -> anyhow::Result<bool> {
        let mut out = head();
        chunk(&mut out, &telling.begin());
        loop {
            chunk(&mut out, &telling.piece("and on it goes "));
            told.estimate(telling.so_far());
            stream.write_all(out.as_bytes()).await?;
            out.clear();
            tokio::select! {
                () = until_left(stream) => return Ok(false),
                () = sleep(PACE) => {}
            }
        }
    }
}

/// Writes down what was told when it is dropped, however that comes.
struct Told<'a> {
    name: String,
    state: &'a State,
    called: Called,
    counts: bool,
}

impl Told<'_> {
    fn exact(&mut self, tokens: Tokens) {
        (self.called.estimated, self.called.tokens) = (0, tokens);
    }

    fn estimate(&mut self, tokens: Tokens) {
        (self.called.estimated, self.called.tokens) = (1, tokens);
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if self.counts {
            let mut account = self.state.account.borrow_mut();
            let called = account.models.entry(std::mem::take(&mut self.name)).or_default();
            called.calls += self.called.calls;
            called.estimated += self.called.estimated;
            called.tokens.add(self.called.tokens);
        }
    }
}

/// Half an event, as an event of its own.
fn tear(event: &str, chance: &mut Chance) -> String {
    let line = event.trim_end();
    let at = (line.len() / 2 + chance.below(line.len() / 3)).min(line.len() - 1);
    format!("{}\n\n", &line[..at])
}

/// Until the other side has gone.
async fn until_left(stream: &mut TcpStream) {
    let mut scratch = [0; 64];
    while stream.read(&mut scratch).await.is_ok_and(|read| read > 0) {}
}

fn head() -> String {
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned()
}

fn chunk(out: &mut String, event: &str) {
    if !event.is_empty() {
        out.push_str(&format!("{:x}\r\n{event}\r\n", event.len()));
    }
}

fn whole(status: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// What the provider at `address` has on its account.
pub(crate) fn account(address: SocketAddr) -> anyhow::Result<Account> {
    let (_, body) = wire::once(address, &wire::get("/stats"), Duration::from_secs(10))?;
    let mut account: Account = serde_json::from_slice(&body).context("the provider's account")?;
    // The one that asks.
    account.open -= 1;
    Ok(account)
}
