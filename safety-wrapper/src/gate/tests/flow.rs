//! What the gate lets through, and that it happens once.

use super::*;
use crate::call::{CallState, Executor};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allowed_call_runs_once_however_often_it_is_asked_for() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    let permit = permit_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
    let office = office();
    let (a, b, c) =
        tokio::join!(gate.execute(&office, permit), gate.execute(&office, permit), gate.execute(&office, permit));
    let a = a.unwrap();
    assert_eq!((a.result.status, a.result.exit_code), (RunStatus::Ok, Some(0)), "{}", a.result.output);
    assert_eq!(b.unwrap(), a);
    assert_eq!(c.unwrap(), a);
    assert_eq!(gate.execute(&office, permit).await.unwrap(), a);
    assert_eq!(world.runs(), 1);
    assert_eq!(result_of(&gate.before_tool_call(&office, counted("c1")).await.unwrap()), &a.result);
    assert!(!gate.runs.join(permit.to_string()).exists(), "the run folder is gone");
}

#[tokio::test]
async fn a_call_that_comes_back_gets_what_became_of_the_first() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let again = |id: &str| Proposal { same_as: Some("c1".parse().unwrap()), ..counted(id) };
    let first = gate.before_tool_call(&office(), counted("c1")).await.unwrap();
    gate.decide_approval(digest_of(&first), ruling(Verdict::Approved)).await.unwrap();
    let Answer::Done { permit, result, .. } = settled(&gate, "c1").await else { panic!("not done") };
    let second = gate.before_tool_call(&office(), again("c2")).await.unwrap();
    assert!(
        matches!(&second, Answer::Done { call, permit: of, result: told, .. }
            if call.as_str() == "c2" && *of == permit && *told == result),
        "{second:?}"
    );
    assert_eq!(gate.execute(&office(), permit).await.unwrap().result, result);
    assert_eq!(world.runs(), 1);
    // Another call, a call that is not known, a call nobody was asked about: each is judged as new.
    let other = Proposal { same_as: Some("c1".parse().unwrap()), ..call("c3", "shell", json!({"command": "rm -r x"})) };
    let unknown = Proposal { same_as: Some("c0".parse().unwrap()), ..counted("c4") };
    assert!(gate.before_tool_call(&office(), other).await.unwrap().is_pending());
    assert!(gate.before_tool_call(&office(), unknown).await.unwrap().is_pending());
    let elsewhere = Proposal { session: "s2".parse().unwrap(), ..again("c5") };
    assert!(gate.before_tool_call(&office(), elsewhere).await.unwrap().is_pending());
    assert_eq!(world.runs(), 1);
}

#[tokio::test]
async fn a_runtime_without_memory_hears_once_what_became_of_what_it_was_told_to_come_back_for() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let ask = async |id: &str| gate.before_tool_call(&office(), Proposal { again: true, ..counted(id) }).await.unwrap();
    let first = ask("c1").await;
    assert!(first.is_pending() && ask("c2").await.is_pending(), "nobody has decided");
    gate.decide_approval(digest_of(&first), ruling(Verdict::Approved)).await.unwrap();
    let Answer::Done { result, .. } = settled(&gate, "c1").await else { panic!("not done") };
    assert!(gate.before_tool_call(&office(), counted("c3")).await.unwrap().is_pending(), "one that remembers says so");
    let elsewhere = Proposal { session: "s2".parse().unwrap(), again: true, ..counted("c4") };
    assert!(gate.before_tool_call(&office(), elsewhere).await.unwrap().is_pending(), "another session");
    assert_eq!(result_of(&ask("c5").await), &result, "it hears of it");
    assert_eq!(world.runs(), 1);
    assert!(ask("c6").await.is_pending(), "an old yes counts once");
    assert_eq!(world.runs(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_claims_of_one_permit_are_one_run() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    let permit = permit_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
    let claim = || CallState::Claimed { permit, at: gate.now(), by: Executor::Runner, to: None };
    let (a, b) = tokio::join!(gate.move_on(permit, claim(), gate.now()), gate.move_on(permit, claim(), gate.now()));
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1, "{a:?} {b:?}");
    let kinds = audit_kinds(&gate).await;
    assert_eq!(kinds["call-claimed"], 1);
}

