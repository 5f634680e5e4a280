//! Programs: a clean environment, a process group of their own, a limit, and nothing left behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, waitpid};
use zeroize::Zeroizing;

use super::bounds::{self, Bounds, Over};
use super::live::Tell;
use super::{Raw, Reach, RunSpec, leaf, sealed, tmp};

/// Where programs are looked for, whatever the environment says.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How long the last output may take to arrive once everything was ended.
const DRAIN: Duration = Duration::from_secs(2);

/// Runs one program to its end, or to its limit.
pub(super) fn run(
    spec: &RunSpec,
    argv: &[String],
    env: &BTreeMap<String, String>,
    stdin: Option<&str>,
    most: usize,
    limit: Duration,
    tell: Tell,
) -> Raw {
    match try_run(spec, argv, env, stdin, most, limit, tell) {
        Ok(raw) => raw,
        Err(why) => Raw::failed(why),
    }
}

fn try_run(
    spec: &RunSpec,
    argv: &[String],
    env: &BTreeMap<String, String>,
    stdin: Option<&str>,
    most: usize,
    limit: Duration,
    tell: Tell,
) -> Result<Raw, String> {
    let cwd = working_folder(spec)?;
    let (name, args) = argv.split_first().ok_or("no program is named")?;
    let program = find(name, &cwd, spec).ok_or_else(|| format!("the program {name} is not found"))?;
    // The last thing before the start; open until the end.
    let held = sealed::Held::take(&spec.sealed)?;
    let program = held.start(program);
    if let Some(bad) = env.keys().find(|key| !is_variable(key)) {
        return Err(format!("{bad:?} is no name of an environment variable"));
    }
    let (reader, writer) = io::pipe().map_err(|e| format!("no pipe: {e}"))?;
    let mut command = Command::new(program);
    command
        .arg0(name)
        .args(args)
        .current_dir(&cwd)
        .env_clear()
        .env("PATH", path_of(spec))
        // Not the workspace: programs read their settings at home, and the agent writes there.
        .env("HOME", tmp(&spec.folder))
        // Reading a repository must not run its settings, nor write its index.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_PAGER", "cat")
        .env("GIT_CONFIG_COUNT", if spec.unit.is_some() { "2" } else { "1" })
        .env("GIT_CONFIG_KEY_0", "core.fsmonitor")
        .env("GIT_CONFIG_VALUE_0", "false")
        // In a unit the workspace is other users' by its nature.
        .env("GIT_CONFIG_KEY_1", "safe.directory")
        .env("GIT_CONFIG_VALUE_1", "*")
        .envs(spec.proxy.iter().flat_map(|door| door.environment(&spec.folder)))
        .env("TMPDIR", tmp(&spec.folder))
        .env("LANG", "C.UTF-8")
        .envs(env)
        .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(writer.try_clone().map_err(|e| format!("no pipe: {e}"))?)
        .stderr(writer)
        .process_group(0);
    let bounds = Bounds::new(spec.limits, limit);
    let mut child = bounds.start(|| start(&mut command)).map_err(|e| format!("{name} could not be started: {e}"))?;
    // The command holds the writing end of the pipe.
    drop(command);
    if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
        let text = Zeroizing::new(text.to_owned());
        // A program that does not read its input is no failure of ours.
        std::thread::spawn(move || pipe.write_all(text.as_bytes()));
    }
    let (sender, output) = mpsc::channel();
    let reader = bounds.counted(reader);
    std::thread::spawn(move || sender.send(read_up_to(reader, most, tell)));
    let pid = Pid::from_child(&child);
    let over = bounds.wait(pid);
    // Also after a proper end: the group may hold more processes. Not reaped yet, so the number is still ours.
    let _ = kill_process_group(pid, Signal::KILL);
    let status = child.wait().map_err(|e| format!("{name} was lost: {e}"))?;
    end_everything();
    let (bytes, cut) = output.recv_timeout(DRAIN).unwrap_or_default();
    Ok(conclude(bytes, cut, over, status))
}

/// Whether this process has been told to end: then it starts nothing more. It runs one call and nothing else.
static ENDING: Mutex<bool> = Mutex::new(false);

