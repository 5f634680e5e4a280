use wardkeep_policy::action::Call;
use wardkeep_redaction::{RuleSet, Secret};

use super::*;

const VALUE: &str = "tok-Zx81-very-secret-value";

fn engine() -> Engine {
    Engine::build([Secret::new("token", VALUE)], &RuleSet::builtin(), [1; 32]).unwrap()
}

fn action(call: Call) -> Action {
    Action { agent: "office".parse().unwrap(), session: "s1".parse().unwrap(), tool: "t".to_owned(), call, cwd: None }
}

#[test]
fn a_value_is_found_wherever_it_stands_in_a_call() {
    let at = |text: &str| text.to_owned();
    for call in [
        Call::Shell { command: format!("curl -H 'x: {VALUE}'"), env: [].into() },
        Call::Shell { command: at("ls"), env: [(at("A"), at(VALUE))].into() },
        Call::Exec { argv: vec![at("a"), at(VALUE)], stdin: None, env: [].into() },
        Call::Exec { argv: vec![at("a")], stdin: Some(at(VALUE)), env: [].into() },
        Call::FileRead { path: at(VALUE) },
        Call::FileWrite { path: at("a"), content: format!("\"{VALUE}\"\n") },
        Call::Http { method: at("GET"), url: format!("https://x.example/{VALUE}"), headers: vec![], body: None },
        Call::Http {
            method: at("GET"),
            url: at("https://x.example/"),
            headers: vec![(at("k"), at(VALUE))],
            body: None,
        },
        Call::Message { channel: at("email"), to: vec![at(VALUE)], subject: None, body: at("x") },
        Call::Other { args: serde_json::json!({"a": [{"b": VALUE}]}) },
    ] {
        let (shown, raw) = redact_action(&engine(), &action(call)).unwrap();
        assert_eq!(raw, ["token"], "{shown:?}");
        assert!(!String::from_utf8(shown.canonical()).unwrap().contains(VALUE));
    }
}

#[test]
fn references_and_plain_calls_stay_as_they_are() {
    for command in ["printenv TOKEN", "echo 'SECRET_REF(token)'", "git log --oneline"] {
        let plain = action(Call::Shell { command: command.to_owned(), env: [].into() });
        assert_eq!(redact_action(&engine(), &plain), Ok((plain, Vec::new())));
    }
}
