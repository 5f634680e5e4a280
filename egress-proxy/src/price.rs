//! What tokens cost, in whole millionths of a US dollar.

use wardkeep_policy::Price;

use crate::usage::Usage;

/// Prices are per this many tokens.
const PER: u128 = 1_000_000;
/// Ceiling of one request (a billion dollars): a provider's nonsense cannot overflow a total.
const MOST: u128 = 1_000_000_000_000_000;

/// The cost of one request, rounded up once.
#[must_use]
pub fn cost_micros(price: &Price, usage: &Usage) -> u64 {
    let reasoning = usage.reasoning.min(usage.output);
    let (plain, apart) = match price.reasoning {
        Some(apart) => (usage.output - reasoning, u128::from(reasoning) * u128::from(apart)),
        None => (usage.output, 0),
    };
    let parts = [
        (usage.input, price.input),
        (plain, price.output),
        (usage.cache_read, price.cache_read),
        (usage.cache_write, price.cache_write),
    ];
    let total = parts
        .into_iter()
        .fold(apart, |sum, (tokens, price)| sum.saturating_add(u128::from(tokens) * u128::from(price)));
    u64::try_from(total.div_ceil(PER).min(MOST)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price =
        Price { input: 3_000_000, output: 15_000_000, cache_read: 300_000, cache_write: 3_750_000, reasoning: None };

    #[test]
    fn it_rounds_up_once() {
        let one_of_each = Usage { input: 1, output: 1, cache_read: 1, cache_write: 1, ..Usage::default() };
        // 3 + 15 + 0.3 + 3.75 = 22.05 micros; rounding each part up would say 23 as well, so a second case tells them apart.
        assert_eq!(cost_micros(&PRICE, &one_of_each), 23);
        let halves =
            Price { input: 500_000, output: 500_000, cache_read: 500_000, cache_write: 500_000, reasoning: None };
        assert_eq!(cost_micros(&halves, &one_of_each), 2);
        assert_eq!(cost_micros(&PRICE, &Usage::default()), 0);
    }

    #[test]
    fn reasoning_is_part_of_the_output_unless_it_has_its_own_price() {
        let usage = Usage { output: 10, reasoning: 4, ..Usage::default() };
        assert_eq!(cost_micros(&PRICE, &usage), 150);
        assert_eq!(cost_micros(&Price { reasoning: Some(1_000_000), ..PRICE }, &usage), 6 * 15 + 4);
        let odd = Usage { output: 1, reasoning: 9, ..Usage::default() };
        assert_eq!(cost_micros(&Price { reasoning: Some(1_000_000), ..PRICE }, &odd), 1);
    }

    #[test]
    fn nonsense_does_not_overflow() {
        let usage = Usage {
            input: u64::MAX,
            output: u64::MAX,
            cache_read: u64::MAX,
            cache_write: u64::MAX,
            ..Usage::default()
        };
        let price =
            Price { input: u64::MAX, output: u64::MAX, cache_read: u64::MAX, cache_write: u64::MAX, reasoning: None };
        assert_eq!(u128::from(cost_micros(&price, &usage)), MOST);
    }
}
