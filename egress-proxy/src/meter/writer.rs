//! Who owns the files: a thread that takes what waits, writes it together, then answers. While one request alone is under way
//! whoever asks writes it on the spot, since the way to a thread and back takes longer than a quick disk.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::watch;
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::waypoint::{Waypoint, Waypoints};

use super::journal::Journal;
use super::ledger::Ledger;
use super::open::Pending;
use super::porter::Porter;
use super::round::{Round, TOGETHER};
use super::store::Store;
use super::{Admission, Job, MeterError};
use crate::budget::Over;

/// How soon a settlement that the disk refused is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Settlements kept for a retry; beyond this the row on disk stays open and becomes an estimate at the next start.
const KEPT: usize = 16_384;

/// Bytes of the journal at which it is folded into the tables, and beyond which nothing new is admitted if it cannot be.
const FOLD_AT: u64 = if cfg!(test) { 64 * 1024 } else { 1024 * 1024 };
const FOLD_MUST: u64 = 4 * FOLD_AT;

/// Settlements between two looks at what is to be forgotten.
const TIDY_EVERY: u32 = 1000;

/// Where things are kept: the journal, what is in it, and the tables.
pub(super) struct Disk {
    pub(super) store: Store,
    pub(super) journal: Journal,
    pub(super) pending: Pending,
    pub(super) ledger: Ledger,
}

impl Disk {
    pub(super) fn new(store: Store, journal: Journal) -> Self {
        Self { store, journal, pending: Pending::default(), ledger: Ledger::default() }
    }

    /// Brings the tables up to date.
    pub(super) fn fold(&mut self) -> Result<(), MeterError> {
        if self.pending.is_wanted() || self.is_long() {
            self.store.fold(&mut self.pending, self.journal.number())?;
            self.journal.begin_anew();
        }
        Ok(())
    }

    fn is_long(&self) -> bool {
        self.journal.bytes() > FOLD_AT
    }

    /// Judges by the caps; reads the tables where a window is new.
    pub(super) fn judge(
        &mut self,
        admission: &Admission,
        now: Timestamp,
    ) -> Result<Result<Vec<Over>, Over>, MeterError> {
        if self.journal.bytes() > FOLD_MUST {
            self.fold()?;
        }
        let Self { store, ledger, .. } = self;
        let mut read = |scope: Option<&_>, start, end| store.write(|within| within.used(scope, start, end));
        ledger.judge(&mut read, admission, now)
    }
}

/// The files in somebody's hands; `None` once they are closed.
pub(super) type Files = Arc<Mutex<Option<Writer>>>;

/// The files, and what is known of their work.
pub(super) struct Writer {
    disk: Disk,
    /// What the disk refused.
    kept: Vec<Job>,
    /// Since old things were last forgotten.
    settled: u32,
    /// Jobs that the thread has taken.
    taken: u64,
    clock: Arc<dyn Clock>,
    waypoints: Arc<dyn Waypoints>,
    changed: watch::Sender<u64>,
}

impl Writer {
    pub(super) fn new(
        disk: Disk,
        clock: Arc<dyn Clock>,
        waypoints: Arc<dyn Waypoints>,
        changed: watch::Sender<u64>,
    ) -> Self {
        Self { disk, kept: Vec::new(), settled: 0, taken: 0, clock, waypoints, changed }
    }

    /// Whether whoever asks may write these on the spot, after `sent` that the thread was given: it has done all of them, nobody
    /// else is under way, and it takes one write to a disk that has not stalled lately ([`super::trust`]).
    pub(super) fn is_free(&self, sent: u64, jobs: &[Job]) -> bool {
        let ledger = &self.disk.ledger;
        self.taken == sent
            && !self.wants_thread()
            && self.disk.journal.is_quick()
            && jobs.iter().all(|job| match job {
                Job::Admit { admission, .. } => ledger.count() == 0 && ledger.knows(admission, self.clock.now()),
                Job::Settle { .. } | Job::Void { .. } | Job::Remember { .. } => ledger.count() <= 1,
                _ => false,
            })
    }

    /// Whether there is work for which nobody waits.
    pub(super) fn wants_thread(&self) -> bool {
        !self.kept.is_empty() || self.settled >= TIDY_EVERY || self.disk.is_long()
    }

    /// One round; what the disk refuses of it is kept.
    pub(super) fn turn(&mut self, mut jobs: Vec<Job>, mut round: Round<'_>) {
        // What the disk refused has waited longest.
        jobs.splice(0..0, self.kept.drain(..));
        for job in jobs {
            round.take(&mut self.disk, job);
        }
        round.sync(&mut self.disk);
        if round.kept.len() > KEPT {
            tracing::error!(dropped = round.kept.len() - KEPT, "usage cannot be written; requests become estimates");
            round.kept.truncate(KEPT);
        }
        if round.settled > 0 {
            self.settled += round.settled;
            self.waypoints.pass(Waypoint::UsageRecorded);
            self.changed.send_modify(|count| *count += 1);
        }
        self.kept = round.finish();
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Folds a journal that has grown and forgets what is old.
    fn tend(&mut self) {
        if self.disk.is_long()
            && let Err(error) = self.disk.fold()
        {
            tracing::error!(%error, "the usage journal cannot be folded; it grows");
        }
        if self.settled >= TIDY_EVERY {
            self.settled = 0;
            let now = self.clock.now();
            let tidied = self.disk.store.write(|within| {
                within.forget_runs(now)?;
                within.forget_calls(now)
            });
            if let Err(error) = tidied {
                tracing::warn!(%error, "old sessions, runs and calls are not forgotten yet");
            }
        }
    }
}

/// Runs until [`Job::Close`] or until every sender is gone.
pub(super) fn run(files: &Files, queue: &Receiver<Job>, porter: &Weak<Porter>) {
    let mut may_wait = true;
    loop {
        let (jobs, last) = next(queue, may_wait);
        // What somebody left in the middle of a round is not gone on with: the meter is closed.
        let Ok(mut files) = files.lock() else { return };
        let Some(writer) = &mut *files else { return };
        writer.taken += jobs.len() as u64;
        let round = Round::carried(writer.now(), porter);
        writer.turn(jobs, round);
        writer.tend();
        may_wait = writer.kept.is_empty();
        if last {
            if let Err(error) = writer.disk.fold() {
                tracing::warn!(%error, "the usage journal is folded at the next start");
            }
            *files = None;
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
