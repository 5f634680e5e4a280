//! One `tools/call`: proposed to the gate like any other call, then waited for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;
use wardkeep_proto::ids::{AgentName, CallId, PermitId, SessionId};

use super::message::{BAD_PARAMS, BROKEN, Refusal};
use super::tools;
use crate::answer::Answer;
use crate::call::{CallResult, RunStatus};
use crate::gate::{Gate, GateError, Proposal};

/// How often somebody who waits is told so.
const SLICE: Duration = Duration::from_secs(10);
/// The one argument of a call that a hook decided on already.
const PERMIT: &str = "wardkeep_permit";

/// What is asked for.
pub(super) struct Ask {
    pub(super) gate: Arc<Gate>,
    pub(super) agent: AgentName,
    pub(super) session: SessionId,
    pub(super) tool: String,
    pub(super) arguments: Value,
    /// How long to wait for a person.
    pub(super) wait: Duration,
}

impl Ask {
    /// Name and arguments of a request.
    ///
    /// # Errors
    /// They are not what they must be.
    pub(super) fn named(params: &Map<String, Value>) -> Result<(String, Value), Refusal> {
        let bad = |why: &str| Refusal::new(BAD_PARAMS, why);
        let name =
            params.get("name").and_then(Value::as_str).ok_or_else(|| bad("tools/call needs the name of a tool"))?;
        let arguments = match params.get("arguments") {
            None | Some(Value::Null) => json!({}),
            Some(map @ Value::Object(_)) => map.clone(),
            Some(_) => return Err(bad("arguments is an object")),
        };
        Ok((name.to_owned(), arguments))
    }

    /// The result of the call, or what is to be said instead. `say` is told what is waited for.
    ///
    /// # Errors
    /// No such tool, or nothing can be recorded.
    pub(super) async fn answer(self, mut say: impl FnMut(&str)) -> Result<Value, Refusal> {
        let bundle = self.gate.bundle();
        if self.tool == tools::RESULT {
            return self.later(&mut say).await;
        }
        if let Some(permit) = permit_in(&self.arguments) {
            return match self.gate.execute(&self.agent, permit).await {
                Ok(executed) => Ok(ended(&executed.result)),
                Err(error) => told(&error),
            };
        }
        let known = tools::is_known(&bundle, &self.tool);
        let may = bundle.agent(&self.agent).is_none_or(|agent| agent.may_use(&self.tool));
        if !known && may {
            // Nobody forbids it, and there is nobody to carry it out. What the manifest does not list is the gate's to refuse.
            return Err(Refusal::new(BAD_PARAMS, "unknown tool; tools/list names those that there are"));
        }
        if !tools::knows_all(&self.tool, &self.arguments) {
            return Ok(failed("The tool has no such argument; its inputSchema names those that there are."));
        }
        let call: CallId = match self.gate.fresh_name("mcp").parse() {
            Ok(call) => call,
            Err(_) => return Err(Refusal::new(BROKEN, "the call could not be named")),
        };
        let proposal = Proposal {
            session: self.session.clone(),
            call: call.clone(),
            tool: self.tool.clone(),
            args: self.arguments.clone(),
            cwd: None,
            wait_ms: 0,
            same_as: None,
            again: false,
            own: false,
            unrun: false,
        };
        let mut kept = Kept { ask: &self, call: Some(call.clone()) };
        let answered = match self.gate.before_tool_call(&self.agent, proposal).await {
            Ok(answer) => self.settle(&self.session, &call, answer, &mut say).await,
            Err(error) => told(&error),
        };
        kept.call = None;
        answered
    }

    /// What became of a call that a person was asked about.
    async fn later(&self, say: &mut impl FnMut(&str)) -> Result<Value, Refusal> {
        let Some(name) = self.arguments.get("approval").and_then(Value::as_str) else {
            return Ok(failed("approval must be the name that was told, as in A-1f2e3d4c"));
        };
        let found = match self.gate.call_of_approval(&self.agent, name).await {
            Ok(found) => found,
            Err(error) => return told(&error),
        };
        let Some(key) = found else { return Ok(failed("You have no approval of that name.")) };
        match self.gate.call_status(&self.agent, &key.session, &key.call, Duration::ZERO).await {
            Ok(answer) => self.settle(&key.session, &key.call, answer, say).await,
            Err(error) => told(&error),
        }
    }

    /// Runs what may run, waits for what may come.
    async fn settle(
        &self,
        session: &SessionId,
        call: &CallId,
        mut answer: Answer,
        say: &mut impl FnMut(&str),
    ) -> Result<Value, Refusal> {
        let until = Instant::now() + self.wait;
        loop {
            match answer {
                Answer::Done { result, .. } => return Ok(ended(&result)),
                Answer::Deny { message, .. } => return Ok(failed(&message)),
                Answer::Allow { permit, .. } => {
                    return match self.gate.execute(&self.agent, permit).await {
                        Ok(executed) => Ok(ended(&executed.result)),
                        Err(error) => told(&error),
                    };
                }
                Answer::Pending { approval, message, .. } => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(pending(approval.as_deref(), &message));
                    }
                    say(&message);
                    answer = match self.gate.call_status(&self.agent, session, call, left.min(SLICE)).await {
                        Ok(answer) => answer,
                        Err(error) => return told(&error),
                    };
                }
            }
        }
    }
}

/// Takes the call back when its asker is gone before it was answered.
struct Kept<'a> {
    ask: &'a Ask,
    call: Option<CallId>,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        let Some(call) = self.call.take() else { return };
        let (gate, agent, session) = (self.ask.gate.clone(), self.ask.agent.clone(), self.ask.session.clone());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Err(error) = gate.withdraw(&agent, &session, &call).await {
                tracing::warn!(%error, "a call that was taken back waits still");
            }
        });
    }
}

fn permit_in(arguments: &Value) -> Option<PermitId> {
    let map = arguments.as_object().filter(|map| map.len() == 1)?;
    map.get(PERMIT)?.as_str()?.parse().ok()
}

fn text(text: &str, is_error: bool) -> Value {
    json!({"content": [{"type": "text", "text": text}], "isError": is_error})
}

fn failed(why: &str) -> Value {
    text(why, true)
}

/// A person has not decided: no error, and no result yet.
fn pending(approval: Option<&str>, message: &str) -> Value {
    let Some(name) = approval else { return text(&format!("Not done yet. {message}"), false) };
    let mut out = text(&format!("pending approval {name}. {message} Ask with {} for it.", tools::RESULT), false);
    out["structuredContent"] = json!({"status": "pending", "approval": name});
    out
}

fn ended(result: &CallResult) -> Value {
    let refused = result.http_status.is_some_and(|status| status >= 400);
    text(&result.words(), result.status != RunStatus::Ok || refused)
}

/// What the gate refuses is for the model to read; what it could not do is the caller's to know.
fn told(error: &GateError) -> Result<Value, Refusal> {
    match error {
        GateError::Store(inner) => {
            tracing::error!(error = %inner, "an MCP call failed");
            Err(Refusal::new(BROKEN, error.to_string()))
        }
        GateError::Worker | GateError::InForceOnly(_) => Err(Refusal::new(BROKEN, error.to_string())),
        error => Ok(failed(&error.to_string())),
    }
}
