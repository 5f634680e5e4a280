//! The gate: one value that every hook call goes through.

mod adapter;
mod clean;
mod decided;
mod egress;
mod fatigue;
mod grants;
mod halt;
mod judge;
mod keep;
mod launch;
mod lease;
mod lock;
mod outbox;
mod pass;
mod passkeys;
mod past;
mod pins;
mod printed;
mod receivers;
mod records;
mod reply;
mod resume;
mod review;
mod rule;
mod run_tokens;
mod session;
mod subagents;
mod turns;
mod vault;
mod withdraw;
mod work;

pub use decided::PassedBy;
pub use egress::EgressNote;
pub use grants::{GivenBy, KnownGrant, RevokeError};
pub use halt::Leash;
pub use lease::{BoundLease, BoundStart};
pub use lock::LockEvent;
pub use outbox::News;
pub(crate) use pins::Pin;
pub use printed::Printed;
pub use records::Records;
pub use review::ReviewError;
pub use subagents::Subagents;
pub use vault::VaultChange;

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use wardkeep_policy::{Bundle, Closed};
use wardkeep_proto::chance::Chance;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{AgentName, CallId, PermitId, SessionId, TenantId};
use wardkeep_proto::secret::SecretSource;
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::waypoint::Waypoints;
use wardkeep_redaction::Shared;

use crate::answer::Answer;
use crate::audit::{self, AuditKey, KeyError};
use crate::call::{CallKey, CallResult};
use crate::posture::PostureBook;
use crate::runner::Sandbox;
use crate::store::{Store, StoreError, Tx, activity, holds, people};
use crate::walls::WallsBook;
use lease::Leases;

/// Longest wait of one hook call.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(600);
/// Runs at one time; more wait for a place.
const RUNS_MAX: usize = 16;

/// What the gate is built from.
pub struct GateParts {
    /// Whose server this is.
    pub tenant: TenantId,
    /// The vault.
    pub secrets: Arc<dyn SecretSource>,
    /// The engine that everything leaving the gate passes; whoever owns the vault replaces it when a secret changes.
    pub redaction: Shared,
    /// The policy in force.
    pub bundle: watch::Receiver<Arc<Bundle>>,
    /// The closed states in force; the gate adds a full disk.
    pub posture: PostureBook,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
    /// Who is told of each step.
    pub waypoints: Arc<dyn Waypoints>,
    /// How a runner is started.
    pub runner: RunnerCommand,
    /// What holds a run from within.
    pub sandbox: Sandbox,
    /// What holds it from outside.
    pub walls: WallsBook,
}

/// The program that calls [`crate::runner::run_from_stdin`], and the arguments that make it do so. Never holds a secret.
#[derive(Clone, Debug)]
pub struct RunnerCommand {
    /// Usually the daemon's own file.
    pub program: PathBuf,
    /// E.g. `["run-one"]`.
    pub args: Vec<String>,
    /// The arguments that make it call [`crate::runner::leaf()`] with the words behind `--`.
    pub leaf: Vec<String>,
}

/// Why the gate does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system refused.
    #[error("{path} cannot be used by the gate")]
    Folder {
        /// Which path.
        path: PathBuf,
        /// Its words.
        #[source]
        source: io::Error,
    },
    /// Another daemon works on it.
    #[error("{0} is in use by another daemon; stop it first")]
    InUse(PathBuf),
    /// The database refused.
    #[error("the gate's database cannot be opened")]
    Store(#[source] StoreError),
    /// The audit key refused.
    #[error("the audit key cannot be opened")]
    Key(#[source] KeyError),
}

/// Why the gate did not answer. What a rule or a person refuses is an [`Answer`], not an error.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// No such call of this agent.
    #[error("no such call; ask before-tool-call first")]
    UnknownCall,
    /// No such permit of this agent.
    #[error("no such permit; ask before-tool-call for one")]
    UnknownPermit,
    /// The key of a call was used again with other content.
    #[error("call {0} was proposed before with other content; give the new call its own id")]
    Conflict(CallId),
    /// The permit does not lead to a run here.
    #[error("{0}")]
    NotRunnable(String),
    /// A session, runtime or other text is not what it must be.
    #[error("{0}")]
    Invalid(String),
    /// Nothing can be recorded, so nothing is done.
    #[error("the gate is closed ({0}): {why}", why = .0.what_to_do())]
    Closed(Closed),
    /// The database refused.
    #[error("the gate could not record this; nothing was done, try again")]
    Store(#[source] StoreError),
    /// The agent's lease is bound to another connection, or to none any more.
    #[error("{0}")]
    Lease(&'static str),
    /// The kill switch counts, and would not after a restart.
    #[error("it is in force now but could not be recorded, so it ends with the daemon; free space and repeat it")]
    InForceOnly(#[source] Box<GateError>),
    /// A worker thread died.
    #[error("the gate was interrupted; try again")]
    Worker,
}

impl From<StoreError> for GateError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Closed(Closed::DiskFull),
            error => Self::Store(error),
        }
    }
}

