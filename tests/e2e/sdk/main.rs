//! Official clients, unmodified, against the gateway of the real daemon: a matrix of clients and cases.
//!
//! `./dev e2e sdk` installs the clients and runs this. A script in the client's own language ([`speaker`]) does what it is
//! asked for and tells what its client made of the answer; what is right is judged here, from what the client saw, what
//! reached the simulated provider, and what the daemon counted.

mod cases;
mod columns;
mod site;
mod speaker;
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use wardkeep_tests::matrix::{Arguments, Cell, Table, play};

use columns::{Api, COLUMNS, Column};
use speaker::{Places, Speaker};
use world::World;

/// What is told at the end.
const NOTE: &str = "\nrefused: not served, as it should be, and told in the client's own words";

#[tokio::main]
async fn main() -> ExitCode {
    play("sdk", NOTE, run).await
}

async fn run(arguments: &Arguments, folder: &Path) -> anyhow::Result<Vec<Table>> {
    let places = Places::from_environment()?;
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| arguments.names(column.name)).collect();
    anyhow::ensure!(!columns.is_empty(), "no such client; there are {}", columns::names());
    let world = World::set(folder).await.context("set the stage")?;
    let mut models = Table::of("Through the gateway", cases::place);
    let mut tools = Table::of("Through the forward proxy", cases::place);
    for column in columns {
        let mut speaker = Speaker::start(&places, column, &world).with_context(|| format!("start {}", column.name))?;
        for case in cases::of(column).filter(|case| arguments.case(case)) {
            let begin = Instant::now();
            let cell = Cell::of(cases::play(case, column, &world, &mut speaker).await);
            let table = if column.api == Api::Web { &mut tools } else { &mut models };
            arguments.tell(table, column.name, case, begin, cell);
            speaker.alive_or_again(column, &world)?;
        }
        speaker.end().await;
    }
    world.strike().await?;
    Ok(vec![models, tools])
}
