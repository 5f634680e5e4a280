//! A key that its owner keeps in mind: Argon2id makes it from a passphrase. Beside the vault stands only the recipe.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use ring::hmac;
use serde::{Deserialize, Serialize};
use wardkeep_proto::chance::Chance;
use wardkeep_proto::secret::SecretValue;
use zeroize::Zeroizing;

use super::{Key, KeyError, staged};

/// Shortest passphrase, characters. Six words of a list of 7,776 have 77 bits and some 30 characters.
pub(crate) const MIN_CHARS: usize = 12;
/// Longest passphrase, bytes: a passphrase, not a file.
const MAX_BYTES: usize = 1024;
/// Memory of one attempt, KiB; the second recommended choice of RFC 9106, section 4.
const MEMORY_KIB: u32 = 64 * 1024;
/// Passes over it; the same.
const PASSES: u32 = 3;
/// Lanes; the same.
const LANES: u32 = 4;
/// A recipe that asks for more was not written by this program and would only take the machine down.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 64;
/// Largest recipe that is read, bytes.
const RECIPE_BYTES: u64 = 4096;
const FORMAT: &str = "wardkeep/vault-passphrase/v1";

/// How the key is made from the passphrase. Public: it tells nothing about either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    format: String,
    /// 32 random bytes, hex.
    salt: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Where the recipe of the vault at `path` stands.
pub(crate) fn recipe_path(path: &Path) -> PathBuf {
    path.with_added_extension("passphrase")
}

/// Whether the vault at `path` opens with a passphrase, or did before an interrupted rekeying.
pub(crate) fn is_used(path: &Path) -> bool {
    let recipe = recipe_path(path);
    recipe.exists() || staged(&recipe).exists()
}

/// The keys that `passphrase` makes by the recipes beside the vault at `path`, each with its recipe: one, or two after an
/// interrupted rekeying.
pub(crate) fn keys(path: &Path, passphrase: &SecretValue) -> Result<Vec<(PathBuf, Arc<Key>)>, KeyError> {
    let recipe = recipe_path(path);
    let waiting = staged(&recipe);
    let key = |at: &Path| {
        let key = Recipe::read(at)?.key(passphrase).ok_or_else(|| KeyError::Recipe(at.to_owned()))?;
        Ok((at.to_owned(), Arc::new(key)))
    };
    match (key(&recipe), waiting.exists().then(|| key(&waiting))) {
        (Ok(key), Some(Ok(other))) => Ok(vec![key, other]),
        (Ok(key), _) | (Err(_), Some(Ok(key))) => Ok(vec![key]),
        (Err(error), _) => Err(error),
    }
}

impl Recipe {
    pub(crate) fn new(chance: &dyn Chance) -> Self {
        let salt = wardkeep_proto::chance::bytes::<32>(chance);
        Self {
            format: FORMAT.to_owned(),
            salt: data_encoding::HEXLOWER.encode(&salt),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
        }
    }

    pub(crate) fn text(&self) -> Option<String> {
        serde_json::to_string(self).ok().map(|text| text + "\n")
    }

    fn read(path: &Path) -> Result<Self, KeyError> {
        use std::io::Read as _;
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => KeyError::NotFound(path.to_owned()),
            _ => KeyError::Io { path: path.to_owned(), source: e },
        })?;
        let damaged = || KeyError::Recipe(path.to_owned());
        file.take(RECIPE_BYTES).read_to_string(&mut text).map_err(|_| damaged())?;
        let recipe: Self = serde_json::from_str(&text).map_err(|_| damaged())?;
        // The floor is compiled in: whoever can write this file cannot make the next key cheap to guess.
        if recipe.memory_kib < MEMORY_KIB || recipe.passes < PASSES {
            return Err(KeyError::Lowered(path.to_owned()));
        }
        let sane = recipe.format == FORMAT
            && recipe.memory_kib <= MEMORY_KIB_MAX
            && recipe.passes <= PASSES_MAX
            && (1..=LANES_MAX).contains(&recipe.lanes)
            && recipe.salt.len() == 64
            && recipe.salt.bytes().all(|b| b.is_ascii_hexdigit());
        if sane { Ok(recipe) } else { Err(damaged()) }
    }

    /// `None` when the numbers are none that Argon2 takes, or memory is short.
    pub(crate) fn key(&self, passphrase: &SecretValue) -> Option<Key> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).ok()?;
        let mut raw = Zeroizing::new([0; 32]);
        let salt = self.salt.to_ascii_lowercase();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), salt.as_bytes(), raw.as_mut())
            .ok()?;
        // Every word of the recipe goes into the key: a changed one gives another key, never the same one cheaper.
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, raw.as_ref()), self.text()?.as_bytes());
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(tag.as_ref());
        Some(Key::of(key))
    }
}

/// Whether a new passphrase is worth its name.
pub(crate) fn check(passphrase: &SecretValue) -> Result<(), KeyError> {
    let text = passphrase.expose();
    if text.chars().count() < MIN_CHARS || text.len() > MAX_BYTES {
        return Err(KeyError::Weak);
    }
    Ok(())
}
