//! One transaction that writes.

use std::ops::Deref;

use rusqlite::Connection;

use super::StoreError;

/// A transaction of the one writer connection: all of it, or, dropped without [`Tx::commit`], nothing.
///
/// As the one of rusqlite, whose beginning and end are parsed anew each time; these are kept prepared.
pub(crate) struct Tx<'a> {
    conn: &'a Connection,
}

impl<'a> Tx<'a> {
    /// With the right to write from here on.
    pub(super) fn begin(conn: &'a Connection) -> Result<Self, StoreError> {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self { conn })
    }

    pub(super) fn commit(self) -> Result<(), StoreError> {
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

impl Deref for Tx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        // After a commit, and after an error that SQLite rolled back by itself, there is nothing to take back.
        if !self.conn.is_autocommit() {
            // What cannot be rolled back is not committed either; the next beginning says so.
            let _ = self.conn.execute_batch("ROLLBACK");
        }
    }
}
