//! What the agents that an agent starts may do: less than itself, few of them, and none that cannot be told from it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wardkeep_proto::ids::{AgentName, SessionId};

use super::AgentPolicy;
use crate::action::{Action, Call};
use crate::class::Level;

/// Most generations and most sub-agents; what `OpenClaw` takes.
const MOST: (u8, u8) = (5, 20);
/// Tools that start another agent, in small letters.
const STARTS: &[&str] = &["sessions_spawn", "task", "agent", "spawn_agent"];
/// Tools that have another session of the same runtime do something, in small letters. From a sub-agent that is a way to its
/// agent's own level.
const STEERS: &[&str] =
    &["sessions_send", "sessions", "session_status", "conversations_send", "conversations_turn", "sendmessage"];

/// What a bundle says about sub-agents of one agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Subagents {
    /// How far they are trusted; as their agent when absent, and never further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Generations of them: at 0 there are none, at 1 they start no others.
    pub depth: u8,
    /// How many of one agent there are at one time, of all generations.
    pub count: u8,
}

impl Default for Subagents {
    fn default() -> Self {
        Self { level: None, depth: 1, count: 3 }
    }
}

/// A bundle's words about sub-agents that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSubagents {
    /// Trusted further than who starts them.
    #[error("agent {0}: sub-agents cannot have a higher level than their agent")]
    Level(AgentName),
    /// More than a runtime takes.
    #[error("agent {0}: sub-agents go to depth 5 and count 20 at most")]
    Bounds(AgentName),
}

/// Whether what is said of sub-agents means something.
///
/// # Errors
/// [`InvalidSubagents`].
pub fn check(agents: &[AgentPolicy]) -> Result<(), InvalidSubagents> {
    for AgentPolicy { name, level, subagents, .. } in agents {
        if subagents.level.is_some_and(|below| below > *level) {
            return Err(InvalidSubagents::Level(name.clone()));
        }
        if subagents.depth > MOST.0 || subagents.count > MOST.1 {
            return Err(InvalidSubagents::Bounds(name.clone()));
        }
    }
    Ok(())
}

impl Subagents {
    /// Whether it says nothing of its own.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Whether there may be any.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.depth > 0 && self.count > 0
    }

    /// How far sub-agents of an agent of level `own` are trusted.
    #[must_use]
    pub fn level_under(&self, own: Level) -> Level {
        self.level.map_or(own, |level| level.min(own))
    }

    /// Why a call may not be, as far as the call alone says it. `None` is no permission.
    pub(crate) fn refuse(&self, action: &Action) -> Option<&'static str> {
        let below = is_subagent(&action.session);
        if below && steers(&action.tool) {
            return Some("a sub-agent reaches other sessions by its result alone");
        }
        if !starts(&action.tool) {
            return None;
        }
        if !self.any() {
            return Some("this agent starts no sub-agents; `subagents` of the policy says so");
        }
        if below && self.depth <= 1 {
            return Some(TOO_DEEP);
        }
        let Call::Other { args } = &action.call else { return None };
        if args.get("visible").is_some_and(|visible| *visible != Value::Bool(false)) {
            return Some("a visible session could not be told from the agent's own; start it without `visible`");
        }
        let runtime = args.get("runtime").filter(|runtime| !runtime.is_null());
        if runtime.is_some_and(|runtime| runtime != "subagent") {
            return Some("an agent of another runtime asks nobody about its calls; leave out `runtime`");
        }
        None
    }
}

/// Why a sub-agent starts no other.
pub const TOO_DEEP: &str = "sub-agents of this depth start no others; `subagents` of the policy says how deep they go";

/// Whether a call of `tool` starts another agent.
#[must_use]
pub fn starts(tool: &str) -> bool {
    STARTS.iter().any(|one| one.eq_ignore_ascii_case(tool))
}

fn steers(tool: &str) -> bool {
    STEERS.iter().any(|one| one.eq_ignore_ascii_case(tool))
}

