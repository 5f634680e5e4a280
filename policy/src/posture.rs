//! The state of the whole machine: open, or closed for named reasons.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! closed {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $why:literal, $todo:literal;)+) => {
        /// One reason why nothing new is allowed beyond reads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Closed { $($(#[$doc])* $name,)+ }

        impl Closed {
            /// Every reason, so that no test forgets one.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name in status reports and answers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What is wrong, for people.
            #[must_use]
            pub const fn why(self) -> &'static str {
                match self { $(Self::$name => $why,)+ }
            }

            /// What to do about it, for people.
            #[must_use]
            pub const fn what_to_do(self) -> &'static str {
                match self { $(Self::$name => $todo,)+ }
            }
        }
    };
}

closed! {
    /// No bundle was ever accepted; the strict built-in one counts.
    NoBundle = "no-bundle", "no policy bundle has arrived yet", "connect this server to its hub, or publish a policy there";
    /// The bundle's `expires` has passed; the strict built-in one counts.
    BundleExpired = "bundle-expired", "the policy bundle has expired", "publish a new policy on the hub";
    /// A bundle was refused and there is no earlier one to keep, or the stored one no longer verifies.
    BundleRefused = "bundle-refused", "the policy bundle was refused", "run `wardkeep-agent doctor` and publish the policy again";
    /// The vault cannot be opened.
    VaultLocked = "vault-locked", "the vault is locked", "give the daemon its vault key (`wardkeep-agent vault unlock` where its owner keeps it), then run `wardkeep-agent doctor`";
    /// The vault was never read since the start: its values cannot be redacted, so not even reads are safe.
    VaultUnread = "vault-unread", "the vault has not been read since the daemon started, so its values cannot be redacted", "give the daemon its vault key (`wardkeep-agent vault unlock` where its owner keeps it), then run `wardkeep-agent doctor`";
    /// What is decided cannot be recorded.
    DiskFull = "disk-full", "the disk is full", "free space in the state folder";
    /// The walls around runs were tested and do not hold, or cannot be made.
    SandboxBroken = "sandbox-broken", "the sandbox of commands does not hold or cannot be made", "run `wardkeep-agent doctor` on the server; it says what got through";
    /// The hub has not been heard for longer than the configured time.
    HubAway = "hub-away", "the hub cannot be reached", "wait, or decide on this server with `wardkeep-agent approvals`";
    /// A person, or too many denials, paused this agent, or a person all of them.
    Paused = "paused", "this agent is paused", "resume it with `wardkeep-agent resume AGENT --reason WHY`";
    /// A person stopped this agent, or all of them: not even reads run.
    Stopped = "stopped", "this agent is stopped", "resume it with `wardkeep-agent resume AGENT --reason WHY`, once it is clear why it was stopped";
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No closed state has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no closed state has that name")]
pub struct UnknownClosed;

impl FromStr for Closed {
    type Err = UnknownClosed;

    fn from_str(text: &str) -> Result<Self, UnknownClosed> {
        Self::ALL.iter().copied().find(|c| c.as_str() == text).ok_or(UnknownClosed)
    }
}

/// The set of reasons that hold now; empty is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Posture(BTreeSet<Closed>);

impl Posture {
    /// Nothing is closed.
    #[must_use]
    pub const fn open() -> Self {
        Self(BTreeSet::new())
    }

    /// This posture and one more reason.
    #[must_use]
    pub fn with(mut self, closed: Closed) -> Self {
        self.0.insert(closed);
        self
    }

    /// Adds a reason; `true` if it is new.
    pub fn close(&mut self, closed: Closed) -> bool {
        self.0.insert(closed)
    }

    /// Takes a reason away; `true` if it was there.
    pub fn reopen(&mut self, closed: Closed) -> bool {
        self.0.remove(&closed)
    }

    /// Whether a reason holds.
    #[must_use]
    pub fn has(&self, closed: Closed) -> bool {
        self.0.contains(&closed)
    }

    /// Whether nothing is closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// The reasons, in the order of [`Closed::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Closed> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<Closed> for Posture {
    fn from_iter<I: IntoIterator<Item = Closed>>(reasons: I) -> Self {
        Self(reasons.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_one_name() {
        for closed in Closed::ALL {
            assert_eq!(closed.as_str().parse(), Ok(*closed));
            assert_eq!(serde_json::to_value(closed).unwrap(), closed.as_str());
        }
        assert!("open".parse::<Closed>().is_err());
    }

    #[test]
    fn reasons_come_and_go_one_by_one() {
        let mut posture = Posture::open().with(Closed::HubAway);
        assert!(posture.close(Closed::DiskFull));
        assert!(!posture.close(Closed::DiskFull));
        assert!(posture.reopen(Closed::HubAway));
        assert!(posture.has(Closed::DiskFull) && !posture.is_open());
        assert!(posture.reopen(Closed::DiskFull));
        assert!(posture.is_open());
    }
}
