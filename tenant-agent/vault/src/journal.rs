//! What changed in the vault, kept in the transaction of the change: names, versions and who, never a value.

use rusqlite::{Connection, params};
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::time::Timestamp;

use crate::error::VaultError;
use crate::vault::parsed;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ChangeKind { $($(#[$doc])* $name,)+ }

        impl ChangeKind {
            /// As audit rows name it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }

        impl std::str::FromStr for ChangeKind {
            type Err = UnknownKind;

            fn from_str(text: &str) -> Result<Self, UnknownKind> {
                match text { $($text => Ok(Self::$name),)+ _ => Err(UnknownKind) }
            }
        }
    };
}

kinds! {
    /// A secret is new, or has a new value, bindings, context and end.
    Set = "vault-set";
    /// A secret has a new value.
    Rotated = "vault-rotated";
    /// A secret is gone.
    Removed = "vault-removed";
    /// It may go to one more place.
    Bound = "vault-bound";
    /// It may go to one place less.
    Unbound = "vault-unbound";
    /// Its end was changed.
    Expiry = "vault-expiry";
    /// A person was told that it ends soon, or that it ended.
    Reminded = "vault-reminded";
    /// The whole vault has another key.
    Rekeyed = "vault-rekeyed";
    /// Values left the vault in a file.
    Exported = "vault-exported";
}

/// The row was written by a newer build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this kind of change is not known")]
pub struct UnknownKind;

/// One row of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// From 1, without gaps.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: ChangeKind,
    /// Which secret; `None` for the vault as a whole.
    pub name: Option<SecretName>,
    /// Its version then.
    pub version: Option<u64>,
    /// Who, as the kernel says: `uid-0`.
    pub by: String,
    /// More, for people.
    pub note: String,
}

/// What a row is about.
pub(crate) struct Note<'a> {
    pub(crate) kind: ChangeKind,
    pub(crate) name: Option<&'a SecretName>,
    pub(crate) version: Option<u64>,
    pub(crate) note: &'a str,
}

/// Adds one row inside the transaction of what it tells about.
pub(crate) fn append(db: &Connection, at: Timestamp, by: &str, note: &Note<'_>) -> Result<(), VaultError> {
    db.prepare_cached("INSERT INTO journal (at_ms, kind, name, version, by, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            at.millis(),
            note.kind.as_str(),
            note.name.map(SecretName::as_str),
            note.version.and_then(|version| i64::try_from(version).ok()),
            by,
            note.note
        ])?;
    Ok(())
}

/// Rows after `number`, oldest first; of one secret, when `name` is given.
pub(crate) fn after(
    db: &Connection,
    number: u64,
    limit: u32,
    name: Option<&SecretName>,
) -> Result<Vec<Change>, VaultError> {
    let mut rows = db.prepare_cached(
        "SELECT number, at_ms, kind, name, version, by, note FROM journal
         WHERE number > ?1 AND (?3 IS NULL OR name = ?3) ORDER BY number LIMIT ?2",
    )?;
    let mut rows =
        rows.query(params![i64::try_from(number).unwrap_or(i64::MAX), limit, name.map(SecretName::as_str)])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(Change {
            number: row.get::<_, i64>(0)?.unsigned_abs(),
            at: Timestamp(row.get(1)?),
            kind: parsed(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?,
            name: row.get::<_, Option<String>>(3)?.map(|name| parsed(&name)).transpose()?,
            version: row.get::<_, Option<i64>>(4)?.map(i64::unsigned_abs),
            by: row.get(5)?,
            note: row.get(6)?,
        });
    }
    Ok(all)
}
