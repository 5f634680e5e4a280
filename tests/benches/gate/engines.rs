//! The peers: Cedar and regorus, each with a policy of the same meaning, in `tests/benches/peers`.
//!
//! They are fetched and built on first use; without a network the benchmark says so and goes on.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use wardkeep_policy::Class;
use wardkeep_policy::rules::RuleSet;

use crate::Times;
use crate::facts::{Fact, Ours, said};

const ROUNDS: &str = "3";

/// What one engine took, and what it answered.
#[derive(Deserialize)]
pub(crate) struct Engine {
    engine: String,
    p50_ns: u64,
    p99_ns: u64,
    classes: Vec<Option<Class>>,
}

/// Builds the engines and lets them decide.
pub(crate) fn measure(rules: &RuleSet, facts: &[Fact]) -> anyhow::Result<Vec<Engine>> {
    let target = std::env::current_exe()?;
    // target/release/deps/gate-…
    let target = target.ancestors().nth(3).context("a target folder")?.join("bench-peers");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/Cargo.toml");
    let program = "wardkeep-bench-engines";
    let mut build = Command::new(env!("CARGO"));
    build.args([
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--features",
        "gate",
        "--bin",
        program,
        "--manifest-path",
    ]);
    said_well(build.arg(manifest).arg("--target-dir").arg(&target))?;
    let input = target.join("gate.json");
    let (rules, facts) = said(rules, facts);
    std::fs::write(&input, serde_json::to_vec(&serde_json::json!({"rules": rules, "facts": facts}))?)?;
    let told = said_well(Command::new(target.join("release").join(program)).arg(ROUNDS).arg(input))?;
    Ok(told.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// One line, and whether the policy meant the same.
#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
pub(crate) fn print(engine: &Engine, ours: &Ours) {
    let times = Times { p50: Duration::from_nanos(engine.p50_ns), p99: Duration::from_nanos(engine.p99_ns) };
    let others = engine.classes.iter().zip(&ours.classes).filter(|(theirs, ours)| theirs != ours).count();
    let ratio = times.p50.as_secs_f64() / ours.times.p50.as_secs_f64().max(1e-9);
    println!("{:<32} {times}  {ratio:.0} × ours, {others} other answers of {}", engine.engine, ours.classes.len());
}

fn said_well(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{}", said.lines().last().unwrap_or("it failed"));
    Ok(String::from_utf8(output.stdout)?)
}
