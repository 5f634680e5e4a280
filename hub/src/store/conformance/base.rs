//! What the database itself must do.

use std::sync::Arc;

use super::{HOUR, NOW, household, policy};
use crate::store::value::args;
use crate::store::{Db, Store, StoreError};

pub(super) async fn a_process_does_not_hear_itself(db: Db) {
    let (here, there) = (Store::new(db.clone(), "here"), Store::new(db, "there"));
    let (tenant, _) = household(&here, "ours").await;
    let start = here.last_change().await.unwrap();
    here.put_policy(policy(tenant, 1)).await.unwrap().unwrap();
    assert_eq!(here.changes_after(start).await.unwrap(), []);
    let heard = there.changes_after(start).await.unwrap();
    assert_eq!(heard.iter().map(|c| (c.topic.as_str(), c.tenant)).collect::<Vec<_>>(), [("policy", Some(tenant))]);
    there.forget_old_changes(NOW.plus(HOUR)).await.unwrap();
    assert_eq!(there.last_change().await.unwrap(), heard[0].number, "numbers go on");
}

pub(super) async fn a_failure_undoes_its_own_work_only(db: Db) {
    let insert = "INSERT INTO organisations (id, name, created_ms) VALUES ($1, $2, $3)";
    let db = Arc::new(db);
    // All of them wait together, so they share commits; each third one fails after it has written.
    let jobs: Vec<_> = (0..60_i64)
        .map(|number| {
            let db = Arc::clone(&db);
            tokio::spawn(async move {
                db.run_tx("mixed", move |tx| {
                    let id = format!("{number}");
                    tx.execute(insert, args![id.as_str(), id.as_str(), number])?;
                    if number % 3 == 0 {
                        tx.execute(insert, args![id.as_str(), id.as_str(), number]).map(drop)
                    } else {
                        Ok(())
                    }
                })
                .await
            })
        })
        .collect();
    for (number, job) in jobs.into_iter().enumerate() {
        let outcome = job.await.unwrap();
        assert_eq!(matches!(outcome, Err(StoreError::Statement { .. })), number % 3 == 0, "{number}: {outcome:?}");
    }
    let count = db
        .read("count", |tx| {
            tx.first("SELECT COUNT(*), SUM(CASE WHEN created_ms % 3 = 0 THEN 1 ELSE 0 END) FROM organisations", args![])
        })
        .await
        .unwrap()
        .map(|mut row| (row.next::<i64>().unwrap(), row.next::<i64>().unwrap()));
    assert_eq!(count, Some((40, 0)));
}

pub(super) async fn a_reader_cannot_write(db: Db) {
    let written = db.read("write", |tx| tx.execute("DELETE FROM tenants", args![])).await;
    assert!(matches!(written, Err(StoreError::Statement { .. })), "{written:?}");
}

#[test]
fn a_newer_schema_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = crate::store::db::file_in(dir.path());
    drop(Db::open_sqlite(&path).expect("opens"));
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 1000).unwrap();
    assert!(matches!(Db::open_sqlite(&path), Err(StoreError::NewerSchema { found: 1000, .. })));
}
