use super::*;
use crate::config::{HubSection, VaultSection};
use crate::testing::{Authority, Counted, NOW, TestClock};

fn level(finding: &Finding) -> Level {
    assert_eq!(finding.level == Level::Ok, finding.what_to_do.is_empty(), "{finding:?}");
    finding.level
}

#[test]
fn a_clock_is_judged_in_both_directions() {
    for (skew, want) in [
        (i64::MIN, Level::Error),
        (-300_000, Level::Error),
        (300_000, Level::Error),
        (30_000, Level::Warning),
        (-29_999, Level::Ok),
        (0, Level::Ok),
    ] {
        assert_eq!(level(&clock(skew)), want, "{skew}");
    }
}

#[test]
fn a_sandbox_that_does_not_hold_is_said_aloud() {
    for (wanted, kernel, want) in [
        (Sandbox::Landlock, SandboxState::None, Level::Error),
        (Sandbox::Landlock, SandboxState::Partial, Level::Warning),
        (Sandbox::Off, SandboxState::Full, Level::Warning),
        (Sandbox::Landlock, SandboxState::Full, Level::Ok),
    ] {
        assert_eq!(level(&sandbox(wanted, kernel)), want, "{wanted:?} {kernel:?}");
    }
}

#[test]
fn the_linked_sqlite_is_new_enough() {
    assert_eq!(level(&sqlite()), Level::Ok);
}

#[tokio::test]
async fn an_empty_server_gets_one_error_for_each_thing_that_is_missing() {
    let dir = tempfile::tempdir().expect("tempdir");
    let config = Config {
        state_dir: dir.path().join("state"),
        runtime_dir: dir.path().join("run"),
        hub: HubSection::default(),
        vault: VaultSection { key_file: dir.path().join("vault.key"), credential: None },
        ..Config::default()
    };
    let env = Environment {
        credentials_dir: None,
        agent_token: None,
        program: "/bin/false".into(),
        clock: std::sync::Arc::new(TestClock::new()),
        chance: std::sync::Arc::new(Counted::default()),
        waypoints: std::sync::Arc::new(wardkeep_proto::waypoint::NoWaypoints),
    };
    let findings = Doctor::new(config, env).examine().await;
    let errors: Vec<&str> = findings.iter().filter(|f| f.level == Level::Error).map(|f| f.check.as_str()).collect();
    for check in ["permissions", "disk", "identity", "vault", "daemon"] {
        assert!(errors.contains(&check), "{check}: {errors:?}");
    }
    assert!(findings.iter().all(|f| (f.level == Level::Ok) == f.what_to_do.is_empty()));
    assert!(!dir.path().join("state").exists(), "looking makes nothing");
}

#[test]
fn a_certificate_is_judged_by_its_life() {
    let ca = Authority::new("hub");
    let identity = Identity {
        tenant: "01890000-0000-7000-8000-000000000001".parse().expect("a UUID"),
        name: "acme".into(),
        hub: "https://localhost:1".parse().expect("valid"),
        ca: ca.certificate(),
        root_key: [0; 32],
        decision_key: [0; 32],
        client: ca.client("acme"),
    };
    let life = identity.client.validity().expect("readable");
    assert_eq!(level(&certificate(&identity, Timestamp(life.from.millis() - 1))), Level::Error);
    assert_eq!(level(&certificate(&identity, life.until)), Level::Error);
    assert_eq!(level(&certificate(&identity, Timestamp(life.until.millis() - 1))), Level::Warning);
    assert_eq!(level(&certificate(&identity, NOW)), Level::Ok);
}
