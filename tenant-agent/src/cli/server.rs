//! `enrol` and `run`.

use std::io::{IsTerminal as _, Read as _};

use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::EnrolArgs;
use super::context::{CliError, Context};
use crate::enrol::enrol as enrol_with;
use crate::enrol::token::Token;
use crate::identity::IdentityDir;
use crate::observed::hostname;
use crate::state::StateDir;

/// Longest token that is read, bytes.
const TOKEN_BYTES: u64 = 16 * 1024;

/// `enrol`: a token from standard input or a file becomes an identity.
///
/// # Errors
/// All that enrolment gives.
pub async fn enrol(args: EnrolArgs, context: &mut Context<'_>) -> Result<(), CliError> {
    let config = context.config()?;
    let state = StateDir::open(&config.state_dir)?;
    let mut text = Zeroizing::new(String::new());
    match &args.token_file {
        Some(path) => {
            let failed = |source| CliError::Input { path: path.clone(), source };
            std::fs::File::open(path).map_err(failed)?.take(TOKEN_BYTES).read_to_string(&mut text).map_err(failed)?;
        }
        None if std::io::stdin().is_terminal() => {
            *text = rpassword::prompt_password("enrolment token: ")?;
        }
        None => {
            std::io::stdin().lock().take(TOKEN_BYTES).read_to_string(&mut text)?;
        }
    }
    let mut token: Token = text.parse()?;
    if let Some(address) = config.hub.address {
        token.address = address;
    }
    let dir = IdentityDir::new(state.identity());
    let identity = enrol_with(&dir, &token, &hostname(), context.env.clock.now()).await?;
    context.say(format_args!("enrolled as {} ({}) with {}", identity.name, identity.tenant, identity.hub))
}

/// `run`: the daemon.
///
/// # Errors
/// The configuration, or all that the daemon gives.
pub async fn run(context: &mut Context<'_>, stop: CancellationToken) -> Result<(), CliError> {
    let config = context.config()?;
    Ok(crate::daemon::run(&config, context.env, stop).await?)
}
