//! From a permit to a recorded result: checked again, claimed, run once.

use std::sync::Arc;
use std::time::Duration;

use wardkeep_policy::Closed;
use wardkeep_policy::{Action, Decision, Factor, Posture};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{AgentName, PermitId};
use wardkeep_proto::limits::USE_BY;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::waypoint::Waypoint;

use super::past::Past;
use super::pins::Pin;
use super::reply::executor;
use super::{Executed, Gate, GateError, Leash};
use crate::approval::Ruling;
use crate::call::{CallResult, CallState, Executor};
use crate::runner::folder::Found;
use crate::runner::sealed::Sealed;
use crate::runner::{Folder, FolderError};
use crate::store::calls::CallRow;
use crate::store::{StoreError, approvals, calls, passkeys};

/// Between two tries to record a result on a full disk.
const RETRY: Duration = Duration::from_secs(2);
/// Whose turn it is, is looked at whenever something was recorded; and after this long, since time alone may bring it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Whether there is nothing left to do for a permit here.
enum Launched {
    Yes,
    /// Others are in the way, and its permit is not spent.
    NotYet,
}

/// What became of a permit that was to be spent.
enum Claim {
    Taken,
    NotYet,
    Halted,
}

/// Whether a permit still leads to a run.
pub(super) enum Check {
    /// It does; exactly this runs, with these files as they were found.
    Go(Box<Action>, Vec<Sealed>),
    /// Not while the machine is closed; the approval stands until its use-by.
    Hold(String),
    /// Never again.
    Over(CallState),
}

