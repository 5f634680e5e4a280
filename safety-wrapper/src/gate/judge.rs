//! From a proposal to a recorded answer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::MutexGuard;
use wardkeep_policy::agents::subagents::starts;
use wardkeep_policy::{Action, Bundle, Class, Closed, Decision, Factor, Fired, Grant, grantable, render};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{AgentName, CallId, PermitId};
use wardkeep_proto::limits::{APPROVE_BY, USE_BY};
use wardkeep_proto::waypoint::Waypoint;

use super::keep::{Stored, held_back, store};
use super::pass::{First, Place};
use super::reply::executor;
use super::{Gate, GateError, Outgoing, OutgoingAnswer, Proposal, key_of};
use crate::answer::Answer;
use crate::approval::document::{Draft, Offer, redact_action};
use crate::call::{CallKey, CallState, Executor};
use crate::store::StoreError;
use crate::store::activity::SUMMARY_BYTES;
use crate::store::approvals::NewApproval;
use crate::store::calls::{self, CallRow};

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
    pub(super) approval: Option<NewApproval>,
    /// Under which grant it may run.
    pub(super) grant: Option<Grant>,
    /// Whether the daemon's own server is to carry it out for the runtime.
    pub(super) own: bool,
}

/// What an agent wants, and how it was put.
pub(super) struct Proposed {
    pub(super) what: What,
    earlier: Earlier,
    /// As in [`Judged`].
    pub(super) own: bool,
}

/// Which call of its session a proposal repeats.
pub(super) enum Earlier {
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
    pub(super) const fn plain(row: CallRow, approval: Option<NewApproval>) -> Self {
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
        let canonical = action.canonical();
        let digest = Action::digest_of(&canonical);
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
                row.action = Some(canonical);
                self.fill_in(&mut row, class, None, &fired);
            }
            Decision::NeedsApproval { class, fired, factor } => {
                row.action = Some(canonical);
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
        self.fill_in(&mut row, class, Some(factor), &fired);
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

    fn fill_in(&self, row: &mut CallRow, class: Class, factor: Option<Factor>, fired: &[Fired]) {
        row.class = Some(class);
        row.factor = factor;
        row.fired = fired.iter().map(|f| Fired { reason: self.clean(&f.reason), ..f.clone() }).collect();
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
        // What was let just now was let with an eye on whose turn it is.
        let fresh = new == Stored::New && matches!(row.state, CallState::Permitted { .. });
        let row = if fresh { row } else { self.hand_over(&key, row).await? };
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
            let (turns, asking) = (self.turns(self.now()), self.parts.bundle.borrow().asking);
            let taken = self.recorded(self.store.write(|tx| {
                let new = store(tx, key, held_back(&self.switch, judged), &proposed.earlier, asking, &turns)?;
                Ok((new, calls::counting(tx, key)?))
            }))?;
            // Another call took the last use of its grant in between: a person is asked, or another grant covers it.
            if taken.0 != Stored::Spent {
                return Ok(taken);
            }
            judged = judge()?;
        }
    }
}

/// Names a proposal that is no action, so that a repeat is recognised.
fn no_action_digest(tool: &str, args: &Value) -> Result<Digest, GateError> {
    let bytes = serde_json::to_vec(&json!([tool, args])).map_err(StoreError::from)?;
    Ok(Digest::of(NO_ACTION, &bytes))
}
