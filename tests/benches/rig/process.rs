//! Programs under measurement: started, watched through /proc, ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// This program in one of its parts.
pub fn part(name: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(name);
    Ok(command)
}

/// A program that ends with this value.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts it; what it says goes to `log`.
    pub fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let program = command.get_program().to_owned();
        Ok(Self { child: command.spawn().with_context(|| format!("start {}", program.display()))? })
    }

    /// Of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it ended by itself.
    pub fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Asks it to end; kills it when it does not.
    pub fn stop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let until = Instant::now() + Duration::from_secs(12);
        while !self.ended() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Nanoseconds of processor time of each thread of a process, and of all processes below it.
///
/// A process's own account counts in hundredths of a second, which is three microseconds for each piece of a paced stream.
pub struct Spent(BTreeMap<u32, u64>);

impl Spent {
    /// What it is now.
    pub fn of(pid: u32) -> Self {
        let threads =
            family(pid).into_iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok()).flatten();
        let time = |thread: fs::DirEntry| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            Some((thread.file_name().to_str()?.parse().ok()?, text.split(' ').next()?.parse().ok()?))
        };
        Self(threads.filter_map(|thread| time(thread.ok()?)).collect())
    }

    /// Seconds since `before`, of all threads that have not ended since.
    pub fn since(&self, before: &Self) -> f64 {
        let spent = |(thread, now): (&u32, &u64)| now.saturating_sub(before.0.get(thread).copied().unwrap_or_default());
        self.0.iter().map(spent).sum::<u64>() as f64 / 1e9
    }
}

/// Seconds of processor time, and all processes below `pid`.
pub fn processor_time(pid: u32) -> f64 {
    family(pid).into_iter().map(own_time).sum()
}

fn own_time(pid: u32) -> f64 {
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    stat(pid).map_or(0.0, |stat| (stat.user + stat.system) as f64 / ticks)
}

struct Stat {
    parent: u32,
    user: u64,
    system: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name may hold anything.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let user = fields.nth(9)?.parse().ok()?;
    Some(Stat { parent, user, system: fields.next()?.parse().ok()? })
}

/// A process and its children, and theirs.
fn family(pid: u32) -> Vec<u32> {
    let all: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid)?.parent)))
        .collect();
    let (mut family, mut at) = (vec![pid], 0);
    while at < family.len() {
        let parent = family[at];
        family.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    family
}

/// Resident MiB now and at most, children included.
pub fn memory(pid: u32) -> (f64, f64) {
    let of = |pid: u32, field: &str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or_default() / 1024.0
    };
    family(pid).into_iter().fold((0.0, 0.0), |(now, most), pid| (now + of(pid, "VmRSS:"), most + of(pid, "VmHWM:")))
}

/// Seconds of processor time that anybody used since the machine started.
pub fn busy() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<u64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_ascii_whitespace()
        .skip(1)
        .filter_map(|f| f.parse().ok())
        .collect();
    let idle: u64 = fields.iter().skip(3).take(2).sum();
    // Guests are counted as users already.
    let all: u64 = fields.iter().take(8).sum();
    (all - idle) as f64 / rustix::param::clock_ticks_per_second() as f64
}
