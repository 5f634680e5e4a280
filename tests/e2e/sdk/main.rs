//! Official clients, unmodified, against the gateway of the real daemon: a matrix of clients and cases.
//!
//! `./dev e2e sdk` installs the clients and runs this. A script in the client's own language ([`speaker`]) does what it is
//! asked for and tells what its client made of the answer; what is right is judged here, from what the client saw, what
//! reached the simulated provider, and what the daemon counted.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod cases;
mod columns;
mod site;
mod speaker;
mod table;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

use columns::{Api, COLUMNS, Column};
use speaker::{Places, Speaker};
use table::{Cell, Table};
use world::World;

/// Official clients against the gateway, case by case.
#[derive(Parser)]
#[command(name = "./dev e2e sdk")]
struct Arguments {
    /// Print the result as one JSON document.
    #[arg(long)]
    json: bool,
    /// Only cases whose name holds this.
    #[arg(long)]
    case: Option<String>,
    /// Keep the logs of hub and daemon in this empty folder.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Only clients whose name holds one of these words.
    clients: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("e2e sdk: {error:#}");
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
    let wanted = |column: &&Column| {
        let words = &arguments.clients;
        words.is_empty() || words.iter().any(|word| column.name.contains(word.as_str()))
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(wanted).collect();
    anyhow::ensure!(!columns.is_empty(), "no such client; there are {}", columns::names());
    let (mut models, mut tools) = (Table::of("gateway"), Table::of("forward proxy"));
    for column in columns {
        let mut speaker = Speaker::start(&places, column, &world).with_context(|| format!("start {}", column.name))?;
        for case in cases::of(column).filter(|case| arguments.case.as_ref().is_none_or(|part| case.contains(part))) {
            let cell = Cell::of(cases::play(case, column, &world, &mut speaker).await);
            if !arguments.json {
                println!("{:<24} {:<28} {}", column.name, case, cell);
            }
            let table = if column.api == Api::Web { &mut tools } else { &mut models };
            table.add(column.name, case, cell);
            speaker.alive_or_again(column, &world)?;
        }
        speaker.end().await;
    }
    world.strike().await?;
    if arguments.json {
        println!("{}", table::json(&[&models, &tools]));
    } else {
        println!("{models}{tools}\nrefused: not served, as it should be, and told in the client's own words");
    }
    Ok(models.failed() + tools.failed() == 0)
}
