//! Who else is served: requests that are being received, asked or answered, also those that the meter has not heard of. Where
//! there is another one, nobody waits for the disk on the spot.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Meter;

/// How many are served.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence(Arc<AtomicUsize>);

impl Presence {
    /// Whoever asks is counted, too, as long as its answer has not ended.
    pub(super) fn is_one(&self) -> bool {
        self.count() <= 1
    }

    fn count(&self) -> usize {
        // A hint, by which nothing else is ordered; mostly one thread counts.
        self.0.load(Ordering::Relaxed)
    }
}

/// A request that is served, until it is dropped.
#[derive(Debug)]
pub(crate) struct Present(Presence);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Meter {
    /// Counts a request from its head on.
    pub(crate) fn comes(&self) -> Present {
        let presence = &self.0.porter.presence;
        presence.0.fetch_add(1, Ordering::Relaxed);
        Present(presence.clone())
    }

    /// How many are served.
    #[cfg(test)]
    pub(crate) fn present(&self) -> usize {
        self.0.porter.presence.count()
    }
}
