//! The same again, given with an approval: exactly what the document offered, for the agent that asked, no longer and no oftener,
//! whoever carries the decision.

use wardkeep_policy::Granting;
use wardkeep_proto::grant::GrantTerms;

use super::*;
use crate::approval::NotGranted;

const BOUNDS: Granting = Granting { hours: 8, uses: 20, domains: true };
const HOUR: Duration = Duration::from_secs(3600);

impl World {
    /// Two agents, alike, whose people may grant.
    fn bounded(&self, version: u64, granting: Granting) {
        self.publish_with(version, Level::Supervised, Vec::new(), Asking::default());
        self.bundle.send_modify(|bundle| {
            let mut bounded = (**bundle).clone();
            bounded.agents.push(AgentPolicy { name: other(), ..bounded.agents[0].clone() });
            bounded.granting = granting;
            *bundle = Arc::new(bounded);
        });
    }
}

fn world() -> World {
    let world = World::new(Level::Supervised);
    world.bounded(2, BOUNDS);
    world
}

fn other() -> AgentName {
    "other".parse().unwrap()
}

fn push(id: &str) -> Proposal {
    call(id, "shell", json!({"command": "git push origin main"}))
}

fn with(hours: u32, scope: u32, uses: u32) -> Ruling {
    Ruling { grant: Some(GrantTerms { hours, scope, uses }), ..ruling(Verdict::Approved) }
}

async fn asked(gate: &Arc<Gate>, id: &str) -> Digest {
    digest_of(&gate.before_tool_call(&office(), push(id)).await.unwrap())
}

/// Asks once, is approved with these terms.
async fn given(gate: &Arc<Gate>, hours: u32, uses: u32) -> Digest {
    let digest = asked(gate, "asked").await;
    gate.decide_approval(digest, with(hours, 0, uses)).await.unwrap();
    digest
}

async fn runs(gate: &Arc<Gate>, id: &str) -> bool {
    !gate.before_tool_call(&office(), push(id)).await.unwrap().is_pending()
}

#[tokio::test]
async fn it_covers_these_words_of_this_agent_so_often_and_no_more_over_restarts() {
    let world = world();
    let gate = world.gate();
    given(&gate, 2, 2).await;
    for (agent, proposal) in [
        (other(), push("a1")),
        (office(), call("a2", "shell", json!({"command": "git push origin next"}))),
        (office(), call("a3", "shell", json!({"command": "git push origin main && ls"}))),
        (office(), call("a4", "shell", json!({"command": "git push -f origin main"}))),
        (office(), Proposal { cwd: Some("sub".to_owned()), ..push("a5") }),
    ] {
        let what = format!("{agent} {}", proposal.args);
        assert!(gate.before_tool_call(&agent, proposal).await.unwrap().is_pending(), "{what}");
    }
    assert!(runs(&gate, "c1").await);
    drop(gate);
    let gate = world.next_gate().await;
    let known = gate.grants().await.unwrap().remove(0);
    assert_eq!((known.used, known.left, known.live), (1, Some(1), true));
    assert!(runs(&gate, "c2").await);
    assert!(!runs(&gate, "c3").await);
    let kinds = audit_kinds(&gate).await;
    assert_eq!((kinds["grant-given"], kinds["grant-used"]), (1, 2));
    let known = gate.grants_given().await.unwrap().remove(0);
    assert_eq!((known.left, known.live, known.revoked), (Some(0), false, false));
}

