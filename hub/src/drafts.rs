//! Drafts of policy that people review before one is published: asked in one moment, looked at together, published by digest.
//!
//! A round of review is the orders that one person gave in one moment, so it needs no row of its own. Each order says which
//! version it comes after; with that and its moment the draft is the same bytes whenever it is made, and they have one digest.

use std::time::Duration;

use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{CommandId, TenantName};
use wardkeep_proto::time::Timestamp;

use crate::app::SharedClock;
use crate::orders::{OrderError, Orders};
use crate::policies::{Changes, PublishError, Publisher};
use crate::reviews::{Answer, heard};
use crate::store::commands::{Command, DraftRound, Order};
use crate::store::tenants::{Standing, Tenant};
use crate::store::{Caller, Store, StoreError};

/// What was reviewed can be published for this long.
pub const REVIEW_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Orders to one server among which a reviewed draft is looked for.
const ORDERS: u32 = 100;

/// Why servers were not asked.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// What is wrong with the draft.
    #[error(transparent)]
    Draft(#[from] PublishError),
    /// What is wrong with the question.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Nobody is there to be asked.
    #[error("there is no server to ask; add one first")]
    NoServer,
    /// The database.
    #[error("the draft was not stored")]
    Store(#[from] StoreError),
}

/// Servers that judge one text.
#[derive(Debug)]
pub struct Round {
    /// Names it.
    pub id: CommandId,
    /// Who asked.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// On how many calls of each.
    pub last: u32,
    /// The text.
    pub source: String,
    /// By name of the server.
    pub servers: Vec<Reviewed>,
}

/// A draft before one server.
#[derive(Debug)]
pub struct Reviewed {
    /// Which server.
    pub tenant: Tenant,
    /// What it said; `None` while it judges.
    pub answer: Option<Answer>,
    /// What became of the draft since.
    pub stage: Stage,
}

/// What became of a draft.
#[derive(Debug)]
pub enum Stage {
    /// It can be published: what it would change.
    Open(Box<Changes>),
    /// It was, as this version.
    Published(u64, Digest),
    /// It comes after a version that is no longer the newest one.
    Outdated,
    /// It is older than [`REVIEW_LIFE`].
    Over,
    /// It cannot be made any more, and why.
    Refused(String),
}

/// Drafts under review; cheap to clone.
#[derive(Clone)]
pub struct Drafts {
    store: Store,
    clock: SharedClock,
    orders: Orders,
    publisher: Publisher,
}

impl std::fmt::Debug for Drafts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Drafts(..)")
    }
}

impl Drafts {
    /// Drafts over a store, sent by `orders`, made by `publisher`.
    #[must_use]
    pub const fn new(store: Store, clock: SharedClock, orders: Orders, publisher: Publisher) -> Self {
        Self { store, clock, orders, publisher }
    }

    /// Asks every one of `tenants` to judge `source`; names the round. One that is away answers if it comes back soon.
    ///
    /// # Errors
    /// See [`DraftError`]; nobody is asked then, unless the database failed on the way.
    pub async fn ask(
        &self,
        caller: &Caller,
        by: &str,
        tenants: &[Tenant],
        source: &str,
        last: u32,
    ) -> Result<CommandId, DraftError> {
        let (now, mut first) = (self.clock.now(), None);
        for tenant in tenants {
            // What the hub itself finds wrong is told before anybody is asked.
            self.publisher.draft(caller, tenant.id, source).await?;
        }
        for tenant in tenants {
            let after = self.store.policy(caller, tenant.id).await?.map_or(0, |policy| policy.version);
            let order = Order::JudgeDraft { source: source.to_owned(), last, after: Some(after) };
            let command = self.orders.give_at(caller, by, tenant.id, order, now).await?;
            first.get_or_insert(command.id);
        }
        first.ok_or(DraftError::NoServer)
    }

