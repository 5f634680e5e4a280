//! Everything but the tests: run to the end, so that one call names all that is wrong.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::{cargo, links, packages, tools};

type Check = fn() -> anyhow::Result<()>;

const CHECKS: [(&str, Check); 7] = [
    ("formatting", formatting),
    ("lints", lints),
    ("documentation", documentation),
    ("licences, bans and sources", dependencies),
    ("unused dependencies", unused),
    ("links in documents", links::check),
    ("shell scripts", scripts),
];

/// Runs every check and names those that failed.
pub(crate) fn all() -> anyhow::Result<ExitCode> {
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        println!("== {name}");
        if let Err(error) = check() {
            println!("   {error:#}");
            failed.push(name);
        }
    }
    if failed.is_empty() {
        println!("All {} checks passed.", CHECKS.len());
        return Ok(ExitCode::SUCCESS);
    }
    println!("Failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

fn formatting() -> anyhow::Result<()> {
    cargo::must(&["fmt", "--all", "--check"]).context("run ./dev fmt")
}

fn lints() -> anyhow::Result<()> {
    cargo::must(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn documentation() -> anyhow::Result<()> {
    let mut doc =
        cargo::command(&["doc", "--keep-going", "--quiet", "--workspace", "--no-deps", "--document-private-items"]);
    let status = cargo::status(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    anyhow::ensure!(status.success(), "cargo doc found something");
    Ok(())
}

/// The advisory database cannot be fetched everywhere; where somebody put it, it is used.
fn dependencies() -> anyhow::Result<()> {
    cargo::fetch(&[])?;
    let mut words = vec!["--offline", "--workspace", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    if advisories_are_here() {
        words.push("advisories");
    } else {
        println!("   (advisories not checked: no database in ~/.cargo/advisory-dbs; `cargo deny fetch db` brings it)");
    }
    run(Command::new(tools::DENY.program()?).args(words))
}

#[expect(clippy::disallowed_methods, reason = "the environment says where cargo's home is")]
fn advisories_are_here() -> bool {
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| home + "/.cargo"));
    home.is_ok_and(|home| Path::new(&home).join("advisory-dbs").read_dir().is_ok_and(|mut dirs| dirs.next().is_some()))
}

fn unused() -> anyhow::Result<()> {
    run(&mut Command::new(tools::MACHETE.program()?))
}

/// The installation script has a test of its own; these are the two others.
fn scripts() -> anyhow::Result<()> {
    for script in ["dev", ".ci/run"] {
        run(Command::new("sh").args(["-n", script]))?;
        if packages::there("shellcheck") {
            run(Command::new("shellcheck").arg(script))?;
        }
    }
    Ok(())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_owned();
    anyhow::ensure!(cargo::status(command)?.success(), "{} found something", program.display());
    Ok(())
}
