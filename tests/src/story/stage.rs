//! The stage: hub, daemon, simulators and agent as real processes in one folder.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::Value;
use wardkeep_proto::waypoint::Waypoint;

use super::agent::Dialect;
use super::business::{self, Secrets};
use super::people::{Person, rows, wait};
use super::seeded::{self, Seeded};
use super::wiretap::Wiretap;
use crate::simulators::llm::{Answer, Conversation, LlmSimulator, Script};
use crate::simulators::newsletter::NewsletterSimulator;

mod hub;
mod service;
mod tenant;

pub use hub::Hub;
pub use service::{Service, Start, command};
pub use tenant::Tenant;

/// Names on the stage.
pub const TENANT: &str = "bakery";
/// The agent at work.
pub const AGENT: &str = "newsletter";
/// Another agent of the same tenant, on the same workspace; it has nothing to do unless somebody speaks for it.
pub const OTHER_AGENT: &str = "bookkeeping";
/// The one session.
pub const SESSION: &str = "morning";
/// The model as the agent asks for it.
pub const MODEL: &str = "assistant";

/// The relay to which no secret is bound.
pub const ELSEWHERE: &str = "elsewhere";

/// The product's binaries.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// `wardkeep-hub`.
    pub hub: PathBuf,
    /// `wardkeep-agent`.
    pub daemon: PathBuf,
    /// `wardkeep-demo-agent`.
    pub agent: PathBuf,
}

impl Binaries {
    /// Those in the folder of the running program or, in a test, the folder above it; built by `./dev`.
    ///
    /// # Errors
    /// When one is missing: names the command that builds it.
    pub fn find() -> anyhow::Result<Self> {
        let me = std::env::current_exe()?;
        let folder = me
            .ancestors()
            .skip(1)
            .take(2)
            .find(|folder| folder.join("wardkeep-hub").exists())
            .context("wardkeep-hub is not built; run `cargo build --workspace --bins` or use ./dev")?;
        let find = |name: &str| {
            let path = folder.join(name);
            anyhow::ensure!(path.exists(), "{name} is not built; run `cargo build --workspace --bins` or use ./dev");
            Ok(path)
        };
        Ok(Self { hub: find("wardkeep-hub")?, daemon: find("wardkeep-agent")?, agent: find("wardkeep-demo-agent")? })
    }
}

/// Which process is killed, where; each at its first pass.
#[derive(Clone, Copy, Debug)]
pub struct KillAt(pub Waypoint);

impl KillAt {
    /// True for the points that the hub passes.
    #[must_use]
    pub fn at_hub(self) -> bool {
        self.0.as_str().starts_with("hub-")
    }

    fn environment(self, folder: &Path) -> (&'static str, String) {
        ("WARDKEEP_KILL_AT", format!("{}:{}", self.0, self.marker(folder).display()))
    }

    /// The file that says that the point was passed and the process killed.
    #[must_use]
    pub fn marker(self, folder: &Path) -> PathBuf {
        folder.join(format!("killed-at-{}", self.0))
    }
}

/// A real provider instead of the simulator.
#[derive(Clone)]
pub struct RealProvider {
    /// Base URL.
    pub base_url: String,
    /// Its key.
    pub key: String,
    /// Its model.
    pub model: String,
}

/// How the stage is set.
#[derive(Clone)]
pub struct Setting {
    /// An empty folder.
    pub folder: PathBuf,
    /// The API the agent speaks.
    pub dialect: Dialect,
    /// Where a process is killed.
    pub kill: Option<KillAt>,
    /// A real model.
    pub provider: Option<RealProvider>,
    /// Keep what leaves the daemon's sockets.
    pub tapped: bool,
    /// Keep one value of every kind in the vault beside the three.
    pub treasure: bool,
    /// Where the chance begins by which the values are drawn.
    pub values: u64,
    /// What becomes of results of tool calls that came past the gate, as a policy says it.
    pub gate_memory: &'static str,
    /// Certificates of the hosts behind the forward proxy, in place of the machine's; there before the tenant starts.
    pub upstream_ca: Option<PathBuf>,
    /// What the daemon writes into its log, when it is not the usual.
    pub log: Option<&'static str>,
    /// What stands in the daemon's configuration beside the stage's own: whole sections.
    pub configuration: String,
    /// What the simulated model says, when it is not the story's own.
    pub script: Option<Arc<dyn Script>>,
}

