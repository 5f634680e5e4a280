//! Tools of other people, at one pinned version each, built once into a folder that outlives `target`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use crate::{cargo, packages};

/// A tool that `cargo install` makes.
pub(crate) struct Tool {
    /// Crate and program.
    pub(crate) name: &'static str,
    /// The version that everybody uses.
    pub(crate) version: &'static str,
}

/// Licences, bans and sources of what we depend on.
pub(crate) const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
/// Dependencies that no file names.
pub(crate) const MACHETE: Tool = Tool { name: "cargo-machete", version: "0.9.2" };
/// Coverage-guided chance.
pub(crate) const FUZZ: Tool = Tool { name: "cargo-fuzz", version: "0.13.2" };
/// First version whose output and settings we know; later ones of the same series do as well.
const NEXTEST: (u32, u32, u32) = (0, 9, 143);

impl Tool {
    /// The program; built now when it is missing.
    pub(crate) fn program(&self) -> anyhow::Result<PathBuf> {
        if let Some(program) = self.built()? {
            return Ok(program);
        }
        let root = packages::cache("tools")?;
        println!("Building {} {} once, into {}; this takes minutes", self.name, self.version, root.display());
        let root = root.display().to_string();
        cargo::must(&["install", "--locked", "--quiet", "--version", self.version, self.name, "--root", &root])?;
        self.built()?.with_context(|| format!("{} was built and does not start", self.name))
    }

    /// The program, if it is here.
    pub(crate) fn built(&self) -> anyhow::Result<Option<PathBuf>> {
        let program = packages::cache("tools")?.join("bin").join(self.name);
        let places = [program, self.name.into()];
        Ok(places.into_iter().find(|program| says(program, self.version)))
    }
}

fn says(program: &std::path::Path, version: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|out| String::from_utf8_lossy(&out.stdout).split_whitespace().any(|word| word == version))
}

/// Whether to use nextest; `cargo test` does the same, slower.
///
/// # Errors
/// On a build machine, where its absence is a fault.
pub(crate) fn nextest() -> anyhow::Result<bool> {
    let found = Command::new("cargo-nextest").args(["nextest", "--version"]).output().ok();
    let found = found.and_then(|out| parse_version(&String::from_utf8_lossy(&out.stdout)));
    let (major, minor, patch) = NEXTEST;
    let good = found.is_some_and(|have| (have.0, have.1) == (major, minor) && have.2 >= patch);
    if !good && packages::on_build_machine() {
        anyhow::bail!("a build machine needs cargo-nextest {major}.{minor}.{patch}, found {found:?}");
    }
    Ok(good)
}

fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = text.split_whitespace().nth(1)?.split('.').map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => Some((major, minor, patch)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_first_line() {
        assert_eq!(parse_version("cargo-nextest 0.9.143 (60fa45f63 2026-08-04)\nrelease: x"), Some((0, 9, 143)));
        assert_eq!(parse_version("error: no such command"), None);
        assert_eq!(parse_version(""), None);
    }
}
