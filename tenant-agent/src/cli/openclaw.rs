//! `openclaw …`: what is written for an agent's `OpenClaw`, and whether it still holds.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use wardkeep_policy::{AgentPolicy, Bundle};
use wardkeep_proto::chance::bytes;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::secret::SecretValue;

use super::context::{CliError, Context};
use super::policy::in_force_or_built_in;
use super::status::say_findings;
use crate::config::Config;
use crate::doctor::{Finding, Level};
use crate::openclaw::check::{Places, look};
use crate::openclaw::files::{Done, Planned, account};
use crate::openclaw::given::{Given, OWN_SERVER};
use crate::openclaw::layout::{Layout, Tokens};
use crate::openclaw::{BACKUPS, OPENCLAW, PLUGIN};
use crate::state::{StateDir, remove};
use crate::tokens::{Existing, TokenError, make};
use crate::unix_http::{ClientError, UnixClient};

pub mod args;
#[cfg(test)]
mod tests;

use args::{ConfigureArgs, DoctorArgs, InstallArgs, OpenclawCommand, PlaceArgs, TellArgs};

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
    let policy = bundle.agent(&args.agent).ok_or_else(|| {
        CliError::Usage(format!(
            "the policy in force does not know the agent {}; add it on the hub, or see `wardkeep-agent policy show`",
            args.agent
        ))
    })?;
    let given = given(&bundle, &policy, &args.place, &config, context);
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
        match UnixClient::admin_of(&config).post("/v1/reload", &json!({})).await {
            // A daemon that does not run reads the file when it starts.
            Ok(_) | Err(ClientError::NotRunning { .. }) => {}
            Err(error) => return Err(error.into()),
        }
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

/// What the policy gives the agent.
fn given(bundle: &Bundle, policy: &AgentPolicy, place: &PlaceArgs, config: &Config, context: &Context<'_>) -> Given {
    Given {
        agent: policy.name.clone(),
        subagents: policy.subagents,
        tools: Given::tools_of(bundle, policy),
        runner: context.env.program.clone(),
        socket: config.hook_socket(),
        token_file: place.folder.join("token"),
    }
}

fn layout(args: &ConfigureArgs, config: &Config, policy: AgentPolicy, given: Given) -> Result<Layout, CliError> {
    if policy.models.is_empty() {
        return Err(CliError::Usage(format!("the policy gives {} no model; add one on the hub", args.agent)));
    }
    apart(&args.home, Path::new(&policy.workspace))?;
    // Ports that were picked at the start stand in the daemon's own note.
    let listening = fs::read(config.listen_file()).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let llm = listening.as_ref().and_then(|note| note["llm"].as_str().map(str::to_owned));
    Ok(Layout {
        given,
        user: args.place.user.clone(),
        folder: args.place.folder.clone(),
        plugin_dir: args.place.plugin.plugin_dir.clone(),
        home: args.home.clone(),
        workspace: policy.workspace,
        models: policy.models,
        llm: format!("http://{}", llm.unwrap_or_else(|| config.llm.listen.addr().to_string())),
        port: args.port,
        wait_seconds: args.wait,
    })
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
    let state = StateDir::open(&config.state_dir)?;
    let existing = if args.rotate { Existing::Rotate } else { Existing::Keep };
    let token = make(&state.tokens(), &args.agent, existing, context.env.clock.now(), chance);
    let token = token.map_err(|error| match error {
        TokenError::Exists(agent) => CliError::Usage(format!(
            "agent {agent} has a token that is not in {}; put it there, or end it and make another with --rotate",
            layout.given.token_file.display()
        )),
        error => error.into(),
    })?;
    Ok((Tokens { agent: token.expose().to_owned(), gateway }, true))
}

fn user(name: &str) -> Result<(u32, u32, Vec<u32>), CliError> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    account(name, &read("/etc/passwd"), &read("/etc/group")).ok_or_else(|| {
        CliError::Usage(format!("there is no user {name} on this server; make it with `useradd --system {name}`, or name another with --user"))
    })
}

fn write(files: &[Planned], group: Option<u32>, tell: &TellArgs, context: &mut Context<'_>) -> Result<(), CliError> {
    let mut told = Vec::new();
    for file in files {
        let done = if tell.dry_run { file.compare() } else { file.write(group) };
        let done = done.map_err(|source| CliError::Place { path: file.path.clone(), source })?;
        if tell.json {
            told.push(json!({"path": file.path, "mode": format!("{:04o}", file.mode), "done": done}));
        } else {
            let word = match (done, tell.dry_run) {
                (Done::Kept, _) => "as it was",
                (Done::Made, false) => "written",
                (Done::Replaced, false) => "replaced",
                (Done::Made, true) => "would be written",
                (Done::Replaced, true) => "would be replaced",
            };
            context.say(format_args!("{word:<17} {}", file.path.display()))?;
        }
    }
    if tell.json {
        context.json(&json!({"dry_run": tell.dry_run, "files": told}))?;
    }
    Ok(())
}

async fn doctor(args: &DoctorArgs, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let place = &args.place;
    let given = args.agent.as_ref().and_then(|agent| {
        let bundle = in_force_or_built_in(context);
        let (policy, config) = (bundle.agent(agent)?, context.config().ok()?);
        Some(given(&bundle, &policy, place, &config, context))
    });
    let places = Places {
        folder: &place.folder,
        plugin_dir: &place.plugin.plugin_dir,
        user: &place.user,
        given: given.as_ref(),
    };
    let mut findings = look(&places);
    if let Some(given) = given.as_ref().filter(|given| !given.tools.is_empty()) {
        findings.push(offered(given).await);
    }
    if let Some(agent) = &args.agent {
        findings.push(alive(agent, context).await);
    }
    say_findings(&findings, args.json, context)
}

/// Whether the daemon's MCP server offers, under the agent's own token, what the policy gives.
async fn offered(given: &Given) -> Finding {
    const CHECK: &str = "openclaw tools";
    let todo = "look at `wardkeep-agent doctor`, then write the token anew: `wardkeep-agent openclaw configure AGENT --rotate`";
    let listed = match list(given).await {
        Ok(listed) => listed,
        Err(why) => return Finding::bad(CHECK, Level::Error, format!("the daemon offers no tools: {why}"), todo),
    };
    let missing: Vec<&str> = given.tools.iter().filter(|tool| !listed.contains(tool)).map(String::as_str).collect();
    if missing.is_empty() {
        let found = format!("{} tools of adapters are offered to {} as {OWN_SERVER}", given.tools.len(), given.agent);
        return Finding::ok(CHECK, found);
    }
    Finding::bad(CHECK, Level::Error, format!("the daemon does not offer {}", missing.join(", ")), todo)
}

/// The names of all tools that the daemon offers to whoever has this token.
async fn list(given: &Given) -> Result<Vec<String>, String> {
    let token = fs::read_to_string(&given.token_file).map_err(|error| error.to_string())?;
    let client = UnixClient::new(&given.socket).with_token(SecretValue::new(token.trim().to_owned()));
    let asked = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let said = client.post("/mcp", &asked).await.map_err(|error| error.to_string())?;
    let tools = said["result"]["tools"].as_array().ok_or("its answer is not understood")?;
    Ok(tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect())
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
