//! Every run here is a real process: this test binary, started as a runner.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use super::*;
use crate::gate::RunnerCommand;
use crate::runner::folder::Found;

mod bounds;
mod leaf;
mod reply;
mod sealed;
mod unit;
pub(crate) use unit::{Pretended, is_alive, kill_tree};

const SECRET: &str = "s3cr3t-Value-0123456789";

/// Not a test of its own: what [`runner`] starts. Alone it finds no spec on its standard input.
#[test]
#[ignore = "started by the tests that run something"]
fn entry_of_a_runner() {
    std::process::exit(i32::from(!serve_one(&Pretended::near_run())));
}

/// How to start this test binary as a runner.
pub(crate) fn runner() -> RunnerCommand {
    RunnerCommand {
        program: std::env::current_exe().expect("a test binary has a path"),
        args: ["--exact", "--ignored", "--test-threads=1", "runner::tests::entry_of_a_runner"]
            .map(str::to_owned)
            .to_vec(),
        leaf: leaf_words().split_off(1),
    }
}

/// How to start this test binary as a leaf.
fn leaf_words() -> Vec<String> {
    let program = std::env::current_exe().expect("a test binary has a path").display().to_string();
    let args = ["--exact", "--ignored", "--test-threads=1", "runner::tests::leaf::entry_of_a_leaf"];
    [program].into_iter().chain(args.map(str::to_owned)).collect()
}

struct Ground {
    root: tempfile::TempDir,
    permits: std::cell::Cell<u8>,
}

impl Ground {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("runs")).unwrap();
        std::fs::create_dir(root.path().join("ws")).unwrap();
        std::fs::write(root.path().join("vault.key"), "the key of the vault").unwrap();
        Self { root, permits: std::cell::Cell::new(0) }
    }

    fn ws(&self) -> PathBuf {
        self.root.path().join("ws")
    }

    fn spec(&self, work: Work) -> RunSpec {
        RunSpec {
            folder: PathBuf::new(),
            workspace: self.ws(),
            cwd: None,
            work,
            limit_ms: 20_000,
            output_bytes: 64 * 1024,
            limits: RunLimits::default(),
            sandbox: Sandbox::Landlock,
            reach: Reach::Changes,
            unit: None,
            workspace_is: None,
            sealed: Vec::new(),
            leaf: leaf_words(),
            proxy: None,
            redact: vec![Masked { name: "token".to_owned(), value: SECRET.to_owned(), beside: None }],
        }
    }

    fn run(&self, mut spec: RunSpec) -> CallResult {
        self.permits.set(self.permits.get() + 1);
        let permit = format!("00000000-0000-7000-8000-0000000000{:02x}", self.permits.get()).parse().unwrap();
        let folder = Folder::make(&self.root.path().join("runs"), permit).unwrap();
        spec.folder.clone_from(&folder.path);
        start(&serde_json::to_vec(&spec).unwrap(), &folder.path, folder.lock);
        folder::read_result(&folder.path).expect("a runner leaves a result")
    }

    fn shell(&self, text: &str) -> CallResult {
        self.run(self.spec(shell(text)))
    }
}

fn shell(text: &str) -> Work {
    program(&["bash", "-c", text])
}

fn program(argv: &[&str]) -> Work {
    Work::Program { argv: argv.iter().map(|a| (*a).to_owned()).collect(), env: BTreeMap::new(), stdin: None }
}

/// Starts a runner with that text on its standard input and waits for its end.
fn start(text: &[u8], folder: &Path, lock: std::fs::File) {
    let RunnerCommand { program, args, .. } = runner();
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(lock)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    child.wait().unwrap();
}

