//! `wardkeep-agent pause`, `stop`, `resume`: the kill switch, asked of the running daemon, with or without a hub.

use serde_json::json;
use wardkeep_proto::whom::Whom;
use wardkeep_safety::{Moved, Standing};

use super::approvals::one_line;
use super::context::{CliError, Context};
use super::{HaltArgs, ResumeArgs, WhomArgs};
use crate::link::told;
use crate::unix_http::UnixClient;

/// `pause` or `stop`.
///
/// # Errors
/// The daemon does not run, or refuses; or it could not put on disk what is in force.
pub async fn halt(args: HaltArgs, to: Standing, context: &mut Context<'_>) -> Result<(), CliError> {
    let HaltArgs { whom, reason, json } = args;
    stand(whom, to, &reason, json, context).await
}

/// `resume`.
///
/// # Errors
/// The daemon does not run, or refuses.
pub async fn resume(args: ResumeArgs, context: &mut Context<'_>) -> Result<(), CliError> {
    let ResumeArgs { whom, reason, json } = args;
    stand(whom, Standing::Free, &reason, json, context).await
}

async fn stand(
    whom: WhomArgs,
    to: Standing,
    reason: &str,
    as_json: bool,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    // clap lets one of the two through.
    let whom = whom.agent.map_or(Whom::All, Whom::Agent);
    let client = UnixClient::admin_of(&context.config()?);
    let moved = client.post("/v1/standing", &json!({ "whom": whom, "to": to, "reason": reason })).await?;
    if as_json {
        return context.json(&moved);
    }
    let moved: Moved = serde_json::from_value(moved).map_err(std::io::Error::other)?;
    for line in told(&moved) {
        context.say(one_line(&line))?;
    }
    if moved.standing == Standing::Free {
        return Ok(());
    }
    let name = match &moved.whom {
        Whom::All => "--all",
        Whom::Agent(agent) => agent.as_str(),
    };
    context.say(format_args!("`wardkeep-agent resume {name} --reason WHY` lets it go on"))
}
