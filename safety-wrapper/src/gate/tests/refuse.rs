//! What the gate refuses.

use wardkeep_policy::Closed;

use super::*;

#[tokio::test]
async fn a_key_is_never_used_for_two_calls() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    let first = gate.before_tool_call(&office(), counted("c1")).await.unwrap();
    let other = call("c1", "shell", json!({"command": "echo other >> ran"}));
    assert!(matches!(gate.before_tool_call(&office(), other).await, Err(GateError::Conflict(_))));
    assert_eq!(gate.before_tool_call(&office(), counted("c1")).await.unwrap(), first);
    assert_eq!(audit_kinds(&gate).await["call-conflict"], 1);
}

#[tokio::test]
async fn what_is_no_call_is_denied_and_recorded() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    for (id, tool, args) in [
        ("c1", "shell", json!({})),
        ("c2", "read_file", json!({"path": 7})),
        ("c3", "", json!({})),
        ("c4", "shell", json!("ls")),
        ("c5", "shell", json!({"command": "ls\u{0}rm"})),
    ] {
        let answer = gate.before_tool_call(&office(), call(id, tool, args.clone())).await.unwrap();
        assert!(matches!(answer, Answer::Deny { .. }), "{tool} {args}: {answer:?}");
        assert_eq!(gate.before_tool_call(&office(), call(id, tool, args)).await.unwrap(), answer);
    }
    assert_eq!(audit_kinds(&gate).await["call-denied"], 5);
}

#[tokio::test]
async fn what_is_too_long_to_be_read_is_not_asked() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let write = |id: &str, bytes: usize| call(id, "write_file", json!({"path": "a", "content": "x".repeat(bytes)}));
    let long = gate.before_tool_call(&office(), write("c1", 600 * 1024)).await.unwrap();
    assert!(reasons_of(&long).contains("too long to be shown"), "{long:?}");
    assert!(gate.before_tool_call(&office(), write("c2", 100 * 1024)).await.unwrap().is_pending());
    assert_eq!(gate.approvals_to_send().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_script_that_is_swapped_while_a_person_reads_does_not_run() {
    for change in ["echo swapped >> ran", "echo run >> ran"] {
        let world = World::new(Level::Supervised);
        let gate = world.gate();
        fs::write(world.ws().join("job.sh"), "echo run >> ran").unwrap();
        let digest = digest_of(
            &gate.before_tool_call(&office(), call("c1", "shell", json!({"command": "bash job.sh"}))).await.unwrap(),
        );
        fs::write(world.ws().join("job.sh"), change).unwrap();
        gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
        let answer = settled(&gate, "c1").await;
        if change == "echo run >> ran" {
            assert_eq!((result_of(&answer).status, world.runs()), (RunStatus::Ok, 1), "{answer:?}");
        } else {
            assert!(reasons_of(&answer).contains("has changed"), "{answer:?}");
            assert!(!world.ws().join("ran").exists());
        }
    }
}

#[tokio::test]
async fn a_secret_in_a_name_is_refused_before_anything_is_stored() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    let named = call(SECRET, "list_files", json!({"path": "."}));
    let answer = gate.before_tool_call(&office(), named).await;
    assert!(matches!(&answer, Err(GateError::Invalid(why)) if !why.contains(SECRET)), "{answer:?}");
    assert!(gate.activity_after(0, 10).await.unwrap().is_empty());
    assert!(audit_kinds(&gate).await.is_empty());
}

#[tokio::test]
async fn an_agent_that_the_policy_does_not_know_may_do_nothing() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let stranger = "stranger".parse().unwrap();
    let answer = gate.before_tool_call(&stranger, call("c1", "read_file", json!({"path": "a"}))).await.unwrap();
    assert!(matches!(answer, Answer::Deny { .. }), "{answer:?}");
}

#[tokio::test]
async fn another_agents_calls_and_permits_do_not_exist() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    let permit = permit_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
    let stranger = "stranger".parse().unwrap();
    assert!(matches!(gate.execute(&stranger, permit).await, Err(GateError::UnknownPermit)));
    let (session, id) = ("s1".parse().unwrap(), "c1".parse().unwrap());
    let status = gate.call_status(&stranger, &session, &id, Duration::ZERO).await;
    assert!(matches!(status, Err(GateError::UnknownCall)));
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn a_permit_that_waits_too_long_is_worth_nothing() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    let permit = permit_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
    world.later(Duration::from_secs(15 * 60));
    assert!(matches!(gate.execute(&office(), permit).await, Err(GateError::NotRunnable(_))));
    assert_eq!(world.runs(), 0);
    assert!(reasons_of(&settled(&gate, "c1").await).contains("not started in time"));
}

