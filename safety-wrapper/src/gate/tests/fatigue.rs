//! Asking people without end: they say yes in the end.

use super::*;

async fn ask(gate: &Arc<Gate>, number: usize) -> Answer {
    let write = json!({"command": format!("mkdir folder{number}")});
    gate.before_tool_call(&office(), call(&format!("q{number}"), "shell", write)).await.unwrap()
}

async fn notices(gate: &Gate) -> usize {
    let rows = gate.activity_after(0, 1000).await.unwrap();
    rows.iter().filter(|row| row.summary.contains("wants to ask too much")).count()
}

#[tokio::test]
async fn no_more_questions_wait_than_the_policy_says() {
    let world = World::new(Level::Supervised);
    world.publish_with(2, Level::Supervised, Vec::new(), Asking { waiting: 3, hourly: 100 });
    let gate = world.gate();
    let mut asked = Vec::new();
    for number in 0..3 {
        asked.push(digest_of(&ask(&gate, number).await));
    }
    for number in 3..6 {
        assert!(reasons_of(&ask(&gate, number).await).contains("3 questions about this agent wait"), "{number}");
    }
    assert_eq!(gate.approvals_to_send().await.unwrap().len(), 3);
    // The same call waits already and is no new question, and what needs nobody runs.
    let again = call("again", "shell", json!({"command": "mkdir folder0"}));
    assert!(gate.before_tool_call(&office(), again).await.unwrap().is_pending());
    permit_of(&gate.before_tool_call(&office(), call("r", "shell", json!({"command": "ls"}))).await.unwrap());
    // People heard of it once.
    assert_eq!((notices(&gate).await, audit_kinds(&gate).await["asking-limit"]), (1, 1));
    // An answer makes room for one.
    gate.decide_approval(asked[0], ruling(Verdict::Denied)).await.unwrap();
    assert!(ask(&gate, 6).await.is_pending());
    assert!(matches!(ask(&gate, 7).await, Answer::Deny { .. }));
}

#[tokio::test]
async fn people_are_not_asked_more_often_in_an_hour_than_the_policy_says() {
    let world = World::new(Level::Supervised);
    world.publish_with(2, Level::Supervised, Vec::new(), Asking { waiting: 100, hourly: 4 });
    let gate = world.gate();
    for number in 0..4 {
        let digest = digest_of(&ask(&gate, number).await);
        gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
        assert_eq!(result_of(&settled(&gate, &format!("q{number}")).await).status, RunStatus::Ok);
    }
    assert!(reasons_of(&ask(&gate, 4).await).contains("asked 4 times"));
    // The next daemon knows it, too.
    drop(gate);
    let gate = world.next_gate().await;
    assert!(matches!(ask(&gate, 5).await, Answer::Deny { .. }));
    world.later(Duration::from_secs(60 * 60));
    assert!(ask(&gate, 6).await.is_pending());
    assert_eq!(notices(&gate).await, 1);
    // Told again when it happens again.
    for number in 7..11 {
        drop(ask(&gate, number).await);
    }
    assert_eq!(notices(&gate).await, 2);
}
