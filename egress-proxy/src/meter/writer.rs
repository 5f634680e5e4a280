//! The thread that owns the file: takes what waits, commits it together, then answers.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::waypoint::{Waypoint, Waypoints};

use super::ledger::Ledger;
use super::store::{Store, Within};
use super::{Admission, Bucket, BucketKey, By, Line, MeterError, NotAdmitted, Settlement, Total};
use crate::budget::{Amount, Over};
use crate::gate_memory::{Kept, Key, Recalled};
use crate::prefix::Recorded;
use crate::price::Cost;

/// Jobs of one transaction; bounds how long the first of them waits for its answer.
const TOGETHER: usize = 256;
/// How soon a settlement that the disk refused is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Settlements kept for a retry; beyond this the row on disk stays open and becomes an estimate at the next start.
const KEPT: usize = 16_384;

/// Settlements between two looks at what is to be forgotten.
const TIDY_EVERY: u32 = 1000;

type Reply<T> = oneshot::Sender<Result<T, MeterError>>;

/// What the thread is asked to do.
pub(super) enum Job {
    Admit { admission: Box<Admission>, undo: Sender<Job>, reply: oneshot::Sender<Result<Fresh, NotAdmitted>> },
    Settle { row: i64, settlement: Settlement, cost: Cost },
    Void { row: i64 },
    Acknowledge { key: BucketKey, revision: u64, reply: Reply<()> },
    ToReport { limit: u32, reply: Reply<Vec<Bucket>> },
    Totals { since: Timestamp, reply: Reply<Vec<Total>> },
    Lines { by: By, since: Timestamp, limit: u32, reply: Reply<Vec<Line>> },
    Remember { agent: AgentName, calls: Vec<Kept> },
    Recall { agent: AgentName, calls: Vec<Key>, reply: Reply<Recalled> },
    Prefix { agent: AgentName, version: String, print: [u8; 16], reply: Reply<Recorded> },
    Flush { reply: Reply<()> },
    Close,
}

/// A row that nobody has taken yet. Whoever asked may leave at any moment, even with the answer in hand: then it is undone.
pub(super) struct Fresh {
    row: i64,
    told: Vec<Over>,
    undo: Option<Sender<Job>>,
}

impl Fresh {
    /// The row, for which the caller answers from here on, and the caps that it goes over without being refused.
    pub(super) fn take(mut self) -> (i64, Vec<Over>) {
        self.undo = None;
        (self.row, std::mem::take(&mut self.told))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(undo) = self.undo.take() {
            // A closed meter keeps the row open: an estimate at the next start.
            drop(undo.send(Job::Void { row: self.row }));
        }
    }
}

/// Runs until [`Job::Close`] or until every sender is gone.
pub(super) fn run(
    mut store: Store,
    queue: &Receiver<Job>,
    clock: &dyn Clock,
    waypoints: &dyn Waypoints,
    changed: &watch::Sender<u64>,
) {
    let mut kept = Vec::new();
    let mut ledger = Ledger::default();
    let mut settled = 0;
    loop {
        let (mut jobs, last) = next(queue, kept.is_empty());
        let mut round = Round { now: clock.now(), ..Round::default() };
        while !jobs.is_empty() {
            let rest = jobs.split_off(jobs.len().min(TOGETHER));
            round.work(&mut store, &mut ledger, jobs);
            jobs = rest;
        }
        round.again(&mut store, &mut ledger, kept);
        if round.kept.len() > KEPT {
            tracing::error!(dropped = round.kept.len() - KEPT, "usage cannot be written; requests become estimates");
            round.kept.truncate(KEPT);
        }
        if round.settled > 0 {
            settled += round.settled;
            waypoints.pass(Waypoint::UsageRecorded);
            changed.send_modify(|count| *count += 1);
        }
        if settled >= TIDY_EVERY {
            settled = 0;
            let tidied = store.write(|within| {
                within.forget_runs(round.now)?;
                within.forget_calls(round.now)
            });
            if let Err(error) = tidied {
                tracing::warn!(%error, "old sessions, runs and calls are not forgotten yet");
            }
        }
        kept = round.finish();
        if last {
            return;
        }
    }
}

/// Waits for work. The flag says that none comes after it.
fn next(queue: &Receiver<Job>, may_wait: bool) -> (Vec<Job>, bool) {
    let first =
        if may_wait { queue.recv().map_err(|_| RecvTimeoutError::Disconnected) } else { queue.recv_timeout(RETRY) };
    let ended = matches!(first, Err(RecvTimeoutError::Disconnected));
    let jobs: Vec<Job> = first.into_iter().chain(queue.try_iter().take(TOGETHER)).collect();
    let last = ended || jobs.iter().any(|job| matches!(job, Job::Close));
    (jobs, last)
}

/// One turn of the loop.
struct Round {
    now: Timestamp,
    settled: u32,
    /// Must be tried again.
    kept: Vec<Job>,
    /// Whoever waits for everything to be written.
    flushes: Vec<Reply<()>>,
    error: Option<MeterError>,
}

impl Default for Round {
    fn default() -> Self {
        Self { now: Timestamp(0), settled: 0, kept: Vec::new(), flushes: Vec::new(), error: None }
    }
}

impl Round {
    /// Commits the jobs together; if that fails, one by one, so that one of them cannot hold up the others.
    fn work(&mut self, store: &mut Store, ledger: &mut Ledger, batch: Vec<Job>) {
        match commit(store, ledger, &batch, self.now) {
            Ok(values) => {
                for (job, value) in batch.into_iter().zip(values) {
                    self.answer(job, value);
                }
            }
            Err(error) => match <[Job; 1]>::try_from(batch) {
                Ok([job]) => {
                    tracing::error!(%error, "usage cannot be written now");
                    self.refuse(job, &error);
                    self.error = Some(error);
                }
                Err(batch) => batch.into_iter().for_each(|job| self.work(store, ledger, vec![job])),
            },
        }
    }

