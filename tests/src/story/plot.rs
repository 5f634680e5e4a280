//! What happens, and what must be true afterwards.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::business::{CALLS, SUBJECT};
use super::capture;
use super::people::{rows, wait};
use super::search::{self, Leak};
use super::stage::{AGENT, MODEL, Stage};

/// Plays the whole story: the agent works, the person approves what goes out and denies what destroys.
/// Answers the agent's last words.
///
/// # Errors
/// When anything does not happen that should; the text names it.
pub async fn play(stage: &Stage, tell: &(dyn Fn(&str) + Sync)) -> anyhow::Result<String> {
    let mut agent = stage.start_agent()?;
    tell("the agent works; waiting for what needs a person");
    let publish = of_class(stage, "yellow_external").await?;
    shows_exactly_what_would_be_sent(&publish)?;
    ensure!(stage.newsletter.sends() == 0, "the newsletter went out before anybody approved it");
    tell("approving the newsletter");
    decide(stage, &publish, "approved").await?;
    let delete = of_class(stage, "red").await?;
    ensure!(delete["document"].to_string().contains("rm -rf drafts archive"), "the deletion is not what waits");
    tell("denying the deletion");
    decide(stage, &delete, "denied").await?;
    agent.last_words().await
}

async fn of_class(stage: &Stage, class: &str) -> anyhow::Result<Value> {
    stage.person.wait_for_pending(|a| a["document"]["class"] == class).await
}

async fn decide(stage: &Stage, approval: &Value, verdict: &str) -> anyhow::Result<()> {
    let digest = approval["digest"].as_str().context("an approval has a digest")?;
    stage.person.decide(digest, verdict).await
}

fn shows_exactly_what_would_be_sent(approval: &Value) -> anyhow::Result<()> {
    let text = approval["document"].to_string();
    for part in [SUBJECT, "Eight places are left", "SECRET_REF(newsletter_api_key)", "/v1/campaigns", "POST"] {
        ensure!(text.contains(part), "the approval does not show {part:?}: {text}");
    }
    Ok(())
}

/// Checks everything that must be true after the story; answers a line for each thing that holds.
///
/// # Errors
/// The first thing that does not hold.
pub async fn verify(stage: &Stage, last_words: &str) -> anyhow::Result<Vec<String>> {
    let mut holds = Vec::new();
    holds.push(went_out_once(stage)?);
    holds.push(nothing_was_deleted(stage, last_words)?);
    holds.push(calls_are_on_record(stage).await?);
    holds.push(approvals_ended(stage).await?);
    holds.push(usage_is_exact(stage).await?);
    holds.push(audit_holds(stage).await?);
    holds.push(nothing_leaked(stage)?);
    Ok(holds)
}

fn went_out_once(stage: &Stage) -> anyhow::Result<String> {
    let campaigns = stage.newsletter.campaigns();
    ensure!(campaigns.len() == 1 && campaigns[0].sends == 1, "the newsletter service saw {campaigns:?}");
    ensure!(campaigns[0].subject == SUBJECT, "another text went out: {}", campaigns[0].subject);
    let refused = stage.newsletter.requests().iter().filter(|r| r.status == 401).count();
    ensure!(refused == 0, "{refused} requests came without the stored key");
    Ok("the approved newsletter went out exactly once, with the stored key".to_owned())
}

fn nothing_was_deleted(stage: &Stage, last_words: &str) -> anyhow::Result<String> {
    for kept in ["drafts/october.md", "drafts/november.md", "archive/2019.md"] {
        ensure!(stage.tenant.workspace().join(kept).exists(), "{kept} is gone although the deletion was denied");
    }
    ensure!(last_words.contains("You decided to keep"), "the agent was not told of the denial: {last_words}");
    Ok("the denied deletion did not run, and the agent was told so".to_owned())
}

async fn calls_are_on_record(stage: &Stage) -> anyhow::Result<String> {
    let last: Vec<(String, String)> = wait("every call to be on the hub's record", || async {
        let list = stage.person.get("/activity?limit=500").await?;
        let mut seen = std::collections::BTreeMap::new();
        let mut activity = rows(&list, "activity");
        activity.sort_by_key(|row| row["number"].as_u64());
        for row in activity {
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            seen.insert(text("call"), (text("class"), text("outcome")));
        }
        let ended = seen.values().filter(|(_, outcome)| outcome == "done" || outcome == "denied").count();
        Ok((ended == CALLS).then(|| seen.into_values().collect()))
    })
    .await?;
    let count = |class: &str, outcome: &str| last.iter().filter(|(c, o)| c == class && o == outcome).count();
    ensure!(count("green", "done") == 2, "two Green reads ran: {last:?}");
    ensure!(count("yellow", "done") == 2, "two Yellow calls ran: {last:?}");
    ensure!(count("yellow_external", "done") == 1 && count("red", "denied") == 1, "one approved, one denied: {last:?}");
    Ok(format!("all {CALLS} calls are on the hub's record with class and outcome"))
}

