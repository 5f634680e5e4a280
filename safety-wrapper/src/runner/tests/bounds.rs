//! What ends a program that takes too much, by this process's own looks: on a machine without control groups there is nothing else.

use super::*;

impl Ground {
    fn bounded(&self, text: &str, change: impl FnOnce(&mut RunLimits)) -> CallResult {
        let mut spec = self.spec(shell(text));
        spec.limit_ms = 120_000;
        change(&mut spec.limits);
        let result = self.run(spec);
        assert!(!self.is_anything_left(), "{text}");
        result
    }

    /// Whether a process works in the workspace.
    fn is_anything_left(&self) -> bool {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter_map(|entry| std::fs::read_link(entry.path().join("cwd")).ok())
            .any(|cwd| cwd.starts_with(self.ws()))
    }
}

#[test]
fn what_takes_too_much_is_ended_and_told_why() {
    let ground = Ground::new();
    let sleepers = "for i in $(seq 60); do setsid sleep 300 & done; wait";
    // Each would go on for long: nothing here waits for the time limit.
    for (text, why) in [
        // Held by one that does not read, so that it stays in memory.
        ("head -c 90000000 /dev/zero | tail -c 90000000 | sleep 300", "[stopped: it used more memory than it may]"),
        (
            "for i in 1 2 3 4; do (head -c 25M /dev/zero | tail -c 25M | sleep 300) & done; wait",
            "[stopped: it used more memory than it may]",
        ),
        (sleepers, "[stopped: it started more than 40 processes]"),
        ("yes", "[stopped: it printed more than 64 MiB]"),
    ] {
        let result = ground.bounded(text, |limits| (limits.memory_mebibytes, limits.processes) = (64, 40));
        assert_eq!(result.status, RunStatus::Failed, "{text}");
        assert!(result.output.starts_with(why), "{text}: {:.200}", result.output);
    }
    // Within its bounds the same goes through.
    let result = ground.bounded("head -c 90000000 /dev/zero | tail -c 90000000 | wc -c", |_| ());
    assert_eq!((result.status, result.output.as_str()), (RunStatus::Ok, "90000000\n"));
}

#[test]
fn who_is_faster_than_a_look_meets_the_kernel() {
    let ground = Ground::new();
    let result = ground.bounded("head -c 900M /dev/zero | tail -c 900M | wc -c", |limits| limits.memory_mebibytes = 32);
    assert!(!result.output.contains("943718400"), "{}", result.output);
    assert!(result.output.contains("memory"), "{}", result.output);
    // A limit of one file, and not of the result that tells of it.
    let result =
        ground.bounded("head -c 3M /dev/zero > a; wc -c < a; ulimit -f unlimited", |limits| limits.file_mebibytes = 1);
    assert!(result.output.contains("1048576") && result.output.contains("annot modify limit"), "{}", result.output);
}
