//! What one run of an agent may use up.

use serde::{Deserialize, Serialize};
use wardkeep_proto::ids::AgentName;

/// When a run is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunLimits {
    /// From start to end.
    pub seconds: u32,
    /// All its processes together.
    pub memory_mebibytes: u32,
    /// Processes and threads.
    pub processes: u32,
    /// Of one core: 200 is two cores.
    pub cpu_percent: u32,
    /// Each file that it writes.
    pub file_mebibytes: u32,
    /// What is kept of its output; the agent is told that there was more.
    pub output_kibibytes: u32,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            seconds: 120,
            memory_mebibytes: 2048,
            processes: 512,
            cpu_percent: 200,
            file_mebibytes: 1024,
            output_kibibytes: 256,
        }
    }
}

/// What a bundle says about the runs of one agent, or of all. What it does not name is as by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunRule {
    /// Whose; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// As [`RunLimits::seconds`], at most an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// As [`RunLimits::memory_mebibytes`], at least 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mebibytes: Option<u32>,
    /// As [`RunLimits::processes`], at least 8: the sandbox itself needs some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// As [`RunLimits::cpu_percent`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u32>,
    /// As [`RunLimits::file_mebibytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_mebibytes: Option<u32>,
    /// As [`RunLimits::output_kibibytes`], at most what a result has room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_kibibytes: Option<u32>,
}

/// A bundle's limits that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRuns {
    /// Out of bounds.
    #[error("runs: {what} must be {least} to {most}, not {is}")]
    Bounds {
        /// Which number.
        what: &'static str,
        /// The bundle's.
        is: u32,
        /// Least that makes sense.
        least: u32,
        /// Most that is possible.
        most: u32,
    },
    /// Of nobody.
    #[error("runs: the policy has no agent {0}")]
    NoAgent(AgentName),
    /// Which one would count?
    #[error("runs: two entries for {0}")]
    Twice(String),
}

impl RunRule {
    fn over(&self, limits: RunLimits) -> RunLimits {
        RunLimits {
            seconds: self.seconds.unwrap_or(limits.seconds),
            memory_mebibytes: self.memory_mebibytes.unwrap_or(limits.memory_mebibytes),
            processes: self.processes.unwrap_or(limits.processes),
            cpu_percent: self.cpu_percent.unwrap_or(limits.cpu_percent),
            file_mebibytes: self.file_mebibytes.unwrap_or(limits.file_mebibytes),
            output_kibibytes: self.output_kibibytes.unwrap_or(limits.output_kibibytes),
        }
    }
}

/// What holds for runs of `agent`: what is said of it, else what is said of all, else the default.
#[must_use]
pub fn limits_of(rules: &[RunRule], agent: &AgentName) -> RunLimits {
    let of_all = rules.iter().filter(|rule| rule.agent.is_none());
    let own = rules.iter().filter(|rule| rule.agent.as_ref() == Some(agent));
    of_all.chain(own).fold(RunLimits::default(), |limits, rule| rule.over(limits))
}

/// Whether the rules mean something, for these agents.
///
/// # Errors
/// [`InvalidRuns`].
pub fn check<'a>(rules: &[RunRule], agents: impl Iterator<Item = &'a AgentName> + Clone) -> Result<(), InvalidRuns> {
    for (at, rule) in rules.iter().enumerate() {
        if let Some(agent) = rule.agent.as_ref().filter(|agent| !agents.clone().any(|known| known == *agent)) {
            return Err(InvalidRuns::NoAgent(agent.clone()));
        }
        if rules[..at].iter().any(|other| other.agent == rule.agent) {
            let whom = rule.agent.as_ref().map_or_else(|| "all agents".to_owned(), ToString::to_string);
            return Err(InvalidRuns::Twice(whom));
        }
        for (what, is, least, most) in [
            ("seconds", rule.seconds, 1, 3600),
            ("memory_mebibytes", rule.memory_mebibytes, 16, 1_048_576),
            ("processes", rule.processes, 8, 65_536),
            ("cpu_percent", rule.cpu_percent, 1, 100_000),
            ("file_mebibytes", rule.file_mebibytes, 1, 1_048_576),
            ("output_kibibytes", rule.output_kibibytes, 1, 256),
        ] {
            if let Some(is) = is.filter(|is| !(least..=most).contains(is)) {
                return Err(InvalidRuns::Bounds { what, is, least, most });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AgentName {
        text.parse().unwrap()
    }

    fn rules(text: &str) -> Vec<RunRule> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn limits_that_make_no_sense_are_refused() {
        let agents = [name("office")];
        for bad in [
            r#"[{"seconds": 0}]"#,
            r#"[{"seconds": 3601}]"#,
            r#"[{"memory_mebibytes": 15}]"#,
            r#"[{"processes": 1}]"#,
            r#"[{"cpu_percent": 0}]"#,
            r#"[{"file_mebibytes": 0}]"#,
            r#"[{"output_kibibytes": 257}]"#,
            r#"[{"agent": "shop", "seconds": 1}]"#,
            r#"[{"seconds": 1}, {"seconds": 2}]"#,
            r#"[{"agent": "office"}, {"agent": "office"}]"#,
        ] {
            assert!(check(&rules(bad), agents.iter()).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Vec<RunRule>>(r#"[{"second": 1}]"#).is_err());
        assert_eq!(check(&rules(r#"[{"seconds": 1}, {"agent": "office", "seconds": 2}]"#), agents.iter()), Ok(()));
    }

    #[test]
    fn an_agents_own_limit_counts_before_that_of_all() {
        let rules = rules(r#"[{"agent": "office", "seconds": 600}, {"seconds": 30, "processes": 16}]"#);
        let office = limits_of(&rules, &name("office"));
        assert_eq!((office.seconds, office.processes, office.memory_mebibytes), (600, 16, 2048));
        assert_eq!(limits_of(&rules, &name("shop")).seconds, 30);
        assert_eq!(limits_of(&[], &name("shop")), RunLimits::default());
    }
}