#[tokio::test]
async fn an_approved_call_starts_by_itself_and_who_waits_is_woken() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let asking = {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            gate.before_tool_call(&office(), Proposal { wait_ms: 30_000, ..counted("c1") }).await.unwrap()
        })
    };
    let mut changed = gate.changes();
    let asked = loop {
        if let Some(one) = gate.approvals(ApprovalFilter::Pending).await.unwrap().pop() {
            break one;
        }
        changed.changed().await.unwrap();
    };
    gate.decide_approval(asked.digest, ruling(Verdict::Approved)).await.unwrap();
    assert_eq!(result_of(&asking.await.unwrap()).status, RunStatus::Ok);
    assert_eq!(world.runs(), 1);
    let done = approval(&gate, asked.digest).await;
    assert_eq!((done.state, done.ruling.unwrap().by.as_str()), (ApprovalState::Done, "ada@example.com"));
}

#[tokio::test]
async fn waiting_ends_when_it_should() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let answer = gate.before_tool_call(&office(), Proposal { wait_ms: 50, ..counted("c1") }).await.unwrap();
    assert!(answer.is_pending());
}

#[tokio::test]
async fn equal_calls_that_wait_are_one_approval_and_one_run() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let first = gate.before_tool_call(&office(), counted("c1")).await.unwrap();
    let second = gate.before_tool_call(&office(), counted("c2")).await.unwrap();
    assert_eq!(digest_of(&first), digest_of(&second));
    assert_eq!(gate.approvals(ApprovalFilter::Pending).await.unwrap().len(), 1);
    gate.decide_approval(digest_of(&first), ruling(Verdict::Approved)).await.unwrap();
    let (first, second) = (settled(&gate, "c1").await, settled(&gate, "c2").await);
    assert_eq!(result_of(&first), result_of(&second));
    assert!(matches!(second, Answer::Done { call, .. } if call.as_str() == "c2"));
    assert_eq!(world.runs(), 1);
    // Once it has run, the same call is a new question.
    assert!(gate.before_tool_call(&office(), counted("c3")).await.unwrap().is_pending());
}

#[tokio::test]
async fn the_document_says_everything_and_its_digest_covers_it() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let args = json!({"command": "printenv TOKEN", "env": {"TOKEN": "SECRET_REF(token)"}});
    let digest = digest_of(&gate.before_tool_call(&office(), call("c1", "shell", args)).await.unwrap());
    let asked = approval(&gate, digest).await;
    assert_eq!(Digest::plain(&asked.document), digest);
    assert_eq!(asked.short(), format!("A-{}", &digest.to_string()[..8]));
    let document: Value = serde_json::from_slice(&asked.document).unwrap();
    assert_eq!(serde_json_canonicalizer::to_vec(&document).unwrap(), asked.document, "canonical");
    let mut names: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "action_digest",
            "agent",
            "approve_by_ms",
            "bundle",
            "call",
            "class",
            "created_at_ms",
            "cwd",
            "factor",
            "files",
            "format",
            "lines",
            "nonce",
            "rules",
            "session",
            "tenant",
            "title",
            "tool",
            "use_within_ms"
        ]
    );
    assert_eq!(document["call"]["env"]["TOKEN"], "SECRET_REF(token)");
    assert_eq!(document["approve_by_ms"], START + 24 * 60 * 60 * 1000);
    assert_eq!(document["bundle"]["version"], 1);
    let other = Proposal { session: "s2".parse().unwrap(), ..call("c1", "shell", document["call"].clone()) };
    let second = gate.before_tool_call(&office(), other).await.unwrap();
    assert_ne!(digest_of(&second), digest, "a nonce makes each approval its own");
}

