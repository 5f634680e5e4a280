//! The streams that are open in this process, and when each was last heard.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

/// When a stream was last heard.
#[derive(Clone, Copy, Debug)]
struct Heard {
    epoch: u64,
    at: Timestamp,
}

#[derive(Debug)]
struct Open {
    epoch: u64,
    nudge: Arc<Notify>,
    close: CancellationToken,
}

#[derive(Debug, Default)]
struct Inner {
    open: HashMap<TenantId, Open>,
    heard: HashMap<TenantId, Heard>,
}

/// The open streams; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Links(Arc<Mutex<Inner>>);

/// One stream's place among the open ones; given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    links: Links,
    tenant: TenantId,
    epoch: u64,
    /// Rows of this tenant changed.
    pub(super) nudge: Arc<Notify>,
    /// A newer stream took over, or the hub stops.
    pub(super) close: CancellationToken,
}

impl Links {
    /// No stream is open.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the stream of `tenant`, if one is open here, that rows changed.
    pub fn nudge(&self, tenant: TenantId) {
        if let Some(open) = self.inner().open.get(&tenant) {
            open.nudge.notify_one();
        }
    }

    /// Tells every stream that rows may have changed.
    pub fn nudge_all(&self) {
        for open in self.inner().open.values() {
            open.nudge.notify_one();
        }
    }

    /// How many streams are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.inner().open.len()
    }

    /// Seats a stream; an older one of the same tenant is closed. `None` when a newer one is seated already.
    pub(super) fn seat(&self, tenant: TenantId, epoch: u64, stop: &CancellationToken) -> Option<Seat> {
        let (nudge, close) = (Arc::new(Notify::new()), stop.child_token());
        let mut inner = self.inner();
        if inner.open.get(&tenant).is_some_and(|open| open.epoch > epoch) {
            return None;
        }
        let open = Open { epoch, nudge: Arc::clone(&nudge), close: close.clone() };
        if let Some(older) = inner.open.insert(tenant, open) {
            older.close.cancel();
        }
        drop(inner);
        Some(Seat { links: self.clone(), tenant, epoch, nudge, close })
    }

    /// Whether no newer stream than `epoch` has the seat of `tenant`.
    pub(super) fn is_newest(&self, tenant: TenantId, epoch: u64) -> bool {
        self.inner().open.get(&tenant).is_none_or(|open| open.epoch <= epoch)
    }

    /// Notes that a stream was heard; written to the rows by the next flush.
    pub(super) fn heard(&self, tenant: TenantId, epoch: u64, at: Timestamp) {
        let mut inner = self.inner();
        let entry = inner.heard.entry(tenant).or_insert(Heard { epoch, at });
        if entry.epoch <= epoch {
            *entry = Heard { epoch, at };
        }
    }

    /// Takes what is not yet in the rows: one write for many heartbeats.
    #[must_use]
    pub fn take_heard(&self) -> Vec<(TenantId, u64, Timestamp, bool)> {
        let heard = std::mem::take(&mut self.inner().heard);
        heard.into_iter().map(|(tenant, heard)| (tenant, heard.epoch, heard.at, true)).collect()
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Gives the place back; answers with what is left to write about this stream.
    pub(super) fn leave(self, at: Timestamp) -> (TenantId, u64, Timestamp, bool) {
        let mut inner = self.links.inner();
        if inner.heard.get(&self.tenant).is_some_and(|heard| heard.epoch <= self.epoch) {
            inner.heard.remove(&self.tenant);
        }
        // `drop` of the seat takes the lock again.
        drop(inner);
        (self.tenant, self.epoch, at, false)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inner = self.links.inner();
        if inner.open.get(&self.tenant).is_some_and(|open| open.epoch == self.epoch) {
            inner.open.remove(&self.tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wardkeep_proto::chance::SystemChance;

    #[test]
    fn a_newer_stream_closes_the_older_and_an_older_gets_no_seat() {
        let (links, stop) = (Links::new(), CancellationToken::new());
        let tenant = TenantId::new(Timestamp(0), &SystemChance::new());
        let first = links.seat(tenant, 1, &stop).expect("a seat");
        let third = links.seat(tenant, 3, &stop).expect("a seat");
        assert!(first.close.is_cancelled());
        assert!(links.seat(tenant, 2, &stop).is_none());
        // The end of the older stream must not take the newer one's seat away, nor its word.
        links.heard(tenant, 3, Timestamp(5));
        assert_eq!(first.leave(Timestamp(6)), (tenant, 1, Timestamp(6), false));
        assert_eq!(links.count(), 1);
        assert_eq!(links.take_heard(), [(tenant, 3, Timestamp(5), true)]);
        links.heard(tenant, 3, Timestamp(6));
        third.leave(Timestamp(7));
        assert_eq!(links.count(), 0);
        assert_eq!(links.take_heard(), []);
    }
}
