//! What a set of rules must fulfil before it counts.

use std::collections::BTreeSet;

use super::{Document, Rule, RuleSet};
use crate::classify::judge_example;

/// Why rules are not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRules {
    /// Not TOML or JSON of the right form.
    #[error("the rules cannot be read: {0}")]
    Form(String),
    /// Two rules share an id.
    #[error("two rules are called {0}")]
    Twice(String),
    /// A rule is about nothing, or about several things.
    #[error("the rule {0} must be about exactly one of program, access, env, code, method, tool, message")]
    Subject(String),
    /// A condition stands in a rule that never reads it.
    #[error("the rule {rule} has the condition {condition}, which does not belong to its subject")]
    Stray {
        /// Which rule.
        rule: String,
        /// Which condition.
        condition: &'static str,
    },
    /// A rule has no example.
    #[error("the rule {0} has no example in match")]
    NoExample(String),
    /// A path list is named that is not there.
    #[error("the rule {rule} names the path list {list}, which is not there")]
    NoList {
        /// Which rule.
        rule: String,
        /// Which list.
        list: String,
    },
    /// A rule does not fire where it says it does.
    #[error("the rule {rule} should match {example:?} and does not")]
    Silent {
        /// Which rule.
        rule: String,
        /// Which example.
        example: String,
    },
    /// A rule fires where it says it does not.
    #[error("the rule {rule} should not match {example:?} and does")]
    Loud {
        /// Which rule.
        rule: String,
        /// Which example.
        example: String,
    },
    /// An example is no call.
    #[error("the example {example:?} of the rule {rule} cannot be read")]
    BadExample {
        /// Which rule.
        rule: String,
        /// Which example.
        example: String,
    },
}

/// Names of paths that need no list.
pub(super) const COMPUTED: &[&str] = &["workspace", "outside", "unknown", "folder", "everything"];

/// Everything but the examples.
pub(super) fn form(document: &Document) -> Result<(), InvalidRules> {
    let mut ids = BTreeSet::new();
    for rule in &document.rule {
        if !ids.insert(&rule.id) {
            return Err(InvalidRules::Twice(rule.id.clone()));
        }
        subject(rule)?;
        if rule.matches.is_empty() {
            return Err(InvalidRules::NoExample(rule.id.clone()));
        }
        for list in &rule.path {
            if !COMPUTED.contains(&list) && !document.paths.iter().any(|p| p.name == list) {
                return Err(InvalidRules::NoList { rule: rule.id.clone(), list: list.to_owned() });
            }
        }
    }
    Ok(())
}

fn subject(rule: &Rule) -> Result<(), InvalidRules> {
    let subjects = [
        !rule.program.is_empty(),
        !rule.access.is_empty(),
        !rule.env.is_empty(),
        !rule.code.is_empty(),
        !rule.method.is_empty(),
        !rule.tool.is_empty(),
        rule.message,
    ];
    if subjects.iter().filter(|s| **s).count() != 1 {
        return Err(InvalidRules::Subject(rule.id.clone()));
    }
    // A condition that nobody reads would look like a restriction and be none.
    let program = !rule.program.is_empty();
    let conditions = [
        ("sub", !rule.sub.is_empty(), program),
        ("option", !rule.option.is_empty(), program),
        ("without", !rule.without.is_empty(), program),
        ("operand", !rule.operand.is_empty(), program),
        ("without_operand", !rule.without_operand.is_empty(), program),
        ("min_operands", rule.min_operands.is_some(), program),
        ("max_operands", rule.max_operands.is_some(), program),
        ("any_arguments", rule.any_arguments, program),
        ("unless_green", rule.unless_green, program),
        (
            "contains",
            !rule.contains.is_empty(),
            program || !(rule.code.is_empty() && rule.method.is_empty() && rule.env.is_empty()),
        ),
        ("path", !rule.path.is_empty(), !rule.access.is_empty()),
        ("server", !rule.server.is_empty(), !rule.method.is_empty()),
        ("body", !rule.body.is_empty(), !rule.method.is_empty()),
        ("without_tool", !rule.without_tool.is_empty(), !rule.tool.is_empty()),
        ("argument", !rule.argument.is_empty(), !rule.tool.is_empty()),
        ("host", !rule.host.is_empty(), !rule.method.is_empty()),
    ];
    match conditions.into_iter().find(|(_, given, fits)| *given && !fits) {
        Some((condition, ..)) => Err(InvalidRules::Stray { rule: rule.id.clone(), condition }),
        None => Ok(()),
    }
}

/// Every example of every rule, judged by the whole set.
pub(super) fn examples(set: &RuleSet) -> Result<(), InvalidRules> {
    for rule in &set.document().rule {
        let fires = |example: &str| {
            judge_example(example, set)
                .map(|verdict| verdict.fired.iter().any(|fired| fired.rule == rule.id))
                .ok_or_else(|| InvalidRules::BadExample { rule: rule.id.clone(), example: example.to_owned() })
        };
        for example in &rule.matches {
            if !fires(example)? {
                return Err(InvalidRules::Silent { rule: rule.id.clone(), example: example.to_owned() });
            }
        }
        for example in &rule.not_match {
            if fires(example)? {
                return Err(InvalidRules::Loud { rule: rule.id.clone(), example: example.to_owned() });
            }
        }
    }
    Ok(())
}
