use wardkeep_policy::Class;
use wardkeep_proto::ids::PermitId;
use wardkeep_proto::time::Timestamp;

use super::*;
use crate::audit;
use crate::call::{CallKey, CallState};

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
    let fill = |tx: &Tx<'_>| -> Result<(), StoreError> {
        for at in 0..calls {
            tx.execute(
                "INSERT INTO calls (agent, session, call, tool, action_digest, rules, title, state, data, created_at, updated_at)
                 VALUES ('office', 's', ?1, 'shell', zeroblob(32), '[]', '', 'done', '{}', 1, 1)",
                [at.to_string()],
            )?;
            // Let pass a moment ago, and not due.
            tx.execute(
                "INSERT INTO calls (agent, session, call, tool, action_digest, rules, title, state, data, created_at, updated_at)
                 VALUES ('office', 's', ?1, 'shell', zeroblob(32), '[]', '', 'permitted', '{}', 1000, 1000)",
                [format!("permitted-{at}")],
            )?;
            if at % 10 == 0 {
                tx.execute(
                    "INSERT INTO approvals (digest, call_id, document, created_at, approve_by, sent, told)
                     VALUES (?1, (SELECT id FROM calls WHERE call = ?2), x'', 1, 1, 1, 'done')",
                    rusqlite::params![Digest::plain(&at.to_le_bytes()).0, at.to_string()],
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
fn what_is_asked_for_each_call_or_each_second_does_not_read_the_calls_of_before() {
    let asked = |calls: usize| {
        let (_dir, path) = open();
        let store = Store::open(&path).unwrap();
        worked(&store, calls);
        let repeated = rusqlite::params!["office", "s", Digest([0; 32]).0];
        [
            steps(&store, &approvals::sql(approvals::UNSENT), []),
            steps(&store, &approvals::sql(&approvals::untold_where()), []),
            steps(&store, &calls::sql(calls::DENIED), repeated),
            steps(&store, &calls::sql(calls::SINCE), rusqlite::params!["permitted", 999]),
            steps(&store, &calls::sql(calls::AFTER), rusqlite::params!["permitted", 1000]),
            steps(&store, &calls::sql(calls::APPROVED), []),
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

/// A Green call as it is let pass.
fn green(number: u32) -> CallRow {
    CallRow {
        id: 0,
        key: CallKey {
            agent: "office".parse().unwrap(),
            session: "s".parse().unwrap(),
            call: format!("call_{number}").parse().unwrap(),
        },
        tool: "shell".to_owned(),
        action: Some(br#"{"tool":"shell","command":"git log --oneline -5"}"#.to_vec()),
        action_digest: Digest::plain(&number.to_le_bytes()),
        class: Some(Class::Green),
        factor: None,
        fired: Vec::new(),
        title: "Run git log --oneline -5".to_owned(),
        approval: None,
        state: CallState::Permitted {
            permit: format!("00000000-0000-7000-8000-{number:012}").parse::<PermitId>().unwrap(),
            use_by: Timestamp(2),
        },
        created: Timestamp(1),
        updated: Timestamp(1),
    }
}

/// Number, call and activity of what is on record.
fn on_record(store: &Store) -> (u64, Vec<CallRow>, Vec<String>) {
    let look = |conn: &Connection| {
        let calls = calls::in_state(conn, "permitted")?;
        let activity = activity::after(conn, 0, 100)?.into_iter().map(|row| format!("{} {}", row.call, row.outcome));
        Ok((audit::head(conn)?.length, calls, activity.collect()))
    };
    store.read(look).unwrap()
}

#[test]
fn what_was_let_pass_is_on_record_at_once_and_after_a_crash() {
    let (_dir, path) = open();
    let store = Store::open(&path).unwrap();
    assert!(store.pass(&green(1), |_| Ok(true)).unwrap());
    let raw = Connection::open(&path).unwrap();
    let count = |table: &str| raw.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
    assert_eq!(
        ["audit", "fresh_calls", "calls"].map(|table| count(table).unwrap()),
        [1, 1, 0],
        "on disk and in the log"
    );
    // The daemon dies.
    drop(store);
    let store = Store::open(&path).unwrap();
    let same = |row: &CallRow, number| CallRow { id: 0, ..row.clone() } == green(number);
    let (length, calls, activity) = on_record(&store);
    assert!(length == 1 && calls.len() == 1 && same(&calls[0], 1), "{calls:?}");
    assert_eq!(activity, ["call_1 allowed"]);
    // Whoever reads or writes sees it, in the order in which it came.
    for number in 2..5 {
        assert!(store.pass(&green(number), |_| Ok(true)).unwrap());
    }
    store.write(|tx| calls::insert(tx, &green(5)).map(drop)).unwrap();
    assert!(store.pass(&green(6), |_| Ok(true)).unwrap());
    let (length, calls, activity) = on_record(&store);
    assert!(
        length == 6 && calls.len() == 6 && calls.iter().zip(1..).all(|(row, number)| same(row, number)),
        "{calls:?}"
    );
    assert_eq!(activity.len(), 6);
    assert_eq!(["fresh_calls", "activity"].map(|table| count(table).unwrap()), [0, 6], "each is put away once");
    audit::verify(&path).unwrap();
}

#[test]
fn what_is_not_new_or_not_free_takes_the_long_way() {
    let (_dir, path) = open();
    let store = Store::open(&path).unwrap();
    assert!(!store.pass(&green(1), |_| Ok(false)).unwrap(), "the agent was stopped in this moment");
    assert_eq!(on_record(&store).0, 0);
    assert!(store.pass(&green(1), |_| Ok(true)).unwrap());
    assert!(!store.pass(&green(1), |_| Ok(true)).unwrap(), "a moment ago");
    store.write(|_| Ok(())).unwrap();
    assert!(!store.pass(&green(1), |_| Ok(true)).unwrap(), "among the calls");
    let ruling = r#"{"state":"denied","reasons":[],"ruling":{"verdict":"denied"}}"#;
    let deny = |tx: &Tx<'_>| Ok(tx.execute("UPDATE calls SET state = 'denied', data = ?1", [ruling]).map(drop)?);
    store.write(deny).unwrap();
    let again = CallRow { key: green(2).key, ..green(1) };
    assert!(!store.pass(&again, |_| Ok(true)).unwrap(), "a person denied the same");
    for (state, approval) in [
        (CallState::Pending { approve_by: Timestamp(2) }, None),
        (CallState::Denied { reasons: Vec::new(), ruling: None }, None),
        (green(3).state, Some(Digest([1; 32]))),
    ] {
        assert!(!store.pass(&CallRow { state, approval, ..green(3) }, |_| Ok(true)).unwrap());
    }
    assert!(store.pass(&green(3), |_| Ok(true)).unwrap());
}

#[test]
fn a_full_disk_lets_nothing_pass_and_hides_nothing_on_record() {
    let (_dir, path) = open();
    let store = Store::open(&path).unwrap();
    store.write(|tx| calls::insert(tx, &green(1)).map(drop)).unwrap();
    store.limit_pages(0);
    let passed =
        (2..1000).map(|number| store.pass(&green(number), |_| Ok(true))).find(|passed| !matches!(passed, Ok(true)));
    assert!(matches!(passed, Some(Err(StoreError::Full))), "{passed:?}");
    let seen = store.read(|conn| calls::by_key(conn, &green(1).key)).unwrap();
    assert!(seen.is_some());
}

/// What an agent waits for: two small pages and, now and then, one that is new. All its indexes would be thirteen.
#[test]
fn a_call_that_is_let_pass_writes_little() {
    const FRAME: u64 = 24 + 4096;
    let (_dir, path) = open();
    let store = Store::open(&path).unwrap();
    let log = path.with_extension("db-wal");
    let written = |work: &dyn Fn()| {
        let before = std::fs::metadata(&log).unwrap().len();
        work();
        (std::fs::metadata(&log).unwrap().len() - before) / FRAME
    };
    for number in 0..10 {
        store.write(|tx| calls::insert(tx, &green(number)).map(drop)).unwrap();
    }
    let passed = written(&|| (100..150).for_each(|number| assert!(store.pass(&green(number), |_| Ok(true)).unwrap())));
    let put_away = written(&|| store.write(|_| Ok(())).unwrap());
    let long = written(&|| store.write(|tx| calls::insert(tx, &green(200)).map(drop)).unwrap());
    println!("pages: {passed} for 50 calls, {put_away} for putting them away, {long} for one the long way");
    assert!(passed <= 50 * 3 && put_away < 50 * 2 && long > 8, "{passed} {put_away} {long}");
}

#[test]
fn a_change_of_what_judging_reads_is_seen_and_no_other() {
    let (_dir, path) = open();
    let store = Store::open(&path).unwrap();
    let agent = &green(1).key.agent;
    store.write(|tx| calls::insert(tx, &green(1)).map(drop)).unwrap();
    store.write(|tx| audit::append(tx, Timestamp(1), "test", None, &serde_json::json!({}))).unwrap();
    assert!(store.pass(&green(2), |_| Ok(true)).unwrap());
    assert_eq!(store.past_revision(), 0);
    let sub = subagents::Subagent { session: "sub".parse().unwrap(), parent: "s".parse().unwrap() };
    let grant: wardkeep_policy::Grant = serde_json::from_str(r#"{"tool":"shell"}"#).unwrap();
    let given = grants::Given {
        approval: Digest([1; 32]),
        agent: agent.clone(),
        grant: grant.clone(),
        at: Timestamp(1),
        by: "a person".to_owned(),
    };
    let mut seen = 0;
    let mut changes = |what: &str, change: &dyn Fn(&Tx<'_>) -> Result<(), StoreError>| {
        store.write(change).unwrap();
        assert!(store.past_revision() > seen, "{what}");
        seen = store.past_revision();
    };
    changes("a sub-agent", &|tx| subagents::replace(tx, agent, std::slice::from_ref(&sub), Timestamp(1)).map(drop));
    changes("its end", &|tx| subagents::replace(tx, agent, &[], Timestamp(2)).map(drop));
    changes("a grant", &|tx| grants::give(tx, &given, Timestamp(1)).map(drop));
    changes("a use", &|tx| grants::take(tx, agent, &grant, 1, Timestamp(1)).map(drop));
    changes("no grant any more", &|tx| grants::revoke(tx, agent, Digest([2; 32]), "a person", Timestamp(1)).map(drop));
}
