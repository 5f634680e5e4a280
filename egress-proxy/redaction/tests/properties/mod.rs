//! What must hold for every text, as functions of arbitrary bytes: the fuzz targets, replayed by ordinary tests.
//!
//! [`plan`] makes texts with secrets in them out of the bytes, [`forms`] knows how programs write a value, [`naive`] reads
//! a text in every way that undoes such a form, slowly and without an index.

pub(crate) mod checks;
pub(crate) mod forms;
pub(crate) mod naive;
pub(crate) mod plan;

use std::sync::OnceLock;

pub(crate) use checks::checks;
use plan::Bytes;
use serde_json::Value;
use wardkeep_redaction::{Additions, Engine, Finding, RedactedBytes, RuleSet, Secret};

/// Vaults: unlike values, values that share beginnings, ends and middles, and one that is cut into parts.
pub(crate) fn vaults() -> &'static [Vec<(&'static str, String)>] {
    static VAULTS: OnceLock<Vec<Vec<(&str, String)>>> = OnceLock::new();
    VAULTS.get_or_init(|| {
        let owned = |list: &[(&'static str, &str)]| list.iter().map(|(name, value)| (*name, (*value).into())).collect();
        let long: String = (0..250).map(|n: u32| format!("{:03x}Q", n * 2654 % 4096)).collect();
        vec![
            owned(&[
                ("symbols", "pa%ss\"wo'rd/+=&<x>$y\\nz"),
                ("token", "q9x2mn7pk4rt8wy1cv5bz3df6gh0jl2e"),
                ("words", "correct horse battery staple"),
                ("unicode", "Schlüssel-ключ-鍵-99-Ende"),
                ("key", "line-one-of-the-key-0001\nline-two-of-the-key-0002"),
            ]),
            owned(&[
                ("short", "k3y-Shared-head"),
                ("longer", "k3y-Shared-head-and-More"),
                ("longest", "k3y-Shared-head-and-More-to-come"),
                ("tail", "More-to-come-k3y-Shared"),
                ("twice", "abXYabXYabXYabXYq7"),
            ]),
            vec![("long", long), ("digits", "90417739962308115".into()), ("other", "zu7Kq-41-wFx9-Lm2".into())],
        ]
    })
}

/// An engine for each vault, without and with rules.
pub(crate) fn engine_for(vault: usize, rules: bool) -> &'static Engine {
    static ENGINES: OnceLock<Vec<[Engine; 2]>> = OnceLock::new();
    let engines = ENGINES.get_or_init(|| {
        let builtin = RuleSet::builtin();
        let build = |vault: &Vec<(&'static str, String)>, rules: &RuleSet| {
            let secrets = vault.iter().map(|(name, value)| Secret::new(name, value));
            Engine::build(secrets, rules, [7; 32]).expect("the values are fit")
        };
        vaults().iter().map(|vault| [build(vault, &RuleSet::none()), build(vault, &builtin)]).collect()
    });
    &engines[vault % engines.len()][usize::from(rules)]
}

/// The whole text, as the stream gives it when it is cut as `sizes` say.
fn in_pieces(engine: &Engine, text: &[u8], sizes: &[u8]) -> Vec<u8> {
    let mut stream = engine.stream();
    let mut sizes = sizes.iter().map(|&size| usize::from(size % 64) + 1).cycle();
    let (mut out, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(sizes.next().unwrap_or(7).min(rest.len()));
        stream.push_into(piece, &mut out);
        rest = after;
    }
    out.extend(stream.finish());
    out
}

#[track_caller]
fn same(what: &str, a: &[u8], b: &[u8]) {
    assert!(a == b, "{what}\n  {:?}\n  {:?}", String::from_utf8_lossy(a), String::from_utf8_lossy(b));
}

/// Nothing of the vault can be read in `out`, however it is read.
#[track_caller]
fn nothing_left(vault: usize, text: &[u8], out: &[u8]) {
    let vault = &vaults()[vault % vaults().len()];
    if let Some((name, view)) = naive::survivor(out, vault) {
        let (text, out) = (String::from_utf8_lossy(text), String::from_utf8_lossy(out));
        panic!("{name} survives, read as {view}\n  in  {text:?}\n  out {out:?}");
    }
}

/// Vault and rules over any text: nothing planted survives, what is found is what a slow search finds, pieces are the
/// whole, all else is unchanged, and what was redacted stays as it is.
pub(crate) fn engine(data: &[u8]) {
    let mut bytes = Bytes(data);
    let (vault, rules) = (usize::from(bytes.next()), bytes.next() % 2 == 1);
    let engine = engine_for(vault, rules);
    let text = plan::text(&mut bytes, vault);
    let whole = engine.redact_bytes(&text);
    nothing_left(vault, &text, &whole.bytes);
    same("pieces differ from the whole", &in_pieces(engine, &text, data), &whole.bytes);
    kept(&text, &whole);
    if !rules {
        let vault = &vaults()[vault % vaults().len()];
        for range in naive::plain(&text, vault) {
            let covers = |f: &Finding| f.start <= range.start && f.start + f.len >= range.end;
            assert!(
                whole.findings.iter().any(covers),
                "{range:?} is not found in {:?}",
                String::from_utf8_lossy(&text)
            );
        }
    }
    let again = engine.redact_bytes(&whole.bytes);
    nothing_left(vault, &text, &again.bytes);
}

/// A JSON document of any kind is refused or stays what it is, and nothing that is planted in its strings can be read.
pub(crate) fn json(data: &[u8]) {
    let mut bytes = Bytes(data);
    let vault = usize::from(bytes.next());
    let engine = engine_for(vault, bytes.next() % 2 == 1);
    let raw = engine.redact_json(bytes.0);
    // serde takes no lone surrogates where it must make a text of them, so it is asked to take the document as it is.
    let reads = |document: &[u8]| serde_json::from_slice::<&serde_json::value::RawValue>(document).is_ok();
    match &raw {
        Ok(out) => assert!(reads(&out.bytes), "{:?} became {:?}", bytes.0, String::from_utf8_lossy(&out.bytes)),
        Err(_) => assert!(!reads(bytes.0) || depth(bytes.0) > wardkeep_redaction::JSON_DEPTH),
    }
    let document = value(&mut bytes, vault, 4);
    let text = if data.len().is_multiple_of(2) { document.to_string() } else { format!("{document:#}") };
    let out = engine.redact_json(text.as_bytes()).expect("a document is JSON");
    let after: Value = serde_json::from_slice(&out.bytes).expect("and stays JSON");
    assert_eq!(skeleton(&document), skeleton(&after), "{text}");
    let (mut before, mut left) = (Vec::new(), Vec::new());
    strings(&document, &mut before);
    strings(&after, &mut left);
    for (text, out) in before.iter().zip(&left) {
        nothing_left(vault, text.as_bytes(), out.as_bytes());
    }
    if out.findings.is_empty() {
        assert_eq!(out.bytes, text.as_bytes());
    }
}

/// Brackets, at most: those in strings count too.
fn depth(document: &[u8]) -> usize {
    let mut open = 0_usize;
    let levels = document.iter().map(|b| {
        match b {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open
    });
    levels.max().unwrap_or(0)
}

fn value(bytes: &mut Bytes<'_>, vault: usize, depth: u8) -> Value {
    let count = bytes.next() % 4;
    match bytes.next() % if depth == 0 { 4 } else { 8 } {
        0 => u64::from_le_bytes(std::array::from_fn(|_| bytes.next())).into(),
        1 => Value::Null,
        2 | 3 => plan::string(bytes, vault, count).into(),
        4 => (0..count).map(|_| value(bytes, vault, depth - 1)).collect(),
        5 => (0..count).map(|_| Value::from(plan::string(bytes, vault, 1))).collect(),
        6 => (0..count).map(|_| serde_json::json!({"type": "text", "text": plan::string(bytes, vault, 1)})).collect(),
        _ => {
            let names = ["content", "input", "a", "type", "index"];
            let member = |n: u8| (names[usize::from(n) % names.len()].to_owned(), value(bytes, vault, depth - 1));
            Value::Object((0..count).map(member).collect())
        }
    }
}

/// The document without its strings and the numbers that became strings.
fn skeleton(document: &Value) -> Value {
    match document {
        Value::String(_) | Value::Number(_) => Value::Null,
        Value::Array(list) => list.iter().map(skeleton).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), skeleton(value))).collect(),
        other => other.clone(),
    }
}

