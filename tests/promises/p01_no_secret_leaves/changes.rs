//! Attacks on the moments in between: values that change, come late, or are on their way when the daemon dies.

use std::fs;

use serde_json::json;
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::capture::Channel;
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::wait;

use super::model::user;
use super::siege::{HARMLESS, Siege, heard};

const OLD: &str = "q8Zt5vRw2LxNc7Yb3KdM9sPf";
const NEW: &str = "T4hGk1WjXe6UaQz8VnBr5CmL";

async fn keep(siege: &Siege, name: &str, value: &str) {
    siege.stage.tenant.cli_told(&["vault", "set", name], value).await.expect("kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_covered_as_soon_as_it_is_kept_and_as_long_as_it_may_still_open_something() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    // The same words before it was a secret: a prefix that a provider, or the gateway, may have kept.
    let prefix = user(json!(format!("remember {OLD} and {NEW}"))).to_string();
    siege.ask("before", &[], prefix.clone().into_bytes()).await;
    let sent = siege.stage.llm.requests().pop().expect("it left").body;
    assert!(String::from_utf8_lossy(&sent).contains(OLD), "an unknown value goes through: {sent:?}");
    siege.also("turning", OLD);
    keep(&siege, "turning", OLD).await;
    siege.ask("the same request again", &[], user(json!(format!("remember {OLD}"))).to_string().into_bytes()).await;
    siege.also("turning", NEW);
    keep(&siege, "turning", NEW).await;
    siege.ask("after the exchange", &[], prefix.clone().into_bytes()).await;
    let both = format!("a file with {OLD} and {NEW}");
    fs::write(siege.stage.tenant.workspace().join("both"), &both).expect("written");
    siege.hooks.run("both", "read_file", json!({"path": "both"})).await.expect("read");
    siege.listen("both in a file");
    siege.stage.tenant.cli(&["vault", "rm", "turning", "--yes"]).await.expect("removed");
    siege.ask("after the end", &[], prefix.into_bytes()).await;
    siege.hooks.run("again", "read_file", json!({"path": "both"})).await.expect("read");
    siege.listen("both in a file after the end");
    let words = siege.ask("harmless", &[], user(json!(HARMLESS)).to_string().into_bytes()).await;
    assert!(words.contains(&Channel::Provider), "nothing got through");
    // The first request is in the simulator's memory and on the tape; only what came later counts.
    let found = siege.into_found();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_kept_while_a_run_is_on_does_not_come_out_of_it() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    fs::write(siege.stage.tenant.workspace().join("late"), format!("{HARMLESS} {NEW}\n")).expect("written");
    let (_, answer) = siege
        .hooks
        .propose("late", "shell", json!({"command": "touch begun; sleep 0.5; cat late"}))
        .await
        .expect("an answer");
    let permit = answer["permit"].as_str().expect("allowed").to_owned();
    siege.also("late", NEW);
    let begun = siege.stage.tenant.workspace().join("begun");
    let meanwhile = async {
        wait("the run to begin", || async { Ok(begun.exists().then_some(())) }).await.expect("it begins");
        keep(&siege, "late", NEW).await;
    };
    let (run, ()) = tokio::join!(siege.hooks.exec(&permit), meanwhile);
    run.expect("an answer");
    let news = siege.listen("a value that came during a run");
    assert!(heard(&news, HARMLESS).contains(&Channel::Agent), "nothing was read");
    siege.lift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_leaves_no_value_behind() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let workspace = siege.stage.tenant.workspace();
    let all: String = siege.secrets().iter().map(|(_, value)| format!("{value}\n")).collect();
    fs::write(workspace.join("all"), format!("{HARMLESS}\n{all}")).expect("written");
    for (number, command) in
        ["touch begun0; sleep 0.4; cat all", "touch begun1; cat all; sleep 0.4; cat all; kill -9 $$"]
            .into_iter()
            .enumerate()
    {
        let id = format!("killed{number}");
        let (_, answer) = siege.hooks.propose(&id, "shell", json!({"command": command})).await.expect("an answer");
        if answer["decision"] == "pending" {
            siege
                .stage
                .tenant
                .cli(&["approvals", "approve", answer["digest"].as_str().expect("a digest")])
                .await
                .expect("approved");
        }
        let permit = answer["permit"].as_str().unwrap_or_default().to_owned();
        let begun = workspace.join(format!("begun{number}"));
        let kill = async {
            wait("the run to begin", || async { Ok(begun.exists().then_some(())) }).await.expect("it begins");
            siege.stage.tenant.service.kill().expect("killed");
        };
        // The connection breaks with the daemon.
        let (_, ()) = tokio::join!(siege.hooks.exec(&permit), kill);
        siege.listen("killed in the middle");
        wait("the daemon to be back with the result", || async {
            let Ok((status, answer)) = siege.hooks.status(&id, 500).await else { return Ok(None) };
            Ok((status.is_success() && answer["decision"] == "done").then_some(()))
        })
        .await
        .expect("it ends");
        let news = siege.listen("the result after the kill");
        assert!(heard(&news, HARMLESS).contains(&Channel::Agent), "{command}: nothing came out of the run");
        // In the middle of a request to the model, too.
        siege.hooks.start_session().await.expect("a session");
        siege.kill_within_a_stream(&all).await;
        siege.listen("killed in the middle of a stream");
        wait("the daemon to be back", || async {
            Ok(siege.hooks.start_session().await.ok().filter(|(s, _)| s.is_success()))
        })
        .await
        .expect("it is back");
    }
    siege.lift().await;
}

/// The other agent of the tenant reads the same files, and nothing of the first one's calls.
#[tokio::test(flavor = "multi_thread")]
async fn another_agent_is_no_way_around() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let other = Hooks::with_token(&siege.stage.tenant, &siege.stage.tenant.other_token).expect("a client");
    other.start_session().await.expect("a session");
    let all: String = siege.secrets().iter().map(|(_, value)| format!("{value}\n")).collect();
    let args = json!({"path": "left", "content": format!("{HARMLESS} SECRET_REF(shown_token)")});
    let _ = siege.hooks.run("left", "write_file", args).await;
    fs::write(siege.stage.tenant.workspace().join("all"), format!("{HARMLESS}\n{all}")).expect("written");
    let (_, mine) = siege.hooks.propose("mine", "read_file", json!({"path": "all"})).await.expect("an answer");
    let (status, _) = other.exec(mine["permit"].as_str().expect("allowed")).await.expect("an answer");
    assert_eq!(status, 404, "another agent's permit");
    let (status, _) = other.status("mine", 0).await.expect("an answer");
    assert_eq!(status, 404, "another agent's call");
    let read = other.run("its-own", "read_file", json!({"path": "all"})).await.expect("it reads");
    assert!(read["output"].as_str().is_some_and(|text| text.contains(HARMLESS)), "{read}");
    let _ = other.run("its-own-too", "read_file", json!({"path": "left"})).await;
    other.ask_model(&all).await.expect("an answer");
    siege.hear(&other);
    siege.listen("another agent");
    siege.lift().await;
}