/// The gate of one server. One for each state folder.
pub struct Gate {
    store: Arc<Store>,
    runs: PathBuf,
    state_dir: PathBuf,
    parts: GateParts,
    key: AuditKey,
    leases: RwLock<Leases>,
    switch: Arc<halt::Switch>,
    launching: Mutex<HashSet<PermitId>>,
    run_tokens: run_tokens::RunTokens,
    places: Semaphore,
    /// Held while a start of a sub-agent is judged.
    starting: tokio::sync::Mutex<()>,
    /// The last bundle that was named: its digest takes milliseconds.
    named: Mutex<Option<(Arc<Bundle>, BundleName)>>,
    changed: watch::Sender<u64>,
    pasts: past::Pasts,
    clean: clean::Clean,
    /// As they stood at a revision of `changed`.
    records: Mutex<Option<(u64, Arc<Records>)>>,
    /// Whether somebody is about to put away what was let pass.
    putting_away: AtomicBool,
    /// Whether the full disk in the book is ours to take back.
    full: AtomicBool,
    /// Held as long as the gate lives.
    _lock: File,
}

impl Gate {
    /// Opens the gate in `dir` (made when missing, 0700). Call [`Gate::resume_after_start`] before serving.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing is replaced that is there and cannot be read.
    pub fn open(dir: &Path, parts: GateParts) -> Result<Arc<Self>, OpenError> {
        let runs = dir.join("runs");
        for path in [dir, &runs] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
            made.map_err(|source| OpenError::Folder { path: path.to_owned(), source })?;
        }
        let lock = take_lock(&dir.join("gate.lock"))?;
        let state_dir = fs::canonicalize(dir).map_err(|source| OpenError::Folder { path: dir.to_owned(), source })?;
        let store = Store::open(&dir.join("gate.db")).map_err(OpenError::Store)?;
        let key = AuditKey::open(&dir.join(audit::KEY), &*parts.chance).map_err(OpenError::Key)?;
        let (leases, holds) =
            store.read(|conn| Ok((people::leases(conn)?, holds::all(conn)?))).map_err(OpenError::Store)?;
        let gate = Self {
            store: Arc::new(store),
            runs: state_dir.join("runs"),
            state_dir,
            key,
            leases: RwLock::new(Leases::of(leases)),
            switch: Arc::new(halt::Switch::new(holds)),
            launching: Mutex::default(),
            run_tokens: run_tokens::RunTokens::default(),
            places: Semaphore::new(RUNS_MAX),
            starting: tokio::sync::Mutex::default(),
            named: Mutex::default(),
            changed: watch::Sender::new(0),
            pasts: past::Pasts::default(),
            clean: clean::Clean::default(),
            records: Mutex::default(),
            putting_away: AtomicBool::new(false),
            full: AtomicBool::new(false),
            parts,
            _lock: lock,
        };
        gate.tell_all();
        Ok(Arc::new(gate))
    }

    /// Wakes whenever something was recorded: new approvals, progress, activity, audit rows.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The closed states that this gate reads.
    #[must_use]
    pub const fn posture(&self) -> &PostureBook {
        &self.parts.posture
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn launching(&self) -> MutexGuard<'_, HashSet<PermitId>> {
        self.launching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One transaction on a thread that may block.
    async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, GateError> {
        let store = Arc::clone(&self.store);
        let out = tokio::task::spawn_blocking(move || store.write(change)).await.map_err(|_| GateError::Worker)?;
        self.recorded(out)
    }

    /// What follows from a transaction: who waits is woken, and whether the disk is full is known.
    fn recorded<T>(&self, out: Result<T, StoreError>) -> Result<T, GateError> {
        let out = self.written(out)?;
        self.changed.send_modify(|revision| *revision += 1);
        Ok(out)
    }

    /// Whether the disk is full is known.
    fn written<T>(&self, out: Result<T, StoreError>) -> Result<T, GateError> {
        match &out {
            Ok(_) => self.disk_has_space(),
            Err(StoreError::Full) => self.disk_is_full(),
            Err(_) => {}
        }
        Ok(out?)
    }

    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, GateError> {
        let store = Arc::clone(&self.store);
        Ok(tokio::task::spawn_blocking(move || store.read(look)).await.map_err(|_| GateError::Worker)??)
    }

    fn disk_is_full(&self) {
        if self.parts.posture.close(Closed::DiskFull) {
            self.full.store(true, Ordering::SeqCst);
            tracing::error!("the disk is full: nothing new is allowed until the gate can record again");
        }
    }

    fn disk_has_space(&self) {
        if self.full.swap(false, Ordering::SeqCst) {
            self.parts.posture.reopen(Closed::DiskFull);
            tracing::info!("the gate can record again");
        }
    }

    /// Adds one row to the audit log about something outside the gate: a bundle applied, a secret changed.
    ///
    /// `fields`: plain data, no secret; texts are redacted once more.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn audit_note(&self, kind: &'static str, fields: Value) -> Result<(), GateError> {
        let (at, fields) = self.noted(&fields);
        self.write(move |tx| audit::append(tx, at, kind, None, &fields)).await
    }

    /// As [`audit_note`](Self::audit_note), with a line of activity for people; `about` is one word for what it is about.
    ///
    /// # Errors
    /// When it cannot be recorded; then neither is.
    pub async fn notice(
        &self,
        kind: &'static str,
        fields: Value,
        about: &'static str,
        summary: &str,
    ) -> Result<(), GateError> {
        let (at, fields) = self.noted(&fields);
        let summary = self.clean(summary);
        self.write(move |tx| {
            audit::append(tx, at, kind, None, &fields)?;
            activity::notice(tx, at, about, &summary)
        })
        .await
    }

    fn noted(&self, fields: &Value) -> (Timestamp, Value) {
        self.parts.secrets.catch_up();
        let text = self.clean(&fields.to_string());
        (self.now(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

/// Tries for a moment: a process that the last daemon was just starting holds the lock until it has its own program.
fn take_lock(path: &Path) -> Result<File, OpenError> {
    const TRIES: u32 = 50;
    const BETWEEN: Duration = Duration::from_millis(20);
    let folder = |source| OpenError::Folder { path: path.to_owned(), source };
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(folder)?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(BETWEEN),
            Err(fs::TryLockError::Error(source)) => return Err(folder(source)),
        }
    }
    Err(OpenError::InUse(path.to_owned()))
}

/// Proof that an agent's hook is alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Whose hook.
    pub agent: AgentName,
    /// The session that took or renewed it last.
    pub session: SessionId,
    /// What runs the agent, e.g. `openclaw/2026.11`.
    pub runtime: String,
    /// Until when it counts.
    pub until: Timestamp,
}