fn strings(document: &Value, out: &mut Vec<String>) {
    match document {
        Value::String(text) => out.push(text.clone()),
        Value::Number(number) => out.push(number.to_string()),
        Value::Array(list) => list.iter().for_each(|value| strings(value, out)),
        Value::Object(map) => map.values().for_each(|value| strings(value, out)),
        _ => {}
    }
}

/// A text that is cut over events cannot be read by joining them again.
pub(crate) fn sse(data: &[u8]) {
    let mut bytes = Bytes(data);
    let vault = usize::from(bytes.next());
    let (engine, shape) = (engine_for(vault, bytes.next() % 2 == 1), bytes.next());
    let text = plan::string(&mut bytes, vault, 4);
    let mut stream = String::from("before it\n");
    let mut letters = text.chars().peekable();
    while letters.peek().is_some() {
        let chance = bytes.next();
        let piece: String = letters.by_ref().take(1 + usize::from(chance % 8)).collect();
        if chance > 200 {
            stream += [": ping\n", "event: x\r\n", "data: [DONE]\n", "data: {\"a\":\n", "data: {\"piece\":1}\n"]
                [usize::from(chance % 5)];
        }
        stream += &format!("data: {}\n\n", event(shape, &piece));
    }
    let whole = engine.redact(&stream).text;
    same("pieces differ from the whole", &in_pieces(engine, stream.as_bytes(), data), whole.as_bytes());
    let joined: String = documents(&whole).filter_map(|event| piece(&event).map(str::to_owned)).collect();
    assert_eq!(documents(&stream).count(), documents(&whole).count(), "an event is no JSON any more: {whole}");
    nothing_left(vault, text.as_bytes(), joined.as_bytes());
}

