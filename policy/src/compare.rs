//! What differs between two bundles, and which way each difference goes.
//!
//! A difference is said to tighten only where that can be seen in it alone; what may open something is said to loosen. So the
//! marks err to one side: two changes that undo each other are two lines, and the first of them loosens.

mod fields;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::Bundle;
use fields::Field;

/// Which way a difference goes; loosening first, as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It may let something pass that did not before.
    Loosens,
    /// It lets less pass.
    Tightens,
    /// Neither.
    Neutral,
}

/// One difference between two bundles.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Which way it goes.
    pub effect: Effect,
    /// What is meant: `agent office`, `rule git.push`.
    pub what: String,
    /// Of it, what: `added`, `removed`, or the member that changed.
    pub how: String,
    /// Before, as JSON.
    pub before: Option<Value>,
    /// After, as JSON.
    pub after: Option<Value>,
}

/// One list of a bundle.
struct Section {
    /// Where it stands.
    path: &'static [&'static str],
    /// What people call one of it.
    what: &'static str,
    /// The member that names one; without it one is what it says, whole.
    key: Option<&'static str>,
    added: Way,
    removed: Way,
    /// Which way a changed member goes.
    field: Field,
}

/// Which way it goes when one is added or removed.
enum Way {
    Is(Effect),
    /// A rule of the class Green opens what nothing knew; any other closes.
    ByClass,
    /// It opens; but where another one covers the same host, the stricter counts, and without this one that may be less.
    ByHost,
}

const LOOSENS: Way = Way::Is(Effect::Loosens);
const TIGHTENS: Way = Way::Is(Effect::Tightens);
const NEUTRAL: Way = Way::Is(Effect::Neutral);

macro_rules! section {
    ($path:expr, $what:literal, $key:expr, $added:expr, $removed:expr, $field:expr) => {
        Section { path: &$path, what: $what, key: $key, added: $added, removed: $removed, field: $field }
    };
}

/// Every list of a bundle. What no list holds is in [`SCALARS`]; a test knows the rest (version, times).
const SECTIONS: [Section; 17] = [
    section!(["agents"], "agent", Some("name"), LOOSENS, TIGHTENS, fields::agent),
    section!(["http"], "known host", None, LOOSENS, Way::ByHost, fields::any),
    section!(["egress"], "way out", None, LOOSENS, Way::ByHost, fields::any),
    section!(["adapters"], "adapter", Some("id"), LOOSENS, TIGHTENS, fields::adapter),
    section!(["budgets"], "budget of", Some("agent"), TIGHTENS, LOOSENS, fields::budget),
    // Where nothing is said the default counts, which may be either.
    section!(["runs"], "limits of runs of", Some("agent"), LOOSENS, LOOSENS, fields::run),
    section!(["images"], "image", Some("name"), LOOSENS, TIGHTENS, fields::any),
    section!(["redaction", "profiles"], "redaction profile", None, TIGHTENS, LOOSENS, fields::any),
    section!(["redaction", "rules"], "redaction rule", Some("id"), TIGHTENS, LOOSENS, fields::redaction_rule),
    section!(["redaction", "allow"], "exception from redaction", None, LOOSENS, TIGHTENS, fields::any),
    section!(["redaction", "disable"], "switched-off redaction rule", Some("id"), LOOSENS, TIGHTENS, fields::words),
    section!(["llm", "providers"], "provider", Some("name"), LOOSENS, TIGHTENS, fields::provider),
    // No agent may ask for one that its own list does not name.
    section!(["llm", "models"], "model", Some("name"), NEUTRAL, TIGHTENS, fields::model),
    section!(["llm", "routes"], "route", Some("name"), NEUTRAL, TIGHTENS, fields::any),
    section!(["rules", "rule"], "rule", Some("id"), Way::ByClass, Way::ByClass, fields::rule),
    section!(["rules", "syntax"], "syntax", None, LOOSENS, LOOSENS, fields::any),
    section!(["rules", "paths"], "list of paths", Some("name"), LOOSENS, LOOSENS, fields::any),
];

/// Members that are no lists.
const SCALARS: [(&[&str], &str, Field); 5] = [
    (&["asking"], "how much people are asked", fields::any),
    (&["granting"], "what people may grant with an approval", fields::granting),
    (&["llm", "gate_memory"], "results without a decision", fields::gate_memory),
    (&["llm", "cache_breakpoints"], "cache breakpoints", fields::neutral),
    (&["minimum_agent"], "oldest daemon", fields::neutral),
];