#[tokio::test]
async fn the_outbox_tells_each_step_until_it_is_heard() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let digest = digest_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
    assert_eq!(gate.approvals_to_send().await.unwrap().len(), 1);
    let local = Ruling { origin: Origin::Local, by: "local:root".to_owned(), ..ruling(Verdict::Approved) };
    gate.decide_approval(digest, local).await.unwrap();
    let _ = settled(&gate, "c1").await;
    assert!(gate.progress_to_send().await.unwrap().is_empty(), "the hub must have the approval first");
    assert_eq!(gate.approvals_to_send().await.unwrap().len(), 1, "decided or not, the hub hears of it");
    gate.approval_sent(digest).await.unwrap();
    assert!(gate.approvals_to_send().await.unwrap().is_empty());
    let step = gate.progress_to_send().await.unwrap().pop().unwrap();
    assert_eq!((step.state, step.decided_by.as_str()), (ApprovalState::Done, "local:root"));
    gate.progress_sent(digest, ApprovalState::Claimed).await.unwrap();
    assert_eq!(gate.progress_to_send().await.unwrap().len(), 1, "an older step is not this one");
    gate.progress_sent(digest, step.state).await.unwrap();
    assert!(gate.progress_to_send().await.unwrap().is_empty());
}

#[tokio::test]
async fn activity_tells_each_step_in_order_and_is_numbered_for_ever() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let digest = digest_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
    gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
    let _ = settled(&gate, "c1").await;
    let rows = gate.activity_after(0, 100).await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.number, row.outcome.as_str(), row.digest)).collect();
    assert_eq!(told, [(1, "pending", Some(digest)), (2, "approved", Some(digest)), (3, "done", Some(digest))]);
    drop(gate);
    let gate = world.next_gate().await;
    assert_eq!(gate.activity_head().await.unwrap(), 3);
    let _ = gate.before_tool_call(&office(), call("c2", "list_files", json!({"path": "."}))).await.unwrap();
    assert_eq!(gate.activity_after(3, 100).await.unwrap()[0].number, 4);
}

#[tokio::test]
async fn what_the_runtime_carries_out_is_allowed_after_approval_and_reported_back() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let message = || Outgoing {
        session: "s1".parse().unwrap(),
        call: "c1".parse().unwrap(),
        channel: "email".to_owned(),
        to: vec!["customer@example.com".to_owned()],
        text: format!("Our key is {SECRET}."),
        wait_ms: 0,
    };
    let asked = gate.message_sending(&office(), message()).await.unwrap();
    assert_eq!(asked.text, "Our key is SECRET_REF(token).");
    let Answer::Pending { digest: Some(digest), .. } = asked.answer else {
        // A reference in a message is for nobody: the policy may refuse it outright.
        assert!(matches!(asked.answer, Answer::Deny { .. }));
        return approve_a_clean_message(&gate).await;
    };
    gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
    approve_a_clean_message(&gate).await;
}

async fn approve_a_clean_message(gate: &Arc<Gate>) {
    let message = || Outgoing {
        session: "s1".parse().unwrap(),
        call: "m1".parse().unwrap(),
        channel: "email".to_owned(),
        to: vec!["customer@example.com".to_owned()],
        text: "Hello.".to_owned(),
        wait_ms: 0,
    };
    let asked = gate.message_sending(&office(), message()).await.unwrap();
    let digest = digest_of(&asked.answer);
    gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
    let allowed = settled(gate, "m1").await;
    let permit = permit_of(&allowed);
    assert!(matches!(gate.execute(&office(), permit).await, Err(GateError::NotRunnable(_))));
    assert_eq!(settled(gate, "m1").await, allowed, "asked again, the same permit");
    let after = AfterToolCall {
        session: "s1".parse().unwrap(),
        call: "m1".parse().unwrap(),
        output: format!("sent with {SECRET}"),
        is_error: false,
    };
    assert_eq!(gate.after_tool_call(&office(), after).await.unwrap(), "sent with SECRET_REF(token)");
    assert_eq!(result_of(&settled(gate, "m1").await).output, "sent with SECRET_REF(token)");
    assert_eq!(approval(gate, digest).await.state, ApprovalState::Done);
}

#[tokio::test]
async fn what_a_model_writes_comes_back_clean() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let output = LlmOutput {
        session: "s1".parse().unwrap(),
        text: format!("use {SECRET}"),
        tool_calls: vec![WantedCall { id: "c1".to_owned(), name: format!("shell {SECRET}") }],
    };
    assert_eq!(gate.llm_output(&office(), output).await.unwrap(), "use SECRET_REF(token)");
    assert_eq!(audit_kinds(&gate).await["calls-wanted"], 1);
    assert!(!world.state_holds_the_secret());
}
