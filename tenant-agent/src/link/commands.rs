//! Commands of the hub: journalled, bounded by their deadline, done once in effect.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::CommandId;
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::v1::{self, command};
use wardkeep_proto::whom::Whom;
use wardkeep_safety::{Gate, Hold, Holder, Moved, Order, ReviewError, RevokeError, Standing};

use super::journal::{Begin, Entry, Journal, State};
use crate::bundle_ledger::AGENT_VERSION;
use crate::doctor::Examiner;

/// Takes commands and answers with their state.
pub struct Commander {
    journal: Journal,
    gate: Arc<Gate>,
    examiner: Arc<dyn Examiner>,
    clock: Arc<dyn Clock>,
    running: Mutex<HashSet<CommandId>>,
}

/// What a command wants; every kind but a resume may be done twice without harm.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Halt(Order, Standing),
    Resume(Order),
    Doctor,
    Judge { draft: Vec<u8>, last: u32, by: String },
    Revoke { grant: Digest, by: String },
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
        let is_again = match tokio::task::spawn_blocking(move || journal.begin(id, now)).await {
            Ok(Ok(Begin::Answer(entry))) => return Some(entry),
            Ok(Ok(begin)) => begin == Begin::ActAgain,
            Ok(Err(error)) => {
                tracing::error!(%error, "a command was not taken: the journal cannot be written");
                return None;
            }
            Err(_) => return None,
        };
        let received = Entry { id, state: State::Received, output: String::new(), at: now };
        let _ = progress.send(received).await;
        let (state, output) = self.act(command, is_again, now).await;
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

    async fn act(&self, command: v1::Command, is_again: bool, now: Timestamp) -> (State, String) {
        if now.millis() > command.deadline_ms {
            return (State::Expired, "it came after its deadline".to_owned());
        }
        let wanted = match parse(command.kind) {
            Ok(wanted) => wanted,
            Err(why) => return (State::Refused, why),
        };
        let outcome = match wanted {
            Wanted::Halt(order, to) => self.gate.halt(order, to).await,
            // Somebody may have tightened since: what loosens is done once or not at all.
            Wanted::Resume(_) if is_again => {
                let why = "the daemon was restarted meanwhile; look how the agent stands and resume it again";
                return (State::Failed, why.to_owned());
            }
            Wanted::Resume(order) => match self.gate.resume(order).await {
                Ok(moved) if moved.standing != Standing::Free => return (State::Refused, told(&moved).join("; ")),
                outcome => outcome,
            },
            Wanted::Doctor => {
                let findings = self.examiner.examine().await;
                return (State::Succeeded, serde_json::to_string(&findings).unwrap_or_default());
            }
            Wanted::Judge { draft, last, by } => return self.judge(draft, last, &by).await,
            Wanted::Revoke { grant, by } => return self.revoke(grant, &by).await,
        };
        match outcome {
            Ok(moved) => (State::Succeeded, told(&moved).join("; ")),
            Err(error) => (State::Failed, crate::channel::chain(&error)),
        }
    }

    async fn revoke(&self, grant: Digest, by: &str) -> (State, String) {
        match self.gate.revoke_grant(&grant.to_string(), by).await {
            Ok(_) => (State::Succeeded, "it lets nothing pass any more".to_owned()),
            Err(error @ RevokeError::Unknown) => (State::Refused, error.to_string()),
            Err(error) => (State::Failed, crate::channel::chain(&error)),
        }
    }

    async fn judge(&self, draft: Vec<u8>, last: u32, by: &str) -> (State, String) {
        match self.gate.review(draft, last, by, AGENT_VERSION).await {
            Ok(review) => (State::Succeeded, serde_json::to_string(&review).unwrap_or_default()),
            Err(error @ ReviewError::Draft(_)) => (State::Refused, short(&error.to_string())),
            Err(error) => (State::Failed, crate::channel::chain(&error)),
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashSet<CommandId>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How `moved` is told to people, a sentence each.
pub(crate) fn told(moved: &Moved) -> Vec<String> {
    let Moved { whom, standing, known, ended, lingering, held, .. } = moved;
    let mut told = vec![match standing {
        Standing::Free if held.is_empty() => format!("{} goes on", whom.spoken()),
        Standing::Free => "what held every agent is taken back; held by name:".to_owned(),
        standing => format!("{} is {standing}", whom.spoken()),
    }];
    if !known {
        told.push("the policy names no such agent; this counts as soon as one has that name".to_owned());
    }
    told.extend(held.iter().map(|Hold { whom, holder, standing, by, reason, .. }| {
        let only = if *holder == Holder::Local { " (only a person on this server resumes it)" } else { "" };
        format!("{} {standing} by {by}: {reason}{only}", whom.spoken())
    }));
    if *ended > 0 {
        told.push(format!("calls that waited and are over: {ended}"));
    }
    if *lingering > 0 {
        told.push(format!("runs or connections that have not ended yet, see the log: {lingering}"));
    }
    told
}

/// What is wrong with a draft is told in a line, however long the text is that is wrong.
fn short(text: &str) -> String {
    text[..text.floor_char_boundary(2000)].to_owned()
}

fn parse(kind: Option<command::Kind>) -> Result<Wanted, String> {
    let order = |agent: String, reason: String, by: String, why: &str| {
        let whom = agent.parse::<Whom>().map_err(|error| error.to_string())?;
        // An older hub does not say who.
        let by = if by.is_empty() { "the hub".to_owned() } else { by };
        let reason = if reason.is_empty() { why.to_owned() } else { reason };
        Ok::<_, String>(Order { whom, holder: Holder::Hub, by, reason })
    };
    match kind {
        Some(command::Kind::PauseAgent(v1::PauseAgent { agent, reason, by })) => {
            Ok(Wanted::Halt(order(agent, reason, by, "paused by the hub")?, Standing::Paused))
        }
        Some(command::Kind::StopAgent(v1::StopAgent { agent, reason, by })) => {
            Ok(Wanted::Halt(order(agent, reason, by, "stopped by the hub")?, Standing::Stopped))
        }
        Some(command::Kind::ResumeAgent(v1::ResumeAgent { agent, reason, by })) => {
            Ok(Wanted::Resume(order(agent, reason, by, "the hub gave no reason")?))
        }
        Some(command::Kind::RunDoctor(v1::RunDoctor {})) => Ok(Wanted::Doctor),
        Some(command::Kind::JudgeDraft(v1::JudgeDraft { bundle: draft, last, by })) => {
            let by = if by.is_empty() { "the hub".to_owned() } else { by };
            Ok(Wanted::Judge { draft, last, by })
        }
        Some(command::Kind::RevokeGrant(v1::RevokeGrant { id, by })) => {
            let grant = Digest::try_from(id.as_slice()).map_err(|_| "the order names no grant".to_owned())?;
            Ok(Wanted::Revoke { grant, by: if by.is_empty() { "the hub".to_owned() } else { by } })
        }
        None => Err("this daemon does not know that kind of command; update it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_kinds_and_bad_names_are_refused() {
        let pause = |agent: &str, reason: &str| {
            let (agent, reason) = (agent.into(), reason.into());
            parse(Some(command::Kind::PauseAgent(v1::PauseAgent { agent, reason, by: String::new() })))
        };
        assert!(parse(None).expect_err("unknown").contains("update"));
        assert!(pause("../etc", "x").is_err());
        for whom in ["office", "*"] {
            let (by, reason) = ("the hub".to_owned(), "paused by the hub".to_owned());
            let order = Order { whom: whom.parse().expect("valid"), holder: Holder::Hub, by, reason };
            assert_eq!(pause(whom, ""), Ok(Wanted::Halt(order, Standing::Paused)));
        }
    }
}
