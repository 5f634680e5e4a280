//! A judged call put on record: all of it in one transaction, folded into an earlier one where it repeats it.

use serde_json::json;
use wardkeep_policy::Asking;

use super::fatigue;
use super::halt::Switch;
use super::judge::{Earlier, Judged};
use super::turns::{TAKEN, Turns};
use crate::audit;
use crate::call::{CallKey, CallState};
use crate::store::approvals;
use crate::store::calls::{self, CallRow};
use crate::store::grants::{self, Ledger};
use crate::store::{StoreError, Tx};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    New,
    Same,
    Other,
    /// Nothing is: the grant under which it might have run is used up.
    Spent,
}

/// What was judged before an order tightened what the agent may, and is stored after it.
pub(super) fn held_back(switch: &Switch, judged: Judged) -> Judged {
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
pub(super) fn store(
    tx: &Tx<'_>,
    key: &CallKey,
    judged: Judged,
    repeats: &Earlier,
    asking: Asking,
    turns: &Turns,
) -> Result<Stored, StoreError> {
    let at = turns.now;
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
    // No person's no: it is not remembered, and the same call may be made again.
    if matches!(row.state, CallState::Permitted { .. }) && turns.are_taken(tx, &row)? {
        let state = CallState::Denied { reasons: vec![TAKEN.to_owned()], ruling: None };
        row = CallRow { state, action: None, ..row };
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
