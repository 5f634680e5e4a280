//! The files that a command names, pinned while a person reads: a script that is swapped before its run voids the approval.
//! So does another interpreter, or a link that leads elsewhere. What the launch found is looked at once more by the run
//! itself, at its last moment ([`crate::runner::sealed`]).

mod named;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wardkeep_policy::Action;
use wardkeep_policy::action::{Call, Sees, WORKSPACE};
use wardkeep_policy::facts::{self, Context, Facts};
use wardkeep_proto::digest::Digest;

use super::Gate;
use crate::runner::sealed::{self, Sealed};

/// More files than this are not pinned but refused.
const FILES: usize = 64;

/// Places at which files of one call are looked for, most.
const PLACES: usize = 10_000;
/// Why a call with more of them is refused.
const TOO_MANY: &str = "the command has too many words to look for its files; split it into smaller ones";

/// Notes of texts in which a word that nobody can read as one may be a program or its script.
const RUNS: &[facts::Note] =
    &[facts::Note::PipedCode, facts::Note::DynamicProgram, facts::Note::DynamicCode, facts::Note::UnclearWrapper];

/// How far a script's interpreters are followed: one of them may be a script itself.
const INTERPRETERS: usize = 4;

/// One file as it was when the call was judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Pin {
    /// Relative to the workspace; absolute for what a link in the workspace leads to outside.
    pub(crate) path: String,
    /// A digest of the content, keyed by this server, or for a large file and for one outside its inode, size and time of last
    /// change.
    pub(crate) is: String,
}

/// What a call names.
#[derive(Default)]
pub(super) struct Pinned {
    /// For the approval's document, in order.
    pub(super) shown: Vec<Pin>,
    /// For the run.
    pub(super) sealed: Vec<Sealed>,
}

impl Gate {
    /// Every file of the workspace that a program call names, as it is now, and those that the run itself can look at.
    ///
    /// # Errors
    /// Why the call cannot be pinned, in words for the agent.
    pub(super) fn pins(&self, action: &Action) -> Result<Pinned, String> {
        let Some(facts) = self.facts(action) else { return Ok(Pinned::default()) };
        // Without a workspace nothing runs either.
        let Ok(workspace) = self.workspace(action).and_then(|w| fs::canonicalize(w).map_err(|e| e.to_string())) else {
            return Ok(Pinned::default());
        };
        let start = workspace.join(action.cwd.as_deref().unwrap_or_default());
        // A container has the workspace in another place.
        let inside = matches!(action.call, Call::Container { .. });
        let seen = |path: PathBuf| if inside { outside(&workspace, &path) } else { path };
        let reached = |path: PathBuf| reached(&workspace, &seen(path));
        let (mut found, mut looked): (Vec<PathBuf>, usize) = (Vec::new(), 0);
        let mut look = |places: Vec<PathBuf>| {
            looked += places.len();
            if looked > PLACES {
                return Err(TOO_MANY.to_owned());
            }
            found.extend(places.into_iter().filter_map(&reached));
            Ok(())
        };
        // What one command reads, another one may run: `cat *.sh | bash`; and what nobody can name may be any program.
        let runs = |note: &facts::Note| RUNS.contains(note);
        let patterns = facts.notes.iter().any(runs) || facts.commands.iter().any(named::runs_files);
        for command in facts.commands.iter().chain(&facts.unnamed) {
            let folder = command.cwd.as_deref().map_or_else(|| start.clone(), |cwd| start.join(cwd));
            look(named::places(command, patterns, |word| seen(folder.join(word))))?;
        }
        for command in &facts.unnamed {
            let folder = command.cwd.as_deref().map_or_else(|| start.clone(), |cwd| start.join(cwd));
            look(named::programs(command, |word| seen(folder.join(word))))?;
        }
        // `bash < job.sh` and `BASH_ENV=./job.sh bash` name a script, too.
        for opened in &facts.redirects {
            let folder = opened.cwd.as_deref().map_or_else(|| start.clone(), |cwd| start.join(cwd));
            look(match opened.path.known() {
                Some(path) => vec![folder.join(path)],
                None if opened.path.has_opaque() => Vec::new(),
                None => named::matching(|word| seen(folder.join(word)), &opened.path.text),
            })?;
        }
        // A variable may hold a program or a line of words: `x='./job.sh a'; $x`.
        let given = env_of(action).into_iter().flatten().map(|(_, value)| value);
        for value in facts.values.iter().map(|(_, value)| value).chain(given) {
            look(named::within(value, |word| seen(start.join(word))))?;
        }
        let mut pinned = Pinned::default();
        let mut due: BTreeSet<PathBuf> = found.into_iter().collect();
        let mut known = due.clone();
        for _ in 0..=INTERPRETERS {
            if known.len() > FILES {
                return Err(format!("the command names more than {FILES} files; split it into smaller ones"));
            }
            for path in std::mem::take(&mut due) {
                let interpreter = self.pin(&workspace, &path, &mut pinned)?;
                let interpreter = interpreter.and_then(|path| reached(start.join(path)));
                due.extend(interpreter.filter(|path| known.insert(path.clone())));
            }
        }
        pinned.shown.sort_unstable();
        Ok(pinned)
    }

