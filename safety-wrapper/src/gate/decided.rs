//! What the gate decided on, for whoever sees the results of calls without having seen the calls.

use rusqlite::params;
use serde_json::json;
use wardkeep_proto::ids::{AgentName, CallId, SessionId};
use wardkeep_proto::time::Timestamp;

use super::{Gate, GateError};
use crate::audit;
use crate::store::activity;
use crate::store::calls::PLAIN_ID;

/// Results of calls that came past the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedBy {
    /// Who handed them in.
    pub agent: AgentName,
    /// The session that holds the agent's lease.
    pub session: Option<SessionId>,
    /// The request that held them.
    pub request: String,
    /// Whether it was refused.
    pub refused: bool,
    /// Call and reason of the first of them.
    pub results: Vec<(String, &'static str)>,
    /// All of them.
    pub count: usize,
}

impl Gate {
    /// For each of these ids: when the gate first recorded a call of `agent` under it, in whatever session and however it was
    /// answered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn decided(
        &self,
        agent: &AgentName,
        calls: Vec<Option<CallId>>,
    ) -> Result<Vec<Option<Timestamp>>, GateError> {
        // A runtime may join the id of an item to that of its call: `call_1|fc_1`. `}` is the next character.
        const FIND: &str = "SELECT min(created_at) FROM calls \
             WHERE agent = ?1 AND (call = ?2 OR (call >= ?2 || '|' AND call < ?2 || '}'))";
        let agent = agent.clone();
        self.read(move |conn| {
            let mut find = conn.prepare_cached(FIND)?;
            let plain = format!("SELECT min(created_at) FROM calls WHERE agent = ?1 AND {PLAIN_ID} = ?2");
            let mut find_plain = conn.prepare_cached(&plain)?;
            let one = |call: Option<CallId>| {
                let Some(call) = call else { return Ok(None) };
                let of = params![agent.as_str(), call.as_str()];
                let mut at = find.query_row(of, |row| row.get::<_, Option<i64>>(0))?;
                // OpenClaw hands results in under ids from which it took all but letters and digits.
                if at.is_none() && call.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                    at = find_plain.query_row(of, |row| row.get(0))?;
                }
                Ok(at.map(Timestamp))
            };
            calls.into_iter().map(one).collect()
        })
        .await
    }

    /// On how many calls of this tool by `agent` the gate decided.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn decided_for(&self, agent: &AgentName, tool: &str) -> Result<u64, GateError> {
        let (agent, tool) = (agent.clone(), tool.to_owned());
        self.read(move |conn| {
            let count: i64 = conn
                .prepare_cached("SELECT count(*) FROM calls WHERE agent = ?1 AND lower(tool) = lower(?2)")?
                .query_row(params![agent.as_str(), tool], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
        .await
    }

    /// Puts results that came past the gate into the audit log, and before people.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn tell_passed_by(&self, passed: PassedBy) -> Result<(), GateError> {
        // What was stored a moment ago is masked, too.
        self.parts.secrets.catch_up();
        let (at, engine) = (self.now(), self.parts.redaction.load());
        let PassedBy { agent, session, request, refused, results, count } = passed;
        let clean = |text: &str| engine.redact(text).text.into_owned();
        let results: Vec<_> = results.iter().map(|(call, why)| json!({"call": clean(call), "why": why})).collect();
        let fields = json!({
            "agent": agent, "session": session, "request": request, "refused": refused, "results": results, "count": count,
        });
        let what = if count == 1 { "the result of a tool call" } else { "results of tool calls" };
        let done = if refused { "; the request was refused" } else { "; the model was told all the same" };
        let summary = format!("agent {agent} handed in {what} that came past the gate ({count}){done}");
        self.write(move |tx| {
            audit::append(tx, at, "results-past-the-gate", None, &fields)?;
            activity::notice(tx, at, "gate", &summary)
        })
        .await
    }
}