    /// Tries what earlier rounds could not write. If the disk still refuses, one job alone goes on trial and then to the end:
    /// whatever is wrong with it, the others get their turn.
    fn again(&mut self, store: &mut Store, ledger: &mut Ledger, mut kept: Vec<Job>) {
        if kept.is_empty() {
            return;
        }
        if let Err(error) = commit(store, ledger, &kept, self.now) {
            let rest = kept.split_off(1);
            self.work(store, ledger, kept);
            self.kept.splice(0..0, rest);
            self.error.get_or_insert(error);
        } else {
            self.settled += 1;
        }
    }

    fn answer(&mut self, job: Job, value: Value) {
        // Whoever asked may have left; `Fresh` takes care of the one case in which that matters.
        match (job, value) {
            (Job::Admit { undo, reply, .. }, Value::Row(row, told)) => {
                drop(reply.send(Ok(Fresh { row, told, undo: Some(undo) })));
            }
            (Job::Admit { reply, .. }, Value::Over(over)) => drop(reply.send(Err(NotAdmitted::Over(over)))),
            (Job::Settle { .. }, _) => self.settled += 1,
            (Job::Flush { reply }, _) => self.flushes.push(reply),
            (Job::Acknowledge { reply, .. }, _) => drop(reply.send(Ok(()))),
            (Job::ToReport { reply, .. }, Value::Buckets(found)) => drop(reply.send(Ok(found))),
            (Job::Totals { reply, .. }, Value::Totals(found)) => drop(reply.send(Ok(found))),
            (Job::Lines { reply, .. }, Value::Lines(found)) => drop(reply.send(Ok(found))),
            (Job::Recall { reply, .. }, Value::Calls(found)) => drop(reply.send(Ok(found))),
            (Job::Prefix { reply, .. }, Value::Prefix(recorded)) => drop(reply.send(Ok(recorded))),
            _ => {}
        }
    }

    fn refuse(&mut self, job: Job, error: &MeterError) {
        let error = error.clone();
        match job {
            Job::Admit { reply, .. } => drop(reply.send(Err(error.into()))),
            Job::Acknowledge { reply, .. } => drop(reply.send(Err(error))),
            Job::ToReport { reply, .. } => drop(reply.send(Err(error))),
            Job::Totals { reply, .. } => drop(reply.send(Err(error))),
            Job::Lines { reply, .. } => drop(reply.send(Err(error))),
            Job::Recall { reply, .. } => drop(reply.send(Err(error))),
            Job::Prefix { reply, .. } => drop(reply.send(Err(error))),
            Job::Flush { reply } => self.flushes.push(reply),
            // Their loss would lose usage; the disk's refusal does not end them.
            Job::Settle { .. } | Job::Void { .. } | Job::Remember { .. } => self.kept.push(job),
            Job::Close => {}
        }
    }

    /// Answers who waits for the end of the round; gives what is still to be written.
    fn finish(self) -> Vec<Job> {
        for reply in self.flushes {
            let outcome = match &self.error {
                Some(error) if !self.kept.is_empty() => Err(error.clone()),
                _ => Ok(()),
            };
            drop(reply.send(outcome));
        }
        self.kept
    }
}

fn commit(store: &mut Store, ledger: &mut Ledger, batch: &[Job], now: Timestamp) -> Result<Vec<Value>, MeterError> {
    let done = store.write(|within| batch.iter().map(|job| apply(within, ledger, job, now)).collect());
    if done.is_ok() {
        ledger.keep()
    } else {
        ledger.undo()
    }
    done
}

/// What a job found out inside the transaction.
enum Value {
    Nothing,
    Row(i64, Vec<Over>),
    Over(Box<Over>),
    Buckets(Vec<Bucket>),
    Totals(Vec<Total>),
    Lines(Vec<Line>),
    Calls(Recalled),
    Prefix(Recorded),
}

fn apply(within: &Within<'_>, ledger: &mut Ledger, job: &Job, now: Timestamp) -> Result<Value, rusqlite::Error> {
    Ok(match job {
        Job::Admit { admission, .. } => match ledger.judge(within, admission, now)? {
            Ok(told) => {
                let row = ledger.next_row(within)?;
                within.admit(row, admission, now)?;
                ledger.open(row, admission, now);
                Value::Row(row, told)
            }
            Err(over) => Value::Over(Box::new(over)),
        },
        Job::Settle { row, settlement, cost } => {
            within.settle(*row, settlement, *cost, now)?;
            ledger.close(*row, Amount { tokens: settlement.usage.tokens().into(), cost: *cost });
            Value::Nothing
        }
        Job::Void { row } => {
            within.void(*row)?;
            ledger.close(*row, Amount::default());
            Value::Nothing
        }
        Job::Acknowledge { key, revision, .. } => within.acknowledge(key, *revision).map(|()| Value::Nothing)?,
        Job::ToReport { limit, .. } => Value::Buckets(within.to_report(*limit)?),
        Job::Totals { since, .. } => Value::Totals(within.totals(*since)?),
        Job::Lines { by, since, limit, .. } => Value::Lines(within.lines(*by, *since, *limit)?),
        Job::Remember { agent, calls } => within.remember(agent, calls, now).map(|()| Value::Nothing)?,
        Job::Recall { agent, calls, .. } => Value::Calls(within.recall(agent, calls)?),
        Job::Prefix { agent, version, print, .. } => Value::Prefix(within.prefix(agent, version, print, now)?),
        Job::Flush { .. } | Job::Close => Value::Nothing,
    })
}
