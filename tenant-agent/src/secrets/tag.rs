//! The key by which redaction tags are made.

use std::path::PathBuf;

use wardkeep_proto::chance::{Chance, bytes};
use zeroize::Zeroizing;

use crate::state::{read, write_private};

/// The key of the redaction tags cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TagKeyError {
    /// The disk.
    #[error("cannot access {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Not 32 bytes.
    #[error("{0} is damaged; remove it, and placeholders of unnamed secrets will change once")]
    Damaged(PathBuf),
}

/// The key by which redaction tags are made; made on first use.
///
/// # Errors
/// Both of [`TagKeyError`].
pub fn tag_key(path: PathBuf, chance: &dyn Chance) -> Result<Zeroizing<[u8; 32]>, TagKeyError> {
    let file = |source| TagKeyError::File { path: path.clone(), source };
    if let Some(stored) = read(&path).map_err(file)? {
        let stored = Zeroizing::new(stored);
        return <[u8; 32]>::try_from(stored.as_slice()).map(Zeroizing::new).map_err(|_| TagKeyError::Damaged(path));
    }
    let key = Zeroizing::new(bytes::<32>(chance));
    write_private(&path, key.as_slice()).map_err(file)?;
    Ok(key)
}
