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
    let changed = Connection::open(path).expect("opened").execute(sql, []).expect("forged");
    assert!(changed > 0, "nothing was forged by {sql}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_a_gap_and_a_cut_end_are_found() {
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
    for sql in [
        "UPDATE audit SET at = at + 1 WHERE number = 2",
        "UPDATE audit SET fields = '{}' WHERE number = 2",
        "UPDATE audit SET call = replace(call, 'c1', 'c9') WHERE call LIKE '%/c1'",
        "UPDATE audit SET kind = 'call-denied' WHERE number = (SELECT max(number) FROM audit)",
        "DELETE FROM audit WHERE number = 3",
        "DELETE FROM audit WHERE number > 4",
    ] {
        forge(&path, sql);
        let verdict = wardkeep_safety::audit::verify_folder(&gate);
        assert!(verdict.is_err(), "{sql}: {verdict:?}");
        std::fs::write(&path, &saved).expect("put back");
    }
    stage.hub.service.stop().await.expect("the hub stops");
}
