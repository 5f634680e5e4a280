use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use super::*;
use crate::bundle::LlmConfig;

const TENANT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn pair(seed: u8) -> (Ed25519KeyPair, [u8; 32]) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    (pair, public)
}

fn keys() -> KeyList {
    listed(1, vec![Key::new(&pair(1).1)])
}

fn listed(version: u64, keys: Vec<Key>) -> KeyList {
    KeyList { version, keys, decision: Vec::new() }
}

fn bundle(version: u64) -> Bundle {
    let mut bundle = Bundle::default_for(TENANT.parse().unwrap(), Vec::new(), LlmConfig::default(), Timestamp(1_000));
    bundle.version = version;
    bundle
}

fn expect(seen: Option<(u64, Digest)>) -> Expect<'static> {
    Expect { tenant: TENANT.parse().unwrap(), seen, now: Timestamp(2_000), agent_version: "0.1.0" }
}

fn signed(bundle: &Bundle) -> Vec<u8> {
    sign(&bundle.to_json().unwrap(), &pair(1).0)
}

fn edit(envelope: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(envelope).unwrap();
    change(&mut value);
    serde_json::to_vec(&value).unwrap()
}

#[test]
fn envelopes_that_were_tampered_with_are_refused() {
    let good = signed(&bundle(1));
    let raw = |value: &Value| data_encoding::BASE64.decode(value["payload"].as_str().unwrap().as_bytes()).unwrap();
    let cases: Vec<(&str, Vec<u8>, Refused)> = vec![
        ("nothing", Vec::new(), Refused::NotAnEnvelope),
        ("the bare bundle", bundle(1).to_json().unwrap(), Refused::NotAnEnvelope),
        ("no signature", edit(&good, |v| v["signatures"] = json!([])), Refused::Unsigned),
        (
            "signatures gone",
            edit(&good, |v| drop(v.as_object_mut().unwrap().remove("signatures"))),
            Refused::NotAnEnvelope,
        ),
        ("another field", edit(&good, |v| v["unsigned"] = json!(true)), Refused::NotAnEnvelope),
        ("an empty signature", edit(&good, |v| v["signatures"][0]["sig"] = json!("")), Refused::BadSignature),
        ("no key id", edit(&good, |v| v["signatures"][0]["keyid"] = json!("")), Refused::UnknownKey),
        ("another key", sign(&bundle(1).to_json().unwrap(), &pair(2).0), Refused::UnknownKey),
        (
            "another key under a listed name",
            edit(&sign(&bundle(1).to_json().unwrap(), &pair(2).0), |v| {
                v["signatures"][0]["keyid"] = json!(key_id(&pair(1).1));
            }),
            Refused::BadSignature,
        ),
        ("another type", edit(&good, |v| v["payloadType"] = json!(KEYS_TYPE)), Refused::PayloadType),
        ("signed for another type", seal(KEYS_TYPE, &bundle(1).to_json().unwrap(), &pair(1).0), Refused::PayloadType),
        (
            "signed for another type, renamed",
            edit(&seal(KEYS_TYPE, &bundle(1).to_json().unwrap(), &pair(1).0), |v| {
                v["payloadType"] = json!(BUNDLE_TYPE)
            }),
            Refused::BadSignature,
        ),
        (
            "one byte more",
            edit(&good, |v| {
                let mut payload = raw(v);
                payload.push(b' ');
                v["payload"] = json!(data_encoding::BASE64.encode(&payload));
            }),
            Refused::BadSignature,
        ),
        (
            "too many signatures",
            edit(&good, |v| {
                let one = v["signatures"][0].clone();
                v["signatures"] = Value::Array(vec![one; 17]);
            }),
            Refused::TooLarge,
        ),
        ("too large", vec![b' '; MAX_ENVELOPE_BYTES + 1], Refused::TooLarge),
    ];
    for (what, envelope, refused) in cases {
        assert_eq!(verify(&envelope, &keys(), &expect(None)).unwrap_err(), refused, "{what}");
    }
    assert_eq!(verify(&good, &listed(1, vec![]), &expect(None)).unwrap_err(), Refused::UnknownKey);
}

