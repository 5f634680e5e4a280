//! A run in a systemd unit of its own, started by the helper. The runner stays outside, as the daemon's user: it alone knows
//! the vault's values, keeps the run folder, and ends with the unit.

use std::io::Write as _;
use std::net::Shutdown;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wardkeep_policy::RunLimits;
use wardkeep_proto::ids::{AgentName, PermitId};
use zeroize::Zeroize as _;

use super::container::{ContainerLine, ContainerOfRun};
use super::live::Tell;
use super::used::Used;
use super::wire::{self, Said};
use super::{GRACE, Held, LAST_WORDS, Raw, Reach, RunSpec, Work, doors, folder};

/// How long a unit may take until its launcher speaks.
const STARTS_WITHIN: Duration = Duration::from_secs(20);
/// How long a unit may take to end by itself once its launcher has reported.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
/// How much later than the launcher systemd ends a run, seconds.
const LAST_RESORT: u32 = 30;

/// Who starts and ends the units of runs: the helper, which is root.
pub trait Units: Send + Sync {
    /// Asks for a unit whose standard input and output are `line` and `door`.
    ///
    /// # Errors
    /// Nobody hears it; nothing was started.
    fn start(
        &self,
        unit: UnitOfRun,
        line: BorrowedFd<'_>,
        door: Option<BorrowedFd<'_>>,
    ) -> Result<Box<dyn UnitLine>, String>;

    /// Asks for the container of one call; what it prints goes to `output`.
    ///
    /// # Errors
    /// Nobody hears it; nothing was started.
    fn start_container(&self, asked: &ContainerOfRun, output: BorrowedFd<'_>)
    -> Result<Box<dyn ContainerLine>, String>;

    /// Ends a container and all that it started; one that is not there has ended.
    ///
    /// # Errors
    /// It may be alive.
    fn end_container(&self, permit: PermitId) -> Result<(), String>;

    /// Ends a unit and all that it started; one that is not there has ended.
    ///
    /// # Errors
    /// It may be alive.
    fn end(&self, permit: PermitId) -> Result<(), String>;
}

/// The unit's life as seen from outside; dropping it ends the unit.
pub trait UnitLine: Send {
    /// Waits until the unit has ended: systemd's word for it.
    ///
    /// # Errors
    /// It was refused, or nobody knows any more.
    fn over(self: Box<Self>, within: Duration) -> Result<String, String>;
}

/// What a unit is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitOfRun {
    /// Whose run.
    pub permit: PermitId,
    /// Whose call.
    pub agent: AgentName,
    /// Whether it only reads.
    pub reads: bool,
    /// The folder that it sees.
    pub workspace: Option<PathBuf>,
    /// When the machine cuts it.
    pub limits: RunLimits,
}

/// In the spec of a run that is held by a unit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UnitSpec {
    pub(crate) permit: PermitId,
    pub(crate) agent: AgentName,
    pub(crate) limits: RunLimits,
    /// The folder that it is shown.
    pub(crate) workspace: Option<PathBuf>,
}

/// Whether a unit holds that kind of work. What only looks, and a request, starts no program: it is the runner's own code,
/// locked in by Landlock, and a request needs the network that no unit has.
pub(super) const fn holds(work: &Work) -> bool {
    matches!(work, Work::Program { .. } | Work::FileWrite { .. } | Work::FileDelete { .. })
}

/// What happens while a run is in its unit.
enum Event {
    /// The launcher is in its place.
    Hello,
    /// The launcher reported.
    Report(Raw, Used),
    /// The line broke, or what came over it is no report.
    Silence,
    /// Somebody wants it to end now.
    Wanted,
    /// The unit has ended.
    Over(Result<String, String>),
}

