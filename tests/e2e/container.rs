//! A Debian that boots in a second and is forgotten afterwards.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

/// A booted container; shares the host's network, so that what listens on the host's loopback is reached.
pub(crate) struct Container {
    nspawn: Child,
    leader: u32,
    console: PathBuf,
}

/// What a command in the container did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) ok: bool,
    /// Both outputs.
    pub(crate) said: String,
}

impl Container {
    /// Boots the tree that `./dev e2e` made. All that is written goes to memory: the tree stays as it is.
    pub(crate) fn boot() -> anyhow::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "./dev e2e says by it where the tree is")]
        let tree = std::env::var("WARDKEEP_E2E_TREE").context("run this through ./dev e2e")?;
        ensure!(Path::new(&tree).join("usr/bin/systemctl").exists(), "{tree} is no Debian tree");
        let console = std::env::temp_dir().join(format!("wardkeep-e2e-console-{}", std::process::id()));
        let log = std::fs::File::create(&console)?;
        // The host may run no systemd itself: no registration with machined, no unit of our own, no link to its journal.
        let nspawn = Command::new("systemd-nspawn")
            .args(["--quiet", "--boot", "--volatile=overlay", "--register=no", "--keep-unit", "--link-journal=no"])
            // Debian 12's nspawn does not know these; on a server nothing is in their way.
            .arg("--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self openat2")
            // What runs get of a network is a loopback of their own, which somebody has to switch on.
            .arg("--capability=CAP_NET_ADMIN")
            .args(["--machine=wardkeep-e2e", "--hostname=bakery-server", "--directory", &tree])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("systemd-nspawn does not start")?;
        let mut container = Self { nspawn, leader: 0, console };
        container.wait_until_up()?;
        Ok(container)
    }

    fn wait_until_up(&mut self) -> anyhow::Result<()> {
        let nspawn = self.nspawn.id();
        let children = format!("/proc/{nspawn}/task/{nspawn}/children");
        until(Duration::from_secs(60), "the container to boot", || {
            if self.nspawn.try_wait()?.is_some() {
                anyhow::bail!("systemd-nspawn ended: {}", std::fs::read_to_string(&self.console)?);
            }
            let first = std::fs::read_to_string(&children)?;
            let Some(leader) = first.split_whitespace().next().and_then(|pid| pid.parse().ok()) else {
                return Ok(false);
            };
            self.leader = leader;
            Ok(["running", "degraded"].contains(&self.run("systemctl is-system-running").said.trim()))
        })
    }

    /// Runs a command line in a shell in the container, as root.
    pub(crate) fn run(&self, line: &str) -> Done {
        self.run_with(line, "")
    }

    pub(crate) fn run_with(&self, line: &str, input: &str) -> Done {
        let mut child = Command::new("nsenter")
            .args(["--target", &self.leader.to_string(), "--all", "sh", "-c", &format!("cd /root\n{line}")])
            .env_clear()
            .envs([("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/root")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter starts");
        // A command that does not read its input has ended by then.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("ended");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Done { ok: output.status.success(), said }
    }

    /// The same for a command that has to succeed; answers what it said.
    pub(crate) fn must(&self, line: &str) -> String {
        let done = self.run(line);
        assert!(done.ok, "{line}\n{}", done.said);
        done.said
    }

    /// One property of the daemon's unit, as systemd has it.
    pub(crate) fn unit(&self, property: &str) -> String {
        self.must(&format!("systemctl show --value --property={property} wardkeep-agent.service")).trim().to_owned()
    }

    /// Waits for a command to succeed.
    pub(crate) fn wait_for(&self, line: &str) {
        until(Duration::from_secs(30), line, || Ok(self.run(line).ok)).expect("in time");
    }
}

impl Drop for Container {
    /// A container that outlives its test would be in the way of the next.
    fn drop(&mut self) {
        let _ = self.run("systemctl poweroff --force --force");
        let _ = until(Duration::from_secs(10), "the container to end", || Ok(self.nspawn.try_wait()?.is_some()));
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
        let _ = std::fs::remove_file(&self.console);
    }
}

pub(crate) fn until(
    limit: Duration,
    what: &str,
    mut reached: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        if reached()? {
            return Ok(());
        }
        ensure!(start.elapsed() < limit, "waited {} s for {what}", limit.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}
