//! Files beneath the workspace. The kernel resolves every path there and refuses what leads out of it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, open, openat2, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::{Raw, RunSpec};

/// What a file may have that nobody starts.
const PLAIN_FILE: Mode = Mode::from_raw_mode(0o666);
/// Deepest folder that is deleted.
const DEPTH: usize = 64;

/// Why a file was not touched, in words for the agent.
pub(super) type Refused = String;

/// The outcome as what a run gave.
pub(super) fn answer(outcome: Result<Raw, Refused>) -> Raw {
    outcome.unwrap_or_else(Raw::failed)
}

/// The content of a regular file, at most `most` bytes.
pub(super) fn read(spec: &RunSpec, path: &str, most: usize) -> Result<Raw, Refused> {
    let beneath = Beneath::new(spec, path)?;
    // Not blocking: a FIFO must not hold the run.
    let file = File::from(beneath.open(OFlags::RDONLY | OFlags::NONBLOCK, path)?);
    if !file.metadata().map_err(|e| say(path, &e))?.is_file() {
        return Err(format!("{path} is not a regular file"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let length = most as u64 + 1;
    file.take(length).read_to_end(&mut bytes).map_err(|e| say(path, &e))?;
    let cut = bytes.len() > most;
    bytes.truncate(most);
    Ok(Raw { ok: true, output: bytes, cut, ..Raw::default() })
}

/// The names in a folder, one a line, folders with a slash.
pub(super) fn list(spec: &RunSpec, path: &str, most: usize) -> Result<Raw, Refused> {
    let beneath = Beneath::new(spec, path)?;
    let folder = beneath.open(OFlags::RDONLY | OFlags::DIRECTORY, path)?;
    let mut names = Vec::new();
    for (name, kind) in entries(folder.as_fd()).map_err(|e| say(path, &e))? {
        let mut line = String::from_utf8_lossy(&name).into_owned();
        if kind == FileType::Directory {
            line.push('/');
        }
        names.push(line);
    }
    names.sort_unstable();
    let mut text = names.join("\n").into_bytes();
    let cut = text.len() > most;
    text.truncate(most);
    Ok(Raw { cut, ..Raw::ok(text) })
}

/// Writes a whole file: beside it, to the disk, then under its name. Missing folders are made. What was there keeps its mode;
/// what is new may be read and written by whom its folder may be.
pub(super) fn write(spec: &RunSpec, path: &str, content: &str) -> Result<Raw, Refused> {
    let beneath = Beneath::new(spec, path)?;
    let (parent, name) = beneath.parent(path, Missing::Make)?;
    let mode = match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(present) if FileType::from_raw_mode(present.st_mode) == FileType::RegularFile => {
            Mode::from_raw_mode(present.st_mode) & (Mode::RWXU | Mode::RWXG | Mode::RWXO)
        }
        Ok(_) => return Err(format!("{path} is there and is not a regular file")),
        Err(Errno::NOENT) => rights(&parent).map_err(|e| say(path, &e.into()))? & PLAIN_FILE,
        Err(error) => return Err(say(path, &error.into())),
    };
    let run = spec.folder.file_name().unwrap_or(OsStr::new("run")).to_string_lossy();
    let beside = format!(".wardkeep-{run}");
    let put = || -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&parent, beside.as_str(), flags, mode)?);
        file.write_all(content.as_bytes())?;
        rustix::fs::fchmod(&file, mode)?;
        file.sync_all()?;
        renameat(&parent, beside.as_str(), &parent, name)?;
        Ok(())
    };
    put().map_err(|error| {
        // Half a file beside the place is of no use to anybody.
        let _ = unlinkat(&parent, beside.as_str(), AtFlags::empty());
        say(path, &error)
    })?;
    Ok(Raw::ok(format!("Wrote {} bytes to {path}.", content.len())))
}

/// Deletes a file, or a folder with all in it; a symbolic link itself, never what it points to.
pub(super) fn delete(spec: &RunSpec, path: &str) -> Result<Raw, Refused> {
    let beneath = Beneath::new(spec, path)?;
    let (parent, name) = beneath.parent(path, Missing::Refuse)?;
    if path.ends_with('/') {
        delete_entry(parent.as_fd(), name, 0).map_err(|e| say(path, &e))?;
    } else if let Err(error) = unlinkat(&parent, name, AtFlags::empty()) {
        // The policy judged the loss of one file; a whole folder is another, graver call.
        return Err(match error {
            Errno::ISDIR | Errno::PERM => {
                format!("{path} is a folder and was kept; to delete it with everything in it, name it {path}/")
            }
            error => say(path, &error.into()),
        });
    }
    Ok(Raw::ok(format!("Deleted {path}.")))
}

