//! The product itself: the command that `wardkeep-hub tenant add` prints, pasted on a server.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use wardkeep_tests::ports;

use crate::container::{Container, until};

/// `wardkeep-hub serve` on the host's loopback, in a folder of its own.
pub(crate) struct Hub {
    folder: tempfile::TempDir,
    program: PathBuf,
    service: Child,
}

impl Hub {
    pub(crate) fn start() -> Self {
        let program = program("wardkeep-hub");
        assert!(program.with_file_name("wardkeep-agent").exists(), "wardkeep-agent is not built; use ./dev e2e");
        let folder = tempfile::tempdir().expect("tempdir");
        run(&program, folder.path(), &["init"]);
        let (link, web) = (ports::free().expect("a port"), ports::free().expect("a port"));
        let settings = format!(
            "[link]\nlisten = \"{link}\"\npublic_address = \"{link}\"\n\n[web]\nlisten = \"{web}\"\npublic_url = \"http://{web}\"\n"
        );
        std::fs::write(folder.path().join("hub.toml"), settings).expect("written");
        let log = std::fs::File::create(folder.path().join("hub.log")).expect("made");
        let service = Command::new(&program)
            .arg("--data-dir")
            .arg(folder.path())
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("the hub starts");
        let hub = Self { folder, program, service };
        let up = || Ok([link, web].iter().all(|address| TcpStream::connect(address).is_ok()));
        until(Duration::from_secs(30), "the hub to listen", up)
            .unwrap_or_else(|error| panic!("{error}\n{}", hub.log()));
        hub
    }

    fn cli(&self, words: &[&str]) -> String {
        run(&self.program, self.folder.path(), words)
    }

    /// Adds a server and answers the last line: the command.
    pub(crate) fn command_for(&self, tenant: &str) -> String {
        let said = self.cli(&["tenant", "add", tenant]);
        let command = said.lines().last().expect("a line").to_owned();
        assert!(command.contains("sha256sum") && command.contains("wke1."), "{said}");
        command
    }

    pub(crate) fn publish(&self, tenant: &str, policy: &str) {
        let file = self.folder.path().join("policy.toml");
        std::fs::write(&file, policy).expect("written");
        self.cli(&["policy", "publish", tenant, "--file", file.to_str().expect("text")]);
    }

    /// What the fleet page would show.
    fn tenant(&self, name: &str) -> serde_json::Value {
        let all: serde_json::Value = serde_json::from_str(&self.cli(&["tenant", "list", "--json"])).expect("JSON");
        let found = all.as_array().expect("a list").iter().find(|tenant| tenant["name"] == name);
        found.unwrap_or_else(|| panic!("{name} is not in {all}")).clone()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("hub.log")).unwrap_or_default()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

/// In the folder that cargo builds into, above the one this test is in.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let found = test.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is not built; use ./dev e2e"))
}

