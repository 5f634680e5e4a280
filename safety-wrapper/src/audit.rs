//! The audit log: rows chained by hash, so that no one is changed, moved or left out unseen.
//!
//! A row's hash covers every field of it and the hash of the row before. What the chain alone cannot show, rows cut off at
//! its end, a [`Checkpoint`] that was signed and sent away shows.

mod filter;
mod key;
mod ocsf;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wardkeep_policy::canonical;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

pub use filter::{Decided, Filter};
pub use key::{AuditKey, KeyError};
pub use ocsf::{Origin, event};

use crate::call::CallKey;
use crate::store::{StoreError, Tx, digest_of_row};

/// Domain of a row's hash.
const ROW: &str = "wardkeep/audit/v1";
/// The last checkpoint that somebody else has confirmed, beside the log.
pub(crate) const KEPT: &str = "checkpoint.json";
/// The key of checkpoints, beside the log.
pub(crate) const KEY: &str = "audit.key";
/// What a checkpoint's signature starts with; `docs/data-model.md`, "Checkpoint signature".
const CHECKPOINT: &[u8] = b"wardkeep/checkpoint/v1\0";

/// Length of the chain and hash of its last row; all zero when it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of rows; rows are numbered from 1.
    pub length: u64,
    /// Hash of the last row.
    pub hash: Digest,
}

impl Head {
    const EMPTY: Self = Self { length: 0, hash: Digest([0; 32]) };
}

/// One row as it is shown to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// From 1, without gaps.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What happened, e.g. `call-claimed`.
    pub kind: String,
    /// Which call, as `agent/session/call`; empty for what concerns none.
    pub call: String,
    /// The rest, redacted; RFC 8785 JSON.
    pub fields: String,
    /// Hash of the row before.
    pub previous: Digest,
    /// Hash of this row.
    pub hash: Digest,
}

impl Row {
    /// What the hash of a row with these fields must be.
    fn expected(&self) -> Result<Digest, serde_json::Error> {
        Ok(Digest::of(ROW, &self.covered()?))
    }

    fn covered(&self) -> Result<Vec<u8>, serde_json::Error> {
        // RFC 8785 JSON as it stands: whole numbers that a double holds, and members in the order of their names.
        #[derive(Serialize)]
        struct Covered<'a> {
            at_ms: Timestamp,
            call: &'a str,
            fields: &'a str,
            kind: &'a str,
            number: u64,
            previous: Digest,
        }
        let Self { number, at, kind, call, fields, previous, hash: _ } = self;
        let (number, at_ms, previous) = (*number, *at, *previous);
        serde_json::to_vec(&Covered { at_ms, call, fields, kind, number, previous })
    }
}

/// Adds one row inside the transaction of what it tells about.
pub(crate) fn append(
    tx: &Tx<'_>,
    at: Timestamp,
    kind: &str,
    call: Option<&CallKey>,
    fields: &Value,
) -> Result<(), StoreError> {
    let before = head(tx)?;
    let fields = String::from_utf8(canonical::to_vec(fields)?).map_err(|_| StoreError::corrupt("audit"))?;
    let call = call.map(ToString::to_string).unwrap_or_default();
    let mut row = Row {
        number: before.length + 1,
        at,
        kind: kind.to_owned(),
        call,
        fields,
        previous: before.hash,
        hash: before.hash,
    };
    row.hash = row.expected()?;
    tx.prepare_cached(
        "INSERT INTO audit (number, at, kind, call, fields, previous, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        i64::try_from(row.number).map_err(|_| StoreError::corrupt("audit"))?,
        row.at.0,
        row.kind,
        row.call,
        row.fields,
        row.previous.0,
        row.hash.0
    ])?;
    Ok(())
}

/// The hash of row `number`; `None` where there is none.
pub(crate) fn hash_at(conn: &Connection, number: u64) -> Result<Option<Digest>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT hash FROM audit WHERE number = ?1")?
        .query_row([i64::try_from(number).unwrap_or(i64::MAX)], |row| digest_of_row(row, 0))
        .optional()?)
}

/// The end of the chain.
pub(crate) fn head(conn: &Connection) -> Result<Head, StoreError> {
    let last = conn
        .prepare_cached("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")?
        .query_row([], |row| Ok(Head { length: row.get::<_, i64>(0)?.unsigned_abs(), hash: digest_of_row(row, 1)? }))
        .optional()?;
    Ok(last.unwrap_or(Head::EMPTY))
}

