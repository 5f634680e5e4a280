//! A real client over mutual TLS, in this process.

mod damage;

use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status, Streaming};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::v1;
use wardkeep_proto::v1::enrolment_client::EnrolmentClient;
use wardkeep_proto::v1::hub_message::Body as Down;
use wardkeep_proto::v1::report_client::ReportClient;
use wardkeep_proto::v1::tenant_link_client::TenantLinkClient;
use wardkeep_proto::v1::tenant_message::Body as Up;

use crate::app::App;
use crate::ca::SERVER_NAME;
use crate::decisions::signed_text;
use crate::keys::Keys;
use crate::store::Caller;
use crate::store::approvals::{Receipt, Verdict};
use crate::testing::{TestClock, World, approval};

/// A hub that serves.
struct Served {
    app: App,
    keys: Keys,
    clock: std::sync::Arc<TestClock>,
    address: String,
    tenant: TenantId,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    dir: tempfile::TempDir,
}

/// What a daemon holds after enrolment.
#[derive(Clone)]
struct Daemon {
    chain: String,
    key: String,
}

impl Served {
    async fn new() -> Self {
        let world = World::new().await;
        let tenant = world.tenant("bakery", "bakery").await;
        let World { dir, clock, keys, hub, .. } = world;
        let (app, stop) = (hub.app().clone(), CancellationToken::new());
        let address = app.web.link_address.clone();
        let ending = stop.clone();
        let running = tokio::spawn(async move { hub.run(ending).await.expect("served") });
        Self { app, keys, clock, address, tenant, stop, running, dir }
    }

    async fn channel(&self, daemon: Option<&Daemon>) -> Channel {
        let mut tls =
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(self.keys.ca.pem())).domain_name(SERVER_NAME);
        if let Some(daemon) = daemon {
            tls = tls.identity(Identity::from_pem(&daemon.chain, &daemon.key));
        }
        let endpoint = Endpoint::from_shared(format!("https://{}", self.address)).expect("a URL");
        endpoint.tls_config(tls).expect("TLS").connect_lazy()
    }

    /// Makes a token and trades it.
    async fn enrol(&self, tenant: TenantId) -> Daemon {
        let secret = self.secret(tenant).await;
        let key = KeyPair::generate().expect("a key");
        let answer = self.trade(&secret, &key).await.expect("enrolled");
        assert_eq!(answer.tenant_id, tenant.to_string());
        assert_eq!(answer.decision_key, self.keys.ring.decision().await.expect("held").public());
        assert_eq!(answer.ca_pem, self.keys.ca.pem());
        Daemon { chain: answer.certificate_chain_pem, key: key.serialize_pem() }
    }

    async fn secret(&self, tenant: TenantId) -> String {
        let (now, chance) = (self.app.clock.now(), self.app.chance.as_ref());
        let token = crate::enrol::new_token(&self.app.store, &self.keys, &self.address, tenant, now, chance);
        let token = token.await.expect("stored");
        let text = token.expose().strip_prefix("wke1.").expect("the prefix").to_owned();
        let json = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64url");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        json["t"].as_str().expect("a secret").to_owned()
    }

    async fn trade(&self, secret: &str, key: &KeyPair) -> Result<v1::EnrolResponse, Status> {
        let csr_der = CertificateParams::default().serialize_request(key).expect("a request").der().to_vec();
        let request = v1::EnrolRequest {
            token: secret.to_owned(),
            csr_der,
            agent_version: "0.1.0".to_owned(),
            hostname: "host".to_owned(),
        };
        let mut client = EnrolmentClient::new(self.channel(None).await);
        client.enrol(request).await.map(tonic::Response::into_inner)
    }

    async fn attach(&self, daemon: &Daemon) -> Attached {
        self.attach_as(daemon, 1, 1).await.expect("attached")
    }

    async fn attach_as(&self, daemon: &Daemon, protocol_min: u32, protocol_max: u32) -> Result<Attached, Status> {
        let (up, messages) = mpsc::channel(16);
        let hello =
            v1::Hello { protocol_min, protocol_max, boot_id: "boot".to_owned(), status: Some(v1::Status::default()) };
        up.send(v1::TenantMessage { seq: 1, body: Some(Up::Hello(hello)) }).await.expect("room");
        let mut client = TenantLinkClient::new(self.channel(Some(daemon)).await);
        let down = client.attach(ReceiverStream::new(messages)).await?.into_inner();
        let mut attached = Attached { up, down, sent: 1, heard: 0 };
        match attached.next().await? {
            Down::Welcome(welcome) => assert_eq!(welcome.protocol, 1),
            other => panic!("{other:?}"),
        }
        Ok(attached)
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.expect("ended");
    }
}

