//! P2: the agent sees `SECRET_REF(name)`; values are resolved at execution only and come back redacted.

mod adapters;
mod machine;
mod references;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_goes_only_where_the_secret_is_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    // Bound to the database program, asked for by another one, a header, an argument.
    for (call, tool, args) in [
        ("c1", "shell", json!({"command": "printenv PW", "env": {"PW": "SECRET_REF(shop_db_password)"}})),
        ("c2", "shell", json!({"command": "echo SECRET_REF(shop_db_password)"})),
        (
            "c3",
            "http_request",
            json!({"method": "GET", "url": format!("{}/v1/subscribers", stage.tenant.services.newsletter_url()),
                   "headers": {"x-note": "SECRET_REF(shop_db_password)"}}),
        ),
        (
            "c4",
            "http_request",
            json!({"method": "GET", "url": format!("{}/v1/subscribers?k=SECRET_REF(newsletter_api_key)",
                   stage.tenant.services.newsletter_url())}),
        ),
    ] {
        let (_, proposed) = hooks.propose(call, tool, args).await.expect("an answer");
        if proposed["decision"] == "allow" {
            let (_, run) = hooks.exec(proposed["permit"].as_str().expect("a permit")).await.expect("an answer");
            assert_eq!(run["result"]["status"], "failed", "{call}: {run}");
        } else {
            assert!(proposed["decision"] == "deny" || proposed["decision"] == "pending", "{call}: {proposed}");
        }
    }
    let sent = stage.newsletter.requests();
    assert!(sent.iter().all(|r| r.header("x-note").is_none()), "the password reached the newsletter service");
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_echoes_comes_back_redacted() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let url = format!("{}/v1/account", stage.tenant.services.newsletter_url());
    let headers = json!({"authorization": "Bearer SECRET_REF(newsletter_api_key)"});
    let result = hooks.run("c1", "http_request", json!({"method": "GET", "url": url, "headers": headers})).await;
    let text = result.expect("it runs").to_string();
    assert!(text.contains("Bakery"), "the service answered: {text}");
    assert!(!text.contains(&stage.secrets.newsletter), "the echoed key reached the agent");
    assert!(text.contains("SECRET_REF(newsletter_api_key)"), "{text}");
    let result = hooks.run("c2", "read_file", json!({"path": "notes/november.md"})).await.expect("it runs").to_string();
    assert!(result.contains("SECRET_REF(shop_db_password)"), "the note is redacted: {result}");
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemons_files_are_closed_to_other_users() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, _) = super::stage(folder.path()).await;
    let open = open_to_others(&stage.tenant.state());
    assert!(open.is_empty(), "other users can read {open:?}");
    let key = folder.path().join("tenant/vault.key");
    assert_eq!(fs::metadata(&key).expect("there").permissions().mode() & 0o077, 0, "the vault's key is open to others");
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guessed_token_is_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let stranger = wardkeep_tests::story::hooks::Hooks::with_token(&stage.tenant, "guessed").expect("a client");
    let (status, _) = stranger.start_session().await.expect("an answer");
    assert_eq!(status, 401);
    let (status, _) =
        stranger.propose("c1", "read_file", json!({"path": "notes/november.md"})).await.expect("an answer");
    assert_eq!(status, 401);
    let (status, _) = stranger.ask_model("hello").await.expect("an answer");
    assert!(status.is_client_error(), "{status}");
    let (status, _) = hooks.start_session().await.expect("an answer");
    assert_eq!(status, 200, "the right token still counts");
    stage.strike().await.expect("everything stops");
}

/// The folder itself may keep others out; then nothing below matters.
fn open_to_others(path: &Path) -> Vec<std::path::PathBuf> {
    let meta = fs::symlink_metadata(path).expect("there");
    if meta.permissions().mode() & 0o007 == 0 {
        return Vec::new();
    }
    if !meta.is_dir() {
        return vec![path.to_path_buf()];
    }
    fs::read_dir(path).expect("readable").flat_map(|e| open_to_others(&e.expect("an entry").path())).collect()
}

/// A program that reads its settings at home must not read what the agent wrote there.
#[tokio::test(flavor = "multi_thread")]
async fn the_agent_cannot_write_the_home_of_a_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    fs::write(stage.tenant.workspace().join(".curlrc"), "url = \"http://127.0.0.1:1/\"\n").expect("planted");
    let home = hooks.run("c1", "shell", json!({"command": "mkdir seen && ls -a $HOME"})).await.expect("it runs");
    let seen = home["output"].as_str().expect("text");
    assert!(!seen.contains(".curlrc") && seen.contains(".."), "{seen}");
    stage.strike().await.expect("everything stops");
}
