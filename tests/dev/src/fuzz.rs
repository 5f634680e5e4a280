//! Fuzzing: targets in `fuzz/`, a workspace of its own, by cargo-fuzz.
//!
//! What is tried stays under `target`; `fuzz/corpus` holds the few texts that together reach all code, which ordinary
//! tests replay. `./dev fuzz keep` puts new ones there.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::{cargo, packages, tools};

/// For each target, unless told otherwise.
const SECONDS: &str = "60";
/// Longest input, in bytes: what breaks at all breaks with little.
const LONGEST: &str = "-max_len=256";

/// Keeps as few as it takes: one more only for code that no other reaches, not for how often it runs.
const MERGE: &str = "-set_cover_merge=1";

/// Runs one target or all, for some seconds each; or keeps what they found out.
pub(crate) fn play(words: &[&str]) -> anyhow::Result<ExitCode> {
    let all = targets()?;
    let (chosen, rest) = match words {
        [name, rest @ ..] if all.iter().any(|target| target == name) => (vec![(*name).to_owned()], rest),
        ["all", rest @ ..] => (all, rest),
        ["keep"] => return keep(&all),
        [] => (all, words),
        [other, ..] => anyhow::bail!("no such target: {other}; there are {}, `all` and `keep`", all.join(", ")),
    };
    let seconds = rest.first().unwrap_or(&SECONDS);
    seconds.parse::<u32>().with_context(|| format!("{seconds} is no number of seconds"))?;
    if packages::on_build_machine() && tools::FUZZ.built()?.is_none() {
        println!(
            "Not fuzzed: cargo-fuzz {} is not in the cache; `./dev test` replays fuzz/corpus",
            tools::FUZZ.version
        );
        return Ok(ExitCode::SUCCESS);
    }
    for target in chosen {
        println!("== {target}, {seconds} seconds");
        fuzz(&target, &[&format!("-max_total_time={seconds}"), LONGEST])?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Adds to `fuzz/corpus` what reaches code that nothing there reaches.
fn keep(targets: &[String]) -> anyhow::Result<ExitCode> {
    for target in targets {
        println!("== {target}");
        fuzz(target, &[MERGE, "-use_counters=0", "-use_cmp=0", LONGEST])?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One run of libFuzzer. It writes into the first folder; merging reads the second, trying reads both.
fn fuzz(target: &str, options: &[&str]) -> anyhow::Result<()> {
    let folder = cargo::target_dir()?.join("fuzz");
    let (tried, kept) = (folder.join("corpus").join(target), Path::new("fuzz/corpus").join(target));
    std::fs::create_dir_all(&tried)?;
    let folders = if options.contains(&MERGE) { [&kept, &tried] } else { [&tried, &kept] };
    // Only nightly compilers have sanitizers; there is no unsafe code of ours that they would watch.
    let mut run = Command::new(tools::FUZZ.program()?);
    run.args(["run", "--sanitizer", "none", "--fuzz-dir", "fuzz", "--target-dir"]).arg(&folder).arg(target);
    // It talks a lot; what counts is the last it says.
    let output = run.args(folders).arg("--").args(options).env("RUST_BACKTRACE", "0").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    anyhow::ensure!(
        output.status.success(),
        "{target} broke; the input is in fuzz/artifacts/{target}\n{}",
        lines.iter().skip_while(|line| !line.contains("panicked at")).take(12).copied().collect::<Vec<_>>().join("\n")
    );
    lines.iter().filter(|line| line.starts_with("Done ")).for_each(|line| println!("{line}"));
    Ok(())
}

/// By the names of their files.
fn targets() -> anyhow::Result<Vec<String>> {
    let files = std::fs::read_dir("fuzz/fuzz_targets").context("fuzz/fuzz_targets")?;
    let stem = |file: std::fs::DirEntry| file.path().file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mut names: Vec<String> = files.filter_map(Result::ok).filter_map(stem).collect();
    names.sort();
    Ok(names)
}
