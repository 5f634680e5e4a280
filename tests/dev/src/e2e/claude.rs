//! Claude Code as its makers publish it, under the hook command and the daemon of this tree.

use std::path::Path;
use std::process::{Command, ExitCode};

use super::npm;
use crate::{cargo, packages};

/// Where pins and scripts are, from the root of the repository.
const SCRIPTS: &str = "tests/e2e/claude";

/// Installs what is missing, builds, plays the scenes.
pub(crate) fn play(words: &[&str]) -> anyhow::Result<ExitCode> {
    packages::ensure(&[("npm", "npm"), ("unshare", "util-linux")])?;
    cargo::build_programs()?;
    let scenes = super::built("claude")?;
    let folder = npm::packages(&cargo::target_dir()?.join("claude"), "claude", Path::new(SCRIPTS))?;
    let mut run = Command::new(scenes);
    run.env("WARDKEEP_CLAUDE", folder).args(words);
    Ok(if cargo::status(&mut run)?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
