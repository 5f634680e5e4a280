//! One cell of the plan: a kind of request, a number of connections, a target.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::bodies::{self, Shape, Way};
use crate::load::Seen;
use crate::process::{self, Spent};
use crate::targets::Target;

/// Share of the machine that others may use during a try that counts at once.
const QUIET: f64 = 0.06;

/// What is asked, by how many at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) shape: Shape,
    pub(crate) way: Way,
    pub(crate) connections: usize,
    /// Microseconds from one request to the next, of all connections; each asks as soon as it was answered without.
    pub(crate) every: Option<u32>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) target: &'static str,
    pub(crate) seen: Seen,
    /// Microseconds of processor time for a request, all of the target's processes and threads, user and system.
    pub(crate) cpu: f64,
    /// MiB now; at most so far.
    pub(crate) memory: (f64, f64),
    /// Share of the machine that others used.
    pub(crate) others: f64,
}

/// How long, how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) warm_millis: u64,
    pub(crate) millis: u64,
    /// Tries while others are busy; the one with the best median counts.
    pub(crate) tries: usize,
}

impl Cell {
    pub(crate) fn name(&self) -> String {
        let steady = self.every.map(|every| format!("{} a second", 1_000_000 / every));
        let parts = [self.shape.name(), self.way.name(), steady.as_deref().unwrap_or_default()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Measures it.
    pub(crate) fn measure(&self, target: &Target, mock: u32, folder: &Path, effort: Effort) -> anyhow::Result<Figures> {
        self.load(target, folder, effort.warm_millis)?;
        let mut best: Option<Figures> = None;
        for _ in 0..effort.tries {
            let figures = self.once(target, mock, folder, effort.millis)?;
            let quiet = figures.others < QUIET;
            let key = |f: &Figures| (f.seen.errors, f.seen.total.p50);
            if best.as_ref().is_none_or(|best| key(&figures) < key(best)) {
                best = Some(figures);
            }
            if quiet {
                break;
            }
        }
        best.context("at least one try")
    }

    fn once(&self, target: &Target, mock: u32, folder: &Path, millis: u64) -> anyhow::Result<Figures> {
        let before = target.pid.map(Spent::of);
        let (busy, provider, children) = (process::busy(), process::processor_time(mock), children());
        let begin = Instant::now();
        let seen = self.load(target, folder, millis)?;
        let own = target.pid.zip(before).map_or(0.0, |(pid, before)| Spent::of(pid).since(&before));
        let counted = own + process::processor_time(mock) - provider + children_since(children);
        let share = begin.elapsed().as_secs_f64() * std::thread::available_parallelism()?.get() as f64;
        Ok(Figures {
            target: target.name,
            cpu: own * 1e6 / seen.requests.max(1) as f64,
            memory: target.pid.map_or((0.0, 0.0), process::memory),
            others: ((process::busy() - busy - counted) / share).max(0.0),
            seen,
        })
    }

    /// Another process asks; its own time does not disturb ours.
    fn load(&self, target: &Target, folder: &Path, millis: u64) -> anyhow::Result<Seen> {
        let mut command = process::part("load")?;
        command.args(["--to", &target.to.to_string(), "--path", "/v1/chat/completions"]);
        command.args(["--connections", &self.connections.to_string(), "--millis", &millis.to_string()]);
        if let Some(every) = self.every {
            command.args(["--every", &every.to_string()]);
        }
        command.arg("--body").arg(bodies::file(&folder.join("bodies"), self.shape, self.way));
        for (name, value) in &target.headers {
            command.args(["--header", &format!("{name}={value}")]);
        }
        let output = command.output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    pub(crate) fn json(&self, figures: &Figures) -> Value {
        json!({
            "request": self.shape.name(), "answer": self.way.name(), "connections": self.connections, "every_us": self.every,
            "target": figures.target, "seen": figures.seen, "cpu_us_per_request": figures.cpu,
            "rss_mib": figures.memory.0, "peak_rss_mib": figures.memory.1, "others": figures.others,
        })
    }
}

/// Processor time of children that ended: the loaders.
fn children() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
    let ticks: u64 = fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

fn children_since(before: f64) -> f64 {
    children() - before
}
