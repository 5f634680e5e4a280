//! Hub, daemon and the newsletter service, described to the agent as an adapter.

use std::path::Path;

use serde_json::json;
use wardkeep_tests::simulators::newsletter::NewsletterSimulator;
use wardkeep_tests::simulators::newsletter::adapter::{ALL, BEARER, adapter};
use wardkeep_tests::story::stage::{AGENT, Binaries, Setting, Stage};

/// What the agent may use of it. `news_export` is there and not listed.
pub(crate) const LISTED: &[&str] = &[
    "news_account",
    "news_create",
    "news_debug",
    "news_get",
    "news_moved",
    "news_send",
    "read_file",
    "shell",
    "wardkeep_result",
];

/// What runs.
pub(crate) struct World {
    pub(crate) stage: Stage,
    program: String,
}

impl World {
    pub(crate) async fn set(folder: &Path) -> anyhow::Result<Self> {
        let stage = Stage::set(Setting::plain(folder), &|_| ()).await?;
        stage.follow(&policy(&stage)).await?;
        Ok(Self { stage, program: Binaries::find()?.daemon.display().to_string() })
    }

    pub(crate) async fn strike(self) -> anyhow::Result<()> {
        self.stage.strike().await
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.stage.setting.folder
    }

    pub(crate) const fn service(&self) -> &NewsletterSimulator {
        &self.stage.newsletter
    }

    /// The key that nobody but the service may see.
    pub(crate) fn key(&self) -> &str {
        &self.stage.secrets.newsletter
    }

    /// Where a client finds the server, over either transport.
    pub(crate) fn environment(&self, wait: u16) -> anyhow::Result<Vec<(&'static str, String)>> {
        let wait = wait.to_string();
        let socket = self.folder().join("tenant/run/hook.sock").display().to_string();
        let command = json!([self.program, "mcp", "--agent", AGENT, "--wait", wait]);
        Ok(vec![
            ("MCP_COMMAND", command.to_string()),
            ("MCP_URL", format!("{}/mcp", self.stage.tenant.hook_url)),
            ("MCP_WAIT", wait),
            ("WARDKEEP_AGENT_TOKEN", self.stage.tenant.agent_token.clone()),
            ("WARDKEEP_HOOK_SOCKET", socket),
        ])
    }
}

fn policy(stage: &Stage) -> String {
    let tools: Vec<String> = LISTED.iter().map(|name| format!("{name:?}")).collect();
    let workspace = stage.tenant.workspace().display().to_string();
    let agent = format!(
        "[[agents]]\nname = \"{AGENT}\"\nlevel = \"trusted\"\ntools = [{}]\nworkspace = \"{workspace}\"\n",
        tools.join(", ")
    );
    agent + &adapter("news", &stage.newsletter.base_url(), BEARER, ALL)
}
