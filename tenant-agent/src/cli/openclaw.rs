//! `openclaw …`: what is written for an agent's `OpenClaw`, and whether it still holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wardkeep_policy::AgentPolicy;
use wardkeep_proto::chance::bytes;
use wardkeep_proto::ids::AgentName;

use super::context::{CliError, Context};
use super::policy::in_force_or_built_in;
use super::runtime::{gateway_url, given, new_token, offered, policy_of, tell_daemon, user, write};
use super::status::say_findings;
use crate::config::Config;
use crate::doctor::{Finding, Level};
use crate::openclaw::check::{Places, look};
use crate::openclaw::files::Planned;
use crate::openclaw::given::Given;
use crate::openclaw::layout::{Layout, Tokens};
use crate::openclaw::{BACKUPS, OPENCLAW, PLUGIN};
use crate::state::remove;
use crate::unix_http::UnixClient;

pub mod args;
#[cfg(test)]
mod tests;

use args::{ConfigureArgs, DoctorArgs, InstallArgs, OpenclawCommand, PlaceArgs};

/// Runs one of them.
///
/// # Errors
/// No permission, no policy for the agent, a token that exists elsewhere.
pub async fn run(command: OpenclawCommand, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    match command {
        OpenclawCommand::Install(args) => install(&args, context),
        OpenclawCommand::Configure(args) => configure(&args, context).await,
        OpenclawCommand::Doctor(args) => doctor(&args, context).await,
    }
}

fn install(args: &InstallArgs, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let dir = &args.plugin.plugin_dir;
    let files: Vec<_> = PLUGIN.iter().map(|(name, content)| Planned::open(dir.join(name), *content)).collect();
    write(&files, None, &args.tell, context)?;
    Ok(ExitCode::SUCCESS)
}

