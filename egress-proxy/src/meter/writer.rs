//! The thread that owns the files: takes what waits, writes it together, then answers.

use std::borrow::Cow;
use std::sync::Weak;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::waypoint::{Waypoint, Waypoints};

use super::journal::{Entry, Journal};
use super::ledger::Ledger;
use super::open::{Open, Pending};
use super::porter::{Answer, Porter};
use super::store::{Store, Within};
use super::{Admission, Bucket, BucketKey, By, Line, MeterError, NotAdmitted, Settlement, Total};
use crate::budget::{Amount, Over};
use crate::gate_memory::{Kept, Key, Recalled};
use crate::prefix::Recorded;
use crate::price::Cost;

/// Jobs of one frame; bounds how long the first of them waits for its answer.
const TOGETHER: usize = 256;
/// How soon a settlement that the disk refused is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Settlements kept for a retry; beyond this the row on disk stays open and becomes an estimate at the next start.
const KEPT: usize = 16_384;

/// Bytes of the journal at which it is folded into the tables, and beyond which nothing new is admitted if it cannot be.
const FOLD_AT: u64 = if cfg!(test) { 64 * 1024 } else { 1024 * 1024 };
const FOLD_MUST: u64 = 4 * FOLD_AT;

/// Settlements between two looks at what is to be forgotten.
const TIDY_EVERY: u32 = 1000;

type Reply<T> = oneshot::Sender<Result<T, MeterError>>;

