//! `wardkeep-agent run`: the parts from leaf to root, then serving until the stop.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wardkeep_egress::{
    Forward, ForwardError, ForwardParts, ForwardTimeouts, Gateway, LeaseBook, Leash, Meter, MeterError, Parts, Roots,
    RootsError, SystemResolver, Timeouts,
};
use wardkeep_policy::{Closed, Posture};
use wardkeep_proto::ids::{AgentName, BootId, SessionId};
use wardkeep_redaction::{BuildError, Shared};
use wardkeep_safety::runner::ForwardProxy;
use wardkeep_safety::{Gate, GateParts, PostureBook, RunnerCommand, Sandbox, WallsBook, serve_hooks};

use crate::bundle_book::BundleBook;
use crate::bundle_ledger::BundleLedger;
use crate::cli::context::Environment;
use crate::config::Config;
use crate::decisions::DecisionBook;
use crate::doctor::Doctor;
use crate::egress_audit;
use crate::egress_lock;
use crate::files;
use crate::identity::{Identity, IdentityDir, IdentityError};
use crate::keeper::Keeper;
use crate::link::journal::Journal;
use crate::link::{self, Commander, LinkParts, LinkState};
use crate::lock_audit::LockAudit;
use crate::notify;
use crate::observed::Observer;
use crate::run_units::HelperUnits;
use crate::secrets::{TagKeyError, VaultBook, VaultParts, patterns_only, tag_key};
use crate::servers::admin::{self, AdminState};
use crate::servers::peer::{Peer, PeerChecked};
use crate::servers::token::{AdminToken, AdminTokenError};
use crate::servers::{ListenError, Listeners, Listening, write_for_agents};
use crate::spool::Spool;
use crate::state::{StateDir, StateError};
use crate::stops::StopBook;
use crate::tokens::{RunOrAgentTokens, TokenBook, TokenError};
use crate::walls::{self, WallsKeeper};

