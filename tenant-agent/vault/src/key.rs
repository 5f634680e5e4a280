//! The vault's key: 32 bytes. Written as 64 hex digits in a systemd credential or a file that only its owner reads, or made
//! from its owner's passphrase and then written nowhere.

mod file;
pub(crate) mod passphrase;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::HEXLOWER_PERMISSIVE;
use wardkeep_proto::chance::Chance;
use zeroize::Zeroizing;

use file::write_new;
pub(crate) use file::{Staged, discard, remove, settle, sync_folder};

/// Hex digits of a key.
const DIGITS: usize = 64;

/// Where the key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file with mode 0600 or 0400 that belongs to this process's user or root.
    File(PathBuf),
    /// A systemd credential: `$CREDENTIALS_DIRECTORY/NAME`, passed in whole. The service manager guards the folder.
    Credential(PathBuf),
    /// In memory: made from the owner's passphrase, or handed over by somebody who made it.
    Held(Arc<Key>),
}

/// Why the key could not be used. Never contains the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No file there.
    #[error(
        "there is no vault key at {0}; make one with `wardkeep-agent vault init`, or check [vault] in the configuration"
    )]
    NotFound(PathBuf),
    /// The key would be overwritten; every value would be lost.
    #[error("a vault key already exists at {0}; it is never overwritten, move it away if no vault needs it")]
    Exists(PathBuf),
    /// Others may read it.
    #[error("the vault key {path} has mode {mode:04o} and others may read it; run `chmod 600 {path}`", path = .path.display())]
    Permissions {
        /// The key file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Somebody else owns it.
    #[error("the vault key {path} belongs to user {owner}, not to this user ({own}) or root; run `chown` on it", path = .path.display())]
    Owner {
        /// The key file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who asks.
        own: u32,
    },
    /// A folder, link, pipe or device.
    #[error("the vault key {0} is not a regular file")]
    NotAFile(PathBuf),
    /// Not 64 hex digits.
    #[error("the vault key {0} must hold 64 hex digits and at most a newline; restore it from its backup")]
    Malformed(PathBuf),
    /// A passphrase that is guessed too soon.
    #[error("the passphrase is shorter than {min} characters; choose six or more random words", min = passphrase::MIN_CHARS)]
    Weak,
    /// The file that says how the key is made from the passphrase is not what was written.
    #[error(
        "{0} is damaged or was tampered with; without it no passphrase opens the vault, restore it from its backup"
    )]
    Recipe(PathBuf),
    /// It asks for less work than this program ever writes, so somebody else wrote it.
    #[error(
        "{0} asks for less work than the least this program writes; somebody changed it, restore it from its backup"
    )]
    Lowered(PathBuf),
    /// The system refused.
    #[error("the vault key {path} cannot be read or written", path = .path.display())]
    Io {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl KeyError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// The key in memory; wiped when dropped, never printed.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// From 64 hex digits; `None` for anything else.
    #[must_use]
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        if digits.len() != DIGITS {
            return None;
        }
        HEXLOWER_PERMISSIVE.decode_mut(digits, key.as_mut()).ok()?;
        Some(Self(key))
    }

    /// As [`Self::from_hex`] reads it. Search for this name to see every place that opens a key.
    #[must_use]
    pub fn expose_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(data_encoding::HEXLOWER.encode(self.0.as_ref()))
    }

    /// A new one.
    #[must_use]
    pub fn random(chance: &dyn Chance) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        chance.fill(key.as_mut());
        Self(key)
    }

    pub(crate) fn of(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Takes the same time for every pair.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let different = self.0.iter().zip(other.0.iter()).fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(different) == 0
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl KeySource {
    /// The file that holds the key; `None` for one in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Credential(path) => Some(path),
            Self::Held(_) => None,
        }
    }

    /// Writes a new key file with mode 0600.
    ///
    /// # Errors
    /// [`KeyError::Exists`] when there is one already, or one of a rekeying under way; [`KeyError::Io`].
    pub fn generate(path: &Path, chance: &dyn Chance) -> Result<Self, KeyError> {
        if staged(path).symlink_metadata().is_ok() {
            return Err(KeyError::Exists(staged(path)));
        }
        write_new(path, file::text(&Key::random(chance)).as_bytes())?;
        Ok(Self::File(path.to_owned()))
    }

    /// The key, and the one that an interrupted rekeying left beside it, if any: the vault opens with one of them.
    pub(crate) fn read(&self) -> Result<Vec<Arc<Key>>, KeyError> {
        let (path, shared) = match self {
            Self::Held(key) => return Ok(vec![key.clone()]),
            Self::File(path) => (path, false),
            Self::Credential(path) => (path, true),
        };
        match (file::read(path, shared), file::read(&staged(path), shared)) {
            (Ok(key), Ok(staged)) => Ok(vec![Arc::new(key), Arc::new(staged)]),
            (Ok(key), Err(_)) | (Err(_), Ok(key)) => Ok(vec![Arc::new(key)]),
            (Err(error), Err(_)) => Err(error),
        }
    }
}

impl KeySource {
    /// Whether `key` is the one that waits beside this source's own.
    pub(crate) fn is_staged(&self, key: &Key) -> bool {
        match self {
            Self::File(path) => {
                file::read(path, false).ok().as_ref() != Some(key)
                    && file::read(&staged(path), false).ok().as_ref() == Some(key)
            }
            Self::Credential(_) | Self::Held(_) => false,
        }
    }
}

/// The key in a credential, and nothing that waits beside it.
pub(crate) fn read_credential(path: &Path) -> Result<Key, KeyError> {
    file::read(path, true)
}

/// Where a key waits until the vault is written with it.
pub(crate) fn staged(path: &Path) -> PathBuf {
    path.with_added_extension("new")
}

#[cfg(test)]
mod tests;
