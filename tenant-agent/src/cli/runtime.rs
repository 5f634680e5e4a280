//! What is written for an agent's runtime, whichever it is, and how that is told.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use wardkeep_policy::{AgentPolicy, Bundle};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::secret::SecretValue;

use super::context::{CliError, Context};
use super::openclaw::args::TellArgs;
use crate::config::Config;
use crate::doctor::{Finding, Level};
use crate::openclaw::files::{Done, Planned, account};
use crate::openclaw::given::{Given, OWN_SERVER};
use crate::state::StateDir;
use crate::tokens::{Existing, TokenError, make};
use crate::unix_http::{ClientError, UnixClient};

/// What the policy says of an agent that a runtime can be set up for.
pub(super) fn policy_of(bundle: &Bundle, agent: &AgentName) -> Result<AgentPolicy, CliError> {
    let policy = bundle.agent(agent).ok_or_else(|| {
        CliError::Usage(format!(
            "the policy in force does not know the agent {agent}; add it on the hub, or see `wardkeep-agent policy show`"
        ))
    })?;
    if policy.models.is_empty() {
        return Err(CliError::Usage(format!("the policy gives {agent} no model; add one on the hub")));
    }
    Ok(policy)
}

/// What the policy gives the agent.
pub(super) fn given(
    bundle: &Bundle,
    policy: &AgentPolicy,
    token_file: PathBuf,
    config: &Config,
    context: &Context<'_>,
) -> Given {
    Given {
        agent: policy.name.clone(),
        subagents: policy.subagents,
        tools: Given::tools_of(bundle, policy),
        runner: context.env.program.clone(),
        socket: config.hook_socket(),
        token_file,
    }
}

/// Base URL of the LLM gateway. Ports that were picked at the start stand in the daemon's own note.
pub(super) fn gateway_url(config: &Config) -> String {
    let note = fs::read(config.listen_file()).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let llm = note.as_ref().and_then(|note| note["llm"].as_str().map(str::to_owned));
    format!("http://{}", llm.unwrap_or_else(|| config.llm.listen.addr().to_string()))
}

/// Makes the agent's token, which is not in its file; ends another one only where that is asked for.
pub(super) fn new_token(
    given: &Given,
    rotate: bool,
    config: &Config,
    context: &Context<'_>,
) -> Result<String, CliError> {
    let state = StateDir::open(&config.state_dir)?;
    let existing = if rotate { Existing::Rotate } else { Existing::Keep };
    let token = make(&state.tokens(), &given.agent, existing, context.env.clock.now(), &*context.env.chance);
    let token = token.map_err(|error| match error {
        TokenError::Exists(agent) => CliError::Usage(format!(
            "agent {agent} has a token that is not in {}; put it there, or end it and make another with --rotate",
            given.token_file.display()
        )),
        error => error.into(),
    })?;
    Ok(token.expose().to_owned())
}

/// Lets the daemon know of another token. One that does not run reads the file when it starts.
pub(super) async fn tell_daemon(config: &Config) -> Result<(), CliError> {
    match UnixClient::admin_of(config).post("/v1/reload", &json!({})).await {
        Ok(_) | Err(ClientError::NotRunning { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Ids of the user that a runtime runs as.
pub(super) fn user(name: &str) -> Result<(u32, u32, Vec<u32>), CliError> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    account(name, &read("/etc/passwd"), &read("/etc/group")).ok_or_else(|| {
        CliError::Usage(format!("there is no user {name} on this server; make it with `useradd --system {name}`, or name another with --user"))
    })
}

/// Writes the files, and tells of each.
pub(super) fn write(
    files: &[Planned],
    group: Option<u32>,
    tell: &TellArgs,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
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

/// Whether the daemon's MCP server offers, under the agent's own token, what the policy gives.
pub(super) async fn offered(runtime: &str, given: &Given) -> Finding {
    let check = format!("{runtime} tools");
    let todo = format!(
        "look at `wardkeep-agent doctor`, then write the token anew: `wardkeep-agent {runtime} configure {} --rotate`",
        given.agent
    );
    let listed = match list(given).await {
        Ok(listed) => listed,
        Err(why) => return Finding::bad(&check, Level::Error, format!("the daemon offers no tools: {why}"), todo),
    };
    let missing: Vec<&str> = given.tools.iter().filter(|tool| !listed.contains(tool)).map(String::as_str).collect();
    if missing.is_empty() {
        let found = format!("{} tools of adapters are offered to {} as {OWN_SERVER}", given.tools.len(), given.agent);
        return Finding::ok(&check, found);
    }
    Finding::bad(&check, Level::Error, format!("the daemon does not offer {}", missing.join(", ")), todo)
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
