//! Nothing is exchanged beneath an approved run: it has its workspace for itself, and waits until it can have it.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::call::CallState;
use crate::store::calls;

const GOOD: &str = "#!/bin/sh\necho GOOD\n";
const EVIL: &str = "#!/bin/sh\necho EVIL\n";
/// Says that it runs, and goes on when it is told to.
const HELD: &str = "touch up; until test -e go; do sleep 0.02; done";

/// A tool and a script that a command names, and what an agent would like in their place.
fn prepare(world: &World) {
    for (name, text) in [("tool", GOOD), ("job.sh", GOOD), ("evil", EVIL)] {
        fs::write(world.ws().join(name), text).unwrap();
        fs::set_permissions(world.ws().join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn shell(id: &str, command: &str) -> Proposal {
    call(id, "shell", json!({ "command": command }))
}

/// A person says yes; gives the class of which they were told.
async fn approve(gate: &Arc<Gate>, proposal: Proposal) -> Class {
    let asked = gate.before_tool_call(&office(), proposal).await.unwrap();
    gate.decide_approval(digest_of(&asked), ruling(Verdict::Approved)).await.unwrap();
    match asked {
        Answer::Pending { class, .. } => class,
        other => panic!("nobody was asked: {other:?}"),
    }
}

async fn there(path: PathBuf) {
    while !path.exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// An approved run that has begun.
async fn held(world: &World, gate: &Arc<Gate>, rest: &str) -> Class {
    prepare(world);
    let class = approve(gate, shell("approved", &format!("{HELD}; {rest}"))).await;
    there(world.ws().join("up")).await;
    class
}

async fn let_go(world: &World, gate: &Arc<Gate>) -> Answer {
    fs::write(world.ws().join("go"), "").unwrap();
    settled(gate, "approved").await
}

/// A second agent that works in `workspace`.
fn second(world: &World, workspace: &Path) -> AgentName {
    let name: AgentName = "second".parse().unwrap();
    let workspace = workspace.display().to_string();
    let agent = AgentPolicy { name: name.clone(), workspace, ..world.agent(Level::Trusted) };
    world.bundle.send_modify(|bundle| Arc::make_mut(bundle).agents.push(agent));
    name
}

/// It had every occasion to begin, and waits.
async fn waits(gate: &Gate, id: &str) {
    tokio::time::sleep(Duration::from_millis(200)).await;
    let state = state_of(gate, id).await;
    assert!(matches!(state, CallState::Approved { .. } | CallState::Permitted { .. }), "{id}: {state:?}");
}

async fn state_of(gate: &Gate, id: &str) -> CallState {
    let key = key_of(&office(), &"s1".parse().unwrap(), &id.parse().unwrap());
    gate.read(move |conn| calls::by_key(conn, &key)).await.unwrap().unwrap().state
}

fn attacks() -> Vec<(&'static str, Value)> {
    vec![
        ("write_file", json!({"path": "tool", "content": EVIL})),
        ("delete_file", json!({"path": "evil"})),
        ("shell", json!({"command": "cp evil tool; cp evil job.sh"})),
        ("exec", json!({"argv": ["cp", "evil", "job.sh"]})),
        ("run_container", json!({"image": "box", "argv": ["cp", "evil", "tool"], "workspace": "changes"})),
        // What a runtime does itself once it was told that it may.
        ("edit", json!({"path": "tool", "oldText": "GOOD", "newText": "EVIL"})),
        ("apply_patch", json!({"input": "*** Begin Patch"})),
    ]
}

#[tokio::test]
async fn nothing_changes_files_beneath_a_run_that_a_person_approved() {
    for (rest, class) in [
        ("./tool; rm -rf nothing", Class::Red),
        ("bash job.sh; curl -s -d x http://127.0.0.1:9/", Class::YellowExternal),
    ] {
        let world = World::new(Level::Trusted);
        let id = format!("sha256:{}", "0a".repeat(32));
        world.bundle.send_modify(|bundle| {
            Arc::make_mut(bundle).images = vec![wardkeep_policy::containers::Image { name: "box".to_owned(), id }];
        });
        let other = second(&world, &world.ws());
        let gate = world.gate();
        assert_eq!(held(&world, &gate, rest).await, class);
        let mut refused = 0;
        for agent in [office(), other] {
            for (number, (tool, args)) in attacks().into_iter().enumerate() {
                let id = format!("attack-{number}");
                match gate.before_tool_call(&agent, call(&id, tool, args)).await.unwrap() {
                    Answer::Deny { message, reasons, .. } => {
                        assert_eq!(reasons, [super::super::turns::TAKEN], "{tool}");
                        assert!(!message.contains("Do not"), "{message}");
                        refused += 1;
                    }
                    // Somebody is to be asked first, and then it waits.
                    Answer::Pending { .. } if tool == "run_container" => {}
                    other => panic!("{tool}: {other:?}"),
                }
            }
        }
        assert!(refused >= 12, "{refused}");
        assert_eq!(audit_kinds(&gate).await["call-denied"], refused);
        assert_eq!(gate.standing(&office()), Standing::Free, "no denial of a person");
        // Who only looks goes on.
        for (id, tool, args) in [
            ("read", "read_file", json!({"path": "tool"})),
            ("list", "list_files", json!({"path": "."})),
            ("cat", "shell", json!({"command": "cat tool"})),
        ] {
            let permit = permit_of(&gate.before_tool_call(&office(), call(id, tool, args)).await.unwrap());
            assert_eq!(gate.execute(&office(), permit).await.unwrap().result.status, RunStatus::Ok, "{tool}");
        }
        let web = call("web", "http_request", json!({"method": "GET", "url": "http://127.0.0.1:9/"}));
        assert!(!matches!(gate.before_tool_call(&office(), web).await.unwrap(), Answer::Deny { .. }));
        let answer = let_go(&world, &gate).await;
        let result = result_of(&answer);
        assert!(result.output.starts_with("GOOD"), "{result:?}");
        assert!(result.changed.is_empty(), "{result:?}");
        // The same once more: nobody remembers a no.
        let (tool, args) = attacks().remove(0);
        let permit = permit_of(&gate.before_tool_call(&office(), call("after", tool, args)).await.unwrap());
        assert_eq!(gate.execute(&office(), permit).await.unwrap().result.status, RunStatus::Ok);
        assert_eq!(fs::read_to_string(world.ws().join("tool")).unwrap(), EVIL);
    }
}

#[tokio::test]
async fn workspaces_above_and_below_are_the_same_files_and_others_are_not() {
    for (of_second, refused) in [("ws/sub", true), (".", true), ("ws/../ws", true), ("elsewhere", false)] {
        let world = World::new(Level::Trusted);
        let folder = world.root.path().join(of_second);
        fs::create_dir_all(&folder).unwrap();
        let other = second(&world, &folder);
        let gate = world.gate();
        held(&world, &gate, "./tool; rm -rf nothing").await;
        let write = || call("c1", "write_file", json!({"path": "tool", "content": EVIL}));
        let answer = gate.before_tool_call(&other, write()).await.unwrap();
        assert_eq!(matches!(answer, Answer::Deny { .. }), refused, "{of_second}: {answer:?}");
        let _ = let_go(&world, &gate).await;
    }
}

/// What a person saw no files with opens none that they saw.
#[tokio::test]
async fn an_approved_run_without_files_keeps_nobody_away() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    approve(&gate, shell("approved", &format!("{HELD}; rm -rf nothing"))).await;
    there(world.ws().join("up")).await;
    let permit = permit_of(&gate.before_tool_call(&office(), counted("c1")).await.unwrap());
    assert_eq!(gate.execute(&office(), permit).await.unwrap().result.status, RunStatus::Ok);
    let _ = let_go(&world, &gate).await;
}

/// A permit of before is no way in either: neither one that the daemon carries out, nor a second yes of a person.
#[tokio::test]
async fn what_was_allowed_before_waits_for_its_end() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    let swap = shell("before", "cp evil tool");
    let permit = permit_of(&gate.before_tool_call(&office(), swap).await.unwrap());
    world.later(Duration::from_secs(60));
    held(&world, &gate, "./tool; rm -rf nothing").await;
    let waiting = {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move { gate.execute(&office(), permit).await.unwrap() })
    };
    approve(&gate, shell("second", "cp evil another; rm -rf nothing")).await;
    waits(&gate, "before").await;
    waits(&gate, "second").await;
    assert!(result_of(&let_go(&world, &gate).await).output.starts_with("GOOD"));
    assert_eq!(waiting.await.unwrap().result.status, RunStatus::Ok);
    assert_eq!(result_of(&settled(&gate, "second").await).status, RunStatus::Ok);
}

#[tokio::test]
async fn an_approved_run_waits_for_the_end_of_changes_and_sees_what_they_did() {
    for (change, swapped) in [("cp evil tool", true), ("cp evil another", false)] {
        let world = World::new(Level::Trusted);
        let gate = world.gate();
        prepare(&world);
        let change = shell("change", &format!("{HELD}; {change}"));
        let permit = permit_of(&gate.before_tool_call(&office(), change).await.unwrap());
        let changing = {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move { gate.execute(&office(), permit).await.unwrap() })
        };
        there(world.ws().join("up")).await;
        approve(&gate, shell("approved", "./tool; rm -rf nothing")).await;
        waits(&gate, "approved").await;
        // While it waits others go on.
        let permit = permit_of(&gate.before_tool_call(&office(), counted("meanwhile")).await.unwrap());
        assert_eq!(gate.execute(&office(), permit).await.unwrap().result.status, RunStatus::Ok);
        let answer = let_go(&world, &gate).await;
        assert_eq!(changing.await.unwrap().result.status, RunStatus::Ok);
        if swapped {
            assert!(reasons_of(&answer).contains("has changed since it was shown"), "{answer:?}");
        } else {
            assert_eq!(result_of(&answer).output, "GOOD\n");
        }
    }
}

