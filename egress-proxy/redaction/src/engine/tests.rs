use data_encoding::{BASE32, BASE64, BASE64_MIME, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use proptest::prelude::*;

use super::*;
use crate::unescape::Layer;

const SYMBOLS: &str = "pa%ss\"wo'rd/+=&<x>$y\\nz";
const TOKEN: &str = "q9x2mn7pk4rt8wy1cv5bz3df6gh0jl2e";
const WORDS: &str = "correct horse battery staple";
const UNICODE: &str = "Schlüssel-ключ-鍵-99";
const KEY: &str = "line-one-of-the-key-0001\nline-two-of-the-key-0002\n";

fn vault() -> [Secret<'static>; 5] {
    [("symbols", SYMBOLS), ("token", TOKEN), ("words", WORDS), ("unicode", UNICODE), ("key", KEY)]
        .map(|(name, value)| Secret::new(name, value))
}

fn engine(rules: &RuleSet) -> Engine {
    Engine::build(vault(), rules, [7; 32]).unwrap()
}

/// Values that begin alike.
fn crowd() -> Vec<String> {
    let secret = |n: u64| 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n + 1);
    (0..40).map(|n| format!("postgres://app:{:016x}@db.internal/shop", secret(n))).collect()
}

/// Built once: property tests use it some thousand times.
fn with_rules() -> &'static Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE.get_or_init(|| {
        let crowd = crowd();
        let crowd = crowd.iter().map(|value| Secret::new("crowd", value));
        let pin = Secret { beside: Some("pin"), ..Secret::new("pin", "4711") };
        Engine::build(vault().into_iter().chain(crowd).chain([pin]), &RuleSet::builtin(), [7; 32]).unwrap()
    })
}

fn redacted(text: &str) -> String {
    engine(&RuleSet::none()).redact(text).text.into_owned()
}

#[test]
fn other_values_leave_the_rules_as_they_are() {
    let rules = Engine::build([], &RuleSet::builtin(), [7; 32]).unwrap();
    let values = rules.with_secrets(vault()).unwrap();
    let known = "ghp_QCpUqYBGkXTZx17Jvl0gapXIRPPhX92kgbzRZbS";
    for (engine, value, rule) in [(&rules, false, true), (&values, true, true)] {
        assert_eq!(!engine.redact(&format!("see {TOKEN}")).findings.is_empty(), value);
        assert_eq!(!engine.redact(&format!("see {known}")).findings.is_empty(), rule);
    }
    // Equal secrets stay equal.
    let built = engine(&RuleSet::builtin());
    assert_eq!(values.redact(WORDS).text, built.redact(WORDS).text);
    assert!(rules.with_secrets([Secret::new("k", "seven77")]).is_err());
}

/// A shell that is given a key file as a script names each line in a message of its own.
#[test]
fn lines_of_a_key_are_found_apart_from_each_other() {
    for (one, two) in [
        ("kT9qVbW2zRnLpXcDfGhJ", "mY7sA1eU6oIw3ExQ5tBv"),
        ("ApqayYsbvkKlzynJEjLD", "GyVZxFPevTyhtVltpPtE"),
        ("qhzvkxtwjpfbgdrmcl", "XKVDJQHWNRTPZGMF"),
    ] {
        let engine = Engine::build([Secret::new("key", &format!("{one}\n{two}"))], &RuleSet::none(), [7; 32]).unwrap();
        let text = format!("+ {one}\nkey: line 1: {one}: not found\n+ {two}\nkey: line 2: {two}: not found");
        let out = engine.redact(&text).text;
        assert!(
            !out.contains(one) && !out.contains(two) && out.ends_with("key: line 2: SECRET_REF(key): not found"),
            "{out}"
        );
    }
}

