//! What was used, on disk: one SQLite file beside the daemon.
//!
//! A request is *admitted* (a row) before the provider sees it and *settled* after its answer was relayed; the row then
//! folds into the hourly bucket of its agent, provider and model, in one transaction. Rows that a crash left behind are
//! closed as estimates when the file is opened next, so a request counts exactly once and never as nothing.
//!
//! A bucket is a monotonic total with a revision. Reporting says "my total is now this"; the receipt moves `acked` up,
//! and a bucket is due while its revision is ahead.
//!
//! One thread owns the connection. Work that waits together is committed together.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};
use wardkeep_policy::Price;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::waypoint::Waypoints;

use crate::price::cost_micros;
use crate::usage::Usage;

mod store;
#[cfg(test)]
mod tests;
mod writer;

use writer::Job;

/// Which bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketKey {
    /// Who asked.
    pub agent: AgentName,
    /// Which provider of the bundle answered.
    pub provider: String,
    /// The model as agents ask for it.
    pub model: String,
    /// Start of the hour in which the request was admitted, UTC.
    pub hour: Timestamp,
}

/// Totals of a bucket or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Requests that reached the provider.
    pub requests: u64,
    /// How many of them carry an estimate because no final usage came.
    pub estimated_requests: u64,
    /// Input tokens that were neither read from nor written to the provider's cache.
    pub input_tokens: u64,
    /// Output tokens, reasoning included.
    pub output_tokens: u64,
    /// Input tokens read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to the provider's cache.
    pub cache_write_tokens: u64,
    /// Part of the output that was reasoning.
    pub reasoning_tokens: u64,
    /// Millionths of a US dollar by the bundle's price table.
    pub cost_micros: u64,
}

/// One bucket with the revision of its totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Which bucket.
    pub key: BucketKey,
    /// Rises with each change of the totals.
    pub revision: u64,
    /// The totals.
    pub amounts: Amounts,
}

/// Totals of one agent with one model over all hours asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// Who asked.
    pub agent: AgentName,
    /// Which provider answered.
    pub provider: String,
    /// The model as agents ask for it.
    pub model: String,
    /// The totals.
    pub amounts: Amounts,
}

/// What is known of a request before the provider sees it.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Who asks.
    pub agent: AgentName,
    /// Which provider will answer.
    pub provider: String,
    /// The model as agents ask for it.
    pub model: String,
    /// Input tokens to charge if nothing better is ever known.
    pub estimated_input: u64,
    /// The price at the time of asking.
    pub price: Price,
}

/// What a relayed request used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Tokens by kind.
    pub usage: Usage,
    /// The provider's final numbers never came.
    pub estimated: bool,
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

/// The way to the usage file; clones share it.
#[derive(Clone)]
pub struct Meter(Arc<Inner>);

struct Inner {
    jobs: std::sync::mpsc::Sender<Job>,
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
        store.close_left_open()?;
        Self::start(store, clock, waypoints)
    }

    fn start(store: store::Store, clock: Arc<dyn Clock>, waypoints: Arc<dyn Waypoints>) -> Result<Self, MeterError> {
        let (jobs, queue) = std::sync::mpsc::channel();
        let (changed, changes) = watch::channel(0);
        let thread = std::thread::Builder::new()
            .name("usage-meter".to_owned())
            .spawn(move || writer::run(store, &queue, &*clock, &*waypoints, &changed))
            .map_err(|_| MeterError::Closed)?;
        Ok(Self(Arc::new(Inner { jobs, changes, thread: Mutex::new(Some(thread)) })))
    }

    /// Puts the request on disk. The provider must not see it before this returns.
    ///
    /// # Errors
    /// Nothing was recorded; the request must be refused.
    pub async fn admit(&self, admission: Admission) -> Result<Admitted, MeterError> {
        let (price, estimated_input) = (admission.price, admission.estimated_input);
        let undo = self.0.jobs.clone();
        let row = self.ask(|reply| Job::Admit { admission, undo, reply }).await?.take();
        Ok(Admitted { meter: self.clone(), row, price, estimated_input, open: true })
    }

    /// Records a request that needed no admission, in one step.
    ///
    /// # Errors
    /// Nothing was recorded.
    pub async fn record(&self, admission: Admission, settlement: Settlement) -> Result<(), MeterError> {
        self.admit(admission).await?.settle(settlement);
        self.flush().await
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
        let _ = self.0.jobs.send(Job::Close);
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the usage writer ended badly; open requests are closed as estimates at the next start");
        }
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, MeterError>>) -> Job) -> Result<T, MeterError> {
        let (reply, answer) = oneshot::channel();
        self.0.jobs.send(job(reply)).map_err(|_| MeterError::Closed)?;
        answer.await.map_err(|_| MeterError::Closed)?
    }

    fn tell(&self, job: Job) {
        if self.0.jobs.send(job).is_err() {
            tracing::error!(
                "usage arrived after the meter was closed; the request is closed as an estimate at next start"
            );
        }
    }
}

/// A request that is on disk and waits to be settled; only [`Meter::admit`] makes one.
///
/// Dropped unsettled (the agent left before the provider answered), it is settled as an estimate.
#[must_use]
pub struct Admitted {
    meter: Meter,
    row: i64,
    price: Price,
    estimated_input: u64,
    open: bool,
}

impl Admitted {
    /// Input tokens to charge if the provider names none.
    #[must_use]
    pub fn estimated_input(&self) -> u64 {
        self.estimated_input
    }

    /// The request was answered, wholly or in part. Never blocks.
    pub fn settle(mut self, settlement: Settlement) {
        self.close(settlement);
    }

    /// As [`settle`](Self::settle), and returns once it is on disk. A disk that refuses is tried again later, and not waited for.
    pub async fn file(self, settlement: Settlement) {
        let meter = self.meter.clone();
        self.settle(settlement);
        if let Err(error) = meter.flush().await {
            tracing::warn!(%error, "usage is not on disk yet");
        }
    }

    /// The request never reached the provider: it counts as nothing. Never blocks.
    pub fn void(mut self) {
        self.open = false;
        self.meter.tell(Job::Void { row: self.row });
    }

    fn close(&mut self, settlement: Settlement) {
        self.open = false;
        let usage = settlement.usage.bounded();
        let cost_micros = cost_micros(&self.price, &usage);
        self.meter.tell(Job::Settle { row: self.row, usage, cost_micros, estimated: settlement.estimated });
    }
}

/// One message to the writer, so that a future that was dropped anywhere cannot lose its request.
impl Drop for Admitted {
    fn drop(&mut self) {
        if self.open {
            let usage = Usage { input: self.estimated_input, ..Usage::default() };
            self.close(Settlement { usage, estimated: true });
        }
    }
}
