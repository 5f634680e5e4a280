//! One connection: hello and welcome, then both directions until it ends.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic::transport::Channel;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::limits::{HEARTBEAT, MESSAGE_BYTES, PROTOCOL_MAX, PROTOCOL_MIN};
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::v1::tenant_link_client::TenantLinkClient;
use wardkeep_proto::v1::{self, hub_message, tenant_message};
use wardkeep_proto::waypoint::Waypoint;
use wardkeep_safety::{ActivityRow, ApprovalState, GateError, News, Progress};

use super::journal::Entry;
use super::{LinkParts, wire};
use crate::identity::Identity;
use crate::observed::Status;
use crate::spool::Accepted;

/// How long the hub may take to welcome us.
const WELCOME: Duration = Duration::from_secs(15);
/// Messages that may wait for the network; past half of it nothing new is taken from the spool.
const QUEUE: usize = 256;
/// An approval without a receipt is sent again after this time.
const RESEND: Duration = Duration::from_secs(30);
/// Between two looks at the own status.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at what there is to send: an agent that works fast has its steps sent together, and one step goes at once.
const GAP: Duration = Duration::from_millis(10);

/// Why a connection ended or did not come up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// We stop.
    Stopped,
    /// The hub asked us to come again later.
    Backoff {
        /// Milliseconds.
        retry_after_ms: u32,
        /// Its words.
        reason: String,
    },
    /// A renewed certificate is to be used.
    NewCertificate,
    /// The hub broke the protocol, or we could not record something: start over.
    StartOver(&'static str),
    /// Network, TLS or hub.
    Failed(String),
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the daemon stops"),
            Self::Backoff { reason, .. } => write!(f, "the hub asked to come again later: {reason}"),
            Self::NewCertificate => f.write_str("the certificate was renewed"),
            Self::StartOver(why) => f.write_str(why),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl From<GateError> for SessionEnd {
    fn from(error: GateError) -> Self {
        tracing::warn!(error = crate::channel::chain(&error), "the gate's records could not be used for the link");
        Self::StartOver("the gate's records could not be used")
    }
}

/// What is on its way up and has no receipt yet, in the order of sending.
enum OnTheWay {
    Progress(Digest, ApprovalState),
    Activity(u64),
}

/// One welcomed connection.
pub(super) struct Session {
    parts: Arc<LinkParts>,
    tenant: TenantId,
    decision_key: [u8; 32],
    out: mpsc::Sender<v1::TenantMessage>,
    seq: u64,
    hub_seq: u64,
    reported: Status,
    approvals: HashMap<Digest, Instant>,
    on_the_way: VecDeque<OnTheWay>,
    activity_sent: u64,
    /// When the oldest of `on_the_way` was sent, or the last receipt came.
    moved: Instant,
    /// When there was a look at the spool, and when there is to be another.
    pumped: Instant,
    due: Option<Instant>,
    commands: (mpsc::Sender<Entry>, mpsc::Receiver<Entry>),
    heartbeat: Interval,
}

impl Session {
    /// Says hello and waits for the welcome.
    pub(super) async fn open(
        parts: Arc<LinkParts>,
        identity: &Identity,
        channel: Channel,
    ) -> Result<(Self, Streaming<v1::HubMessage>), SessionEnd> {
        let status = parts.observer.status().await?;
        let (out, queue) = mpsc::channel(QUEUE);
        let acked = parts.spool.activity_acked();
        let mut session = Self {
            tenant: identity.tenant,
            decision_key: identity.decision_key,
            out,
            seq: 0,
            hub_seq: 0,
            reported: status,
            approvals: HashMap::new(),
            on_the_way: VecDeque::new(),
            activity_sent: acked,
            moved: Instant::now(),
            pumped: Instant::now(),
            due: None,
            commands: mpsc::channel(16),
            heartbeat: interval(HEARTBEAT),
            parts,
        };
        session.send(tenant_message::Body::Hello(v1::Hello {
            protocol_min: PROTOCOL_MIN,
            protocol_max: PROTOCOL_MAX,
            boot_id: session.parts.observer.boot_id().to_string(),
            status: Some(wire::status(&session.reported)),
        }))?;
        let mut client = TenantLinkClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES)
            .max_encoding_message_size(MESSAGE_BYTES);
        let welcomed = timeout(WELCOME, async {
            let mut inbound = client.attach(ReceiverStream::new(queue)).await.map_err(failed)?.into_inner();
            let first = inbound.message().await.map_err(failed)?;
            Ok::<_, SessionEnd>((inbound, first.ok_or(SessionEnd::StartOver("the hub closed the link"))?))
        });
        let (inbound, first) =
            welcomed.await.map_err(|_| SessionEnd::StartOver("the hub did not welcome us in time"))??;
        session.welcome(first)?;
        Ok((session, inbound))
    }

    fn welcome(&mut self, first: v1::HubMessage) -> Result<(), SessionEnd> {
        self.count(first.seq)?;
        let welcome = match first.body {
            Some(hub_message::Body::Welcome(welcome)) => welcome,
            Some(hub_message::Body::Backoff(v1::Backoff { retry_after_ms, reason })) => {
                return Err(SessionEnd::Backoff { retry_after_ms, reason });
            }
            _ => return Err(SessionEnd::StartOver("the hub did not begin with a welcome")),
        };
        if !(PROTOCOL_MIN..=PROTOCOL_MAX).contains(&welcome.protocol) {
            return Err(SessionEnd::StartOver("the hub chose a protocol version that this daemon does not speak"));
        }
        // The hub may ask for fewer or more heartbeats, within reason.
        let every = Duration::from_millis(u64::from(welcome.heartbeat_ms)).clamp(HEARTBEAT / 30, HEARTBEAT * 2);
        self.heartbeat = interval(if welcome.heartbeat_ms == 0 { HEARTBEAT } else { every });
        self.heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.heartbeat.reset();
        let now = self.parts.clock.now();
        let skew = now.millis().saturating_sub(welcome.hub_time_ms);
        self.parts.state.send_modify(|state| {
            (state.online, state.since, state.heard_at) = (true, Some(now), Some(now));
            (state.last_error, state.clock_skew_ms) = (None, skew);
        });
        tracing::info!(epoch = welcome.epoch, skew_ms = skew, "connected to the hub");
        Ok(())
    }

    /// Both directions, until something ends it.
    pub(super) async fn run(mut self, mut inbound: Streaming<v1::HubMessage>, stop: &CancellationToken) -> SessionEnd {
        let mut changes = self.parts.spool.changes();
        let mut status = interval(STATUS_EVERY);
        status.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut resend = interval(RESEND);
        changes.mark_changed();
        loop {
            let step = tokio::select! {
                () = stop.cancelled() => Err(SessionEnd::Stopped),
                message = inbound.message() => match message {
                    Ok(Some(message)) => self.receive(message).await,
                    Ok(None) => Err(SessionEnd::StartOver("the hub closed the link")),
                    Err(status) => Err(failed(status)),
                },
                changed = changes.changed() => match changed {
                    Ok(()) => {
                        self.pump_soon();
                        Ok(())
                    }
                    Err(_) => Err(SessionEnd::Stopped),
                },
                () = sleep_until(self.due.unwrap_or(self.pumped)), if self.due.is_some() => self.pump().await,
                _ = resend.tick() => self.pump_again().await,
                _ = status.tick() => self.report_changes().await,
                _ = self.heartbeat.tick() => self.send(tenant_message::Body::Heartbeat(v1::Heartbeat {})),
                Some(entry) = self.commands.1.recv() => {
                    self.send(tenant_message::Body::CommandProgress(wire::command_progress(entry)))
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn send(&mut self, body: tenant_message::Body) -> Result<(), SessionEnd> {
        self.seq += 1;
        let message = v1::TenantMessage { seq: self.seq, body: Some(body) };
        // Never waits: while we waited to write, nobody would read, and two sides that both wait stand still.
        self.out.try_send(message).map_err(|_| SessionEnd::StartOver("the hub does not take what is sent"))
    }

    fn count(&mut self, seq: u64) -> Result<(), SessionEnd> {
        self.hub_seq += 1;
        if seq == self.hub_seq { Ok(()) } else { Err(SessionEnd::StartOver("a message of the hub is missing")) }
    }

    async fn receive(&mut self, message: v1::HubMessage) -> Result<(), SessionEnd> {
        self.count(message.seq)?;
        let Some(body) = message.body else {
            // A kind that a newer hub knows; the numbering stays whole.
            return Ok(());
        };
        match body {
            hub_message::Body::Welcome(_) => Err(SessionEnd::StartOver("the hub welcomed us twice")),
            hub_message::Body::ReportFullStatus(_) => {
                self.reported = self.parts.observer.status().await?;
                let status = wire::status(&self.reported);
                self.send(tenant_message::Body::Status(status))
            }
            hub_message::Body::Desired(desired) => self.desired(desired).await,
            hub_message::Body::ApprovalReceipt(v1::ApprovalReceipt { digest }) => self.approval_receipt(&digest).await,
            hub_message::Body::ApprovalDecision(decision) => self.decision(decision).await,
            hub_message::Body::Command(command) => {
                self.parts.commander.clone().take(command, self.commands.0.clone());
                Ok(())
            }
            hub_message::Body::PasskeyOffers(offers) => {
                Ok(self.parts.spool.offer_passkeys(wire::passkey_offers(offers)).await?)
            }
            hub_message::Body::Keys(v1::KeyUpdate { key_list }) => {
                self.keys(key_list).await;
                Ok(())
            }
            hub_message::Body::Backoff(v1::Backoff { retry_after_ms, reason }) => {
                Err(SessionEnd::Backoff { retry_after_ms, reason })
            }
            hub_message::Body::ActivityReceipt(v1::ActivityReceipt { number }) => self.activity_receipt(number).await,
        }
    }

    /// The status tells which list counts; one that is refused is told here alone, and in the audit log.
    async fn keys(&self, key_list: Vec<u8>) {
        let outcome = self.parts.bundles.clone().take_keys(key_list).await;
        let version = self.parts.bundles.keys().map_or(0, |list| list.version);
        match outcome {
            Ok(false) => {}
            Ok(true) => self.parts.spool.note_keys(version, "").await,
            Err(error) => {
                let error = crate::channel::chain(&error);
                tracing::error!(error, "a list of keys was refused");
                self.parts.spool.note_keys(version, &error).await;
            }
        }
    }

    async fn desired(&mut self, desired: v1::Desired) -> Result<(), SessionEnd> {
        let v1::Desired { generation, bundle, key_list } = desired;
        let outcome = self.parts.bundles.clone().apply(generation, bundle, key_list).await;
        let error = match &outcome {
            Ok(()) => String::new(),
            Err(error) => crate::channel::chain(error),
        };
        self.parts.spool.note_generation(generation, &error).await;
        self.send(tenant_message::Body::Generation(v1::GenerationReport {
            generation,
            applied: outcome.is_ok(),
            error,
        }))
    }

    async fn decision(&mut self, decision: v1::ApprovalDecision) -> Result<(), SessionEnd> {
        let digest = decision.digest.clone();
        let receipt = |accepted, error: String| {
            tenant_message::Body::DecisionReceipt(v1::DecisionReceipt { digest, accepted, error })
        };
        let keys = self.parts.bundles.keys().map(|list| list.decision_keys(&self.decision_key)).unwrap_or_default();
        let verified = match super::decision::verify(decision, self.tenant, &keys) {
            Ok(verified) => verified,
            Err(error) => {
                tracing::error!(%error, "a decision was refused");
                return self.send(receipt(false, error.to_string()));
            }
        };
        match self.parts.spool.decide(verified).await {
            Ok(Accepted::Yes) => self.send(receipt(true, String::new())),
            Ok(Accepted::No(why)) => self.send(receipt(false, why)),
            // Not recorded, so not received: the hub sends it again on the next connection.
            Err(error) => Err(error.into()),
        }
    }

    async fn approval_receipt(&mut self, digest: &[u8]) -> Result<(), SessionEnd> {
        self.parts.waypoints.pass(Waypoint::ReceiptReceived);
        let Ok(digest) = Digest::try_from(digest) else { return Ok(()) };
        if self.approvals.remove(&digest).is_some() {
            self.parts.spool.approval_received(digest).await?;
            // What happened to it since is worth telling only now.
            self.pump_soon();
        }
        Ok(())
    }

    /// The hub works through a stream in order, so a receipt also covers the progress that was sent before those rows.
    async fn activity_receipt(&mut self, number: u64) -> Result<(), SessionEnd> {
        self.parts.waypoints.pass(Waypoint::ReceiptReceived);
        let covered = |sent: &OnTheWay| matches!(sent, OnTheWay::Activity(last) if *last <= number);
        let Some(last) = self.on_the_way.iter().rposition(covered) else { return Ok(()) };
        let mut highest = 0;
        self.moved = Instant::now();
        let done: Vec<_> = self.on_the_way.drain(..=last).collect();
        for sent in done {
            match sent {
                OnTheWay::Progress(digest, state) => self.parts.spool.progress_received(digest, state).await?,
                OnTheWay::Activity(number) => highest = highest.max(number),
            }
        }
        self.parts.spool.activity_received(highest);
        self.pump_soon();
        Ok(())
    }

    /// What waits too long for its receipt counts as not sent.
    async fn pump_again(&mut self) -> Result<(), SessionEnd> {
        if !self.on_the_way.is_empty() && self.moved.elapsed() >= RESEND {
            self.on_the_way.clear();
            self.activity_sent = self.parts.spool.activity_acked();
        }
        self.pump().await
    }

    fn pump_soon(&mut self) {
        self.due.get_or_insert(self.pumped + GAP);
    }

    /// Sends what is in the spool and not on its way already.
    async fn pump(&mut self) -> Result<(), SessionEnd> {
        (self.due, self.pumped) = (None, Instant::now());
        if self.out.capacity() < QUEUE / 2 {
            return Ok(());
        }
        let now = Instant::now();
        let News { approvals, progress, activity } = self.parts.spool.news(self.activity_sent).await?;
        for approval in approvals {
            if self.approvals.get(&approval.digest).is_some_and(|at| now.duration_since(*at) < RESEND) {
                continue;
            }
            if self.out.capacity() < QUEUE / 4 {
                return Ok(());
            }
            self.approvals.insert(approval.digest, now);
            self.send(tenant_message::Body::ApprovalRequest(wire::approval_request(approval)))?;
            self.parts.waypoints.pass(Waypoint::ApprovalSent);
        }
        self.pump_progress(progress)?;
        self.pump_activity(activity).await
    }

    fn pump_progress(&mut self, all: Vec<Progress>) -> Result<(), SessionEnd> {
        for progress in all {
            let known = |sent: &OnTheWay| matches!(sent, OnTheWay::Progress(d, s) if *d == progress.digest && *s == progress.state);
            if self.on_the_way.iter().any(known) {
                continue;
            }
            if self.out.capacity() < QUEUE / 4 {
                return Ok(());
            }
            self.put_on_the_way(OnTheWay::Progress(progress.digest, progress.state));
            self.send(tenant_message::Body::ApprovalProgress(wire::progress(&progress)))?;
        }
        Ok(())
    }

    async fn pump_activity(&mut self, mut rows: Vec<ActivityRow>) -> Result<(), SessionEnd> {
        if rows.is_empty() && matches!(self.on_the_way.back(), Some(OnTheWay::Progress(..))) {
            // Progress went out after its rows: the newest row once more brings the receipt that covers it.
            rows = self.parts.spool.activity_after(self.activity_sent.saturating_sub(1)).await?;
        }
        let Some(last) = rows.last().map(|row| row.number) else { return Ok(()) };
        self.activity_sent = last;
        self.put_on_the_way(OnTheWay::Activity(last));
        let rows = rows.into_iter().map(wire::activity_row).collect();
        self.send(tenant_message::Body::Activity(v1::Activity { rows }))
    }

    fn put_on_the_way(&mut self, sent: OnTheWay) {
        if self.on_the_way.is_empty() {
            self.moved = Instant::now();
        }
        self.on_the_way.push_back(sent);
    }

    async fn report_changes(&mut self) -> Result<(), SessionEnd> {
        let now: Timestamp = self.parts.clock.now();
        self.parts.state.send_if_modified(|state| {
            state.heard_at = Some(now);
            false
        });
        let status = self.parts.observer.status().await?;
        if let Some(delta) = wire::delta(&self.reported, &status) {
            self.reported = wire::told(&self.reported, status);
            self.send(tenant_message::Body::Delta(delta))?;
        }
        Ok(())
    }
}

fn failed(status: tonic::Status) -> SessionEnd {
    let words = match status.message() {
        "" => crate::channel::chain(&status),
        message => format!("{message} ({:?})", status.code()),
    };
    SessionEnd::Failed(words)
}
