//! The files that a command names, pinned while a person reads: a script that is swapped before its run voids the approval.

use std::fs::{self, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wardkeep_policy::Action;
use wardkeep_policy::action::Call;
use wardkeep_policy::facts::{self, Context, Facts};
use wardkeep_proto::digest::Digest;

use super::Gate;

/// Up to this size a file is pinned by its content, beyond it by what the kernel says of it.
const DIGESTED_BYTES: u64 = 1024 * 1024;
/// More files than this are not pinned but refused.
const FILES: usize = 64;

/// One file as it was when the call was judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Pin {
    /// Relative to the workspace.
    pub(crate) path: String,
    /// A digest of the content, keyed by this server, or for a large file its inode, size and time of last change.
    pub(crate) is: String,
}

impl Gate {
    /// Every file of the workspace that a program call names, as it is now.
    ///
    /// # Errors
    /// Why the call cannot be pinned, in words for the agent.
    pub(super) fn pins(&self, action: &Action) -> Result<Vec<Pin>, String> {
        let Some(facts) = self.facts(action) else { return Ok(Vec::new()) };
        // Without a workspace nothing runs either.
        let Ok(workspace) = self.workspace(action).and_then(|w| fs::canonicalize(w).map_err(|e| e.to_string())) else {
            return Ok(Vec::new());
        };
        let start = workspace.join(action.cwd.as_deref().unwrap_or_default());
        let mut found: Vec<PathBuf> = Vec::new();
        for command in &facts.commands {
            let folder = command.cwd.as_deref().map_or_else(|| start.clone(), |cwd| start.join(cwd));
            let words = command.args.iter().filter_map(facts::Word::known);
            let paths = words.chain([command.program.as_str()]).map(|word| folder.join(word));
            found.extend(paths.filter_map(|path| inside(&workspace, &path)));
        }
        // `bash < job.sh` and `BASH_ENV=./job.sh bash` name a script, too.
        for opened in &facts.redirects {
            let folder = opened.cwd.as_deref().map_or_else(|| start.clone(), |cwd| start.join(cwd));
            found.extend(opened.path.known().and_then(|path| inside(&workspace, &folder.join(path))));
        }
        found.extend(facts.values.iter().filter_map(|(_, value)| inside(&workspace, &start.join(value))));
        found.sort_unstable();
        found.dedup();
        if found.len() > FILES {
            return Err(format!("the command names more than {FILES} files; split it into smaller ones"));
        }
        found.iter().map(|path| self.pin(&workspace, path)).collect()
    }

    fn pin(&self, workspace: &Path, path: &Path) -> Result<Pin, String> {
        // A link may lead to a file whose name must not be told.
        let shown = self.clean(&path.strip_prefix(workspace).unwrap_or(path).display().to_string());
        let unreadable = |error: std::io::Error| format!("{shown} cannot be pinned: {error}");
        // Neither a link nor a pipe that was put there since it was looked at.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if !about.is_file() {
            return Err(format!("{shown} cannot be pinned: it is no file any more"));
        }
        let is = if about.len() > DIGESTED_BYTES {
            format!("{}:{}:{}.{}", about.ino(), about.len(), about.ctime(), about.ctime_nsec())
        } else {
            let mut bytes = Vec::new();
            file.take(DIGESTED_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
            // Keyed: a plain digest would let the hub guess at the content.
            Digest::plain(&self.key.sign(&Digest::of("wardkeep/pin/v1", &bytes).0)).to_string()
        };
        Ok(Pin { path: shown, is })
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
            _ => None,
        }
    }
}

/// The real path of a regular file beneath the workspace.
fn inside(workspace: &Path, path: &Path) -> Option<PathBuf> {
    let real = fs::canonicalize(path).ok()?;
    (real.starts_with(workspace) && real.is_file()).then_some(real)
}
