//! Running totals of the windows that budgets ask for, so that judging a request reads no rows.
//!
//! They are the writer's own, beside the file that it alone has open: what was used is read from the buckets once for each
//! window, what is held is known from the requests that are open. Every change belongs to the transaction that is going on;
//! one that is undone takes its changes with it ([`Ledger::undo`]).

use std::collections::HashMap;

use wardkeep_policy::Window;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::{Admission, MeterError};
use crate::budget::{Amount, Over};

#[derive(Default)]
pub(super) struct Ledger {
    tenant: Windows,
    agents: HashMap<AgentName, Windows>,
    open: HashMap<i64, Held>,
    /// The number of the last row; never given twice by one writer.
    last_row: i64,
    /// How to take back what the present transaction did to `open`, newest last.
    undo: Vec<Undo>,
}

/// Reads what a scope used from one moment to before another.
pub(super) type Reader<'a> = dyn FnMut(Option<&AgentName>, Timestamp, Timestamp) -> Result<Amount, MeterError> + 'a;

/// What an open request holds.
#[derive(Clone)]
struct Held {
    agent: AgentName,
    admitted: Timestamp,
    need: Amount,
}

enum Undo {
    Opened(i64),
    Closed(i64, Held),
}

/// One slot for each window that was asked for.
#[derive(Default)]
struct Windows(Vec<Slot>);

struct Slot {
    window: Window,
    start: Timestamp,
    used: Amount,
    held: Amount,
}

impl Ledger {
    /// The caps that `admission` would go over at `now`: one that is enforced, or else all that only tell. One that would hold
    /// also if all that is held came back is named before one that would not: waiting does not help then.
    pub(super) fn judge(
        &mut self,
        read: &mut Reader<'_>,
        admission: &Admission,
        now: Timestamp,
    ) -> Result<Result<Vec<Over>, Over>, MeterError> {
        let need = admission.need();
        let (mut told, mut held_up) = (Vec::new(), None);
        for cap in &admission.caps {
            let window = cap.limit.window;
            let slot = self.slot(read, cap.scope.as_ref(), window, now)?;
            if !cap.is_passed(slot.used.plus(slot.held).plus(need)) {
                continue;
            }
            let over = Over { cap: cap.clone(), used: slot.used, held: slot.held, need, opens: window.end(now) };
            match (cap.enforce, over.is_held()) {
                (false, _) => told.push(over),
                (true, false) => return Ok(Err(over)),
                (true, true) => held_up = held_up.or(Some(over)),
            }
        }
        Ok(held_up.map_or(Ok(told), Err))
    }

    /// Whether judging `admission` reads nothing.
    pub(super) fn knows(&self, admission: &Admission, now: Timestamp) -> bool {
        admission.caps.iter().all(|cap| {
            let windows = match &cap.scope {
                None => Some(&self.tenant),
                Some(agent) => self.agents.get(agent),
            };
            let window = cap.limit.window;
            let current = |slot: &Slot| slot.window == window && slot.start == window.start(now);
            windows.is_some_and(|windows| windows.0.iter().any(current))
        })
    }

    /// Requests that are open.
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// The number of a new row; the last process left none open.
    pub(super) fn next_row(&mut self) -> i64 {
        self.last_row += 1;
        self.last_row
    }

    /// A request was put on disk.
    pub(super) fn open(&mut self, row: i64, admission: &Admission, admitted: Timestamp) {
        let held = Held { agent: admission.agent.clone(), admitted, need: admission.need() };
        self.each_slot(&held.agent, admitted, |slot| slot.held = slot.held.plus(held.need));
        self.open.insert(row, held);
        self.undo.push(Undo::Opened(row));
    }

    /// A request was settled or never left: what it held comes back, what it used counts where it was held.
    pub(super) fn close(&mut self, row: i64, used: Amount) {
        let Some(held) = self.open.remove(&row) else { return };
        self.each_slot(&held.agent, held.admitted, |slot| {
            slot.held = slot.held.minus(held.need);
            slot.used = slot.used.plus(used);
        });
        self.undo.push(Undo::Closed(row, held));
    }

    /// The transaction is on disk.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    /// The transaction is not: sums are read anew when they are asked for.
    pub(super) fn undo(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Opened(row) => drop(self.open.remove(&row)),
                Undo::Closed(row, held) => drop(self.open.insert(row, held)),
            }
        }
        self.tenant = Windows::default();
        self.agents.clear();
    }

    fn slot(
        &mut self,
        read: &mut Reader<'_>,
        scope: Option<&AgentName>,
        window: Window,
        now: Timestamp,
    ) -> Result<&Slot, MeterError> {
        let windows = match scope {
            None => &mut self.tenant,
            Some(agent) => {
                if !self.agents.contains_key(agent) {
                    self.agents.insert(agent.clone(), Windows::default());
                }
                self.agents.entry(agent.clone()).or_default()
            }
        };
        let start = window.start(now);
        let at = match windows.0.iter().position(|slot| slot.window == window) {
            Some(at) if windows.0[at].start == start => at,
            stale => {
                let end = window.end(now);
                let ours = |held: &&Held| {
                    scope.is_none_or(|agent| *agent == held.agent) && (start..end).contains(&held.admitted)
                };
                let held = self.open.values().filter(ours).fold(Amount::default(), |sum, held| sum.plus(held.need));
                let slot = Slot { window, start, used: read(scope, start, end)?, held };
                // One slot a window: a clock that goes back over an edge has the sums read again.
                if let Some(at) = stale {
                    windows.0[at] = slot;
                    at
                } else {
                    windows.0.push(slot);
                    windows.0.len() - 1
                }
            }
        };
        Ok(&windows.0[at])
    }

    fn each_slot(&mut self, agent: &AgentName, admitted: Timestamp, mut change: impl FnMut(&mut Slot)) {
        let slots = self.tenant.0.iter_mut().chain(self.agents.get_mut(agent).into_iter().flat_map(|own| &mut own.0));
        slots.filter(|slot| slot.start == slot.window.start(admitted)).for_each(&mut change);
    }
}
