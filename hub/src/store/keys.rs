//! The hub's own keys (sealed) and the lists of keys that may sign bundles.

use wardkeep_proto::time::Timestamp;

use super::value::args;
use super::{Store, StoreError};

/// One of the hub's keys as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// `ca`, `decision` or `bundle`; of later keys `decision:ID` or `bundle:ID`.
    pub name: String,
    /// Certificate (DER) of the CA, Ed25519 public key of the others.
    pub public: Vec<u8>,
    /// The private part, sealed.
    pub sealed: Vec<u8>,
}

impl std::fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredKey({})", self.name)
    }
}

/// A list of keys, signed by the offline root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKeyList {
    /// Grows with each list.
    pub version: u64,
    /// Ed25519 public key of the root.
    pub root_public: Vec<u8>,
    /// DSSE envelope.
    pub envelope: Vec<u8>,
}

impl Store {
    /// Stores the first keys and the first key list, all or nothing; false when there are keys already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_first_keys(
        &self,
        keys: Vec<StoredKey>,
        list: StoredKeyList,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.db
            .run_tx("put_first_keys", move |tx| {
                if tx.first("SELECT name FROM keys LIMIT 1", args![])?.is_some() {
                    return Ok(false);
                }
                for key in keys {
                    tx.execute(
                        "INSERT INTO keys (name, public, sealed, created_ms) VALUES ($1, $2, $3, $4)",
                        args![key.name, key.public, key.sealed, now],
                    )?;
                }
                put_key_list(tx, list, now)?;
                Ok(true)
            })
            .await
    }

    /// One of the hub's keys.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn key(&self, name: &'static str) -> Result<Option<StoredKey>, StoreError> {
        self.db
            .read("key", move |tx| {
                let row = tx.first("SELECT name, public, sealed FROM keys WHERE name = $1", args![name])?;
                row.map(|mut row| Ok(StoredKey { name: row.next()?, public: row.next()?, sealed: row.next()? }))
                    .transpose()
            })
            .await
    }

    /// The keys of one kind: the first, named so, and later ones, with their id behind it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keys_of(&self, kind: &'static str) -> Result<Vec<StoredKey>, StoreError> {
        self.db
            .read("keys_of", move |tx| {
                let rows = tx.query(
                    "SELECT name, public, sealed FROM keys WHERE name = $1 OR name LIKE $2 ORDER BY created_ms, name",
                    args![kind, format!("{kind}:%")],
                )?;
                let key = |mut row: super::value::Row| {
                    Ok(StoredKey { name: row.next()?, public: row.next()?, sealed: row.next()? })
                };
                rows.into_iter().map(key).collect()
            })
            .await
    }

    /// Stores one more key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_key(&self, key: StoredKey, now: Timestamp) -> Result<(), StoreError> {
        self.db
            .run_tx("put_key", move |tx| {
                tx.execute(
                    "INSERT INTO keys (name, public, sealed, created_ms) VALUES ($1, $2, $3, $4)",
                    args![key.name, key.public, key.sealed, now],
                )
                .map(drop)
            })
            .await
    }

    /// Stores a list when it is newer than every other one; other processes hear of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_newer_key_list(&self, list: StoredKeyList, now: Timestamp) -> Result<bool, StoreError> {
        let origin = self.origin.clone();
        self.db
            .run_tx("put_newer_key_list", move |tx| {
                let newest = tx.first("SELECT COALESCE(MAX(version), 0) FROM key_lists", args![])?;
                let newest: u64 = newest.map_or(Ok(0), |mut row| row.next())?;
                if list.version <= newest {
                    return Ok(false);
                }
                put_key_list(tx, list, now)?;
                super::changes::note(tx, &origin, "keys", None, now)?;
                Ok(true)
            })
            .await
    }

    /// The newest key list.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn key_list(&self) -> Result<Option<StoredKeyList>, StoreError> {
        self.db
            .read("key_list", |tx| {
                let sql = "SELECT version, root_public, envelope FROM key_lists ORDER BY version DESC LIMIT 1";
                let row = tx.first(sql, args![])?;
                row.map(|mut row| {
                    Ok(StoredKeyList { version: row.next()?, root_public: row.next()?, envelope: row.next()? })
                })
                .transpose()
            })
            .await
    }
}

fn put_key_list(tx: &super::db::Tx<'_>, list: StoredKeyList, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO key_lists (version, root_public, envelope, created_ms) VALUES ($1, $2, $3, $4)",
        args![list.version, list.root_public, list.envelope, now],
    )
    .map(drop)
}
