//! The units that hold permitted calls: the helper starts them, ends them, and never learns what runs in them.

pub(crate) mod unit;
pub(crate) mod workspace;

use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::AddressFamily;
use rustix::net::sockopt::socket_domain;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wardkeep_proto::ids::PermitId;

use crate::protocol::{self, Answer, RunStart};

/// Units at a time; the daemon itself starts fewer.
const UNITS: usize = 32;
/// How many permits are remembered as used.
const REMEMBERED: usize = 65_536;
/// How long systemd may take to end a unit.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// Whoever waits for an answer must take it within.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the helper knows about runs by itself, whoever asks.
#[derive(Clone)]
pub struct RunTerms {
    /// How `systemd-run` is started.
    pub systemd_run: Vec<OsString>,
    /// How `systemctl` is started.
    pub systemctl: Vec<OsString>,
    /// The launcher that each unit runs, with its arguments.
    pub launcher: Vec<String>,
    /// The group that the workspaces belong to.
    pub group: u32,
    /// Beneath which folders workspaces lie, by root's configuration now; an error's text says what to do.
    pub workspaces: Arc<dyn Fn() -> Result<Vec<PathBuf>, String> + Send + Sync>,
}

/// The helper's runs.
pub(crate) struct Runs {
    terms: Arc<RunTerms>,
    places: Arc<Semaphore>,
    spent: Mutex<Spent>,
}

impl Runs {
    pub(crate) fn new(terms: RunTerms) -> Self {
        Self { terms: Arc::new(terms), places: Arc::new(Semaphore::new(UNITS)), spent: Mutex::default() }
    }

    /// Checks what is asked for and starts it beside everything else; answers on `stream` when the unit has ended.
    pub(crate) fn start(&self, run: RunStart, files: Vec<OwnedFd>, mut stream: UnixStream) {
        let admitted = self.admit(&run, files);
        let terms = Arc::clone(&self.terms);
        tokio::spawn(async move {
            let answer = match admitted {
                Ok(admitted) => terms.hold(&run, admitted, &mut stream).await,
                Err(message) => {
                    tracing::warn!(permit = %run.permit, message, "a run was refused");
                    Answer::Refused { message }
                }
            };
            let _ = tokio::time::timeout(PATIENCE, protocol::write(&mut stream, &answer)).await;
        });
    }

    /// Ends a unit; returns when nothing of it is alive.
    pub(crate) async fn end(&self, permit: PermitId) -> Result<(), String> {
        // Ended before it began: it never will.
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).take(permit);
        self.terms.end(permit).await
    }

    /// Whether this machine can hold runs in units.
    pub(crate) async fn ready(&self) -> Result<(), String> {
        (self.terms.workspaces)()?;
        self.terms.ready().await
    }

    fn admit(&self, run: &RunStart, files: Vec<OwnedFd>) -> Result<Admitted, String> {
        unit::check(&run.limits)?;
        let mut files = files.into_iter();
        let line = files.next().ok_or("a run needs its line")?;
        let doors = files.next();
        for file in [Some(&line), doors.as_ref()].into_iter().flatten() {
            if !matches!(socket_domain(file), Ok(AddressFamily::UNIX)) {
                return Err("a run's line is a Unix socket and nothing else".to_owned());
            }
        }
        if let Some(path) = &run.workspace {
            workspace::check(path, &(self.terms.workspaces)()?)?;
        }
        let place = Arc::clone(&self.places);
        let place = place.try_acquire_owned().map_err(|_| format!("{UNITS} runs are held already; wait for one"))?;
        if !self.spent.lock().unwrap_or_else(PoisonError::into_inner).take(run.permit) {
            return Err("this permit was used before; it is never run twice".to_owned());
        }
        Ok(Admitted { line, doors, _place: place })
    }
}

/// The right to one unit.
struct Admitted {
    line: OwnedFd,
    doors: Option<OwnedFd>,
    _place: OwnedSemaphorePermit,
}

