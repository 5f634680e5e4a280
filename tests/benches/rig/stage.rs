//! Ours, as it is installed: a hub, an enrolled daemon with a published policy, a vault, and an agent with a live lease.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::bodies::MODEL;
use crate::process::Process;
use crate::wire;

/// The server, as the hub knows it.
pub const TENANT: &str = "bench";
/// The one agent of it.
pub const AGENT: &str = "bench";
const SESSION: &str = "bench";

/// A folder for all that runs: in `state`, or in memory, so that the disk is not what is measured.
pub fn folder(state: Option<&Path>) -> anyhow::Result<TempDir> {
    Ok(match state {
        Some(state) => tempfile::tempdir_in(state)?,
        None => tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?,
    })
}

/// Where the programs are: this one is target/release/deps/NAME-…
pub fn programs() -> anyhow::Result<PathBuf> {
    Ok(std::env::current_exe()?.ancestors().nth(2).context("a target folder")?.to_path_buf())
}

/// Hub and daemon.
pub struct Stage {
    folder: PathBuf,
    programs: PathBuf,
    hooks: SocketAddr,
    /// Where the gateway listens.
    pub llm: SocketAddr,
    /// The agent's.
    pub token: String,
    daemon: Option<Process>,
    _hub: Process,
}

/// A port that was free a moment ago.
pub fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

impl Stage {
    /// Sets it up with these secrets in the vault and an agent that may ask these models; `policy` says the rest of them.
    pub fn set(
        folder: &Path,
        provider: SocketAddr,
        secrets: &[(String, String)],
        models: &[String],
        policy: &str,
    ) -> anyhow::Result<Self> {
        let programs = programs()?;
        let (hub_data, tenant, workspace) = (folder.join("hub"), folder.join("tenant"), folder.join("work"));
        fs::create_dir_all(tenant.join("run"))?;
        fs::create_dir_all(&workspace)?;
        let data = hub_data.display().to_string();
        let hub_program = programs.join("wardkeep-hub");
        let hub = |words: &[&str]| run(&hub_program, &[&["--data-dir", &data], words].concat(), "");
        hub(&["init"])?;
        let (link, web) = (free_port()?, free_port()?);
        let settings = format!(
            "[link]\nlisten = \"{link}\"\npublic_address = \"{link}\"\n\n[web]\nlisten = \"{web}\"\npublic_url = \"http://{web}\"\n"
        );
        fs::write(hub_data.join("hub.toml"), settings)?;
        let mut serve = Command::new(&hub_program);
        serve.args(["--data-dir", &data, "serve"]);
        let hub_process = Process::start(&mut serve, &folder.join("hub.log"))?;
        wait("the hub to answer", || {
            Ok(wire::once(web, &wire::get("/api/v1/healthz"), Duration::from_secs(1)).is_ok_and(|(s, _)| s == 200))
        })?;
        let added: Value = serde_json::from_str(&hub(&["tenant", "add", TENANT, "--json"])?)?;
        let enrolment = added["token"].as_str().context("an enrolment token")?.to_owned();

        let (hooks, llm) = (free_port()?, free_port()?);
        fs::write(tenant.join("agent.toml"), configuration(&tenant, hooks, llm))?;
        let mut stage = Self {
            folder: folder.to_path_buf(),
            programs,
            hooks,
            llm,
            token: String::new(),
            daemon: None,
            _hub: hub_process,
        };
        stage.cli(&["enrol"], &enrolment)?;
        stage.cli(&["vault", "init"], "")?;
        let values: Map<String, Value> =
            secrets.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
        stage.cli(&["vault", "import", "-"], &Value::Object(values).to_string())?;
        stage.cli(
            &["vault", "set", "llm_key", "--to", &format!("host:{provider}")],
            "sk-bench-provider-key-0123456789",
        )?;
        stage.token = stage.cli(&["hook", "token", AGENT], "")?.trim().to_owned();
        let file = folder.join("policy.toml");
        fs::write(&file, agent(&workspace, models) + policy)?;
        hub(&["policy", "publish", TENANT, "--file", &file.display().to_string(), "--loosens", "--wait", "0"])?;
        stage.start()?;
        Ok(stage)
    }

