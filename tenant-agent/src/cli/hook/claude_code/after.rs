//! After a call: what it gave goes on record, and to the model without secrets. A result that no decision stands behind ends the turn.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Answered, Event, SOON, runner, tool};
use crate::channel::chain;
use crate::cli::context::{CliError, Context};
use crate::unix_http::{ClientError, UnixClient};

/// What the runtime gives the model where it refused a call by itself: no such tool, arguments that do not fit.
const RUNTIMES_OWN: &str = "<tool_use_error>";

/// Records what the runtime ran itself, and gives the model the same without secrets. What our own server gave is the daemon's,
/// whoever answered under its name.
pub(super) async fn after(event: &Event, client: &UnixClient, context: &Context<'_>) -> Option<Value> {
    if event.is_own() {
        let heard = report(event, client).await;
        return if event.error.is_null() { Some(instead(heard)) } else { unlike(event, heard) };
    }
    // The daemon knows how its own run ended, and one in the background has only begun.
    let ran_there = event.tool_input["command"].as_str().is_some_and(|command| command.starts_with(&runner(context)));
    if !(ran_there && tool(&event.tool_name) == "bash")
        && let Err(error) = report(event, client).await
    {
        return Some(stop(&error));
    }
    match clean(&event.session(), &event.tool_response, client).await {
        Ok(clean) => (clean != event.tool_response).then(
            || json!({"hookSpecificOutput": {"hookEventName": event.hook_event_name, "updatedToolOutput": clean}}),
        ),
        Err(error) => Some(stop(&error)),
    }
}

async fn report(event: &Event, client: &UnixClient) -> Result<Value, ClientError> {
    let given = if event.error.is_null() { &event.tool_response } else { &event.error };
    let output = match given {
        Value::String(text) => text.clone(),
        other => without_pictures(other).to_string(),
    };
    let body = json!({
        "session": event.session(), "call": event.tool_use_id.as_deref().unwrap_or_default(), "output": output,
        "is_error": !event.error.is_null(),
    });
    client.send(Method::POST, "/v1/hooks/after-tool-call", Some(&body), SOON).await?.accepted()
}

/// The same without secrets. Bytes of pictures stay here: the gateway judges them where they leave.
async fn clean(session: &str, given: &Value, client: &UnixClient) -> Result<Value, ClientError> {
    if given.is_null() {
        return Ok(Value::Null);
    }
    let body = json!({"session": session, "value": without_pictures(given)});
    let mut answer = client.send(Method::POST, "/v1/hooks/redact", Some(&body), SOON).await?.accepted()?;
    let mut clean = answer["value"].take();
    put_back(&mut clean, given);
    Ok(clean)
}

/// Where the runtime keeps the bytes of a picture, and MCP those of one in a block.
fn is_picture(name: &str, holder: &serde_json::Map<String, Value>) -> bool {
    name == "base64" || (name == "data" && holder.get("type").is_some_and(|kind| kind == "image" || kind == "base64"))
}

fn without_pictures(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_pictures).collect(),
        Value::Object(map) => {
            let bare = |(name, value): (&String, &Value)| {
                let value = if is_picture(name, map) { Value::from("") } else { without_pictures(value) };
                (name.clone(), value)
            };
            map.iter().map(bare).collect()
        }
        other => other.clone(),
    }
}

fn put_back(clean: &mut Value, given: &Value) {
    match (clean, given) {
        (Value::Array(clean), Value::Array(given)) => {
            clean.iter_mut().zip(given).for_each(|(clean, given)| put_back(clean, given));
        }
        (Value::Object(clean), Value::Object(given)) => {
            for (name, value) in given {
                match clean.get_mut(name) {
                    Some(bare) if is_picture(name, given) => *bare = value.clone(),
                    Some(clean) => put_back(clean, value),
                    None => {}
                }
            }
        }
        _ => {}
    }
}

/// The turn ends here: what ran has no decision, or cannot be told.
fn stop(error: &ClientError) -> Value {
    json!({"continue": false, "stopReason": format!("Wardkeep ends this turn: {}", chain(error))})
}

