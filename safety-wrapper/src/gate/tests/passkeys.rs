//! Critical calls: what a pinned passkey signed lets them run, and nothing else does.

use wardkeep_passkey::soft::SoftKey;
use wardkeep_passkey::{Assertion, Introduction, Refused};

use super::*;
use crate::passkey::{KnownPasskey, NotProven, PasskeyError, PasskeyOffer, PasskeyState};

const ORIGIN: &str = "https://hub.example.com";

fn key(name: &[u8]) -> SoftKey {
    SoftKey::es256(ORIGIN, name)
}

fn offer(key: &SoftKey) -> PasskeyOffer {
    PasskeyOffer {
        passkey: key.passkey(),
        name: "phone".to_owned(),
        owner: "ada@example.com".to_owned(),
        withdrawn: false,
        introduction: None,
    }
}

async fn pinned(gate: &Gate, key: &SoftKey) {
    gate.offer_passkeys(vec![offer(key)]).await.unwrap();
    gate.pin_passkey(key.passkey().code(), None, "local:uid-0").await.unwrap();
}

/// A critical call that harms nobody: what it names is not there.
fn critical(id: &str) -> Proposal {
    call(id, "shell", json!({"command": format!("echo {id} >> ran; ufw disable")}))
}

async fn asked(gate: &Arc<Gate>, id: &str) -> Digest {
    let digest = digest_of(&gate.before_tool_call(&office(), critical(id)).await.unwrap());
    assert_eq!(approval(gate, digest).await.factor, wardkeep_policy::Factor::Passkey);
    digest
}

async fn approve(gate: &Arc<Gate>, digest: Digest, assertion: Assertion) -> Result<(), RulingError> {
    gate.decide_with_passkey(digest, ruling(Verdict::Approved), Some(assertion)).await
}

fn why(result: Result<(), RulingError>) -> NotProven {
    match result {
        Err(RulingError::Passkey(why)) => why,
        other => panic!("not refused for its passkey: {other:?}"),
    }
}

#[tokio::test]
async fn a_pinned_key_lets_one_critical_call_run_once() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let mut phone = key(b"phone");
    pinned(&gate, &phone).await;
    let digest = asked(&gate, "c1").await;
    let assertion = phone.assert(&digest);
    approve(&gate, digest, assertion.clone()).await.unwrap();
    let _ = settled(&gate, "c1").await;
    assert_eq!(world.runs(), 1);
    // The hub repeats what it has no receipt for; nothing runs again.
    approve(&gate, digest, assertion.clone()).await.unwrap();
    // Shown again for another call, it says nothing.
    let other = asked(&gate, "c2").await;
    assert_eq!(why(approve(&gate, other, assertion).await), NotProven::Refused(Refused::Challenge));
    assert_eq!(world.runs(), 1);
    let kinds = audit_kinds(&gate).await;
    assert_eq!((kinds["ruling-with-passkey"], kinds["ruling-without-passkey"], kinds["passkey-pinned"]), (1, 1, 1));
    let row =
        gate.audit_after(0, 1000).await.unwrap().into_iter().find(|row| row.kind == "ruling-with-passkey").unwrap();
    let kept: Value = serde_json::from_str(&row.fields).unwrap();
    let kept: Assertion = serde_json::from_value(kept["assertion"].clone()).unwrap();
    assert!(phone.passkey().verify(&kept, &digest).is_ok(), "anybody can verify it later");
}

