//! The tables, and how an older file gets them.

use rusqlite::Connection;

use crate::seal;

/// Layout of the tables; a file with a higher number was written by a newer build.
pub(crate) const SCHEMA: i64 = 2;

/// What leads from schema N to N + 1, in order. A new vault goes the same way, so that both end alike.
const STEPS: [&str; 2] = [
    "
    CREATE TABLE meta (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        generation INTEGER NOT NULL              -- counts every change of values or bindings
    ) STRICT;
    INSERT INTO meta VALUES (1, 1);
    CREATE TABLE secrets (
        name TEXT PRIMARY KEY,
        created_ms INTEGER NOT NULL,             -- first set
        updated_ms INTEGER NOT NULL,             -- last set or change of bindings
        version INTEGER NOT NULL                 -- the present row of versions
    ) STRICT;
    CREATE TABLE versions (                      -- outlives its secret for the grace period, so no foreign key
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        value TEXT NOT NULL,
        retired_ms INTEGER,                      -- NULL while present
        PRIMARY KEY (name, version)
    ) STRICT;
    CREATE TABLE bindings (
        name TEXT NOT NULL REFERENCES secrets ON DELETE CASCADE,
        binding TEXT NOT NULL,                   -- text form of Binding
        PRIMARY KEY (name, binding)
    ) STRICT;
    ",
    "
    ALTER TABLE meta ADD COLUMN vault TEXT NOT NULL DEFAULT '';  -- random name of this vault, in its journal's audit rows
    UPDATE meta SET vault = lower(hex(randomblob(16)));
    ALTER TABLE meta ADD COLUMN seal BLOB;                       -- digest of all rows; see seal.rs
    ALTER TABLE secrets ADD COLUMN expires_ms INTEGER;           -- not given from then on; NULL: never ends
    ALTER TABLE secrets ADD COLUMN used_ms INTEGER;              -- last given, to the minute; NULL: never
    ALTER TABLE secrets ADD COLUMN reminded_days INTEGER;        -- the nearest end that was told; NULL: none yet
    ALTER TABLE versions ADD COLUMN beside TEXT;                 -- keywords; NULL: looked for everywhere
    CREATE TABLE journal (                                       -- what changed; the daemon takes it into the audit log
        number INTEGER PRIMARY KEY,                              -- one more than the last: rows are never removed
        at_ms INTEGER NOT NULL,
        kind TEXT NOT NULL,                                      -- text form of ChangeKind
        name TEXT,                                               -- NULL: about the vault as a whole
        version INTEGER,
        by TEXT NOT NULL,                                        -- who, as the kernel says
        note TEXT NOT NULL                                       -- never a value
    ) STRICT;
    CREATE INDEX journal_by_name ON journal (name);
    ",
];

/// The tables that hold rows, for whoever copies a vault. Parents before children.
pub(crate) const TABLES: [&str; 5] = ["meta", "secrets", "versions", "bindings", "journal"];

/// Brings the tables from schema `from` (0: none) to [`SCHEMA`]; inside the caller's transaction.
pub(crate) fn advance(db: &Connection, from: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(from).unwrap_or(STEPS.len());
    for step in STEPS.iter().skip(done) {
        db.execute_batch(step)?;
    }
    db.pragma_update(None, "user_version", SCHEMA)?;
    seal::put(db)
}
