//! Before a call: what the gate says of it, in the runtime's words.

use std::path::{Component, Path};
use std::time::Duration;

use http::Method;
use serde_json::{Map, Value, json};

use super::{Event, SOON, quoted, runner, tool};
use crate::cli::ClaudeCodeArgs;
use crate::cli::context::{CliError, Context};
use crate::unix_http::UnixClient;

/// Tools that are a question to whoever sits at the terminal, and nothing else.
const QUESTIONS: &[&str] = &["AskUserQuestion", "ExitPlanMode"];
/// What the model reads where the runtime would ask somebody.
const NOT_HERE: &str =
    "Wardkeep has not allowed this call, and nobody at the terminal can; its own hook gave no answer in time";

/// What the model does where nobody decided in time. The gate knows the call again.
const COME_BACK: &str =
    "Nothing was done yet. Tell the user; when they say that it was approved, make exactly the same call again.";

pub(super) async fn before(
    event: &Event,
    args: &ClaudeCodeArgs,
    client: &UnixClient,
    context: &Context<'_>,
) -> Result<Value, CliError> {
    let Some(call) = &event.tool_use_id else {
        return Err(CliError::Usage("the event names no tool_use_id; update the runtime".to_owned()));
    };
    if let Some(outside) = args.workspace.as_deref().and_then(|workspace| outside(event, workspace)) {
        // On record, or what the model reads of it would have no decision.
        let body = json!({
            "session": event.session(), "call": call, "tool": tool(&event.tool_name), "args": {"refused": outside}, "unrun": true,
        });
        client.post("/v1/hooks/before-tool-call", &body).await?;
        return Ok(said("deny", &format!("Not allowed: {outside}"), None));
    }
    let wait = Duration::from_secs(u64::from(args.wait));
    let body = json!({
        "session": event.session(), "call": call, "tool": tool(&event.tool_name), "args": args_of(event),
        "cwd": event.cwd, "wait_ms": wait.as_millis() as u64, "own": event.is_own(), "again": true,
    });
    let answer = client.send(Method::POST, "/v1/hooks/before-tool-call", Some(&body), wait + SOON).await?.accepted()?;
    Ok(decision(event, &answer, &runner(context), &where_from(args)))
}

/// The call's arguments. The runtime's tool for commands has none for variables, and a reference to a secret is put in nowhere else:
/// those that stand before a command, as a shell has them, become its environment.
pub(super) fn args_of(event: &Event) -> Value {
    let mut args = event.tool_input.clone();
    let Some(command) = args["command"].as_str().filter(|_| tool(&event.tool_name) == "bash") else { return args };
    let (mut env, mut rest) = (Map::new(), command.trim_start());
    while let Some((name, value, after)) = reference(rest) {
        env.insert(name.to_owned(), value.into());
        rest = after;
    }
    if !env.is_empty() && !rest.is_empty() {
        (args["command"], args["env"]) = (rest.to_owned().into(), env.into());
    }
    args
}

/// `NAME=SECRET_REF(name)` and a space at the beginning, and what is behind them.
fn reference(text: &str) -> Option<(&str, &str, &str)> {
    let (name, after) = text.split_once('=')?;
    let head = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let fits = name.bytes().next().is_some_and(head) && name.bytes().all(|b| head(b) || b.is_ascii_digit());
    let (value, rest) = after.split_at(after.find(')')? + 1);
    let secret = value.strip_prefix("SECRET_REF(")?.strip_suffix(')')?;
    let named = !secret.is_empty() && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    (fits && named && rest.starts_with([' ', '\t'])).then(|| (name, value, rest.trim_start_matches([' ', '\t'])))
}

/// What the runtime is told. Whatever is not understood is not allowed.
pub(super) fn decision(event: &Event, answer: &Value, runner: &str, from: &str) -> Value {
    let permit = answer["permit"].as_str();
    let command = matches!(tool(&event.tool_name), "bash");
    match (answer["decision"].as_str(), permit) {
        // The daemon runs its own copy, holds it, and puts secrets in there.
        (Some("allow" | "done"), Some(permit)) if command => {
            let mut input = event.tool_input.clone();
            input["command"] = format!("{runner}{permit}{from}").into();
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
        (Some("pending"), _) => {
            let message = answer["message"].as_str().unwrap_or("Waiting for a person.");
            said("deny", &format!("{message} {COME_BACK}"), None)
        }
        _ => said("deny", answer["message"].as_str().unwrap_or("Wardkeep did not allow it"), None),
    }
}

fn said(word: &str, why: &str, input: Option<Value>) -> Value {
    let mut out = Map::new();
    out.insert("hookEventName".to_owned(), "PreToolUse".into());
    out.insert("permissionDecision".to_owned(), word.into());
    out.insert("permissionDecisionReason".to_owned(), why.into());
    out.extend(input.map(|input| ("updatedInput".to_owned(), input)));
    json!({ "hookSpecificOutput": out })
}

/// Why the runtime's own tools may not open this file: it is not in the workspace, once links are followed.
pub(super) fn outside(event: &Event, workspace: &Path) -> Option<String> {
    let text = |name: &str| event.tool_input[name].as_str();
    // An absolute pattern is searched for from its last folder without a wildcard, whatever `path` says.
    let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    let is_absolute =
        |pattern: &&str| event.tool_name == "Glob" && pattern.trim_start_matches(blank).starts_with(['/', '~']);
    let searched = text("pattern").filter(is_absolute).map(|pattern| {
        let plain = pattern.split(['*', '?', '[', '{']).next().unwrap_or_default();
        plain.rfind('/').map_or(plain, |at| &plain[..=at])
    });
    let named = ["file_path", "notebook_path", "path"].into_iter().filter_map(text).chain(searched);
    let mine = ["Read", "Write", "Edit", "MultiEdit", "NotebookEdit", "NotebookRead", "Glob", "Grep", "LS"];
    let cwd = Path::new(event.cwd.as_deref().unwrap_or("/"));
    let beneath = |path: &str| {
        // The runtime takes `~` for its user's home, and blanks off both ends: such a path is another one there.
        let bare = path.trim_matches(blank);
        if path.starts_with('~') || bare != path {
            return false;
        }
        let path = cwd.join(path);
        let climbs = path.components().any(|part| part == Component::ParentDir);
        // What is not there yet will lie where the folders above it do.
        let real =
            path.ancestors().find_map(|above| Some(above.canonicalize().ok()?.join(path.strip_prefix(above).ok()?)));
        let dangling = path.symlink_metadata().is_ok() && !path.exists();
        let root = workspace.canonicalize().ok();
        !climbs && !dangling && root.zip(real).is_some_and(|(root, real)| real.starts_with(root))
    };
    let one =
        mine.contains(&event.tool_name.as_str()).then(|| named.into_iter().find(|path| !beneath(path))).flatten()?;
    Some(format!("{one} is not in the workspace {}", workspace.display()))
}

/// The runtime asks whoever sits at the terminal, which it does where no hook said yes or no. Ours says one of them of every call,
/// so this one came past it.
pub(super) fn asked_at_the_terminal(event: &Event) -> Option<Value> {
    if QUESTIONS.contains(&event.tool_name.as_str()) {
        return None;
    }
    let decision = json!({"behavior": "deny", "message": NOT_HERE});
    Some(json!({"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}))
}

/// The runner finds daemon and token as this command did.
fn where_from(args: &ClaudeCodeArgs) -> String {
    let named = [("--token-file", &args.token.token_file), ("--socket", &args.token.socket)];
    let words = named.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?)));
    words.map(|(name, path)| format!(" {name} {}", quoted(path))).collect()
}