#[tokio::test]
async fn nothing_else_does() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let (mut phone, mut stranger, mut offered) = (key(b"phone"), key(b"stranger"), key(b"offered"));
    pinned(&gate, &phone).await;
    gate.offer_passkeys(vec![offer(&offered)]).await.unwrap();
    let digest = asked(&gate, "c1").await;
    assert_eq!(why(approve(&gate, digest, stranger.assert(&digest)).await), NotProven::NotPinned);
    assert_eq!(why(approve(&gate, digest, offered.assert(&digest)).await), NotProven::NotPinned);
    let mut impostor = key(b"phone");
    assert_eq!(why(approve(&gate, digest, impostor.assert(&digest)).await), NotProven::Refused(Refused::Signature));
    let mut says = phone.says("webauthn.get", &digest.0);
    says.flags = 1;
    assert_eq!(why(approve(&gate, digest, phone.sign(&says)).await), NotProven::Refused(Refused::NotVerified));
    let tenant = tenant();
    let introduction = Introduction { expires_ms: Timestamp(START), fingerprint: digest, tenant };
    let introduced = phone.assert(&introduction.challenge());
    assert_eq!(why(approve(&gate, digest, introduced).await), NotProven::Refused(Refused::Challenge));
    let plain = gate.decide_approval(digest, ruling(Verdict::Approved)).await;
    assert!(matches!(plain, Err(RulingError::NeedsPasskey)), "{plain:?}");
    // Whoever hands a ruling in cannot say that a key had signed it.
    let claimed = Ruling { passkey: Some(phone.passkey().fingerprint()), ..ruling(Verdict::Approved) };
    assert!(matches!(gate.decide_approval(digest, claimed).await, Err(RulingError::NeedsPasskey)));
    assert_eq!((approval(&gate, digest).await.state, world.runs()), (ApprovalState::Pending, 0));
    // After all that, the real one still counts.
    approve(&gate, digest, phone.assert(&digest)).await.unwrap();
    let _ = settled(&gate, "c1").await;
    assert_eq!(world.runs(), 1);
}

#[tokio::test]
async fn a_counter_that_does_not_go_on_betrays_a_copy() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let mut phone = key(b"phone");
    phone.counter = Some(7);
    pinned(&gate, &phone).await;
    let first = asked(&gate, "c1").await;
    approve(&gate, first, phone.assert(&first)).await.unwrap();
    let second = asked(&gate, "c2").await;
    for counter in [Some(7), Some(6), None] {
        let mut says = phone.says("webauthn.get", &second.0);
        says.counter = counter.map_or(0, |counter| counter + 1);
        let (shown, passkey) = (says.counter, phone.passkey().fingerprint());
        let want = NotProven::Counter { passkey, highest: 8, shown };
        assert_eq!(why(approve(&gate, second, phone.sign(&says)).await), want, "{counter:?}");
    }
    let rows = gate.audit_after(0, 1000).await.unwrap();
    let counters = rows.iter().filter(|row| row.fields.contains("\"counter\":{\"highest\":8,\"shown\":")).count();
    assert_eq!(counters, 3, "each is in the audit log");
    approve(&gate, second, phone.assert(&second)).await.unwrap();
}

#[tokio::test]
async fn what_a_hub_says_pins_nothing() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let (mut phone, mut evil) = (key(b"phone"), key(b"evil"));
    pinned(&gate, &phone).await;
    // Its whole list is exchanged; a key under the other's name and owner, one with its credential, one that says who let it in.
    let twin = PasskeyOffer { passkey: key(b"phone").passkey(), ..offer(&evil) };
    let until = Timestamp(START + 1000);
    let introduction = Introduction { expires_ms: until, fingerprint: evil.passkey().fingerprint(), tenant: tenant() };
    let by_itself = evil.assert(&introduction.challenge());
    let said = PasskeyOffer { introduction: Some((until, by_itself)), ..offer(&evil) };
    for list in [vec![], vec![offer(&evil)], vec![twin], vec![said.clone()], vec![said; 3]] {
        gate.offer_passkeys(list).await.unwrap();
        assert_eq!(gate.pinned_passkeys().await.unwrap(), [phone.passkey().fingerprint()]);
    }
    assert_eq!(audit_kinds(&gate).await["passkey-refused"], 1, "told once, not at each list");
    let digest = asked(&gate, "c1").await;
    assert!(matches!(approve(&gate, digest, evil.assert(&digest)).await, Err(RulingError::Passkey(_))));
    approve(&gate, digest, phone.assert(&digest)).await.unwrap();
}

