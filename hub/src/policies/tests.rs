use wardkeep_policy::signed::{Expect, KeyList, verify};

use super::*;
use crate::keys::{BundleSeed, Old, with, without};
use crate::testing::World;

const GOOD: &str = r#"
[[agents]]
name = "assistant"
level = "trusted"
workspace = "/srv/agents/assistant"
models = ["sonnet"]

[[providers]]
name = "anthropic"
dialect = "anthropic"
base_url = "https://api.anthropic.com"
key = "anthropic_api_key"

[[models]]
name = "sonnet"
provider = "anthropic"
upstream_model = "claude-sonnet-4-5"
price = { input = 3000000, output = 15000000 }

[[http]]
host = "api.example.com"
"#;

#[test]
fn mistakes_are_refused_before_anything_is_signed() {
    let tenant = "0198f000-0000-7000-8000-000000000001".parse().expect("a UUID");
    let check = |text: &str| draft(tenant, text, None, Timestamp(0));
    check(GOOD).expect("the good one is good");
    check(EXAMPLE).expect("the example is good");
    for (from, to) in [
        ("[[http]]", "[[htpp]]"),
        ("level = \"trusted\"", "level = \"root\""),
        ("provider = \"anthropic\"", "provider = \"openai\""),
        ("models = [\"sonnet\"]", "models = [\"opus\"]"),
        ("https://api.anthropic.com", "http://api.anthropic.com"),
        ("https://api.anthropic.com", "file:///etc/passwd"),
        ("\"/srv/agents/assistant\"", "\"agents\""),
        ("[[http]]", "[[agents]]\nname = \"assistant\"\nlevel = \"trusted\"\nworkspace = \"/x\"\n[[http]]"),
        ("key = \"anthropic_api_key\"", "key = \"sk-ant-Not-A-Name\""),
        ("key = \"anthropic_api_key\"", "kind = \"antropic\""),
        ("key = \"anthropic_api_key\"", "auth = \"bearer\""),
        ("key = \"anthropic_api_key\"", "key = \"a\"\nheaders = { x-api-key = \"sk-ant\" }"),
        ("[[http]]", "[[budgets]]\nagent = \"nobody\"\nconcurrent = 1\n[[http]]"),
        ("[[http]]", "[[budgets]]\nlimits = [{ window = \"week\", tokens = 1 }]\n[[http]]"),
        ("[[http]]", "[[adapters]]\nstack = \"nowhere\"\n[[http]]"),
        ("[[http]]", "[[adapters]]\nstack = \"gitea\"\n[[http]]"),
        ("[[http]]", "[[adapters]]\nstack = \"gitea\"\nbase_url = \"http://git.example.com\"\n[[http]]"),
        ("[[http]]", "[[adapters]]\nstack = \"stripe\"\nonly = [\"pay_me\"]\n[[http]]"),
        ("[[http]]", "[[adapters]]\nstack = \"stripe\"\n[[adapters]]\nstack = \"stripe\"\n[[http]]"),
        (
            "[[http]]",
            "[[adapters]]\nstack = \"stripe\"\nauth = { kind = \"query\", name = \"k\", value = \"sk_live_1\" }\n[[http]]",
        ),
    ] {
        assert!(GOOD.contains(from), "{from}");
        assert!(check(&GOOD.replacen(from, to, 1)).is_err(), "{to}");
    }
    assert!(matches!(check(&"#".repeat(SOURCE_BYTES + 1)), Err(PublishError::TooLong)));
}

#[test]
fn an_adapter_is_whole_in_the_bundle() {
    let tenant = "0198f000-0000-7000-8000-000000000001".parse().expect("a UUID");
    let own = "[[adapters]]\nstack = \"gitea\"\nid = \"forge\"\nbase_url = \"https://git.example.com\"\nonly = [\"get_issue\"]\n";
    let drafted = draft(tenant, &format!("{GOOD}\n{own}"), None, Timestamp(0)).expect("good");
    let [adapter] = drafted.bundle.adapters.as_slice() else { panic!("one") };
    assert_eq!((adapter.id.as_str(), adapter.base_url.as_str()), ("forge", "https://git.example.com"));
    assert_eq!(adapter.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["get_issue"]);
    let read: Bundle = serde_json::from_slice(&drafted.json).expect("what is signed is read again");
    assert_eq!(read.adapters, drafted.bundle.adapters);
}

