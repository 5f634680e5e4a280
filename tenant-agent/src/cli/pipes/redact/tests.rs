use std::io::{Cursor, Read, Write};
use std::sync::{Arc, Mutex};

use super::*;

const TOKEN: &str = "q9x2mn7pk4rt8wy1cv5b";

struct Run {
    out: Vec<u8>,
    report: String,
    result: Result<(), String>,
}

fn run(args: RedactArgs, input: &[u8]) -> Run {
    let (mut out, mut report) = (Vec::new(), Vec::new());
    let pipes = Pipes { input: &mut Cursor::new(input), out: &mut out, report: &mut report };
    let result = redact(&args, pipes).map_err(|error| error.to_string());
    Run { out, report: String::from_utf8(report).unwrap(), result }
}

fn args(jsonl: bool) -> RedactArgs {
    RedactArgs { vault: None, rules: None, jsonl, report: true }
}

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> Option<std::path::PathBuf> {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    Some(path)
}

#[test]
fn a_bad_vault_line_is_named_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let good = format!("{{\"name\":\"token\",\"value\":\"{TOKEN}\"}}\n\n");
    for (line, why) in [
        (format!("{{\"name\":\"x\",\"value\":\"{TOKEN}"), "not {\"name\",\"value\"} in JSON"),
        (format!("\"{TOKEN}\""), "not {\"name\",\"value\"} in JSON"),
        (format!("{{\"value\":\"{TOKEN}\"}}"), "not {\"name\",\"value\"} in JSON"),
        (format!("{{\"name\":\"a \\\"b\",\"value\":\"{TOKEN}\"}}"), "a name of a secret is 1 to 64 letters"),
        (format!("{{\"name\":\"\",\"value\":\"{TOKEN}\"}}"), "a name of a secret is 1 to 64 letters"),
        ("{\"name\":\"pin\",\"value\":\"4711\"}".to_owned(), "pin: "),
        ("{\"name\":\"pin\",\"value\":\"password\"}".to_owned(), "pin: "),
        ("{\"name\":\"pin\",\"value\":\"4711\",\"context\":\",\"}".to_owned(), "the context holds no keyword"),
    ] {
        let vault = file(&folder, "vault.jsonl", &format!("{good}{line}\n"));
        let said = run(RedactArgs { vault, ..args(false) }, b"").result.unwrap_err();
        assert!(said.contains("vault.jsonl line 3: ") && said.contains(why), "{said}");
        assert!(!said.contains(TOKEN) && !said.contains("4711"), "{said}");
    }
    let missing = RedactArgs { vault: Some(folder.path().join("none")), ..args(false) };
    assert!(run(missing, b"").result.unwrap_err().contains("cannot read"));
}

#[test]
fn bad_rules_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (text, why) in [
        ("[[rule]]\nid = ", "rules.toml"),
        ("[[rule]]\nid = \"acme\"\nkeywords = [\"acme_\"]\ntoken = 'acme_[a-z]+'\n", "acme"),
    ] {
        let rules = file(&folder, "rules.toml", text);
        let said = run(RedactArgs { rules, ..args(false) }, b"").result.unwrap_err();
        assert!(said.contains(why), "{said}");
    }
    let rule = "[[rule]]\nid = \"acme\"\nsource = \"https://acme.example\"\nkeywords = [\"acme_\"]\ntoken = 'acme_[a-z0-9]{8}'\nmatches = [\"acme_ab12cd34\"]\n";
    let rules = file(&folder, "rules.toml", rule);
    let ran = run(RedactArgs { rules, ..args(false) }, b"id acme_ab12cd34.");
    assert_eq!(ran.result, Ok(()));
    let out = String::from_utf8(ran.out).unwrap();
    assert!(out.starts_with("id [REDACTED:acme:"), "{out}");
}

