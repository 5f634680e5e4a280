//! Official MCP clients against the daemon. Their versions are pinned, with hashes, beside their scripts.

use std::path::Path;
use std::process::{Command, ExitCode};

use super::{npm, sdk};
use crate::{cargo, packages};

/// Where scripts and pins are, from the root of the repository.
const SCRIPTS: &str = "tests/e2e/mcp";

/// Installs what is missing, builds, plays every case with every client.
pub(crate) fn play(words: &[&str]) -> anyhow::Result<ExitCode> {
    packages::ensure(&[("python3", "python3"), ("npm", "npm")])?;
    cargo::build_programs()?;
    let program = super::built("mcp")?;
    let target = cargo::target_dir()?.join("mcp");
    let scripts = Path::new(SCRIPTS);
    let node = npm::packages(&target, "node", &scripts.join("node"))?;
    // Modules are looked for beside a script.
    std::fs::copy(scripts.join("node/client.mjs"), node.join("client.mjs"))?;
    let mut run = Command::new(program);
    run.env("WARDKEEP_MCP_PYTHON", sdk::python(&target, scripts)?).env("WARDKEEP_MCP_NODE", node).args(words);
    Ok(if cargo::status(&mut run)?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
