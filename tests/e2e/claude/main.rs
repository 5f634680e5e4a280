//! An unmodified Claude Code under hook command, gate and gateway: a matrix of one column, scene by scene.
//!
//! `./dev e2e claude` installs the pinned release and runs this. The model is the simulator, which says what a scene has written for
//! it; what is right is judged from what the model was told, what the daemon recorded, and what lies on disk. The managed settings are
//! those that `wardkeep-agent claude-code configure` writes; each session sees them in a mount namespace of its own, so that nothing
//! of this machine is changed.

mod program;
mod scenes;
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use wardkeep_tests::matrix::{Arguments, Cell, Table, play};

use world::World;

#[tokio::main]
async fn main() -> ExitCode {
    play("claude", "", run).await
}

async fn run(arguments: &Arguments, folder: &Path) -> anyhow::Result<Vec<Table>> {
    let mut world = World::set(folder).await.context("set the stage")?;
    let mut table = Table::of("Scenes on a real Claude Code", |_| 0);
    for (name, shows, scene) in scenes::SCENES.iter().filter(|(name, ..)| arguments.names(name) && arguments.case(name))
    {
        let begin = Instant::now();
        let outcome = match world.ready().await {
            Ok(()) => scene(&mut world).await.with_context(|| format!("it does not show that {shows}")),
            Err(error) => Err(error.context("bring the stage back to its beginning")),
        };
        arguments.tell(&mut table, world::CLAUDE_CODE, name, begin, Cell::of(outcome.map(|()| Cell::Good)));
    }
    world.strike().await;
    Ok(vec![table])
}
