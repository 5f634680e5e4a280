//! An agent, a provider and everything between them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use wardkeep_policy::{
    AgentPolicy, Bundle, Closed, Dialect, GateMemory, Level, LlmConfig, Model, Posture, Price, Provider,
};
use wardkeep_proto::ids::{AgentName, SecretName, SessionId};
use wardkeep_proto::secret::{AgentTokens, Destination, KnownValue, NotGiven, SecretSource, SecretValue};
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::waypoint::{Waypoint, Waypoints};
use wardkeep_redaction::{Engine, RuleSet, Secret, Shared};

use crate::{
    Amounts, Answering, Bypass, Decisions, Gateway, LeaseBook, Meter, Parts, PrefixChange, Reports, Roots, Stop,
    Timeouts, serve,
};

/// The agent's local token.
pub(super) const TOKEN: &str = "wka_local_token_of_office";
/// The provider's key; it must reach the provider in one header and nobody else.
pub(super) const KEY: &str = "sk-ant-api03-Zx9-QwErTyUiOpAsDf";
/// Another one of its pool.
pub(super) const KEY_2: &str = "sk-ant-api03-Pq7-AsDfGhJkLzXcVbNm";
/// What AWS requests are signed with.
pub(super) const AWS_ID: &str = "AKQ7WK2TESTS4EXAMPLE";
pub(super) const AWS_SECRET: &str = "q8Fz/xVt2+LkY6mJ0wRb4NcDhGpAeUsT1iKo9XyZ";
/// A secret that must never leave.
pub(super) const PASSWORD: &str = "pa\"ss/w\u{f6}rd+Never<Leaves>";

/// What a test can turn.
pub(super) struct Switches {
    pub(super) lease: AtomicBool,
    pub(super) locked: AtomicBool,
    pub(super) bound: AtomicBool,
    pub(super) posture: Mutex<Posture>,
    /// What the clock says, in milliseconds.
    pub(super) now: AtomicI64,
    pub(super) passed: Mutex<Vec<Waypoint>>,
    pub(super) session: Mutex<Option<SessionId>>,
    pub(super) stops: Mutex<Vec<Stop>>,
    pub(super) prefixes: Mutex<Vec<PrefixChange>>,
    /// Ids of calls that the gate decided on, and when.
    pub(super) decided: Mutex<BTreeMap<String, Timestamp>>,
    pub(super) past: Mutex<Vec<Bypass>>,
    /// What redaction learns when somebody asks for it.
    pub(super) news: Mutex<Option<Engine>>,
    redaction: Shared,
}

impl SecretSource for Switches {
    fn resolve(&self, name: &SecretName, to: Destination<'_>) -> Result<SecretValue, NotGiven> {
        if self.locked.load(Ordering::SeqCst) {
            return Err(NotGiven::Locked);
        }
        match to {
            Destination::Host { host: "127.0.0.1" | "localhost", .. } if self.bound.load(Ordering::SeqCst) => {
                let values = [("llm_key", KEY), ("llm_key_2", KEY_2), ("aws_id", AWS_ID), ("aws_secret", AWS_SECRET)];
                let value = values.iter().find(|(known, _)| *known == name.as_str());
                value.map(|(_, value)| SecretValue::new((*value).to_owned())).ok_or(NotGiven::Unknown(name.clone()))
            }
            _ => Err(NotGiven::NotBound { name: name.clone(), to: to.to_string() }),
        }
    }

    fn every_value(&self) -> Result<Vec<KnownValue>, NotGiven> {
        Err(NotGiven::Unreadable)
    }

    fn catch_up(&self) {
        if let Some(engine) = self.news.lock().unwrap().take() {
            self.redaction.replace(engine);
        }
    }
}

impl AgentTokens for Switches {
    fn agent_of(&self, token: &str) -> Option<AgentName> {
        match token {
            TOKEN => "office".parse().ok(),
            "wka_token_of_a_stranger" => "stranger".parse().ok(),
            _ => None,
        }
    }
}

impl LeaseBook for Switches {
    fn alive(&self, _: &AgentName) -> bool {
        self.lease.load(Ordering::SeqCst)
    }

    fn session(&self, _: &AgentName) -> Option<SessionId> {
        self.session.lock().unwrap().clone()
    }
}

impl Reports for Switches {
    fn stopped(&self, stop: Stop) {
        self.stops.lock().unwrap().push(stop);
    }

    fn prefix_changed(&self, change: PrefixChange) {
        self.prefixes.lock().unwrap().push(change);
    }
}

