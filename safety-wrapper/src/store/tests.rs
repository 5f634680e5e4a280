use super::*;

fn open() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gate.db");
    (dir, path)
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (_dir, path) = open();
    drop(Store::open(&path).unwrap());
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", SCHEMA + 1).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::Newer { found, .. }) if found == SCHEMA + 1));
    let kept: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(kept, SCHEMA + 1);
}

#[test]
fn what_is_no_database_is_refused() {
    let (_dir, path) = open();
    std::fs::write(&path, "this is no database at all, only a text of some length").unwrap();
    assert!(Store::open(&path).is_err());
}

#[test]
fn every_write_reaches_the_disk_before_it_counts() {
    let (_dir, path) = open();
    let store = Store::open(&path).unwrap();
    let pragma =
        |name: &str| store.read(|conn| Ok(conn.pragma_query_value(None, name, |row| row.get::<_, String>(0)))).unwrap();
    assert_eq!(pragma("journal_mode").unwrap(), "wal");
    let number =
        |name: &str| store.read(|conn| Ok(conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0))?)).unwrap();
    assert_eq!((number("synchronous"), number("foreign_keys")), (2, 1));
}

#[test]
fn a_change_that_fails_leaves_nothing() {
    let (_dir, path) = open();
    let store = Store::open(&path).unwrap();
    let failed: Result<(), StoreError> = store.write(|tx| {
        tx.execute("INSERT INTO denials (agent, at) VALUES ('a', 1)", [])?;
        Err(StoreError::corrupt("test"))
    });
    assert!(failed.is_err());
    let rows: i64 =
        store.read(|conn| Ok(conn.query_row("SELECT count(*) FROM denials", [], |row| row.get(0))?)).unwrap();
    assert_eq!(rows, 0);
}

#[test]
fn a_full_disk_is_told_apart_and_leaves_nothing() {
    let (_dir, path) = open();
    let store = Store::open(&path).unwrap();
    store.limit_pages(0);
    let fill = |text: &str| {
        store.write(|tx| Ok(tx.execute("INSERT INTO denials (agent, at) VALUES (?1, 1)", [text]).map(drop)?))
    };
    assert!(matches!(fill(&"x".repeat(1_000_000)), Err(StoreError::Full)));
    store.limit_pages(1_000_000);
    fill("short").unwrap();
}

/// What an earlier version paused stays paused, and nobody at a distance lets it go.
#[test]
fn pauses_of_schema_1_become_holds() {
    let (_dir, path) = open();
    drop(Store::open(&path).unwrap());
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "DROP TABLE holds; PRAGMA user_version = 1;
         CREATE TABLE paused (agent TEXT PRIMARY KEY, reason TEXT NOT NULL, since INTEGER NOT NULL) STRICT;
         INSERT INTO paused VALUES ('counted', '5 denials within 10 minutes', 7), ('office', 'a person said so', 8);",
    )
    .unwrap();
    drop(conn);
    let holds = Store::open(&path).unwrap().read(holds::all).unwrap();
    let seen: Vec<_> =
        holds.iter().map(|h| (h.whom.as_str(), h.holder.as_str(), h.standing.as_str(), h.since.0)).collect();
    assert_eq!(seen, [("counted", "gate", "paused", 7), ("office", "local", "paused", 8)]);
}
