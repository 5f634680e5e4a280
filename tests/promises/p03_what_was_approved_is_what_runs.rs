//! P3: an approval names one canonical call, once; the daemon runs its own stored copy.

use serde_json::{Value, json};
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::stage::{SESSION, Stage};

fn publish(stage: &Stage, subject: &str) -> Value {
    json!({
        "method": "POST", "url": format!("{}/v1/campaigns", stage.tenant.services.newsletter_url()),
        "headers": {"authorization": "Bearer SECRET_REF(newsletter_api_key)", "content-type": "application/json"},
        "body": json!({"subject": subject, "body": "text", "send_now": true}).to_string(),
    })
}

async fn pending(hooks: &Hooks, call: &str, args: Value) -> String {
    let (_, answer) = hooks.propose(call, "http_request", args).await.expect("an answer");
    assert_eq!(answer["decision"], "pending", "{answer}");
    answer["digest"].as_str().expect("a digest").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_call_under_the_same_id_is_refused_and_the_stored_one_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let digest = pending(&hooks, "c1", publish(&stage, "as shown")).await;
    stage.person.wait_for_pending(|a| a["digest"] == digest.as_str()).await.expect("it waits at the hub");
    // The agent swaps the text while the person reads.
    let (status, answer) = hooks.propose("c1", "http_request", publish(&stage, "swapped")).await.expect("an answer");
    assert!(status == 409 || answer["decision"] == "deny", "{status} {answer}");
    stage.person.decide(&digest, "approved").await.expect("decided");
    let (_, done) = hooks.status("c1", 20_000).await.expect("an answer");
    assert_eq!(done["decision"], "done", "{done}");
    // And swaps it once more when it is approved.
    let (status, answer) = hooks.propose("c1", "http_request", publish(&stage, "swapped")).await.expect("an answer");
    assert!(status == 409 || answer["decision"] == "deny", "{status} {answer}");
    let subjects: Vec<String> = stage.newsletter.campaigns().into_iter().map(|c| c.subject).collect();
    assert_eq!(subjects, ["as shown"]);
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_used_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let digest = pending(&hooks, "c1", publish(&stage, "once")).await;
    stage.person.wait_for_pending(|a| a["digest"] == digest.as_str()).await.expect("it waits at the hub");
    stage.person.decide(&digest, "approved").await.expect("decided");
    let (_, first) = hooks.status("c1", 20_000).await.expect("an answer");
    let (_, again) = hooks.propose("c1", "http_request", publish(&stage, "once")).await.expect("an answer");
    assert_eq!(first["result"], again["result"], "the same call gives the stored result");
    // The same words in a new call are a new call.
    let (_, other) = hooks.propose("c2", "http_request", publish(&stage, "once")).await.expect("an answer");
    assert_eq!(other["decision"], "pending", "{other}");
    assert_ne!(other["digest"], digest.as_str());
    assert_eq!(stage.newsletter.sends(), 1);
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_decision_wins_wherever_it_was_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let digest = pending(&hooks, "c1", publish(&stage, "denied here")).await;
    stage.tenant.cli(&["approvals", "deny", &digest]).await.expect("denied on the server");
    let (_, answer) = hooks.status("c1", 5_000).await.expect("an answer");
    assert_eq!(answer["decision"], "deny", "{answer}");
    assert!(stage.tenant.cli(&["approvals", "approve", &digest]).await.is_err(), "a second decision is refused");
    let (_, answer) = hooks.status("c1", 0).await.expect("an answer");
    assert_eq!(answer["decision"], "deny", "{answer}");
    // A denied call is not asked again in this session under another id.
    let (_, again) = hooks.propose("c2", "http_request", publish(&stage, "denied here")).await.expect("an answer");
    assert_eq!(again["decision"], "deny", "{again}");
    assert_eq!(stage.newsletter.sends(), 0);
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permit_runs_once_even_when_asked_at_the_same_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let args = json!({"command": "mkdir -p out && date +%N >> out/ran"});
    let (_, allowed) = hooks.propose("c1", "shell", args).await.expect("an answer");
    assert_eq!(allowed["decision"], "allow", "{allowed}");
    let permit = allowed["permit"].as_str().expect("a permit");
    let (a, b, c) = tokio::join!(hooks.exec(permit), hooks.exec(permit), hooks.exec(permit));
    for answer in [a, b, c] {
        let (_, answer) = answer.expect("an answer");
        assert_eq!(answer["result"]["status"], "ok", "{answer}");
    }
    let ran = std::fs::read_to_string(stage.tenant.workspace().join("out/ran")).expect("it ran");
    assert_eq!(ran.lines().count(), 1, "it ran more than once: {ran}");
    stage.strike().await.expect("everything stops");
}

