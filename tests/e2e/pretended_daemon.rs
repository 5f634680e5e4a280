//! Script and unit against a real systemd, with a small daemon that can be told to fail.

use wardkeep_proto::secret::SecretValue;
use wardkeep_provisioner::one_liner::uninstall_one_liner;
use wardkeep_provisioner::{InstallParams, one_liner};

use crate::container::Container;
use crate::web;

const DAEMON: &str = include_str!("pretended-daemon.pl");
const TOKEN: &str = "wke1.only-for-this-test_-";

fn command(params: &InstallParams) -> String {
    one_liner(params, &SecretValue::new(TOKEN.to_owned())).expect("a token").expose().to_owned()
}

/// Everything the installer could leave, by name and mode; backups that `useradd` makes are not ours.
fn listing(server: &Container) -> String {
    server.must(
        "find /etc /opt /srv /home /usr/local /var/lib /root /run/systemd/system -xdev \
         ! -name 'passwd-' ! -name 'group-' ! -name 'shadow-' ! -name 'gshadow-' ! -name 'sub?id-' ! -path '/var/lib/systemd*' \
         ! -path '/var/lib/dbus*' -printf '%p %m %u:%g\\n' | sort; cat /etc/passwd /etc/group",
    )
}

/// Lines of one listing that the other has not; a whole listing says nothing to a reader.
fn assert_same(server: &Container, before: &str, said: &str) {
    let after = listing(server);
    let only = |one: &str, other: &str| {
        one.lines().filter(|line| !other.lines().any(|l| l == *line)).map(str::to_owned).collect::<Vec<_>>()
    };
    let (gone, new) = (only(before, &after), only(&after, before));
    assert!(gone.is_empty() && new.is_empty(), "gone: {gone:#?}\nnew: {new:#?}\n{said}");
}

#[test]
fn a_server_is_installed_and_survives_what_happens_to_it() {
    let server = Container::boot().expect("boots");
    let params = web::serve("1.0.0", DAEMON.as_bytes());
    let installed = server.run(&command(&params));
    assert!(installed.ok && installed.said.contains("This server is online"), "{}", installed.said);
    print!("{}", installed.said);

    is_hardened(&server);
    the_key_is_sealed_and_the_token_gone(&server);
    the_vault_command_has_the_key(&server);
    a_second_run_is_harmless(&server, &command(&params));
    a_runner_outlives_a_crash(&server);
    a_hung_daemon_is_replaced(&server);
}

fn is_hardened(server: &Container) {
    for (property, value) in [
        ("ActiveState", "active"),
        ("Type", "notify"),
        ("WatchdogUSec", "30s"),
        ("KillMode", "process"),
        ("Restart", "always"),
        ("User", "wardkeep"),
        ("NoNewPrivileges", "yes"),
        ("LimitCORE", "0"),
        ("LimitMEMLOCK", "infinity"),
        ("MemoryMax", "1073741824"),
        ("TasksMax", "512"),
        ("NRestarts", "0"),
    ] {
        assert_eq!(server.unit(property), value, "{property}");
    }
    let verified = server.must("systemd-analyze verify wardkeep-agent.service 2>&1");
    assert!(!verified.contains("wardkeep-agent.service"), "{verified}");
    // 0 is safe, 10 is open.
    let exposure = server.must("systemd-analyze security --no-pager wardkeep-agent.service | tail -n 1");
    let level: f32 = exposure.split_whitespace().find_map(|word| word.parse().ok()).expect("a number");
    assert!(level <= 2.0, "{exposure}");
}

fn the_key_is_sealed_and_the_token_gone(server: &Container) {
    assert_eq!(server.must("stat -c '%a %U' /etc/wardkeep/vault-key.cred").trim(), "600 root");
    assert!(!server.run("test -e /etc/wardkeep/vault.key").ok);
    assert_eq!(server.must("cat /var/lib/wardkeep/identity/token-was").trim(), TOKEN);
    server.must("rm /var/lib/wardkeep/identity/token-was");
    let found = server.run(&format!("grep -rl {} /etc /opt /usr/local /tmp /run /var/log /var/lib /root", &TOKEN[5..]));
    assert!(!found.ok && found.said.trim().is_empty(), "{}", found.said);
    assert!(!server.must("journalctl --no-pager").contains(TOKEN));
    assert!(!server.run("runuser -u agent -- ls /var/lib/wardkeep").ok, "the agents' user sees the state");
    server.must("runuser -u agent -- sh -c 'echo hello > /srv/agents/assistant/of-the-agent'");
}

fn the_vault_command_has_the_key(server: &Container) {
    let said = server.run_with("wardkeep vault set name", "value\n");
    assert!(said.ok && said.said.contains("vault set name wardkeep value"), "{}", said.said);
    let said = server.run_with("script -qec 'wardkeep vault list' /dev/null", "");
    assert!(said.ok && said.said.contains("vault list wardkeep terminal"), "{}", said.said);
}

