//! `hook claude-code`: the hook protocol of Claude Code, which other runtimes speak too.
//!
//! Source: Claude Code documentation, "Hooks reference" (`PreToolUse`, `PostToolUse`, exit code 2). Every other exit code but
//! 0 and 2 lets the call go on there, so whatever goes wrong here ends with 2.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{INPUT_BYTES, client};
use crate::channel::chain;
use crate::cli::ClaudeCodeArgs;
use crate::cli::context::{CliError, Context};
use crate::unix_http::{ClientError, UnixClient};

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
            let _ = writeln!(std::io::stderr(), "Wardkeep does not allow this call: {}", chain(&error));
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
    match event.hook_event_name.as_str() {
        "SessionStart" => {
            started(&event, &client).await?;
            Ok(None)
        }
        "PreToolUse" => {
            started(&event, &client).await?;
            before(&event, args, &client, context).await.map(Some)
        }
        "PostToolUse" => after(&event, &client).await,
        other => Err(CliError::Usage(format!(
            "there is nothing to decide on in the event {other}; register this command for PreToolUse and PostToolUse"
        ))),
    }
}

/// Each event renews the lease: the command is the hook, and lives as long as it is called.
async fn started(event: &Event, client: &UnixClient) -> Result<(), ClientError> {
    let body = json!({"session": event.session_id, "runtime": "claude-code"});
    client.send(Method::POST, "/v1/hooks/session-start", Some(&body), SOON).await?.accepted().map(drop)
}

async fn before(
    event: &Event,
    args: &ClaudeCodeArgs,
    client: &UnixClient,
    context: &Context<'_>,
) -> Result<Value, CliError> {
    let Some(call) = &event.tool_use_id else {
        return Err(CliError::Usage("the event names no tool_use_id; update the runtime".to_owned()));
    };
    let wait = Duration::from_secs(u64::from(args.wait));
    let body = json!({
        "session": event.session(), "call": call, "tool": tool(&event.tool_name), "args": event.tool_input,
        "cwd": event.cwd, "wait_ms": wait.as_millis() as u64, "own": event.is_own(),
    });
    let answer = client.send(Method::POST, "/v1/hooks/before-tool-call", Some(&body), wait + SOON).await?.accepted()?;
    let runner = format!("{} exec", quoted(&context.env.program.display().to_string()));
    Ok(decision(event, &answer, &runner, &where_from(args)))
}

/// What the runtime is told. Whatever is not understood is not allowed.
fn decision(event: &Event, answer: &Value, runner: &str, from: &str) -> Value {
    let said = |word: &str, why: &str, input: Option<Value>| {
        let mut out = Map::new();
        out.insert("hookEventName".to_owned(), "PreToolUse".into());
        out.insert("permissionDecision".to_owned(), word.into());
        out.insert("permissionDecisionReason".to_owned(), why.into());
        out.extend(input.map(|input| ("updatedInput".to_owned(), input)));
        json!({ "hookSpecificOutput": out })
    };
    let permit = answer["permit"].as_str();
    let command = matches!(tool(&event.tool_name), "bash");
    match (answer["decision"].as_str(), permit) {
        // The daemon runs its own copy, holds it, and puts secrets in there.
        (Some("allow" | "done"), Some(permit)) if command => {
            let mut input = event.tool_input.clone();
            input["command"] = format!("{runner} {permit}{from}").into();
            said("allow", "Wardkeep allowed it; its daemon runs it", Some(input))
        }
        // Our server runs what was decided on here, whatever else the arguments were; another one of its name learns a number,
        // and what it answers is not told.
        (Some("allow" | "done"), Some(permit)) if event.is_own() => {
            said("allow", "Wardkeep allowed it; its daemon runs it", Some(json!({"wardkeep_permit": permit})))
        }
        (Some("allow"), Some(_)) => said("allow", "Wardkeep allowed it", None),
        (Some("done"), _) => {
            let output = answer["result"]["output"].as_str().unwrap_or_default();
            said("deny", &format!("This server carried it out after a person approved it. It gave:\n{output}"), None)
        }
        _ => said("deny", answer["message"].as_str().unwrap_or("Wardkeep did not allow it"), None),
    }
}

