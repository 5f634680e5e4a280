use std::path::Path;

use serde_json::json;
use wardkeep_egress::{Admission, Meter, Run, Settlement, Usage};
use wardkeep_policy::signed::sign;
use wardkeep_policy::{Bundle, Closed, LlmConfig, Posture, Tariff};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{AgentName, BootId, CommandId};
use wardkeep_proto::secret::AgentTokens as _;
use wardkeep_proto::v1::hub_message::Body as Down;
use wardkeep_proto::v1::tenant_message::Body as Up;
use wardkeep_proto::v1::{self};
use wardkeep_proto::waypoint::NoWaypoints;
use wardkeep_proto::whom::Whom;
use wardkeep_redaction::Shared;
use wardkeep_safety::{Gate, GateParts, Holder, Order, PostureBook, Proposal, RunnerCommand, Sandbox};
use wardkeep_vault::KeySource;
use zeroize::Zeroizing;

use super::commands::Commander;
use super::decision::Verdict;
use super::decision::tests::{key, signed};
use super::journal::Journal;
use super::*;
use crate::bundle_ledger::BundleLedger;
use crate::doctor::{Examiner, Finding};
use crate::enrol::enrol;
use crate::secrets::{VaultBook, VaultParts, patterns_only};
use crate::servers::Listening;
use crate::testing::hub::{Attached, DECISION, FakeHub, online_key};
use crate::testing::{Counted, NOW, TestClock};
use crate::tokens::{Existing, TokenBook, make};

struct Healthy;

impl Examiner for Healthy {
    fn examine(&self) -> std::pin::Pin<Box<dyn Future<Output = Vec<Finding>> + Send + '_>> {
        Box::pin(async { Vec::new() })
    }
}

/// A whole tenant but for its listeners, enrolled with a fake hub and linked to it.
struct Tenant {
    hub: FakeHub,
    gate: Arc<Gate>,
    meter: Meter,
    bundles: Arc<BundleBook>,
    posture: PostureBook,
    parts: Arc<LinkParts>,
    stop: CancellationToken,
    link: tokio::task::JoinHandle<()>,
    dir: tempfile::TempDir,
}

impl Tenant {
    async fn start() -> Self {
        let hub = FakeHub::start().await;
        let dir = tempfile::tempdir().expect("tempdir");
        let state = crate::state::StateDir::open(&dir.path().join("state")).expect("opens");
        let identity_dir = IdentityDir::new(state.identity());
        let identity = enrol(&identity_dir, &hub.token(), "acme-1", NOW).await.expect("enrolled");
        let posture = PostureBook::new(Posture::open());
        let (clock, chance): (Arc<dyn Clock>, Arc<dyn Chance>) =
            (Arc::new(TestClock::new()), Arc::new(Counted::default()));
        let redaction = Shared::new(patterns_only(&[1; 32]).expect("builds"));
        let ledger = BundleLedger::open(state.bundle(), identity_dir.clone(), &identity);
        let bundles = Arc::new(BundleBook::new(ledger, posture.clone(), clock.clone(), Arc::new(NoWaypoints)));
        let vault = Arc::new(VaultBook::new(VaultParts {
            path: state.vault(),
            key: KeySource::File(dir.path().join("vault.key")),
            clock: clock.clone(),
            redaction: redaction.clone(),
            tag_key: Zeroizing::new([1; 32]),
            posture: posture.clone(),
            bundle: bundles.watch(),
        }));
        // The strict bundle is enough for these tests; only its own closed state is in the way of an approval.
        posture.reopen(Closed::NoBundle);
        let gate = Gate::open(
            &state.gate(),
            GateParts {
                tenant: identity.tenant,
                secrets: vault.clone(),
                redaction,
                bundle: bundles.watch(),
                posture: posture.clone(),
                clock: clock.clone(),
                chance: chance.clone(),
                waypoints: Arc::new(NoWaypoints),
                runner: RunnerCommand { program: "/bin/false".into(), args: Vec::new(), leaf: Vec::new() },
                sandbox: Sandbox::Off,
                walls: wardkeep_safety::WallsBook::processes(),
            },
        )
        .expect("opens");
        let meter = Meter::open(&state.usage(), clock.clone(), Arc::new(NoWaypoints)).expect("opens");
        let spool = Arc::new(Spool::open(gate.clone(), meter.clone(), state.path().join("link.json")));
        let (link_state, link) = watch::channel(LinkState::default());
        let observer = Arc::new(Observer {
            gate: gate.clone(),
            posture: posture.clone(),
            bundles: bundles.clone(),
            vault,
            spool: spool.clone(),
            link,
            boot: BootId::new(NOW, &*chance),
            started_at: NOW,
            tenant: (identity.tenant, identity.name.clone(), hub.address.clone()),
            listening: listening(dir.path()),
            providers: Arc::new(Vec::new),
            walls: wardkeep_safety::WallsBook::processes(),
            clock: clock.clone(),
        });
        let journal = Journal::new(state.commands());
        let commander = Arc::new(Commander::new(journal, gate.clone(), Arc::new(Healthy), clock.clone()));
        let parts = Arc::new(LinkParts {
            hub: hub.address.clone(),
            identity_dir,
            spool,
            bundles: bundles.clone(),
            commander,
            observer,
            clock,
            chance,
            waypoints: Arc::new(NoWaypoints),
            state: link_state,
            checkpoint_now: Notify::new(),
        });
        let stop = CancellationToken::new();
        let link = tokio::spawn(run(parts.clone(), identity, stop.clone()));
        Self { hub, gate, meter, bundles, posture, parts, stop, link, dir }
    }