/// From the stop signal to the end; systemd's own patience is longer.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Why the daemon does not start, or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// The identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// There is none.
    #[error("this server is not enrolled; run `wardkeep-agent enrol` with the token that the hub shows")]
    NotEnrolled,
    /// The redaction tag key.
    #[error(transparent)]
    TagKey(#[from] TagKeyError),
    /// The redaction patterns.
    #[error(transparent)]
    Redaction(#[from] BuildError),
    /// Agents' tokens.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// The admin API's token.
    #[error(transparent)]
    AdminToken(#[from] AdminTokenError),
    /// The usage file.
    #[error(transparent)]
    Meter(#[from] MeterError),
    /// The gate.
    #[error(transparent)]
    Gate(#[from] wardkeep_safety::OpenError),
    /// Runs left over from the last start.
    #[error("what the last start left over could not be taken up")]
    Resume(#[source] wardkeep_safety::GateError),
    /// The certificate authorities for providers.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// The configured ones cannot be read.
    #[error("the certificates in {path} cannot be read: {why}; see upstream_ca_file in the configuration")]
    UpstreamCa {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The forward proxy.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// Ports and sockets.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A part that must never end did.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

/// Every part, put together and not yet serving.
struct Daemon {
    gate: Arc<Gate>,
    meter: Meter,
    gateway: Arc<Gateway>,
    forward: Arc<Forward>,
    egress_audit: egress_audit::Writer,
    tokens: Arc<TokenBook>,
    keeper: Arc<Keeper>,
    walls: WallsKeeper,
    link: Arc<LinkParts>,
    observer: Arc<Observer>,
    nudge: Arc<Notify>,
    identity: Identity,
    admin_token: AdminToken,
}

/// Runs until `stop` is cancelled.
///
/// # Errors
/// All of [`RunError`].
pub async fn run(config: &Config, env: &Environment, stop: CancellationToken) -> Result<(), RunError> {
    let state = StateDir::open(&config.state_dir)?;
    let identity_dir = IdentityDir::new(state.identity());
    let identity = identity_dir.load()?.ok_or(RunError::NotEnrolled)?;
    let books = Books::open(&state, config, env, &identity_dir, &identity)?;
    let gate = Gate::open(&state.gate(), books.gate_parts(env, &identity, config.runs.sandbox))?;
    // After the gate, whose lock keeps a second daemon from changing the first one's token.
    let admin_token = AdminToken::take_up(&state.admin_token(), &*env.chance)?;
    let (listeners, listening) = Listeners::bind(config).await?;
    let (walls, proxy) = (books.walls.clone(), listening.proxy);
    let daemon = compose(config, env, &state, books, gate.clone(), (identity_dir, identity, admin_token), listening)?;
    walls.set_proxy(ForwardProxy { address: proxy, authority_pem: daemon.forward.authority_pem() });
    let resumed = gate.resume_after_start().await.map_err(RunError::Resume)?;
    tracing::info!(?resumed, "took up what the last start left");
    write_for_agents(&config.proxy_ca_file(), daemon.forward.authority_pem().as_bytes())?;
    daemon.serve(listeners, env, stop).await
}

/// What gates and gateway share.
struct Books {
    posture: PostureBook,
    redaction: Shared,
    vault: Arc<VaultBook>,
    bundles: Arc<BundleBook>,
    tokens: Arc<TokenBook>,
    walls: WallsBook,
}

impl Books {
    fn open(
        state: &StateDir,
        config: &Config,
        env: &Environment,
        identity_dir: &IdentityDir,
        identity: &Identity,
    ) -> Result<Self, RunError> {
        // Closed until proven otherwise.
        let posture = PostureBook::new([Closed::NoBundle, Closed::VaultLocked].into_iter().collect());
        let tag_key = tag_key(state.tag_key(), &*env.chance)?;
        let redaction = Shared::new(patterns_only(&tag_key)?);
        let ledger = BundleLedger::open(state.bundle(), identity_dir.clone(), identity);
        if let Err(error) = &ledger {
            tracing::error!(error = crate::channel::chain(error), "the ledger of bundles cannot be used");
        }
        let bundles = Arc::new(BundleBook::new(ledger, posture.clone(), env.clock.clone(), env.waypoints.clone()));
        let vault = Arc::new(VaultBook::new(VaultParts {
            path: state.vault(),
            key: env.vault_key(config),
            clock: env.clock.clone(),
            redaction: redaction.clone(),
            tag_key,
            posture: posture.clone(),
            bundle: bundles.watch(),
        }));
        vault.refresh();
        let tokens = Arc::new(TokenBook::open(state.tokens())?);
        let units = Arc::new(HelperUnits::default());
        let walls = WallsBook::new(walls::at_start(config.runs.units, &units), units);
        Ok(Self { posture, redaction, vault, bundles, tokens, walls })
    }

    fn gate_parts(&self, env: &Environment, identity: &Identity, sandbox: Sandbox) -> GateParts {
        GateParts {
            tenant: identity.tenant,
            secrets: self.vault.clone(),
            redaction: self.redaction.clone(),
            bundle: self.bundles.watch(),
            posture: self.posture.clone(),
            clock: env.clock.clone(),
            chance: env.chance.clone(),
            waypoints: env.waypoints.clone(),
            runner: RunnerCommand {
                program: env.program.clone(),
                args: vec!["runner".to_owned()],
                leaf: vec!["leaf".to_owned()],
            },
            sandbox,
            walls: self.walls.clone(),
        }
    }
}

/// The gate's leases, as the gateway asks for them.
struct Leases(Arc<Gate>);

impl LeaseBook for Leases {
    fn alive(&self, agent: &AgentName) -> bool {
        self.0.lease_alive(agent)
    }

    fn leash(&self, agent: &AgentName) -> Leash {
        let wardkeep_safety::Leash { cut, held } = self.0.leash(agent);
        Leash::new(cut, held)
    }

    fn session(&self, agent: &AgentName) -> Option<SessionId> {
        self.0.live_session(agent)
    }
}

fn compose(
    config: &Config,
    env: &Environment,
    state: &StateDir,
    books: Books,
    gate: Arc<Gate>,
    (identity_dir, identity, admin_token): (IdentityDir, Identity, AdminToken),
    listening: Listening,
) -> Result<Daemon, RunError> {
    let trust = Trust::read(config)?;
    let (forward, egress_audit) = forward_proxy(env, &books, &gate, trust.hosts)?;
    let Books { posture, redaction, vault, bundles, tokens, walls } = books;
    let meter = Meter::open(&state.usage(), env.clock.clone(), env.waypoints.clone())?;
    let gateway = Gateway::new(Parts {
        secrets: vault.clone(),
        tokens: tokens.clone(),
        leases: Arc::new(Leases(gate.clone())),
        decisions: Arc::new(DecisionBook(gate.clone())),
        redaction,
        bundle: bundles.watch(),
        meter: meter.clone(),
        reports: Arc::new(StopBook::new(gate.clone())),
        clock: env.clock.clone(),
        chance: env.chance.clone(),
        waypoints: env.waypoints.clone(),
        posture: Arc::new(posture_of(&gate)),
        roots: trust.providers,
        timeouts: Timeouts::default(),
        connections: files::connections(config.llm.connections.get().into()),
    })?;
    let spool = Arc::new(Spool::open(gate.clone(), meter.clone(), state.path().join("link.json")));
    let hub = config.hub.address.clone().unwrap_or_else(|| identity.hub.clone());
    let (link_state, link) = watch::channel(LinkState::default());
    let nudge = Arc::new(Notify::new());
    let standing = gateway.clone();
    let observer = Arc::new(Observer {
        gate: gate.clone(),
        posture: posture.clone(),
        bundles: bundles.clone(),
        vault: vault.clone(),
        spool: spool.clone(),
        link: link.clone(),
        boot: BootId::new(env.clock.now(), &*env.chance),
        started_at: env.clock.now(),
        tenant: (identity.tenant, identity.name.clone(), hub.clone()),
        listening,
        providers: Arc::new(move || standing.providers()),
        walls: walls.clone(),
        clock: env.clock.clone(),
    });
    let keeper = Arc::new(Keeper {
        vault,
        tokens: tokens.clone(),
        bundles: bundles.clone(),
        posture,
        gate: gate.clone(),
        spool: spool.clone(),
        link,
        clock: env.clock.clone(),
        chance: env.chance.clone(),
        away_after: config.link.away_after(),
        disk: (config.state_dir.clone(), config.disk.floor_bytes()),
        nudge: nudge.clone(),
    });
    let walls = WallsKeeper::new(walls, (gate.clone(), keeper.posture.clone()), config, env, &state.gate());
    let doctor = Arc::new(Doctor::new(config.clone(), env.clone()));
    let journal = Journal::new(state.commands());
    let commander = Arc::new(Commander::new(journal, gate.clone(), doctor, env.clock.clone()));
    let link = Arc::new(LinkParts {
        hub,
        identity_dir,
        spool,
        bundles,
        commander,
        observer: observer.clone(),
        clock: env.clock.clone(),
        chance: env.chance.clone(),
        waypoints: env.waypoints.clone(),
        state: link_state,
        checkpoint_now: Notify::new(),
    });
    Ok(Daemon {
        gate,
        meter,
        gateway,
        forward,
        egress_audit,
        tokens,
        keeper,
        walls,
        link,
        observer,
        nudge,
        identity,
        admin_token,
    })
}

/// The forward proxy, and the end of its records that writes.
fn forward_proxy(
    env: &Environment,
    books: &Books,
    gate: &Arc<Gate>,
    roots: Roots,
) -> Result<(Arc<Forward>, egress_audit::Writer), RunError> {
    let (ledger, writer) = egress_audit::open(gate.clone());
    let forward = Forward::new(ForwardParts {
        secrets: books.vault.clone(),
        tokens: Arc::new(RunOrAgentTokens { agents: books.tokens.clone(), gate: gate.clone() }),
        leases: Arc::new(Leases(gate.clone())),
        posture: Arc::new(posture_of(gate)),
        redaction: books.redaction.clone(),
        bundle: books.bundles.watch(),
        clock: env.clock.clone(),
        chance: env.chance.clone(),
        ledger,
        resolver: Arc::new(SystemResolver::default()),
        roots,
        timeouts: ForwardTimeouts::default(),
    })?;
    Ok((forward, writer))
}

/// Whom to trust: the configured certificates, or the machine's own, which are read once for both.
struct Trust {
    hosts: Roots,
    providers: Roots,
}

impl Trust {
    fn read(config: &Config) -> Result<Self, RunError> {
        Ok(match (config.proxy.upstream_ca_file.as_deref(), config.llm.upstream_ca_file.as_deref()) {
            (None, None) => {
                let native = Roots::native()?;
                Self { hosts: native.clone(), providers: native }
            }
            (hosts, providers) => {
                let roots = |file: Option<&Path>| file.map_or_else(|| Ok(Roots::native()?), given);
                Self { hosts: roots(hosts)?, providers: roots(providers)? }
            }
        })
    }
}

fn given(path: &Path) -> Result<Roots, RunError> {
    let unreadable =
        |error: rustls::pki_types::pem::Error| RunError::UpstreamCa { path: path.to_owned(), why: error.to_string() };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(|certificates| certificates.collect::<Result<_, _>>())
        .map_err(unreadable)?;
    Ok(Roots::given(certificates)?)
}

/// The posture for one agent: the machine's, and whether that agent is paused or stopped.
fn posture_of(gate: &Arc<Gate>) -> impl Fn(&AgentName) -> Posture + Send + Sync + 'static {
    let gate = gate.clone();
    move |agent| gate.posture_for(agent)
}

impl Daemon {
    async fn serve(self, listeners: Listeners, env: &Environment, stop: CancellationToken) -> Result<(), RunError> {
        let Listeners { hooks, llm, proxy, hook_socket, admin_socket } = listeners;
        let mut parts: JoinSet<&'static str> = JoinSet::new();
        let stopped = |stop: &CancellationToken| stop.clone().cancelled_owned();
        let hook_api = serve_hooks((hooks, hook_socket), self.gate.clone(), self.tokens.clone(), stop.clone());
        parts.spawn(ended("the hook API", hook_api));
        // Connections that hold a lease have no end of their own.
        let (gate, stopping) = (self.gate.clone(), stopped(&stop));
        parts.spawn(ended("the leases", async move {
            stopping.await;
            gate.release_leases();
        }));
        let link = self.link.clone();
        let admin = admin::router(AdminState {
            gate: self.gate.clone(),
            observer: self.observer.clone(),
            vault: self.observer.vault.clone(),
            meter: self.meter.clone(),
            attempts: admin::Attempts::default(),
            clock: env.clock.clone(),
            tokens: self.tokens.clone(),
            nudge: self.nudge.clone(),
            checkpoint: Arc::new(move || link.checkpoint_now.notify_one()),
            token: self.admin_token,
        });
        let admin_socket = PeerChecked::new(admin_socket, rustix::process::geteuid().as_raw());
        let admin = admin.into_make_service_with_connect_info::<Peer>();
        parts.spawn(ended(
            "the admin socket",
            axum::serve(admin_socket, admin).with_graceful_shutdown(stopped(&stop)).into_future(),
        ));
        parts.spawn(ended("the LLM gateway", wardkeep_egress::serve_apart(llm, self.gateway.clone(), stop.clone())));
        let forward = wardkeep_egress::serve_forward(proxy, self.forward.clone(), stop.clone());
        parts.spawn(ended("the forward proxy", forward));
        parts.spawn(ended("the proxy's records", self.egress_audit.run(stop.clone())));
        parts.spawn(ended("the main loop", self.keeper.clone().run(stop.clone())));
        parts.spawn(ended("the test of the sandbox", self.walls.run(stop.clone())));
        let lock = LockAudit::new(self.gate.clone(), egress_lock::SOCKET.into(), env.clock.clone());
        parts.spawn(ended("the record of the network lock", lock.run(stop.clone())));
        parts.spawn(ended("the link", link::run(self.link.clone(), self.identity.clone(), stop.clone())));
        notify::ready(&format!("serving tenant {}", self.identity.name));
        tracing::info!(listening = ?self.observer.listening, "serving");

        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            // The parts end with the stop, too; only one that ends before it failed.
            Some(part) = parts.join_next(), if !stop.is_cancelled() => match part {
                _ if stop.is_cancelled() => Ok(()),
                part => Err(RunError::Ended(part.unwrap_or("a part"))),
            },
        };
        notify::stopping();
        stop.cancel();
        let rest = async { while parts.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_WITHIN, rest).await.is_err() {
            tracing::warn!("some connections did not end in time and are cut");
            parts.shutdown().await;
        }
        // The calls of the last moment are on disk; whoever reads the file without a daemon finds them where they belong.
        if let Err(error) = self.gate.put_away().await {
            tracing::warn!(
                error = crate::channel::chain(&error),
                "the next start puts the last calls where they belong"
            );
        }
        // Writes what is queued: the last usage is on disk when the process ends.
        let meter = self.meter.clone();
        let _ = tokio::task::spawn_blocking(move || meter.close()).await;
        tracing::info!("stopped");
        outcome
    }
}

async fn ended<T>(name: &'static str, part: impl Future<Output = T>) -> &'static str {
    part.await;
    name
}
