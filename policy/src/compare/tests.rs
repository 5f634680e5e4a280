use serde_json::json;
use wardkeep_proto::time::Timestamp;

use super::*;

/// What differs between any two bundles of a tenant.
const NOT_COMPARED: [&str; 6] = ["format", "tenant", "version", "previous", "issued", "expires"];
const TENANT: &str = "0198f000-0000-7000-8000-000000000001";

fn base() -> Value {
    let mut bundle = Bundle::default_for(TENANT.parse().expect("a UUID"), Vec::new(), Default::default(), Timestamp(0));
    bundle.rules = crate::rules::RuleSet::from_toml(&[
        "[[rule]]\nid = \"a.b\"\nclass = \"red\"\nreason = \"does b\"\nprogram = [\"a\"]\nsub = [\"b\"]\nmatch = [\"a b\"]\n",
    ])
    .expect("a rule");
    let mut value = serde_json::to_value(bundle).expect("JSON");
    value["agents"] = json!([{
        "name": "office", "level": "trusted", "tools": ["shell", "read_file"], "models": ["m"], "workspace": "/srv/a",
        "subagents": {"level": "supervised", "depth": 2, "count": 4},
        "grants": [{"tool": "send_email", "recipients": ["*@a.example", "b@b.example"], "hosts": [], "expires": 1000}],
    }]);
    value["http"] = json!([{"host": "*.own.example", "kind": "own"}, {"host": "api.own.example", "kind": "known"}]);
    value["egress"] = json!([{"host": "a.example", "ports": [443], "mode": "inspect"}]);
    value["budgets"] = json!([{"enforce": true, "limits": [{"window": "day", "tokens": 100}], "concurrent": 4,
        "brake": {"turns": 10, "minutes": 60}}]);
    value["runs"] = json!([{"agent": "office", "seconds": 60}]);
    value["images"] = json!([{"name": "box", "id": "sha256:aa"}]);
    value["adapters"] = json!([{"id": "shop", "title": "Shop", "source": "https://shop.example/docs",
        "base_url": "https://api.shop.example", "tools": [
            {"name": "list", "title": "List", "description": "Lists", "method": "GET", "path": "/v1", "class": "yellow"},
            {"name": "sell", "title": "Sell", "description": "Sells", "method": "POST", "path": "/v1", "class": "red"}]}]);
    value["redaction"] = json!({"profiles": ["personal"], "allow": [{"value": "x", "reason": "y"}]});
    value["granting"] = json!({"hours": 8, "uses": 20, "domains": false});
    value["llm"] = json!({
        "providers": [{"name": "p", "dialect": "anthropic", "base_url": "https://p.example", "key": "k"}],
        "models": [{"name": "m", "provider": "p", "upstream_model": "u", "max_output": 100}],
    });
    value
}

