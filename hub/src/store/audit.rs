//! Signed heads of the tenants' audit logs.

use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use super::value::args;
use super::{Caller, Store, StoreError, asked_by, visible};

/// The head of a tenant's audit log at one length, signed by the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Rows in the log.
    pub length: u64,
    /// Its head.
    pub head: Digest,
    /// When, by the tenant's clock.
    pub at: Timestamp,
    /// SHA-256 of the key that signed it.
    pub key: Digest,
    /// Ed25519 by the tenant's audit key; empty for the evidence of a fork, which the tenant told and did not sign.
    pub signature: Vec<u8>,
    /// When it came.
    pub received: Timestamp,
    /// The log was rewritten: another head was known for this length, or a longer log before.
    pub consistent: bool,
}

/// What became of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointOutcome {
    /// Highest length on disk.
    pub length: u64,
    /// False when history was rewritten.
    pub consistent: bool,
}

impl Store {
    /// The audit key of `tenant`: `seen` is kept when there is none yet, otherwise the first one stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_key(&self, tenant: TenantId, seen: Vec<u8>, now: Timestamp) -> Result<Vec<u8>, StoreError> {
        self.db
            .run_tx("audit_key", move |tx| {
                let insert = "INSERT INTO audit_keys (tenant_id, public_key, seen_ms) VALUES ($1, $2, $3) ON CONFLICT (tenant_id) DO NOTHING";
                tx.execute(insert, args![tenant, seen, now])?;
                tx.first("SELECT public_key FROM audit_keys WHERE tenant_id = $1", args![tenant])?
                    .ok_or(StoreError::Row { query: insert })?
                    .next()
            })
            .await
    }

    /// The audit key of `tenant`, if it has shown one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn known_audit_key(&self, caller: &Caller, tenant: TenantId) -> Result<Option<Vec<u8>>, StoreError> {
        let caller = *caller;
        self.db
            .read("known_audit_key", move |tx| {
                let row = tx.first(
                    concat!(
                        "SELECT k.public_key FROM audit_keys k WHERE ",
                        visible!("k.tenant_id"),
                        " AND k.tenant_id = $3"
                    ),
                    asked_by![caller, tenant],
                )?;
                row.map(|mut row| row.next()).transpose()
            })
            .await
    }

    /// Stores a checkpoint whose signature was checked. One that contradicts an earlier one is kept beside it, flagged; so is
    /// what the log is said to hold now at a length `known` from before, when that is another head than it had.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_checkpoint(
        &self,
        tenant: TenantId,
        checkpoint: Checkpoint,
        known: Option<(u64, Digest)>,
    ) -> Result<CheckpointOutcome, StoreError> {
        self.db
            .run_tx("put_checkpoint", move |tx| {
                let other = tx.first(
                    "SELECT COUNT(*) FROM audit_checkpoints WHERE tenant_id = $1 AND key_digest = $2 AND length = $3 AND head <> $4",
                    args![tenant, checkpoint.key, checkpoint.length, checkpoint.head],
                )?;
                let same_row = other.map_or(Ok(0_i64), |mut row| row.next())? == 0;
                // A chain only grows: shorter than one that was signed earlier means that rows were cut off. One that was
                // signed earlier and comes later is only late.
                let longer = tx.first(
                    "SELECT COUNT(*) FROM audit_checkpoints WHERE tenant_id = $1 AND key_digest = $2 AND length > $3 AND at_ms < $4",
                    args![tenant, checkpoint.key, checkpoint.length, checkpoint.at],
                )?;
                let mut consistent = same_row && longer.map_or(Ok(0_i64), |mut row| row.next())? == 0;
                if let Some((length, head)) = known {
                    let forked = tx.execute(
                        "INSERT INTO audit_checkpoints (tenant_id, key_digest, length, head, at_ms, signature, received_ms, consistent) \
                         SELECT $1, $2, $3, $4, $5, $6, $7, 0 WHERE EXISTS \
                         (SELECT 1 FROM audit_checkpoints WHERE tenant_id = $1 AND key_digest = $2 AND length = $3) AND NOT EXISTS \
                         (SELECT 1 FROM audit_checkpoints WHERE tenant_id = $1 AND key_digest = $2 AND length = $3 AND head = $4)",
                        args![
                            tenant,
                            checkpoint.key,
                            length,
                            head,
                            checkpoint.at,
                            Vec::<u8>::new(),
                            checkpoint.received
                        ],
                    )?;
                    consistent &= forked == 0;
                }
                tx.execute(
                    "INSERT INTO audit_checkpoints (tenant_id, key_digest, length, head, at_ms, signature, received_ms, consistent) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant_id, key_digest, length, head) DO NOTHING",
                    args![
                        tenant,
                        checkpoint.key,
                        checkpoint.length,
                        checkpoint.head,
                        checkpoint.at,
                        checkpoint.signature,
                        checkpoint.received,
                        consistent
                    ],
                )?;
                let highest = tx.first(
                    "SELECT MAX(length) FROM audit_checkpoints WHERE tenant_id = $1 AND key_digest = $2",
                    args![tenant, checkpoint.key],
                )?;
                let length = highest.map_or(Ok(0), |mut row| row.next())?;
                Ok(CheckpointOutcome { length, consistent })
            })
            .await
    }

    /// Checkpoints of `tenant`, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn checkpoints(
        &self,
        caller: &Caller,
        tenant: TenantId,
        limit: u32,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let caller = *caller;
        self.db
            .read("checkpoints", move |tx| {
                let rows = tx.query(
                    concat!(
                        "SELECT c.length, c.head, c.at_ms, c.key_digest, c.signature, c.received_ms, c.consistent FROM audit_checkpoints c WHERE ",
                        visible!("c.tenant_id"),
                        " AND c.tenant_id = $3 ORDER BY c.received_ms DESC, c.length DESC LIMIT $4"
                    ),
                    asked_by![caller, tenant, i64::from(limit)],
                )?;
                let checkpoint = |mut row: super::value::Row| {
                    Ok(Checkpoint {
                        length: row.next()?,
                        head: row.next()?,
                        at: row.next()?,
                        key: row.next()?,
                        signature: row.next()?,
                        received: row.next()?,
                        consistent: row.next()?,
                    })
                };
                rows.into_iter().map(checkpoint).collect()
            })
            .await
    }

    /// True when any checkpoint of `tenant` contradicts another: its history was rewritten.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_contradicted(&self, caller: &Caller, tenant: TenantId) -> Result<bool, StoreError> {
        let caller = *caller;
        self.db
            .read("audit_contradicted", move |tx| {
                let row = tx.first(
                    concat!(
                        "SELECT COUNT(*) FROM audit_checkpoints c WHERE ",
                        visible!("c.tenant_id"),
                        " AND c.tenant_id = $3 AND c.consistent = 0"
                    ),
                    asked_by![caller, tenant],
                )?;
                Ok(row.map_or(Ok(0_i64), |mut row| row.next())? > 0)
            })
            .await
    }
}