#[tokio::test]
async fn an_approval_ends_after_a_day() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let digest = digest_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
    world.later(Duration::from_secs(24 * 60 * 60));
    let late = gate.decide_approval(digest, ruling(Verdict::Approved)).await;
    assert!(matches!(late, Err(RulingError::Late(_))), "{late:?}");
    assert_eq!(approval(&gate, digest).await.state, ApprovalState::Expired);
    assert!(matches!(gate.decide_approval(digest, ruling(Verdict::Approved)).await, Err(RulingError::Late(_))));
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn the_first_decision_counts() {
    for (first, second) in [(Verdict::Denied, Verdict::Approved), (Verdict::Approved, Verdict::Denied)] {
        let world = World::new(Level::Supervised);
        let gate = world.gate();
        let digest = digest_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
        gate.decide_approval(digest, ruling(first)).await.unwrap();
        // The hub repeats what it has no receipt for.
        gate.decide_approval(digest, ruling(first)).await.unwrap();
        let again = gate.decide_approval(digest, ruling(second)).await;
        assert!(matches!(again, Err(RulingError::AlreadyDecided(_))), "{again:?}");
        let other = Ruling { by: "eve@example.com".to_owned(), ..ruling(first) };
        assert!(matches!(gate.decide_approval(digest, other).await, Err(RulingError::AlreadyDecided(_))));
        let _ = settled(&gate, "c1").await;
        assert_eq!(world.runs(), usize::from(first == Verdict::Approved));
    }
}

#[tokio::test]
async fn an_unknown_digest_decides_nothing() {
    let world = World::new(Level::Supervised);
    let unknown = world.gate().decide_approval(Digest([9; 32]), ruling(Verdict::Approved)).await;
    assert!(matches!(unknown, Err(RulingError::Unknown(_))), "{unknown:?}");
}

#[tokio::test]
async fn what_is_critical_needs_a_passkey_whoever_says_yes() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let wipe = call("c1", "shell", json!({"command": "rm -rf --no-preserve-root /"}));
    let answer = gate.before_tool_call(&office(), wipe).await.unwrap();
    let digest = digest_of(&answer);
    assert_eq!(approval(&gate, digest).await.class, Class::CriticalRed);
    for origin in [Origin::Hub, Origin::Local] {
        let ruled = gate.decide_approval(digest, Ruling { origin, ..ruling(Verdict::Approved) }).await;
        assert!(matches!(ruled, Err(RulingError::NeedsPasskey)), "{ruled:?}");
    }
    assert_eq!(approval(&gate, digest).await.state, ApprovalState::Pending);
    gate.decide_approval(digest, ruling(Verdict::Denied)).await.unwrap();
    assert_eq!(audit_kinds(&gate).await["ruling-without-passkey"], 2);
}

#[tokio::test]
async fn a_denial_is_remembered_for_the_session_and_not_longer() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let digest = digest_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
    let no = Ruling { note: format!("not like this, {SECRET}"), ..ruling(Verdict::Denied) };
    gate.decide_approval(digest, no).await.unwrap();
    let told = reasons_of(&settled(&gate, "c1").await);
    assert_eq!(told, "ada@example.com denied it: not like this, SECRET_REF(token)");
    let again = gate.before_tool_call(&office(), counted("c2")).await.unwrap();
    assert!(reasons_of(&again).contains("nobody is asked again"), "{again:?}");
    // Also when the policy has become milder meanwhile.
    world.publish(2, Level::Autonomous);
    let milder = gate.before_tool_call(&office(), counted("c3")).await.unwrap();
    assert!(reasons_of(&milder).contains("nobody is asked again"), "{milder:?}");
    world.publish(3, Level::Supervised);
    let elsewhere = Proposal { session: "s2".parse().unwrap(), ..counted("c1") };
    assert!(gate.before_tool_call(&office(), elsewhere).await.unwrap().is_pending());
}

