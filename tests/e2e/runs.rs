//! Commands of calls in units of their own, on a real systemd: what holds them, what cuts them, and what happens when parts of
//! it die. Each part of the story is a function; they share one server, because a boot takes longer than they do.

use std::time::Duration;

use serde_json::{Value, json};

use crate::container::{Container, until};
use crate::enrolment::Hub;

const POLICY: &str = r#"
[[agents]]
name = "assistant"
level = "trusted"
workspace = "/srv/agents/assistant"

[[runs]]
agent = "assistant"
seconds = 30
processes = 40
file_mebibytes = 4
"#;

/// The agent's side of the hook socket.
struct Agent<'a> {
    server: &'a Container,
    token: String,
}

impl<'a> Agent<'a> {
    fn new(server: &'a Container) -> Self {
        let token = server.must("wardkeep hook token assistant --rotate").trim().to_owned();
        let agent = Self { server, token };
        let lease = agent.post("/v1/hooks/session-start", &json!({"session": "s1", "runtime": "e2e"}));
        assert_eq!(lease["agent"], "assistant", "{lease}");
        agent
    }

    fn curl(&self, path: &str, more: &str) -> String {
        let curl = "runuser -u agent -- curl -sS --max-time 60 --unix-socket /run/wardkeep/hook.sock --config -";
        let settings =
            format!("url = \"http://daemon{path}\"\nheader = \"Authorization: Bearer {}\"\n{more}", self.token);
        self.server.run_with(curl, &settings).said
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let body = Value::String(body.to_string());
        let said = self.curl(path, &format!("header = \"Content-Type: application/json\"\ndata = {body}\n"));
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("{path}: {said}"))
    }

    /// Proposes a command and has it approved where that is asked for; answers its permit, or nothing when it starts by itself.
    fn propose(&self, call: &str, command: &str) -> Option<String> {
        let asked = json!({"session": "s1", "call": call, "tool": "shell", "args": {"command": command}});
        let answer = self.post("/v1/hooks/before-tool-call", &asked);
        match answer["decision"].as_str() {
            Some("allow") => Some(answer["permit"].as_str().expect("a permit").to_owned()),
            Some("pending") => {
                let digest = answer["digest"].as_str().expect("a digest");
                self.server.must(&format!("wardkeep approvals approve {digest}"));
                None
            }
            _ => panic!("{command}: {answer}"),
        }
    }

    fn result(&self, call: &str) -> Value {
        let mut last = Value::Null;
        let ended = until(Duration::from_secs(60), call, || {
            last = serde_json::from_str(&self.curl(&format!("/v1/calls/s1/{call}"), ""))?;
            Ok(!last["result"].is_null())
        });
        ended.unwrap_or_else(|error| panic!("{error}: {last}"));
        last["result"].clone()
    }

    /// Runs a command to its end.
    fn run(&self, call: &str, command: &str) -> Value {
        if let Some(permit) = self.propose(call, command) {
            self.post("/v1/exec", &json!({"permit": permit}));
        }
        self.result(call)
    }

    /// Starts a command, and waits until it has made the file `begun` in the workspace.
    fn start(&self, call: &str, command: &str) {
        self.server.must("rm -f /srv/agents/assistant/begun");
        if let Some(permit) = self.propose(call, &format!("echo x > begun; {command}")) {
            let settings = format!(
                "url = http://daemon/v1/exec\nheader = \"Authorization: Bearer {}\"\nheader = \"Content-Type: application/json\"\n\
                 data = \"{{\\\"permit\\\": \\\"{permit}\\\"}}\"\n",
                self.token
            );
            let curl = "cat > /run/start.curl; (curl -sS --unix-socket /run/wardkeep/hook.sock --config /run/start.curl \
                        >/dev/null 2>&1 &)";
            assert!(self.server.run_with(curl, &settings).ok);
        }
        self.server.wait_for("test -s /srv/agents/assistant/begun");
    }
}

const UNITS: &str = "systemctl list-units --no-legend --all 'wardkeep-run-*.service'";

