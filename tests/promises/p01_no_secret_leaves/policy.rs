//! A policy's own redaction rules on the real daemon: in the next request, and while the vault is closed.

use std::fs;

use serde_json::json;
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::stage::Stage;

use super::model::user;
use super::siege::{HARMLESS, Siege};
use crate::p05_closed_is_the_resting_position::closed;

/// Like nothing that a shipped rule knows.
const BADGE: &str = "acme_fedcba9876543210";
const TICKET: &str = "tick-ABCDEFGHJK";

fn rule(id: &str, keyword: &str, token: &str, example: &str) -> String {
    format!(
        "\n[[redaction.rules]]\nid = \"{id}\"\nsource = \"https://example.com/{id}\"\nkeywords = [\"{keyword}\"]\n\
         token = '{token}'\nmatches = [\"{example}\"]\n"
    )
}

/// What the provider got of a prompt that holds both.
async fn asked(siege: &mut Siege) -> String {
    let body = user(json!(format!("{HARMLESS}: {BADGE} and {TICKET}"))).to_string().into_bytes();
    let (status, answer) = siege.hooks.ask_llm("/v1/messages", &[], body).await.expect("the gateway answers");
    assert!(status.is_success(), "{answer}");
    let sent = siege.stage.llm.requests().pop().expect("it left").body;
    String::from_utf8(sent).expect("text")
}

/// What the agent got of a file that holds both, and a value of the vault.
async fn read(siege: &Siege, id: &str) -> String {
    let text = format!("{HARMLESS}: {BADGE} and {TICKET} and {}", siege.stage.secrets.database);
    fs::write(siege.stage.tenant.workspace().join("badges"), text).expect("written");
    let result = siege.hooks.run(id, "read_file", json!({"path": "badges"})).await.expect("reading goes on");
    let text = result["output"].as_str().expect("text").to_owned();
    assert!(text.contains(HARMLESS) && text.contains("SECRET_REF(shop_db_password)"), "{text}");
    text
}

async fn lock(stage: &Stage) {
    let phrase = stage.setting.folder.join("phrase");
    fs::write(&phrase, "six words that nobody else knows\n").expect("written");
    let phrase = phrase.display().to_string();
    let rekey = ["vault", "rekey", "--to-passphrase", "--new-passphrase-from", &phrase];
    stage.tenant.cli(&rekey).await.expect("rekeyed");
    stage.tenant.cli(&["vault", "lock"]).await.expect("locked");
    closed(stage, "vault-locked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_the_policy_counts_from_the_next_request_on_and_while_the_vault_is_locked() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let before = asked(&mut siege).await;
    assert!(before.contains(BADGE) && before.contains(TICKET), "nobody knows these yet: {before}");

    let plain = siege.stage.tenant.policy();
    let first = format!("{plain}{}", rule("acme-badge", "acme_", "acme_[0-9a-f]{16}", "acme_0123456789abcdef"));
    siege.stage.follow(&first).await.expect("in force");
    let after = asked(&mut siege).await;
    assert!(after.contains("[REDACTED:acme-badge:") && !after.contains(BADGE) && after.contains(TICKET), "{after}");
    let text = read(&siege, "open").await;
    assert!(text.contains("[REDACTED:acme-badge:") && !text.contains(BADGE) && text.contains(TICKET), "{text}");

    // What the vault held at last and what the policy says stay in force.
    lock(&siege.stage).await;
    let text = read(&siege, "locked").await;
    assert!(!text.contains(BADGE) && text.contains(TICKET), "{text}");
    let second = format!("{first}{}", rule("acme-ticket", "tick-", "tick-[A-Z]{10}", "tick-QRSTUVWXYZ"));
    siege.stage.follow(&second).await.expect("in force");
    let text = read(&siege, "locked-and-new").await;
    assert!(text.contains("[REDACTED:acme-ticket:") && !text.contains(TICKET) && !text.contains(BADGE), "{text}");
    let (status, _) = siege.hooks.ask_model(BADGE).await.expect("the gateway answers");
    assert!(status.is_client_error(), "a locked vault keeps the model out of reach: {status}");
    siege.lift().await;
}
