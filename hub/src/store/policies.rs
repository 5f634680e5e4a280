//! Signed configurations by tenant. The highest version is the desired one.

use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use super::value::{Row, args};
use super::{Caller, Store, StoreError, asked_by, visible};

/// One signed configuration of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Whose.
    pub tenant: TenantId,
    /// Grows by one; also the generation of `Desired`.
    pub version: u64,
    /// Digest of the bundle's JSON bytes.
    pub digest: Digest,
    /// The TOML a person wrote.
    pub source: String,
    /// DSSE envelope as sent to the tenant.
    pub envelope: Vec<u8>,
    /// When it was signed.
    pub issued: Timestamp,
    /// Until when the tenant applies it.
    pub expires: Timestamp,
    /// Who published it.
    pub published_by: String,
    /// Id of the key that signed; `None` in rows of before keys could be rotated.
    pub signer: Option<String>,
}

/// Someone else published in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a newer policy was published meanwhile; look at it and publish again")]
pub struct VersionTaken;

impl PolicyVersion {
    fn of(row: &mut Row) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: row.next()?,
            version: row.next()?,
            digest: row.next()?,
            source: row.next()?,
            envelope: row.next()?,
            issued: row.next()?,
            expires: row.next()?,
            published_by: row.next()?,
            signer: row.next()?,
        })
    }
}

macro_rules! select_policy {
    ($rest:literal) => {
        concat!(
            "SELECT p.tenant_id, p.version, p.digest, p.source, p.envelope, p.issued_ms, p.expires_ms, p.published_by, p.signer \
             FROM policies p WHERE ",
            visible!("p.tenant_id"),
            $rest
        )
    };
}

impl Store {
    /// Stores the next version; refused when that version is taken or skips one.
    ///
    /// # Errors
    /// [`StoreError`]; inside, [`VersionTaken`].
    pub async fn put_policy(&self, policy: PolicyVersion) -> Result<Result<(), VersionTaken>, StoreError> {
        let origin = self.origin.clone();
        self.db
            .run_tx("put_policy", move |tx| {
                let added = tx.execute(
                    "INSERT INTO policies (tenant_id, version, digest, source, envelope, issued_ms, expires_ms, published_by, signer) \
                     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM tenants \
                     WHERE id = $1 AND $2 = 1 + (SELECT COALESCE(MAX(version), 0) FROM policies WHERE tenant_id = $1)",
                    args![
                        policy.tenant,
                        policy.version,
                        policy.digest,
                        policy.source,
                        policy.envelope,
                        policy.issued,
                        policy.expires,
                        policy.published_by,
                        policy.signer
                    ],
                )?;
                if added != 1 {
                    return Ok(Err(VersionTaken));
                }
                super::changes::note(tx, &origin, "policy", Some(policy.tenant), policy.issued)?;
                Ok(Ok(()))
            })
            .await
    }

    /// The newest version of `tenant`, if `caller` may see it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn policy(&self, caller: &Caller, tenant: TenantId) -> Result<Option<PolicyVersion>, StoreError> {
        let caller = *caller;
        self.db
            .read("policy", move |tx| {
                let row = tx.first(
                    select_policy!(" AND p.tenant_id = $3 ORDER BY p.version DESC LIMIT 1"),
                    asked_by![caller, tenant],
                )?;
                row.map(|mut row| PolicyVersion::of(&mut row)).transpose()
            })
            .await
    }

    /// One version of `tenant`, if `caller` may see it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn policy_version(
        &self,
        caller: &Caller,
        tenant: TenantId,
        version: u64,
    ) -> Result<Option<PolicyVersion>, StoreError> {
        let caller = *caller;
        self.db
            .read("policy_version", move |tx| {
                let row = tx.first(
                    select_policy!(" AND p.tenant_id = $3 AND p.version = $4"),
                    asked_by![caller, tenant, version],
                )?;
                row.map(|mut row| PolicyVersion::of(&mut row)).transpose()
            })
            .await
    }

    /// Tenants whose newest version none of `keys` signed; `first` is the one that signed rows without a name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn policies_not_signed_by(&self, keys: Vec<String>, first: String) -> Result<Vec<TenantId>, StoreError> {
        self.db
            .read("policies_not_signed_by", move |tx| {
                let rows = tx.query(
                    "SELECT p.tenant_id FROM policies p WHERE $1 NOT LIKE '%' || COALESCE(p.signer, $2) || '%' AND p.version = \
                     (SELECT MAX(q.version) FROM policies q WHERE q.tenant_id = p.tenant_id) ORDER BY p.tenant_id",
                    args![keys.join(" "), first],
                )?;
                rows.into_iter().map(|mut row| row.next()).collect()
            })
            .await
    }

    /// What `tenant` should run: its newest version. None when that cannot be understood: an older one is not desired.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn desired_policy(&self, tenant: TenantId) -> Result<Option<PolicyVersion>, StoreError> {
        let newest = self.policy(&Caller::Tenant(tenant), tenant).await.transpose();
        Ok(newest.map(|newest| self.odd.or_nothing(&tenant.to_string(), newest)).transpose()?.flatten())
    }

    /// Versions of `tenant`, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn policy_history(
        &self,
        caller: &Caller,
        tenant: TenantId,
        limit: u32,
    ) -> Result<Vec<PolicyVersion>, StoreError> {
        let caller = *caller;
        self.db
            .read("policy_history", move |tx| {
                let rows = tx.query(
                    select_policy!(" AND p.tenant_id = $3 ORDER BY p.version DESC LIMIT $4"),
                    asked_by![caller, tenant, i64::from(limit)],
                )?;
                rows.into_iter().map(|mut row| PolicyVersion::of(&mut row)).collect()
            })
            .await
    }

    /// Newest versions that expire before `before`: due to be signed again. One that cannot be understood is left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn policies_expiring(&self, before: Timestamp) -> Result<Vec<PolicyVersion>, StoreError> {
        let (caller, odd) = (Caller::Operator, self.odd.clone());
        self.db
            .read("policies_expiring", move |tx| {
                let rows = tx.query(
                    select_policy!(
                        " AND p.expires_ms < $3 AND p.version = (SELECT MAX(q.version) FROM policies q WHERE q.tenant_id = p.tenant_id)"
                    ),
                    asked_by![caller, before],
                )?;
                odd.skip(rows, PolicyVersion::of)
            })
            .await
    }
}
