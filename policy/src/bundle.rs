//! The bundle: everything the hub tells one tenant to enforce, in one numbered document.

use serde::{Deserialize, Serialize};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{AgentName, TenantId};
use wardkeep_proto::time::Timestamp;
use wardkeep_redaction::Additions;

use crate::adapters::Adapter;
use crate::agents::{AgentPolicy, Subagents, covers_host};
use crate::class::Level;
use crate::containers::Image;
use crate::limits::{self, RunLimits, RunRule};
use crate::rules::{RuleSet, default_rules};

pub mod asking;
pub mod budgets;
pub mod egress;
pub mod granting;
pub mod llm;
mod price;

pub use asking::Asking;
use budgets::Budget;
pub use egress::{EgressMode, EgressRule};
pub use granting::Granting;
pub use llm::{Dialect, GateMemory, LlmConfig, Model, Provider};
pub use price::{Date, DatedPrice, Price, Tariff};

/// The bundle format this build writes and reads.
pub const FORMAT: u32 = 1;

/// How long a bundle of [`Bundle::default_for`] holds: 90 days, in milliseconds.
const LIFETIME_MS: i64 = 90 * 24 * 60 * 60 * 1000;

/// The policy of one tenant.
///
/// A value read from the wire was verified first: see [`crate::signed::verify`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`FORMAT`].
    pub format: u32,
    /// For whom it is; another tenant refuses it.
    pub tenant: TenantId,
    /// Grows by each publication; a lower one is refused.
    pub version: u64,
    /// Digest of the bundle before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// When it was published.
    pub issued: Timestamp,
    /// When it stops counting; the strict bundle takes over.
    pub expires: Timestamp,
    /// Lowest daemon version that understands it, e.g. `0.1.0`.
    pub minimum_agent: String,
    /// How calls are classified.
    pub rules: RuleSet,
    /// The agents of this tenant; any other is denied.
    pub agents: Vec<AgentPolicy>,
    /// Where LLM requests go.
    pub llm: LlmConfig,
    /// Hosts that are known here.
    #[serde(default)]
    pub http: Vec<HttpHost>,
    /// What is redacted beside the vault's values and the shipped formats, and what is not.
    #[serde(default, skip_serializing_if = "Additions::is_empty")]
    pub redaction: Additions,
    /// What agents' tools may reach through the forward proxy; nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<EgressRule>,
    /// Tools of outside services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adapters: Vec<Adapter>,
    /// What agents may use up; none is no limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<Budget>,
    /// What runs of agents may use up, where it differs from the default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunRule>,
    /// What containers are made of; no other image runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// How much people are asked about one agent.
    #[serde(default, skip_serializing_if = "Asking::is_usual")]
    pub asking: Asking,
    /// What people may grant when they approve a call.
    #[serde(default, skip_serializing_if = "Granting::is_usual")]
    pub granting: Granting,
    /// Set in the built-in strict bundle only: the level of every agent, listed or not. Never on the wire.
    #[serde(skip)]
    pub any_agent: Option<Level>,
}

/// A host that the bundle knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpHost {
    /// Exact name or `*.example.com`, lower case, without port.
    pub host: String,
    /// Whose it is.
    #[serde(default)]
    pub kind: HostKind,
}

/// Whose a known host is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostKind {
    /// A third party: reading is Yellow, writing is Yellow+External.
    #[default]
    Known,
    /// A service of this tenant: writing is Yellow, deleting still Red.
    Own,
}

impl Bundle {
    /// The built-in bundle that counts when there is no other: shipped rules, every agent supervised, no grant, no model,
    /// no known host.
    #[must_use]
    pub fn strict() -> Self {
        Self {
            format: FORMAT,
            tenant: NOBODY.parse().expect("the constant is a UUID"),
            version: 0,
            previous: None,
            issued: Timestamp(0),
            expires: FAR,
            minimum_agent: "0.0.0".to_owned(),
            rules: default_rules(),
            agents: Vec::new(),
            llm: LlmConfig::default(),
            http: Vec::new(),
            redaction: Additions::default(),
            egress: Vec::new(),
            adapters: Vec::new(),
            budgets: Vec::new(),
            runs: Vec::new(),
            images: Vec::new(),
            asking: Asking::default(),
            granting: Granting::default(),
            any_agent: Some(Level::Supervised),
        }
    }

    /// A first bundle for `tenant`: shipped rules, these agents and models, version 1, good for 90 days from `issued`.
    #[must_use]
    pub fn default_for(tenant: TenantId, agents: Vec<AgentPolicy>, llm: LlmConfig, issued: Timestamp) -> Self {
        Self {
            tenant,
            version: 1,
            issued,
            expires: Timestamp(issued.millis().saturating_add(LIFETIME_MS).min(FAR.millis())),
            minimum_agent: "0.1.0".to_owned(),
            agents,
            llm,
            any_agent: None,
            ..Self::strict()
        }
    }

    /// What holds for `name`; `None` is an unknown agent, which may do nothing.
    #[must_use]
    pub fn agent(&self, name: &AgentName) -> Option<AgentPolicy> {
        if let Some(level) = self.any_agent {
            return Some(AgentPolicy {
                name: name.clone(),
                level,
                version: None,
                tools: None,
                models: Vec::new(),
                grants: Vec::new(),
                subagents: Subagents::default(),
                workspace: String::new(),
            });
        }
        self.agents.iter().find(|agent| &agent.name == name).cloned()
    }

    /// The folder in which `name` works, as [`Self::agent`] says; empty is not known.
    pub(crate) fn workspace(&self, name: &AgentName) -> &str {
        let listed = self.agents.iter().filter(|_| self.any_agent.is_none()).find(|agent| &agent.name == name);
        listed.map_or("", |agent| &agent.workspace)
    }

    /// What a run of `name` may use up.
    #[must_use]
    pub fn limits_of(&self, name: &AgentName) -> RunLimits {
        limits::limits_of(&self.runs, name)
    }

    /// Whose `host` (lower case, no port) is; `None` is unlisted.
    #[must_use]
    pub fn host_kind(&self, host: &str) -> Option<HostKind> {
        // Several entries may cover one host; the stricter one counts.
        let mut kinds = self.http.iter().filter(|h| covers_host(&h.host, host)).map(|h| h.kind);
        let first = kinds.next()?;
        Some(if first == HostKind::Known || kinds.any(|k| k == HostKind::Known) {
            HostKind::Known
        } else {
            HostKind::Own
        })
    }

    /// The bytes that are signed: canonical JSON (RFC 8785).
    ///
    /// # Errors
    /// Never for a bundle that was parsed or built here; the error is serde's.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json_canonicalizer::to_vec(self)
    }
}

/// 2^53 - 1 ms: the last moment that canonical JSON writes exactly.
const FAR: Timestamp = Timestamp((1 << 53) - 1);

/// The tenant of the strict bundle: nobody's id.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

#[cfg(test)]
mod tests;