async fn configure(args: &ConfigureArgs, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let config = context.config()?;
    let bundle = in_force_or_built_in(context);
    let policy = policy_of(&bundle, &args.agent)?;
    let given = given(&bundle, &policy, args.place.folder.join("token"), &config, context);
    let (_, gid, _) = user(&args.place.user)?;
    let layout = layout(args, &config, policy, given)?;
    let (tokens, made) = tokens(&layout, args, &config, context)?;
    let files = layout.files(&tokens, Some(&args.unit_dir));
    write(&files, Some(gid), &args.tell, context)?;
    if !args.tell.dry_run {
        for path in BACKUPS.iter().map(|name| layout.folder.join(name)) {
            remove(&path).map_err(|source| CliError::Place { path, source })?;
        }
    }
    if made && !args.tell.dry_run {
        tell_daemon(&config).await?;
    }
    if !args.tell.json && !args.tell.dry_run {
        context.say(format_args!(
            "\nOpenClaw {OPENCLAW} is what this was proven with. Next:\n  wardkeep-agent openclaw install\n  \
             wardkeep egress lock     # keeps {} off the network\n  systemctl enable --now openclaw-{}\n  \
             wardkeep-agent openclaw doctor {} --user {}",
            args.place.user, args.agent, args.agent, args.place.user
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn layout(args: &ConfigureArgs, config: &Config, policy: AgentPolicy, given: Given) -> Result<Layout, CliError> {
    apart(&args.home, Path::new(&policy.workspace))?;
    Ok(Layout {
        home: args.home.clone(),
        port: args.port,
        wait_seconds: args.wait,
        ..of_policy(&args.place, config, policy, given)
    })
}

/// What is written whatever an operator chose.
fn of_policy(place: &PlaceArgs, config: &Config, policy: AgentPolicy, given: Given) -> Layout {
    Layout {
        given,
        user: place.user.clone(),
        folder: place.folder.clone(),
        plugin_dir: place.plugin.plugin_dir.clone(),
        home: PathBuf::new(),
        workspace: policy.workspace,
        models: policy.models,
        llm: gateway_url(config),
        port: 0,
        wait_seconds: 0,
    }
}

/// What runs of the agent write is not what its gateway is set up by.
fn apart(home: &Path, workspace: &Path) -> Result<(), CliError> {
    // What is not there yet lies where the folders above it do.
    let real = |path: &Path| {
        let there = |above: &Path| Some(above.canonicalize().ok()?.join(path.strip_prefix(above).ok()?));
        path.ancestors().find_map(there).unwrap_or_else(|| path.to_owned())
    };
    let (home, workspace) = (real(home), real(workspace));
    if home.starts_with(&workspace) || workspace.starts_with(&home) {
        return Err(CliError::Usage(format!(
            "OpenClaw's own state ({}) and the agent's workspace ({}) lie in each other, so that a run could write what OpenClaw \
             reads as its settings; name another folder with --home",
            home.display(),
            workspace.display()
        )));
    }
    Ok(())
}

/// The tokens that are there, or new ones; and whether the agent's is new.
fn tokens(
    layout: &Layout,
    args: &ConfigureArgs,
    config: &Config,
    context: &Context<'_>,
) -> Result<(Tokens, bool), CliError> {
    let chance = &*context.env.chance;
    let there = |path: &Path| fs::read_to_string(path).ok();
    let agent = there(&layout.given.token_file).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let gateway = there(&layout.environment_file())
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("OPENCLAW_GATEWAY_TOKEN=").map(str::to_owned)));
    let gateway = gateway.unwrap_or_else(|| data_encoding::HEXLOWER.encode(&bytes::<32>(chance)));
    if let Some(agent) = agent.filter(|_| !args.rotate) {
        return Ok((Tokens { agent, gateway }, false));
    }
    if args.tell.dry_run {
        return Ok((Tokens { agent: "(a new token)".to_owned(), gateway }, true));
    }
    let token = new_token(&layout.given, args.rotate, config, context)?;
    Ok((Tokens { agent: token, gateway }, true))
}

async fn doctor(args: &DoctorArgs, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let place = &args.place;
    let layout = args.agent.as_ref().and_then(|agent| {
        let bundle = in_force_or_built_in(context);
        let (policy, config) = (bundle.agent(agent)?, context.config().ok()?);
        let given = given(&bundle, &policy, place.folder.join("token"), &config, context);
        Some(of_policy(place, &config, policy, given))
    });
    let places = Places {
        folder: &place.folder,
        plugin_dir: &place.plugin.plugin_dir,
        user: &place.user,
        layout: layout.as_ref(),
    };
    let mut findings = look(&places);
    if let Some(given) = layout.as_ref().map(|layout| &layout.given).filter(|given| !given.tools.is_empty()) {
        findings.push(offered("openclaw", given).await);
    }
    if let Some(agent) = &args.agent {
        findings.push(alive(agent, context).await);
    }
    say_findings(&findings, args.json, context)
}

/// Whether the plugin says in this very moment that it is alive.
async fn alive(agent: &AgentName, context: &Context<'_>) -> Finding {
    const CHECK: &str = "openclaw hook";
    let status = match context.config() {
        Ok(config) => UnixClient::admin_of(&config).get("/v1/status").await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let status = match status {
        Ok(status) => status,
        Err(why) => return Finding::bad(CHECK, Level::Error, why, "mend this first: `wardkeep-agent doctor`"),
    };
    let agents = status["status"]["agents"].as_array().or_else(|| status["agents"].as_array());
    let of = agents.into_iter().flatten().find(|one| one["agent"] == agent.as_str());
    match of.map(|one| (one["runtime"].as_str().unwrap_or_default(), one["lease_until"].is_null())) {
        Some((runtime, false)) if runtime.starts_with("openclaw/") => {
            Finding::ok(CHECK, format!("{runtime} holds the lease of {agent}"))
        }
        Some((runtime, false)) => {
            let todo = "restart OpenClaw; when another runtime uses this agent's token, give it an agent of its own";
            Finding::bad(CHECK, Level::Error, format!("the lease of {agent} is held by {runtime}"), todo)
        }
        _ => {
            let todo =
                "start or restart OpenClaw, and look for `wardkeep` in its log; until then its LLM traffic is refused";
            Finding::bad(CHECK, Level::Error, format!("no plugin holds the lease of {agent}"), todo)
        }
    }
}