#[tokio::test]
async fn nothing_that_the_document_does_not_offer_is_given_and_nothing_is_decided_by_it() {
    let world = world();
    let gate = world.gate();
    let digest = asked(&gate, "c1").await;
    let deny = Ruling { grant: with(1, 0, 1).grant, ..ruling(Verdict::Denied) };
    for (ruling, why) in [
        (with(9, 0, 1), NotGranted::TooWide),
        (with(1, 0, 21), NotGranted::TooWide),
        (with(0, 0, 1), NotGranted::TooWide),
        (with(1, 0, 0), NotGranted::TooWide),
        (with(u32::MAX, 0, u32::MAX), NotGranted::TooWide),
        (with(1, 1, 1), NotGranted::TooWide),
        (with(1, u32::MAX, 1), NotGranted::TooWide),
        (deny, NotGranted::NotOffered),
    ] {
        let refused = gate.decide_approval(digest, ruling.clone()).await;
        assert!(matches!(&refused, Err(RulingError::Grant(found)) if *found == why), "{ruling:?}: {refused:?}");
    }
    assert_eq!(gate.approval(digest).await.unwrap().unwrap().state, ApprovalState::Pending);
    assert!(gate.grants().await.unwrap().is_empty());
    // What is Red or critical offers none, and neither does a policy that lets nobody grant.
    let red = digest_of(
        &gate.before_tool_call(&office(), call("r", "shell", json!({"command": "rm -rf old"}))).await.unwrap(),
    );
    let critical = digest_of(
        &gate.before_tool_call(&office(), call("k", "shell", json!({"command": "ufw disable"}))).await.unwrap(),
    );
    world.bounded(3, Granting::default());
    let unbounded = call("u", "shell", json!({"command": "git push origin next"}));
    let unbounded = digest_of(&gate.before_tool_call(&office(), unbounded).await.unwrap());
    for digest in [red, unbounded] {
        let refused = gate.decide_approval(digest, with(1, 0, 1)).await;
        assert!(matches!(refused, Err(RulingError::Grant(NotGranted::NotOffered))), "{refused:?}");
    }
    assert!(matches!(gate.decide_approval(critical, with(1, 0, 1)).await, Err(RulingError::NeedsPasskey)));
    // Nor does what was offered outlive the policy that offered it.
    assert!(matches!(gate.decide_approval(digest, with(1, 0, 1)).await, Err(RulingError::Grant(NotGranted::TooWide))));
    // Without the grant each can be decided.
    gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
    assert_eq!(audit_kinds(&gate).await["grant-refused"], 10);
    assert!(gate.grants_given().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_decision_that_comes_again_gives_nothing_again() {
    let world = world();
    let gate = world.gate();
    let digest = given(&gate, 2, 1).await;
    assert!(runs(&gate, "c1").await);
    gate.decide_approval(digest, with(2, 0, 1)).await.unwrap();
    assert!(!runs(&gate, "c2").await, "a replay filled it up");
    for wider in [with(8, 0, 20), with(2, 0, 2), ruling(Verdict::Approved)] {
        let refused = gate.decide_approval(digest, wider).await;
        assert!(matches!(refused, Err(RulingError::AlreadyDecided(_))), "{refused:?}");
    }
    let id = gate.grants().await.unwrap()[0].id.to_string();
    gate.revoke_grant(&id, "local:uid-0").await.unwrap();
    gate.decide_approval(digest, with(2, 0, 1)).await.unwrap();
    assert!(gate.grants().await.unwrap()[0].revoked);
    // An approval without a grant that comes again with one.
    let digest = asked(&gate, "c2").await;
    gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
    assert!(matches!(gate.decide_approval(digest, with(2, 0, 1)).await, Err(RulingError::AlreadyDecided(_))));
    assert_eq!(audit_kinds(&gate).await["grant-given"], 1);
}

#[tokio::test]
async fn it_ends_by_the_clock_and_no_clock_that_goes_back_brings_it_back() {
    let world = world();
    let gate = world.gate();
    world.later(HOUR);
    // Kept back for an hour by whoever carries it: it was good for two, so one is left.
    given(&gate, 2, 20).await;
    assert!(runs(&gate, "c1").await);
    world.later(HOUR - Duration::from_secs(1));
    assert!(runs(&gate, "c2").await);
    let back = |by: Duration| world.clock.0.fetch_sub(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    back(Duration::from_secs(30 * 60));
    assert!(!runs(&gate, "c3").await, "the clock was set back");
    assert!(!gate.grants().await.unwrap()[0].live);
    back(2 * HOUR);
    assert!(!runs(&gate, "c4").await, "to before it was given");
    drop(gate);
    let gate = world.next_gate().await;
    assert!(!runs(&gate, "c5").await, "and the daemon was restarted");
    world.later(2 * HOUR + Duration::from_secs(30 * 60));
    assert!(runs(&gate, "c6").await, "the clock has caught up");
    world.later(Duration::from_secs(1));
    assert!(!runs(&gate, "c7").await, "it is over");
    assert!(gate.grants().await.unwrap().is_empty());
    // Over is over: what the log has seen, no clock undoes.
    back(HOUR);
    assert!(!runs(&gate, "c8").await);
}

#[tokio::test]
async fn a_stricter_policy_and_a_word_of_a_person_end_it_at_once() {
    let world = world();
    let gate = world.gate();
    given(&gate, 8, 3).await;
    assert!(runs(&gate, "c1").await);
    for (version, bounds) in
        [(3, Granting::default()), (4, Granting { uses: 1, ..BOUNDS }), (5, Granting { hours: 0, ..BOUNDS })]
    {
        world.bounded(version, bounds);
        assert!(!runs(&gate, &format!("b{version}")).await, "{bounds:?}");
    }
    world.bounded(6, Granting { hours: 1, ..BOUNDS });
    assert!(runs(&gate, "c2").await);
    world.later(HOUR);
    assert!(!runs(&gate, "c3").await, "it is given for eight hours, and the policy allows one");
    world.bounded(7, BOUNDS);
    assert!(runs(&gate, "c4").await);
    // No closed state opens by it.
    world.posture.close(Closed::HubAway);
    assert!(!runs(&gate, "c5").await);
    world.posture.reopen(Closed::HubAway);
    world.bounded(8, Granting { uses: 20, ..BOUNDS });
    let id = gate.grants().await.unwrap()[0].id.to_string();
    assert!(gate.revoke_grant(&id, "ada@example.com").await.unwrap().revoked);
    assert!(!runs(&gate, "c6").await);
    assert_eq!(audit_kinds(&gate).await["grant-revoked"], 1);
}

#[tokio::test]
async fn wherever_the_daemon_dies_it_is_given_with_its_approval_or_not_at_all() {
    for at in [Waypoint::DecisionReceived, Waypoint::DecisionRecorded] {
        let world = world();
        let gate = world.try_gate(Arc::new(DieAt { at, dead: AtomicBool::new(false) })).unwrap();
        let digest = asked(&gate, "asked").await;
        let dying = Arc::clone(&gate);
        assert!(tokio::spawn(async move { dying.decide_approval(digest, with(2, 0, 1)).await }).await.is_err());
        drop(gate);
        let gate = world.next_gate().await;
        let recorded = usize::from(at == Waypoint::DecisionRecorded);
        assert_eq!(gate.grants().await.unwrap().len(), recorded, "{at:?}");
        // The hub sends again what it has no receipt for.
        gate.decide_approval(digest, with(2, 0, 1)).await.unwrap();
        assert!(runs(&gate, "c1").await && !runs(&gate, "c2").await, "{at:?}");
        assert_eq!(audit_kinds(&gate).await["grant-given"], 1, "{at:?}");
    }
}

#[tokio::test]
async fn an_agent_has_only_so_many() {
    let world = world();
    let gate = world.gate();
    for at in 0..65 {
        let proposal = call(&format!("c{at}"), "shell", json!({"command": format!("git push origin branch-{at}")}));
        let digest = digest_of(&gate.before_tool_call(&office(), proposal).await.unwrap());
        let decided = gate.decide_approval(digest, with(1, 0, 1)).await;
        assert_eq!(decided.is_ok(), at < 64, "{at}: {decided:?}");
    }
    assert_eq!(gate.grants().await.unwrap().len(), 64);
}
