use super::super::builtin;
use super::*;
use crate::{Check, Disable, Engine};

fn rule() -> PackRule {
    PackRule {
        id: "acme-token".to_owned(),
        source: "https://acme.test/docs".to_owned(),
        keywords: vec!["acme_".to_owned()],
        token: Some("acme_[a-z0-9]{20}".to_owned()),
        matches: vec!["x=acme_q9x2mn7pk4rt8wy1cv5b".to_owned()],
        ignores: vec!["acme_xxxxxxxxxxxxxxxxxxxx".to_owned()],
        ..PackRule::default()
    }
}

fn near() -> PackRule {
    PackRule {
        token: None,
        keywords: vec!["acme".to_owned()],
        near: Some("[a-z0-9]{20}".to_owned()),
        matches: vec!["ACME_KEY=q9x2mn7pk4rt8wy1cv5b".to_owned()],
        ignores: Vec::new(),
        ..rule()
    }
}

/// What the rules make of a text.
fn redacted(additions: &Additions, text: &str) -> String {
    let rules = RuleSet::builtin_with(additions).unwrap();
    Engine::build([], &rules, [7; 32]).unwrap().redact(text).text.into_owned()
}

#[test]
fn every_file_of_the_folder_is_shipped_and_does_what_its_examples_say() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    files.sort();
    assert_eq!(
        builtin::PACKS.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        files,
        "list them in builtin.rs, in order"
    );

    let mut ids: Vec<String> = Vec::new();
    let mut faults: Vec<String> = Vec::new();
    for ((name, _), pack) in builtin::PACKS.iter().zip(builtin::packs()) {
        match pack {
            Ok(pack) => {
                assert!(
                    pack.allow.is_empty() && pack.disable.is_empty() && pack.profiles.is_empty(),
                    "{name}: rules only"
                );
                faults.extend(
                    pack.rules
                        .iter()
                        .filter_map(|rule| verify(rule).err().map(|problem| format!("{name}: {}: {problem}", rule.id))),
                );
                ids.extend(pack.rules.into_iter().map(|rule| rule.id));
            }
            Err(e) => faults.push(format!("{name}: {e}")),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let set = RuleSet::builtin_with(&Additions { profiles: vec![Profile::Personal], ..Additions::default() }).unwrap();
    let list = set.list();
    let twice: Vec<_> = list.windows(2).filter(|pair| pair[0].id == pair[1].id).map(|pair| pair[0].id).collect();
    assert!(twice.is_empty(), "ids used twice: {twice:?}");
    assert!(ids.len() < list.len(), "rules that are code are listed too");
}

#[test]
fn a_rule_that_does_not_do_what_it_says_is_refused_by_name() {
    let cases: Vec<(PackRule, &str)> = vec![
        (PackRule { id: "Acme".to_owned(), ..rule() }, "lower-case"),
        (PackRule { kind: Some("a]b".to_owned()), ..rule() }, "lower-case"),
        (PackRule { source: " ".to_owned(), ..rule() }, "`source`"),
        (PackRule { keywords: vec![], ..rule() }, "`keywords`"),
        (PackRule { keywords: vec!["ß_tok".to_owned()], ..rule() }, "printable ASCII"),
        (PackRule { keywords: vec!["a".to_owned()], ..rule() }, "printable ASCII"),
        (PackRule { keywords: vec!["ac".to_owned()], ..near() }, "printable ASCII"),
        (PackRule { keywords: vec!["acme-".to_owned()], ..rule() }, "cannot begin"),
        (PackRule { lead: Some("other".to_owned()), ..rule() }, "`lead` cannot begin"),
        (PackRule { near: Some("[a-z]{20}".to_owned()), ..rule() }, "exactly one"),
        (PackRule { token: None, ..rule() }, "exactly one"),
        (PackRule { also: vec!["key".to_owned()], ..rule() }, "belongs to `near`"),
        (PackRule { lead: Some("acme".to_owned()), ..near() }, "belongs to `token`"),
        (PackRule { before: Some("[a-z]{4}".to_owned()), ..near() }, "belongs to `token`"),
        (PackRule { before: Some("[a-z]{4}".to_owned()), lead: Some("acme_".to_owned()), ..rule() }, "exactly one"),
        (PackRule { before: Some("[a-z]{81}".to_owned()), ..rule() }, "`before`"),
        (PackRule { before: Some("[a-z=]{4}".to_owned()), ..rule() }, "`before`"),
        (PackRule { within: Some(0), ..near() }, "`within`"),
        (PackRule { within: Some(201), ..near() }, "`within`"),
        (PackRule { entropy: Some(9.0), ..rule() }, "`entropy`"),
        (PackRule { token: Some("acme_[a-z0-9]+".to_owned()), ..rule() }, "not bounded"),
        (PackRule { matches: vec![], ..rule() }, "`matches`"),
        (PackRule { matches: vec!["acme_".to_owned()], ..rule() }, "example 1 of `matches`"),
        (PackRule { ignores: rule().matches, ..rule() }, "example 1 of `ignores`"),
        (PackRule { check: Some(Check::Crc32Base62), ..rule() }, "example 1 of `matches`"),
        (PackRule { entropy: Some(5.0), ..rule() }, "example 1 of `matches`"),
    ];
    for (bad, why) in cases {
        let error = RuleSet::builtin_with(&Additions { rules: vec![bad.clone()], ..Additions::default() }).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(why) && text.contains(&bad.id), "{text}, wanted {why}");
        assert!(!text.contains("q9x2mn7pk4"), "an example is nobody's business: {text}");
    }
    let twice = Additions { rules: vec![rule(), rule()], ..Additions::default() };
    assert!(RuleSet::builtin_with(&twice).unwrap_err().to_string().contains("twice"));
    for good in [rule(), near()] {
        assert_eq!(verify(&good), Ok(()), "{good:?}");
    }
}

