//! Tools that the provider runs by itself, past the gate.

use super::harness::{Request, World};

const DONE: &str = r#"{"content":[],"usage":{"input_tokens":1,"output_tokens":1}}"#;

fn offering(tool: &str) -> Request<'static> {
    Request::messages(format!(r#"{{"model":"sonnet","max_tokens":9,"messages":[],{tool}}}"#))
}

#[tokio::test]
async fn a_tool_of_the_provider_leaves_only_where_the_policy_names_it() {
    const FETCH: &str = r#""tools":[{"type":"web_fetch_20250910","name":"web_fetch"}]"#;
    const SERVERS: &str = r#""mcp_servers":[{"type":"url","url":"https://x.example","name":"x"}]"#;
    let world = World::new().await;
    const SEARCH: &str = r#""Search_Parameters":{"mode":"on"}"#;
    const HIDDEN: &str = r#""system":[{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"type":"web_fetch_20250910","name":"web_fetch"}}}]"#;
    for tool in [FETCH, SERVERS, SEARCH, HIDDEN] {
        let reply = world.ask(offering(tool)).await;
        assert_eq!(reply.refusal(), (400, "invalid-body"), "{}", reply.text());
        assert!(
            reply.text().contains("server_tools") || reply.text().contains("small letters"),
            "it says what to do: {}",
            reply.text()
        );
    }
    assert!(world.provider.seen().is_empty() && world.nothing_was_metered().await);
    world.change(|bundle| bundle.llm.providers[0].server_tools = vec!["web_fetch".to_owned()]);
    world.provider.document("200 OK", DONE);
    assert_eq!(world.ask(offering(FETCH)).await.status, 200);
    assert_eq!(world.ask(offering(SERVERS)).await.refusal(), (400, "invalid-body"), "the other one is not named");
    assert_eq!(world.provider.seen().len(), 1);
}

#[tokio::test]
async fn a_dearer_tier_leaves_only_where_the_policy_has_its_price() {
    const FAST: &str = r#""speed":"fast""#;
    let world = World::new().await;
    let only = |values: &[&str]| {
        let values: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
        world.change(move |bundle| bundle.llm.providers[0].body.only = [("speed".to_owned(), values)].into());
    };
    let reply = world.ask(offering(FAST)).await;
    assert_eq!(reply.refusal(), (400, "invalid-body"), "{}", reply.text());
    assert!(reply.text().contains("standard"), "it says what may be: {}", reply.text());
    assert!(world.provider.seen().is_empty() && world.nothing_was_metered().await);
    only(&["standard", "fast"]);
    world.provider.document("200 OK", DONE);
    assert_eq!(world.ask(offering(FAST)).await.status, 200);
}
