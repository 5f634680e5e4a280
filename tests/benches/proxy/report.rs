//! Tables for people, one object for programs.

use serde_json::{Value, json};

use crate::bars::{self, Bar};
use crate::bodies::Way;
use crate::canary::Found;
use crate::cell::{Cell, Figures};
use crate::mock::DELTAS;
use crate::targets::{OURS, Rig};
use crate::turns::Sessions;

/// What was measured so far.
pub(crate) struct Report {
    json: bool,
    targets: Value,
    missing: Vec<String>,
    cells: Vec<(Cell, Vec<Figures>)>,
    sessions: Vec<Sessions>,
    found: Vec<Bar>,
    leaks: Vec<String>,
}

impl Report {
    pub(crate) fn new(rig: &Rig, json: bool) -> Self {
        let one = |target: &crate::targets::Target| json!({"name": target.name, "start_ms": target.start.map(|start| start.as_secs_f64() * 1e3), "idle_rss_mib": target.idle});
        let mut found = Vec::new();
        if let Some(ours) = rig.targets.iter().find(|target| target.name == OURS) {
            let start = ours.start.map_or(0.0, |start| start.as_secs_f64() * 1e3);
            found = vec![
                Bar::most("start to the first answer, ms", start, 300.0),
                Bar::most("RSS at rest, MiB", ours.idle, 20.0),
            ];
        }
        let report = Self {
            json,
            targets: rig.targets.iter().map(one).collect(),
            missing: rig.missing.clone(),
            cells: Vec::new(),
            sessions: Vec::new(),
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

    /// Takes the figures of sessions and prints them.
    pub(crate) fn sessions(&mut self, all: Vec<Sessions>) {
        if !self.json {
            all.iter().for_each(Sessions::print);
        }
        self.sessions = all;
    }

    /// Takes what became of secrets and of the prompt cache.
    pub(crate) fn found(&mut self, found: Option<Found>, in_log: usize) {
        let Some(Found { sent, leaks, turns, unstable }) = found else { return };
        let mut none = |name: String, count: usize| self.found.push(Bar::most(name, count as f64, 0.0));
        none(format!("secrets that reached the provider, of {sent}"), leaks.len());
        none("secrets in the log".to_owned(), in_log);
        none(format!("turns of {turns} whose beginning changed on the way"), unstable);
        self.leaks = leaks;
    }

    /// Prints what follows from all of it.
    pub(crate) fn finish(self) {
        let mut bars: Vec<Bar> = self.cells.iter().flat_map(|(cell, all)| bars::of(*cell, all)).collect();
        bars.extend(self.sessions.iter().flat_map(Sessions::bars));
        bars.extend(self.found);
        if self.json {
            let cells: Vec<Value> =
                self.cells.iter().flat_map(|(cell, all)| all.iter().map(|figures| cell.json(figures))).collect();
            let bars: Vec<Value> = bars.iter().map(Bar::json).collect();
            println!(
                "{:#}",
                json!({"targets": self.targets, "missing": self.missing, "cells": cells,
                    "sessions": self.sessions.iter().map(Sessions::json).collect::<Vec<_>>(), "bars": bars, "leaks": self.leaks})
            );
            return;
        }
        self.leaks.iter().for_each(|leak| println!("LEAKED: {leak}"));
        Bar::print(&bars);
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
