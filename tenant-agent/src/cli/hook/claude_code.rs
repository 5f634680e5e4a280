//! `hook claude-code`: the hook protocol of Claude Code, which other runtimes speak too.
//!
//! Source: Claude Code documentation, "Hooks reference", and what 2.1.330 was seen to do (`./dev e2e claude`). Of a program that ends
//! with another code than 0 and 2, is not there, or takes too long, such a runtime thinks that it had nothing to say, and goes on by its
//! own rules. So whatever goes wrong here ends with 2, and the settings that `claude-code configure` writes turn every other end into it.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{INPUT_BYTES, client};
use crate::channel::chain;
use crate::claude_code::layout::quoted;
use crate::cli::ClaudeCodeArgs;
use crate::cli::context::{CliError, Context};
use crate::unix_http::{ClientError, UnixClient};

mod after;
mod before;

/// The call does not go on, and its model reads standard error.
const BLOCK: u8 = 2;
/// How the runtime calls tools of the MCP server `wardkeep`.
const OURS: &str = "mcp__wardkeep__";
/// How long an answer may take that waits for nobody.
const SOON: Duration = Duration::from_secs(15);

/// What the runtime says, as far as it matters.
#[derive(Deserialize)]
struct Event {
    hook_event_name: String,
    session_id: String,
    /// Of the sub-agent that calls; absent in the agent's own calls.
    #[serde(default)]
    agent_id: Option<String>,
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    tool_name: String,
    #[serde(default)]
    tool_input: Value,
    #[serde(default)]
    tool_use_id: Option<String>,
    #[serde(default)]
    tool_response: Value,
    /// Why a call failed, in place of what it gave.
    #[serde(default)]
    error: Value,
    /// Of `PostToolBatch`: everything that the model wanted at once.
    #[serde(default)]
    tool_calls: Vec<Answered>,
}

/// A call whose result the model is about to read.
#[derive(Deserialize)]
struct Answered {
    tool_name: String,
    tool_use_id: String,
    #[serde(default)]
    tool_input: Value,
    #[serde(default)]
    tool_response: Value,
}

impl Event {
    /// The session as the gate knows it: that of a sub-agent says so.
    fn session(&self) -> String {
        match &self.agent_id {
            Some(agent) => format!("{}:subagent:{agent}", self.session_id),
            None => self.session_id.clone(),
        }
    }

    /// Whether it is about a tool of our own MCP server, going by its name.
    fn is_own(&self) -> bool {
        self.tool_name.starts_with(OURS)
    }
}

/// Answers one event.
///
/// # Errors
/// Never: what goes wrong is told on standard error and ends with code 2.
pub(super) async fn run(args: &ClaudeCodeArgs, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    // A panic would end with a code that lets the call go on.
    std::panic::set_hook(Box::new(|_| std::process::exit(i32::from(BLOCK))));
    let answered = match answer(args, context).await {
        Ok(Some(said)) => context.say(said).and_then(|()| Ok(context.out.flush()?)),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    Ok(match answered {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "Wardkeep does not let this go on: {}", chain(&error));
            ExitCode::from(BLOCK)
        }
    })
}

async fn answer(args: &ClaudeCodeArgs, context: &Context<'_>) -> Result<Option<Value>, CliError> {
    let mut text = String::new();
    std::io::stdin().lock().take(INPUT_BYTES).read_to_string(&mut text)?;
    // serde's own words may quote what stood there.
    let event: Event = serde_json::from_str(&text)
        .map_err(|error| CliError::Usage(format!("standard input is no event of a hook (line {})", error.line())))?;
    let client = client(&args.token, context)?;
    if event.hook_event_name == "SessionEnd" {
        client.post("/v1/hooks/session-end", &json!({"session": event.session_id})).await?;
        return Ok(None);
    }
    started(&event, &client).await?;
    match event.hook_event_name.as_str() {
        // Nothing is decided on: the model is about to be asked, which takes a lease.
        "SessionStart" | "UserPromptSubmit" | "PreCompact" | "SubagentStart" | "SubagentStop" | "Stop" => Ok(None),
        "PreToolUse" => before::before(&event, args, &client, context).await.map(Some),
        "PermissionRequest" => Ok(before::asked_at_the_terminal(&event)),
        "PostToolUse" | "PostToolUseFailure" => Ok(after::after(&event, &client, context).await),
        "PostToolBatch" => after::batch(&event, &client).await.map(|()| None),
        other => Err(CliError::Usage(format!(
            "there is nothing to decide on in the event {other}; `wardkeep-agent claude-code configure` registers those that count"
        ))),
    }
}

/// Each event renews the lease: the command is the hook, and lives as long as it is called.
async fn started(event: &Event, client: &UnixClient) -> Result<(), ClientError> {
    let body = json!({"session": event.session_id, "runtime": "claude-code"});
    client.send(Method::POST, "/v1/hooks/session-start", Some(&body), SOON).await?.accepted().map(drop)
}

/// The runtime's tools by the names that the gate has for the same.
fn tool(name: &str) -> &str {
    match name {
        "Bash" => "bash",
        "Read" => "read_file",
        "Write" => "write_file",
        "LS" => "list_files",
        "WebFetch" => "web_fetch",
        // Our own MCP server, as this runtime calls its tools.
        other => other.strip_prefix(OURS).unwrap_or(other),
    }
}

/// How a command of ours begins that has the daemon run a call.
fn runner(context: &Context<'_>) -> String {
    format!("{} exec ", quoted(&context.env.program))
}

#[cfg(test)]
mod tests;