/// Everything that differs, loosening first.
#[must_use]
pub fn compare(before: &Bundle, after: &Bundle) -> Vec<Difference> {
    // A new member must be compared, too: this does not build until it stands here.
    let Bundle {
        format: _,
        tenant: _,
        version: _,
        previous: _,
        issued: _,
        expires: _,
        minimum_agent: _,
        rules: _,
        agents: _,
        llm: _,
        http: _,
        redaction: _,
        egress: _,
        adapters: _,
        budgets: _,
        runs: _,
        images: _,
        asking: _,
        granting: _,
        any_agent: _,
    } = before;
    let [before, after] = [before, after].map(|bundle| serde_json::to_value(bundle).unwrap_or_default());
    let mut found = Vec::new();
    for section in &SECTIONS {
        section.compare(list(&before, section.path), list(&after, section.path), &mut found);
    }
    for (path, what, field) in SCALARS {
        let [before, after] = [&before, &after].map(|bundle| at(bundle, path));
        if before != after {
            let (before, after) = (before.clone(), after.clone());
            let effect = field(path[path.len() - 1], &before, &after);
            found.push(difference(effect, what.to_owned(), "changed", Some(before), Some(after)));
        }
    }
    found.sort_by(|a, b| (a.effect, &a.what, &a.how).cmp(&(b.effect, &b.what, &b.how)));
    found
}

impl Section {
    fn compare(&self, before: &[Value], after: &[Value], found: &mut Vec<Difference>) {
        let [old, new] = [before, after].map(|list| self.by_name(list));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let what = if name.is_empty() { self.what.to_owned() } else { format!("{} {name}", self.what) };
            match (old.get(name), new.get(name)) {
                (None, Some(one)) => {
                    let effect = self.added.effect(one, before, Effect::Tightens, Effect::Loosens);
                    found.push(difference(effect, what, "added", None, Some((*one).clone())));
                }
                (Some(one), None) => {
                    let effect = self.removed.effect(one, after, Effect::Loosens, Effect::Tightens);
                    found.push(difference(effect, what, "removed", Some((*one).clone()), None));
                }
                (Some(old), Some(new)) if old != new => self.changed(&what, old, new, found),
                _ => {}
            }
        }
    }

    fn changed(&self, what: &str, old: &Value, new: &Value, found: &mut Vec<Difference>) {
        let names: BTreeSet<&String> =
            [old, new].into_iter().filter_map(Value::as_object).flat_map(serde_json::Map::keys).collect();
        for name in names {
            let (before, after) = (&old[name], &new[name]);
            if before != after {
                let effect = (self.field)(name, before, after);
                let some = |value: &Value| (!value.is_null()).then(|| value.clone());
                found.push(difference(effect, what.to_owned(), name, some(before), some(after)));
            }
        }
    }

    /// One that stands there twice under one name is there under the whole of it, too, so that none is lost.
    fn by_name<'v>(&self, list: &'v [Value]) -> BTreeMap<String, &'v Value> {
        let mut named = BTreeMap::new();
        for one in list {
            let name = match self.key {
                Some(key) => one[key].as_str().unwrap_or("all agents").to_owned(),
                None => title(one),
            };
            let name = if named.contains_key(&name) { one.to_string() } else { name };
            named.insert(name, one);
        }
        named
    }
}

impl Way {
    fn effect(&self, one: &Value, others: &[Value], otherwise: Effect, opens: Effect) -> Effect {
        match self {
            Self::Is(effect) => *effect,
            Self::ByClass if one["class"] == "green" => opens,
            Self::ByClass => otherwise,
            Self::ByHost => {
                let host = |rule: &Value| rule["host"].as_str().unwrap_or_default().to_owned();
                if others.iter().any(|other| fields::overlap(&host(other), &host(one))) { otherwise } else { opens }
            }
        }
    }
}

/// The whole of one, short where it can be: `{"host":"a.example"}` is `a.example`.
fn title(one: &Value) -> String {
    match (one.as_str(), one.as_object()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(map)) if map.len() == 1 => {
            map.values().next().and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        _ => one.to_string(),
    }
}

fn difference(effect: Effect, what: String, how: &str, before: Option<Value>, after: Option<Value>) -> Difference {
    Difference { effect, what, how: how.to_owned(), before, after }
}

fn at<'v>(bundle: &'v Value, path: &[&str]) -> &'v Value {
    path.iter().fold(bundle, |value, name| &value[*name])
}

fn list<'v>(bundle: &'v Value, path: &[&str]) -> &'v [Value] {
    at(bundle, path).as_array().map_or(&[], Vec::as_slice)
}
