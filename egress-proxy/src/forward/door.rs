//! Who asks, and whether the proxy is open to them at all.

use wardkeep_policy::Closed;
use wardkeep_policy::bundle::egress::{self, Opening};
use wardkeep_proto::ids::AgentName;

use super::Forward;
use super::caller;
use super::destination::Destination;
use super::refused::Refused;
use super::wire::Fields;

/// The agent whose token the request shows.
pub(crate) fn who(forward: &Forward, fields: &Fields) -> Result<AgentName, Refused> {
    caller::tokens(fields).iter().find_map(|token| forward.parts.tokens.agent_of(token)).ok_or(Refused::UnknownToken)
}

/// Lease and posture: what an agent's tools send is more than a read, and only a missing hub does not matter.
pub(crate) fn admissible(forward: &Forward, agent: &AgentName) -> Result<(), Refused> {
    let parts = &forward.parts;
    if !parts.leases.alive(agent) {
        return Err(Refused::NoLease(agent.clone()));
    }
    match parts.posture.posture(agent).iter().find(|closed| *closed != Closed::HubAway) {
        Some(closed) => Err(Refused::Closed(closed)),
        None => Ok(()),
    }
}

/// What the policy of this moment opens at `to`.
pub(crate) fn opening(forward: &Forward, agent: &AgentName, to: &Destination) -> Result<Opening, Refused> {
    // Below a wildcard an agent could spell a secret, and the question for its address would carry it out; so could one that was
    // stored a moment ago.
    forward.parts.secrets.catch_up();
    if !forward.parts.redaction.load().redact(&to.host).findings.is_empty() {
        return Err(Refused::SecretInName);
    }
    let bundle = forward.parts.bundle.borrow();
    // An agent that the policy no longer knows has nothing, whatever holds for "all".
    let known = bundle.agents.iter().any(|policy| policy.name == *agent);
    known
        .then(|| egress::opening(&bundle.egress, agent, &to.host, to.port))
        .flatten()
        .ok_or_else(|| Refused::Unlisted(to.clone()))
}
