//! A call in a container, which the helper has a Docker engine make. The runner stays outside, as the daemon's user: it alone
//! knows the vault's values, keeps the run folder, and its end is the container's.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wardkeep_policy::RunLimits;
use wardkeep_proto::ids::{AgentName, PermitId};
use zeroize::{Zeroize, Zeroizing};

use super::bounds::{Over, PRINTED};
use super::live::Tell;
use super::unit::Units;
use super::used::Used;
use super::{GRACE, Held, LAST_WORDS, Raw, RunSpec, Work, folder, sealed};

/// How long an engine may take to make and start a container.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// How long a helper that is gone may take to come back, so that a container can be ended by its name.
const HELPER_BACK: Duration = Duration::from_secs(15);
/// Between two tries.
const HELPER_AGAIN: Duration = Duration::from_millis(100);

/// One call in a container, complete.
#[derive(Clone, Serialize, Deserialize)]
pub struct ContainerOfRun {
    /// Whose run.
    pub permit: PermitId,
    /// Whose call.
    pub agent: AgentName,
    /// The image's id.
    pub image: String,
    /// What runs; empty for the image's own command.
    pub argv: Vec<String>,
    /// Its variables, values of secrets included.
    pub env: BTreeMap<String, String>,
    /// Where it starts, in the container.
    pub workdir: Option<String>,
    /// What it sees of the machine, and whether it only reads that.
    pub workspace: Option<(PathBuf, bool)>,
    /// When it is cut.
    pub limits: RunLimits,
}

impl Drop for ContainerOfRun {
    fn drop(&mut self) {
        self.env.values_mut().for_each(Zeroize::zeroize);
    }
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerEnd {
    /// Of its program.
    pub exit_code: i32,
    /// Whether the kernel ended some of it for want of memory.
    pub out_of_memory: bool,
    /// Whether it was ended because its time was over.
    pub out_of_time: bool,
}

/// Why there is no end to tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoEnd {
    /// It did not begin, or did not come to its end; why.
    Refused(String),
    /// Nobody knows any more; why.
    Lost(String),
}

/// A container's life as seen from outside; dropping it ends the container.
pub trait ContainerLine: Send {
    /// Waits until the container has ended.
    ///
    /// # Errors
    /// Both of [`NoEnd`], in words for the agent.
    fn over(self: Box<Self>, within: Duration) -> Result<ContainerEnd, NoEnd>;
}

/// What happens while a container lives.
enum Event {
    /// It printed all that it will.
    Said(Zeroizing<Vec<u8>>, bool),
    /// It printed more than anybody waits for.
    Endless,
    /// Somebody wants it to end now.
    Wanted,
    /// It has ended.
    Over(Result<ContainerEnd, NoEnd>),
}

/// Does the work in a container. Nothing of it is alive when this returns, or the result says so.
pub(super) fn perform(spec: &RunSpec, units: &dyn Units, most: usize, limit: Duration, tell: Tell) -> Held {
    let failed = |why: String| Held { raw: Raw::failed(why), was_ended: false, used: Used::default() };
    let Work::Container(wanted) = &spec.work else { return failed("this is no container".to_owned()) };
    let (ours, theirs) = match UnixStream::pair() {
        Ok(pair) => pair,
        Err(error) => return failed(format!("no line to the container: {error}; nothing was done")),
    };
    if let Err(error) = folder::mark_container(&spec.folder) {
        return failed(format!("the run folder cannot be written: {error}; nothing was done"));
    }
    let permit = wanted.permit;
    // The last thing before the start; open until the end.
    let _held = match sealed::Held::take(&spec.sealed) {
        Ok(held) => held,
        Err(why) => return failed(why),
    };
    let started = units.start_container(wanted, theirs.as_fd());
    drop(theirs);
    let line = match started {
        Ok(line) => line,
        Err(why) => return failed(format!("the container could not be started: {why}; nothing was done")),
    };
    let (told, events) = channel();
    if let Err(error) = listen(&ours, line, (spec.folder.clone(), limit), (most, tell), &told) {
        let left = match end(units, permit) {
            Ok(()) => "its container was ended; what it did until then is not undone".to_owned(),
            Err(why) => format!("what this call started may still run: {why}; run `wardkeep-agent doctor`"),
        };
        return failed(format!("no thread for the run: {error}; {left}"));
    }
    let mut watch = Watch { events, over: None };
    let mut held = watch.follow(limit);
    if watch.over.is_none() {
        match end(units, permit) {
            Ok(()) => watch.last_words(&mut held.raw),
            Err(why) => {
                tracing::error!(%permit, why, "the container of a run could not be ended");
                let note = format!("[what this call started may still run: {why}; run `wardkeep-agent doctor`]\n");
                held = Held { was_ended: false, raw: Raw { ok: false, ..held.raw }.with_note(&note), ..held };
            }
        }
    }
    let _ = ours.shutdown(Shutdown::Both);
    held
}

