//! What a run has printed so far, for who looks on.

use serde::Serialize;
use wardkeep_policy::Closed;
use wardkeep_proto::ids::{AgentName, PermitId};

use super::{Gate, GateError};
use crate::call::CallState;
use crate::runner::live;
use crate::store::calls;

/// What a run keeps at most of its output, bytes.
const MOST: usize = 1024 * 1024;

/// The part of a run's output from one place on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Printed {
    /// Without secrets; may be empty.
    pub text: String,
    /// Where the next part begins.
    pub next: usize,
    /// Nothing follows; the result says it all.
    pub done: bool,
}

impl Gate {
    /// What the run of a permit has printed from byte `from` on. What it says next may still turn the end into a secret: that
    /// part is not given yet. The result counts, and may have a note in front.
    ///
    /// A daemon that starts again goes on where the one before was; a secret that is stored meanwhile may move the place.
    ///
    /// # Errors
    /// [`GateError::UnknownPermit`], or when the database cannot be read.
    pub async fn printed(&self, agent: &AgentName, permit: PermitId, from: usize) -> Result<Printed, GateError> {
        let row = self.read(move |conn| calls::by_permit(conn, permit)).await?;
        let row = row.filter(|row| row.key.agent == *agent).ok_or(GateError::UnknownPermit)?;
        let done =
            !matches!(row.state, CallState::Permitted { .. } | CallState::Approved { .. } | CallState::Claimed { .. });
        self.parts.secrets.catch_up();
        if self.posture_for(agent).has(Closed::VaultUnread) {
            return Ok(Printed { text: String::new(), next: from, done });
        }
        let folder = self.runs.join(permit.to_string());
        // No file: nothing was printed yet, or the result is recorded.
        let raw =
            tokio::task::spawn_blocking(move || live::so_far(&folder, MOST)).await.map_err(|_| GateError::Worker)?;
        // From the beginning each time: what a value is decides the text before it, too. Never finished.
        let clean = self.parts.redaction.load().stream().push(&raw.unwrap_or_default());
        let part = clean.get(from..).unwrap_or_default();
        let whole = match std::str::from_utf8(part) {
            Err(error) if error.error_len().is_none() => &part[..error.valid_up_to()],
            _ => part,
        };
        Ok(Printed { text: String::from_utf8_lossy(whole).into_owned(), next: from + whole.len(), done })
    }
}