impl RunTerms {
    /// Holds the unit until it ends, or ends it when whoever asked goes away.
    async fn hold(&self, run: &RunStart, admitted: Admitted, stream: &mut UnixStream) -> Answer {
        let Admitted { line, doors, _place } = admitted;
        let words = unit::words(run, self.group, &self.launcher);
        let started = command(&self.systemd_run, words)
            .stdin(line)
            .stdout(doors.map_or_else(Stdio::null, Stdio::from))
            .stderr(Stdio::piped())
            .spawn();
        let child = match started {
            Ok(child) => child,
            Err(error) => return refused(&format!("systemd-run cannot be started: {error}")),
        };
        let mut ended = std::pin::pin!(child.wait_with_output());
        let mut nothing = [0; 1];
        let output = tokio::select! {
            output = &mut ended => output,
            // Nothing more is said on this line while the unit lives: whatever comes, it is over.
            _ = stream.read(&mut nothing) => {
                if let Err(message) = self.end(run.permit).await {
                    tracing::error!(permit = %run.permit, message, "a run that nobody waits for could not be ended");
                }
                ended.await
            }
        };
        match output {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                unit::result_in(&said).map_or_else(|| refused(said.trim()), |result| Answer::RunOver { result })
            }
            Err(error) => refused(&error.to_string()),
        }
    }

    async fn end(&self, permit: PermitId) -> Result<(), String> {
        let unit = unit::name(permit);
        let output = self.said(&self.systemctl, ["stop", "--quiet", &unit]).await?;
        // A unit that ended is forgotten by systemd, and so is one that never was.
        if output.status.success() || String::from_utf8_lossy(&output.stderr).contains("not loaded") {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    async fn ready(&self) -> Result<(), String> {
        let output = self.said(&self.systemctl, ["show", "--property=Version", "--value"]).await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() && said.trim_start().starts_with(|c: char| c.is_ascii_digit()) {
            return self.said(&self.systemd_run, ["--version"]).await.map(drop);
        }
        Err(format!("systemd does not answer: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    async fn said<'a>(
        &self,
        program: &[OsString],
        words: impl IntoIterator<Item = &'a str>,
    ) -> Result<std::process::Output, String> {
        let words = words.into_iter().map(str::to_owned).collect();
        let asked = command(program, words).stdin(Stdio::null()).output();
        let name = program.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match tokio::time::timeout(ENDS_WITHIN, asked).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => Err(format!("{name} cannot be started: {error}")),
            Err(_) => Err(format!("{name} did not end within {} seconds", ENDS_WITHIN.as_secs())),
        }
    }
}

fn command(program: &[OsString], words: Vec<String>) -> Command {
    let (name, before) = program.split_first().map_or(("false".as_ref(), &[][..]), |(name, rest)| (&**name, rest));
    let mut command = Command::new(name);
    command
        .args(before)
        .args(words)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .kill_on_drop(true);
    command
}

fn refused(said: &str) -> Answer {
    Answer::Refused { message: format!("the unit did not start: {}", said.chars().take(500).collect::<String>()) }
}

/// The permits that were used, the oldest forgotten first.
#[derive(Default)]
pub(crate) struct Spent {
    known: HashSet<PermitId>,
    order: VecDeque<PermitId>,
}

impl Spent {
    /// `false` for one that was used before.
    pub(crate) fn take(&mut self, permit: PermitId) -> bool {
        if !self.known.insert(permit) {
            return false;
        }
        self.order.push_back(permit);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

impl RunTerms {
    /// The system's own programs.
    ///
    /// # Errors
    /// When this program's own file has no name that can be written down.
    pub fn of_system(
        program: &std::path::Path,
        group: u32,
        workspaces: Arc<dyn Fn() -> Result<Vec<PathBuf>, String> + Send + Sync>,
    ) -> io::Result<Self> {
        let program = program.to_str().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        Ok(Self {
            systemd_run: vec!["systemd-run".into()],
            systemctl: vec!["systemctl".into()],
            launcher: vec![program, "launcher".to_owned()],
            group,
            workspaces,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
