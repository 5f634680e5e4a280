use std::time::Duration;

use wardkeep_policy::Posture;
use wardkeep_proto::waypoint::NoWaypoints;

use super::*;
use crate::bundle_ledger::tests::{Tenant, key_list};
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

/// A revoked key: what it signed ends at once, the server is closed until the hub sends what a listed key signed.
#[tokio::test]
async fn what_a_revoked_key_signed_counts_no_more_from_the_moment_of_the_list() {
    let (tenant, clock) = (Tenant::new(), Arc::new(TestClock::new()));
    let (book, posture) = book(&tenant, &clock);
    book.clone().apply(1, tenant.envelope(1), Vec::new()).await.expect("applied");
    // Both keys count in between: nothing closes.
    assert!(book.clone().take_keys(key_list(2, &[3, 2])).await.expect("taken"));
    assert_eq!((closed(&posture), book.watch().borrow().version), (Vec::new(), 1));
    assert!(!book.clone().take_keys(key_list(2, &[3, 2])).await.expect("taken"), "the same again");
    book.clone().apply(2, tenant.envelope_by(2, 3), Vec::new()).await.expect("applied");
    book.clone().apply(3, tenant.envelope(3), Vec::new()).await.expect("the old key still counts");
    // Revoked while one of its bundles is in force.
    assert!(book.clone().take_keys(key_list(3, &[3])).await.expect("taken"));
    assert_eq!((closed(&posture), book.facts().generation), (vec![Closed::BundleRefused], 0), "the hub sends again");
    assert_eq!(*book.watch().borrow(), Arc::new(Bundle::strict()));
    assert!(book.clone().apply(4, tenant.envelope(4), Vec::new()).await.is_err());
    assert!(book.clone().take_keys(key_list(2, &[3, 2])).await.is_err(), "rolled back");
    book.clone().apply(4, tenant.envelope_by(4, 3), Vec::new()).await.expect("applied");
    assert_eq!((closed(&posture), book.keys().map(|list| list.version)), (Vec::new(), Some(3)));
}

/// List and bundle in one message: the list counts even where the bundle beside it does not.
#[tokio::test]
async fn a_list_counts_although_the_bundle_beside_it_is_refused() {
    let (tenant, clock) = (Tenant::new(), Arc::new(TestClock::new()));
    let (book, posture) = book(&tenant, &clock);
    book.clone().apply(1, tenant.envelope(1), Vec::new()).await.expect("applied");
    assert!(book.clone().apply(2, tenant.envelope(2), key_list(2, &[3])).await.is_err(), "signed by the revoked key");
    assert_eq!(closed(&posture), [Closed::BundleRefused]);
    book.clone().apply(2, tenant.envelope_by(2, 3), key_list(2, &[3])).await.expect("applied");
    assert_eq!((closed(&posture), book.watch().borrow().version), (Vec::new(), 2));
}
