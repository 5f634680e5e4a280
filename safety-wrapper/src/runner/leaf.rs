//! Leaves: programs that only look, and that a run which only reads lets start no other program.
//!
//! What `git` shows is decided by settings and attributes that lie in the repository, and many of those name programs. A
//! list of what to switch off would never be whole, so the kernel decides: a leaf gets no new process, whatever it reads.
//! What is switched off besides only makes that such a repository can still be looked at.

mod git;

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use super::{program, syscalls};

/// None of these needs another program for what the policy calls a read. They are found by these names only: the policy
/// gives no Green to one that is named by its path, or that is started without the run's own `PATH`.
const LEAVES: &[&str] = &["git", "rg", "sort", "less", "more", "sed", "gsed", "awk", "gawk", "mawk", "nawk"];

/// The folder of a run in which its programs find the leaves first.
pub(super) fn folder(run: &Path) -> PathBuf {
    run.join("bin")
}

/// Puts the leaves there; `start` are the words that start [`leaf`].
pub(super) fn install(run: &Path, start: &[String]) -> io::Result<()> {
    let folder = folder(run);
    DirBuilder::new().mode(0o700).create(&folder)?;
    let words: Vec<String> = start.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    let mut options = fs::OpenOptions::new();
    let mut script = options.write(true).create_new(true).mode(0o700).open(folder.join(".leaf"))?;
    writeln!(script, "#!/bin/sh\nexec {} -- \"${{0##*/}}\" \"$@\"", words.join(" "))?;
    LEAVES.iter().try_for_each(|name| symlink(".leaf", folder.join(name)))
}

/// Becomes the leaf that the first word names, with the others as its arguments. Comes back only when that fails.
///
/// Call this from `main` when the daemon's own file is started as a leaf, with the words behind `--`.
#[must_use]
pub fn leaf(words: &[OsString]) -> ExitCode {
    let why = become_leaf(words);
    let _ = writeln!(io::stderr(), "wardkeep: {why}");
    // What shells say of a program that cannot be started.
    ExitCode::from(126)
}

fn become_leaf(words: &[OsString]) -> String {
    let Some((name, args)) = words.split_first() else { return "no program is named".to_owned() };
    let known = LEAVES.iter().find(|leaf| OsStr::from_bytes(leaf.as_bytes()) == name);
    let Some(name) = known else { return format!("{} is no leaf", name.display()) };
    let Some(file) = program::in_system(name) else { return format!("the program {name} is not found") };
    let mut command = Command::new(file);
    command.arg0(name);
    let prepared = match *name {
        "git" => git::prepare(&mut command, args),
        _ => {
            command.args(args);
            Ok(())
        }
    };
    if let Err(why) = prepared.and_then(|()| syscalls::alone()) {
        return why;
    }
    format!("{name} could not be started: {}", command.exec())
}
