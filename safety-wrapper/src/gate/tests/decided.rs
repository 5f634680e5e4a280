//! What the gate says of its decisions, and what it records of results that came past it.

use super::*;
use crate::PassedBy;

fn ids(ids: &[&str]) -> Vec<Option<CallId>> {
    ids.iter().map(|id| id.parse().ok()).collect()
}

#[tokio::test]
async fn every_call_that_was_put_before_the_gate_is_decided_and_no_other() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    // Allowed, denied, waiting, and one that is no call at all.
    for (id, tool, args) in [
        ("allowed", "read_file", json!({"path": "a"})),
        ("denied", "shell", json!({"command": format!("echo {SECRET}")})),
        ("waits", "shell", json!({"command": "mkdir x"})),
        ("joined|fc_1", "exec", json!({})),
    ] {
        let _ = gate.before_tool_call(&office(), call(id, tool, args)).await.unwrap();
    }
    world.later(Duration::from_secs(60));
    let _ = gate.before_tool_call(&office(), call("late", "read_file", json!({"path": "b"}))).await.unwrap();
    let wanted =
        ["allowed", "denied", "waits", "joined", "joined|fc_1", "late", "never", "allow", "joined|fc", "not an id"];
    let decided = gate.decided(&office(), ids(&wanted)).await.unwrap();
    let start = Some(Timestamp(START));
    let late = Some(Timestamp(START + 60_000));
    assert_eq!(decided, [start, start, start, start, start, late, None, None, None, None]);
    // As OpenClaw hands them in; the other way round is another call.
    let plain = gate.decided(&office(), ids(&["joinedfc1", "joinedfc", "wa-its"])).await.unwrap();
    assert_eq!(plain, [start, None, None]);
    let other: AgentName = "other".parse().unwrap();
    assert_eq!(gate.decided(&other, ids(&wanted)).await.unwrap(), [None; 10]);
    assert_eq!(gate.decided_for(&office(), "READ_FILE").await.unwrap(), 2);
    assert_eq!(gate.decided_for(&other, "read_file").await.unwrap(), 0);
    drop(gate);
    let gate = world.next_gate().await;
    assert_eq!(gate.decided(&office(), ids(&["waits"])).await.unwrap(), [start], "a restart forgets none");
}

#[tokio::test]
async fn results_past_the_gate_are_told_without_secrets() {
    let world = World::new(Level::Autonomous);
    // The secret was stored a moment ago.
    world.unlearn();
    let gate = world.gate();
    let passed = |count, refused| PassedBy {
        agent: office(),
        session: "s1".parse().ok(),
        request: "wk-1".to_owned(),
        refused,
        results: vec![(format!("call_{SECRET}"), "undecided")],
        count,
    };
    gate.tell_passed_by(passed(1, true)).await.unwrap();
    gate.tell_passed_by(passed(3, false)).await.unwrap();
    let rows = gate.audit_after(0, 100).await.unwrap();
    let told: Vec<_> = rows.iter().filter(|row| row.kind == "results-past-the-gate").collect();
    assert_eq!(told.len(), 2);
    for part in [r#""agent":"office""#, r#""refused":true"#, r#""why":"undecided""#, "SECRET_REF(", r#""session":"s1""#]
    {
        assert!(told[0].fields.contains(part), "{part}: {}", told[0].fields);
    }
    let lines = gate.activity_after(0, 10).await.unwrap();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].summary.contains("past the gate (1); the request was refused"), "{}", lines[0].summary);
    assert!(lines[1].summary.contains("past the gate (3); the model was told all the same"), "{}", lines[1].summary);
    assert!(!world.state_holds_the_secret());
    drop(gate);
    audit::verify_folder(&world.state()).unwrap();
}
