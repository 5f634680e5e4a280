//! `wardkeep-agent vault …`: works with and without a running daemon, which notices changes by itself.

mod ago;
pub mod args;
mod input;
mod keys;
mod show;
mod transfer;

use std::path::{Path, PathBuf};

use wardkeep_proto::ids::SecretName;
use wardkeep_redaction::searchable;
use wardkeep_vault::{Bindings, Context as Beside, KeySource, OpenError, Terms, Vault, expiry};

use self::args::{ValueArgs, VaultArgs, VaultCommand};
use super::context::{CliError, Context};
use crate::config::Config;
use crate::state::{StateDir, give_to_owner_of_parent};

/// Runs one of the vault's commands.
///
/// # Errors
/// What the vault, its key or the input gives.
pub async fn run(args: VaultArgs, context: &mut Context<'_>) -> Result<(), CliError> {
    let VaultArgs { passphrase_from, command } = args;
    let config = context.config()?;
    let state = StateDir::open(&config.state_dir)?;
    let desk = Desk { config, state, passphrase_from };
    match command {
        VaultCommand::Init { passphrase, anew } => return keys::init(&desk, passphrase, anew, context),
        VaultCommand::Unlock => return keys::unlock(&desk, context).await,
        VaultCommand::Lock { forget } => return keys::lock(&desk, forget, context).await,
        VaultCommand::Rekey { to_passphrase, new_passphrase_from, to_credential } => {
            let to = keys::Target::of(to_passphrase, new_passphrase_from, to_credential);
            return keys::rekey(&desk, to, context).await;
        }
        // Before anybody is asked for a passphrase.
        VaultCommand::Set { ref to, .. } | VaultCommand::Bind { ref to, .. } | VaultCommand::Unbind { ref to, .. } => {
            let _ = bindings(to)?;
        }
        _ => {}
    }
    let vault = desk.open(context)?;
    let done = with(&vault, &desk, command, context);
    drop(vault);
    desk.hand_over()?;
    // Last: what is stored belongs to the daemon.
    done
}

/// What every command of the vault starts from.
struct Desk {
    config: Config,
    state: StateDir,
    passphrase_from: Option<PathBuf>,
}

impl Desk {
    /// Opens the vault with the configured key, or with the passphrase where it is its owner's.
    fn open(&self, context: &Context<'_>) -> Result<Vault, CliError> {
        let key = context.env.vault_key(&self.config);
        match Vault::open(&self.state.vault(), &key, context.env.clock.clone()) {
            Err(OpenError::NeedsPassphrase(_)) => keys::by_passphrase(self, context),
            opened => Ok(opened?),
        }
    }

    /// What root made belongs to the daemon's user.
    fn hand_over(&self) -> std::io::Result<()> {
        for suffix in ["", "-journal", ".passphrase"] {
            let mut path = self.state.vault().into_os_string();
            path.push(suffix);
            let path = PathBuf::from(path);
            if path.exists() {
                give_to_owner_of_parent(&path)?;
            }
        }
        Ok(())
    }
}

