//! Orders of people to tenants: checked, written as a row, then hurried along. The one way for pages, API and command line.

use std::time::Duration;

use wardkeep_policy::review::MOST_CALLS;
use wardkeep_proto::ids::{CommandId, TenantId};
use wardkeep_proto::time::Timestamp;

use crate::app::{SharedChance, SharedClock};
use crate::events::{Change, Events};
use crate::link::Links;
use crate::store::commands::{Command, CommandState, Order};
use crate::store::stir::Stir;
use crate::store::{Caller, Store, StoreError};

/// A command may start for this long ...
const DEADLINE: Duration = Duration::from_secs(60 * 60);
/// ... and what only tightens, for as long as a server may be away.
const DEADLINE_TO_HALT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A draft is judged at once or not at all: nobody waits for it later.
const DEADLINE_TO_JUDGE: Duration = Duration::from_secs(2 * 60);
/// Characters of a reason.
const REASON_CHARS: usize = 500;

/// Why an order was not given.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// No tenant that the caller may see.
    #[error("no such tenant")]
    Unknown,
    /// An agent is let go for a reason that somebody can read later.
    #[error("say why the agent may go on; it is recorded")]
    NoReason,
    /// A reason is a line, not a page.
    #[error("a reason has at most {REASON_CHARS} characters and no control characters")]
    Reason,
    /// Nobody looks at none, or at that many.
    #[error("a draft is judged on 1 to {MOST_CALLS} calls")]
    Calls,
    /// The database did not do it.
    #[error("the order was not stored")]
    Store(#[from] StoreError),
}

/// Gives orders; cheap to clone.
#[derive(Clone)]
pub struct Orders {
    store: Store,
    clock: SharedClock,
    chance: SharedChance,
    links: Links,
    events: Events,
}

impl std::fmt::Debug for Orders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Orders(..)")
    }
}

impl Orders {
    /// Orders over a store.
    #[must_use]
    pub fn new(store: Store, (clock, chance): (SharedClock, SharedChance), (events, links): (Events, Links)) -> Self {
        Self { store, clock, chance, links, events }
    }

    /// Gives `order` in the name of `by`. Once this returns, it is on disk and reaches the tenant when that is connected.
    ///
    /// # Errors
    /// Every reason of [`OrderError`].
    pub async fn give(&self, caller: &Caller, by: &str, tenant: TenantId, order: Order) -> Result<Command, OrderError> {
        self.give_at(caller, by, tenant, order, self.clock.now()).await
    }

    /// An order once its tenant has ended it, or as it stands at `until`; `None` when it is not on record.
    ///
    /// # Errors
    /// The database.
    pub async fn ended(
        &self,
        caller: &Caller,
        (tenant, id): (TenantId, CommandId),
        until: tokio::time::Instant,
        stir: &mut Stir,
    ) -> Result<Option<Command>, StoreError> {
        loop {
            let Some(command) = self.store.command(caller, tenant, id).await? else { return Ok(None) };
            let standing = command.standing(self.clock.now());
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            if !matches!(standing, CommandState::Queued | CommandState::Received) || left.is_zero() {
                return Ok(Some(command));
            }
            // A deadline passes without a write.
            stir.wait(left.min(Duration::from_secs(1))).await;
        }
    }

    /// As [`give`](Self::give), with a moment that several orders share.
    pub(crate) async fn give_at(
        &self,
        caller: &Caller,
        by: &str,
        tenant: TenantId,
        order: Order,
        now: Timestamp,
    ) -> Result<Command, OrderError> {
        check(&order)?;
        let deadline = match order {
            Order::PauseAgent { .. } | Order::StopAgent { .. } | Order::RevokeGrant { .. } => DEADLINE_TO_HALT,
            Order::ResumeAgent { .. } | Order::RunDoctor => DEADLINE,
            Order::JudgeDraft { .. } => DEADLINE_TO_JUDGE,
        };
        let command = Command {
            id: CommandId::new(now, self.chance.as_ref()),
            tenant,
            order,
            ordered_by: by.to_owned(),
            created: now,
            deadline: now.plus(deadline),
            state: CommandState::Queued,
            state_at: now,
            output: String::new(),
        };
        if !self.store.add_command(caller, command.clone()).await? {
            return Err(OrderError::Unknown);
        }
        self.links.nudge(tenant);
        self.events.tell(tenant, Change::Command);
        Ok(command)
    }
}

fn check(order: &Order) -> Result<(), OrderError> {
    if let Order::JudgeDraft { last, .. } = order {
        return if (1..=MOST_CALLS).contains(last) { Ok(()) } else { Err(OrderError::Calls) };
    }
    let (Order::PauseAgent { reason, .. } | Order::StopAgent { reason, .. } | Order::ResumeAgent { reason, .. }) =
        order
    else {
        return Ok(());
    };
    if matches!(order, Order::ResumeAgent { .. }) && reason.trim().is_empty() {
        return Err(OrderError::NoReason);
    }
    if reason.chars().count() > REASON_CHARS || reason.chars().any(char::is_control) {
        return Err(OrderError::Reason);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use wardkeep_proto::whom::Whom;

    use super::*;

    #[test]
    fn reasons_are_lines_and_letting_go_has_one() {
        let long = "x".repeat(REASON_CHARS + 1);
        for (reason, halts, resumes) in [
            ("", true, false),
            ("  ", true, false),
            ("fine", true, true),
            ("a\nb", false, false),
            (&*long, false, false),
        ] {
            let (agent, reason) = (Whom::All, reason.to_owned());
            let stop = check(&Order::StopAgent { agent: agent.clone(), reason: reason.clone() });
            assert_eq!(stop.is_ok(), halts, "{reason:?}");
            assert_eq!(check(&Order::ResumeAgent { agent, reason: reason.clone() }).is_ok(), resumes, "{reason:?}");
        }
    }
}