/// Whether a session is one of a sub-agent by its name: `agent:<id>:subagent:<uuid>`, with more behind it or not, the sessions of other
/// runtimes that `OpenClaw` starts (`agent:<id>:acp:<uuid>`), and what hooks call `<session>:subagent:<id>`.
///
/// A runtime gives the name, never the model. How deep one stands is not in it: `OpenClaw` 2026.9 calls those of all generations alike.
#[must_use]
pub fn is_subagent(session: &SessionId) -> bool {
    let below = |part: &str| part.eq_ignore_ascii_case("subagent") || part.eq_ignore_ascii_case("acp");
    session.as_str().split(':').any(below)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(session: &str, tool: &str, args: &Value) -> Action {
        Action::parse("office".parse().unwrap(), session.parse().unwrap(), tool, args, None).unwrap()
    }

    const OWN: &str = "agent:main:main";
    const BELOW: &str = "agent:main:subagent:7c9e6679-7425-40de-944b-e07fc1f90ae7";

    #[test]
    fn sessions_of_subagents_are_known_by_every_form_of_their_name() {
        for below in [
            BELOW,
            "agent:main:subagent:incognito-7c9e6679",
            "AGENT:main:SubAgent:x",
            "agent:main:subagent:x:thread:42",
            "agent:main:subagent:x:subagent:y",
            "subagent:x",
            "agent:main:acp:7c9e6679",
            "agent:main:acp:binding:slack:a:b",
            "agent:a:agent:b:subagent:x",
            "0b1c:subagent:a17",
            "agent:main:subagent:sha256:00ff",
        ] {
            assert!(is_subagent(&below.parse().unwrap()), "{below}");
        }
        for own in [
            OWN,
            "agent:main:dashboard:7c9e",
            "agent:main:telegram:direct:1",
            "agent:subagents:main",
            "mcp-00ff",
            "global",
        ] {
            assert!(!is_subagent(&own.parse().unwrap()), "{own}");
        }
    }

    #[test]
    fn a_subagent_starts_and_steers_nobody() {
        let usual = Subagents::default();
        let deep = Subagents { depth: 2, ..usual };
        for (session, tool, args, refused) in [
            (BELOW, "sessions_spawn", json!({"task": "x"}), true),
            (BELOW, "Task", json!({"prompt": "x"}), true),
            (BELOW, "sessions_send", json!({"sessionKey": OWN, "message": "x"}), true),
            (BELOW, "Sessions", json!({"action": "patch"}), true),
            (BELOW, "SendMessage", json!({"to": "main", "message": "x"}), true),
            (BELOW, "Agent", json!({"prompt": "x"}), true),
            (OWN, "SendMessage", json!({"to": "a17", "message": "x"}), false),
            (OWN, "sessions_spawn", json!({"task": "x", "visible": true}), true),
            (OWN, "sessions_spawn", json!({"task": "x", "visible": "true"}), true),
            (OWN, "sessions_spawn", json!({"task": "x", "visible": 1}), true),
            (OWN, "sessions_spawn", json!({"task": "x", "runtime": "acp"}), true),
            (OWN, "sessions_spawn", json!({"task": "x", "runtime": "Subagent"}), true),
            (OWN, "sessions_spawn", json!({"task": "x", "visible": false, "runtime": "subagent"}), false),
            (OWN, "sessions_spawn", json!({"task": "x"}), false),
            (OWN, "sessions_send", json!({"sessionKey": BELOW, "message": "x"}), false),
            (BELOW, "read_file", json!({"path": "a"}), false),
        ] {
            assert_eq!(usual.refuse(&call(session, tool, &args)).is_some(), refused, "{session} {tool} {args}");
        }
        let spawn = json!({"task": "x"});
        assert_eq!(deep.refuse(&call(BELOW, "sessions_spawn", &spawn)), None, "how deep it stands, the gate knows");
        assert!(deep.refuse(&call(BELOW, "sessions_send", &spawn)).is_some());
        for none in [Subagents { depth: 0, ..usual }, Subagents { count: 0, ..usual }] {
            assert!(none.refuse(&call(OWN, "sessions_spawn", &spawn)).is_some());
        }
    }

    #[test]
    fn no_level_is_above_the_agents_own() {
        for own in Level::ALL {
            for level in Level::ALL {
                let said = Subagents { level: Some(level), ..Subagents::default() };
                assert_eq!(said.level_under(own), own.min(level));
            }
            assert_eq!(Subagents::default().level_under(own), own);
        }
        let agent = |subagents: &str| -> AgentPolicy {
            serde_json::from_str(&format!(
                r#"{{"name": "office", "level": "trusted", "workspace": "/w", "subagents": {subagents}}}"#
            ))
            .unwrap()
        };
        for bad in [r#"{"level": "autonomous"}"#, r#"{"depth": 6}"#, r#"{"count": 21}"#] {
            assert!(check(&[agent(bad)]).is_err(), "{bad}");
        }
        for good in ["{}", r#"{"level": "supervised", "depth": 5, "count": 20}"#, r#"{"level": "trusted", "depth": 0}"#]
        {
            assert_eq!(check(&[agent(good)]), Ok(()), "{good}");
        }
        assert_eq!(agent("{}").subagents, Subagents::default());
    }
}
