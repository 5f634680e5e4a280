//! What was promised, line by line, and whether it held.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

use crate::answers::Tokens;
use crate::clients::Seen;
use crate::provider::{Account, Called};
use crate::watch::{Look, Trend, trend};
use crate::ways::{Ending, Model};

/// One line.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) what: String,
    pub(crate) holds: bool,
    pub(crate) found: String,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Verdicts(pub(crate) Vec<Verdict>);

impl Verdicts {
    pub(crate) fn add(&mut self, what: impl Into<String>, holds: bool, found: impl Into<String>) {
        self.0.push(Verdict { what: what.into(), holds, found: found.into() });
    }

    pub(crate) fn hold(&self) -> bool {
        self.0.iter().all(|verdict| verdict.holds)
    }

    /// Memory, file descriptors and threads over what followed the warm-up.
    pub(crate) fn leaks(&mut self, looks: &[Look]) {
        let minutes = looks.last().map_or(0.0, |last| last.at - looks[0].at) / 60.0;
        // A short run tells less, and its first minutes fill what is bounded: caches of sessions, pools, arenas.
        let (grown, an_hour) = (12.0, 12.0);
        let long = minutes >= 18.0;
        let mut flat = |what: &str, of: &dyn Fn(&Look) -> f64, grown: f64, an_hour: f64| {
            let Trend { an_hour: slope, growth, from, to } = trend(looks, of);
            let holds = if long { slope <= an_hour && growth <= grown } else { growth <= grown };
            let bound = if long { format!("{an_hour} an hour and {grown} in all") } else { format!("{grown} in all") };
            let found = format!("{from:.1} to {to:.1} in {minutes:.0} min: {slope:+.1} an hour, at most {bound}");
            self.add(what, holds, found);
        };
        flat("RSS is flat, MiB", &|look| look.rss, grown, an_hour);
        flat("heap and stacks are flat, MiB", &|look| look.heap, grown, an_hour);
        flat("open files are flat", &|look| look.files as f64, 40.0, 40.0);
        flat("threads are flat", &|look| look.threads as f64, 8.0, 8.0);
    }

    /// What the provider was asked beside what is on record.
    pub(crate) fn records(&mut self, provider: &Account, records: &BTreeMap<String, Called>, seen: &Seen) {
        let of = |all: &BTreeMap<String, Called>, model: Model| all.get(&model.name()).copied().unwrap_or_default();
        for ending in Ending::ALL {
            let (mut there, mut here, mut asked, mut faults) = (Called::default(), Called::default(), 0, Vec::new());
            for model in Model::all().filter(|model| model.ending == ending) {
                let (one, other) = (of(&provider.models, model), of(records, model));
                let of_model = seen.asked.get(&model.name()).copied().unwrap_or_default();
                if let Some(fault) = fault(ending, one, other, of_model) {
                    faults.push(format!("{}: {fault}: provider {one:?}, records {other:?}", model.api.name()));
                }
                asked += of_model;
                add(&mut there, one);
                add(&mut here, other);
            }
            let what = format!("usage of calls that end as `{}`: {}", ending.name(), demand(ending));
            let found = format!(
                "asked {asked}; provider {} calls, {} tokens; records {}, {} tokens, {} estimated",
                there.calls,
                tokens(there.tokens),
                here.calls,
                tokens(here.tokens),
                here.estimated
            );
            let holds = faults.is_empty() && (there.calls > 0 || ending == Ending::Part);
            self.add(what, holds, if holds { found } else { format!("{found}; {}", faults.join("; ")) });
        }
    }
}

fn add(sum: &mut Called, more: Called) {
    sum.calls += more.calls;
    sum.estimated += more.estimated;
    sum.tokens.add(more.tokens);
}

fn tokens(tokens: Tokens) -> u64 {
    tokens.input + tokens.output + tokens.cache_read + tokens.cache_write
}

/// What is to hold of calls that end so.
const fn demand(ending: Ending) -> &'static str {
    match ending {
        Ending::Plain | Ending::Stream | Ending::Slow | Ending::Torn | Ending::Error => "exact",
        Ending::Cut | Ending::Stall => "exact in number, estimated from all that was sent",
        Ending::Leave | Ending::Tired => "exact in number and input, estimated",
        Ending::Reset => "exact in number, estimated",
        Ending::Early | Ending::Half => "each that arrived, none more than asked",
        Ending::Part => "none",
    }
}

fn fault(ending: Ending, provider: Called, record: Called, asked: u64) -> Option<&'static str> {
    let Called { calls, estimated, tokens } = provider;
    let inputs = |tokens: Tokens| (tokens.input, tokens.cache_read, tokens.cache_write);
    let wrong = |is: bool, what: &'static str| is.then_some(what);
    let marked = wrong(record.estimated != record.calls, "not every one is marked as an estimate");
    let lost = wrong(record.calls != calls, "the number differs");
    match ending {
        Ending::Plain | Ending::Stream | Ending::Slow | Ending::Torn | Ending::Error | Ending::Cut | Ending::Stall => {
            lost.or(wrong(record.estimated != estimated, "other ones are marked as estimates"))
                .or(wrong(record.tokens != tokens, "tokens differ"))
        }
        Ending::Leave | Ending::Tired => lost
            .or(marked)
            .or(wrong(ending == Ending::Leave && inputs(record.tokens) != inputs(tokens), "input differs"))
            .or(wrong(record.tokens.output > tokens.output.max(calls * 2_000), "more output than was sent")),
        Ending::Reset => lost.or(marked),
        Ending::Early | Ending::Half => wrong(record.calls < calls, "some are lost")
            .or(wrong(record.calls > asked, "more than were asked"))
            .or(wrong(record.estimated > record.calls, "more estimates than calls")),
        Ending::Part => wrong(calls > 0, "the provider was asked").or(wrong(record.calls > 0, "there is a record")),
    }
}

/// Records as the daemon tells them.
pub(crate) fn records(told: &str) -> anyhow::Result<BTreeMap<String, Called>> {
    let told: Value = serde_json::from_str(told)?;
    let mut records = BTreeMap::new();
    for line in told["usage"].as_array().context("a list of usage")? {
        let number = |name: &str| line[name].as_u64().unwrap_or_default();
        let called = Called {
            calls: number("requests"),
            estimated: number("estimated_requests"),
            tokens: Tokens {
                input: number("input_tokens"),
                output: number("output_tokens"),
                cache_read: number("cache_read_tokens"),
                cache_write: number("cache_write_tokens"),
                reasoning: number("reasoning_tokens"),
            },
        };
        add(records.entry(line["model"].as_str().unwrap_or_default().to_owned()).or_default(), called);
    }
    Ok(records)
}
