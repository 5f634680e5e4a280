use std::io::Write as _;
use std::process::{Command, Stdio};

use wardkeep_proto::digest::Digest;

use super::*;
use crate::binary::samples;

fn token(text: &str) -> SecretValue {
    SecretValue::new(text.to_owned())
}

#[test]
fn what_a_shell_would_act_on_is_refused() {
    for bad in ["", "wke1.", "wke2.abc", "wke1.a'b", "wke1.$(id)", "wke1.a b", "wke1.a\nb", "wke1.`id`", "wke1.a;b"] {
        assert_eq!(one_liner(&samples::params(), &token(bad)), Err(InvalidToken), "{bad:?}");
    }
}

#[test]
fn it_is_one_line_and_pins_the_script() {
    let line = one_liner(&samples::params(), &token("wke1.abc_-")).expect("valid");
    let sha256 = script::render(&samples::params()).sha256;
    assert!(!line.expose().contains('\n'));
    assert_eq!(line.expose().matches(&sha256.to_string()).count(), 3);
    assert!(line.expose().contains(&format!("'https://hub.example.com/install/{sha256}.sh'")));
    assert!(!uninstall_one_liner(&samples::params()).contains("wke1."));
}

/// Runs the line in a shell whose curl answers `served` and reports every argument of every process on the way.
fn paste(shell: &str, served: &str, pinned: &str) -> (bool, String) {
    let folder = tempfile::tempdir().expect("tempdir");
    std::fs::write(folder.path().join("served"), served).expect("written");
    let curl = folder.path().join("curl");
    std::fs::write(&curl, "#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done\ncp \"$SERVED\" \"$F\"\n").expect("written");
    // `-o "$f"` stands before the address.
    std::fs::write(&curl, "#!/bin/sh\ncp \"$SERVED\" \"$3\"\n").expect("written");
    let mut permissions = curl.metadata().expect("there").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&curl, permissions).expect("set");
    let line = one_liner(&samples::params(), &token("wke1.abc")).expect("valid").expose().to_owned();
    let line = line.replace(&script::render(&samples::params()).sha256.to_string(), pinned);
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let mut child = Command::new(shell)
        .env_clear()
        .env("PATH", path)
        .env("TMPDIR", folder.path())
        .env("SERVED", folder.path().join("served"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    writeln!(child.stdin.take().expect("piped"), "{line}").expect("written");
    let output = child.wait_with_output().expect("ended");
    let left = std::fs::read_dir(folder.path()).expect("listed").count();
    assert_eq!(left, 2, "the downloaded script is removed");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn only_the_pinned_script_runs_and_gets_the_token_on_standard_input() {
    let good =
        "#!/bin/sh\nread -r token; echo \"got $token\"; cat /proc/$PPID/cmdline /proc/$$/cmdline | tr '\\0' ' '\n";
    for shell in ["sh", "bash"] {
        let (ok, said) = paste(shell, good, &Digest::plain(good.as_bytes()).to_string());
        assert!(ok && said.starts_with("got wke1.abc\n"), "{shell}: {said}");
        assert_eq!(said.matches("wke1.abc").count(), 1, "{shell}: not in an argument: {said}");
        let (ok, said) = paste(shell, good, &Digest::plain(b"another").to_string());
        assert!(!ok && !said.contains("got"), "{shell}: {said}");
    }
}
