use serde_json::{Value, json};
use wardkeep_proto::time::Timestamp;

use super::*;
use crate::agents::{AgentPolicy, Grant};
use crate::bundle::{HostKind, HttpHost};
use crate::class::Level;
use crate::classify::classify;
use crate::decide::{Decision, decide_for};
use crate::posture::{Closed, Posture};

const SHOP: &str = r#"
id = "shop"
title = "The shop"
source = "https://shop.example/docs"
base_url = "https://api.shop.example/v2"
auth = { kind = "header", name = "Authorization", before = "Bearer ", value = "SECRET_REF(shop_key)" }

[[tools]]
name = "get_order"
title = "Read an order"
description = "One order."
method = "GET"
path = "/orders/{order}"
class = "green"
params = [
    { name = "order", in = "path", type = "string", required = true, description = "x" },
    { name = "with", in = "query", type = "list", description = "x" },
]

[[tools]]
name = "get_file"
title = "Read a file"
description = "One file."
method = "GET"
path = "/files/{path}/raw"
class = "green"
params = [{ name = "path", in = "path", type = "path", required = true, description = "x" }]

[[tools]]
name = "write"
title = "Write to a customer"
description = "Sends a letter."
method = "POST"
path = "/letters"
class = "yellow"
external = true
recipients = ["to"]
body = "json"
fixed = [{ in = "body", as = ["meta", "kind"], value = "letter" }]
params = [
    { name = "to", in = "body", type = "list", format = "email", each = "address", required = true, description = "x" },
    { name = "subject", in = "body", as = ["meta", "subject"], type = "string", max_length = 10, required = true, description = "x" },
    { name = "text", in = "body", type = "text", description = "x" },
    { name = "copies", in = "body", type = "integer", min = 1, max = 5, description = "x" },
    { name = "urgent", in = "body", type = "boolean", description = "x" },
]

[[tools]]
name = "pay_back"
title = "Refund an order"
description = "Moves money."
method = "POST"
path = "/refunds"
class = "critical_red"
body = "form"
params = [{ name = "order", in = "body", as = ["order", "id"], type = "string", required = true, description = "x" }]
"#;

fn shop() -> Adapter {
    toml::from_str::<AdapterDraft>(SHOP).expect("reads").resolve().expect("is whole")
}

fn bundle() -> Bundle {
    let agent = AgentPolicy {
        name: "office".parse().expect("a name"),
        level: Level::Trusted,
        version: None,
        tools: Some(["shop_get_order", "shop_get_file", "shop_write", "shop_pay_back"].map(str::to_owned).to_vec()),
        models: Vec::new(),
        grants: Vec::new(),
        subagents: Default::default(),
        workspace: "/srv/office".to_owned(),
    };
    Bundle { agents: vec![agent], adapters: vec![shop()], any_agent: None, ..Bundle::strict() }
}

fn read(bundle: &Bundle, tool: &str, args: Value) -> Result<Action, InvalidAction> {
    bundle.read_action("office".parse().expect("a name"), "s".parse().expect("a session"), tool, &args, None)
}

fn request(tool: &str, args: Value) -> Result<AdapterRequest, InvalidAction> {
    match read(&bundle(), tool, args)?.call {
        Call::Adapter { request, .. } => Ok(*request),
        other => panic!("{other:?}"),
    }
}

fn decided(bundle: &Bundle, tool: &str, args: Value, posture: &Posture) -> Decision {
    decide_for(&read(bundle, tool, args).expect("an action"), bundle, posture, Timestamp(0))
}

