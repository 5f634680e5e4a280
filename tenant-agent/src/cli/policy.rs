//! `wardkeep-agent policy …`, from disk alone.

use std::process::ExitCode;

use serde_json::json;
use wardkeep_policy::{Bundle, Limit, RunRule};
use wardkeep_redaction::{Additions, RuleSet};

use super::PolicyCommand;
use super::context::{CliError, Context};
use crate::bundle_ledger::{BundleLedger, InForce};
use crate::config::Config;
use crate::identity::IdentityDir;
use crate::state::StateDir;

/// Runs one of the policy's commands.
///
/// # Errors
/// Configuration, identity or ledger cannot be read.
pub fn run(command: &PolicyCommand, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let config = context.config()?;
    let in_force = in_force(&config, context)?;
    match command {
        PolicyCommand::Verify => match in_force {
            InForce::Stored { bundle, seen } => {
                context.say(format_args!(
                    "valid: version {} (generation {}), digest {}, until {}",
                    seen.version, seen.generation, seen.digest, bundle.expires
                ))?;
                Ok(ExitCode::SUCCESS)
            }
            InForce::Strict { closed, why } => {
                context.say(format_args!("{closed}: {why}; {}", closed.what_to_do()))?;
                Ok(ExitCode::FAILURE)
            }
        },
        PolicyCommand::Show { json } => {
            let (bundle, note) = match in_force {
                InForce::Stored { bundle, .. } => (*bundle, None),
                InForce::Strict { closed, why } => (Bundle::strict(), Some(format!("{closed}: {why}"))),
            };
            if *json {
                context.json(&bundle)?;
            } else {
                show(&bundle, note.as_deref(), context)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        PolicyCommand::Rules { json } => {
            let additions = match in_force {
                InForce::Stored { bundle, .. } => bundle.redaction,
                InForce::Strict { .. } => Additions::default(),
            };
            rules(&additions, *json, context)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn in_force(config: &Config, context: &Context<'_>) -> Result<InForce, CliError> {
    let state = StateDir::existing(&config.state_dir);
    let dir = IdentityDir::new(state.identity());
    let identity =
        dir.load()?.ok_or_else(|| CliError::Usage("this server is not enrolled; run `wardkeep-agent enrol`".into()))?;
    Ok(BundleLedger::open(state.bundle(), dir, &identity)?.in_force(context.env.clock.now()))
}

/// The bundle in force where there is one, the built-in one everywhere else.
pub(super) fn in_force_or_built_in(context: &Context<'_>) -> Bundle {
    match context.config().and_then(|config| in_force(&config, context)) {
        Ok(InForce::Stored { bundle, .. }) => *bundle,
        Ok(InForce::Strict { .. }) | Err(_) => Bundle::strict(),
    }
}

fn rules(additions: &Additions, as_json: bool, context: &mut Context<'_>) -> Result<(), CliError> {
    let set = RuleSet::builtin_with(additions).map_err(|error| CliError::Usage(error.to_string()))?;
    if as_json {
        let list = set.list().into_iter();
        let list: Vec<_> = list
            .map(|rule| json!({"id": rule.id, "kind": rule.kind, "profile": rule.profile, "source": rule.source}))
            .collect();
        return context.json(&list);
    }
    for rule in set.list() {
        context.say(format_args!("{:<40} {}", rule.id, rule.source))?;
    }
    let allow = additions.allow.iter();
    for entry in allow {
        let what = entry.value.as_deref().or(entry.regex.as_deref()).unwrap_or("everything");
        context.say(format_args!("allowed: {what} ({})", entry.reason))?;
    }
    Ok(())
}

fn show(bundle: &Bundle, note: Option<&str>, context: &mut Context<'_>) -> Result<(), CliError> {
    if let Some(note) = note {
        context.say(format_args!("the strict built-in policy counts ({note})"))?;
    }
    context.say(format_args!("version {}, issued {}, until {}", bundle.version, bundle.issued, bundle.expires))?;
    for agent in &bundle.agents {
        context.say(format_args!("agent {} (level {:?})", agent.name, agent.level))?;
        match &agent.tools {
            None => context.say("  tools: all")?,
            Some(tools) => context.say(format_args!("  tools: {}", tools.join(", ")))?,
        }
        if !agent.models.is_empty() {
            context.say(format_args!("  models: {}", agent.models.join(", ")))?;
        }
        for grant in &agent.grants {
            let until = grant.expires.map_or_else(|| "for good".to_owned(), |at| format!("until {at}"));
            let commands = grant.commands.iter().map(|words| words.join(" "));
            let scope: Vec<_> = grant.recipients.iter().chain(&grant.hosts).cloned().chain(commands).collect();
            let uses = grant.uses.map_or_else(String::new, |uses| format!(", {uses} times"));
            context.say(format_args!("  grant: {} for {}, {until}{uses}", grant.tool, scope.join(", ")))?;
        }
    }
    for model in &bundle.llm.models {
        context.say(format_args!("model {} at {} ({})", model.name, model.provider, model.upstream_model))?;
    }
    for route in &bundle.llm.routes {
        let targets: Vec<&str> = route.targets.iter().map(|target| target.model.as_str()).collect();
        context.say(format_args!("route {} to {} ({:?})", route.name, targets.join(", "), route.order))?;
    }
    for budget in &bundle.budgets {
        let who = budget.agent.as_ref().map_or("all agents together", |agent| agent.as_str());
        let mode = if budget.enforce { "" } else { " (only reports)" };
        let limits = budget.limits.iter().map(|Limit { window, tokens, micros }| {
            let tokens = tokens.map(|tokens| format!("{tokens} tokens"));
            let micros = micros.map(|micros| format!("{micros} micro-USD"));
            format!("{} a {window}", [tokens, micros].into_iter().flatten().collect::<Vec<_>>().join(", "))
        });
        let rates = [
            budget.requests_per_minute.map(|most| format!("{most} requests a minute")),
            budget.tokens_per_minute.map(|most| format!("{most} tokens a minute")),
            budget.concurrent.map(|most| format!("{most} at the same time")),
            budget.brake.and_then(|brake| brake.turns).map(|most| format!("{most} turns without a person")),
            budget.brake.and_then(|brake| brake.repeats).map(|most| format!("{most} times the same")),
        ];
        let all: Vec<_> = limits.chain(rates.into_iter().flatten()).collect();
        context.say(format_args!("budget of {who}{mode}: {}", all.join("; ")))?;
    }
    let images = bundle.images.iter().map(|image| format!("image {}: {}", image.name, image.id));
    for line in images.chain(bundle.runs.iter().map(runs_line)) {
        context.say(line)?;
    }
    let more = &bundle.redaction;
    if !more.is_empty() {
        context.say(format_args!(
            "redaction: {} more rules, {} left out, {} finds allowed; see `wardkeep-agent policy rules`",
            more.rules.len(),
            more.disable.len(),
            more.allow.len()
        ))?;
    }
    Ok(())
}

/// What runs may use up, where it is not the default.
fn runs_line(rule: &RunRule) -> String {
    let who = rule.agent.as_ref().map_or("all agents", |agent| agent.as_str());
    let all = [
        (rule.seconds, "s"),
        (rule.memory_mebibytes, "MiB of memory"),
        (rule.processes, "processes"),
        (rule.cpu_percent, "% of a core"),
        (rule.file_mebibytes, "MiB a file"),
        (rule.output_kibibytes, "KiB of output"),
    ];
    let said: Vec<_> = all.iter().filter_map(|(most, what)| most.map(|most| format!("{most} {what}"))).collect();
    format!("runs of {who}: at most {}", said.join(", "))
}
