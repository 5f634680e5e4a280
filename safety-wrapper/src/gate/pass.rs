//! Calls that may run at once: answered after one short transaction, and put where they belong a moment later.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use wardkeep_policy::agents::subagents::starts;

use super::judge::{Asks, Judged, Proposed, What};
use super::{Gate, GateError};
use crate::call::CallKey;
use crate::store::calls::CallRow;

/// Calls within this time are put away together. The live view is behind by as much.
const TOGETHER: Duration = Duration::from_millis(20);
/// Between two tries on a full disk.
const AGAIN: Duration = Duration::from_secs(2);

/// Where a call is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On the calling thread, as far as that needs one wait for the disk at most.
    Here,
    /// On a thread that may block.
    Aside,
}

/// What came of a first look at a call.
pub(super) enum First {
    /// There was none yet.
    Unseen,
    /// It may run, and that is on record.
    Passed(CallRow),
    /// Everything is known of it, and it is to be stored.
    Judged(Judged),
    /// A person is to be asked, and that is to be written up.
    Asks(Box<Asks>),
    /// There is more to find out, or no action to judge.
    Open,
}

impl Gate {
    /// Judges a call and records it, if nothing but its own row follows from that. Waits for the disk once.
    pub(super) fn look(self: &Arc<Self>, key: &CallKey, proposed: &Proposed) -> Result<First, GateError> {
        let What::Action(action) = &proposed.what else { return Ok(First::Open) };
        // Starts of sub-agents are counted among the calls, where what passes here is missing for a moment.
        if proposed.own || starts(&action.tool) {
            return Ok(First::Open);
        }
        let judged = match self.weigh(key, action)? {
            Ok(judged) => judged,
            Err(asks) => return Ok(First::Asks(asks)),
        };
        if judged.grant.is_some() {
            return Ok(First::Judged(judged));
        }
        let turns = self.turns(judged.row.created);
        let passed = self.store.pass(&judged.row, |tx| {
            Ok(self.switch.lets(&key.agent, judged.row.class) && !turns.are_taken(tx, &judged.row)?)
        });
        // Nothing was written, so a full disk may still be full.
        if matches!(passed, Ok(false)) {
            return Ok(First::Judged(judged));
        }
        self.written(passed)?;
        self.put_away_soon();
        Ok(First::Passed(judged.row))
    }

    /// Puts away what was let pass, now.
    ///
    /// # Errors
    /// When it cannot be recorded; it is on disk all the same.
    pub async fn put_away(&self) -> Result<(), GateError> {
        self.write(|_| Ok(())).await
    }

    fn put_away_soon(self: &Arc<Self>) {
        if self.putting_away.swap(true, Ordering::SeqCst) {
            return;
        }
        let gate = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut wait = TOGETHER;
            loop {
                tokio::time::sleep(wait).await;
                let Some(gate) = gate.upgrade() else { return };
                // Before: what comes from here on asks for another turn.
                gate.putting_away.store(false, Ordering::SeqCst);
                let Err(error) = gate.put_away().await else { return };
                tracing::warn!(%error, "calls of the last moment are not among the others yet; it is tried again");
                if gate.putting_away.swap(true, Ordering::SeqCst) {
                    return;
                }
                wait = AGAIN;
            }
        });
    }
}
