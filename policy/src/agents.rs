//! What a bundle says about one agent.

mod exact;
mod grantable;
pub mod subagents;

use serde::{Deserialize, Serialize};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{AgentName, SessionId};
use wardkeep_proto::time::Timestamp;

use crate::action::{Action, Call};
use crate::class::Level;
use crate::facts::http::Target;

pub use exact::{Unfit, fit};
pub use grantable::grantable;
pub use subagents::Subagents;

/// Domain of [`Grant::id`].
const ID_DOMAIN: &str = "wardkeep/grant/v1";

/// One agent as the bundle describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentPolicy {
    /// Which agent.
    pub name: AgentName,
    /// How far it is trusted.
    pub level: Level,
    /// Of its instructions and tools, named by whoever changes them; the same one goes with the same beginning of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The tools it may name; `None` is any tool, an empty list is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// The models it may ask for, as [`crate::bundle::Model::name`]; empty is none.
    #[serde(default)]
    pub models: Vec<String>,
    /// Standing permissions through the external gate.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// What the agents may do that it starts.
    #[serde(default, skip_serializing_if = "Subagents::is_usual")]
    pub subagents: Subagents,
    /// Absolute folder in which it works.
    pub workspace: String,
}

/// A standing permission: this tool may reach these recipients or hosts, or run exactly these commands, without asking, until it
/// expires or is used up.
///
/// Covers [`Call::Message`] by recipient, [`Call::Http`] by host, [`Call::Adapter`] by recipient where its tool names them, else by
/// host. Shell text and programs are covered word by word only, where all words are known before it runs: recipients of anything
/// else cannot be known. Never lets pass what is Red.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The tool as the action names it.
    pub tool: String,
    /// Exact addresses or `*@example.com`; every recipient of a message must be covered.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// Exact hosts or `*.example.com`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Program and arguments of each command, in the agent's workspace; see [`fit()`] for what cannot stand here.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "exact::commands")]
    pub commands: Vec<Vec<String>>,
    /// How often it may be used in all, counted on the tenant; `None` is without a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// The moment from which it no longer holds; `None` is for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl AgentPolicy {
    /// Whether the manifest lists `tool`.
    #[must_use]
    pub fn may_use(&self, tool: &str) -> bool {
        self.tools.as_ref().is_none_or(|tools| tools.iter().any(|t| t == tool))
    }

    /// How far whoever calls in `session` is trusted: the agent itself, or a sub-agent of it.
    #[must_use]
    pub fn level_in(&self, session: &SessionId) -> Level {
        if subagents::is_subagent(session) { self.subagents.level_under(self.level) } else { self.level }
    }

    /// The grant that covers `action` at `now`; of several one for exactly this command, and one without a count, come first.
    #[must_use]
    pub fn granting(&self, action: &Action, now: Timestamp) -> Option<&Grant> {
        let covering = self.grants.iter().filter(|grant| grant.covers(action, &self.workspace, now));
        covering.min_by_key(|grant| grant.uses.is_some())
    }
}

impl Grant {
    /// Names this grant of `agent`: equal but for its count, it is the same grant and its uses go on being counted.
    #[must_use]
    pub fn id(&self, agent: &AgentName) -> Digest {
        let Self { tool, recipients, hosts, commands, uses: _, expires } = self;
        let named = serde_json::json!({
            "agent": agent, "tool": tool, "recipients": recipients, "hosts": hosts, "commands": commands, "expires": expires,
        });
        Digest::of(ID_DOMAIN, &serde_json_canonicalizer::to_vec(&named).expect("names and times are plain JSON"))
    }

    /// Whether this grant covers the whole of `action` of an agent that works in `workspace`, at `now`.
    fn covers(&self, action: &Action, workspace: &str, now: Timestamp) -> bool {
        if self.tool != action.tool || self.expires.is_some_and(|at| now >= at) || self.uses == Some(0) {
            return false;
        }
        match &action.call {
            Call::Message { to, .. } => self.covers_all(to),
            Call::Http { url, .. } => self.covers_host_of(url),
            // Who receives it counts where the tool says so, not the service that carries it.
            Call::Adapter { to: Some(to), .. } => self.covers_all(to),
            Call::Adapter { to: None, request, .. } => self.covers_host_of(&request.url),
            call @ (Call::Shell { .. } | Call::Exec { .. }) => {
                let at_home = action.cwd.as_deref().is_none_or(|cwd| matches!(cwd, "" | ".") || cwd == workspace);
                at_home
                    && !self.commands.is_empty()
                    && exact::words(call).is_some_and(|words| self.commands.contains(&words) && fit(&words).is_ok())
            }
            _ => false,
        }
    }

    fn covers_all(&self, to: &[String]) -> bool {
        !to.is_empty() && to.iter().all(|one| self.recipients.iter().any(|p| covers_address(p, one)))
    }

    fn covers_host_of(&self, url: &str) -> bool {
        Target::parse(url).is_ok_and(|target| self.hosts.iter().any(|p| covers_host(p, &target.host)))
    }
}

fn covers_address(pattern: &str, address: &str) -> bool {
    // One plain address only: `a@ok.example, b@elsewhere` or `x <b@elsewhere>` must not pass as its last part.
    if address.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, ',' | ';' | '<' | '>' | '"')) {
        return false;
    }
    let (pattern, address) = (pattern.to_ascii_lowercase(), address.to_ascii_lowercase());
    match pattern.strip_prefix("*@") {
        Some(domain) => {
            address.matches('@').count() == 1
                && address.split_once('@').is_some_and(|(name, at)| !name.is_empty() && at == domain)
        }
        None => pattern == address,
    }
}

/// Whether `pattern` (exact, or `*.example.com` for every name below it) covers `host`.
pub(crate) fn covers_host(pattern: &str, host: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_prefix("*.") {
        Some(parent) => {
            host.strip_suffix(parent).and_then(|rest| rest.strip_suffix('.')).is_some_and(|name| !name.is_empty())
        }
        None => pattern == host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_whole() {
        for (pattern, address, want) in [
            ("*@shop.example", "a@shop.example, b@evil.example", false),
            ("*@shop.example", "b@evil.example <a@shop.example", false),
            ("*@shop.example", "a@evil.example@shop.example", false),
            ("*@shop.example", "@shop.example", false),
            ("*@shop.example", "a@sub.shop.example", false),
            ("*@shop.example", "Anna@Shop.example", true),
            ("anna@shop.example", "anna@shop.example", true),
            ("anna@shop.example", "bert@shop.example", false),
        ] {
            assert_eq!(covers_address(pattern, address), want, "{pattern} {address}");
        }
    }

    #[test]
    fn a_star_covers_names_below_and_not_the_parent() {
        for (pattern, host, want) in [
            ("*.example.com", "example.com", false),
            ("*.example.com", "evilexample.com", false),
            ("*.example.com", "a.b.example.com", true),
            ("api.example.com", "api.example.com", true),
            ("api.example.com", "api.example.com.evil.net", false),
        ] {
            assert_eq!(covers_host(pattern, host), want, "{pattern} {host}");
        }
    }
}