#[test]
fn every_shipped_adapter_is_sound() {
    let drafts = shipped();
    assert!(drafts.len() >= 10);
    for (name, draft) in drafts {
        let own = draft.base_url.is_none().then(|| "https://own.example".to_owned());
        let adapter = AdapterDraft { stack: Some(name.to_owned()), base_url: own, ..AdapterDraft::default() };
        let adapter = adapter.resolve().unwrap_or_else(|why| panic!("{name}: {why}"));
        check(std::slice::from_ref(&adapter)).unwrap_or_else(|why| panic!("{why}"));
        assert!(adapter.auth != Auth::None, "{name}");
        for tool in &adapter.tools {
            let class = tool.floor();
            assert!(tool.method == "GET" || class > Class::Green, "{name} {}", tool.name);
            assert!(!tool.external || class >= Class::YellowExternal, "{name} {}", tool.name);
            assert_eq!(input_schema(tool)["additionalProperties"], false);
        }
    }
}

#[test]
fn no_argument_leaves_its_place() {
    for order in [
        "",
        ".",
        "..",
        "../admin",
        "a/b",
        "a\\b",
        "a?x=1",
        "a#b",
        "a%2e",
        "%2f..",
        "a\r\nHost: evil",
        "a\u{0}",
        "a\u{85}b",
    ] {
        assert!(request("shop_get_order", json!({"order": order})).is_err(), "{order:?}");
    }
    for path in ["", "/etc", "a//b", "a/../../b", "./a", "a/", "a/%2e%2e/b", "a/b?c", "..\\b", "a\nb"] {
        assert!(request("shop_get_file", json!({"path": path})).is_err(), "{path:?}");
    }
    for (order, want) in [
        ("ä 7@x", "https://api.shop.example/v2/orders/%C3%A4%207%40x"),
        ("...", "https://api.shop.example/v2/orders/..."),
        ("a;b=c&d:e", "https://api.shop.example/v2/orders/a%3Bb%3Dc%26d%3Ae"),
        ("@evil.example", "https://api.shop.example/v2/orders/%40evil.example"),
    ] {
        assert_eq!(request("shop_get_order", json!({"order": order})).expect(order).url, want);
    }
    let made = request("shop_get_order", json!({"order": "7", "with": ["a&b=c", "d#e"]})).expect("made");
    assert_eq!(made.url, "https://api.shop.example/v2/orders/7?with=a%26b%3Dc&with=d%23e");
    let made = request("shop_get_file", json!({"path": "a b/c.md"})).expect("made");
    assert_eq!(made.url, "https://api.shop.example/v2/files/a%20b/c.md/raw");
}

#[test]
fn arguments_are_what_the_schema_says() {
    let fine = json!({"to": ["a@b.example"], "subject": "x"});
    assert!(request("shop_write", fine.clone()).is_ok());
    for (key, value) in [
        ("to", json!("a@b.example")),
        ("to", json!([])),
        ("to", json!(["a@b.example, c@d.example"])),
        ("to", json!(["A <a@b.example>"])),
        ("to", json!(["a@b"])),
        ("to", json!([7])),
        ("to", Value::Null),
        ("subject", json!("longer than ten")),
        ("subject", json!("a\r\nBcc: x")),
        ("subject", json!(7)),
        ("text", json!("a\u{1b}[2K")),
        ("copies", json!("2")),
        ("copies", json!(2.5)),
        ("copies", json!(0)),
        ("copies", json!(6)),
        ("copies", json!(9_007_199_254_740_993_u64)),
        ("urgent", json!("true")),
        ("urgent", json!(1)),
        ("bcc", json!(["x@y.example"])),
        ("To", json!(["x@y.example"])),
    ] {
        let mut args = fine.clone();
        args[key] = value.clone();
        // An empty list of recipients is a list; it reaches nobody, and no grant covers it.
        let wrong = (key, &value) != ("to", &json!([]));
        assert_eq!(request("shop_write", args).is_err(), wrong, "{key} {value}");
    }
    for args in [json!([]), json!("x"), Value::Null] {
        assert!(request("shop_write", args).is_err());
    }
    let quoted = request("shop_write", json!({"hidden-name": "hidden-value"})).unwrap_err().to_string();
    assert!(!quoted.contains("hidden"), "{quoted}");
}

