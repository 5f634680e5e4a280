//! Results, and the hooks that only redact.

use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};
use wardkeep_policy::Closed;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::{AfterToolCall, BundleName, Gate, GateError, LlmOutput, ModelCall, RedactRequest, key_of};
use crate::audit;
use crate::call::{CallKey, CallResult, CallState, Executor, RunStatus};
use crate::store::calls::CallRow;
use crate::store::{StoreError, Tx, activity, calls};

/// Longest output of a runtime that is kept with the call, bytes.
const KEPT_BYTES: usize = 256 * 1024;

impl Gate {
    /// Gives any JSON back without secrets, keys included; it stays valid.
    ///
    /// # Errors
    /// Where it cannot be searched, or not for the vault's values; then it must go nowhere.
    pub fn redact(&self, agent: &AgentName, draft: &RedactRequest) -> Result<Value, GateError> {
        self.renew(agent);
        self.parts.secrets.catch_up();
        if self.posture_for(agent).has(Closed::VaultUnread) {
            return Err(GateError::Closed(Closed::VaultUnread));
        }
        let text = serde_json::to_vec(&draft.value).map_err(StoreError::from)?;
        let engine = self.parts.redaction.load();
        let clean = engine.redact_json(&text).map_err(|why| GateError::Invalid(why.to_string()))?;
        Ok(serde_json::from_slice(&clean.bytes).map_err(StoreError::from)?)
    }

    /// Notes which run of which session the requests of a trace belong to.
    ///
    /// # Errors
    /// No trace id, or when it cannot be recorded.
    pub async fn model_call(&self, agent: &AgentName, call: ModelCall) -> Result<(), GateError> {
        self.renew(agent);
        self.parts.secrets.catch_up();
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if call.trace.len() != 32 || !call.trace.bytes().all(hex) {
            return Err(GateError::Invalid("trace must be 32 hexadecimal digits in small letters".to_owned()));
        }
        self.without_secrets(&[("session", call.session.as_str()), ("run", call.run.as_str())])?;
        let fields = json!({"agent": agent, "session": call.session, "run": call.run, "trace": call.trace});
        let now = self.now();
        self.write(move |tx| audit::append(tx, now, "run-traced", None, &fields)).await
    }

    /// Names are stored and sent as they are, so none may hold what must not be told.
    pub(super) fn without_secrets(&self, names: &[(&str, &str)]) -> Result<(), GateError> {
        match names.iter().find(|(_, text)| self.clean(text) != **text) {
            Some((what, _)) => Err(GateError::Invalid(format!("{what} holds a secret; choose another name"))),
            None => Ok(()),
        }
    }

    /// The bundle that counts now. Its digest covers the canonical JSON.
    pub(super) fn bundle_name(&self) -> Result<BundleName, GateError> {
        let bundle = self.parts.bundle.borrow().clone();
        let named = || self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((last, name)) = &*named()
            && Arc::ptr_eq(last, &bundle)
        {
            return Ok(*name);
        }
        let json = bundle.to_json().map_err(StoreError::from)?;
        let name = BundleName { version: bundle.version, digest: Digest::plain(&json) };
        // With the bundle itself: as long as it is kept no other one has its address.
        *named() = Some((bundle, name));
        Ok(name)
    }