/// The daemon's end of a stream.
struct Attached {
    up: mpsc::Sender<v1::TenantMessage>,
    down: Streaming<v1::HubMessage>,
    sent: u64,
    heard: u64,
}

impl Attached {
    async fn send(&mut self, body: Up) {
        self.sent += 1;
        self.up.send(v1::TenantMessage { seq: self.sent, body: Some(body) }).await.expect("room");
    }

    async fn next(&mut self) -> Result<Down, Status> {
        let next = tokio::time::timeout(Duration::from_secs(20), self.down.message()).await.expect("in time")?;
        let message = next.ok_or_else(|| Status::cancelled("the hub ended the stream"))?;
        self.heard += 1;
        assert_eq!(message.seq, self.heard);
        Ok(message.body.expect("a body"))
    }

    /// A message and the answer that only comes after all before it were worked on.
    async fn activity(&mut self, number: u64) {
        let row = v1::ActivityRow { number, class: "green".to_owned(), ..v1::ActivityRow::default() };
        self.send(Up::Activity(v1::Activity { rows: vec![row] })).await;
        match self.next().await.expect("an answer") {
            Down::ActivityReceipt(receipt) => assert_eq!(receipt.number, number),
            other => panic!("{other:?}"),
        }
    }
}

fn request(tenant: TenantId, now: Timestamp) -> v1::ApprovalRequest {
    let new = approval(tenant, "red", now);
    v1::ApprovalRequest {
        digest: new.digest.0.to_vec(),
        document: new.document,
        created_at_ms: new.created.millis(),
        approve_by_ms: new.approve_by.millis(),
    }
}

#[tokio::test]
async fn without_a_certificate_only_enrolment_answers() {
    let hub = Served::new().await;
    let channel = hub.channel(None).await;
    let refused = EnrolmentClient::new(channel.clone()).renew(v1::RenewRequest::default()).await;
    assert_eq!(refused.expect_err("refused").code(), Code::Unauthenticated);
    let refused = ReportClient::new(channel.clone()).usage(v1::UsageReport::default()).await;
    assert_eq!(refused.expect_err("refused").code(), Code::Unauthenticated);
    let refused = ReportClient::new(channel.clone()).audit_checkpoint(v1::AuditCheckpointReport::default()).await;
    assert_eq!(refused.expect_err("refused").code(), Code::Unauthenticated);
    let refused = TenantLinkClient::new(channel).attach(tokio_stream::empty()).await;
    assert_eq!(refused.expect_err("refused").code(), Code::Unauthenticated);
    let refused = hub.trade("guess", &KeyPair::generate().expect("a key")).await;
    assert_eq!(refused.expect_err("refused").code(), Code::PermissionDenied);
    hub.end().await;
}

#[tokio::test]
async fn a_token_is_traded_once() {
    let hub = Served::new().await;
    let secret = hub.secret(hub.tenant).await;
    let key = KeyPair::generate().expect("a key");
    hub.trade(&secret, &key).await.expect("enrolled");
    let refused = hub.trade(&secret, &KeyPair::generate().expect("a key")).await;
    assert_eq!(refused.expect_err("second use").code(), Code::PermissionDenied);
    let secret = hub.secret(hub.tenant).await;
    hub.clock.forward(crate::enrol::TOKEN_LIFE);
    let refused = hub.trade(&secret, &KeyPair::generate().expect("a key")).await;
    assert_eq!(refused.expect_err("expired").code(), Code::PermissionDenied);
    hub.end().await;
}

