//! What the daemon costs while nobody asks anything of it.

use std::fs;
use std::time::Duration;

use crate::process::Spent;

/// After the last work: what was begun by it has ended.
const SETTLE: Duration = Duration::from_secs(5);
/// Threads that end take their account with them, so it is looked at in steps.
const STEP: Duration = Duration::from_secs(1);

/// A server at rest, by the second.
pub(crate) struct Rest {
    pub(crate) seconds: u32,
    /// Percent of one core.
    pub(crate) cpu: f64,
    /// How often a thread went to sleep; each was woken before.
    pub(crate) wake_ups: f64,
}

impl Rest {
    /// Watches the process for so long.
    pub(crate) fn of(pid: u32, seconds: u32) -> Self {
        std::thread::sleep(SETTLE);
        let (mut spent, mut slept) = (0.0, 0);
        for _ in 0..seconds {
            let (before, sleeps) = (Spent::of(pid), sleeps(pid));
            std::thread::sleep(STEP);
            spent += Spent::of(pid).since(&before);
            slept += self::sleeps(pid).saturating_sub(sleeps);
        }
        let time = f64::from(seconds.max(1));
        Self { seconds, cpu: spent / time * 100.0, wake_ups: slept as f64 / time }
    }
}

/// How often the threads of a process have gone to sleep by themselves.
fn sleeps(pid: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let count = |thread: fs::DirEntry| {
        let status = fs::read_to_string(thread.path().join("status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?.trim().parse::<u64>().ok()
    };
    threads.filter_map(count).sum()
}
