//! How much requests hold that go on from what their provider keeps (an answer before, a cache, a file), or fetches: it
//! does not stand in them.
//!
//! What they go on from was made by requests of the same agent, so that the largest of them says how much it may be.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wardkeep_proto::ids::AgentName;

/// By agent and model, the most tokens that one request used since the start; 0 where none was answered yet. Both are named by
/// the policy, so that they are few.
#[derive(Default)]
pub(crate) struct Kept(Mutex<HashMap<AgentName, HashMap<String, Arc<AtomicU64>>>>);

/// What is to be learned from one request.
pub(crate) struct Lesson(Arc<AtomicU64>);

impl Kept {
    /// The most that one request used; `None` where nothing was answered yet.
    pub(crate) fn most(&self, agent: &AgentName, model: &str) -> Option<u64> {
        Some(self.cell(agent, model).load(Ordering::Relaxed)).filter(|most| *most > 0)
    }

    pub(crate) fn lesson(&self, agent: &AgentName, model: &str) -> Lesson {
        Lesson(self.cell(agent, model))
    }

    /// Nothing is copied for a pair that was met before: every turn asks.
    fn cell(&self, agent: &AgentName, model: &str) -> Arc<AtomicU64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = all.get(agent).and_then(|models| models.get(model)) {
            return Arc::clone(cell);
        }
        Arc::clone(all.entry(agent.clone()).or_default().entry(model.to_owned()).or_default())
    }
}

impl Lesson {
    /// The provider itself counted so many tokens.
    pub(crate) fn used(self, tokens: u64) {
        self.0.fetch_max(tokens, Ordering::Relaxed);
    }
}
