//! Standing permissions as they stand on this server: how often each was used, and which a person here took back.

use serde::Serialize;
use serde_json::json;
use wardkeep_policy::Grant;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::AgentName;

use super::{Gate, GateError};
use crate::audit;
use crate::store::activity;
use crate::store::grants::{self, Ledger};

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
}

/// Why a grant was not taken back.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// The policy in force has no such grant.
    #[error("the policy in force has no such grant; `wardkeep-agent grants list` shows them")]
    Unknown,
    /// It could not be recorded.
    #[error(transparent)]
    Store(#[from] GateError),
}

impl Gate {
    /// Every grant of the policy in force, with its uses.
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
                    let id = grant.id(&agent.name);
                    let used = ledger.used(id);
                    KnownGrant {
                        id,
                        agent: agent.name.clone(),
                        grant: grant.clone(),
                        used,
                        left: grant.uses.map(|most| most.saturating_sub(used)),
                        revoked: ledger.is_revoked(id),
                        live: ledger.is_live(&agent.name, grant) && grant.expires.is_none_or(|end| now < end),
                    }
                }));
            }
            Ok(known)
        })
        .await
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
        let (Some(mut known), None) = (named.next(), named.next()) else { return Err(RevokeError::Unknown) };
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