/// Does the work in a unit. Nothing of it is alive when this returns, or the result says so.
pub(super) fn perform(
    spec: RunSpec,
    unit: &UnitSpec,
    units: &dyn Units,
    most: usize,
    limit: Duration,
    told: Tell,
) -> Held {
    let failed = |why: String| Held { raw: Raw::failed(why), was_ended: false, used: Used::default() };
    let (ours, theirs) = match UnixStream::pair() {
        Ok(pair) => pair,
        Err(error) => return failed(format!("no line to the run: {error}; nothing was done")),
    };
    if let Err(error) = folder::mark_unit(&spec.folder) {
        return failed(format!("the run folder cannot be written: {error}; nothing was done"));
    }
    let door = match door_of(&spec) {
        Ok(door) => door,
        Err(error) => return failed(format!("no door for the run: {error}; nothing was done")),
    };
    let started = units.start(asked(&spec, unit), theirs.as_fd(), door.as_ref().map(|door| door.as_fd()));
    drop((theirs, door));
    let line = match started {
        Ok(line) => line,
        Err(why) => return failed(format!("the sandbox could not be started: {why}; nothing was done")),
    };
    let run_folder = spec.folder.clone();
    let (tell, events) = channel();
    if let Err(error) = listen(&ours, line, (run_folder, limit), (most, told), &tell) {
        // The line is gone with its threads, and with it the unit.
        return failed(format!("no thread for the run: {error}; nothing was done"));
    }
    let mut watch = Watch { events, unit_over: None, units, permit: unit.permit };
    let held = watch.over_run(&ours, inside(spec, most), limit);
    let _ = ours.shutdown(Shutdown::Both);
    match watch.unit_gone(held.was_ended) {
        Ok(()) => held,
        Err(why) => {
            tracing::error!(permit = %unit.permit, why, "the unit of a run could not be ended");
            Held { was_ended: false, raw: Raw { ok: false, ..held.raw }.with_note(&still_there(&why)), ..held }
        }
    }
}

/// The end of the run's door that goes into the unit; the other one is served from here on.
fn door_of(spec: &RunSpec) -> std::io::Result<Option<OwnedFd>> {
    let Some(door) = &spec.proxy else { return Ok(None) };
    let (ours, theirs) = doors::pair()?;
    doors::serve(ours, door.address)?;
    Ok(Some(theirs))
}

fn still_there(why: &str) -> String {
    format!("[what this call started may still run: {why}; run `wardkeep-agent doctor`]\n")
}

fn asked(spec: &RunSpec, unit: &UnitSpec) -> UnitOfRun {
    let limits = RunLimits { seconds: unit.limits.seconds.saturating_add(LAST_RESORT), ..unit.limits };
    UnitOfRun {
        permit: unit.permit,
        agent: unit.agent.clone(),
        reads: spec.reach == Reach::Reads,
        workspace: unit.workspace.clone(),
        limits,
    }
}

/// What the launcher is told: no value but those that stand in the call, and folders as they are in the unit.
pub(super) fn inside(mut spec: RunSpec, most: usize) -> RunSpec {
    let name = spec.folder.file_name().map_or_else(|| Path::new("run").to_owned(), PathBuf::from);
    spec.redact.iter_mut().for_each(|masked| masked.value.zeroize());
    spec.redact.clear();
    spec.folder = Path::new("/tmp").join(name);
    spec.output_bytes = most;
    spec.workspace_is = std::fs::metadata(&spec.workspace).ok().map(|about| (about.dev(), about.ino()));
    spec
}

/// One thread for each that may speak first.
fn listen(
    ours: &UnixStream,
    line: Box<dyn UnitLine>,
    (run_folder, limit): (PathBuf, Duration),
    (most, mut print): (usize, Tell),
    tell: &Sender<Event>,
) -> std::io::Result<()> {
    let mut reading = ours.try_clone()?;
    let told = tell.clone();
    std::thread::Builder::new().name("line".to_owned()).spawn(move || {
        match wire::take_hello(&mut reading) {
            Ok(hello) if hello.launcher == wire::VERSION => drop(told.send(Event::Hello)),
            _ => return drop(told.send(Event::Silence)),
        }
        let mut left = most;
        let last = loop {
            match wire::take_said(&mut reading, most) {
                // No more than the report may hold, whoever speaks.
                Ok(Said::Piece(piece)) if piece.len() <= left => {
                    left -= piece.len();
                    print(&piece);
                }
                Ok(Said::Report(raw, used)) => break Event::Report(raw, used),
                _ => break Event::Silence,
            }
        };
        let _ = told.send(last);
    })?;
    let told = tell.clone();
    std::thread::Builder::new().name("end".to_owned()).spawn(move || {
        folder::wait_for_end(&run_folder);
        let _ = told.send(Event::Wanted);
    })?;
    let told = tell.clone();
    let within = STARTS_WITHIN + limit + GRACE + Duration::from_secs(u64::from(LAST_RESORT));
    std::thread::Builder::new().name("unit".to_owned()).spawn(move || told.send(Event::Over(line.over(within))))?;
    Ok(())
}