/// The same text in Unicode's normal forms is the same secret, whichever was put into the vault.
#[test]
fn a_value_is_found_in_every_normal_form() {
    const COMPOSED: &str = "pa\"ss/w\u{f6}rd+N\u{e9}ver";
    const DECOMPOSED: &str = "pa\"ss/wo\u{308}rd+Ne\u{301}ver";
    for (kept, seen) in [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)] {
        let engine = Engine::build([Secret::new("k", kept)], &RuleSet::none(), [7; 32]).unwrap();
        let units = |seen: &str| seen.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
        let percent = |seen: &str| seen.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        for text in [kept, seen] {
            for text in [
                text.to_owned(),
                units(text),
                percent(text),
                BASE64URL_NOPAD.encode(text.as_bytes()),
                HEXLOWER.encode(text.as_bytes()),
            ] {
                assert_eq!(engine.redact(&text).text, "SECRET_REF(k)", "{kept:?} as {text}");
                let mut stream = engine.stream();
                let out: Vec<u8> = text.bytes().flat_map(|b| stream.push(&[b])).collect();
                let out = String::from_utf8([out, stream.finish()].concat()).unwrap();
                assert_eq!(out, "SECRET_REF(k)", "{kept:?} as {text}, byte by byte");
            }
        }
        let other = "pa\"ss/wurd+Naver";
        assert_eq!(engine.redact(other).text, other, "other letters are another text");
    }
}

