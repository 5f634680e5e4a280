//! Rows of passkeys: offered by a hub, pinned by the customer, removed.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use wardkeep_passkey::Passkey;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::Timestamp;

use super::{StoreError, Tx, digest_of_row};
use crate::passkey::{KnownPasskey, PasskeyState};

/// An older build does without it.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS passkeys (
    fingerprint BLOB PRIMARY KEY,
    credential  BLOB NOT NULL,
    passkey     TEXT NOT NULL,      -- JSON of the key and its site
    name        TEXT NOT NULL,      -- for people, redacted
    owner       TEXT NOT NULL,      -- whose it is, in the hub's words
    state       TEXT NOT NULL,      -- offered, pinned, removed
    counter     INTEGER NOT NULL,   -- highest that an assertion showed
    since       INTEGER NOT NULL,   -- when `state` was reached
    by          TEXT NOT NULL,      -- who did that
    used        INTEGER,            -- when it last approved something
    refused     BLOB                -- digest of the last introduction that did not count
) STRICT";

const COLUMNS: &str = "fingerprint, passkey, name, owner, state, counter, since, by, used";

/// All, pinned ones first.
pub(crate) fn all(conn: &Connection) -> Result<Vec<KnownPasskey>, StoreError> {
    select(
        conn,
        "TRUE ORDER BY CASE state WHEN 'pinned' THEN 0 WHEN 'offered' THEN 1 ELSE 2 END, since, fingerprint",
        [],
    )
}

/// Pinned ones with that credential: one, or the same at several sites.
pub(crate) fn pinned_with(conn: &Connection, credential: &[u8]) -> Result<Vec<KnownPasskey>, StoreError> {
    select(conn, "state = 'pinned' AND credential = ?1", [credential])
}

/// Fingerprints of the pinned ones.
pub(crate) fn pinned(conn: &Connection) -> Result<Vec<Digest>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT fingerprint FROM passkeys WHERE state = 'pinned' ORDER BY fingerprint")?;
    let found = statement.query_map([], |row| digest_of_row(row, 0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// One key.
pub(crate) fn get(conn: &Connection, fingerprint: Digest) -> Result<Option<KnownPasskey>, StoreError> {
    Ok(select(conn, "fingerprint = ?1", [fingerprint.0])?.pop())
}

/// Writes a key over, or adds it.
pub(crate) fn put(tx: &Tx<'_>, key: &KnownPasskey) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO passkeys (fingerprint, credential, passkey, name, owner, state, counter, since, by, used)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (fingerprint) DO UPDATE SET name = ?4, owner = ?5, state = ?6, counter = ?7, since = ?8, by = ?9, used = ?10",
    )?
    .execute(params![
        key.fingerprint.0,
        key.passkey.credential_id,
        serde_json::to_string(&key.passkey)?,
        key.name,
        key.owner,
        key.state.as_str(),
        key.counter,
        key.since.0,
        key.by,
        key.used.map(|at| at.0),
    ])?;
    Ok(())
}

/// Forgets the offered ones, but for these.
pub(crate) fn forget_offers_but(tx: &Tx<'_>, keep: &[Digest]) -> Result<(), StoreError> {
    for key in all(tx)?.into_iter().filter(|key| key.state == PasskeyState::Offered) {
        if !keep.contains(&key.fingerprint) {
            tx.prepare_cached("DELETE FROM passkeys WHERE fingerprint = ?1")?.execute([key.fingerprint.0])?;
        }
    }
    Ok(())
}

/// Remembers an introduction that did not count; true when it is not the last one that did not.
pub(crate) fn note_refused(tx: &Tx<'_>, fingerprint: Digest, what: Digest) -> Result<bool, StoreError> {
    let changed = tx
        .prepare_cached("UPDATE passkeys SET refused = ?2 WHERE fingerprint = ?1 AND refused IS NOT ?2")?
        .execute(params![fingerprint.0, what.0])?;
    Ok(changed == 1)
}

/// The key used for an approval, so long as it is pinned.
pub(crate) fn is_pinned(conn: &Connection, fingerprint: Digest) -> Result<bool, StoreError> {
    let found = conn
        .prepare_cached("SELECT 1 FROM passkeys WHERE fingerprint = ?1 AND state = 'pinned'")?
        .query_row([fingerprint.0], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

fn select(conn: &Connection, wanted: &str, values: impl rusqlite::Params) -> Result<Vec<KnownPasskey>, StoreError> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM passkeys WHERE {wanted}"))?;
    let rows = statement.query_map(values, |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

fn read(row: &Row<'_>) -> Result<KnownPasskey, StoreError> {
    const BAD: StoreError = StoreError::corrupt("passkeys");
    let fingerprint = digest_of_row(row, 0)?;
    let passkey: Passkey = serde_json::from_str(&row.get::<_, String>(1)?)?;
    // A row that was edited by hand is not the key that somebody pinned.
    if passkey.fingerprint() != fingerprint {
        return Err(BAD);
    }
    Ok(KnownPasskey {
        fingerprint,
        passkey,
        name: row.get(2)?,
        owner: row.get(3)?,
        state: PasskeyState::named(&row.get::<_, String>(4)?).ok_or(BAD)?,
        counter: row.get(5)?,
        since: Timestamp(row.get(6)?),
        by: row.get(7)?,
        used: row.get::<_, Option<i64>>(8)?.map(Timestamp),
    })
}
