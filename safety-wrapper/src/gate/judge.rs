//! From a proposal to a recorded answer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::MutexGuard;
use tokio::time::Instant;
use wardkeep_policy::action::Call;
use wardkeep_policy::agents::subagents::starts;
use wardkeep_policy::{Action, Asking, Bundle, Class, Closed, Decision, Factor, Fired, Grant, grantable, render};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{AgentName, CallId, PermitId, SessionId};
use wardkeep_proto::limits::{APPROVE_BY, USE_BY};
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::waypoint::Waypoint;

use super::fatigue;
use super::halt::Switch;
use super::pass::{First, Place};
use super::{Gate, GateError, Outgoing, OutgoingAnswer, Proposal, WAIT_MAX, key_of};
use crate::answer::{Answer, Reason};
use crate::approval::document::{Draft, Offer, redact_action};
use crate::approval::short_name;
use crate::audit;
use crate::call::{CallKey, CallState, Executor};
use crate::halt::Standing;
use crate::store::activity::SUMMARY_BYTES;
use crate::store::approvals::{self, NewApproval};
use crate::store::calls::{self, CallRow};
use crate::store::grants::{self, Ledger};
use crate::store::{StoreError, Tx};

/// Domain of the digest of a proposal that is no action.
const NO_ACTION: &str = "wardkeep/no-action/v1";

/// Longest document of an approval, bytes; what the hub takes.
const DOCUMENT_BYTES: usize = 512 * 1024;
/// Why a call is refused that did not run.
const UNRUN: &str = "its runtime refused it before anybody was asked; nothing ran";
/// Why a call with a longer one is refused: what nobody can read, nobody can approve.
const TOO_LONG: &str = "the call is too long to be shown to a person; split it into parts of at most 100 KiB";

/// A judged call, ready to be stored.
pub(super) struct Judged {
    pub(super) row: CallRow,
    approval: Option<NewApproval>,
    /// Under which grant it may run.
    pub(super) grant: Option<Grant>,
    /// Whether the daemon's own server is to carry it out for the runtime.
    own: bool,
}

/// What an agent wants, and how it was put.
pub(super) struct Proposed {
    pub(super) what: What,
    earlier: Earlier,
    /// As in [`Judged`].
    pub(super) own: bool,
}

/// Which call of its session a proposal repeats.
enum Earlier {
    /// None that is known.
    None,
    /// This one, as its runtime remembers.
    Named(CallId),
    /// The same one that its runtime was told to come back for.
    Unheard,
}

pub(super) enum What {
    Action(Action),
    /// It is no action, or was not begun; the row says no.
    Refused(CallRow),
}

/// A call that a person is to be asked about.
pub(super) struct Asks {
    row: CallRow,
    action: Action,
    shown: Action,
    bundle: Arc<Bundle>,
    class: Class,
    fired: Vec<Fired>,
    factor: Factor,
}

impl Judged {
    /// A call that is refused, or that no grant lets pass.
    const fn plain(row: CallRow, approval: Option<NewApproval>) -> Self {
        Self { row, approval, grant: None, own: false }
    }
}

impl Gate {
    /// Judges one proposed call, records the answer, and waits for a person as long as the proposal allows.
    ///
    /// The same call again gives its present state; it is never judged or run twice.
    ///
    /// # Errors
    /// [`GateError::Conflict`] when the key was used for another call; otherwise when it cannot be recorded.
    pub async fn before_tool_call(
        self: &Arc<Self>,
        agent: &AgentName,
        proposal: Proposal,
    ) -> Result<Answer, GateError> {
        // Whoever calls this has a large future already.
        Box::pin(self.propose(agent, proposal, Place::Aside)).await
    }

    /// As [`Gate::before_tool_call`], for a thread that serves nothing but calls: one that may run at once is judged and written
    /// down on it.
    ///
    /// # Errors
    /// As for [`Gate::before_tool_call`].
    pub async fn before_tool_call_here(
        self: &Arc<Self>,
        agent: &AgentName,
        proposal: Proposal,
    ) -> Result<Answer, GateError> {
        self.propose(agent, proposal, Place::Here).await
    }