#[test]
fn toml_is_read_strictly_and_its_errors_quote_nothing() {
    for (text, line) in [
        ("[[rule]]\nid = 'a'\nsecret = 'q9x2mn7pk4'", 3),
        ("[[rule]]\nid = 'a'\ncheck = 'q9x2mn7pk4'", 3),
        ("[[rule]]\nmatches = ['q9x2mn7pk4']", 1),
        ("matches = 'q9x2mn7pk4", 1),
    ] {
        let Err(PackError::Toml { line: at, problem }) = Additions::from_toml(text) else { panic!("{text}") };
        assert_eq!(at, line, "{text}: {problem}");
    }
    let of_policy =
        Additions::from_toml("[redaction]\nprofiles = ['personal']\n[[redaction.disable]]\nid = 'jwt'").unwrap();
    assert_eq!((of_policy.profiles.len(), of_policy.disable.len()), (1, 1));
    assert!(Additions::from_toml("[redaction]\nprofiles = []\n[[rule]]\nid = 'a'").is_err());
    let text = "profiles = ['personal']\n[[rule]]\nid = 'acme-token'\nsource = 'https://acme.test'\nkeywords = ['acme_']\n\
        token = 'acme_[a-z0-9]{20}'\nmatches = ['acme_q9x2mn7pk4rt8wy1cv5b']\n[[allow]]\nvalue = 'v'\nreason = 'r'\n[[disable]]\nid = 'jwt'";
    let read = Additions::from_toml(text).unwrap();
    assert_eq!((read.profiles.len(), read.rules.len(), read.allow.len(), read.disable.len()), (1, 1, 1, 1));
    let json = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<Additions>(&json).unwrap(), read, "{json}");
    assert_eq!(serde_json::to_string(&Additions::default()).unwrap(), "{}");
}

#[test]
fn what_a_bundle_adds_counts_and_what_it_allows_stays() {
    let text = "use acme_q9x2mn7pk4rt8wy1cv5b or acme_bbbbmn7pk4rt8wy1cv5b now";
    let added = Additions { rules: vec![rule()], ..Additions::default() };
    assert_eq!(redacted(&Additions::default(), text), text);
    let out = redacted(&added, text);
    assert!(!out.contains("acme_") && out.contains("[REDACTED:acme-token:"), "{out}");

    let allow = |allow: Allow| Additions { allow: vec![allow], ..added.clone() };
    let reason = || "public".to_owned();
    let value = Some("acme_q9x2mn7pk4rt8wy1cv5b".to_owned());
    for (entry, stays) in [
        (Allow { value: value.clone(), reason: reason(), ..Allow::default() }, true),
        (
            Allow { value: value.clone(), rule: Some("acme-token".to_owned()), reason: reason(), ..Allow::default() },
            true,
        ),
        (Allow { value, rule: Some("jwt".to_owned()), reason: reason(), ..Allow::default() }, false),
        (Allow { value: Some("q9x2".to_owned()), reason: reason(), ..Allow::default() }, false),
        (Allow { regex: Some("acme_q[a-z0-9]{19}".to_owned()), reason: reason(), ..Allow::default() }, true),
        (Allow { regex: Some("acme_q".to_owned()), reason: reason(), ..Allow::default() }, false),
    ] {
        let out = redacted(&allow(entry.clone()), text);
        assert_eq!(out.contains("acme_q9x2"), stays, "{entry:?}: {out}");
        assert!(!out.contains("acme_bbbb"), "the other one goes: {out}");
    }
    for (entry, why) in [
        (Allow { reason: reason(), ..Allow::default() }, "exactly one"),
        (Allow { rule: Some("jwt".to_owned()), reason: reason(), ..Allow::default() }, "`disable`"),
        (Allow { value: Some("v".to_owned()), ..Allow::default() }, "`reason`"),
        (Allow { regex: Some("a+".to_owned()), reason: reason(), ..Allow::default() }, "not bounded"),
    ] {
        let error = RuleSet::builtin_with(&allow(entry)).unwrap_err().to_string();
        assert!(error.contains("entry 1") && error.contains(why), "{error}");
    }
}

