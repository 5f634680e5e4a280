//! Where a request goes: several models behind one name, what happens when one fails, and how long each is waited for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A name that agents ask for, and the models that may answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// What agents write into a request; stands in their `models` as a model's name does.
    pub name: String,
    /// Which models, the first one first. One is an alias.
    pub targets: Vec<Target>,
    /// In which order they are asked.
    #[serde(default, skip_serializing_if = "Choice::is_listed")]
    pub order: Choice,
    /// What happens when one fails.
    #[serde(default, skip_serializing_if = "Retry::is_usual")]
    pub retry: Retry,
}

/// One model of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// [`super::Model::name`].
    pub model: String,
    /// How often it is asked first, compared with the others; for [`Choice::Weighted`].
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
}

/// In which order the targets of a route are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// As they are listed.
    #[default]
    Listed,
    /// By chance and weight.
    Weighted,
    /// The one first that this request would cost least at, by the price in force.
    Cheapest,
}

impl Choice {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    const fn is_listed(&self) -> bool {
        matches!(self, Self::Listed)
    }
}

/// What happens when a target fails before a byte of its answer was passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Most attempts of one request, the first one included.
    pub attempts: u32,
    /// How often each target may be asked.
    pub rounds: u32,
    /// Seconds from the first attempt within which another may begin.
    pub within_s: u32,
    /// Milliseconds: before a target is asked again it is waited for up to this, by chance, twice as long each round.
    pub base_ms: u32,
    /// Milliseconds: most that is waited, also for a provider that asks for it (`retry-after`).
    pub most_ms: u32,
    /// Of a hundred requests to this route, how many may ask a target again; ten at once are possible in any case.
    pub percent: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 6, rounds: 2, within_s: 60, base_ms: 500, most_ms: 8_000, percent: 20 }
    }
}

impl Retry {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// When a provider that fails is left alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// After so many failures in a row.
    pub failures: u32,
    /// Or when so many of a hundred of the last `of` requests failed; absent: never for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// The last requests that `percent` looks at.
    pub of: u32,
    /// Seconds; then one request is let through, and decides.
    pub rest_s: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 5, percent: None, of: 20, rest_s: 30 }
    }
}

impl Breaker {
    /// How long a provider is left alone.
    #[must_use]
    pub fn rest(&self) -> Duration {
        Duration::from_secs(self.rest_s.into())
    }
}

/// How long a key is left alone that a provider did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cooldown {
    /// Seconds after 429, where the provider does not say for how long.
    pub limited_s: u32,
    /// Seconds after 401 and 403.
    pub rejected_s: u32,
}

impl Default for Cooldown {
    fn default() -> Self {
        Self { limited_s: 60, rejected_s: 300 }
    }
}

/// How long a provider is waited for; absent is as the daemon waits for any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waits {
    /// Milliseconds for a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<u32>,
    /// Milliseconds until the answer begins, streamed or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u32>,
    /// Milliseconds between two pieces of a streamed answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u32>,
}

impl Waits {
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_one(weight: &u32) -> bool {
    *weight == 1
}

/// Most targets of a route: more would be tried for longer than a caller waits.
const TARGETS: usize = 16;
/// Most of any weight.
const WEIGHT: u32 = 1_000_000;
/// Milliseconds of a quarter of an hour: longer than any client waits.
const LONG_MS: u32 = 900_000;

/// What is wrong with a route, apart from the names in it.
pub(super) fn wrong_route(route: &Route) -> Option<String> {
    let Route { name, targets, order, retry } = route;
    let Retry { attempts, rounds, within_s, base_ms, most_ms, percent } = *retry;
    let why = if name.is_empty() || name.chars().any(char::is_control) {
        "its name must be text on one line"
    } else if targets.is_empty() || targets.len() > TARGETS {
        "it needs 1 to 16 targets"
    } else if targets.iter().enumerate().any(|(at, one)| targets[..at].iter().any(|other| other.model == one.model)) {
        "a target stands there twice; use weight to have it asked more often"
    } else if targets.iter().any(|target| target.weight == 0 || target.weight > WEIGHT) {
        "a weight is 1 to 1000000; leave a target out that is not to be asked"
    } else if *order != Choice::Weighted && targets.iter().any(|target| target.weight != 1) {
        "weights count only with order = \"weighted\""
    } else if !(1..=20).contains(&attempts) || !(1..=10).contains(&rounds) {
        "retry: attempts is 1 to 20, rounds 1 to 10"
    } else if within_s == 0 || within_s > LONG_MS / 1000 || base_ms > most_ms || most_ms > LONG_MS {
        "retry: within_s is 1 to 900, base_ms at most most_ms, most_ms at most 900000"
    } else if percent > 100 {
        "retry: percent is 0 to 100"
    } else {
        return None;
    };
    Some(format!("route {name:?}: {why}"))
}

/// What is wrong with how a provider is waited for and left alone.
pub(super) fn wrong_patience(breaker: Option<Breaker>, cooldown: Option<Cooldown>, waits: Waits) -> Option<String> {
    if let Some(Breaker { failures, percent, of, rest_s }) = breaker {
        if failures == 0 || !(5..=64).contains(&of) || percent.is_some_and(|percent| !(1..=100).contains(&percent)) {
            return Some("breaker: failures is at least 1, of 5 to 64, percent 1 to 100".to_owned());
        }
        if !(1..=3600).contains(&rest_s) {
            return Some("breaker: rest_s is 1 to 3600".to_owned());
        }
    }
    if let Some(Cooldown { limited_s, rejected_s }) = cooldown
        && [limited_s, rejected_s].iter().any(|seconds| !(1..=86_400).contains(seconds))
    {
        return Some("cooldown: limited_s and rejected_s are 1 to 86400".to_owned());
    }
    let Waits { connect_ms, first_byte_ms, idle_ms } = waits;
    let far = |wait: Option<u32>, most: u32| wait.is_some_and(|wait| wait == 0 || wait > most);
    (far(connect_ms, 60_000) || far(first_byte_ms, LONG_MS) || far(idle_ms, LONG_MS))
        .then(|| "waits: connect_ms is 1 to 60000, first_byte_ms and idle_ms 1 to 900000".to_owned())
}
