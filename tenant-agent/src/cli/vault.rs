//! `wardkeep-agent vault …`: works with and without a running daemon, which notices changes by itself.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use serde_json::json;
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::SecretValue;
use wardkeep_vault::{Binding, Bindings, ImportReport, KeySource, Vault};
use zeroize::Zeroizing;

use super::VaultCommand;
use super::context::{CliError, Context};
use crate::config::Config;
use crate::state::{StateDir, give_to_owner_of_parent};

/// Longest value that is read, bytes; the vault allows less.
const INPUT_BYTES: u64 = 1024 * 1024;

/// Runs one of the vault's commands.
///
/// # Errors
/// What the vault, its key or the input gives.
pub fn run(command: VaultCommand, context: &mut Context<'_>) -> Result<(), CliError> {
    let config = context.config()?;
    let state = StateDir::open(&config.state_dir)?;
    if matches!(command, VaultCommand::Init) {
        return init(&config, &state, context);
    }
    let key = context.env.vault_key(&config);
    let vault = Vault::open(&state.vault(), &key, context.env.clock.clone())?;
    let mut skipped = Vec::new();
    match command {
        VaultCommand::Init => {}
        VaultCommand::Set { name, to } => {
            // Checked before the value is asked for.
            let bindings = Bindings::parse(to.iter().map(String::as_str))?;
            let value = read_value(&name)?;
            let version = vault.set(&name, &value, &bindings)?;
            context.say(format_args!("{name} is stored (version {version}); agents write SECRET_REF({name})"))?;
            if vault.list()?.iter().any(|entry| entry.name == name && entry.bindings.is_empty()) {
                context.say(format_args!(
                    "it may go nowhere yet: `wardkeep-agent vault bind {name} host:api.example.com`"
                ))?;
            }
        }
        VaultCommand::List { json } => list(&vault, json, context)?,
        VaultCommand::Rm { name } => {
            vault.rm(&name)?;
            context.say(format_args!("{name} is removed; its value is still redacted for a week"))?;
        }
        VaultCommand::Bind { name, to } => {
            for binding in parse_bindings(&to)? {
                vault.bind(&name, &binding)?;
            }
            context.say(format_args!("{name} may go to {}", to.join(", ")))?;
        }
        VaultCommand::Unbind { name, to } => {
            for binding in parse_bindings(&to)? {
                vault.unbind(&name, &binding)?;
            }
            context.say(format_args!("{name} may no longer go to {}", to.join(", ")))?;
        }
        VaultCommand::Import { file } => skipped = import(&vault, &file, context)?,
    }
    drop(vault);
    hand_over(&state)?;
    // Last: the others are stored, and belong to the daemon.
    if skipped.is_empty() { Ok(()) } else { Err(CliError::Skipped(skipped)) }
}

fn parse_bindings(texts: &[String]) -> Result<Vec<Binding>, CliError> {
    Ok(Bindings::parse(texts.iter().map(String::as_str))?.iter().cloned().collect())
}

fn init(config: &Config, state: &StateDir, context: &mut Context<'_>) -> Result<(), CliError> {
    let key = match context.env.vault_key(config) {
        KeySource::File(path) if !path.exists() => {
            let key = KeySource::generate(&path, &*context.env.chance)?;
            context.say(format_args!("made the key {}; keep a copy where this server is not", path.display()))?;
            key
        }
        key => key,
    };
    drop(Vault::create(&state.vault(), &key, context.env.clock.clone())?);
    hand_over(state)?;
    context.say(format_args!("made the vault {}", state.vault().display()))
}

/// What root made belongs to the daemon's user.
fn hand_over(state: &StateDir) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut path = state.vault().into_os_string();
        path.push(suffix);
        let path = std::path::PathBuf::from(path);
        if path.exists() {
            give_to_owner_of_parent(&path)?;
        }
    }
    Ok(())
}

fn read_value(name: &SecretName) -> Result<SecretValue, CliError> {
    if std::io::stdin().is_terminal() {
        let value = rpassword::prompt_password(format!("value of {name}: "))?;
        return Ok(SecretValue::new(value));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    std::io::stdin().lock().take(INPUT_BYTES).read_to_end(&mut bytes)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| CliError::Usage("the value is not UTF-8 text".into()))?;
    // `echo value | …` adds one line end, which nobody means.
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(SecretValue::new(text.to_owned()))
}

fn list(vault: &Vault, as_json: bool, context: &mut Context<'_>) -> Result<(), CliError> {
    let entries = vault.list()?;
    let bindings = |bindings: &Bindings| bindings.iter().map(ToString::to_string).collect::<Vec<_>>();
    if as_json {
        let rows: Vec<_> = entries
            .iter()
            .map(|entry| {
                json!({ "name": entry.name, "bindings": bindings(&entry.bindings), "version": entry.version,
                    "created": entry.created.to_string(), "updated": entry.updated.to_string() })
            })
            .collect();
        return context.json(&rows);
    }
    if entries.is_empty() {
        return context.say("no secrets yet; store one with `wardkeep-agent vault set NAME`");
    }
    for entry in entries {
        let to = bindings(&entry.bindings);
        let to = if to.is_empty() { "(nowhere)".to_owned() } else { to.join(" ") };
        context.say(format_args!("{:<32} v{:<4} {}  {to}", entry.name.as_str(), entry.version, entry.updated))?;
    }
    Ok(())
}

/// Answers what was not stored.
fn import(vault: &Vault, file: &Path, context: &mut Context<'_>) -> Result<Vec<String>, CliError> {
    let report = if file == Path::new("-") {
        vault.import_env(std::io::stdin().lock())?
    } else {
        let opened = std::fs::File::open(file);
        vault.import_env(opened.map_err(|source| CliError::Input { path: file.to_owned(), source })?)?
    };
    let ImportReport { added, updated, unchanged, skipped } = report;
    for (what, names) in [("added", added), ("updated", updated), ("unchanged", unchanged)] {
        for name in names {
            context.say(format_args!("{what:<10} {name}"))?;
        }
    }
    for skipped in &skipped {
        context.say(format_args!("{:<10} {}: {}", "skipped", skipped.key, skipped.why))?;
    }
    context.say("bind what agents may use: `wardkeep-agent vault bind NAME host:api.example.com`")?;
    Ok(skipped.into_iter().map(|skipped| skipped.key).collect())
}

#[cfg(test)]
mod tests;
