//! What stays the same from turn to turn: for the provider's cache, and for whoever wants to know when it does not.

use serde_json::{Value, json};

use super::harness::{KEY, PASSWORD, Request, World};

const OK: &str = r#"{"id":"ok"}"#;

/// The turns of one session, as an agent would send them: it only grows. Results hold secrets.
fn session(turns: usize) -> Vec<Value> {
    let mut all = Vec::new();
    for turn in 0..turns {
        all.push(json!({"role": "user", "content": format!("Turn {turn}: \u{e9}\"\\ {}", "and so on ".repeat(60))}));
        all.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": format!("t{turn}"), "name": "shell", "input": {"n": turn}}]}));
        let text = format!("password {PASSWORD} key {KEY} {turn}");
        all.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": format!("t{turn}"), "content": text}]}));
    }
    all
}

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Sends the session turn by turn; what the agent sent and what the provider got.
async fn history(world: &World, body: impl Fn(Vec<Value>) -> String) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut sent = Vec::new();
    for turns in 1..=30 {
        let body = body(session(turns));
        world.provider.document("200 OK", OK);
        let reply = world.ask(Request::messages(&body)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        sent.push(body.into_bytes());
    }
    sent.into_iter().zip(world.provider.seen()).map(|(sent, got)| (sent, got.body)).collect()
}

#[tokio::test]
async fn what_the_agent_left_as_it_was_reaches_the_provider_as_it_was() {
    // What stands behind the conversation, in bytes: there two turns differ for the first time.
    let tail = "],\"stream\":false}".len();
    for breakpoints in [false, true] {
        let world = World::new().await;
        world.change(|bundle| bundle.llm.cache_breakpoints = breakpoints);
        let tools =
            r#"[{"name":"shell","input_schema":{"type":"object"}},{"name":"read","input_schema":{"type":"object"}}]"#;
        let body = |turns: Vec<Value>| {
            let turns: Vec<String> = turns.iter().map(Value::to_string).collect();
            format!(
                r#"{{"model":"sonnet","max_tokens":9,"system":"Be kind. {PASSWORD_JSON}","tools":{tools},"messages":[{}],"stream":false}}"#,
                turns.join(","),
                PASSWORD_JSON = json!(PASSWORD).to_string().trim_matches('"'),
            )
        };
        let history = history(&world, body).await;
        for ((sent, got), (next, got_next)) in history.iter().zip(&history[1..]) {
            assert_eq!(common(sent, next), sent.len() - tail, "the agent only adds");
            assert_eq!(common(got, got_next), got.len() - tail, "and so it reaches the provider");
        }
        let last = String::from_utf8(history[29].1.clone()).unwrap();
        assert!(!last.contains(KEY) && last.contains("SECRET_REF(db_password)"));
        assert_eq!(last.matches("cache_control").count(), if breakpoints { 2 } else { 0 });
    }
}

#[tokio::test]
async fn marks_come_only_where_the_policy_says_so_and_the_api_has_them() {
    let world = World::new().await;
    let body = r#"{"model":"sonnet","max_tokens":9,"system":"Be kind.","tools":[{"name":"a"}],"messages":[{"role":"user","content":"x"}]}"#;
    let chat = body.replace("sonnet", "mini");
    let mut got = Vec::new();
    for breakpoints in [false, true] {
        world.change(|bundle| bundle.llm.cache_breakpoints = breakpoints);
        for request in [
            Request::messages(body),
            Request { target: "/v1/messages/count_tokens", ..Request::messages(body) },
            Request::completions(&chat),
        ] {
            world.provider.document("200 OK", OK);
            assert_eq!(world.ask(request).await.status, 200);
            let seen = world.provider.seen().pop().unwrap();
            got.push(String::from_utf8(seen.body).unwrap().matches("cache_control").count());
        }
    }
    assert_eq!(got, [0, 0, 0, 2, 0, 0]);
}

#[tokio::test]
async fn a_beginning_that_changes_under_one_version_is_told_once() {
    let mut world = World::new().await;
    let told = |world: &World| std::mem::take(&mut *world.switches.prefixes.lock().unwrap());
    let ask = async |world: &World, system: &str| {
        world.provider.document("200 OK", OK);
        let body = json!({"model": "sonnet", "max_tokens": 9, "system": system, "messages": [{"role": "user", "content": system}]});
        assert_eq!(world.ask(Request::messages(body.to_string())).await.status, 200);
    };
    // Without a version there is nothing to compare.
    for system in ["one", "two"] {
        ask(&world, system).await;
    }
    assert_eq!(told(&world), []);
    let version =
        |world: &World, version: &str| world.change(|bundle| bundle.agents[0].version = Some(version.to_owned()));
    version(&world, "1");
    ask(&world, "one").await;
    ask(&world, "one").await;
    assert_eq!(told(&world), []);
    ask(&world, "two").await;
    ask(&world, "two").await;
    ask(&world, "one").await;
    let news = told(&world);
    assert_eq!(news.iter().map(|one| (one.version.as_str(), one.others)).collect::<Vec<_>>(), [("1", 1)]);
    // Known after a restart, and no news for a new version.
    world.restart().await;
    ask(&world, "one").await;
    ask(&world, "two").await;
    assert_eq!(told(&world), []);
    ask(&world, "three").await;
    assert_eq!(told(&world).len(), 1);
    version(&world, "2");
    ask(&world, "four").await;
    assert_eq!(told(&world), []);
    // An agent whose beginning never stays the same is told of some dozens of times and no more.
    for n in 0..80 {
        ask(&world, &format!("It is {n} o'clock.")).await;
    }
    assert_eq!(told(&world).len(), 63);
}
