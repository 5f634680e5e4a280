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
