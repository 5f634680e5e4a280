//! What serde cannot see: rules that contradict themselves, and hosts that no rule may open.

use std::net::IpAddr;

use super::{EgressMode, EgressRule, path};
use crate::agents::AgentPolicy;
use crate::metadata;

/// Longest path pattern; a comparison costs its length times that of the path.
const PATTERN_BYTES: usize = 256;
/// Rules of one bundle.
const RULES: usize = 1000;

/// A rule is not one. The text says which and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("egress rule for {host:?}: {why}")]
pub struct InvalidEgress {
    host: String,
    why: &'static str,
}

/// Checks all rules of a bundle whose agents are `agents`.
///
/// # Errors
/// The first rule that is wrong.
pub fn check(rules: &[EgressRule], agents: &[AgentPolicy]) -> Result<(), InvalidEgress> {
    let refuse = |rule: &EgressRule, why| InvalidEgress { host: rule.host.chars().take(120).collect(), why };
    if let Some(rule) = rules.get(RULES) {
        return Err(refuse(rule, "a policy has at most 1000 of them"));
    }
    for rule in rules {
        check_rule(rule).map_err(|why| refuse(rule, why))?;
        if rule.agents.iter().any(|name| !agents.iter().any(|agent| agent.name == *name)) {
            return Err(refuse(rule, "it names an agent that is not there"));
        }
    }
    Ok(())
}

fn check_rule(rule: &EgressRule) -> Result<(), &'static str> {
    check_host(&rule.host)?;
    if rule.ports.is_empty() || rule.ports.contains(&0) {
        return Err("ports are 1 to 65535, at least one");
    }
    if rule.mode == EgressMode::Tunnel && !(rule.methods.is_empty() && rule.paths.is_empty()) {
        return Err("a tunnel cannot be looked into; with methods or paths write mode = \"inspect\"");
    }
    let is_method = |method: &String| !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    if !rule.methods.iter().all(is_method) || rule.methods.iter().any(|method| method == "CONNECT") {
        return Err("methods are words in capitals such as GET; CONNECT is the proxy's own");
    }
    for pattern in &rule.paths {
        let plain = pattern.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'\\'));
        if !pattern.starts_with('/') || !plain || pattern.len() > PATTERN_BYTES {
            return Err("a path begins with /, has no ?, # or spaces, and 256 characters at most");
        }
        if path::is_ambiguous(pattern) || pattern.contains("***") {
            return Err("a path has no dot segments and no encoded slashes; stars are * or **");
        }
    }
    Ok(())
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if let Ok(address) = host.parse::<IpAddr>() {
        let spelt = address.to_string();
        return match address {
            _ if spelt != host => Err("write the address in its shortest form"),
            _ if metadata::is_address(address) => {
                Err("link-local addresses and others where clouds hand out credentials stay closed")
            }
            _ => Ok(()),
        };
    }
    if metadata::is_name(host) {
        return Err("metadata services, which hand out credentials, stay closed");
    }
    let (name, wild) = host.strip_prefix("*.").map_or((host, false), |name| (name, true));
    if wild && !name.contains('.') {
        return Err("a wildcard needs at least two labels after it, as in *.example.com");
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // `127.1` and `0x7f.1` are addresses to some readers.
    let odd = name.rsplit('.').next().is_some_and(|last| last.bytes().next().is_some_and(|b| b.is_ascii_digit()));
    if name.len() > 253 || !name.split('.').all(label) || odd {
        return Err(
            "a host is a name in lower case or an address, without scheme, port or path; * only as *.example.com",
        );
    }
    Ok(())
}