/// Who follows one unit to its end.
struct Watch<'a> {
    events: Receiver<Event>,
    unit_over: Option<Result<String, String>>,
    units: &'a dyn Units,
    permit: PermitId,
}

impl Watch<'_> {
    /// From the start to the report, or to whatever comes instead of it.
    fn over_run(&mut self, mut ours: &UnixStream, spec: RunSpec, limit: Duration) -> Held {
        let held = |raw, was_ended| Held { raw, was_ended, used: Used::default() };
        let (mut began, mut silent) = (false, false);
        let mut until = Instant::now() + STARTS_WITHIN;
        let mut spec = Some(spec);
        loop {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Event::Hello) => {
                    began = true;
                    until = Instant::now() + limit + GRACE;
                    let told = spec.take().is_some_and(|spec| wire::put_json(&mut ours, &spec).is_ok());
                    let _ = ours.flush();
                    if !told {
                        return held(Raw::failed("the sandbox did not take the call; nothing was done"), false);
                    }
                }
                Ok(Event::Report(raw, used)) => {
                    let note = if used.out_of_memory { "[stopped: it used more memory than it may]\n" } else { "" };
                    return Held { raw: raw.with_note(note), was_ended: false, used };
                }
                Ok(Event::Wanted) => return self.cut(ours),
                // systemd will say why; unless nobody can ask it any more.
                Ok(Event::Silence) if matches!(self.unit_over, Some(Err(_))) => {
                    return held(Raw::failed(over_without_report(&Ok("lost".to_owned()), began)), false);
                }
                Ok(Event::Silence) => silent = true,
                // The helper went away, its unit did not: the report comes by the line.
                Ok(Event::Over(Err(why))) if began && !silent => self.unit_over = Some(Err(why)),
                Ok(Event::Over(result)) => {
                    let why = over_without_report(&result, began);
                    self.unit_over = Some(result);
                    // What it said last may still be on its way to us.
                    return match self.last_words() {
                        Some((raw, used)) => Held { raw, was_ended: false, used },
                        None => held(Raw::failed(why), false),
                    };
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) if began => {
                    return held(Raw::failed("the run did not end in time"), false);
                }
                Err(_) => return held(Raw::failed("the sandbox did not start in time; nothing was done"), false),
            }
        }
    }

    /// Ends it now; what it said until then counts if it is quick.
    fn cut(&mut self, ours: &UnixStream) -> Held {
        let _ = ours.shutdown(Shutdown::Write);
        let (raw, used) = self.last_words().unwrap_or_default();
        Held { raw, was_ended: true, used }
    }

    fn last_words(&mut self) -> Option<(Raw, Used)> {
        // The launcher itself waits so long for what it killed.
        let until = Instant::now() + LAST_WORDS * 2;
        loop {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Event::Report(raw, used)) => return Some((raw, used)),
                Ok(Event::Over(result)) => self.unit_over = Some(result),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// Waits for the unit to go, and sees to it when it does not, or must at once.
    fn unit_gone(&mut self, now: bool) -> Result<(), String> {
        let until = Instant::now() + if now { Duration::ZERO } else { ENDS_WITHIN };
        while self.unit_over.is_none() {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Event::Over(result)) => self.unit_over = Some(result),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        match self.unit_over {
            Some(Ok(_)) => Ok(()),
            // Refused, or the helper went away: a unit that never was is ended, too.
            _ => self.units.end(self.permit),
        }
    }
}

/// Why there is no report, in words for the agent.
fn over_without_report(result: &Result<String, String>, began: bool) -> String {
    match result {
        Err(why) if !began => format!("the sandbox could not be started: {why}; nothing was done"),
        Ok(result) if !began => format!("the sandbox did not start ({result}); nothing was done"),
        Ok(result) if result == "oom-kill" => "[stopped: it used more memory than it may]".to_owned(),
        Ok(result) if result == "timeout" => "[stopped: it ran longer than it may]".to_owned(),
        Ok(result) => format!("[stopped: its sandbox ended ({result}); what it did until then is not undone]"),
        Err(why) => format!("[stopped: its sandbox was lost ({why}); what it did until then is not undone]"),
    }
}