fn with(vault: &Vault, desk: &Desk, command: VaultCommand, context: &mut Context<'_>) -> Result<(), CliError> {
    match command {
        VaultCommand::Set { name, to, value } => set(vault, &name, &to, &value, context),
        VaultCommand::Rotate { name, value } => rotate(vault, &name, &value, context),
        VaultCommand::List { json } => show::list(vault, json, context),
        VaultCommand::Show { name, json } => show::one(vault, &name, json, context),
        VaultCommand::History { name, json } => show::history(vault, &name, json, context),
        VaultCommand::Rm { name, yes } => {
            vault.show(&name)?;
            if !yes {
                input::confirm(&name)?;
            }
            vault.rm(&name)?;
            context.say(format_args!("{name} is removed; its value is still redacted for a week"))
        }
        VaultCommand::Bind { name, to } => {
            vault.bind(&name, &bindings(&to)?)?;
            context.say(format_args!("{name} may go to {}", to.join(", ")))
        }
        VaultCommand::Unbind { name, to } => {
            vault.unbind(&name, &bindings(&to)?)?;
            context.say(format_args!("{name} may no longer go to {}", to.join(", ")))
        }
        VaultCommand::Expire { name, when } => {
            let at = expiry(&when, context.env.clock.now())?;
            vault.expire(&name, at)?;
            match at {
                Some(at) => context.say(format_args!("{name} is given until {at}; it stays redacted after that")),
                None => context.say(format_args!("{name} has no end")),
            }
        }
        VaultCommand::Import { file, dry_run, bind, identity } => {
            let how = transfer::Import { file, dry_run, bind, identity };
            transfer::import(vault, desk, &how, context)
        }
        VaultCommand::Export { encrypted, recipient, passphrase: _, new_passphrase_from } => {
            transfer::export(vault, &encrypted, &recipient, new_passphrase_from.as_deref(), context)
        }
        // Handled before the vault was opened.
        VaultCommand::Init { .. } | VaultCommand::Rekey { .. } | VaultCommand::Unlock | VaultCommand::Lock { .. } => {
            Ok(())
        }
    }
}

fn bindings(texts: &[String]) -> Result<Bindings, CliError> {
    Ok(Bindings::parse(texts.iter().map(String::as_str))?)
}

fn set(
    vault: &Vault,
    name: &SecretName,
    to: &[String],
    args: &ValueArgs,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let bindings = bindings(to)?;
    // Checked before the value is asked for.
    let expires = ends(args, context)?;
    let value = input::value(name, args.generate, context)?;
    fits(name, value.expose(), args.context.as_ref())?;
    let terms = Terms { bindings, context: args.context.clone(), expires };
    let version = vault.set(name, &value, &terms)?;
    context.say(format_args!("{name} is stored (version {version}); agents write SECRET_REF({name})"))?;
    if terms.bindings.is_empty() {
        context.say(format_args!("it may go nowhere yet: `wardkeep-agent vault bind {name} host:api.example.com`"))?;
    }
    Ok(())
}

fn rotate(vault: &Vault, name: &SecretName, args: &ValueArgs, context: &mut Context<'_>) -> Result<(), CliError> {
    let before = vault.show(name)?;
    let expires = ends(args, context)?;
    let value = input::value(name, args.generate, context)?;
    // A new PIN is found where the old one was; a value that needs no context is better off without.
    let beside = args.context.clone().or_else(|| before.context.filter(|_| searchable(value.expose()).is_err()));
    fits(name, value.expose(), beside.as_ref())?;
    let version = vault.rotate(name, &value, beside.as_ref(), expires)?;
    context
        .say(format_args!("{name} has a new value (version {version}); the old one is still redacted for a week"))?;
    if let (Some(at), None) = (before.expires, expires) {
        context.say(format_args!(
            "the old value ended at {at}, the new one has no end: `wardkeep-agent vault expire {name} 90d`"
        ))?;
    }
    Ok(())
}

fn ends(args: &ValueArgs, context: &Context<'_>) -> Result<Option<wardkeep_proto::time::Timestamp>, CliError> {
    Ok(args.expires.as_deref().map(|text| expiry(text, context.env.clock.now())).transpose()?.flatten())
}

/// Whether redaction can look for the value; what it cannot find it must not hold.
fn fits(name: &SecretName, value: &str, beside: Option<&Beside>) -> Result<(), CliError> {
    match searchable(value) {
        Err(why) if beside.is_none() => Err(CliError::Unsearchable { name: name.clone(), why }),
        _ => Ok(()),
    }
}

/// The configured key file, where keys are made.
fn key_file(config: &Config) -> &Path {
    &config.vault.key_file
}

/// The key as it is configured, when it is a file of ours.
fn is_file(key: &KeySource) -> bool {
    matches!(key, KeySource::File(_))
}

#[cfg(test)]
mod tests;
