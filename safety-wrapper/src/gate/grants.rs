//! Standing permissions as they stand on this server: how often each was used, and which a person here took back.

use rusqlite::Connection;
use serde::Serialize;
use serde_json::json;
use wardkeep_policy::{Grant, Granting};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::{Gate, GateError};
use crate::audit;
use crate::store::grants::{self, Ledger};
use crate::store::{StoreError, activity};

/// One grant of the policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KnownGrant {
    /// Its name here: a digest of what it lets pass, for whom, until when.
    pub id: Digest,
    /// Whose it is.
    pub agent: AgentName,
    /// What it lets pass.
    #[serde(flatten)]
    pub grant: Grant,
    /// How often it was used.
    pub used: u32,
    /// How often it may still be used; `None` without a count.
    pub left: Option<u32>,
    /// Whether a person here took it back.
    pub revoked: bool,
    /// Whether it lets something pass now.
    pub live: bool,
    /// Who gave it and how, where it does not stand in the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<GivenBy>,
}

/// A person's word with an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GivenBy {
    /// Digest of the approval.
    pub approval: Digest,
    /// Who.
    pub by: String,
    /// When.
    pub at_ms: Timestamp,
}

/// Why a grant was not taken back.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// The policy in force has no such grant.
    #[error("there is no such grant here; `wardkeep-agent grants list` shows them")]
    Unknown,
    /// It could not be recorded.
    #[error(transparent)]
    Store(#[from] GateError),
}

pub(super) fn given(conn: &Connection, granting: Granting, now: Timestamp) -> Result<Vec<KnownGrant>, StoreError> {
    let mut known = Vec::new();
    for agent in grants::given_to(conn, now)? {
        let ledger = Ledger::of(conn, &agent, None)?;
        let counting: Vec<Grant> = ledger.given_now(granting, now).collect();
        let open = ledger.given().iter().filter(|given| given.grant.expires.is_some_and(|end| now < end));
        known.extend(open.map(|given| {
            // As the policy in force bounds it.
            let counts = counting.iter().find(|grant| grant.id(&agent) == given.grant.id(&agent));
            let by = GivenBy { approval: given.approval, by: given.by.clone(), at_ms: given.at };
            let grant = counts.unwrap_or(&given.grant).clone();
            KnownGrant::of(&ledger, &agent, (grant, counts.is_some()), Some(by))
        }));
    }
    Ok(known)
}

impl KnownGrant {
    fn of(ledger: &Ledger, agent: &AgentName, (grant, counts): (Grant, bool), given: Option<GivenBy>) -> Self {
        let id = grant.id(agent);
        let used = ledger.used(id);
        Self {
            id,
            agent: agent.clone(),
            used,
            left: grant.uses.map(|most| most.saturating_sub(used)),
            revoked: ledger.is_revoked(id),
            live: counts && ledger.is_live(agent, &grant),
            grant,
            given,
        }
    }
}

impl Gate {
    /// Every grant of the policy in force with its uses, then those that people gave with approvals and that have not ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn grants(&self) -> Result<Vec<KnownGrant>, GateError> {
        let (bundle, now) = (self.parts.bundle.borrow().clone(), self.now());
        self.read(move |conn| {
            let mut known = Vec::new();
            for agent in &bundle.agents {
                let ledger = Ledger::of(conn, &agent.name, None)?;
                known.extend(agent.grants.iter().map(|grant| {
                    let live = grant.expires.is_none_or(|end| now < end);
                    KnownGrant::of(&ledger, &agent.name, (grant.clone(), live), None)
                }));
            }
            known.extend(given(conn, bundle.granting, now)?);
            Ok(known)
        })
        .await
    }

    /// Those that people gave with approvals and that have not ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn grants_given(&self) -> Result<Vec<KnownGrant>, GateError> {
        let (granting, now) = (self.parts.bundle.borrow().granting, self.now());
        let known = self.read(move |conn| given(conn, granting, now)).await?;
        Ok(self.as_told(known))
    }

    /// Told to the hub: what became a secret since is masked.
    pub(super) fn as_told(&self, known: Vec<KnownGrant>) -> Vec<KnownGrant> {
        let clean = |list: Vec<String>| -> Vec<String> { list.iter().map(|text| self.clean(text)).collect() };
        let shown = |grant: Grant| Grant {
            tool: self.clean(&grant.tool),
            recipients: clean(grant.recipients),
            hosts: clean(grant.hosts),
            commands: grant.commands.into_iter().map(clean).collect(),
            ..grant
        };
        known.into_iter().map(|known| KnownGrant { grant: shown(known.grant), ..known }).collect()
    }

    /// Takes a grant back on this server, for good: the same one of a later policy lets nothing pass either. What it let begin goes on.
    ///
    /// `id`: the digest, or at least eight signs of its beginning.
    ///
    /// # Errors
    /// See [`RevokeError`].
    pub async fn revoke_grant(&self, id: &str, by: &str) -> Result<KnownGrant, RevokeError> {
        let mut named =
            self.grants().await?.into_iter().filter(|known| id.len() >= 8 && known.id.to_string().starts_with(id));
        let mut known = named.next().ok_or(RevokeError::Unknown)?;
        // Those of one name differ in their count alone, and go together.
        if named.any(|other| other.id != known.id) {
            return Err(RevokeError::Unknown);
        }
        let (agent, id, by, at) = (known.agent.clone(), known.id, self.clean(by), self.now());
        let (fields, line) = (
            json!({"agent": agent, "grant": id, "tool": known.grant.tool, "by": by}),
            format!("a grant of agent {agent} for {} was taken back by {by}", self.clean(&known.grant.tool)),
        );
        self.write(move |tx| {
            if grants::revoke(tx, &agent, id, &by, at)? {
                audit::append(tx, at, "grant-revoked", None, &fields)?;
                activity::notice(tx, at, "policy", &line)?;
            }
            Ok(())
        })
        .await?;
        (known.revoked, known.live) = (true, false);
        Ok(known)
    }
}
