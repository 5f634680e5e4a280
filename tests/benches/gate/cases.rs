//! What is decided on.

use std::fmt;

use serde::Deserialize;
use wardkeep_policy::bundle::LlmConfig;
use wardkeep_policy::{Action, AgentPolicy, Bundle, Class, Level};
use wardkeep_proto::time::Timestamp;

/// 200 bytes of what agents really run.
pub(crate) const COMMAND: &str = "cd src && grep -rn --include='*.md' 'Stollen' notes drafts | sort -u | head -20 && git log --oneline -5 -- \
                                  notes/november.md && wc -l notes/*.md && ls -la drafts archive | awk '{print $5, $9}' ; true";

/// A command that somebody else chose, and what it may count as.
#[derive(Deserialize)]
pub(crate) struct Case {
    /// Whose it is; `tests/data/README.md` tells more.
    pub(crate) source: String,
    pub(crate) command: String,
    min: Option<Class>,
    max: Option<Class>,
}

/// All of them.
pub(crate) fn all() -> anyhow::Result<Vec<Case>> {
    let text = include_str!("../../data/actions.jsonl");
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// A trusted agent under the shipped rules.
pub(crate) fn policy() -> (AgentPolicy, Bundle) {
    let agent = AgentPolicy {
        name: "office".parse().expect("a name"),
        level: Level::Trusted,
        version: None,
        tools: None,
        models: Vec::new(),
        grants: Vec::new(),
        subagents: Default::default(),
        workspace: "/srv/agents/office".to_owned(),
    };
    let tenant = "01a1fb89-d7a8-7b5d-9dbb-8af03cd77059".parse().expect("an id");
    let bundle = Bundle::default_for(tenant, vec![agent.clone()], LlmConfig::default(), Timestamp(0));
    (agent, bundle)
}

/// The call of a shell.
pub(crate) fn action(agent: &AgentPolicy, command: &str) -> Action {
    let args = serde_json::json!({"command": command});
    let session = "s".parse().expect("a session");
    Action::parse(agent.name.clone(), session, "shell", &args, None).expect("an action")
}

/// How often answers were too mild or too strict.
#[derive(Default)]
pub(crate) struct Answers {
    under: (usize, usize),
    red_under: (usize, usize),
    over: (usize, usize),
}

impl Answers {
    /// Holds answers, one for each case, against what the cases demand.
    pub(crate) fn of<'a>(answered: impl IntoIterator<Item = (&'a Case, Class)>) -> Self {
        let mut out = Self::default();
        for (case, got) in answered {
            if let Some(min) = case.min {
                let low = usize::from(got < min);
                out.under = (out.under.0 + low, out.under.1 + 1);
                if min >= Class::Red {
                    out.red_under = (out.red_under.0 + low, out.red_under.1 + 1);
                }
            }
            if let Some(max) = case.max {
                out.over = (out.over.0 + usize::from(got > max), out.over.1 + 1);
            }
        }
        out
    }

    /// Columns: too mild, of these about what is Red, too strict; each with the cases that could be.
    pub(crate) fn counts(&self) -> String {
        let of = |(part, all): (usize, usize)| if all == 0 { "-".to_owned() } else { format!("{part}/{all}") };
        format!("{:>9} {:>9} {:>9}", of(self.under), of(self.red_under), of(self.over))
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |(part, all): (usize, usize)| 100.0 * part as f64 / all.max(1) as f64;
        let (under, red, over) = (percent(self.under), percent(self.red_under), percent(self.over));
        write!(f, "too mild {under:.1} % (of Red {red:.1} %), too strict {over:.1} %")
    }
}
