//! Rows read and written, each inside its caller's lock or transaction.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, params};
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::{KnownValue, SecretValue};
use wardkeep_proto::time::Timestamp;

use super::{Entry, GRACE, MAX_BYTES, MIN_BYTES, MIN_BYTES_BESIDE, MIN_DIFFERENT, REMIND_DAYS};
use crate::binding::{Binding, Bindings};
use crate::error::VaultError;
use crate::terms::Context;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What storing a value did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    New,
    Rotated,
    Same,
}

/// Lets go of versions whose grace is over.
pub(crate) fn forget(db: &Connection, now: Timestamp) -> Result<(), VaultError> {
    db.execute("DELETE FROM versions WHERE retired_ms <= ?1", [horizon(now)])?;
    Ok(())
}

/// Writes a value as the present version.
pub(crate) fn put_value(
    db: &Connection,
    name: &SecretName,
    value: &SecretValue,
    context: Option<&Context>,
    now: Timestamp,
) -> Result<(u64, Put), VaultError> {
    let beside = context.map(Context::as_str);
    if let Some((version, old)) = present_version(db, name)? {
        if old == *value {
            db.execute(
                "UPDATE versions SET beside = ?3 WHERE name = ?1 AND version = ?2",
                params![name.as_str(), version, beside],
            )?;
            return Ok((version.unsigned_abs(), Put::Same));
        }
        retire(db, name, now)?;
        return Ok((add_version(db, name, value, beside, now)?, Put::Rotated));
    }
    Ok((add_version(db, name, value, beside, now)?, Put::New))
}

fn add_version(
    db: &Connection,
    name: &SecretName,
    value: &SecretValue,
    beside: Option<&str>,
    now: Timestamp,
) -> Result<u64, VaultError> {
    let version: i64 =
        db.query_row("SELECT coalesce(max(version), 0) + 1 FROM versions WHERE name = ?1", [name.as_str()], |row| {
            row.get(0)
        })?;
    db.execute(
        "INSERT INTO versions (name, version, value, retired_ms, beside) VALUES (?1, ?2, ?3, NULL, ?4)",
        params![name.as_str(), version, value.expose(), beside],
    )?;
    db.execute(
        "INSERT INTO secrets (name, created_ms, updated_ms, version) VALUES (?1, ?2, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET updated_ms = ?2, version = ?3",
        params![name.as_str(), now.millis(), version],
    )?;
    Ok(version.unsigned_abs())
}

fn present_version(db: &Connection, name: &SecretName) -> Result<Option<(i64, SecretValue)>, VaultError> {
    let mut found = db.prepare_cached("SELECT version, value FROM versions WHERE name = ?1 AND retired_ms IS NULL")?;
    Ok(found.query_row([name.as_str()], |row| Ok((row.get(0)?, SecretValue::new(row.get(1)?)))).optional()?)
}

/// Whether `value` is the present one; `None` when there is no such secret.
pub(crate) fn is_present(db: &Connection, name: &SecretName, value: &SecretValue) -> Result<Option<bool>, VaultError> {
    Ok(present_version(db, name)?.map(|(_, present)| present == *value))
}

pub(crate) fn retire(db: &Connection, name: &SecretName, now: Timestamp) -> Result<(), VaultError> {
    db.execute(
        "UPDATE versions SET retired_ms = ?2 WHERE name = ?1 AND retired_ms IS NULL",
        params![name.as_str(), now.millis()],
    )?;
    Ok(())
}

/// A new end starts its reminders anew.
pub(crate) fn set_expiry(db: &Connection, name: &SecretName, at: Option<Timestamp>) -> Result<(), VaultError> {
    db.execute(
        "UPDATE secrets SET expires_ms = ?2, reminded_days = NULL WHERE name = ?1",
        params![name.as_str(), at.map(Timestamp::millis)],
    )?;
    Ok(())
}

/// Where it may go from now on.
pub(crate) fn set_bindings(db: &Connection, name: &SecretName, to: &Bindings) -> Result<(), VaultError> {
    db.execute("DELETE FROM bindings WHERE name = ?1", [name.as_str()])?;
    to.iter().try_for_each(|binding| bind(db, name, binding))
}

pub(super) fn bind(db: &Connection, name: &SecretName, to: &Binding) -> Result<(), VaultError> {
    db.execute(
        "INSERT OR IGNORE INTO bindings (name, binding) VALUES (?1, ?2)",
        params![name.as_str(), to.to_string()],
    )?;
    Ok(())
}

pub(super) fn unbind(db: &Connection, name: &SecretName, from: &Binding) -> Result<(), VaultError> {
    db.execute("DELETE FROM bindings WHERE name = ?1 AND binding = ?2", params![name.as_str(), from.to_string()])?;
    Ok(())
}

pub(super) fn horizon(now: Timestamp) -> i64 {
    now.millis().saturating_sub(i64::try_from(GRACE.as_millis()).unwrap_or(i64::MAX))
}

pub(super) fn known(db: &Connection, name: &SecretName) -> Result<(), VaultError> {
    let found: bool =
        db.query_row("SELECT EXISTS (SELECT 1 FROM secrets WHERE name = ?1)", [name.as_str()], |row| row.get(0))?;
    if found { Ok(()) } else { Err(VaultError::Unknown(name.clone())) }
}

