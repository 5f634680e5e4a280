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
    assert_eq!(level(&certificate(&identity, Timestamp(life.from.millis() - 1), "again")), Level::Error);
    assert_eq!(level(&certificate(&identity, life.until, "again")), Level::Error);
    assert_eq!(level(&certificate(&identity, Timestamp(life.until.millis() - 1), "again")), Level::Warning);
    assert_eq!(level(&certificate(&identity, NOW, "again")), Level::Ok);
}

#[test]
fn refused_and_damaged_bundles_have_their_own_finding_with_real_paths() {
    use crate::bundle_ledger::tests::Tenant;
    let tenant = Tenant::new();
    let state = StateDir::existing(tenant.bundle_dir.parent().expect("a parent"));
    let look = || {
        let (dir, identity) = tenant.identity();
        bundle::look(&state, dir, identity, NOW, "again")
    };
    assert_eq!((look().check.as_str(), level(&look())), ("policy", Level::Error), "none yet");
    let _ = tenant.open().accept(1, &tenant.envelope(1), NOW).expect("accepted");
    assert_eq!((look().check.as_str(), level(&look())), ("policy", Level::Ok));

    let (mark, envelope) = (tenant.bundle_dir.join("seen.json"), tenant.bundle_dir.join("current.dsse"));
    let (good_mark, good) = (std::fs::read(&mark).expect("reads"), std::fs::read(&envelope).expect("reads"));
    let path = tenant.bundle_dir.display().to_string();
    for (broken_mark, broken) in [(None, &good[..]), (Some(&b"{"[..]), &good[..]), (Some(&good_mark[..]), b"{}")] {
        match broken_mark {
            Some(bytes) => std::fs::write(&mark, bytes).expect("written"),
            None => std::fs::remove_file(&mark).expect("removed"),
        }
        std::fs::write(&envelope, broken).expect("written");
        let finding = look();
        assert_eq!((finding.check.as_str(), level(&finding)), ("bundle", Level::Error), "{finding:?}");
        assert!(finding.what_to_do.contains(&path), "{finding:?}");
    }
}

#[test]
fn paused_agents_are_named_with_the_way_back() {
    let findings = running(&report(&[("office", true), ("shop", false)]), &Config::default(), NOW);
    let paused: Vec<_> = findings.iter().filter(|finding| finding.check == "paused").collect();
    assert_eq!(paused.len(), 1, "{findings:?}");
    assert_eq!(level(paused[0]), Level::Warning);
    assert!(
        paused[0].found.contains("office")
            && paused[0].what_to_do.contains("`wardkeep-agent resume office --reason WHY`")
    );
}

#[test]
fn providers_that_fail_are_named_and_keys_that_are_not_taken() {
    let mut report = report(&[]);
    let provider = |findings: Vec<Finding>| {
        findings
            .into_iter()
            .filter(|finding| finding.check == "provider")
            .map(|one| one.found + &one.what_to_do)
            .collect()
    };
    let none: Vec<String> = provider(running(&report, &Config::default(), NOW));
    assert!(none.is_empty());
    report.providers = serde_json::from_value(serde_json::json!([{
        "provider": "claude", "resting_until": NOW, "failures": 5,
        "cooling": [{"key": "k1", "until": NOW, "rejected": true}, {"key": "k2", "until": NOW, "rejected": false}],
    }]))
    .expect("states");
    let told: Vec<String> = provider(running(&report, &Config::default(), NOW));
    assert_eq!(told.len(), 2, "a key that was used too often is no fault: {told:?}");
    assert!(
        told[0].contains("claude failed 5 times") && told[1].contains("`wardkeep-agent vault rotate k1`"),
        "{told:?}"
    );
}

fn report(agents: &[(&str, bool)]) -> StatusReport {
    let agents: Vec<_> = agents
        .iter()
        .map(|(agent, paused)| serde_json::json!({ "agent": agent, "lease_until": null, "runtime": "", "paused": paused }))
        .collect();
    serde_json::from_value(serde_json::json!({
        "tenant": "01890000-0000-7000-8000-000000000001", "name": "acme", "hub": "https://localhost:1",
        "link": crate::link::LinkState::default(), "bundle": crate::bundle_book::BundleFacts::default(),
        "closed": [], "waiting": crate::spool::Waiting::default(),
        "listening": {
            "hooks": "127.0.0.1:1", "llm": "127.0.0.1:2", "proxy": "127.0.0.1:3", "hook_socket": "/h", "admin_socket": "/a", "pid": 1,
        },
        "status": {
            "agent_version": "0", "hostname": "h", "started_at": NOW, "generation": 0, "closed": [], "agents": agents,
            "audit_length": 0, "audit_head": "0".repeat(64), "open_approvals": 0, "memory_bytes": 0, "clock_skew_ms": 0,
        },
    }))
    .expect("a report")
}

#[test]
fn a_path_in_advice_survives_a_shell() {
    for (path, want) in
        [("/var/lib/wardkeep", "/var/lib/wardkeep"), ("/a b/it's", "'/a b/it'\\''s'"), ("/$(x)", "'/$(x)'")]
    {
        assert_eq!(quoted(Path::new(path)), want);
    }
}
