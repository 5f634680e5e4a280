use super::*;
use crate::AgentPolicy;
use crate::class::Level;

fn rule(host: &str) -> EgressRule {
    EgressRule {
        host: host.to_owned(),
        ports: https(),
        mode: EgressMode::Inspect,
        methods: Vec::new(),
        paths: Vec::new(),
        agents: Vec::new(),
        private: false,
    }
}

fn name(text: &str) -> AgentName {
    text.parse().unwrap()
}

fn policy(agent: &str) -> AgentPolicy {
    AgentPolicy {
        name: name(agent),
        level: Level::Supervised,
        version: None,
        tools: None,
        models: Vec::new(),
        grants: Vec::new(),
        subagents: Default::default(),
        workspace: "/srv/x".to_owned(),
    }
}

#[test]
fn what_is_not_listed_is_refused() {
    let mut below = rule("*.shop.example");
    below.ports = vec![443, 8443];
    let mut mine = rule("mine.example");
    mine.agents = vec![name("office")];
    let rules = [rule("api.example.com"), below, mine];
    for (agent, host, port, open) in [
        ("office", "example.com", 443, false),
        ("office", "api.example.com.evil.net", 443, false),
        ("office", "xapi.example.com", 443, false),
        ("office", "api.example.com", 80, false),
        ("office", "shop.example", 443, false),
        ("other", "mine.example", 443, false),
        ("office", "api.example.com", 443, true),
        ("office", "a.b.shop.example", 8443, true),
        ("office", "mine.example", 443, true),
    ] {
        assert_eq!(opening(&rules, &name(agent), host, port).is_some(), open, "{agent} {host}:{port}");
    }
    assert_eq!(opening(&[], &name("office"), "api.example.com", 443), None);
}

#[test]
fn of_several_rules_the_strictest_counts() {
    let tunnel = EgressRule { mode: EgressMode::Tunnel, private: true, ..rule("*.example.com") };
    let inspect = EgressRule { methods: vec!["GET".to_owned()], ..rule("api.example.com") };
    let rules = [tunnel, inspect];
    let of = |host| opening(&rules, &name("office"), host, 443).unwrap();
    let both = of("api.example.com");
    assert_eq!((both.mode(), both.is_private()), (EgressMode::Inspect, false));
    assert_eq!(both.allows("POST", "/"), Err(NotListed::Method));
    let one = of("www.example.com");
    assert_eq!((one.mode(), one.is_private()), (EgressMode::Tunnel, true));
}

#[test]
fn methods_and_paths_are_compared_whole() {
    let read = EgressRule {
        methods: vec!["GET".to_owned(), "HEAD".to_owned()],
        paths: vec!["/v1/items/*".to_owned(), "/files/**".to_owned()],
        ..rule("api.example.com")
    };
    let write = EgressRule {
        methods: vec!["POST".to_owned()],
        paths: vec!["/v1/orders".to_owned()],
        ..rule("api.example.com")
    };
    let opening = opening(&[read, write], &name("office"), "api.example.com", 443).unwrap();
    for (method, path, want) in [
        ("DELETE", "/v1/items/7", Err(NotListed::Method)),
        ("get", "/v1/items/7", Err(NotListed::Method)),
        ("POST", "/v1/items/7", Err(NotListed::Path)),
        ("GET", "/v1/orders", Err(NotListed::Path)),
        ("GET", "/v1/items/7/parts", Err(NotListed::Path)),
        ("GET", "/v1/items", Err(NotListed::Path)),
        ("GET", "/V1/items/7", Err(NotListed::Path)),
        ("GET", "/files/../v1/orders", Err(NotListed::Ambiguous)),
        ("GET", "/files/%2e%2E/secret", Err(NotListed::Ambiguous)),
        ("GET", "/files/%252e%252e/secret", Err(NotListed::Ambiguous)),
        ("GET", "/files/..;a=b/secret", Err(NotListed::Ambiguous)),
        ("GET", "/files/a%2fb", Err(NotListed::Ambiguous)),
        ("GET", "/files/a%5Cb", Err(NotListed::Ambiguous)),
        ("GET", "/files/a\\b", Err(NotListed::Ambiguous)),
        ("GET", "/v1/items/7", Ok(())),
        ("GET", "/v1/items/", Ok(())),
        ("HEAD", "/files/a/b/c..d.txt", Ok(())),
        ("GET", "/files/100%25", Ok(())),
        ("POST", "/v1/orders", Ok(())),
    ] {
        assert_eq!(opening.allows(method, path), want, "{method} {path}");
    }
}

