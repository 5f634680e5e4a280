//! Containers on a real Docker engine, in a mount namespace of their own.

use std::process::ExitCode;

use crate::{cargo, packages};

/// Installs the engine where it is missing, builds, plays the scenes as root. An engine that does not start is a failure.
pub(crate) fn play(words: &[&str]) -> anyhow::Result<ExitCode> {
    packages::ensure(&[
        ("dockerd", "docker.io"),
        ("docker", "docker.io"),
        ("busybox", "busybox-static"),
        ("unshare", "util-linux"),
    ])?;
    cargo::build_programs()?;
    let scenes = super::built("containers")?;
    let mut run = packages::as_root("unshare");
    run.args(["--mount", "--propagation", "private"]).arg(scenes).args(words);
    Ok(if cargo::status(&mut run)?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
