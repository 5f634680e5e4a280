//! The gate as a whole, with real runners, a real database and a clock of our own.

mod bypasses;
mod crash;
mod decided;
mod egress;
mod fatigue;
mod flow;
mod given;
mod grants;
mod halt;
mod lease;
mod own;
mod passkeys;
mod refuse;
mod secret;
mod subagents;
mod turns;
mod vault;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64};

use serde_json::json;
use wardkeep_policy::agents::AgentPolicy;
use wardkeep_policy::bundle::{HostKind, HttpHost, LlmConfig};
use wardkeep_policy::{Asking, Class, Grant, Level, Posture};
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::{Destination, KnownValue, NotGiven, SecretValue};
use wardkeep_proto::waypoint::{NoWaypoints, Waypoint};
use wardkeep_proto::whom::Whom;
use wardkeep_redaction::{Engine, RuleSet, Secret};

use super::*;
use crate::approval::{Approval, ApprovalFilter, ApprovalState, Origin, Ruling, RulingError, Verdict};
use crate::call::RunStatus;
use crate::halt::{Holder, Order, Standing};
use crate::runner::tests::Pretended;
use crate::walls::Walls;

/// Stands in a vault under the name `token`.
pub(crate) const SECRET: &str = "tok-Zx81-very-secret-value";
const START: i64 = 1_790_000_000_000;

pub(crate) struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Counts instead of chance: the same story has the same ids.
struct Counted(AtomicU64);

impl Chance for Counted {
    fn fill(&self, out: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        for (at, byte) in out.iter_mut().enumerate() {
            *byte = number.to_le_bytes()[at % 8] ^ u8::try_from(at % 251).unwrap_or(0);
        }
    }
}

/// Programs of the tool `shell` that are given `token`: they show their environment, their arguments, their input.
const BOUND: &[&str] = &["printenv", "expr", "tac"];

/// Gives `token` to the host 127.0.0.1 and to these programs.
struct Vault {
    locked: AtomicBool,
    /// What redaction learns when somebody asks for it.
    news: Mutex<Option<Engine>>,
    redaction: Shared,
}

impl SecretSource for Vault {
    fn resolve(&self, name: &SecretName, to: Destination<'_>) -> Result<SecretValue, NotGiven> {
        if self.locked.load(Ordering::SeqCst) {
            return Err(NotGiven::Locked);
        }
        if name.as_str() != "token" {
            return Err(NotGiven::Unknown(name.clone()));
        }
        match to {
            Destination::Host { host: "127.0.0.1", .. } => Ok(SecretValue::new(SECRET.to_owned())),
            Destination::Program { tool: "shell", program } if BOUND.contains(&program) => {
                Ok(SecretValue::new(SECRET.to_owned()))
            }
            to => Err(NotGiven::not_bound(name, to)),
        }
    }

    fn every_value(&self) -> Result<Vec<KnownValue>, NotGiven> {
        if self.locked.load(Ordering::SeqCst) {
            return Err(NotGiven::Locked);
        }
        if self.news.lock().unwrap().is_some() {
            return Ok(Vec::new());
        }
        Ok(vec![KnownValue {
            name: "token".parse().unwrap(),
            value: SecretValue::new(SECRET.to_owned()),
            beside: None,
        }])
    }

    fn catch_up(&self) {
        if let Some(engine) = self.news.lock().unwrap().take() {
            self.redaction.replace(engine);
        }
    }
}

/// Dies at one point: the task that passes it ends there, and so does every other that passes any point later.
struct DieAt {
    at: Waypoint,
    dead: AtomicBool,
}

impl Waypoints for DieAt {
    fn pass(&self, at: Waypoint) {
        if at == self.at {
            self.dead.store(true, Ordering::SeqCst);
        }
        if self.dead.load(Ordering::SeqCst) {
            // Without the panic hook: this is the plan, not a failure.
            std::panic::resume_unwind(Box::new("the daemon dies here"));
        }
    }
}

/// One server: what survives the death of its daemon.
pub(crate) struct World {
    root: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    chance: Arc<Counted>,
    vault: Arc<Vault>,
    pub(crate) posture: PostureBook,
    pub(crate) bundle: watch::Sender<Arc<Bundle>>,
    engine: Shared,
    walls: WallsBook,
}

