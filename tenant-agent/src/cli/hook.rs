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
/// Between two looks at what a run has printed.
const LOOK: Duration = Duration::from_millis(300);
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
    let mut run = std::pin::pin!(client.send(Method::POST, "/v1/exec", Some(&body), EXEC_WITHIN));
    let (mut shown, mut next) = (String::new(), 0);
    let answer = loop {
        tokio::select! {
            answer = &mut run => break answer?.accepted()?,
            () = tokio::time::sleep(LOOK) => {}
        }
        // Who cannot look on gets it all at the end.
        let look = json!({ "permit": args.permit, "from": next });
        let Ok(part) = client.post("/v1/exec/output", &look).await else { continue };
        let text = part["text"].as_str().unwrap_or_default();
        next = part["next"].as_u64().unwrap_or(next);
        context.out.write_all(text.as_bytes())?;
        context.out.flush()?;
        shown.push_str(text);
    };
    let result = &answer["result"];
    context.out.write_all(rest(result["output"].as_str().unwrap_or_default(), &shown).as_bytes())?;
    Ok(exit_code(result))
}

/// What of the result's output was not shown while it ran. A note about the end stands in front of the output; where a
/// secret became known meanwhile the two differ, and then all of it is shown.
fn rest(output: &str, shown: &str) -> String {
    match output.split_once(shown) {
        Some(("", rest)) => rest.to_owned(),
        Some((note, rest)) if note.starts_with('[') && note.ends_with("]\n") && note.lines().count() == 1 => {
            format!("{rest}\n{note}")
        }
        _ => format!("\n{output}"),
    }
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

    #[test]
    fn what_was_shown_is_not_shown_again() {
        for (output, shown, wanted) in [
            ("a\nb\n", "a\n", "b\n"),
            ("a\nb\n", "", "a\nb\n"),
            ("", "", ""),
            ("[stopped: it ran longer than 2 s]\na\nb", "a\n", "b\n[stopped: it ran longer than 2 s]\n"),
            ("SECRET_REF(x)\n", "new-secret", "\nSECRET_REF(x)\n"),
            ("other\na\n", "a\n", "\nother\na\n"),
        ] {
            assert_eq!(rest(output, shown), wanted, "{output:?} after {shown:?}");
        }
    }
}