/// `POST /v1/hooks/session-start`.
#[derive(Clone, Debug, Deserialize)]
pub struct SessionStart {
    /// As the runtime calls it.
    pub session: SessionId,
    /// What runs the agent; 1 to 128 bytes.
    pub runtime: String,
    /// The session that started this one.
    #[serde(default)]
    pub parent_session: Option<SessionId>,
    /// Only asks how things stand: this session holds a lease that is bound to a connection, and takes no other.
    #[serde(default)]
    pub bound: bool,
}

/// Answer to [`SessionStart`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionStarted {
    /// Whose token it was.
    pub agent: AgentName,
    /// The lease taken or renewed.
    pub lease: LeaseTimes,
    /// `supervised`, `trusted`, `autonomous`; absent when the policy does not know the agent.
    pub level: Option<wardkeep_policy::Level>,
    /// The policy in force.
    pub bundle: BundleName,
    /// Closed states in force for this agent.
    pub closed: Vec<Closed>,
}

/// When a lease ends and when to renew it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LeaseTimes {
    /// Until when it counts.
    pub until_ms: Timestamp,
    /// Milliseconds from now.
    pub renew_after_ms: u64,
}

/// Names one bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BundleName {
    /// Its number.
    pub version: u64,
    /// SHA-256 of its canonical JSON.
    pub digest: Digest,
}

