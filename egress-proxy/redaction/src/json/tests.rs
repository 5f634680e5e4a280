use proptest::prelude::*;

use super::*;
use crate::{RuleSet, Secret};

const TOKEN: &str = "q9x2mn7pk4rt8wy1cv5b";
const QUOTED: &str = "pa\"ss\\wörd/1";

/// Built once: property tests use it some hundred times.
fn engine() -> &'static Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE.get_or_init(|| {
        let secrets = [("token", TOKEN), ("quoted", QUOTED), ("digits", "1234567890123456")];
        let secrets = secrets.map(|(name, value)| Secret::new(name, value));
        Engine::build(secrets, &RuleSet::builtin(), [7; 32]).unwrap()
    })
}

fn redacted(body: &str) -> Result<String, Unscannable> {
    engine().redact_json(body.as_bytes()).map(|out| String::from_utf8(out.bytes.into_owned()).unwrap())
}

#[test]
fn what_is_not_json_does_not_leave() {
    for bad in [
        "",
        " ",
        "{",
        "}",
        "[",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "'a'",
        "\"a",
        "\"\\q\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "1e+",
        "nul",
        "NaN",
        "true false",
        "{} {}",
        "[1] x",
        "\u{feff}{}",
        "{\"a\":1 \"b\":2}",
        "[1 2]",
        "\"\t\"",
        "//c\n1",
        "[\"a\" \"b\"]",
    ] {
        assert!(matches!(redacted(bad), Err(Unscannable::NotJson { .. })), "{bad:?}");
    }
    assert_eq!(engine().redact_json(b"[\"ab\xff\"]"), Err(Unscannable::NotJson { at: 4 }));
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(redacted(&deep(JSON_DEPTH + 2)), Err(Unscannable::TooDeep));
    assert!(redacted(&deep(JSON_DEPTH)).is_ok());
    assert_eq!(engine().redact_json(&vec![b' '; JSON_BYTES + 1]), Err(Unscannable::TooLarge));
}

