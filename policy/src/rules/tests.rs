use super::*;
use crate::classify::judge_example;

#[test]
fn every_shipped_rule_matches_its_own_examples() {
    let rules = RuleSet::unchecked(parse_toml(defaults::TEXTS).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for rule in &rules.document().rule {
        for (examples, want) in [(&rule.matches, true), (&rule.not_match, false)] {
            for example in examples {
                let verdict = judge_example(example, &rules).unwrap();
                if verdict.fired.iter().any(|fired| fired.rule == rule.id) != want {
                    wrong.push(format!("{} on {example:?}: should be {want}", rule.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(default_rules(), RuleSet::from_document(rules.document().clone()).unwrap());
}

const GOOD: &str = r#"
[[rule]]
id = "a.b"
class = "red"
reason = "does"
program = ["frob"]
match = ["frob"]
not_match = ["other"]
"#;

#[test]
fn rules_that_cannot_be_right_are_refused() {
    for (from, to, want) in [
        ("class = \"red\"", "class = \"purple\"", "cannot be read"),
        ("reason", "raeson", "cannot be read"),
        ("program = [\"frob\"]", "", "exactly one"),
        ("program = [\"frob\"]", "program = [\"frob\"]\nmessage = true", "exactly one"),
        ("program = [\"frob\"]", "program = [\"frob\"]\npath = [\"workspace\"]", "does not belong"),
        ("program = [\"frob\"]", "access = [\"read\"]\noption = [\"-f\"]", "does not belong"),
        ("program = [\"frob\"]", "access = [\"read\"]\npath = [\"nowhere\"]", "not there"),
        ("match = [\"frob\"]", "match = []", "no example"),
        ("match = [\"frob\"]", "match = [\"echo frob\"]", "does not"),
        ("not_match = [\"other\"]", "not_match = [\"sudo frob\"]", "and does"),
        ("match = [\"frob\"]", "match = [\"http: GET\"]", "cannot be read"),
    ] {
        let error = RuleSet::from_toml(&[&GOOD.replacen(from, to, 1)]).unwrap_err().to_string();
        assert!(error.contains(want), "{to}: {error}");
    }
    assert!(RuleSet::from_toml(&[GOOD, GOOD]).unwrap_err().to_string().contains("two rules"));
    RuleSet::from_toml(&[GOOD]).unwrap();
}

#[test]
fn rules_survive_json() {
    let rules = RuleSet::from_toml(&[GOOD]).unwrap();
    let json = serde_json::to_string(&rules).unwrap();
    assert_eq!(serde_json::from_str::<RuleSet>(&json).unwrap(), rules);
    assert!(serde_json::from_str::<RuleSet>(&json.replace("\"other\"", "\"frob\"")).is_err());
}

#[test]
fn patterns_know_a_star_at_either_end() {
    for (pattern, text, want) in [
        ("*", "", true),
        ("a*", "ab", true),
        ("*a", "ba", true),
        ("*a*", "bab", true),
        ("a", "ab", false),
        ("a*", "ba", false),
        ("*a", "ab", false),
    ] {
        assert_eq!(matching::fits(pattern, text), want, "{pattern} {text}");
    }
}
