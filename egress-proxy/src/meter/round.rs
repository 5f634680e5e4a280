//! One round of the writer: takes what waits, writes it together, then answers.

use std::borrow::Cow;
use std::sync::Weak;

use wardkeep_proto::time::Timestamp;

use super::job::{Fresh, Job, Reply};
use super::journal::Entry;
use super::open::Open;
use super::porter::{Answer, Porter};
use super::store::Within;
use super::writer::Disk;
use super::{Bucket, Line, MeterError, NotAdmitted, Settlement, Total};
use crate::budget::{Amount, Over};
use crate::gate_memory::Recalled;
use crate::prefix::Recorded;

/// Jobs of one frame; bounds how long the first of them waits for its answer.
pub(super) const TOGETHER: usize = 256;

/// A job whose entry is in the frame.
struct Staged {
    job: Job,
    /// What an admission opens.
    open: Option<Open>,
    told: Vec<Over>,
}

/// What is done together.
pub(super) struct Round<'a> {
    now: Timestamp,
    porter: &'a Weak<Porter>,
    /// Whoever asked stands here: nothing is carried.
    is_here: bool,
    pub(super) settled: u32,
    /// Answered once the frame is on disk.
    staged: Vec<Staged>,
    /// Must be tried again.
    pub(super) kept: Vec<Job>,
    /// Not brought yet.
    answers: Vec<Answer>,
    /// Whoever waits for everything to be written.
    flushes: Vec<(Reply<()>, Result<(), MeterError>)>,
}

impl<'a> Round<'a> {
    /// By the thread.
    pub(super) fn carried(now: Timestamp, porter: &'a Weak<Porter>) -> Self {
        Self {
            now,
            porter,
            is_here: false,
            settled: 0,
            staged: Vec::new(),
            kept: Vec::new(),
            answers: Vec::new(),
            flushes: Vec::new(),
        }
    }

    /// By who asked.
    pub(super) fn here(now: Timestamp, porter: &'a Weak<Porter>) -> Self {
        Self { is_here: true, ..Self::carried(now, porter) }
    }

    pub(super) fn take(&mut self, disk: &mut Disk, job: Job) {
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
            Job::Tend | Job::Close => {}
            Job::Acknowledge { .. }
            | Job::ToReport { .. }
            | Job::Totals { .. }
            | Job::Lines { .. }
            | Job::Recall { .. }
            | Job::RecallTool { .. }
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
    pub(super) fn sync(&mut self, disk: &mut Disk) {
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
            Job::Admit { admission, row, reply } => {
                let fresh = Fresh::new(row, told, self.porter.clone());
                self.answers.push(Answer::Admitted(reply, Ok(fresh), admission));
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
            Some(porter) if !self.is_here => porter.bring(&mut self.answers),
            _ => self.answers.drain(..).for_each(Answer::deliver),
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
            Job::Recall { reply, .. } | Job::RecallTool { reply, .. } => drop(reply.send(Err(error))),
            Job::Prefix { reply, .. } => drop(reply.send(Err(error))),
            Job::Flush { reply } => self.flushes.push((reply, Err(error))),
            // Their loss would lose usage; the disk's refusal does not end them. Nobody waits for it.
            Job::Settle { row, settlement, cost, done } => {
                self.flushes.extend(done.map(|reply| (reply, Err(error))));
                self.kept.push(Job::Settle { row, settlement, cost, done: None });
            }
            Job::Void { .. } | Job::Remember { .. } => self.kept.push(job),
            Job::Tend | Job::Close => {}
        }
    }

    /// Answers who waits for the end of the round; gives what is still to be written.
    pub(super) fn finish(mut self) -> Vec<Job> {
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
            (Job::Recall { reply, .. } | Job::RecallTool { reply, .. }, Self::Calls(found)) => {
                drop(reply.send(Ok(found)))
            }
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
        Job::RecallTool { agent, tool, .. } => Value::Calls(within.recall_tool(agent, *tool)?),
        Job::Prefix { agent, version, print, .. } => Value::Prefix(within.prefix(agent, version, print, now)?),
        _ => Value::Nothing,
    })
}
