//! The same again, granted with an approval: the document that the server wrote bounds it, whoever holds the hub's keys.

use wardkeep_proto::grant::GrantTerms;

use super::thief::{Granted, forge_granting};
use super::*;

const BOUNDS: &str = "\n[granting]\nhours = 8\nuses = 3\n";

fn push(branch: &str) -> Value {
    json!({"command": format!("git push origin {branch}")})
}

async fn asked(stage: &Stage, hooks: &Hooks, call: &str, branch: &str) -> Digest {
    let (_, answer) = hooks.propose(call, "shell", push(branch)).await.expect("an answer");
    assert_eq!(answer["decision"], "pending", "{answer}");
    let digest = answer["digest"].as_str().expect("a digest").parse().expect("a digest");
    at_the_hub(stage, digest).await;
    digest
}

async fn runs_at_once(hooks: &Hooks, call: &str, branch: &str) -> bool {
    let (_, answer) = hooks.propose(call, "shell", push(branch)).await.expect("an answer");
    answer["decision"] == "allow"
}

async fn listed(stage: &Stage) -> Vec<Value> {
    let list = stage.tenant.cli(&["grants", "list", "--json"]).await.expect("the list");
    serde_json::from_str::<Value>(&list).expect("JSON").as_array().cloned().unwrap_or_default()
}

