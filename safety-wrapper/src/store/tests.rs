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
        tx.execute("INSERT INTO paused (agent, reason, since) VALUES ('a', 'x', 1)", [])?;
        Err(StoreError::corrupt("test"))
    });
    assert!(failed.is_err());
    let rows: i64 =
        store.read(|conn| Ok(conn.query_row("SELECT count(*) FROM paused", [], |row| row.get(0))?)).unwrap();
    assert_eq!(rows, 0);
}

#[test]
fn a_full_disk_is_told_apart_and_leaves_nothing() {
    let (_dir, path) = open();
    let store = Store::open(&path).unwrap();
    store.limit_pages(0);
    let fill = |text: &str| {
        store.write(|tx| {
            Ok(tx.execute("INSERT INTO paused (agent, reason, since) VALUES ('a', ?1, 1)", [text]).map(drop)?)
        })
    };
    assert!(matches!(fill(&"x".repeat(1_000_000)), Err(StoreError::Full)));
    store.limit_pages(1_000_000);
    fill("short").unwrap();
}
