//! What tokens cost, exactly: a token's price is a whole number of millionths of a millionth of a US dollar.
//!
//! Nothing is rounded where amounts are added up. Whoever shows or reports a total rounds it up, once, to millionths.

use serde::{Deserialize, Serialize};
use wardkeep_policy::Price;

use crate::usage::Usage;

/// Of these in a millionth of a dollar; prices are per so many tokens.
const PER: u128 = 1_000_000;
/// Ceiling of one request (a billion dollars): a provider's nonsense cannot overflow a total.
const MOST: u128 = 1_000_000_000_000_000 * PER;

/// An exact amount of money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "(u64, u64)", from = "(u64, u64)")]
pub struct Cost(u128);

impl From<Cost> for (u64, u64) {
    fn from(cost: Cost) -> Self {
        cost.split()
    }
}

impl From<(u64, u64)> for Cost {
    fn from((micros, rest): (u64, u64)) -> Self {
        Self::join(micros, rest)
    }
}

impl Cost {
    /// What `usage` costs at `price`; a billion dollars at most.
    #[must_use]
    pub fn of(price: &Price, usage: &Usage) -> Self {
        let reasoning = usage.reasoning.min(usage.output);
        let (plain, apart) = match price.reasoning {
            Some(apart) => (usage.output - reasoning, times(reasoning, apart)),
            None => (usage.output, 0),
        };
        let for_an_hour = usage.cache_write_1h.min(usage.cache_write);
        let parts = [
            times(usage.input, price.input),
            times(plain, price.output),
            apart,
            times(usage.cache_read, price.cache_read),
            times(usage.cache_write - for_an_hour, price.cache_write),
            times(for_an_hour, price.hour_write()),
        ];
        Self(parts.into_iter().fold(0, u128::saturating_add).min(MOST))
    }

    /// The most that a request of so many tokens is expected to cost: each input token at its dearest (an hour in the cache
    /// aside), each output token too.
    #[must_use]
    pub fn at_most(price: &Price, input: u64, output: u64) -> Self {
        let dearest_input = price.input.max(price.cache_read).max(price.cache_write);
        let dearest_output = price.output.max(price.reasoning.unwrap_or(0));
        Self(times(input, dearest_input).saturating_add(times(output, dearest_output)).min(MOST))
    }

    /// From millionths of a dollar.
    #[must_use]
    pub fn from_micros(micros: u64) -> Self {
        Self(u128::from(micros) * PER)
    }

    /// In millionths of a dollar, rounded up.
    #[must_use]
    pub fn micros_up(self) -> u64 {
        u64::try_from(self.0.div_ceil(PER)).unwrap_or(u64::MAX)
    }

    /// Whole millionths of a dollar, and what is left over in millionths of those.
    #[must_use]
    pub fn split(self) -> (u64, u64) {
        let part = |part: u128| u64::try_from(part).unwrap_or(u64::MAX);
        (part(self.0 / PER), part(self.0 % PER))
    }

    /// The other way round.
    #[must_use]
    pub fn join(micros: u64, rest: u64) -> Self {
        Self(u128::from(micros) * PER + u128::from(rest))
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left; never below nothing.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

fn times(tokens: u64, price: u64) -> u128 {
    u128::from(tokens) * u128::from(price)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price = Price {
        input: 3_000_000,
        output: 15_000_000,
        cache_read: 300_000,
        cache_write: 3_750_000,
        cache_write_1h: None,
        reasoning: None,
    };

    #[test]
    fn every_kind_has_its_price_and_nothing_is_rounded() {
        let one_of_each = Usage { input: 1, output: 1, cache_read: 1, cache_write: 2, cache_write_1h: 1, reasoning: 0 };
        // 3 + 15 + 0.3 + 3.75 + 6 (twice the input) = 28.05 micros
        let cost = Cost::of(&PRICE, &one_of_each);
        assert_eq!((cost.split(), cost.micros_up()), ((28, 50_000), 29));
        assert_eq!(Cost::join(28, 50_000), cost);
        assert_eq!(Cost::of(&Price { cache_write_1h: Some(0), ..PRICE }, &one_of_each).split(), (22, 50_000));
        // The smallest price of the smallest request is not nothing, and a million of them are exactly one millionth.
        let least = Cost::of(&Price { input: 1, ..Price::default() }, &Usage { input: 1, ..Usage::default() });
        assert_eq!((least.split(), least.micros_up()), ((0, 1), 1));
        let all = (0..1_000_000).fold(Cost::default(), |sum, _| sum.plus(least));
        assert_eq!((all, all.micros_up()), (Cost::from_micros(1), 1));
        assert_eq!(Cost::of(&PRICE, &Usage::default()), Cost::default());
    }

    #[test]
    fn reasoning_is_part_of_the_output_unless_it_has_its_own_price() {
        let usage = Usage { output: 10, reasoning: 4, ..Usage::default() };
        let micros = |price: &Price, usage: &Usage| Cost::of(price, usage).micros_up();
        assert_eq!(micros(&PRICE, &usage), 150);
        assert_eq!(micros(&Price { reasoning: Some(1_000_000), ..PRICE }, &usage), 6 * 15 + 4);
        let odd = Usage { output: 1, reasoning: 9, ..Usage::default() };
        assert_eq!(micros(&Price { reasoning: Some(1_000_000), ..PRICE }, &odd), 1);
    }

    #[test]
    fn what_is_held_covers_what_can_be_used() {
        let held = Cost::at_most(&PRICE, 10, 5);
        assert_eq!(held.split(), (37 + 75, 500_000));
        for usage in [
            Usage { input: 10, output: 5, ..Usage::default() },
            Usage { cache_write: 10, output: 5, reasoning: 5, ..Usage::default() },
            Usage { cache_read: 9, cache_write: 1, output: 1, ..Usage::default() },
        ] {
            assert!(Cost::of(&PRICE, &usage) <= held, "{usage:?}");
        }
        let reasoning = Price { reasoning: Some(60_000_000), ..PRICE };
        assert!(
            Cost::of(&reasoning, &Usage { output: 5, reasoning: 5, ..Usage::default() })
                <= Cost::at_most(&reasoning, 0, 5)
        );
    }

    #[test]
    fn nonsense_does_not_overflow() {
        let usage = Usage {
            input: u64::MAX,
            output: u64::MAX,
            cache_read: u64::MAX,
            cache_write: u64::MAX,
            cache_write_1h: u64::MAX,
            reasoning: 0,
        };
        let price = Price {
            input: u64::MAX,
            output: u64::MAX,
            cache_read: u64::MAX,
            cache_write: u64::MAX,
            cache_write_1h: None,
            reasoning: None,
        };
        let cost = Cost::of(&price, &usage);
        assert_eq!(cost.split(), (1_000_000_000_000_000, 0));
        assert_eq!(Cost::at_most(&price, u64::MAX, u64::MAX), cost);
        assert_eq!(Cost(u128::MAX).plus(cost), Cost(u128::MAX));
        assert_eq!((Cost(u128::MAX).micros_up(), Cost(0).minus(cost)), (u64::MAX, Cost(0)));
    }
}
