//! Sub-agents: less trusted, few, and known as such however their sessions are called.

use wardkeep_policy::Subagents as Rule;

use super::*;
use crate::store::subagents::Subagent;

const OWN: &str = "agent:main:main";
const CHILD: &str = "agent:main:subagent:7c9e6679-7425-40de-944b-e07fc1f90ae7";
const LEASE: &str = "openclaw:lease";

fn world(rule: Rule) -> World {
    let world = World::new(Level::Trusted);
    world.publish_agent(2, AgentPolicy { subagents: rule, ..world.agent(Level::Trusted) }, Asking::default());
    world
}

async fn lease(gate: &Arc<Gate>) -> BoundLease {
    let start = BoundStart { session: LEASE.parse().unwrap(), runtime: "openclaw/1".to_owned() };
    gate.bind_lease(&office(), start, None).await.unwrap().1
}

fn alive(pairs: &[(&str, &str)]) -> Subagents {
    let one = |(session, parent): &(&str, &str)| Subagent {
        session: session.parse().unwrap(),
        parent: parent.parse().unwrap(),
    };
    Subagents { session: LEASE.parse().unwrap(), alive: pairs.iter().map(one).collect() }
}

fn within(session: &str, proposal: Proposal) -> Proposal {
    Proposal { session: session.parse().unwrap(), ..proposal }
}

fn spawn(session: &str, id: &str) -> Proposal {
    within(session, call(id, "sessions_spawn", json!({"task": format!("do {id}")})))
}

async fn starts(gate: &Arc<Gate>, session: &str, id: &str) -> bool {
    match gate.before_tool_call(&office(), spawn(session, id)).await.unwrap() {
        Answer::Allow { .. } => true,
        Answer::Deny { .. } => false,
        other => panic!("{other:?}"),
    }
}

/// The runtime says that a start has its result.
async fn started(gate: &Arc<Gate>, session: &str, id: &str) {
    let (session, call) = (session.parse().unwrap(), id.parse().unwrap());
    let after = AfterToolCall { session, call, output: "{\"status\":\"accepted\"}".to_owned(), is_error: false };
    gate.after_tool_call(&office(), after).await.unwrap();
}

#[tokio::test]
async fn only_the_plugin_with_the_lease_says_which_there_are() {
    let world = world(Rule::default());
    let gate = world.gate();
    let list = || alive(&[(CHILD, OWN)]);
    assert!(matches!(gate.subagents(&office(), list()).await, Err(GateError::Lease(_))), "without a lease");
    let held = lease(&gate).await;
    let other = Subagents { session: "other".parse().unwrap(), ..list() };
    assert!(matches!(gate.subagents(&office(), other).await, Err(GateError::Lease(_))), "with another's");
    let many: Vec<String> = (0..257).map(|at| format!("agent:main:subagent:{at}")).collect();
    let many: Vec<_> = many.iter().map(|session| (session.as_str(), OWN)).collect();
    assert!(matches!(gate.subagents(&office(), alive(&many)).await, Err(GateError::Invalid(_))));
    let telling = alive(&[(&format!("agent:main:subagent:{SECRET}"), OWN)]);
    assert!(matches!(gate.subagents(&office(), telling).await, Err(GateError::Invalid(_))));
    gate.subagents(&office(), list()).await.unwrap();
    gate.subagents(&office(), list()).await.unwrap();
    assert_eq!(audit_kinds(&gate).await["subagents"], 1, "the same list is no news");
    drop(held);
    assert!(matches!(gate.subagents(&office(), list()).await, Err(GateError::Lease(_))), "after its lease");
}