const fn terms(hours: u32, scope: u32, uses: u32) -> Option<GrantTerms> {
    Some(GrantTerms { hours, scope, uses })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_hub_grants_no_more_than_the_server_offered() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::super::stage(folder.path()).await;
    stage.follow(&format!("{}{BOUNDS}", stage.tenant.policy())).await.expect("in force");
    let key = stage.hub.keys().await.expect("keys").ring.decision().await.expect("held");
    let good = terms(2, 0, 2);
    let both = |terms| Granted { signed: terms, told: terms };
    for (at, (what, granted, says)) in [
        ("longer than offered", both(terms(9, 0, 2)), "wider than"),
        ("oftener than offered", both(terms(2, 0, 4)), "wider than"),
        ("another scope", both(terms(2, 1, 2)), "wider than"),
        ("for nothing", both(terms(0, 0, 0)), "wider than"),
        ("lengthened on the way", Granted { signed: good, told: terms(8, 0, 2) }, "not signed"),
        ("used oftener on the way", Granted { signed: good, told: terms(2, 0, 3) }, "not signed"),
        ("added on the way", Granted { signed: None, told: good }, "not signed"),
        ("taken away on the way", Granted { signed: good, told: None }, "not signed"),
    ]
    .into_iter()
    .enumerate()
    {
        let call = format!("lie-{at}");
        let digest = asked(&stage, &hooks, &call, &format!("lie-{at}")).await;
        forge_granting(&stage, digest, None, &key, granted).await;
        let answer = receipt(&stage, digest).await;
        assert!(answer.contains(says), "{what}: {answer}");
        let (_, still) = hooks.status(&call, 0).await.expect("an answer");
        assert_eq!(still["decision"], "pending", "{what}: {still}");
    }
    // What is critical offers none, and a signed decision alone approves nothing.
    let digest = critical(&hooks, "critical").await;
    at_the_hub(&stage, digest).await;
    forge_granting(&stage, digest, None, &key, both(good)).await;
    assert!(receipt(&stage, digest).await.contains("passkey"));
    assert!(listed(&stage).await.is_empty() && runs(&stage).is_empty());

    // Within the bounds it is what a person could have said; the same decision once more adds nothing.
    let digest = asked(&stage, &hooks, "first", "main").await;
    forge_granting(&stage, digest, None, &key, both(good)).await;
    assert_eq!(receipt(&stage, digest).await, "taken");
    assert!(runs_at_once(&hooks, "g1", "main").await && !runs_at_once(&hooks, "g2", "other").await);
    wait("the first run to end", || async {
        let state = stage.person.get(&format!("/approvals/{digest}")).await?["state"].clone();
        Ok((state == "failed" || state == "done").then_some(()))
    })
    .await
    .expect("it ends");
    forge_granting(&stage, digest, None, &key, both(terms(8, 0, 3))).await;
    // It sends again what it has no receipt for when the server comes.
    stage.hub.service.kill().expect("killed");
    assert!(receipt(&stage, digest).await.contains("first decision counts"));
    assert_eq!((listed(&stage).await.len(), listed(&stage).await[0]["left"].clone()), (1, json!(1)));
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_listed_counted_over_a_kill_and_taken_back_from_both_sides() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::super::stage(folder.path()).await;
    stage.follow(&format!("{}{BOUNDS}", stage.tenant.policy())).await.expect("in force");
    assert!(stage.tenant.cli(&["grants", "list"]).await.expect("told").contains("grants nothing"));
    for (at, branch) in ["main", "next"].into_iter().enumerate() {
        let digest = asked(&stage, &hooks, &format!("asked-{at}"), branch).await;
        let said = |grant: Value| json!({"verdict": "approved", "grant": grant});
        let path = format!("/approvals/{digest}/decision");
        for wrong in [json!({"hours": 9, "scope": 0, "uses": 1}), json!({"hours": 1, "scope": 1, "uses": 1})] {
            let (status, answer) = stage.person.post(&path, &said(wrong)).await.expect("an answer");
            assert_eq!((status.as_u16(), &answer["error"]["code"]), (409, &json!("not_granted")), "{answer}");
        }
        let denied = json!({"verdict": "denied", "grant": {"hours": 1, "scope": 0, "uses": 1}});
        assert_eq!(stage.person.post(&path, &denied).await.expect("an answer").0.as_u16(), 409);
        let (status, answer) =
            stage.person.post(&path, &said(json!({"hours": 2, "scope": 0, "uses": 3}))).await.expect("an answer");
        assert!(status.is_success(), "{answer}");
        assert_eq!(receipt(&stage, digest).await, "taken");
    }
    assert!(runs_at_once(&hooks, "m1", "main").await);
    stage.tenant.service.kill().expect("killed");
    stage.tenant.cli(&["status", "--wait-online", "20"]).await.expect("back");
    hooks.start_session().await.expect("an answer");
    assert!(runs_at_once(&hooks, "m2", "main").await);
    let list = listed(&stage).await;
    let of = |branch: &str| {
        let found = list.iter().find(|one| one["commands"][0][3] == branch).expect("listed");
        (found["id"].as_str().expect("an id").to_owned(), found["left"].clone(), found["given"]["by"].clone())
    };
    let (main, next) = (of("main"), of("next"));
    assert_eq!((&main.1, &main.2, &next.1), (&json!(1), &json!("ada"), &json!(3)));

    // On the server, by the beginning of its name.
    let told = stage.tenant.cli(&["grants", "list"]).await.expect("told");
    assert!(
        told.contains("git push origin main: 1 uses left, 2 used, until") && told.contains("given by ada"),
        "{told}"
    );
    assert!(stage.tenant.cli(&["grants", "revoke", "00000000"]).await.is_err());
    let told = stage.tenant.cli(&["grants", "revoke", &main.0[..12]]).await.expect("taken back");
    assert!(told.contains("taken back") && !told.contains("on the hub"), "{told}");
    assert!(!runs_at_once(&hooks, "m3", "main").await);

    // At the hub, which hears what the server says of it.
    let view = wait("the hub to hear of both", || async {
        let grants = stage.tenant_view().await?["status"]["grants"].clone();
        Ok((grants.as_array().is_some_and(|all| all.iter().any(|one| one["revoked"] == true))).then_some(grants))
    })
    .await
    .expect("told");
    assert_eq!(view.as_array().map(Vec::len), Some(2), "{view}");
    let id = stage.tenant_view().await.expect("a view")["id"].as_str().expect("an id").to_owned();
    let order = json!({"kind": "revoke_grant", "grant": next.0});
    let stranger = stage.hub.person_of("butchers", "eve").await.expect("a person");
    assert_eq!(stranger.post(&format!("/tenants/{id}/commands"), &order).await.expect("an answer").0.as_u16(), 404);
    assert!(runs_at_once(&hooks, "n1", "next").await);
    assert!(stage.person.post(&format!("/tenants/{id}/commands"), &order).await.expect("an answer").0.is_success());
    wait("the server to take it back", || async {
        Ok(listed(&stage).await.iter().all(|one| one["revoked"] == true).then_some(()))
    })
    .await
    .expect("taken back");
    assert!(!runs_at_once(&hooks, "n2", "next").await);
    let log = stage.tenant.cli(&["audit", "show", "--kind", "grant-revoked", "--json"]).await.expect("the log");
    assert!(log.lines().count() == 2 && log.contains("ada"), "{log}");
    assert!(stage.tenant.cli(&["audit", "verify"]).await.is_ok());
    stage.strike().await.expect("everything stops");
}
