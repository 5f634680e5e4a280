//! What tools asked of the network, in the audit log.

use super::*;
use crate::EgressNote;

fn note(kind: &'static str, destination: &str) -> EgressNote {
    EgressNote {
        kind,
        agent: Some(office()),
        destination: destination.to_owned(),
        request: format!("GET /{SECRET}"),
        reason: if kind == "egress-refused" { "unlisted-host".to_owned() } else { String::new() },
        secrets: vec!["api_key".to_owned()],
        times: 3,
        is_notice: kind == "egress-refused",
    }
}

#[tokio::test]
async fn notes_are_told_without_secrets_and_refusals_are_lines_for_people() {
    let world = World::new(Level::Autonomous);
    // The secret was stored a moment ago.
    world.unlearn();
    let gate = world.gate();
    let notes = vec![
        note("egress-refused", &format!("{SECRET}.evil.example:443")),
        note("egress-inspected", "api.example.com:443"),
    ];
    gate.tell_egress(notes).await.unwrap();
    let rows = gate.audit_after(0, 100).await.unwrap();
    let told: Vec<_> = rows.iter().filter(|row| row.kind.starts_with("egress-")).collect();
    assert_eq!(told.len(), 2);
    assert!(told[0].fields.contains(r#""reason":"unlisted-host""#) && told[0].fields.contains(r#""times":3"#));
    assert!(told[1].fields.contains(r#""destination":"api.example.com:443""#));
    assert!(told.iter().all(|row| row.fields.contains("SECRET_REF(") && row.fields.contains(r#""agent":"office""#)));
    let lines = gate.activity_after(0, 10).await.unwrap();
    assert_eq!(lines.len(), 1, "what passes is not told to people");
    assert!(lines[0].summary.contains("office →") && lines[0].summary.ends_with("unlisted-host (3 times)"));
    assert!(!world.state_holds_the_secret());
    drop(gate);
    audit::verify_folder(&world.state()).unwrap();
}
