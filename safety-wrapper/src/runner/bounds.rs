//! The bounds of a program, held from beside it: where no control group counts, this process looks at what it started.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, getrlimit, pidfd_open, prlimit, setrlimit};
use wardkeep_policy::RunLimits;

use super::used;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// What a program may print in all, shown or not: one that goes on after that does nothing else.
pub(super) const PRINTED: u64 = 64 * MEBIBYTE;
const MEBIBYTE: u64 = 1024 * 1024;

/// Why a program was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Time(Duration),
    Memory,
    Processes(u32),
    Output,
}

impl Over {
    /// In words for the agent.
    pub(super) fn note(self) -> String {
        let why = match self {
            Self::Time(limit) => format!("it ran longer than {} s", limit.as_secs_f32()),
            Self::Memory => "it used more memory than it may".to_owned(),
            Self::Processes(most) => format!("it started more than {most} processes"),
            Self::Output => format!("it printed more than {} MiB", PRINTED / MEBIBYTE),
        };
        format!("[stopped: {why}]\n")
    }
}

/// What one program may use up.
pub(super) struct Bounds {
    limits: RunLimits,
    limit: Duration,
    printed: Arc<AtomicU64>,
}

impl Bounds {
    pub(super) fn new(limits: RunLimits, limit: Duration) -> Self {
        Self { limits, limit, printed: Arc::default() }
    }

    /// The same bytes, counted.
    pub(super) fn counted<R: Read>(&self, from: R) -> Counted<R> {
        Counted { from, count: Arc::clone(&self.printed) }
    }

    /// Starts a program that the kernel itself keeps from too large files, and from far too much memory at once.
    pub(super) fn start(&self, start: impl FnOnce() -> io::Result<Child>) -> io::Result<Child> {
        let bytes = |mebibytes: u32| u64::from(mebibytes) * MEBIBYTE;
        // A look comes first, and says what happened; twice as much is for who is faster than that.
        let held = [
            (Resource::Fsize, bytes(self.limits.file_mebibytes)),
            (Resource::Data, bytes(self.limits.memory_mebibytes) * 2),
        ];
        let held = held.map(|(what, most)| (what, getrlimit(what), most));
        for (what, before, most) in &held {
            let most = before.maximum.map_or(*most, |maximum| maximum.min(*most));
            setrlimit(*what, Rlimit { current: Some(most), maximum: before.maximum })?;
        }
        let started = start();
        // What this process inherits nobody must: its own result and its buffers are no part of the program.
        for (what, before, _) in &held {
            setrlimit(*what, *before)?;
        }
        let child = started?;
        for (what, before, most) in held {
            let most = before.maximum.map_or(most, |maximum| maximum.min(most));
            // One that has ended already needs no limit.
            let _ = prlimit(Some(Pid::from_child(&child)), what, Rlimit { current: Some(most), maximum: Some(most) });
        }
        Ok(child)
    }

    /// Waits until the process ends by itself, or goes over a bound. It is not reaped here.
    pub(super) fn wait(&self, pid: Pid) -> Option<Over> {
        let start = Instant::now();
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return Some(Over::Time(self.limit)) };
        let grouped = used::group_counts_memory();
        loop {
            let left = self.limit.saturating_sub(start.elapsed()).min(LOOK);
            let timeout = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
            match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)) {
                Ok(0) if start.elapsed() >= self.limit => return Some(Over::Time(self.limit)),
                Ok(0) => {}
                Ok(_) => return None,
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return Some(Over::Time(self.limit)),
            }
            if self.printed.load(Ordering::Relaxed) > PRINTED {
                return Some(Over::Output);
            }
            let (tasks, bytes) = all_below(self.limits.processes);
            if tasks > self.limits.processes {
                return Some(Over::Processes(self.limits.processes));
            }
            if !grouped && bytes > u64::from(self.limits.memory_mebibytes) * MEBIBYTE {
                return Some(Over::Memory);
            }
        }
    }
}

/// Counts what is read through it.
pub(super) struct Counted<R> {
    from: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Processes and threads below this one, and the memory that is theirs alone; stops counting beyond `most`.
fn all_below(most: u32) -> (u32, u64) {
    let (mut tasks, mut bytes) = (0_u32, 0_u64);
    let mut due = children_of("self");
    let mut seen: BTreeSet<i32> = due.iter().copied().collect();
    while let (Some(pid), true) = (due.pop(), tasks <= most) {
        let (threads, memory) = used_by(pid);
        tasks = tasks.saturating_add(threads);
        bytes += memory;
        due.extend(children_of(&pid.to_string()).into_iter().filter(|child| seen.insert(*child)));
    }
    (tasks, bytes)
}

/// The children of a process.
pub(super) fn children_of(pid: &str) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// How many threads a process has, and the bytes in memory that are in no file; swapped-out ones count.
fn used_by(pid: i32) -> (u32, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    // A process that is just gone has no line of these.
    let threads = u32::try_from(number("Threads")).unwrap_or(u32::MAX);
    (threads, (number("RssAnon") + number("VmSwap")) * 1024)
}
