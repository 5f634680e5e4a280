//! Requests that were admitted and not settled, and what was settled and is not in the tables yet.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use wardkeep_policy::Price;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::journal::Entry;
use super::{Admission, BucketKey, unseen};
use crate::gate_memory::Kept;
use crate::price::Cost;
use crate::trace::Trace;
use crate::usage::Usage;

/// An open request, as far as its end will ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) agent: AgentName,
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) admitted: Timestamp,
    /// Tokens to charge if nothing better is ever known, and their price.
    pub(super) estimated_input: u64,
    pub(super) price_input: u64,
    /// The most that was asked for, and the price of it.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub(super) max_output: u64,
    #[serde(default, skip_serializing_if = "is_nought")]
    pub(super) price_output: u64,
    /// The bundle names no price for the model.
    pub(super) guessed_price: bool,
    /// Empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) session: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) run: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) span: String,
}

impl Open {
    pub(super) fn of(admission: &Admission, now: Timestamp) -> Self {
        let trace = admission.run.trace.as_ref();
        Self {
            agent: admission.agent.clone(),
            provider: admission.provider.clone(),
            model: admission.model.clone(),
            admitted: now,
            estimated_input: admission.estimated_input,
            price_input: admission.tariff.price.input,
            max_output: admission.max_output,
            price_output: admission.tariff.price.output,
            guessed_price: admission.tariff.guessed,
            session: admission.run.session.as_ref().map_or_else(String::new, ToString::to_string),
            run: trace.map_or("", Trace::id).to_owned(),
            span: trace.map_or("", Trace::span).to_owned(),
        }
    }

    /// What it is closed with at `now`, after a crash: its input, and what may have been made until then. Nobody knows when the
    /// daemon ended, and so when the provider stopped: at the latest when it begins again.
    pub(super) fn left_behind(&self, row: i64, now: Timestamp) -> Entry<'static> {
        let seconds = u64::try_from(now.millis().saturating_sub(self.admitted.millis()) / 1000).unwrap_or_default();
        let usage = Usage { input: self.estimated_input, output: unseen(seconds, self.max_output), ..Usage::default() };
        let price = Price { input: self.price_input, output: self.price_output, ..Price::default() };
        Entry::Settle { row, usage, estimated: true, cost: Cost::of(&price, &usage), at: now }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_nought(number: &u64) -> bool {
    *number == 0
}

/// What several settled requests add to a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) requests: u64,
    pub(super) estimated: u64,
    pub(super) guessed: u64,
    pub(super) usage: Usage,
    pub(super) cost: Cost,
}

/// One run of an agent within one session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RunKey {
    pub(super) agent: AgentName,
    pub(super) session: String,
    pub(super) run: String,
}

/// What is added to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunSum {
    pub(super) sum: Sum,
    pub(super) span: String,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// Everything that the tables do not know.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) open: HashMap<i64, Open>,
    /// Open requests that the tables know, too.
    pub(super) in_table: Vec<i64>,
    pub(super) buckets: BTreeMap<BucketKey, Sum>,
    pub(super) runs: BTreeMap<RunKey, RunSum>,
    pub(super) calls: Vec<(AgentName, Vec<Kept>, Timestamp)>,
}

impl Pending {
    /// Whether the tables lack something that they are asked for.
    pub(super) fn is_wanted(&self) -> bool {
        !self.buckets.is_empty() || !self.calls.is_empty()
    }

    /// The tables know all of it.
    pub(super) fn folded(&mut self) {
        self.buckets.clear();
        self.runs.clear();
        self.calls.clear();
        self.in_table.clear();
        self.in_table.extend(self.open.keys());
    }

    /// Takes an entry that is on disk. The end of a request that is not open (any more) changes nothing.
    pub(super) fn take(&mut self, entry: Entry<'_>) {
        match entry {
            Entry::Admit { row, open } => drop(self.open.insert(row, open.into_owned())),
            Entry::Void { row } => drop(self.open.remove(&row)),
            Entry::Calls { agent, calls, at } => self.calls.push((agent.into_owned(), calls.into_owned(), at)),
            Entry::Settle { row, usage, estimated, cost, at } => {
                let Some(open) = self.open.remove(&row) else { return };
                let one =
                    Sum { requests: 1, estimated: estimated.into(), guessed: open.guessed_price.into(), usage, cost };
                self.settle(open, one, at);
            }
        }
    }

    fn settle(&mut self, open: Open, one: Sum, at: Timestamp) {
        let Open { agent, provider, model, admitted, session, run, span, .. } = open;
        let key = RunKey { agent: agent.clone(), session, run };
        let new = || RunSum { sum: Sum::default(), span: String::new(), first: at, last: at };
        let place = self.runs.entry(key).or_insert_with(new);
        place.sum = place.sum.plus(one);
        (place.span, place.first, place.last) = (span, place.first.min(at), place.last.max(at));
        let key = BucketKey { agent, provider, model, hour: admitted.hour() };
        let place = self.buckets.entry(key).or_default();
        *place = place.plus(one);
    }
}

impl Sum {
    fn plus(self, other: Self) -> Self {
        let (a, b) = (self.usage, other.usage);
        Self {
            requests: self.requests + other.requests,
            estimated: self.estimated + other.estimated,
            guessed: self.guessed + other.guessed,
            usage: Usage {
                input: a.input.saturating_add(b.input),
                output: a.output.saturating_add(b.output),
                cache_read: a.cache_read.saturating_add(b.cache_read),
                cache_write: a.cache_write.saturating_add(b.cache_write),
                cache_write_1h: a.cache_write_1h.saturating_add(b.cache_write_1h),
                reasoning: a.reasoning.saturating_add(b.reasoning),
            },
            cost: self.cost.plus(other.cost),
        }
    }
}
