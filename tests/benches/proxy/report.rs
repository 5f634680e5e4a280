//! Tables for people, one object for programs.

use serde_json::{Value, json};

use crate::bodies::Way;
use crate::canary::Found;
use crate::cell::{Cell, Figures};
use crate::mock::DELTAS;
use crate::targets::{DIRECT, FLOOR, OURS, Rig};

/// What was measured so far.
pub(crate) struct Report {
    json: bool,
    targets: Value,
    missing: Vec<String>,
    cells: Vec<(Cell, Vec<Figures>)>,
    found: Vec<Bar>,
    leaks: Vec<String>,
}

impl Report {
    pub(crate) fn new(rig: &Rig, json: bool) -> Self {
        let one = |target: &crate::targets::Target| json!({"name": target.name, "start_ms": target.start.map(|start| start.as_secs_f64() * 1e3), "idle_rss_mib": target.idle});
        let mut found = Vec::new();
        if let Some(ours) = rig.targets.iter().find(|target| target.name == OURS) {
            let start = ours.start.map_or(0.0, |start| start.as_secs_f64() * 1e3);
            let bar = |name: &str, ours, bound| Bar { name: name.to_owned(), ours, bound, at_least: false };
            found = vec![bar("start to the first answer, ms", start, 300.0), bar("RSS at rest, MiB", ours.idle, 20.0)];
        }
        let report = Self {
            json,
            targets: rig.targets.iter().map(one).collect(),
            missing: rig.missing.clone(),
            cells: Vec::new(),
            found,
            leaks: Vec::new(),
        };
        if !json {
            report.missing.iter().for_each(|why| println!("not measured: {why}"));
            println!("\n{:<12} {:>9} {:>9}", "", "start ms", "RSS MiB");
            for target in rig.targets.iter().filter(|target| target.pid.is_some()) {
                let start = target.start.map_or(0.0, |start| start.as_secs_f64() * 1e3);
                println!("{:<12} {start:>9.1} {:>9.1}", target.name, target.idle);
            }
            println!(
                "\nTimes in µs. `cpu` is processor time of the target for a request, `age` that of a piece of text on arrival."
            );
        }
        report
    }

    /// Takes a cell's figures and prints them.
    pub(crate) fn cell(&mut self, cell: Cell, all: Vec<Figures>) {
        if !self.json {
            table(cell, &all);
        }
        self.cells.push((cell, all));
    }

    /// Takes what became of secrets and of the prompt cache.
    pub(crate) fn found(&mut self, found: Option<Found>, in_log: usize) {
        let Some(Found { sent, leaks, turns, unstable }) = found else { return };
        let mut none = |name: String, count: usize| {
            self.found.push(Bar { name, ours: count as f64, bound: 0.0, at_least: false });
        };
        none(format!("secrets that reached the provider, of {sent}"), leaks.len());
        none("secrets in the log".to_owned(), in_log);
        none(format!("turns of {turns} whose beginning changed on the way"), unstable);
        self.leaks = leaks;
    }

    /// Prints what follows from all of it.
    pub(crate) fn finish(self) {
        let mut bars: Vec<Bar> = self.cells.iter().flat_map(|(cell, all)| bars(*cell, all)).collect();
        bars.extend(self.found);
        if self.json {
            let cells: Vec<Value> =
                self.cells.iter().flat_map(|(cell, all)| all.iter().map(|figures| cell.json(figures))).collect();
            let bars: Vec<Value> = bars.iter().map(Bar::json).collect();
            println!(
                "{:#}",
                json!({"targets": self.targets, "missing": self.missing, "cells": cells, "bars": bars, "leaks": self.leaks})
            );
            return;
        }
        self.leaks.iter().for_each(|leak| println!("LEAKED: {leak}"));
        println!("\n{:<58} {:>10} {:>10}", "bar", "ours", "bar");
        for bar in bars {
            let verdict = if bar.holds() { "" } else { "  MISSED" };
            println!("{:<58} {:>10.2} {:>10.2}{verdict}", bar.name, bar.ours, bar.bound);
        }
    }
}

