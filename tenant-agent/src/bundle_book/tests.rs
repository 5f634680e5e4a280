use std::time::Duration;

use wardkeep_policy::Posture;
use wardkeep_proto::waypoint::NoWaypoints;

use super::*;
use crate::bundle_ledger::tests::Tenant;
use crate::testing::TestClock;

const LIFE: Duration = Duration::from_secs(91 * 24 * 3600);

fn book(tenant: &Tenant, clock: &Arc<TestClock>) -> (Arc<BundleBook>, PostureBook) {
    let posture = PostureBook::new(Posture::open());
    let book = BundleBook::new(Ok(tenant.open()), posture.clone(), clock.clone(), Arc::new(NoWaypoints));
    (Arc::new(book), posture)
}

fn closed(posture: &PostureBook) -> Vec<Closed> {
    posture.read().iter().collect()
}

#[tokio::test]
async fn each_way_to_have_no_bundle_has_its_name_and_the_strict_rules() {
    let (tenant, clock) = (Tenant::new(), Arc::new(TestClock::new()));
    let (first, posture) = book(&tenant, &clock);
    assert_eq!((closed(&posture), first.facts().generation), (vec![Closed::NoBundle], 0));
    assert!(first.clone().apply(1, b"{}".to_vec(), Vec::new()).await.is_err());
    assert_eq!(closed(&posture), [Closed::NoBundle]);

    first.clone().apply(4, tenant.envelope(2), Vec::new()).await.expect("applied");
    assert_eq!((closed(&posture), first.watch().borrow().version), (Vec::new(), 2));

    clock.advance(LIFE);
    first.tick();
    assert_eq!((closed(&posture), first.facts().generation), (vec![Closed::BundleExpired], 4));
    assert_eq!(*first.watch().borrow(), Arc::new(Bundle::strict()));

    std::fs::write(tenant.bundle_dir.join("current.dsse"), b"{}").expect("written");
    let (damaged, posture) = book(&tenant, &clock);
    assert_eq!(
        (closed(&posture), damaged.facts().generation),
        (vec![Closed::BundleRefused], 0),
        "the hub sends it again"
    );
}

#[tokio::test]
async fn a_ledger_that_cannot_be_used_takes_nothing() {
    let (tenant, clock) = (Tenant::new(), Arc::new(TestClock::new()));
    let posture = PostureBook::new(Posture::open());
    let damaged = Err(LedgerError::Damaged("seen.json".into()));
    let book = Arc::new(BundleBook::new(damaged, posture.clone(), clock, Arc::new(NoWaypoints)));
    assert_eq!(closed(&posture), [Closed::BundleRefused]);
    assert!(matches!(book.clone().apply(1, tenant.envelope(1), Vec::new()).await, Err(ApplyError::NoLedger(_))));
    assert_eq!(*book.watch().borrow(), Arc::new(Bundle::strict()));
}
