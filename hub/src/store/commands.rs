//! Orders to a tenant: written before they can be delivered, with a deadline and a final state.

use serde::{Deserialize, Serialize};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{CommandId, TenantId};
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::whom::Whom;

use super::value::{Row, args};
use super::{Caller, Store, StoreError, asked_by, visible};

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Order {
    /// Let the agent do nothing new but read.
    PauseAgent {
        /// Which, or all.
        agent: Whom,
        /// Why, for people.
        #[serde(default)]
        reason: String,
    },
    /// End what the agent does, and let it do nothing.
    StopAgent {
        /// Which, or all.
        agent: Whom,
        /// Why, for people.
        #[serde(default)]
        reason: String,
    },
    /// Let an agent go on.
    ResumeAgent {
        /// Which, or all.
        agent: Whom,
        /// Why, for people.
        #[serde(default)]
        reason: String,
    },
    /// Say what is wrong on the server.
    RunDoctor,
    /// Take back what a person granted with an approval.
    RevokeGrant {
        /// Which.
        grant: Digest,
    },
    /// Say which of the newest calls a draft of the policy would judge differently.
    JudgeDraft {
        /// The TOML.
        source: String,
        /// How many calls.
        last: u32,
        /// Version of the newest policy when it was asked, 0 where there was none: what the draft comes after. Absent where
        /// nobody wants to publish the very draft that was judged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
}

/// How a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandState {
    /// Written; the tenant has not said that it has it.
    Queued,
    /// In the tenant's journal.
    Received,
    /// Done.
    Succeeded,
    /// Tried, with an error.
    Failed,
    /// The tenant will not.
    Refused,
    /// The deadline passed first.
    Expired,
}

impl CommandState {
    const ALL: [Self; 6] = [Self::Queued, Self::Received, Self::Succeeded, Self::Failed, Self::Refused, Self::Expired];

    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Received => "received",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }
}

/// One order to one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its id.
    pub id: CommandId,
    /// To whom.
    pub tenant: TenantId,
    /// What.
    pub order: Order,
    /// Who gave it.
    pub ordered_by: String,
    /// When.
    pub created: Timestamp,
    /// Until when it may start.
    pub deadline: Timestamp,
    /// How it stands. See also [`Command::standing`].
    pub state: CommandState,
    /// Since when.
    pub state_at: Timestamp,
    /// What the tenant answered, redacted.
    pub output: String,
}

/// Orders of one person in one moment to judge a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftRound {
    /// The first of them.
    pub id: CommandId,
    /// When.
    pub created: Timestamp,
    /// Who gave them.
    pub ordered_by: String,
    /// To how many servers.
    pub servers: u64,
    /// How many have answered.
    pub answered: u64,
}

impl Command {
    /// How it stands now: an unanswered one past its deadline has expired, whatever message is lost.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> CommandState {
        match self.state {
            CommandState::Queued | CommandState::Received if now >= self.deadline => CommandState::Expired,
            state => state,
        }
    }

    fn of(row: &mut Row) -> Result<Self, StoreError> {
        let (id, tenant) = (row.next()?, row.next()?);
        let order = serde_json::from_str(&row.next::<String>()?).map_err(|_| row.wrong())?;
        let (ordered_by, created, deadline) = (row.next()?, row.next()?, row.next()?);
        let state = row.next::<String>()?;
        let state = CommandState::ALL.into_iter().find(|s| s.as_str() == state).ok_or_else(|| row.wrong())?;
        Ok(Self { id, tenant, order, ordered_by, created, deadline, state, state_at: row.next()?, output: row.next()? })
    }
}

macro_rules! select_command {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.tenant_id, c.payload, c.ordered_by, c.created_ms, c.deadline_ms, c.state, c.state_ms, c.output \
             FROM commands c WHERE ",
            visible!("c.tenant_id"),
            $rest
        )
    };
}

