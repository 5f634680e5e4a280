//! Attacks on the machine: processes, files and sockets of the daemon, from inside a run and from another user's process.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::search;
use wardkeep_tests::story::stage::Stage;

use crate::force;
use crate::p01_no_secret_leaves::siege::Siege;

/// Says that a door was open: every attack ends with it where it succeeds.
const OPEN: &str = "echo THE-DOOR-WAS-OPEN";

/// A run sees no other run, not its own runner, and nothing of the daemon, whoever approved it.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_reads_no_value_from_the_machine() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let (permit, pipe) = hold(&siege, "WK_HELD").await;
    let attacks = async {
        let holder = wait("the holder to begin", || async { Ok(holder_of("WK_HELD")) }).await.expect("it begins");
        let mut heard = Vec::new();
        for (number, command) in doors(&siege.stage, holder).into_iter().enumerate() {
            let args = json!({ "command": command });
            let result = force(&siege.stage, &siege.hooks, &format!("m{number}"), "shell", args).await;
            let said = result.as_ref().and_then(|result| result["output"].as_str()).map(str::to_owned);
            heard.push((command, said));
        }
        fs::write(&pipe, "").expect("written");
        heard
    };
    let (_, heard) = tokio::join!(siege.hooks.exec(&permit), attacks);
    siege.listen("the machine from inside");
    let tried = heard.iter().filter(|(_, said)| said.is_some()).count();
    assert!(tried * 2 > heard.len(), "only {tried} of {} ran, so little was shown", heard.len());
    let own = heard[0].1.clone().unwrap_or_default();
    assert!(own.contains("PATH=") && own.contains("THE-DOOR"), "a run reads its own environment: {own}");
    let open: Vec<_> = heard[1..]
        .iter()
        .filter(|(_, said)| {
            // Redaction would hide the value, so its name tells whether it was there.
            said.as_ref()
                .is_some_and(|said| ["WK_HELD=", "SECRET_REF", "THE-DOOR"].iter().any(|sign| said.contains(sign)))
        })
        .collect();
    assert!(open.is_empty(), "{open:#?}");
    siege.lift().await;
}

/// A run that holds a value in its environment until somebody writes into the pipe: its permit, and the pipe.
async fn hold(siege: &Siege, variable: &str) -> (String, PathBuf) {
    let pipe = siege.stage.tenant.workspace().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let args = json!({"command": "cat pipe", "env": {variable: "SECRET_REF(shown_token)"}});
    let (_, answer) = siege.hooks.propose("holder", "shell", args).await.expect("an answer");
    (answer["permit"].as_str().unwrap_or_else(|| panic!("it may not hold: {answer}")).to_owned(), pipe)
}

fn doors(stage: &Stage, holder: u32) -> Vec<String> {
    let daemon = stage.tenant.service.pid();
    let tenant = stage.setting.folder.join("tenant");
    let (state, tenant) = (stage.tenant.state().display().to_string(), tenant.display());
    let mut all = vec![format!("cat /proc/self/environ && {OPEN}")];
    for pid in [daemon.to_string(), holder.to_string(), "$PPID".to_owned()] {
        for file in ["environ", "mem", "maps", "auxv", "stack", "fd/0", "fd/3", "task/*/environ", "cwd/vault.db"] {
            all.push(format!("head -c 100 /proc/{pid}/{file} && {OPEN}"));
        }
        all.push(format!("ls /proc/{pid}/fd /proc/{pid}/root && {OPEN}"));
        all.push(format!("cat /proc/{pid}/root{state}/vault.db && {OPEN}"));
    }
    all.push("cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep ^WK_".to_owned());
    all.push("cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -o 'SECRET_REF([a-z_]*)' | grep -v 'a-z'".to_owned());
    for file in ["vault.db", "gate/gate.db", "tokens.json", "admin.token", "identity/client.pem", "redaction.key"] {
        all.push(format!("head -c 100 {state}/{file} && {OPEN}"));
    }
    all.push(format!("ls -R {state}/gate/runs && {OPEN}"));
    all.push(format!("cat {state}/gate/runs/*/* && {OPEN}"));
    all.push(format!("cat {tenant}/vault.key && {OPEN}"));
    all.push(format!("ls {tenant}/run && {OPEN}"));
    all.push(format!("ls /tmp && {OPEN}"));
    for folder in
        ["/dev/shm", "/var/crash", "/var/lib/systemd/coredump", "/run/credentials", "/root", "/home", "/etc/shadow"]
    {
        all.push(format!("ls {folder} > seen && cat {folder}/* && {OPEN}"));
    }
    all.push(format!("tee /proc/sys/kernel/core_pattern < /dev/null && {OPEN}"));
    all.push(format!("gdb -p {holder} -batch -ex 'dump memory core 0 1' && cat core && {OPEN}"));
    all.push(format!("strace -f -p {daemon} -o trace && {OPEN}"));
    all.push(format!("kill -QUIT {daemon} && {OPEN}"));
    all
}

