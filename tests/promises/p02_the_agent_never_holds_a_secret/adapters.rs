//! Credentials of adapters: put in by the daemon where the policy says so, sent to the host that they are bound to, and seen by
//! nobody else.

use serde_json::json;
use wardkeep_tests::simulators::newsletter::adapter::{BEARER, adapter};
use wardkeep_tests::story::stage::{AGENT, Stage};

/// The service under the name that its key is bound to, by header and by basic credentials, and under one that it is not bound to.
fn policy(stage: &Stage) -> String {
    let address = stage.newsletter.address();
    let header = r#"{ kind = "header", name = "X-Key", value = "SECRET_REF(newsletter_api_key)" }"#;
    let query = r#"{ kind = "query", name = "key", value = "SECRET_REF(newsletter_api_key)" }"#;
    let adapters = [
        ("news", format!("http://{address}"), BEARER),
        ("odd", format!("http://{address}"), header),
        ("asked", format!("http://{address}"), query),
        ("astray", format!("http://localhost:{}", address.port()), BEARER),
        (
            "strange",
            format!("http://{address}"),
            r#"{ kind = "header", name = "X-Key", value = "SECRET_REF(shop_db_password)" }"#,
        ),
    ];
    let adapters = adapters.map(|(id, base, auth)| adapter(id, &base, auth, &["account", "debug", "moved"]));
    let workspace = stage.tenant.workspace().display().to_string();
    let agent = format!("[[agents]]\nname = \"{AGENT}\"\nlevel = \"trusted\"\nworkspace = \"{workspace}\"\n\n");
    agent + &adapters.concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_an_adapter_reach_its_service_and_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = crate::stage(folder.path()).await;
    stage.follow(&policy(&stage)).await.expect("it is in force");
    let arrived = || stage.newsletter.requests().len();
    let said = async |call: &str, tool: &str, args| {
        let result = hooks.run(call, tool, args).await.expect("it runs").to_string();
        assert!(!result.contains(&stage.secrets.newsletter), "{tool}: the key reached the agent");
        result
    };
    // What the service shows of it, also as it shows the other places where a key can stand.
    assert!(said("c1", "news_account", json!({})).await.contains("SECRET_REF(newsletter_api_key)"));
    assert!(said("c2", "news_debug", json!({})).await.contains("SECRET_REF(newsletter_api_key)"));
    said("c3", "odd_debug", json!({})).await;
    said("c4", "asked_debug", json!({})).await;
    let seen = stage.newsletter.requests();
    let key = stage.secrets.newsletter.as_str();
    assert_eq!(seen[0].header("authorization"), Some(format!("Bearer {key}").as_str()));
    assert!(seen.iter().any(|request| request.header("x-key") == Some(key)), "the other header arrived");

    // A redirect is not followed, to wherever it leads.
    let before = arrived();
    for (call, to) in [("c5", "/v1/export"), ("c6", "http://localhost:1/"), ("c7", "//evil.example/")] {
        assert!(said(call, "news_moved", json!({"to": to})).await.contains("not followed"), "{to}");
    }
    assert_eq!(arrived(), before + 3);

    // Another name of the same machine is another host; another secret is not bound to this one.
    let before = arrived();
    for (call, tool) in [("c8", "astray_account"), ("c9", "strange_account")] {
        let result = said(call, tool, json!({})).await;
        assert!(result.contains("is not bound to"), "{tool}: {result}");
    }
    // Nor does the agent bring one along.
    for (call, to) in
        [("c10", "SECRET_REF(newsletter_api_key)"), ("c11", "x SECRET_REF(shop_db_password)"), ("c12", key)]
    {
        let (_, proposed) = hooks.propose(call, "news_moved", json!({"to": to})).await.expect("an answer");
        assert_eq!(proposed["decision"], "deny", "{proposed}");
        assert!(!proposed.to_string().contains(key));
    }
    assert_eq!(arrived(), before, "something arrived");
    stage.strike().await.expect("everything stops");
}
