use wardkeep_redaction::{Engine, RuleSet, Secret};

use super::*;
use crate::api::{Api, Verb};

#[test]
fn what_is_no_request_is_refused() {
    for (body, want) in [
        ("", InvalidBody::NotAnObject),
        ("[]", InvalidBody::NotAnObject),
        ("{\"model\":\"m\"} x", InvalidBody::NotAnObject),
        ("{\"model\":\"m\",}", InvalidBody::NotAnObject),
        ("{\"model\":1}", InvalidBody::NoModel),
        ("{\"model\":\"m\",\"stream\":1}", InvalidBody::Stream),
        ("{\"model\":\"m\",\"model\":\"n\"}", InvalidBody::Twice("model")),
        ("{\"model\":\"m\",\"mod\\u0065l\":\"n\"}", InvalidBody::Twice("model")),
        ("{\"model\":\"m\",\"stream\":true,\"stream\":false}", InvalidBody::Twice("stream")),
        ("{\"model\":\"m\",\"messages\":[],\"messages\":[]}", InvalidBody::Again),
        ("{\"model\":\"m\",\"Model\":\"n\"}", InvalidBody::Again),
        ("{\"model\":\"m\",\"me\u{17f}\u{17f}ages\":[],\"messages\":[]}", InvalidBody::Again),
        ("{\"model\":\"m\",\"to\u{212a}en\":1,\"to\\u006ben\":2}", InvalidBody::Again),
        ("{\"generationConfig\":{},\"generation_config\":{}}", InvalidBody::Again),
    ] {
        assert_eq!(Head::parse(body.as_bytes()).expect_err(body), want, "{body}");
    }
}