    /// A call that needs a person, and the digest of its approval.
    async fn ask(&self, call: &str) -> Digest {
        let proposal: Proposal = serde_json::from_value(json!({
            "session": "s-1", "call": call, "tool": "send_email",
            "args": { "to": ["ada@example.com"], "subject": call, "body": "hello" },
        }))
        .expect("a proposal");
        let agent: AgentName = "office".parse().expect("valid");
        let answer = self.gate.before_tool_call(&agent, proposal).await.expect("an answer");
        match answer {
            wardkeep_safety::Answer::Pending { digest: Some(digest), .. } => digest,
            other => panic!("not pending: {other:?}"),
        }
    }

    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(10), self.link).await.expect("it stops").expect("no panic");
        self.meter.close();
        drop(self.dir);
    }
}

fn listening(dir: &Path) -> Listening {
    let addr = "127.0.0.1:1".parse().expect("an address");
    Listening { hooks: addr, llm: addr, proxy: addr, hook_socket: dir.join("h"), admin_socket: dir.join("a"), pid: 1 }
}

async fn decision_receipt(stream: &mut Attached) -> v1::DecisionReceipt {
    stream.until(|up| if let Up::DecisionReceipt(receipt) = up { Some(receipt) } else { None }).await
}

#[tokio::test]
async fn an_approval_goes_up_until_its_receipt_and_its_end_until_the_rows_receipt() {
    let tenant = Tenant::start().await;
    let mut stream = tenant.hub.next_stream().await;
    let hello = stream.greet().await;
    assert_eq!((hello.protocol_min, hello.protocol_max), (1, 1));
    assert_eq!(hello.status.expect("the full status").generation, 0);
    let digest = tenant.ask("c-1").await;
    let request = stream.until(|up| if let Up::ApprovalRequest(request) = up { Some(request) } else { None }).await;
    assert_eq!(request.digest, digest.0);

    // No receipt before the connection breaks: the next one begins with it again.
    drop(stream);
    let mut stream = tenant.hub.next_stream().await;
    stream.greet().await;
    let request = stream.until(|up| if let Up::ApprovalRequest(request) = up { Some(request) } else { None }).await;
    stream.send(Down::ApprovalReceipt(v1::ApprovalReceipt { digest: request.digest.clone() })).await;

    let good = signed(digest, Verdict::Denied, tenant.parts.observer.tenant.0, &key(DECISION));
    for bad in [
        v1::ApprovalDecision { verdict: v1::Verdict::Approved.into(), ..good.clone() },
        signed(digest, Verdict::Approved, tenant.parts.observer.tenant.0, &key(99)),
    ] {
        stream.send(Down::ApprovalDecision(bad)).await;
        let receipt = decision_receipt(&mut stream).await;
        assert!(!receipt.accepted && receipt.error.contains("not signed"), "{receipt:?}");
    }
    assert_eq!(tenant.gate.open_approvals().await.expect("reads"), 1, "nothing was decided");
    for _ in 0..2 {
        stream.send(Down::ApprovalDecision(good.clone())).await;
        assert!(decision_receipt(&mut stream).await.accepted, "also when it is repeated");
    }
    let other = signed(digest, Verdict::Approved, tenant.parts.observer.tenant.0, &key(DECISION));
    stream.send(Down::ApprovalDecision(other)).await;
    assert!(!decision_receipt(&mut stream).await.accepted, "the first decision counts");

    // The end of it went up before its rows: the receipt of the rows covers both.
    assert_eq!(tenant.parts.spool.waiting().await.expect("reads").progress, 1);
    let mut changes = tenant.gate.changes();
    let receipt = |number| Down::ActivityReceipt(v1::ActivityReceipt { number });
    stream.send(receipt(stream.activity)).await;
    loop {
        let waiting = tenant.parts.spool.waiting().await.expect("reads");
        if (waiting.approvals, waiting.progress) == (0, 0) {
            break;
        }
        tokio::select! {
            body = stream.next() => if matches!(body, Up::Activity(_)) { stream.send(receipt(stream.activity)).await },
            changed = changes.changed() => changed.expect("the gate lives"),
        }
    }
    assert!(tenant.parts.state.borrow().online);
    tenant.end().await;
}

