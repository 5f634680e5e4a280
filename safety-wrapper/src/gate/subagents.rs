//! Sub-agents: which there are, as the runtime that holds the lease says.

use serde::Deserialize;
use serde_json::json;
use wardkeep_proto::ids::{AgentName, SessionId};

use super::{Gate, GateError};
use crate::audit;
use crate::store::subagents::{self, Subagent};

/// Most that a runtime may name.
const MOST: usize = 256;
/// Why a list is not taken.
const NOT_ITS_PLUGIN: &str = "only the plugin that holds the agent's lease says which sub-agents there are";

/// `POST /v1/hooks/subagents`.
#[derive(Clone, Debug, Deserialize)]
pub struct Subagents {
    /// The session of the lease that is bound to the plugin's connection.
    pub session: SessionId,
    /// All that there are at this moment.
    pub alive: Vec<Subagent>,
}

impl Gate {
    /// Takes the list of an agent's sub-agents in the place of the one before.
    ///
    /// What it says can lower a session's level, and counts against how many there may be; it raises nothing.
    ///
    /// # Errors
    /// From anybody who does not hold the lease, too long a list, or when it cannot be recorded.
    pub async fn subagents(&self, agent: &AgentName, said: Subagents) -> Result<(), GateError> {
        self.parts.secrets.catch_up();
        if !self.holds_bound_lease(agent, &said.session) {
            return Err(GateError::Lease(NOT_ITS_PLUGIN));
        }
        if said.alive.len() > MOST {
            return Err(GateError::Invalid(format!("at most {MOST} sub-agents can be named")));
        }
        for Subagent { session, parent } in &said.alive {
            self.without_secrets(&[("session", session.as_str()), ("parent", parent.as_str())])?;
        }
        let (now, agent) = (self.now(), agent.clone());
        self.write(move |tx| {
            if subagents::replace(tx, &agent, &said.alive, now)? {
                audit::append(tx, now, "subagents", None, &json!({"agent": agent, "alive": said.alive}))?;
            }
            Ok(())
        })
        .await
    }
}
