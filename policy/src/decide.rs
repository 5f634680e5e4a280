//! From a class to a decision: the table of design section 5, and the closed states.

use serde::{Deserialize, Serialize};
use wardkeep_proto::time::Timestamp;

use crate::action::{Action, Call};
use crate::agents::AgentPolicy;
use crate::bundle::Bundle;
use crate::class::{Class, Level};
use crate::classify::{Fired, Verdict, classify};
use crate::posture::{Closed, Posture};

/// What happens to a call. An answer, not an error; there is no default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
#[must_use]
pub enum Decision {
    /// It may run now.
    Allow {
        /// How grave it is.
        class: Class,
        /// Why.
        fired: Vec<Fired>,
    },
    /// A person decides first.
    NeedsApproval {
        /// How grave it is.
        class: Class,
        /// Why.
        fired: Vec<Fired>,
        /// By which proof.
        factor: Factor,
    },
    /// It may not run, and asking does not help.
    Deny {
        /// How grave it is, where that was found out.
        class: Option<Class>,
        /// Why, and what to do.
        reasons: Vec<String>,
    },
}

/// What a person must show to approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// Being signed in.
    Person,
    /// A passkey over the digest of the call.
    Passkey,
}

/// Decides on a call of an agent that the bundle may or may not know; an unknown one is denied.
pub fn decide_for(action: &Action, bundle: &Bundle, posture: &Posture, now: Timestamp) -> Decision {
    match bundle.agent(&action.agent) {
        Some(agent) => decide(action, &agent, bundle, posture, now),
        None => deny(None, format!("the policy does not know the agent {}; add it on the hub", action.agent)),
    }
}

/// Decides whether one call may run.
///
/// Pure: equal inputs give equal answers. In this order: another agent's policy, a tool that is not in the manifest, what sub-agents may not, a
/// misplaced secret reference and a secret from a locked vault are denials; then the class is found and the table read.
/// `bundle` past its expiry at `now` counts as [`Closed::BundleExpired`], whatever `posture` says.
pub fn decide(action: &Action, agent: &AgentPolicy, bundle: &Bundle, posture: &Posture, now: Timestamp) -> Decision {
    if agent.name != action.agent {
        return deny(None, format!("this policy is for the agent {}, not for {}", agent.name, action.agent));
    }
    if !agent.may_use(&action.tool) {
        return deny(
            None,
            format!("the tool {} is not in the manifest of {}; add it on the hub", action.tool, agent.name),
        );
    }
    if let Some(why) = agent.subagents.refuse(action) {
        return deny(None, why.to_owned());
    }
    if !bundle.is_as_described(action) {
        return deny(None, format!("the policy describes the tool {} differently now; ask again", action.tool));
    }
    let refs = match action.secret_refs() {
        Ok(refs) => refs,
        Err(misplaced) => return deny(Some(Class::Red), misplaced.to_string()),
    };
    if !refs.is_empty() && posture.has(Closed::VaultLocked) {
        return deny(None, closed_reason(Closed::VaultLocked));
    }
    let mut posture = posture.clone();
    if now >= bundle.expires {
        posture.close(Closed::BundleExpired);
    }
    let Verdict { class, fired } = classify(action, bundle);
    let gate = match agent.granting(action, now) {
        None => Gate::Shut,
        Some(_) if matches!(action.call, Call::Shell { .. } | Call::Exec { .. }) => Gate::Exact,
        Some(_) => Gate::Open,
    };
    match outcome(class, agent.level_in(&action.session), gate, State::of(&posture)) {
        Outcome::Run => Decision::Allow { class, fired },
        Outcome::Ask(factor) => Decision::NeedsApproval { class, fired, factor },
        Outcome::Refuse => Decision::Deny {
            class: Some(class),
            reasons: posture.iter().filter(|c| *c != Closed::HubAway).map(closed_reason).collect(),
        },
    }
}

/// Whether a grant covers the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Shut,
    /// By recipients or hosts.
    Open,
    /// By exactly this command: a person said so of all of it.
    Exact,
}

/// What the posture comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    HubAway,
    /// Reads only.
    Closed,
    /// Not even reads: what they give could not be redacted, or a person stopped the agent.
    Shut,
}

impl State {
    fn of(posture: &Posture) -> Self {
        if posture.has(Closed::VaultUnread) || posture.has(Closed::Stopped) {
            Self::Shut
        } else if posture.iter().any(|c| c != Closed::HubAway) {
            Self::Closed
        } else if posture.has(Closed::HubAway) {
            Self::HubAway
        } else {
            Self::Open
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Run,
    Ask(Factor),
    Refuse,
}

/// The table. A grant makes what a third party receives as grave as a change inside the tenant, no less; a grant of exactly this
/// command answers for a person wherever one would be asked about a change or about what a third party receives, and nowhere else.
const fn outcome(class: Class, level: Level, gate: Gate, state: State) -> Outcome {
    const ASK: Outcome = Outcome::Ask(Factor::Person);
    match (state, class) {
        (State::Shut, _) => Outcome::Refuse,
        (State::Open | State::HubAway | State::Closed, Class::Green) => Outcome::Run,
        (State::Closed, _) => Outcome::Refuse,
        (State::Open | State::HubAway, Class::CriticalRed) => Outcome::Ask(Factor::Passkey),
        (State::HubAway, Class::Yellow | Class::YellowExternal | Class::Red) => ASK,
        (State::Open, Class::Yellow | Class::YellowExternal) if matches!(gate, Gate::Exact) => Outcome::Run,
        (State::Open, Class::Yellow) => match level {
            Level::Supervised => ASK,
            Level::Trusted | Level::Autonomous => Outcome::Run,
        },
        (State::Open, Class::YellowExternal) => match (gate, level) {
            (Gate::Shut | Gate::Exact, _) | (Gate::Open, Level::Supervised) => ASK,
            (Gate::Open, Level::Trusted | Level::Autonomous) => Outcome::Run,
        },
        (State::Open, Class::Red) => match level {
            Level::Supervised | Level::Trusted => ASK,
            Level::Autonomous => Outcome::Run,
        },
    }
}

fn closed_reason(closed: Closed) -> String {
    format!("{} ({closed}): {}", closed.why(), closed.what_to_do())
}

fn deny(class: Option<Class>, reason: String) -> Decision {
    Decision::Deny { class, reasons: vec![reason] }
}

#[cfg(test)]
mod tests;