#[test]
fn text_passes_with_its_secrets_replaced_and_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let vault = file(
        &folder,
        "vault.jsonl",
        &format!(
            "{{\"name\":\"token\",\"value\":\"{TOKEN}\"}}\n{{\"name\":\"pin\",\"value\":\"4711\",\"context\":\"door code\"}}\n"
        ),
    );
    let input =
        [b"a\xff\n\nb ", TOKEN.as_bytes(), b"\nline four\nthe door code is 4711\xfe\n", TOKEN.as_bytes()].concat();
    let ran = run(RedactArgs { vault, ..args(false) }, &input);
    assert_eq!(ran.result, Ok(()));
    let wanted: &[u8] =
        b"a\xff\n\nb SECRET_REF(token)\nline four\nthe door code is SECRET_REF(pin)\xfe\nSECRET_REF(token)";
    assert_eq!(ran.out, wanted);
    assert_eq!(
        ran.report,
        "{\"line\":3,\"rule\":\"vault\",\"name\":\"token\",\"offset\":6,\"length\":20}\n\
         {\"line\":5,\"rule\":\"vault\",\"name\":\"pin\",\"offset\":54,\"length\":4}\n\
         {\"line\":6,\"rule\":\"vault\",\"name\":\"token\",\"offset\":60,\"length\":20}\n\
         {\"replaced\":3}\n"
    );
}

#[test]
fn each_line_of_json_has_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let vault = file(&folder, "vault.jsonl", &format!("{{\"name\":\"token\",\"value\":\"{TOKEN}\"}}\n"));
    let input = format!(
        "{{\"id\": 1.50, \"text\": \"a {TOKEN}\\n\"}}\n\n{{\"text\":\"{TOKEN}\",\"id\":{{\"k\":[\"x\"]}},\"more\":1}}\r\n\
         {{\"id\":3,\"text\":\"half \\ud800 {TOKEN}\"}}\n{{\"id\":null,\"text\":\"\"}}"
    );
    let ran = run(RedactArgs { vault: vault.clone(), ..args(true) }, input.as_bytes());
    assert_eq!(ran.result, Ok(()));
    assert_eq!(
        String::from_utf8(ran.out).unwrap(),
        "{\"id\":1.50,\"text\":\"a SECRET_REF(token)\\n\"}\n{\"id\":{\"k\":[\"x\"]},\"text\":\"SECRET_REF(token)\"}\n\
         {\"id\":3,\"text\":\"half \\ud800 SECRET_REF(token)\"}\n{\"id\":null,\"text\":\"\"}\n"
    );
    assert!(ran.report.starts_with(
        "{\"id\":1.50,\"line\":1,\"rule\":\"vault\",\"name\":\"token\",\"offset\":2,\"length\":20}\n{\"id\":{\"k\":[\"x\"]},\"line\":3,"
    ));
    for bad in
        [format!("{{\"id\":1,\"txt\":\"{TOKEN}\"}}"), format!("{{\"id\":1,\"text\":\"{TOKEN}"), "\u{fffd}".into()]
    {
        let ran = run(
            RedactArgs { vault: vault.clone(), ..args(true) },
            format!("{{\"id\":1,\"text\":\"\"}}\n{bad}").as_bytes(),
        );
        assert_eq!(ran.out, b"{\"id\":1,\"text\":\"\"}\n");
        assert!(ran.report.starts_with("{\"line\":2,\"error\":\"not {"), "{}", ran.report);
        assert!(ran.result.unwrap_err().starts_with("1 of the lines"));
        assert!(!ran.report.contains(TOKEN), "{}", ran.report);
    }
}

#[test]
fn a_bad_line_ends_no_run() {
    let input = b"nonsense\n{\"id\":1,\"text\":\"a\"}\n[\xff]\n{\"id\":2}\n{\"id\":3,\"text\":\"b\"}\n";
    let ran = run(RedactArgs { report: false, ..args(true) }, input);
    assert_eq!(ran.out, b"{\"id\":1,\"text\":\"a\"}\n{\"id\":3,\"text\":\"b\"}\n");
    let lines: Vec<serde_json::Value> = ran.report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["line"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 3, 4]);
    assert!(ran.result.unwrap_err().starts_with("3 of the lines"));
}