impl Gate {
    /// Runs the call of a permit and gives its result. Again and again gives the same result; it never runs twice.
    ///
    /// The run goes on when the caller goes away.
    ///
    /// # Errors
    /// [`GateError::UnknownPermit`], [`GateError::NotRunnable`], or when nothing can be recorded.
    pub async fn execute(self: &Arc<Self>, agent: &AgentName, permit: PermitId) -> Result<Executed, GateError> {
        self.renew(agent);
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let row = self.read(move |conn| calls::by_permit(conn, permit)).await?;
            let row = row.filter(|row| row.key.agent == *agent).ok_or(GateError::UnknownPermit)?;
            let call = row.key.call.clone();
            match row.state {
                CallState::Done { result, .. }
                | CallState::Failed { result, .. }
                | CallState::Interrupted { result, .. } => return Ok(Executed { call, result }),
                CallState::Permitted { .. }
                | CallState::Approved { .. }
                | CallState::Claimed { by: Executor::Runner, .. } => {}
                CallState::Expired { why } | CallState::Superseded { why } => return Err(GateError::NotRunnable(why)),
                _ => return Err(GateError::NotRunnable("this call is not run by the daemon".to_owned())),
            }
            if matches!(row.state, CallState::Claimed { .. }) {
                changed.changed().await.map_err(|_| GateError::Worker)?;
                continue;
            }
            if executor(&row) == Executor::Runtime {
                return Err(GateError::NotRunnable(
                    "this tool is carried out by the agent's runtime; report its result with after-tool-call"
                        .to_owned(),
                ));
            }
            let gate = Arc::clone(self);
            tokio::spawn(async move { gate.launch(permit).await }).await.map_err(|_| GateError::Worker)??;
        }
    }

    /// Starts the run of an approved call in the background.
    pub(super) fn start_launch(self: &Arc<Self>, permit: PermitId) {
        let gate = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = gate.launch(permit).await {
                tracing::warn!(%permit, error = %chain(&error), "an approved call has not started; it is tried again");
            }
        });
    }

    /// Takes one permit through check, claim and run, as soon as it is its turn. Does nothing when another task has it in hand.
    pub(super) async fn launch(self: &Arc<Self>, permit: PermitId) -> Result<(), GateError> {
        let Some(_hand) = InHand::take(self, permit) else {
            // The other task wakes everybody when it is done; look again then, not at once.
            let mut changed = self.changed.subscribe();
            let _ = tokio::time::timeout(Duration::from_millis(250), changed.changed()).await;
            return Ok(());
        };
        // Right after a start it is not known yet what holds a run.
        self.parts.walls.known().await;
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if let Launched::Yes = self.try_launch(permit).await? {
                return Ok(());
            }
            // Not spent yet: until then it expires, is stopped and is found by the next start like any other.
            let _ = tokio::time::timeout(LOOK_AGAIN, changed.changed()).await;
        }
    }

    async fn try_launch(self: &Arc<Self>, permit: PermitId) -> Result<Launched, GateError> {
        let _place = self.places.acquire().await.map_err(|_| GateError::Worker)?;
        let turns = self.turns(self.now());
        let found = self.read(move |conn| {
            let Some(row) = calls::by_permit(conn, permit)? else { return Ok(None) };
            let waits = turns.must_wait(conn, &row)?;
            Ok(Some((row, waits)))
        });
        let row = match found.await? {
            Some((_, true)) => return Ok(Launched::NotYet),
            Some((row, false)) => row,
            None => return Ok(Launched::Yes),
        };
        let claimed = matches!(row.state, CallState::Claimed { .. });
        let due = claimed || matches!(row.state, CallState::Permitted { .. } | CallState::Approved { .. });
        if !due || executor(&row) == Executor::Runtime || (claimed && self.find(permit).await? != Found::NeverBegan) {
            return Ok(Launched::Yes);
        }
        let agent = row.key.agent.clone();
        // Before anything is looked at: a stop from here on cuts this line, and waits for it.
        let Leash { cut, held } = self.leash(&agent);
        let now = self.now();
        let (action, sealed) = match self.check(&row, now).await? {
            Check::Go(action, sealed) => (action, sealed),
            // A spent permit cannot wait or go back; that nothing ran is known for sure.
            Check::Hold(why) if claimed => {
                self.finish(permit, CallResult::failed(never_began(&why))).await?;
                return Ok(Launched::Yes);
            }
            Check::Over(_) if claimed => {
                self.finish(permit, CallResult::failed(never_began("it may no longer run"))).await?;
                return Ok(Launched::Yes);
            }
            Check::Hold(why) => return Err(GateError::NotRunnable(why)),
            Check::Over(state) => {
                self.move_on(permit, state, now).await?;
                return Ok(Launched::Yes);
            }
        };
        // Space for the result is taken before the permit is spent: a full disk costs no run.
        let runs = self.runs.clone();
        let folder =
            tokio::task::spawn_blocking(move || Folder::make(&runs, permit)).await.map_err(|_| GateError::Worker)?;
        let folder = match folder {
            Ok(folder) => folder,
            Err(FolderError::Full) => {
                self.disk_is_full();
                return Err(GateError::Closed(Closed::DiskFull));
            }
            Err(FolderError::Io(error)) => {
                tracing::error!(%permit, %error, "no folder for a run");
                return Err(GateError::NotRunnable(
                    "the run folder cannot be made; run `wardkeep-agent doctor`".to_owned(),
                ));
            }
        };
        if !claimed {
            match self.claim(permit, now).await? {
                Claim::Taken => {}
                Claim::NotYet => return Ok(Launched::NotYet),
                Claim::Halted => {
                    return Err(GateError::NotRunnable(format!("{agent} was paused or stopped in this moment")));
                }
            }
        }
        self.parts.waypoints.pass(Waypoint::CallClaimed);
        let result = match self.spec(&action, permit, row.class, &folder) {
            Ok(mut spec) => {
                spec.sealed = sealed;
                self.run(permit, spec, folder, &cut).await
            }
            Err(why) => CallResult::failed(why),
        };
        drop(held);
        self.parts.waypoints.pass(Waypoint::RunnerFinished);
        self.finish(permit, result).await?;
        Ok(Launched::Yes)
    }

    /// Everything that was decided, decided again from what is on disk now.
    pub(super) async fn check(self: &Arc<Self>, row: &CallRow, now: Timestamp) -> Result<Check, GateError> {
        let over = |why: &str| Ok(Check::Over(CallState::Superseded { why: format!("{why}; ask again") }));
        let (use_by, approved) = match row.state {
            CallState::Permitted { use_by, .. } => (use_by, false),
            CallState::Approved { use_by, .. } => (use_by, true),
            // Claimed in time and not begun: the time to use it runs from the claim.
            CallState::Claimed { at, by: Executor::Runner, .. } => (at.plus(USE_BY), row.approval.is_some()),
            _ => return over("the call is not permitted"),
        };
        if let CallState::Approved { ruling: Ruling { passkey: Some(key), .. }, .. } = &row.state {
            let key = *key;
            if !self.read(move |conn| passkeys::is_pinned(conn, key)).await? {
                return over("the passkey that approved it was removed");
            }
        }
        if now >= use_by {
            return Ok(Check::Over(CallState::Expired { why: "it was not started in time; ask again".to_owned() }));
        }
        let action: Option<Action> = row.action.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
        let Some(action) = action.filter(|action| action.digest() == row.action_digest) else {
            return over("the stored call is not the one that was decided on");
        };
        let mut sealed = Vec::new();
        if let Some(digest) = row.approval {
            let document = self.read(move |conn| approvals::document(conn, digest)).await?;
            let Some(document) = document.filter(|document| Digest::plain(document) == digest) else {
                return over("the stored approval is not the one that was decided on");
            };
            let shown = serde_json::from_slice::<ShownFiles>(&document).map(|shown| shown.files);
            let (gate, named) = (Arc::clone(self), action.clone());
            let pinned = tokio::task::spawn_blocking(move || gate.pins(&named)).await.map_err(|_| GateError::Worker)?;
            match (shown, pinned) {
                (Ok(shown), Ok(pinned)) if shown == pinned.shown => sealed = pinned.sealed,
                _ => return over("a file that the command names has changed since it was shown"),
            }
        } else if approved {
            return over("the approval is missing");
        }
        let bundle = self.parts.bundle.borrow().clone();
        let factor_then = row.factor;
        let class_then = row.class;
        let fits = |decision: &Decision| match decision {
            Decision::Allow { class, .. } => Some(*class) <= class_then,
            Decision::NeedsApproval { class, factor, .. } => {
                approved && Some(*class) <= class_then && (*factor == Factor::Person || factor_then == Some(*factor))
            }
            Decision::Deny { .. } => false,
        };
        // Its own use of a grant is counted already, and itself among what is under way.
        let (asked, own) = (action.clone(), row.id);
        let past = self.read(move |conn| Past::of(conn, &asked, Some(own), now)).await?;
        let decision = |posture: &Posture| past.decide(&action, &bundle, posture, now).0;
        if fits(&decision(&self.posture_for(&action.agent))) {
            return Ok(Check::Go(Box::new(action), sealed));
        }
        if approved && fits(&decision(&Posture::open())) {
            let closed: Vec<_> = self.posture_for(&action.agent).iter().map(|c| c.to_string()).collect();
            return Ok(Check::Hold(format!(
                "the machine is closed ({}); it starts when that is over",
                closed.join(", ")
            )));
        }
        over("the policy judges this call differently now")
    }

    /// Spends the permit, unless an order came first that does not let the call begin, or another one took its turn.
    async fn claim(&self, permit: PermitId, at: Timestamp) -> Result<Claim, GateError> {
        let (switch, turns) = (Arc::clone(&self.switch), self.turns(at));
        self.write(move |tx| {
            let row = calls::by_permit(tx, permit)?.ok_or(StoreError::corrupt("calls"))?;
            if !switch.lets(&row.key.agent, row.class) {
                return Ok(Claim::Halted);
            }
            if turns.must_wait(tx, &row)? {
                return Ok(Claim::NotYet);
            }
            calls::advance(tx, row, CallState::Claimed { permit, at, by: Executor::Runner, to: None }, at)?;
            Ok(Claim::Taken)
        })
        .await
    }

    /// One step of the state machine.
    pub(super) async fn move_on(&self, permit: PermitId, next: CallState, at: Timestamp) -> Result<(), GateError> {
        self.write(move |tx| {
            let row = calls::by_permit(tx, permit)?.ok_or(StoreError::corrupt("calls"))?;
            calls::advance(tx, row, next, at).map(drop)
        })
        .await
    }

    /// Records a result, for as long as that takes: it exists nowhere else.
    pub(super) async fn finish(&self, permit: PermitId, result: CallResult) -> Result<(), GateError> {
        self.end_run_token(permit);
        // The run may have met a value that was stored after it began.
        self.parts.secrets.catch_up();
        let changed = result.changed.iter().map(|path| self.clean(path)).collect();
        let result = CallResult { output: self.clean(&result.output), changed, ..result };
        loop {
            match self.move_on(permit, CallState::ended(permit, result.clone()), self.now()).await {
                Ok(()) => break,
                Err(GateError::Closed(_)) => tokio::time::sleep(RETRY).await,
                Err(error) => return Err(error),
            }
        }
        self.parts.waypoints.pass(Waypoint::ResultRecorded);
        let runs = self.runs.clone();
        let removed = tokio::task::spawn_blocking(move || Folder::remove(&runs, permit)).await;
        if !matches!(removed, Ok(Ok(()))) {
            tracing::warn!(%permit, "the folder of a finished run could not be removed");
        }
        Ok(())
    }
}

/// The part of an approval document that is compared with the disk.
#[derive(serde::Deserialize)]
struct ShownFiles {
    files: Vec<Pin>,
}

/// The right of one task to work on one permit.
struct InHand<'a> {
    gate: &'a Gate,
    permit: PermitId,
}

impl<'a> InHand<'a> {
    fn take(gate: &'a Gate, permit: PermitId) -> Option<Self> {
        // Lazily: what is made is given back when it is dropped.
        gate.launching().insert(permit).then(|| Self { gate, permit })
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.gate.launching().remove(&self.permit);
    }
}

fn never_began(why: &str) -> String {
    format!("the daemon was restarted before this call began; nothing was done ({why}); ask again")
}

/// An error with everything below it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}