impl Decisions for Switches {
    fn decided<'a>(&'a self, _: &'a AgentName, calls: &'a [String]) -> Answering<'a, Vec<Option<Timestamp>>> {
        let decided = self.decided.lock().unwrap();
        let found = calls.iter().map(|call| decided.get(call).copied()).collect();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn decided_for<'a>(&'a self, _: &'a AgentName, tool: &'a str) -> Answering<'a, u64> {
        let count = self.decided.lock().unwrap().keys().filter(|id| id.starts_with(tool)).count();
        Box::pin(std::future::ready(Ok(count as u64)))
    }

    fn passed_by(&self, bypass: Bypass) -> Answering<'_, ()> {
        self.past.lock().unwrap().push(bypass);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Waypoints for Switches {
    fn pass(&self, at: Waypoint) {
        self.passed.lock().unwrap().push(at);
    }
}

/// When all tests begin.
pub(super) const NOON: i64 = 12 * 3_600_000;

impl Clock for Switches {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }
}

/// The lowest draw, always.
struct NoChance;

impl wardkeep_proto::chance::Chance for NoChance {
    fn fill(&self, out: &mut [u8]) {
        out.fill(0);
    }
}

/// A gateway that serves, with its provider.
pub(super) struct World {
    pub(super) gateway: SocketAddr,
    pub(super) provider: Upstream,
    pub(super) switches: Arc<Switches>,
    pub(super) meter: Meter,
    pub(super) bundle: watch::Sender<Arc<Bundle>>,
    pub(super) stop: CancellationToken,
    pub(super) serving: tokio::task::JoinHandle<()>,
    changes: watch::Receiver<u64>,
    dir: TempDir,
}

/// Far more than any test needs that says nothing of them.
const CONNECTIONS: usize = 1000;

pub(super) const PATIENT: Timeouts = Timeouts {
    head: Duration::from_secs(30),
    request: Duration::from_secs(60),
    connect: Duration::from_secs(5),
    first_byte: Duration::from_secs(30),
    idle: Duration::from_secs(30),
    unused: Duration::from_secs(60),
    rest: Duration::from_secs(2),
};

impl World {
    pub(super) async fn new() -> Self {
        Self::with(PATIENT).await
    }

    pub(super) async fn with(timeouts: Timeouts) -> Self {
        Self::trusting(timeouts, Roots::Given(Vec::new())).await
    }

    pub(super) async fn trusting(timeouts: Timeouts, roots: Roots) -> Self {
        Self::serving(timeouts, roots, CONNECTIONS).await
    }

