//! Values from other password stores, and out into an encrypted file.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use wardkeep_proto::secret::SecretValue;
use wardkeep_redaction::searchable;
use wardkeep_vault::{
    Bindings, Found, IMPORT_BYTES, ImportError, ImportOptions, ImportReport, Opener, Reader, Vault, decrypt,
    open_bitwarden, read_import,
};
use zeroize::Zeroizing;

use super::super::context::{CliError, Context};
use super::{Desk, input};

/// Arguments of `import`.
pub(super) struct Import {
    pub(super) file: PathBuf,
    pub(super) dry_run: bool,
    pub(super) bind: bool,
    pub(super) identity: Option<PathBuf>,
}

pub(super) fn import(vault: &Vault, desk: &Desk, how: &Import, context: &mut Context<'_>) -> Result<(), CliError> {
    let bytes = read(&how.file)?;
    let read = read_import(&bytes);
    let sealed = matches!(read, Err(ImportError::Encrypted | ImportError::PasswordProtected));
    let (format, found) = match read {
        Err(ImportError::Encrypted) => read_import(&open(&bytes, desk, how)?)?,
        Err(ImportError::PasswordProtected) => read_import(&open_bitwarden(&bytes, &password(desk)?)?)?,
        read => read?,
    };
    let fits = |value: &str| searchable(value).map_err(|why| why.to_string());
    let report = vault.import(&found, &ImportOptions { bind: how.bind, dry_run: how.dry_run, fits: &fits })?;
    context.say(format_args!("{} of {}", if how.dry_run { "a dry run" } else { "import" }, format.as_str()))?;
    tell(&found, &report, how, context)?;
    let ImportReport { skipped, .. } = report;
    if how.dry_run {
        return context.say("nothing was stored");
    }
    if how.file != Path::new("-") && !sealed {
        context
            .say(format_args!("the values still stand in {}: `shred -u` it when all is well", how.file.display()))?;
    }
    // The others are stored.
    let keys: Vec<String> = skipped.into_iter().map(|skipped| skipped.key).collect();
    if keys.is_empty() { Ok(()) } else { Err(CliError::Skipped(keys)) }
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let unreadable = |source| CliError::Input { path: file.to_owned(), source };
    let mut bytes = Zeroizing::new(Vec::new());
    let most = IMPORT_BYTES as u64 + 1;
    if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(unreadable)?;
    }
    Ok(bytes)
}

fn open(bytes: &[u8], desk: &Desk, how: &Import) -> Result<Zeroizing<Vec<u8>>, CliError> {
    if let Some(identity) = &how.identity {
        return Ok(decrypt(bytes, Opener::Identities(&input::file(identity)?))?);
    }
    Ok(decrypt(bytes, Opener::Passphrase(&password(desk)?))?)
}

/// What opens the file.
fn password(desk: &Desk) -> Result<SecretValue, CliError> {
    // The option names the vault's own passphrase; where the vault has none, it can only be the file's.
    let from = desk.passphrase_from.as_deref().filter(|_| !Vault::has_passphrase(&desk.state.vault()));
    from.map_or_else(|| input::ask("passphrase of the file"), input::file)
}

fn tell(found: &Found, report: &ImportReport, how: &Import, context: &mut Context<'_>) -> Result<(), CliError> {
    let ImportReport { added, updated, unchanged, skipped } = report;
    let mut unbound = false;
    for (what, names) in [("added", added), ("updated", updated), ("unchanged", unchanged)] {
        for name in names {
            let item = found.items.iter().find(|item| item.name == *name);
            let from = item.filter(|item| item.from.to_ascii_lowercase() != name.as_str());
            let from = from.map_or_else(String::new, |item| format!("  from {:?}", item.from));
            let places = item.map_or_else(String::new, |item| places(&item.suggested));
            let places = match (places.is_empty(), how.bind || item.is_some_and(|item| item.terms.is_some())) {
                (true, _) => String::new(),
                (false, true) => format!("  bound to {places}"),
                (false, false) => {
                    unbound = true;
                    format!("  could go to {places}")
                }
            };
            context.say(format_args!("{what:<10} {name}{from}{places}"))?;
        }
    }
    for skipped in skipped {
        context.say(format_args!("{:<10} {}: {}", "skipped", skipped.key, skipped.why))?;
    }
    if unbound {
        context.say("nothing is bound yet: import again with --bind to allow those places, or")?;
    }
    context.say("bind what agents may use: `wardkeep-agent vault bind NAME host:api.example.com`")
}

fn places(bindings: &Bindings) -> String {
    bindings.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

pub(super) fn export(
    vault: &Vault,
    file: &Path,
    recipients: &[String],
    new_passphrase_from: Option<&Path>,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let unwritable = |source| CliError::Output { path: file.to_owned(), source };
    // Before any work: an export is never overwritten.
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(unwritable)?;
    let phrase;
    let made = if recipients.is_empty() {
        phrase = input::new_passphrase(new_passphrase_from);
        phrase.and_then(|phrase| Ok(vault.export(Reader::Passphrase(&phrase))?))
    } else {
        vault.export(Reader::Recipients(recipients)).map_err(CliError::from)
    };
    let written = made.and_then(|(sealed, count)| {
        out.write_all(&sealed).and_then(|()| out.sync_all()).map_err(unwritable)?;
        Ok(count)
    });
    let count = written.inspect_err(|_| {
        // Half an export is none.
        let _ = std::fs::remove_file(file);
    })?;
    context.say(format_args!("{count} secrets are in {}; older versions and history are not", file.display()))?;
    context.say("back: `wardkeep-agent vault import FILE`; try it where the key is kept, before you need it")
}