    async fn propose(
        self: &Arc<Self>,
        agent: &AgentName,
        proposal: Proposal,
        place: Place,
    ) -> Result<Answer, GateError> {
        self.renew(agent);
        self.parts.secrets.catch_up();
        let Proposal { session, call, tool, args, cwd, wait_ms, same_as, again, own, unrun } = proposal;
        let earlier = match same_as {
            Some(call) => Earlier::Named(call),
            None if again => Earlier::Unheard,
            None => Earlier::None,
        };
        if self.posture_for(agent).has(Closed::VaultUnread) {
            // Not a word of a call is stored, and so none is sent, while its text, names included, cannot be redacted.
            self.audit_note("call-while-vault-unread", json!({"agent": agent})).await?;
            let closed = Closed::VaultUnread;
            return Ok(self.deny(call, None, vec![format!("{} ({closed}): {}", closed.why(), closed.what_to_do())]));
        }
        self.without_secrets(&[("session", session.as_str()), ("call", call.as_str())])?;
        let key = key_of(agent, &session, &call);
        if unrun {
            let mut row = self.refused(key.clone(), &tool, no_action_digest(&tool, &args)?, vec![UNRUN.to_owned()]);
            row.title = self.title(&format!("Use the tool {tool}, which its runtime refused"));
            let refused = Proposed { what: What::Refused(row), earlier: Earlier::None, own: false };
            return self.record(key, refused, None, (Duration::ZERO, place)).await;
        }
        let bundle = self.parts.bundle.borrow().clone();
        // Two starts of sub-agents are judged one after the other, or both would be the last one that may be.
        let turn = if starts(&tool) { Some(self.starting.lock().await) } else { None };
        let what = match bundle.read_action(agent.clone(), session, &tool, &args, cwd.as_deref()) {
            Ok(action) => What::Action(action),
            Err(invalid) => {
                let digest = no_action_digest(&tool, &args)?;
                let mut row = self.refused(key.clone(), &tool, digest, vec![invalid.to_string()]);
                row.title = self.title("A call that cannot be read");
                What::Refused(row)
            }
        };
        let wait = Duration::from_millis(wait_ms);
        self.record(key, Proposed { what, earlier, own }, turn, (wait, place)).await
    }

    /// What the daemon's own server carries out. It has no tool that the runtime itself would have to carry out.
    fn for_own_server(&self, judged: Judged) -> Judged {
        let mut judged = Judged { own: true, ..judged };
        let opens = matches!(judged.row.state, CallState::Permitted { .. } | CallState::Pending { .. });
        if opens && executor(&judged.row) == Executor::Runtime {
            let reasons = vec![format!("the daemon's MCP server has no tool {}", self.clean(&judged.row.tool))];
            judged.row = CallRow {
                state: CallState::Denied { reasons, ruling: None },
                action: None,
                factor: None,
                ..judged.row
            };
            (judged.approval, judged.row.approval, judged.grant) = (None, None, None);
        }
        judged
    }

    /// Judges one outgoing message of the runtime, as a call of the tool `message`.
    ///
    /// What is judged, shown and may be sent is the text without secrets.
    ///
    /// # Errors
    /// As for [`Gate::before_tool_call`].
    pub async fn message_sending(
        self: &Arc<Self>,
        agent: &AgentName,
        message: Outgoing,
    ) -> Result<OutgoingAnswer, GateError> {
        self.parts.secrets.catch_up();
        let text = self.clean(&message.text);
        let proposal = Proposal {
            session: message.session,
            call: message.call,
            tool: "message".to_owned(),
            args: json!({"channel": message.channel, "to": message.to, "body": text}),
            cwd: None,
            wait_ms: message.wait_ms,
            same_as: None,
            again: false,
            own: false,
            unrun: false,
        };
        Ok(OutgoingAnswer { answer: self.before_tool_call(agent, proposal).await?, text })
    }

