//! Keys of the hub change hands: by a list that the offline root signed, and by nothing that a hub, or a thief of its keys, has.

use wardkeep_hub::keys::DecisionKey;

use super::thief::{forge_with, nudge};
use super::*;

/// A file beside the hub's own.
fn file(stage: &Stage, name: &str) -> String {
    stage.tenant.workspace().join(name).display().to_string()
}

async fn hub(stage: &Stage, arguments: &[&str]) -> String {
    stage.hub.cli(arguments).await.unwrap_or_else(|error| panic!("{arguments:?}: {error:#}"))
}

async fn refused(stage: &Stage, arguments: &[&str], says: &str) {
    let (code, _, error) = stage.hub.cli_coded(arguments).await.expect("it runs");
    assert!(code == 1 && error.contains(says), "{arguments:?}: {code} {error}");
}

async fn keys(stage: &Stage) -> Value {
    serde_json::from_str(&hub(stage, &["keys", "list", "--json"]).await).expect("JSON")
}

/// Ids of the listed keys of a kind, the one that signs first.
fn listed(view: &Value, kind: &str) -> Vec<String> {
    let rows = view["keys"].as_array().expect("a list").iter();
    let of = rows.filter(|row| row["kind"] == kind && row["listed"] == true);
    of.map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

/// Waits until the server goes by that list, is open, and runs the newest policy.
async fn goes_by(stage: &Stage, version: u64) {
    wait("the server to go by the list", || async {
        // It may be on its way back.
        let Ok(status) = stage.tenant.cli(&["status", "--json"]).await else { return Ok(None) };
        let status: Value = serde_json::from_str(&status)?;
        let view = stage.tenant_view().await?;
        let newest = view["status"]["generation"] == view["desired_generation"];
        let open = status["status"]["closed"] == json!([]);
        Ok((status["status"]["keys_version"] == version && newest && open).then_some(()))
    })
    .await
    .expect("it goes by it");
}

async fn log(stage: &Stage) -> String {
    stage.tenant.cli(&["audit", "show", "--last", "500", "--json"]).await.expect("the log")
}

fn root(stage: &Stage) -> String {
    stage.hub.folder().join("root.key").display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_key_is_exchanged_by_the_root_alone_and_a_revoked_one_signs_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::super::stage(folder.path()).await;
    let stolen = stage.hub.keys().await.expect("keys").ring.bundle().await.expect("held");
    let first = keys(&stage).await;
    assert_eq!((&first["version"], listed(&first, "bundle")), (&json!(1), vec![stolen.listed().id]));

    // The root signs elsewhere: a file out, a file in.
    let (draft, signed) = (file(&stage, "list.json"), file(&stage, "list.dsse"));
    hub(&stage, &["keys", "rotate", "bundle", "--out", &draft]).await;
    assert_eq!(keys(&stage).await["version"], 1, "nothing counts yet");
    refused(&stage, &["keys", "install", &draft], "does not count").await;
    let online = stage.hub.keys().await.expect("keys").ring;
    // Everybody but the root: another root, and the hub's own key.
    let stranger = file(&stage, "stranger.key");
    stage.hub.elsewhere(&["keys", "new", "--out", &stranger]).await.expect("made");
    let by_stranger = file(&stage, "stranger.dsse");
    stage
        .hub
        .elsewhere(&["keys", "sign-list", &draft, "--root", &stranger, "--out", &by_stranger])
        .await
        .expect("signed");
    refused(&stage, &["keys", "install", &by_stranger], "not listed").await;
    refused(&stage, &["keys", "revoke", &stolen.listed().id, "--root", &stranger], "only listed key").await;
    stage
        .hub
        .elsewhere(&["keys", "sign-list", &draft, "--root", &root(&stage), "--out", &signed])
        .await
        .expect("signed");
    hub(&stage, &["keys", "install", &signed]).await;
    goes_by(&stage, 2).await;
    wait("the hub to hear of it", || async { Ok((keys(&stage).await["behind"] == json!([])).then_some(())) })
        .await
        .expect("the server says so");
    let second = keys(&stage).await;
    let ids = listed(&second, "bundle");
    assert!(ids.len() == 2 && ids[1] == stolen.listed().id && second["behind"] == json!([]), "{second}");
    assert_eq!(online.bundle().await.expect("held").listed().id, ids[0], "the new one signs");

    // Revoked: what it signed counts no more, and the server never closed, since the policy was signed again before.
    hub(&stage, &["keys", "revoke", &stolen.listed().id, "--root", &root(&stage)]).await;
    goes_by(&stage, 3).await;
    refused(&stage, &["keys", "install", &signed], "older than version 3").await;
    assert!(!log(&stage).await.contains("generation-refused"));

    // The thief of the old key writes into the hub's rows a bundle that opens everything.
    let id = stage.tenant_view().await.expect("a view")["id"].as_str().expect("an id").to_owned();
    let database = stage.hub.database().expect("opens");
    let (version, envelope): (i64, Vec<u8>) = database
        .query_row("SELECT version, envelope FROM policies ORDER BY version DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("a row");
    let envelope: Value = serde_json::from_slice(&envelope).expect("JSON");
    let payload = data_encoding::BASE64.decode(envelope["payload"].as_str().expect("text").as_bytes()).expect("base64");
    let mut bundle: Value = serde_json::from_slice(&payload).expect("JSON");
    bundle["version"] = json!(version + 1);
    bundle.as_object_mut().expect("an object").remove("previous");
    bundle["agents"][0]["level"] = json!("autonomous");
    database
        .execute(
            "INSERT INTO policies (tenant_id, version, digest, source, envelope, issued_ms, expires_ms, published_by) \
             SELECT tenant_id, ?2, ?3, source, ?4, issued_ms, expires_ms, 'thief' FROM policies WHERE tenant_id = ?1 AND version = ?5",
            rusqlite::params![id, version + 1, "0".repeat(64), stolen.seal(bundle.to_string().as_bytes()), version],
        )
        .expect("written");
    nudge(&stage, &database).await;
    wait("the refusal", || async { Ok(log(&stage).await.contains("generation-refused").then_some(())) })
        .await
        .expect("refused");
    let view = stage.tenant_view().await.expect("a view");
    assert!(view["status"]["generation"] == version && view.to_string().contains("not listed"), "{view}");
    let (_, answer) = hooks.propose("grave", "shell", json!({"command": "rm -rf old"})).await.expect("an answer");
    assert_eq!(answer["decision"], "pending", "{answer}");
    assert!(log(&stage).await.contains("keys-applied"));
    stage.tenant.cli(&["audit", "verify"]).await.expect("the chain holds");
    stage.strike().await.expect("everything stops");
}

/// The decision key that was pinned at enrolment, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_decision_key_approves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::super::stage(folder.path()).await;
    let ring = stage.hub.keys().await.expect("keys").ring;
    let (stolen, pinned): (DecisionKey, _) =
        (ring.decision().await.expect("held"), ring.pinned().await.expect("there"));
    let ask = |call: &'static str| {
        let hooks = &hooks;
        async move {
            let args = json!({"command": format!("rm -rf {call}")});
            let (_, answer) = hooks.propose(call, "shell", args).await.expect("an answer");
            answer["digest"].as_str().expect("a digest").parse::<Digest>().expect("a digest")
        }
    };
    hub(&stage, &["keys", "rotate", "decision", "--root", &root(&stage)]).await;
    goes_by(&stage, 2).await;
    // In between both count.
    let overlap = ask("overlap").await;
    at_the_hub(&stage, overlap).await;
    forge_with(&stage, overlap, None, &stolen).await;
    assert_eq!(receipt(&stage, overlap).await, "taken");
    refused(&stage, &["keys", "revoke", &listed(&keys(&stage).await, "bundle")[0], "--root", &root(&stage)], "only")
        .await;
    hub(&stage, &["keys", "revoke", &pinned.id, "--root", &root(&stage)]).await;
    goes_by(&stage, 3).await;
    let stale = ask("stale").await;
    at_the_hub(&stage, stale).await;
    forge_with(&stage, stale, None, &stolen).await;
    let answer = receipt(&stage, stale).await;
    assert!(answer.contains("not signed by the hub's decision key"), "{answer}");
    // A person decides by the new one.
    let fresh = ask("fresh").await;
    at_the_hub(&stage, fresh).await;
    assert_eq!(approve(&stage, fresh, None).await.0, 200);
    assert_eq!(receipt(&stage, fresh).await, "taken");
    let (_, ended) = hooks.status("fresh", 20_000).await.expect("an answer");
    assert_eq!(ended["decision"], "done", "{ended}");
    stage.strike().await.expect("everything stops");
}

/// kill -9 of either side anywhere around a rotation: the server ends open, by the newest list, by the newest policy.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_around_a_rotation_ends_with_the_new_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, _) = super::super::stage(folder.path()).await;
    let mut version = 1;
    for round in 0..4_u64 {
        // Harder than by rule: the old key goes at once.
        let root = root(&stage);
        let rotate = ["keys", "rotate", "bundle", "--revoke-old", "--root", &root];
        let kill = async {
            tokio::time::sleep(std::time::Duration::from_millis(150 + round * 300)).await;
            let service = if round % 2 == 0 { &stage.tenant.service } else { &stage.hub.service };
            service.kill().expect("killed");
        };
        let (rotated, ()) = tokio::join!(stage.hub.cli(&rotate), kill);
        rotated.expect("rotated");
        version += 1;
        goes_by(&stage, version).await;
    }
    stage.tenant.cli(&["audit", "verify"]).await.expect("the chain holds");
    stage.strike().await.expect("everything stops");
}
