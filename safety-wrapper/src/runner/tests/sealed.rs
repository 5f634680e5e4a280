//! What is exchanged between the launch's look and the start.

use super::*;
use crate::runner::sealed::{Sealed, interpreter};

fn seal(path: &Path) -> Sealed {
    Sealed::of(path, &std::fs::File::open(path).unwrap()).unwrap()
}

#[test]
fn what_changed_after_the_launch_looked_does_not_start() {
    let ground = Ground::new();
    let (script, other) = (ground.ws().join("job.sh"), ground.ws().join("other"));
    type Change = fn(&Path, &Path);
    let changes: [(&str, Change); 5] = [
        ("written over", |script, _| std::fs::write(script, "echo swapped > ran").unwrap()),
        ("renamed over", |script, other| {
            std::fs::write(other, "echo swapped > ran").unwrap();
            std::fs::rename(other, script).unwrap();
        }),
        ("a link", |script, other| {
            std::fs::write(other, "echo run > ran").unwrap();
            std::fs::remove_file(script).unwrap();
            symlink(other, script).unwrap();
        }),
        ("a pipe", |script, _| {
            std::fs::remove_file(script).unwrap();
            assert!(Command::new("mkfifo").arg(script).status().unwrap().success());
        }),
        ("gone", |script, _| std::fs::remove_file(script).unwrap()),
    ];
    for (what, change) in changes {
        let _ = std::fs::remove_file(&script);
        std::fs::write(&script, "echo run > ran").unwrap();
        let mut spec = ground.spec(program(&["bash", "job.sh"]));
        spec.sealed = vec![seal(&script)];
        change(&script, &other);
        let result = ground.run(spec);
        assert_eq!(result.status, RunStatus::Failed, "{what}");
        assert!(result.output.contains("has changed since it was approved"), "{what}: {}", result.output);
        assert!(!ground.ws().join("ran").exists(), "{what}");
    }
    // And one that is as it was starts.
    let _ = std::fs::remove_file(&script);
    std::fs::write(&script, "echo run > ran").unwrap();
    let mut spec = ground.spec(program(&["bash", "job.sh"]));
    spec.sealed = vec![seal(&script)];
    assert_eq!(ground.run(spec).status, RunStatus::Ok);
    // A large one by its inode: the same bytes in another file are no proof.
    let large = ground.ws().join("large");
    std::fs::write(&large, vec![b'x'; 2_000_000]).unwrap();
    let mut spec = ground.spec(program(&["wc", "-c", "large"]));
    spec.sealed = vec![seal(&large)];
    std::fs::write(&other, vec![b'x'; 2_000_000]).unwrap();
    std::fs::rename(&other, &large).unwrap();
    assert_eq!(ground.run(spec).status, RunStatus::Failed);
}

#[test]
fn a_program_of_the_workspace_is_started_by_its_descriptor() {
    let ground = Ground::new();
    let tool = ground.ws().join("tool");
    std::fs::copy("/bin/readlink", &tool).unwrap();
    let mut spec = ground.spec(program(&["./tool", "/proc/self/exe"]));
    spec.sealed = vec![seal(&tool)];
    let held = crate::runner::sealed::Held::take(&spec.sealed).unwrap();
    let by = held.start(tool.clone());
    assert!(by.starts_with("/proc/self/fd"), "{by:?}");
    // Whatever bears its name by then.
    std::fs::rename(&tool, ground.ws().join("first")).unwrap();
    std::fs::copy("/bin/false", &tool).unwrap();
    let said = Command::new(by).arg("/proc/self/exe").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), format!("{}\n", ground.ws().join("first").display()));
    // In a run, within its sandbox; and a script goes by its path, beside which others lie.
    std::fs::rename(ground.ws().join("first"), &tool).unwrap();
    spec.sealed = vec![seal(&tool)];
    assert_eq!(ground.run(spec).output, format!("{}\n", tool.display()));
    let script = ground.ws().join("job.sh");
    std::fs::write(&script, "#!/bin/sh\ncat \"$(dirname \"$0\")/beside\"\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(ground.ws().join("beside"), "found").unwrap();
    let mut spec = ground.spec(program(&["./job.sh"]));
    spec.sealed = vec![seal(&script)];
    assert_eq!(ground.run(spec).output, "found");
}

/// Whoever it was: the run itself by its command, or something beside it.
#[test]
fn a_run_names_the_files_that_are_others_at_its_end() {
    for (command, changed) in [
        ("cat job.sh; bash job.sh", false),
        ("chmod +x job.sh && ./job.sh", true),
        ("sed -i s/run/ran/ job.sh", true),
        ("cp job.sh other; mv other job.sh", true),
        ("mv job.sh other; echo echo swapped > job.sh; bash job.sh; mv other job.sh", true),
        ("mv job.sh other; ln -s other job.sh", true),
        ("rm job.sh", true),
        ("echo >> beside", false),
    ] {
        let ground = Ground::new();
        let script = ground.ws().join("job.sh");
        std::fs::write(&script, "#!/bin/sh\necho run\n").unwrap();
        std::fs::write(ground.ws().join("beside"), "").unwrap();
        let mut spec = ground.spec(shell(command));
        spec.sealed = vec![seal(&script)];
        let result = ground.run(spec);
        assert_eq!(result.status, RunStatus::Ok, "{command}: {}", result.output);
        let named = if changed { &["job.sh".to_owned()][..] } else { &[] };
        assert_eq!(result.changed, named, "{command}");
    }
}

#[test]
fn the_first_line_names_the_interpreter() {
    let dir = tempfile::tempdir().unwrap();
    for (text, names) in [
        ("#!/bin/sh\n", Some("/bin/sh")),
        ("#! ./in -x\n", Some("./in")),
        ("#!in", Some("in")),
        ("#!/usr/bin/env -S ./in -x\n", Some("./in")),
        ("#!/usr/bin/env\n", Some("/usr/bin/env")),
        ("#!", Some("")),
        ("# !/bin/sh\n", None),
        ("", None),
    ] {
        let path = dir.path().join("script");
        std::fs::write(&path, text).unwrap();
        let found = interpreter(&std::fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(found.as_deref(), names.map(Path::new), "{text:?}");
    }
}
