//! The kill switch: orders to pause, stop and resume, and what ties runs and connections to them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use wardkeep_policy::{Class, Closed, Posture};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::whom::Whom;

use super::{Gate, GateError};
use crate::audit;
use crate::call::CallState;
use crate::halt::{Hold, Holder, Holds, Moved, Order, Standing, may};
use crate::store::{StoreError, Tx, activity, calls, holds};

/// Longest reason that is kept, bytes.
const REASON_BYTES: usize = 1000;
/// How long a stop waits for what it ended before it says so. A killed process needs a few milliseconds.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// What the gate keeps in memory of the kill switch.
#[derive(Debug, Default)]
pub(super) struct Switch {
    holds: RwLock<Holds>,
    lines: Mutex<BTreeMap<AgentName, Line>>,
}

/// Everything of one agent that runs or is connected: cut together, and counted.
#[derive(Debug, Default)]
struct Line {
    cut: CancellationToken,
    all: TaskTracker,
}

/// What ties one run or connection to its agent: `cut` fires when the agent is stopped, and the stop is over when no `held` is
/// left.
#[derive(Debug)]
pub struct Leash {
    /// Ends it.
    pub cut: CancellationToken,
    /// Dropped when it has ended.
    pub held: TaskTrackerToken,
}

impl Switch {
    pub(super) fn new(holds: Vec<Hold>) -> Self {
        Self { holds: RwLock::new(Holds::new(holds)), lines: Mutex::default() }
    }

    pub(super) fn standing(&self, agent: &AgentName) -> Standing {
        self.read(|holds| holds.standing(agent))
    }