#[test]
fn a_kind_is_resolved_before_it_is_signed() {
    let tenant = "0198f000-0000-7000-8000-000000000001".parse().expect("a UUID");
    let short =
        GOOD.replace("dialect = \"anthropic\"\nbase_url = \"https://api.anthropic.com\"", "kind = \"anthropic\"");
    assert_ne!(short, GOOD);
    let [long, short] = [GOOD, &short].map(|text| draft(tenant, text, None, Timestamp(0)).expect("good").json);
    assert_eq!(String::from_utf8(short), String::from_utf8(long), "an older daemon reads it as before");
}

#[tokio::test]
async fn what_is_published_is_what_the_tenant_accepts() {
    let world = World::new().await;
    let (tenant, other) = (world.tenant("bakery", "bakery").await, world.tenant("butcher", "butcher").await);
    let publisher = &world.app().publisher;
    let first = publisher.publish(&Caller::Operator, "ada", tenant, GOOD).await.expect("published");
    let second = publisher.publish(&Caller::Operator, "ada", tenant, GOOD).await.expect("published");
    assert_eq!((first.version, second.version), (1, 2));
    let keys = world.keys.ring.listed().await.expect("signed by the root").list;
    let expect = |tenant, seen| Expect { tenant, seen, now: world.app().clock.now(), agent_version: "0.1.0" };
    let accepted = verify(&first.envelope, &keys, &expect(tenant, None)).expect("accepted");
    assert_eq!(accepted.digest, first.digest);
    let accepted = verify(&second.envelope, &keys, &expect(tenant, Some((1, first.digest)))).expect("accepted");
    assert_eq!(accepted.bundle.previous, Some(first.digest));
    assert!(verify(&first.envelope, &keys, &expect(tenant, Some((2, second.digest)))).is_err(), "rolled back");
    assert!(verify(&first.envelope, &keys, &expect(other, None)).is_err(), "another tenant's");
}

#[tokio::test]
async fn a_stranger_publishes_nothing() {
    let world = World::new().await;
    let tenant = world.tenant("bakery", "bakery").await;
    let eve = world.user("eve", Some("butcher")).await;
    let outcome = world.app().publisher.publish(&eve.caller(), "eve", tenant, GOOD).await;
    assert!(matches!(outcome, Err(PublishError::NoTenant)));
    assert_eq!(world.app().store.policy(&Caller::Operator, tenant).await.expect("read"), None);
}

#[tokio::test]
async fn a_policy_is_signed_again_well_before_it_expires() {
    let world = World::new().await;
    let tenant = world.tenant("bakery", "bakery").await;
    let publisher = &world.app().publisher;
    let first = publisher.publish(&Caller::Operator, "ada", tenant, GOOD).await.expect("published");
    assert_eq!(publisher.renew().await.expect("asked"), 0);
    world.clock.forward(BUNDLE_LIFE - RENEW_BEFORE + Duration::from_secs(1));
    assert_eq!(publisher.renew().await.expect("asked"), 1);
    let newest = world.app().store.policy(&Caller::Operator, tenant).await.expect("read").expect("there");
    assert_eq!((newest.version, newest.source.as_str()), (2, GOOD));
    assert!(newest.expires > first.expires);
    assert_eq!(publisher.renew().await.expect("asked"), 0, "once is enough");
}

