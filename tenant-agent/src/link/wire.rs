//! Domain values to wire messages. What comes in is taken apart where it is handled.

use std::time::Duration;

use wardkeep_passkey::Passkey;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::v1;
use wardkeep_safety::{ActivityRow, Approval, ApprovalState, Holder, PasskeyOffer, Progress};

use super::decision;
use super::journal::{Entry, State};
use crate::observed::{AgentStatus, GivenStatus, Status};

/// Longest result text of a progress message, bytes.
const RESULT_BYTES: usize = 4096;

pub(crate) fn approval_request(approval: Approval) -> v1::ApprovalRequest {
    v1::ApprovalRequest {
        digest: approval.digest.0.to_vec(),
        document: approval.document,
        created_at_ms: approval.created.millis(),
        approve_by_ms: approval.approve_by.millis(),
    }
}

pub(crate) fn progress(progress: &Progress) -> v1::ApprovalProgress {
    let Progress { digest, state, at, result, decided_by } = progress;
    v1::ApprovalProgress {
        digest: digest.0.to_vec(),
        state: approval_state(*state).into(),
        at_ms: at.millis(),
        result: cut(result, RESULT_BYTES).to_owned(),
        decided_by: decided_by.clone(),
    }
}

const fn approval_state(state: ApprovalState) -> v1::ApprovalState {
    match state {
        ApprovalState::Pending => v1::ApprovalState::Pending,
        ApprovalState::Approved => v1::ApprovalState::Approved,
        ApprovalState::Claimed => v1::ApprovalState::Claimed,
        ApprovalState::Done => v1::ApprovalState::Done,
        ApprovalState::Failed => v1::ApprovalState::Failed,
        ApprovalState::Interrupted => v1::ApprovalState::Interrupted,
        ApprovalState::Denied => v1::ApprovalState::Denied,
        ApprovalState::Expired => v1::ApprovalState::Expired,
        ApprovalState::Superseded => v1::ApprovalState::Superseded,
    }
}

pub(crate) fn activity_row(row: ActivityRow) -> v1::ActivityRow {
    let ActivityRow { number, at, agent, session, call, tool, class, outcome, summary, digest } = row;
    v1::ActivityRow {
        number,
        at_ms: at.millis(),
        agent,
        session,
        call,
        tool,
        class,
        outcome,
        summary,
        digest: digest.map(|d| d.0.to_vec()).unwrap_or_default(),
    }
}

pub(crate) fn command_progress(entry: Entry) -> v1::CommandProgress {
    let state = match entry.state {
        State::Received => v1::CommandState::Received,
        State::Succeeded => v1::CommandState::Succeeded,
        State::Failed => v1::CommandState::Failed,
        State::Refused => v1::CommandState::Refused,
        State::Expired => v1::CommandState::Expired,
    };
    v1::CommandProgress {
        id: entry.id.to_string(),
        state: state.into(),
        output: entry.output,
        at_ms: entry.at.millis(),
    }
}

pub(crate) fn status(status: &Status) -> v1::Status {
    v1::Status {
        agent_version: status.agent_version.clone(),
        hostname: status.hostname.clone(),
        started_at_ms: status.started_at.millis(),
        generation: status.generation,
        closed: status.closed.clone(),
        agents: status.agents.iter().map(agent_status).collect(),
        audit_length: status.audit_length,
        audit_head: status.audit_head.0.to_vec(),
        open_approvals: status.open_approvals,
        memory_bytes: status.memory_bytes,
        clock_skew_ms: status.clock_skew_ms,
        passkeys: Some(passkeys(&status.passkeys)),
        keys_version: Some(status.keys_version),
        grants: Some(grants(&status.grants)),
    }
}

