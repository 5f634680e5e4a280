//! `wardkeep-hub`: the composition root. Reads arguments and environment, builds what comes from outside, hands over.

mod cli;
mod crash;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use tokio_util::sync::CancellationToken;
use wardkeep_hub::app::{SharedChance, SharedClock};
use wardkeep_hub::install::Installer;
use wardkeep_hub::seal::Sealer;
use wardkeep_hub::serve::Outside;
use wardkeep_proto::chance::SystemChance;
use wardkeep_proto::time::SystemClock;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    // Everything the hub writes is for its own user, also in a folder that others may enter.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let filter = tracing_subscriber::EnvFilter::try_from_env("WARDKEEP_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A terminal gets colours unless NO_COLOR says otherwise; a journal or a file never does.
    let log = if std::io::stderr().is_terminal() { log } else { log.with_ansi(false) };
    log.init();
    let serves = arguments.serves();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            if serves {
                tracing::error!("{error:#}");
            } else {
                // Who typed a command reads an answer, not a log. Nobody is left to tell when this fails.
                drop(writeln!(std::io::stderr(), "wardkeep-hub: {error:#}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: cli::Arguments) -> anyhow::Result<ExitCode> {
    // Another provider in the process would be a mistake of this file.
    drop(rustls::crypto::ring::default_provider().install_default());
    let clock: SharedClock = Arc::new(SystemClock);
    let chance: SharedChance = Arc::new(SystemChance::new());
    #[expect(clippy::disallowed_methods, reason = "only main reads the environment")]
    let credentials = std::env::var("CREDENTIALS_DIRECTORY").ok();
    let credential = credentials.map(|dir| std::path::PathBuf::from(dir).join("hub.key")).filter(|path| path.exists());
    let outside = Outside {
        clock,
        chance,
        waypoints: crash::waypoints()?,
        master_key: credential.unwrap_or_else(|| Sealer::file_in(&arguments.data_dir)),
        agent_binary: Installer::beside(&std::env::current_exe()?),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(stop.clone()));
        cli::run(arguments, outside, stop).await
    });
    // Whatever still runs had its deadline.
    runtime.shutdown_background();
    outcome
}

/// SIGTERM and SIGINT ask to stop; a second one ends the process at once.
async fn stop_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return tracing::error!("signals cannot be received; stop with SIGKILL");
    };
    for last in [false, true] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if last {
            std::process::exit(1);
        }
        stop.cancel();
    }
}
