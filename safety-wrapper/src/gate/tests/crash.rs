//! The daemon dies at every point of the story and is started again.

use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;

use super::*;
use crate::audit;
use crate::runner::Folder;
use crate::runner::folder::Found;
use crate::runner::tests::{is_alive, kill_tree};
use crate::store::calls;

const STORY: &[Waypoint] = &[
    Waypoint::HookReceived,
    Waypoint::CallRecorded,
    Waypoint::DecisionReceived,
    Waypoint::DecisionRecorded,
    Waypoint::CallClaimed,
    Waypoint::RunnerStarted,
    Waypoint::RunnerFinished,
    Waypoint::ResultRecorded,
];

/// One life of the daemon: a runtime of its own, which dies with it.
fn life<T: Send + 'static>(world: &World, waypoints: Arc<dyn Waypoints>, story: impl AsyncFnOnce(Arc<Gate>) -> T) -> T {
    let runtime = Runtime::new().unwrap();
    let out = runtime.block_on(async {
        let gate = world.try_gate(waypoints).unwrap();
        story(gate).await
    });
    // As kill -9: no task is waited for. Dropped, so that the lock of the gate is free for the next life.
    runtime.shutdown_timeout(Duration::from_secs(10));
    out
}

fn dying(at: Waypoint) -> Arc<DieAt> {
    Arc::new(DieAt { at, dead: AtomicBool::new(false) })
}

