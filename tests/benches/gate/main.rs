//! `./dev bench gate [--no-peers] [--json]`: one decision of the gate, beside engines of policy languages and a list of substrings.
//!
//! Design, section 9: `decide()` on a shell command of 200 bytes, two parsers included, p50 below 40 µs and p99 below 200 µs. Engines
//! read no shell text, so they are measured on facts: on every command of `tests/data/actions.jsonl`, taken apart before, with those
//! shipped rules about programs that their languages can say. Our own rules are measured on the same facts. The list of substrings
//! reads text, so it stands beside the whole decision. `./dev bench gate-growth` is about memory.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod cases;
mod engines;
mod facts;
mod substrings;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use cases::{Answers, Case};
use clap::Parser as _;
use wardkeep_policy::{Action, AgentPolicy, Bundle, Class, Posture, classify, decide};
use wardkeep_proto::time::Timestamp;

const ROUNDS: usize = 20_000;

#[derive(clap::Parser)]
struct Options {
    /// Leaves out Cedar and regorus.
    #[arg(long)]
    no_peers: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (agent, bundle) = cases::policy();
    one_command(&agent, &bundle);
    let cases = cases::all()?;
    println!("\n{} commands of others, tests/data/actions.jsonl", cases.len());
    whole(&cases, &agent, &bundle);
    let (rules, commands) = (facts::sayable()?, facts::commands(&cases));
    let commands = facts::of(&commands);
    println!(
        "\n{} simple commands of these as facts, {} rules that Cedar and Rego can say; no shell text is read",
        commands.len(),
        rules.document().rule.len()
    );
    let ours = facts::measure(&rules, &commands);
    println!("{:<32} {}", "our rules", ours.times);
    if options.no_peers {
        return Ok(());
    }
    match engines::measure(&rules, &commands) {
        Ok(engines) => engines.iter().for_each(|engine| engines::print(engine, &ours)),
        Err(why) => println!("Cedar, regorus: {why:#}"),
    }
    Ok(())
}

/// The floor in the same run is the first parser alone on the same text.
fn one_command(agent: &AgentPolicy, bundle: &Bundle) {
    let action = cases::action(agent, cases::COMMAND);
    println!("one command of {} bytes; {ROUNDS} rounds each, alternating", cases::COMMAND.len());
    let (mut ours, mut floor) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    for round in 0..ROUNDS + 1_000 {
        let took = time(|| drop(black_box(decide(&action, agent, bundle, &Posture::open(), Timestamp(1)))));
        let parsed = time(|| {
            black_box(parse(cases::COMMAND));
        });
        // The first thousand warm caches and branch predictors.
        if round >= 1_000 {
            ours.push(took);
            floor.push(parsed);
        }
    }
    let (ours, floor) = (Times::of(ours), Times::of(floor));
    println!("{:<32} {ours}", "decide()");
    println!("{:<32} {floor}", "brush-parser alone");
    println!("ratio p50 {:.2}", ours.p50.as_secs_f64() / floor.p50.as_secs_f64());
}

/// The whole decision on every command, and what a list of substrings makes of it.
fn whole(cases: &[Case], agent: &AgentPolicy, bundle: &Bundle) {
    let actions: Vec<Action> = cases.iter().map(|case| cases::action(agent, &case.command)).collect();
    let (mut ours, mut list) = (Vec::new(), Vec::new());
    for round in 0..=20 {
        for (case, action) in cases.iter().zip(&actions) {
            let took = time(|| drop(black_box(decide(action, agent, bundle, &Posture::open(), Timestamp(1)))));
            let searched = time(|| {
                black_box(substrings::class(&case.command));
            });
            if round > 0 {
                ours.push(took);
                list.push(searched);
            }
        }
    }
    let ours_said: Vec<_> = cases.iter().zip(actions.iter().map(|action| classify(action, bundle).class)).collect();
    let list_said: Vec<_> = cases.iter().map(|case| (case, substrings::class(&case.command))).collect();
    println!("{:<32} {}  {}", "decide(), two parsers", Times::of(ours), Answers::of(ours_said.iter().copied()));
    println!("{:<32} {}  {}", "list of substrings", Times::of(list), Answers::of(list_said.iter().copied()));
    println!("\n{:<16} {:^29}   {:^29}", "too mild, of", "decide()", "list of substrings");
    println!("{:<16} {:>9} {:>9} {:>9}   {:>9} {:>9} {:>9}", "source", "any", "Red", "strict", "any", "Red", "strict");
    for source in cases.iter().map(|case| case.source.as_str()).collect::<BTreeSet<_>>() {
        let counts = |said: &[(&Case, Class)]| {
            Answers::of(said.iter().copied().filter(|(case, _)| case.source == source)).counts()
        };
        println!("{source:<16} {}   {}", counts(&ours_said), counts(&list_said));
    }
}

fn parse(text: &str) -> bool {
    brush_parser::Parser::new(text.as_bytes(), &brush_parser::ParserOptions::default()).parse_program().is_ok()
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Two quantiles.
struct Times {
    p50: Duration,
    p99: Duration,
}

impl Times {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self { p50: all[all.len() / 2], p99: all[all.len() * 99 / 100] }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p50 {:>9.2?}  p99 {:>9.2?}", self.p50, self.p99)
    }
}