#[test]
fn signed_bundles_that_must_not_count_are_refused() {
    let tenant = TENANT.parse().unwrap();
    let other: TenantId = "01890a5d-ac96-774b-bcce-b302099a8058".parse().unwrap();
    let seen = bundle_digest(&bundle(5).to_json().unwrap());
    let with = |change: fn(&mut Bundle)| {
        let mut bundle = bundle(6);
        change(&mut bundle);
        signed(&bundle)
    };
    for (envelope, refused) in [
        (with(|b| b.format = 2), Refused::Format(2)),
        (with(|b| b.tenant = "01890a5d-ac96-774b-bcce-b302099a8058".parse().unwrap()), Refused::WrongTenant(other)),
        (signed(&bundle(4)), Refused::Rollback { seen: 5, got: 4 }),
        (signed(&bundle(0)), Refused::Rollback { seen: 5, got: 0 }),
        (with(|b| b.version = 5), Refused::SameVersion(5)),
        (with(|b| b.previous = Some(Digest::plain(b"fork"))), Refused::BrokenChain(6)),
        (with(|b| b.expires = Timestamp(2_000)), Refused::Expired(Timestamp(2_000))),
        (with(|b| b.issued = b.expires), Refused::Expired(bundle(6).expires)),
        (with(|b| b.minimum_agent = "0.1.1".into()), Refused::AgentTooOld("0.1.1".into())),
        (with(|b| b.minimum_agent = "new".into()), Refused::AgentTooOld("new".into())),
    ] {
        let mut expect = expect(Some((5, seen)));
        if matches!(refused, Refused::SameVersion(_)) {
            expect.seen = Some((5, Digest::plain(b"other content")));
        }
        assert_eq!(expect.tenant, tenant);
        assert_eq!(verify(&envelope, &keys(), &expect).unwrap_err(), refused);
    }
    assert!(matches!(verify(&signed(&bundle(0)), &keys(), &expect(None)), Err(Refused::Rollback { seen: 0, got: 0 })));
}

#[test]
fn signed_bundles_with_unknown_fields_or_broken_rules_are_refused() {
    for change in [
        (|v: &mut Value| v["allow_everything"] = json!(true)) as fn(&mut Value),
        |v| v["any_agent"] = json!("autonomous"),
        |v| v["rules"]["rule"][0]["colour"] = json!("red"),
        |v| v["rules"]["rule"][0]["match"] = json!(["write: a"]),
        |v| v["rules"]["rule"][0]["match"] = json!([]),
    ] {
        let json = edit(&bundle(1).to_json().unwrap(), change);
        let refused = verify(&sign(&json, &pair(1).0), &keys(), &expect(None));
        assert!(matches!(refused, Err(Refused::Unreadable(_))), "{refused:?}");
    }
}

#[test]
fn budgets_that_contradict_themselves_are_refused() {
    let with = |budgets: Value| {
        let json = edit(&bundle(1).to_json().unwrap(), |v| v["budgets"] = budgets);
        verify(&sign(&json, &pair(1).0), &keys(), &expect(None))
    };
    assert!(matches!(with(json!([{"agent": "nobody", "concurrent": 1}])), Err(Refused::Budgets(_))));
    assert_eq!(with(json!([{"concurrent": 1}])).unwrap().bundle.budgets[0].concurrent, Some(1));
}

#[test]
fn redaction_rules_that_miss_their_own_examples_are_refused() {
    let rule = |token: &str| {
        let rule = json!({
            "id": "acme-badge", "source": "https://example.com/badges", "keywords": ["acme_"], "token": token,
            "matches": ["acme_0123456789abcdef"],
        });
        let json = edit(&bundle(1).to_json().unwrap(), |v| v["redaction"] = json!({"rules": [rule]}));
        verify(&sign(&json, &pair(1).0), &keys(), &expect(None))
    };
    for token in ["acme_[0-9a-f]{17}", "acme_[0-9a-f]+", "acme_(", "other_[0-9]{4}"] {
        assert!(matches!(rule(token), Err(Refused::Redaction(_))), "{token}");
    }
    let accepted = rule("acme_[0-9a-f]{16}").unwrap();
    assert_eq!(accepted.bundle.redaction.rules[0].id, "acme-badge");
}