#[tokio::test]
async fn only_a_signed_configuration_is_applied_and_its_fate_is_reported() {
    let tenant = Tenant::start().await;
    let mut stream = tenant.hub.next_stream().await;
    stream.greet().await;
    let id = tenant.parts.observer.tenant.0;
    let bundle = Bundle::default_for(id, Vec::new(), LlmConfig::default(), NOW);
    let bytes = bundle.to_json().expect("json");
    for (generation, envelope, applied) in
        [(1, bytes.clone(), false), (1, sign(&bytes, &key(77)), false), (1, sign(&bytes, &online_key()), true)]
    {
        stream.send(Down::Desired(v1::Desired { generation, bundle: envelope, key_list: Vec::new() })).await;
        let report = stream.until(|up| if let Up::Generation(report) = up { Some(report) } else { None }).await;
        assert_eq!((report.generation, report.applied, report.error.is_empty()), (1, applied, applied), "{report:?}");
    }
    assert_eq!((tenant.bundles.facts().version, tenant.bundles.watch().borrow().version), (1, 1));
    assert!(!tenant.posture.read().has(Closed::NoBundle));
    // A hub that lost count asks, and gets everything.
    stream.send(Down::ReportFullStatus(v1::ReportFullStatus { reason: "test".into() })).await;
    let status = stream.until(|up| if let Up::Status(status) = up { Some(status) } else { None }).await;
    assert_eq!(status.generation, 1);
    tenant.end().await;
}

#[tokio::test]
async fn a_command_acts_once_and_a_repeat_is_answered_from_the_journal() {
    let tenant = Tenant::start().await;
    let mut stream = tenant.hub.next_stream().await;
    stream.greet().await;
    let chance = Counted::default();
    let agent: AgentName = "office".parse().expect("valid");
    let id = CommandId::new(NOW, &chance).to_string();
    let pause = v1::command::Kind::PauseAgent(v1::PauseAgent {
        agent: agent.to_string(),
        reason: "test".into(),
        by: "ada".into(),
    });
    let command = v1::Command { id: id.clone(), deadline_ms: NOW.millis() + 60_000, kind: Some(pause.clone()) };
    let ended = |up| match up {
        Up::CommandProgress(progress) if progress.state != i32::from(v1::CommandState::Received) => Some(progress),
        _ => None,
    };
    stream.send(Down::Command(command.clone())).await;
    let first = stream.until(ended).await;
    assert_eq!((first.id.as_str(), first.state()), (id.as_str(), v1::CommandState::Succeeded));
    assert_eq!(tenant.gate.holds().len(), 1);

    // A person resumes the agent; the repeated command must not pause it again.
    let (whom, by, reason) = (Whom::Agent(agent), "local:uid-0".to_owned(), "looked at it".to_owned());
    tenant.gate.resume(Order { whom, holder: Holder::Local, by, reason }).await.expect("resumes");
    stream.send(Down::Command(command)).await;
    assert_eq!(stream.until(ended).await, first);
    assert!(tenant.gate.holds().is_empty());

    let late =
        v1::Command { id: CommandId::new(NOW, &chance).to_string(), deadline_ms: NOW.millis() - 1, kind: Some(pause) };
    let unknown = v1::Command { id: CommandId::new(NOW, &chance).to_string(), deadline_ms: i64::MAX, kind: None };
    for (command, want) in [(late, v1::CommandState::Expired), (unknown, v1::CommandState::Refused)] {
        stream.send(Down::Command(command)).await;
        assert_eq!(stream.until(ended).await.state(), want);
    }
    assert!(tenant.gate.holds().is_empty());
    tenant.end().await;
}

