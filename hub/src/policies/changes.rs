//! A draft beside what is in force.

use wardkeep_policy::signed::reopen;
use wardkeep_policy::{Difference, Effect, compare};
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use super::{Draft, PublishError, Publisher, draft};
use crate::store::Caller;

/// What a draft would change.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The draft.
    pub draft: Draft,
    /// What it is compared with; `None` where nothing was published yet.
    pub against: Option<Against>,
    /// What differs, loosening first.
    pub differences: Vec<Difference>,
}

/// The version that a draft is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Against {
    /// Its number.
    pub version: u64,
    /// Whether the server said that it runs it; else it is the newest one that was published.
    pub in_force: bool,
}

impl Changes {
    /// Whether some difference may let something pass that did not before.
    #[must_use]
    pub fn loosen(&self) -> bool {
        self.differences.iter().any(|difference| difference.effect == Effect::Loosens)
    }
}

impl Publisher {
    /// What `source` would change for `tenant`, by its text alone.
    ///
    /// # Errors
    /// What is wrong with the text, or with what was published before.
    pub async fn changes(&self, caller: &Caller, tenant: TenantId, source: &str) -> Result<Changes, PublishError> {
        self.changes_at(caller, tenant, source, self.clock.now()).await
    }

    /// As [`changes`](Self::changes), for a draft of the moment `issued`.
    pub(crate) async fn changes_at(
        &self,
        caller: &Caller,
        tenant: TenantId,
        source: &str,
        issued: Timestamp,
    ) -> Result<Changes, PublishError> {
        let row = self.store.tenant(caller, tenant, self.clock.now()).await?.ok_or(PublishError::NoTenant)?;
        let newest = self.store.policy(caller, tenant).await?;
        let draft = draft(tenant, source, newest.as_ref().map(|policy| (policy.version, policy.digest)), issued)?;
        let runs = row.status.map_or(0, |status| status.generation);
        let running = self.store.policy_version(caller, tenant, runs).await?;
        let in_force = running.is_some();
        let Some(policy) = running.or(newest) else {
            return Ok(Changes { draft, against: None, differences: Vec::new() });
        };
        let version = policy.version;
        let before = reopen(&policy.envelope, &self.signers().await?)
            .map_err(|refused| PublishError::Published { version, refused })?;
        let differences = compare(&before, &draft.bundle);
        Ok(Changes { draft, against: Some(Against { version, in_force }), differences })
    }
}
