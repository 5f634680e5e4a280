//! `./dev bench proxy`: the LLM gateway between an agent and a model's provider, beside named peers in the same run.
//!
//! * Ours is the real daemon: enrolled at a hub, 1,000 secrets in its vault, all rules, a published policy ([`stage`]).
//! * Floor: hyper passing through ([`floor`]). Peers: nginx, LiteLLM, liter-llm ([`peers`]).
//! * Loader, provider and every target are processes of their own on the same cores; bars are those of the design, section 9
//!   ([`bars`]).
//!
//! Processor time for a request is the figure to trust on a busy machine; latency is compared with `direct` of the same run.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod bars;
mod canary;
mod cell;
mod floor;
mod load;
mod peers;
mod report;
mod targets;
mod turns;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use bodies::{Shape, Way};
use cell::{Cell, Effort};
use clap::{Parser, Subcommand};
use load::Load;
use targets::Rig;
use wardkeep_benches::{bodies, chance, mock, process, stage, vault, wire};

#[derive(Parser)]
#[command(about = "The LLM gateway between an agent and a model's provider, beside named peers")]
struct Options {
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Only these targets: direct, "hyper alone", nginx, liter-llm, litellm, wardkeep
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
    /// Only these requests: small, "16 KiB", "100 KiB", "1 MiB"
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    request: Vec<String>,
    /// Only these numbers of connections
    #[arg(long, value_delimiter = ',', value_name = "COUNT")]
    connections: Vec<usize>,
    /// Fewer cells, less time
    #[arg(long)]
    quick: bool,
    /// Leave the peers out
    #[arg(long)]
    no_peers: bool,
    /// Milliseconds of a cell; all cells with all peers take some ten minutes
    #[arg(long, default_value_t = 1_000)]
    millis: u64,
    /// Tries of a cell while others use the machine
    #[arg(long, default_value_t = 2)]
    tries: usize,
    /// Where the daemon keeps its files; without it a folder in memory, so that the disk is not what is measured
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
    /// Keep everything running until Enter, for a profiler
    #[arg(long)]
    hold: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The parts of this program that run as processes of their own.
#[derive(Subcommand)]
enum Part {
    #[command(hide = true)]
    Mock { listen: SocketAddr },
    #[command(hide = true)]
    Floor { listen: SocketAddr, upstream: SocketAddr },
    #[command(hide = true)]
    Load(Load),
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    match &options.part {
        None => bench(&options),
        Some(part) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            tokio::task::LocalSet::new().block_on(&runtime, play(part))
        }
    }
}

async fn play(part: &Part) -> anyhow::Result<()> {
    match part {
        Part::Mock { listen } => mock::serve(*listen).await,
        Part::Floor { listen, upstream } => floor::serve(*listen, *upstream).await,
        Part::Load(load) => {
            println!("{}", serde_json::to_string(&load::run(load).await?)?);
            Ok(())
        }
    }
}

fn bench(options: &Options) -> anyhow::Result<()> {
    let folder = stage::folder(options.state.as_deref())?;
    let wanted = |name: &str| {
        let peer = peers::NAMES.contains(&name);
        (options.only.is_empty() || options.only.iter().any(|only| only == name)) && !(peer && options.no_peers)
    };
    let rig = Rig::start(folder.path(), wanted)?;
    if options.hold {
        for target in &rig.targets {
            println!("{:<12} {} {:?} {:?}", target.name, target.to, target.pid, target.headers);
        }
        std::io::stdin().read_line(&mut String::new())?;
        return Ok(());
    }
    let effort = Effort { warm_millis: 300, millis: options.millis, tries: options.tries.max(1) };
    let mut report = report::Report::new(&rig, options.json);
    let (plan, began) = (plan(options), Instant::now());
    for (number, cell) in plan.iter().copied().enumerate() {
        let (seconds, of) = (began.elapsed().as_secs(), plan.len());
        eprintln!("cell {} of {of} after {seconds} s: {} × {}", number + 1, cell.name(), cell.connections);
        if let Some(stage) = &rig.stage {
            stage.renew()?;
        }
        let figures = rig.targets.iter().map(|target| cell.measure(target, rig.mock.id(), &rig.folder, effort));
        report.cell(cell, figures.collect::<anyhow::Result<_>>()?);
    }
    if let Some(stage) = &rig.stage {
        stage.renew()?;
    }
    report.sessions(turns::measure(&rig)?);
    report.found(canary::look(&rig)?, canary::in_log(&rig));
    report.finish();
    Ok(())
}

/// Microseconds between two small requests of all agents where they ask at a steady rate: many more than agents
/// ask that read and think, few enough that a request does not wait for others.
const STEADY: u32 = 200;

/// Every cell, or those that were asked for.
fn plan(options: &Options) -> Vec<Cell> {
    let mut plan = vec![Cell { shape: Shape::Small, way: Way::Plain, connections: 16, every: Some(STEADY) }];
    for shape in Shape::ALL {
        for way in [Way::Plain, Way::Burst, Way::Paced] {
            for connections in [1, 16, 64] {
                plan.push(Cell { shape, way, connections, every: None });
            }
        }
    }
    plan.retain(|cell| {
        let paced = cell.way != Way::Paced || cell.shape == Shape::Small;
        let named = options.request.is_empty() || options.request.iter().any(|name| name == cell.shape.name());
        let counted = options.connections.is_empty() || options.connections.contains(&cell.connections);
        let quick = !options.quick || (cell.connections < 64 && (cell.way == Way::Plain || cell.shape == Shape::Small));
        paced && named && counted && quick
    });
    plan
}
