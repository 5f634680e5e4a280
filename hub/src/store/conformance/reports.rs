//! What tenants report: counted once, and never rewritten quietly.

use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use super::{HOUR, NOW, bucket, chance, checkpoint, household, row};
use crate::store::activity::ActivityRow;
use crate::store::audit::Checkpoint;
use crate::store::status::{Fenced, Status};
use crate::store::tenants::Standing;
use crate::store::usage::Totals;
use crate::store::{Db, Store};

pub(super) async fn usage_totals_never_shrink(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let totals = |requests, cost_micros| Totals { requests, cost_micros, ..Totals::default() };
    // (revision, totals) → (revision on disk, totals on disk, shrunk)
    for (revision, sent, stored, kept, shrunk) in [
        (2, totals(5, 50), 2, totals(5, 50), false),
        (2, totals(9, 90), 2, totals(5, 50), false),
        (1, totals(9, 90), 2, totals(5, 50), false),
        (3, totals(6, 60), 3, totals(6, 60), false),
        (4, totals(7, 10), 4, totals(7, 60), true),
        (5, totals(8, 80), 5, totals(8, 80), true),
    ] {
        let answer = store.put_usage(tenant, vec![bucket(revision, sent)], NOW).await.unwrap();
        assert_eq!(answer[0].1, stored, "revision {revision}");
        let lines = store.usage(&us, Some(tenant), Timestamp(0), NOW.plus(HOUR)).await.unwrap();
        assert_eq!((lines[0].totals, lines[0].shrunk), (kept, shrunk), "revision {revision}");
    }
    let hours = store.usage_by_hour(&us, None, NOW.hour(), NOW.plus(HOUR)).await.unwrap();
    assert_eq!((hours.len(), hours[0].totals), (1, totals(8, 80)));
    assert!(store.usage(&us, None, Timestamp(0), NOW.hour()).await.unwrap().is_empty(), "the end is excluded");
}

pub(super) async fn a_rewritten_history_is_flagged(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    for (length, head, highest, consistent) in
        [(5, "a", 5, true), (5, "a", 5, true), (9, "b", 9, true), (7, "c", 9, true), (5, "x", 9, false)]
    {
        let outcome = store.put_checkpoint(tenant, checkpoint(length, head), None).await.unwrap();
        assert_eq!((outcome.length, outcome.consistent), (highest, consistent), "{length} {head}");
    }
    let cut = Checkpoint { at: NOW.plus(HOUR), ..checkpoint(8, "d") };
    assert!(!store.put_checkpoint(tenant, cut, None).await.unwrap().consistent, "a later one is shorter");
    assert!(store.audit_contradicted(&us, tenant).await.unwrap());
    assert_eq!(store.checkpoints(&us, tenant, 9).await.unwrap().len(), 5, "the contradiction is kept beside the first");
}

pub(super) async fn an_activity_row_counts_once(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    assert_eq!(store.put_activity(tenant, vec![row(1), row(2)]).await.unwrap(), 2);
    let changed = ActivityRow { summary: "rewritten".to_owned(), ..row(2) };
    assert_eq!(store.put_activity(tenant, vec![changed, row(3)]).await.unwrap(), 3);
    let rows = store.activity(&us, None, None, 10).await.unwrap();
    assert_eq!(rows.iter().map(|r| r.row.summary.as_str()).collect::<Vec<_>>(), ["row 3", "row 2", "row 1"]);
    let before = crate::store::activity::Before { at: NOW, number: 3 };
    assert_eq!(store.activity(&us, None, Some(before), 1).await.unwrap()[0].row.number, 2);
}

pub(super) async fn a_fenced_stream_writes_nothing(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    assert_eq!(store.next_epoch(TenantId::new(NOW, &chance())).await.unwrap(), None, "no such tenant");
    assert_eq!(store.tenant(&us, tenant, NOW).await.unwrap().unwrap().standing(NOW), Standing::New);
    assert_eq!(store.next_epoch(tenant).await.unwrap(), Some(1));
    assert_eq!(store.put_status(tenant, status(1)).await.unwrap(), Ok(()));
    assert_eq!(store.next_epoch(tenant).await.unwrap(), Some(2));
    assert_eq!(store.put_status(tenant, status(1)).await.unwrap(), Err(Fenced));
    assert_eq!(store.put_status(tenant, status(2)).await.unwrap(), Ok(()));
    let later = NOW.plus(HOUR);
    store.seen(vec![(tenant, 1, later, false)]).await.unwrap();
    let row = store.tenant(&us, tenant, NOW).await.unwrap().unwrap();
    assert_eq!(row.status, Some(status(2)), "the end of the old stream is not the end of the new one");
    assert_eq!((row.standing(NOW), row.standing(later)), (Standing::Online, Standing::Offline));
    store.seen(vec![(tenant, 2, later, false)]).await.unwrap();
    assert_eq!(store.tenant(&us, tenant, later).await.unwrap().unwrap().standing(later), Standing::Offline);
}

fn status(epoch: u64) -> Status {
    crate::testing::status(epoch, NOW)
}
