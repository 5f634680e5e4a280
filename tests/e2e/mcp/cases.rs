//! What each client does, and what must come of it.

use std::pin::Pin;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use wardkeep_tests::story::people::wait;

use crate::speaker::{Column, Places, Speaker};
use crate::world::{LISTED, World};

type Played<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;
type Case = for<'a> fn(&'a World, &'a Places, &'a Column) -> Played<'a>;

/// All cases.
pub(crate) const ALL: &[(&str, Case)] = &[
    ("lists what the manifest lists", |world, places, column| Box::pin(lists(world, places, column))),
    ("reads with a hidden key", |world, places, column| Box::pin(reads(world, places, column))),
    ("gets no further by redirects", |world, places, column| Box::pin(moved(world, places, column))),
    ("reaches nothing unlisted", |world, places, column| Box::pin(unlisted(world, places, column))),
    ("leads arguments nowhere else", |world, places, column| Box::pin(injects(world, places, column))),
    ("runs a guarded command", |world, places, column| Box::pin(shell(world, places, column))),
    ("waits, hears of it, gets it", |world, places, column| Box::pin(waits(world, places, column))),
    ("asks later", |world, places, column| Box::pin(later(world, places, column))),
    ("takes a call back", |world, places, column| Box::pin(leaves(world, places, column))),
];

async fn lists(world: &World, places: &Places, column: &Column) -> anyhow::Result<()> {
    let told = Speaker::start(places, column, world, 0)?.ask(&json!({"do": "list"})).await?;
    ensure!(told["saw"]["names"] == json!(LISTED), "it saw {told}");
    ensure!(told["saw"]["version"] == column.version, "it came to {}", told["saw"]["version"]);
    Ok(())
}

async fn reads(world: &World, places: &Places, column: &Column) -> anyhow::Result<()> {
    let mut speaker = Speaker::start(places, column, world, 0)?;
    for tool in ["news_account", "news_debug"] {
        let saw = speaker.call(tool, json!({})).await?;
        let text = saw["text"].as_str().context("no text")?;
        ensure!(saw["failed"] == false && text.contains("SECRET_REF(newsletter_api_key)"), "{tool}: {saw}");
        ensure!(!text.contains(world.key()), "{tool} shows the key");
    }
    let last = world.service().requests().pop().context("nothing arrived")?;
    ensure!(last.status == 200, "the service refused it: {}", last.status);
    Ok(())
}

async fn moved(world: &World, places: &Places, column: &Column) -> anyhow::Result<()> {
    let before = world.service().requests().len();
    let saw = Speaker::start(places, column, world, 0)?.call("news_moved", json!({"to": "/v1/export"})).await?;
    let text = saw["text"].as_str().context("no text")?;
    ensure!(text.starts_with("[redirect, not followed") && !text.contains(world.key()), "{saw}");
    ensure!(world.service().requests().len() == before + 1, "it was followed");
    Ok(())
}

async fn unlisted(world: &World, places: &Places, column: &Column) -> anyhow::Result<()> {
    let before = world.service().requests().len();
    let mut speaker = Speaker::start(places, column, world, 0)?;
    for name in [
        "news_export",
        "News_account",
        "NEWS_ACCOUNT",
        "news_account ",
        "n\u{435}ws_account",
        "write_file",
        "frobnicate",
    ] {
        let told = speaker.ask(&json!({"do": "call", "tool": name, "args": {}})).await?;
        ensure!(told["saw"]["failed"] == true || told["raised"].is_string(), "{name}: {told}");
    }
    ensure!(world.service().requests().len() == before, "something arrived");
    Ok(())
}

async fn injects(world: &World, places: &Places, column: &Column) -> anyhow::Result<()> {
    let before = world.service().requests().len();
    let mut speaker = Speaker::start(places, column, world, 0)?;
    for id in [
        json!("../account"),
        json!("cmp_1/send"),
        json!("cmp_1?x=1"),
        json!("cmp_1#"),
        json!("%2e%2e"),
        json!("a\r\nHost: evil.example"),
        json!(1),
        json!(null),
        json!(["cmp_1"]),
        json!("SECRET_REF(newsletter_api_key)"),
        json!("x".repeat(100_000)),
    ] {
        let told = speaker.ask(&json!({"do": "call", "tool": "news_get", "args": {"id": id}})).await?;
        ensure!(told["saw"]["failed"] == true || told["raised"].is_string(), "{id}: {told}");
    }
    let told =
        speaker.ask(&json!({"do": "call", "tool": "news_get", "args": {"id": "cmp_1", "headers": {"x": "y"}}})).await?;
    ensure!(told["saw"]["failed"] == true || told["raised"].is_string(), "{told}");
    ensure!(world.service().requests().len() == before, "something arrived");
    Ok(())
}

