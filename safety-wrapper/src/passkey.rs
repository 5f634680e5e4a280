//! Passkeys as this server knows them: offered by a hub, pinned by the customer, removed.

use std::fmt;

use serde::{Deserialize, Serialize};
use wardkeep_passkey::{Assertion, Code, Passkey, Refused};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::Timestamp;

use crate::gate::GateError;

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPasskey {
    /// Names key and site.
    pub fingerprint: Digest,
    /// The key.
    pub passkey: Passkey,
    /// For people.
    pub name: String,
    /// Whose it is, in the hub's words.
    pub owner: String,
    /// Whether it counts.
    pub state: PasskeyState,
    /// The highest counter that it showed.
    pub counter: u32,
    /// When `state` was reached.
    pub since: Timestamp,
    /// Who did that.
    pub by: String,
    /// When it last approved something.
    pub used: Option<Timestamp>,
}

impl KnownPasskey {
    /// As people type it.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::of(&self.fingerprint)
    }
}

/// Whether a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasskeyState {
    /// The hub says that somebody has it. It approves nothing.
    Offered,
    /// The customer said here that it counts.
    Pinned,
    /// It counted once. Only whoever sits at this server pins it again.
    Removed,
}

impl PasskeyState {
    /// The name in rows and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Pinned => "pinned",
            Self::Removed => "removed",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Offered, Self::Pinned, Self::Removed].into_iter().find(|state| state.as_str() == name)
    }
}

impl fmt::Display for PasskeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key that a hub offers. Being offered makes no key trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyOffer {
    /// The key.
    pub passkey: Passkey,
    /// Its name, as its owner gave it.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// Its owner gave it up: it is not to count any more.
    pub withdrawn: bool,
    /// What a pinned key signed to let it in, and until when that counts.
    pub introduction: Option<(Timestamp, Assertion)>,
}

/// Why an assertion proves nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// No key of that name is pinned.
    #[error("this passkey is not pinned on this server; pin it with `wardkeep-agent passkey pin CODE`")]
    NotPinned,
    /// It does not say what it should.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It was used before, or has a copy.
    #[error(
        "the passkey's counter did not go on (it showed {shown} after {highest}): it has a copy, or this was used before; remove it \
         if you do not know why"
    )]
    Counter {
        /// Which key.
        passkey: Digest,
        /// The highest that it showed before.
        highest: u32,
        /// What it shows now.
        shown: u32,
    },
    /// The time to use it is over.
    #[error("it was signed for a time that is over")]
    Late,
}

/// Why a key was not pinned or removed.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// None is known by that code.
    #[error(
        "no passkey with this code is known here; the hub offers a key as soon as this server is connected. Compare the code \
         with what the portal showed where the passkey was made"
    )]
    Unknown,
    /// It counts already.
    #[error("this passkey is pinned already")]
    Pinned,
    /// There are too many.
    #[error("{0} passkeys are pinned; remove one first")]
    TooMany(usize),
    /// It could not be recorded; nothing has changed.
    #[error("it could not be recorded; nothing has changed")]
    Store(#[source] GateError),
}

impl From<GateError> for PasskeyError {
    fn from(error: GateError) -> Self {
        Self::Store(error)
    }
}
