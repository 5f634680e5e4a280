//! The kill switch: what it ends, what it keeps from beginning, and that it outlives everything.

use super::*;
use crate::call::CallState;

/// Writes for ever, by a child, by a grandchild whose parent has gone, and by one that left group and session.
const TREE: &str = "echo run >> ran; for n in 1 2 3; do sleep 1000 & done; (setsid sleep 1000 &); (sleep 1000 &); echo up > up; sleep 1000";

fn endless(id: &str) -> Proposal {
    call(id, "shell", json!({ "command": TREE }))
}

/// Processes that work in the workspace: those of runs, and nothing else.
fn alive(world: &World) -> usize {
    let ws = fs::canonicalize(world.ws()).unwrap();
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == ws)).count()
}

/// The permit of a call that runs until it is ended.
async fn running(world: &World, gate: &Arc<Gate>) -> PermitId {
    let permit = permit_of(&gate.before_tool_call(&office(), endless("endless")).await.unwrap());
    let gate = Arc::clone(gate);
    tokio::spawn(async move { gate.execute(&office(), permit).await });
    while !world.ws().join("up").exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(alive(world) >= 6, "{}", alive(world));
    permit
}

async fn state_of(gate: &Gate, permit: PermitId) -> CallState {
    gate.read(move |conn| crate::store::calls::by_permit(conn, permit)).await.unwrap().unwrap().state
}

#[tokio::test]
async fn a_stop_leaves_no_process_and_says_what_became_of_the_call() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    running(&world, &gate).await;
    let moved = gate.halt(order(Holder::Local, "it writes letters"), Standing::Stopped).await.unwrap();
    assert_eq!((alive(&world), moved.lingering, moved.standing), (0, 0, Standing::Stopped));
    let answer = settled(&gate, "endless").await;
    let result = result_of(&answer);
    assert!(result.status == RunStatus::Interrupted && result.output.contains("stopped"), "{result:?}");
    let kinds = audit_kinds(&gate).await;
    assert_eq!((kinds["agent-stopped"], kinds["call-interrupted"]), (1, 1));
}

#[tokio::test]
async fn a_stop_ends_what_waits_and_what_was_allowed_and_refuses_even_reads() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    let read = |id: &str| call(id, "list_files", json!({"path": "."}));
    let permit = permit_of(&gate.before_tool_call(&office(), read("allowed")).await.unwrap());
    let asked =
        gate.before_tool_call(&office(), call("asked", "shell", json!({"command": "rm -rf ran"}))).await.unwrap();
    let digest = digest_of(&asked);
    let moved = gate.halt(order(Holder::Hub, "enough"), Standing::Stopped).await.unwrap();
    assert_eq!(moved.ended, 2);
    assert!(
        matches!(gate.execute(&office(), permit).await, Err(GateError::NotRunnable(why)) if why.contains("enough"))
    );
    assert!(gate.decide_approval(digest, ruling(Verdict::Approved)).await.is_err());
    assert!(reasons_of(&settled(&gate, "asked").await).contains("stopped by ada@example.com: enough"));
    assert!(reasons_of(&gate.before_tool_call(&office(), read("later")).await.unwrap()).contains("stopped"));
    // What was recorded under its id before it was stopped is not given out any more either.
    assert!(matches!(gate.before_tool_call(&office(), read("allowed")).await.unwrap(), Answer::Deny { .. }));
    gate.resume(order(Holder::Hub, "it was a mistake")).await.unwrap();
    assert!(matches!(gate.before_tool_call(&office(), read("after")).await.unwrap(), Answer::Allow { .. }));
}

#[tokio::test]
async fn an_agent_that_is_stopped_leaves_the_others_alone_but_all_are_all() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let office_leash = gate.leash(&office());
    let (other, stranger): (AgentName, AgentName) = ("other".parse().unwrap(), "stranger".parse().unwrap());
    let other_leash = gate.leash(&other);
    drop(office_leash.held);
    gate.halt(order(Holder::Local, "x"), Standing::Stopped).await.unwrap();
    assert!(office_leash.cut.is_cancelled() && !other_leash.cut.is_cancelled());
    assert!(gate.leash(&office()).cut.is_cancelled(), "what comes later is cut at once");
    drop(other_leash.held);
    let all = Order { whom: Whom::All, ..order(Holder::Local, "everything") };
    gate.halt(all.clone(), Standing::Stopped).await.unwrap();
    assert!(other_leash.cut.is_cancelled() && gate.leash(&stranger).cut.is_cancelled());
    assert!(gate.posture().read().has(Closed::Stopped), "the machine says so");
    let moved = gate.resume(all).await.unwrap();
    // Resuming all takes back what was said of all, not what was said of one.
    assert_eq!((gate.standing(&office()), gate.standing(&other)), (Standing::Stopped, Standing::Free));
    assert_eq!(moved.held.len(), 1);
    assert!(!gate.posture().read().has(Closed::Stopped) && !gate.leash(&other).cut.is_cancelled());
}