    /// Takes the result of a call that the runtime ran itself; gives it back without secrets. Of a call that the daemon's own server was
    /// to carry out it takes nothing, and gives what the daemon has.
    ///
    /// # Errors
    /// [`GateError::UnknownCall`] and [`GateError::NotRunnable`] where no decision allowed the call: a bypass, audited.
    pub async fn after_tool_call(&self, agent: &AgentName, after: AfterToolCall) -> Result<String, GateError> {
        self.renew(agent);
        self.parts.secrets.catch_up();
        self.without_secrets(&[("session", after.session.as_str()), ("call", after.call.as_str())])?;
        let key = key_of(agent, &after.session, &after.call);
        let now = self.now();
        let output = self.clean(&after.output);
        let status = if after.is_error { RunStatus::Failed } else { RunStatus::Ok };
        let kept = output[..output.floor_char_boundary(KEPT_BYTES)].to_owned();
        let truncated = kept.len() < output.len();
        let seen = self
            .write(move |tx| {
                let Some(row) = calls::counting(tx, &key)? else {
                    audit::append(tx, now, "result-without-call", Some(&key), &json!({}))?;
                    return Ok(Seen::Unknown);
                };
                if calls::is_own(tx, row.id)? {
                    return own_result(tx, row, &key, now);
                }
                let since = row.updated;
                let (row, permit) = match row.state {
                    CallState::Permitted { permit, .. } => {
                        let claimed = CallState::Claimed { permit, at: now, by: Executor::Runtime, to: None };
                        (calls::advance(tx, row, claimed, now)?, permit)
                    }
                    CallState::Claimed { permit, .. } if row.state.is_given_to(&key.call, &row.key.call) => {
                        (row, permit)
                    }
                    CallState::Claimed { by: Executor::Runner, .. }
                    | CallState::Done { .. }
                    | CallState::Failed { .. }
                    | CallState::Interrupted { .. } => return Ok(Seen::Known),
                    _ => {
                        audit::append(
                            tx,
                            now,
                            "result-of-refused-call",
                            Some(&key),
                            &json!({"state": row.state.name()}),
                        )?;
                        return Ok(Seen::Refused);
                    }
                };
                let duration_ms = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
                let result = CallResult { status, output: kept, truncated, duration_ms, ..CallResult::failed("") };
                calls::advance(tx, row, CallState::ended(permit, result), now)?;
                Ok(Seen::Known)
            })
            .await?;
        match seen {
            Seen::Known => Ok(output),
            Seen::Own(words) => Ok(words),
            Seen::Unknown => Err(GateError::UnknownCall),
            Seen::Refused => {
                Err(GateError::NotRunnable("this call was not allowed to run; its result is not taken".to_owned()))
            }
        }
    }

    /// Gives the model's text back without secrets and notes the calls it wants.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn llm_output(&self, agent: &AgentName, output: LlmOutput) -> Result<String, GateError> {
        self.renew(agent);
        self.parts.secrets.catch_up();
        self.without_secrets(&[("session", output.session.as_str())])?;
        let clean = self.clean(&output.text);
        if !output.tool_calls.is_empty() {
            let now = self.now();
            let wanted: Vec<_> = output
                .tool_calls
                .iter()
                .take(128)
                .map(|call| json!({"id": short(&self.clean(&call.id)), "tool": short(&self.clean(&call.name))}))
                .collect();
            let fields = json!({"agent": agent, "session": output.session, "wanted": wanted});
            self.write(move |tx| audit::append(tx, now, "calls-wanted", None, &fields)).await?;
        }
        Ok(clean)
    }
}

/// The result of a call that the daemon's own server was to carry out: what the daemon recorded, whatever the runtime was told. One
/// that came while the call has not run is of somebody else, and takes the permit away.
fn own_result(tx: &Tx<'_>, row: CallRow, key: &CallKey, now: Timestamp) -> Result<Seen, StoreError> {
    let words = match &row.state {
        CallState::Done { result, .. } | CallState::Failed { result, .. } | CallState::Interrupted { result, .. } => {
            result.words()
        }
        CallState::Claimed { .. } => "It is running still; make the same call again for its result.".to_owned(),
        CallState::Expired { why } | CallState::Superseded { why } => format!("It was not done: {why}"),
        state => {
            audit::append(
                tx,
                now,
                "result-of-another-server",
                Some(key),
                &json!({"state": state.name(), "tool": row.tool}),
            )?;
            if let CallState::Permitted { .. } = state {
                let summary =
                    format!("agent {}: {} was answered by something else than this daemon", key.agent, row.tool);
                activity::notice(tx, now, "gate", &summary)?;
                let why = "something else than this daemon's MCP server answered it".to_owned();
                calls::advance(tx, row, CallState::Superseded { why }, now)?;
            }
            return Ok(Seen::Refused);
        }
    };
    Ok(Seen::Own(words))
}

enum Seen {
    Known,
    /// What the daemon itself has to say of it.
    Own(String),
    Unknown,
    Refused,
}

fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(128)]
}
