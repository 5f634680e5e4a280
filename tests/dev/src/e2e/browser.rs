//! Passkeys in a real Chromium, with an authenticator that is virtual.

use std::process::{Command, ExitCode};

use crate::{cargo, packages};

/// Builds and plays; pictures go to the folder that is named.
pub(crate) fn play(words: &[&str]) -> anyhow::Result<ExitCode> {
    packages::ensure(&[("chromium", "chromium")])?;
    cargo::build_programs()?;
    let mut run = Command::new(super::built("browser")?);
    Ok(if cargo::status(run.args(words))?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