async fn approvals_ended(stage: &Stage) -> anyhow::Result<String> {
    wait("both approvals to end at the hub", || async {
        let all = rows(&stage.person.get("/approvals").await?, "approvals");
        ensure!(all.len() == 2, "there are {} approvals, not 2", all.len());
        let ended =
            |class: &str, state: &str| all.iter().any(|a| a["document"]["class"] == class && a["state"] == state);
        let result_shown = all.iter().any(|a| a["result"].as_str().is_some_and(|r| r.contains("cmp_1")));
        Ok((ended("yellow_external", "done") && ended("red", "denied") && result_shown).then_some(()))
    })
    .await?;
    Ok("the hub shows one approval done with its result and one denied".to_owned())
}

async fn usage_is_exact(stage: &Stage) -> anyhow::Result<String> {
    let billed = stage.llm.billed();
    if stage.setting.provider.is_some() {
        return Ok("usage comes from the real provider and is not compared".to_owned());
    }
    let sum = |part: fn(&crate::simulators::llm::Usage) -> u64| billed.iter().map(part).sum::<u64>();
    let expected = [
        ("requests", billed.len() as u64),
        ("input_tokens", sum(|u| u.input)),
        ("output_tokens", sum(|u| u.output)),
        ("cache_read_tokens", sum(|u| u.cache_read)),
        ("cache_write_tokens", sum(|u| u.cache_write)),
    ];
    let crashed = stage.setting.kill.is_some();
    let row = wait("the usage to reach the hub", || async {
        let usage = rows(&stage.person.get("/usage").await?, "usage");
        ensure!(usage.len() <= 1, "one agent and one model give one row, not {}", usage.len());
        let row = usage.into_iter().next().filter(|r| r["agent"] == AGENT && r["model"] == MODEL);
        let exact = |row: &Value| expected.iter().all(|(key, value)| row["totals"][key] == *value);
        // A request that a crash cut off is there once, as an estimate: nobody knows whether the provider saw it.
        let counted = |row: &Value| {
            let count = |key: &str| row["totals"][key].as_u64().unwrap_or(0);
            let (all, estimated) = (count("requests"), count("estimated_requests"));
            estimated <= 1 && (all - estimated..=all).contains(&expected[0].1)
        };
        Ok(row.filter(|r| if crashed { counted(r) } else { exact(r) }))
    })
    .await
    .with_context(|| format!("expected {expected:?}"))?;
    let cost = row["totals"]["cost_micros"].as_u64().unwrap_or(0);
    ensure!(cost > 0, "the requests cost nothing");
    Ok(format!("usage at the hub equals the provider's bill: {} requests, {:.4} USD", billed.len(), cost as f64 / 1e6))
}

async fn audit_holds(stage: &Stage) -> anyhow::Result<String> {
    let said = stage.tenant.cli(&["audit", "verify"]).await?;
    Ok(format!("audit verify: {}", said.trim()))
}

fn nothing_leaked(stage: &Stage) -> anyhow::Result<String> {
    let (searched, leaks) = leaks(stage)?;
    ensure!(leaks.is_empty(), "planted secrets were found outside the vault: {leaks:#?}");
    Ok(format!("the planted secrets appear in none of {searched} files and captures outside the vault"))
}

/// Looks for the planted secrets in every file on the stage and in everything that services received.
///
/// # Errors
/// When a file cannot be read.
pub fn leaks(stage: &Stage) -> anyhow::Result<(usize, Vec<Leak>)> {
    let plants = stage.secrets.plants();
    let may = |path: &Path| stage.may_hold_secrets(path);
    let (mut searched, mut leaks) = search::files(&plants, &stage.setting.folder, &may)?;
    let mut look = |place: String, bytes: &[u8]| {
        searched += 1;
        leaks.extend(search::find(&plants, &place, bytes));
    };
    for (number, request) in stage.llm.requests().iter().enumerate() {
        look(format!("request {number} to the provider"), &request.searchable());
    }
    for (number, request) in stage.newsletter.requests().iter().enumerate() {
        look(format!("request {number} to the newsletter service"), &request.searchable());
    }
    for capture in capture::taps(stage) {
        look(capture.place, &capture.bytes);
    }
    Ok((searched, leaks))
}
