//! Key files: read with suspicion, written whole, exchanged without a moment in which neither key is there.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::{Key, KeyError, staged};

/// Reads a key. `shared`: systemd gives credentials mode 0440 or an ACL that shows as group bits.
pub(super) fn read(path: &Path, shared: bool) -> Result<Key, KeyError> {
    // Not through a link for a key file: whoever may change the link chooses the key. systemd's own folder has none.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| match e {
        Errno::NOENT => KeyError::NotFound(path.to_owned()),
        Errno::LOOP => KeyError::NotAFile(path.to_owned()),
        e => KeyError::Io { path: path.to_owned(), source: e.into() },
    })?;
    check(&file, path, shared)?;
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
    Key::from_hex(text[..len].trim_ascii_end()).ok_or_else(|| KeyError::Malformed(path.to_owned()))
}

fn check(file: impl AsFd, path: &Path, shared: bool) -> Result<(), KeyError> {
    let path = path.to_owned();
    let stat = match rustix::fs::fstat(file) {
        Ok(stat) => stat,
        Err(e) => return Err(KeyError::Io { path, source: e.into() }),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(KeyError::NotAFile(path));
    }
    let own = rustix::process::geteuid().as_raw();
    let mode = stat.st_mode & 0o7777;
    // Never anything for others.
    let forbidden = if shared { 0o007 } else { 0o077 };
    if mode & forbidden != 0 {
        return Err(KeyError::Permissions { path, mode });
    }
    if stat.st_uid != own && stat.st_uid != 0 {
        return Err(KeyError::Owner { path, owner: stat.st_uid, own });
    }
    Ok(())
}

pub(super) fn text(key: &Key) -> Zeroizing<String> {
    // Room for the newline from the start: a string that grows leaves its old copy behind.
    let mut line = Zeroizing::new(String::with_capacity(80));
    line.push_str(&key.expose_hex());
    line.push('\n');
    line
}

/// Writes a new file of mode 0600 whole: a crash leaves it complete or not at all. Never replaces one.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let io = |e: Errno| match e {
        Errno::EXIST => KeyError::Exists(path.to_owned()),
        e => KeyError::Io { path: path.to_owned(), source: e.into() },
    };
    let part = path.with_added_extension("part");
    match rustix::fs::unlink(&part) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => return Err(io(e)),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(&part, flags, Mode::from_raw_mode(0o600)).map_err(io)?);
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let here = rustix::fs::CWD;
    let moved = written
        .map_err(KeyError::io(path))
        .and_then(|()| rustix::fs::renameat_with(here, &part, here, path, RenameFlags::NOREPLACE).map_err(io));
    if moved.is_err() {
        let _ = rustix::fs::unlink(&part);
    }
    moved?;
    sync_folder(path).map_err(KeyError::io(path))
}

/// A file that waits beside another one until the vault has changed over to it.
pub(crate) struct Staged {
    path: PathBuf,
}

impl Staged {
    /// Writes what will be `path`. What an interrupted rekeying left there is replaced: the caller has opened the vault with
    /// another key.
    pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<Self, KeyError> {
        discard(path).map_err(KeyError::io(path))?;
        write_new(&staged(path), bytes)?;
        Ok(Self { path: path.to_owned() })
    }

    pub(crate) fn key(path: &Path, key: &Key) -> Result<Self, KeyError> {
        Self::write(path, text(key).as_bytes())
    }

    /// Where it will be.
    pub(crate) fn place(&self) -> &Path {
        &self.path
    }

    /// Puts it in its place; the vault needs it now.
    pub(crate) fn settle(self) -> std::io::Result<()> {
        settle(&self.path)
    }
}

/// Puts a staged file into its place.
pub(crate) fn settle(path: &Path) -> std::io::Result<()> {
    std::fs::rename(staged(path), path)?;
    sync_folder(path)
}

/// Removes a staged file that the vault does not need.
pub(crate) fn discard(path: &Path) -> std::io::Result<()> {
    remove(&staged(path))
}

/// Removes a file; a missing one is fine.
pub(crate) fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Makes a new name in `path`'s folder survive a power cut.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