fn grants(given: &[GivenStatus]) -> v1::GivenGrants {
    let grant = |given: &GivenStatus| v1::GivenGrant {
        id: given.id.0.to_vec(),
        agent: given.agent.to_string(),
        tool: given.tool.clone(),
        recipients: given.recipients.clone(),
        hosts: given.hosts.clone(),
        command: given.command.clone(),
        until_ms: given.until.millis(),
        used: given.used,
        left: given.left,
        given_by: given.by.clone(),
        given_at_ms: given.at.millis(),
        approval: given.approval.0.to_vec(),
        live: given.live,
        revoked: given.revoked,
    };
    v1::GivenGrants { grants: given.iter().map(grant).collect() }
}

fn passkeys(pinned: &[Digest]) -> v1::PasskeyStatus {
    v1::PasskeyStatus { pinned: pinned.iter().map(|fingerprint| fingerprint.0.to_vec()).collect() }
}

fn agent_status(agent: &AgentStatus) -> v1::AgentStatus {
    v1::AgentStatus {
        agent: agent.agent.to_string(),
        lease_until_ms: agent.lease_until.map_or(0, |at| at.millis()),
        runtime: agent.runtime.clone(),
        paused: agent.paused,
        standing: agent.standing.as_str().to_owned(),
        held_by: agent.held.first().map_or_else(String::new, |hold| hold.by.clone()),
        held_why: agent.held.first().map_or_else(String::new, |hold| hold.reason.clone()),
        held_here: agent.held.iter().any(|hold| hold.holder == Holder::Local),
    }
}

/// What changed from `old` to `new`; `None` when nothing worth a message did.
pub(crate) fn delta(old: &Status, new: &Status) -> Option<v1::StatusDelta> {
    /// Memory moves all the time; below a mebibyte nobody cares.
    const MEMORY_STEP: u64 = 1024 * 1024;
    let delta = v1::StatusDelta {
        generation: (old.generation != new.generation).then_some(new.generation),
        closed: (old.closed != new.closed).then(|| v1::ClosedStates { closed: new.closed.clone() }),
        agents: new.agents.iter().filter(|agent| !is_known(agent, &old.agents)).map(agent_status).collect(),
        audit_length: (old.audit_length != new.audit_length).then_some(new.audit_length),
        audit_head: (old.audit_head != new.audit_head).then(|| new.audit_head.0.to_vec()),
        open_approvals: (old.open_approvals != new.open_approvals).then_some(new.open_approvals),
        memory_bytes: (old.memory_bytes.abs_diff(new.memory_bytes) >= MEMORY_STEP).then_some(new.memory_bytes),
        passkeys: (old.passkeys != new.passkeys).then(|| passkeys(&new.passkeys)),
        keys_version: (old.keys_version != new.keys_version).then_some(new.keys_version),
        grants: (old.grants != new.grants).then(|| grants(&new.grants)),
    };
    (delta != v1::StatusDelta::default()).then_some(delta)
}

/// What the hub knows once it has the delta from `old` to `new`: what was not worth telling it knows as it was.
pub(crate) fn told(old: &Status, new: Status) -> Status {
    let known = |agent: AgentStatus| match old.agents.iter().find(|known| known.agent == agent.agent) {
        Some(known) if is_known(&agent, &old.agents) => known.clone(),
        _ => agent,
    };
    let memory_bytes = delta(old, &new).and_then(|delta| delta.memory_bytes).unwrap_or(old.memory_bytes);
    let agents = new.agents.into_iter().map(known).collect();
    Status { agents, memory_bytes, ..new }
}

/// Whether the hub knows this of the agent. A lease that lives on is told anew once in a while, not each time it is renewed.
fn is_known(agent: &AgentStatus, told: &[AgentStatus]) -> bool {
    /// A quarter of what a lease lasts.
    const LEASE_STEP: Duration = Duration::from_secs(30);
    let same = |known: &&AgentStatus| AgentStatus { lease_until: agent.lease_until, ..(*known).clone() } == *agent;
    told.iter().find(same).is_some_and(|known| match (known.lease_until, agent.lease_until) {
        (Some(told), Some(now)) => told <= now && now.since(told) < LEASE_STEP,
        (told, now) => told == now,
    })
}

