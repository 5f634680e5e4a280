//! The whole vault in one age file, and back.

use std::iter;

use age::secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::SecretValue;
use wardkeep_proto::time::Timestamp;
use zeroize::Zeroizing;

use crate::binding::Bindings;
use crate::error::VaultError;
use crate::import::{Format, Found, IMPORT_BYTES, ImportError, Item};
use crate::key::{KeyError, passphrase};
use crate::terms::Terms;
use crate::vault::Vault;

/// What stands in the file, decrypted.
pub(crate) const FORMAT: &str = "wardkeep/vault-export/v1";
/// Largest work factor of a passphrase that is tried, log2; more is a way to keep this program busy.
const WORK_MAX: u8 = 22;

/// Who can read an export.
#[derive(Clone, Copy, Debug)]
pub enum Reader<'a> {
    /// Holders of these keys: `age1…`.
    Recipients(&'a [String]),
    /// Whoever knows it.
    Passphrase(&'a SecretValue),
}

/// How an age file is opened.
#[derive(Clone, Copy, Debug)]
pub enum Opener<'a> {
    /// Lines of an identity file: `AGE-SECRET-KEY-1…`.
    Identities(&'a SecretValue),
    /// The passphrase.
    Passphrase(&'a SecretValue),
}

/// Why nothing was exported or opened. Never contains a value or key.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Not a recipient.
    #[error("{0:?} is no age recipient; it begins with age1, see `age-keygen -y`")]
    Recipient(String),
    /// None given.
    #[error("nobody could read the export; name --recipient age1… or --passphrase")]
    NoReader,
    /// No identity in the file.
    #[error("the identity file holds no age identity; it begins with AGE-SECRET-KEY-1, see `age-keygen`")]
    Identity,
    /// The key or passphrase is another one.
    #[error("this key or passphrase does not open the file; give the one it was made for")]
    NotForUs,
    /// The file is damaged.
    #[error("the age file is damaged or was changed; restore it from its backup")]
    Damaged,
    /// Larger than anything this program writes.
    #[error("the decrypted file is larger than {} MiB", IMPORT_BYTES >> 20)]
    TooLarge,
    /// The passphrase is guessed too soon.
    #[error(transparent)]
    Passphrase(#[from] KeyError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

#[derive(Serialize)]
struct Out<'a> {
    format: &'static str,
    secrets: Vec<OutSecret<'a>>,
}

#[derive(Serialize)]
struct OutSecret<'a> {
    name: &'a SecretName,
    value: &'a str,
    bindings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_ms: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InSecret {
    name: SecretName,
    value: String,
    bindings: Vec<String>,
    context: Option<String>,
    expires_ms: Option<Timestamp>,
}

impl Vault {
    /// Every present value with its terms, encrypted for `reader`, and how many. Older versions and history stay here.
    ///
    /// # Errors
    /// All of [`ExportError`] about recipients, or SQLite refused.
    pub fn export(&self, reader: Reader<'_>) -> Result<(Vec<u8>, usize), ExportError> {
        let encryptor = match reader {
            Reader::Passphrase(text) => {
                // Whoever has the file can try as often as they like.
                passphrase::check(text)?;
                age::Encryptor::with_user_passphrase(secret(text))
            }
            Reader::Recipients(all) => {
                let keys = all
                    .iter()
                    .map(|text| {
                        text.parse::<age::x25519::Recipient>().map_err(|_| ExportError::Recipient(text.clone()))
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                age::Encryptor::with_recipients(keys.iter().map(|key| key as &dyn age::Recipient))
                    .map_err(|_| ExportError::NoReader)?
            }
        };
        let all = self.present()?;
        let secrets = all.iter().map(|(entry, value)| OutSecret {
            name: &entry.name,
            value: value.expose(),
            bindings: entry.bindings.iter().map(ToString::to_string).collect(),
            context: entry.context.as_ref().map(ToString::to_string),
            expires_ms: entry.expires,
        });
        let out = Out { format: FORMAT, secrets: secrets.collect() };
        let text = Zeroizing::new(serde_json::to_vec(&out).map_err(|_| ExportError::Damaged)?);
        let mut sealed = Vec::new();
        let written = encryptor.wrap_output(&mut sealed).and_then(|mut writer| {
            writer.write_all(&text)?;
            writer.finish()
        });
        written.map_err(|_| ExportError::Damaged)?;
        self.note_export(match reader {
            Reader::Passphrase(_) => "for a passphrase",
            Reader::Recipients(_) => "for recipients",
        })?;
        Ok((sealed, all.len()))
    }
}

/// The content of an age file, armored or not.
///
/// # Errors
/// All of [`ExportError`] about the file and its key.
pub fn decrypt(file: &[u8], opener: Opener<'_>) -> Result<Zeroizing<Vec<u8>>, ExportError> {
    let decryptor =
        age::Decryptor::new_buffered(age::armor::ArmoredReader::new(file)).map_err(|_| ExportError::Damaged)?;
    let passphrase;
    let keys;
    let identities: Vec<&dyn age::Identity> = match opener {
        Opener::Passphrase(text) => {
            let mut identity = age::scrypt::Identity::new(secret(text));
            identity.set_max_work_factor(WORK_MAX);
            passphrase = identity;
            vec![&passphrase]
        }
        Opener::Identities(text) => {
            let lines = text.expose().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            keys = lines
                .map(|line| line.parse::<age::x25519::Identity>().map_err(|_| ExportError::Identity))
                .collect::<Result<Vec<_>, _>>()?;
            keys.iter().map(|key| key as &dyn age::Identity).collect()
        }
    };
    if identities.is_empty() {
        return Err(ExportError::Identity);
    }
    let reader = decryptor.decrypt(identities.into_iter()).map_err(|error| match error {
        age::DecryptError::NoMatchingKeys
        | age::DecryptError::DecryptionFailed
        | age::DecryptError::ExcessiveWork { .. } => ExportError::NotForUs,
        _ => ExportError::Damaged,
    })?;
    let mut text = Zeroizing::new(Vec::with_capacity(file.len()));
    reader.take(IMPORT_BYTES as u64 + 1).read_to_end(&mut text).map_err(|_| ExportError::Damaged)?;
    if text.len() > IMPORT_BYTES { Err(ExportError::TooLarge) } else { Ok(text) }
}

fn secret(text: &SecretValue) -> SecretString {
    SecretString::from(text.expose().to_owned())
}

/// The secrets of an export.
pub(crate) fn read(export: &Value) -> Result<Found, ImportError> {
    let broken = || ImportError::Broken { format: Format::Wardkeep, line: 0 };
    let mut found = Found::default();
    for secret in export["secrets"].as_array().ok_or_else(broken)? {
        let InSecret { name, value, bindings, context, expires_ms } =
            InSecret::deserialize(secret).map_err(|_| broken())?;
        let value = SecretValue::new(value);
        let terms = Terms {
            bindings: Bindings::parse(bindings.iter().map(String::as_str)).map_err(|_| broken())?,
            context: context.map(|text| text.parse()).transpose().map_err(|_| broken())?,
            expires: expires_ms,
        };
        let (from, suggested) = (name.to_string(), terms.bindings.clone());
        found.items.extend(iter::once(Item { name, from, value, suggested, terms: Some(terms) }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
