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

/// A day's work: the same call again and again, some of them approved, carried out and told to the hub.
fn worked(store: &Store, calls: usize) {
    let fill = |tx: &Transaction<'_>| -> Result<(), StoreError> {
        for at in 0..calls {
            tx.execute(
                "INSERT INTO calls (agent, session, call, tool, action_digest, rules, title, state, data, created_at, updated_at)
                 VALUES ('office', 's', ?1, 'shell', zeroblob(32), '[]', '', 'done', '{}', 1, 1)",
                [at.to_string()],
            )?;
            if at % 10 == 0 {
                tx.execute(
                    "INSERT INTO approvals (digest, call_id, document, created_at, approve_by, sent, told)
                     VALUES (?1, last_insert_rowid(), x'', 1, 1, 1, 'done')",
                    [Digest::plain(&at.to_le_bytes()).0],
                )?;
            }
        }
        Ok(())
    };
    store.write(fill).unwrap();
}

/// Steps of SQLite's machine for one answer without rows.
fn steps(store: &Store, sql: &str, values: impl rusqlite::Params) -> i32 {
    let count = |conn: &Connection| {
        let mut statement = conn.prepare(sql)?;
        assert!(statement.query(values)?.next()?.is_none(), "{sql} found something");
        Ok(statement.get_status(rusqlite::StatementStatus::VmStep))
    };
    store.read(count).unwrap()
}

#[test]
fn what_is_asked_for_each_call_does_not_read_the_calls_of_before() {
    let asked = |calls: usize| {
        let (_dir, path) = open();
        let store = Store::open(&path).unwrap();
        worked(&store, calls);
        let repeated = rusqlite::params!["office", "s", Digest([0; 32]).0];
        [
            steps(&store, &approvals::sql(approvals::UNSENT), []),
            steps(&store, &approvals::sql(&approvals::untold_where()), []),
            steps(&store, &calls::sql(calls::DENIED), repeated),
        ]
    };
    assert_eq!(asked(10), asked(1_000));
}

#[test]
fn a_kept_statement_is_prepared_once() {
    let (_dir, path) = open();
    let store = Store::open(&path).unwrap();
    let again = |conn: &Connection| {
        let mut statement = conn.prepare("SELECT number FROM activity WHERE number > ?1 ORDER BY number LIMIT ?2")?;
        for number in 0..3 {
            assert!(statement.query([number, 200 + number])?.next()?.is_none());
        }
        Ok(statement.get_status(rusqlite::StatementStatus::RePrepare))
    };
    assert_eq!(store.read(again).unwrap(), 0);
}
