//! Packages of Debian or Ubuntu, installed aloud.

use std::process::Command;

use anyhow::Context as _;

/// Makes sure that every program is there; `wanted` pairs a program with the package that has it.
pub(crate) fn ensure(wanted: &[(&str, &str)]) -> anyhow::Result<()> {
    let missing: Vec<&str> =
        wanted.iter().filter(|(program, _)| !there(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing)
}

/// Installs packages, whether they are there or not.
pub(crate) fn install(missing: &[&str]) -> anyhow::Result<()> {
    println!("Installing system packages: {}", missing.join(" "));
    let mut update = as_root("apt-get");
    anyhow::ensure!(update.args(["-q", "update"]).status()?.success(), "apt-get update failed");
    let mut install = as_root("apt-get");
    install.args(["-q", "-y", "-o", "DPkg::Lock::Timeout=300", "install", "--no-install-recommends"]).args(missing);
    anyhow::ensure!(install.status()?.success(), "could not install {}; install them by hand", missing.join(" "));
    Ok(())
}

/// Whether a program is on PATH or where only root looks.
pub(crate) fn there(program: &str) -> bool {
    let search = format!("PATH=\"$PATH:/usr/sbin:/sbin\" command -v {program}");
    Command::new("sh").args(["-c", &search]).output().is_ok_and(|output| output.status.success())
}

/// The program, through sudo when this user is not root.
pub(crate) fn as_root(program: &str) -> Command {
    if is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg("--").arg(program);
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// The folder for what takes minutes to make and is not a build: tools, trees of a system.
#[expect(clippy::disallowed_methods, reason = "this is `main`'s part: the environment says where caches are")]
pub(crate) fn cache(sub: &str) -> anyhow::Result<std::path::PathBuf> {
    let base = match std::env::var("XDG_CACHE_HOME") {
        Ok(dir) if dir.starts_with('/') => dir,
        _ => format!("{}/.cache", std::env::var("HOME").context("HOME is not set")?),
    };
    Ok(std::path::Path::new(&base).join("wardkeep").join(sub))
}

/// Whether this is a build machine, where nothing may be skipped.
#[expect(clippy::disallowed_methods, reason = "this is `main`'s part")]
pub(crate) fn on_build_machine() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}
