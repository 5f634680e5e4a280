//! OpenClaw as its makers publish it, on the Node that it wants, under the plugin and the daemon of this tree.

use std::path::Path;
use std::process::{Command, ExitCode};

use super::npm;
use crate::{cargo, packages};

/// Where pins and scripts are, from the root of the repository.
const SCRIPTS: &str = "tests/e2e/openclaw";

/// Installs what is missing, builds, plays the scenes.
pub(crate) fn play(words: &[&str]) -> anyhow::Result<ExitCode> {
    packages::ensure(&[("npm", "npm")])?;
    cargo::build_programs()?;
    let scenes = super::built("openclaw")?;
    let folder = npm::packages(&cargo::target_dir()?.join("openclaw"), "openclaw", Path::new(SCRIPTS))?;
    let mut run = Command::new(scenes);
    run.env("WARDKEEP_OPENCLAW", folder).args(words);
    Ok(if cargo::status(&mut run)?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
