//! Changes of the vault in the audit log.

use super::*;
use crate::VaultChange;

fn change(number: u64) -> VaultChange {
    VaultChange {
        number,
        at: Timestamp(number.cast_signed()),
        kind: if number == 3 { "vault-reminded" } else { "vault-set" },
        name: Some("api_key".to_owned()),
        version: Some(number),
        by: "uid-0".to_owned(),
        note: String::new(),
        is_notice: number == 3,
    }
}

#[tokio::test]
async fn each_change_is_told_once_whatever_is_repeated() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    assert_eq!(gate.vault_changes_told("a").await.unwrap(), 0);
    assert_eq!(gate.tell_vault_changes("a", (1..=2).map(change).collect()).await.unwrap(), 2);
    gate.audit_note("vault-locked", json!({"by": "local:uid-0"})).await.unwrap();
    drop(gate);
    // After a crash nobody but the log knows how far it had come.
    let gate = world.gate();
    assert_eq!(gate.vault_changes_told("a").await.unwrap(), 2);
    assert_eq!(gate.tell_vault_changes("a", (1..=4).map(change).collect()).await.unwrap(), 4);
    assert_eq!(gate.tell_vault_changes("a", (1..=4).map(change).collect()).await.unwrap(), 4);
    assert_eq!(gate.tell_vault_changes("b", vec![change(1)]).await.unwrap(), 1, "another vault counts for itself");
    assert_eq!(gate.vault_changes_told("a").await.unwrap(), 4);
    let rows = gate.audit_after(0, 100).await.unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| row.kind.as_str()).filter(|kind| kind.starts_with("vault-")).collect();
    assert_eq!(kinds, ["vault-set", "vault-set", "vault-locked", "vault-reminded", "vault-set", "vault-set"]);
    assert!(rows.iter().any(|row| row.fields.contains(r#""by":"uid-0","name":"api_key","number":1"#)), "{rows:?}");
    let notices = gate.activity_after(0, 10).await.unwrap();
    assert_eq!(notices.len(), 1);
    assert_eq!((notices[0].outcome.as_str(), notices[0].tool.as_str()), ("notice", "vault"));
    assert!(notices[0].summary.contains("api_key"));
}