impl Store {
    /// Writes a command. False when `caller` may not see the tenant.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_command(&self, caller: &Caller, command: Command) -> Result<bool, StoreError> {
        let (caller, origin) = (*caller, self.origin.clone());
        let payload = serde_json::to_string(&command.order).unwrap_or_default();
        self.db
            .run_tx("add_command", move |tx| {
                let added = tx.execute(
                    concat!(
                        "INSERT INTO commands (id, tenant_id, payload, ordered_by, created_ms, deadline_ms, state, state_ms, output) \
                         SELECT $3, t.id, $5, $6, $7, $8, 'queued', $7, '' FROM tenants t WHERE ",
                        visible!("t.id"),
                        " AND t.id = $4"
                    ),
                    asked_by![
                        caller,
                        command.id,
                        command.tenant,
                        payload,
                        command.ordered_by,
                        command.created,
                        command.deadline
                    ],
                )?;
                super::changes::note(tx, &origin, "command", Some(command.tenant), command.created)?;
                Ok(added == 1)
            })
            .await
    }

    /// One command of `tenant`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn command(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: CommandId,
    ) -> Result<Option<Command>, StoreError> {
        let caller = *caller;
        self.db
            .read("command", move |tx| {
                let row =
                    tx.first(select_command!(" AND c.tenant_id = $3 AND c.id = $4"), asked_by![caller, tenant, id])?;
                row.map(|mut row| Command::of(&mut row)).transpose()
            })
            .await
    }

    /// Commands of `tenant`, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commands(&self, caller: &Caller, tenant: TenantId, limit: u32) -> Result<Vec<Command>, StoreError> {
        let caller = *caller;
        self.db
            .read("commands", move |tx| {
                let rows = tx.query(
                    select_command!(" AND c.tenant_id = $3 ORDER BY c.created_ms DESC, c.id DESC LIMIT $4"),
                    asked_by![caller, tenant, i64::from(limit)],
                )?;
                rows.into_iter().map(|mut row| Command::of(&mut row)).collect()
            })
            .await
    }

    /// The drafts that were given to be judged together with `id`: by the same person in the same moment.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drafts_beside(&self, caller: &Caller, id: CommandId) -> Result<Vec<Command>, StoreError> {
        let caller = *caller;
        self.db
            .read("drafts_beside", move |tx| {
                let rows = tx.query(
                    select_command!(
                        " AND c.payload LIKE '{\"kind\":\"judge_draft\"%' AND EXISTS (SELECT 1 FROM commands d \
                         WHERE d.id = $3 AND d.created_ms = c.created_ms AND d.ordered_by = c.ordered_by) ORDER BY c.id"
                    ),
                    asked_by![caller, id],
                )?;
                rows.into_iter().map(|mut row| Command::of(&mut row)).collect()
            })
            .await
    }

    /// The newest rounds of drafts to be judged, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn draft_rounds(&self, caller: &Caller, limit: u32) -> Result<Vec<DraftRound>, StoreError> {
        let caller = *caller;
        self.db
            .read("draft_rounds", move |tx| {
                let rows = tx.query(
                    concat!(
                        "SELECT MIN(c.id), c.created_ms, c.ordered_by, COUNT(*), \
                         SUM(CASE WHEN c.state IN ('succeeded', 'failed', 'refused') THEN 1 ELSE 0 END) FROM commands c WHERE ",
                        visible!("c.tenant_id"),
                        " AND c.payload LIKE '{\"kind\":\"judge_draft\"%' GROUP BY c.created_ms, c.ordered_by \
                         ORDER BY c.created_ms DESC LIMIT $3"
                    ),
                    asked_by![caller, i64::from(limit)],
                )?;
                let read = |row: &mut Row| {
                    let (id, created, ordered_by) = (row.next()?, row.next()?, row.next()?);
                    Ok(DraftRound { id, created, ordered_by, servers: row.next()?, answered: row.next()? })
                };
                rows.into_iter().map(|mut row| read(&mut row)).collect()
            })
            .await
    }

    /// Commands that `tenant` has not answered and may still start, oldest first. One that it has received is among them: it
    /// may have died before it acted, and its journal answers a repeat. One that cannot be understood is left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_commands(&self, tenant: TenantId, now: Timestamp) -> Result<Vec<Command>, StoreError> {
        let (caller, odd) = (Caller::Tenant(tenant), self.odd.clone());
        self.db
            .read("open_commands", move |tx| {
                let rows = tx.query(
                    select_command!(
                        " AND c.tenant_id = $2 AND c.state IN ('queued', 'received') AND c.deadline_ms > $3 ORDER BY c.id"
                    ),
                    asked_by![caller, now],
                )?;
                odd.skip(rows, Command::of)
            })
            .await
    }

    /// Moves a command forward on the tenant's word; a final state stays. True when it moved.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_command_state(
        &self,
        tenant: TenantId,
        id: CommandId,
        state: CommandState,
        output: String,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.db
            .run_tx("put_command_state", move |tx| {
                let moved = tx.execute(
                    "UPDATE commands SET state = $3, output = $4, state_ms = $5 \
                     WHERE tenant_id = $1 AND id = $2 AND state IN ('queued', 'received') AND state <> $3 AND $3 <> 'queued'",
                    args![tenant, id, state.as_str(), output, at],
                )?;
                Ok(moved == 1)
            })
            .await
    }

    /// Gives unanswered commands past their deadline their final state; says how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expire_commands(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.db
            .run_tx("expire_commands", move |tx| {
                tx.execute(
                    "UPDATE commands SET state = 'expired', state_ms = deadline_ms \
                     WHERE state IN ('queued', 'received') AND deadline_ms < $1",
                    args![now],
                )
            })
            .await
    }
}
