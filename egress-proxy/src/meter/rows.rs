//! What goes into the usage file and what comes out of it.

use serde::{Deserialize, Serialize};
use wardkeep_policy::Tariff;
use wardkeep_proto::ids::{AgentName, SessionId};
use wardkeep_proto::time::Timestamp;

use crate::budget::{Amount, Cap};
use crate::price::Cost;
use crate::trace::Trace;
use crate::usage::Usage;

/// Which bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketKey {
    /// Who asked.
    pub agent: AgentName,
    /// Which provider of the bundle answered.
    pub provider: String,
    /// The model as agents ask for it.
    pub model: String,
    /// Start of the hour in which the request was admitted, UTC.
    pub hour: Timestamp,
}

/// Totals of a bucket or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Requests that reached the provider.
    pub requests: u64,
    /// How many of them carry an estimate because no final usage came.
    pub estimated_requests: u64,
    /// How many of them cost a guess, because the bundle names no price for their model.
    pub guessed_price_requests: u64,
    /// Input tokens that were neither read from nor written to the provider's cache.
    pub input_tokens: u64,
    /// Output tokens, reasoning included.
    pub output_tokens: u64,
    /// Input tokens read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to the provider's cache, for however long.
    pub cache_write_tokens: u64,
    /// Part of what was written that is kept for an hour.
    pub cache_write_1h_tokens: u64,
    /// Part of the output that was reasoning.
    pub reasoning_tokens: u64,
    /// Millionths of a US dollar by the bundle's price table. The sum is exact; it is rounded up here, once.
    pub cost_micros: u64,
}

/// One bucket with the revision of its totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Which bucket.
    pub key: BucketKey,
    /// Rises with each change of the totals.
    pub revision: u64,
    /// The totals.
    pub amounts: Amounts,
}

/// Totals of one agent with one model over all hours asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// Who asked.
    pub agent: AgentName,
    /// Which provider answered.
    pub provider: String,
    /// The model as agents ask for it.
    pub model: String,
    /// The totals.
    pub amounts: Amounts,
}

/// By what totals are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Who asked.
    Agent,
    /// Who asked, and which model.
    #[default]
    Model,
    /// Who asked, and in which session of the hook.
    Session,
    /// Who asked, in which session, and in which run: a trace of the caller's.
    Run,
}

/// One line of usage for people; names that were not asked for are absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Who asked.
    pub agent: AgentName,
    /// Which provider answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model as agents ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The session of the hook; empty for requests outside of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The trace id that the caller sent; empty for requests without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The caller's span of the last request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<String>,
    /// When the first request of a session or run was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// When the last one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// The totals.
    #[serde(flatten)]
    pub amounts: Amounts,
}

/// What is known of a request before the provider sees it.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Who asks.
    pub agent: AgentName,
    /// Which provider will answer.
    pub provider: String,
    /// The model as agents ask for it.
    pub model: String,
    /// Input tokens to charge if nothing better is ever known.
    pub estimated_input: u64,
    /// Output tokens that are held until it is known how many there are.
    pub max_output: u64,
    /// The price at the time of asking.
    pub tariff: Tariff,
    /// In which session and run.
    pub run: Run,
    /// What must not be gone over.
    pub caps: Vec<Cap>,
}

/// Which piece of an agent's work a request belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The session of the agent's hook.
    pub session: Option<SessionId>,
    /// The trace that the caller named.
    pub trace: Option<Trace>,
}

impl Admission {
    /// What is held for it until it is settled.
    pub(super) fn need(&self) -> Amount {
        let tokens = u128::from(self.estimated_input) + u128::from(self.max_output);
        Amount { tokens, cost: Cost::at_most(&self.tariff.price, self.estimated_input, self.max_output) }
    }
}

/// What a relayed request used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Tokens by kind.
    pub usage: Usage,
    /// The provider's final numbers never came.
    pub estimated: bool,
}
