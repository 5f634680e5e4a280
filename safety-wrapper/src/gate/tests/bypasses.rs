//! Ways in which other guards were walked around, played against the gate; the whole list stands in
//! `policy/src/classify/bypasses.rs`.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// OpenClaw CVE-2026-53822, #124738: what a person read is exchanged before it runs, in each way in which a command names a file.
#[tokio::test]
async fn the_program_that_was_approved_is_the_one_that_runs() {
    for command in [
        "./job.sh",
        "bash job.sh",
        "bash < job.sh",
        "cat job.sh | bash",
        ". ./job.sh",
        "sh -c '. ./job.sh'",
        "cd sub; bash ../job.sh",
        "env A=1 nice bash job.sh",
        "bash link.sh",
        "{ bash; } < job.sh",
        "bash jo?.sh",
        "bash *.sh",
        "bash [a-z]*.sh",
        "bash sub/../j*",
        "bash < jo?.sh",
        ". ./jo?.sh",
        "sh -c '. ./*.sh'",
        "cat jo?.sh | bash",
        "./jo?.sh",
        "./*.sh a",
        "sub/../j*",
        "nice ./jo[b].sh",
        "cd sub; ../*.sh",
        "env A=1 ./jo?.sh",
        "ls | xargs ./jo?.sh",
        "find . -name sub -exec ./jo?.sh {} \\;",
        "x='./jo?.sh a'; $x",
        "x='./job.sh a'; $y $x",
        "./$x.sh",
        "$x/job.sh",
        "$(pwd)/jo$x",
        "$x job.sh",
        "$x jo?.sh",
        "env $x ./jo?.sh",
        "bash --rcfile job.sh -i",
        "bash --init-file=job.sh -i",
        "make --file=job.sh",
        "make -fjob.sh",
        "make -skf./job.sh",
        "psql --file=job.sh",
        "node --require=./job.sh -e 1",
        "docker compose --file=job.sh up",
        "docker run -v ./job.sh:/job.sh alpine sh /job.sh",
        "curl --data-binary @job.sh https://shop.example/",
        "curl -F list=@job.sh https://shop.example/",
        "curl -Tjob.sh https://shop.example/",
        "curl -F 'list=@job.sh;type=PADDING' https://shop.example/",
    ] {
        let command = command.replace("PADDING", &"a".repeat(5000));
        let world = World::new(Level::Supervised);
        let gate = world.gate();
        let script = world.ws().join("job.sh");
        fs::write(&script, "echo run >> ran\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(world.ws().join("sub")).unwrap();
        std::os::unix::fs::symlink("job.sh", world.ws().join("link.sh")).unwrap();
        let asked = gate.before_tool_call(&office(), call("c1", "shell", json!({"command": command}))).await.unwrap();
        let digest = digest_of(&asked);
        fs::write(&script, "echo swapped >> ran\n").unwrap();
        gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
        let answer = settled(&gate, "c1").await;
        assert!(reasons_of(&answer).contains("has changed since it was shown"), "{command}: {answer:?}");
        assert_eq!(world.runs(), 0, "{command}");
    }
}

/// What a program opens by itself is exchanged: nobody named it, and it runs all the same.
#[tokio::test]
async fn what_a_program_takes_by_itself_is_pinned_too() {
    for (command, file) in [
        ("make", "Makefile"),
        ("make -C sub all", "sub/makefile"),
        ("make --directory=sub", "sub/GNUmakefile"),
        ("npm run build", "package.json"),
        ("npm --prefix sub run build", "sub/package.json"),
        ("python3 -m job", "job.py"),
        ("python3 -m sub.job", "sub/job.py"),
        ("python3.12 sub", "sub/__main__.py"),
        ("python3 -mjob", "job.py"),
        ("python3 -msub.job", "sub/job.py"),
        ("python3 -m sub.deep", "sub/deep/__main__.py"),
        ("node --require=./job -e 1", "job.js"),
        ("node ./job", "job.js"),
        ("docker compose up", "compose.yaml"),
        ("just all", "justfile"),
    ] {
        let world = World::new(Level::Supervised);
        let gate = world.gate();
        fs::create_dir_all(world.ws().join("sub/deep")).unwrap();
        fs::write(world.ws().join(file), "first").unwrap();
        let asked = gate.before_tool_call(&office(), call("c1", "shell", json!({"command": command}))).await.unwrap();
        let digest = digest_of(&asked);
        fs::write(world.ws().join(file), "swapped").unwrap();
        gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
        let answer = settled(&gate, "c1").await;
        assert!(reasons_of(&answer).contains("has changed since it was shown"), "{command}: {answer:?}");
    }
}

/// More files than can be looked at, and one whose name cannot be told: nobody is asked.
#[tokio::test]
async fn what_cannot_be_pinned_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let run = |id: &str| call(id, "shell", json!({"command": "bash *.sh"}));
    let strange = world.ws().join(std::ffi::OsStr::from_bytes(b"\xff.sh"));
    fs::write(&strange, "echo run >> ran\n").unwrap();
    let answer = gate.before_tool_call(&office(), run("c1")).await.unwrap();
    assert!(reasons_of(&answer).contains("not UTF-8"), "{answer:?}");
    fs::remove_file(strange).unwrap();
    for number in 0..10_001 {
        fs::create_dir(world.ws().join(format!("{number}.sh"))).unwrap();
    }
    let answer = gate.before_tool_call(&office(), run("c2")).await.unwrap();
    assert!(reasons_of(&answer).contains("too many"), "{answer:?}");
    let words = json!({"argv": ["make", "a=".repeat(200_000)]});
    let answer = gate.before_tool_call(&office(), call("c3", "exec", words)).await.unwrap();
    assert!(reasons_of(&answer).contains("too many"), "{answer:?}");
}

