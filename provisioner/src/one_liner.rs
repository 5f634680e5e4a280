//! The single command that an operator pastes on a server.

use wardkeep_proto::secret::SecretValue;

use crate::params::{InstallParams, script_path};
use crate::script;

/// The text is not an enrolment token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an enrolment token is `wke1.` and letters of base64url")]
pub struct InvalidToken;

/// One line for any POSIX shell: downloads the script, verifies the pinned SHA-256, runs it.
///
/// The token goes through a pipe from `echo`, which is part of the shell: it is in no argument of a process, in no file
/// and in no environment. The script asks for root through sudo by itself when it must.
///
/// # Errors
/// [`InvalidToken`]: anything else would be an injection into the operator's shell.
pub fn one_liner(params: &InstallParams, token: &SecretValue) -> Result<SecretValue, InvalidToken> {
    let rest = token.expose().strip_prefix("wke1.").ok_or(InvalidToken)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if rest.is_empty() || rest.len() > 4096 || !rest.bytes().all(plain) {
        return Err(InvalidToken);
    }
    Ok(SecretValue::new(command(params, &format!("echo '{}' | sh \"$f\"", token.expose()))))
}

/// The same for removing the daemon; `--purge` may be added by hand.
#[must_use]
pub fn uninstall_one_liner(params: &InstallParams) -> String {
    command(params, "sh \"$f\" uninstall")
}

/// A sub-shell, so that nothing stays in the operator's shell and the exit status is that of the last command.
fn command(params: &InstallParams, run: &str) -> String {
    let sha256 = script::render(params).sha256;
    let url = format!("{}{}", params.web_url(), script_path(&sha256));
    format!(
        "(f=$(mktemp) && trap 'rm -f \"$f\"' EXIT && {{ curl -fsSLg -o \"$f\" '{url}' || wget -qO \"$f\" '{url}'; }} \
         && echo \"{sha256}  $f\" | sha256sum -c --quiet - && {run})"
    )
}

#[cfg(test)]
mod tests;
