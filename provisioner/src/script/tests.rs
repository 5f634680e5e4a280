use std::process::Command;

use server::{Run, Server, TOKEN};

use super::*;
use crate::binary::samples;

mod server;

/// For every step a command of it that fails, half way where the step has several.
const FAILURES: [(&str, &str); 16] = [
    ("preflight", "getconf"),
    ("packages", "apt-get -q -y"),
    ("users", "usermod --append --groups wardkeep-work agent"),
    ("directories", "chown root:wardkeep-work"),
    ("binary", "curl --fail"),
    ("config", "agent.toml.new"),
    ("vault_key", "vault.key.new"),
    ("unit", "wardkeep-lock.service.new"),
    ("unit", "systemctl daemon-reload"),
    ("enrol", "wardkeep-agent enrol"),
    ("vault", "sbin/wardkeep.new"),
    ("vault", "systemd-run"),
    ("start", "systemctl enable"),
    ("start", "systemctl restart wardkeep-helper"),
    ("start", "systemctl restart wardkeep-agent"),
    ("heartbeat", "--wait-online"),
];

fn title(name: &str) -> &'static str {
    STEPS.iter().find(|step| step.name == name).expect("a step").title
}

fn undone(run: &Run) -> Vec<&str> {
    run.said.lines().filter_map(|line| line.trim().strip_prefix("undoing: ")).collect()
}

#[test]
fn every_step_has_a_failure() {
    for step in STEPS {
        assert!(FAILURES.iter().any(|(name, _)| *name == step.name), "{}", step.name);
    }
}

#[test]
fn whichever_step_fails_the_server_is_as_before_and_a_second_try_succeeds() {
    for (name, command) in FAILURES {
        let mut server = Server::new();
        if name == "vault_key" {
            // Sealing that fails is no failure of the step: a private file follows.
            server.environment.push(("NO_SEAL", "1".to_owned()));
        }
        let before = server.snapshot();
        let run = server.run_failing(command);
        assert!(!run.ok && run.said.contains(&format!("Step '{}' failed", title(name))), "{command}: {}", run.said);
        assert!(!run.said.contains("did not succeed"), "{command}: {}", run.said);
        assert!(run.said.contains("What to do next: "), "{command}");
        assert_eq!(server.snapshot(), before, "{command}: {}", run.said);
        assert!(!server.active(), "{command}");

        let failed = STEPS.iter().position(|step| step.name == name).expect("a step");
        let expected: Vec<&str> = STEPS[1..=failed.max(1)].iter().rev().map(|step| step.title).collect();
        let expected = if failed == 0 { Vec::new() } else { expected };
        assert_eq!(undone(&run), expected, "{command}");

        let run = server.run(&[]);
        assert!(run.ok && server.active(), "{command}: {}", run.said);
    }
}

#[test]
fn a_second_run_changes_nothing() {
    let server = Server::new();
    assert!(server.run(&[]).ok);
    let (after, owners) = (server.snapshot(), server.remembered("owners"));
    // The token of the command is spent by then, or not even given.
    let run = server.run_with(&[], "");
    assert!(run.ok, "{}", run.said);
    assert_eq!(run.said.matches("already").count(), STEPS.len() - 2, "{}", run.said);
    assert_eq!((server.snapshot(), server.remembered("owners")), (after, owners));
    let calls = server.calls();
    for forbidden in
        ["apt-get", "useradd", "usermod", "chown", "curl", "systemd-run", "systemctl restart", "systemctl enable"]
    {
        assert!(!calls.iter().any(|call| call.starts_with(forbidden)), "{forbidden}: {calls:?}");
    }
    assert_eq!(server.remembered("tokens").lines().count(), 1);
}

#[test]
fn what_an_operator_changed_stays() {
    let server = Server::new();
    assert!(server.run(&[]).ok);
    let config = server.path("root/etc/wardkeep/agent.toml");
    std::fs::write(&config, "# mine\n").expect("written");
    assert!(server.run(&[]).ok);
    assert_eq!(std::fs::read_to_string(&config).expect("read"), "# mine\n");
}