/// Ends a container by its name. A helper that died is started again by systemd: it is waited for.
fn end(units: &dyn Units, permit: PermitId) -> Result<(), String> {
    let until = Instant::now() + HELPER_BACK;
    loop {
        match units.end_container(permit) {
            Err(_) if Instant::now() < until => std::thread::sleep(HELPER_AGAIN),
            ended => return ended,
        }
    }
}

/// One thread for each that may speak first.
fn listen(
    ours: &UnixStream,
    line: Box<dyn ContainerLine>,
    (run_folder, limit): (PathBuf, Duration),
    (most, tell): (usize, Tell),
    events: &Sender<Event>,
) -> std::io::Result<()> {
    let reading = ours.try_clone()?;
    let told = events.clone();
    std::thread::Builder::new().name("line".to_owned()).spawn(move || take_all(reading, most, tell, &told))?;
    let told = events.clone();
    std::thread::Builder::new().name("end".to_owned()).spawn(move || {
        folder::wait_for_end(&run_folder);
        let _ = told.send(Event::Wanted);
    })?;
    let told = events.clone();
    let within = STARTS_WITHIN + limit + GRACE;
    std::thread::Builder::new()
        .name("container".to_owned())
        .spawn(move || told.send(Event::Over(line.over(within))))?;
    Ok(())
}

/// Reads to the end; keeps the first `most` bytes.
fn take_all(mut from: UnixStream, most: usize, mut tell: Tell, events: &Sender<Event>) {
    let (mut kept, mut piece) = (Zeroizing::new(Vec::new()), Zeroizing::new([0; 8192]));
    let mut all = 0_u64;
    loop {
        match from.read(&mut *piece) {
            // An error here is the end of what it says.
            Ok(0) => break,
            Ok(read) => {
                all += read as u64;
                let room = read.min(most - kept.len());
                kept.extend_from_slice(&piece[..room]);
                tell(&piece[..room]);
                if all > PRINTED && events.send(Event::Endless).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    let cut = all > kept.len() as u64;
    let _ = events.send(Event::Said(kept, cut));
}

/// Who follows one container to its end.
struct Watch {
    events: Receiver<Event>,
    over: Option<ContainerEnd>,
}

impl Watch {
    /// To its end, or to the moment in which it must be ended.
    fn follow(&mut self, limit: Duration) -> Held {
        let held = |raw, was_ended| Held { raw, was_ended, used: Used::default() };
        let until = Instant::now() + STARTS_WITHIN + limit;
        let mut said: Option<(Zeroizing<Vec<u8>>, bool)> = None;
        loop {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Event::Said(output, cut)) => said = Some((output, cut)),
                Ok(Event::Endless) => return held(Raw::failed(Over::Output.note()), false),
                Ok(Event::Wanted) => return held(Raw::default(), true),
                Ok(Event::Over(result)) => {
                    // Where it is not known it is ended by its name.
                    self.over = result.as_ref().ok().copied();
                    let mut raw = concluded(result, limit);
                    match said {
                        Some((output, cut)) => add(&mut raw, output, cut),
                        None => self.last_words(&mut raw),
                    }
                    return held(raw, false);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return held(Raw::failed("[stopped: it did not end in time]\n"), false);
                }
            }
        }
    }

    /// What it said until it ended, if that comes soon.
    fn last_words(&mut self, raw: &mut Raw) {
        let until = Instant::now() + LAST_WORDS;
        loop {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Event::Said(output, cut)) => return add(raw, output, cut),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

fn add(raw: &mut Raw, output: Zeroizing<Vec<u8>>, cut: bool) {
    raw.output.extend_from_slice(&output);
    raw.cut = cut;
}

/// What its end means, notes first: the end of the output may be cut off.
fn concluded(result: Result<ContainerEnd, NoEnd>, limit: Duration) -> Raw {
    match result {
        Err(NoEnd::Refused(why)) => Raw::failed(format!("{why}\n")),
        Err(NoEnd::Lost(why)) => {
            Raw::failed(format!("[stopped: its container was lost ({why}); what it did until then is not undone]\n"))
        }
        Ok(end) => {
            let note = match end {
                ContainerEnd { out_of_time: true, .. } => Over::Time(limit).note(),
                ContainerEnd { out_of_memory: true, .. } => Over::Memory.note(),
                _ => String::new(),
            };
            let exit_code = (!end.out_of_time).then_some(end.exit_code);
            Raw { ok: exit_code == Some(0), exit_code, ..Raw::failed(note) }
        }
    }
}

#[cfg(test)]
mod tests;
