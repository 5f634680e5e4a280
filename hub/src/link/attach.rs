//! `TenantLink.Attach`: one stream of one tenant, from its hello to its end.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status as Refusal, Streaming};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{CommandId, TenantId};
use wardkeep_proto::limits::{HEARTBEAT, OFFLINE_AFTER, PROTOCOL_MAX, PROTOCOL_MIN};
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::v1;
use wardkeep_proto::v1::hub_message::Body as Down;
use wardkeep_proto::v1::tenant_message::Body as Up;
use wardkeep_proto::waypoint::Waypoint;

use super::LinkParts;
use super::enrolment::{tenant, unavailable, unsigned};
use super::registry::Seat;
use super::wire::{self, InvalidMessage};
use crate::events::Change;
use crate::policies;
use crate::store::commands::{Command, CommandState, Order};
use crate::store::status::{Refused, Status};

/// The hello must come in this time.
const HELLO: Duration = Duration::from_secs(10);
/// Messages that may wait for a slow tenant.
const QUEUE: usize = 16;
/// A tenant that takes nothing for this long is gone.
const STUCK: Duration = Duration::from_secs(30);
/// The rows are looked at even when nobody nudged: a lost nudge costs at most this.
const SWEEP: Duration = Duration::from_secs(5 * 60);
/// How soon a tenant may come again when the hub stops.
const COME_BACK: Duration = Duration::from_secs(1);

/// Passkeys that a tenant is offered.
const OFFERS: u32 = 64;

type Out = mpsc::Sender<Result<v1::HubMessage, Refusal>>;

/// The service.
pub(super) struct Attach {
    parts: LinkParts,
    stop: CancellationToken,
}

impl Attach {
    pub(super) const fn new(parts: LinkParts, stop: CancellationToken) -> Self {
        Self { parts, stop }
    }
}

#[tonic::async_trait]
impl v1::tenant_link_server::TenantLink for Attach {
    type AttachStream = ReceiverStream<Result<v1::HubMessage, Refusal>>;

    async fn attach(
        &self,
        request: Request<Streaming<v1::TenantMessage>>,
    ) -> Result<Response<Self::AttachStream>, Refusal> {
        let tenant = tenant(&self.parts, "wardkeep.v1.TenantLink/Attach", &request).await?;
        let (out, down) = mpsc::channel(QUEUE);
        tokio::spawn(run(self.parts.clone(), tenant, request.into_inner(), out, self.stop.clone()));
        Ok(Response::new(ReceiverStream::new(down)))
    }
}

/// Why a stream ends.
enum End {
    /// The tenant ended it, or is gone.
    Gone,
    /// It is told why.
    Told(Refusal),
    /// The hub stops: come again.
    ComeBack,
}

impl From<Refusal> for End {
    fn from(why: Refusal) -> Self {
        Self::Told(why)
    }
}

async fn run(
    parts: LinkParts,
    tenant: TenantId,
    mut up: Streaming<v1::TenantMessage>,
    out: Out,
    stop: CancellationToken,
) {
    let greeted = tokio::time::timeout(HELLO, greet(&parts, tenant, &mut up, &out, &stop)).await;
    let mut stream = match greeted {
        Ok(Ok(stream)) => stream,
        Ok(Err(why)) => {
            let _ = out.send(Err(why)).await;
            return;
        }
        Err(_) => {
            let _ = out.send(Err(Refusal::deadline_exceeded("no hello came"))).await;
            return;
        }
    };
    let end = stream.talk(&mut up).await;
    tracing::info!(%tenant, epoch = stream.status.epoch, "detached");
    match end {
        End::Gone => {}
        // The tenant may not be reading any more: one try, no waiting.
        End::Told(why) => drop(out.try_send(Err(why))),
        End::ComeBack => {
            let retry_after_ms = u32::try_from(COME_BACK.as_millis()).unwrap_or(u32::MAX);
            let body = Down::Backoff(v1::Backoff { retry_after_ms, reason: "the hub stops".to_owned() });
            drop(out.try_send(Ok(v1::HubMessage { seq: stream.sent + 1, body: Some(body) })));
        }
    }
    let last = stream.seat.leave(parts.clock.now());
    if let Err(error) = parts.store.seen(vec![last]).await {
        tracing::warn!(%tenant, %error, "the end of a stream was not noted");
    }
    parts.events.tell(tenant, Change::Tenant);
}

