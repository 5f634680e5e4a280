//! What was used, on disk: one SQLite file beside the daemon, and its journal.
//!
//! A request is *admitted* before the provider sees it and *settled* after its answer was relayed: an entry each in a journal
//! beside the tables ([`journal`]), on disk before anybody goes on. What was settled folds into the hourly buckets of agents,
//! providers and models when they are read, in one transaction. What a crash left open is closed as estimates when the file
//! is opened next, so a request counts exactly once and never as nothing.
//!
//! A bucket is a monotonic total with a revision. Reporting says "my total is now this"; the receipt moves `acked` up,
//! and a bucket is due while its revision is ahead.
//!
//! A budget is judged where it is spent: in the turn that admits a request, what was used in the window, what is held
//! for open requests and the most that this one may need are compared with the limit ([`ledger`]). So two calls at the same
//! moment cannot both have the last of it. Settling gives back what was held and counts what was used; a crash closes what was
//! open, so nothing stays held.
//!
//! One thread owns the connection. Work that waits together is committed together; a request that is alone is written
//! by who asks for it ([`writer`]).

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use wardkeep_policy::Price;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::waypoint::Waypoints;

use crate::budget::Over;
use crate::budget::kept::Lesson;
use crate::budget::pace::Ticket;
use crate::gate_memory::{Kept, Key, Recalled, Tool};
use crate::prefix::Recorded;
use crate::price::Cost;
use crate::usage::Usage;

mod calls;
mod filing;
mod job;
mod journal;
mod ledger;
mod open;
mod porter;
mod prefixes;
mod presence;
mod round;
mod rows;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod trust;
mod writer;

pub(crate) use filing::Filing;
use job::Job;
use journal::Journal;
use porter::Porter;
pub(crate) use presence::Present;
pub use rows::{Admission, Amounts, Bucket, BucketKey, By, Line, Run, Settlement, Total};
use writer::{Disk, Writer};

/// Output tokens that a provider is taken to make in a second of which nothing is seen: what large models make. Providers stop
/// when a connection ends, and charge what was made.
const UNSEEN_A_SECOND: u64 = 100;

/// What was made in so many seconds, of which nothing was seen, at `most`.
fn unseen(seconds: u64, most: u64) -> u64 {
    seconds.saturating_mul(UNSEEN_A_SECOND).min(most)
}

/// The meter's file cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MeterError {
    /// The linked SQLite lacks the fix for resetting a write-ahead log.
    #[error("SQLite {0} is older than 3.51.3; install a newer build of wardkeep-agent")]
    OldSqlite(&'static str),
    /// The file was made by a newer build.
    #[error("the usage file has schema {found}, this build knows {known}; install the newer build again")]
    NewerSchema {
        /// In the file.
        found: i64,
        /// The highest this build reads.
        known: i64,
    },
    /// The disk is full.
    #[error("the disk is full: usage cannot be recorded; free some space")]
    DiskFull,
    /// SQLite refused.
    #[error("the usage file cannot be read or written; run `wardkeep-agent doctor`")]
    Store(#[source] Arc<rusqlite::Error>),
    /// The journal beside the file cannot be read or written.
    #[error("the usage journal cannot be read or written; run `wardkeep-agent doctor`")]
    Journal(#[source] Arc<std::io::Error>),
    /// The thread that owns the file could not start or has ended.
    #[error("the usage file is closed; restart wardkeep-agent")]
    Closed,
}

impl From<rusqlite::Error> for MeterError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            _ => Self::Store(Arc::new(error)),
        }
    }
}

impl From<std::io::Error> for MeterError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Journal(Arc::new(error)),
        }
    }
}

/// Why a request was not admitted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotAdmitted {
    /// Nothing could be recorded.
    #[error(transparent)]
    Meter(#[from] MeterError),
    /// It would go over a budget.
    #[error("{0}")]
    Over(Box<Over>),
}

/// The way to the usage file; clones share it.
#[derive(Clone)]
pub struct Meter(Arc<Inner>);

