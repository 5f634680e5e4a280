//! Standing permissions: exactly what they name, no oftener than they say, until somebody takes them back.

use super::*;

fn counted_grant(uses: u32) -> Grant {
    let words = ["git", "push", "origin", "main"].map(str::to_owned).to_vec();
    Grant { tool: "shell".into(), commands: vec![words], uses: Some(uses), ..Grant::default() }
}

fn push(id: &str) -> Proposal {
    call(id, "shell", json!({"command": "git push origin main"}))
}

fn world(uses: u32) -> World {
    let world = World::new(Level::Supervised);
    world.publish_with(2, Level::Supervised, vec![counted_grant(uses)], Asking::default());
    world
}

async fn allowed(gate: &Arc<Gate>, id: &str) -> bool {
    match gate.before_tool_call(&office(), push(id)).await.unwrap() {
        Answer::Allow { .. } => true,
        Answer::Pending { .. } => false,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_grant_is_used_no_oftener_than_it_says_over_restarts_and_new_policies() {
    let world = world(3);
    let gate = world.gate();
    assert!(allowed(&gate, "c1").await);
    // The same call again is no second use.
    assert!(allowed(&gate, "c1").await);
    drop(gate);
    let gate = world.next_gate().await;
    assert!(allowed(&gate, "c2").await);
    assert_eq!(gate.grants().await.unwrap()[0].left, Some(1));
    // A policy that says the same, and one with another count, name the same grant.
    world.publish_with(3, Level::Supervised, vec![counted_grant(3)], Asking::default());
    assert!(allowed(&gate, "c3").await);
    assert!(!allowed(&gate, "c4").await);
    world.publish_with(4, Level::Supervised, vec![counted_grant(4)], Asking::default());
    assert!(allowed(&gate, "c5").await);
    let known = gate.grants().await.unwrap().remove(0);
    assert_eq!((known.used, known.left, known.live), (4, Some(0), false));
    assert_eq!(audit_kinds(&gate).await["grant-used"], 4);
}

/// Another grant whose name begins with the same eight signs would take chance; names without eight are those of all.
#[tokio::test]
async fn a_grant_that_stands_there_twice_is_taken_back_once_and_others_stay() {
    let world = World::new(Level::Supervised);
    let other = Grant { commands: vec![vec!["git".to_owned(), "fetch".to_owned()]], ..counted_grant(5) };
    let grants = vec![counted_grant(5), counted_grant(50), other];
    world.publish_with(2, Level::Supervised, grants, Asking::default());
    let gate = world.gate();
    let known = gate.grants().await.unwrap();
    let (first, second, third) = (known[0].id, known[1].id, known[2].id);
    assert!(first == second && first != third, "the count is no part of the name");
    assert!(allowed(&gate, "c1").await);
    for id in ["", &first.to_string()[..7], "0000000000000000"] {
        let refused = gate.revoke_grant(id, "local:uid-0").await;
        assert!(matches!(refused, Err(RevokeError::Unknown)), "{id}: {refused:?}");
    }
    assert!(gate.revoke_grant(&first.to_string()[..8], "local:uid-0").await.unwrap().revoked);
    let states: Vec<_> = gate.grants().await.unwrap().iter().map(|known| (known.revoked, known.live)).collect();
    assert_eq!(states, [(true, false), (true, false), (false, true)]);
    assert!(!allowed(&gate, "c2").await, "neither of the two lets it pass");
    assert!(gate.revoke_grant(&first.to_string(), "local:uid-0").await.unwrap().revoked);
    assert_eq!(audit_kinds(&gate).await["grant-revoked"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_the_same_time_never_use_it_oftener() {
    for round in 0..4 {
        let world = world(5);
        let gate = world.gate();
        let calls = (0..24).map(|at| {
            let gate = Arc::clone(&gate);
            // Each from a session of its own, so that none is folded into another.
            let session = format!("s{at}").parse().unwrap();
            let proposal = Proposal { session, ..push(&format!("c{at}")) };
            tokio::spawn(async move { gate.before_tool_call(&office(), proposal).await.unwrap() })
        });
        let mut allowed = 0;
        for answer in calls.collect::<Vec<_>>() {
            match answer.await.unwrap() {
                Answer::Allow { .. } => allowed += 1,
                answer => assert!(answer.is_pending(), "{answer:?}"),
            }
        }
        assert_eq!(allowed, 5, "round {round}");
        assert_eq!(gate.grants().await.unwrap()[0].used, 5);
    }
}

#[tokio::test]
async fn wherever_the_daemon_dies_a_use_is_counted_with_its_permit_or_not_at_all() {
    for at in [Waypoint::HookReceived, Waypoint::CallRecorded] {
        let world = world(2);
        let gate = world.try_gate(Arc::new(DieAt { at, dead: AtomicBool::new(false) })).unwrap();
        let dying = Arc::clone(&gate);
        let died = tokio::spawn(async move { dying.before_tool_call(&office(), push("c1")).await }).await;
        assert!(died.is_err());
        drop(gate);
        let gate = world.next_gate().await;
        let used = u32::from(at == Waypoint::CallRecorded);
        assert_eq!(gate.grants().await.unwrap()[0].used, used, "{at:?}");
        // The call that was recorded is told its permit again, and no use is lost.
        assert!(allowed(&gate, "c1").await);
        assert!(allowed(&gate, "c2").await);
        assert!(!allowed(&gate, "c3").await);
    }
}

#[tokio::test]
async fn what_a_grant_let_pass_runs_only_while_it_stands() {
    let world = World::new(Level::Supervised);
    let words = ["mkdir", "ran"].map(str::to_owned).to_vec();
    let grant = Grant { tool: "shell".into(), commands: vec![words], uses: Some(2), ..Grant::default() };
    world.publish_with(2, Level::Supervised, vec![grant], Asking::default());
    let gate = world.gate();
    let propose = |id: &str| call(id, "shell", json!({"command": "mkdir ran"}));
    let first = permit_of(&gate.before_tool_call(&office(), propose("c1")).await.unwrap());
    let second = permit_of(&gate.before_tool_call(&office(), propose("c2")).await.unwrap());
    // Its own use counts for it, though the grant has none left.
    assert_eq!(gate.execute(&office(), first).await.unwrap().result.status, RunStatus::Ok);
    let id = gate.grants().await.unwrap()[0].id.to_string();
    for wrong in ["", &id[..7], "0123456789"] {
        assert!(matches!(gate.revoke_grant(wrong, "local:uid-0").await, Err(RevokeError::Unknown)), "{wrong}");
    }
    assert!(gate.revoke_grant(&id[..8], "local:uid-0").await.unwrap().revoked);
    assert!(matches!(gate.execute(&office(), second).await, Err(GateError::NotRunnable(_))));
    assert!(gate.before_tool_call(&office(), propose("c3")).await.unwrap().is_pending());
    // For good, whatever a later policy says, and on record once.
    world.publish(3, Level::Supervised);
    assert!(gate.grants().await.unwrap().is_empty());
    let words = ["mkdir", "ran"].map(str::to_owned).to_vec();
    let again = Grant { tool: "shell".into(), commands: vec![words], uses: Some(90), ..Grant::default() };
    world.publish_with(4, Level::Supervised, vec![again], Asking::default());
    gate.revoke_grant(&id, "local:uid-0").await.unwrap();
    assert!(gate.before_tool_call(&office(), propose("c4")).await.unwrap().is_pending());
    assert_eq!(audit_kinds(&gate).await["grant-revoked"], 1);
}

/// gating.md, section 7: never for what is Red, whoever says so.
#[tokio::test]
async fn no_grant_lets_pass_what_is_red() {
    let world = World::new(Level::Supervised);
    let named = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let texts = ["rm -rf folder", "git push -f origin main", "rm -rf /", "bash job.sh"];
    let grant = Grant { tool: "shell".into(), commands: texts.map(named).to_vec(), ..Grant::default() };
    world.publish_with(2, Level::Supervised, vec![grant], Asking::default());
    let gate = world.gate();
    for (at, text) in texts.into_iter().enumerate() {
        let answer = gate.before_tool_call(&office(), call(&format!("c{at}"), "shell", json!({"command": text}))).await;
        assert!(answer.unwrap().is_pending(), "{text}");
    }
    assert_eq!(gate.grants().await.unwrap()[0].used, 0);
}
