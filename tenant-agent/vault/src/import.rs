//! What other password stores hand over: bytes in, names and values out. Pure: nothing here reads a file, and no error
//! repeats what it read.

mod archive;
mod bitwarden;
mod csv;
mod env;
mod json;
mod names;
mod onepassword;
mod sealed;

use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::SecretValue;

use crate::binding::Bindings;
use crate::error::VaultError;
use crate::journal::{self, ChangeKind, Note};
use crate::terms::{Context, Terms};
use crate::vault::{Put, Vault, check_value, forget, is_present, put_value, set_bindings, set_expiry};
pub(crate) use names::Namer;
pub use sealed::open_bitwarden;

/// Largest file that is read, bytes.
pub const IMPORT_BYTES: usize = 64 * 1024 * 1024;
/// Most values of one import; the redaction index is made for so many.
const ITEMS: usize = 10_000;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `NAME=value` lines.
    Env,
    /// `{"NAME":"value"}`, or a list of `{"name","value"}`.
    Json,
    /// 1Password's own export, a zip with `export.data`; or that file alone.
    OnePassword,
    /// 1Password's CSV export.
    OnePasswordCsv,
    /// What `op item get --format json` prints, one item or many.
    OnePasswordItems,
    /// Bitwarden's unencrypted JSON export.
    Bitwarden,
    /// Bitwarden's CSV export.
    BitwardenCsv,
    /// What `vault export` wrote, decrypted.
    Wardkeep,
}

impl Format {
    /// For people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Env => ".env",
            Self::Json => "JSON",
            Self::OnePassword => "1Password export (1PUX)",
            Self::OnePasswordCsv => "1Password export (CSV)",
            Self::OnePasswordItems => "1Password items (op, JSON)",
            Self::Bitwarden => "Bitwarden export (JSON)",
            Self::BitwardenCsv => "Bitwarden export (CSV)",
            Self::Wardkeep => "Wardkeep export",
        }
    }
}

/// Why nothing was taken from a file. Never repeats what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Not UTF-8.
    #[error("the file is not UTF-8 text, and no 1Password export; export it anew as JSON, CSV or .env")]
    NotText,
    /// More than [`IMPORT_BYTES`], packed or unpacked.
    #[error("the file is larger than {} MiB; export without attachments, or in parts", IMPORT_BYTES >> 20)]
    TooLarge,
    /// More values than a vault is made for.
    #[error("the file holds more than {ITEMS} values; import it in parts")]
    TooMany,
    /// It looks like one format and is not.
    #[error("the file begins like {} but cannot be read as that (near line {line}); export it anew", format.as_str())]
    Broken {
        /// Which format.
        format: Format,
        /// From 1; 0 when there are no lines.
        line: usize,
    },
    /// Bitwarden's export that only the account's own key opens.
    #[error(
        "this Bitwarden export opens in its own account only; export it again as encrypted .json of the type \"password \
         protected\", and import that"
    )]
    EncryptedBitwarden,
    /// Bitwarden's export with a password of its own: see [`open_bitwarden`].
    #[error("this Bitwarden export is encrypted; give its password")]
    PasswordProtected,
    /// The password of such an export is another one.
    #[error("this password does not open the export; it is the one that was chosen for the file, not the account's")]
    WrongPassword,
    /// Such an export cannot be opened by any.
    #[error("the encrypted Bitwarden export is damaged or of an unknown kind; export it anew")]
    SealedBroken,
    /// JSON of another kind.
    #[error(
        "this JSON is of no known kind; write {{\"NAME\":\"value\"}} or [{{\"name\":\"NAME\",\"value\":\"…\"}}], or use an export of \
         1Password or Bitwarden"
    )]
    UnknownJson,
    /// An age file.
    #[error("the file is encrypted with age; give its key with --identity FILE, or its passphrase")]
    Encrypted,
}

/// One value of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The name made from its title.
    pub name: SecretName,
    /// As the file calls it; safe to print.
    pub from: String,
    /// The value.
    pub value: SecretValue,
    /// Where it may go, by the addresses beside it. A suggestion, unless the file is a Wardkeep export.
    pub suggested: Bindings,
    /// Of a Wardkeep export.
    pub terms: Option<Terms>,
}

/// One entry that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The entry, or where it would have stood; safe to print.
    pub key: String,
    /// Why, and what to do.
    pub why: String,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Values to store.
    pub items: Vec<Item>,
    /// What is none.
    pub skipped: Vec<Skipped>,
}

