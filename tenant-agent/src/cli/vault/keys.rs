//! The vault's key: made, changed, given to the daemon and taken back.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use wardkeep_safety::audit::has_seen_secrets;
use wardkeep_vault::{Key, KeySource, NewKey, OpenError, Rekeyed, Vault, rekey as rekey_vault};
use zeroize::Zeroize as _;

use super::super::context::{CliError, Context};
use super::{Desk, input, is_file, key_file};
use crate::unix_http::{ClientError, UnixClient};

/// Wrong passphrases on a terminal before the command ends.
const TRIES: u32 = 3;
/// After a wrong one; deriving the key takes its time besides.
const AFTER_WRONG: Duration = Duration::from_secs(1);

pub(super) fn init(desk: &Desk, passphrase: bool, anew: bool, context: &mut Context<'_>) -> Result<(), CliError> {
    let (path, clock) = (desk.state.vault(), context.env.clock.clone());
    // Before any key is made or a passphrase thought of.
    if path.symlink_metadata().is_ok() {
        return Err(OpenError::Exists(path).into());
    }
    if let Some(trace) = trace(desk, context).filter(|_| !anew) {
        return Err(CliError::Usage(format!(
            "there was a vault here: {trace}, and {path} is gone; restore {path} from its backup, or begin again without \
             what it held: `wardkeep-agent vault init --anew`",
            path = path.display()
        )));
    }
    if passphrase {
        let text = match &desk.passphrase_from {
            Some(from) => input::file(from)?,
            None => input::new_passphrase(None)?,
        };
        drop(Vault::create_with_passphrase(&path, &text, clock, &*context.env.chance)?);
        desk.hand_over()?;
        context.say(format_args!("made the vault {}; its key is in no file, only its owner has it", path.display()))?;
        return context.say("after each start of the daemon: `wardkeep-agent vault unlock`");
    }
    let key = match context.env.vault_key(&desk.config) {
        KeySource::File(file) if !file.exists() => {
            let key = KeySource::generate(&file, &*context.env.chance)?;
            context.say(format_args!("made the key {}; keep a copy where this server is not", file.display()))?;
            key
        }
        key => key,
    };
    drop(Vault::create(&path, &key, clock)?);
    desk.hand_over()?;
    context.say(format_args!("made the vault {}", path.display()))
}

/// What an earlier vault has left: its key, or the memory of a gate that knew its secrets. A new vault would take the place
/// of one that somebody may want back.
fn trace(desk: &Desk, context: &Context<'_>) -> Option<String> {
    // A credential is handed over before there is any vault.
    if let KeySource::File(key) = context.env.vault_key(&desk.config)
        && key.symlink_metadata().is_ok()
    {
        return Some(format!("its key {} is still there", key.display()));
    }
    let gate = desk.state.gate();
    has_seen_secrets(&gate).then(|| format!("the audit log in {} tells of its secrets", gate.display()))
}

/// Opens the vault with its owner's passphrase.
pub(super) fn by_passphrase(desk: &Desk, context: &Context<'_>) -> Result<Vault, CliError> {
    let (path, clock) = (desk.state.vault(), context.env.clock.clone());
    if let Some(from) = &desk.passphrase_from {
        return Ok(Vault::unlock(&path, &input::file(from)?, clock)?);
    }
    let mut tries = 1;
    loop {
        match Vault::unlock(&path, &input::ask("passphrase of the vault")?, clock.clone()) {
            Err(OpenError::WrongPassphrase(_)) if tries < TRIES => std::thread::sleep(AFTER_WRONG * tries),
            opened => return Ok(opened?),
        }
        tries += 1;
    }
}

pub(super) async fn unlock(desk: &Desk, context: &mut Context<'_>) -> Result<(), CliError> {
    if !Vault::has_passphrase(&desk.state.vault()) {
        let key = context.env.vault_key(&desk.config);
        if let Err(error @ OpenError::NoKey { .. }) = Vault::open(&desk.state.vault(), &key, context.env.clock.clone())
        {
            return Err(error.into());
        }
        let why = "this vault opens with a key on this server: there is nothing to unlock; see `wardkeep-agent doctor`";
        return Err(CliError::Usage(why.to_owned()));
    }
    // Opened here first: a wrong passphrase never reaches the daemon.
    let key = by_passphrase(desk, context)?.key();
    hand_key(desk, &key).await?;
    context.say("the vault is unlocked until the daemon ends or `wardkeep-agent vault lock`")
}