/// Offers that can be read; one that cannot is as if it had not been made.
pub(crate) fn passkey_offers(offers: v1::PasskeyOffers) -> Vec<PasskeyOffer> {
    let offer = |offer| {
        let v1::PasskeyOffer {
            credential_id,
            public_key,
            origin,
            name,
            owner,
            withdrawn,
            introduction,
            introduction_expires_ms,
        } = offer;
        match Passkey::new(credential_id, &public_key, &origin) {
            Ok(passkey) => {
                let expires = Timestamp(introduction_expires_ms);
                let introduction = introduction.map(|shown| (expires, decision::assertion(shown)));
                Some(PasskeyOffer { passkey, name, owner, withdrawn, introduction })
            }
            Err(error) => {
                tracing::warn!(%error, "the hub offers a passkey that cannot be used here");
                None
            }
        }
    };
    offers.keys.into_iter().filter_map(offer).collect()
}

fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes.min(text.len()))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Status {
        Status {
            agent_version: "0.1.0".into(),
            hostname: "acme-1".into(),
            started_at: Timestamp(1),
            generation: 3,
            closed: vec!["vault-locked".into()],
            agents: vec![AgentStatus {
                agent: "office".parse().expect("valid"),
                lease_until: Some(Timestamp(9)),
                runtime: "demo".into(),
                paused: false,
                standing: wardkeep_safety::Standing::Free,
                held: Vec::new(),
            }],
            audit_length: 5,
            audit_head: Digest([1; 32]),
            open_approvals: 1,
            memory_bytes: 30 << 20,
            clock_skew_ms: 0,
            passkeys: Vec::new(),
            grants: Vec::new(),
            keys_version: 1,
        }
    }

    #[test]
    fn a_delta_holds_what_changed_and_nothing_else() {
        let old = sample();
        assert_eq!(delta(&old, &Status { memory_bytes: old.memory_bytes + 5, ..sample() }), None);
        let opened = delta(&old, &Status { closed: Vec::new(), ..sample() }).expect("a change");
        assert_eq!(opened, v1::StatusDelta { closed: Some(v1::ClosedStates::default()), ..Default::default() });
        let mut agents = old.agents.clone();
        agents[0].paused = true;
        let paused = delta(&old, &Status { agents, audit_length: 6, ..sample() }).expect("a change");
        assert_eq!((paused.agents.len(), paused.audit_length, paused.generation), (1, Some(6), None));
    }

    #[test]
    fn a_lease_that_lives_on_is_told_once_in_a_while() {
        let until = |ms: i64, length: u64| Status {
            agents: vec![AgentStatus { lease_until: Some(Timestamp(ms)), ..sample().agents.remove(0) }],
            audit_length: length,
            ..sample()
        };
        let mut hub = until(120_000, 5);
        let mut told = Vec::new();
        for second in 1..=70_u32 {
            // Other news go each second; they must not hide that the lease was not told.
            let new = until(120_000 + i64::from(second) * 1000, 5 + u64::from(second));
            let delta = delta(&hub, &new).expect("news");
            told.extend(delta.agents.iter().map(|_| second));
            hub = super::told(&hub, new);
        }
        assert_eq!(told, [30, 60]);
        let over = Status { agents: vec![AgentStatus { lease_until: None, ..hub.agents[0].clone() }], ..hub.clone() };
        assert_eq!(delta(&hub, &over).expect("at once").agents.len(), 1);
        let back = until(1, 200);
        assert_eq!(delta(&hub, &back).expect("a clock that was set back").agents.len(), 1);
    }

    #[test]
    fn long_results_are_cut_between_characters() {
        let long = "ä".repeat(3000);
        let cut = cut(&long, RESULT_BYTES);
        assert!(cut.len() <= RESULT_BYTES && cut.len() > RESULT_BYTES - 4);
    }
}