fn run(program: &Path, data: &Path, words: &[&str]) -> String {
    let output = Command::new(program).arg("--data-dir").arg(data).args(words).output().expect("starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn a_pasted_command_brings_a_server_online() {
    let (hub, server) = (Hub::start(), Container::boot().expect("boots"));
    let command = hub.command_for("bakery");
    assert!(hub.tenant("bakery")["last_seen_ms"].is_null());

    let start = Instant::now();
    let installed = server.run(&command);
    let took = start.elapsed();
    assert!(installed.ok, "{}\n{}\n{}", installed.said, server.run("journalctl --no-pager -n 60").said, hub.log());
    print!("{}", installed.said);
    assert!(took < Duration::from_secs(30), "first heartbeat after {took:?}");
    assert_eq!(hub.tenant("bakery")["standing"], "online");
    for (property, value) in [("ActiveState", "active"), ("SubState", "running"), ("NRestarts", "0")] {
        assert_eq!(server.unit(property), value, "{property}");
    }
    assert_eq!(server.unit("WatchdogUSec"), "30s");

    secrets_are_kept(&server);
    a_tool_call_runs_within_the_walls(&server);
    a_second_paste_is_harmless(&server, &command);
    a_killed_daemon_comes_back(&hub, &server);
    it_can_be_removed(&server, &command);
}

fn secrets_are_kept(server: &Container) {
    let value = "correct-horse-battery";
    let set = server.run_with("wardkeep vault set api_key --to host:api.example.com", &format!("{value}\n"));
    assert!(set.ok, "{}", set.said);
    let listed = server.must("wardkeep vault list");
    assert!(listed.contains("api_key") && !listed.contains(value), "{listed}");
    let clear = server.run(&format!("grep -rl {value} /var/lib/wardkeep /etc /run/wardkeep /var/log"));
    assert!(!clear.ok && clear.said.is_empty(), "{}", clear.said);
    let doctor = server.run("wardkeep doctor");
    assert!(doctor.ok, "{}", doctor.said);
}

/// As the agents' user, over the socket: the gate's sandbox and the unit's own walls fit together.
fn a_tool_call_runs_within_the_walls(server: &Container) {
    server.must("runuser -u agent -- sh -c 'echo dear customers > /srv/agents/assistant/letter.txt'");
    let token = server.must("wardkeep hook token assistant").trim().to_owned();
    let ask = |path: &str, body: serde_json::Value| -> serde_json::Value {
        let curl = "runuser -u agent -- curl -sS --unix-socket /run/wardkeep/hook.sock --config -";
        let body = serde_json::Value::String(body.to_string());
        let settings = format!(
            "url = \"http://daemon{path}\"\nheader = \"Authorization: Bearer {token}\"\nheader = \"Content-Type: application/json\"\ndata = {body}\n"
        );
        let said = server.run_with(curl, &settings).said;
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("{path}: {said}"))
    };
    let lease = ask("/v1/hooks/session-start", json!({"session": "s1", "runtime": "e2e"}));
    assert_eq!(lease["agent"], "assistant", "{lease}");
    let call = json!({"session": "s1", "call": "c1", "tool": "shell", "args": {"command": "cat letter.txt"}});
    let allowed = ask("/v1/hooks/before-tool-call", call);
    assert_eq!((&allowed["decision"], &allowed["class"]), (&json!("allow"), &json!("green")), "{allowed}");
    let done = ask("/v1/exec", json!({"permit": allowed["permit"]}));
    assert_eq!(done["result"]["output"], "dear customers\n", "{done}");
}

fn a_second_paste_is_harmless(server: &Container, command: &str) {
    let daemon = server.unit("MainPID");
    let again = server.run(command);
    assert!(again.ok && again.said.matches("already").count() == 10, "{}", again.said);
    assert_eq!(server.unit("MainPID"), daemon);
}

fn a_killed_daemon_comes_back(hub: &Hub, server: &Container) {
    let daemon = server.unit("MainPID");
    server.must(&format!("kill -KILL {daemon}"));
    server.wait_for(&format!(
        "systemctl is-active wardkeep-agent && test $(systemctl show -P MainPID wardkeep-agent) != {daemon}"
    ));
    server.must("runuser -u wardkeep -- wardkeep-agent status --wait-online 30");
    assert_eq!(hub.tenant("bakery")["standing"], "online");
}

fn it_can_be_removed(server: &Container, command: &str) {
    let (download, _) = command.split_once("echo 'wke1.").expect("the token comes last");
    let run = server.run(&format!("{download}sh \"$f\" uninstall --purge)"));
    assert!(run.ok && run.said.contains("Removed"), "{}", run.said);
    let left = server.must("find / -xdev -iname '*wardkeep*' ! -path '/proc/*' ! -path '/sys/*' ! -path '/var/log/*'");
    assert_eq!(left.trim(), "", "{}", run.said);
    assert!(!server.run("grep -E 'wardkeep|agent' /etc/passwd /etc/group").ok);
    assert!(!server.must("systemctl list-units --all --no-legend").contains("wardkeep"));
}

#[test]
fn a_spent_token_and_a_hub_that_is_away_are_told_apart_and_leave_nothing() {
    let (hub, server) = (Hub::start(), Container::boot().expect("boots"));
    let command = hub.command_for("bakery");
    assert!(server.run(&command).ok);
    let (download, _) = command.split_once("echo 'wke1.").expect("the token comes last");
    assert!(server.run(&format!("{download}sh \"$f\" uninstall --purge)")).ok);

    let spent = server.run(&command);
    assert!(!spent.ok && spent.said.contains("Step 'enrolment with the hub' failed"), "{}", spent.said);
    assert!(spent.said.contains("make a new command on the hub"), "{}", spent.said);
    assert!(!server.run("test -e /etc/wardkeep || id wardkeep").ok, "{}", spent.said);

    drop(hub);
    let away = server.run(&command);
    assert!(!away.ok && away.said.contains("onnect"), "the download fails: {}", away.said);
}
