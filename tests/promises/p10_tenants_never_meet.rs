//! P10: a tenant's certificate reaches its own rows only, a person their own organisation only, and every route and call
//! stands in the table of who may call it (the table itself is compared with the router inside the hub's own tests).

use reqwest::StatusCode;
use wardkeep_tests::story::stage::http_client;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_login_there_is_nothing_to_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, _) = super::stage(folder.path()).await;
    let http = http_client().expect("a client");
    for path in ["/tenants", "/approvals", "/activity", "/usage", "/session"] {
        let url = format!("{}/api/v1{path}", stage.hub.url);
        for request in
            [http.get(&url), http.get(&url).bearer_auth("guessed"), http.get(&url).header("cookie", "session=x")]
        {
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        }
    }
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_another_organisation_sees_nothing_of_this_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let args = serde_json::json!({"command": "rm -rf drafts"});
    let (_, answer) = hooks.propose("c1", "shell", args).await.expect("an answer");
    let digest = answer["digest"].as_str().expect("a digest").to_owned();
    stage.person.wait_for_pending(|a| a["digest"] == digest.as_str()).await.expect("it waits");
    let stranger = stage.hub.person_of("florist", "eve").await.expect("a person of another organisation");
    let tenants = stranger.get("/tenants").await.expect("an answer");
    assert_eq!(tenants["tenants"], serde_json::json!([]), "{tenants}");
    let approvals = stranger.get("/approvals").await.expect("an answer");
    assert_eq!(approvals["approvals"], serde_json::json!([]), "{approvals}");
    assert!(stranger.get(&format!("/approvals/{digest}")).await.is_err(), "a stranger read the approval");
    assert!(stranger.decide(&digest, "approved").await.is_err(), "a stranger decided");
    let usage = stranger.get("/usage").await.expect("an answer");
    assert_eq!(usage["usage"], serde_json::json!([]), "{usage}");
    stage.person.wait_for_pending(|a| a["digest"] == digest.as_str()).await.expect("it still waits");
    stage.strike().await.expect("everything stops");
}
