//! The map is kept by this test: who may depend on whom, and what a crate must never hear of.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Crate, its folder, what it may use of ours. A name depends only on names above it.
const MAP: &[(&str, &str, &[&str])] = &[
    ("wardkeep-proto", "proto", &[]),
    ("wardkeep-passkey", "passkey", &["wardkeep-proto"]),
    ("wardkeep-redaction", "egress-proxy/redaction", &["wardkeep-proto"]),
    ("wardkeep-policy", "policy", &["wardkeep-proto", "wardkeep-redaction"]),
    ("wardkeep-vault", "tenant-agent/vault", &["wardkeep-proto"]),
    ("wardkeep-lock", "tenant-agent/lock", &["wardkeep-proto"]),
    ("wardkeep-provisioner", "provisioner", &["wardkeep-proto"]),
    (
        "wardkeep-safety",
        "safety-wrapper",
        &["wardkeep-proto", "wardkeep-passkey", "wardkeep-policy", "wardkeep-redaction"],
    ),
    ("wardkeep-egress", "egress-proxy", &["wardkeep-proto", "wardkeep-policy", "wardkeep-redaction"]),
    (
        "wardkeep-agent",
        "tenant-agent",
        &[
            "wardkeep-proto",
            "wardkeep-passkey",
            "wardkeep-policy",
            "wardkeep-redaction",
            "wardkeep-vault",
            "wardkeep-lock",
            "wardkeep-safety",
            "wardkeep-egress",
        ],
    ),
    (
        "wardkeep-hub",
        "hub",
        &["wardkeep-proto", "wardkeep-passkey", "wardkeep-redaction", "wardkeep-policy", "wardkeep-provisioner"],
    ),
    (
        "wardkeep-tests",
        "tests",
        &[
            "wardkeep-proto",
            "wardkeep-passkey",
            "wardkeep-policy",
            "wardkeep-redaction",
            "wardkeep-vault",
            "wardkeep-lock",
            "wardkeep-provisioner",
            "wardkeep-safety",
            "wardkeep-egress",
            "wardkeep-agent",
            "wardkeep-hub",
        ],
    ),
    (
        "wardkeep-benches",
        "tests/benches",
        &["wardkeep-proto", "wardkeep-policy", "wardkeep-redaction", "wardkeep-safety", "wardkeep-egress"],
    ),
    ("wardkeep-dev", "tests/dev", &[]),
];

/// What a crate never hears of, as crates that would bring it. Direct dependencies of any kind but those of tests.
const NEVER: &[(&str, &[&str])] = &[
    ("wardkeep-proto", &["rusqlite", "axum", "hyper", "reqwest"]),
    ("wardkeep-passkey", &["tokio", "hyper", "http", "axum", "reqwest", "rusqlite", "tonic", "rustix"]),
    ("wardkeep-policy", &["tokio", "hyper", "http", "axum", "reqwest", "rusqlite", "tonic", "rustix"]),
    ("wardkeep-redaction", &["tokio", "hyper", "http", "axum", "reqwest", "rusqlite", "tonic", "rustix"]),
    ("wardkeep-vault", &["hyper", "http", "axum", "reqwest", "tonic"]),
    // Of HTTP it knows the few questions to a Docker engine (decision 0022), and serves none.
    ("wardkeep-lock", &["axum", "reqwest", "tonic", "rusqlite"]),
    ("wardkeep-provisioner", &["rusqlite", "axum", "askama"]),
    ("wardkeep-safety", &["tonic", "askama"]),
    ("wardkeep-egress", &["tonic", "askama"]),
    ("wardkeep-agent", &["askama"]),
    ("wardkeep-hub", &["landlock", "brush-parser", "rable"]),
];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    serde_json::from_value(metadata["packages"].take()).expect("a list")
}

fn dependencies(package: &Value) -> impl Iterator<Item = (&str, &str)> {
    let all = package["dependencies"].as_array().into_iter().flatten();
    all.filter_map(|of| Some((of["name"].as_str()?, of["kind"].as_str().unwrap_or("normal"))))
}

#[test]
fn every_crate_is_on_the_map_where_the_map_says() {
    let places: BTreeMap<&str, &str> = MAP.iter().map(|(name, folder, _)| (*name, *folder)).collect();
    let packages = packages();
    let found: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    assert_eq!(found, places.keys().copied().collect(), "crates of the workspace and of the map");
    for package in &packages {
        let name = package["name"].as_str().expect("a name");
        let manifest = package["manifest_path"].as_str().expect("a path");
        assert!(manifest.ends_with(&format!("/{}/Cargo.toml", places[name])), "{name} is at {manifest}");
    }
}

#[test]
fn nothing_points_back() {
    for (index, (name, _, may)) in MAP.iter().enumerate() {
        let above: Vec<&str> = MAP[..index].iter().map(|(name, ..)| *name).collect();
        assert!(may.iter().all(|used| above.contains(used)), "the map itself: {name}");
    }
    let may: BTreeMap<&str, &[&str]> = MAP.iter().map(|(name, _, may)| (*name, *may)).collect();
    for package in &packages() {
        let name = package["name"].as_str().expect("a name");
        for (used, kind) in dependencies(package).filter(|(used, _)| may.contains_key(used)) {
            assert!(
                may[name].contains(&used),
                "{name} must not use {used} ({kind} dependency): see the map in tests/architecture.rs"
            );
        }
    }
}

#[test]
fn crates_never_hear_of_what_is_not_theirs() {
    let never: BTreeMap<&str, &[&str]> = NEVER.iter().copied().collect();
    for package in &packages() {
        let name = package["name"].as_str().expect("a name");
        let forbidden = never.get(name).copied().unwrap_or_default();
        for (used, kind) in dependencies(package).filter(|(_, kind)| *kind != "dev") {
            assert!(!forbidden.contains(&used), "{name} must never hear of {used} ({kind} dependency)");
        }
    }
}

#[test]
fn every_crate_keeps_the_common_rules() {
    for package in &packages() {
        let name = package["name"].as_str().expect("a name");
        let manifest = std::fs::read_to_string(package["manifest_path"].as_str().expect("a path")).expect("readable");
        assert!(manifest.contains("[lints]\nworkspace = true\n"), "{name}: lints of the workspace");
        assert_eq!(package["license"], "Apache-2.0", "{name}");
        assert_eq!(package["publish"], Value::Array(Vec::new()), "{name} is not published");
        assert!(package["description"].is_string(), "{name} says what it is");
    }
}
