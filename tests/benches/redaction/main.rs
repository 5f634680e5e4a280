//! `./dev bench redaction`: how fast secrets are found and replaced, on one core, beside a floor and the fastest peers.
//!
//! * Floor: an Aho-Corasick automaton over the same bytes with the plain values and the rules' keywords ([`floor`]).
//! * Peers: redactors that can be installed, on the same texts in the same run ([`peers`]).
//!
//! Figures are medians of several rounds of processor time, taken in turns, with half of the range in percent behind ±. Issue 3: at least
//! 200 MB/s with 1,000 secrets and all rules; 10,000 secrets built in less than a second.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod floor;
mod inputs;
mod latency;
mod measure;
mod peers;
mod turns;

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Parser;
use floor::Floor;
use inputs::{Input, Inputs};
use measure::{Built, Times, build, side_by_side};
use serde_json::{Map, Value, json};
use wardkeep_benches::{chance, vault};
use wardkeep_redaction::{Engine, RuleSet, Secret};

/// Numbers of vault secrets.
const COUNTS: [usize; 4] = [0, 100, 1_000, 10_000];
/// The number that the aim speaks of.
const USUAL: usize = 1_000;

#[derive(Parser)]
#[command(about = "How fast secrets are found and replaced, on one core")]
struct Options {
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Megabytes of each input
    #[arg(long, default_value_t = 4)]
    mb: usize,
    /// Rounds that count
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Leave the peers out
    #[arg(long)]
    no_peers: bool,
    /// Only the turns of sessions
    #[arg(long)]
    turns: bool,
    /// For a profiler: only redact this input for some seconds
    #[arg(long, value_name = "INPUT")]
    only: Option<String>,
    /// Number of secrets for `--only`
    #[arg(long, default_value_t = USUAL)]
    secrets: usize,
    /// `--only` so many times, for what counts instructions; for some seconds when absent
    #[arg(long)]
    times: Option<usize>,
    /// No rules for `--only`
    #[arg(long)]
    no_rules: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// An engine and its floor, and what they cost to build.
struct Pair {
    secrets: usize,
    engine: Engine,
    floor: Floor,
    built: Built,
    floor_built: Built,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let core = pin()?;
    let inputs = inputs::all(options.mb * 1_000_000)?;
    if let Some(name) = &options.only {
        return only(&options, &inputs, name);
    }
    if options.turns {
        let engine = engine(&vault::secrets(USUAL), &RuleSet::builtin());
        let report = turns::measure(&inputs, &engine, !options.json)?;
        if options.json {
            println!("{report:#}");
        }
        return Ok(());
    }
    let keywords = floor::keywords()?;
    let pairs: Vec<Pair> = COUNTS.iter().map(|&count| pair(count, &keywords)).collect();
    let say = !options.json;
    if say {
        println!(
            "one core (number {core}); {} MB of each input; {} rounds; MB = 10^6 bytes, processor time",
            options.mb, options.rounds
        );
        let [main, own] = &inputs.sources;
        println!("text of {main}; beside it that of {own}");
    }
    let report = json!({
        "core": core,
        "mb": options.mb,
        "rounds": options.rounds,
        "sources": inputs.sources,
        "build": builds(&pairs, keywords.len(), say),
        "speed": speeds(&inputs.main, &pairs, &options),
        "parts": parts(&inputs.main, &options),
        "hard": hard(&inputs.hard, &pairs, &options),
        "latency": latency::measure(&inputs, usual(&pairs), say),
        "turns": turns::measure(&inputs, &usual(&pairs).engine, say)?,
        "peers": if options.no_peers { Value::Null } else { versus(&inputs, usual(&pairs), &options)? },
    });
    if options.json {
        println!("{report:#}");
    }
    Ok(())
}

/// Stays on one core, as do the peers, which inherit it.
fn pin() -> anyhow::Result<usize> {
    let core = rustix::thread::sched_getcpu();
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set)?;
    Ok(core)
}

fn engine(values: &[(String, String)], rules: &RuleSet) -> Engine {
    let secrets = values.iter().map(|(name, value)| Secret::new(name, value));
    Engine::build(secrets, rules, [7; 32]).expect("values that are fit to be searched for")
}

fn pair(secrets: usize, keywords: &[String]) -> Pair {
    let values = vault::secrets(secrets);
    let rules = RuleSet::builtin();
    let (engine, built) = build(|| engine(&values, &rules));
    let (floor, floor_built) = build(|| Floor::new(&values, keywords));
    Pair { secrets, engine, floor, built, floor_built }
}

fn usual(pairs: &[Pair]) -> &Pair {
    pairs.iter().find(|pair| pair.secrets == USUAL).expect("one of the counts")
}

/// Redacts all texts of an input; returns the number of placeholders.
fn redact(engine: &Engine, input: &Input) -> usize {
    let one = |text: &String| {
        if input.json {
            black_box(engine.redact_json(text.as_bytes()).expect("JSON")).findings.len()
        } else {
            black_box(engine.redact(text)).findings.len()
        }
    };
    input.texts.iter().map(one).sum()
}

fn builds(pairs: &[Pair], keywords: usize, say: bool) -> Value {
    if say {
        println!("\nindex, all rules{:>36}floor, {keywords} keywords", "");
    }
    let rows = pairs.iter().map(|pair| {
        if say {
            println!(
                "{:>6} secrets {}\n{:>14} {}  {}",
                pair.secrets,
                pair.built,
                "floor",
                pair.floor_built,
                pair.floor.kind()
            );
        }
        let mut row = pair.built.json();
        row["secrets"] = pair.secrets.into();
        row["floor"] = pair.floor_built.json();
        row["floor"]["kind"] = pair.floor.kind().into();
        row
    });
    rows.collect()
}