#[test]
fn a_failed_upgrade_leaves_the_former_version_running() {
    for command in ["curl --fail", "wardkeep-agent --version", "systemctl restart", "--wait-online"] {
        let server = Server::new();
        assert!(server.run(&[]).ok);
        let before = server.snapshot();
        server.offer("1.3.0");
        let run = server.run_failing(command);
        assert!(!run.ok, "{command}: {}", run.said);
        assert_eq!(server.snapshot(), before, "{command}: {}", run.said);
        assert!(server.active());
        // Restarted last of all, once the former files are back; not at all when the former daemon never stopped.
        let switched = !["curl --fail", "wardkeep-agent --version"].contains(&command);
        let last = server.calls().into_iter().rfind(|call| call.starts_with("systemctl")).expect("a call");
        assert_eq!(last == "systemctl restart wardkeep-agent.service", switched, "{command}: {last}");
        let run = server.run(&[]);
        assert!(run.ok, "{}", run.said);
        let link = std::fs::read_link(server.path("root/usr/local/bin/wardkeep-agent")).expect("a link");
        assert!(link.to_string_lossy().contains("/opt/wardkeep/1.3.0-"), "{}", link.display());
    }
}

#[test]
fn a_binary_with_another_digest_is_never_run() {
    let server = Server::new();
    let before = server.snapshot();
    let evil = format!("#!/bin/sh\n: >'{}'\n", server.path("fake/evil-ran").display());
    std::fs::write(server.path("fake/download"), evil).expect("written");
    let run = server.run(&[]);
    assert!(!run.ok && run.said.contains("SHA-256 differs"), "{}", run.said);
    assert!(!server.path("fake/evil-ran").exists());
    assert_eq!(server.snapshot(), before);
}

#[test]
fn the_token_is_only_ever_on_standard_input() {
    let server = Server::new();
    let run = server.run(&[]);
    assert!(run.ok, "{}", run.said);
    assert_eq!(server.remembered("tokens").trim(), TOKEN);
    assert!(!run.said.contains(TOKEN));
    assert!(!server.remembered("environment").contains(TOKEN));
    assert!(server.calls().len() > 20 && !server.calls().iter().any(|call| call.contains(TOKEN)));
    assert!(!server.snapshot().values().any(|content| content.contains(TOKEN)));

    let server = Server::new();
    let run = server.run_failing("wardkeep-agent enrol");
    assert!(!run.ok && !run.said.contains(TOKEN), "{}", run.said);
}

#[test]
fn what_is_not_a_token_stops_before_anything_is_changed() {
    for bad in ["", "\n", "wke1.\n", "wke2.abc\n", "wke1.$(id)\n", "wke1.a b\n", "wke1.a;b\n", "wke1.a'b\n"] {
        let server = Server::new();
        let before = server.snapshot();
        let run = server.run_with(&[], bad);
        assert!(!run.ok && run.said.contains("token"), "{bad:?}: {}", run.said);
        assert_eq!(server.snapshot(), before, "{bad:?}");
        assert!(!server.calls().iter().any(|call| call.starts_with("apt-get")), "{bad:?}");
    }
}

#[test]
fn a_token_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::new();
    let file = server.path("token");
    let argument = file.display().to_string();
    std::fs::write(&file, TOKEN).expect("written");
    for (mode, ok) in [(0o644, false), (0o640, false), (0o604, false), (0o600, true)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("set");
        let run = server.run_with(&["--token-file", &argument], "");
        assert_eq!(run.ok, ok, "{mode:o}: {}", run.said);
    }
}

#[test]
fn a_server_that_does_not_fit_is_left_alone() {
    let cases = [
        ("UID_IS", "1000", "root"),
        ("UNAME", "riscv64", "riscv64"),
        ("GLIBC", "2.31", "glibc 2.31 is too old: this build needs 2.36"),
        // Ubuntu 22.04.
        ("GLIBC", "2.35", "glibc 2.35 is too old: this build needs 2.36"),
        ("GLIBC", "2.4", "glibc 2.4 is too old"),
        ("SYSTEMD", "245", "systemd 245"),
    ];
    for (variable, value, reason) in cases {
        let mut server = Server::new();
        let before = server.snapshot();
        server.environment.push((variable, value.to_owned()));
        let run = server.run(&[]);
        assert!(!run.ok && run.said.contains(reason), "{variable}: {}", run.said);
        assert_eq!(server.snapshot(), before, "{variable}");
        let changing = ["apt-get", "useradd", "groupadd", "curl"];
        let changed = server.calls().into_iter().find(|call| changing.iter().any(|name| call.starts_with(name)));
        assert_eq!(changed, None, "{variable}");
    }
    let mut newer = Server::new();
    newer.environment.push(("GLIBC", "2.39".to_owned()));
    assert!(newer.run(&[]).ok);
    let server = Server::new();
    std::fs::write(server.path("root/etc/os-release"), "ID=fedora\n").expect("written");
    assert!(server.run(&[]).said.contains("Debian and Ubuntu only"));
    let server = Server::new();
    std::fs::remove_dir_all(server.path("root/run/systemd")).expect("removed");
    assert!(server.run(&[]).said.contains("systemd does not run"));
}