async fn hand_key(desk: &Desk, key: &Key) -> Result<(), CliError> {
    let mut body = json!({ "key": key.expose_hex().as_str() });
    let sent = UnixClient::admin_of(&desk.config).post("/v1/vault/unlock", &body).await;
    if let Some(Value::String(text)) = body.get_mut("key") {
        text.zeroize();
    }
    Ok(sent.map(drop)?)
}

pub(super) async fn lock(desk: &Desk, forget: bool, context: &mut Context<'_>) -> Result<(), CliError> {
    let client = UnixClient::admin_of(&desk.config);
    client.post("/v1/vault/lock", &json!({ "forget": forget })).await?;
    context.say(if forget {
        "the vault is locked and its index forgotten: nothing is allowed until `wardkeep-agent vault unlock`"
    } else {
        "the vault is locked: no secret is given and no model asked; reads go on and are redacted (`--forget` ends those, too)"
    })
}

/// What the vault gets.
pub(super) enum Target {
    KeyFile,
    Passphrase(Option<PathBuf>),
    Credential(String),
}

impl Target {
    pub(super) fn of(to_passphrase: bool, from: Option<PathBuf>, to_credential: Option<String>) -> Self {
        match to_credential {
            Some(name) => Self::Credential(name),
            None if to_passphrase => Self::Passphrase(from),
            None => Self::KeyFile,
        }
    }
}

pub(super) async fn rekey(desk: &Desk, to: Target, context: &mut Context<'_>) -> Result<(), CliError> {
    let (path, env) = (desk.state.vault(), context.env);
    let configured = env.vault_key(&desk.config);
    let old = match Vault::open(&path, &configured, env.clock.clone()) {
        Err(OpenError::NeedsPassphrase(_)) => KeySource::Held(by_passphrase(desk, context)?.key()),
        opened => {
            drop(opened?);
            configured
        }
    };
    let (credential, phrase);
    let new = match &to {
        Target::KeyFile => NewKey::File(key_file(&desk.config)),
        Target::Passphrase(from) => {
            phrase = input::new_passphrase(from.as_deref())?;
            NewKey::Passphrase(&phrase)
        }
        Target::Credential(name) => {
            let folder = env.credentials_dir.as_ref().filter(|_| !name.contains('/') && !name.starts_with('.'));
            let folder = folder.ok_or_else(|| {
                CliError::Usage(
                    "systemd handed over no such credential; see \"Another key\" in docs/operations.md".into(),
                )
            })?;
            credential = folder.join(name);
            NewKey::Credential(&credential)
        }
    };
    let Rekeyed { removed, left } = rekey_vault(&path, &old, new, env.clock.clone(), &*env.chance)?;
    desk.hand_over()?;
    context.say("the vault has another key; the old one opens nothing but older copies of it")?;
    if let Some(file) = removed {
        context.say(format_args!("removed {}", file.display()))?;
    }
    if let Some(file) = left {
        context.say(format_args!("could not remove the old key {}: `shred -u` it", file.display()))?;
    }
    match to {
        Target::KeyFile => {
            context
                .say(format_args!("keep a copy of {} where this server is not", key_file(&desk.config).display()))?;
            if !is_file(&old) {
                context.say(
                    "take `credential` out of [vault] and LoadCredential out of the unit, then restart the daemon",
                )?;
            }
            Ok(())
        }
        Target::Credential(_) => context.say("put the credential in the old one's place and restart the daemon"),
        Target::Passphrase(_) => {
            let key = by_new_passphrase(desk, context, new)?;
            match hand_key(desk, &key).await {
                Ok(()) => context.say("the running daemon has the new key"),
                Err(CliError::Daemon(ClientError::NotRunning { .. })) => {
                    context.say("after each start of the daemon: `wardkeep-agent vault unlock`")
                }
                Err(error) => Err(error),
            }
        }
    }
}

fn by_new_passphrase(desk: &Desk, context: &Context<'_>, new: NewKey<'_>) -> Result<std::sync::Arc<Key>, CliError> {
    match new {
        NewKey::Passphrase(text) => Ok(Vault::unlock(&desk.state.vault(), text, context.env.clock.clone())?.key()),
        NewKey::File(_) | NewKey::Credential(_) => Err(CliError::Usage("there is no passphrase".into())),
    }
}