/// Neither by its own name nor by another one does a sub-agent pass for the session that started it.
#[tokio::test]
async fn a_subagent_that_poses_as_the_agent_has_the_lower_level() {
    let world = world(Rule { level: Some(Level::Supervised), ..Rule::default() });
    let gate = world.gate();
    let held = lease(&gate).await;
    // A session that its runtime named like one of the agent's own, as `visible: true` does.
    let visible = "agent:main:dashboard:7c9e6679";
    let write = |id: &str, session: &str| within(session, call(id, "write_file", json!({"path": id, "content": "x"})));
    let asked = |answer: &Answer| matches!(answer, Answer::Pending { .. });
    for (id, session, asks) in [
        ("c1", OWN, false),
        ("c2", visible, false),
        ("c3", CHILD, true),
        ("c4", "AGENT:MAIN:SUBAGENT:X", true),
        ("c5", "subagent:unnamed", true),
    ] {
        let answer = gate.before_tool_call(&office(), write(id, session)).await.unwrap();
        assert_eq!(asked(&answer), asks, "{session} {answer:?}");
    }
    gate.subagents(&office(), alive(&[(visible, OWN)])).await.unwrap();
    let answer = gate.before_tool_call(&office(), write("c6", visible)).await.unwrap();
    assert!(asked(&answer), "{answer:?}");
    // What it started before it was known is decided again as it begins.
    let permitted =
        gate.call_status(&office(), &visible.parse().unwrap(), &"c2".parse().unwrap(), Duration::ZERO).await;
    let refused = gate.execute(&office(), permit_of(&permitted.unwrap())).await;
    assert!(matches!(refused, Err(GateError::NotRunnable(_))), "{refused:?}");
    assert!(!world.ws().join("c2").exists());
    // It says nothing about itself that would help.
    let posing = write("c7", CHILD);
    let args = json!({"path": "c7", "content": "x", "session": OWN, "sessionKey": OWN});
    let answer = gate.before_tool_call(&office(), Proposal { args, ..posing }).await.unwrap();
    assert!(!matches!(answer, Answer::Allow { .. }), "{answer:?}");
    drop(held);
}

#[tokio::test]
async fn a_start_above_the_count_is_refused_over_restarts() {
    let world = world(Rule { count: 2, ..Rule::default() });
    let gate = world.gate();
    let held = lease(&gate).await;
    assert!(starts(&gate, OWN, "c1").await);
    assert!(starts(&gate, "agent:main:telegram:direct:1", "c2").await, "all sessions of an agent count");
    assert!(!starts(&gate, OWN, "c3").await, "two are under way");
    gate.subagents(&office(), alive(&[(CHILD, OWN), ("agent:main:subagent:b", OWN)])).await.unwrap();
    started(&gate, OWN, "c1").await;
    started(&gate, "agent:main:telegram:direct:1", "c2").await;
    assert!(!starts(&gate, OWN, "c4").await, "two are there");
    drop((held, gate));
    let gate = world.next_gate().await;
    assert!(!starts(&gate, OWN, "c5").await, "and are after a restart");
    let held = lease(&gate).await;
    gate.subagents(&office(), alive(&[(CHILD, OWN)])).await.unwrap();
    assert!(starts(&gate, OWN, "c6").await, "one has ended");
    // One whose result never comes counts as long as it could still begin.
    assert!(!starts(&gate, OWN, "c7").await);
    world.later(Duration::from_secs(16 * 60));
    assert!(starts(&gate, OWN, "c8").await);
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_at_the_same_time_are_no_more_than_may_be() {
    let world = world(Rule { count: 3, ..Rule::default() });
    let gate = world.gate();
    let calls = (0..12).map(|at| {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move { starts(&gate, &format!("agent:main:s{at}"), &format!("c{at}")).await })
    });
    let mut allowed = 0;
    for one in calls.collect::<Vec<_>>() {
        allowed += usize::from(one.await.unwrap());
    }
    assert_eq!(allowed, 3);
}

#[tokio::test]
async fn a_start_below_the_depth_is_refused_and_so_is_one_of_nobody_knows_where() {
    let world = world(Rule { depth: 2, count: 20, ..Rule::default() });
    let gate = world.gate();
    let held = lease(&gate).await;
    let (deeper, ring) = ("agent:main:subagent:b", ["agent:main:subagent:x", "agent:main:subagent:y"]);
    gate.subagents(&office(), alive(&[(CHILD, OWN), (deeper, CHILD), (ring[0], ring[1]), (ring[1], ring[0])]))
        .await
        .unwrap();
    for (id, session, may) in [
        ("c1", OWN, true),
        ("c2", CHILD, true),
        ("c3", deeper, false),
        ("c4", "agent:main:subagent:never-told", false),
        ("c5", ring[0], false),
    ] {
        assert_eq!(starts(&gate, session, id).await, may, "{session}");
    }
    world.publish_agent(3, world.agent(Level::Autonomous), Asking::default());
    assert!(!starts(&gate, CHILD, "c6").await, "by default none of them starts others");
    drop(held);
}
