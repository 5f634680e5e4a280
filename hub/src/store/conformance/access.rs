//! Whose rows a caller sees, and whose he changes.

use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{TenantId, UserId};
use wardkeep_proto::time::Timestamp;

use super::{HOUR, NOW, bucket, chance, checkpoint, command, household, policy, row, ruling};
use crate::store::approvals::{ApprovalState, NotDecided, Progress, StateKind, Verdict};
use crate::store::commands::CommandState;
use crate::store::usage::Totals;
use crate::store::{Caller, Db, Store};

pub(super) async fn rows_of_other_tenants_do_not_exist(db: Db) {
    let store = Store::new(db, "test");
    let (ours, us) = household(&store, "ours").await;
    let (theirs, _) = household(&store, "theirs").await;
    let until = NOW.plus(HOUR);
    furnish(&store, ours).await;
    furnish(&store, theirs).await;
    let foreign = crate::testing::approval(theirs, "red", NOW).digest;
    let stranger = Caller::User(UserId::new(NOW, &chance()));
    for (caller, own) in [
        (us, vec![ours]),
        (Caller::Tenant(ours), vec![ours]),
        (stranger, vec![]),
        (Caller::Operator, vec![ours, theirs]),
    ] {
        let tenants = store.tenants(&caller, None, 10, NOW).await.unwrap();
        assert_eq!(tenants.iter().map(|t| t.id).collect::<Vec<_>>(), own, "{caller:?}");
        let of_theirs = usize::from(own.contains(&theirs));
        assert_eq!(rows_of(&store, &caller, theirs, foreign).await, [of_theirs; 11], "{caller:?}");
        let of_all = [
            store.approvals(&caller, None, None, None, 10).await.unwrap().len(),
            store.activity(&caller, None, None, 10).await.unwrap().len(),
            store.usage(&caller, None, Timestamp(0), until).await.unwrap().len(),
        ];
        assert_eq!(of_all, [own.len(); 3], "{caller:?}");
    }
}

pub(super) async fn rows_of_other_tenants_cannot_be_changed(db: Db) {
    let store = Store::new(db, "test");
    let (ours, us) = household(&store, "ours").await;
    let (theirs, them) = household(&store, "theirs").await;
    furnish(&store, theirs).await;
    let foreign = crate::testing::approval(theirs, "red", NOW).digest;
    assert!(!store.add_command(&us, command(theirs)).await.unwrap());
    let decided = store.decide(&us, foreign, ruling(Verdict::Approved, NOW), Vec::new(), None).await.unwrap();
    assert_eq!(decided, Err(NotDecided::Unknown));
    // A tenant cannot move what is another's, whatever digest it names.
    let progress =
        Progress { digest: foreign, state: StateKind::Done, at: NOW, result: String::new(), decided_by: String::new() };
    assert!(!store.put_progress(ours, progress).await.unwrap());
    let id = store.commands(&them, theirs, 1).await.unwrap()[0].id;
    assert!(!store.put_command_state(ours, id, CommandState::Succeeded, String::new(), NOW).await.unwrap());
    assert_eq!(store.approval(&them, foreign).await.unwrap().unwrap().state, ApprovalState::Pending);
}

/// A row of each kind for a tenant.
async fn furnish(store: &Store, tenant: TenantId) {
    store.put_approval(tenant, crate::testing::approval(tenant, "red", NOW), NOW).await.unwrap();
    store.put_activity(tenant, vec![row(1)]).await.unwrap();
    store.put_usage(tenant, vec![bucket(1, Totals { requests: 1, ..Totals::default() })], NOW).await.unwrap();
    store.put_policy(policy(tenant, 1)).await.unwrap().unwrap();
    store.put_checkpoint(tenant, checkpoint(1, "a"), None).await.unwrap();
    store.put_checkpoint(tenant, checkpoint(1, "b"), None).await.unwrap();
    assert!(store.add_command(&Caller::Operator, command(tenant)).await.unwrap());
}

/// How many rows of `tenant` exist for `caller`, question by question.
async fn rows_of(store: &Store, caller: &Caller, tenant: TenantId, approval: Digest) -> [usize; 11] {
    let (of, until) = (Some(tenant), NOW.plus(HOUR));
    let name = "theirs".parse().unwrap();
    [
        usize::from(store.tenant(caller, tenant, NOW).await.unwrap().is_some()),
        usize::from(store.tenant_named(caller, &name, NOW).await.unwrap().is_some()),
        usize::from(store.approval(caller, approval).await.unwrap().is_some()),
        store.approvals(caller, of, None, None, 10).await.unwrap().len(),
        store.activity(caller, of, None, 10).await.unwrap().len(),
        store.usage_by_hour(caller, of, Timestamp(0), until).await.unwrap().len(),
        usize::from(store.policy(caller, tenant).await.unwrap().is_some()),
        store.policy_history(caller, tenant, 9).await.unwrap().len(),
        store.checkpoints(caller, tenant, 1).await.unwrap().len(),
        usize::from(store.audit_contradicted(caller, tenant).await.unwrap()),
        store.commands(caller, tenant, 9).await.unwrap().len(),
    ]
}
