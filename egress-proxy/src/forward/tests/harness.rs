//! A tool, hosts, and the proxy between them.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wardkeep_policy::{AgentPolicy, Bundle, EgressMode, EgressRule, Level, LlmConfig, Posture};
use wardkeep_proto::chance::SystemChance;
use wardkeep_proto::ids::{AgentName, SecretName};
use wardkeep_proto::secret::{AgentTokens, Destination, KnownValue, NotGiven, SecretSource, SecretValue};
use wardkeep_proto::time::{SystemClock, Timestamp};
use wardkeep_redaction::{Engine, RuleSet, Secret, Shared};

use crate::forward::*;
use crate::gateway::LeaseBook;
use crate::leash::Leash;

/// The agent's local token.
pub(super) const TOKEN: &str = "wka1_local_token_of_office";
/// A secret that is bound to `bound.example`, any port.
pub(super) const KEY: &str = "kZ8\"w/q+Never<Leaves>&9%4=x";
/// A secret that is bound to nothing.
pub(super) const PASSWORD: &str = "correct-Horse7battery-Staple";

/// What a test can turn, and what it can look at.
pub(super) struct Switches {
    pub(super) lease: AtomicBool,
    pub(super) locked: AtomicBool,
    pub(super) unrecordable: AtomicBool,
    pub(super) posture: Mutex<Posture>,
    pub(super) records: Mutex<Vec<EgressRecord>>,
    /// Answers of the resolver, one after the other; the last one stays.
    pub(super) names: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    pub(super) questions: AtomicUsize,
    /// Cancelled, the agent is stopped.
    pub(super) cut: CancellationToken,
    pub(super) held: TaskTracker,
}

impl SecretSource for Switches {
    fn resolve(&self, name: &SecretName, to: Destination<'_>) -> Result<SecretValue, NotGiven> {
        if self.locked.load(Ordering::SeqCst) {
            return Err(NotGiven::Locked);
        }
        match (name.as_str(), to) {
            ("api_key", Destination::Host { host: "bound.example", .. }) => Ok(SecretValue::new(KEY.to_owned())),
            ("two_lines", Destination::Host { host: "bound.example", .. }) => {
                Ok(SecretValue::new("a\r\nx: y".to_owned()))
            }
            ("api_key" | "password" | "two_lines", _) => Err(NotGiven::not_bound(name, to)),
            _ => Err(NotGiven::Unknown(name.clone())),
        }
    }

    fn every_value(&self) -> Result<Vec<KnownValue>, NotGiven> {
        Err(NotGiven::Unreadable)
    }
}

impl AgentTokens for Switches {
    fn agent_of(&self, token: &str) -> Option<AgentName> {
        match token {
            TOKEN => "office".parse().ok(),
            "wka1_token_of_a_stranger" => "stranger".parse().ok(),
            _ => None,
        }
    }
}

impl LeaseBook for Switches {
    fn alive(&self, _: &AgentName) -> bool {
        self.lease.load(Ordering::SeqCst)
    }

    fn leash(&self, _: &AgentName) -> Leash {
        Leash::new(self.cut.clone(), self.held.token())
    }
}

impl Resolver for Switches {
    fn lookup<'a>(&'a self, host: &'a str) -> Lookup<'a> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        let mut names = self.names.lock().unwrap();
        let answer =
            names.get_mut(host).map(|answers| if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() });
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

impl EgressLedger for Switches {
    fn record(&self, record: EgressRecord) -> Recording<'_> {
        Box::pin(async move {
            if self.unrecordable.load(Ordering::SeqCst) {
                return Err(NotRecorded);
            }
            self.records.lock().unwrap().push(record);
            Ok(())
        })
    }
}

