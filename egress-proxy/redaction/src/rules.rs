//! Rules for secrets of known formats.

/// The rules an engine applies beside the vault's values.
#[derive(Clone, Debug)]
pub struct RuleSet {}

impl RuleSet {
    /// The rules we ship.
    #[must_use]
    pub fn builtin() -> Self {
        Self {}
    }

    /// No rules: vault values only.
    #[must_use]
    pub fn none() -> Self {
        Self {}
    }
}