#[test]
fn commands_run_in_units_of_their_own() {
    let (hub, server) = (Hub::start(), Container::boot().expect("boots"));
    let installed = server.run(&hub.command_for("bakery"));
    assert!(installed.ok, "{}", installed.said);
    hub.publish("bakery", POLICY);
    server.wait_for("wardkeep policy show | grep -q 'at most 30 s'");
    server.wait_for("wardkeep status | grep -q 'a unit and a user of its own'");
    let doctor = server.run("wardkeep doctor");
    assert!(doctor.said.contains("a probe in one got through nowhere"), "{}", doctor.said);

    let agent = Agent::new(&server);
    who_and_where(&server, &agent);
    what_it_reaches(&server, &agent);
    what_cuts_it(&server, &agent);
    a_daemon_that_dies_finds_its_run_again(&server, &agent);
    a_runner_that_dies_takes_its_unit_along(&server, &agent);
    a_stop_kills_at_once(&server, &agent);
    without_the_helper_only_reads_are_allowed(&server, &agent);
    assert_eq!(server.must(UNITS).trim(), "", "units are left");
}

fn who_and_where(server: &Container, agent: &Agent<'_>) {
    let first = agent.run("who-1", "id -u; cat /proc/self/cgroup; grep -c . /proc/self/status; echo one > made");
    assert_eq!(first["status"], "ok", "{first}");
    let said = first["output"].as_str().expect("text");
    assert!(said.contains("/wardkeep-run-"), "{said}");
    let uid = said.lines().next().expect("a line").to_owned();
    for other in ["root", "wardkeep", "agent"] {
        assert_ne!(uid, server.must(&format!("id -u {other}")).trim(), "{other}");
    }
    assert!(first["cpu_ms"].is_u64(), "{first}");
    // The next one can change what the last one made, and so can the agent.
    let second = agent.run("who-2", "id -u; chmod 640 made && echo two >> made && cat made");
    assert_eq!(second["output"], format!("{uid}\none\ntwo\n"), "{second}");
    assert!(server.must("stat -c %G /srv/agents/assistant/made").contains("wardkeep-work"));
    // A read is somebody else, and changes nothing.
    let read = agent.run("who-3", "cat made");
    assert_eq!(read["output"], "one\ntwo\n", "{read}");
}

fn what_it_reaches(server: &Container, agent: &Agent<'_>) {
    server.must("install -d -m 2770 -g wardkeep-work /srv/agents/other; echo hidden > /srv/agents/other/file");
    let looked = agent
        .run("reach-1", "ls /srv/agents/other /var/lib/wardkeep /home/agent /run/wardkeep; ls /proc; echo x > made-2");
    let said = looked["output"].as_str().expect("text");
    assert!(!said.contains("hidden") && !said.contains("hook.sock") && !said.contains("vault.db"), "{said}");
    let processes = said.lines().filter(|line| line.parse::<u32>().is_ok()).count();
    assert!(processes < 6, "{said}");
    // The one way out is the proxy, which knows whose run it is: a host that is not listed is refused by it, not unreachable.
    let refused = agent.run(
        "reach-2",
        "curl -sS https://shop.example/; curl -sS --noproxy '*' http://127.0.0.1:7401/; echo over > made-3",
    );
    let said = refused["output"].as_str().expect("text");
    assert!(said.contains("response 403"), "{said}");
    assert!(said.contains("Failed to connect to 127.0.0.1 port 7401"), "{said}");
    assert!(!said.contains("wkr1_"), "{said}");
    assert!(!server.must("journalctl --no-pager").contains("wkr1_"));
}

