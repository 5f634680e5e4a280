//! P5: each missing part has a named state in which nothing new is allowed beyond Green reads.

mod leases;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::stage::{Hub, Stage};

const NOTE: &str = "notes/november.md";

/// Waits until the daemon says that `state` is in force.
pub(crate) async fn closed(stage: &Stage, state: &str) {
    wait(state, || async {
        let Ok(said) = stage.tenant.cli(&["status", "--json"]).await else { return Ok(None) };
        let said: Value = serde_json::from_str(&said)?;
        let names: Vec<&str> =
            said["closed"].as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect();
        Ok(names.contains(&state).then_some(()))
    })
    .await
    .unwrap_or_else(|error| {
        panic!("{error}; {}", fs::read_to_string(stage.setting.folder.join("tenant.log")).unwrap_or_default())
    });
}

/// Kills the daemon; the next incarnation finds what was done to its files.
async fn restart(stage: &Stage, state: &str) -> Hooks {
    stage.tenant.service.kill().expect("killed");
    closed(stage, state).await;
    let hooks = Hooks::of(&stage.tenant).expect("a client");
    let (status, answer) = hooks.start_session().await.expect("the daemon answers");
    assert!(status.is_success(), "{answer}");
    hooks
}

/// Green reads run; changing anything is refused with a reason.
async fn only_reads(hooks: &Hooks) {
    let read = hooks.run("read", "read_file", json!({"path": NOTE})).await.expect("reading goes on");
    assert_eq!(read["status"], "ok", "{read}");
    for (call, tool, args) in [
        ("write", "write_file", json!({"path": "x.md", "content": "x"})),
        ("make", "shell", json!({"command": "mkdir y"})),
        ("out", "http_request", json!({"method": "GET", "url": "http://127.0.0.1:1/"})),
        ("rm", "shell", json!({"command": "rm -rf drafts"})),
    ] {
        let (_, answer) = hooks.propose(call, tool, args).await.expect("an answer");
        assert_eq!(answer["decision"], "deny", "{call}: {answer}");
        assert!(answer["message"].as_str().is_some_and(|m| m.len() > 20), "a refusal has a reason: {answer}");
    }
}

