//! P9: every decision is in a hash-chained log; any change of it is found, also a cut end.

use std::path::Path;

use rusqlite::Connection;
use serde_json::json;
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::wait;

async fn some_history(hooks: &Hooks) {
    for (call, path) in [("c1", "notes/november.md"), ("c2", "drafts/october.md"), ("c3", "archive/2019.md")] {
        hooks.run(call, "read_file", json!({"path": path})).await.expect("it runs");
    }
}

/// Does to the log what somebody with the file could do.
fn forge(path: &Path, sql: &str) {
    Connection::open(path).expect("opened").execute_batch(sql).expect("forged");
}

/// Makes room after row 3 and puts `what` there.
const ROOM: &str =
    "UPDATE audit SET number = -(number + 1) WHERE number > 3; UPDATE audit SET number = -number WHERE number < 0;";

/// Every way in which a row can be touched, and the word by which it is named.
const ATTACKS: &[(&str, &str)] = &[
    ("UPDATE audit SET at = at + 1 WHERE number = 2", "changed"),
    ("UPDATE audit SET fields = '{}' WHERE number = 2", "changed"),
    ("UPDATE audit SET call = replace(call, 'c1', 'c9') WHERE call LIKE '%/c1'", "changed"),
    ("UPDATE audit SET kind = 'call-denied' WHERE number = (SELECT max(number) FROM audit)", "changed"),
    ("UPDATE audit SET hash = zeroblob(32) WHERE number = 2", "changed"),
    ("DELETE FROM audit WHERE number = 3", "a row is missing"),
    ("DELETE FROM audit WHERE number = 1", "a row is missing"),
    ("DELETE FROM audit WHERE number > 4", "the last are gone"),
    ("DELETE FROM audit", "the last are gone"),
    (
        "UPDATE audit SET number = -2 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 3; \
         UPDATE audit SET number = 3 WHERE number = -2",
        "does not continue",
    ),
    ("INSERT INTO audit SELECT max(number) + 9, at, kind, call, fields, previous, hash FROM audit", "a row is missing"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_found_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    some_history(&hooks).await;
    let whole = stage.tenant.cli(&["audit", "verify", "--json"]).await.expect("the untouched log verifies");
    let whole: serde_json::Value = serde_json::from_str(&whole).expect("JSON");
    let length = whole["length"].as_u64().expect("a length");
    assert!(length >= 6, "{whole}");
    wait("a checkpoint of that length at the hub", || async {
        let tenant = stage.tenant_view().await?;
        Ok((tenant["status"]["audit_length"].as_u64() >= Some(length)).then_some(()))
    })
    .await
    .expect("reported");
    // The first thing after a connection is a checkpoint, which the hub confirms.
    stage.tenant.service.kill().expect("killed");
    let kept = stage.tenant.state().join("gate/checkpoint.json");
    wait("a confirmed checkpoint of that length", || async {
        let Ok(text) = std::fs::read_to_string(&kept) else { return Ok(None) };
        let kept: serde_json::Value = serde_json::from_str(&text)?;
        Ok((kept["length"].as_u64() >= Some(length)).then_some(()))
    })
    .await
    .expect("kept");
    let gate = stage.tenant.state().join("gate");
    stage.tenant.service.stop().await.expect("the daemon stops");
    let path = folder.path().join("tenant/state/gate/gate.db");
    let saved = std::fs::read(&path).expect("read");
    let inserted = format!(
        "{ROOM} INSERT INTO audit SELECT 4, at, kind, call, fields, previous, hash FROM audit WHERE number = 2"
    );
    for (sql, named) in ATTACKS.iter().copied().chain([(&*inserted, "does not continue")]) {
        forge(&path, sql);
        let broken = wardkeep_safety::audit::verify_folder(&gate).expect_err(sql);
        assert!(broken.to_string().contains(named), "{sql}: {broken}");
        std::fs::write(&path, &saved).expect("put back");
    }
    stage.hub.service.stop().await.expect("the hub stops");
}

/// The whole folder of an earlier moment, log and checkpoint: nothing on this server contradicts it, only what the hub holds.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_everything_is_found_against_the_hub() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let gate = stage.tenant.state().join("gate");
    let (log, kept) = (gate.join("gate.db"), gate.join("checkpoint.json"));
    wait("a first checkpoint", || async { Ok(kept.exists().then_some(())) }).await.expect("kept");
    let older = (folder.path().join("older.db"), folder.path().join("older.json"));
    let copy = format!("VACUUM INTO '{}'", older.0.display());
    Connection::open(&log).expect("opened").execute_batch(&copy).expect("copied");
    std::fs::copy(&kept, &older.1).expect("copied");
    some_history(&hooks).await;
    let verify = async || stage.tenant.cli(&["audit", "verify", "--against-hub", "--json"]).await;
    let whole: serde_json::Value = serde_json::from_str(&verify().await.expect("whole")).expect("JSON");
    assert!(whole["ok"] == true && whole["checkpoints"].as_u64() >= Some(1), "{whole}");
    // A connection begins with a checkpoint.
    stage.tenant.service.kill().expect("killed");
    wait("a checkpoint of that length", || async {
        let Ok(told) = verify().await else { return Ok(None) };
        let told: serde_json::Value = serde_json::from_str(&told)?;
        Ok((told["signed"].as_u64() >= whole["length"].as_u64()).then_some(()))
    })
    .await
    .expect("signed");
    stage.hub.cli(&["audit", "verify", wardkeep_tests::story::stage::TENANT]).await.expect("nothing contradicts it");
    stage.tenant.cli(&["status", "--wait-online", "20"]).await.expect("back");
    let told = stage.tenant.cli(&["audit", "export", "--format", "ocsf", "--kind", "call-"]).await.expect("exported");
    assert!(told.lines().count() >= 6 && told.lines().all(|line| line.contains("\"class_uid\":")), "{told}");
    let config = folder.path().join("tenant/agent.toml");
    let program = wardkeep_tests::story::stage::Binaries::find().expect("programs").daemon;
    stage.tenant.service.stop().await.expect("the daemon stops");
    for beside in ["gate.db-wal", "gate.db-shm"] {
        let _ = std::fs::remove_file(gate.join(beside));
    }
    std::fs::copy(&older.0, &log).expect("put in place");
    std::fs::copy(&older.1, &kept).expect("put in place");
    assert!(wardkeep_safety::audit::verify_folder(&gate).is_ok(), "alone it is whole");
    let found = std::process::Command::new(&program)
        .args(["--config", &config.display().to_string(), "audit", "verify", "--against-hub"])
        .output()
        .expect("it runs");
    let words = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(!found.status.success() && words.contains("the last are gone"), "{words}");
    stage.hub.service.stop().await.expect("the hub stops");
}