/// The first message of each side.
async fn greet(
    parts: &LinkParts,
    tenant: TenantId,
    up: &mut Streaming<v1::TenantMessage>,
    out: &Out,
    stop: &CancellationToken,
) -> Result<Stream, Refusal> {
    let first = up.message().await?.ok_or_else(|| Refusal::invalid_argument("no hello came"))?;
    let (1, Some(Up::Hello(hello))) = (first.seq, first.body) else {
        return Err(Refusal::invalid_argument("the first message must be a hello with seq 1"));
    };
    let v1::Hello { protocol_min, protocol_max, boot_id, status } = hello;
    let protocol = protocol_max.min(PROTOCOL_MAX);
    if protocol < protocol_min.max(PROTOCOL_MIN) {
        return Err(Refusal::failed_precondition(format!(
            "this hub speaks protocol {PROTOCOL_MIN} to {PROTOCOL_MAX}, the daemon {protocol_min} to {protocol_max}; update the older side"
        )));
    }
    let status = status.ok_or_else(|| Refusal::invalid_argument("a hello carries the status"))?;
    let epoch = parts.store.next_epoch(tenant).await.map_err(|error| unavailable(&error))?;
    let epoch = epoch.ok_or_else(|| Refusal::unauthenticated("this tenant does not exist any more"))?;
    let now = parts.clock.now();
    let status = wire::status(status, epoch, now).map_err(invalid)?;
    let seat = parts.links.seat(tenant, epoch, stop).ok_or_else(fenced)?;
    tracing::info!(%tenant, epoch, boot = ?boot_id, version = status.agent_version, "attached");
    let mut stream = Stream {
        parts: parts.clone(),
        tenant,
        out: out.clone(),
        sent: 0,
        heard: 1,
        seat,
        status,
        sent_generation: 0,
        sent_keys: 0,
        sent_decisions: HashSet::new(),
        sent_commands: HashSet::new(),
        sent_passkeys: None,
    };
    let welcome = v1::Welcome {
        protocol,
        heartbeat_ms: u32::try_from(HEARTBEAT.as_millis()).unwrap_or(u32::MAX),
        epoch,
        hub_time_ms: now.millis(),
    };
    let greeted = async {
        stream.send(Down::Welcome(welcome)).await?;
        stream.put_status().await?;
        stream.sync().await
    };
    match greeted.await {
        Ok(()) => Ok(stream),
        Err(End::Told(why)) => Err(why),
        Err(End::Gone | End::ComeBack) => Err(Refusal::cancelled("the tenant left")),
    }
}

/// One stream of one tenant.
struct Stream {
    parts: LinkParts,
    tenant: TenantId,
    out: Out,
    /// Number of the last message sent.
    sent: u64,
    /// Number of the last message heard.
    heard: u64,
    seat: Seat,
    /// What the tenant said so far.
    status: Status,
    /// Highest generation sent on this stream.
    sent_generation: u64,
    /// Newest list of keys sent on this stream.
    sent_keys: u64,
    /// Decisions sent on this stream.
    sent_decisions: HashSet<Digest>,
    /// Commands sent on this stream.
    sent_commands: HashSet<CommandId>,
    /// Keys offered on this stream.
    sent_passkeys: Option<v1::PasskeyOffers>,
}