#[test]
fn members_are_bounded() {
    let body = |count: usize| {
        let members: Vec<String> = (0..count).map(|n| format!("\"a{n}\":1")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(Head::parse(body(MEMBERS).as_bytes()).is_ok());
    assert_eq!(Head::parse(body(MEMBERS + 1).as_bytes()).expect_err("more"), InvalidBody::TooMany);
}

#[test]
fn a_body_is_made_what_its_provider_wants() {
    let rules = BodyRules {
        omit: vec!["model".to_owned(), "stream".to_owned()],
        add: [("version".to_owned(), "b\"1".to_owned())].into(),
        forbid: vec!["models".to_owned()],
        ..BodyRules::default()
    };
    let lists = [("beta".to_owned(), "[\"x\"]".to_owned())];
    for (body, want) in [
        (r#"{"model":"m"}"#, r#"{"version":"b\"1","beta":["x"]}"#),
        (r#"{ "model":"m" , "stream" : true }"#, r#"{  "version":"b\"1","beta":["x"]}"#),
        (r#"{"model":"m","a":1,"stream":true,"n":1.50}"#, r#"{"a":1,"n":1.50,"version":"b\"1","beta":["x"]}"#),
        (r#"{"a":1, "model":"m", "stream":false, "b":2}"#, r#"{"a":1, "b":2,"version":"b\"1","beta":["x"]}"#),
        (r#"{"a":1,"model":"m","stream":false}"#, r#"{"a":1,"version":"b\"1","beta":["x"]}"#),
        (r#"{"stream":false,"model":"m","a":1,"version":"mine"}"#, r#"{"a":1,"version":"mine","beta":["x"]}"#),
    ] {
        let head = Head::parse(body.as_bytes()).expect(body);
        let out = splice(Cow::Borrowed(body.as_bytes()), adapt(&head, body.as_bytes(), &rules, &lists).expect(body));
        let out = String::from_utf8_lossy(&out).into_owned();
        serde_json::from_str::<serde_json::Value>(&out).expect(&out);
        // White space around what was taken out may stay.
        assert_eq!(out.replace("  ", " "), want.replace("  ", " "));
    }
    let body = br#"{"model":"m","mod\u0065ls":["n"]}"#;
    let head = Head::parse(body).expect("an object");
    assert_eq!(adapt(&head, body, &rules, &[]).expect_err("around"), InvalidBody::Forbidden("models".to_owned()));
}

#[test]
fn what_costs_more_than_the_policy_says_is_refused() {
    let rules = BodyRules {
        only: [("tier".to_owned(), vec!["auto".to_owned(), "flex".to_owned()])].into(),
        ..BodyRules::default()
    };
    let adapted =
        |body: &str| adapt(&Head::parse(body.as_bytes()).expect(body), body.as_bytes(), &rules, &[]).map(|_| ());
    let dearer = InvalidBody::Dearer("tier".to_owned(), "auto, flex".to_owned());
    for body in [
        r#"{"tier":"priority"}"#,
        r#"{"ti\u0065r":"priority"}"#,
        r#"{"tier":["auto"]}"#,
        r#"{"tier":7}"#,
        r#"{"tier":""}"#,
    ] {
        assert_eq!(adapted(body), Err(dearer.clone()), "{body}");
    }
    for body in
        [r#"{"tier":"flex"}"#, r#"{"tier":"fl\u0065x"}"#, r#"{"tier":null}"#, r#"{"metadata":{"tier":"priority"}}"#]
    {
        assert_eq!(adapted(body), Ok(()), "{body}");
    }
}

#[test]
fn tiers_are_known_in_every_spelling() {
    let adapted = |body: &str| {
        adapt(&Head::parse(body.as_bytes()).expect(body), body.as_bytes(), &BodyRules::default(), &[]).map(|_| ())
    };
    for body in [
        r#"{"serviceTier":"priority"}"#,
        r#"{"Service_Tier":"priority"}"#,
        r#"{"service_tier":"priority"}"#,
        r#"{"inference_geo":"us"}"#,
        r#"{"speed":"fast"}"#,
    ] {
        assert!(matches!(adapted(body), Err(InvalidBody::Dearer(..))), "{body}");
    }
    for body in [r#"{"serviceTier":"flex"}"#, r#"{"service_tier":"standard"}"#, r#"{"inference_geo":"global"}"#] {
        assert_eq!(adapted(body), Ok(()), "{body}");
    }
}

#[test]
fn a_name_that_only_some_readers_know_is_refused() {
    let right = |api, body: &str| spelling::right(api, &Head::parse(body.as_bytes()).expect(body));
    for name in ["Max_Tokens", "mAx_tokens", "N", "MaxTokens", "Background", "me\u{17f}\u{17f}ages", "Tools"] {
        let name = name.to_owned();
        let body = format!(r#"{{"{name}":1}}"#);
        assert_eq!(right(Api::Chat, &body), Err(InvalidBody::Spelling(name)), "{body}");
    }
    for body in [r#"{"max_tokens":1,"Mine":2,"topK":3,"n":1}"#, r#"{"models":[]}"#] {
        assert_eq!(right(Api::Messages, body), Ok(()), "{body}");
    }
    assert_eq!(right(Api::Gemini(Verb::Generate), r#"{"serviceTier":"flex","systemInstruction":{}}"#), Ok(()));
}

#[test]
fn a_gemini_body_names_no_other_model() {
    for (body, want) in [
        (r#"{"contents":[{"model":"x"}]}"#, Some(r#"{"contents":[{"model":"x"}]}"#)),
        (r#"{"model":"models/m"}"#, Some(r#"{"model":"models/up"}"#)),
        (
            r#"{"requests":[{"model":"models/m"},{"model":"m","n":1.0}]}"#,
            Some(r#"{"requests":[{"model":"models/up"},{"model":"up","n":1.0}]}"#),
        ),
        (
            r#"{"generateContentRequest":{"model":"models/m"}}"#,
            Some(r#"{"generateContentRequest":{"model":"models/up"}}"#),
        ),
        (r#"{"model":"models/other"}"#, None),
        (r#"{"requests":[{"model":"models/m"},{"mod\u0065l":"models/other"}]}"#, None),
        (r#"{"generate_content_request":{"model":"other"}}"#, None),
        (r#"{"model":["models/m"]}"#, None),
    ] {
        let out = rename_inner(body.as_bytes(), "m", "up")
            .map(|changes| String::from_utf8_lossy(&splice(Cow::Borrowed(body.as_bytes()), changes)).into_owned());
        assert_eq!(out.as_deref().ok(), want, "{body}");
    }
}

#[test]
fn only_the_spliced_bytes_change() {
    const ASKED: &str = r#""include_usage":true"#;
    for (body, want) in [
        (r#" { "model" : "m" , "n":1.0e1 } "#.to_owned(), r#" { "model" : "up" , "n":1.0e1 } "#.to_owned()),
        (
            r#"{"model":"\u006d","stream":true }"#.to_owned(),
            format!(r#"{{"model":"up","stream":true ,"stream_options":{{{ASKED}}}}}"#),
        ),
        (
            r#"{"stream":true,"stream_options":{},"model":"m"}"#.to_owned(),
            format!(r#"{{"stream":true,"stream_options":{{{ASKED}}},"model":"up"}}"#),
        ),
        (
            r#"{"stream_options":{ "x":1},"stream":true,"model":"m"}"#.to_owned(),
            format!(r#"{{"stream_options":{{{ASKED}, "x":1}},"stream":true,"model":"up"}}"#),
        ),
        (
            r#"{"stream_options":{"include_usage": false},"stream":true,"model":"m"}"#.to_owned(),
            r#"{"stream_options":{"include_usage": true},"stream":true,"model":"up"}"#.to_owned(),
        ),
        (
            r#"{"stream_options":null,"stream":true,"model":"m"}"#.to_owned(),
            format!(r#"{{"stream_options":{{{ASKED}}},"stream":true,"model":"up"}}"#),
        ),
        (
            r#"{"stream_options":{"include_usage":true},"stream":true,"model":"up"}"#.to_owned(),
            r#"{"stream_options":{"include_usage":true},"stream":true,"model":"up"}"#.to_owned(),
        ),
    ] {
        let head = Head::parse(body.as_bytes()).expect(&body);
        let changes = [rename(&head, "up"), ask_for_usage(&head, body.as_bytes())];
        let out = splice(Cow::Borrowed(body.as_bytes()), changes.into_iter().flatten());
        assert_eq!(String::from_utf8_lossy(&out), want);
    }
}

#[test]
fn a_head_after_redaction_is_that_of_a_parse() {
    let secrets = [Secret::new("token", "tok-8Jq2xN4vRk7Lm0Zs"), Secret::new("pin", "4711081547")];
    let engine = Engine::build(secrets, &RuleSet::builtin(), [7; 32]).unwrap();
    let key =
        "sk-ant-api03-Zx9-QwErTyUiOpAsDfGhJkLzXcVbNmQwErTyUiOpAsDfGhJkLzXcVbNmQwErTyUiOpAsDfGhJkLzXcVbNmQwErTyUiO-AA";
    for (body, shifts) in [
        (
            r#"{"a":"x","model":"m","messages":[{"content":"TOKEN and KEY"},{"content":["tok-8Jq2","xN4vRk7Lm0Zs"]}],"stream":true}"#,
            true,
        ),
        (
            r#"{"system":"TOKENTOKEN","model":"m","n":4711081547,"x":[1,4711081547],"user":"TOKEN" , "stream" : false }"#,
            true,
        ),
        (r#"{"first":"tok-8Jq2x\u004e4vRk7Lm0Zs","model":"m"}"#, true),
        (r#"{"model":"m","nothing":"here"}"#, true),
        (r#"{"TOKEN":1,"model":"m","x":"TOKEN"}"#, false),
        (r#"{"model":"TOKEN","x":"TOKEN"}"#, false),
    ] {
        let body = body.replace("TOKEN", "tok-8Jq2xN4vRk7Lm0Zs").replace("KEY", key);
        let redacted = engine.redact_json(body.as_bytes()).unwrap();
        let head = Head::parse(body.as_bytes()).unwrap();
        let shifted = head.shifted(body.as_bytes(), &redacted.bytes, &redacted.findings);
        assert_eq!(shifted.is_some(), shifts, "{body}");
        if let Some(shifted) = shifted {
            let parsed = Head::parse(&redacted.bytes).unwrap();
            assert_eq!(format!("{shifted:?}"), format!("{parsed:?}"), "{body}");
        }
    }
}
