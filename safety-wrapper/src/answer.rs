//! What an agent is told about one call: the union of the hook API.

use serde::{Deserialize, Serialize};
use wardkeep_policy::{Class, Fired};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{CallId, PermitId};
use wardkeep_proto::time::Timestamp;

use crate::call::CallResult;

/// The state of one call, as its agent sees it. Every text in it is redacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
#[must_use]
pub enum Answer {
    /// Run it: by `POST /v1/exec` with the permit, or in the runtime itself, which then reports the result.
    Allow {
        /// Which call.
        call: CallId,
        /// How grave it is.
        class: Class,
        /// Good for one run.
        permit: PermitId,
        /// Why.
        rules: Vec<Reason>,
    },
    /// Wait: a person decides, or the approved call is running.
    Pending {
        /// Which call.
        call: CallId,
        /// How grave it is.
        class: Class,
        /// Name of the approval for people, e.g. `A-1f2e3d4c`; absent while a permitted call runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval: Option<String>,
        /// Digest of the approval.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
        /// Until when it can be approved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approve_by_ms: Option<Timestamp>,
        /// Why.
        rules: Vec<Reason>,
        /// What to tell the model.
        message: String,
    },
    /// Do not run it.
    Deny {
        /// Which call.
        call: CallId,
        /// How grave it is, where that was found out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<Class>,
        /// Why, and what to do.
        reasons: Vec<String>,
        /// What to tell the model.
        message: String,
    },
    /// It ran.
    Done {
        /// Which call.
        call: CallId,
        /// How grave it is.
        class: Class,
        /// The permit that was spent; `POST /v1/exec` gives the result again.
        permit: PermitId,
        /// What came of it.
        result: CallResult,
    },
}

impl Answer {
    /// Whether waiting may bring another answer.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        matches!(self, Self::Pending { .. })
    }
}

/// One rule that spoke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule's id.
    pub rule: String,
    /// Why it counts, for people.
    pub reason: String,
}

impl From<&Fired> for Reason {
    fn from(fired: &Fired) -> Self {
        Self { rule: fired.rule.clone(), reason: fired.reason.clone() }
    }
}
