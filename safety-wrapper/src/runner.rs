//! The runner: a process of its own that carries out one permitted call and then ends.
//!
//! It gets everything on its standard input, values of secrets included, nothing in arguments or environment. Its standard
//! output is the lock file of its run folder, locked by the daemon before the start: as long as a runner lives the lock is
//! held, whatever becomes of the daemon. It marks the folder before its first act, and leaves `result.json` there, redacted,
//! whole or not at all.

mod bounds;
mod container;
pub(crate) mod doors;
mod files;
pub(crate) mod folder;
mod here;
mod http;
mod launcher;
mod leaf;
pub(crate) mod live;
mod output;
mod probe;
mod program;
mod reply;
mod sandbox;
pub(crate) mod sealed;
mod syscalls;
pub(crate) mod unit;
mod used;
mod wire;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wardkeep_policy::RunLimits;
use wardkeep_policy::adapters::Reply;
use wardkeep_redaction::{Engine, RuleSet, Secret, searchable};
use zeroize::{Zeroize, Zeroizing};

pub use container::{ContainerEnd, ContainerLine, ContainerOfRun, NoEnd};
pub use doors::ForwardProxy;
pub(crate) use folder::{Folder, FolderError};
pub(crate) use http::target as http_target;
pub use launcher::launch_from_stdin;
pub use leaf::leaf;
pub use probe::{UnitTest, probe_from_stdin, test_units};
pub use sandbox::{SandboxState, sandbox_state};
pub use unit::{UnitLine, UnitOfRun, Units};

use crate::call::{CallResult, RunStatus};
use unit::UnitSpec;
use used::Used;

/// Largest spec, bytes: a 2 MiB call, escaped, and a large vault.
const SPEC_BYTES: usize = 64 * 1024 * 1024;
/// How long after its limit a run that does not end is given up.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// How long a killed program's last output may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What holds a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sandbox {
    /// Landlock: reads the system, writes the workspace and a private folder. Refuses to run where the kernel lacks it.
    Landlock,
    /// Nothing but `no_new_privs`. For kernels without Landlock; `doctor` says it aloud.
    Off,
}

/// How far a program of a run reaches; files and requests are held by what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reach {
    /// Reads the system and the workspace; writes its private folder only; has no sockets. All that Green may be, whatever
    /// a rule overlooked.
    Reads,
    /// Writes the workspace and has a network.
    Changes,
}

/// One run, complete. Holds secrets: never printed, wiped when dropped.
#[derive(Serialize, Deserialize)]
pub(crate) struct RunSpec {
    /// The run folder.
    pub(crate) folder: PathBuf,
    /// Absolute; files and programs stay in it.
    pub(crate) workspace: PathBuf,
    /// Relative to the workspace, or absolute inside it.
    pub(crate) cwd: Option<String>,
    pub(crate) work: Work,
    pub(crate) limit_ms: u64,
    pub(crate) output_bytes: usize,
    /// What a program may use up; time and output count by the fields above.
    #[serde(default)]
    pub(crate) limits: RunLimits,
    pub(crate) sandbox: Sandbox,
    /// How far a program reaches.
    pub(crate) reach: Reach,
    /// The unit that holds it, where there are units.
    #[serde(default)]
    pub(crate) unit: Option<UnitSpec>,
    /// Device and inode of the workspace that is meant.
    #[serde(default)]
    pub(crate) workspace_is: Option<(u64, u64)>,
    /// What a person saw of the files that the command names.
    #[serde(default)]
    pub(crate) sealed: Vec<sealed::Sealed>,
    /// The words that start a leaf, up to its own.
    #[serde(default)]
    pub(crate) leaf: Vec<String>,
    /// The one way out of the unit; none when absent.
    #[serde(default)]
    pub(crate) proxy: Option<doors::Door>,
    /// Every secret, to be redacted.
    pub(crate) redact: Vec<Masked>,
}

/// One value that the output of a run must not show.
#[derive(Serialize, Deserialize)]
pub(crate) struct Masked {
    pub(crate) name: String,
    pub(crate) value: String,
    /// As in [`wardkeep_proto::secret::KnownValue`].
    pub(crate) beside: Option<String>,
}

/// What one run does.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Work {
    Program {
        argv: Vec<String>,
        env: BTreeMap<String, String>,
        stdin: Option<String>,
    },
    Http {
        method: String,
        url: String,
        headers: Vec<(String, String)>,
        body: Option<String>,
        reply: Reply,
    },
    /// In a container, by way of the helper.
    Container(ContainerOfRun),
    FileRead {
        path: String,
    },
    FileList {
        path: String,
    },
    FileWrite {
        path: String,
        content: String,
    },
    FileDelete {
        path: String,
    },
}

impl Masked {
    fn secret(&self) -> Secret<'_> {
        Secret { name: &self.name, value: &self.value, beside: self.beside.as_deref() }
    }
}

impl Drop for RunSpec {
    fn drop(&mut self) {
        self.redact.iter_mut().for_each(|masked| masked.value.zeroize());
        match &mut self.work {
            Work::Program { env, stdin, .. } => {
                env.values_mut().for_each(Zeroize::zeroize);
                stdin.zeroize();
            }
            Work::Http { url, headers, body, .. } => {
                // An adapter may have put one there.
                url.zeroize();
                headers.iter_mut().for_each(|(_, value)| value.zeroize());
                body.zeroize();
            }
            _ => {}
        }
    }
}

/// What one run gave, before redaction.
#[derive(Default)]
pub(crate) struct Raw {
    pub(crate) ok: bool,
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) http_status: Option<u16>,
    pub(crate) output: Zeroizing<Vec<u8>>,
    /// There was more than `output`.
    pub(crate) cut: bool,
    /// Something was left out, though `output` is whole as it stands.
    pub(crate) left_out: bool,
    /// Of the redacted output, bytes, where a tool gives back less than a run may.
    pub(crate) most: Option<usize>,
}

