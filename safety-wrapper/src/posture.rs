//! The closed states of the machine, shared by every gate.

use std::sync::Arc;

use tokio::sync::watch;
use wardkeep_policy::{Closed, Posture};

/// Which closed states hold now. Cheap to clone; every clone sees the same book.
///
/// The daemon sets what it knows (vault, bundle, hub), the gate sets [`Closed::DiskFull`]; each decision reads it anew.
#[derive(Clone, Debug)]
pub struct PostureBook(Arc<watch::Sender<Posture>>);

impl PostureBook {
    /// A book that starts with `posture`. Start closed and reopen what was proven.
    #[must_use]
    pub fn new(posture: Posture) -> Self {
        Self(Arc::new(watch::Sender::new(posture)))
    }

    /// Adds a reason; `true` if it is new.
    pub fn close(&self, closed: Closed) -> bool {
        self.0.send_if_modified(|posture| posture.close(closed))
    }

    /// Takes a reason away; `true` if it was there.
    pub fn reopen(&self, closed: Closed) -> bool {
        self.0.send_if_modified(|posture| posture.reopen(closed))
    }

    /// What holds at this moment.
    #[must_use]
    pub fn read(&self) -> Posture {
        self.0.borrow().clone()
    }

    /// Wakes at each change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Posture> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clone_sees_the_same_book_and_only_changes_wake() {
        let book = PostureBook::new(Posture::open());
        let mut changes = book.clone().changes();
        assert!(book.close(Closed::HubAway));
        assert!(changes.has_changed().unwrap());
        assert!(changes.borrow_and_update().has(Closed::HubAway));
        assert!(!book.close(Closed::HubAway));
        assert!(!changes.has_changed().unwrap());
        assert!(book.clone().reopen(Closed::HubAway));
        assert!(book.read().is_open());
    }
}
