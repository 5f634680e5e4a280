//! What people type or pipe: values, passphrases, a yes. Without echo, and never from the command line.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::SecretValue;
use zeroize::Zeroizing;

use super::super::context::{CliError, Context};

/// Longest value that is read, bytes; the vault allows less.
const VALUE_BYTES: u64 = 1024 * 1024;
/// Longest passphrase or identity file, bytes.
const WORD_BYTES: u64 = 64 * 1024;

/// The value of `name`: made, piped or typed.
pub(super) fn value(name: &SecretName, generate: Option<u16>, context: &Context<'_>) -> Result<SecretValue, CliError> {
    if let Some(length) = generate {
        return Ok(random(usize::from(length), context));
    }
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Ok(SecretValue::new(rpassword::prompt_password(format!("value of {name}: "))?));
    }
    text(stdin.lock(), VALUE_BYTES)
}

/// Letters and digits, each as likely as any other.
fn random(length: usize, context: &Context<'_>) -> SecretValue {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut out = String::with_capacity(length);
    let mut bytes = Zeroizing::new([0_u8; 64]);
    while out.len() < length {
        context.env.chance.fill(bytes.as_mut());
        // The last 8 of 256 would make the first letters likelier.
        let fair = bytes.iter().filter(|byte| usize::from(**byte) < 4 * LETTERS.len());
        out.extend(fair.map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).take(length - out.len()));
    }
    SecretValue::new(out)
}

/// The text of a file or descriptor, without its last line end.
pub(super) fn file(path: &Path) -> Result<SecretValue, CliError> {
    let opened = std::fs::File::open(path).map_err(|source| CliError::Input { path: path.to_owned(), source })?;
    text(opened, WORD_BYTES)
}

fn text(from: impl std::io::Read, most: u64) -> Result<SecretValue, CliError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    from.take(most).read_to_end(&mut bytes)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| CliError::Usage("the value is not UTF-8 text".into()))?;
    // `echo value | …` adds one line end, which nobody means.
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(SecretValue::new(text.to_owned()))
}

/// Asks on the terminal, which need not be standard input.
pub(super) fn ask(prompt: &str) -> Result<SecretValue, CliError> {
    rpassword::prompt_password(format!("{prompt}: ")).map(SecretValue::new).map_err(|_| {
        CliError::Usage(
            "there is no terminal to ask for the passphrase; give it with --passphrase-from FILE (/dev/fd/3)".into(),
        )
    })
}

/// A new passphrase: from `from`, or asked for twice.
pub(super) fn new_passphrase(from: Option<&Path>) -> Result<SecretValue, CliError> {
    if let Some(from) = from {
        return file(from);
    }
    let first = ask("new passphrase (six or more random words)")?;
    if ask("the same again")? == first {
        Ok(first)
    } else {
        Err(CliError::Usage("the two passphrases differ; nothing was changed".into()))
    }
}

/// Lets `name` be typed again before it is removed.
pub(super) fn confirm(name: &SecretName) -> Result<(), CliError> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(CliError::Usage(format!("to remove {name} without being asked, say --yes")));
    }
    write!(std::io::stderr(), "type {name} to remove it: ")?;
    let mut typed = String::new();
    stdin.read_line(&mut typed)?;
    if typed.trim() == name.as_str() { Ok(()) } else { Err(CliError::Usage(format!("{name} was not removed"))) }
}
