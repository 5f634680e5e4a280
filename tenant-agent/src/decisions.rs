//! The gate's decisions, as the LLM gateway asks for them.

use std::sync::Arc;

use wardkeep_egress::{Answering, Bypass, Decisions, Unanswered};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;
use wardkeep_safety::{Gate, GateError, PassedBy};

/// The gate's book of calls.
pub(crate) struct DecisionBook(pub(crate) Arc<Gate>);

impl Decisions for DecisionBook {
    fn decided<'a>(&'a self, agent: &'a AgentName, calls: &'a [String]) -> Answering<'a, Vec<Option<Timestamp>>> {
        // What is no id of a call at all was never one that the gate decided on.
        let calls = calls.iter().map(|call| call.parse().ok()).collect();
        Box::pin(async move { self.0.decided(agent, calls).await.map_err(|error| unanswered(&error)) })
    }

    fn decided_for<'a>(&'a self, agent: &'a AgentName, tool: &'a str) -> Answering<'a, u64> {
        Box::pin(async move { self.0.decided_for(agent, tool).await.map_err(|error| unanswered(&error)) })
    }

    fn passed_by(&self, bypass: Bypass) -> Answering<'_, ()> {
        let Bypass { agent, session, request, refused, results, count } = bypass;
        let results = results.into_iter().map(|past| (past.call, past.why.name())).collect();
        let passed = PassedBy { agent, session, request, refused, results, count };
        Box::pin(async move { self.0.tell_passed_by(passed).await.map_err(|error| unanswered(&error)) })
    }
}

fn unanswered(error: &GateError) -> Unanswered {
    tracing::error!(error = crate::channel::chain(error), "the gate could not say what it decided");
    Unanswered
}