impl Setting {
    /// The simulated model, nothing killed, nothing kept.
    #[must_use]
    pub fn plain(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
            dialect: Dialect::Anthropic,
            kill: None,
            provider: None,
            tapped: false,
            treasure: false,
            values: seeded::of_values(),
            gate_memory: "refuse",
            upstream_ca: None,
            log: None,
            configuration: String::new(),
            script: None,
        }
    }
}

/// Everything that runs.
pub struct Stage {
    /// How it was set.
    pub setting: Setting,
    /// What must not leave the vault.
    pub secrets: Secrets,
    /// The model's provider.
    pub llm: LlmSimulator,
    /// The newsletter service.
    pub newsletter: NewsletterSimulator,
    /// The hub.
    pub hub: Hub,
    /// The tenant's server.
    pub tenant: Tenant,
    /// The customer.
    pub person: Person,
    /// Relays by name, when tapped.
    pub taps: Vec<(&'static str, Wiretap)>,
    binaries: Binaries,
}

/// The stage with a hub on it and nothing else, so that a person can be there before anything happens.
pub struct Opening {
    /// The hub.
    pub hub: Hub,
    setting: Setting,
    binaries: Binaries,
}

impl Opening {
    /// Starts the hub.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn new(setting: Setting, tell: &(dyn Fn(&str) + Sync)) -> anyhow::Result<Self> {
        let binaries = Binaries::find()?;
        tell("starting the hub");
        let hub = Hub::start(&binaries.hub, &setting).await.context("start the hub")?;
        Ok(Self { hub, setting, binaries })
    }

    /// Brings everything else on: tenant online, vault filled, policy in force; the agent may begin.
    ///
    /// # Errors
    /// When any step fails; the text names the step.
    pub async fn complete(self, tell: &(dyn Fn(&str) + Sync)) -> anyhow::Result<Stage> {
        let Self { hub, setting, binaries } = self;
        let chance = Seeded::new(setting.values);
        let secrets = Secrets::draw(&chance, setting.provider.as_ref().map(|p| p.key.clone()));
        let secrets = if setting.treasure { secrets.and_more(&chance) } else { secrets };
        let newsletter = NewsletterSimulator::start(&secrets.newsletter).await?;
        let mut taps = Vec::new();
        let newsletter_address = tapped(&setting, "newsletter service", newsletter.address(), &mut taps).await?;
        if setting.tapped {
            // Another port of the same machine is another host to every binding.
            taps.push((ELSEWHERE, Wiretap::plain(newsletter.address()).await?));
        }
        let llm = simulated_model(setting.script.clone(), &secrets, newsletter_address).await?;
        let llm_address = tapped(&setting, "provider", llm.address(), &mut taps).await?;
        let person = Person::new(hub.url.clone(), hub.api_token().await?)?;
        let services = Services::new(&setting, llm_address, newsletter_address)?;
        tell("enrolling the tenant with its one-time token");
        let tenant = Tenant::start(&binaries.daemon, &setting, &hub, &secrets, services, &mut taps)
            .await
            .context("start the tenant")?;
        tell("publishing its policy");
        hub.publish(&tenant.policy()).await.context("publish the policy")?;
        let stage = Stage { setting, secrets, llm, newsletter, hub, tenant, person, taps, binaries };
        stage.wait_until_ready().await?;
        Ok(stage)
    }
}

impl Stage {
    /// Sets the stage up to the point where the agent may begin.
    ///
    /// # Errors
    /// When any step fails; the text names the step.
    pub async fn set(setting: Setting, tell: &(dyn Fn(&str) + Sync)) -> anyhow::Result<Self> {
        Opening::new(setting, tell).await?.complete(tell).await
    }