    /// The present state of a call; waits while it is pending.
    ///
    /// # Errors
    /// [`GateError::UnknownCall`], or when the database cannot be read.
    pub async fn call_status(
        self: &Arc<Self>,
        agent: &AgentName,
        session: &SessionId,
        call: &CallId,
        wait: Duration,
    ) -> Result<Answer, GateError> {
        self.renew(agent);
        self.settle(&key_of(agent, session, call), wait).await
    }

    /// Decides on an action, and writes up what a person is asked.
    fn judge(&self, key: &CallKey, action: &Action) -> Result<Judged, GateError> {
        match self.weigh(key, action)? {
            Ok(judged) => Ok(judged),
            Err(asks) => self.ask(*asks),
        }
    }

    /// Decides on an action, pure but for time, chance and the values it reads; what a person is to be asked about is not written
    /// up yet.
    pub(super) fn weigh(&self, key: &CallKey, action: &Action) -> Result<Result<Judged, Box<Asks>>, GateError> {
        let now = self.now();
        let digest = action.digest();
        let refused = |reasons| self.refused(key.clone(), &action.tool, digest, reasons);
        // By construction: what is shown, sent and logged is made from the redacted action only.
        let (shown, raw) = match redact_action(&self.parts.redaction.load(), action) {
            Ok(found) => found,
            Err(why) => return Ok(Ok(Judged::plain(refused(vec![why]), None))),
        };
        if !raw.is_empty() {
            let reasons = raw
                .iter()
                .map(|name| format!("the call holds the value of secret {name}; write SECRET_REF({name}) in its place"))
                .collect();
            let mut row = refused(reasons);
            row.title = self.title(&render(&shown).title);
            return Ok(Ok(Judged::plain(row, None)));
        }
        let bundle = self.parts.bundle.borrow().clone();
        let past = self.past(action, now)?;
        let (decision, grant) = past.decide(action, &bundle, &self.posture_for(&action.agent), now);
        let mut row = refused(Vec::new());
        row.title = self.title(&render(&shown).title);
        row.created = now;
        row.updated = now;
        match decision {
            Decision::Deny { class, reasons } => {
                row.class = class;
                let reasons = reasons.iter().map(|r| self.clean(r)).collect();
                row.state = CallState::Denied { reasons, ruling: None };
            }
            Decision::Allow { class, fired } => {
                let permit = PermitId::new(now, &*self.parts.chance);
                row.state = CallState::Permitted { permit, use_by: now.plus(USE_BY) };
                self.fill_in(&mut row, class, None, &fired, action);
            }
            Decision::NeedsApproval { class, fired, factor } => {
                let action = action.clone();
                return Ok(Err(Box::new(Asks { row, action, shown, bundle, class, fired, factor })));
            }
        }
        Ok(Ok(Judged { row, approval: None, grant, own: false }))
    }

    /// Writes up what a person is asked.
    fn ask(&self, asks: Asks) -> Result<Judged, GateError> {
        let Asks { mut row, action, shown, bundle, class, fired, factor } = asks;
        let now = row.created;
        let approve_by = now.plus(APPROVE_BY);
        row.state = CallState::Pending { approve_by };
        self.fill_in(&mut row, class, Some(factor), &fired, &action);
        let files = match self.pins(&action) {
            Ok(pinned) => pinned.shown,
            Err(why) => {
                (row.action, row.factor) = (None, None);
                row.state = CallState::Denied { reasons: vec![self.clean(&why)], ruling: None };
                return Ok(Judged::plain(row, None));
            }
        };
        let scopes = if factor == Factor::Person { grantable(&action, &bundle, now) } else { Vec::new() };
        let offer = Offer::new(scopes, bundle.granting, &self.parts.redaction.load());
        let draft = Draft {
            files: &files,
            grant: offer.as_ref(),
            tenant: self.parts.tenant,
            action_digest: row.action_digest,
            shown: &shown,
            class,
            factor,
            fired: &row.fired,
            bundle: self.bundle_name()?,
            nonce: wardkeep_proto::chance::bytes(&*self.parts.chance),
            created: now,
            approve_by,
        };
        let document = draft.write(&self.parts.redaction.load())?;
        if document.len() > DOCUMENT_BYTES {
            row.action = None;
            row.factor = None;
            row.state = CallState::Denied { reasons: vec![TOO_LONG.to_owned()], ruling: None };
            return Ok(Judged::plain(row, None));
        }
        let digest = Digest::plain(&document);
        row.approval = Some(digest);
        Ok(Judged::plain(row, Some(NewApproval { digest, document, created: now, approve_by })))
    }