#[test]
fn half_a_spec_runs_nothing_and_leaves_nothing() {
    let ground = Ground::new();
    let marker = ground.ws().join("ran");
    let runs = ground.root.path().join("runs");
    let permit = "00000000-0000-7000-8000-000000000001".parse().unwrap();
    for part in [0.0, 0.5, 0.99] {
        let folder = Folder::make(&runs, permit).unwrap();
        let mut spec = ground.spec(program(&["touch", marker.to_str().unwrap()]));
        spec.folder.clone_from(&folder.path);
        let whole = serde_json::to_vec(&spec).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a short length")]
        #[expect(clippy::cast_precision_loss, reason = "a part of a short length")]
        let length = (whole.len() as f64 * part) as usize;
        start(&whole[..length], &folder.path, folder.lock);
        assert_eq!(Folder::find(&runs, permit), Found::NeverBegan);
        assert!(!marker.exists());
    }
}

#[test]
fn what_a_program_may_not_touch() {
    let ground = Ground::new();
    let root = ground.root.path().display();
    for (what, text) in [
        ("the daemon's files", format!("cat {root}/vault.key")),
        ("a listing of them", format!("ls {root}")),
        ("a file outside", format!("echo x > {root}/planted")),
        ("other people's passwords", "cat /etc/shadow".to_owned()),
        ("the runner's environment", "cat /proc/$PPID/environ".to_owned()),
        ("the map of its memory", "cat /proc/$PPID/maps".to_owned()),
        ("the runner's memory", "head -c1 /proc/$PPID/mem".to_owned()),
        ("the runner itself", "kill -0 $PPID".to_owned()),
        ("the way round by proc", format!("cat /proc/1/root{root}/vault.key")),
        ("shared memory", "echo x > /dev/shm/wardkeep-test".to_owned()),
        ("the common /tmp", "echo x > /tmp/wardkeep-test".to_owned()),
        ("its own result", "echo '{}' > $TMPDIR/../result.json".to_owned()),
    ] {
        let result = ground.shell(&text);
        assert_eq!(result.status, RunStatus::Failed, "{what}: {result:?}");
        assert!(!result.output.contains("the key of the vault"), "{what}");
    }
    assert!(!ground.root.path().join("planted").exists());
}

#[test]
fn set_user_id_gives_nothing() {
    let result = Ground::new().shell("grep -E 'NoNewPrivs|CapEff|CapPrm' /proc/self/status");
    let none = "0".repeat(16);
    assert_eq!(result.output, format!("CapPrm:\t{none}\nCapEff:\t{none}\nNoNewPrivs:\t1\n"));
}

#[test]
fn the_workspace_and_the_private_folder_can_be_written() {
    let ground = Ground::new();
    let result = ground.shell("echo one > a && mkdir d && echo two > $TMPDIR/b && cat a $TMPDIR/b && pwd");
    let ws = std::fs::canonicalize(ground.ws()).unwrap();
    assert_eq!((result.status, result.exit_code), (RunStatus::Ok, Some(0)), "{}", result.output);
    assert_eq!(result.output, format!("one\ntwo\n{}\n", ws.display()));
}

#[test]
fn the_environment_is_ours_and_values_never_stand_in_arguments() {
    let ground = Ground::new();
    let mut spec =
        ground.spec(shell("tr '\\0' ' ' < /proc/self/cmdline; env; echo ${#TOKEN}; read -r line; echo \"$line\""));
    if let Work::Program { env, stdin, .. } = &mut spec.work {
        env.insert("TOKEN".to_owned(), SECRET.to_owned());
        *stdin = Some(format!("{SECRET}\n"));
    }
    let result = ground.run(spec);
    assert!(!result.output.contains(SECRET), "{}", result.output);
    assert!(result.output.contains("TOKEN=SECRET_REF(token)"), "{}", result.output);
    assert!(result.output.contains(&format!("\n{}\nSECRET_REF(token)\n", SECRET.len())), "{}", result.output);
    let names: Vec<&str> = result
        .output
        .lines()
        .filter_map(|l| l.split_once('=').map(|(n, _)| n))
        .filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        .collect();
    for name in names {
        let ours = ["PATH", "HOME", "TMPDIR", "LANG", "TOKEN", "PWD", "SHLVL", "_"].contains(&name);
        assert!(ours || name.starts_with("GIT_"), "{name}");
    }
}

