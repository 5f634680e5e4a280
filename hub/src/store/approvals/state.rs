//! The states of an approval, each with the data of that state, and which may follow which.

use wardkeep_proto::grant::GrantTerms;
use wardkeep_proto::time::Timestamp;

/// A person's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The call may run.
    Approved,
    /// The call must not run.
    Denied,
}

impl Verdict {
    /// As stored and signed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
        }
    }

    pub(super) fn of(text: &str) -> Option<Self> {
        [Self::Approved, Self::Denied].into_iter().find(|verdict| verdict.as_str() == text)
    }
}

/// Where a decision was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Here.
    Hub,
    /// On the tenant's own command line.
    Tenant,
}

/// A decision as it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Yes or no.
    pub verdict: Verdict,
    /// Who, as shown to people.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why, in the person's words; may be empty.
    pub note: String,
    /// Where.
    pub origin: Origin,
    /// The same again, for a while, as the document offers it.
    pub grant: Option<GrantTerms>,
}

/// How the call of an approval ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The decision that let it run, when the hub knows it.
    pub ruling: Option<Ruling>,
    /// When it ended.
    pub at: Timestamp,
    /// What it gave, redacted; may be empty.
    pub result: String,
}

/// Where an approval stands, with the data of that state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApprovalState {
    /// Nobody has decided.
    Pending,
    /// Approved; the tenant has not started the call.
    Approved(Ruling),
    /// Denied.
    Denied(Ruling),
    /// Nobody decided in time, or the call did not start in time.
    Expired {
        /// When.
        at: Timestamp,
    },
    /// A newer request of the agent took its place.
    Superseded {
        /// When.
        at: Timestamp,
    },
    /// The call runs.
    Claimed {
        /// The decision, when the hub knows it.
        ruling: Option<Ruling>,
        /// When it started.
        at: Timestamp,
    },
    /// The call ended well.
    Done(Ending),
    /// The call ended with an error.
    Failed(Ending),
    /// The call was cut off; whether it had its effect is not known, and it never runs again.
    Interrupted(Ending),
}

/// The name of a state, without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateKind {
    /// See [`ApprovalState::Pending`].
    Pending,
    /// See [`ApprovalState::Approved`].
    Approved,
    /// See [`ApprovalState::Denied`].
    Denied,
    /// See [`ApprovalState::Expired`].
    Expired,
    /// See [`ApprovalState::Superseded`].
    Superseded,
    /// See [`ApprovalState::Claimed`].
    Claimed,
    /// See [`ApprovalState::Done`].
    Done,
    /// See [`ApprovalState::Failed`].
    Failed,
    /// See [`ApprovalState::Interrupted`].
    Interrupted,
}

impl StateKind {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Approved,
        Self::Denied,
        Self::Expired,
        Self::Superseded,
        Self::Claimed,
        Self::Done,
        Self::Failed,
        Self::Interrupted,
    ];

    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Claimed => "claimed",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Nothing follows any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Approved | Self::Claimed)
    }

    /// The decision without which this state cannot be.
    pub(super) const fn implies(self) -> Option<Verdict> {
        match self {
            Self::Denied => Some(Verdict::Denied),
            Self::Approved | Self::Claimed | Self::Done | Self::Failed | Self::Interrupted => Some(Verdict::Approved),
            Self::Pending | Self::Expired | Self::Superseded => None,
        }
    }

    /// Whether `next` may follow. A tenant decides for itself too: its word beats a pending row, never a final one.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => !matches!(next, Self::Pending),
            Self::Approved => !matches!(next, Self::Pending | Self::Approved),
            Self::Claimed => matches!(next, Self::Done | Self::Failed | Self::Interrupted),
            _ => false,
        }
    }
}

impl ApprovalState {
    /// Its name.
    #[must_use]
    pub const fn kind(&self) -> StateKind {
        match self {
            Self::Pending => StateKind::Pending,
            Self::Approved(_) => StateKind::Approved,
            Self::Denied(_) => StateKind::Denied,
            Self::Expired { .. } => StateKind::Expired,
            Self::Superseded { .. } => StateKind::Superseded,
            Self::Claimed { .. } => StateKind::Claimed,
            Self::Done(_) => StateKind::Done,
            Self::Failed(_) => StateKind::Failed,
            Self::Interrupted(_) => StateKind::Interrupted,
        }
    }

    /// The decision, when there is one.
    #[must_use]
    pub const fn ruling(&self) -> Option<&Ruling> {
        match self {
            Self::Approved(ruling) | Self::Denied(ruling) => Some(ruling),
            Self::Claimed { ruling, .. } => ruling.as_ref(),
            Self::Done(end) | Self::Failed(end) | Self::Interrupted(end) => end.ruling.as_ref(),
            Self::Pending | Self::Expired { .. } | Self::Superseded { .. } => None,
        }
    }

    /// What the call gave, when it ended.
    #[must_use]
    pub fn result(&self) -> Option<&str> {
        match self {
            Self::Done(end) | Self::Failed(end) | Self::Interrupted(end) => Some(&end.result),
            _ => None,
        }
    }
}
