//! Whom an order is about: one agent, or all agents of a server, also those that it does not know yet.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{AgentName, InvalidId};

/// All agents in rows and on the wire. No agent has this name.
const ALL: &str = "*";

/// One agent, or all of them. Written as the agent's name or `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whom {
    /// Every agent of the server, also one that comes later.
    All,
    /// One.
    Agent(AgentName),
}

impl Whom {
    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::All => ALL,
            Self::Agent(agent) => agent.as_str(),
        }
    }

    /// For people, at the beginning of a sentence.
    #[must_use]
    pub fn spoken(&self) -> String {
        match self {
            Self::All => "every agent".to_owned(),
            Self::Agent(agent) => format!("agent {agent}"),
        }
    }

    /// Whether it is about `agent`.
    #[must_use]
    pub fn covers(&self, agent: &AgentName) -> bool {
        match self {
            Self::All => true,
            Self::Agent(one) => one == agent,
        }
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Whom {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text == ALL { Ok(Self::All) } else { text.parse().map(Self::Agent) }
    }
}

impl Serialize for Whom {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Whom {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_no_agent_and_an_agent_is_not_all() {
        let (office, other): (AgentName, AgentName) = ("office".parse().unwrap(), "other".parse().unwrap());
        for bad in ["", "**", "*office", "a b", "all agents"] {
            assert!(bad.parse::<Whom>().is_err(), "{bad}");
        }
        assert!(ALL.parse::<AgentName>().is_err());
        let one: Whom = "office".parse().unwrap();
        assert!(one.covers(&office) && !one.covers(&other));
        assert!(Whom::All.covers(&office) && Whom::All.covers(&other));
        for whom in [Whom::All, one] {
            assert_eq!(serde_json::from_value::<Whom>(serde_json::to_value(&whom).unwrap()).unwrap(), whom);
        }
    }
}
