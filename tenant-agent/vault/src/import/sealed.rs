//! Bitwarden's export with a password of its own: a JSON document around an encrypted one.
//!
//! Source: <https://bitwarden.com/help/encrypted-export/> and <https://bitwarden.com/help/kdf-algorithms/> (seen November
//! 2026). The password and the salt's text make 32 bytes by PBKDF2-SHA256 or Argon2id, HKDF-SHA256 makes two keys of them,
//! and each text is `2.IV|AES-256-CBC|HMAC-SHA256 over both before it`, in base64.

use aes::Aes256;
use argon2::{Algorithm, Argon2, Params, Version};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut as _, KeyIvInit as _};
use data_encoding::BASE64;
use ring::{digest, hkdf, hmac, pbkdf2};
use serde::Deserialize;
use wardkeep_proto::secret::SecretValue;
use zeroize::Zeroizing;

use super::ImportError;

/// The most work that a file may ask for: what Bitwarden itself allows.
const PASSES: u32 = 2_000_000;
const ARGON_PASSES: u32 = 10;
const ARGON_MEBIBYTES: u32 = 1024;
const ARGON_LANES: u32 = 16;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    salt: String,
    kdf_type: u32,
    kdf_iterations: u32,
    #[serde(default)]
    kdf_memory: Option<u32>,
    #[serde(default)]
    kdf_parallelism: Option<u32>,
    #[serde(rename = "encKeyValidation_DO_NOT_EDIT")]
    proof: String,
    data: String,
}

/// Opens such an export with its password.
///
/// # Errors
/// [`ImportError::WrongPassword`], [`ImportError::SealedBroken`].
pub fn open_bitwarden(bytes: &[u8], password: &SecretValue) -> Result<Zeroizing<Vec<u8>>, ImportError> {
    let export: Export = serde_json::from_slice(bytes).map_err(|_| ImportError::SealedBroken)?;
    let keys = export.keys(password).ok_or(ImportError::SealedBroken)?;
    let proof = Sealed::read(&export.proof).ok_or(ImportError::SealedBroken)?;
    let data = Sealed::read(&export.data).ok_or(ImportError::SealedBroken)?;
    // The short one tells a wrong password from a damaged file.
    keys.open(&proof).ok_or(ImportError::WrongPassword)?;
    keys.open(&data).ok_or(ImportError::SealedBroken)
}

impl Export {
    fn keys(&self, password: &SecretValue) -> Option<Keys> {
        let (password, salt) = (password.expose().as_bytes(), self.salt.as_bytes());
        let mut made = Zeroizing::new([0; 32]);
        match self.kdf_type {
            0 => {
                let passes = Some(self.kdf_iterations).filter(|passes| *passes <= PASSES)?.try_into().ok()?;
                pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, passes, salt, password, made.as_mut());
            }
            1 => {
                let (memory, lanes) = (self.kdf_memory?, self.kdf_parallelism?);
                if self.kdf_iterations > ARGON_PASSES || memory > ARGON_MEBIBYTES || lanes > ARGON_LANES {
                    return None;
                }
                let params = Params::new(memory * 1024, self.kdf_iterations, lanes, Some(32)).ok()?;
                let salt = digest::digest(&digest::SHA256, salt);
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(password, salt.as_ref(), made.as_mut())
                    .ok()?;
            }
            _ => return None,
        }
        let key = |name: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            let made = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, made.as_ref());
            made.expand(&[name], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(key.as_mut())).ok().map(|()| key)
        };
        Some(Keys { cipher: key(b"enc")?, mac: key(b"mac")? })
    }
}

struct Keys {
    cipher: Zeroizing<[u8; 32]>,
    mac: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// `None` when it was sealed with others, or changed.
    fn open(&self, sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let Sealed { iv, text, tag } = sealed;
        let mac = hmac::Key::new(hmac::HMAC_SHA256, self.mac.as_ref());
        hmac::verify(&mac, &[&iv[..], text].concat(), tag).ok()?;
        let mut clear = Zeroizing::new(text.clone());
        let cipher = cbc::Decryptor::<Aes256>::new((&*self.cipher).into(), iv.into());
        let len = cipher.decrypt_padded_mut::<Pkcs7>(&mut clear).ok()?.len();
        clear.truncate(len);
        Some(clear)
    }
}

/// `2.iv|text|tag`
struct Sealed {
    iv: [u8; 16],
    text: Vec<u8>,
    tag: Vec<u8>,
}

impl Sealed {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("2.")?.split('|').map(|part| BASE64.decode(part.as_bytes()).ok());
        let (iv, text, tag) = (parts.next()??, parts.next()??, parts.next()??);
        if parts.next().is_some() {
            return None;
        }
        Some(Self { iv: iv.try_into().ok()?, text, tag })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, read_import};
    use super::*;

    // Made by Python's cryptography, not by this code.
    const PBKDF2: &str = include_str!("../../tests/data/bitwarden-pbkdf2.json");
    const ARGON2: &str = include_str!("../../tests/data/bitwarden-argon2id.json");

    fn password(text: &str) -> SecretValue {
        SecretValue::new(text.to_owned())
    }

    #[test]
    fn both_ways_of_making_the_key_open_with_the_password_alone() {
        for export in [PBKDF2, ARGON2] {
            assert_eq!(read_import(export.as_bytes()), Err(ImportError::PasswordProtected));
            let clear = open_bitwarden(export.as_bytes(), &password("export password 4711")).expect("opens");
            let (format, found) = read_import(&clear).expect("reads");
            assert_eq!((format, found.items.len()), (Format::Bitwarden, 1));
            assert_eq!(found.items[0].value.expose(), "kR7-vq2Zt9xx");
            let wrong = open_bitwarden(export.as_bytes(), &password("export password 4712"));
            assert_eq!(wrong.expect_err("refused"), ImportError::WrongPassword);
        }
    }

    #[test]
    fn what_was_changed_or_asks_for_too_much_is_broken() {
        let last = PBKDF2.rfind('|').expect("a tag");
        let mut tag = PBKDF2.to_owned();
        tag.replace_range(last + 1..last + 2, if &PBKDF2[last + 1..last + 2] == "A" { "B" } else { "A" });
        for changed in [
            tag,
            PBKDF2.replace("\"data\": \"2.", "\"data\": \"0."),
            PBKDF2.replace("\"kdfIterations\": 5000", "\"kdfIterations\": 4000000000"),
            PBKDF2.replace("\"kdfIterations\": 5000", "\"kdfIterations\": 0"),
            PBKDF2.replace("\"kdfType\": 0", "\"kdfType\": 2"),
            ARGON2.replace("\"kdfMemory\": 16", "\"kdfMemory\": 4000000"),
            ARGON2.replace("\"kdfParallelism\": 2", "\"kdfParallelism\": 0"),
            ARGON2.replace("\"salt\"", "\"sale\""),
        ] {
            let answer = open_bitwarden(changed.as_bytes(), &password("export password 4711"));
            assert_eq!(answer.expect_err("refused"), ImportError::SealedBroken, "{changed}");
        }
    }
}