#[tokio::test]
async fn a_pinned_key_lets_another_in_for_this_server_in_time() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let (mut phone, laptop) = (key(b"phone"), key(b"laptop"));
    pinned(&gate, &phone).await;
    let until = Timestamp(START + 60_000);
    let good = Introduction { expires_ms: until, fingerprint: laptop.passkey().fingerprint(), tenant: tenant() };
    let elsewhere = "01890a5d-ac96-774b-bcce-b302099a8058".parse().unwrap();
    let states = async |introduction| {
        let offer = PasskeyOffer { introduction: Some(introduction), ..offer(&laptop) };
        gate.offer_passkeys(vec![offer]).await.unwrap();
        gate.passkeys().await.unwrap().into_iter().find(|known| known.passkey == laptop.passkey()).unwrap()
    };
    for (what, signed, until) in [
        ("another server", Introduction { tenant: elsewhere, ..good }, until),
        ("another key", Introduction { fingerprint: Digest([1; 32]), ..good }, until),
        ("another time", good, Timestamp(START + 120_000)),
        ("over", Introduction { expires_ms: Timestamp(START), ..good }, Timestamp(START)),
    ] {
        let known = states((until, phone.assert(&signed.challenge()))).await;
        assert_eq!(known.state, PasskeyState::Offered, "{what}");
    }
    let signed = phone.assert(&good.challenge());
    let KnownPasskey { state, by, .. } = states((until, signed.clone())).await;
    assert_eq!((state, by), (PasskeyState::Pinned, format!("passkey {}", phone.passkey().code())));
    // Removed here, what let it in once is shown again.
    gate.remove_passkey(laptop.passkey().code(), "local:uid-0").await.unwrap();
    assert_eq!(states((until, signed)).await.state, PasskeyState::Removed);
    gate.pin_passkey(laptop.passkey().code(), Some("laptop"), "local:uid-0").await.unwrap();
    assert_eq!(gate.pinned_passkeys().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_removed_key_approves_nothing_not_even_what_it_approved() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let mut phone = key(b"phone");
    pinned(&gate, &phone).await;
    let (early, late) = (asked(&gate, "c1").await, asked(&gate, "c2-other").await);
    // Approved while the machine is closed: it waits.
    world.lock_vault();
    approve(&gate, early, phone.assert(&early)).await.unwrap();
    gate.remove_passkey(phone.passkey().code(), "local:uid-0").await.unwrap();
    assert_eq!(why(approve(&gate, late, phone.assert(&late)).await), NotProven::NotPinned);
    world.open_vault();
    gate.resume_after_start().await.unwrap();
    assert!(reasons_of(&settled(&gate, "c1").await).contains("passkey"), "{:?}", settled(&gate, "c1").await);
    assert_eq!(world.runs(), 0);
    // The owner gives a key up in the portal.
    gate.pin_passkey(phone.passkey().code(), None, "local:uid-0").await.unwrap();
    gate.offer_passkeys(vec![PasskeyOffer { withdrawn: true, ..offer(&phone) }]).await.unwrap();
    assert!(gate.pinned_passkeys().await.unwrap().is_empty());
    gate.offer_passkeys(vec![offer(&phone)]).await.unwrap();
    assert!(gate.pinned_passkeys().await.unwrap().is_empty(), "a hub gives nothing back");
}

#[tokio::test]
async fn pins_survive_the_daemon_and_are_for_known_codes_only() {
    let world = World::new(Level::Autonomous);
    let mut phone = key(b"phone");
    {
        let gate = world.gate();
        let unknown = gate.pin_passkey(phone.passkey().code(), None, "local:uid-0").await;
        assert!(matches!(unknown, Err(PasskeyError::Unknown)), "{unknown:?}");
        pinned(&gate, &phone).await;
        let again = gate.pin_passkey(phone.passkey().code(), None, "local:uid-0").await;
        assert!(matches!(again, Err(PasskeyError::Pinned)), "{again:?}");
    }
    let gate = world.next_gate().await;
    let digest = asked(&gate, "c1").await;
    approve(&gate, digest, phone.assert(&digest)).await.unwrap();
}