/// The daemon and its runs have one user, so what keeps a run from the daemon's own door must be more than the user.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_cannot_approve_through_the_servers_own_door() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let digest = pending(&hooks, "c1", publish(&stage, "nobody approved this")).await;
    let run = folder.path().join("tenant/run");
    for (call, socket) in [("admin", "admin.sock"), ("hook", "hook.sock")] {
        let script = format!(
            "socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die \"no socket: $!\"; connect($s, sockaddr_un('{}')) or die \"no way: $!\"; print 'in'",
            run.join(socket).display()
        );
        let (_, allowed) =
            hooks.propose(call, "shell", json!({"argv": ["perl", "-MSocket", "-e", script]})).await.expect("an answer");
        let digest = allowed["digest"].as_str().map(str::to_owned);
        let result = match digest {
            // Inline code is asked for; a person who lets it run gives it no more than this.
            Some(digest) => {
                stage.tenant.cli(&["approvals", "approve", &digest]).await.expect("approved on the server");
                hooks.status(call, 10_000).await.expect("an answer").1["result"].clone()
            }
            None => {
                hooks.exec(allowed["permit"].as_str().expect("a permit")).await.expect("an answer").1["result"].clone()
            }
        };
        assert_eq!(result["status"], "failed", "{socket}: {result}");
        assert!(result["output"].as_str().is_some_and(|said| said.contains("no socket")), "{socket}: {result}");
    }
    let (_, still) = hooks.status("c1", 0).await.expect("an answer");
    assert_eq!((still["decision"].as_str(), still["digest"].as_str()), (Some("pending"), Some(digest.as_str())));
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_is_swapped_while_a_person_reads_does_not_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let script = stage.tenant.workspace().join("clean.sh");
    std::fs::write(&script, "rm -rf drafts/nothing\n").expect("written");
    let args = json!({"command": "bash clean.sh; rm -rf drafts/nothing"});
    let (_, answer) = hooks.propose("c1", "shell", args).await.expect("an answer");
    let digest = answer["digest"].as_str().expect("it waits").to_owned();
    std::fs::write(&script, "rm -rf archive\n").expect("swapped");
    stage.person.wait_for_pending(|a| a["digest"] == digest.as_str()).await.expect("it waits at the hub");
    stage.person.decide(&digest, "approved").await.expect("decided");
    let (_, ended) = hooks.status("c1", 10_000).await.expect("an answer");
    assert_eq!(ended["decision"], "deny", "{ended}");
    assert!(stage.tenant.workspace().join("archive/2019.md").exists(), "the swapped script ran");
    stage.strike().await.expect("everything stops");
}

