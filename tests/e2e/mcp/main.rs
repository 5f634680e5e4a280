//! Official MCP clients, unmodified, against the MCP server of the real daemon: over standard input and over HTTP, in the protocol's
//! version of today and in those with a handshake.
//!
//! `./dev e2e mcp` installs the clients and runs this. A script in the client's own language does what it is asked for and tells
//! what its client saw; what is right is judged here, from that, from what reached the simulated service, and from the hub.

mod cases;
mod speaker;
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use wardkeep_tests::matrix::{Arguments, Cell, Table, play};

use speaker::{COLUMNS, Places};
use world::World;

#[tokio::main]
async fn main() -> ExitCode {
    play("mcp", "", run).await
}

async fn run(arguments: &Arguments, folder: &Path) -> anyhow::Result<Vec<Table>> {
    let places = Places::from_environment()?;
    let world = World::set(folder).await.context("set the stage")?;
    let mut table = Table::of("Against the MCP server", |_| 0);
    for column in COLUMNS.iter().filter(|column| arguments.names(column.name)) {
        for (name, case) in cases::ALL.iter().filter(|(name, _)| arguments.case(name)) {
            let begin = Instant::now();
            let cell = Cell::of(case(&world, &places, column).await.map(|()| Cell::Good));
            arguments.tell(&mut table, column.name, name, begin, cell);
        }
    }
    world.strike().await?;
    Ok(vec![table])
}
