//! Messages of the link become domain values here, and nowhere else. Each conversion takes its message apart completely.

use wardkeep_passkey::Assertion;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::grant::GrantTerms;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::limits::APPROVE_BY;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::v1;

use crate::store::activity::ActivityRow;
use crate::store::approvals::{NewApproval, OpenDecision, Progress, Receipt, StateKind, Verdict};
use crate::store::audit::Checkpoint;
use crate::store::commands::{Command, CommandState, Order};
use crate::store::passkeys::OfferedPasskey;
use crate::store::status::{AgentState, GivenGrant, Status};
use crate::store::usage::{Bucket, BucketKey, Totals};

/// Bytes of an approval's document.
const DOCUMENT_BYTES: usize = 512 * 1024;
/// Bytes of a call's result.
const RESULT_BYTES: usize = 4 * 1024;
/// Bytes of a command's answer.
const OUTPUT_BYTES: usize = 64 * 1024;
/// Bytes of one word or line: names, summaries, versions.
const LINE_BYTES: usize = 512;
/// Agents, closed states, rows, buckets in one message.
const MANY: usize = 10_000;

/// A message does not say what it should; the text names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct InvalidMessage(&'static str);

type Wire<T> = Result<T, InvalidMessage>;

fn line(what: &'static str, text: String) -> Wire<String> {
    if text.len() <= LINE_BYTES && !text.chars().any(char::is_control) { Ok(text) } else { Err(InvalidMessage(what)) }
}

fn text(what: &'static str, text: String, most: usize) -> Wire<String> {
    if text.len() <= most { Ok(text) } else { Err(InvalidMessage(what)) }
}

/// A count that fits the column.
fn count(what: &'static str, number: u64) -> Wire<u64> {
    if i64::try_from(number).is_ok() { Ok(number) } else { Err(InvalidMessage(what)) }
}

fn digest(bytes: &[u8]) -> Wire<Digest> {
    Digest::try_from(bytes).map_err(|_| InvalidMessage("a digest has 32 bytes"))
}

fn optional_digest(bytes: &[u8]) -> Wire<Option<Digest>> {
    if bytes.is_empty() { Ok(None) } else { digest(bytes).map(Some) }
}

fn few<T>(what: &'static str, list: Vec<T>) -> Wire<Vec<T>> {
    if list.len() <= MANY { Ok(list) } else { Err(InvalidMessage(what)) }
}

/// A whole status, as heard at `now` on the stream `epoch`.
pub(super) fn status(wire: v1::Status, epoch: u64, now: Timestamp) -> Wire<Status> {
    let v1::Status {
        agent_version,
        hostname,
        started_at_ms,
        generation,
        closed,
        agents,
        audit_length,
        audit_head,
        open_approvals,
        memory_bytes,
        clock_skew_ms,
        passkeys,
        keys_version,
        grants,
    } = wire;
    Ok(Status {
        last_seen: now,
        connected: true,
        epoch,
        agent_version: line("agent_version is too long", agent_version)?,
        hostname: line("hostname is too long", hostname)?,
        started: Timestamp(started_at_ms),
        generation: count("generation is too large", generation)?,
        refused: None,
        closed: closed_states(closed)?,
        agents: few("too many agents", agents)?.into_iter().map(agent).collect::<Wire<_>>()?,
        audit_length: count("audit_length is too large", audit_length)?,
        audit_head: optional_digest(&audit_head)?,
        open_approvals: u64::from(open_approvals),
        memory_bytes: count("memory_bytes is too large", memory_bytes)?,
        clock_skew_ms,
        passkeys: passkeys.map(pinned).transpose()?,
        keys_version: keys_version.map(|version| count("keys_version is too large", version)).transpose()?,
        grants: grants.map(given).transpose()?,
    })
}

