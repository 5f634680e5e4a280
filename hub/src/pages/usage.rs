//! Tokens and cost, by agent and model, over a day or a month.

use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Query, State};
use axum::response::Response;
use wardkeep_proto::time::Timestamp;

use super::links::Link;
use super::parts::Icon;
use super::shell::{Here, Shell};
use super::visit::Visit;
use super::words::{count, day, hour, money};
use super::{Failed, assets};
use crate::api::error::Refusal;
use crate::app::SharedClock;
use crate::store::Store;
use crate::store::usage::{Totals, UsageHour, UsageLine};

/// `GET /usage`.
#[derive(Template)]
#[template(path = "usage/page.html")]
pub struct UsagePage {
    /// The frame.
    pub shell: Shell,
    /// The part that is fetched again when something changes.
    pub body: UsageBody,
}

/// Charts and table.
#[derive(Template)]
#[template(path = "usage/body.html")]
pub struct UsageBody {
    range: Range,
    tenant: Option<String>,
    charts: Vec<Chart>,
    rows: Vec<UsageRow>,
    sum: UsageRow,
}

/// The template escapes its parts.
impl HtmlSafe for UsageBody {}

/// How far back, and how wide a bar is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// 24 bars of an hour.
    #[default]
    Day,
    /// 30 bars of a day.
    Month,
}

impl Range {
    const ALL: [Self; 2] = [Self::Day, Self::Month];

    /// The range of that name; anything else is a day.
    fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|range| range.name() == name).unwrap_or_default()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Month => "30d",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Day => "24 hours",
            Self::Month => "30 days",
        }
    }

    const fn within(self) -> &'static str {
        match self {
            Self::Day => "in the last 24 hours",
            Self::Month => "in the last 30 days",
        }
    }

    const fn step(self) -> &'static str {
        match self {
            Self::Day => "hour",
            Self::Month => "day",
        }
    }

    const fn bars(self) -> i64 {
        match self {
            Self::Day => 24,
            Self::Month => 30,
        }
    }

    const fn bar(self) -> Duration {
        match self {
            Self::Day => Duration::from_secs(3_600),
            Self::Month => Duration::from_secs(86_400),
        }
    }

    const fn bar_ms(self) -> i64 {
        self.bar().as_millis() as i64
    }

    /// From the start of the oldest bar to the end of the newest, which holds `now`.
    #[must_use]
    pub const fn span(self, now: Timestamp) -> (Timestamp, Timestamp) {
        let until = now.0 - now.0.rem_euclid(self.bar_ms()) + self.bar_ms();
        (Timestamp(until - self.bars() * self.bar_ms()), Timestamp(until))
    }

    fn label(self, at: Timestamp) -> String {
        match self {
            Self::Day => hour(at),
            Self::Month => day(at),
        }
    }
}

struct Chart {
    id: &'static str,
    title: &'static str,
    total: String,
    highest: String,
    bars: Vec<Bar>,
    axis: Vec<String>,
}

impl Chart {
    fn width(&self) -> usize {
        self.bars.len() * 10
    }
}

struct Bar {
    title: String,
    x: usize,
    y: u64,
    height: u64,
}

struct UsageRow {
    agent: String,
    tenant: String,
    model: String,
    provider: String,
    requests: String,
    estimated: Option<String>,
    input: String,
    output: String,
    cache_read: String,
    cache_write: String,
    cost: String,
    /// Hundredths of the costliest row.
    share: u64,
}

impl UsageBody {
    /// The page over `lines` and `hours` of `range`, of one tenant or all.
    #[must_use]
    pub fn of(lines: &[UsageLine], hours: &[UsageHour], range: Range, tenant: Option<String>, now: Timestamp) -> Self {
        let most = lines.iter().map(|line| line.totals.cost_micros).max().unwrap_or(0);
        let sum = lines.iter().fold(Totals::default(), |sum, line| add(sum, line.totals));
        let series = series(hours, range, now);
        let chart = |id, title, value: fn(&Totals) -> u64, words: fn(u64) -> String| {
            let highest = series.iter().map(|(_, totals)| value(totals)).max().unwrap_or(0);
            let bars = series.iter().enumerate().map(|(at, (from, totals))| {
                let height = scaled(value(totals), highest, 96);
                Bar {
                    title: format!("{}: {}", range.label(*from), words(value(totals))),
                    x: at * 10 + 2,
                    y: 100 - height,
                    height,
                }
            });
            let axis = [0, series.len() / 2, series.len().saturating_sub(1)];
            Chart {
                id,
                title,
                total: words(value(&sum)),
                highest: words(highest),
                bars: bars.collect(),
                axis: axis.iter().filter_map(|at| series.get(*at)).map(|(from, _)| range.label(*from)).collect(),
            }
        };
        let charts =
            vec![chart("cost", "Cost", |totals| totals.cost_micros, money), chart("tokens", "Tokens", tokens, count)];
        let rows = lines.iter().map(|line| UsageRow::of(line, most)).collect();
        let all = UsageRow::sums(&sum);
        Self { range, tenant, charts, rows, sum: all }
    }
}

