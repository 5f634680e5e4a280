//! What ties a connection to the agent that asks on it: when the agent is stopped, it is cut.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// One request or connection of an agent, as whoever may stop the agent sees it.
#[derive(Debug)]
pub struct Leash {
    cut: CancellationToken,
    /// Counted until the connection has ended.
    held: TaskTrackerToken,
}

impl Leash {
    /// Cut when `cut` is cancelled; `held` is dropped when that has happened.
    #[must_use]
    pub const fn new(cut: CancellationToken, held: TaskTrackerToken) -> Self {
        Self { cut, held }
    }

    /// Never cut.
    #[must_use]
    pub fn free() -> Self {
        Self { cut: CancellationToken::new(), held: TaskTracker::new().token() }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.is_cancelled()
    }

    /// Does `work`, or drops it when the agent is stopped.
    pub(crate) async fn hold<T>(self, work: impl Future<Output = T>) -> Option<T> {
        let Self { cut, held } = self;
        let done = cut.run_until_cancelled(work).await;
        drop(held);
        done
    }
}

/// The leash of what is under way on one connection of the gateway, from the moment it is known who asks until its answer is
/// over. Clones are one.
#[derive(Clone, Default)]
pub(crate) struct Tether(Arc<Mutex<Option<Tied>>>);

struct Tied {
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    _held: TaskTrackerToken,
}

impl Tether {
    /// Ties the connection; what was tied before is over.
    pub(crate) fn tie(&self, leash: Leash) {
        let Leash { cut, held } = leash;
        *self.tied() = Some(Tied { cut: Box::pin(cut.cancelled_owned()), _held: held });
    }

    /// The answer is over.
    pub(crate) fn loosen(&self) {
        *self.tied() = None;
    }

    /// Ready when the connection is to be cut.
    pub(crate) fn poll_cut(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.tied() {
            Some(tied) => tied.cut.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    fn tied(&self) -> MutexGuard<'_, Option<Tied>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tether {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tether").finish_non_exhaustive()
    }
}
