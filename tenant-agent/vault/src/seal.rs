//! One digest over all rows. SQLCipher's MAC says that each page was written with the key, not that all of them belong
//! together: a page of an older copy, or pages of a write that was cut short, would pass. The digest would not.

use ring::digest::{Context, SHA256};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// What is covered, in a fixed order. When secrets were used is not: it is written often and changes nothing.
const COVERED: [&str; 5] = [
    "SELECT generation, vault FROM meta",
    "SELECT name, created_ms, updated_ms, version, expires_ms FROM secrets ORDER BY name",
    "SELECT name, version, value, retired_ms, beside FROM versions ORDER BY name, version",
    "SELECT name, binding FROM bindings ORDER BY name, binding",
    // Rows are only ever added: their number and the last one stand for all.
    "SELECT (SELECT count(*) FROM journal), number, at_ms, kind, name, version, by, note
     FROM journal ORDER BY number DESC LIMIT 1",
];

/// Writes the digest; inside the transaction of the change.
pub(crate) fn put(db: &Connection) -> rusqlite::Result<()> {
    let digest = digest(db)?;
    db.prepare_cached("UPDATE meta SET seal = ?1")?.execute([digest.as_slice()])?;
    Ok(())
}

/// Whether the rows are those that were sealed. In one transaction, so that no change comes in between.
pub(crate) fn holds(db: &Connection) -> rusqlite::Result<bool> {
    let transaction = db.unchecked_transaction()?;
    let holds = matches(&transaction)?;
    transaction.finish()?;
    Ok(holds)
}

/// As [`holds`], inside a transaction of the caller's.
pub(crate) fn matches(db: &Connection) -> rusqlite::Result<bool> {
    let sealed: Option<Vec<u8>> = db.query_row("SELECT seal FROM meta", [], |row| row.get(0))?;
    Ok(sealed == Some(digest(db)?))
}

fn digest(db: &Connection) -> rusqlite::Result<Vec<u8>> {
    let mut out = Context::new(&SHA256);
    for sql in COVERED {
        let mut rows = db.prepare_cached(sql)?;
        let columns = rows.column_count();
        let mut rows = rows.query([])?;
        let mut count: u64 = 0;
        while let Some(row) = rows.next()? {
            count += 1;
            for column in 0..columns {
                add(&mut out, row.get_ref(column)?);
            }
        }
        out.update(&count.to_be_bytes());
    }
    Ok(out.finish().as_ref().to_vec())
}

/// Kind, length and bytes, so that no two lists of values give the same bytes.
fn add(out: &mut Context, value: ValueRef<'_>) {
    let (kind, number);
    let bytes: &[u8] = match value {
        ValueRef::Null => {
            kind = 0;
            &[]
        }
        ValueRef::Integer(value) => {
            kind = 1;
            number = value.to_be_bytes();
            &number
        }
        ValueRef::Real(value) => {
            kind = 2;
            number = value.to_be_bytes();
            &number
        }
        ValueRef::Text(text) => {
            kind = 3;
            text
        }
        ValueRef::Blob(bytes) => {
            kind = 4;
            bytes
        }
    };
    out.update(&[kind]);
    out.update(&(bytes.len() as u64).to_be_bytes());
    out.update(bytes);
}