/// One character of a value may stand for eighteen: what is searched at the end of a text grows with it.
#[test]
fn the_longest_normal_form_is_found_across_texts() {
    let kept = "\u{fdfa}\u{fdfa}-secret";
    let seen: String = crate::normal::others(kept).pop().map(|other| (*other).clone()).unwrap();
    assert!(seen.len() > 5 * kept.len());
    let engine = Engine::build([Secret::new("k", kept)], &RuleSet::none(), [7; 32]).unwrap();
    let units: String = seen.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let (first, second) = units.split_at(6 * 30);
    let body = format!(r#"[{{"type":"text","text":"a {first}"}},{{"type":"text","text":"{second} b"}}]"#);
    let out = engine.redact_json(body.as_bytes()).unwrap();
    assert!(!out.findings.is_empty(), "{}", String::from_utf8_lossy(&out.bytes));
}

#[test]
fn unfit_values_are_refused() {
    let unfit = |why| BuildError::Unsearchable { name: "k".into(), why };
    let build = |value: &str| Engine::build([Secret::new("k", value)], &RuleSet::none(), [0; 32]).map(|_| ());
    assert_eq!(build("seven77"), Err(unfit(Unsearchable::TooShort)));
    assert_eq!(build(&"x1y2z3".repeat(20_000)), Err(unfit(Unsearchable::TooLong)));
    assert_eq!(build("Passw0rd"), Err(unfit(Unsearchable::TooCommon)));
    assert_eq!(build("abababababab"), Err(unfit(Unsearchable::TooPlain)));
    let beside = |value, words| {
        let secret = Secret { beside: Some(words), ..Secret::new("k", value) };
        Engine::build([secret], &RuleSet::none(), [0; 32]).map(|_| ())
    };
    assert_eq!(beside("12", "pin"), Err(unfit(Unsearchable::TooShort)));
    assert_eq!(beside("1234", " , x,"), Err(BuildError::NoKeyword("k".into())));
    assert_eq!(beside("1234", "pin"), Ok(()));
    let long = "x1y2z3w4".repeat(8_000);
    let many = (0..70).map(|_| Secret::new("k", &long));
    assert_eq!(Engine::build(many, &RuleSet::none(), [0; 32]).map(|_| ()), Err(BuildError::TooMany));
}

#[test]
fn names_that_would_change_the_text_around_them_are_refused() {
    let build = |name: &str| Engine::build([Secret::new(name, "q9x2mn7pk4rt8wy1")], &RuleSet::none(), [0; 32]);
    for bad in ["", "a b", "a\"b", "a'b", "a\\b", "a\nb", "a\0b", "a)b", "schlüssel", "a\u{200b}b", &"a".repeat(65)] {
        assert_eq!(build(bad).map(|_| ()), Err(BuildError::Name), "{bad:?}");
    }
    for good in ["k", "db_password", "DB_PASSWORD", "prod/db.main:password-2", &"a".repeat(64)] {
        let body = "{\"a\":\"q9x2mn7pk4rt8wy1\"}";
        let engine = build(good).unwrap();
        let out = engine.redact_json(body.as_bytes()).unwrap();
        let wanted = format!("{{\"a\":\"SECRET_REF({good})\"}}");
        assert_eq!(String::from_utf8_lossy(&out.bytes), wanted);
        assert_eq!(engine.redact(&wanted).text, wanted);
    }
}

#[test]
fn text_without_secrets_is_not_even_copied() {
    let engine = engine(&RuleSet::builtin());
    for text in [
        "",
        "An ordinary sentence with 100% of nothing & no key at all.",
        "SECRET_REF(token) and [REDACTED:password:1a2b] stay as they are",
        "password=SECRET_REF(token) token: \"SECRET_REF(token)\"",
        "postgres://app:[REDACTED:url-password:1a2b]@db/app",
        "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
        "correct horse, battery and other staples",
    ] {
        assert!(matches!(engine.redact(text).text, Cow::Borrowed(_)), "{text}");
    }
}

#[test]
fn a_value_is_found_in_every_form() {
    for secret in vault() {
        let value = secret.value;
        let json = serde_json::to_string(value).unwrap();
        let every = |f: &dyn Fn(u8) -> String| value.bytes().map(f).collect::<String>();
        let units = |f: &dyn Fn(u16) -> String| value.encode_utf16().map(f).collect::<String>();
        let little: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut forms = vec![
            value.to_owned(),
            json.clone(),
            serde_json::to_string(&json).unwrap(),
            units(&|u| format!("\\u{u:04x}")),
            units(&|u| if u % 2 == 0 { format!("\\u{u:04X}") } else { char::from_u32(u.into()).unwrap().to_string() }),
            every(&|b| format!("%{b:02x}")),
            every(&|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }),
            every(&|b| format!("%25{b:02X}")),
            every(&|b| format!("\\x{b:02x}")),
            value.chars().map(|c| format!("&#{};", u32::from(c))).collect(),
            value.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect(),
            value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
            value.replace('\'', "'\"'\"'"),
            value.chars().flat_map(|c| [c, '\u{200b}']).collect(),
            HEXLOWER.encode(value.as_bytes()),
            HEXUPPER.encode(value.as_bytes()),
            // PostgreSQL's bytea: the first byte alone is an escape.
            format!("\\x{}", HEXLOWER.encode(value.as_bytes())),
            format!("a{}", HEXLOWER.encode(value.as_bytes())),
            every(&|b| format!("{b:02x}:")),
            every(&|b| format!("0x{b:02x}, ")),
            HEXLOWER.encode(&little),
            BASE64.encode(&little),
            hexdump(value.as_bytes()),
        ];
        for (before, after) in [("", ""), ("a", ""), ("ab", "c"), ("abc", "yz"), ("abcd", "\n")] {
            let framed = format!("{before}{value}{after}");
            forms.push(BASE64.encode(framed.as_bytes()));
            forms.push(BASE64URL_NOPAD.encode(framed.as_bytes()));
            forms.push(BASE64_MIME.encode(format!("{}{framed}", "x".repeat(48)).as_bytes()));
        }
        for form in forms {
            let text = format!("before it\n{form}\nafter it");
            let out = redacted(&text);
            let name = format!("SECRET_REF({})", secret.name);
            assert!(out.contains(&name), "{} missed in {form:?}: {out:?}", secret.name);
            assert!(out.starts_with("before it\n") && out.ends_with("after it"), "{form:?}: {out:?}");
        }
    }
}

