//! Approvals: who decides, what the tenant tells of it.

use super::{HOUR, NOW, household, ruling};
use crate::store::approvals::{ApprovalState, NotDecided, Origin, Progress, Receipt, StateKind, Verdict};
use crate::store::{Caller, Db, Store};

pub(super) async fn the_first_decision_stands(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let new = crate::testing::approval(tenant, "red", NOW);
    let (digest, late) = (new.digest, new.approve_by);
    assert!(store.put_approval(tenant, new.clone(), NOW).await.unwrap());
    assert!(!store.put_approval(tenant, new.clone(), NOW.plus(HOUR)).await.unwrap(), "a repeat is not new");
    assert_eq!(
        store.decide(&us, digest, ruling(Verdict::Approved, late), vec![1], None).await.unwrap(),
        Err(NotDecided::Late)
    );
    let decided = store.decide(&us, digest, ruling(Verdict::Denied, NOW), vec![2], None).await.unwrap().unwrap();
    assert_eq!(decided.state, ApprovalState::Denied(ruling(Verdict::Denied, NOW)));
    for verdict in [Verdict::Approved, Verdict::Denied] {
        let again = store.decide(&Caller::Operator, digest, ruling(verdict, NOW), vec![3], None).await.unwrap();
        assert_eq!(again, Err(NotDecided::AlreadyDecided(StateKind::Denied)));
    }
    assert!(!store.put_approval(tenant, new, NOW).await.unwrap());
    assert_eq!(store.approval(&us, digest).await.unwrap().unwrap(), decided, "a repeated request changes nothing");
}

pub(super) async fn an_approval_only_moves_forward(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let new = crate::testing::approval(tenant, "red", NOW);
    let digest = new.digest;
    store.put_approval(tenant, new, NOW).await.unwrap();
    let progress =
        |state, by: &str| Progress { digest, state, at: NOW, result: "out".to_owned(), decided_by: by.to_owned() };
    store.decide(&us, digest, ruling(Verdict::Approved, NOW), vec![1], None).await.unwrap().unwrap();
    assert!(!store.put_progress(tenant, progress(StateKind::Pending, "")).await.unwrap());
    assert!(store.put_progress(tenant, progress(StateKind::Claimed, "")).await.unwrap());
    assert!(!store.put_progress(tenant, progress(StateKind::Claimed, "")).await.unwrap(), "a repeat");
    assert!(!store.put_progress(tenant, progress(StateKind::Denied, "eve")).await.unwrap(), "it runs already");
    assert!(store.put_progress(tenant, progress(StateKind::Done, "")).await.unwrap());
    for state in StateKind::ALL {
        assert!(!store.put_progress(tenant, progress(state, "eve")).await.unwrap(), "{state:?} after the end");
    }
    let ended = store.approval(&us, digest).await.unwrap().unwrap();
    assert_eq!(ended.state.result(), Some("out"));
    assert_eq!(ended.state.ruling(), Some(&ruling(Verdict::Approved, NOW)));
}

