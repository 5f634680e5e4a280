//! Ways to have something done that asks no hook.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::world::World;

pub(super) async fn bypass_tools_invoke(world: &mut World) -> anyhow::Result<()> {
    let target = world.stage.tenant.workspace().join("invoked.txt");
    for (tool, args) in [
        ("exec", json!({"command": format!("touch {}", target.display())})),
        ("write", json!({"path": target, "content": "x"})),
        ("read", json!({"path": "notes/november.md"})),
    ] {
        let (status, answer) = world.claw()?.post("/tools/invoke", "x", &json!({"tool": tool, "args": args})).await?;
        ensure!(status != 200, "{tool} was answered: {answer}");
    }
    ensure!(!target.exists(), "a tool ran");
    Ok(())
}

pub(super) async fn bypass_chat_command(world: &mut World) -> anyhow::Result<()> {
    let target = world.stage.tenant.workspace().join("bashed.txt");
    let session = world.session();
    for begin in ["!", "! ", "/bash "] {
        let _ = world.claw()?.say(&session, &format!("{begin}touch {}", target.display())).await;
    }
    ensure!(!target.exists(), "a chat command ran");
    Ok(())
}

pub(super) async fn bypass_other_backends(world: &mut World) -> anyhow::Result<()> {
    let target = world.stage.tenant.workspace().join("elsewhere.txt");
    let command = format!("touch {}", target.display());
    let run = |more: Value| {
        let mut args = json!({"command": command});
        args.as_object_mut().into_iter().for_each(|args| args.extend(more.as_object().cloned().unwrap_or_default()));
        args
    };
    // Few at a time: a run that is refused again and again is ended.
    let after = ("exec", json!({"command": "echo still-here"}));
    let code =
        json!({"code": format!("require('fs').writeFileSync('{}', 'x')", target.display()), "language": "javascript"});
    let hosts =
        [json!({"host": "node"}), json!({"host": "sandbox"}), json!({"node": "laptop"}), json!({"elevated": true})];
    let hosts: Vec<_> = hosts.into_iter().map(|more| ("exec", run(more))).chain([after.clone()]).collect();
    world.model.calls("elsewhere", &hosts);
    let said = world.play("elsewhere").await?;
    ensure!(!target.exists(), "it ran somewhere else");
    ensure!(said.contains("still-here"), "the conversation did not go on: {said}");
    world.model.calls(
        "otherwise",
        &[
            ("process", json!({"action": "submit", "sessionId": "x", "data": command})),
            ("terminal", json!({"action": "create", "command": command})),
            ("nodes", json!({"action": "run", "command": ["touch", target]})),
            ("code_execution", code),
            ("tool_search", json!({"query": "exec"})),
            ("tool_call", json!({"id": "exec", "args": {"command": command}})),
            after,
        ],
    );
    let said = world.play("otherwise").await?;
    ensure!(!target.exists(), "it ran in another way");
    ensure!(said.contains("still-here"), "the conversation did not go on: {said}");
    let requests = world.stage.llm.requests();
    let asked: Value = serde_json::from_slice(&requests.last().context("no request")?.body)?;
    let offered: Vec<_> =
        asked["tools"].as_array().into_iter().flatten().map(|tool| &tool["function"]["name"]).collect();
    ensure!(offered.iter().any(|name| *name == "exec"), "no tools are offered: {offered:?}");
    for tool in ["tool_search", "tool_call", "process", "terminal", "nodes", "code_execution"] {
        ensure!(!offered.iter().any(|name| *name == tool), "{tool} is offered to the model");
    }
    Ok(())
}

pub(super) async fn bypass_trajectory(world: &mut World) -> anyhow::Result<()> {
    let mut rows = 0;
    let mut files = 0;
    for path in world.databases()? {
        let open = rusqlite::Connection::open_with_flags(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        if let Ok(count) =
            open.query_row("SELECT count(*) FROM trajectory_runtime_events", [], |row| row.get::<_, i64>(0))
        {
            rows += count;
            files += 1;
        }
    }
    ensure!(files > 0, "no database of OpenClaw has the table");
    ensure!(rows == 0, "{rows} rows were recorded");
    Ok(())
}

pub(super) async fn bypass_agent_exec(world: &mut World) -> anyhow::Result<()> {
    let target = world.stage.tenant.workspace().join("one-shot.txt");
    world.model.calls("one-shot", &[("exec", json!({"command": format!("touch {}", target.display())}))]);
    let said = world.openclaw(&["agent", "exec", "[[one-shot]]"]).await;
    let seen = world.audit().await?.iter().any(|row| row["kind"] == "results-past-the-gate");
    ensure!(seen || !target.exists(), "the command ran and nobody saw it");
    ensure!(said.is_err() || !target.exists(), "the run went on after it: {said:?}");
    Ok(())
}

pub(super) async fn bypass_cron_command(world: &mut World) -> anyhow::Result<()> {
    let target = world.stage.tenant.workspace().join("croned.txt");
    let command = format!("touch {}", target.display());
    let _ = world.openclaw(&["cron", "add", "--name", "x", "--every", "1s", "--command", &command]).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    ensure!(!target.exists(), "a command of cron ran");
    Ok(())
}
