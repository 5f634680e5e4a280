//! What each client is put through.

mod accounts;
mod answers;
mod errors;
mod secrets;
mod web;

use anyhow::ensure;
use serde_json::{Value, json};
use wardkeep_tests::matrix::Cell;
use wardkeep_tests::simulators::Recorded;
use wardkeep_tests::simulators::llm::Usage;

use crate::columns::{Api, Column, Language};
use crate::speaker::Speaker;
use crate::world::{Counted, World};

/// Every case, in the order of the table.
const CASES: &[&str] = &[
    "plain",
    "stream",
    "stream, raw",
    "tools",
    "tools, streamed",
    "tools, with signed thoughts",
    "result past the gate",
    "image",
    "document",
    "file upload",
    "embeddings",
    "count tokens",
    "models",
    "no such model",
    "no such address",
    "model not allowed",
    "model of another API",
    "unknown token",
    "error 400",
    "error 401",
    "error 403",
    "error 404",
    "error 413",
    "error 422",
    "error 429",
    "error 500",
    "error 503",
    "error 529",
    "error in a stream",
    "stream breaks off",
    "stream stalls",
    "retry",
    "no retry of a refusal",
    "fallback",
    "fallback, streamed",
    "timeout",
    "abort",
    "budget stop",
    "budget stop, streamed",
    "secrets",
    "secrets, streamed",
    "secrets in headers",
];

/// Letters of more than one byte, quotes, lines: all that JSON and streams can do wrong.
const TEXT: &str = "Gr\u{fc}\u{df}e aus Wien \u{2014} \u{201e}12 \u{20ac}\u{201c}, \"quoted\" \\ and\n\u{1f956} in lines\u{2028}of two.";

/// The cases of a client.
pub(crate) fn of(column: &'static Column) -> impl Iterator<Item = &'static str> {
    CASES.iter().chain(web::CASES).copied().filter(|case| applies(case, column))
}

/// Where it stands in the table.
pub(crate) fn place(case: &str) -> usize {
    CASES.iter().chain(web::CASES).position(|one| *one == case).unwrap_or_default()
}

/// Those in which waiting matters.
const WAITING: &[&str] = &[
    "plain",
    "stream",
    "tools",
    "tools, streamed",
    "error 429",
    "error 529",
    "error in a stream",
    "stream breaks off",
    "stream stalls",
    "retry",
    "timeout",
    "abort",
    "budget stop",
    "budget stop, streamed",
];

fn applies(case: &str, column: &Column) -> bool {
    let api = column.api;
    if column.waits() && !WAITING.contains(&case) {
        return false;
    }
    if api == Api::Web || web::CASES.contains(&case) {
        // The package has no part in it.
        let without = case == "without TLS" && column.script == "agent_client";
        return api == Api::Web && web::CASES.contains(&case) && !without;
    }
    match case {
        "embeddings" => matches!(api, Api::Chat | Api::Gemini) && !column.told(),
        "count tokens" => matches!(api, Api::Messages | Api::Gemini) && !column.told(),
        // One and the same function of the client for all of its APIs and models.
        "file upload" | "models" | "no such model" | "no such address" => api != Api::Responses && !column.told(),
        "unknown token" | "model not allowed" | "no retry of a refusal" => !column.told(),
        "tools, with signed thoughts" => matches!(api, Api::Messages | Api::Gemini) && !column.told(),
        // To the other vendor's model.
        "fallback" | "fallback, streamed" => matches!(api, Api::Messages | Api::Chat) && !column.told(),
        // Those of the caller's API stay behind.
        "secrets in headers" => !column.told(),
        "model of another API" => matches!(api, Api::Responses | Api::Gemini),
        // Clients for Node only limit the wait for the head.
        "stream stalls" => column.language == Language::Python,
        "stream, raw" => api != Api::Gemini,
        _ => true,
    }
}

/// One case with one client, and what is around it.
struct Scene<'a> {
    case: &'a str,
    column: &'a Column,
    world: &'a World,
    speaker: &'a mut Speaker,
    /// Requests at the provider before this case.
    asked_before: usize,
    /// What the daemon is to count as an estimate.
    estimates: u64,
    /// Whether that it was refused is what had to be seen.
    refused: bool,
}

