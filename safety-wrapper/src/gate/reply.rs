//! What an agent is told about a call: its state, and an approved call handed over to the runtime that carries it out.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wardkeep_policy::action::Call;
use wardkeep_policy::{Action, Class, Closed};
use wardkeep_proto::ids::{AgentName, CallId, SessionId};

use super::launch::Check;
use super::turns::TAKEN;
use super::{Gate, GateError, WAIT_MAX, key_of};
use crate::answer::{Answer, Reason};
use crate::approval::short_name;
use crate::call::{CallKey, CallState, Executor};
use crate::halt::Standing;
use crate::store::StoreError;
use crate::store::calls::{self, CallRow};

impl Gate {
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

    /// Answers with the state of a call, after waiting while it is pending.
    pub(super) async fn settle(self: &Arc<Self>, key: &CallKey, wait: Duration) -> Result<Answer, GateError> {
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
    /// record. One that it was given before is not given again while a run has the workspace for itself: the row stays as it is,
    /// and only this answer is a no.
    pub(super) async fn hand_over(self: &Arc<Self>, asks: &CallKey, row: CallRow) -> Result<CallRow, GateError> {
        let given =
            matches!(row.state, CallState::Permitted { .. }) || row.state.is_given_to(&asks.call, &row.key.call);
        let approved = matches!(row.state, CallState::Approved { .. });
        if !(given || approved) || executor(&row) == Executor::Runner {
            return Ok(row);
        }
        let now = self.now();
        let (turns, asked) = (self.turns(now), row.clone());
        // Looked at first without writing: who waits is woken by each write.
        let taken = self.read(move |conn| turns.are_taken(conn, &asked)).await?;
        if taken && given {
            return Ok(CallRow { state: CallState::Denied { reasons: vec![TAKEN.to_owned()], ruling: None }, ..row });
        }
        let CallState::Approved { permit, .. } = row.state else { return Ok(row) };
        if taken {
            return Ok(row);
        }
        let key = row.key.clone();
        let next = match self.check(&row, now).await? {
            Check::Go(..) => CallState::Claimed { permit, at: now, by: Executor::Runtime, to: Some(asks.call.clone()) },
            Check::Hold(_) => return Ok(row),
            Check::Over(state) => state,
        };
        let (switch, turns) = (Arc::clone(&self.switch), self.turns(now));
        self.write(move |tx| {
            let row = calls::by_key(tx, &key)?.ok_or(StoreError::corrupt("calls"))?;
            match row.state {
                CallState::Approved { .. } if !switch.lets(&key.agent, row.class) => Ok(row),
                CallState::Approved { .. } if turns.are_taken(tx, &row)? => Ok(row),
                CallState::Approved { .. } => calls::advance(tx, row, next, now),
                _ => Ok(row),
            }
        })
        .await
    }

    pub(super) fn answer(&self, key: &CallKey, row: CallRow) -> Answer {
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

    pub(super) fn deny(&self, call: CallId, class: Option<Class>, reasons: Vec<String>) -> Answer {
        let reasons: Vec<String> = reasons.iter().map(|r| self.clean(r)).collect();
        // What is only to be waited for says so itself.
        let then = if reasons == [TAKEN] { "" } else { " Do not try it another way; tell the user." };
        let message = format!("Not allowed: {}.{then}", reasons.join("; "));
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
