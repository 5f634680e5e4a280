//! The process in which one client runs: a line of JSON in, a line of JSON out.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::world::World;

/// Longer than any call here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One client over one transport in one era of the protocol.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    python: bool,
    transport: &'static str,
    era: &'static str,
    /// The version that it must come to.
    pub(crate) version: &'static str,
}

const fn column(
    name: &'static str,
    python: bool,
    transport: &'static str,
    era: &'static str,
    version: &'static str,
) -> Column {
    Column { name, python, transport, era, version }
}

/// All of them.
pub(crate) const COLUMNS: &[Column] = &[
    column("python stdio", true, "stdio", "auto", "2026-07-28"),
    column("python http", true, "http", "auto", "2026-07-28"),
    column("python stdio handshake", true, "stdio", "legacy", "2025-11-25"),
    column("python http handshake", true, "http", "legacy", "2025-11-25"),
    column("node stdio", false, "stdio", "auto", "2026-07-28"),
    column("node http", false, "http", "auto", "2026-07-28"),
    column("node stdio handshake", false, "stdio", "legacy", "legacy"),
    column("node http handshake", false, "http", "legacy", "legacy"),
];

/// Where `./dev` installed the clients.
pub(crate) struct Places {
    python: PathBuf,
    node: PathBuf,
}

impl Places {
    /// As ./dev says.
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let place = |name: &str| std::env::var_os(name).map(PathBuf::from).context("use ./dev e2e mcp");
        Ok(Self { python: place("WARDKEEP_MCP_PYTHON")?, node: place("WARDKEEP_MCP_NODE")? })
    }

    fn command(&self, column: &Column) -> Command {
        let mut command = if column.python {
            let mut command = Command::new(self.python.join("bin/python"));
            command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/mcp/python/client.py"));
            command
        } else {
            let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
            let mut command = Command::new(self.node.join(format!("node_modules/node-linux-{machine}/bin/node")));
            // Copied there by ./dev: modules are looked for beside and above the script.
            command.arg(self.node.join("client.mjs"));
            command
        };
        command.args([column.transport, column.era]);
        command
    }
}

/// A running script.
pub(crate) struct Speaker {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Speaker {
    /// Starts the script; its calls wait for a person that many seconds.
    pub(crate) fn start(places: &Places, column: &Column, world: &World, wait: u16) -> anyhow::Result<Self> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(world.folder().join("clients.log"))?;
        let mut command = places.command(column);
        command
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("LANG", "C.UTF-8"), ("PYTHONDONTWRITEBYTECODE", "1")])
            .env("HOME", world.folder())
            .envs(world.environment(wait)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let input = child.stdin.take().context("a pipe was asked for")?;
        let output = BufReader::new(child.stdout.take().context("a pipe was asked for")?).lines();
        Ok(Self { _child: child, input, output })
    }

    /// Has the script do something, and waits for what it tells.
    pub(crate) async fn ask(&mut self, what: &Value) -> anyhow::Result<Value> {
        self.begin(what).await?;
        self.told().await
    }

    /// Has the script do something.
    pub(crate) async fn begin(&mut self, what: &Value) -> anyhow::Result<()> {
        self.input.write_all(format!("{what}\n").as_bytes()).await.context("the script ended; see clients.log")
    }

    /// What it tells.
    pub(crate) async fn told(&mut self) -> anyhow::Result<Value> {
        let Ok(told) = tokio::time::timeout(PATIENCE, self.output.next_line()).await else { bail!("it took too long") };
        let told = told?.context("the script ended; see clients.log")?;
        serde_json::from_str(&told).with_context(|| format!("the script said {told:?}"))
    }

    /// One call, which the client must not throw at.
    pub(crate) async fn call(&mut self, tool: &str, args: Value) -> anyhow::Result<Value> {
        let told = self.ask(&json!({"do": "call", "tool": tool, "args": args})).await?;
        told.get("saw").cloned().with_context(|| format!("it threw: {told}"))
    }
}
