//! What people may grant when they approve a call.

use serde::{Deserialize, Serialize};

/// Longest grant, hours: a week.
const MOST_HOURS: u32 = 7 * 24;
/// Most uses of one grant.
const MOST_USES: u32 = 1000;

/// Bounds of "the same again" that a person may add to an approval; nothing where nothing is said. They count at each use: what was
/// given under wider ones is narrowed by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Granting {
    /// Longest, from the decision on; 0: nobody grants anything.
    pub hours: u32,
    /// Most uses of one grant; 0: nobody grants anything.
    pub uses: u32,
    /// Also for everybody at a recipient's domain.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub domains: bool,
}

/// A bound beyond what makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[granting]: at most {MOST_HOURS} hours and {MOST_USES} uses; what is to last longer is a grant of the policy")]
pub struct TooWide;

impl Granting {
    /// Whether nobody may grant anything.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.hours == 0 || self.uses == 0
    }

    /// Whether it says nothing of its own.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses bounds that are none.
    ///
    /// # Errors
    /// [`TooWide`].
    pub const fn check(&self) -> Result<(), TooWide> {
        if self.hours > MOST_HOURS || self.uses > MOST_USES { Err(TooWide) } else { Ok(()) }
    }
}