#[test]
fn names_of_variables_that_would_define_code_are_refused() {
    for name in ["BASH_FUNC_ls%%", "", "1A", "A B", "A=B"] {
        let ground = Ground::new();
        let mut spec = ground.spec(shell("ls"));
        if let Work::Program { env, .. } = &mut spec.work {
            env.insert(name.to_owned(), "() { echo taken; }".to_owned());
        }
        let result = ground.run(spec);
        assert_eq!((result.status, result.exit_code), (RunStatus::Failed, None), "{name}: {result:?}");
    }
}

#[test]
fn a_bare_name_is_never_found_in_the_workspace() {
    let ground = Ground::new();
    let fake = ground.ws().join("wk-tool");
    std::fs::write(&fake, "#!/bin/sh\necho taken\n").unwrap();
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut spec = ground.spec(program(&["wk-tool"]));
    if let Work::Program { env, .. } = &mut spec.work {
        env.insert("PATH".to_owned(), ground.ws().display().to_string());
    }
    assert_eq!(ground.run(spec).output, "the program wk-tool is not found");
}

#[test]
fn at_the_limit_everything_ends_also_what_left_the_group() {
    let ground = Ground::new();
    let mut spec = ground.spec(shell("setsid sh -c 'echo $$ > left; exec sleep 600' & echo $$ > group; sleep 600"));
    // Both have written who they are by then.
    spec.limit_ms = 5000;
    let result = ground.run(spec);
    assert_eq!((result.status, result.exit_code), (RunStatus::Failed, None));
    assert!(result.output.starts_with("[stopped: it ran longer than 5 s]"), "{}", result.output);
    for file in ["left", "group"] {
        let pid = std::fs::read_to_string(ground.ws().join(file)).unwrap();
        assert!(!Path::new("/proc").join(pid.trim()).exists(), "{file} {pid} is still there");
    }
}

#[test]
fn nothing_stays_behind_after_a_proper_end() {
    let ground = Ground::new();
    let result =
        ground.shell("setsid sh -c 'echo $$ > left; exec sleep 600' & while ! [ -s left ]; do :; done; echo done");
    assert_eq!((result.status, result.output.as_str()), (RunStatus::Ok, "done\n"));
    let pid = std::fs::read_to_string(ground.ws().join("left")).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists());
}

#[test]
fn long_output_is_cut_and_says_so() {
    let ground = Ground::new();
    let mut spec = ground.spec(shell("head -c 1000000 /dev/zero | tr '\\0' x; echo end >&2"));
    spec.output_bytes = 1000;
    let result = ground.run(spec);
    assert_eq!((result.status, result.truncated, result.output.len()), (RunStatus::Ok, true, 1000));
}

#[test]
fn exit_codes_and_signals_are_told() {
    let ground = Ground::new();
    for (text, want) in [("exit 3", Some(3)), ("kill -9 $$", Some(137)), ("no-such-program-at-all", Some(127))] {
        let result = ground.shell(text);
        assert_eq!((result.status, result.exit_code), (RunStatus::Failed, want), "{text}");
    }
}

#[test]
fn a_read_has_no_network() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ground = Ground::new();
    for (protocol, through) in [("tcp", "through\n"), ("udp", "through\n")] {
        let connect = format!("exec 3<>/dev/{protocol}/127.0.0.1/{port} && echo through");
        let mut spec = ground.spec(shell(&connect));
        spec.reach = Reach::Reads;
        assert_eq!(ground.run(spec).status, RunStatus::Failed, "{protocol}");
        assert_eq!(ground.run(ground.spec(shell(&connect))).output, through, "{protocol}");
    }
}

#[test]
fn no_run_speaks_to_a_unix_socket() {
    let ground = Ground::new();
    // Where the daemon's own sockets are not, so that only the kind of socket is refused.
    let path = ground.ws().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    for reach in [Reach::Reads, Reach::Changes] {
        let mut spec = ground.spec(program(&["perl", "-MSocket", "-e", PERL_CONNECT, path.to_str().unwrap()]));
        spec.reach = reach;
        let result = ground.run(spec);
        assert_eq!(result.output, "Permission denied", "{reach:?}");
    }
}

