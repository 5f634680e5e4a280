//! The process in which one client runs: a line of JSON in, a line of JSON out.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::columns::{Column, Language};
use crate::world::World;

/// Longer than any client waits for anything here.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where `./dev` installed the clients.
#[derive(Clone)]
pub(crate) struct Places {
    python: PathBuf,
    node: PathBuf,
}

/// What a script tells.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    /// What the client made of the answer.
    pub(crate) saw: Option<Value>,
    /// What it threw instead.
    pub(crate) raised: Option<Raised>,
}

/// An error of the client.
#[derive(Debug, Deserialize)]
pub(crate) struct Raised {
    /// Its class and those above it.
    pub(crate) classes: Vec<String>,
    /// The HTTP status that it names.
    pub(crate) status: Option<u16>,
    /// What it says.
    pub(crate) text: String,
}

/// A running script.
pub(crate) struct Speaker {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    lost: bool,
    places: Places,
}

impl Places {
    /// As ./dev says.
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let place = |name: &str| std::env::var_os(name).map(PathBuf::from).context("use ./dev e2e sdk");
        Ok(Self { python: place("WARDKEEP_SDK_PYTHON")?, node: place("WARDKEEP_SDK_NODE")? })
    }

    fn command(&self, column: &Column) -> Command {
        match column.language {
            Language::Python => {
                let mut command = Command::new(self.python.join("bin/python"));
                command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/sdk/python/main.py")).arg(column.script);
                command
            }
            Language::Node => {
                let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
                let mut command = Command::new(self.node.join(format!("node_modules/node-linux-{machine}/bin/node")));
                // Copied there by ./dev: modules are looked for beside and above the script.
                command.arg(self.node.join("main.mjs")).arg(column.script);
                command
            }
        }
    }
}

impl Speaker {
    /// Starts the script; it finds gateway and token where its client looks for them by itself.
    pub(crate) fn start(places: &Places, column: &Column, world: &World) -> anyhow::Result<Self> {
        Self::start_as(places, column, world, &world.stage.tenant.agent_token)
    }

    /// Another one with another token.
    pub(crate) fn with_token(&self, column: &Column, world: &World, token: &str) -> anyhow::Result<Self> {
        Self::start_as(&self.places, column, world, token)
    }

    fn start_as(places: &Places, column: &Column, world: &World, token: &str) -> anyhow::Result<Self> {
        let mut command = places.command(column);
        command
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("LANG", "C.UTF-8"), ("PYTHONDONTWRITEBYTECODE", "1")])
            .env("HOME", world.folder())
            .envs(world.environment(column.api, token))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::OpenOptions::new().create(true).append(true).open(world.folder().join("clients.log"))?)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let input = child.stdin.take().context("a pipe was asked for")?;
        let output = BufReader::new(child.stdout.take().context("a pipe was asked for")?).lines();
        Ok(Self { child, input, output, lost: false, places: places.clone() })
    }

    /// Has the script do something.
    pub(crate) async fn ask(&mut self, what: &str, with: Value) -> anyhow::Result<Told> {
        let line = format!("{}\n", json!({"do": what, "with": with}));
        self.lost = true;
        self.input.write_all(line.as_bytes()).await.context("the script ended; see clients.log")?;
        let told = tokio::time::timeout(PATIENCE, self.output.next_line()).await;
        let Ok(told) = told else { bail!("{what} took more than {} s", PATIENCE.as_secs()) };
        let told = told?.context("the script ended; see clients.log")?;
        self.lost = false;
        serde_json::from_str(&told).with_context(|| format!("the script said {told:?}"))
    }

    /// The same, where the client must not throw.
    pub(crate) async fn see(&mut self, what: &str, with: Value) -> anyhow::Result<Value> {
        let told = self.ask(what, with).await?;
        if let Some(Raised { classes, text, .. }) = told.raised {
            bail!("{}: {text}", classes.first().map_or("an error", String::as_str));
        }
        told.saw.context("the script told nothing")
    }

    /// The same, where it must.
    pub(crate) async fn must_raise(&mut self, what: &str, with: Value) -> anyhow::Result<Raised> {
        let told = self.ask(what, with).await?;
        told.raised.with_context(|| format!("it raised nothing and saw {}", told.saw.unwrap_or_default()))
    }

    /// A script that did not answer is started again for the next case.
    pub(crate) fn alive_or_again(&mut self, column: &Column, world: &World) -> anyhow::Result<()> {
        if self.lost {
            *self = Self::start(&self.places.clone(), column, world)?;
        }
        Ok(())
    }

    pub(crate) async fn end(mut self) {
        drop(self.input);
        // One that does not end by itself is killed when it is dropped.
        let _ = tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await;
    }
}

impl Raised {
    pub(crate) fn is(&self, class: &str) -> bool {
        self.classes.iter().any(|name| name == class)
    }
}