    /// With room for so many connections.
    pub(super) async fn serving(timeouts: Timeouts, roots: Roots, connections: usize) -> Self {
        let provider = Upstream::start().await;
        let secrets = [
            Secret::new("llm_key", KEY),
            Secret::new("db_password", PASSWORD),
            Secret::new("aws_id", AWS_ID),
            Secret::new("aws_secret", AWS_SECRET),
        ];
        let redaction = Shared::new(Engine::build(secrets, &RuleSet::builtin(), [7; 32]).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let switches = Arc::new(Switches {
            lease: AtomicBool::new(true),
            locked: AtomicBool::new(false),
            bound: AtomicBool::new(true),
            now: AtomicI64::new(NOON),
            posture: Mutex::new(Posture::open().with(Closed::HubAway)),
            passed: Mutex::default(),
            session: Mutex::default(),
            stops: Mutex::default(),
            prefixes: Mutex::default(),
            decided: Mutex::default(),
            past: Mutex::default(),
            news: Mutex::default(),
            redaction,
        });
        let meter = meter(&dir, &switches);
        let (bundle, watched) = watch::channel(Arc::new(bundle(&format!("http://{}", provider.address))));
        let (gateway, stop, serving) = start(&switches, &meter, watched, roots, (timeouts, connections)).await;
        let changes = meter.changes();
        Self { gateway, provider, switches, meter, bundle, stop, serving, changes, dir }
    }

    /// Stops the gateway and opens its files again.
    pub(super) async fn restart(&mut self) {
        self.stop.cancel();
        self.meter.close();
        self.meter = meter(&self.dir, &self.switches);
        let roots = Roots::Given(Vec::new());
        (self.gateway, self.stop, self.serving) =
            start(&self.switches, &self.meter, self.bundle.subscribe(), roots, (PATIENT, CONNECTIONS)).await;
    }

    /// Sends one request and reads the whole answer.
    pub(super) async fn ask(&self, request: Request<'_>) -> Reply {
        let mut agent = self.connect(&request).await;
        let mut raw = Vec::new();
        // A cut connection is an answer too.
        let _ = agent.read_to_end(&mut raw).await;
        Reply::parse(&raw)
    }

    /// Sends one request; the test reads.
    pub(super) async fn connect(&self, request: &Request<'_>) -> TcpStream {
        let mut agent = TcpStream::connect(self.gateway).await.unwrap();
        agent.write_all(&request.bytes()).await.unwrap();
        agent
    }

    /// The account once `settled` commits have changed it; every request here is settled alone.
    pub(super) async fn amounts(&mut self, settled: u64) -> Amounts {
        self.changes.wait_for(|count| *count >= settled).await.unwrap();
        let totals = self.meter.totals(Timestamp(0)).await.unwrap();
        assert_eq!(totals.len(), 1);
        totals[0].amounts
    }

    /// Lets the first provider live elsewhere.
    pub(super) fn move_provider(&self, base_url: String) {
        self.change(|bundle| bundle.llm.providers[0].base_url = base_url);
    }

    /// Another policy from the next request on.
    pub(super) fn change(&self, change: impl FnOnce(&mut Bundle)) {
        self.bundle.send_modify(|bundle| {
            let mut changed = Bundle::clone(bundle);
            change(&mut changed);
            *bundle = Arc::new(changed);
        });
    }

    pub(super) async fn nothing_was_metered(&self) -> bool {
        self.meter.flush().await.unwrap();
        self.meter.totals(Timestamp(0)).await.unwrap().is_empty()
    }
}

/// An address at which nobody listens, nor will while the socket is held.
pub(super) fn nobody() -> (TcpSocket, SocketAddr) {
    let held = TcpSocket::new_v4().unwrap();
    held.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = held.local_addr().unwrap();
    (held, address)
}

fn meter(dir: &TempDir, switches: &Arc<Switches>) -> Meter {
    Meter::open(&dir.path().join("usage.db"), Arc::clone(switches) as _, Arc::clone(switches) as _).unwrap()
}

async fn start(
    switches: &Arc<Switches>,
    meter: &Meter,
    bundle: watch::Receiver<Arc<Bundle>>,
    roots: Roots,
    (timeouts, connections): (Timeouts, usize),
) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
    let book = Arc::clone(switches);
    let gateway = Gateway::new(Parts {
        secrets: Arc::clone(switches) as _,
        tokens: Arc::clone(switches) as _,
        leases: Arc::clone(switches) as _,
        decisions: Arc::clone(switches) as _,
        redaction: switches.redaction.clone(),
        bundle,
        meter: meter.clone(),
        reports: Arc::clone(switches) as _,
        clock: Arc::clone(switches) as _,
        chance: Arc::new(NoChance),
        waypoints: Arc::clone(switches) as _,
        posture: Arc::new(move |_: &AgentName| book.posture.lock().unwrap().clone()),
        roots,
        timeouts,
        connections,
    })
    .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, gateway, stop.clone()));
    (address, stop, serving)
}

fn bundle(base_url: &str) -> Bundle {
    let provider =
        |name: &str, dialect, base_url: &str| Provider::new(name, dialect, base_url, Some("llm_key".parse().unwrap()));
    let price =
        Price { input: 3_000_000, output: 15_000_000, cache_read: 300_000, cache_write: 3_750_000, ..Price::default() };
    let model = |name: &str, provider: &str| Model {
        name: name.to_owned(),
        provider: provider.to_owned(),
        upstream_model: format!("{name}-20260101"),
        price: Some(price),
        prices: Vec::new(),
        max_output: None,
    };
    let llm = LlmConfig {
        providers: vec![
            provider("claude", Dialect::Anthropic, base_url),
            provider("gpt", Dialect::OpenAi, &format!("{base_url}/v1")),
            provider("far", Dialect::Anthropic, "http://llm.example.com"),
            provider("google", Dialect::Gemini, base_url),
        ],
        models: vec![
            model("sonnet", "claude"),
            model("mini", "gpt"),
            model("distant", "far"),
            model("secret", "claude"),
            model("flash", "google"),
        ],
        gate_memory: GateMemory::Report,
        ..LlmConfig::default()
    };
    let agent = AgentPolicy {
        name: "office".parse().unwrap(),
        level: Level::Supervised,
        version: None,
        tools: None,
        models: ["sonnet", "mini", "distant", "unknown", "flash"].map(str::to_owned).into(),
        grants: Vec::new(),
        workspace: "/srv/office".to_owned(),
    };
    let tenant = "00000000-0000-7000-8000-000000000001".parse().unwrap();
    Bundle::default_for(tenant, vec![agent], llm, Timestamp(0))
}