impl Raw {
    pub(crate) fn ok(output: impl Into<Vec<u8>>) -> Self {
        Self { ok: true, output: Zeroizing::new(output.into()), ..Self::default() }
    }

    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Self { output: Zeroizing::new(why.into().into_bytes()), ..Self::default() }
    }

    /// With a note in front of the output: its end may be cut off.
    pub(crate) fn with_note(mut self, note: &str) -> Self {
        self.output.splice(0..0, note.bytes());
        self
    }
}

/// What came of a run that was held, before redaction.
pub(crate) struct Held {
    pub(crate) raw: Raw,
    /// Somebody wanted it to end.
    pub(crate) was_ended: bool,
    pub(crate) used: Used,
}

/// The whole life of a runner process: reads one spec from standard input, does it, leaves the result.
///
/// Call this from `main` when the daemon's own file is started as a runner, and end with its code. Success means that a
/// result was left, whatever it says.
#[must_use]
pub fn run_from_stdin(units: &dyn Units) -> ExitCode {
    if serve_one(units) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// As [`run_from_stdin`], for callers that end the process themselves.
fn serve_one(units: &dyn Units) -> bool {
    keep_to_ourselves();
    let mut text = Zeroizing::new(Vec::new());
    if std::io::stdin().lock().take(SPEC_BYTES as u64).read_to_end(&mut text).is_err() {
        return false;
    }
    // A daemon that died while writing leaves half a spec, which is no JSON: nothing runs.
    let Ok(spec) = serde_json::from_slice::<RunSpec>(&text) else { return false };
    drop(text);
    let folder = spec.folder.clone();
    if !folder::begin(&folder) {
        return false;
    }
    let result = run(spec, units);
    folder::write_result(&folder, &result).is_ok()
}

/// Before anything of a call is here.
fn keep_to_ourselves() {
    // Nobody of this uid reads our memory; a kernel that refuses leaves us as we were.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    // What a program leaves behind becomes our child, so that we can end it.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Does the work where it belongs, and redacts what it gave.
fn run(spec: RunSpec, units: &dyn Units) -> CallResult {
    let start = Instant::now();
    let limit = Duration::from_millis(spec.limit_ms);
    let cap = spec.output_bytes;
    // What redaction cannot look for was given to nobody, so it cannot come back.
    let secrets = spec.redact.iter().map(Masked::secret).filter(|s| s.beside.is_some() || searchable(s.value).is_ok());
    let Ok(engine) = Engine::build(secrets, &RuleSet::none(), [0; 32]) else {
        return CallResult::failed("the vault's values cannot be redacted; run `wardkeep-agent doctor`");
    };
    let longest = spec.redact.iter().map(|masked| masked.value.len()).max().unwrap_or(0);
    let margin = output::margin(longest);
    let tell = match spec.work {
        Work::Program { .. } | Work::Container(_) => live::into_folder(&spec.folder, &engine, cap),
        _ => live::nobody(),
    };
    // Out here no program of the run reaches it.
    let (before, workspace) = (sealed::Before::of(&spec.sealed), std::fs::canonicalize(&spec.workspace));
    let unit = spec.unit.clone().filter(|_| unit::holds(&spec.work));
    let Held { raw, was_ended, used } = match unit {
        None if matches!(spec.work, Work::Container(_)) => container::perform(&spec, units, cap + margin, limit, tell),
        Some(unit) => unit::perform(spec, &unit, units, cap + margin, limit, tell),
        None => {
            let folder = spec.folder.clone();
            here::perform(spec, cap + margin, limit, tell, move || folder::wait_for_end(&folder))
        }
    };
    let (text, truncated) = output::finish(&engine, &raw, cap, margin);
    let inside =
        |path: &Path| workspace.as_ref().ok().and_then(|ws| path.strip_prefix(ws).ok()).unwrap_or(path).to_owned();
    let named = |path: &Path| engine.redact(&inside(path).display().to_string()).text.into_owned();
    let result = CallResult {
        status: if raw.ok { RunStatus::Ok } else { RunStatus::Failed },
        exit_code: raw.exit_code,
        signal: raw.signal,
        http_status: raw.http_status,
        output: text,
        truncated,
        changed: before.changed().map(named).collect(),
        duration_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        cpu_ms: used.cpu_ms,
        memory_peak_bytes: used.memory_peak_bytes,
    };
    if was_ended { result.stopped() } else { result }
}

fn work(spec: &RunSpec, most: usize, limit: Duration, tell: live::Tell) -> Raw {
    match &spec.work {
        Work::Program { argv, env, stdin } => program::run(spec, argv, env, stdin.as_deref(), most, limit, tell),
        Work::Http { method, url, headers, body, reply } => {
            let most = reply::to_read(reply, spec.output_bytes, most);
            let raw = http::request(method, url, headers, body.as_deref(), most, limit);
            reply::shaped(raw, reply)
        }
        // The helper's, and never that of a process which locks itself in.
        Work::Container(_) => Raw::failed("a container is not carried out here; nothing was done"),
        Work::FileRead { path } => files::answer(files::read(spec, path, most)),
        Work::FileList { path } => files::answer(files::list(spec, path, most)),
        Work::FileWrite { path, content } => files::answer(files::write(spec, path, content)),
        Work::FileDelete { path } => files::answer(files::delete(spec, path)),
    }
}

/// The private folder of a run.
fn tmp(folder: &Path) -> PathBuf {
    folder.join("tmp")
}

#[cfg(test)]
pub(crate) mod tests;