    /// Publishes another policy and waits until it is in force.
    ///
    /// # Errors
    /// When the hub refuses it or the tenant does not take it.
    pub async fn follow(&self, policy: &str) -> anyhow::Result<()> {
        let before = self.tenant_view().await?["desired_generation"].clone();
        self.hub.publish(policy).await.context("publish the policy")?;
        wait("the policy to be in force", || async {
            let tenant = self.tenant_view().await?;
            let (has, wants) = (&tenant["status"]["generation"], &tenant["desired_generation"]);
            Ok((*wants != before && has == wants).then_some(()))
        })
        .await
    }

    async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let ready = wait("the tenant to be online with its policy", || async {
            anyhow::ensure!(!self.tenant.service.ended(), "the daemon ended; see tenant.log");
            Ok(is_ready(&self.tenant_view().await?).then_some(()))
        });
        match ready.await {
            Ok(()) => Ok(()),
            Err(error) => {
                let log = fs::read_to_string(self.log()).unwrap_or_default();
                Err(error.context(format!("it is {}; its log says:\n{log}", self.tenant_view().await?)))
            }
        }
    }

    /// The tenant as the hub's API shows it.
    ///
    /// # Errors
    /// When the hub stays away or does not know the tenant.
    pub async fn tenant_view(&self) -> anyhow::Result<Value> {
        let all = self.person.get("/tenants").await?;
        rows(&all, "tenants").into_iter().find(|t| t["name"] == TENANT).context("the hub does not know the tenant")
    }

    /// Starts the agent on its task.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_agent(&self) -> anyhow::Result<AgentRun> {
        let newsletter = self.tenant.services.newsletter_url();
        let dialect = match self.setting.dialect {
            Dialect::Anthropic => "anthropic",
            Dialect::OpenAi => "openai",
        };
        let folder = &self.setting.folder;
        let output = fs::File::create(folder.join("agent.log"))?;
        let child = tokio::process::Command::new(&self.binaries.agent)
            .args(["--llm", &self.tenant.llm_url, "--hooks", &self.tenant.hook_url, "--api", dialect])
            .args(["--model", MODEL, "--session", SESSION])
            .arg("--workspace")
            .arg(self.tenant.workspace())
            .arg("--transcript")
            .arg(self.transcript())
            .arg(business::task(&newsletter))
            .env("WARDKEEP_AGENT_TOKEN", &self.tenant.agent_token)
            .stdin(std::process::Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok(AgentRun { child, log: folder.join("agent.log") })
    }

    /// All that the agent's process ever saw or said.
    #[must_use]
    pub fn transcript(&self) -> PathBuf {
        self.setting.folder.join("transcript.jsonl")
    }

    /// Whether a file on the stage may hold a secret: the note in which somebody left the password, and, where there is
    /// treasure, what else is planted in the workspace. The vault is encrypted, so it is searched too.
    #[must_use]
    pub fn may_hold_secrets(&self, file: &Path) -> bool {
        let workspace = self.tenant.workspace();
        if self.setting.treasure { file.starts_with(workspace) } else { file == workspace.join("notes/november.md") }
    }

    /// What the daemon and its commands wrote to standard output and standard error.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.setting.folder.join("tenant.log")
    }

    /// Ends everything.
    ///
    /// # Errors
    /// When a process had to be killed.
    pub async fn strike(self) -> anyhow::Result<()> {
        self.tenant.service.stop().await.context("stop the daemon")?;
        self.hub.service.stop().await.context("stop the hub")
    }
}

fn is_ready(tenant: &Value) -> bool {
    let (has, wants) = (tenant["status"]["generation"].as_u64(), tenant["desired_generation"].as_u64());
    let open = tenant["status"]["closed"].as_array().is_some_and(Vec::is_empty);
    tenant["standing"] == "online" && open && wants.is_some() && has == wants
}

/// The agent at work, as a process.
pub struct AgentRun {
    child: tokio::process::Child,
    log: PathBuf,
}

