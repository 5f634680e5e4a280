//! Which target of a route first.

use wardkeep_policy::bundle::llm::{Choice, Route};
use wardkeep_policy::{LlmConfig, Price, Tariff};
use wardkeep_proto::chance::{Chance, bytes};
use wardkeep_proto::time::Timestamp;

/// What a request may need, for a price of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) input: u64,
    /// Most output tokens, as far as the request says.
    pub(crate) output: Option<u64>,
}

/// The places of the targets, in the order in which they are to be asked.
pub(crate) fn of(llm: &LlmConfig, route: &Route, size: Size, now: Timestamp, chance: &dyn Chance) -> Vec<usize> {
    let listed = 0..route.targets.len();
    match route.order {
        Choice::Listed => listed.collect(),
        Choice::Weighted => drawn(route, chance),
        Choice::Cheapest => {
            let mut all: Vec<usize> = listed.collect();
            // Stable: of equal prices the one that is listed first.
            all.sort_by_cached_key(|at| cost(llm, &route.targets[*at].model, size, now));
            all
        }
    }
}

/// One after the other by weight, without putting back.
fn drawn(route: &Route, chance: &dyn Chance) -> Vec<usize> {
    let mut left: Vec<(usize, u64)> =
        route.targets.iter().enumerate().map(|(at, target)| (at, u64::from(target.weight))).collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let total: u64 = left.iter().map(|(_, weight)| weight).sum();
        // Of 2^64 a few more fall on the first ones: less than one in a million million.
        let mut drawn = u64::from_le_bytes(bytes(chance)) % total.max(1);
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
fn cost(llm: &LlmConfig, model: &str, size: Size, now: Timestamp) -> (bool, u128) {
    let Some(model) = llm.model(model) else { return (true, u128::MAX) };
    let Tariff { price: Price { input, output, .. }, guessed } = llm.tariff(model, now);
    let most = match (size.output, model.max_output) {
        (Some(asked), Some(possible)) => asked.min(possible),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => crate::budget::desk::USUAL_OUTPUT,
    };
    (guessed, u128::from(size.input) * u128::from(input) + u128::from(most) * u128::from(output))
}