fn event(shape: u8, piece: &str) -> Value {
    match shape % 4 {
        0 => serde_json::json!({"id": "c-1", "choices": [{"index": 0, "delta": {"content": piece}}]}),
        1 => serde_json::json!({"type": "delta", "index": 1, "delta": {"type": "json", "partial_json": piece}}),
        2 => serde_json::json!({"candidates": [{"content": {"parts": [{"text": piece}], "role": "model"}}]}),
        _ => piece.into(),
    }
}

fn piece(event: &Value) -> Option<&str> {
    let places = ["/choices/0/delta/content", "/delta/partial_json", "/candidates/0/content/parts/0/text", ""];
    places.iter().find_map(|place| event.pointer(place)?.as_str())
}

fn documents(text: &str) -> impl Iterator<Item = Value> {
    text.split(['\n', '\r']).filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
}

/// Escapes of all kinds around and inside of values.
pub(crate) fn unescape(data: &[u8]) {
    let mut bytes = Bytes(data);
    let vault = usize::from(bytes.next());
    let engine = engine_for(vault, false);
    // The bytes as they are, then a value with every byte escaped in a way of its own.
    let raw = engine.redact_bytes(bytes.0);
    same("pieces differ from the whole", &in_pieces(engine, bytes.0, data), &raw.bytes);
    kept(bytes.0, &raw);
    let list = &vaults()[vault % vaults().len()];
    let text = list[usize::from(bytes.next()) % list.len()].1.chars().fold(String::from("<"), |text, c| {
        let code = u32::from(c);
        text + &match bytes.next() % 8 {
            0 if c.is_ascii() => format!("\\x{code:02x}"),
            1 if c.is_ascii() => format!("%{code:02X}"),
            2 => format!("&#{code};"),
            3 if code < 0x1_0000 => format!("\\u{code:04x}"),
            4 => format!("{c}\u{200b}"),
            5 => format!("\x1b[0m{c}"),
            _ => c.to_string(),
        }
    });
    let text = text + ">";
    let out = engine.redact_bytes(text.as_bytes());
    kept(text.as_bytes(), &out);
    // A value with a backslash of its own can be read in more ways than one.
    if !text.contains('\\') || naive::undone(text.as_bytes()) == naive::undone(&naive::undone(text.as_bytes())) {
        assert_eq!(out.findings.len(), 1, "{text:?} became {:?}", String::from_utf8_lossy(&out.bytes));
    }
}

/// Rules alone, over any bytes: they end, they agree with themselves, and a placeholder is no secret.
pub(crate) fn patterns(data: &[u8]) {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| Engine::build([], &RuleSet::builtin(), [7; 32]).expect("no values are fit"));
    for text in [data.to_vec(), plan::text(&mut Bytes(data), 0)] {
        let whole = engine.redact_bytes(&text);
        same("pieces differ from the whole", &in_pieces(engine, &text, data), &whole.bytes);
        kept(&text, &whole);
    }
}

/// A pack of rules is refused with words or works.
pub(crate) fn pack(data: &[u8]) {
    let Ok(additions) = Additions::from_toml(&String::from_utf8_lossy(data)) else { return };
    if let Ok(rules) = RuleSet::builtin_with(&additions) {
        assert!(rules.list().len() + additions.disable.len() >= additions.rules.len());
    }
}

/// Every byte outside of what was found is still there, and a placeholder in place of each find.
fn kept(text: &[u8], redacted: &RedactedBytes<'_>) {
    let (mut rest, mut from) = (&redacted.bytes[..], 0);
    for Finding { rule, name, start, len } in &redacted.findings {
        assert!(*start >= from, "findings overlap: {:?}", redacted.findings);
        rest = after(rest, &text[from..*start]);
        match (name, rule.as_str()) {
            (Some(name), _) => rest = after(rest, format!("SECRET_REF({name})").as_bytes()),
            (None, "rest") => {}
            (None, rule) => {
                let tagged = after(rest, format!("[REDACTED:{rule}:").as_bytes());
                assert!(tagged[..4].iter().all(u8::is_ascii_hexdigit));
                rest = after(&tagged[4..], b"]");
            }
        }
        from = start + len;
    }
    assert_eq!(after(rest, &text[from..]), b"");
}

#[track_caller]
fn after<'a>(text: &'a [u8], wanted: &[u8]) -> &'a [u8] {
    let Some(after) = text.strip_prefix(wanted) else {
        panic!("{:?} is not where {:?} begins", String::from_utf8_lossy(wanted), String::from_utf8_lossy(text))
    };
    after
}
