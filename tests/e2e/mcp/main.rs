//! Official MCP clients, unmodified, against the MCP server of the real daemon: over standard input and over HTTP, in the protocol's
//! version of today and in those with a handshake.
//!
//! `./dev e2e mcp` installs the clients and runs this. A script in the client's own language does what it is asked for and tells
//! what its client saw; what is right is judged here, from that, from what reached the simulated service, and from the hub.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod cases;
mod speaker;
mod world;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

use speaker::{COLUMNS, Places};
use world::World;

/// Official MCP clients against the daemon, case by case.
#[derive(Parser)]
#[command(name = "./dev e2e mcp")]
struct Arguments {
    /// Only cases whose name holds this.
    #[arg(long)]
    case: Option<String>,
    /// Keep the logs of hub and daemon in this empty folder.
    #[arg(long)]
    folder: Option<std::path::PathBuf>,
    /// Only clients whose name holds one of these words.
    clients: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("e2e mcp: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let places = Places::from_environment()?;
    let temporary = tempfile::tempdir()?;
    let folder = arguments.folder.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    std::fs::create_dir_all(&folder)?;
    let world = World::set(&folder).await.context("set the stage")?;
    let words = &arguments.clients;
    let (mut played, mut failed) = (0, 0);
    for column in COLUMNS.iter().filter(|c| words.is_empty() || words.iter().any(|word| c.name.contains(word.as_str())))
    {
        for (name, case) in
            cases::ALL.iter().filter(|(name, _)| arguments.case.as_ref().is_none_or(|part| name.contains(part)))
        {
            let outcome = case(&world, &places, column).await;
            played += 1;
            failed += usize::from(outcome.is_err());
            let said = outcome.map_or_else(|error| format!("FAILED: {error:#}"), |()| "ok".to_owned());
            println!("{:<26} {:<34} {said}", column.name, name);
        }
    }
    println!("{played} played, {failed} failed");
    world.strike().await?;
    anyhow::ensure!(played > 0, "no such client or case");
    Ok(failed == 0)
}