/// Waits until the story has reached the point where it dies.
async fn dead(point: &DieAt) {
    while !point.dead.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The agent asks, the person approves, the agent waits; whoever was cut off asks again.
async fn ask_and_approve(gate: &Arc<Gate>, proposal: Proposal) {
    let asked = {
        let gate = Arc::clone(gate);
        tokio::spawn(async move { gate.before_tool_call(&office(), proposal).await })
    };
    let Ok(Ok(Answer::Pending { digest: Some(digest), .. })) = asked.await else { return };
    let gate = Arc::clone(gate);
    let ruled = tokio::spawn(async move { gate.decide_approval(digest, ruling(Verdict::Approved)).await });
    let _ = ruled.await;
}

#[test]
fn wherever_it_dies_an_approved_call_runs_once_and_the_agent_hears_of_it() {
    for (at, world) in STORY.iter().flat_map(|at| both(Level::Supervised).map(|world| (at, world))) {
        let point = dying(*at);
        life(&world, point.clone(), async |gate| {
            gate.resume_after_start().await.unwrap();
            ask_and_approve(&gate, counted("c1")).await;
            dead(&point).await;
        });
        let answer = life(&world, Arc::new(NoWaypoints), async |gate| {
            gate.resume_after_start().await.unwrap();
            ask_and_approve(&gate, counted("c1")).await;
            settled(&gate, "c1").await
        });
        let result = result_of(&answer);
        // Also when it was claimed and not begun: the run folder proves that nothing was done.
        assert_eq!((result.status, world.runs()), (RunStatus::Ok, 1), "{at}: {result:?}");
        // Another start tidies up what the end of the second life cut off.
        let found = life(&world, Arc::new(NoWaypoints), async |gate| gate.resume_after_start().await.unwrap());
        assert_eq!(found, Resumed::default(), "{at}");
        audit::verify(&world.state().join("gate.db")).unwrap();
        let left = fs::read_dir(world.state().join("runs")).unwrap().count();
        assert_eq!(left, 0, "{at}: run folders are left");
    }
}

#[test]
fn wherever_it_dies_a_permitted_call_runs_exactly_once() {
    let points = [Waypoint::CallClaimed, Waypoint::RunnerStarted, Waypoint::RunnerFinished, Waypoint::ResultRecorded];
    for (at, world) in points.iter().flat_map(|at| both(Level::Trusted).map(|world| (*at, world))) {
        let point = dying(at);
        let permit = life(&world, point.clone(), async |gate| {
            let permit = permit_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
            let _ = gate.execute(&office(), permit).await;
            dead(&point).await;
            permit
        });
        let result = life(&world, Arc::new(NoWaypoints), async move |gate| {
            gate.resume_after_start().await.unwrap();
            gate.execute(&office(), permit).await.unwrap().result
        });
        assert_eq!((result.status, world.runs()), (RunStatus::Ok, 1), "{at}");
    }
}

#[test]
fn a_runner_that_still_works_is_adopted() {
    both(Level::Supervised).into_iter().for_each(a_runner_of_this_world_is_adopted);
}

fn a_runner_of_this_world_is_adopted(world: World) {
    let slow = || {
        let command = "echo run >> ran; until test -e go; do sleep 0.02; done; echo finished";
        call("c1", "shell", json!({"command": command}))
    };
    let point = dying(Waypoint::RunnerStarted);
    life(&world, point.clone(), async |gate| {
        ask_and_approve(&gate, slow()).await;
        dead(&point).await;
    });
    // A second life that dies too leaves it to the third.
    for _ in 0..2 {
        let found = life(&world, Arc::new(NoWaypoints), async |gate| gate.resume_after_start().await.unwrap());
        assert_eq!((found.adopted, found.interrupted), (1, 0), "{found:?}");
    }
    let ws = world.ws();
    let answer = life(&world, Arc::new(NoWaypoints), async move |gate| {
        gate.resume_after_start().await.unwrap();
        fs::write(ws.join("go"), "").unwrap();
        settled(&gate, "c1").await
    });
    assert_eq!((result_of(&answer).status, result_of(&answer).output.as_str()), (RunStatus::Ok, "finished\n"));
    assert_eq!(world.runs(), 1);
}

/// What a run prints is read while it goes on, over the death of the daemon, and a value that is cut in two is not.
#[test]
fn who_looks_on_sees_what_was_printed_over_a_restart() {
    both(Level::Supervised).into_iter().for_each(|world| looks_on_over_a_restart(&world));
}

fn looks_on_over_a_restart(world: &World) {
    let (first, second) = SECRET.split_at(SECRET.len() / 2);
    // From files: a call that holds both would be refused.
    fs::write(world.ws().join("first"), first).unwrap();
    fs::write(world.ws().join("second"), second).unwrap();
    let command =
        "echo run >> ran; seq 3000; cat first; touch half; until test -e go; do sleep 0.02; done; cat second; seq 99";
    let point = dying(Waypoint::RunnerStarted);
    life(world, point.clone(), async |gate| {
        ask_and_approve(&gate, call("c1", "shell", json!({"command": command}))).await;
        dead(&point).await;
    });
    let half = world.ws().join("half");
    let (permit, before) = life(world, Arc::new(NoWaypoints), async move |gate| {
        gate.resume_after_start().await.unwrap();
        let rows = gate.read(|conn| calls::in_state(conn, "claimed")).await.unwrap();
        let permit = rows[0].state.permit().unwrap();
        let other: AgentName = "other".parse().unwrap();
        assert!(matches!(gate.printed(&other, permit, 0).await, Err(GateError::UnknownPermit)));
        // Until all is there that can be told before the rest of the value.
        let mut looked = gate.printed(&office(), permit, 0).await.unwrap();
        while !half.exists() || !looked.text.contains("2900\n") {
            tokio::time::sleep(Duration::from_millis(10)).await;
            looked = gate.printed(&office(), permit, 0).await.unwrap();
        }
        (permit, looked)
    });
    assert!(!before.done && before.text.starts_with("1\n2\n3\n") && before.next == before.text.len());
    assert!(!before.text.contains(&first[..6]), "half a value was told");
    let ws = world.ws();
    let told = before.text.clone();
    let (answer, last) = life(world, Arc::new(NoWaypoints), async move |gate| {
        gate.resume_after_start().await.unwrap();
        let again = gate.printed(&office(), permit, 0).await.unwrap();
        assert!(again.text.starts_with(&told), "another daemon tells the same");
        let beyond = gate.printed(&office(), permit, usize::MAX - 9).await.unwrap();
        assert_eq!((beyond.text.as_str(), beyond.next), ("", usize::MAX - 9));
        fs::write(ws.join("go"), "").unwrap();
        let answer = settled(&gate, "c1").await;
        (answer, gate.printed(&office(), permit, before.next).await.unwrap())
    });
    assert!(last.done, "{last:?}");
    let output = &result_of(&answer).output;
    assert!(output.starts_with(&before.text) && output.contains("3000\nSECRET_REF("), "{output:.200}");
    assert_eq!(world.runs(), 1);
}

/// The runner is lost and what it started goes on, deaf to everything: the next daemon finds it by its name.
#[test]
fn a_unit_without_its_runner_is_ended_before_its_end_is_recorded() {
    let world = World::new(Level::Supervised).with_units();
    let point = dying(Waypoint::RunnerStarted);
    let ws = world.ws();
    life(&world, point.clone(), async |gate| {
        let endless = json!({"command": "echo run >> ran; echo $$ > pid; exec sleep 600"});
        ask_and_approve(&gate, call("c1", "shell", endless)).await;
        dead(&point).await;
        while !fs::read_to_string(ws.join("pid")).is_ok_and(|text| text.ends_with('\n')) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let program = fs::read_to_string(world.ws().join("pid")).unwrap().trim().parse().unwrap();
    let program = Pid::from_raw(program).unwrap();
    let units = Pretended::new(&world.units());
    let name = fs::read_dir(world.state().join("runs")).unwrap().flatten().next().unwrap().file_name();
    let permit = name.to_str().unwrap().parse().unwrap();
    let launcher = units.first(permit).unwrap();
    let _never_left = EndsWithTest(launcher);
    kill_process(launcher, Signal::STOP).unwrap();
    while !is_frozen(launcher) {
        std::thread::sleep(Duration::from_millis(1));
    }
    kill_process(parent(launcher), Signal::KILL).unwrap();
    while Folder::find(&world.state().join("runs"), permit) == Found::Running {
        std::thread::sleep(Duration::from_millis(1));
    }
    fs::write(world.units().join("refuse-end"), "").unwrap();
    life(&world, Arc::new(NoWaypoints), async |gate| {
        let found = gate.resume_after_start().await.unwrap();
        assert_eq!((found.adopted, found.interrupted), (0, 1), "{found:?}");
        // Nobody could end it: nothing is said of it yet.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let again = gate.before_tool_call(&office(), counted("c2")).await.unwrap();
        assert!(is_alive(program) && matches!(again, Answer::Pending { .. }), "{again:?}");
    });
    fs::remove_file(world.units().join("refuse-end")).unwrap();
    let answer = life(&world, Arc::new(NoWaypoints), async |gate| {
        gate.resume_after_start().await.unwrap();
        settled(&gate, "c1").await
    });
    assert_eq!((result_of(&answer).status, world.runs()), (RunStatus::Interrupted, 1));
    assert!(!is_alive(program), "it outlived the record of its end");
}

/// This world as it is, and with units.
fn both(level: Level) -> [World; 2] {
    [World::new(level), World::new(level).with_units()]
}

/// A frozen process outlives a test that fails.
struct EndsWithTest(Pid);

impl Drop for EndsWithTest {
    fn drop(&mut self) {
        kill_tree(self.0);
    }
}

/// Every thread of it: one that still goes would hear that its runner is gone.
fn is_frozen(pid: Pid) -> bool {
    let mut threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    threads.all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    })
}

fn parent(pid: Pid) -> Pid {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let parent = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap();
    Pid::from_raw(parent).unwrap()
}

#[test]
fn what_is_due_after_a_long_absence_is_done_at_the_start() {
    let world = World::new(Level::Supervised);
    let digest = life(&world, Arc::new(NoWaypoints), async |gate| {
        digest_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap())
    });
    world.later(Duration::from_secs(7 * 24 * 60 * 60));
    let (found, state) = life(&world, Arc::new(NoWaypoints), async move |gate| {
        let found = gate.resume_after_start().await.unwrap();
        (found, approval(&gate, digest).await.state)
    });
    assert_eq!((found.expired, state), (1, ApprovalState::Expired));
}

