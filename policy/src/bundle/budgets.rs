//! What agents may use up: amounts by window, rates, and the brake on turns that nobody asked for.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::{LlmConfig, Model};

/// Highest amount of a limit: sums of what was used and what is held stay far from overflow.
pub const MOST: u64 = 1 << 50;
/// Longest window of a brake.
const DAY_MINUTES: u32 = 24 * 60;
/// Longest word about whom to ask, bytes.
const CONTACT_BYTES: usize = 200;

/// What one agent, or all of a tenant together, may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Whose; absent is all agents of the tenant together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// `false`: what it would stop goes on and is only reported.
    #[serde(default = "yes")]
    pub enforce: bool,
    /// Amounts by window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Requests begun within a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Tokens within a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Requests under way at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// When an agent that runs by itself is stopped. Counts by agent and session, whosever budget it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brake: Option<Brake>,
    /// Whom to ask when it stops something, as agents and people are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

/// An amount that may be used within one window of the calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Which window.
    pub window: Window,
    /// Tokens of every kind: input, output, read from and written to caches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Millionths of a US dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micros: Option<u64>,
}

/// A window of the calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// From one full hour to the next.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From the first of a month to the first of the next.
    Month,
}

/// When an agent that runs by itself is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brake {
    /// Turns of one session within `minutes` without a new message of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    /// Length of the window, from its first turn on.
    #[serde(default = "an_hour")]
    pub minutes: u32,
    /// The same request so many times in a row within the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<u32>,
}

const fn yes() -> bool {
    true
}

const fn an_hour() -> u32 {
    60
}

impl Window {
    /// Every window, shortest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    /// Its name in a bundle.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// Start of the window that holds `at`.
    #[must_use]
    pub fn start(self, at: Timestamp) -> Timestamp {
        match self {
            Self::Hour => at.hour(),
            Self::Day => at.day(),
            Self::Month => at.month(),
        }
    }

    /// Start of the window after the one that holds `at`.
    #[must_use]
    pub fn end(self, at: Timestamp) -> Timestamp {
        match self {
            Self::Hour => at.next_hour(),
            Self::Day => at.next_day(),
            Self::Month => at.next_month(),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Budget {
    /// Whether it counts for what `agent` does.
    #[must_use]
    pub fn covers(&self, agent: &AgentName) -> bool {
        self.agent.as_ref().is_none_or(|own| own == agent)
    }

    fn who(&self) -> String {
        self.agent
            .as_ref()
            .map_or_else(|| "the budget of the tenant".to_owned(), |name| format!("the budget of {name}"))
    }
}

/// The budgets or prices contradict themselves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidBudget(String);

/// What serde cannot see in budgets and in the prices that they need; `agents` are the agents there are.
///
/// # Errors
/// The first thing that is wrong, in words for whoever wrote it.
pub fn check<'a>(
    budgets: &[Budget],
    agents: impl IntoIterator<Item = &'a AgentName>,
    llm: &LlmConfig,
) -> Result<(), InvalidBudget> {
    let agents: BTreeSet<&AgentName> = agents.into_iter().collect();
    let mut seen = BTreeSet::new();
    for budget in budgets {
        let refuse = |why: &str| Err(InvalidBudget(format!("{}: {why}", budget.who())));
        if budget.agent.as_ref().is_some_and(|agent| !agents.contains(agent)) {
            return refuse("there is no such agent");
        }
        if !seen.insert((&budget.agent, budget.enforce)) {
            return refuse("it stands there twice; one that is enforced and one that only reports are possible");
        }
        check_one(budget).or_else(refuse)?;
    }
    llm.models.iter().try_for_each(check_model)?;
    let money = budgets.iter().flat_map(|budget| &budget.limits).any(|limit| limit.micros.is_some());
    match llm.models.iter().find(|model| money && !llm.has_price(model)) {
        Some(model) => Err(InvalidBudget(format!(
            "model {:?} has no price, nor has another of its provider; a budget in money needs one",
            model.name
        ))),
        None => Ok(()),
    }
}

fn check_one(budget: &Budget) -> Result<(), &'static str> {
    let Budget { agent: _, enforce: _, limits, requests_per_minute, tokens_per_minute, concurrent, brake, contact } =
        budget;
    let rates = [requests_per_minute.map(u64::from), *tokens_per_minute, concurrent.map(u64::from)];
    if limits.is_empty() && brake.is_none() && rates.iter().all(Option::is_none) {
        return Err("it limits nothing");
    }
    let mut windows = BTreeSet::new();
    for &Limit { window, tokens, micros } in limits {
        if !windows.insert(window) {
            return Err("one window stands there twice");
        }
        if tokens.is_none() && micros.is_none() {
            return Err("a limit needs tokens or micros");
        }
        if tokens.max(micros).is_some_and(|most| most > MOST) {
            return Err("a limit is at most 2^50; leave it out where there is none");
        }
    }
    if rates.iter().flatten().any(|rate| *rate == 0 || *rate > MOST) {
        return Err("a rate is at least 1; to stop everything, limit an hour to 0 tokens");
    }
    if let Some(Brake { turns, minutes, repeats }) = brake {
        if turns.is_none() && repeats.is_none() {
            return Err("a brake needs turns or repeats");
        }
        if *minutes == 0 || *minutes > DAY_MINUTES {
            return Err("a brake looks back over 1 to 1440 minutes");
        }
        if *turns == Some(0) || repeats.is_some_and(|repeats| repeats < 2) {
            return Err("a brake needs at least 1 turn and 2 repeats");
        }
    }
    let told =
        |text: &String| !text.trim().is_empty() && text.len() <= CONTACT_BYTES && !text.chars().any(char::is_control);
    if contact.as_ref().is_some_and(|text| !told(text)) {
        return Err("contact is one line of at most 200 bytes");
    }
    Ok(())
}

fn check_model(model: &Model) -> Result<(), InvalidBudget> {
    let refuse = |why: &str| Err(InvalidBudget(format!("model {:?}: {why}", model.name)));
    if model.max_output == Some(0) {
        return refuse("max_output is at least 1");
    }
    if model.prices.windows(2).any(|pair| pair[0].from >= pair[1].from) {
        return refuse("prices stand in the order of their dates, each date once");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