/// The process whose environment has a variable of that name, seen with the rights of whoever runs the tests.
fn holder_of(variable: &str) -> Option<u32> {
    let start = format!("{variable}=");
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let environment = fs::read(entry.path().join("environ")).ok()?;
        // The shell is replaced by the program at once or waits for it: the program is the one without children.
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        let has = environment.split(|b| *b == 0).any(|one| one.starts_with(start.as_bytes()));
        (has && name.trim() == "cat").then_some(pid)
    })
}

/// The agent's own user, outside any run. Only root can become somebody else; for others the modes of the files must do.
#[tokio::test(flavor = "multi_thread")]
async fn another_user_reads_no_value_from_the_machine() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let folder = siege.stage.setting.folder.clone();
    // Nothing above the daemon's own folders keeps a stranger out.
    for open in [folder.clone(), folder.join("tenant")] {
        fs::set_permissions(open, fs::Permissions::from_mode(0o755)).expect("set");
    }
    siege.hooks.run("read", "read_file", json!({"path": "notes/november.md"})).await.expect("a run");
    let (state, workspace) = (siege.stage.tenant.state(), siege.stage.tenant.workspace());
    // Agents' programs must trust the proxy's certificate; its key is in no file.
    let public = ["run/listen.json", "run/proxy-ca.pem", "agent.toml"].map(|file| folder.join("tenant").join(file));
    let mut private = everything_below(&folder.join("tenant"));
    private.retain(|path| !path.starts_with(&workspace) && !public.contains(path));
    assert!(private.iter().any(|path| path.starts_with(&state)), "{private:?}");
    if rustix::process::geteuid().is_root() {
        as_a_stranger(siege.stage.tenant.service.pid(), &folder.join("tenant/run"), private);
    } else {
        let open = |path: &PathBuf| fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o004 != 0);
        private.retain(|path| open(path) && !path.starts_with(&state));
        assert_eq!(private, Vec::<PathBuf>::new(), "other users can read these");
    }
    siege.listen("another user");
    siege.lift().await;
}

fn as_a_stranger(daemon: u32, runtime: &Path, mut private: Vec<PathBuf>) {
    let stranger = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).uid(65534).gid(65534).output().expect("a program")
    };
    let reads = |path: &Path| {
        let read = stranger("head", &["-c", "100", &path.display().to_string()]);
        read.status.success().then_some(read.stdout)
    };
    // Controls: the stranger is no prisoner, and the daemon is there to be looked at.
    assert!(reads(&runtime.join("listen.json")).is_some_and(|text| text.starts_with(b"{")), "agents need the ports");
    let named = PathBuf::from(format!("/proc/{daemon}/cmdline"));
    assert!(reads(&named).is_some_and(|text| !text.is_empty()), "the daemon is not there");
    for file in ["environ", "mem", "maps", "auxv", "io", "stack", "fd/0", "fd/3", "root/etc/passwd", "pagemap"] {
        private.push(PathBuf::from(format!("/proc/{daemon}/{file}")));
    }
    private.retain(|path| reads(path).is_some());
    assert_eq!(private, Vec::<PathBuf>::new(), "another user reads these");
    for socket in ["admin.sock", "hook.sock"] {
        let address = runtime.join(socket).display().to_string();
        let script = format!("socket(my $s, 1, 1, 0) or exit 0; connect($s, pack('S a*', 1, '{address}')) or exit 3");
        assert_eq!(stranger("perl", &["-e", &script]).status.code(), Some(3), "another user speaks to {socket}");
    }
}