/// A container has the workspace in another place, whatever way a path takes to it.
#[tokio::test]
async fn a_script_that_a_container_is_given_is_the_one_that_was_approved() {
    for (workdir, argv) in [
        (None, &["sh", "/workspace/job.sh"][..]),
        (None, &["sh", "job.sh"]),
        (None, &["sh", "-c", ". /workspace/job.sh"]),
        (Some("/"), &["sh", "workspace/job.sh"]),
        (Some("/workspace/sub"), &["sh", "../job.sh"]),
        (Some("/usr/bin"), &["sh", "../../workspace/./job.sh"]),
        (None, &["sh", "-c", "cd /; sh workspace/job.sh"]),
        (None, &["sh", "x/../../job.sh"]),
        (None, &["sh", "abs"]),
        (None, &["sh", "-c", "sh ab?"]),
        (None, &["sh", "-c", "sh jo?.sh"]),
        (Some("/"), &["sh", "-c", "sh /work*/*.sh"]),
        (Some("/"), &["sh", "-c", "sh /workspace/j*"]),
        (None, &["make", "--file=/workspace/job.sh"]),
    ] {
        let world = World::new(Level::Supervised);
        let id = format!("sha256:{}", "0a".repeat(32));
        world.bundle.send_modify(|bundle| {
            Arc::make_mut(bundle).images = vec![wardkeep_policy::containers::Image { name: "box".to_owned(), id }];
        });
        let gate = world.gate();
        let script = world.ws().join("job.sh");
        fs::write(&script, "echo run >> ran\n").unwrap();
        fs::create_dir_all(world.ws().join("sub/deep")).unwrap();
        std::os::unix::fs::symlink("sub/deep", world.ws().join("x")).unwrap();
        std::os::unix::fs::symlink("/workspace/job.sh", world.ws().join("abs")).unwrap();
        let mut args = json!({"image": "box", "argv": argv, "workspace": "changes"});
        if let Some(workdir) = workdir {
            args["workdir"] = workdir.into();
        }
        let asked = gate.before_tool_call(&office(), call("c1", "run_container", args.clone())).await.unwrap();
        let digest = digest_of(&asked);
        fs::write(&script, "echo swapped >> ran\n").unwrap();
        gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
        let answer = settled(&gate, "c1").await;
        assert!(reasons_of(&answer).contains("has changed since it was shown"), "{args}: {answer:?}");
    }
}