#[test]
fn an_id_does_not_carry_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let vault = file(&folder, "vault.jsonl", &format!("{{\"name\":\"token\",\"value\":\"{TOKEN}\"}}\n"));
    let input = format!("{{\"id\":\"a/{TOKEN}\",\"text\":\"{TOKEN}\"}}\n{{\"id\": 1.50,\"text\":\"{TOKEN}\"}}\n");
    let ran = run(RedactArgs { vault, ..args(true) }, input.as_bytes());
    assert_eq!(ran.result, Ok(()));
    assert_eq!(
        String::from_utf8(ran.out).unwrap(),
        "{\"id\":\"a/SECRET_REF(token)\",\"text\":\"SECRET_REF(token)\"}\n{\"id\":1.50,\"text\":\"SECRET_REF(token)\"}\n"
    );
    assert_eq!(
        ran.report,
        "{\"id\":\"a/SECRET_REF(token)\",\"line\":1,\"rule\":\"vault\",\"name\":\"token\",\"in\":\"id\",\"offset\":3,\"length\":20}\n\
         {\"id\":\"a/SECRET_REF(token)\",\"line\":1,\"rule\":\"vault\",\"name\":\"token\",\"offset\":0,\"length\":20}\n\
         {\"id\":1.50,\"line\":2,\"rule\":\"vault\",\"name\":\"token\",\"offset\":0,\"length\":20}\n{\"replaced\":3}\n"
    );
}

#[test]
fn a_text_that_is_a_document_is_joined_and_stays_valid() {
    let folder = tempfile::tempdir().unwrap();
    let vault = file(
        &folder,
        "vault.jsonl",
        "{\"name\":\"a\",\"value\":\"mK7xQp2vR9sT4wZ8\"}\n{\"name\":\"num\",\"value\":\"98237461523\"}\n",
    );
    for (text, wanted) in [
        (
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a mK7xQ"},{"type":"text","text":"p2vR9sT4wZ8 b"}]}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a SECRET_REF(a)"},{"type":"text","text":" b"}]}]}"#,
        ),
        (r#"{"a":"mK7xQ","b":"p2vR9sT4wZ8"}"#, r#"{"a":"SECRET_REF(a)","b":"[REDACTED:rest]"}"#),
        (r#"{"n":98237461523}"#, r#"{"n":"SECRET_REF(num)"}"#),
    ] {
        let input = serde_json::json!({ "id": 1, "text": text }).to_string();
        let ran = run(RedactArgs { vault: vault.clone(), ..args(true) }, input.as_bytes());
        let out: serde_json::Value = serde_json::from_slice(&ran.out).unwrap();
        assert_eq!(out["text"], wanted);
    }
}

/// Docs are printed from, so they must work.
#[test]
fn the_rules_of_the_documentation_are_accepted() {
    const DOCS: &str = include_str!("../../../../../docs/policy.md");
    let folder = tempfile::tempdir().unwrap();
    let printed = DOCS.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let examples: Vec<&str> = printed.filter(|text| text.contains("id = \"acme-token\"")).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let rules = file(&folder, "rules.toml", example);
        let ran = run(RedactArgs { rules, ..args(false) }, b"id acme_5Bt3UC7eGGD3CDr3e2BW9k4Pq7Tz1Xw8.");
        assert_eq!(ran.result, Ok(()), "{example}");
        assert!(ran.out.starts_with(b"id [REDACTED:acme-token:"), "{example}");
    }
}

/// Gives one part at a time and looks at what has come out before each.
struct Pausing {
    parts: Vec<&'static [u8]>,
    out: Arc<Mutex<Vec<u8>>>,
    seen: Vec<String>,
}

impl Read for Pausing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.seen.push(String::from_utf8(self.out.lock().unwrap().clone()).unwrap());
        if self.parts.is_empty() {
            return Ok(0);
        }
        let part = self.parts.remove(0);
        buffer[..part.len()].copy_from_slice(part);
        Ok(part.len())
    }
}

struct Watched(Arc<Mutex<Vec<u8>>>);

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_safe_has_left_when_the_input_pauses() {
    let watch = |args: &RedactArgs, parts: Vec<&'static [u8]>| {
        let out = Arc::new(Mutex::new(Vec::new()));
        let mut input = Pausing { parts, out: out.clone(), seen: Vec::new() };
        redact(args, Pipes { input: &mut input, out: &mut Watched(out), report: &mut Vec::new() }).unwrap();
        input.seen
    };
    let seen = watch(&args(false), vec![b"The quick brown fox jumps over the lazy dog.\n", b"."]);
    assert!(seen[1].starts_with("The quick brown fox jumps"), "{seen:?}");
    let seen = watch(&args(true), vec![b"{\"id\":1,\"text\":\"a\"}\n{\"id\":2,\"te", b"xt\":\"b\"}\n"]);
    assert_eq!(seen[1], "{\"id\":1,\"text\":\"a\"}\n");
}
