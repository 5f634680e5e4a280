//! What the writer is asked to do.

use std::sync::Weak;

use tokio::sync::oneshot;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::porter::Porter;
use super::{Admission, Bucket, BucketKey, By, Line, MeterError, NotAdmitted, Settlement, Total};
use crate::budget::Over;
use crate::gate_memory::{Kept, Key, Recalled, Tool};
use crate::prefix::Recorded;
use crate::price::Cost;

pub(super) type Reply<T> = oneshot::Sender<Result<T, MeterError>>;

/// What the thread is asked to do.
pub(super) enum Job {
    Admit {
        admission: Box<Admission>,
        /// Given when it is staged.
        row: i64,
        reply: oneshot::Sender<Result<Fresh, NotAdmitted>>,
    },
    Settle {
        row: i64,
        settlement: Settlement,
        cost: Cost,
        /// Hears when it is on disk.
        done: Option<Reply<()>>,
    },
    Void {
        row: i64,
    },
    Acknowledge {
        key: BucketKey,
        revision: u64,
        reply: Reply<()>,
    },
    ToReport {
        limit: u32,
        reply: Reply<Vec<Bucket>>,
    },
    Totals {
        since: Timestamp,
        reply: Reply<Vec<Total>>,
    },
    Lines {
        by: By,
        since: Timestamp,
        limit: u32,
        reply: Reply<Vec<Line>>,
    },
    Remember {
        agent: AgentName,
        calls: Vec<Kept>,
    },
    Recall {
        agent: AgentName,
        calls: Vec<Key>,
        reply: Reply<Recalled>,
    },
    RecallTool {
        agent: AgentName,
        tool: Tool,
        reply: Reply<Recalled>,
    },
    Prefix {
        agent: AgentName,
        version: String,
        print: [u8; 16],
        reply: Reply<Recorded>,
    },
    Flush {
        reply: Reply<()>,
    },
    /// There is work for which nobody waits.
    Tend,
    Close,
}

impl Job {
    /// Whether somebody waits until it is on disk.
    pub(super) fn is_awaited(&self) -> bool {
        !matches!(self, Self::Settle { done: None, .. } | Self::Void { .. } | Self::Remember { .. })
    }
}

/// A row that nobody has taken yet. Whoever asked may leave at any moment, even with the answer in hand: then it is undone.
pub(super) struct Fresh {
    row: i64,
    told: Vec<Over>,
    undo: Option<Weak<Porter>>,
}

impl Fresh {
    pub(super) fn new(row: i64, told: Vec<Over>, undo: Weak<Porter>) -> Self {
        Self { row, told, undo: Some(undo) }
    }

    /// The row, for which the caller answers from here on, and the caps that it goes over without being refused.
    pub(super) fn take(mut self) -> (i64, Vec<Over>) {
        self.undo = None;
        (self.row, std::mem::take(&mut self.told))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(undo) = self.undo.take().and_then(|porter| porter.upgrade()) {
            // A closed meter keeps the row open: an estimate at the next start.
            drop(undo.hand_now(Job::Void { row: self.row }));
        }
    }
}
