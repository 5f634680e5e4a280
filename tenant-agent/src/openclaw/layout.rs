//! What is written where for one agent.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::files::Planned;
use super::given::{Given, OWN_SERVER};
use super::{DOTENV, overlay};

/// Everything that differs from agent to agent.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The user it runs as.
    pub user: String,
    /// Configuration, environment and token.
    pub folder: PathBuf,
    /// The plugin.
    pub plugin_dir: PathBuf,
    /// OpenClaw's own state; the agent's user writes it.
    pub home: PathBuf,
    /// The agent's workspace, as the policy names it.
    pub workspace: String,
    /// What its policy gives, and where the daemon is.
    pub given: Given,
    /// Names of models, as the policy has them; the first one is used unless another is asked for.
    pub models: Vec<String>,
    /// Base URL of the LLM gateway.
    pub llm: String,
    /// Port of OpenClaw's gateway on loopback.
    pub port: u16,
    /// How long a call waits for a person, seconds.
    pub wait_seconds: u16,
}

/// What is kept from agents but their own.
pub struct Tokens {
    /// The agent's local token.
    pub agent: String,
    /// That of OpenClaw's gateway.
    pub gateway: String,
}

impl Layout {
    /// OpenClaw's configuration.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("openclaw.json")
    }

    /// The environment of its process.
    #[must_use]
    pub fn environment_file(&self) -> PathBuf {
        self.folder.join("environment")
    }

    /// The configuration: what is fixed, and what is this agent's.
    #[must_use]
    pub fn config(&self) -> Value {
        let mut config = self.given.fixed();
        if let Some(server) = self.given.server() {
            overlay(&mut config, json!({"mcp": {"servers": {OWN_SERVER: server}}}));
        }
        let models: Vec<Value> = self.models.iter().map(|name| model(name)).collect();
        let primary = self.models.first().map(String::as_str).unwrap_or_default();
        overlay(
            &mut config,
            json!({
                "models": {"providers": {"wardkeep": {
                    "baseUrl": format!("{}/v1", self.llm),
                    "api": "openai-completions",
                    "apiKey": "${WARDKEEP_AGENT_TOKEN}",
                    "models": models,
                }}},
                "agents": {"defaults": {
                    "model": {"primary": format!("wardkeep/{primary}")},
                    "modelPolicy": {"allow": ["wardkeep/*"]},
                    "workspace": self.workspace,
                }},
                "gateway": {"port": self.port},
                "tools": {"exec": {"safeBinTrustedDirs": [self.given.runner.parent().unwrap_or(Path::new("/"))]}},
                "plugins": {
                    "load": {"paths": [self.plugin_dir]},
                    "entries": {"wardkeep": {
                        "hooks": {"timeouts": {
                            "before_tool_call": 600_000,
                            "message_sending": 600_000,
                            "reply_payload_sending": 60_000,
                            "before_agent_run": 15_000,
                        }},
                        "config": {
                            "socket": self.given.socket,
                            "tokenFile": self.given.token_file,
                            "runner": self.given.runner,
                            "workspace": self.workspace,
                            "waitSeconds": self.wait_seconds,
                        },
                    }},
                },
            }),
        );
        config
    }

    /// The environment of the gateway's process, in the form of systemd's `EnvironmentFile`.
    #[must_use]
    pub fn environment(&self, tokens: &Tokens) -> String {
        let path = |path: &Path| path.display().to_string();
        let settings = [
            ("HOME", path(&self.home)),
            ("OPENCLAW_CONFIG_PATH", path(&self.config_file())),
            ("OPENCLAW_STATE_DIR", path(&self.home.join("state"))),
        ];
        let fixed = ENVIRONMENT.iter().map(|(name, value, _)| (*name, (*value).to_owned()));
        let secret =
            [("WARDKEEP_AGENT_TOKEN", tokens.agent.clone()), ("OPENCLAW_GATEWAY_TOKEN", tokens.gateway.clone())];
        let lines = settings.into_iter().chain(fixed).chain(secret);
        lines.map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    /// The service. It runs where its user writes nothing, and where it looks for settings in files of its user it finds none.
    #[must_use]
    pub fn unit(&self) -> String {
        let Self { user, given: Given { agent, .. }, .. } = self;
        let unread: Vec<String> =
            DOTENV.iter().map(|name| format!("/dev/null:{}", self.home.join(name).display())).collect();
        let unread = unread.join(" ");
        let (environment, home, workspace) =
            (self.environment_file().display().to_string(), self.home.display().to_string(), &self.workspace);
        format!(
            "[Unit]\nDescription=OpenClaw for the agent {agent}, under Wardkeep\nRequires=wardkeep-agent.service\n\
             After=wardkeep-agent.service\n\n[Service]\nUser={user}\nEnvironmentFile={environment}\n\
             ExecStart=/usr/bin/env openclaw gateway run\nWorkingDirectory=/\nRestart=on-failure\nRestartSec=5\n\
             NoNewPrivileges=yes\nCapabilityBoundingSet=\nRestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n\
             ProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\nProtectKernelTunables=yes\nProtectKernelModules=yes\n\
             ProtectControlGroups=yes\nReadWritePaths={home} {workspace}\n\
             BindReadOnlyPaths={unread}\n\n[Install]\nWantedBy=multi-user.target\n"
        )
    }

    /// Every file but the plugin's.
    #[must_use]
    pub fn files(&self, tokens: &Tokens, unit_dir: Option<&Path>) -> Vec<Planned> {
        let mut config = serde_json::to_string_pretty(&self.config()).unwrap_or_default();
        config.push('\n');
        let mut files = vec![
            Planned::open(self.config_file(), config),
            Planned::for_group(self.environment_file(), self.environment(tokens)),
            Planned::for_group(self.given.token_file.clone(), format!("{}\n", tokens.agent)),
        ];
        if let Some(dir) = unit_dir {
            files.push(Planned::open(dir.join(format!("openclaw-{}.service", self.given.agent)), self.unit()));
        }
        files
    }
}

