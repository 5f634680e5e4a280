//! What OpenClaw's own sub-agents may, and what their agent may with them.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::claw::until;
use crate::world::World;

pub(super) async fn sub_agent(world: &mut World) -> anyhow::Result<()> {
    let target = world.stage.tenant.workspace().join("child.txt");
    let call = json!({"command": "echo from-the-child > child.txt && cat child.txt"});
    world.model.calls("child", &[("exec", call)]);
    world.model.calls("parent", &[("sessions_spawn", json!({"task": "Do this: [[child]]"}))]);
    world.play("parent").await?;
    let of_child =
        |asked: &Value| asked["document"]["session"].as_str().is_some_and(|name| name.contains(":subagent:"));
    let asked = world.stage.person.wait_for_pending(of_child).await?;
    ensure!(!target.exists(), "it ran before anybody said yes");
    let told = world.stage.audit().await?.iter().any(|row| {
        row["kind"] == "subagents" && row["fields"]["alive"].as_array().is_some_and(|alive| alive.len() == 1)
    });
    ensure!(told, "the plugin did not tell of the sub-agent");
    world.stage.person.decide(asked["digest"].as_str().context("a digest")?, "approved").await?;
    world.audit_until("the child's call to end", below("call-done", "exec")).await?;
    ensure!(target.exists(), "the child's command did not run");
    none_left(world).await
}

pub(super) async fn sub_agent_bounds(world: &mut World) -> anyhow::Result<()> {
    // What it is to do waits for a person, so that it is there for a while.
    world.model.calls("busy", &[("exec", json!({"command": "echo busy > busy.txt"}))]);
    let spawn = |more: Value| {
        let mut args = json!({"task": "Do this: [[busy]]"});
        args.as_object_mut().into_iter().for_each(|args| args.extend(more.as_object().cloned().unwrap_or_default()));
        ("sessions_spawn", args)
    };
    world.model.together("two", &[spawn(json!({})), spawn(json!({"label": "another"}))]);
    let said = world.play("two").await?;
    ensure!(said.contains("as many as"), "the second one was not refused: {said}");
    none_left(world).await?;
    world.model.calls("apart", &[spawn(json!({"visible": true}))]);
    let said = world.play("apart").await?;
    ensure!(said.contains("visible session"), "a session that looks like the agent's own was not refused: {said}");
    // What OpenClaw itself refuses takes no place: the next scene's start is allowed.
    world.model.calls("unfit", &[spawn(json!({"runtime": "nothing"}))]);
    world.play("unfit").await?;
    let rows = world.stage.audit().await?;
    let most = rows.iter().filter(|row| row["kind"] == "subagents").filter_map(|row| row["fields"]["alive"].as_array());
    ensure!(most.map(Vec::len).max() == Some(1), "there were more at one time");
    Ok(())
}

pub(super) async fn sub_agent_steers(world: &mut World) -> anyhow::Result<()> {
    let main = json!({"sessionKey": "agent:main:main", "message": "[[stolen]]", "timeoutSeconds": 0});
    let deeper = json!({"task": "[[stolen]]"});
    world.model.calls("stolen", &[("exec", json!({"command": "touch stolen.txt"}))]);
    world.model.calls("thief", &[("sessions_send", main), ("sessions_spawn", deeper)]);
    world.model.calls("master", &[("sessions_spawn", json!({"task": "Do this: [[thief]]"}))]);
    world.play("master").await?;
    world.audit_until("the last try to be recorded", below("call-denied", "sessions_spawn")).await?;
    none_left(world).await?;
    let rows = world.stage.audit().await?;
    for tool in ["sessions_send", "sessions_spawn"] {
        ensure!(!rows.iter().any(below("call-permitted", tool)), "{tool} of a sub-agent was allowed");
    }
    ensure!(!world.stage.tenant.workspace().join("stolen.txt").exists(), "another session did it");
    Ok(())
}

/// Waits until OpenClaw has ended every sub-agent.
async fn none_left(world: &World) -> anyhow::Result<()> {
    until("no sub-agent to be left", || async {
        let rows = world.stage.audit().await?;
        let last = rows.iter().rfind(|row| row["kind"] == "subagents");
        Ok(last.is_none_or(|row| row["fields"]["alive"].as_array().is_some_and(Vec::is_empty)))
    })
    .await
}

/// Whether a call of this tool in a session of a sub-agent was recorded like this.
fn below<'r>(kind: &'r str, tool: &'r str) -> impl Fn(&Value) -> bool + 'r {
    move |row| {
        let of = |value: &Value, part: &str| value.as_str().is_some_and(|text| text.contains(part));
        row["kind"] == kind && row["fields"]["tool"] == tool && of(&row["call"], ":subagent:")
    }
}
