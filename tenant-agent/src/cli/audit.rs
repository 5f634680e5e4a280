//! `wardkeep-agent audit …`: `verify` from disk alone, `show` from the running daemon.

use std::process::ExitCode;

use serde_json::json;
use wardkeep_safety::audit;

use super::AuditCommand;
use super::context::{CliError, Context};
use crate::state::StateDir;
use crate::unix_http::UnixClient;

/// Runs one of the audit's commands.
///
/// # Errors
/// The configuration or the log cannot be read.
pub async fn run(command: &AuditCommand, context: &mut Context<'_>) -> Result<ExitCode, CliError> {
    let gate = StateDir::existing(&context.config()?.state_dir).gate();
    match command {
        AuditCommand::Verify { json } => {
            let verified = audit::verify_folder(&gate);
            match (&verified, *json) {
                (Ok(whole), true) => {
                    context.json(&json!({ "ok": true, "length": whole.length, "head": whole.head }))?
                }
                (Ok(whole), false) => {
                    context.say(format_args!("whole: {} rows, last hash {}", whole.length, whole.head))?;
                }
                (Err(broken), true) => {
                    context.json(&json!({ "ok": false, "at": broken.at, "why": broken.why.to_string() }))?;
                }
                (Err(broken), false) => context.say(broken)?,
            }
            Ok(if verified.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        AuditCommand::Show { last, json } => {
            let client = UnixClient::admin_of(&context.config()?);
            let rows = client.get(&format!("/v1/audit?last={last}")).await?;
            let rows: Vec<audit::Row> = serde_json::from_value(rows).map_err(std::io::Error::other)?;
            for row in rows {
                if *json {
                    context.say(shown(&row).map_err(std::io::Error::other)?)?;
                } else {
                    let audit::Row { number, at, kind, call, fields, .. } = row;
                    context.say(format_args!("{number:>7} {at} {kind:<22} {call} {fields}"))?;
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// One row as a line of JSON. Its fields stand in it as JSON, too; their canonical form (RFC 8785) is what the hash covers.
fn shown(row: &audit::Row) -> serde_json::Result<String> {
    let mut shown = serde_json::to_value(row)?;
    shown["fields"] = serde_json::from_str(&row.fields)?;
    serde_json::to_string(&shown)
}
