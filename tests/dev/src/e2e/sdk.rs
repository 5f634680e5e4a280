//! Official clients of the vendors against the gateway. Their versions are pinned, with hashes, beside their scripts; they
//! are installed once into the target folder.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context as _;

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
    run.env("WARDKEEP_SDK_PYTHON", python(&target)?).env("WARDKEEP_SDK_NODE", node(&target)?).args(words);
    Ok(if cargo::status(&mut run)?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn python(target: &Path) -> anyhow::Result<PathBuf> {
    let pins = Path::new(SCRIPTS).join("python/requirements.txt");
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
    let pins = ["package.json", "package-lock.json"].map(|name| scripts.join(name));
    let folder = once(target, "node", &[&pins[0], &pins[1]], |folder| {
        for pin in &pins {
            std::fs::copy(pin, folder.join(pin.file_name().context("a file")?))?;
        }
        // The scripts run on the Node among the packages, whatever npm itself runs on.
        let words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        must(Command::new("npm").args(words).current_dir(folder))
    })?;
    // Modules are looked for beside a script.
    for script in std::fs::read_dir(&scripts)? {
        let script = script?.path();
        if script.extension().is_some_and(|kind| kind == "mjs") {
            std::fs::copy(&script, folder.join(script.file_name().context("a file")?))?;
        }
    }
    Ok(folder)
}

/// A folder made by `make` for these pins, whole or not at all.
fn once(
    target: &Path,
    name: &str,
    pins: &[&Path],
    make: impl Fn(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let mut sum = 0u64;
    for pin in pins {
        let text = std::fs::read(pin).with_context(|| format!("cannot read {}", pin.display()))?;
        sum = text.iter().fold(sum, |sum, byte| sum.wrapping_mul(1_099_511_628_211) ^ u64::from(*byte));
    }
    let folder = target.join(format!("{name}-{sum:016x}"));
    let whole = folder.join("whole");
    if !whole.exists() {
        // What is printed is the matrix, perhaps for a program.
        eprintln!("Installing the {name} clients once, into {}; this takes a minute", folder.display());
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        make(&folder)
            .with_context(|| format!("the {name} clients were not installed; they come from a network once"))?;
        std::fs::write(&whole, "")?;
    }
    Ok(folder)
}

fn must(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_owned();
    anyhow::ensure!(cargo::status(command.stdout(Stdio::null()))?.success(), "{} failed", program.display());
    Ok(())
}