impl Found {
    fn skip(&mut self, key: impl AsRef<str>, why: impl Into<String>) {
        self.skipped.push(Skipped { key: names::printable(key.as_ref()), why: why.into() });
    }
}

/// Reads a file of any known format.
///
/// # Errors
/// All of [`ImportError`].
pub fn read_import(bytes: &[u8]) -> Result<(Format, Found), ImportError> {
    if bytes.len() > IMPORT_BYTES {
        return Err(ImportError::TooLarge);
    }
    if bytes.starts_with(b"age-encryption.org/") || bytes.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") {
        return Err(ImportError::Encrypted);
    }
    let unpacked;
    let mut archived = None;
    let text = if bytes.starts_with(b"PK\x03\x04") {
        unpacked = archive::export_data(bytes)?;
        archived = Some(Format::OnePassword);
        &unpacked[..]
    } else {
        bytes
    };
    let text = std::str::from_utf8(text).map_err(|_| ImportError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (format, found) = if archived.is_some() || text.trim_start().starts_with(['{', '[']) {
        json::read(text, archived)?
    } else if let Some(format) = csv::format_of(text) {
        (format, csv::read(text, format)?)
    } else {
        (Format::Env, env::read(text))
    };
    if found.items.len() > ITEMS {
        return Err(ImportError::TooMany);
    }
    Ok((format, found))
}

/// How an import is carried out.
pub struct ImportOptions<'a> {
    /// Also apply the suggested bindings.
    pub bind: bool,
    /// Only say what would happen.
    pub dry_run: bool,
    /// Whether redaction can look for a value; the reason when not.
    pub fits: &'a dyn Fn(&str) -> Result<(), String>,
}

/// What an import did, or would do. Holds no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// New secrets.
    pub added: Vec<SecretName>,
    /// Secrets with a new version.
    pub updated: Vec<SecretName>,
    /// Secrets that already had this value.
    pub unchanged: Vec<SecretName>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
}

impl Vault {
    /// Takes over what a file holds, all or nothing. What is not fit for the vault is left out and reported.
    ///
    /// # Errors
    /// SQLite refused; then nothing was taken over.
    pub fn import(&self, found: &Found, options: &ImportOptions<'_>) -> Result<ImportReport, VaultError> {
        let mut report = ImportReport { skipped: found.skipped.clone(), ..ImportReport::default() };
        let mut fit = Vec::new();
        for item in &found.items {
            match fits(item, options) {
                Ok(()) => fit.push(item),
                Err(why) => report.skipped.push(Skipped { key: item.from.clone(), why }),
            }
        }
        if options.dry_run {
            let db = self.lock();
            for item in fit {
                report.note(
                    &item.name,
                    match is_present(&db, &item.name, &item.value)? {
                        None => Put::New,
                        Some(false) => Put::Rotated,
                        Some(true) => Put::Same,
                    },
                );
            }
            return Ok(report);
        }
        let now = self.now();
        self.change(|db| {
            forget(db, now)?;
            for item in fit {
                let context = item.terms.as_ref().and_then(|terms| terms.context.as_ref());
                let (version, what) = put_value(db, &item.name, &item.value, context, now)?;
                report.note(&item.name, what);
                let bindings = item.terms.as_ref().map_or(&item.suggested, |terms| &terms.bindings);
                let bind = options.bind || item.terms.is_some();
                if bind {
                    set_bindings(db, &item.name, bindings)?;
                }
                if let Some(terms) = &item.terms {
                    set_expiry(db, &item.name, terms.expires)?;
                } else if what == Put::Rotated {
                    set_expiry(db, &item.name, None)?;
                }
                if what != Put::Same || bind {
                    let note =
                        Note { kind: ChangeKind::Set, name: Some(&item.name), version: Some(version), note: "import" };
                    journal::append(db, now, self.by(), &note)?;
                }
            }
            Ok(report)
        })
    }
}

fn fits(item: &Item, options: &ImportOptions<'_>) -> Result<(), String> {
    let context: Option<&Context> = item.terms.as_ref().and_then(|terms| terms.context.as_ref());
    check_value(&item.name, &item.value, context).map_err(|why| why.to_string())?;
    if context.is_none() { (options.fits)(item.value.expose()) } else { Ok(()) }
}

impl ImportReport {
    fn note(&mut self, name: &SecretName, what: Put) {
        match what {
            Put::New => &mut self.added,
            Put::Rotated => &mut self.updated,
            Put::Same => &mut self.unchanged,
        }
        .push(name.clone());
    }
}

#[cfg(test)]
mod tests;
