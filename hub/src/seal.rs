//! Sealing of stored secrets: AES-256-GCM with the place in the database as associated data, so that a sealed value
//! moved to another row does not open.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use wardkeep_proto::chance::{self, Chance};
use zeroize::Zeroizing;

/// Bytes of the master key.
const KEY_BYTES: usize = 32;

/// Where a sealed value stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Table.
    pub table: &'a str,
    /// Primary key of the row.
    pub row: &'a str,
    /// Column.
    pub column: &'a str,
}

impl Place<'_> {
    /// Unambiguous: each part has its length in front.
    fn associated(self) -> Vec<u8> {
        let mut out = b"wardkeep/seal/v1".to_vec();
        for part in [self.table, self.row, self.column] {
            out.extend((part.len() as u64).to_be_bytes());
            out.extend(part.as_bytes());
        }
        out
    }
}

/// The master key cannot be used, or a value does not open.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key file is absent or unreadable.
    #[error(
        "the master key {path} cannot be read; restore it from your backup, or start anew with `wardkeep-hub init`"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others may read the key file.
    #[error("the master key {path} can be read by others; `chmod 600` it and consider it known")]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a key.
    #[error("the master key {path} is not {KEY_BYTES} bytes long")]
    Length {
        /// The file.
        path: PathBuf,
    },
    /// Wrong key, wrong place, or changed bytes.
    #[error("a sealed value of table {table} does not open: wrong master key, or the database was changed")]
    DoesNotOpen {
        /// The table.
        table: String,
    },
}

/// The master key in memory.
pub struct Sealer(LessSafeKey);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

impl Sealer {
    /// Where the key file of a hub is.
    #[must_use]
    pub fn file_in(data_dir: &Path) -> PathBuf {
        data_dir.join("hub.key")
    }

    /// Reads the key: 32 bytes in a file that only its owner can read, or in a systemd credential.
    ///
    /// # Errors
    /// [`SealError`], never the key.
    pub fn open(path: &Path) -> Result<Self, SealError> {
        let fail = |source| SealError::Unreadable { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(fail)?;
        if file.metadata().map_err(fail)?.mode() & 0o077 != 0 {
            return Err(SealError::Open { path: path.to_owned() });
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES + 1));
        file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(fail)?;
        Self::of(&bytes).ok_or_else(|| SealError::Length { path: path.to_owned() })
    }

    /// Makes a new key file; an existing one is never replaced.
    ///
    /// # Errors
    /// [`SealError::Unreadable`] also when the file exists.
    pub fn create(path: &Path, chance: &dyn Chance) -> Result<Self, SealError> {
        let bytes = Zeroizing::new(chance::bytes::<KEY_BYTES>(chance));
        write_private(path, bytes.as_slice())
            .map_err(|source| SealError::Unreadable { path: path.to_owned(), source })?;
        Self::of(bytes.as_slice()).ok_or_else(|| SealError::Length { path: path.to_owned() })
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, bytes).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    /// Seals `plain` for `place`: nonce, ciphertext, tag.
    ///
    /// # Errors
    /// None in practice: ring refuses only texts beyond 64 GiB.
    pub fn seal(&self, place: Place<'_>, plain: &[u8], chance: &dyn Chance) -> Result<Vec<u8>, SealError> {
        let nonce = chance::bytes::<NONCE_LEN>(chance);
        let mut text = plain.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.associated()), &mut text)
            .map_err(|_| SealError::DoesNotOpen { table: place.table.to_owned() })?;
        let mut out = nonce.to_vec();
        out.append(&mut text);
        Ok(out)
    }

    /// Opens what was sealed for the same place.
    ///
    /// # Errors
    /// [`SealError::DoesNotOpen`].
    pub fn open_sealed(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let fail = || SealError::DoesNotOpen { table: place.table.to_owned() };
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or_else(fail)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| fail())?;
        let mut text = Zeroizing::new(text.to_vec());
        let plain = self.0.open_in_place(nonce, Aad::from(place.associated()), &mut text).map_err(|_| fail())?.len();
        text.truncate(plain);
        Ok(text)
    }
}

/// Writes a new file that only its owner can read, and makes sure that it is on disk. An existing file is an error.
///
/// # Errors
/// As the operating system says.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use wardkeep_proto::chance::SystemChance;

    const HERE: Place<'_> = Place { table: "keys", row: "ca", column: "sealed" };

    #[test]
    fn another_place_key_or_byte_does_not_open() {
        let dir = tempfile::tempdir().expect("a folder");
        let chance = SystemChance::new();
        let sealer = Sealer::create(&Sealer::file_in(dir.path()), &chance).expect("made");
        let sealed = sealer.seal(HERE, b"secret", &chance).expect("sealed");
        assert_eq!(sealer.open_sealed(HERE, &sealed).expect("opens").as_slice(), b"secret");
        for there in [
            Place { table: "key", row: "sca", column: "sealed" },
            Place { row: "decision", ..HERE },
            Place { column: "public", ..HERE },
        ] {
            assert!(sealer.open_sealed(there, &sealed).is_err(), "{there:?}");
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(sealer.open_sealed(HERE, &changed).is_err(), "byte {at}");
        }
        assert!(sealer.open_sealed(HERE, &sealed[..5]).is_err());
        let other = Sealer::create(&dir.path().join("other"), &chance).expect("made");
        assert!(other.open_sealed(HERE, &sealed).is_err());
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = Sealer::file_in(dir.path());
        Sealer::create(&path, &SystemChance::new()).expect("made");
        assert!(Sealer::create(&path, &SystemChance::new()).is_err(), "never replaced");
        Sealer::open(&path).expect("opens");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("changed");
        assert!(matches!(Sealer::open(&path), Err(SealError::Open { .. })));
    }
}
