//! The installation, played on a real systemd: Debian in a container.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use crate::{cargo, packages};

/// What the tree has beyond Debian's minimum: what a server of a customer has, too. Changing it makes a new tree.
const INCLUDE: &str = "systemd,systemd-sysv,dbus,ca-certificates,curl,nftables";
const SUITE: &str = "bookworm";

/// Builds, makes the tree once, runs the tests as root.
pub(crate) fn play(words: &[&str]) -> anyhow::Result<ExitCode> {
    packages::ensure(&[
        ("debootstrap", "debootstrap"),
        ("systemd-nspawn", "systemd-container"),
        ("nsenter", "util-linux"),
    ])?;
    cargo::build_programs()?;
    let test = build_test()?;
    let tree = tree()?;
    let mut run = packages::as_root("env");
    // One container at a time: they share the host's network.
    run.arg(format!("WARDKEEP_E2E_TREE={}", tree.display())).arg(test).arg("--test-threads=1").args(words);
    let status = cargo::status(&mut run)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Built as this user, so that nothing in `target` belongs to root.
fn build_test() -> anyhow::Result<PathBuf> {
    let words = ["test", "--workspace", "--test", "e2e", "--no-run", "--message-format=json-render-diagnostics"];
    let output = cargo::command(&words).stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(output.status.success(), "the end-to-end test does not build");
    let messages =
        output.stdout.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut built = messages.filter(|message| message["target"]["name"] == "e2e");
    let program = built.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    program.context("cargo names no program of the end-to-end test")
}

fn tree() -> anyhow::Result<PathBuf> {
    let folder = packages::cache("e2e")?;
    let tree =
        folder.join(format!("{SUITE}-{:x}", INCLUDE.bytes().fold(0u32, |sum, b| sum.wrapping_mul(31) ^ u32::from(b))));
    if tree.exists() {
        return Ok(tree);
    }
    println!("Making a Debian tree once, in {}; this takes a minute", tree.display());
    std::fs::create_dir_all(&folder)?;
    let unfinished = tree.with_extension("unfinished");
    must(packages::as_root("rm").arg("-rf").arg(&unfinished))?;
    let include = format!("--include={INCLUDE}");
    must(packages::as_root("debootstrap").args(["--variant=minbase", &include, SUITE]).arg(&unfinished))?;
    finish(&unfinished, &tree)?;
    Ok(tree)
}

/// Renamed last: a tree with this name is whole.
fn finish(unfinished: &Path, tree: &Path) -> anyhow::Result<()> {
    must(packages::as_root("mv").arg(unfinished).arg(tree))
}

fn must(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_owned();
    anyhow::ensure!(cargo::status(command)?.success(), "{} failed", program.display());
    Ok(())
}