/// Prints why no Unix socket can be made, or that one is connected.
const PERL_CONNECT: &str = "socket(my $s, AF_UNIX, SOCK_STREAM, 0) or do { print $!; exit }; \
                            connect($s, sockaddr_un($ARGV[0])) or die $!; print 'connected'";

#[test]
fn a_read_writes_nothing_into_the_workspace() {
    let ground = Ground::new();
    std::fs::write(ground.ws().join("notes"), "kept").unwrap();
    for text in ["echo x > new", "echo x > notes", "rm notes", "mv notes away", "mkdir d", "ln -s notes l"] {
        let mut spec = ground.spec(shell(text));
        spec.reach = Reach::Reads;
        assert_eq!(ground.run(spec).status, RunStatus::Failed, "{text}");
    }
    assert_eq!(std::fs::read_to_string(ground.ws().join("notes")).unwrap(), "kept");
    assert_eq!(std::fs::read_dir(ground.ws()).unwrap().count(), 1);
    let mut spec = ground.spec(shell("cat notes; echo x > \"$TMPDIR/x\" && cat \"$TMPDIR/x\""));
    spec.reach = Reach::Reads;
    assert_eq!(ground.run(spec).output, "keptx\n");
}

#[test]
fn a_folder_to_start_in_stays_inside() {
    let ground = Ground::new();
    std::fs::create_dir(ground.ws().join("in")).unwrap();
    symlink("/usr", ground.ws().join("out")).unwrap();
    for (cwd, inside) in [("..", false), ("out", false), ("/usr", false), ("missing", false), ("in", true)] {
        let mut spec = ground.spec(program(&["pwd"]));
        spec.cwd = Some(cwd.to_owned());
        let result = ground.run(spec);
        assert_eq!(result.status == RunStatus::Ok, inside, "{cwd}: {}", result.output);
    }
}

#[test]
fn files_outside_the_workspace_are_refused_by_every_way() {
    let ground = Ground::new();
    let (ws, root) = (ground.ws(), ground.root.path().to_owned());
    symlink(root.join("vault.key"), ws.join("link")).unwrap();
    symlink(&root, ws.join("up")).unwrap();
    symlink("/proc/self/root", ws.join("magic")).unwrap();
    std::fs::create_dir(ws.join("d")).unwrap();
    let key = root.join("vault.key").display().to_string();
    let ways = [
        "../vault.key",
        "d/../../vault.key",
        "link",
        "up/vault.key",
        &format!("magic{key}"),
        &key,
        "/etc/passwd",
        "up",
    ];
    for path in ways {
        let path = path.to_owned();
        let works = [
            Work::FileRead { path: path.clone() },
            Work::FileList { path: path.clone() },
            Work::FileWrite { path: path.clone(), content: "taken".to_owned() },
        ];
        for work in works {
            let result = ground.run(ground.spec(work));
            assert_eq!(result.status, RunStatus::Failed, "{path}: {result:?}");
            assert!(!result.output.contains("the key of the vault"));
        }
        if path.contains('/') {
            let result = ground.run(ground.spec(Work::FileDelete { path: path.clone() }));
            assert_eq!(result.status, RunStatus::Failed, "{path}: {result:?}");
        }
    }
    assert_eq!(std::fs::read_to_string(root.join("vault.key")).unwrap(), "the key of the vault");
}

