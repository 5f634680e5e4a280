//! The state directory: who may read it, and how a file in it is replaced so that a crash leaves the old one or the new.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The paths under `state_dir`.
#[derive(Clone, Debug)]
pub struct StateDir(PathBuf);

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be made or looked at.
    #[error("cannot use directory {path}; create it for the daemon's user with mode 0700")]
    Unusable {
        /// Which directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others can look inside.
    #[error("{path} has mode {mode:04o}; other users must not read it: chmod 0700 {path}")]
    TooOpen {
        /// Which directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl StateDir {
    /// Opens the directory and makes it (mode 0700) when it is missing.
    ///
    /// # Errors
    /// Both of [`StateError`].
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let state = Self(path.to_owned());
        for dir in [state.0.clone(), state.identity(), state.gate(), state.bundle(), state.commands()] {
            private_dir(&dir)?;
        }
        Ok(state)
    }

    /// The directory as it is: for those who only look.
    #[must_use]
    pub fn existing(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Keys and certificates.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.0.join("identity")
    }

    /// The SQLCipher file of the vault.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.0.join("vault.db")
    }

    /// Records and run folders of the gate.
    #[must_use]
    pub fn gate(&self) -> PathBuf {
        self.0.join("gate")
    }

    /// Usage buckets.
    #[must_use]
    pub fn usage(&self) -> PathBuf {
        self.0.join("usage.db")
    }

    /// The signed bundle in force and the highest version ever seen.
    #[must_use]
    pub fn bundle(&self) -> PathBuf {
        self.0.join("bundle")
    }

    /// The journal of commands.
    #[must_use]
    pub fn commands(&self) -> PathBuf {
        self.0.join("commands")
    }

    /// Digests of the agents' local tokens.
    #[must_use]
    pub fn tokens(&self) -> PathBuf {
        self.0.join("tokens.json")
    }

    /// The token that the admin API demands; runs cannot read it.
    #[must_use]
    pub fn admin_token(&self) -> PathBuf {
        self.0.join("admin.token")
    }

    /// The key by which redaction tags are made, so that equal secrets stay equal over a restart.
    #[must_use]
    pub fn tag_key(&self) -> PathBuf {
        self.0.join("redaction.key")
    }
}

fn private_dir(path: &Path) -> Result<(), StateError> {
    let unusable = |source| StateError::Unusable { path: path.to_owned(), source };
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) => {}
        Err(source) => return Err(unusable(source)),
    }
    let meta = path.metadata().map_err(unusable)?;
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StateError::TooOpen { path: path.to_owned(), mode });
    }
    give_to_owner_of_parent(path).map_err(unusable)
}

/// Replaces `path` by `bytes`, mode 0600: temporary file, fsync, rename, fsync of the directory.
///
/// # Errors
/// What the system said; the old file is untouched then.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    // One name per process: a CLI and the daemon may write beside each other; the last rename wins, whole.
    let temporary = dir.join(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let _ = std::fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written =
        file.write_all(bytes).and_then(|()| give_to_owner_of_parent(&temporary)).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| std::fs::rename(&temporary, path)) {
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(dir)?.sync_all()
}

/// Removes `path`; a missing file is fine.
///
/// # Errors
/// What the system said.
pub fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The file's bytes; `None` when it does not exist.
///
/// # Errors
/// What the system said otherwise.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A command run by root in a directory of the daemon's user must not leave files that the daemon cannot read.
///
/// # Errors
/// What the system said.
pub fn give_to_owner_of_parent(path: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let Some(parent) = path.parent() else { return Ok(()) };
    let meta = parent.metadata()?;
    // Only downwards: root's own directories (/var/lib) keep root as owner of what is made in them.
    if meta.uid() == 0 {
        return Ok(());
    }
    std::os::unix::fs::lchown(path, Some(meta.uid()), Some(meta.gid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("state");
        std::fs::create_dir(&path).expect("made");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).expect("chmod");
        assert!(matches!(StateDir::open(&path), Err(StateError::TooOpen { mode: 0o750, .. })));
    }

    #[test]
    fn a_file_is_private_and_replaced_whole() {
        let dir = tempfile::tempdir().expect("tempdir");
        let state = StateDir::open(&dir.path().join("a/b")).expect("opens");
        let path = state.tokens();
        assert_eq!(read(&path).expect("reads"), None);
        write_private(&path, b"one").expect("writes");
        write_private(&path, b"two").expect("writes");
        assert_eq!(read(&path).expect("reads").as_deref(), Some(&b"two"[..]));
        assert_eq!(path.metadata().expect("exists").permissions().mode() & 0o777, 0o600);
        let names: Vec<_> = std::fs::read_dir(state.path()).expect("lists").flatten().map(|e| e.file_name()).collect();
        assert!(!names.iter().any(|n| n.to_string_lossy().ends_with(".new")), "{names:?}");
        remove(&path).expect("removes");
        remove(&path).expect("a second time is fine");
    }
}