fn hexdump(bytes: &[u8]) -> String {
    let line = |(n, row): (usize, &[u8])| {
        let hex: Vec<String> = row.iter().map(|b| format!("{b:02x}")).collect();
        let text: String = row.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect();
        format!("{:08x}  {:<47}  |{text}|", n * 16, hex.join(" "))
    };
    bytes.chunks(16).enumerate().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn values_in_utf16_bytes_are_found() {
    for encode in [u16::to_le_bytes, u16::to_be_bytes] {
        let bytes: Vec<u8> = format!("x{TOKEN}y").encode_utf16().flat_map(encode).collect();
        let engine = engine(&RuleSet::none());
        assert_eq!(engine.redact_bytes(&bytes).findings[0].name.as_deref(), Some("token"));
    }
}

#[test]
fn letters_go_on_behind_an_escape_wherever_one_stands() {
    let engine = with_rules();
    for escape in [r"\n", r#"\" +\n   \""#, "\u{200b}", "%20", r"\\n", "\\\n", "&quot;&#10;", r#"\\\" +\\n \\\""#] {
        for at in 1..TOKEN.len() {
            for again in [TOKEN.len(), 5, 7, 11, 13] {
                let (first, rest) = TOKEN.split_at(at);
                let rest: Vec<&str> = rest.as_bytes().chunks(again).map(|c| std::str::from_utf8(c).unwrap()).collect();
                let text = format!("of {first}{escape}{} is", rest.join(escape));
                assert_eq!(engine.redact(&text).text, "of SECRET_REF(token) is", "{text}");
            }
        }
    }
}

#[test]
fn overlapping_secrets_leave_no_rest() {
    let secrets =
        [("a", "q1w2x3y4"), ("b", "x3y4v5u6"), ("c", "q1w2x3y4v5")].map(|(name, value)| Secret::new(name, value));
    let engine = Engine::build(secrets, &RuleSet::none(), [0; 32]).unwrap();
    assert_eq!(engine.redact("<q1w2x3y4v5u6>").text, "<SECRET_REF(c)>");
    assert_eq!(engine.redact("<q1w2x3y4Xx3y4v5u6>").text, "<SECRET_REF(a)XSECRET_REF(b)>");
}

#[test]
fn a_long_value_becomes_one_placeholder() {
    let value: String = (0..400).map(|n| format!("{n:03}x")).collect();
    let engine = Engine::build([Secret::new("long", &value)], &RuleSet::none(), [0; 32]).unwrap();
    let out = engine.redact_bytes(format!("<{value}>").as_bytes()).bytes.into_owned();
    assert_eq!(String::from_utf8(out).unwrap(), "<SECRET_REF(long)>");
    assert_eq!(
        engine.redact(&value).findings,
        [Finding { rule: "vault".into(), name: Some("long".into()), start: 0, len: 1600 }]
    );
}

#[test]
fn equal_secrets_have_equal_tags_that_depend_on_the_key() {
    let text = "password=hunter22 and PASSWORD=hunter22 and password=hunter23";
    let tags = |key| {
        let out = Engine::build([], &RuleSet::builtin(), [key; 32]).unwrap().redact(text).text.into_owned();
        out.split(" and ").map(|part| part.rsplit(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (one, two) = (tags(1), tags(2));
    assert_eq!(one[0], one[1]);
    assert_ne!(one[0], one[2]);
    assert_ne!(one[0], two[0]);
}

#[test]
fn findings_name_the_place_and_never_the_value() {
    let engine = engine(&RuleSet::builtin());
    let found = engine.redact(&format!("x {TOKEN} y")).findings;
    assert_eq!(found, [Finding { rule: "vault".into(), name: Some("token".into()), start: 2, len: 32 }]);
    assert!(!format!("{found:?} {engine:?} {:?} {:?}", vault(), engine.stream()).contains(TOKEN));
}

#[test]
fn a_short_value_goes_only_alone_and_beside_its_keyword() {
    let pin = Secret { beside: Some("pin, door code"), ..Secret::new("pin", "4711") };
    let user = Secret { beside: Some("login"), ..Secret::new("user", "admin") };
    let engine = Engine::build([pin, user], &RuleSet::none(), [7; 32]).unwrap();
    let far = format!("pin:{}4711", " ".repeat(40));
    for stays in ["4711", "4711 is the pin", "pin 47110", "pin x4711", "pin_4711", "pin admin", "ping", "pin 471", &far]
    {
        assert_eq!(engine.redact(stays).text, stays);
        let mut stream = engine.stream();
        let out: Vec<u8> = stays.bytes().flat_map(|b| stream.push(&[b])).collect();
        assert_eq!([out, stream.finish()].concat(), stays.as_bytes());
    }
    for (text, out) in [
        ("PIN: 4711", "PIN: SECRET_REF(pin)"),
        ("the Door Code is \"4711\".", "the Door Code is \"SECRET_REF(pin)\"."),
        (r#"{\"pin\":\"\u0034711\"}"#, r#"{\"pin\":\"SECRET_REF(pin)\"}"#),
        ("login=admin pin=4711", "login=SECRET_REF(user) pin=SECRET_REF(pin)"),
    ] {
        assert_eq!(engine.redact(text).text, out);
        let mut stream = engine.stream();
        let pieces: Vec<u8> = text.bytes().flat_map(|b| stream.push(&[b])).collect();
        assert_eq!([pieces, stream.finish()].concat(), out.as_bytes());
    }
}

/// Parts that meet in texts: whole values, halves, disguises, anchors of rules, noise.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    static CROWD: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    let crowd = CROWD.get_or_init(crowd);
    let value = prop::sample::select(vec![SYMBOLS, TOKEN, WORDS, UNICODE, KEY, &crowd[3], &crowd[17]]);
    let noise = prop::sample::select(vec![
        "\\",
        "\\\\",
        "\\u00",
        "\\u200b",
        "%",
        "%2",
        "%25",
        "&",
        "&am",
        "&amp;",
        "&#",
        "\u{200b}",
        "\u{1b}[3",
        "\u{1b}[0m",
        " ",
        "\n",
        "0",
        "00000010  ",
        "|..|\n",
        "password=",
        "\"token\": \"",
        "sk-ant-api03-",
        "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB",
        "eyJhbGciOiJIUzI1NiJ9.",
        "://u:",
        "@host",
        "Authorization: Bearer ",
        "-----BEGIN PRIVATE KEY-----\n",
        "\n-----END PRIVATE KEY-----",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
        "\"",
        "'",
        ",",
        "q9",
        "correct",
        "0x",
        "0x6",
        "0000010 ",
        "\n1:",
        "\n12:",
        "\n  3\tz",
        "\n\n 2\t",
        "\n  0000: ",
        "pin 47",
        "11",
        "раѕѕ",
        "é",
        "中",
    ]);
    let part = |text: &'static str, a: usize, b: usize| {
        let (a, b) = (a % (text.len() + 1), b % (text.len() + 1));
        text.as_bytes()[a.min(b)..a.max(b)].to_vec()
    };
    prop_oneof![
        3 => noise.prop_map(|n| n.as_bytes().to_vec()),
        2 => value.clone().prop_map(|v| v.as_bytes().to_vec()),
        2 => (value.clone(), any::<usize>(), any::<usize>()).prop_map(move |(v, a, b)| part(v, a, b)),
        1 => (value.clone(), any::<usize>()).prop_map(move |(v, a)| serde_json::to_string(&String::from_utf8_lossy(&part(v, a, usize::MAX))).unwrap().into_bytes()),
        1 => value.clone().prop_map(|v| v.bytes().map(|b| format!("%{b:02x}")).collect::<String>().into_bytes()),
        1 => value.clone().prop_map(|v| BASE64_MIME.encode(v.as_bytes()).into_bytes()),
        1 => value.clone().prop_map(|v| HEXLOWER.encode(v.as_bytes()).into_bytes()),
        1 => value.clone().prop_map(|v| hexdump(v.as_bytes()).into_bytes()),
        1 => value.clone().prop_map(|v| v.bytes().rev().collect()),
        1 => value.clone().prop_map(|v| v.to_uppercase().into_bytes()),
        1 => value.clone().prop_map(|v| BASE32.encode(v.as_bytes()).into_bytes()),
        1 => value.clone().prop_map(|v| BASE64.encode(HEXLOWER.encode(v.as_bytes()).as_bytes()).into_bytes()),
        1 => value.clone().prop_map(|v| v.bytes().map(|b| format!("0x{b:02x}, ")).collect::<String>().into_bytes()),
        1 => value.clone().prop_map(|v| v.bytes().map(|b| format!("{b} ")).collect::<String>().into_bytes()),
        2 => (value.clone(), 0_usize..80).prop_map(|(v, gap)| {
            let half = (0..=v.len() / 2).rev().find(|&at| v.is_char_boundary(at)).unwrap_or(0);
            [&v.as_bytes()[..half], &b" and ".repeat(gap / 5), &v.as_bytes()[half..]].concat()
        }),
        1 => value.clone().prop_map(|v| v.replace('a', "а").replace('e', "е").replace('p', "р").into_bytes()),
        1 => value.prop_map(|v| v.chars().flat_map(|c| [c, '\u{200b}']).collect::<String>().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(fragment(), 0..10).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn cutting_a_stream_changes_nothing(text in text(), cuts in prop::collection::vec(1_usize..40, 1..60)) {
        let engine = with_rules();
        let whole = engine.redact_bytes(&text);
        let mut stream = engine.stream();
        let mut out = Vec::new();
        let (mut rest, mut sizes) = (&text[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            stream.push_into(piece, &mut out);
            rest = after;
        }
        out.extend(stream.finish());
        prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&whole.bytes));
    }

    #[test]
    fn single_bytes_give_the_same(text in text()) {
        let engine = with_rules();
        let mut stream = engine.stream();
        let mut out: Vec<u8> = text.iter().flat_map(|b| stream.push(&[*b])).collect();
        let findings = stream.take_findings().len();
        out.extend(stream.finish());
        let whole = engine.redact_bytes(&text);
        prop_assert!(findings <= whole.findings.len());
        prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&whole.bytes));
    }

    #[test]
    fn the_search_finds_what_a_slow_one_finds(parts in prop::collection::vec(fragment(), 0..8)) {
        let text = parts.concat();
        let mut needles = Needles::default();
        (0..).zip(vault()).for_each(|(owner, secret)| needles.add(secret.value, owner));
        let slow = slow_search(&needles, &text);
        let fast = Scan::new(with_rules()).vault_values(with_rules(), &text, true).0;
        for hit in slow {
            prop_assert!(fast.contains(&hit), "{hit:?} {:?}", String::from_utf8_lossy(&text[hit.start..hit.end]));
        }
    }

    #[test]
    fn redacting_twice_is_redacting_once(text in text()) {
        let engine = with_rules();
        let once = engine.redact_bytes(&text).bytes.into_owned();
        let again = engine.redact_bytes(&once);
        let plain = |out: &[u8], value: &str| out.windows(value.len()).any(|w| w == value.as_bytes());
        for secret in vault() {
            prop_assert!(!plain(&once, secret.value) && !plain(&again.bytes, secret.value));
        }
    }
}

/// Builds each view as a whole and tries each needle at each place.
fn slow_search(needles: &Needles, text: &[u8]) -> Vec<Hit> {
    let mut view: Vec<(u8, usize, usize)> = (0..text.len()).map(|at| (text[at], at, at + 1)).collect();
    let mut hits = Vec::new();
    for layer in 0..4 {
        if layer > 0 {
            let below: Vec<u8> = view.iter().map(|item| item.0).collect();
            let mut undone = Layer::default();
            if undone.undo(&below, true).changed {
                let bytes = undone.bytes().iter().enumerate();
                view = bytes.map(|(at, &b)| (b, view[undone.start(at)].1, view[undone.end(at) - 1].2)).collect();
            }
        }
        try_all(needles, &needles.exact, &view, usize::MAX, &mut hits, Some);
    }
    for (n, item) in view.iter_mut().enumerate() {
        (item.0, item.1) = (item.0.to_ascii_lowercase(), n << 32 | item.1);
    }
    view.retain(|item| item.0.is_ascii_alphanumeric());
    try_all(needles, &needles.bare, &view, 64, &mut hits, |b| {
        b.is_ascii_alphanumeric().then_some(b.to_ascii_lowercase())
    });
    hits
}

/// `view` has bytes with their range of the text, and above 32 bits their place among the bytes that gaps are counted in.
fn try_all(
    needles: &Needles,
    list: &[crate::index::Kept],
    view: &[(u8, usize, usize)],
    gap: usize,
    hits: &mut Vec<Hit>,
    keep: impl Fn(u8) -> Option<u8>,
) {
    for kept in list {
        let source = kept.source(&needles.sources);
        let needle = kept.needle(source);
        let chars = (needle.from..needle.to).filter_map(|at| keep(needle.form.at(&source.bytes, at as usize)));
        let chars: Vec<u8> = chars.collect();
        for window in view.windows(chars.len()) {
            let equal = window.iter().zip(&chars).all(|(item, b)| item.0 == *b);
            if equal && window.windows(2).all(|pair| (pair[1].1 >> 32) - (pair[0].1 >> 32) <= gap.saturating_add(1)) {
                let start = window[0].1 & 0xffff_ffff;
                hits.push(Hit { start, end: window[chars.len() - 1].2, what: What::Vault(source.owner) });
            }
        }
    }
}

/// Wide characters that were read as UTF-8, of letters that look like no ASCII ones.
#[test]
fn zeros_between_characters_hide_no_value() {
    for letters in ["бвгдж", "日本語漢字", "éèüöä", "βδέήξ", "абвекм"] {
        let value = format!("ключ-{letters}-日本-é-{letters}");
        let engine = Engine::build([Secret::new("k", &value)], &RuleSet::none(), [7; 32]).unwrap();
        let zeros: String = value.chars().flat_map(|sign| [sign, '\0']).collect();
        for text in [zeros.clone(), zeros.replace('\0', "\\u0000"), zeros.replace('\0', "%00")] {
            let text = format!("it is {text} there");
            let out = engine.redact(&text).text.into_owned();
            assert!(out.starts_with("it is SECRET_REF(k)") && out.ends_with(" there"), "{text:?} became {out:?}");
        }
        let other = zeros.replace('л', "\0");
        assert_eq!(engine.redact(&other).text, other, "another text");
    }
}

/// `hexdump -C`, `xxd`, `xxd -g1 -c8` and `od -A x -t x1z`.
fn dumps(bytes: &[u8]) -> [String; 4] {
    let text =
        |line: &[u8]| line.iter().map(|b| if b.is_ascii_graphic() { *b as char } else { '.' }).collect::<String>();
    let pairs = |line: &[u8], size: usize| {
        let groups = line.chunks(size).map(|group| HEXLOWER.encode(group));
        groups.collect::<Vec<_>>().join(" ")
    };
    let lines = |width: usize, line: &dyn Fn(&[u8]) -> String| {
        let numbered = bytes.chunks(width).enumerate();
        numbered.map(|(n, bytes)| format!("{:08x}{}\n", n * width, line(bytes))).collect::<String>()
    };
    let halves = |line: &[u8]| line.chunks(8).map(|half| pairs(half, 1)).collect::<Vec<_>>().join("  ");
    [
        lines(16, &|line| format!("  {:<48}  |{}|", halves(line), text(line))),
        lines(16, &|line| format!(": {:<39}  {}", pairs(line, 2), text(line))),
        lines(8, &|line| format!(": {:<23}  {}", pairs(line, 1), text(line))),
        lines(16, &|line| format!(" {:<47}  >{}<", pairs(line, 1), text(line))),
    ]
}

#[test]
fn columns_of_a_dump_lose_the_value_alone() {
    let engine = engine(&RuleSet::none());
    let [hexdump, xxd, ..] = dumps(format!("DB=#########{TOKEN}#\n").as_bytes());
    let out = engine.redact(&hexdump).text;
    assert!(out.starts_with("00000000  44 42 3d 23 23 23 23 23  23 23 23 23 SECRET_REF(token) 23 0a "), "{out}");
    assert!(out.ends_with(" |#.|\n"), "{out}");
    assert!(engine.redact(&xxd).text.ends_with("  #.\n"));
}

#[test]
fn no_column_of_a_dump_keeps_letters_of_a_value() {
    let engine = engine(&RuleSet::none());
    for value in [TOKEN, UNICODE, SYMBOLS] {
        for before in 0..17 {
            let bytes = [&b"#".repeat(before)[..], value.as_bytes(), b"#####\n"].concat();
            for dump in dumps(&bytes) {
                let out = engine.redact(&dump).text.into_owned();
                assert!(out.contains("SECRET_REF("), "{dump}");
                let letters = value.as_bytes().windows(2).filter(|two| two.iter().all(u8::is_ascii_alphanumeric));
                // The name of the value holds letters of its own.
                let hidden =
                    letters.map(|two| std::str::from_utf8(two).unwrap()).filter(|two| !"unicode".contains(two));
                let left: Vec<_> = hidden.filter(|two| out.contains(two)).collect();
                assert!(left.is_empty(), "{left:?} of\n{dump}in\n{out}");
                for cut in [1, 30, 61, 64, 77, 100] {
                    let mut stream = engine.stream();
                    let cut = dump.len().min(cut);
                    let mut whole = stream.push(&dump.as_bytes()[..cut]);
                    whole.extend(stream.push(&dump.as_bytes()[cut..]));
                    whole.extend(stream.finish());
                    assert_eq!(String::from_utf8(whole).unwrap(), out, "{cut}");
                }
            }
        }
    }
}

#[test]
fn values_in_blocks_of_lines_are_read_without_what_stands_before_each() {
    let engine = engine(&RuleSet::none());
    let margins: [fn(usize) -> String; 11] = [
        |n| format!("{n:6}\t"),
        |n| format!("{n}→"),
        |n| format!("{n}:"),
        |n| format!("src/a b.txt:{n}:"),
        |n| format!("{n:2} | "),
        |n| format!("L{n}: "),
        |n| format!("[{n}] "),
        |n| format!("2026-11-22T10:00:{n:02}.125Z "),
        |_| "web-1  | ".to_owned(),
        |_| "user@host> ".to_owned(),
        |_| "    ".to_owned(),
    ];
    for (name, value) in [("token", TOKEN), ("symbols", SYMBOLS)] {
        let document = format!("apiVersion: v1\nkind: x\nuser: shop-admin\nkey: {value}\npath: /srv/one\n");
        let mut wrapped = vec![];
        for (text, widths) in [(value.to_owned(), &[6, 8, 10][..]), (BASE64.encode(document.as_bytes()), &[20, 64, 76])]
        {
            wrapped.extend(
                widths.iter().map(|width| text.as_bytes().chunks(*width).map(<[u8]>::to_vec).collect::<Vec<_>>()),
            );
        }
        let hex = HEXLOWER.encode(document.as_bytes());
        wrapped.push(hex.as_bytes().chunks(60).map(<[u8]>::to_vec).collect());
        for (margin, lines) in margins.iter().flat_map(|margin| wrapped.iter().map(move |lines| (margin, lines))) {
            // Numbers become longer on the way.
            let line = |(n, line): (usize, &Vec<u8>)| format!("{}{}\n", margin(n + 8), str::from_utf8(line).unwrap());
            let text: String =
                std::iter::once("look:\n".to_owned()).chain(lines.iter().enumerate().map(line)).collect();
            let out = engine.redact(&text).text;
            assert!(out.contains(&format!("SECRET_REF({name})")), "{text}{out}");
            let escaped = serde_json::to_string(&text).unwrap();
            assert!(engine.redact(&escaped).text.contains("SECRET_REF("), "{escaped}");
            for size in [1, 7, 64, 100] {
                let mut stream = engine.stream();
                let mut whole = Vec::new();
                text.as_bytes().chunks(size).for_each(|piece| stream.push_into(piece, &mut whole));
                whole.extend(stream.finish());
                assert_eq!(str::from_utf8(&whole).unwrap(), out, "{size} {text}");
            }
        }
    }
}

#[test]
fn blocks_longer_than_what_is_searched_at_once_are_one() {
    let engine = engine(&RuleSet::none());
    for before in (0..2000).step_by(61) {
        let document = format!("{}\n{}{TOKEN}{}", "-".repeat(before), "word ".repeat(9000), " word".repeat(200));
        let encoded = BASE64.encode(document.as_bytes());
        let numbered = |(n, line): (usize, &[u8])| format!("{:6}\t{}\n", n + 1, str::from_utf8(line).unwrap());
        let text: String = encoded.as_bytes().chunks(76).enumerate().map(numbered).collect();
        let redacted = engine.redact(&text);
        assert_eq!(redacted.findings.iter().filter(|found| found.name.is_some()).count(), 1, "{before}");
        assert_eq!(redacted.text.matches('\t').count(), text.matches('\t').count());
    }
}
