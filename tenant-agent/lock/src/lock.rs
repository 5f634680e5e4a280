//! The lock itself: the wish that is saved, the rules in the kernel, and whether they agree.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wardkeep_proto::digest::Digest;

use crate::file;
use crate::listing::Listing;
use crate::nft::{Nft, NftError};
use crate::plan::Plan;
use crate::ruleset;
use crate::sockets::Sockets;

/// The kernel's rules and the file that says what they should be.
#[derive(Clone, Debug)]
pub struct Lock {
    nft: Nft,
    sockets: Sockets,
    saved: PathBuf,
}

/// What is saved while locked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: Format,
    plan: Plan,
    /// The rules as they were written.
    text: Digest,
    /// The same as the kernel showed them right after. Versions of nft show rules differently, so what should be there is
    /// not computed but remembered.
    shape: Digest,
    /// Why connections from before the rules may still be open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Format {
    #[serde(rename = "wardkeep/egress-lock/v1")]
    V1,
}

/// Why the lock could not be changed or looked at.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The kernel's rules.
    #[error(transparent)]
    Nft(#[from] NftError),
    /// The rules went in, and are not there.
    #[error("nft reported success, but the table is not there; is another program removing it?")]
    Vanished,
    /// The saved wish.
    #[error("the saved lock {path} cannot be read or written; mend it, or remove it and lock again")]
    Saved {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// What is wrong with the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drift {
    /// There are none.
    RulesGone,
    /// They are not those that were applied.
    RulesChanged,
    /// This version of the program has other rules for the same wish.
    OlderRules,
    /// There are rules, and nothing is saved: they would not survive a reboot.
    NotSaved,
}

impl Drift {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::RulesGone => "the rules are gone from the kernel",
            Self::RulesChanged => "the rules in the kernel are not those that were applied",
            Self::OlderRules => "the rules in the kernel are of another version of this program",
            Self::NotSaved => "there are rules in the kernel, but no lock is saved: they would not survive a reboot",
        }
    }
}

/// How it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// What should be.
    pub wanted: Option<Plan>,
    /// What is there.
    pub listing: Option<Listing>,
    /// Where they differ.
    pub drift: Option<Drift>,
    /// Why connections from before the rules may still be open.
    pub open: Option<String>,
}

impl Lock {
    /// `saved` is the file of the wish; its folder exists and is root's.
    #[must_use]
    pub fn new(nft: Nft, sockets: Sockets, saved: PathBuf) -> Self {
        Self { nft, sockets, saved }
    }

    /// Puts `plan` in force, saves it, and ends what its users had open. True when anything changed; what is in force already
    /// stays. Counts go on.
    ///
    /// # Errors
    /// All of [`LockError`]. Rules that could be applied and not saved stand until the next reboot. Connections that do not
    /// end are no error: nothing can be sent over them, and [`Sight::open`] says so.
    pub async fn lock(&self, plan: &Plan) -> Result<bool, LockError> {
        let sight = self.look().await?;
        if sight.drift.is_none() && sight.wanted.as_ref() == Some(plan) {
            return Ok(false);
        }
        let text = ruleset::text(plan);
        let is_ours = matches!(sight.drift, None | Some(Drift::OlderRules));
        // A version that declares counters or sets otherwise cannot be changed in place.
        if !is_ours || matches!(self.nft.apply(&text).await, Err(NftError::Refused(_))) {
            self.nft.apply(&ruleset::anew(plan)).await?;
        }
        self.save(plan).await?;
        self.end_open().await?;
        Ok(true)
    }

    /// Takes the rules away and forgets the wish. False when there was neither.
    ///
    /// # Errors
    /// All of [`LockError`].
    pub async fn unlock(&self) -> Result<bool, LockError> {
        let listing = self.nft.list().await?;
        let was_saved = self.saved.exists();
        // The wish first: a crash between the two leaves agents locked in.
        file::remove(&self.saved).map_err(|source| self.unusable(source))?;
        self.nft.remove().await?;
        Ok(was_saved || listing.is_some())
    }

    /// Puts what is saved in force again, after a reboot or when somebody changed it; counts begin anew. False when
    /// nothing is saved.
    ///
    /// # Errors
    /// All of [`LockError`].
    pub async fn restore(&self) -> Result<bool, LockError> {
        let Some(saved) = self.saved()? else { return Ok(false) };
        self.nft.apply(&ruleset::anew(&saved.plan)).await?;
        self.save(&saved.plan).await?;
        self.end_open().await?;
        Ok(true)
    }

    /// Ends what users had open before the rules; nothing to do when that is done.
    ///
    /// # Errors
    /// `Saved`. Connections that do not end are no error.
    pub async fn end_open(&self) -> Result<(), LockError> {
        let Some(Saved { open: Some(before), plan, text, shape, format }) = self.saved()? else { return Ok(()) };
        let open = match self.sockets.end(&plan).await {
            Ok(connections) => {
                tracing::info!(connections, "connections of locked users were ended");
                None
            }
            Err(error) => Some(chain(&error)),
        };
        if open.as_ref() == Some(&before) {
            return Ok(());
        }
        if let Some(error) = &open {
            tracing::error!(error, "connections from before the lock may be open; nothing can be sent over them");
        }
        let saved = Saved { format, plan, text, shape, open };
        file::write(&self.saved, &saved).map_err(|source| self.unusable(source))
    }

    /// Compares.
    ///
    /// # Errors
    /// All of [`LockError`] but `Vanished`.
    pub async fn look(&self) -> Result<Sight, LockError> {
        let (saved, listing) = (self.saved()?, self.nft.list().await?);
        let drift = match (&saved, &listing) {
            (None, None) => None,
            (None, Some(_)) => Some(Drift::NotSaved),
            (Some(_), None) => Some(Drift::RulesGone),
            (Some(saved), Some(listing)) if saved.shape != listing.shape => Some(Drift::RulesChanged),
            (Some(saved), Some(_)) => (saved.text != digest(&saved.plan)).then_some(Drift::OlderRules),
        };
        let (wanted, open) = saved.map(|saved| (saved.plan, saved.open)).unzip();
        Ok(Sight { wanted, listing, drift, open: open.flatten() })
    }

    async fn save(&self, plan: &Plan) -> Result<(), LockError> {
        let listing = self.nft.list().await?.ok_or(LockError::Vanished)?;
        // A crash between rules and connections leaves this, and the next start goes on.
        let open = Some("they were not looked at yet".to_owned());
        let saved = Saved { format: Format::V1, plan: plan.clone(), text: digest(plan), shape: listing.shape, open };
        file::write(&self.saved, &saved).map_err(|source| self.unusable(source))
    }

    fn saved(&self) -> Result<Option<Saved>, LockError> {
        file::read(&self.saved).map_err(|source| self.unusable(source))
    }

    fn unusable(&self, source: io::Error) -> LockError {
        LockError::Saved { path: self.saved.clone(), source }
    }
}

/// An error with its sources, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn digest(plan: &Plan) -> Digest {
    Digest::of("wardkeep/egress-lock-text/v1", ruleset::text(plan).as_bytes())
}

#[cfg(test)]
mod tests;
