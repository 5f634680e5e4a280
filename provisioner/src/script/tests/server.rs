//! A pretended server: a folder instead of `/`, fakes instead of every program that would change this machine.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use wardkeep_proto::digest::Digest;

use crate::InstallParams;
use crate::binary::{Arch, Binary, Glibc};
use crate::script::render;

pub(super) const TOKEN: &str = "wke1.eyJhIjoiaHR0cHM6Ly9odWIifQ-only-for-this-test";

/// What the fakes play.
const FAKED: &str = "uname getconf apt-get dpkg-query getent id groupadd useradd usermod userdel groupdel chown stat curl systemctl \
                     systemd-creds systemd-run journalctl runuser head mv nft";
/// What may run as it is: it only touches the folder.
const REAL: &str = "sh cat cp rm ln mkdir rmdir mktemp chmod readlink sha256sum sed grep sort awk df date cmp cut od tr wc \
                    tail dirname sync flock timeout env rev";

pub(super) struct Server {
    folder: TempDir,
    pub(super) environment: Vec<(&'static str, String)>,
}

/// How a run ended.
pub(super) struct Run {
    pub(super) ok: bool,
    pub(super) said: String,
}

impl Server {
    /// A bare Debian with systemd; curl is there, ca-certificates is not.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("tempdir");
        let server = Self { folder, environment: Vec::new() };
        let root = "run/systemd/system etc/systemd/system opt usr/local/bin usr/local/sbin srv var/lib home";
        for dir in ["bin", "fake"] {
            std::fs::create_dir_all(server.path(dir)).expect("made");
        }
        for dir in root.split_whitespace() {
            std::fs::create_dir_all(server.path("root").join(dir)).expect("made");
        }
        std::fs::write(server.path("root/etc/os-release"), "NAME=Debian\nID=debian\n").expect("written");
        for memory in ["accounts", "owners", "calls", "enabled", "active"] {
            std::fs::write(server.path("fake").join(memory), "").expect("written");
        }
        let fake = server.path("bin/.fake");
        write_program(&fake, include_str!("fake.sh"));
        for name in FAKED.split_whitespace() {
            symlink(&fake, server.path("bin").join(name)).expect("linked");
        }
        for name in REAL.split_whitespace() {
            let real = ["/usr/bin", "/bin"].map(|dir| Path::new(dir).join(name)).into_iter().find(|path| path.exists());
            symlink(real.unwrap_or_else(|| panic!("{name} is missing here")), server.path("bin").join(name))
                .expect("linked");
        }
        server.offer("1.2.3");
        server
    }

    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// The hub offers this version from now on; its bytes differ from version to version.
    pub(super) fn offer(&self, version: &str) {
        let agent = format!("{}# {version}\n", include_str!("agent.sh"));
        write_program(&self.path("fake/download"), &agent);
        let binary = Binary {
            arch: Arch::X86_64,
            sha256: Digest::plain(agent.as_bytes()),
            size: agent.len() as u64,
            glibc: Some(Glibc { major: 2, minor: 36 }),
        };
        let params =
            InstallParams::new("https://hub.example.com", "https://hub.example.com:7443", version, vec![binary]);
        std::fs::write(self.path("install.sh"), render(&params.expect("valid")).text).expect("written");
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, TOKEN)
    }

    pub(super) fn run_failing(&self, command: &str) -> Run {
        let _ = std::fs::remove_file(self.path("fake/failed"));
        self.start(arguments_of_install(), TOKEN, &[("FAIL", command)])
    }

    pub(super) fn run_signalled(&self, command: &str, signal: &str) -> Run {
        self.start(arguments_of_install(), TOKEN, &[("FAIL", command), ("FAIL_BY_SIGNAL", signal)])
    }

    pub(super) fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        self.start(arguments, input, &[])
    }

    fn start(&self, arguments: &[&str], input: &str, more: &[(&str, &str)]) -> Run {
        std::fs::write(self.path("fake/calls"), "").expect("written");
        let mut child = Command::new("/bin/sh")
            .arg(self.path("install.sh"))
            .args(arguments)
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("FAKE", self.path("fake"))
            .env("WARDKEEP_ROOT", self.path("root"))
            .env("TMPDIR", self.folder.path())
            .envs(self.environment.iter().cloned())
            .envs(more.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        // The script may end without reading it.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("ended");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Run { ok: output.status.success(), said }
    }

    /// Every call of a fake in the last run: program and arguments.
    pub(super) fn calls(&self) -> Vec<String> {
        self.remembered("calls").lines().map(str::to_owned).collect()
    }

    pub(super) fn remembered(&self, what: &str) -> String {
        std::fs::read_to_string(self.path("fake").join(what)).unwrap_or_default()
    }

    /// Everything that an installation leaves: files with mode and content, accounts, what systemd was told last.
    pub(super) fn snapshot(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let root = self.path("root");
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("listed").flatten() {
                let (path, kind) = (entry.path(), entry.file_type().expect("known"));
                let name = path.strip_prefix(&root).expect("below").display().to_string();
                if name == "run/wardkeep-install.lock" {
                    continue;
                }
                let content = if kind.is_symlink() {
                    std::fs::read_link(&path).expect("read").display().to_string()
                } else if kind.is_dir() {
                    folders.push(path.clone());
                    String::new()
                } else {
                    std::fs::read_to_string(&path).expect("read")
                };
                let mode = path.symlink_metadata().expect("known").permissions().mode();
                all.insert(name, format!("{mode:o} {content}"));
            }
        }
        all.insert("(accounts)".to_owned(), self.remembered("accounts"));
        all
    }

    pub(super) fn active(&self) -> bool {
        self.remembered("active").trim() == "restart"
    }
}

fn arguments_of_install() -> &'static [&'static str] {
    &["install"]
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("made executable");
}