/// A proxy that serves.
pub(super) struct World {
    pub(super) proxy: SocketAddr,
    pub(super) switches: Arc<Switches>,
    pub(super) bundle: watch::Sender<Arc<Bundle>>,
    pub(super) stop: CancellationToken,
    pub(super) forward: Arc<Forward>,
    /// Signs the certificates of hosts.
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl World {
    pub(super) async fn new(rules: Vec<EgressRule>) -> Self {
        Self::with(rules, ForwardTimeouts { idle: Duration::from_secs(30), ..ForwardTimeouts::default() }).await
    }

    pub(super) async fn with(rules: Vec<EgressRule>, timeouts: ForwardTimeouts) -> Self {
        let secrets = [Secret::new("api_key", KEY), Secret::new("password", PASSWORD)];
        let redaction = Shared::new(Engine::build(secrets, &RuleSet::builtin(), [7; 32]).unwrap());
        let switches = Arc::new(Switches {
            lease: AtomicBool::new(true),
            locked: AtomicBool::new(false),
            unrecordable: AtomicBool::new(false),
            posture: Mutex::new(Posture::open().with(wardkeep_policy::Closed::HubAway)),
            records: Mutex::default(),
            names: Mutex::default(),
            questions: AtomicUsize::new(0),
            cut: CancellationToken::new(),
            held: TaskTracker::new(),
        });
        let (bundle, watched) = watch::channel(Arc::new(bundle(rules)));
        let book = Arc::clone(&switches);
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let forward = Forward::new(ForwardParts {
            secrets: Arc::clone(&switches) as _,
            tokens: Arc::clone(&switches) as _,
            leases: Arc::clone(&switches) as _,
            posture: Arc::new(move |_: &AgentName| book.posture.lock().unwrap().clone()),
            redaction,
            bundle: watched,
            clock: Arc::new(SystemClock),
            chance: Arc::new(SystemChance::new()),
            ledger: Arc::clone(&switches) as _,
            resolver: Arc::clone(&switches) as _,
            roots: Roots::given([authority.der().clone()]).unwrap(),
            timeouts,
        })
        .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(serve_forward(listener, Arc::clone(&forward), stop.clone()));
        Self { proxy, switches, bundle, stop, forward, authority }
    }

    /// `host` leads to these addresses, one list for each question.
    pub(super) fn name(&self, host: &str, answers: &[&[&str]]) {
        let answers = answers.iter().map(|list| list.iter().map(|one| one.parse().unwrap()).collect()).collect();
        self.switches.names.lock().unwrap().insert(host.to_owned(), answers);
    }

    pub(super) fn rules(&self, rules: Vec<EgressRule>) {
        self.bundle.send_modify(|bundle| *bundle = Arc::new(Bundle { egress: rules, ..Bundle::clone(bundle) }));
    }

    pub(super) fn records(&self) -> Vec<EgressRecord> {
        self.switches.records.lock().unwrap().clone()
    }

    /// A host with a certificate for `name` on a port of its own, known to the resolver.
    pub(super) async fn host(&self, name: &str) -> Host {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.authority).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        self.name(name, &[&["127.0.0.1"]]);
        Host::start(name, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    /// A host that speaks no TLS.
    pub(super) async fn plain_host(&self, name: &str) -> Host {
        self.name(name, &[&["127.0.0.1"]]);
        Host::start(name, None).await
    }

    /// Sends raw bytes and reads everything that comes back.
    pub(super) async fn ask(&self, raw: &str) -> Reply {
        let mut stream = TcpStream::connect(self.proxy).await.unwrap();
        stream.write_all(raw.as_bytes()).await.unwrap();
        Reply::read(&mut stream).await
    }

    /// Asks for a tunnel; the stream if it was opened.
    pub(super) async fn connect(&self, to: &str) -> Result<TcpStream, Reply> {
        let mut stream = TcpStream::connect(self.proxy).await.unwrap();
        let token = data_encoding::BASE64.encode(format!("office:{TOKEN}").as_bytes());
        let ask = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\nProxy-Authorization: Basic {token}\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        let reply = Reply::head(&mut stream).await;
        if reply.status == 200 { Ok(stream) } else { Err(reply) }
    }

    /// A connection to an inspected host, for a tool that trusts the tenant's authority.
    pub(super) async fn inspected(&self, host: &Host) -> tokio_rustls::client::TlsStream<TcpStream> {
        let stream = self.connect(&host.at()).await.unwrap();
        tls(stream, &host.name, self.forward.authority.certificate()).await.unwrap()
    }

    /// A tunnel with TLS in it, for a client that trusts the hosts' authority.
    pub(super) async fn connect_tls(
        &self,
        to: &str,
        name: &str,
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let stream = self.connect(to).await.map_err(|reply| io::Error::other(format!("{reply:?}")))?;
        tls(stream, name, self.authority.der()).await
    }
}

/// TLS as a tool does it.
pub(super) async fn tls(
    stream: TcpStream,
    name: &str,
    authority: &CertificateDer<'static>,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn bundle(egress: Vec<EgressRule>) -> Bundle {
    let agent = |name: &str| AgentPolicy {
        name: name.parse().unwrap(),
        level: Level::Supervised,
        version: None,
        tools: None,
        models: Vec::new(),
        grants: Vec::new(),
        subagents: Default::default(),
        workspace: "/srv/office".to_owned(),
    };
    let tenant = "00000000-0000-7000-8000-000000000001".parse().unwrap();
    let bundle = Bundle::default_for(tenant, vec![agent("office")], LlmConfig::default(), Timestamp(0));
    Bundle { egress, ..bundle }
}

/// A rule for a host of these tests, which all live on this machine.
pub(super) fn rule(host: &str, port: u16, mode: EgressMode) -> EgressRule {
    EgressRule {
        host: host.to_owned(),
        ports: vec![port],
        mode,
        methods: Vec::new(),
        paths: Vec::new(),
        agents: Vec::new(),
        private: true,
    }
}

/// What a tool is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: String,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// Reads until the other side closes.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Self {
        let mut raw = Vec::new();
        // A cut connection is an answer, too.
        let _ = stream.read_to_end(&mut raw).await;
        Self::parse(&raw)
    }