#[test]
fn deleting_a_link_or_a_folder_with_links_leaves_what_they_point_to() {
    let ground = Ground::new();
    let outside = ground.root.path().join("keep");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("file"), "kept").unwrap();
    symlink(&outside, ground.ws().join("link")).unwrap();
    std::fs::create_dir_all(ground.ws().join("tree/deep")).unwrap();
    symlink(&outside, ground.ws().join("tree/deep/link")).unwrap();
    for path in ["link", "tree/"] {
        let result = ground.run(ground.spec(Work::FileDelete { path: path.to_owned() }));
        assert_eq!(result.status, RunStatus::Ok, "{path}: {}", result.output);
        assert!(std::fs::symlink_metadata(ground.ws().join(path)).is_err());
    }
    assert_eq!(std::fs::read_to_string(outside.join("file")).unwrap(), "kept");
    for path in [".", "", "tree/..", "missing"] {
        let result = ground.run(ground.spec(Work::FileDelete { path: path.to_owned() }));
        assert_eq!(result.status, RunStatus::Failed, "{path:?}");
    }
    assert!(ground.ws().exists());
}

#[test]
fn what_is_no_regular_file_is_not_read_or_replaced() {
    let ground = Ground::new();
    let fifo = ground.ws().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    std::fs::create_dir(ground.ws().join("folder")).unwrap();
    for path in ["fifo", "folder"] {
        let read = ground.run(ground.spec(Work::FileRead { path: path.to_owned() }));
        let write = ground.run(ground.spec(Work::FileWrite { path: path.to_owned(), content: "x".to_owned() }));
        assert_eq!((read.status, write.status), (RunStatus::Failed, RunStatus::Failed), "{path}");
    }
}

#[test]
fn a_new_file_is_for_whom_its_folder_is_and_an_old_one_keeps_its_mode() {
    let ground = Ground::new();
    let mode = |path: &str| ground.ws().join(path).metadata().unwrap().permissions().mode() & 0o7777;
    let set = |path: &str, mode| {
        std::fs::set_permissions(ground.ws().join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let write = |path: &str| {
        let result = ground.run(ground.spec(Work::FileWrite { path: path.to_owned(), content: "x".to_owned() }));
        assert_eq!(result.status, RunStatus::Ok, "{path}: {}", result.output);
    };
    for (folder, file) in [(0o700, 0o600), (0o750, 0o640), (0o755, 0o644), (0o2770, 0o660), (0o1777, 0o666)] {
        set("", folder);
        write("new");
        assert_eq!(mode("new"), file, "{folder:o}");
        std::fs::remove_file(ground.ws().join("new")).unwrap();
    }
    set("", 0o750);
    write("a/b/new");
    assert_eq!((mode("a/b/new"), mode("a/b") & !0o022), (0o640, 0o750));
    for kept in [0o600, 0o444, 0o751] {
        set("a/b/new", kept);
        write("a/b/new");
        assert_eq!(mode("a/b/new"), kept);
    }
    // Rights that a program would get by it are no part of a file that was written anew.
    set("a/b/new", 0o4755);
    write("a/b/new");
    assert_eq!(mode("a/b/new"), 0o755);
}

#[test]
fn a_file_with_another_name_outside_is_left_there_as_it_is() {
    let ground = Ground::new();
    let (inside, outside) = (ground.ws().join("a"), ground.root.path().join("b"));
    for (what, work) in [
        ("write", Work::FileWrite { path: "a".to_owned(), content: "x".to_owned() }),
        ("delete", Work::FileDelete { path: "a".to_owned() }),
    ] {
        let _ = std::fs::remove_file(&inside);
        std::fs::write(&outside, "outside").unwrap();
        std::fs::hard_link(&outside, &inside).unwrap();
        assert_eq!(ground.run(ground.spec(work)).status, RunStatus::Ok, "{what}");
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "outside", "{what}");
        // And by a symbolic link, which is replaced or refused, never followed.
        let _ = std::fs::remove_file(&inside);
        symlink(&outside, &inside).unwrap();
        let work = Work::FileWrite { path: "a".to_owned(), content: "x".to_owned() };
        assert_eq!(ground.run(ground.spec(work)).status, RunStatus::Failed);
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "outside", "{what}");
    }
}