/// Who may do what with an open folder.
fn rights(folder: &OwnedFd) -> Result<Mode, Errno> {
    Ok(Mode::from_raw_mode(fstat(folder)?.st_mode) & (Mode::RWXU | Mode::RWXG | Mode::RWXO))
}

fn delete_entry(parent: BorrowedFd<'_>, name: &OsStr, depth: usize) -> io::Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) => return Ok(()),
        // Both say "a folder": the second by POSIX, the first by Linux.
        Err(Errno::ISDIR | Errno::PERM) if depth < DEPTH => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    for (inner, _) in entries(folder.as_fd())? {
        delete_entry(folder.as_fd(), OsStr::from_bytes(&inner), depth + 1)?;
    }
    Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

fn entries(folder: BorrowedFd<'_>) -> io::Result<Vec<(Vec<u8>, FileType)>> {
    let mut all = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            all.push((name.to_vec(), entry.file_type()));
        }
    }
    Ok(all)
}

/// A path beneath the open workspace.
struct Beneath {
    workspace: OwnedFd,
    /// Without a leading slash; may hold `..`, which the kernel resolves.
    path: PathBuf,
}

enum Missing {
    Make,
    Refuse,
}

impl Beneath {
    fn new(spec: &RunSpec, path: &str) -> Result<Self, Refused> {
        let inside = |text: &str| -> Result<PathBuf, Refused> {
            let path = Path::new(text);
            if path.is_relative() {
                return Ok(path.to_owned());
            }
            let inner = path.strip_prefix(&spec.workspace).map_err(|_| outside(text))?;
            Ok(inner.to_owned())
        };
        let mut whole = PathBuf::from(".");
        if let Some(cwd) = spec.cwd.as_deref().filter(|_| Path::new(path).is_relative()) {
            whole.push(inside(cwd)?);
        }
        whole.push(inside(path)?);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let workspace = open(&spec.workspace, flags, Mode::empty())
            .map_err(|e| format!("the workspace cannot be opened: {}", io::Error::from(e)))?;
        Ok(Self { workspace, path: whole })
    }

    fn open(&self, flags: OFlags, path: &str) -> Result<OwnedFd, Refused> {
        self.resolve(&self.path, flags).map_err(|e| refuse(path, e))
    }

    fn resolve(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        loop {
            match openat2(&self.workspace, path, flags | OFlags::CLOEXEC, Mode::empty(), how) {
                // A rename elsewhere made the kernel unsure; it says so instead of guessing.
                Err(Errno::AGAIN) => {}
                done => return done,
            }
        }
    }

    /// The open folder that holds the last part of the path, and that part's name.
    fn parent(&self, path: &str, missing: Missing) -> Result<(OwnedFd, &OsStr), Refused> {
        let Some(Component::Normal(name)) = self.path.components().next_back() else {
            return Err(format!("{path} names no file"));
        };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        match self.resolve(folder, flags) {
            Ok(open) => Ok((open, name)),
            Err(Errno::NOENT) if matches!(missing, Missing::Make) => {
                self.make(folder).map_err(|e| refuse(path, e))?;
                Ok((self.resolve(folder, flags).map_err(|e| refuse(path, e))?, name))
            }
            Err(error) => Err(refuse(path, error)),
        }
    }

    /// Makes the missing folders of `folder`, each beneath the one before.
    fn make(&self, folder: &Path) -> Result<(), Errno> {
        let mut so_far = PathBuf::from(".");
        for part in folder.components() {
            let before = self.resolve(&so_far, OFlags::PATH | OFlags::DIRECTORY)?;
            so_far.push(part);
            if let Component::Normal(name) = part {
                match mkdirat(&before, name, rights(&before)?) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

fn refuse(path: &str, error: Errno) -> Refused {
    match error {
        // What openat2 says when a path or a link leads out.
        Errno::XDEV | Errno::LOOP => outside(path),
        error => say(path, &error.into()),
    }
}

fn outside(path: &str) -> Refused {
    format!("{path} lies outside the workspace")
}

fn say(path: &str, error: &io::Error) -> Refused {
    format!("{path}: {error}")
}
