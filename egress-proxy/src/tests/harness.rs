//! An agent, a provider and everything between them.

mod agent;
mod switches;
mod upstream;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wardkeep_policy::{
    AgentPolicy, Bundle, Closed, Dialect, GateMemory, Level, LlmConfig, Model, Posture, Price, Provider,
};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;
use wardkeep_redaction::{Engine, RuleSet, Secret, Shared};

pub(super) use agent::{Reply, Request};
use switches::Switches;
pub(super) use upstream::{Step, Upstream, chunk, document, gated, stream_head, streamed};

use crate::{Amounts, Gateway, Meter, Parts, Roots, Timeouts, serve};

/// The agent's local token, as random as those that are made: what looks like a secret is one to the rules.
pub(super) const TOKEN: &str = "wka1_Qm7vZ1xT9pLw3Rk8Nf2Hj6Yc4Vb0Gs5Da_Ke-UiOoP1";
/// The provider's key; it must reach the provider in one header and nobody else.
pub(super) const KEY: &str = "sk-ant-api03-Zx9-QwErTyUiOpAsDf";
/// Another one of its pool.
pub(super) const KEY_2: &str = "sk-ant-api03-Pq7-AsDfGhJkLzXcVbNm";
/// What AWS requests are signed with.
pub(super) const AWS_ID: &str = "AKQ7WK2TESTS4EXAMPLE";
pub(super) const AWS_SECRET: &str = "q8Fz/xVt2+LkY6mJ0wRb4NcDhGpAeUsT1iKo9XyZ";
/// A secret that must never leave.
pub(super) const PASSWORD: &str = "pa\"ss/w\u{f6}rd+Never<Leaves>";

/// When all tests begin.
pub(super) const NOON: i64 = 12 * 3_600_000;

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
        Self::trusting(timeouts, Roots::given([]).unwrap()).await
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
        let roots = Roots::given([]).unwrap();
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
        subagents: Default::default(),
        workspace: "/srv/office".to_owned(),
    };
    let tenant = "00000000-0000-7000-8000-000000000001".parse().unwrap();
    Bundle::default_for(tenant, vec![agent], llm, Timestamp(0))
}

/// First line and headers, their names in lower case.
fn head(raw: &[u8]) -> (String, BTreeMap<String, String>) {
    let text = String::from_utf8_lossy(raw).into_owned();
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()));
    (first, headers.collect())
}
