//! After a start, and once a second from then on: nothing is forgotten, nothing runs twice.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rusqlite::Connection;
use wardkeep_proto::ids::PermitId;
use wardkeep_proto::limits::{APPROVE_BY, USE_BY};
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::waypoint::Waypoint;

use super::launch::chain;
use super::{Gate, GateError, Leash, Resumed};
use crate::call::{CallKey, CallResult, CallState, Executor};
use crate::runner::Folder;
use crate::runner::folder::{Found, may_have_container, may_have_unit};
use crate::store::StoreError;
use crate::store::calls::{self, CallRow};

/// Between two looks at what is due.
const TICK: Duration = Duration::from_secs(1);
/// Between two looks at an adopted runner.
const LOOK: Duration = Duration::from_millis(100);
/// ... once it was told to end.
const LOOK_AT_END: Duration = Duration::from_millis(5);
/// How long the runtime may take to report the result of an approved call that it carries out itself.
const REPORT_WITHIN: Duration = Duration::from_secs(60 * 60);

impl Gate {
    /// Takes up what an earlier life left: adopts runners that still work, records results that wait, marks what was
    /// interrupted, starts what was approved, expires what is late. From then on does what is due once a second.
    ///
    /// Call it once, before serving.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn resume_after_start(self: &Arc<Self>) -> Result<Resumed, GateError> {
        let mut found = Resumed::default();
        for row in self.read(|conn| calls::in_state(conn, "claimed")).await? {
            let CallState::Claimed { permit, by: Executor::Runner, .. } = row.state else { continue };
            match self.find(permit).await? {
                Found::Running => {
                    found.adopted += 1;
                    self.run_token(permit, &row.key.agent);
                    let gate = Arc::clone(self);
                    let leash = self.leash(&row.key.agent);
                    tokio::spawn(async move { gate.adopt(permit, leash).await });
                }
                Found::Result(result) => {
                    found.recorded += 1;
                    self.finish(permit, result).await?;
                }
                Found::NeverBegan => {
                    found.launched += 1;
                    let gate = Arc::clone(self);
                    tokio::spawn(async move { gate.take_up(permit).await });
                }
                Found::Nothing => {
                    found.interrupted += 1;
                    let folder = self.runs.join(permit.to_string());
                    if may_have_unit(&folder) || may_have_container(&folder) {
                        // It is looked for by name and ended; that may take until the helper is there.
                        let gate = Arc::clone(self);
                        let leash = self.leash(&row.key.agent);
                        tokio::spawn(async move { gate.adopt(permit, leash).await });
                    } else {
                        self.finish(permit, CallResult::interrupted()).await?;
                    }
                }
            }
        }
        self.tidy().await?;
        found.expired = self.expire().await?;
        found.launched = self.launch_due().await?;
        let gate = Arc::downgrade(self);
        tokio::spawn(tick(gate));
        Ok(found)
    }

    /// Removes the folders of runs that are over, or that never began.
    async fn tidy(&self) -> Result<(), GateError> {
        let claimed = self.read(|conn| calls::in_state(conn, "claimed")).await?;
        let keep: HashSet<PermitId> = claimed.iter().filter_map(|row| row.state.permit()).collect();
        let runs = self.runs.clone();
        let removed = tokio::task::spawn_blocking(move || {
            for entry in std::fs::read_dir(&runs)?.flatten() {
                let permit = entry.file_name().to_str().and_then(|name| name.parse().ok());
                if let Some(permit) = permit.filter(|permit| !keep.contains(permit)) {
                    Folder::remove(&runs, permit)?;
                }
            }
            std::io::Result::Ok(())
        });
        if let Err(error) = removed.await.map_err(|_| GateError::Worker)? {
            tracing::warn!(%error, "the folder of a finished run could not be removed");
        }
        Ok(())
    }

    /// Expires what is late and starts what may start; gives how many of each.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn sweep(self: &Arc<Self>) -> Result<(usize, usize), GateError> {
        let now = self.now();
        // One look: at rest it is all that is done.
        let (due, approved) = self.read(move |conn| Ok((due(conn, now)?, calls::in_state(conn, "approved")?))).await?;
        let late = due.len();
        let expired = self.expire_these(due, now).await?;
        // What has just expired is none that may start.
        let launched = if late == 0 { self.launch_these(approved) } else { self.launch_due().await? };
        Ok((expired, launched))
    }

    async fn expire(&self) -> Result<usize, GateError> {
        let now = self.now();
        // Asked first without writing: a quiet machine writes nothing.
        let due = self.read(move |conn| due(conn, now)).await?;
        self.expire_these(due, now).await
    }

    async fn expire_these(&self, due: Vec<(CallKey, CallState)>, now: Timestamp) -> Result<usize, GateError> {
        if due.is_empty() {
            return Ok(0);
        }
        self.write(move |tx| {
            let mut expired = 0;
            for (key, next) in due {
                let Some(row) = calls::by_key(tx, &key)? else { continue };
                // It may have gone on since it was read.
                if over(row.state.clone(), now).as_ref() == Some(&next) {
                    calls::advance(tx, row, next, now)?;
                    expired += 1;
                }
            }
            Ok(expired)
        })
        .await
    }

    async fn launch_due(self: &Arc<Self>) -> Result<usize, GateError> {
        let approved = self.read(|conn| calls::in_state(conn, "approved")).await?;
        Ok(self.launch_these(approved))
    }

    fn launch_these(self: &Arc<Self>, approved: Vec<CallRow>) -> usize {
        let mut launched = 0;
        for row in approved {
            let CallState::Approved { permit, .. } = row.state else { continue };
            if super::reply::executor(&row) == Executor::Runner && !self.launching().contains(&permit) {
                self.start_launch(permit);
                launched += 1;
            }
        }
        launched
    }

    /// Starts a claimed run that an earlier life of the daemon did not come to begin.
    async fn take_up(self: Arc<Self>, permit: PermitId) {
        if let Err(error) = self.launch(permit).await {
            tracing::error!(%permit, error = %chain(&error), "a claimed call has not begun; the next start tries again");
        }
    }

    /// Waits for a runner that an earlier life of the daemon started.
    async fn adopt(self: Arc<Self>, permit: PermitId, leash: Leash) {
        let Leash { cut, held } = leash;
        let mut look = LOOK;
        let result = loop {
            match self.find(permit).await {
                Ok(Found::Running) => tokio::select! {
                    () = tokio::time::sleep(look) => {}
                    () = cut.cancelled(), if look == LOOK => {
                        look = LOOK_AT_END;
                        self.end_run(self.runs.join(permit.to_string())).await;
                    }
                },
                Ok(Found::Result(result)) => break result,
                Ok(Found::NeverBegan) => {
                    drop(held);
                    return self.take_up(permit).await;
                }
                Ok(Found::Nothing) => {
                    self.end_unit(permit).await;
                    break CallResult::interrupted();
                }
                Err(_) => return,
            }
        };
        drop(held);
        self.parts.waypoints.pass(Waypoint::RunnerFinished);
        if let Err(error) = self.finish(permit, result).await {
            tracing::error!(%permit, error = %chain(&error), "the result of an adopted run is not recorded; the next start tries again");
        }
    }

    pub(super) async fn find(&self, permit: PermitId) -> Result<Found, GateError> {
        let runs = self.runs.clone();
        tokio::task::spawn_blocking(move || Folder::find(&runs, permit)).await.map_err(|_| GateError::Worker)
    }
}