async fn shell(world: &World, places: &Places, column: &Column) -> anyhow::Result<()> {
    let saw = Speaker::start(places, column, world, 0)?.call("shell", json!({"command": "ls notes"})).await?;
    ensure!(saw["failed"] == false && saw["text"].as_str().is_some_and(|text| text.contains("november.md")), "{saw}");
    Ok(())
}

/// A campaign of its own, approved first: writing to a host of others asks, too.
async fn campaign(world: &World, speaker: &mut Speaker) -> anyhow::Result<String> {
    let args = json!({"subject": "S", "body": "B"});
    speaker.begin(&json!({"do": "call", "tool": "news_create", "args": args, "progress": true})).await?;
    approve(world, "news_create").await?;
    let told = speaker.told().await?;
    let made: Value = serde_json::from_str(told["saw"]["text"].as_str().with_context(|| format!("{told}"))?)?;
    Ok(made["id"].as_str().context("no id")?.to_owned())
}

async fn approve(world: &World, tool: &str) -> anyhow::Result<()> {
    let person = &world.stage.person;
    let waiting = person.wait_for_pending(|approval| approval["document"]["tool"] == tool).await?;
    person.decide(waiting["digest"].as_str().context("no digest")?, "approved").await
}

async fn waits(world: &World, places: &Places, column: &Column) -> anyhow::Result<()> {
    let mut speaker = Speaker::start(places, column, world, 30)?;
    let id = campaign(world, &mut speaker).await?;
    let before = world.service().sends();
    speaker.begin(&json!({"do": "call", "tool": "news_send", "args": {"id": id}, "progress": true})).await?;
    approve(world, "news_send").await?;
    let told = speaker.told().await?;
    ensure!(
        told["saw"]["failed"] == false && told["saw"]["text"].as_str().is_some_and(|text| text.contains("sent")),
        "{told}"
    );
    let first = told["saw"]["progress"][0].as_str().unwrap_or_default();
    ensure!(first.contains("Waiting for a person"), "it heard {first:?}");
    ensure!(world.service().sends() == before + 1, "it was sent {} times", world.service().sends() - before);
    Ok(())
}

async fn later(world: &World, places: &Places, column: &Column) -> anyhow::Result<()> {
    let id = campaign(world, &mut Speaker::start(places, column, world, 30)?).await?;
    let mut speaker = Speaker::start(places, column, world, 0)?;
    let before = world.service().sends();
    let saw = speaker.call("news_send", json!({"id": id})).await?;
    let name = saw["structured"]["approval"].as_str().with_context(|| format!("no approval: {saw}"))?.to_owned();
    ensure!(
        saw["failed"] == false && saw["text"].as_str().is_some_and(|text| text.starts_with("pending approval A-")),
        "{saw}"
    );
    approve(world, "news_send").await?;
    let mut patient = Speaker::start(places, column, world, 30)?;
    let result = patient.call("wardkeep_result", json!({"approval": name})).await?;
    ensure!(result["text"].as_str().is_some_and(|text| text.contains("sent")), "{result}");
    ensure!(world.service().sends() == before + 1, "it was sent {} times", world.service().sends() - before);
    Ok(())
}

async fn leaves(world: &World, places: &Places, column: &Column) -> anyhow::Result<()> {
    let mut speaker = Speaker::start(places, column, world, 30)?;
    let id = campaign(world, &mut speaker).await?;
    let before = world.service().sends();
    let what = json!({"do": "call", "tool": "news_send", "args": {"id": id}, "progress": true, "leave": true});
    let told = speaker.ask(&what).await?;
    ensure!(told["saw"]["left"] == true, "it stayed: {told}");
    wait("nothing to wait for a person", || async {
        let all = world.stage.tenant.cli(&["approvals", "list", "--json"]).await?;
        let all: Value = serde_json::from_str(&all)?;
        Ok(all.as_array().is_some_and(Vec::is_empty).then_some(()))
    })
    .await?;
    ensure!(speaker.call("news_account", json!({})).await?["failed"] == false, "the connection is spoilt");
    ensure!(world.service().sends() == before, "it was sent all the same");
    Ok(())
}