#[test]
fn a_signed_block_with_a_secret_is_refused() {
    let sealed =
        |body: &str| engine().redact_json_sealing(body.as_bytes(), &["thinking"]).map(|out| out.bytes.into_owned());
    for body in [
        format!(r#"[{{"type":"thinking","thinking":"{TOKEN}","signature":"x"}}]"#),
        format!(r#"[{{"signature":"x","inner":{{"a":["{TOKEN}"]}},"type":"thinking"}}]"#),
        format!(r#"{{"{TOKEN}":1,"type":"\u0074hinking"}}"#),
    ] {
        assert_eq!(sealed(&body), Err(Unscannable::Sealed { kind: "thinking".into() }), "{body}");
    }
    let beside = format!(r#"[{{"type":"thinking","thinking":"fine"}},{{"type":"text","text":"{TOKEN}"}}]"#);
    assert_eq!(sealed(&beside).unwrap(), beside.replace(TOKEN, "SECRET_REF(token)").into_bytes());
}

#[test]
fn a_member_can_make_a_block_a_signed_one() {
    let sealed = |body: &str| {
        engine().redact_json_sealing(body.as_bytes(), &["thinking", "sig:"]).map(|out| out.bytes.into_owned())
    };
    for body in [
        format!(r#"[{{"text":"{TOKEN}","sig":"x"}}]"#),
        format!(r#"[{{"sig":"x","call":{{"args":{{"a":"{TOKEN}"}}}},"type":"text"}}]"#),
        format!(r#"[{{"s\u0069g":"{TOKEN}"}}]"#),
    ] {
        assert_eq!(sealed(&body), Err(Unscannable::Sealed { kind: "sig:".into() }), "{body}");
    }
    for beside in [
        format!(r#"[{{"text":"fine","sig":"x"}},{{"text":"{TOKEN}"}}]"#),
        format!(r#"[{{"text":"{TOKEN}","sig":""}}]"#),
        format!(r#"[{{"text":"{TOKEN}","sig":null,"x":"sig"}}]"#),
        format!(r#"{{"parts":[{{"sig":"x"}}],"text":"{TOKEN}"}}"#),
    ] {
        assert_eq!(sealed(&beside).unwrap(), beside.replace(TOKEN, "SECRET_REF(token)").into_bytes());
    }
}

#[test]
fn everything_else_passes_byte_by_byte() {
    for body in [
        r#" { "b" : 1.0 , "a":-0.00e+10,"a":[ ],"\u0041":"\u00e9\/\n\ud800",	"e":{}}  "#,
        "\"\"",
        "98765432109876543210987654321",
        "[true,false,null,\r\n0]",
    ] {
        assert!(matches!(engine().redact_json(body.as_bytes()).unwrap().bytes, Cow::Borrowed(_)), "{body}");
    }
    let body = r#"{"n":1.50,"n":1e3,"x":"\u0041 T \/ \ud83d\ude00 T","y":"\u0042"}"#;
    assert_eq!(redacted(&body.replace('T', TOKEN)).unwrap(), body.replace('T', "SECRET_REF(token)"));
}

#[test]
fn strings_and_keys_are_decoded_first() {
    let escaped: String = TOKEN.chars().map(|c| format!("\\u{:04X}", u32::from(c))).collect();
    let mixed = TOKEN.replace('x', "\\u0078");
    for (body, out) in [
        (format!(r#"["{TOKEN}"]"#), r#"["SECRET_REF(token)"]"#.to_owned()),
        (format!(r#"{{"{escaped}":1}}"#), r#"{"SECRET_REF(token)":1}"#.into()),
        (format!(r#"["a\n{mixed}\tb"]"#), r#"["a\nSECRET_REF(token)\tb"]"#.into()),
        (serde_json::to_string(QUOTED).unwrap(), r#""SECRET_REF(quoted)""#.into()),
        (r#""pa\u0022ss\\w\u00F6rd\/1""#.into(), r#""SECRET_REF(quoted)""#.into()),
        // A tool call's arguments are JSON in JSON.
        (
            serde_json::to_string(&serde_json::to_string(&[QUOTED]).unwrap()).unwrap(),
            r#""[\"SECRET_REF(quoted)\"]""#.into(),
        ),
        ("[1234567890123456,-12]".into(), r#"["SECRET_REF(digits)",-12]"#.into()),
    ] {
        assert_eq!(redacted(&body).unwrap(), out, "{body}");
    }
}

#[test]
fn a_name_says_that_its_value_is_a_secret() {
    for (body, out) in [
        (r#"{"input":{"user":"app","password":"kestrel9"}}"#, r#"{"input":{"user":"app","password":"#),
        (r#"{"db":{"passw\u006frd": "kestrel9\"!"}}"#, r#"{"db":{"passw\u006frd": "#),
        (r#"{"tokens":["h4sk2n9d8f7w6q5z"]}"#, r#"{"tokens":["#),
        (r#"{"env":[{"name":"DB_PASSWORD","value":"kestrel9"}]}"#, r#"{"env":[{"name":"DB_PASSWORD","value":"#),
    ] {
        let redacted = redacted(body).unwrap();
        assert!(redacted.starts_with(&format!("{out}\"[REDACTED:")), "{redacted}");
        assert!(serde_json::from_str::<serde_json::Value>(&redacted).is_ok(), "{redacted}");
    }
    for body in [
        r#"{"password":{"type":"string","description":"The password of the user"}}"#,
        r#"{"prompt_cache_key":"h4sk2n9d8f7w6q5z3x1c","max_tokens":"1024","name":"password","id":"kestrel9"}"#,
        r#"{"password":"${DB_PASSWORD}","token":"SECRET_REF(token)","api_key":"[REDACTED:key:0a1b]"}"#,
        r#"{"keys":[{"id":"h4sk2n9d8f7w6q5z3x1c"}],"signature":"h4sk2n9d8f7w6q5z3x1c"}"#,
    ] {
        assert_eq!(redacted(body).unwrap(), body);
    }
}

#[test]
fn a_value_split_over_content_parts_is_found() {
    let (a, b) = TOKEN.split_at(9);
    let (b, c) = b.split_at(5);
    for (body, out) in [
        (format!(r#"["x {a}","{b}{c} y"]"#), r#"["x SECRET_REF(token)"," y"]"#),
        (format!(r#"["{a}","{b}","{c}"]"#), r#"["SECRET_REF(token)","[REDACTED:rest]","[REDACTED:rest]"]"#),
        (format!(r#"["{a}","{b}{c} \n"," "]"#), r#"["SECRET_REF(token)","[REDACTED:rest] \n"," "]"#),
        (
            format!(r#"["{a}","\"{b}{c}","\\{TOKEN}"]"#),
            r#"["SECRET_REF(token)","[REDACTED:rest]","\\SECRET_REF(token)"]"#,
        ),
        (
            format!(r#"[{{"type":"text","text":"{a}"}},{{"text":"{b}{c}!","type":"text"}}]"#),
            r#"[{"type":"text","text":"SECRET_REF(token)"},{"text":"!","type":"text"}]"#,
        ),
        (
            format!(r#"["{TOKEN} {a}","{b}{c} {TOKEN}"]"#),
            r#"["SECRET_REF(token) SECRET_REF(token)"," SECRET_REF(token)"]"#,
        ),
    ] {
        assert_eq!(redacted(&body).unwrap(), out);
    }
    for apart in [format!(r#"[["{a}"],{{"b":["{b}{c}"]}}]"#), format!(r#"{{"a":["{a}"],"b":["{b}{c}"]}}"#)] {
        assert_eq!(redacted(&apart).unwrap(), apart, "only what is read together is one text");
    }
}

#[test]
fn a_value_split_over_messages_is_found() {
    let (a, b) = TOKEN.split_at(9);
    for (body, out) in [
        (
            format!(
                r#"{{"model":"m","messages":[{{"role":"user","content":"x {a}"}},{{"role":"user","content":"{b} y"}}]}}"#
            ),
            r#"{"model":"m","messages":[{"role":"user","content":"x SECRET_REF(token)"},{"role":"user","content":" y"}]}"#,
        ),
        (
            format!(
                r#"{{"messages":[{{"content":"{a}"}},{{"content":[{{"type":"image"}},{{"type":"text","text":"{b}"}}]}}]}}"#
            ),
            r#"{"messages":[{"content":"SECRET_REF(token)"},{"content":[{"type":"image"},{"type":"text","text":"[REDACTED:rest]"}]}]}"#,
        ),
        (
            format!(r#"{{"contents":[{{"parts":[{{"text":"{a}"}}],"role":"user"}},{{"parts":[{{"text":"{b}"}}]}}]}}"#),
            r#"{"contents":[{"parts":[{"text":"SECRET_REF(token)"}],"role":"user"},{"parts":[{"text":"[REDACTED:rest]"}]}]}"#,
        ),
        (
            format!(
                r#"{{"input":[{{"type":"message","content":"{a}"}},{{"type":"function_call_output","output":"{b}"}}]}}"#
            ),
            r#"{"input":[{"type":"message","content":"SECRET_REF(token)"},{"type":"function_call_output","output":"[REDACTED:rest]"}]}"#,
        ),
        (format!(r#"[["{a}"],1,["{b}"]]"#), r#"[["SECRET_REF(token)"],1,["[REDACTED:rest]"]]"#),
    ] {
        assert_eq!(redacted(&body).unwrap(), out);
    }
}

#[test]
fn only_the_ends_of_long_texts_are_joined() {
    let (a, b) = TOKEN.split_at(9);
    let long = r"long \u0074ext \\n".repeat(2000);
    let between = " and then it goes on with";
    for (body, out) in [
        (
            format!(r#"["{long}{a}","{b}{long}{a}","{b}"]"#),
            format!(r#"["{long}SECRET_REF(token)","{long}SECRET_REF(token)","[REDACTED:rest]"]"#),
        ),
        (format!(r#"["{a}{long}","{b}"]"#), format!(r#"["{a}{long}","{b}"]"#)),
        // Something may stand between the two halves.
        (format!(r#"["{long}{a}{between}","what: {b}"]"#), format!(r#"["{long}SECRET_REF(token){between}","what: "]"#)),
    ] {
        assert!(redacted(&body).unwrap() == out, "{}", redacted(&body).unwrap().replace(&long, "…"));
    }
}

#[test]
fn arguments_of_a_call_are_one_text() {
    let (a, b) = TOKEN.split_at(9);
    let call = format!(r#"{{"type":"tool_use","id":"x","input":{{"first":"{a}","more":["{b}"]}}}}"#);
    let out = r#"{"type":"tool_use","id":"x","input":{"first":"SECRET_REF(token)","more":["[REDACTED:rest]"]}}"#;
    assert_eq!(redacted(&format!(r#"{{"content":[{call}]}}"#)).unwrap(), format!(r#"{{"content":[{out}]}}"#));
    let schema = format!(r#"{{"parameters":{{"first":"{a}","more":"{b}"}}}}"#);
    assert_eq!(redacted(&schema).unwrap(), schema, "members of other objects are texts of their own");
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i64>().prop_map(Into::into),
        "[a-z\"\\\\\u{e9}\u{1f600}\n]{0,8}".prop_map(Into::into),
        prop::sample::select(vec![TOKEN, QUOTED]).prop_map(|v| format!("<{v}>").into()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-z\"]{0,3}", inner, 0..4)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

/// Length of the longest piece of `value` that stands in `text`.
fn rest_of(value: &str, text: &str) -> usize {
    (0..value.len())
        .flat_map(|from| (from + 1..=value.len()).map(move |to| from..to))
        .filter(|range| text.contains(&value[range.clone()]))
        .map(|range| range.len())
        .max()
        .unwrap_or_default()
}

#[test]
fn a_value_that_is_cut_anywhere_leaves_no_part() {
    const VALUE: &str = "mK7xQp2vR9sT4wZ8";
    let engine = Engine::build([Secret::new("a", VALUE)], &RuleSet::builtin(), [7; 32]).unwrap();
    for cut in 1..VALUE.len() {
        let (one, two) = VALUE.split_at(cut);
        for body in [
            format!(
                r#"{{"messages":[{{"role":"user","content":[{{"type":"text","text":"a {one}"}},{{"type":"text","text":"{two} b"}}]}}]}}"#
            ),
            format!(r#"{{"messages":[{{"role":"user","content":"a {one}"}},{{"role":"user","content":"{two} b"}}]}}"#),
            format!(
                r#"{{"messages":[{{"role":"user","content":[{{"type":"tool_use","id":"t","name":"x","input":{{"a":"{one}","b":"{two}"}}}}]}}]}}"#
            ),
        ] {
            let out = String::from_utf8(engine.redact_json(body.as_bytes()).unwrap().bytes.into_owned()).unwrap();
            assert!(rest_of(VALUE, &out) < 6, "{cut}: {out}");
            assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{cut}: {out}");
            assert_eq!(engine.redact_document(&body).text, out, "{cut}");
        }
        // A document that stands by itself: nobody knows what its members are.
        for body in [
            format!(r#"{{"a":"{one}","b":"{two}"}}"#),
            format!(r#"{{"k":{{"a":"{one}"}},"l":["{two}"]}}"#),
            format!(r#" [{{"x":"a {one}"}},{{"x":"{two} b"}}]"#),
        ] {
            let out = engine.redact_document(&body).text;
            assert!(rest_of(VALUE, &out) < 6, "{cut}: {out}");
            assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{cut}: {out}");
        }
    }
}

const CUT: &str = "mK7xQp2vR9sT4wZ8";

/// The value in all kinds of forms.
fn forms() -> [String; 13] {
    let each = |with: fn(u8) -> String| CUT.bytes().map(with).collect::<String>();
    let hex = each(|b| format!("{b:02x}"));
    let base64 = data_encoding::BASE64.encode(format!("user:{CUT};").as_bytes());
    [
        CUT.to_owned(),
        each(|b| format!("{} ", char::from(b))),
        each(|b| format!("\\x{b:02x}")),
        each(|b| format!("\\\\u{b:04x}")),
        each(|b| format!("%{b:02X}")),
        each(|b| format!("0x{b:02x}, ")),
        each(|b| format!("{b:02x}:")),
        CUT.replace('v', "v\n    "),
        CUT.replace('v', "v\u{200b}&shy;"),
        format!("{}\n{}", &base64[..20], &base64[20..]),
        format!("\n00000000: {}  ..\n00000010: {}  ..\n", &hex[..20], &hex[20..]).replace("6d4b", "6d4b "),
        base64,
        hex,
    ]
}

/// Whether all of `part` stands in `text`, in order.
fn is_left_of(part: &str, text: &str) -> bool {
    let mut text = text.chars();
    part.chars().all(|wanted| text.any(|c| c == wanted))
}

#[test]
fn what_a_text_holds_is_found_whatever_stands_in_the_texts_around_it() {
    let engine = Engine::build([Secret::new("a", CUT)], &RuleSet::none(), [7; 32]).unwrap();
    let left = |text: &str| text.replace("SECRET_REF(a)", "");
    let ends = [
        "",
        "\n",
        " ",
        "word",
        "0",
        "0x",
        "0x6",
        "0x61, ",
        "\\",
        "\\x",
        "\\u00",
        "\\u{00",
        "%",
        "%4",
        "&#",
        "&am",
        "\u{1b}[3",
        "\u{200b}",
        "\u{1b}",
        "aGVsbG8gd29ybGQ",
        "aGVsbG8gd29ybGQhISEh\n",
        "aGVsbG8gd29ybGQh\n  ",
        "4142434445464748",
        "00000000: 61 62",
        "00000000: 61 62\n",
        "\n0000",
        "caf\u{e9}",
        "\u{ff41}",
        "\\\n",
        "\\d83d",
        "\\ud83d",
    ];
    let begins = [
        "",
        "\n",
        " ",
        "word",
        "x61",
        "0x61",
        "0",
        "u0041",
        "n",
        "x41",
        "41",
        "\\n",
        "%41",
        "amp;",
        "#65;",
        "65;",
        "1m",
        "m",
        "aGVsbG8gd29ybGQ",
        "  aGVsbG8gd29ybGQhISEh",
        "4142434445464748",
        "0000: 61 62 ",
        " 61 62",
        "\u{200b}",
        "\u{301}",
        "\\ude00",
    ];
    for filler in ["", "some words and then ", "fn a(b: &c) { 12; }\n"] {
        for (n, form) in forms().iter().enumerate() {
            for end in ends {
                let (one, two) = (format!("{}{end}", filler.repeat(20)), format!("{form}{}", filler.repeat(20)));
                let parts = redacted_parts(&engine, [&one, &two]);
                assert!(
                    is_left_of(&left(&parts[1]), &left(&engine.redact(&two).text)),
                    "form {n} behind {one:?}: {parts:?}"
                );
            }
            for begin in begins {
                let (one, two) = (format!("{}{form}", filler.repeat(20)), format!("{begin}{}", filler.repeat(20)));
                let parts = redacted_parts(&engine, [&one, &two]);
                assert!(
                    is_left_of(&left(&parts[0]), &left(&engine.redact(&one).text)),
                    "form {n} before {two:?}: {parts:?}"
                );
            }
        }
    }
}

#[test]
fn an_empty_text_between_two_changes_nothing() {
    let engine = Engine::build([Secret::new("a", CUT)], &RuleSet::none(), [7; 32]).unwrap();
    let filler = "some words and then ".repeat(20);
    for form in forms() {
        for cut in (0..=form.len()).filter(|at| form.is_char_boundary(*at)).step_by(3) {
            let (one, two) = (format!("{filler}{}", &form[..cut]), format!("{}{filler}", &form[cut..]));
            let [first, last] = redacted_parts(&engine, [&one, &two]);
            assert_eq!(redacted_parts(&engine, [&one, "", &two]), [&first, "", &last], "{form} at {cut}");
        }
    }
}

fn redacted_parts<const N: usize>(engine: &Engine, texts: [&str; N]) -> [String; N] {
    let body = serde_json::json!(texts.as_slice()).to_string();
    let parts: Vec<String> = serde_json::from_slice(&engine.redact_json(body.as_bytes()).unwrap().bytes).unwrap();
    parts.try_into().unwrap()
}

#[test]
fn a_value_in_any_form_that_is_cut_is_found_as_in_one_text() {
    let engine = Engine::build([Secret::new("a", CUT)], &RuleSet::none(), [7; 32]).unwrap();
    let forms = forms();
    for filler in ["some words and then ", "fn a(b: &c) { 12; }\n", "\u{e9} 2026-11-21T\n"] {
        let long = filler.repeat(20);
        for (n, form) in forms.iter().enumerate() {
            for cut in (0..=form.len()).filter(|cut| form.is_char_boundary(*cut)) {
                let (one, two) = form.split_at(cut);
                let (one, two) = (format!("{long}{one}"), format!("{two}{long}"));
                let body = serde_json::json!([one, two]).to_string();
                let out = engine.redact_json(body.as_bytes()).unwrap().bytes;
                let parts: [String; 2] = serde_json::from_slice(&out).unwrap();
                // Each part may have a placeholder of its own.
                let left = |text: &str| text.replace("SECRET_REF(a)", "");
                let joined = format!("{one}{two}");
                let whole = engine.redact(&joined).text;
                assert_eq!(left(&parts.concat()), left(&whole), "form {n} at {cut}, {filler}");
            }
        }
    }
}

#[test]
fn a_text_that_is_a_document_stays_valid() {
    let engine = Engine::build([Secret::new("num", "98237461523")], &RuleSet::builtin(), [7; 32]).unwrap();
    for (text, wanted) in [
        ("{\"n\":98237461523}", "{\"n\":\"SECRET_REF(num)\"}"),
        ("\n[98237461523]\n", "\n[\"SECRET_REF(num)\"]\n"),
        ("98237461523", "SECRET_REF(num)"),
        ("{n:98237461523}", "{n:SECRET_REF(num)}"),
        ("{\"n\":1}\n{\"n\":98237461523}", "{\"n\":1}\n{\"n\":SECRET_REF(num)}"),
        ("{\"n\":1}", "{\"n\":1}"),
    ] {
        assert_eq!(engine.redact_document(text).text, wanted);
    }
}

proptest! {
    #[test]
    fn the_result_is_the_document_with_its_strings_redacted(value in value(), pretty in any::<bool>()) {
        let body = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let out: serde_json::Value = serde_json::from_str(&redacted(&body).unwrap()).unwrap();
        let wanted = value.to_string()
            .replace(TOKEN, "SECRET_REF(token)")
            .replace(serde_json::to_string(QUOTED).unwrap().trim_matches('"'), "SECRET_REF(quoted)");
        prop_assert_eq!(out.to_string(), wanted);
    }

    #[test]
    fn it_takes_what_serde_takes(body in "[\\[\\]{}\",:0-9.eE+ \\\\untrlfas-]{0,24}") {
        prop_assert_eq!(redacted(&body).is_ok(), serde_json::from_str::<&serde_json::value::RawValue>(&body).is_ok(), "{}", body);
    }
}