    /// Reads a head and nothing behind it.
    pub(super) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Self {
        let mut raw = Vec::new();
        let mut byte = [0];
        while !raw.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.unwrap_or(0) == 1 {
            raw.push(byte[0]);
        }
        Self::parse(&raw)
    }

    /// Reads one answer with its body and leaves the rest.
    pub(super) async fn one(stream: &mut (impl AsyncRead + Unpin)) -> Self {
        let mut reply = Self::head(stream).await;
        if reply.header("transfer-encoding").is_some() {
            loop {
                let mut line = Vec::new();
                while !line.ends_with(b"\r\n") {
                    line.push(stream.read_u8().await.unwrap());
                }
                let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).unwrap();
                let mut chunk = vec![0; size + 2];
                stream.read_exact(&mut chunk).await.unwrap();
                if size == 0 {
                    return reply;
                }
                reply.body.extend_from_slice(&chunk[..size]);
            }
        }
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        reply.body = vec![0; length];
        stream.read_exact(&mut reply.body).await.unwrap();
        reply
    }

    fn parse(raw: &[u8]) -> Self {
        let Some(end) = memchr::memmem::find(raw, b"\r\n\r\n") else { return Self::default() };
        let head = String::from_utf8_lossy(&raw[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Self { status, headers: head, body: raw[end + 4..].to_vec() }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.split("\r\n").filter_map(|line| line.split_once(": "));
        lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// Status and code of a refusal.
    pub(super) fn refusal(&self) -> (u16, &str) {
        (self.status, self.header("x-wardkeep-refusal").unwrap_or_default())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A host that writes down what it gets and answers as it is told.
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: u16,
    seen: watch::Sender<Vec<Vec<u8>>>,
    answers: Arc<Mutex<Vec<Vec<u8>>>>,
    pub(super) connections: Arc<AtomicUsize>,
}

/// What a host answers when a test said nothing.
pub(super) const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

impl Host {
    async fn start(name: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = Self {
            name: name.to_owned(),
            port,
            seen: watch::Sender::default(),
            answers: Arc::default(),
            connections: Arc::default(),
        };
        let (seen, answers, count) = (host.seen.clone(), host.answers.clone(), host.connections.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (seen, answers, tls) = (seen.clone(), answers.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                talk(stream, &seen, &answers).await;
                            }
                        }
                        None => talk(stream, &seen, &answers).await,
                    }
                });
            }
        });
        host
    }

    pub(super) fn at(&self) -> String {
        format!("{}:{}", self.name, self.port)
    }

    /// The next request gets this; nothing is told for no text.
    pub(super) fn answer(&self, raw: &str) {
        if !raw.is_empty() {
            self.answer_raw(raw.as_bytes().to_vec());
        }
    }

    pub(super) fn answer_raw(&self, raw: Vec<u8>) {
        self.answers.lock().unwrap().push(raw);
    }

    /// What came without being a whole request, once its connection has ended.
    pub(super) async fn cut(&self) -> Vec<u8> {
        let is_cut = |seen: &Vec<Vec<u8>>| seen.last().is_some_and(|raw| raw.starts_with(b"CUT "));
        let mut seen = self.seen.subscribe();
        let seen = seen.wait_for(is_cut).await.unwrap();
        seen.last().unwrap()[4..].to_vec()
    }

    /// Every request so far, raw.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.borrow().iter().map(|raw| String::from_utf8_lossy(raw).into_owned()).collect()
    }
}

async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: &watch::Sender<Vec<Vec<u8>>>,
    answers: &Mutex<Vec<Vec<u8>>>,
) {
    let mut raw = Vec::new();
    loop {
        if let Some(end) = whole(&raw) {
            let request: Vec<u8> = raw.drain(..end).collect();
            seen.send_modify(|seen| seen.push(request));
            let answer = {
                let mut answers = answers.lock().unwrap();
                if answers.is_empty() { HELLO.to_vec() } else { answers.remove(0) }
            };
            if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
                return;
            }
            if memchr::memmem::find(&answer, b"connection: close").is_some() {
                let _ = stream.shutdown().await;
                return;
            }
            continue;
        }
        if !matches!(stream.read_buf(&mut raw).await, Ok(1..)) {
            if !raw.is_empty() {
                seen.send_modify(|seen| seen.push([b"CUT ", &raw[..]].concat()));
            }
            return;
        }
    }
}

/// Where the first request in `raw` ends, if it is whole.
fn whole(raw: &[u8]) -> Option<usize> {
    let end = memchr::memmem::find(raw, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&raw[..end]).to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return memchr::memmem::find(&raw[end - 2..], b"\r\n0\r\n\r\n").map(|last| end - 2 + last + 7);
    }
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    let end = end + length.unwrap_or(0usize);
    (raw.len() >= end).then_some(end)
}
