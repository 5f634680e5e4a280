//! Cargo, always asked for the whole workspace: with one set of features nothing is built twice.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use anyhow::Context as _;
use serde_json::Value;

/// Runs cargo with these words and answers its status.
pub(crate) fn run(words: &[&str]) -> anyhow::Result<ExitCode> {
    let status = status(&mut command(words))?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// Runs cargo with these words; anything but success is an error.
pub(crate) fn must(words: &[&str]) -> anyhow::Result<()> {
    anyhow::ensure!(status(&mut command(words))?.success(), "cargo {} failed", words.join(" "));
    Ok(())
}

/// Cargo with these words.
pub(crate) fn command(words: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(words);
    command
}

pub(crate) fn status(command: &mut Command) -> anyhow::Result<ExitStatus> {
    let program = command.get_program().to_owned();
    command.status().with_context(|| format!("cannot start {}", program.display()))
}

/// Builds every program of the product and of the demo.
pub(crate) fn build_programs() -> anyhow::Result<()> {
    fetch(&["--target", &host()?])?;
    must(&["build", "--workspace", "--bins"])
}

/// Downloads what the lock file names, so that everything after it works without a network. Without words that is
/// also what only other systems need, which tools that look at the whole graph ask for.
pub(crate) fn fetch(words: &[&str]) -> anyhow::Result<()> {
    let offline = [&["fetch", "--offline"], words].concat();
    if command(&offline).stderr(Stdio::null()).status()?.success() {
        return Ok(());
    }
    must(&[&["fetch"], words].concat())
}

fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc names no host")
}

/// `cargo metadata` of the workspace, without what it depends on.
pub(crate) fn metadata() -> anyhow::Result<Value> {
    let output = command(&["metadata", "--no-deps", "--format-version", "1", "--offline"]).output()?;
    anyhow::ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("cargo metadata is no JSON")
}

/// Every target of every package.
pub(crate) fn targets(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten().flat_map(|p| p["targets"].as_array().into_iter().flatten())
}

/// Where cargo builds.
pub(crate) fn target_dir() -> anyhow::Result<PathBuf> {
    metadata()?["target_directory"].as_str().map(PathBuf::from).context("cargo names no target directory")
}

/// Replaces this process; comes back only with an error.
pub(crate) fn replace_by(program: &Path, words: &[&str]) -> anyhow::Error {
    let error = Command::new(program).args(words).exec();
    anyhow::Error::new(error).context(format!("cannot start {}", program.display()))
}
