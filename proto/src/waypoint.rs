//! The points of the story at which a crash must change nothing.
//!
//! Each side passes its points through a [`Waypoints`] value. In production that value does nothing; the crash test gives
//! one that kills the process at a chosen point, starts it again and lets the story go on.

use std::fmt;
use std::str::FromStr;

macro_rules! waypoints {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// One point. The text form is what `WARDKEEP_KILL_AT` takes in debug builds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Waypoint { $($(#[$doc])* $name,)+ }

        impl Waypoint {
            /// Every point, so that no test forgets one.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name on a command line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

waypoints! {
    // On the tenant.
    /// A tool call was parsed; nothing is stored yet.
    HookReceived = "hook-received",
    /// The call and its decision are on disk; the agent has no answer yet.
    CallRecorded = "call-recorded",
    /// The approval request was handed to the link.
    ApprovalSent = "approval-sent",
    /// A decision came in; nothing is stored yet.
    DecisionReceived = "decision-received",
    /// The decision is on disk; nothing runs yet.
    DecisionRecorded = "decision-recorded",
    /// The permit is spent; the runner is not started yet.
    CallClaimed = "call-claimed",
    /// The runner works.
    RunnerStarted = "runner-started",
    /// The runner has ended; its result is not recorded yet.
    RunnerFinished = "runner-finished",
    /// The result is on disk; the agent has no answer yet.
    ResultRecorded = "result-recorded",
    /// An LLM request was admitted; the provider has not seen it.
    LlmAdmitted = "llm-admitted",
    /// The answer was relayed; its usage is not recorded yet.
    LlmRelayed = "llm-relayed",
    /// The usage is on disk; the hub has not heard of it.
    UsageRecorded = "usage-recorded",
    /// A new bundle is on disk; it is not applied yet.
    GenerationStored = "generation-stored",
    /// The hub's receipt for a report came in; it is not noted yet.
    ReceiptReceived = "receipt-received",
    // On the hub.
    /// An approval request came in; nothing is stored yet.
    HubApprovalReceived = "hub-approval-received",
    /// The approval is on disk; the tenant has no receipt yet.
    HubApprovalStored = "hub-approval-stored",
    /// A person's decision is on disk; the tenant has not been told.
    HubDecisionStored = "hub-decision-stored",
    /// The end of an approval is on disk.
    HubProgressStored = "hub-progress-stored",
    /// A usage report is on disk; the tenant has no receipt yet.
    HubUsageStored = "hub-usage-stored",
    /// Activity rows are on disk; the tenant has no receipt yet.
    HubActivityStored = "hub-activity-stored",
}

impl fmt::Display for Waypoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No waypoint has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no waypoint is named {0:?}")]
pub struct UnknownWaypoint(String);

impl FromStr for Waypoint {
    type Err = UnknownWaypoint;

    fn from_str(text: &str) -> Result<Self, UnknownWaypoint> {
        Self::ALL.iter().copied().find(|w| w.as_str() == text).ok_or_else(|| UnknownWaypoint(text.to_owned()))
    }
}

/// Who is told when a point is passed.
pub trait Waypoints: Send + Sync + 'static {
    /// Called on the way; returns unless the process is meant to die here.
    fn pass(&self, at: Waypoint);
}

/// Production: nothing happens on the way.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWaypoints;

impl Waypoints for NoWaypoints {
    fn pass(&self, _: Waypoint) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back() {
        for at in Waypoint::ALL {
            assert_eq!(at.as_str().parse(), Ok(*at));
        }
        assert!("nowhere".parse::<Waypoint>().is_err());
    }
}
