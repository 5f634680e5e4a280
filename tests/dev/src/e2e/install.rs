//! The installation, played on a real systemd: Debian in a container.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

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
    // Built as this user, so that nothing in `target` belongs to root.
    let test = super::built("e2e")?;
    let tree = tree()?;
    let mut run = packages::as_root("env");
    // One container at a time: they share the host's network.
    run.arg(format!("WARDKEEP_E2E_TREE={}", tree.display())).arg(test).arg("--test-threads=1").args(words);
    let status = cargo::status(&mut run)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