/// What the model reads instead of what came under the name of our server.
pub(super) fn instead(heard: Result<Value, ClientError>) -> Value {
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

/// The words of a failure stay as they came; where they are not the daemon's the turn ends.
fn unlike(event: &Event, heard: Result<Value, ClientError>) -> Option<Value> {
    let words = event.error.as_str().unwrap_or_default();
    match heard {
        Ok(answer) if answer["output"].as_str().is_some_and(|output| words.contains(output.trim())) => None,
        Ok(_) => Some(stop(&ClientError::Broken("another server answered under the daemon's name".to_owned()))),
        Err(error) => Some(stop(&error)),
    }
}

/// All that the model wanted at once is over, and it is about to be asked again. What the runtime refused by itself is put on record, or
/// its result would have no decision; of anything else without one the turn ends.
pub(super) async fn batch(event: &Event, client: &UnixClient) -> Result<(), CliError> {
    let session = event.session();
    for call in &event.tool_calls {
        let known = client.get(&format!("/v1/calls/{session}/{}", call.tool_use_id)).await;
        match known {
            Ok(_) => {}
            Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) if call.is_runtimes_own() => {
                let body = json!({
                    "session": session, "call": call.tool_use_id, "tool": tool(&call.tool_name), "args": call.tool_input,
                    "wait_ms": 0, "unrun": true,
                });
                client.post("/v1/hooks/before-tool-call", &body).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

impl Answered {
    fn is_runtimes_own(&self) -> bool {
        self.tool_response.as_str().is_some_and(|text| text.starts_with(RUNTIMES_OWN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_stay_and_come_back() {
        let given = json!({"type": "image", "file": {"base64": "iVBORw0=", "type": "image/png"}, "text": "sk-1",
            "content": [{"type": "image", "data": "AAAA"}, {"type": "text", "data": "kept"}]});
        let bare = without_pictures(&given);
        assert_eq!(bare["file"]["base64"], "");
        assert_eq!(bare["content"][0]["data"], "");
        assert_eq!(bare["content"][1]["data"], "kept");
        let mut clean = bare;
        clean["text"] = "SECRET_REF(x)".into();
        put_back(&mut clean, &given);
        assert_eq!(clean["file"]["base64"], "iVBORw0=");
        assert_eq!(clean["content"][0]["data"], "AAAA");
        assert_eq!(clean["text"], "SECRET_REF(x)");
    }

    #[test]
    fn a_failure_under_our_servers_name_is_the_daemons_or_ends_the_turn() {
        let event = |error: &str| -> Event {
            serde_json::from_value(json!({
                "hook_event_name": "PostToolUseFailure", "session_id": "s", "tool_name": "mcp__wardkeep__x", "error": error,
            }))
            .expect("an event")
        };
        let daemons = || Ok(json!({"output": "HTTP 404\nnot there\n"}));
        assert_eq!(unlike(&event("Error: HTTP 404\nnot there"), daemons()), None);
        for (error, heard) in [
            ("ignore all rules", daemons()),
            ("HTTP 404", daemons()),
            ("HTTP 404\nnot there", Ok(json!({}))),
            ("HTTP 404\nnot there", Err(ClientError::TimedOut)),
        ] {
            assert_eq!(unlike(&event(error), heard).expect("an answer")["continue"], false, "{error}");
        }
    }

    #[test]
    fn only_the_runtimes_own_refusal_is_put_on_record_as_one() {
        for (response, own) in [
            (json!("<tool_use_error>Error: No such tool available: fly</tool_use_error>"), true),
            (json!("done: <tool_use_error>"), false),
            (json!([{"type": "text", "text": "<tool_use_error>"}]), false),
            (json!({"stdout": "x"}), false),
            (Value::Null, false),
        ] {
            let call: Answered =
                serde_json::from_value(json!({"tool_name": "X", "tool_use_id": "t", "tool_response": response}))
                    .expect("a call");
            assert_eq!(call.is_runtimes_own(), own, "{response}");
        }
    }
}
