//! What a protocol that names calls by requests needs of the gate: a name for a call, a way back to it, and a way to take it back.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use rusqlite::{OptionalExtension as _, params};
use wardkeep_policy::Bundle;
use wardkeep_proto::chance::bytes;
use wardkeep_proto::ids::{AgentName, CallId, SessionId};

use super::{Gate, GateError, key_of};
use crate::call::{CallKey, CallState};
use crate::store::calls;

/// Why a call that was taken back does not run.
const TAKEN_BACK: &str = "the agent took this call back before anybody decided";
/// One day, milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Gate {
    /// The policy in force.
    pub(crate) fn bundle(&self) -> Arc<Bundle> {
        self.parts.bundle.borrow().clone()
    }

    /// A name that nothing has yet.
    pub(crate) fn fresh_name(&self, kind: &str) -> String {
        format!("{kind}-{}", HEXLOWER.encode(&bytes::<16>(&*self.parts.chance)))
    }

    /// The day, as a number: what names no session of its own shares one with what came on the same day.
    pub(crate) fn day(&self) -> i64 {
        self.now().millis().div_euclid(DAY_MS)
    }

    /// The call of `agent` that the approval of this short name (`A-1f2e3d4c`) is about.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn call_of_approval(&self, agent: &AgentName, short: &str) -> Result<Option<CallKey>, GateError> {
        const FIND: &str = "SELECT c.session, c.call FROM approvals a JOIN calls c ON c.id = a.call_id \
             WHERE c.agent = ?1 AND lower(hex(a.digest)) LIKE ?2 || '%' ORDER BY c.id DESC LIMIT 1";
        let Some(digits) = short.strip_prefix("A-").filter(|digits| is_short(digits)) else { return Ok(None) };
        let (agent, digits) = (agent.clone(), digits.to_owned());
        self.read(move |conn| {
            let found = conn
                .prepare_cached(FIND)?
                .query_row(params![agent.as_str(), digits], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
                })
                .optional()?;
            let key =
                |(session, call): (String, String)| Some(key_of(&agent, &session.parse().ok()?, &call.parse().ok()?));
            Ok(found.and_then(key))
        })
        .await
    }

    /// Takes a call back that waits for a person and that no other call waits for, too. One that was decided on stays what it is.
    ///
    /// # Errors
    /// When it cannot be recorded; then it waits still.
    pub(crate) async fn withdraw(
        &self,
        agent: &AgentName,
        session: &SessionId,
        call: &CallId,
    ) -> Result<(), GateError> {
        let (key, now) = (key_of(agent, session, call), self.now());
        self.write(move |tx| {
            let Some(row) = calls::by_key(tx, &key)? else { return Ok(()) };
            let shared = calls::alike(tx, &key.agent, &key.session, row.action_digest, "folded")?.is_some();
            if matches!(row.state, CallState::Pending { .. }) && !shared {
                calls::advance(tx, row, CallState::Superseded { why: TAKEN_BACK.to_owned() }, now)?;
            }
            Ok(())
        })
        .await
    }
}

fn is_short(digits: &str) -> bool {
    digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
