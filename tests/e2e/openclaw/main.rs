//! An unmodified OpenClaw under plugin, gate and gateway: a matrix of one column, scene by scene.
//!
//! `./dev e2e openclaw` installs the pinned release and runs this. The model is the simulator, which says what a scene has
//! written for it; what is right is judged from what the model was told, what the daemon recorded, and what lies on disk.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

mod claw;
mod model;
mod scenes;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;

use world::World;

/// A real OpenClaw, scene by scene.
#[derive(Parser)]
#[command(name = "./dev e2e openclaw")]
struct Arguments {
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Keep all logs in this empty folder.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Only scenes whose name holds one of these words.
    scenes: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("e2e openclaw: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let temporary = tempfile::tempdir()?;
    let folder = arguments.folder.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    std::fs::create_dir_all(&folder)?;
    let mut world = World::set(&folder).await.context("set the stage")?;
    let mut rows = Vec::new();
    for (name, what, scene) in scenes::SCENES {
        if !arguments.scenes.is_empty() && !arguments.scenes.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let begin = Instant::now();
        let outcome = match world.ready().await {
            Ok(()) => scene(&mut world).await,
            Err(error) => Err(error.context("bring the stage back to its beginning")),
        };
        let seconds = begin.elapsed().as_secs_f32();
        let why = outcome.err().map(|error| format!("{error:#}"));
        if !arguments.json {
            println!("{:<6} {seconds:>5.1} s  {name:<28} {what}", if why.is_none() { "ok" } else { "FAILED" });
            if let Some(why) = &why {
                println!("       {why}");
            }
        }
        rows.push(serde_json::json!({"scene": name, "shows": what, "failed": why, "seconds": seconds}));
    }
    let failed = rows.iter().filter(|row| !row["failed"].is_null()).count();
    world.strike().await;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        println!("{} scenes on OpenClaw {}: {failed} failed", rows.len(), world::OPENCLAW);
    }
    anyhow::ensure!(!rows.is_empty(), "no such scene");
    Ok(failed == 0)
}