/// Against the agent: nothing of it moves its own standing. Against the hub: it lets go of nothing that is held here.
#[tokio::test]
async fn the_hub_does_not_let_go_what_a_person_here_holds() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    gate.halt(order(Holder::Local, "mine"), Standing::Stopped).await.unwrap();
    for attempt in [order(Holder::Hub, "please"), order(Holder::Hub, "it is fine now")] {
        let moved = gate.resume(attempt).await.unwrap();
        assert_eq!((moved.standing, moved.changed), (Standing::Stopped, false), "{moved:?}");
        assert_eq!(moved.held[0].holder, Holder::Local);
    }
    let moved = gate.halt(order(Holder::Hub, "a pause is no way down"), Standing::Paused).await.unwrap();
    assert_eq!(moved.standing, Standing::Stopped);
    assert!(matches!(gate.resume(order(Holder::Gate, "x")).await, Err(GateError::Invalid(_))));
    assert!(matches!(gate.resume(order(Holder::Local, "  ")).await, Err(GateError::Invalid(_))), "a reason");
    assert!(matches!(gate.halt(order(Holder::Gate, "x"), Standing::Stopped).await, Err(GateError::Invalid(_))));
    gate.resume(order(Holder::Local, "looked at it")).await.unwrap();
    assert_eq!(gate.standing(&office()), Standing::Free);
    let rows = gate.audit_after(0, 100).await.unwrap();
    let resumed = rows.iter().find(|row| row.kind == "agent-resumed").unwrap();
    assert!(resumed.fields.contains("looked at it") && resumed.fields.contains("local"), "{}", resumed.fields);
}

/// Many calls at once, a stop in their midst: by the order of the log itself nothing begins after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_nothing_begins_after_it_is_acknowledged() {
    for to in [Standing::Paused, Standing::Stopped] {
        let world = World::new(Level::Autonomous);
        let gate = world.gate();
        let mut load = tokio::task::JoinSet::new();
        for worker in 0..12 {
            let gate = Arc::clone(&gate);
            load.spawn(async move {
                for round in 0..40 {
                    let Ok(answer) = gate.before_tool_call(&office(), counted(&format!("c{worker}.{round}"))).await
                    else {
                        return;
                    };
                    let Answer::Allow { permit, .. } = answer else { return };
                    let _ = gate.execute(&office(), permit).await;
                }
            });
        }
        while world.runs() < 5 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let moved = gate.halt(order(Holder::Local, "now"), to).await.unwrap();
        let (ran, working) = (world.runs(), alive(&world));
        if to == Standing::Stopped {
            assert_eq!((moved.lingering, working), (0, 0));
        }
        while load.join_next().await.is_some() {}
        let rows = gate.audit_after(0, 10_000).await.unwrap();
        let halted = rows.iter().position(|row| row.kind.starts_with("agent-")).unwrap();
        let later: Vec<_> = rows[halted..].iter().map(|row| row.kind.as_str()).collect();
        for begun in ["call-claimed", "call-permitted", "call-pending", "call-approved"] {
            assert!(!later.contains(&begun), "{to}: {later:?}");
        }
        if to == Standing::Stopped {
            assert_eq!(world.runs(), ran, "a program ran after the acknowledgement");
        }
    }
}

#[test]
fn it_is_in_force_after_a_restart_and_ends_what_an_earlier_daemon_started() {
    let world = World::new(Level::Autonomous);
    let life = tokio::runtime::Runtime::new().unwrap();
    let permit = life.block_on(async {
        let gate = world.gate();
        let permit = running(&world, &gate).await;
        // The daemon is gone in the moment in which the order is on disk, before it killed anything.
        let hold = crate::Hold {
            whom: Whom::Agent(office()),
            holder: Holder::Local,
            standing: Standing::Stopped,
            by: "ada".to_owned(),
            reason: "crash".to_owned(),
            since: Timestamp(START),
        };
        gate.write(move |tx| crate::gate::halt::record(tx, &hold, Timestamp(START))).await.unwrap();
        permit
    });
    life.shutdown_timeout(Duration::from_secs(10));
    assert!(alive(&world) >= 6, "runs outlive the daemon");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let gate = world.next_gate().await;
        assert_eq!(gate.standing(&office()), Standing::Stopped);
        gate.resume_after_start().await.unwrap();
        while !matches!(state_of(&gate, permit).await, CallState::Interrupted { .. }) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(alive(&world), 0);
    });
}

#[tokio::test]
async fn on_a_full_disk_it_is_in_force_and_says_that_it_is_not_on_record() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    running(&world, &gate).await;
    gate.store.limit_pages(0);
    while gate.audit_note("filler", json!({"x": "y".repeat(100)})).await.is_ok() {}
    let failed = gate.halt(order(Holder::Local, "full"), Standing::Stopped).await.unwrap_err();
    assert!(matches!(failed, GateError::InForceOnly(_)), "{failed:?}");
    assert_eq!((gate.standing(&office()), alive(&world)), (Standing::Stopped, 0));
    gate.store.limit_pages(1_000_000);
    // The same order again is what puts it on record.
    gate.halt(order(Holder::Local, "again"), Standing::Stopped).await.unwrap();
    assert_eq!(audit_kinds(&gate).await["agent-stopped"], 1);
    drop(gate);
    assert_eq!(world.next_gate().await.standing(&office()), Standing::Stopped);
}
