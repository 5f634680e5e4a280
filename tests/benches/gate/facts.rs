//! Decisions on facts alone: commands that were taken apart before, and the rules that other languages can say, too.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use serde::Serialize;
use wardkeep_policy::facts::args::Parsed;
use wardkeep_policy::facts::{Command, Context, from_shell};
use wardkeep_policy::rules::{Document, Rule, RuleSet, Syntax, Texts};
use wardkeep_policy::{Class, default_rules};

use crate::cases::Case;
use crate::{Times, time};

const ROUNDS: usize = 10;

/// A command and its arguments, taken apart.
pub(crate) struct Fact<'a> {
    command: &'a Command,
    parsed: Parsed<'a>,
}

/// What our rules took, and what they answered.
pub(crate) struct Ours {
    pub(crate) times: Times,
    pub(crate) classes: Vec<Option<Class>>,
}

/// Shipped rules about programs that ask for nothing but names, first operands, options and numbers of operands.
pub(crate) fn sayable() -> anyhow::Result<RuleSet> {
    let shipped = default_rules();
    let plain = |texts: &Texts| texts.iter().all(|text| !text.contains(['*', '?', '!']));
    let can_be_said = |rule: &&Rule| {
        !rule.program.is_empty()
            && [&rule.program, &rule.sub, &rule.option, &rule.without].into_iter().all(plain)
            && [&rule.contains, &rule.operand, &rule.without_operand].into_iter().all(Texts::is_empty)
            && !rule.unless_green
    };
    let document = shipped.document();
    let rule = document.rule.iter().filter(can_be_said).cloned().collect();
    Ok(RuleSet::from_document(Document { rule, ..document.clone() })?)
}

/// Every simple command of every case.
pub(crate) fn commands(cases: &[Case]) -> Vec<Command> {
    let rules = default_rules();
    let (knows, starts) = (|name: &str| rules.knows(name), |name: &str| rules.starts(name));
    let context = Context { knows: &knows, starts: &starts, env: &BTreeMap::new() };
    cases.iter().flat_map(|case| from_shell(&case.command, "", &context).commands).collect()
}

/// Their arguments, taken apart.
pub(crate) fn of<'a>(commands: &'a [Command]) -> Vec<Fact<'a>> {
    let rules = default_rules();
    let fact = |command: &'a Command| {
        let reading = rules.syntax(&command.program).map(Syntax::reading).unwrap_or_default();
        Fact { parsed: Parsed::read(&command.args, reading), command }
    };
    commands.iter().map(fact).collect()
}

/// Our rules on each.
pub(crate) fn measure(rules: &RuleSet, facts: &[Fact]) -> Ours {
    let mut times = Vec::new();
    let mut classes = Vec::new();
    for round in 0..=ROUNDS {
        classes.clear();
        for fact in facts {
            let mut class = None;
            let took = time(|| class = black_box(rules.gravest(fact.command, &fact.parsed)));
            if round > 0 {
                times.push(took);
            }
            classes.push(class);
        }
    }
    Ours { times: Times::of(times), classes }
}

/// A rule in the words of the peers.
#[derive(Serialize)]
pub(crate) struct SaidRule {
    class: Class,
    program: Texts,
    sub: Texts,
    option: Texts,
    without: Texts,
    min_operands: Option<usize>,
    max_operands: Option<usize>,
}

/// A command in the words of the peers.
#[derive(Serialize)]
pub(crate) struct SaidFact {
    program: String,
    /// Its first operand, the first two, the first three.
    head: Vec<String>,
    /// Those of the rules' options that it was given.
    options: Vec<String>,
    operands: usize,
}

/// Rules and commands for the peers.
pub(crate) fn said(rules: &RuleSet, facts: &[Fact]) -> (Vec<SaidRule>, Vec<SaidFact>) {
    let written = &rules.document().rule;
    let options: BTreeSet<&str> = written.iter().flat_map(|rule| rule.option.iter().chain(&rule.without)).collect();
    let rule = |rule: &Rule| SaidRule {
        class: rule.class,
        program: rule.program.clone(),
        sub: rule.sub.clone(),
        option: rule.option.clone(),
        without: rule.without.clone(),
        min_operands: rule.min_operands,
        max_operands: rule.max_operands,
    };
    let fact = |Fact { command, parsed }: &Fact| {
        let operands: Vec<&str> = parsed.operands.iter().map(|operand| operand.text.as_str()).collect();
        let given = |option: &&&str| parsed.has(option) || command.script.contains(*option);
        SaidFact {
            program: command.program.clone(),
            head: (1..=operands.len().min(3)).map(|count| operands[..count].join(" ")).collect(),
            options: options.iter().filter(given).map(|option| (*option).to_owned()).collect(),
            operands: operands.len(),
        }
    };
    (written.iter().map(rule).collect(), facts.iter().map(fact).collect())
}
