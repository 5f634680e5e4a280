//! What needs more than cargo: the installation on a real systemd, official clients against the gateway, a real OpenClaw, a
//! real browser.

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use crate::cargo;

mod browser;
mod claude;
mod containers;
mod install;
mod mcp;
mod npm;
mod openclaw;
mod sdk;

/// `sdk WORDS` is the matrix of clients, `mcp WORDS` that of MCP clients, `openclaw WORDS` the scenes on a real OpenClaw, `claude WORDS` those on a real
/// Claude Code, `containers WORDS` those on a real Docker engine, `browser FOLDER` passkeys in a real browser with pictures of each page, any other words
/// choose tests of the installation; without words, all.
pub(crate) fn play(words: &[&str]) -> anyhow::Result<ExitCode> {
    match words {
        ["sdk", rest @ ..] => sdk::play(rest),
        ["mcp", rest @ ..] => mcp::play(rest),
        ["openclaw", rest @ ..] => openclaw::play(rest),
        ["claude", rest @ ..] => claude::play(rest),
        ["browser", rest @ ..] => browser::play(rest),
        ["containers", rest @ ..] => containers::play(rest),
        [] => {
            let all = [
                install::play(&[])?,
                sdk::play(&[])?,
                mcp::play(&[])?,
                openclaw::play(&[])?,
                claude::play(&[])?,
                browser::play(&[])?,
                containers::play(&[])?,
            ];
            Ok(all.into_iter().find(|one| *one != ExitCode::SUCCESS).unwrap_or(ExitCode::SUCCESS))
        }
        words => install::play(words),
    }
}

/// Builds one of the test programs that `cargo test` leaves out; answers where it is.
fn built(name: &str) -> anyhow::Result<PathBuf> {
    let words = ["test", "--workspace", "--test", name, "--no-run", "--message-format=json-render-diagnostics"];
    let output = cargo::command(&words).stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(output.status.success(), "{name} does not build");
    let messages =
        output.stdout.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut built = messages.filter(|message| message["target"]["name"] == name);
    let program = built.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    program.with_context(|| format!("cargo names no program of {name}"))
}
