//! `wardkeep-bench-engines ROUNDS FILE`: Cedar and regorus decide on the facts of each command in FILE, and say how long each took and
//! what came out.
//!
//! The rules of FILE are written as a policy of each language. An engine is given its facts as its own values: reading JSON is not
//! counted, putting facts and request together is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use cedar_policy::{
    Authorizer, Context, Entities, EntityUid, PolicySet, Request, RestrictedExpression as Expression,
};
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::RegoVM;
use regorus::{Engine, Value};
use serde::Deserialize;
use serde_json::json;

type Error = Box<dyn std::error::Error>;

/// Gravest last.
const CLASSES: &[&str] = &["green", "yellow", "yellow_external", "red", "critical_red"];

#[derive(Deserialize)]
struct Input {
    rules: Vec<Rule>,
    facts: Vec<Facts>,
}

/// All that is given must hold; an empty list asks nothing.
#[derive(Deserialize)]
struct Rule {
    class: String,
    program: Vec<String>,
    sub: Vec<String>,
    option: Vec<String>,
    without: Vec<String>,
    min_operands: Option<usize>,
    max_operands: Option<usize>,
}

/// One command.
#[derive(Deserialize)]
struct Facts {
    program: String,
    /// Its first operand, the first two, the first three.
    head: Vec<String>,
    /// Those of the rules' options that it was given.
    options: Vec<String>,
    operands: usize,
}

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let rounds: usize = arguments.next().ok_or("rounds")?.parse()?;
    let input: Input = serde_json::from_slice(&std::fs::read(arguments.next().ok_or("a file")?)?)?;
    cedar(&input, rounds)?;
    rego(&input, rounds)
}

/// Runs `decide` over all facts, `rounds` times after one to warm up; prints times in nanoseconds and the classes.
fn measure(engine: &str, input: &Input, rounds: usize, mut decide: impl FnMut(usize) -> Result<Option<usize>, Error>) -> Result<(), Error> {
    let mut times = Vec::with_capacity(rounds * input.facts.len());
    let mut classes = Vec::new();
    for round in 0..=rounds {
        classes.clear();
        for at in 0..input.facts.len() {
            let start = Instant::now();
            let class = black_box(decide(at)?);
            if round > 0 {
                times.push(u64::try_from(start.elapsed().as_nanos())?);
            }
            classes.push(class.map(|class| CLASSES[class]));
        }
    }
    times.sort_unstable();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("{}", json!({"engine": engine, "p50_ns": p50, "p99_ns": p99, "classes": classes}));
    Ok(())
}

fn class_of(name: &str) -> usize {
    CLASSES.iter().position(|class| *class == name).unwrap_or(CLASSES.len() - 1)
}

/// A list in the notation that JSON, Cedar and Rego share.
fn list(values: &[String]) -> String {
    json!(values).to_string()
}

/// One `forbid` for each rule, its class beside it; the gravest of those that apply counts.
fn cedar(input: &Input, rounds: usize) -> Result<(), Error> {
    let mut text = "permit(principal, action, resource);\n".to_owned();
    for rule in &input.rules {
        write!(text, "@class(\"{}\") forbid(principal, action, resource) when {{ ", rule.class)?;
        match rule.program.as_slice() {
            [one] => write!(text, "context.program == {}", json!(one))?,
            more => write!(text, "{}.contains(context.program)", list(more))?,
        }
        for (name, values) in [("head", &rule.sub), ("options", &rule.option)] {
            if !values.is_empty() {
                write!(text, " && context.{name}.containsAny({})", list(values))?;
            }
        }
        if !rule.without.is_empty() {
            write!(text, " && !context.options.containsAny({})", list(&rule.without))?;
        }
        rule.min_operands.iter().try_for_each(|least| write!(text, " && context.operands >= {least}"))?;
        rule.max_operands.iter().try_for_each(|most| write!(text, " && context.operands <= {most}"))?;
        text.push_str(" };\n");
    }
    let policies: PolicySet = text.parse()?;
    let classes: HashMap<_, _> =
        policies.policies().map(|policy| (policy.id().clone(), policy.annotation("class").map(class_of))).collect();
    let names: Vec<EntityUid> =
        ["Agent::\"office\"", "Action::\"run\"", "Machine::\"here\""].iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    let (authorizer, entities) = (Authorizer::new(), Entities::empty());
    measure("Cedar", input, rounds, |at| {
        let facts = &input.facts[at];
        let set = |values: &[String]| {
            Expression::new_set(values.iter().map(|value| Expression::new_string(value.clone())))
        };
        let context = Context::from_pairs([
            ("program".to_owned(), Expression::new_string(facts.program.clone())),
            ("head".to_owned(), set(&facts.head)),
            ("options".to_owned(), set(&facts.options)),
            ("operands".to_owned(), Expression::new_long(i64::try_from(facts.operands)?)),
        ])?;
        let request = Request::new(names[0].clone(), names[1].clone(), names[2].clone(), context, None)?;
        let response = authorizer.is_authorized(&request, &policies, &entities);
        Ok(response.diagnostics().reason().filter_map(|id| classes[id]).max())
    })
}