#[tokio::test]
async fn a_certificate_that_is_not_in_force_opens_nothing() {
    let hub = Served::new().await;
    let old = hub.enrol(hub.tenant).await;
    let new = hub.enrol(hub.tenant).await;
    let usage = |daemon: Daemon| {
        let hub = &hub;
        async move { ReportClient::new(hub.channel(Some(&daemon)).await).usage(v1::UsageReport::default()).await }
    };
    assert_eq!(usage(old).await.expect_err("enrolled anew").code(), Code::Unauthenticated);
    usage(new).await.expect("in force");

    // Another authority's certificate does not even pass the handshake.
    let chance = hub.app.chance.as_ref();
    let made = crate::ca::Ca::make(hub.app.clock.now(), chance).expect("made");
    let foreign = crate::ca::Ca::open(made.certificate, &made.key).expect("opens");
    let key = KeyPair::generate().expect("a key");
    let csr = CertificateParams::default().serialize_request(&key).expect("a request");
    let issued = foreign.sign_tenant(hub.tenant, csr.der(), hub.app.clock.now(), chance).expect("signed");
    let forged = Daemon { chain: issued.pem, key: key.serialize_pem() };
    let refused = usage(forged).await.expect_err("refused");
    assert_ne!(refused.code(), Code::Ok);
    assert_ne!(refused.code(), Code::Unauthenticated, "it must fail before any RPC");

    // The link's own key and certificate name no tenant.
    let identity = hub.keys.ca.server("127.0.0.1", hub.app.clock.now(), chance).expect("made");
    assert_eq!(crate::ca::tenant_of(&identity.chain[0]), None);
    hub.end().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_in_force_beside_the_old_one() {
    let hub = Served::new().await;
    let daemon = hub.enrol(hub.tenant).await;
    let key = KeyPair::generate().expect("a key");
    let csr_der = CertificateParams::default().serialize_request(&key).expect("a request").der().to_vec();
    let mut client = EnrolmentClient::new(hub.channel(Some(&daemon)).await);
    let answer = client.renew(v1::RenewRequest { csr_der }).await.expect("renewed").into_inner();
    let renewed = Daemon { chain: answer.certificate_chain_pem, key: key.serialize_pem() };
    for daemon in [&daemon, &renewed] {
        ReportClient::new(hub.channel(Some(daemon)).await).usage(v1::UsageReport::default()).await.expect("in force");
    }
    hub.end().await;
}

#[tokio::test]
async fn an_approval_goes_up_and_its_decision_comes_down_until_it_is_confirmed() {
    let hub = Served::new().await;
    let daemon = hub.enrol(hub.tenant).await;
    let mut link = hub.attach(&daemon).await;
    let now = hub.app.clock.now();
    let asked = request(hub.tenant, now);
    let digest = Digest::try_from(asked.digest.as_slice()).expect("32 bytes");
    // Twice: the first receipt may have been lost.
    for _ in 0..2 {
        link.send(Up::ApprovalRequest(asked.clone())).await;
        match link.next().await.expect("an answer") {
            Down::ApprovalReceipt(receipt) => assert_eq!(receipt.digest, asked.digest),
            other => panic!("{other:?}"),
        }
    }
    let decided = hub.app.decisions.decide_as(&Caller::Operator, "ada", digest, Verdict::Approved, "fine").await;
    let ruling = decided.expect("decided").state.ruling().cloned().expect("a ruling");
    let Down::ApprovalDecision(decision) = link.next().await.expect("pushed") else { panic!("a decision") };
    assert_eq!((decision.verdict(), decision.decided_by.as_str()), (v1::Verdict::Approved, "ada"));
    let text = signed_text(hub.tenant, digest, &ruling);
    let key = UnparsedPublicKey::new(&ED25519, hub.keys.ring.decision().await.expect("held").public());
    key.verify(&text, &decision.signature).expect("signed by the decision key");

    // The connection breaks before the receipt: the decision comes again. With the receipt it does not.
    drop(link);
    let mut link = hub.attach(&daemon).await;
    let Down::ApprovalDecision(again) = link.next().await.expect("sent again") else { panic!("a decision") };
    assert_eq!(again, decision);
    let receipt = v1::DecisionReceipt { digest: asked.digest.clone(), accepted: true, error: String::new() };
    link.send(Up::DecisionReceipt(receipt)).await;
    let state = v1::ApprovalState::Done.into();
    let progress = v1::ApprovalProgress {
        digest: asked.digest.clone(),
        state,
        at_ms: now.millis(),
        result: "sent".to_owned(),
        decided_by: String::new(),
    };
    link.send(Up::ApprovalProgress(progress)).await;
    link.activity(1).await;
    let stored = hub.app.store.approval(&Caller::Operator, digest).await.expect("read").expect("there");
    assert_eq!((stored.receipt, stored.state.result()), (Some(Receipt::Taken), Some("sent")));
    drop(link);
    let mut link = hub.attach(&daemon).await;
    link.activity(2).await;
    hub.end().await;
}

#[tokio::test]
async fn a_document_that_is_not_this_tenants_gets_no_receipt() {
    let hub = Served::new().await;
    let daemon = hub.enrol(hub.tenant).await;
    let mut link = hub.attach(&daemon).await;
    let now = hub.app.clock.now();
    let stranger = TenantId::new(now, hub.app.chance.as_ref());
    let mut other_digest = request(hub.tenant, now);
    other_digest.digest[0] ^= 1;
    let mut no_json = request(hub.tenant, now);
    no_json.document = b"nonsense".to_vec();
    no_json.digest = Digest::plain(b"nonsense").0.to_vec();
    for bad in [request(stranger, now), other_digest, no_json] {
        link.send(Up::ApprovalRequest(bad)).await;
    }
    // The next answer is the one to the activity: none of the three got any.
    link.activity(1).await;
    let stored = hub.app.store.approvals(&Caller::Operator, None, None, None, 9).await.expect("read");
    assert!(stored.is_empty(), "{stored:?}");
    // Nobody gets more than a day to decide.
    let mut long = request(hub.tenant, now);
    long.approve_by_ms = i64::MAX;
    link.send(Up::ApprovalRequest(long)).await;
    link.next().await.expect("a receipt");
    let stored = hub.app.store.approvals(&Caller::Operator, None, None, None, 9).await.expect("read");
    assert_eq!(stored[0].approve_by, now.plus(wardkeep_proto::limits::APPROVE_BY));
    hub.end().await;
}

#[tokio::test]
async fn a_newer_stream_closes_the_older() {
    let hub = Served::new().await;
    let daemon = hub.enrol(hub.tenant).await;
    let mut older = hub.attach(&daemon).await;
    let mut newer = hub.attach(&daemon).await;
    assert_eq!(older.next().await.expect_err("fenced").code(), Code::Aborted);
    newer.activity(1).await;
    assert_eq!(hub.app.links.count(), 1);
    hub.end().await;
}

#[tokio::test]
async fn a_gap_is_repaired_by_a_full_status() {
    let hub = Served::new().await;
    let daemon = hub.enrol(hub.tenant).await;
    let mut link = hub.attach(&daemon).await;
    link.sent += 5;
    link.send(Up::Heartbeat(v1::Heartbeat {})).await;
    assert!(matches!(link.next().await.expect("an answer"), Down::ReportFullStatus(_)));
    let status = v1::Status { generation: 7, closed: vec!["disk-full".to_owned()], ..v1::Status::default() };
    link.send(Up::Status(status)).await;
    let delta = v1::StatusDelta { closed: Some(v1::ClosedStates::default()), ..v1::StatusDelta::default() };
    link.send(Up::Delta(delta)).await;
    link.activity(1).await;
    let row =
        hub.app.store.tenant(&Caller::Operator, hub.tenant, hub.app.clock.now()).await.expect("read").expect("there");
    let status = row.status.expect("said");
    assert_eq!((status.generation, status.closed), (7, vec![]));
    hub.end().await;
}

#[tokio::test]
async fn protocols_without_a_common_version_are_refused() {
    let hub = Served::new().await;
    let daemon = hub.enrol(hub.tenant).await;
    for (min, max) in [(2, 3), (0, 0)] {
        let refused = hub.attach_as(&daemon, min, max).await.map(drop).expect_err("refused");
        assert_eq!(refused.code(), Code::FailedPrecondition, "{min} to {max}");
    }
    hub.attach_as(&daemon, 0, 9).await.expect("1 is common");
    hub.end().await;
}

#[tokio::test]
async fn a_published_policy_is_desired_until_it_runs() {
    let hub = Served::new().await;
    let daemon = hub.enrol(hub.tenant).await;
    let mut link = hub.attach(&daemon).await;
    let publish = || hub.app.publisher.publish(&Caller::Operator, "ada", hub.tenant, crate::policies::EXAMPLE);
    let policy = publish().await.expect("published");
    let Down::Desired(desired) = link.next().await.expect("pushed") else { panic!("a policy") };
    assert_eq!((desired.generation, &desired.bundle), (1, &policy.envelope));
    let report = v1::GenerationReport { generation: 1, applied: false, error: "no".to_owned() };
    link.send(Up::Generation(report)).await;
    link.activity(1).await;
    let row =
        hub.app.store.tenant(&Caller::Operator, hub.tenant, hub.app.clock.now()).await.expect("read").expect("there");
    assert_eq!(row.status.expect("said").refused.expect("refused").reason, "no");
    // A new connection that still runs nothing is told again.
    let mut link = hub.attach(&daemon).await;
    assert!(matches!(link.next().await.expect("pushed"), Down::Desired(desired) if desired.generation == 1));
    hub.end().await;
}

#[tokio::test]
async fn usage_and_checkpoints_are_the_certificates_tenants() {
    let hub = Served::new().await;
    let other = {
        let id = TenantId::new(hub.app.clock.now(), hub.app.chance.as_ref());
        let organisation = hub.app.store.organisations().await.expect("read")[0].id;
        let name = "other".parse().expect("a name");
        hub.app.store.add_tenant(organisation, id, &name, hub.app.clock.now()).await.expect("stored").expect("free");
        id
    };
    let daemon = hub.enrol(hub.tenant).await;
    let mut reports = ReportClient::new(hub.channel(Some(&daemon)).await);
    let bucket = v1::UsageBucket { agent: "a".to_owned(), revision: 1, requests: 2, ..v1::UsageBucket::default() };
    let odd = v1::UsageBucket { hour_ms: 1, ..bucket.clone() };
    let huge = v1::UsageBucket { cost_micros: u64::MAX, ..bucket.clone() };
    for bad in [odd, huge] {
        let refused = reports.usage(v1::UsageReport { buckets: vec![bad] }).await.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    let receipt = reports.usage(v1::UsageReport { buckets: vec![bucket] }).await.expect("taken").into_inner();
    assert_eq!(receipt.accepted[0].revision, 1);
    let usage = |tenant| {
        let store = &hub.app.store;
        async move { store.usage(&Caller::Tenant(tenant), None, Timestamp(0), Timestamp(i64::MAX)).await }
    };
    assert_eq!(usage(hub.tenant).await.expect("read")[0].totals.requests, 2);
    assert!(usage(other).await.expect("read").is_empty());

    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).expect("a key");
    let report = |length: u64, head: u8, key: &Ed25519KeyPair, tenant: TenantId| {
        let text = crate::audit::signed_text(tenant, length, Digest([head; 32]), Timestamp(5));
        v1::AuditCheckpointReport {
            length,
            head: vec![head; 32],
            at_ms: 5,
            signature: key.sign(&text).as_ref().to_vec(),
            audit_key: key.public_key().as_ref().to_vec(),
            known_length: 0,
            known_head: Vec::new(),
        }
    };
    let refused = reports.audit_checkpoint(report(3, 1, &key, other)).await.expect_err("signed for another tenant");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let first = reports.audit_checkpoint(report(3, 1, &key, hub.tenant)).await.expect("taken").into_inner();
    assert_eq!((first.length, first.consistent), (3, true));
    let refused = reports.audit_checkpoint(report(4, 1, &stranger, hub.tenant)).await.expect_err("another key");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let second = reports.audit_checkpoint(report(3, 2, &key, hub.tenant)).await.expect("taken").into_inner();
    assert_eq!((second.length, second.consistent), (3, false));
    // A log that grew on another past says so itself: what it holds now at a length that was confirmed is compared.
    let on = |known_head: u8| v1::AuditCheckpointReport {
        known_length: 3,
        known_head: vec![known_head; 32],
        ..report(u64::from(known_head) + 10, 5, &key, hub.tenant)
    };
    for (known_head, consistent) in [(1, true), (9, false)] {
        let told = reports.audit_checkpoint(on(known_head)).await.expect("taken").into_inner();
        assert_eq!(told.consistent, consistent, "{known_head}");
    }
    let held = reports.audit_checkpoints(v1::AuditCheckpointsRequest {}).await.expect("told").into_inner().checkpoints;
    assert!(held.len() == 4 && held.iter().all(|one| !one.signature.is_empty()), "{held:?}");
    hub.end().await;
}

#[tokio::test]
async fn what_the_command_line_writes_reaches_the_stream() {
    let hub = Served::new().await;
    let daemon = hub.enrol(hub.tenant).await;
    let mut link = hub.attach(&daemon).await;
    let mut poll = crate::background::Poll::default();
    poll.turn(&hub.app).await.expect("the first turn");
    // Another process: same file, other name.
    let db = crate::store::Db::open_sqlite(&crate::store::db::file_in(hub.dir.path())).expect("opens");
    let there = crate::store::Store::new(db, "command line");
    let (events, links) = (crate::events::Events::new(), super::Links::new());
    let publisher = crate::policies::Publisher::new(there, hub.app.clock.clone(), hub.keys.ring.clone(), events, links);
    publisher.publish(&Caller::Operator, "ada", hub.tenant, crate::policies::EXAMPLE).await.expect("published");
    poll.turn(&hub.app).await.expect("the second turn");
    assert!(matches!(link.next().await.expect("pushed"), Down::Desired(_)));
    hub.end().await;
}

#[tokio::test]
async fn a_stopping_hub_says_goodbye() {
    let hub = Served::new().await;
    let daemon = hub.enrol(hub.tenant).await;
    let mut link = hub.attach(&daemon).await;
    hub.stop.cancel();
    assert!(matches!(link.next().await.expect("a word"), Down::Backoff(_)));
    drop(link);
    tokio::time::timeout(crate::serve::STOP_WITHIN * 2, hub.running).await.expect("in time").expect("ended");
}
