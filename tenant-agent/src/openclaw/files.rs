//! Files that root owns and agents may only read.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A file as it is to be.
#[derive(Clone)]
pub struct Planned {
    /// Where.
    pub path: PathBuf,
    /// Permission bits.
    pub mode: u32,
    /// Its content; may be secret, so it is never printed.
    pub content: String,
}

/// What was done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// It was as it should be.
    Kept,
    /// It was not there.
    Made,
    /// It was another one.
    Replaced,
}

impl Planned {
    /// Readable by all.
    #[must_use]
    pub fn open(path: PathBuf, content: impl Into<String>) -> Self {
        Self { path, mode: 0o644, content: content.into() }
    }

    /// Readable by the agent's group alone.
    #[must_use]
    pub fn for_group(path: PathBuf, content: String) -> Self {
        Self { path, mode: 0o640, content }
    }

    /// What writing it would do.
    ///
    /// # Errors
    /// When what lies there cannot be read.
    pub fn compare(&self) -> io::Result<Done> {
        match fs::read(&self.path) {
            Ok(there) => Ok(if there == self.content.as_bytes() { Done::Kept } else { Done::Replaced }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Done::Made),
            Err(error) => Err(error),
        }
    }

    /// Writes it whole or not at all, with its mode; `group` is the group of a file that not all may read.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, group: Option<u32>) -> io::Result<Done> {
        let done = self.compare()?;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
        let new = self.path.with_extension("new");
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(self.content.as_bytes())?;
        if self.mode & 0o007 == 0
            && let Some(group) = group
        {
            chown(&new, None, Some(group))?;
        }
        fs::set_permissions(&new, fs::Permissions::from_mode(self.mode))?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        Ok(done)
    }
}

/// Whether `uid` could change `path`, by itself or by a folder above it; root always can and does not count.
///
/// # Errors
/// When it cannot be looked at.
pub fn writable_by(path: &Path, uid: u32, gids: &[u32]) -> io::Result<Option<PathBuf>> {
    let real = fs::canonicalize(path)?;
    for at in real.ancestors() {
        let meta = fs::symlink_metadata(at)?;
        let mode = meta.mode();
        // Below a sticky folder only owners rename.
        let shared = mode & 0o1000 != 0 && at != real;
        let theirs = meta.uid() == uid && uid != 0;
        let group = mode & 0o020 != 0 && gids.contains(&meta.gid()) && meta.gid() != 0;
        if theirs || (!shared && (group || mode & 0o002 != 0)) {
            return Ok(Some(at.to_owned()));
        }
    }
    Ok(None)
}

/// User id, first group and all groups of a user, by the texts of `/etc/passwd` and `/etc/group`.
#[must_use]
pub fn account(user: &str, passwd: &str, groups: &str) -> Option<(u32, u32, Vec<u32>)> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(user))?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    let (uid, gid) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    let more = groups.lines().filter_map(|line| {
        let mut fields = line.split(':').skip(2);
        let (gid, members) = (fields.next()?.parse().ok()?, fields.next()?);
        members.split(',').any(|member| member == user).then_some(gid)
    });
    Some((uid, gid, std::iter::once(gid).chain(more).collect()))
}
