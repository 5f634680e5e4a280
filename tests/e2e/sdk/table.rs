//! The matrix as it is shown.

use std::fmt;

use serde_json::{Value, json};

/// How one case went with one client.
pub(crate) enum Cell {
    Good,
    /// The gateway does not serve it, and says so in the client's own words.
    Refused,
    Failed(String),
}

/// All clients of one thing, in the order of play.
pub(crate) struct Table {
    name: &'static str,
    cells: Vec<(&'static str, &'static str, Cell)>,
}

impl Cell {
    pub(crate) fn of(result: anyhow::Result<Self>) -> Self {
        match result {
            Ok(cell) => cell,
            Err(error) => Self::Failed(format!("{error:#}").replace('\n', " ")),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("ok"),
            Self::Refused => f.write_str("refused"),
            Self::Failed(why) => write!(f, "FAILED: {why}"),
        }
    }
}

impl Table {
    pub(crate) const fn of(name: &'static str) -> Self {
        Self { name, cells: Vec::new() }
    }

    pub(crate) fn add(&mut self, client: &'static str, case: &'static str, cell: Cell) {
        self.cells.push((client, case, cell));
    }

    pub(crate) fn failed(&self) -> usize {
        self.cells.iter().filter(|(_, _, cell)| matches!(cell, Cell::Failed(_))).count()
    }

    /// Each name once, in order of appearance.
    fn names(&self, of: impl Fn(&(&'static str, &'static str, Cell)) -> &'static str) -> Vec<&'static str> {
        let mut names = Vec::new();
        for name in self.cells.iter().map(of) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// All of them as one document.
pub(crate) fn json(tables: &[&Table]) -> Value {
    let all = tables.iter().flat_map(|table| table.cells.iter().map(|cell| (table.name, cell)));
    let rows: Vec<Value> = all
        .map(|(to, (client, case, cell))| {
            let mut row = json!({"to": to, "client": client, "case": case, "ok": !matches!(cell, Cell::Failed(_))});
            match cell {
                Cell::Good => {}
                Cell::Refused => row["refused"] = json!(true),
                Cell::Failed(why) => row["reason"] = json!(why),
            }
            row
        })
        .collect();
    let failed: usize = tables.iter().map(|table| table.failed()).sum();
    json!({"ok": rows.len() - failed, "failed": failed, "cells": rows})
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cells.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nThrough the {}:\n", self.name)?;
        let (clients, mut cases) = (self.names(|cell| cell.0), self.names(|cell| cell.1));
        cases.sort_by_key(|case| crate::cases::place(case));
        let widest = cases.iter().map(|case| case.len()).max().unwrap_or_default();
        let words = |client: &str, line: usize| client.split(' ').nth(line).unwrap_or_default().to_owned();
        let width = |client: &str| client.split(' ').map(str::len).max().unwrap_or_default().max(7);
        let lines = clients.iter().map(|client| client.split(' ').count()).max().unwrap_or_default();
        for line in 0..lines {
            let names = clients.iter().map(|client| format!("  {:<1$}", words(client, line), width(client)));
            writeln!(f, "{}", format!("{:widest$}{}", "", names.collect::<String>()).trim_end())?;
        }
        for case in &cases {
            let mut row = format!("{case:widest$}");
            for client in &clients {
                let cell = self.cells.iter().find(|(by, of, _)| by == client && of == case);
                let mark = match cell {
                    Some((_, _, Cell::Good)) => "ok",
                    Some((_, _, Cell::Refused)) => "refused",
                    Some((_, _, Cell::Failed(_))) => "FAIL",
                    None => "-",
                };
                row += &format!("  {mark:<0$}", width(client));
            }
            writeln!(f, "{}", row.trim_end())?;
        }
        for (client, case, cell) in &self.cells {
            if let Cell::Failed(why) = cell {
                writeln!(f, "\n{client}, {case}: {why}")?;
            }
        }
        writeln!(f, "\n{} of {} hold", self.cells.len() - self.failed(), self.cells.len())
    }
}