/// Rows after `number`, oldest first.
pub(crate) fn rows_after(conn: &Connection, number: u64, limit: u32) -> Result<Vec<Row>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT number, at, kind, call, fields, previous, hash FROM audit WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let rows = statement.query_map(params![i64::try_from(number).unwrap_or(i64::MAX), limit], read_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        at: Timestamp(row.get(1)?),
        kind: row.get(2)?,
        call: row.get(3)?,
        fields: row.get(4)?,
        previous: digest_of_row(row, 5)?,
        hash: digest_of_row(row, 6)?,
    })
}

/// The chain is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Number of rows.
    pub length: u64,
    /// Hash of the last row.
    pub head: Digest,
}

/// The chain is not whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log is broken at row {at}: {why}; keep the file, compare it with the hub's checkpoints")]
pub struct Broken {
    /// First row that does not fit.
    pub at: u64,
    /// What does not fit.
    pub why: Why,
}

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The file cannot be opened or read as a gate's database.
    #[error("{path} cannot be read: {error}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// SQLite's words.
        error: String,
    },
    /// A row is missing or out of order.
    #[error("a row is missing")]
    Missing,
    /// A field was changed after it was written.
    #[error("a field was changed")]
    Changed,
    /// It does not continue the row before.
    #[error("it does not continue the row before")]
    Unlinked,
    /// A signed checkpoint knows more rows than the file.
    #[error("{0} rows were signed for, the last are gone")]
    Truncated(u64),
    /// The row that a checkpoint signed has another hash.
    #[error("it is not the row that was signed for")]
    NotAsSigned,
    /// The checkpoint's own signature is wrong.
    #[error("the checkpoint is not signed by this server's audit key")]
    BadCheckpoint,
}

/// Reads the whole chain of a `gate.db` and checks every row.
///
/// # Errors
/// [`Broken`] names the first row that does not fit.
pub fn verify(path: &Path) -> Result<Verified, Broken> {
    walk(path, &[])
}

/// As [`verify`], and the chain must contain the row that `checkpoint` signed: this finds rows cut off at the end.
///
/// `key`: the audit public key, taken from elsewhere than the checkpoint itself.
///
/// # Errors
/// [`Broken`] names the first row that does not fit.
pub fn verify_against(path: &Path, checkpoint: &Checkpoint, key: &[u8]) -> Result<Verified, Broken> {
    verify_against_all(path, vec![checkpoint.clone()], key)
}

/// As [`verify_against`] with every one of `checkpoints`, e.g. all that the hub holds.
///
/// # Errors
/// [`Broken`] names the first row that does not fit.
pub fn verify_against_all(path: &Path, mut checkpoints: Vec<Checkpoint>, key: &[u8]) -> Result<Verified, Broken> {
    if let Some(forged) = checkpoints.iter().find(|checkpoint| !checkpoint.is_signed_by(key)) {
        return Err(Broken { at: forged.length, why: Why::BadCheckpoint });
    }
    checkpoints.sort_by_key(|checkpoint| checkpoint.length);
    walk(path, &checkpoints)
}

/// Rows after `number` straight from the file, oldest first, also while no daemon runs.
///
/// # Errors
/// [`Broken`] where the file cannot be read.
pub fn rows_of_file(path: &Path, number: u64, limit: u32) -> Result<Vec<Row>, Broken> {
    let unreadable = |error: &dyn std::fmt::Display| Broken {
        at: number + 1,
        why: Why::Unreadable { path: path.to_owned(), error: error.to_string() },
    };
    let conn =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|error| unreadable(&error))?;
    rows_after(&conn, number, limit).map_err(|error| unreadable(&error))
}

/// Verifies the log in a gate's folder: the chain, and that it still holds what was last signed and confirmed from outside.
///
/// # Errors
/// [`Broken`] names the first row that does not fit.
pub fn verify_folder(dir: &Path) -> Result<Verified, Broken> {
    let log = dir.join("gate.db");
    let unreadable = |path: PathBuf, error: &dyn std::fmt::Display| Broken {
        at: 0,
        why: Why::Unreadable { path, error: error.to_string() },
    };
    let kept = dir.join(KEPT);
    let bytes = match std::fs::read(&kept) {
        Ok(bytes) => bytes,
        // Nothing was confirmed yet.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return verify(&log),
        Err(error) => return Err(unreadable(kept, &error)),
    };
    let checkpoint: Checkpoint = serde_json::from_slice(&bytes).map_err(|error| unreadable(kept, &error))?;
    let key = AuditKey::existing(&dir.join(KEY)).map_err(|error| unreadable(dir.join(KEY), &error))?;
    verify_against(&log, &checkpoint, key.public())
}