/// What the thread is asked to do.
pub(super) enum Job {
    Admit {
        admission: Box<Admission>,
        /// Given when it is staged.
        row: i64,
        undo: Sender<Job>,
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
    Prefix {
        agent: AgentName,
        version: String,
        print: [u8; 16],
        reply: Reply<Recorded>,
    },
    Flush {
        reply: Reply<()>,
    },
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

/// Where things are kept: the journal, what is in it, and the tables.
pub(super) struct Disk {
    store: Store,
    journal: Journal,
    pending: Pending,
    ledger: Ledger,
}

impl Disk {
    pub(super) fn new(store: Store, journal: Journal) -> Self {
        Self { store, journal, pending: Pending::default(), ledger: Ledger::default() }
    }

    /// Brings the tables up to date.
    fn fold(&mut self) -> Result<(), MeterError> {
        if self.pending.is_wanted() || self.journal.bytes() > FOLD_AT {
            self.store.fold(&mut self.pending, self.journal.number())?;
            self.journal.begin_anew();
        }
        Ok(())
    }

    /// Folds a journal that has grown.
    fn tend(&mut self) {
        if self.journal.bytes() > FOLD_AT
            && let Err(error) = self.fold()
        {
            tracing::error!(%error, "the usage journal cannot be folded; it grows");
        }
    }

    /// Judges by the caps; reads the tables where a window is new.
    fn judge(&mut self, admission: &Admission, now: Timestamp) -> Result<Result<Vec<Over>, Over>, MeterError> {
        if self.journal.bytes() > FOLD_MUST {
            self.fold()?;
        }
        let Self { store, ledger, .. } = self;
        let mut read = |scope: Option<&_>, start, end| store.write(|within| within.used(scope, start, end));
        ledger.judge(&mut read, admission, now)
    }
}

/// Runs until [`Job::Close`] or until every sender is gone.
pub(super) fn run(
    mut disk: Disk,
    queue: &Receiver<Job>,
    porter: &Weak<Porter>,
    clock: &dyn Clock,
    waypoints: &dyn Waypoints,
    changed: &watch::Sender<u64>,
) {
    let mut kept = Vec::new();
    let mut settled = 0;
    loop {
        let (mut jobs, last) = next(queue, kept.is_empty());
        let mut round = Round {
            now: clock.now(),
            porter,
            settled: 0,
            staged: Vec::new(),
            kept: Vec::new(),
            answers: Vec::new(),
            flushes: Vec::new(),
        };
        // What the disk refused has waited longest.
        jobs.splice(0..0, kept);
        for job in jobs {
            round.take(&mut disk, job);
        }
        round.sync(&mut disk);
        if round.kept.len() > KEPT {
            tracing::error!(dropped = round.kept.len() - KEPT, "usage cannot be written; requests become estimates");
            round.kept.truncate(KEPT);
        }
        if round.settled > 0 {
            settled += round.settled;
            waypoints.pass(Waypoint::UsageRecorded);
            changed.send_modify(|count| *count += 1);
        }
        kept = round.finish();
        disk.tend();
        if settled >= TIDY_EVERY {
            settled = 0;
            let tidied = disk.store.write(|within| {
                within.forget_runs(clock.now())?;
                within.forget_calls(clock.now())
            });
            if let Err(error) = tidied {
                tracing::warn!(%error, "old sessions, runs and calls are not forgotten yet");
            }
        }
        if last {
            if let Err(error) = disk.fold() {
                tracing::warn!(%error, "the usage journal is folded at the next start");
            }
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

/// A job whose entry is in the frame.
struct Staged {
    job: Job,
    /// What an admission opens.
    open: Option<Open>,
    told: Vec<Over>,
}

/// One turn of the loop.
struct Round<'a> {
    now: Timestamp,
    porter: &'a Weak<Porter>,
    settled: u32,
    /// Answered once the frame is on disk.
    staged: Vec<Staged>,
    /// Must be tried again.
    kept: Vec<Job>,
    /// Not brought yet.
    answers: Vec<Answer>,
    /// Whoever waits for everything to be written.
    flushes: Vec<(Reply<()>, Result<(), MeterError>)>,
}

impl Round<'_> {
    fn take(&mut self, disk: &mut Disk, job: Job) {
        match &job {
            Job::Admit { admission, .. } => {
                if !disk.ledger.knows(admission, self.now) {
                    // What the tables are asked for must be in them.
                    self.sync(disk);
                    self.bring();
                    if let Err(error) = disk.fold() {
                        return self.refuse(job, &error);
                    }
                }
                match disk.judge(admission, self.now) {
                    Ok(Ok(told)) => self.stage(disk, job, told),
                    Ok(Err(over)) => self.over(job, over),
                    Err(error) => self.refuse(job, &error),
                }
            }
            Job::Settle { .. } | Job::Void { .. } | Job::Remember { .. } => self.stage(disk, job, Vec::new()),
            Job::Flush { .. } => self.staged.push(Staged { job, open: None, told: Vec::new() }),
            Job::Close => {}
            Job::Acknowledge { .. }
            | Job::ToReport { .. }
            | Job::Totals { .. }
            | Job::Lines { .. }
            | Job::Recall { .. }
            | Job::Prefix { .. } => {
                self.sync(disk);
                self.bring();
                let done = disk.fold().and_then(|()| disk.store.write(|within| ask(within, &job, self.now)));
                match done {
                    Ok(value) => value.answer(job),
                    Err(error) => self.refuse(job, &error),
                }
            }
        }
    }

    /// Puts an entry into the frame, and into the ledger as if it were on disk.
    fn stage(&mut self, disk: &mut Disk, mut job: Job, told: Vec<Over>) {
        match &mut job {
            Job::Admit { admission, row, .. } => {
                *row = disk.ledger.next_row();
                disk.ledger.open(*row, admission, self.now);
            }
            Job::Settle { row, settlement, cost, .. } => {
                disk.ledger.close(*row, Amount { tokens: settlement.usage.tokens().into(), cost: *cost });
            }
            Job::Void { row } => disk.ledger.close(*row, Amount::default()),
            _ => {}
        }
        let open = match &job {
            Job::Admit { admission, .. } => Some(Open::of(admission, self.now)),
            _ => None,
        };
        if let Some(entry) = self.entry(&job, open.as_ref().map(Cow::Borrowed)) {
            disk.journal.put(&entry);
        }
        self.staged.push(Staged { job, open, told });
        if self.staged.len() >= TOGETHER {
            self.sync(disk);
        }
    }

    fn entry<'j>(&self, job: &'j Job, open: Option<Cow<'j, Open>>) -> Option<Entry<'j>> {
        match job {
            Job::Admit { row, .. } => open.map(|open| Entry::Admit { row: *row, open }),
            Job::Settle { row, settlement: Settlement { usage, estimated }, cost, .. } => {
                Some(Entry::Settle { row: *row, usage: *usage, estimated: *estimated, cost: *cost, at: self.now })
            }
            Job::Void { row } => Some(Entry::Void { row: *row }),
            Job::Remember { agent, calls } => {
                Some(Entry::Calls { agent: Cow::Borrowed(agent), calls: Cow::Borrowed(calls), at: self.now })
            }
            _ => None,
        }
    }

    /// Writes the frame and answers; what could not be written is refused, or kept.
    fn sync(&mut self, disk: &mut Disk) {
        let staged = std::mem::take(&mut self.staged);
        match disk.journal.sync() {
            Ok(()) => {
                disk.ledger.keep();
                for Staged { job, open, told } in staged {
                    if let Some(entry) = self.entry(&job, open.map(Cow::Owned)) {
                        disk.pending.take(entry);
                    }
                    self.answer(job, told);
                }
            }
            Err(error) => {
                disk.ledger.undo();
                let error = MeterError::from(error);
                tracing::error!(%error, "usage cannot be written now");
                staged.into_iter().for_each(|staged| self.refuse(staged.job, &error));
            }
        }
    }

    fn answer(&mut self, job: Job, told: Vec<Over>) {
        match job {
            Job::Admit { admission, row, undo, reply } => {
                self.answers.push(Answer::Admitted(reply, Ok(Fresh { row, told, undo: Some(undo) }), admission));
            }
            Job::Settle { done, .. } => {
                self.settled += 1;
                self.flushes.extend(done.map(|reply| (reply, Ok(()))));
            }
            Job::Flush { reply } => self.flushes.push((reply, Ok(()))),
            _ => {}
        }
    }

    fn over(&mut self, job: Job, over: Over) {
        if let Job::Admit { admission, reply, .. } = job {
            self.answers.push(Answer::Admitted(reply, Err(NotAdmitted::Over(Box::new(over))), admission));
        }
    }

    /// Nobody waits for what comes after it.
    fn bring(&mut self) {
        match self.porter.upgrade() {
            Some(porter) => porter.bring(&mut self.answers),
            None => self.answers.drain(..).for_each(Answer::deliver),
        }
    }

    fn refuse(&mut self, job: Job, error: &MeterError) {
        let error = error.clone();
        match job {
            Job::Admit { admission, reply, .. } => {
                self.answers.push(Answer::Admitted(reply, Err(error.into()), admission));
            }
            Job::Acknowledge { reply, .. } => drop(reply.send(Err(error))),
            Job::ToReport { reply, .. } => drop(reply.send(Err(error))),
            Job::Totals { reply, .. } => drop(reply.send(Err(error))),
            Job::Lines { reply, .. } => drop(reply.send(Err(error))),
            Job::Recall { reply, .. } => drop(reply.send(Err(error))),
            Job::Prefix { reply, .. } => drop(reply.send(Err(error))),
            Job::Flush { reply } => self.flushes.push((reply, Err(error))),
            // Their loss would lose usage; the disk's refusal does not end them. Nobody waits for it.
            Job::Settle { row, settlement, cost, done } => {
                self.flushes.extend(done.map(|reply| (reply, Err(error))));
                self.kept.push(Job::Settle { row, settlement, cost, done: None });
            }
            Job::Void { .. } | Job::Remember { .. } => self.kept.push(job),
            Job::Close => {}
        }
    }

    /// Answers who waits for the end of the round; gives what is still to be written.
    fn finish(mut self) -> Vec<Job> {
        for (reply, outcome) in std::mem::take(&mut self.flushes) {
            self.answers.push(Answer::Done(reply, if self.kept.is_empty() { Ok(()) } else { outcome }));
        }
        self.bring();
        self.kept
    }
}

/// What a job found out in the tables.
enum Value {
    Nothing,
    Buckets(Vec<Bucket>),
    Totals(Vec<Total>),
    Lines(Vec<Line>),
    Calls(Recalled),
    Prefix(Recorded),
}

impl Value {
    fn answer(self, job: Job) {
        // Whoever asked may have left.
        match (job, self) {
            (Job::Acknowledge { reply, .. }, Self::Nothing) => drop(reply.send(Ok(()))),
            (Job::ToReport { reply, .. }, Self::Buckets(found)) => drop(reply.send(Ok(found))),
            (Job::Totals { reply, .. }, Self::Totals(found)) => drop(reply.send(Ok(found))),
            (Job::Lines { reply, .. }, Self::Lines(found)) => drop(reply.send(Ok(found))),
            (Job::Recall { reply, .. }, Self::Calls(found)) => drop(reply.send(Ok(found))),
            (Job::Prefix { reply, .. }, Self::Prefix(recorded)) => drop(reply.send(Ok(recorded))),
            _ => {}
        }
    }
}

fn ask(within: &Within<'_>, job: &Job, now: Timestamp) -> Result<Value, rusqlite::Error> {
    Ok(match job {
        Job::Acknowledge { key, revision, .. } => within.acknowledge(key, *revision).map(|()| Value::Nothing)?,
        Job::ToReport { limit, .. } => Value::Buckets(within.to_report(*limit)?),
        Job::Totals { since, .. } => Value::Totals(within.totals(*since)?),
        Job::Lines { by, since, limit, .. } => Value::Lines(within.lines(*by, *since, *limit)?),
        Job::Recall { agent, calls, .. } => Value::Calls(within.recall(agent, calls)?),
        Job::Prefix { agent, version, print, .. } => Value::Prefix(within.prefix(agent, version, print, now)?),
        _ => Value::Nothing,
    })
}