/// Who rotates signs everything again; what a key signed that is kept elsewhere stays as long as it is listed.
#[tokio::test]
async fn what_another_key_signed_is_signed_again_when_that_key_goes() {
    let world = World::new().await;
    let (bakery, butcher) = (world.tenant("bakery", "bakery").await, world.tenant("butcher", "butcher").await);
    let (publisher, ring, store) = (&world.app().publisher, &world.keys.ring, &world.app().store);
    let root = &world.root;
    let (now, chance) = (world.app().clock.now(), world.app().chance.as_ref());
    let first = publisher.publish(&Caller::Operator, "ada", bakery, GOOD).await.expect("published");
    assert_eq!(publisher.sign_again().await.expect("asked"), (0, 0));

    // A key that lives elsewhere.
    let elsewhere = BundleSeed::new(chance).key().expect("a key");
    let (list, pinned) = (ring.listed().await.expect("listed").list, ring.pinned().await.expect("there"));
    let mut both = with(&list, Purpose::Bundle, elsewhere.listed(), &pinned, Old::Stay).expect("a list");
    both.keys.rotate_left(1);
    let draft = publisher.draft(&Caller::Operator, butcher, GOOD).await.expect("good");
    let envelope = elsewhere.seal(&draft.json);
    let unlisted = publisher.publish_signed(&Caller::Operator, "ada", butcher, GOOD, envelope.clone()).await;
    assert!(matches!(unlisted, Err(PublishError::Signed(_))), "its key is not listed yet");
    ring.install(root.sign(&both).expect("signed"), now).await.expect("installed");
    for (text, tenant) in [(GOOD.replace("trusted", "autonomous"), butcher), (GOOD.to_owned(), bakery)] {
        let other = publisher.publish_signed(&Caller::Operator, "ada", tenant, &text, envelope.clone()).await;
        assert!(matches!(other, Err(PublishError::Signed(_))), "another text, another tenant");
    }
    let signed =
        publisher.publish_signed(&Caller::Operator, "ada", butcher, GOOD, envelope.clone()).await.expect("published");
    assert_eq!((signed.version, &signed.envelope), (1, &envelope));
    let again = publisher.publish_signed(&Caller::Operator, "ada", butcher, GOOD, envelope).await;
    assert!(matches!(again, Err(PublishError::Signed(_))), "it is not the next version any more");
    assert_eq!(publisher.sign_again().await.expect("asked"), (0, 0), "its key is listed");

    let key = ring.add(Purpose::Bundle, now, chance).await.expect("made");
    let next = with(&both, Purpose::Bundle, key.clone(), &pinned, Old::Stay).expect("a list");
    ring.install(root.sign(&next).expect("signed"), now).await.expect("installed");
    assert_eq!(publisher.sign_again().await.expect("asked"), (1, 0), "the hub's own");
    let newest = store.policy(&Caller::Operator, bakery).await.expect("read").expect("there");
    assert_eq!((newest.version, newest.signer.as_ref()), (first.version + 1, Some(&key.id)));
    let gone = without(&next, &elsewhere.listed().id, &pinned).expect("a list");
    ring.install(root.sign(&gone).expect("signed"), now).await.expect("installed");
    assert_eq!(publisher.sign_again().await.expect("asked"), (1, 0), "what the revoked one signed");
    assert_eq!(publisher.sign_again().await.expect("asked"), (0, 0));
    // An older list, and one of the same version with other content.
    for (list, what) in [
        (&both, "older"),
        (&with(&both, Purpose::Bundle, gone.keys[0].clone(), &pinned, Old::Go).expect("a list"), "older, too"),
    ] {
        assert!(matches!(ring.install(root.sign(list).expect("signed"), now).await, Err(KeysError::List(_))), "{what}");
    }
    let same = KeyList { version: gone.version, keys: vec![list.keys[0].clone()], decision: Vec::new() };
    assert!(
        matches!(ring.install(root.sign(&same).expect("signed"), now).await, Err(KeysError::List(_))),
        "other content"
    );
    let foreign = KeyList { version: 99, keys: vec![elsewhere.listed()], decision: Vec::new() };
    assert!(matches!(ring.install(root.sign(&foreign).expect("signed"), now).await, Err(KeysError::NotHeld(_))));
}

