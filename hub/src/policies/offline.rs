//! Envelopes that were signed where the key is, and the hub is not.

use wardkeep_policy::signed::{reopen, signed_by};
use wardkeep_proto::ids::TenantId;

use super::{PublishError, Publisher, draft};
use crate::store::Caller;
use crate::store::policies::PolicyVersion;

impl Publisher {
    /// Publishes `envelope` as it was signed, when it says exactly what `source` says, for this tenant and as the next version.
    ///
    /// # Errors
    /// [`PublishError::Signed`]; every reason of [`Publisher::publish`].
    pub async fn publish_signed(
        &self,
        caller: &Caller,
        by: &str,
        tenant: TenantId,
        source: &str,
        envelope: Vec<u8>,
    ) -> Result<PolicyVersion, PublishError> {
        let refused = |why: &str| PublishError::Signed(why.to_owned());
        let now = self.clock.now();
        self.store.tenant(caller, tenant, now).await?.ok_or(PublishError::NoTenant)?;
        let newest = self.store.policy(caller, tenant).await?.map(|policy| (policy.version, policy.digest));
        let signed =
            reopen(&envelope, &self.signers().await?).map_err(|error| PublishError::Signed(error.to_string()))?;
        if now >= signed.expires {
            return Err(refused("it has expired; sign it again"));
        }
        // The same text at the same moment becomes the same bytes.
        let draft = draft(tenant, source, newest, signed.issued)?;
        if signed != draft.bundle {
            return Err(refused(
                "it says something else than the text, or is not for this tenant and its next version",
            ));
        }
        let listed = self.ring.listed().await?.list.keys;
        let signer = listed.iter().find(|key| signed_by(&envelope, std::slice::from_ref(*key)));
        let signer = signer.ok_or_else(|| refused("its key is not listed (any more)"))?.id.clone();
        self.put(by, tenant, source, &draft, (envelope, signer)).await
    }
}