/// Who has a workspace for itself and who waits for it is known from what is on record.
#[test]
fn turns_in_a_workspace_outlive_the_daemon() {
    let held = "until test -e go; do sleep 0.02; done";
    let approved = |id: &str, first: &str| {
        call(id, "shell", json!({ "command": format!("{first}; bash job.sh; rm -rf nothing") }))
    };
    let write = |id: &str| call(id, "write_file", json!({"path": "job.sh", "content": "echo EVIL"}));
    let world = World::new(Level::Trusted);
    fs::write(world.ws().join("job.sh"), "echo run >> ran").unwrap();
    let ws = world.ws();
    life(&world, Arc::new(NoWaypoints), async move |gate| {
        let change = call("change", "shell", json!({ "command": format!("touch up; {held}") }));
        let permit = permit_of(&gate.before_tool_call(&office(), change).await.unwrap());
        let running = Arc::clone(&gate);
        tokio::spawn(async move { running.execute(&office(), permit).await });
        while !ws.join("up").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ask_and_approve(&gate, approved("first", "touch first; until test -e end; do sleep 0.02; done")).await;
        ask_and_approve(&gate, approved("second", "true")).await;
    });
    // The change is adopted, and both wait for it.
    let ws = world.ws();
    life(&world, Arc::new(NoWaypoints), async move |gate| {
        let found = gate.resume_after_start().await.unwrap();
        assert_eq!((found.adopted, found.launched), (1, 2), "{found:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!ws.join("first").exists(), "it has begun");
        fs::write(ws.join("go"), "").unwrap();
        while !ws.join("first").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let refused = gate.before_tool_call(&office(), write("c1")).await.unwrap();
        assert!(reasons_of(&refused).contains("try again then"), "{refused:?}");
    });
    // Now that one is adopted, and has the workspace for itself.
    let ws = world.ws();
    life(&world, Arc::new(NoWaypoints), async move |gate| {
        let found = gate.resume_after_start().await.unwrap();
        assert_eq!((found.adopted, found.launched), (1, 1), "{found:?}");
        let refused = gate.before_tool_call(&office(), write("c2")).await.unwrap();
        assert!(reasons_of(&refused).contains("try again then"), "{refused:?}");
        fs::write(ws.join("end"), "").unwrap();
        for id in ["first", "second"] {
            assert_eq!(result_of(&settled(&gate, id).await).status, RunStatus::Ok, "{id}");
        }
        assert!(matches!(gate.before_tool_call(&office(), write("c3")).await.unwrap(), Answer::Allow { .. }));
    });
    assert_eq!(world.runs(), 2, "each of them once");
}
