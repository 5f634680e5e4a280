//! The run folder: `runs/<permit>/` with a lock, a pipe by which the run is ended, a private `tmp/`, reserved space, and in the
//! end `result.json`.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, FallocateFlags, FileType, Mode, OFlags, mknodat};
use rustix::io::Errno;
use wardkeep_proto::ids::PermitId;

use crate::call::CallResult;

const LOCK: &str = "lock";
const RESULT: &str = "result.json";
const RESERVE: &str = "reserve";
/// Made by the runner before its first act: without it, and without a live runner, nothing has been done.
const BEGUN: &str = "begun";
/// Made before a unit is asked for: where it stands, a runner that is gone may have left a unit.
const UNIT: &str = "unit";
/// Made before a container is asked for, likewise.
const CONTAINER: &str = "container";
/// Space for the largest result: 256 KiB of output, every byte escaped as six, and the rest.
const RESERVE_BYTES: u64 = 2 * 1024 * 1024;
/// A pipe with a name: a runner that works reads it, and whoever opens it for writing ends the run.
const END: &str = "end";
/// How long a runner that has begun may take until it listens.
const LISTENS_WITHIN: Duration = Duration::from_secs(1);

/// Why there is no folder.
#[derive(Debug)]
pub(crate) enum FolderError {
    /// No space for the result: nothing must run.
    Full,
    Io(io::Error),
}

impl From<io::Error> for FolderError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error),
        }
    }
}

/// A fresh folder whose lock this process holds.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Becomes the runner's standard output.
    pub(crate) lock: File,
}

/// What a restarted daemon finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The runner lives.
    Running,
    /// It has ended and left this.
    Result(CallResult),
    /// Nobody holds the lock and the run never began: no runner that could still begin is alive, so it may start again.
    NeverBegan,
    /// It began and left nothing: what it did is unknown.
    Nothing,
}

impl Folder {
    /// Makes the folder, its lock held and space for the result reserved.
    ///
    /// Only for a permit that is not spent: what a crash before the claim left there is removed.
    pub(crate) fn make(runs: &Path, permit: PermitId) -> Result<Self, FolderError> {
        let path = runs.join(permit.to_string());
        Self::remove(runs, permit)?;
        DirBuilder::new().mode(0o700).create(&path)?;
        DirBuilder::new().mode(0o700).create(super::tmp(&path))?;
        let open = |name: &str| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path.join(name));
        let lock = open(LOCK)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        })?;
        mknodat(CWD, path.join(END), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).map_err(io::Error::from)?;
        let reserve = open(RESERVE)?;
        match rustix::fs::fallocate(&reserve, FallocateFlags::empty(), 0, RESERVE_BYTES) {
            // A file system that cannot reserve is used as it is.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        Ok(Self { path, lock })
    }

    /// Removes the folder and all in it; one that is not there is removed.
    pub(crate) fn remove(runs: &Path, permit: PermitId) -> io::Result<()> {
        match fs::remove_dir_all(runs.join(permit.to_string())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Looks at the folder of a spent permit.
    pub(crate) fn find(runs: &Path, permit: PermitId) -> Found {
        let path = runs.join(permit.to_string());
        // The lock first: a runner that ends between the two looks has left its result by then.
        if is_running(&path) {
            return Found::Running;
        }
        match read_result(&path) {
            Some(result) => Found::Result(result),
            // A folder that is gone tells nothing.
            None if path.join(LOCK).exists() && !has_begun(&path) => Found::NeverBegan,
            None => Found::Nothing,
        }
    }
}

/// Says, on the disk, that the run begins. False when it may not: another runner was first, or nothing can be written.
pub(super) fn begin(folder: &Path) -> bool {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(BEGUN));
    made.and_then(|_| File::open(folder)?.sync_all()).is_ok()
}

/// Says, on the disk, that a unit may be started.
pub(super) fn mark_unit(folder: &Path) -> io::Result<()> {
    mark(folder, UNIT)
}

/// Says, on the disk, that a container may be started.
pub(super) fn mark_container(folder: &Path) -> io::Result<()> {
    mark(folder, CONTAINER)
}

fn mark(folder: &Path, name: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join(name))?;
    File::open(folder)?.sync_all()
}

/// Whether a unit may have been started.
pub(crate) fn may_have_unit(folder: &Path) -> bool {
    fs::exists(folder.join(UNIT)).unwrap_or(true)
}

/// Whether a container may have been started.
pub(crate) fn may_have_container(folder: &Path) -> bool {
    fs::exists(folder.join(CONTAINER)).unwrap_or(true)
}

/// In the runner: returns once somebody wants the run to end. Blocks; a folder without the pipe is never ended.
pub(super) fn wait_for_end(folder: &Path) {
    // Opening it for reading returns when it was opened for writing.
    if File::open(folder.join(END)).is_err() {
        loop {
            std::thread::park();
        }
    }
}

/// In the daemon: has the run of a folder end, whatever daemon started it. One that has not begun never will. `false` where
/// the runner cannot be told.
pub(crate) fn end(folder: &Path) -> bool {
    if begin(folder) {
        let result = CallResult::failed("the agent was stopped before this call began; nothing was done");
        return write_result(folder, &result).is_ok();
    }
    let start = std::time::Instant::now();
    while start.elapsed() < LISTENS_WITHIN {
        // Without blocking: with nobody at the other end this is an error.
        match rustix::fs::open(folder.join(END), OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) {
            Ok(_) => return true,
            Err(Errno::NXIO | Errno::INTR) => {}
            Err(_) => return !is_running(folder),
        }
        if !is_running(folder) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

/// Whether a runner lives.
fn is_running(folder: &Path) -> bool {
    let lock = OpenOptions::new().write(true).open(folder.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Whether the runner came to its first act.
pub(crate) fn has_begun(folder: &Path) -> bool {
    // What cannot be looked at may have begun.
    fs::exists(folder.join(BEGUN)).unwrap_or(true)
}

/// The result a runner left, if it is whole.
pub(crate) fn read_result(folder: &Path) -> Option<CallResult> {
    let bytes = fs::read(folder.join(RESULT)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Leaves the result: into the reserved space, to the disk, then under its name.
pub(super) fn write_result(folder: &Path, result: &CallResult) -> io::Result<()> {
    let bytes = serde_json::to_vec(result)?;
    let reserve = folder.join(RESERVE);
    let mut file = OpenOptions::new().write(true).open(&reserve)?;
    file.write_all(&bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()?;
    fs::rename(&reserve, folder.join(RESULT))?;
    File::open(folder)?.sync_all()
}
