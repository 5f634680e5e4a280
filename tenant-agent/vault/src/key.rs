//! The vault's key: 32 bytes, written as 64 hex digits, in a systemd credential or a file that only its owner reads.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use rustix::fs::{FileType, Mode, OFlags};
use wardkeep_proto::chance::Chance;
use zeroize::Zeroizing;

/// Where the key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file with mode 0600 or 0400 that belongs to this process's user or root.
    File(PathBuf),
    /// A systemd credential: `$CREDENTIALS_DIRECTORY/NAME`, passed in whole. The service manager guards the folder.
    Credential(PathBuf),
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
    #[error("a vault key already exists at {0}; it is never overwritten")]
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

/// The key in memory; wiped when dropped.
pub(crate) struct Key(Zeroizing<[u8; 32]>);

impl Key {
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl KeySource {
    /// The file that holds the key.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Credential(path) => path,
        }
    }

    /// Writes a new key file with mode 0600.
    ///
    /// # Errors
    /// [`KeyError::Exists`] when there is one already, [`KeyError::Io`].
    pub fn generate(path: &Path, chance: &dyn Chance) -> Result<Self, KeyError> {
        let io = |e: rustix::io::Errno| match e {
            rustix::io::Errno::EXIST => KeyError::Exists(path.to_owned()),
            e => KeyError::Io { path: path.to_owned(), source: e.into() },
        };
        let mut raw = Zeroizing::new([0; 32]);
        chance.fill(raw.as_mut());
        let text = Zeroizing::new(HEXLOWER_PERMISSIVE.encode(raw.as_ref()) + "\n");
        // Linked into place whole, so that a crash never leaves a half key that looks like one.
        let new = path.with_added_extension("new");
        match rustix::fs::unlink(&new) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(e) => return Err(io(e)),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::open(&new, flags, Mode::from_raw_mode(0o600)).map_err(io)?);
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let linked = written
            .map_err(|source| KeyError::Io { path: path.to_owned(), source })
            .and_then(|()| rustix::fs::link(&new, path).map_err(io));
        rustix::fs::unlink(&new).map_err(io)?;
        linked?;
        sync_folder(path).map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
        Ok(Self::File(path.to_owned()))
    }

    pub(crate) fn read(&self) -> Result<Key, KeyError> {
        let path = self.path();
        // Not through a link for a key file: whoever may change the link chooses the key. systemd's own folder has none.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| match e {
            rustix::io::Errno::NOENT => KeyError::NotFound(path.to_owned()),
            rustix::io::Errno::LOOP => KeyError::NotAFile(path.to_owned()),
            e => KeyError::Io { path: path.to_owned(), source: e.into() },
        })?;
        self.check(&file)?;
        let mut text = Zeroizing::new([0; 80]);
        let mut len = 0;
        let mut file = File::from(file);
        while len < text.len() {
            match file.read(&mut text[len..]) {
                Ok(0) => break,
                Ok(n) => len += n,
                Err(source) => return Err(KeyError::Io { path: path.to_owned(), source }),
            }
        }
        let digits = text[..len].trim_ascii_end();
        let mut key = Zeroizing::new([0; 32]);
        let malformed = || KeyError::Malformed(path.to_owned());
        if digits.len() != 64 {
            return Err(malformed());
        }
        HEXLOWER_PERMISSIVE.decode_mut(digits, key.as_mut()).map_err(|_| malformed())?;
        Ok(Key(key))
    }

    fn check(&self, file: impl AsFd) -> Result<(), KeyError> {
        let path = self.path().to_owned();
        let stat = match rustix::fs::fstat(file) {
            Ok(stat) => stat,
            Err(e) => return Err(KeyError::Io { path, source: e.into() }),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(KeyError::NotAFile(path));
        }
        let own = rustix::process::geteuid().as_raw();
        let mode = stat.st_mode & 0o7777;
        // systemd gives credentials mode 0440 or an ACL that shows as group bits; never anything for others.
        let forbidden = if matches!(self, Self::Credential(_)) { 0o007 } else { 0o077 };
        if mode & forbidden != 0 {
            return Err(KeyError::Permissions { path, mode });
        }
        if stat.st_uid != own && stat.st_uid != 0 {
            return Err(KeyError::Owner { path, owner: stat.st_uid, own });
        }
        Ok(())
    }
}

/// Makes a new name in `path`'s folder survive a power cut.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn write(dir: &Path, text: &[u8], mode: u32) -> PathBuf {
        let path = dir.join("key");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    const GOOD: &[u8; 64] = &[b'a'; 64];

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for mode in [0o644, 0o640, 0o604, 0o660, 0o620] {
            let path = write(dir.path(), GOOD, mode);
            assert!(
                matches!(KeySource::File(path).read(), Err(KeyError::Permissions { mode: m, .. }) if m == mode),
                "{mode:o}"
            );
        }
        for mode in [0o444, 0o604] {
            let path = write(dir.path(), GOOD, mode);
            assert!(matches!(KeySource::Credential(path).read(), Err(KeyError::Permissions { .. })), "{mode:o}");
        }
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("none");
        assert!(matches!(KeySource::File(missing).read(), Err(KeyError::NotFound(_))));
        assert!(matches!(KeySource::File(dir.path().to_owned()).read(), Err(KeyError::NotAFile(_))));
        for text in [&b""[..], b"abc", &[b'a'; 63], &[b'a'; 65], &[b'g'; 64], &[0xff; 64], &[b'a'; 4096]] {
            let path = write(dir.path(), text, 0o600);
            assert!(matches!(KeySource::File(path).read(), Err(KeyError::Malformed(_))), "{} bytes", text.len());
        }
        let link = dir.path().join("link");
        symlink(write(dir.path(), GOOD, 0o600), &link).unwrap();
        assert!(matches!(KeySource::File(link).read(), Err(KeyError::NotAFile(_))));
    }

    #[test]
    fn a_key_is_made_once() {
        struct Counted;
        impl Chance for Counted {
            fn fill(&self, out: &mut [u8]) {
                (0..).zip(out).for_each(|(n, b)| *b = n);
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vault.key");
        let source = KeySource::generate(&path, &Counted).unwrap();
        assert_eq!(source.read().unwrap().bytes()[..3], [0, 1, 2]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert!(matches!(KeySource::generate(&path, &Counted), Err(KeyError::Exists(_))));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside the key");
    }

    #[test]
    fn a_read_only_key_is_fine() {
        let dir = tempfile::tempdir().unwrap();
        for mode in [0o600, 0o400] {
            assert!(KeySource::File(write(dir.path(), GOOD, mode)).read().is_ok());
        }
        assert!(
            KeySource::Credential(write(
                dir.path(),
                b"AAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaaAAaa\n",
                0o440
            ))
            .read()
            .is_ok()
        );
    }
}
