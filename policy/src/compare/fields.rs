//! Which way a changed member goes. An absent member is null.

use serde_json::Value;

use super::Effect;
use crate::agents::{Grant, Subagents, covers_host};
use crate::class::{Class, Level};

/// Name of the member, before, after.
pub(super) type Field = fn(&str, &Value, &Value) -> Effect;

pub(super) fn any(_: &str, _: &Value, _: &Value) -> Effect {
    Effect::Loosens
}

pub(super) fn neutral(_: &str, _: &Value, _: &Value) -> Effect {
    Effect::Neutral
}

pub(super) fn agent(name: &str, before: &Value, after: &Value) -> Effect {
    match name {
        "level" => by_order(Level::ALL.map(Level::as_str), before, after),
        // Absent is any tool.
        "tools" if before.is_null() => Effect::Tightens,
        "tools" if after.is_null() => Effect::Loosens,
        "tools" | "models" => subset(before, after),
        "grants" => grants(before, after),
        "subagents" => subagents(before, after),
        "version" => Effect::Neutral,
        _ => Effect::Loosens,
    }
}

/// Absent is the default. Without a level of their own sub-agents have that of their agent, which is the highest.
fn subagents(before: &Value, after: &Value) -> Effect {
    let read = |value: &Value| match value {
        Value::Null => Some(Subagents::default()),
        value => serde_json::from_value::<Subagents>(value.clone()).ok(),
    };
    let (Some(before), Some(after)) = (read(before), read(after)) else { return Effect::Loosens };
    let level = |said: Subagents| said.level.map_or(u8::MAX, Level::number);
    let within = |inner: Subagents, outer: Subagents| {
        level(inner) <= level(outer) && inner.depth <= outer.depth && inner.count <= outer.count
    };
    if within(after, before) { Effect::Tightens } else { Effect::Loosens }
}

pub(super) fn rule(name: &str, before: &Value, after: &Value) -> Effect {
    match name {
        "class" => reversed(by_order(Class::ALL.map(Class::as_str), before, after)),
        "reason" | "match" | "not_match" => Effect::Neutral,
        _ => Effect::Loosens,
    }
}

pub(super) fn redaction_rule(name: &str, _: &Value, _: &Value) -> Effect {
    match name {
        "source" | "matches" | "ignores" => Effect::Neutral,
        _ => Effect::Loosens,
    }
}

/// Absent is nothing. It loosens unless no bound is raised.
pub(super) fn granting(_: &str, before: &Value, after: &Value) -> Effect {
    let of = |value: &Value, name: &str| value[name].as_u64().unwrap_or_default();
    let raised = ["hours", "uses"].iter().any(|name| of(after, name) > of(before, name));
    let wider = after["domains"] == true && before["domains"] != true;
    if raised || wider { Effect::Loosens } else { Effect::Tightens }
}

/// Only words for people can differ.
pub(super) fn words(name: &str, _: &Value, _: &Value) -> Effect {
    if name == "reason" { Effect::Neutral } else { Effect::Loosens }
}

pub(super) fn provider(name: &str, _: &Value, _: &Value) -> Effect {
    match name {
        "breaker" | "cooldown" | "waits" => Effect::Neutral,
        _ => Effect::Loosens,
    }
}

pub(super) fn run(_: &str, before: &Value, after: &Value) -> Effect {
    match (before.as_u64(), after.as_u64()) {
        (Some(before), Some(after)) if after < before => Effect::Tightens,
        _ => Effect::Loosens,
    }
}

pub(super) fn adapter(name: &str, before: &Value, after: &Value) -> Effect {
    match name {
        "title" | "source" => Effect::Neutral,
        "tools" => subset(before, after),
        _ => Effect::Loosens,
    }
}

pub(super) fn model(name: &str, before: &Value, after: &Value) -> Effect {
    // Budgets in money count by the price.
    if name == "max_output" { amount(before, after) } else { Effect::Loosens }
}

pub(super) fn budget(name: &str, before: &Value, after: &Value) -> Effect {
    match name {
        "contact" => Effect::Neutral,
        "enforce" if after == &Value::Bool(true) => Effect::Tightens,
        "requests_per_minute" | "tokens_per_minute" | "concurrent" => amount(before, after),
        "limits" => limits(before, after),
        "brake" => brake(before, after),
        _ => Effect::Loosens,
    }
}

pub(super) fn gate_memory(_: &str, before: &Value, after: &Value) -> Effect {
    // Absent is the default.
    let of = |value: &Value| if value.is_null() { Value::from("refuse") } else { value.clone() };
    by_order(["refuse", "report", "off"], &of(before), &of(after))
}