struct Inner {
    porter: Arc<Porter>,
    changes: watch::Receiver<u64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Meter {
    /// Opens or makes the file at `path` and closes what a crash left open.
    ///
    /// `waypoints` hears `UsageRecorded` after each commit that settled requests. Blocks; call it before serving.
    ///
    /// # Errors
    /// Every reason of [`MeterError`]; also when another process has the file open.
    pub fn open(path: &Path, clock: Arc<dyn Clock>, waypoints: Arc<dyn Waypoints>) -> Result<Self, MeterError> {
        let mut store = store::Store::open(path)?;
        // After the tables, which only one process has open.
        let (journal, left) = Journal::open(&path.with_extension("journal"), store.folded()?)?;
        store.take_up(left, clock.now())?;
        Self::start(Disk::new(store, journal), clock, waypoints)
    }

    fn start(disk: Disk, clock: Arc<dyn Clock>, waypoints: Arc<dyn Waypoints>) -> Result<Self, MeterError> {
        let (jobs, queue) = std::sync::mpsc::channel();
        let (changed, changes) = watch::channel(0);
        let files = Arc::new(Mutex::new(Some(Writer::new(disk, clock, waypoints, changed))));
        let porter = Porter::new(Arc::clone(&files), jobs);
        // It ends with the last way to it.
        let back = Arc::downgrade(&porter);
        let thread = std::thread::Builder::new()
            .name("usage-meter".to_owned())
            .spawn(move || writer::run(&files, &queue, &back))
            .map_err(|_| MeterError::Closed)?;
        Ok(Self(Arc::new(Inner { porter, changes, thread: Mutex::new(Some(thread)) })))
    }

    /// Judges the request by its caps and puts it on disk. The provider must not see it before this returns.
    ///
    /// # Errors
    /// Nothing was recorded; the request must be refused.
    pub async fn admit(&self, admission: Admission) -> Result<Admitted, NotAdmitted> {
        let Admission { estimated_input, max_output, tariff, .. } = &admission;
        let (price, estimated_input, max_output) = (tariff.price, *estimated_input, *max_output);
        let (reply, answer) = oneshot::channel();
        let job = Job::Admit { admission: Box::new(admission), row: 0, reply };
        self.0.porter.hand(job)?;
        let (row, told) = answer.await.map_err(|_| MeterError::Closed)??.take();
        Ok(Admitted {
            meter: self.clone(),
            row,
            price,
            estimated_input,
            max_output,
            unseen_since: None,
            told,
            ticket: None,
            lesson: None,
            open: true,
        })
    }

    /// Records a request that needed no admission, in one step.
    ///
    /// # Errors
    /// Nothing was recorded.
    pub async fn record(&self, admission: Admission, settlement: Settlement) -> Result<(), NotAdmitted> {
        self.admit(admission).await?.settle(settlement);
        Ok(self.flush().await?)
    }

    /// Up to `limit` buckets whose totals the hub does not have yet, oldest hour first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn buckets_to_report(&self, limit: u32) -> Result<Vec<Bucket>, MeterError> {
        self.ask(|reply| Job::ToReport { limit, reply }).await
    }

    /// Notes that the hub has `revision` of this bucket on its disk. Repeats and older receipts change nothing.
    ///
    /// # Errors
    /// The receipt was not noted; the bucket will be reported again, which is harmless.
    pub async fn acknowledge(&self, key: BucketKey, revision: u64) -> Result<(), MeterError> {
        self.ask(|reply| Job::Acknowledge { key, revision, reply }).await
    }

    /// Totals per agent, provider and model over the hours that start at or after `since`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn totals(&self, since: Timestamp) -> Result<Vec<Total>, MeterError> {
        self.ask(|reply| Job::Totals { since, reply }).await
    }

    /// Totals for people since then, told apart by `by`; at most `limit` lines.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn lines(&self, by: By, since: Timestamp, limit: u32) -> Result<Vec<Line>, MeterError> {
        self.ask(|reply| Job::Lines { by, since, limit, reply }).await
    }

    /// Keeps calls that a model asked `agent` for, or what was handed in for them. On disk with the next settlement; never
    /// blocks.
    pub(crate) fn remember(&self, agent: AgentName, calls: Vec<Kept>) {
        self.tell(Job::Remember { agent, calls });
    }

    /// What is kept of these calls.
    pub(crate) async fn recall(&self, agent: AgentName, calls: Vec<Key>) -> Result<Recalled, MeterError> {
        self.ask(|reply| Job::Recall { agent, calls, reply }).await
    }

    /// What is kept of this tool's calls without ids.
    pub(crate) async fn recall_tool(&self, agent: AgentName, tool: Tool) -> Result<Recalled, MeterError> {
        self.ask(|reply| Job::RecallTool { agent, tool, reply }).await
    }

    /// Records what the requests of an agent's version begin with.
    pub(crate) async fn prefix(
        &self,
        agent: AgentName,
        version: String,
        print: [u8; 16],
    ) -> Result<Recorded, MeterError> {
        self.ask(|reply| Job::Prefix { agent, version, print, reply }).await
    }

    /// Carries between this thread and the writer's for as long as it is polled: what is handed over in one turn of the
    /// runtime goes together, and answers come back together.
    pub(crate) async fn carry(self) {
        self.0.porter.carry().await;
    }

    /// Counts commits that changed a bucket: wakes whoever reports.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.clone()
    }

    /// Returns once everything settled before this call is on disk.
    ///
    /// # Errors
    /// Some settlement could not be written yet; it stays queued.
    pub async fn flush(&self) -> Result<(), MeterError> {
        self.ask(|reply| Job::Flush { reply }).await
    }

    /// Writes what is queued and closes the file; later calls answer [`MeterError::Closed`]. Blocks shortly.
    pub fn close(&self) {
        // The thread may have ended already; then there is nothing to close.
        let _ = self.0.porter.hand_now(Job::Close);
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the usage writer ended badly; open requests are closed as estimates at the next start");
        }
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, MeterError>>) -> Job) -> Result<T, MeterError> {
        let (reply, answer) = oneshot::channel();
        self.0.porter.hand_now(job(reply))?;
        answer.await.map_err(|_| MeterError::Closed)?
    }

    fn tell(&self, job: Job) {
        if self.0.porter.hand(job).is_err() {
            tracing::error!(
                "usage arrived after the meter was closed; the request is closed as an estimate at next start"
            );
        }
    }
}

