use serde_json::json;

use super::*;

fn parse(tool: &str, args: &serde_json::Value) -> Result<Action, InvalidAction> {
    Action::parse("newsletter".parse().unwrap(), "s1".parse().unwrap(), tool, args, None)
}

#[test]
fn calls_without_sense_are_refused() {
    let many: serde_json::Map<_, _> = (0..201).map(|i| (format!("A{i}"), json!("x"))).collect();
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    for (tool, args) in [
        ("", json!({})),
        ("a b", json!({})),
        ("shell", json!(null)),
        ("shell", json!({})),
        ("shell", json!({"command": 1})),
        ("shell", json!({"command": "a\0b"})),
        ("shell", json!({"command": []})),
        ("exec", json!({"argv": [""]})),
        ("exec", json!({"argv": ["a", 1]})),
        ("exec", json!({"argv": vec!["a"; 1001]})),
        ("shell", json!({"command": "a", "env": {"A=B": "x"}})),
        ("shell", json!({"command": "a", "env": {"A": 1}})),
        ("shell", json!({"command": "a", "env": many})),
        ("read_file", json!({})),
        ("read_file", json!({"path": ""})),
        ("write_file", json!({"path": "a"})),
        ("http", json!({"method": "GET"})),
        ("http", json!({"method": "GET /", "url": "https://x.example"})),
        ("http", json!({"method": "Purge", "url": "https://x.example"})),
        ("http", json!({"url": "https://x.example/a\tb"})),
        ("http", json!({"url": "https://x.example/a\nb"})),
        ("http", json!({"url": " https://x.example/"})),
        ("http", json!({"url": "https://x.example", "headers": {"A": "b\r\nC: d"}})),
        ("http", json!({"url": "https://x.example", "headers": {"A:": "b"}})),
        ("http", json!({"url": "https://x.example", "body": {"n": 9_007_199_254_740_993_u64}})),
        ("send_email", json!({"to": [1], "body": "b"})),
        ("send_email", json!({"to": "a@x.example"})),
        ("frob", json!("text")),
        ("frob", json!({"n": 9_007_199_254_740_993_u64})),
        ("frob", json!({"n": -9_007_199_254_740_993_i64})),
        ("frob", serde_json::from_str(r#"{"n": 99999999999999999999}"#).unwrap()),
        ("frob", serde_json::from_str(r#"{"n": [-99999999999999999999]}"#).unwrap()),
        ("frob", json!({"n": 1e300})),
        ("frob", json!({"deep": deep})),
        ("frob", json!({"long": "x".repeat(MAX_ACTION_BYTES)})),
    ] {
        assert!(parse(tool, &args).is_err(), "{tool} {:.80}", args.to_string());
    }
}

#[test]
fn tool_names_lead_to_calls() {
    for (tool, args, call) in [
        ("bash", json!({"command": "ls", "timeout": 5}), Call::Shell { command: "ls".into(), env: BTreeMap::new() }),
        (
            "exec",
            json!({"command": ["ls", "-l"], "stdin": "x"}),
            Call::Exec { argv: vec!["ls".into(), "-l".into()], stdin: Some("x".into()), env: BTreeMap::new() },
        ),
        ("file_read", json!({"file_path": "a"}), Call::FileRead { path: "a".into() }),
        ("list_files", json!({}), Call::FileList { path: ".".into() }),
        (
            "write_file",
            json!({"path": "a", "content": ""}),
            Call::FileWrite { path: "a".into(), content: String::new() },
        ),
        ("delete_file", json!({"path": "a"}), Call::FileDelete { path: "a".into() }),
        ("delete_file", json!({"path": "a", "recursive": true}), Call::FileDelete { path: "a/".into() }),
        ("delete_file", json!({"file_id": "13"}), Call::Other { args: json!({"file_id": "13"}) }),
        (
            "http",
            json!({"method": "post", "url": "https://x.example", "headers": {"A": "b"}, "body": {"c": 1}}),
            Call::Http {
                method: "POST".into(),
                url: "https://x.example".into(),
                headers: vec![("A".into(), "b".into())],
                body: Some("{\"c\":1}".into()),
            },
        ),
        (
            "send_email",
            json!({"to": ["a@x.example"], "bcc": "b@x.example", "subject": "s", "body": "t"}),
            Call::Message {
                channel: "email".into(),
                to: vec!["a@x.example".into(), "b@x.example".into()],
                subject: Some("s".into()),
                body: "t".into(),
            },
        ),
        ("frob", json!({"a": [1]}), Call::Other { args: json!({"a": [1]}) }),
    ] {
        assert_eq!(parse(tool, &args).unwrap().call, call, "{tool} {args}");
    }
}

#[test]
fn equal_calls_have_equal_digests_and_others_do_not() {
    let one = parse("frob", &serde_json::from_str(r#"{"b": 1.0, "a": "ü"}"#).unwrap()).unwrap();
    let same = parse("frob", &serde_json::from_str(r#"{"a":"\u00fc","b":1}"#).unwrap()).unwrap();
    assert_eq!(one.canonical(), same.canonical());
    assert_eq!(one.digest(), same.digest());

    let base = parse("shell", &json!({"command": "ls"})).unwrap();
    let mut others = vec![
        parse("shell", &json!({"command": "ls "})).unwrap(),
        parse("bash", &json!({"command": "ls"})).unwrap(),
        parse("shell", &json!({"command": "ls", "cwd": "/srv"})).unwrap(),
        parse("shell", &json!({"command": "ls", "env": {"A": "b"}})).unwrap(),
    ];
    others.push(Action { session: "s2".parse().unwrap(), ..base.clone() });
    others.push(Action { agent: "other".parse().unwrap(), ..base.clone() });
    for other in others {
        assert_ne!(base.digest(), other.digest(), "{other:?}");
    }
    let stored: Action = serde_json::from_slice(&base.canonical()).unwrap();
    assert_eq!(stored, base);
}

#[test]
fn stored_calls_with_unknown_fields_are_refused() {
    let text = r#"{"agent":"a","session":"s","tool":"shell","call":{"kind":"shell","command":"ls","sudo":true}}"#;
    assert!(serde_json::from_str::<Action>(text).is_err());
}

#[test]
fn references_stand_only_where_values_may_be_put() {
    for (tool, args) in [
        ("shell", json!({"command": "curl -H 'X: SECRET_REF(k)' x"})),
        ("exec", json!({"argv": ["psql", "SECRET_REF(k)"]})),
        ("read_file", json!({"path": "SECRET_REF(k)"})),
        ("write_file", json!({"path": "a", "content": "SECRET_REF(k)"})),
        ("http", json!({"url": "https://x.example/?k=SECRET_REF(k)"})),
        ("send_email", json!({"to": "a@x.example", "body": "SECRET_REF(k)"})),
        ("frob", json!({"a": [{"b": "SECRET_REF(k)"}]})),
        ("frob", json!({"SECRET_REF(k)": 1})),
        ("shell", json!({"command": "ls", "cwd": "/SECRET_REF(k)"})),
    ] {
        let refused = parse(tool, &args).unwrap().secret_refs();
        assert!(matches!(refused, Err(MisplacedRef::Unfit { .. })), "{tool} {args}");
    }
    for value in ["SECRET_REF(", "SECRET_REF(Bad)", "x SECRET_REF(k", "SECRET_REF()"] {
        let refused = parse("shell", &json!({"command": "ls", "env": {"K": value}})).unwrap().secret_refs();
        assert_eq!(refused, Err(MisplacedRef::Misspelt { place: Place::Env("K".into()) }), "{value}");
    }
}

#[test]
fn references_are_found_with_their_places() {
    let http = json!({"url": "https://x.example", "headers": {"Authorization": "Bearer SECRET_REF(a)"}, "body": "SECRET_REF(b)SECRET_REF(c)"});
    let found = parse("http", &http).unwrap().secret_refs().unwrap();
    let found: Vec<String> = found.iter().map(|r| format!("{} in {}", r.name, r.place)).collect();
    assert_eq!(found, ["a in the header Authorization", "b in the request body", "c in the request body"]);

    let exec = json!({"argv": ["psql"], "stdin": "SECRET_REF(a)", "env": {"K": "SECRET_REF(b)"}});
    let found = parse("exec", &exec).unwrap().secret_refs().unwrap();
    assert_eq!(found.iter().map(|r| r.place.clone()).collect::<Vec<_>>(), [Place::Stdin, Place::Env("K".into())]);
    // Text that only looks similar, where nothing is put in anyway.
    assert_eq!(parse("shell", &json!({"command": "grep 'SECRET_REF(' a"})).unwrap().secret_refs(), Ok(vec![]));
}

#[test]
fn ranges_cover_the_whole_reference() {
    let text = "ä SECRET_REF(k1) SECRET_REF(";
    let found: Vec<_> = refs_in(text).collect();
    let (name, range) = found[0].clone().unwrap();
    assert_eq!((name.as_str(), &text[range]), ("k1", "SECRET_REF(k1)"));
    assert_eq!(found[1], Err(text.len() - "SECRET_REF(".len()));
    assert_eq!(found.len(), 2);
}
