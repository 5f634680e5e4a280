//! How much people are asked: who is asked too often says yes to everything.

use serde::{Deserialize, Serialize};

/// Questions about one agent, beyond which its calls are refused instead of put before people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asking {
    /// That wait at one time.
    pub waiting: u32,
    /// Within any 60 minutes.
    pub hourly: u32,
}

impl Default for Asking {
    fn default() -> Self {
        Self { waiting: 30, hourly: 100 }
    }
}

impl Asking {
    /// Whether it says nothing of its own.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}
