//! `./dev bench stop`: from the order to stop an agent until nothing that it started is left, given on the server and at the hub.
//!
//! The kill switch is to be effective within 100 ms. The daemon is the real one and its agent runs a command of several processes;
//! both command lines are timed from their start as programs until the last of these processes is gone. Floor: starting the same
//! program to say its version, and a SIGKILL to a process of this one's own. A limit that is not kept ends the run with an error.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use process::{Process, part};
use serde_json::json;
use stage::Stage;
use wardkeep_benches::{bodies, mock, process, stage, vault};

const SECRETS: usize = 1_000;
/// What runs when it is stopped: a shell, a job of its own session, and a program that takes no SIGTERM.
const COMMAND: &str = "sleep 6001 & setsid sleep 6002 & sh -c \"trap '' TERM; sleep 6003\"";
const MARKS: [&str; 3] = ["6001", "6002", "6003"];
/// The aim.
const LIMIT: Duration = Duration::from_millis(100);

#[derive(Parser)]
#[command(about = "How long a stop takes, from the order to the end of the last process")]
struct Options {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Stops, on the server and at the hub each
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The part of this program that runs as a process of its own.
#[derive(Subcommand)]
enum Part {
    #[command(hide = true)]
    Mock { listen: SocketAddr },
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let Some(Part::Mock { listen }) = &options.part else { return bench(&options) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, mock::serve(*listen))
}

fn bench(options: &Options) -> anyhow::Result<()> {
    let folder = stage::folder(None)?;
    let folder = folder.path();
    let provider = stage::free_port()?;
    let _mock = Process::start(part("mock")?.arg(provider.to_string()), &folder.join("mock.log"))?;
    let models = [bodies::MODEL.to_owned()];
    let stage = Stage::set(folder, provider, &vault::secrets(SECRETS), &models, &mock::policy(provider))?;
    stage.cli(&["status", "--wait-online", "30"], "")?;
    let (mut here, mut hub, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.rounds {
        here.push(stopped(&stage, &format!("here-{round}"), || {
            stage.cli(&["stop", stage::AGENT, "--reason", "measured"], "")
        })?);
        stage.cli(&["resume", stage::AGENT, "--reason", "measured"], "")?;
        let order = ["agent", "stop", stage::TENANT, stage::AGENT, "--reason", "measured", "--wait", "20"];
        hub.push(stopped(&stage, &format!("hub-{round}"), || stage.hub(&order))?);
        stage.hub(&["agent", "resume", stage::TENANT, stage::AGENT, "--reason", "measured", "--wait", "20"])?;
        floor.push(alone(&stage)?);
    }
    let rows = [
        ("on the server", Times::of(here)),
        ("at the hub", Times::of(hub)),
        ("a program and a kill", Times::of(floor)),
    ];
    let base = rows[2].1.p50.as_secs_f64();
    if options.json {
        let said = rows
            .iter()
            .map(|(name, times)| (*name, json!({"p50_ms": millis(times.p50), "worst_ms": millis(times.worst)})));
        println!("{}", serde_json::Value::Object(said.map(|(name, said)| (name.to_owned(), said)).collect()));
    } else {
        println!("{} stops each of a command of five processes, until the last is gone; ms", options.rounds);
        for (name, times) in &rows {
            let ratio = times.p50.as_secs_f64() / base;
            println!("{name:<22} p50 {:>6.1}  worst {:>6.1}  ratio {ratio:.1}", millis(times.p50), millis(times.worst));
        }
    }
    let worst = rows[0].1.worst.max(rows[1].1.worst);
    anyhow::ensure!(worst <= LIMIT, "a stop took {worst:?}; aim: {LIMIT:?}");
    Ok(())
}

/// Has the agent run its command, orders, and waits for the end of all of it.
fn stopped(stage: &Stage, call: &str, order: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<Duration> {
    stage.renew()?;
    let permit = stage.propose(call, "shell", &json!({"command": COMMAND}))?;
    std::thread::scope(|scope| {
        // Its answer is that of a call that was ended.
        let run = scope.spawn(|| stage.exec(&permit));
        let begun = stage::wait("the command to run", || Ok(run.is_finished() || running() == MARKS.len()));
        anyhow::ensure!(!run.is_finished(), "the command did not run: {:?}", run.join());
        begun?;
        let start = Instant::now();
        order()?;
        let said = start.elapsed();
        anyhow::ensure!(running() == 0, "it was said to be stopped after {said:?}, and something runs");
        run.join().map_err(|_| anyhow::anyhow!("the run's thread panicked"))?.context("the run's answer")?;
        Ok(said)
    })
}

/// How many of the command's programs live.
fn running() -> usize {
    let lines = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = lines.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| MARKS.iter().any(|mark| *line == format!("sleep\0{mark}\0").into_bytes())).count()
}

/// The same without a daemon.
fn alone(stage: &Stage) -> anyhow::Result<Duration> {
    let mut child = Command::new("sleep").arg("6000").stdin(Stdio::null()).spawn()?;
    let start = Instant::now();
    stage.cli(&["--version"], "")?;
    child.kill()?;
    child.wait()?;
    Ok(start.elapsed())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

struct Times {
    p50: Duration,
    worst: Duration,
}

impl Times {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        let worst = all.last().copied().unwrap_or_default();
        Self { p50: all.get(all.len() / 2).copied().unwrap_or_default(), worst }
    }
}