    fn read<T>(&self, look: impl FnOnce(&Holds) -> T) -> T {
        look(&self.holds.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Holds) -> T) -> T {
        change(&mut self.holds.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<AgentName, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A leash for one more of `agent`'s, cut already while the agent is stopped.
    fn leash(&self, agent: &AgentName) -> Leash {
        let mut lines = self.lines();
        if !lines.contains_key(agent) {
            lines.insert(agent.clone(), Line::default());
        }
        let line = &lines[agent];
        // Below the lock: a stop that is written later cuts this line.
        if self.standing(agent) == Standing::Stopped {
            line.cut.cancel();
        }
        Leash { cut: line.cut.clone(), held: line.all.token() }
    }

    /// Cuts what `whom` covers; gives what is to be waited for.
    fn cut(&self, whom: &Whom) -> Vec<TaskTracker> {
        let lines = self.lines();
        let covered = lines.iter().filter(|(agent, _)| whom.covers(agent));
        covered
            .map(|(_, line)| {
                line.cut.cancel();
                line.all.close();
                line.all.clone()
            })
            .collect()
    }

    /// Gives agents that are not stopped any more new lines.
    fn mend(&self) {
        let mut lines = self.lines();
        lines.retain(|agent, line| !line.cut.is_cancelled() || self.standing(agent) == Standing::Stopped);
    }

    /// Whether a call of that class may begin. Asked inside the transaction that begins it: what an order tightened before its
    /// own transaction counts for every later one.
    pub(super) fn lets(&self, agent: &AgentName, class: Option<Class>) -> bool {
        match self.standing(agent) {
            Standing::Free => true,
            Standing::Paused => class == Some(Class::Green),
            Standing::Stopped => false,
        }
    }
}

impl Gate {
    /// Pauses or stops. In force at once, and over restarts once this has answered; a stop answers when nothing of the agent
    /// runs any more. Only ever tightens: a pause leaves a stop as it is.
    ///
    /// # Errors
    /// A holder that may not, or when it cannot be recorded: then it is in force until the daemon ends, and the error says so.
    pub async fn halt(&self, order: Order, to: Standing) -> Result<Moved, GateError> {
        if !may(order.holder, order.holder, to) || to == Standing::Free {
            return Err(GateError::Invalid(format!("{} may not set agents to {to}", order.holder.as_str())));
        }
        let hold = self.hold(order, to);
        let Hold { whom, since: now, .. } = hold.clone();
        // In memory first: whatever the disk does, nothing begins from here on.
        let changed = self.switch.change(|holds| {
            let news = holds.is_news(&hold);
            if news {
                holds.put(hold.clone());
            }
            news
        });
        self.tell_all();
        let gone = if to == Standing::Stopped { self.switch.cut(&whom) } else { Vec::new() };
        let written = {
            let hold = hold.clone();
            self.write(move |tx| write_hold(tx, &hold, changed, now)).await
        };
        let lingering = wait_for(gone).await;
        if lingering > 0 {
            tracing::error!(whom = %whom, lingering, "what was stopped has not all ended in time");
        }
        let ended = written.map_err(|error| GateError::InForceOnly(Box::new(error)))?;
        tracing::warn!(%hold, ended, "the kill switch was used");
        Ok(self.moved(whom, changed, ended, lingering))
    }

    /// Lets go what `order` may let go, for a reason that a person gives. What others hold stays, and is named.
    ///
    /// # Errors
    /// No reason, a holder that may not, or when it cannot be recorded; then nothing is loosened.
    pub async fn resume(&self, order: Order) -> Result<Moved, GateError> {
        if order.holder == Holder::Gate {
            return Err(GateError::Invalid("only a person may resume an agent".to_owned()));
        }
        if order.reason.trim().is_empty() {
            return Err(GateError::Invalid("say why with a reason; it is recorded".to_owned()));
        }
        let Hold { whom, holder, by, reason, since: now, .. } = self.hold(order, Standing::Free);
        let released = {
            let whom = whom.clone();
            self.write(move |tx| {
                let gone = holds::release(tx, &whom, holder)?;
                if gone > 0 {
                    let fields = json!({"agent": whom, "holder": holder, "by": by, "reason": reason});
                    audit::append(tx, now, "agent-resumed", None, &fields)?;
                    let words = format!("{} goes on: {by} resumed it: {reason}", whom.spoken());
                    activity::notice(tx, now, "standing", &words)?;
                }
                Ok(gone)
            })
            .await?
        };
        // Only now: loosened after it is on record.
        self.switch.change(|holds| holds.release(&whom, holder));
        self.tell_all();
        self.switch.mend();
        Ok(self.moved(whom, released > 0, 0, 0))
    }

    /// Everything that holds an agent.
    #[must_use]
    pub fn holds(&self) -> Vec<Hold> {
        self.switch.read(|holds| holds.all().to_vec())
    }

    /// How far `agent` is let.
    #[must_use]
    pub fn standing(&self, agent: &AgentName) -> Standing {
        self.switch.standing(agent)
    }

    /// Ties one run or connection to its agent. Take it before looking at the posture.
    #[must_use]
    pub fn leash(&self, agent: &AgentName) -> Leash {
        self.switch.leash(agent)
    }

    /// The posture as it is for one agent.
    #[must_use]
    pub fn posture_for(&self, agent: &AgentName) -> Posture {
        let posture = self.parts.posture.read();
        match self.standing(agent) {
            Standing::Free => posture,
            Standing::Paused => posture.with(Closed::Paused),
            Standing::Stopped => posture.with(Closed::Stopped),
        }
    }

    /// What the gate counted itself is in force as an order is.
    pub(super) fn note_hold(&self, hold: Hold) {
        self.switch.change(|holds| {
            if holds.is_news(&hold) {
                holds.put(hold);
            }
        });
    }

    /// What holds all agents is a state of the machine.
    pub(super) fn tell_all(&self) {
        let all = self.switch.read(Holds::of_all);
        let book = &self.parts.posture;
        for (closed, holds) in [(Closed::Paused, all == Standing::Paused), (Closed::Stopped, all == Standing::Stopped)]
        {
            if holds {
                book.close(closed)
            } else {
                book.reopen(closed)
            };
        }
    }

    fn hold(&self, order: Order, standing: Standing) -> Hold {
        self.parts.secrets.catch_up();
        let Order { whom, holder, by, reason } = order;
        // Not a word is stored while it cannot be redacted.
        let reason = if self.parts.posture.read().has(Closed::VaultUnread) {
            "not kept, because the vault is unread".to_owned()
        } else {
            cut(&self.clean(reason.trim()))
        };
        Hold { whom, holder, standing, by: cut(&self.clean(&by)), reason, since: self.now() }
    }

    fn moved(&self, whom: Whom, changed: bool, ended: usize, lingering: usize) -> Moved {
        let (standing, held) = self.switch.read(|holds| {
            let standing = match &whom {
                Whom::All => holds.of_all(),
                Whom::Agent(agent) => holds.standing(agent),
            };
            (standing, holds.holding(&whom))
        });
        let known = match &whom {
            Whom::All => true,
            Whom::Agent(agent) => self.parts.bundle.borrow().agent(agent).is_some(),
        };
        Moved { whom, standing, known, changed, ended, lingering, held }
    }
}

/// The row, its record, and the end of what waits or was allowed, in one transaction; gives how many calls that were.
fn write_hold(tx: &Tx<'_>, hold: &Hold, changed: bool, now: Timestamp) -> Result<usize, StoreError> {
    // Memory may be ahead of the disk after an order that could not be recorded.
    let kept = holds::all(tx)?
        .into_iter()
        .any(|kept| (&kept.whom, kept.holder, kept.standing) == (&hold.whom, hold.holder, hold.standing));
    if changed || !kept {
        record(tx, hold, now)?;
    }
    if hold.standing != Standing::Stopped {
        return Ok(0);
    }
    let mut ended = 0;
    for state in ["pending", "permitted", "approved"] {
        for row in calls::in_state(tx, state)? {
            if hold.whom.covers(&row.key.agent) {
                let why = hold.to_string();
                calls::advance(tx, row, CallState::Superseded { why }, now)?;
                ended += 1;
            }
        }
    }
    Ok(ended)
}

/// Writes a hold and who made it.
pub(super) fn record(tx: &Tx<'_>, hold: &Hold, now: Timestamp) -> Result<(), StoreError> {
    let Hold { whom, holder, standing, by, reason, .. } = hold;
    holds::put(tx, hold)?;
    let fields = json!({"agent": whom, "holder": holder, "by": by, "reason": reason});
    audit::append(tx, now, &format!("agent-{standing}"), None, &fields)?;
    activity::notice(tx, now, "standing", &hold.to_string())
}

/// How many are left.
async fn wait_for(gone: Vec<TaskTracker>) -> usize {
    let all = async {
        for line in &gone {
            line.wait().await;
        }
    };
    let _ = tokio::time::timeout(GONE_WITHIN, all).await;
    gone.iter().map(TaskTracker::len).sum()
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(REASON_BYTES)].to_owned()
}
