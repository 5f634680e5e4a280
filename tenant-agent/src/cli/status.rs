//! `status` and `doctor`.

use std::process::ExitCode;
use std::time::Duration;

use wardkeep_egress::{CoolingKey, ProviderState};

use super::StatusArgs;
use super::approvals::one_line;
use super::context::{CliError, Context};
use crate::doctor::{Doctor, Examiner as _, Finding, Level};
use crate::observed::StatusReport;
use crate::secrets::Ending;
use crate::unix_http::{ClientError, UnixClient};

/// Between two looks while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// `status`: exit code 1 when a wait for the hub was in vain.
///
/// # Errors
/// The daemon does not run, and nobody waits for it.
pub async fn status(args: &StatusArgs, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let client = UnixClient::admin_of(&context.config()?);
    let wait = Duration::from_secs(u64::from(args.wait_online.unwrap_or(0)));
    let deadline = tokio::time::Instant::now() + wait;
    let report = loop {
        let late = tokio::time::Instant::now() >= deadline;
        match look(&client).await {
            Ok(report) if report.link.online || args.wait_online.is_none() || late => break report,
            // Waiting makes nobody root.
            Err(error @ (ClientError::NotAllowed { .. } | ClientError::TokenUnreadable { .. })) => {
                return Err(error.into());
            }
            Err(error) if late => return Err(error.into()),
            Ok(_) | Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    };
    if args.json {
        context.json(&report)?
    } else {
        show(&report, context)?
    }
    Ok(if args.wait_online.is_some() && !report.link.online { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn look(client: &UnixClient) -> Result<StatusReport, ClientError> {
    let body = client.get("/v1/status").await?;
    serde_json::from_value(body).map_err(|error| ClientError::Broken(error.to_string()))
}

fn show(report: &StatusReport, context: &mut Context<'_>) -> Result<(), CliError> {
    let StatusReport {
        tenant,
        name,
        hub,
        link,
        bundle,
        closed,
        waiting,
        listening,
        vault,
        memory_locked: _,
        providers,
        runs,
        status,
    } = report;
    context.say(format_args!("tenant     {name} ({tenant})"))?;
    context
        .say(format_args!("daemon     {} on {}, since {}", status.agent_version, status.hostname, status.started_at))?;
    let since = link.since.map_or_else(String::new, |at| format!(" since {at}"));
    match (&link.online, &link.last_error) {
        (true, _) => context.say(format_args!("hub        connected to {hub}{since}"))?,
        (false, Some(why)) => context.say(format_args!("hub        NOT connected to {hub}{since}: {why}"))?,
        (false, None) => context.say(format_args!("hub        connecting to {hub}"))?,
    }
    match &bundle.why_strict {
        None => {
            context.say(format_args!("policy     version {} (generation {})", bundle.version, bundle.generation))?
        }
        Some(why) => context.say(format_args!("policy     strict built-in: {why}"))?,
    }
    if closed.is_empty() {
        context.say("posture    open")?;
    }
    for closed in closed {
        context.say(format_args!("CLOSED     {}: {}; {}", closed.name, closed.why, closed.what_to_do))?;
    }
    if !runs.words.is_empty() {
        context.say(format_args!("runs       {}", one_line(&runs.words)))?;
    }
    for Ending { name, at } in &vault.ending {
        let what = if *at <= context.env.clock.now() { "EXPIRED" } else { "expires" };
        context.say(format_args!("secret     {name} {what} {at}: `wardkeep-agent vault rotate {name}`"))?;
    }
    for name in &vault.unmaskable {
        context.say(format_args!(
            "secret     {name} cannot be masked and is given to nobody; see `wardkeep-agent doctor`"
        ))?;
    }
    for ProviderState { provider, resting_until, failures, cooling } in providers {
        if let Some(until) = resting_until {
            context
                .say(format_args!("provider   {provider} is left alone until {until}: {failures} failures in a row"))?;
        }
        for CoolingKey { key, until, rejected } in cooling {
            let key = key.as_ref().map_or("what it is shown", |name| name.as_str());
            let why = if *rejected { "not taken" } else { "used too often" };
            context.say(format_args!("provider   {provider}: key {key} is left alone until {until}: {why}"))?;
        }
    }
    for agent in &status.agents {
        let lease = agent.lease_until.map_or_else(|| "no live hook".to_owned(), |at| format!("hook alive until {at}"));
        let runtime = if agent.runtime.is_empty() { String::new() } else { format!(" ({})", agent.runtime) };
        context.say(format_args!("agent      {}{runtime} {lease}", agent.agent))?;
        for hold in &agent.held {
            context.say(format_args!("           {}", one_line(&hold.to_string())))?;
        }
    }
    context.say(format_args!("approvals  {} wait for a decision", status.open_approvals))?;
    context.say(format_args!(
        "to send    {} approvals, {} results, {} activity rows, {} usage buckets",
        waiting.approvals, waiting.progress, waiting.activity, waiting.usage
    ))?;
    context
        .say(format_args!("audit      {} rows, the hub signed for {}", status.audit_length, link.checkpoint_length))?;
    context.say(format_args!(
        "listens    hooks {} and {}, LLM {}, proxy {}",
        listening.hooks,
        listening.hook_socket.display(),
        listening.llm,
        listening.proxy
    ))
}

/// `doctor`: exit code 1 on any error.
///
/// # Errors
/// Standard output.
pub async fn doctor(json: bool, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let findings = match context.config() {
        Ok(config) => Doctor::new(config, context.env.clone()).examine().await,
        Err(error) => vec![Finding {
            check: "configuration".to_owned(),
            level: Level::Error,
            found: crate::channel::chain(&error),
            what_to_do: "mend the file; `wardkeep-agent config` prints one with every setting explained".to_owned(),
        }],
    };
    say_findings(&findings, json, context)
}

/// Findings for a person or a program; the exit code is 1 on any error.
///
/// # Errors
/// Standard output.
pub(super) fn say_findings(findings: &[Finding], json: bool, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    if json {
        context.json(&findings)?;
    } else {
        for Finding { check, level, found, what_to_do } in findings {
            let mark = match level {
                Level::Ok => "ok",
                Level::Warning => "warning",
                Level::Error => "ERROR",
            };
            context.say(format_args!("{mark:<8} {check:<13} {found}"))?;
            if !what_to_do.is_empty() {
                context.say(format_args!("{:<22} → {what_to_do}", ""))?;
            }
        }
    }
    let broken = findings.iter().any(|finding| finding.level == Level::Error);
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