#[tokio::test]
async fn an_approved_run_waits_for_what_a_runtime_does_itself_until_that_is_reported_or_long_ago() {
    for reported in [true, false] {
        let world = World::new(Level::Trusted);
        let gate = world.gate();
        prepare(&world);
        let edit = call("edit", "edit", json!({"path": "tool", "oldText": "GOOD", "newText": "EVIL"}));
        assert!(matches!(gate.before_tool_call(&office(), edit).await.unwrap(), Answer::Allow { .. }));
        approve(&gate, shell("approved", "./tool; rm -rf nothing")).await;
        waits(&gate, "approved").await;
        if reported {
            let after = AfterToolCall {
                session: "s1".parse().unwrap(),
                call: "edit".parse().unwrap(),
                output: String::new(),
                is_error: false,
            };
            gate.after_tool_call(&office(), after).await.unwrap();
        } else {
            world.later(Duration::from_secs(15));
        }
        assert_eq!(result_of(&settled(&gate, "approved").await).output, "GOOD\n", "{reported}");
    }
}

/// Long after its permit, when it no longer counts as under way, a runtime asks again for what it may do itself.
#[tokio::test]
async fn what_a_runtime_does_itself_is_not_let_again_beneath_a_run() {
    for level in [Level::Trusted, Level::Supervised] {
        let world = World::new(level);
        let gate = world.gate();
        let edit = || call("edit", "edit", json!({"path": "tool", "oldText": "GOOD", "newText": "EVIL"}));
        let first = gate.before_tool_call(&office(), edit()).await.unwrap();
        assert_eq!(first.is_pending(), level == Level::Supervised, "{first:?}");
        if first.is_pending() {
            gate.decide_approval(digest_of(&first), ruling(Verdict::Approved)).await.unwrap();
        }
        let permit = permit_of(&gate.before_tool_call(&office(), edit()).await.unwrap());
        world.later(Duration::from_secs(20));
        held(&world, &gate, "./tool; rm -rf nothing").await;
        world.later(Duration::from_secs(1));
        let before = state_of(&gate, "edit").await;
        for answer in [
            gate.before_tool_call(&office(), edit()).await.unwrap(),
            gate.before_tool_call_here(&office(), edit()).await.unwrap(),
            settled(&gate, "edit").await,
        ] {
            assert_eq!(reasons_of(&answer), super::super::turns::TAKEN);
        }
        assert_eq!(state_of(&gate, "edit").await, before, "nobody's no, and no other state");
        assert_eq!(result_of(&let_go(&world, &gate).await).output, "GOOD\n");
        assert_eq!(permit_of(&gate.before_tool_call(&office(), edit()).await.unwrap()), permit);
    }
}