    fn fill_in(&self, row: &mut CallRow, class: Class, factor: Option<Factor>, fired: &[Fired], action: &Action) {
        row.class = Some(class);
        row.factor = factor;
        row.fired = fired.iter().map(|f| Fired { reason: self.clean(&f.reason), ..f.clone() }).collect();
        row.action = Some(action.canonical());
    }

    /// A row that says no; the ground on which the others are filled in.
    fn refused(&self, key: CallKey, tool: &str, action_digest: Digest, reasons: Vec<String>) -> CallRow {
        let now = self.now();
        // Redacted before it is cut, since half a value is not recognised; on one line, since the hub takes no other name.
        let mut tool = self.clean(tool).replace(char::is_control, "\u{FFFD}");
        tool.truncate(tool.floor_char_boundary(128));
        CallRow {
            id: 0,
            key,
            title: self.title(&tool),
            tool,
            action: None,
            action_digest,
            class: None,
            factor: None,
            fired: Vec::new(),
            approval: None,
            state: CallState::Denied { reasons: reasons.iter().map(|r| self.clean(r)).collect(), ruling: None },
            created: now,
            updated: now,
        }
    }

    pub(super) fn title(&self, text: &str) -> String {
        let text = self.clean(text);
        text[..text.floor_char_boundary(SUMMARY_BYTES)].to_owned()
    }

    async fn record(
        self: &Arc<Self>,
        key: CallKey,
        proposed: Proposed,
        turn: Option<MutexGuard<'_, ()>>,
        (wait, place): (Duration, Place),
    ) -> Result<Answer, GateError> {
        self.parts.waypoints.pass(Waypoint::HookReceived);
        let forgetful = matches!(proposed.earlier, Earlier::Unheard);
        let first = match place {
            Place::Here => self.look(&key, &proposed)?,
            Place::Aside => First::Unseen,
        };
        let (new, row) = match first {
            First::Passed(row) => (Stored::New, Some(row)),
            first => {
                let (gate, known) = (Arc::clone(self), key.clone());
                // Named files are read, documents written and the disk is waited for: not on a thread that serves others.
                let taken = tokio::task::spawn_blocking(move || gate.take(&known, &proposed, first));
                taken.await.map_err(|_| GateError::Worker)??
            }
        };
        drop(turn);
        if new == Stored::Other {
            return Err(GateError::Conflict(key.call));
        }
        if new == Stored::New {
            self.parts.waypoints.pass(Waypoint::CallRecorded);
        }
        let row = row.ok_or(GateError::UnknownCall)?;
        // What may run at once was never one to come back for.
        let forgetful = forgetful && !matches!(row.state, CallState::Permitted { .. });
        let row = self.hand_over(&key, row).await?;
        let answer = self.answer(&key, row);
        let answer = if wait.is_zero() || !answer.is_pending() { answer } else { self.settle(&key, wait).await? };
        if forgetful {
            self.remember(key, answer.is_pending()).await?;
        }
        Ok(answer)
    }