fn a_second_run_is_harmless(server: &Container, command: &str) {
    let (pid, before) = (server.unit("MainPID"), listing(server));
    let again = server.run(command);
    assert!(again.ok && again.said.matches("already").count() == 10, "{}", again.said);
    assert_eq!(server.unit("MainPID"), pid, "the daemon went on");
    assert_same(server, &before, &again.said);
}

fn a_runner_outlives_a_crash(server: &Container) {
    let daemon = server.unit("MainPID");
    server.must(&format!("kill -USR1 {daemon}"));
    server.wait_for("test -s /var/lib/wardkeep/runner");
    let runner = server.must("cut -d' ' -f1 /var/lib/wardkeep/runner");
    server.must(&format!("kill -KILL {daemon}"));
    server.wait_for(&format!(
        "systemctl is-active wardkeep-agent && test $(systemctl show -P MainPID wardkeep-agent) != {daemon}"
    ));
    server.must("rm /var/lib/wardkeep/runner");
    server.wait_for("test -s /var/lib/wardkeep/runner");
    assert_eq!(server.must("cut -d' ' -f1 /var/lib/wardkeep/runner"), runner, "the same runner still writes");
    assert!(server.must("cat /var/lib/wardkeep/runner").contains(" tmp"), "it keeps its temporary files");
    let inside = server.must("cat $(find /sys/fs/cgroup -path '*wardkeep-agent.service/cgroup.procs' | head -n 1)");
    assert!(inside.lines().any(|pid| pid == runner.trim()), "it stays under the limits of the unit");
}

fn a_hung_daemon_is_replaced(server: &Container) {
    server.must("mkdir -p /run/systemd/system/wardkeep-agent.service.d");
    server.must("printf '[Service]\\nWatchdogSec=1\\n' > /run/systemd/system/wardkeep-agent.service.d/test.conf");
    server.must("systemctl daemon-reload && systemctl restart wardkeep-agent");
    let daemon = server.unit("MainPID");
    server.must(&format!("kill -STOP {daemon}"));
    server.wait_for(&format!(
        "systemctl is-active wardkeep-agent && test $(systemctl show -P MainPID wardkeep-agent) != {daemon}"
    ));
    assert!(server.must("journalctl --no-pager -u wardkeep-agent").contains("Watchdog timeout"));
}

#[test]
fn what_does_not_come_up_is_undone() {
    let server = Container::boot().expect("boots");
    let before = listing(&server);
    let params = web::serve("1.0.0", DAEMON.replace("exit 1 if -e", "exit 1 unless -e").as_bytes());
    let run = server.run(&command(&params));
    assert!(!run.ok && run.said.contains("the daemon does not start"), "{}", run.said);
    assert!(
        run.said.contains("undoing: users wardkeep and agent") && !run.said.contains("did not succeed"),
        "{}",
        run.said
    );
    assert_same(&server, &before, &run.said);
    assert!(!server.must("systemctl list-units --all --no-legend").contains("wardkeep"));
    print!("{}", run.said);
}

#[test]
fn a_failed_upgrade_leaves_the_former_daemon_serving() {
    let server = Container::boot().expect("boots");
    let first = web::serve("1.0.0", DAEMON.as_bytes());
    assert!(server.run(&command(&first)).ok);
    let before = listing(&server);
    let broken = web::serve("1.1.0", DAEMON.replace("exit 1 if -e", "exit 1 unless -e").as_bytes());
    let run = server.run(&command(&broken));
    assert!(!run.ok, "{}", run.said);
    assert_same(&server, &before, &run.said);
    assert_eq!(server.unit("ActiveState"), "active");
    let good = web::serve("1.2.0", format!("{DAEMON}# newer\n").as_bytes());
    let run = server.run(&command(&good));
    assert!(run.ok, "{}", run.said);
    assert!(server.must("readlink /usr/local/bin/wardkeep-agent").contains("/1.2.0-"));
    assert_eq!(server.unit("ActiveState"), "active");
}

#[test]
fn nothing_of_it_is_left() {
    let server = Container::boot().expect("boots");
    let before = listing(&server);
    let params = web::serve("1.0.0", DAEMON.as_bytes());
    assert!(server.run(&command(&params)).ok);
    server.must(&format!("kill -USR1 {}", server.unit("MainPID")));
    server.wait_for("test -s /var/lib/wardkeep/runner");
    let runner = server.must("cut -d' ' -f1 /var/lib/wardkeep/runner");

    let run = server.run(&uninstall_one_liner(&params));
    assert!(run.ok && run.said.contains("Removed"), "{}", run.said);
    assert!(!server.run(&format!("kill -0 {runner}")).ok, "no runner is left behind");
    server.must("test -s /var/lib/wardkeep/vault.db");
    assert!(!server.must("systemctl list-unit-files --no-legend").contains("wardkeep"));

    // Once more without a token, since the identity was kept.
    let again = command(&params).replace(&format!("echo '{TOKEN}' | "), "");
    let run = server.run(&again);
    assert!(run.ok, "{}", run.said);

    let run = server.run(&uninstall_one_liner(&params).replace("uninstall", "uninstall --purge"));
    assert!(run.ok, "{}", run.said);
    assert_same(&server, &before, &run.said);
    print!("{}", run.said);
}