#[test]
fn a_good_bundle_is_accepted_again_and_again() {
    let first = bundle(1);
    let accepted = verify(&signed(&first), &keys(), &expect(None)).unwrap();
    assert_eq!(accepted.bundle, first);
    assert_eq!(accepted.digest, bundle_digest(&first.to_json().unwrap()));
    verify(&signed(&first), &keys(), &expect(Some((1, accepted.digest)))).unwrap();

    let mut second = bundle(2);
    second.previous = Some(accepted.digest);
    verify(&signed(&second), &keys(), &expect(Some((1, accepted.digest)))).unwrap();
    // Versions may be left out; then the predecessor is not known here.
    second.version = 9;
    verify(&signed(&second), &keys(), &expect(Some((1, accepted.digest)))).unwrap();
}

#[test]
fn any_one_listed_key_is_enough() {
    let list = listed(2, vec![Key::new(&pair(3).1), Key::new(&pair(1).1)]);
    verify(&signed(&bundle(1)), &list, &expect(None)).unwrap();
}

#[test]
fn key_lists_of_another_root_or_of_yesterday_are_refused() {
    let (root, public) = pair(9);
    let good = keys().sign(&root);
    assert_eq!(KeyList::verify(&keys().sign(&pair(8).0), &public, None), Err(Refused::UnknownKey));
    assert_eq!(KeyList::verify(&edit(&good, |v| v["signatures"] = json!([])), &public, None), Err(Refused::Unsigned));
    assert_eq!(
        KeyList::verify(&good, &public, Some(&listed(2, keys().keys))),
        Err(Refused::Rollback { seen: 2, got: 1 })
    );
    assert_eq!(KeyList::verify(&sign(b"{}", &root), &public, None), Err(Refused::PayloadType));
    for bad in [
        listed(1, vec![]),
        listed(1, vec![Key { id: key_id(&pair(2).1), ..Key::new(&pair(1).1) }]),
        listed(1, vec![Key { public: "AA==".into(), ..Key::new(&pair(1).1) }]),
        listed(1, (1..=17).map(|seed| Key::new(&pair(seed).1)).collect()),
        listed(1, vec![Key::new(&pair(1).1), Key::new(&pair(1).1)]),
        KeyList { decision: vec![Key::new(&pair(1).1)], ..keys() },
        KeyList { decision: vec![Key::new(&pair(2).1)], ..listed(1, vec![]) },
    ] {
        assert!(matches!(KeyList::verify(&bad.sign(&root), &public, None), Err(Refused::Unreadable(_))), "{bad:?}");
    }
    assert_eq!(KeyList::verify(&good, &public, Some(&keys())), Ok(keys()), "the same again");
    let other = listed(1, vec![Key::new(&pair(2).1)]);
    assert_eq!(KeyList::verify(&other.sign(&root), &public, Some(&keys())), Err(Refused::SameVersion(1)));
    assert_eq!(KeyList::verify(&good, &public, Some(&other)), Err(Refused::SameVersion(1)));
}

#[test]
fn decisions_are_signed_by_the_pinned_key_until_the_list_names_others() {
    let pinned = pair(5).1;
    assert_eq!(keys().decision_keys(&pinned), [pinned]);
    let list = KeyList { version: 2, decision: vec![Key::new(&pair(6).1)], ..keys() };
    assert_eq!(list.decision_keys(&pinned), [pair(6).1], "the pinned one counts no more");
    // A list without reads as before, for daemons that do not know the word.
    assert!(!serde_json::to_string(&keys()).expect("JSON").contains("decision"));
}

#[test]
fn a_draft_is_read_as_a_signed_one_would_be() {
    let (now, later) = (bundle(1).issued, Timestamp(bundle(1).expires.millis()));
    let read = |bundle: &Bundle, at| examine(&bundle.to_json().expect("JSON"), bundle.tenant, at, "0.1.0");
    assert_eq!(read(&bundle(1), now), Ok(bundle(1)));
    assert!(matches!(read(&bundle(1), later), Err(Refused::Expired(_))));
    let newer = Bundle { minimum_agent: "9.0.0".to_owned(), ..bundle(1) };
    assert!(matches!(read(&newer, now), Err(Refused::AgentTooOld(_))));
    let other = "0198f000-0000-7000-8000-00000000000f".parse().expect("a UUID");
    assert!(matches!(examine(&bundle(1).to_json().expect("JSON"), other, now, "0.1.0"), Err(Refused::WrongTenant(_))));
    assert!(matches!(examine(b"{}", other, now, "0.1.0"), Err(Refused::Unreadable(_))));
}
