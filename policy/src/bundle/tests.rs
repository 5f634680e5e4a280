use super::*;

#[test]
fn the_strict_bundle_gives_nothing_away() {
    let strict = Bundle::strict();
    let agent = strict.agent(&"anybody".parse().unwrap()).unwrap();
    assert_eq!((agent.level, agent.grants.len(), agent.models.len()), (Level::Supervised, 0, 0));
    assert_eq!(strict.host_kind("api.example.com"), None);
    assert!(strict.llm.models.is_empty() && strict.llm.providers.is_empty());
}

#[test]
fn a_bundle_for_one_tenant_knows_only_its_agents() {
    let strict = Bundle::strict();
    let bundle = Bundle::default_for(strict.tenant, Vec::new(), LlmConfig::default(), Timestamp(5));
    assert_eq!(bundle.agent(&"anybody".parse().unwrap()), None);
    assert!(bundle.expires > bundle.issued);
}

#[test]
fn where_two_entries_cover_a_host_the_stricter_counts() {
    let mut bundle = Bundle::strict();
    bundle.http = vec![
        HttpHost { host: "*.example.com".into(), kind: HostKind::Own },
        HttpHost { host: "api.example.com".into(), kind: HostKind::Known },
    ];
    for (host, kind) in [
        ("example.com", None),
        ("evil.net", None),
        ("api.example.com", Some(HostKind::Known)),
        ("crm.example.com", Some(HostKind::Own)),
    ] {
        assert_eq!(bundle.host_kind(host), kind, "{host}");
    }
}

#[test]
fn json_and_back() {
    let mut bundle = Bundle::strict();
    bundle.any_agent = None;
    let json = bundle.to_json().unwrap();
    assert_eq!(serde_json::from_slice::<Bundle>(&json).unwrap(), bundle);
    assert!(!String::from_utf8(json).unwrap().contains("any_agent"));
}