#[test]
fn an_older_server_keeps_the_build_that_it_has() {
    let mut server = Server::new();
    server.environment.push(("GLIBC", "2.36".to_owned()));
    assert!(server.run(&[]).ok);
    let before = server.snapshot();
    server.offer("1.3.0");
    server.environment.push(("GLIBC", "2.35".to_owned()));
    let run = server.run(&[]);
    assert!(!run.ok && run.said.contains("glibc 2.35 is too old"), "{}", run.said);
    assert_eq!(server.snapshot(), before);
    assert!(!server.calls().iter().any(|call| call.starts_with("curl") || call.starts_with("systemctl stop")));
}

#[test]
fn a_vault_without_its_key_gets_no_new_key() {
    let server = Server::new();
    assert!(server.run(&[]).ok);
    std::fs::remove_file(server.path("root/etc/wardkeep/vault-key.cred")).expect("removed");
    let run = server.run(&[]);
    assert!(!run.ok && run.said.contains("restore"), "{}", run.said);
    assert!(!server.path("root/etc/wardkeep/vault-key.cred").exists());
    assert!(!server.path("root/etc/wardkeep/vault.key").exists());
}

#[test]
fn without_systemd_creds_the_key_is_a_private_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::new();
    let run = server.run_failing("systemd-creds decrypt");
    assert!(run.ok && run.said.contains("Note: systemd-creds cannot seal"), "{}", run.said);
    let key = server.path("root/etc/wardkeep/vault.key");
    assert_eq!(key.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    let digits = std::fs::read_to_string(&key).expect("read");
    assert!(digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let unit = std::fs::read_to_string(server.path("root/etc/systemd/system/wardkeep-agent.service")).expect("read");
    assert!(unit.contains("\nLoadCredential=vault-key:/etc/wardkeep/vault.key\n"));
    assert!(!server.path("root/etc/wardkeep/vault-key.cred").exists());

    let server = Server::new();
    assert!(server.run(&[]).ok);
    let unit = std::fs::read_to_string(server.path("root/etc/systemd/system/wardkeep-agent.service")).expect("read");
    assert!(unit.contains("\nLoadCredentialEncrypted=vault-key:/etc/wardkeep/vault-key.cred\n"));
    assert!(!unit.contains("@VAULT_KEY@"));
}

#[test]
fn a_signal_undoes_as_well() {
    for signal in ["TERM", "INT", "HUP"] {
        let server = Server::new();
        let before = server.snapshot();
        let run = server.run_signalled("curl --fail", signal);
        assert!(!run.ok && run.said.contains("undoing: "), "{signal}: {}", run.said);
        assert_eq!(server.snapshot(), before, "{signal}");
    }
}

#[test]
fn nothing_is_undone_when_asked_to_keep_it() {
    let server = Server::new();
    let keep = server.run_with(&["--keep-on-failure"], "wke1.x");
    assert!(keep.ok, "{}", keep.said);
    std::fs::remove_file(server.path("root/usr/local/bin/wardkeep-agent")).expect("removed");
    std::fs::write(server.path("fake/download"), "#!/bin/sh\n").expect("written");
    let before = server.snapshot();
    let run = server.run(&["--keep-on-failure"]);
    assert!(!run.ok && undone(&run).is_empty() && run.said.contains("Left as it is"), "{}", run.said);
    assert!(server.snapshot().len() > before.len(), "the download is still there to look at");
}

#[test]
fn a_dry_run_changes_nothing() {
    let server = Server::new();
    let before = server.snapshot();
    let run = server.run_with(&["--dry-run"], "");
    assert!(run.ok, "{}", run.said);
    for step in STEPS {
        assert!(run.said.contains(step.title), "{}", step.title);
    }
    assert_eq!(server.snapshot(), before);
    assert!(server.run(&[]).ok);
    let (before, owners) = (server.snapshot(), server.remembered("owners"));
    assert!(server.run_with(&["uninstall", "--dry-run", "--purge"], "").ok);
    assert_eq!((server.snapshot(), server.remembered("owners")), (before, owners));
}

#[test]
fn uninstall_keeps_what_cannot_be_made_again_and_purge_does_not() {
    let server = Server::new();
    let before = server.snapshot();
    assert!(server.run(&[]).ok);
    let run = server.run_with(&["uninstall"], "");
    assert!(run.ok && !server.active(), "{}", run.said);
    for kept in ["var/lib/wardkeep/vault.db", "var/lib/wardkeep/identity/tenant.json", "etc/wardkeep/vault-key.cred"] {
        assert!(server.path("root").join(kept).exists(), "{kept}");
    }
    // Who is left under a lock that nobody can take away, is cut off.
    assert!(server.calls().contains(&"nft delete table inet wardkeep".to_owned()));
    let units = ["agent", "helper", "lock"].map(|name| format!("etc/systemd/system/wardkeep-{name}.service"));
    for gone in ["usr/local/bin/wardkeep-agent", "opt/wardkeep"].into_iter().chain(units.iter().map(String::as_str)) {
        assert!(!server.path("root").join(gone).exists(), "{gone}");
    }
    // Installing again finds identity, vault and key where they were, without a token.
    let run = server.run_with(&[], "");
    assert!(run.ok && server.active(), "{}", run.said);

    let run = server.run_with(&["uninstall", "--purge"], "");
    assert!(run.ok, "{}", run.said);
    let mut after = server.snapshot();
    // Packages are of use to others.
    after.retain(|name, _| !name.starts_with("etc/ssl"));
    assert_eq!(after, before);
    assert!(server.run_with(&["uninstall", "--purge"], "").ok, "a second time is harmless");
}

#[test]
fn purge_leaves_accounts_that_were_there_before_and_work_that_was_done() {
    let server = Server::new();
    std::fs::write(server.path("fake/accounts"), "user agent\n").expect("written");
    assert!(server.run(&[]).ok);
    std::fs::write(server.path("root/srv/agents/letter.txt"), "dear").expect("written");
    let run = server.run_with(&["uninstall", "--purge"], "");
    assert!(run.ok && run.said.contains("there is work in it"), "{}", run.said);
    assert_eq!(server.remembered("accounts").lines().next(), Some("user agent"));
    assert!(server.path("root/srv/agents/letter.txt").exists());
}

#[test]
fn wrong_words_on_the_command_line_change_nothing() {
    let server = Server::new();
    let before = server.snapshot();
    for bad in [&["remove"][..], &["--token-file"], &["--token", TOKEN]] {
        assert!(!server.run_with(bad, "").ok, "{bad:?}");
    }
    assert!(server.run_with(&["--help"], "").said.contains("Usage"));
    assert_eq!(server.snapshot(), before);
}

#[test]
fn the_script_is_stable_and_hides_nothing() {
    let script = render(&samples::params());
    assert_eq!(script, render(&samples::params()));
    assert_eq!(script.sha256, Digest::plain(script.text.as_bytes()));
    assert!(script.text.contains(&samples::x86_64().sha256.to_string()));
    assert!(script.text.contains(&samples::aarch64().sha256.to_string()));
    assert!(script.text.is_ascii() && script.text.lines().all(|line| line.len() <= 160));
}

#[test]
fn shells_and_linters_accept_it() {
    let file = tempfile::NamedTempFile::new().expect("tempfile");
    std::fs::write(file.path(), render(&samples::params()).text).expect("written");
    for shell in ["sh", "dash", "bash", "ksh", "busybox"] {
        let mut command = Command::new(shell);
        if shell == "busybox" {
            command.arg("sh");
        }
        match command.arg("-n").arg(file.path()).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(_) => assert_ne!(shell, "sh", "there is a sh everywhere"),
        }
    }
    let shellcheck = Command::new("shellcheck").args(["--shell=sh", "--severity=info"]).arg(file.path()).output();
    if let Ok(output) = shellcheck {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
