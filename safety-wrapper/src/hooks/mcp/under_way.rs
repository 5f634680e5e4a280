//! The calls that wait for their answers, so that they can be taken back and are not too many.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use wardkeep_proto::ids::{AgentName, SessionId};

/// Calls of one agent at the same time.
const MOST: usize = 32;

type Key = (AgentName, SessionId, String);

/// All of them.
#[derive(Clone, Default)]
pub(in crate::hooks) struct UnderWay {
    all: Arc<Mutex<HashMap<Key, CancellationToken>>>,
    count: Arc<AtomicU64>,
}

/// One of them, until it is dropped.
pub(super) struct Place {
    all: UnderWay,
    key: Key,
    cut: CancellationToken,
}

impl UnderWay {
    /// `None`: there are too many, or one of this id in the same session.
    pub(super) fn begin(&self, agent: &AgentName, session: &SessionId, id: &Value) -> Option<Place> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        // Clients without a session of their own share one, and count their requests from the same number: such a call is
        // taken back by hanging up.
        let id = if session.as_str().starts_with("mcp-day-") {
            format!("{id} #{}", self.count.fetch_add(1, Ordering::Relaxed))
        } else {
            id.to_string()
        };
        let key = (agent.clone(), session.clone(), id);
        if all.contains_key(&key) || all.keys().filter(|(of, ..)| of == agent).count() >= MOST {
            return None;
        }
        let cut = CancellationToken::new();
        all.insert(key.clone(), cut.clone());
        drop(all);
        Some(Place { all: self.clone(), key, cut })
    }

    /// Ends the wait of one call; one that is not there has been answered.
    pub(super) fn cancel(&self, agent: &AgentName, session: &SessionId, id: &Value) {
        let key = (agent.clone(), session.clone(), id.to_string());
        if let Some(cut) = self.all.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            cut.cancel();
        }
    }
}

impl Place {
    /// What `work` gives, or nothing once it was cancelled.
    pub(super) async fn until_cancelled<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.cut.run_until_cancelled(work).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
