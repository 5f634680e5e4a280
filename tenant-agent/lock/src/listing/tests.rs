use std::collections::BTreeMap;

use super::*;

/// What nft 1.0.6 listed for the golden ruleset after some attempts.
const LISTED: &str = include_str!("listed.json");

fn listed() -> Listing {
    Listing::parse(LISTED.as_bytes()).expect("known")
}

#[test]
fn counters_and_destinations_are_read() {
    let Listing { totals, tried, .. } = listed();
    assert!(totals.passed.packets > 0 && totals.denied.packets > 3 && totals.denied_dns.packets > 0, "{totals:?}");
    let by_place: BTreeMap<String, Option<u32>> = tried
        .iter()
        .map(|Tried { destination: to, .. }| {
            let port = to.port.map(|port| format!(":{port}")).unwrap_or_default();
            (format!("{} {}{port}", protocol_name(to.protocol), to.address), to.uid)
        })
        .collect();
    for place in ["tcp 127.0.0.1:7402", "tcp 192.0.2.9:443", "udp 192.0.2.9:53", "tcp 2001:db8::9:443"] {
        assert_eq!(by_place.get(place), Some(&Some(998)), "{place} in {by_place:?}");
    }
    assert!(tried.is_sorted_by_key(|tried| tried.destination));
}

#[test]
fn a_count_is_no_change_of_shape_and_a_rule_is() {
    let shape = listed().shape;
    let mut json: Value = serde_json::from_str(LISTED).expect("JSON");
    for object in json["nftables"].as_array_mut().expect("a list") {
        for kind in ["counter", "set", "rule", "chain", "table"] {
            if let Some(body) = object.get_mut(kind) {
                body["handle"] = 4711.into();
                if kind == "counter" {
                    body["packets"] = 99.into();
                }
                if NOTED.iter().any(|name| body["name"] == *name) {
                    body.as_object_mut().expect("an object").remove("elem");
                }
            }
        }
    }
    let counted = Listing::parse(json.to_string().as_bytes()).expect("known");
    assert_eq!((counted.shape, counted.tried.len()), (shape, 0));

    for (from, to) in [
        ("\"policy\": \"accept\"", "\"policy\": \"drop\""),
        ("\"@tried4\"", "\"@tried6\""),
        ("\"right\": 7400", "\"right\": 7499"),
        ("\"right\": 998", "\"right\": 997"),
        ("\"jump\"", "\"goto\""),
        ("\"prio\": 0", "\"prio\": 1"),
    ] {
        assert!(LISTED.contains(from), "{from}");
        let changed = LISTED.replacen(from, to, 1);
        assert_ne!(Listing::parse(changed.as_bytes()).expect("known").shape, shape, "{from}");
    }
}

#[test]
fn the_order_of_a_set_is_no_change_of_shape() {
    let (from, to) = ("{\"set\": [53, 853]}", "{\"set\": [853, 53]}");
    assert!(LISTED.contains(from));
    let turned = LISTED.replace(from, to);
    assert_eq!(Listing::parse(turned.as_bytes()).expect("known").shape, listed().shape);
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    for bad in ["", "[]", "{}", "{\"nftables\":{}}", "{\"nftables\":[1]}", "{\"nftables\":[{\"set\":1}]}"] {
        assert!(Listing::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    for at in (0..LISTED.len()).step_by(7) {
        let _ = Listing::parse(&LISTED.as_bytes()[..at]);
    }
}
