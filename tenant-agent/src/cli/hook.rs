//! `wardkeep-agent exec` and `hook …`: what agents' runtimes call. Speaks the hook API over its Unix socket.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::secret::SecretValue;

use super::context::{CliError, Context};
use super::{ExecArgs, HookCommand, TokenArgs};
use crate::state::StateDir;
use crate::tokens::{Existing, make};
use crate::unix_http::{ClientError, UnixClient};

mod claude_code;

/// Longest token file, bytes.
const TOKEN_BYTES: u64 = 4096;
/// Longest request that is read, bytes.
const INPUT_BYTES: u64 = 8 * 1024 * 1024;
/// A run may take this long.
const EXEC_WITHIN: Duration = Duration::from_secs(3600);
/// Exit codes of `hook call` besides 0.
const PENDING: u8 = 3;
const DENIED: u8 = 4;

/// `exec PERMIT`: prints the redacted output; the exit code is the call's own.
///
/// # Errors
/// No token, no daemon, or the daemon refuses.
pub async fn exec(args: ExecArgs, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let client = client(&args.token, context)?;
    let body = json!({ "permit": args.permit });
    let answer = client.send(Method::POST, "/v1/exec", Some(&body), EXEC_WITHIN).await?.accepted()?;
    let result = &answer["result"];
    context.out.write_all(result["output"].as_str().unwrap_or_default().as_bytes())?;
    Ok(exit_code(result))
}

/// The call's own code; 1 for a failure without one, so that a failure never looks like success.
fn exit_code(result: &Value) -> ExitCode {
    let ok = result["status"] == "ok";
    match result["exit_code"].as_i64().map(u8::try_from) {
        Some(Ok(0)) if !ok => ExitCode::FAILURE,
        Some(Ok(code)) => ExitCode::from(code),
        Some(Err(_)) => ExitCode::FAILURE,
        None => {
            if ok {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// Runs one of the hook's commands.
///
/// # Errors
/// No token, no daemon, or the daemon refuses.
pub async fn run(command: HookCommand, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    match command {
        HookCommand::Token { agent, rotate } => token(&agent, rotate, context).await,
        HookCommand::Call(args) => call(&args, context).await,
        HookCommand::ClaudeCode(args) => claude_code::run(&args, context).await,
    }
}

/// Whether it is the command whose failures must end with 2.
#[must_use]
pub const fn is_claude_code(command: &super::Command) -> bool {
    matches!(command, super::Command::Hook(HookCommand::ClaudeCode(_)))
}

async fn token(agent: &AgentName, rotate: bool, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let config = context.config()?;
    let state = StateDir::open(&config.state_dir)?;
    let existing = if rotate { Existing::Rotate } else { Existing::Keep };
    let token = make(&state.tokens(), agent, existing, context.env.clock.now(), &*context.env.chance)?;
    let reloaded = UnixClient::admin_of(&config).post("/v1/reload", &json!({})).await;
    context.say(token.expose())?;
    match reloaded {
        // A daemon that does not run reads the file when it starts.
        Ok(_) | Err(ClientError::NotRunning { .. }) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
    }
}

async fn call(args: &TokenArgs, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let client = client(args, context)?;
    let mut text = String::new();
    std::io::stdin().lock().take(INPUT_BYTES).read_to_string(&mut text)?;
    let body: Value = serde_json::from_str(&text)
        .map_err(|error| CliError::Usage(format!("standard input is not the JSON of before-tool-call: {error}")))?;
    let wait = Duration::from_millis(body["wait_ms"].as_u64().unwrap_or(0).min(600_000)) + Duration::from_secs(30);
    let path = "/v1/hooks/before-tool-call";
    let answer = client.send(Method::POST, path, Some(&body), wait).await?.accepted()?;
    context.json(&answer)?;
    Ok(match answer["decision"].as_str() {
        Some("allow" | "done") => ExitCode::SUCCESS,
        Some("pending") => ExitCode::from(PENDING),
        // Whatever is not understood is not allowed.
        _ => ExitCode::from(DENIED),
    })
}

/// The hook API of the daemon, for the agent whose token is given.
///
/// # Errors
/// No token, or no daemon.
pub(super) fn client(args: &TokenArgs, context: &Context<'_>) -> Result<UnixClient, CliError> {
    let token = match (&args.token_file, &context.env.agent_token) {
        (Some(path), _) => read_token(path)?,
        (None, Some(token)) => token.clone(),
        (None, None) => {
            return Err(CliError::Usage("no agent token: use --token-file, or set WARDKEEP_AGENT_TOKEN".to_owned()));
        }
    };
    // An agent's runtime may not read the configuration; the socket then is where it always is.
    let socket = match (&args.socket, context.config()) {
        (Some(named), _) => named.clone(),
        (None, Ok(config)) => config.hook_socket(),
        (None, Err(_)) => crate::config::Config::default().hook_socket(),
    };
    if !socket.exists() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(ClientError::NotRunning { socket, source }.into());
    }
    Ok(UnixClient::new(&socket).with_token(token))
}

fn read_token(path: &Path) -> Result<SecretValue, CliError> {
    let failed = |source| CliError::Input { path: path.to_owned(), source };
    let mut text = zeroize::Zeroizing::new(String::new());
    std::fs::File::open(path).map_err(failed)?.take(TOKEN_BYTES).read_to_string(&mut text).map_err(failed)?;
    Ok(SecretValue::new(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_never_looks_like_success() {
        for (result, want) in [
            (json!({ "status": "failed", "exit_code": 0 }), ExitCode::FAILURE),
            (json!({ "status": "failed" }), ExitCode::FAILURE),
            (json!({ "status": "interrupted" }), ExitCode::FAILURE),
            (json!({}), ExitCode::FAILURE),
            (json!({ "status": "failed", "exit_code": 300 }), ExitCode::FAILURE),
            (json!({ "status": "failed", "exit_code": -1 }), ExitCode::FAILURE),
            (json!({ "status": "failed", "exit_code": 7 }), ExitCode::from(7)),
            (json!({ "status": "ok", "exit_code": 0 }), ExitCode::SUCCESS),
            (json!({ "status": "ok", "http_status": 200 }), ExitCode::SUCCESS),
        ] {
            assert_eq!(format!("{:?}", exit_code(&result)), format!("{want:?}"), "{result}");
        }
    }
}
