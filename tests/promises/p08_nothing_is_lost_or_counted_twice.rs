//! P8: usage, approvals, commands and audit survive kill -9 on either side and arrive exactly once in effect.
//!
//! The crash at every waypoint of the story is a test target of its own: `tests/crash`.

use serde_json::json;
use wardkeep_tests::story::people::{rows, wait};

#[tokio::test(flavor = "multi_thread")]
async fn usage_of_an_hour_without_the_hub_arrives_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    for round in 0..3 {
        for _ in 0..3 {
            let (status, answer) = hooks.ask_model("hello").await.expect("an answer");
            assert!(status.is_success(), "{answer}");
        }
        // Whatever was under way is sent again after both have come back.
        stage.hub.service.kill().expect("killed");
        stage.tenant.service.kill().expect("killed");
        wait("a new session", || async { Ok(hooks.start_session().await.ok()) })
            .await
            .unwrap_or_else(|e| panic!("round {round}: {e}"));
    }
    let billed = stage.llm.billed();
    let input: u64 = billed.iter().map(|u| u.input).sum();
    wait("exactly that usage", || async {
        let usage = rows(&stage.person.get("/usage").await?, "usage");
        let totals =
            usage.first().map(|row| (row["totals"]["requests"].as_u64(), row["totals"]["input_tokens"].as_u64()));
        anyhow::ensure!(totals.is_none_or(|(n, _)| n <= Some(billed.len() as u64)), "counted twice: {usage:?}");
        Ok((totals == Some((Some(billed.len() as u64), Some(input)))).then_some(()))
    })
    .await
    .expect("counted exactly");
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_made_while_the_hub_is_down_arrives_once_and_its_decision_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let args = json!({"method": "POST", "url": format!("{}/v1/campaigns", stage.tenant.services.newsletter_url()),
        "headers": {"authorization": "Bearer SECRET_REF(newsletter_api_key)"},
        "body": json!({"subject": "s", "body": "b", "send_now": true}).to_string()});
    stage.hub.service.kill().expect("killed");
    let (_, answer) = hooks.propose("c1", "http_request", args).await.expect("an answer");
    assert_eq!(answer["decision"], "pending", "{answer}");
    let digest = answer["digest"].as_str().expect("a digest").to_owned();
    stage.tenant.service.kill().expect("killed");
    stage.person.wait_for_pending(|a| a["digest"] == digest.as_str()).await.expect("it arrives");
    stage.person.decide(&digest, "approved").await.expect("decided");
    stage.hub.service.kill().expect("killed");
    wait("the sent newsletter", || async { Ok((stage.newsletter.sends() > 0).then_some(())) }).await.expect("sent");
    stage.tenant.service.kill().expect("killed");
    wait("its end at the hub", || async {
        let one = stage.person.get(&format!("/approvals/{digest}")).await?;
        Ok((one["state"] == "done").then_some(()))
    })
    .await
    .expect("ended");
    assert_eq!(stage.newsletter.sends(), 1, "sent more than once");
    // A signal before the daemon listens for it would end it the hard way.
    stage.tenant.cli(&["status", "--wait-online", "20"]).await.expect("it is back");
    stage.strike().await.expect("everything stops");
}
