//! What a run used up, by what the kernel counted.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Ticks of `/proc/…/stat` a second, on every Linux that is built for.
const TICKS: u64 = 100;
/// The root of the control groups.
const GROUPS: &str = "/sys/fs/cgroup";

/// Time of the processor and memory; `None` where the kernel does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Used {
    /// By all its processes, milliseconds.
    pub(crate) cpu_ms: Option<u64>,
    /// By all its processes at the same time, bytes.
    pub(crate) memory_peak_bytes: Option<u64>,
    /// Whether the kernel ended one of them for want of memory.
    #[serde(default)]
    pub(crate) out_of_memory: bool,
}

impl Used {
    /// What the children of this process used that have ended and were waited for.
    pub(super) fn by_children() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        Self { cpu_ms: children_in(&stat), ..Self::default() }
    }

    /// What the unit of this process used, as far as it has a control group of its own.
    pub(super) fn by_unit() -> Self {
        let children = Self::by_children();
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let Some(group) = group_in(&groups, Path::new(GROUPS)) else { return children };
        let read = |name: &str| fs::read_to_string(group.join(name)).unwrap_or_default();
        let events = read("memory.events");
        Self {
            cpu_ms: value_in(&read("cpu.stat"), "usage_usec").map(|usec| usec / 1000).or(children.cpu_ms),
            memory_peak_bytes: read("memory.peak").trim().parse().ok(),
            out_of_memory: value_in(&events, "oom_kill").is_some_and(|count| count > 0),
        }
    }
}

/// Whether the kernel counts the memory of this process's unit by itself.
pub(super) fn group_counts_memory() -> bool {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    group_in(&groups, Path::new(GROUPS)).is_some_and(|group| group.join("memory.max").exists())
}

/// The time of children in a line of `/proc/<pid>/stat`. The name before it may hold anything.
fn children_in(stat: &str) -> Option<u64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    // Fields 16 and 17; the state is the third.
    let ticks: u64 = fields.get(13)?.parse::<u64>().ok()?.checked_add(fields.get(14)?.parse().ok()?)?;
    Some(ticks * 1000 / TICKS)
}

/// The folder of the control group (version 2) that a process is in, if it is that of a run.
fn group_in(groups: &str, root: &Path) -> Option<PathBuf> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let own = path.rsplit('/').next()?.starts_with("wardkeep-run-");
    // Where both versions are in use, the second has a folder of its own.
    let hybrid = root.join("unified");
    own.then(|| if hybrid.is_dir() { hybrid.join(path) } else { root.join(path) })
}

fn value_in(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_whatever_a_program_is_called() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 150 50 15";
        assert_eq!(children_in(&format!("7 (a) b) {tail}")), Some(2000));
        for bad in ["", "7 (a", "7 (a) S 1 2", "7 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 x 50"] {
            assert_eq!(children_in(bad), None, "{bad}");
        }
        let events = "low 0\noom 3\noom_kill 2\noom_group_kill 9\n";
        assert_eq!((value_in(events, "oom_kill"), value_in(events, "oom_")), (Some(2), None));
        assert!(Used::by_children().cpu_ms.is_some());
    }

    #[test]
    fn only_a_group_of_its_own_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let groups = "4:memory:/\n0::/system.slice/wardkeep-run-1.service\n";
        assert_eq!(group_in(groups, dir.path()), Some(dir.path().join("system.slice/wardkeep-run-1.service")));
        fs::create_dir(dir.path().join("unified")).unwrap();
        assert!(group_in(groups, dir.path()).unwrap().starts_with(dir.path().join("unified")));
        for shared in ["0::/\n", "0::/system.slice/wardkeep-agent.service\n", "4:memory:/wardkeep-run-1.service\n", ""]
        {
            assert_eq!(group_in(shared, dir.path()), None, "{shared}");
        }
    }
}
