//! What a person adds to an approval: the same again, for a while.

use serde::{Deserialize, Serialize};

/// For how long and how often what an approval's document offers is granted with the approval.
///
/// What it covers stands in the document, which the digest of the approval names; this only picks and bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantTerms {
    /// From the decision on; at most what the document offers.
    pub hours: u32,
    /// Which of the document's `scopes`, from 0.
    pub scope: u32,
    /// How often, beside the call that was asked about; at most what the document offers.
    pub uses: u32,
}