/// Lays what changed over `status`.
pub(super) fn apply(delta: v1::StatusDelta, status: &mut Status) -> Wire<()> {
    let v1::StatusDelta {
        generation,
        closed,
        agents,
        audit_length,
        audit_head,
        open_approvals,
        memory_bytes,
        passkeys,
        keys_version,
        grants,
    } = delta;
    if let Some(generation) = generation {
        status.generation = count("generation is too large", generation)?;
    }
    if let Some(v1::ClosedStates { closed }) = closed {
        status.closed = closed_states(closed)?;
    }
    for new in few("too many agents", agents)?.into_iter().map(agent) {
        let new = new?;
        match status.agents.iter_mut().find(|known| known.agent == new.agent) {
            Some(known) => *known = new,
            None => status.agents.push(new),
        }
    }
    few("too many agents", std::mem::take(&mut status.agents)).map(|agents| status.agents = agents)?;
    if let Some(length) = audit_length {
        status.audit_length = count("audit_length is too large", length)?;
    }
    if let Some(head) = audit_head {
        status.audit_head = optional_digest(&head)?;
    }
    if let Some(open) = open_approvals {
        status.open_approvals = u64::from(open);
    }
    if let Some(bytes) = memory_bytes {
        status.memory_bytes = count("memory_bytes is too large", bytes)?;
    }
    if let Some(passkeys) = passkeys {
        status.passkeys = Some(pinned(passkeys)?);
    }
    if let Some(version) = keys_version {
        status.keys_version = Some(count("keys_version is too large", version)?);
    }
    if let Some(grants) = grants {
        status.grants = Some(given(grants)?);
    }
    Ok(())
}

fn pinned(wire: v1::PasskeyStatus) -> Wire<Vec<Digest>> {
    let v1::PasskeyStatus { pinned } = wire;
    few("too many passkeys", pinned)?.iter().map(|fingerprint| digest(fingerprint)).collect()
}

fn given(wire: v1::GivenGrants) -> Wire<Vec<GivenGrant>> {
    let v1::GivenGrants { grants } = wire;
    let list = |list: Vec<String>| -> Wire<Vec<String>> {
        few("too many words in a grant", list)?
            .into_iter()
            .map(|word| text("a word of a grant is too long", word, 4 * LINE_BYTES))
            .collect()
    };
    let grant = |grant: v1::GivenGrant| {
        let v1::GivenGrant {
            id,
            agent,
            tool,
            recipients,
            hosts,
            command,
            until_ms,
            used,
            left,
            given_by,
            given_at_ms,
            approval,
            live,
            revoked,
        } = grant;
        Ok(GivenGrant {
            id: digest(&id)?,
            agent: line("an agent's name is too long", agent)?,
            tool: line("a tool's name is too long", tool)?,
            recipients: list(recipients)?,
            hosts: list(hosts)?,
            command: list(command)?,
            until: Timestamp(until_ms),
            used,
            left,
            by: text("the name of who gave a grant is too long", given_by, 4 * LINE_BYTES)?,
            at: Timestamp(given_at_ms),
            approval: digest(&approval)?,
            live,
            revoked,
        })
    };
    few("too many grants", grants)?.into_iter().map(grant).collect()
}

fn closed_states(closed: Vec<String>) -> Wire<Vec<String>> {
    few("too many closed states", closed)?
        .into_iter()
        .map(|name| line("a closed state's name is too long", name))
        .collect()
}

fn agent(wire: v1::AgentStatus) -> Wire<AgentState> {
    let v1::AgentStatus { agent, lease_until_ms, runtime, paused, standing, held_by, held_why, held_here } = wire;
    Ok(AgentState {
        agent: line("an agent's name is too long", agent)?,
        lease_until_ms,
        runtime: line("a runtime's name is too long", runtime)?,
        paused,
        standing: line("a standing's name is too long", standing)?,
        held_by: text("the name of who holds an agent is too long", held_by, 4 * LINE_BYTES)?,
        held_why: text("the reason of a hold is too long", held_why, 4 * LINE_BYTES)?,
        held_here,
    })
}

