//! What is written where for one agent.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::openclaw::files::Planned;
use crate::openclaw::given::{Given, OWN_SERVER};

/// How much longer than a call waits for a person the runtime waits for the hook, seconds; the hook gives up long before.
const LONGER: u16 = 60;

/// Events of which the hook hears.
///
/// Before the model is asked the lease is renewed; the rest is decided on or recorded.
pub const EVENTS: &[&str] = &[
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PermissionRequest",
    "PostToolUse",
    "PostToolUseFailure",
    "PostToolBatch",
    "PreCompact",
    "SessionEnd",
];

/// What no settings of a workspace may set otherwise, and why.
const PINNED: &[(&str, &str, &str)] = &[
    ("LD_PRELOAD", "", "the hook is a program: code that is loaded into it could answer in its place"),
    ("LD_AUDIT", "", "as LD_PRELOAD"),
    ("LD_LIBRARY_PATH", "", "as LD_PRELOAD"),
    ("GLIBC_TUNABLES", "", "as LD_PRELOAD"),
    ("BASH_ENV", "", "a shell starts the hook, and reads this first"),
    ("ENV", "", "as BASH_ENV"),
    ("NODE_OPTIONS", "", "tool servers on Node read it"),
    ("CLAUDE_CODE_USE_BEDROCK", "0", "models are asked through the gateway"),
    ("CLAUDE_CODE_USE_VERTEX", "0", "models are asked through the gateway"),
    ("CLAUDE_CODE_USE_FOUNDRY", "0", "models are asked through the gateway"),
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1", "nothing is reported past the gateway"),
    ("DISABLE_AUTOUPDATER", "1", "the release that runs is the one that was installed"),
    ("ENABLE_TOOL_SEARCH", "false", "tools of servers are offered as they are, not looked up by a tool of their own"),
];

/// Names under which the runtime asks for one model or another.
const MODELS: &[&str] = &[
    "ANTHROPIC_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "CLAUDE_CODE_SUBAGENT_MODEL",
];

/// Everything that differs from agent to agent.
#[derive(Clone, Debug)]
pub struct Layout {
    /// What its policy gives, and where the daemon is.
    pub given: Given,
    /// Where the managed settings are.
    pub managed_dir: PathBuf,
    /// The agent's workspace, as the policy names it.
    pub workspace: PathBuf,
    /// The model that it uses, as the policy has it.
    pub model: String,
    /// Base URL of the LLM gateway.
    pub llm: String,
    /// How long a call waits for a person, seconds.
    pub wait_seconds: u16,
}

impl Layout {
    /// The settings; what other administrators wrote stays beside them.
    #[must_use]
    pub fn settings_file(&self) -> PathBuf {
        self.managed_dir.join("managed-settings.d/wardkeep.json")
    }

    /// The tool servers that there may be.
    #[must_use]
    pub fn servers_file(&self) -> PathBuf {
        self.managed_dir.join("managed-mcp.json")
    }

    /// The managed settings.
    #[must_use]
    pub fn settings(&self) -> Value {
        let hooks: Map<String, Value> = EVENTS.iter().map(|event| ((*event).to_owned(), self.hook())).collect();
        json!({
            "hooks": hooks,
            "disableAllHooks": false,
            "allowManagedHooksOnly": true,
            "allowManagedPermissionRulesOnly": true,
            "allowManagedMcpServersOnly": true,
            "allowedMcpServers": [],
            "strictKnownMarketplaces": [],
            "disableSkillShellExecution": true,
            "disableAutoMode": "disable",
            "permissions": {"disableBypassPermissionsMode": "disable"},
            "apiKeyHelper": format!("cat {}", quoted(&self.given.token_file)),
            "env": self.environment(),
        })
    }

    /// A shell's last word counts: whatever becomes of the hook, its end is a yes or a no.
    fn hook(&self) -> Value {
        let Given { runner, socket, token_file, .. } = &self.given;
        let command = format!(
            "{} hook claude-code --wait {} --workspace {} --token-file {} --socket {} || exit 2",
            quoted(runner),
            self.wait_seconds,
            quoted(&self.workspace),
            quoted(token_file),
            quoted(socket)
        );
        json!([{"hooks": [{"type": "command", "command": command, "timeout": self.wait_seconds + LONGER}]}])
    }

    fn environment(&self) -> Value {
        let subagents = self.given.subagents;
        let count = if subagents.any() { subagents.count } else { 0 };
        let fixed = PINNED.iter().map(|(name, value, _)| ((*name).to_owned(), Value::from(*value)));
        let models = MODELS.iter().map(|name| ((*name).to_owned(), Value::from(self.model.as_str())));
        let more = [
            ("ANTHROPIC_BASE_URL", self.llm.clone()),
            // The hook is a command and cannot count those that run; the runtime does.
            ("CLAUDE_CODE_MAX_CONCURRENT_SUBAGENTS", count.max(1).to_string()),
        ];
        let more = more.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
        Value::Object(fixed.chain(models).chain(more).collect())
    }

    /// The tool servers: ours where the policy gives tools that it alone has, and what an administrator put there.
    #[must_use]
    pub fn servers(&self, there: &Value) -> Value {
        let mut servers = there["mcpServers"].as_object().cloned().unwrap_or_default();
        servers.remove(OWN_SERVER);
        if let Some(own) = self.own_server() {
            servers.insert(OWN_SERVER.to_owned(), own);
        }
        json!({ "mcpServers": servers })
    }

    /// Ours, where there is one.
    pub(super) fn own_server(&self) -> Option<Value> {
        let Given { agent, runner, socket, token_file, tools, .. } = &self.given;
        (!tools.is_empty()).then(|| {
            json!({
                "type": "stdio",
                "command": runner,
                "args": ["mcp", "--agent", agent.as_str(), "--token-file", token_file, "--socket", socket],
            })
        })
    }

    /// Every file. What of the servers' file is there already cannot be told from none when it is no JSON: it is replaced.
    #[must_use]
    pub fn files(&self, token: &str) -> Vec<Planned> {
        let there = std::fs::read(self.servers_file()).ok().and_then(|text| serde_json::from_slice(&text).ok());
        vec![
            Planned::open(self.settings_file(), pretty(&self.settings())),
            Planned::open(self.servers_file(), pretty(&self.servers(&there.unwrap_or_default()))),
            Planned::for_group(self.given.token_file.clone(), format!("{token}\n")),
        ]
    }
}

fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap_or_default())
}

/// A path as one word of a shell.
pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
