//! What agents' tools may reach beside models: the allow-list of the forward proxy.
//!
//! Pure: names are compared here, addresses where they are known. What no rule lists is refused.

mod check;
mod path;

use serde::{Deserialize, Serialize};
use wardkeep_proto::ids::AgentName;

use crate::agents::covers_host;
use crate::facts::http::overrides;

pub use check::{InvalidEgress, check};

/// One host, or all names below one, that agents may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressRule {
    /// Exact name or address, or `*.example.com` for every name below; lower case, no port, IPv6 without brackets.
    pub host: String,
    /// TCP ports.
    #[serde(default = "https")]
    pub ports: Vec<u16>,
    /// What the proxy does with the connection.
    #[serde(default)]
    pub mode: EgressMode,
    /// Methods in capitals; empty is any. Inspected hosts only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Paths without query, `*` within a segment, `**` across; empty is any. Inspected hosts only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Which agents; empty is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentName>,
    /// A host of the tenant's own network, whose name may lead to a private address or to this machine.
    #[serde(default, skip_serializing_if = "is_false")]
    pub private: bool,
}

/// What the proxy does with a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EgressMode {
    /// TLS passes untouched; only the name in its first message is compared.
    #[default]
    Tunnel,
    /// Requests are read: methods, paths, redaction, bound secrets.
    Inspect,
}

fn https() -> Vec<u16> {
    vec![443]
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Headers whose path some servers obey more than that of the first line (IIS, Symfony).
const PATHS: [&str; 2] = ["x-original-url", "x-rewrite-url"];

/// Whether two header names are one to some server. CGI and its heirs hand headers on as `HTTP_X_ORIGINAL_URL`, so every
/// sign but letters and digits is the same there.
#[must_use]
pub fn same_name(one: &str, other: &str) -> bool {
    let same =
        |(a, b): (u8, u8)| a.eq_ignore_ascii_case(&b) || !(a.is_ascii_alphanumeric() || b.is_ascii_alphanumeric());
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(same)
}

/// The rules that open one host and port to one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    mode: EgressMode,
    rules: Vec<EgressRule>,
}

/// Why a request to a listed host is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotListed {
    /// No rule for the host lists the method.
    #[error("the policy does not list this method for this host")]
    Method,
    /// No rule for the host lists the path with this method.
    #[error("the policy does not list this path for this host")]
    Path,
    /// Servers read such a path in different ways, so no rule can speak about it.
    #[error("the path holds dot segments, encoded slashes or backslashes, which servers read in different ways")]
    Ambiguous,
}

/// What opens `host` (lower case, no trailing dot, no brackets) on `port` to `agent`; `None` is refused.
///
/// Where several rules cover a host the strictest way counts: `inspect` before `tunnel`.
#[must_use]
pub fn opening(rules: &[EgressRule], agent: &AgentName, host: &str, port: u16) -> Option<Opening> {
    let covers = |rule: &&EgressRule| {
        covers_host(&rule.host, host)
            && rule.ports.contains(&port)
            && (rule.agents.is_empty() || rule.agents.contains(agent))
    };
    let mut found: Vec<EgressRule> = rules.iter().filter(covers).cloned().collect();
    let mode = if found.iter().any(|rule| rule.mode == EgressMode::Inspect) {
        EgressMode::Inspect
    } else {
        EgressMode::Tunnel
    };
    found.retain(|rule| rule.mode == mode);
    (!found.is_empty()).then_some(Opening { mode, rules: found })
}

impl Opening {
    /// What the proxy does.
    #[must_use]
    pub const fn mode(&self) -> EgressMode {
        self.mode
    }

    /// Whether the name may lead to a private address: all rules for it must say so.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.rules.iter().all(|rule| rule.private)
    }

    /// Whether one of the rules lists this method with this path (no query).
    ///
    /// # Errors
    /// [`NotListed`] says what is not.
    pub fn allows(&self, method: &str, path: &str) -> Result<(), NotListed> {
        let mut of_method =
            self.rules.iter().filter(|rule| rule.methods.is_empty() || rule.methods.iter().any(|m| m == method));
        let mut refused = NotListed::Method;
        of_method
            .any(|rule| {
                refused = NotListed::Path;
                if rule.paths.is_empty() {
                    return true;
                }
                if path::is_ambiguous(path) {
                    refused = NotListed::Ambiguous;
                    return false;
                }
                rule.paths.iter().any(|pattern| path::covers(pattern, path))
            })
            .then_some(())
            .ok_or(refused)
    }

    /// The same of all that a server may take for method and path: those that headers and query name beside its own count
    /// as well. `target` is path and query.
    ///
    /// # Errors
    /// [`NotListed`] says what is not.
    pub fn allows_all<'a>(
        &self,
        method: &str,
        target: &str,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<(), NotListed> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.allows(method, path)?;
        let fields = url::form_urlencoded::parse(query.as_bytes());
        let named = fields.flat_map(|(name, value)| overrides::of_text(&format!("{name}={value}")));
        let mut methods: Vec<String> = named.map(str::to_owned).collect();
        let mut paths = Vec::new();
        for (name, value) in headers {
            let value = String::from_utf8_lossy(value);
            methods.extend(overrides::of_header(name, &value));
            if PATHS.iter().any(|path| same_name(path, name)) {
                paths.push(value.split('?').next().unwrap_or_default().to_owned());
            }
        }
        methods.iter().try_for_each(|named| self.allows(named, path))?;
        paths.iter().try_for_each(|named| self.allows(method, named))
    }

    /// The same of the method that a field of a form's body names, `name` and `value` as they are sent. The value of a field
    /// that is called otherwise is not looked at.
    ///
    /// # Errors
    /// [`NotListed`] says what is not.
    pub fn allows_field(&self, path: &str, name: &[u8], value: &[u8]) -> Result<(), NotListed> {
        let name = url::form_urlencoded::parse(name).next();
        let Some((name, _)) = name.filter(|(name, _)| overrides::is_key(name)) else { return Ok(()) };
        // As the value of a field without a name.
        let value = url::form_urlencoded::parse(&[b"=", value].concat()).next().map(|(_, value)| value.into_owned());
        let field = format!("{name}={}", value.unwrap_or_default());
        overrides::of_text(&field).iter().try_for_each(|named| self.allows(named, path))
    }
}

#[cfg(test)]
mod tests;
