//! What one exchange adds to the memory.

use std::collections::HashSet;
use std::sync::Arc;

use wardkeep_proto::ids::AgentName;
use wardkeep_redaction::Engine;

use super::{Gave, Kept, Key, Memory, Of, answers, key, of, unnamed};
use crate::meter::Meter;

/// Sees the calls of one answer, and what was asked with it.
#[derive(Clone)]
pub(crate) struct Watch {
    memory: Arc<Memory>,
    meter: Meter,
    agent: AgentName,
    engine: Arc<Engine>,
    /// Names the request.
    id: String,
    /// Calls without an id that the answer named so far.
    unnamed: usize,
    /// Results that the request handed in.
    pub(super) gave: Vec<(Key, Gave)>,
    seen: HashSet<Key>,
}

impl Watch {
    pub(super) fn new(
        memory: &Arc<Memory>,
        meter: &Meter,
        agent: &AgentName,
        (engine, id): (&Arc<Engine>, &str),
    ) -> Self {
        Self {
            memory: Arc::clone(memory),
            meter: meter.clone(),
            agent: agent.clone(),
            engine: Arc::clone(engine),
            id: id.to_owned(),
            unnamed: 0,
            gave: Vec::new(),
            seen: HashSet::new(),
        }
    }

    /// The provider took the request.
    pub(crate) fn accepted(&mut self) {
        let gave = std::mem::take(&mut self.gave);
        if gave.is_empty() {
            return;
        }
        let mut agents = self.memory.agents();
        let calls = of(&mut agents, &self.agent);
        let mut kept = Vec::new();
        for (key, gave) in gave {
            let call = calls.at(key);
            if call.gave != Some(gave) {
                call.gave = Some(gave);
                kept.push(Kept { key, gave: Some(gave) });
            }
        }
        drop(agents);
        self.keep(kept);
    }

    /// Whether something stands in `text` without which no piece is looked into.
    pub(crate) fn may_name_a_call(text: &[u8]) -> bool {
        answers::is_marked(text)
    }

    /// Takes a piece of the answer: a whole document or the data of an event. Before the agent has it. `true`: it names a call.
    pub(crate) fn piece(&mut self, piece: &[u8]) -> bool {
        let Self { agent, engine, id, unnamed, seen, .. } = self;
        let (mut kept, mut names) = (Vec::new(), false);
        answers::read(piece, |of| {
            names = true;
            let key = match &of {
                Of::Tool(name) => {
                    *unnamed += 1;
                    unnamed::place(engine, unnamed::tool(engine, agent, name), id, *unnamed)
                }
                of => key(engine, agent, of),
            };
            if seen.insert(key) {
                kept.push(Kept { key, gave: None });
            }
        });
        if kept.is_empty() {
            return names;
        }
        let mut agents = self.memory.agents();
        let calls = of(&mut agents, &self.agent);
        kept.iter().for_each(|kept| calls.at(kept.key).asked = true);
        drop(agents);
        self.keep(kept);
        names
    }

    /// Something of the answer could not be read.
    pub(crate) fn blind(&mut self) {
        of(&mut self.memory.agents(), &self.agent).blind = true;
    }

    fn keep(&self, kept: Vec<Kept>) {
        if !kept.is_empty() {
            self.meter.remember(self.agent.clone(), kept);
        }
    }
}
