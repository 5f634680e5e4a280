//! Where a request goes next: which target of a route, with which key, after what wait; and whom to leave alone meanwhile.
//!
//! Nothing here sends. Time and chance are arguments, state is in memory: a restart begins anew.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wardkeep_policy::Provider;
use wardkeep_policy::bundle::llm::Retry;
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::time::Timestamp;

mod breaker;
mod heard;
mod keys;
pub(crate) mod order;
pub(crate) mod plan;
#[cfg(test)]
mod tests;

use breaker::State;
pub(crate) use heard::Heard;
use keys::Pool;

/// Providers and routes that are remembered; more stand in no bundle.
const REMEMBERED: usize = 1024;
/// Attempts that may ask a target again although few requests came before them.
const RESERVE: u32 = 10;

/// What is known of providers, of their keys, and of how often targets were asked again.
#[derive(Default)]
pub(crate) struct Routing(Mutex<Known>);

#[derive(Default)]
struct Known {
    providers: HashMap<String, One>,
    /// Hundredths of a repeated attempt that a route has left.
    repeats: HashMap<String, u32>,
}

#[derive(Default)]
struct One {
    breaker: State,
    pool: Pool,
}

/// Whether a provider can be asked now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// With this key, if it wants one.
    Ready(Option<SecretName>),
    /// All of its keys are left alone; this one the least long, until then.
    Cooling(Option<SecretName>, Timestamp),
    /// Its breaker is open until then.
    Resting(Timestamp),
}

/// How a provider stands, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderState {
    /// Its name in the bundle.
    pub provider: String,
    /// Its breaker is open until then.
    pub resting_until: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u32,
    /// Keys that are left alone.
    pub cooling: Vec<CoolingKey>,
}

/// A key that is left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoolingKey {
    /// Its name in the vault; `None` where the provider is shown none, or signs.
    pub key: Option<SecretName>,
    /// Until then.
    pub until: Timestamp,
    /// The provider did not take it (401, 403); otherwise it was used too often (429).
    pub rejected: bool,
}

impl Routing {
    /// How `provider` stands. Where its breaker lets one request through, this is the one. `among`: other targets are there.
    pub(crate) fn standing(&self, provider: &Provider, among: bool, now: Timestamp) -> Standing {
        let mut known = self.known();
        let Some(one) = known.providers.get_mut(&provider.name) else {
            return Standing::Ready(provider.every_key().next().cloned());
        };
        let rule = provider.breaker.or_else(|| among.then(Default::default));
        let pool = one.pool.pick(provider, now);
        let rests = match pool {
            Standing::Ready(_) => rule.and_then(|rule| one.breaker.rests(&rule, now)),
            // Nobody goes with that key while others are left, so nobody decides.
            _ => rule.and(one.breaker.open_until()).filter(|until| now < *until),
        };
        rests.map_or(pool, Standing::Resting)
    }

    /// Notes what was heard of `provider`, asked with `key`. Whether another key of it may do better.
    pub(crate) fn heard(&self, provider: &Provider, key: Option<&SecretName>, heard: &Heard, now: Timestamp) -> bool {
        let mut known = self.known();
        if *heard == Heard::Answered && !known.providers.contains_key(&provider.name) {
            // Nothing to forget: the usual way of every request.
            return false;
        }
        if known.providers.len() >= REMEMBERED && !known.providers.contains_key(&provider.name) {
            known.providers.clear();
        }
        let one = known.providers.entry(provider.name.clone()).or_default();
        one.breaker.note(&provider.breaker.unwrap_or_default(), heard, now);
        one.pool.note(provider.cooldown.unwrap_or_default(), key, heard, now);
        let rejected = matches!(heard, Heard::Limited(_) | Heard::Rejected);
        rejected && matches!(one.pool.pick(provider, now), Standing::Ready(_))
    }

    /// A request to `route` began: it earns a part of a repeated attempt.
    pub(crate) fn began(&self, route: &str, retry: &Retry) {
        let mut known = self.known();
        if let Some(left) = known.repeats.get_mut(route) {
            *left = (*left + retry.percent).min(RESERVE * 100);
        }
    }

    /// Takes a repeated attempt of `route`; false if there is none left.
    pub(crate) fn may_repeat(&self, route: &str) -> bool {
        let mut known = self.known();
        if known.repeats.len() >= REMEMBERED && !known.repeats.contains_key(route) {
            known.repeats.clear();
        }
        let left = known.repeats.entry(route.to_owned()).or_insert(RESERVE * 100);
        match left.checked_sub(100) {
            Some(rest) => *left = rest,
            None => return false,
        }
        true
    }

    /// Every provider of which something is known that matters at `now`, by name.
    pub(crate) fn states(&self, now: Timestamp) -> Vec<ProviderState> {
        let known = self.known();
        let state = |(name, one): (&String, &One)| ProviderState {
            provider: name.clone(),
            resting_until: one.breaker.open_until(),
            failures: one.breaker.in_a_row(),
            cooling: one.pool.cooling(now),
        };
        let mut states: Vec<ProviderState> = known.providers.iter().map(state).collect();
        states.retain(|state| state.failures > 0 || state.resting_until.is_some() || !state.cooling.is_empty());
        states.sort_by(|a, b| a.provider.cmp(&b.provider));
        states
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time from `now` until `at`, in whole seconds rounded up, at least one; for `retry-after`.
pub(crate) fn seconds_until(at: Timestamp, now: Timestamp) -> u64 {
    at.since(now).as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
}

/// A wait by chance between nothing and `most` ("full jitter"): callers that failed together do not come back together.
fn jitter(most: Duration, chance: &dyn wardkeep_proto::chance::Chance) -> Duration {
    let drawn = u32::from_le_bytes(wardkeep_proto::chance::bytes(chance));
    most.mul_f64(f64::from(drawn) / f64::from(u32::MAX))
}
