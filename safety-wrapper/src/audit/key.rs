//! The key that signs checkpoints; it never leaves the server.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use wardkeep_proto::chance::{self, Chance};
use zeroize::Zeroizing;

/// Ed25519 key of one tenant's audit log.
pub struct AuditKey(Ed25519KeyPair);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system refused.
    #[error("the audit key {path} cannot be read or written")]
    File {
        /// Which file.
        path: PathBuf,
        /// Its words.
        #[source]
        source: io::Error,
    },
    /// Others could have read or changed it.
    #[error("the audit key {0} can be read by others; run `chmod 600` on it")]
    Open(PathBuf),
    /// Not 32 bytes.
    #[error("the audit key {0} is damaged; put it back from a backup, or remove it to start a new one")]
    Damaged(PathBuf),
}

impl AuditKey {
    /// Reads the key, or makes one where none is.
    ///
    /// # Errors
    /// See [`KeyError`]; a file that is there and cannot be used is never replaced.
    pub fn open(path: &Path, chance: &dyn Chance) -> Result<Self, KeyError> {
        let file = |source| KeyError::File { path: path.to_owned(), source };
        match File::open(path) {
            Ok(open) => Self::read(open, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let seed = Zeroizing::new(chance::bytes::<32>(chance));
                // Written whole beside its place first: a crash leaves no half key.
                let beside = path.with_extension("new");
                match fs::remove_file(&beside) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file(error)),
                    _ => {}
                }
                let mut new =
                    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(file)?;
                new.write_all(&*seed).and_then(|()| new.sync_all()).map_err(file)?;
                fs::rename(&beside, path).map_err(file)?;
                Self::from_seed(&*seed, path)
            }
            Err(error) => Err(file(error)),
        }
    }

    /// Reads the key; makes none.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn existing(path: &Path) -> Result<Self, KeyError> {
        Self::read(File::open(path).map_err(|source| KeyError::File { path: path.to_owned(), source })?, path)
    }

    fn read(mut open: File, path: &Path) -> Result<Self, KeyError> {
        let file = |source| KeyError::File { path: path.to_owned(), source };
        if open.metadata().map_err(file)?.mode() & 0o077 != 0 {
            return Err(KeyError::Open(path.to_owned()));
        }
        let mut seed = Zeroizing::new(Vec::with_capacity(33));
        Read::by_ref(&mut open).take(33).read_to_end(&mut seed).map_err(file)?;
        Self::from_seed(&seed, path)
    }

    fn from_seed(seed: &[u8], path: &Path) -> Result<Self, KeyError> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self).map_err(|_| KeyError::Damaged(path.to_owned()))
    }

    /// The public key, 32 bytes.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// Ed25519 signature over `bytes`.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }
}

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditKey(..)")
    }
}