/// A request that is on disk and waits to be settled; only [`Meter::admit`] makes one.
///
/// Dropped unsettled (the agent left before the provider answered), it is settled as an estimate: its input, and where the
/// answer would have been told whole, what may have been made of it so far.
#[must_use]
pub struct Admitted {
    meter: Meter,
    row: i64,
    price: Price,
    estimated_input: u64,
    max_output: u64,
    /// When it left for an answer that is told once it is whole.
    unseen_since: Option<Instant>,
    told: Vec<Over>,
    ticket: Option<Ticket>,
    lesson: Option<Lesson>,
    open: bool,
}

impl Admitted {
    /// The caps that it goes over and that only tell.
    pub(crate) fn take_told(&mut self) -> Vec<Over> {
        std::mem::take(&mut self.told)
    }

    /// Holds the place among the requests under way until it is settled.
    pub(crate) fn with_ticket(mut self, ticket: Ticket) -> Self {
        self.ticket = Some(ticket);
        self
    }

    /// Tells what it used, once the provider has said so.
    pub(crate) fn with_lesson(mut self, lesson: Option<Lesson>) -> Self {
        self.lesson = lesson;
        self
    }

    /// It leaves now, and the provider tells its answer once it is whole: whoever does not wait for that has used what was made
    /// until then.
    pub(crate) fn leaves_unseen(&mut self) {
        self.unseen_since = Some(Instant::now());
    }

    /// Input tokens to charge if the provider names none.
    #[must_use]
    pub fn estimated_input(&self) -> u64 {
        self.estimated_input
    }

    /// The request was answered, wholly or in part. Never blocks.
    pub fn settle(mut self, settlement: Settlement) {
        self.close(settlement, None);
    }

    /// As [`settle`](Self::settle), and returns once it is on disk. A disk that refuses is tried again later, and not waited for.
    pub async fn file(self, settlement: Settlement) {
        self.filing(settlement).await;
    }

    /// The same for whoever has no room for a future of their own.
    pub(crate) fn filing(mut self, settlement: Settlement) -> Filing {
        let (reply, done) = oneshot::channel();
        self.close(settlement, Some(reply));
        Filing::new(done)
    }

    /// The request never reached the provider: it counts as nothing. Never blocks.
    pub fn void(mut self) {
        self.open = false;
        self.meter.tell(Job::Void { row: self.row });
    }

    fn close(&mut self, settlement: Settlement, done: Option<oneshot::Sender<Result<(), MeterError>>>) {
        self.open = false;
        let usage = settlement.usage.bounded();
        let cost = Cost::of(&self.price, &usage);
        if let Some(ticket) = self.ticket.take() {
            ticket.used(usage.tokens());
        }
        if let Some(lesson) = self.lesson.take().filter(|_| !settlement.estimated) {
            lesson.used(usage.tokens());
        }
        let settlement = Settlement { usage, ..settlement };
        self.meter.tell(Job::Settle { row: self.row, settlement, cost, done });
    }
}

/// One message to the writer, so that a future that was dropped anywhere cannot lose its request.
impl Drop for Admitted {
    fn drop(&mut self) {
        if self.open {
            let seconds = self.unseen_since.map_or(0, |since| since.elapsed().as_secs());
            let output = unseen(seconds, self.max_output);
            let usage = Usage { input: self.estimated_input, output, ..Usage::default() };
            self.close(Settlement { usage, estimated: true }, None);
        }
    }
}