    /// Pins one file; gives the interpreter that it names.
    fn pin(&self, workspace: &Path, path: &Path, pinned: &mut Pinned) -> Result<Option<PathBuf>, String> {
        // A link may lead to a file whose name must not be told.
        let shown = self.clean(&path.strip_prefix(workspace).unwrap_or(path).display().to_string());
        if path.to_str().is_none() {
            return Err(format!("{shown} cannot be pinned: its name is not UTF-8; rename it"));
        }
        let unreadable = |error: std::io::Error| format!("{shown} cannot be pinned: {error}");
        // Neither a link nor a pipe that was put there since it was looked at.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if !about.is_file() {
            return Err(format!("{shown} cannot be pinned: it is no file any more"));
        }
        if !path.starts_with(workspace) {
            pinned.shown.push(Pin { path: shown, is: sealed::state(&about) });
            return Ok(None);
        }
        let seal = Sealed::of(path, &file).map_err(unreadable)?;
        // Keyed: a plain digest would let the hub guess at the content.
        let is = match &seal.digest {
            Some(digest) => {
                Digest::plain(&self.key.sign(&Digest::of("wardkeep/pin/v2", digest.as_bytes()).0)).to_string()
            }
            None => seal.state.clone(),
        };
        let interpreter = sealed::interpreter(&file).map_err(unreadable)?;
        pinned.shown.push(Pin { path: shown, is });
        pinned.sealed.push(seal);
        Ok(interpreter)
    }

    fn facts(&self, action: &Action) -> Option<Facts> {
        let bundle = self.parts.bundle.borrow().clone();
        let knows = |name: &str| bundle.rules.knows(name);
        let starts = |name: &str| bundle.rules.starts(name);
        let cwd = action.cwd.as_deref().unwrap_or_default();
        match &action.call {
            Call::Shell { command, env } => {
                Some(facts::from_shell(command, cwd, &Context { knows: &knows, starts: &starts, env }))
            }
            Call::Exec { argv, stdin, env } => {
                Some(facts::from_argv(argv, stdin.as_deref(), cwd, &Context { knows: &knows, starts: &starts, env }))
            }
            Call::Container { argv, env, workspace, workdir, .. } if *workspace != Sees::Nothing => {
                let cwd = workdir.as_deref().unwrap_or(WORKSPACE);
                Some(facts::from_argv(argv, None, cwd, &Context { knows: &knows, starts: &starts, env }))
            }
            _ => None,
        }
    }
}

/// What a call is given beside its text.
fn env_of(action: &Action) -> Option<&BTreeMap<String, String>> {
    match &action.call {
        Call::Shell { env, .. } | Call::Exec { env, .. } | Call::Container { env, .. } => Some(env),
        _ => None,
    }
}

/// Links that are followed within one path; as many as Linux follows.
const LINKS: usize = 40;

/// The workspace's own file behind a path of a container, links followed as they lead there; any other path as it is.
fn outside(workspace: &Path, path: &Path) -> PathBuf {
    let seen = path.strip_prefix(workspace).map_or_else(|_| path.to_owned(), |rest| Path::new(WORKSPACE).join(rest));
    let parts = |path: &Path| path.iter().rev().map(OsStr::to_owned).collect::<Vec<OsString>>();
    let (mut left, mut plain, mut links) = (parts(&seen), PathBuf::new(), 0);
    while let Some(part) = left.pop() {
        if part == ".." {
            plain.pop();
            continue;
        }
        plain.push(part);
        let here = plain.strip_prefix(WORKSPACE).ok().map(|rest| workspace.join(rest));
        if links < LINKS
            && let Some(to) = here.and_then(|here| fs::read_link(here).ok())
        {
            links += 1;
            plain.pop();
            left.extend(parts(&to));
        }
    }
    plain.strip_prefix(WORKSPACE).map_or_else(|_| path.to_owned(), |rest| workspace.join(rest))
}

/// The real path of a regular file that lies in the workspace, or that a link there leads to.
fn reached(workspace: &Path, path: &Path) -> Option<PathBuf> {
    let real = fs::canonicalize(path).ok()?;
    let folder = || fs::canonicalize(path.parent()?).ok();
    let named_inside = || path.starts_with(workspace) || folder().is_some_and(|folder| folder.starts_with(workspace));
    ((real.starts_with(workspace) || named_inside()) && real.is_file()).then_some(real)
}
