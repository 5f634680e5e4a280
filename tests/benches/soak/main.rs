//! `./dev bench soak`: the real daemon under mixed load, an hour of it, and what must hold at the end.
//!
//! Callers of four APIs end in every way ([`ways`]), ten thousand connections rest all the time, the provider fails in every
//! way and keeps the account ([`provider`]) with which the daemon's usage is compared ([`verdict`]). What is asked is a function of the seed.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod answers;
mod call;
mod clients;
mod crowd;
mod policy;
mod provider;
mod talk;
mod verdict;
mod watch;
mod ways;

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use aho_corasick::AhoCorasick;
use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde_json::json;
use wardkeep_benches::{bodies, chance, process, stage, vault, wire};

use clients::{Clients, Seen};
use crowd::Crowd;
use process::Process;
use stage::Stage;
use verdict::Verdicts;
use watch::Look;

/// Secrets in the vault.
const SECRETS: usize = 1_000;
/// Between two looks at the daemon.
const LOOK: Duration = Duration::from_secs(5);
/// Longest time for the daemon to be at rest after the load: the provider's connections are kept for a while.
const SETTLE: Duration = Duration::from_secs(120);

#[derive(Parser)]
#[command(about = "The real daemon under mixed load, and what must hold at the end")]
struct Options {
    /// Minutes of load; two are a smoke test
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    /// The same seed asks the same
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Connections that rest
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Callers at the same time
    #[arg(long, default_value_t = 48)]
    workers: usize,
    /// Longest pause of a caller, in milliseconds
    #[arg(long, default_value_t = 600)]
    pause: usize,
    /// Where the daemon keeps its files; without it a folder in memory
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
    Provider { listen: SocketAddr, needles: PathBuf },
    #[command(hide = true)]
    Clients(Clients),
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let Some(part) = &options.part else { return soak(&options) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        match part {
            Part::Provider { listen, needles } => provider::serve(*listen, needles).await,
            Part::Clients(clients) => clients::run(clients).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A line for the other side of a pipe.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn soak(options: &Options) -> anyhow::Result<ExitCode> {
    raise_limit();
    let folder = stage::folder(options.state.as_deref())?;
    let folder = folder.path();
    let note = |text: String| {
        if !options.json {
            println!("{text}");
        }
    };
    let secrets = vault::secrets(SECRETS);
    let needles = talk::needles(&secrets);
    let (secrets_file, needles_file) = (folder.join("secrets.json"), folder.join("needles.json"));
    fs::write(&secrets_file, serde_json::to_vec(&secrets)?)?;
    fs::write(&needles_file, serde_json::to_vec(&needles)?)?;
    let provider = stage::free_port()?;
    let mut command = process::part("provider")?;
    command.arg(provider.to_string()).arg(&needles_file);
    let mut mock = Process::start(&mut command, &folder.join("provider.log"))?;
    stage::wait("the provider", || {
        anyhow::ensure!(!mock.ended(), "{}", fs::read_to_string(folder.join("provider.log")).unwrap_or_default());
        Ok(provider::account(provider).is_ok())
    })?;
    let mut stage = Stage::set(folder, provider, &secrets, &policy::models(), &policy::policy(provider))?;
    // The usual start: enrolled, with vault, policy and lease.
    stage.stop();
    stage.start()?;
    let pid = stage.pid().context("a daemon")?;
    let mut crowd = Crowd::start(options, &stage, &secrets_file)?;
    crowd.hear(Duration::from_secs(60))?;
    std::thread::sleep(Duration::from_secs(3));
    let before = watch::look(pid, 0.0);
    note(format!("at the start: {}", line(&before)));
    crowd.cue()?;
    let opened = crowd.hear(Duration::from_secs(300))?;
    // Buffers are given back within four seconds.
    std::thread::sleep(Duration::from_secs(6));
    let rested = watch::look(pid, 0.0);
    let each = (rested.rss - before.rss) * 1024.0 / options.idle.max(1) as f64;
    note(format!("with {} connections that rest: {}; {each:.1} KiB each", opened.idle, line(&rested)));

    crowd.cue()?;
    let (looks, last) = load(options, &stage, pid, &crowd, &note)?;
    let mut verdicts = Verdicts::default();
    verdicts.add("a connection that rests costs at most 10 KiB", each <= 10.0, format!("{each:.1} KiB"));
    after(options, &stage, pid, (&mut crowd, last), provider, &mut verdicts)?;
    let warm = (looks.len() as f64 * 0.35) as usize;
    verdicts.leaks(&looks[warm.min(looks.len().saturating_sub(1))..]);
    let needles = AhoCorasick::new(&needles)?;
    let account = provider::account(provider)?;
    let leaks = format!("{} of {} calls {:?}", account.leaks.len(), calls(&account), account.leaks.first());
    verdicts.add("no secret reaches the provider", account.leaks.is_empty(), leaks);
    drop(crowd);
    end(&mut stage, pid, folder, &needles, &mut verdicts)?;
    report(options, &verdicts, &looks, &before, &rested)
}

/// Lets the callers ask, looking at the daemon all the while.
fn load(
    options: &Options,
    stage: &Stage,
    pid: u32,
    crowd: &Crowd,
    note: &impl Fn(String),
) -> anyhow::Result<(Vec<Look>, Seen)> {
    let begin = Instant::now();
    let whole = Duration::from_secs_f64(options.minutes * 60.0);
    let (mut looks, mut last, mut told, mut renewed) = (Vec::<Look>::new(), Seen::default(), 0, begin);
    stage.renew()?;
    loop {
        let until = Instant::now() + LOOK;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            match crowd.told.recv_timeout(left) {
                Ok(seen) => last = seen,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the callers have gone"),
            }
        }
        if renewed.elapsed() > Duration::from_secs(40) {
            stage.renew()?;
            renewed = Instant::now();
        }
        let elapsed = begin.elapsed();
        if elapsed >= whole {
            break;
        }
        let look = watch::look(pid, elapsed.as_secs_f64());
        anyhow::ensure!(look.rss > 0.0, "the daemon has gone");
        looks.push(look);
        let minute = elapsed.as_secs() / 60;
        if minute > told {
            told = minute;
            let rate = last.calls as f64 / elapsed.as_secs_f64();
            let share = look.cpu - looks[0].cpu;
            note(format!(
                "{minute:>3} min: {} calls ({rate:.0}/s, {:.2} ms of processor time each), {} wrong, {} resting connections lost; {}",
                last.calls,
                share * 1e3 / last.calls.max(1) as f64,
                last.wrong,
                last.idle_lost,
                line(&look)
            ));
        }
    }
    Ok((looks, last))
}

/// What must hold once nobody asks any more.
fn after(
    options: &Options,
    stage: &Stage,
    pid: u32,
    (crowd, mut last): (&mut Crowd, Seen),
    provider: SocketAddr,
    verdicts: &mut Verdicts,
) -> anyhow::Result<()> {
    // The last calls end.
    let calls_end = Instant::now() + Duration::from_secs(90);
    while Instant::now() < calls_end {
        match crowd.told.recv_timeout(Duration::from_secs(15)) {
            Ok(seen) => last = seen,
            Err(_) => break,
        }
    }
    let idle = options.idle;
    let mut open = 0;
    let closed = settles(Duration::from_secs(30), || {
        open = watch::connections(stage.llm);
        Ok(open <= idle)
    })?;
    let found = format!("{open} open, {idle} of them rest, after {closed:.0} s");
    verdicts.add("no connection of a caller is stuck", open == idle, found);
    crowd.cue()?;
    stage.renew()?;
    let asked = crowd.hear(Duration::from_secs(120))?;
    let answers = asked.idle_answers - last.idle_answers;
    let found = format!("{answers} of {idle}; {} were lost under way", asked.idle_lost);
    verdicts.add("each connection that rests still answers", answers == idle as u64 && asked.idle_lost == 0, found);
    let found = format!("{} of {} answers; {:?}", asked.wrong, asked.calls, asked.wrongs.first());
    verdicts.add("every answer is as it should be", asked.wrong == 0, found);

    let mut account = provider::account(provider)?;
    let mut records = Default::default();
    settles(Duration::from_secs(30), || {
        account = provider::account(provider)?;
        records = verdict::records(&stage.cli(&["usage", "--json", "--limit", "1000"], "")?)?;
        let mut compared = Verdicts::default();
        compared.records(&account, &records, &asked);
        Ok(compared.hold())
    })?;
    verdicts.add("every call can be read", account.strange.is_empty(), format!("{:?}", account.strange.first()));
    verdicts.records(&account, &records, &asked);

    let mut upstream = 0;
    let closed = settles(SETTLE, || {
        upstream = provider::account(provider)?.open;
        Ok(upstream == 0)
    })?;
    let look = watch::look(pid, 0.0);
    let found = format!("{upstream} after {closed:.0} s");
    verdicts.add("no connection to the provider is left", upstream == 0, found);
    let files = look.files.saturating_sub(idle);
    verdicts.add("no file is left open", files <= 60, format!("{files} beside the connections that rest, at most 60"));
    Ok(())
}

/// Ends the daemon; what it leaves says whether something was stuck.
fn end(
    stage: &mut Stage,
    pid: u32,
    folder: &Path,
    needles: &AhoCorasick,
    verdicts: &mut Verdicts,
) -> anyhow::Result<()> {
    let ending = Instant::now();
    stage.stop();
    let took = ending.elapsed().as_secs_f64();
    let gone = !Path::new(&format!("/proc/{pid}")).exists();
    let log = fs::read(folder.join("tenant.log"))?;
    let said = |text: &str| memchr::memmem::find(&log, text.as_bytes()).is_some();
    let tasks = String::from_utf8_lossy(&log)
        .lines()
        .rev()
        .find_map(|line| line.split_once("tasks=")?.1.split_ascii_whitespace().next()?.parse::<usize>().ok());
    let cut = said("were cut because the daemon stops") || said("did not end in time");
    verdicts.add("the daemon ends by itself, nothing is cut", gone && !cut && took < 10.0, format!("{took:.1} s"));
    // The pool of connections has one that looks after it.
    let left = tasks.is_some_and(|tasks| tasks <= 2);
    verdicts.add("no task of the gateway is left", left, format!("{tasks:?}, at most 2"));
    let found = needles.find_iter(&log).count();
    verdicts.add("no secret is in the log", found == 0, format!("{found} in {} KiB", log.len() / 1024));
    let panics = said("panicked");
    verdicts.add("nothing panics", !panics, String::new());
    Ok(())
}

/// Seconds until `done`, at most `patience`.
fn settles(patience: Duration, mut done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<f64> {
    let begin = Instant::now();
    while !done()? && begin.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(begin.elapsed().as_secs_f64())
}

fn calls(account: &provider::Account) -> u64 {
    account.models.values().map(|called| called.calls).sum()
}

fn line(look: &Look) -> String {
    format!("RSS {:.1} MiB, heap {:.1} MiB, {} files, {} threads", look.rss, look.heap, look.files, look.threads)
}

fn report(
    options: &Options,
    verdicts: &Verdicts,
    looks: &[Look],
    before: &Look,
    rested: &Look,
) -> anyhow::Result<ExitCode> {
    if options.json {
        let all = json!({
            "minutes": options.minutes, "seed": options.seed, "idle": options.idle, "at_start": before, "resting": rested,
            "looks": looks, "verdicts": verdicts.0, "holds": verdicts.hold(),
        });
        println!("{all}");
    } else {
        for verdict in &verdicts.0 {
            let holds = if verdict.holds { "holds " } else { "BROKEN" };
            println!("{holds} {}: {}", verdict.what, verdict.found);
        }
    }
    if !verdicts.hold() {
        eprintln!("not everything holds");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The callers need a file for each connection.
fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Opening the connections will tell.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
