//! Containers on a real Docker engine: hub, daemon, helper and `dockerd` as processes, the agent's side spoken by hand.
//!
//! `./dev e2e containers` installs the engine, builds, and starts this as root in a mount namespace of its own, in which `/run`
//! and `/var/lib` are empty: the helper has its real paths there, and the machine's own engine is out of reach.

mod cases;
mod engine;
mod world;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use wardkeep_tests::matrix::{Arguments, Cell, Table, play};

use world::World;

#[tokio::main]
async fn main() -> ExitCode {
    play("containers", "", run).await
}

async fn run(arguments: &Arguments, folder: &Path) -> anyhow::Result<Vec<Table>> {
    hide_the_machine()?;
    let mut world = World::set(folder).await.context("set the stage")?;
    let mut table = Table::of("Containers on a real engine", |_| 0);
    for (name, case) in cases::ALL.iter().filter(|(name, _)| arguments.names(name) && arguments.case(name)) {
        let begin = Instant::now();
        let outcome = match world.ready().await {
            Ok(()) => case(&mut world).await,
            Err(error) => Err(error.context("bring the stage back to its beginning")),
        };
        let outcome = match outcome {
            Ok(()) => world.nothing_is_left().await,
            failed => failed,
        };
        arguments.tell(&mut table, "docker", name, begin, Cell::of(outcome.map(|()| Cell::Good)));
    }
    world.strike().await?;
    Ok(vec![table])
}

/// Empty folders where the helper and the engine keep theirs.
fn hide_the_machine() -> anyhow::Result<()> {
    let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/mnt"));
    // `unshare` becomes this program; who started it is outside.
    let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    ensure!(namespace("self")? != namespace(&parent.to_string())?, "run this through ./dev e2e containers");
    for place in ["/run", "/var/lib"] {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "mode=755", "tmpfs", place]).status()?;
        ensure!(mounted.success(), "{place} cannot be covered");
    }
    for place in ["/run/wardkeep-helper", "/var/lib/wardkeep-helper"] {
        std::fs::create_dir(place)?;
    }
    Ok(())
}
