//! How grave a call is, and how far an agent is trusted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How grave a call is, lowest first. Design, section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Reads without side effects.
    Green,
    /// Reversible changes inside the tenant.
    Yellow,
    /// Anything that a third party receives.
    YellowExternal,
    /// Destructive or costly, hard to undo.
    Red,
    /// Irreversible, wide, money, credentials, security settings.
    CriticalRed,
}

impl Class {
    /// Every class, lowest first.
    pub const ALL: [Self; 5] = [Self::Green, Self::Yellow, Self::YellowExternal, Self::Red, Self::CriticalRed];

    /// The name in rules, rows and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::YellowExternal => "yellow_external",
            Self::Red => "red",
            Self::CriticalRed => "critical_red",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No class has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a class is one of green, yellow, yellow_external, red, critical_red")]
pub struct UnknownClass;

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        Self::ALL.into_iter().find(|class| class.as_str() == text).ok_or(UnknownClass)
    }
}

/// How far an agent is trusted. Design, section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Asks for every change.
    Supervised = 1,
    /// Makes reversible changes alone.
    Trusted = 2,
    /// Also does what is hard to undo alone; never what a third party receives.
    Autonomous = 3,
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Self; 3] = [Self::Supervised, Self::Trusted, Self::Autonomous];

    /// The number that people use: 1, 2 or 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The name in bundles and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Supervised => "supervised",
            Self::Trusted => "trusted",
            Self::Autonomous => "autonomous",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No level has that name or number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a level is 1 (supervised), 2 (trusted) or 3 (autonomous)")]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str() == text || level.number().to_string() == text)
            .ok_or(UnknownLevel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_the_order_is_the_gravity() {
        for pair in Class::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
        }
        for class in Class::ALL {
            assert_eq!(class.as_str().parse(), Ok(class));
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
        }
        assert!("Green".parse::<Class>().is_err());
        for level in Level::ALL {
            assert_eq!(level.as_str().parse(), Ok(level));
            assert_eq!(level.number().to_string().parse(), Ok(level));
        }
        assert!("4".parse::<Level>().is_err());
    }
}