/// A request of `tenant`. Its document must be JSON, name this tenant, and have the digest it comes with.
pub(super) fn approval(wire: v1::ApprovalRequest, tenant: TenantId) -> Wire<NewApproval> {
    let v1::ApprovalRequest { digest: named, document, created_at_ms, approve_by_ms } = wire;
    let named = digest(&named)?;
    if document.len() > DOCUMENT_BYTES {
        return Err(InvalidMessage("the document is too long"));
    }
    // What a person reads must be what the digest names.
    if named != Digest::plain(&document) {
        return Err(InvalidMessage("the document has another digest"));
    }
    let json: serde_json::Value =
        serde_json::from_slice(&document).map_err(|_| InvalidMessage("the document is not JSON"))?;
    if json["tenant"] != tenant.to_string() {
        return Err(InvalidMessage("the document names another tenant"));
    }
    let created = Timestamp(created_at_ms);
    // A tenant may ask for less time, never for more.
    let approve_by = Timestamp(approve_by_ms).min(created.plus(APPROVE_BY));
    Ok(NewApproval { digest: named, document, created, approve_by })
}

/// How an approval goes on.
pub(super) fn progress(wire: v1::ApprovalProgress) -> Wire<Progress> {
    let v1::ApprovalProgress { digest: named, state, at_ms, result, decided_by } = wire;
    let state = match v1::ApprovalState::try_from(state) {
        Ok(v1::ApprovalState::Pending) => StateKind::Pending,
        Ok(v1::ApprovalState::Approved) => StateKind::Approved,
        Ok(v1::ApprovalState::Claimed) => StateKind::Claimed,
        Ok(v1::ApprovalState::Done) => StateKind::Done,
        Ok(v1::ApprovalState::Failed) => StateKind::Failed,
        Ok(v1::ApprovalState::Denied) => StateKind::Denied,
        Ok(v1::ApprovalState::Expired) => StateKind::Expired,
        Ok(v1::ApprovalState::Superseded) => StateKind::Superseded,
        Ok(v1::ApprovalState::Interrupted) => StateKind::Interrupted,
        Ok(v1::ApprovalState::Unspecified) | Err(_) => {
            return Err(InvalidMessage("the state of an approval is not known"));
        }
    };
    Ok(Progress {
        digest: digest(&named)?,
        state,
        at: Timestamp(at_ms),
        result: text("the result is too long", result, RESULT_BYTES)?,
        decided_by: line("decided_by is too long", decided_by)?,
    })
}

/// A tenant's receipt for a decision.
pub(super) fn receipt(wire: v1::DecisionReceipt) -> Wire<(Digest, Receipt)> {
    let v1::DecisionReceipt { digest: named, accepted, error } = wire;
    let receipt =
        if accepted { Receipt::Taken } else { Receipt::Refused(text("the error is too long", error, RESULT_BYTES)?) };
    Ok((digest(&named)?, receipt))
}

/// A decision as it goes down.
pub(super) fn decision(open: OpenDecision) -> v1::ApprovalDecision {
    let verdict = match open.ruling.verdict {
        Verdict::Approved => v1::Verdict::Approved,
        Verdict::Denied => v1::Verdict::Denied,
    };
    v1::ApprovalDecision {
        digest: open.digest.0.to_vec(),
        verdict: verdict.into(),
        decided_by: open.ruling.by,
        decided_at_ms: open.ruling.at.millis(),
        note: open.ruling.note,
        signature: open.signature,
        passkey: open.assertion.map(assertion),
        grant: open.ruling.grant.map(|GrantTerms { hours, scope, uses }| v1::GrantTerms { scope, hours, uses }),
    }
}