fn speeds(inputs: &[Input], pairs: &[Pair], options: &Options) -> Value {
    if !options.json {
        println!("\nMB/s, all rules            ours          floor        ours/floor  replaced");
    }
    let mut report = Map::new();
    for input in inputs {
        let rows = pairs.iter().map(|pair| row(input, pair, options)).collect();
        report.insert(input.name.to_owned(), rows);
    }
    Value::Object(report)
}

/// One line: an input through an engine and its floor.
fn row(input: &Input, pair: &Pair, options: &Options) -> Value {
    let (mut hits, mut matches) = (0, 0);
    let [ours, floor] = side_by_side(
        options.rounds,
        [&mut || hits = redact(&pair.engine, input), &mut || {
            matches = input.texts.iter().map(|text| black_box(pair.floor.count(text))).sum()
        }],
    );
    let (ours, floor) = (ours.speed(input.bytes()), floor.speed(input.bytes()));
    let ratio = ours.median / floor.median;
    if !options.json {
        let kind = pair.floor.kind();
        println!("{:<21} {:>6} {ours} {floor} {kind} {ratio:>7.2} {hits:>9}", input.name, pair.secrets);
    }
    json!({
        "secrets": pair.secrets, "ours": ours.json(), "floor": floor.json(), "ratio": ratio,
        "replaced": hits, "floor_matches": matches,
    })
}

/// What the vault costs alone, beside an automaton of its values alone, and what the rules cost alone.
fn parts(inputs: &[Input], options: &Options) -> Value {
    let (values, none) = (vault::secrets(USUAL), RuleSet::none());
    let (vault, rules, neither) = (engine(&values, &none), engine(&[], &RuleSet::builtin()), engine(&[], &none));
    let floor = Floor::new(&values, &[]);
    if !options.json {
        println!("\nMB/s of the parts   {USUAL} secrets, no rules   floor, values only   rules only    neither");
    }
    let rows = inputs.iter().map(|input| {
        let times = side_by_side(
            options.rounds,
            [
                &mut || _ = black_box(redact(&vault, input)),
                &mut || input.texts.iter().for_each(|text| _ = black_box(floor.count(text))),
                &mut || _ = black_box(redact(&rules, input)),
                &mut || _ = black_box(redact(&neither, input)),
            ],
        );
        let [vault, floor, rules, neither] = times.map(|times| times.speed(input.bytes()));
        if !options.json {
            println!("{:<29} {vault} {floor:>20} {rules} {neither}", input.name);
        }
        let row = json!({
            "vault": vault.json(), "floor": floor.json(), "ratio": vault.median / floor.median,
            "rules": rules.json(), "neither": neither.json(),
        });
        (input.name.to_owned(), row)
    });
    Value::Object(rows.collect())
}

fn hard(inputs: &[Input], pairs: &[Pair], options: &Options) -> Value {
    if !options.json {
        println!("\nMB/s on hard inputs        ours          floor        ours/floor  replaced");
    }
    let rows = inputs.iter().map(|input| (input.name.to_owned(), row(input, usual(pairs), options)));
    Value::Object(rows.collect())
}

/// Beside the peers. They know no vault: the comparison is in their favour.
fn versus(inputs: &Inputs, pair: &Pair, options: &Options) -> anyhow::Result<Value> {
    let peers = peers::measure(&inputs.main, options.rounds.min(3))?;
    if !options.json {
        println!("\nMB/s beside peers (ours with {USUAL} secrets; they have none)   ours/peer  replaced");
        peers.missing.iter().for_each(|why| println!("not measured: {why}"));
    }
    let mut report = Map::new();
    for (input, results) in inputs.main.iter().zip(&peers.results) {
        let mut hits = 0;
        let [ours] = side_by_side(options.rounds, [&mut || hits = redact(&pair.engine, input)]);
        let ours = ours.speed(input.bytes());
        if !options.json {
            println!("{:<21} {:<16} {ours} {:>20} {hits:>9}", input.name, "ours", "");
        }
        let mut rows = vec![json!({"name": "ours", "speed": ours.json(), "replaced": hits})];
        for result in results {
            let ratio = ours.median / result.speed.median;
            if !options.json {
                println!("{:<21} {:<16} {} {ratio:>20.1} {:>9}", "", result.peer, result.speed, result.hits);
            }
            rows.push(
                json!({"name": result.peer, "speed": result.speed.json(), "ratio": ratio, "replaced": result.hits}),
            );
        }
        report.insert(input.name.to_owned(), rows.into());
    }
    report.insert("missing".to_owned(), peers.missing.into());
    Ok(Value::Object(report))
}

/// One piece of work again and again, for a profiler.
fn only(options: &Options, inputs: &Inputs, name: &str) -> anyhow::Result<()> {
    let all = inputs.main.iter().chain(&inputs.hard);
    let names: Vec<&str> = all.clone().map(|input| input.name).collect();
    let input = all.into_iter().find(|input| input.name == name);
    let input = input.ok_or_else(|| anyhow::anyhow!("no input {name}; there are: {}", names.join("; ")))?;
    let rules = if options.no_rules { RuleSet::none() } else { RuleSet::builtin() };
    let engine = engine(&vault::secrets(options.secrets), &rules);
    let (start, mut turns) = (Instant::now(), Vec::new());
    while options.times.map_or_else(|| start.elapsed() < Duration::from_secs(3), |most| turns.len() < most) {
        turns.push(measure::seconds(|| _ = black_box(redact(&engine, input))));
    }
    if !turns.is_empty() {
        let speed = Times::new(turns).speed(input.bytes());
        println!("{speed} MB/s, best {:.0}", speed.most);
    }
    Ok(())
}
