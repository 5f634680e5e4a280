//! What of the configuration an agent's policy gives.

use std::path::PathBuf;

use serde_json::{Value, json};
use wardkeep_policy::{AgentPolicy, Bundle, Subagents};
use wardkeep_proto::ids::AgentName;

use super::{hardened, overlay};

/// What OpenClaw calls the daemon's MCP server; the plugin knows its tools by that.
pub const OWN_SERVER: &str = "wardkeep";
/// How long one of its calls may take, milliseconds; the daemon's own limit is shorter.
const REQUEST_MS: u32 = 180_000;

/// What an agent's policy says, and where what it speaks of is.
#[derive(Clone, Debug)]
pub struct Given {
    /// Whose.
    pub agent: AgentName,
    /// What holds for its sub-agents.
    pub subagents: Subagents,
    /// Tools of adapters that it may use.
    pub tools: Vec<String>,
    /// `wardkeep-agent`.
    pub runner: PathBuf,
    /// The daemon's hook socket.
    pub socket: PathBuf,
    /// The agent's local token.
    pub token_file: PathBuf,
}

impl Given {
    /// The tools of `bundle`'s adapters that its manifest lists.
    #[must_use]
    pub fn tools_of(bundle: &Bundle, agent: &AgentPolicy) -> Vec<String> {
        let names = |adapter: &wardkeep_policy::Adapter| {
            adapter.tools.iter().map(|tool| adapter.name_of(tool)).collect::<Vec<_>>()
        };
        bundle.adapters.iter().flat_map(names).filter(|name| agent.may_use(name)).collect()
    }

    /// Every setting that must be as it is: what is fixed for all, and what its policy fixes.
    #[must_use]
    pub fn fixed(&self) -> Value {
        let mut fixed = hardened();
        let Subagents { depth, count, .. } = self.subagents;
        // OpenClaw knows no zero; where there may be none, it has no tool to start one.
        let bounds = json!({"maxSpawnDepth": depth.max(1), "maxChildrenPerAgent": count.max(1)});
        overlay(&mut fixed, json!({"agents": {"defaults": {"subagents": bounds}}}));
        if !self.subagents.any()
            && let Some(denied) = fixed.pointer_mut("/tools/deny").and_then(Value::as_array_mut)
        {
            denied.push("sessions_spawn".into());
        }
        fixed
    }

    /// The daemon's MCP server, as OpenClaw starts it; none where the policy gives no tool that it alone has.
    #[must_use]
    pub fn server(&self) -> Option<Value> {
        (!self.tools.is_empty()).then(|| {
            json!({
                "command": self.runner,
                "args": [
                    "mcp", "--agent", self.agent.as_str(), "--token-file", self.token_file, "--socket", self.socket,
                ],
                "requestTimeoutMs": REQUEST_MS,
            })
        })
    }
}

/// Tool servers whose tools the plugin would take for the daemon's own, or that are not as `wanted`; every one by its place.
///
/// Names are compared as OpenClaw makes names of tools from them: of two that become alike the first one has it.
pub(super) fn servers(config: &Value, wanted: Option<&Given>) -> Vec<String> {
    let all = config.pointer("/mcp/servers").and_then(Value::as_object);
    let own = all.and_then(|all| all.get(OWN_SERVER));
    let differs = wanted.is_some_and(|given| given.server().as_ref() != own);
    let alike = |name: &&String| name.trim().to_ascii_lowercase().starts_with(OWN_SERVER) && *name != OWN_SERVER;
    let others = all.into_iter().flatten().map(|(name, _)| name).filter(alike).map(String::as_str);
    differs.then_some(OWN_SERVER).into_iter().chain(others).map(|name| format!("mcp.servers.{name}")).collect()
}
