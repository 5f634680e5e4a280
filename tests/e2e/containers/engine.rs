//! A Docker engine in a folder of its own, without a network, and images made of one static busybox.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use wardkeep_tests::story::people::wait;

/// A running `dockerd`.
pub(crate) struct Engine {
    folder: PathBuf,
    daemon: Option<Child>,
}

impl Engine {
    /// Where one would be.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.join("engine"), daemon: None }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("docker.sock")
    }

    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let place = |name: &str| self.folder.join(name).display().to_string();
        let log = File::options().create(true).append(true).open(self.folder.join("log"))?;
        let daemon = Command::new("dockerd")
            .args(["--data-root", &place("data"), "--exec-root", &place("exec"), "--pidfile", &place("pid")])
            .args(["--host", &format!("unix://{}", place("docker.sock"))])
            .args(["--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("dockerd does not start; is docker.io installed?")?;
        self.daemon = Some(daemon);
        wait("the engine", || async { Ok(self.docker(&["version"]).is_ok().then_some(())) })
            .await
            .with_context(|| fs::read_to_string(self.folder.join("log")).unwrap_or_default())
    }

    /// Ends it, as an operator would.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        let pid = rustix::process::Pid::from_child(&daemon);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        for _ in 0..600 {
            if daemon.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        daemon.kill()?;
        daemon.wait()?;
        anyhow::bail!("dockerd had to be killed")
    }

    /// What the command line of the engine says.
    pub(crate) fn docker(&self, words: &[&str]) -> anyhow::Result<String> {
        let host = format!("unix://{}", self.socket().display());
        let output = Command::new("docker").args(["--host", &host]).args(words).stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "docker {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// An image under `tag`, in which `/which` says `which`; answers its id.
    pub(crate) fn image(&self, tag: &str, which: &str, changes: &[&str]) -> anyhow::Result<String> {
        let root = self.folder.join(format!("root-{which}"));
        for sub in ["bin", "etc", "tmp"] {
            fs::create_dir_all(root.join(sub))?;
        }
        fs::copy(busybox()?, root.join("bin/busybox"))?;
        let list = Command::new(root.join("bin/busybox")).arg("--list").output()?;
        for name in String::from_utf8_lossy(&list.stdout).lines().filter(|name| *name != "busybox") {
            symlink("busybox", root.join("bin").join(name))?;
        }
        fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
        fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n")?;
        fs::write(root.join("which"), which)?;
        let tar = self.folder.join(format!("{which}.tar"));
        let packed = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg(".").status()?;
        ensure!(packed.success(), "no archive of {which}");
        let changes = changes.iter().flat_map(|change| ["--change", change]);
        let words: Vec<&str> =
            ["import"].into_iter().chain(changes).chain([tar.to_str().context("text")?, tag]).collect();
        self.docker(&words)
    }

    /// The names of all containers.
    pub(crate) fn containers(&self) -> anyhow::Result<String> {
        self.docker(&["ps", "--all", "--format", "{{.Names}}"])
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A scene that failed must leave no engine behind.
        let _ = self.stop();
    }
}

fn busybox() -> anyhow::Result<PathBuf> {
    let places = ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from);
    places.into_iter().find(|path| path.exists()).context("busybox-static is not installed")
}