#[test]
fn bodies_are_built_not_pasted() {
    let args = json!({"to": ["a@b.example", "c@d.example"], "subject": "\"},{", "text": "l1\nl2", "copies": 2, "urgent": null});
    let made = request("shop_write", args).expect("made");
    let body: Value = serde_json::from_str(&made.body.expect("a body")).expect("JSON");
    let want = json!({
        "meta": {"kind": "letter", "subject": "\"},{"}, "to": [{"address": "a@b.example"}, {"address": "c@d.example"}],
        "text": "l1\nl2", "copies": 2,
    });
    assert_eq!(body, want);
    let made = request("shop_pay_back", json!({"order": "7&amount=1"})).expect("made");
    assert_eq!(made.body.as_deref(), Some("order%5Bid%5D=7%26amount%3D1"));
    assert_eq!(made.headers, [("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())]);
}

#[test]
fn the_description_is_a_floor_and_rules_raise_it() {
    let bundle = bundle();
    let class = |tool: &str, args: Value| classify(&read(&bundle, tool, args).expect("an action"), &bundle).class;
    assert_eq!(class("shop_get_order", json!({"order": "7"})), Class::Green);
    assert_eq!(class("shop_write", json!({"to": ["a@b.example"], "subject": "x"})), Class::YellowExternal);
    assert_eq!(class("shop_pay_back", json!({"order": "7"})), Class::CriticalRed);
    // What looks like starting something by a mere address is more than a read, whatever its adapter says.
    assert_eq!(class("shop_get_file", json!({"path": "x/restart"})), Class::Yellow);
    // The same address is no mere read for whoever asks for it in another way.
    let plain = read(&bundle, "http", json!({"url": "https://api.shop.example/v2/orders/7"})).expect("an action");
    assert_eq!(classify(&plain, &bundle).class, Class::YellowExternal);
    let mut listed = bundle.clone();
    listed.http = vec![HttpHost { host: "api.shop.example".to_owned(), kind: HostKind::Own }];
    let external = read(&listed, "shop_write", json!({"to": ["a@b.example"], "subject": "x"})).expect("an action");
    assert_eq!(classify(&external, &listed).class, Class::YellowExternal, "external stays external on an own host");
}

#[test]
fn what_the_manifest_does_not_list_is_out_of_reach() {
    let mut bundle = bundle();
    bundle.agents[0].tools = Some(vec!["shop_get_order".to_owned()]);
    let open = Posture::open();
    assert!(matches!(decided(&bundle, "shop_get_order", json!({"order": "7"}), &open), Decision::Allow { .. }));
    assert!(matches!(decided(&bundle, "shop_get_file", json!({"path": "a"}), &open), Decision::Deny { .. }));
    for alike in [
        "Shop_get_order",
        "SHOP_GET_ORDER",
        "shop_get_order ",
        "shop__get_order",
        "shop_get_order\u{200b}",
        "sh\u{43e}p_get_order",
        "get_order",
    ] {
        let denied = match read(&bundle, alike, json!({"order": "7"})) {
            Ok(action) => matches!(decide_for(&action, &bundle, &open, Timestamp(0)), Decision::Deny { .. }),
            Err(_) => true,
        };
        assert!(denied, "{alike}");
    }
}

#[test]
fn references_in_arguments_are_refused_and_the_policy_s_own_are_not() {
    let bundle = bundle();
    let smuggled = [
        ("shop_get_order", json!({"order": "SECRET_REF(shop_key)"})),
        ("shop_write", json!({"to": ["a@b.example"], "subject": "x", "text": "SECRET_REF(other)"})),
    ];
    for (tool, args) in smuggled {
        assert!(matches!(decided(&bundle, tool, args, &Posture::open()), Decision::Deny { .. }), "{tool}");
    }
    let action = read(&bundle, "shop_get_order", json!({"order": "7"})).expect("an action");
    let refs = action.secret_refs().expect("in place");
    assert_eq!(refs.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["shop_key"]);
    let locked = [Closed::VaultLocked].into_iter().collect();
    assert!(matches!(decided(&bundle, "shop_get_order", json!({"order": "7"}), &locked), Decision::Deny { .. }));
}

#[test]
fn grants_go_by_recipient_and_else_by_host() {
    let mut bundle = bundle();
    let letter = |to: Value| json!({"to": to, "subject": "x"});
    let runs = |bundle: &Bundle, to: Value| {
        matches!(decided(bundle, "shop_write", letter(to), &Posture::open()), Decision::Allow { .. })
    };
    let grant = |recipients: &[&str], hosts: &[&str]| Grant {
        tool: "shop_write".to_owned(),
        recipients: recipients.iter().map(|&text| text.to_owned()).collect(),
        hosts: hosts.iter().map(|&text| text.to_owned()).collect(),
        ..Grant::default()
    };
    bundle.agents[0].grants = vec![grant(&[], &["api.shop.example"])];
    assert!(!runs(&bundle, json!(["a@b.example"])), "the host is not who receives it");
    bundle.agents[0].grants = vec![grant(&["*@b.example"], &[])];
    assert!(runs(&bundle, json!(["a@b.example"])));
    assert!(!runs(&bundle, json!(["a@b.example", "c@d.example"])));
    assert!(!runs(&bundle, json!([])));
}

#[test]
fn another_description_voids_what_was_decided() {
    let bundle = bundle();
    let action = read(&bundle, "shop_get_order", json!({"order": "7"})).expect("an action");
    let open = Posture::open();
    let mut moved = bundle.clone();
    moved.adapters[0].base_url = "https://evil.example".to_owned();
    let mut gone = bundle.clone();
    gone.adapters.clear();
    for other in [moved, gone] {
        assert!(matches!(decide_for(&action, &other, &open, Timestamp(0)), Decision::Deny { .. }));
    }
    // Nor does a call pass under the tool's name that is not what the description makes of it.
    let Ok(plain) = Action::parse(action.agent.clone(), action.session.clone(), "shop_get_order", &json!({}), None)
    else {
        panic!("reads")
    };
    assert!(matches!(decide_for(&plain, &bundle, &open, Timestamp(0)), Decision::Deny { .. }));
    let mut forged = action.clone();
    if let Call::Adapter { request, .. } = &mut forged.call {
        request.url = "https://api.shop.example/v2/refunds".to_owned();
    }
    assert!(matches!(decide_for(&forged, &bundle, &open, Timestamp(0)), Decision::Deny { .. }));
    let kept: Action = serde_json::from_slice(&action.canonical()).expect("reads");
    assert_eq!((kept.digest(), kept), (action.digest(), action));
}

#[test]
fn adapters_that_contradict_themselves_are_refused() {
    let spoil = |change: &dyn Fn(&mut Adapter)| {
        let mut adapter = shop();
        change(&mut adapter);
        check(&[adapter]).is_err()
    };
    assert!(!spoil(&|_| ()));
    let urls = [
        "http://api.shop.example",
        "https://a:b@api.shop.example",
        "https://api.shop.example/?x",
        "https://api.shop.example/#x",
        "https://API.shop.example",
        "https://api.shop.example:443",
        "https://api.shop.example/a/../b",
        "ftp://x.example",
        "https://169.254.169.254",
        "https://metadata.google.internal",
        "",
        "https://",
        "https://\u{430}pple.example",
    ];
    for url in urls {
        assert!(spoil(&|adapter| adapter.base_url = url.to_owned()), "{url}");
    }
    for id in ["", "a", "Shop", "my_shop", "shop-2", "wardkeep", "1shop"] {
        assert!(spoil(&|adapter| adapter.id = id.to_owned()), "{id}");
    }
    // Names that the gate takes for its own tools.
    for (id, name) in [("read", "file"), ("send", "email"), ("web", "fetch"), ("http", "request"), ("run", "command")] {
        assert!(
            spoil(&|adapter| (adapter.id, adapter.tools[0].name) = (id.to_owned(), name.to_owned())),
            "{id}_{name}"
        );
    }
    for path in [
        "orders",
        "/orders",
        "/orders/{other}",
        "/orders/{order}/{order}",
        "/orders/x{order}",
        "/../{order}",
        "/a b/{order}",
        "/a%2f/{order}",
        "/{order}?x",
        "//{order}",
    ] {
        assert!(spoil(&|adapter| adapter.tools[0].path = path.to_owned()), "{path}");
    }
    for header in ["Host", "authorization", "Content-Length", "x y", "Cookie", ""] {
        assert!(spoil(&|adapter| drop(adapter.headers.insert(header.to_owned(), "v".to_owned()))), "{header}");
    }
    for value in ["", "a\r\nb", "SECRET_REF(shop_key)", "\u{e4}"] {
        assert!(spoil(&|adapter| drop(adapter.headers.insert("X-A".to_owned(), value.to_owned()))), "{value}");
    }
    type Spoils<'a> = (&'a str, &'a dyn Fn(&mut Tool));
    let tools: [Spoils<'_>; 9] = [
        ("green write", &|tool| tool.method = "POST".to_owned()),
        ("green and external", &|tool| tool.external = true),
        ("method", &|tool| tool.method = "get".to_owned()),
        ("body of a read", &|tool| tool.body = Some(Body::Json)),
        ("unknown recipient", &|tool| tool.recipients = vec!["nobody".to_owned()]),
        ("optional segment", &|tool| tool.params[0].required = false),
        ("argument twice", &|tool| tool.params.push(tool.params[1].clone())),
        ("body without one", &|tool| tool.params[1].place = Place::Body),
        ("reply", &|tool| tool.reply.keep = vec!["a..b".to_owned()]),
    ];
    for (what, change) in tools {
        assert!(spoil(&|adapter| change(&mut adapter.tools[0])), "{what}");
    }
    assert!(spoil(&|adapter| adapter.tools[2].params[2].to = vec!["meta".to_owned()]), "two ways meet");
    assert!(check(&[shop(), shop()]).is_err(), "twice");
}

#[test]
fn credentials_are_references_and_nothing_else() {
    for auth in [
        r#"{"kind": "header", "name": "Authorization", "value": "Bearer sk_live_1"}"#,
        r#"{"kind": "header", "name": "Authorization", "value": "SECRET_REF(a) SECRET_REF(b)"}"#,
        r#"{"kind": "header", "name": "Authorization", "value": "SECRET_REF(A b)"}"#,
        r#"{"kind": "basic", "user": "a", "password": "plain"}"#,
        r#"{"kind": "oauth"}"#,
    ] {
        assert!(serde_json::from_str::<Auth>(auth).is_err(), "{auth}");
    }
    let mut adapter = shop();
    for user in ["a:b", "x SECRET_REF(a)", ""] {
        adapter.auth = Auth::Basic {
            user: user.to_owned(),
            password: "SECRET_REF(a)".to_owned().try_into().expect("a reference"),
        };
        assert!(check(std::slice::from_ref(&adapter)).is_err(), "{user}");
    }
}

#[test]
fn drafts_say_what_they_lack() {
    let resolve = |text: &str| toml::from_str::<AdapterDraft>(text).expect("reads").resolve();
    assert!(matches!(resolve("stack = \"nowhere\""), Err(DraftError::NoStack(_))));
    assert!(matches!(resolve("stack = \"gitea\""), Err(DraftError::Missing { .. })));
    assert!(matches!(resolve("stack = \"stripe\"\nonly = [\"nothing\"]"), Err(DraftError::NoTool { .. })));
    let stripe = resolve("stack = \"stripe\"\nid = \"till\"\nonly = [\"get_balance\"]").expect("whole");
    assert_eq!(stripe.name_of(&stripe.tools[0]), "till_get_balance");
    assert_eq!(stripe.tools.len(), 1);
}
