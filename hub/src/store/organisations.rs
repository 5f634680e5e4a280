//! Customers.

use wardkeep_proto::ids::OrganisationId;
use wardkeep_proto::time::Timestamp;

use super::value::args;
use super::{Store, StoreError};

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// Its name, unique on this hub.
    pub name: String,
}

impl Store {
    /// The organisation named `name`; made with `id` when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn organisation(
        &self,
        id: OrganisationId,
        name: &str,
        now: Timestamp,
    ) -> Result<Organisation, StoreError> {
        let name = name.to_owned();
        let body = move |tx: &super::db::Tx<'_>| {
            let insert =
                "INSERT INTO organisations (id, name, created_ms) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING";
            tx.execute(insert, args![id, name.as_str(), now])?;
            let mut row = tx
                .first("SELECT id, name FROM organisations WHERE name = $1", args![name])?
                .ok_or(StoreError::Row { query: insert })?;
            Ok(Organisation { id: row.next()?, name: row.next()? })
        };
        self.db.run_tx("organisation", body).await
    }

    /// Every organisation by name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn organisations(&self) -> Result<Vec<Organisation>, StoreError> {
        self.db
            .read("organisations", |tx| {
                let rows = tx.query("SELECT id, name FROM organisations ORDER BY name", args![])?;
                rows.into_iter().map(|mut row| Ok(Organisation { id: row.next()?, name: row.next()? })).collect()
            })
            .await
    }
}
