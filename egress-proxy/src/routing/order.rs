//! Which target of a route first.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use wardkeep_policy::bundle::llm::{Choice, Route};
use wardkeep_policy::{LlmConfig, Price, Tariff};
use wardkeep_proto::chance::{Chance, bytes};
use wardkeep_proto::ids::SessionId;
use wardkeep_proto::time::Timestamp;

/// What is known of a request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Input tokens, by its bytes.
    pub(crate) input: u64,
    /// Most output tokens, as far as the request says.
    pub(crate) output: Option<u64>,
    pub(crate) session: Option<SessionId>,
    pub(crate) now: Timestamp,
}

/// The places of the targets, in the order in which they are to be asked.
pub(crate) fn of(llm: &LlmConfig, route: &Route, request: &Request, chance: &dyn Chance) -> Vec<usize> {
    let listed = 0..route.targets.len();
    match (route.order, &request.session) {
        (Choice::Listed, _) => listed.collect(),
        // All of a session goes the same way, so that the provider's prompt cache goes on from turn to turn.
        (Choice::Weighted, Some(session)) => {
            let mut turn = 0_u32;
            drawn(route, || {
                turn += 1;
                // Its keys are the same in each process, so a restart changes no session's way.
                let mut hasher = DefaultHasher::new();
                (session.as_str(), &route.name, turn).hash(&mut hasher);
                hasher.finish()
            })
        }
        (Choice::Weighted, None) => drawn(route, || u64::from_le_bytes(bytes(chance))),
        (Choice::Cheapest, _) => {
            let mut all: Vec<usize> = listed.collect();
            // Stable: of equal prices the one that is listed first.
            all.sort_by_cached_key(|at| cost(llm, &route.targets[*at].model, request));
            all
        }
    }
}

/// One after the other by weight, without putting back.
fn drawn(route: &Route, mut draw: impl FnMut() -> u64) -> Vec<usize> {
    let mut left: Vec<(usize, u64)> =
        route.targets.iter().enumerate().map(|(at, target)| (at, u64::from(target.weight))).collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let total: u64 = left.iter().map(|(_, weight)| weight).sum();
        // Of 2^64 a few more fall on the first ones: less than one in a million million.
        let mut drawn = draw() % total.max(1);
        let hit = left.iter().position(|(_, weight)| {
            let here = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            here
        });
        order.push(left.remove(hit.unwrap_or_default()).0);
    }
    order
}

/// A price that is only guessed comes last; then what the request would cost at most.
fn cost(llm: &LlmConfig, model: &str, request: &Request) -> (bool, u128) {
    let Some(model) = llm.model(model) else { return (true, u128::MAX) };
    let Tariff { price: Price { input, output, .. }, guessed } = llm.tariff(model, request.now);
    let most = match (request.output, model.max_output) {
        (Some(asked), Some(possible)) => asked.min(possible),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => crate::budget::desk::USUAL_OUTPUT,
    };
    (guessed, u128::from(request.input) * u128::from(input) + u128::from(most) * u128::from(output))
}
