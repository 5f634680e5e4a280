//! `claude-code …`: what is written for an agent's Claude Code, and whether it still holds.

use std::fs;
use std::process::ExitCode;

use super::context::{CliError, Context};
use super::policy::in_force_or_built_in;
use super::runtime::{gateway_url, given, new_token, offered, policy_of, tell_daemon, user, write};
use super::status::say_findings;
use crate::claude_code::CLAUDE_CODE;
use crate::claude_code::check::look;
use crate::claude_code::layout::Layout;
use crate::config::Config;

pub mod args;

use args::{ClaudeCodeCommand, ConfigureArgs, DoctorArgs, PlaceArgs};

/// Runs one of them.
///
/// # Errors
/// No permission, no policy for the agent, a token that exists elsewhere.
pub async fn run(command: ClaudeCodeCommand, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    match command {
        ClaudeCodeCommand::Configure(args) => configure(&args, context).await,
        ClaudeCodeCommand::Doctor(args) => doctor(&args, context).await,
    }
}

async fn configure(args: &ConfigureArgs, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let config = context.config()?;
    let (_, gid, _) = user(&args.place.user)?;
    let layout = layout(&args.place, &config, context)?;
    let there = fs::read_to_string(&layout.given.token_file).map(|text| text.trim().to_owned());
    let there = there.ok().filter(|text| !text.is_empty() && !args.rotate);
    let made = there.is_none() && !args.tell.dry_run;
    let token = match there {
        Some(token) => token,
        None if args.tell.dry_run => "(a new token)".to_owned(),
        None => new_token(&layout.given, args.rotate, &config, context)?,
    };
    write(&layout.files(&token), Some(gid), &args.tell, context)?;
    if made {
        tell_daemon(&config).await?;
    }
    if !args.tell.json && !args.tell.dry_run {
        let PlaceArgs { agent, user, .. } = &args.place;
        context.say(format_args!(
            "\nClaude Code {CLAUDE_CODE} is what this was proven with. Next:\n  \
             wardkeep egress lock     # keeps {user} off the network\n  wardkeep-agent claude-code doctor {agent} --user {user}\n  \
             sudo -u {user} claude    # sessions that run already take the settings when they start again"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn layout(place: &PlaceArgs, config: &Config, context: &Context<'_>) -> Result<Layout, CliError> {
    let bundle = in_force_or_built_in(context);
    let policy = policy_of(&bundle, &place.agent)?;
    Ok(Layout {
        given: given(&bundle, &policy, place.folder.join("token"), config, context),
        managed_dir: place.managed_dir.clone(),
        workspace: policy.workspace.clone().into(),
        model: policy.models.first().cloned().unwrap_or_default(),
        llm: gateway_url(config),
        wait_seconds: place.wait,
    })
}

async fn doctor(args: &DoctorArgs, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let layout = layout(&args.place, &context.config()?, context)?;
    let mut findings = look(&layout, &args.place.user);
    findings.push(offered("claude-code", &layout.given).await);
    say_findings(&findings, args.json, context)
}