#[test]
fn an_allowed_value_that_the_vault_holds_still_goes() {
    let value = "acme_q9x2mn7pk4rt8wy1cv5b";
    let additions = Additions {
        rules: vec![rule()],
        allow: vec![Allow { value: Some(value.to_owned()), reason: "public".to_owned(), ..Allow::default() }],
        ..Additions::default()
    };
    let rules = RuleSet::builtin_with(&additions).unwrap();
    let engine = Engine::build([crate::Secret::new("acme", value)], &rules, [7; 32]).unwrap();
    assert_eq!(engine.redact(value).text, "SECRET_REF(acme)");
}

#[test]
fn a_shipped_rule_can_be_left_out() {
    let text = "https://me:p4ssw0rd-9@example.com/x";
    let disable = |id: &str| Additions {
        disable: vec![Disable { id: id.to_owned(), reason: String::new() }],
        ..Additions::default()
    };
    assert_ne!(redacted(&Additions::default(), text), text);
    assert_ne!(redacted(&disable("no-such-rule"), text), text);
    assert_eq!(redacted(&disable("url-password"), text), text);
}

#[test]
fn a_value_near_its_keyword() {
    let rule = PackRule { also: vec!["key".to_owned(), "secret".to_owned()], within: Some(20), ..near() };
    let others = ["token", "key", "password"].map(|id| Disable { id: id.to_owned(), reason: String::new() });
    let additions = Additions { rules: vec![rule], disable: others.to_vec(), ..Additions::default() };
    for (text, goes) in [
        ("acme key: «»", true),
        ("ACME_API_KEY=«»", true),
        ("{\"acmeSecret\": \"«»\"}", true),
        ("acme.secret\n    «»", true),
        ("my_acme_key=%3D«»", true),
        ("acme_key=\\n«»\\n", true),
        ("acme key\n\n«»", false),
        ("acme build «»", false),
        ("acme key is one of twenty: «»", false),
        ("acme_key=«»-b", false),
        ("acme_key=a«»", false),
        ("acme_key=", false),
    ] {
        let text = text.replace("«»", "q9x2mn7pk4rt8wy1cv5b");
        let out = redacted(&additions, &text);
        assert_eq!(out.contains("[REDACTED:acme-token:"), goes, "{text}: {out}");
    }
}

#[test]
fn what_stands_before_the_keyword_goes_with_it() {
    let rule = PackRule {
        keywords: vec!["-acme".to_owned()],
        before: Some("[a-z0-9]{20}".to_owned()),
        token: Some("-acme[0-9]{1,2}".to_owned()),
        mixed: Some(true),
        matches: vec!["q9x2mn7pk4rt8wy1cv5b-acme1".to_owned()],
        ignores: Vec::new(),
        ..rule()
    };
    let additions = Additions { rules: vec![rule], ..Additions::default() };
    for text in [
        "xq9x2mn7pk4rt8wy1cv5b-acme1",
        "x-q9x2mn7pk4rt8wy1cv5b-acme1",
        "9x2mn7pk4rt8wy1cv5b-acme1",
        "-acme1",
        "q9x2mn7pk4rt8wy1cv5b-acme1x",
    ] {
        assert_eq!(redacted(&additions, text), text);
    }
    for (before, after) in [("", ""), ("a ", " b"), ("k=", "."), ("\\n", "\n")] {
        let out = redacted(&additions, &format!("{before}q9x2mn7pk4rt8wy1cv5b-acme12{after}"));
        assert!(out.starts_with(&format!("{before}[REDACTED:acme-token:")), "{out}");
        assert!(out.ends_with(&format!("]{after}")), "{out}");
    }
}

#[test]
fn a_lead_stays_and_punctuation_of_the_sentence_too() {
    let rule = PackRule {
        keywords: vec!["acme.test/hook/".to_owned()],
        lead: Some("acme\\.test/hook/[a-z]{1,8}/".to_owned()),
        token: Some("[a-z0-9./-]{12,40}".to_owned()),
        matches: vec!["acme.test/hook/team/q9x2mn7pk4rt8wy1cv5b".to_owned()],
        ignores: Vec::new(),
        ..rule()
    };
    let additions = Additions { rules: vec![rule], ..Additions::default() };
    let out = redacted(&additions, "see https://acme.test/hook/team/q9x2mn7pk4rt8wy1cv5b.");
    assert!(out.starts_with("see https://acme.test/hook/team/[REDACTED:acme-token:") && out.ends_with("]."), "{out}");
}
