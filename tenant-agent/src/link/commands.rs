//! Commands of the hub: journalled, bounded by their deadline, done once in effect.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use wardkeep_proto::ids::{AgentName, CommandId};
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::v1::{self, command};
use wardkeep_safety::Gate;

use super::journal::{Begin, Entry, Journal, State};
use crate::doctor::Examiner;

/// Takes commands and answers with their state.
pub struct Commander {
    journal: Journal,
    gate: Arc<Gate>,
    examiner: Arc<dyn Examiner>,
    clock: Arc<dyn Clock>,
    running: Mutex<HashSet<CommandId>>,
}

/// What a command wants; every kind may be done twice without harm.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Pause { agent: AgentName, reason: String },
    Resume { agent: AgentName },
    Doctor,
}

impl Commander {
    /// A commander over `journal`.
    #[must_use]
    pub fn new(journal: Journal, gate: Arc<Gate>, examiner: Arc<dyn Examiner>, clock: Arc<dyn Clock>) -> Self {
        Self { journal, gate, examiner, clock, running: Mutex::default() }
    }

    /// Takes one command; each state it reaches goes to `progress`. Returns at once.
    pub(super) fn take(self: Arc<Self>, command: v1::Command, progress: mpsc::Sender<Entry>) {
        let Ok(id) = command.id.parse::<CommandId>() else {
            tracing::warn!("a command without a valid id was ignored");
            return;
        };
        tokio::spawn(async move {
            // A repeat while it runs gets its answer from the run that is under way.
            if !self.running().insert(id) {
                return;
            }
            if let Some(entry) = self.clone().steps(id, command, &progress).await {
                // The connection may be gone; the hub then asks again and is answered from the journal.
                let _ = progress.send(entry).await;
            }
            self.running().remove(&id);
        });
    }

    async fn steps(
        self: Arc<Self>,
        id: CommandId,
        command: v1::Command,
        progress: &mpsc::Sender<Entry>,
    ) -> Option<Entry> {
        let now = self.clock.now();
        let journal = self.journal.clone();
        match tokio::task::spawn_blocking(move || journal.begin(id, now)).await {
            Ok(Ok(Begin::Answer(entry))) => return Some(entry),
            Ok(Ok(Begin::Act | Begin::ActAgain)) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "a command was not taken: the journal cannot be written");
                return None;
            }
            Err(_) => return None,
        }
        let received = Entry { id, state: State::Received, output: String::new(), at: now };
        let _ = progress.send(received).await;
        let (state, output) = self.act(command, now).await;
        let (journal, now) = (self.journal.clone(), self.clock.now());
        match tokio::task::spawn_blocking(move || journal.finish(id, state, output, now)).await {
            Ok(Ok(entry)) => Some(entry),
            // Without a record the hub must not count it as ended: it asks again.
            Ok(Err(error)) => {
                tracing::error!(%error, "the end of a command could not be recorded");
                None
            }
            Err(_) => None,
        }
    }

    async fn act(&self, command: v1::Command, now: Timestamp) -> (State, String) {
        if now.millis() > command.deadline_ms {
            return (State::Expired, "it came after its deadline".to_owned());
        }
        let wanted = match parse(command.kind) {
            Ok(wanted) => wanted,
            Err(why) => return (State::Refused, why),
        };
        let outcome = match wanted {
            Wanted::Pause { agent, reason } => {
                self.gate.pause(&agent, &reason).await.map(|()| format!("{agent} is paused"))
            }
            Wanted::Resume { agent } => self.gate.resume(&agent).await.map(|()| format!("{agent} goes on")),
            Wanted::Doctor => {
                let findings = self.examiner.examine().await;
                return (State::Succeeded, serde_json::to_string(&findings).unwrap_or_default());
            }
        };
        match outcome {
            Ok(output) => (State::Succeeded, output),
            Err(error) => (State::Failed, crate::channel::chain(&error)),
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashSet<CommandId>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(kind: Option<command::Kind>) -> Result<Wanted, String> {
    let agent = |name: String| name.parse::<AgentName>().map_err(|error| error.to_string());
    match kind {
        Some(command::Kind::PauseAgent(v1::PauseAgent { agent: name, reason })) => {
            let reason = if reason.is_empty() { "paused by the hub".to_owned() } else { reason };
            Ok(Wanted::Pause { agent: agent(name)?, reason })
        }
        Some(command::Kind::ResumeAgent(v1::ResumeAgent { agent: name })) => Ok(Wanted::Resume { agent: agent(name)? }),
        Some(command::Kind::RunDoctor(v1::RunDoctor {})) => Ok(Wanted::Doctor),
        None => Err("this daemon does not know that kind of command; update it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_kinds_and_bad_names_are_refused() {
        let pause = |agent: &str, reason: &str| {
            parse(Some(command::Kind::PauseAgent(v1::PauseAgent { agent: agent.into(), reason: reason.into() })))
        };
        assert!(parse(None).expect_err("unknown").contains("update"));
        assert!(pause("../etc", "x").is_err());
        let agent: AgentName = "office".parse().expect("valid");
        assert_eq!(pause("office", ""), Ok(Wanted::Pause { agent, reason: "paused by the hub".into() }));
    }
}
