//! The thread that owns the file: takes what waits, commits it together, then answers.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::waypoint::{Waypoint, Waypoints};

use super::store::{Store, Within};
use super::{Admission, Bucket, BucketKey, MeterError, Total};
use crate::usage::Usage;

/// Jobs of one transaction; bounds how long the first of them waits for its answer.
const TOGETHER: usize = 256;
/// How soon a settlement that the disk refused is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Settlements kept for a retry; beyond this the row on disk stays open and becomes an estimate at the next start.
const KEPT: usize = 16_384;

type Reply<T> = oneshot::Sender<Result<T, MeterError>>;

/// What the thread is asked to do.
pub(super) enum Job {
    Admit { admission: Admission, undo: Sender<Job>, reply: Reply<Fresh> },
    Settle { row: i64, usage: Usage, cost_micros: u64, estimated: bool },
    Void { row: i64 },
    Acknowledge { key: BucketKey, revision: u64, reply: Reply<()> },
    ToReport { limit: u32, reply: Reply<Vec<Bucket>> },
    Totals { since: Timestamp, reply: Reply<Vec<Total>> },
    Flush { reply: Reply<()> },
    Close,
}

/// A row that nobody has taken yet. Whoever asked may leave at any moment, even with the answer in hand: then it is undone.
pub(super) struct Fresh {
    row: i64,
    undo: Option<Sender<Job>>,
}

impl Fresh {
    /// From here on the caller answers for the row.
    pub(super) fn take(mut self) -> i64 {
        self.undo = None;
        self.row
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
    loop {
        let (mut jobs, last) = next(queue, kept.is_empty());
        let mut round = Round { now: clock.now(), ..Round::default() };
        while !jobs.is_empty() {
            let rest = jobs.split_off(jobs.len().min(TOGETHER));
            round.work(&mut store, jobs);
            jobs = rest;
        }
        round.again(&mut store, kept);
        if round.kept.len() > KEPT {
            tracing::error!(dropped = round.kept.len() - KEPT, "usage cannot be written; requests become estimates");
            round.kept.truncate(KEPT);
        }
        if round.settled {
            waypoints.pass(Waypoint::UsageRecorded);
            changed.send_modify(|count| *count += 1);
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
    settled: bool,
    /// Must be tried again.
    kept: Vec<Job>,
    /// Whoever waits for everything to be written.
    flushes: Vec<Reply<()>>,
    error: Option<MeterError>,
}

impl Default for Round {
    fn default() -> Self {
        Self { now: Timestamp(0), settled: false, kept: Vec::new(), flushes: Vec::new(), error: None }
    }
}

impl Round {
    /// Commits the jobs together; if that fails, one by one, so that one of them cannot hold up the others.
    fn work(&mut self, store: &mut Store, batch: Vec<Job>) {
        match commit(store, &batch, self.now) {
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
                Err(batch) => batch.into_iter().for_each(|job| self.work(store, vec![job])),
            },
        }
    }

    /// Tries what earlier rounds could not write. If the disk still refuses, one job alone goes on trial and then to the end:
    /// whatever is wrong with it, the others get their turn.
    fn again(&mut self, store: &mut Store, mut kept: Vec<Job>) {
        if kept.is_empty() {
            return;
        }
        if let Err(error) = commit(store, &kept, self.now) {
            let rest = kept.split_off(1);
            self.work(store, kept);
            self.kept.splice(0..0, rest);
            self.error.get_or_insert(error);
        } else {
            self.settled = true;
        }
    }

    fn answer(&mut self, job: Job, value: Value) {
        // Whoever asked may have left; `Fresh` takes care of the one case in which that matters.
        match (job, value) {
            (Job::Admit { undo, reply, .. }, Value::Row(row)) => drop(reply.send(Ok(Fresh { row, undo: Some(undo) }))),
            (Job::Settle { .. }, _) => self.settled = true,
            (Job::Flush { reply }, _) => self.flushes.push(reply),
            (Job::Acknowledge { reply, .. }, _) => drop(reply.send(Ok(()))),
            (Job::ToReport { reply, .. }, Value::Buckets(found)) => drop(reply.send(Ok(found))),
            (Job::Totals { reply, .. }, Value::Totals(found)) => drop(reply.send(Ok(found))),
            _ => {}
        }
    }

    fn refuse(&mut self, job: Job, error: &MeterError) {
        let error = error.clone();
        match job {
            Job::Admit { reply, .. } => drop(reply.send(Err(error))),
            Job::Acknowledge { reply, .. } => drop(reply.send(Err(error))),
            Job::ToReport { reply, .. } => drop(reply.send(Err(error))),
            Job::Totals { reply, .. } => drop(reply.send(Err(error))),
            Job::Flush { reply } => self.flushes.push(reply),
            // Their loss would lose usage; the disk's refusal does not end them.
            Job::Settle { .. } | Job::Void { .. } => self.kept.push(job),
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

fn commit(store: &mut Store, batch: &[Job], now: Timestamp) -> Result<Vec<Value>, MeterError> {
    store.write(|within| batch.iter().map(|job| apply(within, job, now)).collect())
}

/// What a job found out inside the transaction.
enum Value {
    Nothing,
    Row(i64),
    Buckets(Vec<Bucket>),
    Totals(Vec<Total>),
}

fn apply(within: &Within<'_>, job: &Job, now: Timestamp) -> Result<Value, rusqlite::Error> {
    match job {
        Job::Admit { admission, .. } => within.admit(admission, now).map(Value::Row),
        Job::Settle { row, usage, cost_micros, estimated } => {
            within.settle(*row, usage, *cost_micros, *estimated).map(|()| Value::Nothing)
        }
        Job::Void { row } => within.void(*row).map(|()| Value::Nothing),
        Job::Acknowledge { key, revision, .. } => within.acknowledge(key, *revision).map(|()| Value::Nothing),
        Job::ToReport { limit, .. } => within.to_report(*limit).map(Value::Buckets),
        Job::Totals { since, .. } => within.totals(*since).map(Value::Totals),
        Job::Flush { .. } | Job::Close => Ok(Value::Nothing),
    }
}