#[tokio::test]
async fn a_hub_that_breaks_the_protocol_is_left_and_tried_again() {
    let tenant = Tenant::start().await;
    let welcome = |protocol| Down::Welcome(v1::Welcome { protocol, heartbeat_ms: 0, epoch: 1, hub_time_ms: 0 });
    let mut stream = tenant.hub.next_stream().await;
    stream.send(Down::ReportFullStatus(v1::ReportFullStatus::default())).await;
    let mut stream = tenant.hub.next_stream().await;
    stream.send(welcome(2)).await;
    let mut stream = tenant.hub.next_stream().await;
    stream.greet().await;
    stream.send_numbered(7, Down::ReportFullStatus(v1::ReportFullStatus::default())).await;
    let mut stream = tenant.hub.next_stream().await;
    let hello = stream.greet().await;
    assert_eq!(hello.boot_id, tenant.parts.observer.boot_id().to_string(), "the same start of the daemon");
    tenant.end().await;
}

#[tokio::test]
async fn usage_and_checkpoints_are_reported_until_the_hub_has_them() {
    let tenant = Tenant::start().await;
    let mut stream = tenant.hub.next_stream().await;
    stream.greet().await;
    let admission = Admission {
        agent: "office".parse().expect("valid"),
        provider: "sim".into(),
        model: "small".into(),
        estimated_input: 5,
        max_output: 0,
        tariff: Tariff::default(),
        run: Run::default(),
        caps: Vec::new(),
    };
    let settlement = Settlement { usage: Usage { input: 7, output: 3, ..Usage::default() }, estimated: false };
    tenant.meter.record(admission, settlement).await.expect("recorded");
    let reported = async {
        while !tenant.meter.buckets_to_report(10).await.expect("reads").is_empty() {
            tokio::task::yield_now().await;
        }
        let mut state = tenant.parts.state.subscribe();
        tenant.gate.audit_note("test", json!({})).await.expect("written");
        let length = tenant.gate.audit_head().await.expect("reads").length;
        tenant.parts.checkpoint_now.notify_one();
        state.wait_for(|state| state.checkpoint_length >= length).await.map(|_| ()).expect("the link lives");
    };
    tokio::time::timeout(Duration::from_secs(20), reported).await.expect("in time");
    let (inputs, checkpoint) = {
        let seen = tenant.hub.seen.lock().expect("unpoisoned");
        let inputs: Vec<u64> = seen.usage.iter().flat_map(|r| &r.buckets).map(|b| b.input_tokens).collect();
        (inputs, seen.checkpoints.last().cloned().expect("a checkpoint"))
    };
    assert_eq!(inputs, [7]);
    assert_eq!(checkpoint.audit_key, tenant.gate.audit_key());
    tenant.end().await;
}

