//! `./dev bench hook`: the daemon at rest, and one Green call over its Unix socket, from the question to the recorded answer.
//!
//! Design, section 9: below 0.1 % of a core at rest; p50 of a call below 200 µs. The daemon is the real one with 1,000 secrets and all rules; each call is another one, judged
//! by two parsers and on disk before it is answered. Floor: hyper that answers the same question with the same words, on a Unix socket
//! of a process of its own. Both are asked in turns, so that a slow moment of the machine meets both.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod floor;
mod rest;

use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use process::{Process, Spent, part};
use rest::Rest;
use serde_json::{Value, json};
use stage::Stage;
use wardkeep_benches::{bodies, mock, process, stage, vault, wire};

const SECRETS: usize = 1_000;
/// The session that the stage begins.
const SESSION: &str = "bench";
/// Rounds that warm caches.
const WARM: usize = 200;
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What agents read all day, each Green.
const COMMANDS: &[&str] = &[
    "git log --oneline -5",
    "ls -la",
    "grep -rn --include='*.md' 'Stollen' notes drafts | sort -u | head -20",
    "cd src && git status --short && wc -l notes/*.md",
];

#[derive(Parser)]
#[command(about = "One Green call over the daemon's Unix socket, beside hyper alone")]
struct Options {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Calls
    #[arg(long, default_value_t = 4_000)]
    rounds: usize,
    /// How long to watch the daemon at rest before, seconds
    #[arg(long, default_value_t = 20)]
    rest: u32,
    /// Where the daemon keeps its files; without it a folder in memory, so that the disk is not what is measured
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
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
    Floor { listen: PathBuf },
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let Some(part) = &options.part else { return bench(&options) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        match part {
            Part::Mock { listen } => mock::serve(*listen).await,
            Part::Floor { listen } => floor::serve(listen).await,
        }
    })
}

fn bench(options: &Options) -> anyhow::Result<()> {
    let folder = stage::folder(options.state.as_deref())?;
    let folder = folder.path();
    let provider = stage::free_port()?;
    let _mock = Process::start(part("mock")?.arg(provider.to_string()), &folder.join("mock.log"))?;
    let models = [bodies::MODEL.to_owned()];
    let stage = Stage::set(folder, provider, &vault::secrets(SECRETS), &models, &mock::policy(provider))?;
    let socket = folder.join("floor.sock");
    let floor = Process::start(part("floor")?.arg(&socket), &folder.join("floor.log"))?;
    stage::wait("the floor", || Ok(socket.exists()))?;
    let pid = stage.pid().context("a daemon")?;
    let rest = (options.rest > 0).then(|| Rest::of(pid, options.rest));
    let mut ours = Asker::of(&folder.join("tenant/run/hook.sock"), pid, stage.headers())?;
    let mut alone = Asker::of(&socket, floor.id(), stage.headers())?;
    stage.renew()?;
    for round in 0..WARM + options.rounds {
        if round == WARM {
            ours.begin();
            alone.begin();
        }
        let body = question(round);
        let answer = ours.ask(&body)?;
        anyhow::ensure!(answer["decision"] == "allow", "call {round} is not Green: {answer}");
        alone.ask(&body)?;
    }
    report(options, rest, ours.figures(), alone.figures());
    Ok(())
}

/// Another call each time: what was asked once is remembered.
fn question(round: usize) -> Vec<u8> {
    let command = COMMANDS[round % COMMANDS.len()];
    let call = format!("call-{round}");
    json!({"session": SESSION, "call": call, "tool": "shell", "args": {"command": command}}).to_string().into_bytes()
}

/// A connection to one of both, and how long each answer took.
struct Asker {
    stream: UnixStream,
    headers: Vec<(String, String)>,
    answer: wire::Answer,
    pid: u32,
    before: Spent,
    times: Vec<Duration>,
}

impl Asker {
    fn of(socket: &Path, pid: u32, headers: Vec<(String, String)>) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(socket).with_context(|| format!("reach {}", socket.display()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let before = Spent::of(pid);
        Ok(Self { stream, headers, answer: wire::Answer::default(), pid, before, times: Vec::new() })
    }

    /// What came before does not count.
    fn begin(&mut self) {
        self.times.clear();
        self.before = Spent::of(self.pid);
    }

    fn ask(&mut self, body: &[u8]) -> anyhow::Result<Value> {
        let request = wire::post("bench", "/v1/hooks/before-tool-call", &self.headers, body);
        let start = Instant::now();
        wire::ask(&mut self.stream, &request, &mut self.answer)?;
        self.times.push(start.elapsed());
        anyhow::ensure!(self.answer.status == 200, "status {}", self.answer.status);
        Ok(serde_json::from_slice(&self.answer.body)?)
    }

    fn figures(mut self) -> Figures {
        let spent = Spent::of(self.pid).since(&self.before);
        self.times.sort_unstable();
        let count = self.times.len().max(1);
        let at = |share: usize| self.times.get(count * share / 100).copied().unwrap_or_default().as_secs_f64() * 1e6;
        Figures { p50: at(50), p99: at(99), cpu: spent * 1e6 / count as f64 }
    }
}

/// Microseconds.
struct Figures {
    p50: f64,
    p99: f64,
    /// Processor time of all threads of the process for one answer.
    cpu: f64,
}

fn report(options: &Options, rest: Option<Rest>, ours: Figures, alone: Figures) {
    let ratio = ours.p50 / alone.p50;
    if options.json {
        let said = |figures: &Figures| json!({"p50_us": figures.p50, "p99_us": figures.p99, "cpu_us": figures.cpu});
        let rest = rest.map(|rest| json!({"cpu_percent": rest.cpu, "wake_ups_per_s": rest.wake_ups}));
        println!("{}", json!({"wardkeep": said(&ours), "hyper alone": said(&alone), "ratio_p50": ratio, "rest": rest}));
        return;
    }
    if let Some(Rest { seconds, cpu, wake_ups }) = rest {
        println!("at rest for {seconds} s: {cpu:.3} % of a core, {wake_ups:.1} wake-ups a second; aim: below 0.1 %");
    }
    println!("{} Green calls over a Unix socket, one after the other; µs", options.rounds);
    for (name, figures) in [("wardkeep", &ours), ("hyper alone", &alone)] {
        println!("{name:<16} p50 {:>7.1}  p99 {:>7.1}  processor {:>7.1}", figures.p50, figures.p99, figures.cpu);
    }
    println!("ratio p50 {ratio:.2}; aim: p50 below 200 µs");
}