fn what_cuts_it(server: &Container, agent: &Agent<'_>) {
    let size = agent.run("cut-1", "head -c 9000000 /dev/zero > large; wc -c < large");
    assert!(size["output"].as_str().expect("text").contains("4194304"), "{size}");
    let forks = agent.run("cut-2", "for i in $(seq 100); do sleep 20 & done; echo x > made-4; jobs -r | wc -l");
    let said = forks["output"].as_str().expect("text");
    assert!(said.contains("fork") || said.contains("Resource"), "{said}");
    let killed = agent.run("cut-3", "echo x > made-5; kill -9 $$");
    assert_eq!((&killed["signal"], &killed["exit_code"]), (&json!(9), &json!(137)), "{killed}");
    let late = agent.run("cut-4", "echo x > made-6; setsid sleep 300 & sleep 300");
    assert!(late["output"].as_str().expect("text").starts_with("[stopped: it ran longer than 30 s]"), "{late}");
    assert!(!server.run("grep -lsa 'slee[p].300' /proc/[0-9]*/cmdline").ok, "something is left");
}

fn a_daemon_that_dies_finds_its_run_again(server: &Container, agent: &Agent<'_>) {
    agent.start("crash-1", "sleep 3; echo ran >> crash-1; echo survived");
    let daemon = server.unit("MainPID");
    server.must(&format!("kill -KILL {daemon}"));
    server.wait_for(&format!("test $(systemctl show -P MainPID wardkeep-agent) != {daemon}"));
    server.wait_for("test -S /run/wardkeep/hook.sock && wardkeep status");
    let result = agent.result("crash-1");
    assert_eq!((&result["status"], &result["output"]), (&json!("ok"), &json!("survived\n")), "{result}");
    assert_eq!(server.must("cat /srv/agents/assistant/crash-1"), "ran\n");
}

fn a_runner_that_dies_takes_its_unit_along(server: &Container, agent: &Agent<'_>) {
    agent.start("crash-2", "echo ran >> crash-2; sleep 300");
    server.must("for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -q 'wardkeep-agent runne[r]' && kill -9 ${p#/proc/}; done; true");
    let result = agent.result("crash-2");
    assert_eq!(result["status"], "interrupted", "{result}");
    assert_eq!(server.must(UNITS).trim(), "", "recorded before its unit was gone");
    assert_eq!(server.must("cat /srv/agents/assistant/crash-2"), "ran\n");
}

fn a_stop_kills_at_once(server: &Container, agent: &Agent<'_>) {
    agent.start("stop-1", "setsid sleep 300 & sleep 300");
    server.must("wardkeep stop assistant --reason e2e");
    assert_eq!(server.must(UNITS).trim(), "");
    server.must("wardkeep resume assistant --reason e2e");
    assert_eq!(agent.result("stop-1")["status"], "interrupted");
}

fn without_the_helper_only_reads_are_allowed(server: &Container, agent: &Agent<'_>) {
    // The daemon's unit would bring it back.
    let off = "/run/systemd/system/wardkeep-helper.service.d";
    server.must(&format!("mkdir -p {off}; printf '[Unit]\\nConditionPathExists=/nowhere\\n' > {off}/off.conf"));
    server.must("systemctl daemon-reload; systemctl stop wardkeep-helper; systemctl restart wardkeep-agent");
    server.wait_for("wardkeep status | grep -q sandbox-broken");
    let asked = json!({"session": "s1", "call": "broken-1", "tool": "shell", "args": {"command": "echo x > made-7"}});
    let refused = agent.post("/v1/hooks/before-tool-call", &asked);
    assert_eq!(refused["decision"], "deny", "{refused}");
    assert!(refused.to_string().contains("sandbox-broken"), "{refused}");
    let listed = agent.post(
        "/v1/hooks/before-tool-call",
        &json!({"session": "s1", "call": "broken-2", "tool": "read_file", "args": {"path": "made"}}),
    );
    assert_eq!(listed["decision"], "allow", "{listed}");
    let doctor = server.run("wardkeep doctor");
    assert!(!doctor.ok && doctor.said.contains("systemctl start wardkeep-helper"), "{}", doctor.said);
    server.must(&format!("rm -r {off}; systemctl daemon-reload; systemctl start wardkeep-helper"));
    server.wait_for("wardkeep status | grep -q 'a unit and a user of its own'");
    assert_eq!(agent.run("broken-3", "echo again > made-8; cat made-8")["output"], "again\n");
}
