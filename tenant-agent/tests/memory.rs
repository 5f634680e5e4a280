//! What the system knows of the running program's memory.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

/// A command that has begun and waits for more.
fn waiting(folder: &std::path::Path) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wardkeep-agent"))
        .args(["redact", "--jsonl"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    child.stdin.as_mut().expect("piped").write_all(b"{\"id\":1,\"text\":\"x\"}\n").expect("written");
    // Its first output says that it is past its beginning.
    let mut first = [0];
    std::io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut first).expect("says something");
    child
}

#[test]
fn a_crash_leaves_no_core() {
    for signal in [rustix::process::Signal::ABORT, rustix::process::Signal::QUIT] {
        let folder = tempfile::tempdir().expect("tempdir");
        let mut child = waiting(folder.path());
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("reads");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("told");
        assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "soft and hard: {core}");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).expect("killed");
        let ended = child.wait().expect("ends");
        assert!(ended.signal().is_some() && !ended.core_dumped(), "{ended:?}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 0);
    }
}