#[tokio::test]
async fn too_many_denials_pause_the_agent_until_it_is_resumed() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    for number in 0..5 {
        let id = format!("c{number}");
        assert!(gate.holds().is_empty(), "{number}");
        let proposal = call(&id, "write_file", json!({"path": id, "content": "x"}));
        let digest = digest_of(&gate.before_tool_call(&office(), proposal).await.unwrap());
        gate.decide_approval(digest, ruling(Verdict::Denied)).await.unwrap();
    }
    assert_eq!(gate.holds().len(), 1);
    let refused = gate.before_tool_call(&office(), counted("c9")).await.unwrap();
    assert!(reasons_of(&refused).contains("paused"), "{refused:?}");
    drop(gate);
    let gate = world.next_gate().await;
    assert_eq!(gate.holds()[0].reason, "5 denials within 10 minutes");
    gate.resume(order(Holder::Local, "they were asked")).await.unwrap();
    assert!(gate.before_tool_call(&office(), counted("c10")).await.unwrap().is_pending());
    let kinds = audit_kinds(&gate).await;
    assert_eq!((kinds["agent-paused"], kinds["agent-resumed"]), (1, 1));
}

#[tokio::test]
async fn denials_long_ago_pause_nobody() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    for number in 0..8 {
        let id = format!("c{number}");
        let proposal = call(&id, "write_file", json!({"path": id, "content": "x"}));
        let digest = digest_of(&gate.before_tool_call(&office(), proposal).await.unwrap());
        gate.decide_approval(digest, ruling(Verdict::Denied)).await.unwrap();
        world.later(Duration::from_secs(151));
    }
    assert!(gate.holds().is_empty());
}

#[tokio::test]
async fn a_stricter_policy_voids_what_was_allowed() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    let permit = permit_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
    world.publish(2, Level::Supervised);
    assert!(matches!(gate.execute(&office(), permit).await, Err(GateError::NotRunnable(_))));
    world.publish(3, Level::Trusted);
    assert!(matches!(gate.execute(&office(), permit).await, Err(GateError::NotRunnable(_))));
    assert!(reasons_of(&settled(&gate, "c1").await).contains("differently"));
    assert_eq!(world.runs(), 0);
}

/// Changes rows behind the gate's back between approval and launch.
async fn tampered(change: &'static str) -> (Answer, usize) {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let digest = digest_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
    // Closed for the moment, so that the approved call is held until the rows are changed.
    world.posture.close(Closed::VaultLocked);
    gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
    // The launch that this began looks at the call, finds the machine closed and lets go; only then the rows change.
    tokio::task::yield_now().await;
    while !gate.launching().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    gate.write(move |tx| Ok(tx.execute_batch(change)?)).await.unwrap();
    world.posture.reopen(Closed::VaultLocked);
    gate.sweep().await.unwrap();
    (settled(&gate, "c1").await, world.runs())
}

#[tokio::test]
async fn what_was_approved_is_what_runs() {
    for change in [
        "UPDATE calls SET action = CAST(replace(CAST(action AS TEXT), 'echo run', 'echo bad') AS BLOB)",
        "UPDATE calls SET action = NULL",
        "UPDATE approvals SET document = CAST(replace(CAST(document AS TEXT), 'echo run', 'echo mild') AS BLOB)",
        "DELETE FROM approvals",
    ] {
        let (answer, runs) = tampered(change).await;
        assert!(reasons_of(&answer).contains("not the one that was decided on"), "{change}: {answer:?}");
        assert_eq!(runs, 0, "{change}");
    }
    let (answer, runs) = tampered("SELECT 1 WHERE FALSE").await;
    assert_eq!((result_of(&answer).status, runs), (RunStatus::Ok, 1));
}

