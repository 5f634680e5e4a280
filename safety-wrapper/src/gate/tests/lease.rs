//! Leases: those that run out, and those that end with a connection.

use super::*;

fn start(session: &str) -> SessionStart {
    SessionStart { session: session.parse().unwrap(), runtime: "test/1".to_owned(), parent_session: None, bound: false }
}

async fn bind(gate: &Arc<Gate>, session: &str) -> BoundLease {
    let start = BoundStart { session: session.parse().unwrap(), runtime: "test/1".to_owned() };
    gate.bind_lease(&office(), start, Some(7)).await.unwrap().1
}

#[tokio::test]
async fn a_bound_lease_ends_with_what_holds_it_and_no_call_brings_it_back() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let held = bind(&gate, "s1").await;
    world.later(Duration::from_secs(3600));
    assert!(gate.lease_alive(&office()), "it does not run out while it is held");
    assert_eq!(gate.live_session(&office()), Some("s1".parse().unwrap()));
    let asks = || SessionStart { bound: true, ..start("s1") };
    assert_eq!(gate.session_start(&office(), asks()).await.unwrap().level, Some(Level::Supervised));
    drop(held);
    assert!(!gate.lease_alive(&office()), "not a moment longer");
    // Another process with the same token: its calls are judged, and give the model to nobody.
    let _ = gate.before_tool_call(&office(), counted("c1")).await.unwrap();
    let redact = RedactRequest { session: "s1".parse().unwrap(), value: Value::Null };
    gate.redact(&office(), &redact).unwrap();
    assert!(matches!(gate.session_start(&office(), asks()).await, Err(GateError::Lease(_))));
    assert!(!gate.lease_alive(&office()));
    let again = bind(&gate, "s1").await;
    assert!(gate.lease_alive(&office()));
    drop(again);
}

#[tokio::test]
async fn beside_a_bound_lease_none_is_given_that_would_outlive_it() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    gate.session_start(&office(), start("old")).await.unwrap();
    let held = bind(&gate, "s1").await;
    assert!(matches!(gate.session_start(&office(), start("other")).await, Err(GateError::Lease(_))));
    drop(held);
    assert!(!gate.lease_alive(&office()), "the lease from before went with it");
    gate.session_start(&office(), start("other")).await.unwrap();
    assert!(gate.lease_alive(&office()), "an agent may get another kind of runtime");
}

#[tokio::test]
async fn of_two_connections_the_last_one_counts() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let (gateway, command) = (bind(&gate, "gateway").await, bind(&gate, "command").await);
    drop(command);
    assert_eq!(gate.live_session(&office()), Some("gateway".parse().unwrap()));
    drop(gateway);
    assert!(!gate.lease_alive(&office()));
    let mut many = Vec::new();
    for number in 0..32 {
        many.push(bind(&gate, &format!("s{number}")).await);
    }
    let one_more = BoundStart { session: "s32".parse().unwrap(), runtime: "test/1".to_owned() };
    assert!(matches!(gate.bind_lease(&office(), one_more, None).await, Err(GateError::Lease(_))));
}

#[tokio::test]
async fn a_bound_lease_that_is_given_back_or_released_ends_its_connection() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let mut held = bind(&gate, "s1").await;
    gate.session_end(&office(), SessionEnd { session: "s2".parse().unwrap() }).await.unwrap();
    assert!(gate.lease_alive(&office()), "another session does not hold it");
    gate.session_end(&office(), SessionEnd { session: "s1".parse().unwrap() }).await.unwrap();
    assert!(!gate.lease_alive(&office()));
    held.over().await;
    let mut held = bind(&gate, "s1").await;
    gate.release_leases();
    held.over().await;
    assert!(!gate.lease_alive(&office()));
}

#[tokio::test]
async fn a_bound_lease_does_not_outlive_the_daemon() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let held = bind(&gate, "s1").await;
    // As after a kill: what holds it never ends in an orderly way.
    gate.release_leases();
    drop((held, gate));
    let gate = world.next_gate().await;
    assert!(!gate.lease_alive(&office()));
    assert_eq!(gate.leases()[0].session, "s1".parse().unwrap(), "who held it last is still known");
    let _held = bind(&gate, "s1").await;
    assert!(gate.lease_alive(&office()), "its runtime takes it again, without a person");
}

#[tokio::test]
async fn a_lease_ends_and_only_a_session_start_brings_it_back() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    assert!(!gate.lease_alive(&office()));
    let started = gate.session_start(&office(), start("s1")).await.unwrap();
    assert_eq!((started.level, started.bundle.version, started.closed), (Some(Level::Supervised), 1, Vec::new()));
    assert!(gate.lease_alive(&office()));
    drop(gate);
    let gate = world.next_gate().await;
    world.later(Duration::from_secs(100));
    assert!(gate.lease_alive(&office()), "a lease survives a restart");
    let _ = gate.before_tool_call(&office(), counted("c1")).await.unwrap();
    world.later(Duration::from_secs(100));
    assert!(gate.lease_alive(&office()), "a hook call proves that the hook is alive");
    world.later(Duration::from_secs(120));
    let _ = gate.before_tool_call(&office(), counted("c1")).await.unwrap();
    assert!(!gate.lease_alive(&office()));
    gate.session_start(&office(), start("s1")).await.unwrap();
    assert!(gate.lease_alive(&office()));
    for runtime in [String::new(), "x".repeat(129), "a\nb".to_owned()] {
        let bad = gate.session_start(&office(), SessionStart { runtime, ..start("s1") }).await;
        assert!(matches!(bad, Err(GateError::Invalid(_))));
    }
}

#[tokio::test]
async fn a_session_is_told_the_bundle_that_counts_when_it_starts() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    for (version, publish) in [(1, false), (2, true), (2, false), (1, true), (1, true)] {
        if publish {
            world.publish(version, Level::Supervised);
        }
        let want = Digest::plain(&world.bundle.borrow().to_json().unwrap());
        let told = gate.session_start(&office(), start("s1")).await.unwrap().bundle;
        assert_eq!((told.version, told.digest), (version, want));
    }
}

#[tokio::test]
async fn a_hook_that_goes_takes_its_lease_along() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    gate.session_start(&office(), start("s1")).await.unwrap();
    gate.session_end(&office(), SessionEnd { session: "s2".parse().unwrap() }).await.unwrap();
    assert!(gate.lease_alive(&office()), "another session does not hold it");
    gate.session_end(&office(), SessionEnd { session: "s1".parse().unwrap() }).await.unwrap();
    assert!(!gate.lease_alive(&office()));
    // A call of a hook that said goodbye does not bring it back.
    let _ = gate.before_tool_call(&office(), counted("c1")).await.unwrap();
    assert!(!gate.lease_alive(&office()));
    gate.session_start(&office(), start("s1")).await.unwrap();
    assert!(gate.lease_alive(&office()));
    assert_eq!(audit_kinds(&gate).await["session-ended"], 1);
}