    /// One round, with what is known of it now.
    ///
    /// # Errors
    /// The database.
    pub async fn round(&self, caller: &Caller, id: CommandId) -> Result<Option<Round>, StoreError> {
        let commands = self.store.drafts_beside(caller, id).await?;
        let Some(first) = commands.first() else { return Ok(None) };
        let Order::JudgeDraft { source, last, .. } = first.order.clone() else { return Ok(None) };
        let mut round =
            Round { id, by: first.ordered_by.clone(), at: first.created, last, source, servers: Vec::new() };
        for command in commands {
            if let Some(tenant) = self.store.tenant(caller, command.tenant, self.clock.now()).await? {
                round.servers.push(self.reviewed(caller, tenant, &command).await?);
            }
        }
        round.servers.sort_by(|a, b| a.tenant.name.as_str().cmp(b.tenant.name.as_str()));
        Ok(Some(round))
    }

    /// The newest rounds.
    ///
    /// # Errors
    /// The database.
    pub async fn newest(&self, caller: &Caller, limit: u32) -> Result<Vec<DraftRound>, StoreError> {
        self.store.draft_rounds(caller, limit).await
    }

    /// The draft of this digest as that server was asked about it, with its text and moment; `None` for one that nobody
    /// reviewed, or that is not the next version any more.
    ///
    /// # Errors
    /// The database.
    pub async fn of_digest(
        &self,
        caller: &Caller,
        tenant: Tenant,
        digest: Digest,
    ) -> Result<Option<(Reviewed, String, Timestamp)>, StoreError> {
        for command in self.store.commands(caller, tenant.id, ORDERS).await? {
            let reviewed = self.reviewed(caller, tenant.clone(), &command).await?;
            if matches!(&reviewed.stage, Stage::Open(changes) if changes.draft.digest == digest)
                && let Order::JudgeDraft { source, .. } = command.order
            {
                return Ok(Some((reviewed, source, command.created)));
            }
        }
        Ok(None)
    }

    async fn reviewed(&self, caller: &Caller, tenant: Tenant, command: &Command) -> Result<Reviewed, StoreError> {
        let now = self.clock.now();
        let answer = heard(command, command.standing(now)).or_else(|| match tenant.standing(now) {
            Standing::Online => None,
            Standing::New => Some(Answer::Silent("it has not enrolled yet")),
            Standing::Offline => Some(Answer::Silent("it is offline")),
        });
        let stage = self.stage(caller, &tenant, command, now).await?;
        Ok(Reviewed { tenant, answer, stage })
    }

    async fn stage(
        &self,
        caller: &Caller,
        tenant: &Tenant,
        command: &Command,
        now: Timestamp,
    ) -> Result<Stage, StoreError> {
        let Order::JudgeDraft { source, after: Some(after), .. } = &command.order else { return Ok(Stage::Over) };
        let next = self.store.policy_version(caller, tenant.id, after + 1).await?;
        if let Some(policy) = next.filter(|next| next.issued == command.created && next.source == *source) {
            return Ok(Stage::Published(policy.version, policy.digest));
        }
        if tenant.desired_generation.unwrap_or(0) != *after {
            return Ok(Stage::Outdated);
        }
        if now.since(command.created) >= REVIEW_LIFE {
            return Ok(Stage::Over);
        }
        match self.publisher.changes_at(caller, tenant.id, source, command.created).await {
            // Somebody published between the two looks.
            Ok(changes) if changes.draft.bundle.version != after + 1 => Ok(Stage::Outdated),
            Ok(changes) => Ok(Stage::Open(Box::new(changes))),
            Err(PublishError::Store(error)) => Err(error),
            Err(error) => Ok(Stage::Refused(crate::api::error::chain(&error))),
        }
    }
}

/// Why a draft is not published without a word of the person.
#[must_use]
pub fn objection(name: &TenantName, changes: &Changes, answer: &Answer) -> Option<String> {
    match answer {
        Answer::Reviewed(review) if review.loosens() => Some(format!(
            "{} of the last {} calls of {name} would be judged more openly",
            review.loosened(),
            review.judged
        )),
        Answer::Reviewed(_) => None,
        _ if !changes.loosen() => None,
        Answer::Refused(why) => Some(format!("the draft loosens, and {name} has not judged it ({why})")),
        Answer::Silent(why) => Some(format!("the draft loosens, and {name} was not heard: {why}")),
    }
}

#[cfg(test)]
mod tests;
