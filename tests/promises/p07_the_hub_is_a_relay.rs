//! P7: the hub is a relay. What is critical runs by a passkey that the customer pinned on the server, and by nothing that a
//! hub, or whoever holds its disk and keys, can make.

mod given;
mod rotation;
mod thief;

use serde_json::{Value, json};
use wardkeep_passkey::soft::SoftKey;
use wardkeep_passkey::{Assertion, Passkey};
use wardkeep_proto::digest::Digest;
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::{rows, wait};
use wardkeep_tests::story::stage::Stage;

use data_encoding::BASE64URL_NOPAD;

/// Leaves a line for each run; what is critical about it fails, because there is no such program.
async fn critical(hooks: &Hooks, call: &str) -> Digest {
    let args = json!({"command": format!("echo {call} >> critical; ufw disable")});
    let (_, answer) = hooks.propose(call, "shell", args).await.expect("an answer");
    assert_eq!((&answer["decision"], &answer["class"]), (&json!("pending"), &json!("critical_red")), "{answer}");
    answer["digest"].as_str().expect("a digest").parse().expect("a digest")
}

fn runs(stage: &Stage) -> Vec<String> {
    let text = std::fs::read_to_string(stage.tenant.workspace().join("critical")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

async fn at_the_hub(stage: &Stage, digest: Digest) -> Value {
    stage.person.wait_for_pending(|a| a["digest"] == digest.to_string()).await.expect("it waits at the hub")
}

/// Makes a key in the portal.
async fn register(stage: &Stage, key: &mut SoftKey) -> Value {
    let (status, challenge) = stage.person.post("/passkeys/challenge", &json!({})).await.expect("an answer");
    assert!(status.is_success(), "{challenge}");
    let text = challenge["challenge"].as_str().expect("a challenge");
    let made = key.register(&BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64url"));
    let body = json!({"name": "phone", "challenge": text, "registration": made});
    let (status, view) = stage.person.post("/passkeys", &body).await.expect("an answer");
    assert!(status.is_success(), "{view}");
    assert_eq!(view["code"], json!(key.passkey().code()));
    view
}

/// What the server says of a key, once it was offered.
async fn offered(stage: &Stage, site: &Passkey) -> Value {
    wait("the key to be offered", || async {
        let list: Value = serde_json::from_str(&stage.tenant.cli(&["passkey", "list", "--json"]).await?)?;
        let found = list.as_array().into_iter().flatten().find(|key| key["site"] == site.origin.as_str());
        Ok(found.cloned())
    })
    .await
    .expect("it is offered")
}

/// Makes a key in the portal and pins it on the server, as its owner does.
async fn pinned(stage: &Stage, name: &[u8]) -> SoftKey {
    let mut key = SoftKey::es256(&stage.hub.public_url, name);
    register(stage, &mut key).await;
    offered(stage, &key.passkey()).await;
    stage.tenant.cli(&["passkey", "pin", &key.passkey().code().to_string()]).await.expect("pinned");
    wait("the hub to hear that it is pinned", || async {
        let list = stage.tenant_view().await?["status"]["passkeys"].clone();
        Ok(list.as_array().is_some_and(|list| list.contains(&json!(key.passkey().fingerprint()))).then_some(()))
    })
    .await
    .expect("the hub hears");
    key
}

async fn approve(stage: &Stage, digest: Digest, assertion: Option<&Assertion>) -> (u16, String) {
    let body = json!({"verdict": "approved", "passkey": assertion});
    let (status, answer) = stage.person.post(&format!("/approvals/{digest}/decision"), &body).await.expect("an answer");
    (status.as_u16(), answer["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_call_runs_by_the_passkey_that_was_pinned_and_by_nothing_less() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let digest = critical(&hooks, "c1").await;
    at_the_hub(&stage, digest).await;

    // Nobody's word is enough: not a person's, not the operator's, not root's on the server.
    assert_eq!(approve(&stage, digest, None).await, (409, "needs_passkey".to_owned()));
    assert!(stage.hub.cli(&["approvals", "approve", &digest.to_string()]).await.is_err());
    assert!(stage.tenant.cli(&["approvals", "approve", &digest.to_string()]).await.is_err());

    // A key that is registered and not pinned is none.
    let mut phone = SoftKey::es256(&stage.hub.public_url, b"phone");
    register(&stage, &mut phone).await;
    let told = offered(&stage, &phone.passkey()).await;
    assert_eq!((&told["state"], told.get("code")), (&json!("offered"), None), "the server tells no code: {told}");
    assert_eq!(approve(&stage, digest, Some(&phone.assert(&digest))).await, (409, "passkey".to_owned()));
    let almost = phone.passkey().code().to_string().replace(|c| c != '-', "0");
    assert!(stage.tenant.cli(&["passkey", "pin", &almost]).await.is_err());

    let code = phone.passkey().code().to_string();
    stage.tenant.cli(&["passkey", "pin", &code]).await.expect("pinned");
    let say = || async {
        (approve(&stage, digest, Some(&SoftKey::es256(&stage.hub.public_url, b"phone").assert(&digest))).await.0 == 409)
            .then_some(())
    };
    assert!(say().await.is_some(), "another key of that name");
    let assertion = phone.assert(&digest);
    wait("the hub to hear of the pin", || async {
        Ok((approve(&stage, digest, Some(&assertion)).await.0 == 200).then_some(()))
    })
    .await
    .expect("approved");
    let (_, ended) = hooks.status("c1", 20_000).await.expect("an answer");
    assert_eq!(runs(&stage), ["c1"], "{ended}");

    // Used once more, for another call of the same words.
    let again = critical(&hooks, "c2").await;
    at_the_hub(&stage, again).await;
    assert_eq!(approve(&stage, again, Some(&assertion)).await, (409, "passkey".to_owned()));

    // Given up in the portal, it counts nowhere.
    let gone = format!("/passkeys/{}/removal", phone.passkey().fingerprint());
    assert!(stage.person.post(&gone, &json!({})).await.expect("an answer").0.is_success());
    wait("the server to hear of it", || async {
        let list: Value = serde_json::from_str(&stage.tenant.cli(&["passkey", "list", "--json"]).await?)?;
        Ok((list[0]["state"] == "removed").then_some(()))
    })
    .await
    .expect("removed");
    assert_eq!(approve(&stage, again, Some(&phone.assert(&again))).await, (409, "passkey".to_owned()));
    let (_, denied) = stage
        .person
        .post(&format!("/approvals/{again}/decision"), &json!({"verdict": "denied"}))
        .await
        .expect("an answer");
    assert_eq!(denied["state"], "denied", "denying takes none: {denied}");
    assert_eq!(runs(&stage), ["c1"]);
    let audit = stage.tenant.cli(&["audit", "show", "--last", "500", "--json"]).await.expect("the log");
    for kind in
        ["passkey-offered", "passkey-pinned", "ruling-with-passkey", "ruling-without-passkey", "passkey-removed"]
    {
        assert!(audit.contains(&format!("\"{kind}\"")), "no {kind} in the audit log");
    }
    stage.tenant.cli(&["audit", "verify"]).await.expect("the chain holds");
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_key_is_let_in_by_the_first_one_and_by_no_hub() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let mut phone = pinned(&stage, b"phone").await;
    let mut laptop = SoftKey::ed25519(&stage.hub.public_url, b"laptop", 9);
    register(&stage, &mut laptop).await;
    let tenant = stage.tenant_view().await.expect("the tenant")["id"].clone();
    let path = format!("/passkeys/{}/introduction", laptop.passkey().fingerprint());
    let (_, asked) = stage.person.post(&path, &json!({"tenant": tenant})).await.expect("an answer");
    let challenge =
        BASE64URL_NOPAD.decode(asked["challenge"].as_str().expect("base64url").as_bytes()).expect("base64url");
    let challenge = Digest::try_from(challenge.as_slice()).expect("a digest");
    for (who, assertion, taken) in
        [("itself", laptop.assert(&challenge), false), ("the pinned one", phone.assert(&challenge), true)]
    {
        let body = json!({"tenant": tenant, "expires_ms": asked["expires_ms"], "assertion": assertion});
        let (status, answer) = stage.person.post(&path, &body).await.expect("an answer");
        assert_eq!(status.is_success(), taken, "{who}: {answer}");
    }
    let digest = critical(&hooks, "c1").await;
    at_the_hub(&stage, digest).await;
    let assertion = laptop.assert(&digest);
    wait("the laptop to count", || async {
        Ok((approve(&stage, digest, Some(&assertion)).await.0 == 200).then_some(()))
    })
    .await
    .expect("approved");
    hooks.status("c1", 20_000).await.expect("an answer");
    assert_eq!(runs(&stage), ["c1"]);
    stage.strike().await.expect("everything stops");
}

/// What the hub's rows say of an approval.
async fn receipt(stage: &Stage, digest: Digest) -> String {
    wait("the server's receipt", || async {
        let view = stage.person.get(&format!("/approvals/{digest}")).await?;
        Ok(match view["receipt"].as_str() {
            Some("taken") => Some("taken".to_owned()),
            Some(_) => Some(view["receipt_error"].as_str().unwrap_or_default().to_owned()),
            None => None,
        })
    })
    .await
    .expect("a receipt")
}

/// Names of the keys that the server trusts.
async fn trusted(stage: &Stage) -> Vec<String> {
    let list: Value =
        serde_json::from_str(&stage.tenant.cli(&["passkey", "list", "--json"]).await.expect("a list")).expect("JSON");
    let list = json!({"keys": list});
    rows(&list, "keys")
        .into_iter()
        .filter(|key| key["state"] == "pinned")
        .map(|key| key["code"].as_str().unwrap_or_default().to_owned())
        .collect()
}
