//! What the server says of itself and its tools.

use serde_json::{Value, json};
use wardkeep_policy::Bundle;
use wardkeep_proto::ids::AgentName;

use super::{Era, LEGACY, MODERN, tools};

/// For the model.
const INSTRUCTIONS: &str = "Every call is decided on by this server's policy. One that a person must approve answers \"pending approval A-…\"; \
     ask for its result with wardkeep_result, and do not repeat the call. Credentials are put in by the server: never ask for them. \
     A call that is not allowed is not to be tried another way.";
/// How long a client may keep a list of tools, milliseconds.
const FRESH_MS: u32 = 60_000;

fn info() -> Value {
    json!({"name": "wardkeep", "title": "Wardkeep", "version": env!("CARGO_PKG_VERSION")})
}

/// Answer to `initialize`.
pub(super) fn initialized(version: &str) -> Value {
    json!({
        "protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info(), "instructions": INSTRUCTIONS,
    })
}

/// Answer to `server/discover`. Only versions without a handshake belong into it.
pub(super) fn discovered(agent: &AgentName) -> Value {
    json!({
        "resultType": "complete",
        "supportedVersions": [MODERN],
        "capabilities": {"tools": {}},
        "instructions": INSTRUCTIONS,
        "ttlMs": FRESH_MS,
        "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": info(), "wardkeep/agent": agent, "wardkeep/legacyVersions": LEGACY},
    })
}

/// Answer to `tools/list`: all of them, in order of their names.
pub(super) fn listed(bundle: &Bundle, agent: &AgentName, era: Era) -> Value {
    let tools = bundle.agent(agent).map(|agent| tools::offered(bundle, &agent)).unwrap_or_default();
    let mut out = complete(json!({ "tools": tools }), era);
    if era == Era::Modern {
        out["ttlMs"] = FRESH_MS.into();
        out["cacheScope"] = "private".into();
    }
    out
}

/// A result as its era has it.
pub(super) fn complete(mut result: Value, era: Era) -> Value {
    if era == Era::Modern {
        result["resultType"] = "complete".into();
    }
    result
}

/// One word to somebody who waits.
pub(super) fn progress(token: &Value, step: u32, text: &str) -> Value {
    json!({
        "jsonrpc": "2.0", "method": "notifications/progress",
        "params": {"progressToken": token, "progress": step, "message": text},
    })
}