/// What stands behind the name of a program is exchanged: the script's interpreter, and links within and out of the workspace.
#[tokio::test]
async fn what_a_program_is_started_with_is_pinned_too() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 5] = [
        ("./job", |ws| fs::write(ws.join("in"), "#!/bin/sh\necho swapped >> ran\n").unwrap()),
        ("./job", |ws| fs::write(ws.join("deep"), "#!/bin/sh\necho swapped >> ran\n").unwrap()),
        ("./sh job", |ws| {
            fs::remove_file(ws.join("sh")).unwrap();
            std::os::unix::fs::symlink("/bin/true", ws.join("sh")).unwrap();
        }),
        ("env/sh job", |ws| {
            fs::remove_file(ws.join("env")).unwrap();
            fs::create_dir(ws.join("other")).unwrap();
            fs::write(ws.join("other/sh"), "#!/bin/sh\necho swapped >> ran\n").unwrap();
            std::os::unix::fs::symlink("other", ws.join("env")).unwrap();
        }),
        ("bash ln", |ws| {
            fs::remove_file(ws.join("ln")).unwrap();
            fs::write(ws.join("evil"), "echo swapped >> ran\n").unwrap();
            std::os::unix::fs::symlink("evil", ws.join("ln")).unwrap();
        }),
    ];
    for (command, change) in changes {
        let world = World::new(Level::Supervised);
        let gate = world.gate();
        let ws = world.ws();
        let program = |name: &str, text: &str| {
            fs::write(ws.join(name), text).unwrap();
            fs::set_permissions(ws.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        };
        program("deep", "#!/bin/sh\necho run >> ran\n");
        program("in", "#!./deep\n");
        program("job", "#!./in\n");
        std::os::unix::fs::symlink("/bin/sh", ws.join("sh")).unwrap();
        fs::create_dir(ws.join("bin")).unwrap();
        std::os::unix::fs::symlink("/bin/sh", ws.join("bin/sh")).unwrap();
        std::os::unix::fs::symlink("bin", ws.join("env")).unwrap();
        std::os::unix::fs::symlink("job", ws.join("ln")).unwrap();
        let asked = gate.before_tool_call(&office(), call("c1", "shell", json!({"command": command}))).await.unwrap();
        let digest = digest_of(&asked);
        change(&ws);
        gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
        let answer = settled(&gate, "c1").await;
        assert!(reasons_of(&answer).contains("has changed since it was shown"), "{command}: {answer:?}");
        assert_eq!(world.runs(), 0, "{command}");
    }
}

/// The same, after the daemon has looked for the last time: the permit is spent by then.
#[tokio::test]
async fn a_script_that_is_swapped_during_the_launch_does_not_run() {
    struct Swap(PathBuf);
    impl Waypoints for Swap {
        fn pass(&self, at: Waypoint) {
            if at == Waypoint::CallClaimed {
                fs::write(&self.0, "echo swapped >> ran\n").unwrap();
            }
        }
    }
    let world = World::new(Level::Supervised);
    let script = world.ws().join("job.sh");
    fs::write(&script, "echo run >> ran\n").unwrap();
    let gate = world.try_gate(Arc::new(Swap(script))).unwrap();
    let command = json!({"command": "bash job.sh"});
    let asked = gate.before_tool_call(&office(), call("c1", "shell", command)).await.unwrap();
    gate.decide_approval(digest_of(&asked), ruling(Verdict::Approved)).await.unwrap();
    let answer = settled(&gate, "c1").await;
    let result = result_of(&answer);
    assert_eq!(result.status, RunStatus::Failed, "{result:?}");
    assert!(result.output.contains("has changed since it was approved"), "{result:?}");
    assert_eq!(world.runs(), 0);
}