/// Records what the runtime ran itself. It is too late to change what the model reads, so a result without a decision is told; but
/// that of our own server is the daemon's, whoever answered under its name.
async fn after(event: &Event, client: &UnixClient) -> Result<Option<Value>, CliError> {
    let Some(call) = &event.tool_use_id else { return Ok(None) };
    let output = match &event.tool_response {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let body = json!({"session": event.session(), "call": call, "output": output});
    let heard = client.send(Method::POST, "/v1/hooks/after-tool-call", Some(&body), SOON).await?.accepted();
    if event.is_own() {
        return Ok(Some(instead(heard)));
    }
    heard?;
    Ok(None)
}

/// What the model reads instead of what came under the name of our server.
fn instead(heard: Result<Value, ClientError>) -> Value {
    let shown = |words: &str| json!({"hookEventName": "PostToolUse", "updatedMCPToolOutput": words});
    match heard.as_ref().map(|answer| answer["output"].as_str()) {
        Ok(Some(output)) => json!({"hookSpecificOutput": shown(output)}),
        _ => {
            let why = match heard {
                Ok(_) => "the daemon's answer is not understood".to_owned(),
                Err(error) => chain(&error),
            };
            let words = format!("Wardkeep has no result of this call: {why}");
            json!({"decision": "block", "reason": words, "hookSpecificOutput": shown(&words)})
        }
    }
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

/// The runner finds daemon and token as this command did.
fn where_from(args: &ClaudeCodeArgs) -> String {
    let named = [("--token-file", &args.token.token_file), ("--socket", &args.token.socket)];
    let words = named.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?)));
    words.map(|(name, path)| format!(" {name} {}", quoted(&path.display().to_string()))).collect()
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(tool: &str, input: Value) -> Event {
        serde_json::from_value(json!({
            "hook_event_name": "PreToolUse", "session_id": "s", "tool_name": tool, "tool_input": input,
            "tool_use_id": "toolu_1", "transcript_path": "/x", "permission_mode": "default",
        }))
        .expect("an event")
    }

    #[test]
    fn only_a_plain_yes_allows() {
        let permit = "01890a5d-ac96-774b-bcce-b302099a8057";
        for (answer, want) in [
            (json!({"decision": "allow", "permit": permit}), "allow"),
            (json!({"decision": "allow"}), "deny"),
            (json!({"decision": "pending", "message": "Waiting (A-1)"}), "deny"),
            (json!({"decision": "deny", "message": "no"}), "deny"),
            (json!({"decision": "done", "permit": permit, "result": {"output": "x"}}), "deny"),
            (json!({}), "deny"),
        ] {
            let said = decision(&event("Read", json!({"file_path": "/a"})), &answer, "w exec", "");
            assert_eq!(said["hookSpecificOutput"]["permissionDecision"], want, "{answer}");
            assert!(said["hookSpecificOutput"].get("updatedInput").is_none());
        }
    }

    #[test]
    fn a_command_is_run_by_the_daemon() {
        let answer = json!({"decision": "allow", "permit": "p"});
        let bash = event("Bash", json!({"command": "printenv", "description": "look"}));
        let said = decision(&bash, &answer, "'/usr/bin/wardkeep-agent' exec", " --token-file '/t'");
        let input = &said["hookSpecificOutput"]["updatedInput"];
        assert_eq!(input["command"], "'/usr/bin/wardkeep-agent' exec p --token-file '/t'");
        assert_eq!(input["description"], "look");
    }

    #[test]
    fn a_tool_of_our_own_server_gets_the_permit_and_nothing_else() {
        let answer = json!({"decision": "allow", "permit": "p"});
        for (name, ours) in
            [("mcp__wardkeep__shop_write", true), ("mcp__other__shop_write", false), ("mcp__Wardkeep__x", false)]
        {
            let said = decision(&event(name, json!({"to": "a@b.example"})), &answer, "w exec", "");
            let input = said["hookSpecificOutput"].get("updatedInput");
            assert_eq!(input, ours.then(|| json!({"wardkeep_permit": "p"})).as_ref(), "{name}");
        }
        assert_eq!(tool("mcp__wardkeep__shop_write"), "shop_write");
        assert_eq!(tool("mcp__other__shop_write"), "mcp__other__shop_write");
    }

    #[test]
    fn what_answers_under_our_servers_name_is_not_told() {
        let refused =
            || ClientError::Refused { status: http::StatusCode::CONFLICT, message: "it did not run here".to_owned() };
        for heard in [Err(refused()), Ok(json!({})), Ok(json!({"output": 1}))] {
            let said = instead(heard);
            assert_eq!(said["decision"], "block");
            let told = said["hookSpecificOutput"]["updatedMCPToolOutput"].as_str().expect("words");
            assert!(told.contains("no result of this call"), "{told}");
        }
        let said = instead(Ok(json!({"output": "the daemon's"})));
        assert_eq!(said["hookSpecificOutput"]["updatedMCPToolOutput"], "the daemon's");
        assert!(said.get("decision").is_none());
    }

    #[test]
    fn a_subagents_calls_are_named_as_such() {
        let mut event = event("Read", json!({}));
        assert_eq!(event.session(), "s");
        event.agent_id = Some("a17".to_owned());
        assert_eq!(event.session(), "s:subagent:a17");
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("/a b'c"), r"'/a b'\''c'");
    }
}