impl UsageRow {
    fn sums(totals: &Totals) -> Self {
        let marks = [(totals.estimated_requests, "estimated"), (totals.guessed_price_requests, "at a guessed price")];
        let marks = marks.into_iter().filter(|(requests, _)| *requests > 0);
        let marks: Vec<_> = marks.map(|(requests, what)| format!("{} {what}", count(requests))).collect();
        let estimated = (!marks.is_empty()).then(|| marks.join(", "));
        Self {
            agent: String::new(),
            tenant: String::new(),
            model: String::new(),
            provider: String::new(),
            requests: count(totals.requests),
            estimated,
            input: count(totals.input_tokens),
            output: count(totals.output_tokens),
            cache_read: count(totals.cache_read_tokens),
            cache_write: count(totals.cache_write_tokens),
            cost: money(totals.cost_micros),
            share: 0,
        }
    }

    fn of(line: &UsageLine, most: u64) -> Self {
        Self {
            agent: line.agent.clone(),
            tenant: line.tenant_name.clone(),
            model: line.model.clone(),
            provider: line.provider.clone(),
            share: scaled(line.totals.cost_micros, most, 100),
            ..Self::sums(&line.totals)
        }
    }
}

/// `value` of `most` in `steps`; what is there at all is at least one step high.
fn scaled(value: u64, most: u64, steps: u64) -> u64 {
    match (value, most) {
        (0, _) | (_, 0) => 0,
        _ => u64::try_from(u128::from(value) * u128::from(steps) / u128::from(most)).unwrap_or(steps).max(1),
    }
}

fn tokens(totals: &Totals) -> u64 {
    [totals.input_tokens, totals.output_tokens, totals.cache_read_tokens, totals.cache_write_tokens]
        .into_iter()
        .fold(0, u64::saturating_add)
}

fn add(a: Totals, b: Totals) -> Totals {
    Totals {
        requests: a.requests.saturating_add(b.requests),
        input_tokens: a.input_tokens.saturating_add(b.input_tokens),
        output_tokens: a.output_tokens.saturating_add(b.output_tokens),
        cache_read_tokens: a.cache_read_tokens.saturating_add(b.cache_read_tokens),
        cache_write_tokens: a.cache_write_tokens.saturating_add(b.cache_write_tokens),
        reasoning_tokens: a.reasoning_tokens.saturating_add(b.reasoning_tokens),
        cost_micros: a.cost_micros.saturating_add(b.cost_micros),
        estimated_requests: a.estimated_requests.saturating_add(b.estimated_requests),
        cache_write_1h_tokens: a.cache_write_1h_tokens.saturating_add(b.cache_write_1h_tokens),
        guessed_price_requests: a.guessed_price_requests.saturating_add(b.guessed_price_requests),
    }
}

/// One entry a bar, also where nothing was used.
fn series(hours: &[UsageHour], range: Range, now: Timestamp) -> Vec<(Timestamp, Totals)> {
    let (from, _) = range.span(now);
    let mut bars: Vec<_> =
        (0..range.bars()).map(|at| (Timestamp(from.0 + at * range.bar_ms()), Totals::default())).collect();
    for hour in hours {
        let at = hour.hour.0.saturating_sub(from.0).div_euclid(range.bar_ms());
        if let Some((_, totals)) = usize::try_from(at).ok().and_then(|at| bars.get_mut(at)) {
            *totals = add(*totals, hour.totals);
        }
    }
    bars
}

/// What the person wants to see.
#[derive(serde::Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    range: String,
    tenant: Option<String>,
}

/// `GET /usage`.
pub(super) async fn show(
    visit: Visit,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failed> {
    let (caller, now, range) = (visit.caller(), clock.now(), Range::named(&wanted.range));
    let tenant = match wanted.tenant.filter(|name| !name.is_empty()) {
        None => None,
        Some(name) => {
            let name = name.parse().map_err(|_| Refusal::NotFound)?;
            Some(store.tenant_named(&caller, &name, now).await?.ok_or(Refusal::NotFound)?)
        }
    };
    let (id, (from, until)) = (tenant.as_ref().map(|tenant| tenant.id), range.span(now));
    let lines = store.usage(&caller, id, from, until).await?;
    let hours = store.usage_by_hour(&caller, id, from, until).await?;
    let body = UsageBody::of(&lines, &hours, range, tenant.map(|tenant| tenant.name.to_string()), now);
    visit.show(Here::Usage, &store, now, body, |shell, body| UsagePage { shell, body }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hour_falls_into_its_bar() {
        let now = Timestamp(1_763_593_200_000 + 1_800_000);
        let (from, until) = Range::Day.span(now);
        assert!(from < now && now < until && until.0 - from.0 == 24 * 3_600_000);
        let one = Totals { requests: 1, ..Totals::default() };
        let at = |ms: i64| UsageHour { hour: Timestamp(ms), totals: one };
        let bars = series(&[at(from.0), at(now.hour().0), at(from.0 - 3_600_000), at(until.0)], Range::Day, now);
        let used: Vec<_> = bars.iter().map(|(_, totals)| totals.requests).collect();
        assert_eq!((used[0], used[23], used.iter().sum::<u64>()), (1, 1, 2));
    }

    #[test]
    fn what_is_there_is_seen() {
        assert_eq!((scaled(0, 100, 96), scaled(1, u64::MAX, 96), scaled(u64::MAX, u64::MAX, 96)), (0, 1, 96));
        assert_eq!(scaled(5, 0, 96), 0);
    }
}