#[test]
fn what_a_request_names_beside_its_own_counts_as_well() {
    let read = EgressRule {
        methods: vec!["GET".to_owned(), "POST".to_owned()],
        paths: vec!["/v1/items/*".to_owned()],
        ..rule("api.example.com")
    };
    let one = opening(&[read], &name("office"), "api.example.com", 443).unwrap();
    for (target, header, want) in [
        ("/v1/items/7", ("X-HTTP-Method-Override", "DELETE"), Err(NotListed::Method)),
        ("/v1/items/7", ("x-http-method", "delete"), Err(NotListed::Method)),
        ("/v1/items/7?a=1&_method=DELETE", ("accept", "*/*"), Err(NotListed::Method)),
        ("/v1/items/7?%5fmeth%6fd=D%45LETE", ("accept", "*/*"), Err(NotListed::Method)),
        ("/v1/items/7", ("X-Original-URL", "/admin"), Err(NotListed::Path)),
        ("/v1/items/7", ("X_Original_URL", "/admin"), Err(NotListed::Path)),
        ("/v1/items/7", ("x.rewrite_url", "/admin"), Err(NotListed::Path)),
        ("/v1/items/7", ("x-rewrite-url", "/v1/items/../../admin"), Err(NotListed::Ambiguous)),
        ("/v2?x=/v1/items/7", ("accept", "*/*"), Err(NotListed::Path)),
        ("/v1/items/7?a=1", ("X-HTTP-Method-Override", "GET"), Ok(())),
        ("/v1/items/7", ("X-Original-URL", "/v1/items/8?a=b"), Ok(())),
        ("/v1/items/7", ("X-Payment-Method", "card"), Ok(())),
        ("/v1/items/7", ("X-Original0URL", "/admin"), Ok(())),
    ] {
        let headers = std::iter::once((header.0, header.1.as_bytes()));
        assert_eq!(one.allows_all("POST", target, headers), want, "{target} {header:?}");
    }
    for (field, want) in [
        ("_method=DELETE", Err(NotListed::Method)),
        ("%5Fmethod=d%65lete", Err(NotListed::Method)),
        ("_method%5B%5D=PUT", Err(NotListed::Method)),
        ("_method=GET", Ok(())),
        ("_method=frob", Ok(())),
        ("text=_method%3DDELETE", Ok(())),
        ("_method", Ok(())),
        ("", Ok(())),
    ] {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        assert_eq!(one.allows_field("/v1/items/7", name.as_bytes(), value.as_bytes()), want, "{field}");
    }
    // Who lists no methods means any.
    let any = opening(&[rule("api.example.com")], &name("office"), "api.example.com", 443).unwrap();
    let headers = std::iter::once(("X-HTTP-Method-Override", &b"DELETE"[..]));
    assert_eq!(any.allows_all("POST", "/", headers), Ok(()));
    assert_eq!(any.allows_field("/", b"_method", b"DELETE"), Ok(()));
}

#[test]
fn rules_that_cannot_be_meant_are_refused() {
    let agents = [policy("office")];
    type Change = fn(&mut EgressRule);
    let changes: &[(&str, Change)] = &[
        ("scheme", |r| r.host = "https://api.example.com".to_owned()),
        ("port in the host", |r| r.host = "api.example.com:443".to_owned()),
        ("capitals", |r| r.host = "API.example.com".to_owned()),
        ("everything", |r| r.host = "*".to_owned()),
        ("a whole top level", |r| r.host = "*.com".to_owned()),
        ("star within", |r| r.host = "api.*.example.com".to_owned()),
        ("short address", |r| r.host = "127.1".to_owned()),
        ("hexadecimal address", |r| r.host = "0x7f.0.0.1".to_owned()),
        ("long IPv6", |r| r.host = "2001:0db8::0001".to_owned()),
        ("metadata", |r| r.host = "169.254.169.254".to_owned()),
        ("metadata by name", |r| r.host = "metadata.google.internal".to_owned()),
        ("link-local", |r| r.host = "fe80::1".to_owned()),
        ("empty", |r| r.host = String::new()),
        ("no port", |r| r.ports = Vec::new()),
        ("port 0", |r| r.ports = vec![0]),
        ("small method", |r| r.methods = vec!["get".to_owned()]),
        ("CONNECT", |r| r.methods = vec!["CONNECT".to_owned()]),
        ("relative path", |r| r.paths = vec!["v1/*".to_owned()]),
        ("query", |r| r.paths = vec!["/v1?x=1".to_owned()]),
        ("dot segment", |r| r.paths = vec!["/v1/../*".to_owned()]),
        ("three stars", |r| r.paths = vec!["/***".to_owned()]),
        ("long", |r| r.paths = vec![format!("/{}", "x".repeat(256))]),
        ("unknown agent", |r| r.agents = vec![name("nobody")]),
        ("tunnel with methods", |r| {
            r.mode = EgressMode::Tunnel;
            r.methods = vec!["GET".to_owned()];
        }),
        ("tunnel with paths", |r| {
            r.mode = EgressMode::Tunnel;
            r.paths = vec!["/x".to_owned()];
        }),
    ];
    for (what, change) in changes {
        let mut changed = rule("api.example.com");
        change(&mut changed);
        assert!(check(&[changed], &agents).is_err(), "{what}");
    }
    for host in [
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "instance-data",
    ] {
        assert!(check(&[rule(host)], &agents).is_err(), "{host}");
    }
    let mut good = rule("*.api.example.com");
    good.agents = vec![name("office")];
    good.methods = vec!["GET".to_owned(), "M-SEARCH".to_owned()];
    good.paths = vec!["/v1/**/x-*".to_owned()];
    check(&[good, rule("127.0.0.1"), rule("2001:db8::1"), rule("localhost"), rule("a_b.example")], &agents).unwrap();
}

#[test]
fn toml_and_json_agree_and_old_bundles_read() {
    let read: EgressRule = toml::from_str("host = \"api.example.com\"").unwrap();
    assert_eq!((read.mode, &*read.ports, read.private), (EgressMode::Tunnel, &[443][..], false));
    assert!(toml::from_str::<EgressRule>("host = \"a.example\"\nhosts = []").is_err());
    let json = serde_json::to_string(&read).unwrap();
    assert_eq!(json, r#"{"host":"api.example.com","ports":[443],"mode":"tunnel"}"#);
    assert_eq!(serde_json::from_str::<EgressRule>(&json).unwrap(), read);
}
