//! Calls that wait for a person, and sessions that are over.

use anyhow::{Context as _, ensure};
use serde_json::json;
use wardkeep_tests::story::hooks::Hooks;

use crate::world::World;

pub(super) async fn approve_from_the_hub(world: &mut World) -> anyhow::Result<()> {
    let target = world.workspace().join("drafts");
    world.model.calls("approve", &[("Bash", json!({"command": "rm -r drafts && echo gone"}))]);
    let person = World::person(world);
    let (session, decided) = tokio::join!(world.play("approve"), person.approve(&target));
    let session = session?;
    decided.with_context(|| session.to_string())?;
    ensure!(session.said().contains("gone") && !target.exists(), "it did not run: {session}");
    Ok(())
}

pub(super) async fn deny_from_the_hub(world: &mut World) -> anyhow::Result<()> {
    let target = world.workspace().join("notes");
    let call = json!({"command": "rm -r notes"});
    world.model.calls("refuse", &[("Bash", call.clone()), ("Bash", call)]);
    let person = World::person(world);
    let decide = async move {
        let asked = person.pending().await?;
        person.decide(&asked, "denied").await
    };
    let (session, decided) = tokio::join!(world.play("refuse"), decide);
    let session = session?;
    decided.with_context(|| session.to_string())?;
    ensure!(target.exists(), "a refused command ran");
    let results = session.results();
    ensure!(
        results.len() == 2 && results[1].1.contains("nobody is asked again"),
        "it was not refused by itself: {session}"
    );
    Ok(())
}

pub(super) async fn expiry(world: &mut World) -> anyhow::Result<()> {
    let target = world.workspace().join("archive");
    world.model.calls("late", &[("Bash", json!({"command": "rm -r archive && echo archived-no-more"}))]);
    let session = world.play("late").await?;
    let said = session.said();
    ensure!(said.contains("Waiting for a person") && said.contains("A-"), "the model was not told to wait: {session}");
    ensure!(target.exists(), "it ran without a yes");
    let person = World::person(world);
    let asked = person.pending().await?;
    person.decide(&asked, "approved").await?;
    world.until("the approved call to run", || async { Ok(!target.exists()) }).await?;
    std::fs::create_dir(&target)?;
    let id = session.id()?.to_owned();
    let session = world.play_with("late", &["--resume", &id], &[]).await?;
    ensure!(session.said().contains("archived-no-more"), "the result was not delivered: {session}");
    ensure!(target.exists(), "it ran twice");
    // It was told of once: now it is another call, and somebody is asked.
    let session = world.play_with("late", &["--resume", &id], &[]).await?;
    ensure!(session.said().contains("Waiting for a person"), "an old yes counted once more: {session}");
    let asked = person.pending().await?;
    person.decide(&asked, "denied").await
}

pub(super) async fn session_end(world: &mut World) -> anyhow::Result<()> {
    world.model.calls("short", &[]);
    let session = world.play("short").await?;
    ensure!(session.ended() == "completed", "{session}");
    let (status, _) = Hooks::of(&world.stage.tenant)?.ask_model("are you there?").await?;
    ensure!(!status.is_success(), "the model was asked after the session's end");
    let rows = world.stage.audit().await?;
    ensure!(rows.iter().any(|row| row["kind"] == "session-ended"), "the end is not on record");
    Ok(())
}

pub(super) async fn skip_permissions(world: &mut World) -> anyhow::Result<()> {
    let flag = "--dangerously-skip-permissions";
    let path = world.workspace().join("skipped.txt");
    // As the settings are, the mode is not there at all; and where it is, the hook's no counts.
    for allowed in [false, true] {
        if allowed {
            world.edit(|settings| settings["permissions"] = json!({}))?;
        }
        let command = json!({"command": "wget -q http://127.0.0.1:1/ ; touch skipped.txt"});
        world
            .model
            .calls("skip", &[("NotebookEdit", json!({"notebook_path": path, "new_source": "x"})), ("Bash", command)]);
        let session = world.play_with("skip", &[flag], &[]).await?;
        let results = session.results();
        ensure!(results.len() == 2 && results.iter().all(|(error, _)| *error), "something was allowed: {session}");
        ensure!(!path.exists(), "it ran: {session}");
        World::person(world).deny_all().await?;
    }
    Ok(())
}

pub(super) async fn own_settings(world: &mut World) -> anyhow::Result<()> {
    for name in [".claude/settings.json", ".mcp.json"] {
        let path = world.workspace().join(name);
        world
            .model
            .calls("settings", &[("Write", json!({"file_path": path, "content": "{\"disableAllHooks\": true}"}))]);
        let session = world.play("settings").await?;
        ensure!(session.said().contains("Waiting for a person") && !path.exists(), "{name}: {session}");
        let person = World::person(world);
        let asked = person.pending().await?;
        let class = &asked["document"]["class"];
        ensure!(class == "red" || class == "critical_red", "{name} is {class}");
        person.decide(&asked, "denied").await?;
    }
    Ok(())
}
