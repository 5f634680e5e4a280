//! `wardkeep-agent approvals …`: asked of the running daemon, with or without a hub.

use serde_json::{Value, json};

use super::context::{CliError, Context};
use super::{ApprovalsCommand, DecisionArgs};
use crate::unix_http::UnixClient;

/// Runs one of the approvals' commands.
///
/// # Errors
/// The daemon does not run, or refuses.
pub async fn run(command: ApprovalsCommand, context: &mut Context<'_>) -> Result<(), CliError> {
    let client = admin(context)?;
    match command {
        ApprovalsCommand::List { all, json } => {
            let list = client.get(if all { "/v1/approvals?all=true" } else { "/v1/approvals" }).await?;
            if json {
                return context.json(&list);
            }
            let rows = list.as_array().cloned().unwrap_or_default();
            if rows.is_empty() {
                return context.say("nothing waits for a decision");
            }
            for row in rows {
                let title = one_line(&text(&row, "/title"));
                context.say(format_args!(
                    "{}  {:<11} {:<15} {:<20} {title}",
                    text(&row, "/name"),
                    text(&row, "/state"),
                    text(&row, "/class"),
                    text(&row, "/key/agent"),
                ))?;
            }
            Ok(())
        }
        ApprovalsCommand::Show { approval, json } => {
            let found = client.get(&format!("/v1/approvals/{}", segment(&approval)?)).await?;
            if json { context.json(&found) } else { show(&found, context) }
        }
        ApprovalsCommand::Approve(args) => decide(&client, "approved", args, context).await,
        ApprovalsCommand::Deny(args) => decide(&client, "denied", args, context).await,
    }
}

pub(super) fn admin(context: &Context<'_>) -> Result<UnixClient, CliError> {
    Ok(UnixClient::admin_of(&context.config()?))
}

async fn decide(
    client: &UnixClient,
    verdict: &str,
    args: DecisionArgs,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let DecisionArgs { approval, note } = args;
    let path = format!("/v1/approvals/{}/decision", segment(&approval)?);
    let decided = client.post(&path, &json!({ "verdict": verdict, "note": note })).await?;
    context.say(format_args!("{} is {}", text(&decided, "/name"), text(&decided, "/state")))
}

/// What the user typed becomes one path segment or nothing.
fn segment(name: &str) -> Result<&str, CliError> {
    let plain = !name.is_empty() && name.len() <= 80 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    plain.then_some(name).ok_or_else(|| CliError::Usage(format!("{name:?} is neither A-1f2e3d4c nor a digest")))
}

fn show(approval: &Value, context: &mut Context<'_>) -> Result<(), CliError> {
    for (label, pointer) in [
        ("approval", "/name"),
        ("digest", "/digest"),
        ("state", "/state"),
        ("class", "/class"),
        ("agent", "/key/agent"),
        ("tool", "/tool"),
        ("what", "/title"),
    ] {
        context.say(format_args!("{label:<9} {}", one_line(&text(approval, pointer))))?;
    }
    context.say("document")?;
    let document = approval.get("document").cloned().unwrap_or(Value::Null);
    // Escaped JSON: what an agent wrote cannot move the cursor of whoever decides.
    context.say(serde_json::to_string_pretty(&document).map_err(std::io::Error::other)?)?;
    let output = text(approval, "/result/output");
    if output.is_empty() { Ok(()) } else { context.say(format_args!("result\n{}", visible(&output))) }
}

pub(super) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn one_line(text: &str) -> String {
    visible(text).replace('\n', " ")
}

/// Control characters and the invisible ones that reorder text, made visible; line ends stay.
fn visible(text: &str) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().flat_map(|c| if hidden(c) { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_wrote_cannot_move_the_cursor() {
        assert_eq!(one_line("a\x1b[2Jb\nc\u{202e}d"), "a\\u{1b}[2Jb c\\u{202e}d");
    }

    #[test]
    fn only_names_and_digests_become_paths() {
        for bad in ["", "../status", "a/b", "a b", "a?b", &"a".repeat(81)] {
            assert!(segment(bad).is_err(), "{bad}");
        }
        assert_eq!(segment("A-1f2e3d4c").expect("fine"), "A-1f2e3d4c");
    }
}