fn table(cell: Cell, all: &[Figures]) {
    let streamed = cell.way != Way::Plain;
    println!("\n{} × {}", cell.name(), cell.connections);
    let more = if streamed { "     ttfb p50/p99       age p50/p99  cpu/delta" } else { "" };
    println!("{:<12} {:>9}  {:>18} {:>8} {:>7} {:>6}{more}", "", "req/s", "p50/p99", "cpu", "RSS", "others");
    for figures in all {
        let seen = &figures.seen;
        let pair = |times: crate::load::Times| format!("{:.0}/{:.0}", times.p50, times.p99);
        print!(
            "{:<12} {:>9.0}  {:>18} {:>8.1} {:>7.1} {:>5.0}%",
            figures.target,
            seen.per_second,
            pair(seen.total),
            figures.cpu,
            figures.memory.0,
            figures.others * 100.0
        );
        if streamed {
            let each = figures.cpu / DELTAS as f64;
            print!(" {:>16} {:>17} {each:>10.1}", pair(seen.first_byte), pair(seen.age));
        }
        if seen.errors > 0 {
            print!("  {} ERRORS: {}", seen.errors, seen.first_error);
        }
        println!();
    }
    let Some(ours) = all.iter().find(|f| f.target == OURS) else { return };
    let ratios = all.iter().filter(|f| f.target != OURS).map(|other| {
        let cpu = if other.cpu > 0.0 { format!(", cpu ×{:.2}", ours.cpu / other.cpu) } else { String::new() };
        format!("{}: throughput ×{:.2}{cpu}", other.target, ours.seen.per_second / other.seen.per_second)
    });
    println!("ours / {}", ratios.collect::<Vec<_>>().join("; "));
}

/// A figure that must not be passed, or not be missed.
struct Bar {
    name: String,
    ours: f64,
    bound: f64,
    at_least: bool,
}

impl Bar {
    fn holds(&self) -> bool {
        if self.at_least { self.ours >= self.bound } else { self.ours <= self.bound }
    }

    fn json(&self) -> Value {
        json!({"bar": self.name, "ours": self.ours, "bound": self.bound, "at_least": self.at_least, "holds": self.holds()})
    }
}

/// The bars of the design that a cell speaks of.
fn bars(cell: Cell, all: &[Figures]) -> Vec<Bar> {
    let find = |name: &str| all.iter().find(|figures| figures.target == name);
    let Some(ours) = find(OURS) else { return Vec::new() };
    let (direct, floor) = (find(DIRECT), find(FLOOR));
    let name = |what: &str| format!("{} × {}: {what}", cell.name(), cell.connections);
    let mut bars = Vec::new();
    let mut most = |what: &str, ours: Option<f64>, bound: f64| {
        if let Some(ours) = ours {
            bars.push(Bar { name: name(what), ours, bound, at_least: false });
        }
    };
    let added = |of: fn(&Figures) -> f64| direct.map(|direct| (of(ours) - of(direct)) / 1e3);
    use crate::bodies::Shape::{K100, M1, Small};
    match (cell.shape, cell.way, cell.connections) {
        (Small, Way::Plain, 16) => {
            most("CPU of a request, µs", Some(ours.cpu), 30.0);
            most("added p50, ms", added(|f| f.seen.total.p50), 0.2);
            if let Some(floor) = floor {
                let ours = ours.seen.per_second / floor.seen.per_second;
                bars.push(Bar { name: name("throughput, × hyper alone"), ours, bound: 0.5, at_least: true });
            }
        }
        (Small, Way::Burst, 1 | 16) => {
            most("added time to first byte, ms", added(|f| f.seen.first_byte.p50), 0.3);
            most("CPU of a delta, µs", Some(ours.cpu / DELTAS as f64), 4.0);
        }
        (Small, Way::Paced, 16) => {
            most("added age of a delta, p50, ms", added(|f| f.seen.age.p50), 0.15);
            most("added age of a delta, p99, ms", added(|f| f.seen.age.p99), 1.0);
            most("CPU of a delta, µs", Some(ours.cpu / DELTAS as f64), 8.0);
        }
        (K100, Way::Plain, 1) => most("added p50, ms", added(|f| f.seen.total.p50), 1.0),
        (M1, Way::Plain, 1) => most("added p50, ms", added(|f| f.seen.total.p50), 10.0),
        _ => {}
    }
    bars
}