fn bundle(value: &Value) -> Bundle {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn effects(path: &str, to: Value) -> Vec<(Effect, String)> {
    let mut changed = base();
    *changed.pointer_mut(path).unwrap_or_else(|| panic!("{path} is not there")) = to;
    compare(&bundle(&base()), &bundle(&changed)).into_iter().map(|found| (found.effect, found.how)).collect()
}

#[test]
fn equal_bundles_do_not_differ_and_times_are_no_difference() {
    let mut later = base();
    (later["version"], later["issued"], later["expires"]) = (json!(7), json!(10), json!(20));
    assert_eq!(compare(&bundle(&base()), &bundle(&later)), []);
}

#[test]
fn what_opens_is_marked() {
    for (path, to) in [
        ("/agents/0/level", json!("autonomous")),
        ("/agents/0/tools", json!(["shell", "read_file", "send_email"])),
        ("/agents/0/tools", json!(null)),
        ("/agents/0/models", json!(["m", "n"])),
        ("/agents/0/workspace", json!("/srv")),
        ("/agents/0/grants/0/expires", json!(null)),
        ("/agents/0/grants/0/expires", json!(1001)),
        ("/agents/0/grants/0/recipients", json!(["*@c.example"])),
        ("/agents/0/grants/0/hosts", json!(["c.example"])),
        ("/agents/0/grants", json!([{"tool": "shell", "commands": [["ls"]]}])),
        ("/agents/0/subagents", json!({})),
        ("/agents/0/subagents/level", json!("trusted")),
        ("/agents/0/subagents/depth", json!(3)),
        ("/agents/0/subagents/count", json!(5)),
        ("/http/1/kind", json!("own")),
        ("/egress/0/mode", json!("tunnel")),
        ("/egress/0/ports", json!([443, 22])),
        ("/budgets/0/limits/0/tokens", json!(101)),
        ("/budgets/0/limits", json!([])),
        ("/budgets/0/concurrent", json!(null)),
        ("/budgets/0/enforce", json!(false)),
        ("/budgets/0/brake/minutes", json!(30)),
        ("/budgets/0/brake", json!(null)),
        ("/budgets", json!([])),
        ("/redaction/profiles", json!([])),
        ("/granting", json!({"hours": 9, "uses": 20})),
        ("/granting/uses", json!(21)),
        ("/granting/domains", json!(true)),
        ("/runs/0/seconds", json!(61)),
        ("/runs", json!([])),
        ("/images/0/id", json!("sha256:bb")),
        ("/adapters/0/base_url", json!("https://other.example")),
        ("/adapters/0/tools/1/class", json!("yellow")),
        ("/redaction/allow/0/value", json!("z")),
        ("/llm/providers/0/base_url", json!("https://q.example")),
        ("/llm/models/0/max_output", json!(101)),
        ("/rules/rule/0/class", json!("yellow")),
        ("/rules/rule/0/sub", json!(["b", "c"])),
        ("/rules/rule", json!([])),
    ] {
        let found = effects(path, to.clone());
        assert_eq!(found.first().map(|(effect, _)| *effect), Some(Effect::Loosens), "{path} {to}: {found:?}");
    }
}

#[test]
fn what_closes_is_not_marked_as_opening() {
    for (path, to) in [
        ("/agents/0/level", json!("supervised")),
        ("/agents/0/tools", json!(["shell"])),
        ("/agents/0/tools", json!([])),
        ("/agents/0/models", json!([])),
        ("/agents/0/subagents", json!({"level": "supervised", "depth": 1})),
        ("/agents/0/subagents/depth", json!(0)),
        ("/agents/0/grants", json!([])),
        ("/agents/0/grants/0/expires", json!(999)),
        ("/agents/0/grants/0/recipients", json!(["b@b.example"])),
        ("/agents", json!([])),
        ("/http", json!([{"host": "api.own.example", "kind": "known"}])),
        ("/egress", json!([])),
        ("/budgets/0/limits/0/tokens", json!(99)),
        ("/budgets/0/brake/turns", json!(9)),
        ("/redaction/allow", json!([])),
        ("/granting/hours", json!(7)),
        ("/granting", json!({"hours": 8, "uses": 19})),
        ("/runs/0/seconds", json!(59)),
        ("/images", json!([])),
        ("/adapters", json!([])),
        ("/llm/models/0/max_output", json!(99)),
        ("/rules/rule/0/class", json!("critical_red")),
    ] {
        let found = effects(path, to.clone());
        // A stricter entry that goes while a wider one stays is the exception that the next test looks at.
        let all = found.iter().all(|(effect, _)| *effect == Effect::Tightens);
        assert!(all == (path != "/http") && !found.is_empty(), "{path} {to}: {found:?}");
    }
    for (path, to) in [("/rules/rule/0/reason", json!("does it")), ("/budgets/0/contact", json!("Ada"))] {
        let mut changed = base();
        if changed.pointer(path).is_none() {
            changed["budgets"][0]["contact"] = to.clone();
        } else {
            *changed.pointer_mut(path).expect("there") = to.clone();
        }
        let found = compare(&bundle(&base()), &bundle(&changed));
        assert!(found.len() == 1 && found[0].effect == Effect::Neutral, "{path}: {found:?}");
    }
}

/// Of several entries for a host the strictest counts, so removing one may open what the others say.
#[test]
fn a_stricter_entry_that_goes_while_a_wider_one_stays_opens() {
    let found = effects("/http", json!([{"host": "*.own.example", "kind": "own"}]));
    assert_eq!(found, [(Effect::Loosens, "removed".to_owned())]);
    for (one, other, want) in [
        ("*.a.example", "x.a.example", true),
        ("x.a.example", "*.a.example", true),
        ("*.a.example", "*.b.a.example", true),
        ("*.a.example", "a.example", false),
        ("a.example", "b.example", false),
    ] {
        assert_eq!(fields::overlap(one, other), want, "{one} {other}");
    }
}

#[test]
fn a_green_rule_opens_and_loosening_stands_first() {
    let green = json!({"id": "z.z", "class": "green", "reason": "reads", "program": ["z"], "match": ["z"]});
    let mut changed = base();
    changed["rules"]["rule"].as_array_mut().expect("a list").push(green);
    changed["agents"][0]["level"] = json!("supervised");
    let found = compare(&bundle(&base()), &bundle(&changed));
    assert_eq!((found[0].effect, found[0].what.as_str()), (Effect::Loosens, "rule z.z"));
    assert_eq!((found[1].effect, found[1].how.as_str()), (Effect::Tightens, "level"));
    let back = compare(&bundle(&changed), &bundle(&base()));
    assert_eq!((back[0].effect, back[0].how.as_str()), (Effect::Loosens, "level"));
    assert_eq!((back[1].effect, back[1].what.as_str()), (Effect::Tightens, "rule z.z"));
}

/// A new member of the bundle must be compared, too.
#[test]
fn no_member_is_forgotten() {
    let known = |path: &[&str]| {
        SECTIONS.iter().map(|section| section.path).chain(SCALARS.iter().map(|(path, ..)| *path)).any(|p| p == path)
    };
    let mut whole = base();
    whole["llm"]["gate_memory"] = json!("off");
    whole["llm"]["cache_breakpoints"] = json!(true);
    let whole = serde_json::to_value(bundle(&whole)).expect("JSON");
    for (name, value) in whole.as_object().expect("an object") {
        let inner: Vec<&String> = match value {
            Value::Object(map) => map.keys().collect(),
            _ => Vec::new(),
        };
        let is_known = NOT_COMPARED.contains(&name.as_str())
            || known(&[name])
            || (!inner.is_empty() && inner.iter().all(|member| known(&[name, member])));
        assert!(is_known, "{name} {inner:?} is not compared");
    }
}

#[test]
fn the_count_of_a_grant_is_part_of_what_it_lets_pass() {
    let grant = |uses: Value, to: &str| {
        let mut grant = json!({"tool": "send_email", "recipients": [to], "hosts": [], "uses": uses});
        if uses.is_null() {
            grant.as_object_mut().expect("an object").remove("uses");
        }
        grant
    };
    for (before, after, want) in [
        (grant(json!(5), "a@b.example"), grant(json!(6), "a@b.example"), Effect::Loosens),
        (grant(json!(5), "a@b.example"), grant(json!(null), "a@b.example"), Effect::Loosens),
        // Another grant counts from nought.
        (grant(json!(5), "*@b.example"), grant(json!(5), "a@b.example"), Effect::Loosens),
        (grant(json!(5), "a@b.example"), grant(json!(4), "a@b.example"), Effect::Tightens),
        (grant(json!(null), "a@b.example"), grant(json!(4), "a@b.example"), Effect::Tightens),
    ] {
        let with = |grant: &Value| {
            let mut changed = base();
            changed["agents"][0]["grants"] = json!([grant]);
            bundle(&changed)
        };
        let found = compare(&with(&before), &with(&after));
        assert!(found.iter().all(|one| one.effect == want) && !found.is_empty(), "{before} {after}: {found:?}");
    }
}