/// Whether a gate's folder has no log, and nothing that says that there was one.
#[must_use]
pub fn is_unbegun(dir: &Path) -> bool {
    // What may not be looked at is not gone.
    ["gate.db", KEPT].iter().all(|name| matches!(dir.join(name).try_exists(), Ok(false)))
}

/// Whether the log in a gate's folder has seen secrets of a vault. One that is there and cannot be read may have.
#[must_use]
pub fn has_seen_secrets(dir: &Path) -> bool {
    const ANY: &str = "SELECT EXISTS (SELECT 1 FROM audit WHERE kind IN ('vault-set', 'vault-rotated'))";
    let log = dir.join("gate.db");
    let ask = || -> rusqlite::Result<bool> {
        let conn = Connection::open_with_flags(&log, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        conn.query_row(ANY, [], |row| row.get(0))
    };
    log.symlink_metadata().is_ok() && ask().unwrap_or(true)
}

/// `checkpoints`: by length, their signatures checked.
fn walk(path: &Path, mut checkpoints: &[Checkpoint]) -> Result<Verified, Broken> {
    let unreadable = |at: u64, error: rusqlite::Error| Broken {
        at,
        why: Why::Unreadable { path: path.to_owned(), error: error.to_string() },
    };
    // Not `immutable`: the daemon may be writing, and its write-ahead log must be seen.
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|e| unreadable(0, e))?;
    let mut statement = conn
        .prepare("SELECT number, at, kind, call, fields, previous, hash FROM audit ORDER BY number")
        .map_err(|e| unreadable(0, e))?;
    let mut rows = statement.query([]).map_err(|e| unreadable(0, e))?;
    let mut seen = Head::EMPTY;
    loop {
        let next = seen.length + 1;
        let Some(row) = rows.next().map_err(|e| unreadable(next, e))? else { break };
        let row = read_row(row).map_err(|e| unreadable(next, e))?;
        let broken = |why| Err(Broken { at: next, why });
        if row.number != next {
            return broken(Why::Missing);
        }
        if row.previous != seen.hash {
            return broken(Why::Unlinked);
        }
        if row.expected().ok() != Some(row.hash) {
            return broken(Why::Changed);
        }
        while let Some((signed, later)) = checkpoints.split_first().filter(|(signed, _)| signed.length <= next) {
            // One of an empty log says nothing of any row.
            if signed.length == next && signed.head != row.hash {
                return broken(Why::NotAsSigned);
            }
            checkpoints = later;
        }
        seen = Head { length: next, hash: row.hash };
    }
    if let Some(signed) = checkpoints.last().filter(|signed| signed.length > seen.length) {
        return Err(Broken { at: seen.length + 1, why: Why::Truncated(signed.length) });
    }
    Ok(Verified { length: seen.length, head: seen.hash })
}

/// A signed statement: at this moment the chain was so long and ended so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Whose chain.
    pub tenant: TenantId,
    /// Number of rows.
    pub length: u64,
    /// Hash of the last row.
    pub head: Digest,
    /// When it was signed.
    pub at: Timestamp,
    /// Ed25519 signature, 64 bytes.
    pub signature: Vec<u8>,
    /// Ed25519 public key that made it, 32 bytes.
    pub key: Vec<u8>,
}

impl Checkpoint {
    pub(crate) fn sign(head: Head, tenant: TenantId, at: Timestamp, key: &AuditKey) -> Result<Self, StoreError> {
        let mut checkpoint = Self {
            tenant,
            length: head.length,
            head: head.hash,
            at,
            signature: Vec::new(),
            key: key.public().to_vec(),
        };
        checkpoint.signature = key.sign(&checkpoint.signed_bytes()?);
        Ok(checkpoint)
    }

    /// Whether `key` signed exactly this.
    #[must_use]
    pub fn is_signed_by(&self, key: &[u8]) -> bool {
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key);
        self.signed_bytes().is_ok_and(|bytes| key.verify(&bytes, &self.signature).is_ok())
    }

    fn signed_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let text =
            json!({"at_ms": self.at, "head": self.head, "length": self.length, "tenant": self.tenant.to_string()});
        let mut bytes = CHECKPOINT.to_vec();
        bytes.extend(serde_json_canonicalizer::to_vec(&text)?);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