    /// Starts the daemon; returns once the agent is served, with how long that took.
    pub fn start(&mut self) -> anyhow::Result<Duration> {
        let mut command = Command::new(self.programs.join("wardkeep-agent"));
        command.arg("--config").arg(self.folder.join("tenant/agent.toml")).arg("run").envs(environment());
        let begin = Instant::now();
        let mut daemon = Process::start(&mut command, &self.folder.join("tenant.log"))?;
        let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "ready?"}]}).to_string();
        let ask = wire::post("bench", "/v1/chat/completions", &self.headers(), body.as_bytes());
        wait("the daemon to serve its agent", || {
            anyhow::ensure!(!daemon.ended(), "the daemon ended; see {}", self.folder.join("tenant.log").display());
            let served = wire::once(self.llm, &ask, Duration::from_secs(2)).is_ok_and(|(status, _)| status == 200);
            if !served {
                // There may be no lease yet.
                let _ = self.renew();
            }
            Ok(served)
        })?;
        let took = begin.elapsed();
        self.daemon = Some(daemon);
        Ok(took)
    }

    /// Ends the daemon.
    pub fn stop(&mut self) {
        self.daemon = None;
    }

    /// Of the daemon, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().map(Process::id)
    }

    /// What the agent sends to the gateway beside its body.
    pub fn headers(&self) -> Vec<(String, String)> {
        vec![("authorization".to_owned(), format!("Bearer {}", self.token))]
    }

    /// Begins or renews the hook's session: without it no model answers. Holds for two minutes.
    pub fn renew(&self) -> anyhow::Result<()> {
        let body = json!({"session": SESSION, "runtime": "bench/1"}).to_string();
        let ask = wire::post("bench", "/v1/hooks/session-start", &self.headers(), body.as_bytes());
        let (status, said) = wire::once(self.hooks, &ask, Duration::from_secs(2))?;
        anyhow::ensure!(status == 200, "no lease: {status} {}", String::from_utf8_lossy(&said));
        Ok(())
    }

    /// Proposes a call that is allowed at once; answers its permit.
    pub fn propose(&self, call: &str, tool: &str, args: &Value) -> anyhow::Result<String> {
        let body = json!({"session": SESSION, "call": call, "tool": tool, "args": args});
        let said = self.ask("/v1/hooks/before-tool-call", &body, Duration::from_secs(10))?;
        Ok(said["permit"].as_str().with_context(|| format!("{call} is not allowed: {said}"))?.to_owned())
    }

    /// Runs a permit to its end.
    pub fn exec(&self, permit: &str) -> anyhow::Result<Value> {
        self.ask("/v1/exec", &json!({"permit": permit}), Duration::from_secs(90))
    }

    fn ask(&self, path: &str, body: &Value, patience: Duration) -> anyhow::Result<Value> {
        let ask = wire::post("bench", path, &self.headers(), body.to_string().as_bytes());
        let (_, said) = wire::once(self.hooks, &ask, patience)?;
        Ok(serde_json::from_slice(&said)?)
    }

    /// Runs a command of the hub's.
    pub fn hub(&self, words: &[&str]) -> anyhow::Result<String> {
        let data = self.folder.join("hub").display().to_string();
        run(&self.programs.join("wardkeep-hub"), &[&["--data-dir", &data], words].concat(), "")
    }

    /// Runs a command of the daemon's.
    pub fn cli(&self, words: &[&str], input: &str) -> anyhow::Result<String> {
        let config = self.folder.join("tenant/agent.toml").display().to_string();
        run(&self.programs.join("wardkeep-agent"), &[&["--config", &config], words].concat(), input)
    }
}

/// What the daemon finds in its environment, as it is installed.
fn environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    const UNIT: &str = include_str!("../../../provisioner/src/steps/wardkeep-agent.service");
    UNIT.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='))
}

/// Who the agent is, as the policy says it.
fn agent(workspace: &Path, models: &[String]) -> String {
    let workspace = workspace.display();
    format!(
        "[llm]\ngate_memory = \"report\"\n\n[[agents]]\nname = \"{AGENT}\"\nlevel = \"trusted\"\nmodels = {models:?}\n\
         workspace = \"{workspace}\"\n"
    )
}

fn configuration(folder: &Path, hooks: SocketAddr, llm: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "state_dir = \"{folder}/state\"\nruntime_dir = \"{folder}/run\"\n\n[hooks]\nlisten = \"{hooks}\"\n\n\
         [llm]\nlisten = \"{llm}\"\n\n[proxy]\nlisten = \"127.0.0.1:0\"\n\n[vault]\nkey_file = \"{folder}/vault.key\"\n"
    )
}

/// Waits until `done`.
pub fn wait(what: &str, mut done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(90);
    while !done()? {
        anyhow::ensure!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn run(program: &Path, words: &[&str], input: &str) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| {
        format!(
            "{} is not built; use ./dev bench, or cargo build --release -p wardkeep-agent -p wardkeep-hub",
            program.display()
        )
    })?;
    let mut stdin = child.stdin.take().context("a pipe")?;
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{} {}: {error}", program.display(), words.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}