/// The keys that a tenant is offered.
pub(super) fn passkey_offers(offered: Vec<OfferedPasskey>) -> v1::PasskeyOffers {
    let offer = |offered: OfferedPasskey| {
        let OfferedPasskey { key, owner, introduction } = offered;
        let (expires, introduction) = introduction.unzip();
        v1::PasskeyOffer {
            public_key: key.passkey.public_key.to_cose(),
            credential_id: key.passkey.credential_id,
            origin: key.passkey.origin,
            name: key.name,
            owner,
            withdrawn: key.removed.is_some(),
            introduction: introduction.map(assertion),
            introduction_expires_ms: expires.map_or(0, |at| at.millis()),
        }
    };
    v1::PasskeyOffers { keys: offered.into_iter().map(offer).collect() }
}

fn assertion(assertion: Assertion) -> v1::PasskeyAssertion {
    let Assertion { credential_id, authenticator_data, client_data_json, signature } = assertion;
    v1::PasskeyAssertion { credential_id, authenticator_data, client_data_json, signature }
}

/// Rows of activity.
pub(super) fn activity(wire: v1::Activity) -> Wire<Vec<ActivityRow>> {
    let v1::Activity { rows } = wire;
    few("too many rows", rows)?.into_iter().map(activity_row).collect()
}

fn activity_row(wire: v1::ActivityRow) -> Wire<ActivityRow> {
    let v1::ActivityRow { number, at_ms, agent, session, call, tool, class, outcome, summary, digest } = wire;
    Ok(ActivityRow {
        number: count("number is too large", number)?,
        at: Timestamp(at_ms),
        agent: line("agent is too long", agent)?,
        session: line("session is too long", session)?,
        call: line("call is too long", call)?,
        tool: line("tool is too long", tool)?,
        class: line("class is too long", class)?,
        outcome: line("outcome is too long", outcome)?,
        summary: text("summary is too long", summary, 2 * LINE_BYTES)?,
        digest: optional_digest(&digest)?,
    })
}

/// A command as it goes down; `draft` is the bundle that a draft's text becomes.
pub(super) fn command(command: Command, draft: Vec<u8>) -> v1::Command {
    let by = command.ordered_by;
    let kind = match command.order {
        Order::PauseAgent { agent, reason } => {
            v1::command::Kind::PauseAgent(v1::PauseAgent { agent: agent.to_string(), reason, by })
        }
        Order::StopAgent { agent, reason } => {
            v1::command::Kind::StopAgent(v1::StopAgent { agent: agent.to_string(), reason, by })
        }
        Order::ResumeAgent { agent, reason } => {
            v1::command::Kind::ResumeAgent(v1::ResumeAgent { agent: agent.to_string(), reason, by })
        }
        Order::RunDoctor => v1::command::Kind::RunDoctor(v1::RunDoctor {}),
        Order::JudgeDraft { source: _, last, after: _ } => {
            v1::command::Kind::JudgeDraft(v1::JudgeDraft { bundle: draft, last, by })
        }
        Order::RevokeGrant { grant } => v1::command::Kind::RevokeGrant(v1::RevokeGrant { id: grant.0.to_vec(), by }),
    };
    v1::Command { id: command.id.to_string(), deadline_ms: command.deadline.millis(), kind: Some(kind) }
}

/// How a command goes on.
pub(super) fn command_progress(
    wire: v1::CommandProgress,
) -> Wire<(wardkeep_proto::ids::CommandId, CommandState, String, Timestamp)> {
    let v1::CommandProgress { id, state, output, at_ms } = wire;
    let state = match v1::CommandState::try_from(state) {
        Ok(v1::CommandState::Received) => CommandState::Received,
        Ok(v1::CommandState::Succeeded) => CommandState::Succeeded,
        Ok(v1::CommandState::Failed) => CommandState::Failed,
        Ok(v1::CommandState::Refused) => CommandState::Refused,
        Ok(v1::CommandState::Expired) => CommandState::Expired,
        Ok(v1::CommandState::Queued | v1::CommandState::Unspecified) | Err(_) => {
            return Err(InvalidMessage("the state of a command is not known"));
        }
    };
    let id = id.parse().map_err(|_| InvalidMessage("a command's id is a UUID"))?;
    Ok((id, state, text("the output is too long", output, OUTPUT_BYTES)?, Timestamp(at_ms)))
}

