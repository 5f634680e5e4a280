//! The forward proxy of the real daemon, to which an agent's tools are held: from policy to the socket of a host.

use std::fs;
use std::net::SocketAddr;

use reqwest::{Client, Proxy, Response};
use serde_json::{Value, json};
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::stage::{AGENT, ELSEWHERE, Stage};

use super::siege::{HARMLESS, Siege};

/// Where the daemon's proxy listens.
pub(super) fn proxy(stage: &Stage) -> String {
    let listening = fs::read(stage.setting.folder.join("tenant/run/listen.json")).expect("the daemon listens");
    let listening: Value = serde_json::from_slice(&listening).expect("JSON");
    listening["proxy"].as_str().expect("an address").to_owned()
}

/// A client of the daemon's proxy that shows `token`.
fn tool(stage: &Stage, token: &str) -> Client {
    let proxy = Proxy::all(format!("http://{}", proxy(stage))).expect("a proxy").basic_auth(AGENT, token);
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Client::builder().tls_backend_preconfigured(tls).proxy(proxy).build().expect("a client")
}

fn refusal(answer: &Response) -> &str {
    answer.headers().get("x-wardkeep-refusal").and_then(|code| code.to_str().ok()).unwrap_or_default()
}

pub(super) fn rule(address: SocketAddr) -> String {
    format!(
        "\n[[egress]]\nhost = \"{}\"\nports = [{}]\nmode = \"inspect\"\nprivate = true\nmethods = [\"GET\", \"POST\"]\n",
        address.ip(),
        address.port()
    )
}

/// The relay to which no secret is bound.
pub(super) fn elsewhere(stage: &Stage) -> SocketAddr {
    stage.taps.iter().find(|(name, _)| *name == ELSEWHERE).expect("a relay").1.address()
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_reach_what_the_policy_lists_and_take_no_secret_along() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let (service, elsewhere) = (siege.stage.tenant.services.newsletter, elsewhere(&siege.stage));
    let tool = |token: &str| tool(&siege.stage, token);
    let (mine, stranger) = (tool(&siege.stage.tenant.agent_token), tool("wka1_nobodys"));
    let account = format!("http://{service}/v1/account");
    let bearer = "Bearer SECRET_REF(newsletter_api_key)";

    let answer = mine.get(&account).send().await.expect("the proxy answers");
    assert_eq!((answer.status().as_u16(), refusal(&answer)), (403, "unlisted-host"), "the policy lists nothing yet");
    let policy = format!("{}{}{}", siege.stage.tenant.policy(), rule(service), rule(elsewhere));
    siege.stage.follow(&policy).await.expect("in force");
    let answer = stranger.get(&account).send().await.expect("the proxy answers");
    assert_eq!((answer.status().as_u16(), refusal(&answer)), (407, "unknown-token"));
    let answer = mine.delete(&account).send().await.expect("the proxy answers");
    assert_eq!(refusal(&answer), "unlisted-method");
    for (url, secret) in [
        (account.clone(), "llm_api_key"),
        (account.clone(), "shop_db_password"),
        (format!("http://{elsewhere}/v1/account"), "newsletter_api_key"),
    ] {
        let answer = mine.get(&url).header("x-key", format!("SECRET_REF({secret})")).send().await.expect("it answers");
        assert_eq!((answer.status().as_u16(), refusal(&answer)), (403, "secret-not-bound"), "{secret} to {url}");
    }
    assert!(siege.stage.newsletter.requests().is_empty(), "nothing of all this went out");

    // The key is put in for its own service, which likes to show it back.
    let answer = mine.get(&account).header("authorization", bearer).send().await.expect("it answers");
    assert_eq!(answer.status().as_u16(), 200);
    let told = answer.text().await.expect("text");
    assert!(told.contains("SECRET_REF(newsletter_api_key)"), "{told}");
    siege.look("a key that is shown back", "the tool", told.as_bytes());

    // What is not bound stays, in whatever place it is tried.
    let password = siege.stage.secrets.database.clone();
    let draft = json!({"subject": HARMLESS, "body": format!("it is {password}")});
    let sent = mine.post(format!("http://{service}/v1/campaigns")).header("authorization", bearer).json(&draft);
    assert_eq!(sent.send().await.expect("it answers").status().as_u16(), 201);
    let campaign = siege.stage.newsletter.campaigns().pop().expect("made");
    assert_eq!((campaign.subject.as_str(), campaign.body.as_str()), (HARMLESS, "it is SECRET_REF(shop_db_password)"));
    for place in [format!("http://{elsewhere}/v1/echo?q={password}"), format!("http://{elsewhere}/v1/echo")] {
        let ask = mine.post(&place).header("x-note", "a note").body(format!("{HARMLESS} {password}"));
        let told = ask.send().await.expect("it answers").bytes().await.expect("bytes");
        siege.look("an echo", "the tool", &told);
    }
    siege.listen("the forward proxy");

    let log = siege.stage.tenant.cli(&["audit", "show", "--last", "100", "--json"]).await.expect("printed");
    for said in ["egress-refused", "egress-inspected", "secret-not-bound", "GET /v1/account"] {
        assert!(log.contains(said), "{said} is not in the audit log: {log}");
    }
    siege.lift().await;
}
