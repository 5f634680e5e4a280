//! What others publish, installed once at pinned versions into the target folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::cargo;

/// The packages of `scripts/package.json` and its lock file, as `name` in `target`.
pub(super) fn packages(target: &Path, name: &str, scripts: &Path) -> anyhow::Result<PathBuf> {
    let pins = ["package.json", "package-lock.json"].map(|name| scripts.join(name));
    once(target, name, &[&pins[0], &pins[1]], |folder| {
        for pin in &pins {
            std::fs::copy(pin, folder.join(pin.file_name().context("a file")?))?;
        }
        // The scripts run on the Node among the packages, whatever npm itself runs on.
        let words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        must(Command::new("npm").args(words).current_dir(folder))
    })
}

/// A folder made by `make` for these pins, whole or not at all.
pub(super) fn once(
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
        // Not on standard output: what is printed there may be for a program.
        eprintln!("Installing {name} once, into {}; this takes a minute", folder.display());
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        make(&folder).with_context(|| format!("{name} was not installed; it comes from a network once"))?;
        std::fs::write(&whole, "")?;
    }
    Ok(folder)
}

pub(super) fn must(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_owned();
    anyhow::ensure!(cargo::status(command.stdout(Stdio::null()))?.success(), "{} failed", program.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    /// What npm installs is what was pinned: each package has its hash, or lies in the archive of one that has, as
    /// `bundleDependencies` do, which have no archive of their own.
    #[test]
    fn every_pinned_package_is_covered_by_a_hash() {
        for pins in ["openclaw", "claude", "sdk/node", "mcp/node"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e").join(pins).join("package-lock.json");
            let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let lock: Value = serde_json::from_slice(&text).expect("a lock file is JSON");
            let packages = lock["packages"].as_object().expect("a lock file has packages");
            let hashed =
                |name: &str| packages[name]["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-"));
            for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
                let holder = name.rsplit_once("/node_modules/").map_or("", |(holder, _)| holder);
                let bundled = package["inBundle"] == Value::Bool(true) && !holder.is_empty() && hashed(holder);
                assert!(hashed(name) || bundled, "{pins}: {name} has no hash");
            }
        }
    }
}
