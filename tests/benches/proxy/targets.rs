//! What is measured, all of it running at the same time: nothing but what is asked works.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::bodies::{self, MODEL, Shape, Way};
use crate::process::{self, Process, part};
use crate::stage::{self, Stage};
use crate::{mock, peers, vault, wire};

/// The floor: hyper alone.
pub(crate) const FLOOR: &str = "hyper alone";
/// The provider without anything between.
pub(crate) const DIRECT: &str = "direct";
/// What it is all about.
pub(crate) const OURS: &str = "wardkeep";
/// Secrets in our vault.
const SECRETS: usize = 1_000;

/// One way to the provider.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) to: SocketAddr,
    pub(crate) headers: Vec<(String, String)>,
    /// Whose time and memory count.
    pub(crate) pid: Option<u32>,
    /// Until it served.
    pub(crate) start: Option<Duration>,
    /// MiB before anything but one request was asked.
    pub(crate) idle: f64,
    _process: Option<Process>,
}

/// Everything that runs.
pub(crate) struct Rig {
    pub(crate) targets: Vec<Target>,
    pub(crate) missing: Vec<String>,
    pub(crate) stage: Option<Stage>,
    pub(crate) mock: Process,
    pub(crate) provider: SocketAddr,
    pub(crate) secrets: Vec<(String, String)>,
    pub(crate) folder: PathBuf,
}

impl Rig {
    /// Starts all targets that `wanted` says, in a folder that is theirs.
    pub(crate) fn start(folder: &Path, wanted: impl Fn(&str) -> bool) -> anyhow::Result<Self> {
        let target = stage::programs()?.with_file_name("bench-peers");
        let bodies = folder.join("bodies");
        fs::create_dir_all(&bodies)?;
        bodies::write(&bodies)?;
        let provider = stage::free_port()?;
        let mock = Process::start(part("mock")?.arg(provider.to_string()), &folder.join("mock.log"))?;
        stage::wait("the provider", || Ok(count(provider).is_ok()))?;
        let mut rig = Self {
            targets: Vec::new(),
            missing: Vec::new(),
            stage: None,
            mock,
            provider,
            secrets: vault::secrets(SECRETS),
            folder: folder.to_path_buf(),
        };
        if wanted(DIRECT) {
            rig.add(DIRECT, provider, Vec::new(), None)?;
        }
        if wanted(FLOOR) {
            let listen = stage::free_port()?;
            let mut command = part("floor")?;
            command.arg(listen.to_string()).arg(provider.to_string());
            rig.add(FLOOR, listen, Vec::new(), Some(command))?;
        }
        for name in peers::NAMES.into_iter().filter(|name| wanted(name)) {
            let began = Instant::now();
            let listen = stage::free_port()?;
            let prepared = peers::prepare(name, &target, folder, listen, provider);
            let added = prepared.and_then(|peer| rig.add(peer.name, listen, peer.headers, Some(peer.command)));
            // One that cannot be had stops nobody.
            match added {
                Ok(()) => eprintln!("{name} serves, after {:.0} s", began.elapsed().as_secs_f64()),
                Err(error) => {
                    eprintln!("{name} is left out: {error:#}");
                    rig.missing.push(format!("{name}: {error:#}"));
                }
            }
        }
        if wanted(OURS) {
            rig.ours()?;
        }
        Ok(rig)
    }

    fn ours(&mut self) -> anyhow::Result<()> {
        let models = [MODEL.to_owned()];
        let mut stage = Stage::set(&self.folder, self.provider, &self.secrets, &models, &mock::policy(self.provider))?;
        // The second start is the usual one: enrolled, with vault, policy and lease.
        stage.stop();
        let start = stage.start()?;
        std::thread::sleep(Duration::from_millis(1500));
        let pid = stage.pid();
        self.targets.push(Target {
            name: OURS,
            to: stage.llm,
            headers: stage.headers(),
            pid,
            start: Some(start),
            idle: pid.map_or(0.0, |pid| process::memory(pid).0),
            _process: None,
        });
        self.stage = Some(stage);
        Ok(())
    }

    fn add(
        &mut self,
        name: &'static str,
        to: SocketAddr,
        headers: Vec<(String, String)>,
        command: Option<Command>,
    ) -> anyhow::Result<()> {
        let mut target = Target { name, to, headers, pid: None, start: None, idle: 0.0, _process: None };
        if let Some(mut command) = command {
            let log = self.folder.join(format!("{name}.log"));
            let body = fs::read(bodies::file(&self.folder.join("bodies"), Shape::Small, Way::Plain))?;
            let ask = wire::post(&to.to_string(), "/v1/chat/completions", &target.headers, &body);
            let begin = Instant::now();
            let mut process = Process::start(&mut command, &log)?;
            stage::wait(name, || {
                anyhow::ensure!(!process.ended(), "it ended; see {}", log.display());
                Ok(wire::once(to, &ask, Duration::from_secs(3)).is_ok_and(|(status, _)| status == 200))
            })?;
            target.start = Some(begin.elapsed());
            std::thread::sleep(Duration::from_millis(500));
            target.pid = Some(process.id());
            target.idle = process::memory(process.id()).0;
            target._process = Some(process);
        }
        self.targets.push(target);
        Ok(())
    }
}

/// Requests that the provider has seen.
pub(crate) fn count(provider: SocketAddr) -> anyhow::Result<u64> {
    let (_, body) = wire::once(provider, &wire::get("/count"), Duration::from_secs(1))?;
    Ok(wire::number(&body))
}

/// The last request's body as the provider got it.
pub(crate) fn last(provider: SocketAddr) -> anyhow::Result<Vec<u8>> {
    Ok(wire::once(provider, &wire::get("/last"), Duration::from_secs(5))?.1)
}
