//! What keeps values and keys in this process: no core file, no look from another process, no swap where the system allows.

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// Keeps this process's memory to itself. What the system refuses is told by `doctor`, not by a crash.
pub fn guard() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(Resource::Core, none);
    // Also against a core handler, to which the limit does not apply, and against debuggers of the same user.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Keeps all pages, present and to come, out of swap. Only where there is no limit to it: below one, an allocation beyond
/// it would fail and end the process.
pub fn lock() {
    if rustix::process::getrlimit(Resource::Memlock).current.is_none() {
        // On fault: what is never touched takes no memory.
        let _ = rustix::mm::mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT);
    }
}

/// Whether this process's memory can reach a swap file.
#[must_use]
pub fn is_locked() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    locked_by(&status)
}

fn locked_by(status: &str) -> bool {
    let kibibytes = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
    };
    // Some pages are locked by SQLCipher in any case; all are when as many are locked as are resident.
    matches!((kibibytes("VmLck:"), kibibytes("VmRSS:")), (Some(locked), Some(resident)) if locked >= resident)
}

/// Whether this machine has any swap.
#[must_use]
pub fn has_swap() -> bool {
    // The first line names the columns; a system that does not tell may have some.
    std::fs::read_to_string("/proc/swaps").map_or(true, |text| text.lines().count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_counts_as_locked_when_all_of_it_is() {
        for (locked, resident, wanted) in [(0, 9_000, false), (64, 9_000, false), (9_000, 9_000, true)] {
            let status = format!("Name:\tx\nVmLck:\t{locked:>8} kB\nVmRSS:\t{resident:>8} kB\n");
            assert_eq!(locked_by(&status), wanted, "{status}");
        }
        assert!(!locked_by(""));
    }
}