/// The command comes to the file that the person saw long after it was started.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_swapped_beneath_an_approved_run_is_not_what_it_comes_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let workspace = stage.tenant.workspace();
    for (name, says) in [("job.sh", "GOOD"), ("evil.sh", "EVIL")] {
        std::fs::write(workspace.join(name), format!("echo {says}\n")).expect("written");
    }
    let command = "touch up; until test -e go; do sleep 0.05; done; bash job.sh; rm -rf drafts/nothing";
    let (_, answer) = hooks.propose("c1", "shell", json!({"command": command})).await.expect("an answer");
    let digest = answer["digest"].as_str().expect("it waits").to_owned();
    stage.person.wait_for_pending(|a| a["digest"] == digest.as_str()).await.expect("it waits at the hub");
    stage.person.decide(&digest, "approved").await.expect("decided");
    while !workspace.join("up").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let swaps = [
        ("write_file", json!({"path": "job.sh", "content": "echo EVIL"})),
        ("shell", json!({"command": "cp evil.sh job.sh"})),
        ("delete_file", json!({"path": "job.sh"})),
    ];
    let refused = |answer: &Value| {
        let said = answer["message"].as_str().unwrap_or_default();
        answer["decision"] == "deny" && said.contains("try again then")
    };
    for (number, (tool, args)) in swaps.iter().enumerate() {
        let (_, answer) = hooks.propose(&format!("swap-{number}"), tool, args.clone()).await.expect("an answer");
        assert!(refused(&answer), "{tool}: {answer}");
    }
    // Another agent of the same workspace.
    let other = Hooks::with_token(&stage.tenant, &stage.tenant.other_token).expect("a client");
    let (_, answer) = other.propose("swap", "shell", swaps[1].1.clone()).await.expect("an answer");
    assert!(refused(&answer), "{answer}");
    std::fs::write(workspace.join("go"), "").expect("written");
    let (_, done) = hooks.status("c1", 20_000).await.expect("an answer");
    assert!(done["result"]["output"].as_str().is_some_and(|said| said.starts_with("GOOD")), "{done}");
    let (_, answer) = hooks.propose("after", "write_file", swaps[0].1.clone()).await.expect("an answer");
    assert_eq!(answer["decision"], "allow", "{answer}");
    stage.strike().await.expect("everything stops");
}

/// A tool that the runtime carries out itself: the daemon can only say yes, and says it once.
#[tokio::test(flavor = "multi_thread")]
async fn two_equal_calls_that_wait_together_are_one_yes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let args = json!({"channel": "whatsapp", "to": ["+4930123456"], "body": "See you tomorrow."});
    let body =
        |call: &str| json!({"session": SESSION, "call": call, "tool": "message", "args": args, "wait_ms": 5_000});
    let decide = async {
        let asked = stage.person.wait_for_pending(|_| true).await?;
        // Both wait by now, or the second one comes when it is decided: either way it is the same approval.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        stage.person.decide(asked["digest"].as_str().unwrap_or_default(), "approved").await
    };
    let path = "/v1/hooks/before-tool-call";
    let (one, two) = (body("c1"), body("c2"));
    let (first, second, decided) = tokio::join!(hooks.post(path, &one), hooks.post(path, &two), decide);
    decided.expect("decided");
    let (first, second) = (first.expect("an answer").1, second.expect("an answer").1);
    let (told, other) = if first["decision"] == "allow" { ("c1", "c2") } else { ("c2", "c1") };
    let allowed = [&first, &second].iter().filter(|answer| answer["decision"] == "allow").count();
    assert_eq!(allowed, 1, "one approval was told to two: {first} {second}");
    // Whoever asks again under the other id, or for a third one that repeats it, gets no second yes either.
    let third = json!({
        "session": SESSION, "call": "c3", "tool": "message", "args": args, "wait_ms": 0, "same_as": other,
    });
    for again in [hooks.status(other, 0).await, hooks.post(path, &third).await] {
        let (_, again) = again.expect("an answer");
        assert_eq!(again["decision"], "pending", "{again}");
    }
    let report = |call: &str| json!({"session": SESSION, "call": call, "output": "sent"});
    let (status, _) = hooks.post("/v1/hooks/after-tool-call", &report(other)).await.expect("an answer");
    assert_eq!(status, 409, "a result under the id that was told nothing is a bypass");
    let (status, _) = hooks.post("/v1/hooks/after-tool-call", &report(told)).await.expect("an answer");
    assert!(status.is_success());
    let (_, done) = hooks.status(other, 0).await.expect("an answer");
    assert_eq!((done["decision"].as_str(), done["result"]["output"].as_str()), (Some("done"), Some("sent")));
    stage.strike().await.expect("everything stops");
}