#[tokio::test]
async fn an_approved_call_waits_while_the_machine_is_closed_and_not_for_ever() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let digest = digest_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
    world.posture.close(Closed::BundleRefused);
    gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
    gate.sweep().await.unwrap();
    assert_eq!(approval(&gate, digest).await.state, ApprovalState::Approved);
    world.later(Duration::from_secs(15 * 60));
    gate.sweep().await.unwrap();
    assert_eq!(approval(&gate, digest).await.state, ApprovalState::Expired);
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn each_closed_state_stops_changes_and_names_itself() {
    for closed in Closed::ALL {
        let world = World::new(Level::Autonomous);
        let gate = world.gate();
        world.posture.close(*closed);
        let answer = gate.before_tool_call(&office(), counted("c1")).await.unwrap();
        match closed {
            Closed::HubAway => assert!(answer.is_pending(), "{answer:?}"),
            _ => assert!(reasons_of(&answer).contains(closed.as_str()), "{answer:?}"),
        }
        let read = gate.before_tool_call(&office(), call("c2", "list_files", json!({"path": "."}))).await.unwrap();
        if matches!(closed, Closed::VaultUnread | Closed::Stopped) {
            assert!(reasons_of(&read).contains(closed.as_str()), "{read:?}");
        } else {
            assert!(matches!(read, Answer::Allow { class: Class::Green, .. }), "{closed}: {read:?}");
        }
    }
}

#[tokio::test]
async fn on_a_full_disk_nothing_runs_and_nothing_is_lost() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let digest = digest_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
    gate.store.limit_pages(0);
    let big = call("c2", "write_file", json!({"path": "a", "content": "x".repeat(100_000)}));
    let refused = gate.before_tool_call(&office(), big).await;
    assert!(matches!(refused, Err(GateError::Closed(Closed::DiskFull))), "{refused:?}");
    assert!(world.posture.read().has(Closed::DiskFull));
    assert_eq!(approval(&gate, digest).await.state, ApprovalState::Pending);
    gate.store.limit_pages(1_000_000);
    // The first thing that can be recorded opens the gate again.
    gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
    assert!(world.posture.read().is_open());
    gate.sweep().await.unwrap();
    assert_eq!(result_of(&settled(&gate, "c1").await).status, RunStatus::Ok);
    assert_eq!(world.runs(), 1);
}

/// A refusal that cannot be recorded either is no sign of space.
#[tokio::test]
async fn a_full_disk_stays_closed_until_something_is_written() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    gate.store.limit_pages(0);
    let mut failed = false;
    for number in 0..500 {
        let mut moves = world.posture.changes();
        moves.mark_unchanged();
        let big = json!({"path": "a", "content": "x".repeat(100_000)});
        let answer = gate.before_tool_call(&office(), call(&format!("c{number}"), "write_file", big)).await;
        if answer.is_err() && failed {
            assert!(!moves.has_changed().unwrap(), "{answer:?}");
            return;
        }
        failed = answer.is_err();
    }
    panic!("the disk was never full");
}

#[tokio::test]
async fn a_workspace_around_the_daemons_files_runs_nothing() {
    let world = World::new(Level::Autonomous);
    let mut bundle = Bundle::clone(&world.bundle.borrow());
    for workspace in
        [world.root.path().to_owned(), PathBuf::from("/"), world.state(), world.state().join("runs"), PathBuf::new()]
    {
        bundle.agents[0].workspace = workspace.display().to_string();
        world.bundle.send_replace(Arc::new(bundle.clone()));
        let gate = world.next_gate().await;
        let id = format!("c{}", workspace.display().to_string().len());
        let proposal = call(&id, "list_files", json!({"path": "."}));
        let permit = permit_of(&gate.before_tool_call(&office(), proposal).await.unwrap());
        let result = gate.execute(&office(), permit).await.unwrap().result;
        assert_eq!(result.status, RunStatus::Failed, "{}: {result:?}", workspace.display());
        assert!(result.output.contains("workspace"), "{}", result.output);
    }
}

#[tokio::test]
async fn results_without_a_decision_are_a_bypass() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let after = |id: &str| AfterToolCall {
        session: "s1".parse().unwrap(),
        call: id.parse().unwrap(),
        output: "done".to_owned(),
        is_error: false,
    };
    assert!(matches!(gate.after_tool_call(&office(), after("c1")).await, Err(GateError::UnknownCall)));
    let _ = gate.before_tool_call(&office(), counted("c1")).await.unwrap();
    assert!(matches!(gate.after_tool_call(&office(), after("c1")).await, Err(GateError::NotRunnable(_))));
    let kinds = audit_kinds(&gate).await;
    assert_eq!((kinds["result-without-call"], kinds["result-of-refused-call"]), (1, 1));
}

#[tokio::test]
async fn two_daemons_do_not_share_a_gate() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    assert!(matches!(world.try_gate(Arc::new(NoWaypoints)), Err(OpenError::InUse(_))));
    drop(gate);
    world.next_gate().await;
}
