//! How processes that share a database tell each other that rows changed. A hint: rows are the truth.

use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use super::db::Tx;
use super::value::args;
use super::{Store, StoreError};

/// A row that another process wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Grows for ever.
    pub number: u64,
    /// What kind of row: `tenant`, `approval`, `policy`, `command`, `passkey`, `keys`.
    pub topic: String,
    /// Whose row.
    pub tenant: Option<TenantId>,
}

/// Leaves a note in the transaction that makes the change.
pub(super) fn note(
    tx: &Tx<'_>,
    origin: &str,
    topic: &str,
    tenant: Option<TenantId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO changes (number, origin, topic, tenant_id, at_ms) \
         SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4 FROM changes",
        args![origin, topic, tenant, now],
    )
    .map(drop)
}

impl Store {
    /// Number of the newest note.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_change(&self) -> Result<u64, StoreError> {
        self.db
            .read("last_change", |tx| {
                let row = tx.first("SELECT COALESCE(MAX(number), 0) FROM changes", args![])?;
                row.map_or(Ok(0), |mut row| row.next())
            })
            .await
    }

    /// Notes of other processes after `number`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn changes_after(&self, number: u64) -> Result<Vec<Change>, StoreError> {
        let origin = self.origin.clone();
        self.db
            .read("changes_after", move |tx| {
                let rows = tx.query(
                    "SELECT number, topic, tenant_id FROM changes WHERE number > $1 AND origin <> $2 ORDER BY number LIMIT 1000",
                    args![number, &*origin],
                )?;
                let change = |mut row: super::value::Row| {
                    Ok(Change { number: row.next()?, topic: row.next()?, tenant: row.next()? })
                };
                rows.into_iter().map(change).collect()
            })
            .await
    }

    /// Forgets notes older than `before`, the newest excepted: numbers go on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_old_changes(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.db
            .run_tx("forget_old_changes", move |tx| {
                tx.execute(
                    "DELETE FROM changes WHERE at_ms < $1 AND number < (SELECT MAX(number) FROM changes)",
                    args![before],
                )
            })
            .await
    }
}