fn bindings_of(db: &Connection, name: &SecretName) -> Result<Bindings, VaultError> {
    let mut rows = db.prepare_cached("SELECT binding FROM bindings WHERE name = ?1")?;
    let rows = rows.query_map([name.as_str()], |row| row.get::<_, String>(0))?;
    rows.map(|text| parsed(&text?)).collect()
}

/// The present value, its end and where it may go.
pub(super) fn present(
    db: &Connection,
    name: &SecretName,
) -> Result<Option<(SecretValue, Option<Timestamp>, Bindings)>, VaultError> {
    let mut found = db.prepare_cached(
        "SELECT v.value, s.expires_ms FROM secrets s JOIN versions v USING (name, version) WHERE s.name = ?1",
    )?;
    let found = found
        .query_row([name.as_str()], |row| Ok((row.get(0).map(SecretValue::new)?, row.get::<_, Option<i64>>(1)?)))
        .optional()?;
    let Some((value, expires)) = found else { return Ok(None) };
    Ok(Some((value, expires.map(Timestamp), bindings_of(db, name)?)))
}

/// Secrets without their values, by name; one of them, when `name` is given.
pub(super) fn entries(db: &Connection, name: Option<&SecretName>) -> Result<Vec<Entry>, VaultError> {
    let mut rows = db.prepare_cached(
        "SELECT s.name, s.created_ms, s.updated_ms, s.version, s.expires_ms, s.used_ms, v.beside
         FROM secrets s JOIN versions v USING (name, version) WHERE ?1 IS NULL OR s.name = ?1 ORDER BY s.name",
    )?;
    let mut rows = rows.query([name.map(SecretName::as_str)])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let name: SecretName = parsed(&row.get::<_, String>(0)?)?;
        all.push(Entry {
            bindings: bindings_of(db, &name)?,
            name,
            created: Timestamp(row.get(1)?),
            updated: Timestamp(row.get(2)?),
            version: row.get::<_, i64>(3)?.unsigned_abs(),
            expires: row.get::<_, Option<i64>>(4)?.map(Timestamp),
            used: row.get::<_, Option<i64>>(5)?.map(Timestamp),
            context: row.get::<_, Option<String>>(6)?.map(|text| parsed(&text)).transpose()?,
        });
    }
    Ok(all)
}

/// Every value that is present or was retired after `horizon`; by name, the newest of each first.
pub(super) fn values(db: &Connection, horizon: i64) -> Result<Vec<KnownValue>, VaultError> {
    // Backwards through the key: any other order is sorted name by name, with two allocations of SQLite for each, and it
    // locks every one in memory by a call of the system and lets it go by another.
    let mut rows = db.prepare_cached(
        "SELECT name, value, beside FROM versions WHERE retired_ms IS NULL OR retired_ms > ?1
         ORDER BY name DESC, version DESC",
    )?;
    let mut rows = rows.query([horizon])?;
    let mut all: Vec<KnownValue> = Vec::new();
    while let Some(row) = rows.next()? {
        let name = parsed(&row.get::<_, String>(0)?)?;
        all.push(KnownValue { name, value: row.get(1).map(SecretValue::new)?, beside: row.get(2)? });
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// Secrets whose end came nearer than one of [`REMIND_DAYS`] that nobody was told of: name, that many days, the end.
pub(super) fn due(db: &Connection, now: Timestamp) -> Result<Vec<(SecretName, u32, Timestamp)>, VaultError> {
    let mut rows = db.prepare_cached(
        "SELECT name, expires_ms, reminded_days FROM secrets WHERE expires_ms IS NOT NULL ORDER BY expires_ms, name",
    )?;
    let mut rows = rows.query([])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        let (at, told) = (row.get::<_, i64>(1)?, row.get::<_, Option<u32>>(2)?);
        let left = at.saturating_sub(now.millis());
        // The nearest one that counts; the farther ones were missed and are not made up for.
        let near = REMIND_DAYS.iter().rev().find(|days| left <= i64::from(**days) * DAY_MS);
        if let Some(days) = near.filter(|days| told.is_none_or(|told| told > **days)) {
            due.push((parsed(&row.get::<_, String>(0)?)?, *days, Timestamp(at)));
        }
    }
    Ok(due)
}

/// Text that this crate wrote itself; the MAC says that nobody else did.
pub(crate) fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    text: &str,
) -> Result<T, VaultError> {
    text.parse().map_err(|e| VaultError::Sql(rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(e))))
}

/// Whether the vault takes the value. Whether redaction can look for it is asked of redaction.
pub(crate) fn check_value(name: &SecretName, value: &SecretValue, context: Option<&Context>) -> Result<(), VaultError> {
    let text = value.expose();
    if text.len() > MAX_BYTES {
        return Err(VaultError::TooLong(name.clone()));
    }
    if text.contains('\0') {
        return Err(VaultError::ZeroByte(name.clone()));
    }
    if context.is_some() {
        return if text.len() < MIN_BYTES_BESIDE { Err(VaultError::TooShortBeside(name.clone())) } else { Ok(()) };
    }
    if text.len() < MIN_BYTES {
        return Err(VaultError::TooShort(name.clone()));
    }
    let mut different = Vec::with_capacity(MIN_DIFFERENT);
    for c in text.chars() {
        if !different.contains(&c) {
            different.push(c);
        }
        if different.len() == MIN_DIFFERENT {
            return Ok(());
        }
    }
    Err(VaultError::TooSimple(name.clone()))
}
