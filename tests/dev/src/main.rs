//! The menu behind `./dev`.
//!
//! * **Owns**: which commands make up building, testing and checking, and the tools that these need.
//! * **Flows through it**: words of the command line in, an exit status out.
//! * **Never hears of**: the product's code; it starts programs and reads files.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

use std::process::ExitCode;

use anyhow::Context as _;

mod cargo;
mod check;
mod e2e;
mod fuzz;
mod links;
mod order;
mod packages;
mod tools;

const MENU: &str = "\
./dev demo [--check]   play the story: hub, tenant, agent and a human who decides; --check plays it alone
./dev test [WORDS]     every test; WORDS go to the test runner
./dev check            formatting, lints, licences, documentation, links, unused dependencies
./dev e2e [WORDS]      install on a real systemd in a container (needs root, asks sudo for it), then as below
./dev e2e sdk [CLIENT] [--json]
                       official clients of Anthropic, OpenAI and Google against the gateway, HTTP clients through the proxy
./dev e2e mcp [CLIENT] [--case NAME]
                       official MCP clients of Python and Node against the daemon's MCP server
./dev e2e openclaw [SCENE] [--folder FOLDER]
                       an unmodified OpenClaw under plugin, gate and gateway, scene by scene
./dev e2e claude [SCENE] [--folder FOLDER]
                       an unmodified Claude Code under hook command, gate and gateway, scene by scene
./dev e2e browser [FOLDER]
                       passkeys in a real Chromium; pictures of each page go to FOLDER
./dev e2e containers [SCENE] [--folder FOLDER]
                       containers on a real Docker engine of its own (needs root)
./dev fuzz [TARGET] [SECONDS]
                       let chance look for texts that break the redaction; all targets, 60 seconds each, without words
./dev bench [NAME]     measure, side by side with a named peer or floor
./dev order CALLGRIND-OUTPUT MAP
                       which functions of the daemon stand together: tenant-agent/order.txt (docs/performance.md says how)
./dev fmt              format the code";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("dev: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> anyhow::Result<ExitCode> {
    let (verb, rest) = words.split_first().unwrap_or((&"help", &[]));
    match *verb {
        "demo" => demo(rest),
        "test" => test(rest),
        "check" => check::all(),
        "e2e" => e2e::play(rest),
        "fuzz" => fuzz::play(rest),
        "bench" => bench(rest),
        "order" => order::write(rest),
        "fmt" => cargo::run(&["fmt", "--all"]),
        "help" | "-h" | "--help" => {
            println!("{MENU}");
            Ok(ExitCode::SUCCESS)
        }
        other => anyhow::bail!("no such verb: {other}\n{MENU}"),
    }
}

fn demo(words: &[&str]) -> anyhow::Result<ExitCode> {
    cargo::build_programs()?;
    let program = cargo::target_dir()?.join("debug/wardkeep-demo");
    // Replaces this process: Ctrl-C and the exit status are the demo's own.
    Err(cargo::replace_by(&program, words)).context("the demo does not start")
}

/// Every test; ends with the runner's own summary.
fn test(words: &[&str]) -> anyhow::Result<ExitCode> {
    if packages::on_build_machine() {
        // Elsewhere the tests of the network lock say that they did not run.
        packages::ensure(&[("nft", "nftables"), ("ip", "iproute2")])?;
    }
    if words.is_empty() {
        plugin()?;
    }
    // Some tests start the programs themselves.
    cargo::build_programs()?;
    if tools::nextest()? {
        // nextest leaves examples in documentation to cargo; they come first, so that its summary is last.
        if words.is_empty() {
            cargo::must(&["test", "--workspace", "--doc", "--quiet"])?;
        }
        return cargo::run(&[&["nextest", "run", "--workspace"], words].concat());
    }
    cargo::run(&[&["test", "--workspace", "--no-fail-fast"], words].concat())
}

/// The unit tests of the plugin for `OpenClaw`, on the Node of this machine where there is one.
fn plugin() -> anyhow::Result<()> {
    let folder = "safety-wrapper/openclaw-plugin/test";
    if !packages::there("node") {
        anyhow::ensure!(
            !packages::on_build_machine(),
            "no Node here; install it (nodejs), the tests of {folder} need it"
        );
        println!("No node here: the unit tests of {folder} are left out (./dev e2e openclaw brings a Node of its own)");
        return Ok(());
    }
    let mut files: Vec<_> = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    files.retain(|path| path.to_string_lossy().ends_with(".test.mjs"));
    let status = cargo::status(std::process::Command::new("node").arg("--test").args(files))?;
    anyhow::ensure!(status.success(), "a unit test of the plugin failed");
    Ok(())
}

/// One benchmark by name; without a name, all of them.
fn bench(words: &[&str]) -> anyhow::Result<ExitCode> {
    let metadata = cargo::metadata()?;
    let names: Vec<&str> = cargo::targets(&metadata)
        .filter(|target| target["kind"][0] == "bench")
        .filter_map(|target| target["name"].as_str())
        .collect();
    let (chosen, rest) = match words {
        [name, rest @ ..] if names.contains(name) => (vec![*name], rest),
        [name, ..] => anyhow::bail!("no such benchmark: {name}; there are {}", names.join(", ")),
        // The soak takes an hour of its own.
        [] => (names.into_iter().filter(|name| *name != "soak").collect(), words),
    };
    if ["hook", "proxy", "soak", "stop"].iter().any(|name| chosen.contains(name)) {
        // They measure the programs as they are installed.
        cargo::must(&[
            "build",
            "--quiet",
            "--release",
            "--bins",
            "--package",
            "wardkeep-agent",
            "--package",
            "wardkeep-hub",
        ])?;
    }
    let mut all = vec!["bench", "--quiet", "--package", "wardkeep-benches"];
    for name in &chosen {
        all.extend(["--bench", name]);
    }
    all.push("--");
    cargo::run(&[&all, rest].concat())
}