/// Usage totals.
pub(super) fn buckets(wire: v1::UsageReport) -> Wire<Vec<Bucket>> {
    let v1::UsageReport { buckets } = wire;
    few("too many buckets", buckets)?.into_iter().map(bucket).collect()
}

fn bucket(wire: v1::UsageBucket) -> Wire<Bucket> {
    const TOO_LARGE: &str = "a total is too large";
    let v1::UsageBucket {
        agent,
        provider,
        model,
        hour_ms,
        revision,
        requests,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        reasoning_tokens,
        cost_micros,
        estimated_requests,
        cache_write_1h_tokens,
        guessed_price_requests,
    } = wire;
    let hour = Timestamp(hour_ms);
    if hour != hour.hour() {
        return Err(InvalidMessage("hour_ms must be the start of an hour"));
    }
    // Sums over many buckets must fit the column too: 2^50 in one hour is beyond any provider.
    let total = |number: u64| if number < 1 << 50 { Ok(number) } else { Err(InvalidMessage(TOO_LARGE)) };
    Ok(Bucket {
        key: BucketKey {
            agent: line("agent is too long", agent)?,
            provider: line("provider is too long", provider)?,
            model: line("model is too long", model)?,
            hour,
        },
        revision: count("revision is too large", revision)?,
        totals: Totals {
            requests: total(requests)?,
            input_tokens: total(input_tokens)?,
            output_tokens: total(output_tokens)?,
            cache_read_tokens: total(cache_read_tokens)?,
            cache_write_tokens: total(cache_write_tokens)?,
            reasoning_tokens: total(reasoning_tokens)?,
            cost_micros: total(cost_micros)?,
            estimated_requests: total(estimated_requests)?,
            cache_write_1h_tokens: total(cache_write_1h_tokens)?,
            guessed_price_requests: total(guessed_price_requests)?,
        },
    })
}

/// The receipt for usage totals.
pub(super) fn accepted(stored: Vec<(BucketKey, u64)>) -> v1::UsageReceipt {
    let accepted = stored.into_iter().map(|(key, revision)| v1::UsageAccepted {
        agent: key.agent,
        provider: key.provider,
        model: key.model,
        hour_ms: key.hour.millis(),
        revision,
    });
    v1::UsageReceipt { accepted: accepted.collect() }
}

/// A head of an audit log with the key that should have signed it.
pub(super) struct WireCheckpoint {
    pub(super) length: u64,
    pub(super) head: Digest,
    pub(super) at: Timestamp,
    pub(super) signature: Vec<u8>,
    pub(super) audit_key: Vec<u8>,
    /// What the log holds now at a length that we confirmed.
    pub(super) known: Option<(u64, Digest)>,
}

/// A head of an audit log.
pub(super) fn checkpoint(wire: v1::AuditCheckpointReport) -> Wire<WireCheckpoint> {
    let v1::AuditCheckpointReport { length, head, at_ms, signature, audit_key, known_length, known_head } = wire;
    if audit_key.len() != 32 || signature.len() != 64 {
        return Err(InvalidMessage("an audit key has 32 bytes, its signature 64"));
    }
    Ok(WireCheckpoint {
        length: count("length is too large", length)?,
        head: digest(&head)?,
        at: Timestamp(at_ms),
        signature,
        audit_key,
        known: match optional_digest(&known_head)? {
            Some(head) if known_length > 0 => Some((count("known_length is too large", known_length)?, head)),
            _ => None,
        },
    })
}

/// What the tenant is told of the checkpoints that we hold.
pub(super) fn stored(checkpoint: Checkpoint) -> v1::StoredCheckpoint {
    let Checkpoint { length, head, at, signature, .. } = checkpoint;
    v1::StoredCheckpoint { length, head: head.0.to_vec(), at_ms: at.millis(), signature }
}
