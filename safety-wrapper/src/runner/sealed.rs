//! Files that must be what a person saw: each is opened once, read through its descriptor, and a program is executed by it.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wardkeep_proto::digest::Digest;

/// Up to this size a file is known by its content, beyond it by what the kernel says of it.
const DIGESTED_BYTES: u64 = 1024 * 1024;
/// What the kernel reads of a script's first line.
const FIRST_LINE: usize = 256;
const ELF: &[u8] = b"\x7fELF";

/// One file as the launch found it. Plain digests: for the run only, never for anybody outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sealed {
    /// Without symbolic links.
    pub(crate) path: PathBuf,
    /// Of the content; `None` for a large one.
    pub(crate) digest: Option<String>,
    /// Inode, size and time of last change.
    pub(crate) state: String,
}

impl Sealed {
    /// An open file.
    pub(crate) fn of(path: &Path, file: &File) -> io::Result<Self> {
        let about = file.metadata()?;
        let digest = if about.len() > DIGESTED_BYTES { None } else { Some(digest_of(file)?) };
        Ok(Self { path: path.to_owned(), digest, state: state(&about) })
    }
}

/// What the kernel says of a file.
pub(crate) fn state(about: &Metadata) -> String {
    format!("{}:{}:{}.{}", about.ino(), about.len(), about.ctime(), about.ctime_nsec())
}

/// The interpreter that a script's first line names, or that it has `env` start.
pub(crate) fn interpreter(file: &File) -> io::Result<Option<PathBuf>> {
    let mut start = [0; FIRST_LINE];
    let length = file.read_at(&mut start, 0)?;
    let Some(line) = start[..length].strip_prefix(b"#!") else { return Ok(None) };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_start();
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t' | 0)).filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default();
    let word = if first.ends_with(b"/env") { words.find(|word| *word != b"-S").unwrap_or(first) } else { first };
    Ok(Some(PathBuf::from(std::ffi::OsString::from_vec(word.to_vec()))))
}

/// What the kernel said of each file before a run.
pub(super) struct Before(Vec<(PathBuf, Option<String>)>);

impl Before {
    pub(super) fn of(sealed: &[Sealed]) -> Self {
        Self(sealed.iter().map(|seal| (seal.path.clone(), now(&seal.path))).collect())
    }

    /// Those of which it says something else now: written, exchanged or gone meanwhile, by the run itself or by anybody.
    pub(super) fn changed(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().filter(|(path, before)| now(path) != *before).map(|(path, _)| path.as_path())
    }
}

/// Of what stands at the path itself: a link is another file.
fn now(path: &Path) -> Option<String> {
    std::fs::symlink_metadata(path).ok().map(|about| state(&about))
}

fn digest_of(file: &File) -> io::Result<String> {
    let mut bytes = vec![0; usize::try_from(DIGESTED_BYTES).unwrap_or(usize::MAX) + 1];
    let mut length = 0;
    while length < bytes.len() {
        match file.read_at(&mut bytes[length..], length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    Ok(Digest::plain(&bytes[..length]).to_string())
}

/// The files of a run, open and as they were.
pub(super) struct Held(Vec<(PathBuf, File)>);

impl Held {
    /// Opens each file once and compares it.
    ///
    /// # Errors
    /// Which one is another now, in words for the agent.
    pub(super) fn take(sealed: &[Sealed]) -> Result<Self, String> {
        let changed = |seal: &Sealed| {
            format!("{} has changed since it was approved; nothing was done, ask again", seal.path.display())
        };
        let open = |seal: &Sealed| {
            // Neither a link nor a pipe that was put there since.
            let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
            let file = OpenOptions::new().read(true).custom_flags(flags).open(&seal.path).map_err(|_| changed(seal))?;
            let now = Sealed::of(&seal.path, &file).map_err(|_| changed(seal))?;
            // A file that was written anew with the same bytes is the same to whoever reads it.
            let same = if seal.digest.is_some() { now.digest == seal.digest } else { now.state == seal.state };
            if same { Ok((seal.path.clone(), file)) } else { Err(changed(seal)) }
        };
        sealed.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// By what a program is executed: by its descriptor where it is one of these. A script is named to its interpreter by its
    /// path, since many look for what lies beside them.
    pub(super) fn start(&self, program: PathBuf) -> PathBuf {
        let Ok(real) = std::fs::canonicalize(&program) else { return program };
        let Some((_, file)) = self.0.iter().find(|(path, _)| *path == real) else { return program };
        let mut start = [0; 4];
        match file.read_at(&mut start, 0) {
            Ok(4) if start == ELF => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
            _ => program,
        }
    }
}
