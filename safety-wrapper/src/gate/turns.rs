//! Whose turn it is in a workspace: a run that a person approved with files that they saw has it for itself.
//!
//! Such a run opens those files by their paths and in its own time. So while it lives nothing else may change files there, and it
//! does not begin while something else does. Who lives is read from the rows of calls, inside the transaction that lets another
//! one begin: there is no second list, so a crash leaves nothing behind and what a restart finds again counts.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use serde::Deserialize;
use serde::de::IgnoredAny;
use wardkeep_policy::action::{Call, Sees};
use wardkeep_policy::agents::subagents::starts;
use wardkeep_policy::{Action, Bundle, Class};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::Gate;
use super::halt::Switch;
use crate::call::{CallState, Executor};
use crate::halt::Standing;
use crate::store::calls::{self, CallRow};
use crate::store::{StoreError, approvals};

/// Why a call is refused that would change files there, and what to do.
pub(super) const TAKEN: &str = "an approved command is still running in this workspace; nothing else may change files there until \
                                it has ended: try again then";
/// How long a deed counts as under way that a runtime was let do itself, when nobody reports its end. Writing a file takes
/// milliseconds, and a runtime that reports nothing must not keep approved runs from beginning.
const DOES_WITHIN: Duration = Duration::from_secs(15);

/// Turns as they stand at one moment, under one policy.
pub(super) struct Turns {
    bundle: Arc<Bundle>,
    switch: Arc<Switch>,
    pub(super) now: Timestamp,
}

/// What a call means for the workspace of its agent.
struct Deed<'a> {
    agent: &'a AgentName,
    changes: bool,
    /// It wants the workspace for itself.
    alone: bool,
}

/// The part of an approval document that is asked for here.
#[derive(Deserialize)]
struct Shown {
    files: Vec<IgnoredAny>,
}

impl Gate {
    pub(super) fn turns(&self, now: Timestamp) -> Turns {
        Turns { bundle: self.parts.bundle.borrow().clone(), switch: Arc::clone(&self.switch), now }
    }
}

impl Turns {
    /// Whether a run has the workspace for itself in which this call would change files.
    pub(super) fn are_taken(&self, conn: &Connection, row: &CallRow) -> Result<bool, StoreError> {
        // Held to reading by more than its rules.
        if row.class == Some(Class::Green) {
            return Ok(false);
        }
        let approved = calls::claimed_after_approval(conn)?;
        if approved.is_empty() {
            return Ok(false);
        }
        self.is_in_the_way(conn, row, &deed(conn, row)?, &approved)
    }

    /// Whether a run that may begin has to wait for the end of others.
    pub(super) fn must_wait(&self, conn: &Connection, row: &CallRow) -> Result<bool, StoreError> {
        let Some(deed) = begins(conn, row)?.filter(|deed| deed.alone) else {
            return match row.state {
                CallState::Permitted { .. } | CallState::Approved { .. } => self.are_taken(conn, row),
                _ => Ok(false),
            };
        };
        let since = Timestamp(self.now.0.saturating_sub(DOES_WITHIN.as_millis().try_into().unwrap_or(i64::MAX)));
        let mut others = calls::in_state(conn, "claimed")?;
        others.extend(calls::in_state_after(conn, "permitted", since)?);
        // Those that were approved before take their turns before, unless their agent is held.
        let first = |other: &CallRow| (other.updated, other.id) < (row.updated, row.id);
        for other in calls::in_state(conn, "approved")?.into_iter().filter(first) {
            if self.switch.standing(&other.key.agent) == Standing::Free
                && begins(conn, &other)?.is_some_and(|d| d.alone)
            {
                others.push(other);
            }
        }
        self.is_in_the_way(conn, row, &deed, &others)
    }

    fn is_in_the_way(
        &self,
        conn: &Connection,
        row: &CallRow,
        deed: &Deed<'_>,
        others: &[CallRow],
    ) -> Result<bool, StoreError> {
        for other in others.iter().filter(|other| other.id != row.id && self.lives(other)) {
            let other = self::deed(conn, other)?;
            let clash = (deed.alone && other.changes) || (other.alone && deed.changes);
            if clash && self.meet(deed.agent, other.agent) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn lives(&self, row: &CallRow) -> bool {
        match row.state {
            CallState::Permitted { .. } | CallState::Claimed { by: Executor::Runtime, .. } => {
                self.now < row.updated.plus(DOES_WITHIN)
            }
            CallState::Claimed { by: Executor::Runner, .. } | CallState::Approved { .. } => true,
            _ => false,
        }
    }

    /// Whether the workspaces of two agents have files in common. Those of one agent do, also where the policy has just moved them.
    fn meet(&self, one: &AgentName, other: &AgentName) -> bool {
        if one == other {
            return true;
        }
        match (self.workspace(one), self.workspace(other)) {
            (Some(one), Some(other)) => one.starts_with(&other) || other.starts_with(&one),
            // Nobody knows where they work.
            _ => true,
        }
    }

    fn workspace(&self, agent: &AgentName) -> Option<PathBuf> {
        let named = PathBuf::from(self.bundle.agent(agent)?.workspace);
        (!named.as_os_str().is_empty()).then(|| fs::canonicalize(&named).unwrap_or(named))
    }
}

/// What a call would do that may begin; `None` for one that only looks, or that has begun.
fn begins<'a>(conn: &Connection, row: &'a CallRow) -> Result<Option<Deed<'a>>, StoreError> {
    match row.state {
        CallState::Approved { .. } if row.class != Some(Class::Green) => deed(conn, row).map(Some),
        _ => Ok(None),
    }
}

fn deed<'a>(conn: &Connection, row: &'a CallRow) -> Result<Deed<'a>, StoreError> {
    let action: Option<Action> = row.action.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
    // What cannot be read could be anything.
    let changes = row.class != Some(Class::Green) && action.is_none_or(|action| changes(&action));
    let alone = match row.approval {
        Some(digest) => shows_files(conn, digest)?,
        None => false,
    };
    Ok(Deed { agent: &row.key.agent, changes, alone })
}

/// Whether a call may change files of the workspace, whoever carries it out. What is sent elsewhere does not, and a start of another
/// agent does not by itself: each call of that one is judged.
fn changes(action: &Action) -> bool {
    match &action.call {
        Call::Shell { .. } | Call::Exec { .. } | Call::FileWrite { .. } | Call::FileDelete { .. } => true,
        Call::Container { workspace, .. } => *workspace == Sees::Changes,
        Call::Other { .. } => !starts(&action.tool),
        Call::FileRead { .. }
        | Call::FileList { .. }
        | Call::Http { .. }
        | Call::Message { .. }
        | Call::Adapter { .. } => false,
    }
}

/// Whether a person saw files with this approval. A document that cannot be read may have shown some.
fn shows_files(conn: &Connection, approval: Digest) -> Result<bool, StoreError> {
    let document = approvals::document(conn, approval)?;
    let shown = document.and_then(|document| serde_json::from_slice::<Shown>(&document).ok());
    Ok(shown.is_none_or(|shown| !shown.files.is_empty()))
}