#[tokio::test]
async fn the_end_of_a_budget_is_in_the_audit_log_and_told_to_people() {
    use wardkeep_egress::{Reason, Reports as _, Stop};

    let tenant = Tenant::start().await;
    let mut changes = tenant.gate.changes();
    let book = crate::stops::StopBook::new(tenant.gate.clone());
    let stop = |enforced| Stop {
        agent: "office".parse().expect("valid"),
        session: None,
        model: "sonnet".to_owned(),
        reason: Reason::Requests { scope: None, most: 3 },
        opens: None,
        contact: None,
        enforced,
        untold: 0,
    };
    book.stopped(stop(true));
    book.stopped(stop(false));
    let recorded = async {
        loop {
            let rows = tenant.gate.audit_after(0, 100).await.expect("reads");
            let kinds: Vec<_> =
                rows.into_iter().map(|row| row.kind).filter(|kind| kind.starts_with("budget-")).collect();
            if kinds.len() == 2 {
                return kinds;
            }
            changes.changed().await.expect("the gate lives");
        }
    };
    let kinds = tokio::time::timeout(Duration::from_secs(20), recorded).await.expect("in time");
    assert_eq!(kinds, ["budget-stop", "budget-over"]);
    let lines = tenant.gate.activity_after(0, 100).await.expect("reads");
    let told: Vec<_> = lines.iter().filter(|line| line.tool == "budget").map(|line| line.summary.as_str()).collect();
    assert_eq!(told.len(), 2);
    assert!(
        told[0].starts_with("agent office was stopped by its budget: all agents of this server together may begin 3")
    );
    tenant.end().await;
}

#[tokio::test]
async fn the_daemons_own_user_cannot_decide_without_the_admin_token() {
    use crate::servers::admin::{self, AdminState};
    use crate::servers::peer::{Peer, PeerChecked};
    use crate::servers::token::AdminToken;
    use crate::testing::Fixed;
    use crate::unix_http::{ClientError, UnixClient};

    let tenant = Tenant::start().await;
    let digest = tenant.ask("c-1").await;
    let token_file = tenant.dir.path().join("tokens.json");
    let tokens = Arc::new(TokenBook::open(token_file.clone()).expect("opens"));
    let (socket, file) = (tenant.dir.path().join("admin.sock"), tenant.dir.path().join("admin.token"));
    let state = AdminState {
        gate: tenant.gate.clone(),
        observer: tenant.parts.observer.clone(),
        vault: tenant.parts.observer.vault.clone(),
        meter: tenant.meter.clone(),
        attempts: admin::Attempts::default(),
        clock: tenant.parts.clock.clone(),
        tokens: tokens.clone(),
        nudge: Arc::new(Notify::new()),
        checkpoint: Arc::new(|| ()),
        token: AdminToken::take_up(&file, &Fixed(0xab)).expect("made"),
    };
    let listener = tokio::net::UnixListener::bind(&socket).expect("binds");
    let listener = PeerChecked::new(listener, rustix::process::geteuid().as_raw());
    let routes = admin::router(state).into_make_service_with_connect_info::<Peer>();
    let serving = tokio::spawn(axum::serve(listener, routes).into_future());

    let (own, run) = (UnixClient::admin(&socket, &file), UnixClient::new(&socket));
    let (decision, verdict) = (format!("/v1/approvals/{digest}/decision"), json!({ "verdict": "denied" }));
    let refused = |answer| matches!(answer, Err(ClientError::Refused { status, .. }) if status.as_u16() == 401);
    for (path, body) in [
        (decision.as_str(), &verdict),
        ("/v1/standing", &json!({ "whom": "office", "to": "stopped", "reason": "x" })),
        ("/v1/reload", &json!({})),
        ("/v1/checkpoint", &json!({})),
    ] {
        assert!(refused(run.post(path, body).await), "{path}");
    }
    let usage = "/v1/usage?by=run&since_ms=0&limit=9";
    for path in
        ["/v1/status", "/v1/approvals", "/v1/audit?after=0&limit=1", usage, decision.trim_end_matches("/decision")]
    {
        assert!(refused(run.get(path).await), "{path}");
    }
    assert_eq!(tenant.gate.open_approvals().await.expect("reads"), 1, "nothing was decided");
    assert!(tenant.gate.holds().is_empty());

    for path in ["/v1/status", "/v1/approvals", "/v1/audit?after=0&limit=1", usage] {
        own.get(path).await.expect("heard");
    }
    own.post(&decision, &verdict).await.expect("decided");
    assert_eq!(tenant.gate.open_approvals().await.expect("reads"), 0);

    let agent = "office".parse().expect("valid");
    let made = make(&token_file, &agent, Existing::Keep, NOW, &Counted::default()).expect("made");
    assert_eq!(tokens.agent_of(made.expose()), None);
    own.post("/v1/reload", &json!({})).await.expect("reloaded");
    assert_eq!(tokens.agent_of(made.expose()), Some(agent), "a token counts once its maker has an answer");
    serving.abort();
    tenant.end().await;
}