async fn no_model(stage: &Stage, hooks: &Hooks) {
    let before = stage.llm.requests().len();
    let (status, answer) = hooks.ask_model("hello").await.expect("an answer");
    assert!(status.is_client_error(), "{status} {answer}");
    assert_eq!(stage.llm.requests().len(), before, "the provider was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_daemon_there_is_nothing_to_ask() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    stage.tenant.service.stop().await.expect("stops");
    assert!(hooks.propose("c", "read_file", json!({"path": NOTE})).await.is_err());
    assert!(hooks.ask_model("hello").await.is_err());
    stage.hub.service.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_lease_the_model_is_out_of_reach() {
    let folder = tempfile::tempdir().expect("a folder");
    let setting = wardkeep_tests::story::stage::Setting::plain(folder.path());
    let stage = Stage::set(setting, &|_| ()).await.expect("the stage stands");
    let hooks = Hooks::of(&stage.tenant).expect("a client");
    no_model(&stage, &hooks).await;
    hooks.start_session().await.expect("a session");
    let (status, answer) = hooks.ask_model("hello").await.expect("an answer");
    assert!(status.is_success(), "with a lease it answers: {answer}");
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_goes_away_leaves_reads_that_are_still_redacted() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let vault = stage.tenant.state().join("vault.db");
    fs::rename(&vault, vault.with_extension("away")).expect("moved");
    closed(&stage, "vault-locked").await;
    only_reads(&hooks).await;
    let note = hooks.run("again", "read_file", json!({"path": NOTE})).await.expect("reading goes on").to_string();
    assert!(!note.contains(&stage.secrets.database), "the index is forgotten while the vault is away");
    no_model(&stage, &hooks).await;
    stage.strike().await.expect("everything stops");
}

/// Without the vault's values nothing can be redacted, so the agent reads nothing and nothing of its calls is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_was_never_read_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, _) = super::stage(folder.path()).await;
    let key = folder.path().join("tenant/vault.key");
    fs::rename(&key, key.with_extension("away")).expect("moved");
    let hooks = restart(&stage, "vault-unread").await;
    let (_, read) = hooks.propose("read", "read_file", json!({"path": NOTE})).await.expect("an answer");
    assert_eq!(read["decision"], "deny", "{read}");
    let told = json!({"command": format!("cat {}", stage.secrets.newsletter)});
    let (_, shell) = hooks.propose("shell", "shell", told).await.expect("an answer");
    assert_eq!(shell["decision"], "deny", "{shell}");
    nothing_at_all(&stage, &hooks).await;
    // What the hub heard of these calls holds nothing of them.
    let (_, leaks) = wardkeep_tests::story::plot::leaks(&stage).expect("searched");
    assert_eq!(leaks, []);
    stage.strike().await.expect("everything stops");
}

/// A vault that opens with its owner's passphrase: the key is in memory or nowhere, and each way to be without it has its
/// state.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_owners_key_the_vault_gives_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let phrase = folder.path().join("phrase");
    fs::write(&phrase, "six words that nobody else knows\n").expect("written");
    let phrase = phrase.display().to_string();
    let vault = async |arguments: &[&str]| {
        let mut all = vec!["vault"];
        all.extend_from_slice(arguments);
        stage.tenant.cli(&all).await
    };
    vault(&["rekey", "--to-passphrase", "--new-passphrase-from", &phrase]).await.expect("rekeyed");
    assert!(!folder.path().join("tenant/vault.key").exists(), "the key is in no file");
    let (status, answer) = hooks.ask_model("with the new key").await.expect("an answer");
    assert!(status.is_success(), "the daemon got the key in the same moment: {answer}");

    vault(&["lock"]).await.expect("locked");
    closed(&stage, "vault-locked").await;
    only_reads(&hooks).await;
    let note = hooks.run("locked", "read_file", json!({"path": NOTE})).await.expect("reading goes on").to_string();
    assert!(!note.contains(&stage.secrets.database), "a locked vault still redacts");
    no_model(&stage, &hooks).await;

    let unlock = ["unlock", "--passphrase-from", &phrase];
    vault(&unlock).await.expect("unlocked");
    let (status, answer) = hooks.ask_model("after the lock").await.expect("an answer");
    assert!(status.is_success(), "{answer}");

    vault(&["lock", "--forget"]).await.expect("locked");
    closed(&stage, "vault-unread").await;
    let (_, read) = hooks.propose("forgotten", "read_file", json!({"path": NOTE})).await.expect("an answer");
    assert_eq!(read["decision"], "deny", "{read}");

    vault(&unlock).await.expect("unlocked");
    let hooks = restart(&stage, "vault-unread").await;
    let (_, read) = hooks.propose("restarted", "read_file", json!({"path": NOTE})).await.expect("an answer");
    assert_eq!(read["decision"], "deny", "a restart forgets the key: {read}");
    fs::write(folder.path().join("wrong"), "six words that nobody ever knew").expect("written");
    let wrong = folder.path().join("wrong").display().to_string();
    assert!(vault(&["unlock", "--passphrase-from", &wrong]).await.is_err());
    vault(&unlock).await.expect("unlocked");
    let read = hooks.run("open", "read_file", json!({"path": NOTE})).await.expect("reading goes on");
    assert_eq!(read["status"], "ok", "{read}");
    let log = stage.tenant.cli(&["audit", "show", "--json"]).await.expect("printed");
    for kind in ["vault-set", "vault-rekeyed", "vault-locked", "vault-unlocked"] {
        assert!(log.contains(kind), "{kind} is not in the audit log");
    }
    let (_, leaks) = wardkeep_tests::story::plot::leaks(&stage).expect("searched");
    assert_eq!(leaks, []);
    stage.strike().await.expect("everything stops");
}

