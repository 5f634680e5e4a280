//! What agents' tools asked of the network, taken into the audit log.

use serde_json::json;
use wardkeep_proto::ids::AgentName;

use super::{Gate, GateError};
use crate::audit;
use crate::store::activity;

/// One thing that was asked of the way out, or several of the same kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressNote {
    /// `egress-refused`, `egress-tunnelled`, `egress-inspected`, …: begins with `egress-`.
    pub kind: &'static str,
    /// Who asked, where that is known.
    pub agent: Option<AgentName>,
    /// Host and port.
    pub destination: String,
    /// Method and path.
    pub request: String,
    /// Why it was refused; empty where it was not.
    pub reason: String,
    /// Secrets whose values went along.
    pub secrets: Vec<String>,
    /// How often the same was asked since it was last told.
    pub times: u32,
    /// Also a line for people on the hub.
    pub is_notice: bool,
}

impl Gate {
    /// Puts notes into the audit log, all or none.
    ///
    /// # Errors
    /// When it cannot be recorded; then what they tell of must not happen.
    pub async fn tell_egress(&self, notes: Vec<EgressNote>) -> Result<(), GateError> {
        // What was stored a moment ago is masked, too.
        self.parts.secrets.catch_up();
        let (at, engine) = (self.parts.clock.now(), self.parts.redaction.load());
        let clean = move |text: &str| engine.redact(text).text.into_owned();
        self.write(move |tx| {
            for note in &notes {
                let (destination, request) = (clean(&note.destination), clean(&note.request));
                let agent = note.agent.as_ref().map_or("", AgentName::as_str);
                let fields = json!({
                    "agent": agent, "destination": destination, "request": request, "reason": note.reason,
                    "secrets": note.secrets, "times": note.times,
                });
                audit::append(tx, at, note.kind, None, &fields)?;
                if note.is_notice {
                    let who = if agent.is_empty() { "somebody without a token" } else { agent };
                    let times = if note.times > 1 { format!(" ({} times)", note.times) } else { String::new() };
                    activity::notice(tx, at, "egress", &format!("{who} → {destination}: {}{times}", note.reason))?;
                }
            }
            Ok(())
        })
        .await
    }
}
