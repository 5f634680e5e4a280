//! `wardkeep-agent grants …`: standing permissions and what is left of them. Asked of the running daemon.

use serde_json::{Value, json};

use super::GrantsCommand;
use super::approvals::{admin, one_line, text};
use super::context::{CliError, Context};

/// Runs one of the commands.
///
/// # Errors
/// No such grant; the daemon does not run, or refuses.
pub async fn run(command: GrantsCommand, context: &mut Context<'_>) -> Result<(), CliError> {
    let client = admin(context)?;
    match command {
        GrantsCommand::List { json } => {
            let list = client.get("/v1/grants").await?;
            if json {
                return context.json(&list);
            }
            let rows = list.as_array().cloned().unwrap_or_default();
            if rows.is_empty() {
                return context.say("the policy in force grants nothing: whatever it asks about is asked");
            }
            rows.iter().try_for_each(|row| context.say(line(row)))
        }
        GrantsCommand::Revoke { id, json } => {
            let revoked = client.post("/v1/grants/revoke", &json!({ "id": id })).await?;
            if json {
                return context.json(&revoked);
            }
            let more = if revoked["given"].is_null() { "; take it out of the policy on the hub, too" } else { "" };
            context.say(format_args!("taken back: {}\nit lets nothing pass here any more{more}", line(&revoked)))
        }
    }
}

fn line(row: &Value) -> String {
    let words = |name: &str| {
        let texts = row[name].as_array().into_iter().flatten();
        let text = |one: &Value| match one {
            Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        texts.map(text).collect::<Vec<_>>()
    };
    let scope = [words("recipients"), words("hosts"), words("commands")].concat().join("; ");
    let id = text(row, "/id");
    let left = match (row["left"].as_u64(), row["used"].as_u64().unwrap_or_default()) {
        (Some(left), used) => format!("{left} uses left, {used} used"),
        (None, used) => format!("{used} used"),
    };
    let until = row["expires"]
        .as_i64()
        .map_or_else(String::new, |at| format!(", until {}", wardkeep_proto::time::Timestamp(at)));
    let standing = match (row["revoked"].as_bool(), row["live"].as_bool()) {
        (Some(true), _) => ", taken back",
        (_, Some(false)) => ", over",
        _ => "",
    };
    let given = match (text(row, "/given/by"), text(row, "/given/approval")) {
        (by, _) if by.is_empty() => String::new(),
        (by, approval) => format!(", given by {by} with A-{}", approval.get(..8).unwrap_or(&approval)),
    };
    one_line(&format!(
        "{}  {} may use {} for {scope}: {left}{until}{standing}{given}",
        id.get(..12).unwrap_or(&id),
        text(row, "/agent"),
        text(row, "/tool")
    ))
}