/// Starts a program, unless everything was killed already: no kill finds one that is just being started.
fn start(command: &mut Command) -> io::Result<Child> {
    let ending = ENDING.lock().unwrap_or_else(PoisonError::into_inner);
    if *ending {
        return Err(io::ErrorKind::Interrupted.into());
    }
    command.spawn()
}

/// Kills every process that was started here, and lets no other be started. Whoever waits for them sees their end.
pub(super) fn kill_everything() {
    *ENDING.lock().unwrap_or_else(PoisonError::into_inner) = true;
    for pid in children() {
        let _ = kill_process_group(pid, Signal::KILL);
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn conclude(bytes: Zeroizing<Vec<u8>>, cut: bool, over: Option<Over>, status: ExitStatus) -> Raw {
    let mut raw = Raw { output: bytes, cut, ..Raw::default() };
    if let Some(over) = over {
        // In front: the end may be cut off.
        return raw.with_note(&over.note());
    }
    raw.ok = status.success();
    raw.signal = status.signal();
    raw.exit_code = status.code().or_else(|| raw.signal.map(|signal| 128 + signal));
    raw
}

fn read_up_to(mut from: impl Read, most: usize, mut tell: Tell) -> (Zeroizing<Vec<u8>>, bool) {
    let (mut bytes, mut piece) = (Zeroizing::new(Vec::new()), Zeroizing::new([0; 8192]));
    while bytes.len() < most {
        let room = piece.len().min(most - bytes.len());
        match from.read(&mut piece[..room]) {
            Ok(0) => break,
            Ok(read) => {
                bytes.extend_from_slice(&piece[..read]);
                tell(&piece[..read]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // An error here is the end of the output.
            Err(_) => break,
        }
    }
    // The rest is read and dropped, so that the program is not stopped by a full pipe.
    let more = io::copy(&mut from, &mut io::sink()).unwrap_or(0);
    (bytes, more > 0)
}

/// Ends every process that was started here and is still there, those that left their group included: as the nearest
/// subreaper we are their parent. This process runs one call and nothing else.
pub(super) fn end_everything() {
    for _ in 0..100 {
        let children = children();
        if children.is_empty() {
            return;
        }
        for pid in children {
            let _ = kill_process(pid, Signal::KILL);
            // Blocks no longer than a killed process needs to go.
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}

fn children() -> Vec<Pid> {
    bounds::children_of("self").into_iter().filter_map(Pid::from_raw).collect()
}

/// The folder a program starts in: inside the workspace, symbolic links resolved.
fn working_folder(spec: &RunSpec) -> Result<PathBuf, String> {
    let real =
        |path: &Path| fs::canonicalize(path).map_err(|e| format!("the folder {} cannot be used: {e}", path.display()));
    let workspace = real(&spec.workspace)?;
    let cwd = match &spec.cwd {
        None => workspace.clone(),
        Some(inside) => real(&spec.workspace.join(inside))?,
    };
    if cwd.starts_with(&workspace) {
        Ok(cwd)
    } else {
        Err("the folder to start in lies outside the workspace".to_owned())
    }
}

/// The folders in which a run finds programs.
fn path_of(spec: &RunSpec) -> String {
    match spec.reach {
        Reach::Reads => format!("{}:{PATH}", leaf::folder(&spec.folder).display()),
        Reach::Changes => PATH.to_owned(),
    }
}

/// The file of a program: a path as it is, a bare name in the run's own `PATH` only.
fn find(name: &str, cwd: &Path, spec: &RunSpec) -> Option<PathBuf> {
    if name.contains('/') { Some(cwd.join(name)) } else { find_in(&path_of(spec), name) }
}

/// The file of one of the system's programs.
pub(super) fn in_system(name: &str) -> Option<PathBuf> {
    find_in(PATH, name)
}

fn find_in(folders: &str, name: &str) -> Option<PathBuf> {
    let runs = |path: &PathBuf| fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    folders.split(':').map(|folder| Path::new(folder).join(name)).find(runs)
}

/// A plain name: `BASH_FUNC_x%%` and its like would define code.
fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
