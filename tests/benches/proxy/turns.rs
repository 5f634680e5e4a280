//! Sessions as agents have them: a body that was never seen, then the same with a little more at its end, one connection.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::bars::{Bar, host};
use crate::bodies::{self, Shape, Way};
use crate::chance::Chance;
use crate::process::Spent;
use crate::targets::{DIRECT, FLOOR, OURS, Rig, Target};
use crate::wire::{self, Answer};

/// Bytes of a session, of one result in it, and sessions that are asked about.
const SIZES: [(Shape, usize, usize, u64); 2] = [(Shape::K100, 100 << 10, 4_000, 20), (Shape::M1, 1 << 20, 24_000, 8)];
/// Turns behind the first.
const LATER: usize = 5;
/// Bytes that a turn adds.
const MORE: usize = 1_500;
const PATIENCE: Duration = Duration::from_secs(20);

/// What one target took, medians in microseconds.
struct Took {
    target: &'static str,
    first: f64,
    later: f64,
    /// Processor time of a later turn.
    cpu: f64,
}

/// Sessions of one size.
pub(crate) struct Sessions {
    shape: Shape,
    took: Vec<Took>,
}

/// Has every target but the peers, which know no sessions, answer them.
pub(crate) fn measure(rig: &Rig) -> anyhow::Result<Vec<Sessions>> {
    let own = || rig.targets.iter().filter(|target| [DIRECT, FLOOR, OURS].contains(&target.name));
    let one = |(shape, total, result, count)| {
        let took = own().map(|target| ask(target, total, result, count)).collect::<anyhow::Result<_>>()?;
        Ok(Sessions { shape, took })
    };
    SIZES.into_iter().map(one).collect()
}

fn ask(target: &Target, total: usize, result: usize, sessions: u64) -> anyhow::Result<Took> {
    let mut stream = TcpStream::connect(target.to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let (mut first, mut later, mut cpu) = (Vec::new(), Vec::new(), 0.0);
    let mut answer = Answer::default();
    for seed in 0..sessions {
        let mut chance = Chance::new(1_000 + seed);
        let mut body = bodies::session(&mut chance, total, result);
        first.push(one(&mut stream, target, &body, &mut answer)?);
        for turn in 0..LATER {
            body["messages"].as_array_mut().context("messages")?.extend(bodies::turn(&mut chance, 1_000 + turn, MORE));
            let before = target.pid.map(Spent::of);
            later.push(one(&mut stream, target, &body, &mut answer)?);
            cpu += target.pid.zip(before).map_or(0.0, |(pid, before)| Spent::of(pid).since(&before));
        }
    }
    let cpu = cpu * 1e6 / later.len() as f64;
    Ok(Took { target: target.name, first: median(first), later: median(later), cpu })
}

/// Microseconds from the first byte asked to the last answered.
fn one(stream: &mut TcpStream, target: &Target, body: &Value, answer: &mut Answer) -> anyhow::Result<f64> {
    let body = body.to_string();
    let request = wire::post(&target.to.to_string(), "/v1/chat/completions", &target.headers, body.as_bytes());
    let begin = Instant::now();
    wire::ask(stream, &request, answer)?;
    let took = begin.elapsed().as_secs_f64() * 1e6;
    anyhow::ensure!(answer.status == 200, "{} {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(took)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all[all.len() / 2]
}

impl Sessions {
    pub(crate) fn print(&self) {
        println!("\nsessions of {}, one connection", self.shape.name());
        println!("{:<12} {:>12} {:>12} {:>8}", "", "first turn", "later turn", "cpu");
        for took in &self.took {
            println!("{:<12} {:>12.0} {:>12.0} {:>8.1}", took.target, took.first, took.later, took.cpu);
        }
    }

    pub(crate) fn json(&self) -> Value {
        let one = |took: &Took| json!({"target": took.target, "first_us": took.first, "later_us": took.later, "cpu_us": took.cpu});
        json!({"request": self.shape.name(), "targets": self.took.iter().map(one).collect::<Vec<_>>()})
    }

    pub(crate) fn bars(&self) -> Vec<Bar> {
        let find = |name: &str| self.took.iter().find(|took| took.target == name);
        let (Some(ours), Some(direct)) = (find(OURS), find(DIRECT)) else { return Vec::new() };
        let host = find(FLOOR).map_or(1.0, |floor| host(self.shape, Way::Plain, 1, floor.cpu));
        let (first, later) = if self.shape == Shape::K100 { (1.0, 0.15) } else { (10.0, 1.0) };
        let bar = |what: &str, ours: f64, bound| {
            Bar::most(format!("sessions of {}: {what}, ms", self.shape.name()), ours / 1e3, bound).on(host)
        };
        vec![
            bar("added to the first turn", ours.first - direct.first, first),
            bar("added to a later turn", ours.later - direct.later, later),
        ]
    }
}
