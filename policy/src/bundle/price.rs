//! What tokens cost, and from when on.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wardkeep_proto::time::Timestamp;

use super::{LlmConfig, Model};

/// Millionths of a US dollar per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Fresh input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Input tokens read from the provider's cache.
    #[serde(default)]
    pub cache_read: u64,
    /// Input tokens written to the provider's cache, for five minutes where it tells them apart.
    #[serde(default)]
    pub cache_write: u64,
    /// Input tokens written to the cache for an hour; `None` is twice `input`, or `cache_write` where that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<u64>,
    /// Reasoning tokens where they are billed apart; `None` bills them as output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
}

/// A price from a day on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatedPrice {
    /// The first day on which it counts, `2026-12-01`, UTC.
    pub from: Date,
    /// The price.
    pub price: Price,
}

/// A day, UTC; `2026-12-01` in a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(Timestamp);

/// What a model costs at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tariff {
    /// The price.
    pub price: Price,
    /// The bundle names none for this model: it is the dearest one known.
    pub guessed: bool,
}

impl Price {
    /// What a token written to the cache for an hour costs.
    #[must_use]
    pub fn hour_write(&self) -> u64 {
        self.cache_write_1h.unwrap_or_else(|| self.input.saturating_mul(2).max(self.cache_write))
    }

    /// The dearer one of both, kind by kind.
    fn dearest(self, other: Self) -> Self {
        // Reasoning is billed as output where nothing else is said.
        let reasoning = match (self.reasoning, other.reasoning) {
            (None, None) => None,
            _ => Some(self.reasoning.unwrap_or(self.output).max(other.reasoning.unwrap_or(other.output))),
        };
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cache_read: self.cache_read.max(other.cache_read),
            cache_write: self.cache_write.max(other.cache_write),
            cache_write_1h: Some(self.hour_write().max(other.hour_write())),
            reasoning,
        }
    }
}

impl Date {
    /// Its first moment.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        self.0
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.to_date().unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let at = Timestamp::of_date(&text);
        at.map(Self).ok_or_else(|| serde::de::Error::custom("a date is written as 2026-12-01"))
    }
}

impl Model {
    /// The price in force at `at`: the newest of `prices` that has begun, before all of them `price`, without that the first.
    #[must_use]
    pub fn price_at(&self, at: Timestamp) -> Option<Price> {
        let begun = self.prices.iter().rev().find(|dated| dated.from.start() <= at);
        begun.map(|dated| dated.price).or(self.price).or_else(|| self.prices.first().map(|dated| dated.price))
    }
}

impl LlmConfig {
    /// What `model` costs at `at`. Where the bundle does not say: the dearest price in force of its provider, kind by kind, or
    /// else of any provider.
    #[must_use]
    pub fn tariff(&self, model: &Model, at: Timestamp) -> Tariff {
        if let Some(price) = model.price_at(at) {
            return Tariff { price, guessed: false };
        }
        let dearest = |of: &dyn Fn(&&Model) -> bool| {
            self.models.iter().filter(of).filter_map(|model| model.price_at(at)).reduce(Price::dearest)
        };
        let price = dearest(&|other| other.provider == model.provider).or_else(|| dearest(&|_| true));
        Tariff { price: price.unwrap_or_default(), guessed: true }
    }

    /// Whether there is a price of `model` or of another of its provider.
    pub(super) fn has_price(&self, model: &Model) -> bool {
        let mut siblings = self.models.iter().filter(|other| other.provider == model.provider);
        siblings.any(|other| other.price.is_some() || !other.prices.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn price(input: u64, output: u64) -> Price {
        Price { input, output, cache_read: 0, cache_write: 0, cache_write_1h: None, reasoning: None }
    }

    fn model(name: &str, provider: &str, more: &str) -> Model {
        let text = format!(r#"{{"name":"{name}","provider":"{provider}","upstream_model":"x"{more}}}"#);
        serde_json::from_str(&text).expect("a model")
    }

    #[test]
    fn the_price_of_the_day_counts() {
        let dated = model(
            "m",
            "p",
            r#","price":{"input":1,"output":1},"prices":[{"from":"2026-12-01","price":{"input":2,"output":2}},
               {"from":"2027-01-01","price":{"input":3,"output":3}}]"#,
        );
        let at = |date: &str, ms: i64| Timestamp(Timestamp::of_date(date).expect("a date").millis() + ms);
        for (at, want) in [
            (at("2026-12-01", -1), 1),
            (at("2026-12-01", 0), 2),
            (at("2026-12-31", 86_399_999), 2),
            (at("2027-01-01", 0), 3),
        ] {
            assert_eq!(dated.price_at(at), Some(price(want, want)), "{at}");
        }
        let undated = Model { price: None, ..dated.clone() };
        assert_eq!(undated.price_at(Timestamp(0)), Some(price(2, 2)), "a model with a price has one at any time");
        let json = serde_json::to_string(&dated).expect("JSON");
        assert_eq!(serde_json::from_str::<Model>(&json).expect("a model"), dated);
        assert!(serde_json::from_str::<Date>("\"2026-12\"").is_err());
    }

    #[test]
    fn what_has_no_price_costs_as_much_as_the_dearest_of_its_provider() {
        let llm = LlmConfig {
            providers: Vec::new(),
            models: vec![
                model("a", "p", r#","price":{"input":9,"output":1}"#),
                model("b", "p", r#","price":{"input":1,"output":9,"reasoning":4}"#),
                model("c", "q", r#","price":{"input":50,"output":50}"#),
                model("free", "p", r#","price":{"input":0,"output":0}"#),
                model("new", "p", ""),
                model("elsewhere", "r", ""),
            ],
            ..LlmConfig::default()
        };
        let tariff = |name: &str| llm.tariff(llm.model(name).expect("there"), Timestamp(0));
        let dearest = Price { cache_write_1h: Some(18), reasoning: Some(4), ..price(9, 9) };
        assert_eq!(tariff("new"), Tariff { price: dearest, guessed: true });
        assert_eq!((tariff("elsewhere").price.input, tariff("elsewhere").guessed), (50, true));
        assert_eq!(tariff("free"), Tariff { price: price(0, 0), guessed: false }, "a price of nothing is a price");
    }
}