#[tokio::test]
async fn approved_runs_take_their_turns_in_the_order_of_their_approvals() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    held(&world, &gate, "./tool; rm -rf nothing").await;
    for id in ["b", "a", "c"] {
        world.later(Duration::from_millis(1));
        approve(&gate, shell(id, &format!("bash job.sh {id}; rm -rf nothing"))).await;
    }
    let _ = let_go(&world, &gate).await;
    for id in ["a", "b", "c"] {
        assert_eq!(result_of(&settled(&gate, id).await).output, "GOOD\n", "{id}");
    }
    let rows = gate.audit_after(0, 1000).await.unwrap();
    let told = rows.iter().filter(|row| ["call-claimed", "call-done"].contains(&row.kind.as_str()));
    let order: Vec<_> = told.map(|row| format!("{} {}", row.kind, row.call)).collect();
    let wanted: Vec<_> = ["approved", "b", "a", "c"]
        .iter()
        .flat_map(|id| [format!("call-claimed office/s1/{id}"), format!("call-done office/s1/{id}")])
        .collect();
    assert_eq!(order, wanted);
}

#[tokio::test]
async fn a_stop_ends_what_waits_for_its_turn_and_nothing_of_it_runs() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    prepare(&world);
    let permit = permit_of(&gate.before_tool_call(&office(), shell("change", HELD)).await.unwrap());
    let changing = {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move { gate.execute(&office(), permit).await.unwrap() })
    };
    there(world.ws().join("up")).await;
    approve(&gate, shell("approved", "./tool; touch ran; rm -rf nothing")).await;
    waits(&gate, "approved").await;
    let moved = gate.halt(order(Holder::Local, "enough"), Standing::Stopped).await.unwrap();
    assert_eq!((moved.lingering, moved.ended), (0, 1), "what waits holds up no stop");
    assert_eq!(changing.await.unwrap().result.status, RunStatus::Interrupted);
    assert!(reasons_of(&settled(&gate, "approved").await).contains("enough"));
    gate.resume(order(Holder::Local, "go on")).await.unwrap();
    gate.sweep().await.unwrap();
    while !gate.launching().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!world.ws().join("ran").exists());
}

