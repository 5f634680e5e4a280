//! `wardkeep-agent passkey …`: whose keys approve critical calls. Asked of the running daemon.

use serde_json::{Value, json};
use wardkeep_passkey::Code;

use super::PasskeyCommand;
use super::approvals::{admin, one_line, text};
use super::context::{CliError, Context};

/// Runs one of the commands.
///
/// # Errors
/// A code that is none; the daemon does not run, or refuses.
pub async fn run(command: PasskeyCommand, context: &mut Context<'_>) -> Result<(), CliError> {
    let client = admin(context)?;
    match command {
        PasskeyCommand::List { json } => {
            let list = client.get("/v1/passkeys").await?;
            if json {
                return context.json(&list);
            }
            let rows = list.as_array().cloned().unwrap_or_default();
            if rows.is_empty() {
                return context.say(
                    "no passkey is known here, so nothing critical can be approved; make one in the portal, under Passkeys, \
                     then run the command that it shows",
                );
            }
            for row in rows {
                context.say(line(&row))?;
            }
            Ok(())
        }
        PasskeyCommand::Pin { code, name, json } => {
            let pinned = client.post("/v1/passkeys/pin", &json!({ "code": parsed(&code)?, "name": name })).await?;
            if json {
                return context.json(&pinned);
            }
            context.say(format_args!(
                "pinned: {}\nit may approve critical calls of this server from now on",
                line(&pinned)
            ))
        }
        PasskeyCommand::Remove { code, json } => {
            let removed = client.post("/v1/passkeys/remove", &json!({ "code": parsed(&code)? })).await?;
            if json {
                return context.json(&removed);
            }
            context.say(format_args!("removed: {}\nit approves nothing here any more", line(&removed)))
        }
    }
}

fn parsed(code: &str) -> Result<Code, CliError> {
    code.parse().map_err(|error| CliError::Usage(format!("{error}")))
}

fn line(row: &Value) -> String {
    let field = |pointer: &str| one_line(&text(row, pointer));
    let code = match field("/code") {
        code if code.is_empty() => "code: see the portal".to_owned(),
        code => code,
    };
    format!(
        "{code:<29}  {:<8} {:<6} {} ({}) at {}",
        field("/state"),
        field("/algorithm"),
        field("/name"),
        field("/owner"),
        field("/site")
    )
}