fn everything_below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(everything_below(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

/// The agent's own process, in the middle of its day: it has read a note with a password and asked a service with a key.
#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_the_agent_holds_no_value() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, _) = crate::stage(folder.path()).await;
    let agent = stage.start_agent().expect("it starts");
    // By now everything that needs a secret was proposed, and what may run has run.
    stage.person.wait_for_pending(|a| a["document"]["class"] == "yellow_external").await.expect("it waits");
    let memory = memory_of(agent.pid().expect("it runs"));
    let holds = |text: &str| memory.iter().any(|part| memchr::memmem::find(part, text.as_bytes()).is_some());
    // Controls: it is the right process, and what was read of it is what it works with.
    assert!(holds(&stage.tenant.agent_token), "its own token");
    assert!(holds("SECRET_REF(shop_db_password)") && holds("SECRET_REF(newsletter_api_key)"), "what it was told");
    for (name, value) in stage.secrets.all() {
        assert!(!holds(value), "the agent holds {name}");
    }
    drop(agent);
    stage.strike().await.expect("everything stops");
}

/// Every part of a process's memory that it can read itself. Source: proc(5), `/proc/[pid]/maps` and `/proc/[pid]/mem`.
fn memory_of(pid: u32) -> Vec<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("its parent may look");
    let memory = fs::File::open(format!("/proc/{pid}/mem")).expect("its parent may look");
    let part = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        // What is written is no part of the program's file.
        if !rest.starts_with("rw") {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(to - from).ok()?];
        // Pages of the kernel's own cannot be read.
        memory.read_exact_at(&mut bytes, from).ok()?;
        Some(bytes)
    };
    maps.lines().filter_map(part).collect()
}

/// What a crash would leave, and what everybody may read of a process: nothing of a value.
#[tokio::test(flavor = "multi_thread")]
async fn processes_say_nothing_in_public_and_leave_no_core() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let plants = siege.stage.secrets.plants();
    let daemon = siege.stage.tenant.service.pid();
    let (permit, pipe) = hold(&siege, "WK_PUBLIC").await;
    let look = async {
        let program = wait("the program to begin", || async { Ok(holder_of("WK_PUBLIC")) }).await.expect("it begins");
        let (family, runner) = family(program);
        let said = [&[daemon][..], &family]
            .concat()
            .into_iter()
            .flat_map(|pid| in_public(pid, pid == daemon || Some(pid) == runner));
        let said: Vec<u8> = said.collect();
        fs::write(&pipe, "").expect("written");
        said
    };
    let (_, said) = tokio::join!(siege.hooks.exec(&permit), look);
    assert!(String::from_utf8_lossy(&said).contains("runner"), "no runner was looked at");
    assert_eq!(search::find(&plants, "what everybody reads of a process", &said), []);
    // The commands of the daemon say names, never values.
    let commands: [&[&str]; 5] =
        [&["status", "--json"], &["vault", "list"], &["vault", "list", "--json"], &["doctor"], &["approvals", "list"]];
    for command in commands {
        let said = siege.stage.tenant.cli(command).await.unwrap_or_else(|error| error.to_string());
        assert_eq!(search::find(&plants, command[0], said.as_bytes()), []);
    }
    siege.listen("processes");
    siege.lift().await;
}

/// A program with the processes above it, up to its runner.
fn family(program: u32) -> (Vec<u32>, Option<u32>) {
    let mut all = vec![program];
    while let Some(parent) = all.last().and_then(|pid| parent(*pid)) {
        all.push(parent);
        let named = fs::read(format!("/proc/{parent}/cmdline")).unwrap_or_default();
        if named.ends_with(b"runner\0") {
            return (all, Some(parent));
        }
    }
    (all, None)
}

/// What every user reads of a process, and that it leaves no core. The environment counts where no value belongs in it.
fn in_public(pid: u32, environment: bool) -> Vec<u8> {
    let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let limits = String::from_utf8_lossy(&file("limits")).into_owned();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "process {pid} may leave a core: {limits}");
    let own = if environment { file("environ") } else { Vec::new() };
    [file("cmdline"), file("status"), file("comm"), own].concat()
}

/// Source: proc(5), `/proc/[pid]/stat`, the second field behind the name.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok().filter(|pid| *pid > 1)
}