#[test]
fn files_are_written_read_and_listed() {
    let ground = Ground::new();
    let absolute = ground.ws().join("new/deep/b.txt").display().to_string();
    for path in ["a.txt", absolute.as_str()] {
        let result =
            ground.run(ground.spec(Work::FileWrite { path: path.to_owned(), content: format!("key {SECRET}") }));
        assert_eq!(result.status, RunStatus::Ok, "{}", result.output);
        let result = ground.run(ground.spec(Work::FileRead { path: path.to_owned() }));
        assert_eq!(result.output, "key SECRET_REF(token)");
    }
    std::fs::set_permissions(ground.ws().join("a.txt"), std::fs::Permissions::from_mode(0o750)).unwrap();
    let _ = ground.run(ground.spec(Work::FileWrite { path: "a.txt".to_owned(), content: "second".to_owned() }));
    assert_eq!(std::fs::read_to_string(ground.ws().join("a.txt")).unwrap(), "second");
    assert_eq!(ground.ws().join("a.txt").metadata().unwrap().permissions().mode() & 0o777, 0o750);
    let mut spec = ground.spec(Work::FileList { path: String::new() });
    assert_eq!(ground.run(spec).output, "a.txt\nnew/");
    spec = ground.spec(Work::FileRead { path: "b.txt".to_owned() });
    spec.cwd = Some("new/deep".to_owned());
    assert_eq!(ground.run(spec).output, "key SECRET_REF(token)");
}

#[test]
fn a_folder_goes_only_when_it_was_named_as_one() {
    let ground = Ground::new();
    std::fs::create_dir_all(ground.ws().join("d/e")).unwrap();
    std::fs::write(ground.ws().join("d/e/f.txt"), "x").unwrap();
    let delete = |path: &str| ground.run(ground.spec(Work::FileDelete { path: path.to_owned() }));
    let refused = delete("d");
    assert_eq!(refused.status, RunStatus::Failed);
    assert!(refused.output.contains("name it d/"), "{}", refused.output);
    assert!(ground.ws().join("d/e/f.txt").exists());
    assert_eq!(delete("d/e/f.txt").status, RunStatus::Ok);
    assert_eq!(delete("d/").status, RunStatus::Ok);
    assert!(!ground.ws().join("d").exists());
}

#[test]
fn a_request_carries_what_it_should_and_follows_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let answers = [
            format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\nyour key is {SECRET}",
                12 + SECRET.len()
            ),
            "HTTP/1.1 302 Found\r\nlocation: http://evil.example/x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                .to_owned(),
            "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\nconnection: close\r\n\r\ngone".to_owned(),
        ];
        answers.map(|answer| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = Vec::new();
            let mut chunk = [0; 4096];
            while !String::from_utf8_lossy(&seen).contains("{\"a\":1}") {
                let read = std::io::Read::read(&mut stream, &mut chunk).unwrap();
                seen.extend_from_slice(&chunk[..read]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(seen).unwrap()
        })
    });
    let ground = Ground::new();
    let results = [(); 3].map(|()| {
        ground.run(ground.spec(Work::Http {
            method: "POST".to_owned(),
            url: format!("http://127.0.0.1:{port}/send?x=1"),
            headers: vec![("x-api-key".to_owned(), SECRET.to_owned())],
            body: Some("{\"a\":1}".to_owned()),
            reply: Reply::default(),
        }))
    });
    let seen = server.join().unwrap();
    assert!(
        seen[0].starts_with("POST /send?x=1 HTTP/1.1\r\n") && seen[0].contains(&format!("x-api-key: {SECRET}")),
        "{}",
        seen[0]
    );
    assert_eq!((results[0].status, results[0].http_status), (RunStatus::Ok, Some(200)));
    assert_eq!(results[0].output, "your key is SECRET_REF(token)");
    assert_eq!(results[1].http_status, Some(302));
    assert_eq!(results[1].output, "[redirect, not followed: http://evil.example/x]\n");
    assert_eq!(
        (results[2].status, results[2].http_status, results[2].output.as_str()),
        (RunStatus::Failed, Some(404), "gone")
    );
}

#[test]
fn this_kernel_is_described() {
    // The other tests need it; a machine without Landlock must fail here with a clear name.
    assert_ne!(sandbox_state(), SandboxState::None);
}
