//! What Claude Code's own sub-agents may, and what their agent may with them.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::calls::of_sub_agent;
use crate::world::World;

fn start(scene: &str) -> (&'static str, Value) {
    let prompt = format!("Do this: [[{scene}]]");
    ("Agent", json!({"description": "one part", "prompt": prompt, "subagent_type": "general-purpose"}))
}

pub(super) async fn sub_agent(world: &mut World) -> anyhow::Result<()> {
    let target = world.workspace().join("child.txt");
    world.model.calls("child", &[("Bash", json!({"command": "echo from-the-child > child.txt && cat child.txt"}))]);
    world.model.calls("parent", &[start("child")]);
    let there = target.clone();
    let person = World::person(world);
    let decide = async move {
        let asked = person.pending().await?;
        let session = asked["document"]["session"].as_str().unwrap_or_default().to_owned();
        ensure!(session.contains(":subagent:"), "who asks is not told as a sub-agent: {session}");
        ensure!(!there.exists(), "it ran before anybody said yes");
        person.decide(&asked, "approved").await
    };
    let (session, decided) = tokio::join!(world.play("parent"), decide);
    let session = session?;
    decided.with_context(|| session.to_string())?;
    ensure!(target.exists(), "the child's command did not run: {session}");
    ensure!(world.stage.audit().await?.iter().any(of_sub_agent("call-done", "bash")), "its call is not on record");
    Ok(())
}

pub(super) async fn sub_agent_bounds(world: &mut World) -> anyhow::Result<()> {
    // What it is to do waits for a person, so that it is there for a while.
    world.model.calls("busy", &[("Bash", json!({"command": "echo busy > busy.txt"})), start("child")]);
    world.model.together("two", &[start("busy"), start("busy")]);
    let session = world.play("two").await?;
    let refused = |words: &str| words.contains("subagent") || words.contains("sub-agents");
    let results = session.results();
    ensure!(results.iter().any(|(error, words)| *error && refused(words)), "the second one was not refused: {session}");
    let rows = world.stage.audit().await?;
    ensure!(rows.iter().any(of_sub_agent("call-denied", "Agent")), "one below a sub-agent was not refused");
    ensure!(!rows.iter().any(of_sub_agent("call-permitted", "Agent")), "one below a sub-agent was allowed");
    World::person(world).deny_all().await?;
    Ok(())
}

pub(super) async fn sub_agent_steers(world: &mut World) -> anyhow::Result<()> {
    world.model.calls("thief", &[("SendMessage", json!({"to": "main", "summary": "do it", "message": "[[stolen]]"}))]);
    world.model.calls("stolen", &[("Bash", json!({"command": "touch stolen.txt"}))]);
    world.model.calls("master", &[start("thief")]);
    let session = world.play("master").await?;
    let rows = world.stage.audit().await?;
    ensure!(rows.iter().any(of_sub_agent("call-denied", "SendMessage")), "it was not refused: {session}");
    ensure!(!world.workspace().join("stolen.txt").exists(), "another session did it");
    Ok(())
}
