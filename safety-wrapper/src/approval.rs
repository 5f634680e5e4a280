//! Approvals: the document a person decides on, and the decision.

pub(crate) mod document;

use std::fmt;

use serde::{Deserialize, Serialize};
use wardkeep_policy::{Class, Factor};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::grant::GrantTerms;
use wardkeep_proto::time::Timestamp;

use crate::call::{CallKey, CallResult};
use crate::passkey::NotProven;

/// One question to a person, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// SHA-256 of `document`; its id.
    pub digest: Digest,
    /// RFC 8785 JSON, redacted; what the person sees and what the digest covers.
    pub document: Vec<u8>,
    /// Which call asks.
    pub key: CallKey,
    /// The tool as the agent names it.
    pub tool: String,
    /// How grave it is.
    pub class: Class,
    /// What a person must show to approve.
    pub factor: Factor,
    /// One line for people, redacted.
    pub title: String,
    /// When it was asked.
    pub created: Timestamp,
    /// Until when it can be approved.
    pub approve_by: Timestamp,
    /// Where it stands.
    pub state: ApprovalState,
    /// Who decided, once somebody did.
    pub ruling: Option<Ruling>,
    /// What came of the run.
    pub result: Option<CallResult>,
    /// Why it ended without a run: denied, expired, superseded.
    pub why: Option<String>,
    /// When `state` was reached.
    pub updated: Timestamp,
}

impl Approval {
    /// Name for people, e.g. `A-1f2e3d4c`.
    #[must_use]
    pub fn short(&self) -> String {
        short_name(&self.digest)
    }
}

/// Name of an approval for people.
pub(crate) fn short_name(digest: &Digest) -> String {
    format!("A-{}", digest.short())
}

/// Where an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody has decided.
    Pending,
    /// Given; the run has not begun.
    Approved,
    /// The one permit is spent; it runs.
    Claimed,
    /// It ran.
    Done,
    /// It ran and failed, or could not be started.
    Failed,
    /// The runner vanished.
    Interrupted,
    /// A person said no.
    Denied,
    /// Too late to decide, or to start.
    Expired,
    /// The world changed between approval and launch.
    Superseded,
}

impl ApprovalState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Approved,
        Self::Claimed,
        Self::Done,
        Self::Failed,
        Self::Interrupted,
        Self::Denied,
        Self::Expired,
        Self::Superseded,
    ];

    /// The name in rows and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Claimed => "claimed",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
        }
    }

    /// The state of that name in a row.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl fmt::Display for ApprovalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which approvals are wanted; newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalFilter {
    /// All that wait for a person.
    Pending,
    /// The newest of all states, at most this many.
    Newest(u32),
}

/// What a person decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// Yes or no.
    pub verdict: Verdict,
    /// Who, as shown to people: `ada@example.com`, `local:root`.
    pub by: String,
    /// When, by the clock of whoever decided; lateness is judged by the tenant's own clock.
    pub at: Timestamp,
    /// Where it was decided.
    pub origin: Origin,
    /// What the person adds; shown to the agent after redaction.
    #[serde(default)]
    pub note: String,
    /// Fingerprint of the pinned key that signed the approval, where that takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<Digest>,
    /// The same again, for a while, as the document offers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantTerms>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Run it, once.
    Approved,
    /// Do not run it, and do not ask again in this session.
    Denied,
}

/// Where a ruling was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// On the hub; its signature was verified before it came here.
    Hub,
    /// On this server.
    Local,
}

/// Why a ruling does not count.
#[derive(Debug, thiserror::Error)]
pub enum RulingError {
    /// No approval has this digest.
    #[error("no approval {0} is known here")]
    Unknown(Digest),
    /// Its time to be approved has passed.
    #[error("the approval expired at {0}; the agent must ask again")]
    Late(Timestamp),
    /// Somebody decided first, or it ended without a decision.
    #[error("the approval is {0} already; the first decision counts")]
    AlreadyDecided(ApprovalState),
    /// Critical Red needs a passkey over the digest; nothing else counts.
    #[error("this call is critical: approving it needs a passkey, on the hub's page; here it can be denied")]
    NeedsPasskey,
    /// What was shown as its passkey's signature is none that counts.
    #[error("this call is critical, and the passkey does not count: {0}")]
    Passkey(NotProven),
    /// It grants what the document does not offer, so it counts as no decision.
    #[error("the decision grants what cannot be granted: {0}; it can be given again without the grant")]
    Grant(NotGranted),
    /// It could not be recorded; nothing has changed.
    #[error("the decision could not be recorded; it can be given again")]
    Store(#[source] crate::gate::GateError),
}

/// Why a grant that came with a decision does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGranted {
    /// With a denial, for what takes a passkey, or for a call that no grant can cover.
    #[error("the document offers none")]
    NotOffered,
    /// Longer, oftener or wider than the document or the policy in force allows, or for nothing.
    #[error("it is wider than the document and the policy allow")]
    TooWide,
    /// The agent has as many as can be looked after.
    #[error("the agent has too many already; take some back first")]
    TooMany,
}

/// One step of an approval that the hub has not heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which approval.
    pub digest: Digest,
    /// What it is now.
    pub state: ApprovalState,
    /// Since when.
    pub at: Timestamp,
    /// Redacted output or reason, at most 4 KiB.
    pub result: String,
    /// Who decided, when that was on the tenant itself; empty otherwise.
    pub decided_by: String,
}
