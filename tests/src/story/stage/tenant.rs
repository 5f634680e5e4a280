//! The customer's server: daemon, vault, workspace.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{AGENT, Hub, MODEL, OTHER_AGENT, Service, Services, Setting, Start, command};
use crate::ports;
use crate::story::business::{self, Secrets};
use crate::story::wiretap::Wiretap;

/// One tenant on the stage.
pub struct Tenant {
    /// `wardkeep-agent run`.
    pub service: Service,
    /// What it talks to.
    pub services: Services,
    /// Base URL of the hook API.
    pub hook_url: String,
    /// Base URL of the LLM gateway.
    pub llm_url: String,
    /// The agent's local token.
    pub agent_token: String,
    /// That of the other agent.
    pub other_token: String,
    folder: PathBuf,
    program: PathBuf,
}

/// What the agent at work may ask for; the last three are carried out by its runtime, not by the daemon.
const TOOLS: &str = r#""list_files", "read_file", "write_file", "delete_file", "http_request", "shell", "message", "send_email",
    "crm_note""#;

impl Tenant {
    pub(super) async fn start(
        program: &Path,
        setting: &Setting,
        hub: &Hub,
        secrets: &Secrets,
        services: Services,
        taps: &mut Vec<(&'static str, Wiretap)>,
    ) -> anyhow::Result<Self> {
        let folder = setting.folder.join("tenant");
        for sub in ["run", "workspace"] {
            fs::create_dir_all(folder.join(sub))?;
        }
        business::lay_out(&folder.join("workspace"), secrets)?;
        let (hooks, llm) = (ports::free()?, ports::free()?);
        let mut link = None;
        if setting.tapped {
            let tap = hub.tap(&folder.join("state")).await?;
            link = Some(tap.address());
            taps.push(("link to the hub", tap));
        }
        fs::write(folder.join("agent.toml"), configuration(setting, &folder, link, hooks, llm))?;
        let config = folder.join("agent.toml").display().to_string();
        let run = async |arguments: &[&str], input: &str| {
            let mut all = vec!["--config", config.as_str()];
            all.extend_from_slice(arguments);
            command(program, &all, input).await
        };
        run(&["enrol"], &hub.enrolment_token().await?).await.context("enrol")?;
        run(&["vault", "init"], "").await.context("vault init")?;
        let bindings = secrets.bindings(&services.llm_host, &services.newsletter.to_string());
        for ((name, value), bindings) in secrets.all().zip(bindings) {
            let mut arguments = vec!["vault", "set", name];
            for binding in &bindings {
                arguments.extend(["--to", binding]);
            }
            run(&arguments, value).await.with_context(|| format!("vault set {name}"))?;
        }
        let agent_token = run(&["hook", "token", AGENT], "").await?.trim().to_owned();
        let other_token = run(&["hook", "token", OTHER_AGENT], "").await?.trim().to_owned();
        let mut environment = Vec::new();
        if let Some(kill) = setting.kill.filter(|k| !k.at_hub()) {
            environment.push(kill.environment(&setting.folder));
        }
        environment.extend(setting.log.map(|level| ("WARDKEEP_LOG", level.to_owned())));
        let service = Service::start(Start {
            name: "wardkeep-agent",
            program: program.to_path_buf(),
            arguments: ["--config", config.as_str(), "run"].map(str::to_owned).into(),
            environment,
            log: setting.folder.join("tenant.log"),
        })?;
        Ok(Self {
            service,
            services,
            hook_url: format!("http://{hooks}"),
            llm_url: format!("http://{llm}"),
            agent_token,
            other_token,
            folder,
            program: program.to_path_buf(),
        })
    }

    /// Runs `wardkeep-agent ARGUMENTS` for this tenant.
    ///
    /// # Errors
    /// When it ends with an error.
    pub async fn cli(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.cli_told(arguments, "").await
    }

    /// The same with `input` on its standard input.
    ///
    /// # Errors
    /// When it ends with an error.
    pub async fn cli_told(&self, arguments: &[&str], input: &str) -> anyhow::Result<String> {
        let config = self.folder.join("agent.toml").display().to_string();
        let mut all = vec!["--config", config.as_str()];
        all.extend_from_slice(arguments);
        command(&self.program, &all, input).await
    }

    /// The agent's folder.
    #[must_use]
    pub fn workspace(&self) -> PathBuf {
        self.folder.join("workspace")
    }

    /// The daemon's folder.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Its policy, as the operator writes it.
    #[must_use]
    pub fn policy(&self) -> String {
        let Services { llm_url, upstream_model, llm_dialect, gate_memory, .. } = &self.services;
        let workspace = self.workspace().display().to_string();
        format!(
            r#"
[llm]
gate_memory = "{gate_memory}"

[[agents]]
name = "{AGENT}"
level = "trusted"
tools = [{TOOLS}]
models = ["{MODEL}"]
workspace = "{workspace}"

[[agents]]
name = "{OTHER_AGENT}"
level = "trusted"
tools = ["list_files", "read_file", "shell"]
models = ["{MODEL}"]
workspace = "{workspace}"

[[http]]
host = "127.0.0.1"

[[providers]]
name = "provider"
dialect = "{llm_dialect}"
base_url = "{llm_url}"
key = "llm_api_key"
server_tools = ["mcp"]

# Prices in millionths of a US dollar per million tokens.
[[models]]
name = "{MODEL}"
provider = "provider"
upstream_model = "{upstream_model}"
price = {{ input = 3000000, output = 15000000, cache_read = 300000, cache_write = 3750000 }}
"#
        )
    }
}

fn configuration(
    setting: &Setting,
    folder: &Path,
    link: Option<SocketAddr>,
    hooks: SocketAddr,
    llm: SocketAddr,
) -> String {
    let folder = folder.display();
    let hub = link.map_or_else(String::new, |address| format!("[hub]\naddress = \"https://{address}\"\n"));
    let upstream = setting
        .upstream_ca
        .as_ref()
        .map_or_else(String::new, |path| format!("upstream_ca_file = \"{}\"\n", path.display()));
    format!(
        "state_dir = \"{folder}/state\"\nruntime_dir = \"{folder}/run\"\n\n{hub}\n[hooks]\nlisten = \"{hooks}\"\n\n\
         [llm]\nlisten = \"{llm}\"\n\n[proxy]\nlisten = \"127.0.0.1:0\"\n{upstream}\n[vault]\nkey_file = \"{folder}/vault.key\"\n\n{}",
        setting.configuration
    )
}