/// One clause of a partial set for each rule. Both ways in which regorus runs a policy.
fn rego(input: &Input, rounds: usize) -> Result<(), Error> {
    let mut text = "package gate\nimport rego.v1\n".to_owned();
    for rule in &input.rules {
        writeln!(text, "classes contains {} if {{", class_of(&rule.class))?;
        match rule.program.as_slice() {
            [one] => writeln!(text, "  input.program == {}", json!(one))?,
            more => writeln!(text, "  input.program in {}", braces(more))?,
        }
        for (name, values) in [("head", &rule.sub), ("options", &rule.option)] {
            if !values.is_empty() {
                writeln!(text, "  count(input.{name} & {}) > 0", braces(values))?;
            }
        }
        if !rule.without.is_empty() {
            writeln!(text, "  count(input.options & {}) == 0", braces(&rule.without))?;
        }
        rule.min_operands.iter().try_for_each(|least| writeln!(text, "  input.operands >= {least}"))?;
        rule.max_operands.iter().try_for_each(|most| writeln!(text, "  input.operands <= {most}"))?;
        text.push_str("}\n");
    }
    let entry = "data.gate.classes";
    let mut engine = Engine::new();
    engine.add_policy("gate.rego".to_owned(), text)?;
    let policy = engine.compile_with_entrypoint(&Arc::from(entry))?;
    measure("regorus", input, rounds, |at| gravest(&policy.eval_with_input(facts_for_rego(&input.facts[at]))?))?;
    let mut machine = RegoVM::new_with_policy(policy.clone());
    machine.load_program(Compiler::compile_from_policy(&policy, &[entry])?);
    machine.set_data(Value::new_object())?;
    measure("regorus, its virtual machine", input, rounds, |at| {
        machine.set_input(facts_for_rego(&input.facts[at]));
        gravest(&machine.execute()?)
    })
}

/// `{"a", "b"}`, a line each: regorus reads no line of more than 1,024 bytes.
fn braces(values: &[String]) -> String {
    let lines: Vec<_> = values.iter().map(|value| json!(value).to_string()).collect();
    format!("{{{}}}", lines.join(",\n    "))
}

fn facts_for_rego(facts: &Facts) -> Value {
    let set = |values: &[String]| Value::from(values.iter().map(|value| Value::from(value.as_str())).collect::<BTreeSet<_>>());
    let members = [
        ("program", Value::from(facts.program.as_str())),
        ("head", set(&facts.head)),
        ("options", set(&facts.options)),
        ("operands", Value::from(facts.operands as u64)),
    ];
    Value::from(members.into_iter().map(|(name, value)| (Value::from(name), value)).collect::<BTreeMap<_, _>>())
}

fn gravest(classes: &Value) -> Result<Option<usize>, Error> {
    let classes = classes.as_set()?;
    Ok(classes.iter().filter_map(|class| class.as_u64().ok()).max().map(|class| class as usize))
}