    /// Keeps for a runtime that remembers nothing what it was told to come back for.
    async fn remember(&self, key: CallKey, unheard: bool) -> Result<(), GateError> {
        let asked = key.clone();
        let known = self
            .read(move |conn| match calls::counting(conn, &asked)? {
                Some(row) => Ok(Some((row.id, calls::is_unheard(conn, row.id)?))),
                None => Ok(None),
            })
            .await?;
        match known {
            Some((id, was)) if was != unheard => self.write(move |tx| calls::mark_unheard(tx, id, unheard)).await,
            _ => Ok(()),
        }
    }

    /// Judges and stores; gives the row that counts then.
    fn take(
        self: &Arc<Self>,
        key: &CallKey,
        proposed: &Proposed,
        first: First,
    ) -> Result<(Stored, Option<CallRow>), GateError> {
        let first = if matches!(first, First::Unseen) { self.look(key, proposed)? } else { first };
        let judge = || {
            let judged = match &proposed.what {
                What::Action(action) => self.judge(key, action)?,
                What::Refused(row) => Judged::plain(row.clone(), None),
            };
            Ok::<_, GateError>(if proposed.own { self.for_own_server(judged) } else { judged })
        };
        let mut judged = match first {
            First::Passed(row) => return Ok((Stored::New, Some(row))),
            First::Judged(judged) => judged,
            First::Asks(asks) => self.ask(*asks)?,
            First::Unseen | First::Open => judge()?,
        };
        loop {
            let (at, asking) = (self.now(), self.parts.bundle.borrow().asking);
            let taken = self.recorded(self.store.write(|tx| {
                let new = store(tx, key, held_back(&self.switch, judged), &proposed.earlier, asking, at)?;
                Ok((new, calls::counting(tx, key)?))
            }))?;
            // Another call took the last use of its grant in between: a person is asked, or another grant covers it.
            if taken.0 != Stored::Spent {
                return Ok(taken);
            }
            judged = judge()?;
        }
    }