/// What the process needs in its environment, and why.
pub const ENVIRONMENT: &[(&str, &str, &str)] = &[
    ("OPENCLAW_TRAJECTORY", "0", "the recorder of trajectories stores what no hook has cleaned"),
    ("OPENCLAW_NO_RESPAWN", "1", "the process that systemd started is the one that is guarded"),
    ("OPENCLAW_DISABLE_BONJOUR", "1", "nobody on the network is told of it"),
    ("OPENCLAW_EXEC_SHELL_SNAPSHOT", "0", "no profile of the agent's user is read before a command"),
    // What stands here is not taken from a file of the agent's user, also where OpenClaw is started otherwise than by our service.
    ("OPENCLAW_SERVICE_MANAGED_ENV_KEYS", "", "no file names settings that it replaces"),
    ("OPENCLAW_BUNDLED_PLUGINS_DIR", "", "no other plugin passes for one that OpenClaw brings"),
    ("OPENCLAW_BUNDLED_HOOKS_DIR", "", "no other hook passes for one that OpenClaw brings"),
    ("OPENCLAW_TEST_TRUST_BUNDLED_PLUGINS_DIR", "", "no plugin is believed as tests believe theirs"),
    ("VITEST", "", "it is not told that it is tested"),
    ("NODE_ENV", "production", "it is not told that it is tested"),
    ("NODE_OPTIONS", "", "no code is loaded into the programs that it starts"),
    ("OPENCLAW_CACHE_TRACE", "", "no prompt is written down that no hook has cleaned"),
    ("OPENCLAW_RAW_STREAM", "", "no answer is written down that no hook has cleaned"),
    ("OPENCLAW_ANTHROPIC_PAYLOAD_LOG", "", "no request is written down that no hook has cleaned"),
];

fn model(name: &str) -> Value {
    json!({
        "id": name, "name": name, "input": ["text", "image"], "contextWindow": 200_000, "maxTokens": 8_192,
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    })
}
