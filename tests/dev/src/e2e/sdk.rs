//! Official clients of the vendors against the gateway. Their versions are pinned, with hashes, beside their scripts; they
//! are installed once into the target folder.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use super::npm::{self, must, once};
use crate::{cargo, packages};

/// Where scripts and pins are, from the root of the repository.
const SCRIPTS: &str = "tests/e2e/sdk";

/// Installs what is missing, builds, runs the matrix.
pub(crate) fn play(words: &[&str]) -> anyhow::Result<ExitCode> {
    packages::ensure(&[("python3", "python3"), ("npm", "npm"), ("curl", "curl")])?;
    cargo::build_programs()?;
    let matrix = super::built("sdk")?;
    let target = cargo::target_dir()?.join("sdk");
    let mut run = Command::new(matrix);
    run.env("WARDKEEP_SDK_PYTHON", python(&target, Path::new(SCRIPTS))?)
        .env("WARDKEEP_SDK_NODE", node(&target)?)
        .args(words);
    Ok(if cargo::status(&mut run)?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The clients for Python, at the versions pinned in `scripts`.
pub(super) fn python(target: &Path, scripts: &Path) -> anyhow::Result<PathBuf> {
    let pins = scripts.join("python/requirements.txt");
    once(target, "python", &[&pins], |folder| {
        if !Command::new("python3").args(["-c", "import ensurepip, venv"]).status()?.success() {
            packages::install(&["python3-venv"])?;
        }
        must(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "--requirement"]);
        must(pip.arg(&pins))
    })
}

fn node(target: &Path) -> anyhow::Result<PathBuf> {
    let scripts = Path::new(SCRIPTS).join("node");
    let folder = npm::packages(target, "node", &scripts)?;
    // Modules are looked for beside a script.
    for script in std::fs::read_dir(&scripts)? {
        let script = script?.path();
        if script.extension().is_some_and(|kind| kind == "mjs") {
            std::fs::copy(&script, folder.join(script.file_name().context("a file")?))?;
        }
    }
    Ok(folder)
}
