//! What goes down to tenants: commands and policies.

use wardkeep_proto::ids::TenantId;

use super::{HOUR, NOW, chance, command, household, policy};
use crate::store::commands::CommandState;
use crate::store::policies::VersionTaken;
use crate::store::tenants::NameTaken;
use crate::store::{Db, Store};

pub(super) async fn a_command_ends_once(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    let one = command(tenant);
    store.add_command(&us, one.clone()).await.unwrap();
    assert_eq!(store.open_commands(tenant, NOW).await.unwrap(), std::slice::from_ref(&one));
    assert!(store.open_commands(tenant, one.deadline).await.unwrap().is_empty(), "too late to begin");
    let put = |state| store.put_command_state(tenant, one.id, state, "said".to_owned(), NOW);
    assert!(put(CommandState::Received).await.unwrap());
    assert_eq!(store.open_commands(tenant, NOW).await.unwrap().len(), 1, "it may have died before it acted");
    assert!(put(CommandState::Succeeded).await.unwrap());
    assert!(store.open_commands(tenant, NOW).await.unwrap().is_empty());
    assert!(!put(CommandState::Failed).await.unwrap());
    let late = command(tenant);
    store.add_command(&us, late.clone()).await.unwrap();
    assert_eq!(late.standing(late.deadline), CommandState::Expired);
    assert_eq!(store.expire_commands(late.deadline.plus(HOUR)).await.unwrap(), 1);
    let states: Vec<_> = store.commands(&us, tenant, 9).await.unwrap().into_iter().map(|c| (c.id, c.state)).collect();
    assert!(states.contains(&(one.id, CommandState::Succeeded)) && states.contains(&(late.id, CommandState::Expired)));
}

pub(super) async fn a_policy_follows_its_predecessor(db: Db) {
    let store = Store::new(db, "test");
    let (tenant, us) = household(&store, "ours").await;
    for (version, outcome) in
        [(2, Err(VersionTaken)), (1, Ok(())), (1, Err(VersionTaken)), (3, Err(VersionTaken)), (2, Ok(()))]
    {
        assert_eq!(store.put_policy(policy(tenant, version)).await.unwrap(), outcome, "version {version}");
    }
    let nobody = policy(TenantId::new(NOW, &chance()), 1);
    assert_eq!(store.put_policy(nobody).await.unwrap(), Err(VersionTaken));
    assert_eq!(store.policy(&us, tenant).await.unwrap(), Some(policy(tenant, 2)));
    assert_eq!(store.policies_expiring(NOW.plus(HOUR)).await.unwrap(), []);
    assert_eq!(store.policies_expiring(NOW.plus(2 * HOUR)).await.unwrap(), [policy(tenant, 2)]);
    let name = "ours".parse().unwrap();
    let organisation = store.organisations().await.unwrap()[0].id;
    let again = store.add_tenant(organisation, TenantId::new(NOW, &chance()), &name, NOW).await.unwrap();
    assert_eq!(again, Err(NameTaken));
}