    /// Answers with the state of a call, after waiting while it is pending.
    async fn settle(self: &Arc<Self>, key: &CallKey, wait: Duration) -> Result<Answer, GateError> {
        let until = Instant::now() + wait.min(WAIT_MAX);
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let counted = key.clone();
            let row = self.read(move |conn| calls::counting(conn, &counted)).await?.ok_or(GateError::UnknownCall)?;
            let row = self.hand_over(key, row).await?;
            let answer = self.answer(key, row);
            if !answer.is_pending() || Instant::now() >= until {
                return Ok(answer);
            }
            // Whether woken or out of time, the state is read once more.
            let _ = tokio::time::timeout_at(until, changed.changed()).await;
            self.renew(&key.agent);
        }
    }

    /// An approved call that only the runtime can carry out is given to it here, once and under one id; the claim is the
    /// record.
    async fn hand_over(self: &Arc<Self>, asks: &CallKey, row: CallRow) -> Result<CallRow, GateError> {
        let CallState::Approved { permit, .. } = row.state else { return Ok(row) };
        if executor(&row) == Executor::Runner {
            return Ok(row);
        }
        let now = self.now();
        let key = row.key.clone();
        let next = match self.check(&row, now).await? {
            super::launch::Check::Go(..) => {
                CallState::Claimed { permit, at: now, by: Executor::Runtime, to: Some(asks.call.clone()) }
            }
            super::launch::Check::Hold(_) => return Ok(row),
            super::launch::Check::Over(state) => state,
        };
        let switch = Arc::clone(&self.switch);
        self.write(move |tx| {
            let row = calls::by_key(tx, &key)?.ok_or(StoreError::corrupt("calls"))?;
            match row.state {
                CallState::Approved { .. } if !switch.lets(&key.agent, row.class) => Ok(row),
                CallState::Approved { .. } => calls::advance(tx, row, next, now),
                _ => Ok(row),
            }
        })
        .await
    }

    fn answer(&self, key: &CallKey, row: CallRow) -> Answer {
        let call = key.call.clone();
        let class = row.class.unwrap_or(Class::CriticalRed);
        let rules: Vec<Reason> = row.fired.iter().map(Reason::from).collect();
        let pending = |approve_by_ms, message: String| Answer::Pending {
            call: call.clone(),
            class,
            approval: row.approval.as_ref().map(short_name),
            digest: row.approval,
            approve_by_ms,
            rules: rules.clone(),
            message,
        };
        match row.state {
            // Recorded before it was stopped, and not to be begun any more.
            CallState::Permitted { .. } | CallState::Claimed { by: Executor::Runtime, .. }
                if self.standing(&key.agent) == Standing::Stopped =>
            {
                self.deny(call, row.class, vec![Closed::Stopped.why().to_owned()])
            }
            CallState::Permitted { permit, .. } => Answer::Allow { call, class, permit, rules },
            CallState::Claimed { permit, by: Executor::Runtime, .. }
                if row.state.is_given_to(&key.call, &row.key.call) =>
            {
                Answer::Allow { call, class, permit, rules }
            }
            CallState::Claimed { by: Executor::Runtime, .. } => {
                pending(None, "The same call was approved once and is being carried out under another id.".to_owned())
            }
            CallState::Pending { approve_by } => pending(
                Some(approve_by),
                format!(
                    "Waiting for a person to approve it ({}). Do not repeat it under another id; ask for this call again later.",
                    row.approval.as_ref().map(short_name).unwrap_or_default()
                ),
            ),
            CallState::Approved { ruling, .. } => {
                pending(None, self.clean(&format!("Approved by {}; it is about to run.", ruling.by)))
            }
            CallState::Claimed { by: Executor::Runner, .. } => pending(None, "It is running.".to_owned()),
            CallState::Done { permit, result }
            | CallState::Failed { permit, result }
            | CallState::Interrupted { permit, result } => Answer::Done { call, class, permit, result },
            CallState::Denied { reasons, .. } => self.deny(call, row.class, reasons),
            CallState::Expired { why } | CallState::Superseded { why } => self.deny(call, row.class, vec![why]),
            // A folded call leads to one that is not folded; a row that does not is damaged and allows nothing.
            CallState::Folded { .. } => self.deny(call, row.class, vec!["the call is not known".to_owned()]),
        }
    }

    fn deny(&self, call: CallId, class: Option<Class>, reasons: Vec<String>) -> Answer {
        let reasons: Vec<String> = reasons.iter().map(|r| self.clean(r)).collect();
        let message = format!("Not allowed: {}. Do not try it another way; tell the user.", reasons.join("; "));
        Answer::Deny { call, class, reasons, message }
    }
}