impl Stream {
    async fn talk(&mut self, up: &mut Streaming<v1::TenantMessage>) -> End {
        let mut silent = Box::pin(tokio::time::sleep(OFFLINE_AFTER));
        let mut sweep = tokio::time::interval_at(tokio::time::Instant::now() + SWEEP, SWEEP);
        loop {
            let done = tokio::select! {
                () = self.seat.close.cancelled() => return self.closed(),
                message = up.message() => {
                    silent.as_mut().reset(tokio::time::Instant::now() + OFFLINE_AFTER);
                    match message {
                        Ok(Some(message)) => self.hear(message).await,
                        Ok(None) | Err(_) => return End::Gone,
                    }
                }
                () = self.seat.nudge.notified() => self.sync().await,
                _ = sweep.tick() => self.sync().await,
                () = &mut silent => Err(Refusal::deadline_exceeded("no message for too long").into()),
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// A newer stream took the seat, or the hub stops.
    fn closed(&self) -> End {
        if self.parts.links.is_newest(self.tenant, self.status.epoch) { End::ComeBack } else { End::Told(fenced()) }
    }

    async fn send(&mut self, body: Down) -> Result<(), End> {
        self.sent += 1;
        let message = Ok(v1::HubMessage { seq: self.sent, body: Some(body) });
        match tokio::time::timeout(STUCK, self.out.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn hear(&mut self, message: v1::TenantMessage) -> Result<(), End> {
        let v1::TenantMessage { seq, body } = message;
        self.parts.links.heard(self.tenant, self.status.epoch, self.parts.clock.now());
        if seq != self.heard + 1 {
            let reason = format!("message {seq} came after {}", self.heard);
            self.send(Down::ReportFullStatus(v1::ReportFullStatus { reason })).await?;
        }
        self.heard = seq;
        match body {
            Some(Up::Heartbeat(v1::Heartbeat {})) => Ok(()),
            Some(Up::Hello(_)) => Err(Refusal::invalid_argument("a second hello came").into()),
            Some(Up::Status(status)) => self.hear_status(status).await,
            Some(Up::Delta(delta)) => self.hear_delta(delta).await,
            Some(Up::Generation(report)) => self.hear_generation(report).await,
            Some(Up::ApprovalRequest(request)) => self.hear_approval(request).await,
            Some(Up::ApprovalProgress(progress)) => self.hear_progress(progress).await,
            Some(Up::DecisionReceipt(receipt)) => self.hear_receipt(receipt).await,
            Some(Up::CommandProgress(progress)) => self.hear_command(progress).await,
            Some(Up::Activity(activity)) => self.hear_activity(activity).await,
            // A newer daemon's message: it was negotiated that we need not know it.
            None => Ok(()),
        }
    }

    async fn hear_status(&mut self, wire: v1::Status) -> Result<(), End> {
        let refused = self.status.refused.take();
        self.status = wire::status(wire, self.status.epoch, self.parts.clock.now()).map_err(invalid)?;
        self.status.refused = refused.filter(|refused| refused.generation > self.status.generation);
        self.put_status().await
    }

    async fn hear_delta(&mut self, delta: v1::StatusDelta) -> Result<(), End> {
        wire::apply(delta, &mut self.status).map_err(invalid)?;
        self.put_status().await
    }

    async fn hear_generation(&mut self, report: v1::GenerationReport) -> Result<(), End> {
        let v1::GenerationReport { generation, applied, error } = report;
        if applied {
            self.status.generation = generation;
            self.status.refused = None;
        } else {
            let reason = error.chars().take(500).collect();
            tracing::warn!(tenant = %self.tenant, generation, "a tenant refused its policy");
            self.status.refused = Some(Refused { generation, reason });
        }
        self.put_status().await
    }

    async fn put_status(&mut self) -> Result<(), End> {
        self.status.last_seen = self.parts.clock.now();
        let written = self.parts.store.put_status(self.tenant, self.status.clone()).await;
        written.map_err(|error| unavailable(&error))?.map_err(|_| fenced())?;
        self.parts.events.tell(self.tenant, Change::Tenant);
        Ok(())
    }

    async fn hear_approval(&mut self, request: v1::ApprovalRequest) -> Result<(), End> {
        self.parts.waypoints.pass(Waypoint::HubApprovalReceived);
        let new = match wire::approval(request, self.tenant) {
            Ok(new) => new,
            Err(error) => {
                // Closing the stream would only bring the same request again; without a receipt it expires there.
                tracing::warn!(tenant = %self.tenant, %error, "an approval request was not taken");
                return Ok(());
            }
        };
        let digest = new.digest;
        let stored = self.parts.store.put_approval(self.tenant, new, self.parts.clock.now()).await;
        let fresh = stored.map_err(|error| unavailable(&error))?;
        self.parts.waypoints.pass(Waypoint::HubApprovalStored);
        if fresh {
            self.parts.events.tell(self.tenant, Change::Approval(digest));
        }
        self.send(Down::ApprovalReceipt(v1::ApprovalReceipt { digest: digest.0.to_vec() })).await
    }

    async fn hear_progress(&mut self, progress: v1::ApprovalProgress) -> Result<(), End> {
        let progress = wire::progress(progress).map_err(invalid)?;
        let digest = progress.digest;
        let moved = self.parts.store.put_progress(self.tenant, progress).await.map_err(|error| unavailable(&error))?;
        self.parts.waypoints.pass(Waypoint::HubProgressStored);
        if moved {
            self.parts.events.tell(self.tenant, Change::Approval(digest));
        }
        Ok(())
    }

    async fn hear_receipt(&mut self, receipt: v1::DecisionReceipt) -> Result<(), End> {
        let (digest, receipt) = wire::receipt(receipt).map_err(invalid)?;
        let stored = self.parts.store.put_receipt(self.tenant, digest, receipt, self.parts.clock.now()).await;
        stored.map_err(|error| unavailable(&error))?;
        self.parts.events.tell(self.tenant, Change::Approval(digest));
        Ok(())
    }

    async fn hear_command(&mut self, progress: v1::CommandProgress) -> Result<(), End> {
        let (id, state, output, at) = wire::command_progress(progress).map_err(invalid)?;
        let moved = self.parts.store.put_command_state(self.tenant, id, state, output, at).await;
        if moved.map_err(|error| unavailable(&error))? {
            self.parts.events.tell(self.tenant, Change::Command);
        }
        Ok(())
    }

    async fn hear_activity(&mut self, activity: v1::Activity) -> Result<(), End> {
        let rows = wire::activity(activity).map_err(invalid)?;
        if rows.is_empty() {
            return Ok(());
        }
        let number = self.parts.store.put_activity(self.tenant, rows).await.map_err(|error| unavailable(&error))?;
        self.parts.waypoints.pass(Waypoint::HubActivityStored);
        self.parts.events.tell(self.tenant, Change::Activity);
        self.send(Down::ActivityReceipt(v1::ActivityReceipt { number })).await
    }

    /// Sends what the rows say the tenant has not confirmed, each once on this stream.
    async fn sync(&mut self) -> Result<(), End> {
        let (tenant, store) = (self.tenant, self.parts.store.clone());
        let policy = store.desired_policy(tenant).await.map_err(|error| unavailable(&error))?;
        let listed = self.parts.keys.ring.listed().await.map_err(|error| unsigned(&error))?;
        // A daemon that tells of no list takes none by itself.
        if self.status.keys_version.is_some_and(|version| listed.list.version > version.max(self.sent_keys)) {
            self.sent_keys = listed.list.version;
            self.send(Down::Keys(v1::KeyUpdate { key_list: listed.envelope.clone() })).await?;
        }
        let newest = policy.as_ref().map(|policy| (policy.version, policy.digest));
        if let Some(policy) = policy
            && policy.version > self.status.generation.max(self.sent_generation)
        {
            self.sent_generation = policy.version;
            let key_list = listed.envelope;
            self.send(Down::Desired(v1::Desired { generation: policy.version, bundle: policy.envelope, key_list }))
                .await?;
        }
        self.offer_passkeys().await?;
        for decision in store.open_decisions(tenant).await.map_err(|error| unavailable(&error))? {
            if self.sent_decisions.insert(decision.digest) {
                self.send(Down::ApprovalDecision(wire::decision(decision))).await?;
            }
        }
        let now = self.parts.clock.now();
        for command in store.open_commands(tenant, now).await.map_err(|error| unavailable(&error))? {
            if self.sent_commands.insert(command.id) {
                self.command(command, newest, now).await?;
            }
        }
        Ok(())
    }
}

impl Stream {
    async fn command(&mut self, command: Command, newest: Option<(u64, Digest)>, now: Timestamp) -> Result<(), End> {
        let draft = match &command.order {
            // As of the moment it was asked: the server judges the very bytes whose digest people are shown.
            Order::JudgeDraft { source, .. } => match policies::draft(self.tenant, source, newest, command.created) {
                Ok(draft) => draft.json,
                Err(error) => {
                    let (store, state) = (&self.parts.store, CommandState::Refused);
                    let refused = store.put_command_state(self.tenant, command.id, state, error.to_string(), now);
                    refused.await.map_err(|error| unavailable(&error))?;
                    return Ok(());
                }
            },
            _ => Vec::new(),
        };
        self.send(Down::Command(wire::command(command, draft))).await
    }

    /// Sends the whole list when it is another than the one that was sent last on this stream.
    async fn offer_passkeys(&mut self) -> Result<(), End> {
        // A daemon that tells of none takes none.
        if self.status.passkeys.is_none() {
            return Ok(());
        }
        let offered = self.parts.store.offered_passkeys(self.tenant, OFFERS).await;
        let offered = wire::passkey_offers(offered.map_err(|error| unavailable(&error))?);
        if self.sent_passkeys.as_ref() == Some(&offered) {
            return Ok(());
        }
        self.sent_passkeys = Some(offered.clone());
        self.send(Down::PasskeyOffers(offered)).await
    }
}

fn invalid(error: InvalidMessage) -> Refusal {
    Refusal::invalid_argument(error.to_string())
}

fn fenced() -> Refusal {
    Refusal::aborted("a newer connection of this tenant has taken over")
}
