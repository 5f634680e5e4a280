//! How much of the proxy one agent may take: what one agent holds open must not keep the others out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use wardkeep_proto::ids::AgentName;

/// Tunnels, inspected connections and requests of one agent at the same time; a quarter of all.
const EACH: usize = 256;

/// Who is inside.
#[derive(Clone, Default)]
pub(crate) struct Crowd(Arc<Mutex<HashMap<AgentName, usize>>>);

/// A place inside, given back when dropped.
pub(crate) struct Inside {
    crowd: Crowd,
    agent: AgentName,
}

impl Crowd {
    /// A place for `agent`; `None` when it has as many as it may.
    pub(crate) fn enter(&self, agent: &AgentName) -> Option<Inside> {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = inside.entry(agent.clone()).or_default();
        if *count == EACH {
            return None;
        }
        *count += 1;
        Some(Inside { crowd: self.clone(), agent: agent.clone() })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut inside = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = inside.get_mut(&self.agent) {
            *count -= 1;
            if *count == 0 {
                inside.remove(&self.agent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_takes_all_its_places_leaves_those_of_others() {
        let (crowd, greedy, other): (_, AgentName, AgentName) =
            (Crowd::default(), "greedy".parse().unwrap(), "other".parse().unwrap());
        let mut held: Vec<Inside> = std::iter::from_fn(|| crowd.enter(&greedy)).collect();
        assert_eq!(held.len(), EACH);
        assert!(crowd.enter(&other).is_some());
        held.pop();
        assert!(crowd.enter(&greedy).is_some());
        drop(held);
        assert!(crowd.0.lock().unwrap().is_empty(), "nobody is remembered");
    }
}
