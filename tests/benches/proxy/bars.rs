//! What must not be passed, or not be missed: the bars of the design (section 9) and of the survey of gateways.
//!
//! They were set on one machine, beside bare hyper. Another machine is held to them by the same ratio: what bare hyper takes here
//! for the same cell against what it took there.

use serde_json::{Value, json};

use crate::bodies::Shape::{self, K100, M1, Small};
use crate::bodies::Way::{self, Burst, Paced, Plain};
use crate::cell::{Cell, Figures};
use crate::mock::DELTAS;
use crate::targets::{DIRECT, FLOOR, OURS};

/// A figure and what it is held to.
pub(crate) struct Bar {
    name: String,
    ours: f64,
    bound: f64,
    way: Bound,
    /// How many times longer bare hyper takes here than where the bar was set; 1 where that does not matter, or where it is faster.
    host: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    AtMost,
    AtLeast,
}

impl Bar {
    /// Holds everywhere alike: memory, ratios, leaks.
    pub(crate) fn most(name: impl Into<String>, ours: f64, bound: f64) -> Self {
        Self { name: name.into(), ours, bound, way: Bound::AtMost, host: 1.0 }
    }

    fn least(name: String, ours: f64, bound: f64) -> Self {
        Self { name, ours, bound, way: Bound::AtLeast, host: 1.0 }
    }

    /// A time or what depends on one; `host` as [`host`] says.
    pub(crate) fn on(self, host: f64) -> Self {
        Self { host, ..self }
    }

    /// The bound as this machine is held to it.
    fn here(&self) -> f64 {
        match self.way {
            Bound::AtMost => self.bound * self.host,
            Bound::AtLeast => self.bound / self.host,
        }
    }

    fn keeps(&self, bound: f64) -> bool {
        match self.way {
            Bound::AtMost => self.ours <= bound,
            Bound::AtLeast => self.ours >= bound,
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "bar": self.name, "ours": self.ours, "bound": self.bound, "at_least": self.way == Bound::AtLeast,
            "holds": self.keeps(self.bound), "host": self.host, "bound_here": self.here(), "holds_here": self.keeps(self.here()),
        })
    }

    pub(crate) fn print(all: &[Self]) {
        println!("\n{:<58} {:>10} {:>10} {:>10}", "bar", "ours", "bar", "here");
        for bar in all {
            let verdict = match (bar.keeps(bar.bound), bar.keeps(bar.here())) {
                (true, _) => "",
                (false, true) => "  holds beside bare hyper",
                (false, false) => "  MISSED",
            };
            println!("{:<58} {:>10.2} {:>10.2} {:>10.2}{verdict}", bar.name, bar.ours, bar.bound, bar.here());
        }
        let hosts = all.iter().map(|bar| bar.host).filter(|&host| host > 1.0);
        if let (Some(least), Some(most)) = (hosts.clone().reduce(f64::min), hosts.reduce(f64::max)) {
            println!("\nbare hyper takes {least:.2} to {most:.2} times as long here as where the bars were set");
        }
    }
}

/// Microseconds of processor time that bare hyper took for a request where the bars were set (Xeon, two cores, 2026-11-20
/// and 21; a stream has [`DELTAS`] pieces).
const HYPER: &[(Shape, Way, usize, f64)] = &[
    (Small, Plain, 16, 13.0),
    (Small, Burst, 1, 178.0),
    (Small, Burst, 16, 178.0),
    (Small, Paced, 16, 315.0),
    (K100, Plain, 1, 40.0),
    (M1, Plain, 1, 250.0),
];

/// How many times as long bare hyper takes here, by `cpu` microseconds of such a request; at least 1.
pub(crate) fn host(shape: Shape, way: Way, connections: usize, cpu: f64) -> f64 {
    let then = HYPER.iter().find(|(s, w, c, _)| (*s, *w, *c) == (shape, way, connections));
    then.map_or(1.0, |(.., then)| (cpu / then).max(1.0))
}

/// The bars that a cell speaks of.
pub(crate) fn of(cell: Cell, all: &[Figures]) -> Vec<Bar> {
    let find = |name: &str| all.iter().find(|figures| figures.target == name);
    let Some(ours) = find(OURS) else { return Vec::new() };
    let (direct, floor) = (find(DIRECT), find(FLOOR));
    let host = match (floor, cell.every) {
        (Some(floor), None) => host(cell.shape, cell.way, cell.connections, floor.cpu),
        _ => 1.0,
    };
    let name = |what: &str| format!("{} × {}: {what}", cell.name(), cell.connections);
    let added = |what: &str, of: fn(&Figures) -> f64, bound: f64| {
        direct.map(|direct| Bar::most(name(what), (of(ours) - of(direct)) / 1e3, bound).on(host))
    };
    let spent = |what: &str, each: f64, bound: f64| Some(Bar::most(name(what), ours.cpu / each, bound).on(host));
    let bars = match (cell.shape, cell.way, cell.connections, cell.every) {
        (Small, Plain, 16, Some(_)) => vec![added("added p50, ms", |f| f.seen.total.p50, 0.2)],
        (Small, Plain, 16, None) => vec![
            spent("CPU of a request, µs", 1.0, 30.0),
            Some(Bar::least(name("requests a second"), ours.seen.per_second, 35_000.0).on(host)),
            floor.map(|floor| {
                Bar::least(name("throughput, × hyper alone"), ours.seen.per_second / floor.seen.per_second, 0.5)
            }),
        ],
        (Small, Burst, 1 | 16, None) => vec![
            added("added time to first byte, ms", |f| f.seen.first_byte.p50, 0.3),
            spent("CPU of a delta, µs", DELTAS as f64, 4.0),
        ],
        (Small, Paced, 16, None) => vec![
            added("added age of a delta, p50, ms", |f| f.seen.age.p50, 0.15),
            added("added age of a delta, p99, ms", |f| f.seen.age.p99, 1.0),
            spent("CPU of a delta, µs", DELTAS as f64, 8.0),
        ],
        _ => Vec::new(),
    };
    bars.into_iter().flatten().collect()
}