impl World {
    pub(crate) fn new(level: Level) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("ws")).unwrap();
        fs::create_dir(root.path().join("units")).unwrap();
        let engine = Shared::new(Engine::build([Secret::new("token", SECRET)], &RuleSet::builtin(), [7; 32]).unwrap());
        let world = Self {
            clock: Arc::new(ManualClock(AtomicI64::new(START))),
            chance: Arc::new(Counted(AtomicU64::new(1))),
            vault: Arc::new(Vault {
                locked: AtomicBool::new(false),
                news: Mutex::default(),
                redaction: engine.clone(),
            }),
            posture: PostureBook::new(Posture::open()),
            bundle: watch::Sender::new(Arc::new(Bundle::strict())),
            engine,
            walls: WallsBook::new(Walls::Process, Arc::new(Pretended::new(&root.path().join("units")))),
            root,
        };
        world.publish(1, level);
        world
    }

    /// Puts a policy in force: the agent `office` at that level.
    pub(crate) fn publish(&self, version: u64, level: Level) {
        self.publish_with(version, level, Vec::new(), Asking::default());
    }

    /// The same with grants and bounds of asking.
    pub(crate) fn publish_with(&self, version: u64, level: Level, grants: Vec<Grant>, asking: Asking) {
        let agent = AgentPolicy { grants, ..self.agent(level) };
        self.publish_agent(version, agent, asking);
    }

    /// The agent `office` at that level, with nothing more.
    pub(crate) fn agent(&self, level: Level) -> AgentPolicy {
        AgentPolicy {
            name: office(),
            level,
            version: None,
            tools: None,
            models: Vec::new(),
            grants: Vec::new(),
            subagents: Default::default(),
            workspace: self.ws().display().to_string(),
        }
    }

    /// Puts a policy in force with this one agent.
    pub(crate) fn publish_agent(&self, version: u64, agent: AgentPolicy, asking: Asking) {
        let mut bundle = Bundle::default_for(tenant(), vec![agent], LlmConfig::default(), Timestamp(START));
        bundle.version = version;
        bundle.asking = asking;
        bundle.http = vec![HttpHost { host: "127.0.0.1".to_owned(), kind: HostKind::Known }];
        self.bundle.send_replace(Arc::new(bundle));
    }

    /// From now on runs are held in units.
    pub(crate) fn with_units(self) -> Self {
        self.walls.set(Walls::Unit);
        self
    }

    pub(crate) fn units(&self) -> PathBuf {
        self.root.path().join("units")
    }

    pub(crate) fn ws(&self) -> PathBuf {
        self.root.path().join("ws")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    pub(crate) fn later(&self, by: Duration) {
        self.clock.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// The secret was stored this moment: redaction has not looked yet.
    pub(crate) fn unlearn(&self) {
        let engine = Engine::build(std::iter::empty::<Secret<'_>>(), &RuleSet::builtin(), [7; 32]).unwrap();
        let known = self.engine.load();
        self.engine.replace(engine);
        *self.vault.news.lock().unwrap() = Some(known.with_rules(&RuleSet::builtin()));
    }

    pub(crate) fn lock_vault(&self) {
        self.vault.locked.store(true, Ordering::SeqCst);
        self.posture.close(Closed::VaultLocked);
    }

    pub(crate) fn open_vault(&self) {
        self.vault.locked.store(false, Ordering::SeqCst);
        self.posture.reopen(Closed::VaultLocked);
    }

    /// A daemon that does not die.
    pub(crate) fn gate(&self) -> Arc<Gate> {
        self.try_gate(Arc::new(NoWaypoints)).unwrap()
    }

    /// The next daemon, as soon as the one before has let go: a task of its that ends may hold it for a moment.
    pub(crate) async fn next_gate(&self) -> Arc<Gate> {
        loop {
            match self.try_gate(Arc::new(NoWaypoints)) {
                Err(OpenError::InUse(_)) => tokio::task::yield_now().await,
                gate => return gate.unwrap(),
            }
        }
    }

    fn try_gate(&self, waypoints: Arc<dyn Waypoints>) -> Result<Arc<Gate>, OpenError> {
        Gate::open(
            &self.state(),
            GateParts {
                tenant: tenant(),
                secrets: self.vault.clone(),
                redaction: self.engine.clone(),
                bundle: self.bundle.subscribe(),
                posture: self.posture.clone(),
                clock: self.clock.clone(),
                chance: self.chance.clone(),
                waypoints,
                runner: crate::runner::tests::runner(),
                sandbox: Sandbox::Landlock,
                walls: self.walls.clone(),
            },
        )
    }

    /// What a program wrote each time it ran.
    pub(crate) fn runs(&self) -> usize {
        fs::read_to_string(self.ws().join("ran")).map_or(0, |text| text.lines().count())
    }

    /// Whether the value of the secret stands anywhere in the state folder.
    pub(crate) fn state_holds_the_secret(&self) -> bool {
        // The folder of a run that has just ended may go while it is looked at.
        fn holds(path: &Path) -> bool {
            if let Ok(entries) = fs::read_dir(path) {
                return entries.flatten().any(|entry| holds(&entry.path()));
            }
            fs::read(path).is_ok_and(|bytes| bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()))
        }
        assert!(self.state().join("gate.db").exists());
        holds(&self.state())
    }
}

fn tenant() -> TenantId {
    "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()
}

pub(crate) fn office() -> AgentName {
    "office".parse().unwrap()
}

pub(crate) fn call(id: &str, tool: &str, args: Value) -> Proposal {
    Proposal {
        session: "s1".parse().unwrap(),
        call: id.parse().unwrap(),
        tool: tool.to_owned(),
        args,
        cwd: None,
        wait_ms: 0,
        same_as: None,
        again: false,
        own: false,
        unrun: false,
    }
}

/// Leaves one line in `ran` for each run.
pub(crate) fn counted(id: &str) -> Proposal {
    call(id, "shell", json!({"command": "echo run >> ran"}))
}

pub(crate) fn ruling(verdict: Verdict) -> Ruling {
    let by = "ada@example.com".to_owned();
    Ruling { verdict, by, at: Timestamp(START), origin: Origin::Hub, note: String::new(), passkey: None, grant: None }
}

/// An order about the agent `office`.
pub(crate) fn order(holder: Holder, reason: &str) -> Order {
    Order { whom: Whom::Agent(office()), holder, by: "ada@example.com".to_owned(), reason: reason.to_owned() }
}

/// The answer once it is final. Bounded by the test's own patience, not by sleeping.
pub(crate) async fn settled(gate: &Arc<Gate>, id: &str) -> Answer {
    let answer =
        gate.call_status(&office(), &"s1".parse().unwrap(), &id.parse().unwrap(), Duration::from_secs(30)).await;
    answer.unwrap()
}

pub(crate) fn digest_of(answer: &Answer) -> Digest {
    match answer {
        Answer::Pending { digest: Some(digest), .. } => *digest,
        other => panic!("not waiting for a person: {other:?}"),
    }
}

pub(crate) fn permit_of(answer: &Answer) -> PermitId {
    match answer {
        Answer::Allow { permit, .. } => *permit,
        other => panic!("not allowed: {other:?}"),
    }
}

pub(crate) fn reasons_of(answer: &Answer) -> String {
    match answer {
        Answer::Deny { reasons, .. } => reasons.join("; "),
        other => panic!("not denied: {other:?}"),
    }
}

pub(crate) fn result_of(answer: &Answer) -> &CallResult {
    match answer {
        Answer::Done { result, .. } => result,
        other => panic!("not done: {other:?}"),
    }
}

pub(crate) async fn approval(gate: &Gate, digest: Digest) -> Approval {
    gate.approval(digest).await.unwrap().unwrap()
}

/// Kinds of audit rows, and how many of each.
pub(crate) async fn audit_kinds(gate: &Gate) -> HashMap<String, usize> {
    let mut kinds = HashMap::new();
    for row in gate.audit_after(0, 1000).await.unwrap() {
        *kinds.entry(row.kind).or_default() += 1;
    }
    kinds
}
