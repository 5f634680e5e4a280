//! The peers: other programs that redact the same texts, run on the same core in the same run.
//!
//! They live in `tests/benches/peers`, outside the workspace, and are fetched and built on first use; without a network the
//! benchmark says so and goes on.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use crate::inputs::Input;
use crate::measure::{Speed, Times};

const KINGFISHER: &str = "kingfisher-secret-scanner==1.5.0";

/// A peer that runs.
struct Peer {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
}

/// What a peer did with one input.
pub(crate) struct Result {
    pub(crate) peer: &'static str,
    pub(crate) speed: Speed,
    /// Placeholders it wrote.
    pub(crate) hits: u64,
}

/// What was measured of the peers: a list for each input, in their order, and what is missing.
#[derive(Default)]
pub(crate) struct Peers {
    pub(crate) results: Vec<Vec<Result>>,
    pub(crate) missing: Vec<String>,
}

/// Builds the peers and lets them redact `inputs`.
pub(crate) fn measure(inputs: &[Input], rounds: usize) -> anyhow::Result<Peers> {
    let target = std::env::current_exe()?;
    // target/release/deps/redaction-…
    let target = target.ancestors().nth(3).context("a target folder")?.join("bench-peers");
    let folders = write(inputs, &target.join("inputs"))?;
    let mut all = Peers { results: inputs.iter().map(|_| Vec::new()).collect(), missing: Vec::new() };
    for (name, peer) in [("cerberust", cerberust(&target)), ("Kingfisher SDK", kingfisher(&target))] {
        match peer.and_then(|peer| run(&peer, &folders, rounds)) {
            Ok(results) => {
                for (place, (times, hits)) in results.into_iter().enumerate() {
                    all.results[place].push(Result { peer: name, speed: times.speed(inputs[place].bytes()), hits });
                }
            }
            Err(e) => all.missing.push(format!("{name}: {e:#}")),
        }
    }
    Ok(all)
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// The runtime redactor in Rust.
fn cerberust(target: &Path) -> anyhow::Result<Peer> {
    let manifest = sources().join("Cargo.toml");
    must(
        Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--release",
                "--locked",
                "--features",
                "redaction",
                "--bin",
                "wardkeep-bench-peers",
            ])
            .arg("--manifest-path")
            .arg(manifest)
            .arg("--target-dir")
            .arg(target),
    )?;
    Ok(Peer { name: "cerberust", program: target.join("release/wardkeep-bench-peers"), arguments: Vec::new() })
}

/// The scanner in Rust and C++ behind a Python binding.
fn kingfisher(target: &Path) -> anyhow::Result<Peer> {
    let venv = target.join("venv");
    let python = venv.join("bin/python");
    if !venv.join("ready").exists() {
        must(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        must(Command::new(&python).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            KINGFISHER,
        ]))?;
        std::fs::write(venv.join("ready"), KINGFISHER)?;
    }
    Ok(Peer { name: "Kingfisher SDK", program: python, arguments: vec![sources().join("kingfisher.py")] })
}

/// Each input becomes a folder with a file for each text.
fn write(inputs: &[Input], root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for (number, input) in inputs.iter().enumerate() {
        let folder = root.join(number.to_string());
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        for (n, text) in input.texts.iter().enumerate() {
            std::fs::write(folder.join(format!("{n:05}")), text)?;
        }
        folders.push(folder);
    }
    Ok(folders)
}

fn run(peer: &Peer, folders: &[PathBuf], rounds: usize) -> anyhow::Result<Vec<(Times, u64)>> {
    let mut command = Command::new(&peer.program);
    command.args(&peer.arguments).arg(rounds.to_string()).args(folders);
    let output = command.output().with_context(|| format!("starting {}", peer.name))?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    let results: Vec<(Times, u64)> = lines.map(result).collect::<anyhow::Result<_>>()?;
    anyhow::ensure!(results.len() == folders.len(), "{} results for {} inputs", results.len(), folders.len());
    Ok(results)
}

/// `{"seconds": [..], "hits": n}`
fn result(line: &[u8]) -> anyhow::Result<(Times, u64)> {
    let line: Value = serde_json::from_slice(line)?;
    let seconds: Vec<f64> = line["seconds"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    anyhow::ensure!(!seconds.is_empty(), "no times");
    Ok((Times::new(seconds), line["hits"].as_u64().context("hits")?))
}

fn must(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{}", said.lines().last().unwrap_or("it failed"));
    Ok(())
}
