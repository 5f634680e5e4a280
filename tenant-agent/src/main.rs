//! `wardkeep-agent`: reads the environment once, makes the real clock and generator, and runs one command.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use wardkeep_agent::channel::chain;
use wardkeep_agent::cli::context::{CliError, Context, Environment};
use wardkeep_agent::cli::{
    CONFIG_VARIABLE, Cli, Command, approvals, audit, claude_code, egress, grants, helper, hook, mcp, openclaw, passkey,
    pipes, policy, server, standing, status, usage, vault,
};
use wardkeep_agent::config::DEFAULT_FILE;
use wardkeep_agent::{files, memory, run_units};
use wardkeep_proto::chance::SystemChance;
use wardkeep_proto::secret::SecretValue;
use wardkeep_proto::time::SystemClock;
use wardkeep_proto::waypoint::Waypoints;
use wardkeep_safety::Standing;

fn main() -> ExitCode {
    let cli = command_line();
    memory::guard();
    if matches!(cli.command, Command::Run | Command::Vault(_)) {
        memory::lock();
    }
    if matches!(cli.command, Command::Run) {
        files::raise();
    }
    if matches!(cli.command, Command::Runner) {
        files::lower();
        return wardkeep_safety::runner::run_from_stdin(&run_units::HelperUnits::default());
    }
    match &cli.command {
        Command::Leaf { words } => return wardkeep_safety::runner::leaf(words),
        Command::Launcher => return wardkeep_safety::runner::launch_from_stdin(),
        Command::Probe => return wardkeep_safety::runner::probe_from_stdin(),
        _ => {}
    }
    // Runtimes of this kind take every code but 2 for a yes.
    let failed = if hook::is_claude_code(&cli.command) { ExitCode::from(2) } else { ExitCode::FAILURE };
    match start(cli) {
        Ok(code) => code,
        Err(error) => {
            // The pipe we print to may be gone; there is nobody left to tell then.
            let _ = writeln!(std::io::stderr(), "wardkeep-agent: {}", chain(error.as_ref()));
            failed
        }
    }
}

fn command_line() -> Cli {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    Cli::of_daemon(&words, std::env::var_os(CONFIG_VARIABLE)).unwrap_or_else(Cli::parse)
}

fn start(cli: Cli) -> anyhow::Result<ExitCode> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider is installed already"))?;
    let env = environment()?;
    let serving = matches!(cli.command, Command::Run);
    let telling = serving || matches!(cli.command, Command::Helper(_));
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .with_env_filter(filter(telling))
        .init();
    let mut runtime = if serving {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = runtime.enable_all().build().context("no asynchronous runtime could be started")?;
    let mut out = std::io::stdout().lock();
    let mut context = Context { env: &env, config_path: cli.config, out: &mut out };
    let code = match runtime.block_on(command(cli.command, &mut context)) {
        // Whoever read our output has seen enough.
        Err(CliError::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        code => code?,
    };
    context.out.flush()?;
    // Threads that still wait for the disk must not keep a stopped daemon alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    Ok(code)
}

async fn command(command: Command, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let done = |()| ExitCode::SUCCESS;
    match command {
        Command::Enrol(args) => server::enrol(args, context).await.map(done),
        Command::Run => {
            let stop = stop_on_signal()?;
            server::run(context, stop).await.map(done)
        }
        Command::Status(args) => status::status(&args, context).await,
        Command::Usage(args) => usage::run(&args, context).await,
        Command::Vault(args) => vault::run(args, context).await.map(done),
        Command::Approvals(args) => approvals::run(args, context).await.map(done),
        Command::Grants(args) => grants::run(args, context).await.map(done),
        Command::Passkey(args) => passkey::run(args, context).await.map(done),
        Command::Audit(args) => audit::run(&args, context).await,
        Command::Policy(args) => policy::run(&args, context),
        Command::Pause(args) => standing::halt(args, Standing::Paused, context).await.map(done),
        Command::Stop(args) => standing::halt(args, Standing::Stopped, context).await.map(done),
        Command::Resume(args) => standing::resume(args, context).await.map(done),
        Command::Exec(args) => hook::exec(args, context).await,
        Command::Hook(args) => hook::run(args, context).await,
        Command::Mcp(args) => mcp::run(&args, context).await,
        Command::Openclaw(command) => openclaw::run(command, context).await,
        Command::ClaudeCode(command) => claude_code::run(command, context).await,
        Command::Classify(args) => pipes::classify(&args, context).map(done),
        Command::Redact(args) => {
            let (input, report) = (&mut std::io::stdin().lock(), &mut std::io::stderr().lock());
            pipes::redact::redact(&args, pipes::redact::Pipes { input, out: context.out, report }).map(done)
        }
        Command::Egress(command) => egress::run(&command, context).await,
        Command::Helper(args) => {
            let stop = stop_on_signal()?;
            helper::run(&args, context, stop).await.map(done)
        }
        Command::Doctor { json } => status::doctor(json, context).await,
        Command::Config => context.say(DEFAULT_FILE.trim_end()).map(done),
        Command::Runner | Command::Launcher | Command::Probe | Command::Leaf { .. } => {
            unreachable!("handled before the runtime starts")
        }
    }
}

/// Daemon and helper tell what they do; a command only what goes wrong. `WARDKEEP_LOG` overrides both.
fn filter(telling: bool) -> EnvFilter {
    let default = if telling { "info" } else { "error" };
    EnvFilter::try_from_env("WARDKEEP_LOG").unwrap_or_else(|_| EnvFilter::new(default))
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn environment() -> anyhow::Result<Environment> {
    Ok(Environment {
        credentials_dir: std::env::var_os("CREDENTIALS_DIRECTORY").map(Into::into),
        agent_token: std::env::var("WARDKEEP_AGENT_TOKEN").ok().map(SecretValue::new),
        program: std::env::current_exe().context("this program's own file cannot be found")?,
        clock: Arc::new(SystemClock),
        chance: Arc::new(SystemChance::new()),
        waypoints: waypoints(std::env::var("WARDKEEP_KILL_AT").ok())?,
    })
}

#[cfg(debug_assertions)]
fn waypoints(kill_at: Option<String>) -> anyhow::Result<Arc<dyn Waypoints>> {
    match kill_at {
        Some(text) => Ok(Arc::new(wardkeep_agent::waypoints::KillAt::parse(&text)?)),
        None => Ok(Arc::new(wardkeep_proto::waypoint::NoWaypoints)),
    }
}

#[cfg(not(debug_assertions))]
fn waypoints(_: Option<String>) -> anyhow::Result<Arc<dyn Waypoints>> {
    Ok(Arc::new(wardkeep_proto::waypoint::NoWaypoints))
}

/// Cancelled by SIGTERM and SIGINT.
fn stop_on_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        cancel.cancel();
    });
    Ok(stop)
}