#[tokio::test]
async fn the_owners_key_goes_in_over_the_admin_socket_and_a_wrong_one_costs_time() {
    use wardkeep_vault::{Key, Terms, Vault};

    use crate::servers::admin::{self, AdminState};
    use crate::servers::peer::{Peer, PeerChecked};
    use crate::servers::token::AdminToken;
    use crate::testing::Fixed;
    use crate::unix_http::{ClientError, UnixClient};

    let tenant = Tenant::start().await;
    let phrase = wardkeep_proto::secret::SecretValue::new("six words that nobody else knows".into());
    let (path, clock) = (tenant.dir.path().join("state/vault.db"), tenant.parts.clock.clone());
    let vault = Vault::create_with_passphrase(&path, &phrase, clock, &Fixed(7)).expect("made");
    let value = wardkeep_proto::secret::SecretValue::new("correct-horse-battery".into());
    vault.set(&"k".parse().expect("valid"), &value, &Terms::default()).expect("set");
    let book = tenant.parts.observer.vault.clone();
    book.refresh();
    assert!(tenant.posture.read().has(Closed::VaultUnread));

    let (socket, file) = (tenant.dir.path().join("admin.sock"), tenant.dir.path().join("admin.token"));
    let state = AdminState {
        gate: tenant.gate.clone(),
        observer: tenant.parts.observer.clone(),
        vault: book.clone(),
        meter: tenant.meter.clone(),
        attempts: admin::Attempts::default(),
        clock: tenant.parts.clock.clone(),
        tokens: Arc::new(TokenBook::open(tenant.dir.path().join("tokens.json")).expect("opens")),
        nudge: Arc::new(Notify::new()),
        checkpoint: Arc::new(|| ()),
        token: AdminToken::take_up(&file, &Fixed(0xab)).expect("made"),
    };
    let listener = tokio::net::UnixListener::bind(&socket).expect("binds");
    let listener = PeerChecked::new(listener, rustix::process::geteuid().as_raw());
    let routes = admin::router(state).into_make_service_with_connect_info::<Peer>();
    let serving = tokio::spawn(axum::serve(listener, routes).into_future());
    let client = UnixClient::admin(&socket, &file);
    let unlock = async |key: String| client.post("/v1/vault/unlock", &json!({ "key": key })).await;

    let begun = std::time::Instant::now();
    let wrong = Key::random(&Fixed(1)).expose_hex().to_string();
    let refused = unlock(wrong).await.expect_err("another key");
    assert!(matches!(refused, ClientError::Refused { .. }) && refused.to_string().contains("passphrase"), "{refused}");
    assert!(begun.elapsed() >= Duration::from_secs(1), "the next try waits");
    assert!(tenant.posture.read().has(Closed::VaultUnread));
    let anybody = UnixClient::new(&socket).post("/v1/vault/unlock", &json!({ "key": "00" })).await;
    assert!(anybody.is_err(), "without the token nobody is heard");

    unlock(vault.key().expose_hex().to_string()).await.expect("opens");
    assert!(!tenant.posture.read().has(Closed::VaultLocked));
    client.post("/v1/vault/lock", &json!({ "forget": false })).await.expect("locks");
    assert!(tenant.posture.read().has(Closed::VaultLocked) && !tenant.posture.read().has(Closed::VaultUnread));
    let kinds: Vec<String> =
        tenant.gate.audit_after(0, 100).await.expect("reads").into_iter().map(|row| row.kind).collect();
    let wanted = ["vault-unlock-refused", "vault-unlocked", "vault-locked"];
    assert_eq!(kinds.iter().filter(|kind| kind.starts_with("vault-")).collect::<Vec<_>>(), wanted);
    serving.abort();
}