/// Plays `case`; afterwards what the provider billed is what the daemon counted.
pub(crate) async fn play(case: &str, column: &Column, world: &World, speaker: &mut Speaker) -> anyhow::Result<Cell> {
    world.renew().await?;
    world.provider().calm();
    let (before, billed) = (world.counted().await?, world.provider().billed().len());
    let asked_before = world.provider().requests().len();
    let mut scene = Scene { case, column, world, speaker, asked_before, estimates: 0, refused: false };
    scene.play(case).await?;
    let (estimates, refused) = (scene.estimates, scene.refused);
    counted_as_billed(world, before, billed, estimates).await?;
    Ok(if refused { Cell::Refused } else { Cell::Good })
}

async fn counted_as_billed(world: &World, before: Counted, billed: usize, estimates: u64) -> anyhow::Result<()> {
    // What a client has left is settled a moment later.
    let after = world.counted_when(|now| now.estimated >= before.estimated + estimates).await?;
    let estimated = after.estimated - before.estimated;
    ensure!(estimated == estimates, "{estimated} requests were counted as an estimate, {estimates} should be");
    if estimates > 0 {
        let used = after.usage.input - before.usage.input;
        ensure!(used > 0, "an estimate of nothing");
        return Ok(());
    }
    let billed = world.provider().billed().split_off(billed);
    let sum = |of: fn(&Usage) -> u64| billed.iter().map(of).sum::<u64>();
    for (name, counted, billed) in [
        ("input", after.usage.input - before.usage.input, sum(|u| u.input)),
        ("output", after.usage.output - before.usage.output, sum(|u| u.output)),
        ("cache_read", after.usage.cache_read - before.usage.cache_read, sum(|u| u.cache_read)),
        ("cache_write", after.usage.cache_write - before.usage.cache_write, sum(|u| u.cache_write)),
    ] {
        ensure!(counted == billed, "the daemon counted {counted} {name} tokens, the provider billed {billed}");
    }
    Ok(())
}

impl Scene<'_> {
    async fn play(&mut self, case: &str) -> anyhow::Result<()> {
        if self.column.api == Api::Web {
            return self.web(case).await;
        }
        match case {
            "plain" => self.plain().await,
            "stream" => self.stream().await,
            "stream, raw" => self.raw_stream().await,
            "tools" => self.tools(false).await,
            "tools, streamed" => self.tools(true).await,
            "tools, with signed thoughts" => self.thoughts().await,
            "result past the gate" => self.past_the_gate().await,
            "image" => self.image().await,
            "document" => self.document().await,
            "file upload" => self.upload().await,
            "embeddings" => self.embeddings().await,
            "count tokens" => self.count().await,
            "models" => self.models().await,
            _ => self.play_further(case).await,
        }
    }

    /// What does not go well.
    async fn play_further(&mut self, case: &str) -> anyhow::Result<()> {
        match case {
            "no such model" => self.no_such_model().await,
            "no such address" => self.no_such_address().await,
            "model not allowed" => self.model_not_allowed().await,
            "model of another API" => self.model_of_another_api().await,
            "unknown token" => self.unknown_token().await,
            "error in a stream" => self.error_in_a_stream().await,
            "stream breaks off" => self.stream_breaks_off().await,
            "stream stalls" => self.stream_stalls().await,
            "retry" => self.retry().await,
            "no retry of a refusal" => self.no_retry_of_a_refusal().await,
            "fallback" => self.fallback("plain").await,
            "fallback, streamed" => self.fallback("stream").await,
            "timeout" => self.timeout().await,
            "abort" => self.abort().await,
            "budget stop" => self.budget_stop("plain").await,
            "budget stop, streamed" => self.budget_stop("stream").await,
            "secrets" => self.secrets(false).await,
            "secrets, streamed" => self.secrets(true).await,
            "secrets in headers" => self.secrets_in_headers().await,
            other => match other.strip_prefix("error ").and_then(|status| status.parse().ok()) {
                Some(status) => self.error(status).await,
                None => anyhow::bail!("there is no case {other}"),
            },
        }
    }

    fn model(&self) -> &'static str {
        self.column.model
    }

    /// What reached the provider in this case.
    fn asked(&self) -> Vec<Recorded> {
        self.world.provider().requests().split_off(self.asked_before)
    }

    /// One question with the usual words and `more`.
    fn question(&self, more: &Value) -> Value {
        // Ids of calls come from the first words of a conversation: each has its own.
        let text = format!("Hello from {}, {}", self.column.name, self.case);
        let mut with = json!({"model": self.model(), "text": text});
        for (name, value) in more.as_object().into_iter().flatten() {
            with[name] = value.clone();
        }
        with
    }
}
