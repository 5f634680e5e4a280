//! How much requests hold that go on from what their provider keeps (an answer before, a cache): it does not stand in them.
//!
//! What they go on from was made by requests of the same agent, so that the largest of them says how much it may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use wardkeep_proto::ids::AgentName;

use super::desk::USUAL_OUTPUT;

/// By agent and model, the most tokens that one request used since the start.
#[derive(Default)]
pub(crate) struct Kept(Mutex<HashMap<AgentName, HashMap<String, u64>>>);

/// What is to be learned from one request.
pub(crate) struct Lesson {
    kept: Arc<Kept>,
    agent: AgentName,
    model: String,
}

impl Kept {
    /// What a request may go on from; a guess where nothing was answered yet.
    pub(crate) fn most(&self, agent: &AgentName, model: &str) -> u64 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(agent).and_then(|models| models.get(model)).copied().unwrap_or(USUAL_OUTPUT)
    }

    pub(crate) fn lesson(self: &Arc<Self>, agent: &AgentName, model: &str) -> Lesson {
        Lesson { kept: Arc::clone(self), agent: agent.clone(), model: model.to_owned() }
    }
}

impl Lesson {
    /// The provider itself counted so many tokens.
    pub(crate) fn used(self, tokens: u64) {
        let Self { kept, agent, model } = self;
        let mut all = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = all.entry(agent).or_default().entry(model).or_default();
        *most = tokens.max(*most);
    }
}
