//! Text that others wrote: of the packages that the lock file pins, as cargo keeps them. Nothing of it is in the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Bytes of papers and of code that are taken of one package, so that none prevails.
const MOST: u64 = 64 * 1024;
/// The same packages on every machine.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Papers and sources of every package, by its name, and how many packages those are.
pub(crate) fn files(root: &Path) -> anyhow::Result<(Vec<(PathBuf, String)>, usize)> {
    let folders = folders(root)?;
    let mut files = Vec::new();
    for folder in &folders {
        let mut papers = Vec::new();
        let mut sources = Vec::new();
        collect(folder, "md", &mut papers)?;
        collect(&folder.join("src"), "rs", &mut sources)?;
        for paths in [&mut papers, &mut sources] {
            paths.sort_unstable();
            let mut left = MOST;
            for (path, size) in paths.drain(..) {
                if size <= left
                    && let Ok(text) = std::fs::read_to_string(&path)
                {
                    left -= size;
                    files.push((path, text));
                }
            }
        }
    }
    Ok((files, folders.len()))
}

/// Where the packages are that do not belong to this repository, one version of each.
fn folders(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", PLATFORM]);
    let answer = command.current_dir(root).output().context("running cargo metadata")?;
    ensure!(answer.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&answer.stderr));
    let metadata: Value = serde_json::from_slice(&answer.stdout)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let theirs = packages.iter().filter(|package| package["source"].is_string());
    let mut folders: Vec<(&str, &str, PathBuf)> = theirs
        .filter_map(|package| {
            let folder = Path::new(package["manifest_path"].as_str()?).parent()?;
            Some((package["name"].as_str()?, package["version"].as_str()?, folder.to_owned()))
        })
        .collect();
    folders.sort_unstable();
    folders.dedup_by_key(|(name, ..)| *name);
    Ok(folders.into_iter().map(|(.., folder)| folder).collect())
}

/// All files below `folder` with this ending, with their sizes.
fn collect(folder: &Path, ending: &str, files: &mut Vec<(PathBuf, u64)>) -> anyhow::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, ending, files)?;
        } else if path.extension().is_some_and(|e| e == ending) {
            let size = path.metadata()?.len();
            files.push((path, size));
        }
    }
    Ok(())
}
