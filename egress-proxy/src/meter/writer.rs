//! The thread that owns the file: takes what waits, commits it together, then answers.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
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
    Admit { admission: Admission, reply: Reply<i64> },
    Settle { row: i64, usage: Usage, cost_micros: u64, estimated: bool },
    Void { row: i64 },
    Acknowledge { key: BucketKey, revision: u64, reply: Reply<()> },
    ToReport { limit: u32, reply: Reply<Vec<Bucket>> },
    Totals { since: Timestamp, reply: Reply<Vec<Total>> },
    Flush { reply: Reply<()> },
    Close,
}

/// An answer that may be given once the transaction is on disk.
enum Answer {
    Admitted(i64, Reply<i64>),
    Done(Reply<()>),
    Buckets(Vec<Bucket>, Reply<Vec<Bucket>>),
    Totals(Vec<Total>, Reply<Vec<Total>>),
    Nothing,
}

/// Runs until [`Job::Close`] or until every sender is gone.
pub(super) fn run(
    mut store: Store,
    queue: &Receiver<Job>,
    clock: &dyn Clock,
    waypoints: &dyn Waypoints,
    changed: &watch::Sender<u64>,
) {
    let mut waiting = VecDeque::new();
    let mut kept: Vec<Job> = Vec::new();
    loop {
        let next = if kept.is_empty() {
            queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            queue.recv_timeout(RETRY)
        };
        let ended = matches!(next, Err(RecvTimeoutError::Disconnected));
        waiting.extend(kept.drain(..));
        waiting.extend(next.ok());
        waiting.extend(queue.try_iter().take(TOGETHER));
        let close = ended || waiting.iter().any(|job| matches!(job, Job::Close));
        let mut settled = false;
        while !waiting.is_empty() {
            let batch: Vec<Job> = waiting.drain(..waiting.len().min(TOGETHER)).collect();
            let outcome = commit(&mut store, batch, clock.now());
            settled |= outcome.settled;
            kept.extend(outcome.kept);
            waiting.extend(outcome.orphans);
        }
        if kept.len() > KEPT {
            tracing::error!(dropped = kept.len() - KEPT, "usage cannot be written; requests become estimates");
            kept.truncate(KEPT);
        }
        if settled {
            waypoints.pass(Waypoint::UsageRecorded);
            changed.send_modify(|count| *count += 1);
        }
        if close {
            return;
        }
    }
}

#[derive(Default)]
struct Outcome {
    settled: bool,
    /// Must be tried again.
    kept: Vec<Job>,
    /// Undoes admissions whose asker had left.
    orphans: Vec<Job>,
}

fn commit(store: &mut Store, batch: Vec<Job>, now: Timestamp) -> Outcome {
    let settled = batch.iter().any(|job| matches!(job, Job::Settle { .. }));
    let held: Vec<Job> = batch.iter().filter_map(repeatable).collect();
    let result = store.write(|within| batch.iter().map(|job| apply(within, job, now)).collect::<Result<Vec<_>, _>>());
    match result {
        Ok(values) => Outcome {
            settled,
            kept: Vec::new(),
            orphans: batch.into_iter().zip(values).filter_map(|(job, value)| answer(job, value)).collect(),
        },
        Err(error) => {
            tracing::error!(%error, jobs = batch.len(), "usage cannot be written now");
            let flushed = held.is_empty();
            for job in batch {
                refuse(job, &error, flushed);
            }
            Outcome { settled: false, kept: held, orphans: Vec::new() }
        }
    }
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

/// Jobs whose loss would lose usage; the disk's refusal does not end them.
fn repeatable(job: &Job) -> Option<Job> {
    match job {
        Job::Settle { row, usage, cost_micros, estimated } => {
            Some(Job::Settle { row: *row, usage: *usage, cost_micros: *cost_micros, estimated: *estimated })
        }
        Job::Void { row } => Some(Job::Void { row: *row }),
        _ => None,
    }
}

fn answer(job: Job, value: Value) -> Option<Job> {
    let answer = match (job, value) {
        (Job::Admit { reply, .. }, Value::Row(row)) => Answer::Admitted(row, reply),
        (Job::Acknowledge { reply, .. } | Job::Flush { reply }, _) => Answer::Done(reply),
        (Job::ToReport { reply, .. }, Value::Buckets(found)) => Answer::Buckets(found, reply),
        (Job::Totals { reply, .. }, Value::Totals(found)) => Answer::Totals(found, reply),
        _ => Answer::Nothing,
    };
    // Whoever asked may have left; only an admission needs an answer to that.
    match answer {
        Answer::Admitted(row, reply) => return reply.send(Ok(row)).is_err().then_some(Job::Void { row }),
        Answer::Done(reply) => drop(reply.send(Ok(()))),
        Answer::Buckets(found, reply) => drop(reply.send(Ok(found))),
        Answer::Totals(found, reply) => drop(reply.send(Ok(found))),
        Answer::Nothing => {}
    }
    None
}

fn refuse(job: Job, error: &MeterError, nothing_held: bool) {
    let error = error.clone();
    match job {
        Job::Admit { reply, .. } => drop(reply.send(Err(error))),
        Job::Flush { reply } if nothing_held => drop(reply.send(Ok(()))),
        Job::Acknowledge { reply, .. } | Job::Flush { reply } => drop(reply.send(Err(error))),
        Job::ToReport { reply, .. } => drop(reply.send(Err(error))),
        Job::Totals { reply, .. } => drop(reply.send(Err(error))),
        Job::Settle { .. } | Job::Void { .. } | Job::Close => {}
    }
}