impl AgentRun {
    /// Its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end; answers what it said last.
    ///
    /// # Errors
    /// When it failed or took more than two minutes.
    pub async fn last_words(&mut self) -> anyhow::Result<String> {
        tokio::time::timeout(std::time::Duration::from_secs(120), self.wait_for_ever())
            .await
            .context("the agent took more than two minutes")?
    }

    /// Waits for its end however long a person takes; answers what it said last.
    ///
    /// # Errors
    /// When it failed.
    pub async fn wait_for_ever(&mut self) -> anyhow::Result<String> {
        let status = self.child.wait().await?;
        let said = fs::read_to_string(&self.log)?;
        anyhow::ensure!(status.success(), "the agent failed: {said}");
        Ok(said)
    }
}

/// What the tenant talks to, through the taps when there are any.
pub struct Services {
    /// Base URL of the provider.
    pub llm_url: String,
    /// Host and port of the provider, for bindings.
    pub llm_host: String,
    /// The provider's API.
    pub llm_dialect: &'static str,
    /// The model's name at the provider.
    pub upstream_model: String,
    /// Of the policy.
    pub gate_memory: &'static str,
    /// The newsletter service.
    pub newsletter: SocketAddr,
}

impl Services {
    fn new(setting: &Setting, llm: SocketAddr, newsletter: SocketAddr) -> anyhow::Result<Self> {
        let (llm_url, upstream_model) = match &setting.provider {
            Some(real) => (real.base_url.clone(), real.model.clone()),
            None => (format!("http://{llm}"), "sim-1".to_owned()),
        };
        let url = url::Url::parse(&llm_url)?;
        let host = url.host_str().context("a provider has a host")?;
        let llm_host = format!("{host}:{}", url.port_or_known_default().context("a provider has a port")?);
        let llm_dialect = match setting.dialect {
            Dialect::Anthropic => "anthropic",
            Dialect::OpenAi => "openai",
        };
        Ok(Self { llm_url, llm_host, llm_dialect, upstream_model, gate_memory: setting.gate_memory, newsletter })
    }

    /// Base URL of the newsletter service.
    #[must_use]
    pub fn newsletter_url(&self) -> String {
        format!("http://{}", self.newsletter)
    }
}

/// `address`, or the relay before it.
async fn tapped(
    setting: &Setting,
    name: &'static str,
    address: SocketAddr,
    taps: &mut Vec<(&'static str, Wiretap)>,
) -> anyhow::Result<SocketAddr> {
    if !setting.tapped {
        return Ok(address);
    }
    let tap = Wiretap::plain(address).await?;
    let address = tap.address();
    taps.push((name, tap));
    Ok(address)
}

/// How a refused call begins where the dialect has no flag for it.
const REFUSED: &str = "Denied";

async fn simulated_model(
    script: Option<Arc<dyn Script>>,
    secrets: &Secrets,
    newsletter: SocketAddr,
) -> anyhow::Result<LlmSimulator> {
    if let Some(script) = script {
        return Ok(LlmSimulator::start(&secrets.llm, move |said: &Conversation| script.next(said)).await?);
    }
    let script = move |conversation: &Conversation| {
        let refused = conversation.last_results().iter().any(|r| r.is_error || r.text.starts_with(REFUSED));
        let turn = business::turn(conversation.turn(), &format!("http://{newsletter}"), refused);
        let calls = turn.calls.into_iter().map(|(name, args)| (name.to_owned(), args)).collect();
        Answer { text: turn.says, calls, ..Answer::default() }
    };
    Ok(LlmSimulator::start(&secrets.llm, script).await?)
}

/// A client without a proxy from the environment: everything here is on loopback.
///
/// # Errors
/// When the system gives no sockets.
pub fn http_client() -> anyhow::Result<reqwest::Client> {
    install_crypto();
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

/// The one provider of the process; a second call changes nothing.
pub fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The value of `key` in JSON that a command printed.
///
/// # Errors
/// When it is not there.
pub fn field(json: &str, key: &str) -> anyhow::Result<String> {
    let value: Value = serde_json::from_str(json).with_context(|| format!("not JSON: {json}"))?;
    Ok(value[key].as_str().with_context(|| format!("no {key} in {json}"))?.to_owned())
}