/// Who carries out what is stored in `row`. What cannot be read goes the way to the runner, where it is checked and refused.
pub(super) fn executor(row: &CallRow) -> Executor {
    let action = row.action.as_deref().and_then(|bytes| serde_json::from_slice::<Action>(bytes).ok());
    match action.map(|action| action.call) {
        Some(Call::Message { .. } | Call::Other { .. }) => Executor::Runtime,
        _ => Executor::Runner,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
    New,
    Same,
    Other,
    /// Nothing is: the grant under which it might have run is used up.
    Spent,
}

/// What was judged before an order tightened what the agent may, and is stored after it.
fn held_back(switch: &Switch, judged: Judged) -> Judged {
    let Judged { mut row, approval, grant, own } = judged;
    let opens = matches!(row.state, CallState::Permitted { .. } | CallState::Pending { .. });
    if !opens || switch.lets(&row.key.agent, row.class) {
        return Judged { row, approval, grant, own };
    }
    let reasons = vec!["the agent was paused or stopped in this moment; ask again when it goes on".to_owned()];
    (row.action, row.factor, row.approval) = (None, None, None);
    row.state = CallState::Denied { reasons, ruling: None };
    Judged::plain(row, None)
}

/// All of it in one transaction, so that two proposals of one call at the same time are one call.
fn store(
    tx: &Tx<'_>,
    key: &CallKey,
    judged: Judged,
    repeats: &Earlier,
    asking: Asking,
    at: Timestamp,
) -> Result<Stored, StoreError> {
    let Judged { mut row, mut approval, grant, own } = judged;
    if let Some(present) = calls::by_key(tx, key)? {
        if present.action_digest == row.action_digest {
            return Ok(Stored::Same);
        }
        let fields = json!({"recorded": present.action_digest, "proposed": row.action_digest});
        audit::append(tx, at, "call-conflict", Some(key), &fields)?;
        return Ok(Stored::Other);
    }
    let asks = matches!(row.state, CallState::Pending { .. });
    if asks || matches!(row.state, CallState::Permitted { .. }) {
        let (agent, session) = (&row.key.agent, &row.key.session);
        let instead = match calls::denied_by_person(tx, agent, session, row.action_digest)? {
            Some(denied) => Some(denied_before(denied)),
            None if asks => {
                let first = match earlier(tx, &row, repeats)? {
                    Some(first) => Some(first),
                    None => calls::alike(tx, agent, session, row.action_digest, "pending")?,
                };
                match first {
                    Some(first) => Some(CallState::Folded { into: first.key }),
                    None => fatigue::too_many(tx, key, asking, at)?
                        .map(|why| CallState::Denied { reasons: vec![why], ruling: None }),
                }
            }
            None => None,
        };
        if let Some(state) = instead {
            approval = None;
            row = CallRow { state, approval: None, action: None, ..row };
        }
    }
    let grant = grant.filter(|_| matches!(row.state, CallState::Permitted { .. }));
    if let Some(grant) = &grant
        && !Ledger::of(tx, &key.agent, None)?.is_live(&key.agent, grant)
    {
        return Ok(Stored::Spent);
    }
    let id = calls::insert(tx, &row)?;
    if own {
        calls::mark_own(tx, id)?;
        if let CallState::Folded { into } = &row.state
            && let Some(first) = calls::by_key(tx, into)?
        {
            calls::mark_own(tx, first.id)?;
        }
    }
    if let Some(grant) = &grant {
        let left = grants::take(tx, &key.agent, grant, id, at)?.ok_or(StoreError::corrupt("grant_uses"))?;
        let fields = json!({"grant": grant.id(&key.agent), "tool": grant.tool, "left": left});
        audit::append(tx, at, "grant-used", Some(key), &fields)?;
    }
    if let Some(new) = &approval {
        approvals::insert(tx, id, new)?;
    }
    Ok(Stored::New)
}

/// The call that this one repeats: the very same, and one that a person was asked about. Another one is judged as new.
fn earlier(tx: &Tx<'_>, row: &CallRow, repeats: &Earlier) -> Result<Option<CallRow>, StoreError> {
    let first = match repeats {
        Earlier::None => None,
        Earlier::Named(call) => calls::counting(tx, &CallKey { call: call.clone(), ..row.key.clone() })?,
        Earlier::Unheard => calls::unheard(tx, &row.key.agent, &row.key.session, row.action_digest)?,
    };
    Ok(first.filter(|first| first.approval.is_some() && first.action_digest == row.action_digest))
}

/// A person said no to the same call of the same session.
fn denied_before(denied: CallRow) -> CallState {
    let mut reasons = match denied.state {
        CallState::Denied { reasons, .. } => reasons,
        _ => Vec::new(),
    };
    reasons.push("nobody is asked again in this session".to_owned());
    CallState::Denied { reasons, ruling: None }
}

/// Names a proposal that is no action, so that a repeat is recognised.
fn no_action_digest(tool: &str, args: &Value) -> Result<Digest, GateError> {
    let bytes = serde_json::to_vec(&json!([tool, args])).map_err(StoreError::from)?;
    Ok(Digest::of(NO_ACTION, &bytes))
}