/// One request of an agent.
#[derive(Clone)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) headers: Vec<(&'a str, String)>,
    pub(super) body: Vec<u8>,
}

impl<'a> Request<'a> {
    pub(super) fn messages(body: impl AsRef<[u8]>) -> Self {
        let headers = vec![("x-api-key", TOKEN.to_owned()), ("anthropic-version", "2023-06-01".to_owned())];
        Self { method: "POST", target: "/v1/messages", headers, body: body.as_ref().to_vec() }
    }

    pub(super) fn completions(body: impl AsRef<[u8]>) -> Self {
        let headers = vec![("authorization", format!("Bearer {TOKEN}"))];
        Self { method: "POST", target: "/v1/chat/completions", headers, body: body.as_ref().to_vec() }
    }

    /// As Google's own clients ask.
    pub(super) fn gemini(target: &'a str, body: impl AsRef<[u8]>) -> Self {
        let headers = vec![("x-goog-api-key", TOKEN.to_owned())];
        Self { method: "POST", target, headers, body: body.as_ref().to_vec() }
    }

    pub(super) fn get(target: &'a str) -> Self {
        Self { method: "GET", target, headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn with(mut self, name: &'a str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut raw = format!("{} {} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            raw.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.headers.iter().any(|(name, _)| *name == "content-length") && self.method == "POST" {
            raw.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        [raw.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// One answer as the agent got it.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
    /// Whether a chunked body had its end.
    pub(super) complete: bool,
}

impl Reply {
    pub(super) fn parse(raw: &[u8]) -> Self {
        let end = memchr::memmem::find(raw, b"\r\n\r\n").expect("a head");
        let (status, headers) = head(&raw[..end]);
        let rest = &raw[end + 4..];
        let (body, complete) = if headers.get("transfer-encoding").is_some_and(|value| value == "chunked") {
            dechunk(rest)
        } else {
            let length = headers.get("content-length").map_or(0, |value| value.parse().unwrap());
            (rest.to_vec(), rest.len() == length)
        };
        Self { status: status.split(' ').nth(1).unwrap().parse().unwrap(), headers, body, complete }
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Status and code of a refusal.
    pub(super) fn refusal(&self) -> (u16, &str) {
        (self.status, self.headers.get("x-wardkeep-refusal").map_or("", String::as_str))
    }
}

fn head(raw: &[u8]) -> (String, BTreeMap<String, String>) {
    let text = String::from_utf8_lossy(raw).into_owned();
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()));
    (first, headers.collect())
}

fn dechunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = memchr::memmem::find(rest, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let data = &rest[end + 2..];
        body.extend_from_slice(&data[..size.min(data.len())]);
        rest = data.get(size + 2..).unwrap_or(&[]);
    }
    (body, false)
}

/// One step of a scripted provider.
pub(super) enum Step {
    Send(Vec<u8>),
    /// The same so many times.
    Many(Vec<u8>, usize),
    /// Goes on once the test says so.
    Wait(tokio::sync::oneshot::Receiver<()>),
    /// Says nothing more and keeps the connection until the other side leaves.
    Silence,
    /// Resets the connection.
    Reset,
}

/// What the provider received.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) line: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
    pub(super) raw: Vec<u8>,
}

/// A provider that is a script of bytes: it answers the n-th request with the n-th script and closes.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    scripts: mpsc::UnboundedSender<Vec<Step>>,
    seen: Arc<Mutex<Vec<Received>>>,
    /// Counts connections that the other side has left.
    pub(super) left: watch::Receiver<u32>,
    connections: Arc<AtomicU32>,
}

impl Upstream {
    async fn start() -> Self {
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

    pub(super) fn answer(&self, steps: Vec<Step>) {
        self.scripts.send(steps).unwrap();
    }

    /// Answers the next request with this document.
    pub(super) fn document(&self, status: &str, body: &str) {
        self.answer(vec![Step::Send(document(status, "", body))]);
    }

    /// Nobody so much as connected.
    pub(super) fn heard_nothing(&self) -> bool {
        self.connections.load(Ordering::SeqCst) == 0
    }

    pub(super) fn seen(&self) -> Vec<Received> {
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
pub(super) fn document(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nrequest-id: req_7\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The head of a stream.
pub(super) fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()
}

/// One chunk of a stream; an empty one is its end.
pub(super) fn chunk(bytes: &str) -> Vec<u8> {
    format!("{:x}\r\n{bytes}\r\n", bytes.len()).into_bytes()
}