#[test]
fn redaction_rules_are_tried_before_anything_is_signed() {
    let tenant = "0198f000-0000-7000-8000-000000000001".parse().expect("a UUID");
    let rule = r#"
[[redaction.rules]]
id = "acme-badge"
source = "https://example.com/badges"
keywords = ["acme_"]
token = 'acme_[0-9a-f]{16}'
matches = ["badge acme_0123456789abcdef"]
"#;
    let with = |rule: &str| draft(tenant, &format!("{GOOD}{rule}"), None, Timestamp(0));
    for (from, to, says) in [
        ("{16}", "{17}", "finds nothing in example 1"),
        ("{16}", "{1,}", "token"),
        ("source = \"https://example.com/badges\"", "", "source"),
        ("matches = [\"badge acme_0123456789abcdef\"]", "", "example"),
        ("token =", "tokne =", "tokne"),
    ] {
        let text = rule.replace(from, to);
        assert_ne!(text, rule, "{from} is not there");
        let refused = with(&text).expect_err(&text).to_string();
        assert!(refused.contains(says), "{refused}");
    }
    let draft = with(rule).expect("its own example is found");
    assert_eq!(draft.bundle.redaction.rules[0].id, "acme-badge");
    assert!(std::str::from_utf8(&draft.json).expect("JSON").contains("acme_[0-9a-f]{16}"));
    // A policy without any reads as before, for daemons that do not know the word.
    let plain = with("").expect("good");
    assert!(!std::str::from_utf8(&plain.json).expect("JSON").contains("redaction"));
}

#[test]
fn egress_rules_are_checked_before_anything_is_signed() {
    let tenant = "0198f000-0000-7000-8000-000000000001".parse().expect("a UUID");
    let rule = r#"
[[egress]]
host = "*.shop.example"
mode = "inspect"
methods = ["GET"]
paths = ["/v1/**"]
agents = ["assistant"]
"#;
    let with = |rule: &str| draft(tenant, &format!("{GOOD}{rule}"), None, Timestamp(0));
    for (from, to, says) in [
        ("*.shop.example", "*.com", "at least two labels"),
        ("*.shop.example", "https://shop.example", "without scheme"),
        ("*.shop.example", "169.254.169.254", "stay closed"),
        ("\"inspect\"", "\"tunnel\"", "cannot be looked into"),
        ("\"inspect\"", "\"open\"", "unknown variant"),
        ("[\"GET\"]", "[\"get\"]", "capitals"),
        ("/v1/**", "/v1/../**", "dot segments"),
        ("[\"assistant\"]", "[\"nobody\"]", "not there"),
        ("methods", "method", "unknown field"),
    ] {
        let text = rule.replace(from, to);
        assert_ne!(text, rule, "{from} is not there");
        let refused = with(&text).expect_err(&text).to_string();
        assert!(refused.contains(says), "{refused}");
    }
    let draft = with(rule).expect("good");
    assert_eq!(draft.bundle.egress[0].host, "*.shop.example");
    // A policy without any reads as before, for daemons that do not know the word.
    assert!(!std::str::from_utf8(&with("").expect("good").json).expect("JSON").contains("\"egress\":"));
}

#[test]
fn routes_are_checked_before_anything_is_signed() {
    let tenant = "0198f000-0000-7000-8000-000000000001".parse().expect("a UUID");
    let check = |route: &str, models: &str| {
        let text = GOOD.replacen("models = [\"sonnet\"]", models, 1);
        draft(tenant, &format!("{text}\n[[routes]]\n{route}"), None, Timestamp(0)).map_err(|error| error.to_string())
    };
    let route = "name = \"quick\"\ntargets = [{ model = \"sonnet\" }]\nretry = { rounds = 1 }";
    let made = check(route, "models = [\"quick\"]").expect("sound");
    assert_eq!(made.bundle.llm.route("quick").map(|route| (route.targets.len(), route.retry.rounds)), Some((1, 1)));
    for (route, models, says) in [
        (route, "models = [\"slow\"]", "may use model \"slow\", which is not there"),
        ("name = \"quick\"\ntargets = [{ model = \"opus\" }]", "models = [\"quick\"]", "names model \"opus\""),
        ("name = \"sonnet\"\ntargets = [{ model = \"sonnet\" }]", "models = []", "stands there twice"),
        ("name = \"quick\"\ntargets = [{ modell = \"sonnet\" }]", "models = []", "modell"),
    ] {
        let refused = check(route, models).expect_err(says);
        assert!(refused.contains(says), "{refused}");
    }
}
