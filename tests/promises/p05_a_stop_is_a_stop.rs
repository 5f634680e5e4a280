//! P5, the kill switch: once a stop is acknowledged nothing of the agent begins or runs, and no crash forgets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::{rows, wait};
use wardkeep_tests::story::stage::{AGENT, Stage, TENANT};

const NOTE: &str = "notes/november.md";

/// The audit log, oldest row first.
async fn log(stage: &Stage) -> Vec<Value> {
    let told = stage.tenant.cli(&["audit", "show", "--last", "10000", "--json"]).await.expect("the log");
    told.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

async fn up(stage: &Stage) {
    wait("the daemon", || async { Ok(stage.tenant.cli(&["status", "--json"]).await.ok()) }).await.expect("up");
}

async fn nothing_goes(stage: &Stage, hooks: &Hooks, call: &str) {
    let asked = stage.llm.requests().len();
    let (_, read) = hooks.propose(call, "read_file", json!({"path": NOTE})).await.expect("an answer");
    assert!(read["decision"] == "deny" && read["message"].as_str().is_some_and(|m| m.contains("stopped")), "{read}");
    let (status, answer) = hooks.ask_model("hello").await.expect("an answer");
    assert!(status.is_client_error() && answer.to_string().contains("stopped"), "{status} {answer}");
    assert_eq!(stage.llm.requests().len(), asked, "the provider was asked");
}

/// Reads, and asks the model, as fast as it can, for as long as it may.
fn load(stage: &Stage, worker: usize, over: &Arc<AtomicBool>) -> tokio::task::JoinHandle<()> {
    let (hooks, over) = (Hooks::of(&stage.tenant).expect("a client"), Arc::clone(over));
    tokio::spawn(async move {
        for round in 0.. {
            if over.load(Ordering::SeqCst) {
                return;
            }
            let _ = hooks.run(&format!("load.{worker}.{round}"), "read_file", json!({"path": NOTE})).await;
            let _ = hooks.ask_model("more").await;
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_nothing_begins_after_it_and_no_restart_forgets_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let over = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..6).map(|worker| load(&stage, worker, &over)).collect();
    wait("some load", || async { Ok((stage.llm.requests().len() > 12).then_some(())) }).await.expect("load");
    let moved = stage.tenant.cli(&["stop", AGENT, "--reason", "enough", "--json"]).await.expect("stopped");
    // Counted, not timed: whatever was asked or run by now is all there will be.
    let asked = stage.llm.requests().len();
    let moved: Value = serde_json::from_str(&moved).expect("JSON");
    assert_eq!((&moved["standing"], &moved["lingering"]), (&json!("stopped"), &json!(0)), "{moved}");
    nothing_goes(&stage, &hooks, "at-once").await;
    over.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.expect("no panic");
    }
    assert_eq!(stage.llm.requests().len(), asked, "a request left after the acknowledgement");
    let log = log(&stage).await;
    let stopped = log.iter().position(|row| row["kind"] == "agent-stopped").expect("on record");
    let begun =
        |row: &&Value| ["call-claimed", "call-permitted", "call-pending"].contains(&row["kind"].as_str().unwrap_or(""));
    assert_eq!(log[stopped..].iter().find(begun), None, "something began after the stop");
    for _ in 0..2 {
        stage.tenant.service.kill().expect("killed");
        up(&stage).await;
        hooks.start_session().await.expect("an answer");
        nothing_goes(&stage, &hooks, &format!("after-{}", stage.tenant.service.kills())).await;
    }
    // P7: the hub does not let go what a person here holds, whoever asks it to.
    let refused = stage.hub.cli(&["agent", "resume", TENANT, AGENT, "--reason", "please", "--wait", "20"]).await;
    assert!(refused.is_err_and(|why| why.to_string().contains("only a person on this server")), "it was let go");
    nothing_goes(&stage, &hooks, "still").await;
    assert!(stage.tenant.cli(&["resume", AGENT]).await.is_err(), "a reason");
    stage.tenant.cli(&["resume", AGENT, "--reason", "looked at it"]).await.expect("resumed");
    hooks.run("again", "read_file", json!({"path": NOTE})).await.expect("it goes on");
    stage.strike().await.expect("everything stops");
}

/// A kill -9 anywhere around the order leaves it not acknowledged or in force.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_in_force_wherever_the_daemon_dies() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let mut acknowledged = 0;
    for round in 0..8_u64 {
        let order = stage.tenant.cli(&["stop", AGENT, "--reason", "now"]);
        let kill = async {
            // Somewhere along the way of the order; where exactly is left to the machine.
            tokio::time::sleep(Duration::from_millis(round * 7)).await;
            stage.tenant.service.kill().expect("killed");
        };
        let (ordered, ()) = tokio::join!(order, kill);
        up(&stage).await;
        hooks.start_session().await.expect("an answer");
        let (_, read) =
            hooks.propose(&format!("r{round}"), "read_file", json!({"path": NOTE})).await.expect("an answer");
        if ordered.is_ok() {
            acknowledged += 1;
            assert_eq!(read["decision"], "deny", "acknowledged and forgotten: {read}");
        }
        stage.tenant.cli(&["resume", AGENT, "--reason", "next round"]).await.expect("resumed");
    }
    assert!(acknowledged < 8, "no kill was early enough to matter");
    stage.strike().await.expect("everything stops");
}

/// From the hub: a row, answered once, whichever side dies; and an open stream ends with it.
#[tokio::test(flavor = "multi_thread")]
async fn the_hub_stops_an_agent_once_and_open_streams_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    stage.llm.pace(Duration::from_millis(400));
    let body = json!({"model": wardkeep_tests::story::stage::MODEL, "max_tokens": 64, "stream": true,
        "messages": [{"role": "user", "content": "tell me a long story"}]});
    let streaming = {
        let hooks = Hooks::of(&stage.tenant).expect("a client");
        let headers = vec![("anthropic-version".to_owned(), b"2023-06-01".to_vec())];
        tokio::spawn(async move { hooks.ask_llm("/v1/messages", &headers, body.to_string().into_bytes()).await })
    };
    wait("the stream", || async { Ok((stage.llm.requests().len() == 1).then_some(())) }).await.expect("begun");
    stage
        .hub
        .cli(&["agent", "stop", TENANT, AGENT, "--reason", "seen from afar", "--wait", "20"])
        .await
        .expect("stopped");
    let told = streaming.await.expect("no panic");
    let whole =
        told.as_ref().is_ok_and(|(status, text)| status.is_success() && text.to_string().contains("message_stop"));
    assert!(!whole, "the stream went on to its end: {told:?}");
    stage.llm.pace(Duration::ZERO);
    nothing_goes(&stage, &hooks, "stopped").await;
    // Whatever is repeated after a crash on either side is answered from the journal.
    for service in [&stage.hub.service, &stage.tenant.service] {
        service.kill().expect("killed");
        stage.tenant.cli(&["status", "--wait-online", "20"]).await.expect("back");
    }
    stage
        .hub
        .cli(&["agent", "resume", TENANT, AGENT, "--reason", "it was calm", "--wait", "20"])
        .await
        .expect("resumed");
    hooks.start_session().await.expect("an answer");
    hooks.run("again", "read_file", json!({"path": NOTE})).await.expect("it goes on");
    let log = log(&stage).await;
    let count = |kind: &str| log.iter().filter(|row| row["kind"] == kind).count();
    assert_eq!((count("agent-stopped"), count("agent-resumed")), (1, 1));
    let view = stage.tenant_view().await.expect("a view");
    let commands = stage.person.get(&format!("/tenants/{}/commands", view["id"].as_str().expect("an id"))).await;
    let states: Vec<Value> =
        rows(&commands.expect("commands"), "commands").iter().map(|c| c["state"].clone()).collect();
    assert_eq!(states, [json!("succeeded"), json!("succeeded")]);
    stage.strike().await.expect("everything stops");
}
