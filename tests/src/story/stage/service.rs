//! One long-running process, kept alive the way systemd would: killed ones are started again, ended ones are not.

use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How a service is started; used again at each restart.
#[derive(Clone)]
pub struct Start {
    /// Name in logs.
    pub name: &'static str,
    /// The binary.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its environment beside the inherited one.
    pub environment: Vec<(&'static str, String)>,
    /// Where its output goes, appended.
    pub log: PathBuf,
}

impl Start {
    fn spawn(&self) -> anyhow::Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        Command::new(&self.program)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Its own group: Ctrl-C in the terminal reaches the menu, which stops the services in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", self.program.display()))
    }
}

/// A running service.
pub struct Service {
    stop: watch::Sender<bool>,
    kills: Arc<AtomicU32>,
    pid: Arc<AtomicU32>,
    keeper: JoinHandle<anyhow::Result<ExitStatus>>,
}

impl Service {
    /// Starts it and keeps it alive until [`Service::stop`].
    ///
    /// # Errors
    /// When it cannot be started at all.
    pub fn start(start: Start) -> anyhow::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let kills = Arc::new(AtomicU32::new(0));
        let pid = Arc::new(AtomicU32::new(0));
        let child = start.spawn()?;
        pid.store(child.id().unwrap_or(0), Ordering::SeqCst);
        let keeper = tokio::spawn(keep(start, child, stopped, Arc::clone(&kills), Arc::clone(&pid)));
        Ok(Self { stop, kills, pid, keeper })
    }

    /// How often it was killed and started again.
    #[must_use]
    pub fn kills(&self) -> u32 {
        self.kills.load(Ordering::SeqCst)
    }

    /// Process id of the present incarnation.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::SeqCst)
    }

    /// kill -9; the keeper starts it again.
    ///
    /// # Errors
    /// When the process is not there.
    pub fn kill(&self) -> anyhow::Result<()> {
        signal(self.pid(), rustix::process::Signal::KILL)
    }

    /// True when it ended by itself, which a service must not.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.keeper.is_finished()
    }

    /// Asks it to stop and waits; killed after half a minute.
    ///
    /// # Errors
    /// When it had to be killed or ended with an error.
    pub async fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(true);
        let status = self.keeper.await??;
        anyhow::ensure!(status.success(), "ended with {status}");
        Ok(())
    }
}

async fn keep(
    start: Start,
    mut child: Child,
    mut stopped: watch::Receiver<bool>,
    kills: Arc<AtomicU32>,
    pid: Arc<AtomicU32>,
) -> anyhow::Result<ExitStatus> {
    loop {
        let ended = tokio::select! {
            status = child.wait() => Some(status?),
            () = told_to_stop(&mut stopped) => None,
        };
        let Some(status) = ended else { return end(&start, child).await };
        if status.signal().is_none() {
            return Ok(status);
        }
        kills.fetch_add(1, Ordering::SeqCst);
        child = start.spawn()?;
        pid.store(child.id().unwrap_or(0), Ordering::SeqCst);
    }
}

async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    // A dropped sender is a dropped service: then it stops too.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn end(start: &Start, mut child: Child) -> anyhow::Result<ExitStatus> {
    if let Some(pid) = child.id() {
        signal(pid, rustix::process::Signal::TERM)?;
    }
    // A daemon cuts after ten seconds what does not end, and only then writes the last of its records.
    match tokio::time::timeout(Duration::from_secs(30), child.wait()).await {
        Ok(status) => Ok(status?),
        Err(_) => {
            child.kill().await?;
            anyhow::bail!("{} did not stop within 30 s", start.name)
        }
    }
}

fn signal(pid: u32, signal: rustix::process::Signal) -> anyhow::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).context("no process")?;
    Ok(rustix::process::kill_process(pid, signal)?)
}

/// Runs a command to its end with `input` on its standard input; answers its standard output.
///
/// # Errors
/// When it cannot be started or ends with an error; its error text is part of ours.
pub async fn command(program: &Path, arguments: &[&str], input: &str) -> anyhow::Result<String> {
    use tokio::io::AsyncWriteExt as _;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    let mut stdin = child.stdin.take().context("a pipe was asked for")?;
    // A program that does not read its input may have closed it already.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output())
        .await
        .with_context(|| format!("{} {} took more than a minute", program.display(), arguments.join(" ")))??;
    let error = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "{} {}: {}\n{error}{}",
        program.display(),
        arguments.join(" "),
        output.status,
        // A command that finds something wrong says what on standard output, and fails.
        String::from_utf8_lossy(&output.stdout)
    );
    Ok(String::from_utf8(output.stdout)?)
}