/// `POST /v1/hooks/before-tool-call`.
#[derive(Clone, Debug, Deserialize)]
pub struct Proposal {
    /// In which session.
    pub session: SessionId,
    /// Which call of it.
    pub call: CallId,
    /// The tool as the runtime names it.
    pub tool: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Value,
    /// Where a program would start.
    #[serde(default)]
    pub cwd: Option<String>,
    /// How long the answer may wait for a person, milliseconds; 600,000 at most.
    #[serde(default)]
    pub wait_ms: u64,
    /// The earlier call of this session that this one repeats, because its runtime was told to come back: when it is the very
    /// same call and a person was asked about it, it is that one, whatever became of it, and nobody is asked again.
    #[serde(default)]
    pub same_as: Option<CallId>,
    /// The runtime remembers nothing from one call to the next: when it was told to come back for the very same call of this session,
    /// and has not heard since what became of that one, this is that one, as with `same_as`.
    #[serde(default)]
    pub again: bool,
    /// The runtime will have the daemon's own MCP server carry it out, under the permit that it is given: what comes back by any
    /// other way is no result of it.
    #[serde(default)]
    pub own: bool,
    /// The runtime refused it by itself, so that nothing ran and nobody is asked: it is put on record as denied, and its result has a
    /// decision.
    #[serde(default)]
    pub unrun: bool,
}

/// `POST /v1/hooks/session-end`.
#[derive(Clone, Debug, Deserialize)]
pub struct SessionEnd {
    /// As it was given to session-start.
    pub session: SessionId,
}

/// `POST /v1/hooks/redact`.
#[derive(Clone, Debug, Deserialize)]
pub struct RedactRequest {
    /// In which session.
    pub session: SessionId,
    /// Any JSON: a message before it is stored, a result before a model sees it.
    pub value: Value,
}

/// `POST /v1/hooks/model-call`.
#[derive(Clone, Debug, Deserialize)]
pub struct ModelCall {
    /// In which session.
    pub session: SessionId,
    /// The run, as the runtime calls it.
    pub run: CallId,
    /// The trace id of its `traceparent` headers, 32 hexadecimal digits.
    pub trace: String,
}

/// `POST /v1/hooks/after-tool-call`.
#[derive(Clone, Debug, Deserialize)]
pub struct AfterToolCall {
    /// In which session.
    pub session: SessionId,
    /// Which call of it.
    pub call: CallId,
    /// What the tool gave.
    pub output: String,
    /// Whether the tool failed.
    #[serde(default)]
    pub is_error: bool,
}

/// `POST /v1/hooks/message-sending`.
#[derive(Clone, Debug, Deserialize)]
pub struct Outgoing {
    /// In which session.
    pub session: SessionId,
    /// Which call of it.
    pub call: CallId,
    /// `email`, `slack`, …
    pub channel: String,
    /// Every recipient.
    pub to: Vec<String>,
    /// The text.
    pub text: String,
    /// As for [`Proposal::wait_ms`].
    #[serde(default)]
    pub wait_ms: u64,
}

/// Answer to [`Outgoing`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutgoingAnswer {
    /// As for a tool call.
    #[serde(flatten)]
    pub answer: Answer,
    /// What may be sent: the text without secrets.
    pub text: String,
}

/// `POST /v1/hooks/llm-output`.
#[derive(Clone, Debug, Deserialize)]
pub struct LlmOutput {
    /// In which session.
    pub session: SessionId,
    /// What the model wrote.
    pub text: String,
    /// The calls it wants.
    #[serde(default)]
    pub tool_calls: Vec<WantedCall>,
}

/// One tool call in a model's answer.
#[derive(Clone, Debug, Deserialize)]
pub struct WantedCall {
    /// Its id.
    pub id: String,
    /// The tool.
    pub name: String,
}

/// Answer to [`Gate::execute`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Executed {
    /// Which call it was.
    pub call: CallId,
    /// What came of it.
    pub result: CallResult,
}

/// What a start found left over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// Runners that still work; their results will come.
    pub adopted: usize,
    /// Runners that had ended; their results were recorded.
    pub recorded: usize,
    /// Runs whose end nobody saw.
    pub interrupted: usize,
    /// Approved calls, and claimed ones that never began, that now start.
    pub launched: usize,
    /// Approvals that ran out.
    pub expired: usize,
}

fn key_of(agent: &AgentName, session: &SessionId, call: &CallId) -> CallKey {
    CallKey { agent: agent.clone(), session: session.clone(), call: call.clone() }
}

#[cfg(test)]
pub(crate) mod tests;