/// Under the strict built-in bundle no agent has a workspace, so not even reads find anything.
async fn nothing_at_all(stage: &Stage, hooks: &Hooks) {
    for (call, tool, args) in [
        ("write", "write_file", json!({"path": "x.md", "content": "x"})),
        ("make", "shell", json!({"command": "mkdir y"})),
        ("out", "http_request", json!({"method": "GET", "url": "http://127.0.0.1:1/"})),
    ] {
        let (_, answer) = hooks.propose(call, tool, args).await.expect("an answer");
        assert_eq!(answer["decision"], "deny", "{call}: {answer}");
    }
    no_model(stage, hooks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_bundle_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, _) = super::stage(folder.path()).await;
    // The hub would send it again, so it is away.
    stop_for_good(&stage.hub);
    fs::write(stage.tenant.state().join("bundle/current.dsse"), b"{\"payload\":\"AAAA\"}").expect("written");
    let hooks = restart(&stage, "bundle-refused").await;
    nothing_at_all(&stage, &hooks).await;
    stage.tenant.service.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_bundle_leaves_nothing_however_well_signed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, _) = super::stage(folder.path()).await;
    let path = stage.tenant.state().join("bundle/current.dsse");
    let envelope: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    let payload = data_encoding::BASE64.decode(envelope["payload"].as_str().expect("text").as_bytes()).expect("base64");
    let mut bundle: Value = serde_json::from_slice(&payload).expect("JSON");
    bundle["version"] = json!(bundle["version"].as_u64().expect("a number") + 1);
    bundle.as_object_mut().expect("an object").remove("previous");
    (bundle["issued"], bundle["expires"]) = (json!(0), json!(1));
    let signed = stage.hub.keys().await.expect("the hub's keys").ring.bundle().await.expect("held");
    let signed = signed.seal(bundle.to_string().as_bytes());
    stop_for_good(&stage.hub);
    fs::write(&path, signed).expect("written");
    let hooks = restart(&stage, "bundle-expired").await;
    nothing_at_all(&stage, &hooks).await;
    stage.tenant.service.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_at_most_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, _) = super::stage(folder.path()).await;
    configure(folder.path(), "[disk]\nfloor_mebibytes = 4294967295\n");
    let hooks = restart(&stage, "disk-full").await;
    only_reads(&hooks).await;
    no_model(&stage, &hooks).await;
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_hub_away_reads_run_and_the_rest_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, _) = super::stage(folder.path()).await;
    configure(folder.path(), "[link]\naway_after_seconds = 0\n");
    stop_for_good(&stage.hub);
    let hooks = restart(&stage, "hub-away").await;
    let read = hooks.run("read", "read_file", json!({"path": NOTE})).await.expect("reading goes on");
    assert_eq!(read["status"], "ok");
    let (_, answer) =
        hooks.propose("write", "write_file", json!({"path": "x.md", "content": "x"})).await.expect("an answer");
    assert_eq!(answer["decision"], "pending", "a trusted agent's change waits: {answer}");
    assert!(!stage.tenant.workspace().join("x.md").exists());
    // A person on the server can decide without the hub.
    let digest = answer["digest"].as_str().expect("a digest");
    stage.tenant.cli(&["approvals", "approve", digest]).await.expect("approved on the server");
    let (_, done) = hooks.status("write", 10_000).await.expect("an answer");
    assert_eq!(done["decision"], "done", "{done}");
    assert!(stage.tenant.workspace().join("x.md").exists());
    stage.tenant.service.stop().await.expect("stops");
}

/// Keeps the hub from coming back: its database cannot be opened any more, so the keeper's restart ends by itself.
fn stop_for_good(hub: &Hub) {
    hub.break_for_good().expect("broken");
}

fn configure(folder: &Path, section: &str) {
    let file = folder.join("tenant/agent.toml");
    let text = fs::read_to_string(&file).expect("read");
    fs::write(&file, format!("{text}\n{section}")).expect("written");
}