/// Calls whose time is over, and where they go. How long each may be in its state is known, so the others are not read.
fn due(conn: &Connection, now: Timestamp) -> Result<Vec<(CallKey, CallState)>, StoreError> {
    const STATES: [(&str, Duration); 4] =
        [("pending", APPROVE_BY), ("permitted", USE_BY), ("approved", USE_BY), ("claimed", REPORT_WITHIN)];
    let mut found = Vec::new();
    for (state, within) in STATES {
        let since = Timestamp(now.0 - i64::try_from(within.as_millis()).unwrap_or(i64::MAX));
        let rows = calls::in_state_since(conn, state, since)?;
        found.extend(rows.into_iter().filter_map(|row| over(row.state, now).map(|next| (row.key, next))));
    }
    Ok(found)
}

/// Where a state goes once its time is over.
fn over(state: CallState, now: Timestamp) -> Option<CallState> {
    let expired = |why: &str| Some(CallState::Expired { why: why.to_owned() });
    match state {
        CallState::Pending { approve_by } if now >= approve_by => expired("nobody decided in time; ask again"),
        CallState::Permitted { use_by, .. } if now >= use_by => expired("it was not started in time; ask again"),
        CallState::Approved { use_by, .. } if now >= use_by => expired("it was not started in time; ask again"),
        CallState::Claimed { permit, at, by: Executor::Runtime, .. } if now >= at.plus(REPORT_WITHIN) => {
            Some(CallState::Interrupted { permit, result: CallResult::interrupted() })
        }
        _ => None,
    }
}

/// Lives as long as the gate.
async fn tick(gate: Weak<Gate>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(gate) = gate.upgrade() else { return };
        if let Err(error) = gate.sweep().await {
            tracing::warn!(error = %chain(&error), "what is due was not done; it is tried again");
        }
    }
}