/// OpenClaw PR 146517: start-up files put another command in the place of the one that a person read.
#[tokio::test]
async fn start_up_files_change_no_approved_command() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    let evil = "echo evil >> ran\nrun() { echo evil >> ran; }\nalias echo='echo evil >> ran;'\n";
    for name in [".bashrc", ".bash_profile", ".bash_login", ".profile", ".zshenv", ".inputrc", ".env", ".kshrc"] {
        fs::write(world.ws().join(name), evil).unwrap();
    }
    for (id, command) in [
        ("c1", "bash -lc 'echo run >> ran'"),
        ("c2", "bash -ic 'echo run >> ran'"),
        ("c3", "sh -lc 'echo run >> ran'"),
        ("c4", "echo run >> ran"),
    ] {
        let asked = gate.before_tool_call(&office(), call(id, "shell", json!({"command": command}))).await.unwrap();
        gate.decide_approval(digest_of(&asked), ruling(Verdict::Approved)).await.unwrap();
        assert_eq!(result_of(&settled(&gate, id).await).status, RunStatus::Ok, "{command}");
    }
    assert_eq!(fs::read_to_string(world.ws().join("ran")).unwrap(), "run\n".repeat(4));
}

/// Codex PR 22652, PR 27025: plain `git status` ran the program that the repository's configuration names.
#[tokio::test]
async fn git_status_runs_no_program_of_the_repository() {
    let world = World::new(Level::Trusted);
    let gate = world.gate();
    let git = |args: &[&str]| {
        let done = std::process::Command::new("git").arg("-C").arg(world.ws()).args(args).output();
        assert!(done.unwrap().status.success(), "{args:?}");
    };
    git(&["init", "-q"]);
    let evil = world.ws().join("evil.sh");
    fs::write(&evil, "#!/bin/sh\necho EVIL >&2\n").unwrap();
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
    let evil = evil.display().to_string();
    git(&["config", "core.fsmonitor", &evil]);
    git(&["config", "core.pager", &evil]);
    // It would run for whoever does not switch it off.
    let plain = std::process::Command::new("git").arg("-C").arg(world.ws()).arg("status").output().unwrap();
    assert!(String::from_utf8_lossy(&plain.stderr).contains("EVIL"));
    let allowed =
        gate.before_tool_call(&office(), call("c1", "shell", json!({"command": "git status"}))).await.unwrap();
    let done = gate.execute(&office(), permit_of(&allowed)).await.unwrap();
    assert_eq!(done.result.status, RunStatus::Ok, "{:?}", done.result);
    assert!(!done.result.output.contains("EVIL"), "{:?}", done.result);
}

/// Cupcake: a link beneath the workspace led out of it, for the file tools and for grep and globs.
#[tokio::test]
async fn a_link_leads_nowhere_that_its_path_does_not() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let outside = world.state().parent().unwrap().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "what stands outside").unwrap();
    std::os::unix::fs::symlink(&outside, world.ws().join("link")).unwrap();
    std::os::unix::fs::symlink("/proc/self/root", world.ws().join("magic")).unwrap();
    let magic = format!("magic{}/file", outside.display());
    let calls = [
        ("read_file", json!({"path": "link/file"})),
        ("read_file", json!({"path": magic})),
        ("list_dir", json!({"path": "link"})),
        ("shell", json!({"command": "cat link/file"})),
        ("shell", json!({"command": "cat link/*"})),
        ("shell", json!({"command": "grep -r outside link/"})),
        ("shell", json!({"command": format!("cat {magic}")})),
        ("shell", json!({"command": "cd link && cat file"})),
        ("shell", json!({"command": "head -c 100 ./*/file"})),
        ("write_file", json!({"path": "link/file", "content": "x"})),
        ("shell", json!({"command": "echo x > link/file"})),
    ];
    for (at, (tool, args)) in calls.into_iter().enumerate() {
        let answer = gate.before_tool_call(&office(), call(&format!("c{at}"), tool, args.clone())).await.unwrap();
        let Answer::Allow { permit, .. } = answer else { continue };
        let Ok(done) = gate.execute(&office(), permit).await else { continue };
        assert!(!done.result.output.contains("what stands"), "{tool} {args}: {:?}", done.result);
    }
    assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "what stands outside");
}
