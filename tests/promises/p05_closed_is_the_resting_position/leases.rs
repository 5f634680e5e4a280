//! A lease that is bound to a connection is a process's own: nobody else keeps it, and nothing brings it back.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::stage::{Setting, Stage};

/// Takes a lease as a runtime's plugin does, says so, and lives on. With a third word a child of it inherits the connection
/// and keeps it for as long as its input is open.
const RUNTIME: &str = r#"
    use Socket;
    my ($path, $token, $child) = @ARGV;
    socket(my $to, AF_UNIX, SOCK_STREAM, 0) or die "no socket: $!";
    connect($to, sockaddr_un($path)) or die "no way: $!";
    my $body = '{"session": "runtime-1", "runtime": "runtime/1"}';
    my $head = "POST /v1/hooks/lease HTTP/1.1\r\nhost: x\r\nauthorization: Bearer $token\r\ncontent-length: " . length($body);
    syswrite($to, "$head\r\ncontent-type: application/json\r\n\r\n$body");
    my $heard = '';
    while ($heard !~ /"agent"/) { sysread($to, $heard, 4096, length $heard) or die "refused: $heard"; }
    if ($child && fork() == 0) { sysread(STDIN, my $none, 1); syswrite(STDOUT, "let go\n"); exit }
    $| = 1; print "held\n";
    sleep 600;
"#;

struct Runtime {
    process: Child,
    /// Closed with this, also when a test fails: no child outlives it.
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What a killed runtime leaves behind.
struct Left {
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Runtime {
    async fn start(stage: &Stage, more: &[&str]) -> Self {
        let socket = stage.setting.folder.join("tenant/run/hook.sock");
        let mut command = Command::new("perl");
        command.args(["-e", RUNTIME]).arg(socket).arg(&stage.tenant.agent_token).args(more);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("perl starts");
        let input = process.stdin.take().expect("a pipe");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        assert_eq!(lines.next_line().await.expect("it speaks").as_deref(), Some("held"));
        Self { process, input, lines }
    }

    /// kill -9.
    async fn kill(mut self) -> Left {
        self.process.kill().await.expect("killed");
        Left { input: self.input, lines: self.lines }
    }
}

impl Left {
    /// Ends the child, which was there until now.
    async fn end(mut self) {
        drop(self.input);
        assert_eq!(self.lines.next_line().await.expect("it speaks").as_deref(), Some("let go"));
        assert_eq!(self.lines.next_line().await.expect("it ends"), None);
    }
}

async fn set(folder: &Path) -> (Stage, Hooks) {
    let stage = Stage::set(Setting::plain(folder), &|_| ()).await.expect("the stage stands");
    let hooks = Hooks::of(&stage.tenant).expect("a client");
    (stage, hooks)
}

async fn answers(hooks: &Hooks) -> bool {
    hooks.ask_model("hello").await.expect("an answer").0.is_success()
}

/// The end of a process is seen at once, but not before it is over.
async fn refused_soon(hooks: &Hooks) {
    let within = tokio::time::timeout(Duration::from_secs(5), async {
        while answers(hooks).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    within.await.expect("the model is out of reach in the moment in which the process is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_runtime_takes_its_lease_along_and_one_without_a_hook_gets_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = set(folder.path()).await;
    assert!(!answers(&hooks).await);
    let runtime = Runtime::start(&stage, &[]).await;
    assert!(answers(&hooks).await, "while it lives the model answers");
    runtime.kill().await;
    refused_soon(&hooks).await;
    // What was started in its place has the same token. It asks for models only, or makes calls as its tools do.
    let (_, answer) = hooks.propose("c1", "read_file", json!({"path": super::NOTE})).await.expect("an answer");
    hooks.exec(answer["permit"].as_str().unwrap_or_default()).await.expect("an answer");
    let asks = json!({"session": "runtime-1", "runtime": "runtime/1", "bound": true});
    let (status, _) = hooks.post("/v1/hooks/session-start", &asks).await.expect("an answer");
    assert_eq!(status, 409);
    hooks.post("/v1/hooks/redact", &json!({"session": "runtime-1", "value": 1})).await.expect("an answer");
    assert!(!answers(&hooks).await, "calls of another process bring no lease back");
    let again = Runtime::start(&stage, &[]).await;
    assert!(answers(&hooks).await);
    again.kill().await;
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_a_lease_that_would_outlive_the_runtime() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = set(folder.path()).await;
    // From before the runtime came.
    hooks.start_session().await.expect("an answer");
    let runtime = Runtime::start(&stage, &[]).await;
    let (status, answer) = hooks.start_session().await.expect("an answer");
    assert_eq!(status, 409, "{answer}");
    runtime.kill().await;
    refused_soon(&hooks).await;
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_inherits_the_connection_does_not_keep_the_lease() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = set(folder.path()).await;
    let runtime = Runtime::start(&stage, &["with a child"]).await;
    assert!(answers(&hooks).await);
    let left = runtime.kill().await;
    refused_soon(&hooks).await;
    left.end().await;
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_forgets_who_was_alive_and_learns_it_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = set(folder.path()).await;
    let runtime = Runtime::start(&stage, &[]).await;
    assert!(answers(&hooks).await);
    stage.tenant.service.kill().expect("killed");
    wait("the daemon", || async { Ok(hooks.get("/v1/calls/x/y").await.ok().map(drop)) })
        .await
        .expect("it starts again");
    assert!(!answers(&hooks).await, "a connection of before proves nothing");
    let again = Runtime::start(&stage, &[]).await;
    assert!(answers(&hooks).await);
    again.kill().await;
    runtime.kill().await;
    stage.strike().await.expect("everything stops");
}