pub(super) async fn what_happened_on_the_tenant_is_shown(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let done = |digest| Progress {
        digest,
        state: StateKind::Done,
        at: NOW,
        result: "out".to_owned(),
        decided_by: "root".to_owned(),
    };
    // Denied here after it was approved there: the tenant refuses the decision, and the call has run.
    for (class, receipt, shown) in [
        ("a", None, StateKind::Done),
        ("b", Some(Receipt::Refused("decided already".to_owned())), StateKind::Done),
        ("c", Some(Receipt::Taken), StateKind::Denied),
    ] {
        let new = crate::testing::approval(tenant, class, NOW);
        let digest = new.digest;
        store.put_approval(tenant, new, NOW).await.unwrap();
        store.decide(&us, digest, ruling(Verdict::Denied, NOW), vec![1], None).await.unwrap().unwrap();
        if let Some(receipt) = receipt {
            store.put_receipt(tenant, digest, receipt, NOW).await.unwrap();
        }
        store.put_progress(tenant, done(digest)).await.unwrap();
        let state = store.approval(&us, digest).await.unwrap().unwrap().state;
        assert_eq!(state.kind(), shown, "{class}");
        let by = if shown == StateKind::Done { "root" } else { "ada" };
        assert_eq!(state.ruling().unwrap().by, by, "{class}");
    }
    // The hub's clock said that it expired; the tenant was only away.
    let new = crate::testing::approval(tenant, "d", NOW);
    let digest = new.digest;
    store.put_approval(tenant, new, NOW).await.unwrap();
    assert_eq!(store.expire_approvals(NOW.plus(2 * HOUR)).await.unwrap(), 1);
    assert_eq!(store.approval(&us, digest).await.unwrap().unwrap().state.kind(), StateKind::Expired);
    let late = store.decide(&us, digest, ruling(Verdict::Approved, NOW), vec![1], None).await.unwrap();
    assert_eq!(late, Err(NotDecided::AlreadyDecided(StateKind::Expired)));
    assert!(store.put_progress(tenant, done(digest)).await.unwrap());
}

pub(super) async fn a_decision_taken_on_the_tenant_is_shown_with_its_name(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let local = crate::testing::approval(tenant, "yellow", NOW);
    let digest = local.digest;
    store.put_approval(tenant, local, NOW).await.unwrap();
    let denied =
        Progress { digest, state: StateKind::Denied, at: NOW, result: String::new(), decided_by: "root".to_owned() };
    assert!(store.put_progress(tenant, denied).await.unwrap());
    let ruling = store.approval(&us, digest).await.unwrap().unwrap().state.ruling().cloned().unwrap();
    assert_eq!((ruling.verdict, ruling.by.as_str(), ruling.origin), (Verdict::Denied, "root", Origin::Tenant));
    assert!(store.open_decisions(tenant).await.unwrap().is_empty(), "nothing to tell the tenant that decided");
}

pub(super) async fn a_decision_is_open_until_its_receipt(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let (other, _) = household(&store, "theirs").await;
    let new = crate::testing::approval(tenant, "red", NOW);
    let digest = new.digest;
    store.put_approval(tenant, new, NOW).await.unwrap();
    assert!(store.open_decisions(tenant).await.unwrap().is_empty());
    store.decide(&us, digest, ruling(Verdict::Approved, NOW), vec![9], None).await.unwrap().unwrap();
    let open = store.open_decisions(tenant).await.unwrap();
    assert_eq!((open.len(), open[0].digest, open[0].signature.as_slice()), (1, digest, &[9][..]));
    assert!(store.open_decisions(other).await.unwrap().is_empty());
    store.put_receipt(other, digest, Receipt::Taken, NOW).await.unwrap();
    assert_eq!(store.open_decisions(tenant).await.unwrap().len(), 1, "another tenant's receipt is none");
    store.put_receipt(tenant, digest, Receipt::Refused("late".to_owned()), NOW).await.unwrap();
    store.put_receipt(tenant, digest, Receipt::Taken, NOW).await.unwrap();
    assert!(store.open_decisions(tenant).await.unwrap().is_empty());
    let receipt = store.approval(&us, digest).await.unwrap().unwrap().receipt;
    assert_eq!(receipt, Some(Receipt::Refused("late".to_owned())), "the first receipt stays");
}

#[test]
fn states_follow_each_other_one_way() {
    for from in StateKind::ALL {
        assert!(!from.may_become(from), "{from:?}");
        assert!(!from.may_become(StateKind::Pending), "{from:?}");
        for to in StateKind::ALL {
            assert!(!(from.is_final() && from.may_become(to)), "{from:?} is final");
            assert!(!(from.may_become(to) && to.may_become(from)), "{from:?} and {to:?}");
        }
    }
}