/// Whether some host is covered by both patterns.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let inner =
        |pattern: &str| pattern.strip_prefix("*.").map_or_else(|| pattern.to_owned(), |rest| format!("x.{rest}"));
    one == other || covers_host(one, &inner(other)) || covers_host(other, &inner(one))
}

/// `names` from strict to open.
fn by_order<const N: usize>(names: [&str; N], before: &Value, after: &Value) -> Effect {
    let place = |value: &Value| value.as_str().and_then(|text| names.iter().position(|name| *name == text));
    match (place(before), place(after)) {
        (Some(before), Some(after)) if after < before => Effect::Tightens,
        _ => Effect::Loosens,
    }
}

const fn reversed(effect: Effect) -> Effect {
    match effect {
        Effect::Loosens => Effect::Tightens,
        Effect::Tightens => Effect::Loosens,
        Effect::Neutral => Effect::Neutral,
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn subset(before: &Value, after: &Value) -> Effect {
    let within = |inner: &[Value], outer: &[Value]| inner.iter().all(|one| outer.contains(one));
    match (within(items(after), items(before)), within(items(before), items(after))) {
        (true, true) => Effect::Neutral,
        (true, false) => Effect::Tightens,
        (false, _) => Effect::Loosens,
    }
}

/// An amount that is lower, or there at all.
fn amount(before: &Value, after: &Value) -> Effect {
    match (before.as_u64(), after.as_u64()) {
        (None, Some(_)) => Effect::Tightens,
        (Some(before), Some(after)) if after < before => Effect::Tightens,
        (Some(before), Some(after)) if after == before => Effect::Neutral,
        (None, None) => Effect::Neutral,
        _ => Effect::Loosens,
    }
}

/// The most open of several.
fn most_open(effects: impl IntoIterator<Item = Effect>) -> Effect {
    effects.into_iter().min().unwrap_or(Effect::Neutral)
}

fn limits(before: &Value, after: &Value) -> Effect {
    let of = |list: &Value, window: &str, what: &str| {
        items(list).iter().filter(|limit| limit["window"] == window).filter_map(|limit| limit[what].as_u64()).min()
    };
    let json = |number: Option<u64>| number.map_or(Value::Null, Value::from);
    most_open(["hour", "day", "month"].into_iter().flat_map(|window| {
        ["tokens", "micros"].map(|what| amount(&json(of(before, window, what)), &json(of(after, window, what))))
    }))
}

fn brake(before: &Value, after: &Value) -> Effect {
    if before.is_null() {
        return Effect::Tightens;
    }
    // A longer window counts more turns.
    let minutes = match (before["minutes"].as_u64(), after["minutes"].as_u64()) {
        (Some(before), Some(after)) if after > before => Effect::Tightens,
        (before, after) if before == after => Effect::Neutral,
        _ => Effect::Loosens,
    };
    most_open([amount(&before["turns"], &after["turns"]), amount(&before["repeats"], &after["repeats"]), minutes])
}

/// Whether each grant that will be stands within one that is.
fn grants(before: &Value, after: &Value) -> Effect {
    let read = |list: &Value| -> Option<Vec<Grant>> {
        items(list).iter().map(|grant| serde_json::from_value(grant.clone()).ok()).collect()
    };
    let (Some(before), Some(after)) = (read(before), read(after)) else { return Effect::Loosens };
    let all = |inner: &[Grant], outer: &[Grant]| inner.iter().all(|one| outer.iter().any(|other| within(one, other)));
    match (all(&after, &before), all(&before, &after)) {
        (true, true) => Effect::Neutral,
        (true, false) => Effect::Tightens,
        (false, _) => Effect::Loosens,
    }
}

fn within(inner: &Grant, outer: &Grant) -> bool {
    let listed = |inner: &[String], outer: &[String]| inner.iter().all(|one| outer.contains(one));
    let until = |grant: &Grant| grant.expires.map_or(i64::MAX, wardkeep_proto::time::Timestamp::millis);
    inner.tool == outer.tool
        && listed(&inner.recipients, &outer.recipients)
        && listed(&inner.hosts, &outer.hosts)
        && inner.commands.iter().all(|words| outer.commands.contains(words))
        && until(inner) <= until(outer)
        && counted(inner, outer)
}

/// A grant that says anything else is another one, whose uses are counted anew.
fn counted(inner: &Grant, outer: &Grant) -> bool {
    let uncounted = |grant: &Grant| Grant { uses: None, ..grant.clone() };
    match (inner.uses, outer.uses) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(inner_uses), Some(outer_uses)) => inner_uses <= outer_uses && uncounted(inner) == uncounted(outer),
    }
}