#[tokio::test]
async fn what_waits_for_its_turn_too_long_expires() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    held(&world, &gate, "./tool; rm -rf nothing").await;
    approve(&gate, shell("late", "bash job.sh; touch ran; rm -rf nothing")).await;
    waits(&gate, "late").await;
    world.later(Duration::from_secs(15 * 60));
    gate.sweep().await.unwrap();
    assert!(reasons_of(&settled(&gate, "late").await).contains("not started in time"));
    let _ = let_go(&world, &gate).await;
    assert!(!world.ws().join("ran").exists());
}

/// Somebody beside the gate exchanges a file that a person saw.
#[tokio::test]
async fn a_file_that_was_exchanged_past_the_gate_is_named_in_the_audit_log() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    held(&world, &gate, "./tool; bash job.sh; rm -rf nothing").await;
    fs::write(world.ws().join("tool"), EVIL).unwrap();
    let answer = let_go(&world, &gate).await;
    assert_eq!(
        (result_of(&answer).output.as_str(), &result_of(&answer).changed[..]),
        ("EVIL\nGOOD\n", &["tool".to_owned()][..])
    );
    let rows = gate.audit_after(0, 1000).await.unwrap();
    let done = rows.iter().find(|row| row.kind == "call-done").unwrap();
    let fields: Value = serde_json::from_str(&done.fields).unwrap();
    assert_eq!(fields["state"]["result"]["changed"], json!(["tool"]));
}
